"""From tables of answers to codes: the levels of every column, learnt once, and rows in their terms.

A level is a text, a number or a boolean; None, NaN and the missing marks of data frames are missing cells, coded as NaN.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import narwhals as nw
import numpy as np

from mixtura.exceptions import InvalidDataError
from mixtura.protocols import Array

__all__ = ["Column", "Level", "codes", "columns_of", "is_missing", "learn", "listed"]

Level = str | int | float | bool

# Largest whole number that is looked up in a table, not searched for.
_TABLE = 1 << 16
_SHOWN = 8  # levels listed in a message


class Column(NamedTuple):
    """One column as it was given.

    Parameters
    ----------
    name : str or int
        Name, or number where there are no names.
    values : ndarray of float, or list
        Numbers with NaN for missing ones; else the cells.
    order : tuple
        Levels in an order of their own (a categorical's); empty where sorted is best.
    """

    name: Any
    values: Any
    order: tuple[Level, ...] = ()


def columns_of(X: Any) -> list[Column]:
    """The columns of a data frame or matrix.

    Parameters
    ----------
    X : data frame or ndarray, shape (N, D)
        Eager frame of pandas, polars or Arrow; else numbers, text or objects.

    Examples
    --------
    >>> [column.name for column in columns_of(np.array([["a", "x"], ["b", "y"]]))]
    [0, 1]
    """
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        return [_of_series(series) for series in frame.iter_columns()]
    if X.dtype.kind in "fiu":
        return [Column(j, column) for j, column in enumerate(np.ascontiguousarray(X.T, dtype=np.float64))]
    return [Column(j, X[:, j].tolist()) for j in range(X.shape[1])]


def learn(column: Column) -> list[Level]:
    """The levels of a column: a categorical's own order, else numbers by size and then text by alphabet.

    Parameters
    ----------
    column : Column
        As given.

    Returns
    -------
    list
        Levels that occur; whole numbers as int.

    Examples
    --------
    >>> learn(Column("size", ["s", "m", None, "s"]))
    ['m', 's']
    >>> learn(Column("size", ["s", "m", None, "s"], ("s", "m", "l")))
    ['s', 'm']
    >>> learn(Column("grade", np.array([3.0, 1.0, np.nan])))
    [1, 3]
    """
    if isinstance(column.values, np.ndarray):
        values = column.values[~np.isnan(column.values)]
        if _are_small(values):
            return [int(level) for level in np.flatnonzero(np.bincount(values.astype(np.intp)))]
        return [_number(level) for level in np.unique(values)]
    found = {level for level in _plain_levels(column).values() if level is not None}
    if column.order:
        return [level for level in column.order if level in found]
    return sorted(found, key=_place)


def codes(column: Column, levels: Sequence[Level], owner: str) -> Array:
    """Cells as places among the levels, NaN where missing.

    Parameters
    ----------
    column : Column
        As given.
    levels : sequence
        What the column may hold.
    owner : str
        Name of the estimator, for the message.

    Returns
    -------
    ndarray of float, shape (N,)
        0 to L - 1.

    Raises
    ------
    InvalidDataError
        At the first cell that holds another level: row, column, value, known levels.

    Examples
    --------
    >>> codes(Column("size", ["s", "m", None]), ["m", "s"], "CategoricalMixture")
    array([ 1.,  0., nan])
    """
    if isinstance(column.values, np.ndarray):
        found = _number_codes(column.values, levels)
    else:
        place: dict[Any, float] = {level: float(index) for index, level in enumerate(levels)}
        place[None] = np.nan
        raw = {cell: place.get(level, -1.0) for cell, level in _plain_levels(column).items()}
        found = np.fromiter(map(raw.__getitem__, column.values), dtype=np.float64, count=len(column.values))
    unknown = np.flatnonzero(found < 0)
    if unknown.size:
        row = int(unknown[0])
        value = column.values[row]
        shown = _number(value) if isinstance(column.values, np.ndarray) else value
        msg = (
            f"{owner}: row {row}, column {column.name!r} is {_text(shown)}, a level that was not there when the mixture was "
            f"fitted; expected one of {listed(levels)}, or None (missing). Correct the value, mark it as missing, or fit "
            "again with rows that hold it."
        )
        raise InvalidDataError(msg)
    return found


def listed(levels: Sequence[Level]) -> str:
    """Levels for a message, the first few of many.

    Examples
    --------
    >>> listed(["a", "b"]), listed(range(20))
    ("'a', 'b'", '0, 1, 2, 3, 4, 5, 6, 7 and 12 more')
    """
    more = f" and {len(levels) - _SHOWN} more" if len(levels) > _SHOWN else ""
    return ", ".join(_text(level) for level in levels[:_SHOWN]) + more


def _of_series(series: nw.Series[Any]) -> Column:
    """A column of a data frame."""
    if isinstance(series.dtype, nw.Categorical | nw.Enum):
        named = [None if is_missing(cell) else _named(cell) for cell in series.to_list()]
        return Column(series.name, named, tuple(_named(level) for level in _categories(series)))
    if series.dtype.is_numeric():
        values = np.asarray(series.cast(nw.Float64()).to_numpy(), dtype=np.float64)
        infinite = np.flatnonzero(np.isinf(values))
        if infinite.size:
            msg = f"Row {infinite[0]}, column {series.name!r} is infinity; expected a finite number or None (missing). Correct the value."
            raise InvalidDataError(msg)
        return Column(series.name, values)
    return Column(series.name, series.to_list())


def _categories(series: nw.Series[Any]) -> list[Any]:
    """Categories in their own order; empty where the type has none (polars' Categorical, Arrow's dictionaries)."""
    if series.implementation.is_pandas_like():
        return list(series.to_native().cat.categories)
    return list(series.dtype.categories) if isinstance(series.dtype, nw.Enum) else []


def _plain_levels(column: Column) -> dict[Any, Level | None]:
    """The level that each distinct cell stands for; None for a missing one."""
    try:
        distinct = dict.fromkeys(column.values)
        return {cell: None if is_missing(cell) else _plain(cell) for cell in distinct}
    except TypeError:  # a cell that cannot be a level; say which
        for row, cell in enumerate(column.values):
            if not is_missing(cell):
                _refuse_strange(cell, row, column.name)
        raise


def _plain(cell: Any) -> Level:
    """A text, number or boolean as Python's own."""
    value = cell.item() if isinstance(cell, np.generic) else cell
    if isinstance(value, bool | int | str):
        return value
    if isinstance(value, float) and np.isfinite(value):
        return _number(value)
    raise TypeError


def _refuse_strange(cell: Any, row: int, name: Any) -> None:
    try:
        _plain(cell)
    except TypeError:
        msg = (
            f"Row {row}, column {name!r} is {cell!r} of type {type(cell).__name__}; expected a level: a text, a finite number, "
            "True or False, or None for a missing cell. Make the column text, for instance with astype(str)."
        )
        raise InvalidDataError(msg) from None


def _named(level: Any) -> Level:
    """A category as a level; intervals, dates and the like by their text."""
    try:
        return _plain(level)
    except TypeError:
        return str(level)


def _number(value: float) -> int | float:
    return int(value) if float(value).is_integer() else float(value)


def is_missing(cell: Any) -> bool:
    """Whether a cell is None, NaN or a missing mark of a data frame.

    Examples
    --------
    >>> is_missing(float("nan")), is_missing(0)
    (True, False)
    """
    return (
        cell is None
        or (isinstance(cell, float | np.floating) and bool(np.isnan(cell)))
        or type(cell).__name__ in ("NAType", "NaTType")
    )


def _place(level: Level) -> tuple[int, Any]:
    return (1, level) if isinstance(level, str) else (0, level)


def _are_small(values: Array) -> bool:
    """Whether all numbers are whole and small enough for a table."""
    return bool(
        values.size and values.min() >= 0 and values.max() < _TABLE and (values == np.floor(values)).all()
    )


def _number_codes(values: Array, levels: Iterable[Level]) -> Array:
    """Places of numbers among the levels; -1 where there is none, NaN where missing."""
    numbers = np.array(
        [[level, index] for index, level in enumerate(levels) if not isinstance(level, str)], dtype=np.float64
    ).reshape(-1, 2)
    missing = np.isnan(values)
    if not len(numbers):
        return np.where(missing, np.nan, -1.0)
    known, places = numbers[np.argsort(numbers[:, 0])].T
    filled = np.where(missing, known[0], values)
    if _are_small(known) and _are_small(filled):
        table = np.full(int(max(known[-1], filled.max())) + 1, -1.0)
        table[known.astype(np.intp)] = places
        found = table[filled.astype(np.intp)]
    else:
        near = np.minimum(np.searchsorted(known, filled), len(known) - 1)
        found = np.where(known[near] == filled, places[near], -1.0)
    found[missing] = np.nan
    return np.asarray(found)


def _text(level: Any) -> str:
    return repr(level.item() if isinstance(level, np.generic) else level)
