"""Seeded bugs of laws of states in time: faults that were feared."""

import copy

import numpy as np
from scipy.special import digamma

from contract.specimens_chains import (
    HAZARD,
    INITIAL,
    JUMPS,
    KNOWN,
    LOGIT,
    LOGITS,
    LOOPED,
    MOVES,
    OFFSETS,
    PSEUDO,
)
from mixtura.structures import (
    DirichletMarkov,
    DirichletMarkovMode,
    GroupedMarkov,
    InputOutputMarkov,
    Markov,
    SemiMarkov,
)
from mixtura.structures.durations import FreeDurations
from mixtura.structures.grouped_markov import _divergence, _expected_logs
from mixtura.structures.moves import KnownMoves
from mixtura.structures.starts import StationaryStart
from mutant_base import Mutant

ARGUMENTS = {"offsets": OFFSETS}


class NoBorders(Markov):
    """Sequences are joined: the last row of one moves to the first of the next."""

    def infer(self, scores, batch, memory):
        whole = copy.copy(batch)
        object.__setattr__(whole, "unit_offsets", np.array([0, scores.shape[1]]))
        found = super().infer(scores, whole, memory)
        shares = np.diff(batch.unit_offsets) / scores.shape[1]
        return found._replace(log_evidence=found.log_evidence.sum() * shares)


class Backwards(Markov):
    """Moves are counted from the later state to the earlier one."""

    def maximize(self, stats):
        turned = stats.copy()
        turned.sums["transition_counts"] = stats["transition_counts"].T
        return super().maximize(turned)


class MeanWeights(DirichletMarkov):
    """Paths are weighed with posterior means in the place of exponentials of expected logarithms."""

    def _set(self, concentration):
        super()._set(concentration)
        self.scores = self.initial, self.transition

    def expected_log_prob(self, stats):
        logs = digamma(self.concentration) - digamma(self.concentration.sum(axis=1, keepdims=True))
        return float(stats["initial"] @ logs[0] + (stats["transition_counts"] * logs[1:]).sum())


class PriorWhole(DirichletMarkovMode):
    """Counts plus the prior in the place of counts plus the prior less one."""

    def maximize(self, stats):
        more = copy.copy(self)
        more.prior_initial, more.prior_moves = self.prior_initial + 1.0, self.prior_moves + 1.0
        return DirichletMarkovMode.maximize(more, stats)

    def replace(self, initial, transition):
        new = super().replace(initial, transition)
        new.prior_initial, new.prior_moves = np.full(3, 2.0), np.full((3, 3), 1.5)
        return new


class KnownCounted(KnownMoves):
    """Moves whose probability is known count for the others of their row."""

    def pooled(self, table):
        free = np.isnan(self.known)
        known = np.where(free, 0.0, table).sum(axis=1, keepdims=True)
        return self.counted(table) + known * free / np.maximum(free.sum(axis=1, keepdims=True), 1)


class StartIgnored(StationaryStart):
    """The first states say nothing of the moves, and the step is called exact."""

    def maximize(self, first, count, moves, current):
        found = moves.maximize(count, current[1])
        return self.follow(current[0], found), found


class CovariatesOfTheRowLeft(InputOutputMarkov):
    """Moves depend on the covariates of the row that is left, but score and curvature take those of the row entered."""

    def moves_of(self, covariates):
        return super().moves_of(np.roll(covariates, 1, axis=1))


class WeightsForgotten(InputOutputMarkov):
    """The expected moves of a score lack the weights of their rows."""

    def infer(self, scores, batch, memory):
        found = super().infer(scores.copy(), batch, memory)
        plain = copy.copy(batch)
        object.__setattr__(plain, "sample_weight", np.ones(scores.shape[1]))
        found.statistics.sums["score"] = super().infer(scores, plain, {}).statistics["score"]
        return found


class LastSegmentEnded(SemiMarkov):
    """What is cut off by the end of a sequence counts as ended there."""

    def infer(self, scores, batch, memory):
        found = super().infer(scores, batch, memory)
        found.statistics.sums["exits"][:, 0] += len(batch.unit_offsets) - 1
        return found


class AgesShifted(SemiMarkov):
    """A state that goes on is counted at the age that it then has."""

    def maximize(self, stats):
        late = stats.copy()
        late.sums["stays"] = np.roll(stats["stays"], 1, axis=1)
        return super().maximize(late)


class DivergenceForgotten(GroupedMarkov):
    """The bound of a sequence lacks the divergence of its own moves from the population's."""

    def local(self, scores, offsets, moves):
        bound, smoothed, after = super().local(scores, offsets, moves)
        return (
            bound + _divergence(moves, self.pseudo_count, _expected_logs(moves, self._possible)),
            smoothed,
            after,
        )


class CountsOfTheNeighbour(GroupedMarkov):
    """Every sequence has the moves of the one before it."""

    def local(self, scores, offsets, moves):
        bound, smoothed, after = super().local(scores, offsets, moves)
        return bound, smoothed, np.roll(after, 1, axis=0)


CATALOGUE = {
    "sequences joined": Mutant(structure=NoBorders(INITIAL, MOVES), arguments=ARGUMENTS),
    "moves counted backwards": Mutant(structure=Backwards(INITIAL, MOVES), arguments=ARGUMENTS),
    "paths weighed with means": Mutant(
        structure=MeanWeights(Markov(INITIAL, MOVES), 0.5, 0.3, size=2.0), arguments=ARGUMENTS
    ),
    "the whole prior added at a mode": Mutant(
        structure=PriorWhole(Markov(INITIAL, MOVES), 2.0, 1.5), arguments=ARGUMENTS
    ),
    "known moves count for the others": Mutant(
        structure=Markov(INITIAL, MOVES, moves=KnownCounted(KNOWN)), arguments=ARGUMENTS
    ),
    "first states of a stationary chain ignored": Mutant(
        structure=Markov(INITIAL, MOVES, start=StartIgnored()), arguments=ARGUMENTS
    ),
    "covariates of the row that is left": Mutant(
        structure=CovariatesOfTheRowLeft(LOGITS, INITIAL), arguments=LOGIT
    ),
    "scores of moves without weights": Mutant(structure=WeightsForgotten(LOGITS, INITIAL), arguments=LOGIT),
    "a segment cut off counts as ended": Mutant(
        structure=LastSegmentEnded(JUMPS, FreeDurations(HAZARD)), arguments=ARGUMENTS
    ),
    "ages shifted": Mutant(structure=AgesShifted(JUMPS, FreeDurations(HAZARD)), arguments=ARGUMENTS),
    "moves of a sequence cost nothing": Mutant(
        structure=DivergenceForgotten(PSEUDO, INITIAL, **LOOPED), arguments=ARGUMENTS
    ),
    "moves of another sequence": Mutant(
        structure=CountsOfTheNeighbour(PSEUDO, INITIAL, **LOOPED), arguments=ARGUMENTS
    ),
}
