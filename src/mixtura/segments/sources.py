"""Where tables come from: files, tables of a DuckDB file, queries, data frames, Arrow streams."""

from __future__ import annotations

import re
from os import PathLike
from pathlib import Path
from typing import Any

from mixtura.exceptions import InvalidDataError, did_you_mean, optional_import
from mixtura.segments.columns import Table
from mixtura.segments.engine import INSIDE, explain, first_line, literal, quoted, source_name
from mixtura.segments.files import DELIMITERS, file_query, refuse_missing, refuse_ragged_lines

__all__ = ["open_table"]

QUERY = re.compile(r"\s*(select|with|from|values|pivot|unpivot)\b|\s*\(", re.IGNORECASE)
KINDS = (
    "a path to a CSV or Parquet file, to a folder of them or to a DuckDB file (shop.duckdb::sales), a pandas, "
    "polars or Arrow table, or a relation of DuckDB"
)


def open_table(connection: Any, name: str, source: Any) -> Table:
    """Make a table readable in SQL under a name, without loading it where that can be avoided.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        The engine.
    name : str
        Name of the view: ``"transactions"``, ``"items"`` or ``"customers"``.
    source : str, path or data frame
        A CSV file (also compressed, ``.csv.gz``), a Parquet file, several of one kind by a pattern with ``*``
        or by their folder (then with all folders below it, and ``year=2024`` in a folder's name as a column);
        a table or a query of a DuckDB file, ``"shop.duckdb::sales"`` or
        ``"shop.duckdb::SELECT * FROM sales"``; a query without a file, ``"::SELECT * FROM 'sales.csv'"``;
        a pandas, polars or Arrow table, a relation of DuckDB, or anything else with an Arrow stream.

    Returns
    -------
    Table
        Its name and its columns with their types.

    Raises
    ------
    InvalidDataError
        If there is no such file or table, or it cannot be read, or it has no columns.

    Notes
    -----
    Parquet files, tables of a DuckDB file, pandas and Arrow tables are scanned where they lie. What can be
    read only once, or would be computed anew by every question (CSV, queries, streams), is put into a table of
    the engine, which spills to disk under the memory limit. A DuckDB file is opened for reading only. The
    columns of several files are matched by their names; one that a file lacks is missing there.
    """
    duckdb = optional_import("duckdb", "segment")
    try:
        if not isinstance(source, str | PathLike):
            _open_object(connection, name, source)
        elif INSIDE in str(source):
            _open_inside(connection, name, str(source))
        elif not str(source).strip():
            message = f"the {name}: found an empty name. Expected {KINDS}."
            raise InvalidDataError(message)
        else:
            query = file_query(name, Path(source))
            # Parquet is scanned where it lies; CSV would be parsed anew by every query, so it is parsed once.
            kind = "TEMP TABLE" if "read_csv(" in query else "VIEW"
            connection.execute(f"CREATE {kind} {name} AS {query}")
        described = connection.execute(f"DESCRIBE {name}").fetchall()
    except (duckdb.InterruptException, duckdb.OutOfMemoryException):
        raise
    except duckdb.Error as error:
        refuse_ragged_lines(connection, name, source)
        raise InvalidDataError(explain(name, source, error)) from error
    columns = {str(row[0]): str(row[1]) for row in described}
    if len(columns) == 1 and any(mark in next(iter(columns)) for mark in DELIMITERS):
        refuse_ragged_lines(connection, name, source)
    if not columns:
        message = f"the {name} ({source_name(source)}) have no columns; expected a table with named columns."
        raise InvalidDataError(message)
    return Table(name, columns)


def _open_object(connection: Any, name: str, source: Any) -> None:
    """Data frames stay where they are; streams, which can be read once, are taken over."""
    kind = type(source)
    module, label = kind.__module__.split(".")[0], kind.__name__
    if module == "polars" and label in {"DataFrame", "LazyFrame"}:
        optional_import("pyarrow", "segment")
        connection.register(name, (source.collect() if label == "LazyFrame" else source).to_arrow())
    elif (module == "pandas" and label == "DataFrame") or (
        module == "pyarrow" and label != "RecordBatchReader" and not hasattr(source, "__arrow_c_array__")
    ):
        connection.register(name, source)
    elif hasattr(source, "__arrow_c_stream__"):
        pyarrow = optional_import("pyarrow", "segment")
        connection.register("incoming", pyarrow.RecordBatchReader.from_stream(source))
        connection.execute(f"CREATE TEMP TABLE {name} AS SELECT * FROM incoming")
        connection.unregister("incoming")
    elif hasattr(source, "__arrow_c_array__"):
        pyarrow = optional_import("pyarrow", "segment")
        connection.register(name, pyarrow.Table.from_batches([pyarrow.record_batch(source)]))
    else:
        hint = ""
        if label == "DuckDBPyConnection":
            hint = " Give one of its tables: connection.table('sales'), or connection.sql('SELECT ...')."
        message = f"the {name}: found {label}. Expected {KINDS}.{hint}"
        raise InvalidDataError(message)


def _open_inside(connection: Any, name: str, source: str) -> None:
    """A table or a query of a DuckDB file, or a query without one."""
    duckdb = optional_import("duckdb", "segment")
    file, what = (part.strip() for part in source.split(INSIDE, 1))
    database = _attached(connection, name, Path(file), what) if file else None
    tables = [] if database is None else _tables_in(connection, database)
    for schema, table in tables:
        if what.lower() in {table.lower(), f"{schema}.{table}".lower()}:
            found = f"{quoted(str(database))}.{quoted(schema)}.{quoted(table)}"
            connection.execute(f"CREATE VIEW {name} AS SELECT * FROM {found}")
            return
    if not QUERY.match(what):
        names = [table if schema == "main" else f"{schema}.{table}" for schema, table in tables]
        where = f"'{file}' has no table '{what}'" if file else f"'{source}' names no file before '{INSIDE}'"
        hint = did_you_mean(what, names) if names else "It has no tables."
        message = (
            f"the {name}: {where}. Expected a table of the file, or a query that begins with SELECT, WITH or "
            f"FROM, as in 'shop.duckdb{INSIDE}SELECT * FROM sales'. {hint if file else ''}"
        )
        raise InvalidDataError(message.rstrip())
    # A cursor has its own search path, so that plain names in the query mean the tables of the file.
    cursor = connection.cursor()
    try:
        if database is not None:
            cursor.execute(f"USE {quoted(database)}")
        query = what.rstrip("; \n")
        if len(cursor.extract_statements(query)) != 1:
            message = f"the {name}: the query {what!r} is several. Expected one; give the last one alone."
            raise InvalidDataError(message)
        cursor.execute(f"CREATE TABLE memory.main.{name} AS ({query}\n)")
    except (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException) as error:
        message = (
            f"the {name}: the query {query!r} cannot be used: {first_line(error)}. Expected one query over "
            f"the tables {', '.join(table for _, table in tables) or 'that it names'}. Try it in DuckDB."
        )
        raise InvalidDataError(message) from error
    finally:
        cursor.close()


def _attached(connection: Any, name: str, path: Path, what: str) -> str:
    """Attach a DuckDB file for reading, once, and give its name in the engine."""
    duckdb = optional_import("duckdb", "segment")
    refuse_missing(name, path, "a DuckDB file")
    known = connection.execute("SELECT database_name, path FROM duckdb_databases()").fetchall()
    for database, place in known:
        if place is not None and Path(place).resolve() == path.resolve():
            return str(database)
    database = f"source_{len(known)}"
    try:
        connection.execute(f"ATTACH {literal(str(path))} AS {database} (TYPE duckdb, READ_ONLY)")
    except duckdb.Error as error:
        busy = "lock" in str(error) or "already attached" in str(error)
        remedy = (
            "Close the program that has it open"
            if busy
            else "Give the file of a database that this version of DuckDB reads"
        )
        message = (
            f"the {name}: '{path}' could not be opened as a DuckDB file: {first_line(error)}. Expected a "
            f"database, of which '{what or 'a table'}' is read. {remedy}, or export the table as Parquet."
        )
        raise InvalidDataError(message) from error
    return database


def _tables_in(connection: Any, database: str) -> list[tuple[str, str]]:
    """Schema and name of every table and view, those of the main schema first."""
    return list(
        connection.execute(
            """
            SELECT schema_name, name FROM (
                SELECT database_name, schema_name, table_name AS name FROM duckdb_tables()
                UNION ALL
                SELECT database_name, schema_name, view_name FROM duckdb_views() WHERE NOT internal
            )
            WHERE database_name = $name ORDER BY schema_name <> 'main', schema_name, name
            """,
            {"name": database},
        ).fetchall()
    )
