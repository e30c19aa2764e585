r"""Rising factorials of any real step: log Γ(a + x) - log Γ(a) and its first two derivatives by a, without cancellation.

For a below `LARGE` the two terms are moderate and their difference is taken as it stands. Above, both grow like
a log a while the difference stays near x log a, so the difference is written out in Stirling's series:

.. math:: \log\frac{\Gamma(a+x)}{\Gamma(a)} = (a+x-\tfrac12)\log(1+x/a) + x(\log a - 1) + s(a+x) - s(a),

with s(a) = 1/(12 a) - 1/(360 a^3) + ... This is what keeps the limit of infinite concentration (the multinomial) exact.

References
----------
.. [1] M. Abramowitz and I. A. Stegun (1964), Handbook of Mathematical Functions, 6.1.40, 6.3.18, 6.4.12.
"""

from __future__ import annotations

import numpy as np
from scipy.special import digamma, gammaln

from mixtura.protocols import Array

__all__ = ["LARGE", "log_rising", "rising_derivatives"]

#: From here on differences of Stirling's series are taken; its terms below are then good to 1e-15.
LARGE = 8.0


def log_rising(x: Array, a: Array) -> Array:
    """Log of the rising factorial, log Γ(a + x) - log Γ(a), for x at least 0 and a above 0.

    Parameters
    ----------
    x, a : ndarray
        Of shapes that broadcast.

    Returns
    -------
    ndarray
        Zero exactly where x is zero.

    Examples
    --------
    >>> log_rising(np.array([1.0, 2.0]), np.array([3.0, 3.0])).round(4)  # log 3, log 3 x 4
    array([1.0986, 2.4849])
    """
    x, a = np.broadcast_arrays(np.asarray(x, dtype=np.float64), np.asarray(a, dtype=np.float64))
    large = a >= LARGE
    if large.all():
        return _log_large(x, a)
    if not large.any():
        return np.asarray(gammaln(x + a) - gammaln(a))
    result = np.empty(x.shape)
    result[~large] = gammaln(x[~large] + a[~large]) - gammaln(a[~large])
    result[large] = _log_large(x[large], a[large])
    return result


def rising_derivatives(x: Array, a: Array) -> tuple[Array, Array]:
    """ψ(a + x) - ψ(a) and ψ'(a) - ψ'(a + x), both at least 0.

    Parameters
    ----------
    x, a : ndarray
        Of shapes that broadcast.

    Returns
    -------
    tuple of ndarray
        First derivative of `log_rising` by a, and its second with the sign turned.

    Examples
    --------
    >>> first, second = rising_derivatives(np.array([2.0]), np.array([3.0]))  # 1/3 + 1/4, 1/9 + 1/16
    >>> first.round(4), second.round(4)
    (array([0.5833]), array([0.1736]))
    """
    x, a = np.broadcast_arrays(np.asarray(x, dtype=np.float64), np.asarray(a, dtype=np.float64))
    large = a >= LARGE
    first, second = np.empty(x.shape), np.empty(x.shape)
    for where, function in ((large, _derivatives_large), (~large, _derivatives_small)):
        if where.all():
            return function(x, a)
        first[where], second[where] = function(x[where], a[where])
    return first, second


def _log_large(x: Array, a: Array) -> Array:
    z = a + x
    return np.asarray((z - 0.5) * np.log1p(x / a) + x * (np.log(a) - 1.0) + _stirling(z) - _stirling(a))


def _stirling(z: Array) -> Array:
    """s(z), what log Γ(z) is above (z - 1/2) log z - z + log(2 π) / 2."""
    v = 1.0 / z
    w = v * v
    return np.asarray(
        v
        * (
            1 / 12
            - w
            * (
                1 / 360
                - w * (1 / 1260 - w * (1 / 1680 - w * (1 / 1188 - w * (691 / 360360 - w * (1 / 156)))))
            )
        )
    )


def _derivatives_large(x: Array, a: Array) -> tuple[Array, Array]:
    u, v = 1.0 / a, 1.0 / (a + x)
    step = x * u * v  # u - v
    first = np.log1p(x * u) + 0.5 * step + _psi_series(u) - _psi_series(v)
    second = step + 0.5 * step * (u + v) + _trigamma_series(u) - _trigamma_series(v)
    return first, second


def _derivatives_small(x: Array, a: Array) -> tuple[Array, Array]:
    return digamma(x + a) - digamma(a), _trigamma(a) - _trigamma(x + a)


def _psi_series(v: Array) -> Array:
    """What log z - 1/(2 z) is above ψ(z), of v = 1/z."""
    w = v * v
    return np.asarray(
        w
        * (
            1 / 12
            - w * (1 / 120 - w * (1 / 252 - w * (1 / 240 - w * (1 / 132 - w * (691 / 32760 - w * (1 / 12))))))
        )
    )


def _trigamma_series(v: Array) -> Array:
    """What ψ'(z) is above 1/z + 1/(2 z^2), of v = 1/z."""
    w = v * v
    return np.asarray(
        v
        * w
        * (1 / 6 - w * (1 / 30 - w * (1 / 42 - w * (1 / 30 - w * (5 / 66 - w * (691 / 2730 - w * (7 / 6)))))))
    )


def _trigamma(z: Array) -> Array:
    """ψ'(z): eight steps of the recurrence, then the series (SciPy's `polygamma` takes ten times as long)."""
    value = np.zeros(z.shape)
    for i in range(8):
        u = 1.0 / (z + i)
        value += u * u
    v = 1.0 / (z + 8.0)
    return value + v + 0.5 * v * v + _trigamma_series(v)
