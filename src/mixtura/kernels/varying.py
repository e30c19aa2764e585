"""Compiled messages of chains whose moves depend on the row, chunk by chunk: `which` says whose matrix enters each row."""

from __future__ import annotations

import numba

__all__ = ["backward", "forward"]

_FAST = {"reassoc", "contract", "arcp", "nsz"}
_jit = numba.njit(nogil=True, cache=True, fastmath=_FAST)


@_jit
def forward(likelihood, moves, which, first, before, filtered, scale):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 - compiled
    """Write filtered probabilities (C, K) and scales (C,) from those `before` the chunk (K,); whether all scales are positive."""
    n_rows, n_components = likelihood.shape
    positive = True
    for t in range(n_rows):
        row, here = filtered[t], likelihood[t]
        if first[t]:
            for j in range(n_components):
                row[j] = here[j]
        else:
            last = before if t == 0 else filtered[t - 1]
            matrix = moves[which[t]]
            for j in range(n_components):
                row[j] = 0.0
            for i in range(n_components):
                share = last[i]
                for j in range(n_components):
                    row[j] += share * matrix[i, j]
            for j in range(n_components):
                row[j] *= here[j]
        total = 0.0
        for j in range(n_components):
            total += row[j]
        scale[t] = total
        if total > 0.0:
            for j in range(n_components):
                row[j] /= total
        else:
            positive = False
    return positive


@_jit
def backward(likelihood, moves, which, first, last, before, filtered, scale, beta, carried, pairs):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 - compiled
    """From the last row of a chunk to its first: filtered becomes smoothed in place, pairs (C, K, K) are those that enter each row.

    `beta` (K,) is that of the chunk's last row, and afterwards that of the row before the first, of which `before` are the
    filtered probabilities; `carried` (K,) is room.
    """
    n_rows, n_components = likelihood.shape
    for t in range(n_rows - 1, -1, -1):
        if last[t]:
            for j in range(n_components):
                beta[j] = 1.0
        pair = pairs[t]
        inverse = 1.0 / scale[t]
        for j in range(n_components):
            carried[j] = likelihood[t, j] * beta[j] * inverse
            filtered[t, j] *= beta[j]
        if first[t]:
            for i in range(n_components):
                for j in range(n_components):
                    pair[i, j] = 0.0
            continue
        earlier = before if t == 0 else filtered[t - 1]
        matrix = moves[which[t]]
        for i in range(n_components):
            total = 0.0
            for j in range(n_components):
                move = matrix[i, j] * carried[j]
                pair[i, j] = earlier[i] * move
                total += move
            beta[i] = total
