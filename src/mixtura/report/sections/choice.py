"""How many missions: the criteria against K, with the choice marked."""

from __future__ import annotations

from typing import Any

from mixtura.report import charts, words
from mixtura.report.charts import Chart
from mixtura.report.results import Results
from mixtura.report.sections.summary import edge_warning

__all__ = ["context"]

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
    rows = results.mission_level.criteria
    found = [_criteria_chart(results), _held_out_chart(results)] if len(rows) > 1 else []
    return {
        "id": "choice",
        "title": "How many missions",
        "template": "choice.html.j2",
        "sentence": words.sentence(str(results.mission_level.choice.get("sentence") or _default(results))),
        "swept": len(rows) > 1,
        "warning": edge_warning(results),
        "charts": [chart for chart in found if chart is not None],
        "shown": [
            (key, name) for key, name, _, _ in _LINES if any(words.is_number(row.get(key)) for row in rows)
        ],
        "rows": [dict(row, spread=_spread(row), n_starts=len(row.get("starts") or [])) for row in rows],
        "has_held_out": any(words.is_number(row.get("held_out")) for row in rows),
        "has_spread": any(_spread(row) is not None for row in rows),
        "chosen": _chosen(results),
        "reasons": {
            "converged": "finished",
            "max_iter": "step limit",
            "time": "time limit",
            "interrupted": "interrupted",
        },
    }


def _chosen(results: Results) -> int:
    return int(results.mission_level.choice.get("n_components") or results.n_missions)


def _default(results: Results) -> str:
    criterion = str(results.mission_level.choice.get("criterion") or "given")
    if criterion == "given":
        return f"The number of missions was given: {_chosen(results)}"
    return f"{criterion.upper()} is lowest at {words.count(_chosen(results), 'mission')}"


def _spread(row: Any) -> float | None:
    """Distance of the worst start from the best, in nats per basket."""
    values = [start.get("objective") for start in row.get("starts") or []]
    values = [value for value in values if words.is_number(value)]
    return max(values) - min(values) if len(values) > 1 else None


def _criteria_chart(results: Results) -> Chart | None:
    rows, chosen = results.mission_level.criteria, _chosen(results)
    main = str(results.mission_level.choice.get("criterion") or "bic")
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
                "hovertemplate": f"%{{x}} missions<br>{name}: %{{y:,.0f}} above its lowest<extra></extra>",
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
        name="criteria",
        description=f"Criteria against the number of missions; {chosen} is chosen.",
        data=traces,
        layout={
            "xaxis": charts.axis("Number of missions"),
            "yaxis": charts.axis("Above the lowest value", rangemode="tozero", tickformat="~s"),
            "legend": {"orientation": "h", "x": 0, "y": 1.1, "yanchor": "bottom"},
            "margin": {"l": 70, "r": 20, "t": 62, "b": 55},
            "shapes": [_rule(chosen)],
            "annotations": [_flag(chosen)],
        },
        narrow={"margin.l": 50, "margin.r": 8, "font.size": 12},
    )


def _held_out_chart(results: Results) -> Chart | None:
    chosen = _chosen(results)
    known = [
        (row["n_components"], row["held_out"])
        for row in results.mission_level.criteria
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
            "hovertemplate": "%{x} missions<br>%{y:.3f} nats per later basket<extra></extra>",
        }
    ]
    if chosen in dict(known):
        traces.append(_mark(chosen, dict(known)[chosen]))
    return Chart(
        name="held-out",
        description="Log-likelihood per later basket against the number of missions; higher is better.",
        data=traces,
        layout={
            "xaxis": charts.axis("Number of missions"),
            "yaxis": charts.axis("Log-likelihood per later basket", tickformat="~r"),
            "showlegend": False,
            "shapes": [_rule(chosen)],
            "annotations": [_flag(chosen)],
        },
        narrow={"margin.l": 50, "margin.r": 8, "font.size": 12},
    )


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
