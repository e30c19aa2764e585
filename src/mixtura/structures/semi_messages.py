r"""Messages of hidden semi-Markov chains over states and ages.

With hazards :math:`h_k(d)`, the probability that a state k of age d ends with the present row, a semi-Markov chain is a Markov chain
on pairs of state and age of which few moves are possible: on to the next age, or to age 1 of another state. So a row costs
K (K + D) operations, and a last segment that is cut off by the end of a sequence needs nothing of its own ([1]_, section 3). The
last age D stands for all from there on, with one hazard: a geometric tail, or an end at D where that hazard is 1.

Beliefs (K, D) are kept at the beginning of each chunk of rows and made again in the backward pass, so that memory is a chunk's.

References
----------
.. [1] S.-Z. Yu (2010), "Hidden semi-Markov models", Artificial Intelligence 174(2), 215-243.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from mixtura.kernels import compiled
from mixtura.protocols import Array
from mixtura.structures.sweep import ends

__all__ = ["SemiLaws", "SemiSmoothed", "ahead", "backwards", "forwards", "smooth_semi"]

# Numbers in the beliefs of a chunk.
_ROOM = 1 << 18


class SemiLaws(NamedTuple):
    """What paths are weighed with.

    Parameters
    ----------
    initial : ndarray, shape (K,)
        Of the first state.
    transition : ndarray, shape (K, K)
        Of the next state, where one ends.
    hazard : ndarray, shape (K, D)
        Of the end of a state at each age.
    """

    initial: Array
    transition: Array
    hazard: Array


class SemiSmoothed(NamedTuple):
    """What the messages say of a batch.

    Parameters
    ----------
    log_evidence : ndarray, shape (U,)
        Of every sequence, without weights.
    smoothed : ndarray, shape (B, K)
        Probabilities of the states, without weights.
    pairs : ndarray, shape (K, K)
        Weighted expected numbers of moves from one segment to the next.
    exits, stays : ndarray, shape (K, D)
        Weighted expected numbers of rows at each age after which the state ended, or went on.
    """

    log_evidence: Array
    smoothed: Array
    pairs: Array
    exits: Array
    stays: Array


class Forward(NamedTuple):
    """What the forward pass leaves.

    Parameters
    ----------
    filtered : ndarray, shape (B, K)
        Probabilities of the states given the rows so far.
    log_scale : ndarray, shape (B,)
        log p(x_t | x_1, ..., x_{t-1}); minus infinity from an impossible row on.
    likelihood : ndarray, shape (B, K)
        exp(scores), each row over its largest.
    scale : ndarray, shape (B,)
        What each row was divided by.
    chunks : list of slice
        Of rows.
    begun : ndarray, shape (chunks, K, D)
        Belief before each chunk.
    beliefs : ndarray, shape (U, K, D)
        After the last row of each sequence.
    positive : bool
        Whether no row was impossible.
    """

    filtered: Array
    log_scale: Array
    likelihood: Array
    scale: Array
    chunks: list[slice]
    begun: Array
    beliefs: Array
    positive: bool


def ahead(belief: Array, laws: SemiLaws) -> Array:
    """Beliefs (K, D) of the row after one with `belief`, before it is seen.

    Examples
    --------
    >>> laws = SemiLaws(
    ...     np.array([1.0, 0.0]), np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([[0.0, 1.0], [0.5, 0.5]])
    ... )
    >>> ahead(np.array([[0.5, 0.0], [0.5, 0.0]]), laws)
    array([[0.25, 0.5 ],
           [0.  , 0.25]])
    """
    ended = (belief * laws.hazard).sum(axis=1)
    stayed = belief * (1.0 - laws.hazard)
    after = np.zeros(belief.shape)
    after[:, 1:] = stayed[:, :-1]
    after[:, -1] += stayed[:, -1]
    after[:, 0] += ended @ laws.transition
    return after


def forwards(scores: Array, laws: SemiLaws, offsets: Array) -> Forward:
    """The forward pass over all sequences."""
    n_components, n_rows = scores.shape
    n_ages = laws.hazard.shape[1]
    first, _ = ends(offsets)
    largest = scores.max(axis=0)
    shift = np.where(np.isfinite(largest), largest, 0.0)
    likelihood = np.exp(np.ascontiguousarray(scores.T) - shift[:, None])
    size = max(_ROOM // (n_components * n_ages), 1)
    chunks = [slice(start, min(start + size, n_rows)) for start in range(0, n_rows, size)]
    filtered, scale = np.empty(likelihood.shape), np.empty(n_rows)
    begun, beliefs = (np.empty((size, n_components, n_ages)) for size in (len(chunks), len(offsets) - 1))
    belief, none = np.zeros((n_components, n_ages)), np.empty((0, n_components, n_ages))
    step = compiled("mixtura.kernels.semi_markov", "forward") or _forward
    positive = True
    for index, rows in enumerate(chunks):
        begun[index] = belief
        cuts = [rows.start, *[int(cut) for cut in offsets if rows.start < cut < rows.stop], rows.stop]
        for start, stop in pairwise(cuts):  # a piece is of one sequence, whose belief at its end is kept
            piece = slice(start, stop)
            own = (likelihood[piece], *laws, first[piece], belief, filtered[piece], scale[piece], none)
            positive = step(*own) and positive
            beliefs[np.searchsorted(offsets, start, side="right") - 1] = belief
    with np.errstate(divide="ignore"):
        log_scale = np.log(scale) + shift
    return Forward(filtered, log_scale, likelihood, scale, chunks, begun, beliefs, positive)


def backwards(found: Forward, laws: SemiLaws, offsets: Array) -> Iterator[tuple[slice, Array, Array]]:
    """Chunks of rows from the last to the first: rows, the belief before them (K, D), and those of them (C, K, D)."""
    first, _ = ends(offsets)
    step = compiled("mixtura.kernels.semi_markov", "forward") or _forward
    for rows, before in zip(reversed(found.chunks), found.begun[::-1], strict=True):
        kept = np.empty((rows.stop - rows.start, *before.shape))
        room, scale = np.empty((len(kept), len(before))), np.empty(len(kept))
        step(found.likelihood[rows], *laws, first[rows], before.copy(), room, scale, kept)
        yield rows, before, kept


def smooth_semi(scores: Array, laws: SemiLaws, offsets: Array, weight: Array) -> SemiSmoothed:
    """Forward and backward messages of all sequences of a batch.

    Parameters
    ----------
    scores : ndarray, shape (K, B)
        log p(x | state).
    laws : SemiLaws
        Initial probabilities, moves, hazards.
    offsets : ndarray, shape (U + 1,)
        Where sequences begin.
    weight : ndarray, shape (B,)
        Weights of the rows, the same within a sequence.
    """
    found = forwards(scores, laws, offsets)
    if not found.positive:
        return _mended(scores, laws, offsets, weight)
    first, last = ends(offsets)
    shape = laws.hazard.shape
    smoothed, beta = np.empty(found.filtered.shape), np.ones(shape)
    moved, exits, stays = np.zeros(laws.transition.shape), np.zeros((shape[0], shape[1] + 1)), np.zeros(shape)
    step = compiled("mixtura.kernels.semi_markov", "backward") or _backward
    for rows, before, kept in backwards(found, laws, offsets):
        edges = first[rows], last[rows]
        own = (weight[rows], found.scale[rows], before, kept, beta, smoothed[rows])
        step(found.likelihood[rows], (laws.transition, laws.hazard), edges, *own, (moved, exits, stays))
    evidence = np.add.reduceat(found.log_scale, offsets[:-1])
    return SemiSmoothed(evidence, smoothed, moved * laws.transition, exits[:, :-1], stays)


def _mended(scores: Array, laws: SemiLaws, offsets: Array, weight: Array) -> SemiSmoothed:
    """Sequence by sequence; those whose scales underflow in logarithms."""
    if len(offsets) == 2:
        return _in_logs(scores, laws, float(weight[0]))
    parts = [
        smooth_semi(scores[:, start:stop], laws, np.array([0, stop - start]), weight[start:stop])
        for start, stop in pairwise(offsets)
    ]
    evidence, smoothed = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    pairs, exits, stays = (np.sum([part[i] for part in parts], axis=0) for i in (2, 3, 4))
    return SemiSmoothed(evidence, smoothed, pairs, exits, stays)


def _in_logs(scores: Array, laws: SemiLaws, weight: float) -> SemiSmoothed:
    """One sequence in logarithms; a row that is impossible makes its evidence minus infinity, and is passed over."""
    n_components, n_rows = scores.shape
    scores, possible = np.array(scores), True
    n_ages = laws.hazard.shape[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        initial, moves, leave, stay = map(
            np.log, (laws.initial, laws.transition, laws.hazard, 1.0 - laws.hazard)
        )
        alpha = np.full((n_rows, n_components, n_ages), -np.inf)
        beta = np.zeros(alpha.shape)
        alpha[0, :, 0] = initial
        for t in range(n_rows):
            if t > 0:
                alpha[t] = _ahead_in_logs(alpha[t - 1], leave, stay, moves)
            if np.max(alpha[t] + scores[:, t, None]) == -np.inf:
                scores[:, t], possible = 0.0, False
            alpha[t] += scores[:, t, None]
        evidence = float(logsumexp(alpha[-1]))
        pairs, exits, stays = np.zeros(moves.shape), np.zeros(leave.shape), np.zeros(leave.shape)
        for t in range(n_rows - 1, 0, -1):
            right = beta[t] + scores[:, t, None]
            after = logsumexp(moves + right[:, 0], axis=1)
            left, gone = leave + after[:, None], stay + np.concatenate([right[:, 1:], right[:, -1:]], axis=1)
            beta[t - 1] = np.logaddexp(left, gone)
            exits += np.exp(alpha[t - 1] + left - evidence)
            stays += np.exp(alpha[t - 1] + gone - evidence)
            ended = logsumexp(alpha[t - 1] + leave, axis=1)
            pairs += np.exp(ended[:, None] + moves + right[:, 0] - evidence)
        smoothed = np.exp(logsumexp(alpha + beta, axis=2) - evidence)
    bound = np.array([evidence if possible else -np.inf])
    return SemiSmoothed(bound, smoothed, weight * pairs, weight * exits, weight * stays)


def _ahead_in_logs(before: Array, leave: Array, stay: Array, moves: Array) -> Array:
    """Log beliefs (K, D) of the next row before it is seen."""
    after, stayed = np.full(before.shape, -np.inf), before + stay
    after[:, 1:] = stayed[:, :-1]
    after[:, -1] = np.logaddexp(after[:, -1], stayed[:, -1])
    ended = logsumexp(before + leave, axis=1)
    after[:, 0] = np.logaddexp(after[:, 0], logsumexp(ended[:, None] + moves, axis=0))
    return after


def _forward(
    likelihood: Array,
    initial: Array,
    transition: Array,
    hazard: Array,
    first: Array,
    belief: Array,
    filtered: Array,
    scale: Array,
    kept: Array,
) -> bool:
    """As `mixtura.kernels.semi_markov.forward`, without Numba."""
    laws = SemiLaws(initial, transition, hazard)
    for t in range(len(likelihood)):
        if first[t]:
            belief[:] = 0.0
            belief[:, 0] = initial
        else:
            belief[:] = ahead(belief, laws)
        belief *= likelihood[t][:, None]
        scale[t] = total = belief.sum()
        if total > 0:
            belief /= total
        filtered[t] = belief.sum(axis=1)
        if len(kept):
            kept[t] = belief
    return bool((scale > 0).all())


def _backward(
    likelihood: Array,
    laws: tuple[Array, Array],
    edges: tuple[Array, Array],
    weight: Array,
    scale: Array,
    before: Array,
    kept: Array,
    beta: Array,
    smoothed: Array,
    sums: tuple[Array, Array, Array],
) -> None:
    """As `mixtura.kernels.semi_markov.backward`, without Numba."""
    (transition, hazard), (first, last), (moved, exits, stays) = laws, edges, sums
    for t in range(len(likelihood) - 1, -1, -1):
        if last[t]:
            beta[:] = 1.0
        smoothed[t] = (kept[t] * beta).sum(axis=1)
        if first[t]:
            continue
        right = beta * (likelihood[t] / scale[t])[:, None]
        earlier = weight[t] * (before if t == 0 else kept[t - 1])
        moved += np.outer((earlier * hazard).sum(axis=1), right[:, 0])
        leave = hazard * (transition @ right[:, 0])[:, None]
        stay = (1.0 - hazard) * np.concatenate([right[:, 1:], right[:, -1:]], axis=1)
        exits[:, :-1] += earlier * leave
        stays += earlier * stay
        beta[:] = leave + stay
