r"""Mixture weights with a Dirichlet prior: their posterior law, or its mode.

Given :math:`q(\pi)=\mathrm{Dir}(\alpha)` rows are scored with :math:`E[\log\pi_k]=\psi(\alpha_k)-\psi(\sum_j\alpha_j)`, and
:math:`\alpha_k = \alpha_{0k} + N_k` ([1]_, equations 10.57, 10.58 and 10.66). The bound loses
:math:`\mathrm{KL}(q(\pi)\Vert p(\pi))`; with a small :math:`\alpha_0` it gains when components are left without rows.

References
----------
.. [1] C. M. Bishop (2006), Pattern Recognition and Machine Learning, section 10.2.1.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Self

import numpy as np
from scipy.special import digamma, gammaln, polygamma

from mixtura.exceptions import InvalidParameterError
from mixtura.priors.dirichlet import dirichlet_divergence
from mixtura.protocols import Array
from mixtura.statistics import Statistics
from mixtura.structures.independent import Independent

__all__ = ["DirichletMode", "DirichletWeights"]

# Range in which a symmetric concentration is learnt, in logarithms.
_LEARNT = (-14.0, 9.0)


class DirichletWeights(Independent):
    """Mixture weights with a Dirichlet posterior.

    Parameters
    ----------
    prior : ndarray, shape (K,)
        alpha0, positive.
    concentration : ndarray, shape (K,), optional
        alpha of the posterior; None is the prior.
    learn : bool, default False
        Whether the prior, then one number for all components, is learnt by raising the bound (empirical Bayes).

    Examples
    --------
    >>> DirichletWeights(np.ones(2), np.array([2.0, 4.0])).weights.round(3)
    array([0.333, 0.667])
    """

    def __init__(self, prior: Array, concentration: Array | None = None, *, learn: bool = False) -> None:
        self.prior = np.asarray(prior, dtype=np.float64)
        self.learn = learn
        self._set(self.prior if concentration is None else concentration)

    def _set(self, concentration: Array) -> None:
        self.concentration = np.asarray(concentration, dtype=np.float64)
        self.log_weights = digamma(self.concentration) - digamma(self.concentration.sum())

    def replace(self, concentration: Array, prior: Array | None = None) -> Self:
        """The same settings with another posterior (and prior)."""
        new = copy.copy(self)
        new.prior = self.prior if prior is None else prior
        new._set(concentration)
        return new

    def __repr__(self) -> str:
        return f"DirichletWeights(K={self.n_components})"

    @property
    def weights(self) -> Array:
        """Posterior means of the weights, shape (K,), summing to one."""
        return np.asarray(self.concentration / self.concentration.sum())

    @property
    def point(self) -> Independent:
        """Weights without uncertainty: the posterior means."""
        return Independent(np.log(self.weights))

    def penalty(self) -> float:
        """KL divergence of the posterior from the prior."""
        return float(dirichlet_divergence(self.concentration[None], self.prior)[0])

    def maximize(self, stats: Statistics) -> Self:
        """The posterior given the counts; then, where it is learnt, the prior given the posterior."""
        new = self.replace(self.prior + stats["count"])
        return new.replace(new.concentration, new.learnt()) if self.learn else new

    def learnt(self) -> Array:
        """The symmetric prior that raises the bound most while the posterior stays."""
        size, total = self.n_components, float(self.log_weights.sum())

        def loss(log_prior: float) -> float:
            a = float(np.exp(log_prior))
            return -float(gammaln(size * a) - size * gammaln(a) + (a - 1.0) * total)

        current = float(np.log(self.prior.mean()))
        chosen = _symmetric(size, total / size, current)
        if np.ptp(self.prior) == 0.0 and not loss(chosen) < loss(current):
            chosen = current
        return np.full(size, np.exp(chosen))

    def draw(self, rng: np.random.Generator) -> Independent:
        """Weights drawn from the posterior."""
        drawn = np.maximum(rng.standard_gamma(self.concentration), np.finfo(float).tiny)
        return Independent(np.log(drawn))

    def coordinates(self) -> Array:
        """log alpha."""
        return np.log(self.concentration)

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`."""
        return self.replace(np.exp(vector))

    def take(self, components: Sequence[int] | Array) -> Self:
        """Some of the components, each with its prior."""
        index = np.asarray(components, dtype=np.intp)
        return self.replace(self.concentration[index], self.prior[index])

    def expected_log_prob(self, stats: Statistics) -> float:
        """sum_k N_k E[log pi_k]."""
        return float(self.log_weights @ stats["count"])


class DirichletMode(Independent):
    """Mixture weights at the mode of their posterior.

    Parameters
    ----------
    prior : ndarray, shape (K,)
        alpha0, at least 1.
    log_weights : ndarray, shape (K,), optional
        Logarithms of the weights; None takes equal ones.

    Examples
    --------
    >>> DirichletMode(np.array([2.0, 2.0])).maximize(Statistics({"count": np.array([0.0, 2.0])})).weights
    array([0.25, 0.75])
    """

    def __init__(self, prior: Array, log_weights: Array | None = None) -> None:
        self.prior = np.asarray(prior, dtype=np.float64)
        bad = np.flatnonzero(~(self.prior >= 1.0))
        if bad.size:
            msg = (
                f"DirichletPrior: concentration of weight {bad[0]} is {self.prior[bad[0]]:.6g}; expected at least 1 for a posterior mode: "
                "below 1 the density of the weights is infinite at zero. Use inference='variational', which needs no mode."
            )
            raise InvalidParameterError(msg)
        super().__init__(np.zeros(len(self.prior)) if log_weights is None else log_weights)

    def penalty(self) -> float:
        """Minus the log prior density of the weights."""
        power = self.prior - 1.0
        inner = np.sum(np.where(power == 0.0, 0.0, power * np.where(power == 0.0, 0.0, self.log_weights)))
        return -float(inner + gammaln(self.prior.sum()) - gammaln(self.prior).sum())

    @property
    def point(self) -> Independent:
        """These weights without a prior."""
        return Independent(self.log_weights)

    def maximize(self, stats: Statistics) -> Self:
        """Weights proportional to N + alpha0 - 1."""
        with np.errstate(divide="ignore"):
            return type(self)(self.prior, np.log(stats["count"] + self.prior - 1.0))

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`; any vector is normalised."""
        return type(self)(self.prior, vector)

    def take(self, components: Sequence[int] | Array) -> Self:
        """Some of the weights, normalised again, each with its prior."""
        index = np.asarray(components, dtype=np.intp)
        return type(self)(self.prior[index], self.log_weights[index])


def _symmetric(size: int, mean_log: float, start: float) -> float:
    """Log of the a with digamma(a) - digamma(K a) = mean_log, within the range; Newton's method, halving where that leaves a bracket."""
    low, high = _LEARNT
    u = min(max(start, low), high)
    for _ in range(60):
        a = float(np.exp(u))
        gap = float(digamma(a) - digamma(size * a)) - mean_log
        low, high = (low, u) if gap > 0 else (u, high)
        slope = a * float(polygamma(1, a) - size * polygamma(1, size * a))
        new = u - gap / slope if slope > 0 else np.nan
        new = new if low < new < high else 0.5 * (low + high)
        if abs(new - u) < 1e-11:
            break
        u = new
    return float(u)
