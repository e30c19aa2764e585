"""What mixtures of elliptical components share: covariance structures, given starts, nested structures, missing cells."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import numpy as np

from mixtura.components import COVARIANCES, MCLUST, CovarianceModel
from mixtura.components.eigen import covariance_code, nested_codes
from mixtura.data import column_encoding
from mixtura.exceptions import InvalidDataError, InvalidParameterError
from mixtura.inference.fitting import given_start
from mixtura.inference.initialize import component_embeddings, from_responsibilities, nearest, soften
from mixtura.inference.problem import Nested, Problem
from mixtura.inference.updates import Maximization, policy
from mixtura.models._base import BaseMixture
from mixtura.models._fitting import check_choice
from mixtura.models._support import check_missing, validated
from mixtura.protocols import Array
from mixtura.structures import Independent, LatentMixture

__all__ = ["EllipticalMixture"]

_TYPES: dict[str, type[CovarianceModel]] = COVARIANCES | MCLUST
# Common axes have many local optima: these models are fitted from the models nested in them, too.
_ALSO_FROM = {"EVE": ("EEE",), "VVE": ("VEE", "EVE")}


class EllipticalMixture(BaseMixture):
    """Base of the mixtures whose components have a mean and a matrix of some covariance structure."""

    #: Name of the fitted matrices.
    _matrices: ClassVar[str]

    covariance_type: str
    reg_covar: float
    weights_init: Any
    means_init: Any
    precisions_init: Any
    dtype: str

    @abstractmethod
    def _blank(self, covariance_type: str) -> Any:
        """Components without parameters."""

    @abstractmethod
    def _filled(self, blank: Any, mean: Array, matrix: Array, like: Any = None) -> Any:
        """Components with a mean (K, D) and a matrix in the form of the structure; what else there is, as of `like`."""

    @abstractmethod
    def _matrix(self, components: Any) -> Array:
        """Matrices of components in the form of their structure."""

    def _check_settings(self) -> None:
        super()._check_settings()
        check_choice("covariance_type", self.covariance_type, list(_TYPES))
        check_choice("dtype", self.dtype, ["float64", "float32"])

    def _validate(self, X: Any, *, reset: bool) -> Any:
        X = validated(
            self,
            X,
            reset=reset,
            dtype=[np.float64, np.float32],
            ensure_min_samples=2 if reset else 1,
            ensure_all_finite="allow-nan",
        )
        check_missing(self, self._blank(self.covariance_type), X, fitting=reset)
        return X

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _model_of(self, covariance_type: str, added: float) -> CovarianceModel:
        return _TYPES[covariance_type](added)

    def _problem(self, X: Array, sample_weight: Array | None) -> Problem:
        self._fitted_dtype = X.dtype
        blank = self._blank(self.covariance_type)
        problem = Problem(
            X,
            sample_weight,
            column_encoding(X, sample_weight, self.dtype),
            blank,
            _independent,
            component_embeddings(blank),
            lambda _: Maximization(policy=policy(self.on_degenerate)),
            self.n_components,
        )
        return self._with_nested(problem, self.covariance_type) if self.n_components > 1 else problem

    def _with_nested(self, problem: Problem, code: str) -> Problem:
        """The problem with the special cases that its code is fitted from, too, each with its own."""
        cases = {other: self._blank(other) for other in _ALSO_FROM.get(code, ())}
        nested = (
            Nested(
                self._with_nested(replace(problem, components=blank), other),
                partial(self._widened, problem.components),
            )
            for other, blank in cases.items()
        )
        return replace(problem, nested=tuple(nested))

    def _widened(self, blank: Any, model: LatentMixture) -> LatentMixture:
        """A model of a nested covariance structure as one of another structure: the same densities."""
        narrow: Any = model.components
        matrix = blank.model.from_matrices(np.asarray(narrow.matrices))
        return replace(model, components=self._filled(blank, narrow.mean, matrix, narrow))

    @property
    def _coded(self) -> bool:
        """Whether attributes hold whole matrices, as for every code of mclust."""
        return self.covariance_type in MCLUST

    def _stored(self, matrices: Array) -> Array:
        """Whole matrices in the form of the covariance structure."""
        return _TYPES[self.covariance_type]().from_matrices(matrices)

    # --- starts -----------------------------------------------------------------------------------------------
    def _given(self, problem: Problem, rng: np.random.Generator) -> LatentMixture | None:
        n_features = problem.encoding.n_features
        weights, means, precisions = self._check_start(n_features)
        if self.warm_start and hasattr(self, "means_"):
            found: Any = self._model().components
            matrix = getattr(self, self._matrices)
            matrix = self._stored(matrix) if self._coded else matrix
            return self._start_from(problem, self.weights_, self.means_, matrix, found)
        if weights is None and means is None and precisions is None:
            return None
        if weights is not None and means is not None and precisions is not None:
            return self._start_from(problem, weights, means, self._from_precisions(precisions))
        if means is None:
            model: Any = given_start(problem, rng, self.init_params)
        else:
            model = self._from_means(problem, means, rng)
        components = model.components
        matrix = self._matrix(components) if precisions is None else self._from_precisions(precisions)
        centres = components.mean + problem.encoding.origin if means is None else means
        weights = model.structure.weights if weights is None else weights
        return self._start_from(problem, weights, centres, matrix, components)

    def _from_fitted(self, problem: Problem, other: BaseMixture) -> LatentMixture:
        kind = getattr(other, "covariance_type", "none")
        nested = [covariance_code(self.covariance_type), *nested_codes(self.covariance_type)]
        if not self._is_kin(other) or covariance_code(kind) not in nested:
            name = type(self).__name__
            msg = (
                f"init_params is a fitted {type(other).__name__} (covariance_type: {kind}); expected a {name} with "
                f"covariance_type='{self.covariance_type}' or one nested in it ({', '.join(nested)})."
            )
            raise InvalidParameterError(msg)
        components: Any = other._model().components
        matrix = self._stored(np.asarray(components.matrices))
        return self._start_from(problem, other.weights_, other.means_, matrix, components)

    def _is_kin(self, other: BaseMixture) -> bool:
        """Whether the other's components are of the kind of this one's."""
        return isinstance(other, type(self))

    def _start_from(
        self, problem: Problem, weights: Array, means: Array, matrix: Array, like: Any = None
    ) -> LatentMixture:
        origin = np.zeros(1) if problem.encoding.origin is None else problem.encoding.origin
        centred = np.asarray(means, dtype=np.float64) - origin
        components = self._filled(self._blank(self.covariance_type), centred, matrix, like)
        with np.errstate(divide="ignore"):
            return LatentMixture(components, Independent(np.log(weights)), problem.encoding)

    def _from_means(self, problem: Problem, means: Array, rng: np.random.Generator) -> LatentMixture:
        """Weights and matrices of the rows nearest to each given mean; missing cells count as the columns' means."""
        sample = problem.sample(50_000, rng)
        scale = np.ones(1) if problem.encoding.scale is None else problem.encoding.scale
        scale = np.where(scale > 0, scale, 1.0)
        rows = sample.x
        if problem.encoding.missing and problem.encoding.origin is not None:
            rows = np.where(np.isnan(rows), problem.encoding.origin, rows)
        resp = soften(nearest(rows / scale, means / scale))
        return from_responsibilities(
            resp, sample.source(), sample.components, sample.structure, sample.encoding
        )

    def _check_start(self, n_features: int) -> tuple[Array | None, Array | None, Array | None]:
        """Given starting values as arrays of the right shape and range."""
        k, d = self.n_components, n_features
        shapes = {"full": (k, d, d), "tied": (d, d), "diag": (k, d), "spherical": (k,)}
        wanted = {"weights": (k,), "means": (k, d), "precisions": shapes.get(self.covariance_type, (k, d, d))}
        found: dict[str, Array | None] = {}
        for name, shape in wanted.items():
            given = getattr(self, f"{name}_init")
            found[name] = None if given is None else np.asarray(given, dtype=np.float64)
            array = found[name]
            if array is not None and array.shape != shape:
                msg = (
                    f"{name}_init has shape {array.shape}; expected {shape} for n_components={k}, {d} columns and "
                    f"covariance_type='{self.covariance_type}'."
                )
                raise InvalidParameterError(msg)
        weights = found["weights"]
        if weights is not None:
            bad = np.flatnonzero(~((weights >= 0) & (weights <= 1)))
            if bad.size:
                msg = f"weights_init[{bad[0]}] is {weights[bad[0]]:.5g}; expected weights between 0 and 1."
                raise InvalidParameterError(msg)
            if abs(weights.sum() - 1.0) > 1e-6:
                msg = f"weights_init sums to {weights.sum():.6g}; expected weights that sum to 1. Divide them by their sum."
                raise InvalidParameterError(msg)
        return weights, found["means"], found["precisions"]

    def _from_precisions(self, precisions: Array) -> Array:
        kind = self.covariance_type
        if kind in ("diag", "spherical"):
            bad = np.argwhere(~(precisions > 0))
            if bad.size:
                msg = f"precisions_init{bad[0].tolist()} is {precisions[tuple(bad[0])]:.5g}; expected positive numbers."
                raise InvalidParameterError(msg)
            return 1.0 / precisions
        for k, matrix in enumerate(precisions[None] if kind == "tied" else precisions):
            if not np.allclose(matrix, matrix.T) or np.linalg.eigvalsh(matrix)[0] <= 0:
                msg = (
                    f"precisions_init of component {k} is not symmetric and positive definite "
                    f"(smallest eigenvalue {np.linalg.eigvalsh(matrix)[0]:.3g}); expected an inverse covariance matrix."
                )
                raise InvalidParameterError(msg)
        covariance = np.linalg.inv(precisions)
        return self._stored(covariance) if self._coded else covariance


def _independent(counts: Array) -> Independent:
    if not np.any(counts > 0):
        msg = "No component holds any row; expected positive responsibilities. Check sample_weight."
        raise InvalidDataError(msg)
    with np.errstate(divide="ignore"):
        return Independent(np.log(counts))
