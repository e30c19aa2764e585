"""Families of columns with two statistics each: all first statistics, then all second ones."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from mixtura.families._base import ColumnFamily
from mixtura.families._solvers import EQUAL
from mixtura.protocols import Array

__all__ = ["PairFamily", "halves"]


class PairFamily(ColumnFamily):
    """What such families share; natural and mean parameters have P = 2 D entries, (first, second)."""

    def n_statistics(self, n_features: int) -> int:
        """2 D."""
        return 2 * n_features

    def columns(self, n_values: int) -> Array:
        """Every column once for its first statistic, and once for its second."""
        return np.tile(np.arange(n_values), 2)

    @abstractmethod
    def readable(self, natural: Array) -> dict[str, Array]:
        """The usual parameters by name, each (K, D)."""

    def parameters(self, natural: Array, names: Sequence[str]) -> list[tuple[str, str, Array]]:
        """The usual parameters, column by column."""
        values = self.readable(natural)
        return [(key, name, value[:, d]) for d, name in enumerate(names) for key, value in values.items()]

    def equal(self, spread: Array) -> str:
        """Why a component with such a spread is refused."""
        return (
            f"its values are all equal or nearly so (relative spread {spread:.3g}; expected above {EQUAL:g}), where the "
            f"{self.name} likelihood has no maximum"
        )


def halves(values: Array) -> tuple[Array, Array]:
    """First and second halves of the last axis: (..., 2 D) to two of (..., D).

    Examples
    --------
    >>> halves(np.array([[1.0, 2.0, 3.0, 4.0]]))[1]
    array([[3., 4.]])
    """
    size = values.shape[-1] // 2
    return values[..., :size], values[..., size:]
