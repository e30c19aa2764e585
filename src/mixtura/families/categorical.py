r"""Categorical columns: T(x) marks the level of each column, :math:`\eta_{jl} = \log p_{jl}`, :math:`A = \sum_j \log\sum_l e^{\eta_{jl}}`.

Columns of different numbers of levels lie side by side: statistics and parameters have P = L_1 + ... + L_D entries, column by
column. Levels are encoded once, as 0, 1, ..., L_j - 1. A missing cell (NaN) is no level, so its marks are zero and, because
probabilities are normalised, it costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from mixtura.exceptions import InvalidDataError, InvalidParameterError
from mixtura.families._base import FLOOR, ColumnFamily
from mixtura.priors import DirichletOfLevels, DirichletPrior, Prior
from mixtura.protocols import Array

__all__ = ["Categorical", "raised"]


class Categorical(ColumnFamily):
    """Columns of levels, any number of them a column, independent given the component.

    Mean parameters are the levels' probabilities, column by column, shape (K, P). A level that a component never saw keeps
    a probability of 1e-10.

    Parameters
    ----------
    levels : sequence of int
        L_j, number of levels of each column; values are 0 to L_j - 1. `Categorical.of` counts them.

    Examples
    --------
    >>> X = np.array([[0, 2], [0, 1], [1, 0], [1, 0]])
    >>> family = Categorical.of(X)
    >>> family.levels
    (2, 3)
    >>> family.statistics(X.T).astype(int)  # one row a level
    array([[1, 1, 0, 0],
           [0, 0, 1, 1],
           [0, 0, 1, 1],
           [0, 1, 0, 0],
           [1, 0, 0, 0]])
    >>> from mixtura import Mixture
    >>> Mixture(family, 2, random_state=0).fit(X).n_parameters()
    7
    """

    name = "categorical"
    discrete = True
    filler = 0.0
    gaps_vanish = True

    def __init__(self, levels: Sequence[int]) -> None:
        self.levels = tuple(int(count) for count in levels)
        if not self.levels or min(self.levels) < 1:
            msg = f"levels is {levels!r}; expected a number of levels of at least 1 for each column."
            raise InvalidParameterError(msg)
        self.support = "a level of its column, from 0 to (levels - 1)"
        self._starts = np.cumsum([0, *self.levels[:-1]])
        self._value = np.concatenate([np.arange(count) for count in self.levels])[:, None]

    @classmethod
    def of(cls, x: Any) -> Self:
        """A family with the levels of rows (N, D) of codes: from 0 to the largest of each column; NaN is missing."""
        todo = (
            "expected codes 0, 1, ... of levels (NaN: missing). CategoricalMixture takes text and data frames; or encode them "
            "once, for instance with scikit-learn's OrdinalEncoder."
        )
        try:
            codes = np.asarray(x, dtype=np.float64)
        except (TypeError, ValueError):
            msg = f"The levels are not numbers (dtype {np.asarray(x).dtype}); {todo}"
            raise InvalidDataError(msg) from None
        if codes.ndim != 2 or not codes.size:
            msg = f"The levels have shape {codes.shape}; expected rows and columns (N, D), at least one of each."
            raise InvalidDataError(msg)
        shown = ~np.isnan(codes)
        bad = np.argwhere(shown & ~((codes >= 0) & (codes == np.floor(codes)) & np.isfinite(codes)))
        if bad.size:
            row, column = (int(index) for index in bad[0])
            msg = f"Row {row}, column {column} is {codes[row, column]:g}; {todo}"
            raise InvalidDataError(msg)
        never = np.flatnonzero(~shown.any(axis=0))
        if never.size:
            msg = f"Column {never[0]} is missing (NaN) in every row; expected at least one value. Leave the column out."
            raise InvalidDataError(msg)
        return cls(np.where(shown, codes, 0.0).max(axis=0).astype(int) + 1)

    def statistics(self, x: Array) -> Array:
        """Ones where a level occurs, shape (P, B); none for a missing cell."""
        kind = x.dtype if np.issubdtype(x.dtype, np.floating) else np.float64
        return np.asarray(np.repeat(x, self.levels, axis=0) == self._value, dtype=kind)

    def column_log_base(self, x: Array) -> Array:
        """Zero, shape (D, B)."""
        return np.zeros(x.shape)

    def column_normalizer(self, natural: Array) -> Array:
        """Log sums of exponentials (zero for log probabilities), shape (K, D)."""
        return np.asarray(np.logaddexp.reduceat(natural, self._starts, axis=1))

    def columns(self, n_values: int) -> Array:
        """Each column owns its levels."""
        return np.repeat(np.arange(n_values), self.levels)

    def parameters(self, natural: Array, names: Sequence[str]) -> list[tuple[str, str, Array]]:
        """Probabilities of the levels."""
        shares = self.mean_from_natural(natural)
        return [("probability", label, shares[:, p]) for p, label in enumerate(self.labels(names))]

    def natural_from_mean(self, mean: Array) -> Array:
        """Log probabilities above the floor."""
        return np.asarray(np.log(raised(mean, self.levels, FLOOR)))

    def mean_from_natural(self, natural: Array) -> Array:
        """Probabilities; those of a column sum to one."""
        return np.asarray(np.exp(self.from_free(natural)))

    def expected(self, natural: Array) -> list[Array]:
        """Probabilities of each column's levels."""
        return np.split(self.mean_from_natural(natural), self._starts[1:], axis=1)

    def restricted(self, columns: Sequence[int] | Array) -> Self:
        """Levels of these columns."""
        return type(self)([self.levels[int(column)] for column in columns])

    def conjugate(self, prior: Prior | None, mean: Array) -> DirichletOfLevels:
        """Dirichlet laws of the probabilities."""
        concentration = DirichletPrior.taken(prior, self.name).checked(len(mean))
        return DirichletOfLevels.of(concentration, self.columns(len(self.levels)))

    def sample(self, natural: Array, n: int, rng: np.random.Generator) -> Array:
        """Rows of levels, shape (n, D)."""
        columns = np.split(self.mean_from_natural(natural[None])[0], self._starts[1:])
        return np.column_stack([rng.choice(len(p), size=n, p=p / p.sum()) for p in columns]).astype(float)

    def n_parameters(self, n_statistics: int) -> int:
        """Sum of L_j - 1: probabilities of a column sum to one."""
        return n_statistics - len(self.levels)

    def n_statistics(self, n_features: int) -> int:
        """P."""
        self._check_columns(n_features)
        return sum(self.levels)

    def from_free(self, free: Array) -> Array:
        """Log probabilities, normalised in each column."""
        return np.asarray(
            free - np.repeat(np.logaddexp.reduceat(free, self._starts, axis=1), self.levels, axis=1)
        )

    def labels(self, names: Sequence[str]) -> list[str]:
        """Column and level."""
        pairs = zip(names, self.levels, strict=True)
        return [f"{name}={level}" for name, count in pairs for level in range(count)]

    def outside(self, x: Array) -> Array:
        """Values that are no level of their column."""
        self._check_columns(len(x))
        return np.asarray((x < 0) | (x >= np.reshape(self.levels, (-1, 1))) | (x != np.floor(x)))

    def features(self, x: Array) -> Array:
        """The marks of the levels, NaN where missing: two rows are as far apart as columns differ."""
        marks = self.statistics(x)
        gaps = np.isnan(x)
        if gaps.any():
            marks[np.repeat(gaps, self.levels, axis=0)] = np.nan
        return marks

    def _check_columns(self, found: int) -> None:
        if found != len(self.levels):
            msg = (
                f"The rows have {found} columns; expected {len(self.levels)}, one for each entry of levels={self.levels}. "
                "Give the columns in the order of the levels, or make the family anew with Categorical.of(X)."
            )
            raise InvalidDataError(msg)


def raised(mean: Array, levels: Sequence[int], floor: float) -> Array:
    """Probabilities of at least `floor` that maximise the sum of mean times their logarithm, column by column.

    Where a share is too small the probability is the floor, and the other levels divide what is left in proportion (the
    conditions of Karush, Kuhn and Tucker); what falls below the floor by that is raised in the next round.

    Parameters
    ----------
    mean : ndarray, shape (K, P)
        Non-negative; each column's levels have a positive sum.
    levels : sequence of int
        Levels of each column; they add to P.
    floor : float
        Below 1 over the largest number of levels.

    Returns
    -------
    ndarray, shape (K, P)
        Probabilities that sum to one in each column.

    Examples
    --------
    >>> raised(np.array([[0.0, 3.0, 1.0]]), [3], 0.2)
    array([[0.2, 0.6, 0.2]])
    """
    starts = np.cumsum([0, *levels[:-1]])
    low = np.zeros(mean.shape, dtype=bool)
    while True:
        left = 1.0 - floor * np.add.reduceat(low, starts, axis=1, dtype=np.float64)
        rest = np.add.reduceat(np.where(low, 0.0, mean), starts, axis=1)
        share = np.where(low, floor, mean * np.repeat(left / rest, levels, axis=1))
        more = ~low & (share < floor)
        if not more.any():
            return share
        low |= more
