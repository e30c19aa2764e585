"""How many missions: the criteria against K, with the choice marked."""

from __future__ import annotations

from typing import Any

from mixtura.report import charts, words
from mixtura.report.charts import Chart
from mixtura.report.results import Level, Results
from mixtura.report.sections.number import inferred, number_warning

__all__ = ["context", "criteria", "edge_warning"]

_LINES = (
    ("bic", "BIC", charts.ACCENT, "circle"),
    ("icl", "ICL", charts.SECOND, "diamond"),
    ("aic", "AIC", charts.THIRD, "square"),
)


def context(results: Results) -> dict[str, Any] | None:
    """The sweep over the number of missions.

    Parameters
    ----------
    results : Results
        The results.

    Returns
    -------
    dict or None
        A sentence, up to two charts, and the table they were drawn from.
    """
    if not results.missions:
        return None
    return {
        "id": "choice",
        "title": "How many missions",
        "template": "choice.html.j2",
        "criteria": criteria(results.mission_level),
    }


def criteria(level: Level) -> dict[str, Any]:
    """The sweep over the number of missions or segments, for the template ``criteria.html.j2``.

    Parameters
    ----------
    level : Level
        Missions or segments.

    Returns
    -------
    dict
        A sentence, up to two charts, and the table they were drawn from.
    """
    rows = level.criteria
    later = f"How well later {level.unit}s are foreseen by one mix for everybody, higher is better"
    found = [
        (_criteria_chart(level), "The balance of fit and size, lower is better"),
        (_held_out_chart(level), later),
    ]
    return {
        "noun": level.noun,
        "unit": level.unit,
        "key": level.key,
        "sentence": words.sentence(str(level.choice.get("sentence") or _default(level))),
        "swept": len(rows) > 1,
        "warning": edge_warning(level),
        "inferred": inferred(level),
        "charts": [pair for pair in found if pair[0] is not None] if len(rows) > 1 else [],
        "shown": [
            (key, name) for key, name, _, _ in _LINES if any(words.is_number(row.get(key)) for row in rows)
        ],
        "rows": [dict(row, spread=_spread(row), n_starts=len(row.get("starts") or [])) for row in rows],
        "has_held_out": any(words.is_number(row.get("held_out")) for row in rows),
        "has_spread": any(_spread(row) is not None for row in rows),
        "chosen": level.chosen,
        "reasons": {
            "converged": "finished",
            "max_iter": "step limit",
            "time": "time limit",
            "interrupted": "interrupted",
        },
    }


def edge_warning(level: Level) -> str | None:
    """The remark that more (or fewer) missions or segments than tried might be better, or None."""
    if level.part("bayes"):
        return number_warning(level)
    tried = [int(row["n_components"]) for row in level.criteria]
    if not level.choice.get("at_edge") or not tried:
        return None
    if level.chosen >= max(tried):
        where, advice = (
            "the largest",
            f"More {level.key} might describe the {level.unit}s still better",
        )
    else:
        where, advice = "the smallest", f"Fewer {level.key} might do as well"
    return (
        f"The choice lies at the edge of what was tried: {level.chosen} is {where} number of {level.key} "
        f"compared. {advice}; repeat the run with a wider range before relying on the number."
    )


def _default(level: Level) -> str:
    criterion = str(level.choice.get("criterion") or "given")
    if criterion == "given":
        return f"The number of {level.key} was given: {level.chosen}"
    return f"{criterion.upper()} is lowest at {words.count(level.chosen, level.noun)}"


def _spread(row: Any) -> float | None:
    """Distance of the worst start from the best, in nats per basket."""
    values = [start.get("objective") for start in row.get("starts") or []]
    values = [value for value in values if words.is_number(value)]
    return max(values) - min(values) if len(values) > 1 else None


def _whole_ticks(level: Level) -> dict[str, Any]:
    """A tick at every number where they are few: there is no half a segment."""
    sizes = [row["n_components"] for row in level.criteria]
    return {"dtick": 1} if sizes and max(sizes) - min(sizes) <= 10 else {}


def _criteria_chart(level: Level) -> Chart | None:
    rows, chosen = level.criteria, level.chosen
    main = str(level.choice.get("criterion") or "bic")
    traces: list[dict[str, Any]] = []
    marked = None
    for key, name, colour, symbol in _LINES:
        known = [(row["n_components"], row[key]) for row in rows if words.is_number(row.get(key))]
        if len(known) < 2:
            continue
        lowest = min(value for _, value in known)
        heights = [value - lowest for _, value in known]
        deciding = key == main
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": f"{name} (decides)" if deciding else name,
                "x": [count for count, _ in known],
                "y": charts.rounded(heights, 1),
                "line": {
                    "color": colour,
                    "width": 3 if deciding else 1.5,
                    "dash": "solid" if deciding else "dot",
                },
                "marker": {"size": 8 if deciding else 6, "symbol": symbol},
                "hovertemplate": f"%{{x}} {level.key}<br>{name}: %{{y:,.0f}} above its lowest<extra></extra>",
            }
        )
        if deciding:
            marked = next(
                (height for (count, _), height in zip(known, heights, strict=True) if count == chosen), None
            )
    if not traces:
        return None
    if marked is not None:
        traces.append(_mark(chosen, marked))
    return Chart(
        name=_name(level, "criteria"),
        description=f"Criteria against the number of {level.key}; {chosen} is chosen.",
        data=traces,
        layout={
            "xaxis": charts.axis(f"Number of {level.key}", **_whole_ticks(level)),
            "yaxis": charts.axis("Above the lowest value", rangemode="tozero", tickformat="~s"),
            "legend": {"orientation": "h", "x": 0, "y": 1.1, "yanchor": "bottom"},
            "margin": {"l": 70, "r": 20, "t": 62, "b": 55},
            "shapes": [_rule(chosen)],
            "annotations": [_flag(chosen)],
        },
        narrow={"margin.l": 50, "margin.r": 8, "font.size": 12},
    )


def _held_out_chart(level: Level) -> Chart | None:
    chosen = level.chosen
    known = [
        (row["n_components"], row["held_out"])
        for row in level.criteria
        if words.is_number(row.get("held_out"))
    ]
    if len(known) < 2:
        return None
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "x": [count for count, _ in known],
            "y": charts.rounded([value for _, value in known]),
            "line": {"color": charts.ACCENT, "width": 2.5},
            "marker": {"size": 7},
            "hovertemplate": f"%{{x}} {level.key}<br>%{{y:.3f}} nats per later {level.unit}<extra></extra>",
        }
    ]
    if chosen in dict(known):
        traces.append(_mark(chosen, dict(known)[chosen]))
    return Chart(
        name=_name(level, "held-out"),
        description=f"Log-likelihood per later {level.unit} against the number of {level.key}; higher is better.",
        data=traces,
        layout={
            "xaxis": charts.axis(f"Number of {level.key}", **_whole_ticks(level)),
            "yaxis": charts.axis(f"Log-likelihood per later {level.unit}", tickformat="~r"),
            "showlegend": False,
            "shapes": [_rule(chosen)],
            "annotations": [_flag(chosen)],
        },
        narrow={"margin.l": 50, "margin.r": 8, "font.size": 12},
    )


def _name(level: Level, chart: str) -> str:
    return chart if level.key == "missions" else f"{level.noun}-{chart}"


def _mark(chosen: int, height: float) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [chosen],
        "y": [round(height, 4)],
        "cliponaxis": False,
        "showlegend": False,
        "hoverinfo": "skip",
        "marker": {"size": 17, "symbol": "circle-open", "color": charts.INK, "line": {"width": 2.5}},
    }


def _flag(chosen: int) -> dict[str, Any]:
    return {
        "x": chosen,
        "y": 1,
        "yref": "paper",
        "yanchor": "bottom",
        "text": f"<b>{chosen}</b> chosen",
        "showarrow": False,
        "font": {"size": 13, "color": charts.INK},
    }


def _rule(chosen: int) -> dict[str, Any]:
    return {
        "type": "line",
        "x0": chosen,
        "x1": chosen,
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "layer": "below",
        "line": {"color": charts.MUTED, "width": 1, "dash": "dash"},
    }
