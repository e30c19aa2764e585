"""The missions as cards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mixtura.report import words
from mixtura.report.results import Results

__all__ = ["context"]

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
        The cards; with many missions they are ``compact`` and show fewer lines each.
    """
    if not results.missions:
        return None
    compact = results.n_missions > _COMPACT_ABOVE
    largest = max((float(mission.get("weight") or 0) for mission in results.missions), default=0.0)
    return {
        "id": "missions",
        "title": "The missions",
        "template": "missions.html.j2",
        "cards": [_card(results, mission, 3 if compact else 5, largest) for mission in results.missions],
        "compact": compact,
    }


def _card(results: Results, mission: Mapping[str, Any], n_shown: int, largest: float) -> dict[str, Any]:
    weight = float(mission.get("weight") or 0)
    top = [
        {
            "category": results.label(entry.get("category")),
            "lift": entry.get("lift"),
            "share": entry.get("share"),
            "support": entry.get("support"),
            "n_baskets": entry.get("n_baskets"),
        }
        for entry in mission.get("top") or []
        if not words.is_number(entry.get("lift")) or entry["lift"] >= _TYPICAL
    ]
    name = results.label(mission.get("name") or f"Mission {mission.get('number')}")
    common = _most_common(results, mission)
    return {
        "number": mission.get("number"),
        "name": name,
        "weight": weight,
        "bar": round(100 * weight / largest, 2) if largest > 0 else 0,
        "n_baskets": mission.get("n_baskets"),
        "n_customers": mission.get("n_customers_dominant"),
        "mean_lines": mission.get("mean_lines"),
        "top": top[:n_shown],
        "more": top[n_shown:],
        "common": common,
        "examples": [
            text for text in (_example(results, entry) for entry in mission.get("examples") or []) if text
        ],
        "search": " ".join(
            [name, *(entry["category"] for entry in top), *(pair[0] for pair in common)]
        ).lower(),
    }


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
