"""The phases as cards: how often, how long, and what is bought."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mixtura.report import charts, words
from mixtura.report.sections.journey_summary import stays
from mixtura.report.sections.missions import scale

__all__ = ["context"]

_TYPICAL = 1.1  # a lower lift is hardly more than usual
_SELDOM = 0.9


def context(results: Any) -> dict[str, Any]:
    """One card per phase, most visits first.

    Parameters
    ----------
    results : JourneyResults
        The results.

    Returns
    -------
    dict
        Cards.
    """
    phases = results.phases
    largest = max(float(phase.get("weight") or 0) for phase in phases) or 1.0
    ends = scale(entry for phase in phases for entry in phase.get("top") or [])
    cards = [_card(results, phase, largest, ends) for phase in phases]
    return {
        "id": "phases",
        "title": "The phases",
        "template": "journey_phases.html.j2",
        "cards": cards,
        "unit": results.unit,
        "several": len(phases) > 1,
        "by_types": results.header.get("design") == "types",
        "has_intervals": any(entry["range"] for card in cards for entry in card["top"]),
        "ends": ends,
    }


def _card(
    results: Any, phase: Mapping[str, Any], largest: float, ends: tuple[float, float]
) -> dict[str, Any]:
    weight = float(phase.get("weight") or 0)
    target = next((other for other in results.phases if other["number"] == phase.get("next")), None)
    return {
        "number": phase["number"],
        "name": results.named(phase),
        "colour": results.colour(int(phase["number"])),
        "weight": weight,
        "bar": round(100 * weight / largest, 2),
        "n_customers": phase.get("n_customers"),
        "weight_next": phase.get("weight_next"),
        "visits": phase.get("visits"),
        "no_visit": phase.get("no_visit"),
        "stays": stays(phase.get("dwell"), results.unit),
        "stay": phase.get("stay"),
        "n_baskets": phase.get("n_baskets"),
        "next": None if target is None else {"number": target["number"], "name": results.named(target)},
        "next_probability": phase.get("next_probability"),
        "top": [
            {
                "category": results.label(entry["category"]),
                "lift": entry["lift"],
                "share": entry["share"],
                "range": words.lift_range(entry.get("lift_low"), entry.get("lift_high")),
                "marks": charts.interval(entry.get("lift_low"), entry["lift"], entry.get("lift_high"), ends),
            }
            for entry in (phase.get("top") or [])
            if words.is_number(entry.get("lift"))
            and entry["lift"] >= _TYPICAL
            and not (words.is_number(entry.get("lift_low")) and entry["lift_low"] <= 1)
        ][:6],
        "avoided": [
            (results.label(entry["category"]), entry["lift"])
            for entry in (phase.get("avoided") or [])[:4]
            if words.is_number(entry.get("lift")) and entry["lift"] <= _SELDOM
        ],
        "types": [
            (str(entry["name"]), entry["share"], entry["lift"])
            for entry in phase.get("types") or []
            if words.is_number(entry.get("lift")) and entry["lift"] >= _TYPICAL
        ][:3],
    }
