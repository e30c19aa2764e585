"""Combinations of components by loops over lists, sharing nothing with the library but `naive`."""

from math import exp, lgamma, log

from naive import e_step, gaussian_log_density, gaussian_m_step, log_sum_exp


def poisson(x, rate):
    return x * log(rate) - rate - lgamma(x + 1.0)


# --- columns of different kinds -----------------------------------------------------------------------------------


def product_em(rows, weights, means, covariances, rates, shares, steps):
    """EM for rows (amount, amount, visits, region); the log-likelihood before each step and at the end."""
    history, n_rows = [], len(rows)
    for step in range(steps + 1):
        scores = [
            [
                gaussian_log_density(x[:2], means[k], covariances[k])
                + poisson(x[2], rates[k])
                + log(shares[k][int(x[3])])
                for k in range(len(weights))
            ]
            for x in rows
        ]
        resp, total = e_step(scores, weights)
        history.append(total)
        if step < steps:
            weights, means, covariances = gaussian_m_step([list(x[:2]) for x in rows], resp, "full")
            for k in range(len(weights)):
                count = sum(resp[n][k] for n in range(n_rows))
                rates[k] = sum(resp[n][k] * rows[n][2] for n in range(n_rows)) / count
                shares[k] = [
                    sum(resp[n][k] for n in range(n_rows) if rows[n][3] == level) / count
                    for level in range(len(shares[k]))
                ]
    return history, rates, shares


# --- Gaussians and noise ------------------------------------------------------------------------------------------


def box_volume(rows):
    volume = 1.0
    for d in range(len(rows[0])):
        volume *= max(x[d] for x in rows) - min(x[d] for x in rows)
    return volume


def noise_em(rows, weights, means, covariances, volume, steps):
    """EM for Gaussians and, last, a constant density."""
    history = []
    for step in range(steps + 1):
        scores = [
            [*(gaussian_log_density(x, m, s) for m, s in zip(means, covariances, strict=True)), -log(volume)]
            for x in rows
        ]
        resp, total = e_step(scores, weights)
        history.append(total)
        if step < steps:
            _, means, covariances = gaussian_m_step(rows, [row[:-1] for row in resp], "full")
            weights = [sum(row[k] for row in resp) / len(rows) for k in range(len(weights))]
    return history, weights


# --- a mixture of mixtures ----------------------------------------------------------------------------------------


def nested_em(rows, weights, inner_weights, means, covariances, steps):
    """EM with two hidden labels, a Gaussian for each pair of them: means[k][m], covariances[k][m]."""
    history, n_outer, n_inner = [], len(weights), len(inner_weights[0])
    for step in range(steps + 1):
        joint = [
            [
                [
                    log(inner_weights[k][m]) + gaussian_log_density(x, means[k][m], covariances[k][m])
                    for m in range(n_inner)
                ]
                for k in range(n_outer)
            ]
            for x in rows
        ]
        resp, total = e_step([[log_sum_exp(pairs) for pairs in row] for row in joint], weights)
        history.append(total)
        if step < steps:
            both = [
                [
                    resp[n][k] * exp(joint[n][k][m] - log_sum_exp(joint[n][k]))
                    for k in range(n_outer)
                    for m in range(n_inner)
                ]
                for n in range(len(rows))
            ]
            shares, flat_means, flat_covariances = gaussian_m_step(rows, both, "full")
            for k in range(n_outer):
                own = slice(k * n_inner, (k + 1) * n_inner)
                weights[k] = sum(shares[own])
                inner_weights[k] = [share / weights[k] for share in shares[own]]
                means[k], covariances[k] = flat_means[own], flat_covariances[own]
    return history
