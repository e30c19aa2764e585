r"""Gamma priors of rates: :math:`\lambda \sim \mathrm{Gamma}(a, b)` with shape a and rate b, for Poisson and exponential columns.

Poisson: :math:`\eta = \log\lambda`, :math:`A = \lambda`, so :math:`\chi = a` and :math:`\nu = b` in :math:`d\eta`.
Exponential: :math:`\eta = -\lambda`, :math:`A = -\log\lambda`, so :math:`\chi = b` and :math:`\nu = a - 1`.

References
----------
.. [1] C. M. Bishop (2006), Pattern Recognition and Machine Learning, section 2.3.6.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy.special import digamma, gammaln

from mixtura.exceptions import InvalidParameterError
from mixtura.priors.base import MOST, Conjugate, Prior, above
from mixtura.protocols import Array

__all__ = ["GammaOfMean", "GammaOfRate", "GammaPrior", "gamma_of_means"]


def gamma_of_means(values: Array, logs: Array) -> tuple[Array, Array]:
    """Shape (at most `MOST`) and rate of gamma laws by maximum likelihood, from values and logarithms, averaged over the first axis.

    Examples
    --------
    >>> shape, rate = gamma_of_means(np.array([[1.5]]), np.array([[digamma(3.0) - np.log(2.0)]]))
    >>> shape.round(8), rate.round(8)
    (array([3.]), array([2.]))
    """
    from mixtura.families._solvers import gamma_shape  # families are made with priors

    mean = values.mean(axis=0)
    gap = np.log(mean) - logs.mean(axis=0)
    shape = np.minimum(gamma_shape(np.maximum(gap, 0.5 / MOST)), MOST)
    return shape, shape / mean


@dataclass(frozen=True)
class GammaPrior(Prior):
    """Gamma law of every column's rate.

    Parameters
    ----------
    shape : float or sequence of float, default 1
        a, above 0.
    rate : float or sequence of float, optional
        b, above 0, in units of one over the rate. None: such that the prior mean a / b is the rate of all rows together.

    Examples
    --------
    >>> GammaPrior(shape=1.0, rate=0.1)
    GammaPrior(shape=1.0, rate=0.1)
    """

    shape: Any = 1.0
    rate: Any = None

    def checked(self, overall: Array) -> tuple[Array, Array]:
        """Both, one for each column, given the rates of all rows together, shape (V,)."""
        shape = above("GammaPrior", "shape", self.shape, len(overall))
        if self.rate is not None:
            return shape, above("GammaPrior", "rate", self.rate, len(overall))
        return shape, shape / np.where(overall > 0, overall, 1.0)


class _Gamma(Conjugate):
    """What the two share: everything is said by shape and rate, (..., V)."""

    def __init__(self, chi: Array, nu: Array) -> None:
        super().__init__(chi, nu, np.arange(len(nu)))

    def _pair(self, chi: Array, nu: Array) -> tuple[Array, Array]:
        raise NotImplementedError  # pragma: no cover - both subclasses say it

    def _from_pair(self, shape: Array, rate: Array) -> tuple[Array, Array]:
        raise NotImplementedError  # pragma: no cover

    def _natural(self, value: Array) -> Array:
        """Natural parameters of rates."""
        raise NotImplementedError  # pragma: no cover

    def _value(self, natural: Array) -> Array:
        """Rates of natural parameters."""
        raise NotImplementedError  # pragma: no cover

    def _learnt(self, chi: Array, nu: Array, own: Conjugate) -> Self:
        """From averages of E[rate] and E[log rate]."""
        shape, rate = self._pair(chi, nu)
        new = copy.copy(self)
        new.chi, new.nu = self._from_pair(*gamma_of_means(shape / rate, digamma(shape) - np.log(rate)))
        return new

    def log_partition(self, chi: Array, nu: Array) -> Array:
        """log Gamma(a) - a log b."""
        shape, rate = self._pair(chi, nu)
        return np.asarray(gammaln(shape) - shape * np.log(rate))

    def point(self, chi: Array, nu: Array) -> Array:
        """Of the mean a / b."""
        shape, rate = self._pair(chi, nu)
        return self._natural(shape / rate)

    def mode(self, chi: Array, nu: Array) -> Array:
        """Of (a - 1) / b."""
        shape, rate = self._pair(chi, nu)
        return self._natural(np.where(shape >= 1.0, shape - 1.0, np.nan) / rate)

    def log_density(self, natural: Array) -> Array:
        """Of the rate: (a - 1) log rate - b rate - log Z."""
        shape, rate = self._pair(self.chi, self.nu)
        value = self._value(natural)
        return np.asarray(
            (shape - 1.0) * np.log(value) - rate * value + shape * np.log(rate) - gammaln(shape)
        )

    def draw(self, chi: Array, nu: Array, rng: np.random.Generator) -> Array:
        """Of a draw from the gamma law."""
        shape, rate = self._pair(chi, nu)
        return self._natural(np.maximum(rng.standard_gamma(shape) / rate, np.finfo(float).tiny))

    def free(self, chi: Array, nu: Array) -> Array:
        """log a and log b."""
        return np.log(np.concatenate(self._pair(chi, nu), axis=-1))

    def from_free(self, free: Array) -> tuple[Array, Array]:
        """From log a and log b."""
        shape, rate = np.split(np.exp(free), 2, axis=-1)
        return self._from_pair(shape, rate)

    def refuse_without_mode(self) -> None:
        """The shape is at least 1: below, the density is infinite at zero."""
        shape, _ = self._pair(self.chi, self.nu)
        bad = np.flatnonzero(shape < 1.0)
        if bad.size:
            msg = (
                f"GammaPrior: shape is {shape[bad[0]]:.6g} in column {bad[0]}; expected at least 1 for a posterior mode: below 1 the "
                "density of the rate is infinite at zero. Use inference='variational', which needs no mode."
            )
            raise InvalidParameterError(msg)


class GammaOfMean(_Gamma):
    """For Poisson columns, whose rate is their mean.

    Examples
    --------
    >>> law = GammaOfMean.of(np.array([3.0]), np.array([2.0]))
    >>> law.expectations(law.chi, law.nu)[1]
    array([1.5])
    """

    @classmethod
    def of(cls, shape: Array, rate: Array) -> GammaOfMean:
        """From the usual hyper-parameters."""
        return cls(shape, rate)

    def _pair(self, chi: Array, nu: Array) -> tuple[Array, Array]:
        return chi, nu

    def _from_pair(self, shape: Array, rate: Array) -> tuple[Array, Array]:
        return shape, rate

    def _natural(self, value: Array) -> Array:
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(value))

    def _value(self, natural: Array) -> Array:
        return np.asarray(np.exp(natural))

    def expectations(self, chi: Array, nu: Array) -> tuple[Array, Array]:
        """E[log rate] and E[rate]."""
        return np.asarray(digamma(chi) - np.log(nu)), np.asarray(chi / nu)


class GammaOfRate(_Gamma):
    """For exponential columns.

    Examples
    --------
    >>> law = GammaOfRate.of(np.array([3.0]), np.array([2.0]))
    >>> law.expectations(law.chi, law.nu)[0]
    array([-1.5])
    """

    @classmethod
    def of(cls, shape: Array, rate: Array) -> GammaOfRate:
        """From the usual hyper-parameters."""
        return cls(rate, shape - 1.0)

    def _pair(self, chi: Array, nu: Array) -> tuple[Array, Array]:
        return nu + 1.0, chi

    def _from_pair(self, shape: Array, rate: Array) -> tuple[Array, Array]:
        return rate, shape - 1.0

    def _natural(self, value: Array) -> Array:
        return -np.asarray(value)

    def _value(self, natural: Array) -> Array:
        return -natural

    def expectations(self, chi: Array, nu: Array) -> tuple[Array, Array]:
        """-E[rate] and -E[log rate]."""
        return np.asarray(-(nu + 1.0) / chi), np.asarray(np.log(chi) - digamma(nu + 1.0))
