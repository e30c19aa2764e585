"""What was learnt, checked and put into words: the content of the two JSON files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse

from mixtura.segments import naming
from mixtura.segments.assemble import assemble
from mixtura.segments.assemble_segments import assemble_segments
from mixtura.segments.associations import associations
from mixtura.segments.customers import SegmentFit
from mixtura.segments.demographics import demographics
from mixtura.segments.evaluation import held_out
from mixtura.segments.find import Job
from mixtura.segments.households import MissionFit
from mixtura.segments.migration import migration
from mixtura.segments.previous import Previous, previous_labels
from mixtura.segments.rivals import rivals
from mixtura.segments.sample import customer_sample
from mixtura.segments.stability import stability
from mixtura.segments.sweep import quiet
from mixtura.segments.tables import chunks, customer_table, mission_content, per_customer
from mixtura.segments.timeline import flows, timeline
from mixtura.segments.totals import Totals, probabilities
from mixtura.selection import SegmentTree

__all__ = ["tell_missions", "tell_segments"]

LEAST_TREE = 3  # components from which on groups of them say something
SEGMENT_STARTS = 3  # of a replicate: customers are few, so the best of several starts costs little


def tell_missions(job: Job, fit: MissionFit, totals: Totals, head: Mapping[str, Any]) -> dict[str, Any]:
    """The content of missions.json.

    Parameters
    ----------
    job : Job
        The data and the settings.
    fit : MissionFit
        The mixtures.
    totals : Totals
        Sums over the baskets.
    head : Mapping
        The common beginning.

    Returns
    -------
    dict
        Plain values.
    """
    baskets, n_train = job.baskets, job.n_train
    owners = baskets.customers[:n_train]
    content = mission_content(fit.household, baskets, n_train)
    job.report("trust", 0, 1, "profiles and their groups")
    parts: dict[str, Any] = {
        "tree": _tree(
            fit.population, job.train, lambda labels: _names_of_groups(content, labels, head["categories"])
        ),
        "timeline": timeline(
            baskets.times, (resp for _, resp in probabilities(fit.household, baskets, baskets.n_baskets))
        ),
        "associations": _numbered_pairs(
            associations(job.train, owners, fit.probabilities(baskets), head["categories"], seed=job.seed),
            fit.roster.numbers,
        ),
        "rivals": None,
        "stability": None,
        "refresh": None,
    }
    with quiet():
        if job.rivals:
            parts["rivals"] = rivals(
                baskets.counts,
                baskets.customers,
                n_train,
                fit.population,
                fit.household,
                seed=job.seed,
                report=job.checking,
            )
        if job.bootstrap:
            parts["stability"] = _numbered(
                stability(
                    fit.population,
                    job.train,
                    owners,
                    n_replicates=job.bootstrap,
                    seed=job.seed,
                    report=job.checking,
                ),
                fit.roster.numbers,
            )
    compared = held_out(
        fit.population, fit.unshrunk, fit.household, baskets.counts[n_train:], baskets.customers[n_train:]
    )
    found = assemble(
        fit, baskets, n_train, head=head, content=content, totals=totals, held_out=compared, parts=parts
    )
    if fit.roster.refresh is not None and job.previous is not None:
        table = customer_table(fit, None, baskets, n_train)
        moved = _moved(job.previous, "missions", (table["customer"], table["dominant_mission"]), found)
        found["refresh"] = {**fit.roster.refresh, "migration": moved}
    return found


def tell_segments(
    job: Job,
    fit: SegmentFit,
    missions: MissionFit | None,
    head: Mapping[str, Any],
) -> dict[str, Any]:
    """The content of segments.json.

    Parameters
    ----------
    job : Job
        The data and the settings.
    fit : SegmentFit
        The mixture of customers.
    missions : MissionFit or None
        The mixtures of baskets.
    head : Mapping
        The common beginning.

    Returns
    -------
    dict
        Plain values.
    """
    baskets, n_train = job.baskets, job.n_train
    n_customers = len(fit.customers)
    index = np.searchsorted(fit.customers, baskets.customers)
    n_baskets = np.bincount(index[:n_train], minlength=n_customers)
    amounts = None
    if baskets.amounts is not None:
        amounts = np.bincount(index[:n_train], weights=baskets.amounts[:n_train], minlength=n_customers)
    known = np.flatnonzero(n_baskets > 0)
    resp = fit.resp[known]
    bought = sparse.csr_array(per_customer(job.train, index[:n_train], n_customers))[known]
    rows = fit.counts[known]
    features = naming.content(sparse.csr_array(rows), resp)
    job.report("trust", 0, 1, "segments over time")
    parts: dict[str, Any] = {
        "tree": _tree(fit.model, rows, lambda labels: _names_of_groups(features, labels, fit.features)),
        "timeline": timeline(baskets.times, (fit.resp[index[block]] for block in chunks(baskets.n_baskets))),
        "stability": None,
        "refresh": None,
        "customers": None,
        "demographics": None,
    }
    with quiet():
        if job.bootstrap:
            parts["stability"] = _numbered(
                stability(fit.model, rows, n_replicates=job.bootstrap, seed=job.seed, report=job.checking),
                fit.roster.numbers,
            )
    notes: list[str] = []
    if baskets.customer_table is not None:
        table = {name: values[known] for name, values in baskets.customer_table.items()}
        parts["demographics"], notes = demographics(table, resp, fit.roster.numbers)
    if not job.anonymous:
        parts["customers"] = customer_sample(fit, missions, baskets, n_train, seed=job.seed)
    found = assemble_segments(
        fit,
        head={**head, "notes": [*head["notes"], *notes]},
        features=features,
        categories=naming.content(bought, resp),
        n_baskets=n_baskets,
        amounts=amounts,
        parts=parts,
    )
    names = [segment["name"] for segment in found["segments"]]
    if fit.over == "missions" and missions is not None:
        blocks = (part for _, part in probabilities(missions.household, baskets, baskets.n_baskets))
    else:
        blocks = (baskets.counts[block] for block in chunks(baskets.n_baskets))
    found["flows"] = flows(baskets.times, baskets.customers, blocks, fit.model.predict, names)
    if fit.roster.refresh is not None and job.previous is not None:
        moved = _moved(job.previous, "segments", (fit.customers, fit.numbers[fit.labels]), found)
        found["refresh"] = {**fit.roster.refresh, "migration": moved}
    return found


def _tree(model: Any, rows: Any, names: Any) -> dict[str, Any] | None:
    """Which components belong together."""
    if len(model.weights_) < LEAST_TREE:
        return None
    return SegmentTree(model).fit(rows).to_dict(names=names)


def _names_of_groups(content: naming.Content, labels: np.ndarray, columns: list[str]) -> list[str]:
    """Names of groups of components by what they hold together."""
    lines = np.zeros((labels.max() + 1, content.lines.shape[1]))
    np.add.at(lines, labels, content.lines)
    return naming.names(replace(content, lines=lines), columns)


def _numbered(found: dict[str, Any] | None, numbers: list[int]) -> dict[str, Any] | None:
    """The stability with the numbers of the components in place of their positions."""
    if found is None:
        return None
    items = [{**item, "number": number} for item, number in zip(found["items"], numbers, strict=True)]
    return {**found, "items": items}


def _numbered_pairs(pairs: list[dict[str, Any]], numbers: list[int]) -> list[dict[str, Any]]:
    """Pairs with the numbers of the missions in place of their positions from 1; 0 stays: all baskets."""
    return [{**pair, "mission": pair["mission"] and numbers[pair["mission"] - 1]} for pair in pairs]


def _moved(
    previous: Previous, level: str, after: tuple[np.ndarray, np.ndarray], found: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Where customers went since the previous results; None where that cannot be told."""
    before = previous_labels(previous, level)
    if before is None:
        return None
    return migration(before, after, previous.components(level), found[level])
