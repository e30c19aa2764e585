"""Standard errors from fits to resampled units.

Every fit starts from the estimates, and its components are matched to theirs. This measures how far *this* optimum moves from
sample to sample; that another sample might prefer another optimum altogether is left out, on purpose: labels would mean nothing.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from scipy.optimize import linear_sum_assignment

from mixtura.exceptions import (
    DegeneracyWarning,
    DegenerateComponentError,
    InterruptedWarning,
    InvalidParameterError,
)
from mixtura.inference.driver import run
from mixtura.inference.information import Fit
from mixtura.inference.problem import Problem
from mixtura.inference.standard_errors import Method, Reader, StandardErrors
from mixtura.inference.stopping import Stopping, catch_interrupt
from mixtura.protocols import Array
from mixtura.structures import LatentMixture

__all__ = ["Bootstrap", "matching", "resampled"]

# Fits below which a standard deviation says nothing.
_FEWEST = 10


@dataclass(frozen=True)
class Bootstrap(Method):
    """Nonparametric bootstrap of the units.

    Parameters
    ----------
    n_bootstrap : int
        Fits.
    rng : Generator
        Source of the samples.
    stopping : Stopping
        Of every fit.
    progress : bool, default False
        Show a progress bar on standard error.
    """

    needs_likelihood: ClassVar[bool] = False

    n_bootstrap: int
    rng: np.random.Generator
    stopping: Stopping
    progress: bool = False

    def __call__(self, fit: Fit, read: Reader, level: float) -> StandardErrors:
        """Refit to every sample; Ctrl-C keeps the fits so far."""
        rows = read(fit.model)
        values: list[list[float]] = []
        coordinates: list[Array] = []
        lost = 0
        with catch_interrupt() as interruption, _bar(self.n_bootstrap, show=self.progress) as bar:
            for _ in range(self.n_bootstrap):
                model = self._once(fit)
                if interruption.pressed:
                    break
                bar.advance(bar.task_ids[0])
                if model is None:
                    lost += 1
                    continue
                values.append([row.value for row in read(model)])
                coordinates.append(model.coordinates())
            interrupted = interruption.pressed
        if len(values) < _FEWEST:
            msg = (
                f"Only {len(values)} of {self.n_bootstrap} bootstrap fits kept all components; expected at least {_FEWEST}. "
                "Raise n_bootstrap, or fit fewer components."
            )
            raise InvalidParameterError(msg)
        notes = self._notes(len(values), lost, interrupted=interrupted)
        replicates = np.array(values)
        errors = replicates.std(axis=0, ddof=1)
        return StandardErrors(
            tuple(rows),
            errors,
            np.atleast_2d(np.cov(np.array(coordinates), rowvar=False)),
            np.atleast_2d(np.cov(replicates, rowvar=False)),
            f"bootstrap ({len(values)} fits)",
            level,
            fit.n_units,
            notes,
            replicates,
        )

    def _once(self, fit: Fit) -> LatentMixture | None:
        """The fit to one sample, its components in the order of the estimates; None where one was lost."""
        problem = resampled(fit, self.rng)
        update = problem.update(fit.model.n_components)
        try:
            result = run(
                fit.model, problem.source(), update=update, executor=fit.executor, stopping=self.stopping
            )
        except DegenerateComponentError:
            return None
        if result.events:
            return None
        model: LatentMixture = result.model
        return model.take(matching(fit, model))

    def _notes(self, kept: int, lost: int, *, interrupted: bool) -> tuple[str, ...]:
        notes = []
        if lost:
            notes.append(
                f"{lost} of {kept + lost} bootstrap fits lost a component and are left out, so the standard errors are too small. "
                "Fit fewer components."
            )
            warnings.warn(notes[-1], DegeneracyWarning, stacklevel=5)
        if interrupted:
            notes.append(
                f"The bootstrap was interrupted after {kept + lost} of {self.n_bootstrap} fits; these are used."
            )
            warnings.warn(notes[-1], InterruptedWarning, stacklevel=5)
        return tuple(notes)


def resampled(fit: Fit, rng: np.random.Generator) -> Problem:
    """The problem on as many units, drawn with replacement: rows by their weights, units of many rows as they are."""
    p = fit.problem
    if p.unit_offsets is None or fit.by_rows:
        weight = np.ones(p.x.shape[0]) if p.sample_weight is None else p.sample_weight
        return replace(p, sample_weight=fit.weights.resampled(weight, rng))
    offsets = np.asarray(p.unit_offsets)
    drawn = rng.integers(0, len(offsets) - 1, size=len(offsets) - 1)
    rows = np.concatenate([np.arange(offsets[u], offsets[u + 1]) for u in drawn])
    beside: dict[str, Any] = {
        name: None if table is None else table[rows]
        for name, table in (
            ("sample_weight", p.sample_weight),
            ("covariates", p.covariates),
            ("allowed", p.allowed),
        )
    }
    sizes = np.diff(offsets)[drawn]
    return replace(p, x=p.x[rows], unit_offsets=np.concatenate([[0], np.cumsum(sizes)]), **beside)


def matching(fit: Fit, model: LatentMixture) -> Array:
    """Component of `model` for each of the estimates, such that most rows keep their component; shape (K,)."""
    agreement = np.zeros((fit.model.n_components, model.n_components))
    for batch in fit.source():
        weight = np.where(batch.sample_weight > 0, batch.sample_weight, 1.0)
        agreement += fit.model.infer(batch, {}).resp @ (model.infer(batch, {}).resp / weight).T
    return np.asarray(linear_sum_assignment(-agreement)[1])


def _bar(total: int, *, show: bool) -> Progress:
    columns = (TextColumn("bootstrap"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True, disable=not show)
    bar.add_task("", total=total)
    return bar
