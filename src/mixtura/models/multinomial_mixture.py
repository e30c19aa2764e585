"""Mixtures of multinomials over counts: baskets, documents, clicks; globally or with weights per group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import check_is_fitted, validate_data

from mixtura.data import count_encoding
from mixtura.exceptions import InvalidDataError, InvalidParameterError
from mixtura.families.multinomial import MultinomialComponents
from mixtura.inference.driver import FitResult, Progress
from mixtura.inference.fitting import Problem, given_start
from mixtura.inference.initialize import count_embeddings
from mixtura.inference.updates import Maximization, policy
from mixtura.models._base import BaseMixture
from mixtura.protocols import Array, Executor
from mixtura.statistics import Statistics
from mixtura.structures import Grouped, GroupedPlugIn, Independent, LatentMixture

__all__ = ["GroupedMultinomialMixture", "MultinomialMixture"]

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

    def __init__(  # noqa: PLR0913 - every setting by name
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

    def _problem(self, X: Any, sample_weight: Array | None) -> Problem:
        return Problem(
            X,
            sample_weight,
            count_encoding(X),
            MultinomialComponents(totals=_totals(X)),
            _independent,
            count_embeddings,
            lambda n_components: Maximization(self._prior(X.shape[1], n_components), policy(self.on_degenerate)),
            self.n_components,
        )

    def _prior(self, n_features: int, n_components: int) -> Statistics | None:
        """The pseudo-counts as statistics seen earlier."""
        if not self.pseudo_count:
            return None
        sums = {
            "count": np.zeros(n_components),
            "exposure": np.full(n_components, self.pseudo_count * n_features),
            "sum_t": np.full((n_components, n_features), float(self.pseudo_count)),
        }
        parts = {"components": Statistics(sums), "structure": self._no_prior(n_components)}
        return Statistics(parts=parts, stamp=count_encoding(np.empty((0, n_features))).stamp)

    def _no_prior(self, n_components: int) -> Statistics:
        return Statistics({"count": np.zeros(n_components)})

    def _given(self, problem: Problem, rng: np.random.Generator) -> LatentMixture | None:
        weights, profiles = self.weights_init, self.profiles_init
        if self.warm_start and hasattr(self, "profiles_"):
            weights, profiles = self.weights_, self.profiles_
        if weights is None and profiles is None:
            return None
        shape = (self.n_components, problem.encoding.n_features)
        model = given_start(problem, rng, self.init_params)
        weights = model.structure.weights if weights is None else self._checked_start("weights_init", weights, shape[:1])
        profiles = model.components.probabilities if profiles is None else self._checked_start("profiles_init", profiles, shape)
        with np.errstate(divide="ignore"):
            return LatentMixture(problem.components.replace(np.log(profiles)), problem.structure(weights), problem.encoding)

    def _from_fitted(self, problem: Problem, other: BaseMixture) -> LatentMixture:
        if not isinstance(other, MultinomialMixture) or other.n_features_in_ != problem.encoding.n_features:
            found = f"{type(other).__name__} of {other.n_features_in_} columns"
            msg = f"init_params is a fitted {found}; expected a multinomial mixture of {problem.encoding.n_features} columns."
            raise InvalidParameterError(msg)
        with np.errstate(divide="ignore"):
            profiles = problem.components.replace(np.log(other.profiles_))
        return LatentMixture(profiles, self._structure_like(problem, other), problem.encoding)

    def _structure_like(self, problem: Problem, other: BaseMixture) -> Any:
        return problem.structure(other.weights_)

    def _checked_start(self, name: str, given: Any, shape: tuple[int, ...]) -> Array:
        array = np.asarray(given, dtype=np.float64)
        if array.shape != shape:
            msg = f"{name} has shape {array.shape}; expected {shape}, (components{', categories' * (len(shape) - 1)})."
            raise InvalidParameterError(msg)
        if not np.isfinite(array).all() or (array < 0).any() or np.any(np.abs(array.sum(axis=-1) - 1.0) > 1e-6):
            msg = f"{name} must hold probabilities: at least 0 and each row summing to one; its sums are {np.atleast_1d(array.sum(axis=-1))[:3]}."
            raise InvalidParameterError(msg)
        return array

    def _publish(self, result: FitResult) -> None:
        self.weights_ = result.model.structure.weights
        self.profiles_ = result.model.components.probabilities
        self.totals_ = result.model.components.totals

    def _model(self) -> LatentMixture:
        with np.errstate(divide="ignore"):
            components = MultinomialComponents(np.log(self.profiles_), self.totals_)
            return LatentMixture(components, Independent(np.log(self.weights_)), count_encoding(self.profiles_))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.positive_only = True
        return tags


class GroupedMultinomialMixture(MultinomialMixture):
    """Multinomial mixture whose weights belong to groups (households), shrunk to the population.

    All groups share the profiles; a group with many rows has weights of its own, one with few leans on the
    population. How strongly is the concentration s, learnt by default: the population counts for s rows in every
    group. ``concentration=0`` is the model without shrinkage, infinity the global mixture.

    Parameters
    ----------
    n_components : int, default 1
        K.
    concentration : "learn" or float, default "learn"
        s, in rows: learnt, or fixed at a number from 0 (no shrinkage) to infinity (one set of weights for all).
    tol, max_iter, n_init, init_params, pseudo_count, weights_init, profiles_init, random_state, warm_start, verbose, \
on_degenerate, time_budget, callbacks, executor
        As for :class:`MultinomialMixture`. Starts are screened with the global mixture.

    Attributes
    ----------
    weights_ : ndarray, shape (K,)
        Population weights.
    profiles_ : ndarray, shape (K, C)
        Profiles.
    concentration_ : float
        s.
    groups_ : ndarray, shape (G,)
        Group labels, sorted.
    group_weights_ : ndarray, shape (G, K)
        Weights of every group: for 0 < s < infinity the posterior mean (s alpha_k + sum_i r_ik) / (s + n_g).
    group_counts_ : ndarray, shape (G,)
        Rows (sum of weights) of every group.

    Examples
    --------
    >>> X = np.array([[5, 1], [4, 0], [0, 6], [1, 5], [6, 0], [1, 7]])
    >>> mixture = GroupedMultinomialMixture(2, random_state=0).fit(X, groups=["a", "a", "b", "b", "a", "b"])
    >>> mixture.group_weights_.shape
    (2, 2)
    """

    _saved_arrays: ClassVar[tuple[str, ...]] = (*MultinomialMixture._saved_arrays, "group_weights_", "group_counts_")

    def __init__(  # noqa: PLR0913 - every setting by name
        self,
        n_components: int = 1,
        *,
        concentration: str | float = "learn",
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
        super().__init__(
            n_components,
            tol=tol,
            max_iter=max_iter,
            n_init=n_init,
            init_params=init_params,
            pseudo_count=pseudo_count,
            weights_init=weights_init,
            profiles_init=profiles_init,
            random_state=random_state,
            warm_start=warm_start,
            verbose=verbose,
            on_degenerate=on_degenerate,
            time_budget=time_budget,
            callbacks=callbacks,
            executor=executor,
        )
        self.concentration = concentration

    def _check_settings(self) -> None:
        super()._check_settings()
        s = self.concentration
        if s != "learn" and (isinstance(s, str | bool) or not float(s) >= 0):
            msg = f"concentration is {s!r}; expected 'learn' or a number from 0 (no shrinkage) to infinity (one set of weights for all groups)."
            raise InvalidParameterError(msg)

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None, *, groups: Any = None) -> Self:
        """Learn profiles, population weights and the weights of every group.

        Parameters
        ----------
        X : array_like, CSR matrix or data frame, shape (n_samples, C)
            Counts, rows in any order.
        y : ignored
            For scikit-learn's pipelines.
        sample_weight : array_like, shape (n_samples,), optional
            Non-negative weights of rows.
        groups : array_like, shape (n_samples,), optional
            Label of each row's group. None makes every row its own group.

        Returns
        -------
        self
            The fitted estimator.
        """
        self._check_settings()
        X = self._validate(X, reset=True)
        weight = self._check_weight(sample_weight, X.shape[0])
        self._check_rows(X, weight)
        labels, codes = np.unique(self._group_labels(groups, X.shape[0]), return_inverse=True)
        order = np.argsort(codes, kind="stable")
        self._offsets = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=len(labels)))])
        self.groups_ = labels
        weight = None if weight is None else weight[order]
        ones = np.ones(X.shape[0]) if weight is None else weight
        self.group_counts_ = np.add.reduceat(ones, self._offsets[:-1])
        self._fit(self._problem(X[order], weight))
        del self._offsets
        return self

    def _problem(self, X: Any, sample_weight: Array | None) -> Problem:
        problem = super()._problem(X, sample_weight)
        return problem if self._is_global else _with_groups(problem, self._offsets, self._structure)

    @property
    def _is_global(self) -> bool:
        return self.concentration != "learn" and np.isinf(float(self.concentration))

    def _structure(self, counts: Array) -> Any:
        """Law of the groups' weights; a learnt concentration starts at ten rows."""
        with np.errstate(divide="ignore"):
            if self.concentration == 0:
                return GroupedPlugIn(np.log(counts / counts.sum()))
        s = 10.0 if self.concentration == "learn" else float(self.concentration)
        share = np.maximum(counts / counts.sum(), 1e-10)
        return Grouped(s * share / share.sum(), learn=self.concentration == "learn")

    def _structure_like(self, problem: Problem, other: BaseMixture) -> Any:
        s = getattr(other, "concentration_", 0.0)
        if self.concentration == "learn" and 0 < s < np.inf:  # go on from what the other has learnt
            return Grouped(s * other.weights_)
        return super()._structure_like(problem, other)

    def _no_prior(self, n_components: int) -> Statistics:
        if self._is_global or self.concentration == 0:
            return super()._no_prior(n_components)
        zero = np.zeros(n_components)
        return Statistics({"count": zero, "log_weight": zero, "n_units": np.zeros(1)}, shared=_SHARED)

    def _publish(self, result: FitResult) -> None:
        super()._publish(result)
        structure = result.model.structure
        if self._is_global:
            self.concentration_ = np.inf
            self.group_weights_ = np.tile(self.weights_, (len(self.groups_), 1))
            return
        name = "counts" if self.concentration == 0 else "dirichlet"
        remembered = np.concatenate([result.memory[batch][name] for batch in sorted(result.memory)])
        self.concentration_ = structure.concentration
        self.group_weights_ = structure.group_weights(remembered)

    def n_parameters(self) -> int:
        """K (C - 1) + K with a learnt concentration, one fewer with a fixed one."""
        check_is_fitted(self)
        if self.concentration_ == 0:
            msg = (
                "With concentration=0 every group has free weights of its own, so the number of parameters grows with the data and "
                "criteria such as BIC do not apply. Compare by held-out likelihood: score(X, groups=...)."
            )
            raise InvalidParameterError(msg)
        n_components, n_features = self.profiles_.shape
        return n_components * (n_features - 1) + n_components - int(self.concentration != "learn")

    def _group_labels(self, groups: Any, n_rows: int) -> Array:
        if groups is None:
            return np.arange(n_rows)
        labels = np.asarray(groups)
        if labels.shape != (n_rows,):
            msg = f"groups has shape {labels.shape}; expected ({n_rows},), one label for each row of X."
            raise InvalidDataError(msg)
        missing = np.flatnonzero([label is None or label != label for label in labels.tolist()])
        if missing.size:
            msg = f"groups[{missing[0]}] is missing ({labels[missing[0]]!r}); expected a label for every row. Drop these {missing.size} rows or name their group."
            raise InvalidDataError(msg)
        return labels

    def _for_groups(self, groups: Any, n_rows: int) -> Array:
        """Log weights of the rows' groups, shape (K, N); the population's for groups not seen in training."""
        if groups is None:
            return np.broadcast_to(np.log(self.weights_)[:, None], (len(self.weights_), n_rows))
        labels = self._group_labels(groups, n_rows)
        position = np.minimum(np.searchsorted(self.groups_, labels), len(self.groups_) - 1)
        known = self.groups_[position] == labels
        with np.errstate(divide="ignore"):
            log_weights = np.log(np.where(known[:, None], self.group_weights_[position], self.weights_))
        return np.ascontiguousarray(log_weights.T)

    def _row_log_weights(self, rows: slice, model: LatentMixture) -> Array:
        return self._scored_groups[:, rows]

    def _with_groups(self, X: Any, groups: Any, call: Callable[[Any], Any]) -> Any:
        check_is_fitted(self)
        n_rows = X.shape[0] if hasattr(X, "shape") else len(X)
        self._scored_groups = self._for_groups(groups, n_rows)
        try:
            return call(X)
        finally:
            del self._scored_groups

    def score_samples(self, X: Any, groups: Any = None) -> Array:
        """Log predictive probability of each row under its group's weights.

        Parameters
        ----------
        X : array_like, CSR matrix or data frame, shape (n_samples, C)
            Counts.
        groups : array_like, shape (n_samples,), optional
            Label of each row's group; groups not seen in training, and None, use the population weights.

        Returns
        -------
        ndarray, shape (n_samples,)
            log p(x | group).
        """
        return np.asarray(self._with_groups(X, groups, super().score_samples))

    def score(self, X: Any, y: Any = None, sample_weight: Any = None, *, groups: Any = None) -> float:
        """Mean log predictive probability of the rows under their groups' weights."""
        evidence = self.score_samples(X, groups)
        return float(np.average(evidence, weights=self._check_weight(sample_weight, len(evidence))))

    def predict_proba(self, X: Any, groups: Any = None) -> Array:
        """Posterior probability of each component under the group's weights, shape (n_samples, K)."""
        return np.asarray(self._with_groups(X, groups, super().predict_proba))

    def predict(self, X: Any, groups: Any = None) -> Array:
        """Most probable component of each row under its group's weights."""
        return np.asarray(self._with_groups(X, groups, super().predict))

    def _totals(self, X: Any, sample_weight: Any) -> tuple[float, float, float]:
        """Criteria of a model with local latent variables take the bound of the training data, not a plug-in."""
        totals = self._with_groups(X, None, lambda rows: super(GroupedMultinomialMixture, self)._totals(rows, sample_weight))
        return totals[0], totals[1], totals[2]

    def group_table(self) -> Any:
        """Weights of the groups as a data frame: group, rows, concentration of its weights, one column a component."""
        from mixtura.data.frames import make_frame

        check_is_fitted(self)
        columns: dict[str, Any] = {"group": self.groups_, "rows": self.group_counts_}
        columns |= {f"w{k}": self.group_weights_[:, k] for k in range(self.group_weights_.shape[1])}
        return make_frame(columns)

    def _more_to_save(self) -> dict[str, Any]:
        return {"groups_": self.groups_.tolist(), "concentration_": self.concentration_}

    @classmethod
    def _from_file(cls, content: Any) -> Self:
        estimator = super()._from_file(content)
        estimator.groups_ = np.asarray(content.attributes["groups_"])
        return estimator


def _with_groups(problem: Problem, offsets: Array, structure: Callable[[Array], Any]) -> Problem:
    from dataclasses import replace

    return replace(problem, unit_offsets=offsets, structure=structure)


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

