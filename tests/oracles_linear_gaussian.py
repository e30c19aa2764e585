"""Oracles of linear dynamical systems: the joint Gaussian of all states and rows, and the recursions by loops over numbers."""

import math

import numpy as np


def joint(system, n_rows, inputs=None):
    """Mean and covariance of (z_1, ..., z_T, x_1, ..., x_T), written down from the definition."""
    n, d = system.n_states, system.n_features
    inputs = np.zeros((n_rows, system.n_inputs)) if inputs is None else inputs
    mean = np.zeros(n_rows * (n + d))
    # Every z and x is a linear function of independent noises: z_1, w_2 ... w_T, v_1 ... v_T.
    size = n_rows * (n + d)
    linear, noise = np.zeros((size, size)), np.zeros((size, size))
    for t in range(n_rows):
        z = slice(t * n, t * n + n)
        if t == 0:
            mean[z] = system.initial_mean
            noise[z, z] = system.initial_covariance
        else:
            before = slice(z.start - n, z.start)
            mean[z] = system.transition @ mean[before] + system.state_inputs @ inputs[t] + system.state_bias
            linear[z] = system.transition @ linear[before]
            noise[z, z] = system.state_noise
        linear[z, z] += np.eye(n)
    for t in range(n_rows):
        z, x = slice(t * n, t * n + n), slice(n_rows * n + t * d, n_rows * n + t * d + d)
        mean[x] = system.observation @ mean[z] + system.observation_inputs @ inputs[t]
        mean[x] += system.observation_bias
        linear[x] = system.observation @ linear[z]
        linear[x, x] += np.eye(d)
        noise[x, x] = system.observation_noise
    return mean, linear @ noise @ linear.T


def conditional(system, rows, inputs=None, given=None):
    """Law of all states given the seen cells among the first `given` rows, and the log density of these.

    Returns the mean (T, S), the covariance (T, S, T, S) and the log density.
    """
    n_rows = len(rows)
    n = system.n_states
    given = n_rows if given is None else given
    mean, covariance = joint(system, n_rows, inputs)
    values = np.where(np.arange(n_rows)[:, None] < given, rows, np.nan).ravel()
    seen = n_rows * n + np.flatnonzero(~np.isnan(values))
    x = values[~np.isnan(values)] - mean[seen]
    states = np.arange(n_rows * n)
    inner = covariance[np.ix_(seen, seen)]
    cross = covariance[np.ix_(states, seen)]
    found = mean[states] + cross @ np.linalg.solve(inner, x)
    left = covariance[np.ix_(states, states)] - cross @ np.linalg.solve(inner, cross.T)
    log_prob = -0.5 * (len(x) * math.log(2 * math.pi) + np.linalg.slogdet(inner)[1])
    log_prob -= 0.5 * x @ np.linalg.solve(inner, x) if len(x) else 0.0
    return found.reshape(n_rows, n), left.reshape(n_rows, n, n_rows, n), float(log_prob)


def level_smoother(rows, state_variance, row_variance, mean, variance):
    """Filter and smoother of one state seen by itself, number by number; None is a missing row."""
    predicted, filtered, log_prob = [], [], 0.0
    for x in rows:
        predicted.append((mean, variance))
        if x is not None:
            total = variance + row_variance
            log_prob -= 0.5 * (math.log(2 * math.pi * total) + (x - mean) ** 2 / total)
            mean, variance = mean + variance / total * (x - mean), variance * row_variance / total
        filtered.append((mean, variance))
        variance += state_variance
    smoothed = [filtered[-1]]
    for t in range(len(rows) - 2, -1, -1):
        (m, v), (after, spread) = filtered[t], predicted[t + 1]
        gain = v / spread
        later, uncertain = smoothed[0]
        smoothed.insert(0, (m + gain * (later - after), v + gain**2 * (uncertain - spread)))
    return filtered, smoothed, log_prob


def expected_moments(mean, covariance):
    """Sums of E[z_t z_t'], E[z_t z_{t-1}'] and E[z_{t-1} z_{t-1}'] from t = 2 on, by loops."""
    n_rows, n = mean.shape
    now, lagged, before = np.zeros((n, n)), np.zeros((n, n)), np.zeros((n, n))
    for t in range(1, n_rows):
        for i in range(n):
            for j in range(n):
                now[i, j] += mean[t, i] * mean[t, j] + covariance[t, i, t, j]
                lagged[i, j] += mean[t, i] * mean[t - 1, j] + covariance[t, i, t - 1, j]
                before[i, j] += mean[t - 1, i] * mean[t - 1, j] + covariance[t - 1, i, t - 1, j]
    return now, lagged, before
