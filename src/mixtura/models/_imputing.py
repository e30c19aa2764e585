"""Missing cells filled in by a fitted mixture."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import narwhals as nw
import numpy as np
from scipy.special import logsumexp
from sklearn.utils.validation import check_is_fitted, validate_data

from mixtura.components import hooks
from mixtura.components.conditioning import observed_log_prob
from mixtura.models._levels import Level
from mixtura.models._support import check_support
from mixtura.protocols import Array, Batch
from mixtura.structures import LatentMixture

__all__ = ["Imputing"]


class Imputing:
    """The method of a fitted mixture that fills in what rows lack."""

    # Given by the other bases; declared for the type checker.
    n_features_in_: int

    @abstractmethod
    def _model(self) -> LatentMixture:
        """The fitted model, made from the public attributes."""

    @abstractmethod
    def _batches(
        self, X: Any, sample_weight: Array | None = None, model: LatentMixture | None = None
    ) -> Iterator[tuple[slice, Batch, LatentMixture]]:
        """Blocks of rows with the fitted model and where they belong."""

    @abstractmethod
    def _row_log_weights(self, rows: slice, batch: Batch, model: LatentMixture) -> Array:
        """Log prior of the components for the given rows, shape (K,) or (K, B)."""

    # --- what a subclass may say ------------------------------------------------------------------------------
    def _known_levels(self) -> list[Sequence[Level]]:
        """Names of the levels of each column, in order; empty where it holds numbers."""
        return [()] * self.n_features_in_

    def _levels_in(self, X: Any) -> list[Sequence[Level]]:
        """The same where rows hold names of levels; empty where they hold the levels' numbers."""
        return self._known_levels()

    def _incomplete(self, X: Any) -> Array:
        """Rows as numbers, of which any cell may be missing."""
        rows: Array = validate_data(
            self, X, reset=False, dtype=[np.float64, np.float32], ensure_all_finite="allow-nan"
        )
        check_support(self, self._model().components, rows)
        return rows

    # --- the rows ---------------------------------------------------------------------------------------------
    def impute(self, X: Any) -> Any:
        """Rows in which missing cells are what the fitted mixture expects there, given the rest of their row.

        A number becomes its conditional mean: every component's, averaged by the row's posterior probabilities (a count
        may become a fraction, a column of 0 and 1 a probability). A level becomes the most probable one, an angle the mean
        direction, from -pi to pi. A row without any value gets the mean of the mixture. The fit itself fills in nothing.

        Parameters
        ----------
        X : array_like or data frame, shape (n_samples, n_features)
            The rows; NaN or None where a cell is missing.

        Returns
        -------
        ndarray or data frame, shape (n_samples, n_features)
            A copy, of the same kind as X; cells that were there are as they were.

        Raises
        ------
        InvalidParameterError
            If the components cannot say what to expect of some columns, or have no mean.

        Examples
        --------
        >>> from mixtura import GaussianMixture
        >>> x = np.random.default_rng(0).normal(size=(1000, 1))
        >>> GaussianMixture().fit(np.hstack([x, 2 * x])).impute([[1.0, np.nan]]).round(3)
        array([[1., 2.]])
        """
        check_is_fitted(self)
        rows = self._incomplete(X)
        filled, gaps = np.array(rows), np.isnan(rows)
        if gaps.any():
            for where, batch, model in self._batches(rows, model=self._model().point):
                some = np.flatnonzero(np.isnan(batch.x).any(axis=0))
                if some.size:
                    filled[where.start + some] = self._completed(where, some, batch, model).T
            filled[~gaps] = rows[~gaps]
        return _like(X, filled, gaps, self._frame_names(X), self._levels_in(X))

    def _completed(self, where: slice, some: Array, batch: Batch, model: LatentMixture) -> Array:
        """Some rows of a block, complete, in units of the data, shape (D, n)."""
        components: Any = model.components
        x, encoding = batch.x[:, some], model.encoding
        joint = observed_log_prob(components, x, encoding)
        weights = self._row_log_weights(where, batch, model)
        weights = weights[:, None] if weights.ndim == 1 else weights[:, some]
        joint += weights
        total = logsumexp(joint, axis=0)
        possible = np.isfinite(total)
        resp = np.exp(np.where(possible, joint - np.where(possible, total, 0.0), weights))
        completed = hooks.completed(components, x, resp, encoding)
        return completed if encoding.origin is None else completed + encoding.origin[:, None]

    def _frame_names(self, X: Any) -> list[str]:
        """The columns of a data frame that are those of the mixture."""
        frame = nw.from_native(X, eager_only=True, pass_through=True)
        return list(frame.columns) if isinstance(frame, nw.DataFrame) else []


def _like(X: Any, filled: Array, gaps: Array, names: Sequence[str], levels: Sequence[Sequence[Level]]) -> Any:
    """X with the cells that it lacks: numbers, or names of levels, from rows (N, D)."""
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    columns = [int(column) for column in np.flatnonzero(gaps.any(axis=0))]
    found: dict[int, list[Any]] = {}
    for column in columns:
        own = filled[gaps[:, column], column]
        found[column] = [levels[column][int(value)] for value in own] if len(levels[column]) else own.tolist()
    if isinstance(frame, nw.DataFrame):
        series = [_filled(frame[names[column]], gaps[:, column], found[column]) for column in columns]
        return (frame.with_columns(*series) if series else frame.clone()).to_native()
    if not any(len(own) for own in levels):
        return filled
    cells = np.array(X)
    for column in columns:
        cells[gaps[:, column], column] = found[column]
    return cells


def _filled(series: nw.Series[Any], gaps: Array, values: Sequence[Any]) -> nw.Series[Any]:
    """A column of a data frame with the cells that it lacks."""
    if series.dtype.is_numeric():
        numbers = np.array(series.cast(nw.Float64()).to_numpy(), dtype=np.float64)
        numbers[gaps] = values
        return nw.new_series(series.name, numbers, nw.Float64(), backend=series.implementation)
    cells = series.to_list()
    for row, value in zip(np.flatnonzero(gaps), values, strict=True):
        cells[row] = value
    new = nw.new_series(series.name, cells, backend=series.implementation)
    return new if new.dtype == series.dtype else new.cast(series.dtype)
