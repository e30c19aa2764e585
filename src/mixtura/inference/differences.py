"""Numerical derivatives of a model by its free coordinates, with steps that suit any unit of the data.

A coordinate's *scale* is the distance over which one row's average expected log probability changes by about one half. It is
found by trial (a column may be in grams or in tonnes), and all steps are fractions of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from mixtura.exceptions import MixturaError
from mixtura.protocols import Array

__all__ = ["SCORE_STEP", "colours", "gradient", "hessian", "pairs_of", "scales", "step_along"]

# Fractions of a scale. First derivatives: truncation about 1e-9, rounding about 1e-11. Second: 1e-7 and 1e-8.
SCORE_STEP = 1e-4
_CURVATURE_STEP = 5e-4
# Second differences between these are neither rounding nor far from a parabola.
_VISIBLE, _NEAR, _AIM = 1e-9, 1e-2, 1e-5
_TRIALS = 30

Function = Callable[[Array], float]


def scales(function: Function, theta: Array) -> Array:
    """Scale of every coordinate, shape (p,); one where the function does not depend on it.

    Parameters
    ----------
    function : callable
        Expected log probability per row, of coordinates (p,).
    theta : ndarray, shape (p,)
        Where.

    Examples
    --------
    >>> scales(lambda t: -0.5 * t[0] ** 2 / 1e12 - 0.5 * t[1] ** 2 * 1e6, np.zeros(2)).round(6)
    array([1.e+06, 1.e-03])
    """
    middle = function(theta)
    found = np.ones(len(theta))
    for c in range(len(theta)):
        h = 1e-3 * max(1.0, abs(theta[c]))
        for _ in range(_TRIALS):
            rise = abs(_second(function, theta, c, h, middle))
            if _VISIBLE * max(1.0, abs(middle)) <= rise <= _NEAR:
                found[c] = h / np.sqrt(rise)
                break
            h *= float(np.clip(np.sqrt(_AIM / rise), 1e-2, 1e2)) if rise > 0 else 1e2
            if not 1e-200 < h < 1e200:
                break
    return found


def _second(function: Function, theta: Array, c: int, h: float, middle: float) -> float:
    """Second difference; infinite where the function is not defined."""
    try:
        with np.errstate(all="ignore"):
            value = function(_moved(theta, c, h)) + function(_moved(theta, c, -h)) - 2.0 * middle
    except (MixturaError, ArithmeticError, np.linalg.LinAlgError, ValueError):
        return np.inf
    return value if np.isfinite(value) else np.inf


def gradient(function: Function, theta: Array, scale: Array) -> Array:
    """First derivatives, shape (p,).

    Examples
    --------
    >>> gradient(lambda t: t[0] * t[1], np.array([2.0, 3.0]), np.ones(2)).round(6)
    array([3., 2.])
    """
    found = np.empty(len(theta))
    for c in range(len(theta)):
        h = SCORE_STEP * scale[c]
        found[c] = (function(_moved(theta, c, h)) - function(_moved(theta, c, -h))) / (2.0 * h)
    return found


def hessian(function: Function, theta: Array, scale: Array, pairs: Sequence[tuple[int, int]]) -> Array:
    """Second derivatives, shape (p, p), of the pairs of coordinates given (c <= d); zero for all others.

    Examples
    --------
    >>> hessian(lambda t: t[0] * t[1] + t[1] ** 2, np.zeros(2), np.ones(2), [(0, 0), (0, 1), (1, 1)]).round(6)
    array([[0., 1.],
           [1., 2.]])
    """
    size = len(theta)
    found = np.zeros((size, size))
    middle, steps = function(theta), np.diag(_CURVATURE_STEP * scale)
    # Along c: f(c) + f(-c) - 2 f. Along c + d the same, and half of what it has beyond c and d is the mixed derivative.
    alone = np.array([function(theta + step) + function(theta - step) - 2.0 * middle for step in steps])
    for c, d in pairs:
        if c == d:
            found[c, c] = alone[c] / steps[c, c] ** 2
            continue
        both = steps[c] + steps[d]
        rise = function(theta + both) + function(theta - both) - 2.0 * middle
        found[c, d] = found[d, c] = (rise - alone[c] - alone[d]) / (2.0 * steps[c, c] * steps[d, d])
    return found


def step_along(function: Function, theta: Array, direction: Array) -> float:
    """Second derivative along a direction whose length is a few scales.

    Examples
    --------
    >>> round(step_along(lambda t: t @ t, np.zeros(2), np.array([1.0, 1.0])), 6)
    4.0
    """
    h = _CURVATURE_STEP
    rise = function(theta + h * direction) + function(theta - h * direction) - 2.0 * function(theta)
    return float(rise / h**2)


def colours(touched: Array) -> list[Array]:
    """Groups of coordinates that touch different components, so that one step may move a whole group (Curtis, Powell and Reid).

    Parameters
    ----------
    touched : ndarray of bool, shape (p, K)
        Components whose scores depend on a coordinate.

    Returns
    -------
    list of ndarray of int
        Coordinates of each group.

    Examples
    --------
    >>> colours(np.array([[True, False], [True, False], [False, True], [True, True]]))
    [array([0, 2]), array([1]), array([3])]
    """
    groups: list[list[int]] = []
    used: list[Array] = []
    for c, own in enumerate(touched):
        free = next((g for g, taken in enumerate(used) if not (taken & own).any()), None)
        if free is None:
            groups.append([c])
            used.append(own.copy())
        else:
            groups[free].append(c)
            used[free] |= own
    return [np.array(group, dtype=np.intp) for group in groups]


def pairs_of(touched: Array) -> Iterator[tuple[int, int]]:
    """Pairs of coordinates (c <= d) that touch a component in common; no other pair has a second derivative."""
    together = touched.astype(int) @ touched.T.astype(int) > 0
    return ((int(c), int(d)) for c, d in np.argwhere(np.triu(together)))


def _moved(theta: Array, c: int, by: float) -> Array:
    new = theta.copy()
    new[c] += by
    return new
