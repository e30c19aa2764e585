r"""Mixture weights by stick-breaking: Dirichlet and Pitman-Yor processes, truncated in the posterior only.

.. math:: \pi_k = v_k\prod_{j<k}(1-v_j),\qquad v_k\sim\mathrm{Beta}(1-d,\ \theta + k d),

with discount :math:`d = 0` for the Dirichlet process ([1]_, [2]_). The model has infinitely many components; the posterior
gives rows to the first K only, and the sticks :math:`v_1..v_K` have beta laws

.. math:: a_k = 1 - d + N_k,\qquad b_k = \theta + k d + \sum_{j>k} N_j.

Bounds of different K are bounds of one evidence, so they compare as they are: a component without rows at the end costs nothing.

References
----------
.. [1] D. M. Blei and M. I. Jordan (2006), "Variational inference for Dirichlet process mixtures", Bayesian Analysis 1(1), 121-143.
.. [2] H. Ishwaran and L. F. James (2001), "Gibbs sampling methods for stick-breaking priors", Journal of the American Statistical
   Association 96(453), 161-173.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Self

import numpy as np
from scipy.optimize import minimize
from scipy.special import betaln, digamma

from mixtura.protocols import Array
from mixtura.statistics import Statistics
from mixtura.structures.independent import Independent

__all__ = ["StickBreaking"]

# Bounds of the logarithm of the concentration (plus discount) and of the discount where they are learnt.
_LOG_CONCENTRATION = (-14.0, 9.0)
_MOST_DISCOUNT = 0.95


class StickBreaking(Independent):
    """Mixture weights of a Dirichlet or Pitman-Yor process.

    Parameters
    ----------
    n_components : int
        K, where the posterior is truncated.
    concentration : float
        theta, above minus the discount.
    discount : float, default 0
        d, from 0 to below 1. Above 0 the sizes of small components fall off as a power.
    sticks : ndarray, shape (2, K), optional
        a and b of the posterior; None is the prior.
    learn : bool, default False
        Whether the concentration (and a discount above 0) are learnt by raising the bound (empirical Bayes).

    Examples
    --------
    >>> StickBreaking(3, 1.0).weights  # 1/2, 1/4, 1/8, normalised
    array([0.57142857, 0.28571429, 0.14285714])
    """

    #: States have an order: that in which the sticks are broken.
    exchangeable = False

    def __init__(
        self,
        n_components: int,
        concentration: float,
        discount: float = 0.0,
        sticks: Array | None = None,
        *,
        learn: bool = False,
    ) -> None:
        self.process = (float(concentration), float(discount))
        self.learn = learn
        self._held: float | None = (
            None  # the discount that the sticks were broken with, where it has been learnt since
        )
        self._set(_prior(n_components, *self.process) if sticks is None else sticks)

    def _set(self, sticks: Array) -> None:
        self.sticks = np.asarray(sticks, dtype=np.float64)
        kept, rest = _expected_logs(self.sticks)
        self.log_weights = kept + np.concatenate([[0.0], np.cumsum(rest)[:-1]])

    def replace(self, sticks: Array, process: tuple[float, float] | None = None) -> Self:
        """The same settings with another posterior (and process)."""
        new = copy.copy(self)
        new.process = self.process if process is None else process
        new._held = None
        new._set(sticks)
        return new

    def __repr__(self) -> str:
        return f"StickBreaking(K={self.n_components}, concentration={self.process[0]:.4g}, discount={self.process[1]:.4g})"

    @property
    def weights(self) -> Array:
        """Posterior means of the weights, shape (K,), normalised: what is left for further components is shared out."""
        share = self.sticks[0] / self.sticks.sum(axis=0)
        means = share * np.concatenate([[1.0], np.cumprod(1.0 - share)[:-1]])
        return np.asarray(means / means.sum())

    @property
    def point(self) -> Independent:
        """Weights without uncertainty: the posterior means."""
        return Independent(np.log(np.maximum(self.weights, 1e-300)))

    def penalty(self) -> float:
        """KL divergence of the sticks' posterior from their prior."""
        return self._divergence(*self.process)

    def _divergence(self, concentration: float, discount: float) -> float:
        prior = _prior(self.n_components, concentration, discount)
        kept, rest = _expected_logs(self.sticks)
        difference = self.sticks - prior
        value = betaln(*prior) - betaln(*self.sticks) + difference[0] * kept + difference[1] * rest
        return float(value.sum())

    def maximize(self, stats: Statistics) -> Self:
        """The posterior given the counts; then, where they are learnt, the process's numbers given the posterior."""
        new = self.replace(self._posterior(stats["count"]))
        new._held = self.process[1]
        if not self.learn:
            return new
        learnt = new.replace(new.sticks, new.learnt())
        learnt._held = new._held
        return learnt

    def _posterior(self, count: Array) -> Array:
        after = np.concatenate([np.cumsum(count[::-1])[-2::-1], [0.0]])
        return _prior(len(count), *self.process) + np.stack([count, after])

    def learnt(self) -> tuple[float, float]:
        """Concentration and discount that raise the bound most while the posterior stays."""
        concentration, discount = self.process
        if discount == 0.0:  # K log theta + (theta - 1) sum E[log(1 - v)] has its maximum in closed form
            rest = _expected_logs(self.sticks)[1].sum()
            low, high = np.exp(_LOG_CONCENTRATION)
            return float(np.clip(-self.n_components / rest, low, high)), 0.0

        def loss(vector: Array) -> float:
            return self._divergence(float(np.exp(vector[0]) - vector[1]), float(vector[1]))

        start = np.array([np.log(concentration + discount), discount])
        bounds = [_LOG_CONCENTRATION, (1e-6, _MOST_DISCOUNT)]
        found = minimize(loss, start, method="L-BFGS-B", bounds=bounds)
        best = found.x if found.fun < loss(start) else start
        return float(np.exp(best[0]) - best[1]), float(best[1])

    def draw(self, rng: np.random.Generator) -> Independent:
        """Weights drawn from the posterior, normalised over the K components."""
        a, b = self.sticks
        one, other = (np.maximum(rng.standard_gamma(shape), np.finfo(float).tiny) for shape in (a, b))
        kept, rest = np.log(one) - np.log(one + other), np.log(other) - np.log(one + other)
        return Independent(kept + np.concatenate([[0.0], np.cumsum(rest)[:-1]]))

    def coordinates(self) -> Array:
        """Logs of a and b."""
        return np.log(self.sticks).ravel()

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`."""
        return self.replace(np.exp(vector).reshape(2, -1))

    def take(self, components: Sequence[int] | Array) -> Self:
        """Some of the components in the order given: sticks are broken anew for their counts."""
        index = np.asarray(components, dtype=np.intp)
        discount = self.process[1] if self._held is None else self._held
        count = np.maximum(self.sticks[0] - (1.0 - discount), 0.0)
        return self.replace(self._posterior(count[index]))

    def expected_log_prob(self, stats: Statistics) -> float:
        """sum_k N_k E[log pi_k]."""
        return float(self.log_weights @ stats["count"])


def _prior(n_components: int, concentration: float, discount: float) -> Array:
    """a and b of the prior of each stick, shape (2, K)."""
    order = np.arange(1, n_components + 1)
    return np.stack([np.full(n_components, 1.0 - discount), concentration + order * discount])


def _expected_logs(sticks: Array) -> tuple[Array, Array]:
    """E[log v] and E[log(1 - v)], each (K,)."""
    total = digamma(sticks.sum(axis=0))
    return digamma(sticks[0]) - total, digamma(sticks[1]) - total
