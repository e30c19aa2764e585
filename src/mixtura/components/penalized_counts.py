r"""Multinomial components at the mode of Dirichlet laws that differ from component to component.

Shares become :math:`\max(N_{kl}+\alpha_{kl}-1, 0)` in proportion. One column of symbols 0, 1, ... is the case of single counts, which
are never written out: a block holds one entry for each row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from scipy.special import gammaln

from mixtura.families._components import FamilyBlock
from mixtura.families.multinomial import MultinomialComponents
from mixtura.protocols import Array, Encoding
from mixtura.statistics import Statistics

__all__ = ["PenalizedMultinomial", "Symbols"]


class PenalizedMultinomial(MultinomialComponents):
    """K multinomials, each with a Dirichlet law of its own, at the mode.

    Parameters
    ----------
    probabilities : array_like, shape (K, C)
        Shares of the categories; rows sum to one. A share of zero is allowed, and stays zero only while nothing is counted there.
    pseudo_counts : array_like, shape (K, C), default 1
        Of the Dirichlet laws; below 1 the density has no maximum inside: shares may become zero, and steps are then inexact.
    learn : bool, default True
        Whether the shares are learnt.

    Examples
    --------
    >>> begun = PenalizedMultinomial([[0.5, 0.5]], 2.0)
    >>> block = begun.encode(np.array([[3.0, 4.0], [1.0, 0.0]]), Encoding(2))
    >>> begun.maximize(
    ...     begun.expected_statistics(block, np.ones((1, 2)))
    ... ).probabilities  # (7 + 1) and (1 + 1) in 10
    array([[0.8, 0.2]])
    """

    def __init__(self, probabilities: Any, pseudo_counts: Any = 1.0, *, learn: bool = True) -> None:
        shares = np.asarray(probabilities, dtype=np.float64)
        with np.errstate(divide="ignore"):
            super().__init__(np.log(shares))
        self.pseudo_counts = np.broadcast_to(np.asarray(pseudo_counts, dtype=np.float64), shares.shape).copy()
        self.learn = learn

    @property
    def _proper(self) -> Array:
        """Which laws have a mode wherever the counts are, shape (K,)."""
        return np.asarray((self.pseudo_counts >= 1.0).all(axis=1))

    @property
    def exact(self) -> bool:  # type: ignore[override]
        """Whether the M-step was exact."""
        return bool(self._proper.all()) or not self.learn

    @property
    def marginal(self) -> bool:
        """Whether missing cells are integrated over: they are not."""
        return False

    def n_parameters(self) -> int:
        """C - 1 shares of each component, where they are learnt."""
        return self.learn * super().n_parameters()

    def maximize(self, stats: Statistics) -> Self:
        """Counts, and pseudo-counts less one, in proportion; a component without any stays."""
        if not self.learn:
            return self.replace(self.natural)
        counts = np.maximum(stats["sum_t"] + self.pseudo_counts - 1.0, 0.0)
        total = counts.sum(axis=1, keepdims=True)
        with np.errstate(divide="ignore"):
            logs = np.log(counts / np.where(total > 0, total, 1.0))
        return self.replace(np.where(total > 0, logs, self.natural))

    def penalty(self) -> float:
        """Minus the log density of the shares, where it has a mode."""
        rows = self._proper & (self.pseudo_counts != 1.0).any(axis=1)  # a flat law is none
        if not self.learn or not rows.any():
            return 0.0
        power = self.pseudo_counts[rows] - 1.0
        logs = np.where(power == 0.0, 0.0, self.natural[rows]) * np.where(power == 0.0, 0.0, power)
        norm = gammaln(self.pseudo_counts[rows].sum(axis=1)).sum() - gammaln(self.pseudo_counts[rows]).sum()
        return -float(logs.sum() + norm)

    def expected_log_prob(self, stats: Statistics) -> float:
        """Inner product of counts and log shares, with 0 log 0 = 0; shares sum to one, so the rest is zero."""
        counts = stats["sum_t"]
        return float(np.sum(np.where(counts == 0, 0.0, self.natural) * counts))

    def coordinates(self) -> Array:
        """Log shares, where they are learnt."""
        return super().coordinates() if self.learn else np.empty(0)

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`."""
        return super().from_coordinates(vector) if self.learn else self.replace(self.natural)

    def take(self, components: Sequence[int] | Array) -> Self:
        """Some of the components, each with its prior."""
        new = super().take(components)
        new.pseudo_counts = self.pseudo_counts[np.asarray(components, dtype=np.intp)]
        return new

    def concatenate(self, parts: Sequence[Self]) -> Self:
        """This one's components followed by those of `parts`."""
        new = super().concatenate(parts)
        new.pseudo_counts = np.concatenate([self.pseudo_counts, *(part.pseudo_counts for part in parts)])
        return new


class Symbols(PenalizedMultinomial):
    """One column of symbols 0, ..., L - 1, with probabilities that may be zero.

    Parameters
    ----------
    probabilities : array_like, shape (K, L)
        Of the symbols; rows sum to one.
    pseudo_counts : array_like, shape (K, L), default 1
        As of :class:`PenalizedMultinomial`.
    learn : bool, default True
        Whether the probabilities are learnt.

    Examples
    --------
    >>> begun = Symbols([[0.5, 0.25, 0.25]])
    >>> block = begun.encode(np.array([[2.0, 0.0]]), Encoding(1))
    >>> np.exp(begun.log_prob(block))
    array([[0.25, 0.5 ]])
    """

    @property
    def support(self) -> str:
        """What is expected, in words."""
        return f"a symbol from 0 to {self.natural.shape[1] - 1}"

    @property
    def name(self) -> str:
        """What it is."""
        return "symbols"

    def outside(self, x: Any) -> Array:
        """Values that are no symbol; a missing one is not looked at."""
        shown = np.where(np.isnan(x), 0.0, x)
        return np.asarray((shown < 0) | (shown >= self.natural.shape[1]) | (shown != np.floor(shown)))

    def features(self, x: Any) -> Any:
        """Marks of the symbols."""
        return np.asarray(x == np.arange(self.natural.shape[1])[:, None], dtype=np.float64)

    def table(self, names: Sequence[str], origin: Array | None) -> list[tuple[str, str, str, Array]]:
        """Probabilities of the symbols."""
        shares = self.probabilities
        return [
            ("probability", f"{names[0]}={level}", "", shares[:, level]) for level in range(shares.shape[1])
        ]

    def n_statistics(self, n_features: int) -> int:
        """Numbers that a row has in a block: one, and its place."""
        return 2

    def encode(self, x: Any, encoding: Encoding) -> FamilyBlock:
        """One entry for each row."""
        codes = np.asarray(x)[0].astype(np.intp)
        size, ones = len(codes), np.ones(len(codes))
        marks = sp.csr_matrix((ones, codes, np.arange(size + 1)), shape=(size, self.natural.shape[1]))
        return FamilyBlock(marks, np.zeros(size), ones)

    def sample(self, component: int, n: int, rng: np.random.Generator) -> Array:
        """n symbols of one component, shape (n, 1)."""
        shares = self.probabilities[component]
        return rng.choice(len(shares), size=(n, 1), p=shares / shares.sum()).astype(np.float64)
