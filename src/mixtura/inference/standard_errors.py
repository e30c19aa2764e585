"""The table of estimates with standard errors, and what a way to them is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from mixtura.exceptions import InvalidParameterError
from mixtura.inference.information import Fit
from mixtura.inference.intervals import Readable, wald
from mixtura.protocols import Array
from mixtura.structures import LatentMixture

__all__ = ["Method", "Reader", "StandardErrors"]

# The parameters of a model that a user reads.
Reader = Callable[[LatentMixture], list[Readable]]


@dataclass(frozen=True)
class StandardErrors:
    """Estimates with standard errors and intervals.

    Parameters
    ----------
    parameters : tuple of Readable
        Component, parameter, feature, other feature and estimate, in the order of ``params_frame()``.
    standard_error : ndarray, shape (R,)
        Of each parameter; NaN where the data do not tell it, zero for what is known.
    covariance : ndarray, shape (p, p)
        Of the model's free coordinates (logarithms, log-Cholesky factors); a generalised inverse where they are too many.
    parameter_covariance : ndarray, shape (R, R)
        Of the parameters, by the delta method or from the bootstrap.
    method : str
        How they were found, in words.
    level : float
        Of the intervals.
    n_units : float
        Number of rows (or groups): sum of the weights.
    notes : tuple of str
        What was warned of.
    replicates : ndarray, shape (n_bootstrap, R), optional
        Parameters of every bootstrap fit.

    Examples
    --------
    >>> from mixtura import PoissonMixture
    >>> X = np.random.default_rng(0).poisson(4.0, size=(400, 1))
    >>> errors = PoissonMixture(1).fit(X).standard_errors(X)
    >>> round(float(errors.standard_error[1]), 2)  # the square root of 4 / 400
    0.1
    """

    parameters: tuple[Readable, ...]
    standard_error: Array
    covariance: Array
    parameter_covariance: Array = field(repr=False)
    method: str
    level: float
    n_units: float
    notes: tuple[str, ...] = ()
    replicates: Array | None = field(default=None, repr=False)

    def intervals(self, kind: str | None = None) -> Array:
        """Lower and upper ends of the intervals, shape (R, 2).

        Parameters
        ----------
        kind : {"wald", "percentile"}, optional
            Quantiles of the replicates, or symmetric on a scale on which they stay inside the domain. None takes
            quantiles where there are replicates.
        """
        choices = {"wald": self._wald, "percentile": self._percentile}
        chosen = ("wald" if self.replicates is None else "percentile") if kind is None else kind
        if chosen not in choices or (chosen == "percentile" and self.replicates is None):
            known = ["wald"] if self.replicates is None else list(choices)
            msg = f"interval is {kind!r}; expected one of {known} (percentile needs method='bootstrap')."
            raise InvalidParameterError(msg)
        return choices[chosen]()

    def _wald(self) -> Array:
        pairs = zip(self.parameters, self.standard_error, strict=True)
        return np.array([wald(row, float(error), self.level) for row, error in pairs])

    def _percentile(self) -> Array:
        tail = (1.0 - self.level) / 2.0
        return np.quantile(np.asarray(self.replicates), [tail, 1.0 - tail], axis=0).T

    def frame(self, library: str | None = None, *, interval: str | None = None) -> Any:
        """A tidy frame: component, parameter, feature, other_feature, estimate, standard_error, lower, upper.

        Parameters
        ----------
        library : {"pandas", "polars", "pyarrow"}, optional
            None takes pandas, or polars where pandas is missing.
        interval : {"wald", "percentile"}, optional
            See `intervals`.

        Returns
        -------
        data frame
            Component -1 stands for all components.
        """
        from mixtura.data.frames import make_frame

        ends = self.intervals(interval)
        names = ("component", "parameter", "feature", "other_feature", "estimate")
        columns: dict[str, Any] = {name: [row[i] for row in self.parameters] for i, name in enumerate(names)}
        columns |= {"standard_error": self.standard_error, "lower": ends[:, 0], "upper": ends[:, 1]}
        return make_frame(columns, library)

    def __str__(self) -> str:
        ends = self.intervals()
        cells = [["parameter", "estimate", "standard error", f"{self.level:.0%} interval"]]
        for row, error, (low, high) in zip(self.parameters, self.standard_error, ends, strict=True):
            cells.append([str(row), f"{row.value:.5g}", f"{error:.3g}", f"{low:.5g} to {high:.5g}"])
        widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
        lines = [
            "  ".join(cell.rjust(size) for cell, size in zip(line, widths, strict=True)) for line in cells
        ]
        return "\n".join([f"Standard errors: {self.method}, n = {self.n_units:g}", *lines, *self.notes])


class Method(ABC):
    """A way to standard errors."""

    #: Whether it takes the weighted log-likelihood for the log-likelihood of independent rows.
    needs_likelihood: ClassVar[bool] = True

    @abstractmethod
    def __call__(self, fit: Fit, read: Reader, level: float) -> StandardErrors:
        """Standard errors of what `read` makes of the model of a fit."""
