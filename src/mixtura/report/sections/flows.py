"""The segments over time: their share of visits by month, and who moved between the first and the second half."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mixtura.report import charts, words
from mixtura.report.charts import Chart
from mixtura.report.results import Results
from mixtura.report.sections import features
from mixtura.report.sections.moves import moves
from mixtura.report.sections.timeline import whole_periods

__all__ = ["context"]

_DATE = re.compile(r"\d{4}-\d{2}(-\d{2})?")
_NOTICEABLE = 0.01  # a point of all visits
_PANEL = 108  # pixels
_GAP = 0.52  # between two panels, for the months of the upper and the title of the lower: a share of a panel


def context(results: Results) -> dict[str, Any] | None:
    """Shares of visits by month, and moves between segments.

    Parameters
    ----------
    results : Results
        The results.

    Returns
    -------
    dict or None
        Whichever of the two is known; None if neither, or with a single segment.
    """
    if results.n_segments < 2:
        return None
    timeline = _timeline(results)
    flows = _flows(results)
    if timeline is None and flows is None:
        return None
    return {
        "id": "segment-time",
        "title": "Segments over time",
        "template": "flows.html.j2",
        "timeline": timeline,
        "flows": flows,
        "segments": [(s["number"], results.named(s, "segment")) for s in results.segments],
    }


def _flows(results: Results) -> dict[str, Any] | None:
    part = results.segment_level.part("flows")
    if not part:
        return None
    by_name = {str(s.get("name")): str(s["number"]) for s in results.segments}
    names = [(by_name.get(str(name), ""), results.label(name)) for name in part["names"]]
    found = moves(
        "segment-flows",
        names,
        names,
        part["counts"],
        ("first half", "second half"),
        "are in the same segment",
    )
    halves = [
        f"{when}, {_span(str(part[key]))}"
        for when, key in (("the first half", "from_label"), ("the second", "to_label"))
        if part.get(key)
    ]
    return None if found is None else {**found, "halves": f" ({'; '.join(halves)})" if halves else ""}


def _span(label: str) -> str:
    """A period with its dates in words."""
    return " to ".join(words.date(end) if _DATE.fullmatch(end) else end for end in label.split(" to "))


def _timeline(results: Results) -> dict[str, Any] | None:
    part = results.segment_level.part("timeline")
    periods = [str(period) for period in part.get("periods") or []]
    if len(periods) < 2 or len(part.get("shares") or []) != len(periods):
        return None
    whole = whole_periods(part.get("n_baskets") or [], len(periods))
    if len(whole) < 2:
        return None
    whole = list(range(whole[0], whole[-1] + 1))  # a gap within stays a gap
    periods = [periods[position] for position in whole]
    columns = {
        key: [part[key][position] for position in whole] for key in ("n_baskets", "shares") if part.get(key)
    }
    part = {**part, **columns, "periods": periods}
    series = [list(values) for values in zip(*part["shares"], strict=True)]
    return {
        "chart": _panels(results, _unit(part), periods, series),
        "unit": _unit(part),
        "sentence": _trend(results, part, series),
        "rows": list(
            zip(map(words.month, periods), part.get("n_baskets") or [], part["shares"], strict=False)
        ),
    }


def _trend(results: Results, part: Mapping[str, Any], series: list[list[Any]]) -> str:
    """The largest gain and loss between the first and the last quarter of the months."""
    size = max(len(series[0]) // 4, 1)
    visits = [float(n) if words.is_number(n) else 0.0 for n in part.get("n_baskets") or []]
    visits = visits if len(visits) == len(series[0]) else [1.0] * len(series[0])

    def mean(values: list[Any], window: slice) -> float:
        total = sum(visits[window])
        pairs = zip(values[window], visits[window], strict=True)
        return sum((value or 0.0) * n for value, n in pairs) / total if total else 0.0

    names = features.titles(results)
    changes = []
    for segment, values in zip(results.segments, series, strict=True):
        first, last = mean(values, slice(0, size)), mean(values, slice(-size, None))
        changes.append((last - first, first, last, int(segment["number"])))
    gained, lost = max(changes), min(changes)
    unit = _unit(part)
    when = f"first and the last {unit}" if size == 1 else f"first {size} and the last {size} {unit}s"
    parts = [
        f"segment {number} “{names[number]}” {verb} most, from {words.percent(first)} of visits to "
        f"{words.percent(last)}"
        for verb, (change, first, last, number) in (("grew", gained), ("shrank", lost))
        if abs(change) >= _NOTICEABLE
    ]
    if not parts:
        return f"Between the {when}, no segment's share of visits changed by a point or more."
    return f"Between the {when}: {'; '.join(parts)}. A season can look like a trend."


def _unit(part: Mapping[str, Any]) -> str:
    unit = part.get("unit") or "month"
    return str(unit) if unit in {"month", "week", "day"} else "period"


def _panels(results: Results, unit: str, periods: list[str], series: list[list[Any]]) -> Chart:
    """One small chart per segment, all on the same scale."""
    dated = all(_DATE.fullmatch(period) for period in periods)
    tick = "%b %y" if len(periods[0]) == len("2017-01") else "%d %b"
    top = 1.12 * max((value or 0.0 for values in series for value in values), default=0.0) or 1.0
    traces: list[dict[str, Any]] = []
    layout: dict[str, Any] = {"margin": {"l": 44, "r": 14, "t": 26, "b": 34}, "showlegend": False}
    annotations: list[dict[str, Any]] = []
    narrow: dict[str, Any] = {"margin.l": 36, "font.size": 11, "height": _height(len(series), 2)}
    for position, (segment, values) in enumerate(zip(results.segments, series, strict=True)):
        suffix = str(position + 1) if position else ""
        title = f"{segment['number']} {results.named(segment, 'segment')}"
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "x": [f"{period}-01"[:10] for period in periods] if dated else periods,
                "y": charts.rounded(values),
                "xaxis": f"x{suffix}",
                "yaxis": f"y{suffix}",
                "fill": "tozeroy",
                "fillcolor": "rgba(27, 94, 158, 0.13)",
                "line": {"color": charts.ACCENT, "width": 2},
                "marker": {"size": 4},
                "text": [
                    f"<b>{charts.plain(title)}</b><br>{charts.plain(words.month(period))}: {words.percent(value)} of visits"
                    for period, value in zip(periods, values, strict=True)
                ],
                "hovertemplate": "%{text}<extra></extra>",
            }
        )
        wide, slim = _place(position, len(series), 3), _place(position, len(series), 2)
        layout[f"xaxis{suffix}"] = {
            **charts.axis("", nticks=4, domain=wide[0], anchor=f"y{suffix}", showgrid=False, tickangle=0),
            **({"type": "date", "tickformat": tick} if dated else {"type": "category"}),
        }
        layout[f"yaxis{suffix}"] = charts.axis(
            "", range=[0, round(top, 4)], nticks=4, tickformat=".0%", domain=wide[1], anchor=f"x{suffix}"
        )
        narrow[f"xaxis{suffix}.domain"], narrow[f"yaxis{suffix}.domain"] = slim
        narrow[f"xaxis{suffix}.nticks"] = 3
        annotations.append(
            {
                "x": wide[0][0],
                "y": wide[1][1],
                "xref": "paper",
                "yref": "paper",
                "xanchor": "left",
                "yanchor": "bottom",
                "text": f"<b>{charts.plain(charts.shorten(title, 25))}</b>",
                "showarrow": False,
                "font": {"size": 12, "color": charts.INK},
            }
        )
        narrow[f"annotations.{position}.x"] = slim[0][0]
        narrow[f"annotations.{position}.y"] = slim[1][1]
        narrow[f"annotations.{position}.font.size"] = 11
        narrow[f"annotations.{position}.text"] = f"<b>{charts.plain(charts.shorten(title, 16))}</b>"
    layout["annotations"] = annotations
    return Chart(
        name="segment-months",
        description=f"Share of visits by {unit}, one small chart for each of {len(series)} segments.",
        data=traces,
        layout=layout,
        narrow=narrow,
        height=_height(len(series), 3),
    )


def _height(n_panels: int, n_columns: int) -> int:
    n_rows = -(-n_panels // n_columns)
    return round(66 + _PANEL * (n_rows + _GAP * (n_rows - 1)))


def _place(position: int, n_panels: int, n_columns: int) -> tuple[list[float], list[float]]:
    """Where a panel stands, as shares of the width and of the height."""
    wide = n_columns > 2
    n_columns = min(n_columns, n_panels)
    n_rows = -(-n_panels // n_columns)
    column, row = position % n_columns, position // n_columns
    between = 0.07 if wide else 0.14
    width = (1 - between * (n_columns - 1)) / n_columns
    height = 1 / (n_rows + _GAP * (n_rows - 1))
    left, upper = column * (width + between), 1 - row * height * (1 + _GAP)
    return (
        [round(left, 4), round(left + width, 4)],
        [round(max(upper - height, 0.0), 4), round(upper, 4)],
    )
