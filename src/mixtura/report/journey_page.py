"""The page of customers' journeys, made from journeys.json and nothing else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mixtura.exceptions import InvalidDataError
from mixtura.report import charts, page, words
from mixtura.report.results import Content
from mixtura.report.sections import (
    data,
    journey_check,
    journey_choice,
    journey_customers,
    journey_method,
    journey_moves,
    journey_phases,
    journey_steps,
    journey_summary,
    journey_timeline,
)

__all__ = ["JourneyResults", "build_journeys_report", "write_journeys_report"]

SCHEMA = "mixtura-journeys/1"
_SECTIONS: page.Chapters = (
    ("Overview", (journey_summary, journey_steps, data)),
    ("Phases", (journey_phases, journey_moves, journey_timeline)),
    ("Customers", (journey_customers,)),
    ("Trust", (journey_check, journey_choice)),
    ("Method", (journey_method,)),
)


class JourneyResults(Content):
    """The content of journeys.json with the questions that several sections ask.

    Parameters
    ----------
    content : mapping
        The content, schema ``mixtura-journeys/1``.

    Raises
    ------
    InvalidDataError
        If it has another schema, or lacks a part.
    """

    def __init__(self, content: Mapping[str, Any]) -> None:
        again = "Make the file anew with `mixtura journeys` of this version."
        if not isinstance(content, Mapping) or content.get("schema") != SCHEMA:
            found = content.get("schema") if isinstance(content, Mapping) else type(content).__name__
            message = f"journeys['schema']: found {found!r}, expected '{SCHEMA}'. {again}"
            raise InvalidDataError(message)
        for part in ("data", "categories", "phases", "moves", "periods", "unit"):
            if not content.get(part):
                message = f"journeys[{part!r}]: found nothing, expected it in schema '{SCHEMA}'. {again}"
                raise InvalidDataError(message)
        n_phases = len(content["phases"])
        if [len(row) for row in content["moves"]] != [n_phases] * n_phases:
            message = f"journeys['moves']: found {len(content['moves'])} rows, expected {n_phases} rows of {n_phases} numbers. {again}"
            raise InvalidDataError(message)
        super().__init__(content)

    @property
    def notes(self) -> list[str]:
        """Remarks of the run, each once."""
        return list(dict.fromkeys(str(note) for note in self.header.get("notes") or []))

    @property
    def phases(self) -> list[Mapping[str, Any]]:
        """The phases, most visits first."""
        return list(self.header["phases"])

    @property
    def moves(self) -> list[list[float]]:
        """Chances of every phase (columns) one period after each."""
        return [list(row) for row in self.header["moves"]]

    @property
    def unit(self) -> str:
        """What a period is called."""
        return str(self.header["unit"])

    @property
    def validation(self) -> Mapping[str, Any]:
        """The check on later periods; empty if there was none."""
        return self.part("validation")

    def named(self, phase: Mapping[str, Any]) -> str:
        """The name of a phase as it is written on the page."""
        return str(phase.get("name") or f"Phase {phase.get('number')}")

    def colour(self, number: int) -> str:
        """The colour of a phase."""
        return charts.PALETTE[(number - 1) % len(charts.PALETTE)]

    def checked(self, key: str) -> Mapping[str, Any]:
        """A row of the check: "one", "static", "phases" or "journeys"."""
        return next((row for row in self.validation.get("rows") or [] if row.get("key") == key), {})


def build_journeys_report(content: Mapping[str, Any]) -> str:
    """One self-contained HTML page from the content of journeys.json.

    Parameters
    ----------
    content : mapping
        The content, schema ``mixtura-journeys/1``.

    Returns
    -------
    str
        The page.

    Raises
    ------
    InvalidDataError
        If the content has another schema, or lacks a part.
    MissingExtraError
        If Jinja2 or Plotly is not installed.
    """
    results = JourneyResults(content)
    n_phases, n_periods = len(results.phases), len(results.header["periods"])
    period = words.period(results.data.get("first_time"), results.data.get("last_time"))
    headline = (
        f"{words.count(n_phases, 'phase')} of {words.count(results.data.get('n_customers'), 'customer')}"
    )
    head = {
        "document": headline,
        "eyebrow": "Customer journeys",
        "title": "Where your customers are, and where they go next",
        "lead": f"{headline}, followed over {words.count(n_periods, results.unit)}{f', {period}' if period else ''}",
        "tiles": [
            ("Customers", results.data.get("n_customers")),
            ("Baskets", results.data.get("n_baskets")),
            (f"{results.unit.capitalize()}s", n_periods),
            ("Phases", n_phases),
        ],
    }
    return page.compose(results, _SECTIONS, head)


def write_journeys_report(content: Mapping[str, Any], path: str | os.PathLike[str]) -> Path:
    """Write the page of :func:`build_journeys_report` to a file, whole or not at all.

    Parameters
    ----------
    content : mapping
        The content of journeys.json.
    path : path-like
        Where to write; an existing file is replaced.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    InvalidDataError, MissingExtraError
        As :func:`build_journeys_report`.
    OutputError
        If the file cannot be written; nothing is left behind.
    """
    return page.save(build_journeys_report(content), path)
