"""How many missions or segments a Bayesian run inferred, and what fewer or more would have meant."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mixtura.report import charts, words
from mixtura.report.charts import Chart
from mixtura.report.results import Level

__all__ = ["inferred", "number_warning"]


def inferred(level: Level) -> dict[str, Any] | None:
    """What a Bayesian run says about its number, for the template ``inferred.html.j2``.

    Parameters
    ----------
    level : Level
        Missions or segments.

    Returns
    -------
    dict or None
        Sentences, a chart and a table; None for a run that is not Bayesian, or whose number was given.
    """
    part = level.part("bayes")
    rows = sorted(part.get("path") or [], key=lambda row: row["n_components"])
    if not part.get("inferred") or not rows:
        return None
    return {
        "sentences": [text for text in (_probability(level, part, rows), _others(level, part, rows)) if text],
        "chart": _chart(level, rows) if len(rows) > 1 else None,
        "caption": f"How much less probable a {level.unit} is with other numbers of {level.key}; lower is better",
        "rows": [{**row, "less": -math.expm1(-row["loss"])} for row in rows],
        "short": any(row.get("short") for row in rows),
        "approximation": part.get("approximation") == "bic",
    }


def number_warning(level: Level) -> str | None:
    """The remark that the largest number allowed was a limit, or None."""
    part = level.part("bayes")
    if not part.get("at_most"):
        return None
    return (
        f"The number of {level.key} is a choice rather than a finding: at most {words.number(part.get('most'))} were allowed, and the "
        f"evidence still rises there. The data can tell more {level.key} apart; allow more (--max-{level.key}) if so many are of use."
    )


def _probability(level: Level, part: Mapping[str, Any], rows: list[Any]) -> str | None:
    if len(rows) < 2:
        return None
    if part.get("at_most"):
        return (
            f"No probability is given to the number, since the limit decided it. Of the numbers looked at, {level.chosen} describes the "
            f"{level.unit}s best."
        )
    share = float(part.get("probability") or 0.0)
    sure = f"more than 99.9{words.NBSP}%" if share > 0.999 else words.percent(share)
    return (
        f"If all numbers were equally probable before, {words.count(level.chosen, level.noun)} would now have a probability of {sure} "
        "among those looked at. That is what the model makes of the data: it counts no doubt about the model itself, nor what the search "
        "may have missed."
    )


def _others(level: Level, part: Mapping[str, Any], rows: list[Any]) -> str | None:
    """The numbers that are practically as good, and what half as many would lose."""
    low, high = part.get("as_good") or (level.chosen, level.chosen)
    text = (
        f"From {low} to {high} {level.key}, a {level.unit} is at most 1{words.NBSP}% less probable than with the best number: any of "
        "these serves as well."
        if high > low
        else ""
    )
    half = min(rows, key=lambda row: abs(row["n_components"] - level.chosen / 2))
    if half["n_components"] < level.chosen and half["loss"] > 0.01:
        less = words.percent(-math.expm1(-half["loss"]), 0)
        text += f" With {words.count(half['n_components'], level.noun)}, it is {less} less probable."
    return text.strip() or None


def _chart(level: Level, rows: list[Any]) -> Chart:
    chosen = level.chosen
    less = [-math.expm1(-row["loss"]) for row in rows]
    span = rows[-1]["n_components"] - rows[0]["n_components"]
    return Chart(
        name="inferred" if level.key == "missions" else f"{level.noun}-inferred",
        description=f"How much less probable a {level.unit} is, against the number of {level.key}; {chosen} loses nothing.",
        data=[
            {
                "type": "scatter",
                "mode": "lines+markers",
                "x": [row["n_components"] for row in rows],
                "y": charts.rounded(less, 5),
                "line": {"color": charts.ACCENT, "width": 2.5},
                "marker": {"size": 7},
                "customdata": [words.percent(share) for share in less],
                "hovertemplate": f"%{{x}} {level.key}<br>a {level.unit} is %{{customdata}} less probable<extra></extra>",
            }
        ],
        layout={
            "xaxis": charts.axis(f"Number of {level.key}", **({"dtick": 1} if span <= 10 else {})),
            "yaxis": charts.axis(f"A {level.unit} is less probable by", rangemode="tozero", tickformat=".0%"),
            "showlegend": False,
            "shapes": [
                {
                    "type": "line",
                    "x0": chosen,
                    "x1": chosen,
                    "yref": "paper",
                    "y0": 0,
                    "y1": 1,
                    "layer": "below",
                    "line": {"color": charts.MUTED, "width": 1, "dash": "dash"},
                }
            ],
            "annotations": [
                {
                    "x": chosen,
                    "y": 1,
                    "yref": "paper",
                    "yanchor": "bottom",
                    "text": f"<b>{chosen}</b> inferred",
                    "showarrow": False,
                    "font": {"size": 13, "color": charts.INK},
                }
            ],
        },
        narrow={"margin.l": 50, "margin.r": 8, "font.size": 12},
    )
