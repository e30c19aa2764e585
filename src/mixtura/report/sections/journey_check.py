"""Phases against customers who never change: which foresees later periods better, and are the chances right."""

from __future__ import annotations

from typing import Any

from mixtura.report import charts, words
from mixtura.report.charts import Chart

__all__ = ["context"]

_NAMES = {
    "one": ("All customers alike", "One law for everybody."),
    "static": (
        "Customers who never change",
        "The static model: each customer's own rate of visits and own mix of basket types.",
    ),
    "phases": ("Phases alone", "The customer is known through the phase only."),
    "journeys": ("Journeys", "Visits by the phases; the own mix of basket types leans on that of the phase."),
}


def context(results: Any) -> dict[str, Any]:
    """The comparison on later periods, and foreseen chances against what came true.

    Parameters
    ----------
    results : JourneyResults
        The results.

    Returns
    -------
    dict
        Sentences, rows and a chart.
    """
    found = results.validation
    base = {
        "id": "check",
        "title": "Does it foresee what comes?",
        "template": "journey_check.html.j2",
        "unit": results.unit,
    }
    if not found:
        return base | {"available": False}
    rows = [
        {
            "name": _NAMES[row["key"]][0],
            "what": _NAMES[row["key"]][1],
            "chosen": row["key"] == "journeys",
            "static": row["key"] == "static",
            **{
                name: row.get(name)
                for name in ("log_likelihood", "gain", "gain_se", "visits", "visits_gain", "visits_gain_se")
            },
            **{name: row.get(name) for name in ("contents", "contents_gain", "contents_gain_se")},
        }
        for row in found["rows"]
    ]
    calibration = results.part("calibration")
    return base | {
        "available": True,
        "periods": words.listing(words.month(period) for period in found["periods"]),
        "n_customers": found["n_customers"],
        "n_baskets": found["n_baskets"],
        "verdict": _verdict(results),
        "rows": rows,
        "chart": _chart(calibration, results.unit) if calibration else None,
        "bins": [
            (title, calibration[key]["bins"])
            for key, title in _series(results.unit)
            if calibration and calibration.get(key)
        ],
    }


def _series(unit: str) -> tuple[tuple[str, str], ...]:
    return (("move", "Being in another phase"), ("absence", f"No visit in the {unit}"))


def _verdict(results: Any) -> list[str]:
    row, unit = results.checked("journeys"), results.unit
    sentences = []
    for key, what, unit_of in (
        ("gain", "Altogether", f"what a customer does in a {unit}"),
        ("visits_gain", "How often customers come", f"a customer's number of visits in a {unit}"),
        ("contents_gain", "What is in the baskets", "the content of a later basket"),
    ):
        gain, error = row.get(key), row.get(f"{key}_se")
        if not words.is_number(gain):
            continue
        if not words.is_number(error) or abs(gain) <= 2 * error:
            verdict = "phases and the static model do about equally well"
        else:
            better = "phases win" if gain > 0 else "the static model wins"
            verdict = f"{better}: with phases, {unit_of} is {words.how_much_more_probable(gain, error)}"
        sentences.append(f"{what}: {verdict}.")
    contents, visits = row.get("contents_gain"), row.get("visits_gain")
    if words.is_number(contents) and words.is_number(visits) and visits > 0 and contents < 0.01:
        sentences.append(
            "So what changes with time is how often customers come. What they buy stays their own: for offers on single products the "
            "customer's own mix of missions says as much."
        )
    return sentences


def _chart(calibration: Any, unit: str) -> Chart:
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "lines",
            "x": [0, 1],
            "y": [0, 1],
            "name": "Exactly right",
            "line": {"color": charts.MUTED, "width": 1, "dash": "dash"},
            "hoverinfo": "skip",
        }
    ]
    largest = 0.0
    for (key, title), colour, symbol in zip(
        _series(unit), (charts.ACCENT, charts.SECOND), ("circle", "diamond"), strict=True
    ):
        bins = (calibration.get(key) or {}).get("bins") or []
        largest = max([largest, *(max(b["foreseen"], b["seen"] + 2 * (b.get("seen_se") or 0)) for b in bins)])
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": title,
                "x": charts.rounded([b["foreseen"] for b in bins]),
                "y": charts.rounded([b["seen"] for b in bins]),
                "error_y": {
                    "type": "data",
                    "array": charts.rounded([1.96 * (b.get("seen_se") or 0) for b in bins]),
                    "color": colour,
                    "thickness": 1.5,
                    "width": 4,
                },
                "marker": {"color": colour, "size": 9, "symbol": symbol},
                "hovertemplate": "foreseen %{x:.1%}<br>came true %{y:.1%}<extra></extra>",
            }
        )
    top = min(1.0, 1.08 * largest) if largest else 1.0
    return Chart(
        name="journey-calibration",
        description=f"Chances foreseen for the next {unit} against the share that came true, for groups of customers.",
        data=traces,
        layout={
            "xaxis": charts.axis("Chance foreseen", tickformat=".0%", range=[0, top]),
            "yaxis": charts.axis("Came true", tickformat=".0%", range=[0, top]),
            "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
            "margin": {"l": 60, "r": 20, "t": 60, "b": 55},
        },
        narrow={"margin.l": 48, "margin.r": 8, "font.size": 11, "margin.t": 84},
        height=430,
        max_width=640,
    )
