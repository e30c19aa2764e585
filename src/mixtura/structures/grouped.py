r"""Weights per group (household): a local latent variable inside `infer`.

:math:`\alpha_h \sim \mathrm{Dirichlet}(s\,\alpha)`, :math:`z_{hi} \sim \mathrm{Categorical}(\alpha_h)`. Given
:math:`q(\alpha_h) = \mathrm{Dirichlet}(\gamma_h)` rows are scored with :math:`E[\log\alpha_h]`, and
:math:`\gamma_h = s\alpha + \sum_i r_{hi}`. Its mean :math:`(s\alpha_k + \sum_i r_{hik})/(s + n_h)` is the estimate
of [1]_, shrunk to the population. The evidence of a group is the bound

.. math:: \sum_i \log\sum_k e^{E[\log\alpha_{hk}]} p(x_{hi}\mid k)
          - \mathrm{KL}\{\mathrm{Dirichlet}(\gamma_h)\,\|\,\mathrm{Dirichlet}(s\alpha)\}.

Only :math:`\sum_h E[\log\alpha_h]` and the number of groups cross batches, K + 1 numbers, and the bound has an
interior maximum in s. (The plug-in objective rises without bound in s: it is not used.)
s = 0 is :class:`~mixtura.structures.grouped_plug_in.GroupedPlugIn`, s = infinity is :class:`~mixtura.structures.independent.Independent`.

References
----------
.. [1] I. V. Cadez, P. Smyth, E. Ip and H. Mannila (2001), "Predictive profiles for transaction data using finite
   mixture models", University of California, Irvine, technical report 01-67.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Self

import numpy as np
from scipy.special import digamma, gammaln

from mixtura.kernels.softmax import responsibilities
from mixtura.priors.dirichlet import dirichlet_divergence, dirichlet_from_mean_log
from mixtura.protocols import Array, Batch, Inference, Memory
from mixtura.statistics import Statistics

__all__ = ["Grouped", "offsets_of"]

_SHARED = frozenset({"n_units"})


class Grouped:
    """Weights per group, shrunk to the population by a Dirichlet law.

    Parameters
    ----------
    pseudo_count : ndarray, shape (K,)
        s alpha: the Dirichlet parameters; their sum is the concentration s, in rows.
    learn : bool, default True
        Whether s is learnt; False keeps it and learns alpha only.
    local_steps : int, default 4
        Rounds of the local loop in a pass; the memory carries it on in the next pass.
    tol : float, default 1e-3
        The local loop stops when no expected count of a group moves by more than this many rows.

    Examples
    --------
    >>> Grouped(np.array([1.0, 3.0])).weights
    array([0.25, 0.75])
    """

    exact = True
    weights_inside = True

    def __init__(
        self, pseudo_count: Array, *, learn: bool = True, local_steps: int = 4, tol: float = 1e-3
    ) -> None:
        self.pseudo_count = np.asarray(pseudo_count, dtype=np.float64)
        self.learn = learn
        self.local_steps = local_steps
        self.tol = tol

    def __repr__(self) -> str:
        return f"Grouped(K={self.n_components}, concentration={self.concentration:.4g})"

    @property
    def concentration(self) -> float:
        """s, the number of rows that the population counts for in every group."""
        return float(self.pseudo_count.sum())

    @property
    def weights(self) -> Array:
        """Population weights alpha, shape (K,)."""
        return self.pseudo_count / self.pseudo_count.sum()

    @property
    def log_weights(self) -> Array:
        """Logarithms of the population weights, shape (K,)."""
        return np.asarray(np.log(self.weights))

    @property
    def n_components(self) -> int:
        """K, number of states."""
        return len(self.pseudo_count)

    def n_parameters(self) -> int:
        """K - 1 weights, and s where it is learnt."""
        return self.n_components - 1 + int(self.learn)

    def start(self, offsets: Array, sample_weight: Array) -> Array:
        """Dirichlet parameters (U, K) of groups of which nothing is known yet but their size."""
        size = np.add.reduceat(sample_weight, offsets[:-1])
        return np.asarray(self.pseudo_count + size[:, None] * self.weights)

    def group_weights(self, dirichlet: Array) -> Array:
        """Posterior mean weights of groups, shape (U, K), from what the memory holds."""
        return np.asarray(dirichlet / dirichlet.sum(axis=1, keepdims=True))

    def infer(self, scores: Array, batch: Batch, memory: Memory) -> Inference:
        """Responsibilities of rows and posterior weights of groups; ``memory["dirichlet"]`` carries the latter."""
        offsets = offsets_of(batch, scores.shape[1])
        group = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
        dirichlet = memory.get("dirichlet")
        if dirichlet is None or dirichlet.shape != (len(offsets) - 1, self.n_components):
            dirichlet = self.start(offsets, batch.sample_weight)
        for _ in range(self.local_steps):
            expected_log = digamma(dirichlet) - digamma(dirichlet.sum(axis=1, keepdims=True))
            used = dirichlet
            log_evidence, resp = responsibilities(scores.copy(), expected_log[group].T, batch.sample_weight)
            counts = np.add.reduceat(resp, offsets[:-1], axis=1).T
            dirichlet = self.pseudo_count + counts
            if np.max(np.abs(dirichlet - used)) < self.tol:
                break
        memory["dirichlet"] = dirichlet
        rows = np.where(batch.sample_weight > 0, log_evidence, 0.0) * batch.sample_weight
        bound = np.add.reduceat(rows, offsets[:-1]) - dirichlet_divergence(used, self.pseudo_count)
        return Inference(bound, resp, self.sums(dirichlet, resp.sum(axis=1)))

    def sums(self, dirichlet: Array, count: Array) -> Statistics:
        """What crosses batches: expected counts, sum of expected log weights, number of groups."""
        mean_log = digamma(dirichlet).sum(axis=0) - digamma(dirichlet.sum(axis=1)).sum()
        sums = {"count": count, "log_weight": mean_log, "n_units": np.array([float(len(dirichlet))])}
        return Statistics(sums, shared=_SHARED)

    def maximize(self, stats: Statistics) -> Self:
        """The Dirichlet law that maximises the bound given the groups' expected log weights."""
        mean_log = stats["log_weight"] / stats["n_units"]
        return self.replace(dirichlet_from_mean_log(mean_log, None if self.learn else self.concentration))

    def replace(self, pseudo_count: Array) -> Self:
        """The same settings with another Dirichlet law."""
        new = copy.copy(self)
        new.pseudo_count = np.asarray(pseudo_count, dtype=np.float64)
        return new

    def expected_log_prob(self, stats: Statistics) -> float:
        """Expected log Dirichlet density of the groups' weights."""
        per_unit = gammaln(self.concentration) - gammaln(self.pseudo_count).sum()
        return float(stats["n_units"][0] * per_unit + (self.pseudo_count - 1.0) @ stats["log_weight"])

    def split(self, stats: Statistics, component: int) -> Statistics:
        """Halve a state: its groups' weights fall by a factor of two in each half."""
        halves = stats.take([*range(self.n_components), component])
        halves["count"][[component, -1]] *= 0.5
        halves["log_weight"][[component, -1]] -= np.log(2.0) * stats["n_units"][0]
        return halves

    def coordinates(self) -> Array:
        """Log Dirichlet parameters."""
        return np.log(self.pseudo_count)

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`; a fixed concentration keeps its value."""
        found = np.exp(vector)
        return self.replace(found if self.learn else found * (self.concentration / found.sum()))

    def table(self) -> list[tuple[str, str, str, float]]:
        """What all states share and a user reads: the concentration, where it is learnt."""
        return [("concentration", "", "", self.concentration)] if self.learn else []

    def take(self, components: Sequence[int] | Array) -> Self:
        """Some of the states; the concentration keeps its value."""
        kept = self.pseudo_count[np.asarray(components, dtype=np.intp)]
        return self.replace(kept * (self.concentration / kept.sum()))


def offsets_of(batch: Batch, n_rows: int) -> Array:
    """First row of each unit and the number of rows; without units every row is one."""
    return np.arange(n_rows + 1) if batch.unit_offsets is None else batch.unit_offsets
