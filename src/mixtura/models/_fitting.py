"""What all estimators with hidden states share: settings and the fit from a problem to the best of several runs."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from mixtura.exceptions import (
    DegeneracyWarning,
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
from mixtura.inference.starting import Starting
from mixtura.inference.stopping import Reason, Stopping
from mixtura.inference.updates import policy
from mixtura.models._checked import checked_count
from mixtura.models._ended import warn_of_end
from mixtura.models._row_weights import row_weights
from mixtura.protocols import Array, Executor
from mixtura.structures import LatentMixture

__all__ = ["Fitting", "check_choice"]

# Work (rows x components x columns) above which a pool of threads pays for itself.
_THREADS_PAY = 2_000_000


class Fitting(BaseEstimator):
    """Base of mixtures and chains: settings are checked, a problem is learnt, the record is kept."""

    #: What `tol` and `lower_bound_` are counted by, in words.
    _counted_by: ClassVar[str] = "row"

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
    def _given(self, problem: Problem, rng: np.random.Generator) -> LatentMixture | None:
        """A start that the user gave (or the last fit, when warm), or None."""

    @abstractmethod
    def _from_fitted(self, problem: Problem, other: Any) -> LatentMixture:
        """A start from another fitted estimator, with as many components as that one."""

    @abstractmethod
    def _publish(self, result: FitResult) -> None:
        """Set the fitted attributes."""

    def _check_settings(self) -> None:
        """Refuse settings outside their domain."""
        for name in ("n_components", "max_iter", "n_init"):
            checked_count(name, getattr(self, name), 0 if name == "max_iter" else 1)
        for name in ("tol", "reg_covar", "pseudo_count", "time_budget"):
            value = getattr(self, name, None)
            if value is not None and not (isinstance(value, int | float | np.number) and value >= 0):
                msg = f"{name} is {value!r}; expected a number of at least 0."
                raise InvalidParameterError(msg)
        if isinstance(self.init_params, Fitting):
            check_is_fitted(self.init_params)
        elif not isinstance(self.init_params, Starting):
            check_choice("init_params", self.init_params, ["sieve", *PARTITIONS])
        policy(self.on_degenerate)

    def __sklearn_clone__(self) -> Self:
        """A copy without results, whose start stays what it is where it is a fitted mixture, a hierarchy or a tree."""
        new: Self = super().__sklearn_clone__()
        if isinstance(self.init_params, Fitting | Starting):
            new.init_params = self.init_params
        return new

    # --- fitting ----------------------------------------------------------------------------------------------
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
        """The given start, if any: of a hierarchy or a tree, a fitted model, or starting values."""
        if isinstance(self.init_params, Starting):
            return self.init_params.starting_model(problem)
        if not isinstance(self.init_params, Fitting):
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
        warn_of_end(
            self,
            Reason.INTERRUPTED if fitted.interrupted or Reason.INTERRUPTED in reasons else best.reason,
            best.n_iter,
            found="this is the best model",
            counted_by=self._counted_by,
            run=": the best start",
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
                f"{name}: of {ended} starts run to their end only one reached the best objective, {self.lower_bound_:.6g} "
                f"per {self._counted_by}, so a better one may exist. Increase n_init; starts_ lists every start.",
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


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Refuse a setting that is not among the allowed names."""
    if value not in choices:
        msg = f"{name} is {value!r}, which is not one of the choices. {did_you_mean(str(value), choices)}"
        raise InvalidParameterError(msg)
