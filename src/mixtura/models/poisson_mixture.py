"""Mixtures of Poisson columns: counts without an upper limit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from mixtura.exceptions import InvalidParameterError
from mixtura.families import Poisson
from mixtura.inference.driver import Progress
from mixtura.models._columns import ColumnMixture
from mixtura.models._support import refuse_negative
from mixtura.protocols import Executor

__all__ = ["PoissonMixture"]


class PoissonMixture(ColumnMixture):
    """Mixture of independent Poisson columns, dense or CSR (sparse rows are never densified).

    A component is a rate for each column. Other than in a mixture of multinomials, the totals of the rows tell components
    apart too. Rows observed for different times need ``Mixture(Poisson(exposure=True), K)``.

    Missing cells (NaN) of dense rows are left out of the likelihood, never filled in.

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
        Where to start; distances are between square roots of counts; or a fitted mixture of the same class.
    pseudo_count : float, default 0
        Rows with the columns' averages that each component is given beforehand (a gamma prior in pseudo-count form).
        0 gives maximum likelihood.
    fractions : bool, default False
        Whether counts may be fractions (expected counts); their factorials are gamma functions.
    weights_init : array_like, shape (K,), optional
        Given start.
    rates_init : array_like, shape (K, D), optional
        Given start; at least 0.
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
    rates_ : ndarray, shape (K, D)
        Mean counts, at least 1e-10: a component may have seen only zeros.
    converged_, n_iter_, lower_bound_, lower_bounds_, starts_, n_features_in_, feature_names_in_
        As for :class:`GaussianMixture`; the bound is the mean log-likelihood per row (plus the log prior, where
        `pseudo_count` is positive).

    References
    ----------
    .. [1] V. Hasselblad (1969), "Estimation of finite mixtures of distributions from the exponential family", Journal of
       the American Statistical Association 64, 1459-1471.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.poisson([2.0, 9.0], (150, 2)), rng.poisson([8.0, 1.0], (50, 2))])
    >>> mixture = PoissonMixture(2, random_state=0).fit(X)
    >>> mixture.rates_[np.argsort(mixture.weights_)].round(1)
    array([[7.9, 0.9],
           [2. , 9. ]])
    """

    _fitted: ClassVar[str] = "rates_"
    _kind: ClassVar[str] = "Poisson"
    _todo: ClassVar[str] = ", or set fractions=True where counts are expected ones"
    _saved_arrays: ClassVar[tuple[str, ...]] = ("weights_", "rates_")

    def __init__(
        self,
        n_components: int = 1,
        *,
        tol: float = 1e-5,
        max_iter: int = 1000,
        n_init: int = 1,
        init_params: Any = "sieve",
        pseudo_count: float = 0.0,
        fractions: bool = False,
        weights_init: Any = None,
        rates_init: Any = None,
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
        self.fractions = fractions
        self.weights_init = weights_init
        self.rates_init = rates_init
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.on_degenerate = on_degenerate
        self.time_budget = time_budget
        self.callbacks = callbacks
        self.executor = executor

    def _check_settings(self) -> None:
        super()._check_settings()
        if not isinstance(self.fractions, bool | np.bool_):
            msg = f"fractions is {self.fractions!r}; expected True or False."
            raise InvalidParameterError(msg)

    def _family(self) -> Poisson:
        return Poisson(fractions=self.fractions)

    def _prepared(self, X: Any) -> Any:
        refuse_negative(self, X, "Correct the value or leave the row out.")
        return X

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        return tags
