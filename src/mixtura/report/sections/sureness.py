"""How sure every mission and segment of a Bayesian run is: their sizes, their customers and baskets, in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mixtura.report import words
from mixtura.report.results import Level, Results

__all__ = ["context"]

_MOSTLY, _HALF = 0.8, 0.5
_SHOWN = 3


def context(results: Results) -> dict[str, Any] | None:
    """The uncertainty that a Bayesian run keeps.

    Parameters
    ----------
    results : Results
        The results.

    Returns
    -------
    dict or None
        One part per level with sentences and a table; None for runs that are not Bayesian.
    """
    parts = [
        _level(results, level) for level in results.levels if len(level.part("bayes").get("items") or ()) > 1
    ]
    if not parts:
        return None
    nouns = words.listing([f"every {part['noun']}" for part in parts])
    return {
        "id": "sureness",
        "title": f"How sure {nouns} is",
        "template": "sureness.html.j2",
        "parts": parts,
    }


def _level(results: Results, level: Level) -> dict[str, Any]:
    part = level.part("bayes")
    by_number = {item.get("number"): item for item in level.items}
    key = "category" if level.key == "missions" else "feature"
    rows = [
        _row(results, level, found, by_number[found["number"]], key)
        for found in part["items"]
        if found.get("number") in by_number
    ]
    return {
        "noun": level.noun,
        "key": level.key,
        "unit": level.unit,
        "title": level.key.capitalize(),
        "sentences": _sentences(level, part),
        "rows": rows,
        "mixes": level.key == "missions",
        "what": "categories" if key == "category" or level.raw.get("over") != "missions" else "missions",
        "level": words.percent(part.get("level"), 0),
        "least": words.percent(part.get("clear"), 0),
    }


def _sentences(level: Level, part: Mapping[str, Any]) -> list[str]:
    """How clear the memberships are altogether."""
    clear = words.percent(part.get("clear"), 0)
    units = part.get("units") or {}
    found = []
    if words.is_number(units.get("share_clear")):
        found.append(
            f"{words.share_of_all(units['share_clear'])} of the {level.unit}s belong to one {level.noun} with a probability of at least "
            f"{clear}; the mean entropy of their memberships is {words.number(units.get('entropy'), 2)}, where 0 is one sure answer and 1 "
            f"is all {level.key} alike."
        )
    customers = part.get("customers") or {}
    if words.is_number(customers.get("share_clear")):
        found.append(
            f"Every customer's mix is known up to a range. For {words.share_of_all(customers['share_clear'])} of the customers it is clear "
            f"(at least {clear}) which {level.noun} is their main one; the others have too few baskets, or two {level.key} of about the "
            "same share. The table of customers holds the range and this probability for everybody."
        )
    return found


def _row(
    results: Results, level: Level, found: Mapping[str, Any], item: Mapping[str, Any], key: str
) -> dict[str, Any]:
    low, high = found.get("weight") or (None, None)
    share = found.get("share_baskets_clear" if level.key == "missions" else "share_customers_clear")
    return {
        "number": item["number"],
        "name": results.named(item, level.noun),
        "size": item.get("weight"),
        "range": _range(low, high),
        "clearly": share,
        "entropy": found.get("entropy"),
        "n": found.get("n_main" if level.key == "missions" else "n_customers"),
        "n_clear": found.get("n_main_clear"),
        "verdict": _verdict(share),
        "kind": _kind(share),
        "top": [_share(results.label(entry[key]), entry) for entry in (item.get("top") or [])[:_SHOWN]],
    }


def _share(name: str, entry: Mapping[str, Any]) -> tuple[str, str, str | None]:
    """A typical category, its share in words, and the range of that."""
    ends = _range(entry.get("share_low"), entry.get("share_high"))
    return name, words.share_of_all(entry.get("share_mean")), ends


def _range(low: Any, high: Any) -> str | None:
    """A range of shares, such as 4.1–5.0 %."""
    if not (words.is_number(low) and words.is_number(high)):
        return None
    return f"{words.number(100 * low, 1)}–{words.percent(high)}"


def _kind(share: Any) -> str:
    if not words.is_number(share):
        return ""
    return "good" if share >= _MOSTLY else "fair" if share >= _HALF else "poor"


def _verdict(share: Any) -> str:
    return {"good": "clear", "fair": "mostly clear", "poor": "often in doubt", "": "nobody is given to it"}[
        _kind(share)
    ]
