"""Segments against missions as a map of lifts, and the segments themselves on a plane."""

from __future__ import annotations

import math
from typing import Any

from mixtura.report import charts, words
from mixtura.report.charts import Chart
from mixtura.report.results import Results
from mixtura.report.sections import features
from mixtura.report.sections.features import Features
from mixtura.report.sections.mission_map import bubbles

__all__ = ["context", "rows_of_map"]

_MAX_ROWS = 36  # about two screens; what tells the segments apart comes first
_CAP = 2.0  # colours end at 2**2 = 4 times as common, and at a quarter
_SCALE = [
    # As in the map of the missions the lower half stays pale, so what is typical stands out; the upper end is
    # light enough for the dark figures on it (contrast 5 to 1).
    [0.0, "#e6d3bb"],
    [0.25, "#f1e7da"],
    [0.5, "#fafaf9"],
    [0.75, "#b4d3ee"],
    [1.0, "#5f9fd6"],
]
_TICKS = ((-2, "¼ or less"), (-1, "½"), (0, "as usual"), (1, "2×"), (2, "4× or more"))
_COLOUR_BAR = charts.colour_bar("Share in the segment, compared with all customers", _TICKS, 390)


def context(results: Results) -> dict[str, Any] | None:
    """The heat map, the plane, and the tables of both.

    Parameters
    ----------
    results : Results
        The results.

    Returns
    -------
    dict or None
        Charts and rows of two tables; None with fewer than two segments.
    """
    if results.n_segments < 2:
        return None
    found = features.of_segments(results)
    rows = rows_of_map(results, found)
    profiles = [[float(value or 0) for value in segment["profile"]] for segment in results.segments]
    plane, error = _plane(results, profiles) if results.n_segments > 2 else (None, 0.0)
    return {
        "id": "segment-map",
        "title": f"Segments and {found.nouns}",
        "template": "segment_map.html.j2",
        "noun": found.noun,
        "unit": found.unit,
        "segments": [(s["number"], results.named(s, "segment")) for s in results.segments],
        "heat": _heat(results, found, rows) if rows else None,
        "n_rows": len(rows),
        "n_features": len(found.names),
        "nouns": found.nouns,
        "rows": [
            (
                found.names[f],
                [(s["profile"][f], found.lift(s["profile"], f)) for s in results.segments],
                found.share[f],
            )
            for f in rows
        ],
        "plane": plane,
        "agreement": _agreement(error),
        "common": [[_common(a, b) for b in profiles] for a in profiles],
        "closest": _closest(results, profiles, found),
    }


def rows_of_map(results: Results, found: Features, limit: int = _MAX_ROWS) -> list[int]:
    """The features of the map, in the order of the segments they are most typical of.

    Kept are those that tell the segments apart best: by share among all customers times the spread of the
    lift, so neither rarities nor what everybody does alike take the place.

    Parameters
    ----------
    results : Results
        The results.
    found : Features
        Their features.
    limit : int, default 36
        How many at most.

    Returns
    -------
    list of int
        Indices into the features.
    """
    profiles = [segment["profile"] for segment in results.segments]

    def lifts(feature: int) -> list[float]:
        return [found.lift(profile, feature) or 0.0 for profile in profiles]

    known = [f for f in range(len(found.names)) if words.is_number(found.share[f]) and found.share[f] > 0]
    telling = sorted(known, key=lambda f: -found.share[f] * (max(lifts(f)) - min(lifts(f))))[:limit]

    def place(feature: int) -> tuple[int, float]:
        values = lifts(feature)
        best = max(range(len(values)), key=values.__getitem__)
        return best, -values[best]

    return sorted(telling, key=place)


def _heat(results: Results, found: Features, rows: list[int]) -> Chart:
    segments = results.segments
    names = [charts.plain(results.named(segment, "segment")) for segment in segments]
    numbers = [str(segment["number"]) for segment in segments]
    lifts = [[found.lift(segment["profile"], f) for segment in segments] for f in rows]
    hover = [
        [
            f"<b>Segment {number} {name}</b><br>{charts.plain(found.names[f])}: "
            f"{words.percent(segment['profile'][f])} of {found.unit}, {words.lift(value)} as much as usual"
            for number, name, segment, value in zip(numbers, names, segments, row, strict=True)
        ]
        for f, row in zip(rows, lifts, strict=True)
    ]
    shown = [[_cell(segment["profile"][f]) for segment in segments] for f in rows]
    short = [
        charts.plain(charts.shorten(f"{s['number']} {results.named(s, 'segment')}", 24)) for s in segments
    ]
    head = 22 + round(4.3 * max(len(name) for name in short))  # slanted labels above the map, pixels
    wide = len(segments) * 46
    return Chart(
        name="segment-features",
        description=(
            f"Heat map of {len(rows)} {found.nouns} by {len(segments)} segments: blue where the segment has "
            "more of it than all customers, brown where it has less."
        ),
        data=[
            {
                "type": "heatmap",
                "x": list(range(len(segments))),
                "y": list(range(len(rows))),
                "z": [charts.rounded([_colour(value) for value in row], 2) for row in lifts],
                "text": shown,
                "texttemplate": "%{text}",
                "textfont": {"size": 11, "color": charts.INK},
                "customdata": hover,
                "hovertemplate": "%{customdata}<extra></extra>",
                "hoverongaps": False,
                "coloraxis": "coloraxis",
                "xgap": 2,
                "ygap": 2,
            }
        ],
        layout={
            "coloraxis": {"cmin": -_CAP, "cmax": _CAP, "colorscale": _SCALE, "colorbar": _COLOUR_BAR},
            "margin": {"l": 250, "r": 120, "t": head, "b": 80},
            "font": {"family": charts.FONT, "size": 12, "color": charts.INK},
            "xaxis": {
                "side": "top",
                "tickangle": -40,
                "ticklabeloverflow": "allow",
                "tickvals": list(range(len(segments))),
                "ticktext": short,
                "fixedrange": True,
                "showgrid": False,
                "zeroline": False,
                "ticks": "",
            },
            "yaxis": {
                "autorange": "reversed",
                "tickvals": list(range(len(rows))),
                "ticktext": [charts.plain(charts.shorten(found.names[f], 36)) for f in rows],
                "ticklabelstandoff": 6,
                "automargin": True,
                "fixedrange": True,
                "showgrid": False,
                "zeroline": False,
                "ticks": "",
            },
        },
        narrow={
            "margin.l": 126,
            "margin.r": 8,
            "margin.t": 30,
            "font.size": 11,
            "height": 30 + 88 + max(24 * len(rows), 48),
            "xaxis.tickangle": 0,
            "xaxis.ticktext": numbers,
            "yaxis.ticktext": [charts.plain(charts.shorten(found.names[f], 17)) for f in rows],
            "coloraxis.colorbar.len": 150,
            "coloraxis.colorbar.title.text": "Compared with all customers",
            "coloraxis.colorbar.tickvals": [-_CAP, 0, _CAP],
            "coloraxis.colorbar.ticktext": ["¼ or less", "as usual", "4× or more"],
        },
        height=head + 82 + max(24 * len(rows), 48),
        min_width=134 + 25 * len(segments),
        max_width=max(370 + 2 * wide, 740),
    )


def _cell(share: Any) -> str:
    """A whole percentage without its sign, so that it fits a phone; nothing where it would be 0."""
    return words.number(100 * share) if words.is_number(share) and share >= 0.005 else ""


def _colour(value: float | None) -> float | None:
    if value is None:
        return None
    return max(-_CAP, min(_CAP, math.log2(value))) if value > 0 else -_CAP


def _common(one: list[float], other: list[float]) -> float:
    return max(0.0, 1 - sum(abs(a - b) for a, b in zip(one, other, strict=True)) / 2)


def _closest(results: Results, profiles: list[list[float]], found: Features) -> str:
    """The closest and the farthest pair in a sentence."""
    pairs = sorted((_common(profiles[a], profiles[b]), a, b) for a in range(len(profiles)) for b in range(a))

    def said(pair: tuple[float, int, int]) -> str:
        common, a, b = pair
        ends = sorted((results.segments[a]["number"], results.segments[b]["number"]))
        return f"{ends[0]} and {ends[1]}, with {words.share_of_all(common)} of {found.unit} in common"

    if len(pairs) == 1:
        return f"The two segments have {words.share_of_all(pairs[0][0])} of their {found.unit} in common."
    return f"Most alike are segments {said(pairs[-1])}; least alike are segments {said(pairs[0])}."


def _agreement(error: float) -> str:
    """How far the plane can be trusted."""
    if error < 0.1:
        return "The picture keeps the distances well."
    if error < 0.25:
        return "The picture keeps the distances roughly; the table below has them exactly."
    return "A flat picture cannot show these distances well: trust the table below rather than the picture."


def _plane(results: Results, profiles: list[list[float]]) -> tuple[Chart, float]:
    names = [results.named(segment, "segment") for segment in results.segments]
    return bubbles(
        name="segment-plane",
        description=(
            f"Map of {len(names)} segments: the closer two bubbles, the more alike their customers; "
            "the larger a bubble, the more customers. The table below has what they have in common."
        ),
        profiles=profiles,
        weights=[max(float(segment.get("weight") or 0), 0.0) for segment in results.segments],
        names=names,
        numbers=[segment["number"] for segment in results.segments],
        colours=[0] * len(names),
        unit="customers",
    )
