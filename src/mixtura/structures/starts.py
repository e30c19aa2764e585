"""Laws of a chain's first state, as objects: free, known, or stationary."""

from __future__ import annotations

from typing import Protocol, Self

import numpy as np

from mixtura.protocols import Array

__all__ = ["FreeStart", "KnownStart", "StartLaw", "StationaryStart"]


class StartLaw(Protocol):
    """How initial probabilities are learnt."""

    @property
    def exact(self) -> bool:
        """Whether the M-step of the whole chain stays an exact maximum."""
        ...

    @property
    def learnt(self) -> bool:
        """Whether the initial probabilities are parameters of their own."""
        ...

    @property
    def conjugate(self) -> bool:
        """Whether Dirichlet laws of the chain's parameters stay Dirichlet laws."""
        ...

    def n_parameters(self, initial: Array) -> int:
        """Free probabilities."""
        ...

    def maximize(self, count: Array, transition: Array, current: Array) -> Array:
        """Probabilities (K,) from expected counts of first states and the new transition matrix."""
        ...

    def take(self, components: Array) -> Self:
        """The law of some of the states."""
        ...


class FreeStart:
    """Probabilities in the proportions of the expected first states."""

    exact = True
    learnt = True
    conjugate = True

    def n_parameters(self, initial: Array) -> int:
        """Those that may be positive, less one."""
        return int(np.count_nonzero(initial)) - 1

    def maximize(self, count: Array, transition: Array, current: Array) -> Array:
        """Counts over their sum."""
        total = count.sum()
        return np.asarray(count / total) if total > 0 else current

    def take(self, components: Array) -> Self:
        """The same."""
        return self


class KnownStart(FreeStart):
    """Probabilities that are not learnt."""

    learnt = False

    def n_parameters(self, initial: Array) -> int:
        """None."""
        return 0

    def maximize(self, count: Array, transition: Array, current: Array) -> Array:
        """As they are."""
        return current


class StationaryStart(FreeStart):
    """The chain's own long-run shares: it has been running for ever.

    The M-step leaves the first states out of the transition matrix's estimate, so it is marked inexact.
    """

    exact = False
    learnt = False
    conjugate = False

    def n_parameters(self, initial: Array) -> int:
        """None: the transition matrix says it all."""
        return 0

    def maximize(self, count: Array, transition: Array, current: Array) -> Array:
        """Left eigenvector of the new matrix."""
        from mixtura.structures.markov import stationary

        return stationary(transition, current)
