"""The counts: from lines with a reason to leave them out, or none, to baskets x categories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import sparse

from mixtura.segments.baskets import Dropped
from mixtura.segments.levels import Value
from mixtura.segments.lines import REASONS

__all__ = ["count", "dropped", "leave_out_others", "plain_array", "seen_values", "store_columns", "support"]


def dropped(connection: Any, where: str | None) -> tuple[Dropped, ...]:
    """Count the lines that are left out, by reason, in the order of the tests."""
    counts = dict(
        connection.execute(
            "SELECT reason, count(*) FROM lines WHERE reason IS NOT NULL GROUP BY reason"
        ).fetchall()
    )
    return tuple(
        Dropped(words.format(where=where) if code == "filter" else words, counts[number])
        for number, (code, words) in enumerate(REASONS.items())
        if number in counts
    )


def seen_values(connection: Any, n_levels: int) -> dict[Value, int]:
    """Level and value of the lines that stay, to the number of lines.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        With the table ``lines``.
    n_levels : int
        Number of levels.

    Returns
    -------
    dict
        In order of level and value.
    """
    rows = connection.execute(
        " UNION ALL ".join(
            f"SELECT {number} AS level, level_{number} AS value, count(*) AS n FROM lines "
            f"WHERE reason IS NULL AND level_{number} IS NOT NULL GROUP BY ALL"
            for number in range(n_levels)
        )
        + " ORDER BY 1, 2"
    ).fetchall()
    return {(level, value): n for level, value, n in rows}


def support(connection: Any, spelling: Mapping[Value, str], n_levels: int) -> tuple[int, dict[Value, int]]:
    """Count the baskets, and those that hold a category.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        With the table ``lines``.
    spelling : Mapping[(int, str), str]
        Level and value to its spelling.
    n_levels : int
        Number of levels.

    Returns
    -------
    n_baskets : int
        All baskets.
    baskets : dict
        Level and spelling, to the number of baskets.
    """
    names = list(dict.fromkeys((level, text) for (level, _), text in spelling.items()))
    index = {name: place for place, name in enumerate(names)}
    store_columns(connection, {value: index[value[0], text] for value, text in spelling.items()})
    rows = connection.execute(
        " UNION ALL ".join(
            f"SELECT col, count(DISTINCT basket) FROM lines JOIN known ON known.level = {number} "
            f"AND known.value = lines.level_{number} WHERE reason IS NULL GROUP BY col"
            for number in range(n_levels)
        )
    ).fetchall()
    n_baskets = connection.execute(
        "SELECT count(DISTINCT basket) FROM lines WHERE reason IS NULL"
    ).fetchone()[0]
    return n_baskets, {names[place]: n for place, n in rows}


def store_columns(connection: Any, column: Mapping[Value, int]) -> None:
    """Make the table ``known``: the column of every level and value.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        The engine.
    column : Mapping[(int, str), int]
        What it holds.
    """
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE known AS SELECT unnest($levels::INTEGER[]) AS level, "
        "unnest($texts::VARCHAR[]) AS value, unnest($cols::INTEGER[]) AS col",
        {
            "levels": [level for level, _ in column],
            "texts": [text for _, text in column],
            "cols": list(column.values()),
        },
    )


def leave_out_others(connection: Any, n_levels: int, reason: str) -> None:
    """Mark the lines whose values have no column in any level.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        With the tables ``lines`` and ``known``.
    n_levels : int
        Number of levels.
    reason : str
        A key of `REASONS`.
    """
    nowhere = " AND ".join(
        f"(level_{number} IS NULL OR level_{number} NOT IN (SELECT value FROM known WHERE level = {number}))"
        for number in range(n_levels)
    )
    connection.execute(
        f"UPDATE lines SET reason = {list(REASONS).index(reason)} WHERE reason IS NULL AND {nowhere}"
    )


def count(
    connection: Any, n_categories: int, n_levels: int, *, value: str, money: bool
) -> tuple[sparse.csr_array, dict[str, np.ndarray]]:
    """Count the lines that stay.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        With the tables ``lines`` and ``known``.
    n_categories, n_levels : int
        Number of columns, and of levels.
    value : {"lines", "quantity", "amount"}
        What is counted.
    money : bool
        Whether lines have money.

    Returns
    -------
    counts : scipy.sparse.csr_array, shape (n_baskets, n_categories)
        Rows in order of time, then of basket; column indices sorted; int64 for lines, else float64.
    baskets : dict[str, ndarray]
        ``"basket"``, ``"customer"``, ``"time"``, and ``"money"`` if there is any, each of shape
        (n_baskets,).
    """
    total = ", CAST(coalesce(sum(money), 0) AS DOUBLE) AS money" if money else ""
    connection.execute(f"""
        CREATE TEMP TABLE baskets AS
        SELECT CAST(row_number() OVER (ORDER BY time, basket) - 1 AS INTEGER) AS row, *
        FROM (
            SELECT basket, arg_min(customer, (time, customer)) AS customer, min(time) AS time,
                   count(*) AS n_lines{total}
            FROM lines WHERE reason IS NULL GROUP BY basket
        )
    """)
    baskets = connection.execute("SELECT * EXCLUDE row FROM baskets ORDER BY row").fetchnumpy()
    measure = {
        "lines": "count(*)",
        "quantity": "sum(quantity)",
        # A basket keeps its number of lines as its total: they are shared out by money.
        "amount": "CAST(sum(lines.money) AS DOUBLE) * any_value(n_lines) / any_value(baskets.money)",
    }[value]
    query = " UNION ALL ".join(
        f"SELECT row, col, {measure} AS amount FROM lines JOIN baskets USING (basket) "
        f"JOIN known ON known.level = {number} AND known.value = lines.level_{number} "
        "WHERE reason IS NULL GROUP BY row, col"
        for number in range(n_levels)
    )
    triplets = connection.execute(f"{query} ORDER BY row, col").fetchnumpy()
    n_baskets = len(baskets["basket"])
    starts = np.zeros(n_baskets + 1, dtype=np.int64)
    np.cumsum(np.bincount(triplets["row"], minlength=n_baskets), out=starts[1:])
    # 32-bit indices where they suffice: half the memory traffic in every pass of the fit.
    index = np.int32 if starts[-1] <= np.iinfo(np.int32).max else np.int64
    counts = sparse.csr_array(
        (np.ascontiguousarray(triplets["amount"]), triplets["col"].astype(index), starts.astype(index)),
        shape=(n_baskets, n_categories),
    )
    return counts, {name: plain_array(values) for name, values in baskets.items() if name != "n_lines"}


def plain_array(values: Any) -> np.ndarray:
    """No masks (nothing is missing here), and texts as NumPy texts.

    Examples
    --------
    >>> plain_array(np.array(["a", "b"], dtype=object)).dtype
    dtype('<U1')
    """
    array = np.asarray(values)
    return array.astype(str) if array.dtype == object else array
