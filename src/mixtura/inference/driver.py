"""THE loop: one pass, one objective, one decision, one update; every algorithm is an update function.

The returned model and the last entry of the history belong together, because the decision to stop is taken between
the pass and the update.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mixtura.exceptions import InvalidDataError, ObjectiveFellError
from mixtura.inference.stopping import Reason, Stopping, catch_interrupt
from mixtura.protocols import Executor, Memory, Model, Source, Update
from mixtura.statistics import Statistics

__all__ = ["FitResult", "Progress", "run"]

# Rounding allowed in an exact step, relative to the objective's size: one float64 sum over the rows.
_ROUNDING = {"float64": 1e-10, "float32": 1e-5}
_MAX_HALVINGS = 8
# Steps with repairs after which a run gives up: components that keep collapsing will not stop.
_MAX_REPAIRED_STEPS = 20


@dataclass(frozen=True)
class Progress:
    """What a callback sees after every pass.

    Parameters
    ----------
    step : int
        Updates made so far.
    objective : float
        Objective of `model`, a total over the data.
    weight : float
        Sum of the units' weights (their number, without weights).
    model : Model
        The model that this objective belongs to.
    seconds : float
        Since the start of the run.
    """

    step: int
    objective: float
    weight: float
    model: Any
    seconds: float


@dataclass(frozen=True)
class FitResult:
    """One run of the driver.

    Parameters
    ----------
    model : Model
        The last model; the last entry of `history` is its objective.
    history : tuple of float
        Objective at every step, totals over the data.
    reason : Reason
        Why the run ended.
    n_iter : int
        Updates made.
    weight : float
        Sum of the units' weights.
    statistics : Statistics
        Sums of the last pass, under `model`.
    events : tuple of str
        What was done to degenerate components, and other things worth knowing.
    memory : mapping of int to dict
        What units remember (posterior weights of households), by batch.
    seconds : float
        Wall time.
    """

    model: Any
    history: tuple[float, ...]
    reason: Reason
    n_iter: int
    weight: float
    statistics: Statistics
    events: tuple[str, ...] = ()
    memory: Mapping[int, Memory] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def objective(self) -> float:
        """Objective of `model`, a total over the data."""
        return self.history[-1]


def run(
    model: Model,
    batches: Source,
    *,
    update: Update,
    executor: Executor,
    stopping: Stopping,
    callbacks: Sequence[Callable[[Progress], object]] = (),
) -> FitResult:
    """Learn a model.

    Parameters
    ----------
    model : Model
        The start; an ordinary model.
    batches : Source
        The data.
    update : Update
        The algorithm.
    executor : Executor
        Who sums.
    stopping : Stopping
        When to stop.
    callbacks : sequence of callable
        Called with `Progress` after every pass; one that returns True ends the run with reason "stopped".

    Returns
    -------
    FitResult
        Model, history and reason.

    Raises
    ------
    ObjectiveFellError
        If an exact step lowered the objective by more than rounding.
    DegenerateComponentError
        If components collapse and the update's policy is to raise.

    Examples
    --------
    >>> from mixtura.components import Gaussian
    >>> from mixtura.data import DenseSource
    >>> from mixtura.executors import Serial
    >>> from mixtura.inference.updates import Maximization
    >>> from mixtura.protocols import Encoding
    >>> from mixtura.structures import Independent, LatentMixture
    >>> start = LatentMixture(
    ...     Gaussian(np.array([[0.0], [4.0]]), np.ones((2, 1, 1))), Independent(np.zeros(2)), Encoding(1)
    ... )
    >>> rows = DenseSource(np.array([[0.0], [1.0], [4.0], [5.0]]), start.encoding)
    >>> run(start, rows, update=Maximization(), executor=Serial(), stopping=Stopping(1e-6)).reason
    <Reason.CONVERGED: 'converged'>
    """
    begun = time.monotonic()
    history: list[float] = []
    events: list[str] = []
    state = update.init(model)
    exact, halvings, steps, repaired, comparable_from, last = True, 0, 0, 0, 0, model
    with catch_interrupt(), executor.session() as session:
        while True:
            stats = session.total(model.summarize, batches)
            objective = update.objective(state, model, stats)
            if objective == -np.inf and steps == 0:
                # The start finds some row impossible (a category its sample did not hold); one step mends that.
                model, state, exact, _ = update.step(state, model, stats)
                steps = 1
                continue
            if not np.isfinite(objective):
                msg = (
                    f"The objective is {objective} after {steps} steps; expected a finite number: some row has "
                    "probability zero under every component. Use a pseudo_count or variance floor above zero."
                )
                raise InvalidDataError(msg)
            if len(history) > comparable_from and objective < history[-1]:
                allowed = _allowed_fall(history[-1], model, stopping, stats.weight, exact=exact)
                if history[-1] - objective > allowed:
                    if exact:
                        raise ObjectiveFellError(_fell(history[-1], objective, steps, allowed))
                    # A regularised step raises another objective by design: its small falls are no overshoot.
                    if halvings < _MAX_HALVINGS and not getattr(model, "regularized", False):
                        halvings += 1
                        model = model.from_coordinates(0.5 * (model.coordinates() + last.coordinates()))
                        continue
            halvings = 0
            history.append(objective)
            progress = Progress(steps, objective, stats.weight, model, time.monotonic() - begun)
            wants_stop = [callback(progress) is True for callback in callbacks]
            reason = stopping(history[comparable_from:], steps, stats.weight)
            if repaired > _MAX_REPAIRED_STEPS:
                reason = Reason.DEGENERATE
            if any(wants_stop) or reason is not None:
                return FitResult(
                    model,
                    tuple(history),
                    reason or Reason.STOPPED,
                    steps,
                    stats.weight,
                    stats,
                    tuple(events),
                    dict(session.memory),
                    time.monotonic() - begun,
                )
            last = model
            model, state, exact, happened = update.step(state, model, stats)
            steps += 1
            if happened:  # the model changed by more than a step: objectives before and after do not compare
                comparable_from = len(history)
                repaired += 1
                events.extend(f"step {steps}: {event}" for event in happened)


def _fell(before: float, after: float, step: int, allowed: float) -> str:
    return (
        f"The objective fell from {before:.12g} to {after:.12g} at step {step}, by more than the {allowed:.3g} that "
        "rounding explains, although the step was exact. This is a bug in a component or structure: run "
        "mixtura.testing.check_component on it, and report it."
    )


def _allowed_fall(objective: float, model: Model, stopping: Stopping, weight: float, *, exact: bool) -> float:
    """Fall of the objective that is not an error: rounding, and for inexact steps also the tolerance."""
    encoding = getattr(model, "encoding", None)
    dtype = "float64" if encoding is None else encoding.dtype
    rounding = _ROUNDING[dtype] * max(abs(objective), weight)
    return rounding if exact else max(rounding, stopping.tol * weight)
