"""Bayesian linear regression by loops over rows and coefficients, and by the covariance of all responses."""

import numpy as np
from scipy.stats import multivariate_normal


def log_evidence(x, y, prior_variances, noise_variance, mean=0.0):
    """log N(y | mean, s² I + X T X'), the N x N covariance filled entry by entry."""
    n = len(y)
    covariance = np.zeros((n, n))
    for a in range(n):
        for b in range(n):
            covariance[a, b] = sum(
                x[a, j] * prior_variances[j] * x[b, j] for j in range(len(prior_variances))
            )
        covariance[a, a] += noise_variance
    return multivariate_normal.logpdf(y, np.full(n, mean), covariance)


def posterior(x, y, prior_variances, noise_variance):
    """Mean and covariance of the coefficients: precisions added row by row, then inverted."""
    precision = np.diag(1.0 / np.asarray(prior_variances, dtype=float))
    information = np.zeros(len(prior_variances))
    for row, response in zip(x, y, strict=True):
        precision += np.outer(row, row) / noise_variance
        information += row * response / noise_variance
    covariance = np.linalg.inv(precision)
    return covariance @ information, covariance


def em_step(x, y, prior_variances, noise_variance, *, common):
    """One EM step: expected squares by the posterior, averaged by loops."""
    mean, covariance = posterior(x, y, prior_variances, noise_variance)
    squares = [mean[j] ** 2 + covariance[j, j] for j in range(len(mean))]
    residual = 0.0
    for row, response in zip(x, y, strict=True):
        residual += (response - row @ mean) ** 2 + row @ covariance @ row
    variances = [sum(squares) / len(squares)] * len(squares) if common else squares
    return np.array(variances), residual / len(y)


def gain(x, y, prior_variances, noise_variance, j, variance):
    """Log evidence with a prior variance for coefficient j, less that without the coefficient."""
    with_it, without = np.array(prior_variances, dtype=float), np.array(prior_variances, dtype=float)
    with_it[j], without[j] = variance, 0.0
    return log_evidence(x, y, with_it, noise_variance) - log_evidence(x, y, without, noise_variance)
