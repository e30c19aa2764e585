r"""Every component split in two at once, its rows staying among its own halves: what a birth would gain, for all of them in one run.

Given the responsibilities :math:`r_{nl}` of a fit, halves :math:`c\in\{1,2\}` of each component l share its rows,

.. math:: \sum_l\sum_n r_{nl}\log\sum_c w_{lc}\,e^{E\log p(x_n\mid l,c)} - \mathrm{KL}(q\Vert p),

which is the objective of an ordinary model, so that the driver raises it. At its end :math:`r_{nl}\,s_{nlc}`, with the halves'
shares s, are responsibilities of the larger mixture; the bound after the birth of one of them follows from sums, without another
pass, and a fit from there does not fall below it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import xlogy

from mixtura.protocols import Array, Batch, Memory
from mixtura.statistics import Statistics
from mixtura.structures import Independent, LatentMixture

__all__ = ["Divided"]

_SHARED = frozenset({"entropy"})


@dataclass(frozen=True)
class Divided(LatentMixture):
    """Halves of components: those numbered l and L + l share the rows of the l-th.

    Parameters
    ----------
    components : Component
        2 L halves.
    structure : Independent
        Their weights, of which only ratios within pairs matter.
    encoding : Encoding
        That of the whole.
    whole : LatentMixture
        Whose responsibilities are shared out; it stays as it is.
    which : ndarray of int, shape (L,)
        The components that are split.
    memory : mapping of int to dict
        What units remembered at the end of the whole's fit, by batch.
    """

    whole: LatentMixture
    which: Array
    memory: Mapping[int, Memory]

    @classmethod
    def start(
        cls, whole: LatentMixture, stats: Statistics, which: Array, memory: Mapping[int, Memory]
    ) -> Divided:
        """Halves along each component's main axis, from the whole's sums."""
        sums = stats.parts["components"]
        size = whole.n_components
        for component in which:
            sums = whole.components.split(sums, int(component))
        halves = sums.take([*which, *range(size, size + len(which))])
        structure = Independent(np.zeros(2 * len(which)))
        return cls(whole.components.maximize(halves), structure, whole.encoding, whole, which, memory)

    def summarize(self, batch: Batch, memory: Memory) -> Statistics:
        """Sums of the halves, and ``entropy``, shape (L,): how uncertain the sharing out leaves the rows of each component."""
        known = dict(self.memory.get(batch.id, {}))
        owned = self.whole.infer(batch, known).resp[self.which]
        block = self.components.encode(batch.x, self.encoding)
        weights = self.structure.log_weights.reshape(2, -1)  # type: ignore[attr-defined]
        weights = weights - np.logaddexp(*weights)
        scores = self.components.log_prob(block).reshape(2, len(owned), -1) + weights[:, :, None]
        evidence = np.logaddexp(*scores)
        possible = np.isfinite(evidence)
        share = np.where(possible, np.exp(scores - np.where(possible, evidence, 0.0)), 0.5)
        resp = (share * owned).reshape(len(scores[0]) * 2, -1)
        entropy = -np.sum(owned * xlogy(share, share).sum(axis=0), axis=1)
        structure = Statistics({"count": resp.sum(axis=1), "entropy": entropy}, shared=_SHARED)
        return Statistics(
            log_evidence=float(np.sum(np.where(owned > 0, evidence, 0.0) * owned)),
            weight=float(owned.sum()),
            parts={"structure": structure, "components": self.components.expected_statistics(block, resp)},
            stamp=self.encoding.stamp,
        )
