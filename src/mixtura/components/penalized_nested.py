r"""A mixture as a component, at the mode of Dirichlet laws of its inner weights.

Of inner counts :math:`N_{km}` and pseudo-counts :math:`\alpha_{km}` the weights become
:math:`(N_{km}+\alpha_{km}-1)/\sum_m(N_{km}+\alpha_{km}-1)`; the inner components may have priors of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from scipy.special import gammaln

from mixtura.components import hooks
from mixtura.components.nested import Nested
from mixtura.protocols import Array
from mixtura.statistics import Statistics

__all__ = ["PenalizedNested"]


class PenalizedNested(Nested):
    """K components, each a mixture of M inner ones, with a prior of the weights.

    Parameters
    ----------
    inner : Component
        K M inner components, those of the first outer one first.
    n_inner : int
        M.
    weights : array_like, shape (K, M)
        Weights of the inner components; rows sum to one.
    pseudo_counts : array_like, shape (K, M)
        Of the Dirichlet laws. Below 1 the density has no maximum inside: such weights may become zero, and steps are then inexact.
    learn : bool, default True
        Whether the weights are learnt.

    Examples
    --------
    >>> from mixtura.components import Gaussian
    >>> from mixtura.protocols import Encoding
    >>> inner = Gaussian(np.array([[-2.0], [2.0]]), np.ones((2, 1, 1)))
    >>> one = PenalizedNested(inner, 2, [[0.5, 0.5]], [[3.0, 1.0]])
    >>> block = one.encode(np.array([[-2.0, 2.0, -1.0, 1.0, 0.5]]), Encoding(1))
    >>> one.maximize(one.expected_statistics(block, np.ones((1, 5)))).weights.round(2)
    array([[0.59, 0.41]])
    """

    def __init__(
        self, inner: Any, n_inner: int, weights: Any, pseudo_counts: Any, *, learn: bool = True
    ) -> None:
        super().__init__(inner, n_inner, weights)
        self.pseudo_counts = np.broadcast_to(
            np.asarray(pseudo_counts, dtype=np.float64), self.log_weights.shape
        ).copy()
        self.learn = learn

    @property
    def _proper(self) -> Array:
        """Which outer components' laws have a mode wherever the counts are, shape (K,)."""
        return np.asarray((self.pseudo_counts >= 1.0).all(axis=1))

    @property
    def exact(self) -> bool:
        """Whether the M-step was exact."""
        return bool(super().exact and (self._proper.all() or not self.learn))

    def n_parameters(self) -> int:
        """K (M - 1) weights, where they are learnt, and the inner parameters."""
        return self.learn * self.n_components * (self.n_inner - 1) + int(self.inner.n_parameters())

    def penalty(self) -> float:
        """Minus the log density of the weights, and that of the inner components."""
        rows = self._proper & (self.pseudo_counts != 1.0).any(axis=1)  # a flat law is none
        power = self.pseudo_counts[rows] - 1.0
        logs = np.where(power == 0.0, 0.0, self.log_weights[rows]) * power
        norm = gammaln(self.pseudo_counts[rows].sum(axis=1)).sum() - gammaln(self.pseudo_counts[rows]).sum()
        own = float(logs.sum() + norm) if self.learn else 0.0
        return hooks.penalty(self.inner) - own

    def maximize(self, stats: Statistics) -> Self:
        """Weights and the inner M-step; an outer component without rows keeps its weights."""
        inner = self.inner.maximize(self._joined(stats))
        counts = np.maximum(stats["inner_count"] + self.pseudo_counts - 1.0, 0.0)
        total = counts.sum(axis=1, keepdims=True)
        if not self.learn:
            return self._with(inner, self.log_weights)
        with np.errstate(divide="ignore"):
            logs = np.log(counts / np.where(total > 0, total, 1.0))
        return self._with(inner, np.where(total > 0, logs, self.log_weights))

    def coordinates(self) -> Array:
        """Inner log weights, where they are learnt, and the inner coordinates."""
        whole = super().coordinates()
        return whole if self.learn else whole[self.log_weights.size :]

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`."""
        if self.learn:
            return super().from_coordinates(vector)
        return self._with(self.inner.from_coordinates(np.asarray(vector)), self.log_weights)

    def take(self, components: Sequence[int] | Array) -> Self:
        """Some of the outer components, with their inner ones and priors."""
        new = super().take(components)
        new.pseudo_counts = self.pseudo_counts[np.asarray(components, dtype=np.intp)]
        return new

    def concatenate(self, parts: Sequence[Self]) -> Self:
        """This one's components followed by those of `parts`."""
        new = super().concatenate(parts)
        new.pseudo_counts = np.concatenate([self.pseudo_counts, *(part.pseudo_counts for part in parts)])
        return new
