"""The folder of a run of journeys: models, tables, journeys.json, names and the report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mixtura.exceptions import InvalidDataError
from mixtura.segments import output
from mixtura.segments.journey_result import Journeys
from mixtura.segments.names_file import NAMES, read_names, write_names
from mixtura.segments.renaming import edited_names
from mixtura.segments.sweep import Report

__all__ = ["read_journeys", "write_journeys"]

KEYS = (
    "number", "name", "weight", "n_customers", "weight_next", "visits", "no_visit", "stay", "dwell", "next", "next_probability",
)  # fmt: skip


def write_journeys(found: Journeys, target: Path, *, csv: bool, overwrite: bool, report: Report) -> Journeys:
    """Write all files of a folder of results at once, or none.

    Parameters
    ----------
    found : Journeys
        What was found.
    target : Path
        The folder.
    csv : bool
        Whether tables are written as CSV too.
    overwrite : bool
        Whether results of an earlier run are replaced.
    report : callable
        ``report(stage, done, total, text)``.

    Returns
    -------
    Journeys
        With its folder.

    Raises
    ------
    OutputError
        If something cannot be written; nothing is left under the final name.
    """
    from mixtura.report import write_journeys_report

    report("write", 0, 1, str(target))
    content = output.plain(found.results)
    tables = {"customers": found.customer_table(), "journeys": found.history_table()}
    with output.new_folder(target, overwrite=overwrite) as folder:
        for name, model in (("phases", found.model), ("types", found.types), ("model", found.household)):
            model.save(folder / f"{name}.mixtura")
        for name, table in tables.items():
            output.write_table(table, folder / f"{name}.parquet")
            if csv:
                output.write_table(table, folder / f"{name}.csv")
        if csv:
            phases = {
                key: np.asarray([phase[key] for phase in content["phases"]], dtype=object) for key in KEYS
            }
            output.write_table(phases, folder / "phases.csv")
        output.write_json(content, folder / "journeys.json")
        write_names(folder / NAMES, {"phases": content["phases"]})
        write_journeys_report(content, folder / "report.html")
    report("write", 1, 1, str(target))
    return replace(found, folder=target)


def read_journeys(folder: Path) -> tuple[dict[str, Any], list[str]]:
    """Read journeys.json of a folder of results, with the names of its names.toml.

    Parameters
    ----------
    folder : Path
        Written by `journey_transactions`.

    Returns
    -------
    content : dict
        The content.
    notes : list of str
        Names in names.toml of phases that are not there.

    Raises
    ------
    InvalidDataError
        If there is none, or it is not JSON, or names.toml is malformed.
    """
    path = folder / output.JOURNEYS
    content = output.read_json(path, "phases", "mixtura journeys")
    if content is None:
        message = f"'{folder}' has no {output.JOURNEYS}. Expected a folder that `mixtura journeys` has written; check the path."
        raise InvalidDataError(message)
    edited, notes = edited_names(
        read_names(folder / NAMES).get("phases", {}), content["phases"], level="phases"
    )
    phases = [phase | {"name": edited.get(phase["number"], phase["name"])} for phase in content["phases"]]
    return content | {"phases": phases}, notes
