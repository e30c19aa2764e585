"""How the prior variances of the coefficients are learnt: not at all, one for all, or each its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.optimize import brentq, minimize_scalar

from mixtura.chains.moments import Moments
from mixtura.chains.posterior import Posterior
from mixtura.chains.relevance import Worth, sweep
from mixtura.protocols import Array
from mixtura.statistics import Statistics

__all__ = ["CommonVariance", "IndividualVariances", "KnownVariances", "PriorVariances", "Seen"]


# How far a search for the logarithm of the variances' ratio looks, and how closely before the slope takes over.
_FAR, _CLOSE = 5.0, 1e-4


@dataclass(frozen=True)
class Seen:
    """What a bold step is made from.

    Parameters
    ----------
    moments : Moments
        Of the rows.
    posterior : Posterior
        Under the present variances.
    prior : Statistics
        Pseudo-statistics of the hyper-priors.
    noise_variance : float
        The present one.
    learn_noise : bool
        Whether it is learnt.
    """

    moments: Moments
    posterior: Posterior
    prior: Statistics
    noise_variance: float
    learn_noise: bool

    @property
    def noise(self) -> float:
        """MacKay's fixed point: squared residuals over N less the number of well-determined coefficients [1]_.

        References
        ----------
        .. [1] D. J. C. MacKay (1992), Bayesian interpolation, Neural Computation 4(3), 415-447.
        """
        freedom = self.moments.count - self.posterior.determined.sum() + self.prior["count"][0]
        if not self.learn_noise or freedom <= 0:
            return self.noise_variance
        return float((self.posterior.residual + self.prior["residual"][0]) / freedom)


class PriorVariances(Protocol):
    """How the prior variances of the coefficients are learnt."""

    @property
    def threshold(self) -> float:
        """Nats that a coefficient must earn to be kept."""
        ...

    def maximize(self, variances: Array, stats: Statistics) -> Array:
        """The M-step, shape (D,)."""
        ...

    def leaps(self, variances: Array, seen: Seen) -> Iterator[tuple[float, Array]]:
        """Noise and prior variances to try instead of the M-step's, the boldest first."""
        ...

    def pseudo(self, n_features: int, shape: float, rate: float) -> tuple[Array, Array]:
        """Counts and squares that amount to a Gamma hyper-prior."""
        ...


@dataclass(frozen=True)
class KnownVariances:
    """They are given and stay."""

    threshold: float = 0.0

    def maximize(self, variances: Array, stats: Statistics) -> Array:
        """As they are."""
        return variances

    def leaps(self, variances: Array, seen: Seen) -> Iterator[tuple[float, Array]]:
        """The noise alone."""
        yield seen.noise, variances

    def pseudo(self, n_features: int, shape: float, rate: float) -> tuple[Array, Array]:
        """None."""
        return np.zeros(n_features), np.zeros(n_features)


@dataclass(frozen=True)
class CommonVariance:
    """One variance for all coefficients: evidence maximisation in the narrow sense, ridge with a learnt penalty."""

    threshold: float = 0.0

    def maximize(self, variances: Array, stats: Statistics) -> Array:
        """Sum of expected squares over their number."""
        return np.full_like(variances, stats["square"].sum() / stats["coefficient_count"].sum())

    def leaps(self, variances: Array, seen: Seen) -> Iterator[tuple[float, Array]]:
        """The best ratio of the two variances; MacKay's fixed point, squares of the mean over well-determined coefficients."""
        if seen.moments.alike:
            noise, variance = _best_ratio(float(variances[0]), seen)
            yield noise, np.full_like(variances, variance)
        number = seen.posterior.determined.sum() + seen.prior["coefficient_count"].sum()
        squares = seen.posterior.mean @ seen.posterior.mean + seen.prior["square"].sum()
        yield seen.noise, np.full_like(variances, squares / number) if number > 0 else variances

    def pseudo(self, n_features: int, shape: float, rate: float) -> tuple[Array, Array]:
        """One precision, so one hyper-prior, shared out."""
        each = np.full(n_features, 2.0 / n_features)
        return shape * each, rate * each


def _best_ratio(variance: float, seen: Seen) -> tuple[float, float]:
    """Noise and prior variance of the best ratio r = s² / t² near the present one.

    Given r, the objective is -(n log s² + Q(r) / s² + sum log(1 + l_i / r)) / 2 up to the hyper-priors, with eigenvalues l_i,
    c = V'X'y and Q(r) the least sum of squared residuals plus sum c_i² r / (l_i (l_i + r)): so the best s² is Q / n, and what is
    left to search is one number, at D operations a trial.
    """
    spectrum = seen.moments.spectrum
    values, present = spectrum.values, seen.noise_variance / variance
    loads = spectrum.cross**2 / np.where(values > 0, values, 1.0)
    least = seen.moments.least_squares.residual
    shape, rate = seen.prior["coefficient_count"].sum(), seen.prior["square"].sum()
    count = seen.moments.count + seen.prior["count"][0] + shape

    def parts(logarithm: float) -> tuple[float, float, float]:
        ratio = present * float(np.exp(logarithm))
        squares = (
            least + seen.prior["residual"][0] + float(np.sum(loads * ratio / (values + ratio))) + rate * ratio
        )
        return ratio, squares, squares / count if seen.learn_noise else seen.noise_variance

    def fall(logarithm: float) -> float:
        ratio, squares, noise = parts(logarithm)
        if noise <= 0:
            return np.inf
        return float(
            count * np.log(noise) + squares / noise + np.log1p(values / ratio).sum() - shape * np.log(ratio)
        )

    def slope(logarithm: float) -> float:
        ratio, _, noise = parts(logarithm)
        determined = values / (values + ratio)
        change = float(np.sum(loads * determined * ratio / (values + ratio))) + rate * ratio
        return change / noise - float(determined.sum()) - shape

    found = minimize_scalar(fall, bounds=(-_FAR, _FAR), method="bounded", options={"xatol": _CLOSE}).x
    around = found - 10.0 * _CLOSE, found + 10.0 * _CLOSE
    # A value tells a flat top to half of the digits, the slope to all of them.
    if min(parts(end)[2] for end in around) > 0 and slope(around[0]) * slope(around[1]) < 0:
        found = brentq(slope, *around, xtol=1e-15)
    ratio, _, noise = parts(float(found))
    return noise, noise / ratio


@dataclass(frozen=True)
class IndividualVariances:
    """One variance per coefficient, zero where the coefficient is pruned: automatic relevance determination.

    Parameters
    ----------
    threshold : float, default 0
        Nats of the objective that a coefficient must earn to be kept (its prior log odds of being zero).
    """

    threshold: float = 0.0

    def maximize(self, variances: Array, stats: Statistics) -> Array:
        """Each expected square; plain EM comes close to zero but prunes nothing."""
        return np.where(variances > 0, stats["square"] / stats["coefficient_count"], 0.0)

    def leaps(self, variances: Array, seen: Seen) -> Iterator[tuple[float, Array]]:
        """A sweep of exact coordinate steps, which prunes and readmits; see :mod:`mixtura.chains.relevance`."""
        shape, rate = 0.5 * seen.prior["coefficient_count"][0], 0.5 * seen.prior["square"][0]
        swept = sweep(seen.moments, variances, seen.noise_variance, Worth(shape, rate, self.threshold))
        yield seen.noise, swept
        yield seen.noise_variance, swept

    def pseudo(self, n_features: int, shape: float, rate: float) -> tuple[Array, Array]:
        """The same hyper-prior for every precision."""
        return np.full(n_features, 2.0 * shape), np.full(n_features, 2.0 * rate)
