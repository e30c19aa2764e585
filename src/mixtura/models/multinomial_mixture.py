"""Mixtures of multinomials over counts: baskets, documents, clicks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from mixtura.data import count_encoding
from mixtura.families.multinomial import MultinomialComponents
from mixtura.inference.driver import Progress
from mixtura.inference.initialize import count_embeddings
from mixtura.inference.problem import Problem
from mixtura.inference.updates import Maximization, policy
from mixtura.models._counts import CountMixture, row_totals
from mixtura.models._parameters import check_probabilities, independent
from mixtura.protocols import Array, Executor
from mixtura.statistics import Statistics

__all__ = ["MultinomialMixture"]


class MultinomialMixture(CountMixture):
    """Mixture of multinomials over count rows, dense or sparse (sparse rows are never densified).

    A component is a profile: probabilities of the C categories. Row totals are taken as given, so a long basket
    and a short one of the same kind belong together.

    Parameters
    ----------
    n_components : int, default 1
        K.
    tol : float, default 1e-5
        Bound on the estimated remaining gain of the objective per row (nats).
    max_iter : int, default 1000
        Most EM steps of a run.
    n_init : int, default 1
        Starts; for the sieve, rounds of twenty candidates.
    init_params : {"sieve", "kmeans", "k-means++", "random", "random_from_data", "agglomerate"}, default "sieve"
        Where to start; distances are between square roots of shares (Hellinger).
    pseudo_count : float, default 0.01
        Lines of every category that each component is given beforehand (a Dirichlet prior in pseudo-count form), so
        that no probability is zero for ever. 0 gives maximum likelihood.
    weights_init : array_like, shape (K,), optional
        Given start.
    profiles_init : array_like, shape (K, C), optional
        Given start; rows sum to one.
    random_state : int, RandomState instance or None, default None
        Seed of the starts and of `sample`.
    warm_start : bool, default False
        Start from the last fit.
    verbose : int, default 0
        A positive number shows a progress bar.
    on_degenerate : {"reseed", "raise", "drop", "prior"}, default "reseed"
        What happens to a component that loses its rows.
    time_budget : float, optional
        Seconds after which the best model so far is returned.
    callbacks : sequence of callable, default ()
        Called after every pass; one that returns True ends the run.
    executor : Executor, optional
        Who sums. Default by the size of the data.

    Attributes
    ----------
    weights_ : ndarray, shape (K,)
        Mixture weights.
    profiles_ : ndarray, shape (K, C)
        Probabilities of the categories; rows sum to one.
    converged_, n_iter_, lower_bound_, lower_bounds_, starts_, n_features_in_, feature_names_in_
        As for :class:`GaussianMixture`; the bound is the mean log-likelihood per row (plus the log prior, where
        `pseudo_count` is positive).

    References
    ----------
    .. [1] I. V. Cadez, P. Smyth, E. Ip and H. Mannila (2001), "Predictive profiles for transaction data using finite
       mixture models", University of California, Irvine, technical report 01-67.

    Examples
    --------
    >>> X = np.array([[5, 1, 0], [4, 0, 1], [0, 1, 6], [1, 0, 5]])
    >>> mixture = MultinomialMixture(2, random_state=0).fit(X)
    >>> labels = mixture.predict(X)
    >>> bool(labels[0] == labels[1] != labels[2] == labels[3])
    True
    """

    _fitted: ClassVar[str] = "profiles_"
    _kind: ClassVar[str] = "multinomial"
    _saved_arrays: ClassVar[tuple[str, ...]] = ("weights_", "profiles_", "totals_")

    def __init__(
        self,
        n_components: int = 1,
        *,
        tol: float = 1e-5,
        max_iter: int = 1000,
        n_init: int = 1,
        init_params: str = "sieve",
        pseudo_count: float = 0.01,
        weights_init: Any = None,
        profiles_init: Any = None,
        random_state: Any = None,
        warm_start: bool = False,
        verbose: int = 0,
        on_degenerate: str = "reseed",
        time_budget: float | None = None,
        callbacks: Sequence[Callable[[Progress], object]] = (),
        executor: Executor | None = None,
    ) -> None:
        self.n_components = n_components
        self.tol = tol
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.pseudo_count = pseudo_count
        self.weights_init = weights_init
        self.profiles_init = profiles_init
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.on_degenerate = on_degenerate
        self.time_budget = time_budget
        self.callbacks = callbacks
        self.executor = executor

    def _problem(self, X: Any, sample_weight: Array | None) -> Problem:
        return Problem(
            X,
            sample_weight,
            count_encoding(X),
            MultinomialComponents(totals=row_totals(X)),
            independent,
            count_embeddings,
            lambda n_components: Maximization(
                self._prior(X.shape[1], n_components), policy(self.on_degenerate)
            ),
            self.n_components,
        )

    def _prior(
        self, n_features: int, n_components: int, structure: Statistics | None = None
    ) -> Statistics | None:
        """The pseudo-counts as statistics seen earlier; `structure` (nothing seen) has the form of its sums."""
        if not self.pseudo_count:
            return None
        sums = {
            "count": np.zeros(n_components),
            "exposure": np.full(n_components, self.pseudo_count * n_features),
            "sum_t": np.full((n_components, n_features), float(self.pseudo_count)),
        }
        parts = {
            "components": Statistics(sums),
            "structure": structure or Statistics({"count": np.zeros(n_components)}),
        }
        return Statistics(parts=parts, stamp=count_encoding(np.empty((0, n_features))).stamp)

    def _components(self, parameters: Array, totals: Array) -> MultinomialComponents:
        with np.errstate(divide="ignore"):
            return MultinomialComponents(np.log(parameters), totals)

    def _parameters(self, components: Any) -> Array:
        return np.asarray(components.probabilities)

    def _check_parameters(self, name: str, parameters: Array) -> None:
        check_probabilities(name, parameters)
