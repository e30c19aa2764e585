r"""Transition matrices in which entries are equal: states that last equally long, symmetric moves, steps that depend on a distance.

Given counts :math:`C_g` of the moves of each class g of equal entries, of which row i holds :math:`n_{ig}`, the maximum of
:math:`\sum_g C_g\log v_g` under :math:`\sum_g n_{ig} v_g = 1` has :math:`v_g = C_g/\sum_i\lambda_i n_{ig}`, where the multipliers
minimise the convex

.. math:: \sum_i\lambda_i - \sum_g C_g\log\sum_i\lambda_i n_{ig}

(Lagrangian duality; [1]_, section 5.5), by Newton's method in as many numbers as there are states.

References
----------
.. [1] S. Boyd and L. Vandenberghe (2004), Convex Optimization, Cambridge University Press.
"""

from __future__ import annotations

from typing import Self

import numpy as np

from mixtura.exceptions import InvalidParameterError
from mixtura.protocols import Array
from mixtura.structures.moves import FreeMoves, alike, of_so_many

__all__ = ["TiedMoves", "equal_staying"]

# Share of all counts that the present probabilities add, so that classes without counts keep the equations regular.
_TINY = 1e-13
_MOST_STEPS = 200


class TiedMoves(FreeMoves):
    """Entries of one class are equal.

    Parameters
    ----------
    classes : ndarray of int, shape (K, K)
        Entries of the same number of at least 0 are equal; -1 is free.

    Examples
    --------
    >>> law = TiedMoves(equal_staying(2))
    >>> law.maximize(np.array([[6.0, 2.0], [1.0, 1.0]]), np.full((2, 2), 0.5))  # 7 of 10 moves stay
    array([[0.7, 0.3],
           [0.3, 0.7]])
    """

    conjugate = False

    def __init__(self, classes: Array) -> None:
        self.classes = np.asarray(classes, dtype=np.intp)
        if self.classes.ndim != 2 or len(self.classes) != self.classes.shape[1]:
            msg = f"Tied moves: classes has shape {self.classes.shape}; expected a square table, a number for each move."
            raise InvalidParameterError(msg)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.classes.tolist()})"

    @property
    def exchangeable(self) -> bool:
        """Where classes are those of staying and of moving."""
        return alike(self.classes)

    def _numbered(self, possible: Array) -> tuple[Array, Array]:
        """Class of each entry, (K, K), and how many entries each row has of each class, (K, G); impossible ones have none."""
        size = len(self.classes)
        free = self.classes < 0
        own = np.where(
            free, self.classes.max(initial=0) + 1 + np.arange(size**2).reshape(size, size), self.classes
        )
        _, number = np.unique(np.where(possible, own, -1), return_inverse=True)
        number = number.reshape(size, size) - int(not possible.all())
        members = np.zeros((size, number.max() + 1))
        row, column = np.nonzero(possible)
        np.add.at(members, (row, number[row, column]), 1.0)
        return number, members

    def n_parameters(self, transition: Array) -> int:
        """Classes that may be positive, less the equations of the rows."""
        _, members = self._numbered(transition > 0)
        return members.shape[1] - int(np.linalg.matrix_rank(members))

    def maximize(self, count: Array, current: Array) -> Array:
        """Equal entries by Newton's method; where the equations have no solution the matrix stays."""
        possible = current > 0
        number, members = self._numbered(possible)
        total = float(count.sum())
        if not total > 0:
            return current
        row, column = np.nonzero(possible)
        pooled = np.bincount(number[row, column], (count / total + _TINY * current)[row, column])
        values = _shared_out(pooled, members, (count / total).sum(axis=1))
        if values is None:
            return current
        found = np.zeros(current.shape)
        found[row, column] = values[number[row, column]]
        return found

    def admitted(self, transition: Array) -> Array:
        """The matrix of equal entries that its own would be learnt from.

        Raises
        ------
        InvalidParameterError
            If entries are equal of which some are impossible, or rows cannot sum to one.
        """
        of_so_many(self, len(self.classes), transition)
        possible = transition > 0
        for one in np.unique(self.classes[self.classes >= 0]):
            places = self.classes == one
            if possible[places].any() and not possible[places].all():
                bad = np.argwhere(places & ~possible)[0]
                msg = (
                    f"Tied moves: the move from state {bad[0]} to {bad[1]} is impossible, but others of its class {one} are not; "
                    "expected all of a class to be possible, or none."
                )
                raise InvalidParameterError(msg)
        found = self.maximize(transition, transition)
        bad = np.flatnonzero(np.abs(found.sum(axis=1) - 1.0) > 1e-9)
        unequal = any(
            np.ptp(found[self.classes == one]) > 1e-9 for one in np.unique(self.classes) if one >= 0
        )
        if bad.size or unequal:
            msg = (
                "Tied moves: no transition matrix has these entries equal with all rows summing to 1; expected classes that leave "
                "every row a solution."
            )
            raise InvalidParameterError(msg)
        return found

    def adjoint(self, slopes: Array) -> Array:
        """Shares are not apart from each other: not asked."""
        raise NotImplementedError

    def take(self, components: Array) -> Self:
        """Classes of these states; moves between the halves of one that is taken twice are free."""
        index = np.asarray(components)
        halves = (index[:, None] == index) & ~np.eye(len(index), dtype=bool)
        return type(self)(np.where(halves, -1, self.classes[np.ix_(index, index)]))


def equal_staying(n_components: int) -> Array:
    """Classes (K, K) under which all states last equally long: one for the diagonal, all else is free.

    Examples
    --------
    >>> equal_staying(2)
    array([[ 0, -1],
           [-1,  0]])
    """
    return np.where(np.eye(n_components, dtype=bool), 0, -1)


def _shared_out(pooled: Array, members: Array, start: Array) -> Array | None:
    """Values (G,) with C / (multipliers @ members) whose rows sum to one; None where Newton's method finds none."""
    multipliers = np.maximum(start, 1e-3 / len(start))

    def dual(vector: Array) -> float:
        inside = vector @ members
        return float(vector.sum() - pooled @ np.log(inside)) if (inside > 0).all() else np.inf

    value = dual(multipliers)
    for _ in range(_MOST_STEPS):
        values = pooled / (multipliers @ members)
        gap = 1.0 - members @ values
        if np.abs(gap).max() < 1e-14:
            break
        curvature = (members * (values**2 / pooled)) @ members.T
        step = -np.linalg.lstsq(curvature, gap, rcond=1e-14)[0]
        size = 1.0
        while size > 1e-12 and not dual(multipliers + size * step) <= value + 1e-4 * size * float(gap @ step):
            size *= 0.5
        if size <= 1e-12:
            break
        multipliers = multipliers + size * step
        value = dual(multipliers)
    values = pooled / (multipliers @ members)
    return values if np.abs(members @ values - 1.0).max() < 1e-10 else None
