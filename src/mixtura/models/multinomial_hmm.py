"""Hidden Markov chains that emit counts over categories, under hmmlearn's names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from sklearn.utils import check_random_state

from mixtura.components import PenalizedMultinomial
from mixtura.exceptions import InvalidDataError, InvalidParameterError
from mixtura.models._drop_in import DropInHMM, normalized, whole_counts
from mixtura.protocols import Array, Component, Encoding

__all__ = ["MultinomialHMM"]


class MultinomialHMM(DropInHMM):
    """Hidden Markov model with counts over categories in every step: hmmlearn's class (that of version 0.3).

    Parameters
    ----------
    n_components : int, default 1
        K, number of states.
    n_trials : int or array_like of int, shape (n_samples,), optional
        Counts of every step together; None: from the data. `sample` needs a single number.
    startprob_prior : float or array_like, shape (n_components,), default 1
        Pseudo-counts of the Dirichlet law of `startprob_`; 1 is no prior.
    transmat_prior : float or array_like, shape (n_components, n_components), default 1
        Pseudo-counts of the Dirichlet laws of the rows of `transmat_`.
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
    params, init_params : str, default "ste"
        Letters of what is learnt, and of what is set by a start before: s and t of the chain, e the categories' shares.
    implementation : {"log", "scaling"}, default "log"
        Taken and not looked at: one implementation serves both, and loses nothing to underflow.

    Attributes
    ----------
    startprob_, transmat_, monitor_, converged_
        As of :class:`GaussianHMM`.
    emissionprob_ : ndarray, shape (K, n_features)
        Shares of the categories in each state.
    n_features : int
        Number of categories.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.multinomial(9, p, size=30) for p in ([0.8, 0.1, 0.1], [0.1, 0.1, 0.8])])
    >>> chain = MultinomialHMM(2, random_state=0, n_iter=50).fit(X)
    >>> np.sort(chain.emissionprob_[:, 0]).round(1)
    array([0.1, 0.8])
    """

    _emissions: ClassVar[Mapping[str, str]] = {"e": "emissionprob_"}
    _kept = ("startprob_", "transmat_", "emissionprob_")

    emissionprob_: Array

    def __init__(
        self,
        n_components: int = 1,
        n_trials: Any = None,
        startprob_prior: Any = 1.0,
        transmat_prior: Any = 1.0,
        algorithm: str = "viterbi",
        random_state: Any = None,
        n_iter: int = 10,
        tol: float = 1e-2,
        verbose: bool = False,
        params: str = "ste",
        init_params: str = "ste",
        implementation: str = "log",
    ) -> None:
        self.n_components = n_components
        self.n_trials = n_trials
        self.startprob_prior = startprob_prior
        self.transmat_prior = transmat_prior
        self.algorithm = algorithm
        self.random_state = random_state
        self.n_iter = n_iter
        self.tol = tol
        self.verbose = verbose
        self.params = params
        self.init_params = init_params
        self.implementation = implementation

    def _laws(self, encoding: Encoding, *, learn: bool) -> Component:
        return PenalizedMultinomial(self.emissionprob_, learn=learn and "e" in self.params)

    def _take(self, components: Any, origin: Array | None) -> None:
        if "e" in self.params:
            self.emissionprob_ = components.probabilities

    def _start_emissions(self, X: Array) -> None:
        if self._needs_init("e", "emissionprob_"):
            random_state = check_random_state(self.random_state)
            self.emissionprob_ = normalized(random_state.rand(self.n_components, self.n_features))

    def _check_emissions(self) -> None:
        self.emissionprob_ = np.atleast_2d(np.asarray(self.emissionprob_, dtype=np.float64))
        n_features: Any = getattr(self, "n_features", self.emissionprob_.shape[1])
        self.emissionprob_ = self._shares("emissionprob_", (self.n_components, n_features))
        self.n_features = n_features

    def _check_and_set_n_features(self, X: Array) -> None:
        """Refuse what are no counts, or other totals than `n_trials`; note both where they are not set."""
        super()._check_and_set_n_features(X)
        shown = X[~np.isnan(X).any(axis=1)] if np.issubdtype(X.dtype, np.floating) else X
        gaps = len(shown) < len(X)
        if not np.issubdtype(X.dtype, np.integer) and not (gaps and (shown == np.floor(shown)).all()):
            msg = f"The counts have type {X.dtype}; expected whole numbers of at least 0. Use astype(int)."
            raise InvalidDataError(msg)
        if shown.size and shown.min() < 0:
            row, column = (int(i) for i in np.argwhere(X < 0)[0])
            msg = f"Row {row}, column {column} is {X[row, column]}; expected counts of at least 0."
            raise InvalidDataError(msg)
        totals = shown.sum(axis=1)
        if self.n_trials is None:
            self.n_trials = totals
            return
        trials = np.asarray(self.n_trials)
        fits = trials.ndim == 0 or len(trials) == len(totals)
        bad = np.flatnonzero(totals != trials) if fits else np.zeros(1, dtype=int)
        if bad.size:
            found = f"row {bad[0]} adds up to {totals[bad[0]]}" if fits else f"X has {len(totals)} rows"
            wanted = trials if trials.ndim == 0 else (trials[bad[0]] if fits else f"of shape {trials.shape}")
            msg = f"n_trials is {wanted}, but {found}; expected every row to add up to n_trials. Set n_trials=None to take other totals."
            raise InvalidDataError(msg)

    def _checked_rows(self, X: Array) -> Array:
        size = self.n_features if hasattr(self, "n_features") else np.atleast_2d(self.emissionprob_).shape[1]
        if X.shape[1] != size:
            msg = f"X has {X.shape[1]} columns; expected {size}, one for each category."
            raise InvalidDataError(msg)
        return whole_counts(X)

    def _get_n_fit_scalars_per_param(self) -> dict[str, int]:
        size, n_features = self.n_components, int(self.n_features)
        return {"s": size - 1, "t": size * (size - 1), "e": size * (n_features - 1)}

    def _draw(self, state: int, random_state: Any) -> Any:
        trials = np.unique(np.asarray([] if self.n_trials is None else self.n_trials))
        if len(trials) != 1:
            found = "not set" if self.n_trials is None else f"{len(trials)} different numbers"
            msg = f"n_trials is {found}; expected a single number to sample rows with. Set n_trials."
            raise InvalidParameterError(msg)
        return random_state.multinomial(int(trials[0]), self.emissionprob_[state])
