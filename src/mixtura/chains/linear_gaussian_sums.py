r"""Expected complete-data sums of a linear dynamical system: those of two regressions, and of the first states.

With f = (u, 1), the inputs and a one, the sums are (weights of sequences left out)

====================================================  ====================================================
``moves_zz, moves_zp, moves_pp, moves_zf, moves_pf``  z_t, z_{t-1} and f_t from the second row of a sequence
``seen_zz, seen_zf, seen_zx, seen_xf, seen_xx``       z_t, f_t and x_t in rows where something is seen
``first_z, first_zz, first_count``                    z_1
====================================================  ====================================================

and ``moves_ff``, ``seen_ff``. Cells missing in a row where others are seen are hidden, too: with o the seen and m the missing ones,
E[x_m] = (W h)_m + Σ_mo Σ_oo⁻¹ (x_o - (W h)_o) with h = (z, f), so that all follows from sums by pattern of the seen cells alone.
Rows in which nothing is seen say nothing of the observations.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mixtura.chains.kalman import Filtered, Smoothed
from mixtura.chains.linear_gaussian_initial import FirstSums
from mixtura.chains.linear_gaussian_laws import RegressionSums
from mixtura.chains.linear_gaussian_system import Patterns, System
from mixtura.protocols import Array, Batch
from mixtura.statistics import Statistics

__all__ = ["expected_sums", "first_sums", "look_sums", "move_sums"]

_PAIRED = frozenset({"moves_zz", "moves_zp", "moves_pp", "seen_zz", "first_zz"})
_SHARED = frozenset({"moves_ff", "seen_ff", "seen_xf", "seen_xx", "first_count"})


def _weighted(weight: Array, matrices: Array) -> Array:
    """Sum of weighted matrices, (T,) and (T, S, S) to (S, S)."""
    _, n, m = matrices.shape
    return np.asarray(weight @ matrices.reshape(-1, n * m)).reshape(n, m)


def _moves(smoothed: Smoothed, fixed: Array, weight: Array, first: Array) -> dict[str, Array]:
    """Sums of the regression of every state on that before it."""
    mean, covariance, lagged = smoothed
    later = weight.copy()
    later[first] = 0.0
    before = np.append(later[1:], 0.0)  # the weight that a row has as the one before
    states, inputs = later[:, None] * mean, later[:, None] * fixed
    return {
        "moves_zz": states.T @ mean + _weighted(later, covariance),
        "moves_zp": states[1:].T @ mean[:-1] + _weighted(later, lagged),
        "moves_pp": (before[:, None] * mean).T @ mean + _weighted(before, covariance),
        "moves_zf": states.T @ fixed,
        "moves_pf": mean[:-1].T @ inputs[1:],
        "moves_ff": inputs.T @ fixed,
    }


def _blocks(patterns: Patterns) -> Iterator[tuple[Array, slice | Array]]:
    """Every pattern and its rows."""
    if len(patterns.missing) == 1 and not patterns.look.any():
        yield patterns.missing[0], slice(None)
        return
    order = np.argsort(patterns.look, kind="stable")
    bounds = np.searchsorted(patterns.look[order], np.arange(len(patterns.missing) + 1))
    for number, missing in enumerate(patterns.missing):
        yield missing, order[bounds[number] : bounds[number + 1]]


def _looks(
    system: System, rows: Array, fixed: Array, weight: Array, smoothed: Smoothed, patterns: Patterns
) -> tuple[Array, Array, Array]:
    """Sums of h h', x h' and x x' with h = (z, f)."""
    n_states, size = system.n_states, system.n_states + fixed.shape[1]
    hh, xh, xx = np.zeros((size, size)), np.zeros((rows.shape[1], size)), np.zeros((rows.shape[1],) * 2)
    for missing, where in _blocks(patterns):
        own, x = weight[where], np.where(missing, 0.0, rows[where])
        h = np.column_stack([smoothed.mean[where], fixed[where]])
        weighted = own[:, None] * h
        gram = weighted.T @ h
        gram[:n_states, :n_states] += _weighted(own, smoothed.covariance[where])
        cross, square = x.T @ weighted, (own[:, None] * x).T @ x
        if missing.any():
            cross, square = _completed(system, missing, own.sum(), square, cross, gram)
        hh += gram
        xh += cross
        xx += square
    return hh, xh, xx


def _completed(
    system: System, missing: Array, count: float, square: Array, cross: Array, gram: Array
) -> tuple[Array, Array]:
    """Sums of x h' and x x' in which missing cells are expected, x = G x_o + R h + e."""
    noise = system.observation_noise
    hidden, seen = np.ix_(missing, missing), np.ix_(missing, ~missing)
    on_seen = np.zeros_like(noise)
    regression = np.linalg.lstsq(noise[np.ix_(~missing, ~missing)], noise[seen].T, rcond=None)[0].T
    on_seen[seen] = regression
    on_seen[~missing, ~missing] = 1.0
    on_states = np.where(missing[:, None], system.looks - on_seen @ system.looks, 0.0)
    left = np.zeros_like(noise)
    left[hidden] = noise[hidden] - regression @ noise[seen].T
    half = on_seen @ cross @ on_states.T
    whole = on_seen @ square @ on_seen.T + half + half.T + on_states @ gram @ on_states.T + count * left
    return on_seen @ cross + on_states @ gram, whole


def expected_sums(
    system: System, batch: Batch, patterns: Patterns, offsets: Array, filtered: Filtered, smoothed: Smoothed
) -> Statistics:
    """The sums of one batch.

    Parameters
    ----------
    system : System
        Parameters under which the states were smoothed.
    batch : Batch
        The rows.
    patterns : Patterns
        Of its missing cells.
    offsets : ndarray of int, shape (U + 1,)
        Where sequences begin.
    filtered, smoothed : Filtered, Smoothed
        What is known of the states.
    """
    n_rows, n_states = smoothed.mean.shape
    rows, weight = batch.x.T, np.asarray(batch.sample_weight, dtype=np.float64)
    inputs = np.empty((n_rows, 0)) if batch.covariates is None else batch.covariates.T
    fixed = np.column_stack([inputs, np.ones(n_rows)])
    first = offsets[:-1]
    hh, xh, xx = _looks(system, rows, fixed, weight, smoothed, patterns)
    own, begin = weight[first], smoothed.mean[first]
    sums = {
        **_moves(smoothed, fixed, weight, first),
        "seen_zz": hh[:n_states, :n_states],
        "seen_zf": hh[:n_states, n_states:],
        "seen_ff": hh[n_states:, n_states:],
        "seen_zx": xh[:, :n_states].T,
        "seen_xf": xh[:, n_states:],
        "seen_xx": xx,
        "first_z": own @ begin,
        "first_zz": (own[:, None] * begin).T @ begin + _weighted(own, smoothed.covariance[first]),
        "first_count": np.array([own.sum()]),
    }
    evidence = float(own @ np.where(own > 0, filtered.log_evidence(offsets), 0.0))
    return Statistics(sums, log_evidence=evidence, weight=float(weight.sum()), shared=_SHARED, paired=_PAIRED)


def move_sums(stats: Statistics) -> RegressionSums:
    """Those of the regression of z_t on (z_{t-1}, u_t, 1)."""
    gram = np.block([[stats["moves_pp"], stats["moves_pf"]], [stats["moves_pf"].T, stats["moves_ff"]]])
    cross = np.column_stack([stats["moves_zp"], stats["moves_zf"]])
    return RegressionSums(float(stats["moves_ff"][-1, -1]), stats["moves_zz"], cross, gram)


def look_sums(stats: Statistics) -> RegressionSums:
    """Those of the regression of x_t on (z_t, u_t, 1)."""
    gram = np.block([[stats["seen_zz"], stats["seen_zf"]], [stats["seen_zf"].T, stats["seen_ff"]]])
    cross = np.column_stack([stats["seen_zx"].T, stats["seen_xf"]])
    return RegressionSums(float(stats["seen_ff"][-1, -1]), stats["seen_xx"], cross, gram)


def first_sums(stats: Statistics) -> FirstSums:
    """Those of the first states."""
    return FirstSums(float(stats["first_count"][0]), stats["first_z"], stats["first_zz"])
