r"""Degrees of freedom of Student-t components: own ones, one for all, or known ones.

Notation: u the scale variable of a row, Gamma(nu/2, nu/2) given the component; y = nu/2. The part of the expected complete
log-likelihood that depends on y is N (y log y - log Gamma(y)) + y (sum r log u - sum r u), concave in y; its maximum solves
log y - digamma(y) = gap with gap = -1 - (sum r log u - sum r u) / N. That is the EM step, which always raises the likelihood, and
crawls where components are nearly normal: what u would tell about nu is then almost all that is missing. Newton's step on the
likelihood itself (in 1/nu, which is regular at the normal law) is taken instead where it goes uphill; it moves nu by no more
than a factor of eight, and is marked inexact, so that the driver goes back where it overshot.

References
----------
.. [1] D. Peel, G. J. McLachlan (2000), Robust mixture modelling using the t distribution, Statistics and Computing 10, 339-348,
   equation 30.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mixtura.exceptions import InvalidParameterError
from mixtura.families._solvers import gamma_shape
from mixtura.protocols import Array

__all__ = ["LARGEST", "SMALLEST", "Degrees", "FixedDegrees", "OwnDegrees", "SharedDegrees", "Slopes"]

# Degrees of freedom that are learnt stay between: beyond, a row more or less decides, and a thousand is normal to three digits.
SMALLEST, LARGEST = 0.5, 1000.0
# Before there are parameters: heavy enough that the first steps weigh outliers down.
_START = 10.0
_FARTHEST = 8.0
# Above, gamma functions cancel.
_MOST_FIXED = 1e6


class Slopes(NamedTuple):
    """What a pass says about degrees of freedom, each with shape (K,).

    Parameters
    ----------
    counts : ndarray
        N.
    gaps : ndarray
        N times the gap of the module's docstring.
    gradient, curvature : ndarray
        Derivatives of sum r log p by nu.
    """

    counts: Array
    gaps: Array
    gradient: Array
    curvature: Array


class Degrees(ABC):
    """What is known about the degrees of freedom."""

    #: Whether every step raises the likelihood.
    exact = True

    @property
    def start(self) -> float:
        """Degrees of freedom before the first step."""
        return _START

    @abstractmethod
    def n_parameters(self, n_components: int) -> int:
        """Free parameters."""

    @abstractmethod
    def maximize(self, slopes: Slopes, before: Array | None = None) -> Array:
        """Degrees of freedom (K,) after a step; `before` are those that the slopes belong to."""

    @abstractmethod
    def free(self, degrees: Array) -> Array:
        """Unconstrained coordinates."""

    @abstractmethod
    def from_free(self, vector: Array, n_components: int) -> Array:
        """Inverse of `free`, shape (K,)."""


@dataclass(frozen=True)
class OwnDegrees(Degrees):
    """Every component learns its own.

    Parameters
    ----------
    newton : bool, default True
        Whether Newton's step is taken where it goes uphill. Without it every step is one of EM.

    Examples
    --------
    >>> none = np.zeros(2)
    >>> OwnDegrees().maximize(Slopes(np.ones(2), np.array([0.5, 1e-9]), none, none)).round(
    ...     3
    ... )  # the second all but normal
    array([   2.275, 1000.   ])
    """

    newton: bool = True

    @property
    def exact(self) -> bool:  # type: ignore[override]
        """EM steps are, Newton's are not."""
        return not self.newton

    def n_parameters(self, n_components: int) -> int:
        """K."""
        return n_components

    def maximize(self, slopes: Slopes, before: Array | None = None) -> Array:
        """Newton's step, or that of EM; at most the end of the range."""
        counts, gaps, gradient, curvature = map(self._pooled, slopes)
        degrees = 2.0 * gamma_shape(np.maximum(gaps / counts, 1.0 / LARGEST**2))
        if before is not None and self.newton:
            inverse = 1.0 / before
            first, second = -(before**2) * gradient, before**4 * curvature + 2.0 * before**3 * gradient
            concave = second < 0
            moved = inverse - first / np.where(concave, second, -1.0)
            moved = np.clip(moved, inverse / _FARTHEST, inverse * _FARTHEST)
            degrees = np.where(concave, 1.0 / moved, degrees)
        return _bounded(degrees)

    def _pooled(self, sums: Array) -> Array:
        """Sums of what has the same degrees of freedom."""
        return sums

    def free(self, degrees: Array) -> Array:
        """Logarithms."""
        return np.log(degrees)

    def from_free(self, vector: Array, n_components: int) -> Array:
        """Inverse of `free`, inside the range."""
        return _bounded(np.exp(np.clip(vector, -50.0, 50.0)))


@dataclass(frozen=True)
class SharedDegrees(OwnDegrees):
    """All components learn one.

    Examples
    --------
    >>> slopes = Slopes(np.array([1.0, 3.0]), np.array([0.8, 1.2]), np.zeros(2), np.zeros(2))
    >>> SharedDegrees().maximize(slopes).round(3)  # the average gap is 0.5
    array([2.275, 2.275])
    """

    def n_parameters(self, n_components: int) -> int:
        """1."""
        return 1

    def _pooled(self, sums: Array) -> Array:
        """The total, for every component."""
        return np.full(len(sums), sums.sum())

    def free(self, degrees: Array) -> Array:
        """One logarithm."""
        return np.log(degrees[:1])

    def from_free(self, vector: Array, n_components: int) -> Array:
        """Inverse of `free`."""
        return np.repeat(super().from_free(vector, 1), n_components)


@dataclass(frozen=True)
class FixedDegrees(Degrees):
    """Known degrees of freedom.

    Parameters
    ----------
    value : float
        Positive, at most a million; 1 is Cauchy's law.

    Examples
    --------
    >>> FixedDegrees(4.0).from_free(np.empty(0), 2)
    array([4., 4.])
    """

    value: float

    def __post_init__(self) -> None:
        if not 0.0 < self.value <= _MOST_FIXED:
            msg = (
                f"degrees_of_freedom is {self.value!r}; expected a number above 0 and up to {_MOST_FIXED:g}."
            )
            raise InvalidParameterError(msg)

    @property
    def start(self) -> float:
        """The value."""
        return float(self.value)

    def n_parameters(self, n_components: int) -> int:
        """None."""
        return 0

    def maximize(self, slopes: Slopes, before: Array | None = None) -> Array:
        """The value."""
        return np.full(len(slopes.counts), float(self.value))

    def free(self, degrees: Array) -> Array:
        """Nothing is free."""
        return np.empty(0)

    def from_free(self, vector: Array, n_components: int) -> Array:
        """The value."""
        return np.full(n_components, float(self.value))


def _bounded(degrees: Array) -> Array:
    return np.asarray(np.clip(degrees, SMALLEST, LARGEST))
