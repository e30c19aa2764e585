"""Tables of a run of journeys: a row per customer, a row per customer and period, and who is likely to move."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mixtura.segments.journey_phases import Phases

__all__ = ["customer_columns", "history_columns", "likely_movers"]

N_LISTED = 40  # customers listed for each direction


def customer_columns(phases: Phases, names: Sequence[str]) -> dict[str, np.ndarray]:
    """One row per customer: the phase now, and what is likely by the next period.

    Parameters
    ----------
    phases : Phases
        The chain.
    names : sequence of str, length K
        Of the phases.

    Returns
    -------
    dict of str to ndarray
        Columns.
    """
    grid, now, following = phases.grid, phases.now, phases.ahead()
    label = now.argmax(axis=1)
    index = np.arange(len(label))
    others = following.copy()
    others[index, label] = -1.0
    target = others.argmax(axis=1) if phases.n_phases > 1 else label
    below = np.arange(phases.n_phases) > label[:, None]
    above = np.arange(phases.n_phases) < label[:, None]
    last = np.full(len(label), grid.baskets.times[0], dtype=grid.baskets.times.dtype)
    np.maximum.at(last, grid.owner, grid.baskets.times)
    name = np.asarray(names, dtype=object)
    columns = {
        "customer": grid.customers,
        "n_baskets": np.bincount(grid.owner, minlength=len(label)),
        "last_visit": last,
        "visits_last_period": phases.rows[grid.offsets[1:] - 1, 0].astype(int),
        "phase": label + 1,
        "phase_name": name[label].astype(str),
        "phase_probability": now[index, label],
        "likely_to_move": 1.0 - following[index, label],
        "next_phase": target + 1,
        "next_phase_name": name[target].astype(str),
        "next_phase_probability": following[index, target],
        "come_less": (following * below).sum(axis=1),
        "come_more": (following * above).sum(axis=1),
        "no_visit": following @ np.exp(phases.log_visits(np.zeros(1))[0]),
        "expected_visits": following @ phases.mean_visits,
    }
    columns |= {f"phase_{k + 1}": now[:, k] for k in range(phases.n_phases)}
    return columns | {f"next_{k + 1}": following[:, k] for k in range(phases.n_phases)}


def history_columns(phases: Phases, names: Sequence[str]) -> dict[str, np.ndarray]:
    """One row per customer and period: visits and the most probable phase, given all periods."""
    grid = phases.grid
    label = phases.smoothed.argmax(axis=1)
    return {
        "customer": grid.customers[grid.row_owner],
        "period": np.asarray(grid.periods.labels)[grid.row_period],
        "visits": phases.rows[:, 0].astype(int),
        "phase": label + 1,
        "phase_name": np.asarray(names)[label],
        "probability": phases.smoothed[np.arange(len(label)), label],
    }


def likely_movers(phases: Phases, names: Sequence[str]) -> list[dict[str, Any]]:
    """Customers who are likely to move: those likely to come less, and those likely to come more."""
    table = customer_columns(phases, names)
    grid = phases.grid
    recent = {t: phases.rows[np.maximum(grid.offsets[1:] - 1 - t, grid.offsets[:-1]), 0] for t in range(3)}
    n_recent = np.minimum(grid.lengths, 3)
    chosen: list[dict[str, Any]] = []
    for column, direction in (("come_less", "less"), ("come_more", "more")):
        for place in np.argsort(-table[column], kind="stable")[:N_LISTED]:
            if table[column][place] <= 0 or any(entry["place"] == place for entry in chosen):
                continue
            chosen.append(
                {
                    "place": int(place),
                    "customer": str(table["customer"][place]),
                    "direction": direction,
                    "chance": float(table[column][place]),
                    "likely_to_move": float(table["likely_to_move"][place]),
                    "phase": int(table["phase"][place]),
                    "phase_probability": float(table["phase_probability"][place]),
                    "next_phase": int(table["next_phase"][place]),
                    "next_probability": float(table["next_phase_probability"][place]),
                    "no_visit": float(table["no_visit"][place]),
                    "visits": [int(recent[t][place]) for t in reversed(range(int(n_recent[place])))],
                    "n_baskets": int(table["n_baskets"][place]),
                }
            )
    return [{key: value for key, value in entry.items() if key != "place"} for entry in chosen]
