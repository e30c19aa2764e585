r"""Hidden Markov chains: the state of a row depends on that of the row before it.

.. math:: p(z_1, \dots, z_T) = \pi_{z_1}\prod_{t=2}^T A_{z_{t-1} z_t}

A unit is a sequence. Rows are scored by the components, messages (:mod:`mixtura.structures.messages`) give smoothed probabilities and
expected moves, and the M-step divides the moves by their rows' sums ([1]_, equations 13.18 and 13.19). A move of probability zero is
never made, so zeros stay zeros: left-right and banded chains are chains that start so.

Every structure in time, this one first, also answers the questions of :class:`mixtura.structures.sequential.Sequential`:
``posterior``, ``filtered``, ``predicted``, ``viterbi``, ``draw_states``, ``sample_states``, ``advance``, ``marginal`` and ``forecast``.

References
----------
.. [1] C. M. Bishop (2006), Pattern Recognition and Machine Learning, section 13.2.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from mixtura.exceptions import InvalidParameterError
from mixtura.priors import ChainPrior, DirichletPrior
from mixtura.protocols import Array, Batch, Inference, Memory
from mixtura.statistics import Statistics
from mixtura.structures.grouped import offsets_of
from mixtura.structures.messages import smooth
from mixtura.structures.moves import FreeMoves, MoveLaw, alike, still_possible
from mixtura.structures.sequential import ChainPaths
from mixtura.structures.starts import FreeStart, StartLaw, stationary

__all__ = ["Markov", "stationary"]

# Logarithms of probabilities are not taken further down.
_LOWEST = -700.0

_PAIRED = frozenset({"transition_counts"})


class Markov(ChainPaths):
    """A hidden Markov chain with K states.

    Parameters
    ----------
    initial : ndarray, shape (K,)
        Probabilities of the first state.
    transition : ndarray, shape (K, K)
        transition[i, j] is the probability of state j after state i; rows sum to one.
    start : StartLaw, default FreeStart()
        How the initial probabilities are learnt: freely, not at all, or as the chain's stationary law.
    moves : MoveLaw, default FreeMoves()
        How the transition matrix is learnt.
    checkpoint : bool, default False
        Whether a pass over T rows keeps messages at a few of them only and makes the others again, in memory of the order of
        sqrt(T) K in the place of T K; rows are scored twice.

    Examples
    --------
    >>> chain = Markov(np.array([1.0, 0.0]), np.array([[0.9, 0.1], [0.0, 1.0]]))
    >>> found = chain.infer(
    ...     np.log([[0.5, 0.5, 0.1], [0.1, 0.1, 0.5]]), Batch(None, np.ones(3), np.array([0, 3])), {}
    ... )
    >>> found.resp.round(2)
    array([[1.  , 0.93, 0.6 ],
           [0.  , 0.07, 0.4 ]])
    """

    weights_inside = True
    sequential = True

    def __init__(
        self,
        initial: Array,
        transition: Array,
        *,
        start: StartLaw | None = None,
        moves: MoveLaw | None = None,
        checkpoint: bool = False,
    ) -> None:
        self.start = FreeStart() if start is None else start
        self.moves = FreeMoves() if moves is None else moves
        self.checkpoint = checkpoint
        admitted = self.moves.admitted(np.asarray(transition, dtype=np.float64))
        self.transition = np.ascontiguousarray(admitted, dtype=np.float64)
        self.initial = self.start.follow(np.asarray(initial, dtype=np.float64), self.transition)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(K={self.n_components})"

    @property
    def exact(self) -> bool:
        """Whether the M-step is an exact maximum."""
        return self.start.exact(self.moves)

    @property
    def exchangeable(self) -> bool:
        """Whether states have no order: what is possible, known and tied is the same for all."""
        known = self.initial if not self.start.learnt and self.start.conjugate else self.initial > 0
        return self.moves.exchangeable and alike(self.transition > 0) and alike(known)

    @property
    def n_components(self) -> int:
        """K, number of states."""
        return len(self.initial)

    @property
    def weights(self) -> Array:
        """The chain's long-run shares of the states, shape (K,)."""
        return stationary(self.transition, self.initial)

    @property
    def dwell_times(self) -> Array:
        """Expected number of rows of a stay in each state, shape (K,); infinite where it is never left."""
        return expected_stays(self.transition)

    @property
    def scored(self) -> tuple[Array, Array]:
        """What paths are weighed with: initial and transition probabilities."""
        return self.initial, self.transition

    def moves_of(self, covariates: Array | None, /) -> Array:
        """The transition matrix, whatever the covariates are."""
        return self.scored[1]

    def starts_of(self, covariates: Array | None, /) -> Array:
        """The initial probabilities, whatever the covariates are."""
        return self.scored[0]

    def n_parameters(self) -> int:
        """Free initial probabilities and moves."""
        return self.start.n_parameters(self.initial) + self.moves.n_parameters(self.transition)

    def variational(self, prior: Any, counts: Array, *, learn: bool = False) -> Markov:
        """The same chain with posterior laws of its probabilities, around these.

        Parameters
        ----------
        prior : ChainPrior, DirichletPrior, or None
            Pseudo-counts; None are 1 / K of each.
        counts : ndarray, shape (K,)
            Rows of each state: as many pseudo-counts as their mean hold each simplex at the chain's probabilities.
        learn : bool, default False
            Whether the pseudo-counts of moves are learnt.
        """
        from mixtura.structures.dirichlet_markov import DirichletMarkov

        initial, moves = pseudo_counts(prior, self.n_components, 1.0 / self.n_components)
        return DirichletMarkov(self, initial, moves, size=float(np.mean(counts)), learn=learn)

    def penalized(self, prior: Any) -> Markov:
        """The same chain, on its way to the mode of the posterior density of its probabilities.

        Parameters
        ----------
        prior : ChainPrior, DirichletPrior, or None
            Pseudo-counts, at least 1; None are 1, which changes nothing.
        """
        from mixtura.structures.dirichlet_markov import DirichletMarkovMode

        return DirichletMarkovMode(self, *pseudo_counts(prior, self.n_components, 1.0))

    def infer(self, scores: Array, batch: Batch, memory: Memory) -> Inference:
        """Smoothed probabilities of the states of all sequences of a batch."""
        offsets = offsets_of(batch, scores.shape[1])
        found = smooth(scores, *self.scored, offsets, batch.sample_weight)
        unit = batch.sample_weight[offsets[:-1]]
        resp = found.resp.T
        begun = resp[:, offsets[:-1]].sum(axis=1)
        evidence = np.where(unit > 0, found.log_evidence, 0.0) * unit
        return Inference(evidence, resp, self.gathered(resp.sum(axis=1), begun, found.pairs))

    def gathered(self, count: Array, begun: Array, moved: Array) -> Statistics:
        """Sums from expected rows (K,), first rows (K,) and moves (K, K)."""
        sums = {"count": count, "initial": begun, "transition_counts": moved}
        return Statistics(sums, paired=_PAIRED)

    def maximize(self, stats: Statistics) -> Self:
        """Initial probabilities and moves in the proportions expected."""
        current = self.initial, self.transition
        return self.replace(
            *self.start.maximize(stats["initial"], stats["transition_counts"], self.moves, current)
        )

    def replace(self, initial: Array, transition: Array) -> Self:
        """The same laws with other probabilities; what is possible stays so, however small its count (and is counted as a parameter)."""
        new = copy.copy(self)
        new.initial = still_possible(np.asarray(initial, dtype=np.float64), self.initial)
        new.transition = np.ascontiguousarray(
            still_possible(np.asarray(transition, dtype=np.float64), self.transition)
        )
        return new

    def expected_log_prob(self, stats: Statistics) -> float:
        """Inner product of counts and log probabilities, with 0 log 0 = 0."""
        initial, transition = self.scored
        with np.errstate(divide="ignore"):
            parts = ((stats["initial"], np.log(initial)), (stats["transition_counts"], np.log(transition)))
        return float(sum(np.sum(np.where(count == 0, 0.0, log) * count) for count, log in parts))

    def split(self, stats: Statistics, component: int) -> Statistics:
        """Halve a state in two that come and go alike."""
        halves = stats.take([*range(self.n_components), component])
        for index in (component, -1):
            halves["count"][index] *= 0.5
            halves["initial"][index] *= 0.5
            halves["transition_counts"][index] *= 0.5
            halves["transition_counts"][:, index] *= 0.5
        return halves

    def coordinates(self) -> Array:
        """Log probabilities, those of the first state where they are learnt; those of zero stay out."""
        return np.maximum(
            np.log(np.concatenate([self._firsts(), self.transition[self.transition > 0]])), _LOWEST
        )

    def _firsts(self) -> Array:
        """Initial probabilities that are learnt and possible."""
        return self.initial[self.initial > 0] if self.start.learnt else np.empty(0)

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`; any vector gives the probabilities that it would as logarithms of counts."""
        size = len(self._firsts())
        initial = shares_from_logs(self.initial, vector[:size]) if size else self.initial
        count = np.zeros(self.transition.shape)
        count[self.transition > 0] = np.exp(np.maximum(vector[size:] - vector[size:].max(), _LOWEST))
        transition = self.moves.maximize(count, self.transition)
        return self.replace(self.start.follow(initial, transition), transition)

    def take(self, components: Sequence[int] | Array) -> Markov:
        """Some of the states; probabilities of what is left sum to one again."""
        index = np.asarray(components, dtype=np.intp)
        return Markov(
            _renormalised(self.initial[None, index])[0],
            _renormalised(self.transition[np.ix_(index, index)]),
            start=self.start.take(index),
            moves=self.moves.take(index),
            checkpoint=self.checkpoint,
        )


def refuse_laws(chain: Markov, setting: str, *starts: type) -> None:
    """Refuse what a setting would forget: laws of moves, and of starts but for those given and free ones.

    Raises
    ------
    InvalidParameterError
        Naming the law.
    """
    moves, start = type(chain.moves), type(chain.start)
    if moves is not FreeMoves or start not in (FreeStart, *starts):
        found = moves if moves is not FreeMoves else start
        allowed = "".join(f" or {one.__name__}" for one in starts)
        msg = (
            f"{setting} is asked for with {found.__name__}; expected FreeMoves and FreeStart{allowed}. Impossible moves may be zeros of "
            "the transition matrix."
        )
        raise InvalidParameterError(msg)


def shares_from_logs(initial: Array, logs: Array) -> Array:
    """Initial probabilities in the proportions of exp(logs); those that are zero stay so.

    Parameters
    ----------
    initial : ndarray, shape (K,)
        Says which states are possible.
    logs : ndarray
        Of these.

    Examples
    --------
    >>> shares_from_logs(np.array([0.5, 0.0, 0.5]), np.log([1.0, 3.0]))
    array([0.25, 0.  , 0.75])
    """
    shares = np.zeros(initial.shape)
    shares[initial > 0] = np.exp(np.maximum(logs - np.max(logs), _LOWEST))
    return np.asarray(shares / shares.sum())


def expected_stays(transition: Array) -> Array:
    """Expected number of rows for which each state of a chain lasts, shape (K,).

    Examples
    --------
    >>> expected_stays(np.array([[0.75, 0.25], [0.0, 1.0]]))
    array([ 4., inf])
    """
    leave = 1.0 - np.diagonal(transition)
    return np.where(leave > 0, 1.0 / np.where(leave > 0, leave, 1.0), np.inf)


def pseudo_counts(prior: Any, n_components: int, default: float) -> tuple[Array, Array]:
    """Those of first states (K,) and of moves (K, K) that a prior says, or one number for all."""
    if prior is None:
        prior = ChainPrior(default, default)
    elif isinstance(prior, DirichletPrior):
        prior = ChainPrior(prior.concentration, np.tile(prior.checked(n_components), (n_components, 1)))
    if not isinstance(prior, ChainPrior):
        msg = f"weights_prior is {prior!r}; expected a ChainPrior or DirichletPrior for a Markov chain, or None."
        raise InvalidParameterError(msg)
    return prior.checked(n_components)


def _renormalised(rows: Array) -> Array:
    """Rows over their sums; one of zeros becomes equal shares."""
    total = rows.sum(axis=1, keepdims=True)
    return np.where(total > 0, rows / np.where(total > 0, total, 1.0), 1.0 / rows.shape[1])
