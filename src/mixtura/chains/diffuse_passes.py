"""The two passes of an exact diffuse Kalman smoother.

Observations of a row come one at a time (their noise is independent), so no matrix is inverted and a missing one is left out.
What is not known at all of the state is held as a factor B of its covariance's unbounded part, P_inf = B'B: each observation that tells
something of it takes one row from B by a reflection, so the number of directions that are still unknown is counted, not guessed from a
matrix that ought to be singular.

:mod:`mixtura.chains.diffuse` says what the arrays mean. Rows in which nothing is unknown any more, all but the first few, may be left to
the compiled passes of :mod:`mixtura.kernels.diffuse`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mixtura.protocols import Array

__all__ = ["backward", "forward"]

# Share of what the states it shows ever had that is unknown, below which what an observation tells of this is rounding.
_ROUNDING = 1e-14
_LOG_2_PI = 1.8378770664093453


def forward(
    y: Array,
    design: Array,
    noise: Array,
    transition: Array,
    state_noise: Array,
    mean: Array,
    known: Array,
    spread: Array,
    kept: bool,
    fast: Callable[..., Any] | None = None,
) -> tuple[Any, ...]:
    """Filter rows y (B, p); see `mixtura.chains.diffuse.filtered` for what is returned."""
    n_rows, n_columns = y.shape
    size = mean.shape[0]
    rows = n_rows + 1 if kept else 0
    innovation = np.full((n_rows, n_columns), np.nan)
    variance, unbounded = np.zeros((n_rows, n_columns)), np.zeros((n_rows, n_columns))
    gain, slow = np.zeros((n_rows, n_columns, size)), np.zeros((n_rows, n_columns, size))
    means, covariances = np.zeros((rows, size)), np.zeros((rows, size, size))
    spreads, left_at = np.zeros((rows, spread.shape[0], size)), np.zeros(n_rows + 1, dtype=np.int64)
    filtered, filtered_covariances = np.zeros((rows, size)), np.zeros((rows, size, size))
    a, p, b = mean.copy(), known.copy(), spread.copy()
    left, evidence, reach = spread.shape[0], 0.0, np.sum(spread**2, axis=0)
    turned, seen = np.ascontiguousarray(transition.T), ~np.isnan(y)
    for t in range(n_rows):
        left_at[t] = left
        if fast is not None and left == 0:
            held = (means, covariances, filtered, filtered_covariances)
            system = (y, design, noise, transition, state_noise)
            evidence += fast(t, *system, a, p, innovation, variance, gain, kept, *held)
            break
        if kept:
            means[t], covariances[t] = a, p
            spreads[t, :left] = b[:left]
        for i in np.flatnonzero(seen[t]):
            z = design[min(t, design.shape[0] - 1), i]
            v = y[t, i] - np.dot(z, a)
            m = np.dot(p, z)
            f = np.dot(z, m) + noise[min(t, noise.shape[0] - 1), i]
            innovation[t, i], variance[t, i] = v, f
            if left > 0:
                told = np.dot(b[:left], z)
                amount = np.dot(told, told)
                if amount > _ROUNDING * np.sum(reach * z**2):
                    gain[t, i] = np.dot(told, b[:left]) / amount
                    slow[t, i] = (m - gain[t, i] * f) / amount
                    unbounded[t, i] = amount
                    a += gain[t, i] * v
                    crossed = np.outer(gain[t, i], m)
                    p += np.outer(gain[t, i], gain[t, i]) * f - crossed - crossed.T
                    left = _fewer(b, left, told)
                    evidence -= 0.5 * np.log(amount)
                    continue
            if f > 0:
                gain[t, i] = m / f
                a += gain[t, i] * v
                p -= np.outer(m, m) / f
                evidence -= 0.5 * (_LOG_2_PI + np.log(f) + v * v / f)
            elif v != 0:
                evidence = -np.inf
        if kept:
            filtered[t], filtered_covariances[t] = a, p
        a = np.dot(transition, a)
        p = np.dot(np.dot(transition, p), turned) + state_noise[min(t, state_noise.shape[0] - 1)]
        p = 0.5 * (p + p.T)
        if left > 0:
            b[:left] = np.dot(b[:left], turned)
            reach = np.maximum(reach, np.sum(b[:left] ** 2, axis=0))
    left_at[n_rows] = left
    if kept:
        means[n_rows], covariances[n_rows] = a, p
        spreads[n_rows, :left] = b[:left]
    return (
        evidence,
        innovation,
        variance,
        unbounded,
        gain,
        slow,
        left_at,
        means,
        covariances,
        spreads,
        filtered,
        filtered_covariances,
    )


def _fewer(b: Array, left: int, told: Array) -> int:
    """Take the direction `told` from the first rows of b, in place, and return how many are left.

    A reflection turns it into the first axis; the rows after the first are what is left.
    """
    axis = told.copy()
    axis[0] += np.copysign(np.linalg.norm(told), told[0])
    b[:left] -= np.outer(axis, axis @ b[:left]) * (2.0 / (axis @ axis))
    b[0] = b[left - 1]
    return left - 1


def backward(
    design: Array,
    transition: Array,
    innovation: Array,
    variance: Array,
    unbounded: Array,
    gain: Array,
    slow: Array,
    left_at: Array,
    means: Array,
    covariances: Array,
    spreads: Array,
    kept: bool,
    fast: Callable[..., Any] | None = None,
) -> tuple[Array, ...]:
    """Smooth what `forward` found; see `mixtura.chains.diffuse.smoothed` for what is returned."""
    n_rows, n_columns = innovation.shape
    size = transition.shape[0]
    rows = n_rows if kept else 0
    noise_pull, noise_told = np.zeros((n_rows, n_columns)), np.zeros((n_rows, n_columns))
    state_pull, state_told = np.zeros((n_rows, size)), np.zeros((n_rows, size, size))
    smooth, smooth_covariances = np.zeros((rows, size)), np.zeros((rows, size, size))
    r0, r1 = np.zeros(size), np.zeros(size)
    n0, n1, n2 = np.zeros((size, size)), np.zeros((size, size)), np.zeros((size, size))
    turned, identity = np.ascontiguousarray(transition.T), np.eye(size)
    rest = n_rows
    if fast is not None:
        rest = int(np.count_nonzero(left_at[:-1]))  # rows before which something is unknown come first
        found = (noise_pull, noise_told, state_pull, state_told, smooth, smooth_covariances)
        fast(rest, design, turned, innovation, variance, gain, means, covariances, kept, r0, n0, *found)
    for t in range(rest - 1, -1, -1):
        diffuse = left_at[t] > 0
        state_pull[t], state_told[t] = r0, n0
        r0, n0 = np.dot(turned, r0), np.dot(np.dot(turned, n0), transition)
        if diffuse:
            r1, n1 = np.dot(turned, r1), np.dot(np.dot(turned, n1), transition)
            n2 = np.dot(np.dot(turned, n2), transition)
        for i in range(n_columns - 1, -1, -1):
            v, f = innovation[t, i], variance[t, i]
            if np.isnan(v) or (unbounded[t, i] == 0 and f <= 0):
                continue
            z, k = design[min(t, design.shape[0] - 1), i], gain[t, i]
            if unbounded[t, i] > 0:
                keeps, own = identity - np.outer(k, z), np.outer(z, z)
                keeps_t = np.ascontiguousarray(keeps.T)
                amount, late = unbounded[t, i], np.outer(slow[t, i], z) * -1.0
                late_t = np.ascontiguousarray(late.T)
                noise_pull[t, i], noise_told[t, i] = -np.dot(k, r0), np.dot(k, np.dot(n0, k))
                r1 = z * (v / amount) + np.dot(keeps_t, r1) + np.dot(late_t, r0)
                r0 = np.dot(keeps_t, r0)
                mixed = np.dot(np.dot(late_t, n1), keeps)
                n2 = np.dot(np.dot(keeps_t, n2), keeps) + mixed + mixed.T
                n2 += np.dot(np.dot(late_t, n0), late) - own * (f / amount**2)
                mixed = np.dot(np.dot(late_t, n0), keeps)
                n1 = np.dot(np.dot(keeps_t, n1), keeps) + mixed + mixed.T + own / amount
                n0 = np.dot(np.dot(keeps_t, n0), keeps)
            else:
                # (I - k z)' N (I - k z) + z z' / f, one rank at a time.
                along = np.dot(n0, k)
                told = 1.0 / f + np.dot(k, along)
                noise_pull[t, i], noise_told[t, i] = v / f - np.dot(k, r0), told
                r0 = r0 + z * noise_pull[t, i]
                crossed = np.outer(along - (0.5 * told) * z, z)
                n0 = n0 - crossed - crossed.T
                if diffuse:
                    keeps = identity - np.outer(k, z)
                    keeps_t = np.ascontiguousarray(keeps.T)
                    r1, n1 = np.dot(keeps_t, r1), np.dot(np.dot(keeps_t, n1), keeps)
                    n2 = np.dot(np.dot(keeps_t, n2), keeps)
        if kept:
            p = covariances[t]
            smooth[t] = means[t] + np.dot(p, r0)
            smooth_covariances[t] = p - np.dot(np.dot(p, n0), p)
            if diffuse:
                b = spreads[t, : left_at[t]]
                wide = np.dot(np.ascontiguousarray(b.T), b)
                smooth[t] += np.dot(wide, r1)
                mixed = np.dot(np.dot(p, n1), wide)
                smooth_covariances[t] -= mixed + mixed.T + np.dot(np.dot(wide, n2), wide)
    return noise_pull, noise_told, state_pull, state_told, smooth, smooth_covariances
