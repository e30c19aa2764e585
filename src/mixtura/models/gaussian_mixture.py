"""Gaussian mixtures, with scikit-learn's names.

Long, because the class is a drop-in with every parameter and attribute documented in one place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import numpy as np

from mixtura.components import COVARIANCES, MCLUST, CovarianceModel, Gaussian
from mixtura.components.eigen import covariance_code, nested_codes
from mixtura.data import column_encoding
from mixtura.exceptions import InvalidDataError, InvalidParameterError
from mixtura.inference.driver import FitResult, Progress
from mixtura.inference.fitting import given_start
from mixtura.inference.initialize import from_responsibilities, gaussian_embeddings, nearest, soften
from mixtura.inference.problem import Nested, Problem
from mixtura.inference.updates import Maximization, policy
from mixtura.models._base import BaseMixture, check_choice
from mixtura.protocols import Array, Encoding, Executor
from mixtura.structures import Independent, LatentMixture

__all__ = ["GaussianMixture"]

_TYPES: dict[str, type[CovarianceModel]] = COVARIANCES | MCLUST
# Common axes have many local optima: these models are fitted from the models nested in them, too.
_ALSO_FROM = {"EVE": ("EEE",), "VVE": ("VEE", "EVE")}


class GaussianMixture(BaseMixture):
    """Gaussian mixture: a drop-in for scikit-learn's class.

    Same names for parameters, attributes and methods. Where the defaults differ, it is so that they reach the
    optimum: the start is a sieve of many short runs (`init_params`), and `tol` bounds the gain still to come.

    Parameters
    ----------
    n_components : int, default 1
        K.
    covariance_type : {"full", "tied", "diag", "spherical"} or a code of mclust, default "full"
        Covariance structure. The codes are EII, VII, EEI, VEI, EVI, VVI, EEE, VEE, EVE, VVE, EEV, VEV, EVV and VVV: a letter
        each for volume, shape and axes, equal (E) in all components, varying (V) or the identity (I). "full" is
        VVV, "tied" EEE, "diag" VVI and "spherical" VII. EVE also starts from a fit of EEE, VVE from those of VEE and EVE.
    tol : float, default 1e-5
        Bound on the estimated remaining gain of the log-likelihood per row (nats), not on the last gain.
    reg_covar : float, default 1e-6
        Added to every variance, in squared units of the data (for the codes: to the scatter of every row).
    max_iter : int, default 1000
        Most EM steps of a run.
    n_init : int, default 1
        Starts; for the sieve, rounds of twenty candidates.
    init_params : {"sieve", "kmeans", "k-means++", "random", "random_from_data"}, default "sieve"
        Where to start. "sieve" screens k-means (on whitened, standardised and raw columns), random rows and random
        partitions by short runs and keeps the best. The others are scikit-learn's, on whitened columns.
    weights_init, means_init, precisions_init : array_like, optional
        Given start, in scikit-learn's shapes; what is not given follows from the rest.
    random_state : int, RandomState instance or None, default None
        Seed of the starts and of `sample`.
    warm_start : bool, default False
        Start from the last fit.
    verbose : int, default 0
        A positive number shows a progress bar, and warns of spurious solutions.
    verbose_interval : int, default 10
        Kept for scikit-learn's programs; the progress bar does not need it.
    on_degenerate : {"reseed", "raise", "drop", "prior"}, default "reseed"
        What happens to a component that loses its rows or its variance: replaced by half of the largest one, an
        error, left out, or given a small prior.
    time_budget : float, optional
        Seconds after which the best model so far is returned.
    callbacks : sequence of callable, default ()
        Called with :class:`~mixtura.inference.Progress` after every pass; one that returns True ends the run.
    executor : Executor, optional
        :class:`~mixtura.executors.Serial` or :class:`~mixtura.executors.Threads`. Default by the size of the data.
    dtype : {"float64", "float32"}, default "float64"
        Type in which blocks are computed; sums are always float64.

    Attributes
    ----------
    weights_ : ndarray, shape (K,)
        Mixture weights.
    means_ : ndarray, shape (K, D)
        Means.
    covariances_ : ndarray
        (K, D, D), (D, D), (K, D) or (K,) for "full", "tied", "diag", "spherical"; (K, D, D) for every code of mclust.
    precisions_, precisions_cholesky_ : ndarray
        Their inverses and the inverses' factors.
    converged_ : bool
        Whether the tolerance was met (running out of steps is not convergence).
    n_iter_ : int
        EM steps of the best run.
    lower_bound_ : float
        Mean log-likelihood per row of the parameters returned.
    lower_bounds_ : list of float
        The same after every step of the best run.
    starts_ : tuple of StartResult
        Every start with its objective, reason and seed.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    References
    ----------
    .. [1] C. M. Bishop (2006), Pattern Recognition and Machine Learning, section 9.2.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(0, 1, (100, 1)), rng.normal(9, 2, (300, 1))])
    >>> mixture = GaussianMixture(2, random_state=0).fit(X)
    >>> mixture.weights_[np.argsort(mixture.means_.ravel())].round(1)
    array([0.3, 0.7])
    """

    _saved_arrays: ClassVar[tuple[str, ...]] = (
        "weights_",
        "means_",
        "covariances_",
        "precisions_",
        "precisions_cholesky_",
    )

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: str = "full",
        tol: float = 1e-5,
        reg_covar: float = 1e-6,
        max_iter: int = 1000,
        n_init: int = 1,
        init_params: str = "sieve",
        weights_init: Any = None,
        means_init: Any = None,
        precisions_init: Any = None,
        random_state: Any = None,
        warm_start: bool = False,
        verbose: int = 0,
        verbose_interval: int = 10,
        on_degenerate: str = "reseed",
        time_budget: float | None = None,
        callbacks: Sequence[Callable[[Progress], object]] = (),
        executor: Executor | None = None,
        dtype: str = "float64",
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.weights_init = weights_init
        self.means_init = means_init
        self.precisions_init = precisions_init
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.on_degenerate = on_degenerate
        self.time_budget = time_budget
        self.callbacks = callbacks
        self.executor = executor
        self.dtype = dtype

    def _check_settings(self) -> None:
        super()._check_settings()
        check_choice("covariance_type", self.covariance_type, list(_TYPES))
        check_choice("dtype", self.dtype, ["float64", "float32"])

    def _blank(self) -> Gaussian:
        return Gaussian(model=_TYPES[self.covariance_type](float(self.reg_covar)))

    def _problem(self, X: Array, sample_weight: Array | None) -> Problem:
        self._fitted_dtype = X.dtype
        problem = Problem(
            X,
            sample_weight,
            column_encoding(X, sample_weight, self.dtype),
            self._blank(),
            _independent,
            gaussian_embeddings,
            lambda _: Maximization(policy=policy(self.on_degenerate)),
            self.n_components,
        )
        return self._with_nested(problem, self.covariance_type) if self.n_components > 1 else problem

    def _with_nested(self, problem: Problem, code: str) -> Problem:
        """The problem with the special cases that its code is fitted from, too, each with its own."""
        regularization = float(self.reg_covar)
        cases = {other: Gaussian(model=_TYPES[other](regularization)) for other in _ALSO_FROM.get(code, ())}
        nested = (
            Nested(
                self._with_nested(replace(problem, components=blank), other),
                partial(_widened, problem.components),
            )
            for other, blank in cases.items()
        )
        return replace(problem, nested=tuple(nested))

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
            covariance = self._stored(self.covariances_) if self._coded else self.covariances_
            return self._start_from(problem, self.weights_, self.means_, covariance)
        if weights is None and means is None and precisions is None:
            return None
        if weights is not None and means is not None and precisions is not None:
            return self._start_from(problem, weights, means, self._from_precisions(precisions))
        if means is None:
            model: Any = given_start(problem, rng, self.init_params)
        else:
            model = self._from_means(problem, means, rng)
        gaussian: Gaussian = model.components
        covariance = gaussian.covariance if precisions is None else self._from_precisions(precisions)
        centres = gaussian.mean + problem.encoding.origin if means is None else means
        return self._start_from(
            problem, model.structure.weights if weights is None else weights, centres, covariance
        )

    def _from_fitted(self, problem: Problem, other: BaseMixture) -> LatentMixture:
        kind = getattr(other, "covariance_type", "none")
        nested = [covariance_code(self.covariance_type), *nested_codes(self.covariance_type)]
        if not isinstance(other, GaussianMixture) or covariance_code(kind) not in nested:
            msg = (
                f"init_params is a fitted {type(other).__name__} (covariance_type: {kind}); expected a GaussianMixture with "
                f"covariance_type='{self.covariance_type}' or one nested in it ({', '.join(nested)})."
            )
            raise InvalidParameterError(msg)
        gaussian: Any = other._model().components
        covariance = self._stored(np.asarray(gaussian.matrices))
        return self._start_from(problem, other.weights_, other.means_, covariance)

    def _start_from(self, problem: Problem, weights: Array, means: Array, covariance: Array) -> LatentMixture:
        origin = np.zeros(1) if problem.encoding.origin is None else problem.encoding.origin
        components = self._blank().replace(np.asarray(means, dtype=np.float64) - origin, covariance)
        with np.errstate(divide="ignore"):
            return LatentMixture(components, Independent(np.log(weights)), problem.encoding)

    def _from_means(self, problem: Problem, means: Array, rng: np.random.Generator) -> LatentMixture:
        """Weights and covariances of the rows nearest to each given mean."""
        sample = problem.sample(50_000, rng)
        scale = np.ones(1) if problem.encoding.scale is None else problem.encoding.scale
        scale = np.where(scale > 0, scale, 1.0)
        resp = soften(nearest(sample.x / scale, means / scale))
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

    # --- results ----------------------------------------------------------------------------------------------
    def _publish(self, result: FitResult) -> None:
        components, dtype = result.model.components, self._fitted_dtype
        covariance, factor = components.covariance, components.precision_cholesky
        if self._coded:
            covariance, factor = (
                components.model.matrices(one, *components.mean.shape) for one in (covariance, factor)
            )
        self.weights_ = result.model.structure.weights.astype(dtype)
        self.means_ = (components.mean + result.model.encoding.origin).astype(dtype)
        self.covariances_ = np.array(covariance, dtype=dtype)
        self.precisions_cholesky_ = np.array(factor, dtype=dtype)
        elementwise = self.covariance_type in ("diag", "spherical")
        self.precisions_ = (factor**2 if elementwise else factor @ np.swapaxes(factor, -1, -2)).astype(dtype)

    def _model(self) -> LatentMixture:
        weights, means = (
            np.asarray(self.weights_, dtype=np.float64),
            np.asarray(self.means_, dtype=np.float64),
        )
        origin = weights @ means / weights.sum()
        covariance = getattr(self, "covariances_", None)
        factor = np.asarray(self.precisions_cholesky_, dtype=np.float64)
        if self._coded:
            covariance, factor = self._stored(self.covariances_), self._stored(factor)
        components = Gaussian(means - origin, covariance, _TYPES[self.covariance_type](), factor)
        with np.errstate(divide="ignore"):
            return LatentMixture(
                components, Independent(np.log(weights)), Encoding(means.shape[1], origin=origin)
            )

    # --- pictures ---------------------------------------------------------------------------------------------
    def plot_density(self, X: Any = None, ax: Any = None, **options: Any) -> Any:
        """One-dimensional density with its components; see :func:`mixtura.plots.plot_density`."""
        from mixtura.plots import plot_density

        return plot_density(self, X, ax=ax, **options)

    def plot_clusters(self, X: Any, ax: Any = None, **options: Any) -> Any:
        """Two-dimensional rows with ellipses; see :func:`mixtura.plots.plot_clusters`."""
        from mixtura.plots import plot_clusters

        return plot_clusters(self, X, ax=ax, **options)


def _widened(blank: Any, model: LatentMixture) -> LatentMixture:
    """A model of a nested covariance structure as one of another structure: the same densities."""
    gaussian: Any = model.components
    covariance = blank.model.from_matrices(np.asarray(gaussian.matrices))
    return replace(model, components=blank.replace(gaussian.mean, covariance))


def _independent(counts: Array) -> Independent:
    if not np.any(counts > 0):
        msg = "No component holds any row; expected positive responsibilities. Check sample_weight."
        raise InvalidDataError(msg)
    with np.errstate(divide="ignore"):
        return Independent(np.log(counts))
