"""What mixtures share whose components are one matrix of parameters, a row each: starts, warm starts, fitted attributes."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np

from mixtura.data import count_encoding
from mixtura.exceptions import InvalidParameterError
from mixtura.inference.driver import FitResult
from mixtura.inference.fitting import given_start
from mixtura.inference.problem import Problem
from mixtura.models._base import BaseMixture
from mixtura.protocols import Array, Component
from mixtura.structures import Independent, LatentMixture

__all__ = ["ParameterMixture", "check_probabilities", "independent"]


class ParameterMixture(BaseMixture):
    """Base of the mixtures with parameters (K, C), for C columns."""

    #: Name of the fitted parameters; without the underscore and with ``_init``, that of the argument that starts them.
    _fitted: ClassVar[str]
    #: What the components are, in messages.
    _kind: ClassVar[str]

    weights_init: Any

    @abstractmethod
    def _filled(self, parameters: Array, blank: Any = None) -> Component:
        """Components with the given parameters, shape (K, C), otherwise like `blank`; None means like the fitted ones."""

    @abstractmethod
    def _parameters(self, components: Any) -> Array:
        """Inverse of `_filled`."""

    @abstractmethod
    def _check_parameters(self, name: str, parameters: Array) -> None:
        """Refuse given parameters (K, C) outside their domain."""

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
        return LatentMixture(self._filled(parameters, problem.components), structure, problem.encoding)

    def _from_fitted(self, problem: Problem, other: BaseMixture) -> LatentMixture:
        n_features = problem.encoding.n_features
        if (
            not isinstance(other, ParameterMixture)
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

    def _model(self) -> LatentMixture:
        parameters = getattr(self, self._fitted)
        return LatentMixture(self._filled(parameters), independent(self.weights_), count_encoding(parameters))


def independent(counts: Array) -> Independent:
    """One set of weights, proportional to the counts (K,)."""
    with np.errstate(divide="ignore"):
        return Independent(np.log(counts))


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
