"""The clusters of one level of a segment tree, and the rules that choose which two to merge.

Everything here is arithmetic on statistics; the rows have been summed by `mixtura.selection.merging`. The file is long because the
three rules read every part of a level.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from mixtura.components import Gaussian
from mixtura.exceptions import Degenerate, DegenerateComponentError, InvalidParameterError
from mixtura.families import FamilyComponents
from mixtura.protocols import Array, Component
from mixtura.selection.merging import Law, added
from mixtura.statistics import Statistics

__all__ = [
    "CRITERIA",
    "Clusters",
    "Criterion",
    "Divergence",
    "LargestEntropy",
    "LeastLoss",
    "inner_product",
    "merge",
]

# A cluster of less weight than this holds nothing: its bound is zero, and merging it costs nothing.
_EMPTY = 1e-8


def merge(stats: Statistics, one: int, other: int) -> Statistics:
    """Sums in which component `other` has become part of `one`.

    Parameters
    ----------
    stats : Statistics
        Of components; sums without a component axis are kept, those of pairs are added along both axes.
    one, other : int
        Components, `one` before `other`.

    Returns
    -------
    Statistics
        One component fewer.

    Examples
    --------
    >>> merge(Statistics({"count": np.array([1.0, 2.0, 3.0])}), 0, 2)["count"]
    array([4., 2.])
    """
    n_components = next(len(value) for own, value in _leaves(stats) if own)
    joined = stats.take([k for k in range(n_components) if k != other])
    origin = joined.origin
    about = origin[[one]] if origin is not None and origin.ndim == 2 else origin
    leaving = stats.take([other]).about(about)
    for name in joined.sums.keys() - joined.shared - joined.paired:
        joined.sums[name][one] += leaving.sums[name][0]
    for name in joined.paired:
        joined.sums[name] = added(added(stats.sums[name], one, other).T, one, other).T
    joined.parts = {name: merge(part, one, other) for name, part in stats.parts.items()}
    return joined


def _leaves(stats: Statistics) -> list[tuple[bool, Array]]:
    """All sums, each with whether it has a component axis."""
    own = [(name not in stats.shared, value) for name, value in stats.sums.items()]
    return own + [leaf for part in stats.parts.values() for leaf in _leaves(part)]


@dataclass(frozen=True)
class Clusters:
    """The clusters of one level: their sums, and what merging any two would change.

    Parameters
    ----------
    components : Component
        Of the mixture: says how sums become parameters.
    stats : Statistics
        Sums of the clusters' components.
    count : ndarray, shape (K,)
        Weight of every cluster.
    law : Law
        Of the clusters' weights.
    saved : ndarray, shape (K, K)
        Fall of the entropy for every pair.
    gained : ndarray, shape (K, K)
        Rise of the law of the weights for every pair.
    prior : Statistics, optional
        Pseudo-observations of one component (for parameters; the bound has none).
    """

    components: Component
    stats: Statistics
    count: Array
    law: Law
    saved: Array
    gained: Array
    prior: Statistics | None = None

    @classmethod
    def start(cls, components: Component, law: Law, first: Statistics, prior: Statistics | None) -> Clusters:
        """Every component a cluster, from the sums of the first pass."""
        count, gained = first["count"], first["gained"]
        if not law.grouped:
            gained = np.array([law.gains(count[None], k) for k in range(len(count))])
        return cls(components, first.parts["components"], count, law, first["saved"], gained, prior)

    def __len__(self) -> int:
        return len(self.count)

    @property
    def coupled(self) -> bool:
        """Whether components share parameters, so that every merge changes all."""
        return not all(own for own, _ in _leaves(self.stats))

    @property
    def entangled(self) -> bool:
        """Whether a merge changes what merging two other clusters would cost."""
        return self.coupled or self.law.coupled

    def bound(self) -> float:
        """<statistics, parameters> of all clusters."""
        return self._together() if self.coupled else float(self._apart().sum())

    def losses(self, one: int) -> Array:
        """Fall of <statistics, parameters> when `one` is merged with every other, shape (K,); zero for itself."""
        losses = np.zeros(len(self))
        others = np.delete(np.arange(len(self)), one)
        if self.coupled:
            now = self._together()
            for other in others:
                losses[other] = now - self._joined(*sorted((one, int(other))))._together()
            return losses
        alone = self._apart()
        again = np.full(len(others), one)
        pairs = replace(
            self,
            components=self.components.take(again),
            stats=self.stats.take(again) + self.stats.take(others),
            count=self.count[one] + self.count[others],
        )
        losses[others] = alone[one] + alone[others] - pairs._apart()
        return losses

    def loss(self, one: int, other: int) -> float:
        """Fall of the whole bound when two are merged, from the table of pairs and statistics."""
        apart = self.losses(one)[other] if self.coupled else self.take(np.array([one, other])).losses(0)[1]
        return float(apart + self.saved[one, other] - self.gained[one, other])

    def _apart(self) -> Array:
        """The bound of every cluster by itself; an empty one has zero."""
        bounds = np.zeros(len(self))
        held = np.flatnonzero(self.count > _EMPTY)
        if not held.size:
            return bounds
        fitted, stats = self._fitted(held)
        for position, k in enumerate(held):
            bounds[k] = inner_product(fitted.take([position]), stats.take([position]))
        return bounds

    def _together(self) -> float:
        return inner_product(*self._fitted(np.flatnonzero(self.count > _EMPTY)))

    def _fitted(self, held: Array) -> tuple[Component, Statistics]:
        """Components that maximise for the clusters that hold anything, and their sums."""
        stats = self.stats.take(held)
        try:
            return self.components.take(held).maximize(stats), stats
        except DegenerateComponentError as error:
            raise DegenerateComponentError(
                Degenerate(int(held[event.component]), event.count, event.reason) for event in error.events
            ) from error

    def parameters(self) -> Any:
        """The components that maximise, with the prior where there is one."""
        if self.prior is None:
            return self.components.maximize(self.stats)
        return self.components.maximize(self.stats + self.prior.take(np.zeros(len(self), dtype=np.intp)))

    def take(self, order: Array) -> Clusters:
        """Some of the clusters, in the order given."""
        return replace(
            self,
            components=self.components.take(order),
            stats=self.stats.take(order),
            count=self.count[order],
            saved=self.saved[np.ix_(order, order)],
            gained=self.gained[np.ix_(order, order)],
        )

    def merged(self, one: int, other: int, row: Statistics) -> Clusters:
        """The next level, given what the pass over the memory has summed."""
        law, count = self.law.merged(one, other), added(self.count, one, other)
        if law.coupled:
            gained = np.stack([law.gains(count[None], k) for k in range(len(count))])
            return replace(self._joined(one, other), law=law, saved=row["saved"], gained=gained)
        gained = row["gained"] if law.grouped else law.gains(count[None], one)
        return replace(
            self._joined(one, other),
            law=law,
            saved=_with_row(self.saved, one, other, row["saved"]),
            gained=_with_row(self.gained, one, other, gained),
        )

    def gathered(self, labels: Array) -> Clusters:
        """Clusters of the same label together, in the order of the labels; without tables of pairs."""
        left, clusters = labels.tolist(), self
        while len(left) > len(set(left)):
            other = next(k for k in range(len(left)) if left[k] in left[:k])
            clusters = clusters._joined(left.index(left[other]), other)
            del left[other]
        none = np.zeros((len(left), len(left)))
        return replace(clusters, saved=none, gained=none).take(np.argsort(left))

    def _joined(self, one: int, other: int) -> Clusters:
        """Sums of the next level; the tables of pairs stay behind."""
        kept = np.delete(np.arange(len(self)), other)
        return replace(
            self,
            components=self.components.take(kept),
            stats=merge(self.stats, one, other),
            count=added(self.count, one, other),
        )


def inner_product(components: Component, stats: Statistics) -> float:
    """<statistics, parameters>; for Gaussians about each one's own mean, where no digit is lost far from the origin."""
    if not isinstance(components, Gaussian):
        return components.expected_log_prob(stats)
    centred = stats.about(components.mean)
    centred = Statistics(centred.sums, shared=centred.shared)
    return components.replace(np.zeros_like(components.mean), components.covariance).expected_log_prob(
        centred
    )


def _with_row(table: Array, one: int, other: int, row: Array) -> Array:
    smaller = np.delete(np.delete(table, other, axis=0), other, axis=1)
    smaller[one] = smaller[:, one] = row
    return smaller


# --- which two to merge -----------------------------------------------------------------------------------------------
class Criterion(ABC):
    """What a merge costs; the cheapest pair is merged."""

    name: ClassVar[str]

    @abstractmethod
    def costs(self, clusters: Clusters, one: int) -> Array:
        """Cost of merging cluster `one` with every other, shape (K,); the entry of itself has no meaning."""

    def heights(self, costs: Array) -> Array:
        """Heights of the merges in a picture, never falling: what all merges so far have cost together.

        (A later merge may cost less than an earlier one, so its own cost would turn the tree over.)
        """
        return np.asarray(np.maximum.accumulate(np.maximum(np.cumsum(costs), 0.0)))


class LeastLoss(Criterion):
    """The pair whose merging lowers the bound least."""

    name = "loss"

    def costs(self, clusters: Clusters, one: int) -> Array:
        """Loss of the components, plus the fall of the entropy, less the gain of the weights' law."""
        return np.asarray(clusters.losses(one) + clusters.saved[one] - clusters.gained[one])


class LargestEntropy(Criterion):
    """The pair whose merging lowers the entropy most (Baudry et al. 2010)."""

    name = "entropy"

    def costs(self, clusters: Clusters, one: int) -> Array:
        """Minus the fall."""
        return np.asarray(-clusters.saved[one])

    def heights(self, costs: Array) -> Array:
        """The total fall so far."""
        return super().heights(-costs)


class Divergence(Criterion):
    """The pair with the least symmetric Kullback-Leibler divergence, KL(p, q) + KL(q, p), in closed form."""

    name = "kl"

    def costs(self, clusters: Clusters, one: int) -> Array:
        """Divergence from every other cluster."""
        fitted = clusters.parameters()
        if isinstance(fitted, Gaussian):
            return _gaussian_divergence(fitted, one)
        if isinstance(fitted, FamilyComponents):
            natural, mean = fitted.natural, fitted.mean
            with np.errstate(invalid="ignore"):
                change = natural - natural[one]
                change[natural == natural[one]] = 0.0  # both may be minus infinity
                return np.asarray(np.sum(change * (mean - mean[one]), axis=1))
        msg = (
            f"criterion='kl' met components {fitted!r}, whose divergence has no closed form here; expected Gaussians or an "
            "exponential family. Use criterion='loss', which works for all."
        )
        raise InvalidParameterError(msg)


def _gaussian_divergence(fitted: Gaussian, one: int) -> Array:
    """Half of tr(P1 S2 + P2 S1) - 2 D + d'(P1 + P2) d; the determinants cancel."""
    covariance, mean = fitted.matrices, fitted.mean
    precision = np.linalg.inv(covariance)
    apart = mean - mean[one]
    traces = np.einsum("ij,kji->k", precision[one], covariance) + np.einsum(
        "kij,ji->k", precision, covariance[one]
    )
    squares = np.einsum("ki,kij,kj->k", apart, precision + precision[one], apart)
    return np.asarray(0.5 * (traces + squares) - mean.shape[1])


CRITERIA: dict[str, type[Criterion]] = {kind.name: kind for kind in (LeastLoss, LargestEntropy, Divergence)}
