r"""Modified Bessel functions of the first kind where SciPy's leave the range of numbers, and their ratio.

The von Mises-Fisher law in D dimensions needs :math:`I_\nu(\kappa)` and :math:`I_{\nu+1}(\kappa) / I_\nu(\kappa)` with
:math:`\nu = D/2 - 1`, for concentrations from 0 to far beyond 1e8. SciPy's scaled functions are used where they are finite
and no denormal number; elsewhere the power series ([1]_, 10.25.2) for :math:`\kappa^2 \le \nu + 1`, and otherwise Debye's
uniform expansion ([1]_, 10.41.3), whose terms are powers of :math:`(\nu^2 + \kappa^2)^{-1/2}`: below 1e-2 there.

References
----------
.. [1] NIST Digital Library of Mathematical Functions, chapter 10.
.. [2] D. E. Amos (1974), "Computation of modified Bessel functions and their ratios", Mathematics of Computation 28.
.. [3] K. Hornik and B. Grün (2014), "On maximum likelihood estimation of the concentration parameter of von Mises-Fisher
   distributions", Computational Statistics 29.
"""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln, i0e, i1e, ive, xlogy

from mixtura.protocols import Array

__all__ = ["concentration", "log_bessel", "ratio"]

# Smaller scaled values have lost digits already.
_SMALL = 1e-290
# Larger arguments are outside the range of SciPy's function.
_LARGE = 1e8
# Levels of the recurrence that are computed beyond the one wanted, each of which multiplies the error by ratio^2 or less.
_LEVELS = 60
_STEPS = 100


def log_bessel(order: float, kappa: Array) -> Array:
    """log(I_order(kappa) / kappa^order), which is finite at 0.

    Parameters
    ----------
    order : float
        At least 0.
    kappa : ndarray
        At least 0.

    Examples
    --------
    >>> log_bessel(0.5, np.array([0.0, 1.0])).round(6)  # sqrt(2 / pi) times (1, sinh 1)
    array([-0.225791, -0.064352])
    """
    kappa = np.asarray(kappa, dtype=np.float64)
    scaled = _scaled(order, kappa)
    good = _usable(scaled, kappa)
    direct = np.log(np.where(good, scaled, 1.0)) + kappa - xlogy(order, np.where(good, kappa, 1.0))
    with np.errstate(over="ignore"):
        small = kappa * kappa <= order + 1.0
    rest = np.where(
        small, _series(order, np.where(small, kappa, 0.0)), _debye(order, np.where(small, 1.0, kappa))
    )
    return np.where(good, direct, rest)


def ratio(order: float, kappa: Array) -> tuple[Array, Array]:
    """I_{order+1}(kappa) / I_order(kappa), and the same over kappa (which is 1 / (2 order + 2) at 0).

    Where SciPy's functions cannot be divided, the recurrence r_{n-1} = 1 / (2 n / kappa + r_n) runs down from a level
    where Amos's bound (equation 11 of [2]_ of the module) is the start.

    Examples
    --------
    >>> ratio(0.5, np.array([0.0, 1.0]))[0].round(6)  # coth(kappa) - 1 / kappa
    array([0.      , 0.313035])
    """
    kappa = np.asarray(kappa, dtype=np.float64)
    upper, lower = _scaled(order + 1.0, kappa), _scaled(order, kappa)
    good = _usable(upper, kappa) & (kappa > 0)
    direct = np.where(good, upper, 0.0) / np.where(good, lower, 1.0)
    over = np.where(good, direct / np.where(good, kappa, 1.0), _recurrence(order, np.where(good, 1.0, kappa)))
    return np.where(good, direct, kappa * over), over


def concentration(order: float, resultant: Array) -> Array:
    """The kappa with I_{order+1}(kappa) / I_order(kappa) = resultant, for resultants from 0 to 1 - 1e-9.

    Newton's method inside the bracket that inverts Amos's bounds (theorem 2 of [3]_ of the module). The ratio's slope is
    1 - r^2 - (2 order + 1) r / kappa; for large concentrations, where that cancels, the slope of Amos's function.

    Examples
    --------
    >>> concentration(0.5, np.array([0.0, 1.0 / np.tanh(3.0) - 1.0 / 3.0])).round(10)
    array([0., 3.])
    """
    resultant = np.asarray(resultant, dtype=np.float64)
    alpha, left = order + 0.5, (1.0 - resultant) * (1.0 + resultant)
    factor = resultant / left
    low = 2.0 * alpha * factor
    high = factor * (alpha + np.sqrt((alpha * resultant) ** 2 + (order + 1.5) ** 2 * left))
    kappa, last = 0.5 * (low + high), np.full(resultant.shape, np.inf)
    for _ in range(_STEPS):
        value, over = ratio(order, kappa)
        # A few units in the last place of slack: at both ends the bounds are equal to the ratio up to rounding.
        new = np.clip(
            kappa + (resultant - value) / _slope(order, kappa, value, over), low, high * (1.0 + 1e-15)
        )
        moved = np.abs(new - kappa)
        kappa = new
        if not ((moved > 1e-15 * kappa) & (moved < 0.7 * last)).any():
            break  # what still moves is rounding
        last = moved
    return kappa


def _slope(order: float, kappa: Array, value: Array, over: Array) -> Array:
    """Derivative of the ratio, never zero."""
    alpha, square = order + 0.5, (order + 0.5) * (order + 1.5)
    root = np.sqrt(kappa * kappa + square)
    amos = (alpha + square / root) / (alpha + root) ** 2
    exact = 1.0 - value * value - 2.0 * alpha * over
    return np.where((kappa > 1e3) | (exact <= 0.0), amos, exact)


def _scaled(order: float, kappa: Array) -> Array:
    """I_order(kappa) exp(-kappa), or 0 where SciPy's function is out of its range."""
    if order in (0.0, 1.0):
        return np.asarray((i0e if order == 0.0 else i1e)(kappa))
    return np.where(kappa < _LARGE, ive(order, np.minimum(kappa, _LARGE)), 0.0)


def _usable(scaled: Array, kappa: Array) -> Array:
    return np.asarray((scaled > _SMALL) & np.isfinite(kappa))


def _recurrence(order: float, kappa: Array) -> Array:
    """The ratio over kappa."""
    value = 1.0 / (order + _LEVELS + 0.5 + np.hypot(kappa, order + _LEVELS + 1.5))
    for level in range(_LEVELS, 0, -1):
        value = 1.0 / (2.0 * (order + level) + kappa * (kappa * value))
    return np.asarray(value)


def _series(order: float, kappa: Array) -> Array:
    """The power series, for kappa^2 up to order + 1: fifteen terms are exact to rounding."""
    quarter, term, total = 0.25 * kappa * kappa, np.ones_like(kappa), np.zeros_like(kappa)
    for m in range(1, 16):
        term = term * quarter / (m * (order + m))
        total += term
    return np.asarray(np.log1p(total) - order * np.log(2.0) - gammaln(order + 1.0))


def _debye(order: float, kappa: Array) -> Array:
    """Debye's expansion; p is order / q, and every term has its power of 1 / q, so order 0 is no exception."""
    q = np.hypot(order, kappa)
    p = (order / q) ** 2
    first = (3.0 - 5.0 * p) / 24.0
    second = (81.0 - 462.0 * p + 385.0 * p**2) / 1152.0
    third = (30375.0 - 369603.0 * p + 765765.0 * p**2 - 425425.0 * p**3) / 414720.0
    fourth = 4465125.0 - 94121676.0 * p + 349922430.0 * p**2 - 446185740.0 * p**3 + 185910725.0 * p**4
    tail = (first + (second + (third + fourth / 39813120.0 / q) / q) / q) / q
    return np.asarray(q - order * np.log(order + q) - 0.5 * np.log(2.0 * np.pi * q) + np.log1p(tail))
