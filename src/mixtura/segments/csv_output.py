"""Results as CSV that a spreadsheet opens safely: a text is never taken for a formula."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from mixtura.exceptions import InvalidDataError

__all__ = ["csv_cell", "write_csv"]

# A cell that begins with one of these may be calculated when it is opened, and a formula can send data away.
DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n")
ROWS = 50_000  # in memory as texts at once


def csv_cell(value: Any) -> str:
    """One value as the text of a cell.

    Parameters
    ----------
    value : object
        A number, a truth value, a time, a text, or nothing (None, NaN, NaT).

    Returns
    -------
    str
        Numbers as they are, with all digits that distinguish them, also negative ones; times in ISO 8601;
        nothing as an empty cell; a text that a spreadsheet could take for a formula with an apostrophe in
        front.

    Examples
    --------
    >>> [csv_cell(value) for value in ("milk", "=1+1", -2.5, float("nan"), True)]
    ['milk', "'=1+1", '-2.5', '', 'true']
    """
    if isinstance(value, np.datetime64):
        return "" if np.isnat(value) else str(value.astype("datetime64[s]"))
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or value != value:  # noqa: PLR0124 - NaN, and the NaT of pandas, differ from themselves
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    text = str(value)
    return f"'{text}" if text.startswith(DANGEROUS) else text


def write_csv(columns: Mapping[str, Any], path: str | PathLike[str]) -> None:
    r"""Write named arrays of equal length as a CSV file in UTF-8, with a header line.

    Parameters
    ----------
    columns : Mapping[str, array_like]
        Name to values, each of shape (n_rows,).
    path : path
        The file; an existing one is replaced.

    Raises
    ------
    InvalidDataError
        If the columns differ in length.

    Notes
    -----
    Every cell, those of the header included, goes through `csv_cell`; commas, quotes and line breaks in texts
    are quoted, and rows end in CR LF, as RFC 4180 says.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_csv({"item": ["tea", "@home"], "lift": np.array([2.0, -1.5])}, Path(folder) / "lifts.csv")
    ...     (Path(folder) / "lifts.csv").read_text()
    "item,lift\ntea,2.0\n'@home,-1.5\n"
    """
    arrays = {name: np.asarray(values) for name, values in columns.items()}
    lengths = {name: len(values) for name, values in arrays.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"'{name}' {length:,}" for name, length in lengths.items())
        message = (
            f"the table for '{path}' has columns of different length ({listed}). Expected one value per row; "
            "look at the columns that stand out."
        )
        raise InvalidDataError(message)
    with Path(path).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")  # quotes texts with either of the two
        writer.writerow([csv_cell(str(name)) for name in arrays])
        for start in range(0, max(lengths.values(), default=0), ROWS):
            block = [_cells(values[start : start + ROWS]) for values in arrays.values()]
            writer.writerows(zip(*block, strict=True))


def _cells(values: np.ndarray) -> list[str]:
    """The cells of a column; `csv_cell` for each, or the same at once where the type allows it."""
    if values.dtype.kind in "iu":
        return [str(value) for value in values.tolist()]
    return [csv_cell(value) for value in values]
