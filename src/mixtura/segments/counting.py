"""The SQL of the main job: lines with a reason to leave them out or none, then baskets x categories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import sparse

from mixtura.segments.baskets import Dropped
from mixtura.segments.columns import NUMBERS, Column
from mixtura.segments.engine import quoted

__all__ = ["count", "dropped", "is_calendar", "lines", "moment", "place"]

INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")

# Code in the table of lines -> reason in words, in the order of the tests.
REASONS = {
    "unmatched": "the item is not in the item table",
    "filter": "outside the filter {where}",
    "customer": "no customer",
    "time": "no time",
    "basket": "no basket",
    "category": "no category",
    "unknown": "a category that the model does not know",
    "return": "negative quantity: a return",
    "no_quantity": "no finite quantity",
    "zero": "a quantity of 0",
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
    connection: Any, origin: str, columns: Mapping[str, Column], *, where: str | None, value: str, known: bool
) -> str:
    """SELECT of customer, basket, time, category, amount and the reason to leave the line out, or NULL.

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
    value : {"lines", "quantity"}
        What is counted.
    known : bool
        Whether the table ``known`` lists the only categories to count.

    Returns
    -------
    str
        The query.
    """
    calendar = is_calendar(columns["time"])
    day = "strftime(time, '%Y-%m-%d')" if calendar else "CAST(CAST(floor(time) AS BIGINT) AS VARCHAR)"
    tests = []
    if columns["category"].table == "items":
        tests.append(("unmatched", "NOT matched"))
    if where is not None:
        tests.append(("filter", "NOT kept"))
    tests += [(role, f"{role} IS NULL") for role in ("customer", "time", "basket", "category")]
    if known:
        tests.append(("unknown", "category NOT IN (SELECT category FROM known)"))
    if "quantity" in columns:
        tests.append(("return", "quantity < 0"))
    if value == "quantity":
        tests += [("no_quantity", "quantity IS NULL OR NOT isfinite(quantity)"), ("zero", "quantity = 0")]
    reason = " ".join(f"WHEN {test} THEN '{code}'" for code, test in tests)
    basket = identifier(connection, columns["basket"]) if "basket" in columns else "NULL"
    quantity = f"CAST({place(columns['quantity'])} AS DOUBLE)" if "quantity" in columns else "NULL"
    matched = f"{place(columns['item_key'])} IS NOT NULL" if "item_key" in columns else "true"
    kept = f"coalesce(CAST(({where}\n) AS BOOLEAN), false)" if where is not None else "true"
    return f"""
        SELECT customer, basket, time, category,
               {"quantity" if value == "quantity" else "1"} AS amount, CASE {reason} END AS reason
        FROM (
            SELECT * EXCLUDE basket,
                   {"basket" if "basket" in columns else f"CAST(customer AS VARCHAR) || ' ' || {day}"} AS
                   basket
            FROM (
                SELECT {identifier(connection, columns["customer"])} AS customer,
                       {basket} AS basket,
                       {moment(columns["time"])} AS time,
                       nullif(trim(CAST({place(columns["category"])} AS VARCHAR)), '') AS category,
                       {quantity} AS quantity,
                       {matched} AS matched,
                       {kept} AS kept
                FROM {origin}
            )
        )
    """


def dropped(connection: Any, where: str | None) -> tuple[Dropped, ...]:
    """Count the lines that are left out, by reason, in the order of the tests."""
    counts = dict(
        connection.execute(
            "SELECT reason, count(*) FROM lines WHERE reason IS NOT NULL GROUP BY reason"
        ).fetchall()
    )
    return tuple(
        Dropped(words.format(where=where) if code == "filter" else words, counts[code])
        for code, words in REASONS.items()
        if code in counts
    )


def count(
    connection: Any, categories: Sequence[str] | None, *, integers: bool
) -> tuple[sparse.csr_array, dict[str, np.ndarray], np.ndarray]:
    """Count the lines that stay.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        With the table ``lines``, and ``known`` if `categories` are given.
    categories : sequence of str or None
        The columns of the result; None takes all that occur, sorted.
    integers : bool
        Whether amounts are whole, so that counts are int64; float64 otherwise.

    Returns
    -------
    counts : scipy.sparse.csr_array, shape (n_baskets, n_categories)
        Rows in order of time, then of basket; column indices sorted.
    baskets : dict[str, ndarray]
        ``"basket"``, ``"customer"``, ``"time"``, each of shape (n_baskets,).
    names : ndarray of str, shape (n_categories,)
        The categories.
    """
    connection.execute("""
        CREATE TEMP TABLE baskets AS
        SELECT row_number() OVER (ORDER BY time, basket) - 1 AS row, basket, customer, time
        FROM (
            SELECT basket, arg_min(customer, (time, customer)) AS customer, min(time) AS time
            FROM lines WHERE reason IS NULL GROUP BY basket
        )
    """)
    if categories is None:
        connection.execute("""
            CREATE TEMP TABLE known AS
            SELECT category, row_number() OVER (ORDER BY category) - 1 AS col
            FROM (SELECT DISTINCT category FROM lines WHERE reason IS NULL)
        """)
    names = connection.execute("SELECT category FROM known ORDER BY col").fetchnumpy()["category"]
    baskets = connection.execute("SELECT basket, customer, time FROM baskets ORDER BY row").fetchnumpy()
    triplets = connection.execute(
        """
        SELECT row, col, sum(amount) AS amount
        FROM lines JOIN baskets USING (basket) JOIN known USING (category)
        WHERE reason IS NULL GROUP BY row, col ORDER BY row, col
    """.replace("sum(amount)", "CAST(sum(amount) AS BIGINT)" if integers else "sum(amount)")
    ).fetchnumpy()
    n_baskets = len(baskets["basket"])
    starts = np.zeros(n_baskets + 1, dtype=np.int64)
    np.cumsum(np.bincount(triplets["row"], minlength=n_baskets), out=starts[1:])
    # 32-bit indices where they suffice: half the memory traffic in every pass of the fit.
    index = np.int32 if starts[-1] <= np.iinfo(np.int32).max else np.int64
    counts = sparse.csr_array(
        (np.ascontiguousarray(triplets["amount"]), triplets["col"].astype(index), starts.astype(index)),
        shape=(n_baskets, len(names)),
    )
    return counts, {name: _plain(values) for name, values in baskets.items()}, _plain(names)


def _plain(values: Any) -> np.ndarray:
    """No masks (nothing is missing here), and texts as NumPy texts."""
    array = np.asarray(values)
    return array.astype(str) if array.dtype == object else array
