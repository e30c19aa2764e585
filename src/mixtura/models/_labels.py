"""What is known of the rows' components, as the user gives it."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.exceptions import InvalidDataError
from mixtura.protocols import Array

__all__ = ["allowed_components"]


def allowed_components(labels: Any, n_rows: int, n_components: int) -> Array | None:
    """Components that every row may have.

    Parameters
    ----------
    labels : array_like or None
        Numbers (N,), -1 or NaN where nothing is known, or a mask (N, K).
    n_rows, n_components : int
        N and K.

    Returns
    -------
    ndarray of bool, shape (N, K), or None
        None where nothing is known of any row.

    Raises
    ------
    InvalidDataError
        If the shape is another, a number names no component, or a row is left without any.

    Examples
    --------
    >>> allowed_components([0, -1], 2, 2)
    array([[ True, False],
           [ True,  True]])
    """
    if labels is None:
        return None
    given = np.asarray(labels)
    if given.shape == (n_rows, n_components):
        allowed = _mask(given)
    elif given.shape == (n_rows,):
        allowed = _numbers(given, n_components)
    else:
        msg = (
            f"labels has shape {given.shape}; expected ({n_rows},), a component's number for each row (-1: unknown), or "
            f"({n_rows}, {n_components}), a mask of the components that each row may have."
        )
        raise InvalidDataError(msg)
    return None if allowed.all() else allowed


def _mask(given: Array) -> Array:
    bad = np.argwhere((given != 0) & (given != 1))
    if bad.size:
        row, k = (int(index) for index in bad[0])
        msg = f"labels[{row}, {k}] is {given[row, k]!r}; expected True where row {row} may be of component {k}, else False."
        raise InvalidDataError(msg)
    allowed = given.astype(bool)
    empty = np.flatnonzero(~allowed.any(axis=1))
    if empty.size:
        msg = f"labels[{empty[0]}] allows no component; expected at least one. Allow all for a row of which nothing is known."
        raise InvalidDataError(msg)
    return allowed


def _numbers(given: Array, n_components: int) -> Array:
    try:
        numbers = given.astype(np.float64)
    except (TypeError, ValueError):
        msg = (
            f"labels has dtype {given.dtype}; expected numbers of components, 0 to {n_components - 1}, or -1 where nothing is "
            "known. Number your names first, for instance with numpy.unique(..., return_inverse=True)."
        )
        raise InvalidDataError(msg) from None
    unknown = np.isnan(numbers) | (numbers == -1)
    bad = np.flatnonzero(~unknown & ~np.isin(numbers, np.arange(n_components)))
    if bad.size:
        msg = (
            f"labels[{bad[0]}] is {given[bad[0]]}; expected the number of a component, 0 to {n_components - 1}, or -1 (NaN) "
            "where nothing is known."
        )
        raise InvalidDataError(msg)
    return np.asarray(unknown[:, None] | (numbers[:, None] == np.arange(n_components)))
