r"""Messages of hidden Markov chains: filtered and smoothed probabilities, log evidence and expected pairs of states.

With likelihoods :math:`b_t(j)=p(x_t\mid z_t=j)` scaled by their row's largest one,

.. math:: \alpha_t(j) \propto b_t(j)\sum_i\alpha_{t-1}(i)A_{ij},\qquad
          \beta_t(i) = \sum_j A_{ij}\,b_{t+1}(j)\beta_{t+1}(j)/c_{t+1},

where the scale :math:`c_t` makes :math:`\alpha_t` sum to one: the log evidence is the sum of the logs of the scales, smoothed
probabilities are :math:`\alpha_t\beta_t`, and the expected number of moves from i to j is
:math:`A_{ij}\sum_t\alpha_{t-1}(i)\,b_t(j)\beta_t(j)/c_t`, of which only the sum over t is formed, by a matrix product per chunk ([1]_,
section 13.2.4). A sequence in which a scale underflows is done again in logarithms.

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

__all__ = ["Smoothed", "ends", "smooth", "smooth_in_logs"]

# Rows of a chunk of the backward pass: its ratios stay in the cache.
_CHUNK = 2048


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


def ends(offsets: Array) -> tuple[Array, Array]:
    """Which rows begin and which end a sequence, each (B,).

    Examples
    --------
    >>> ends(np.array([0, 2, 3]))
    (array([ True, False,  True]), array([False,  True,  True]))
    """
    first, last = (np.zeros(offsets[-1], dtype=np.bool_) for _ in range(2))
    first[offsets[:-1]] = True
    last[offsets[1:] - 1] = True
    return first, last


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
    largest = scores.max(axis=0)
    shift = np.where(np.isfinite(largest), largest, 0.0)
    likelihood = np.empty(scores.shape[::-1])
    np.subtract(scores.T, shift[:, None], out=likelihood)
    np.exp(likelihood, out=likelihood)
    filtered, scale = np.empty(likelihood.shape), np.empty(len(likelihood))
    first, last = ends(offsets)
    forward = compiled("mixtura.kernels.messages", "forward") or _forward
    if not forward(likelihood, initial, transition, first, filtered, scale):
        return _mended(scores, initial, transition, offsets, weight, scale)
    with np.errstate(divide="ignore"):
        rows = np.log(scale) + shift
    log_evidence = np.add.reduceat(rows, offsets[:-1])
    pairs = _backward(likelihood, transition, first, last, weight, scale, filtered)
    filtered *= weight[:, None]
    return Smoothed(log_evidence, filtered, pairs)


def _backward(
    likelihood: Array,
    transition: Array,
    first: Array,
    last: Array,
    weight: Array,
    scale: Array,
    filtered: Array,
) -> Array:
    """Turn filtered into smoothed probabilities in place, and return the pairs, chunk by chunk from the end."""
    step = compiled("mixtura.kernels.messages", "backward") or _backward_rows
    n_rows, n_components = likelihood.shape
    transposed = np.ascontiguousarray(transition.T)
    carried, inner = np.zeros(n_components), np.zeros((n_components, n_components))
    ratio = np.empty((min(_CHUNK, n_rows), n_components))
    for stop in range(n_rows, 0, -_CHUNK):
        start = max(stop - _CHUNK, 0)
        rows, beta = slice(start, stop), ratio[: stop - start]
        step(likelihood[rows], transposed, first[rows], last[rows], weight[rows], scale[rows], carried, beta)
        skip = start == 0  # before the first row there is none
        inner += filtered[start - 1 + skip : stop - 1].T @ likelihood[start + skip : stop]
        filtered[rows] *= beta
    return np.asarray(inner * transition)


def _forward(
    likelihood: Array, initial: Array, transition: Array, first: Array, filtered: Array, scale: Array
) -> bool:
    """As `mixtura.kernels.messages.forward`, without Numba."""
    for t in range(len(likelihood)):
        row = likelihood[t] * (initial if first[t] else filtered[t - 1] @ transition)
        scale[t] = total = row.sum()
        filtered[t] = row / total if total > 0 else row
    return bool((scale > 0).all())


def _backward_rows(
    likelihood: Array,
    transposed: Array,
    first: Array,
    last: Array,
    weight: Array,
    scale: Array,
    carried: Array,
    ratio: Array,
) -> None:
    """As `mixtura.kernels.messages.backward`, without Numba."""
    for t in range(len(likelihood) - 1, -1, -1):
        ratio[t] = 1.0 if last[t] else carried @ transposed
        carried[:] = likelihood[t] * ratio[t] / scale[t]
        likelihood[t] = 0.0 if first[t] else weight[t] * carried


def _mended(
    scores: Array, initial: Array, transition: Array, offsets: Array, weight: Array, scale: Array
) -> Smoothed:
    """Sequences whose scales underflow in logarithms, the others as usual."""
    bad = np.add.reduceat(~(scale > 0), offsets[:-1]) > 0
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
