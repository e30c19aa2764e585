"""The order of the work: checks, lines, categories, baskets, customers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mixtura.exceptions import InvalidDataError
from mixtura.segments import checks, counting, remarks
from mixtura.segments.baskets import Baskets
from mixtura.segments.columns import Column, Table, level_columns
from mixtura.segments.customer_columns import read_customers
from mixtura.segments.engine import source_name
from mixtura.segments.levels import KnownCategories, Layout, Value, look_up, same_spelling, settle
from mixtura.segments.lines import lines
from mixtura.segments.money import money as money_of
from mixtura.segments.money import money_name
from mixtura.segments.rules import Rules

__all__ = ["Sources", "read"]


@dataclass(frozen=True)
class Sources:
    """Names of the tables in messages and results, and how the transactions were given.

    Parameters
    ----------
    transactions : object
        As they were given.
    items, customers : str or None
        Names of the other tables.
    """

    transactions: Any
    items: str | None
    customers: str | None

    @property
    def name(self) -> str:
        """Name of the transactions."""
        return source_name(self.transactions)


def read(
    connection: Any,
    tables: Sequence[Table],
    customer_table: Table | None,
    columns: dict[str, Column],
    *,
    where: str | None,
    value: str,
    shared_baskets: str,
    categories: Sequence[str] | KnownCategories | None,
    rules: Rules,
    sources: Sources,
) -> Baskets:
    """Count the lines once the tables are open and the columns known: the work of `read_baskets`.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        With the tables.
    tables : sequence of Table
        Transactions, and items if there are any.
    customer_table : Table or None
        The customer table.
    columns : dict[str, Column]
        By role.
    where, value, shared_baskets, categories
        As for `read_baskets`.
    rules : Rules
        Which categories count on their own.
    sources : Sources
        Names.

    Returns
    -------
    Baskets
        In order of time.

    Raises
    ------
    InvalidDataError, InvalidParameterError
        As for `read_baskets`.
    """
    n_lines = connection.execute("SELECT count(*) FROM transactions").fetchone()[0]
    if n_lines == 0:
        message = (
            f"the transactions ({sources.name}) have no rows. Expected one row per line of a receipt; "
            "check the export."
        )
        raise InvalidDataError(message)
    notes: list[str] = []
    origin = "transactions"
    if sources.items is not None:
        origin, note = checks.join(connection, columns, sources.items)
        notes += note
    checks.filter_is_valid(connection, origin, where, tables)
    checks.times_are_readable(connection, columns["time"])
    notes += remarks.reading_of_times(connection, columns["time"], sources.transactions)
    checks.quantities_are_counts(connection, origin, columns.get("quantity"), where, value)
    money = money_of(columns)
    query = lines(connection, origin, columns, where=where, value=value, money=money)
    connection.execute(f"CREATE TEMP TABLE lines AS {query}")
    if "basket" not in columns:
        notes.append("No basket column: the lines of one customer on one day make a basket.")
    layout = _layout(connection, [column.name for column in level_columns(columns)], categories, rules)
    dropped = counting.dropped(connection, where)
    n_used = n_lines - sum(entry.n_lines for entry in dropped)
    if n_used == 0:
        reasons = "; ".join(f"{entry.n_lines:,} lines: {entry.reason}" for entry in dropped)
        message = (
            f"no line of {n_lines:,} in the transactions ({sources.name}) is left to count ({reasons}). "
            "Check the filter and the columns."
        )
        raise InvalidDataError(message)
    notes += checks.baskets_have_one_customer(connection, shared_baskets)
    if money is not None:
        notes += remarks.lines_without_money(connection, money_name(columns))
    counts, baskets = counting.count(
        connection, len(layout.names), layout.n_levels, value=value, money=money is not None
    )
    if len(layout.names) == 1:
        advice = " Ask for less support, or more items." if rules.counts_baskets else ""
        message = (
            f"all {n_used:,} lines have one category, '{layout.names[0]}'. Expected at least two, since missions "
            f"differ by their categories. Check the category column and the filter.{advice}"
        )
        raise InvalidDataError(message)
    if len(baskets["time"]) > 1 and baskets["time"][0] == baskets["time"][-1]:
        notes.append(
            f"All {len(baskets['time']):,} baskets have the same time, so none is later than another; check the time "
            "column."
        )
    table = None
    if customer_table is not None:
        key = columns["customer_key"]
        table, more = read_customers(connection, customer_table, key, str(sources.customers))
        layout.notes.extend(more)
    return Baskets(
        counts=counts,
        baskets=baskets["basket"],
        customers=baskets["customer"],
        times=baskets["time"],
        categories=np.array(layout.names),
        columns=columns,
        n_lines=n_lines,
        n_lines_used=n_used,
        dropped=dropped,
        notes=(*notes, *layout.notes),
        source=sources.name,
        items_source=sources.items,
        where=where,
        value=value,
        amounts=baskets.get("money"),
        amount_column=money_name(columns),
        levels=tuple(column.name for column in level_columns(columns)),
        category_levels=np.array(layout.level_of, dtype=np.int64),
        folded=layout.folded,
        n_rare_items=layout.n_rare,
        customer_table=table,
        customers_source=sources.customers,
    )


def _layout(
    connection: Any, levels: Sequence[str], categories: Sequence[str] | KnownCategories | None, rules: Rules
) -> Layout:
    """The columns of the counts, and which lines have one."""
    seen = counting.seen_values(connection, len(levels))
    if categories is not None:
        known = categories if isinstance(categories, KnownCategories) else KnownCategories(list(categories))
        layout = look_up(seen, known, levels, fold=rules.rare == "other")
    else:
        spelling, notes = same_spelling(seen)
        n_lines: dict[Value, int] = {}
        for (level, text), spelt in spelling.items():
            n_lines[level, spelt] = n_lines.get((level, spelt), 0) + seen[level, text]
        if rules.counts_baskets:
            n_baskets, support = counting.support(connection, spelling, len(levels))
            found = settle(support, rules, n_baskets, levels)
        else:
            found = settle(n_lines, rules, 0, levels)
        column = {
            (level, text): found.column[level, spelt]
            for (level, text), spelt in spelling.items()
            if (level, spelt) in found.column
        }
        layout = replace(found, column=column, notes=[*notes, *remarks.not_goods(n_lines), *found.notes])
    reason = "unknown" if categories is not None else "rare"
    counting.store_columns(connection, layout.column)
    if len(layout.column) < len(seen):
        counting.leave_out_others(connection, len(levels), reason)
    return layout
