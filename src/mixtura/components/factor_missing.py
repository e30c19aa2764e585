r"""Rows that lack cells, as factor analysers see them.

The law of the observed columns o is a factor analyser with the same factors, their loadings and noise, so scores need nothing
new. Given the observed cells, missing ones m have with :math:`M = I + \Lambda_o^T \Psi_o^{-1} \Lambda_o` [1]_

.. math:: E[x_m \mid x_o] = \mu_m + \Lambda_m E[z \mid x_o],\qquad
          \mathrm{Cov}(x_m \mid x_o) = \Psi_m + \Lambda_m M^{-1} \Lambda_m^T,

which complete the sums of a Gaussian. Work is by pattern of missing cells.

References
----------
.. [1] C. M. Bishop (2006), Pattern Recognition and Machine Learning, section 12.2.4.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from mixtura.protocols import Array

__all__ = ["IncompleteRows"]


class IncompleteRows:
    """A batch of which some rows lack cells.

    Parameters
    ----------
    x : ndarray, shape (D, B)
        Rows about the encoding's origin; NaN where a cell is missing.
    variance : ndarray, shape (D,)
        Variance of each column over all rows: what is assumed of missing cells before there are parameters.
    """

    def __init__(self, x: Array, variance: Array) -> None:
        self.x, self.variance = x, variance
        self.gaps = np.isnan(x)
        patterns, place = np.unique(self.gaps, axis=1, return_inverse=True)
        self._patterns = [
            (np.flatnonzero(place.ravel() == number), ~pattern) for number, pattern in enumerate(patterns.T)
        ]
        self._seen: tuple[Any, list[Any]] | None = None

    def _parts(self, components: Any) -> Iterator[tuple[Array, Array, Any]]:
        """Rows, observed columns and their law, a pattern each; laws are kept for the components asked for last."""
        if self._seen is None or self._seen[0] is not components:
            laws = [
                components.restricted(np.flatnonzero(observed)) if observed.any() else None
                for _, observed in self._patterns
            ]
            self._seen = (components, laws)
        for (rows, observed), law in zip(self._patterns, self._seen[1], strict=True):
            yield rows, observed, law

    def log_prob(self, components: Any) -> Array:
        """Scores of the observed cells, shape (K, B); zero for a row without any."""
        scores = np.zeros((components.n_components, self.x.shape[1]))
        for rows, observed, law in self._parts(components):
            if law is not None:
                scores[:, rows] = law.log_prob(self.x[np.ix_(observed, rows)])
        return scores

    def factor_scores(self, components: Any) -> Array:
        """Expected factors given the observed cells, shape (K, q, B)."""
        scores = np.zeros((components.n_components, components.n_factors, self.x.shape[1]))
        for rows, observed, law in self._parts(components):
            if law is not None:
                scores[:, :, rows] = law.factor_scores(self.x[np.ix_(observed, rows)])
        return scores

    def completed(self, components: Any, k: int, kept: Array, weight: Array) -> tuple[Array, Array]:
        """Some rows, completed by what component k expects, and the weighted sum of missing cells' covariances (D, D).

        Parameters
        ----------
        components : FactorAnalyzer
            With or without parameters.
        k : int
            Component.
        kept : ndarray of int
            Rows that are wanted.
        weight : ndarray, shape (B,)
            Responsibilities of component k.
        """
        filled = np.where(self.gaps, self.x.dtype.type(0.0), self.x)
        if components.blank:
            lost = self.gaps[:, kept] @ weight[kept]
            return filled[:, kept], np.diag(lost * self.variance).astype(np.float64)
        spread = np.zeros((len(filled), len(filled)))
        wanted = np.zeros(self.x.shape[1], dtype=bool)
        wanted[kept] = True
        parameters: tuple[Array, Array, Array] = (
            components.mean[k],
            components.loadings[k],
            components.noise_variances[k],
        )
        mean, loadings, noise = parameters
        for rows, observed, law in self._parts(components):
            chosen, missing = rows[wanted[rows]], np.flatnonzero(~observed)
            if not missing.size or not chosen.size:
                continue
            total, own = weight[chosen].sum(dtype=np.float64), loadings[missing]
            if law is None:
                factors, half = np.zeros((own.shape[1], len(chosen))), own.T
            else:
                part = law.take([k])
                factors = part.factor_scores(self.x[np.ix_(observed, chosen)])[0]
                half = np.linalg.solve(part.posterior_root[0].T, own.T)
            filled[np.ix_(missing, chosen)] = mean[missing][:, None] + own @ factors
            spread[np.ix_(missing, missing)] += total * (half.T @ half)
            spread[missing, missing] += total * noise[missing]
        return filled[:, kept], spread
