"""Who the customers of the segments are: the customer table against the segments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mixtura.report import words
from mixtura.report.results import Results

__all__ = ["context"]

_SHOWN = 3  # differences named in words per segment and direction


def context(results: Results) -> dict[str, Any] | None:
    """One table per column of the customer table, with the differences beyond chance marked.

    Parameters
    ----------
    results : Results
        The results.

    Returns
    -------
    dict or None
        Tables and sentences; None without a customer table.
    """
    columns = results.segment_level.rows("demographics")
    if not columns or not results.segments:
        return None
    tables = [_column(results, column) for column in columns]
    telling = [table["title"] for table in tables if table["marked"]]
    silent = [table["title"] for table in tables if not table["marked"]]
    said = []
    if telling:
        said.append(f"The segments differ by more than chance in {words.listing(telling)}.")
    if silent:
        said.append(
            f"{'They' if telling else 'The segments'} do not differ clearly in {words.listing(silent)}."
        )
    return {
        "id": "demographics",
        "title": "Who the customers are",
        "template": "demographics.html.j2",
        "sentence": " ".join(said),
        "tables": tables,
        "segments": [(s["number"], results.named(s, "segment")) for s in results.segments],
    }


def _column(results: Results, column: Mapping[str, Any]) -> dict[str, Any]:
    values = [str(value) for value in column["values"]]
    counts = [[float(n) if words.is_number(n) else 0.0 for n in row] for row in column["counts"]]
    sizes = [sum(row) for row in counts]
    total = sum(sizes)
    overall = [sum(row[v] for row in counts) / total if total else None for v in range(len(values))]
    marks = {(int(cell["segment"]), str(cell["value"])): cell for cell in column.get("cells") or []}
    numbers = [int(segment["number"]) for segment in results.segments]
    return {
        "title": str(column["column"]).replace("_", " "),
        "n_customers": column.get("n_customers"),
        "marked": bool(marks),
        "words": _words(results, values, marks),
        "none": _nothing_stands_out(column.get("p_value")),
        "rows": [
            {
                "value": value,
                "overall": overall[v],
                "cells": [
                    {
                        "share": counts[s][v] / sizes[s] if sizes[s] else None,
                        "mark": _mark(marks.get((number, value))),
                    }
                    for s, number in enumerate(numbers)
                ],
            }
            for v, value in enumerate(values)
        ],
        "sizes": sizes,
    }


def _mark(cell: Mapping[str, Any] | None) -> str:
    if cell is None:
        return ""
    return "more" if (cell.get("z") or 0) > 0 else "less"


def _nothing_stands_out(p_value: Any) -> str:
    if words.is_number(p_value) and p_value < 0.01:
        return "The segments differ a little as a whole, but no single figure stands out."
    return "The differences between the segments are no larger than chance would give."


def _words(
    results: Results, values: list[str], marks: Mapping[tuple[int, str], Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Per segment, what is more and what is less frequent than among all customers, the largest first."""
    found = []
    for segment in results.segments:
        number = int(segment["number"])
        mine = [(value, marks[number, value]) for value in values if (number, value) in marks]
        mine.sort(key=lambda pair: -abs(pair[1].get("z") or 0))
        sides = []
        for kind, word in (("more", "more often"), ("less", "less often")):
            said = [
                f"{value} ({words.share_of_all(cell.get('share'))} against "
                f"{words.share_of_all(cell.get('overall'))})"
                for value, cell in mine
                if _mark(cell) == kind
            ]
            if said:
                sides.append(f"{word} {words.listing(said, limit=_SHOWN)}")
        if sides:
            found.append(
                {"number": number, "name": results.named(segment, "segment"), "text": "; ".join(sides)}
            )
    return found
