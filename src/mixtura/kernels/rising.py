"""Sums of rising factorials over the non-zeros of a table, one category after the other.

The non-zeros of a category are worked on in chunks that stay in the first-level cache: gathered, pushed through
arithmetic without branches (which the compiler turns into vector instructions; a logarithm of its own, because that of the C
library is a call), then scattered to rows or added. The definition is :mod:`mixtura.components.rising`.
"""

from __future__ import annotations

import numba
import numpy as np

__all__ = ["add_derivatives", "add_logs"]

_CHUNK = 256
_LARGE = 8.0  # as in mixtura.components.rising
# Division by zero gives infinity as in NumPy: the check that Numba adds otherwise keeps loops from becoming vectors.
_exact = numba.njit(
    nogil=True, cache=True, error_model="numpy", fastmath={"contract", "nsz"}, inline="always"
)
_loop = numba.njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract", "nsz"})
_sum = numba.njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract", "nsz", "reassoc"})

# Bits of 1.0 and of the square root of one half, by which a number is cut into a power of two and a factor near one.
_ONE = 0x3FF0000000000000
_ROOT_HALF = 0x3FE6A09E667F3BCD
_MANTISSA = 0x000FFFFFFFFFFFFF


@_exact
def _log(y):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Logarithm of a positive normal number: y = 2^e m, log m from atanh's series in (m - 1) / (m + 1), fitted."""
    bits = np.float64(y).view(np.int64) + np.int64(_ONE - _ROOT_HALF)
    exponent = float((bits >> np.int64(52)) - np.int64(1023))
    m = np.int64((bits & np.int64(_MANTISSA)) + np.int64(_ROOT_HALF)).view(np.float64)
    f = m - 1.0
    s = f / (2.0 + f)
    w = s * s
    tail = _atanh_tail(w)
    half = 0.5 * f * f
    # log 2 in two parts, the first short enough for an exact product with the exponent.
    return exponent * 0.6931471803691238 - (
        (half - (s * (half + tail) + exponent * 1.9082149292705877e-10)) - f
    )


@_exact
def _atanh_tail(w):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """2 (w/3 + w^2/5 + w^3/7 + ...), for w below 0.03: the terms up to w^11 leave 1e-18."""
    return w * (
        2 / 3
        + w
        * (
            2 / 5
            + w
            * (
                2 / 7
                + w
                * (
                    2 / 9
                    + w
                    * (
                        2 / 11
                        + w
                        * (2 / 13 + w * (2 / 15 + w * (2 / 17 + w * (2 / 19 + w * (2 / 21 + w * 2 / 23)))))
                    )
                )
            )
        )
    )


@_exact
def _log1p(t):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """log(1 + t) for t at least 0, with what rounding 1 + t lost put back."""
    u = 1.0 + t
    return _log(u) + (t - (u - 1.0)) / u


@_exact
def _stirling(v):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    w = v * v
    return v * (
        1 / 12
        - w
        * (1 / 360 - w * (1 / 1260 - w * (1 / 1680 - w * (1 / 1188 - w * (691 / 360360 - w * (1 / 156))))))
    )


@_exact
def _log_gamma(z):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """log Γ(z) = log Γ(z + 8) - log z (z + 1) ... (z + 7); the product is a polynomial in z (z + 7)."""
    q = z * (z + 7.0)
    y = z + 8.0
    product = (q * (q + 6.0)) * ((q + 10.0) * (q + 12.0))
    return (y - 0.5) * _log(y) - _log(product) - y + (0.9189385332046728 + _stirling(1.0 / y))


@_exact
def _psi_series(v):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    w = v * v
    return w * (
        1 / 12
        - w * (1 / 120 - w * (1 / 252 - w * (1 / 240 - w * (1 / 132 - w * (691 / 32760 - w * (1 / 12))))))
    )


@_exact
def _trigamma_series(v):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    w = v * v
    return (
        v
        * w
        * (1 / 6 - w * (1 / 30 - w * (1 / 42 - w * (1 / 30 - w * (5 / 66 - w * (691 / 2730 - w * (7 / 6)))))))
    )


@_loop
def _logs_small(x, a, size, out):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    below = _log_gamma(a)
    for i in range(size):
        out[i] = _log_gamma(x[i] + a) - below


@_loop
def _logs_large(x, a, size, out):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    u = 1.0 / a
    linear, below = _log(a) - 1.0, _stirling(u)
    for i in range(size):
        z = x[i] + a
        out[i] = (z - 0.5) * _log1p(x[i] * u) + x[i] * linear + _stirling(1.0 / z) - below


@_exact
def _psi(z):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """ψ(z): eight steps of the recurrence, 1/z + ... + 1/(z + 7) as one fraction in q = z (z + 7), then the series."""
    q = z * (z + 7.0)
    low, high = q * (q + 6.0), (q + 10.0) * (q + 12.0)
    steps = (2.0 * z + 7.0) * ((2.0 * q + 6.0) * high + (2.0 * q + 22.0) * low) / (low * high)
    v = 1.0 / (z + 8.0)
    return _log(z + 8.0) - 0.5 * v - _psi_series(v) - steps


@_exact
def _trigamma(z):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """ψ'(z): eight steps of the recurrence, then the series."""
    steps = (_square(z) + _square(z + 1.0)) + (_square(z + 2.0) + _square(z + 3.0))
    steps += (_square(z + 4.0) + _square(z + 5.0)) + (_square(z + 6.0) + _square(z + 7.0))
    v = 1.0 / (z + 8.0)
    return steps + v + 0.5 * v * v + _trigamma_series(v)


@_exact
def _square(z):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    return 1.0 / (z * z)


@_loop
def _derivatives_small(x, a, size, first, second):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    psi, trigamma = _psi(a), _trigamma(a)
    for i in range(size):
        z = x[i] + a
        first[i], second[i] = _psi(z) - psi, trigamma - _trigamma(z)


@_loop
def _derivatives_large(x, a, size, first, second):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    u = 1.0 / a
    psi, trigamma = _psi_series(u), _trigamma_series(u)
    for i in range(size):
        v = 1.0 / (a + x[i])
        step = x[i] * u * v
        first[i] = _log1p(x[i] * u) + 0.5 * step + psi - _psi_series(v)
        second[i] = step + 0.5 * step * (u + v) + trigamma - _trigamma_series(v)


@_sum
def _dot(weight, values, size):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    total = 0.0
    for i in range(size):
        total += weight[i] * values[i]
    return total


@_sum
def _lost(weight, first, x, inverse, size):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Sum of weight (1/a - first) over the counts below one."""
    total = 0.0
    for i in range(size):
        total += weight[i] * (inverse - first[i]) if x[i] < 1.0 else 0.0
    return total


@_loop
def add_logs(values, rows, offsets, alpha, sign, out):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 - compiled
    """Add sign times the log rising factorials of every row to out (K, B)."""
    result = np.empty(_CHUNK)
    for k in range(alpha.shape[0]):
        row = out[k]
        for j in range(alpha.shape[1]):
            a = alpha[k, j]
            for begin in range(offsets[j], offsets[j + 1], _CHUNK):
                size = min(_CHUNK, offsets[j + 1] - begin)
                chunk = values[begin : begin + size]
                if a < _LARGE:
                    _logs_small(chunk, a, size, result)
                else:
                    _logs_large(chunk, a, size, result)
                for i in range(size):
                    row[rows[begin + i]] += sign * result[i]


@_loop
def add_derivatives(values, rows, offsets, alpha, resp, least, score, curvature, fraction):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 - compiled
    """Add the weighted derivatives of the log rising factorials to sums (K, C); resp of at most `least` adds nothing."""
    x, weight, first, second = np.empty(_CHUNK), np.empty(_CHUNK), np.empty(_CHUNK), np.empty(_CHUNK)
    for k in range(alpha.shape[0]):
        row, floor = resp[k], least[k]
        for j in range(alpha.shape[1]):
            a, begin, last = alpha[k, j], offsets[j], offsets[j + 1]
            while begin < last:
                size = 0
                for i in range(begin, min(begin + _CHUNK, last)):
                    w = row[rows[i]]
                    x[size], weight[size] = (
                        values[i],
                        w,
                    )  # written always, kept by moving on: no branch to foresee
                    size += w > floor
                begin += _CHUNK
                if a < _LARGE:
                    _derivatives_small(x, a, size, first, second)
                else:
                    _derivatives_large(x, a, size, first, second)
                score[k, j] += _dot(weight, first, size)
                curvature[k, j] += _dot(weight, second, size)
                fraction[k, j] += _lost(weight, first, x, 1.0 / a, size)
