"""Compiled paths of hidden Markov chains: messages in logarithms, the best path, the n best paths, drawn paths.

Rows are (B, K). Moves are (1, K, K), or (B, K, K) where row t has the weights of the move that enters it.
"""

from __future__ import annotations

import math

import numba
import numpy as np

__all__ = ["backward_logs", "best", "draw", "forward_logs", "list_best"]

_jit = numba.njit(nogil=True, cache=True)


@_jit
def _log_sum(values):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    largest = -math.inf
    for value in values:
        if math.isnan(value):
            return value
        largest = max(largest, value)
    if largest == -math.inf:
        return largest
    total = 0.0
    for value in values:
        total += math.exp(value - largest)
    return largest + math.log(total)


@_jit
def forward_logs(scores, log_initial, log_moves, first, alpha, scale):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 - compiled
    """Write log filtered probabilities (B, K) and log p(x_t | x_<t) (B,).

    A row that is impossible is passed over: its scale is minus infinity, and its scores are overwritten by zeros.
    """
    n_rows, n_components = scores.shape
    varying = len(log_moves) > 1
    terms = np.empty(n_components)
    for t in range(n_rows):
        row = alpha[t]
        if first[t]:
            row[:] = log_initial
        else:
            moves = log_moves[t if varying else 0]
            before = alpha[t - 1]
            for j in range(n_components):
                for i in range(n_components):
                    terms[i] = before[i] + moves[i, j]
                row[j] = _log_sum(terms)
        for j in range(n_components):
            terms[j] = row[j] + scores[t, j]
        total = _log_sum(terms)
        scale[t] = total
        if total == -math.inf:
            scores[t] = 0.0
            total = _log_sum(row)
            if total == -math.inf:  # no state can be reached
                row[:] = 0.0
                total = math.log(n_components)
            terms[:] = row
        for j in range(n_components):
            row[j] = terms[j] - total


@_jit
def backward_logs(scores, log_moves, first, last, weight, alpha, resp, pairs):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201, C901 - compiled
    """Write weighted smoothed probabilities (B, K), and add weighted pairs (K, K), from log filtered probabilities."""
    n_rows, n_components = scores.shape
    varying = len(log_moves) > 1
    beta, ahead, terms = np.zeros(n_components), np.zeros(n_components), np.zeros(n_components)
    for t in range(n_rows - 1, -1, -1):
        if last[t]:
            beta[:] = 0.0
        for j in range(n_components):
            terms[j] = alpha[t, j] + beta[j]
        total = _log_sum(terms)
        for j in range(n_components):
            resp[t, j] = weight[t] * math.exp(terms[j] - total)
        if first[t]:
            continue
        moves = log_moves[t if varying else 0]
        for j in range(n_components):
            ahead[j] = scores[t, j] + beta[j]
        for i in range(n_components):
            for j in range(n_components):
                terms[j] = moves[i, j] + ahead[j]
            beta[i] = _log_sum(terms)
        for i in range(n_components):
            terms[i] = alpha[t - 1, i] + beta[i]
        total = _log_sum(terms)
        if total == -math.inf:  # no move leads here
            beta[:] = 0.0
            continue
        largest = -math.inf
        for i in range(n_components):
            largest = max(largest, beta[i])
            for j in range(n_components):
                pairs[i, j] += weight[t] * math.exp(alpha[t - 1, i] + moves[i, j] + ahead[j] - total)
        for i in range(n_components):
            beta[i] -= largest


@_jit
def best(scores, log_initial, log_moves, offsets, back, log_prob, path):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201, C901 - compiled
    """Best path of every sequence and its log probability; `back` (B, K) holds predecessors, of ties the first."""
    n_components = scores.shape[1]
    varying = len(log_moves) > 1
    value, new, arg = np.empty(n_components), np.empty(n_components), np.empty(n_components, np.int64)
    for u in range(len(offsets) - 1):
        start, stop = offsets[u], offsets[u + 1]
        height = 0.0  # taken off the values, so that they do not lose digits in long sequences
        for j in range(n_components):
            value[j] = log_initial[j] + scores[start, j]
        for t in range(start + 1, stop):
            moves = log_moves[t if varying else 0]
            for j in range(n_components):
                new[j] = value[0] + moves[0, j]
                arg[j] = 0
            for i in range(1, n_components):
                before = value[i]
                for j in range(n_components):
                    candidate = before + moves[i, j]
                    better = candidate > new[j]
                    new[j] = candidate if better else new[j]
                    arg[j] = i if better else arg[j]
            largest = -math.inf
            for j in range(n_components):
                back[t, j] = arg[j]
                new[j] += scores[t, j]
                largest = max(largest, new[j])
            if largest == -math.inf:
                largest = 0.0
            height += largest
            for j in range(n_components):
                value[j] = new[j] - largest
        state = 0
        for j in range(1, n_components):
            if value[j] > value[state]:
                state = j
        log_prob[u] = height + value[state]
        if value[state] == -math.inf:
            log_prob[u] = -math.inf
            path[start:stop] = -1
            continue
        path[stop - 1] = state
        for t in range(stop - 1, start, -1):
            state = back[t, state]
            path[t - 1] = state


@_jit
def list_best(scores, log_initial, log_moves, offsets, back, log_prob, paths):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 - compiled
    """The n best paths of every sequence, (n, B), best first; `back` (B, K, n) holds predecessor x n + its rank."""
    n_components = scores.shape[1]
    n_paths = len(paths)
    varying = len(log_moves) > 1
    value, new = np.empty((n_components, n_paths)), np.empty((n_components, n_paths))
    top, origin = np.empty(n_paths), np.empty(n_paths, np.int64)
    for u in range(len(offsets) - 1):
        start, stop = offsets[u], offsets[u + 1]
        height = 0.0
        value[:] = -math.inf
        for j in range(n_components):
            value[j, 0] = log_initial[j] + scores[start, j]
        for t in range(start + 1, stop):
            moves = log_moves[t if varying else 0]
            largest = -math.inf
            for j in range(n_components):
                _merge(value, moves[:, j], new[j], back[t, j])
                for rank in range(n_paths):
                    new[j, rank] += scores[t, j]
                largest = max(largest, new[j, 0])
            if largest == -math.inf:
                largest = 0.0
            height += largest
            value[:] = new - largest
        _merge(value, np.zeros(n_components), top, origin)
        for rank in range(n_paths):
            log_prob[u, rank] = height + top[rank]
            if top[rank] == -math.inf:
                log_prob[u, rank] = -math.inf
                paths[rank, start:stop] = -1
                continue
            place = origin[rank]
            for t in range(stop - 1, start - 1, -1):
                state = place // n_paths
                paths[rank, t] = state
                if t > start:
                    place = back[t, state, place - state * n_paths]


@_jit
def _merge(value, move, top, origin):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """The largest of value (K, n) + move (K, 1), each row of which falls, in falling order, and their places."""
    n_components, n_paths = value.shape
    top[:] = -math.inf
    origin[:] = 0
    for i in range(n_components):
        for rank in range(n_paths):
            candidate = value[i, rank] + move[i]
            if not candidate > top[n_paths - 1]:
                break
            place = n_paths - 1
            while place > 0 and candidate > top[place - 1]:
                top[place] = top[place - 1]
                origin[place] = origin[place - 1]
                place -= 1
            top[place] = candidate
            origin[place] = i * n_paths + rank


@_jit
def draw(alpha, log_moves, last, uniform, paths):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 - compiled
    """Paths (n, B) from log filtered probabilities (B, K), from the last row to the first; uniform (n, B) decides."""
    n_rows, n_components = alpha.shape
    varying = len(log_moves) > 1
    share = np.empty(n_components)
    for path in range(len(paths)):
        state = 0
        for t in range(n_rows - 1, -1, -1):
            moves = log_moves[min(t + 1, n_rows - 1) if varying else 0]
            largest = -math.inf
            for i in range(n_components):
                share[i] = alpha[t, i] if last[t] else alpha[t, i] + moves[i, state]
                largest = max(largest, share[i])
            if largest == -math.inf:  # no move leads to the next state: the next row begins anew
                share[:] = alpha[t]
                largest = share.max()
            total = 0.0
            for i in range(n_components):
                share[i] = math.exp(share[i] - largest)
                total += share[i]
            aim = uniform[path, t] * total
            state = -1
            for i in range(n_components):
                if share[i] > 0.0:
                    state = i  # the last possible one where rounding leaves something over
                    aim -= share[i]
                    if aim < 0.0:
                        break
            paths[path, t] = state
