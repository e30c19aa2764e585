"""What a fitted chain says of what it has not seen: forecasts, live data, simulations, and its long run.

Long, because every method's arguments and results are documented beside it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.exceptions import InvalidDataError, InvalidParameterError
from mixtura.models._chain_forecast import Forecast
from mixtura.models._chain_rows import ScoredRows
from mixtura.models._chain_states import States
from mixtura.models._chain_stream import Stream
from mixtura.models._checked import checked_count
from mixtura.protocols import Array, Batch

__all__ = ["Future"]


class Future(States):
    """Methods of a fitted chain that look ahead."""

    def forecast(
        self,
        X: Any,
        n_steps: int = 1,
        lengths: Any = None,
        *,
        n_draws: int = 0,
        groups: Any = None,
        labels: Any = None,
        covariates: Any = None,
        future_covariates: Any = None,
        random_state: Any = None,
    ) -> Forecast:
        """What follows the given sequences.

        Parameters
        ----------
        X, lengths, groups, labels, covariates
            As for `fit`: what happened so far.
        n_steps : int, default 1
            h, steps after the last one of each sequence.
        n_draws : int, default 0
            Futures to simulate for every sequence, from which `Forecast.interval` is made; 0 makes none.
        future_covariates : array_like, shape (n_steps, n_covariates) or (n_sequences, n_steps, n_covariates), optional
            Covariates of the steps to come, where the chain has any.
        random_state : int, RandomState or None
            None takes the estimator's.

        Returns
        -------
        Forecast
            `states` are the probabilities of the states, exact; `mean` what observations are expected to be; `draws` the simulations.
        """
        given = self._given_sequences(X, lengths, groups)
        n_steps = checked_count("n_steps", n_steps)
        n_draws, rng = checked_count("n_draws", n_draws, 0), self._generator(random_state)
        model = self._law()
        ahead = _future(future_covariates, len(given.lengths), n_steps)
        states = np.empty((len(given.lengths), n_steps, model.n_components))
        drawn = np.empty((n_draws, len(given.lengths), n_steps), dtype=np.int64)
        for part in self._scored(given, model, labels, covariates):
            beliefs = model.structure.filtered(part.scores, part.batch).belief
            for unit, belief in zip(range(part.units.start, part.units.stop), beliefs, strict=True):
                states[unit] = model.structure.forecast(
                    belief, n_steps, None if ahead is None else ahead[unit]
                )
            if n_draws:
                scores, batch, new = _extended(part, n_steps, ahead)
                paths = model.structure.draw_states(scores, batch, rng, n_draws)
                drawn[:, part.units] = paths[:, new].reshape(n_draws, -1, n_steps)
        draws = self._emitted(drawn, rng) if n_draws else None
        return Forecast(states, model.components, model.encoding, drawn, draws, given.names)

    def stream(self) -> Stream:
        """A filter for live data: give it one step after the other.

        Returns
        -------
        Stream
            ``step(x)`` returns the filtered probabilities, ``predict()`` those of the next step.
        """
        return Stream(self._law(), self._checked_step)

    def sample(
        self,
        n_samples: int = 1,
        random_state: Any = None,
        currstate: int | None = None,
        *,
        lengths: Any = None,
        covariates: Any = None,
    ) -> tuple[Any, Array]:
        """Simulate new sequences.

        Parameters
        ----------
        n_samples : int, default 1
            Steps of one sequence; with `lengths` their sum, and not asked for.
        random_state : int, RandomState or None
            None takes the estimator's, so that repeated calls return the same where that is a number.
        currstate : int, optional
            First state of every sequence; None draws it.
        lengths : array_like of int, optional
            Steps of several sequences.
        covariates : array_like, shape (n_samples, n_covariates), optional
            Of the steps, where the chain has any.

        Returns
        -------
        X : ndarray, shape (n_samples, n_features)
            Steps of all sequences, one after the other.
        states : ndarray of int, shape (n_samples,)
            The state that each was drawn from.
        """
        model, rng = self._law(), self._generator(random_state)
        sizes = np.atleast_1d(
            np.asarray(checked_count("n_samples", n_samples) if lengths is None else lengths)
        )
        if sizes.ndim != 1 or sizes.dtype.kind not in "iu" or (sizes < 1).any():
            msg = f"lengths is {lengths!r}; expected whole numbers of at least 1, the steps of each sequence."
            raise InvalidParameterError(msg)
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        beside = None if covariates is None else np.asarray(covariates, dtype=np.float64)
        if beside is not None:
            beside = (beside[:, None] if beside.ndim == 1 else beside).T
        if currstate is None:
            states = model.structure.sample_states(offsets, rng, beside)
        else:
            states = _from_state(model, offsets, beside, currstate, rng)
        return self._emitted(states, rng), np.asarray(states, dtype=np.int64)

    def get_stationary_distribution(self) -> Array:
        """Long-run shares of the states, shape (n_components,)."""
        law = self._law().structure
        if not hasattr(law, "weights"):
            msg = f"{type(law).__name__} has no long-run shares: its moves depend on covariates. weights_ has the shares in the fit."
            raise InvalidParameterError(msg)
        return np.asarray(law.weights)

    @property
    def dwell_times_(self) -> Array:
        """Expected number of steps that a stay in each state lasts, shape (n_components,); infinite where it is never left."""
        law = self._law().structure
        times = getattr(law, "dwell_times", None)
        if times is None:
            msg = f"{type(law).__name__} has no expected dwell times: its moves depend on covariates."
            raise AttributeError(msg)
        return np.asarray(times)

    # --- shared -----------------------------------------------------------------------------------------------
    def _emitted(self, states: Array, rng: np.random.Generator) -> Array:
        """Rows drawn from states of any shape, shape (*states.shape, D)."""
        model = self._model().point
        rows = np.empty((states.size, model.encoding.n_features))
        flat = states.ravel()
        for k in np.unique(flat):
            chosen = flat == k
            rows[chosen] = model.components.sample(int(k), int(chosen.sum()), rng)
        if model.encoding.origin is not None:
            rows += model.encoding.origin
        return rows.reshape(*states.shape, -1)

    def _checked_step(self, x: Any) -> Array:
        """One step of live data as a table of one row; refuses what the fit would refuse."""
        return np.asarray(x, dtype=np.float64).reshape(1, -1)


def _future(covariates: Any, n_units: int, n_steps: int) -> Array | None:
    """Covariates of steps to come, (U, Q, h)."""
    if covariates is None:
        return None
    table = np.asarray(covariates, dtype=np.float64)
    table = table[:, None] if table.ndim == 1 else table
    table = np.broadcast_to(table, (n_units, *table.shape)) if table.ndim == 2 else table
    if table.ndim != 3 or table.shape[:2] != (n_units, n_steps) or not np.isfinite(table).all():
        msg = (
            f"future_covariates has shape {np.shape(covariates)}; expected finite numbers of shape ({n_steps}, n_covariates), or "
            f"({n_units}, {n_steps}, n_covariates), for {n_steps} steps after {n_units} sequences."
        )
        raise InvalidDataError(msg)
    return np.ascontiguousarray(table.transpose(0, 2, 1))


def _extended(part: ScoredRows, n_steps: int, ahead: Array | None) -> tuple[Array, Batch, Array]:
    """Scores of rows followed, in each sequence, by steps of which nothing is known; and where these are."""
    lengths = np.diff(part.offsets)
    offsets = part.offsets + n_steps * np.arange(len(part.offsets))
    new = np.zeros(offsets[-1], dtype=bool)
    for stop in offsets[1:]:
        new[stop - n_steps : stop] = True
    scores = np.zeros((len(part.scores), offsets[-1]))
    scores[:, ~new] = part.scores
    covariates = None
    if part.batch.covariates is not None:
        covariates = np.empty((len(part.batch.covariates), offsets[-1]))
        covariates[:, ~new] = part.batch.covariates
        if ahead is not None:
            covariates[:, new] = np.concatenate(list(ahead[part.units]), axis=1)
    weight = np.ones(int(lengths.sum()) + len(lengths) * n_steps)
    return scores, Batch(None, weight, offsets, part.batch.id, covariates), np.flatnonzero(new)


def _from_state(
    model: Any, offsets: Array, covariates: Array | None, first: int, rng: np.random.Generator
) -> Array:
    """Paths whose first state is known: drawn given one row that only this state could have made."""
    if not 0 <= first < model.n_components:
        msg = f"currstate is {first!r}; expected a state, 0 to {model.n_components - 1}."
        raise InvalidParameterError(msg)
    scores = np.zeros((model.n_components, offsets[-1]))
    scores[:, offsets[:-1]] = -np.inf
    scores[first, offsets[:-1]] = 0.0
    batch = Batch(None, np.ones(offsets[-1]), offsets, 0, covariates)
    if np.isneginf(model.structure.filtered(scores, batch).log_scale).any():
        msg = f"currstate is {first}, in which no sequence begins (its initial probability is zero). Expected another state."
        raise InvalidParameterError(msg)
    return np.asarray(model.structure.draw_states(scores, batch, rng, 1)[0])
