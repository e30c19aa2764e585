"""Seeded bugs of the messages of hidden Markov chains: faults that were feared."""

import numpy as np

from contract.specimens_chains import INITIAL, MOVES, OFFSETS
from mixtura.structures import Markov, paths
from mutant_base import Mutant

ARGUMENTS = {"offsets": OFFSETS}


class NoWayBack(Markov):
    """Rows are shared out by their past alone."""

    def infer(self, scores, batch, memory):
        found = super().infer(scores, batch, memory)
        _, filtered = paths.filtered(scores, *self.scored, batch.unit_offsets)
        resp = filtered.T * batch.sample_weight
        found.statistics.sums["count"] = resp.sum(axis=1)
        return found._replace(resp=resp)


class IndependentPairs(Markov):
    """Moves are products of both rows' smoothed probabilities."""

    def infer(self, scores, batch, memory):
        found = super().infer(scores, batch, memory)
        _, smoothed = paths.posterior(scores, *self.scored, batch.unit_offsets)
        inside = np.ones(len(smoothed), dtype=bool)
        inside[batch.unit_offsets[:-1]] = False
        later = np.flatnonzero(inside)
        weighted = smoothed[later] * batch.sample_weight[later, None]
        found.statistics.sums["transition_counts"] = smoothed[later - 1].T @ weighted
        return found


class LastSumForgotten(Markov):
    """The evidence lacks the sum of the last row, which no row after it is scaled by."""

    def infer(self, scores, batch, memory):
        found = super().infer(scores, batch, memory)
        last = paths.filter_rows(scores, *self.scored, batch.unit_offsets).log_scale[
            batch.unit_offsets[1:] - 1
        ]
        return found._replace(
            log_evidence=found.log_evidence - last * batch.sample_weight[batch.unit_offsets[:-1]]
        )


CATALOGUE = {
    "filtered in the place of smoothed": Mutant(structure=NoWayBack(INITIAL, MOVES), arguments=ARGUMENTS),
    "pairs of independent rows": Mutant(structure=IndependentPairs(INITIAL, MOVES), arguments=ARGUMENTS),
    "evidence without the last row's sum": Mutant(
        structure=LastSumForgotten(INITIAL, MOVES), arguments=ARGUMENTS
    ),
}
