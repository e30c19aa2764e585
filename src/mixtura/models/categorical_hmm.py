"""Hidden Markov chains that emit symbols, under hmmlearn's names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from sklearn.utils import check_random_state

from mixtura.components import Symbols
from mixtura.exceptions import InvalidDataError, InvalidParameterError
from mixtura.models._drop_in import DropInHMM, normalized
from mixtura.models._drop_in_chain import broadcast
from mixtura.protocols import Array, Component, Encoding

__all__ = ["CategoricalHMM"]


class CategoricalHMM(DropInHMM):
    """Hidden Markov model that emits one of n symbols in every step: hmmlearn's class.

    Parameters
    ----------
    n_components : int, default 1
        K, number of states.
    startprob_prior : float or array_like, shape (n_components,), default 1
        Pseudo-counts of the Dirichlet law of `startprob_`; 1 is no prior.
    transmat_prior : float or array_like, shape (n_components, n_components), default 1
        Pseudo-counts of the Dirichlet laws of the rows of `transmat_`.
    emissionprob_prior : float or array_like, shape (n_components, n_features), default 1
        Pseudo-counts of the Dirichlet laws of the rows of `emissionprob_`.
    n_features : int, optional
        Number of symbols, 0 to n_features - 1; None: from the data.
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
        Letters of what is learnt, and of what is set by a start before: s and t of the chain, e the symbols' probabilities.
    implementation : {"log", "scaling"}, default "log"
        Taken and not looked at: one implementation serves both, and loses nothing to underflow.

    Attributes
    ----------
    startprob_, transmat_, monitor_, converged_
        As of :class:`GaussianHMM`.
    emissionprob_ : ndarray, shape (K, n_features)
        Probabilities of the symbols in each state.
    n_features : int
        Number of symbols.

    Examples
    --------
    >>> X = np.array([0, 1, 0, 1, 2, 2, 2, 2, 0, 1, 1, 0, 2, 2, 2])[:, None]
    >>> chain = CategoricalHMM(2, random_state=1, n_iter=100).fit(X)
    >>> chain.emissionprob_[:, 2].round(2).max()
    np.float64(1.0)
    """

    _emissions: ClassVar[Mapping[str, str]] = {"e": "emissionprob_"}
    _kept = ("startprob_", "transmat_", "emissionprob_")

    emissionprob_: Array

    def __init__(
        self,
        n_components: int = 1,
        startprob_prior: Any = 1.0,
        transmat_prior: Any = 1.0,
        *,
        emissionprob_prior: Any = 1.0,
        n_features: int | None = None,
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
        self.startprob_prior = startprob_prior
        self.transmat_prior = transmat_prior
        self.emissionprob_prior = emissionprob_prior
        self.n_features = n_features
        self.algorithm = algorithm
        self.random_state = random_state
        self.n_iter = n_iter
        self.tol = tol
        self.verbose = verbose
        self.params = params
        self.init_params = init_params
        self.implementation = implementation

    def _laws(self, encoding: Encoding, *, learn: bool) -> Component:
        if not learn:
            return Symbols(self.emissionprob_)
        prior = broadcast("emissionprob_prior", self.emissionprob_prior, self.emissionprob_.shape)
        return Symbols(self.emissionprob_, prior, learn="e" in self.params)

    def _take(self, components: Any, origin: Array | None) -> None:
        if "e" in self.params:
            self.emissionprob_ = components.probabilities

    def _start_emissions(self, X: Array) -> None:
        if self._needs_init("e", "emissionprob_"):
            random_state = check_random_state(self.random_state)
            self.emissionprob_ = normalized(random_state.rand(self.n_components, self.n_features))

    def _check_emissions(self) -> None:
        given = np.atleast_2d(np.asarray(self.emissionprob_, dtype=np.float64))
        if self.n_features is None:
            self.n_features = given.shape[1]
        self.emissionprob_ = given
        self.emissionprob_ = self._shares("emissionprob_", (self.n_components, self.n_features))

    def _check_and_set_n_features(self, X: Array) -> None:
        """Refuse what are no symbols; count them where their number is not set."""
        shown = X[~np.isnan(X)] if np.issubdtype(X.dtype, np.floating) else X
        gaps = shown.size < X.size
        if not np.issubdtype(X.dtype, np.integer) and not (gaps and (shown == np.floor(shown)).all()):
            msg = f"The symbols have type {X.dtype}; expected whole numbers 0, 1, ... Use astype(int), or number them by LabelEncoder."
            raise InvalidDataError(msg)
        if shown.size and shown.min() < 0:
            row = int(np.argwhere(X < 0)[0][0])
            msg = f"Row {row} is {shown.min()}; expected symbols of at least 0. Number them 0, 1, ..., for instance by LabelEncoder."
            raise InvalidDataError(msg)
        largest = int(shown.max()) if shown.size else 0
        if self.n_features is None:
            self.n_features = largest + 1
        elif largest >= self.n_features:
            msg = f"The largest symbol is {largest}, but n_features={self.n_features} ends at {self.n_features - 1}. Increase n_features."
            raise InvalidDataError(msg)

    def _checked_rows(self, X: Array) -> Array:
        if X.shape[1] != 1:
            msg = f"X has {X.shape[1]} columns; expected one column of symbols. Use X.reshape(-1, 1), or MultinomialHMM for counts."
            raise InvalidDataError(msg)
        known = self.n_features if self.n_features is not None else np.atleast_2d(self.emissionprob_).shape[1]
        bad = np.flatnonzero(
            (X[:, 0] < 0) | (X[:, 0] >= known) | (X[:, 0] != np.floor(X[:, 0])) & ~np.isnan(X[:, 0])
        )
        if bad.size:
            msg = f"Row {bad[0]} is {X[bad[0], 0]:g}; expected a symbol from 0 to {known - 1}."
            raise InvalidDataError(msg)
        return X

    def _n_columns(self) -> int:
        return 1

    def _get_n_fit_scalars_per_param(self) -> dict[str, int]:
        size = self.n_components
        if self.n_features is None:
            msg = "n_features is not known yet: fit the model, or set it."
            raise InvalidParameterError(msg)
        return {"s": size - 1, "t": size * (size - 1), "e": size * (self.n_features - 1)}

    def _draw(self, state: int, random_state: Any) -> Any:
        return [int((np.cumsum(self.emissionprob_[state]) > random_state.rand()).argmax())]
