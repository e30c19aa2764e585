"""The missions as cards, which the reader can group, order and search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mixtura.report import charts, groups, words
from mixtura.report.results import Level, Results

__all__ = ["context", "nearest", "recovery", "scale", "typical"]

_COMPACT_ABOVE = 24
_TYPICAL = 1.2  # a lower lift is hardly more than usual, and not listed as typical


def context(results: Results) -> dict[str, Any] | None:
    """One card per mission.

    Parameters
    ----------
    results : Results
        The results.

    Returns
    -------
    dict or None
        The cards; with many missions they are ``compact`` and show fewer lines each, and ``zoom`` says how
        they can be grouped.
    """
    if not results.missions:
        return None
    compact = results.n_missions > _COMPACT_ABOVE
    largest = max((float(mission.get("weight") or 0) for mission in results.missions), default=0.0)
    ends = scale(entry for mission in results.missions for entry in mission.get("top") or [])
    recovered = recovery(results.mission_level)
    known = {"largest": largest, "ends": ends, "recovered": recovered, "n_shown": 3 if compact else 5}
    cards = [_card(results, mission, known) for mission in results.missions]
    return {
        "id": "missions",
        "title": "The missions",
        "template": "missions.html.j2",
        "cards": cards,
        "compact": compact,
        "zoom": groups.zoom(results, groups.cuts(results, results.mission_level)),
        "has_spend": any(words.is_number(card["share_amount"]) for card in cards),
        "has_customers": any(words.is_number(card["share_customers"]) for card in cards),
        "has_intervals": any(entry["range"] for card in cards for entry in card["top"]),
        "has_stability": bool(recovered),
        "ends": ends,
    }


def scale(entries: Any) -> tuple[float, float]:
    """The ends of the lines on which lifts are drawn: from as usual to the highest of the page."""
    highs = [entry.get("lift_high") for entry in entries]
    return (1.0, max([2.0, *(float(high) for high in highs if words.is_number(high))]))


def typical(results: Results, entries: Any, ends: tuple[float, float]) -> list[dict[str, Any]]:
    """Entries of ``top``, ``top_categories`` or ``avoided`` for the page, with their intervals in words."""
    return [
        {
            "category": results.label(entry.get("category")),
            "lift": entry.get("lift"),
            "share": entry.get("share"),
            "support": entry.get("support"),
            "n_baskets": entry.get("n_baskets"),
            "range": words.lift_range(entry.get("lift_low"), entry.get("lift_high")),
            "marks": charts.interval(entry.get("lift_low"), entry.get("lift"), entry.get("lift_high"), ends),
        }
        for entry in entries or []
    ]


def recovery(level: Level) -> dict[int, dict[str, Any]]:
    """How often every mission or segment was found again, by its number, in words."""
    found = {}
    replicates = level.part("stability").get("n_replicates")
    for entry in level.part("stability").get("items") or []:
        share = entry.get("recovered")
        if not words.is_number(share):
            continue
        verdict, kind = (
            ("very stable", "good")
            if share >= 0.9
            else ("mostly stable", "fair")
            if share >= 0.6
            else ("changes easily", "poor")
        )
        times = words.count(replicates, "repeat") if words.is_number(replicates) else "the repeats"
        found[int(entry["number"])] = {
            "share": share,
            "verdict": verdict,
            "kind": kind,
            "text": f"found again in {words.share_of_all(share)} of {times}",
        }
    return found


def _card(results: Results, mission: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    weight = float(mission.get("weight") or 0)
    top = [
        entry
        for entry in typical(results, mission.get("top"), known["ends"])
        if not words.is_number(entry["lift"]) or entry["lift"] >= _TYPICAL
    ]
    name = results.named(mission)
    common = _most_common(results, mission)
    examples = [
        text for text in (_example(results, entry) for entry in mission.get("examples") or []) if text
    ]
    return {
        "number": mission.get("number"),
        "name": name,
        "weight": weight,
        "bar": round(100 * weight / known["largest"], 2) if known["largest"] > 0 else 0,
        "n_baskets": mission.get("n_baskets"),
        "n_customers": mission.get("n_customers_dominant"),
        "share_customers": mission.get("share_customers"),
        "share_amount": mission.get("share_amount"),
        "amount": mission.get("amount"),
        "mean_lines": mission.get("mean_lines"),
        "certainty": mission.get("certainty"),
        "recovered": known["recovered"].get(int(mission.get("number") or 0)),
        "change": _change(results, mission),
        "top": top[: known["n_shown"]],
        "more": top[known["n_shown"] :],
        "avoided": typical(results, (mission.get("avoided") or [])[:4], known["ends"]),
        "nearest": nearest(results, results.missions, mission.get("nearest"), "category"),
        "common": common,
        "example": examples[0] if examples else None,
        "examples": examples[1:],
        "search": " ".join(
            [name, *(entry["category"] for entry in top), *(pair[0] for pair in common)]
        ).lower(),
    }


def nearest(
    results: Results, items: list[Mapping[str, Any]], found: Mapping[str, Any] | None, key: str
) -> dict[str, Any] | None:
    """The closest other mission or segment, and what sets the two apart."""
    other = next((item for item in items if found and item.get("number") == found.get("number")), None)
    if not found or other is None:
        return None
    return {
        "number": other["number"],
        "name": results.named(other),
        "distance": found.get("distance"),
        "more": [results.label(entry.get(key)) for entry in found.get("more") or []],
        "less": [results.label(entry.get(key)) for entry in found.get("less") or []],
    }


def _change(results: Results, mission: Mapping[str, Any]) -> dict[str, str] | None:
    """What a refresh says of this mission; None where there was no previous run."""
    refresh = results.mission_level.part("refresh")
    if not refresh:
        return None
    if mission.get("number") in (refresh.get("new") or []):
        return {"kind": "new", "text": "new"}
    before = mission.get("previous") or {}
    return {"kind": "drifted", "text": "has changed"} if before.get("drifted") else None


def _most_common(results: Results, mission: Mapping[str, Any], n: int = 5) -> list[tuple[str, float]]:
    """The largest shares of the profile: what is in most baskets, special or not."""
    pairs = sorted(zip(results.categories, mission["profile"], strict=True), key=lambda pair: -(pair[1] or 0))
    return [(results.label(name), float(share)) for name, share in pairs[:n] if share]


def _example(results: Results, example: Any) -> str:
    """One basket in words, from any of the forms an example may have."""
    if isinstance(example, Mapping):
        inner = next((example[key] for key in ("items", "lines", "categories") if key in example), example)
        if inner is not example:
            return _example(results, inner)
        return ", ".join(
            (f"{words.number(amount)} × " if words.is_number(amount) and amount != 1 else "")
            + results.label(name)
            for name, amount in example.items()
        )
    if isinstance(example, (list, tuple)):
        pairs = [_pair(entry) for entry in example]
        return _example(results, dict(pairs))
    return results.label(example) if example else ""


def _pair(entry: Any) -> tuple[str, Any]:
    if isinstance(entry, Mapping):
        name = entry.get("category", entry.get("item", entry.get("name")))
        return str(name), entry.get("n_lines", entry.get("count", entry.get("lines", 1)))
    if isinstance(entry, (list, tuple)) and len(entry) == 2:
        return str(entry[0]), entry[1]
    return str(entry), 1
