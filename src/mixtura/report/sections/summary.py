"""The findings in plain words, before anything else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mixtura.report import words
from mixtura.report.results import Level, Results
from mixtura.report.sections.choice import edge_warning
from mixtura.report.sections.trust import stability_sentence

__all__ = ["context"]


def context(results: Results) -> dict[str, Any]:
    """What a reader in a hurry should know.

    Parameters
    ----------
    results : Results
        The results.

    Returns
    -------
    dict
        Sentences with the question each answers, and warnings.
    """
    found = (
        ("The data", _data(results)),
        ("Missions", _missions(results)),
        ("Segments", _segments(results)),
        ("Is it personal?", _customers(results)),
        ("How sure", _trust(results)),
        ("What changed", _change(results)),
    )
    return {
        "id": "summary",
        "title": "In short",
        "template": "summary.html.j2",
        "findings": [(title, text) for title, text in found if text],
        "warnings": [text for text in map(edge_warning, results.levels) if text],
    }


def _data(results: Results) -> str:
    data = results.data
    when = words.period(data.get("first_time"), data.get("last_time"))
    return (
        f"{words.count(data.get('n_baskets'), 'shopping basket')} of "
        f"{words.count(data.get('n_customers'), 'customer')}"
        f"{f' from {when}' if when else ''} were grouped by what is in them: which of "
        f"{words.count(len(results.categories), 'category', 'categories')} were bought together."
    )


def _missions(results: Results) -> str | None:
    missions = results.missions
    if not missions:
        return None
    if len(missions) < 2:
        return "A single mission was fitted: the page describes the average basket."
    text = (
        f"The baskets fall into {len(missions)} missions: typical reasons for going shopping. "
        f"{_largest(results, results.mission_level, 'of all baskets')}"
    )
    if len(missions) > 12:
        ten = sum(float(mission.get("weight") or 0) for mission in missions[:10])
        text += f"; the ten largest together hold {words.share_of_all(ten)}"
    return f"{text}.{_spend(results, results.mission_level)}"


def _segments(results: Results) -> str | None:
    segments = results.segments
    if not segments:
        return None
    if len(segments) < 2:
        return "A single segment was fitted: the customers are described as one group."
    over = (
        "the missions they come for"
        if results.segment_level.raw.get("over") == "missions"
        else "what they buy"
    )
    text = (
        f"The customers fall into {len(segments)} segments by {over}. "
        f"{_largest(results, results.segment_level, 'of customers')}"
    )
    return f"{text}.{_spend(results, results.segment_level)}"


def _largest(results: Results, level: Level, of: str) -> str:
    named = [
        f"“{results.named(item, level.noun)}” ({words.share_of_all(item.get('weight'))})"
        for item in level.items[:3]
    ]
    return f"The largest {'are' if len(named) > 1 else 'is'} {words.listing(named)} {of}"


def _spend(results: Results, level: Level) -> str:
    """Who brings the most money, where that is another than the largest."""
    known = [item for item in level.items if words.is_number(item.get("share_amount"))]
    if not known:
        return ""
    top = max(known, key=lambda item: item["share_amount"])
    name = f"“{results.named(top, level.noun)}”" if top is not level.items[0] else "the largest"
    return f" Most is spent {'on' if level.noun == 'mission' else 'by'} {name}: {words.share_of_all(top['share_amount'])} of all spend."


def _customers(results: Results) -> str | None:
    held_out = results.held_out
    gain, error = held_out.get("gain"), held_out.get("gain_se")
    if not words.is_number(gain):
        return None
    if not words.is_number(error) or abs(gain) < 2 * error:
        return (
            "Knowing the customer makes no clear difference: later baskets are predicted about as well by "
            "one mix of missions for everybody as by a personal mix for each customer."
        )
    text = (
        f"Knowing the customer {'helps' if gain > 0 else 'does not help'}: with a personal mix of missions "
        f"for each customer, a typical later basket is {words.how_much_more_probable(gain)} than with one mix "
        "for everybody"
    )
    better = held_out.get("share_households_better_l1")
    if words.is_number(better):
        text += (
            f", and for {words.percent(better)} of customers the personal mix came closer to what they "
            "went on to buy"
        )
    return text + "."


def _trust(results: Results) -> str | None:
    sentences = [
        words.sentence(str(level.choice["sentence"]))
        for level in results.levels
        if level.part("bayes").get("inferred") and not level.part("bayes").get("at_most")
    ]
    told = len(sentences)
    for level in results.levels:
        text = stability_sentence(level, again=len(sentences) > told)
        sentences += [text] if text else []
    for level in results.levels:
        above = level.part("certainty").get("share_above_80")
        if words.is_number(above):
            sentences.append(
                f"{words.share_of_all(above)} of {level.unit}s belong to one {level.noun} with more than "
                f"80{words.NBSP}% certainty."
            )
    return " ".join(sentences) or None


def _change(results: Results) -> str | None:
    known = [level for level in results.levels if level.part("refresh")]
    sentences = [
        _refreshed(results, level, level.part("refresh"), again=level is not known[0]) for level in known
    ]
    return " ".join(sentences) or None


def _refreshed(results: Results, level: Level, refresh: Mapping[str, Any], *, again: bool) -> str:
    """What the comparison with the previous run found, for one level."""
    new = [item for item in level.items if item.get("number") in (refresh.get("new") or [])]
    drifted = [item for item in level.items if (item.get("previous") or {}).get("drifted")]
    parts = []
    if new:
        parts.append(f"{len(new)} new ({_quoted(results, level, new)})")
    if refresh.get("gone"):
        parts.append(f"{len(refresh['gone'])} gone ({_quoted(results, level, refresh['gone'])})")
    if drifted:
        parts.append(f"{len(drifted)} changed in content ({_quoted(results, level, drifted)})")
    share = f"{words.number(refresh.get('n_matched'))} of {len(level.items)} {level.key}"
    text = f"{'So have' if again else 'Since the previous run'} {share}{'' if again else ' have stayed recognisable'}"
    return (
        f"{text}; {words.listing(parts)}." if parts else f"{text}; none is new, gone or changed in content."
    )


def _quoted(results: Results, level: Level, items: Any) -> str:
    return words.listing([f"“{results.named(item, level.noun)}”" for item in items], limit=3)
