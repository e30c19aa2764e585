"""Who the customer is: a mixture of overdispersed counts over customers, each component a segment.

A customer's counts are the expected numbers of baskets of every mission, or the lines of every category. The
Dirichlet-multinomial lets customers of one segment differ among themselves, so that 400 baskets of one customer
are not 400 independent opinions; a multinomial mixture would need a new segment for every such difference.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mixtura.exceptions import InvalidDataError
from mixtura.models import DirichletMultinomialMixture, MultinomialMixture
from mixtura.segments.continuing import Roster, continued_sweep, roster
from mixtura.segments.inferring import Search, inferred_segments
from mixtura.segments.previous import Previous
from mixtura.segments.sweep import SEGMENTS, Report, Sweep, schedule, sweep
from mixtura.segments.tables import reorder

__all__ = ["SegmentFit", "find_segments", "refuse_few_customers"]

# Numbers tried without overdispersion: enough to see that it does not end where segments can be told to people. They
# only serve to compare, so each starts once, from k-means.
WITHOUT = (*range(1, 13), 15, 20, 25, 30, 40)


@dataclass(frozen=True)
class SegmentFit:
    """Segments of customers, and what they were learnt from.

    Parameters
    ----------
    model : DirichletMultinomialMixture
        Fitted, components in the order of the segments.
    sweep : Sweep
        What was tried.
    without : Sweep or None
        The same for multinomials, without overdispersion.
    over : str
        ``"missions"`` or ``"categories"``.
    features : list of str
        Names of the F columns.
    customers : ndarray, shape (H,)
        All customers, sorted.
    counts : ndarray or scipy.sparse.csr_array, shape (H, F)
        Counts of each before the split.
    resp : ndarray, shape (H, S)
        Probability of each segment.
    roster : Roster
        Numbers and names of the segments.
    search : Search, optional
        How their number was inferred, in a Bayesian run.
    """

    model: Any
    sweep: Sweep
    without: Sweep | None
    over: str
    features: list[str]
    customers: np.ndarray
    counts: Any
    resp: np.ndarray
    roster: Roster
    search: Search | None = None

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended one of the sweeps."""
        return self.sweep.interrupted or (self.without is not None and self.without.interrupted)

    @property
    def numbers(self) -> np.ndarray:
        """Number of each segment, in the order of the components."""
        return np.asarray(self.roster.numbers)

    @property
    def labels(self) -> np.ndarray:
        """Most probable segment of each customer, from 0."""
        return np.asarray(self.resp.argmax(axis=1))


def find_segments(
    counts: Any,
    customers: np.ndarray,
    features: Sequence[str],
    *,
    over: str,
    numbers: int | Iterable[int] | None,
    criterion: str,
    seed: int,
    report: Report,
    identities: Sequence[Hashable],
    previous: Previous | None = None,
    earlier: Previous | None = None,
    most: int | None = None,
) -> SegmentFit:
    """Learn segments of customers and their number.

    Parameters
    ----------
    counts : ndarray or scipy.sparse.csr_array, shape (H, F)
        Counts of each customer, whole or fractional; customers without any are left out of the fit, and get
        the segments' weights as probabilities.
    customers : ndarray, shape (H,)
        Identifiers.
    features : sequence of str
        Names of the columns.
    over : {"missions", "categories"}
        What the columns are.
    numbers : int, iterable of int, or None
        Given by the user; None stands for 1 to 12, 15, ... until the criterion turns.
    criterion : {"bic", "aic", "icl"}
        Lower is better.
    seed : int
        Seed of every fit.
    report : callable
        ``report(stage, done, total, text)``.
    identities : sequence, length F
        What the columns are in the earlier results: their numbers of missions, or names of categories.
    previous, earlier : Previous, optional
        Results to go on from, or to replace.
    most : int, optional
        The largest number, in a Bayesian run; None: no such run.

    Returns
    -------
    SegmentFit
        Segments in order of size, or in that of `previous`.

    Raises
    ------
    InvalidDataError
        If fewer than two customers have counts.
    InvalidParameterError
        If a number makes no sense.
    """
    known = np.flatnonzero(np.asarray(counts.sum(axis=1)).ravel() > 0)
    refuse_few_customers(len(known))
    rows = counts[known]
    estimator = DirichletMultinomialMixture(random_state=seed)
    options: dict[str, Any] = {"level": SEGMENTS, "criterion": criterion, "report": report}
    if previous is not None and previous.has("segments") and most is None:
        spread = np.array([entry["concentration"] for entry in previous.content("segments")["segments"]])
        found = continued_sweep(
            estimator,
            rows,
            None,
            previous,
            identities,
            numbers,
            start=lambda weights, profiles, kept: {
                "weights_init": weights,
                "alpha_init": profiles * spread[kept][:, None],
            },
            **options,
        )
    else:
        tried = schedule(numbers, len(known), SEGMENTS)
        if most is not None and numbers is None:
            tried = [*range(SEGMENTS.usual[0], min(most, len(known)) + 1)]
        found = sweep(estimator, rows, None, tried, stop_when_turned=numbers is None, **options)
    search = None
    if most is not None:
        found, search = inferred_segments(found, len(known), given=numbers is not None, most=max(tried))
    without = None
    if numbers is None and not found.interrupted:
        without = sweep(
            MultinomialMixture(random_state=seed, init_params="kmeans"),
            rows,
            None,
            [number for number in WITHOUT if number <= len(known)],
            level=SEGMENTS,
            criterion=criterion,
            stop_when_turned=True,
            report=_compared(report),
        )
    model = found.model
    listed = roster(
        SEGMENTS,
        model.predict_proba(rows).sum(axis=0),
        model.profiles_,
        identities,
        previous=previous,
        earlier=earlier,
    )
    reorder(model, listed.order)
    resp = np.tile(model.weights_, (len(customers), 1))
    resp[known] = model.predict_proba(rows)
    return SegmentFit(model, found, without, over, list(features), customers, counts, resp, listed, search)


def refuse_few_customers(n_customers: int) -> None:
    """Say that one customer makes no segments.

    Raises
    ------
    InvalidDataError
        If there are fewer than two.
    """
    if n_customers < 2:
        message = (
            f"{n_customers} customer has counts before the split, so there are no segments to find. Expected "
            "several customers; check the customer column, or look for missions alone (level='baskets', "
            "--level baskets)."
        )
        raise InvalidDataError(message)


def _compared(report: Report) -> Report:
    """Progress of the sweep that only serves to compare."""

    def shown(stage: str, _done: int, _total: int, text: str) -> None:
        report(stage, 1, 1, f"without overdispersion: {text}")

    return shown
