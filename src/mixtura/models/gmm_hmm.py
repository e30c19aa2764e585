"""Hidden Markov chains whose emissions are mixtures of Gaussians, under hmmlearn's names."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from mixtura.components import COVARIANCES, Full, Gaussian, Nested, PenalizedGaussian, PenalizedNested
from mixtura.components.penalized_gaussian import GaussianPenalty
from mixtura.exceptions import InvalidParameterError
from mixtura.models._chain_output import ChainOutput
from mixtura.models._checked import checked_count
from mixtura.models._drop_in import DropInHMM
from mixtura.models._drop_in_chain import broadcast
from mixtura.models._drop_in_gaussian import (
    check_definite,
    check_type,
    common_variance,
    nested_centres,
    start_covariance,
)
from mixtura.models._drop_in_priors import PRIORS
from mixtura.protocols import Array, Component, Encoding

__all__ = ["GMMHMM"]


class GMMHMM(DropInHMM):
    """Hidden Markov model with a mixture of Gaussians in each state: hmmlearn's class.

    Parameters
    ----------
    n_components : int, default 1
        K, number of states.
    n_mix : int, default 1
        M, Gaussians of each state.
    min_covar : float, default 0.001
        Added to the variances of the start.
    startprob_prior : float or array_like, shape (n_components,), default 1
        Pseudo-counts of the Dirichlet law of `startprob_`; 1 is no prior.
    transmat_prior : float or array_like, shape (n_components, n_components), default 1
        Pseudo-counts of the Dirichlet laws of the rows of `transmat_`.
    weights_prior : float or array_like, shape (n_components, n_mix), default 1
        Pseudo-counts of the Dirichlet laws of the rows of `weights_`.
    means_prior : float or array_like, shape (n_components, n_mix, n_features), default 0
        Prior means.
    means_weight : float or array_like, shape (n_components, n_mix), default 0
        How many steps they are worth.
    covars_prior, covars_weight : float or array_like, optional
        Inverse Wishart scatter and degrees of freedom ("full", "tied"), or inverse gamma shape and scale ("diag", "spherical"), in
        hmmlearn's order and shapes. None: those that cancel, except, as there, for "spherical" with other numbers of Gaussians
        than columns.
    covariance_type : {"diag", "full", "spherical", "tied"}, default "diag"
        One variance for every column, a full matrix, one variance in all, or one full matrix for all Gaussians of a state.
    algorithm : {"viterbi", "map"}, default "viterbi"
        What `decode` and `predict` look for: the most probable path, or the most probable state of every step.
    random_state : int, RandomState or None
        Of starts and of `sample`.
    n_iter : int, default 10
        Most steps of EM.
    tol : float, default 0.01
        Least gain of the log-likelihood, a total over all sequences, for which a fit goes on.
    verbose : bool, default False
        Whether every step is written to standard error.
    params, init_params : str, default "stmcw"
        Letters of what is learnt, and of what is set by a start before: s and t of the chain, m means, c covariances, w weights.
    implementation : {"log", "scaling"}, default "log"
        Taken and not looked at: one implementation serves both, and loses nothing to underflow.

    Attributes
    ----------
    startprob_, transmat_, monitor_, converged_
        As of :class:`GaussianHMM`.
    weights_ : ndarray, shape (K, M)
        Weights of the Gaussians of each state.
    means_ : ndarray, shape (K, M, D)
        Means.
    covars_ : ndarray, shape (K, M, D), (K, M, D, D), (K, M) or (K, D, D)
        Covariances: "diag", "full", "spherical", "tied".
    n_features : int
        D.

    Notes
    -----
    As in hmmlearn covariances are taken about the means before the step. Variances stop at a ten-thousand-millionth of the columns'
    own, where hmmlearn's go on to zero and its fit ends in an error.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal([0, 9], 1, (40, 2)).ravel(), rng.normal(40, 1, 40)])[:, None]
    >>> chain = GMMHMM(2, n_mix=2, random_state=0, n_iter=50).fit(X)
    >>> np.sort(chain.means_.mean(axis=1).ravel()).round()
    array([ 4., 40.])
    """

    _emissions: ClassVar[Mapping[str, str]] = {"m": "means_", "c": "covars_", "w": "weights_"}
    _stored: ClassVar[Mapping[str, str]] = {"weights_": "_weights"}
    _kept = ("startprob_", "transmat_", "_weights", "means_", "covars_")

    means_: Array
    covars_: Array

    def __init__(
        self,
        n_components: int = 1,
        n_mix: int = 1,
        min_covar: float = 1e-3,
        startprob_prior: Any = 1.0,
        transmat_prior: Any = 1.0,
        weights_prior: Any = 1.0,
        means_prior: Any = 0.0,
        means_weight: Any = 0.0,
        covars_prior: Any = None,
        covars_weight: Any = None,
        algorithm: str = "viterbi",
        covariance_type: str = "diag",
        random_state: Any = None,
        n_iter: int = 10,
        tol: float = 1e-2,
        verbose: bool = False,
        params: str = "stmcw",
        init_params: str = "stmcw",
        implementation: str = "log",
    ) -> None:
        self.n_components = n_components
        self.n_mix = n_mix
        self.min_covar = min_covar
        self.startprob_prior = startprob_prior
        self.transmat_prior = transmat_prior
        self.weights_prior = weights_prior
        self.means_prior = means_prior
        self.means_weight = means_weight
        self.covars_prior = covars_prior
        self.covars_weight = covars_weight
        self.algorithm = algorithm
        self.covariance_type = covariance_type
        self.random_state = random_state
        self.n_iter = n_iter
        self.tol = tol
        self.verbose = verbose
        self.params = params
        self.init_params = init_params
        self.implementation = implementation

    def _check_settings(self) -> None:
        super()._check_settings()
        check_type(self.covariance_type)
        checked_count("n_mix", self.n_mix)

    @property
    def weights_(self) -> Array:
        """Weights of the Gaussians of each state, shape (K, M)."""
        if not hasattr(self, "_weights"):
            msg = f"This {type(self).__name__} has no weights_ yet: fit it, or set them."
            raise AttributeError(msg)
        return self._weights

    @weights_.setter
    def weights_(self, weights: Any) -> None:
        self._weights = weights

    # --- the laws ---------------------------------------------------------------------------------------------
    def _laws(self, encoding: Encoding, *, learn: bool) -> Component:
        size, n_features = self.n_components * self.n_mix, self.means_.shape[2]
        mean = self.means_.reshape(size, n_features)
        mean = mean if encoding.origin is None else mean - encoding.origin
        tied = self.covariance_type == "tied"
        model = Full() if tied else COVARIANCES[self.covariance_type]()
        covariance = np.repeat(self.covars_, self.n_mix, axis=0) if tied else self.covars_
        gaussian = Gaussian(mean, covariance.reshape(size, *covariance.shape[1 if tied else 2 :]), model)
        weights = self._weights / self._weights.sum(axis=1, keepdims=True)
        if not learn:
            return Nested(gaussian, self.n_mix, weights)
        inner = PenalizedGaussian(
            gaussian,
            self._penalty(encoding.origin),
            owner=np.repeat(np.arange(self.n_components), self.n_mix) if tied else None,
            learn=("m" in self.params, "c" in self.params),
            about_last=True,
            unit=None if encoding.scale is None else encoding.scale**2,
        )
        prior = broadcast("weights_prior", self.weights_prior, weights.shape)
        return PenalizedNested(inner, self.n_mix, weights, prior, learn="w" in self.params)

    def _penalty(self, origin: Array | None) -> GaussianPenalty:
        """The settings as a prior of each Gaussian, in hmmlearn's sense."""
        shape = states, inner, n_features = self.means_.shape
        size = states * inner
        centre = broadcast("means_prior", self.means_prior, shape).reshape(size, n_features)
        weight = broadcast("means_weight", self.means_weight, shape[:2]).reshape(size, 1)
        scatter, worth = PRIORS[self.covariance_type](shape, self.covars_prior, self.covars_weight)
        return GaussianPenalty(
            centre if origin is None else centre - origin,
            np.repeat(weight, n_features, axis=1),
            scatter.reshape(size, *scatter.shape[2:]),
            worth.reshape(size, -1),
        )

    def _take(self, components: Any, origin: Array | None) -> None:
        shape = states, inner, _ = self.means_.shape
        gaussian = components.inner
        if "w" in self.params:
            self.weights_ = components.weights
        if "m" in self.params:
            self.means_ = (gaussian.mean if origin is None else gaussian.mean + origin).reshape(shape)
        if "c" in self.params:
            own = gaussian.covariance.reshape(states, inner, *gaussian.covariance.shape[1:])
            self.covars_ = np.array(own[:, 0] if self.covariance_type == "tied" else own)

    def _origin_encoding(self) -> Encoding:
        return Encoding(self.means_.shape[2], origin=self.means_.mean(axis=(0, 1)))

    def _n_columns(self) -> int:
        return int(self.means_.shape[2])

    # --- starts and checks ------------------------------------------------------------------------------------
    def _start_emissions(self, X: Array) -> None:
        states, inner = self.n_components, self.n_mix
        matrix = start_covariance(X, self.min_covar)
        if self._needs_init("w", "weights_"):
            self.weights_ = np.full((states, inner), 1.0 / inner)
        if self._needs_init("m", "means_"):
            self.means_ = nested_centres(X, matrix, (states, inner), self.random_state)
        if self._needs_init("c", "covars_"):
            made: dict[str, Callable[[], Array]] = {
                "spherical": lambda: np.full((states, inner), common_variance(matrix)),
                "diag": lambda: np.tile(matrix.diagonal(), (states, inner, 1)),
                "full": lambda: np.tile(matrix, (states, inner, 1, 1)),
                "tied": lambda: np.tile(matrix, (states, 1, 1)),
            }
            check_type(self.covariance_type)
            self.covars_ = np.array(made[self.covariance_type]())

    def _check_emissions(self) -> None:
        check_type(self.covariance_type)
        self._weights = self._shares("_weights", (self.n_components, self.n_mix))
        self.means_ = np.asarray(self.means_, dtype=np.float64)
        n_features = getattr(self, "n_features", self.means_.shape[-1] if self.means_.ndim else 0)
        shape = (self.n_components, self.n_mix, n_features)
        if self.means_.shape != shape:
            msg = (
                f"means_ has shape {self.means_.shape}; expected (n_components, n_mix, n_features) = {shape}."
            )
            raise InvalidParameterError(msg)
        self.covars_ = np.asarray(self.covars_, dtype=np.float64)
        expected = {
            "spherical": shape[:2],
            "diag": shape,
            "full": (*shape, n_features),
            "tied": (self.n_components, n_features, n_features),
        }[self.covariance_type]
        if self.covars_.shape != expected:
            msg = f"covars_ of type {self.covariance_type!r} has shape {self.covars_.shape}; expected {expected}."
            raise InvalidParameterError(msg)
        check_definite("covars_", self.covars_, self.covariance_type in ("spherical", "diag"))
        self.n_features = n_features

    def _get_n_fit_scalars_per_param(self) -> dict[str, int]:
        size, inner, n_features = self.n_components, self.n_mix, int(self.n_features)
        each = size if self.covariance_type == "tied" else size * inner
        model = Full() if self.covariance_type == "tied" else COVARIANCES[self.covariance_type]()
        return {
            "s": size - 1,
            "t": size * (size - 1),
            "m": size * inner * n_features,
            "c": model.n_parameters(each, n_features),
            "w": size * (inner - 1),
        }

    def _draw(self, state: int, random_state: Any) -> Any:
        inner = random_state.choice(self.n_mix, p=self.weights_[state])
        tied = self.covariance_type == "tied"
        model = Full() if tied else COVARIANCES[self.covariance_type]()
        own = self.covars_[state] if tied else self.covars_[state, inner]
        matrix = model.matrices(np.asarray(own)[None], 1, self.means_.shape[2])[0]
        return random_state.multivariate_normal(self.means_[state, inner], matrix)

    # --- what it says of itself -------------------------------------------------------------------------------
    def params_frame(self, library: str | None = None) -> Any:
        """Fitted parameters as a tidy frame, as of :class:`HMM`; ``weight 0``, ``mean 0``, ... are those of the Gaussians."""
        return ChainOutput.params_frame(self._read(), library)

    def summary(self) -> str:
        """What was fitted and how well, as text."""
        return super(GMMHMM, self._read()).summary()

    def _repr_html_(self) -> str:
        return super(GMMHMM, self._read())._repr_html_()

    def _read(self) -> GMMHMM:
        """The same chain with the states' long-run shares as its weights, as tables have them."""
        view = copy.copy(self)
        view.__class__ = _Read
        return view


class _Read(GMMHMM):
    """What tables are made from."""

    @property  # type: ignore[misc] # it is read only
    def weights_(self) -> Array:
        """Long-run shares of the states."""
        return self.get_stationary_distribution()


_Read.__name__ = GMMHMM.__name__
