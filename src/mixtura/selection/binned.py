r"""Dirichlet-multinomials whose M-step is a function of statistics that add over components: histograms of the counts.

The likelihood needs of the rows only how often a count x of category j occurs, and how often a total n, since
:math:`\log p = \sum_j \log\Gamma(x_j+\alpha_j)/\Gamma(\alpha_j) - \log\Gamma(n+A)/\Gamma(A)` + const. So the weighted
histograms of the counts are sufficient (tail counts in another form), and merging two components
adds them. With more than `MOST_NODES` different values the histogram has nodes at even logarithms, and a value is divided
between its neighbours so that its mean is kept.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import scipy.sparse as sp

from mixtura.components.dirichlet_multinomial import DirichletMultinomial, NonZeros, fixed_point
from mixtura.components.rising import log_rising, rising_derivatives
from mixtura.protocols import Array
from mixtura.statistics import Statistics

__all__ = ["BinnedDirichletMultinomial"]

#: Up to this many different values the histograms, and so the bounds, are exact.
MOST_NODES = 128
# Steps of the M-step, and the gain (nats) of every component at which it ends.
_STEPS, _GAIN = 200, 1e-6


class BinnedDirichletMultinomial(DirichletMultinomial):
    """Dirichlet-multinomials with histograms for statistics.

    Parameters
    ----------
    alpha : ndarray, shape (K, C)
        Parameters.
    totals : ndarray
        As for `DirichletMultinomial`.
    nodes, total_nodes : ndarray
        Ascending values at which counts, and row totals, are collected.

    Examples
    --------
    >>> X = np.array([[3.0, 1.0], [0.0, 2.0]])
    >>> binned = BinnedDirichletMultinomial.of(DirichletMultinomial(np.array([[1.0, 1.0]])), X)
    >>> binned.nodes, binned.total_nodes
    (array([1., 2., 3.]), array([2., 4.]))
    """

    def __init__(self, alpha: Array, totals: Array, nodes: Array, total_nodes: Array) -> None:
        super().__init__(alpha, totals)
        self.nodes, self.total_nodes = nodes, total_nodes

    @classmethod
    def of(cls, components: DirichletMultinomial, X: Any) -> Self:
        """The same components, with nodes for the counts of a table (N, C)."""
        totals = np.asarray(X.sum(axis=1), dtype=np.float64).ravel()
        values = X.data if sp.issparse(X) else np.ravel(X)
        return cls(components.alpha, components.totals, _nodes(values), _nodes(totals))

    def expected_statistics(self, block: NonZeros, resp: Array) -> Statistics:
        """Weighted histograms: ``counts`` (K, C, M) and ``totals`` (K, 1, T)."""
        seen = np.flatnonzero(block.totals)
        n_categories = len(block.offsets) - 1
        parts = {
            "counts": _histograms(block.values, block.categories, block.rows, self.nodes, n_categories, resp),
            "totals": _histograms(block.totals[seen], np.zeros_like(seen), seen, self.total_nodes, 1, resp),
        }
        return Statistics({"count": resp.sum(axis=1, dtype=np.float64), **parts})

    def maximize(self, stats: Statistics) -> Self:
        """Guarded steps from these parameters until the bound rises no more; every step is of `DirichletMultinomial`."""
        current, value = self, self._bounds(stats)
        for _ in range(_STEPS):
            sums = current._derivatives(stats)
            following = DirichletMultinomial.maximize(current, sums)
            gained = following._bounds(stats)
            fell = ~(gained >= value)
            if fell.any():
                # The fixed point never lowers the bound, where Newton's step went too far.
                slow = current.replace(np.maximum(fixed_point(current.alpha, sums), 1e-300))
                following = current.replace(np.where(fell[:, None], slow.alpha, following.alpha))
                gained = following._bounds(stats)
            worse = ~(gained >= value)
            following = current.replace(np.where(worse[:, None], current.alpha, following.alpha))
            gained = np.where(worse, value, gained)
            current, done, value = following, np.max(gained - value) < _GAIN, gained
            if done:
                break
        return current

    def expected_log_prob(self, stats: Statistics) -> float:
        """The log-likelihood of the counts, without the multinomial coefficients."""
        return float(self._bounds(stats).sum())

    def _bounds(self, stats: Statistics) -> Array:
        """The same of every component, (K,)."""
        value = np.zeros(len(stats["count"]))
        for x, weight, alpha, places, sign in self._tables(stats):
            value += sign * np.sum(weight * log_rising(x, alpha[:, places]), axis=1)
        return value

    def _tables(self, stats: Statistics) -> list[tuple[Array, Array, Array, Array, float]]:
        """Of counts and of totals: values that occur, their weights, parameters, categories, and the sign."""
        tables = []
        for name, nodes, alpha, sign in (
            ("counts", self.nodes, self.alpha, 1.0),
            ("totals", self.total_nodes, self.concentration[:, None], -1.0),
        ):
            places, node = np.nonzero(stats[name].any(axis=0))
            tables.append((nodes[node], stats[name][:, places, node], alpha, places, sign))
        return tables

    def _derivatives(self, stats: Statistics) -> Statistics:
        """The sums of `DirichletMultinomial.expected_statistics` at these parameters."""
        sums: dict[str, Array] = {"count": stats["count"]}
        for prefix, (x, weight, alpha, places, _) in zip(("", "total_"), self._tables(stats), strict=True):
            own = alpha[:, places]
            first, second = rising_derivatives(np.broadcast_to(x, own.shape), own)
            lost = np.where(x < 1.0, 1.0 / own - first, 0.0)
            into = sp.csr_matrix(
                (np.ones(len(places)), (np.arange(len(places)), places)), shape=(len(places), alpha.shape[1])
            )
            for name, values in (("score", first), ("curvature", second), ("fraction", lost)):
                sums[prefix + name] = np.asarray((into.T @ (weight * values).T).T)
        sums["total_score"], sums["total_curvature"] = (
            sums["total_score"][:, 0],
            sums["total_curvature"][:, 0],
        )
        return Statistics(sums)


def _nodes(values: Array) -> Array:
    """All different positive values, or an even grid of their logarithms where there are many."""
    distinct = np.unique(values[values > 0])
    if len(distinct) <= MOST_NODES:
        return np.asarray(distinct, dtype=np.float64)
    # Between zero and the lowest node values are divided, too; far below a hundredth of a count they say nothing.
    lowest = max(float(distinct[0]), 1e-3 * min(1.0, float(distinct[-1])))
    return np.geomspace(lowest, float(distinct[-1]), MOST_NODES)


def _histograms(x: Array, category: Array, row: Array, nodes: Array, n_categories: int, resp: Array) -> Array:
    """Weights of values at the nodes, (K, C, M); a value between two is divided, and zero is no node."""
    n_nodes = len(nodes)
    if not n_nodes:
        return np.zeros((len(resp), n_categories, 0))
    above = np.clip(np.searchsorted(nodes, x), 0, n_nodes - 1)
    low = np.where(above > 0, nodes[np.maximum(above - 1, 0)], 0.0)
    share = np.clip((x - low) / (nodes[above] - low), 0.0, 1.0)
    place = category * n_nodes + above
    kept = (above > 0) & (share < 1.0)
    columns = np.concatenate([place, place[kept] - 1])
    rows, weight = np.concatenate([row, row[kept]]), np.concatenate([share, 1.0 - share[kept]])
    table = sp.csr_matrix((weight, (rows, columns)), shape=(resp.shape[1], n_categories * n_nodes))
    return np.asarray((table.T @ resp.T).T).reshape(len(resp), n_categories, n_nodes)
