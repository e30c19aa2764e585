"""What a switching linear dynamical system gives once it is fitted: regimes, states, forecasts, draws, criteria, model files.

The file is long because these methods say what they return.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from mixtura.chains.switching import Posterior, SwitchingChain
from mixtura.chains.switching_parts import First, Look, Motions
from mixtura.exceptions import InvalidDataError
from mixtura.inference import criteria
from mixtura.models._checked import checked_count, checked_level
from mixtura.models._sequences import Sequences, sequences
from mixtura.persistence import ModelFile, write_model_file
from mixtura.protocols import Array, Batch
from mixtura.structures import Markov

__all__ = ["SwitchingForecast", "SwitchingOutput", "batch_of"]

_ARRAYS = (
    "startprob_",
    "transmat_",
    "transition_",
    "state_bias_",
    "state_noise_",
    "observation_",
    "observation_bias_",
    "observation_noise_",
    "initial_mean_",
    "initial_covariance_",
    "lower_bounds_",
    "_floors",
)
_SCALARS = ("n_iter_", "converged_", "stop_reason_", "n_features_in_", "lower_bound_", "_floor")

# Values whose squares can still be summed.
_LARGEST = 1e150


class SwitchingForecast(NamedTuple):
    """What is expected after a sequence.

    Parameters
    ----------
    mean, standard_deviation : ndarray, shape (n_steps, n_features)
        Of the observations.
    lower, upper : ndarray, shape (n_steps, n_features)
        Ends of the intervals.
    regimes : ndarray, shape (n_steps, n_regimes)
        Probabilities of the regimes.
    """

    mean: Array
    standard_deviation: Array
    lower: Array
    upper: Array
    regimes: Array


class SwitchingOutput:
    """Methods that need the parameters only."""

    # Set by the constructor and the fit; declared for the type checker.
    observation: Any
    n_regimes: int
    n_features_in_: int
    startprob_: Array
    transmat_: Array
    transition_: Array
    state_bias_: Array
    state_noise_: Array
    observation_: Array
    observation_bias_: Array
    observation_noise_: Array
    initial_mean_: Array
    initial_covariance_: Array
    get_params: Any
    _floor: float
    _floors: Array

    # --- rows -------------------------------------------------------------------------------------------------
    def _checked(self, X: Any, lengths: Any, n_features: int | None) -> Sequences:
        """Rows of all sequences as numbers."""
        try:
            plain = isinstance(X, list) or np.ndim(X) == 0  # no table: `sequences` says so
            given = sequences(X if plain else np.array(X, dtype=np.float64), lengths)
            table = np.array(given.x, dtype=np.float64)
        except (TypeError, ValueError) as error:
            if isinstance(error, InvalidDataError):
                raise
            msg = "X holds values that are no numbers; expected a table of numbers, NaN where a cell is missing."
            raise InvalidDataError(msg) from None
        if table.ndim != 2:
            msg = f"X has shape {table.shape}; expected (n_steps, n_features). Reshape one column with X.reshape(-1, 1)."
            raise InvalidDataError(msg)
        if n_features is not None and table.shape[1] != n_features:
            msg = f"X has {table.shape[1]} columns; expected {n_features}, as in the fit."
            raise InvalidDataError(msg)
        infinite = np.argwhere(np.abs(table) > _LARGEST)
        if infinite.size:
            row, column = infinite[0]
            msg = (
                f"X: row {row}, column {column} is {table[row, column]:g}; expected finite numbers below {_LARGEST:g}, whose squares can "
                "be summed, or NaN for a missing one."
            )
            raise InvalidDataError(msg)
        if n_features is None:
            seen = ~np.isnan(table)
            spread = [
                np.ptp(column[own]) if own.any() else 0.0 for column, own in zip(table.T, seen.T, strict=True)
            ]
            still = np.flatnonzero(~(np.array(spread) > 0))
            if still.size:
                state = (
                    "is missing in all rows" if not seen[:, still[0]].any() else "has one value in all rows"
                )
                msg = f"X: column {still[0]} {state}; expected columns that change. Leave it out."
                raise InvalidDataError(msg)
        return Sequences(table, given.offsets)

    @property
    def _given(self) -> bool:
        """Whether C is known."""
        return not (isinstance(self.observation, str) and self.observation == "free")

    def _model(self) -> SwitchingChain:
        check_is_fitted(self)
        return SwitchingChain(
            Markov(self.startprob_, self.transmat_),
            Motions(
                np.concatenate([self.transition_, self.state_bias_[:, :, None]], axis=2),
                self.state_noise_,
                self._floor,
            ),
            Look(
                np.column_stack([self.observation_, self.observation_bias_]),
                np.diag(self.observation_noise_).copy(),
                self._floors,
                self._given,
            ),
            First(self.initial_mean_, self.initial_covariance_, self._floor),
        )

    def _posterior(self, X: Any, lengths: Any) -> Posterior:
        model = self._model()
        return model.infer(batch_of(self._checked(X, lengths, self.n_features_in_)))

    # --- what it says -----------------------------------------------------------------------------------------
    def predict_proba(self, X: Any, lengths: Any = None) -> Array:
        """Probabilities of the regimes given whole sequences, shape (n_steps, n_regimes).

        Parameters
        ----------
        X, lengths
            As for `fit`.
        """
        return self._posterior(X, lengths).regimes.T.copy()

    def predict(self, X: Any, lengths: Any = None) -> Array:
        """The most probable regime of every step, shape (n_steps,).

        Parameters
        ----------
        X, lengths
            As for `fit`.
        """
        return self._posterior(X, lengths).regimes.argmax(axis=0)

    def smooth(self, X: Any, lengths: Any = None) -> tuple[Array, Array]:
        """Means (n_steps, n_states) and covariances (n_steps, n_states, n_states) of the states given whole sequences.

        Parameters
        ----------
        X, lengths
            As for `fit`.
        """
        states = self._posterior(X, lengths).states
        return states.mean, states.covariance

    def score(self, X: Any, y: Any = None, lengths: Any = None) -> float:
        """Bound on the log-likelihood per step.

        Parameters
        ----------
        X, lengths
            As for `fit`.
        y : None
            Not used.
        """
        found = self._posterior(X, lengths)
        return float(found.bound.sum()) / found.regimes.shape[1]

    def forecast(
        self, X: Any, n_steps: int, level: float = 0.9, n_paths: int = 2000, random_state: Any = None
    ) -> SwitchingForecast:
        """The steps after a sequence, by simulation.

        Parameters
        ----------
        X : array_like, shape (n_steps, n_features)
            One sequence.
        n_steps : int
            Steps after it.
        level : float, default 0.9
            Probability inside the intervals.
        n_paths : int, default 2000
            Paths drawn.
        random_state : int, RandomState or None
            Source of the draws.
        """
        n_steps, n_paths = checked_count("n_steps", n_steps), checked_count("n_paths", n_paths, 2)
        half = 0.5 - 0.5 * checked_level(level)
        found = self._posterior(X, None)
        rng = np.random.default_rng(check_random_state(random_state).randint(2**31 - 1))
        shares = found.regimes[:, -1]
        regimes = rng.choice(len(shares), size=n_paths, p=shares / shares.sum())
        states = rng.multivariate_normal(
            found.states.mean[-1], found.states.covariance[-1], size=n_paths, method="eigh"
        )
        paths, probabilities = (
            np.empty((n_steps, n_paths, self.n_features_in_)),
            np.empty((n_steps, len(shares))),
        )
        for t in range(n_steps):
            shares = probabilities[t] = shares @ self.transmat_
            regimes, states = self._moved(regimes, states, rng)
            paths[t] = self._shown(states, rng)
        lower, upper = np.quantile(paths, [half, 1.0 - half], axis=1)
        return SwitchingForecast(paths.mean(axis=1), paths.std(axis=1), lower, upper, probabilities)

    def _moved(self, regimes: Array, states: Array, rng: np.random.Generator) -> tuple[Array, Array]:
        """The next regimes and states of many paths."""
        steps = np.cumsum(self.transmat_, axis=1)[regimes]
        regimes = np.minimum((rng.uniform(size=(len(regimes), 1)) > steps).sum(axis=1), self.n_regimes - 1)
        noise = np.einsum(
            "nij,nj->ni",
            np.linalg.cholesky(self.state_noise_)[regimes],
            rng.standard_normal(states.shape),
        )
        return regimes, np.einsum("nij,nj->ni", self.transition_[regimes], states) + self.state_bias_[
            regimes
        ] + noise

    def _shown(self, states: Array, rng: np.random.Generator) -> Array:
        noise = np.sqrt(np.diag(self.observation_noise_)) * rng.standard_normal(
            (len(states), self.n_features_in_)
        )
        return np.asarray(states @ self.observation_.T + self.observation_bias_ + noise)

    def sample(self, n_steps: int = 1, random_state: Any = None) -> tuple[Array, Array, Array]:
        """A sequence from the model: rows (n_steps, n_features), regimes (n_steps,), states (n_steps, n_states).

        Parameters
        ----------
        n_steps : int, default 1
            Its length.
        random_state : int, RandomState or None
            Source of the draws.
        """
        check_is_fitted(self)
        n_steps = checked_count("n_steps", n_steps)
        rng = np.random.default_rng(check_random_state(random_state).randint(2**31 - 1))
        regime = rng.choice(len(self.startprob_), size=1, p=self.startprob_ / self.startprob_.sum())
        state = rng.multivariate_normal(self.initial_mean_, self.initial_covariance_, size=1, method="eigh")
        regimes, states = [regime], [state]
        for _ in range(n_steps - 1):
            regime, state = self._moved(regime, state, rng)
            regimes.append(regime)
            states.append(state)
        whole = np.concatenate(states)
        return self._shown(whole, rng), np.concatenate(regimes), whole

    # --- criteria and files -----------------------------------------------------------------------------------
    def n_parameters(self) -> int:
        """Free parameters; a shift of the states, and a linear map where C is learnt, change nothing and are not counted."""
        check_is_fitted(self)
        n_regimes, size = self.state_bias_.shape
        law = n_regimes - 1 + n_regimes * (n_regimes - 1)
        covariance = size * (size + 1) // 2
        motions = n_regimes * (size * (size + 1) + covariance)
        look = self.n_features_in_ * 2 + (0 if self._given else self.n_features_in_ * size)
        same = size + (0 if self._given else size * size)
        return law + motions + look + size + covariance - same

    def bic(self, X: Any, lengths: Any = None) -> float:
        """Schwarz's criterion with the bound in the place of the log-likelihood, by steps; lower is better.

        Parameters
        ----------
        X, lengths
            As for `fit`.
        """
        found = self._posterior(X, lengths)
        return criteria.bic(float(found.bound.sum()), self.n_parameters(), float(found.regimes.shape[1]))

    def aic(self, X: Any, lengths: Any = None) -> float:
        """Akaike's criterion with the bound in the place of the log-likelihood; lower is better.

        Parameters
        ----------
        X, lengths
            As for `fit`.
        """
        return criteria.aic(float(self._posterior(X, lengths).bound.sum()), self.n_parameters())

    def save(self, path: str | Path) -> Path:
        """Write the fitted model to a file of numbers and text only (no pickle); `mixtura.load` reads it.

        Parameters
        ----------
        path : str or Path
            Target; suffix ``.mixtura`` by convention.
        """
        check_is_fitted(self)
        settings = {n: v for n, v in self.get_params().items() if n not in ("callbacks", "random_state")}
        if self._given:
            settings["observation"] = np.array(settings["observation"], dtype=float).tolist()
        attributes = {name: getattr(self, name) for name in (*_SCALARS, "objectives_")}
        arrays = {name: np.ascontiguousarray(getattr(self, name)) for name in _ARRAYS}
        return write_model_file(path, ModelFile(type(self).__name__, settings, attributes, arrays))

    @classmethod
    def _from_file(cls, content: ModelFile) -> Self:
        """An estimator from the content of a model file."""
        content.check_made_for(cls, (*_ARRAYS, *_SCALARS, "objectives_"))
        new = cls(**content.settings)
        for name, value in {**content.attributes, **content.arrays}.items():
            setattr(new, name, value)
        return new


def batch_of(given: Sequences) -> Batch:
    """All sequences as one batch."""
    return Batch(np.ascontiguousarray(given.x.T), np.ones(given.n_rows), given.offsets)
