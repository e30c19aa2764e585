r"""Weights per group (household): a local latent variable inside `infer`.

:math:`\alpha_h \sim \mathrm{Dirichlet}(s\,\alpha)`, :math:`z_{hi} \sim \mathrm{Categorical}(\alpha_h)`. Given
:math:`q(\alpha_h) = \mathrm{Dirichlet}(\gamma_h)` rows are scored with :math:`E[\log\alpha_h]`, and
:math:`\gamma_h = s\alpha + \sum_i r_{hi}`. Its mean :math:`(s\alpha_k + \sum_i r_{hik})/(s + n_h)` is the estimate
of [1]_, shrunk to the population. The evidence of a group is the bound

.. math:: \sum_i \log\sum_k e^{E[\log\alpha_{hk}]} p(x_{hi}\mid k)
          - \mathrm{KL}\{\mathrm{Dirichlet}(\gamma_h)\,\|\,\mathrm{Dirichlet}(s\alpha)\}.

Only :math:`\sum_h E[\log\alpha_h]` and the number of groups cross batches, K + 1 numbers, and the bound has an
interior maximum in s. (The plug-in objective rises without bound in s: it is not used.)
s = 0 is :class:`GroupedPlugIn`, s = infinity is :class:`~mixtura.structures.independent.Independent`.

References
----------
.. [1] I. V. Cadez, P. Smyth, E. Ip and H. Mannila (2001), "Predictive profiles for transaction data using finite
   mixture models", University of California, Irvine, technical report 01-67.
.. [2] T. P. Minka (2000), "Estimating a Dirichlet distribution".
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Self

import numpy as np
from scipy.optimize import brentq
from scipy.special import digamma, gammaln, polygamma

from mixtura.kernels.softmax import responsibilities
from mixtura.protocols import Array, Batch, Inference, Memory
from mixtura.statistics import Statistics

__all__ = ["Grouped", "GroupedPlugIn", "dirichlet_from_mean_log", "inverse_digamma"]

# Beyond this the groups are indistinguishable from the population (the structure Independent).
MAX_CONCENTRATION = 1e7
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

    def __init__(self, pseudo_count: Array, *, learn: bool = True, local_steps: int = 4, tol: float = 1e-3) -> None:
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

    def start(self, offsets: Array) -> Array:
        """Dirichlet parameters (U, K) of groups of which nothing is known yet."""
        return self.pseudo_count + np.diff(offsets)[:, None] * self.weights

    def group_weights(self, dirichlet: Array) -> Array:
        """Posterior mean weights of groups, shape (U, K), from what the memory holds."""
        return np.asarray(dirichlet / dirichlet.sum(axis=1, keepdims=True))

    def infer(self, scores: Array, batch: Batch, memory: Memory) -> Inference:
        """Responsibilities of rows and posterior weights of groups; ``memory["dirichlet"]`` carries the latter."""
        offsets = _offsets(batch, scores.shape[1])
        group = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
        dirichlet = memory.get("dirichlet")
        if dirichlet is None or dirichlet.shape != (len(offsets) - 1, self.n_components):
            dirichlet = self.start(offsets)
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
        """Inverse of `coordinates`."""
        return self.replace(np.exp(vector))

    def take(self, components: Sequence[int] | Array) -> Self:
        """Some of the states; the concentration keeps its value."""
        kept = self.pseudo_count[np.asarray(components, dtype=np.intp)]
        return self.replace(kept * (self.concentration / kept.sum()))


class GroupedPlugIn:
    """Weights per group without shrinkage, s = 0: each group's own average of responsibilities.

    The published form of the household model. A group that never showed a state gives it weight zero for ever.

    Parameters
    ----------
    log_weights : ndarray, shape (K,)
        Population weights, for groups not seen.

    Examples
    --------
    >>> GroupedPlugIn(np.log([0.5, 0.5])).weights
    array([0.5, 0.5])
    """

    exact = True
    concentration = 0.0

    def __init__(self, log_weights: Array) -> None:
        self.log_weights = np.asarray(log_weights, dtype=np.float64)

    def __repr__(self) -> str:
        return f"GroupedPlugIn(K={self.n_components})"

    @property
    def weights(self) -> Array:
        """Population weights, shape (K,)."""
        return np.asarray(np.exp(self.log_weights))

    @property
    def n_components(self) -> int:
        """K, number of states."""
        return len(self.log_weights)

    def n_parameters(self) -> int:
        """K - 1 population weights; the groups' own weights grow with the data and are not counted."""
        return self.n_components - 1

    def group_weights(self, counts: Array) -> Array:
        """Weights of groups, shape (U, K), from what the memory holds."""
        return np.asarray(counts / counts.sum(axis=1, keepdims=True))

    def infer(self, scores: Array, batch: Batch, memory: Memory) -> Inference:
        """Responsibilities of rows under their group's weights; ``memory["counts"]`` carries the groups' counts."""
        offsets = _offsets(batch, scores.shape[1])
        group = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
        counts = memory.get("counts")
        if counts is None or counts.shape != (len(offsets) - 1, self.n_components):
            counts = np.broadcast_to(self.weights, (len(offsets) - 1, self.n_components))
        with np.errstate(divide="ignore"):
            log_weights = np.log(self.group_weights(counts))
        log_evidence, resp = responsibilities(scores, log_weights[group].T, batch.sample_weight)
        fresh = np.add.reduceat(resp, offsets[:-1], axis=1).T
        memory["counts"] = np.where(fresh.sum(axis=1, keepdims=True) > 0, fresh, counts)
        rows = np.where(batch.sample_weight > 0, log_evidence, 0.0) * batch.sample_weight
        sums = {"count": resp.sum(axis=1)}
        return Inference(np.add.reduceat(rows, offsets[:-1]), resp, Statistics(sums))

    def maximize(self, stats: Statistics) -> Self:
        """Population weights are average responsibilities; the groups' own are in the memory already."""
        with np.errstate(divide="ignore"):
            return type(self)(np.log(stats["count"] / stats["count"].sum()))

    def expected_log_prob(self, stats: Statistics) -> float:
        """Inner product with the population weights."""
        count = stats["count"]
        return float(np.sum(np.where(count == 0, 0.0, self.log_weights) * count))

    def split(self, stats: Statistics, component: int) -> Statistics:
        """Half the count to each of two."""
        halves = stats.take([*range(self.n_components), component])
        halves["count"][[component, -1]] *= 0.5
        return halves

    def coordinates(self) -> Array:
        """Log weights."""
        return np.maximum(self.log_weights, -700.0)

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`; any vector is normalised."""
        weights = np.exp(vector - np.max(vector))
        return type(self)(np.log(weights / weights.sum()))

    def take(self, components: Sequence[int] | Array) -> Self:
        """Some of the states."""
        return self.from_coordinates(self.log_weights[np.asarray(components, dtype=np.intp)])


def dirichlet_divergence(posterior: Array, prior: Array) -> Array:
    """KL divergence of Dirichlet laws, shape (U,), posterior (U, K) from prior (K,).

    Examples
    --------
    >>> dirichlet_divergence(np.array([[2.0, 3.0]]), np.array([2.0, 3.0]))
    array([0.])
    """
    total = posterior.sum(axis=1)
    value = gammaln(total) - gammaln(prior.sum()) + (gammaln(prior) - gammaln(posterior)).sum(axis=1)
    difference = posterior - prior
    return np.asarray(value + (difference * digamma(posterior)).sum(axis=1) - difference.sum(axis=1) * digamma(total))


def inverse_digamma(value: Array) -> Array:
    """Solution of digamma(x) = value by Newton's method from Minka's start ([2]_, appendix C).

    Parameters
    ----------
    value : ndarray
        Any real numbers.

    Returns
    -------
    ndarray
        Positive; five steps reach rounding everywhere.

    Examples
    --------
    >>> inverse_digamma(np.array([digamma(0.3), digamma(40.0)])).round(10)
    array([ 0.3, 40. ])
    """
    value = np.asarray(value, dtype=np.float64)
    with np.errstate(over="ignore"):
        x = np.where(value >= -2.22, np.exp(np.minimum(value, 700.0)) + 0.5, -1.0 / (value - digamma(1.0)))
    for _ in range(6):
        x = np.maximum(x - (digamma(x) - value) / polygamma(1, x), 0.5 * x)
    return x


def dirichlet_from_mean_log(mean_log: Array, concentration: float | None = None) -> Array:
    r"""Maximum-likelihood Dirichlet parameters from the averages of log weights.

    Every stationary point has :math:`\psi(a_k) = g_k + c` for one number c, so the K-dimensional problem is a
    root in one dimension: :math:`\psi(\sum_k a_k(c)) = c`, or :math:`\sum_k a_k(c) = s` where s is given.

    Parameters
    ----------
    mean_log : ndarray, shape (K,)
        Averages g_k of log weights.
    concentration : float, optional
        s, kept fixed. None learns it, up to `MAX_CONCENTRATION`.

    Returns
    -------
    ndarray, shape (K,)
        Dirichlet parameters.

    Examples
    --------
    >>> a = np.array([0.5, 2.0, 1.0])
    >>> dirichlet_from_mean_log(digamma(a) - digamma(a.sum())).round(6)
    array([0.5, 2. , 1. ])
    """
    if len(mean_log) == 1:
        return np.array([MAX_CONCENTRATION if concentration is None else concentration])

    def parameters(c: float) -> Array:
        return inverse_digamma(mean_log + c)

    def gap(c: float) -> float:
        total = float(parameters(c).sum())
        return float(digamma(total) - c) if concentration is None else float(np.log(concentration / total))

    limit = float(digamma(MAX_CONCENTRATION if concentration is None else concentration)) - float(mean_log.min()) + 1.0
    highest = limit if concentration is not None else float(digamma(MAX_CONCENTRATION))
    if gap(highest) >= 0.0:  # no spread between groups: the population serves for all
        share = np.exp(mean_log - mean_log.max())
        return MAX_CONCENTRATION * share / share.sum()
    lowest = -1.0
    while gap(lowest) <= 0.0:
        lowest *= 2.0
    return parameters(float(brentq(gap, lowest, highest, xtol=1e-13, rtol=8.9e-16)))


def _offsets(batch: Batch, n_rows: int) -> Array:
    return np.arange(n_rows + 1) if batch.unit_offsets is None else batch.unit_offsets
