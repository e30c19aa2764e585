"""Regressions written as plain loops, or handed to an optimiser of SciPy: slow, short, and without anything of the library."""

import math

import numpy as np
from scipy.optimize import minimize
from scipy.special import gammaln


def solved(matrix, vector):
    """Gaussian elimination with the largest pivot."""
    rows = [[*map(float, row), float(value)] for row, value in zip(matrix, vector, strict=True)]
    size = len(rows)
    for column in range(size):
        pivot = max(range(column, size), key=lambda row: abs(rows[row][column]))
        rows[column], rows[pivot] = rows[pivot], rows[column]
        for row in range(column + 1, size):
            factor = rows[row][column] / rows[column][column]
            for place in range(column, size + 1):
                rows[row][place] -= factor * rows[column][place]
    found = [0.0] * size
    for row in reversed(range(size)):
        known = sum(rows[row][place] * found[place] for place in range(row + 1, size))
        found[row] = (rows[row][size] - known) / rows[row][row]
    return found


def least_squares(design, response, weight):
    """Coefficients and mean squared residual of weighted rows."""
    size = len(design[0])
    matrix = [[0.0] * size for _ in range(size)]
    vector, total = [0.0] * size, 0.0
    for z, y, w in zip(design, response, weight, strict=True):
        total += w
        for i in range(size):
            vector[i] += w * z[i] * y
            for j in range(size):
                matrix[i][j] += w * z[i] * z[j]
    line = solved(matrix, vector)
    squares = 0.0
    for z, y, w in zip(design, response, weight, strict=True):
        squares += w * (y - sum(b * value for b, value in zip(line, z, strict=True))) ** 2
    return line, squares / total


def em_step(design, response, weight, shares, lines, noise):
    """Log-likelihood, then weights, coefficients and noise variances after one step of EM."""
    components = range(len(shares))
    resp = [[] for _ in components]
    log_likelihood = 0.0
    for z, y, w in zip(design, response, weight, strict=True):
        joint = []
        for k in components:
            residual = y - sum(b * value for b, value in zip(lines[k], z, strict=True))
            density = math.exp(-0.5 * residual**2 / noise[k]) / math.sqrt(2 * math.pi * noise[k])
            joint.append(shares[k] * density)
        log_likelihood += w * math.log(sum(joint))
        for k in components:
            resp[k].append(w * joint[k] / sum(joint))
    found = [least_squares(design, response, resp[k]) for k in components]
    total = sum(map(sum, resp))
    return (
        log_likelihood,
        [sum(resp[k]) / total for k in components],
        [line for line, _ in found],
        [variance for _, variance in found],
    )


def log_densities(family, design, response, known, line):
    """Log density of every response, from the formulas of the textbooks."""
    predictor = design @ line
    if family == "poisson":
        return response * (predictor + np.log(known)) - known * np.exp(predictor) - gammaln(response + 1)
    base = gammaln(known + 1) - gammaln(response + 1) - gammaln(known - response + 1)
    return base + response * predictor - known * np.log1p(np.exp(predictor))


def best_lines(family, design, response, known, resp, shared=()):
    """Coefficients (K, Q) that maximise the weighted log-likelihood, some the same for all."""
    n_components, n_columns = len(resp), design.shape[1]
    own = [column for column in range(n_columns) if column not in shared]

    def lines(vector):
        found = np.empty((n_components, n_columns))
        found[:, list(shared)] = vector[: len(shared)]
        found[:, own] = vector[len(shared) :].reshape(n_components, len(own))
        return found

    def loss(vector):
        values = [log_densities(family, design, response, known, line) for line in lines(vector)]
        return -float(np.sum(resp * np.array(values)))

    start = np.zeros(len(shared) + n_components * len(own))
    return lines(minimize(loss, start, method="BFGS", options={"gtol": 1e-7}).x)


def best_logit(scores, covariates, weight):
    """Coefficients (K, 1 + Q) of the weights that maximise the likelihood of given component scores (K, B)."""
    design = np.column_stack([np.ones(covariates.shape[1]), covariates.T])

    def loss(vector):
        free = np.concatenate([np.zeros((1, design.shape[1])), vector.reshape(-1, design.shape[1])])
        predictor = free @ design.T
        log_weights = predictor - np.log(np.exp(predictor).sum(axis=0))
        return -float(weight @ np.log(np.exp(log_weights + scores).sum(axis=0)))

    start = np.zeros((len(scores) - 1) * design.shape[1])
    found = minimize(loss, start, method="BFGS", options={"gtol": 1e-8})
    return np.concatenate([np.zeros((1, design.shape[1])), found.x.reshape(-1, design.shape[1])]), -found.fun
