r"""Degrees of freedom of Student-t components: own ones, one for all, or known ones.

Notation: u the scale variable of a row, Gamma(nu/2, nu/2) given the component; y = nu/2. The part of the expected complete
log-likelihood that depends on y is N (y log y - log Gamma(y)) + y (sum r log u - sum r u), concave in y; its maximum solves
log y - digamma(y) = gap with gap = -1 - (sum r log u - sum r u) / N.

References
----------
.. [1] D. Peel, G. J. McLachlan (2000), Robust mixture modelling using the t distribution, Statistics and Computing 10, 339-348,
   equation 30.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from mixtura.exceptions import InvalidParameterError
from mixtura.families._solvers import gamma_shape
from mixtura.protocols import Array

__all__ = ["LARGEST", "SMALLEST", "Degrees", "FixedDegrees", "OwnDegrees", "SharedDegrees"]

# Degrees of freedom that are learnt stay between: beyond, a row more or less decides, and a thousand is normal to three digits.
SMALLEST, LARGEST = 0.5, 1000.0
# Before there are parameters: heavy enough that the first steps weigh outliers down.
_START = 10.0
# Above, gamma functions cancel.
_MOST_FIXED = 1e6


class Degrees(ABC):
    """What is known about the degrees of freedom."""

    @property
    def start(self) -> float:
        """Degrees of freedom before the first step."""
        return _START

    @abstractmethod
    def n_parameters(self, n_components: int) -> int:
        """Free parameters."""

    @abstractmethod
    def maximize(self, count: Array, gap: Array) -> Array:
        """Degrees of freedom (K,) from weighted counts and gaps (K,) of the module's docstring."""

    @abstractmethod
    def free(self, degrees: Array) -> Array:
        """Unconstrained coordinates."""

    @abstractmethod
    def from_free(self, vector: Array, n_components: int) -> Array:
        """Inverse of `free`, shape (K,)."""


@dataclass(frozen=True)
class OwnDegrees(Degrees):
    """Every component learns its own.

    Examples
    --------
    >>> OwnDegrees().maximize(np.ones(2), np.array([0.5, 1e-9])).round(3)  # the second as normal as can be
    array([   2.315, 1000.   ])
    """

    def n_parameters(self, n_components: int) -> int:
        """K."""
        return n_components

    def maximize(self, count: Array, gap: Array) -> Array:
        """The root, or the end of the range that is nearer to it."""
        return _bounded(2.0 * gamma_shape(np.maximum(gap, 1.0 / LARGEST**2)))

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
    >>> SharedDegrees().maximize(np.array([1.0, 3.0]), np.array([0.8, 0.4])).round(
    ...     3
    ... )  # the average gap is 0.5
    array([2.315, 2.315])
    """

    def n_parameters(self, n_components: int) -> int:
        """1."""
        return 1

    def maximize(self, count: Array, gap: Array) -> Array:
        """The root of the average gap."""
        return super().maximize(count, np.full(len(count), count @ gap / count.sum()))

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
    >>> FixedDegrees(4.0).maximize(np.ones(2), np.ones(2))
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

    def maximize(self, count: Array, gap: Array) -> Array:
        """The value."""
        return np.full(len(count), float(self.value))

    def free(self, degrees: Array) -> Array:
        """Nothing is free."""
        return np.empty(0)

    def from_free(self, vector: Array, n_components: int) -> Array:
        """The value."""
        return np.full(n_components, float(self.value))


def _bounded(degrees: Array) -> Array:
    return np.asarray(np.clip(degrees, SMALLEST, LARGEST))
