"""Laws of the first state of a linear dynamical system, as objects: free, known, or stationary.

A law also runs the filter and the smoother, because a law without a density (a diffuse first state) needs its own way to begin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from scipy.linalg import solve_discrete_lyapunov

from mixtura.chains.kalman import Filtered, FilterForm, Smoothed, Steps
from mixtura.chains.linear_gaussian_laws import FreeNoise, NoiseLaw
from mixtura.chains.linear_gaussian_system import System
from mixtura.exceptions import InvalidParameterError
from mixtura.protocols import Array

__all__ = ["FirstSums", "FreeInitial", "InitialLaw", "KnownInitial", "StationaryInitial"]


@dataclass(frozen=True)
class FirstSums:
    """Expected sums over the first states of all sequences.

    Parameters
    ----------
    count : float
        Weight of the sequences.
    first : ndarray, shape (S,)
        Sum of E[z_1].
    second : ndarray, shape (S, S)
        Sum of E[z_1 z_1'].
    """

    count: float
    first: Array
    second: Array

    def scatter(self, mean: Array) -> Array:
        """Sum of E[(z_1 - m)(z_1 - m)'], shape (S, S)."""
        away = np.outer(mean, self.first)
        return np.asarray(self.second - away - away.T + self.count * np.outer(mean, mean))


class InitialLaw(Protocol):
    """How the first state is distributed, how that is learnt, and how the recursions begin."""

    @property
    def exact(self) -> bool:
        """Whether the M-step of the whole system stays an exact maximum."""
        ...

    def filter(self, form: FilterForm, steps: Steps) -> Filtered:
        """States given the rows up to theirs."""
        ...

    def smooth(self, form: FilterForm, steps: Steps, filtered: Filtered) -> Smoothed:
        """States given all rows of their sequence."""
        ...

    def maximize(self, sums: FirstSums, system: System) -> tuple[Array, Array]:
        """Mean and covariance of the first state; `system` has the new parameters of all else, and the old ones of this."""
        ...

    def forbidden(self, mean: Array, covariance: Array) -> Array:
        """What of a change of both the law does not allow, as a vector of zeros where it allows all."""
        ...

    def coordinates(self, system: System) -> Array:
        """What is free of them, as a vector of which every value is valid."""
        ...

    def from_coordinates(self, vector: Array, system: System) -> tuple[Array, Array]:
        """Inverse of `coordinates`."""
        ...

    def take(self, states: Array) -> Self:
        """The law of some of the states."""
        ...


class KnownInitial:
    """Mean and covariance are not learnt.

    Examples
    --------
    >>> KnownInitial().coordinates(System.of(np.eye(1), np.eye(1), np.eye(1), np.eye(1)))
    array([], dtype=float64)
    """

    exact = True

    def filter(self, form: FilterForm, steps: Steps) -> Filtered:
        """The form's filter."""
        return form.filter(steps)

    def smooth(self, form: FilterForm, steps: Steps, filtered: Filtered) -> Smoothed:
        """The form's smoother."""
        return form.smooth(steps, filtered)

    def maximize(self, sums: FirstSums, system: System) -> tuple[Array, Array]:
        """As they are."""
        return system.initial_mean, system.initial_covariance

    def forbidden(self, mean: Array, covariance: Array) -> Array:
        """All."""
        return np.append(mean, covariance)

    def coordinates(self, system: System) -> Array:
        """None."""
        return np.empty(0)

    def from_coordinates(self, vector: Array, system: System) -> tuple[Array, Array]:
        """As they are."""
        return system.initial_mean, system.initial_covariance

    def take(self, states: Array) -> Self:
        """The same."""
        return self


class FreeInitial(KnownInitial):
    """Mean and covariance are learnt from the first states of all sequences.

    With one sequence the likelihood is highest where the covariance is zero, and EM goes there slowly: leave it known then.

    Parameters
    ----------
    covariance : NoiseLaw, default FreeNoise()
        How the covariance is learnt.
    known_mean : bool, default False
        Whether the mean is known.

    Examples
    --------
    >>> system = System.of(np.eye(1), np.eye(1), np.eye(1), np.eye(1))
    >>> FreeInitial().maximize(FirstSums(2.0, np.array([4.0]), np.array([[10.0]])), system)
    (array([2.]), array([[1.]]))
    """

    def __init__(self, covariance: NoiseLaw | None = None, *, known_mean: bool = False) -> None:
        self.covariance: NoiseLaw = FreeNoise() if covariance is None else covariance
        self.known_mean = known_mean

    def maximize(self, sums: FirstSums, system: System) -> tuple[Array, Array]:
        """Mean, and mean square about it."""
        if sums.count <= 0:
            return system.initial_mean, system.initial_covariance
        mean = system.initial_mean if self.known_mean else sums.first / sums.count
        scatter = sums.scatter(mean)
        found = self.covariance.maximize(0.5 * (scatter + scatter.T), sums.count, system.initial_covariance)
        return mean, found

    def forbidden(self, mean: Array, covariance: Array) -> Array:
        """A change of a known mean, and what the covariance's law does not allow."""
        return np.append(mean[: len(mean) * self.known_mean], self.covariance.forbidden(covariance))

    def coordinates(self, system: System) -> Array:
        """Mean, and what is free of the covariance."""
        mean = system.initial_mean[: system.n_states * (not self.known_mean)]
        return np.concatenate([mean, self.covariance.coordinates(system.initial_covariance)])

    def from_coordinates(self, vector: Array, system: System) -> tuple[Array, Array]:
        """Inverse of `coordinates`."""
        size = system.n_states * (not self.known_mean)
        mean, free = (vector[:size] if size else system.initial_mean), vector[size:]
        return mean, self.covariance.from_coordinates(free, system.initial_covariance)

    def take(self, states: Array) -> Self:
        """With the covariance's law of these states."""
        return type(self)(self.covariance.take(states), known_mean=self.known_mean)


@dataclass(frozen=True)
class StationaryInitial(KnownInitial):
    """The system has been running for ever: the first state has its long-run law.

    The M-step leaves the first states out of the estimates of A and Gamma, so it is marked inexact. Where the system is not stable
    there is no such law: mean and covariance stay as they are in the M-step.

    Examples
    --------
    >>> StationaryInitial.law(System.of(0.6 * np.eye(1), np.eye(1), np.eye(1), np.eye(1)))
    (array([0.]), array([[1.5625]]))
    """

    exact = False

    @staticmethod
    def law(system: System) -> tuple[Array, Array]:
        """Mean (at inputs of zero) and covariance in the long run.

        Raises
        ------
        InvalidParameterError
            If the system is not stable.
        """
        size = system.spectral_radius
        if size >= 1.0:
            msg = (
                f"The transition matrix has an eigenvalue of size {size:.6g}; a stationary first state needs all below 1. "
                "Give the law of the first state, or learn it."
            )
            raise InvalidParameterError(msg)
        covariance = solve_discrete_lyapunov(system.transition, system.state_noise)
        mean = np.linalg.solve(np.eye(system.n_states) - system.transition, system.state_bias)
        return mean, 0.5 * (covariance + covariance.T)

    def maximize(self, sums: FirstSums, system: System) -> tuple[Array, Array]:
        """The long-run law of the new system."""
        if system.spectral_radius >= 1.0:
            return system.initial_mean, system.initial_covariance
        return self.law(system)

    def forbidden(self, mean: Array, covariance: Array) -> Array:
        """Nothing: they follow from the rest."""
        return np.empty(0)

    def from_coordinates(self, vector: Array, system: System) -> tuple[Array, Array]:
        """The long-run law."""
        return self.maximize(FirstSums(0.0, system.initial_mean, system.initial_covariance), system)
