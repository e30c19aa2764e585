"""Oracles for rows with missing cells: one row and one component at a time, from the marginal and the conditional law."""

import numpy as np
from scipy.special import digamma
from scipy.stats import multivariate_normal, multivariate_t


def conditional(x, mean, matrix):
    """A row with its conditional means, and the conditional covariance with zeros where the row is observed."""
    missing = np.flatnonzero(np.isnan(x))
    observed = np.flatnonzero(~np.isnan(x))
    filled, spread = x.copy(), np.zeros((len(x), len(x)))
    within = matrix[np.ix_(observed, observed)]
    across = matrix[np.ix_(missing, observed)]
    filled[missing] = mean[missing] + across @ np.linalg.solve(within, x[observed] - mean[observed])
    spread[np.ix_(missing, missing)] = matrix[np.ix_(missing, missing)] - across @ np.linalg.solve(
        within, across.T
    )
    return filled, spread


def log_density(x, mean, matrix, degrees=None):
    """Of the observed cells; Student's with degrees of freedom."""
    observed = np.flatnonzero(~np.isnan(x))
    if not observed.size:
        return 0.0
    law = (mean[observed], matrix[np.ix_(observed, observed)])
    if degrees is None:
        return multivariate_normal(*law).logpdf(x[observed])
    return multivariate_t(*law, df=degrees).logpdf(x[observed])


def expected_scale(x, mean, matrix, degrees):
    """E[u] and E[log u] given the observed cells."""
    observed = np.flatnonzero(~np.isnan(x))
    residual = x[observed] - mean[observed]
    distance = residual @ np.linalg.solve(matrix[np.ix_(observed, observed)], residual)
    shape, rate = (degrees + len(observed)) / 2, (degrees + distance) / 2
    return shape / rate, digamma(shape) - np.log(rate)


def scores(rows, means, matrices, degrees=None):
    """Log densities (K, B) of rows (B, D)."""
    return np.array(
        [
            [log_density(x, mean, matrix, None if degrees is None else degrees[k]) for x in rows]
            for k, (mean, matrix) in enumerate(zip(means, matrices, strict=True))
        ]
    )


def sums(rows, resp, means, matrices, degrees=None):
    """Expected complete-data sums: counts (K,), first moments (K, D), second moments (K, D, D); sums of u and log u - u."""
    n_components, n_features = means.shape
    count, first = np.zeros(n_components), np.zeros((n_components, n_features))
    second, mass, logs = (
        np.zeros((n_components, n_features, n_features)),
        np.zeros(n_components),
        np.zeros(n_components),
    )
    for k in range(n_components):
        for x, r in zip(rows, resp[k], strict=True):
            filled, spread = conditional(x, means[k], matrices[k])
            u, log_u = (1.0, 0.0) if degrees is None else expected_scale(x, means[k], matrices[k], degrees[k])
            count[k] += r
            mass[k] += r * u
            logs[k] += r * log_u
            first[k] += r * u * filled
            second[k] += r * (u * np.outer(filled, filled) + spread)
    return {"count": count, "first": first, "second": second, "mass": mass, "log_u": logs}


def gaussian_em(rows, weights, means, matrices, steps):
    """Full covariances: `steps` EM steps and the log-likelihood before each of them and at the end."""
    history = []
    for step in range(steps + 1):
        joint = np.log(weights)[:, None] + scores(rows, means, matrices)
        evidence = np.array(
            [np.log(np.exp(column - column.max()).sum()) + column.max() for column in joint.T]
        )
        history.append(evidence.sum())
        if step == steps:
            break
        found = sums(rows, np.exp(joint - evidence), means, matrices)
        weights = found["count"] / len(rows)
        means = found["first"] / found["count"][:, None]
        matrices = np.array(
            [s / n - np.outer(m, m) for s, n, m in zip(found["second"], found["count"], means, strict=True)]
        )
    return weights, means, matrices, history
