"""What sequential structures are asked, answered by enumeration of all paths under a law given as log p(path)."""

from __future__ import annotations

from itertools import product

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
