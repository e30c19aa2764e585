"""Equations that M-steps of continuous families share: gamma shapes, Dirichlet parameters, words for averages at the edge.

All are solved for many components and columns at once; every Newton step is guarded.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import digamma, gammaln, polygamma

from mixtura.protocols import Array

__all__ = [
    "EQUAL",
    "SMALLEST",
    "dirichlet_alpha",
    "dirichlet_gap",
    "exponential",
    "gamma_shape",
    "named",
    "tangent",
]

# Values that differ by less than this, relative to the terms of the log density (which cancel), count as equal: below it
# scores would lose more than seven digits, and the likelihood rises without bound as values become equal.
EQUAL = 1e-9
# Least positive number whose reciprocal is finite with room for a sum.
SMALLEST = 1e-300

_STEPS = 100
# From here on the series of log a - digamma(a) is exact to rounding, and the difference is not.
_SERIES = 20.0
_EULER = 0.5772156649015329


def exponential(logs: Array, farthest: float = 690.0) -> Array:
    """Exponentials of coordinates, cut where they or what is made of them would overflow."""
    return np.asarray(np.exp(np.clip(logs, -farthest, farthest)))


def named(bad: Array, reason: Callable[[int, int], str]) -> dict[int, str]:
    """The reason of the first bad column of every component with one; `bad` has shape (K, D).

    Examples
    --------
    >>> named(np.array([[False, False], [False, True]]), lambda k, d: "too large")
    {1: 'column 1: too large'}
    """
    first = {int(k): int(np.argmax(bad[k])) for k in np.flatnonzero(bad.any(axis=1))}
    return {k: f"column {d}: {reason(k, d)}" for k, d in first.items()}


def gamma_shape(gap: Array) -> Array:
    """The a with log a - digamma(a) = gap, for positive gaps of any shape.

    The left side falls from infinity to zero, so there is one solution. Newton's method in 1/a (equation 10 of [1]_),
    on which it is nearly linear, from a start that is right to a few per cent; a step that would leave a factor of four
    stops there.

    References
    ----------
    .. [1] T. P. Minka (2002), "Estimating a Gamma distribution".

    Examples
    --------
    >>> gamma_shape(np.array([np.log(3.0) - digamma(3.0)])).round(12)
    array([3.])
    """
    gap = np.asarray(gap, dtype=np.float64)
    # (3 - s + sqrt((s - 3)^2 + 24 s)) / (12 s), without the difference that cancels for large s.
    root = np.sqrt((gap - 3.0) ** 2 + 24.0 * gap)
    shape = np.where(gap < 3.0, (3.0 - gap + root) / (12.0 * gap), 2.0 / (root + gap - 3.0))
    for _ in range(_STEPS):
        value, slope = _gap_and_slope(shape)
        inverse = 1.0 / shape + (value - gap) / (shape**2 * slope)
        new = np.clip(1.0 / np.where(inverse > 0, inverse, np.inf), 0.25 * shape, 4.0 * shape)
        moved = np.abs(new - shape) > 1e-14 * shape
        shape = new
        if not moved.any():
            break
    return np.asarray(shape)


def _gap_and_slope(shape: Array) -> tuple[Array, Array]:
    """log a - digamma(a) and its derivative 1/a - trigamma(a), both to full precision."""
    large = shape > _SERIES
    a = np.where(large, 1.0, shape)
    value, slope = np.log(a) - digamma(a), 1.0 / a - polygamma(1, a)
    v = 1.0 / np.where(large, shape, _SERIES)
    w = v * v
    series = v * (0.5 + v * (1 / 12 - w * (1 / 120 - w * (1 / 252 - w * (1 / 240 - w / 132)))))
    falls = -w * (0.5 + v * (1 / 6 - w * (1 / 30 - w * (1 / 42 - w * (1 / 30 - w * 5 / 66)))))
    return np.where(large, series, value), np.where(large, falls, slope)


def dirichlet_gap(mean_logs: Array) -> Array:
    """1 - sum of exp(mean log), shape (R,): positive (Jensen), and zero where all rows are equal."""
    return np.asarray(1.0 - np.exp(mean_logs).sum(axis=-1))


def dirichlet_alpha(mean_logs: Array) -> Array:
    """The alpha with digamma(alpha_j) - digamma(sum alpha) = mean log_j: maximum likelihood of Dirichlet laws.

    The log-likelihood is concave in alpha, its Hessian a diagonal and a matrix of rank one (equations 13 to 18 of [1]_).
    A Newton step lowers no parameter by more than nine tenths, and is halved while it lowers the likelihood.

    Parameters
    ----------
    mean_logs : ndarray, shape (R, D)
        Averages of log shares, one row a law, with a positive gap.

    Returns
    -------
    ndarray, shape (R, D)

    References
    ----------
    .. [1] T. P. Minka (2000, revised 2012), "Estimating a Dirichlet distribution".

    Examples
    --------
    >>> alpha = np.array([[0.5, 2.0, 7.0]])
    >>> dirichlet_alpha(digamma(alpha) - digamma(alpha.sum())).round(10)
    array([[0.5, 2. , 7. ]])
    """
    alpha = _dirichlet_start(mean_logs)
    open_rows, last = np.arange(len(alpha)), np.full(len(alpha), np.inf)
    for _ in range(_STEPS):
        a, goal = alpha[open_rows], mean_logs[open_rows]
        gradient = digamma(a.sum(axis=1, keepdims=True)) - digamma(a) + goal
        step = _newton_direction(a, gradient)
        step *= np.minimum(1.0, 0.9 / np.max(-step / a, axis=1, initial=1e-300))[:, None]
        new = _halved(a, step, goal)
        alpha[open_rows] = new
        moved = np.max(np.abs(new - a) / a, axis=1)
        # Steps that no longer shrink are rounding.
        going = (moved > 1e-14) & ((moved > 1e-6) | (moved < 0.5 * last))
        open_rows, last = open_rows[going], moved[going]
        if not open_rows.size:
            break
    return alpha


def _newton_direction(a: Array, gradient: Array) -> Array:
    """Newton's step uphill by Sherman and Morrison's formula; the diagonal is positive, the sum has a trigamma less."""
    diagonal, common = polygamma(1, a), polygamma(1, a.sum(axis=1, keepdims=True))
    inner = (gradient / diagonal).sum(axis=1, keepdims=True)
    left = 1.0 - common * (1.0 / diagonal).sum(axis=1, keepdims=True)
    return np.asarray((gradient + common * inner / left) / diagonal)


def _halved(a: Array, step: Array, goal: Array) -> Array:
    """a plus the step, halved in rows where the log-likelihood would fall by more than rounding."""
    before, size = _dirichlet_log(a, goal), np.ones((len(a), 1))
    for _ in range(60):
        new = a + size * step
        falls = _dirichlet_log(new, goal) < before - 1e-13 * (np.abs(gammaln(a.sum(axis=1))) + a.shape[1])
        if not falls.any():
            break
        size[falls] *= 0.5
    return np.asarray(new)


def _dirichlet_log(a: Array, goal: Array) -> Array:
    """Mean log-likelihood of a row, without the base measure."""
    return np.asarray(gammaln(a.sum(axis=1)) + np.sum(a * goal - gammaln(a), axis=1))


def _dirichlet_start(mean_logs: Array) -> Array:
    """From digamma(a) = log(a - 1/2) where a is large, followed by two of Minka's fixed-point steps (equation 9)."""
    total = np.exp(mean_logs).sum(axis=1, keepdims=True)
    concentration = (mean_logs.shape[1] - total) / (2.0 * (1.0 - total))
    for _ in range(3):
        y = mean_logs + digamma(concentration)
        alpha = np.where(y > -2.22, np.exp(np.minimum(y, 700.0)) + 0.5, -1.0 / (np.minimum(y, -2.0) + _EULER))
        concentration = alpha.sum(axis=1, keepdims=True)
    return np.asarray(alpha)


def tangent(mean_logs: Array, tilt: Array) -> Array:
    """Moves of mean logs (R, D), odd in `tilt`, that leave three quarters of each row's gap or more.

    Along them the sum of exp(mean log) does not change to first order, so both halves of a split keep inside.
    """
    weight = np.exp(mean_logs)
    move = tilt - (weight * tilt).sum(axis=1, keepdims=True) / weight.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore"):
        size = np.sqrt(0.25 * dirichlet_gap(mean_logs) / (weight * move**2).sum(axis=1))
        size = np.minimum(size, 0.5 / np.abs(move).max(axis=1))
    return np.asarray(size[:, None] * move)
