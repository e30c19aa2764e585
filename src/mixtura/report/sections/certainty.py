"""How sure it is which mission a basket belongs to."""

from __future__ import annotations

from typing import Any

from mixtura.report import words
from mixtura.report.histogram import bins, certainty_chart
from mixtura.report.results import Results

__all__ = ["context"]


def context(results: Results) -> dict[str, Any] | None:
    """The certainty of baskets' missions.

    Parameters
    ----------
    results : Results
        The results.

    Returns
    -------
    dict or None
        A sentence, a histogram and two tables; None if it is unknown or there is one mission only.
    """
    level = results.mission_level
    certainty = level.part("certainty")
    if results.n_missions < 2 or not words.is_number(certainty.get("share_above_80")):
        return None
    return {
        "id": "certainty",
        "title": "How sure each basket's mission is",
        "template": "certainty.html.j2",
        "above": certainty["share_above_80"],
        "mean": certainty.get("mean"),
        "chart": certainty_chart(level),
        "bins": bins(certainty.get("histogram") or {}),
        "rows": [
            (mission.get("number"), results.named(mission), mission.get("weight"), mission.get("certainty"))
            for mission in results.missions
            if words.is_number(mission.get("certainty"))
        ],
    }
