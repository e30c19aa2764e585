"""Transactions to baskets: joined, filtered, ordered and counted in DuckDB; only counts come to memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from mixtura.exceptions import InvalidDataError, InvalidParameterError, did_you_mean, optional_import
from mixtura.segments import checks, counting
from mixtura.segments.baskets import Baskets
from mixtura.segments.columns import Column, Table, choose_columns
from mixtura.segments.engine import connect, explain, first_line, open_table, source_name

__all__ = ["read_baskets"]

VALUES = ("lines", "quantity")
SHARED = ("error", "first")


def read_baskets(
    transactions: Any,
    items: Any = None,
    *,
    customer: str | None = None,
    basket: str | None = None,
    item: str | None = None,
    category: str | None = None,
    time: str | None = None,
    quantity: str | None = None,
    item_key: str | None = None,
    where: str | None = None,
    value: str = "lines",
    shared_baskets: str = "error",
    categories: Sequence[str] | None = None,
    memory_limit: str | None = None,
    threads: int | None = None,
) -> Baskets:
    """Counts per basket and category from raw transactions.

    Everything that grows with the number of lines happens in DuckDB, which spills to disk under its memory
    limit; what comes back is one sparse row per basket.

    Parameters
    ----------
    transactions : str, path or data frame
        One row per line of a receipt: CSV, Parquet (also a pattern with ``*``), pandas, polars or Arrow.
    items : str, path or data frame, optional
        One row per item, joined to the lines by `item` = `item_key`.
    customer, basket, item, category, time, quantity, item_key : str, optional
        Column names; what is not given is guessed from names, and the guesses are in ``Baskets.columns``.
        Without a basket column, the lines of one customer on one day make a basket.
    where : str, optional
        A condition in SQL over the columns of both tables, such as ``"department = 'GROCERY'"``.
    value : {"lines", "quantity"}
        What is counted: lines, or units of the quantity column.
    shared_baskets : {"error", "first"}
        What to do with a basket that has lines of several customers: refuse, or give it to the customer of
        the earliest line (the smallest identifier among equals).
    categories : sequence of str, optional
        Count exactly these, in this order, and leave out lines of any other; by default all categories found.
    memory_limit : str, optional
        Memory that DuckDB may take, such as ``"2GB"``; beyond it, it works on disk.
    threads : int, optional
        Threads of DuckDB; all cores by default.

    Returns
    -------
    Baskets
        In order of time, then of basket identifier.

    Raises
    ------
    InvalidDataError
        If a table cannot be read, is empty, has duplicate item keys, or a column has the wrong type; if
        nothing is left to count.
    ColumnNotFoundError
        If a column is not there.
    InvalidParameterError
        If an option or the filter makes no sense.
    MissingExtraError
        If DuckDB is not installed.

    Notes
    -----
    A line without a customer, basket, time or category is left out and counted, each line under the first
    reason that holds. Lines of negative quantity are returns, not purchases, and are left out whenever there
    is a quantity column; when quantities are counted, so are lines without a quantity or with 0 units. A
    basket whose lines have several times has that of its first line.

    Examples
    --------
    >>> import pandas
    >>> lines = pandas.DataFrame(
    ...     {
    ...         "customer": ["Ann", "Ann", "Bob", "Bob"],
    ...         "receipt": [1, 1, 2, 2],
    ...         "day": ["2024-05-01", "2024-05-01", "2024-05-02", "2024-05-02"],
    ...         "category": ["milk", "bread", "milk", "milk"],
    ...     }
    ... )
    >>> found = read_baskets(lines)
    >>> found.counts.toarray().tolist(), found.categories.tolist()
    ([[1, 1], [0, 2]], ['bread', 'milk'])
    """
    _check_choice("value", value, VALUES)
    _check_choice("shared_baskets", shared_baskets, SHARED)
    named = {
        "customer": customer,
        "basket": basket,
        "item": item,
        "category": category,
        "time": time,
        "quantity": quantity,
        "item_key": item_key,
    }
    with connect(memory_limit, threads) as connection, _failures_explained(transactions, memory_limit):
        tables = [open_table(connection, "transactions", transactions)]
        if items is not None:
            tables.append(open_table(connection, "items", items))
        columns = choose_columns(tables[0], tables[1] if items is not None else None, named)
        if value == "lines" and quantity is None and not checks.is_number(columns.get("quantity")):
            columns.pop("quantity", None)  # a guess, and not needed
        return _read(
            connection,
            tables,
            columns,
            where=where,
            value=value,
            shared_baskets=shared_baskets,
            categories=categories,
            source=source_name(transactions),
            items_source=None if items is None else source_name(items),
        )


@contextmanager
def _failures_explained(transactions: Any, memory_limit: str | None) -> Iterator[None]:
    """Turn what DuckDB raises into our own errors, and its way of telling of Ctrl-C into Python's."""
    duckdb = optional_import("duckdb", "segment")
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        message = (
            f"DuckDB ran out of memory ({first_line(error)}). Raise memory_limit={memory_limit!r}, "
            "or free space on the disk of the temporary folder."
        )
        raise InvalidDataError(message) from error
    except duckdb.InterruptException as error:
        raise KeyboardInterrupt from error
    except duckdb.Error as error:
        raise InvalidDataError(explain("transactions", transactions, error)) from error
    except RuntimeError as error:
        if "interrupt" in str(error).lower():
            raise KeyboardInterrupt from error
        raise


def _check_choice(name: str, found: str, allowed: Sequence[str]) -> None:
    if found not in allowed:
        raise InvalidParameterError(f"{name}={found!r} is not known. {did_you_mean(str(found), allowed)}")


def _read(
    connection: Any,
    tables: Sequence[Table],
    columns: dict[str, Column],
    *,
    where: str | None,
    value: str,
    shared_baskets: str,
    categories: Sequence[str] | None,
    source: str,
    items_source: str | None,
) -> Baskets:
    """The work of `read_baskets` once the tables are open and the columns known."""
    n_lines = connection.execute("SELECT count(*) FROM transactions").fetchone()[0]
    if n_lines == 0:
        message = (
            f"the transactions ({source}) have no rows. Expected one row per line of a receipt; "
            "check the export."
        )
        raise InvalidDataError(message)
    notes: list[str] = []
    origin = "transactions"
    if items_source is not None:
        origin, note = checks.join(connection, columns, items_source)
        notes += note
    checks.filter_is_valid(connection, origin, where, tables)
    checks.times_are_readable(connection, columns["time"])
    checks.quantities_are_counts(connection, origin, columns.get("quantity"), where, value)
    if categories is not None:
        connection.execute(
            "CREATE TEMP TABLE known AS SELECT unnest(?::VARCHAR[]) AS category, unnest(range(?)) AS col",
            [list(categories), len(categories)],
        )
    query = counting.lines(
        connection, origin, columns, where=where, value=value, known=categories is not None
    )
    connection.execute(f"CREATE TEMP TABLE lines AS {query}")
    if "basket" not in columns:
        notes.append("No basket column: the lines of one customer on one day make a basket.")
    dropped = counting.dropped(connection, where)
    n_used = n_lines - sum(entry.n_lines for entry in dropped)
    if n_used == 0:
        reasons = "; ".join(f"{entry.n_lines:,} lines: {entry.reason}" for entry in dropped)
        message = (
            f"no line of {n_lines:,} in the transactions ({source}) is left to count ({reasons}). "
            "Check the filter and the columns."
        )
        raise InvalidDataError(message)
    notes += checks.baskets_have_one_customer(connection, shared_baskets)
    counts, baskets, found = counting.count(connection, categories, integers=value == "lines")
    if len(found) == 1:
        message = (
            f"all {n_used:,} lines have one category, '{found[0]}'. Expected at least two, since missions "
            f"differ by their "
            "categories. Check the category column and the filter."
        )
        raise InvalidDataError(message)
    return Baskets(
        counts=counts,
        baskets=baskets["basket"],
        customers=baskets["customer"],
        times=baskets["time"],
        categories=found,
        columns=columns,
        n_lines=n_lines,
        n_lines_used=n_used,
        dropped=dropped,
        notes=tuple(notes),
        source=source,
        items_source=items_source,
        where=where,
        value=value,
    )
