"""The missions on a plane: similar ones close together, large ones large."""

from __future__ import annotations

import math
from typing import Any

from mixtura.report import charts, groups
from mixtura.report.charts import Chart
from mixtura.report.layout import apart, error, positions
from mixtura.report.results import Results

__all__ = ["bubbles", "context", "place_labels"]

_WIDTH, _HEIGHT = 900, 560  # pixels inside the axes for which labels are placed
_LARGEST, _SMALLEST = 74.0, 24.0  # diameters in pixels; a number of two digits fits the smallest
_ROOMY = 24  # so many bubbles fit at full size; more are drawn smaller
_LETTER, _LINE = 6.1, 15.0  # pixels a letter of a label is wide on average, and a line high


def context(results: Results) -> dict[str, Any] | None:
    """The map and its table.

    Parameters
    ----------
    results : Results
        The results.

    Returns
    -------
    dict or None
        A chart, how truthful it is, and every mission with its nearest neighbour.
    """
    if results.n_missions < 3:
        return None
    found = groups.cuts(results, results.mission_level)
    colours = [0] * results.n_missions
    if found:
        cut = found[groups.opening(found)]
        colours = [cut.colours[label] for label in cut.labels]
    chart, wrong = bubbles(
        name="places",
        description=f"Map of {results.n_missions} missions: the closer two are, the more alike their baskets.",
        profiles=[mission["profile"] for mission in results.missions],
        weights=[float(mission.get("weight") or 0) for mission in results.missions],
        names=[results.named(mission) for mission in results.missions],
        numbers=[mission.get("number") for mission in results.missions],
        colours=colours,
        unit="baskets",
    )
    return {
        "id": "places",
        "title": "Which missions are alike",
        "template": "mission_map.html.j2",
        "chart": chart,
        "error": wrong,
        "zoom": groups.zoom(results, found),
        "rows": [_row(results, mission) for mission in results.missions],
    }


def _row(results: Results, mission: Any) -> dict[str, Any]:
    near = mission.get("nearest") or {}
    other = next((item for item in results.missions if item.get("number") == near.get("number")), None)
    return {
        "number": mission.get("number"),
        "name": results.named(mission),
        "other": f"{other.get('number')} {results.named(other)}" if other else None,
        "distance": near.get("distance"),
        "more": [results.label(entry.get("category")) for entry in near.get("more") or []],
        "less": [results.label(entry.get("category")) for entry in near.get("less") or []],
    }


def bubbles(
    *,
    name: str,
    description: str,
    profiles: list[Any],
    weights: list[float],
    names: list[str],
    numbers: list[Any],
    colours: list[int],
    unit: str,
) -> tuple[Chart, float]:
    """A map of profiles by their L1 distances, sized by weight.

    Parameters
    ----------
    name, description : str
        As of a chart.
    profiles : list of K lists of F floats
        Shares.
    weights : list of K floats
        Shares of the whole; the area of a bubble is proportional to its weight.
    names, numbers : list
        What is written beside and inside the bubbles.
    colours : list of K int
        Indices into the palette.
    unit : str
        Of what the weights are shares.

    Returns
    -------
    Chart
        The map.
    float
        The mean relative error of the distances on the plane.
    """
    largest = max([*weights, 1e-12])
    widest_bubble = _LARGEST * min(1.0, math.sqrt(_ROOMY / len(weights)))
    sizes = [max(_SMALLEST, widest_bubble * math.sqrt(weight / largest)) for weight in weights]
    points = _fitted(apart(_fitted(positions(profiles)), sizes))
    reach = (max(1.0, *(abs(x) for x, _ in points)), max(1.0, *(abs(y) for _, y in points)))
    labels = [
        {
            "x": points[k][0],
            "y": points[k][1],
            "xshift": shift[0],
            "yshift": shift[1],
            "text": charts.plain(text),
            "showarrow": False,
            "font": {"size": 11, "color": charts.INK},
            "xanchor": "center",
            "bgcolor": "rgba(255,255,255,0.7)",
            "borderpad": 0,
        }
        for k, text, shift in place_labels(points, sizes, [charts.shorten(text, 26) for text in names])
    ]
    shares = [charts.plain(f"{100 * weight:.1f} % of {unit}") for weight in weights]
    data = {
        "type": "scatter",
        "mode": "markers+text",
        "x": charts.rounded([x for x, _ in points], 1),
        "y": charts.rounded([y for _, y in points], 1),
        "text": [str(number) for number in numbers],
        "textfont": {"color": "#ffffff", "size": 12},
        "hovertext": [
            f"<b>{number} {charts.plain(text)}</b><br>{share}"
            for number, text, share in zip(numbers, names, shares, strict=True)
        ],
        "hovertemplate": "%{hovertext}<extra></extra>",
        "cliponaxis": False,
        "marker": {
            "size": charts.rounded(sizes, 1),
            "sizemode": "diameter",
            "sizeref": 1,
            "color": [charts.PALETTE[colour % len(charts.PALETTE)] for colour in colours],
            "opacity": 0.92,
            "line": {"color": "#ffffff", "width": 1.5},
        },
    }
    hidden = {"visible": False, "fixedrange": True}
    chart = Chart(
        name=name,
        description=description,
        data=[data],
        layout={
            "showlegend": False,
            "margin": {"l": 4, "r": 4, "t": 4, "b": 4},
            "xaxis": {**hidden, "range": [-_WIDTH / 2, _WIDTH / 2]},
            "yaxis": {**hidden, "range": [-_HEIGHT / 2, _HEIGHT / 2], "scaleanchor": "x"},
            "annotations": labels,
        },
        narrow={
            "annotations": [],
            "height": 340,
            "xaxis.range": [-1.15 * reach[0], 1.15 * reach[0]],
            "yaxis.range": [-1.15 * reach[1], 1.15 * reach[1]],
            "data.0.marker.sizeref": 1.6,
            "data.0.textfont.size": 10,
        },
        height=_HEIGHT,
        max_width=_WIDTH + 60,
    )
    return chart, error(profiles, points)


def _fitted(places: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Places in pixels around the middle of the chart, as large as it allows and no larger than life."""
    xs, ys = [x for x, _ in places], [y for _, y in places]
    middle = ((max(xs) + min(xs)) / 2, (max(ys) + min(ys)) / 2)
    scale = min((_WIDTH - 150) / max(max(xs) - min(xs), 1e-9), (_HEIGHT - 100) / max(max(ys) - min(ys), 1e-9))
    return [((x - middle[0]) * scale, (y - middle[1]) * scale) for x, y in places]


def place_labels(
    points: list[tuple[float, float]], sizes: list[float], texts: list[str]
) -> list[tuple[int, str, tuple[float, float]]]:
    """Where names fit beside bubbles without covering a bubble or another name; the others go without.

    Parameters
    ----------
    points : list of pairs
        Centres in pixels, y upwards.
    sizes : list of float
        Diameters in pixels.
    texts : list of str
        Names, the most important first.

    Returns
    -------
    list of (int, str, (float, float))
        Index, text and shift of its middle from the centre, of the names that fit.

    Examples
    --------
    >>> place_labels([(0.0, 0.0), (0.0, 8.0)], [20.0, 20.0], ["Milk", "Beer"])
    [(0, 'Milk', (0.0, -18.5)), (1, 'Beer', (0.0, 18.5))]
    """
    taken = [
        (x - size / 2, y - size / 2, x + size / 2, y + size / 2)
        for (x, y), size in zip(points, sizes, strict=True)
    ]
    result = []
    for k, ((x, y), size, text) in enumerate(zip(points, sizes, texts, strict=True)):
        width = _LETTER * len(text) + 4
        beside, above = size / 2 + width / 2 + 3, size / 2 + _LINE / 2 + 1
        for dx, dy in ((0.0, -above), (0.0, above), (beside, 0.0), (-beside, 0.0)):
            box = (x + dx - width / 2, y + dy - _LINE / 2, x + dx + width / 2, y + dy + _LINE / 2)
            inside = (
                max(abs(box[0]), abs(box[2])) < _WIDTH / 2 and max(abs(box[1]), abs(box[3])) < _HEIGHT / 2
            )
            others = (other for index, other in enumerate(taken) if index != k)
            if inside and not any(_overlap(box, other) for other in others):
                taken.append(box)
                result.append((k, text, (dx, dy)))
                break
    return result


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
