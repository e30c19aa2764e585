r"""The posterior of the coefficients and the exact log evidence, from second moments alone.

With :math:`y \mid w \sim N(Xw, s^2 I)` and :math:`w \sim N(0, T)`, T diagonal,

.. math::

    S = (X'X / s^2 + T^{-1})^{-1}, \quad m = S X'y / s^2, \quad
    \log p(y) = -\tfrac12 \left( N \log 2 \pi s^2 + \log |B| + \frac{|y - Xm|^2 + s^2 m'T^{-1}m}{s^2} \right),

where :math:`B = I + T^{1/2} X'X T^{1/2} / s^2` has no eigenvalue below one, so its Cholesky factor exists whatever X is, and
a prior variance of zero (a pruned coefficient) is a value like any other [1]_. `factored` is that, and the definition;
`spectral` is the fast path where all prior variances are equal: it needs no factor, only the eigenvectors of X'X, which no step changes.

References
----------
.. [1] C. E. Rasmussen, C. K. I. Williams (2006), Gaussian Processes for Machine Learning, section 2.1 and appendix A.3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cholesky
from scipy.linalg.lapack import dtrtri

from mixtura.chains.moments import Moments
from mixtura.protocols import Array

__all__ = ["Posterior", "factored", "posterior", "spectral"]

_LOG_TWO_PI = float(np.log(2.0 * np.pi))


@dataclass(frozen=True)
class Posterior:
    """What is known of the coefficients after the rows.

    Parameters
    ----------
    mean : ndarray, shape (D,)
        m.
    variances : ndarray, shape (D,)
        Diagonal of S.
    determined : ndarray, shape (D,)
        1 - S_jj / t_j: how much of each coefficient the rows determine, from 0 (nothing) to 1; their sum is the effective
        number of parameters.
    residual : float
        Sum of squared residuals of m.
    log_evidence : float
        log p(y), exact.
    covariance : callable
        Makes S, shape (D, D).
    """

    mean: Array
    variances: Array
    determined: Array
    residual: float
    log_evidence: float
    covariance: Callable[[], Array]


def posterior(moments: Moments, prior_variances: Array, noise_variance: float) -> Posterior:
    """The posterior by the path that suits the prior.

    Parameters
    ----------
    moments : Moments
        Of the rows.
    prior_variances : ndarray, shape (D,)
        Diagonal of T; zero where a coefficient is pruned.
    noise_variance : float
        s².

    Examples
    --------
    >>> from mixtura.chains.moments import Moments
    >>> rows = Moments(
    ...     4.0, np.array([[4.0, 6.0], [6.0, 14.0]]), np.array([15.9, 33.7]), 82.69, np.zeros(2), 0.0
    ... )
    >>> posterior(rows, np.full(2, 4.0), 0.25).mean
    array([1.01253466, 1.96442965])
    """
    one = prior_variances.size and prior_variances[0] > 0 and np.all(prior_variances == prior_variances[0])
    path = spectral if one and moments.alike else factored
    return path(moments, prior_variances, noise_variance)


def factored(moments: Moments, prior_variances: Array, noise_variance: float) -> Posterior:
    """The posterior by the Cholesky factor of B; any prior variances.

    Examples
    --------
    >>> rows = Moments(2.0, np.eye(2), np.array([1.0, 0.0]), 1.0, np.zeros(2), 0.0)
    >>> factored(rows, np.array([1.0, 0.0]), 1.0).mean
    array([0.5, 0. ])
    """
    kept = np.flatnonzero(prior_variances > 0)
    root = np.sqrt(prior_variances[kept])
    gram = root[:, None] * moments.gram[np.ix_(kept, kept)] * root / noise_variance
    gram[np.diag_indices_from(gram)] += 1.0
    factor = cholesky(gram, lower=True) if kept.size else gram
    inverse = dtrtri(factor, lower=1)[0] if kept.size else gram
    shares = np.sum(inverse**2, axis=0)  # S_jj / t_j
    mean, variances, determined = np.zeros((3, moments.n_features))
    mean[kept] = root * (inverse.T @ (inverse @ (root * moments.cross[kept]))) / noise_variance
    variances[kept] = prior_variances[kept] * shares
    determined[kept] = 1.0 - shares
    residual = moments.residual(mean)
    penalty = noise_variance * float(np.sum((mean[kept] / root) ** 2))
    log_determinant = 2.0 * float(np.sum(np.log(np.diag(factor))))

    def covariance() -> Array:
        full = np.zeros((moments.n_features, moments.n_features))
        half = inverse * root
        full[np.ix_(kept, kept)] = half.T @ half
        return full

    evidence = _log_evidence(moments, noise_variance, log_determinant, residual + penalty)
    return Posterior(mean, variances, determined, residual, evidence, covariance)


def spectral(moments: Moments, prior_variances: Array, noise_variance: float) -> Posterior:
    """The posterior in the eigenvectors of X'X; all prior variances equal, and above zero.

    Notes
    -----
    With eigenvalues l_i, c = V'X'y and r = s² / t²: m = V c / (l + r), S = s² V diag(1 / (l + r)) V'. The sum of squared
    residuals is the least one plus c² r² / (l (l + r)²), which is positive, so a perfect fit loses no digits.

    Examples
    --------
    >>> rows = Moments(2.0, np.eye(2), np.array([1.0, 0.0]), 1.0, np.zeros(2), 0.0)
    >>> spectral(rows, np.ones(2), 1.0).mean
    array([0.5, 0. ])
    """
    spectrum, prior_variance = moments.spectrum, float(prior_variances[0])
    ratio = noise_variance / prior_variance
    shrunk = spectrum.values + ratio
    along = spectrum.cross / shrunk
    squares = spectrum.vectors**2
    safe = np.where(spectrum.values > 0, spectrum.values, 1.0)
    residual = moments.least_squares.residual + float(np.sum((along * ratio) ** 2 / safe))
    penalty = ratio * float(along @ along)

    def covariance() -> Array:
        return np.asarray((spectrum.vectors * (noise_variance / shrunk)) @ spectrum.vectors.T)

    log_determinant = float(np.sum(np.log1p(spectrum.values / ratio)))
    evidence = _log_evidence(moments, noise_variance, log_determinant, residual + penalty)
    return Posterior(
        spectrum.vectors @ along,
        squares @ (noise_variance / shrunk),
        squares @ (spectrum.values / shrunk),
        residual,
        evidence,
        covariance,
    )


def _log_evidence(moments: Moments, noise_variance: float, log_determinant: float, squares: float) -> float:
    """Log density of the response; `squares` are those of the residuals plus the penalty."""
    scale = moments.count * (_LOG_TWO_PI + float(np.log(noise_variance)))
    return float(moments.constant - 0.5 * (scale + log_determinant + squares / noise_variance))
