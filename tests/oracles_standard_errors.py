"""Standard errors the long way: loops over rows, second differences of the log-likelihood, inverses of small matrices."""

import math

import numpy as np


def bernoulli_log_likelihood(parameters, rows, n_components):
    """Log-likelihood of K - 1 weights and K times D probabilities, as they are, row by row."""
    n_features = len(rows[0])
    weights = [*parameters[: n_components - 1]]
    weights.append(1.0 - sum(weights))
    total = 0.0
    for row in rows:
        likelihood = 0.0
        for k in range(n_components):
            term = weights[k]
            for d, value in enumerate(row):
                p = parameters[n_components - 1 + k * n_features + d]
                term *= p if value else 1.0 - p
            likelihood += term
        total += math.log(likelihood)
    return total


def second_derivatives(function, where, step):
    """Matrix of second derivatives by central differences, extrapolated (Richardson), one pair at a time."""
    where, step = np.asarray(where, dtype=float), np.asarray(step, dtype=float)
    size = len(where)
    found = np.zeros((size, size))

    def difference(c, d, factor):
        one, other = np.zeros(size), np.zeros(size)
        one[c], other[d] = factor * step[c], factor * step[d]
        if c == d:
            rise = function(where + one) - 2.0 * function(where) + function(where - one)
            return rise / (factor * step[c]) ** 2
        rise = function(where + one + other) - function(where + one - other)
        rise += function(where - one - other) - function(where - one + other)
        return rise / (4.0 * factor**2 * step[c] * step[d])

    for c in range(size):
        for d in range(c, size):
            found[c, d] = found[d, c] = (4.0 * difference(c, d, 1.0) - difference(c, d, 2.0)) / 3.0
    return found


def log_likelihood(model, source, weights_inside=False):
    """Log-likelihood of a model in all rows: the evidence of every unit, added up."""
    total = 0.0
    for batch in source:
        evidence = model.infer(batch, {}).log_evidence
        for value, weight in zip(evidence, batch.sample_weight, strict=False):
            total += value if weights_inside else value * weight
    return total
