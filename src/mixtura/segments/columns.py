"""Which column plays which part: guesses from names and types, and errors that name the nearest column.

A guess is never silent: it is kept in `Column.guessed`, printed by the command line and written to
missions.json.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mixtura.exceptions import ColumnNotFoundError, InvalidParameterError, did_you_mean
from mixtura.segments.vocabulary import IDENTIFIERS, LABELS, NUMBERS, STEMS, stem

__all__ = ["Column", "Table", "choose_columns", "key_column", "level_columns"]

MEASURES = {"quantity", "amount", "price"}
REQUIRED = ("customer", "category", "time")
OPTION = {"item_key": "--item-key", "customer_key": "--customer-key"}


@dataclass(frozen=True)
class Table:
    """Name and columns of one of the tables.

    Parameters
    ----------
    name : str
        ``"transactions"``, ``"items"`` or ``"customers"``, as used in SQL.
    columns : Mapping[str, str]
        Column name to DuckDB type.
    """

    name: str
    columns: Mapping[str, str]


@dataclass(frozen=True)
class Column:
    """A column and the part it plays.

    Parameters
    ----------
    role : str
        ``"customer"``, ``"basket"``, ``"item"``, ``"item_key"``, ``"category"`` (of further levels
        ``"category_2"`` and so on), ``"time"``, ``"quantity"``, ``"amount"``, ``"price"`` or
        ``"customer_key"``.
    name : str
        Its name as it stands in the table.
    table : str
        ``"transactions"``, ``"items"`` or ``"customers"``.
    type : str
        DuckDB's type of it.
    guessed : bool
        Whether the user named it or we guessed.
    """

    role: str
    name: str
    table: str
    type: str
    guessed: bool


def choose_columns(
    transactions: Table, items: Table | None, given: Mapping[str, str | Sequence[str] | None]
) -> dict[str, Column]:
    """Find the column of every part: the named ones are checked, the others guessed.

    Parameters
    ----------
    transactions : Table
        The table of lines.
    items : Table or None
        The item table, if there is one.
    given : Mapping[str, str, sequence of str or None]
        Names given by the user, by role; None means to guess. A name may be qualified:
        ``"items.category"``. Several names of ``"category"`` are levels.

    Returns
    -------
    dict[str, Column]
        By role. Without a recognisable ``"basket"``, ``"quantity"``, ``"amount"`` or ``"price"`` these roles
        are left out; ``"item"`` and ``"item_key"`` are there only with an item table.

    Raises
    ------
    ColumnNotFoundError
        If a named column does not exist, or a needed one is not recognised.
    InvalidParameterError
        If a level is named twice.

    Examples
    --------
    >>> table = Table(
    ...     "transactions", {"cust_id": "BIGINT", "receipt": "BIGINT", "aisle": "VARCHAR", "day": "DATE"}
    ... )
    >>> chosen = choose_columns(table, None, {"basket": "receipt"})
    >>> [(role, column.name, column.guessed) for role, column in chosen.items()]
    [('customer', 'cust_id', True), ('basket', 'receipt', False), ('category', 'aisle', True), ('time', 'day',
    True)]
    """
    tables = [transactions] if items is None else [transactions, items]
    chosen: dict[str, Column] = {}
    names, levels = _one_each(given, tables)
    found = {
        role: _named(role, name, tables) for role, name in names.items() if name and role in STEMS
    } | levels
    taken = {(column.table, column.name) for column in found.values()}
    as_categories = {(column.table, column.name) for column in level_columns(found)}
    for role in STEMS:
        name = names.get(role)
        if role == "item" and items is None and name is None:
            continue
        # Categories are a property of items, prices may be; everything else is a property of the line.
        places = {"category": tables[::-1], "price": tables}.get(role, [transactions])
        # The item itself may be a category.
        free = taken - as_categories if role == "item" else taken
        column = _named(role, name, tables) if name is not None else _guessed(role, places, free)
        if column is not None:
            chosen[role] = column
            taken.add((column.table, column.name))
        if role == "category":
            chosen.update(levels)
    for role in REQUIRED:
        if role not in chosen:
            raise ColumnNotFoundError(_unrecognised(role, tables))
    if items is not None:
        chosen.update(_key(transactions, items, chosen.get("item"), names.get("item_key")))
    return chosen


def level_columns(columns: Mapping[str, Column]) -> list[Column]:
    """The category columns, one per level.

    Examples
    --------
    >>> level_columns({"category": Column("category", "aisle", "items", "VARCHAR", guessed=True)})[0].name
    'aisle'
    """
    return [column for role, column in columns.items() if role.partition("_")[0] == "category"]


def _one_each(
    given: Mapping[str, str | Sequence[str] | None], tables: Sequence[Table]
) -> tuple[dict[str, str | None], dict[str, Column]]:
    """One name per role, and the columns of the levels beyond the first."""
    names = {role: name for role, name in given.items() if name is None or isinstance(name, str)}
    levels = given.get("category")
    if levels is None or isinstance(levels, str):
        return names, {}
    if not levels:
        message = "category: found no name. Expected one column or several, or nothing to have it guessed."
        raise InvalidParameterError(message)
    found = [_named("category", name, tables) for name in levels]
    for index, column in enumerate(found):
        if column in found[:index]:
            message = f"category: '{column.name}' is there twice. Expected every level once; leave one out."
            raise InvalidParameterError(message)
    names["category"] = levels[0]
    return names, {
        f"category_{index}": replace(column, role=f"category_{index}")
        for index, column in enumerate(found[1:], start=2)
    }


def _named(role: str, name: str, tables: Sequence[Table]) -> Column:
    """The column that the user named, whatever its case."""
    for table in tables:
        bare = name.removeprefix(f"{table.name}.")
        for candidate in (name, bare):
            exact = [column for column in table.columns if column == candidate]
            folded = [column for column in table.columns if column.lower() == candidate.lower()]
            for column in exact + folded:
                return Column(role, column, table.name, table.columns[column], guessed=False)
    columns = [column for table in tables for column in table.columns]
    where = " and ".join(f"the {table.name} ({len(table.columns)} columns)" for table in tables)
    message = f"the {role.replace('_', ' ')} column '{name}' is not in {where}. {did_you_mean(name, columns)}"
    raise ColumnNotFoundError(message)


def _guessed(role: str, tables: Sequence[Table], taken: set[tuple[str, str]]) -> Column | None:
    """The column whose name is nearest the front of the list of stems."""
    labels = LABELS if role == "category" else ()
    best: tuple[int, int, int] | None = None
    found = None
    for place, table in enumerate(tables):
        for name, kind_of_value in table.columns.items():
            what, kind = stem(name)
            if (table.name, name) in taken or what not in STEMS[role]:
                continue
            if not _fits(role, what, kind, kind_of_value):
                continue
            readable = 0 if (kind in labels if labels else kind in IDENTIFIERS) else 1 if not kind else 2
            rank = (STEMS[role].index(what), place, readable)
            if best is None or rank < best:
                best, found = rank, Column(role, name, table.name, kind_of_value, guessed=True)
    if found is None and role == "time":
        stamped = [
            (table.name, name, kind)
            for table in tables
            for name, kind in table.columns.items()
            if kind.startswith(("TIMESTAMP", "DATE"))
        ]
        if len(stamped) == 1:
            table_name, name, kind = stamped[0]
            found = Column(role, name, table_name, kind, guessed=True)
    return found


def _fits(role: str, what: str, kind_of_label: str, kind_of_value: str) -> bool:
    """Whether a column with a telling name can play the part by its values."""
    if role == "time":
        return _is_time(what, kind_of_value)
    if role in MEASURES:
        number = role == "quantity" or kind_of_value.startswith(NUMBERS)
        return number and not kind_of_label
    return role == "category" or kind_of_value != "BOOLEAN"  # a flag, "member", names nobody


def _is_time(what: str, kind: str) -> bool:
    """Whether values of this type can be put in order of time; texts are parsed later."""
    if kind.startswith(NUMBERS):
        return what in {"timestamp", "date", "day", "week"}  # a numeric "time" is often that of the day
    return kind.startswith(("TIMESTAMP", "DATE", "VARCHAR"))


def _key(transactions: Table, items: Table, item: Column | None, given: str | None) -> dict[str, Column]:
    """The columns that join the two tables."""
    if item is None:
        raise ColumnNotFoundError(_unrecognised("item", [transactions]))
    if item.table != "transactions":
        message = (
            f"the item column '{item.name}' is only in the item table; expected a column of the "
            f"transactions, which the "
            f"item table is joined to. {did_you_mean(item.name, transactions.columns)}"
        )
        raise ColumnNotFoundError(message)
    if given is not None:
        return {"item": item, "item_key": _named("item_key", given, [items])}
    return {"item": item, "item_key": key_column("item", item, items)}


def key_column(role: str, column: Column, table: Table, given: str | None = None) -> Column:
    """The column of a table that the column of the transactions refers to.

    Parameters
    ----------
    role : {"item", "customer"}
        What is referred to.
    column : Column
        The column of the transactions.
    table : Table
        The other table.
    given : str, optional
        Its name, if the user gave it; else the same name is looked for, then one that means the same.

    Returns
    -------
    Column
        Of the role ``"item_key"`` or ``"customer_key"``.

    Raises
    ------
    ColumnNotFoundError
        If there is none.

    Examples
    --------
    >>> card = Column("customer", "card", "transactions", "BIGINT", guessed=True)
    >>> key_column("customer", card, Table("customers", {"age": "BIGINT", "customer_id": "BIGINT"})).name
    'customer_id'
    """
    part = f"{role}_key"
    if given is not None:
        return _named(part, given, [table])
    same = [name for name in table.columns if name.lower() == column.name.lower()]
    if same:
        return Column(part, same[0], table.name, table.columns[same[0]], guessed=True)
    found = _guessed(role, [table], set())
    if found is None:
        raise ColumnNotFoundError(_unrecognised(part, [table]))
    return replace(found, role=part)


def _unrecognised(role: str, tables: Sequence[Table]) -> str:
    listed = "; ".join(f"{table.name}: {', '.join(table.columns) or 'none'}" for table in tables)
    option = OPTION.get(role, f"--{role}")
    other = ""
    if role == "category" and len(tables) == 1:
        other = " Or give the item table that holds it (items, --items)."
    return (
        f"no column was recognised as the {role.replace('_', ' ')} among the columns found ({listed}). "
        f"Expected a name like {', '.join(repr(name) for name in STEMS[role.removesuffix('_key')][:4])}; "
        f"say which one it is with {role}='...' (on the command line: {option} ...).{other}"
    )
