"""What sums of single components do not know of their rows: how much of them others would take, and how sure rows are of pairs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy.special import xlogy

from mixtura.protocols import Array, Batch, Memory
from mixtura.statistics import Statistics
from mixtura.structures import LatentMixture

__all__ = ["TINY", "overlaps"]

#: Smallest probability that a row belongs to another component: differences from one know no smaller one.
TINY = float(np.finfo(np.float64).eps)

_NAMES = frozenset({"lost", "given", "entropy"})


def overlaps(
    model: LatentMixture, memory: Mapping[int, Memory], pairs: Sequence[tuple[int, int]], tiny: float = TINY
) -> Callable[[Batch, Memory], Statistics]:
    """What one pass collects, with r the probabilities of a row's components and w its weight.

    Parameters
    ----------
    model : LatentMixture
        Whose components they are.
    memory : mapping of int to dict
        What units remember, by batch; it stays as it is.
    pairs : sequence of (int, int)
        Pairs of components, P of them.
    tiny : float
        Least value of 1 - r.

    Returns
    -------
    callable
        From a batch to sums ``lost`` (K,), -sum w log(1 - r_k); ``given`` (K, K), sum w r_k r_j / (1 - r_k), what j takes where k is
        deleted; ``entropy`` (P,), sum w ((r_j + r_k) log(r_j + r_k) - r_j log r_j - r_k log r_k), what merging takes from the entropy.
    """
    first, second = np.array(pairs, dtype=np.intp).reshape(-1, 2).T

    def summarize(batch: Batch, _: Memory) -> Statistics:
        resp = model.infer(batch, dict(memory.get(batch.id, {}))).resp
        weight = np.asarray(resp.sum(axis=0), dtype=np.float64)
        share: Array = resp[:, weight > 0] / weight[weight > 0]
        weight = weight[weight > 0]
        rest = np.maximum(1.0 - share, tiny)
        own, both = xlogy(share, share), share[first] + share[second]
        return Statistics(
            {
                "lost": -(np.log(rest) @ weight),
                "given": (share * weight / rest) @ share.T,
                "entropy": (xlogy(both, both) - own[first] - own[second]) @ weight,
            },
            shared=_NAMES,
        )

    return summarize
