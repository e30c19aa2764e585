"""Customers who moved from one segment to another: a stream chart, a table of shares, and a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mixtura.report import charts, words
from mixtura.report.charts import Chart

__all__ = ["moves"]

_STAYED = "rgba(27, 94, 158, 0.42)"
_MOVED = "rgba(180, 81, 11, 0.34)"
_NODE = "#12314f"
_THIN = 0.004  # of all customers: a thinner stream cannot be seen
_DARKEST = 0.5  # opacity of a table cell that holds everybody; dark text stays readable on it


def moves(
    name: str,
    before: Sequence[tuple[str, str]],
    after: Sequence[tuple[str, str]],
    counts: Sequence[Sequence[Any]],
    labels: tuple[str, str],
    same: str,
) -> dict[str, Any] | None:
    """What the template ``moves.html.j2`` shows.

    Parameters
    ----------
    name : str
        Identifier of the chart.
    before, after : sequence of pairs of str
        Number (or nothing) and name of every segment at the first and at the second time. Equal pairs are the
        same segment.
    counts : sequence of sequences of float
        Customers by segment before (rows) and after.
    labels : pair of str
        What the two times are called.
    same : str
        What is said of those who did not move, such as ``"are in the same segment"``.

    Returns
    -------
    dict or None
        Sentence, chart and rows of the table; None if nobody was counted.
    """
    table = [[float(value) if words.is_number(value) else 0.0 for value in row] for row in counts]
    total = sum(map(sum, table))
    if total <= 0:
        return None
    stayed = sum(table[i][j] for i, one in enumerate(before) for j, other in enumerate(after) if one == other)
    return {
        "sentences": _sentences(table, before, after, (total, stayed), same),
        "chart": _chart(name, table, before, after, labels, total),
        "labels": labels,
        "columns": [{"short": number or title, "title": title} for number, title in after],
        "rows": [
            {
                "title": f"{number} {title}".strip(),
                "total": sum(row),
                "cells": [
                    {
                        "share": value / sum(row) if sum(row) else None,
                        "n": value,
                        "shade": round(_DARKEST * value / sum(row), 3) if sum(row) else 0,
                        "same": (number, title) == after[j],
                    }
                    for j, value in enumerate(row)
                ],
            }
            for (number, title), row in zip(before, table, strict=True)
        ],
    }


def _sentences(
    table: list[list[float]],
    before: Sequence[tuple[str, str]],
    after: Sequence[tuple[str, str]],
    sizes: tuple[float, float],
    same: str,
) -> list[str]:
    total, stayed = sizes
    share = words.share_of_all(stayed / total)
    sentences = [f"Of {words.count(round(total), 'customer')} seen at both times, {share} {same}."]
    moved = [
        (value, i, j)
        for i, row in enumerate(table)
        for j, value in enumerate(row)
        if before[i] != after[j] and value > 0
    ]
    if moved:
        value, i, j = max(moved)
        here, there = (f"“{' '.join(filter(None, pair))}”" for pair in (before[i], after[j]))
        text = f"The largest move is from {here} to {there}: {words.count(round(value), 'customer')}"
        if after[j] in before and before[i] in after:
            back = table[before.index(after[j])][after.index(before[i])]
            text += f", against {words.number(round(back)) if back else 'none'} the other way"
        sentences.append(text + ".")
    return sentences


def _chart(
    name: str,
    table: list[list[float]],
    before: Sequence[tuple[str, str]],
    after: Sequence[tuple[str, str]],
    labels: tuple[str, str],
    total: float,
) -> Chart:
    links = [
        (i, j, value) for i, row in enumerate(table) for j, value in enumerate(row) if value >= _THIN * total
    ]
    first, second = [sum(row) for row in table], [sum(column) for column in zip(*table, strict=True)]
    tall = 120 + 34 * max(len(before), len(after))
    return Chart(
        name=name,
        description=(
            f"Streams of customers from their segment in {labels[0]} to the one in {labels[1]}: "
            "blue streams stayed, brown ones moved. The table below has the numbers."
        ),
        data=[
            {
                "type": "sankey",
                "arrangement": "fixed",
                "node": {
                    "pad": 12,
                    "thickness": 12,
                    "color": _NODE,
                    "line": {"width": 0},
                    "label": [_label(pair, 44) for pair in (*before, *after)],
                    "x": [0.001] * len(before) + [0.999] * len(after),
                    "y": _heights(first) + _heights(second),
                    "customdata": [
                        f"<b>{charts.plain(' '.join(filter(None, pair)))}</b><br>"
                        f"{words.count(round(size), 'customer')}"
                        for pair, size in zip((*before, *after), (*first, *second), strict=True)
                    ],
                    "hovertemplate": "%{customdata}<extra></extra>",
                },
                "link": {
                    "source": [i for i, _, _ in links],
                    "target": [len(before) + j for _, j, _ in links],
                    "value": charts.rounded([value for _, _, value in links], 2),
                    "color": [_STAYED if before[i] == after[j] else _MOVED for i, j, _ in links],
                    "customdata": [
                        f"{charts.plain(' '.join(filter(None, before[i])))} → "
                        f"{charts.plain(' '.join(filter(None, after[j])))}<br>"
                        f"{words.count(round(value), 'customer')}, "
                        f"{words.share_of_all(value / first[i])} of the first"
                        for i, j, value in links
                    ],
                    "hovertemplate": "%{customdata}<extra></extra>",
                },
                "textfont": {"size": 12, "color": charts.INK},
            }
        ],
        layout={
            "margin": {"l": 10, "r": 10, "t": 34, "b": 12},
            "annotations": [
                {
                    "x": x,
                    "y": 1,
                    "xref": "paper",
                    "yref": "paper",
                    "xanchor": anchor,
                    "yanchor": "bottom",
                    "yshift": 8,
                    "text": f"<b>{charts.plain(text[:1].upper() + text[1:])}</b>",
                    "showarrow": False,
                }
                for x, anchor, text in ((0, "left", labels[0]), (1, "right", labels[1]))
            ],
        },
        narrow={
            "font.size": 11,
            "data.0.node.label": [pair[0] or _label(pair, 12) for pair in (*before, *after)],
        },
        height=tall,
    )


def _label(pair: tuple[str, str], length: int) -> str:
    return charts.plain(charts.shorten(" ".join(filter(None, pair)), length))


def _heights(sizes: list[float]) -> list[float]:
    """Middles of the nodes from the top, in the order of the segments."""
    total, found, above = sum(sizes) or 1.0, [], 0.0
    for size in sizes:
        found.append(round(min(max((above + size / 2) / total, 0.001), 0.999), 4))
        above += size
    return found
