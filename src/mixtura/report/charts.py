"""Descriptions of Plotly charts as plain dictionaries, in the report's one style."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mixtura.report.words import is_number

__all__ = [
    "ACCENT",
    "INK",
    "MUTED",
    "PALETTE",
    "SECOND",
    "THIRD",
    "Chart",
    "axis",
    "colour_bar",
    "embed",
    "interval",
    "plain",
    "rounded",
    "shorten",
]

INK = "#1d2733"
MUTED = "#566273"
GRID = "#e3e7ec"
ACCENT = "#1b5e9e"
SECOND = "#b4510b"
THIRD = "#5b7f3a"
# Colours of groups. White text on each has a contrast of at least 4.5 to 1; neighbours differ in lightness too.
PALETTE = (
    "#1b5e9e",
    "#b4510b",
    "#3f7a2f",
    "#8b3a8f",
    "#0f7c86",
    "#a32a3b",
    "#5a4fb0",
    "#7d6608",
    "#c2356f",
    "#2f4858",
    "#7a4a2b",
    "#5c6b73",
)
FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'


@dataclass(frozen=True)
class Chart:
    """One chart of the page.

    Parameters
    ----------
    name : str
        Identifier on the page, unique there.
    description : str
        What the chart shows, for those who do not see it.
    data : list of dict
        Plotly traces.
    layout : dict
        What differs from the report's common layout.
    narrow : dict
        Changes of the layout for a phone, by dotted path (``{"yaxis.showticklabels": False}``); a path that
        starts with ``data.`` changes a trace (``{"data.0.marker.size": 6}``).
    height : int
        Height in pixels.
    min_width : int
        Below this width (pixels) the chart scrolls inside its frame.
    max_width : int, optional
        The chart does not grow beyond this width (pixels).
    """

    name: str
    description: str
    data: Sequence[Mapping[str, Any]]
    layout: Mapping[str, Any] = field(default_factory=dict)
    narrow: Mapping[str, Any] = field(default_factory=dict)
    height: int = 380
    min_width: int = 0
    max_width: int | None = None

    @property
    def specification(self) -> dict[str, Any]:
        """What Plotly needs to draw it."""
        common: dict[str, Any] = {
            "autosize": True,
            "height": self.height,
            "dragmode": False,
            "font": {"family": FONT, "size": 13, "color": INK},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "margin": {"l": 70, "r": 20, "t": 30, "b": 55},
            "hoverlabel": {
                "bgcolor": "#ffffff",
                "bordercolor": MUTED,
                "font": {"color": INK, "family": FONT},
            },
        }
        return {"data": list(self.data), "layout": common | dict(self.layout), "narrow": dict(self.narrow)}


def axis(title: str, **extra: Any) -> dict[str, Any]:
    """An axis in the report's style; it does not zoom, so that a finger scrolls the page."""
    return {
        "title": {"text": title, "standoff": 12},
        "fixedrange": True,
        "gridcolor": GRID,
        "linecolor": MUTED,
        "zeroline": False,
        "ticks": "outside",
        "tickcolor": GRID,
        "automargin": True,
    } | extra


def interval(low: Any, value: Any, high: Any, ends: tuple[float, float]) -> dict[str, float] | None:
    """Where the range of a lift and its middle stand on a line from ``ends[0]`` to ``ends[1]``, in percent.

    The line has equal steps for equal factors. None if there is no range.

    Examples
    --------
    >>> interval(2.0, 4.0, 8.0, (1.0, 16.0))
    {'left': 25.0, 'width': 50.0, 'dot': 50.0}
    >>> interval(None, 4.0, 8.0, (1.0, 16.0)) is None
    True
    """
    if not (is_number(low) and is_number(value) and is_number(high)):
        return None
    left, dot, right = (
        100 * math.log(min(max(number, ends[0]), ends[1]) / ends[0]) / math.log(ends[1] / ends[0])
        for number in (low, value, high)
    )
    return {"left": round(left, 1), "width": round(max(right - left, 0.0), 1), "dot": round(dot, 1)}


def colour_bar(title: str, ticks: Sequence[tuple[float, str]], length: int) -> dict[str, Any]:
    """A legend of colours below a map, `length` pixels long, with (value, label) ticks."""
    return {
        "orientation": "h",
        "title": {"text": title, "side": "top"},
        "tickvals": [value for value, _ in ticks],
        "ticktext": [text for _, text in ticks],
        "thickness": 12,
        "lenmode": "pixels",
        "len": length,
        "x": 0,
        "xanchor": "left",
        "y": 0,
        "yanchor": "top",
        "ypad": 14,
        "outlinewidth": 0,
    }


def plain(text: str) -> str:
    """Text for a chart: Plotly reads simple HTML in labels, so what looks like it is escaped.

    Examples
    --------
    >>> plain("<b>Fish</b> & chips")
    '&lt;b&gt;Fish&lt;/b&gt; &amp; chips'
    """
    return html.escape(text, quote=False)


def shorten(text: str, length: int) -> str:
    """Text cut at `length` characters, the cut shown.

    Examples
    --------
    >>> shorten("Convenient breakfast", 12)
    'Convenient…'
    """
    return text if len(text) <= length else text[: length - 1].rstrip(" ,·/-&") + "…"


def rounded(values: Sequence[Any], digits: int = 4) -> list[float | None]:
    """Numbers short enough for the page; what is not finite becomes a gap.

    Examples
    --------
    >>> rounded([0.123456, None, float("inf")])
    [0.1235, None, None]
    """
    return [round(float(value), digits) if is_number(value) else None for value in values]


def embed(specification: Any) -> str:
    r"""JSON that can stand in a ``<script>`` element: nothing in it can end the element.

    Examples
    --------
    >>> embed({"name": "</script>"})
    '{"name":"\\u003c/script\\u003e"}'
    """
    text = json.dumps(specification, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
