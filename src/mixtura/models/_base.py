"""What all mixture estimators share: settings, validation and the fit.

Prediction and criteria are in `_predict`, marginal and conditional mixtures in `_conditional`, tables, plots and files in `_output`.
"""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from mixtura.exceptions import (
    ConvergenceWarning,
    DegeneracyWarning,
    InterruptedWarning,
    InvalidDataError,
    InvalidParameterError,
    SpuriousSolutionWarning,
    StartsDisagreeWarning,
    did_you_mean,
)
from mixtura.executors import Serial, Threads
from mixtura.inference.driver import FitResult, Progress
from mixtura.inference.fitting import Fitted, Settings, deadline, fit
from mixtura.inference.grow import resized
from mixtura.inference.initialize import PARTITIONS
from mixtura.inference.problem import Problem
from mixtura.inference.progress import FitProgress
from mixtura.inference.restarts import StartResult, agreeing
from mixtura.inference.stopping import Reason, Stopping
from mixtura.inference.updates import policy
from mixtura.models._conditional import Conditional
from mixtura.models._labels import allowed_components
from mixtura.models._output import Output
from mixtura.models._predict import Prediction
from mixtura.models._row_weights import row_weights
from mixtura.models._support import validated
from mixtura.protocols import Array, Executor
from mixtura.structures import LatentMixture

__all__ = ["BaseMixture", "check_choice"]

# Work (rows x components x columns) above which a pool of threads pays for itself.
_THREADS_PAY = 2_000_000


class BaseMixture(Prediction, Conditional, Output, DensityMixin, BaseEstimator):
    """Base of the user classes: one fit, one scoring path, whatever the components are."""

    # Parameters that every subclass's constructor stores; declared for the type checker.
    n_components: int
    tol: float
    max_iter: int
    n_init: int
    init_params: Any
    random_state: Any
    warm_start: bool
    verbose: int
    on_degenerate: str
    time_budget: float | None
    callbacks: Sequence[Callable[[Progress], object]]
    executor: Executor | None

    # --- what a subclass says ---------------------------------------------------------------------------------
    @abstractmethod
    def _problem(self, X: Any, sample_weight: Array | None) -> Problem:
        """The learning problem for validated rows."""

    @abstractmethod
    def _given(self, problem: Problem, rng: np.random.Generator) -> LatentMixture | None:
        """A start that the user gave (or the last fit, when warm), or None."""

    @abstractmethod
    def _from_fitted(self, problem: Problem, other: BaseMixture) -> LatentMixture:
        """A start from another fitted estimator, with as many components as that one."""

    @abstractmethod
    def _publish(self, result: FitResult) -> None:
        """Set the fitted attributes."""

    @abstractmethod
    def _model(self) -> LatentMixture:
        """The fitted model, made from the public attributes."""

    def _validate(self, X: Any, *, reset: bool) -> Any:
        """Rows as a matrix of floats."""
        return validated(
            self, X, reset=reset, dtype=[np.float64, np.float32], ensure_min_samples=2 if reset else 1
        )

    def _check_settings(self) -> None:
        """Refuse settings outside their domain."""
        for name in ("n_components", "max_iter", "n_init"):
            value = getattr(self, name)
            lowest = 0 if name == "max_iter" else 1
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < lowest:
                msg = f"{name} is {value!r}; expected a whole number of at least {lowest}."
                raise InvalidParameterError(msg)
        for name in ("tol", "reg_covar", "pseudo_count", "time_budget"):
            value = getattr(self, name, None)
            if value is not None and not (isinstance(value, int | float | np.number) and value >= 0):
                msg = f"{name} is {value!r}; expected a number of at least 0."
                raise InvalidParameterError(msg)
        if isinstance(self.init_params, BaseMixture):
            check_is_fitted(self.init_params)
        else:
            check_choice("init_params", self.init_params, ["sieve", *PARTITIONS])
        policy(self.on_degenerate)

    def __sklearn_clone__(self) -> Self:
        """A copy without results, whose start stays fitted where it is a fitted mixture."""
        new: Self = super().__sklearn_clone__()
        if isinstance(self.init_params, BaseMixture):
            new.init_params = self.init_params
        return new

    # --- fitting ----------------------------------------------------------------------------------------------
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None, *, labels: Any = None) -> Self:
        """Learn the mixture.

        Parameters
        ----------
        X : array_like or data frame, shape (n_samples, n_features)
            The rows.
        y : ignored
            For scikit-learn's pipelines.
        sample_weight : array_like, shape (n_samples,), optional
            Non-negative weights; an integer weight is the same as repeating the row.
        labels : array_like, optional
            What is known of the rows' components: numbers from 0 to K - 1, shape (n_samples,), where -1 or NaN says nothing;
            or a mask of the components that each row may have, shape (n_samples, n_components).

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        InvalidDataError, InvalidParameterError, DegenerateComponentError
            With where, what was found, what was expected and what to do.
        """
        self._check_settings()
        X = self._validate(X, reset=True)
        weight = self._check_weight(sample_weight, X.shape[0])
        self._check_rows(X, weight)
        self._fit(self._problem(X, weight).restricted(self._allowed(labels, X.shape[0])))
        return self

    def _allowed(self, labels: Any, n_rows: int) -> Array | None:
        """Components that every row may have, shape (N, K); None: all."""
        allowed = allowed_components(labels, n_rows, self.n_components)
        if allowed is not None and self.on_degenerate == "drop":
            msg = (
                "on_degenerate is 'drop', but labels name components by number, which would change. Expected 'reseed', "
                "'raise' or 'prior' with labels."
            )
            raise InvalidParameterError(msg)
        return allowed

    def fit_predict(self, X: Any, y: Any = None, sample_weight: Any = None) -> Array:
        """Learn the mixture and label the same rows.

        Returns
        -------
        ndarray of int, shape (n_samples,)
            Most probable component of each row.
        """
        return self.fit(X, y, sample_weight=sample_weight).predict(X)

    def _fit(self, problem: Problem) -> FitResult:
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        rng = np.random.default_rng(seed)
        given = self._start(problem, rng)
        with FitProgress(
            f"{type(self).__name__} K={self.n_components}", self.max_iter, enabled=bool(self.verbose)
        ) as bar:
            settings = Settings(
                "given" if given is not None else self.init_params,
                self.n_init,
                Stopping(self.tol, self.max_iter, deadline(self.time_budget)),
                self._executor(problem),
                (*self.callbacks, *bar.callbacks),
            )
            fitted = fit(problem, settings, rng, given)
        self._finish(fitted)
        self._sampler = np.random.default_rng(rng.integers(2**63))
        return fitted.best

    def _start(self, problem: Problem, rng: np.random.Generator) -> LatentMixture | None:
        """The given start, if any: a fitted model, or starting values."""
        if not isinstance(self.init_params, BaseMixture):
            return self._given(problem, rng)
        model = self._from_fitted(problem, self.init_params)
        return resized(model, problem.restricted(None).source(), self.n_components, self._executor(problem))

    def _finish(self, fitted: Fitted) -> None:
        best = fitted.best
        self.starts_: tuple[StartResult, ...] = fitted.starts
        self.best_start_ = fitted.best_start
        self.stop_reason_ = str(best.reason)
        self.converged_ = best.reason == Reason.CONVERGED
        self.n_iter_ = best.n_iter
        self.events_ = best.events
        self.total_weight_ = best.weight
        per_row = [value / best.weight for value in best.history]
        self.lower_bounds_ = per_row[1:] or per_row
        self.lower_bound_ = per_row[-1]
        self._publish(best)
        self._warn(fitted)

    def _warn(self, fitted: Fitted) -> None:
        best, name = fitted.best, type(self).__name__
        # The best start may have converged before another one was interrupted.
        reasons = {best.reason, *(start.reason for start in fitted.starts)}
        if fitted.interrupted or Reason.INTERRUPTED in reasons:
            warnings.warn(
                f"{name} was interrupted after {best.n_iter} steps; this is the best model so far.",
                InterruptedWarning,
                stacklevel=5,
            )
        elif best.reason in (Reason.MAX_ITER, Reason.TIME):
            ran_out = (
                f"max_iter={self.max_iter} steps"
                if best.reason == Reason.MAX_ITER
                else f"time_budget={self.time_budget} s"
            )
            warnings.warn(
                f"{name}: the best start ran out of {ran_out} before the estimated remaining gain fell below tol={self.tol:g} per row, "
                "so it did not converge. Increase max_iter or the time budget, or tol if this precision is not needed.",
                ConvergenceWarning,
                stacklevel=5,
            )
        if best.events:
            warnings.warn(f"{name}: {'; '.join(best.events)}.", DegeneracyWarning, stacklevel=5)
        suspects = fitted.starts[fitted.best_start].suspects
        if suspects and self.verbose:
            listed = "; ".join(f"component {k} {reason}" for k, reason in suspects.items())
            warnings.warn(
                f"{name}: every start ended with such components, the best one too: {listed}. Expected components of many "
                "rows with variance in every direction. Use fewer components or a larger reg_covar.",
                SpuriousSolutionWarning,
                stacklevel=5,
            )
        same, ended = agreeing(fitted.starts, max(10.0 * self.tol, 1e-4))
        # The sieve runs on starts that differ on purpose, so only repeated starts of one rule can disagree.
        if self.init_params != "sieve" and ended > 2 and same == 1:
            warnings.warn(
                f"{name}: of {ended} starts run to their end only one reached the best objective, {self.lower_bound_:.6g} per row, "
                "so a better one may exist. Increase n_init; starts_ lists every start.",
                StartsDisagreeWarning,
                stacklevel=5,
            )

    def _executor(self, problem: Problem) -> Executor:
        if self.executor is not None:
            return self.executor
        size = problem.x.nnz if sp.issparse(problem.x) else problem.x.size
        return Threads() if size * self.n_components > _THREADS_PAY else Serial()

    def _check_weight(self, sample_weight: Any, n_rows: int) -> Array | None:
        return row_weights(sample_weight, n_rows)

    def _check_rows(self, X: Any, weight: Array | None) -> None:
        n_rows = X.shape[0] if weight is None else int(np.count_nonzero(weight))
        if n_rows < self.n_components:
            counted = "" if weight is None else " of positive weight"
            msg = f"There are {n_rows} rows{counted} for n_components={self.n_components}; expected at least as many. Use fewer components."
            raise InvalidDataError(msg)


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Refuse a setting that is not among the allowed names."""
    if value not in choices:
        msg = f"{name} is {value!r}, which is not one of the choices. {did_you_mean(str(value), choices)}"
        raise InvalidParameterError(msg)
