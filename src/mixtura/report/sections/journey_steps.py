"""What was done in a run of journeys, step by step, without formulas."""

from __future__ import annotations

from typing import Any

from mixtura.report import words

__all__ = ["context"]


def context(results: Any) -> dict[str, Any]:
    """The steps of the run as titled paragraphs.

    Parameters
    ----------
    results : JourneyResults
        The results.

    Returns
    -------
    dict
        Pairs of a title and a paragraph.
    """
    unit, n_types = results.unit, len(results.header.get("types") or [])
    types = results.header.get("design") == "types"
    steps = [
        (
            "Visits were put on a calendar",
            f"Every customer has a row for every {unit} since the first visit, also where there was none: how many visits, and which kind.",
        ),
        (
            "Visits were sorted by what is bought",
            f"{words.count(n_types, 'basket type')}: typical contents of a basket. Each customer has a mix of their own.",
        ),
        (
            "Phases were learnt",
            f"A phase is what stays alike for some {unit}s: how often one comes{' and what for' if types else ''}. "
            f"From {unit} to {unit} customers stay in it or move on, with chances that were learnt from all of them."
            + (
                ""
                if types
                else " What is in the baskets belongs to the customer more than to the phase: it describes phases and does not make them."
            ),
        ),
    ]
    if results.validation:
        later = words.listing(words.month(period) for period in results.validation["periods"])
        steps.append(
            (
                "It was checked",
                (
                    f"Learning stopped before {later}. These were then foreseen {unit} by {unit}, and compared with a model of customers "
                    "who never change."
                ),
            )
        )
    return {"id": "steps", "title": "What was done", "template": "steps.html.j2", "steps": steps}
