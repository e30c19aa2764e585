r"""Rows grouped by which cells are missing, and what a Gaussian says about each group.

Notation: m the missing columns of a pattern, o the observed ones, M and O their numbers; :math:`\Lambda_k` precisions,
:math:`\mu_k` means, :math:`h_k = \Lambda_k\mu_k`. The joint density is :math:`\exp(c + h'x - x'\Lambda x/2)`, and its integral over
:math:`x_m` is of the same form [1]_:

.. math:: \Lambda_p = \Lambda_{oo} - \Lambda_{om}R,\quad h_p = h_o - R'h_m,\quad
          c_p = c + \tfrac12 h_m'\Lambda_{mm}^{-1}h_m + \tfrac M2\log 2\pi - \tfrac12\log|\Lambda_{mm}|,

with :math:`R = \Lambda_{mm}^{-1}\Lambda_{mo}`. Given the observed cells the missing ones have mean :math:`a - R x_o`, where
:math:`a = \mu_m + R\mu_o`, and covariance :math:`\Lambda_{mm}^{-1}`. All of it is in terms of matrices as small as the number of missing
cells, and patterns with equally many are computed together.

The conditional mean is linear in :math:`x_o`, so the expected sums over a pattern's rows follow from the sums over their
observed cells: no cell is ever filled in.

References
----------
.. [1] C. M. Bishop (2006), Pattern Recognition and Machine Learning, equations 2.69 to 2.75.
.. [2] R. J. A. Little, D. B. Rubin (2002), Statistical Analysis with Missing Data, section 11.2.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from mixtura.protocols import Array

__all__ = [
    "Conditional",
    "Group",
    "Patterns",
    "complete_sums",
    "conditional",
    "group_rows",
    "marginal_natural",
    "triangle",
]

_LOG_TWO_PI = float(np.log(2.0 * np.pi))


class Group(NamedTuple):
    """Patterns with equally many missing cells.

    Parameters
    ----------
    patterns : slice
        Which of the block's patterns, G of them.
    missing, observed : ndarray of int, shape (G, M) and (G, O)
        Columns of each.
    """

    patterns: slice
    missing: Array
    observed: Array


class Patterns(NamedTuple):
    """The rows of a block that lack cells, pattern by pattern.

    Parameters
    ----------
    complete : ndarray of int
        Numbers of the rows that lack nothing.
    rows : ndarray of int, shape (R,)
        Numbers of the others, by pattern.
    offsets : ndarray of int, shape (G + 1,)
        Where each pattern begins in `rows`, and R at the end.
    gaps : ndarray of bool, shape (G, D)
        Which cells are missing; patterns with fewer come first.
    groups : tuple of Group
        Patterns by the number of missing cells.
    """

    complete: Array
    rows: Array
    offsets: Array
    gaps: Array
    groups: tuple[Group, ...]

    def spans(self, which: slice = slice(None)) -> Iterator[slice]:
        """The rows of each pattern, as places in `rows`."""
        offsets = self.offsets.tolist()
        return map(slice, offsets[:-1][which], offsets[1:][which])


def group_rows(gaps: Array) -> Patterns:
    """Group rows by which cells they lack.

    Parameters
    ----------
    gaps : ndarray of bool, shape (D, B)
        Missing cells; at least one.

    Returns
    -------
    Patterns
        The groups. Blocks come again in every pass, so those of the last few are remembered.

    Examples
    --------
    >>> patterns = group_rows(np.array([[True, False, True, True], [False, False, True, False]]))
    >>> patterns.rows, patterns.offsets
    (array([0, 3, 2]), array([0, 2, 3]))
    """
    return _grouped(np.packbits(gaps, axis=0).tobytes(), *gaps.shape)


@lru_cache(maxsize=64)
def _grouped(packed: bytes, n_features: int, n_rows: int) -> Patterns:
    """The same from bits: the rows of (bytes, B), eight columns in a byte."""
    bits = np.frombuffer(packed, dtype=np.uint8).reshape(-1, n_rows)
    shown = bits.any(axis=0)
    rows = np.flatnonzero(shown)
    words = np.zeros((len(rows), -(-len(bits) // 8) * 8), dtype=np.uint8)
    words[:, : len(bits)] = bits[:, rows].T
    gaps = np.unpackbits(words[:, : len(bits)], axis=1)[:, :n_features]
    counts = gaps.sum(axis=1)
    # Eight bytes of a row side by side are one number, by which rows are sorted.
    keys = words.view(np.uint64)
    order = np.lexsort((*keys.T, counts))
    keys = keys[order]
    starts = np.flatnonzero(np.concatenate([[True], (keys[1:] != keys[:-1]).any(axis=1)]))
    patterns = gaps[order[starts]].astype(bool)
    return Patterns(
        np.flatnonzero(~shown), rows[order], np.append(starts, len(rows)), patterns, tuple(_groups(patterns))
    )


def _groups(gaps: Array) -> Iterator[Group]:
    """Patterns (G, D) by the number of missing cells."""
    counts = gaps.sum(axis=1)
    bounds = [0, *(np.flatnonzero(np.diff(counts)) + 1).tolist(), len(counts)]
    for first, last in pairwise(bounds):
        part, size = gaps[first:last], int(counts[first])
        missing = np.nonzero(part)[1].reshape(last - first, size)
        observed = np.nonzero(~part)[1].reshape(last - first, gaps.shape[1] - size)
        yield Group(slice(first, last), missing, observed)


class Conditional(NamedTuple):
    """The missing cells of a group's patterns given the observed ones.

    Parameters
    ----------
    slope : ndarray, shape (G, K, M, O)
        R; K is 1 where components share their covariance.
    covariance : ndarray, shape (G, K, M, M)
        Inverses of the precisions' blocks.
    half_log_det : ndarray, shape (G, K)
        Half the log determinants of these blocks.
    """

    slope: Array
    covariance: Array
    half_log_det: Array


def conditional(precision: Array, group: Group) -> Conditional:
    """Laws of missing cells given observed ones.

    Parameters
    ----------
    precision : ndarray, shape (K, D, D)
        Precision matrices.
    group : Group
        Patterns.

    Returns
    -------
    Conditional
        One law for each pattern and component.

    Examples
    --------
    >>> pattern = group_rows(np.array([[False], [True]])).groups[0]
    >>> law = conditional(np.linalg.inv(np.array([[[1.0, 0.8], [0.8, 1.0]]])), pattern)
    >>> -law.slope.round(2).ravel(), law.covariance.round(2).ravel()
    (array([0.8]), array([0.36]))
    """
    missing = group.missing
    within = _blocks(precision, missing, missing)
    lower = np.linalg.cholesky(within)
    covariance = np.linalg.inv(within)
    return Conditional(
        covariance @ _blocks(precision, missing, group.observed),
        covariance,
        np.log(np.diagonal(lower, axis1=-2, axis2=-1)).sum(axis=-1),
    )


def intercepts(mean: Array, group: Group, law: Conditional) -> Array:
    """a: conditional means where the observed cells are zero, shape (G, K, M)."""
    shown = mean[:, group.observed].swapaxes(0, 1)[..., None]
    return mean[:, group.missing].swapaxes(0, 1) + (law.slope @ shown)[..., 0]


def marginal_natural(natural: Array, precision: Array, mean: Array, group: Group, law: Conditional) -> Array:
    """Natural parameters of the marginal densities, with zeros where cells are missing.

    Parameters
    ----------
    natural : ndarray, shape (K, 1 + D + P2) or (K, 1 + D)
        Natural parameters of the joint densities: constants, then linear ones.
    precision : ndarray, shape (K, D, D) or (1, D, D)
        Precision matrices.
    mean : ndarray, shape (K, D)
        Means.
    group : Group
        Patterns.
    law : Conditional
        Of these patterns.

    Returns
    -------
    ndarray, shape (G, K, 1 + D (D + 3) / 2)
        In the order of T(x) = [1, x, packed x x'].
    """
    n_components, n_features = mean.shape
    n_patterns, n_missing = group.missing.shape
    place = triangle(n_features)
    linear = natural[:, 1 : 1 + n_features]
    shift = intercepts(mean, group, law)
    found = np.zeros((n_patterns, n_components, 1 + n_features + n_features * (n_features + 1) // 2))
    if n_missing < n_features:  # nothing observed says nothing: zero, without rounding
        held = linear[:, group.missing].swapaxes(0, 1)
        found[:, :, 0] = natural[:, 0] + 0.5 * (np.sum(held * shift, axis=-1) + n_missing * _LOG_TWO_PI)
        found[:, :, 0] -= law.half_log_det
        shown = linear[:, group.observed].swapaxes(0, 1)
        _put(found, 1 + group.observed, shown - (held[..., None, :] @ law.slope)[..., 0, :])
        observed, missing = group.observed, group.missing
        quadratic = _blocks(precision, observed, missing) @ law.slope - _blocks(precision, observed, observed)
        quadratic *= 1.0 - 0.5 * np.eye(observed.shape[1])
        _put(
            found,
            1 + n_features + _pairs(place, observed, observed),
            quadratic.reshape(*quadratic.shape[:2], -1),
        )
    return found


def complete_sums(sums: Array, count: Array, mean: Array, group: Group, law: Conditional) -> None:
    """Replace sums over observed cells by expected sums over all cells, in place.

    Parameters
    ----------
    sums : ndarray, shape (G, K, 1 + D (D + 3) / 2)
        Weighted sums of T(x) in which missing cells are zero.
    count : ndarray, shape (G, K)
        Weights with which conditional covariances count: those of the rows.
    mean : ndarray, shape (K, D)
        Means of the components.
    group : Group
        Patterns.
    law : Conditional
        Of these patterns.
    """
    n_features = mean.shape[1]
    place, shift = triangle(n_features), intercepts(mean, group, law)
    missing, observed = group.missing, group.observed
    second = sums[:, :, 1 + n_features :]
    first = _get(sums, 1 + observed)
    products = _get(second, _pairs(place, observed, observed)).reshape(*first.shape, observed.shape[1])
    means = sums[:, :, :1] * shift - (law.slope @ first[..., None])[..., 0]
    mixed = shift[..., None] * first[..., None, :] - law.slope @ products
    within = means[..., None] * shift[..., None, :] - mixed @ law.slope.swapaxes(-1, -2)
    within += count[..., None, None] * law.covariance
    _put(sums, 1 + missing, means)
    _put(second, _pairs(place, missing, observed), mixed.reshape(*mixed.shape[:2], -1))
    _put(second, _pairs(place, missing, missing), within.reshape(*within.shape[:2], -1))


@lru_cache(maxsize=64)
def triangle(n_features: int) -> Array:
    """Place of each pair of columns in a packed triangle, shape (D, D).

    Examples
    --------
    >>> triangle(2)
    array([[0, 1],
           [1, 2]])
    """
    place = np.empty((n_features, n_features), dtype=np.intp)
    rows, columns = np.triu_indices(n_features)
    place[rows, columns] = place[columns, rows] = np.arange(len(rows))
    return place


def _blocks(matrices: Array, rows: Array, columns: Array) -> Array:
    """Blocks of K matrices by G sets of rows and columns, shape (G, K, r, c)."""
    return np.asarray(matrices[:, rows[:, :, None], columns[:, None, :]].swapaxes(0, 1))


def _pairs(place: Array, one: Array, other: Array) -> Array:
    """Places of all pairs of two sets of columns, shape (G, r c)."""
    return np.asarray(place[one[:, :, None], other[:, None, :]].reshape(len(one), -1))


def _get(table: Array, places: Array) -> Array:
    """Entries (G, K, P) of a table (G, K, ...) at places (G, P)."""
    return np.take_along_axis(table, places[:, None, :], axis=2)


def _put(table: Array, places: Array, values: Array) -> None:
    """Write values (G, K or 1, P) at places (G, P) of a table (G, K, ...)."""
    values = np.broadcast_to(values, (len(table), table.shape[1], places.shape[1]))
    np.put_along_axis(table, places[:, None, :], values, axis=2)
