"""Compiled messages of hidden semi-Markov chains over states and ages (K, D), row by row.

Age d counts from 0; in the last one a state stays for as long as it goes on, with the same hazard.
"""

from __future__ import annotations

import numba

__all__ = ["backward", "forward"]

_FAST = {"reassoc", "contract", "arcp", "nsz"}
_jit = numba.njit(nogil=True, cache=True, fastmath=_FAST)


@_jit
def forward(likelihood, initial, transition, hazard, first, belief, filtered, scale, kept):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201, C901 - compiled
    """Carry `belief` (K, D) over the rows of a chunk; write filtered (C, K), scales (C,), and every belief where `kept` has room.

    `kept` is (C, K, D), or (0, K, D). Returns whether all scales are positive.
    """
    n_rows, n_components = likelihood.shape
    n_ages = hazard.shape[1]
    keep = len(kept) > 0
    positive = True
    for t in range(n_rows):
        here, row = likelihood[t], filtered[t]
        for j in range(n_components):
            row[j] = initial[j] if first[t] else 0.0
        if first[t]:
            for k in range(n_components):
                for d in range(n_ages):
                    belief[k, d] = 0.0
        else:
            for k in range(n_components):
                ended = 0.0
                for d in range(n_ages):
                    ended += belief[k, d] * hazard[k, d]
                for j in range(n_components):
                    row[j] += ended * transition[k, j]
        total = 0.0
        for k in range(n_components):
            own, risk, factor = belief[k], hazard[k], here[k]
            share = 0.0
            stayed = own[n_ages - 1] * (1.0 - risk[n_ages - 1])
            for d in range(n_ages - 1, 0, -1):
                value = own[d - 1] * (1.0 - risk[d - 1]) * factor
                own[d] = value
                share += value
            stayed *= factor
            own[0] = row[k] * factor
            own[n_ages - 1] += stayed
            row[k] = share + stayed + row[k] * factor
            total += row[k]
        scale[t] = total
        if total > 0.0:
            inverse = 1.0 / total
            for k in range(n_components):
                row[k] *= inverse
                for d in range(n_ages):
                    belief[k, d] *= inverse
        else:
            positive = False
        if keep:
            for k in range(n_components):
                for d in range(n_ages):
                    kept[t, k, d] = belief[k, d]
    return positive


@_jit
def backward(likelihood, laws, edges, weight, scale, before, kept, beta, smoothed, sums):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201, C901 - compiled
    """From the last row of a chunk to its first: smoothed probabilities (C, K), and sums added to.

    `before` (K, D) is the belief before the chunk, `kept` (C, K, D) are those of its rows; `beta` (K, D) is that of the chunk's last
    row, and afterwards of the row before its first. `laws` are the transition matrix and the hazards, `edges` say which rows begin and
    end a sequence, `sums` are weighted moves (K, K), which lack the factor of the transition matrix, exits (K, D + 1), the last
    column of which is room, and stays (K, D).
    """
    transition, hazard = laws
    first, last = edges
    moved, exits, stays = sums
    n_rows, n_components = likelihood.shape
    n_ages = hazard.shape[1]
    for t in range(n_rows - 1, -1, -1):
        if last[t]:
            for k in range(n_components):
                for d in range(n_ages):
                    beta[k, d] = 1.0
        for k in range(n_components):
            share = 0.0
            for d in range(n_ages):
                share += kept[t, k, d] * beta[k, d]
            smoothed[t, k] = share
        if first[t]:
            continue
        inverse, unit = 1.0 / scale[t], weight[t]
        for k in range(n_components):
            factor = likelihood[t, k] * inverse
            for d in range(n_ages):
                beta[k, d] *= factor
        earlier = before if t == 0 else kept[t - 1]
        for k in range(n_components):
            ended = 0.0
            for d in range(n_ages):
                ended += earlier[k, d] * hazard[k, d]
            for j in range(n_components):
                moved[k, j] += unit * ended * beta[j, 0]
        # What follows the end of each state, before the first ages are overwritten.
        for k in range(n_components):
            after = 0.0
            for j in range(n_components):
                after += transition[k, j] * beta[j, 0]
            exits[k, n_ages] = after
        for k in range(n_components):
            after = exits[k, n_ages]
            for d in range(n_ages):
                ahead = beta[k, min(d + 1, n_ages - 1)]
                leave, stay = hazard[k, d] * after, (1.0 - hazard[k, d]) * ahead
                exits[k, d] += unit * earlier[k, d] * leave
                stays[k, d] += unit * earlier[k, d] * stay
                beta[k, d] = leave + stay
