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

import math
from dataclasses import dataclass

import numpy as np
from scipy.linalg.blas import dsyr

from mixtura.chains.moments import Moments
from mixtura.chains.posterior import factored
from mixtura.protocols import Array

__all__ = ["Worth", "sweep"]

# A pruned coefficient comes back for a gain of more than rounding.
_NOTICEABLE = 1e-9
# Where q² / s is this large and the hyper-prior this vague, only the largest stationary point counts.
_CLEAR, _VAGUE = 1.5, 1e-3


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
        if ratio <= 1.0 and self._bonus <= self.threshold:
            return 0.0, 0.0
        earned, chosen = 0.0, 0.0
        for value in self._stationary(ratio, rate):  # x = s t
            worth = 0.5 * (ratio * value / (1.0 + value) - math.log1p(value)) - self.threshold
            if self.shape or self.rate:
                worth -= self.shape * math.log(2.0 * math.pi * value / sparsity) + rate / value
            if worth > earned:
                earned, chosen = worth, value
        return chosen / sparsity, earned

    @property
    def _bonus(self) -> float:
        """The most that the hyper-prior alone can add for a kept coefficient."""
        if not self.shape or not self.rate:
            return np.inf if self.shape else 0.0
        return max(-self.shape * (1.0 + math.log(2.0 * math.pi * self.rate / self.shape)), 0.0)

    def _stationary(self, ratio: float, rate: float) -> list[float]:
        """Positive roots of the derivative, a cubic in x = s t where there is a hyper-prior."""
        if not self.shape and not self.rate:
            return [ratio - 1.0] if ratio > 1.0 else []
        cubic = (
            -1.0 - 2.0 * self.shape,
            ratio - 1.0 - 4.0 * self.shape + 2.0 * rate,
            4.0 * rate - 2.0 * self.shape,
            2.0 * rate,
        )
        if ratio > _CLEAR and self.shape + rate < _VAGUE:
            return [_largest_root(cubic, ratio)]  # the other ones lie near zero, and earn nothing
        roots = np.roots(cubic)
        real = roots.real[np.abs(roots.imag) <= 1e-9 * np.abs(roots)]
        return [float(root) for root in real if root > 0]


def _largest_root(cubic: tuple[float, float, float, float], above: float) -> float:
    """By Newton's method from above, where it neither overshoots nor turns back."""
    a, b, c, d = cubic
    root = above
    for _ in range(50):
        change = (((a * root + b) * root + c) * root + d) / ((3.0 * a * root + 2.0 * b) * root + c)
        root -= change
        if abs(change) <= 1e-14 * root:
            break
    return root


def sweep(moments: Moments, prior_variances: Array, noise_variance: float, worth: Worth) -> Array:
    """Maximise over each prior variance in turn, and let pruned ones come back.

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
    kept = np.flatnonzero(prior_variances > 0)
    before, found = factored(moments, prior_variances, noise_variance), prior_variances.copy()
    # The upper triangle alone is kept up to date, in BLAS's order of columns.
    covariance = np.asfortranarray(before.covariance()[np.ix_(kept, kept)])
    mean = before.mean[kept]
    for i, j in enumerate(kept):
        variance = covariance[i, i]
        found[j], _ = worth.best(mean[i] / variance, 1.0 / variance - 1.0 / prior_variances[j])
        if found[j] > 0:
            change = 1.0 / found[j] - 1.0 / prior_variances[j]
            gain = change / (1.0 + change * variance)
        else:
            gain = 1.0 / variance
        column = np.concatenate([covariance[:i, i], covariance[i, i:]])
        mean -= gain * mean[i] * column
        covariance = dsyr(-gain, column, a=covariance, overwrite_a=True)
    return _readmitted(moments, found, noise_variance, worth)


def _readmitted(moments: Moments, prior_variances: Array, noise_variance: float, worth: Worth) -> Array:
    """The same with pruned coefficients that earn their place, the one that earns most first.

    C⁻¹ follows each by one rank, and with it X'C⁻¹X and X'C⁻¹y for all that are still out.
    """
    out = np.flatnonzero((prior_variances == 0) & (np.diag(moments.gram) > 0))
    if not out.size:
        return prior_variances
    now = factored(moments, prior_variances, noise_variance)
    beside = moments.gram[out] / noise_variance
    sparsities = moments.gram[np.ix_(out, out)] / noise_variance - beside @ now.covariance() @ beside.T
    qualities = moments.cross[out] / noise_variance - beside @ now.mean
    tried = np.zeros(out.size, dtype=bool)
    while not tried.all():
        diagonal = np.diag(sparsities)
        offers = np.where(tried | (diagonal <= 0), 0.0, qualities**2 / np.where(diagonal > 0, diagonal, 1.0))
        best = int(np.argmax(offers))
        variance, earned = worth.best(float(qualities[best]), float(diagonal[best]))
        if offers[best] <= 1.0 or earned <= _NOTICEABLE:
            break
        tried[best], prior_variances[out[best]] = True, variance
        column = sparsities[best].copy()
        share = variance / (1.0 + variance * column[best])
        qualities -= share * qualities[best] * column
        sparsities -= share * column[:, None] * column
    return prior_variances
