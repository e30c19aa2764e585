"""Starts of switching systems: states guessed from the rows' main axes, regimes from regressions of these on themselves."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from mixtura.chains.switching import SwitchingChain
from mixtura.chains.switching_parts import First, Look, Motions, raised
from mixtura.protocols import Array
from mixtura.structures import Markov

__all__ = ["guessed_states", "start"]

# Smallest covariances, relative to states of variance one and to the variances of the columns.
_FLOOR = 1e-6
# Rows' worth of each coefficient that regressions of starts are pulled towards zero by.
_RIDGE = 1e-3
# Rounds of sorting steps into regimes, and steps about each over which its fit is averaged.
_ROUNDS, _NEAR = 15, 5
# Probability of staying that starts assume at least, and share of a column's variance that is noise at least.
_STAY, _NOISE = 0.9, 0.02


def guessed_states(x: Array, offsets: Array, n_states: int, loadings: Array | None) -> Array:
    """States of variance about one, (N, m), by least squares on known loadings or from main axes of the last few rows.

    Parameters
    ----------
    x : ndarray, shape (N, D)
        NaN where missing.
    offsets : ndarray of int
        Where sequences begin.
    n_states : int
        m.
    loadings : ndarray, shape (D, m), or None
        Known ones.
    """
    filled = _filled(x, offsets)
    centred = filled - filled.mean(axis=0)
    if loadings is not None:
        return np.asarray(np.linalg.lstsq(loadings, centred.T, rcond=None)[0].T)
    lags = -(-n_states // x.shape[1])
    place = np.arange(len(x)) - np.repeat(offsets[:-1], np.diff(offsets))
    beside = [centred[np.arange(len(x)) - np.minimum(lag, place)] for lag in range(lags)]
    wide = np.column_stack(beside)
    left, sizes, _ = np.linalg.svd(wide, full_matrices=False)
    scores = left[:, :n_states] * np.where(sizes[:n_states] > 0, np.sqrt(len(x)), 0.0)
    return np.asarray(scores)


def _filled(x: Array, offsets: Array) -> Array:
    """Missing cells from their neighbours in time."""
    filled = x.copy()
    for start, stop in pairwise(offsets):
        for column in range(x.shape[1]):
            here = filled[start:stop, column]
            seen = ~np.isnan(here)
            if seen.any():
                here[~seen] = np.interp(np.flatnonzero(~seen), np.flatnonzero(seen), here[seen])
            else:
                here[:] = np.nanmean(x[:, column])
    return filled


def start(
    x: Array, offsets: Array, n_regimes: int, n_states: int, loadings: Array | None, rng: np.random.Generator
) -> SwitchingChain:
    """A model to begin with, from stretches of random lengths.

    They are shared out among the regimes, which are then told apart by how well each predicts the next state.

    Parameters
    ----------
    x : ndarray, shape (N, D)
        Rows of all sequences.
    offsets : ndarray of int
        Where sequences begin.
    n_regimes, n_states : int
        K and m.
    loadings : ndarray, shape (D, m), or None
        Known ones.
    rng : numpy.random.Generator
        Chooses the stretches.
    """
    states = guessed_states(x, offsets, n_states, loadings)
    moves = np.setdiff1d(np.arange(len(x)), offsets[:-1])
    before = np.column_stack([states[moves - 1], np.ones(len(moves))])
    now = states[moves]
    regimes = _stretches(len(moves), n_regimes, rng)
    floor = _FLOOR * float(np.trace(np.cov(states.T).reshape(n_states, n_states))) / n_states
    for _ in range(_ROUNDS):
        dynamics, covariances = _regressions(before, now, regimes, n_regimes, floor, rng)
        scores = np.stack([_fit(before, now, dynamics[k], covariances[k]) for k in range(n_regimes)])
        width = np.ones(min(_NEAR, len(moves)))
        told = np.argmax([np.convolve(row, width, mode="same") for row in scores], axis=0)
        if np.array_equal(told, regimes):
            break
        regimes = told
    return _model(x, states, regimes, offsets, dynamics, covariances, loadings, floor)


def _stretches(n_moves: int, n_regimes: int, rng: np.random.Generator) -> Array:
    """Regimes of random stretches, some five of each."""
    cuts = np.sort(rng.integers(0, n_moves, 5 * n_regimes - 1))
    which = rng.permutation(np.arange(5 * n_regimes) % n_regimes)
    return which[np.searchsorted(cuts, np.arange(n_moves), side="right")]


def _regressions(
    before: Array, now: Array, regimes: Array, n_regimes: int, floor: float, rng: np.random.Generator
) -> tuple[Array, Array]:
    """How states move in each regime; one with too few steps gets some at random."""
    dynamics, covariances = [], []
    for k in range(n_regimes):
        own = np.flatnonzero(regimes == k)
        if len(own) < 3 * before.shape[1]:
            own = rng.choice(len(now), min(len(now), 3 * before.shape[1]), replace=False)
        square = before[own].T @ before[own]
        square += np.diag(_RIDGE * np.diagonal(square) / len(own) + np.finfo(np.float64).tiny)
        matrix = np.linalg.solve(square, before[own].T @ now[own]).T
        left = now[own] - before[own] @ matrix.T
        dynamics.append(matrix)
        covariances.append(raised(left.T @ left / len(own), 1e3 * floor))
    return np.array(dynamics), np.array(covariances)


def _fit(before: Array, now: Array, matrix: Array, covariance: Array) -> Array:
    left = now - before @ matrix.T
    squares = np.einsum("ti,ij,tj->t", left, np.linalg.inv(covariance), left)
    return np.asarray(-0.5 * (squares + np.linalg.slogdet(covariance)[1]))


def _model(
    x: Array,
    states: Array,
    regimes: Array,
    offsets: Array,
    dynamics: Array,
    covariances: Array,
    loadings: Array | None,
    floor: float,
) -> SwitchingChain:
    n_regimes, size = len(dynamics), states.shape[1]
    variances = np.nanvar(x, axis=0)
    wide, looks, noise = np.column_stack([states, np.ones(len(x))]), [], []
    for column in range(x.shape[1]):
        seen = ~np.isnan(x[:, column])
        if loadings is None:
            look = np.linalg.lstsq(wide[seen], x[seen, column], rcond=None)[0]
        else:
            look = np.append(loadings[column], np.mean(x[seen, column] - states[seen] @ loadings[column]))
        looks.append(look)
        noise.append(
            max(float(np.mean((x[seen, column] - wide[seen] @ look) ** 2)), _NOISE * variances[column])
        )
    counts = np.zeros((n_regimes, n_regimes))
    np.add.at(counts, (regimes[:-1], regimes[1:]), 1.0)
    moved = counts + 1.0
    transition = _STAY * np.eye(n_regimes) + (1.0 - _STAY) * moved / moved.sum(axis=1, keepdims=True)
    firsts = states[offsets[:-1]]
    return SwitchingChain(
        Markov(np.full(n_regimes, 1.0 / n_regimes), transition),
        Motions(dynamics, covariances, floor),
        Look(np.array(looks), np.array(noise), _FLOOR * variances, loadings is not None),
        First(firsts.mean(axis=0), np.cov(states.T).reshape(size, size) + floor * np.eye(size), floor),
    )
