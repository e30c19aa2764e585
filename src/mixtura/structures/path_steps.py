"""As `mixtura.kernels.paths`, without Numba: a step of NumPy for every row."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.special import logsumexp

from mixtura.protocols import Array

__all__ = ["backward_logs", "best", "draw", "forward_logs", "list_best"]


def _at(log_moves: Array, t: int) -> Array:
    """Log weights of the move that enters row t."""
    return np.asarray(log_moves[t if len(log_moves) > 1 else 0])


def _log_sum(values: Array, axis: int | None = None) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(logsumexp(values, axis=axis))


def forward_logs(
    scores: Array, log_initial: Array, log_moves: Array, first: Array, alpha: Array, scale: Array
) -> None:
    """Log filtered probabilities and log p(x_t | x_<t)."""
    for t in range(len(scores)):
        row = log_initial if first[t] else _log_sum(alpha[t - 1][:, None] + _at(log_moves, t), axis=0)
        scale[t] = total = float(_log_sum(row + scores[t]))
        if total == -np.inf:
            scores[t] = 0.0
            total = float(_log_sum(row))
            if total == -np.inf:
                row, total = np.zeros_like(row), float(np.log(len(row)))
        alpha[t] = row + scores[t] - total


def backward_logs(
    scores: Array,
    log_moves: Array,
    first: Array,
    last: Array,
    weight: Array,
    alpha: Array,
    resp: Array,
    pairs: Array,
) -> None:
    """Weighted smoothed probabilities, and weighted pairs."""
    beta = np.zeros(scores.shape[1])
    for t in range(len(scores) - 1, -1, -1):
        beta = np.zeros_like(beta) if last[t] else beta
        joint = alpha[t] + beta
        resp[t] = weight[t] * np.exp(joint - _log_sum(joint))
        if first[t]:
            continue
        moves = _at(log_moves, t) + (scores[t] + beta)
        beta = _log_sum(moves, axis=1)
        total = _log_sum(alpha[t - 1] + beta)
        if total == -np.inf:
            beta = np.zeros_like(beta)
            continue
        pairs += weight[t] * np.exp(alpha[t - 1][:, None] + moves - total)
        beta = beta - beta.max()


def best(
    scores: Array,
    log_initial: Array,
    log_moves: Array,
    offsets: Array,
    back: Array,
    log_prob: Array,
    path: Array,
) -> None:
    """Best path of every sequence."""
    for u, (start, stop) in enumerate(pairwise(offsets)):
        value, height = log_initial + scores[start], 0.0
        for t in range(start + 1, stop):
            candidates = value[:, None] + _at(log_moves, t)
            back[t] = candidates.argmax(axis=0)
            value = candidates.max(axis=0) + scores[t]
            largest = value.max()
            if largest > -np.inf:
                value, height = value - largest, height + largest
        state = int(value.argmax())
        log_prob[u] = height + value[state]
        if log_prob[u] == -np.inf:
            path[start:stop] = -1
            continue
        path[stop - 1] = state
        for t in range(stop - 1, start, -1):
            path[t - 1] = state = int(back[t, state])


def list_best(
    scores: Array,
    log_initial: Array,
    log_moves: Array,
    offsets: Array,
    back: Array,
    log_prob: Array,
    paths: Array,
) -> None:
    """The n best paths of every sequence."""
    n_paths, n_components = len(paths), scores.shape[1]
    for u, (start, stop) in enumerate(pairwise(offsets)):
        value, height = np.full((n_components, n_paths), -np.inf), 0.0
        value[:, 0] = log_initial + scores[start]
        for t in range(start + 1, stop):
            candidates = (value[:, :, None] + _at(log_moves, t)[:, None, :]).reshape(-1, n_components)
            back[t] = np.argsort(-candidates, axis=0, kind="stable")[:n_paths].T
            value = np.take_along_axis(candidates.T, back[t].astype(np.intp), axis=1) + scores[t][:, None]
            largest = value.max()
            if largest > -np.inf:
                value, height = value - largest, height + largest
        flat = value.ravel()
        for rank, place in enumerate(np.argsort(-flat, kind="stable")[:n_paths]):
            log_prob[u, rank] = height + flat[place]
            if log_prob[u, rank] == -np.inf:
                paths[rank, start:stop] = -1
                continue
            state, behind = divmod(int(place), n_paths)
            for t in range(stop - 1, start - 1, -1):
                paths[rank, t] = state
                if t > start:
                    state, behind = divmod(int(back[t, state, behind]), n_paths)


def draw(alpha: Array, log_moves: Array, last: Array, uniform: Array, paths: Array) -> None:
    """Paths from log filtered probabilities, all at once."""
    state = np.zeros(len(paths), dtype=np.intp)
    for t in range(len(alpha) - 1, -1, -1):
        share = np.broadcast_to(alpha[t], (len(paths), alpha.shape[1]))
        if not last[t]:
            onward = share + _at(log_moves, t + 1)[:, state].T
            share = np.where(np.isneginf(onward.max(axis=1, keepdims=True)), share, onward)
        share = np.exp(share - share.max(axis=1, keepdims=True))
        up_to = share.cumsum(axis=1)
        state = (up_to <= (uniform[:, t] * up_to[:, -1])[:, None]).sum(axis=1)
        paths[:, t] = state
