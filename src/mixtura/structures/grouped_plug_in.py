"""Weights per group without shrinkage: the limit s = 0 of `Grouped`, and the published household model."""

from __future__ import annotations

import numpy as np

from mixtura.kernels.softmax import responsibilities
from mixtura.protocols import Array, Batch, Inference, Memory
from mixtura.statistics import Statistics
from mixtura.structures.grouped import offsets_of
from mixtura.structures.independent import Independent

__all__ = ["GroupedPlugIn"]


class GroupedPlugIn(Independent):
    """Weights per group without shrinkage, s = 0: each group's own average of responsibilities.

    The published form of the household model. A group that never showed a state gives it weight zero for ever. The
    population's weights (for groups not seen) are all that crosses batches, as for `Independent`; the groups' own
    weights grow with the data, stay in the memory, and are not counted as parameters.

    Parameters
    ----------
    log_weights : ndarray, shape (K,)
        Population weights, for groups not seen.

    Examples
    --------
    >>> GroupedPlugIn(np.log([0.5, 0.5])).weights
    array([0.5, 0.5])
    """

    weights_inside = True
    concentration = 0.0

    def __repr__(self) -> str:
        return f"GroupedPlugIn(K={self.n_components})"

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
