"""The content of missions.json, which other programs and the report read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
from scipy import sparse

from mixtura.segments import naming
from mixtura.segments.baskets import Baskets, one_time
from mixtura.segments.sweep import Sweep
from mixtura.segments.tables import ROWS, mission_content

__all__ = ["SCHEMA", "assemble", "choice"]

SCHEMA = "mixtura-missions/1"
N_EXAMPLES = 3


def assemble(
    baskets: Baskets,
    n_train: int,
    model: Any,
    sweep: Sweep,
    *,
    held_out: Mapping[str, Any] | None,
    command: Mapping[str, Any],
    version: str,
    notes: list[str],
) -> dict[str, Any]:
    """Build the content of missions.json.

    Parameters
    ----------
    baskets : Baskets
        All baskets.
    n_train : int
        How many the models were fitted to.
    model : GroupedMultinomialMixture
        The household mixture, components in the order of the missions.
    sweep : Sweep
        What was tried.
    held_out : Mapping or None
        The comparison of predictions.
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
    found = mission_content(model, baskets, n_train)
    criteria = [{**row, "chosen": index == sweep.best} for index, row in enumerate(sweep.rows)]
    return {
        "schema": SCHEMA,
        "mixtura_version": version,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": dict(command),
        "columns": {
            role: {"name": column.name, "table": column.table, "guessed": column.guessed}
            for role, column in baskets.columns.items()
        },
        "data": _data(baskets, n_train, model),
        "criteria": criteria,
        "choice": choice(sweep, command["criterion"]),
        "held_out": held_out,
        "categories": [str(name) for name in baskets.categories],
        "category_share": found.lines.sum(axis=0) / found.lines.sum(),
        "missions": _cards(model, baskets, n_train, found),
        "notes": [*baskets.notes, *notes],
    }


def choice(sweep: Sweep, criterion: str) -> dict[str, Any]:
    """How the number of missions came about, with a sentence."""
    tried = [row["n_components"] for row in sweep.rows]
    chosen = tried[sweep.best]
    if len(tried) == 1 and not sweep.interrupted:
        sentence = f"{chosen} missions, as asked for"
        return {"criterion": "given", "n_components": chosen, "at_edge": False, "sentence": sentence}
    sentence = f"{criterion.upper()} is lowest at {chosen} missions"
    sentence += f" (tried {len(tried)} sizes, {tried[0]} to {tried[-1]})"
    if sweep.interrupted:
        sentence += "; the sweep was interrupted, so larger numbers were not tried"
    elif sweep.at_edge:
        edge, more = ("largest", "more") if chosen == tried[-1] else ("smallest", "fewer")
        sentence += f"; this is the {edge} tried, so {more} missions may be better still"
    return {
        "criterion": criterion,
        "n_components": chosen,
        "at_edge": sweep.at_edge,
        "sentence": sentence,
    }


def _data(baskets: Baskets, n_train: int, model: Any) -> dict[str, Any]:
    later = baskets.customers[n_train:]
    unseen = ~np.isin(later, model.groups_)
    return {
        "source": baskets.source,
        "items_source": baskets.items_source,
        "filter": baskets.where,
        "value": baskets.value,
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


def _cards(model: Any, baskets: Baskets, n_train: int, found: naming.Content) -> list[dict[str, Any]]:
    """The missions, which are in order of size already."""
    names = naming.names(found, baskets.categories.tolist())
    tops = naming.top(found, baskets.categories.tolist())
    examples = _examples(model, baskets, n_train, found)
    dominant = np.bincount(model.group_weights_.argmax(axis=1), minlength=len(names))
    return [
        {
            "number": k + 1,
            "name": names[k],
            "weight": float(found.baskets[k] / found.baskets.sum()),
            "n_baskets": float(found.baskets[k]),
            "n_customers_dominant": int(dominant[k]),
            "mean_lines": float(found.lines[k].sum() / max(found.baskets[k], 1e-300)),
            "profile": model.profiles_[k],
            "top": tops[k],
            "examples": examples[k],
        }
        for k in range(len(names))
    ]


def _examples(
    model: Any, baskets: Baskets, n_train: int, found: naming.Content
) -> list[list[dict[str, int]]]:
    """A few real baskets of ordinary length per mission, the most certain ones, without repeats."""
    rows = slice(0, min(n_train, ROWS))
    counts = baskets.counts[rows]
    resp = model.predict_proba(counts, groups=baskets.customers[rows])
    size = counts.sum(axis=1)
    mean = found.lines.sum(axis=1) / np.maximum(found.baskets, 1e-300)
    mission = resp.argmax(axis=1)
    result: list[list[dict[str, int]]] = []
    for k in range(resp.shape[1]):
        mine = np.flatnonzero((mission == k) & (size >= min(2, mean[k])) & (size <= 1.5 * mean[k] + 1))
        shown: list[dict[str, int]] = []
        for row in mine[np.argsort(-resp[mine, k], kind="stable")]:
            example = _bought(counts, int(row), baskets.categories)
            if example not in shown:
                shown.append(example)
            if len(shown) == N_EXAMPLES:
                break
        result.append(shown)
    return result


def _bought(counts: sparse.csr_array, row: int, categories: np.ndarray) -> dict[str, int]:
    span = slice(counts.indptr[row], counts.indptr[row + 1])
    entries = zip(counts.indices[span], counts.data[span], strict=True)
    return {str(categories[c]): int(n) for c, n in sorted(entries, key=lambda entry: (-entry[1], entry[0]))}
