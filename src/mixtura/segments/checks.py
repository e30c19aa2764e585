"""What must hold before lines are counted; each failure says what was found and what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mixtura.exceptions import InvalidDataError, InvalidParameterError, did_you_mean, optional_import
from mixtura.segments.columns import Column, Table, level_columns
from mixtura.segments.engine import first_line
from mixtura.segments.lines import is_calendar, moment, place
from mixtura.segments.vocabulary import NUMBERS

__all__ = [
    "baskets_have_one_customer",
    "filter_is_valid",
    "is_number",
    "join",
    "quantities_are_counts",
    "times_are_readable",
]


def is_number(column: Column | None) -> bool:
    """Whether a column is there and holds numbers."""
    return column is not None and column.type.startswith(NUMBERS)


def join(connection: Any, columns: Mapping[str, Column], items_source: str) -> tuple[str, list[str]]:
    """Join the item table to the lines, so that no line is multiplied or lost.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        The engine.
    columns : Mapping[str, Column]
        With the roles ``"item"`` and ``"item_key"``.
    items_source : str
        Name of the item table, for messages.

    Returns
    -------
    origin : str
        The FROM clause.
    notes : list of str
        How many lines have an item that is not in the item table, if any.

    Raises
    ------
    InvalidDataError
        If keys are repeated in the item table.
    """
    item, key = columns["item"], columns["item_key"]
    same_kind = is_number(item) == is_number(key)
    sides = [
        place(column) if same_kind else f"trim(CAST({place(column)} AS VARCHAR))" for column in (item, key)
    ]
    repeated = connection.execute(f"""
        SELECT key, n, count(*) OVER (), sum(n) OVER ()
        FROM (SELECT {sides[1]} AS key, count(*) AS n FROM items WHERE {place(key)} IS NOT NULL GROUP BY 1)
        WHERE n > 1 ORDER BY n DESC, key LIMIT 3
    """).fetchall()
    if repeated:
        listed = ", ".join(f"{row[0]!r} ({row[1]} rows)" for row in repeated)
        message = (
            f"the item table ({items_source}): {repeated[0][2]:,} values of the key '{key.name}' stand in "
            f"several rows "
            f"({repeated[0][3]:,} rows in all), for example {listed}. Expected one row per item, since the "
            f"join would "
            "multiply lines. Remove the repeated rows, or name the right key (item_key, --item-key)."
        )
        raise InvalidDataError(message)
    using = same_kind and item.name == key.name
    condition = f'USING ("{item.name}")' if using and '"' not in item.name else f"ON {sides[0]} = {sides[1]}"
    origin = f"transactions LEFT JOIN items {condition}"
    n_lines, n_items = connection.execute(
        f"SELECT count(*), count(DISTINCT {place(item)}) FROM transactions ANTI JOIN items ON {sides[0]} = "
        f"{sides[1]}"
    ).fetchone()
    if not n_lines or all(
        column.table == "items" for column in level_columns(columns)
    ):  # then they are left out, under that reason
        return origin, []
    return origin, [
        f"{n_lines:,} lines have an item ({n_items:,} different ones) that is not in the item table."
    ]


def filter_is_valid(connection: Any, origin: str, where: str | None, tables: Sequence[Table]) -> None:
    """Refuse a filter that is not one condition over the columns, before any work.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        The engine.
    origin : str
        The FROM clause.
    where : str or None
        The filter.
    tables : sequence of Table
        For the names in the message.

    Raises
    ------
    InvalidParameterError
        With DuckDB's words, and the nearest name for an unknown column.
    """
    if where is None:
        return
    duckdb = optional_import("duckdb", "segment")
    query = f"SELECT CAST(({where}\n) AS BOOLEAN) FROM {origin} WHERE ({where}\n)"
    try:
        if not where.strip() or len(connection.extract_statements(query)) != 1:
            found = "it is not one condition"
        else:
            connection.execute(f"EXPLAIN {query}")
            return
    except duckdb.Error as error:
        found = first_line(error)
    names = [name for table in tables for name in table.columns]
    unknown = re.search(r'column "?([^"]+?)"? not found', found)
    hint = did_you_mean(unknown.group(1), names) if unknown else f"The columns are {', '.join(names)}."
    message = (
        f"the filter {where!r} cannot be used: {found.split(' Candidate bindings')[0]}. Expected a "
        f"condition in SQL such as "
        f"\"department = 'GROCERY'\" (texts in single quotes). {hint}"
    )
    raise InvalidParameterError(message)


def times_are_readable(connection: Any, time: Column) -> None:
    """Refuse a time column with texts that are not times.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        The engine.
    time : Column
        The time column.

    Raises
    ------
    InvalidDataError
        With the first such text.
    """
    if is_calendar(time) and not time.type.startswith(("VARCHAR", "TIMESTAMP", "DATE")):
        message = (
            f"the time column '{time.name}' has values of type {time.type}. Expected dates, times or "
            f"numbers that grow with "
            "time. Name another column (time, --time)."
        )
        raise InvalidDataError(message)
    if time.type != "VARCHAR":
        return
    example, bad = connection.execute(
        f"SELECT any_value({place(time)}), count(*) FROM {time.table} "
        f"WHERE trim({place(time)}) <> '' AND {moment(time)} IS NULL"
    ).fetchone()
    if bad:
        message = (
            f"the time column '{time.name}': {bad:,} values are not times, for example {example!r}. "
            f"Expected texts like "
            "'2017-12-31' or '2017-12-31 22:11:05'. Convert them (in a query in place of the file, "
            f"\"::SELECT * REPLACE (strptime({time.name}, '%d/%m/%Y %H:%M') AS {time.name}) FROM 'sales.csv'\"), "
            "or name another column (time, --time)."
        )
        raise InvalidDataError(message)


def quantities_are_counts(
    connection: Any, origin: str, quantity: Column | None, where: str | None, value: str
) -> None:
    """Refuse a quantity column that does not hold counts.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        The engine.
    origin : str
        The FROM clause.
    quantity : Column or None
        The quantity column.
    where : str or None
        The filter; other lines may hold anything.
    value : {"lines", "quantity", "amount"}
        What is counted.

    Raises
    ------
    InvalidDataError
        If quantities are to be counted and there are none, or they are texts, or fractions.
    """
    if quantity is None:
        if value == "quantity":
            message = (
                "value='quantity' needs a quantity column, and none was recognised. Expected a name like "
                "'quantity' or "
                "'units'; say which one it is (quantity, --quantity), or count lines (value='lines')."
            )
            raise InvalidDataError(message)
        return
    if not is_number(quantity):
        message = (
            f"the quantity column '{quantity.name}' has values of type {quantity.type}. Expected whole "
            f"numbers. "
            "Convert it, name another column (quantity, --quantity), or count lines (value='lines')."
        )
        raise InvalidDataError(message)
    if value != "quantity":
        return
    number = f"CAST({place(quantity)} AS DOUBLE)"
    kept = f"({where}\n)" if where is not None else "true"
    example, bad = connection.execute(
        f"SELECT any_value({number}), count(*) FROM {origin} "
        f"WHERE isfinite({number}) AND {number} > 0 AND {number} <> floor({number}) AND {kept}"
    ).fetchone()
    if bad:
        message = (
            f"the quantity column '{quantity.name}': {bad:,} lines have a fraction, for example "
            f"{example!r}. Expected whole "
            "numbers of units (a multinomial mixture counts). Leave such lines out with the filter, or "
            "count lines "
            "(value='lines')."
        )
        raise InvalidDataError(message)


def baskets_have_one_customer(connection: Any, shared: str) -> list[str]:
    """Look for baskets with several customers or several times.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        With the table ``lines``.
    shared : {"error", "first"}
        What to do with several customers.

    Returns
    -------
    list of str
        Notes on what was decided.

    Raises
    ------
    InvalidDataError
        If a basket has several customers and that is an error.
    """
    n_shared, example, n_late = connection.execute("""
        SELECT count(*) FILTER (customers > 1), min(basket) FILTER (customers > 1), count(*) FILTER (first <
        last) FROM (
            SELECT basket, CAST(min(customer) <> max(customer) AS INTEGER) + 1 AS customers,
                   min(time) AS first, max(time) AS last
            FROM lines WHERE reason IS NULL GROUP BY basket
        )
    """).fetchone()
    notes = []
    if n_shared and shared == "error":
        message = (
            f"{n_shared:,} baskets have lines of several customers, for example basket {example!r}. "
            f"Expected one customer "
            "per basket; perhaps the numbers start again in every shop or every day. Name another basket "
            "column, leave it "
            "out where customer and day make a basket, or give them to the customer of the first line "
            "(shared_baskets='first', --shared-baskets first)."
        )
        raise InvalidDataError(message)
    if n_shared:
        notes.append(
            f"{n_shared:,} baskets have lines of several customers; each counts for that of its first line."
        )
    if n_late:
        notes.append(f"{n_late:,} baskets have lines of several times; each has the time of its first line.")
    return notes
