r"""Normal-Gamma priors of mean and precision: :math:`\lambda\sim\mathrm{Gamma}(a,b)`, :math:`\mu\mid\lambda\sim N(m,(\kappa\lambda)^{-1})`.

With :math:`\eta=(\mu\lambda,-\lambda/2)` and :math:`A=\mu^2\lambda/2-\tfrac12\log\lambda` the sums are
:math:`\chi=(\kappa m,\ 2b+\kappa m^2)` and :math:`\nu=\kappa`. The shape grows by a half with every row, from wherever it starts, so
:math:`a = \nu/2 + c` with a constant c of the prior.

References
----------
.. [1] C. M. Bishop (2006), Pattern Recognition and Machine Learning, equation 2.154.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy.special import digamma, gammaln

from mixtura.exceptions import InvalidParameterError
from mixtura.priors.base import MOST, NARROW, VAGUE, Conjugate, Prior, above, finite
from mixtura.priors.gamma import gamma_of_means
from mixtura.protocols import Array

__all__ = ["NormalGamma", "NormalGammaPrior"]

# Prior sums of squares below this share of those of the rows are lost in them.
_EQUAL = 1e-9
_LOG_TWO_PI = float(np.log(2.0 * np.pi))


@dataclass(frozen=True)
class NormalGammaPrior(Prior):
    """Normal-Gamma law of every column's mean and precision (one over the variance).

    Parameters
    ----------
    mean : float or sequence of float, optional
        m. None: the mean of all rows.
    mean_precision : float or sequence of float, optional
        kappa, above 0: how many rows the prior mean is worth. None: 0.01 for posterior laws, 1 for a mode.
    shape : float or sequence of float, default 0.5
        a, above 0: half the number of rows that the prior variance is worth.
    rate : float or sequence of float, optional
        b, above 0. None: the shape times the variance of all rows, for posterior laws over 50, so that the expected precision is one
        over that (:class:`NormalWishartPrior` says why).

    Examples
    --------
    >>> NormalGammaPrior(mean=0.0, rate=2.0)
    NormalGammaPrior(mean=0.0, mean_precision=None, shape=0.5, rate=2.0)
    """

    mean: Any = None
    mean_precision: Any = None
    shape: Any = 0.5
    rate: Any = None

    def law(self, first: Array, second: Array, owner: Array) -> NormalGamma:
        """The law for columns whose first two moments over all rows are `first` and `second`, shape (V,)."""
        kind, size = "NormalGammaPrior", len(first)
        variance = second - first**2
        mean = first if self.mean is None else finite(kind, "mean", self.mean, size)
        given = 1.0 if self.mean_precision is None else self.mean_precision
        precision = above(kind, "mean_precision", given, size)
        shape = above(kind, "shape", self.shape, size)
        rate = (
            shape * np.where(variance > 0, variance, np.where(second > 0, 0.0, 1.0))
            if self.rate is None
            else above(kind, "rate", self.rate, size)
        )
        flat = np.flatnonzero((rate < _EQUAL * second) & (variance < _EQUAL * second))
        if flat.size:
            spread, size_ = np.sqrt(abs(variance[flat[0]])), np.sqrt(second[flat[0]])
            msg = (
                f"{kind}: rate[{flat[0]}] is {rate[flat[0]]:.3g}, in a column whose values differ by {spread:.3g} at a size of "
                f"{size_:.3g}; expected at least {_EQUAL:g} of the mean square, because sums of squares about zero lose the difference. "
                "Subtract a constant from the column, leave it out, or use Gaussian()."
            )
            raise InvalidParameterError(msg)
        law = NormalGamma.of(mean, precision, shape, rate, owner)
        law.default = (self.mean_precision is None, self.rate is None)
        return law


class NormalGamma(Conjugate):
    """For normal and log-normal columns; statistics come as all first ones, then all second ones.

    Examples
    --------
    >>> law = NormalGamma.of(*(np.array([v]) for v in (0.0, 1.0, 2.0, 3.0)), np.array([0, 0]))
    >>> law.expectations(law.chi, law.nu)[0]  # E[mean precision] = 0, -E[precision] / 2 = -1/3
    array([ 0.        , -0.33333333])
    """

    #: Whether mean precision and rate are the defaults.
    default = (False, False)

    def __init__(self, chi: Array, nu: Array, owner: Array, excess: Array) -> None:
        super().__init__(chi, nu, owner)
        self.excess = excess

    @classmethod
    def of(cls, mean: Array, precision: Array, shape: Array, rate: Array, owner: Array) -> NormalGamma:
        """From the usual hyper-parameters, each (V,)."""
        chi = np.concatenate([precision * mean, 2.0 * rate + precision * mean**2])
        return cls(chi, precision, owner, shape - 0.5 * precision)

    def for_laws(self) -> NormalGamma:
        """Less is said of the mean, and variances are smaller, where these are defaults."""
        mean, precision, shape, rate = self.usual(self.chi, self.nu)
        precision = precision * (VAGUE if self.default[0] else 1.0)
        return self.of(mean, precision, shape, rate / (NARROW if self.default[1] else 1.0), self.owner)

    def usual(self, chi: Array, nu: Array) -> tuple[Array, Array, Array, Array]:
        """Mean, its precision, shape and rate, each (..., V)."""
        size = nu.shape[-1]
        first, second = chi[..., :size], chi[..., size:]
        mean = first / nu
        return mean, nu, self.excess + 0.5 * nu, 0.5 * (second - nu * mean**2)

    def _shifted(self, own: Any, chi: Array, nu: Array) -> Array:
        """The shapes of laws made with another constant c have that one."""
        _, _, shape, rate = own.usual(chi, nu)
        return np.asarray((own.excess - self.excess) * (digamma(shape) - np.log(rate)))

    def _learnt(self, chi: Array, nu: Array, own: Any) -> Self:
        """Mean by precision; its own precision from squared distances; shape and rate as of gamma laws."""
        means, kappas, shapes, rates = own.usual(chi, nu)
        precision = shapes / rates
        mean = (precision * means).sum(axis=0) / precision.sum(axis=0)
        kappa = np.minimum(1.0 / np.mean(1.0 / kappas + precision * (means - mean) ** 2, axis=0), MOST)
        shape, rate = gamma_of_means(precision, digamma(shapes) - np.log(rates))
        new: Self = self.of(mean, kappa, shape, rate, self.owner)  # type: ignore[assignment] # of this class
        return new

    def _with(self, other: Self, columns: Array) -> Self:
        new = super()._with(other, np.asarray(columns))
        new.excess = np.where(columns, other.excess, self.excess)
        return new

    def log_partition(self, chi: Array, nu: Array) -> Array:
        """log Gamma(a) - a log b - log(kappa / 2 pi) / 2."""
        _, precision, shape, rate = self.usual(chi, nu)
        return np.asarray(gammaln(shape) - shape * np.log(rate) + 0.5 * (_LOG_TWO_PI - np.log(precision)))

    def expectations(self, chi: Array, nu: Array) -> tuple[Array, Array]:
        """E[mean precision], -E[precision] / 2; (E[mean^2 precision] - E[log precision]) / 2."""
        mean, precision, shape, rate = self.usual(chi, nu)
        expected = shape / rate
        normalizer = 0.5 * (mean**2 * expected + 1.0 / precision - digamma(shape) + np.log(rate))
        return np.concatenate([mean * expected, -0.5 * expected], axis=-1), normalizer

    def _natural(self, mean: Array, precision: Array) -> Array:
        return np.concatenate([mean * precision, -0.5 * precision], axis=-1)

    def point(self, chi: Array, nu: Array) -> Array:
        """Of the mean m and the expected precision a / b."""
        mean, _, shape, rate = self.usual(chi, nu)
        return self._natural(mean, shape / rate)

    def mode(self, chi: Array, nu: Array) -> Array:
        """Of the density of mean and variance: variance b / (a + 3/2)."""
        mean, _, shape, rate = self.usual(chi, nu)
        return self._natural(mean, (shape + 1.5) / rate)

    def log_density(self, natural: Array) -> Array:
        """Of mean and variance v: normal-inverse-gamma."""
        mean, kappa, shape, rate = self.usual(self.chi, self.nu)
        size = natural.shape[-1] // 2
        precision = -2.0 * natural[..., size:]
        distance = natural[..., :size] / precision - mean
        return np.asarray(
            (shape + 1.5) * np.log(precision)
            - precision * (rate + 0.5 * kappa * distance**2)
            - self.log_partition(self.chi, self.nu)
        )

    def draw(self, chi: Array, nu: Array, rng: np.random.Generator) -> Array:
        """Of a draw of the precision, and of the mean given it."""
        mean, kappa, shape, rate = self.usual(chi, nu)
        precision = np.maximum(rng.standard_gamma(shape) / rate, np.finfo(float).tiny)
        return self._natural(rng.normal(mean, 1.0 / np.sqrt(kappa * precision)), precision)

    def free(self, chi: Array, nu: Array) -> Array:
        """Mean, logs of its precision (above its least value) and of the rate."""
        mean, precision, _, rate = self.usual(chi, nu)
        return np.concatenate([mean, np.log(precision - self._least), np.log(rate)], axis=-1)

    def from_free(self, free: Array) -> tuple[Array, Array]:
        """Inverse of `free`."""
        mean, log_precision, log_rate = np.split(free, 3, axis=-1)
        nu = np.exp(log_precision) + self._least
        return np.concatenate([nu * mean, 2.0 * np.exp(log_rate) + nu * mean**2], axis=-1), nu

    @property
    def _least(self) -> Array:
        """Where the shape would be zero, or the precision."""
        return np.maximum(0.0, -2.0 * self.excess)
