r"""Forward and backward through the rows of a batch, chunk by chunk, while somebody else makes scores and takes responsibilities.

With likelihoods :math:`b_t(j)=p(x_t\mid z_t=j)` scaled by their row's largest one,

.. math:: \alpha_t(j) = \frac{b_t(j)}{c_{t-1}}\sum_i\alpha_{t-1}(i)A_{ij},\qquad c_t = \sum_j\alpha_t(j),\qquad
          \beta_{t-1}(i) = \sum_j A_{ij}\,\frac{b_t(j)}{c_{t-1}}\beta_t(j),

so that a row is scaled by the sum of the one before it, which its recursion need not wait for ([1]_, section 13.2.4, has the sum of
the row itself). The log evidence is :math:`\log c_T + \sum_t\log c_{t-1}`, smoothed probabilities are :math:`\alpha_t\beta_t` over
their sum :math:`Z_t`, and the expected moves from i to j are :math:`A_{ij}\sum_t\alpha_{t-1}(i)\,b_t(j)\beta_t(j)/(c_{t-1}Z_t)`, of
which only the sum is formed.

What underflows is lost. Nothing that mattered was lost if no row's sum falls below 1e-200 (so that a lost term is below 1e-108 of its
row) and no :math:`\sum_j\beta_t(j)/Z_t` exceeds 1e80: both are checked, and sequences of which this is not known are named.

The file is long because the layouts of rows, the room they live in and the way there and back belong together.

References
----------
.. [1] C. M. Bishop (2006), Pattern Recognition and Machine Learning, equations 13.53 to 13.65.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from math import isqrt
from typing import NamedTuple, Protocol

import numpy as np

from mixtura.kernels import compiled
from mixtura.kernels.workspace import borrowed
from mixtura.protocols import Array

__all__ = ["Laws", "Swept", "advance", "chunks", "ends", "sweep"]

_LEAST, _LARGEST = 1e-200, 1e80
# Up to this many states rows are scalars (kernels/narrow_messages.py).
_NARROW = 4
# From and up to which number rows are sixteen numbers (kernels/middle_messages.py); with others, as many as there are states.
_MIDDLE = 9, 16
_STEPS = "mixtura.kernels.messages"
# Bytes of a chunk's scores, so that these, likelihoods and responsibilities stay in the cache; and its least and most rows.
_CHUNK_BYTES, _FEWEST, _MOST = 1024 * 1024, 512, 8192

# Numbers in a line of the cache.
_LINE = 8


class Laws(NamedTuple):
    """A chain over a batch.

    Parameters
    ----------
    initial : ndarray, shape (K,)
        Weights of the first state; need not sum to one (expected logarithms, exponentiated).
    transition : ndarray, shape (K, K)
        Weights of moves, likewise.
    offsets : ndarray, shape (U + 1,)
        Where sequences begin.
    weight : ndarray, shape (B,)
        Weights of the rows, the same within a sequence.
    """

    initial: Array
    transition: Array
    offsets: Array
    weight: Array


class Swept(NamedTuple):
    """What is left of a sweep when rows are gone.

    Parameters
    ----------
    log_evidence : ndarray, shape (U,)
        Of every sequence, without weights.
    pairs : ndarray, shape (K, K)
        Weighted expected numbers of moves.
    bad : ndarray of bool, shape (U,)
        Sequences that have to be done in logarithms; if there is any, nothing else holds.
    """

    log_evidence: Array
    pairs: Array
    bad: Array


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


def chunks(n_rows: int, n_components: int) -> list[slice]:
    """Rows that fit the cache; at most about sqrt(B) chunks.

    Examples
    --------
    >>> len(chunks(100_000, 4)), len(chunks(10**12, 4)) <= 10**6
    (13, True)
    """
    size = min(max(_CHUNK_BYTES // (8 * n_components), _FEWEST), _MOST)
    # An odd number of cache lines: with powers of two the columns of a block would all lie in the same few lines.
    size = (max(size, isqrt(n_rows)) // _LINE | 1) * _LINE
    return [slice(start, min(start + size, n_rows)) for start in range(0, n_rows, size)]


class _Messages(Protocol):
    """Messages in one layout of rows."""

    width: int

    @property
    def pairs(self) -> Array:
        """Sums (K, K) of the pairs so far."""
        ...

    def likelihood(self, scores: Array, room: Array) -> tuple[Array, Array]:
        """exp(scores (K, B) - each row's largest), in the room given, and these (B,)."""
        ...

    def forward(self, likelihood: Array, first: Array, filtered: Array, inverse: Array) -> bool:
        """Filtered rows and their factors; whether all sums are large enough."""
        ...

    def backward(
        self, likelihood: Array, ends: tuple[Array, Array], weight: Array, inverse: Array, filtered: Array
    ) -> tuple[Array, float]:
        """Responsibilities (K, B), until the next call, and the largest sum of beta; adds to the pairs. Carries beta from call to call."""
        ...


class _Wide:
    """Rows (B, W), of which entries beyond K are zeros; pairs are a matrix product per chunk."""

    def __init__(self, initial: Array, transition: Array, size: int, *, width: int, steps: str) -> None:
        self.width, self._size = width, len(initial)
        self._initial, self._transition = _padded(initial, width), _padded(transition, width)
        self._transposed = _padded(transition.T, width)
        self._ahead, self._inner = _room((width,)), np.zeros((width, width))
        self._room = _room((size * width,))
        self._forward = compiled(steps, "forward") or _forward
        self._backward = compiled(steps, "backward") or _backward
        self._transpose = compiled(_STEPS, "transpose") or _transpose

    @property
    def pairs(self) -> Array:
        return (self._inner * self._transition)[: self._size, : self._size]

    def likelihood(self, scores: Array, room: Array) -> tuple[Array, Array]:
        shape = self.width, scores.shape[1]
        found, shift = _likelihood(scores, _part(self._room, shape))
        rows = _part(room, shape[::-1])
        self._transpose(found, rows)
        return rows, shift

    def forward(self, likelihood: Array, first: Array, filtered: Array, inverse: Array) -> bool:
        return bool(
            self._forward(likelihood, self._initial, self._transition, first, _LEAST, filtered, inverse)
        )

    def backward(
        self, likelihood: Array, ends: tuple[Array, Array], weight: Array, inverse: Array, filtered: Array
    ) -> tuple[Array, float]:
        resp = _part(self._room, likelihood.shape)
        largest = self._backward(
            likelihood, self._transposed, *ends, weight, inverse, filtered, self._ahead, resp
        )
        self._inner += filtered[:-1].T @ likelihood
        return resp[:, : self._size].T, float(largest)


class _Narrow:
    """Rows (4, B), of which those beyond K are zeros; pairs are summed on the way. Compiled only."""

    width = _NARROW

    def __init__(self, initial: Array, transition: Array, size: int) -> None:
        self._size = len(initial)
        self._initial, self._transition = _padded(initial, self.width), _padded(transition, self.width)
        self._transposed = _padded(transition.T, self.width)
        self._ahead, self._inner = np.zeros(self.width), np.zeros((self.width, self.width))
        self._room = _room((size * self.width,))
        steps = (compiled("mixtura.kernels.narrow_messages", name) for name in ("forward", "backward"))
        self._forward, self._backward = steps

    @property
    def pairs(self) -> Array:
        return (self._inner * self._transition)[: self._size, : self._size]

    def likelihood(self, scores: Array, room: Array) -> tuple[Array, Array]:
        return _likelihood(scores, _part(room, (self.width, scores.shape[1])))

    def forward(self, likelihood: Array, first: Array, filtered: Array, inverse: Array) -> bool:
        return bool(
            self._forward(likelihood, self._initial, self._transition, first, _LEAST, filtered, inverse)  # type: ignore[misc]
        )

    def backward(
        self, likelihood: Array, ends: tuple[Array, Array], weight: Array, inverse: Array, filtered: Array
    ) -> tuple[Array, float]:
        resp = _part(self._room, likelihood.shape)
        largest = self._backward(  # type: ignore[misc]
            likelihood, self._transposed, *ends, weight, inverse, filtered, self._ahead, resp, self._inner
        )
        return resp[: self._size], float(largest)


def _room(shape: tuple[int, ...]) -> Array:
    """An array, not filled, that begins with a cache line: products of rows of 64 are a third faster."""
    size = int(np.prod(shape))
    return _lined_up(np.empty(size + _LINE), size).reshape(shape)


def _lined_up(whole: Array, size: int) -> Array:
    """Numbers of a flat array from its first whole cache line on."""
    skipped = (-whole.ctypes.data % (8 * _LINE)) // 8
    return whole[skipped : skipped + size]


def _part(room: Array, shape: tuple[int, ...]) -> Array:
    """The beginning of a flat array in this shape."""
    return room[: int(np.prod(shape))].reshape(shape)


def _padded(table: Array, width: int) -> Array:
    """A vector or a square matrix with zeros up to this width."""
    whole = _room((width,) * table.ndim)
    whole[...] = 0.0
    whole[tuple(slice(size) for size in table.shape)] = table
    return whole


def _messages(laws: Laws, size: int) -> _Messages:
    """The layout for this many states, with room for chunks of this size."""
    initial = np.asarray(laws.initial, dtype=np.float64)
    transition = np.asarray(laws.transition, dtype=np.float64)
    n_components = len(initial)
    if compiled(_STEPS, "forward") is None or n_components > _MIDDLE[1]:
        return _Wide(initial, transition, size, width=n_components, steps=_STEPS)
    if n_components <= _NARROW:
        return _Narrow(initial, transition, size)
    if n_components < _MIDDLE[0]:
        return _Wide(initial, transition, size, width=n_components, steps=_STEPS)
    return _Wide(initial, transition, size, width=_MIDDLE[1], steps="mixtura.kernels.middle_messages")


class _Store:
    """Likelihoods, filtered rows and factors of chunks: of all, or of one at a time and what lies before each."""

    def __init__(self, whole: Array, widths: tuple[int, int, int], n_chunks: int, width: int) -> None:
        rooms = len(whole) // sum(widths)
        edges = [0, *np.cumsum([rooms * each for each in widths])]
        self._likelihood, self._filtered, self._inverse = (
            whole[begin:end].reshape(rooms, -1) for begin, end in pairwise(edges)
        )
        self._keep, self._width = rooms >= n_chunks, width
        self._borders, self._factors = np.zeros((n_chunks + 1, width)), np.ones(n_chunks + 1)

    def room(self, chunk: int) -> Array:
        """Where its likelihoods go."""
        return self._likelihood[chunk if self._keep else 0]

    def messages(self, chunk: int, n_rows: int) -> tuple[Array, Array]:
        """Filtered rows and factors, of which the first are those of the row before the chunk."""
        at = chunk if self._keep else 0
        filtered = _part(self._filtered[at], (n_rows + 1, self._width))
        inverse = self._inverse[at, : n_rows + 1]
        filtered[0], inverse[0] = self._borders[chunk], self._factors[chunk]
        return filtered, inverse

    def done(self, chunk: int, filtered: Array, inverse: Array) -> None:
        """Remember where the chunk ends."""
        self._borders[chunk + 1], self._factors[chunk + 1] = filtered[-1], inverse[-1]


@contextmanager
def _stored(n_chunks: int, size: int, width: int, *, keep: bool) -> Iterator[_Store]:
    """Room for chunks of this size, on loan."""
    widths = size * width, (size + 1) * width, size + _LINE  # of whole cache lines where the width is
    n_numbers = (n_chunks if keep else 1) * sum(widths)
    with borrowed(n_numbers + _LINE) as whole:
        yield _Store(_lined_up(whole, n_numbers), widths, n_chunks, width)


def sweep(
    laws: Laws, score: Callable[[slice], Array], take: Callable[[slice, Array], object], *, keep: bool = True
) -> Swept:
    """Forward through all rows, then backward.

    Parameters
    ----------
    laws : Laws
        The chain and where its sequences begin.
    score : callable
        ``score(rows)`` returns log p(x | state) of some rows, (K, b); asked for a second time where `keep` is False.
    take : callable
        ``take(rows, resp)`` is given smoothed probabilities times weights, (K, b), of chunk after chunk from the last to the first;
        they are overwritten afterwards.
    keep : bool, default True
        Whether likelihoods and filtered probabilities of all rows are kept for the way back, in memory of the order of B K. False
        keeps those at the chunks' borders and makes the others again (checkpoints): the memory is of the order of sqrt(B) K.

    Returns
    -------
    Swept
        Log evidence, pairs, and which sequences have to be done again in logarithms.
    """
    parts = chunks(int(laws.offsets[-1]), len(laws.initial))
    size = parts[0].stop
    messages = _messages(laws, size)
    # What overflows belongs to sequences that are done again in logarithms.
    with (
        _stored(len(parts), size, messages.width, keep=keep) as store,
        np.errstate(over="ignore", invalid="ignore"),
    ):
        return _there_and_back(laws, score, take, (messages, store, parts), keep=keep)


def _there_and_back(
    laws: Laws,
    score: Callable[[slice], Array],
    take: Callable[[slice, Array], object],
    means: tuple[_Messages, _Store, list[slice]],
    *,
    keep: bool,
) -> Swept:
    """The sweep itself."""
    messages, store, parts = means
    first, last = ends(laws.offsets)
    weight = np.ascontiguousarray(laws.weight, dtype=np.float64)
    units = len(laws.offsets) - 1
    evidence: Array = np.zeros(units)
    bad: Array = np.zeros(units, dtype=np.bool_)
    likelihoods: list[Array] = []
    for number, rows in enumerate(parts):
        likelihood, shift = messages.likelihood(score(rows), store.room(number))
        filtered, inverse = store.messages(number, len(shift))
        sound = messages.forward(likelihood, first[rows], filtered, inverse)
        store.done(number, filtered, inverse)
        mine, starts = _units(laws.offsets, rows)
        shift -= np.log(inverse[:-1])
        finished = laws.offsets[mine.start + 1 : mine.stop + 1] - rows.start
        finished = finished[finished <= len(shift)]  # rows of `filtered`, one later than those of `shift`
        shift[finished - 1] += np.log(np.maximum(filtered[finished].sum(axis=1), _LEAST))
        evidence[mine] += np.add.reduceat(shift, starts)
        if not sound:
            low = ~(filtered[1:].sum(axis=1) >= _LEAST)
            bad[mine] |= np.logical_or.reduceat(low, starts)
        if keep:
            likelihoods.append(likelihood)
    if bad.any():
        return Swept(evidence, messages.pairs, bad)
    for number in range(len(parts) - 1, -1, -1):
        rows = parts[number]
        n_rows = rows.stop - rows.start
        filtered, inverse = store.messages(number, n_rows)
        if keep:
            likelihood = likelihoods.pop()
        else:
            likelihood, _ = messages.likelihood(score(rows), store.room(number))
            messages.forward(likelihood, first[rows], filtered, inverse)
        resp, largest = messages.backward(
            likelihood, (first[rows], last[rows]), weight[rows], inverse, filtered
        )
        if not largest <= _LARGEST:
            bad[_units(laws.offsets, rows)[0]] = True
            break
        take(rows, resp)
    return Swept(evidence, messages.pairs, bad)


def advance(scores: Array, initial: Array, transition: Array, offsets: Array) -> tuple[Array, Array, Array]:
    """Forward alone, for chains in which every move is possible: what underflows there comes back in the next row.

    Parameters
    ----------
    scores : ndarray, shape (K, B)
        log p(x | state).
    initial, transition, offsets
        As of `Laws`.

    Returns
    -------
    filtered : ndarray, shape (B, K)
        Rows sum to one.
    log_scale : ndarray, shape (B,)
        log p(x_t | x_1, ..., x_{t-1}).
    bad : ndarray of bool, shape (U,)
        Sequences that have to be done in logarithms.
    """
    n_components, n_rows = scores.shape
    first, _ = ends(offsets)
    parts = chunks(n_rows, n_components)
    size = parts[0].stop
    messages = _messages(Laws(initial, transition, offsets, first), size)
    found, log_scale = np.empty((n_rows, n_components)), np.empty(n_rows)
    low = np.zeros(n_rows, dtype=np.bool_)
    with _stored(len(parts), size, messages.width, keep=False) as store:
        for number, rows in enumerate(parts):
            likelihood, shift = messages.likelihood(scores[:, rows], store.room(number))
            filtered, inverse = store.messages(number, len(shift))
            messages.forward(likelihood, first[rows], filtered, inverse)
            store.done(number, filtered, inverse)
            total = filtered[1:].sum(axis=1)
            low[rows] = ~(total >= _LEAST)
            total[low[rows]] = 1.0
            np.divide(filtered[1:, :n_components], total[:, None], out=found[rows])
            np.add(np.log(total), shift, out=log_scale[rows])
    return found, log_scale, np.logical_or.reduceat(low, offsets[:-1])


def _units(offsets: Array, rows: slice) -> tuple[slice, Array]:
    """Which sequences have rows in a chunk, and at which of its rows they begin."""
    begin = int(np.searchsorted(offsets, rows.start, side="right")) - 1
    end = int(np.searchsorted(offsets, rows.stop, side="left"))
    return slice(begin, end), np.maximum(offsets[begin:end] - rows.start, 0)


def _likelihood(scores: Array, out: Array) -> tuple[Array, Array]:
    """Write exp(scores - each row's largest) into out, zeros beyond the scores; and these largest (B,)."""
    largest = scores.max(axis=0).astype(np.float64, copy=False)
    shift = np.where(np.isfinite(largest), largest, 0.0)
    out[len(scores) :] = 0.0
    inside = out[: len(scores)]
    np.subtract(scores, shift, out=inside)
    np.exp(inside, out=inside)
    return out, shift


def _transpose(wide: Array, tall: Array) -> None:
    """As `mixtura.kernels.messages.transpose`, without Numba."""
    tall[:] = wide.T


def _forward(
    likelihood: Array,
    initial: Array,
    transition: Array,
    first: Array,
    least: float,
    filtered: Array,
    inverse: Array,
) -> bool:
    """As `mixtura.kernels.messages.forward`, without Numba."""
    sound = True
    for t in range(len(likelihood)):
        inverse[t] = 1.0 if first[t] else inverse[t]
        before = initial if first[t] else (filtered[t] @ transition) * inverse[t]
        filtered[t + 1] = before * likelihood[t]
        total = filtered[t + 1].sum()
        inverse[t + 1] = 1.0 / total if total >= least else 1.0
        sound &= bool(total >= least)
    return sound


def _backward(
    likelihood: Array,
    transposed: Array,
    first: Array,
    last: Array,
    weight: Array,
    inverse: Array,
    filtered: Array,
    ahead: Array,
    resp: Array,
) -> float:
    """As `mixtura.kernels.messages.backward`, without Numba."""
    largest = 0.0
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for t in range(len(likelihood) - 1, -1, -1):
            ahead[:] = 1.0 if last[t] else ahead
            joint = filtered[t + 1] * ahead
            total = joint.sum()
            found = ahead.sum() / total
            largest = float(max(largest, found)) if np.isfinite(found) else np.inf
            resp[t] = joint * (weight[t] / total)
            onward = likelihood[t] * ahead * inverse[t]
            likelihood[t] = 0.0 if first[t] else onward * (weight[t] / total)
            ahead[:] = onward @ transposed
    return largest
