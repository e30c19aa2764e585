"""Mixtures of factor analysers, for tables with tens or hundreds of columns.

Long, because the class has every parameter and attribute documented in one place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from mixtura.components.factor_analyzer import FactorAnalyzer
from mixtura.components.factor_noise import NOISES
from mixtura.data import column_encoding
from mixtura.exceptions import InvalidDataError, InvalidParameterError
from mixtura.inference.driver import FitResult, Progress
from mixtura.inference.fitting import given_start
from mixtura.inference.initialize import component_embeddings, from_responsibilities, nearest, soften
from mixtura.inference.problem import Problem
from mixtura.inference.updates import Maximization, policy
from mixtura.models._base import BaseMixture
from mixtura.models._fitting import check_choice
from mixtura.models._parameters import check_probabilities, independent
from mixtura.models._support import check_missing, validated
from mixtura.protocols import Array, Encoding, Executor
from mixtura.structures import LatentMixture

__all__ = ["FactorAnalyzerMixture"]

_DTYPES = ("float64", "float32")


class FactorAnalyzerMixture(TransformerMixin, ClassNamePrefixFeaturesOutMixin, BaseMixture):
    """Mixture of factor analysers: Gaussians whose covariances are of low rank plus noise.

    A component explains its columns' correlations by a few factors: its covariance is ``loadings @ loadings.T +
    diag(noise)``, about D (q + 1) numbers in place of D (D + 1) / 2. With isotropic noise it is a mixture of
    probabilistic principal component analysers; one component with its own diagonal noise is factor analysis.
    Cells may be missing (NaN): the likelihood is that of the observed cells, and nothing is filled in.
    `mixtura.select` chooses K and the number of factors together: ``select(..., n_factors=[1, 2, 4])``.

    Parameters
    ----------
    n_components : int, default 1
        K.
    n_factors : int, default 1
        q, factors of every component; less than the number of columns. 0 leaves the noise (independent columns).
    noise : {"own", "common", "isotropic", "common_isotropic"}, default "own"
        A noise variance for every column of every component; one for every column, shared by all components (few rows a
        component are enough); one for each component; one for all.
    noise_floor : float, default 1e-6
        Least noise variance, as a share of the variance of its column. The likelihood may rise while a noise variance goes to
        zero (a Heywood case); components with the least noise in more than q columns are listed as suspects.
    reg_covar : float, default 0
        Added to every noise variance after each step, in squared units of the data. With few rows for the parameters it
        predicts new rows better (on standardised columns 0.01 is a good first try).
    tol : float, default 1e-5
        Bound on the estimated remaining gain of the log-likelihood per row (nats).
    max_iter : int, default 1000
        Most EM steps of a run.
    n_init : int, default 1
        Starts; for the sieve, rounds of twenty candidates.
    init_params : {"sieve", "kmeans", "k-means++", "random", "random_from_data", "agglomerate"}, default "sieve"
        Where to start: partitions of the rows, as for :class:`GaussianMixture`, whose parts are factor-analysed; or a
        fitted mixture of this class with as many factors or fewer.
    weights_init : array_like, shape (K,), optional
        Given start.
    means_init : array_like, shape (K, D), optional
        Given start; what is not given follows from the rows nearest to each mean.
    loadings_init : array_like, shape (K, D, q), optional
        Given start.
    noise_variances_init : array_like, shape (K, D), optional
        Given start; positive, and equal where `noise` says so.
    random_state : int, RandomState instance or None, default None
        Seed of the starts and of `sample`.
    warm_start : bool, default False
        Start from the last fit.
    verbose : int, default 0
        A positive number shows a progress bar, and warns of spurious solutions.
    on_degenerate : {"reseed", "raise", "drop", "prior"}, default "reseed"
        What happens to a component that loses its rows.
    time_budget : float, optional
        Seconds after which the best model so far is returned.
    callbacks : sequence of callable, default ()
        Called after every pass; one that returns True ends the run.
    executor : Executor, optional
        Who sums. Default by the size of the data.
    dtype : {"float64", "float32"}, default "float64"
        Type in which blocks are computed; sums are always float64.

    Attributes
    ----------
    weights_ : ndarray, shape (K,)
        Mixture weights.
    means_ : ndarray, shape (K, D)
        Means.
    loadings_ : ndarray, shape (K, D, q)
        Loadings, in units of the data. They are identified up to a rotation of the factors; these are orthogonal in units
        of the noise, the strongest factor first, with a positive largest entry.
    noise_variances_ : ndarray, shape (K, D)
        Noise variances, whatever the structure.
    converged_, n_iter_, lower_bound_, lower_bounds_, starts_, n_features_in_, feature_names_in_
        As for :class:`GaussianMixture`.

    References
    ----------
    .. [1] G. J. McLachlan, D. Peel (2000), Finite Mixture Models, chapter 8.
    .. [2] M. E. Tipping, C. M. Bishop (1999), Mixtures of probabilistic principal component analyzers, Neural Computation
       11, 443-482.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> loadings = rng.normal(size=(2, 1, 20))
    >>> X = np.concatenate(
    ...     [
    ...         rng.normal(size=(150, 1)) @ own + rng.normal(3 * k, 1, (150, 20))
    ...         for k, own in enumerate(loadings)
    ...     ]
    ... )
    >>> mixture = FactorAnalyzerMixture(2, n_factors=1, random_state=0).fit(X)
    >>> mixture.n_parameters(), mixture.transform(X).shape  # 1 + 2 (20 + 20 + 20)
    (121, (300, 1))
    """

    _saved_arrays: ClassVar[tuple[str, ...]] = ("weights_", "means_", "loadings_", "noise_variances_")

    def __init__(
        self,
        n_components: int = 1,
        n_factors: int = 1,
        *,
        noise: str = "own",
        noise_floor: float = 1e-6,
        reg_covar: float = 0.0,
        tol: float = 1e-5,
        max_iter: int = 1000,
        n_init: int = 1,
        init_params: Any = "sieve",
        weights_init: Any = None,
        means_init: Any = None,
        loadings_init: Any = None,
        noise_variances_init: Any = None,
        random_state: Any = None,
        warm_start: bool = False,
        verbose: int = 0,
        on_degenerate: str = "reseed",
        time_budget: float | None = None,
        callbacks: Sequence[Callable[[Progress], object]] = (),
        executor: Executor | None = None,
        dtype: str = "float64",
    ) -> None:
        self.n_components = n_components
        self.n_factors = n_factors
        self.noise = noise
        self.noise_floor = noise_floor
        self.reg_covar = reg_covar
        self.tol = tol
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.weights_init = weights_init
        self.means_init = means_init
        self.loadings_init = loadings_init
        self.noise_variances_init = noise_variances_init
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.on_degenerate = on_degenerate
        self.time_budget = time_budget
        self.callbacks = callbacks
        self.executor = executor
        self.dtype = dtype

    def _check_settings(self) -> None:
        super()._check_settings()
        check_choice("noise", self.noise, list(NOISES))
        check_choice("dtype", self.dtype, _DTYPES)
        factors = self.n_factors
        if isinstance(factors, bool) or not isinstance(factors, int | np.integer) or factors < 0:
            msg = f"n_factors is {factors!r}; expected a whole number of at least 0."
            raise InvalidParameterError(msg)
        if not (isinstance(self.noise_floor, int | float | np.number) and 0 < self.noise_floor < 1):
            msg = f"noise_floor is {self.noise_floor!r}; expected a number above 0 and below 1, a share of a column's variance."
            raise InvalidParameterError(msg)

    def _validate(self, X: Any, *, reset: bool) -> Any:
        X = validated(
            self,
            X,
            reset=reset,
            dtype=[np.float64, np.float32],
            ensure_min_samples=2 if reset else 1,
            ensure_all_finite="allow-nan",
        )
        check_missing(self, self._blank(), X, fitting=reset)
        return X

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _blank(self, floor: Any = 1e-6) -> FactorAnalyzer:
        return FactorAnalyzer(
            int(self.n_factors),
            NOISES[self.noise](),
            noise_floor=floor,
            regularization=float(self.reg_covar),
            most_steps=1,  # of Newton for the noise: measured half as long as to the end, and optima no worse
        )

    def _problem(self, X: Array, sample_weight: Array | None) -> Problem:
        encoding = column_encoding(X, sample_weight, self.dtype)
        if self.n_factors >= encoding.n_features:
            msg = (
                f"n_factors={self.n_factors}, but n_features = {encoding.n_features}; expected fewer factors than columns. "
                "Use GaussianMixture where no factor can be spared."
            )
            raise InvalidParameterError(msg)
        variance = np.ones(1) if encoding.scale is None else encoding.scale**2
        constant = np.flatnonzero(~(variance > 0.0))
        if constant.size:
            column = int(constant[0])
            name = self.feature_names_in_[column] if hasattr(self, "feature_names_in_") else column
            msg = (
                f"{type(self).__name__}: column {name} is {np.nanmax(X[:, column]):g} in every row; expected columns that "
                f"vary. Leave out the {constant.size} column(s) that do not."
            )
            raise InvalidDataError(msg)
        blank = self._blank(self.noise_floor * variance)
        return Problem(
            X,
            sample_weight,
            encoding,
            blank,
            independent,
            component_embeddings(blank),
            lambda _: Maximization(policy=policy(self.on_degenerate)),
            self.n_components,
        )

    # --- starts -----------------------------------------------------------------------------------------------
    def _given(self, problem: Problem, rng: np.random.Generator) -> LatentMixture | None:
        if self.warm_start and hasattr(self, "means_"):
            return self._from_fitted(problem, self)
        given = self._check_start(problem.encoding.n_features)
        if all(value is None for value in given):
            return None
        weights, means, loadings, noise = given
        if means is None:
            model: Any = given_start(problem, rng, self.init_params)
        else:
            model = self._from_means(problem, means, rng)
        found: FactorAnalyzer = model.components
        components = found.replace(
            found.mean if means is None else means - problem.encoding.origin,
            found.loadings if loadings is None else loadings,
            found.noise_variances if noise is None else noise,
        )
        structure = model.structure if weights is None else independent(weights)
        return LatentMixture(components, structure, problem.encoding)

    def _from_means(self, problem: Problem, means: Array, rng: np.random.Generator) -> LatentMixture:
        """Weights, loadings and noise of the rows nearest to each given mean."""
        sample = problem.sample(50_000, rng)
        scale: Any = problem.encoding.scale
        origin: Any = problem.encoding.origin
        known = np.where(np.isnan(sample.x), origin, sample.x)  # missing cells count as the columns' means
        resp = soften(nearest(known / scale, means / scale))
        return from_responsibilities(
            resp, sample.source(), sample.components, sample.structure, sample.encoding
        )

    def _from_fitted(self, problem: Problem, other: BaseMixture) -> LatentMixture:
        known = (self.noise, *NOISES[self.noise].special)
        if (
            not isinstance(other, FactorAnalyzerMixture)
            or other.loadings_.shape[2] > self.n_factors
            or other.noise not in known
        ):
            msg = (
                f"init_params is a fitted {other!r}; expected a FactorAnalyzerMixture with at most n_factors={self.n_factors} "
                f"and noise of {' or '.join(repr(name) for name in known)}."
            )
            raise InvalidParameterError(msg)
        missing = self.n_factors - other.loadings_.shape[2]
        loadings = np.pad(other.loadings_, ((0, 0), (0, 0), (0, missing)))
        blank: Any = problem.components
        components = blank.replace(other.means_ - problem.encoding.origin, loadings, other.noise_variances_)
        return LatentMixture(components, independent(other.weights_), problem.encoding)

    def _check_start(self, n_features: int) -> tuple[Array | None, Array | None, Array | None, Array | None]:
        """Given starting values as arrays of the right shape and range."""
        k, d, q = self.n_components, n_features, self.n_factors
        shapes = {"weights": (k,), "means": (k, d), "loadings": (k, d, q), "noise_variances": (k, d)}
        found: dict[str, Array | None] = dict.fromkeys(shapes)
        for name, shape in shapes.items():
            if getattr(self, f"{name}_init") is None:
                continue
            array = np.asarray(getattr(self, f"{name}_init"), dtype=np.float64)
            if array.shape != shape or not np.isfinite(array).all():
                msg = (
                    f"{name}_init has shape {array.shape}; expected finite numbers of shape {shape} for n_components={k}, "
                    f"{d} columns and n_factors={q}."
                )
                raise InvalidParameterError(msg)
            found[name] = array
        weights, noise = found["weights"], found["noise_variances"]
        if weights is not None:
            check_probabilities("weights_init", weights)
        if noise is not None and not (noise > 0.0).all():
            row, column = (int(index) for index in np.argwhere(~(noise > 0.0))[0])
            msg = (
                f"noise_variances_init[{row}, {column}] is {noise[row, column]:g}; expected positive numbers."
            )
            raise InvalidParameterError(msg)
        return weights, found["means"], found["loadings"], noise

    # --- results ----------------------------------------------------------------------------------------------
    def _publish(self, result: FitResult) -> None:
        components = result.model.components
        self.weights_ = result.model.structure.weights
        self.means_ = components.mean + result.model.encoding.origin
        self.loadings_ = np.array(components.loadings)
        self.noise_variances_ = np.array(components.noise_variances)

    def _model(self) -> LatentMixture:
        origin = self.weights_ @ self.means_ / self.weights_.sum()
        components = FactorAnalyzer(
            self.loadings_.shape[2],
            NOISES[self.noise](),
            self.means_ - origin,
            self.loadings_,
            self.noise_variances_,
        )
        return LatentMixture(components, independent(self.weights_), Encoding(len(origin), origin=origin))

    @property
    def covariances_(self) -> Array:
        """Covariance matrices, shape (K, D, D), made from loadings and noise when asked for."""
        if not hasattr(self, "loadings_"):
            msg = f"This {type(self).__name__} is not fitted yet, so it has no covariances_. Call fit first."
            raise AttributeError(msg)
        return np.asarray(self._model().components.covariance)  # type: ignore[attr-defined]

    @property
    def _n_features_out(self) -> int:
        return int(self.loadings_.shape[2])

    def transform(self, X: Any) -> Array:
        """Factor scores: the expected factors of each row under its most probable component.

        Parameters
        ----------
        X : array_like or data frame, shape (n_samples, n_features)
            The rows.

        Returns
        -------
        ndarray, shape (n_samples, n_factors)
            In standard deviations of the factors. Factors of different components are different things: read them together
            with `predict`.
        """
        check_is_fitted(self)
        X = self._validate(X, reset=False)
        scores = np.empty((X.shape[0], self._n_features_out), dtype=X.dtype)
        with np.errstate(divide="ignore"):
            log_weights = np.log(self.weights_)[:, None]
        for rows, batch, model in self._batches(X):
            components: Any = model.components
            block = components.encode(batch.x, model.encoding)
            labels = (components.log_prob(block) + log_weights).argmax(axis=0)
            scores[rows] = components.factor_scores(block)[labels, :, np.arange(len(labels))]
        return scores
