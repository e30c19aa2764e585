"""Weights per household: mixtures that start at the chosen one of all baskets, and what to say about them."""

from __future__ import annotations

import time as clock
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mixtura.models import GroupedMultinomialMixture
from mixtura.segments import tables
from mixtura.segments.baskets import Baskets
from mixtura.segments.continuing import Roster, roster
from mixtura.segments.inferring import Search
from mixtura.segments.previous import Previous
from mixtura.segments.sweep import MISSIONS, Report, Sweep, quiet

__all__ = ["MissionFit", "household_notes", "households"]

# The model without shrinkage as it was published; it only serves to compare, and more steps overfit it more.
PUBLISHED_STEPS = 100


@dataclass(frozen=True)
class MissionFit:
    """The mixtures of baskets; components are in the order of the missions.

    Parameters
    ----------
    sweep : Sweep
        What was tried.
    population : MultinomialMixture
        The chosen one: one set of weights for everybody.
    household : GroupedMultinomialMixture
        Weights of each household, shrunk to the population as far as the data ask for it.
    unshrunk : GroupedMultinomialMixture
        Weights of each household from its own baskets alone.
    seconds : float
        Time of the fits of households.
    roster : Roster
        Numbers and names of the missions.
    search : Search, optional
        How their number was inferred, in a Bayesian run.
    """

    sweep: Sweep
    population: Any
    household: Any
    unshrunk: Any
    seconds: float
    roster: Roster
    search: Search | None = None

    @property
    def numbers(self) -> np.ndarray:
        """Number of each mission, in the order of the components."""
        return np.asarray(self.roster.numbers)

    def probabilities(self, baskets: Baskets) -> Callable[[np.ndarray], np.ndarray]:
        """A function from row numbers of baskets to the probabilities of their missions."""
        return lambda rows: np.asarray(
            self.household.predict_proba(baskets.counts[rows], groups=baskets.customers[rows])
        )

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended any of the fits."""
        reasons = {self.household.stop_reason_, self.unshrunk.stop_reason_}
        return self.sweep.interrupted or "interrupted" in reasons


def households(
    baskets: Baskets,
    n_train: int,
    tried: Sweep,
    report: Report,
    *,
    previous: Previous | None = None,
    earlier: Previous | None = None,
    search: Search | None = None,
) -> MissionFit:
    """Fit weights per household, from the chosen global mixture as the start.

    Parameters
    ----------
    baskets : Baskets
        All baskets.
    n_train : int
        How many are before the split.
    tried : Sweep
        The global mixtures.
    report : callable
        ``report(stage, done, total, text)``.
    previous, earlier : Previous, optional
        Results to go on from, or to replace.
    search : Search, optional
        With the Bayesian mixture, which then takes the place of a fit.

    Returns
    -------
    MissionFit
        Missions in order of size, or in that of `previous`.
    """
    train, customers = baskets.counts[:n_train], baskets.customers[:n_train]
    begun = clock.perf_counter()
    with quiet():
        report("households", 0, 2, "weights per customer")
        if search is not None:
            household = search.household
        else:
            household = _grouped(tried, "learn").fit(train, groups=customers)
        report("households", 1, 2, "weights without shrinkage, to compare")
        unshrunk = _grouped(tried, 0.0).set_params(max_iter=PUBLISHED_STEPS).fit(train, groups=customers)
        report("households", 2, 2, f"{len(household.groups_):,} customers")
    size = sum(
        household.predict_proba(train[rows], groups=customers[rows]).sum(axis=0)
        for rows in tables.chunks(n_train)
    )
    found = roster(
        MISSIONS,
        size,
        household.profiles_,
        [str(name) for name in baskets.categories],
        previous=previous,
        earlier=earlier,
    )
    for model in (household, unshrunk, tried.model):
        tables.reorder(model, found.order)
    return MissionFit(tried, tried.model, household, unshrunk, clock.perf_counter() - begun, found, search)


def _grouped(tried: Sweep, concentration: str | float) -> GroupedMultinomialMixture:
    """A household mixture that starts at the chosen global one."""
    chosen = tried.model
    return GroupedMultinomialMixture(
        len(chosen.weights_),
        concentration=concentration,
        weights_init=chosen.weights_,
        profiles_init=chosen.profiles_,
        random_state=0,
    )


def household_notes(baskets: Baskets, n_train: int, fit: MissionFit) -> list[str]:
    """What a reader should know beyond the numbers.

    Parameters
    ----------
    baskets : Baskets
        All baskets.
    n_train : int
        How many are before the split.
    fit : MissionFit
        The mixtures.

    Returns
    -------
    list of str
        Sentences.
    """
    notes = []
    later = baskets.customers[n_train:]
    unseen = later[~np.isin(later, fit.household.groups_)]
    if len(unseen):
        notes.append(
            f"{len(np.unique(unseen)):,} customers appear only after the split; their {len(unseen):,} "
            "baskets are scored "
            "with the population's weights and left out of the comparison of predictions."
        )
    if fit.household.stop_reason_ == "max_iter":
        notes.append(
            f"The weights per customer had not fully converged after {fit.household.n_iter_:,} passes over the "
            "data."
        )
    return notes
