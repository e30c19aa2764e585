"""A series and its inputs as arrays, checked once."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.exceptions import InvalidDataError
from mixtura.protocols import Array

__all__ = ["checked_inputs", "checked_series"]

# Size of values whose squares can still be summed.
_LARGEST = 1e100


def checked_series(y: Any) -> Array:
    """Values of one series, shape (T,), NaN where missing.

    Raises
    ------
    InvalidDataError
        If they are not numbers, not one column, infinite, or none is there.

    Examples
    --------
    >>> checked_series([1, None, 3])
    array([ 1., nan,  3.])
    """
    try:
        values = np.array(y, dtype=np.float64)
    except (TypeError, ValueError):
        msg = "y holds values that are no numbers; expected one number for each step, NaN or None where it is missing."
        raise InvalidDataError(msg) from None
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        msg = (
            f"y has shape {values.shape}; expected (n_steps,), one series. Fit one model for each series, or use "
            "LinearDynamicalSystem for several columns together."
        )
        raise InvalidDataError(msg)
    infinite = np.flatnonzero(np.isinf(values))
    if infinite.size:
        msg = f"y[{infinite[0]}] is {values[infinite[0]]}; expected finite numbers, or NaN for a missing one."
        raise InvalidDataError(msg)
    if np.isnan(values).all():
        msg = f"y has {len(values)} steps, all of them missing; expected observations. Give at least some values."
        raise InvalidDataError(msg)
    largest = float(np.nanmax(np.abs(values)))
    if largest > _LARGEST or 0 < largest < 1.0 / _LARGEST:
        msg = f"y has values up to {largest:.3g} in size, the squares of which are out of range. Give it in another unit."
        raise InvalidDataError(msg)
    return values


def checked_inputs(inputs: Any, n_steps: int, n_inputs: int | None = None) -> tuple[Array, list[str]]:
    """Inputs of every step, shape (Q, T), and their names; none are no rows.

    Parameters
    ----------
    inputs : array_like or data frame, shape (T, Q) or (T,), or None
        As given.
    n_steps : int
        T.
    n_inputs : int, optional
        Q of the fit; None: any.

    Raises
    ------
    InvalidDataError
        If their shape is another one, or a value is missing.
    """
    if inputs is None:
        table, names = np.empty((n_steps, 0)), []
    else:
        try:
            table = np.array(inputs, dtype=np.float64)
        except (TypeError, ValueError):
            msg = "inputs hold values that are no numbers; expected numbers. Turn categories into columns of 0 and 1."
            raise InvalidDataError(msg) from None
        table = table[:, None] if table.ndim == 1 else table
        columns = getattr(inputs, "columns", None)
        names = (
            [f"input {j}" for j in range(table.shape[-1])]
            if columns is None
            else [str(name) for name in columns]
        )
    expected = f"({n_steps}, {'any number' if n_inputs is None else n_inputs})"
    if table.ndim != 2 or len(table) != n_steps or (n_inputs is not None and table.shape[1] != n_inputs):
        msg = (
            f"inputs have shape {table.shape}; expected {expected}, a row for each step and the columns of the fit. "
            "Inputs must be known for the steps that are forecast, too."
        )
        raise InvalidDataError(msg)
    bad = np.argwhere(~np.isfinite(table))
    if bad.size:
        row, column = (int(index) for index in bad[0])
        msg = (
            f"inputs: row {row}, column {names[column]!r} is {table[row, column]}; expected finite numbers in all rows, also where "
            "y is missing. Fill the cell in, or leave the column out."
        )
        raise InvalidDataError(msg)
    return np.ascontiguousarray(table.T), names
