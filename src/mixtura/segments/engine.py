"""DuckDB as the embedded engine: opening tables, memory limit, spilling to disk, errors in plain words."""

from __future__ import annotations

import difflib
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

from mixtura.exceptions import InvalidDataError, InvalidParameterError, optional_import
from mixtura.segments.columns import Table

__all__ = ["connect", "explain", "first_line", "open_table", "quoted", "source_name"]

READERS: Mapping[str, str] = {
    ".csv": "read_csv",
    ".tsv": "read_csv",
    ".txt": "read_csv",
    ".parquet": "read_parquet",
    ".pq": "read_parquet",
}

DELIMITERS = (",", ";", "\t", "|")

# Characters of a message of DuckDB that are passed on.
LONGEST = 400


def quoted(name: str) -> str:
    """Write an identifier so that any name is safe in SQL.

    Examples
    --------
    >>> quoted("package size"), quoted('3" pipe')
    ('"package size"', '"3"" pipe"')
    """
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text constant in SQL."""
    return "'" + text.replace("'", "''") + "'"


@contextmanager
def connect(memory_limit: str | None = None, threads: int | None = None) -> Iterator[Any]:
    """Open an engine in memory that spills what does not fit into a temporary folder.

    Parameters
    ----------
    memory_limit : str, optional
        For example ``"2GB"``; by default DuckDB takes 80 % of the machine's memory.
    threads : int, optional
        All cores by default.

    Yields
    ------
    duckdb.DuckDBPyConnection
        Closed, and the temporary folder removed, on the way out.

    Raises
    ------
    MissingExtraError
        If DuckDB is not installed.
    InvalidParameterError
        If a setting makes no sense.

    Examples
    --------
    >>> with connect("1GB") as connection:
    ...     connection.execute("SELECT 6 * 7").fetchone()
    (42,)
    """
    duckdb = optional_import("duckdb", "segment")
    with tempfile.TemporaryDirectory(prefix="mixtura-") as spill:
        connection = duckdb.connect(":memory:")
        try:
            # Nothing is downloaded behind the user's back, and no order is kept that nobody asked for.
            connection.execute("SET autoinstall_known_extensions = false")
            connection.execute("SET preserve_insertion_order = false")
            connection.execute(f"SET temp_directory = {literal(spill)}")
            try:
                if memory_limit is not None:
                    connection.execute(f"SET memory_limit = {literal(str(memory_limit))}")
                if threads is not None:
                    connection.execute(f"SET threads = {int(threads)}")
            except (duckdb.Error, ValueError) as error:
                message = (
                    f"memory_limit={memory_limit!r}, threads={threads!r}: {first_line(error)}. Expected a "
                    f"memory limit such "
                    "as '2GB' and a positive number of threads; leave them out for the defaults."
                )
                raise InvalidParameterError(message) from error
            yield connection
        finally:
            connection.close()


def source_name(source: Any) -> str:
    """How a source is called in messages and results: its file name, or its type.

    Examples
    --------
    >>> source_name("data/transactions.csv")
    'transactions.csv'
    """
    if isinstance(source, str | PathLike):
        return Path(source).name
    kind = type(source)
    return f"{kind.__module__.split('.')[0]} {kind.__name__}"


def open_table(connection: Any, name: str, source: Any) -> Table:
    """Make a file or a data frame readable in SQL under a name, without loading it.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        The engine.
    name : str
        Name of the view, ``"transactions"`` or ``"items"``.
    source : str, path or data frame
        CSV (also compressed, ``.csv.gz``), Parquet, several of one kind by a pattern with ``*``, or a pandas,
        polars or Arrow table.

    Returns
    -------
    Table
        Its name and its columns with their types.

    Raises
    ------
    InvalidDataError
        If there is no such file, or it cannot be read, or it has no columns.
    """
    duckdb = optional_import("duckdb", "segment")
    try:
        if isinstance(source, str | PathLike):
            query = _file_query(name, Path(source))
            # Parquet is scanned where it lies; CSV would be parsed anew by every query, so it is parsed once.
            kind = "TEMP TABLE" if "read_csv(" in query else "VIEW"
            connection.execute(f"CREATE {kind} {name} AS {query}")
        else:
            connection.register(name, _native(name, source))
        described = connection.execute(f"DESCRIBE {name}").fetchall()
    except (duckdb.InterruptException, duckdb.OutOfMemoryException):
        raise
    except duckdb.Error as error:
        _refuse_ragged_lines(connection, name, source)
        raise InvalidDataError(explain(name, source, error)) from error
    columns = {str(row[0]): str(row[1]) for row in described}
    if len(columns) == 1 and any(mark in next(iter(columns)) for mark in DELIMITERS):
        _refuse_ragged_lines(connection, name, source)
    if not columns:
        message = f"the {name} ({source_name(source)}) have no columns; expected a table with named columns."
        raise InvalidDataError(message)
    return Table(name, columns)


def _file_query(name: str, path: Path) -> str:
    """SELECT over a file, after the checks whose answers DuckDB words badly."""
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() not in {".gz", ".zst"}]
    suffix = suffixes[-1] if suffixes else ""
    pattern = any(mark in path.name for mark in "*?[")
    if not pattern and not path.exists():
        near = difflib.get_close_matches(path.name, _names_in(path.parent), n=1, cutoff=0.5)
        hint = f"Did you mean '{path.parent / near[0]}'?" if near else "Check the path, or give a data frame."
        message = f"the {name}: no file '{path}'. Expected a CSV or Parquet file. {hint}"
        raise InvalidDataError(message)
    if path.is_dir():
        message = (
            f"the {name}: '{path}' is a folder. Expected a file; several files are '{path / '*.parquet'}'."
        )
        raise InvalidDataError(message)
    if suffix not in READERS:
        message = (
            f"the {name}: '{path.name}' ends in '{suffix}'. Expected one of {', '.join(READERS)} (CSV may "
            f"be compressed, "
            ".csv.gz). Convert it, or read it yourself and give the data frame."
        )
        raise InvalidDataError(message)
    if not pattern and path.stat().st_size == 0:
        message = f"the {name}: '{path}' is empty (0 bytes). Expected a header line and rows."
        raise InvalidDataError(message)
    # The types of a CSV file are found from all of its rows: an invoice "C536379" may come late.
    # The first line is the header, whatever a line further down looks like.
    options = ", header = true, skip = 0, sample_size = -1" if READERS[suffix] == "read_csv" else ""
    return f"SELECT * FROM {READERS[suffix]}({literal(str(path))}{options})"


def _names_in(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in folder.iterdir()]
    except OSError:
        return []


def _refuse_ragged_lines(connection: Any, name: str, source: Any) -> None:
    """Point at the line of a CSV file that has more or fewer fields than the header, if that is the fault."""
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


def _native(name: str, source: Any) -> Any:
    """A table that DuckDB scans where it lies; polars hands over its Arrow buffers."""
    module = type(source).__module__.split(".")[0]
    if module in {"pandas", "pyarrow", "duckdb", "_duckdb"}:
        return source
    if module == "polars":
        optional_import("pyarrow", "segment")
        return (source.collect() if hasattr(source, "collect") else source).to_arrow()
    if hasattr(source, "__arrow_c_stream__"):
        return optional_import("pyarrow", "segment").table(source)
    message = (
        f"the {name}: found {type(source).__name__}. Expected a path to a CSV or Parquet file, or a pandas, "
        f"polars or "
        "Arrow table."
    )
    raise InvalidDataError(message)


def first_line(error: BaseException) -> str:
    r"""What DuckDB says, without the type in front and the picture of the query behind.

    Examples
    --------
    >>> first_line(ValueError("Binder Error: no column x\nCandidates: y\n\nLINE 1: SELECT x"))
    'no column x Candidates: y'
    """
    text = re.split(r"\n\s*\n|\nLINE \d+:", str(error))[0]
    text = re.sub(r"^(\w+ )?\w+ Error: ", "", text)
    text = " ".join(text.split()).rstrip(".!")
    return text if len(text) <= LONGEST else text[: LONGEST - 4] + " ..."


def explain(name: str, source: Any, error: BaseException) -> str:
    """The message for a table that cannot be read."""
    return (
        f"the {name} ({source_name(source)}) could not be read: {first_line(error)}. "
        "Expected a CSV file with a header line or a Parquet file, each column with values of one type. "
        "Repair the file, or read it yourself and give the data frame."
    )
