"""Posterior predictive checks: a number of the data beside the same number of data that the fit would have given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from types import MappingProxyType
from typing import Any

import numpy as np

from mixtura.exceptions import InvalidDataError, InvalidParameterError, did_you_mean
from mixtura.protocols import Array

__all__ = ["STATISTICS", "PredictiveCheck", "replicate", "statistic_of"]

# Numbers of rows (N, D) and their names.
Statistic = Callable[[Array], Array]

# Relative difference below which a replicated number is the observed one: rounding of sums in another order.
_SAME = 1e-10


@dataclass(frozen=True)
class PredictiveCheck:
    """Statistics of the rows and of replicated rows.

    Parameters
    ----------
    names : tuple of str
        What each of the S statistics is.
    observed : ndarray, shape (S,)
        Of the rows.
    replicated : ndarray, shape (n_draws, S)
        Of as many rows from each of the models drawn from the posterior.

    Examples
    --------
    >>> check = PredictiveCheck(("max x0",), np.array([3.0]), np.array([[1.0], [2.0], [3.0], [4.0]]))
    >>> check.tail_probability  # one of four is larger, one the same
    array([0.375])
    """

    names: tuple[str, ...]
    observed: Array
    replicated: Array

    @property
    def tail_probability(self) -> Array:
        """Share of replications above the observed value, equal ones counted half; near 0 or 1 the fit does not explain it, (S,)."""
        gap = self.replicated - self.observed
        size = np.maximum(np.abs(self.replicated), np.abs(self.observed))
        same = np.abs(gap) <= _SAME * size
        share = np.where(same, 0.5, gap > 0).mean(axis=0)
        known = np.isfinite(self.observed) & np.isfinite(self.replicated).all(axis=0)
        return np.where(known, share, np.nan)

    @property
    def two_sided(self) -> Array:
        """Twice the smaller tail, shape (S,)."""
        tail = self.tail_probability
        return np.asarray(2.0 * np.minimum(tail, 1.0 - tail))

    def frame(self, library: str | None = None) -> Any:
        """A tidy frame: statistic, observed, replicated (mean), lower, upper (their central 90 %), tail_probability.

        Parameters
        ----------
        library : {"pandas", "polars", "pyarrow"}, optional
            None takes pandas, or polars where pandas is missing.
        """
        from mixtura.data.frames import make_frame

        lower, upper = np.quantile(self.replicated, [0.05, 0.95], axis=0)
        return make_frame(
            {
                "statistic": list(self.names),
                "observed": self.observed,
                "replicated": self.replicated.mean(axis=0),
                "lower": lower,
                "upper": upper,
                "tail_probability": self.tail_probability,
            },
            library,
        )

    def plot(self, axes: Any = None, **options: Any) -> Any:
        """Histograms of the replicated values with the observed ones; see :func:`mixtura.plots.plot_posterior_predictive`."""
        from mixtura.plots import plot_posterior_predictive

        return plot_posterior_predictive(self, axes=axes, **options)

    def __str__(self) -> str:
        lower, upper = np.quantile(self.replicated, [0.05, 0.95], axis=0)
        cells = [["statistic", "observed", "replicated, central 90 %", "share above"]]
        for name, seen, low, high, tail in zip(
            self.names, self.observed, lower, upper, self.tail_probability, strict=True
        ):
            cells.append([name, f"{seen:.5g}", f"{low:.5g} to {high:.5g}", f"{tail:.3f}"])
        widths = [max(len(line[i]) for line in cells) for i in range(4)]
        lines = [
            "  ".join(cell.rjust(size) for cell, size in zip(line, widths, strict=True)) for line in cells
        ]
        return "\n".join([f"Posterior predictive check, {len(self.replicated)} replications", *lines])


# --- statistics of rows -------------------------------------------------------------------------------------------------
def _moment(rows: Array, power: int) -> Array:
    """Standardised central moment of every column; NaN of a constant one."""
    away = rows - np.nanmean(rows, axis=0)
    variance = np.nanmean(away**2, axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(
            np.where(variance > 0, np.nanmean(away**power, axis=0) / variance ** (power / 2), np.nan)
        )


def _zeros(rows: Array) -> Array:
    """Share of zeros among the cells that are there."""
    return np.asarray((rows == 0).sum(axis=0) / np.maximum((~np.isnan(rows)).sum(axis=0), 1))


def _correlation(rows: Array) -> Array:
    """Correlation of every pair of columns over the rows that have both; NaN of a constant one."""
    found = []
    for one, other in combinations(rows.T, 2):
        both = ~np.isnan(one) & ~np.isnan(other)
        x, y = one[both] - one[both].mean(), other[both] - other[both].mean()
        scale = np.sqrt((x @ x) * (y @ y))
        found.append(x @ y / scale if scale > 0 else np.nan)
    return np.array(found)


STATISTICS: Mapping[str, Statistic] = MappingProxyType(
    {
        "mean": lambda rows: np.nanmean(rows, axis=0),
        "variance": lambda rows: np.nanvar(rows, axis=0),
        "min": lambda rows: np.nanmin(rows, axis=0),
        "median": lambda rows: np.nanmedian(rows, axis=0),
        "max": lambda rows: np.nanmax(rows, axis=0),
        "skewness": lambda rows: _moment(rows, 3),
        "kurtosis": lambda rows: _moment(rows, 4),
        "share of zeros": _zeros,
        "correlation": _correlation,
    }
)


def statistic_of(given: Any, columns: Sequence[str]) -> Callable[[Array], tuple[list[str], Array]]:
    """A function from rows (N, D) to names and numbers.

    Parameters
    ----------
    given : str, callable, or sequence of these
        What a user asks for; a callable takes rows and returns a number or several.
    columns : sequence of str
        Names of the columns.

    Raises
    ------
    InvalidParameterError
        If there is no statistic of that name, or correlations are asked for of one column.
    """
    each = list(given) if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    if not each:
        msg = f"statistic is {given!r}; expected a name, a function of rows, or a sequence of these."
        raise InvalidParameterError(msg)
    parts = [_named(one, columns) for one in each]

    def every(rows: Array) -> tuple[list[str], Array]:
        found = [part(rows) for part in parts]
        return [name for names, _ in found for name in names], np.concatenate([values for _, values in found])

    return every


def _named(given: Any, columns: Sequence[str]) -> Callable[[Array], tuple[list[str], Array]]:
    if callable(given):
        title = getattr(given, "__name__", type(given).__name__).replace("<lambda>", "statistic")

        def own(rows: Array) -> tuple[list[str], Array]:
            values = np.atleast_1d(np.asarray(given(rows), dtype=np.float64)).ravel()
            return [title] if len(values) == 1 else [f"{title} {i}" for i in range(len(values))], values

        return own
    if not isinstance(given, str) or given not in STATISTICS:
        msg = (
            f"statistic is {given!r}, which is neither a function of rows nor one of the choices. "
            f"{did_you_mean(str(given), STATISTICS)}"
        )
        raise InvalidParameterError(msg)
    pairs = [f"{one}, {other}" for one, other in combinations(columns, 2)]
    if given == "correlation" and not pairs:
        msg = "statistic is 'correlation', but there is one column; expected at least two."
        raise InvalidParameterError(msg)
    of = pairs if given == "correlation" else columns
    return lambda rows: ([f"{given} {name}" for name in of], np.asarray(STATISTICS[given](rows)))


def replicate(
    statistic: Callable[[Array], tuple[list[str], Array]], rows: Array, draws: Sequence[Array] | Any
) -> PredictiveCheck:
    """A check of rows (N, D) against replications, an iterable of such rows; cells missing in the rows are left out of all.

    Raises
    ------
    InvalidDataError
        If a column has no value, or a function of the user does not return as many numbers each time.
    """
    gaps = np.isnan(rows)
    empty = np.flatnonzero(gaps.all(axis=0))
    if empty.size:
        msg = f"X: column {empty[0]} has no value in any row; expected at least one. Leave it out of the fit."
        raise InvalidDataError(msg)
    names, observed = statistic(rows)
    replicated = []
    for drawn in draws:
        values = statistic(np.where(gaps, np.nan, drawn) if gaps.any() else drawn)[1]
        if values.shape != observed.shape:
            msg = (
                f"statistic returned {len(values)} numbers of replicated rows and {len(observed)} of the given ones; expected as many "
                "for any rows."
            )
            raise InvalidDataError(msg)
        replicated.append(values)
    return PredictiveCheck(tuple(names), observed, np.array(replicated))
