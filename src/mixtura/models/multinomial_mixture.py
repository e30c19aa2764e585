"""Mixtures of multinomials over counts: baskets, documents, clicks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import validate_data

from mixtura.data import count_encoding
from mixtura.exceptions import InvalidDataError, InvalidParameterError
from mixtura.families.multinomial import MultinomialComponents
from mixtura.inference.driver import FitResult, Progress
from mixtura.inference.fitting import given_start
from mixtura.inference.initialize import count_embeddings
from mixtura.inference.problem import Problem
from mixtura.inference.updates import Maximization, policy
from mixtura.models._base import BaseMixture
from mixtura.protocols import Array, Executor
from mixtura.statistics import Statistics
from mixtura.structures import Independent, LatentMixture

__all__ = ["MultinomialMixture"]

_SHARED = frozenset({"n_units"})


class MultinomialMixture(BaseMixture):
    """Mixture of multinomials over count rows, dense or sparse (sparse rows are never densified).

    A component is a profile: probabilities of the C categories. Row totals are taken as given, so a long basket
    and a short one of the same kind belong together.

    Parameters
    ----------
    n_components : int, default 1
        K.
    tol : float, default 1e-5
        Bound on the estimated remaining gain of the objective per row (nats).
    max_iter : int, default 1000
        Most EM steps of a run.
    n_init : int, default 1
        Starts; for the sieve, rounds of twenty candidates.
    init_params : {"sieve", "kmeans", "k-means++", "random", "random_from_data"}, default "sieve"
        Where to start; distances are between square roots of shares (Hellinger).
    pseudo_count : float, default 0.01
        Lines of every category that each component is given beforehand (a Dirichlet prior in pseudo-count form), so
        that no probability is zero for ever. 0 gives maximum likelihood.
    weights_init : array_like, shape (K,), optional
        Given start.
    profiles_init : array_like, shape (K, C), optional
        Given start; rows sum to one.
    random_state : int, RandomState instance or None, default None
        Seed of the starts and of `sample`.
    warm_start : bool, default False
        Start from the last fit.
    verbose : int, default 0
        A positive number shows a progress bar.
    on_degenerate : {"reseed", "raise", "drop", "prior"}, default "reseed"
        What happens to a component that loses its rows.
    time_budget : float, optional
        Seconds after which the best model so far is returned.
    callbacks : sequence of callable, default ()
        Called after every pass; one that returns True ends the run.
    executor : Executor, optional
        Who sums. Default by the size of the data.

    Attributes
    ----------
    weights_ : ndarray, shape (K,)
        Mixture weights.
    profiles_ : ndarray, shape (K, C)
        Probabilities of the categories; rows sum to one.
    converged_, n_iter_, lower_bound_, lower_bounds_, starts_, n_features_in_, feature_names_in_
        As for :class:`GaussianMixture`; the bound is the mean log-likelihood per row (plus the log prior, where
        `pseudo_count` is positive).

    References
    ----------
    .. [1] I. V. Cadez, P. Smyth, E. Ip and H. Mannila (2001), "Predictive profiles for transaction data using finite
       mixture models", University of California, Irvine, technical report 01-67.

    Examples
    --------
    >>> X = np.array([[5, 1, 0], [4, 0, 1], [0, 1, 6], [1, 0, 5]])
    >>> mixture = MultinomialMixture(2, random_state=0).fit(X)
    >>> labels = mixture.predict(X)
    >>> bool(labels[0] == labels[1] != labels[2] == labels[3])
    True
    """

    _saved_arrays: ClassVar[tuple[str, ...]] = ("weights_", "profiles_", "totals_")

    def __init__(
        self,
        n_components: int = 1,
        *,
        tol: float = 1e-5,
        max_iter: int = 1000,
        n_init: int = 1,
        init_params: str = "sieve",
        pseudo_count: float = 0.01,
        weights_init: Any = None,
        profiles_init: Any = None,
        random_state: Any = None,
        warm_start: bool = False,
        verbose: int = 0,
        on_degenerate: str = "reseed",
        time_budget: float | None = None,
        callbacks: Sequence[Callable[[Progress], object]] = (),
        executor: Executor | None = None,
    ) -> None:
        self.n_components = n_components
        self.tol = tol
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.pseudo_count = pseudo_count
        self.weights_init = weights_init
        self.profiles_init = profiles_init
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.on_degenerate = on_degenerate
        self.time_budget = time_budget
        self.callbacks = callbacks
        self.executor = executor

    def _validate(self, X: Any, *, reset: bool) -> Any:
        X = validate_data(self, X, reset=reset, accept_sparse="csr", dtype=np.float64, ensure_min_samples=1)
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

    def _problem(self, X: Any, sample_weight: Array | None) -> Problem:
        return Problem(
            X,
            sample_weight,
            count_encoding(X),
            MultinomialComponents(totals=_totals(X)),
            _independent,
            count_embeddings,
            lambda n_components: Maximization(
                self._prior(X.shape[1], n_components), policy(self.on_degenerate)
            ),
            self.n_components,
        )

    def _prior(
        self, n_features: int, n_components: int, structure: Statistics | None = None
    ) -> Statistics | None:
        """The pseudo-counts as statistics seen earlier; `structure` (nothing seen) has the form of its sums."""
        if not self.pseudo_count:
            return None
        sums = {
            "count": np.zeros(n_components),
            "exposure": np.full(n_components, self.pseudo_count * n_features),
            "sum_t": np.full((n_components, n_features), float(self.pseudo_count)),
        }
        parts = {
            "components": Statistics(sums),
            "structure": structure or Statistics({"count": np.zeros(n_components)}),
        }
        return Statistics(parts=parts, stamp=count_encoding(np.empty((0, n_features))).stamp)

    def _given(self, problem: Problem, rng: np.random.Generator) -> LatentMixture | None:
        weights, profiles = self.weights_init, self.profiles_init
        if self.warm_start and hasattr(self, "profiles_"):
            weights, profiles = self.weights_, self.profiles_
        if weights is None and profiles is None:
            return None
        shape = (self.n_components, problem.encoding.n_features)
        weights = None if weights is None else self._checked_start("weights_init", weights, shape[:1])
        profiles = None if profiles is None else self._checked_start("profiles_init", profiles, shape)
        if weights is None or profiles is None:
            model: Any = given_start(problem, rng, self.init_params)
            weights = model.structure.weights if weights is None else weights
            profiles = model.components.probabilities if profiles is None else profiles
        with np.errstate(divide="ignore"):
            return LatentMixture(
                _profiled(problem, np.log(profiles)), problem.structure(weights), problem.encoding
            )

    def _from_fitted(self, problem: Problem, other: BaseMixture) -> LatentMixture:
        if not isinstance(other, MultinomialMixture) or other.n_features_in_ != problem.encoding.n_features:
            found = f"{type(other).__name__} of {other.n_features_in_} columns"
            msg = f"init_params is a fitted {found}; expected a multinomial mixture of {problem.encoding.n_features} columns."
            raise InvalidParameterError(msg)
        with np.errstate(divide="ignore"):
            profiles = _profiled(problem, np.log(other.profiles_))
        return LatentMixture(profiles, self._structure_like(problem, other), problem.encoding)

    def _structure_like(self, problem: Problem, other: BaseMixture) -> Any:
        return problem.structure(other.weights_)

    def _checked_start(self, name: str, given: Any, shape: tuple[int, ...]) -> Array:
        array = np.asarray(given, dtype=np.float64)
        if array.shape != shape:
            msg = f"{name} has shape {array.shape}; expected {shape}, (components{', categories' * (len(shape) - 1)})."
            raise InvalidParameterError(msg)
        if (
            not np.isfinite(array).all()
            or (array < 0).any()
            or np.any(np.abs(array.sum(axis=-1) - 1.0) > 1e-6)
        ):
            msg = f"{name} must hold probabilities: at least 0, rows summing to one; found sums {np.atleast_1d(array.sum(axis=-1))[:3]}."
            raise InvalidParameterError(msg)
        return array

    def _publish(self, result: FitResult) -> None:
        self.weights_ = result.model.structure.weights
        self.profiles_ = result.model.components.probabilities
        self.totals_ = result.model.components.totals

    def _model(self) -> LatentMixture:
        with np.errstate(divide="ignore"):
            components = MultinomialComponents(np.log(self.profiles_), self.totals_)
            return LatentMixture(
                components, Independent(np.log(self.weights_)), count_encoding(self.profiles_)
            )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.positive_only = True
        return tags


def _profiled(problem: Problem, log_profiles: Array) -> MultinomialComponents:
    blank: Any = problem.components
    return MultinomialComponents(log_profiles, blank.totals)


def _independent(counts: Array) -> Independent:
    with np.errstate(divide="ignore"):
        return Independent(np.log(counts))


def _totals(X: Any) -> Array:
    """Up to a thousand row totals, for sampling rows of realistic size."""
    totals = np.asarray(X.sum(axis=1), dtype=np.float64).ravel()
    if len(totals) > 1000:
        totals = np.sort(totals)[np.linspace(0, len(totals) - 1, 1000).astype(int)]
    return np.round(totals).astype(np.int64)


def _first_bad(X: Any, test: Callable[[Array], Array]) -> tuple[int, int, float]:
    """Row, column and value of the first entry for which the test holds."""
    if sp.issparse(X):
        position = int(np.flatnonzero(test(X.data))[0])
        row = int(np.searchsorted(X.indptr, position, side="right") - 1)
        return row, int(X.indices[position]), float(X.data[position])
    rows, columns = np.nonzero(test(X))
    return int(rows[0]), int(columns[0]), float(X[rows[0], columns[0]])
