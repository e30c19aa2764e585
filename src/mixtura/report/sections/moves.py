"""Customers who moved from one segment to another: a stream chart, a table of shares, and a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mixtura.report import charts, words
from mixtura.report.charts import Chart

__all__ = ["moves"]

_STREAMS = {
    "same": "rgba(27, 94, 158, 0.42)",
    "moved": "rgba(180, 81, 11, 0.34)",
    "outside": "rgba(86, 98, 115, 0.22)",
}
_CELLS = {"same": "27,94,158", "moved": "205,120,45", "outside": "120,132,148"}
_NODE = "#12314f"
_THIN = 0.004  # of all customers: a thinner stream cannot be seen
_DARKEST = 0.5  # opacity of a table cell that holds everybody; dark text stays readable on it


@dataclass(frozen=True)
class _Table:
    """Customers by segment at two times; segments are pairs of a number (or nothing) and a name."""

    before: Sequence[tuple[str, str]]
    after: Sequence[tuple[str, str]]
    counts: list[list[float]]
    open_ended: bool

    def kind(self, i: int, j: int) -> str:
        """``"same"``, ``"moved"``, or ``"outside"`` for those not there at one of the times."""
        if self.open_ended and (i == len(self.before) - 1 or j == len(self.after) - 1):
            return "outside"
        one, other = self.before[i], self.after[j]
        alike = one[0] == other[0] if one[0] and other[0] else one == other
        return "same" if alike else "moved"

    def cells(self, *kinds: str) -> list[tuple[float, int, int]]:
        """Customers, row and column of the cells of these kinds."""
        return [
            (value, i, j)
            for i, row in enumerate(self.counts)
            for j, value in enumerate(row)
            if self.kind(i, j) in kinds
        ]


def moves(
    name: str,
    before: Sequence[tuple[str, str]],
    after: Sequence[tuple[str, str]],
    counts: Sequence[Sequence[Any]],
    labels: tuple[str, str],
    same: str,
    *,
    open_ended: bool = False,
) -> dict[str, Any] | None:
    """What the template ``moves.html.j2`` shows.

    Parameters
    ----------
    name : str
        Identifier of the chart.
    before, after : sequence of pairs of str
        Number (or nothing) and name of every segment at the first and at the second time. Equal numbers are
        the same segment; without a number, equal names.
    counts : sequence of sequences of float
        Customers by segment before (rows) and after.
    labels : pair of str
        What the two times are called.
    same : str
        What is said of those who did not move, such as ``"are in the same segment"``.
    open_ended : bool, default False
        Whether the last row is customers who were not there before, and the last column those who are not there
        any more.

    Returns
    -------
    dict or None
        Sentences, chart and rows of the table; None if nobody was counted.
    """
    numbers = [[float(value) if words.is_number(value) else 0.0 for value in row] for row in counts]
    table = _Table(before, after, numbers, open_ended)
    if sum(map(sum, numbers)) <= 0:
        return None
    return {
        "sentences": _sentences(table, same),
        "chart": _chart(name, table, labels),
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
                        "colour": _CELLS[table.kind(i, j)],
                        "same": table.kind(i, j) == "same",
                    }
                    for j, value in enumerate(row)
                ],
            }
            for i, ((number, title), row) in enumerate(zip(before, numbers, strict=True))
        ],
    }


def _sentences(table: _Table, same: str) -> list[str]:
    stayed = sum(value for value, _, _ in table.cells("same"))
    moved = table.cells("moved")
    both = stayed + sum(value for value, _, _ in moved)
    sentences = []
    if both > 0:
        share = words.share_of_all(stayed / both)
        sentences.append(f"Of {words.count(round(both), 'customer')} seen at both times, {share} {same}.")
    value, i, j = max(moved, default=(0.0, 0, 0))
    if value > 0:
        here, there = (f"“{' '.join(filter(None, pair))}”" for pair in (table.before[i], table.after[j]))
        text = f"The largest move is from {here} to {there}: {words.count(round(value), 'customer')}"
        if table.after[j] in table.before and table.before[i] in table.after:
            back = table.counts[table.before.index(table.after[j])][table.after.index(table.before[i])]
            text += f", against {words.number(round(back)) if back else 'none'} the other way"
        sentences.append(text + ".")
    if table.open_ended:
        new, gone = sum(table.counts[-1]), sum(row[-1] for row in table.counts)
        sentences.append(
            f"{words.count(round(new), 'customer')} came for the first time; "
            f"{words.number(round(gone))} of the earlier ones did not come any more."
        )
    return sentences


def _chart(name: str, table: _Table, labels: tuple[str, str]) -> Chart:
    before, after = table.before, table.after
    total = sum(map(sum, table.counts))
    links = [
        (i, j, value) for value, i, j in table.cells("same", "moved", "outside") if value >= _THIN * total
    ]
    first = [sum(row) for row in table.counts]
    second = [sum(column) for column in zip(*table.counts, strict=True)]
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
                    "color": [_STREAMS[table.kind(i, j)] for i, j, _ in links],
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
