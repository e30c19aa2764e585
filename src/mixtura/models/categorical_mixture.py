"""Latent class analysis: mixtures of columns of levels, with missing cells.

Tables of fit and of profiles are in `_latent_class`, the way from answers to codes in `_level_rows` and `_levels`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Self

import numpy as np

from mixtura.data import count_encoding
from mixtura.exceptions import InvalidParameterError
from mixtura.families import Categorical, FamilyComponents
from mixtura.inference.driver import FitResult, Progress
from mixtura.inference.fitting import given_start
from mixtura.inference.initialize import family_embeddings
from mixtura.inference.problem import Problem
from mixtura.inference.updates import Maximization, policy
from mixtura.models._base import BaseMixture
from mixtura.models._latent_class import LatentClassTables
from mixtura.models._level_rows import LevelRows
from mixtura.models._parameters import check_probabilities, independent
from mixtura.persistence import ModelFile
from mixtura.protocols import Array, Executor
from mixtura.statistics import Statistics
from mixtura.structures import LatentMixture

__all__ = ["CategoricalMixture"]


class CategoricalMixture(LevelRows, BaseMixture, LatentClassTables):
    """Latent class analysis: a mixture of independent columns of levels (text, booleans, numbers, categoricals).

    A component (a latent class) is a probability of every level of every column; what the columns have in common is
    explained by the classes alone. Missing cells (None, NaN) are left out of the likelihood, so a row counts with the
    cells that it has (full-information maximum likelihood; right where cells are missing at random given the others).

    Parameters
    ----------
    n_components : int, default 1
        K, number of classes.
    tol : float, default 1e-5
        Bound on the estimated remaining gain of the objective per row (nats).
    max_iter : int, default 1000
        Most EM steps of a run.
    n_init : int, default 1
        Starts; for the sieve, rounds of twenty candidates.
    init_params : {"sieve", "kmeans", "k-means++", "random", "random_from_data"}, default "sieve"
        Where to start; or a fitted mixture of the same class and levels.
    pseudo_count : float, default 0
        Rows with the columns' shares that each class is given beforehand (a Dirichlet prior in pseudo-count form).
        0 gives maximum likelihood.
    weights_init : array_like, shape (K,), optional
        Given start.
    probabilities_init : sequence of array_like, shapes (K, L_j), optional
        Given start: one table for each column, in the order of `levels_`.
    random_state : int, RandomState instance or None, default None
        Seed of the starts and of `sample`.
    warm_start : bool, default False
        Start from the last fit.
    verbose : int, default 0
        A positive number shows a progress bar.
    on_degenerate : {"reseed", "raise", "drop", "prior"}, default "reseed"
        What happens to a class that loses its rows.
    time_budget : float, optional
        Seconds after which the best model so far is returned.
    callbacks : sequence of callable, default ()
        Called after every pass; one that returns True ends the run.
    executor : Executor, optional
        Who sums. Default by the size of the data.

    Attributes
    ----------
    weights_ : ndarray, shape (K,)
        Sizes of the classes, as shares.
    probabilities_ : list of ndarray, shapes (K, L_j)
        Probabilities of the levels of each column given the class; never below 1e-10.
    levels_ : list of list
        Levels of each column: those that rows of positive weight hold, a categorical's in its own order, others sorted
        (numbers before text).
    converged_, n_iter_, lower_bound_, lower_bounds_, starts_, n_features_in_, feature_names_in_
        As for :class:`GaussianMixture`; the bound is the mean log-likelihood per row (plus the log prior, where
        `pseudo_count` is positive).

    References
    ----------
    .. [1] P. F. Lazarsfeld and N. W. Henry (1968), "Latent Structure Analysis", Houghton Mifflin.
    .. [2] D. A. Linzer and J. B. Lewis (2011), "poLCA: An R package for polytomous variable latent class analysis",
       Journal of Statistical Software 42(10).

    Examples
    --------
    >>> X = np.array(
    ...     [["y", "y", "n"], ["y", "y", None], ["y", "n", "n"], ["n", "n", "y"], ["n", None, "y"]],
    ...     dtype=object,
    ... )
    >>> mixture = CategoricalMixture(2, random_state=0).fit(X)
    >>> mixture.levels_[0], mixture.n_parameters()
    (['n', 'y'], 7)
    >>> labels = mixture.predict(X)
    >>> len(set(labels[:3])), len(set(labels[3:])), bool(labels[0] != labels[3])
    (1, 1, True)
    """

    _saved_arrays: ClassVar[tuple[str, ...]] = ("weights_", "_probabilities")

    def __init__(
        self,
        n_components: int = 1,
        *,
        tol: float = 1e-5,
        max_iter: int = 1000,
        n_init: int = 1,
        init_params: Any = "sieve",
        pseudo_count: float = 0.0,
        weights_init: Any = None,
        probabilities_init: Any = None,
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
        self.probabilities_init = probabilities_init
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.on_degenerate = on_degenerate
        self.time_budget = time_budget
        self.callbacks = callbacks
        self.executor = executor

    def _check_rows(self, X: Any, weight: Array | None) -> None:
        super()._check_rows(X, weight)
        self._check_columns(X, weight)

    # --- the learning problem ---------------------------------------------------------------------------------
    def _family(self) -> Categorical:
        return Categorical([len(levels) for levels in self.levels_])

    def _problem(self, X: Any, sample_weight: Array | None) -> Problem:
        family, encoding = self._family(), count_encoding(X)
        components = FamilyComponents(family)
        return Problem(
            X,
            sample_weight,
            encoding,
            components,
            independent,
            family_embeddings(family),
            lambda n_components: Maximization(
                self._prior(X, sample_weight, n_components, encoding), policy(self.on_degenerate)
            ),
            self.n_components,
        )

    def _prior(
        self, X: Array, sample_weight: Array | None, n_components: int, encoding: Any
    ) -> Statistics | None:
        """The pseudo-rows as statistics seen earlier: complete ones, with the shares of the levels."""
        if not self.pseudo_count:
            return None
        shares = []
        for j, levels in enumerate(self.levels_):
            shown = ~np.isnan(X[:, j])
            weight = None if sample_weight is None else sample_weight[shown]
            counts = np.bincount(X[shown, j].astype(np.intp), weight, minlength=len(levels))
            shares.append(counts / counts.sum())
        count = np.full(n_components, float(self.pseudo_count))
        sums = {"count": count, "sum_t": np.outer(count, np.concatenate(shares))}
        if encoding.missing:
            sums["exposure"] = np.tile(count[:, None], len(shares))
        structure = Statistics({"count": np.zeros(n_components)})
        return Statistics(
            parts={"components": Statistics(sums), "structure": structure}, stamp=encoding.stamp
        )

    def _given(self, problem: Problem, rng: np.random.Generator) -> LatentMixture | None:
        weights, tables = self.weights_init, self.probabilities_init
        if self.warm_start and hasattr(self, "_probabilities"):
            return self._started(problem, self._probabilities, self.weights_)
        if weights is None and tables is None:
            return None
        if weights is not None:
            weights = _as_probabilities("weights_init", weights, (self.n_components,))
        flat = None if tables is None else self._flat(tables)
        if weights is None or flat is None:
            model: Any = given_start(problem, rng, self.init_params)
            weights = model.structure.weights if weights is None else weights
            flat = model.components.mean if flat is None else flat
        return self._started(problem, flat, weights)

    def _flat(self, tables: Sequence[Any]) -> Array:
        """Given tables (K, L_j) side by side."""
        if len(tables) != len(self.levels_):
            msg = f"probabilities_init has {len(tables)} tables; expected {len(self.levels_)}, one for each column."
            raise InvalidParameterError(msg)
        return np.concatenate(
            [
                _as_probabilities(f"probabilities_init[{j}]", table, (self.n_components, len(levels)))
                for j, (table, levels) in enumerate(zip(tables, self.levels_, strict=True))
            ],
            axis=1,
        )

    def _started(self, problem: Problem, flat: Array, weights: Array) -> LatentMixture:
        components = FamilyComponents(self._family()).from_mean(flat)
        return LatentMixture(components, independent(weights), problem.encoding)

    def _from_fitted(self, problem: Problem, other: BaseMixture) -> LatentMixture:
        if not isinstance(other, CategoricalMixture) or other.n_features_in_ != problem.encoding.n_features:
            msg = (
                f"init_params is a fitted {type(other).__name__} of {other.n_features_in_} columns; expected a "
                f"CategoricalMixture of {problem.encoding.n_features} columns."
            )
            raise InvalidParameterError(msg)
        self._check_levels(other.levels_, "init_params: the fitted mixture")
        return self._started(problem, other._probabilities, other.weights_)

    # --- results ----------------------------------------------------------------------------------------------
    def _publish(self, result: FitResult) -> None:
        self.weights_ = result.model.structure.weights
        self._probabilities = np.asarray(result.model.components.mean)

    @property
    def probabilities_(self) -> list[Array]:
        """Probabilities of the levels given the class, one table (K, L_j) for each column."""
        if not hasattr(self, "_probabilities"):
            msg = f"This {type(self).__name__} has no probabilities yet: fit it first."
            raise AttributeError(msg)
        return np.split(self._probabilities, np.cumsum([len(levels) for levels in self.levels_[:-1]]), axis=1)

    def _model(self) -> LatentMixture:
        components = FamilyComponents(self._family()).from_mean(self._probabilities)
        return LatentMixture(
            components, independent(self.weights_), count_encoding(np.empty((0, len(self.levels_))))
        )

    def sample(self, n_samples: int = 1) -> tuple[Array, Array]:
        """Draw new rows of levels; successive calls give different rows.

        Parameters
        ----------
        n_samples : int, default 1
            Number of rows.

        Returns
        -------
        X : ndarray, shape (n_samples, n_features)
            Levels: numbers where all are, else objects.
        components : ndarray of int, shape (n_samples,)
            The class that each row was drawn from.
        """
        drawn, labels = super().sample(n_samples)
        names = [np.array(levels, dtype=object) for levels in self.levels_]
        rows = np.column_stack(
            [levels[codes.astype(np.intp)] for levels, codes in zip(names, drawn.T, strict=True)]
        )
        numbers = all(type(level) in (int, float) for levels in self.levels_ for level in levels)
        return (rows.astype(np.float64) if numbers else rows), labels

    # --- some columns from others -----------------------------------------------------------------------------
    def _incomplete(self, X: Any) -> Array:
        return np.asarray(self._validate(X, reset=False))

    def _known_levels(self) -> list[Sequence[Any]]:
        return [*self.levels_]

    def _with_components(self, components: Any, weights: Array, columns: Array) -> Self:
        new = type(self)(**self.get_params(deep=False))
        new.weights_, new._probabilities = weights, components.mean
        new.levels_ = [self.levels_[column] for column in columns]
        return new

    def _more_to_save(self) -> dict[str, Any]:
        return {"levels_": self.levels_}

    @classmethod
    def _from_file(cls, content: ModelFile) -> Self:
        estimator = super()._from_file(content)
        estimator.levels_ = [list(levels) for levels in content.attributes["levels_"]]
        return estimator

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        tags.input_tags.allow_nan = True
        return tags


def _as_probabilities(name: str, given: Any, shape: tuple[int, ...]) -> Array:
    """Given probabilities of a shape."""
    array = np.asarray(given, dtype=np.float64)
    if array.shape != shape:
        each = (
            "a number for each component"
            if len(shape) == 1
            else "a row for each component, a column for each level"
        )
        msg = f"{name} has shape {array.shape}; expected {shape}, {each}."
        raise InvalidParameterError(msg)
    check_probabilities(name, array)
    return array
