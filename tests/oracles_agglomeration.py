"""Greedy joining by loops: every union of two parts is evaluated afresh from its rows."""

from math import exp, inf, log

from naive import cholesky


def variance(rows, counts):
    """Mean over directions of the weighted variance."""
    total, n_directions = sum(counts), len(rows[0])
    means = [
        sum(c * row[a] for row, c in zip(rows, counts, strict=True)) / total for a in range(n_directions)
    ]
    squares = sum(
        c * (row[a] - means[a]) ** 2 for row, c in zip(rows, counts, strict=True) for a in range(n_directions)
    )
    return squares / (total * n_directions)


def term(rows, counts, constant):
    """n log(|W / n| + (tr W + a) / n) of one part; the determinant counts from R + 1 points on."""
    total, n_directions = sum(counts), len(rows[0])
    means = [
        sum(c * row[a] for row, c in zip(rows, counts, strict=True)) / total for a in range(n_directions)
    ]
    scatter = [
        [
            sum(c * (row[a] - means[a]) * (row[b] - means[b]) for row, c in zip(rows, counts, strict=True))
            / total
            for b in range(n_directions)
        ]
        for a in range(n_directions)
    ]
    volume = 0.0
    if len(rows) > n_directions:
        lower = cholesky(scatter)
        volume = exp(sum(2.0 * log(lower[a][a]) for a in range(n_directions)))
    return total * log(volume + sum(scatter[a][a] for a in range(n_directions)) + constant / total)


def join(rows, counts, n_components):
    """Parts as sorted lists of indices, in the order of their first rows."""
    constant = variance(rows, counts)
    parts = [[i] for i in range(len(rows))]

    def value(part):
        return term([rows[i] for i in part], [counts[i] for i in part], constant)

    while len(parts) > n_components:
        least, pair = inf, None
        for first in range(len(parts)):
            for second in range(first + 1, len(parts)):
                rise = value(parts[first] + parts[second]) - value(parts[first]) - value(parts[second])
                if rise < least:
                    least, pair = rise, (first, second)
        first, second = pair
        joined = sorted(parts[first] + parts[second])
        parts = [part for place, part in enumerate(parts) if place not in pair]
        parts = sorted([*parts, joined])
    return parts
