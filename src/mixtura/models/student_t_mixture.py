"""Mixtures of Student-t laws: Gaussian ones that outliers do not move."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from mixtura.components import FixedDegrees, OwnDegrees, SharedDegrees, StudentT
from mixtura.components.degrees import Degrees
from mixtura.exceptions import InvalidParameterError
from mixtura.inference.driver import FitResult, Progress
from mixtura.models._elliptical import EllipticalMixture
from mixtura.protocols import Array, Encoding, Executor
from mixtura.structures import Independent, LatentMixture

__all__ = ["StudentTMixture"]

_LAWS: dict[str, type[Degrees]] = {"free": OwnDegrees, "tied": SharedDegrees}


class StudentTMixture(EllipticalMixture):
    """Mixture of multivariate Student-t laws, with :class:`GaussianMixture`'s arguments.

    A row far from its component counts for less: with degrees of freedom nu and squared distance delta in units of the component's
    scale it weighs (nu + D) / (nu + delta). Few degrees of freedom are heavy tails, many are the normal law.

    Cells may be missing (NaN), as in :class:`GaussianMixture`.

    Parameters
    ----------
    n_components : int, default 1
        K.
    covariance_type : {"full", "tied", "diag", "spherical"} or a code of mclust, default "full"
        Structure of the scale matrices, as of covariances in :class:`GaussianMixture`.
    tol : float, default 1e-5
        Bound on the estimated remaining gain of the log-likelihood per row (nats), not on the last gain.
    degrees_of_freedom : {"free", "tied"} or float, default "free"
        Learnt for every component, learnt once for all, or known. Learnt ones lie between 0.5 and 1000.
    reg_covar : float, default 1e-6
        Added to the diagonals of the scale matrices, in squared units of the data.
    max_iter : int, default 1000
        Most EM steps of a run.
    n_init : int, default 1
        Starts; for the sieve, rounds of twenty candidates.
    init_params : {"sieve", "kmeans", "k-means++", "random", "random_from_data", "agglomerate"}, default "sieve"
        Where to start, as for :class:`GaussianMixture`.
    weights_init, means_init, precisions_init : array_like, optional
        Given start, in scikit-learn's shapes; precisions are inverses of scale matrices.
    random_state : int, RandomState instance or None, default None
        Seed of the starts and of `sample`.
    warm_start : bool, default False
        Start from the last fit.
    verbose : int, default 0
        A positive number shows a progress bar, and warns of spurious solutions.
    on_degenerate : {"reseed", "raise", "drop", "prior"}, default "reseed"
        What happens to a component that loses its rows or its scale.
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
        Locations; the means where there are any (more than one degree of freedom).
    scales_ : ndarray
        Scale matrices in scikit-learn's shapes: (K, D, D), (D, D), (K, D) or (K,) for "full", "tied", "diag", "spherical"; (K, D, D)
        for every code of mclust.
    degrees_of_freedom_ : ndarray, shape (K,)
        Of each component.
    covariances_ : ndarray, shape (K, D, D)
        nu / (nu - 2) times the scale matrices; NaN where nu is at most 2 and there are none.
    converged_, n_iter_, lower_bound_, lower_bounds_, starts_, n_features_in_, feature_names_in_
        As for :class:`GaussianMixture`.

    References
    ----------
    .. [1] D. Peel, G. J. McLachlan (2000), Robust mixture modelling using the t distribution, Statistics and Computing 10, 339-348.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.standard_t(3, (300, 1)), 20 + rng.standard_t(3, (100, 1)), [[900.0]]])
    >>> mixture = StudentTMixture(2, random_state=0).fit(X)
    >>> np.sort(mixture.means_.ravel()).round() + 0.0  # the row at 900 does not matter
    array([ 0., 20.])
    """

    _matrices: ClassVar[str] = "scales_"
    _saved_arrays: ClassVar[tuple[str, ...]] = ("weights_", "means_", "scales_", "degrees_of_freedom_")

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: str = "full",
        tol: float = 1e-5,
        degrees_of_freedom: str | float = "free",
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
        on_degenerate: str = "reseed",
        time_budget: float | None = None,
        callbacks: Sequence[Callable[[Progress], object]] = (),
        executor: Executor | None = None,
        dtype: str = "float64",
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.tol = tol
        self.degrees_of_freedom = degrees_of_freedom
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
        self.on_degenerate = on_degenerate
        self.time_budget = time_budget
        self.callbacks = callbacks
        self.executor = executor
        self.dtype = dtype

    def _check_settings(self) -> None:
        super()._check_settings()
        self._law()

    def _law(self) -> Degrees:
        """What is known about the degrees of freedom."""
        given = self.degrees_of_freedom
        if isinstance(given, str) and given in _LAWS:
            return _LAWS[given]()
        if isinstance(given, bool | np.bool_) or not isinstance(given, int | float | np.number):
            msg = f"degrees_of_freedom is {given!r}; expected 'free', 'tied' or a positive number."
            raise InvalidParameterError(msg)
        return FixedDegrees(float(given))

    def _blank(self, covariance_type: str) -> StudentT:
        model = self._model_of(covariance_type, float(self.reg_covar))
        return StudentT(model=model, law=self._law())

    def _filled(self, blank: StudentT, mean: Array, matrix: Array, like: Any = None) -> StudentT:
        law = blank.law
        degrees = np.full(len(mean), law.start) if like is None else like.degrees_of_freedom
        # What another law had learnt is a start inside this one.
        return blank.replace(mean, matrix, law.from_free(law.free(degrees), len(mean)))

    def _matrix(self, components: StudentT) -> Array:
        return components.scale

    # --- results ----------------------------------------------------------------------------------------------
    def _publish(self, result: FitResult) -> None:
        components, dtype = result.model.components, self._fitted_dtype
        scale = components.matrices if self._coded else components.scale
        self.weights_ = result.model.structure.weights.astype(dtype)
        self.means_ = (components.mean + result.model.encoding.origin).astype(dtype)
        self.scales_ = np.array(scale, dtype=dtype)
        self.degrees_of_freedom_ = components.degrees_of_freedom.astype(dtype)

    @property
    def covariances_(self) -> Array:
        """Covariance matrices, shape (K, D, D); NaN where the degrees of freedom are at most 2."""
        degrees = self.degrees_of_freedom_[:, None, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(degrees > 2.0, degrees / (degrees - 2.0), np.nan)
        components: Any = self._model().components
        return np.asarray(ratio * components.matrices)

    def _model(self) -> LatentMixture:
        weights, means = (np.asarray(one, dtype=np.float64) for one in (self.weights_, self.means_))
        origin = weights @ means / weights.sum()
        scale = self._stored(self.scales_) if self._coded else self.scales_
        model = self._model_of(self.covariance_type, 0.0)
        components = StudentT(means - origin, scale, self.degrees_of_freedom_, model, self._law())
        with np.errstate(divide="ignore"):
            return LatentMixture(
                components, Independent(np.log(weights)), Encoding(means.shape[1], origin=origin)
            )
