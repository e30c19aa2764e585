"""One summary pass over the columns of a table: the origin and scale of its encoding."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from mixtura.exceptions import InvalidDataError
from mixtura.protocols import Array, Encoding

__all__ = ["column_encoding", "count_encoding", "has_missing", "mixed_encoding"]

_ROWS = 1 << 16


def column_encoding(x: Array, sample_weight: Array | None = None, dtype: str = "float64") -> Encoding:
    """Weighted mean and standard deviation of every column, by blocks of rows.

    Parameters
    ----------
    x : ndarray, shape (N, D)
        Finite numbers; NaN where a cell is missing, which counts in no sum.
    sample_weight : ndarray, shape (N,), optional
        Weights; None is one for every row.
    dtype : str, default "float64"
        Type in which blocks will be computed.

    Returns
    -------
    Encoding
        With origin and scale in float64.

    Raises
    ------
    InvalidDataError
        If a column's squares overflow.

    Examples
    --------
    >>> column_encoding(np.array([[1e8], [1e8 + 2.0]])).scale
    array([1.])
    """
    n_rows, n_features = x.shape
    missing = has_missing(x)
    shift = _first_values(x, sample_weight, missing=missing)
    weight_total, first, second = np.zeros(n_features), np.zeros(n_features), np.zeros(n_features)
    with np.errstate(over="ignore", invalid="ignore"):  # reported below, with the column
        for start in range(0, n_rows, _ROWS):
            block = x[start : start + _ROWS] - shift
            weight = np.ones(len(block)) if sample_weight is None else sample_weight[start : start + _ROWS]
            if missing:
                gaps = np.isnan(block)
                block[gaps] = 0.0
                weight_total -= weight @ gaps
            weight_total += float(weight.sum())
            first += weight @ block
            second += weight @ (block * block)
        mean = first / weight_total
        variance = np.maximum(second / weight_total - mean**2, 0.0)
    too_large = np.flatnonzero(~np.isfinite(variance))
    if too_large.size:
        column = int(too_large[0])
        msg = (
            f"Column {column} holds values up to {np.nanmax(np.abs(x[:, column])):.3g}, whose squares overflow; expected "
            "values below 1e150. Divide the column by a unit that suits it."
        )
        raise InvalidDataError(msg)
    return Encoding(n_features, origin=shift + mean, scale=np.sqrt(variance), dtype=dtype, missing=missing)


def mixed_encoding(x: Any, sample_weight: Array | None, centred: Array) -> Encoding:
    """Encoding in which only some columns are taken about their mean.

    Parameters
    ----------
    x : ndarray (N, D) or csr_matrix (N, D)
        The rows; dense where a column is centred.
    sample_weight : ndarray, shape (N,), optional
        Weights.
    centred : ndarray of bool, shape (D,)
        Which columns.

    Examples
    --------
    >>> mixed_encoding(np.array([[1.0, 4.0], [3.0, 6.0]]), None, np.array([True, False])).origin
    array([2., 0.])
    """
    if not np.any(centred):
        return count_encoding(x)
    encoding = column_encoding(x, sample_weight)
    if encoding.origin is None or np.all(centred):
        return encoding
    return replace(encoding, origin=np.where(centred, encoding.origin, 0.0))


def count_encoding(x: Any) -> Encoding:
    """Encoding of a count matrix: no origin.

    Examples
    --------
    >>> count_encoding(np.eye(3)).n_features
    3
    """
    return Encoding(int(x.shape[1]), missing=has_missing(x))


def has_missing(x: Any) -> bool:
    """Whether a table of numbers has NaN; sparse ones have none.

    Examples
    --------
    >>> has_missing(np.array([[1.0, np.nan]]))
    True
    """
    if sp.issparse(x) or not np.issubdtype(x.dtype, np.floating):
        return False
    # A sum is not finite where a value is not, and needs no copy.
    with np.errstate(over="ignore", invalid="ignore"):
        return not np.isfinite(x.sum()) and bool(np.isnan(x).any())


def _first_values(x: Array, sample_weight: Array | None, *, missing: bool) -> Array:
    """A value of every column that counts: about a far one that does not, variances would cancel."""
    counting = np.ones(len(x), dtype=bool) if sample_weight is None else sample_weight > 0
    first = np.asarray(x[int(np.argmax(counting))], dtype=np.float64)
    if not missing:
        return first
    shown = ~np.isnan(x) & counting[:, None]
    never = np.flatnonzero(~shown.any(axis=0))
    if never.size:
        msg = (
            f"Column {never[0]} is missing (NaN) in every row of positive weight; expected at least one value. "
            "Leave the column out."
        )
        raise InvalidDataError(msg)
    return np.asarray(x[shown.argmax(axis=0), np.arange(x.shape[1])], dtype=np.float64)
