"""Bayesian linear regression: known variances, evidence maximisation, automatic relevance determination.

Predictions and all else that a fitted one gives are in `_posterior_output`. The file is long because the docstring of the class is.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin

from mixtura.chains import (
    CommonVariance,
    IndividualVariances,
    KnownVariances,
    LinearRegression,
    Moments,
    PriorVariances,
    RowSums,
    joined,
)
from mixtura.data import DenseSource, block_rows, column_encoding
from mixtura.exceptions import (
    InvalidDataError,
    InvalidParameterError,
    SpuriousSolutionWarning,
)
from mixtura.executors import Serial, Threads
from mixtura.inference.driver import FitResult, Progress, run
from mixtura.inference.leaps import Leaping
from mixtura.inference.progress import FitProgress
from mixtura.inference.stopping import Reason, Stopping
from mixtura.inference.updates import Maximization
from mixtura.models._checked import checked_count
from mixtura.models._ended import warn_of_end
from mixtura.models._posterior_output import PosteriorOutput
from mixtura.models._regression_rows import covariate_table
from mixtura.models._row_weights import row_weights
from mixtura.protocols import Array, Executor
from mixtura.statistics import Statistics

__all__ = ["BayesianLinearRegression"]

# Numbers in the table above which a pool of threads pays for itself.
_THREADS_PAY = 4_000_000
# Share of the response's squares below which what is left is rounding.
_NOTHING = 1e-10


class BayesianLinearRegression(PosteriorOutput, RegressorMixin, BaseEstimator):
    r"""Linear regression with a Normal prior on the coefficients, whose variances are known or learnt.

    The response is :math:`y \mid w \sim N(b + Xw, s^2 I)`, the coefficients are :math:`w \sim N(0, t^2 I)`, or each has a prior
    variance of its own (`ard`). Everything that is known of the rows are sums, X'X, X'y and y'y about the means, so a fit reads them
    once, and `partial_fit` adds to them.

    Parameters
    ----------
    noise_variance : float, optional
        s², squared units of y; None: learnt.
    coefficient_variance : float or array_like, shape (n_features,), optional
        t², prior variance of the coefficients, or one for each; None: learnt.
    ard : bool, default False
        Whether every coefficient has a prior variance of its own (automatic relevance determination); those without which the
        log evidence is at least as high are pruned: their coefficient and variance are 0. Two runs, from the maximum with one
        variance for all and from no coefficient at all; the better one is kept.
    fit_intercept : bool, default True
        Whether there is an intercept, on which there is no prior.
    integrate_intercept : bool, default False
        Whether the intercept is integrated out under a flat prior, instead of standing at its maximum as in scikit-learn: the noise
        variance is then told by N - 1 rows, which matters where there are about as many columns as rows.
    alpha_1, alpha_2 : float, default 1e-6
        Shape and rate (squared units of y) of the Gamma hyper-prior of the noise precision 1 / s², where that is learnt.
    lambda_1, lambda_2 : float, default 1e-6
        Shape and rate (squared units of a coefficient) of that of 1 / t². With all four at 0 the fit is the same in any units.
    pruning_threshold : float, default 0
        Nats of log evidence that a coefficient must earn to be kept (`ard`). 0 prunes what earns nothing; 3 asks for odds of 20.
    accelerate : bool, default True
        Whether steps bolder than EM are tried (MacKay's fixed point; exact coordinate steps, which alone prune) and taken where they
        reach at least as high as the EM step.
    tol : float, default 1e-10
        Bound on the estimated remaining gain of the objective per row (nats).
    max_iter : int, default 300
        Most steps.
    verbose : int, default 0
        A positive number shows a progress bar.
    callbacks : sequence of callable, default ()
        Called after every step; one that returns True ends the run.
    executor : Executor, optional
        Who sums over the rows. Default by the size of the data.

    Attributes
    ----------
    coef_ : ndarray, shape (n_features,)
        Posterior mean of the coefficients.
    intercept_ : float
        Predicted response where all columns are 0.
    covariance_ : ndarray, shape (n_features, n_features)
        Posterior covariance of the coefficients.
    noise_variance_ : float
        s²; 1 / ``alpha_`` of scikit-learn.
    coefficient_variance_ : float or ndarray, shape (n_features,)
        t²; 1 / ``lambda_`` of scikit-learn; an array where coefficients have their own.
    log_evidence_ : float
        log p(y) of all rows, natural logarithm; comparable between models of the same y.
    scores_ : ndarray, shape (n_iter_ + 1,)
        What every step reached: log evidence plus log hyper-priors, minus `pruning_threshold` for each kept coefficient.
    n_iter_, converged_, stop_reason_ : int, bool, str
        Steps, whether the remaining gain fell below `tol`, and why the run ended.
    total_weight_ : float
        Sum of the rows' weights.
    n_features_in_, feature_names_in_
        As everywhere in scikit-learn.

    Notes
    -----
    With an intercept, its value at the columns' means is a parameter at its maximum, as in scikit-learn's `BayesianRidge`: the log
    evidence is that of N(y | mean(y), s² I + t² XX') with X about its means. Predictions add its variance, s² / N.

    Where as many columns as rows explain y without residual, that evidence has no maximum in s², and a warning says so: give
    `noise_variance`, or set `integrate_intercept`.

    References
    ----------
    .. [1] D. J. C. MacKay (1992), Bayesian interpolation, Neural Computation 4(3), 415-447.
    .. [2] M. E. Tipping (2001), Sparse Bayesian learning and the relevance vector machine, JMLR 1, 211-244.

    Examples
    --------
    >>> X = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0], [1.0, 3.0]])
    >>> y = np.array([1.0, 2.9, 5.2, 6.8])
    >>> line = BayesianLinearRegression(noise_variance=0.25, coefficient_variance=4.0, fit_intercept=False)
    >>> line.fit(X, y).coef_
    array([1.01253466, 1.96442965])
    >>> line.log_evidence_
    -5.979914138...
    >>> mean, standard_deviation = line.predict([[1.0, 4.0]], return_std=True)
    >>> mean, standard_deviation**2
    (array([8.87025328]), array([0.61753559]))
    """

    def __init__(
        self,
        *,
        noise_variance: float | None = None,
        coefficient_variance: Any = None,
        ard: bool = False,
        fit_intercept: bool = True,
        integrate_intercept: bool = False,
        alpha_1: float = 1e-6,
        alpha_2: float = 1e-6,
        lambda_1: float = 1e-6,
        lambda_2: float = 1e-6,
        pruning_threshold: float = 0.0,
        accelerate: bool = True,
        tol: float = 1e-10,
        max_iter: int = 300,
        verbose: int = 0,
        callbacks: Sequence[Callable[[Progress], object]] = (),
        executor: Executor | None = None,
    ) -> None:
        self.noise_variance = noise_variance
        self.coefficient_variance = coefficient_variance
        self.ard = ard
        self.fit_intercept = fit_intercept
        self.integrate_intercept = integrate_intercept
        self.alpha_1 = alpha_1
        self.alpha_2 = alpha_2
        self.lambda_1 = lambda_1
        self.lambda_2 = lambda_2
        self.pruning_threshold = pruning_threshold
        self.accelerate = accelerate
        self.tol = tol
        self.max_iter = max_iter
        self.verbose = verbose
        self.callbacks = callbacks
        self.executor = executor

    # --- fitting ----------------------------------------------------------------------------------------------
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn from rows.

        Parameters
        ----------
        X : array_like or data frame, shape (n_samples, n_features)
            Covariates.
        y : array_like, shape (n_samples,)
            Responses.
        sample_weight : array_like, shape (n_samples,), optional
            Non-negative weights; a weight of 2 is the row twice.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        InvalidDataError, InvalidParameterError
            With where, what was found, what was expected and what to do.
        """
        self._check_settings()
        return self._learn(self._summed(X, y, sample_weight, reset=True))

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn from further rows: the same as one fit to all rows seen so far.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.

        Returns
        -------
        self
            The fitted estimator.
        """
        self._check_settings()
        if not hasattr(self, "_sums"):
            return self.fit(X, y, sample_weight)
        return self._learn(joined(self._sums, self._summed(X, y, sample_weight, reset=False)))

    def _summed(self, X: Any, y: Any, sample_weight: Any, *, reset: bool) -> Statistics:
        """The one pass over the rows."""
        table, response = covariate_table(self, X, y, reset=reset, min_rows=1)
        if response is None:
            msg = "y is None; expected one response for each row of X."
            raise InvalidDataError(msg)
        rows = np.column_stack([table, response])
        weight = row_weights(sample_weight, len(rows))
        encoding = column_encoding(rows, weight)
        width = rows.shape[1]
        source = DenseSource(rows, encoding, weight, rows_per_batch=block_rows(2 * width, 0))
        default = Threads() if rows.size * width > _THREADS_PAY else Serial()
        with (default if self.executor is None else self.executor).session() as session:
            return session.total(RowSums(encoding), source)

    def _moments(self, sums: Statistics) -> Moments:
        """What the driver runs on."""
        count = float(sums["count"][0])
        if self.fit_intercept and self.integrate_intercept and count <= 1:
            msg = (
                f"integrate_intercept is {self.integrate_intercept!r}, but the rows' weights sum to {count:g}; expected more than 1, "
                "because the intercept takes one row. Give more rows, or leave it at its maximum."
            )
            raise InvalidDataError(msg)
        return Moments.of(sums, intercept=bool(self.fit_intercept), integrated=bool(self.integrate_intercept))

    def _learn(self, sums: Statistics) -> Self:
        moments = self._moments(sums)
        with FitProgress(type(self).__name__, self.max_iter, enabled=bool(self.verbose)) as bar:
            result = self._run(moments, (*self.callbacks, *bar.callbacks))
        self._sums = sums
        self._publish(result, moments)
        self._warn(result, moments)
        return self

    def _run(self, moments: Moments, callbacks: Sequence[Callable[[Progress], object]]) -> FitResult:
        """The driver on the sums; with `ard` from two starts, because the evidence of many variances may have several maxima."""
        known = self._known_variances(moments.n_features)
        rule: PriorVariances = CommonVariance() if known is None else KnownVariances()
        start = LinearRegression.start(moments, rule, self.noise_variance, known)
        common = self._driven(moments, start, () if self.ard else callbacks)
        if not self.ard:
            return common
        model = common.model.replace(rule=IndividualVariances(float(self.pruning_threshold)))
        all_in = self._driven(moments, model, callbacks)
        if not self.accelerate:  # plain EM cannot bring back what is pruned
            return all_in
        noise = moments.scale if model.learn_noise else model.noise_variance
        none_in = model.replace(noise_variance=noise, variances=np.zeros_like(model.variances))
        return max(all_in, self._driven(moments, none_in, callbacks), key=lambda result: result.objective)

    def _driven(
        self, moments: Moments, model: LinearRegression, callbacks: Sequence[Callable[[Progress], object]]
    ) -> FitResult:
        prior = model.hyper_prior(self.alpha_1, self.alpha_2, self.lambda_1, self.lambda_2)
        batch = moments.batch()
        return run(
            model,
            [batch],
            update=Leaping(prior, batch=batch) if self.accelerate else Maximization(prior),
            executor=Serial(),
            stopping=Stopping(self.tol, self.max_iter),
            callbacks=callbacks,
        )

    def _publish(self, result: FitResult, moments: Moments) -> None:
        model: LinearRegression = result.model
        seen = model.posterior(moments)
        self.coef_ = seen.mean
        self.covariance_ = seen.covariance()
        self._centre, self._level = moments.centre, moments.level
        self.intercept_ = float(moments.level - moments.centre @ seen.mean)
        self.noise_variance_ = model.noise_variance
        own = self.ard or np.ndim(self.coefficient_variance)
        self.coefficient_variance_ = model.variances if own else float(model.variances[0])
        self.log_evidence_ = seen.log_evidence
        self.scores_ = np.array(result.history)
        self.n_iter_ = result.n_iter
        self.converged_ = result.reason == Reason.CONVERGED
        self.stop_reason_ = str(result.reason)
        self.total_weight_ = float(self._sums["count"][0])

    def _warn(self, result: FitResult, moments: Moments) -> None:
        name, model = type(self).__name__, result.model
        warn_of_end(
            self,
            result.reason,
            result.n_iter,
            found="these are the variances",
            counted_by="row",
            stacklevel=4,
        )
        left = moments.residual(self.coef_)
        if model.learn_noise and left <= max(2.0 * self.alpha_2, _NOTHING * moments.total):
            warnings.warn(
                f"{name}: the sum of squared residuals is {left:.3g}, so the noise variance, {model.noise_variance:.3g}, is told by its "
                "hyper-prior (alpha_2) or by rounding, not by the rows: the columns explain the response without residual, or the "
                "response is in a large unit. Give noise_variance, set integrate_intercept=True, use fewer columns, or rescale y.",
                SpuriousSolutionWarning,
                stacklevel=4,
            )

    # --- settings ---------------------------------------------------------------------------------------------
    def _check_settings(self) -> None:
        """Refuse settings outside their domain."""
        for name in ("alpha_1", "alpha_2", "lambda_1", "lambda_2", "pruning_threshold", "tol"):
            _check_number(name, getattr(self, name))
        checked_count("max_iter", self.max_iter, 0)
        if self.noise_variance is not None:
            _check_number(
                "noise_variance", self.noise_variance, positive=True, otherwise=", or None to learn it"
            )
        if self.coefficient_variance is None:
            return
        if self.ard:
            msg = (
                f"ard is {self.ard!r} and coefficient_variance is {self.coefficient_variance!r}; expected None, because ard learns one "
                "variance per coefficient. Leave one of the two out."
            )
            raise InvalidParameterError(msg)
        if np.ndim(self.coefficient_variance) == 0:
            otherwise = ", one for each column, or None to learn it"
            _check_number(
                "coefficient_variance", self.coefficient_variance, positive=True, otherwise=otherwise
            )

    def _known_variances(self, n_features: int) -> Array | None:
        """Prior variances that the user gave, shape (D,)."""
        if self.coefficient_variance is None:
            return None
        if np.ndim(self.coefficient_variance) == 0:
            return np.full(n_features, float(self.coefficient_variance))
        try:
            given = np.asarray(self.coefficient_variance, dtype=np.float64)
        except (TypeError, ValueError):
            given = np.empty(0)
        if given.shape != (n_features,):
            msg = (
                f"coefficient_variance has shape {np.shape(self.coefficient_variance)}; expected a number, or ({n_features},), "
                "one variance for each column of X."
            )
            raise InvalidParameterError(msg)
        bad = np.flatnonzero(~((given > 0) & np.isfinite(given)))
        if bad.size:
            msg = f"coefficient_variance[{bad[0]}] is {given[bad[0]]}; expected finite variances above 0."
            raise InvalidParameterError(msg)
        return given


def _check_number(name: str, value: Any, *, positive: bool = False, otherwise: str = "") -> None:
    """Refuse what is no finite number of at least (or above) zero."""
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool) and np.isfinite(value)
    if not number or value < 0 or (positive and value == 0):
        bound = "above 0" if positive else "of at least 0"
        msg = f"{name} is {value!r}; expected a finite number {bound}{otherwise}."
        raise InvalidParameterError(msg)
