r"""One sweep of exact coordinate steps for automatic relevance determination.

Given all other prior variances, the log evidence depends on that of coefficient j, t, only through

.. math::

    \ell(t) = \tfrac12 \left( \frac{q^2 t}{1 + s t} - \log(1 + s t) \right), \quad
    s = x_j' C^{-1} x_j, \; q = x_j' C^{-1} y,

C being the covariance of y without the coefficient [1]_. It has one maximum: zero, where q² <= s, and :math:`(q^2 - s) / s^2`
otherwise. So a coefficient whose precision EM would drive to infinity for ever is pruned in one step, and no threshold
on a precision, which would depend on units, is needed.

References
----------
.. [1] M. E. Tipping, A. C. Faul (2003), Fast marginal likelihood maximisation for sparse Bayesian models, AISTATS.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mixtura.chains.moments import Moments
from mixtura.chains.posterior import factored
from mixtura.protocols import Array

__all__ = ["Worth", "sweep"]

# A pruned coefficient comes back for a gain of more than rounding.
_NOTICEABLE = 1e-9


@dataclass(frozen=True)
class Worth:
    """What a coefficient is worth: its part of the objective, as a function of its prior variance.

    Parameters
    ----------
    shape, rate : float
        Gamma hyper-prior of the precision (density of its logarithm, so no precision is preferred where both are 0).
    threshold : float
        Nats that a coefficient must earn to be kept.

    Examples
    --------
    >>> Worth(0.0, 0.0, 0.0).best(2.0, 2.0)  # q = s = 2: (4 - 2) / 4
    (0.5, 0.1534...)
    >>> Worth(0.0, 0.0, 0.0).best(1.0, 2.0)
    (0.0, 0.0)
    """

    shape: float
    rate: float
    threshold: float

    def best(self, quality: float, sparsity: float) -> tuple[float, float]:
        """The best prior variance, and what it earns; (0, 0) prunes.

        Parameters
        ----------
        quality, sparsity : float
            q and s.
        """
        if not sparsity > 0:
            return 0.0, 0.0
        ratio, rate = quality**2 / sparsity, self.rate * sparsity
        earned, chosen = 0.0, 0.0
        for value in self._stationary(ratio, rate):  # x = s t
            worth = 0.5 * (ratio * value / (1.0 + value) - np.log1p(value)) - self.threshold
            if self.shape or self.rate:
                worth -= self.shape * np.log(2.0 * np.pi * value / sparsity) + rate / value
            if worth > earned:
                earned, chosen = float(worth), float(value)
        return chosen / sparsity, earned

    def _stationary(self, ratio: float, rate: float) -> Array:
        """Positive roots of the derivative, a cubic in x = s t where there is a hyper-prior."""
        if not self.shape and not self.rate:
            return np.array([ratio - 1.0]) if ratio > 1.0 else np.empty(0)
        cubic = [
            -1.0 - 2.0 * self.shape,
            ratio - 1.0 - 4.0 * self.shape + 2.0 * rate,
            4.0 * rate - 2.0 * self.shape,
            2.0 * rate,
        ]
        roots = np.roots(cubic)
        real = roots.real[np.abs(roots.imag) <= 1e-9 * np.abs(roots)]
        return np.asarray(real[real > 0])


def sweep(moments: Moments, prior_variances: Array, noise_variance: float, worth: Worth) -> Array:
    """Maximise over each prior variance in turn, and let the best of the pruned ones come back.

    Parameters
    ----------
    moments : Moments
        Of the rows.
    prior_variances : ndarray, shape (D,)
        Where to begin; zero for pruned coefficients.
    noise_variance : float
        s².
    worth : Worth
        What is maximised.

    Returns
    -------
    ndarray, shape (D,)
        New prior variances; the objective under them is not lower.

    Notes
    -----
    From the posterior with all coefficients, q = m_j / S_jj and s = 1 / S_jj - 1 / t_j; a new t_j changes S and m by
    one rank.

    Examples
    --------
    >>> rows = Moments(50.0, 50.0 * np.eye(2), np.array([50.0, 1.0]), 100.0, np.zeros(2), 0.0)
    >>> sweep(rows, np.ones(2), 1.0, Worth(0.0, 0.0, 0.0))
    array([0.98, 0.  ])
    """
    before = factored(moments, prior_variances, noise_variance)
    covariance, mean, found = before.covariance(), before.mean.copy(), prior_variances.copy()
    for j in np.flatnonzero(prior_variances > 0):
        variance = covariance[j, j]
        found[j], _ = worth.best(mean[j] / variance, 1.0 / variance - 1.0 / prior_variances[j])
        if found[j] > 0:
            change = 1.0 / found[j] - 1.0 / prior_variances[j]
            gain = change / (1.0 + change * variance)
        else:
            gain = 1.0 / variance
        column = covariance[j].copy()
        mean -= gain * mean[j] * column
        covariance -= (gain * column)[:, None] * column
    return _readmitted(moments, found, noise_variance, worth)


def _readmitted(moments: Moments, prior_variances: Array, noise_variance: float, worth: Worth) -> Array:
    """The same with the one pruned coefficient that earns most, if any earns its place."""
    out = np.flatnonzero((prior_variances == 0) & (np.diag(moments.gram) > 0))
    if not out.size:
        return prior_variances
    now = factored(moments, prior_variances, noise_variance)
    beside = moments.gram[out] / noise_variance
    explained = np.einsum("ij,ij->i", beside @ now.covariance(), beside)
    sparsities = np.diag(moments.gram)[out] / noise_variance - explained
    qualities = moments.cross[out] / noise_variance - beside @ now.mean
    offers = [worth.best(q, s) for q, s in zip(qualities, sparsities, strict=True)]
    best = int(np.argmax([earned for _, earned in offers]))
    if offers[best][1] > _NOTICEABLE:
        prior_variances[out[best]] = offers[best][0]
    return prior_variances
