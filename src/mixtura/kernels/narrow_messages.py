"""Compiled messages of chains of up to four states: rows, matrix and sums of pairs are scalars, in registers.

The steps of :mod:`mixtura.kernels.messages` with likelihood and responsibilities (4, B), and pairs summed on the way. With fewer states
the others have likelihood zero, and are never entered.
"""

from __future__ import annotations

import math

import numba

__all__ = ["WIDTH", "backward", "forward"]

WIDTH = 4
_HUGE = 1e300
_FAST = {"reassoc", "contract", "arcp", "nsz"}
_jit = numba.njit(nogil=True, cache=True, fastmath=_FAST, error_model="numpy")


@_jit
def forward(likelihood, initial, transition, first, least, filtered, inverse):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 - compiled
    """Write filtered rows 1.. (B + 1, 4) and the factors of all rows but the first; returns whether sums are at least `least`."""
    a00, a01, a02, a03 = transition[0, 0], transition[0, 1], transition[0, 2], transition[0, 3]
    a10, a11, a12, a13 = transition[1, 0], transition[1, 1], transition[1, 2], transition[1, 3]
    a20, a21, a22, a23 = transition[2, 0], transition[2, 1], transition[2, 2], transition[2, 3]
    a30, a31, a32, a33 = transition[3, 0], transition[3, 1], transition[3, 2], transition[3, 3]
    p0, p1, p2, p3 = filtered[0, 0], filtered[0, 1], filtered[0, 2], filtered[0, 3]
    factor = inverse[0]
    sound = True
    for t in range(likelihood.shape[1]):
        if first[t]:
            factor = 1.0
            q0, q1, q2, q3 = initial[0], initial[1], initial[2], initial[3]
        else:
            q0 = (p0 * a00 + p1 * a10) + (p2 * a20 + p3 * a30)
            q1 = (p0 * a01 + p1 * a11) + (p2 * a21 + p3 * a31)
            q2 = (p0 * a02 + p1 * a12) + (p2 * a22 + p3 * a32)
            q3 = (p0 * a03 + p1 * a13) + (p2 * a23 + p3 * a33)
        p0 = q0 * (likelihood[0, t] * factor)
        p1 = q1 * (likelihood[1, t] * factor)
        p2 = q2 * (likelihood[2, t] * factor)
        p3 = q3 * (likelihood[3, t] * factor)
        filtered[t + 1, 0] = p0
        filtered[t + 1, 1] = p1
        filtered[t + 1, 2] = p2
        filtered[t + 1, 3] = p3
        inverse[t] = factor
        total = (p0 + p1) + (p2 + p3)
        if total >= least:
            factor = 1.0 / total
        else:
            factor = 1.0
            sound = False
    inverse[likelihood.shape[1]] = factor
    return sound


@_jit
def backward(likelihood, transposed, first, last, weight, inverse, filtered, ahead, resp, pairs):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 - compiled
    """Write weighted smoothed probabilities (4, B), add pairs (4, 4) without the moves' factors; returns the largest sum of beta."""
    a00, a01, a02, a03 = transposed[0, 0], transposed[1, 0], transposed[2, 0], transposed[3, 0]
    a10, a11, a12, a13 = transposed[0, 1], transposed[1, 1], transposed[2, 1], transposed[3, 1]
    a20, a21, a22, a23 = transposed[0, 2], transposed[1, 2], transposed[2, 2], transposed[3, 2]
    a30, a31, a32, a33 = transposed[0, 3], transposed[1, 3], transposed[2, 3], transposed[3, 3]
    s00 = s01 = s02 = s03 = s10 = s11 = s12 = s13 = 0.0
    s20 = s21 = s22 = s23 = s30 = s31 = s32 = s33 = 0.0
    b0, b1, b2, b3 = ahead[0], ahead[1], ahead[2], ahead[3]
    largest = 0.0
    for t in range(likelihood.shape[1] - 1, -1, -1):
        if last[t]:
            b0 = b1 = b2 = b3 = 1.0
        g0, g1 = filtered[t + 1, 0] * b0, filtered[t + 1, 1] * b1
        g2, g3 = filtered[t + 1, 2] * b2, filtered[t + 1, 3] * b3
        total, peak = (g0 + g1) + (g2 + g3), (b0 + b1) + (b2 + b3)
        inner = 1.0 / total
        largest = max(largest, peak * inner) if total > 0.0 and peak < _HUGE else math.inf
        share = weight[t] * inner
        resp[0, t] = g0 * share
        resp[1, t] = g1 * share
        resp[2, t] = g2 * share
        resp[3, t] = g3 * share
        if not first[t]:
            factor = inverse[t]
            v0, v1 = b0 * (likelihood[0, t] * factor), b1 * (likelihood[1, t] * factor)
            v2, v3 = b2 * (likelihood[2, t] * factor), b3 * (likelihood[3, t] * factor)
            b0 = (a00 * v0 + a01 * v1) + (a02 * v2 + a03 * v3)
            b1 = (a10 * v0 + a11 * v1) + (a12 * v2 + a13 * v3)
            b2 = (a20 * v0 + a21 * v1) + (a22 * v2 + a23 * v3)
            b3 = (a30 * v0 + a31 * v1) + (a32 * v2 + a33 * v3)
            p0, p1 = filtered[t, 0] * share, filtered[t, 1] * share
            p2, p3 = filtered[t, 2] * share, filtered[t, 3] * share
            s00 += p0 * v0
            s01 += p0 * v1
            s02 += p0 * v2
            s03 += p0 * v3
            s10 += p1 * v0
            s11 += p1 * v1
            s12 += p1 * v2
            s13 += p1 * v3
            s20 += p2 * v0
            s21 += p2 * v1
            s22 += p2 * v2
            s23 += p2 * v3
            s30 += p3 * v0
            s31 += p3 * v1
            s32 += p3 * v2
            s33 += p3 * v3
    ahead[0], ahead[1], ahead[2], ahead[3] = b0, b1, b2, b3
    sums = ((s00, s01, s02, s03), (s10, s11, s12, s13), (s20, s21, s22, s23), (s30, s31, s32, s33))
    for i in range(4):
        for j in range(4):
            pairs[i, j] += sums[i][j]
    return largest
