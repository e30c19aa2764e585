"""Laws of a chain's transition matrix, as objects: free, with known entries, or with rows in common.

A law says which of a matrix's probabilities are free: simplexes of shares, into which expected moves are *pooled*, and from which
rows are *spread*. Priors are laws of these simplexes; of rows in common that of the first counts. The file is long because every
law stands in it, with what a chain, a prior and a search ask of it.
"""

from __future__ import annotations

from typing import Protocol, Self

import numpy as np

from mixtura.exceptions import InvalidParameterError
from mixtura.protocols import Array

__all__ = [
    "FreeMoves",
    "KnownMoves",
    "MoveLaw",
    "SharedMoves",
    "alike",
    "banded",
    "left_right",
    "of_so_many",
    "still_possible",
]

# Least probability of what is possible.
_SMALLEST = 1e-300


class MoveLaw(Protocol):
    """How a transition matrix is learnt."""

    @property
    def exact(self) -> bool:
        """Whether the M-step is an exact maximum."""
        ...

    @property
    def conjugate(self) -> bool:
        """Whether its free probabilities are simplexes apart from each other, so that Dirichlet laws stay Dirichlet laws."""
        ...

    @property
    def exchangeable(self) -> bool:
        """Whether it says the same of all states."""
        ...

    def n_parameters(self, transition: Array) -> int:
        """Free probabilities."""
        ...

    def maximize(self, count: Array, current: Array) -> Array:
        """Probabilities (K, K) from expected counts of moves."""
        ...

    def counted(self, table: Array) -> Array:
        """A table (K, K) of priors with zeros where they do not count."""
        ...

    def pooled(self, table: Array) -> Array:
        """Sums (R, K) of a table (K, K) over the places of each of R simplexes of free shares."""
        ...

    def rows(self, simplexes: Array) -> Array:
        """What each state's row (K, K) has of the simplexes (R, K)."""
        ...

    def spread(self, shares: Array) -> Array:
        """Probabilities (K, K) from the free shares (R, K)."""
        ...

    def adjoint(self, slopes: Array) -> Array:
        """Derivatives by the free shares (R, K) from those by the probabilities (K, K)."""
        ...

    def admitted(self, transition: Array) -> Array:
        """The matrix of this law that a given one is near to: itself where it keeps the law."""
        ...

    def take(self, components: Array) -> Self:
        """The law of some of the states."""
        ...


def over_sums(count: Array, current: Array) -> Array:
    """Counts over their rows' sums; a row without counts keeps its own."""
    total = count.sum(axis=1, keepdims=True)
    return np.where(total > 0, count / np.where(total > 0, total, 1.0), current)


def alike(table: Array) -> bool:
    """Whether a table (K, K) or (K,) is the same in any order of the states: one value for staying, one for moving.

    Examples
    --------
    >>> alike(np.eye(3)), alike(np.array([[1, 1], [0, 1]]))
    (True, False)
    """
    if table.ndim == 1:
        return bool((table == table[0]).all())
    own = np.eye(len(table), dtype=bool)
    return bool((table[own] == table[0, 0]).all() and (len(table) == 1 or (table[~own] == table[0, 1]).all()))


def still_possible(new: Array, old: Array) -> Array:
    """Probabilities that were positive, kept from underflowing to zero: zeros say what is impossible.

    Examples
    --------
    >>> still_possible(np.array([0.0, 0.0, 1.0]), np.array([0.5, 0.0, 0.5]))
    array([1.e-300, 0.e+000, 1.e+000])
    """
    return np.where((old > 0) & (new < _SMALLEST), _SMALLEST, new)


def of_so_many(law: object, size: int, transition: Array) -> None:
    """Refuse a law of another number of states than the chain has.

    Raises
    ------
    InvalidParameterError
        With both numbers.
    """
    if size != len(transition):
        msg = f"moves is a {type(law).__name__} of {size} states; expected one of {len(transition)}, those of the chain (n_components)."
        raise InvalidParameterError(msg)


class FreeMoves:
    """Every row in the proportions of the expected moves; zeros stay zeros."""

    exact = True
    conjugate = True

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    @property
    def exchangeable(self) -> bool:
        """Yes."""
        return True

    def n_parameters(self, transition: Array) -> int:
        """Those that may be positive, less one in each simplex that has any."""
        free = np.count_nonzero(self.pooled(self.counted((transition > 0).astype(np.float64))), axis=1)
        return int(np.maximum(free - 1, 0).sum())

    def maximize(self, count: Array, current: Array) -> Array:
        """Counts over their rows' sums."""
        own = self.pooled(self.counted(current))
        own = own / np.maximum(own.sum(axis=1, keepdims=True), 1e-300)
        return self.spread(over_sums(self.pooled(count), own))

    def counted(self, table: Array) -> Array:
        """All of it."""
        return table

    def pooled(self, table: Array) -> Array:
        """Every row is a simplex."""
        return table

    def rows(self, simplexes: Array) -> Array:
        """Every state its own."""
        return simplexes

    def spread(self, shares: Array) -> Array:
        """The shares."""
        return self.rows(shares)

    def adjoint(self, slopes: Array) -> Array:
        """Each by its own share."""
        return self.pooled(slopes)

    def admitted(self, transition: Array) -> Array:
        """Any matrix is."""
        return transition

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
        if self.known.ndim != 2 or len(self.known) != self.known.shape[1]:
            msg = f"Known moves have shape {self.known.shape}; expected a square table, NaN where a move is free."
            raise InvalidParameterError(msg)
        fixed = np.where(np.isnan(self.known), 0.0, self.known)
        left, free = 1.0 - fixed.sum(axis=1), np.isnan(self.known).any(axis=1)
        bad = np.flatnonzero((fixed < 0).any(axis=1) | (left < -1e-12) | (~free & (np.abs(left) > 1e-9)))
        if bad.size:
            msg = (
                f"Known moves from state {bad[0]} are {self.known[bad[0]]}; expected probabilities of at least 0 that sum to at most "
                "1, or to 1 where none is free (NaN)."
            )
            raise InvalidParameterError(msg)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.known.tolist()})"

    @property
    def exchangeable(self) -> bool:
        """No: what is known is of a state's own place."""
        return False

    def counted(self, table: Array) -> Array:
        """Where entries are free."""
        return np.where(np.isnan(self.known), table, 0.0)

    def pooled(self, table: Array) -> Array:
        """Free entries of every row."""
        return self.counted(table)

    def spread(self, shares: Array) -> Array:
        """Known entries, and the rest shared out."""
        fixed = np.where(np.isnan(self.known), 0.0, self.known)
        return np.asarray(fixed + np.maximum(1.0 - fixed.sum(axis=1, keepdims=True), 0.0) * shares)

    def adjoint(self, slopes: Array) -> Array:
        """Times what the shares are of."""
        fixed = np.where(np.isnan(self.known), 0.0, self.known)
        return np.asarray(self.counted(slopes) * np.maximum(1.0 - fixed.sum(axis=1, keepdims=True), 0.0))

    def admitted(self, transition: Array) -> Array:
        """Known entries, and the rest in the proportions of the others."""
        of_so_many(self, len(self.known), transition)
        odd = self.counted(transition).sum(axis=1) == 0  # nothing to go by: alike
        return self.maximize(np.where(odd[:, None], 1.0, transition), transition)

    def take(self, components: Array) -> Self:
        """The known entries of these states; a row that no longer sums to one is free."""
        part = self.known[np.ix_(components, components)]
        left = 1.0 - np.where(np.isnan(part), 0.0, part).sum(axis=1)
        wrong = (left < 0.0) | (~np.isnan(part).any(axis=1) & (np.abs(left) > 1e-9))
        return type(self)(np.where(wrong[:, None], np.nan, part))


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
        found = np.asarray(groups)
        if found.ndim != 1 or found.dtype.kind not in "iu":
            msg = f"Shared moves: groups is {groups!r}; expected whole numbers, the group of each state."
            raise InvalidParameterError(msg)
        self.groups = found.astype(np.intp)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.groups.tolist()})"

    @property
    def exchangeable(self) -> bool:
        """Where all are one group, or each its own."""
        return len(np.unique(self.groups)) in (1, len(self.groups))

    def _numbered(self) -> tuple[Array, Array]:
        """First state of each group, and the groups numbered from 0."""
        _, first, number = np.unique(self.groups, return_index=True, return_inverse=True)
        return first, number

    def counted(self, table: Array) -> Array:
        """Of each group its first row."""
        first, _ = self._numbered()
        return np.where(np.isin(np.arange(len(table)), first)[:, None], table, 0.0)

    def pooled(self, table: Array) -> Array:
        """Rows of a group are added."""
        _, number = self._numbered()
        return np.asarray((np.arange(number.max() + 1)[:, None] == number).astype(np.float64) @ table)

    def rows(self, simplexes: Array) -> Array:
        """Every state that of its group."""
        return np.asarray(simplexes[self._numbered()[1]])

    def admitted(self, transition: Array) -> Array:
        """Averages of the rows of each group."""
        of_so_many(self, len(self.groups), transition)
        return self.maximize(transition, transition)

    def take(self, components: Array) -> Self:
        """Groups of these states."""
        return type(self)(self.groups[components])


def left_right(n_components: int, *, steps: int = 1) -> Array:
    """A transition matrix that never goes back: from every state to itself or up to `steps` states on, alike.

    Parameters
    ----------
    n_components : int
        K.
    steps : int, default 1
        How far a move may go.

    Returns
    -------
    ndarray, shape (K, K)
        A start: zeros stay zeros, the rest is learnt.

    Examples
    --------
    >>> left_right(3)
    array([[0.5, 0.5, 0. ],
           [0. , 0.5, 0.5],
           [0. , 0. , 1. ]])
    """
    return _even(np.triu(np.tril(np.ones((n_components, n_components)), steps)))


def banded(n_components: int, width: int = 1) -> Array:
    """A transition matrix that moves at most `width` states up or down, alike.

    Parameters
    ----------
    n_components : int
        K.
    width : int, default 1
        How far a move may go.

    Returns
    -------
    ndarray, shape (K, K)
        A start: zeros stay zeros, the rest is learnt.

    Examples
    --------
    >>> banded(3).round(2)
    array([[0.5 , 0.5 , 0.  ],
           [0.33, 0.33, 0.33],
           [0.  , 0.5 , 0.5 ]])
    """
    return _even(np.triu(np.tril(np.ones((n_components, n_components)), width), -width))


def _even(possible: Array) -> Array:
    return np.asarray(possible / possible.sum(axis=1, keepdims=True))
