"""Customers who are likely to move by the next period."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["context"]


def context(results: Any) -> dict[str, Any] | None:
    """Two lists: likely to come less often, and likely to come more often.

    Parameters
    ----------
    results : JourneyResults
        The results.

    Returns
    -------
    dict or None
        Rows; None with a single phase.
    """
    if len(results.phases) < 2:
        return None
    listed = results.header.get("customers")
    lists = [
        {
            "direction": direction,
            "title": title,
            "advice": advice,
            "rows": [_row(results, entry) for entry in listed or [] if entry.get("direction") == direction],
        }
        for direction, title, advice in (
            (
                "less",
                "Likely to come less often",
                "Those to keep: a reminder is worth most before the visits end.",
            ),
            ("more", "Likely to come more often", "Those who are coming back, or settling in."),
        )
    ]
    return {
        "id": "customers",
        "title": f"Who is likely to move by next {results.unit}",
        "template": "journey_customers.html.j2",
        "lists": [entry for entry in lists if entry["rows"]],
        "unit": results.unit,
        "anonymous": listed is None,
    }


def _row(results: Any, entry: Mapping[str, Any]) -> dict[str, Any]:
    named = {phase["number"]: phase for phase in results.phases}
    return {
        **entry,
        "phase_name": results.named(named[entry["phase"]]),
        "phase_colour": results.colour(int(entry["phase"])),
        "next_name": results.named(named[entry["next_phase"]]),
        "next_colour": results.colour(int(entry["next_phase"])),
        "recent": " · ".join(str(n) for n in entry.get("visits") or []),
    }
