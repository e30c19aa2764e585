"""Components joined to a structure: the model that the driver learns.

`summarize` is the whole pass of the library; everything else delegates to the two parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from mixtura.components import hooks
from mixtura.exceptions import InvalidDataError
from mixtura.kernels import fused
from mixtura.protocols import Array, Batch, Component, Encoding, Inference, Memory, Structure
from mixtura.statistics import Statistics

__all__ = ["LatentMixture"]


@dataclass(frozen=True)
class LatentMixture:
    """A latent-variable model with K discrete states.

    Parameters
    ----------
    components : Component
        Densities of the rows given the state.
    structure : Structure
        Law of the states.
    encoding : Encoding
        How rows became numbers.

    Examples
    --------
    >>> from mixtura.components import Gaussian
    >>> from mixtura.structures import Independent
    >>> model = LatentMixture(
    ...     Gaussian(np.array([[0.0], [2.0]]), np.ones((2, 1, 1))), Independent(np.zeros(2)), Encoding(1)
    ... )
    >>> model.summarize(Batch(np.array([[1.0]]), np.ones(1)), {}).parts["components"]["count"]
    array([0.5, 0.5])
    """

    components: Component
    structure: Structure
    encoding: Encoding

    @property
    def n_components(self) -> int:
        """K, number of states."""
        return self.structure.n_components

    @property
    def exact(self) -> bool:
        """Whether the step that made this model was an exact maximisation."""
        return self.components.exact and self.structure.exact

    @property
    def regularized(self) -> bool:
        """Whether the components add to their variances, which can lower the likelihood a little in every step."""
        return bool(getattr(self.components, "regularized", False))

    def penalty(self) -> float:
        """What the objective is less than the log evidence: of both parts (`protocols.Model`)."""
        return hooks.penalty(self.components) + hooks.penalty(self.structure)

    @property
    def point(self) -> Self:
        """The same without uncertainty of parameters: posterior means in the place of laws."""
        return replace(self, components=hooks.point(self.components), structure=hooks.point(self.structure))

    @property
    def predictive(self) -> Self:
        """A model that scores by the law of a new row given all rows seen."""
        return replace(
            self, components=hooks.predictive(self.components), structure=hooks.point(self.structure)
        )

    def draw(self, rng: np.random.Generator) -> Self:
        """A model whose parameters are drawn from their posterior laws; those without one stay as they are."""
        parts = (getattr(part, "draw", None) for part in (self.components, self.structure))
        drawn = [None if make is None else make(rng) for make in parts]
        return replace(
            self,
            components=self.components if drawn[0] is None else drawn[0],
            structure=self.structure if drawn[1] is None else drawn[1],
        )

    def n_parameters(self) -> int:
        """Free parameters of components and structure."""
        return self.components.n_parameters() + self.structure.n_parameters()

    def infer(self, batch: Batch, memory: Memory) -> Inference:
        """Log evidence of each unit and responsibilities of each row."""
        block = self.components.encode(batch.x, self.encoding)
        return self.structure.infer(restricted(self.components.log_prob(block), batch), batch, memory)

    def summarize(self, batch: Batch, memory: Memory) -> Statistics:
        """Expected statistics of a batch (docs/architecture.md, the straight line)."""
        plain = batch.allowed is None and batch.seen is None
        kernel = fused(self.components, self.structure, plain=plain)
        if kernel is not None:
            stats = kernel(self.components, self.structure, batch, memory, self.encoding)
            if stats is not None:
                return self._checked(stats, batch)
        block = self.components.encode(batch.x, self.encoding)
        scores = restricted(self.components.log_prob(block), batch)
        log_evidence, resp, structure = self.structure.infer(scores, batch, memory)
        inside = self.structure.weights_inside
        weight = np.ones(len(log_evidence)) if inside else batch.sample_weight
        steps = batch.sample_weight if getattr(self.structure, "sequential", False) else weight
        stats = Statistics(
            log_evidence=float(weighted_sum(log_evidence, weight)),
            weight=float(steps.sum()),
            parts={
                "structure": structure,
                "components": self.components.expected_statistics(block, observed(resp, batch)),
            },
            stamp=self.encoding.stamp,
        )
        return self._checked(stats, batch)

    def _checked(self, stats: Statistics, batch: Batch) -> Statistics:
        """Minus infinity passes (a start may find rows impossible; one M-step mends that), NaN and overflow do not."""
        if stats.log_evidence < np.inf:
            return stats
        evidence = self.infer(batch, {}).log_evidence
        bad = np.flatnonzero(~(evidence < np.inf))
        where = f"unit {bad[0]} of batch {batch.id}" if bad.size else f"batch {batch.id}"
        msg = (
            f"The log-likelihood of {where} is {stats.log_evidence}; expected a finite number. "
            "Look for extreme values, and scale the columns."
        )
        raise InvalidDataError(msg)

    def maximize(self, stats: Statistics) -> Self:
        """A new model from the sums."""
        return replace(
            self,
            components=self.components.maximize(stats.parts["components"]),
            structure=self.structure.maximize(stats.parts["structure"]),
        )

    def expected_log_prob(self, stats: Statistics) -> float:
        """Inner product of statistics and parameters of both parts."""
        return self.components.expected_log_prob(
            stats.parts["components"]
        ) + self.structure.expected_log_prob(stats.parts["structure"])

    def suspects(self, stats: Statistics) -> dict[int, str]:
        """Components on a handful of rows or with almost no variance."""
        return self.components.suspects(stats.parts["components"])

    def split(self, stats: Statistics, component: int) -> Statistics:
        """Statistics with one component split in two."""
        return Statistics(
            log_evidence=stats.log_evidence,
            weight=stats.weight,
            parts={
                "structure": self.structure.split(stats.parts["structure"], component),
                "components": self.components.split(stats.parts["components"], component),
            },
            stamp=stats.stamp,
        )

    def coordinates(self) -> Array:
        """All parameters as one vector of which every value is valid."""
        return np.concatenate([self.structure.coordinates(), self.components.coordinates()])

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`."""
        size = len(self.structure.coordinates())
        return replace(
            self,
            structure=self.structure.from_coordinates(vector[:size]),
            components=self.components.from_coordinates(vector[size:]),
        )

    def take(self, components: Sequence[int] | Array) -> Self:
        """The model restricted to some components."""
        return replace(
            self, components=self.components.take(components), structure=self.structure.take(components)
        )


def restricted(scores: Array, batch: Batch) -> Array:
    """Scores (K, B) in which rows not seen say nothing and states that a row may not have are impossible; overwritten."""
    if batch.seen is not None:
        scores[:, ~batch.seen] = 0.0
    if batch.allowed is not None:
        scores[~batch.allowed] = -np.inf
    return scores


def observed(resp: Array, batch: Batch) -> Array:
    """Responsibilities (K, B) with which rows count for the components: those not seen do not."""
    return resp if batch.seen is None else resp * batch.seen


def weighted_sum(values: Array, weight: Array) -> float:
    """sum w v in which rows of weight zero count nothing even where v is infinite."""
    return (
        float(np.dot(values, weight))
        if np.isfinite(values).all()
        else float(np.sum(values[weight > 0] * weight[weight > 0]))
    )
