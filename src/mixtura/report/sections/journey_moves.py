"""Moves between phases: a diagram, a table, and how long customers stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mixtura.report import charts, words
from mixtura.report.sections.journey_summary import stays

__all__ = ["context", "drawing"]

_LEAST = 0.015  # chance of a move that is drawn
_MOST = 4  # moves drawn from each phase
_STEP, _BOX = 92, 54  # pixels from phase to phase, and height of a phase
_THICK = 9.0
_LABEL = (42.0, 16.0)  # width and height of a label


def context(results: Any) -> dict[str, Any] | None:
    """The transition diagram in two widths, and the same as a table.

    Parameters
    ----------
    results : JourneyResults
        The results.

    Returns
    -------
    dict or None
        Drawings and rows; None with a single phase.
    """
    phases, moves = results.phases, results.moves
    if len(phases) < 2:
        return None
    unit = results.unit
    flows = results.header.get("flows") or moves
    rows = [
        {
            "number": phase["number"],
            "name": results.named(phase),
            "colour": results.colour(int(phase["number"])),
            "stays": stays(phase.get("dwell"), unit),
            "cells": [
                {"share": chance, "shade": round(0.5 * chance, 3), "same": i == j}
                for j, chance in enumerate(moves[i])
            ],
            "left": 1.0 - moves[i][i],
        }
        for i, phase in enumerate(phases)
    ]
    boxes = [
        {
            "number": str(phase["number"]),
            "name": results.named(phase),
            "colour": results.colour(int(phase["number"])),
            "share": words.share_of_all(phase.get("weight")),
            "stays": stays(phase.get("dwell"), unit),
        }
        for phase in phases
    ]
    return {
        "id": "moves",
        "title": f"From {unit} to {unit}",
        "template": "journey_moves.html.j2",
        "unit": unit,
        "sentences": _sentences(results, flows),
        "wide": drawing(boxes, moves, 760, 300),
        "narrow": drawing(boxes, moves, 360, 176),
        "rows": rows,
        "least": _LEAST,
    }


def drawing(
    boxes: Sequence[Mapping[str, str]], moves: Sequence[Sequence[float]], width: int, box: int
) -> dict[str, Any]:
    r"""Boxes below each other, moves to fewer visits on the left and to more on the right.

    Parameters
    ----------
    boxes : sequence of K mappings
        number, name, colour, share and stays of each phase.
    moves : sequence of K sequences of float
        Chances.
    width, box : int
        Pixels of the drawing, and of a phase.

    Returns
    -------
    dict
        Coordinates for the template.

    Examples
    --------
    >>> one = {"number": "1", "name": "Often", "colour": "#000", "share": "", "stays": ""}
    >>> [
    ...     arc["text"].replace("\xa0", " ")
    ...     for arc in drawing([one, one], [[0.9, 0.1], [0.2, 0.8]], 360, 176)["arcs"]
    ... ]
    ['10 %', '20 %']
    """
    left, right = (width - box) / 2, (width + box) / 2
    top = 30
    centre = [top + _BOX / 2 + _STEP * k for k in range(len(boxes))]
    reach = (width - box) / 2 - 26
    shown = []
    for i, row in enumerate(moves):
        leaving = sorted(
            ((chance, j) for j, chance in enumerate(row) if j != i and chance >= _LEAST), reverse=True
        )
        shown += [(i, j, chance) for chance, j in leaving[:_MOST]]
    longest = max((abs(i - j) for i, j, _ in shown), default=1)
    most = max((chance for _, _, chance in shown), default=1.0)
    arcs = []
    taken: list[tuple[float, float]] = []
    for i, j, chance in sorted(shown, key=lambda arc: (abs(arc[0] - arc[1]), -arc[2])):
        down = j > i
        x, sign = (left, -1) if down else (right, 1)
        y0 = centre[i] + (0.24 if down else -0.24) * _BOX
        y1 = centre[j] + (-0.24 if down else 0.24) * _BOX
        # The middle of the curve lies at three quarters of the reach of its handles.
        spread = 34 + (reach - 34) * (abs(i - j) - 1) / max(longest - 1, 1) if longest > 1 else min(54, reach)
        handle = x + sign * spread / 0.75
        at, y = _free(x, sign * 4 * spread, y0, y1, taken)
        arcs.append(
            {
                "path": f"M{x + sign * 1:.1f},{y0:.1f} C{handle:.1f},{y0:.1f} {handle:.1f},{y1:.1f} {x + sign * 9:.1f},{y1:.1f}",
                "width": round(1.2 + (_THICK - 1.2) * chance / most, 2),
                "kind": "down" if down else "up",
                "head": f"{x + sign * 1:.1f},{y1:.1f} {x + sign * 11:.1f},{y1 - 6:.1f} {x + sign * 11:.1f},{y1 + 6:.1f}",
                "x": round(x + sign * 4 * spread * at * (1 - at), 1),
                "y": round(y, 1),
                "text": words.share_of_all(chance),
                "title": f"{boxes[i]['name']} → {boxes[j]['name']}: {words.percent(chance)}",
            }
        )
    letters = int((box - 48) / 8.1)
    return {
        "width": width,
        "height": round(centre[-1] + _BOX / 2 + 12),
        "left": left,
        "right": right,
        "box": box,
        "tall": _BOX,
        "nodes": [
            {
                **entry,
                "short": charts.shorten(entry["name"], letters),
                "y": round(y - _BOX / 2, 1),
                "middle": round(y, 1),
            }
            for entry, y in zip(boxes, centre, strict=True)
        ],
        "arcs": sorted(arcs, key=lambda arc: (arc["kind"], arc["y"])),
    }


def _own(results: Any) -> list[str]:
    """Whether each customer has chances of their own."""
    own = results.part("own_moves")
    if not own:
        return []
    gain, error = own.get("gain"), own.get("gain_se")
    known = words.is_number(gain) and words.is_number(error)
    about = (
        f" ({words.number(gain, 3)} ± {words.number(error, 3)} nats per customer and {results.unit})"
        if known
        else ""
    )
    if own.get("used"):
        return [
            f"Every customer has chances of their own, shrunk to those of all, which are drawn; they foresee more{about}."
        ]
    return [
        f"Chances of their own for each customer were tried and did not foresee more{about}, so all have the same."
    ]


def _free(
    x: float, bulge: float, y0: float, y1: float, taken: list[tuple[float, float]]
) -> tuple[float, float]:
    """The share of a curve's way, and its height there, where a label covers no other; the middle where there is no such place."""
    for at in (0.5, 0.42, 0.58, 0.34, 0.66, 0.27, 0.73, 0.21, 0.79):
        place = (x + bulge * at * (1 - at), y0 + (y1 - y0) * at * at * (3 - 2 * at))
        if all(
            abs(place[0] - other[0]) > _LABEL[0] or abs(place[1] - other[1]) > _LABEL[1] for other in taken
        ):
            taken.append(place)
            return at, place[1]
    return 0.5, (y0 + y1) / 2


def _sentences(results: Any, flows: Sequence[Sequence[float]]) -> list[str]:
    """What most move, and the way back."""
    phases, unit = results.phases, results.unit
    pairs = [(float(value), i, j) for i, row in enumerate(flows) for j, value in enumerate(row) if i != j]
    value, i, j = max(pairs)
    text = (
        f"Each {unit} a customer stays in a phase or moves to another, with the chances drawn below: on the left the moves to fewer "
        "visits, on the right those to more."
    )
    if value <= 0:
        return [text]
    here, there = results.named(phases[i]), results.named(phases[j])
    stream = (
        f"The largest stream expected by the next {unit} is from “{here}” to “{there}”: about "
        f"{words.count(round(value), 'customer')}, against {words.number(round(float(flows[j][i])))} the other way."
    )
    return [text, stream, *_own(results)]
