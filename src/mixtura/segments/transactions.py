"""Transactions to baskets: joined, filtered, ordered and counted in DuckDB; only counts come to memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from mixtura.exceptions import InvalidDataError, InvalidParameterError, optional_import
from mixtura.segments import checks
from mixtura.segments.baskets import Baskets
from mixtura.segments.columns import Column, Table, choose_columns, key_column
from mixtura.segments.engine import connect, explain, first_line, source_name
from mixtura.segments.levels import KnownCategories
from mixtura.segments.money import choose_money
from mixtura.segments.options import check_known
from mixtura.segments.reading import Sources, read
from mixtura.segments.rules import Rules
from mixtura.segments.sources import open_table

__all__ = ["read_baskets"]

VALUES = ("lines", "quantity", "amount")
SHARED = ("error", "first")


def read_baskets(
    transactions: Any,
    items: Any = None,
    *,
    customer: str | None = None,
    basket: str | None = None,
    item: str | None = None,
    category: str | Sequence[str] | None = None,
    time: str | None = None,
    quantity: str | None = None,
    amount: str | None = None,
    price: str | None = None,
    item_key: str | None = None,
    customers: Any = None,
    customer_key: str | None = None,
    where: str | None = None,
    value: str = "lines",
    shared_baskets: str = "error",
    min_support: float | None = None,
    rare: str = "other",
    top_items: int | None = None,
    categories: Sequence[str] | KnownCategories | None = None,
    memory_limit: str | None = None,
    threads: int | None = None,
) -> Baskets:
    """Counts per basket and category from raw transactions.

    Everything that grows with the number of lines happens in DuckDB, which spills to disk under its memory
    limit; what comes back is one sparse row per basket.

    Parameters
    ----------
    transactions : str, path or data frame
        One row per line of a receipt: a CSV or Parquet file, several by a pattern with ``*`` or by their
        folder; a table or a query of a DuckDB file (``"shop.duckdb::sales"``,
        ``"shop.duckdb::SELECT * FROM sales"``), which is opened for reading only; a pandas, polars or Arrow
        table, a relation of DuckDB, or any Arrow stream.
    items : str, path or data frame, optional
        One row per item, joined to the lines by `item` = `item_key`.
    customer, basket, item, time, quantity, item_key : str, optional
        Column names; what is not given is guessed from names, and the guesses are in ``Baskets.columns``.
        Without a basket column, the lines of one customer on one day make a basket.
    category : str or sequence of str, optional
        Column of the category, which may be a free text such as a description; or several columns, the levels
        (department, category, product). The categories are then those of all levels together, and a line
        counts once in each level that it has.
    amount, price : str, optional
        Column of a line's money, or of the price of one unit, which is multiplied by the quantity.
    customers : str, path or data frame, optional
        One row per customer, joined by `customer` = `customer_key`.
    customer_key : str, optional
        Column of the customer in `customers`.
    where : str, optional
        A condition in SQL over the columns of transactions and items, such as
        ``"department = 'GROCERY'"``.
    value : {"lines", "quantity", "amount"}
        What is counted: lines, units of the quantity column, or lines weighted by their money: category j of
        basket b counts (lines of b) times (money of j in b) / (money of b), so that a basket keeps its number
        of lines as its total. These counts are fractions.
    shared_baskets : {"error", "first"}
        What to do with a basket that has lines of several customers: refuse, or give it to the customer of
        the earliest line (the smallest identifier among equals).
    min_support : int or float, optional
        Baskets that a category must occur in: a number, or below 1 a share of all baskets. By default 1.
    rare : {"other", "drop"}
        What becomes of categories below `min_support` or beyond `top_items`: counted together as "(other)",
        one per level, or left out.
    top_items : int, optional
        How many categories to keep of each level, those in most baskets.
    categories : sequence of str or KnownCategories, optional
        Count exactly these, in this order; by default all categories found. Lines of any other are left out, or
        counted in "(other)" if that is one of them and `rare` is ``"other"``; `min_support` and `top_items`
        then have no effect.
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
        If a table cannot be read, is empty, has duplicate item or customer keys, or a column has the wrong
        type; if nothing is left to count.
    ColumnNotFoundError
        If a column is not there.
    InvalidParameterError
        If an option or the filter makes no sense.
    MissingExtraError
        If DuckDB is not installed.

    Notes
    -----
    A line without a customer, basket, time or category is left out and counted, each line under the first
    reason that holds. Lines of negative quantity or negative money are returns, not purchases, and are left out
    whenever there is such a column; when quantities or amounts are counted, so are lines without one or with 0.
    A basket whose lines have several times has that of its first line.

    Categories are the same if they differ only in case or in spaces; the most frequent spelling is shown. With
    several levels, a name that occurs in two of them is "level: name", and the model sees each line once per
    level, so that criteria count it as that many observations.

    Money is added exactly, in ten-thousandths of its unit, and a line without any counts as 0 of it. Columns of
    the customer table with few values are kept, numbers with many are put into five classes of equal size, and
    others are left out with a note.

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
    check_known("value", value, VALUES)
    check_known("shared_baskets", shared_baskets, SHARED)
    rules = Rules(min_support, rare, top_items)
    named: dict[str, Any] = {
        "customer": customer,
        "basket": basket,
        "item": item,
        "category": category,
        "time": time,
        "quantity": quantity,
        "amount": amount,
        "price": price,
        "item_key": item_key,
        "customer_key": customer_key,
    }
    sources = Sources(
        transactions,
        None if items is None else source_name(items),
        None if customers is None else source_name(customers),
    )
    with connect(memory_limit, threads) as connection, _failures_explained(transactions, memory_limit):
        tables, customer_table, columns = _open(connection, transactions, items, customers, named)
        if value != "quantity" and quantity is None and not checks.is_number(columns.get("quantity")):
            columns.pop("quantity", None)  # a guess, and not needed
        return read(
            connection,
            tables,
            customer_table,
            choose_money(columns, value),
            where=where,
            value=value,
            shared_baskets=shared_baskets,
            categories=categories,
            rules=rules,
            sources=sources,
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


def _open(
    connection: Any, transactions: Any, items: Any, customers: Any, named: Mapping[str, Any]
) -> tuple[list[Table], Table | None, dict[str, Column]]:
    """The tables of lines and items, that of customers, and all columns."""
    tables = [open_table(connection, "transactions", transactions)]
    if items is not None:
        tables.append(open_table(connection, "items", items))
    columns = choose_columns(tables[0], tables[1] if items is not None else None, named)
    if customers is None:
        if named["customer_key"] is not None:
            message = (
                f"customer_key={named['customer_key']!r} names a column of the customer table, and there is none. "
                "Expected both or neither; give the table (customers, --customers)."
            )
            raise InvalidParameterError(message)
        return tables, None, columns
    table = open_table(connection, "customers", customers)
    columns["customer_key"] = key_column("customer", columns["customer"], table, named["customer_key"])
    return tables, table, columns
