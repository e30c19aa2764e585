"""What all mixture estimators share: validation, the fit, prediction, criteria, sampling, saving."""

from __future__ import annotations

import inspect
import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp
from scipy.special import logsumexp
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from mixtura.exceptions import (
    ConvergenceWarning,
    DegeneracyWarning,
    InterruptedWarning,
    InvalidDataError,
    InvalidParameterError,
    ModelFileError,
    SpuriousSolutionWarning,
    StartsDisagreeWarning,
    did_you_mean,
)
from mixtura.executors import Serial, Threads
from mixtura.inference import criteria
from mixtura.inference.driver import FitResult, Progress
from mixtura.inference.fitting import Fitted, Problem, Settings, deadline, fit
from mixtura.inference.grow import resized
from mixtura.inference.initialize import PARTITIONS
from mixtura.inference.progress import FitProgress
from mixtura.inference.restarts import StartResult, agreeing
from mixtura.inference.stopping import Reason, Stopping
from mixtura.inference.updates import policy
from mixtura.models import _summary
from mixtura.persistence import ModelFile, write_model_file
from mixtura.protocols import Array, Batch, Executor
from mixtura.structures import LatentMixture

__all__ = ["BaseMixture"]

# Work (rows x components x columns) above which a pool of threads pays for itself.
_THREADS_PAY = 2_000_000


class BaseMixture(DensityMixin, BaseEstimator):  # type: ignore[misc]
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

    #: Constructor arguments that are objects and therefore stay out of model files.
    _unsaved: ClassVar[tuple[str, ...]] = ("callbacks", "executor", "random_state")
    #: Fitted arrays that a model file holds.
    _saved_arrays: ClassVar[tuple[str, ...]] = ()

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
        return validate_data(self, X, reset=reset, dtype=[np.float64, np.float32], ensure_min_samples=2 if reset else 1)

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

    # --- fitting ----------------------------------------------------------------------------------------------
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Learn the mixture.

        Parameters
        ----------
        X : array_like or data frame, shape (n_samples, n_features)
            The rows.
        y : ignored
            For scikit-learn's pipelines.
        sample_weight : array_like, shape (n_samples,), optional
            Non-negative weights; an integer weight is the same as repeating the row.

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
        self._fit(self._problem(X, weight))
        return self

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
        with FitProgress(f"{type(self).__name__} K={self.n_components}", self.max_iter, enabled=bool(self.verbose)) as bar:
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
        return resized(model, problem.source(), self.n_components, self._executor(problem))

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
        if best.reason == Reason.INTERRUPTED:
            warnings.warn(f"{name} was interrupted after {best.n_iter} steps; this is the best model so far.", InterruptedWarning, stacklevel=4)
        elif best.reason in (Reason.MAX_ITER, Reason.TIME):
            ran_out = f"max_iter={self.max_iter} steps" if best.reason == Reason.MAX_ITER else f"time_budget={self.time_budget} s"
            warnings.warn(
                f"{name}: the best start ran out of {ran_out} before the estimated remaining gain fell below tol={self.tol:g} per row, "
                "so it did not converge. Increase max_iter or the time budget, or tol if this precision is not needed.",
                ConvergenceWarning,
                stacklevel=4,
            )
        if best.events:
            warnings.warn(f"{name}: {'; '.join(best.events)}.", DegeneracyWarning, stacklevel=4)
        suspects = fitted.starts[fitted.best_start].suspects
        if suspects and self.verbose:
            listed = "; ".join(f"component {k} {reason}" for k, reason in suspects.items())
            warnings.warn(
                f"{name}: every start ended with such components, the best one too: {listed}. Expected components of many "
                "rows with variance in every direction. Use fewer components or a larger reg_covar.",
                SpuriousSolutionWarning,
                stacklevel=4,
            )
        same, ended = agreeing(fitted.starts, max(10.0 * self.tol, 1e-4))
        if self.n_init > 1 and ended > 2 and same == 1:
            warnings.warn(
                f"{name}: of {ended} starts run to their end only one reached the best objective, {self.lower_bound_:.6g} per row, "
                "so a better one may exist. Increase n_init; starts_ lists every start.",
                StartsDisagreeWarning,
                stacklevel=4,
            )

    def _executor(self, problem: Problem) -> Executor:
        if self.executor is not None:
            return self.executor
        size = problem.x.nnz if sp.issparse(problem.x) else problem.x.size
        return Threads() if size * self.n_components > _THREADS_PAY else Serial()

    def _check_weight(self, sample_weight: Any, n_rows: int) -> Array | None:
        if sample_weight is None:
            return None
        weight = np.asarray(sample_weight, dtype=np.float64)
        if weight.ndim == 0:
            weight = np.full(n_rows, float(weight))
        if weight.shape != (n_rows,):
            msg = f"sample_weight has shape {weight.shape}; expected ({n_rows},), one weight for each row of X."
            raise InvalidDataError(msg)
        bad = np.flatnonzero(~(weight >= 0) | np.isinf(weight))
        if bad.size:
            msg = f"sample_weight[{bad[0]}] is {weight[bad[0]]}; expected finite weights of at least 0. Give rows that do not count weight 0."
            raise InvalidDataError(msg)
        if not weight.any():
            msg = f"All {n_rows} sample weights are zero; expected at least one positive weight."
            raise InvalidDataError(msg)
        return weight

    def _check_rows(self, X: Any, weight: Array | None) -> None:
        n_rows = X.shape[0] if weight is None else int(np.count_nonzero(weight))
        if n_rows < self.n_components:
            counted = "" if weight is None else " of positive weight"
            msg = f"There are {n_rows} rows{counted} for n_components={self.n_components}; expected at least as many rows as components. Use fewer components."
            raise InvalidDataError(msg)

    # --- scoring ----------------------------------------------------------------------------------------------
    def _batches(self, X: Any, sample_weight: Array | None = None) -> Iterator[tuple[slice, Batch, LatentMixture]]:
        """Blocks of rows with the fitted model and where they belong."""
        model = self._model()
        problem = Problem(X, sample_weight, model.encoding, model.components, lambda _: model.structure, _no_embedding, _no_update, model.n_components)
        start = 0
        with Serial().session():
            for batch in problem.source():
                stop = start + len(batch.sample_weight)
                yield slice(start, stop), batch, model
                start = stop

    def _row_log_weights(self, rows: slice, model: LatentMixture) -> Array:
        """Log prior of the components for the given rows, shape (K,) or (K, B)."""
        return np.asarray(getattr(model.structure, "log_weights"))  # noqa: B009 - not part of the Structure contract

    def _joint(self, X: Any) -> Iterator[tuple[slice, Array]]:
        """log p(x, component) of blocks of rows, shape (K, B)."""
        for rows, batch, model in self._batches(X):
            scores = model.components.log_prob(model.components.encode(batch.x, model.encoding))
            log_weights = self._row_log_weights(rows, model)
            scores += log_weights[:, None] if log_weights.ndim == 1 else log_weights
            yield rows, scores

    def _score_rows(self, X: Any) -> Array:
        evidence = np.empty(X.shape[0])
        for rows, joint in self._joint(X):
            evidence[rows] = logsumexp(joint, axis=0)
        return evidence

    def score_samples(self, X: Any) -> Array:
        """Log-likelihood of each row, natural logarithm.

        Parameters
        ----------
        X : array_like or data frame, shape (n_samples, n_features)
            The rows.

        Returns
        -------
        ndarray, shape (n_samples,)
            log p(x); minus infinity for a row that is impossible under every component.
        """
        check_is_fitted(self)
        return self._score_rows(self._validate(X, reset=False))

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Mean log-likelihood of the rows (weighted, where weights are given)."""
        evidence = self.score_samples(X)
        return float(np.average(evidence, weights=self._check_weight(sample_weight, len(evidence))))

    def predict_proba(self, X: Any) -> Array:
        """Posterior probability of each component, shape (n_samples, n_components); rows sum to one."""
        check_is_fitted(self)
        X = self._validate(X, reset=False)
        resp = np.empty((X.shape[0], self.n_components_))
        for rows, joint in self._joint(X):
            evidence = logsumexp(joint, axis=0)
            possible = np.isfinite(evidence)
            resp[rows] = np.exp(joint - np.where(possible, evidence, 0.0)).T
            if not possible.all():
                resp[rows][~possible] = self.weights_
        return resp

    def predict(self, X: Any) -> Array:
        """Most probable component of each row, shape (n_samples,)."""
        check_is_fitted(self)
        X = self._validate(X, reset=False)
        labels = np.empty(X.shape[0], dtype=np.int64)
        for rows, joint in self._joint(X):
            labels[rows] = joint.argmax(axis=0)
        return labels

    @property
    def n_components_(self) -> int:
        """Number of components of the fitted model (fewer than asked for where some were dropped)."""
        return len(self.weights_)

    weights_: Array

    def sample(self, n_samples: int = 1) -> tuple[Array, Array]:
        """Draw new rows; successive calls give different rows.

        Parameters
        ----------
        n_samples : int, default 1
            Number of rows.

        Returns
        -------
        X : ndarray, shape (n_samples, n_features)
            The rows, in random order.
        components : ndarray of int, shape (n_samples,)
            The component that each was drawn from.
        """
        check_is_fitted(self)
        if n_samples < 1:
            msg = f"n_samples is {n_samples}; expected at least 1."
            raise InvalidParameterError(msg)
        if not hasattr(self, "_sampler"):
            self._sampler = np.random.default_rng(check_random_state(self.random_state).randint(2**31 - 1))
        rng, model = self._sampler, self._model()
        weights = np.asarray(self.weights_, dtype=np.float64)
        labels = rng.choice(len(weights), size=n_samples, p=weights / weights.sum())
        rows = np.empty((n_samples, model.encoding.n_features))
        origin = 0.0 if model.encoding.origin is None else model.encoding.origin
        for k in np.unique(labels):
            chosen = labels == k
            rows[chosen] = model.components.sample(int(k), int(chosen.sum()), rng) + origin
        return rows, labels

    # --- criteria ---------------------------------------------------------------------------------------------
    def n_parameters(self) -> int:
        """Free parameters of the fitted model."""
        check_is_fitted(self)
        return self._model().n_parameters()

    def _totals(self, X: Any, sample_weight: Any) -> tuple[float, float, float]:
        """Log-likelihood, number of units and sum of the logs of the largest responsibilities."""
        check_is_fitted(self)
        X = self._validate(X, reset=False)
        weight = self._check_weight(sample_weight, X.shape[0])
        weight = np.ones(X.shape[0]) if weight is None else weight
        log_likelihood = certainty = 0.0
        for rows, joint in self._joint(X):
            evidence = logsumexp(joint, axis=0)
            log_likelihood += float(evidence @ weight[rows])
            certainty += float((joint.max(axis=0) - evidence) @ weight[rows])
        return log_likelihood, float(weight.sum()), certainty

    def aic(self, X: Any, sample_weight: Any = None) -> float:
        """Akaike's information criterion on X; lower is better."""
        log_likelihood, _, _ = self._totals(X, sample_weight)
        return criteria.aic(log_likelihood, self.n_parameters())

    def bic(self, X: Any, sample_weight: Any = None) -> float:
        """Bayesian information criterion on X, n being the sum of the weights; lower is better."""
        log_likelihood, n_units, _ = self._totals(X, sample_weight)
        return criteria.bic(log_likelihood, self.n_parameters(), n_units)

    def icl(self, X: Any, sample_weight: Any = None) -> float:
        """Integrated completed likelihood on X (BIC plus the uncertainty of the labels); lower is better."""
        log_likelihood, n_units, certainty = self._totals(X, sample_weight)
        return criteria.icl(log_likelihood, self.n_parameters(), n_units, certainty)

    # --- reading ----------------------------------------------------------------------------------------------
    def assign(self, X: Any) -> Any:
        """Labels and probabilities of rows as a labelled data frame.

        Parameters
        ----------
        X : data frame or array_like, shape (n_samples, n_features)
            The rows.

        Returns
        -------
        data frame
            Of the same library (and index) as X, pandas for arrays, with columns ``component``, ``probability`` (of
            that component), ``log_likelihood`` and ``p0``, ``p1``, ...
        """
        from mixtura.data.frames import frame_like

        resp = self.predict_proba(X)
        columns: dict[str, Array] = {"component": resp.argmax(axis=1), "probability": resp.max(axis=1)}
        columns["log_likelihood"] = self.score_samples(X)
        columns |= {f"p{k}": resp[:, k] for k in range(resp.shape[1])}
        return frame_like(columns, X)

    def params_frame(self, library: str | None = None) -> Any:
        """Fitted parameters as a tidy frame: component, parameter, feature, other feature, value.

        Parameters
        ----------
        library : {"pandas", "polars", "pyarrow"}, optional
            Data frame library; None takes pandas, or polars where pandas is missing.
        """
        from mixtura.data.frames import make_frame

        check_is_fitted(self)
        return make_frame(_summary.tidy(self), library)

    def summary(self) -> str:
        """What was fitted and how well, as text."""
        check_is_fitted(self)
        return _summary.as_text(self)

    def _repr_html_(self) -> str:
        """The summary as a table, for notebooks."""
        return _summary.as_html(self) if hasattr(self, "weights_") else f"<pre>{self!r}</pre>"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self._repr_html_()}

    def plot_history(self, ax: Any = None, **options: Any) -> Any:
        """Objective of every start; see :func:`mixtura.plots.plot_history`."""
        from mixtura.plots import plot_history

        check_is_fitted(self)
        return plot_history(self, ax=ax, **options)

    # --- saving -----------------------------------------------------------------------------------------------
    def save(self, path: str | Path) -> Path:
        """Write the fitted model to a file that holds numbers and text only (no pickle).

        Parameters
        ----------
        path : str or Path
            Target; suffix ``.mixtura`` by convention.

        Returns
        -------
        Path
            The path written.
        """
        check_is_fitted(self)
        settings = {
            name: value
            for name, value in self.get_params(deep=False).items()
            if name not in self._unsaved and (value is None or isinstance(value, str | int | float | np.number))
        }
        if self.random_state is None or isinstance(self.random_state, int | np.integer):
            settings["random_state"] = self.random_state
        arrays = {name: np.asarray(getattr(self, name)) for name in self._saved_arrays if hasattr(self, name)}
        arrays["lower_bounds_"] = np.asarray(self.lower_bounds_)
        scalars = ("converged_", "n_iter_", "lower_bound_", "stop_reason_", "total_weight_", "n_features_in_", "best_start_")
        attributes: dict[str, Any] = {name: getattr(self, name) for name in scalars}
        attributes["events_"] = list(self.events_)
        attributes["starts_"] = [
            {**vars(start), "reason": str(start.reason), "history": list(start.history)} for start in self.starts_
        ]
        if hasattr(self, "feature_names_in_"):
            attributes["feature_names_in_"] = [str(name) for name in self.feature_names_in_]
        return write_model_file(path, ModelFile(type(self).__name__, settings, attributes | self._more_to_save(), arrays))

    def _more_to_save(self) -> dict[str, Any]:
        return {}

    @classmethod
    def _from_file(cls, content: ModelFile) -> Self:
        """An estimator from the content of a model file."""
        known = set(inspect.signature(cls).parameters)
        unknown = set(content.settings) - known
        missing = {name for name in cls._saved_arrays if name in cls._required_arrays()} - set(content.arrays)
        if unknown or missing:
            msg = (
                f"The {cls.__name__} in the file has settings {sorted(unknown)} unknown here, or lacks arrays {sorted(missing)}. "
                "It was written by another version of mixtura: use that version, or fit again."
            )
            raise ModelFileError(msg)
        estimator = cls(**content.settings)
        for name, value in content.attributes.items():
            setattr(estimator, name, value)
        for name, value in content.arrays.items():
            setattr(estimator, name, value)
        estimator.lower_bounds_ = [float(value) for value in content.arrays["lower_bounds_"]]
        estimator.events_ = tuple(content.attributes["events_"])
        estimator.starts_ = tuple(_start_from(item) for item in content.attributes["starts_"])
        if "feature_names_in_" in content.attributes:
            estimator.feature_names_in_ = np.asarray(content.attributes["feature_names_in_"], dtype=object)
        return estimator

    @classmethod
    def _required_arrays(cls) -> set[str]:
        return set(cls._saved_arrays)


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Refuse a setting that is not among the allowed names."""
    if value not in choices:
        msg = f"{name} is {value!r}, which is not one of the choices. {did_you_mean(str(value), choices)}"
        raise InvalidParameterError(msg)


def _start_from(item: dict[str, Any]) -> StartResult:
    item = dict(item)
    item["reason"] = Reason(item["reason"])
    item["history"] = tuple(item["history"])
    item["suspects"] = {int(k): reason for k, reason in item["suspects"].items()}
    return StartResult(**item)


def _no_embedding(rows: Any, weight: Array) -> list[Any]:  # pragma: no cover - scoring never starts a fit
    raise AssertionError


def _no_update(n_components: int) -> Any:  # pragma: no cover - scoring never updates
    raise AssertionError
