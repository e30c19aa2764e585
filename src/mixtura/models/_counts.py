"""What mixtures of count rows share: validation, starts, totals; what differs is how components are made of parameters."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import validate_data

from mixtura.data import count_encoding
from mixtura.exceptions import InvalidDataError, InvalidParameterError
from mixtura.inference.driver import FitResult
from mixtura.inference.fitting import given_start
from mixtura.inference.problem import Problem
from mixtura.models._base import BaseMixture
from mixtura.protocols import Array, Component
from mixtura.structures import Independent, LatentMixture

__all__ = ["CountMixture", "check_probabilities", "independent", "row_totals"]


class CountMixture(BaseMixture):
    """Base of the mixtures over count rows, dense or CSR."""

    #: Name of the fitted parameters; without the underscore and with ``_init``, that of the argument that starts them.
    _fitted: ClassVar[str]
    #: What the components are, in messages.
    _kind: ClassVar[str]

    weights_init: Any
    totals_: Array

    @abstractmethod
    def _components(self, parameters: Array, totals: Array) -> Component:
        """Components with the given parameters, shape (K, C)."""

    @abstractmethod
    def _parameters(self, components: Any) -> Array:
        """Inverse of `_components`."""

    @abstractmethod
    def _check_parameters(self, name: str, parameters: Array) -> None:
        """Refuse given parameters (K, C) outside their domain."""

    def _validate(self, X: Any, *, reset: bool) -> Any:
        X = validate_data(self, X, reset=reset, accept_sparse="csr", dtype=np.float64, ensure_min_samples=1)
        if sp.issparse(X) and not X.has_canonical_format:  # a cell given in parts is one count
            X = X.copy()
            X.sum_duplicates()
        data = X.data if sp.issparse(X) else X
        if data.size and data.min() < 0:
            row, column, value = _first_bad(X, lambda values: values < 0)
            name = self.feature_names_in_[column] if hasattr(self, "feature_names_in_") else column
            msg = (
                f"Negative values in data passed to {type(self).__name__}: row {row}, column {name} is {value:g}; expected counts "
                "of at least 0. Remove returns, or give them a category of their own."
            )
            raise InvalidDataError(msg)
        return X

    def _check_rows(self, X: Any, weight: Array | None) -> None:
        super()._check_rows(X, weight)
        counted = X if weight is None else X[weight > 0]
        if not counted.sum() > 0:
            which = "" if weight is None else " in the rows of positive weight"
            msg = f"All counts are zero{which}; expected at least one positive count. Look at the columns and filters."
            raise InvalidDataError(msg)

    def _given(self, problem: Problem, rng: np.random.Generator) -> LatentMixture | None:
        name = f"{self._fitted}init"
        weights, parameters = self.weights_init, getattr(self, name)
        if self.warm_start and hasattr(self, self._fitted):
            weights, parameters = self.weights_, getattr(self, self._fitted)
        if weights is None and parameters is None:
            return None
        shape = (self.n_components, problem.encoding.n_features)
        if weights is not None:
            weights = _shaped("weights_init", weights, shape[:1])
            check_probabilities("weights_init", weights)
        if parameters is not None:
            parameters = _shaped(name, parameters, shape)
            self._check_parameters(name, parameters)
        if weights is None or parameters is None:
            model: Any = given_start(problem, rng, self.init_params)
            weights = model.structure.weights if weights is None else weights
            parameters = self._parameters(model.components) if parameters is None else parameters
        return self._started(problem, parameters, problem.structure(weights))

    def _started(self, problem: Problem, parameters: Array, structure: Any) -> LatentMixture:
        blank: Any = problem.components
        return LatentMixture(self._components(parameters, blank.totals), structure, problem.encoding)

    def _from_fitted(self, problem: Problem, other: BaseMixture) -> LatentMixture:
        n_features = problem.encoding.n_features
        if (
            not isinstance(other, CountMixture)
            or not hasattr(other, self._fitted)
            or other.n_features_in_ != n_features
        ):
            found = f"{type(other).__name__} of {other.n_features_in_} columns"
            msg = f"init_params is a fitted {found}; expected a {self._kind} mixture of {n_features} columns."
            raise InvalidParameterError(msg)
        return self._started(problem, getattr(other, self._fitted), self._structure_like(problem, other))

    def _structure_like(self, problem: Problem, other: BaseMixture) -> Any:
        return problem.structure(other.weights_)

    def _publish(self, result: FitResult) -> None:
        self.weights_ = result.model.structure.weights
        setattr(self, self._fitted, self._parameters(result.model.components))
        self.totals_ = result.model.components.totals

    def _model(self) -> LatentMixture:
        parameters = getattr(self, self._fitted)
        with np.errstate(divide="ignore"):
            structure = Independent(np.log(self.weights_))
        return LatentMixture(
            self._components(parameters, self.totals_), structure, count_encoding(parameters)
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.positive_only = True
        return tags


def independent(counts: Array) -> Independent:
    """One set of weights, proportional to the counts (K,)."""
    with np.errstate(divide="ignore"):
        return Independent(np.log(counts))


def row_totals(X: Any) -> Array:
    """Up to a thousand row totals, for sampling rows of realistic size."""
    totals = np.asarray(X.sum(axis=1), dtype=np.float64).ravel()
    if len(totals) > 1000:
        totals = np.sort(totals)[np.linspace(0, len(totals) - 1, 1000).astype(int)]
    return np.round(totals).astype(np.int64)


def check_probabilities(name: str, array: Array) -> None:
    """Refuse anything but probabilities that sum to one along the last axis."""
    sums = np.atleast_1d(array.sum(axis=-1))
    if not np.isfinite(array).all() or (array < 0).any() or np.any(np.abs(sums - 1.0) > 1e-6):
        msg = f"{name} must hold probabilities: at least 0, rows summing to one; found sums {sums[:3]}."
        raise InvalidParameterError(msg)


def _shaped(name: str, given: Any, shape: tuple[int, ...]) -> Array:
    array = np.asarray(given, dtype=np.float64)
    if array.shape != shape:
        msg = f"{name} has shape {array.shape}; expected {shape}, (components{', categories' * (len(shape) - 1)})."
        raise InvalidParameterError(msg)
    return array


def _first_bad(X: Any, test: Callable[[Array], Array]) -> tuple[int, int, float]:
    """Row, column and value of the first entry for which the test holds."""
    if sp.issparse(X):
        position = int(np.flatnonzero(test(X.data))[0])
        row = int(np.searchsorted(X.indptr, position, side="right") - 1)
        return row, int(X.indices[position]), float(X.data[position])
    rows, columns = np.nonzero(test(X))
    return int(rows[0]), int(columns[0]), float(X[rows[0], columns[0]])
