"""The content of journeys.json: phases, moves, customers, and whether to trust them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mixtura.segments import naming
from mixtura.segments.intervals import blocks_of_customers
from mixtura.segments.journey_choice import FORECAST
from mixtura.segments.journey_phases import DESIGNS, Phases
from mixtura.segments.journey_tables import likely_movers
from mixtura.segments.sweep import Sweep
from mixtura.segments.tables import ROWS

__all__ = [
    "SCHEMA",
    "assemble_journeys",
    "phase_choice",
    "phase_names",
]

SCHEMA = "mixtura-journeys/1"
LEAST_LIFT = 1.2  # of a category that stands in a phase's name
N_NAMED = 2
# Words for visits per period, as multiples of those of all customers.
OFTEN = (
    (4.0, "Very often"),
    (2.0, "Often"),
    (1.2, "Quite often"),
    (0.6, "Regularly"),
    (0.25, "Now and then"),
    (0.0, "Rarely"),
)
AWAY = 0.6  # probability of a period without a visit from which on a phase is one of absence


def assemble_journeys(
    phases: Phases,
    tried: Sweep,
    types: Any,
    *,
    head: Mapping[str, Any],
    checks: Mapping[str, Any],
    anonymous: bool,
) -> dict[str, Any]:
    """Build the content of journeys.json.

    Parameters
    ----------
    phases : Phases
        The chosen chain.
    tried : Sweep
        What was tried.
    types : MultinomialMixture
        The basket types.
    head : Mapping
        The common beginning.
    checks : Mapping
        "validation" and "calibration".
    anonymous : bool
        Whether single customers are left out.

    Returns
    -------
    dict
        Plain values.
    """
    grid, categories = phases.grid, head["categories"]
    content = _content(phases)
    tops, avoided = naming.top(content, categories), naming.avoided(content, categories)
    names = phase_names(phases, tops)
    now, following = phases.now, phases.ahead()
    empty = np.exp(phases.log_visits(np.zeros(1))[0])
    moves = phases.moves
    type_names = _type_names(types, categories)
    leaving = np.where(np.eye(phases.n_phases, dtype=bool), -1.0, moves)
    rows_of = phases.learnt.sum(axis=0)
    cards = []
    for k in range(phases.n_phases):
        target = int(leaving[k].argmax()) if phases.n_phases > 1 else None
        cards.append(
            {
                "number": k + 1,
                "name": names[k],
                "auto_name": names[k],
                "weight": float(now[:, k].mean()),
                "n_customers": float(now[:, k].sum()),
                "weight_next": float(following[:, k].mean()),
                "share_of_time": float(rows_of[k] / rows_of.sum()),
                "visits": float(phases.mean_visits[k]),
                "no_visit": float(empty[k]),
                "stay": float(moves[k, k]),
                "dwell": float(phases.dwell[k]),
                "start": float(phases.start[k]),
                "next": None if target is None else target + 1,
                "next_probability": None if target is None else float(moves[k, target]),
                "n_baskets": float(content.baskets[k]),
                "top": tops[k],
                "avoided": avoided[k],
                "types": _types(phases.mixes, k, type_names),
            }
        )
    return {
        "schema": SCHEMA,
        **head,
        "unit": grid.periods.unit,
        "periods": list(grid.periods.labels),
        "n_train_periods": grid.n_train,
        "design": phases.design.key,
        "types": [
            {"number": k + 1, "name": name, "weight": float(types.weights_[k])}
            for k, name in enumerate(type_names)
        ],
        "criteria": [{**row, "chosen": index == tried.best} for index, row in enumerate(tried.rows)],
        "choice": phase_choice(tried, phases.design.key),
        "phases": cards,
        "moves": moves,
        "flows": now.sum(axis=0)[:, None] * moves,
        "timeline": _timeline(phases),
        "customers": None if anonymous else likely_movers(phases, names),
        **checks,
    }


def phase_choice(tried: Sweep, design: str) -> dict[str, Any]:
    """How the number of phases came about, with a sentence."""
    row = tried.rows[tried.best]
    number = int(row["n_components"])
    counted = f"{number} phase{'s' if number != 1 else ''}, by {DESIGNS[design].words}"
    sizes = sorted({int(entry["n_components"]) for entry in tried.rows})
    designs = {entry["design"] for entry in tried.rows}
    if len(tried.rows) == 1:
        sentence = (
            f"{counted}, as asked for"
            if not tried.interrupted
            else f"{counted}; interrupted before others were tried"
        )
    else:
        reason = (
            "foresee the next period as well as more would"
            if tried.criterion == FORECAST
            else f"have the lowest {str(tried.criterion).upper()}"
        )
        sentence = (
            f"{counted}: they {reason} (tried {len(tried.rows)} chains of {sizes[0]} to {sizes[-1]} phases"
        )
        sentence += ", with and without what is bought)" if len(designs) > 1 else ")"
        if tried.interrupted:
            sentence += "; interrupted, so others were not tried"
        elif tried.at_edge:
            sentence += "; this is the largest tried, so more may be better still"
    return {
        "criterion": "given" if len(tried.rows) == 1 else tried.criterion,
        "n_components": number,
        "design": design,
        "at_edge": tried.at_edge,
        "sentence": sentence,
    }


def phase_names(phases: Phases, tops: Sequence[Sequence[Mapping[str, Any]]]) -> list[str]:
    """A name for every phase: how often its customers come, and what they buy more of; no two are the same.

    Parameters
    ----------
    phases : Phases
        The chain.
    tops : sequence of sequence of Mapping
        Categories of highest lift in each phase.

    Returns
    -------
    list of str
        Such as ``"Often: beer + crisps"``, ``"Rarely"`` or ``"Away"``.
    """
    visits = phases.rows[phases.grid.learnt, 0]
    usual = max(float(visits.mean()), 1e-12)
    empty = np.exp(phases.log_visits(np.zeros(1))[0])
    chosen: list[str] = []
    for k in range(phases.n_phases):
        ratio = float(phases.mean_visits[k]) / usual
        word = "Away" if empty[k] > AWAY else next(text for least, text in OFTEN if ratio >= least)
        telling = [
            str(entry["category"])
            for entry in tops[k]
            if entry["lift"] >= LEAST_LIFT and (entry["lift_low"] is None or entry["lift_low"] > 1)
        ]
        items = naming.joined(telling[:N_NAMED]) if telling and word != "Away" else ""
        lowered = items if not items[1:2].islower() else items[:1].lower() + items[1:]
        plain = f"{word}: {lowered}" if lowered else word
        candidates = [plain, f"{plain} ({float(phases.mean_visits[k]):.2g} visits)"]
        candidates += [f"{plain} ({number})" for number in range(2, phases.n_phases + 2)]
        chosen.append(next(name for name in candidates if name not in chosen))
    return chosen


def _content(phases: Phases) -> naming.Content:
    """What is bought in each phase, before the split; in blocks of whole customers."""
    grid = phases.grid
    early = np.flatnonzero(grid.period < grid.n_train)
    place = (np.cumsum(grid.learnt) - 1)[grid.row_of_basket[early]]
    found = None
    for block in blocks_of_customers(grid.owner[early], ROWS):
        rows = early[block]
        part = naming.content(grid.baskets.counts[rows], phases.learnt[place[block]], grid.owner[rows])
        found = part if found is None else found + part
    assert found is not None  # noqa: S101 - a grid has baskets before the split
    return found


def _type_names(types: Any, categories: Sequence[str]) -> list[str]:
    """Basket types, named as missions are."""
    lines = types.profiles_ * types.weights_[:, None]
    size = 1e6  # as if there were so many lines: profiles have no support of their own
    return naming.names(naming.Content(types.weights_, lines * size, lines * size), categories)


def _types(mixes: np.ndarray, k: int, names: Sequence[str], most: int = 4) -> list[dict[str, Any]]:
    """The basket types that stand out in a phase."""
    overall = mixes.mean(axis=0)
    lift = mixes[k] / np.maximum(overall, 1e-300)
    order = [f for f in np.argsort(-lift, kind="stable") if mixes[k, f] >= 0.02][:most]
    return [
        {"number": int(f) + 1, "name": names[f], "share": float(mixes[k, f]), "lift": float(lift[f])}
        for f in order
    ]


def _timeline(phases: Phases) -> dict[str, Any]:
    """Shares of the phases among the customers known by each period, and visits."""
    grid = phases.grid
    n_customers = np.bincount(grid.row_period, minlength=grid.n_periods)
    shares = np.column_stack(
        [
            np.bincount(grid.row_period, weights=phases.smoothed[:, k], minlength=grid.n_periods)
            for k in range(phases.n_phases)
        ]
    )
    return {
        "periods": list(grid.periods.labels),
        "n_customers": n_customers,
        "n_baskets": np.bincount(grid.period, minlength=grid.n_periods),
        "shares": shares / np.maximum(n_customers, 1)[:, None],
    }
