r"""Beta priors of probabilities: :math:`p \sim \mathrm{Beta}(a, b)` for Bernoulli, binomial and geometric columns.

With :math:`\eta = \log\frac{p}{1-p}` and :math:`A = t\log(1+e^\eta)` the law :math:`p^{a-1}(1-p)^{b-1}` is
:math:`\exp(a\eta - (a+b)A/t)` in :math:`d\eta`, so :math:`\chi = a` and :math:`\nu t = a + b`. Geometric columns have
:math:`\eta=\log(1-p)`, :math:`A=-\log p`, hence :math:`\chi = b` and :math:`\nu = a - 1`: the same law, other letters.

References
----------
.. [1] C. M. Bishop (2006), Pattern Recognition and Machine Learning, section 2.1.1.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy.special import betaln, digamma

from mixtura.exceptions import InvalidParameterError
from mixtura.priors.base import Conjugate, Prior, above
from mixtura.priors.dirichlet import dirichlet_of_logs
from mixtura.protocols import Array

__all__ = ["BetaOfFailures", "BetaOfOdds", "BetaPrior"]


@dataclass(frozen=True)
class BetaPrior(Prior):
    """Beta law of every column's probability.

    Parameters
    ----------
    alpha : float or sequence of float, default 1
        Pseudo-successes; one number, or one for each column. Above 0.
    beta : float or sequence of float, default 1
        Pseudo-failures. Both 1: all probabilities alike.

    Examples
    --------
    >>> BetaPrior(2.0, 8.0)
    BetaPrior(alpha=2.0, beta=8.0)
    """

    alpha: Any = 1.0
    beta: Any = 1.0

    def checked(self, size: int) -> tuple[Array, Array]:
        """Both, one for each of `size` columns."""
        return above("BetaPrior", "alpha", self.alpha, size), above("BetaPrior", "beta", self.beta, size)


class _Beta(Conjugate):
    """What the two share: everything is said by (a, b), shape (..., V)."""

    def _pair(self, chi: Array, nu: Array) -> tuple[Array, Array]:
        raise NotImplementedError  # pragma: no cover - both subclasses say it

    def _from_pair(self, a: Array, b: Array) -> tuple[Array, Array]:
        raise NotImplementedError  # pragma: no cover

    def _natural(self, p: Array, rest: Array) -> Array:
        """Natural parameters of probabilities p and rest = 1 - p."""
        raise NotImplementedError  # pragma: no cover

    def _learnt(self, chi: Array, nu: Array, own: Conjugate) -> Self:
        """From averages of E[log p] and E[log(1 - p)]."""
        a, b = self._pair(chi, nu)
        logs = np.stack([digamma(a) - digamma(a + b), digamma(b) - digamma(a + b)], axis=-1)
        new = copy.copy(self)
        new.chi, new.nu = self._from_pair(*dirichlet_of_logs(logs.mean(axis=0)).T)
        return new

    def log_partition(self, chi: Array, nu: Array) -> Array:
        """log B(a, b)."""
        return np.asarray(betaln(*self._pair(chi, nu)))

    def point(self, chi: Array, nu: Array) -> Array:
        """Of the mean a / (a + b)."""
        a, b = self._pair(chi, nu)
        return self._natural(a / (a + b), b / (a + b))

    def mode(self, chi: Array, nu: Array) -> Array:
        """Of (a - 1) / (a + b - 2)."""
        a, b = self._pair(chi, nu)
        with np.errstate(divide="ignore", invalid="ignore"):
            total = np.where((a >= 1.0) & (b >= 1.0) & (a + b > 2.0), a + b - 2.0, np.nan)
            return self._natural((a - 1.0) / total, (b - 1.0) / total)

    def draw(self, chi: Array, nu: Array, rng: np.random.Generator) -> Array:
        """Of a draw from the beta law, made of two gammas so that neither tail rounds to zero."""
        a, b = self._pair(chi, nu)
        one, other = (np.maximum(rng.standard_gamma(shape), np.finfo(float).tiny) for shape in (a, b))
        return self._natural(one / (one + other), other / (one + other))

    def free(self, chi: Array, nu: Array) -> Array:
        """log a and log b."""
        return np.log(np.concatenate(self._pair(chi, nu), axis=-1))

    def from_free(self, free: Array) -> tuple[Array, Array]:
        """From log a and log b."""
        a, b = np.split(np.exp(free), 2, axis=-1)
        return self._from_pair(a, b)

    def refuse_without_mode(self) -> None:
        """Both are at least 1: below, the density has no maximum inside."""
        for name, value in zip(("alpha", "beta"), self._pair(self.chi, self.nu), strict=True):
            bad = np.flatnonzero(value < 1.0)
            if bad.size:
                msg = (
                    f"BetaPrior: {name} is {value[bad[0]]:.6g} in column {bad[0]}; expected at least 1 for a posterior mode: below 1 "
                    "the density of the probability is infinite at its end. Use inference='variational', which needs no mode."
                )
                raise InvalidParameterError(msg)


class BetaOfOdds(_Beta):
    """For Bernoulli and binomial columns with `trials` a unit of exposure.

    Examples
    --------
    >>> law = BetaOfOdds.of(np.array([2.0]), np.array([3.0]), 1.0)
    >>> law.log_partition(law.chi, law.nu).round(4)  # log B(2, 3) = log(1 / 12)
    array([-2.4849])
    """

    def __init__(self, chi: Array, nu: Array, trials: Array | float = 1.0) -> None:
        super().__init__(chi, nu, np.arange(len(nu)))
        self.trials = trials

    @classmethod
    def of(cls, a: Array, b: Array, trials: Array | float) -> BetaOfOdds:
        """From the usual hyper-parameters."""
        return cls(a, (a + b) / trials, trials)

    def _pair(self, chi: Array, nu: Array) -> tuple[Array, Array]:
        return chi, nu * self.trials - chi

    def _from_pair(self, a: Array, b: Array) -> tuple[Array, Array]:
        return a, (a + b) / self.trials

    def _natural(self, p: Array, rest: Array) -> Array:
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(p) - np.log(rest))

    def expectations(self, chi: Array, nu: Array) -> tuple[Array, Array]:
        """E[logit p] and t E[-log(1 - p)]."""
        a, b = self._pair(chi, nu)
        return digamma(a) - digamma(b), self.trials * (digamma(a + b) - digamma(b))

    def log_density(self, natural: Array) -> Array:
        """Of p: (a - 1) log p + (b - 1) log(1 - p) - log B(a, b)."""
        a, b = self._pair(self.chi, self.nu)
        failed = -np.logaddexp(0.0, natural)
        return np.asarray((a - 1.0) * (natural + failed) + (b - 1.0) * failed - betaln(a, b))


class BetaOfFailures(_Beta):
    """For geometric columns.

    Examples
    --------
    >>> law = BetaOfFailures.of(np.array([2.0]), np.array([3.0]))
    >>> law.expectations(law.chi, law.nu)[1].round(4)  # E[-log p] = digamma(5) - digamma(2)
    array([1.0833])
    """

    def __init__(self, chi: Array, nu: Array) -> None:
        super().__init__(chi, nu, np.arange(len(nu)))

    @classmethod
    def of(cls, a: Array, b: Array) -> BetaOfFailures:
        """From the usual hyper-parameters."""
        return cls(b, a - 1.0)

    def _pair(self, chi: Array, nu: Array) -> tuple[Array, Array]:
        return nu + 1.0, chi

    def _from_pair(self, a: Array, b: Array) -> tuple[Array, Array]:
        return b, a - 1.0

    def _natural(self, p: Array, rest: Array) -> Array:
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(rest))

    def expectations(self, chi: Array, nu: Array) -> tuple[Array, Array]:
        """E[log(1 - p)] and E[-log p]."""
        a, b = self._pair(chi, nu)
        return digamma(b) - digamma(a + b), digamma(a + b) - digamma(a)

    def log_density(self, natural: Array) -> Array:
        """Of p: (a - 1) log p + (b - 1) log(1 - p) - log B(a, b)."""
        a, b = self._pair(self.chi, self.nu)
        return np.asarray((a - 1.0) * np.log(-np.expm1(natural)) + (b - 1.0) * natural - betaln(a, b))
