"""Hidden Markov chains that emit numbers of events, under hmmlearn's names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils import check_random_state

from mixtura.exceptions import InvalidDataError, InvalidParameterError
from mixtura.families import FamilyComponents, Poisson
from mixtura.models._drop_in import DropInHMM, whole_counts
from mixtura.models._drop_in_chain import broadcast
from mixtura.protocols import Array, Component, Encoding
from mixtura.statistics import Statistics

__all__ = ["PoissonHMM"]


class _Rates(FamilyComponents):
    """Poisson columns whose M-step is hmmlearn's: a prior weighed against the rows of all states, and states without rows stay."""

    prior: tuple[Array, Array]
    learn = True

    @property
    def exact(self) -> bool:  # type: ignore[override]
        """Not where there is a prior: weighed so, it makes no posterior mode."""
        return not (self.learn and any(one.any() for one in self.prior))

    def maximize(self, stats: Statistics) -> Self:
        """(alpha + N ybar) / (beta + N), with the states' own averages and the number N of all rows."""
        count = self._exposures(stats)
        alive = (count > 0).all(axis=1, keepdims=True)
        if not self.learn:
            return self.replace(self.natural)
        mean = stats["sum_t"] / np.where(count > 0, count, 1.0)
        alpha, beta = self.prior
        total = count.sum(axis=0, keepdims=True)
        new = self.family.natural_from_mean((alpha + total * mean) / (beta + total))
        return self.replace(np.where(alive, new, self.natural))


class PoissonHMM(DropInHMM):
    """Hidden Markov model with numbers of events in every step: hmmlearn's class.

    Parameters
    ----------
    n_components : int, default 1
        K, number of states.
    startprob_prior : float or array_like, shape (n_components,), default 1
        Pseudo-counts of the Dirichlet law of `startprob_`; 1 is no prior.
    transmat_prior : float or array_like, shape (n_components, n_components), default 1
        Pseudo-counts of the Dirichlet laws of the rows of `transmat_`.
    lambdas_prior, lambdas_weight : float or array_like, shape (n_components, n_features), default 0
        Shape and rate of a gamma law of `lambdas_`. As in hmmlearn a state's rate is (prior + N average) / (weight + N) with the
        number N of the steps of all states: that is no mode of a posterior law, and with it the likelihood may fall.
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
    params, init_params : str, default "stl"
        Letters of what is learnt, and of what is set by a start before: s and t of the chain, l the rates.
    implementation : {"log", "scaling"}, default "log"
        Taken and not looked at: one implementation serves both, and loses nothing to underflow.

    Attributes
    ----------
    startprob_, transmat_, monitor_, converged_
        As of :class:`GaussianHMM`.
    lambdas_ : ndarray, shape (K, n_features)
        Rates of the columns in each state; at least 1e-10.
    n_features : int
        Number of columns.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.poisson(np.repeat([2.0, 9.0, 2.0], 50))[:, None]
    >>> chain = PoissonHMM(2, random_state=0, n_iter=50).fit(X)
    >>> np.sort(chain.lambdas_.ravel()).round()
    array([2., 9.])
    """

    _emissions: ClassVar[Mapping[str, str]] = {"l": "lambdas_"}
    _kept = ("startprob_", "transmat_", "lambdas_")

    lambdas_: Array

    def __init__(
        self,
        n_components: int = 1,
        startprob_prior: Any = 1.0,
        transmat_prior: Any = 1.0,
        lambdas_prior: Any = 0.0,
        lambdas_weight: Any = 0.0,
        algorithm: str = "viterbi",
        random_state: Any = None,
        n_iter: int = 10,
        tol: float = 1e-2,
        verbose: bool = False,
        params: str = "stl",
        init_params: str = "stl",
        implementation: str = "log",
    ) -> None:
        self.n_components = n_components
        self.startprob_prior = startprob_prior
        self.transmat_prior = transmat_prior
        self.lambdas_prior = lambdas_prior
        self.lambdas_weight = lambdas_weight
        self.algorithm = algorithm
        self.random_state = random_state
        self.n_iter = n_iter
        self.tol = tol
        self.verbose = verbose
        self.params = params
        self.init_params = init_params
        self.implementation = implementation

    def _laws(self, encoding: Encoding, *, learn: bool) -> Component:
        laws = _Rates(Poisson()).from_mean(self.lambdas_)
        shape = self.lambdas_.shape
        laws.learn = learn and "l" in self.params
        laws.prior = (
            broadcast("lambdas_prior", self.lambdas_prior, shape),
            broadcast("lambdas_weight", self.lambdas_weight, shape),
        )
        return laws

    def _take(self, components: Any, origin: Array | None) -> None:
        if "l" in self.params:
            self.lambdas_ = components.mean

    def _start_emissions(self, X: Array) -> None:
        if self._needs_init("l", "lambdas_"):
            mean, variance, shape = X.mean(), X.var(), (self.n_components, int(self.n_features))
            random_state = check_random_state(self.random_state)
            self.lambdas_ = (
                random_state.gamma(shape=mean**2 / variance, scale=variance / mean, size=shape)
                if variance > 0
                else np.full(shape, float(mean))
            )

    def _check_emissions(self) -> None:
        self.lambdas_ = np.atleast_2d(np.asarray(self.lambdas_, dtype=np.float64))
        n_features = getattr(self, "n_features", self.lambdas_.shape[1])
        if self.lambdas_.shape != (self.n_components, n_features) or not n_features:
            msg = f"lambdas_ has shape {self.lambdas_.shape}; expected ({self.n_components}, {n_features})."
            raise InvalidParameterError(msg)
        bad = np.argwhere(~((self.lambdas_ >= 0) & (self.lambdas_ < np.inf)))
        if bad.size:
            at = tuple(int(i) for i in bad[0])
            msg = f"lambdas_[{at[0]}, {at[1]}] is {self.lambdas_[at]}; expected finite rates of at least 0."
            raise InvalidParameterError(msg)
        self.n_features = n_features

    def _checked_rows(self, X: Array) -> Array:
        size = self.n_features if hasattr(self, "n_features") else np.atleast_2d(self.lambdas_).shape[1]
        if X.shape[1] != size:
            msg = f"X has {X.shape[1]} columns; expected {size}, one for each column of lambdas_."
            raise InvalidDataError(msg)
        return whole_counts(X)

    def _get_n_fit_scalars_per_param(self) -> dict[str, int]:
        size = self.n_components
        return {"s": size - 1, "t": size * (size - 1), "l": size * int(self.n_features)}

    def _draw(self, state: int, random_state: Any) -> Any:
        return random_state.poisson(self.lambdas_[state])
