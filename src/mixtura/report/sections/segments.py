"""The customer segments as cards, and side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mixtura.report import charts, words
from mixtura.report.results import Results
from mixtura.report.sections import features
from mixtura.report.sections.features import Features
from mixtura.report.sections.missions import recovery, scale

__all__ = ["context"]

_TYPICAL = 1.2  # a lower lift is hardly more than usual, and not listed as typical
_SELDOM = 0.85  # and a higher one hardly less


def context(results: Results) -> dict[str, Any] | None:
    """One card per segment, and a table that sets them side by side.

    Parameters
    ----------
    results : Results
        The results.

    Returns
    -------
    dict or None
        Cards and sentences; None without segments.
    """
    segments = results.segments
    if not segments:
        return None
    found = features.of_segments(results)
    known = {
        "largest": max(float(segment.get("weight") or 0) for segment in segments),
        "ends": scale(entry for segment in segments for entry in segment.get("top") or []),
        "recovered": recovery(results.segment_level) if len(segments) > 1 else {},
    }
    cards = [_card(results, segment, found, known) for segment in segments]
    return {
        "id": "segments",
        "title": "The customer segments",
        "template": "segments.html.j2",
        "cards": cards,
        "noun": found.noun,
        "unit": found.unit,
        "sentences": _sentences(results, found),
        "has_spend": any(words.is_number(card["amount"]) for card in cards),
        "has_intervals": any(entry["range"] for card in cards for entry in card["top"]),
        "has_stability": bool(known["recovered"]),
        "money": results.data.get("amount_column"),
        "ends": known["ends"],
    }


def _sentences(results: Results, found: Features) -> list[str]:
    segments = results.segments
    if len(segments) == 1:
        single = (
            "The customers form a single segment: they differ, but not in kinds that the data tell apart. "
            "The card below describes the average customer."
        )
        return [single]
    by = (
        "what they come for: how their visits are divided among the missions"
        if found.noun == "mission"
        else f"what they buy: how their {found.unit} are divided among the categories"
        if found.unit != "spending"
        else "what they buy: how their spending is divided among the categories"
    )
    sentences = [f"{len(segments)} kinds of customers, largest first, told apart by {by}."]
    known = [s for s in segments if words.is_number(s.get("share_amount")) and (s.get("weight") or 0) > 0]
    if known:
        richest = max(known, key=lambda segment: segment["share_amount"] / segment["weight"])
        sentences.append(
            f"Segment {richest['number']} “{results.named(richest, 'segment')}” spends most for its size: "
            f"{words.share_of_all(richest['weight'])} of customers, "
            f"{words.share_of_all(richest['share_amount'])} of spend."
        )
    return sentences


def _card(
    results: Results, segment: Mapping[str, Any], found: Features, known: Mapping[str, Any]
) -> dict[str, Any]:
    weight = float(segment.get("weight") or 0)
    over_missions = found.noun == "mission"
    buys = _top(results, segment.get("top_categories"), "category", known["ends"])[:6]
    return {
        "number": segment["number"],
        "name": results.named(segment, "segment"),
        "weight": weight,
        "bar": round(100 * weight / known["largest"], 2) if known["largest"] > 0 else 0,
        "n_customers": segment.get("n_customers"),
        "n_baskets": segment.get("n_baskets"),
        "share_baskets": segment.get("share_baskets"),
        "per_customer": segment.get("baskets_per_customer"),
        "amount": segment.get("amount"),
        "share_amount": segment.get("share_amount"),
        "spend_each": segment.get("amount_per_customer"),
        "certainty": segment.get("certainty"),
        "recovered": known["recovered"].get(int(segment["number"])),
        "top": _top(results, segment.get("top"), "feature", known["ends"])[:5],
        "common": _common(segment, found),
        "buys": buys if over_missions else [],
        "avoided": [
            (results.label(entry.get("category")), entry.get("lift"))
            for entry in (segment.get("avoided") or [])[:4]
            if words.is_number(entry.get("lift")) and entry["lift"] <= _SELDOM
        ],
        "nearest": _nearest(results, segment.get("nearest"), found),
        "change": _change(results, segment),
    }


def _top(results: Results, entries: Any, key: str, ends: tuple[float, float]) -> list[dict[str, Any]]:
    """What stands out: clearly above the average, also at the lower end of its range."""
    return [
        {
            "category": results.label(entry.get(key)),
            "lift": entry.get("lift"),
            "share": entry.get("share"),
            "range": words.lift_range(entry.get("lift_low"), entry.get("lift_high")),
            "marks": charts.interval(entry.get("lift_low"), entry.get("lift"), entry.get("lift_high"), ends),
        }
        for entry in entries or []
        if words.is_number(entry.get("lift"))
        and entry["lift"] >= _TYPICAL
        and not (words.is_number(entry.get("lift_low")) and entry["lift_low"] <= 1)
    ]


def _common(segment: Mapping[str, Any], found: Features, n: int = 3) -> list[tuple[str, float]]:
    """The largest shares of the profile: what most is about, special or not."""
    pairs = sorted(zip(found.names, segment["profile"], strict=True), key=lambda pair: -(pair[1] or 0))
    return [(name, float(share)) for name, share in pairs[:n] if share]


def _nearest(results: Results, near: Mapping[str, Any] | None, found: Features) -> dict[str, Any] | None:
    names = features.titles(results)
    if not near or near.get("number") not in names:
        return None
    common = features.in_common(near.get("distance"))
    contrast = [
        f"{word} {text}"
        for word, text in (
            ("more", features.differences(results, (near.get("more") or [])[:2])),
            ("less", features.differences(results, (near.get("less") or [])[:2])),
        )
        if text
    ]
    return {
        "number": near["number"],
        "name": names[near["number"]],
        "common": "" if common is None else f", {words.share_of_all(common)} of {found.unit} in common",
        "contrast": f"Here {'; '.join(contrast)}." if contrast else "",
    }


def _change(results: Results, segment: Mapping[str, Any]) -> dict[str, str] | None:
    """What a refresh says of this segment; None where there was no previous run."""
    refresh = results.segment_level.part("refresh")
    if refresh and segment["number"] in (refresh.get("new") or []):
        return {"kind": "new", "text": "new"}
    before = segment.get("previous") or {}
    return {"kind": "drifted", "text": "has changed"} if before.get("drifted") else None
