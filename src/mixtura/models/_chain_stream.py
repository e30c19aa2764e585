"""A filter for live data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from mixtura.exceptions import InvalidDataError
from mixtura.protocols import Array, Batch

__all__ = ["Stream"]


class Stream:
    """What a chain knows after every step of one sequence.

    Nothing is kept of the steps but the belief: probabilities of the states and what else the chain remembers, so that a stream may
    run for ever.

    Parameters
    ----------
    model : LatentMixture
        A fitted chain.
    checked : callable
        Makes a table of one row from a step, or refuses it.

    Attributes
    ----------
    n_steps : int
        Steps taken in.
    log_likelihood : float
        Of all of them; minus infinity after one that is impossible, which is passed over.

    Examples
    --------
    >>> from mixtura import HMM
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(np.repeat([0.0, 5.0, 0.0, 5.0], 50))[:, None]
    >>> model = HMM(n_components=2, random_state=0).fit(X)
    >>> stream = model.stream()
    >>> for x in X:
    ...     states = stream.step(x)
    >>> bool(np.isclose(stream.log_likelihood, model.score(X))), stream.predict().max().round(2)
    (True, np.float64(0.99))
    """

    def __init__(self, model: Any, checked: Callable[[Any], Array]) -> None:
        self._model, self._checked = model, checked
        self.reset()

    def __repr__(self) -> str:
        return f"Stream(K={self._model.n_components}, n_steps={self.n_steps}, log_likelihood={self.log_likelihood:.6g})"

    def reset(self) -> None:
        """Begin a new sequence."""
        self.n_steps, self.log_likelihood = 0, 0.0
        self._belief: Array | None = None

    def step(self, x: Any = None, *, covariates: Any = None) -> Array:
        """Take in a step.

        Parameters
        ----------
        x : array_like, shape (n_features,), optional
            Its observation; None (or NaN in all columns): it was not observed.
        covariates : array_like, shape (n_covariates,), optional
            Of this step, where the chain has any.

        Returns
        -------
        ndarray, shape (n_components,)
            p(state of the step | all steps so far).
        """
        scores = self._scores(x)
        taken_in = self._model.structure.advance
        found = taken_in(self._belief, scores, _vector(covariates))
        self._belief = found.belief
        self.n_steps += 1
        self.log_likelihood += found.log_scale
        return np.asarray(self._model.structure.marginal(found.belief))

    def predict(self, *, covariates: Any = None) -> Array:
        """Probabilities of the next step's state, shape (n_components,); `covariates` are that step's."""
        beside = _vector(covariates)
        table = None if beside is None else beside[:, None]
        if self._belief is None:
            nothing = np.zeros((self._model.n_components, 1))
            batch = Batch(None, np.ones(1), np.array([0, 1]), 0, table)
            return np.asarray(self._model.structure.predicted(nothing, batch)[:, 0])
        return np.asarray(self._model.structure.forecast(self._belief, 1, table)[0])

    def _scores(self, x: Any) -> Array:
        size = self._model.encoding.n_features
        row = np.full((1, size), np.nan) if x is None else self._checked(x)
        if row.shape != (1, size):
            msg = f"Step {self.n_steps} has {row.shape[1]} values; expected {size}, one for each column of the fit."
            raise InvalidDataError(msg)
        if np.isnan(row).all():
            return np.zeros(self._model.n_components)
        encoding = replace(self._model.encoding, missing=bool(np.isnan(row).any()))
        values = row if encoding.origin is None else row - encoding.origin
        components = self._model.components
        return np.asarray(
            components.log_prob(components.encode(np.ascontiguousarray(values.T), encoding))[:, 0]
        )


def _vector(covariates: Any) -> Array | None:
    return None if covariates is None else np.atleast_1d(np.asarray(covariates, dtype=np.float64))
