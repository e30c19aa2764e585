"""How many phases, and by what they differ: forecasts against the number."""

from __future__ import annotations

from typing import Any

from mixtura.report import charts, words
from mixtura.report.charts import Chart

__all__ = ["context"]

_DESIGNS = {"visits": "how often", "types": "how often and what for"}


def context(results: Any) -> dict[str, Any]:
    """The chains that were tried.

    Parameters
    ----------
    results : JourneyResults
        The results.

    Returns
    -------
    dict
        A sentence, a chart, and the table it was drawn from.
    """
    rows = sorted(
        results.header.get("criteria") or [], key=lambda row: (str(row.get("design")), row["n_components"])
    )
    choice = results.part("choice")
    criterion = str(choice.get("criterion") or "")
    key = "held_out" if criterion in ("forecast", "given", "") else criterion
    return {
        "id": "choice",
        "title": "How many phases",
        "template": "journey_choice.html.j2",
        "sentence": words.sentence(str(choice.get("sentence") or f"{len(results.phases)} phases")),
        "criterion": criterion,
        "unit": results.unit,
        "chart": _chart(rows, key, results.unit) if len(rows) > 1 else None,
        "rows": [{**row, "words": _DESIGNS.get(str(row.get("design")), row.get("design"))} for row in rows],
        "caption": f"Log-likelihood of a customer's next {results.unit}, foreseen: higher is better"
        if key == "held_out"
        else f"{key.upper()}: lower is better",
    }


def _chart(rows: list[Any], key: str, unit: str) -> Chart | None:
    traces: list[dict[str, Any]] = []
    for design, colour, symbol in (("visits", charts.ACCENT, "circle"), ("types", charts.SECOND, "diamond")):
        known = [
            (row["n_components"], row[key])
            for row in rows
            if row.get("design") == design and words.is_number(row.get(key))
        ]
        if known:
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines+markers",
                    "name": f"Phases by {_DESIGNS[design]}",
                    "x": [number for number, _ in known],
                    "y": charts.rounded([value for _, value in known]),
                    "line": {"color": colour, "width": 2.5},
                    "marker": {"size": 7, "symbol": symbol},
                    "hovertemplate": "%{x} phases<br>%{y:.3f}<extra></extra>",
                }
            )
    if not traces:
        return None
    chosen = next((row for row in rows if row.get("chosen")), None)
    if chosen is not None and words.is_number(chosen.get(key)):
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": "Chosen",
                "x": [chosen["n_components"]],
                "y": charts.rounded([chosen[key]]),
                "cliponaxis": False,
                "hoverinfo": "skip",
                "marker": {"size": 17, "symbol": "circle-open", "color": charts.INK, "line": {"width": 2.5}},
            }
        )
    return Chart(
        name="journey-numbers",
        description=f"How well the next {unit} is foreseen, against the number of phases.",
        data=traces,
        layout={
            "xaxis": charts.axis("Number of phases", dtick=1),
            "yaxis": charts.axis("", tickformat="~r"),
            "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
            "margin": {"l": 70, "r": 20, "t": 56, "b": 55},
        },
        narrow={"margin.l": 56, "margin.r": 8, "font.size": 11, "margin.t": 84},
        height=340,
    )
