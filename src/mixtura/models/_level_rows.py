"""Rows of levels at the border: what the fit learns of them, and what it refuses."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import narwhals as nw
import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import validate_data

from mixtura.exceptions import ConstantColumnWarning, InvalidDataError, InvalidParameterError
from mixtura.models import _levels
from mixtura.protocols import Array

__all__ = ["LevelRows"]


class LevelRows:
    """Validation of an estimator whose rows are levels."""

    levels_: list[list[Any]]
    feature_names_in_: Array
    warm_start: bool

    def _validate(self, X: Any, *, reset: bool) -> Any:
        """Rows as codes of levels (N, D), NaN where a cell is missing."""
        columns = _levels.columns_of(self._checked(X, reset=reset))
        if reset:
            self._learnt_before = getattr(self, "levels_", None)
            self.levels_ = [_levels.learn(column) for column in columns]
            for column, levels in zip(columns, self.levels_, strict=True):
                if not levels:
                    self._refuse_empty(column.name)
        owner = type(self).__name__
        pairs = zip(columns, self.levels_, strict=True)
        return np.stack([_levels.codes(column, levels, owner) for column, levels in pairs]).T

    def _checked(self, X: Any, *, reset: bool) -> Any:
        """A data frame as it is, anything else as a matrix of numbers, text or objects."""
        if isinstance(nw.from_native(X, eager_only=True, pass_through=True), nw.DataFrame):
            validate_data(self, X, reset=reset, skip_check_array=True)
            if len(X) < 1 + int(reset):
                msg = f"{type(self).__name__}: the data frame has {len(X)} row(s); expected at least {1 + int(reset)}."
                raise InvalidDataError(msg)
            return X
        if not (
            sp.issparse(X) or hasattr(X, "__array__")
        ):  # lists, in which NumPy would make texts of numbers
            try:
                X = np.array(X, dtype=object)
                X = X.astype(np.float64)
            except (TypeError, ValueError):  # levels that are no numbers; the shape is checked below
                pass
        kind = np.asarray(X).dtype.kind if hasattr(X, "__array__") else "O"
        return validate_data(
            self,
            X,
            reset=reset,
            dtype=np.float64 if kind in "fiuc" else None,
            ensure_all_finite="allow-nan" if kind in "fiuc" else False,
            ensure_min_samples=2 if reset else 1,
        )

    def _check_columns(self, X: Array, weight: Array | None) -> None:
        """Levels of rows of weight zero are not learnt; columns without two levels are told."""
        if weight is not None and not weight.all():
            self._forget(X, weight > 0)
        for j, levels in enumerate(self.levels_):
            if not levels:
                self._refuse_empty(self._name(j))
            if len(levels) == 1:
                warnings.warn(
                    f"{type(self).__name__}: column {self._name(j)!r} holds one level only, {_levels.listed(levels)}, so it says "
                    "nothing about the classes. Expected at least two levels. Leave the column out.",
                    ConstantColumnWarning,
                    stacklevel=4,
                )
        if self.warm_start and self._learnt_before is not None:
            self._check_levels(self._learnt_before, "warm_start: the last fit")

    def _forget(self, X: Array, counting: Array) -> None:
        """Take out the levels that no row of positive weight holds; X is changed in place."""
        for j, levels in enumerate(self.levels_):
            kept = np.unique(X[counting & ~np.isnan(X[:, j]), j]).astype(np.intp)
            if len(kept) < len(levels):
                places = np.full(len(levels), np.nan)
                places[kept] = np.arange(len(kept))
                shown = ~np.isnan(X[:, j])
                X[shown, j] = places[X[shown, j].astype(np.intp)]
                self.levels_[j] = [levels[index] for index in kept]

    def _refuse_empty(self, name: Any) -> None:
        msg = (
            f"{type(self).__name__}: column {name!r} is missing (None, NaN) in every row of positive weight; expected at least "
            "one value. Leave the column out."
        )
        raise InvalidDataError(msg)

    def _name(self, column: int) -> Any:
        return self.feature_names_in_[column] if hasattr(self, "feature_names_in_") else column

    def _check_levels(self, levels: Sequence[Sequence[Any]], what: str) -> None:
        """Refuse a start whose levels are others."""
        if len(levels) != len(self.levels_):
            msg = f"{what} has {len(levels)} columns; expected {len(self.levels_)}, as the rows have."
            raise InvalidParameterError(msg)
        for j, (old, new) in enumerate(zip(levels, self.levels_, strict=True)):
            if list(old) != list(new):
                msg = (
                    f"{what} has other levels in column {self._name(j)!r}: {_levels.listed(old)}; the rows hold "
                    f"{_levels.listed(new)}. Start afresh, or give rows with the same levels."
                )
                raise InvalidParameterError(msg)
