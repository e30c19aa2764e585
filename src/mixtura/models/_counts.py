"""What mixtures of count rows share: validation, starts, totals; what differs is how components are made of parameters."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from mixtura.exceptions import InvalidDataError
from mixtura.inference.driver import FitResult
from mixtura.models._parameters import ParameterMixture
from mixtura.models._support import canonical, refuse_negative, validated
from mixtura.protocols import Array, Component

__all__ = ["CountMixture", "row_totals"]


class CountMixture(ParameterMixture):
    """Base of the mixtures over count rows, dense or CSR."""

    totals_: Array

    @abstractmethod
    def _components(self, parameters: Array, totals: Array) -> Component:
        """Components with the given parameters, shape (K, C)."""

    def _validate(self, X: Any, *, reset: bool) -> Any:
        X = validated(self, X, reset=reset, accept_sparse="csr", dtype=np.float64, ensure_min_samples=1)
        X = canonical(X)
        refuse_negative(self, X, "Remove returns, or give them a category of their own.")
        return X

    def _check_rows(self, X: Any, weight: Array | None) -> None:
        super()._check_rows(X, weight)
        counted = X if weight is None else X[weight > 0]
        if not counted.sum() > 0:
            which = "" if weight is None else " in the rows of positive weight"
            msg = f"All counts are zero{which}; expected at least one positive count. Look at the columns and filters."
            raise InvalidDataError(msg)

    def _filled(self, parameters: Array, blank: Any = None) -> Component:
        return self._components(parameters, self.totals_ if blank is None else blank.totals)

    def _publish(self, result: FitResult) -> None:
        super()._publish(result)
        self.totals_ = result.model.components.totals

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.positive_only = True
        return tags


def row_totals(X: Any) -> Array:
    """Up to a thousand row totals, for sampling rows of realistic size."""
    totals = np.asarray(X.sum(axis=1), dtype=np.float64).ravel()
    if len(totals) > 1000:
        totals = np.sort(totals)[np.linspace(0, len(totals) - 1, 1000).astype(int)]
    return np.round(totals).astype(np.int64)
