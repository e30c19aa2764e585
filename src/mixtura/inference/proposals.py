r"""Moves that a fit's sums speak for: what they would do to the bound, and how to start from them.

With responsibilities r, sums S and the model :math:`\theta` that is best for S the bound is
:math:`\langle S,\theta\rangle - \mathrm{KL}(\theta) + H(r)`. Merging j and k adds their sums and takes from H

.. math:: \sum_n (r_j + r_k)\log(r_j + r_k) - r_j\log r_j - r_k\log r_k \ge 0;

deleting k, the others' parameters unchanged, takes :math:`-\sum_n\log(1 - r_k)` from the log evidence and KL(k) from the divergence;
splitting l adds the entropy of its halves. The first two are sums over rows that one pass collects.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations
from typing import Any, Protocol

import numpy as np

from mixtura.components import hooks
from mixtura.exceptions import DegenerateComponentError, InvalidDataError
from mixtura.inference.divided import Divided
from mixtura.inference.driver import FitResult, run
from mixtura.inference.moved_sums import emptied, merged, replaced
from mixtura.inference.overlaps import TINY, overlaps
from mixtura.inference.stopping import Stopping
from mixtura.inference.updates import Maximization
from mixtura.protocols import Array, Executor, Source
from mixtura.statistics import Statistics
from mixtura.structures import LatentMixture

__all__ = ["LIVE", "Candidate", "Proposals", "Rows", "counts"]

#: Rows below which a component counts as empty.
LIVE = 1.0
# Pairs whose merge is evaluated; of more, those that overlap most.
_MOST_PAIRS = 100
# Steps that halves of components are given. Measured on twelve kinds of components started with two clusters under one component:
# 6 found all but one of 64, 10 all.
_HALVING = 10


class Rows(Protocol):
    """The rows and who sums."""

    @property
    def source(self) -> Source:
        """The rows."""
        ...

    @property
    def executor(self) -> Executor:
        """Who sums."""
        ...

    @property
    def stopping(self) -> Stopping:
        """When to stop."""
        ...


@dataclass(frozen=True)
class Candidate:
    """A move that may be tried.

    Parameters
    ----------
    kind : str
        "merge", "delete", "birth" or "sort".
    components : tuple of int
        Their places before the move.
    promise : float
        By how much the bound rises at its start, nats in total.
    make : callable
        Makes the start.
    """

    kind: str
    components: tuple[int, ...]
    promise: float
    make: Callable[[], LatentMixture]


def counts(stats: Statistics) -> Array:
    """Rows of each component, shape (K,)."""
    return stats.parts["components"]["count"]


class Proposals:
    """Moves from one fit.

    Parameters
    ----------
    fit : FitResult
        Converged, of a mixture with posterior laws.
    rows : Rows
        What it was fitted to.
    margin : float
        Rise of the bound, in nats, that counts.
    """

    def __init__(self, fit: FitResult, rows: Rows, margin: float) -> None:
        self.fit, self.rows, self.margin = fit, rows, margin
        self.model: LatentMixture = fit.model
        self.structure: Any = fit.model.structure
        self.stats = fit.statistics
        self.size = self.model.n_components
        self.count = counts(self.stats)
        self.live = np.flatnonzero(self.count >= LIVE)
        #: Passes over the rows that looking for moves took.
        self.passes = 0
        self._now = self._bound(self.model, self.stats)

    # --- the three questions ----------------------------------------------------------------------------------
    def sorts(self) -> list[Candidate]:
        """The largest component first, where the order of components has a meaning."""
        ordered = self._arranged(self.stats)
        return [] if ordered is self.stats else [self._candidate("sort", (), ordered)]

    def fewer(self) -> list[Candidate]:
        """Merges and deletions."""
        if len(self.live) < 2:
            return []
        pairs = list(combinations(self.live.tolist(), 2))
        if len(pairs) > _MOST_PAIRS:
            given = self._looked_up([])["given"]
            pairs.sort(key=lambda pair: -(given[pair] + given[pair[::-1]]))
            pairs = pairs[:_MOST_PAIRS]
        bounds = [self._merge([pair], 0.0) for pair in pairs]
        kept = [pair for pair, found in zip(pairs, bounds, strict=True) if found.promise > 0.0]
        sums = self._looked_up(kept)
        lost = dict(zip(kept, sums["entropy"].tolist(), strict=True))
        merges = [self._merge([pair], -lost[pair]) for pair in kept]
        return [*merges, *self._several(merges, lost), *self._deletions(sums)]

    def births(self) -> list[Candidate]:
        """Components split in two, where there is a place for another one."""
        free = np.setdiff1d(np.arange(self.size), self.live)
        which = self.live[self.count[self.live] >= 2.0 * LIVE]
        if not free.size or not which.size:
            return []
        try:
            halves = self._halved(which)
        except (DegenerateComponentError, InvalidDataError, np.linalg.LinAlgError):
            return []
        entropy = halves.statistics.parts["structure"]["entropy"]
        smaller = counts(halves.statistics).reshape(2, -1).min(axis=0)
        found = np.flatnonzero(smaller >= LIVE)  # where a half has lost its rows there is nothing to split
        alone = {i: self._birth([i], halves, which, free, float(entropy[i])) for i in found.tolist()}
        best = sorted(alone, key=lambda i: -alone[i].promise)
        good = [i for i in best if alone[i].promise > self.margin][: len(free)]
        together = (
            [self._birth(good, halves, which, free, float(entropy[good].sum()))] if len(good) > 1 else []
        )
        return [*alone.values(), *together]

    # --- fewer ------------------------------------------------------------------------------------------------
    def _merge(self, pairs: Sequence[tuple[int, int]], entropy: float) -> Candidate:
        structure, components = self.stats.parts["structure"], self.stats.parts["components"]
        for into, other in pairs:
            components = merged(components, into, other)
            structure = merged(structure, into, other)
        places = tuple(k for pair in pairs for k in pair)
        return self._candidate("merge", places, _joined(structure, components), entropy)

    def _several(self, merges: Sequence[Candidate], lost: dict[tuple[int, int], float]) -> list[Candidate]:
        """The best merges of different components at once: what they do to the bound adds up, nearly."""
        chosen: list[tuple[int, int]] = []
        for one in sorted(merges, key=lambda one: -one.promise):
            pair = (one.components[0], one.components[1])
            if one.promise > self.margin and not set(pair) & {k for used in chosen for k in used}:
                chosen.append(pair)
        return [self._merge(chosen, -sum(lost[pair] for pair in chosen))] if len(chosen) > 1 else []

    def _deletions(self, sums: Statistics) -> list[Candidate]:
        own = getattr(self.model.components, "divergences", lambda: np.zeros(self.size))()
        found = []
        for k in self.live.tolist():
            count = self.stats.parts["structure"]["count"]
            after = Statistics(
                {"count": count + sums["given"][k] - np.where(np.arange(self.size) == k, count, 0.0)}
            )
            gained = _bound(self.structure.maximize(after), after) - _bound(self.structure, after)
            promise = float(own[k] - sums["lost"][k]) + gained
            found.append(Candidate("delete", (k,), promise, partial(self._without, k)))
        return found

    def _without(self, component: int) -> LatentMixture:
        """The model after one pass without a component: its rows are shared out."""
        rest = np.setdiff1d(np.arange(self.size), [component])
        smaller = self.model.take(rest)
        with self.rows.executor.session() as session:
            stats = session.total(smaller.summarize, self.rows.source)
        parts = (emptied(stats.parts[name], self.size, rest) for name in ("structure", "components"))
        return self.model.maximize(self._arranged(_joined(*parts)))

    def _looked_up(self, pairs: Sequence[tuple[int, int]]) -> Statistics:
        """One pass for what sums do not know."""
        self.passes += 1
        with self.rows.executor.session() as session:
            sums = session.total(overlaps(self.model, self.fit.memory, pairs), self.rows.source)
        given = sums["given"]
        np.fill_diagonal(given, 0.0)
        given *= (self.count / np.maximum(given.sum(axis=1), TINY))[:, None]
        return sums

    # --- births -----------------------------------------------------------------------------------------------
    def _halved(self, which: Array) -> FitResult:
        stopping = self.rows.stopping
        halves = run(
            Divided.start(self.model, self.stats, which, self.fit.memory),
            self.rows.source,
            update=Maximization(),
            executor=self.rows.executor,
            stopping=replace(stopping, max_iter=min(_HALVING, stopping.max_iter)),
        )
        self.passes += halves.n_iter + 1
        return halves

    def _birth(
        self, chosen: Sequence[int], halves: FitResult, which: Array, free: Array, entropy: float
    ) -> Candidate:
        structure, components = self.stats.parts["structure"], self.stats.parts["components"]
        sums = halves.statistics.parts["components"]
        for index, place in zip(chosen, free, strict=False):
            parent, pair = int(which[index]), (index, len(which) + index)
            structure = self.structure.split(structure, parent)
            structure["count"][[parent, -1]] = sums["count"][list(pair)]
            order = np.arange(self.size)
            order[place] = self.size
            structure = structure.take(order)
            for where, row in zip((parent, int(place)), pair, strict=True):
                components = replaced(components, where, sums, row)
        parents = tuple(int(which[index]) for index in chosen)
        return self._candidate("birth", parents, _joined(structure, components), entropy)

    # --- from sums to models ----------------------------------------------------------------------------------
    def _candidate(
        self, kind: str, components: tuple[int, ...], stats: Statistics, entropy: float = 0.0
    ) -> Candidate:
        """A move to these sums, at which the entropy of the responsibilities changes by so much."""
        stats = self._arranged(stats)
        try:
            model = self.model.maximize(stats)
        except (DegenerateComponentError, InvalidDataError, np.linalg.LinAlgError):
            return Candidate(kind, components, -np.inf, lambda: self.model.maximize(stats))
        promise = self._bound(model, stats) - self._now + entropy
        return Candidate(kind, components, promise, lambda: model)

    def _bound(self, model: LatentMixture, stats: Statistics) -> float:
        """What of the bound depends on parameters and sums."""
        return _bound(model.components, stats.parts["components"]) + _bound(
            model.structure, stats.parts["structure"]
        )

    def _arranged(self, stats: Statistics) -> Statistics:
        """Sums with the largest component first, where the order has a meaning; else the same object."""
        if getattr(self.structure, "exchangeable", True):
            return stats
        order = np.argsort(-counts(stats), kind="stable")
        return stats if (order == np.arange(self.size)).all() else stats.take(order)


def _bound(law: Any, stats: Statistics) -> float:
    """<S, theta> - KL."""
    return float(law.expected_log_prob(stats) - hooks.penalty(law))


def _joined(structure: Statistics, components: Statistics) -> Statistics:
    return Statistics(parts={"structure": structure, "components": components})
