"""Blocks of rows that lack cells under any covariance structure, by patterns (:mod:`mixtura.components.patterns`).

Large blocks go through the kernels of :mod:`mixtura.kernels.patterns`; the NumPy path is the definition. In either, where the
packed form would lose digits, or waste work on many columns, rows are taken about every component's own mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from mixtura.components.covariance import Full
from mixtura.components.partial import PartialBlock
from mixtura.components.patterns import (
    Conditional,
    Group,
    Patterns,
    complete_sums,
    conditional,
    group_rows,
    marginal_natural,
    triangle,
)
from mixtura.kernels import compiled
from mixtura.protocols import Array
from mixtura.statistics import Statistics, pack_symmetric

__all__ = ["PatternBlock"]

_LOG_TWO_PI = float(np.log(2.0 * np.pi))
# Cells times components below which NumPy is quick enough, and nothing is compiled.
_WORTH = 10_000


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
        self.complete, self.gaps, self.own = complete, gaps, own
        self.patterns: Patterns = group_rows(gaps)
        self.x = np.ascontiguousarray(x.T[self.patterns.rows])
        self._features: Array | None = None
        self._laws: tuple[Any, list[Conditional]] = (None, [])
        self._peaks: tuple[Any, Array] = (None, np.empty(0))

    @property
    def n_observed(self) -> Array:
        """Observed cells of each row, shape (B,)."""
        return np.asarray((~self.gaps).sum(axis=0))

    @property
    def features(self) -> Array:
        """T(x) of the rows that lack cells, shape (1 + D (D + 3) / 2, R)."""
        if self._features is None:
            n_rows, n_features = self.x.shape
            features = np.empty((1 + n_features * (n_features + 3) // 2, n_rows), self.x.dtype)
            features[0] = 1.0
            features[1 : 1 + n_features] = self.x.T
            Full().second_order(features[1 : 1 + n_features], features[1 + n_features :])
            self._features = features
        return self._features

    def _kernel(self, name: str, n_components: int) -> Any:
        """The compiled step, where it pays."""
        return compiled("mixtura.kernels.patterns", name) if self.x.size * n_components >= _WORTH else None

    def _laws_of(self, gaussian: Any) -> list[tuple[Group, Conditional]]:
        """Every group with its conditional laws: computed once for a block and its components."""
        if self._laws[0] is not gaussian:
            made = [conditional(gaussian.precision, group) for group in self.patterns.groups]
            self._laws = (gaussian, made)
        return list(zip(self.patterns.groups, self._laws[1], strict=True))

    def _each(self, gaussian: Any) -> Iterator[tuple[Group, Conditional, slice, int]]:
        """Every pattern: its group, laws, rows and number in the group."""
        for group, law in self._laws_of(gaussian):
            for pattern, rows in enumerate(self.patterns.spans(group.patterns)):
                yield group, law, rows, pattern

    # --- scores -----------------------------------------------------------------------------------------------
    def log_prob(self, gaussian: Any) -> Array:
        """Complete rows as ever, the others by pattern."""
        kernel = self._kernel("pattern_scores", gaussian.n_components)
        if kernel is not None:
            found = self._compiled_scores(kernel, gaussian)
        else:
            found = self._own_scores(gaussian) if self.own else self._marginal_scores(gaussian)
        scores = np.empty((len(found), self.gaps.shape[1]), found.dtype)
        scores[:, self.patterns.rows] = found
        if self.patterns.complete.size:
            scores[:, self.patterns.complete] = gaussian.normal_log_prob(self.complete)
        return scores

    def _compiled_scores(self, kernel: Any, gaussian: Any) -> Array:
        """All patterns in one call."""
        scores = np.empty((gaussian.n_components, len(self.x)))
        peaks = np.empty((gaussian.n_components, len(self.patterns.gaps)))
        half = np.array(_half_log_det(gaussian))
        kernel(*self._rows(), half, *_law_of(gaussian), self.own, peaks, scores)
        self._peaks = (gaussian, peaks)
        return scores.astype(self.x.dtype, copy=False)

    def _rows(self) -> tuple[Array, Array, Array]:
        """The rows as kernels take them."""
        return self.x.astype(np.float64, copy=False), self.patterns.gaps, self.patterns.offsets

    def _marginal_scores(self, gaussian: Any) -> Array:
        """One product for each pattern, with the natural parameters of its marginal densities."""
        features = self.features
        scores = np.empty((gaussian.n_components, features.shape[1]), features.dtype)
        for group, law in self._laws_of(gaussian):
            natural = marginal_natural(gaussian.natural, gaussian.precision, gaussian.mean, group, law)
            cast = natural.astype(features.dtype, copy=False)
            for one, rows in zip(cast, self.patterns.spans(group.patterns), strict=True):
                scores[:, rows] = one @ features[:, rows]
        return scores

    def _own_scores(self, gaussian: Any) -> Array:
        """Whitened residuals in which missing cells are as the observed ones let expect."""
        scores = np.repeat(self._pattern_peaks(gaussian), np.diff(self.patterns.offsets), axis=1)
        factor = gaussian.precision_cholesky
        for k, residual in enumerate(self._filled_residuals(gaussian)):
            white = gaussian.model.whiten(residual, factor, k)
            scores[k] -= 0.5 * np.einsum("db,db->b", white, white)
        return scores

    def peaks(self, gaussian: Any) -> Array:
        """From the determinants of the marginal precisions."""
        n_features, n_rows = self.gaps.shape
        peak = _half_log_det(gaussian) - 0.5 * n_features * _LOG_TWO_PI
        peaks = np.repeat(peak[:, None], n_rows, axis=1)
        by_pattern = self._pattern_peaks(gaussian)
        peaks[:, self.patterns.rows] = np.repeat(by_pattern, np.diff(self.patterns.offsets), axis=1)
        return peaks

    def _pattern_peaks(self, gaussian: Any) -> Array:
        """The same for every pattern, shape (K, G)."""
        if self._peaks[0] is not gaussian:
            half = _half_log_det(gaussian)
            peaks = np.empty((gaussian.n_components, len(self.patterns.gaps)))
            for group, law in self._laws_of(gaussian):
                size = group.observed.shape[1]
                found = half - law.half_log_det - 0.5 * size * _LOG_TWO_PI if size else np.zeros((1, 1))
                peaks[:, group.patterns] = found.T
            self._peaks = (gaussian, peaks)
        return self._peaks[1]

    def _filled_residuals(self, gaussian: Any) -> Array:
        """Rows about each mean, missing cells at their conditional means, shape (K, D, R)."""
        residuals = self.x.T - gaussian.mean[:, :, None]
        for group, law, rows, pattern in self._each(gaussian):
            part = residuals[:, :, rows]
            part[:, group.missing[pattern]] = -(law.slope[pattern] @ part[:, group.observed[pattern]])
        return residuals

    # --- sums -------------------------------------------------------------------------------------------------
    def moments(self, gaussian: Any, weight: Array, resp: Array) -> Statistics:
        """Complete rows as ever; the others' sums over observed cells, completed pattern by pattern."""
        rows, complete = self.patterns.rows, self.patterns.complete
        mine = weight[:, rows]
        stats = self._partial_moments(gaussian, mine, mine if weight is resp else resp[:, rows])
        if not complete.size:
            return stats
        mine = weight[:, complete]
        whole: Statistics = gaussian.moments(self.complete, mine, mine)
        return whole + stats

    def _partial_moments(self, gaussian: Any, weight: Array, resp: Array) -> Statistics:
        """Sums over the rows that lack cells, in the form of the covariance structure."""
        n_features, model = len(self.gaps), gaussian.model
        kernel = self._kernel("pattern_sums", len(weight))
        if kernel is not None:
            total = np.zeros((len(weight), 1 + n_features * (n_features + 3) // 2))
            double = (np.ascontiguousarray(one, dtype=np.float64) for one in (weight, resp))
            kernel(*self._rows(), *_law_of(gaussian), self.own, *double, total)
        else:
            total = (self._own_sums if self.own else self._completed)(gaussian, weight, resp)
        second = total[:, 1 + n_features :]
        if model.pooled:
            second = second.sum(axis=0, keepdims=True)
        elif model.n_second(n_features) != second.shape[1]:
            second = second[:, triangle(n_features).diagonal()]
            if model.n_second(n_features) == 1:
                second = second.sum(axis=1, keepdims=True)
        return Statistics(
            {"count": total[:, 0], "sum_x": total[:, 1 : 1 + n_features], "sum_xx": second},
            shared=frozenset({"sum_xx"}) if model.pooled else frozenset(),
            origin=gaussian.mean if self.own else None,
        )

    def _completed(self, gaussian: Any, weight: Array, resp: Array) -> Array:
        """Sums of T(x) for every pattern, then the laws."""
        features, total = self.features, np.zeros((len(weight), len(self.features)))
        for group, law in self._laws_of(gaussian):
            spans = list(self.patterns.spans(group.patterns))
            sums = np.stack([weight[:, rows] @ features[:, rows].T for rows in spans])
            sums = sums.astype(np.float64, copy=False)
            count = np.stack([resp[:, rows].sum(axis=1, dtype=np.float64) for rows in spans])
            complete_sums(sums, count, gaussian.mean, group, law)
            total += sums.sum(axis=0)
        return total

    def _own_sums(self, gaussian: Any, weight: Array, resp: Array) -> Array:
        """About each component's own mean."""
        n_components, n_features = gaussian.mean.shape
        residuals = self._filled_residuals(gaussian)
        spread = np.zeros((n_components, n_features, n_features))
        for group, law, rows, pattern in self._each(gaussian):
            missing = group.missing[pattern]
            within = resp[:, rows].sum(axis=1, dtype=np.float64)[:, None, None] * law.covariance[pattern]
            spread[:, missing[:, None], missing] += within
        for k, (residual, by) in enumerate(zip(residuals, weight, strict=True)):
            weighted = residual * np.sqrt(by)
            spread[k] += weighted @ weighted.T
        first = np.einsum("kdr,kr->kd", residuals, weight)
        count = weight.sum(axis=1, keepdims=True, dtype=np.float64)
        return np.concatenate([count, first, pack_symmetric(spread)], axis=1)

    def fill(self, gaussian: Any, resp: Array) -> Array:
        """Conditional means by each component's law."""
        rows, complete = self.patterns.rows, self.patterns.complete
        means = self._filled_residuals(gaussian) + gaussian.mean[:, :, None]
        filled = np.empty(self.gaps.shape, self.x.dtype)
        filled[:, complete] = self.complete.x
        filled[:, rows] = np.where(
            self.gaps[:, rows], np.einsum("kr,kdr->dr", resp[:, rows], means), self.x.T
        )
        return filled


def _half_log_det(gaussian: Any) -> Array:
    """Half the log determinant of every precision, shape (K,)."""
    n_components, n_features = gaussian.mean.shape
    half = gaussian.model.half_log_det(gaussian.precision_cholesky, n_features)
    return np.broadcast_to(half, (n_components,))


def _law_of(gaussian: Any) -> tuple[Array, Array]:
    """Precisions and means as kernels take them."""
    return np.ascontiguousarray(gaussian.precision), np.ascontiguousarray(gaussian.mean)
