"""Loops only: one step of a mixture of Gaussians with hmmlearn's priors, and of Gaussians with means and scatter seen earlier."""

import math


def normal(x, mean, variance):
    value = 0.0
    for d in range(len(x)):
        value -= 0.5 * (math.log(2.0 * math.pi * variance[d]) + (x[d] - mean[d]) ** 2 / variance[d])
    return math.exp(value)


def mixture_step(X, weights, means, variances, prior):
    """Weights, means and variances (about the means before the step) of one diagonal mixture.

    `prior` holds pseudo-counts, prior means, their weights, and alpha and beta of inverse gamma laws.
    """
    size, width = len(weights), len(X[0])
    counts = [0.0] * size
    sums = [[0.0] * width for _ in range(size)]
    squares = [[0.0] * width for _ in range(size)]
    for x in X:
        joint = [weights[m] * normal(x, means[m], variances[m]) for m in range(size)]
        for m in range(size):
            share = joint[m] / sum(joint)
            counts[m] += share
            for d in range(width):
                sums[m][d] += share * x[d]
                squares[m][d] += share * (x[d] - means[m][d]) ** 2
    new_weights, new_means, new_variances = [], [], []
    total = sum(counts[m] + prior["pseudo"][m] - 1.0 for m in range(size))
    for m in range(size):
        new_weights.append((counts[m] + prior["pseudo"][m] - 1.0) / total)
        worth = prior["worth"][m]
        mean = [(worth * prior["mean"][m][d] + sums[m][d]) / (worth + counts[m]) for d in range(width)]
        new_means.append(mean)
        new_variances.append(
            [
                (worth * (mean[d] - prior["mean"][m][d]) ** 2 + 2.0 * prior["beta"] + squares[m][d])
                / (counts[m] + 1.0 + 2.0 * (prior["alpha"] + 1.0))
                for d in range(width)
            ]
        )
    return new_weights, new_means, new_variances


def tied_step(X, resp, prior_mean, worth, scatter, size):
    """Means and the common covariance of Gaussians after one step."""
    n_states, width = len(resp[0]), len(X[0])
    means = []
    for k in range(n_states):
        count = worth
        sums = [worth * prior_mean[k][d] for d in range(width)]
        for n, x in enumerate(X):
            count += resp[n][k]
            for d in range(width):
                sums[d] += resp[n][k] * x[d]
        means.append([value / count for value in sums])
    common = [[scatter[i][j] for j in range(width)] for i in range(width)]
    total = size
    for k in range(n_states):
        for i in range(width):
            for j in range(width):
                common[i][j] += worth * (means[k][i] - prior_mean[k][i]) * (means[k][j] - prior_mean[k][j])
    for n, x in enumerate(X):
        for k in range(n_states):
            total += resp[n][k]
            for i in range(width):
                for j in range(width):
                    common[i][j] += resp[n][k] * (x[i] - means[k][i]) * (x[j] - means[k][j])
    return means, [[value / total for value in row] for row in common]
