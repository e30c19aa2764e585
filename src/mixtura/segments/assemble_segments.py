"""The content of segments.json: who the customers are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mixtura.segments import naming
from mixtura.segments.customers import SegmentFit
from mixtura.segments.header import choice
from mixtura.segments.sureness import sure_segments, with_intervals
from mixtura.segments.sweep import SEGMENTS
from mixtura.segments.tables import nearest
from mixtura.segments.totals import certainty

__all__ = ["SCHEMA", "assemble_segments"]

SCHEMA = "mixtura-segments/1"
LEAST_LIFT = 1.05
N_NAMED = 2


def assemble_segments(
    fit: SegmentFit,
    *,
    head: Mapping[str, Any],
    features: naming.Content,
    categories: naming.Content,
    n_baskets: np.ndarray,
    amounts: np.ndarray | None,
    parts: Mapping[str, Any],
) -> dict[str, Any]:
    """Build the content of segments.json.

    Parameters
    ----------
    fit : SegmentFit
        The mixture of customers, components in the order of the segments.
    head : Mapping
        The common beginning.
    features, categories : Content
        Expected counts of every segment: over what the segments were learnt from, and over categories.
    n_baskets : ndarray, shape (H,)
        Baskets of each customer before the split.
    amounts : ndarray, shape (H,), or None
        Money of each customer before the split.
    parts : Mapping
        Further parts of the results: "tree", "stability", "customers" and so on.

    Returns
    -------
    dict
        Plain values.
    """
    cards = _cards(fit, features, categories, head["categories"], n_baskets, amounts)
    names, automatic, notes = fit.roster.namer([_name(card["top_categories"]) for card in cards])
    for card, name, auto in zip(cards, names, automatic, strict=True):
        card |= {"name": name, "auto_name": auto}
    total = np.asarray(features.lines.sum(axis=0))
    return {
        "schema": SCHEMA,
        **head,
        "notes": [*head["notes"], *notes],
        "over": fit.over,
        "features": fit.features,
        "feature_share": total / total.sum(),
        "criteria": [{**row, "chosen": index == fit.sweep.best} for index, row in enumerate(fit.sweep.rows)],
        "choice": choice(fit.sweep, head["command"]["criterion"], SEGMENTS),
        "overdispersion": _overdispersion(fit, head["command"]["criterion"]),
        "segments": cards,
        "certainty": certainty(fit.resp[n_baskets > 0]).as_dict(),
        **parts,
        **({} if fit.search is None else {"bayes": _sure(fit, cards, n_baskets > 0)}),
    }


def _sure(fit: SegmentFit, cards: Sequence[dict[str, Any]], known: np.ndarray) -> dict[str, Any]:
    """How sure a Bayesian run is."""
    return with_intervals(sure_segments(fit, known, [card["top"] for card in cards]), cards)


def _name(top: Sequence[Mapping[str, Any]]) -> str:
    """A segment's name: what its customers buy more of than others, beyond chance.

    Customers differ less than baskets do, so lower lifts than those of missions tell segments apart. Where too few
    customers leave nothing beyond chance, lifts that would name a mission do: a name is no statement.
    """
    telling = [
        entry["category"]
        for entry in top
        if entry["lift"] >= LEAST_LIFT and (entry["lift_low"] is None or entry["lift_low"] > 1)
    ] or [entry["category"] for entry in top if entry["lift"] >= naming.MIN_LIFT]
    return naming.joined(telling[:N_NAMED]) if telling else "A bit of everything"


def _overdispersion(fit: SegmentFit, criterion: str) -> dict[str, Any] | None:
    """How many segments there would be if customers of one segment differed by chance alone."""
    if fit.without is None or fit.without.interrupted:
        return None
    rows = fit.without.rows
    return {
        "concentration": fit.model.concentration_,
        "multinomial": {
            "criteria": [{**row, "chosen": index == fit.without.best} for index, row in enumerate(rows)],
            "n_components": rows[fit.without.best]["n_components"],
            "at_edge": fit.without.at_edge,
            "criterion": criterion,
        },
    }


def _cards(
    fit: SegmentFit,
    features: naming.Content,
    categories: naming.Content,
    category_names: Sequence[str],
    n_baskets: np.ndarray,
    amounts: np.ndarray | None,
) -> list[dict[str, Any]]:
    """The segments, in their order."""
    known, numbers = n_baskets > 0, fit.roster.numbers
    resp = fit.resp[known]
    customers = resp.sum(axis=0)
    baskets = n_baskets[known] @ resp
    amount = None if amounts is None else amounts[known] @ resp
    sure = certainty(resp)
    profiles = features.lines / np.maximum(features.lines.sum(axis=1, keepdims=True), 1e-300)
    near = nearest(profiles, fit.features, "feature", numbers)
    tops = [[_feature(entry) for entry in entries] for entries in naming.top(features, fit.features)]
    top_categories = naming.top(categories, category_names)
    avoided = naming.avoided(categories, category_names)
    return [
        {
            "number": numbers[s],
            "weight": float(customers[s] / customers.sum()),
            "n_customers": float(customers[s]),
            "n_customers_assigned": int(sure.n_rows[s]),
            "n_baskets": float(baskets[s]),
            "share_baskets": float(baskets[s] / baskets.sum()),
            "baskets_per_customer": float(baskets[s] / max(customers[s], 1e-300)),
            "amount": None if amount is None else float(amount[s]),
            "share_amount": None if amount is None or amount.sum() <= 0 else float(amount[s] / amount.sum()),
            "amount_per_customer": None if amount is None else float(amount[s] / max(customers[s], 1e-300)),
            "certainty": sure.means[s],
            "concentration": float(fit.model.concentration_[s]),
            "profile": profiles[s],
            "top": tops[s],
            "top_categories": top_categories[s],
            "avoided": avoided[s],
            "nearest": near[s],
            "previous": fit.roster.previous[s],
        }
        for s in range(len(numbers))
    ]


def _feature(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry of `naming.top` whose column is a feature."""
    return {"feature": entry["category"], **{key: value for key, value in entry.items() if key != "category"}}
