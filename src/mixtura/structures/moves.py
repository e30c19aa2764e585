"""Laws of a chain's transition matrix, as objects: free, with known entries, or with rows in common."""

from __future__ import annotations

from typing import Protocol, Self

import numpy as np

from mixtura.exceptions import InvalidParameterError
from mixtura.protocols import Array

__all__ = ["FreeMoves", "KnownMoves", "MoveLaw", "SharedMoves"]


class MoveLaw(Protocol):
    """How a transition matrix is learnt."""

    @property
    def exact(self) -> bool:
        """Whether the M-step is an exact maximum."""
        ...

    def n_parameters(self, transition: Array) -> int:
        """Free probabilities."""
        ...

    def maximize(self, count: Array, current: Array) -> Array:
        """Probabilities (K, K) from expected counts of moves."""
        ...

    def take(self, components: Array) -> Self:
        """The law of some of the states."""
        ...


def _rows(count: Array, current: Array) -> Array:
    """Counts over their rows' sums; a state that is never left keeps its row."""
    total = count.sum(axis=1, keepdims=True)
    return np.where(total > 0, count / np.where(total > 0, total, 1.0), current)


class FreeMoves:
    """Every row in the proportions of the expected moves; zeros stay zeros."""

    exact = True

    def n_parameters(self, transition: Array) -> int:
        """Those that may be positive, less one in each row."""
        return int(np.count_nonzero(transition)) - len(transition)

    def maximize(self, count: Array, current: Array) -> Array:
        """Counts over their rows' sums."""
        return _rows(count, current)

    def take(self, components: Array) -> Self:
        """The same."""
        return self


class KnownMoves(FreeMoves):
    """Some entries are known, the others share what these leave of their row.

    Parameters
    ----------
    known : ndarray, shape (K, K)
        Probabilities; NaN where an entry is free.

    Examples
    --------
    >>> law = KnownMoves(np.array([[0.9, np.nan], [np.nan, np.nan]]))
    >>> law.maximize(np.array([[1.0, 5.0], [1.0, 3.0]]), np.full((2, 2), 0.5))
    array([[0.9 , 0.1 ],
           [0.25, 0.75]])
    """

    def __init__(self, known: Array) -> None:
        self.known = np.asarray(known, dtype=np.float64)
        fixed = np.where(np.isnan(self.known), 0.0, self.known)
        left, free = 1.0 - fixed.sum(axis=1), np.isnan(self.known).any(axis=1)
        bad = np.flatnonzero((fixed < 0).any(axis=1) | (left < -1e-12) | (~free & (np.abs(left) > 1e-9)))
        if bad.size:
            msg = (
                f"Known moves from state {bad[0]} are {self.known[bad[0]]}; expected probabilities of at least 0 that sum to at most "
                "1, or to 1 where none is free (NaN)."
            )
            raise InvalidParameterError(msg)

    def n_parameters(self, transition: Array) -> int:
        """Free entries that may be positive, less one in each row that has any."""
        free = np.isnan(self.known) & (transition > 0)
        return int(np.maximum(free.sum(axis=1) - 1, 0).sum())

    def maximize(self, count: Array, current: Array) -> Array:
        """Known entries, and the rest shared out by the counts."""
        free = np.isnan(self.known)
        fixed = np.where(free, 0.0, self.known)
        start = np.where(free, current, 0.0)
        start = start / np.maximum(start.sum(axis=1, keepdims=True), 1e-300)
        return np.asarray(fixed + (1.0 - fixed.sum(axis=1, keepdims=True)) * _rows(count * free, start))

    def take(self, components: Array) -> Self:
        """The known entries of these states; a row that no longer sums to one is free."""
        part = self.known[np.ix_(components, components)]
        whole = ~np.isnan(part).any(axis=1) & (np.abs(part.sum(axis=1) - 1.0) > 1e-9)
        return type(self)(np.where(whole[:, None], np.nan, part))


class SharedMoves(FreeMoves):
    """States of one group have the same row.

    Parameters
    ----------
    groups : sequence of int, length K
        Group of each state.

    Examples
    --------
    >>> SharedMoves([0, 0]).maximize(np.array([[1.0, 5.0], [1.0, 1.0]]), np.full((2, 2), 0.5))
    array([[0.25, 0.75],
           [0.25, 0.75]])
    """

    def __init__(self, groups: Array | list[int]) -> None:
        self.groups = np.asarray(groups, dtype=np.intp)

    def n_parameters(self, transition: Array) -> int:
        """Of one row a group."""
        _, first = np.unique(self.groups, return_index=True)
        return super().n_parameters(transition[first])

    def maximize(self, count: Array, current: Array) -> Array:
        """Counts added over each group."""
        alike = self.groups[:, None] == self.groups
        return _rows(alike.astype(np.float64) @ count, current)

    def take(self, components: Array) -> Self:
        """Groups of these states."""
        return type(self)(self.groups[components])
