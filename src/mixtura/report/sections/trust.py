"""How far the result can be trusted: repeats on resampled customers, and simpler rivals on the same baskets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mixtura.report import words
from mixtura.report.results import Level, Results
from mixtura.report.sections.missions import recovery

__all__ = ["context", "stability_sentence"]


def context(results: Results) -> dict[str, Any] | None:
    """Stability of both levels and the table of rivals.

    Parameters
    ----------
    results : Results
        The results.

    Returns
    -------
    dict or None
        What is known; None if neither was computed.
    """
    stability = [_stability(results, level) for level in results.levels if level.part("stability")]
    rivals = _rivals(results)
    if not stability and not rivals:
        return None
    return {
        "id": "trust",
        "title": "How far can you trust this?",
        "template": "trust.html.j2",
        "stability": stability,
        "rivals": rivals,
        "verdict": _verdict(rivals),
    }


def stability_sentence(level: Level, *, again: bool = False) -> str | None:
    """How well repeats agree, in one sentence; None if it was not computed.

    Parameters
    ----------
    level : Level
        Missions or segments.
    again : bool, default False
        Whether a sentence about another level stands before it.

    Returns
    -------
    str or None
        The sentence.
    """
    stability = level.part("stability")
    agreement = (stability.get("ari") or {}).get("mean")
    if not words.is_number(agreement):
        return None
    found = recovery(level)
    shaky = [number for number, entry in found.items() if entry["kind"] == "poor"]
    start = "The" if again else "Repeated on resampled customers, the"
    text = f"{start} {level.key} come out {_agreement(agreement)}"
    if found and not shaky:
        text += ", and each of them was found again in most repeats"
    elif shaky:
        them = words.listing([str(number) for number in shaky], limit=6)
        text += f"; {words.count(len(shaky), level.noun)} of {len(found)} changed easily (number {them})"
    return text + "."


def _agreement(value: float) -> str:
    if value >= 0.8:
        return "nearly the same"
    if value >= 0.6:
        return "largely the same"
    return "only partly the same" if value >= 0.3 else "different each time"


def _stability(results: Results, level: Level) -> dict[str, Any]:
    stability = level.part("stability")
    names = {item.get("number"): results.named(item, level.noun) for item in level.items}
    found = recovery(level)
    return {
        "key": level.key,
        "noun": level.noun,
        "unit": level.unit,
        "sentence": stability_sentence(level),
        "n_replicates": stability.get("n_replicates"),
        "start": stability.get("start"),
        "ari": stability.get("ari") or {},
        "rows": [
            {
                "number": entry.get("number"),
                "name": names.get(entry.get("number"), ""),
                "distance": entry.get("distance"),
                "distance_high": entry.get("distance_high"),
                "recovered": entry.get("recovered"),
                "trust": found.get(int(entry["number"])),
            }
            for entry in stability.get("items") or []
        ],
    }


def _rivals(results: Results) -> list[dict[str, Any]]:
    """The rivals, best first."""
    rows = [row for row in results.mission_level.rows("rivals") if words.is_number(row.get("held_out"))]
    if not rows:
        return []
    rows.sort(key=lambda row: -row["held_out"])
    span = max(rows[0]["held_out"] - rows[-1]["held_out"], 1e-12)
    return [
        {
            "name": str(row.get("name")),
            "ours": row.get("key") == "mixtura",
            "held_out": row["held_out"],
            "difference": row.get("difference"),
            "error": row.get("difference_se"),
            "n_parameters": row.get("n_parameters"),
            "note": row.get("note"),
            "bar": (row["held_out"] - rows[-1]["held_out"]) / span,
            "words": _words(row),
        }
        for row in rows
    ]


def _words(row: Mapping[str, Any]) -> str:
    if row.get("key") == "mixtura":
        return "the one on this page"
    difference, error = row.get("difference"), row.get("difference_se")
    if not words.is_number(difference):
        return words.UNKNOWN
    if words.is_number(error) and abs(difference) < 2 * error:
        return "no clear difference"
    return words.how_much_more_probable(difference, error)


def _verdict(rivals: list[dict[str, Any]]) -> str | None:
    """Who foresees later baskets best, said plainly either way."""
    if not any(row["ours"] for row in rivals) or len(rivals) < 2:
        return None
    others = [row for row in rivals if not row["ours"] and words.is_number(row["difference"])]
    better = [row["name"] for row in others if row["difference"] > 2 * (row["error"] or 0)]
    equal = [row["name"] for row in others if abs(row["difference"]) <= 2 * (row["error"] or 0)]
    if better:
        return (
            f"Later baskets are foreseen better by {words.listing(better)} than by the missions of this page."
        )
    if equal:
        return (
            f"No simpler rule foresees later baskets better; between the missions of this page and "
            f"{words.listing(equal)} there is no clear difference."
        )
    return "The missions of this page foresee later baskets better than each of the simpler rules."
