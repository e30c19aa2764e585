"""Rows of a mixture of regressions: responses, covariates and what else is known, as one table that is checked once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.utils.validation import check_array

from mixtura.components.design import dependencies
from mixtura.components.regression import Regression
from mixtura.exceptions import InvalidDataError, InvalidParameterError, did_you_mean
from mixtura.inference.initialize import gaussian_embeddings
from mixtura.models._support import validated
from mixtura.protocols import Array, Encoding

__all__ = [
    "check_design",
    "check_responses",
    "concomitant_table",
    "covariate_table",
    "embeddings",
    "names_of",
    "shared_columns",
    "side_column",
]


def covariate_table(
    estimator: Any, X: Any, y: Any, *, reset: bool, min_rows: int = 2
) -> tuple[Array, Array | None]:
    """Covariates (N, P) and responses (N,) as floats, or None where no responses are given."""
    settings: dict[str, Any] = {"dtype": np.float64, "ensure_all_finite": "allow-nan", "reset": reset}
    settings["ensure_min_samples"] = min_rows if reset else 1
    if y is None and not reset:
        X = validated(estimator, X, **settings)
    else:
        if y is not None:
            _refuse_missing("y", np.atleast_1d(_numbers(y)))
        X, y = validated(estimator, X, y, y_numeric=True, **settings)
        y = np.asarray(y, dtype=np.float64)
    _refuse_missing("X", X, getattr(estimator, "feature_names_in_", None))
    return X, y


def _numbers(given: Any) -> Array:
    """Numbers of a table where it has any; what else is wrong with it is said by whoever validates it."""
    try:
        return np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        return np.zeros(1)


def _refuse_missing(what: str, table: Array, names: Any = None) -> None:
    """Name the first missing cell."""
    gaps = np.argwhere(np.isnan(table))
    if not gaps.size:
        return
    where = f"Row {gaps[0][0]} of {what} is missing (NaN)"
    if table.ndim == 2:
        name = gaps[0][1] if names is None else f"'{names[gaps[0][1]]}'"
        where = f"Row {gaps[0][0]}, column {name} of {what} is missing (NaN)"
    msg = (
        f"{where}; expected all of them: a regression says nothing about its covariates, and a row without a response "
        "says nothing about it. Leave such rows out, or fill the cells in beforehand."
    )
    raise InvalidDataError(msg)


def side_column(name: str, given: Any, n_rows: int) -> Array | None:
    """Numbers beside the rows (exposures, trials), shape (N,)."""
    if given is None:
        return None
    column = np.full(n_rows, given) if np.ndim(given) == 0 else given
    _refuse_missing(name, np.atleast_1d(_numbers(column)))
    column = np.asarray(check_array(column, ensure_2d=False, dtype=np.float64, input_name=name))
    if column.shape != (n_rows,):
        msg = f"{name} has shape {column.shape}; expected ({n_rows},), one value for each row of X."
        raise InvalidDataError(msg)
    return column


def concomitant_table(given: Any, n_rows: int) -> Array:
    """Concomitant variables (N, Q); a single one may be a vector, none are no columns."""
    if given is None:
        return np.empty((n_rows, 0))
    column = np.reshape(given, (-1, 1)) if np.ndim(given) == 1 else given
    table = np.asarray(
        check_array(column, dtype=np.float64, ensure_all_finite="allow-nan", input_name="concomitants")
    )
    _refuse_missing("concomitants", table, getattr(given, "columns", None))
    if len(table) != n_rows:
        msg = f"concomitants have {len(table)} rows; expected {n_rows}, one for each row of X."
        raise InvalidDataError(msg)
    return table


def names_of(given: Any, n_columns: int) -> list[str]:
    """Names of concomitant variables: those of the data frame or series, or numbered ones."""
    columns = getattr(given, "columns", None)
    if columns is None:
        name = getattr(given, "name", None)
        return [str(name)] if name is not None else [f"z{j}" for j in range(n_columns)]
    return [str(name) for name in columns]


def check_responses(component: Regression, table: Array, names: Sequence[str]) -> None:
    """Refuse responses, trials and exposures that the component cannot have.

    Raises
    ------
    InvalidDataError
        Naming the first row.
    """
    bad = component.outside(table.T)
    if bad is None or not bad.any():
        return
    column, row = (int(index) for index in np.argwhere(bad)[0])
    msg = (
        f"{names[column]} of row {row} is {table[row, column]:g}; expected {component.support} ({component.name}). "
        "Correct the value or leave the row out."
    )
    raise InvalidDataError(msg)


def check_design(
    table: Array, weight: Array | None, names: Sequence[str], *, intercept: bool, what: str
) -> None:
    """Refuse columns that are linear combinations of others, by name.

    Parameters
    ----------
    table : ndarray, shape (N, P)
        Columns of a design.
    weight : ndarray, shape (N,), optional
        Weights of the rows.
    names : sequence of str, length P
        Of the columns.
    intercept : bool
        Whether a column of ones comes before them.
    what : str
        What the columns are, in messages: ``"X"``.

    Raises
    ------
    InvalidDataError
        Naming the first such column, and those it is made of.
    """
    rows = table if weight is None else table[weight > 0]
    n_coefficients = int(intercept) + rows.shape[1]
    if len(rows) < n_coefficients:
        msg = (
            f"There are {len(rows)} rows (of positive weight) for {n_coefficients} coefficients of {what}; expected at least as "
            "many rows, or the coefficients are not determined. Leave columns out."
        )
        raise InvalidDataError(msg)
    weights = np.ones(len(table)) if weight is None else weight
    used = weights[weights > 0]
    share = used / used.sum()
    if intercept:
        mean = share @ rows
        centred = rows - mean
        # What is left of a constant column is rounding.
        flat = np.sqrt(share @ centred**2) <= 1e-13 * np.abs(mean)
        centred[:, flat] = 0.0
        rows = centred
    found = dependencies((rows * share[:, None]).T @ rows)
    if not found:
        return
    column, others = next(iter(found.items()))
    if others:
        made = " and ".join(f"'{names[other]}'" for other in others)
        alone = column in dependencies((table * weights[:, None]).T @ table)
        problem = f"is a linear combination of {made}" + ("" if alone else " and the intercept")
    elif intercept:
        problem = f"is constant ({table[0, column]:g}), as the intercept is"
    else:
        problem = "is zero in every row"
    msg = (
        f"Column '{names[column]}' of {what} {problem}; expected columns that each tell something new, "
        "or their coefficients are not determined. Leave the column out."
    )
    raise InvalidDataError(msg)


def shared_columns(shared: Any, names: Sequence[str], *, intercept: bool) -> list[int]:
    """Positions in the design of columns given by name or number; the intercept's name is "intercept"."""
    chosen = [shared] if isinstance(shared, str) or np.ndim(shared) == 0 else list(shared)
    positions = []
    for one in chosen:
        if one == "intercept" and intercept:
            positions.append(0)
        elif isinstance(one, str) and one in names:
            positions.append(int(intercept) + list(names).index(one))
        elif isinstance(one, int | np.integer) and not isinstance(one, bool) and 0 <= one < len(names):
            positions.append(int(intercept) + int(one))
        else:
            known = [*(["intercept"] if intercept else []), *names]
            msg = f"shared holds {one!r}, which is no column of X. {did_you_mean(str(one), known)}"
            raise InvalidParameterError(msg)
    return sorted(set(positions))


def embeddings(component: Regression) -> Callable[[Any, Array], list[Any]]:
    """Where starts are looked for: responses beside covariates, and residuals of one regression for all rows times covariates.

    On nineteen data sets (two to six components; Gaussian, Poisson and logistic responses), of which one is hard, sieves over these
    three ended at the best optimum known from 75 of 76 seeds; over responses and covariates only from 72, over
    residuals only from 74.
    """

    def embed(x: Any, weight: Array) -> list[Any]:
        block = component.encode(x.T, Encoding(x.shape[1]))
        beside = block.design[int(component.intercept) :]
        whitened, standardised, _ = gaussian_embeddings(
            np.column_stack([component.linked(block), beside.T]), weight
        )
        return [
            standardised,
            gaussian_embeddings(np.ascontiguousarray(component.features(x.T).T), weight)[1],
            whitened,
        ]

    return embed
