"""What was done, step by step, without formulas."""

from __future__ import annotations

from typing import Any

from mixtura.report import words
from mixtura.report.results import Level, Results

__all__ = ["context"]

# Criteria whose letters say nothing.
_CALLED = {"bound": "the evidence that the data give for them"}


def context(results: Results) -> dict[str, Any]:
    """The steps of the run as titled paragraphs.

    Parameters
    ----------
    results : Results
        The results.

    Returns
    -------
    dict
        Pairs of a title and a paragraph.
    """
    steps = [_collect(results)]
    if results.missions:
        steps += [_group(), _count(results.mission_level), _personal(results)]
    if results.segments:
        steps += [_segment(results), _count(results.segment_level)]
    return {"id": "steps", "title": "What was done", "template": "steps.html.j2", "steps": steps}


def _collect(results: Results) -> tuple[str, str]:
    counted = str(results.data.get("value") or results.command.get("value") or "lines")
    unit = {"quantity": "items bought", "amount": "money spent"}.get(counted, "receipt lines")
    kept = (
        f" Only transactions with {results.data['filter']} were kept." if results.data.get("filter") else ""
    )
    return (
        "Baskets were collected",
        f"Every shopping basket became a list of categories with the {unit} in each.{kept}",
    )


def _group() -> tuple[str, str]:
    text = (
        "A mission is a typical composition of a basket. Every basket was given a probability for every "
        "mission, so a basket that is half one thing and half another counts for both. Sizes are sums of "
        "these probabilities, so the missions together make up all baskets."
    )
    return ("Similar baskets were grouped", text)


def _count(level: Level) -> tuple[str, str]:
    criterion = str(level.choice.get("criterion") or "")
    tried = [int(row["n_components"]) for row in level.criteria]
    if criterion == "given" or len(tried) < 2:
        return (
            f"The number of {level.key} was given",
            f"{words.count(len(level.items), level.noun)}, as asked for.",
        )
    called = _CALLED.get(criterion, criterion.upper())
    text = (
        f"{len(tried)} numbers from {min(tried)} to {max(tried)} were compared by {called}: it "
        f"rewards a close description of the {level.unit}s and charges for every additional {level.noun}."
    )
    return (f"The number of {level.key} was chosen", text)


def _segment(results: Results) -> tuple[str, str]:
    what = (
        "how many of their baskets belonged to each mission"
        if results.segment_level.raw.get("over") == "missions"
        else "how much they bought of each category"
    )
    text = (
        f"Customers were grouped by {what}. Customers of one segment may still differ from each other, so "
        "somebody with 400 baskets does not count as 400 opinions."
    )
    return ("Similar customers were grouped", text)


def _personal(results: Results) -> tuple[str, str]:
    text = (
        "Each customer has a personal mix of missions, learnt from their own baskets. Where there are only "
        "a few of "
        "them, it leans on the mix of all customers."
    )
    if results.held_out:
        text += (
            " The earlier baskets served for learning; the later ones were set aside to check predictions."
        )
    return ("Customers got a personal mix", text)
