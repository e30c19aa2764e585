r"""Hidden semi-Markov chains: how long a state lasts has a law of its own.

.. math:: p(k_1, d_1, k_2, d_2, \dots) = \pi_{k_1}p_{k_1}(d_1)\,A_{k_1 k_2}p_{k_2}(d_2)\cdots,

with the last segment cut off by the end of the sequence ([1]_, [2]_). The first one begins with the sequence (a stationary start is
that of segments). Moves, where a
segment ends, are those of a Markov chain (free, known, with a prior) that usually has no staying; durations are objects
(:mod:`mixtura.structures.durations`), and with geometric ones the whole is a Markov chain.

References
----------
.. [1] K. P. Murphy (2002), "Hidden semi-Markov models (HSMMs)", Massachusetts Institute of Technology.
.. [2] Y. Guédon (2003), "Estimating hidden semi-Markov chains from discrete sequences", Journal of Computational and Graphical
   Statistics 12(3), 604-639.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mixtura.components import hooks
from mixtura.exceptions import InvalidParameterError, did_you_mean
from mixtura.protocols import Array, Batch, Inference, Memory
from mixtura.statistics import Statistics
from mixtura.structures.durations import (
    DurationLaw,
    FreeDurations,
    GeometricDurations,
    NegativeBinomialDurations,
    PoissonDurations,
    expected_log_hazard,
)
from mixtura.structures.grouped import offsets_of
from mixtura.structures.markov import Markov
from mixtura.structures.semi_messages import SemiLaws, smooth_semi
from mixtura.structures.semi_paths import SemiPaths

__all__ = ["DurationChain", "SemiMarkov"]

_PAIRED = frozenset({"transition_counts"})
_LAWS: dict[str, Any] = {
    "free": FreeDurations,
    "geometric": GeometricDurations,
    "poisson": PoissonDurations,
    "negative_binomial": NegativeBinomialDurations,
}


class SemiMarkov(SemiPaths):
    """A hidden semi-Markov chain with K states.

    Parameters
    ----------
    chain : Markov
        Of segments: the law of the first state and of the next state where one ends.
    durations : DurationLaw
        How many rows a segment has.

    Examples
    --------
    >>> swap = Markov(np.array([1.0, 0.0]), np.array([[0.0, 1.0], [1.0, 0.0]]))
    >>> law = SemiMarkov(swap, FreeDurations.of(np.array([[0.0, 1.0], [1.0, 0.0]])))  # two rows, then one
    >>> law.sample_states(np.array([0, 9]), np.random.default_rng(1))
    array([0, 0, 1, 0, 0, 1, 0, 0, 1])
    """

    weights_inside = True
    sequential = True

    def __init__(self, chain: Markov, durations: DurationLaw) -> None:
        self.chain = chain
        self.durations = durations
        if len(durations.hazard) != chain.n_components:
            msg = f"Durations of {len(durations.hazard)} states are given for a chain of {chain.n_components}; expected one law for each."
            raise InvalidParameterError(msg)

    def __repr__(self) -> str:
        return f"SemiMarkov(K={self.n_components}, {self.durations!r})"

    @property
    def exact(self) -> bool:
        """Whether the M-step is an exact maximum."""
        return self.chain.exact

    @property
    def exchangeable(self) -> bool:
        """Whether states have no order: moves and durations that are possible are the same for all."""
        hazard = self.durations.hazard
        kinds = np.where(hazard > 0, 1, 0) + np.where(hazard < 1, 2, 0)
        return self.chain.exchangeable and bool((kinds == kinds[0]).all())

    @property
    def n_components(self) -> int:
        """K, number of states."""
        return self.chain.n_components

    @property
    def initial(self) -> Array:
        """Probabilities of the first state, (K,)."""
        return self.chain.initial

    @property
    def transition(self) -> Array:
        """Probabilities of the next state where one ends, (K, K)."""
        return self.chain.transition

    @property
    def laws(self) -> SemiLaws:
        """What paths are weighed with."""
        return SemiLaws(*self.chain.scored, self.durations.hazard)

    @property
    def weights(self) -> Array:
        """Long-run shares of the states in the rows, shape (K,): those in the segments times how long they last."""
        share = self.chain.weights * self.durations.means()
        return np.asarray(share / share.sum())

    @property
    def dwell_times(self) -> Array:
        """Expected numbers of rows of a stay in each state, shape (K,)."""
        return self.durations.means()

    @property
    def point(self) -> SemiMarkov:
        """Without uncertainty of the moves."""
        return SemiMarkov(hooks.point(self.chain), self.durations)

    def draw(self, rng: np.random.Generator) -> SemiMarkov:
        """With moves drawn from their posterior law, where they have one."""
        make = getattr(self.chain, "draw", None)
        return self if make is None else SemiMarkov(make(rng), self.durations)

    def penalty(self) -> float:
        """That of the moves."""
        return hooks.penalty(self.chain)

    def variational(self, prior: Any, counts: Array, *, learn: bool = False) -> SemiMarkov:
        """With posterior laws of the moves; durations are estimated."""
        return SemiMarkov(self.chain.variational(prior, counts, learn=learn), self.durations)

    def penalized(self, prior: Any) -> SemiMarkov:
        """With a prior density of the moves; durations have none."""
        return SemiMarkov(self.chain.penalized(prior), self.durations)

    def n_parameters(self) -> int:
        """Those of moves and durations."""
        return self.chain.n_parameters() + self.durations.n_parameters()

    def infer(self, scores: Array, batch: Batch, memory: Memory) -> Inference:
        """Smoothed probabilities of the states of all sequences of a batch."""
        offsets = offsets_of(batch, scores.shape[1])
        found = smooth_semi(scores, self.laws, offsets, batch.sample_weight)
        resp = found.smoothed.T * batch.sample_weight
        sums = {
            "count": resp.sum(axis=1),
            "initial": resp[:, offsets[:-1]].sum(axis=1),
            "transition_counts": found.pairs,
            "exits": found.exits,
            "stays": found.stays,
        }
        unit = batch.sample_weight[offsets[:-1]]
        evidence = np.where(unit > 0, found.log_evidence, 0.0) * unit
        return Inference(evidence, resp, Statistics(sums, paired=_PAIRED))

    def maximize(self, stats: Statistics) -> Self:
        """Moves in the proportions expected, and the durations' own step."""
        return self.replace(
            self.chain.maximize(stats), self.durations.maximize(stats["exits"], stats["stays"])
        )

    def replace(self, chain: Markov, durations: DurationLaw) -> Self:
        """Other moves and durations."""
        new = copy.copy(self)
        new.chain, new.durations = chain, durations
        return new

    def expected_log_prob(self, stats: Statistics) -> float:
        """Inner products of counts and log probabilities."""
        own = expected_log_hazard(self.durations, stats["exits"], stats["stays"])
        return self.chain.expected_log_prob(stats) + own

    def split(self, stats: Statistics, component: int) -> Statistics:
        """Halve a state in two that come and go alike."""
        halves = self.chain.split(stats, component)
        for name in ("exits", "stays"):
            halves[name][[component, -1]] *= 0.5
        return halves

    def coordinates(self) -> Array:
        """Those of moves, then those of durations."""
        return np.concatenate([self.chain.coordinates(), self.durations.coordinates()])

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`."""
        size = len(self.chain.coordinates())
        return self.replace(
            self.chain.from_coordinates(vector[:size]), self.durations.from_coordinates(vector[size:])
        )

    def take(self, components: Sequence[int] | Array) -> Self:
        """Some of the states."""
        return self.replace(self.chain.take(components), self.durations.take(components))


@dataclass(frozen=True)
class DurationChain:
    """Setting of a hidden Markov model: durations have a law of their own.

    Parameters
    ----------
    law : {"free", "geometric", "poisson", "negative_binomial"}, default "free"
        Of the durations of every state (:mod:`mixtura.structures.durations`).
    n_ages : int, default 30
        D: ages with a hazard of their own; from there on it stays.

    Examples
    --------
    >>> chain = Markov(np.array([0.5, 0.5]), np.array([[0.9, 0.1], [0.2, 0.8]]))
    >>> structure = DurationChain(n_ages=8)(chain, 0)
    >>> structure, structure.durations.means()
    (SemiMarkov(K=2, FreeDurations(K=2, ages=8)), array([10.,  5.]))
    """

    law: str = "free"
    n_ages: int = 30

    def __post_init__(self) -> None:
        if self.law not in _LAWS:
            msg = f"DurationChain: law is {self.law!r}. {did_you_mean(str(self.law), _LAWS)}"
            raise InvalidParameterError(msg)
        if isinstance(self.n_ages, bool) or not isinstance(self.n_ages, int | np.integer) or self.n_ages < 1:
            msg = f"DurationChain: n_ages is {self.n_ages!r}; expected a whole number of at least 1."
            raise InvalidParameterError(msg)

    def __call__(self, chain: Markov, n_covariates: int = 0) -> SemiMarkov:
        """The structure that begins as `chain`; where a state is never left, it follows itself."""
        staying = np.diagonal(chain.transition)
        moves = chain.transition * (1.0 - np.eye(chain.n_components))
        left = moves.sum(axis=1)
        closed = left <= 0.0
        moves[closed, closed] = 1.0
        left[closed] = 1.0
        means = np.where(closed, float(self.n_ages), 1.0 / np.maximum(1.0 - staying, 1e-6))
        jumps = Markov(chain.initial, moves / left[:, None], start=chain.start, moves=chain.moves)
        return SemiMarkov(jumps, _LAWS[self.law].from_means(means, self.n_ages))
