"""DuckDB as the embedded engine: memory limit, spilling to disk, errors in plain words."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

from mixtura.exceptions import InvalidParameterError, optional_import

__all__ = ["INSIDE", "connect", "explain", "first_line", "literal", "quoted", "source_name"]

# Between a DuckDB file and what is read from it: shop.duckdb::sales
INSIDE = "::"

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
    """Write a text constant so that any text is safe in SQL.

    Examples
    --------
    >>> literal("it's")
    "'it''s'"
    """
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
    if str(memory_limit).lstrip().startswith("-"):  # which DuckDB takes for no limit at all
        message = (
            f"memory_limit={memory_limit!r} is negative. Expected a memory limit such as '2GB'; leave it out for "
            "the default."
        )
        raise InvalidParameterError(message)
    with tempfile.TemporaryDirectory(prefix="mixtura-") as spill:
        connection = duckdb.connect(":memory:")
        try:
            # Nothing is downloaded behind the user's back, and no order is kept that nobody asked for.
            connection.execute("SET autoinstall_known_extensions = false")
            connection.execute("SET preserve_insertion_order = false")
            # A name in a user's query is a table, never a variable of ours.
            connection.execute("SET python_enable_replacements = false")
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
    """How a source is called in messages and results: its file name (and table), or its type.

    Examples
    --------
    >>> source_name("data/transactions.csv"), source_name("data/shop.duckdb::SELECT * FROM sales")
    ('transactions.csv', 'shop.duckdb::SELECT * FROM sales')
    """
    if isinstance(source, str | PathLike):
        file, inside, what = str(source).partition(INSIDE)
        return Path(file).name + inside + " ".join(what.split())
    kind = type(source)
    return f"{kind.__module__.split('.')[0]} {kind.__name__}"


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
        "Expected a CSV file with a header line, a Parquet file or a table of a DuckDB file, each column with "
        "values of one type. Repair the file, or read it yourself and give the data frame."
    )
