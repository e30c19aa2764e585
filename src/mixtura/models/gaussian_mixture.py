"""Gaussian mixtures, with scikit-learn's names.

Long, because the class is a drop-in with every parameter and attribute documented in one place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from mixtura.components import Gaussian
from mixtura.inference.driver import Progress
from mixtura.models._gaussian import GaussianRows
from mixtura.protocols import Encoding, Executor
from mixtura.structures import Independent, LatentMixture

__all__ = ["GaussianMixture"]


class GaussianMixture(GaussianRows):
    """Gaussian mixture: a drop-in for scikit-learn's class.

    Same names for parameters, attributes and methods. Where the defaults differ, it is so that they reach the
    optimum: the start is a sieve of many short runs (`init_params`), and `tol` bounds the gain still to come.

    Cells may be missing (NaN): the likelihood is that of the observed cells, whatever the pattern, and nothing is filled in.
    `impute` gives conditional means. (The cells must be missing at random: what is missing may depend on what is seen.)

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
    init_params : {"sieve", "kmeans", "k-means++", "random", "random_from_data", "agglomerate"}, default "sieve"
        Where to start. "sieve" screens k-means (on whitened, standardised and raw columns), random rows and random
        partitions by short runs and keeps the best. "agglomerate" joins rows to Gaussian parts step by step, as mclust
        does, and leaves nothing to chance up to 2,000 rows; the sieve tries it, too, where rows are few for the columns.
        The others are scikit-learn's, on whitened columns.
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
        components = Gaussian(means - origin, covariance, self._model_of(self.covariance_type, 0.0), factor)
        with np.errstate(divide="ignore"):
            return LatentMixture(
                components, Independent(np.log(weights)), Encoding(means.shape[1], origin=origin)
            )
