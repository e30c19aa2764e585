"""Missions over time: the share of visits each makes up, month by month."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

from mixtura.report import charts, groups, words
from mixtura.report.charts import Chart
from mixtura.report.results import Results

__all__ = ["changes", "context", "whole_periods"]

_MAX_LINES = 12
_CERTAIN = 3.0  # standard errors: of fifty missions, about one in seven runs would show one by chance


def context(results: Results) -> dict[str, Any] | None:
    """Shares of visits by period.

    Parameters
    ----------
    results : Results
        The results.

    Returns
    -------
    dict or None
        A chart, the table, and what rose and fell; None without times or with one period.
    """
    timeline = results.mission_level.part("timeline")
    periods, shares = list(timeline.get("periods") or []), timeline.get("shares") or []
    if len(periods) < 2 or len(shares) != len(periods):
        return None
    n_baskets = list(timeline.get("n_baskets") or [])
    whole = whole_periods(n_baskets, len(periods))
    left_out = [words.month(period) for t, period in enumerate(periods) if t not in whole]
    periods, shares = [periods[t] for t in whole], [shares[t] for t in whole]
    n_baskets = [n_baskets[t] for t in whole] if n_baskets else []
    found = groups.cuts(results, results.mission_level)
    names = [results.named(mission) for mission in results.missions]
    numbers = [mission.get("number") for mission in results.missions]
    risen, fallen = changes(shares, n_baskets)
    return {
        "id": "timeline",
        "title": "Missions over time",
        "template": "timeline.html.j2",
        "chart": _chart(found, names, [words.month(period) for period in periods], shares),
        "zoom": groups.zoom(results, found),
        "shares": {
            "shares": [charts.rounded(row) for row in shares],
            "names": [charts.plain(n) for n in names],
        },
        "periods": [words.month(period) for period in periods],
        "n_baskets": n_baskets,
        "rows": [(numbers[k], names[k], [row[k] for row in shares]) for k in range(len(names))],
        "risen": [_sentence(f"{numbers[k]} {names[k]}", before, after) for k, before, after in risen],
        "fallen": [_sentence(f"{numbers[k]} {names[k]}", before, after) for k, before, after in fallen],
        "span": _span(len(periods)),
        "left_out": words.listing(left_out),
    }


def whole_periods(n_baskets: Sequence[Any], n_periods: int) -> list[int]:
    """Positions of the periods with enough visits to speak of shares: a tenth of the usual number.

    Data seldom start on the first of a month and end on the last; a month of one day would look like a turn.

    Parameters
    ----------
    n_baskets : sequence of T numbers
        Visits in each period; without them every period counts as whole.
    n_periods : int
        Number of periods T.

    Returns
    -------
    list of int
        Positions, in order.

    Examples
    --------
    >>> whole_periods([900, 1000, 1100, 12], 4), whole_periods([], 2)
    ([0, 1, 2], [0, 1])
    """
    if len(n_baskets) != n_periods or not n_baskets:
        return list(range(n_periods))
    usual = statistics.median(n_baskets)
    return [t for t, n in enumerate(n_baskets) if n >= usual / 10]


def changes(
    shares: Sequence[Sequence[float]], n_baskets: Sequence[float], limit: int = 3
) -> tuple[list[tuple[int, float, float]], list[tuple[int, float, float]]]:
    """What rose and what fell between the first and the last quarter of the periods by more than chance.

    Parameters
    ----------
    shares : sequence of T sequences of K floats
        Shares of visits.
    n_baskets : sequence of T floats
        Visits in each period; without them nothing is said.
    limit : int, default 3
        How many of each to return.

    Returns
    -------
    risen, fallen : list of (int, float, float)
        Position, share before and share after; the largest change first.

    Examples
    --------
    >>> changes([[0.5, 0.5], [0.9, 0.1]], [1000, 1000])
    ([(0, 0.5, 0.9)], [(1, 0.5, 0.1)])
    >>> changes([[0.5, 0.5], [0.51, 0.49]], [100, 100])
    ([], [])
    """
    if len(n_baskets) != len(shares) or not shares:
        return [], []
    width = _span(len(shares))
    early, late = range(width), range(len(shares) - width, len(shares))
    n_early, n_late = (sum(n_baskets[t] for t in part) for part in (early, late))
    if not n_early or not n_late:
        return [], []
    moved = []
    for k in range(len(shares[0])):
        before = sum(shares[t][k] * n_baskets[t] for t in early) / n_early
        after = sum(shares[t][k] * n_baskets[t] for t in late) / n_late
        pooled = (before * n_early + after * n_late) / (n_early + n_late)
        error = math.sqrt(max(pooled * (1 - pooled), 0.0) * (1 / n_early + 1 / n_late))
        if error > 0 and abs(after - before) > _CERTAIN * error:
            moved.append((k, before, after))
    moved.sort(key=lambda entry: -abs(entry[2] - entry[1]))
    return (
        [entry for entry in moved if entry[2] > entry[1]][:limit],
        [entry for entry in moved if entry[2] < entry[1]][:limit],
    )


def _span(n_periods: int) -> int:
    return max(1, n_periods // 4)


def _sentence(name: str, before: float, after: float) -> str:
    return f"{name}: {words.percent(before)} → {words.percent(after)}"


def _chart(found: list[groups.Cut], names: list[str], periods: list[str], shares: Any) -> Chart:
    """Stacked shares of groups; without groups, of missions, the smallest added up."""
    if found:
        cut = found[groups.opening(found)]
        layers = [
            (charts.plain(name), members, cut.colours[group])
            for group, (name, members) in enumerate(zip(cut.names, cut.members(), strict=True))
        ]
    else:
        n_shown = len(names) if len(names) <= groups.MANY else _MAX_LINES
        layers = [(charts.plain(name), [k], k) for k, name in enumerate(names[:n_shown])]
        if n_shown < len(names):
            layers.append(("All others", list(range(n_shown, len(names))), n_shown))
    data = [
        {
            "type": "scatter",
            "mode": "lines",
            "stackgroup": "all",
            "name": charts.shorten(name, 60),
            "x": periods,
            "y": charts.rounded([sum(row[k] for k in members) for row in shares]),
            "line": {"width": 1, "color": "#ffffff"},
            "fillcolor": charts.PALETTE[colour % len(charts.PALETTE)],
            "hovertemplate": "%{y:.1%}",
        }
        for name, members, colour in layers
    ]
    return Chart(
        name="timeline",
        description="Share of visits by period, one band for every mission or group of missions.",
        data=data,
        layout={
            "xaxis": charts.axis("", type="category", showgrid=False, tickangle=0, nticks=12),
            "yaxis": charts.axis("Share of visits", tickformat=".0%", rangemode="tozero"),
            "hovermode": "x unified",
            "showlegend": False,
            "margin": {"l": 60, "r": 12, "t": 10, "b": 40},
        },
        narrow={"margin.l": 44, "font.size": 11, "xaxis.nticks": 4},
        height=400,
    )
