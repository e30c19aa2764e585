"""Compiled Kalman filter and smoother: small matrices, so plain loops without temporaries serve best.

Rows of several sequences lie one after the other. Every row says by number which transition leads to it (`move`) and which
observation matrix it is seen through (`look`, -1: not at all), so that missing cells and changing systems cost nothing extra.

Where the covariances no longer change they are copied instead of calculated, and only means are left to do: flag 1 of `steady` is
"predicted as in the row before", flag 2 "and filtered as well". `chains/kalman_plain.py` says what is calculated, with equations.
"""

from __future__ import annotations

import math

import numba
import numpy as np

__all__ = ["filter_rows", "smooth_rows"]

_FAST = {"reassoc", "contract", "arcp", "nsz"}
_jit = numba.njit(nogil=True, cache=True, fastmath=_FAST)
_LOG_2_PI = math.log(2.0 * math.pi)
# Pivots below these shares of the diagonal are rounding.
_SINGULAR = 4e-16
_NO_VARIANCE = 1e-14


@_jit
def sandwich(a, p, added, work, out):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Write a p a' + added, all of it symmetric, into `out`."""
    n, m = a.shape
    for i in range(n):
        for k in range(m):
            total = 0.0
            for j in range(m):
                total += a[i, j] * p[k, j]
            work[i, k] = total
    for i in range(n):
        for k in range(i + 1):
            total = 0.0
            for j in range(m):
                total += work[i, j] * a[k, j]
            total += added[i, k]
            out[i, k] = total
            out[k, i] = total


@_jit
def cholesky(p, least, lower):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Write the lower factor of p; a pivot below `least` times the diagonal leaves a column of zeros. Returns whether none did."""
    n = p.shape[0]
    regular = True
    for j in range(n):
        pivot = p[j, j]
        for k in range(j):
            pivot -= lower[j, k] * lower[j, k]
        if pivot > least * p[j, j]:
            root = math.sqrt(pivot)
            inverse = 1.0 / root
            lower[j, j] = root
            for i in range(j + 1, n):
                total = p[i, j]
                for k in range(j):
                    total -= lower[i, k] * lower[j, k]
                lower[i, j] = total * inverse
        else:
            regular = False
            for i in range(j, n):
                lower[i, j] = 0.0
    return regular


@_jit
def solve(lower, b):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Solve lower lower' x = b in place, column by column; what a zero pivot leaves open becomes zero."""
    n, m = b.shape
    for i in range(n):
        inverse = 1.0 / lower[i, i] if lower[i, i] != 0.0 else 0.0
        for c in range(m):
            total = b[i, c]
            for k in range(i):
                total -= lower[i, k] * b[k, c]
            b[i, c] = total * inverse
    for i in range(n - 1, -1, -1):
        inverse = 1.0 / lower[i, i] if lower[i, i] != 0.0 else 0.0
        for c in range(m):
            total = b[i, c]
            for k in range(i + 1, n):
                total -= lower[k, i] * b[k, c]
            b[i, c] = total * inverse


@_jit
def close(p, q, tol):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Whether two covariances differ by at most `tol` standard deviations in every cell."""
    n = p.shape[0]
    for i in range(n):
        for j in range(i + 1):
            if not (p[i, j] - q[i, j]) ** 2 <= tol * tol * p[i, i] * p[j, j]:
                return False
    return True


@_jit
def copied(source, out):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Write a matrix into another."""
    for i in range(source.shape[0]):
        for j in range(source.shape[1]):
            out[i, j] = source[i, j]


@_jit
def applied(a, x, added, out):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Write a x + added into `out`."""
    for i in range(a.shape[0]):
        total = added[i]
        for j in range(a.shape[1]):
            total += a[i, j] * x[j]
        out[i] = total


@_jit
def updated(c, p, sigma, gain, lower, left, half, spread, work, v):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202, C901 - compiled
    """Write K' into `gain`, the factor of the innovation's covariance, and the filtered covariance; returns whether it is regular."""
    n_features, n_states = c.shape
    for d in range(n_features):
        for i in range(n_states):
            total = 0.0
            for j in range(n_states):
                total += c[d, j] * p[i, j]
            half[d, i] = total
            gain[d, i] = total
        for k in range(d + 1):
            total = sigma[d, k]
            for j in range(n_states):
                total += half[d, j] * c[k, j]
            spread[d, k] = total
            spread[k, d] = total
    if not cholesky(spread, _SINGULAR, lower):
        return False
    solve(lower, gain)
    # (I - K C) P (I - K C)' + K Sigma K'
    for i in range(n_states):
        for j in range(n_states):
            total = 1.0 if i == j else 0.0
            for d in range(n_features):
                total -= gain[d, i] * c[d, j]
            left[i, j] = total
    for d in range(n_features):
        for i in range(n_states):
            total = 0.0
            for k in range(n_features):
                total += sigma[d, k] * gain[k, i]
            half[d, i] = total
    for i in range(n_states):
        for k in range(i + 1):
            total = 0.0
            for d in range(n_features):
                total += gain[d, i] * half[d, k]
            v[i, k] = total
            v[k, i] = total
    sandwich(left, p, v, work, v)
    return True


@_jit
def back_gain(a, v, p, noise, lower, back, gain, left, work, own):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Write J = V A' P^-1 and (I - J A) V (I - J A)' + J Gamma J'; the latter is what is left of V when the next state is known."""
    n_states = len(a)
    for i in range(n_states):
        for k in range(n_states):
            total = 0.0
            for j in range(n_states):
                total += a[i, j] * v[k, j]
            back[i, k] = total
    cholesky(p, _NO_VARIANCE, lower)
    solve(lower, back)
    for i in range(n_states):
        for k in range(n_states):
            gain[i, k] = back[k, i]
    for i in range(n_states):
        for j in range(n_states):
            total = 1.0 if i == j else 0.0
            for k in range(n_states):
                total -= gain[i, k] * a[k, j]
            left[i, j] = total
            own[i, j] = 0.0
    sandwich(gain, noise, own, work, own)
    sandwich(left, v, own, work, own)


@_jit
def filter_rows(  # type: ignore[no-untyped-def] # noqa: ANN201, C901 - compiled; one loop, so that nothing is passed around
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
    start_covariance,  # noqa: ANN001
    tol,  # noqa: ANN001
    predicted_mean,  # noqa: ANN001
    predicted_covariance,  # noqa: ANN001
    mean,  # noqa: ANN001
    covariance,  # noqa: ANN001
    log_prob,  # noqa: ANN001
    steady,  # noqa: ANN001
):
    """Write all that a filter knows; returns the first row whose innovation has a singular covariance, or -1."""
    n_states, n_features = transition.shape[1], rest.shape[1]
    work, left = np.empty((n_states, n_states)), np.empty((n_states, n_states))
    half, gain = np.empty((n_features, n_states)), np.empty((n_features, n_states))
    spread, lower = np.empty((n_features, n_features)), np.empty((n_features, n_features))
    innovation = np.empty(n_features)
    log_det = 0.0
    for u in range(len(offsets) - 1):
        which = u if len(start_mean) > 1 else 0
        held = False
        for t in range(offsets[u], offsets[u + 1]):
            m_p, p, m, v = predicted_mean[t], predicted_covariance[t], mean[t], covariance[t]
            steady[t] = 0
            if t == offsets[u]:
                m_p[:] = start_mean[which]
                copied(start_covariance[which], p)
            else:
                a = transition[move[t]]
                applied(a, mean[t - 1], drift[t], m_p)
                if held and move[t] == move[t - 1]:
                    steady[t] = 1
                    copied(predicted_covariance[t - 1], p)
                else:
                    sandwich(a, covariance[t - 1], noise[move[t]], work, p)
                    if tol > 0.0 and close(p, predicted_covariance[t - 1], tol):
                        steady[t] = 1
            held = steady[t] == 1 and look[t] == look[t - 1]
            if held:
                steady[t] = 2
                copied(covariance[t - 1], v)
            m[:] = m_p
            log_prob[t] = 0.0
            if look[t] < 0:
                if not held:
                    copied(p, v)
                continue
            c = loading[look[t]]
            if not held:
                if not updated(c, p, error[look[t]], gain, lower, left, half, spread, work, v):
                    return t
                log_det = seen[t] * _LOG_2_PI
                for d in range(n_features):
                    log_det += 2.0 * math.log(lower[d, d])
            for d in range(n_features):
                total = rest[t, d]
                for j in range(n_states):
                    total -= c[d, j] * m_p[j]
                innovation[d] = total
                for i in range(n_states):
                    m[i] += gain[d, i] * total
            square = 0.0
            for d in range(n_features):
                total = innovation[d]
                for k in range(d):
                    total -= lower[d, k] * innovation[k]
                total /= lower[d, d]
                innovation[d] = total
                square += total * total
            log_prob[t] = -0.5 * (log_det + square)
    return -1


@_jit
def smooth_rows(  # type: ignore[no-untyped-def] # noqa: ANN201 - compiled
    transition,  # noqa: ANN001
    noise,  # noqa: ANN001
    move,  # noqa: ANN001
    offsets,  # noqa: ANN001
    tol,  # noqa: ANN001
    predicted_mean,  # noqa: ANN001
    predicted_covariance,  # noqa: ANN001
    filtered_mean,  # noqa: ANN001
    filtered_covariance,  # noqa: ANN001
    steady,  # noqa: ANN001
    mean,  # noqa: ANN001
    covariance,  # noqa: ANN001
    lagged,  # noqa: ANN001
):
    """Write smoothed means and covariances, and the covariance of every row's state with that of the row before it."""
    n_states = transition.shape[1]
    work, left = np.empty((n_states, n_states)), np.empty((n_states, n_states))
    own, lower = np.empty((n_states, n_states)), np.empty((n_states, n_states))
    gain, back = np.empty((n_states, n_states)), np.empty((n_states, n_states))
    away = np.empty(n_states)
    for u in range(len(offsets) - 1):
        begin, end = offsets[u], offsets[u + 1]
        if begin == end:
            continue
        mean[end - 1] = filtered_mean[end - 1]
        copied(filtered_covariance[end - 1], covariance[end - 1])
        lagged[begin] = 0.0
        settled = False
        for t in range(end - 2, begin - 1, -1):
            after = t + 1
            same = t + 2 < end and steady[after] == 2 and steady[t + 2] >= 1 and move[t + 2] == move[after]
            if not same:
                settled = False
                a, p = transition[move[after]], predicted_covariance[after]
                back_gain(
                    a, filtered_covariance[t], p, noise[move[after]], lower, back, gain, left, work, own
                )
            for i in range(n_states):
                away[i] = mean[after, i] - predicted_mean[after, i]
            applied(gain, away, filtered_mean[t], mean[t])
            if settled:
                copied(covariance[after], covariance[t])
                copied(lagged[after + 1], lagged[after])
                continue
            sandwich(gain, covariance[after], own, work, covariance[t])
            for i in range(n_states):
                for j in range(n_states):
                    lagged[after, i, j] = work[j, i]
            settled = same and close(covariance[t], covariance[after], tol)
