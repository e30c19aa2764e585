r"""Rows that lack cells, as skew-normal components see them.

Some columns of a skew-normal law are skew-normal, so the observed cells o have a closed density, and their half-normal variable
t has the moments of such a row. Given t and the observed cells a missing part m is normal, with
:math:`R = \Sigma_{mo}\Sigma_{oo}^{-1}`:

.. math:: x_m = u_m + v_m t + e,\quad u_m = \xi_m + R (x_o - \xi_o),\quad v_m = \delta_m - R\,\delta_o,\quad
   \mathrm{Var}(e) = \Sigma_{mm} - R\,\Sigma_{om}.

With :math:`u_o = x_o` and :math:`v_o = 0` the sums over all cells follow from E[t] and E[t^2]: EM over labels, half-normal
variables and missing cells, of which every step raises the likelihood of what was observed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.components.conditioning import Pattern, by_pattern
from mixtura.protocols import Array, Encoding
from mixtura.statistics import Statistics

__all__ = ["SkewGaps"]


class SkewGaps:
    """A batch of rows of which some lack cells.

    Parameters
    ----------
    x : ndarray, shape (D, B)
        Rows about the encoding's origin; NaN where a cell is missing.
    encoding : Encoding
        Its scale is the standard deviation of missing cells before there are parameters.
    """

    def __init__(self, x: Array, encoding: Encoding) -> None:
        self.x = np.asarray(x, dtype=np.float64)
        self.variance = np.ones(len(x)) if encoding.scale is None else encoding.scale**2
        self.patterns = list(by_pattern(np.isnan(self.x)))
        # Scores and sums need the same: what the last components concluded is kept.
        self._seen: tuple[Any, list[tuple[Array, Array, Array]]] | None = None

    def _concluded(self, components: Any) -> list[tuple[Array, Array, Array]]:
        """Of each pattern the scores, E[t] and E[t^2], shape (K, rows)."""
        if self._seen is None or self._seen[0] is not components:
            self._seen = (components, [self._of(components, pattern) for pattern in self.patterns])
        return self._seen[1]

    def _of(self, components: Any, pattern: Pattern) -> tuple[Array, Array, Array]:
        shape = (components.n_components, len(pattern.rows))
        if not pattern.observed.size:  # nothing is known of t: half-normal
            return np.zeros(shape), np.full(shape, np.sqrt(2.0 / np.pi)), np.ones(shape)
        seen = self.x[np.ix_(pattern.observed, pattern.rows)]
        some = components.restricted(pattern.observed)
        scored = some.conclude(seen)
        first, second = some.push_moments(scored)
        return scored.log_prob, first, second

    def log_prob(self, components: Any) -> Array:
        """Log densities of the observed cells, shape (K, B)."""
        scores = np.empty((components.n_components, self.x.shape[1]))
        for pattern, (own, _, _) in zip(self.patterns, self._concluded(components), strict=True):
            scores[:, pattern.rows] = own
        return scores

    def sums(self, components: Any, resp: Array) -> Statistics:
        """Expected sums over all cells, weighted by resp (K, B)."""
        resp = np.asarray(resp, dtype=np.float64)
        parts = self._blank(resp) if components.blank else self._expected(components, resp)
        second = np.stack([components.second_form(matrix) for matrix in parts.pop("second")])
        pooled = components.model.pooled
        parts["sum_xx"] = second.sum(axis=0, keepdims=True) if pooled else second
        return Statistics(parts, shared=frozenset({"sum_xx"}) if pooled else frozenset())

    def _blank(self, resp: Array) -> dict[str, Array]:
        """Powers of x, where a missing cell is one of a normal law about the origin."""
        gaps = np.isnan(self.x)
        filled = np.where(gaps, 0.0, self.x)
        lost = resp @ gaps.T * self.variance
        second = np.stack([(filled * weight) @ filled.T for weight in resp])
        second += lost[:, :, None] * np.eye(len(filled))
        return {
            "count": resp.sum(axis=1),
            "sum_x": resp @ filled.T,
            "sum_squares": resp @ (filled**2).T + lost,
            "sum_cubes": resp @ (filled**3).T,
            "second": second,
        }

    def _expected(self, components: Any, resp: Array) -> dict[str, Array]:
        location, delta, matrices = components.location, components.skewness, components.matrices
        n_components, n_features = location.shape
        sums = {
            "count": resp.sum(axis=1),
            "sum_x": np.zeros((n_components, n_features)),
            "sum_t": np.zeros(n_components),
            "sum_tt": np.zeros(n_components),
            "sum_tx": np.zeros((n_components, n_features)),
            "second": np.zeros((n_components, n_features, n_features)),
        }
        for pattern, (_, first, second) in zip(self.patterns, self._concluded(components), strict=True):
            rows, seen, lost = pattern.rows, pattern.observed, pattern.missing
            for k in range(n_components):
                weight = resp[k, rows]
                slope = np.linalg.solve(matrices[k][np.ix_(seen, seen)], matrices[k][np.ix_(seen, lost)]).T
                base, push = np.empty((n_features, len(rows))), np.zeros(n_features)
                base[seen] = self.x[np.ix_(seen, rows)]
                base[lost] = location[k, lost][:, None] + slope @ (base[seen] - location[k, seen][:, None])
                push[lost] = delta[k, lost] - slope @ delta[k, seen]
                one, two = weight * first[k], weight * second[k]
                sums["sum_t"][k] += one.sum()
                sums["sum_tt"][k] += two.sum()
                sums["sum_x"][k] += base @ weight + push * one.sum()
                sums["sum_tx"][k] += base @ one + push * two.sum()
                cross = np.outer(base @ one, push)
                both = (base * weight) @ base.T + cross + cross.T + two.sum() * np.outer(push, push)
                both[np.ix_(lost, lost)] += weight.sum() * (
                    matrices[k][np.ix_(lost, lost)] - slope @ matrices[k][np.ix_(seen, lost)]
                )
                sums["second"][k] += both
        return sums
