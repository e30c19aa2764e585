"""Hidden Markov chains with Gaussian emissions, under hmmlearn's names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from mixtura.components import COVARIANCES, Full, Gaussian, PenalizedGaussian
from mixtura.components.penalized_gaussian import GaussianPenalty
from mixtura.exceptions import InvalidParameterError
from mixtura.models._drop_in import DropInHMM
from mixtura.models._drop_in_chain import broadcast
from mixtura.models._drop_in_gaussian import (
    check_definite,
    check_type,
    clustered,
    common_variance,
    start_covariance,
)
from mixtura.protocols import Array, Component, Encoding

__all__ = ["GaussianHMM"]


class GaussianHMM(DropInHMM):
    """Hidden Markov model with Gaussian emissions: hmmlearn's class, from equal starts to the same parameters.

    Parameters
    ----------
    n_components : int, default 1
        K, number of states.
    covariance_type : {"diag", "full", "spherical", "tied"}, default "diag"
        One variance for every column, a full matrix, one variance in all, or one full matrix for all states.
    min_covar : float, default 0.001
        Added to the variances of the start.
    startprob_prior : float or array_like, shape (n_components,), default 1
        Pseudo-counts of the Dirichlet law of `startprob_`; 1 is no prior.
    transmat_prior : float or array_like, shape (n_components, n_components), default 1
        Pseudo-counts of the Dirichlet laws of the rows of `transmat_`.
    means_prior, means_weight : float or array_like, shape (n_components, n_features), default 0
        Prior means, and how many steps they are worth (for full and tied covariances one number).
    covars_prior, covars_weight : float or array_like, default 0.01 and 1
        Scatter of the prior, in a shape that goes with the covariances, and its degrees of freedom: of these those above 1 ("diag",
        "spherical") or D ("full", "tied") count as steps.
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
    params, init_params : str, default "stmc"
        Letters of what is learnt, and of what is set by a start before: s and t of the chain, m means, c covariances.
    implementation : {"log", "scaling"}, default "log"
        Taken and not looked at: one implementation serves both, and loses nothing to underflow.

    Attributes
    ----------
    startprob_ : ndarray, shape (K,)
        Probabilities of the first state.
    transmat_ : ndarray, shape (K, K)
        transmat_[i, j] is the probability of state j after state i.
    means_ : ndarray, shape (K, D)
        Means.
    covars_ : ndarray, shape (K, D, D)
        Covariances as matrices, whatever their type; set in their own shape, (K, D), (K, D, D), (K,) or (D, D), or as they are read.
    n_features : int
        D.
    monitor_ : ConvergenceMonitor
        Log-likelihoods of the last fit; set one of your own before `fit` to stop by another rule.
    converged_ : bool
        Whether the gain fell below `tol`: unlike ``monitor_.converged``, false where the steps ran out.

    Notes
    -----
    Steps go to the mode of the posterior law, so the objective, the log-likelihood less the prior's penalty, never falls
    (:mod:`mixtura.components.penalized_gaussian`). docs/from-hmmlearn.md says what differs from hmmlearn.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(np.repeat([0.0, 5.0, 0.0], 40), 1.0)[:, None]
    >>> chain = GaussianHMM(2, random_state=0, n_iter=50).fit(X)
    >>> np.sort(chain.transmat_.diagonal()).round(2)
    array([0.98, 0.99])
    >>> chain.predict(X)[[0, 50, 100]] == chain.predict(X)[0]
    array([ True, False,  True])
    """

    _emissions: ClassVar[Mapping[str, str]] = {"m": "means_", "c": "covars_"}
    _stored: ClassVar[Mapping[str, str]] = {"covars_": "_covars_"}
    _kept = ("startprob_", "transmat_", "means_", "_covars_")

    means_: Array
    _covars_: Array

    def __init__(
        self,
        n_components: int = 1,
        covariance_type: str = "diag",
        min_covar: float = 1e-3,
        startprob_prior: Any = 1.0,
        transmat_prior: Any = 1.0,
        means_prior: Any = 0,
        means_weight: Any = 0,
        covars_prior: Any = 1e-2,
        covars_weight: Any = 1,
        algorithm: str = "viterbi",
        random_state: Any = None,
        n_iter: int = 10,
        tol: float = 1e-2,
        verbose: bool = False,
        params: str = "stmc",
        init_params: str = "stmc",
        implementation: str = "log",
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.min_covar = min_covar
        self.startprob_prior = startprob_prior
        self.transmat_prior = transmat_prior
        self.means_prior = means_prior
        self.means_weight = means_weight
        self.covars_prior = covars_prior
        self.covars_weight = covars_weight
        self.algorithm = algorithm
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

    # --- covariances ------------------------------------------------------------------------------------------
    @property
    def covars_(self) -> Array:
        """Covariances as matrices, shape (K, D, D)."""
        if not hasattr(self, "_covars_"):
            msg = f"This {type(self).__name__} has no covars_ yet: fit it, or set them."
            raise AttributeError(msg)
        n_features = np.shape(self.means_)[1] if hasattr(self, "means_") else int(self.n_features)
        shown: Array = COVARIANCES[self.covariance_type]().matrices(
            self._covars_, self.n_components, n_features
        )
        return np.array(shown)

    @covars_.setter
    def covars_(self, covars: Any) -> None:
        check_type(self.covariance_type)
        given = np.array(covars, dtype=np.float64)
        form = _FORMS[self.covariance_type](given, self.n_components)
        check_definite("covars_", form, self.covariance_type in ("spherical", "diag"))
        self._covars_ = form

    @property
    def _own(self) -> tuple[Array, Any]:
        """One covariance for each state, and which of them are one."""
        if self.covariance_type == "tied":
            return np.repeat(self._covars_[None], self.n_components, axis=0), np.zeros(self.n_components)
        return self._covars_, None

    # --- the laws ---------------------------------------------------------------------------------------------
    def _laws(self, encoding: Encoding, *, learn: bool) -> Component:
        mean = self.means_ if encoding.origin is None else self.means_ - encoding.origin
        if not learn:
            return Gaussian(mean, self._covars_, COVARIANCES[self.covariance_type]())
        covariance, owner = self._own
        model = Full() if owner is not None else COVARIANCES[self.covariance_type]()
        unit = None if encoding.scale is None else encoding.scale**2
        return PenalizedGaussian(
            Gaussian(mean, covariance, model),
            self._penalty(encoding.origin, covariance),
            owner=owner,
            learn=("m" in self.params, "c" in self.params),
            unit=unit,
        )

    def _penalty(self, origin: Array | None, covariance: Array) -> GaussianPenalty:
        """The settings as a prior of each state."""
        shape = size, n_features = self.means_.shape
        centre = broadcast("means_prior", self.means_prior, shape)
        weight = broadcast("means_weight", self.means_weight, shape)
        steps = broadcast("covars_weight", self.covars_weight, ())
        matrices = covariance.ndim == 3
        worth = np.full((size, 1), max(float(steps) - (n_features if matrices else 1.0), 0.0))
        if self.covariance_type == "tied":
            scatter = broadcast("covars_prior", self.covars_prior, covariance.shape[1:])[None] / size
            scatter, worth = np.repeat(scatter, size, axis=0), worth / size
        elif matrices:
            scatter = broadcast("covars_prior", self.covars_prior, covariance.shape)
        else:
            scatter = broadcast("covars_prior", self.covars_prior, shape)
            scatter = scatter.mean(axis=1) if covariance.ndim == 1 else scatter
        return GaussianPenalty(centre if origin is None else centre - origin, weight, scatter, worth)

    def _take(self, components: Any, origin: Array | None) -> None:
        if "m" in self.params:
            self.means_ = components.mean if origin is None else components.mean + origin
        if "c" in self.params:
            own = components.covariance
            self._covars_ = np.array(own[0] if self.covariance_type == "tied" else own)

    def _origin_encoding(self) -> Encoding:
        return Encoding(self.means_.shape[1], origin=self.means_.mean(axis=0))

    def _n_columns(self) -> int:
        return int(self.means_.shape[1])

    # --- starts and checks ------------------------------------------------------------------------------------
    def _start_emissions(self, X: Array) -> None:
        if self._needs_init("m", "means_"):
            self.means_ = clustered(X, self.n_components, self.random_state).cluster_centers_
        if self._needs_init("c", "covars_"):
            matrix = start_covariance(X, self.min_covar)
            size = self.n_components
            made: dict[str, Callable[[], Array]] = {
                "spherical": lambda: np.full(size, common_variance(matrix)),
                "diag": lambda: np.tile(matrix.diagonal(), (size, 1)),
                "full": lambda: np.tile(matrix, (size, 1, 1)),
                "tied": lambda: matrix,
            }
            check_type(self.covariance_type)
            self._covars_ = np.array(made[self.covariance_type]())

    def _check_emissions(self) -> None:
        check_type(self.covariance_type)
        self.means_ = np.asarray(self.means_, dtype=np.float64)
        if self.means_.ndim != 2 or len(self.means_) != self.n_components:
            msg = f"means_ has shape {self.means_.shape}; expected ({self.n_components}, n_features)."
            raise InvalidParameterError(msg)
        n_features = self.means_.shape[1]
        expected = {
            "spherical": (self.n_components,),
            "diag": (self.n_components, n_features),
            "full": (self.n_components, n_features, n_features),
            "tied": (n_features, n_features),
        }[self.covariance_type]
        if self._covars_.shape != expected:
            msg = f"covars_ of type {self.covariance_type!r} has shape {self._covars_.shape}; expected {expected}."
            raise InvalidParameterError(msg)
        self.n_features = n_features

    def _get_n_fit_scalars_per_param(self) -> dict[str, int]:
        size, n_features = self.n_components, int(self.n_features)
        covariances = COVARIANCES[self.covariance_type]().n_parameters(size, n_features)
        return {"s": size - 1, "t": size * (size - 1), "m": size * n_features, "c": covariances}

    def _draw(self, state: int, random_state: Any) -> Any:
        return random_state.multivariate_normal(self.means_[state], self.covars_[state])


def _spherical(given: Array, size: int) -> Array:
    """One number a state, however many dimensions are written about it, or as matrices."""
    if given.ndim == 3 and given.shape[1] > 1:
        return _one_each(np.diagonal(given, axis1=1, axis2=2), given, size)
    return _one_each(given.reshape(len(given), -1) if given.ndim else given, given, size)


def _one_each(rows: Array, given: Array, size: int) -> Array:
    if rows.ndim != 2 or len(rows) != size or not rows.shape[1] or np.ptp(rows, axis=1).any():
        msg = f"covars_ of type 'spherical' has shape {given.shape}; expected ({size},), one variance for each state."
        raise InvalidParameterError(msg)
    return rows[:, 0].copy()


def _diagonal(given: Array, size: int) -> Array:
    if given.ndim == 3 and given.shape[1] == given.shape[2]:
        off = given * (1.0 - np.eye(given.shape[1]))
        if not off.any():
            return np.diagonal(given, axis1=1, axis2=2).copy()
    return _shaped("diag", given, (size, -1))


def _full(given: Array, size: int) -> Array:
    return _shaped("full", given, (size, -1, -1))


def _tied(given: Array, size: int) -> Array:
    if given.ndim == 3 and len(given) and (given == given[0]).all():
        given = given[0]
    return _shaped("tied", given, (-1, -1))


def _shaped(kind: str, given: Array, shape: tuple[int, ...]) -> Array:
    fits = given.ndim == len(shape) and all(
        want in (-1, found) for want, found in zip(shape, given.shape, strict=True)
    )
    if not fits or (shape[-2:] == (-1, -1) and given.shape[-1] != given.shape[-2]):
        words = ", ".join("n_features" if want < 0 else str(want) for want in shape)
        msg = f"covars_ of type {kind!r} has shape {given.shape}; expected ({words})."
        raise InvalidParameterError(msg)
    return given


_FORMS = {"spherical": _spherical, "diag": _diagonal, "full": _full, "tied": _tied}
