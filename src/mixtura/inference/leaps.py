"""Steps that are bolder than EM, taken only where they reach at least as high."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from mixtura.inference.updates import Maximization
from mixtura.protocols import Batch, Model, UpdateStep
from mixtura.statistics import Statistics

__all__ = ["Leaping", "Leaps"]


class Leaps(Model, Protocol):
    """A model that knows better guesses than its M-step, and whose passes are cheap."""

    def leaps(self, batch: Batch, prior: Statistics | None) -> Iterator[Any]:
        """Models to try instead of the M-step's, the boldest first."""
        ...


@dataclass(frozen=True)
class Leaping(Maximization):
    """EM, or a leap of the model where its objective is at least that of the EM step: never worse than EM.

    Parameters
    ----------
    prior, policy
        As for `Maximization`; the M-step of a model that leaps always has a maximum, so nothing is ever repaired.
    batch : Batch
        The whole data: what leaps are made from and judged by.

    Examples
    --------
    >>> from mixtura.chains import CommonVariance, LinearRegression, Moments
    >>> rows = Moments(4.0, np.array([[5.0]]), np.array([9.6]), 19.53, np.array([1.5]), 3.975)
    >>> model = LinearRegression.start(rows, CommonVariance(), None, None)
    >>> update = Leaping(batch=rows.batch())
    >>> stats = model.summarize(rows.batch(), {})
    >>> leap = update.step(None, model, stats).model.summarize(rows.batch(), {}).log_evidence
    >>> leap > model.maximize(stats).summarize(rows.batch(), {}).log_evidence > stats.log_evidence
    True
    """

    batch: Batch = field(kw_only=True)

    def step(self, state: Statistics | None, model: Any, stats: Statistics) -> UpdateStep:
        """The EM step, unless a leap is at least as good; no step where an inexact one would lower the objective."""
        plain = model.maximize(stats if state is None else stats + state)
        reached = self._reached(state, plain)
        least = reached if plain.exact else max(reached, self.objective(state, model, stats))
        for leap in model.leaps(self.batch, state):
            found = self._reached(state, leap)
            if np.isfinite(found) and found >= least:
                return UpdateStep(leap, state, exact=leap.exact)
        if reached < least:
            return UpdateStep(model, state, exact=False)  # only rounding is left to gain
        return UpdateStep(plain, state, exact=plain.exact)

    def _reached(self, state: Statistics | None, model: Any) -> float:
        return self.objective(state, model, model.summarize(self.batch, {}))
