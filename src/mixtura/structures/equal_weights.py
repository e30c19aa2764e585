"""Independent rows whose components all have the same weight, known beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from mixtura.protocols import Array
from mixtura.statistics import Statistics
from mixtura.structures.independent import Independent

__all__ = ["EqualWeights"]


class EqualWeights(Independent):
    """Mixture weights 1 / K that are not learnt.

    Parameters
    ----------
    n_components : int
        K.

    Examples
    --------
    >>> EqualWeights(4).weights
    array([0.25, 0.25, 0.25, 0.25])
    """

    def __init__(self, n_components: int) -> None:
        super().__init__(np.zeros(n_components))

    def __repr__(self) -> str:
        return f"EqualWeights(K={self.n_components})"

    def n_parameters(self) -> int:
        """None."""
        return 0

    def variational(self, prior: Any, counts: Array, *, learn: bool = False) -> Self:
        """Nothing is learnt, so nothing has a law."""
        return self

    def penalized(self, prior: Any) -> Self:
        """Nothing is learnt, so there is no density."""
        return self

    def maximize(self, stats: Statistics) -> Self:
        """Nothing is learnt."""
        return self

    def coordinates(self) -> Array:
        """None."""
        return np.zeros(0)

    def from_coordinates(self, vector: Array) -> Self:
        """Nothing is free."""
        return self

    def take(self, components: Sequence[int] | Array) -> Self:
        """Some of the components, of equal weight again."""
        return type(self)(len(np.asarray(components)))
