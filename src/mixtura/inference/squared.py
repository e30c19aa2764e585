"""EM in cycles of two steps and a jump along the curve that they describe, taken only where it reaches at least as high.

EM steps shrink geometrically, so two of them tell where the series leads to ([1]_, squared extrapolation with step length S3). The jump
is made in coordinates of which every value is valid, and judged by the objective: a cycle never ends below its first EM step.

References
----------
.. [1] R. Varadhan, C. Roland (2008), Scandinavian Journal of Statistics 35(2), 335-353.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mixtura.exceptions import InvalidDataError
from mixtura.inference.stopping import Reason, Stopping
from mixtura.inference.updates import Maximization
from mixtura.protocols import UpdateStep
from mixtura.statistics import Statistics

__all__ = ["Squared", "Steadily"]

# Longest jump, in first steps: where the bend is rounding there is nothing to follow.
_BOLDEST = 1e6


@dataclass(frozen=True)
class Squared(Maximization):
    """EM with squared extrapolation: three passes or more a step.

    Parameters
    ----------
    prior, policy
        As for `Maximization`.
    total : callable
        Statistics of all data under a model.

    Examples
    --------
    >>> from mixtura.chains import LinearGaussianChain, System
    >>> from mixtura.protocols import Batch
    >>> rows = Batch(np.array([[1.0, 2.0, 2.5, 2.0, 0.5, 0.0]]), np.ones(6), np.array([0, 6]))
    >>> chain = LinearGaussianChain(System.of([[0.5]], [[1.0]], [[1.0]], [[1.0]]))
    >>> update = Squared(total=lambda model: model.summarize(rows, {}))
    >>> stats = update.total(chain)
    >>> bold = update.step(None, chain, stats).model
    >>> update.total(bold).log_evidence > update.total(chain.maximize(stats)).log_evidence
    True
    """

    total: Callable[[Any], Statistics] = field(kw_only=True)

    def step(self, state: Statistics | None, model: Any, stats: Statistics) -> UpdateStep:
        """Two EM steps, and the boldest jump from them that does not fall below the first; a jump ends in an EM step."""
        one = self._raised(state, model, stats)
        there = self.total(one)
        two = self._raised(state, one, there)
        least = max(self.objective(state, model, stats), self.objective(state, one, there))
        begin, middle = model.coordinates(), one.coordinates()
        first, bend = middle - begin, two.coordinates() - 2.0 * middle + begin
        size = float(np.linalg.norm(first)) / max(float(np.linalg.norm(bend)), 1e-300)
        for boldness in (1.0, 0.5, 0.25):
            length = 1.0 + boldness * (size - 1.0)
            if not 1.0 < length < _BOLDEST:
                break
            jump = two.from_coordinates(begin + 2.0 * length * first + length**2 * bend)
            found = self._judged(jump)
            if found is not None and self.objective(state, jump, found) >= least:
                landed = self._raised(state, jump, found)
                return UpdateStep(landed, state, exact=landed.exact)
        return UpdateStep(two, state, exact=two.exact)

    def _raised(self, state: Statistics | None, model: Any, stats: Statistics) -> Any:
        """The M-step."""
        return model.maximize(stats if state is None else stats + state)

    def _judged(self, model: Any) -> Statistics | None:
        """Statistics under a model that was guessed; None where it cannot be one."""
        try:
            stats = self.total(model)
        except (InvalidDataError, np.linalg.LinAlgError):
            return None
        return stats if np.isfinite(stats.log_evidence) else None


@dataclass(frozen=True)
class Steadily(Stopping):
    """Stopping for steps that gain unevenly: what remains is estimated from the gains of three steps at a time.

    Examples
    --------
    >>> history = [0.0, 5.0, 5.001, 7.0]
    >>> Stopping(1e-3)(history[:3], 2, 1.0), Steadily(1e-3)(history[:3], 2, 1.0)
    (<Reason.CONVERGED: 'converged'>, None)
    """

    def __call__(self, history: Sequence[float], step: int, weight: float) -> Reason | None:
        """Reason to stop after `step` updates with this history, or None."""
        return super().__call__(history[-7:][::-3][::-1], step, weight)
