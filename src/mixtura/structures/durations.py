r"""How long a state lasts, as objects: free, geometric, Poisson or negative binomial.

A law says the hazards :math:`h(d) = p(d)/P(\ge d)` of its K states at ages 1 to D; from age D on the hazard stays what it is there.
Given expected numbers :math:`E(d)` of ends at age d and :math:`S(d)` of rows of that age after which the state went on, the
expected log-likelihood of a state is :math:`\sum_d E(d)\log h(d) + S(d)\log\{1-h(d)\}`, censored last segments included. Free
hazards are at its maximum where :math:`h = E/(E+S)`, as in a life table ([1]_); laws with parameters are searched for it, and
keep what they have where the search finds nothing better.

The file is long because the four laws stand side by side.

References
----------
.. [1] E. L. Kaplan and P. Meier (1958), "Nonparametric estimation from incomplete observations", Journal of the American
   Statistical Association 53(282), 457-481.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Protocol, Self

import numpy as np
from scipy.optimize import minimize
from scipy.special import betainc, digamma, gammainc, gammaln, xlogy

from mixtura.exceptions import InvalidParameterError
from mixtura.protocols import Array

__all__ = [
    "DurationLaw",
    "FreeDurations",
    "GeometricDurations",
    "NegativeBinomialDurations",
    "PoissonDurations",
    "expected_log_hazard",
]

# Logarithms of odds between which free hazards are moved.
_FARTHEST = 700.0
# Hazards that are neither 0 nor 1 stay within: what is possible stays so.
_INSIDE = (1e-300, 1.0 - 2.0**-53)
# Probability to reach an age below which its hazard is not computed.
_LEAST = 1e-280


class DurationLaw(Protocol):
    """How long each of K states lasts."""

    @property
    def hazard(self) -> Array:
        """Probabilities (K, D) that a state of each age ends."""
        ...

    def n_parameters(self) -> int:
        """Free numbers of all states."""
        ...

    def maximize(self, exits: Array, stays: Array) -> Self:
        """From expected numbers (K, D) of ends at each age, and of rows after which the state went on."""
        ...

    def means(self) -> Array:
        """Expected numbers of rows (K,)."""
        ...

    def coordinates(self) -> Array:
        """Parameters as one vector of which every value is valid."""
        ...

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`."""
        ...

    def take(self, components: Sequence[int] | Array) -> Self:
        """Some of the states."""
        ...


def expected_log_hazard(law: DurationLaw, exits: Array, stays: Array) -> float:
    """sum E log h + S log(1 - h), with 0 log 0 = 0."""
    with np.errstate(divide="ignore"):
        ends, goes_on = np.log(law.hazard), np.log1p(-law.hazard)
    return float(
        np.sum(np.where(exits == 0, 0.0, ends) * exits) + np.sum(np.where(stays == 0, 0.0, goes_on) * stays)
    )


def _mean_of(hazard: Array) -> Array:
    """Expected durations: sums of the probabilities to reach each age, the last ones a geometric series."""
    reach = np.concatenate([np.ones((len(hazard), 1)), np.cumprod(1.0 - hazard[:, :-1], axis=1)], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        tail = np.where(reach[:, -1] > 0, reach[:, -1] / hazard[:, -1], 0.0)
    return np.asarray(reach[:, :-1].sum(axis=1) + tail)


class FreeDurations:
    """A hazard of its own at every age.

    Parameters
    ----------
    hazard : ndarray, shape (K, D)
        Where it is 1 the state cannot grow older, where it is 0 it cannot end: both stay so.

    Examples
    --------
    >>> law = FreeDurations.of(np.array([[0.2, 0.3, 0.5]]))
    >>> law.hazard, law.means()
    (array([[0.2  , 0.375, 1.   ]]), array([2.3]))
    """

    def __init__(self, hazard: Array) -> None:
        self.hazard = np.asarray(hazard, dtype=np.float64)
        bad = np.argwhere(~((self.hazard >= 0.0) & (self.hazard <= 1.0)))
        if bad.size:
            state, age = (int(i) for i in bad[0])
            msg = (
                f"Durations: the hazard of state {state} at age {age + 1} is {self.hazard[state, age]:.6g}; expected a probability "
                "from 0 to 1."
            )
            raise InvalidParameterError(msg)

    @classmethod
    def of(cls, probabilities: Array) -> Self:
        """From the probabilities (K, D) of the durations 1 to D, of which none is longer."""
        share = np.asarray(probabilities, dtype=np.float64)
        share = share / share.sum(axis=1, keepdims=True)
        reach = np.cumsum(share[:, ::-1], axis=1)[:, ::-1]
        hazard = np.where(reach > 0, np.minimum(share / np.where(reach > 0, reach, 1.0), 1.0), 1.0)
        hazard[:, -1] = 1.0
        return cls(hazard)

    @classmethod
    def from_means(cls, means: Array, n_ages: int) -> Self:
        """Hazards alike at all ages, with the given expected durations (K,)."""
        return cls(np.repeat(1.0 / np.maximum(means, 1.0 + 1e-9)[:, None], n_ages, axis=1))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(K={self.hazard.shape[0]}, ages={self.hazard.shape[1]})"

    def means(self) -> Array:
        """Expected numbers of rows (K,)."""
        return _mean_of(self.hazard)

    @property
    def _open(self) -> Array:
        return (self.hazard > 0.0) & (self.hazard < 1.0)

    def n_parameters(self) -> int:
        """Hazards that are neither 0 nor 1."""
        return int(np.count_nonzero(self._open))

    def maximize(self, exits: Array, stays: Array) -> Self:
        """E / (E + S); an age that is never reached keeps its hazard."""
        total = exits + stays
        new = np.where(total > 0, exits / np.where(total > 0, total, 1.0), self.hazard)
        return type(self)(np.where(self._open, np.clip(new, *_INSIDE), new))

    def coordinates(self) -> Array:
        """Log odds of the hazards that are neither 0 nor 1."""
        own = self.hazard[self._open]
        return np.asarray(np.clip(np.log(own) - np.log1p(-own), -_FARTHEST, _FARTHEST))

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`."""
        hazard = self.hazard.copy()
        hazard[self._open] = 1.0 / (1.0 + np.exp(-np.clip(vector, -_FARTHEST, _FARTHEST)))
        return type(self)(hazard)

    def take(self, components: Sequence[int] | Array) -> Self:
        """Some of the states."""
        return type(self)(self.hazard[np.asarray(components, dtype=np.intp)])


class GeometricDurations(FreeDurations):
    """One hazard at all ages: the durations of a Markov chain.

    Parameters
    ----------
    hazard : ndarray, shape (K, 1)
        Probabilities that a state ends.

    Examples
    --------
    >>> GeometricDurations(np.array([[0.25]])).means()
    array([4.])
    """

    @classmethod
    def from_means(cls, means: Array, n_ages: int = 1) -> Self:
        """With the given expected durations (K,); one age serves for all."""
        return super().from_means(means, min(n_ages, 1))


class PoissonDurations:
    """Durations of 1 plus a Poisson number.

    Parameters
    ----------
    means : ndarray, shape (K,)
        Expected durations, above 1.
    n_ages : int
        D, from which on the hazard stays: several times the means.

    Examples
    --------
    >>> law = PoissonDurations(np.array([3.0]), 20)
    >>> law.hazard[0, :3].round(3), law.means().round(6)
    (array([0.135, 0.313, 0.456]), array([3.]))
    """

    #: Logarithms of the parameters stay within.
    bounds: tuple[tuple[float, float], ...] = ((-18.0, 9.0),)

    def __init__(self, means: Array, n_ages: int) -> None:
        self._from(np.log(np.maximum(np.asarray(means, dtype=np.float64) - 1.0, 1e-7))[:, None], n_ages)

    def _from(self, logs: Array, n_ages: int) -> None:
        low, high = np.transpose(self.bounds)
        self.logs, self.n_ages = np.clip(logs, low, high), int(n_ages)
        if self.n_ages != n_ages or n_ages < 1:
            msg = f"Durations: n_ages is {n_ages!r}; expected a positive integer, several times the expected durations."
            raise InvalidParameterError(msg)

    def replace(self, logs: Array) -> Self:
        """Other logarithms of the parameters (K, P)."""
        new: Self = object.__new__(type(self))
        new._from(logs, self.n_ages)
        return new

    @classmethod
    def from_means(cls, means: Array, n_ages: int) -> Self:
        """With the given expected durations (K,)."""
        return cls(np.maximum(means, 1.0 + 1e-3), n_ages)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(K={len(self.logs)}, ages={self.n_ages})"

    @cached_property
    def hazard(self) -> Array:
        """Probabilities (K, D) that a state of each age ends."""
        return np.stack([self._hazard(row) for row in self.logs])

    def _hazard(self, logs: Array) -> Array:
        """Of one state, (D,)."""
        return _hazard_of(*self._density(logs)[:2])[0]

    def _density(self, logs: Array) -> tuple[Array, Array, Array]:
        """Of the number above one row: log p (D,), P(at least 1, 2, ...), and slopes (P, D) of log p by the logs of the parameters."""
        number, mean = np.arange(self.n_ages), np.exp(logs[0])
        log_density = xlogy(number, mean) - mean - gammaln(number + 1.0)
        return log_density, gammainc(number[1:], mean), (number - mean)[None]

    def means(self) -> Array:
        """Expected numbers of rows (K,)."""
        return _mean_of(self.hazard)

    def n_parameters(self) -> int:
        """One for each state."""
        return self.logs.size

    def maximize(self, exits: Array, stays: Array) -> Self:
        """State by state, from where they are and from the moments of the ends."""
        return self.replace(
            np.stack([self._searched(*row) for row in zip(self.logs, exits, stays, strict=True)])
        )

    def _start(self, exits: Array, stays: Array) -> Array:
        """Where else to begin: the mean that all rows over all ends would have."""
        return np.log([max(float(stays.sum()) / max(float(exits.sum()), 1e-300), 1e-7)])

    def _searched(self, logs: Array, exits: Array, stays: Array) -> Array:
        """The maximum for one state."""
        size = float(exits.sum() + stays.sum())
        if not size > 0:
            return logs

        def loss(vector: Array) -> tuple[float, Array]:
            log_density, at_least, slopes = self._density(vector)
            hazard, last = _hazard_of(log_density, at_least)
            with np.errstate(divide="ignore"):
                ends = np.where(exits > 0, np.log(hazard), 0.0)
                on = np.where(stays > 0, np.log1p(-hazard), 0.0)
            value = -float(exits @ ends + stays @ on) / size
            if not np.isfinite(value):
                return 1e30, np.zeros(len(vector))
            # The slope of P(at least d) is minus that of what lies below.
            below = np.cumsum(np.exp(log_density) * slopes, axis=1)[:, :-1]
            rise = slopes - np.concatenate(
                [np.zeros((len(slopes), 1)), -below / np.maximum(at_least, _LEAST)], axis=1
            )
            rise[:, last + 1 :] = rise[:, [last]]
            pull = exits - np.where(stays > 0, stays * hazard / np.where(stays > 0, 1.0 - hazard, 1.0), 0.0)
            return value, -(rise @ pull) / size

        low, high = np.transpose(self.bounds)
        starts = (logs, np.clip(self._start(exits, stays), low, high))
        losses = [loss(start)[0] for start in starts]
        search = minimize(
            loss,
            starts[int(np.argmin(losses))],
            jac=True,
            method="L-BFGS-B",
            bounds=self.bounds,
            options={"ftol": 1e-15, "gtol": 1e-11},
        )
        return np.asarray(search.x) if search.fun < losses[0] else logs

    def coordinates(self) -> Array:
        """Logarithms of the parameters."""
        return self.logs.ravel()

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`."""
        return self.replace(np.reshape(vector, self.logs.shape))

    def take(self, components: Sequence[int] | Array) -> Self:
        """Some of the states."""
        return self.replace(self.logs[np.asarray(components, dtype=np.intp)])


class NegativeBinomialDurations(PoissonDurations):
    """Durations of 1 plus a negative binomial number: from shorter-tailed than geometric (size above 1) to longer-tailed.

    Parameters
    ----------
    means : ndarray, shape (K,)
        Expected durations, above 1.
    size : float or ndarray, shape (K,)
        Shape r: 1 is geometric, large values are Poisson.
    n_ages : int
        D, from which on the hazard stays, which is nearly that of the law.

    Examples
    --------
    >>> NegativeBinomialDurations(np.array([4.0]), 1.0, 3).hazard.round(6)
    array([[0.25, 0.25, 0.25]])
    """

    bounds = ((-18.0, 9.0), (-5.0, 9.0))

    def __init__(self, means: Array, size: Array | float, n_ages: int) -> None:
        longer = np.maximum(np.asarray(means, dtype=np.float64) - 1.0, 1e-7)
        self._from(np.log(np.stack([longer, np.broadcast_to(size, longer.shape)], axis=1)), n_ages)

    @classmethod
    def from_means(cls, means: Array, n_ages: int) -> Self:
        """With the given expected durations (K,), and size 2."""
        return cls(np.maximum(means, 1.0 + 1e-3), 2.0, n_ages)

    def _density(self, logs: Array) -> tuple[Array, Array, Array]:
        mean, size = np.exp(logs)
        number, share = np.arange(self.n_ages), mean / (size + mean)
        chosen = gammaln(number + size) - gammaln(number + 1.0) - gammaln(size)
        log_density = chosen + xlogy(number, share) + size * np.log1p(-share)
        by_mean = size * (number - mean) / (size + mean)
        by_size = size * (digamma(number + size) - digamma(size) + np.log1p(-share)) - by_mean
        return log_density, betainc(number[1:], size, share), np.stack([by_mean, by_size])

    def _start(self, exits: Array, stays: Array) -> Array:
        return np.append(super()._start(exits, stays), 0.5)


def _hazard_of(log_density: Array, at_least: Array) -> tuple[Array, int]:
    """p(d) / P(at least d), and the age from which on it stays, because the probability to reach it underflows, or as the last."""
    usable = at_least > _LEAST
    with np.errstate(divide="ignore"):
        hazard = np.exp(np.minimum(log_density - np.concatenate([[0.0], np.log(at_least)]), 0.0))
    last = int(np.count_nonzero(np.cumprod(usable)))
    hazard[last + 1 :] = hazard[last]
    return np.asarray(hazard), last
