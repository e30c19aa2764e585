"""What rows may hold: the first value that a model cannot use, by row and column."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import narwhals as nw
import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import validate_data

from mixtura.components import hooks
from mixtura.data import has_missing
from mixtura.exceptions import InvalidDataError
from mixtura.families import ExponentialFamily
from mixtura.protocols import Array, Component

__all__ = ["canonical", "check_missing", "check_support", "refuse_missing_sparse", "refuse_negative"]


def validated(estimator: Any, X: Any, *args: Any, **options: Any) -> Any:
    """scikit-learn's `validate_data`, whose message about text names the cell.

    Raises
    ------
    InvalidDataError
        At the first text in a table that should hold numbers: row, column and value.
    ValueError, TypeError
        As scikit-learn raises them, for everything else.
    """
    try:
        return validate_data(estimator, X, *args, **options)
    except ValueError as error:
        found = _first_text(X)
        if found is None or isinstance(error, InvalidDataError):
            raise
        row, column, value = found
        msg = (
            f"{type(estimator).__name__}: row {row}, column {column!r} is {value!r}; expected a number. Leave the column out, make "
            "it numbers, or let Mixture.from_frame (CategoricalMixture for answers) take text as it is."
        )
        raise InvalidDataError(msg) from error


def _first_text(X: Any) -> tuple[int, Any, str] | None:
    """Row, column and value of the first text that is no number; None where there is none."""
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    columns: list[tuple[Any, list[Any]]]
    if isinstance(frame, nw.DataFrame):
        columns = [
            (name, frame[name].to_list()) for name in frame.columns if not frame[name].dtype.is_numeric()
        ]
    else:
        table = np.asarray(X, dtype=object) if not sp.issparse(X) else np.empty((0, 0))
        columns = list(enumerate(table.T.tolist())) if table.ndim == 2 else []
    for name, cells in columns:
        for row, cell in enumerate(cells):
            if isinstance(cell, str) and not _is_number(cell):
                return row, name, cell
    return None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def check_support(estimator: Any, component: Component | ExponentialFamily, X: Any, todo: str = "") -> None:
    """Refuse values outside the support of a component.

    Parameters
    ----------
    estimator : BaseMixture
        Whose name and columns the message tells.
    component : Component or ExponentialFamily
        What the components are.
    X : ndarray (N, D) or csr_matrix (N, D)
        Finite rows, or missing cells where the component may have them.
    todo : str, optional
        What else than correcting the value helps.

    Raises
    ------
    InvalidDataError
        Naming the first row and column of such a value.
    """
    # Dense rows are feature-major for a component; the stored values of sparse ones are in one line.
    found = _first_bad(X, lambda values: _outside(component, values.T).T)
    if found is None:
        return
    row, column, value = found
    kind, owner = hooks.part(component, column)
    support = getattr(owner, "support", "a value inside the support")
    msg = (
        f"{type(estimator).__name__}: row {row}, column {_column_name(estimator, column)} is {value:g}; expected "
        f"{support} ({kind}). Correct the value or leave the row out{todo}."
    )
    raise InvalidDataError(msg)


def check_missing(estimator: Any, component: Component, X: Any, *, fitting: bool) -> None:
    """Refuse missing cells where the component cannot leave them out and, in a fit, columns without any value.

    Raises
    ------
    InvalidDataError
        Naming the first row and column of such a cell, or the column.
    """
    if not has_missing(X):
        return
    gaps = np.isnan(X)
    refused = gaps & ~hooks.marginal_columns(component, X.shape[1])
    if refused.any():
        row, column = (int(index) for index in np.argwhere(refused)[0])
        kind, _ = hooks.part(component, column)
        msg = (
            f"{type(estimator).__name__}: row {row}, column {_column_name(estimator, column)} is missing (NaN), but the {kind} "
            "component cannot leave out single cells of a row: its density has no closed marginal here. Leave such rows out, "
            "or fill them in and say so."
        )
        raise InvalidDataError(msg)
    never = np.flatnonzero(gaps.all(axis=0))
    if never.size and fitting:
        msg = (
            f"{type(estimator).__name__}: column {_column_name(estimator, int(never[0]))} is missing (NaN) in every row; "
            "expected at least one value. Leave the column out."
        )
        raise InvalidDataError(msg)


def refuse_negative(estimator: Any, X: Any, todo: str) -> None:
    """Refuse negative counts, in the words that scikit-learn's checks look for."""
    found = _first_bad(X, lambda values: values < 0)
    if found is None:
        return
    row, column, value = found
    msg = (
        f"Negative values in data passed to {type(estimator).__name__}: row {row}, column {_column_name(estimator, column)} "
        f"is {value:g}; expected counts of at least 0. {todo}"
    )
    raise InvalidDataError(msg)


def refuse_missing_sparse(estimator: Any, X: Any) -> None:
    """Refuse missing cells of sparse rows, in the words that scikit-learn's checks look for."""
    found = _first_bad(X, np.isnan) if sp.issparse(X) else None
    if found is None:
        return
    row, column, _ = found
    msg = (
        f"Sparse rows passed to {type(estimator).__name__} contain NaN: row {row}, column {_column_name(estimator, column)}; "
        "expected counts. Give dense rows where cells are missing."
    )
    raise InvalidDataError(msg)


def canonical(X: Any) -> Any:
    """Rows in which a cell given in parts is one number; dense ones as they are."""
    if sp.issparse(X) and not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    return X


def _outside(component: Any, values: Array) -> Array:
    bad = hooks.outside(component, values)
    return np.zeros(values.shape, dtype=bool) if bad is None else bad


def _column_name(estimator: Any, column: int) -> Any:
    """Name of a column where the data frame had one, else its number."""
    return estimator.feature_names_in_[column] if hasattr(estimator, "feature_names_in_") else column


def _first_bad(X: Any, test: Callable[[Array], Array]) -> tuple[int, int, float] | None:
    """Row, column and value of the first entry for which the test holds; None where it holds for none."""
    bad = test(X.data if sp.issparse(X) else X)
    if not bad.any():
        return None
    if sp.issparse(X):
        position = int(np.flatnonzero(bad)[0])
        row = int(np.searchsorted(X.indptr, position, side="right") - 1)
        return row, int(X.indices[position]), float(X.data[position])
    row, column = (int(index) for index in np.argwhere(bad)[0])
    return row, column, float(X[row, column])
