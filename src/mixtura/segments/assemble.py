"""The content of missions.json, which other programs and the report read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import sparse

from mixtura.segments import naming
from mixtura.segments.baskets import Baskets
from mixtura.segments.header import choice
from mixtura.segments.households import MissionFit
from mixtura.segments.sureness import sure_missions, with_intervals
from mixtura.segments.sweep import MISSIONS
from mixtura.segments.tables import ROWS, nearest
from mixtura.segments.totals import Totals

__all__ = ["SCHEMA", "assemble"]

SCHEMA = "mixtura-missions/2"
N_EXAMPLES = 3


def assemble(
    fit: MissionFit,
    baskets: Baskets,
    n_train: int,
    *,
    head: Mapping[str, Any],
    content: naming.Content,
    totals: Totals,
    held_out: Mapping[str, Any] | None,
    parts: Mapping[str, Any],
) -> dict[str, Any]:
    """Build the content of missions.json.

    Parameters
    ----------
    fit : MissionFit
        The mixtures, components in the order of the missions.
    baskets : Baskets
        All baskets.
    n_train : int
        How many are before the split.
    head : Mapping
        The common beginning.
    content : Content
        Expected counts of every mission.
    totals : Totals
        Other sums over the baskets.
    held_out : Mapping or None
        The comparison of predictions.
    parts : Mapping
        Further parts of the results: "tree", "stability", "refresh" and so on.

    Returns
    -------
    dict
        Plain values.
    """
    names, automatic, notes = fit.roster.namer(naming.names(content, baskets.categories.tolist()))
    cards = _cards(fit, baskets, n_train, content, totals)
    for card, name, auto in zip(cards, names, automatic, strict=True):
        card |= {"name": name, "auto_name": auto}
    criteria = [{**row, "chosen": index == fit.sweep.best} for index, row in enumerate(fit.sweep.rows)]
    return {
        "schema": SCHEMA,
        **head,
        "notes": [*head["notes"], *notes],
        "criteria": criteria,
        "choice": choice(fit.sweep, head["command"]["criterion"], MISSIONS),
        "held_out": held_out,
        "missions": cards,
        "certainty": totals.certainty.as_dict(),
        **parts,
        **({} if fit.search is None else {"bayes": _sure(fit, cards, totals, content, head)}),
    }


def _sure(
    fit: MissionFit,
    cards: Sequence[dict[str, Any]],
    totals: Totals,
    content: naming.Content,
    head: Mapping[str, Any],
) -> dict[str, Any]:
    """How sure a Bayesian run is."""
    sizes = content.baskets / content.baskets.sum()
    part = sure_missions(fit, totals.assigned, sizes, [card["top"] for card in cards], head["categories"])
    return with_intervals(part, cards)


def _cards(
    fit: MissionFit, baskets: Baskets, n_train: int, found: naming.Content, totals: Totals
) -> list[dict[str, Any]]:
    """The missions, in their order."""
    model, numbers = fit.household, fit.roster.numbers
    categories = baskets.categories.tolist()
    tops, avoided = naming.top(found, categories), naming.avoided(found, categories)
    near = nearest(model.profiles_, categories, "category", numbers)
    examples = _examples(model, baskets, n_train, found)
    dominant = np.bincount(model.group_weights_.argmax(axis=1), minlength=len(numbers))
    have = totals.missions.sum(axis=1) > 0
    # A customer has a mission if at least one basket of it is expected.
    reach = (totals.missions[have] >= 1.0).mean(axis=0)
    amount = [None] * len(numbers) if totals.amount is None else totals.amount.tolist()
    share_amount = _shares(amount)
    return [
        {
            "number": numbers[k],
            "weight": float(found.baskets[k] / found.baskets.sum()),
            "n_baskets": float(found.baskets[k]),
            "n_customers_dominant": int(dominant[k]),
            "share_customers": float(reach[k]),
            "amount": amount[k],
            "share_amount": share_amount[k],
            "mean_lines": float(found.lines[k].sum() / max(found.baskets[k], 1e-300)),
            "certainty": totals.certainty.means[k],
            "profile": model.profiles_[k],
            "top": tops[k],
            "avoided": avoided[k],
            "nearest": near[k],
            "examples": examples[k],
            "previous": fit.roster.previous[k],
        }
        for k in range(len(numbers))
    ]


def _shares(amounts: Sequence[float | None]) -> list[float | None]:
    """Parts of the whole; None where there is no money."""
    total = sum(amount or 0.0 for amount in amounts)
    return [None if amount is None or total <= 0 else amount / total for amount in amounts]


def _examples(
    model: Any, baskets: Baskets, n_train: int, found: naming.Content
) -> list[list[dict[str, float]]]:
    """A few real baskets of ordinary length per mission, the most certain ones, without repeats."""
    rows = slice(0, min(n_train, ROWS))
    counts = baskets.counts[rows]
    resp = model.predict_proba(counts, groups=baskets.customers[rows])
    size = counts.sum(axis=1)
    mean = found.lines.sum(axis=1) / np.maximum(found.baskets, 1e-300)
    mission = resp.argmax(axis=1)
    result: list[list[dict[str, float]]] = []
    for k in range(resp.shape[1]):
        mine = np.flatnonzero((mission == k) & (size >= min(2, mean[k])) & (size <= 1.5 * mean[k] + 1))
        shown: list[dict[str, float]] = []
        for row in mine[np.argsort(-resp[mine, k], kind="stable")]:
            example = _bought(counts, int(row), baskets.categories)
            if example not in shown:
                shown.append(example)
            if len(shown) == N_EXAMPLES:
                break
        result.append(shown)
    return result


def _bought(counts: sparse.csr_array, row: int, categories: np.ndarray) -> dict[str, float]:
    span = slice(counts.indptr[row], counts.indptr[row + 1])
    entries = zip(counts.indices[span], counts.data[span], strict=True)
    return {
        str(categories[c]): _short(n) for c, n in sorted(entries, key=lambda entry: (-entry[1], entry[0]))
    }


def _short(number: Any) -> float:
    """A count as it is, a fraction in hundredths."""
    value = float(number)
    return int(value) if value.is_integer() else round(value, 2)
