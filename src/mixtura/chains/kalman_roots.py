r"""Square-root Kalman filter and smoother: factors of covariances in the place of covariances.

With P = L L', an orthogonal U makes the left arrays lower triangular, and the blocks of what comes out are what is looked for ([1]_):

.. math::

    \begin{pmatrix} \Sigma^{1/2} & C L_P \\ 0 & L_P \end{pmatrix} U = \begin{pmatrix} F^{1/2} & 0 \\ K F^{1/2} & L_V \end{pmatrix},
    \qquad \begin{pmatrix} A L_V & \Gamma^{1/2} \end{pmatrix} U = \begin{pmatrix} L_P & 0 \end{pmatrix},

    \begin{pmatrix} A L_V & \Gamma^{1/2} \\ L_V & 0 \end{pmatrix} U = \begin{pmatrix} L_P & 0 \\ J L_P & X \end{pmatrix},
    \qquad \begin{pmatrix} X & J \hat L_{t+1} \end{pmatrix} U = \begin{pmatrix} \hat L_t & 0 \end{pmatrix} .

Nothing is squared on the way, so condition numbers count by their roots only: states that are known a million times better in one
direction than in another keep their digits. Costs about three times the Joseph form, and has no steady state.

References
----------
.. [1] T. Kailath, A. H. Sayed, B. Hassibi (2000), Linear Estimation, chapter 12.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from scipy.linalg import solve_triangular

from mixtura.chains.kalman import Filtered, Smoothed, Steps, refuse_singular
from mixtura.chains.kalman_plain import factor
from mixtura.kernels import compiled
from mixtura.protocols import Array

__all__ = ["SquareRoot"]

_SINGULAR = 4e-16
_NO_VARIANCE = 1e-14


def _roots(matrices: Array) -> Array:
    return np.stack([factor(matrix, 0.0) for matrix in matrices])


def _squares(roots: Array) -> Array:
    """L L' of every matrix."""
    return np.asarray(roots @ np.swapaxes(roots, 1, 2))


class SquareRoot:
    """Filter and smoother by factors of covariances; for systems whose covariances are close to singular.

    Examples
    --------
    >>> one = np.ones((1, 1, 1))
    >>> all_first, rows = np.zeros(3, dtype=int), np.array([[1.0], [2.0], [1.5]])
    >>> how = (one, 0.1 * one, all_first, np.zeros((3, 1)), one, one, all_first, rows, np.ones(3, dtype=int))
    >>> level = Steps(*how, np.array([0, 3]), np.zeros((1, 1)), one)
    >>> filtered = SquareRoot().filter(level)
    >>> SquareRoot().smooth(level, filtered).mean.ravel().round(3)
    array([1.061, 1.174, 1.203])
    """

    def filter(self, steps: Steps) -> Filtered:
        """States given the rows up to theirs.

        Raises
        ------
        InvalidDataError
            If the covariance of an innovation is singular.
        """
        n_rows, n_states = steps.drift.shape
        means, roots = np.empty((2, n_rows, n_states)), np.empty((2, n_rows, n_states, n_states))
        log_prob = np.empty(n_rows)
        rooted = steps._replace(
            noise=_roots(steps.noise),
            error=_roots(steps.error),
            start_covariance=_roots(steps.start_covariance),
        )
        run = compiled("mixtura.kernels.kalman_roots", "filter_rows") or filter_rows
        refuse_singular(steps, run(*rooted, means[0], roots[0], means[1], roots[1], log_prob))
        return Filtered(means[0], _squares(roots[0]), means[1], _squares(roots[1]), log_prob, roots[1])

    def smooth(self, steps: Steps, filtered: Filtered) -> Smoothed:
        """States given all rows of their sequence."""
        mean, roots, gains = (
            np.empty_like(filtered.mean),
            np.empty_like(filtered.kept),
            np.empty_like(filtered.kept),
        )
        run = compiled("mixtura.kernels.kalman_roots", "smooth_rows") or smooth_rows
        run(
            steps.transition,
            _roots(steps.noise),
            steps.move,
            steps.offsets,
            filtered.predicted_mean,
            filtered.mean,
            filtered.kept,
            mean,
            roots,
            gains,
        )
        covariance = _squares(roots)
        lagged = np.zeros_like(covariance)
        lagged[1:] = covariance[1:] @ np.swapaxes(gains[:-1], 1, 2)
        return Smoothed(mean, covariance, lagged)


def _triangle(array: Array) -> Array:
    """A lower triangular matrix with the same product with its transpose."""
    return np.swapaxes(np.asarray(np.linalg.qr(array.T, mode="r")), 0, 1)


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
    start_root: Array,
    predicted_mean: Array,
    predicted_root: Array,
    mean: Array,
    root: Array,
    log_prob: Array,
) -> int:
    """The filter in NumPy; arguments and what is written as in :func:`mixtura.kernels.kalman_roots.filter_rows`."""
    n, d = drift.shape[1], rest.shape[1]
    log_prob[:] = 0.0
    for u, (begin, end) in enumerate(pairwise(offsets)):
        which = u if len(start_mean) > 1 else 0
        for t in range(begin, end):
            if t == begin:
                predicted_mean[t], predicted_root[t] = start_mean[which], start_root[which]
            else:
                a = transition[move[t]]
                predicted_mean[t] = a @ mean[t - 1] + drift[t]
                predicted_root[t] = _triangle(np.hstack([a @ root[t - 1], noise[move[t]]]))
            mean[t], root[t] = predicted_mean[t], predicted_root[t]
            if look[t] < 0:
                continue
            c = loading[look[t]]
            both = np.block([[error[look[t]], c @ root[t]], [np.zeros((n, d)), root[t]]])
            sizes = np.sum(both[:d] ** 2, axis=1)
            both = _triangle(both)
            inner, pivots = both[:d, :d], np.diag(both)[:d] ** 2
            if not (pivots > _SINGULAR * sizes).all():
                return int(t)
            scaled = solve_triangular(inner, rest[t] - c @ mean[t], lower=True)
            mean[t] = mean[t] + both[d:, :d] @ scaled
            root[t] = both[d:, d:]
            log_prob[t] = -0.5 * (seen[t] * math.log(2.0 * math.pi) + np.log(pivots).sum() + scaled @ scaled)
    return -1


def smooth_rows(
    transition: Array,
    noise: Array,
    move: Array,
    offsets: Array,
    predicted_mean: Array,
    filtered_mean: Array,
    filtered_root: Array,
    mean: Array,
    root: Array,
    gains: Array,
) -> None:
    """The smoother in NumPy; arguments and what is written as in :func:`mixtura.kernels.kalman_roots.smooth_rows`."""
    n = transition.shape[1]
    for begin, end in pairwise(offsets):
        if begin == end:
            continue
        mean[end - 1], root[end - 1], gains[end - 1] = filtered_mean[end - 1], filtered_root[end - 1], 0.0
        for t in range(end - 2, begin - 1, -1):
            after, own = t + 1, filtered_root[t]
            both = np.block([[transition[move[after]] @ own, noise[move[after]]], [own, np.zeros((n, n))]])
            sizes = np.sum(both[:n] ** 2, axis=1)
            both = _triangle(both)
            inner, cross = both[:n, :n].copy(), both[n:, :n].copy()
            known = np.diag(inner) ** 2 <= _NO_VARIANCE * sizes  # next values that are known already
            open_ = np.where(known, cross, 0.0)
            inner[:, known], cross[:, known] = 0.0, 0.0
            inner[known, known] = 1.0
            gains[t] = solve_triangular(inner, cross.T, lower=True, trans=1).T
            mean[t] = filtered_mean[t] + gains[t] @ (mean[after] - predicted_mean[after])
            root[t] = _triangle(np.hstack([both[n:, n:], open_, gains[t] @ root[after]]))
