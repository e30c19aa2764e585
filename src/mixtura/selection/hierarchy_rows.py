"""Where the distances of a hierarchy come from: rows and a metric, or a table of distances.

The file is long because both are checked here, cell by cell.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import isqrt
from typing import Any, Protocol

import numpy as np
import scipy.sparse as sp

from mixtura.exceptions import InvalidDataError, InvalidParameterError, did_you_mean
from mixtura.protocols import Array

__all__ = [
    "METRICS",
    "DistanceTable",
    "Distances",
    "MetricRows",
    "checked_metric",
    "distances_of",
    "matrix_of",
]

#: SciPy's names of metrics.
METRICS = (
    "euclidean",
    "cityblock",
    "chebyshev",
    "minkowski",
    "sqeuclidean",
    "seuclidean",
    "mahalanobis",
    "cosine",
    "correlation",
    "canberra",
    "braycurtis",
    "jensenshannon",
    "hamming",
    "jaccard",
    "dice",
    "rogerstanimoto",
    "russellrao",
    "sokalsneath",
    "yule",
)

# Numbers of a block of distances between new rows and leaves: 32 MB.
_BLOCK = 4_000_000
# Relative rounding that a symmetric table of distances may have.
_ROUNDING = 1e-8

Metric = str | Callable[[Array, Array], float]


class Distances(Protocol):
    """What a hierarchy asks of its data."""

    @property
    def n_samples(self) -> int:
        """Rows."""
        ...

    def condensed(self, rows: Array) -> Array:
        """Distances of all pairs of some rows, in SciPy's condensed form, shape (n (n - 1) / 2,)."""
        ...

    def nearest(self, rows: Array) -> Array:
        """Which of some rows is nearest to each row, shape (N,)."""
        ...

    def nearest_to(self, X: Any, rows: Array) -> Array:
        """Which of some rows is nearest to each of new rows."""
        ...


@dataclass(frozen=True)
class MetricRows:
    """Rows between which a metric says the distances.

    Parameters
    ----------
    x : ndarray or csr_matrix, shape (N, D)
        Finite numbers.
    metric : str or callable
        SciPy's name, or a function of two rows.
    """

    x: Any
    metric: Metric
    _parameters: dict[str, Array] = field(default_factory=dict, repr=False)

    @property
    def n_samples(self) -> int:
        """Rows."""
        return int(self.x.shape[0])

    def condensed(self, rows: Array) -> Array:
        """Distances of all pairs of some rows."""
        from scipy.spatial.distance import pdist

        chosen = _dense(self.x[rows])
        self._learn(chosen)
        with np.errstate(invalid="ignore", divide="ignore"):
            found = np.asarray(pdist(chosen, self.metric, **self._parameters), dtype=np.float64)
        lost = np.flatnonzero(~np.isfinite(found))
        if lost.size:
            one, other = (int(rows[index]) for index in _pair(int(lost[0]), len(rows)))
            msg = (
                f"The distance of rows {one} and {other} is {found[lost[0]]}; expected a finite number. metric={self.metric!r} is "
                "not defined for them (a row of zeros, a constant row or column): leave such rows out, or use another metric."
            )
            raise InvalidDataError(msg)
        return found

    def _learn(self, chosen: Array) -> None:
        """Scales that two of the metrics take from the rows, kept so that new rows are measured alike."""
        if self.metric == "seuclidean":
            self._parameters["V"] = variance = np.var(chosen, axis=0, ddof=1)
            constant = np.flatnonzero(~(variance > 0))
            if constant.size:
                msg = f"Column {constant[0]} is constant, so metric='seuclidean' cannot divide by its variance. Leave it out."
                raise InvalidDataError(msg)
        if self.metric == "mahalanobis":
            covariance = np.atleast_2d(np.cov(chosen.T))
            if np.linalg.matrix_rank(covariance) < len(covariance):
                msg = (
                    f"The covariance of the {covariance.shape[0]} columns over {len(chosen)} rows is singular, so metric='mahalanobis' "
                    "has no inverse of it. Leave out columns that others determine, or use metric='seuclidean'."
                )
                raise InvalidDataError(msg)
            self._parameters["VI"] = np.linalg.inv(covariance)

    def nearest(self, rows: Array) -> Array:
        """Which of some rows is nearest to each row."""
        return self.nearest_to(self.x, rows)

    def nearest_to(self, X: Any, rows: Array) -> Array:
        """Which of some rows is nearest to each of new rows, block by block."""
        from scipy.spatial.distance import cdist

        if X is not self.x:
            X = matrix_of(X)
        if X.shape[1] != self.x.shape[1]:
            msg = (
                f"The rows have {X.shape[1]} columns; expected {self.x.shape[1]}, those of the hierarchy, so that its nearest rows can "
                "be found. Give the same columns, or the very rows of the hierarchy in their order."
            )
            raise InvalidDataError(msg)
        leaves = _dense(self.x[rows])
        size = max(_BLOCK // len(leaves), 1)
        blocks = (_dense(X[start : start + size]) for start in range(0, X.shape[0], size))
        found = [cdist(block, leaves, self.metric, **self._parameters).argmin(axis=1) for block in blocks]
        return np.concatenate(found) if found else np.empty(0, dtype=np.intp)


@dataclass(frozen=True)
class DistanceTable:
    """Distances that are known.

    Parameters
    ----------
    condensed_table : ndarray, shape (N (N - 1) / 2,)
        Distances of all pairs, in SciPy's condensed form.
    """

    condensed_table: Array

    @property
    def n_samples(self) -> int:
        """Rows: the N of N (N - 1) / 2."""
        return _n_of(len(self.condensed_table))

    def condensed(self, rows: Array) -> Array:
        """Distances of all pairs of some rows."""
        if len(rows) == self.n_samples:
            return self.condensed_table
        one, other = np.triu_indices(len(rows), 1)
        return np.asarray(self.condensed_table[_places(rows[one], rows[other], self.n_samples)])

    def nearest(self, rows: Array) -> Array:
        """Which of some rows is nearest to each row."""
        found = np.empty(self.n_samples, dtype=np.intp)
        for row in range(self.n_samples):
            own = np.flatnonzero(rows == row)
            others = rows != row
            to = np.zeros(len(rows))
            to[others] = self.condensed_table[
                _places(np.minimum(rows[others], row), np.maximum(rows[others], row), self.n_samples)
            ]
            found[row] = own[0] if own.size else to.argmin()
        return found

    def nearest_to(self, X: Any, rows: Array) -> Array:
        """There are no columns to measure new rows by."""
        n_rows = X.shape[0] if hasattr(X, "shape") else len(X)
        msg = (
            f"There are {n_rows} rows to label, but the hierarchy was made of the distances of {self.n_samples} rows and has no "
            "columns to find the nearest by. Give these rows in their order, or make the hierarchy from rows and a metric."
        )
        raise InvalidDataError(msg)


def distances_of(X: Any, metric: Metric) -> Distances:
    """The distances that `hierarchical` was asked for.

    Parameters
    ----------
    X : array_like
        Rows, or distances where the metric is "precomputed".
    metric : str or callable
        SciPy's name, a function of two rows, or "precomputed".

    Examples
    --------
    >>> distances_of([[0.0], [3.0], [4.0]], "cityblock").condensed(np.arange(3))
    array([3., 4., 1.])
    """
    if checked_metric(metric) == "precomputed":
        return DistanceTable(_checked_table(X))
    return MetricRows(matrix_of(X), metric)


def checked_metric(metric: Metric) -> Metric:
    """A metric that exists."""
    names = (*METRICS, "precomputed")
    if not callable(metric) and metric not in names:
        msg = f"metric is {metric!r}, which is not one of the choices. {did_you_mean(str(metric), names)}"
        raise InvalidParameterError(msg)
    return metric


def matrix_of(X: Any) -> Any:
    """Rows as a matrix of finite floats, dense or CSR; one dimension is a column."""
    if sp.issparse(X):
        matrix = sp.csr_matrix(X, dtype=np.float64)
        values = matrix.data
    else:
        matrix = values = _numbers(X, "X")
        matrix = matrix.reshape(-1, 1) if matrix.ndim == 1 else matrix
    if matrix.ndim != 2 or matrix.shape[1] == 0:
        msg = f"X has shape {np.shape(X)}; expected (n_samples, n_features): one row for each thing that is clustered."
        raise InvalidDataError(msg)
    if not np.isfinite(values).all():
        matrix = _dense(matrix)
        row, column = (int(index) for index in np.argwhere(~np.isfinite(matrix))[0])
        names = getattr(X, "columns", None)
        named = "" if names is None else f" ({list(names)[column]!r})"
        found = "missing (NaN)" if np.isnan(matrix[row, column]) else str(matrix[row, column])
        msg = (
            f"Row {row}, column {column}{named} is {found}; expected complete rows of finite numbers: distances need every cell. Leave "
            "such rows out, fill them in (a fitted mixture has impute), or give distances of your own with metric='precomputed'."
        )
        raise InvalidDataError(msg)
    return matrix


def _numbers(X: Any, name: str) -> Array:
    try:
        return np.asarray(X, dtype=np.float64)
    except (TypeError, ValueError) as error:
        msg = (
            f"{name} holds what is no table of numbers ({error}); expected numbers alone. Leave text out or code it, or give distances "
            "of your own with metric='precomputed'."
        )
        raise InvalidDataError(msg) from None


def _dense(x: Any) -> Array:
    return np.asarray(x.toarray() if sp.issparse(x) else x)


def _checked_table(X: Any) -> Array:
    """Condensed distances from a condensed or square table."""
    table = _numbers(X, "The table of distances")
    if table.ndim == 1:
        n_samples = _n_of(len(table))
        if n_samples * (n_samples - 1) // 2 != len(table):
            msg = (
                f"The condensed distances are {len(table)}; expected n (n - 1) / 2 of them, one for each pair of n rows (such as "
                f"{n_samples * (n_samples - 1) // 2} for n = {n_samples}). Give scipy.spatial.distance.pdist's result, or a square table."
            )
            raise InvalidDataError(msg)
        _refuse(table, ~(table >= 0), lambda place: _pair(place[0], n_samples), "a number of at least 0")
        return _finite(table, lambda place: _pair(place[0], n_samples))
    if table.ndim != 2 or table.shape[0] != table.shape[1]:
        msg = (
            f"The table of distances has shape {table.shape}; expected a square one (n, n), or condensed (n (n - 1) / 2,). With rows "
            "and columns, name their metric instead of 'precomputed'."
        )
        raise InvalidDataError(msg)
    _refuse(table, ~(table >= 0), tuple, "a number of at least 0")
    _finite(table, tuple)
    own = np.eye(len(table), dtype=bool)
    _refuse(table, own & (table != 0), tuple, "0, since a row is at no distance from itself")
    slack = _ROUNDING * (float(table.max()) if table.size else 0.0)
    _refuse(table, np.abs(table - table.T) > slack, tuple, "the same as the other way round")
    return np.asarray(table[np.triu_indices(len(table), 1)])


def _finite(table: Array, where: Callable[[Any], Any]) -> Array:
    _refuse(table, ~np.isfinite(table), where, "a finite number")
    return table


def _refuse(table: Array, bad: Array, where: Callable[[Any], Any], expected: str) -> None:
    if not bad.any():
        return
    place = tuple(int(index) for index in np.argwhere(bad)[0])
    one, other = where(place)
    msg = f"The distance of rows {one} and {other} is {table[place]}; expected {expected}. Mend the table of distances."
    raise InvalidDataError(msg)


def _n_of(n_pairs: int) -> int:
    return (1 + isqrt(1 + 8 * n_pairs)) // 2


def _places(one: Array, other: Array, n: int) -> Array:
    """Places of pairs (one before other) in the condensed form."""
    return np.asarray(n * one - one * (one + 1) // 2 + other - one - 1)


def _pair(place: int, n: int) -> tuple[int, int]:
    """The pair at a place of the condensed form."""
    starts = _places(np.arange(n - 1), np.arange(1, n), n)
    one = int(np.searchsorted(starts, place, side="right")) - 1
    return one, int(place - starts[one]) + one + 1
