"""What was done, step by step, without formulas."""

from __future__ import annotations

from typing import Any

from mixtura.report import words
from mixtura.report.results import Results

__all__ = ["context"]


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
    return {
        "id": "steps",
        "title": "What was done",
        "template": "steps.html.j2",
        "steps": [_collect(results), _group(), _count(results), _personal(results)],
    }


def _collect(results: Results) -> tuple[str, str]:
    unit = "items bought" if results.command.get("value") == "quantity" else "receipt lines"
    kept = (
        f" Only transactions with {results.data['filter']} were kept." if results.data.get("filter") else ""
    )
    return (
        "Baskets were collected",
        f"Every shopping basket became a list of categories with its number of {unit} in each.{kept}",
    )


def _group() -> tuple[str, str]:
    text = (
        "A mission is a typical composition of a basket. Every basket was given a probability for every "
        "mission, so a basket that is half one thing and half another counts for both. Sizes are sums of "
        "these probabilities, so the missions together make up all baskets."
    )
    return ("Similar baskets were grouped", text)


def _count(results: Results) -> tuple[str, str]:
    criterion = str(results.mission_level.choice.get("criterion") or "")
    tried = [int(row["n_components"]) for row in results.mission_level.criteria]
    if criterion == "given" or len(tried) < 2:
        return (
            "The number of missions was given",
            f"{words.count(results.n_missions, 'mission')}, as asked for.",
        )
    text = (
        f"{len(tried)} numbers from {min(tried)} to {max(tried)} were compared by {criterion.upper()}: it "
        "rewards a close description of the baskets and charges for every additional mission."
    )
    return ("The number of missions was chosen", text)


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
