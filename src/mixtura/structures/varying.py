r"""Messages of chains whose moves depend on the row: input-output chains, and groups with moves of their own.

As :mod:`mixtura.structures.messages`, with :math:`A_t` in the place of A. Matrices are made chunk by chunk, for the forward pass and
again for the backward pass, and the pairs :math:`\xi_t(i,j)` of a chunk are handed on before the next one is begun, so that
no more than a chunk of either is ever held. Sequences in which a scale underflows are done again in logarithms.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from scipy.special import logsumexp

from mixtura.kernels import compiled
from mixtura.protocols import Array
from mixtura.structures.sweep import ends

__all__ = ["Collect", "MovesOf", "smooth_varying"]

#: Matrices (M, K, K) for some rows, and for each row whose matrix enters it, (C,).
MovesOf = Callable[[slice], tuple[Array, Array]]
#: What is done with rows, expected moves (C, K, K) that enter them (without weights), and what MovesOf said of them.
Collect = Callable[[slice, Array, Array, Array], None]

# Numbers of a chunk of matrices: they stay in the cache.
_ROOM = 1 << 16


def smooth_varying(scores: Array, moves_of: MovesOf, offsets: Array, collect: Collect) -> tuple[Array, Array]:
    """Log evidence (U,) and smoothed probabilities (B, K); pairs go to `collect`.

    Parameters
    ----------
    scores : ndarray, shape (K, B)
        log p(x | state), to which those of first rows have the log law of the first state added.
    moves_of : callable
        Transition matrices, of which the last and the next chunk are asked for in turn.
    offsets : ndarray, shape (U + 1,)
        Where sequences begin.
    collect : callable
        Receives every row once, in chunks; rows that begin a sequence have no pairs (zeros).

    Examples
    --------
    >>> sticky, count = np.array([[[0.9, 0.1], [0.1, 0.9]]]), np.zeros((2, 2))
    >>> def add(rows, pairs, moves, which):
    ...     count.__iadd__(pairs.sum(axis=0))
    >>> scores = np.log([[0.5, 0.5, 0.1], [0.1, 0.1, 0.5]]) + np.log([0.5, 1.0, 1.0])
    >>> evidence, share = smooth_varying(
    ...     scores, lambda rows: (sticky, np.zeros(rows.stop - rows.start, int)), np.array([0, 3]), add
    ... )
    >>> share[0].round(2), count.sum().round(9)
    (array([0.87, 0.13]), np.float64(2.0))
    """
    n_components, n_rows = scores.shape
    first, last = ends(offsets)
    size = max(_ROOM // n_components**2, 1)
    chunks = [slice(start, min(start + size, n_rows)) for start in range(0, n_rows, size)]
    largest = scores.max(axis=0)
    shift = np.where(np.isfinite(largest), largest, 0.0)
    likelihood = np.exp(np.ascontiguousarray(scores.T) - shift[:, None])
    filtered, scale = np.empty(likelihood.shape), np.empty(n_rows)
    forward = compiled("mixtura.kernels.varying", "forward") or _forward
    positive = True
    for rows in chunks:
        before = filtered[rows.start - 1] if rows.start else np.zeros(n_components)
        moves, which = moves_of(rows)
        part = (likelihood[rows], moves, which, first[rows], before, filtered[rows], scale[rows])
        positive = forward(*part) and positive
    if not positive and len(offsets) > 2:
        return _apart(scores, moves_of, offsets, collect)
    if not positive:
        return _in_logs(scores, moves_of, chunks, collect)
    log_evidence = np.add.reduceat(np.log(scale) + shift, offsets[:-1])
    backward = compiled("mixtura.kernels.varying", "backward") or _backward
    beta, room = np.ones(n_components), np.empty(n_components)
    for rows in reversed(chunks):
        before = filtered[rows.start - 1] if rows.start else np.zeros(n_components)
        moves, which = moves_of(rows)
        pairs = np.empty((rows.stop - rows.start, n_components, n_components))
        own = (likelihood[rows], moves, which, first[rows], last[rows])
        backward(*own, before, filtered[rows], scale[rows], beta, room, pairs)
        collect(rows, pairs, moves, which)
    return log_evidence, filtered


def _apart(scores: Array, moves_of: MovesOf, offsets: Array, collect: Collect) -> tuple[Array, Array]:
    """One sequence after the other, so that those without trouble are done as usual."""
    evidence, smoothed = np.empty(len(offsets) - 1), np.empty(scores.shape[::-1])
    for unit, (start, stop) in enumerate(pairwise(offsets)):

        def own(rows: slice, start: int = start) -> tuple[Array, Array]:
            return moves_of(slice(rows.start + start, rows.stop + start))

        def handed(rows: slice, pairs: Array, moves: Array, which: Array, start: int = start) -> None:
            collect(slice(rows.start + start, rows.stop + start), pairs, moves, which)

        found = smooth_varying(scores[:, start:stop], own, np.array([0, stop - start]), handed)
        evidence[unit], smoothed[start:stop] = found[0][0], found[1]
    return evidence, smoothed


def _in_logs(scores: Array, moves_of: MovesOf, chunks: list[slice], collect: Collect) -> tuple[Array, Array]:
    """One sequence in logarithms; a row that is impossible makes its evidence minus infinity, and is passed over."""
    n_components, n_rows = scores.shape
    scores, possible = np.array(scores), True
    alpha, beta = np.empty((n_rows, n_components)), np.zeros((n_rows, n_components))
    with np.errstate(divide="ignore", invalid="ignore"):
        for rows in chunks:
            moves, which = moves_of(rows)
            logs = np.log(moves)
            for t in range(rows.start, rows.stop):
                move = logs[which[t - rows.start]]
                ahead = np.zeros(n_components) if t == 0 else logsumexp(alpha[t - 1][:, None] + move, axis=0)
                if np.max(ahead + scores[:, t]) == -np.inf:
                    scores[:, t], possible = 0.0, False
                alpha[t] = ahead + scores[:, t]
        evidence = float(logsumexp(alpha[-1]))
        for rows in reversed(chunks):
            moves, which = moves_of(rows)
            logs = np.log(moves)
            pairs = np.zeros((rows.stop - rows.start, n_components, n_components))
            for t in range(rows.stop - 1, max(rows.start, 1) - 1, -1):
                joint = logs[which[t - rows.start]] + (scores[:, t] + beta[t])
                beta[t - 1] = logsumexp(joint, axis=1)
                pairs[t - rows.start] = np.exp(alpha[t - 1][:, None] + joint - evidence)
            collect(rows, pairs, moves, which)
    smoothed = np.exp(alpha + beta - evidence)
    return np.array([evidence if possible else -np.inf]), smoothed


def _forward(
    likelihood: Array, moves: Array, which: Array, first: Array, before: Array, filtered: Array, scale: Array
) -> bool:
    """As `mixtura.kernels.varying.forward`, without Numba."""
    for t in range(len(likelihood)):
        last = before if t == 0 else filtered[t - 1]
        row = likelihood[t] * (1.0 if first[t] else last @ moves[which[t]])
        scale[t] = total = row.sum()
        filtered[t] = row / total if total > 0 else row
    return bool((scale > 0).all())


def _backward(
    likelihood: Array,
    moves: Array,
    which: Array,
    first: Array,
    last: Array,
    before: Array,
    filtered: Array,
    scale: Array,
    beta: Array,
    carried: Array,
    pairs: Array,
) -> None:
    """As `mixtura.kernels.varying.backward`, without Numba."""
    for t in range(len(likelihood) - 1, -1, -1):
        if last[t]:
            beta[:] = 1.0
        carried[:] = likelihood[t] * beta / scale[t]
        filtered[t] *= beta
        if first[t]:
            pairs[t] = 0.0
            continue
        move = moves[which[t]] * carried
        pairs[t] = (before if t == 0 else filtered[t - 1])[:, None] * move
        beta[:] = move.sum(axis=1)
