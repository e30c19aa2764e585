r"""Blocks of rows of which some lack cells, as Gaussians see them: scores, expected sums and conditional means.

`MaskedBlock` is for columns that are independent within a component: a missing cell leaves its terms out. `BlankBlock` is for
components without parameters, where missing cells are taken as drawn from the whole data. The third kind, for any covariance
structure, is :class:`mixtura.components.pattern_block.PatternBlock`.

Every method takes the Gaussians as an argument; only the rows belong to a block.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from mixtura.components.patterns import triangle
from mixtura.protocols import Array
from mixtura.statistics import Statistics

__all__ = ["BlankBlock", "MaskedBlock", "PartialBlock", "add_variances"]

_LOG_TWO_PI = float(np.log(2.0 * np.pi))


class PartialBlock(ABC):
    """A batch in which cells are missing."""

    @property
    @abstractmethod
    def n_observed(self) -> Array:
        """Observed cells of each row, shape (B,)."""

    @abstractmethod
    def log_prob(self, gaussian: Any) -> Array:
        """Log densities of the observed cells, shape (K, B)."""

    @abstractmethod
    def peaks(self, gaussian: Any) -> Array:
        """The largest log density that a row's observed cells could have, shape (K, B)."""

    @abstractmethod
    def moments(self, gaussian: Any, weight: Array, resp: Array) -> Statistics:
        """Expected sums over all cells: rows count by weight (K, B), conditional covariances by resp (K, B)."""

    @abstractmethod
    def fill(self, gaussian: Any, resp: Array) -> Array:
        """Rows (D, B) with missing cells replaced by their conditional means, averaged by resp (K, B)."""


class BlankBlock(PartialBlock):
    """Rows before there are parameters: a missing cell has the columns' mean and variance.

    Parameters
    ----------
    block : GaussianBlock
        The rows, zero (the origin) where cells are missing.
    gaps : ndarray of bool, shape (D, B)
        Missing cells.
    variance : ndarray, shape (D,)
        Of the columns.
    """

    def __init__(self, block: Any, gaps: Array, variance: Array) -> None:
        self.block, self.gaps, self.variance = block, gaps, variance

    @property
    def n_observed(self) -> Array:
        """Observed cells of each row, shape (B,)."""
        return np.asarray((~self.gaps).sum(axis=0))

    def log_prob(self, gaussian: Any) -> Array:
        """There is none: the components' own message says so."""
        return np.asarray(gaussian.natural)

    def peaks(self, gaussian: Any) -> Array:
        """There are none: the components' own message says so."""
        return np.asarray(gaussian.natural)

    def moments(self, gaussian: Any, weight: Array, resp: Array) -> Statistics:
        """Sums over the observed cells, and the columns' variances."""
        stats: Statistics = gaussian.moments(self.block, weight, resp)
        missing = (resp @ self.gaps.T.astype(resp.dtype)).astype(np.float64)
        add_variances(stats["sum_xx"], missing * self.variance, pooled=gaussian.model.pooled)
        return stats

    def fill(self, gaussian: Any, resp: Array) -> Array:
        """There is nothing to fill in from: the components' own message says so."""
        return np.asarray(gaussian.natural)


class MaskedBlock(PartialBlock):
    """Rows whose columns are independent within a component.

    Parameters
    ----------
    x : ndarray, shape (D, B)
        Rows about the encoding's origin, zero where cells are missing.
    gaps : ndarray of bool, shape (D, B)
        Missing cells.
    model : CovarianceModel
        Makes the second-order features.
    own : bool
        Whether components work about their own means.
    """

    def __init__(self, x: Array, gaps: Array, model: Any, *, own: bool) -> None:
        n_features, n_rows = x.shape
        self.x, self.gaps, self.own = x, gaps, own
        self.features = np.empty(
            ((1 if own else 2) * n_features + (0 if own else model.n_second(n_features)), n_rows), x.dtype
        )
        self.features[:n_features] = ~gaps
        if not own:
            self.features[n_features : 2 * n_features] = x
            model.second_order(x, self.features[2 * n_features :])

    @property
    def n_observed(self) -> Array:
        """Observed cells of each row, shape (B,)."""
        return np.asarray(self.features[: len(self.x)].sum(axis=0))

    def log_prob(self, gaussian: Any) -> Array:
        """A sum over the observed columns, in one product where the origin serves all components."""
        n_features = len(self.x)
        precision, peak = _precisions(gaussian)
        if not self.own:
            mean = gaussian.mean
            natural = np.concatenate(
                [
                    peak - 0.5 * precision * mean**2,
                    precision * mean,
                    gaussian.natural[:, 1 + n_features :],
                ],
                axis=1,
            )
            return np.asarray(natural.astype(self.x.dtype, copy=False) @ self.features)
        scores = peak @ self.features
        for k, residual in enumerate(self._residuals(gaussian)):
            white = residual * np.sqrt(precision[k])[:, None]
            scores[k] -= 0.5 * np.einsum("db,db->b", white, white)
        return scores

    def peaks(self, gaussian: Any) -> Array:
        """Sums of the observed columns' own."""
        return np.asarray(_precisions(gaussian)[1] @ self.features[: len(self.x)])

    def _residuals(self, gaussian: Any) -> Any:
        """Rows about each mean, zero where cells are missing."""
        return ((self.x - mean[:, None]) * ~self.gaps for mean in gaussian.mean)

    def moments(self, gaussian: Any, weight: Array, resp: Array) -> Statistics:
        """Observed cells, and for each missing one the component's mean and variance."""
        n_features, model = len(self.x), gaussian.model
        variance = model.variances(gaussian.covariance, *gaussian.mean.shape)
        count = weight.sum(axis=1, dtype=np.float64)
        sums = (weight @ self.features.T).astype(np.float64, copy=False)
        rest = count[:, None] - sums[:, :n_features]
        missing = rest
        if weight is not resp:
            missing = (resp @ self.gaps.T.astype(resp.dtype)).astype(np.float64)
        if self.own:
            pairs = list(zip(self._residuals(gaussian), weight, strict=True))
            second = np.stack([np.atleast_1d(model.own_second_order(one, by)) for one, by in pairs]).astype(
                np.float64
            )
            first = np.stack([one @ by for one, by in pairs]).astype(np.float64)
            add_variances(second, missing * variance, pooled=False)
            return Statistics({"count": count, "sum_x": first, "sum_xx": second}, origin=gaussian.mean)
        mean = gaussian.mean
        second = sums[:, 2 * n_features :].copy()
        add_variances(second, rest * mean**2 + missing * variance, pooled=False)
        first = sums[:, n_features : 2 * n_features] + rest * mean
        return Statistics({"count": count, "sum_x": first, "sum_xx": second})

    def fill(self, gaussian: Any, resp: Array) -> Array:
        """The components' means."""
        return np.where(self.gaps, gaussian.mean.T @ resp, self.x)


def add_variances(second: Array, variances: Array, *, pooled: bool) -> None:
    """Add to ``sum_xx``, in whichever form it has and in place, diagonal matrices (K, D)."""
    n_features = variances.shape[1]
    if pooled:
        variances = variances.sum(axis=0, keepdims=True)
    if second.shape[1] == n_features * (n_features + 1) // 2:
        second[:, triangle(n_features).diagonal()] += variances
    else:
        second += variances if second.shape[1] == n_features else variances.sum(axis=1, keepdims=True)


def _precisions(gaussian: Any) -> tuple[Array, Array]:
    """Precision of every column, and the largest log density of one, both (K, D)."""
    factor = gaussian.model.variances(gaussian.precision_cholesky, *gaussian.mean.shape)
    return factor**2, np.log(factor) - 0.5 * _LOG_TWO_PI
