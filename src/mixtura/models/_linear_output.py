"""What a fitted linear dynamical system gives: states, predictions, forecasts, missing cells, samples, criteria, model files.

The file is long because every one of these methods describes its arguments.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from scipy.special import ndtri
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from mixtura.chains import Filtered, LinearGaussianChain, System
from mixtura.chains.kalman_plain import factor
from mixtura.exceptions import InvalidDataError
from mixtura.inference import criteria
from mixtura.models._chain_rows import row_covariates
from mixtura.models._checked import checked_count, checked_level
from mixtura.models._linear_settings import FORMS, first_law
from mixtura.models._sequences import Sequences, sequences
from mixtura.models._support import validated
from mixtura.persistence import ModelFile, write_model_file
from mixtura.protocols import Array, Batch

__all__ = ["Forecast", "LinearOutput", "States"]

_PARAMETERS = (
    "transition",
    "state_inputs",
    "state_bias",
    "state_noise",
    "observation",
    "observation_inputs",
    "observation_bias",
    "observation_noise",
    "initial_mean",
    "initial_covariance",
)
_SCALARS = (
    "n_inputs_",
    "n_parameters_",
    "total_weight_",
    "lower_bound_",
    "n_iter_",
    "converged_",
    "stop_reason_",
    "n_features_in_",
)


class States(NamedTuple):
    """What is known of the states.

    Parameters
    ----------
    mean : ndarray, shape (n_samples, n_states)
        Expected states.
    covariance : ndarray, shape (n_samples, n_states, n_states)
        Their covariances.
    """

    mean: Array
    covariance: Array


class Forecast(NamedTuple):
    """What is known of rows to come; with several sequences every array has one axis more, in front.

    Parameters
    ----------
    mean : ndarray, shape (n_steps, n_features)
        Expected rows.
    covariance : ndarray, shape (n_steps, n_features, n_features)
        Their covariances: of the states and of the noise.
    lower, upper : ndarray, shape (n_steps, n_features)
        Ends of the intervals, each cell by itself.
    """

    mean: Array
    covariance: Array
    lower: Array
    upper: Array


class LinearOutput:
    """Methods that need the parameters only."""

    # Set by the constructor and the fit; declared for the type checker.
    form: str
    initial: str
    n_inputs_: int
    n_parameters_: int
    n_features_in_: int
    lower_bounds_: Array
    get_params: Any

    # --- the fitted system --------------------------------------------------------------------------------------
    @property
    def system_(self) -> System:
        """All parameters together."""
        check_is_fitted(self, "transition_")
        return System(**{name: getattr(self, f"{name}_") for name in _PARAMETERS})

    def _set_system(self, system: System) -> None:
        for name in _PARAMETERS:
            setattr(self, f"{name}_", getattr(system, name))

    def _chain(self) -> LinearGaussianChain:
        return LinearGaussianChain(self.system_, initial=first_law(self.initial), form=FORMS[self.form])

    def _sequences(self, X: Any, lengths: Any, groups: Any, *, reset: bool) -> Sequences:
        how = {"reset": reset, "dtype": np.float64, "ensure_all_finite": "allow-nan", "ensure_min_samples": 1}
        return sequences(X, lengths, groups, lambda rows: validated(self, rows, **how))

    def _inputs(self, given: Sequences, inputs: Any, wanted: int | None = None) -> Array | None:
        """Inputs in the order of the rows, shape (N, Q)."""
        if inputs is None:
            if wanted:
                msg = f"inputs are not given, but the system was fitted with {wanted} of them; expected shape ({given.n_rows}, {wanted})."
                raise InvalidDataError(msg)
            return None
        several = isinstance(inputs, list | tuple) and len(inputs) > 0 and np.ndim(inputs[0]) == 2
        whole = np.concatenate([np.asarray(one, dtype=np.float64) for one in inputs]) if several else inputs
        return row_covariates(given, whole, "inputs", wanted)

    def _given(
        self, X: Any, lengths: Any, groups: Any, inputs: Any
    ) -> tuple[LinearGaussianChain, Sequences, Batch]:
        """The fitted chain and validated rows."""
        chain = self._chain()
        given = self._sequences(X, lengths, groups, reset=False)
        u = self._inputs(given, inputs, self.n_inputs_)
        covariates = None if u is None else u.T
        return (
            chain,
            given,
            Batch(given.x.T, np.ones(given.n_rows), given.offsets, covariates=covariates),
        )

    def _filtered(
        self, X: Any, lengths: Any, groups: Any, inputs: Any
    ) -> tuple[LinearGaussianChain, Sequences, Batch, Filtered]:
        chain, given, batch = self._given(X, lengths, groups, inputs)
        return chain, given, batch, chain.filter(batch)

    # --- states ---------------------------------------------------------------------------------------------------
    def filter(self, X: Any, lengths: Any = None, *, inputs: Any = None, groups: Any = None) -> States:
        """States given the rows up to theirs.

        Parameters
        ----------
        X, lengths, inputs, groups
            As for `fit`.

        Returns
        -------
        States
            Means and covariances.
        """
        _, given, _, filtered = self._filtered(X, lengths, groups, inputs)
        return States(given.back(filtered.mean), given.back(filtered.covariance))

    def smooth(self, X: Any, lengths: Any = None, *, inputs: Any = None, groups: Any = None) -> States:
        """States given all rows of their sequence.

        Parameters
        ----------
        X, lengths, inputs, groups
            As for `fit`.

        Returns
        -------
        States
            Means and covariances.
        """
        chain, given, batch = self._given(X, lengths, groups, inputs)
        smoothed = chain.smooth(batch)
        return States(given.back(smoothed.mean), given.back(smoothed.covariance))

    # --- rows -----------------------------------------------------------------------------------------------------
    def predict(
        self,
        X: Any,
        lengths: Any = None,
        *,
        inputs: Any = None,
        groups: Any = None,
        return_std: bool = False,
    ) -> Any:
        """Every row as it was to be expected from the rows before it (and the inputs).

        Parameters
        ----------
        X, lengths, inputs, groups
            As for `fit`.
        return_std : bool, default False
            Whether to return standard deviations too.

        Returns
        -------
        mean : ndarray, shape (n_samples, n_features)
            One step ahead.
        standard_deviation : ndarray, shape (n_samples, n_features)
            Of the rows; only with `return_std`.
        """
        chain, given, batch, filtered = self._filtered(X, lengths, groups, inputs)
        mean = given.back(_seen(chain.system, filtered.predicted_mean, batch.covariates))
        if not return_std:
            return mean
        covariance = _spread(chain.system, filtered.predicted_covariance)
        return mean, given.back(np.sqrt(np.diagonal(covariance, axis1=1, axis2=2)))

    def forecast(
        self,
        X: Any,
        n_steps: int = 1,
        lengths: Any = None,
        *,
        inputs: Any = None,
        future_inputs: Any = None,
        level: float = 0.9,
    ) -> Forecast:
        """Rows after the end of every sequence.

        Parameters
        ----------
        X, lengths, inputs
            The sequences so far, as for `fit`.
        n_steps : int, default 1
            How many rows.
        future_inputs : array_like, shape (n_steps, n_inputs), optional
            Inputs of the rows to come, the same for all sequences; needed where the system was fitted with inputs.
        level : float, default 0.9
            Probability inside an interval, given the parameters.

        Returns
        -------
        Forecast
            Means, covariances and intervals; with several sequences one for each, along the first axis.
        """
        n_steps, half = checked_count("n_steps", n_steps), ndtri(0.5 + 0.5 * checked_level(level))
        chain, given, _, filtered = self._filtered(X, lengths, None, inputs)
        steps = Sequences(np.empty((n_steps, 0)), np.array([0, n_steps]))
        u = self._inputs(steps, future_inputs, self.n_inputs_)
        system, found = chain.system, []
        for last in given.offsets[1:] - 1:
            mean, covariance = filtered.mean[last], filtered.covariance[last]
            means, covariances = [], []
            for step in range(n_steps):
                mean = system.transition @ mean + system.state_bias
                mean = mean if u is None else mean + system.state_inputs @ u[step]
                covariance = system.transition @ covariance @ system.transition.T + system.state_noise
                means.append(mean)
                covariances.append(covariance)
            rows = _seen(system, np.array(means), None if u is None else u.T)
            spread = _spread(system, np.array(covariances))
            width = half * np.sqrt(np.diagonal(spread, axis1=1, axis2=2))
            found.append((rows, spread, rows - width, rows + width))
        arrays = [np.stack(parts) for parts in zip(*found, strict=True)]
        return Forecast(*(array[0] if len(found) == 1 else array for array in arrays))

    def impute(self, X: Any, lengths: Any = None, *, inputs: Any = None, groups: Any = None) -> Array:
        """X with missing cells as they are to be expected given all that was seen.

        Parameters
        ----------
        X, lengths, inputs, groups
            As for `fit`.

        Returns
        -------
        ndarray, shape (n_samples, n_features)
            Seen cells are as they were.
        """
        chain, given, batch = self._given(X, lengths, groups, inputs)
        system = chain.system
        expected = _seen(system, chain.smooth(batch).mean, batch.covariates)
        for t in np.flatnonzero(np.isnan(given.x).any(axis=1)):
            seen = ~np.isnan(given.x[t])
            noise = system.observation_noise[:, seen]
            away = given.x[t, seen] - expected[t, seen]
            expected[t] += noise @ np.linalg.lstsq(noise[seen], away, rcond=None)[0]
        return given.back(np.where(np.isnan(given.x), expected, given.x))

    def sample(
        self, n_samples: int = 1, *, inputs: Any = None, random_state: Any = None
    ) -> tuple[Array, Array]:
        """Draw a sequence.

        Parameters
        ----------
        n_samples : int, default 1
            Its rows.
        inputs : array_like, shape (n_samples, n_inputs), optional
            Inputs; needed where the system was fitted with some.
        random_state : int, RandomState or None
            Seed.

        Returns
        -------
        X : ndarray, shape (n_samples, n_features)
            Rows.
        states : ndarray, shape (n_samples, n_states)
            States.
        """
        n_samples, system = checked_count("n_samples", n_samples), self.system_
        rows = Sequences(np.empty((n_samples, 0)), np.array([0, n_samples]))
        u = self._inputs(rows, inputs, self.n_inputs_)
        rng = np.random.default_rng(check_random_state(random_state).randint(2**31 - 1))
        states = rng.standard_normal((n_samples, system.n_states)) @ factor(system.state_noise, 0.0).T
        states += system.state_bias if u is None else u @ system.state_inputs.T + system.state_bias
        first = rng.standard_normal(system.n_states)
        states[0] = system.initial_mean + factor(system.initial_covariance, 0.0) @ first
        for t in range(1, n_samples):
            states[t] += system.transition @ states[t - 1]
        noise = rng.standard_normal((n_samples, system.n_features)) @ factor(system.observation_noise, 0.0).T
        return _seen(system, states, None if u is None else u.T) + noise, states

    # --- criteria -------------------------------------------------------------------------------------------------
    def score_samples(self, X: Any, lengths: Any = None, *, inputs: Any = None, groups: Any = None) -> Array:
        """Log density of every row given those before it, shape (n_samples,); 0 where nothing is seen."""
        _, given, _, filtered = self._filtered(X, lengths, groups, inputs)
        return given.back(filtered.log_prob)

    def score(self, X: Any, lengths: Any = None, *, inputs: Any = None, groups: Any = None) -> float:
        """Log-likelihood of all sequences together (natural logarithm)."""
        return float(self.score_samples(X, lengths, inputs=inputs, groups=groups).sum())

    def n_parameters(self) -> int:
        """Free parameters that rows can tell: linear maps of the states that change nothing are not counted."""
        check_is_fitted(self, "transition_")
        return self.n_parameters_

    def aic(self, X: Any, lengths: Any = None, *, inputs: Any = None, groups: Any = None) -> float:
        """Akaike's information criterion; lower is better."""
        score = self.score(X, lengths, inputs=inputs, groups=groups)
        return criteria.aic(score, self.n_parameters())

    def bic(self, X: Any, lengths: Any = None, *, inputs: Any = None, groups: Any = None) -> float:
        """Bayesian information criterion, with the number of rows in which something was seen; lower is better."""
        _, given, _, filtered = self._filtered(X, lengths, groups, inputs)
        n_seen = int(np.count_nonzero(~np.isnan(given.x).all(axis=1)))
        return criteria.bic(float(filtered.log_prob.sum()), self.n_parameters(), n_seen)

    # --- files ------------------------------------------------------------------------------------------------
    def save(self, path: str | Path) -> Path:
        """Write the fitted model to a file that holds numbers and text only (no pickle); `mixtura.load` reads it.

        Parameters
        ----------
        path : str or Path
            Target; suffix ``.mixtura`` by convention.

        Returns
        -------
        Path
            The path written.
        """
        check_is_fitted(self, "transition_")
        settings = {
            name: value.tolist() if isinstance(value, np.ndarray) else value
            for name, value in self.get_params(deep=False).items()
            if name not in ("callbacks", "executor") and not isinstance(value, LinearOutput)
        }
        arrays = {f"{name}_": getattr(self, f"{name}_") for name in _PARAMETERS}
        arrays["lower_bounds_"] = self.lower_bounds_
        attributes = {name: getattr(self, name) for name in _SCALARS}
        if hasattr(self, "feature_names_in_"):
            attributes["feature_names_in_"] = [str(name) for name in self.feature_names_in_]
        return write_model_file(path, ModelFile(type(self).__name__, settings, attributes, arrays))

    @classmethod
    def _from_file(cls, content: ModelFile) -> Self:
        """An estimator from the content of a model file."""
        content.check_made_for(cls, {*(f"{name}_" for name in _PARAMETERS), "lower_bounds_", *_SCALARS})
        new = cls(**content.settings)
        for name, value in content.attributes.items():
            setattr(new, name, np.asarray(value, dtype=object) if name == "feature_names_in_" else value)
        for name, array in content.arrays.items():
            setattr(new, name, array)
        return new


def _seen(system: System, states: Array, inputs: Array | None) -> Array:
    """Expected rows of expected states; inputs are (Q, T)."""
    rows = states @ system.observation.T + system.observation_bias
    return np.asarray(rows if inputs is None else rows + inputs.T @ system.observation_inputs.T)


def _spread(system: System, covariances: Array) -> Array:
    """Covariances of rows, from those of their states."""
    inside = system.observation @ covariances @ system.observation.T
    return np.asarray(inside + system.observation_noise)
