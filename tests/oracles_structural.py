"""Oracles of state space models with unknown first states: the dense Gaussian of all observations, its flat part integrated out."""

import numpy as np


def dense(design, noise, transition, state_noise, spread, y, mean=None, known=None):
    """Log evidence under a flat prior of density one, and smoothed states, by generalised least squares over everything at once.

    design (T, p, m), noise (p, p), all else constant; y (T, p) with NaN for missing. State t is F_t a_1 + steps before t.
    """
    n_rows, n_columns, size = design.shape
    mean = np.zeros(size) if mean is None else mean
    known = np.zeros((size, size)) if known is None else known
    powers = [np.eye(size)]
    for _ in range(n_rows):
        powers.append(transition @ powers[-1])
    states = np.zeros((n_rows, size, n_rows, size))  # covariance of states apart from the flat part
    for s in range(n_rows):
        for t in range(n_rows):
            states[s, :, t, :] = powers[s] @ known @ powers[t].T
            for u in range(min(s, t)):
                states[s, :, t, :] += powers[s - 1 - u] @ state_noise @ powers[t - 1 - u].T
    flat = np.concatenate([powers[t] @ spread.T for t in range(n_rows)])  # (T m, q)
    states = states.reshape(n_rows * size, n_rows * size)
    centre = np.concatenate([powers[t] @ mean for t in range(n_rows)])
    looks = np.zeros((n_rows * n_columns, n_rows * size))
    errors = np.zeros((n_rows * n_columns,) * 2)
    for t in range(n_rows):
        looks[t * n_columns : (t + 1) * n_columns, t * size : (t + 1) * size] = design[t]
        errors[t * n_columns : (t + 1) * n_columns, t * n_columns : (t + 1) * n_columns] = noise
    seen = ~np.isnan(y.ravel())
    looks, errors, values = looks[seen], errors[np.ix_(seen, seen)], y.ravel()[seen]
    covariance = looks @ states @ looks.T + errors
    inverse = np.linalg.inv(covariance)
    wide, rest = looks @ flat, values - looks @ centre
    information = wide.T @ inverse @ wide
    found = np.linalg.solve(information, wide.T @ inverse @ rest)
    left = rest - wide @ found
    log_evidence = -0.5 * (
        (len(values) - len(spread)) * np.log(2 * np.pi)
        + np.linalg.slogdet(covariance)[1]
        + np.linalg.slogdet(information)[1]
        + left @ inverse @ left
    )
    cross = states @ looks.T @ inverse
    smooth = centre + flat @ found + cross @ left
    beside = flat - cross @ wide
    spread_of = states - cross @ looks @ states + beside @ np.linalg.solve(information, beside.T)
    blocks = spread_of.reshape(n_rows, size, n_rows, size)
    covariances = np.array([blocks[t, :, t] for t in range(n_rows)])
    return log_evidence, smooth.reshape(n_rows, size), covariances


def disturbances(design, transition, loads, variances, y):
    """Expected squares of all disturbances of one series, and their numbers: columns of a linear model with flat first states."""
    n_rows, size = len(y), len(design)
    seen = [t for t in range(n_rows) if not np.isnan(y[t])]
    sources = []  # (which variance, what one unit of it adds to every row)
    for j, load in enumerate(loads):
        for t in range(n_rows):
            if load[0] and t in seen:
                sources.append((j, np.eye(n_rows)[t]))
            for i in range(size):
                if load[1 + i] and t < n_rows - 1:
                    state, added = np.eye(size)[i], np.zeros(n_rows)
                    for later in range(t + 1, n_rows):
                        added[later] = design @ state
                        state = transition @ state
                    sources.append((j, added))
    wide = np.array([design @ np.linalg.matrix_power(transition, t) for t in range(n_rows)])[seen]
    columns = np.array([added for _, added in sources]).T[seen]
    each = np.array([variances[j] for j, _ in sources])
    covariance = (columns * each) @ columns.T
    inverse = np.linalg.inv(covariance)
    project = inverse - inverse @ wide @ np.linalg.solve(wide.T @ inverse @ wide, wide.T @ inverse)
    mean = each * (columns.T @ project @ y[seen])
    left = each - each**2 * np.einsum("ti,ts,si->i", columns, project, columns)
    square, count = np.zeros(len(loads)), np.zeros(len(loads))
    for (j, _), m, v in zip(sources, mean, left, strict=True):
        square[j] += m**2 + v
        count[j] += 1
    return square, count
