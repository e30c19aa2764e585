"""What a fitted structural time series gives: its parts, predictions, forecasts, paths, criteria, a picture, model files.

The file is long because these methods say what they return.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from scipy.special import ndtri
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from mixtura.chains.diffuse import DiffuseSmoother, StateSpace, filtered
from mixtura.chains.structural import StructuralChain
from mixtura.chains.structural_parts import Assembly
from mixtura.inference import criteria
from mixtura.models._checked import checked_count, checked_level
from mixtura.models._series_rows import checked_inputs, checked_series
from mixtura.persistence import ModelFile, write_model_file
from mixtura.protocols import Array

__all__ = ["Estimate", "Forecast", "StructuralOutput"]

_ARRAYS = ("y_", "inputs_", "coef_", "coef_covariance_", "scores_")
_SCALARS = ("variances_", "log_evidence_", "n_iter_", "converged_", "stop_reason_", "input_names_")
# A direction that is not known counts for a sum of states where it is above rounding.
_SEEN = 1e-8


class Estimate(NamedTuple):
    """A part of the series at every step.

    Parameters
    ----------
    mean : ndarray, shape (n_steps,)
        Expected value.
    standard_error : ndarray, shape (n_steps,)
        Standard deviation of what is not known of it, given the variances; infinite where it is not known at all.
    """

    mean: Array
    standard_error: Array


class Forecast(NamedTuple):
    """Predicted observations.

    Parameters
    ----------
    mean : ndarray, shape (n_steps,)
        Expected observation.
    standard_deviation : ndarray, shape (n_steps,)
        Of an observation about it.
    lower, upper : ndarray, shape (n_steps,)
        Ends of the interval that holds an observation with the probability asked for.
    """

    mean: Array
    standard_deviation: Array
    lower: Array
    upper: Array


class StructuralOutput:
    """Methods that need the variances and the series."""

    # Set by the constructor and the fit; declared for the type checker.
    level: bool
    y_: Array
    inputs_: Array
    input_names_: list[str]
    coef_: Array
    variances_: dict[str, float]
    log_evidence_: float
    get_params: Any
    _assembled: Any

    def _model(self) -> tuple[StructuralChain, Assembly]:
        check_is_fitted(self)
        parts: Assembly = self._assembled(len(self.input_names_))
        values = np.array([self.variances_[name] for name in parts.names])
        free = np.ones(len(values), dtype=bool)
        chain = StructuralChain(
            parts.design, parts.transition, parts.loads, values, free, len(self.input_names_)
        )
        return chain, parts

    def _origin(self, series: Array) -> float:
        """What is taken off a series before it is filtered: its mean, where a level of flat law makes up for it without rounding."""
        return float(np.nanmean(series)) if self.level else 0.0

    @property
    def _away(self) -> Array:
        """The series about its origin."""
        return np.asarray(self.y_ - self._origin(self.y_))

    def _known(self) -> tuple[DiffuseSmoother, float]:
        """States given the whole series, and its log evidence."""
        return self._model()[0].smoothed(self._away, self.inputs_.T)

    # --- parts ------------------------------------------------------------------------------------------------
    def components(self) -> dict[str, Estimate]:
        """Every part of the series given all of it (smoothed).

        Returns
        -------
        dict of str to Estimate
            "level", "slope", "seasonal", "inputs" (what they add together) as far as they are in the model, and "signal", their sum
            without the slope: the series without its noise.
        """
        chain, parts = self._model()
        found, _ = self._known()
        return {
            name: Estimate(
                self._lifted(name) + np.einsum("ti,ti->t", found.mean, looks),
                _deviation(found.covariance, looks, np.zeros(1)),
            )
            for name, looks in self._looks(chain, parts).items()
        }

    def _lifted(self, name: str) -> float:
        """What was taken off a part."""
        return self._origin(self.y_) if name in {"level", "signal"} else 0.0

    def filter(self) -> dict[str, Estimate]:
        """Every part given the series up to each step; as `components`, for what was known at the time."""
        chain, parts = self._model()
        found = filtered(chain.system(self.inputs_.T), self._away[:, None])
        back = np.linalg.inv(
            chain.transition
        ).T  # directions that are unknown after a step, as they are before it
        result = {}
        for name, looks in self._looks(chain, parts).items():
            unknown = np.linalg.norm(np.einsum("tqi,ij,tj->tq", found.spread[1:], back, looks), axis=1)
            mean = self._lifted(name) + np.einsum("ti,ti->t", found.filtered[:-1], looks)
            error = _deviation(found.filtered_covariance[:-1], looks, unknown)
            result[name] = Estimate(np.where(np.isfinite(error), mean, np.nan), error)
        return result

    def _looks(self, chain: StructuralChain, parts: Assembly) -> dict[str, Array]:
        """What every state adds to each part at each step, (T, m)."""
        steps = len(self.y_)
        shown = {name: np.tile(vector, (steps, 1)) for name, vector in parts.shown.items()}
        design = np.broadcast_to(chain.system(self.inputs_.T).design[:, 0], (steps, chain.n_states))
        if chain.n_inputs:
            shown["inputs"] = design * (np.arange(chain.n_states) >= chain.n_states - chain.n_inputs)
        return {**shown, "signal": design}

    # --- predictions ------------------------------------------------------------------------------------------
    def predict(self, level: float = 0.9) -> Forecast:
        """Every value of the series fitted, predicted from those before it.

        Parameters
        ----------
        level : float, default 0.9
            Probability inside the intervals, given the variances.

        Returns
        -------
        Forecast
            NaN means with infinite standard errors where the values before do not tell the states.
        """
        chain, _ = self._model()
        system = chain.system(self.inputs_.T)
        return self._predicted(system, self._away, slice(0, len(self.y_)), level)

    def forecast(self, n_steps: int, inputs: Any = None, level: float = 0.9) -> Forecast:
        """The steps after the series.

        Parameters
        ----------
        n_steps : int
            How many.
        inputs : array_like, shape (n_steps, n_inputs), optional
            Inputs of these steps, where the fit had any.
        level : float, default 0.9
            Probability inside the intervals. They hold what is not known of the states and coefficients, and the noise, but take the
            variances as they were learnt.

        Returns
        -------
        Forecast
            Means, standard errors and ends of intervals.
        """
        system, length = self._ahead(n_steps, inputs)
        series = np.append(self._away, np.full(n_steps, np.nan))
        return self._predicted(system, series, slice(length, length + n_steps), level)

    def _predicted(self, system: StateSpace, series: Array, rows: slice, level: float) -> Forecast:
        """Observations of some rows given those before each."""
        found = filtered(system, series[:, None])
        looks = np.broadcast_to(system.design[:, 0], (len(series), len(system.transition)))[rows]
        unknown = np.linalg.norm(np.einsum("tqi,ti->tq", found.spread[:-1][rows], looks), axis=1)
        error = _deviation(found.covariance[:-1][rows], looks, unknown)
        error = np.sqrt(error**2 + system.noise[0, 0])
        mean = self._origin(self.y_) + np.einsum("ti,ti->t", found.mean[:-1][rows], looks)
        mean = np.where(np.isfinite(error), mean, np.nan)
        half = ndtri(0.5 + 0.5 * checked_level(level)) * error
        return Forecast(mean, error, mean - half, mean + half)

    def _ahead(self, n_steps: int, inputs: Any) -> tuple[StateSpace, int]:
        """The state space model of the series and the steps after it."""
        chain, _ = self._model()
        checked_count("n_steps", n_steps)
        later, _ = checked_inputs(inputs, n_steps, chain.n_inputs)
        system = chain.system(self.inputs_.T)
        if chain.n_inputs:
            longer = chain.system(np.concatenate([self.inputs_.T, later], axis=1)).design
            system = StateSpace(longer, system.noise, system.transition, system.state_noise, system.spread)
        return system, len(self.y_)

    def sample(self, n_steps: int, n_paths: int = 1, inputs: Any = None, random_state: Any = None) -> Array:
        """Paths that the series may take from its end.

        Parameters
        ----------
        n_steps : int
            Steps after the series.
        n_paths : int, default 1
            Paths, independent given the series.
        inputs : array_like, shape (n_steps, n_inputs), optional
            Inputs of these steps, where the fit had any.
        random_state : int, RandomState or None
            Source of the draws.

        Returns
        -------
        ndarray, shape (n_paths, n_steps)
            Observations; their means and variances are those of `forecast`.
        """
        system, length = self._ahead(n_steps, inputs)
        n_paths = checked_count("n_paths", n_paths)
        rng = np.random.default_rng(check_random_state(random_state).randint(2**31 - 1))
        last = filtered(system, self._away[:, None])
        values, axes = np.linalg.eigh(last.covariance[-1])
        states = (
            last.mean[-1]
            + (rng.standard_normal((n_paths, len(values))) * np.sqrt(np.maximum(values, 0.0))) @ axes.T
        )
        moves, noise = np.sqrt(np.diag(system.state_noise)), np.sqrt(system.noise[0, 0])
        paths, origin = np.empty((n_paths, n_steps)), self._origin(self.y_)
        for t in range(n_steps):
            looks = system.design[min(length + t, len(system.design) - 1), 0]
            paths[:, t] = origin + states @ looks + noise * rng.standard_normal(n_paths)
            states = states @ system.transition.T + moves * rng.standard_normal(states.shape)
        return paths

    def residuals(self) -> Array:
        """Standardised one-step prediction errors: independent standard normal where the model is right.

        Returns
        -------
        ndarray, shape (n_steps,)
            NaN where the value is missing, or was spent on a state that began unknown.
        """
        chain, _ = self._model()
        found = filtered(chain.system(self.inputs_.T), self._away[:, None], states=False)
        usual = (found.unbounded == 0) & (found.variance > 0)
        return (
            np.where(usual, found.innovation, np.nan)[:, 0]
            / np.sqrt(np.where(usual, found.variance, 1.0))[:, 0]
        )

    # --- criteria ---------------------------------------------------------------------------------------------
    def score(self, y: Any = None, inputs: Any = None) -> float:
        """Log evidence per observed value.

        Parameters
        ----------
        y : array_like, shape (n_steps,), optional
            Another series under the variances learnt; None: the one fitted.
        inputs : array_like, shape (n_steps, n_inputs), optional
            Its inputs.
        """
        chain, _ = self._model()
        if y is None:
            return self.log_evidence_ / float(np.count_nonzero(~np.isnan(self.y_)))
        series = checked_series(y)
        table, _ = checked_inputs(inputs, len(series), chain.n_inputs)
        _, evidence = chain.smoothed(series - self._origin(series), table, states=False)
        return evidence / float(np.count_nonzero(~np.isnan(series)))

    def n_parameters(self) -> int:
        """Variances that were learnt, and states and coefficients that began with a flat law."""
        chain, parts = self._model()
        return chain.n_states + len(parts.names) - len(self.get_params()["variances"] or {})

    def aic(self) -> float:
        """Akaike's criterion of the series fitted; lower is better. See the notes of the class for what may be compared."""
        return criteria.aic(self.log_evidence_, self.n_parameters())

    def bic(self) -> float:
        """Schwarz's criterion of the series fitted, by its observed values; lower is better."""
        seen = float(np.count_nonzero(~np.isnan(self.y_)))
        return criteria.bic(self.log_evidence_, self.n_parameters(), seen)

    def plot(
        self, n_steps: int = 0, *, inputs: Any = None, level: float = 0.9, times: Any = None, ax: Any = None
    ) -> Any:
        """Draw the series, its level with a band, and a forecast; see :func:`mixtura.plots.plot_series`.

        Parameters
        ----------
        n_steps : int, default 0
            Steps to forecast.
        inputs : array_like, shape (n_steps, n_inputs), optional
            Inputs of these steps.
        level : float, default 0.9
            Probability inside the bands.
        times : array_like, shape (n_times + n_steps,), optional
            Where the values and then the forecasts stand on the axis; steps by default.
        ax : matplotlib Axes, optional
            Where to draw.

        Returns
        -------
        matplotlib Axes
            The axes drawn on.
        """
        from mixtura.plots.series import plot_series

        return plot_series(self, n_steps, inputs=inputs, level=level, times=times, ax=ax)

    # --- files ------------------------------------------------------------------------------------------------
    def save(self, path: str | Path) -> Path:
        """Write the fitted model and its series to a file of numbers and text only (no pickle); `mixtura.load` reads it.

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
        settings = {name: value for name, value in self.get_params().items() if name != "callbacks"}
        if settings["variances"] is not None:
            settings["variances"] = {name: float(value) for name, value in settings["variances"].items()}
        attributes = {name: getattr(self, name) for name in _SCALARS}
        arrays = {name: np.ascontiguousarray(getattr(self, name)) for name in _ARRAYS}
        return write_model_file(path, ModelFile(type(self).__name__, settings, attributes, arrays))

    @classmethod
    def _from_file(cls, content: ModelFile) -> Self:
        """An estimator from the content of a model file."""
        content.check_made_for(cls, (*_ARRAYS, *_SCALARS))
        new = cls(**content.settings)
        for name, value in {**content.attributes, **content.arrays}.items():
            setattr(new, name, value)
        return new


def _deviation(covariance: Array, looks: Array, unknown: Array) -> Array:
    """Standard deviations of sums of states, (T,); infinite where an unknown direction is in them."""
    variance = np.einsum("ti,tij,tj->t", looks, covariance, looks)
    return np.where(unknown > _SEEN, np.inf, np.sqrt(np.maximum(variance, 0.0)))
