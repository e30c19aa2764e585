"""Several starts, the best of them, and a record of every one.

*Sieving*: many short runs on a sample, the best few run on to convergence there, the best of those on all rows.
A short run that collapses, or that sits on a handful of rows, never beats one that does not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from mixtura.exceptions import DegenerateComponentError, InvalidDataError
from mixtura.inference.driver import FitResult, Progress
from mixtura.inference.stopping import Reason, catch_interrupt, remaining_gain
from mixtura.structures import LatentMixture

__all__ = ["Outrun", "Runner", "Start", "StartResult", "agreeing", "best_of", "run_starts"]


@dataclass(frozen=True)
class Start:
    """A start that can be made again from its seed.

    Parameters
    ----------
    name : str
        Rule that made it, such as "kmeans, whitened".
    seed : int
        Seed of its random generator.
    make : callable
        Makes the start model; may raise DegenerateComponentError.
    """

    name: str
    seed: int
    make: Callable[[], LatentMixture] = field(repr=False)


@dataclass(frozen=True)
class StartResult:
    """What became of one start.

    Parameters
    ----------
    name : str
        Rule that made the start.
    seed : int
        Its seed.
    objective : float
        Final objective per unit of weight; minus infinity if it collapsed.
    reason : Reason
        Why it ended.
    n_iter : int
        Updates made.
    history : tuple of float
        Objective per unit of weight at every step.
    suspects : dict of int to str
        Components on a handful of rows or with almost no variance.
    message : str
        The error of a collapsed start, or what happened to its components.
    seconds : float
        Wall time.
    """

    name: str
    seed: int
    objective: float
    reason: Reason
    n_iter: int = 0
    history: tuple[float, ...] = ()
    suspects: dict[int, str] = field(default_factory=dict)
    message: str = ""
    seconds: float = 0.0


class Outrun:
    """Callback that ends a run which cannot catch up with the best one before it.

    A run is given up when its objective plus ten times its estimated remaining gain stays below the best final
    objective, after `patience` steps at least.

    Parameters
    ----------
    patience : int, default 20
        Steps that every run is given.
    """

    def __init__(self, patience: int = 20) -> None:
        self.patience = patience
        self.best = -np.inf
        self._history: list[float] = []

    def __call__(self, progress: Progress) -> bool:
        """Whether to stop."""
        if progress.step == 0:
            self._history = []
        self._history.append(progress.objective)
        if progress.step < self.patience:
            return False
        return progress.objective + 10.0 * remaining_gain(self._history[-3:]) < self.best

    def watch(self, runner: Runner) -> Runner:
        """The same runner, remembering the best objective so far."""

        def watched(model: LatentMixture) -> FitResult:
            result = runner(model)
            if not model_suspects(result):
                self.best = max(self.best, result.objective)
            return result

        return watched


def model_suspects(fit: FitResult) -> dict[int, str]:
    """Components of a run on a handful of rows or with almost no variance."""
    suspects: dict[int, str] = fit.model.suspects(fit.statistics)
    return suspects


Runner = Callable[[LatentMixture], FitResult]
Outcome = tuple[FitResult | None, StartResult]


def run_starts(starts: Sequence[Start], runner: Runner) -> list[Outcome]:
    """Run every start; an interruption ends the sequence after the run in progress.

    Parameters
    ----------
    starts : sequence of Start
        At least one.
    runner : callable
        Runs the driver from a model.

    Returns
    -------
    list of (FitResult or None, StartResult)
        In the order of the starts; None where the start collapsed.
    """
    outcomes: list[Outcome] = []
    with catch_interrupt() as interruption:
        for start in starts:
            outcomes.append(_run_one(start, runner))
            if interruption.pressed and outcomes[-1][0] is not None:
                break
    return outcomes


def _run_one(start: Start, runner: Runner) -> Outcome:
    begun = time.monotonic()
    try:
        fit = runner(start.make())
    except (DegenerateComponentError, InvalidDataError, np.linalg.LinAlgError) as error:
        seconds = time.monotonic() - begun
        return None, StartResult(
            start.name, start.seed, -np.inf, Reason.DEGENERATE, message=str(error), seconds=seconds
        )
    return fit, record(start, fit)


def record(start: Start, fit: FitResult) -> StartResult:
    """The record of a run."""
    per_unit = tuple(value / fit.weight for value in fit.history)
    return StartResult(
        start.name,
        start.seed,
        per_unit[-1],
        fit.reason,
        fit.n_iter,
        per_unit,
        model_suspects(fit),
        "; ".join(fit.events),
        fit.seconds,
    )


def best_of(outcomes: Sequence[Outcome]) -> list[int]:
    """Indices of the outcomes that did not collapse, best first; solutions without suspects come before others.

    Raises
    ------
    DegenerateComponentError
        If every start collapsed; the message is that of the first.
    """
    alive = [index for index, (fit, _) in enumerate(outcomes) if fit is not None]

    def rank(index: int) -> tuple[bool, float]:
        result = outcomes[index][1]
        return bool(result.suspects), -result.objective

    return sorted(alive, key=rank)


def sieve(
    outcomes: Sequence[Outcome], starts: Sequence[Start], keep: int, apart: float = 1e-7
) -> tuple[list[Start], list[StartResult]]:
    """The best few as starts of longer runs, and the records of all others, marked as screened.

    Nearly equal short runs (objectives that agree to `apart` per unit) count once.
    """
    order = best_of(outcomes)
    chosen: list[int] = []
    for index in order:
        value = outcomes[index][1].objective
        if all(abs(value - outcomes[other][1].objective) > apart * max(abs(value), 1.0) for other in chosen):
            chosen.append(index)
        if len(chosen) == keep:
            break
    kept = []
    for index in chosen:
        fit = outcomes[index][0]
        if fit is not None:
            kept.append(replace(starts[index], make=partial(_same, fit.model)))
    left = [
        replace(result, reason=Reason.SCREENED) if fit is not None else result
        for index, (fit, result) in enumerate(outcomes)
        if index not in chosen
    ]
    return kept, left


def _same(model: LatentMixture) -> LatentMixture:
    return model


def agreeing(results: Sequence[StartResult], tol: float) -> tuple[int, int]:
    """How many of the runs that ended by themselves reached the best objective, and how many there were.

    Parameters
    ----------
    results : sequence of StartResult
        All starts of a fit.
    tol : float
        Difference per unit that counts as the same optimum.

    Returns
    -------
    tuple of int
        (runs within `tol` of the best, runs carried to their end).
    """
    ended = [
        result.objective
        for result in results
        if result.reason not in (Reason.SCREENED, Reason.DEGENERATE, Reason.STOPPED)
    ]
    return (sum(value >= max(ended) - tol for value in ended), len(ended)) if ended else (0, 0)
