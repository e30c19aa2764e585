"""Model-based agglomeration, one pair of parts at a time."""

from __future__ import annotations

import numba
import numpy as np

__all__ = ["join"]


@numba.njit(nogil=True, cache=True)
def _union(i, j, means, counts, sizes, scatter, constant, work):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """The term of the union of two parts; its scatter is in the lower half of `work` until it is factorised there."""
    n_directions = means.shape[1]
    count = counts[i] + counts[j]
    share = counts[i] * counts[j] / count
    trace = 0.0
    for a in range(n_directions):
        offset = share * (means[j, a] - means[i, a])
        for b in range(a + 1):
            work[a, b] = scatter[i, a, b] + scatter[j, a, b] + offset * (means[j, b] - means[i, b])
        trace += work[a, a]
    inside = np.log((trace + constant) / count)
    if sizes[i] + sizes[j] <= n_directions:
        return count * inside
    log_volume = 0.0
    for a in range(n_directions):
        for b in range(a):
            for c in range(b):
                work[a, b] -= work[a, c] * work[b, c]
            work[a, b] /= work[b, b]
            work[a, a] -= work[a, b] * work[a, b]
        if work[a, a] <= 0.0:
            return count * inside
        log_volume += np.log(work[a, a] / count)
        work[a, a] = np.sqrt(work[a, a])
    return count * np.logaddexp(inside, log_volume)


@numba.njit(nogil=True, cache=True)
def _cheapest(i, costs, alive):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """The first later part that joining part i with costs least, and the cost."""
    nearest, least = i, np.inf
    for j in range(i + 1, len(alive)):
        if alive[j] and costs[i, j] < least:
            nearest, least = j, costs[i, j]
    return nearest, least


@numba.njit(nogil=True, cache=True)
def join(points, given_counts, constant, n_components):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201, C901 - compiled
    """The first point of each point's part, as `mixtura.inference.agglomeration.join_by_rows` finds it."""
    n_points, n_directions = points.shape
    means, counts = points.copy(), given_counts.copy()
    sizes = np.ones(n_points, dtype=np.int64)
    scatter = np.zeros((n_points, n_directions, n_directions))
    work = np.empty((n_directions, n_directions))
    terms = counts * np.log(constant / counts)
    alive = np.ones(n_points, dtype=np.bool_)
    leader = np.arange(n_points)
    costs = np.full((n_points, n_points), np.inf)
    nearest, least = np.zeros(n_points, dtype=np.int64), np.full(n_points, np.inf)
    for i in range(n_points):
        for j in range(i + 1, n_points):
            costs[i, j] = _union(i, j, means, counts, sizes, scatter, constant, work) - terms[i] - terms[j]
        nearest[i], least[i] = _cheapest(i, costs, alive)
    for _ in range(n_points - n_components):
        i = int(np.argmin(least))
        j = nearest[i]
        terms[i] = _union(i, j, means, counts, sizes, scatter, constant, work)
        total = counts[i] + counts[j]
        share = counts[i] * counts[j] / total
        for a in range(n_directions):
            offset = share * (means[j, a] - means[i, a])
            for b in range(a + 1):
                scatter[i, a, b] += scatter[j, a, b] + offset * (means[j, b] - means[i, b])
        for a in range(n_directions):
            means[i, a] += counts[j] / total * (means[j, a] - means[i, a])
        counts[i] = total
        sizes[i] += sizes[j]
        alive[j] = False
        least[j] = np.inf
        for k in range(n_points):
            if leader[k] == j:
                leader[k] = i
            if not alive[k] or k == i:
                continue
            first, second = min(i, k), max(i, k)
            costs[first, second] = (
                _union(i, k, means, counts, sizes, scatter, constant, work) - terms[i] - terms[k]
            )
        for k in range(n_points):
            if not alive[k]:
                continue
            if k == i or nearest[k] == i or nearest[k] == j:
                nearest[k], least[k] = _cheapest(k, costs, alive)
            elif k < i and (costs[k, i] < least[k] or (costs[k, i] == least[k] and i < nearest[k])):
                nearest[k], least[k] = i, costs[k, i]
    return leader
