r"""Gaussian mixtures with posterior laws of all parameters (variational Bayes), with scikit-learn's names.

Long, because the class is a drop-in with every parameter and attribute documented in one place.

The posterior is taken as a product :math:`q(z)\,q(\pi)\prod_k q(\mu_k,\Lambda_k)`, and each factor in turn is set to what
raises the bound most. Given the others :math:`q(z)` has responsibilities proportional to
:math:`\exp\{E\log\pi_k + E\log N(x\mid\mu_k,\Lambda_k^{-1})\}` (the pass), and the laws of the parameters are conjugate
posteriors of the weighted sums (the update): see :mod:`mixtura.components.gaussian_posterior`,
:mod:`mixtura.components.wishart`, :mod:`mixtura.structures.dirichlet_weights` and
:mod:`mixtura.structures.stick_breaking`, where each update stands beside its derivation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from mixtura.components import COVARIANCES, Gaussian
from mixtura.components.gaussian_posterior import GaussianPosterior, NormalWishart, _default_scatter
from mixtura.components.wishart import WishartLaw, wishart_law
from mixtura.inference.bayesian import Variational, overall
from mixtura.inference.driver import FitResult, Progress
from mixtura.inference.problem import Problem
from mixtura.models._base import BaseMixture
from mixtura.models._bayesian import Bayesian
from mixtura.models._fitting import check_choice
from mixtura.models._gaussian import GaussianRows
from mixtura.models._moving import Moving
from mixtura.models._weight_laws import WEIGHT_LAWS, WeightLaw
from mixtura.priors import NormalWishartPrior
from mixtura.priors.base import above, finite
from mixtura.protocols import Array, Encoding, Executor
from mixtura.statistics import Statistics
from mixtura.structures import LatentMixture

__all__ = ["BayesianGaussianMixture"]


class BayesianGaussianMixture(Bayesian, Moving, GaussianRows):
    r"""Gaussian mixture by variational Bayes: a drop-in for scikit-learn's class.

    Weights, means and precisions have posterior laws instead of values. A component that the rows do not need keeps its prior and a
    weight near zero, so `n_components` is the most there can be; and no component collapses onto a few rows.

    Names of parameters, attributes and methods are scikit-learn's. What differs: see Notes.

    Parameters
    ----------
    n_components : int, default 1
        K, the most components there can be.
    covariance_type : {"full", "tied", "diag", "spherical"}, default "full"
        Covariance structure.
    tol : float, default 1e-5
        Bound on the estimated remaining gain of `lower_bound_` (nats per row), not on the last gain.
    reg_covar : float, default 0
        Added to every variance, in squared units of the data. The prior keeps covariances positive definite by itself; a number above
        0 adds rows' worth of variance that no prior or row has, so that steps are inexact and the bound may fall by a little.
    max_iter : int, default 1000
        Most steps of a run.
    n_init : int, default 1
        Starts; for the sieve, rounds of twenty candidates.
    init_params : {"sieve", "kmeans", "k-means++", "random", "random_from_data", "agglomerate"} or fitted mixture, default "sieve"
        Where to start, as for :class:`GaussianMixture`; or a fitted `GaussianMixture` or `BayesianGaussianMixture`.
    weight_concentration_prior_type : {"dirichlet_process", "dirichlet_distribution", "pitman_yor"}, default "dirichlet_process"
        Law of the weights: a Dirichlet process (infinitely many components, of which the posterior uses the first K), a Dirichlet law of
        K weights, or a Pitman-Yor process, under which sizes of components fall off as a power.
    weight_concentration_prior : float, optional
        Its concentration, above 0 (for "pitman_yor" above minus the discount): the smaller, the fewer components. None: 1 / K.
    mean_precision_prior : float, optional
        How many rows the prior mean is worth, above 0. None: 1.
    mean_prior : array_like, shape (D,), optional
        Prior mean. None: the mean of all rows.
    degrees_of_freedom_prior : float, optional
        How many rows the prior covariance is worth, above D - 1 (above 0 for "diag" and "spherical"). None: D.
    covariance_prior : float or array_like, optional
        Scatter of the prior: (D, D), (D, D), (D,) or a number for "full", "tied", "diag", "spherical"; the expected precision is
        `degrees_of_freedom_prior` times its inverse. None: the covariance of all rows (with n - 1, as in scikit-learn).
    random_state : int, RandomState instance or None, default None
        Seed of the starts and of `sample`.
    warm_start : bool, default False
        Start from the last fit.
    verbose : int, default 0
        A positive number shows a progress bar.
    verbose_interval : int, default 10
        Kept for scikit-learn's programs; the progress bar does not need it.
    discount_prior : float, optional
        Discount of the Pitman-Yor process, from 0 to below 1. None: 0.25.
    empirical_bayes : bool or {"all", "weights", "components"}, default False
        Which hyper-parameters are learnt by raising the bound: concentration (and discount) of the weights, mean, its precision and
        scatter of the components (`degrees_of_freedom_prior` stays), or (True, "all") both. What is given is where they start.
    moves : bool, default True
        Whether components of the best start are merged, deleted, split and (for the processes) sorted by size where that raises the
        bound. Steps of all moves count towards `max_iter`.
    prune : bool, default False
        Whether components with less than one row are taken out at the end. The processes do not change by that; a Dirichlet law of the
        weights becomes one of fewer weights, so that its bounds before and after do not compare.
    weights_init, means_init, precisions_init : array_like, optional
        Given start, as for :class:`GaussianMixture`.
    time_budget : float, optional
        Seconds after which the best model so far is returned.
    callbacks : sequence of callable, default ()
        Called with :class:`~mixtura.inference.Progress` after every pass; one that returns True ends the run.
    executor : Executor, optional
        Who sums. Default by the size of the data.
    dtype : {"float64", "float32"}, default "float64"
        Type in which blocks are computed; sums are always float64.

    Attributes
    ----------
    weights_ : ndarray, shape (K,)
        Posterior means of the weights, summing to one.
    means_ : ndarray, shape (K, D)
        Posterior means of the means.
    covariances_ : ndarray
        Inverses of the expected precisions, in scikit-learn's shapes.
    precisions_, precisions_cholesky_ : ndarray
        Expected precisions and their factors.
    weight_concentration_ : ndarray (K,), or tuple of two
        Posterior of the weights: Dirichlet parameters, or for the processes both parameters of each stick's beta law.
    mean_precision_ : ndarray, shape (K,)
        How many rows, with the prior's, each mean rests on.
    degrees_of_freedom_ : ndarray, shape (K,), or float
        Of the Wishart posteriors; one number for "tied".
    weight_concentration_prior_, discount_prior_, mean_precision_prior_, mean_prior_, degrees_of_freedom_prior_, covariance_prior_
        The hyper-parameters used: given, default or learnt.
    moves_ : tuple of Move
        Moves that were accepted, in order: what, and the bound per row before and after.
    converged_, n_iter_, starts_, n_features_in_, feature_names_in_
        As for :class:`GaussianMixture`.
    lower_bound_ : float
        Lower bound on the log evidence, with all constants, per row (unit of weight). Bounds of different K, covariance types and laws of
        weights compare, and exp(n (b1 - b2)) estimates a Bayes factor.
    lower_bounds_ : list of float
        The same after every step of the best run.

    Notes
    -----
    Where scikit-learn differs: its `lower_bound_` is a total that lacks constants and changes its meaning with the prior and K. With "full"
    and `reg_covar=0` the steps are the same, and a converged solution of one is one of the other. For "tied" it gives the shared precision
    a K-th part of the rows (`degrees_of_freedom_` is nu0 + N / K), and for "diag" and "spherical" it uses the Wishart law of a full
    matrix in the expected log determinant; its bound can fall, and its solutions lie below ours. Here "tied" counts all rows (nu0 + N),
    and the laws of "diag" and "spherical" are gamma laws of each precision, with nu / 2 and nu D / 2 as shapes.
    Priors left at None are scikit-learn's; `Mixture(Gaussian(), ...)` has defaults of its own, and `empirical_bayes=True` learns them.
    No component can degenerate, so there is no `on_degenerate`. Its `score_samples` is ours with `plug_in=True`; without, parameters are
    integrated over, and the components are Student-t laws.

    References
    ----------
    .. [1] C. M. Bishop (2006), Pattern Recognition and Machine Learning, section 10.2.
    .. [2] D. M. Blei and M. I. Jordan (2006), "Variational inference for Dirichlet process mixtures", Bayesian Analysis 1(1), 121-143.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(0, 1, (100, 1)), rng.normal(9, 2, (300, 1))])
    >>> mixture = BayesianGaussianMixture(6, weight_concentration_prior=1e-3, random_state=0).fit(X)
    >>> np.sort(mixture.weights_)[::-1].round(2)
    array([0.74, 0.26, 0.  , 0.  , 0.  , 0.  ])
    """

    _saved_arrays: ClassVar[tuple[str, ...]] = (
        "weights_",
        "means_",
        "covariances_",
        "precisions_",
        "precisions_cholesky_",
        "mean_precision_",
        "mean_prior_",
    )
    _saved_objects: ClassVar[tuple[str, ...]] = (
        "mean_prior",
        "covariance_prior",
        "weight_concentration_",
        "weight_concentration_prior_",
        "discount_prior_",
        "mean_precision_prior_",
        "degrees_of_freedom_",
        "degrees_of_freedom_prior_",
        "covariance_prior_",
    )

    #: A component without rows keeps its prior, so there is nothing to repair.
    on_degenerate = "raise"

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: str = "full",
        tol: float = 1e-5,
        reg_covar: float = 0.0,
        max_iter: int = 1000,
        n_init: int = 1,
        init_params: Any = "sieve",
        weight_concentration_prior_type: str = "dirichlet_process",
        weight_concentration_prior: float | None = None,
        mean_precision_prior: float | None = None,
        mean_prior: Any = None,
        degrees_of_freedom_prior: float | None = None,
        covariance_prior: Any = None,
        random_state: Any = None,
        warm_start: bool = False,
        verbose: int = 0,
        verbose_interval: int = 10,
        discount_prior: float | None = None,
        empirical_bayes: bool | str = False,
        moves: bool = True,
        prune: bool = False,
        weights_init: Any = None,
        means_init: Any = None,
        precisions_init: Any = None,
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
        self.weight_concentration_prior_type = weight_concentration_prior_type
        self.weight_concentration_prior = weight_concentration_prior
        self.mean_precision_prior = mean_precision_prior
        self.mean_prior = mean_prior
        self.degrees_of_freedom_prior = degrees_of_freedom_prior
        self.covariance_prior = covariance_prior
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.discount_prior = discount_prior
        self.empirical_bayes = empirical_bayes
        self.moves = moves
        self.prune = prune
        self.weights_init = weights_init
        self.means_init = means_init
        self.precisions_init = precisions_init
        self.time_budget = time_budget
        self.callbacks = callbacks
        self.executor = executor
        self.dtype = dtype

    # --- settings ---------------------------------------------------------------------------------------------
    def _check_settings(self) -> None:
        check_choice("covariance_type", self.covariance_type, list(COVARIANCES))
        super()._check_settings()
        check_choice(
            "weight_concentration_prior_type", self.weight_concentration_prior_type, list(WEIGHT_LAWS)
        )

    @property
    def _weight_law(self) -> WeightLaw:
        return WEIGHT_LAWS[self.weight_concentration_prior_type]

    def _treatment(self, n_features: int) -> Variational:
        """The priors that the settings mean, checked under the settings' names."""
        owner, law = type(self).__name__, wishart_law(self._model_of(self.covariance_type, 0.0), n_features)
        concentration = self.weight_concentration_prior
        weights = self._weight_law.prior(
            owner, 1.0 / self.n_components if concentration is None else concentration, self.discount_prior
        )
        return Variational(self._component_prior(owner, law), weights, self.empirical_bayes)

    def _component_prior(self, owner: str, law: WishartLaw) -> NormalWishartPrior:
        precision, degrees = self.mean_precision_prior, self.degrees_of_freedom_prior
        size = law.n_features
        if self.covariance_prior is not None:
            law.checked(self.covariance_prior, f"{owner}: covariance_prior")
        return NormalWishartPrior(
            None if self.mean_prior is None else finite(owner, "mean_prior", self.mean_prior, size),
            above(owner, "mean_precision_prior", 1.0 if precision is None else precision, 1),
            above(owner, "degrees_of_freedom_prior", size if degrees is None else degrees, 1, law.least),
            self.covariance_prior,
        )

    def _problem(self, X: Array, sample_weight: Array | None) -> Problem:
        treatment = self._treatment(X.shape[1])
        problem = super()._problem(X, sample_weight)
        if self.covariance_prior is None:
            prior = replace(treatment.prior, covariance=_scatter_of_all_rows(problem))
            treatment = replace(treatment, prior=prior)
        return self._with_moves(treatment(problem), treatment)

    # --- starts -----------------------------------------------------------------------------------------------
    def _start(self, problem: Problem, rng: np.random.Generator) -> LatentMixture | None:
        start = super()._start(problem, rng)
        return None if start is None else self._treatment(problem.encoding.n_features).start(problem, start)

    def _given(self, problem: Problem, rng: np.random.Generator) -> LatentMixture | None:
        if self.warm_start and hasattr(self, "means_"):
            return self._from_fitted(problem, self)
        return super()._given(problem, rng)

    def _from_fitted(self, problem: Problem, other: BaseMixture) -> LatentMixture:
        """Posterior laws about this problem's origin, or the parameters of a Gaussian mixture: their responsibilities are the start."""
        if not isinstance(other, BayesianGaussianMixture) or other.covariance_type != self.covariance_type:
            return super()._from_fitted(problem, other)
        model = other._model()
        components: Any = model.components
        here, there = (np.asarray(encoding.origin) for encoding in (problem.encoding, model.encoding))
        return replace(model, components=components.moved(here - there), encoding=problem.encoding)

    # --- results ----------------------------------------------------------------------------------------------
    def _publish(self, result: FitResult) -> None:
        super()._publish(result)
        components, dtype = result.model.components, self._fitted_dtype
        laws, prior, pooled = components.laws, components.prior, components.model.pooled
        scatter = np.asarray(prior.scatter if pooled else prior.scatter[0], dtype=dtype)
        posterior, concentration, discount = self._weight_law.published(result.model.structure)
        self.weight_concentration_ = posterior
        self.weight_concentration_prior_, self.discount_prior_ = concentration, discount
        self.mean_precision_ = laws.kappa.astype(dtype)
        self.mean_precision_prior_ = float(prior.kappa[0])
        self.mean_prior_ = (prior.mean[0] + result.model.encoding.origin).astype(dtype)
        self.degrees_of_freedom_ = float(laws.degrees[0]) if pooled else laws.degrees.astype(dtype)
        self.degrees_of_freedom_prior_ = float(prior.degrees[0])
        self.covariance_prior_ = scatter if scatter.ndim else float(scatter)

    def _model(self) -> LatentMixture:
        weights, means, centre, kappa = (
            np.asarray(one, dtype=np.float64)
            for one in (self.weights_, self.means_, self.mean_prior_, self.mean_precision_)
        )
        origin = weights @ means / weights.sum()
        degrees = np.atleast_1d(np.asarray(self.degrees_of_freedom_, dtype=np.float64))
        template = Gaussian(model=self._model_of(self.covariance_type, 0.0))
        known = NormalWishartPrior(
            centre, self.mean_precision_prior_, self.degrees_of_freedom_prior_, self.covariance_prior_
        )
        one_row = Statistics({"count": np.ones(1), "sum_x": centre[None]})
        blank = GaussianPosterior(template, known, one_row, origin)
        covariance = np.asarray(self.covariances_, dtype=np.float64)
        scatter = blank.law.divided(covariance, 1.0 / degrees)
        factor = np.asarray(self.precisions_cholesky_, dtype=np.float64)
        components = blank.at(NormalWishart(means - origin, kappa, degrees, scatter), factor)
        structure = self._weight_law.structure(
            self.weight_concentration_, self.weight_concentration_prior_, self.discount_prior_
        )
        return LatentMixture(components, structure, Encoding(means.shape[1], origin=origin))


def _scatter_of_all_rows(problem: Problem) -> Array:
    """Covariance of all rows in the form of the structure, with n - 1 in the place of n, as scikit-learn has it (from two rows on)."""
    sums = overall(problem)
    components: Any = problem.components
    law = wishart_law(components.model, problem.encoding.n_features)
    size = float(sums["count"].sum())
    scatter: Array = _default_scatter(components.model, law, sums) * (size / max(size - 1.0, 0.5 * size))
    return scatter
