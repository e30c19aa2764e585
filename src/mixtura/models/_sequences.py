"""Sequences as the user gives them: one table with lengths, a list of tables, or rows with the names of their sequences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import narwhals as nw
import numpy as np
import scipy.sparse as sp

from mixtura.exceptions import InvalidDataError
from mixtura.protocols import Array

__all__ = ["Sequences", "sequences", "taken_rows"]


@dataclass(frozen=True)
class Sequences:
    """Rows of all sequences, one after the other.

    Parameters
    ----------
    x : array_like, CSR matrix or data frame, shape (N, ...)
        Rows in the order of their sequences, within a sequence in time.
    offsets : ndarray of int, shape (U + 1,)
        Where sequences begin, and N.
    order : ndarray of int, shape (N,), optional
        Place of every row in what was given; None: as it was given.
    names : ndarray, shape (U,), optional
        Of the sequences, where rows were given with them.
    """

    x: Any
    offsets: Array
    order: Array | None = None
    names: Array | None = None

    @property
    def n_rows(self) -> int:
        """N, steps of all sequences."""
        return int(self.offsets[-1])

    @property
    def lengths(self) -> Array:
        """Steps of every sequence, shape (U,)."""
        return np.diff(self.offsets)

    def sorted(self, beside: Any) -> Any:
        """What was given beside the rows, in the order of the sequences."""
        return beside if self.order is None or beside is None else np.asarray(beside)[self.order]

    def back(self, values: Array) -> Array:
        """Results of rows (first axis) in the order in which rows were given."""
        if self.order is None:
            return values
        given = np.empty_like(values)
        given[self.order] = values
        return given


def sequences(
    X: Any, lengths: Any = None, groups: Any = None, check: Callable[[Any], Any] | None = None
) -> Sequences:
    """Rows with the bounds of their sequences.

    Parameters
    ----------
    X : array_like, CSR matrix, data frame, or list of two-dimensional arrays
        Rows of all sequences, or a list with one table for each sequence.
    lengths : array_like of int, shape (U,), optional
        Steps of each sequence; None: one sequence (or the tables of the list).
    groups : str or array_like, shape (N,), optional
        Name of every row's sequence, or the name of the data frame's column that holds it; rows of a sequence are in the order of
        time, but need not lie together.
    check : callable, optional
        Makes validated rows of the table as it was given, so that messages name its rows.

    Raises
    ------
    InvalidDataError
        If lengths do not add up to the rows, or a sequence is empty.

    Examples
    --------
    >>> sequences(np.zeros((5, 1)), [2, 3]).offsets
    array([0, 2, 5])
    >>> sequences([np.zeros((2, 1)), np.zeros((3, 1))]).offsets
    array([0, 2, 5])
    >>> sequences(np.arange(4.0).reshape(-1, 1), groups=["b", "a", "b", "a"]).x.ravel()
    array([1., 3., 0., 2.])
    """
    if lengths is not None and groups is not None:
        msg = "Both lengths and groups were given; expected one of them: both say which rows belong together."
        raise InvalidDataError(msg)
    if groups is not None:
        return _by_name(X, groups, _same if check is None else check)
    given = _one_after_another(X, lengths)
    return given if check is None else replace(given, x=check(given.x))


def _same(X: Any) -> Any:
    return X


def _one_after_another(X: Any, lengths: Any) -> Sequences:
    """A table with lengths, or a list of tables."""
    if lengths is None and _is_list_of_tables(X):
        sparse = any(map(sp.issparse, X))
        tables = [table if sp.issparse(table) else np.asarray(table, dtype=np.float64) for table in X]
        _refuse_uneven(tables)
        rows = sp.vstack(tables, format="csr") if sparse else np.concatenate(tables)
        return Sequences(rows, _offsets([table.shape[0] for table in tables]))
    _refuse_no_table(X)
    n_rows = X.shape[0] if hasattr(X, "shape") else len(X)
    if lengths is None:
        return Sequences(X, _offsets([n_rows]))
    found = np.atleast_1d(np.asarray(lengths))
    if found.ndim != 1 or found.dtype.kind not in "iu":
        msg = f"lengths has shape {found.shape} and type {found.dtype}; expected whole numbers, one for each sequence."
        raise InvalidDataError(msg)
    offsets = _offsets(found)
    if offsets[-1] != n_rows:
        msg = f"lengths add up to {offsets[-1]}, but X has {n_rows} rows; expected the same number. Give the steps of every sequence."
        raise InvalidDataError(msg)
    return Sequences(X, offsets)


def _offsets(lengths: Any) -> Array:
    found = np.asarray(lengths, dtype=np.intp)
    empty = np.flatnonzero(found < 1)
    if empty.size:
        msg = f"Sequence {empty[0]} has {found[empty[0]]} rows; expected at least one. Leave empty sequences out."
        raise InvalidDataError(msg)
    return np.concatenate([[0], np.cumsum(found)])


def _is_list_of_tables(X: Any) -> bool:
    return isinstance(X, list | tuple) and len(X) > 0 and all(np.ndim(table) == 2 for table in X)


def _refuse_no_table(X: Any) -> None:
    """Refuse what has no rows, and sequences without columns."""
    if not hasattr(X, "__len__") and not hasattr(X, "shape"):
        msg = f"X is {X!r}; expected rows of shape (n_samples, n_features), or a list with such a table for each sequence."
        raise InvalidDataError(msg)
    if (
        isinstance(X, list | tuple)
        and len({len(row) for row in X if isinstance(row, np.ndarray) and row.ndim == 1}) > 1
    ):
        msg = (
            "Sequence 0 has 1 dimension; expected tables of shape (rows, columns). Give each sequence of single values as "
            "a column: values[:, None]."
        )
        raise InvalidDataError(msg)


def _refuse_uneven(tables: list[Any]) -> None:
    width = tables[0].shape[1]
    for number, table in enumerate(tables):
        if table.shape[1] != width:
            msg = f"Sequence {number} has {table.shape[1]} columns, but sequence 0 has {width}; expected the same columns everywhere."
            raise InvalidDataError(msg)


def _by_name(X: Any, groups: Any, check: Callable[[Any], Any]) -> Sequences:
    if isinstance(groups, str):
        frame = nw.from_native(X, eager_only=True, pass_through=True)
        if not isinstance(frame, nw.DataFrame) or groups not in frame.columns:
            found = frame.columns if isinstance(frame, nw.DataFrame) else type(X).__name__
            msg = f"groups is {groups!r}, which names no column of X ({found}); expected a data frame's column, or one name for each row."
            raise InvalidDataError(msg)
        X, labels = frame.drop(groups).to_native(), frame[groups].to_numpy()
    else:
        labels = np.asarray(groups)
    n_rows = X.shape[0] if hasattr(X, "shape") else len(X)
    if labels.shape != (n_rows,):
        msg = f"groups has shape {labels.shape}; expected ({n_rows},), the name of every row's sequence."
        raise InvalidDataError(msg)
    missing = np.flatnonzero([label is None or label != label for label in labels.tolist()])  # noqa: PLR0124 - NaN
    if missing.size:
        msg = f"groups[{missing[0]}] is missing; expected the name of a sequence for every row."
        raise InvalidDataError(msg)
    names, codes = np.unique(labels, return_inverse=True)
    order = np.argsort(codes, kind="stable")
    return Sequences(taken_rows(check(X), order), _offsets(np.bincount(codes)), order, names)


def taken_rows(X: Any, order: Array) -> Any:
    """Some rows of a table, of the same kind."""
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        return frame[order.tolist()].to_native()
    return X[order] if sp.issparse(X) else np.asarray(X)[order]
