"""Mixtures of Dirichlet-multinomials over counts that vary more from unit to unit than one profile explains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from mixtura.components.dirichlet_multinomial import DirichletMultinomial
from mixtura.data import count_encoding
from mixtura.exceptions import InvalidParameterError
from mixtura.inference.driver import Progress
from mixtura.inference.initialize import count_embeddings
from mixtura.inference.problem import Problem
from mixtura.inference.updates import Maximization, policy
from mixtura.models._counts import CountMixture, row_totals
from mixtura.models._parameters import independent
from mixtura.protocols import Array, Executor

__all__ = ["DirichletMultinomialMixture"]


class DirichletMultinomialMixture(CountMixture):
    """Mixture of Dirichlet-multinomials: profiles around which units differ, so that many counts of one unit are one opinion.

    In a mixture of multinomials every count is a new piece of evidence, so a customer with 400 baskets decides like 400
    customers and needs a component of her own. Here a unit of component k first draws shares of its own from
    Dirichlet(alpha_k), whose mean is the profile and whose sum is the concentration, in counts: the smaller, the more
    units of one component differ. Counts may be fractions (expected counts), dense or CSR.

    Parameters
    ----------
    n_components : int, default 1
        K.
    tol : float, default 1e-5
        Bound on the estimated remaining gain of the log-likelihood per row (nats).
    max_iter : int, default 1000
        Most steps of a run.
    n_init : int, default 1
        Starts; for the sieve, rounds of twenty candidates.
    init_params : {"sieve", "kmeans", "k-means++", "random", "random_from_data", "agglomerate"}, default "sieve"
        Where to start; distances are between square roots of shares (Hellinger). A partition's shares and their
        variation give the first alpha.
    weights_init : array_like, shape (K,), optional
        Given start.
    alpha_init : array_like, shape (K, C), optional
        Given start; positive.
    random_state : int, RandomState instance or None, default None
        Seed of the starts and of `sample`.
    warm_start : bool, default False
        Start from the last fit.
    verbose : int, default 0
        A positive number shows a progress bar.
    on_degenerate : {"reseed", "raise", "drop"}, default "reseed"
        What happens to a component that loses its rows. (No "prior": what a pseudo-row would add depends on the parameters.)
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
    alpha_ : ndarray, shape (K, C)
        Parameters of the Dirichlet laws.
    profiles_ : ndarray, shape (K, C)
        Mean shares of the categories, alpha over its sum; rows sum to one.
    concentration_ : ndarray, shape (K,)
        Sums of alpha, from 1e-6 to 1e10; at the upper end units differ no more than multinomial counts do.
    converged_, n_iter_, lower_bound_, lower_bounds_, starts_, n_features_in_, feature_names_in_
        As for :class:`GaussianMixture`; the bound is the mean log-likelihood per row.

    Notes
    -----
    The multinomial coefficient is part of the likelihood, with gamma functions for fractions, as in `MultinomialMixture`:
    criteria of the two compare on the same data. A category never seen in a component keeps 1e-8 of its concentration. Steps
    are Newton's, guarded: see `mixtura.components.dirichlet_multinomial`.

    References
    ----------
    .. [1] J. E. Mosimann (1962), "On the compound multinomial distribution", Biometrika 49(1/2), 65-82.
    .. [2] T. P. Minka (2000, revised 2012), "Estimating a Dirichlet distribution".
    .. [3] I. Holmes, K. Harris and C. Quince (2012), "Dirichlet multinomial mixtures: generative models for microbial
       metagenomics", PLoS ONE 7(2), e30126.

    Examples
    --------
    >>> X = np.array([[9, 1, 0], [40, 2, 10], [7, 3, 0], [0, 1, 6], [3, 0, 25], [1, 4, 12]])
    >>> mixture = DirichletMultinomialMixture(2, random_state=0).fit(X)
    >>> labels = mixture.predict(X)
    >>> len(set(labels[:3])), len(set(labels[3:])), bool(labels[0] != labels[3])
    (1, 1, True)
    """

    _fitted: ClassVar[str] = "alpha_"
    _kind: ClassVar[str] = "Dirichlet-multinomial"
    _saved_arrays: ClassVar[tuple[str, ...]] = ("weights_", "alpha_", "totals_")

    def __init__(
        self,
        n_components: int = 1,
        *,
        tol: float = 1e-5,
        max_iter: int = 1000,
        n_init: int = 1,
        init_params: Any = "sieve",
        weights_init: Any = None,
        alpha_init: Any = None,
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
        self.weights_init = weights_init
        self.alpha_init = alpha_init
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.on_degenerate = on_degenerate
        self.time_budget = time_budget
        self.callbacks = callbacks
        self.executor = executor

    @property
    def concentration_(self) -> Array:
        """Sums of alpha, shape (K,)."""
        return np.asarray(self.alpha_.sum(axis=1))

    @property
    def profiles_(self) -> Array:
        """Mean shares of the categories, shape (K, C)."""
        return self.alpha_ / self.alpha_.sum(axis=1, keepdims=True)

    def _check_settings(self) -> None:
        super()._check_settings()
        if self.on_degenerate == "prior":
            msg = (
                "on_degenerate is 'prior'; expected 'reseed', 'raise' or 'drop': pseudo-rows need sums that hold for all parameters, "
                "which the Dirichlet-multinomial does not have. Choose 'reseed' to split the largest component instead."
            )
            raise InvalidParameterError(msg)

    def _problem(self, X: Any, sample_weight: Array | None) -> Problem:
        return Problem(
            X,
            sample_weight,
            count_encoding(X),
            DirichletMultinomial(totals=row_totals(X)),
            independent,
            count_embeddings,
            lambda _: Maximization(policy=policy(self.on_degenerate)),
            self.n_components,
        )

    def _components(self, parameters: Array, totals: Array) -> DirichletMultinomial:
        return DirichletMultinomial(parameters, totals)

    def _parameters(self, components: Any) -> Array:
        return np.asarray(components.alpha)

    def _check_parameters(self, name: str, parameters: Array) -> None:
        if not (np.isfinite(parameters).all() and (parameters > 0).all()):
            msg = f"{name} must hold positive numbers; found a least value of {parameters.min():g}. Give shares times a concentration."
            raise InvalidParameterError(msg)
