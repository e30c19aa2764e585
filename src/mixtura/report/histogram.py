"""How sure assignments are: the histogram of the largest probability, for missions and for segments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mixtura.report import charts, words
from mixtura.report.charts import Chart
from mixtura.report.results import Level

__all__ = ["bins", "certainty_chart"]

_SURE = 0.8
_PALE = "#a9b6c4"


def bins(histogram: Mapping[str, Any]) -> list[tuple[float, float, float, float]]:
    """Rows of the histogram, from the first bin that holds anything.

    Parameters
    ----------
    histogram : mapping
        ``edges`` (n + 1 numbers) and ``counts`` (n numbers).

    Returns
    -------
    list of (float, float, float, float)
        Lower edge, upper edge, count and share; empty if nothing was counted.

    Examples
    --------
    >>> bins({"edges": [0.0, 0.5, 1.0], "counts": [0, 4]})
    [(0.5, 1.0, 4.0, 1.0)]
    """
    edges = [float(edge) for edge in histogram.get("edges") or []]
    counts = [float(n) if words.is_number(n) else 0.0 for n in histogram.get("counts") or []]
    total = sum(counts)
    if not total or len(edges) != len(counts) + 1:
        return []
    first = next(i for i, n in enumerate(counts) if n)
    return [(edges[i], edges[i + 1], counts[i], counts[i] / total) for i in range(first, len(counts))]


def certainty_chart(level: Level) -> Chart | None:
    """The histogram of a level's certainty as a chart, or None if there is none.

    Parameters
    ----------
    level : Level
        Missions or segments.

    Returns
    -------
    Chart or None
        Bars, those above 80 % in blue.
    """
    rows = bins(level.part("certainty").get("histogram") or {})
    if not rows:
        return None
    names = [f"{100 * low:.0f}–{100 * high:.0f}{words.NBSP}%" for low, high, _, _ in rows]
    return Chart(
        name=f"{level.noun}-certainty",
        description=(
            f"Histogram: {level.unit}s by the probability of their {level.noun}; the table below has the numbers."
        ),
        data=[
            {
                "type": "bar",
                "x": names,
                "y": charts.rounded([share for _, _, _, share in rows]),
                "marker": {"color": [charts.ACCENT if row[0] >= _SURE - 1e-9 else _PALE for row in rows]},
                "text": [words.share_of_all(share) for _, _, _, share in rows],
                "textposition": "outside",
                "cliponaxis": False,
                "customdata": [words.number(n) for _, _, n, _ in rows],
                "hovertemplate": f"%{{x}}: %{{customdata}} {level.unit}s<extra></extra>",
            }
        ],
        layout={
            "xaxis": charts.axis(f"Probability of the {level.noun}", type="category", showgrid=False),
            "yaxis": charts.axis(f"Share of {level.unit}s", tickformat=".0%", rangemode="tozero"),
            "bargap": 0.12,
            "margin": {"l": 66, "r": 16, "t": 26, "b": 60},
        },
        narrow={
            "margin.l": 44,
            "margin.r": 6,
            "font.size": 11,
            "height": 300,
            "yaxis.title.text": "",
            "xaxis.tickvals": list(range(len(rows))),
            "xaxis.ticktext": [f"{100 * low:.0f}" for low, _, _, _ in rows],
            "xaxis.title.text": f"Probability of the {level.noun}, from … {words.NBSP}%",
        },
        height=330,
        max_width=760,
    )
