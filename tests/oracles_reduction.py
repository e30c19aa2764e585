"""Loop-only arithmetic of grouped multinomial mixtures with Dirichlet posteriors: the bound, and what a merge changes in it."""

import math

from scipy.special import digamma


def log_z(law):
    return sum(math.lgamma(a) for a in law) - math.lgamma(sum(law))


def divergence(law, prior):
    total = digamma(sum(law))
    inner = sum((a - b) * (digamma(a) - total) for a, b in zip(law, prior, strict=True))
    return inner - log_z(law) + log_z(prior)


def collapsed_bound(rows, groups, resp, prior, population):
    """The bound at given responsibilities, with the best laws of profiles and weights for them.

    sum log coefficient + sum_k log Z(prior + S_k) / Z(prior) + sum_h log Z(s alpha + n_h) / Z(s alpha) - sum r log r.
    """
    n_components, n_categories = len(population), len(prior)
    bound = 0.0
    for row in rows:
        bound += math.lgamma(sum(row) + 1) - sum(math.lgamma(x + 1) for x in row)
    for k in range(n_components):
        sums = [sum(resp[i][k] * row[c] for i, row in enumerate(rows)) for c in range(n_categories)]
        bound += log_z([a + b for a, b in zip(prior, sums, strict=True)]) - log_z(prior)
    for group in sorted(set(groups)):
        counts = [
            sum(resp[i][k] for i, label in enumerate(groups) if label == group) for k in range(n_components)
        ]
        bound += log_z([a + b for a, b in zip(population, counts, strict=True)]) - log_z(population)
    return bound - sum(r * math.log(r) for row in resp for r in row if r > 0)


def merged(resp, population, a, b):
    """Responsibilities and population with b's part added to a's, b left out."""
    new = [[r + (row[b] if k == a else 0.0) for k, r in enumerate(row) if k != b] for row in resp]
    return new, [p + (population[b] if k == a else 0.0) for k, p in enumerate(population) if k != b]
