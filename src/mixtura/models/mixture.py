"""A mixture of any component, with the familiar methods.

Long, because every parameter and method of the class is documented in one place.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from rich.console import Console

from mixtura.components import DirichletMultinomial, Gaussian, hooks
from mixtura.components.combining import as_component
from mixtura.data import mixed_encoding
from mixtura.data.frames import frame_like, make_frame
from mixtura.exceptions import InvalidParameterError
from mixtura.families import ExponentialFamily, FamilyComponents
from mixtura.inference.bayesian import INFERENCES, Treatment, treatment
from mixtura.inference.driver import FitResult, Progress
from mixtura.inference.initialize import component_embeddings
from mixtura.inference.problem import Problem
from mixtura.inference.updates import Maximization, policy
from mixtura.models._base import BaseMixture
from mixtura.models._bayesian import Bayesian
from mixtura.models._counts import row_totals
from mixtura.models._fitting import check_choice
from mixtura.models._frame import FrameColumns, described, infer
from mixtura.models._moving import Moving
from mixtura.models._parameters import independent
from mixtura.models._support import check_missing, check_support, validated
from mixtura.priors import Prior
from mixtura.protocols import Array, Component, Executor
from mixtura.structures import EqualWeights, Independent, LatentMixture

__all__ = ["Mixture"]


class Mixture(Bayesian, Moving):
    """Mixture of K components of any kind: one object says what they are, everything else is the same.

    Parameters
    ----------
    components : Component or ExponentialFamily
        What the components are: ``Gaussian(model=Full())``, ``MultinomialComponents()``, a family such as ``Normal()``,
        or your own (docs/add-a-family.md). A component with parameters is also the start.
    n_components : int, default 1
        K; where `components` has parameters, their number.
    equal_weights : bool, default False
        Whether all components weigh 1 / K, and weights are not learnt.
    inference : {"em", "map", "variational"}, optional
        Maximum likelihood; the mode of the posterior; posterior laws of all parameters (variational Bayes). None is "variational"
        where a prior is given or to be learnt, else "em".
    prior : Prior, or mapping of str to Prior, optional
        Of the components' parameters (:mod:`mixtura.priors`); of a `Product` a mapping from blocks. None is a weak default made
        from the data's scale (docs/bayesian.md).
    weights_prior : DirichletPrior, DirichletProcessPrior or PitmanYorPrior, optional
        Of the weights. None is `DirichletPrior(1 / K)` for posterior laws and flat for the mode.
    empirical_bayes : bool or {"all", "weights", "components"}, default False
        Which hyper-parameters are learnt by raising the bound: of the weights' prior, of the components' prior (the base measure), or
        (True) of both.
    moves : bool, default True
        With posterior laws: whether components of the best start are merged, deleted, split and (for processes) sorted by size where
        that raises the bound (docs/bayesian.md). Steps of all moves count towards `max_iter`.
    prune : bool, default False
        With posterior laws: whether components with less than one row are taken out at the end. A process does not change by that; a
        Dirichlet law of the weights becomes one of fewer weights, so that its bounds before and after do not compare.
    frame : FrameColumns, optional
        How the columns of a data frame become numbers; `from_frame` makes it.
    tol, max_iter, n_init, init_params, random_state, warm_start, verbose, on_degenerate, time_budget, callbacks, executor
        As for :class:`GaussianMixture`.

    Attributes
    ----------
    weights_ : ndarray, shape (K,)
        Mixture weights.
    components_ : Component
        Fitted components, with their locations in units of the data.
    origin_ : ndarray, shape (D,), or None
        Point about which sums were taken; `score_samples` and the like use it.
    converged_, n_iter_, lower_bound_, lower_bounds_, starts_, n_features_in_, feature_names_in_
        As for :class:`GaussianMixture`.
    moves_ : tuple of Move
        Moves that were accepted, in order: what, and the bound per row before and after.

    Examples
    --------
    >>> from mixtura.families import Normal
    >>> rng = np.random.default_rng(0)
    >>> x = np.concatenate([rng.normal(0, 1, 200), rng.normal(8, 1, 600)])
    >>> Mixture(Normal(), 2, random_state=0).fit(x).weights_.round(2).max()
    np.float64(0.75)
    """

    _saved_arrays = ("weights_",)
    _saved_objects = (
        "components",
        "prior",
        "weights_prior",
        "frame",
        "_components",
        "_weights_law",
        "origin_",
        "_encoding",
    )

    _weights_law: Any = None  # of the weights, where they have a posterior law or a prior

    def __init__(
        self,
        components: Component | ExponentialFamily | None = None,
        n_components: int = 1,
        *,
        equal_weights: bool = False,
        inference: str | None = None,
        prior: Any = None,
        weights_prior: Prior | None = None,
        empirical_bayes: bool | str = False,
        moves: bool = True,
        prune: bool = False,
        frame: FrameColumns | None = None,
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
        self.equal_weights = equal_weights
        self.inference = inference
        self.prior = prior
        self.weights_prior = weights_prior
        self.empirical_bayes = empirical_bayes
        self.moves = moves
        self.prune = prune
        self.frame = frame
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

    @classmethod
    def from_frame(
        cls,
        X: Any,
        n_components: int = 1,
        *,
        kinds: Mapping[str, Any] | None = None,
        verbose: bool = True,
        **settings: Any,
    ) -> Self:
        """A mixture for the columns of a data frame, of which each gets a distribution that suits its kind.

        Numbers become one block of Gaussians with covariances; positive skewed numbers log-normal; whole numbers Poisson
        or, where they vary more, negative binomial; text and categories categorical; 0 and 1 Bernoulli. Keys, dates and
        constants are left out. Nothing is fitted yet.

        Parameters
        ----------
        X : data frame
            Of pandas, polars or Arrow; missing cells may be there.
        n_components : int, default 1
            K.
        kinds : mapping of str to str or component, optional
            What you know better: for a column one of "number", "positive", "count", "yes or no", "category", "ordered",
            "angle", "leave out", or a component or family of your own for it.
        verbose : bool, default True
            Print what every column is taken for, and why.
        **settings
            Other arguments of the constructor.

        Returns
        -------
        Mixture
            To be fitted on this frame, or on another one with these columns.

        Examples
        --------
        >>> import pandas as pd
        >>> rng = np.random.default_rng(0)
        >>> young = rng.random(300) < 0.4
        >>> X = pd.DataFrame(
        ...     {
        ...         "age": np.where(young, rng.normal(25, 3, 300), rng.normal(60, 5, 300)),
        ...         "visits": rng.poisson(np.where(young, 9, 2)),
        ...         "channel": np.where(rng.random(300) < np.where(young, 0.8, 0.1), "web", "shop"),
        ...     }
        ... )
        >>> mixture = Mixture.from_frame(X, 2, random_state=0)
        age     -> number    Gaussian       numbers
        visits  -> count     Poisson        whole numbers from 0 to 17
        channel -> category  categorical    text with 2 levels
        >>> mixture.fit(X).weights_.round(1).max()
        np.float64(0.6)
        """
        components, frame, table = infer(X, kinds or {})
        if verbose:
            Console(highlight=False, soft_wrap=True).print(described(table, components, frame), markup=False)
        return cls(components, n_components, frame=frame, **settings)

    @property
    def _component(self) -> Component:
        given = Gaussian() if self.components is None else self.components
        component: Component = as_component(given, "components")
        # Of a Bayesian fit's components the parameters are taken; which laws they are to have is said elsewhere.
        return component if hooks.is_blank(component) else hooks.point(component)

    def _table(self, X: Any) -> Any:
        """Rows and columns: of numbers, where a data frame was given, and one column where there was one dimension."""
        if self.frame is not None:
            X = frame_like(
                dict(zip(self.frame.names, self.frame.matrix(X, type(self).__name__).T, strict=True))
            )
        shape = X.shape if hasattr(X, "shape") else np.asarray(X).shape
        return np.reshape(X, (-1, 1)) if not sp.issparse(X) and len(shape) == 1 else X

    def _validate(self, X: Any, *, reset: bool) -> Any:

        X = self._table(X)
        component = self._component
        X = validated(
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
        component: Any = self._component
        if hooks.is_blank(component) and hasattr(component, "totals"):
            component = copy.copy(component)
            component.totals = row_totals(X)  # samples are rows of the sizes seen
        encoding = mixed_encoding(X, sample_weight, hooks.centred_columns(component, X.shape[1]))
        problem = Problem(
            X,
            sample_weight,
            encoding,
            component if encoding.origin is None else hooks.moved(component, encoding.origin),
            self._structure,
            component_embeddings(component),
            lambda _: Maximization(policy=policy(self.on_degenerate)),
            self.n_components,
        )
        treated = self._treatment()
        return self._with_moves(treated(problem), treated)

    def _check_settings(self) -> None:
        super()._check_settings()
        if self.inference is not None:
            check_choice("inference", self.inference, INFERENCES)

    def _treatment(self) -> Treatment:
        """How parameters are treated: what `inference` and the priors say."""
        if self.equal_weights and self.weights_prior is not None:
            msg = f"equal_weights is True, but weights_prior is {self.weights_prior!r}; expected None, because no weight is learnt."
            raise InvalidParameterError(msg)
        return treatment(self.inference, self.prior, self.weights_prior, self.empirical_bayes)

    # --- some columns from others -----------------------------------------------------------------------------
    def _incomplete(self, X: Any) -> Array:
        return super()._incomplete(self._table(X))

    def _known_levels(self) -> list[Sequence[Any]]:
        return super()._known_levels() if self.frame is None else [one.levels for one in self.frame.taken]

    def _levels_in(self, X: Any) -> list[Sequence[Any]]:
        return self._known_levels() if super()._frame_names(X) else [()] * self.n_features_in_

    def _frame_names(self, X: Any) -> list[str]:
        return super()._frame_names(X) if self.frame is None else self.frame.names

    def _with_components(self, components: Any, weights: Array, columns: Array) -> Self:
        new: Self = super()._with_components(components, weights, columns)
        if self.frame is not None:
            new.frame = FrameColumns(tuple(self.frame.taken[column] for column in columns))
        return new

    def _structure(self, counts: Array) -> Independent:
        """The law of the components for counts (K,)."""
        return (
            EqualWeights(len(counts))
            if self.equal_weights
            else Independent(np.log(np.maximum(counts, 1e-300)))
        )

    @property
    def components_(self) -> Any:
        """Fitted components with their locations in units of the data."""
        if not hasattr(self, "_components"):
            msg = "This Mixture has no components_ yet: call fit first."
            raise AttributeError(msg)
        return self._components if self.origin_ is None else hooks.moved(self._components, -self.origin_)

    def _given(self, problem: Problem, rng: np.random.Generator) -> LatentMixture | None:
        if self.warm_start and hasattr(self, "_components"):
            return self._from_fitted(problem, self)
        # Not the problem's own components: these are blank where they have priors.
        given, origin = self._component, problem.encoding.origin
        if hooks.is_blank(given):
            return None
        start = given if origin is None else hooks.moved(given, origin)
        return LatentMixture(start, self._structure(np.ones(start.n_components)), problem.encoding)

    def _start(self, problem: Problem, rng: np.random.Generator) -> LatentMixture | None:
        start = super()._start(problem, rng)
        return None if start is None else self._treatment().start(problem, start)

    def _from_fitted(self, problem: Problem, other: BaseMixture) -> LatentMixture:
        if not isinstance(other, Mixture):
            msg = f"init_params is a fitted {type(other).__name__}; expected a fitted Mixture of the same components."
            raise InvalidParameterError(msg)
        origin = problem.encoding.origin
        components = other._components
        if origin is not None:
            components = hooks.moved(components, origin - other.origin_)
        return LatentMixture(components, self._structure(other.weights_), problem.encoding)

    def _publish(self, result: FitResult) -> None:
        self.weights_ = result.model.structure.weights
        self._components = result.model.components
        law = result.model.structure
        self._weights_law = law if hasattr(law, "point") else None
        self.origin_ = result.model.encoding.origin
        self._encoding = result.model.encoding

    def _model(self) -> LatentMixture:
        with np.errstate(divide="ignore"):
            structure = EqualWeights(len(self.weights_)) if self.equal_weights else independent(self.weights_)
            law = structure if self._weights_law is None else self._weights_law
            return LatentMixture(self._components, law, self._encoding)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = bool(np.any(getattr(self._component, "marginal", False)))
        return tags

    def _parameter_table(self) -> list[hooks.Parameter]:
        """Parameters by name; levels of a data frame by theirs."""
        numbered = [f"x{j}" for j in range(self.n_features_in_)]
        names = [str(name) for name in getattr(self, "feature_names_in_", numbered)]
        rows = hooks.table(self._components, names, self.origin_)
        if self.frame is None:
            return rows
        return [row._replace(feature=self.frame.named(row.feature)) for row in rows]

    def sample(self, n_samples: int = 1) -> tuple[Any, Array]:
        """Draw new rows; where the mixture is of a data frame, as a data frame.

        Parameters
        ----------
        n_samples : int, default 1
            Number of rows.

        Returns
        -------
        X : ndarray, shape (n_samples, n_features), or data frame
            The rows, in random order.
        components : ndarray of int, shape (n_samples,)
            The component that each was drawn from.
        """
        rows, labels = super().sample(n_samples)
        return (
            (rows, labels)
            if self.frame is None
            else (make_frame(self.frame.decoded(rows), self.frame.library), labels)
        )


def _takes_sparse(component: Component) -> bool:
    """Whether rows may be a CSR matrix."""
    family = component.family if isinstance(component, FamilyComponents) else None
    return isinstance(component, DirichletMultinomial) if family is None else family.sparse
