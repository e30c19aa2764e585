"""Compiled messages of chains of nine to sixteen states: rows of sixteen, and the row before each in registers.

The steps of :mod:`mixtura.kernels.messages` with rows (B, 16). States beyond K have likelihood zero, and are never entered.
"""

from __future__ import annotations

import math

import numba

__all__ = ["WIDTH", "backward", "forward"]

WIDTH = 16
_HUGE = 1e300
_FAST = {"reassoc", "contract", "arcp", "nsz"}
_jit = numba.njit(nogil=True, cache=True, fastmath=_FAST, error_model="numpy")
_inline = numba.njit(nogil=True, fastmath=_FAST, error_model="numpy", inline="always")


@_inline
def _numbers(row):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """A row as sixteen numbers."""
    return (
        row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7],
        row[8], row[9], row[10], row[11], row[12], row[13], row[14], row[15],
    )  # fmt: skip


@_inline
def _entry(v, matrix, j):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Entry j of sixteen numbers times a matrix (16, 16)."""
    a = (v[0] * matrix[0, j] + v[1] * matrix[1, j]) + (v[2] * matrix[2, j] + v[3] * matrix[3, j])
    b = (v[4] * matrix[4, j] + v[5] * matrix[5, j]) + (v[6] * matrix[6, j] + v[7] * matrix[7, j])
    c = (v[8] * matrix[8, j] + v[9] * matrix[9, j]) + (v[10] * matrix[10, j] + v[11] * matrix[11, j])
    d = (v[12] * matrix[12, j] + v[13] * matrix[13, j]) + (v[14] * matrix[14, j] + v[15] * matrix[15, j])
    return (a + b) + (c + d)


@_jit
def forward(likelihood, initial, transition, first, least, filtered, inverse):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 - compiled
    """Write filtered rows 1.. (B + 1, 16) and the factors of all rows but the first; returns whether sums are at least `least`."""
    n_rows = len(likelihood)
    sound = True
    for t in range(n_rows):
        row, here = filtered[t + 1], likelihood[t]
        total = 0.0
        if first[t]:
            inverse[t] = 1.0
            for j in range(WIDTH):
                value = initial[j] * here[j]
                row[j] = value
                total += value
        else:
            v, factor = _numbers(filtered[t]), inverse[t]
            for j in range(WIDTH):
                value = _entry(v, transition, j) * (here[j] * factor)
                row[j] = value
                total += value
        if total >= least:
            inverse[t + 1] = 1.0 / total
        else:
            inverse[t + 1] = 1.0
            sound = False
    return sound


@_jit
def backward(likelihood, transposed, first, last, weight, inverse, filtered, ahead, resp):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201, C901 - compiled
    """Write weighted smoothed rows (B, 16), and into `likelihood` what pairs are made of; returns the largest sum of beta.

    Before its turn a row of `resp` holds beta, and one of the likelihood that times beta and its factor: this is the recursion, and
    all the rest waits for nothing. Loops are over few arrays each: of more the compiler does not prove that they are apart.
    """
    n_rows = len(likelihood)
    largest = 0.0
    for t in range(n_rows - 1, -1, -1):
        before, here, out = filtered[t + 1], likelihood[t], resp[t]
        if last[t]:
            for j in range(WIDTH):
                ahead[j] = 1.0
        if last[t] or t == n_rows - 1:
            factor = inverse[t]
            for j in range(WIDTH):
                out[j] = ahead[j]
                here[j] *= ahead[j] * factor
        if not first[t]:
            v = _numbers(here)
            if t > 0:
                past, beta, factor = likelihood[t - 1], resp[t - 1], inverse[t - 1]
                for j in range(WIDTH):
                    beta[j] = _entry(v, transposed, j)
                for j in range(WIDTH):
                    past[j] *= beta[j] * factor
            else:
                for j in range(WIDTH):
                    ahead[j] = _entry(v, transposed, j)
        total, peak = 0.0, 0.0
        for j in range(WIDTH):
            total += before[j] * out[j]
            peak += out[j]
        share = weight[t] / total
        largest = max(largest, peak / total) if total > 0.0 and peak < _HUGE else math.inf
        for j in range(WIDTH):
            out[j] *= before[j] * share
        moved = 0.0 if first[t] else share
        for j in range(WIDTH):
            here[j] *= moved
    return largest
