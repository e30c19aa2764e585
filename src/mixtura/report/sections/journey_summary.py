"""The findings of a run of journeys in plain words, before anything else."""

from __future__ import annotations

from typing import Any

from mixtura.report import words

__all__ = ["context", "stays"]

_LONG = 60  # periods from which on a stay is "for good" to people


def context(results: Any) -> dict[str, Any]:
    """What a reader in a hurry should know.

    Parameters
    ----------
    results : JourneyResults
        The results.

    Returns
    -------
    dict
        Sentences with the question each answers, and warnings.
    """
    found = (
        ("The data", _data(results)),
        ("Phases", _phases(results)),
        (f"Next {results.unit}", _next(results)),
        ("Staying", _staying(results)),
        ("Can I rely on it?", _check(results)),
    )
    choice = results.part("choice")
    edge = (
        f"{len(results.phases)} is the largest number of phases that was tried; more may be better still. Repeat it with a wider range."
        if choice.get("at_edge")
        else None
    )
    return {
        "id": "summary",
        "title": "In short",
        "template": "summary.html.j2",
        "findings": [(title, text) for title, text in found if text],
        "warnings": [edge] if edge else [],
    }


def stays(dwell: Any, unit: str) -> str:
    """How long a phase lasts, in words.

    Examples
    --------
    >>> stays(8.3, "month"), stays(1.2, "week"), stays(None, "month")
    ('about 8 months', 'about 1 week', 'for good')
    """
    if not words.is_number(dwell) or dwell > _LONG:
        return "for good" if not words.is_number(dwell) else f"more than {_LONG} {unit}s"
    return f"about {words.count(max(round(dwell), 1), unit)}"


def _data(results: Any) -> str:
    data = results.data
    when = words.period(data.get("first_time"), data.get("last_time"))
    return (
        f"{words.count(data.get('n_baskets'), 'visit')} of {words.count(data.get('n_customers'), 'customer')}"
        f"{f' from {when}' if when else ''}, {results.unit} by {results.unit}; {results.unit}s without a visit count too."
    )


def _phases(results: Any) -> str:
    phases = results.phases
    if len(phases) < 2:
        return "A single phase was fitted: the customers are described as if nothing changed."
    largest = sorted(phases, key=lambda phase: -(phase.get("weight") or 0))[:3]
    named = [f"“{results.named(phase)}” ({words.share_of_all(phase.get('weight'))})" for phase in largest]
    return f"Customers go through {len(phases)} phases. Most are now in {words.listing(named)}."


def _next(results: Any) -> str | None:
    phases = results.phases
    moving = [
        (float(phase["weight_next"]) - float(phase["weight"]), phase)
        for phase in phases
        if words.is_number(phase.get("weight_next")) and words.is_number(phase.get("weight"))
    ]
    if len(moving) < 2:
        return None
    total = sum(
        float(row)
        for index, line in enumerate(results.header.get("flows") or [])
        for j, row in enumerate(line)
        if j != index
    )
    grows, shrinks = max(moving, key=lambda pair: pair[0]), min(moving, key=lambda pair: pair[0])
    n_customers = float(results.data.get("n_customers") or 0)
    text = ""
    if total > 0 and n_customers:
        about = f"{words.count(round(total), 'customer')} ({words.share_of_all(total / n_customers)})"
        text = f"About {about} are expected to be in another phase. "
    if grows[0] >= 0.0005:
        text += (
            f"“{results.named(grows[1])}” grows from {words.percent(grows[1]['weight'])} to {words.percent(grows[1]['weight_next'])}, "
            f"“{results.named(shrinks[1])}” goes from {words.percent(shrinks[1]['weight'])} to {words.percent(shrinks[1]['weight_next'])}."
        )
    else:
        text += "The sizes of the phases stay as they are: as many come as go."
    return text


def _staying(results: Any) -> str | None:
    known = [phase for phase in results.phases if words.is_number(phase.get("dwell"))]
    if len(known) < 2:
        return None
    longest, shortest = (
        max(known, key=lambda phase: phase["dwell"]),
        min(known, key=lambda phase: phase["dwell"]),
    )
    return (
        f"Who enters “{results.named(longest)}” stays {stays(longest['dwell'], results.unit)} on average; "
        f"“{results.named(shortest)}” is left soonest, after {stays(shortest['dwell'], results.unit)}."
    )


def _check(results: Any) -> str | None:
    row = results.checked("journeys")
    gain, error = row.get("gain"), row.get("gain_se")
    if not words.is_number(gain):
        return None
    if not words.is_number(error) or abs(gain) <= 2 * error:
        text = "Later visits are foreseen about as well by phases as by a model of customers who never change"
    else:
        text = f"Later visits are foreseen {'better' if gain > 0 else 'worse'} by phases than by a model of customers who never change"
        text += f": what a customer does in a {results.unit} is {words.how_much_more_probable(gain)}"
    absence = results.part("calibration").get("absence") or {}
    if words.is_number(absence.get("foreseen")) and words.is_number(absence.get("seen")):
        text += (
            f". A {results.unit} without a visit was expected of {words.percent(absence['foreseen'])} of customers, "
            f"and came true for {words.percent(absence['seen'])}"
        )
    return text + "."
