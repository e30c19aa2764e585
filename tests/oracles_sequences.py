"""What sequential structures are asked, answered by enumeration of all paths under a law given as log p(path)."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
from scipy.special import logsumexp


def all_paths(n_components, n_rows):
    return np.array(list(product(range(n_components), repeat=n_rows)))


def joint(scores, log_prior, covariates):
    """Paths (n, T) of one sequence and their log joint densities (n,)."""
    paths = all_paths(*scores.shape)
    with np.errstate(divide="ignore"):
        logs = [
            log_prior(path, covariates) + sum(scores[state, t] for t, state in enumerate(path))
            for path in paths
        ]
    return paths, np.array(logs)


def marginals(paths, logs, n_components):
    """Probabilities (K, T) of every row's state."""
    share = np.exp(logs - logsumexp(logs))
    return np.array(
        [[share[paths[:, t] == k].sum() for t in range(paths.shape[1])] for k in range(n_components)]
    )


def filtered(scores, log_prior, covariates):
    """Probabilities (K, T) given the rows up to each, and the log evidence of these rows, (T,)."""
    found, evidence = [], []
    for t in range(1, scores.shape[1] + 1):
        paths, logs = joint(scores[:, :t], log_prior, None if covariates is None else covariates[:, :t])
        found.append(marginals(paths, logs, len(scores))[:, -1])
        evidence.append(logsumexp(logs))
    return np.array(found).T, np.array(evidence)


def forecast(scores, n_steps, log_prior, covariates):
    """Probabilities (h, K) of the states after the last row; covariates are those of all rows."""
    more = np.concatenate([scores, np.zeros((len(scores), n_steps))], axis=1)
    paths, logs = joint(more, log_prior, covariates)
    return marginals(paths, logs, len(scores))[:, scores.shape[1] :].T


def markov(initial, transition):
    """log p(path) of a chain; transition is (K, K), or a function of covariates (Q,)."""

    def log_prior(path, covariates):
        first = initial(covariates[:, 0]) if callable(initial) else initial
        value = np.log(first[path[0]])
        for t in range(1, len(path)):
            moves = transition(covariates[:, t]) if callable(transition) else transition
            value += np.log(moves[path[t - 1], path[t]])
        return value

    return log_prior


def semi_markov(initial, transition, lasts, at_least):
    """log p(path) of a semi-Markov chain: the sum over all cuts of the path into segments.

    `lasts(k, d)` is the probability that state k has d rows, `at_least(k, d)` that it has d or more (the last segment is cut off).
    """

    def cuts(n_rows):
        for marks in product([False, True], repeat=n_rows - 1):
            yield [0, *[t + 1 for t, mark in enumerate(marks) if mark], n_rows]

    def log_prior(path, _):
        total = 0.0
        for edges in cuts(len(path)):
            weight = initial[path[0]]
            for start, stop in pairwise(edges):
                state = path[start]
                if any(path[t] != state for t in range(start, stop)):
                    weight = 0.0
                    break
                if start > 0:
                    weight *= transition[path[start - 1], state]
                weight *= at_least(state, stop - start) if stop == len(path) else lasts(state, stop - start)
            total += weight
        return np.log(total)

    return log_prior


def of_hazards(hazard):
    """lasts and at_least of hazards (K, D), the last of which stays."""

    def at_least(k, d):
        return np.prod([1.0 - hazard[k, min(age, hazard.shape[1]) - 1] for age in range(1, d)])

    def lasts(k, d):
        return at_least(k, d) * hazard[k, min(d, hazard.shape[1]) - 1]

    return lasts, at_least
