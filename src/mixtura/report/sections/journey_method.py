"""Method, terms and settings of a run of journeys, for those who want to check."""

from __future__ import annotations

from typing import Any

from mixtura.report import words
from mixtura.report.sections.method import setting

__all__ = ["context"]

_TERMS = (
    (
        "Phase",
        "What stays alike for some time in what a customer does. Customers of one phase come about as often as each other.",
    ),
    ("Basket type", "A typical composition of a basket: a share for every category."),
    (
        "Share of customers",
        "The sum of the customers' probabilities of being in the phase, over all customers.",
    ),
    (
        "Stays",
        "The average length of a stay in the phase, counted from its begin: one over the chance of leaving it.",
    ),
    (
        "Chance to move",
        (
            "The probability that the customer is not in the present phase by the next period. It is high where the phase is often left, "
            "and where the last visits already look like another phase."
        ),
    ),
    (
        "Lift",
        "The share of a category among the lines bought in the phase, divided by its share among all lines.",
    ),
    (
        "Log-likelihood, nat",
        "How well something is foreseen, as the logarithm of its probability. 0.1 nats more make it 11 % more probable.",
    ),
    (
        "Standard error",
        (
            "The uncertainty from having seen these customers and not others. It is paired, and everything of one customer counts as one "
            "observation."
        ),
    ),
)
_NAMES = {
    "items": "Item table",
    "n_types": "Basket types to try",
    "n_phases": "Phases to try",
    "random_state": "Seed",
    "seconds_types": "Basket types, seconds",
    "seconds_phases": "Phases, seconds",
    "test_fraction": "Share of periods set aside",
    "value": "What is counted",
    "where": "Filter",
    "over": "Phases by",
}


def context(results: Any) -> dict[str, Any]:
    """Terms, settings and remarks.

    Parameters
    ----------
    results : JourneyResults
        The results.

    Returns
    -------
    dict
        Rows of the glossary and of the settings, and the run's notes.
    """
    return {
        "id": "method",
        "title": "Method and settings",
        "template": "journey_method.html.j2",
        "terms": _TERMS,
        "unit": results.unit,
        "by_types": results.header.get("design") == "types",
        "settings": [
            (_NAMES.get(str(name), str(name).replace("_", " ").capitalize()), setting(value))
            for name, value in results.command.items()
            if value is not None
        ],
        "notes": results.notes,
        "version": str(results.header.get("mixtura_version") or words.UNKNOWN),
        "created": words.date(results.header.get("created"), clock=True),
    }
