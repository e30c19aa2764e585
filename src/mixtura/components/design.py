r"""Designs: normal equations of several regressions at once, coefficients they share, and columns that say nothing new.

Q columns of a design (the intercept first, where there is one), K regressions. A *place* is the position of a
coefficient in the vector of free ones: coefficients that regressions share have one place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mixtura.protocols import Array

__all__ = ["Solution", "dependencies", "places", "solve_normal"]

# Share of a column's squares that the columns before it must leave unexplained. Sums of squares carry sixteen digits and
# lose some in the elimination, so less than this is rounding.
_UNEXPLAINED = 1e-11


class Solution(NamedTuple):
    """Coefficients of K regressions.

    Parameters
    ----------
    coefficients : ndarray, shape (K, Q)
        The solution; meaningless in the rows of `undetermined` regressions.
    undetermined : dict of int to list of int
        Regressions whose rows do not determine all coefficients, and the columns that say nothing new there.
    """

    coefficients: Array
    undetermined: dict[int, list[int]]


def places(n_components: int, n_columns: int, shared: Sequence[int]) -> Array:
    """Place of every coefficient among the free ones, shape (K, Q).

    Parameters
    ----------
    n_components, n_columns : int
        K and Q.
    shared : sequence of int
        Columns whose coefficients are the same in all regressions; they come first.

    Examples
    --------
    >>> places(2, 3, [1])
    array([[1, 0, 2],
           [3, 0, 4]])
    """
    found = np.empty((n_components, n_columns), dtype=np.intp)
    common = np.asarray(sorted(shared), dtype=np.intp)
    own = np.setdiff1d(np.arange(n_columns), common)
    found[:, common] = np.arange(len(common))
    found[:, own] = len(common) + np.arange(n_components * len(own)).reshape(n_components, len(own))
    return found


def solve_normal(matrices: Array, vectors: Array, shared: Sequence[int] = ()) -> Solution:
    """Solve the normal equations of K regressions that may share coefficients.

    Parameters
    ----------
    matrices : ndarray, shape (K, Q, Q)
        Weighted sums of z z', positive semidefinite.
    vectors : ndarray, shape (K, Q)
        Right-hand sides.
    shared : sequence of int, default ()
        Columns with one coefficient for all regressions: their equations are added.

    Returns
    -------
    Solution
        Coefficients, and where there is none.

    Examples
    --------
    >>> two = np.array([np.diag([2.0, 4.0]), np.diag([1.0, 4.0])])
    >>> solve_normal(two, np.array([[2.0, 8.0], [3.0, 16.0]]), shared=[1]).coefficients
    array([[1., 3.],
           [3., 3.]])
    """
    n_components, n_columns = vectors.shape
    own = np.setdiff1d(np.arange(n_columns), np.asarray(shared, dtype=np.intp))
    undetermined: dict[int, list[int]] = {}
    for k in range(n_components):
        bad = dependencies(matrices[k][np.ix_(own, own)])
        if bad:
            undetermined[k] = [int(own[column]) for column in bad]
    if undetermined:
        return Solution(np.zeros_like(vectors), undetermined)
    if not len(shared):
        return Solution(_solved(matrices, vectors), {})
    place = places(n_components, n_columns, shared)
    size = int(place.max()) + 1
    matrix, vector = np.zeros((size, size)), np.zeros(size)
    np.add.at(matrix, (place[:, :, None], place[:, None, :]), matrices)
    np.add.at(vector, place, vectors)
    bad = dependencies(matrix)
    if bad:
        where = {
            k: [int(c) for c in np.flatnonzero(np.isin(place[k], list(bad)))] for k in range(n_components)
        }
        return Solution(np.zeros_like(vectors), {k: columns for k, columns in where.items() if columns})
    return Solution(_solved(matrix[None], vector[None])[0][place], {})


def _solved(matrices: Array, vectors: Array) -> Array:
    """Solutions of definite systems whose unknowns may have very different units."""
    scale = 1.0 / np.sqrt(np.diagonal(matrices, axis1=-2, axis2=-1))
    equilibrated = matrices * scale[..., :, None] * scale[..., None, :]
    return np.asarray(np.linalg.solve(equilibrated, (vectors * scale)[..., None])[..., 0] * scale)


def dependencies(matrix: Array) -> dict[int, list[int]]:
    """Columns that are linear combinations of those before them.

    Parameters
    ----------
    matrix : ndarray, shape (Q, Q)
        Weighted sums of z z' over the rows.

    Returns
    -------
    dict of int to list of int
        For every such column, the columns before it that it is made of (none for a column of zeros).

    Examples
    --------
    >>> z = np.array([[1.0, 1.0, 1.0, 1.0], [0.0, 1.0, 2.0, 5.0], [3.0, 5.0, 7.0, 13.0]])
    >>> dependencies(z @ z.T)  # the last is 3 + 2 times the second
    {2: [0, 1]}
    """
    n_columns = len(matrix)
    size = np.sqrt(np.maximum(np.diagonal(matrix), 0.0))
    scale = 1.0 / np.where(size > 0, size, 1.0)
    left = matrix * scale[:, None] * scale[None, :]
    found: dict[int, list[int]] = {}
    kept: list[int] = []
    correlation = left.copy()
    for column in range(n_columns):
        if left[column, column] <= _UNEXPLAINED or not np.isfinite(left[column, column]):
            found[column] = _made_of(correlation, kept, column) if size[column] > 0 else []
            left[column, :] = left[:, column] = 0.0
            continue
        kept.append(column)
        row = left[column].copy()
        left -= np.outer(row, row) / row[column]
    return found


def _made_of(correlation: Array, kept: list[int], column: int) -> list[int]:
    """Which of the kept columns a dependent one is made of."""
    share = np.linalg.solve(correlation[np.ix_(kept, kept)], correlation[kept, column])
    return [other for other, value in zip(kept, share, strict=True) if abs(value) > 1e-6]
