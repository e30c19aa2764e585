"""Partitions by model-based agglomeration: every row is a part at first, and the two parts that lose least are joined.

The loss is that of the classification likelihood of Gaussian parts, each with a covariance of its own, so that a dense
part inside a wide one or beside it is found, where k-means shares the wide one out. Chance has no say.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from mixtura.kernels.registry import compiled
from mixtura.protocols import Array

__all__ = ["MOST_ROWS", "agglomerated", "balanced", "labels_of_parts"]

#: Rows that are joined; memory grows with the square of their number. More rows go to the most probable part.
MOST_ROWS = 2000

# Below so many numbers (rows squared times directions) compiling takes longer than NumPy.
_WORTH = 2_000_000

# Directions that are kept: memory grows with rows times the square of their number.
_MOST_DIRECTIONS = 40

_TINY = 1e-300


def agglomerated(z: Any, weight: Array, n_components: int, rng: np.random.Generator) -> Array:
    """Labels (n,) of a partition by model-based agglomeration.

    Parameters
    ----------
    z : ndarray or csr_matrix, shape (n, F)
        Rows, standardised where columns have units.
    weight : ndarray, shape (n,)
        Weights; rows of weight zero are not joined, only labelled.
    n_components : int
        K.
    rng : numpy.random.Generator
        Draws `MOST_ROWS` rows where there are more; up to so many nothing is left to chance.

    Returns
    -------
    ndarray of int, shape (n,)
        Parts in the order of their first rows; fewer than K where fewer rows differ.

    References
    ----------
    Banfield and Raftery, Model-based Gaussian and non-Gaussian clustering, Biometrics 49 (1993), 803-821.
    Fraley, Algorithms for model-based Gaussian hierarchical clustering, SIAM Journal on Scientific Computing 20 (1998),
    270-281.

    Examples
    --------
    >>> z = np.array([[0.0, 0.0], [5.0, 5.0], [0.1, 0.2], [5.0, 5.1]])
    >>> agglomerated(z, np.ones(4), 2, np.random.default_rng(0))
    array([0, 1, 0, 1])
    """
    rows = np.flatnonzero(weight > 0)
    if rows.size > MOST_ROWS:
        rows = np.sort(rng.choice(rows, MOST_ROWS, replace=False))
    directions, mean = balanced(z[rows], weight[rows])
    points = np.asarray(z @ directions - mean @ directions)
    distinct, counts, place = _distinct(points[rows], weight[rows])
    labels = labels_of_parts(distinct / counts.sum() ** 0.25, counts, n_components)
    if rows.size == len(weight):
        return labels[place]
    every = _most_probable(points, distinct, counts, labels)
    every[rows] = labels[place]
    return every


def balanced(z: Any, weight: Array) -> tuple[Array, Array]:
    """Principal directions in which a standard deviation s becomes its root: half-way between raw and whitened.

    Whitened, directions that hold nothing but noise would count as much as the others; as they are, they would hardly
    count.

    Parameters
    ----------
    z : ndarray or csr_matrix, shape (n, F)
        Rows.
    weight : ndarray, shape (n,)
        Positive weights.

    Returns
    -------
    directions : ndarray, shape (F, R)
        At least one and at most 40; points are (z - mean) @ directions.
    mean : ndarray, shape (F,)
        Of the rows.

    Examples
    --------
    >>> z = np.array([[0.0, 0.0], [8.0, 0.0], [0.0, 2.0], [8.0, 2.0]])  # standard deviations 4 and 1
    >>> directions, mean = balanced(z, np.ones(4))
    >>> np.abs((z - mean) @ directions).max(axis=0)
    array([2., 1.])
    """
    share = weight / weight.sum()
    mean = np.asarray(share @ z).ravel()
    root = np.sqrt(share)[:, None]
    if z.shape[1] <= z.shape[0]:
        scaled = root * ((z.toarray() if sp.issparse(z) else z) - mean)
        squares, vectors = np.linalg.eigh(scaled.T @ scaled)
        kept = _largest(squares)
        vectors = vectors[:, kept]
    else:  # the products of rows have the same singular values, and sparse rows stay sparse
        products = z @ z.T
        cross = np.asarray(z @ mean)
        products = (products.toarray() if sp.issparse(z) else products) - cross - cross[:, None] + mean @ mean
        squares, left = np.linalg.eigh(root * products * root.T)
        kept = _largest(squares)
        left = root * left[:, kept]
        vectors = np.asarray(z.T @ left) - np.outer(mean, left.sum(axis=0))
        vectors /= np.sqrt(np.maximum(squares[kept], _TINY))
    return vectors / np.maximum(squares[kept], _TINY) ** 0.25, mean


def _largest(squares: Array) -> Array:
    """Indices of the directions kept, widest first; one at least."""
    order = np.argsort(-squares, kind="stable")[:_MOST_DIRECTIONS]
    kept = order[squares[order] > 1e-12 * squares[order[0]]]
    return np.asarray(kept if kept.size else order[:1])


def _distinct(points: Array, weight: Array) -> tuple[Array, Array, Array]:
    """Different points (m, R) in the order of their first rows, their counts (m,), and the place (n,) of every row.

    Counts are relative to their median: the same for weights as for repeated rows, whatever the unit of the weights.
    """
    _, first, inverse = np.unique(points, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.argsort(order)[inverse.ravel()]
    counts = np.bincount(place, weight)
    return np.ascontiguousarray(points[first[order]]), counts / np.median(counts), place


def labels_of_parts(points: Array, counts: Array, n_components: int) -> Array:
    """Join points until K parts are left.

    A part of weight n and scatter W about its mean, in R dimensions, has the term

        n log(|W / n| + (tr W + a) / n),    a = tr(W of all points) / (n of all points R)

    (Fraley 1998): the determinant is that of the classification likelihood, the trace stands in for it where a part has no
    volume, and the constant where it is one point. The two parts whose union raises the sum of terms least are joined;
    of equals those with the first points. The determinant is zero as long as a part has no more than R points.

    Parameters
    ----------
    points : ndarray, shape (n, R)
        Different points, R >= 1.
    counts : ndarray, shape (n,)
        How many rows lie at each.
    n_components : int
        K.

    Returns
    -------
    ndarray of int, shape (n,)
        Parts in the order of their first points; fewer than K where there are fewer points.

    Examples
    --------
    >>> labels_of_parts(np.array([[0.0], [9.0], [0.5], [8.0]]), np.ones(4), 2)
    array([0, 1, 0, 1])
    """
    centred = points - counts @ points / counts.sum()
    constant = max(_variance(centred, counts), _TINY)
    worth = points.size * len(points) >= _WORTH
    kernel = compiled("mixtura.kernels.agglomeration", "join") if worth else None
    leader = (kernel or join_by_rows)(centred, counts, constant, n_components)
    return np.asarray(np.unique(leader, return_inverse=True)[1].ravel())


def _variance(centred: Array, counts: Array) -> float:
    """The mean over directions of the variance."""
    return float(counts @ (centred**2).mean(axis=1) / counts.sum())


def join_by_rows(points: Array, counts: Array, constant: float, n_components: int) -> Array:
    """Join parts, the costs of one part with all others at a time.

    Parameters
    ----------
    points : ndarray, shape (n, R)
        Different points.
    counts : ndarray, shape (n,)
        Their weights.
    constant : float
        a.
    n_components : int
        K.

    Returns
    -------
    ndarray of int, shape (n,)
        The first point of each point's part.
    """
    parts = _Parts(points, counts, constant)
    n_points = len(points)
    # Row i: what joining part i with a later one costs; `nearest` the cheapest of them, `least` its cost.
    costs = np.full((n_points, n_points), np.inf)
    for i in range(n_points - 1):
        costs[i, i + 1 :] = parts.costs(i, np.arange(i + 1, n_points))
    nearest, least = costs.argmin(axis=1), costs.min(axis=1)
    leader = np.arange(n_points)
    for _ in range(n_points - n_components):
        i = int(least.argmin())
        j = int(nearest[i])
        parts.join(i, j)
        leader[leader == j] = i
        costs[j] = costs[:, j] = least[j] = np.inf
        others = np.flatnonzero(parts.alive)
        others = others[others != i]
        new = parts.costs(i, others)
        before = others < i
        costs[others[before], i] = new[before]
        costs[i, others[~before]] = new[~before]
        lost = np.flatnonzero(parts.alive & ((nearest == i) | (nearest == j)))
        lost = np.union1d(lost, [i])
        nearest[lost], least[lost] = costs[lost].argmin(axis=1), costs[lost].min(axis=1)
        at = others[before]
        better = at[(costs[at, i] < least[at]) | ((costs[at, i] == least[at]) & (i < nearest[at]))]
        nearest[better], least[better] = i, costs[better, i]
    return leader


class _Parts:
    """Sums of every part, and the term of the union of one with others."""

    def __init__(self, points: Array, counts: Array, constant: float) -> None:
        n_points, n_directions = points.shape
        self.alive = np.ones(n_points, dtype=bool)
        self.counts, self.means = counts.copy(), points.copy()
        self.sizes = np.ones(n_points, dtype=int)
        self.scatter = np.zeros((n_points, n_directions, n_directions))
        self.constant = constant
        self.terms = counts * np.log(constant / counts)

    def costs(self, i: int, others: Array) -> Array:
        """How much the sum of terms rises when part i joins each of others."""
        return np.asarray(self._union(i, others)[0] - self.terms[i] - self.terms[others])

    def _union(self, i: int, others: Array) -> tuple[Array, Array]:
        counts = self.counts[i] + self.counts[others]
        offset = self.means[others] - self.means[i]
        share = self.counts[i] * self.counts[others] / counts
        scatter = self.scatter[i] + self.scatter[others]
        scatter += (share[:, None] * offset)[:, :, None] * offset[:, None, :]
        inside = (np.trace(scatter, axis1=1, axis2=2) + self.constant) / counts
        large = self.sizes[i] + self.sizes[others] > self.means.shape[1]
        sign, log_volume = np.linalg.slogdet(scatter[large] / counts[large, None, None])
        logs = np.log(inside)
        logs[large] = np.logaddexp(logs[large], np.where(sign > 0, log_volume, -np.inf))
        return counts * logs, scatter

    def join(self, i: int, j: int) -> None:
        """Part i takes part j."""
        term, scatter = self._union(i, np.array([j]))
        self.terms[i], self.scatter[i] = term[0], scatter[0]
        total = self.counts[i] + self.counts[j]
        self.means[i] += self.counts[j] / total * (self.means[j] - self.means[i])
        self.counts[i], self.sizes[i] = total, self.sizes[i] + self.sizes[j]
        self.alive[j] = False


def _most_probable(every: Array, points: Array, counts: Array, labels: Array) -> Array:
    """The part (N,) with the largest n p(x | part), Gaussian, with one point's worth of the variance of all added."""
    n_parts, n_directions = int(labels.max()) + 1, points.shape[1]
    constant = max(_variance(points - counts @ points / counts.sum(), counts), _TINY)
    scores = np.empty((len(every), n_parts))
    for k in range(n_parts):
        held, inside = counts[labels == k], points[labels == k]
        mean = held @ inside / held.sum()
        scatter = (inside - mean).T @ (held[:, None] * (inside - mean)) + constant * np.eye(n_directions)
        lower = np.linalg.cholesky(scatter / held.sum())
        white = np.linalg.solve(lower, (every - mean).T)
        scores[:, k] = np.log(held.sum()) - np.log(np.diagonal(lower)).sum() - 0.5 * (white**2).sum(axis=0)
    return np.asarray(scores.argmax(axis=1))
