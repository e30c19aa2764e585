r"""Independent rows: :math:`z_n \sim \mathrm{Categorical}(\pi)`.

The bound :math:`\sum_n \sum_k r_{nk} \log\pi_k` with a Lagrange multiplier for :math:`\sum_k\pi_k = 1` gives
:math:`\pi_k = N_k / N`.

References
----------
.. [1] C. M. Bishop (2006), Pattern Recognition and Machine Learning, equation 9.26.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np

from mixtura.kernels.softmax import responsibilities
from mixtura.protocols import Array, Batch, Inference, Memory
from mixtura.statistics import Statistics

__all__ = ["Independent"]


class Independent:
    """Mixture weights, the same for every row.

    Parameters
    ----------
    log_weights : ndarray, shape (K,)
        Logarithms of the weights; normalised here.

    Examples
    --------
    >>> Independent(np.log([1.0, 3.0])).weights
    array([0.25, 0.75])
    """

    exact = True
    weights_inside = False

    def __init__(self, log_weights: Array) -> None:
        log_weights = np.asarray(log_weights, dtype=np.float64)
        largest = log_weights.max()
        self.log_weights = log_weights - (largest + np.log(np.exp(log_weights - largest).sum()))

    def __repr__(self) -> str:
        return f"Independent(K={self.n_components})"

    @property
    def weights(self) -> Array:
        """Mixture weights, shape (K,), summing to one."""
        return np.asarray(np.exp(self.log_weights))

    @property
    def n_components(self) -> int:
        """K, number of components."""
        return len(self.log_weights)

    def n_parameters(self) -> int:
        """K - 1."""
        return self.n_components - 1

    def infer(self, scores: Array, batch: Batch, memory: Memory) -> Inference:
        """Responsibilities of every row; scores are overwritten."""
        log_evidence, resp = responsibilities(scores, self.log_weights, batch.sample_weight)
        return Inference(log_evidence, resp, Statistics({"count": resp.sum(axis=1, dtype=np.float64)}))

    def maximize(self, stats: Statistics) -> Self:
        """Weights proportional to the counts; a count of zero gives weight zero."""
        with np.errstate(divide="ignore"):
            return type(self)(np.log(stats["count"]))

    def expected_log_prob(self, stats: Statistics) -> float:
        """sum_k N_k log pi_k, with 0 log 0 = 0."""
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
        return type(self)(vector)

    def take(self, components: Sequence[int] | Array) -> Self:
        """Some of the weights, normalised again."""
        return type(self)(self.log_weights[np.asarray(components, dtype=np.intp)])
