"""What is to be learned, in one value: rows, components, structure, and how to start and to update."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
import scipy.sparse as sp

from mixtura.data import block_rows, make_source
from mixtura.inference import initialize
from mixtura.inference.moves import Moves
from mixtura.protocols import Array, Component, Encoding, Source, Update
from mixtura.structures import LatentMixture

__all__ = ["Nested", "Problem"]

# Kernels block sparse rows inside; a batch only has to be large enough to make its own cost negligible.
_SPARSE_ROWS = 8192


class Nested(NamedTuple):
    """A special case of a problem, from whose fit the problem is started, too.

    Parameters
    ----------
    problem : Problem
        The same rows under components with fewer parameters.
    widen : callable
        Makes a model of the problem with the same densities from one of the special case.
    """

    problem: Problem
    widen: Callable[[LatentMixture], LatentMixture]


@dataclass(frozen=True)
class Problem:
    """What is to be learned.

    Parameters
    ----------
    x : ndarray (N, D) or csr_matrix (N, C)
        The table.
    sample_weight : ndarray, shape (N,), or None
        Weights.
    encoding : Encoding
        How rows become numbers.
    components : Component
        Blank or not: only settings matter.
    structure : callable
        Makes a structure from counts (K,).
    embed : callable
        ``embed(rows, weight)`` returns the matrices in which partitions are looked for, best first.
    update : callable
        ``update(n_components)`` returns the update rule.
    n_components : int
        K.
    unit_offsets : ndarray, optional
        Where units begin.
    screen : Problem, optional
        The same rows under a simpler structure, in which starts are looked for. None looks for them in this one.
    nested : tuple of Nested, default ()
        Special cases, each fitted as if it were alone; their fits are starts that no result falls below.
    covariates : ndarray, shape (N, Q), optional
        What the law of the states may depend on.
    allowed : ndarray of bool, shape (N, K), optional
        States that every row may have; None: all.
    seen : ndarray of bool, shape (N,), optional
        Rows that were observed; None: all.
    order : ndarray of int, shape (N,), optional
        Place of every row in what the user gave, where rows of a unit were brought together; None: as they were given.
    moves : Moves, optional
        What is tried after the best start, where parameters have posterior laws. None: nothing.
    """

    #: Short runs whose objectives per unit are no more apart, relative to their size, have found the same.
    apart: ClassVar[float] = 1e-7

    x: Any
    sample_weight: Array | None
    encoding: Encoding
    components: Component
    structure: initialize.StructureMaker
    embed: Callable[[Any, Array], Sequence[Any]]
    update: Callable[[int], Update]
    n_components: int
    unit_offsets: Array | None = None
    screen: Problem | None = None
    nested: tuple[Nested, ...] = ()
    covariates: Array | None = None
    allowed: Array | None = None
    seen: Array | None = None
    moves: Moves | None = None
    order: Array | None = None

    def restricted(self, allowed: Array | None) -> Problem:
        """The same problem, with the states that every row may have, shape (N, K); None: all."""
        if allowed is self.allowed:
            return self
        screen = None if self.screen is None else self.screen.restricted(allowed)
        nested = tuple(one._replace(problem=one.problem.restricted(allowed)) for one in self.nested)
        return replace(self, allowed=allowed, screen=screen, nested=nested)

    def started(self, make: Callable[[], LatentMixture]) -> LatentMixture:
        """A start found in `screen`, under this problem's structure."""
        model = make()
        if self.screen is None:
            return model
        weights: Array = model.structure.coordinates()
        return replace(model, structure=self.structure(np.exp(weights - weights.max())))

    def begun(self, resp: Array, source: Source) -> LatentMixture:
        """The model that responsibilities (N, K) of the rows of its source make: one M-step."""
        return initialize.from_responsibilities(resp, source, self.components, self.structure, self.encoding)

    def source(self) -> Source:
        """All rows, in blocks that fit the cache."""
        if sp.issparse(self.x):
            rows = _SPARSE_ROWS
        else:
            rows = block_rows(self.components.n_statistics(self.encoding.n_features), self.n_components)
        return make_source(
            self.x,
            self.encoding,
            self.sample_weight,
            self.unit_offsets,
            rows,
            self.covariates,
            self.allowed,
            self.seen,
        )

    def sample(self, size: int, rng: np.random.Generator) -> Problem:
        """The same problem on at most `size` random rows of positive weight."""
        n_rows = self.x.shape[0]
        positive = None if self.sample_weight is None else np.flatnonzero(self.sample_weight > 0)
        n_usable = n_rows if positive is None else positive.size
        if n_usable <= size:
            return self
        chosen = np.sort(rng.choice(n_usable, size=min(size, n_usable), replace=False))
        rows = chosen if positive is None else positive[chosen]
        weight, covariates, allowed, seen = (
            None if table is None else table[rows]
            for table in (self.sample_weight, self.covariates, self.allowed, self.seen)
        )
        return replace(
            self, x=self.x[rows], sample_weight=weight, covariates=covariates, allowed=allowed, seen=seen
        )
