"""Compiled square-root Kalman filter and smoother; `chains/kalman_roots.py` says what is calculated, with equations."""

from __future__ import annotations

import math

import numba
import numpy as np

__all__ = ["filter_rows", "smooth_rows"]

_jit = numba.njit(nogil=True, cache=True)
_LOG_2_PI = math.log(2.0 * math.pi)
_SINGULAR = 4e-16
_NO_VARIANCE = 1e-14


@_jit
def lower_triangle(m):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Make m lower triangular, in place, by Householder reflections of its columns: m m' stays what it is."""
    rows, columns = m.shape
    for i in range(min(rows, columns)):
        norm = 0.0
        for j in range(i, columns):
            norm += m[i, j] * m[i, j]
        norm = math.sqrt(norm)
        if norm == 0.0:
            continue
        head = m[i, i] + math.copysign(norm, m[i, i])
        square = norm * abs(head)  # half of |v|^2, v = (head, m[i, i + 1:])
        for k in range(i + 1, rows):
            total = m[k, i] * head
            for j in range(i + 1, columns):
                total += m[k, j] * m[i, j]
            total /= square
            m[k, i] -= total * head
            for j in range(i + 1, columns):
                m[k, j] -= total * m[i, j]
        m[i, i] = -math.copysign(norm, head)
        for j in range(i + 1, columns):
            m[i, j] = 0.0


@_jit
def product(a, b, out, row, column):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Write a b into a block of `out`."""
    for i in range(a.shape[0]):
        for k in range(b.shape[1]):
            total = 0.0
            for j in range(a.shape[1]):
                total += a[i, j] * b[j, k]
            out[row + i, column + k] = total


@_jit
def filter_rows(  # type: ignore[no-untyped-def] # noqa: ANN201, C901 - compiled
    transition,  # noqa: ANN001
    noise,  # noqa: ANN001
    move,  # noqa: ANN001
    drift,  # noqa: ANN001
    loading,  # noqa: ANN001
    error,  # noqa: ANN001
    look,  # noqa: ANN001
    rest,  # noqa: ANN001
    seen,  # noqa: ANN001
    offsets,  # noqa: ANN001
    start_mean,  # noqa: ANN001
    start_root,  # noqa: ANN001
    predicted_mean,  # noqa: ANN001
    predicted_root,  # noqa: ANN001
    mean,  # noqa: ANN001
    root,  # noqa: ANN001
    log_prob,  # noqa: ANN001
):
    """Write means, factors of covariances and log densities; noise and error are factors. Returns the first singular row, or -1."""
    n, d = transition.shape[1], rest.shape[1]
    ahead, both, innovation = np.empty((n, 2 * n)), np.empty((d + n, d + n)), np.empty(d)
    for u in range(len(offsets) - 1):
        which = u if len(start_mean) > 1 else 0
        for t in range(offsets[u], offsets[u + 1]):
            if t == offsets[u]:
                predicted_mean[t] = start_mean[which]
                predicted_root[t] = start_root[which]
            else:
                a = transition[move[t]]
                for i in range(n):
                    total = drift[t, i]
                    for j in range(n):
                        total += a[i, j] * mean[t - 1, j]
                    predicted_mean[t, i] = total
                product(a, root[t - 1], ahead, 0, 0)
                ahead[:, n:] = noise[move[t]]
                lower_triangle(ahead)
                predicted_root[t] = ahead[:, :n]
            mean[t] = predicted_mean[t]
            log_prob[t] = 0.0
            if look[t] < 0:
                root[t] = predicted_root[t]
                continue
            c = loading[look[t]]
            both[:d, :d] = error[look[t]]
            product(c, predicted_root[t], both, 0, d)
            both[d:, :d] = 0.0
            both[d:, d:] = predicted_root[t]
            for k in range(d):
                size = 0.0
                for j in range(d + n):
                    size += both[k, j] * both[k, j]
                innovation[k] = size  # the variance, to compare the pivot with
            lower_triangle(both)
            for k in range(d):
                if not both[k, k] ** 2 > _SINGULAR * innovation[k]:
                    return t
            square, log_det = 0.0, seen[t] * _LOG_2_PI
            for k in range(d):
                total = rest[t, k]
                for j in range(n):
                    total -= c[k, j] * predicted_mean[t, j]
                for j in range(k):
                    total -= both[k, j] * innovation[j]
                total /= both[k, k]
                innovation[k] = total
                square += total * total
                log_det += 2.0 * math.log(abs(both[k, k]))
                for i in range(n):
                    mean[t, i] += both[d + i, k] * total
            root[t] = both[d:, d:]
            log_prob[t] = -0.5 * (log_det + square)
    return -1


@_jit
def smooth_rows(  # type: ignore[no-untyped-def] # noqa: ANN201, C901 - compiled
    transition,  # noqa: ANN001
    noise,  # noqa: ANN001
    move,  # noqa: ANN001
    offsets,  # noqa: ANN001
    predicted_mean,  # noqa: ANN001
    filtered_mean,  # noqa: ANN001
    filtered_root,  # noqa: ANN001
    mean,  # noqa: ANN001
    root,  # noqa: ANN001
    gains,  # noqa: ANN001
):
    """Write smoothed means, factors of their covariances, and the gains J of all rows but the last of every sequence."""
    n = transition.shape[1]
    both, sizes, parts = np.empty((2 * n, 2 * n)), np.empty(n), np.empty((n, 3 * n))
    for u in range(len(offsets) - 1):
        begin, end = offsets[u], offsets[u + 1]
        if begin == end:
            continue
        mean[end - 1] = filtered_mean[end - 1]
        root[end - 1] = filtered_root[end - 1]
        gains[end - 1] = 0.0
        for t in range(end - 2, begin - 1, -1):
            after = t + 1
            product(transition[move[after]], filtered_root[t], both, 0, 0)
            both[:n, n:] = noise[move[after]]
            both[n:, :n] = filtered_root[t]
            both[n:, n:] = 0.0
            for i in range(n):
                sizes[i] = 0.0
                for j in range(2 * n):
                    sizes[i] += both[i, j] * both[i, j]
            lower_triangle(both)
            parts[:, :n] = both[n:, n:]
            parts[:, n : 2 * n] = 0.0
            gain = gains[t]
            for k in range(n - 1, -1, -1):  # J L = Y, column by column
                if both[k, k] ** 2 > _NO_VARIANCE * sizes[k]:
                    for i in range(n):
                        total = both[n + i, k]
                        for j in range(k + 1, n):
                            total -= gain[i, j] * both[j, k]
                        gain[i, k] = total / both[k, k]
                else:  # this state's next value is known already: what hangs on it stays unknown
                    for i in range(n):
                        gain[i, k] = 0.0
                        parts[i, n + k] = both[n + i, k]
            for i in range(n):
                total = filtered_mean[t, i]
                for j in range(n):
                    total += gain[i, j] * (mean[after, j] - predicted_mean[after, j])
                mean[t, i] = total
            product(gain, root[after], parts, 0, 2 * n)
            lower_triangle(parts)
            root[t] = parts[:, :n]
