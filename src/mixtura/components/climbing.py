"""How far a function of one positive number rises, for many at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mixtura.protocols import Array

__all__ = ["climb"]

# Halvings of an interval of logarithms: a factor of 10 is then known to eleven digits.
_HALVINGS = 40


def climb(slope: Callable[[Array], Array], start: Array, low: Array, high: Array) -> Array:
    """From each start uphill to where the slope changes its sign, or to the end of the interval.

    Parameters
    ----------
    slope : callable
        Derivative (or anything of its sign) at points of the shape of `start`.
    start : ndarray
        Positive.
    low, high : ndarray
        Ends of the interval of each, positive.

    Returns
    -------
    ndarray
        Points at which the slope has the sign that it has at the start; the start where there is none.

    Examples
    --------
    >>> climb(lambda r: 3.0 - r, np.array([1.0, 9.0]), np.array([0.1, 4.0]), np.array([50.0, 50.0])).round(6)
    array([3., 4.])
    """
    first = slope(start)
    up = first > 0
    end = np.where(up, high, low)
    reached = (slope(end) > 0) == up
    inside, beyond = np.log(start), np.log(end)
    for _ in range(_HALVINGS):
        middle = 0.5 * (inside + beyond)
        same = (slope(np.exp(middle)) > 0) == up
        inside, beyond = np.where(same, middle, inside), np.where(same, beyond, middle)
    return np.where(np.isfinite(first) & (first != 0), np.where(reached, end, np.exp(inside)), start)
