"""How many customers were in which phase, period by period."""

from __future__ import annotations

from typing import Any

from mixtura.report import charts, words
from mixtura.report.charts import Chart

__all__ = ["context"]


def context(results: Any) -> dict[str, Any] | None:
    """Shares of the phases by period.

    Parameters
    ----------
    results : JourneyResults
        The results.

    Returns
    -------
    dict or None
        A chart and its table; None with a single phase.
    """
    timeline = results.part("timeline")
    shares = timeline.get("shares") or []
    if len(results.phases) < 2 or len(shares) < 2:
        return None
    periods = [words.month(period) for period in timeline["periods"]]
    n_train = int(results.header.get("n_train_periods") or len(periods))
    names = [f"{phase['number']} {results.named(phase)}" for phase in results.phases]
    data = [
        {
            "type": "scatter",
            "mode": "lines",
            "stackgroup": "all",
            "name": charts.plain(charts.shorten(name, 60)),
            "x": periods,
            "y": charts.rounded([row[k] for row in shares]),
            "line": {"width": 1, "color": "#ffffff"},
            "fillcolor": results.colour(int(results.phases[k]["number"])),
            "hovertemplate": "%{y:.1%}",
        }
        for k, name in reversed(list(enumerate(names)))
    ]
    chart = Chart(
        name="journey-timeline",
        description=f"Share of customers in every phase, {results.unit} by {results.unit}.",
        data=data,
        layout={
            "xaxis": charts.axis("", type="category", showgrid=False, tickangle=0, nticks=12),
            "yaxis": charts.axis("Share of customers", tickformat=".0%", range=[0, 1]),
            "hovermode": "x unified",
            "showlegend": False,
            "margin": {"l": 60, "r": 12, "t": 10, "b": 40},
        },
        narrow={"margin.l": 44, "font.size": 11, "xaxis.nticks": 4},
        height=380,
    )
    return {
        "id": "over-time",
        "title": "The phases over time",
        "template": "journey_timeline.html.j2",
        "chart": chart,
        "unit": results.unit,
        "legend": [
            (name, results.colour(int(phase["number"])))
            for name, phase in zip(names, results.phases, strict=True)
        ],
        "names": names,
        "rows": [
            (period, timeline["n_customers"][t], timeline["n_baskets"][t], shares[t])
            for t, period in enumerate(periods)
        ],
        "later": periods[n_train] if n_train < len(periods) else None,
    }
