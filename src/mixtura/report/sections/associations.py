"""What is bought together more often than chance would have it, in all baskets and within missions."""

from __future__ import annotations

from typing import Any

from mixtura.report import charts, words
from mixtura.report.results import Results

__all__ = ["context"]

_MAX_ROWS = 1500  # in the page; the strongest pairs of every mission stay


def context(results: Results) -> dict[str, Any] | None:
    """The pairs, as a table that can be narrowed to one mission and sorted.

    Parameters
    ----------
    results : Results
        The results.

    Returns
    -------
    dict or None
        Rows and the missions to choose from; None if there are no pairs.
    """
    found = results.mission_level.rows("associations")
    if not found:
        return None
    names = {mission.get("number"): results.named(mission) for mission in results.missions}
    found = _cap(found)
    high = max([2.0, *(float(p["lift_high"]) for p in found if words.is_number(p.get("lift_high")))])
    low = min([0.5, *(float(p["lift_low"]) for p in found if words.is_number(p.get("lift_low")))])
    ends = (max(low, 0.02), high)
    rows = [
        {
            "mission": pair.get("mission"),
            "where": _where(pair.get("mission"), names),
            "a": results.label(pair.get("a")),
            "b": results.label(pair.get("b")),
            "lift": pair.get("lift"),
            "range": words.lift_range(pair.get("lift_low"), pair.get("lift_high")),
            "marks": charts.interval(pair.get("lift_low"), pair.get("lift"), pair.get("lift_high"), ends),
            "n_baskets": pair.get("n_baskets"),
        }
        for pair in found
    ]
    present = list(dict.fromkeys(row["mission"] for row in rows))
    return {
        "id": "together",
        "title": "What is bought together",
        "template": "associations.html.j2",
        "rows": rows,
        "ends": ends,
        "one": charts.interval(1.0, 1.0, 1.0, ends),
        "options": [(number, _where(number, names)) for number in sorted(present)],
        "first": 0 if 0 in present else min(present),
    }


def _where(number: Any, names: dict[Any, str]) -> str:
    return f"{number} {names.get(number, '')}".strip() if number else "All baskets"


def _cap(found: list[Any]) -> list[Any]:
    """As many of the highest lifts of every mission as fit the page."""
    per_mission = max(5, _MAX_ROWS // len({pair.get("mission") for pair in found}))
    kept: dict[Any, int] = {}
    result = []
    for pair in sorted(found, key=lambda pair: (pair.get("mission") or 0, -(pair.get("lift") or 0))):
        kept[pair.get("mission")] = kept.get(pair.get("mission"), 0) + 1
        if kept[pair.get("mission")] <= per_mission:
            result.append(pair)
    return result
