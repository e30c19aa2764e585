"""Single customers: what they come for, when, and what they bought later."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from mixtura.report import charts, words
from mixtura.report.charts import Chart
from mixtura.report.results import Results
from mixtura.report.sections import features
from mixtura.report.sections.features import Features

__all__ = ["context"]

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_N_BARS = 9
_N_STRIPS = 8  # missions with a line of their own in the chart of visits
_OTHER, _UNCLEAR, _ANY = "Other missions", "Mission unclear", "Visits"


def context(results: Results) -> dict[str, Any] | None:
    """The sampled customers with everything their view shows.

    Parameters
    ----------
    results : Results
        The results.

    Returns
    -------
    dict or None
        Charts without data, the data of every customer, and a list of them; None without a sample.
    """
    sample = results.segment_level.part("customers").get("sample") or []
    if not sample or not results.segments:
        return None
    found = features.of_segments(results)
    names = features.titles(results)
    ordered = sorted(sample, key=lambda one: (one.get("segment") or math.inf, _natural(one.get("customer"))))
    clock = _clock([visit[0] for one in ordered for visit in one.get("visits") or []])
    people = [_person(results, one, found, clock) for one in ordered]
    unit, nouns = found.unit, found.nouns
    return {
        "id": "customers",
        "title": "Customer by customer",
        "template": "customers.html.j2",
        "n_sampled": len(people),
        "noun": found.noun,
        "unit": unit,
        "groups": _groups(people, names),
        "has_visits": any(person["visits"] for person in people),
        "has_missions": any(visit[1] is not None for one in ordered for visit in one.get("visits") or []),
        "has_later": any(person["later"] for person in people),
        "split": words.date(results.data.get("split_time")) if results.data.get("split_time") else None,
        "value": {"quantity": "Items", "amount": "Spend"}.get(str(results.data.get("value")), "Lines"),
        "profile": _profile_chart(unit, nouns),
        "visits": _visits_chart(clock, results.data.get("split_time")),
        "view": {
            "unit": unit,
            "learnt": bool(results.data.get("split_time")),
            "segments": {str(number): name for number, name in names.items()},
            "people": people,
        },
    }


def _natural(customer: Any) -> tuple[int, float, str]:
    """Numbers in their order, then text."""
    return (0, customer, "") if words.is_number(customer) else (1, 0.0, str(customer))


def _groups(people: Sequence[Mapping[str, Any]], names: Mapping[int, str]) -> list[dict[str, Any]]:
    """The customers of the chooser by segment, each with its position in the data."""
    groups: dict[int, list[tuple[int, Mapping[str, Any]]]] = {}
    for position, person in enumerate(people):
        groups.setdefault(int(person["segment"] or 0), []).append((position, person))
    return [
        {"number": number, "name": names.get(number, ""), "people": members}
        for number, members in groups.items()
    ]


def _person(results: Results, one: Mapping[str, Any], found: Features, clock: str) -> dict[str, Any]:
    number = int(one.get("segment") or 0)
    segment = next((s for s in results.segments if int(s["number"]) == number), None)
    probabilities = [
        (int(s["number"]), float(p))
        for s, p in zip(results.segments, one.get("probabilities") or [], strict=False)
        if words.is_number(p)
    ]
    probabilities.sort(key=lambda pair: -pair[1])
    strips, visits = _visits(results, one, found, clock)
    return {
        "id": str(one.get("customer")),
        "segment": number,
        "sure": [[s, words.share_of_all(p)] for s, p in probabilities[:3] if p >= 0.005],
        "n": words.number(one.get("n_baskets")),
        "bars": _bars(one, segment, found),
        "strips": strips,
        "visits": visits,
        "later": _later(results, one.get("later")),
    }


def _bars(one: Mapping[str, Any], segment: Mapping[str, Any] | None, found: Features) -> list[list[Any]]:
    """Name, own share, share of the segment and of all, and expected share, for the largest of them."""
    own = one.get("shares") or [None] * len(found.names)
    expected = one.get("expected") or [None] * len(found.names)
    typical = segment["profile"] if segment else [None] * len(found.names)

    def size(f: int) -> float:
        mine, theirs = own[f] or 0.0, typical[f] or 0.0
        return float(max(mine, 0.6 * theirs))  # the customer's own come first

    chosen = sorted(range(len(found.names)), key=lambda f: -size(f))[:_N_BARS]
    chosen.sort(key=lambda f: (-(own[f] or 0.0), -(typical[f] or 0.0)))
    return [
        [found.names[f], *charts.rounded([own[f], typical[f], found.share[f], expected[f]])]
        for f in chosen
        if size(f) > 0
    ]


def _visits(
    results: Results, one: Mapping[str, Any], found: Features, clock: str
) -> tuple[list[str], list[list[Any]]]:
    """The lines of the strip chart from the most frequent mission on, and time, line, certainty of each visit."""
    visits = one.get("visits") or []
    names = {int(mission["number"]): results.named(mission) for mission in results.missions}
    if not names and found.noun == "mission":
        names = dict(enumerate(found.names, start=1))
    if all(visit[1] is None for visit in visits):
        names_of = [_ANY] * len(visits)
    else:
        frequent = Counter(visit[1] for visit in visits if visit[1] is not None).most_common()
        own = {number for number, _ in frequent[: _N_STRIPS if len(frequent) > _N_STRIPS + 1 else None]}
        names_of = [
            _UNCLEAR
            if visit[1] is None
            else names.get(int(visit[1]), f"Mission {visit[1]}")
            if visit[1] in own
            else _OTHER
            for visit in visits
        ]
    counted = Counter(names_of)
    strips = sorted(counted, key=lambda name: (name in {_OTHER, _UNCLEAR}, -counted[name], name))
    place = {name: position for position, name in enumerate(strips)}
    return strips, [
        [
            _moment(visit[0], position, clock),
            place[name],
            round(visit[2], 2) if words.is_number(visit[2]) else None,
        ]
        for position, (visit, name) in enumerate(zip(visits, names_of, strict=True))
    ]


def _clock(times: Sequence[Any]) -> str:
    """What the times of visits are: ``"date"``, ``"number"``, or ``"order"`` where they are neither."""
    if all(isinstance(time, str) and _DATE.match(time) for time in times):
        return "date"
    try:
        finite = all(math.isfinite(float(time)) for time in times)
    except (TypeError, ValueError):
        return "order"
    return "number" if finite else "order"


def _moment(time: Any, position: int, clock: str) -> str | float:
    if clock == "date":
        return str(time)[:10]
    return float(time) if clock == "number" else position + 1


def _later(results: Results, later: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not later or not later.get("top"):
        return None
    return {
        "n": words.count(later.get("n_baskets"), "later basket"),
        "rows": [
            [
                results.label(entry.get("category")),
                words.number(entry.get("n"), 0 if float(entry.get("n") or 0).is_integer() else 1),
                *charts.rounded([entry.get("share"), entry.get("predicted_share")]),
            ]
            for entry in later["top"]
        ],
    }


def _profile_chart(unit: str, nouns: str) -> Chart:
    marker = {"size": 11, "line": {"color": "#ffffff", "width": 1}}
    return Chart(
        name="customer-profile",
        description=f"Shares of the customer's {unit} by {nouns}, with those of the segment and of all customers.",
        data=[
            {
                "type": "bar",
                "name": "This customer",
                "orientation": "h",
                "x": [],
                "y": [],
                "marker": {"color": charts.ACCENT},
                "hovertemplate": "This customer: %{x:.1%}<extra></extra>",
            },
            {
                "type": "scatter",
                "mode": "markers",
                "name": "Their segment",
                "x": [],
                "y": [],
                "marker": {**marker, "color": charts.SECOND, "symbol": "diamond"},
                "hovertemplate": "Their segment: %{x:.1%}<extra></extra>",
            },
            {
                "type": "scatter",
                "mode": "markers",
                "name": "All customers",
                "x": [],
                "y": [],
                "marker": {**marker, "size": 9, "color": charts.INK, "symbol": "circle"},
                "hovertemplate": "All customers: %{x:.1%}<extra></extra>",
            },
        ],
        layout={
            "margin": {"l": 232, "r": 14, "t": 44, "b": 52},
            "bargap": 0.38,
            "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
            "xaxis": charts.axis(f"Share of {unit}", tickformat=".0%", rangemode="tozero"),
            "yaxis": {
                "autorange": "reversed",
                "fixedrange": True,
                "showgrid": False,
                "zeroline": False,
                "ticks": "",
                "ticklabelstandoff": 6,
            },
        },
        narrow={"margin.l": 128, "margin.r": 8, "margin.t": 78, "font.size": 11, "legend.x": -0.62},
        height=400,
    )


def _visits_chart(clock: str, split: Any) -> Chart:
    layout: dict[str, Any] = {
        "margin": {"l": 232, "r": 14, "t": 12, "b": 46},
        "showlegend": False,
        "xaxis": charts.axis("", type="date", tickangle=0)
        if clock == "date"
        else charts.axis("Time" if clock == "number" else "Visit, first to last"),
        "yaxis": {
            "fixedrange": True,
            "gridcolor": charts.GRID,
            "zeroline": False,
            "ticks": "",
            "ticklabelstandoff": 6,
        },
    }
    if clock == "date" and split is not None:
        layout["shapes"] = [
            {
                "type": "line",
                "x0": str(split)[:10],
                "x1": str(split)[:10],
                "yref": "paper",
                "y0": 0,
                "y1": 1,
                "line": {"color": charts.INK, "width": 1.5, "dash": "dash"},
            }
        ]
    return Chart(
        name="customer-visits",
        description="Visits of the customer over time, one line per mission.",
        data=[
            {
                "type": "scatter",
                "mode": "markers",
                "x": [],
                "y": [],
                "text": [],
                "hovertemplate": "%{text}<extra></extra>",
                "cliponaxis": False,
                "marker": {
                    "symbol": "line-ns",
                    "size": 17,
                    "opacity": [],
                    "line": {"color": charts.ACCENT, "width": 2.5},
                },
            }
        ],
        layout=layout,
        narrow={"margin.l": 128, "margin.r": 8, "font.size": 11, "xaxis.nticks": 3},
        height=300,
    )
