"""A mixture of any component, with the familiar methods."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from mixtura.components import DirichletMultinomial, Gaussian, hooks
from mixtura.data import mixed_encoding
from mixtura.exceptions import InvalidParameterError
from mixtura.families import ExponentialFamily, FamilyComponents, Multinomial
from mixtura.families.multinomial import MultinomialComponents
from mixtura.inference.driver import FitResult, Progress
from mixtura.inference.initialize import component_embeddings
from mixtura.inference.problem import Problem
from mixtura.inference.updates import Maximization, policy
from mixtura.models._base import BaseMixture
from mixtura.models._support import check_missing, check_support
from mixtura.protocols import Array, Component, Executor
from mixtura.structures import Independent, LatentMixture

__all__ = ["Mixture"]

# What makes an object a component. (isinstance with a protocol reads properties, which a blank component has not yet.)
_METHODS = ("encode", "log_prob", "expected_statistics", "maximize", "take", "sample")


class Mixture(BaseMixture):
    """Mixture of K components of any kind: one object says what they are, everything else is the same.

    Parameters
    ----------
    components : Component or ExponentialFamily
        What the components are: ``Gaussian(model=Full())``, ``MultinomialComponents()``, a family such as ``Normal()``,
        or your own (docs/add-a-family.md). A component with parameters is also the start.
    n_components : int, default 1
        K; where `components` has parameters, their number.
    tol, max_iter, n_init, init_params, random_state, warm_start, verbose, on_degenerate, time_budget, callbacks, executor
        As for :class:`GaussianMixture`.

    Attributes
    ----------
    weights_ : ndarray, shape (K,)
        Mixture weights.
    components_ : Component
        Fitted components, about `origin_`.
    origin_ : ndarray, shape (D,), or None
        Point about which the components' locations are given.
    converged_, n_iter_, lower_bound_, lower_bounds_, starts_, n_features_in_, feature_names_in_
        As for :class:`GaussianMixture`.

    Examples
    --------
    >>> from mixtura.families import Normal
    >>> rng = np.random.default_rng(0)
    >>> x = np.concatenate([rng.normal(0, 1, 200), rng.normal(8, 1, 600)])
    >>> Mixture(Normal(), 2, random_state=0).fit(x).weights_.round(2).max()
    np.float64(0.75)
    """

    _saved_arrays = ("weights_",)
    _saved_objects = ("components", "components_", "origin_", "_encoding")

    def __init__(
        self,
        components: Component | ExponentialFamily | None = None,
        n_components: int = 1,
        *,
        tol: float = 1e-5,
        max_iter: int = 1000,
        n_init: int = 1,
        init_params: Any = "sieve",
        random_state: Any = None,
        warm_start: bool = False,
        verbose: int = 0,
        on_degenerate: str = "reseed",
        time_budget: float | None = None,
        callbacks: Sequence[Callable[[Progress], object]] = (),
        executor: Executor | None = None,
    ) -> None:
        self.components = components
        self.n_components = n_components
        self.tol = tol
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.on_degenerate = on_degenerate
        self.time_budget = time_budget
        self.callbacks = callbacks
        self.executor = executor

    @property
    def _component(self) -> Component:
        given = Gaussian() if self.components is None else self.components
        if isinstance(given, Multinomial):
            return MultinomialComponents()
        if isinstance(given, ExponentialFamily):
            return FamilyComponents(given)
        if not all(callable(getattr(given, name, None)) for name in _METHODS):
            msg = (
                f"components is {given!r}; expected a component (Gaussian(), MultinomialComponents(), ...) or an exponential "
                "family (Normal(), ...). See docs/add-a-family.md for your own."
            )
            raise InvalidParameterError(msg)
        return given

    def _validate(self, X: Any, *, reset: bool) -> Any:
        from sklearn.utils.validation import validate_data

        shape = X.shape if hasattr(X, "shape") else np.asarray(X).shape
        if not sp.issparse(X) and len(shape) == 1:
            X = np.reshape(X, (-1, 1))
        component = self._component
        X = validate_data(
            self,
            X,
            reset=reset,
            accept_sparse="csr" if _takes_sparse(component) else False,
            dtype=np.float64,
            ensure_all_finite="allow-nan",
        )
        check_missing(self, component, X, fitting=reset)
        check_support(self, component, X)
        return X

    def _problem(self, X: Any, sample_weight: Array | None) -> Problem:
        component = self._component
        encoding = mixed_encoding(X, sample_weight, hooks.centred_columns(component, X.shape[1]))
        return Problem(
            X,
            sample_weight,
            encoding,
            component if encoding.origin is None else hooks.moved(component, encoding.origin),
            lambda counts: Independent(np.log(np.maximum(counts, 1e-300))),
            component_embeddings(component),
            lambda _: Maximization(policy=policy(self.on_degenerate)),
            self.n_components,
        )

    def _given(self, problem: Problem, rng: np.random.Generator) -> LatentMixture | None:
        if self.warm_start and hasattr(self, "components_"):
            return self._from_fitted(problem, self)
        if hooks.is_blank(problem.components):
            return None
        start = problem.components
        return LatentMixture(start, Independent(np.zeros(start.n_components)), problem.encoding)

    def _from_fitted(self, problem: Problem, other: BaseMixture) -> LatentMixture:
        if not isinstance(other, Mixture):
            msg = f"init_params is a fitted {type(other).__name__}; expected a fitted Mixture of the same components."
            raise InvalidParameterError(msg)
        origin = problem.encoding.origin
        components = other.components_
        if origin is not None:
            components = hooks.moved(components, origin - other.origin_)
        return LatentMixture(components, Independent(np.log(other.weights_)), problem.encoding)

    def _publish(self, result: FitResult) -> None:
        self.weights_ = result.model.structure.weights
        self.components_ = result.model.components
        self.origin_ = result.model.encoding.origin
        self._encoding = result.model.encoding

    def _model(self) -> LatentMixture:
        with np.errstate(divide="ignore"):
            return LatentMixture(self.components_, Independent(np.log(self.weights_)), self._encoding)


def _takes_sparse(component: Component) -> bool:
    """Whether rows may be a CSR matrix."""
    family = component.family if isinstance(component, FamilyComponents) else None
    return isinstance(component, DirichletMultinomial) if family is None else family.sparse
