"""Forecasts of states and observations."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from mixtura.components import hooks
from mixtura.exceptions import InvalidParameterError
from mixtura.models._checked import checked_level
from mixtura.protocols import Array, Encoding

__all__ = ["Forecast"]


@dataclass(frozen=True)
class Forecast:
    """What follows some sequences, h steps on.

    Parameters
    ----------
    states : ndarray, shape (n_sequences, h, K)
        Probabilities of the states.
    components : Component
        Laws of the observations.
    encoding : Encoding
        Their coordinates.
    paths : ndarray of int, shape (n_draws, n_sequences, h)
        Simulated states.
    draws : ndarray, shape (n_draws, n_sequences, h, D), or None
        Simulated observations; None where no simulations were asked for.
    names : ndarray, shape (n_sequences,), or None
        Of the sequences, where they have any.

    Examples
    --------
    >>> from mixtura import HMM
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(np.repeat([0.0, 5.0, 0.0, 5.0], 50))
    >>> ahead = HMM(n_components=2, random_state=0).fit(X).forecast(X, 3, n_draws=1000)
    >>> ahead.states[0].max(axis=1).round(2)
    array([0.99, 0.98, 0.97])
    >>> ahead.mean.shape, ahead.interval(0.9).shape
    ((1, 3, 1), (2, 1, 3, 1))
    """

    states: Array
    components: Any = field(repr=False)
    encoding: Encoding = field(repr=False)
    paths: Array = field(repr=False)
    draws: Array | None = field(repr=False, default=None)
    names: Array | None = field(repr=False, default=None)

    @cached_property
    def expected(self) -> list[Array]:
        """What each column is expected to be: means (n_sequences, h), or probabilities of its levels (n_sequences, h, L).

        Raises
        ------
        InvalidParameterError
            If the components cannot say (counts over categories): use `draws`.
        """
        resp = self.states.reshape(-1, self.states.shape[-1]).T
        rows = np.full((self.encoding.n_features, resp.shape[1]), np.nan)
        cells = hooks.expected_cells(self.components, rows, resp, replace(self.encoding, missing=True))
        origin = 0.0 if self.encoding.origin is None else self.encoding.origin
        shifts = np.broadcast_to(origin, self.encoding.n_features)
        found = []
        for cell, shift in zip(cells, shifts, strict=True):
            values = np.angle(cell) if np.iscomplexobj(cell) else cell
            values = values + shift if values.ndim == 1 else values.T
            found.append(values.reshape(*self.states.shape[:2], *values.shape[1:]))
        return found

    @property
    def mean(self) -> Array:
        """Expected observations, shape (n_sequences, h, D); of columns with levels NaN (see `expected`)."""
        empty = np.full(self.states.shape[:2], np.nan)
        return np.stack([one if one.ndim == 2 else empty for one in self.expected], axis=-1)

    def interval(self, level: float = 0.9) -> Array:
        """Ends of central intervals of the simulated observations, shape (2, n_sequences, h, D).

        Parameters
        ----------
        level : float, default 0.9
            Probability inside.
        """
        if self.draws is None:
            msg = "There are no simulated futures, from which intervals are made. Call forecast(..., n_draws=1000)."
            raise InvalidParameterError(msg)
        outside = 0.5 * (1.0 - checked_level(level))
        return np.asarray(np.quantile(self.draws, [outside, 1.0 - outside], axis=0))

    def frame(self, library: str | None = None) -> Any:
        """Probabilities of the states as a tidy frame: sequence, step (1, 2, ...), state, probability.

        Parameters
        ----------
        library : {"pandas", "polars", "pyarrow"}, optional
            Data frame library; None takes pandas, or polars where pandas is missing.
        """
        from mixtura.data.frames import make_frame

        names = np.arange(len(self.states)) if self.names is None else self.names
        unit, step, state = (axis.ravel() for axis in np.indices(self.states.shape))
        columns = {
            "sequence": names[unit].tolist(),
            "step": (step + 1).tolist(),
            "state": state.tolist(),
            "probability": self.states.ravel().tolist(),
        }
        return make_frame(columns, library)
