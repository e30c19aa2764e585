"""Method, terms and settings, for those who want to check."""

from __future__ import annotations

from typing import Any

from mixtura.report import words
from mixtura.report.results import Results

__all__ = ["context", "setting"]

_TERMS = (
    (
        "Mission",
        ("A typical composition of a basket: a share for every category. What one goes shopping for."),
    ),
    (
        "Share of baskets",
        (
            "The sum of the baskets' probabilities for the mission, over all baskets learnt from. It "
            "need not be a whole number of baskets, because a basket may belong to several missions "
            "in part."
        ),
    ),
    (
        "Lift",
        (
            "The share of a category among the lines of the mission, divided by its share among all "
            "lines. 4× means four times as common as usual; 1× is as common as everywhere."
        ),
    ),
    (
        "Support",
        ("How many lines of the data stand behind a lift. High lifts with little support are left out."),
    ),
    (
        "Range of a lift",
        (
            "Drawing other customers from the same population, the lift would lie in this range 95 times in "
            "100. Baskets of one customer are alike, so customers are drawn, not baskets."
        ),
    ),
    (
        "Segment",
        (
            "A group of customers who come for similar missions (or buy similar categories). Every customer "
            "has a probability for every segment; sizes are sums of these."
        ),
    ),
    (
        "Distance",
        (
            "Of two missions or segments: the differences of their shares, without sign, added up. 0 is the "
            "same, 2 is nothing in common."
        ),
    ),
    (
        "Adjusted Rand index",
        (
            "How far two groupings put the same pairs together: 1 is the same grouping, 0 is what chance "
            "gives."
        ),
    ),
    (
        "Main mission",
        "The mission with the largest weight in a customer's own mix.",
    ),
    (
        "BIC, ICL, AIC",
        (
            "Scores of a number of missions, lower is better: each rewards a close description of the "
            "baskets and charges for size. AIC charges least; ICL also wants baskets to belong "
            "clearly to one mission."
        ),
    ),
    (
        "Log-likelihood, nat",
        (
            "How well later baskets are foreseen, as the logarithm of their probability. 0.1 nats "
            "more per basket mean that a typical basket is 11 % more probable."
        ),
    ),
    (
        "Error of a customer",
        (
            "The distance between the shares of categories foreseen and those bought later, added up "
            "over the categories: 0 is exactly right, 2 is completely wrong."
        ),
    ),
    (
        "Standard error",
        (
            "The uncertainty from having seen these baskets and not others. It is paired: both "
            "predictions are compared on the same baskets."
        ),
    ),
)

_BAYESIAN = (
    (
        "Evidence, bound",
        (
            "The probability of the data, averaged over all values that the profiles and mixes may have: it falls when a "
            "model has more than the data ask for. Its logarithm is known up to a bound from below."
        ),
    ),
    (
        "Range of a share, of a size",
        "Given what was seen, the value lies in this range with a probability of 95 %, if the model is right.",
    ),
    (
        "Entropy of a membership",
        "How undecided it is: 0 is one sure answer, 1 is all alike.",
    ),
)

_NAMES = {
    "bayes": "Numbers inferred (--bayes)",
    "items": "Item table",
    "max_missions": "Missions, at most",
    "max_segments": "Segments, at most",
    "n_missions": "Missions to try",
    "random_state": "Seed",
    "seconds_households": "Customers, seconds",
    "seconds_sweep": "Missions, seconds",
    "test_fraction": "Share set aside",
    "value": "What is counted",
    "where": "Filter",
}


def context(results: Results) -> dict[str, Any]:
    """Terms, settings and remarks.

    Parameters
    ----------
    results : Results
        The results.

    Returns
    -------
    dict
        Rows of the glossary and of the settings, and the run's notes.
    """
    return {
        "id": "method",
        "title": "Method and settings",
        "template": "method.html.j2",
        "terms": (*_TERMS, *_BAYESIAN) if any(level.part("bayes") for level in results.levels) else _TERMS,
        "missions": bool(results.missions),
        "bayes": any(level.part("bayes") for level in results.levels),
        "prior_lines": results.mission_level.part("bayes").get("prior_lines"),
        "segments": bool(results.segments),
        "over": results.segment_level.raw.get("over"),
        "tree": bool(results.mission_level.part("tree") or results.segment_level.part("tree")),
        "stability": any(level.part("stability") for level in results.levels),
        "settings": [
            (_NAMES.get(str(name), str(name).replace("_", " ").capitalize()), setting(value))
            for name, value in results.command.items()
            if value is not None
        ],
        "notes": results.notes,
        "version": str(results.header.get("mixtura_version") or words.UNKNOWN),
        "created": words.date(results.header.get("created"), clock=True),
    }


def setting(value: Any) -> str:
    """A value of an option, as it is written on the page."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(str(entry) for entry in value)
    return str(value)
