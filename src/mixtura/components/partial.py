r"""Blocks of rows of which some lack cells, as Gaussians see them: scores, expected sums and conditional means.

Three kinds do the same. `PatternBlock` takes any covariance structure, by the laws of :mod:`mixtura.components.patterns`.
`MaskedBlock` is for columns that are independent within a component: a missing cell leaves its terms out. `BlankBlock` is for
components without parameters, where missing cells are taken as drawn from the whole data.

Every method takes the Gaussians as an argument; only the rows belong to a block. The file is long because the three kinds
stand side by side.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from mixtura.components.covariance import Full
from mixtura.components.patterns import (
    Conditional,
    Patterns,
    complete_sums,
    conditional,
    group_rows,
    marginal_natural,
    triangle,
)
from mixtura.protocols import Array
from mixtura.statistics import Statistics, pack_symmetric

__all__ = ["BlankBlock", "MaskedBlock", "PartialBlock", "PatternBlock", "add_variances"]

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


class PatternBlock(PartialBlock):
    """Rows under any covariance structure, by patterns of missing cells.

    Parameters
    ----------
    complete : GaussianBlock
        The rows that lack nothing.
    x : ndarray, shape (D, B)
        All rows about the encoding's origin, zero where cells are missing.
    gaps : ndarray of bool, shape (D, B)
        Missing cells.
    own : bool
        Whether components work about their own means.
    """

    def __init__(self, complete: Any, x: Array, gaps: Array, *, own: bool) -> None:
        self.complete, self.gaps = complete, gaps
        self.complete_rows = np.flatnonzero(~gaps.any(axis=0))
        self.patterns: Patterns = group_rows(gaps)
        self.groups = self.patterns.groups()
        self.x = x[:, self.patterns.rows]
        self.features: Array | None = None
        if not own:
            n_features = len(x)
            self.features = np.empty((1 + n_features * (n_features + 3) // 2, self.x.shape[1]), x.dtype)
            self.features[0] = 1.0
            self.features[1 : 1 + n_features] = self.x
            Full().second_order(self.x, self.features[1 + n_features :])
        self._laws: tuple[Any, list[Conditional]] = (None, [])
        self._natural: tuple[Any, list[tuple[Array, Array]]] = (None, [])

    @property
    def n_observed(self) -> Array:
        """Observed cells of each row, shape (B,)."""
        return np.asarray((~self.gaps).sum(axis=0))

    # --- what the patterns' rows share: computed once for a block and its components ---------------------------
    def laws(self, gaussian: Any) -> list[Conditional]:
        """Conditional laws of each group."""
        if self._laws[0] is not gaussian:
            self._laws = (gaussian, [conditional(gaussian.precision, group) for group in self.groups])
        return self._laws[1]

    def marginals(self, gaussian: Any) -> list[tuple[Array, Array]]:
        """Natural parameters and intercepts of each group."""
        if self._natural[0] is not gaussian:
            made = [
                marginal_natural(gaussian.natural, gaussian.precision, gaussian.mean, group, law)
                for group, law in zip(self.groups, self.laws(gaussian), strict=True)
            ]
            self._natural = (gaussian, made)
        return self._natural[1]

    # --- scores -----------------------------------------------------------------------------------------------
    def log_prob(self, gaussian: Any) -> Array:
        """Complete rows as ever, the others by pattern."""
        found = self._marginal_scores(gaussian) if self.features is not None else self._own_scores(gaussian)
        scores = np.empty((len(found), self.gaps.shape[1]), found.dtype)
        scores[:, self.patterns.rows] = found
        if self.complete_rows.size:
            scores[:, self.complete_rows] = gaussian.log_prob(self.complete)
        return scores

    def _marginal_scores(self, gaussian: Any) -> Array:
        """One product for each pattern, with the natural parameters of its marginal densities."""
        features = self.features
        assert features is not None  # noqa: S101 - for the type checker: the caller looked
        scores = np.empty((gaussian.n_components, features.shape[1]), features.dtype)
        for group, (natural, _) in zip(self.groups, self.marginals(gaussian), strict=True):
            cast = natural.astype(features.dtype, copy=False)
            for one, rows in zip(cast, self.patterns.spans(group.patterns), strict=True):
                scores[:, rows] = one @ features[:, rows]
        return scores

    def _own_scores(self, gaussian: Any) -> Array:
        """Whitened residuals in which missing cells are as the observed ones let expect."""
        residuals = self._filled_residuals(gaussian)
        scores = self._peaks(gaussian)
        factor = gaussian.precision_cholesky
        for k, residual in enumerate(residuals):
            white = gaussian.model.whiten(residual, factor, k)
            scores[k] -= 0.5 * np.einsum("db,db->b", white, white)
        return scores

    def peaks(self, gaussian: Any) -> Array:
        """From the determinants of the marginal precisions."""
        n_features = len(self.gaps)
        half = np.broadcast_to(
            gaussian.model.half_log_det(gaussian.precision_cholesky, n_features), (gaussian.n_components,)
        )
        peaks = np.repeat((half - 0.5 * n_features * _LOG_TWO_PI)[:, None], self.gaps.shape[1], axis=1)
        peaks[:, self.patterns.rows] = self._peaks(gaussian)
        return peaks

    def _peaks(self, gaussian: Any) -> Array:
        """The same for the rows that lack cells."""
        n_features, n_components = len(self.gaps), gaussian.n_components
        half = np.broadcast_to(
            gaussian.model.half_log_det(gaussian.precision_cholesky, n_features), (n_components,)
        )
        by_pattern = np.empty((n_components, len(self.patterns.gaps)))
        for group, law in zip(self.groups, self.laws(gaussian), strict=True):
            size = group.observed.shape[1]
            by_pattern[:, group.patterns] = (
                (half - law.half_log_det - 0.5 * size * _LOG_TWO_PI).T if size else 0.0
            )
        return np.repeat(by_pattern, np.diff(self.patterns.offsets), axis=1)

    def _filled_residuals(self, gaussian: Any) -> Array:
        """Rows about each mean, missing cells at their conditional means, shape (K, D, R)."""
        residuals = self.x - gaussian.mean[:, :, None]
        for group, law, rows, pattern in self._each(gaussian):
            observed, missing = group.observed[pattern], group.missing[pattern]
            part = residuals[:, :, rows]
            part[:, missing] = -(law.slope[pattern] @ part[:, observed])
        return residuals

    def _each(self, gaussian: Any) -> Any:
        """Every pattern: its group, laws, rows and number in the group."""
        for group, law in zip(self.groups, self.laws(gaussian), strict=True):
            for pattern, rows in enumerate(self.patterns.spans(group.patterns)):
                yield group, law, rows, pattern

    # --- sums -------------------------------------------------------------------------------------------------
    def moments(self, gaussian: Any, weight: Array, resp: Array) -> Statistics:
        """Complete rows as ever; the others' sums over observed cells, completed pattern by pattern."""
        rows = self.patterns.rows
        same = weight is resp
        mine = weight[:, rows]
        args = (gaussian, mine, mine if same else resp[:, rows])
        stats = self._completed(*args) if self.features is not None else self._own_moments(*args)
        if not self.complete_rows.size:
            return stats
        mine = weight[:, self.complete_rows]
        whole: Statistics = gaussian.moments(self.complete, mine, mine)
        return whole + stats

    def _completed(self, gaussian: Any, weight: Array, resp: Array) -> Statistics:
        """Sums of T(x) for every pattern, then the laws."""
        features = self.features
        assert features is not None  # noqa: S101 - for the type checker: the caller looked
        n_features = len(self.x)
        total = np.zeros((len(weight), len(features)))
        for group, law, (_, shift) in zip(
            self.groups, self.laws(gaussian), self.marginals(gaussian), strict=True
        ):
            spans = list(self.patterns.spans(group.patterns))
            sums = np.stack([weight[:, rows] @ features[:, rows].T for rows in spans]).astype(
                np.float64, copy=False
            )
            count = sums[:, :, 0]
            if weight is not resp:
                count = np.add.reduceat(
                    resp[:, spans[0].start : spans[-1].stop],
                    self.patterns.offsets[:-1][group.patterns] - spans[0].start,
                    axis=1,
                ).T
            complete_sums(sums, count, shift, group, law, n_features)
            total += sums.sum(axis=0)
        return self._statistics(
            gaussian, total[:, 0], total[:, 1 : 1 + n_features], total[:, 1 + n_features :]
        )

    def _own_moments(self, gaussian: Any, weight: Array, resp: Array) -> Statistics:
        """About each component's own mean."""
        n_components, n_features = gaussian.mean.shape
        residuals = self._filled_residuals(gaussian)
        spread = np.zeros((n_components, n_features, n_features))
        for group, law, rows, pattern in self._each(gaussian):
            missing = group.missing[pattern]
            within = resp[:, rows].sum(axis=1, dtype=np.float64)[:, None, None] * law.covariance[pattern]
            spread[:, missing[:, None], missing] += within
        second = np.empty((n_components, n_features * (n_features + 1) // 2))
        for k, (residual, by) in enumerate(zip(residuals, weight, strict=True)):
            weighted = residual * np.sqrt(by)
            second[k] = pack_symmetric(weighted @ weighted.T)
        first = np.einsum("kdr,kr->kd", residuals, weight)
        stats = self._statistics(
            gaussian, weight.sum(axis=1, dtype=np.float64), first, second + pack_symmetric(spread)
        )
        stats.origin = gaussian.mean
        return stats

    def _statistics(self, gaussian: Any, count: Array, first: Array, second: Array) -> Statistics:
        """In the form of the covariance structure."""
        n_features, model = len(self.gaps), gaussian.model
        if model.pooled:
            second = second.sum(axis=0, keepdims=True)
        elif model.n_second(n_features) != second.shape[1]:
            second = second[:, triangle(n_features).diagonal()]
            if model.n_second(n_features) == 1:
                second = second.sum(axis=1, keepdims=True)
        shared = frozenset({"sum_xx"}) if model.pooled else frozenset()
        return Statistics({"count": count, "sum_x": first, "sum_xx": second}, shared=shared)

    def fill(self, gaussian: Any, resp: Array) -> Array:
        """Conditional means by each component's law."""
        rows = self.patterns.rows
        means = self._filled_residuals(gaussian) + gaussian.mean[:, :, None]
        filled = np.zeros(self.gaps.shape, self.x.dtype)
        if self.complete_rows.size:
            filled[:, self.complete_rows] = self.complete.x
        filled[:, rows] = np.where(self.gaps[:, rows], np.einsum("kr,kdr->dr", resp[:, rows], means), self.x)
        return filled


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
