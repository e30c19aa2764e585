"""Files of transactions: one, a folder of them, a pattern; which reader, and what is wrong with them."""

from __future__ import annotations

import difflib
import glob
import re
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from mixtura.exceptions import InvalidDataError, optional_import
from mixtura.segments.engine import INSIDE, first_line, literal, quoted, source_name

__all__ = ["DELIMITERS", "file_query", "first_text", "refuse_missing", "refuse_ragged_lines"]

READERS: Mapping[str, str] = {
    ".csv": "read_csv",
    ".tsv": "read_csv",
    ".txt": "read_csv",
    ".parquet": "read_parquet",
    ".pq": "read_parquet",
}
PACKED = {".gz", ".zst"}
DATABASES = {".duckdb", ".ddb", ".db"}

DELIMITERS = (",", ";", "\t", "|")


def refuse_missing(name: str, path: Path, kind: str) -> None:
    """Say that a file is not there, and which name is near.

    Raises
    ------
    InvalidDataError
        If it is not.
    """
    if path.exists():
        return
    near = difflib.get_close_matches(path.name, _names_in(path.parent), n=1, cutoff=0.5)
    hint = f"Did you mean '{path.parent / near[0]}'?" if near else "Check the path, or give a data frame."
    message = f"the {name}: no file '{path}'. Expected {kind}. {hint}"
    raise InvalidDataError(message)


def file_query(name: str, path: Path) -> str:
    """SELECT over a file, a folder or a pattern, after the checks whose answers DuckDB words badly.

    Parameters
    ----------
    name : str
        What the table is called in messages.
    path : Path
        The file or folder, or a pattern with ``*``, ``?`` or ``[``.

    Returns
    -------
    str
        The query.

    Raises
    ------
    InvalidDataError
        If there is none, or one is empty or of no known kind.
    """
    if not path.exists() and not _is_pattern(path):
        refuse_missing(name, path, "a CSV or Parquet file")
    if path.is_file() and _suffix(path) in DATABASES:
        message = (
            f"the {name}: '{path}' is a database. Expected also which table of it, as in '{path}{INSIDE}sales', "
            f"or a query, '{path}{INSIDE}SELECT * FROM sales'."
        )
        raise InvalidDataError(message)
    files = _found(path)
    if not files and path.is_dir():
        message = (
            f"the {name}: '{path}' is a folder. Expected a file, or a folder with files that end in "
            f"{', '.join(READERS)}; this one has none ({len(_names_in(path)):,} entries). Check the path."
        )
        raise InvalidDataError(message)
    if not files:
        message = (
            f"the {name}: no file matches the pattern '{path}'. Expected at least one CSV or Parquet file. "
            "Check the pattern, and put it in single quotes on a command line."
        )
        raise InvalidDataError(message)
    return _scan(name, files, path)


def _is_pattern(path: Path) -> bool:
    """Whether the path stands for others; a file whose name has such a mark is itself."""
    return any(mark in str(path) for mark in "*?[") and not path.exists()


def _found(path: Path) -> list[Path]:
    """All files that a path stands for."""
    places = [path]
    if _is_pattern(path):
        places = [Path(found) for found in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207 - absolute ones too
    return [file for place in places for file in (_files_in(place) if place.is_dir() else [place])]


def _scan(name: str, files: Sequence[Path], asked: Path) -> str:
    """SELECT over files of one kind, their columns matched by name."""
    readers = {_suffix(file): READERS.get(_suffix(file)) for file in files}
    for suffix, reader in readers.items():
        if reader is None:
            example = next(file.name for file in files if _suffix(file) == suffix)
            message = (
                f"the {name}: '{example}' ends in '{suffix}'. Expected one of {', '.join(READERS)} (CSV may be "
                "compressed, .csv.gz). Convert it, or read it yourself and give the data frame."
            )
            raise InvalidDataError(message)
    if len(set(readers.values())) > 1:
        message = (
            f"the {name}: '{asked}' holds both Parquet and CSV files ({', '.join(sorted(readers))}). Expected "
            f"files of one kind; say which with a pattern, such as '{asked / '*.parquet'}'."
        )
        raise InvalidDataError(message)
    for file in files:
        if file.stat().st_size == 0:
            message = f"the {name}: '{file}' is empty (0 bytes). Expected a header line and rows."
            raise InvalidDataError(message)
    reader = readers[_suffix(files[0])]
    # The types of a CSV file are found from all of its rows: an invoice "C536379" may come late.
    # The first line is the header, whatever a line further down looks like.
    options = ", header = true, skip = 0, sample_size = -1" if reader == "read_csv" else ""
    if len(files) > 1:
        options += ", union_by_name = true"
    return f"SELECT * FROM {reader}([{_listed(files)}]{options})"


def _listed(files: Sequence[Path]) -> str:
    """Names of files in SQL; a "*" in one of them is no pattern."""
    return ", ".join(literal(re.sub(r"([*?\[])", r"[\1]", str(file))) for file in files)


def _suffix(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() not in PACKED]
    return suffixes[-1] if suffixes else ""


def _files_in(folder: Path) -> list[Path]:
    """All table files below a folder, without hidden ones and those of other programs (``_SUCCESS``)."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and _suffix(path) in READERS
        and not any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)
    )


def _names_in(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in folder.iterdir()]
    except OSError:
        return []


def first_text(connection: Any, source: Any, column: str) -> str | None:
    """The first value of a column of a CSV file as it stands there; None for any other source.

    Examples
    --------
    >>> first_text(None, "sales.parquet", "day") is None
    True
    """
    if not isinstance(source, str | PathLike) or INSIDE in str(source):
        return None
    files = _found(Path(source))
    if READERS.get(_suffix(files[0])) != "read_csv":
        return None
    row = connection.execute(
        f"SELECT {quoted(column)} FROM read_csv([{_listed(files[:1])}], header = true, skip = 0, "
        f"all_varchar = true) WHERE {quoted(column)} <> '' LIMIT 1"
    ).fetchone()
    return None if row is None else str(row[0])


def refuse_ragged_lines(connection: Any, name: str, source: Any) -> None:
    """Point at the line of a CSV file that has more or fewer fields than the header, if that is the fault.

    Raises
    ------
    InvalidDataError
        If it is.
    """
    duckdb = optional_import("duckdb", "segment")
    if not isinstance(source, str | PathLike) or READERS.get(Path(source).suffix.lower()) != "read_csv":
        return
    path = literal(str(source))
    header, mark = "", ","
    try:
        header = connection.execute(
            f"SELECT line FROM read_csv({path}, auto_detect = false, header = false, delim = '\x01', "
            "quote = '', columns = {'line': 'VARCHAR'}) LIMIT 1"
        ).fetchone()[0]  # a single column with a delimiter that no text contains
        mark = max(DELIMITERS, key=header.count)
        fields = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(header.count(mark) + 1))
        connection.execute(
            f"SELECT count(*), count(COLUMNS(*)) FROM read_csv({path}, auto_detect = false, header = true, "
            f"delim = {literal(mark)}, quote = '\"', columns = {{{fields}}})"
        ).fetchall()
    except duckdb.Error as error:
        message = (
            f"the {name} ({source_name(source)}): {first_line(error).split(' Possible fixes')[0]}. "
            f"Expected in every line as many fields as in the header, {header[:80]!r}. "
            f"Repair the line; texts that contain {mark!r} belong in double quotes."
        )
        raise InvalidDataError(message) from error
