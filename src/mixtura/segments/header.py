"""The beginning that missions.json and segments.json share, and the words for a choice."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from mixtura.segments.baskets import Baskets, one_time
from mixtura.segments.sweep import Level, Sweep

__all__ = ["choice", "header"]


def header(
    baskets: Baskets, n_train: int, *, command: Mapping[str, Any], version: str, notes: list[str]
) -> dict[str, Any]:
    """What was read, how, and what of it was used.

    Parameters
    ----------
    baskets : Baskets
        All baskets.
    n_train : int
        How many the models were fitted to.
    command : Mapping
        Options of the run.
    version : str
        Version of mixtura.
    notes : list of str
        What a reader should know.

    Returns
    -------
    dict
        Plain values.
    """
    lines = np.asarray(baskets.counts[:n_train].sum(axis=0), dtype=float).ravel()
    return {
        "mixtura_version": version,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": dict(command),
        "columns": {
            role: {"name": column.name, "table": column.table, "guessed": column.guessed}
            for role, column in baskets.columns.items()
        },
        "data": _data(baskets, n_train),
        "categories": [str(name) for name in baskets.categories],
        "category_share": lines / lines.sum(),
        "notes": [*baskets.notes, *notes],
    }


def _data(baskets: Baskets, n_train: int) -> dict[str, Any]:
    later = baskets.customers[n_train:]
    unseen = ~np.isin(later, baskets.customers[:n_train])
    return {
        "source": baskets.source,
        "items_source": baskets.items_source,
        "filter": baskets.where,
        "value": baskets.value,
        "amount_column": baskets.amount_column,
        "customers_source": baskets.customers_source,
        "item_level": ", ".join(baskets.levels),
        "item_levels": baskets.item_levels(),
        "n_rare_items": baskets.n_rare_items,
        "total_amount": None if baskets.amounts is None else float(baskets.amounts.sum()),
        "n_lines": baskets.n_lines,
        "n_lines_used": baskets.n_lines_used,
        "n_baskets": baskets.n_baskets,
        "n_customers": baskets.n_customers,
        "n_categories": baskets.n_categories,
        "n_nonzero": baskets.n_nonzero,
        "first_time": one_time(baskets.times[0]),
        "last_time": one_time(baskets.times[-1]),
        "split_time": one_time(baskets.times[n_train]) if n_train < baskets.n_baskets else None,
        "n_train_baskets": n_train,
        "n_test_baskets": baskets.n_baskets - n_train,
        "n_test_baskets_unseen_customer": int(unseen.sum()),
        "n_unseen_customers": len(np.unique(later[unseen])),
        "dropped": [{"reason": entry.reason, "n_lines": entry.n_lines} for entry in baskets.dropped],
    }


def choice(sweep: Sweep, criterion: str, level: Level) -> dict[str, Any]:
    """How the number of missions or segments came about, with a sentence.

    Parameters
    ----------
    sweep : Sweep
        What was tried.
    criterion : str
        By which it was chosen.
    level : Level
        What was looked for.

    Returns
    -------
    dict
        The part "choice" of the results.
    """
    tried = [row["n_components"] for row in sweep.rows]
    chosen, noun = tried[sweep.best], level.noun
    if sweep.sentence is not None:
        return {
            "criterion": sweep.criterion or criterion,
            "n_components": chosen,
            "at_edge": sweep.at_edge,
            "sentence": sweep.sentence,
        }
    counted = f"{chosen} {noun if chosen != 1 else noun[:-1]}"
    if len(tried) == 1 and not sweep.interrupted:
        sentence = f"{counted}, as asked for"
        return {"criterion": "given", "n_components": chosen, "at_edge": False, "sentence": sentence}
    if len(tried) == 1:
        sentence = f"{counted}; the sweep was interrupted, so no other number was tried"
        return {"criterion": criterion, "n_components": chosen, "at_edge": False, "sentence": sentence}
    sentence = f"{criterion.upper()} is lowest at {counted}"
    sentence += f" (tried {len(tried)} sizes, {tried[0]} to {tried[-1]})"
    if sweep.interrupted:
        sentence += "; the sweep was interrupted, so others were not tried"
    elif sweep.at_edge:
        edge, more = ("largest", "more") if chosen == tried[-1] else ("smallest", "fewer")
        sentence += f"; this is the {edge} tried, so {more} {noun} may be better still"
    return {
        "criterion": criterion,
        "n_components": chosen,
        "at_edge": sweep.at_edge,
        "sentence": sentence,
    }
