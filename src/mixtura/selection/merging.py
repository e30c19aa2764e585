r"""What merging components costs: sums over the rows, and arithmetic on them.

With responsibilities :math:`r_{nk}` the bound of a partition of the components is

.. math:: L = \sum_k \langle S_k, \hat\theta_k\rangle + \sum_n w_n \sum_k h(r_{nk}) + \text{law of the weights},
          \quad h(x) = -x\log x,

where a cluster's :math:`S_k` and :math:`r_{nk}` are sums over its members and :math:`\hat\theta_k` maximises. The
first term is arithmetic on statistics. The second is not, since h of a sum of three needs the rows: so the first
pass leaves the responsibilities above 1e-10 in the executor's memory, and every merge is a pass over these alone.
Weights per group (households) are integrated out: their law is a Dirichlet-multinomial of the groups' expected
counts, which aggregates exactly (Dirichlet parameters of merged clusters add).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.special import gammaln, xlogy

from mixtura.inference.problem import Problem
from mixtura.inference.starting import start_from
from mixtura.protocols import Array, Batch, Memory
from mixtura.statistics import Statistics
from mixtura.structures import Independent, LatentMixture
from mixtura.structures.latent_mixture import weighted_sum

__all__ = ["Collect", "DirichletLaw", "Join", "Law", "PlainLaw", "added", "shares_of_rows"]

# Responsibilities below it are left out of merged entropies. Each changes the bound by less than 3e-9 nats a row.
_TINY = 1e-10


# --- the law of the weights -------------------------------------------------------------------------------------------
class Law(ABC):
    """What the law of the hidden states contributes to the bound, and the passes over the rows that belong to it."""

    #: Whether every group has weights of its own (else all rows are one unit).
    grouped = False
    #: Whether a merge changes what further merges of other clusters would.
    coupled = False

    @abstractmethod
    def value(self, members: Array) -> float:
        """The whole contribution, from expected counts of clusters, (U, K)."""

    @abstractmethod
    def gains(self, members: Array, one: int) -> Array:
        """What merging `one` with every other cluster adds, shape (K,)."""

    @abstractmethod
    def structure(self, structure: Any, labels: Array, count: Array) -> Any:
        """The mixture's structure for clusters: labels (K,) of its components, and the clusters' counts."""

    def start(self, model: LatentMixture, labels: Array, weights: Array, problem: Problem) -> LatentMixture:
        """The start of another fit: one M-step from the responsibilities of clusters of a model's components."""
        own = np.asarray(getattr(model.structure, "weights", weights))  # of groups: the population's
        plain = replace(model, structure=Independent(np.log(np.maximum(own, _TINY))))
        return start_from(problem, shares_of_rows(plain, labels, problem), hard=False)

    def after(self, first: Statistics) -> Law:
        """The law, informed by the first pass."""
        return self

    def merged(self, one: int, other: int) -> Law:
        """The law after a merge; `other` is left out."""
        return self

    def first_pass(self, model: LatentMixture) -> Callable[[Batch, Memory], Statistics]:
        """The pass over the rows."""
        return Collect(model, self)

    def pass_of_merge(self, one: int, other: int, labels: Array) -> Callable[[Batch, Memory], Statistics]:
        """The pass over the memory after a merge, of which `labels` (K,) are the components' clusters."""
        return Join(one, other, self.merged(one, other), int(labels.max()) + 1)


class LawOfCounts(Law):
    """A law whose contribution is a sum over clusters and units of one function each."""

    @abstractmethod
    def terms(self, members: Array) -> Array:
        """Contribution of every cluster and unit, shape (U, K)."""

    @abstractmethod
    def constant(self, totals: Array) -> float:
        """What depends on the units' totals (U,) alone."""

    @abstractmethod
    def joined(self, members: Array, one: int) -> Array:
        """Contribution of cluster `one` together with every other, shape (U, K)."""

    def value(self, members: Array) -> float:
        """The whole contribution."""
        return float(self.terms(members).sum()) + self.constant(members.sum(axis=1))

    def gains(self, members: Array, one: int) -> Array:
        """What merging `one` with every other cluster adds, shape (K,)."""
        apart = self.terms(members).sum(axis=0)
        gains = self.joined(members, one).sum(axis=0) - apart - apart[one]
        gains[one] = 0.0
        return np.asarray(gains)


class PlainLaw(LawOfCounts):
    """Weights are shares: sum of n log n.

    Parameters
    ----------
    grouped : bool
        Whether every group has its own.
    """

    def __init__(self, *, grouped: bool = False) -> None:
        self.grouped = grouped

    def terms(self, members: Array) -> Array:
        """Counts times their logarithms."""
        return np.asarray(xlogy(members, members))

    def constant(self, totals: Array) -> float:
        """Minus totals times their logarithms."""
        return -float(xlogy(totals, totals).sum())

    def joined(self, members: Array, one: int) -> Array:
        """The same of sums."""
        return self.terms(members + members[:, [one]])

    def structure(self, structure: Any, labels: Array, count: Array) -> Any:
        """Shares of the counts."""
        return structure.maximize(Statistics({"count": count}))


class DirichletLaw(LawOfCounts):
    """Groups' weights are drawn from a Dirichlet law and integrated out.

    Parameters
    ----------
    pseudo_count : ndarray, shape (K,)
        Its parameters, as `Grouped` has them.
    """

    grouped = True

    def __init__(self, pseudo_count: Array) -> None:
        self.pseudo_count = pseudo_count

    def terms(self, members: Array) -> Array:
        """Log of Gamma(a + n) / Gamma(a)."""
        return np.asarray(gammaln(self.pseudo_count + members) - gammaln(self.pseudo_count))

    def constant(self, totals: Array) -> float:
        """Log of Gamma(s) / Gamma(s + n)."""
        s = self.pseudo_count.sum()
        return float(np.sum(gammaln(s) - gammaln(s + totals)))

    def joined(self, members: Array, one: int) -> Array:
        """The same of sums of counts and of parameters."""
        return DirichletLaw(self.pseudo_count + self.pseudo_count[one]).terms(members + members[:, [one]])

    def merged(self, one: int, other: int) -> DirichletLaw:
        """Parameters add."""
        return DirichletLaw(added(self.pseudo_count, one, other))

    def structure(self, structure: Any, labels: Array, count: Array) -> Any:
        """Parameters add."""
        return structure.replace(np.bincount(labels, structure.pseudo_count))


def shares_of_rows(model: LatentMixture, labels: Array, problem: Problem) -> Array:
    """Responsibilities (N, C), without weights, of clusters (labels (K,)) of a model's components, for the rows of a problem."""
    model = replace(model, encoding=replace(model.encoding, missing=problem.encoding.missing))
    rows = replace(
        problem.restricted(None), encoding=model.encoding, components=model.components, sample_weight=None
    )
    member = np.eye(int(labels.max()) + 1)[labels]
    return np.concatenate([model.infer(batch, {}).resp.T @ member for batch in rows.source()])


# --- passes -----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Collect:
    """The first pass: statistics, entropies of all pairs, and the responsibilities into the memory.

    Parameters
    ----------
    model : LatentMixture
        The mixture.
    law : Law
        Of its weights.
    """

    model: LatentMixture
    law: Law

    def __call__(self, batch: Batch, memory: Memory) -> Statistics:
        """Sums of a batch: ``count``, ``entropy`` (K,), ``saved`` and ``gained`` (K, K), and of the components."""
        components, structure = self.model.components, self.model.structure
        block = components.encode(batch.x, self.model.encoding)
        scores = components.log_prob(block)
        log_evidence, resp, _ = structure.infer(scores.copy(), batch, memory)
        weight = batch.sample_weight
        share = np.divide(resp, weight, out=np.zeros_like(resp), where=weight > 0)
        component, row = np.nonzero(share > _TINY)
        memory["row"], memory["share"] = row.astype(np.int32), share[component, row].astype(np.float64)
        memory["ends"] = np.append(0, np.cumsum(np.bincount(component, minlength=len(resp))))
        n_components = len(resp)
        sums = {
            "count": resp.sum(axis=1, dtype=np.float64),
            "entropy": -xlogy(share, share) @ weight,
            "saved": _all_saved(memory, weight),
            "gained": np.zeros((n_components, n_components)),
            "scored": np.sum(resp * np.where(resp > 0, scores, 0.0), axis=1),
            "law": np.zeros(1),
        }
        if self.law.grouped:
            offsets = batch.unit_offsets
            memory["members"] = members = np.add.reduceat(resp, np.asarray(offsets)[:-1], axis=1).T.copy()
            sums["gained"] = np.stack([self.law.gains(members, k) for k in range(n_components)])
            sums["law"] = np.array([self.law.value(members)])
        units = np.ones(len(log_evidence)) if structure.weights_inside else weight
        return Statistics(
            sums,
            log_evidence=weighted_sum(log_evidence, units),
            weight=float(units.sum()),
            parts={"components": components.expected_statistics(block, resp)},
        )


@dataclass(frozen=True)
class Join:
    """The pass of a merge, over the memory alone: relabels, and sums what further merges would change.

    Parameters
    ----------
    one, other : int
        The clusters; `other` becomes part of `one` and its number is taken out.
    law : Law
        After the merge.
    n_clusters : int
        After the merge.
    """

    one: int
    other: int
    law: Law
    n_clusters: int

    def __call__(self, batch: Batch, memory: Memory) -> Statistics:
        """``saved`` and ``gained`` of the merged cluster with every other one, shape (K - 1,)."""
        weight = batch.sample_weight
        _relabel(memory, self.one, self.other, len(weight))
        sums = {"saved": _entropy_saved(memory, weight, self.one), "gained": np.zeros(self.n_clusters)}
        if self.law.grouped:
            memory["members"] = added(memory["members"].T, self.one, self.other).T
            sums["gained"] = self.law.gains(memory["members"], self.one)
        return Statistics(sums)


def _relabel(memory: Memory, one: int, other: int, n_rows: int) -> None:
    """Add the responsibilities of `other` to those of `one`, and move later numbers down."""
    row, share, ends = memory["row"], memory["share"], memory["ends"]
    dense = np.zeros(n_rows)
    for part in (slice(ends[one], ends[one + 1]), slice(ends[other], ends[other + 1])):
        dense[row[part]] += share[part]
    rows = [row[first:last] for first, last in pairwise(ends)]
    shares = [share[first:last] for first, last in pairwise(ends)]
    rows[one] = np.flatnonzero(dense).astype(np.int32)
    shares[one] = dense[rows[one]]
    del rows[other], shares[other]
    memory["row"], memory["share"] = np.concatenate(rows), np.concatenate(shares)
    memory["ends"] = np.append(0, np.cumsum([len(part) for part in rows]))


def _all_saved(memory: Memory, weight: Array) -> Array:
    """The fall of the entropy for all pairs, (K, K)."""
    n_components = len(memory["ends"]) - 1
    saved = np.zeros((n_components, n_components))
    for k in range(n_components - 1):
        saved[k, k + 1 :] = saved[k + 1 :, k] = _entropy_saved(memory, weight, k, k + 1)
    return saved


def _entropy_saved(memory: Memory, weight: Array, one: int, first: int = 0) -> Array:
    """sum w {h(p) + h(q) - h(p + q)} of cluster `one` with those from `first` on; zero with itself."""
    ends = memory["ends"]
    own = slice(ends[one], ends[one + 1])
    share, log_share = np.zeros((2, len(weight)))
    share[memory["row"][own]] = p = memory["share"][own]
    log_share[memory["row"][own]] = p * np.log(p)
    row, q = memory["row"][ends[first] :], memory["share"][ends[first] :]
    total = share[row] + q
    fall = weight[row] * (total * np.log(total) - q * np.log(q) - log_share[row])
    starts, lengths = ends[first:-1] - ends[first], np.diff(ends[first:])
    # Rows that the other cluster does not share add exactly zero; a sum is below zero by rounding only.
    saved = np.where(lengths > 0, np.maximum(np.add.reduceat(np.append(fall, 0.0), starts), 0.0), 0.0)
    if first <= one:
        saved[one - first] = 0.0
    return np.asarray(saved)


def added(values: Array, one: int, other: int) -> Array:
    """Entry (or row) `other` added to `one` and left out; `one` comes before `other`.

    Examples
    --------
    >>> added(np.array([1.0, 2.0, 4.0]), 0, 2)
    array([5., 2.])
    """
    joined = np.delete(values, other, axis=0)
    joined[one] += values[other]
    return joined
