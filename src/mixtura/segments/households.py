"""Weights per household: three models of one start, their predictions compared, and what to say about them."""

from __future__ import annotations

import time as clock
from collections.abc import Callable
from typing import Any

import numpy as np

from mixtura.models import GroupedMultinomialMixture
from mixtura.segments import tables
from mixtura.segments.assemble import assemble
from mixtura.segments.baskets import Baskets
from mixtura.segments.evaluation import held_out
from mixtura.segments.result import Segmentation
from mixtura.segments.sweep import Sweep, quiet

__all__ = ["households"]

# The model without shrinkage as it was published; it only serves to compare, and more steps overfit it more.
PUBLISHED_STEPS = 100

Report = Callable[[str, int, int, str], None]


def households(
    baskets: Baskets, n_train: int, tried: Sweep, command: dict[str, Any], report: Report
) -> Segmentation:
    """Fit weights per household, from the chosen global mixture as the start, and see how well they predict.

    Parameters
    ----------
    baskets : Baskets
        All baskets.
    n_train : int
        How many are before the split.
    tried : Sweep
        The global mixtures.
    command : dict
        Options of the run; the seconds spent here are added.
    report : callable
        ``report(stage, done, total, text)``.

    Returns
    -------
    Segmentation
        Everything but the files.
    """
    from mixtura import __version__

    train, customers = baskets.counts[:n_train], baskets.customers[:n_train]
    begun = clock.perf_counter()
    with quiet():
        report("households", 0, 2, "weights per customer")
        household = _grouped(tried, "learn").fit(train, groups=customers)
        report("households", 1, 2, "weights without shrinkage, to compare")
        unshrunk = _grouped(tried, 0.0).set_params(max_iter=PUBLISHED_STEPS).fit(train, groups=customers)
        report("households", 2, 2, f"{len(household.groups_):,} customers")
    command["seconds_households"] = clock.perf_counter() - begun
    chosen = tried.model
    size = sum(
        household.predict_proba(train[rows], groups=customers[rows]).sum(axis=0)
        for rows in tables.chunks(n_train)
    )
    order = np.argsort(-size, kind="stable")
    for model in (household, chosen):
        tables.reorder(model, order)
    interrupted = tried.interrupted or "interrupted" in {household.stop_reason_, unshrunk.stop_reason_}
    missions = assemble(
        baskets,
        n_train,
        household,
        tried,
        held_out=held_out(chosen, unshrunk, household, baskets.counts[n_train:], baskets.customers[n_train:]),
        command=command,
        version=__version__,
        notes=_notes(baskets, n_train, household, interrupted=interrupted),
    )
    return Segmentation(missions, household, chosen, baskets, None, interrupted)


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


def _notes(baskets: Baskets, n_train: int, household: Any, *, interrupted: bool) -> list[str]:
    """What a reader should know beyond the numbers."""
    notes = []
    later = baskets.customers[n_train:]
    unseen = later[~np.isin(later, household.groups_)]
    if len(unseen):
        notes.append(
            f"{len(np.unique(unseen)):,} customers appear only after the split; their {len(unseen):,} "
            "baskets are scored "
            "with the population's weights and left out of the comparison of predictions."
        )
    if household.stop_reason_ == "max_iter":
        notes.append(
            f"The weights per customer had not fully converged after {household.n_iter_:,} passes over the "
            "data."
        )
    if interrupted:
        notes.append("The run was interrupted; these are the results so far.")
    guessed = [column for column in baskets.columns.values() if column.guessed]
    return notes + [
        f"The {guess.role.replace('_', ' ')} column was guessed: {guess.name}." for guess in guessed
    ]
