"""How many phases, and by what they differ: chains of growing size, judged by how well they foresee the next period.

The last periods before the split are foreseen one by one by chains that were fitted to those before: the number of visits, and what is
in them. The smallest chain that is not clearly worse than the best is taken: within one standard error, all of a customer counting as
one observation.
Criteria of fit (BIC, AIC, ICL) are computed beside, and decide where they are asked for.
"""

from __future__ import annotations

import time as clock
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import logsumexp

from mixtura.inference import criteria
from mixtura.inference.stopping import catch_interrupt
from mixtura.protocols import Batch
from mixtura.segments.evaluation import clustered_mean
from mixtura.segments.journey_grid import Grid
from mixtura.segments.journey_phases import Design, Phases, fit_phases, with_own_moves
from mixtura.segments.sweep import PATIENCE, Level, Report, Sweep, quiet

__all__ = [
    "AUTO",
    "FORECAST",
    "MOVES",
    "PHASES",
    "Candidates",
    "choose_phases",
    "log_contents",
]

PHASES = Level("phases", "n_phases", "customers", tuple(range(1, 9)))
FORECAST, AUTO = "forecast", "auto"
MOVES = (AUTO, "common", "own")
CRITERIA = (FORECAST, "bic", "aic", "icl")
# Customers on whom sizes are compared, drawn at random where there are more: the chosen chain is fitted to all.
MOST_CUSTOMERS = 1000
TOL = 1e-3  # nats per row: numbers of phases differ by more
LEAST_PERIODS = 4  # before the split, for some of them to be foreseen from the others
STRENGTH = 5.0  # baskets that a phase's mix counts for beside a customer's own


@dataclass(frozen=True)
class Candidates:
    """What is tried.

    Parameters
    ----------
    numbers : tuple of int
        Ascending.
    designs : tuple of Design
        By what phases may differ.
    criterion : {"forecast", "bic", "aic", "icl"}
        What decides.
    moves : {"auto", "common", "own"}
        Whether each customer has chances of their own of moving: where they foresee more by a standard error, never, or always.
    """

    numbers: tuple[int, ...]
    designs: tuple[Design, ...]
    criterion: str
    moves: str = AUTO


def log_contents(scores: np.ndarray, prior: np.ndarray, own: np.ndarray, strength: float) -> np.ndarray:
    """Log probability of what is in baskets, when customers' mixes of types lean on a prior mix.

    Parameters
    ----------
    scores : ndarray, shape (N, F)
        Log probability of each basket in each type.
    prior : ndarray, shape (N, F) or (F,)
        Shares of the types.
    own : ndarray, shape (N, F)
        Expected baskets of each type that the customer has had.
    strength : float
        Baskets that the prior counts for.

    Examples
    --------
    >>> scores = np.log([[0.9, 0.1]])
    >>> log_contents(scores, np.array([0.5, 0.5]), np.array([[5.0, 0.0]]), 5.0).round(3)
    array([-0.357])
    """
    weights = (strength * prior + own) / (strength + own.sum(axis=1, keepdims=True))
    return np.asarray(logsumexp(scores + np.log(np.maximum(weights, 1e-300)), axis=1))


def choose_phases(
    grid: Grid, rows: np.ndarray, log_profiles: np.ndarray, tried: Candidates, *, seed: int, report: Report
) -> tuple[Phases, Sweep, dict[str, Any] | None]:
    """Try every number of phases and design, choose, and fit the chosen chain to all customers.

    Parameters
    ----------
    grid : Grid
        Customers and periods.
    rows : ndarray, shape (R, 1 + F)
        Visits, and visits of each basket type.
    log_profiles : ndarray, shape (F, C)
        Of the basket types.
    tried : Candidates
        What is tried.
    seed : int
        Of everything.
    report : callable
        ``report("phases", done, total, text)``.

    Returns
    -------
    phases : Phases
        The chosen chain.
    sweep : Sweep
        What was tried, with its best.
    own_moves : dict or None
        ``{"used", "gain", "gain_se"}``: what chances of moving of each customer gain in nats per customer and period.
    """
    pairs = [(design, number) for design in tried.designs for number in tried.numbers]
    n_later = max(1, round(0.2 * grid.n_train))
    some, some_rows = _some(grid, rows, seed)
    foreseeing = grid.n_train >= LEAST_PERIODS and len(some.customers) > 1
    criterion = tried.criterion if tried.criterion != FORECAST or foreseeing else "bic"
    early = replace(some, n_train=some.n_train - n_later) if criterion == FORECAST else some
    judge = _Judge(early, some.n_train, some_rows, log_profiles)
    found: list[dict[str, Any]] = []
    fitted: list[Phases] = []
    with catch_interrupt() as interruption, quiet():
        for done, (design, number) in enumerate(pairs):
            if _turned([row for row in found if row["design"] == design.key], criterion):
                continue
            report("phases", done, len(pairs), f"{number} phase{'s' if number > 1 else ''} by {design.key}")
            begun = clock.perf_counter()
            phases = fit_phases(early, some_rows, design, number, seed, tol=TOL)
            if found and phases.model.stop_reason_ == "interrupted":
                break
            found.append(_row(phases, judge, clock.perf_counter() - begun))
            fitted.append(phases)
            if interruption.pressed:
                break
        best = _best(found, criterion, judge)
        design, number = fitted[best].design, fitted[best].n_phases
        report("phases", len(pairs), len(pairs), f"{number} phase{'s' if number > 1 else ''}, all customers")
        own = None if interruption.pressed else _own_moves(fitted[best], judge, tried.moves)
        chosen = fit_phases(grid, rows, design, number, seed)
        if own is not None and own["used"]:
            chosen = with_own_moves(chosen)
    table = tuple({key: value for key, value in row.items() if key != "forecasts"} for row in found)
    sweep = Sweep(
        table,
        best,
        chosen.model,
        at_edge=len(tried.numbers) > 1 and number == max(tried.numbers),
        interrupted=interruption.pressed,
        criterion=criterion,
    )
    return chosen, sweep, own


def _own_moves(phases: Phases, judge: _Judge, moves: str) -> dict[str, Any] | None:
    """What chances of moving of each customer would gain, and whether they are used; None where nothing says so."""
    if phases.n_phases < 2 or (moves != AUTO and not judge.rows.size):
        return (
            None if moves != "own" or phases.n_phases < 2 else {"used": True, "gain": None, "gain_se": None}
        )
    if not judge.rows.size:
        return None
    own = with_own_moves(phases)
    gain, error = clustered_mean(judge(own) - judge(phases), judge.owners)
    used = {AUTO: gain > error, "own": True, "common": False}[moves]
    return {"used": bool(used), "gain": gain, "gain_se": error}


class _Judge:
    """What came in the periods from `grid.n_train` to `end`, and how well a chain foresaw it."""

    def __init__(self, grid: Grid, end: int, rows: np.ndarray, log_profiles: np.ndarray) -> None:
        later = (grid.row_period >= grid.n_train) & (grid.row_period < end)
        self.rows = np.flatnonzero(later & (grid.first[grid.row_owner] < grid.n_train))
        self.owners = grid.row_owner[self.rows]
        baskets = np.flatnonzero(np.isin(grid.row_of_basket, self.rows))
        self.row_of_basket = grid.row_of_basket[baskets]
        self.place = np.searchsorted(self.rows, self.row_of_basket)
        self.scores = np.asarray(grid.baskets.counts[baskets] @ log_profiles.T)
        total = np.cumsum(rows[:, 1:], axis=0)
        before = total - rows[:, 1:]
        self.own = np.maximum(
            before[self.row_of_basket] - before[grid.offsets[:-1]][grid.owner[baskets]], 0.0
        )

    def __call__(self, phases: Phases) -> np.ndarray:
        """Log probability of every row given the rows before it."""
        leaning = phases.foreseen[self.row_of_basket] @ phases.mixes
        contents = log_contents(self.scores, leaning, self.own, STRENGTH)
        sums = np.bincount(self.place, weights=contents, minlength=len(self.rows))
        return np.asarray(phases.log_foreseen_visits(self.rows) + sums)


def _row(phases: Phases, judge: _Judge, seconds: float) -> dict[str, Any]:
    """A row of the results: log-likelihoods are per customer, forecasts per customer and period."""
    law = phases.model._model()
    kept = np.ascontiguousarray(phases.scores[:, phases.grid.learnt])
    lengths = phases.grid.learnt_lengths
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    found = law.structure.posterior(kept, Batch(None, np.ones(int(lengths.sum())), offsets))
    log_likelihood, size = float(found.log_evidence.sum()), len(lengths)
    n_parameters = law.components.n_parameters() + law.structure.n_parameters()
    certainty = float(np.log(found.probabilities.max(axis=0)).sum())
    forecasts = judge(phases) if judge.rows.size else None
    return {
        "n_components": law.n_components,
        "design": phases.design.key,
        "bic": criteria.bic(log_likelihood, n_parameters, size),
        "aic": criteria.aic(log_likelihood, n_parameters),
        "icl": criteria.icl(log_likelihood, n_parameters, size, certainty),
        "n_parameters": n_parameters,
        "n_iter": phases.model.n_iter_,
        "reason": phases.model.stop_reason_,
        "seconds": seconds,
        "held_out": None if forecasts is None else float(forecasts.mean()),
        "log_likelihood": log_likelihood / size,
        "starts": [],
        "forecasts": forecasts,
    }


def _turned(found: Sequence[dict[str, Any]], criterion: str) -> bool:
    """Whether the last sizes of a design are worse than its best."""
    values = [-row["held_out"] if criterion == FORECAST else row[criterion] for row in found]
    return len(values) > PATIENCE and int(np.argmin(values)) < len(values) - PATIENCE


def _best(found: Sequence[dict[str, Any]], criterion: str, judge: _Judge) -> int:
    """The lowest criterion; of forecasts, the smallest chain within a standard error of the best."""
    if criterion != FORECAST:
        return int(np.argmin([row[criterion] for row in found]))
    best = int(np.argmax([row["held_out"] for row in found]))
    close = []
    for index, row in enumerate(found):
        loss, error = clustered_mean(found[best]["forecasts"] - row["forecasts"], judge.owners)
        if index == best or loss <= error:
            close.append((row["n_parameters"], index))
    return min(close)[1]


def _some(grid: Grid, rows: np.ndarray, seed: int) -> tuple[Grid, np.ndarray]:
    """Some of the customers with rows before the split, and their rows."""
    known = np.flatnonzero(grid.first < grid.n_train)
    if len(known) > MOST_CUSTOMERS:
        known = np.sort(np.random.default_rng(seed).choice(known, MOST_CUSTOMERS, replace=False))
    return grid.of_customers(known), rows[np.isin(grid.row_owner, known)]
