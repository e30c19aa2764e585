"""One summary pass over the columns of a table: the origin and scale of its encoding."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.exceptions import InvalidDataError
from mixtura.protocols import Array, Encoding

__all__ = ["column_encoding", "count_encoding"]

_ROWS = 1 << 16


def column_encoding(x: Array, sample_weight: Array | None = None, dtype: str = "float64") -> Encoding:
    """Weighted mean and standard deviation of every column, by blocks of rows.

    Parameters
    ----------
    x : ndarray, shape (N, D)
        Finite numbers.
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
    # A row that counts: about a far one that does not, variances would cancel.
    counting = 0 if sample_weight is None else int(np.argmax(sample_weight > 0))
    shift = np.asarray(x[counting], dtype=np.float64)
    weight_total, first, second = 0.0, np.zeros(n_features), np.zeros(n_features)
    with np.errstate(over="ignore", invalid="ignore"):  # reported below, with the column
        for start in range(0, n_rows, _ROWS):
            block = x[start : start + _ROWS] - shift
            weight = np.ones(len(block)) if sample_weight is None else sample_weight[start : start + _ROWS]
            weight_total += float(weight.sum())
            first += weight @ block
            second += weight @ (block * block)
        mean = first / weight_total
        variance = np.maximum(second / weight_total - mean**2, 0.0)
    too_large = np.flatnonzero(~np.isfinite(variance))
    if too_large.size:
        column = int(too_large[0])
        msg = (
            f"Column {column} holds values up to {np.abs(x[:, column]).max():.3g}, whose squares overflow; expected "
            "values below 1e150. Divide the column by a unit that suits it."
        )
        raise InvalidDataError(msg)
    return Encoding(n_features, origin=shift + mean, scale=np.sqrt(variance), dtype=dtype)


def count_encoding(x: Any) -> Encoding:
    """Encoding of a count matrix: no origin.

    Examples
    --------
    >>> count_encoding(np.eye(3)).n_features
    3
    """
    return Encoding(int(x.shape[1]))
