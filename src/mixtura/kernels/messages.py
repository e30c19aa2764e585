"""Compiled messages of hidden Markov chains: forward and backward in the linear domain, each row scaled to sum to one.

Rows are (B, K), so every inner loop runs over neighbours in memory; several sequences lie one after the other in one call.
"""

from __future__ import annotations

import numba

__all__ = ["backward", "forward"]

_FAST = {"reassoc", "contract", "arcp", "nsz"}
_jit = numba.njit(nogil=True, cache=True, fastmath=_FAST)


@_jit
def forward(likelihood, initial, transition, first, filtered, scale):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 - compiled
    """Write filtered probabilities (B, K) and the scale of every row (B,); returns whether all scales are positive."""
    n_rows, n_components = likelihood.shape
    positive = True
    for t in range(n_rows):
        row, here = filtered[t], likelihood[t]
        if first[t]:
            for j in range(n_components):
                row[j] = initial[j] * here[j]
        else:
            before = filtered[t - 1]
            weight = before[0]
            there = transition[0]
            for j in range(n_components):
                row[j] = weight * there[j]
            for i in range(1, n_components):
                weight = before[i]
                there = transition[i]
                for j in range(n_components):
                    row[j] += weight * there[j]
            for j in range(n_components):
                row[j] *= here[j]
        total = 0.0
        for j in range(n_components):
            total += row[j]
        scale[t] = total
        if total > 0.0:
            inverse = 1.0 / total
            for j in range(n_components):
                row[j] *= inverse
        else:
            positive = False
    return positive


@_jit
def backward(likelihood, transposed, first, last, weight, scale, carried, ratio):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 - compiled
    """From the last row to the first: write beta into `ratio` (B, K), and weighted likelihood x beta / scale into `likelihood`.

    `carried` (K,) is likelihood x beta / scale of the row after the last one, and of the first one afterwards. Rows that begin a
    sequence are written as zeros, because no pair of states ends there.
    """
    n_rows, n_components = likelihood.shape
    for t in range(n_rows - 1, -1, -1):
        beta, here = ratio[t], likelihood[t]
        if last[t]:
            for j in range(n_components):
                beta[j] = 1.0
        else:
            factor = carried[0]
            there = transposed[0]
            for j in range(n_components):
                beta[j] = factor * there[j]
            for i in range(1, n_components):
                factor = carried[i]
                there = transposed[i]
                for j in range(n_components):
                    beta[j] += factor * there[j]
        inverse = 1.0 / scale[t]
        for j in range(n_components):
            carried[j] = here[j] * beta[j] * inverse
        unit = 0.0 if first[t] else weight[t]
        for j in range(n_components):
            here[j] = unit * carried[j]
