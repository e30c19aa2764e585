"""What rows may hold: the first value that a model cannot use, by row and column."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp

from mixtura.exceptions import InvalidDataError
from mixtura.families import ExponentialFamily
from mixtura.protocols import Array

__all__ = ["canonical", "check_support", "refuse_negative"]


def check_support(estimator: Any, family: ExponentialFamily, X: Any, todo: str = "") -> None:
    """Refuse values outside the support of a family.

    Parameters
    ----------
    estimator : BaseMixture
        Whose name and columns the message tells.
    family : ExponentialFamily
        What the components are.
    X : ndarray (N, D) or csr_matrix (N, D)
        Finite rows.
    todo : str, optional
        What else than correcting the value helps.

    Raises
    ------
    InvalidDataError
        Naming the first row and column of such a value.
    """
    # Dense rows are feature-major for a family; the stored values of sparse ones are in one line.
    found = _first_bad(X, lambda values: _outside(family, values.T).T)
    if found is None:
        return
    row, column, value = found
    msg = (
        f"{type(estimator).__name__}: row {row}, column {_column_name(estimator, column)} is {value:g}; expected "
        f"{family.support} ({family.name}). Correct the value or leave the row out{todo}."
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


def canonical(X: Any) -> Any:
    """Rows in which a cell given in parts is one number; dense ones as they are."""
    if sp.issparse(X) and not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    return X


def _outside(family: ExponentialFamily, values: Array) -> Array:
    bad = family.outside(values)
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
