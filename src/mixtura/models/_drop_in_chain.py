"""Chains as hmmlearn learns them: Dirichlet priors of any size, and parts that are not learnt."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from mixtura.exceptions import InvalidParameterError
from mixtura.protocols import Array
from mixtura.statistics import Statistics
from mixtura.structures import Markov
from mixtura.structures.dirichlet_markov import DirichletMarkovMode
from mixtura.structures.moves import FreeMoves
from mixtura.structures.starts import FreeStart, KnownStart

__all__ = ["broadcast", "learner"]


class _HeldMoves(FreeMoves):
    """No move is learnt."""

    def n_parameters(self, transition: Array) -> int:
        """None."""
        return 0

    def maximize(self, count: Array, current: Array) -> Array:
        """As they are."""
        return current

    def counted(self, table: Array) -> Array:
        """Nothing counts."""
        return np.zeros_like(table)


class _Clipped(Markov):
    """A chain with pseudo-counts of which some are below 1: sums that turn negative are taken for zero.

    The density has no mode then, so steps are marked inexact, and the objective is the likelihood.
    """

    more_initial: Array
    more_moves: Array

    @property
    def exact(self) -> bool:
        """Never."""
        return False

    def maximize(self, stats: Statistics) -> Self:
        """Counts and pseudo-counts less one, clipped; what is impossible stays so."""
        more = {
            "initial": (self.initial, self.more_initial),
            "transition_counts": (self.transition, self.more_moves),
        }
        sums = dict(stats.sums)
        for name, (now, added) in more.items():
            sums[name] = np.where(now > 0, np.maximum(sums[name] + added, 0.0), 0.0)
        return super().maximize(Statistics(sums, paired=stats.paired))


def learner(initial: Array, transition: Array, priors: tuple[Any, Any], learnt: tuple[bool, bool]) -> Markov:
    """The chain that a fit begins with.

    Parameters
    ----------
    initial : ndarray, shape (K,)
        Probabilities of the first state; those of zero stay.
    transition : ndarray, shape (K, K)
        Probabilities of moves; those of zero stay.
    priors : pair of array_like
        Pseudo-counts of first states and of moves, of any shape that goes with theirs; 1 is no prior.
    learnt : pair of bool
        Whether first states, and whether moves, are learnt.
    """
    size = len(initial)
    first = broadcast("startprob_prior", priors[0], (size,)) if learnt[0] else np.ones(size)
    moves = broadcast("transmat_prior", priors[1], (size, size)) if learnt[1] else np.ones((size, size))
    chain = Markov(
        initial,
        transition,
        start=FreeStart() if learnt[0] else KnownStart(),
        moves=FreeMoves() if learnt[1] else _HeldMoves(),
    )
    if (first == 1.0).all() and (moves == 1.0).all():
        return chain
    if (first >= 1.0).all() and (moves >= 1.0).all():
        return DirichletMarkovMode(chain, first, moves)
    clipped = _Clipped(initial, transition, start=chain.start, moves=chain.moves)
    clipped.more_initial, clipped.more_moves = first - 1.0, moves - 1.0
    return clipped


def broadcast(name: str, value: Any, shape: tuple[int, ...]) -> Array:
    """A setting as a table of finite numbers.

    Raises
    ------
    InvalidParameterError
        Naming the setting, what was found and what goes with it.
    """
    given = np.asarray(value, dtype=np.float64)
    if not np.isfinite(given).all():
        at = tuple(int(i) for i in np.argwhere(~np.isfinite(given))[0])
        msg = f"{name}{list(at) if at else ''} is {given[at]}; expected finite numbers."
        raise InvalidParameterError(msg)
    try:
        return np.broadcast_to(given, shape).copy()
    except ValueError:
        msg = f"{name} has shape {given.shape}; expected a number, or a table that goes with shape {shape}."
        raise InvalidParameterError(msg) from None
