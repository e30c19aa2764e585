r"""Moves that escape local optima of mixtures with posterior laws: merge, delete, birth, and sorting the sticks of a process.

After the best start has converged, other starts are made from the sums of its last pass and run by the same driver; one is kept only
where its bound is higher, so the bound never falls. With sums S, model :math:`\theta` and responsibilities' entropy H the bound is

.. math:: \langle S, \theta\rangle - \mathrm{KL}(\theta) + H,

so that the bound after a move follows from its sums and what it changes in H, without a run ([1]_, [2]_). Moves are tried in the
order of these bounds, and those that promise too little are not: on data where nothing is to be gained, a round costs one pass for
all merges and deletions, and one short run of halves (:class:`~mixtura.inference.divided.Divided`) for all births.

K stays: a component that has lost its rows keeps its place, at its prior, and births go to such places.

References
----------
.. [1] N. Ueda, R. Nakano, Z. Ghahramani and G. E. Hinton (2000), "SMEM algorithm for mixture models", Neural Computation 12(9), 2109-2128.
.. [2] M. C. Hughes and E. B. Sudderth (2013), "Memoized online variational inference for Dirichlet process mixture models",
   Advances in Neural Information Processing Systems 26.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from mixtura.inference.driver import FitResult, Progress, run
from mixtura.inference.proposals import LIVE, Candidate, Proposals, counts
from mixtura.inference.restarts import Start, run_starts
from mixtura.inference.stopping import Reason, Stopping, catch_interrupt, remaining_gain
from mixtura.protocols import Executor, Source, Update
from mixtura.structures import LatentMixture

__all__ = ["Move", "Moved", "Moves", "Setting"]

# Steps that every candidate is given, and after which one that is still below the present bound is given up.
_PATIENCE = 3
_SHORT = 30
# Candidates of a kind that promise no rise, tried all the same, and by how many nats they may fall short.
_TRIED = 2
_SHORTFALL = 10.0


@dataclass(frozen=True)
class Move:
    """One candidate.

    Parameters
    ----------
    kind : str
        "merge", "delete", "birth", "sort" or "prune".
    components : tuple of int
        Their places before the move: pairs one after the other of merges.
    before, after : float
        Bound per unit of weight of the model that it started from, and of the one it led to (minus infinity if to none).
    accepted : bool
        Whether the latter was kept.
    n_live : int
        Components with at least one row afterwards.
    n_iter : int
        Steps taken.
    """

    kind: str
    components: tuple[int, ...]
    before: float
    after: float
    accepted: bool
    n_live: int
    n_iter: int

    def __str__(self) -> str:
        listed = ", ".join(map(str, self.components))
        return f"{self.kind} {listed}: {self.before:.6g} to {self.after:.6g}"


@dataclass(frozen=True)
class Moved:
    """The best fit after moves.

    Parameters
    ----------
    best : FitResult
        Its history is that of the fit before, followed by the higher bounds of every accepted move.
    tried : tuple of Move
        All candidates, in order.
    interrupted : bool
        Whether Ctrl-C ended the search.
    """

    best: FitResult
    tried: tuple[Move, ...] = ()
    interrupted: bool = False


@dataclass(frozen=True)
class Setting:
    """Where moves are made.

    Parameters
    ----------
    source : Source
        The rows.
    update : callable
        ``update(n_components)`` returns the update rule.
    executor : Executor
        Who sums.
    stopping : Stopping
        Of the fit as a whole: the steps of all candidates count towards ``max_iter``.
    callbacks : sequence of callable
        Called after every pass of a candidate.
    """

    source: Source
    update: Callable[[int], Update]
    executor: Executor
    stopping: Stopping
    callbacks: Sequence[Callable[[Progress], object]] = ()


@dataclass(frozen=True)
class Moves:
    """Which moves are made.

    Parameters
    ----------
    fewer : bool, default True
        Whether components are merged and deleted.
    births : bool, default True
        Whether components are split, where places are empty.
    prune : bool, default False
        Whether empty components are taken out at the end. A process does not change by that but for their fractions of a row: empty
        sticks come last, where their laws are those of the prior. A Dirichlet law of the weights becomes one of fewer weights, each
        with its own pseudo-count as before; that is another prior, so bounds before and after are not of one quantity. In both cases
        the record begins anew.

    Examples
    --------
    >>> Moves(prune=True)
    Moves(fewer=True, births=True, prune=True)
    """

    fewer: bool = True
    births: bool = True
    prune: bool = False

    def __call__(self, fit: FitResult, setting: Setting) -> Moved:
        """Try moves until none is accepted or the budget is spent.

        Parameters
        ----------
        fit : FitResult
            A converged fit of a mixture with posterior laws.
        setting : Setting
            Rows, update, executor and budget.

        Returns
        -------
        Moved
            The best fit and the record.
        """
        search = _Search(fit, setting)
        with catch_interrupt() as interruption:
            while (self.fewer or self.births) and search.round(self):
                pass
            if self.prune:
                search.prune()
            return Moved(search.fit, tuple(search.tried), interruption.pressed)


@dataclass
class _Search:
    """The best fit so far, and what was tried."""

    fit: FitResult
    setting: Setting
    tried: list[Move] = field(default_factory=list)
    ended: bool = False
    used: int = 0

    def __post_init__(self) -> None:
        self.used = self.fit.n_iter
        self.ended = self.fit.reason != Reason.CONVERGED

    @property
    def left(self) -> int:
        """Steps that may still be made."""
        return self.setting.stopping.max_iter - self.used

    @property
    def margin(self) -> float:
        """Rise of the bound that is more than what convergence leaves open."""
        return max(self.setting.stopping.tol * self.fit.weight, 1e-10 * abs(self.fit.objective))

    def round(self, moves: Moves) -> bool:
        """Whether one of the moves that are open now was accepted."""
        if self.over():
            return False
        proposals = Proposals(self.fit, self.setting, self.margin)
        proposed = [(True, proposals.sorts), (moves.fewer, proposals.fewer), (moves.births, proposals.births)]
        for propose in [propose for wanted, propose in proposed if wanted]:
            if self.over():
                return False
            found = sorted(propose(), key=lambda one: -one.promise)
            self.used, proposals.passes = self.used + proposals.passes, 0
            hopeful = [one for one in found if one.promise > self.margin]
            others = [one for one in found if self.margin >= one.promise > -_SHORTFALL and one.kind != "sort"]
            for candidate in [*hopeful, *others[:_TRIED]]:
                if self.over():
                    return False
                if self.attempt(candidate):
                    return True
        return False

    def over(self) -> bool:
        """Whether the budget is spent, or Ctrl-C pressed."""
        deadline = self.setting.stopping.deadline
        with catch_interrupt() as interruption:
            late = deadline is not None and time.monotonic() >= deadline
            self.ended = self.ended or late or self.left <= 0 or interruption.pressed
        return self.ended

    def attempt(self, candidate: Candidate) -> bool:
        """Run a candidate; keep it if its bound is higher."""
        best, race = self.fit, _Race(self.fit.objective + self.margin)
        outcome, result = run_starts(
            [Start(candidate.kind, 0, candidate.make)],
            partial(self._run, callbacks=(*self.setting.callbacks, race)),
        )[0]
        self.used += 1 + result.n_iter
        accepted = outcome is not None and outcome.objective > best.objective + self.margin
        stopped = {Reason.TIME, Reason.INTERRUPTED, *([] if race.gave_up else [Reason.STOPPED])}
        self.ended = self.ended or result.reason in stopped
        if outcome is not None and accepted:
            self.fit = _joined(best, outcome)
        self._record(candidate.kind, candidate.components, best, outcome, accepted=accepted)
        return accepted

    def prune(self) -> None:
        """Take out components without rows, and let the others settle."""
        best = self.fit
        live = np.flatnonzero(counts(best.statistics) >= LIVE)
        if len(live) in (0, best.model.n_components):
            return
        dead = np.setdiff1d(np.arange(best.model.n_components), live)
        last = self._run(best.model.take(live), allowed=max(self.left, 1))
        self.used += last.n_iter
        self.fit = replace(last, events=best.events, n_iter=best.n_iter + last.n_iter)
        self._record("prune", tuple(map(int, dead)), best, last, accepted=True)

    def _run(
        self,
        model: LatentMixture,
        callbacks: Sequence[Callable[[Progress], object]] = (),
        allowed: int | None = None,
    ) -> FitResult:
        return run(
            model,
            self.setting.source,
            update=self.setting.update(model.n_components),
            executor=self.setting.executor,
            stopping=replace(self.setting.stopping, max_iter=self.left if allowed is None else allowed),
            callbacks=callbacks,
        )

    def _record(
        self,
        kind: str,
        components: tuple[int, ...],
        best: FitResult,
        outcome: FitResult | None,
        *,
        accepted: bool,
    ) -> None:
        found = best if outcome is None else outcome
        after = -np.inf if outcome is None else outcome.objective / outcome.weight
        n_live = int(np.sum(counts(found.statistics) >= LIVE))
        before = best.objective / best.weight
        steps = 0 if outcome is None else outcome.n_iter
        self.tried.append(Move(kind, components, before, after, accepted, n_live, steps))


class _Race:
    """Callback that gives up a candidate which cannot reach the bound to beat, or takes too long to."""

    def __init__(self, bar: float) -> None:
        self.bar = bar
        self.gave_up = False
        self._history: list[float] = []

    def __call__(self, progress: Progress) -> bool:
        """Whether to stop."""
        self._history.append(progress.objective)
        if progress.step < _PATIENCE or progress.objective > self.bar:
            return False
        hopeless = progress.objective + 10.0 * remaining_gain(self._history[-3:]) < self.bar
        self.gave_up = hopeless or progress.step >= _SHORT
        return self.gave_up


def _joined(before: FitResult, after: FitResult) -> FitResult:
    """The later fit with the record of both, in which the objective never falls."""
    higher = tuple(value for value in after.history if value > before.objective)
    return replace(
        after,
        history=(*before.history, *higher),
        n_iter=before.n_iter + after.n_iter,
        events=(*before.events, *after.events),
        seconds=before.seconds + after.seconds,
    )
