"""Where fits of chains start: rows that follow each other are sampled together, and states are put in an order that suits the chain.

Partitions of rows know nothing of time. Of the model that one makes, the moves are learnt from the scores of its components, which stay
as they are, in a few steps of EM of the chain alone. Where states are not alike (zeros in the transition matrix, known entries, rows in
common) the parts of a partition are first matched with the states: orders by time and by neighbourhood are tried, then exchanges of two
states, and the order under which the rows are most probable stays.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from itertools import combinations, pairwise
from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp

from mixtura.inference.initialize import from_responsibilities
from mixtura.inference.problem import Nested, Problem
from mixtura.persistence import to_plain
from mixtura.protocols import Array, Batch, Source, Structure
from mixtura.structures import LatentMixture
from mixtura.structures.latent_mixture import restricted

__all__ = ["ChainProblem"]

# Steps of EM of the chain alone: to compare two orders of the states, and for the start itself.
_FEW, _SOME = 3, 10
# Largest standard deviation of what is added to the coordinates of a first chain: candidates differ in their moves, too.
_SHAKEN = 2.5
# Rows (and at least one sequence) that orders are compared on.
_COMPARED = 3000
# Rows that mixtures, and chains with components of others, are learnt from.
_MOST = 50_000
# A sample of long sequences is made of so many pieces at least.
_PIECES = 10
# Rows to both sides of which embedded rows are averaged: states last.
_NEAR = (2, 8)


@dataclass(frozen=True)
class ChainProblem(Problem):
    """A problem whose units are sequences: starts are looked for in the chain itself.

    Parameters
    ----------
    alone : callable, optional
        What `embed` is of rows without their neighbours.
    """

    # Chains go to their optima slowly: short runs that are on the way to the same one differ by so much.
    apart: ClassVar[float] = 3e-4

    alone: Callable[[Any, Array], Sequence[Any]] | None = None

    @classmethod
    def of(cls, problem: Problem) -> Self:
        """The same problem, with starts in the chain."""
        given = {one.name: getattr(problem, one.name) for one in fields(Problem)}
        chain = cls(**{**given, "screen": None}, alone=problem.embed)._embedding(problem.unit_offsets)
        if problem.screen is None or problem.n_components == 1:
            return chain
        mixture = problem.screen.sample(_MOST, np.random.default_rng(0))
        return replace(chain, nested=(Nested(mixture, chain.widened),))

    def rearranged(self, model: LatentMixture) -> LatentMixture:
        """The components of a model under a fresh chain: its own was of fewer states, or of none that this one may have."""
        part = self._part()
        source, rows = part.source(), []
        for batch in source:
            scores = model.components.log_prob(model.components.encode(batch.x, model.encoding))
            rows.append(np.exp(scores - scores.max(axis=0)).T)
        resp = np.concatenate(rows)
        return part._in_order(model, resp / resp.sum(axis=1, keepdims=True), source)

    def _part(self) -> Self:
        """So many rows that a first chain is learnt from no more: the same ones each time."""
        return self.sample(_MOST, np.random.default_rng(0))

    def widened(self, mixture: LatentMixture) -> LatentMixture:
        """The chain with the components of a mixture, which is a chain without memory."""
        part = self._part()
        source = part.source()
        resp = [mixture.infer(replace(batch, unit_offsets=None), {}).resp.T for batch in source]
        blank = self.structure(np.exp(mixture.structure.coordinates()))
        return part._in_order(replace(mixture, structure=blank), np.concatenate(resp), source)

    def _embedding(self, offsets: Array | None) -> Self:
        """Embeddings of these sequences."""
        assert self.alone is not None  # noqa: S101 - for the type checker: `of` sets it
        return replace(self, embed=partial(_in_time, self.alone, offsets, ordered=not self._alike()))

    def _alike(self) -> bool:
        """Whether no state is special to the chain before anything is learnt."""
        size = self.n_components
        blank = self.structure(np.ones(size))
        turns = [np.roll(np.arange(size), 1), np.array([1, 0, *range(2, size)])] if size > 1 else []
        return all(_same(blank, blank.take(order)) for order in turns)

    def sample(self, size: int, rng: np.random.Generator) -> Self:
        """At most about `size` rows: sequences, or pieces of long ones where a chain may begin in every state.

        Rows that were not seen, or whose sequences weigh nothing, are left out.
        """
        n_rows = self.x.shape[0]
        usable = np.ones(n_rows, dtype=bool) if self.seen is None else self.seen.copy()
        if self.sample_weight is not None:
            usable &= self.sample_weight > 0
        if usable.all() and n_rows <= size:
            return self
        offsets = np.array([0, n_rows]) if self.unit_offsets is None else self.unit_offsets
        longest = max(size // _PIECES, 1) if self._alike() else n_rows
        chosen = _chosen(_pieces(offsets, longest), usable, size, rng)
        rows = np.concatenate([np.arange(start, stop)[usable[start:stop]] for start, stop in chosen])
        inside = np.concatenate([[0], np.cumsum([usable[start:stop].sum() for start, stop in chosen])])
        weight, covariates, allowed = (
            None if table is None else table[rows]
            for table in (self.sample_weight, self.covariates, self.allowed)
        )
        part = replace(
            self,
            x=self.x[rows],
            sample_weight=weight,
            covariates=covariates,
            allowed=allowed,
            seen=None,
            unit_offsets=inside,
        )
        return part._embedding(inside)

    def begun(self, resp: Array, source: Source) -> LatentMixture:
        """One M-step of the components, states in a fitting order, then some steps of the chain alone."""
        model = from_responsibilities(resp, source, self.components, self.structure, self.encoding)
        # Chance from the partition itself: the same start again, wherever it is made.
        rng = np.random.default_rng(zlib.crc32(np.ascontiguousarray(resp).tobytes()))
        return self._in_order(model, resp, source, rng)

    def _in_order(
        self, model: LatentMixture, resp: Array, source: Source, rng: np.random.Generator | None = None
    ) -> LatentMixture:
        """The states in an order that suits the chain, and some steps of the chain alone, from moves shaken by chance."""
        order = np.arange(self.n_components)
        if not self._alike():
            order = _ordered(model, list(_scored(model, source, _COMPARED)), resp)
        chain: Any = self.structure(resp.sum(axis=0)[order])
        if rng is not None:
            place = chain.coordinates()
            spread = _SHAKEN * rng.random()
            chain = chain.from_coordinates(place + spread * rng.standard_normal(place.shape))
        new = replace(model, components=model.components.take(order), structure=chain)
        return replace(new, structure=_learnt(chain, list(_scored(new, source)), _SOME)[0])


def _same(one: Structure, other: Structure) -> bool:
    """Whether two structures hold the same values."""
    mine: dict[str, Array] = {}
    theirs: dict[str, Array] = {}
    if to_plain(one, mine, "law") != to_plain(other, theirs, "law"):
        return False
    return all(np.allclose(mine[name], theirs[name], equal_nan=True) for name in mine)


def _pieces(offsets: Array, longest: int) -> list[tuple[int, int]]:
    """First and last rows of sequences, cut into pieces of at most so many rows."""
    return [
        (begin, min(begin + longest, int(stop)))
        for start, stop in pairwise(offsets)
        for begin in range(int(start), int(stop), longest)
    ]


def _chosen(
    pieces: list[tuple[int, int]], usable: Array, size: int, rng: np.random.Generator
) -> list[tuple[int, int]]:
    """Random pieces with rows until there are enough of these, in their order."""
    taken, total = [], 0
    for index in rng.permutation(len(pieces)):
        start, stop = pieces[index]
        rows = int(usable[start:stop].sum())
        if rows and total < size:
            taken.append((start, stop))
            total += rows
    return sorted(taken)


def _in_time(
    alone: Callable[[Any, Array], Sequence[Any]],
    offsets: Array | None,
    rows: Any,
    weight: Array,
    *,
    ordered: bool,
) -> list[Any]:
    """Embeddings of rows alone, of rows averaged with their neighbours, and, for chains with an order, of rows and their time."""
    own = list(alone(rows, weight))
    bounds = np.array([0, rows.shape[0]]) if offsets is None else offsets
    if sp.issparse(own[0]) or len(bounds) - 1 == rows.shape[0]:
        return own
    first = np.asarray(own[0], dtype=np.float64)
    more = [_smoothed(first, bounds, near) for near in _NEAR]
    if ordered:
        lengths = np.diff(bounds)
        place = (np.arange(bounds[-1]) - np.repeat(bounds[:-1], lengths) + 0.5) / np.repeat(lengths, lengths)
        spread = np.sqrt(first.var(axis=0).sum())
        more.append(np.column_stack([first, place * 3.0 * (spread or 1.0)]))
    return [*own[:1], *more, *own[1:]]


def _smoothed(z: Array, bounds: Array, near: int) -> Array:
    """Means of rows (n, F) and of so many to both sides of them in their sequence."""
    sums = np.concatenate([np.zeros((1, z.shape[1])), np.cumsum(z, axis=0)])
    rows, lengths = np.arange(len(z)), np.diff(bounds)
    start = np.maximum(rows - near, np.repeat(bounds[:-1], lengths))
    stop = np.minimum(rows + near + 1, np.repeat(bounds[1:], lengths))
    return np.asarray((sums[stop] - sums[start]) / (stop - start)[:, None])


def _scored(model: LatentMixture, source: Source, most: float = np.inf) -> Iterator[tuple[Array, Batch]]:
    """Scores of batches of whole sequences, until there are enough rows."""
    rows = 0
    for batch in source:
        if rows >= most:
            return
        block = model.components.encode(batch.x, model.encoding)
        yield model.components.log_prob(block), batch
        rows += len(batch.sample_weight)


def _learnt(
    structure: Any, scored: Sequence[tuple[Array, Batch]], n_steps: int, order: Array | None = None
) -> tuple[Any, float]:
    """The chain after some steps of EM with scores as they are, and the log evidence before the last of them."""
    evidence = -np.inf
    for _ in range(n_steps):
        evidence, stats = 0.0, None
        for scores, batch in scored:
            taken = scores.copy() if order is None else scores[order]
            found = structure.infer(restricted(taken, batch), batch, {})
            evidence += float(found.log_evidence.sum())
            stats = found.statistics if stats is None else stats + found.statistics
        if stats is None or not np.isfinite(evidence):
            break
        structure = structure.maximize(stats)
    return structure, evidence


def _ordered(model: LatentMixture, scored: Sequence[tuple[Array, Batch]], resp: Array) -> Array:
    """The order of the components under which the chain finds the rows most probable."""
    tried: dict[tuple[int, ...], float] = {}

    def evidence(order: Array) -> float:
        key = tuple(int(k) for k in order)
        if key not in tried:
            tried[key] = _learnt(model.structure, scored, _FEW, order)[1]
        return tried[key]

    best = max(_orders(scored, resp), key=evidence)
    while True:
        pairs = [_exchanged(best, *pair) for pair in combinations(range(len(best)), 2)]
        better = max(pairs, key=evidence)
        if not evidence(better) > evidence(best):
            return best
        best = better


def _exchanged(order: Array, i: int, j: int) -> Array:
    new = order.copy()
    new[[i, j]] = order[[j, i]]
    return new


def _orders(scored: Sequence[tuple[Array, Batch]], resp: Array) -> list[Array]:
    """Orders to begin with: as they are, in time, and such that neighbours follow each other, in both directions."""
    size, start = resp.shape[1], 0
    time, count, pairs = np.zeros(size), np.full(size, 1e-300), np.zeros((size, size))
    for _, batch in scored:
        rows = resp[start : start + len(batch.sample_weight)]
        start += len(rows)
        offsets = np.array([0, len(rows)]) if batch.unit_offsets is None else batch.unit_offsets
        for begin, stop in pairwise(offsets):
            own = rows[begin:stop]
            time += np.linspace(0.0, 1.0, len(own)) @ own
            count += own.sum(axis=0)
            pairs += own[:-1].T @ own[1:]
    near = pairs + pairs.T
    np.fill_diagonal(near, 0.0)
    _, vectors = np.linalg.eigh(np.diag(near.sum(axis=1)) - near)
    chain = np.argsort(vectors[:, min(1, size - 1)], kind="stable")
    return [np.arange(size), np.argsort(time / count, kind="stable"), chain, chain[::-1]]
