r"""Messages of hidden Markov chains: smoothed probabilities, log evidence and expected pairs of states, from scores.

The recursions are in :mod:`mixtura.structures.sweep`; sequences in which something may have been lost to underflow are done again in
logarithms ([1]_, section 13.2.4).

References
----------
.. [1] C. M. Bishop (2006), Pattern Recognition and Machine Learning, equations 13.53 to 13.65.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mixtura.kernels import compiled
from mixtura.protocols import Array
from mixtura.structures import path_steps
from mixtura.structures.sweep import Laws, ends, sweep

__all__ = ["Smoothed", "smooth", "smooth_in_logs"]


class Smoothed(NamedTuple):
    """What the messages say of a batch.

    Parameters
    ----------
    log_evidence : ndarray, shape (U,)
        Of every sequence, without weights.
    resp : ndarray, shape (B, K)
        Smoothed probabilities times the rows' weights.
    pairs : ndarray, shape (K, K)
        Weighted expected numbers of moves.
    """

    log_evidence: Array
    resp: Array
    pairs: Array


def smooth(scores: Array, initial: Array, transition: Array, offsets: Array, weight: Array) -> Smoothed:
    """Forward and backward messages of all sequences of a batch.

    Parameters
    ----------
    scores : ndarray, shape (K, B)
        log p(x | state).
    initial : ndarray, shape (K,)
        Weights of the first state; need not sum to one (expected logarithms, exponentiated).
    transition : ndarray, shape (K, K)
        Weights of moves, likewise.
    offsets : ndarray, shape (U + 1,)
        Where sequences begin.
    weight : ndarray, shape (B,)
        Weights of the rows, the same within a sequence.

    Returns
    -------
    Smoothed
        Log evidence of each sequence, weighted smoothed probabilities, weighted pairs.
    """
    n_components, n_rows = scores.shape
    # as chunks come: (K, b) of few states, else (b, K)
    resp = np.empty((n_components, n_rows)).T if n_components <= 4 else np.empty((n_rows, n_components))

    def take(rows: slice, part: Array) -> None:
        resp[rows] = part.T

    found = sweep(Laws(initial, transition, offsets, weight), lambda rows: scores[:, rows], take)
    if found.bad.any():
        return _mended(scores, initial, transition, offsets, weight, found.bad)
    return Smoothed(found.log_evidence, resp, found.pairs)


def _mended(
    scores: Array, initial: Array, transition: Array, offsets: Array, weight: Array, bad: Array
) -> Smoothed:
    """Sequences that are bad in logarithms, the others as usual."""
    lengths = np.diff(offsets)
    resp, pairs = np.empty(scores.shape[::-1]), np.zeros(transition.shape)
    evidence = np.empty(len(lengths))
    for units, make in ((bad, smooth_in_logs), (~bad, smooth)):
        if not units.any():
            continue
        rows = np.repeat(units, lengths)
        part = np.append(0, np.cumsum(lengths[units]))
        found = make(scores[:, rows], initial, transition, part, weight[rows])
        evidence[units], resp[rows] = found.log_evidence, found.resp
        pairs += found.pairs
    return Smoothed(evidence, resp, pairs)


def smooth_in_logs(
    scores: Array, initial: Array, transition: Array, offsets: Array, weight: Array
) -> Smoothed:
    """The same in logarithms: slower, and safe where some state is all but impossible for a long time.

    `transition` may be (B, K, K): row t has the weights of the move that enters it. A row that is impossible gives its sequence a log
    evidence of minus infinity and is passed over, as if it had not been seen.
    """
    forward = compiled("mixtura.kernels.paths", "forward_logs") or path_steps.forward_logs
    backward = compiled("mixtura.kernels.paths", "backward_logs") or path_steps.backward_logs
    with np.errstate(divide="ignore"):
        log_initial = np.log(np.asarray(initial, dtype=np.float64))
        log_moves = np.log(np.ascontiguousarray(transition, dtype=np.float64))
    log_moves = log_moves[None] if log_moves.ndim == 2 else log_moves
    rows = np.array(scores.T, dtype=np.float64, order="C")
    alpha, resp, scale = np.empty(rows.shape), np.empty(rows.shape), np.empty(len(rows))
    pairs = np.zeros(log_moves.shape[1:])
    first, last = ends(offsets)
    forward(rows, log_initial, log_moves, first, alpha, scale)
    backward(rows, log_moves, first, last, np.asarray(weight, dtype=np.float64), alpha, resp, pairs)
    return Smoothed(np.add.reduceat(scale, offsets[:-1]), resp, pairs)
