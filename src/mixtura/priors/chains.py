"""The prior of a Markov chain that users set: Dirichlet laws of the first state and of every row of the transition matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mixtura.exceptions import InvalidParameterError
from mixtura.priors.base import Prior, above
from mixtura.protocols import Array

__all__ = ["ChainPrior"]


@dataclass(frozen=True)
class ChainPrior(Prior):
    """Dirichlet laws of initial probabilities and of the rows of a transition matrix.

    Parameters
    ----------
    initial : float or sequence of float, length K, default 1
        Pseudo-counts of first states, above 0.
    moves : float or ndarray, shape (K, K), default 1
        Pseudo-counts of moves, above 0. Moves that are impossible have none, whatever stands here.
    staying : float, default 0
        Added to those of staying in a state, at least 0: larger values mean states that last ("sticky" chains).

    Examples
    --------
    >>> ChainPrior(moves=0.5, staying=10.0).checked(2)[1]
    array([[10.5,  0.5],
           [ 0.5, 10.5]])
    """

    initial: Any = 1.0
    moves: Any = 1.0
    staying: float = 0.0

    def checked(self, n_components: int) -> tuple[Array, Array]:
        """Pseudo-counts of first states (K,) and of moves (K, K).

        Raises
        ------
        InvalidParameterError
            If one is not positive, or of another shape.
        """
        initial = above("ChainPrior", "initial", self.initial, n_components, what="states")
        given = np.asarray(self.moves)
        if given.ndim not in (0, 2) or (given.ndim == 2 and given.shape != (n_components, n_components)):
            msg = (
                f"ChainPrior: moves has shape {given.shape}; expected one number, or a table of shape "
                f"({n_components}, {n_components}): row i holds the pseudo-counts of moves from state i."
            )
            raise InvalidParameterError(msg)
        flat = self.moves if given.ndim == 0 else given.ravel()
        moves = above("ChainPrior", "moves", flat, n_components**2, what="moves").reshape(n_components, -1)
        staying = self.staying
        if not isinstance(staying, int | float | np.number) or not 0.0 <= staying < np.inf:
            msg = f"ChainPrior: staying is {staying!r}; expected a finite number of at least 0."
            raise InvalidParameterError(msg)
        return initial, moves + staying * np.eye(n_components)
