"""Cuts of a tree of merges: which leaves are together after some of them, numbered by size."""

from __future__ import annotations

import numpy as np

from mixtura.protocols import Array

__all__ = ["clusters_after", "largest_first"]


def clusters_after(children: Array, n_leaves: int, n_merges: int) -> Array:
    """Where every leaf and every cluster made by the first m merges ends, shape (n + m,): its own number, or one of a later merge.

    Parameters
    ----------
    children : ndarray of int, shape (M, 2)
        The two clusters of every merge; merge m makes cluster n + m.
    n_leaves : int
        n.
    n_merges : int
        m, how many are made.

    Examples
    --------
    >>> clusters_after(np.array([[0, 2], [1, 3]]), 3, 1)
    array([3, 1, 3, 3])
    """
    top = np.arange(n_leaves + n_merges)
    for merge in reversed(range(n_merges)):
        top[children[merge]] = top[n_leaves + merge]
    return top


def largest_first(clusters: Array, weights: Array) -> tuple[Array, Array]:
    """Labels of the leaves, 0 for the heaviest cluster (of equal ones that of the first leaf), and the clusters' weights, falling.

    Parameters
    ----------
    clusters : ndarray of int, shape (n,)
        Cluster of every leaf.
    weights : ndarray, shape (n,)
        Of the leaves.

    Examples
    --------
    >>> largest_first(np.array([3, 1, 3]), np.array([1.0, 5.0, 2.0]))
    (array([1, 0, 1]), array([5., 3.]))
    """
    _, first, code = np.unique(clusters, return_index=True, return_inverse=True)
    sums = np.bincount(code, weights)
    order = np.lexsort((first, -sums))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank[code], sums[order]
