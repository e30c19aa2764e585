r"""Kalman filter and smoother, row by row in NumPy: what the compiled ones are tested against, and what serves without Numba.

Filter ([1]_, equations 13.89 to 13.92, the covariance in Joseph's form, which is a sum of positive parts):

.. math::

    P_t &= A V_{t-1} A^T + \Gamma, & K_t &= P_t C^T (C P_t C^T + \Sigma)^{-1},\\
    \mu_t &= m_t + K_t (x_t - C m_t), & V_t &= (I - K_t C) P_t (I - K_t C)^T + K_t \Sigma K_t^T .

Smoother ([1]_, equations 13.100 to 13.104, the covariance as a sum of positive parts again), with :math:`J_t = V_t A^T P_{t+1}^{-1}`:

.. math::

    \hat\mu_t = \mu_t + J_t (\hat\mu_{t+1} - m_{t+1}), \quad
    \hat V_t = (I - J_t A) V_t (I - J_t A)^T + J_t (\Gamma + \hat V_{t+1}) J_t^T, \quad
    \operatorname{cov}(z_{t+1}, z_t) = \hat V_{t+1} J_t^T .

References
----------
.. [1] C. M. Bishop (2006), Pattern Recognition and Machine Learning, section 13.3.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from scipy.linalg import solve_triangular

from mixtura.protocols import Array

__all__ = ["factor", "filter_rows", "smooth_rows", "solve"]

_SINGULAR = 4e-16
_NO_VARIANCE = 1e-14


def factor(matrix: Array, least: float) -> Array:
    """Lower factor of a positive semidefinite matrix; a pivot below `least` times the diagonal leaves a column of zeros.

    Examples
    --------
    >>> factor(np.array([[4.0, 2.0], [2.0, 1.0]]), 1e-14)
    array([[2., 0.],
           [1., 0.]])
    """
    lower = np.zeros_like(matrix)
    for j in range(len(matrix)):
        pivot = matrix[j, j] - lower[j, :j] @ lower[j, :j]
        if pivot > least * matrix[j, j]:
            lower[j:, j] = (matrix[j:, j] - lower[j:, :j] @ lower[j, :j]) / math.sqrt(pivot)
    return lower


def solve(lower: Array, right: Array) -> Array:
    """Some x with lower lower' x = right, where there is one; what zero pivots leave open is zero."""
    open_ = np.diag(lower) == 0.0
    if open_.any():
        lower = lower.copy()
        lower[open_] = 0.0
        lower[open_, open_] = 1.0
        right = np.where(open_[:, None], 0.0, right)
    return np.asarray(
        solve_triangular(lower, solve_triangular(lower, right, lower=True), lower=True, trans=1)
    )


def _joseph(left: Array, covariance: Array, gain: Array, noise: Array) -> Array:
    """left covariance left' + gain noise gain', exactly symmetric."""
    whole = left @ covariance @ left.T + gain @ noise @ gain.T
    return np.asarray(0.5 * (whole + whole.T))


def filter_rows(
    transition: Array,
    noise: Array,
    move: Array,
    drift: Array,
    loading: Array,
    error: Array,
    look: Array,
    rest: Array,
    seen: Array,
    offsets: Array,
    start_mean: Array,
    start_covariance: Array,
    tol: float,
    predicted_mean: Array,
    predicted_covariance: Array,
    mean: Array,
    covariance: Array,
    log_prob: Array,
    steady: Array,
) -> int:
    """The filter; arguments and what is written as in :func:`mixtura.kernels.kalman.filter_rows`, but nothing is ever steady."""
    identity = np.eye(transition.shape[1])
    steady[:] = 0
    log_prob[:] = 0.0
    for u, (begin, end) in enumerate(pairwise(offsets)):
        which = u if len(start_mean) > 1 else 0
        for t in range(begin, end):
            if t == begin:
                predicted_mean[t], predicted_covariance[t] = start_mean[which], start_covariance[which]
            else:
                a = transition[move[t]]
                predicted_mean[t] = a @ mean[t - 1] + drift[t]
                predicted_covariance[t] = _joseph(a, covariance[t - 1], identity, noise[move[t]])
            m, p = predicted_mean[t], predicted_covariance[t]
            mean[t], covariance[t] = m, p
            if look[t] < 0:
                continue
            c, sigma = loading[look[t]], error[look[t]]
            innovation = rest[t] - c @ m
            lower = factor(c @ p @ c.T + sigma, _SINGULAR)
            if not np.diag(lower).all():
                return int(t)
            gain = solve(lower, c @ p).T
            mean[t] = m + gain @ innovation
            covariance[t] = _joseph(identity - gain @ c, p, gain, sigma)
            scaled = solve_triangular(lower, innovation, lower=True)
            log_det = seen[t] * math.log(2.0 * math.pi) + 2.0 * np.log(np.diag(lower)).sum()
            log_prob[t] = -0.5 * (log_det + scaled @ scaled)
    return -1


def smooth_rows(
    transition: Array,
    noise: Array,
    move: Array,
    offsets: Array,
    tol: float,
    predicted_mean: Array,
    predicted_covariance: Array,
    filtered_mean: Array,
    filtered_covariance: Array,
    steady: Array,
    mean: Array,
    covariance: Array,
    lagged: Array,
) -> None:
    """The smoother; arguments and what is written as in :func:`mixtura.kernels.kalman.smooth_rows`."""
    identity = np.eye(transition.shape[1])
    for begin, end in pairwise(offsets):
        if begin == end:
            continue
        mean[end - 1], covariance[end - 1] = filtered_mean[end - 1], filtered_covariance[end - 1]
        lagged[begin] = 0.0
        for t in range(end - 2, begin - 1, -1):
            after = t + 1
            a, v = transition[move[after]], filtered_covariance[t]
            gain = solve(factor(predicted_covariance[after], _NO_VARIANCE), a @ v).T
            mean[t] = filtered_mean[t] + gain @ (mean[after] - predicted_mean[after])
            covariance[t] = _joseph(identity - gain @ a, v, gain, noise[move[after]] + covariance[after])
            lagged[after] = covariance[after] @ gain.T
