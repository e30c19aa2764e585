"""The folder of results: models, tables, the two JSON files, the names and the report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mixtura.segments import output
from mixtura.segments.names_file import NAMES, write_names
from mixtura.segments.result import Segmentation
from mixtura.segments.sweep import Report

__all__ = ["write_results"]

MISSION_KEYS = (
    "number",
    "name",
    "weight",
    "n_baskets",
    "share_customers",
    "amount",
    "mean_lines",
    "certainty",
)
SEGMENT_KEYS = (
    "number", "name", "weight", "n_customers", "n_baskets", "baskets_per_customer", "amount",
    "amount_per_customer", "certainty",
)  # fmt: skip


def write_results(
    found: Segmentation, target: Path, *, csv: bool, overwrite: bool, report: Report
) -> Segmentation:
    """Write all files of a folder of results at once, or none.

    Parameters
    ----------
    found : Segmentation
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
    Segmentation
        With its folder.

    Raises
    ------
    OutputError
        If something cannot be written; nothing is left under the final name.
    """
    from mixtura.report import write_report

    report("write", 0, 1, str(target))
    columns = found.baskets.categories.astype(object)
    models = [("model", found.model, columns), ("global", found.global_model, columns)]
    if found.segment_fit is not None:
        features = np.asarray(found.segment_fit.features, dtype=object)
        models.append(("segments", found.segment_model, features))
    tables = {"customers": found.customer_table(), "baskets": found.basket_table()}
    levels = [("missions", found.missions), ("segments", found.segments)]
    contents = {level: output.plain(content) for level, content in levels if content is not None}
    with output.new_folder(target, overwrite=overwrite) as folder:
        for name, model, names in models:
            if model is not None:
                with _named_columns(model, names):
                    model.save(folder / f"{name}.mixtura")
        for name, table in tables.items():
            output.write_table(table, folder / f"{name}.parquet")
            if csv:
                output.write_table(table, folder / f"{name}.csv")
        for level, content in contents.items():
            output.write_json(content, folder / f"{level}.json")
            if csv:
                output.write_table(_overview(content[level], level), folder / f"{level}.csv")
        write_names(folder / NAMES, {level: content[level] for level, content in contents.items()})
        write_report(contents.get("missions"), folder / "report.html", contents.get("segments"))
    report("write", 1, 1, str(target))
    return replace(found, folder=target)


def _overview(entries: Sequence[dict[str, Any]], level: str) -> dict[str, np.ndarray]:
    """One row per mission or segment, for a spreadsheet."""
    keys = MISSION_KEYS if level == "missions" else SEGMENT_KEYS
    columns = {key: np.asarray([entry[key] for entry in entries], dtype=object) for key in keys}
    shown = "top" if level == "missions" else "top_categories"
    top = [", ".join(item["category"] for item in entry[shown][:5]) for entry in entries]
    return columns | {"typical": np.asarray(top, dtype=object)}


@contextmanager
def _named_columns(model: Any, names: np.ndarray) -> Iterator[None]:
    """While it is saved, the model knows the names of its columns: it can be used without the folder."""
    model.feature_names_in_ = names
    try:
        yield
    finally:
        del model.feature_names_in_
