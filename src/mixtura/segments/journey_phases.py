"""The phases of customers: a hidden Markov model of what each customer did, period by period.

A row is a customer in a period: the number of visits, and how many of them were of each basket type. In a phase the number of visits
is negative binomial and the types are Dirichlet-multinomial, so customers of one phase may differ by more than chance. Periods without
a visit are rows of zeros: they are what a phase of absence is made of.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.special import logsumexp

from mixtura.components import DirichletMultinomial, NegativeBinomial, Product
from mixtura.models.hmm import HMM
from mixtura.protocols import Batch, Encoding
from mixtura.segments.journey_grid import Grid
from mixtura.structures import GroupedChain

__all__ = ["DESIGNS", "TYPES", "VISITS", "Design", "Phases", "fit_phases", "with_own_moves"]

# Nats per row: phases are read by people, and no digit that they see depends on more.
TOL = 1e-4
MAX_ITER = 300
MAX_ITER_OWN = 60  # own moves are learnt slowly, and nothing that is foreseen changes any more
TINY = 1e-5  # a move that nobody made may still be made


@dataclass(frozen=True)
class Design:
    """By what phases differ.

    Parameters
    ----------
    key : str
        Its name as an option.
    words : str
        For people.
    blocks : callable
        From the number of basket types to the blocks of the component, over the first columns of the rows.
    """

    key: str
    words: str
    blocks: Callable[[int], dict[str, Any]]

    def rows(self, rows: np.ndarray) -> np.ndarray:
        """The columns that it is about."""
        width = sum(len(columns) for _, columns in self.blocks(rows.shape[1] - 1).values())
        return np.ascontiguousarray(rows[:, :width])


def _visits(_: int) -> dict[str, Any]:
    return {"visits": (NegativeBinomial(), [0])}


def _visits_and_types(n_types: int) -> dict[str, Any]:
    return {**_visits(n_types), "types": (DirichletMultinomial(), list(range(1, n_types + 1)))}


VISITS = Design("visits", "how often customers come", _visits)
TYPES = Design("types", "how often customers come and what for", _visits_and_types)
DESIGNS = {design.key: design for design in (VISITS, TYPES)}


@dataclass(frozen=True)
class Phases:
    """A fitted chain of phases, the one with most visits first, and what it says of all rows of a grid.

    Parameters
    ----------
    model : HMM
        Fitted to the rows before the split.
    design : Design
        By what phases differ.
    rows : ndarray, shape (R, 1 + F)
        Visits, and visits of each basket type, of all rows.
    grid : Grid
        Whose rows they are.
    """

    model: Any
    design: Design
    rows: np.ndarray
    grid: Grid

    @property
    def n_phases(self) -> int:
        """K."""
        return len(self.start)

    @property
    def start(self) -> np.ndarray:
        """Probability of each phase in a customer's first period, shape (K,)."""
        return np.asarray(self.model.startprob_)

    @property
    def moves(self) -> np.ndarray:
        """Probability of each phase (columns) one period after each, shape (K, K)."""
        return np.asarray(self.model.transmat_)

    @property
    def mean_visits(self) -> np.ndarray:
        """Visits per period in each phase, shape (K,)."""
        return np.asarray(self.model.components_["visits"].mean).ravel()

    @property
    def dwell(self) -> np.ndarray:
        """Expected periods in a phase once it is entered, shape (K,); infinite where it is never left."""
        return np.asarray(self.model.dwell_times_)

    @cached_property
    def scores(self) -> np.ndarray:
        """Log density of every row in every phase, shape (K, R)."""
        law = self.model._model()
        columns = np.ascontiguousarray(self.design.rows(self.rows).T)
        return np.asarray(law.components.log_prob(law.components.encode(columns, law.encoding)))

    @cached_property
    def _filter(self) -> Any:
        return self._law.filtered(self.scores, _batch(self.grid.lengths))

    @property
    def filtered(self) -> np.ndarray:
        """Probability of each phase given the rows up to this one, shape (R, K)."""
        return np.asarray(self._filter.probabilities.T)

    @cached_property
    def foreseen(self) -> np.ndarray:
        """Probability of each phase given the rows before this one, shape (R, K): the initial law in a customer's first row."""
        return np.asarray(self._law.predicted(self.scores, _batch(self.grid.lengths)).T)

    @cached_property
    def smoothed(self) -> np.ndarray:
        """Probability of each phase given all rows of the customer, shape (R, K)."""
        return np.asarray(self._law.posterior(self.scores, _batch(self.grid.lengths)).probabilities.T)

    @cached_property
    def learnt(self) -> np.ndarray:
        """As `smoothed`, of the rows before the split, given these alone."""
        kept = np.ascontiguousarray(self.scores[:, self.grid.learnt])
        return np.asarray(self._law.posterior(kept, _batch(self.grid.learnt_lengths)).probabilities.T)

    @property
    def now(self) -> np.ndarray:
        """Probability of each phase in the last period, shape (H, K)."""
        return np.asarray(self.filtered[self.grid.offsets[1:] - 1])

    def ahead(self, n_periods: int = 1) -> np.ndarray:
        """Probability of each phase so many periods after the last one, shape (H, K)."""
        return np.array([self._law.forecast(belief, n_periods)[-1] for belief in self._filter.belief])

    @cached_property
    def mixes(self) -> np.ndarray:
        """Shares of the basket types in each phase, before the split, shape (K, F)."""
        early = self.rows[self.grid.learnt, 1:]
        everybody = early.sum(axis=0) / max(early.sum(), 1e-300)
        sums = self.learnt.T @ early + everybody  # a phase without visits leans on all
        return np.asarray(sums / sums.sum(axis=1, keepdims=True))

    def log_visits(self, visits: np.ndarray) -> np.ndarray:
        """Log probability of so many visits in each phase, shape (len(visits), K)."""
        part = self.model.components_["visits"]
        return np.asarray(part.log_prob(part.encode(visits[None].astype(float), Encoding(1))).T)

    def log_foreseen_visits(self, rows: np.ndarray) -> np.ndarray:
        """Log probability of the visits of rows given the rows before them."""
        with np.errstate(divide="ignore"):
            return np.asarray(
                logsumexp(self.log_visits(self.rows[rows, 0]) + np.log(self.foreseen[rows]), axis=1)
            )

    @property
    def _law(self) -> Any:
        return self.model._model().structure


def fit_phases(
    grid: Grid, rows: np.ndarray, design: Design, number: int, seed: int, *, tol: float = TOL
) -> Phases:
    """Fit a chain to the rows before the split.

    Parameters
    ----------
    grid : Grid
        Customers and periods.
    rows : ndarray, shape (R, 1 + F)
        Visits, and visits of each basket type.
    design : Design
        By what phases differ.
    number : int
        K.
    seed : int
        Of the start.
    tol : float
        Nats per row that may remain to be gained.

    Returns
    -------
    Phases
        The phase of most visits first.
    """
    model: Any = HMM(
        Product(design.blocks(rows.shape[1] - 1)), number, tol=tol, max_iter=MAX_ITER, random_state=seed
    )
    model.fit(design.rows(rows)[grid.learnt], grid.learnt_lengths)
    order = np.argsort(-np.asarray(model.components_["visits"].mean).ravel(), kind="stable")
    model._components = model._components.take(order)
    model._structure = model._structure.take(order)
    return Phases(model, design, rows, grid)


def with_own_moves(phases: Phases) -> Phases:
    """The same phases, learnt on with chances of moving for each customer, shrunk to those of all.

    Parameters
    ----------
    phases : Phases
        With moves in common.

    Returns
    -------
    Phases
        Its `moves` are those of the population.
    """
    start, moves = np.maximum(phases.start, TINY), np.maximum(phases.moves, TINY)
    model: Any = HMM(
        phases.model.components_,
        phases.n_phases,
        startprob=start / start.sum(),
        transmat=moves / moves.sum(axis=1, keepdims=True),
        chain=GroupedChain(),
        tol=TOL,
        max_iter=MAX_ITER_OWN,
    )
    grid = phases.grid
    model.fit(phases.design.rows(phases.rows)[grid.learnt], grid.learnt_lengths)
    return Phases(model, phases.design, phases.rows, grid)


def _batch(lengths: np.ndarray) -> Batch:
    """Sequences of these lengths, all alike."""
    return Batch(None, np.ones(int(lengths.sum())), np.concatenate([[0], np.cumsum(lengths)]))
