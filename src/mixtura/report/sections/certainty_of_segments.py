"""How sure every customer's segment is, and how many segments there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mixtura.report import words
from mixtura.report.histogram import bins, certainty_chart
from mixtura.report.results import Results
from mixtura.report.sections.choice import criteria

__all__ = ["context"]


def context(results: Results) -> dict[str, Any] | None:
    """Certainty, and the number of segments with and without regard to habits of the single customer.

    Parameters
    ----------
    results : Results
        The results.

    Returns
    -------
    dict or None
        Sentences, a histogram and a table; None without segments.
    """
    segments = results.segments
    if not segments:
        return None
    level = results.segment_level
    several = len(segments) > 1
    certainty = level.part("certainty") if several else {}
    return {
        "id": "segment-certainty",
        "title": "How sure the segments are" if several else "How many segments",
        "several": several,
        "template": "certainty_of_segments.html.j2",
        "certainty": _certainty(certainty),
        "chart": certainty_chart(level) if several else None,
        "bins": bins(certainty.get("histogram") or {}),
        "rows": _rows(results) if several else [],
        "criteria": criteria(level),
        "overdispersion": _overdispersion(results),
    }


def _certainty(part: Mapping[str, Any]) -> list[str]:
    share, mean = part.get("share_above_80"), part.get("mean")
    if not words.is_number(share):
        return []
    verdict = (
        "The segment of most customers is clear"
        if share >= 0.7
        else "Many customers stand between segments"
        if share < 0.4
        else "For about half of the customers the segment is clear"
        if share < 0.6
        else "For more than half of the customers the segment is clear"
    )
    average = f" (on average {words.share_of_all(mean)})" if words.is_number(mean) else ""
    return [
        f"{verdict}: {words.share_of_all(share)} belong to theirs with a probability above 80{words.NBSP}%{average}.",
        (
            "Every customer has a probability for every segment; the segment named is the most probable one. A "
            "low probability means few visits, or habits between two segments: treat such customers as both."
        ),
    ]


def _rows(results: Results) -> list[dict[str, Any]]:
    """What is known of every segment's certainty."""
    return [
        {
            "number": segment["number"],
            "name": results.named(segment, "segment"),
            "certainty": segment.get("certainty"),
            "n_assigned": segment.get("n_customers_assigned"),
        }
        for segment in results.segments
    ]


def _overdispersion(results: Results) -> list[str]:
    """How many segments there would be if visits of one customer were unrelated, and why that matters."""
    part = results.segment_level.part("overdispersion").get("multinomial") or {}
    without = part.get("n_components")
    if not words.is_number(without):
        return []
    n = results.n_segments
    tried = [int(row["n_components"]) for row in part.get("criteria") or []]
    at_edge = part.get("at_edge", True) and len(tried) > 1 and without >= max(tried)
    more = " or more" if at_edge else ""
    why = (
        "A customer with 400 visits is one customer with habits, not 400 independent opinions, and the "
        "segments allow for that."
    )
    if without > n:
        then = (
            f"Without it, the same rule would ask for {words.number(without)}{more} segments instead of "
            f"{n}: some of them would describe the habits of single busy customers rather than kinds of customers."
        )
    elif without < n:
        then = f"Without it, the same rule would find {words.number(without)} segments instead of {n}."
    else:
        then = f"Here it makes no difference to their number: without it, the same rule finds {n} as well."
    return [why, then]
