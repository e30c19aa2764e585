"""Oracles of moves, by loops over rows and components: responsibilities after a move, and the bound that belongs to them."""

from math import log

import numpy as np


def merged(resp, into, other):
    """Responsibilities [n][k] after the rows of one component are another's."""
    new = [list(row) for row in resp]
    for row in new:
        row[into] += row[other]
        row[other] = 0.0
    return new


def without(resp, component):
    """Responsibilities after a component is deleted, the others' scores unchanged: its share goes to them in proportion."""
    new = []
    for row in resp:
        rest = sum(value for k, value in enumerate(row) if k != component)
        new.append([0.0 if k == component else value / rest for k, value in enumerate(row)])
    return new


def entropy(resp, weight):
    """- sum_n w_n sum_k r_nk log r_nk."""
    total = 0.0
    for row, w in zip(resp, weight, strict=True):
        for value in row:
            if value > 0.0:
                total -= w * value * log(value)
    return total


def best_bound(model, x, weight, resp):
    """The bound at given responsibilities and the parameters that are best for them.

    Scores and divergences are the library's own (they are checked elsewhere); how they are put together is not.
    """
    block = model.components.encode(x.T, model.encoding)
    weighted = np.array([[r * w for r in row] for row, w in zip(resp, weight, strict=True)]).T
    components = model.components.maximize(model.components.expected_statistics(block, weighted))
    count = weighted.sum(axis=1)
    structure = model.structure.maximize(
        type(model.components.expected_statistics(block, weighted))({"count": count})
    )
    scores = components.log_prob(block)
    total = entropy(resp, weight)
    for n in range(len(x)):
        for k in range(len(count)):
            if weighted[k, n] > 0.0:
                total += weighted[k, n] * (scores[k, n] + structure.log_weights[k])
    return total - components.penalty() - structure.penalty()
