"""Compiled messages of hidden Markov chains: forward and backward over a chunk of rows, in the linear domain.

Every row is scaled by the sum of the row before it, so that the division is no part of the recursion, which bounds the speed of short
chains. Products with the matrix take four of its rows at a time. Chunks of filtered rows begin with the last one before them.
For up to four states everything is a scalar, in registers (:mod:`mixtura.kernels.narrow_messages`).
"""

from __future__ import annotations

import math

import numba

__all__ = ["backward", "forward", "transpose"]

_FAST = {"reassoc", "contract", "arcp", "nsz"}
_jit = numba.njit(nogil=True, cache=True, fastmath=_FAST, error_model="numpy")
_HUGE = 1e300


@_jit
def transpose(wide, tall):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 - compiled
    """Write (K, B) into (B, K)."""
    n_components, n_rows = wide.shape
    for t in range(n_rows):
        for k in range(n_components):
            tall[t, k] = wide[k, t]


@_jit
def _times(vector, matrix, out):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Write vector (K,) times matrix (K, K) into out (K,)."""
    size = len(vector)
    for j in range(size):
        out[j] = 0.0
    whole = size - size % 4
    for i in range(0, whole, 4):
        a, b, c, d = vector[i], vector[i + 1], vector[i + 2], vector[i + 3]
        row_a, row_b, row_c, row_d = matrix[i], matrix[i + 1], matrix[i + 2], matrix[i + 3]
        for j in range(size):
            out[j] += (a * row_a[j] + b * row_b[j]) + (c * row_c[j] + d * row_d[j])
    for i in range(whole, size):
        a, row_a = vector[i], matrix[i]
        for j in range(size):
            out[j] += a * row_a[j]


@_jit
def forward(likelihood, initial, transition, first, least, filtered, inverse):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 - compiled
    """Write filtered rows 1.. (B + 1, K), which sum to about one, and the factors of all rows but the first (B + 1,).

    Row t of `filtered` times the moves, times row t of the likelihood and factor t, is row t + 1. Returns whether all sums are at
    least `least`.
    """
    n_rows, n_components = likelihood.shape
    sound = True
    for t in range(n_rows):
        row, here = filtered[t + 1], likelihood[t]
        if first[t]:
            inverse[t] = 1.0
            for j in range(n_components):
                row[j] = initial[j] * here[j]
        else:
            _times(filtered[t], transition, row)
            factor = inverse[t]
            for j in range(n_components):
                row[j] *= here[j] * factor
        total = 0.0
        for j in range(n_components):
            total += row[j]
        if total >= least:
            inverse[t + 1] = 1.0 / total
        else:
            inverse[t + 1] = 1.0
            sound = False
    return sound


@_jit
def backward(likelihood, transposed, first, last, weight, inverse, filtered, ahead, resp):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 - compiled
    """From the last row to the first: write weighted smoothed rows (B, K), and into `likelihood` what pairs are made of.

    `ahead` (K,) is beta of the last row, and of the row before the first one afterwards. Smoothed rows are filtered times beta over
    their sum; row t of the likelihood becomes weight x likelihood x factor x beta over that sum, and zeros where a sequence begins.
    Returns the largest sum of beta, over that of filtered times beta.
    """
    n_rows, n_components = likelihood.shape
    largest = 0.0
    for t in range(n_rows - 1, -1, -1):
        before, here, out = filtered[t + 1], likelihood[t], resp[t]
        if last[t]:
            for j in range(n_components):
                ahead[j] = 1.0
        factor = inverse[t]
        for j in range(n_components):
            here[j] *= ahead[j] * factor
        total, peak = 0.0, 0.0  # a sum in the place of a maximum, which is not taken several at a time
        for j in range(n_components):
            total += before[j] * ahead[j]
            peak += ahead[j]
        share = weight[t] / total
        largest = max(largest, peak / total) if total > 0.0 and peak < _HUGE else math.inf
        for j in range(n_components):
            out[j] = before[j] * ahead[j] * share
        if first[t]:
            for j in range(n_components):
                here[j] = 0.0
        else:
            _times(here, transposed, ahead)
            for j in range(n_components):
                here[j] *= share
    return largest
