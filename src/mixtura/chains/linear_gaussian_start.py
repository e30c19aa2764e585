r"""Where learning a linear dynamical system begins: states as what the past tells of the future.

*Subspace identification* ([1]_, chapter 3; by canonical correlations, [2]_): with the L rows before and the L rows from t on stacked into
p_t and f_t, both less what later inputs explain, the singular vectors of

.. math:: \Sigma_{ff}^{-1/2} \Sigma_{fp} \Sigma_{pp}^{-1/2} \approx U S V^T

give the S combinations of the past that tell most of the future, :math:`z_t = S^{1/2} V^T \Sigma_{pp}^{-1/2} p_t`. With these in the
place of the hidden states, A, B, C, D and the noise are two linear regressions. It needs sequences of some length; shorter ones begin
with principal components as states, and with states of which nothing is known where there are more of them than columns.

Missing cells are filled by straight lines for this purpose alone.

References
----------
.. [1] P. Van Overschee, B. De Moor (1996), Subspace Identification for Linear Systems.
.. [2] W. E. Larimore (1990), Canonical variate analysis in identification, filtering, and adaptive control, CDC, 596-604.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from mixtura.chains.linear_gaussian_system import System
from mixtura.protocols import Array

__all__ = ["neutral_start", "subspace_start"]

# Rows looked at, largest eigenvalue of A, and the share of a state's variance that is noise at least.
_MOST_ROWS = 50_000
_STABLE = 0.98
_RESTLESS = 0.05
_RIDGE = 1e-6


def _filled(rows: Array, offsets: Array) -> Array:
    """Rows without missing cells: straight lines between the cells around them, zeros (the origin) where there are none."""
    if not np.isnan(rows).any():
        return rows
    filled = rows.copy()
    for begin, end in pairwise(offsets):
        for column in filled[begin:end].T:
            gaps = np.isnan(column)
            known = np.flatnonzero(~gaps)
            column[gaps] = np.interp(np.flatnonzero(gaps), known, column[known]) if known.size else 0.0
    return filled


def _root(covariance: Array, power: float) -> Array:
    """A power of a symmetric positive matrix."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.maximum(values, _RIDGE * values[-1]) ** power @ vectors.T)


def _windows(table: Array, times: Array, first: int, last: int) -> Array:
    """Rows t + first ... t + last of a table side by side, for every t."""
    return np.column_stack([table[times + shift] for shift in range(first, last + 1)])


def _regressed(response: Array, covariates: Array) -> tuple[Array, Array]:
    """Coefficients (responses by covariates) and the covariance of what is left."""
    found = np.linalg.lstsq(covariates, response, rcond=1e-10)[0].T
    left = response - covariates @ found.T
    return found, left.T @ left / len(left)


def _states(rows: Array, inputs: Array, offsets: Array, n_states: int) -> tuple[Array, Array] | None:
    """Times at which there is enough past and future, and states of them; None where sequences are too short, or never change."""
    n_features = rows.shape[1]
    needed = -(-n_states // n_features)  # windows that hold as many numbers as there are states
    for reach in range(min(2 * needed + 4, needed + 10), needed - 1, -1):
        spans = [np.arange(begin + reach, end - reach + 1) for begin, end in pairwise(offsets)]
        times = np.concatenate([*spans, np.empty(0, dtype=np.intp)]).astype(np.intp)[:_MOST_ROWS]
        width = reach * (2 * n_features + 2 * inputs.shape[1])
        if len(times) > 2 * width + n_states:
            break
    else:
        return None
    one = np.ones((len(times), 1))
    past = np.column_stack([_windows(rows, times, -reach, -1), _windows(inputs, times, -reach, -1)])
    future = _windows(rows, times, 0, reach - 1)
    later = np.column_stack([_windows(inputs, times, 0, reach - 1), one])
    past_left, future_left = (
        block - later @ np.linalg.lstsq(later, block, rcond=1e-10)[0] for block in (past, future)
    )
    if not (np.ptp(past_left) > 0 and np.ptp(future_left) > 0):
        return None
    n = len(times)
    past_root = _root(past_left.T @ past_left / n, -0.5)
    future_root = _root(future_left.T @ future_left / n, -0.5)
    _, _, right = np.linalg.svd(future_root @ (future_left.T @ past_left / n) @ past_root)
    states = (past - past.mean(axis=0)) @ past_root @ right[:n_states].T
    return times, states


def subspace_start(rows: Array, offsets: Array, n_states: int, inputs: Array | None = None) -> System:
    """A system whose states are what the past tells of the future.

    Parameters
    ----------
    rows : ndarray, shape (T, D)
        Rows about a point near their mean; NaN where a cell is missing.
    offsets : ndarray of int, shape (U + 1,)
        Where sequences begin.
    n_states : int
        S.
    inputs : ndarray, shape (T, Q), optional
        Inputs.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> z = np.zeros(2000)
    >>> for t in range(1, 2000):
    ...     z[t] = 0.8 * z[t - 1] + rng.normal()
    >>> subspace_start((z + rng.normal(size=2000))[:, None], np.array([0, 2000]), 1).transition.round(1)
    array([[0.8]])
    """
    given = np.empty((len(rows), 0)) if inputs is None else inputs
    filled = _filled(rows, offsets)
    spread = filled.std(axis=0)
    found = _states(filled / np.where(spread > 0, spread, 1.0), given, offsets, n_states)
    if found is None:
        return neutral_start(rows, offsets, n_states, inputs)
    times, states = found
    now = np.column_stack([states, given[times], np.ones(len(times))])
    looks, error = _regressed(filled[times], now)
    follow = np.flatnonzero(np.diff(times) == 1)
    before = np.column_stack([states[follow], given[times[follow + 1]], np.ones(len(follow))])
    moves, noise = _regressed(states[follow + 1], before)
    radius = np.abs(np.linalg.eigvals(moves[:, :n_states])).max()
    moves[:, :n_states] *= min(1.0, _STABLE / radius)
    return System.of(
        moves[:, :n_states],
        looks[:, :n_states],
        noise + _RESTLESS * np.eye(n_states),
        error,
        initial_covariance=states.T @ states / len(states) + _RESTLESS * np.eye(n_states),
        state_bias=moves[:, -1],
        observation_bias=looks[:, -1],
        state_inputs=moves[:, n_states:-1],
        observation_inputs=looks[:, n_states:-1],
    )


def neutral_start(rows: Array, offsets: Array, n_states: int, inputs: Array | None = None) -> System:
    """A system whose states are principal components that change slowly; further states see the columns in some fixed mixture.

    Parameters
    ----------
    rows, offsets, n_states, inputs
        As for `subspace_start`.

    Examples
    --------
    >>> rows = np.array([[1.0, 1.0], [-1.0, -1.0], [2.0, 2.0], [-2.0, -2.0]])
    >>> abs(neutral_start(rows, np.array([0, 4]), 1).observation)
    array([[1.58113883],
           [1.58113883]])
    """
    given = np.empty((len(rows), 0)) if inputs is None else inputs
    filled = _filled(rows, offsets)
    fixed = np.column_stack([given, np.ones(len(rows))])
    looks, covariance = _regressed(filled, fixed)
    spread = np.sqrt(np.diag(covariance))
    unit = np.where(spread > 0, spread, 1.0)
    values, vectors = np.linalg.eigh(covariance / unit / unit[:, None])
    kept = min(n_states, len(values))
    main = vectors[:, ::-1][:, :kept] * np.sqrt(np.maximum(values[::-1][:kept], 0.0)) * spread[:, None]
    others = 0.3 * np.random.default_rng(0).normal(size=(len(values), n_states - kept)) * spread[:, None]
    slow = np.linspace(0.9, 0.5, n_states)
    return System.of(
        np.diag(slow),
        np.column_stack([main, others]),
        np.diag(1.0 - slow**2),
        0.5 * np.diag(np.diag(covariance)) + 0.1 * covariance,
        state_inputs=np.zeros((n_states, given.shape[1])),
        observation_bias=looks[:, -1],
        observation_inputs=looks[:, :-1],
    )
