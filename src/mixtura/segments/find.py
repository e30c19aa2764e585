"""The two levels of a run: what is learnt from baskets and from customers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from mixtura.models import MultinomialMixture
from mixtura.segments.baskets import Baskets
from mixtura.segments.continuing import continued_sweep
from mixtura.segments.customers import SegmentFit, find_segments
from mixtura.segments.households import MissionFit, households
from mixtura.segments.inferring import Inference, inferred_missions
from mixtura.segments.previous import Previous
from mixtura.segments.sweep import MISSIONS, Report, schedule, sweep
from mixtura.segments.tables import per_customer
from mixtura.segments.totals import Totals

__all__ = ["Job", "find_missions", "segments_of_customers"]


@dataclass(frozen=True)
class Job:
    """What the two levels share.

    Parameters
    ----------
    baskets : Baskets
        All baskets.
    n_train : int
        How many are before the split.
    criterion : str
        Chooses the numbers.
    seed : int
        Of everything.
    bootstrap : int
        Replicates for the stability; 0 for none.
    rivals : bool
        Whether simpler methods are compared.
    anonymous : bool
        Whether single customers are left out of the results for the report.
    previous, earlier : Previous or None
        Results to go on from, or to replace.
    report : callable
        ``report(stage, done, total, text)``.
    inference : Inference, optional
        Infer the numbers: a Bayesian run.
    """

    baskets: Baskets
    n_train: int
    criterion: str
    seed: int
    bootstrap: int
    rivals: bool
    anonymous: bool
    previous: Previous | None
    earlier: Previous | None
    report: Report
    inference: Inference | None = None

    @property
    def train(self) -> sparse.csr_array:
        """Counts before the split."""
        return self.baskets.counts[: self.n_train]

    def checking(self, stage: str, done: int, total: int, text: str) -> None:
        """Progress of a check."""
        self.report("trust", done, total, f"{stage}: {text}")


def find_missions(job: Job, numbers: int | Iterable[int] | None) -> MissionFit:
    """Learn the missions and every household's mix of them.

    Parameters
    ----------
    job : Job
        The data and the settings.
    numbers : int, iterable of int, or None
        Given by the user.

    Returns
    -------
    MissionFit
        Fitted models.
    """
    options: dict[str, Any]
    if job.inference is not None:
        owners, most = job.baskets.customers[: job.n_train], job.inference.most["missions"]
        tried, search = inferred_missions(job.train, owners, numbers, most, job.seed, job.report)
        options = {"previous": job.previous, "earlier": job.earlier, "search": search}
        return households(job.baskets, job.n_train, tried, job.report, **options)
    later = job.baskets.counts[job.n_train :]
    estimator = MultinomialMixture(random_state=job.seed)
    options = {"level": MISSIONS, "criterion": job.criterion, "report": job.report}
    if job.previous is not None and job.previous.has("missions"):
        categories = [str(name) for name in job.baskets.categories]
        tried = continued_sweep(
            estimator,
            job.train,
            later,
            job.previous,
            categories,
            numbers,
            start=lambda weights, profiles, _: {"weights_init": weights, "profiles_init": profiles},
            **options,
        )
    else:
        tried = sweep(
            estimator,
            job.train,
            later,
            schedule(numbers, job.n_train),
            stop_when_turned=numbers is None,
            **options,
        )
    return households(job.baskets, job.n_train, tried, job.report, previous=job.previous, earlier=job.earlier)


def segments_of_customers(
    job: Job, numbers: int | Iterable[int] | None, missions: MissionFit | None, totals: Totals | None
) -> SegmentFit:
    """Learn the segments: over the missions where there are some, else over the categories.

    Parameters
    ----------
    job : Job
        The data and the settings.
    numbers : int, iterable of int, or None
        Given by the user.
    missions : MissionFit or None
        The mixtures of baskets.
    totals : Totals or None
        With the expected missions of every customer.

    Returns
    -------
    SegmentFit
        Fitted model, and probabilities of all customers.
    """
    options: dict[str, Any] = {
        "numbers": numbers,
        "criterion": job.criterion,
        "seed": job.seed,
        "report": job.report,
        "previous": job.previous,
        "earlier": job.earlier,
        "most": None if job.inference is None else job.inference.most["segments"],
    }
    if missions is not None and totals is not None:
        names = [f"mission {number}" for number in missions.roster.numbers]
        return find_segments(
            totals.missions,
            totals.customers,
            names,
            over="missions",
            identities=missions.roster.identities,
            **options,
        )
    customers, index = np.unique(job.baskets.customers, return_inverse=True)
    counts = per_customer(job.train, index[: job.n_train], len(customers))
    names = [str(name) for name in job.baskets.categories]
    return find_segments(
        sparse.csr_array(counts), customers, names, over="categories", identities=names, **options
    )
