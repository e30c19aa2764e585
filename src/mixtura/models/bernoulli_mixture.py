"""Mixtures of Bernoulli columns: latent classes of yes and no."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp

from mixtura.exceptions import InvalidDataError, InvalidParameterError
from mixtura.families import Bernoulli
from mixtura.inference.driver import Progress
from mixtura.models._columns import ColumnMixture
from mixtura.protocols import Executor

__all__ = ["BernoulliMixture"]


class BernoulliMixture(ColumnMixture):
    """Mixture of independent columns of 0 and 1, dense or CSR (sparse rows are never densified).

    A component is a probability of a 1 for each column; what columns have in common is explained by the components
    alone (latent class analysis of items with two answers).

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
        Where to start; or a fitted mixture of the same class.
    pseudo_count : float, default 0
        Rows with the columns' averages that each component is given beforehand (a beta prior in pseudo-count form).
        0 gives maximum likelihood.
    binarize : float, optional
        Values above this count as 1, others as 0. None takes rows of 0 and 1 (or booleans) only.
    weights_init : array_like, shape (K,), optional
        Given start.
    probabilities_init : array_like, shape (K, D), optional
        Given start, from 0 to 1.
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
    probabilities_ : ndarray, shape (K, D)
        Probabilities of a 1, from 1e-10 to 1 - 1e-10: a component may have seen only zeros.
    converged_, n_iter_, lower_bound_, lower_bounds_, starts_, n_features_in_, feature_names_in_
        As for :class:`GaussianMixture`; the bound is the mean log-likelihood per row (plus the log prior, where
        `pseudo_count` is positive).

    References
    ----------
    .. [1] P. F. Lazarsfeld and N. W. Henry (1968), "Latent Structure Analysis", Houghton Mifflin.

    Examples
    --------
    >>> X = np.array([[1, 1, 0, 0], [1, 1, 0, 1], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1], [0, 1, 1, 1]])
    >>> mixture = BernoulliMixture(2, random_state=0).fit(X)
    >>> labels = mixture.predict(X)
    >>> len(set(labels[:3])), len(set(labels[3:])), bool(labels[0] != labels[3])
    (1, 1, True)
    """

    _fitted: ClassVar[str] = "probabilities_"
    _kind: ClassVar[str] = "Bernoulli"
    _largest: ClassVar[float] = 1.0
    _todo: ClassVar[str] = ", or set binarize to the number above which a value counts as 1"
    _saved_arrays: ClassVar[tuple[str, ...]] = ("weights_", "probabilities_")

    def __init__(
        self,
        n_components: int = 1,
        *,
        tol: float = 1e-5,
        max_iter: int = 1000,
        n_init: int = 1,
        init_params: Any = "sieve",
        pseudo_count: float = 0.0,
        binarize: float | None = None,
        weights_init: Any = None,
        probabilities_init: Any = None,
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
        self.binarize = binarize
        self.weights_init = weights_init
        self.probabilities_init = probabilities_init
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.on_degenerate = on_degenerate
        self.time_budget = time_budget
        self.callbacks = callbacks
        self.executor = executor

    def _check_settings(self) -> None:
        super()._check_settings()
        number = isinstance(self.binarize, int | float | np.number)
        if self.binarize is not None and not (number and np.isfinite(self.binarize)):
            msg = f"binarize is {self.binarize!r}; expected a number, or None for rows of 0 and 1."
            raise InvalidParameterError(msg)

    def _family(self) -> Bernoulli:
        return Bernoulli()

    def _prepared(self, X: Any) -> Any:
        if self.binarize is None:
            return X
        if not sp.issparse(X):
            return np.where(np.isnan(X), np.nan, self.binarize < X)
        if self.binarize < 0:
            msg = f"binarize is {self.binarize}, below the zeros that sparse rows do not store; expected at least 0. Give dense rows."
            raise InvalidDataError(msg)
        marked = X.copy()
        marked.data = (X.data > self.binarize).astype(np.float64)
        marked.eliminate_zeros()
        return marked
