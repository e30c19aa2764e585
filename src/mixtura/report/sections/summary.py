"""The findings in plain words, before anything else."""

from __future__ import annotations

from typing import Any

from mixtura.report import words
from mixtura.report.results import Results

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
        Sentences, and the figures of the head of the page.
    """
    return {
        "id": "summary",
        "title": "In short",
        "template": "summary.html.j2",
        "findings": [text for text in (_data(results), _missions(results), _customers(results)) if text],
        "warning": edge_warning(results),
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


def _missions(results: Results) -> str:
    missions = results.missions
    if len(missions) < 2:
        return "A single mission was fitted: the page describes the average basket."
    weights = [float(mission.get("weight") or 0) for mission in missions]
    named = [
        f"“{results.label(mission.get('name'))}” ({words.share_of_all(weight)})"
        for mission, weight in zip(missions[:3], weights[:3], strict=True)
    ]
    text = (
        f"The baskets fall into {len(missions)} missions: typical reasons for going shopping. "
        f"The largest {'are' if len(named) > 1 else 'is'} {words.listing(named)} of all baskets"
    )
    if len(missions) > 12:
        text += f"; the ten largest together hold {words.share_of_all(sum(weights[:10]))}"
    return text + "."


def _customers(results: Results) -> str | None:
    held_out = results.held_out
    gain, error = held_out.get("gain"), held_out.get("gain_se")
    if not words.is_number(gain):
        return None
    if not words.is_number(error) or abs(gain) < 2 * error:
        return (
            "Knowing the customer makes no clear difference: later baskets are predicted about as well by "
            "one mix of "
            "missions for everybody as by a personal mix for each customer."
        )
    text = (
        f"Knowing the customer {'helps' if gain > 0 else 'does not help'}: with a personal mix of missions "
        "for each "
        f"customer, a typical later basket is {words.how_much_more_probable(gain)} than with one mix for "
        "everybody"
    )
    better = held_out.get("share_households_better_l1")
    if words.is_number(better):
        text += (
            f", and for {words.percent(better)} of customers the personal mix came closer to what they "
            "went on to buy"
        )
    return text + "."


def edge_warning(results: Results) -> str | None:
    """The remark that more (or fewer) missions than tried might be better, or None."""
    tried = [int(row["n_components"]) for row in results.mission_level.criteria]
    if not results.mission_level.choice.get("at_edge") or not tried:
        return None
    chosen = int(results.mission_level.choice.get("n_components") or results.n_missions)
    if chosen >= max(tried):
        where, advice = "the largest", "More missions might describe the baskets still better"
    else:
        where, advice = "the smallest", "Fewer missions might do as well"
    return (
        f"The choice lies at the edge of what was tried: {chosen} is {where} number of missions compared. "
        f"{advice}; repeat the run with a wider range before relying on the number."
    )
