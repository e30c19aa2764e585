"""Notes on what was read: nothing is changed for them, but a reader should know."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mixtura.segments.columns import Column
from mixtura.segments.files import first_text
from mixtura.segments.levels import Value
from mixtura.segments.lines import place

__all__ = ["lines_without_money", "not_goods", "reading_of_times"]

# Lines that are on many receipts and that nobody shops for.
SERVICES = re.compile(
    r"(\w+ )?(postage|shipping|carriage|delivery|manual|bank charges?|fees?|discount|samples|bad debt|commission"
    r"|deposit|refund|adjustment)",
    re.IGNORECASE,
)
LISTED = 8


def reading_of_times(connection: Any, time: Column, source: Any) -> list[str]:
    """Say how dates were read that a file writes in another order than year, month, day.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        The engine.
    time : Column
        The time column.
    source : object
        The transactions as they were given.

    Returns
    -------
    list of str
        A note with the first of them, if they come from a CSV file: the order of day and month is a guess.
    """
    if time.table != "transactions" or not time.type.startswith(("TIMESTAMP", "DATE")):
        return []
    text = first_text(connection, source, time.name)
    if text is None or re.match(r"\d{4}\D", text):
        return []
    found = connection.execute(
        f"SELECT min({place(time)}), max({place(time)}) FROM transactions WHERE {place(time)} IS NOT NULL"
    ).fetchone()
    first, last = (str(found_time).split(" ")[0] for found_time in found)
    note = (
        f"Dates such as '{text}' in the column '{time.name}' were read as days from {first} to {last}; check "
        "that day and month are not exchanged."
    )
    return [note]


def lines_without_money(connection: Any, name: str | None) -> list[str]:
    """Count the lines that stay although their money is not known.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        With the table ``lines``.
    name : str or None
        How the money is called.

    Returns
    -------
    list of str
        A note, if there are such lines.
    """
    n_lines = connection.execute(
        "SELECT count(*) FROM lines WHERE reason IS NULL AND money IS NULL"
    ).fetchone()[0]
    return [f"{n_lines:,} lines have no amount ({name}); they count as 0 of it."] if n_lines else []


def not_goods(lines: Mapping[Value, int]) -> list[str]:
    """A note on categories that look like services, such as postage and bank charges.

    Parameters
    ----------
    lines : Mapping[(int, str), int]
        Level and spelling, to the number of lines.

    Returns
    -------
    list of str
        One sentence, or none. It is a hint from the words alone, and nothing is left out for it.

    Examples
    --------
    >>> not_goods({(0, "POSTAGE"): 1100, (0, "RED MUG"): 20, (0, "CARRIAGE CLOCK"): 3})
    ["Some categories may not be goods: 'POSTAGE' (1,100 lines). If they should not count, leave them out with a filter (where, --where)."]
    """
    found = sorted((-n, text) for (_, text), n in lines.items() if SERVICES.fullmatch(text))
    if not found:
        return []
    listed = ", ".join(f"'{text}' ({-n:,} lines)" for n, text in found[:LISTED])
    more = f" and {len(found) - LISTED} more" if len(found) > LISTED else ""
    note = (
        f"Some categories may not be goods: {listed}{more}. If they should not count, leave them out with a "
        "filter (where, --where)."
    )
    return [note]
