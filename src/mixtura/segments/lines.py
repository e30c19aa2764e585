"""The SQL of a line: who, which basket, when, which categories, how much, and why it is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mixtura.segments.columns import Column, level_columns
from mixtura.segments.engine import quoted
from mixtura.segments.vocabulary import NUMBERS

__all__ = ["REASONS", "identifier", "is_calendar", "lines", "moment", "place"]

INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")

# Why a line is left out, in the order of the tests; the table of lines holds the place in this list.
REASONS = {
    "unmatched": "the item is not in the item table",
    "filter": "outside the filter {where}",
    "customer": "no customer",
    "time": "no time",
    "basket": "no basket",
    "category": "no category",
    "return": "negative quantity: a return",
    "refund": "negative amount: a return or a correction",
    "no_quantity": "no finite quantity",
    "zero": "a quantity of 0",
    "no_amount": "no finite amount",
    "free": "an amount of 0",
    "unknown": "a category that the model does not know",
    "rare": "a rare category",
}


def place(column: Column) -> str:
    """A column as SQL, with its table.

    Examples
    --------
    >>> place(Column("item", "product id", "items", "BIGINT", guessed=True))
    'items."product id"'
    """
    return f"{column.table}.{quoted(column.name)}"


def is_calendar(column: Column) -> bool:
    """Whether the time column holds times, or texts of times; otherwise numbers, such as a day count."""
    return not column.type.startswith(NUMBERS)


def moment(column: Column) -> str:
    """SQL of a line's time: a TIMESTAMP, in UTC where there is a zone, or a finite DOUBLE; else NULL."""
    what = place(column)
    if "TIME ZONE" in column.type:
        return f"make_timestamp(epoch_us({what}))"
    if not is_calendar(column):
        number = f"CAST({what} AS DOUBLE)"
        return f"CASE WHEN isfinite({number}) THEN {number} END"
    stamp = f"TRY_CAST({what} AS TIMESTAMP)"
    return f"CASE WHEN isfinite({stamp}) THEN {stamp} END"


def identifier(connection: Any, column: Column) -> str:
    """SQL of an identifier: BIGINT for integers, also those that a missing value made floats; else text."""
    what = place(column)
    if column.type in INTEGERS:
        return f"CAST({what} AS BIGINT)"
    if column.type in {"FLOAT", "DOUBLE"}:
        finite = f"CASE WHEN isfinite({what}) THEN {what} END"
        whole = connection.execute(
            f"SELECT coalesce(bool_and({finite} = floor({what}) AND abs({finite}) < 9e15), false) FROM "
            f"{column.table} "
            f"WHERE isfinite({what})"
        ).fetchone()[0]
        return f"CAST({finite} AS BIGINT)" if whole else f"CAST({finite} AS VARCHAR)"
    return f"nullif(trim(CAST({what} AS VARCHAR)), '')"


def lines(
    connection: Any,
    origin: str,
    columns: Mapping[str, Column],
    *,
    where: str | None,
    value: str,
    money: str | None = None,
) -> str:
    """SELECT of a line's customer, basket, time, categories and measures, and why it is left out, or NULL.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        The engine.
    origin : str
        FROM clause with the tables joined.
    columns : Mapping[str, Column]
        By role.
    where : str or None
        The filter; it may speak of all columns of both tables.
    value : {"lines", "quantity", "amount"}
        What is counted.
    money : str, optional
        SQL of the line's money.

    Returns
    -------
    str
        The query. ``level_0``, ``level_1`` and so on are the categories, ``money`` and ``quantity`` are there
        only where they are needed, ``reason`` is a place in `REASONS`.
    """
    calendar = is_calendar(columns["time"])
    day = "strftime(time, '%Y-%m-%d')" if calendar else "CAST(CAST(floor(time) AS BIGINT) AS VARCHAR)"
    categories = level_columns(columns)
    levels = [f"level_{number}" for number in range(len(categories))]
    tests = _tests(columns, where, value, levels, money)
    codes = list(REASONS)
    reason = " ".join(f"WHEN {test} THEN {codes.index(code)}" for code, test in tests)
    basket = identifier(connection, columns["basket"]) if "basket" in columns else "NULL"
    quantity = f"CAST({place(columns['quantity'])} AS DOUBLE)" if "quantity" in columns else "NULL"
    matched = f"{place(columns['item_key'])} IS NOT NULL" if "item_key" in columns else "true"
    kept = f"coalesce(CAST(({where}\n) AS BOOLEAN), false)" if where is not None else "true"
    texts = [
        f"nullif(trim(CAST({place(column)} AS VARCHAR)), '') AS {level}"
        for column, level in zip(categories, levels, strict=True)
    ]
    measures = [*(["quantity"] if value == "quantity" else []), *(["money"] if money else [])]
    return f"""
        SELECT {", ".join(["customer", "basket", "time", *levels, *measures])},
               CAST(CASE {reason} END AS UTINYINT) AS reason
        FROM (
            SELECT * EXCLUDE basket,
                   {"basket" if "basket" in columns else f"CAST(customer AS VARCHAR) || ' ' || {day}"} AS
                   basket
            FROM (
                SELECT {identifier(connection, columns["customer"])} AS customer,
                       {basket} AS basket,
                       {moment(columns["time"])} AS time,
                       {", ".join(texts)},
                       {quantity} AS quantity,
                       {money or "NULL"} AS money,
                       {matched} AS matched,
                       {kept} AS kept
                FROM {origin}
            )
        )
    """


def _tests(
    columns: Mapping[str, Column], where: str | None, value: str, levels: Sequence[str], money: str | None
) -> list[tuple[str, str]]:
    """Reason and condition, in the order in which they are asked."""
    tests = []
    if all(column.table == "items" for column in level_columns(columns)):
        tests.append(("unmatched", "NOT matched"))
    if where is not None:
        tests.append(("filter", "NOT kept"))
    tests += [(role, f"{role} IS NULL") for role in ("customer", "time", "basket")]
    tests.append(("category", " AND ".join(f"{level} IS NULL" for level in levels)))
    if "quantity" in columns:
        tests.append(("return", "quantity < 0"))
    if money is not None:
        tests.append(("refund", "money < 0"))
    if value == "quantity":
        tests += [("no_quantity", "quantity IS NULL OR NOT isfinite(quantity)"), ("zero", "quantity = 0")]
    if value == "amount":
        tests += [("no_amount", "money IS NULL"), ("free", "money = 0")]
    return tests
