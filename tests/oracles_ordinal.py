"""Ordinal columns by loops over components and levels, from the definitions, and their maximum by SciPy's optimizer."""

from itertools import pairwise
from math import exp, log

import numpy as np
from scipy.optimize import minimize


def adjacent(intercepts, location, scores=None):
    """Probabilities of the levels: proportional to exp(a_l + b s_l)."""
    scores = range(len(intercepts)) if scores is None else scores
    odds = [exp(a + location * s) for a, s in zip(intercepts, scores, strict=True)]
    return [value / sum(odds) for value in odds]


def cumulative(thresholds, location):
    """Probabilities of the levels: differences of the logistic function at the thresholds."""
    below = [0.0, *(1.0 / (1.0 + exp(location - c)) for c in thresholds), 1.0]
    return [high - low for low, high in pairwise(below)]


def log_likelihood(counts, probabilities):
    """Sum of counts times log probabilities; lists of components of levels."""
    total = 0.0
    for row, shares in zip(counts, probabilities, strict=True):
        for count, share in zip(row, shares, strict=True):
            total += count * log(share) if count else 0.0
    return total


def best(counts, kind, scores=None):
    """Largest log-likelihood of one column's counts (K, L), and locations that sum to zero, by BFGS from zero.

    Every vector of L - 1 + K - 1 numbers is a parameter: intercepts after the first one or (the first threshold and) logs of
    the gaps; then all locations but the last.
    """
    n_components, n_levels = np.shape(counts)

    def read(vector):
        base, free = vector[: n_levels - 1], list(vector[n_levels - 1 :])
        if kind == "adjacent":
            base = [0.0, *base]
        else:
            base = np.cumsum([base[0], *np.exp(base[1:])])
        return base, [*free, -sum(free)]

    def loss(vector):
        base, location = read(vector)
        if kind == "adjacent":
            shares = [adjacent(base, b, scores) for b in location]
        else:
            shares = [cumulative(base, b) for b in location]
        return -log_likelihood(counts, shares)

    start = np.zeros(n_levels - 1 + n_components - 1)
    found = minimize(loss, start, method="BFGS", options={"gtol": 1e-7})
    found = minimize(
        loss, found.x, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 4000}
    )
    return -found.fun, np.array(read(found.x)[1])
