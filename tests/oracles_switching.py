"""Oracles of switching systems: every path of regimes, each a dense Gaussian."""

from itertools import pairwise, product

import numpy as np
from scipy.special import logsumexp
from scipy.stats import multivariate_normal


def path_evidence(path, dynamics, covariances, loadings, variances, mean, covariance, x):
    """log p(x | regimes): the joint Gaussian of all states, built one by one; x (T, D) with NaN for missing."""
    n_rows, size = len(x), len(mean)
    means, joint = [mean], np.zeros((n_rows * size, n_rows * size))
    joint[:size, :size] = covariance
    for t in range(1, n_rows):
        matrix, constant = dynamics[path[t]][:, :size], dynamics[path[t]][:, size]
        means.append(matrix @ means[-1] + constant)
        here, there = slice(t * size, (t + 1) * size), slice((t - 1) * size, t * size)
        joint[here, : t * size] = matrix @ joint[there, : t * size]
        joint[: t * size, here] = joint[here, : t * size].T
        joint[here, here] = matrix @ joint[there, there] @ matrix.T + covariances[path[t]]
    looks = np.kron(np.eye(n_rows), loadings[:, :size])
    centre = looks @ np.concatenate(means) + np.tile(loadings[:, size], n_rows)
    spread = looks @ joint @ looks.T + np.diag(np.tile(variances, n_rows))
    values = x.ravel()
    seen = ~np.isnan(values)
    if not seen.any():
        return 0.0
    return multivariate_normal.logpdf(values[seen], centre[seen], spread[np.ix_(seen, seen)])


def exact(initial, transition, dynamics, covariances, loadings, variances, mean, covariance, x):
    """Log evidence and probabilities of the regimes (K, T), over all paths."""
    n_regimes, n_rows = len(initial), len(x)
    paths = list(product(range(n_regimes), repeat=n_rows))
    logs = []
    for path in paths:
        prior = np.log(initial[path[0]]) + sum(np.log(transition[i, j]) for i, j in pairwise(path))
        logs.append(
            prior + path_evidence(path, dynamics, covariances, loadings, variances, mean, covariance, x)
        )
    evidence = logsumexp(logs)
    regimes = np.zeros((n_regimes, n_rows))
    for path, log in zip(paths, logs, strict=True):
        for t, k in enumerate(path):
            regimes[k, t] += np.exp(log - evidence)
    return evidence, regimes
