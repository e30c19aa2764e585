r"""What a hidden Markov chain says of its states, row by row: filtered, predicted and smoothed probabilities, best and drawn paths.

Functions of scores (K, B) and of where sequences begin. With :math:`b_t(j)=p(x_t\mid z_t=j)`, the filter is

.. math:: p(z_t=j\mid x_{1..t}) \propto b_t(j)\sum_i p(z_{t-1}=i\mid x_{1..t-1})A_{ij},

Viterbi's recursion has a maximum in the place of the sum ([1]_, section 13.2.5), and so have its n best paths, where every state
keeps its n best predecessors ([2]_). A path is drawn backwards: the last state from the filtered probabilities, then every state
given the one after it, :math:`p(z_t=i\mid z_{t+1}=j, x_{1..t})\propto p(z_t=i\mid x_{1..t})A_{ij}` ([3]_).

In all of them `transition` is (K, K), or (B, K, K) where moves depend on the row: then row t has those of the step that enters it.
Weights need not sum to one. A row that is impossible (no state that can be reached could have made it) gives its sequence a log
evidence of minus infinity and is passed over, as if it had not been seen: its log scale is minus infinity. A best path through it
does not exist: its log probability is minus infinity and its states are -1.

References
----------
.. [1] C. M. Bishop (2006), Pattern Recognition and Machine Learning, sections 13.2.2 to 13.2.5.
.. [2] N. Seshadri and C.-E. W. Sundberg (1994), "List Viterbi decoding algorithms with applications", IEEE Transactions on
   Communications 42, 313-323.
.. [3] S. Frühwirth-Schnatter (2006), Finite Mixture and Markov Switching Models, algorithm 11.5.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from mixtura.exceptions import InvalidParameterError
from mixtura.kernels import compiled
from mixtura.protocols import Array
from mixtura.structures import path_steps
from mixtura.structures.messages import smooth, smooth_in_logs
from mixtura.structures.sweep import advance, ends

__all__ = [
    "FilteredRows",
    "best_paths",
    "filter_rows",
    "filtered",
    "posterior",
    "predicted",
    "sample_paths",
    "viterbi",
]

# Weights of moves below which a filter is run in logarithms.
_ALL_BUT_IMPOSSIBLE = 1e-50


class FilteredRows(NamedTuple):
    """What the past and the present say of every row's state.

    Parameters
    ----------
    log_scale : ndarray, shape (B,)
        log p(x_t | x_1, ..., x_{t-1}), which sum to the log evidence of a sequence.
    logs : ndarray, shape (B, K)
        log p(z_t | x_1, ..., x_t).
    """

    log_scale: Array
    logs: Array


def _step(name: str) -> Callable[..., Any]:
    """The compiled step of this name, or that without Numba."""
    return compiled("mixtura.kernels.paths", name) or getattr(path_steps, name)


def _logs(initial: Array, transition: Array) -> tuple[Array, Array]:
    """Log initial weights (K,) and log moves (1 or B, K, K)."""
    moves = np.asarray(transition, dtype=np.float64)
    with np.errstate(divide="ignore"):
        return np.log(np.asarray(initial, dtype=np.float64)), np.log(
            np.ascontiguousarray(moves[None] if moves.ndim == 2 else moves)
        )


def _rows(scores: Array) -> Array:
    """Scores (K, B) as rows (B, K), copied."""
    return np.array(scores.T, dtype=np.float64, order="C")


def filter_rows(scores: Array, initial: Array, transition: Array, offsets: Array) -> FilteredRows:
    """Log filtered probabilities and log scales of all rows.

    In logarithms throughout where some move is impossible or all but, since what underflows might come back from nowhere else.

    Parameters
    ----------
    scores : ndarray, shape (K, B)
        log p(x | state).
    initial, transition, offsets
        As for `filtered`.
    """
    if np.ndim(transition) == 3 or np.min(transition) < _ALL_BUT_IMPOSSIBLE:
        return _filter_in_logs(scores, initial, transition, offsets)
    share, scale, bad = advance(scores, initial, transition, offsets)
    with np.errstate(divide="ignore"):
        logs = np.log(share, out=share)
    if bad.any():
        lengths = np.diff(offsets)
        rows = np.repeat(bad, lengths)
        part = np.append(0, np.cumsum(lengths[bad]))
        scale[rows], logs[rows] = _filter_in_logs(scores[:, rows], initial, transition, part)
    return FilteredRows(scale, logs)


def _filter_in_logs(scores: Array, initial: Array, transition: Array, offsets: Array) -> FilteredRows:
    """Slower, and safe."""
    log_initial, log_moves = _logs(initial, transition)
    rows = _rows(scores)
    first, _ = ends(offsets)
    logs, scale = np.empty(rows.shape), np.empty(len(rows))
    _step("forward_logs")(rows, log_initial, log_moves, first, logs, scale)
    return FilteredRows(scale, logs)


def filtered(scores: Array, initial: Array, transition: Array, offsets: Array) -> tuple[Array, Array]:
    """p(z_t | x_1, ..., x_t).

    Parameters
    ----------
    scores : ndarray, shape (K, B)
        log p(x | state).
    initial : ndarray, shape (K,)
        Probabilities of the first state.
    transition : ndarray, shape (K, K) or (B, K, K)
        Probabilities of moves.
    offsets : ndarray, shape (U + 1,)
        Where sequences begin.

    Returns
    -------
    log_evidence : ndarray, shape (U,)
        Of every sequence.
    filtered : ndarray, shape (B, K)
        Rows sum to one.

    Examples
    --------
    >>> scores = np.log([[0.5, 0.5, 0.1], [0.1, 0.1, 0.5]])
    >>> sticky = np.array([[0.9, 0.1], [0.1, 0.9]])
    >>> evidence, share = filtered(scores, np.array([0.5, 0.5]), sticky, np.array([0, 3]))
    >>> share.round(2)
    array([[0.83, 0.17],
           [0.94, 0.06],
           [0.54, 0.46]])
    """
    found = filter_rows(scores, initial, transition, offsets)
    return np.add.reduceat(found.log_scale, offsets[:-1]), np.exp(found.logs)


def predicted(scores: Array, initial: Array, transition: Array, offsets: Array) -> Array:
    """p(z_t | x_1, ..., x_{t-1}), shape (B, K): the initial law in a sequence's first row, rows sum to one.

    Examples
    --------
    >>> scores = np.log([[0.5, 0.5], [0.1, 0.1]])
    >>> sticky = np.array([[0.9, 0.1], [0.1, 0.9]])
    >>> predicted(scores, np.array([0.5, 0.5]), sticky, np.array([0, 2])).round(2)
    array([[0.5 , 0.5 ],
           [0.77, 0.23]])
    """
    _, before = filtered(scores, initial, transition, offsets)
    moves = np.asarray(transition)
    ahead = np.empty(before.shape)
    if moves.ndim == 2:
        np.matmul(before[:-1], moves, out=ahead[1:])
    else:
        np.einsum("ti,tij->tj", before[:-1], moves[1:], out=ahead[1:])
    ahead[offsets[:-1]] = initial
    total = ahead.sum(axis=1, keepdims=True)
    return np.where(total > 0, ahead / np.where(total > 0, total, 1.0), 1.0 / len(initial))


def posterior(scores: Array, initial: Array, transition: Array, offsets: Array) -> tuple[Array, Array]:
    """p(z_t | all rows of the sequence): log evidence (U,) and smoothed probabilities (B, K).

    Examples
    --------
    >>> scores = np.log([[0.5, 0.5, 0.1], [0.1, 0.1, 0.5]])
    >>> sticky = np.array([[0.9, 0.1], [0.1, 0.9]])
    >>> posterior(scores, np.array([0.5, 0.5]), sticky, np.array([0, 3]))[1].round(2)
    array([[0.87, 0.13],
           [0.83, 0.17],
           [0.54, 0.46]])
    """
    make = smooth if np.ndim(transition) == 2 else smooth_in_logs
    found = make(scores, initial, transition, offsets, np.ones(scores.shape[1]))
    return found.log_evidence, found.resp


def viterbi(scores: Array, initial: Array, transition: Array, offsets: Array) -> tuple[Array, Array]:
    """The most probable path of every sequence.

    Parameters
    ----------
    scores, initial, transition, offsets
        As for `filtered`.

    Returns
    -------
    log_prob : ndarray, shape (U,)
        Log joint density of rows and path; minus infinity where no path is possible.
    path : ndarray of int, shape (B,)
        States; -1 in a sequence without a possible path. Of equally good predecessors the first state is taken.

    Examples
    --------
    >>> scores = np.log([[0.5, 0.5, 0.1], [0.1, 0.1, 0.5]])
    >>> sticky = np.array([[0.7, 0.3], [0.3, 0.7]])
    >>> viterbi(scores, np.array([0.5, 0.5]), sticky, np.array([0, 3]))[1]
    array([0, 0, 1])
    """
    log_initial, log_moves = _logs(initial, transition)
    n_components, n_rows = scores.shape
    path, log_prob = np.empty(n_rows, dtype=np.intp), np.empty(len(offsets) - 1)
    back = np.empty((n_rows, n_components), dtype=np.uint8 if n_components <= 256 else np.int32)
    _step("best")(_rows(scores), log_initial, log_moves, offsets, back, log_prob, path)
    return log_prob, path


def best_paths(
    scores: Array, initial: Array, transition: Array, offsets: Array, n_paths: int
) -> tuple[Array, Array]:
    """The `n_paths` most probable paths of every sequence, best first.

    Parameters
    ----------
    scores, initial, transition, offsets
        As for `filtered`.
    n_paths : int
        n; memory grows with n K B.

    Returns
    -------
    log_prob : ndarray, shape (U, n)
        Log joint densities; minus infinity where there are fewer possible paths.
    paths : ndarray of int, shape (n, B)
        States, -1 where there is no path. Of equally good predecessors the first states come first.

    Raises
    ------
    InvalidParameterError
        If `n_paths` is not positive.

    Examples
    --------
    >>> scores = np.log([[0.5, 0.5, 0.1], [0.1, 0.1, 0.5]])
    >>> sticky = np.array([[0.7, 0.3], [0.3, 0.7]])
    >>> best_paths(scores, np.array([0.5, 0.5]), sticky, np.array([0, 3]), 2)[1]
    array([[0, 0, 1],
           [0, 0, 0]])
    """
    n_paths = _positive(n_paths)
    log_initial, log_moves = _logs(initial, transition)
    n_components, n_rows = scores.shape
    paths = np.empty((n_paths, n_rows), dtype=np.intp)
    log_prob = np.full((len(offsets) - 1, n_paths), -np.inf)
    back = np.zeros((n_rows, n_components, n_paths), dtype=np.int32)
    paths.fill(-1)
    _step("list_best")(_rows(scores), log_initial, log_moves, offsets, back, log_prob, paths)
    return log_prob, paths


def sample_paths(
    scores: Array, initial: Array, transition: Array, offsets: Array, n_paths: int, rng: np.random.Generator
) -> Array:
    """Paths drawn from their posterior law given all rows: forward filter, backward sample.

    Parameters
    ----------
    scores, initial, transition, offsets
        As for `filtered`.
    n_paths : int
        n, independent paths of every sequence.
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray of int, shape (n, B)
        States.

    Raises
    ------
    InvalidParameterError
        If `n_paths` is not positive.

    Examples
    --------
    >>> scores = np.log([[0.5, 0.5, 0.1], [0.1, 0.1, 0.5]])
    >>> sticky = np.array([[0.9, 0.1], [0.1, 0.9]])
    >>> rng = np.random.default_rng(0)
    >>> sample_paths(scores, np.array([0.5, 0.5]), sticky, np.array([0, 3]), 1000, rng).mean(axis=0).round(1)
    array([0.2, 0.2, 0.5])
    """
    n_paths = _positive(n_paths)
    found = filter_rows(scores, initial, transition, offsets)
    _, log_moves = _logs(initial, transition)
    _, last = ends(offsets)
    paths = np.empty((n_paths, scores.shape[1]), dtype=np.intp)
    _step("draw")(found.logs, log_moves, last, rng.random(paths.shape), paths)
    return paths


def _positive(n_paths: int) -> int:
    """A number of paths."""
    if int(n_paths) != n_paths or n_paths < 1:
        msg = f"n_paths is {n_paths!r}; expected a positive integer: how many paths of every sequence."
        raise InvalidParameterError(msg)
    return int(n_paths)
