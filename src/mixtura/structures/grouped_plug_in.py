"""Weights per group without shrinkage: the limit s = 0 of `Grouped`, and the published household model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np

from mixtura.kernels.softmax import responsibilities
from mixtura.protocols import Array, Batch, Inference, Memory
from mixtura.statistics import Statistics
from mixtura.structures.grouped import offsets_of

__all__ = ["GroupedPlugIn"]


class GroupedPlugIn:
    """Weights per group without shrinkage, s = 0: each group's own average of responsibilities.

    The published form of the household model. A group that never showed a state gives it weight zero for ever.

    Parameters
    ----------
    log_weights : ndarray, shape (K,)
        Population weights, for groups not seen.

    Examples
    --------
    >>> GroupedPlugIn(np.log([0.5, 0.5])).weights
    array([0.5, 0.5])
    """

    exact = True
    weights_inside = True
    concentration = 0.0

    def __init__(self, log_weights: Array) -> None:
        self.log_weights = np.asarray(log_weights, dtype=np.float64)

    def __repr__(self) -> str:
        return f"GroupedPlugIn(K={self.n_components})"

    @property
    def weights(self) -> Array:
        """Population weights, shape (K,)."""
        return np.asarray(np.exp(self.log_weights))

    @property
    def n_components(self) -> int:
        """K, number of states."""
        return len(self.log_weights)

    def n_parameters(self) -> int:
        """K - 1 population weights; the groups' own weights grow with the data and are not counted."""
        return self.n_components - 1

    def group_weights(self, counts: Array) -> Array:
        """Weights of groups, shape (U, K), from what the memory holds."""
        return np.asarray(counts / counts.sum(axis=1, keepdims=True))

    def infer(self, scores: Array, batch: Batch, memory: Memory) -> Inference:
        """Responsibilities of rows under their group's weights; ``memory["counts"]`` carries the groups' counts."""
        offsets = offsets_of(batch, scores.shape[1])
        group = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
        counts = memory.get("counts")
        if counts is None or counts.shape != (len(offsets) - 1, self.n_components):
            counts = np.broadcast_to(self.weights, (len(offsets) - 1, self.n_components))
        with np.errstate(divide="ignore"):
            log_weights = np.log(self.group_weights(counts))
        log_evidence, resp = responsibilities(scores, log_weights[group].T, batch.sample_weight)
        fresh = np.add.reduceat(resp, offsets[:-1], axis=1).T
        memory["counts"] = np.where(fresh.sum(axis=1, keepdims=True) > 0, fresh, counts)
        rows = np.where(batch.sample_weight > 0, log_evidence, 0.0) * batch.sample_weight
        sums = {"count": resp.sum(axis=1)}
        return Inference(np.add.reduceat(rows, offsets[:-1]), resp, Statistics(sums))

    def maximize(self, stats: Statistics) -> Self:
        """Population weights are average responsibilities; the groups' own are in the memory already."""
        with np.errstate(divide="ignore"):
            return type(self)(np.log(stats["count"] / stats["count"].sum()))

    def expected_log_prob(self, stats: Statistics) -> float:
        """Inner product with the population weights."""
        count = stats["count"]
        return float(np.sum(np.where(count == 0, 0.0, self.log_weights) * count))

    def split(self, stats: Statistics, component: int) -> Statistics:
        """Half the count to each of two."""
        halves = stats.take([*range(self.n_components), component])
        halves["count"][[component, -1]] *= 0.5
        return halves

    def coordinates(self) -> Array:
        """Log weights."""
        return np.maximum(self.log_weights, -700.0)

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`; any vector is normalised."""
        weights = np.exp(vector - np.max(vector))
        return type(self)(np.log(weights / weights.sum()))

    def take(self, components: Sequence[int] | Array) -> Self:
        """Some of the states."""
        return self.from_coordinates(self.log_weights[np.asarray(components, dtype=np.intp)])
