"""The Dirichlet law: divergence, and maximum likelihood from averages of log weights.

References
----------
.. [1] T. P. Minka (2000), "Estimating a Dirichlet distribution".
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq
from scipy.special import digamma, gammaln, polygamma

from mixtura.protocols import Array

__all__ = [
    "MAX_CONCENTRATION",
    "dirichlet_divergence",
    "dirichlet_from_mean_log",
    "dirichlet_of_logs",
    "inverse_digamma",
]

# Beyond this weights drawn from the law are all alike, and log-gamma functions lose the digits of a divergence.
MAX_CONCENTRATION = 1e5


def dirichlet_divergence(posterior: Array, prior: Array) -> Array:
    """KL divergence of Dirichlet laws, shape (U,), posterior (U, K) from prior (K,).

    Examples
    --------
    >>> dirichlet_divergence(np.array([[2.0, 3.0]]), np.array([2.0, 3.0]))
    array([0.])
    """
    total = posterior.sum(axis=1)
    value = gammaln(total) - gammaln(prior.sum()) + (gammaln(prior) - gammaln(posterior)).sum(axis=1)
    difference = posterior - prior
    return np.asarray(
        value + (difference * digamma(posterior)).sum(axis=1) - difference.sum(axis=1) * digamma(total)
    )


def inverse_digamma(value: Array) -> Array:
    """Solution of digamma(x) = value by Newton's method from Minka's start ([1]_, appendix C).

    Parameters
    ----------
    value : ndarray
        Any real numbers.

    Returns
    -------
    ndarray
        Positive; five steps reach rounding everywhere.

    Examples
    --------
    >>> inverse_digamma(np.array([digamma(0.3), digamma(40.0)])).round(10)
    array([ 0.3, 40. ])
    """
    value = np.asarray(value, dtype=np.float64)
    with np.errstate(over="ignore"):
        x = np.where(value >= -2.22, np.exp(np.minimum(value, 700.0)) + 0.5, -1.0 / (value - digamma(1.0)))
    for _ in range(6):
        x = np.maximum(x - (digamma(x) - value) / polygamma(1, x), 0.5 * x)
    return x


def dirichlet_of_logs(mean_logs: Array) -> Array:
    """The same for many laws at once, shape (R, D), with sums of at most `MAX_CONCENTRATION`.

    Examples
    --------
    >>> a = np.array([[0.5, 2.0], [3.0, 1.0]])
    >>> dirichlet_of_logs(digamma(a) - digamma(a.sum(axis=1, keepdims=True))).round(6)
    array([[0.5, 2. ],
           [3. , 1. ]])
    """
    from mixtura.families._solvers import dirichlet_alpha, dirichlet_gap  # families are made with priors

    share = np.exp(mean_logs - mean_logs.max(axis=1, keepdims=True))
    alpha = MAX_CONCENTRATION * share / share.sum(axis=1, keepdims=True)
    spread = dirichlet_gap(mean_logs) > mean_logs.shape[1] / (2.0 * MAX_CONCENTRATION)
    if spread.any() and mean_logs.shape[1] > 1:
        alpha[spread] = dirichlet_alpha(mean_logs[spread])
    return np.asarray(alpha * np.minimum(1.0, MAX_CONCENTRATION / alpha.sum(axis=1, keepdims=True)))


def dirichlet_from_mean_log(mean_log: Array, concentration: float | None = None) -> Array:
    r"""Maximum-likelihood Dirichlet parameters from the averages of log weights.

    Every stationary point has :math:`\psi(a_k) = g_k + c` for one number c, so the K-dimensional problem is a
    root in one dimension: :math:`\psi(\sum_k a_k(c)) = c`, or :math:`\sum_k a_k(c) = s` where s is given.

    Parameters
    ----------
    mean_log : ndarray, shape (K,)
        Averages g_k of log weights.
    concentration : float, optional
        s, kept fixed. None learns it, up to `MAX_CONCENTRATION`.

    Returns
    -------
    ndarray, shape (K,)
        Dirichlet parameters.

    Examples
    --------
    >>> a = np.array([0.5, 2.0, 1.0])
    >>> dirichlet_from_mean_log(digamma(a) - digamma(a.sum())).round(6)
    array([0.5, 2. , 1. ])
    """
    if len(mean_log) == 1:
        return np.array([MAX_CONCENTRATION if concentration is None else concentration])

    def parameters(c: float) -> Array:
        return inverse_digamma(mean_log + c)

    def gap(c: float) -> float:
        total = float(parameters(c).sum())
        return float(digamma(total) - c) if concentration is None else float(np.log(concentration / total))

    limit = (
        float(digamma(MAX_CONCENTRATION if concentration is None else concentration))
        - float(mean_log.min())
        + 1.0
    )
    highest = limit if concentration is not None else float(digamma(MAX_CONCENTRATION))
    if gap(highest) >= 0.0:  # no spread between groups: the population serves for all
        share = np.exp(mean_log - mean_log.max())
        return MAX_CONCENTRATION * share / share.sum()
    lowest = -1.0
    while gap(lowest) <= 0.0:
        lowest *= 2.0
    return parameters(float(brentq(gap, lowest, highest, xtol=1e-13, rtol=8.9e-16)))
