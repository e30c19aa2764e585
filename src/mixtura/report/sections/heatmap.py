"""Missions against categories as a map of lifts."""

from __future__ import annotations

import math
from typing import Any

from mixtura.report import charts, groups, words
from mixtura.report.charts import Chart
from mixtura.report.results import Results

__all__ = ["context", "map_columns"]

_MAX_COLUMNS = 36  # about what a page is wide, at a readable size
_CAP = 3.0  # colours end at 2**3 = 8 times as common, and at an eighth
_SCALE = [
    # Most categories are rare on most missions: the lower half stays pale, so what is typical stands out.
    [0.0, "#ece0d2"],
    [0.25, "#f4ede5"],
    [0.5, "#fafaf9"],
    [0.66, "#b9d3ea"],
    [0.83, "#5b97cc"],
    [1.0, "#0d4a86"],
]
_TICKS = ((-3, "⅛ or less"), (-2, "¼"), (-1, "½"), (0, "as usual"), (1, "2×"), (2, "4×"), (3, "8× or more"))
_COLOUR_BAR = charts.colour_bar("How common in the mission, compared with all baskets", _TICKS, 430)


def context(results: Results) -> dict[str, Any] | None:
    """The map and its table.

    Parameters
    ----------
    results : Results
        The results.

    Returns
    -------
    dict or None
        A chart, and the same lifts as rows of a table.
    """
    if not results.missions:
        return None
    columns = map_columns(results)
    return {
        "id": "map",
        "title": "Missions and categories",
        "template": "heatmap.html.j2",
        "chart": _chart(results, columns) if columns and results.n_missions > 1 else None,
        "zoom": groups.zoom(results, groups.cuts(results, results.mission_level)),
        "n_columns": len(columns),
        "n_categories": len(results.categories),
        "columns": [results.label(results.categories[column]) for column in columns],
        "rows": [
            (
                mission.get("number"),
                results.label(mission.get("name")),
                [results.lift(index, c) for c in columns],
            )
            for index, mission in enumerate(results.missions)
        ],
    }


def map_columns(results: Results, limit: int = _MAX_COLUMNS) -> list[int]:
    """The categories of the map, in the order of the missions they are most typical of.

    Every mission brings its most typical categories, one per round, until `limit` are found; then the largest
    categories fill up. So every row of the map shows what sets its mission apart.

    Parameters
    ----------
    results : Results
        The results.
    limit : int, default 36
        How many at most.

    Returns
    -------
    list of int
        Indices into ``results.categories``.
    """
    index = {name: position for position, name in enumerate(results.categories)}
    tops = [
        [
            index[str(entry.get("category"))]
            for entry in mission.get("top") or []
            if str(entry.get("category")) in index
        ]
        for mission in results.missions
    ]
    chosen: dict[int, None] = {}
    for position in range(max(map(len, tops), default=0)):
        for top in tops:
            if position < len(top) and len(chosen) < limit:
                chosen.setdefault(top[position])
    by_size = sorted(range(len(index)), key=lambda c: -(results.category_share[c] or 0))
    for category in by_size:
        if len(chosen) < limit:
            chosen.setdefault(category)
    known = [c for c in chosen if any(results.lift(k, c) is not None for k in range(results.n_missions))]
    return sorted(known, key=lambda c: _most_typical_mission(results, c))


def _most_typical_mission(results: Results, category: int) -> tuple[int, float]:
    lifts = [results.lift(k, category) or 0.0 for k in range(results.n_missions)]
    best = max(range(len(lifts)), key=lifts.__getitem__)
    return best, -lifts[best]


def _chart(results: Results, columns: list[int]) -> Chart:
    names = [charts.plain(results.label(results.categories[c])) for c in columns]
    lifts = [[results.lift(k, c) for c in columns] for k in range(results.n_missions)]
    titles = [charts.plain(f"{m.get('number')} {results.label(m.get('name'))}") for m in results.missions]
    hover = [
        [
            f"<b>{title}</b><br>{name}: {words.lift(value)} as common as in all baskets"
            for name, value in zip(names, row, strict=True)
        ]
        for title, row in zip(titles, lifts, strict=True)
    ]
    rows = list(range(results.n_missions))
    ticks = [
        charts.plain(f"{charts.shorten(results.label(m.get('name')), 28)}  {m.get('number')}")
        for m in results.missions
    ]
    short = [charts.plain(charts.shorten(results.label(results.categories[c]), 22)) for c in columns]
    head = 34 + round(6.4 * max(len(name) for name in short))  # slanted labels above the map, pixels
    return Chart(
        name="map",
        description=(
            f"Heat map of {results.n_missions} missions by {len(columns)} categories: blue where a "
            "category is more "
            "common in the mission than in all baskets, brown where it is less common."
        ),
        data=[
            {
                "type": "heatmap",
                "x": list(range(len(columns))),
                "y": rows,
                "z": [charts.rounded([_colour(value) for value in row], 2) for row in lifts],
                "text": hover,
                "hovertemplate": "%{text}<extra></extra>",
                "hoverongaps": False,
                "coloraxis": "coloraxis",
                "xgap": 1.5,
                "ygap": 1.5,
            }
        ],
        layout={
            "coloraxis": {"cmin": -_CAP, "cmax": _CAP, "colorscale": _SCALE, "colorbar": _COLOUR_BAR},
            "margin": {"l": 240, "r": 64, "t": head, "b": 85},
            "font": {"family": charts.FONT, "size": 12, "color": charts.INK},
            "xaxis": {
                "side": "top",
                "tickangle": -60,
                "tickvals": list(range(len(columns))),
                "ticktext": short,
                "fixedrange": True,
                "showgrid": False,
                "zeroline": False,
                "ticks": "",
            },
            "yaxis": {
                "autorange": "reversed",
                "tickvals": rows,
                "ticktext": ticks,
                "ticklabelstandoff": 9,
                "fixedrange": True,
                "showgrid": False,
                "zeroline": False,
                "ticks": "",
            },
        },
        narrow={
            "margin.l": 34,
            "coloraxis.colorbar.len": 250,
            "coloraxis.colorbar.title.text": "Compared with all baskets",
            "coloraxis.colorbar.tickvals": [-_CAP, 0, _CAP],
            "coloraxis.colorbar.ticktext": ["⅛ or less", "as usual", "8× or more"],
            "yaxis.ticktext": [str(mission.get("number")) for mission in results.missions],
        },
        height=head + 95 + max(24 * results.n_missions, 48),
        min_width=150 + 17 * len(columns),
    )


def _colour(value: float | None) -> float | None:
    if value is None:
        return None
    return max(-_CAP, min(_CAP, math.log2(value))) if value > 0 else -_CAP
