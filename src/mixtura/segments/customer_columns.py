"""The customer table: what is known of every customer, brought to few values that segments can be compared by."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from mixtura.exceptions import InvalidDataError
from mixtura.segments.columns import Column, Table
from mixtura.segments.counting import plain_array
from mixtura.segments.engine import quoted
from mixtura.segments.lines import identifier, place
from mixtura.segments.vocabulary import NUMBERS

__all__ = ["few_values", "read_customers"]

MOST_VALUES = 50  # of texts; more are names or addresses, which do not compare
MOST_NUMBERS = 12  # of numbers that are kept as they are; more are put into classes
CLASSES = 5


def read_customers(
    connection: Any, table: Table, key: Column, source: str
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Columns of the customer table for the customers who have baskets.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        With the tables ``baskets`` and ``customers``.
    table : Table
        The customer table.
    key : Column
        Its column with the customer, of the role ``"customer_key"``.
    source : str
        Its name, for messages.

    Returns
    -------
    columns : dict of str to ndarray
        One entry per customer, in the order of ``np.unique(baskets.customers)``: texts (None where unknown) or
        numbers (NaN where unknown).
    notes : list of str
        What was left out or put into classes, and how many customers have no row.

    Raises
    ------
    InvalidDataError
        If a customer stands in several rows, or none of the customers has a row.
    """
    _refuse_repeated(connection, key, source)
    same_kind = connection.execute(
        f"SELECT typeof(any_value({identifier(connection, key)})) = (SELECT typeof(any_value(customer)) FROM baskets) "
        "FROM customers"
    ).fetchone()[0]
    mine, theirs = "shoppers.customer", identifier(connection, key)
    if not same_kind:
        mine, theirs = f"CAST({mine} AS VARCHAR)", f"CAST({theirs} AS VARCHAR)"
    names = [name for name in table.columns if name != key.name]
    found = connection.execute(
        f"""
        SELECT shoppers.customer AS who, {place(key)} IS NOT NULL AS matched
               {"".join(f", {_cast(name, table.columns[name])}" for name in names)}
        FROM (SELECT DISTINCT customer FROM baskets) AS shoppers LEFT JOIN customers ON {mine} = {theirs}
        """
    ).fetchnumpy()
    order = np.argsort(plain_array(found.pop("who")), kind="stable")
    matched = int(np.asarray(found.pop("matched")).sum())
    if matched == 0:
        example = connection.execute(
            f"SELECT (SELECT any_value(customer) FROM baskets), (SELECT any_value({place(key)}) FROM customers)"
        ).fetchone()
        if example[1] is None:
            message = (
                f"the customer table ({source}) has no value in its column '{key.name}'. Expected one row per customer; "
                "check the export, or name the right column (customer_key, --customer-key)."
            )
            raise InvalidDataError(message)
        message = (
            f"the customer table ({source}): none of the {len(order):,} customers with baskets stands in its "
            f"column '{key.name}' (there for example {example[1]!r}, in the baskets {example[0]!r}). Expected the "
            "same identifiers; name the right column (customer_key, --customer-key)."
        )
        raise InvalidDataError(message)
    columns: dict[str, np.ndarray] = {}
    notes = []
    if not names:
        notes.append(
            f"The customer table has no column beside '{key.name}', so it tells nothing of the customers."
        )
    for name, values in zip(names, found.values(), strict=True):
        column, note = few_values(name, values[order], numeric=_is_numeric(table.columns[name]))
        if column is not None:
            columns[name] = column
        if note:
            notes.append(note)
    if matched < len(order):
        notes.append(
            f"{len(order) - matched:,} of {len(order):,} customers have no row in the customer table."
        )
    return columns, notes


def _refuse_repeated(connection: Any, key: Column, source: str) -> None:
    repeated = connection.execute(f"""
        SELECT key, n, count(*) OVER (), sum(n) OVER ()
        FROM (SELECT {identifier(connection, key)} AS key, count(*) AS n FROM customers GROUP BY 1)
        WHERE n > 1 AND key IS NOT NULL ORDER BY n DESC, key LIMIT 3
    """).fetchall()
    if not repeated:
        return
    listed = ", ".join(f"{row[0]!r} ({row[1]} rows)" for row in repeated)
    message = (
        f"the customer table ({source}): {repeated[0][2]:,} values of the key '{key.name}' stand in several rows "
        f"({repeated[0][3]:,} rows in all), for example {listed}. Expected one row per customer. Remove the "
        "repeated rows, or name the right key (customer_key, --customer-key)."
    )
    raise InvalidDataError(message)


def _is_numeric(kind: str) -> bool:
    return kind.startswith(NUMBERS)


def _cast(name: str, kind: str) -> str:
    what = f"customers.{quoted(name)}"
    if _is_numeric(kind):
        number = f"CAST({what} AS DOUBLE)"
        return f"CASE WHEN isfinite({number}) THEN {number} END AS {quoted('c ' + name)}"
    return f"nullif(trim(CAST({what} AS VARCHAR)), '') AS {quoted('c ' + name)}"


def few_values(name: str, values: Any, *, numeric: bool) -> tuple[np.ndarray | None, str | None]:
    """Bring a column to few values, or say why it is left out.

    Parameters
    ----------
    name : str
        Of the column.
    values : masked array or ndarray, shape (n_customers,)
        Numbers or texts; masked, None or NaN where unknown.
    numeric : bool
        Which of the two.

    Returns
    -------
    column : ndarray or None
        Texts as they are, up to 50 different ones; numbers as they are, up to 12 different ones, and otherwise
        five classes of equal size, such as ``"Q2: 23 to 35"`` (more than 23, up to 35); None if left out.
    note : str or None
        What was done, if the column is not as it was.

    Examples
    --------
    >>> few_values("age", np.arange(20.0, 70.0), numeric=True)[0][[0, 20, 49]].tolist()
    ['Q1: up to 29.8', 'Q3: 39.6 to 49.4', 'Q5: over 59.2']
    """
    known = ~np.ma.getmaskarray(values)
    plain = np.ma.getdata(values)
    if numeric:
        numbers = np.where(known, plain, np.nan).astype(float)
        different = np.unique(numbers[~np.isnan(numbers)])
        if 2 <= len(different) <= MOST_NUMBERS:
            return numbers, None
        if len(different) > MOST_NUMBERS:
            return _classes(name, numbers)
    else:
        texts = np.array([text if ok else None for text, ok in zip(plain, known, strict=True)], dtype=object)
        different = np.array(sorted({text for text in texts if text is not None}), dtype=object)
        if 2 <= len(different) <= MOST_VALUES:
            return texts, None
    found = (
        "no value"
        if len(different) == 0
        else f"{len(different):,} different value{'s' * (len(different) > 1)}"
    )
    return None, (
        f"The column '{name}' of the customer table is left out: it has {found}; expected 2 to {MOST_VALUES}."
    )


def _classes(name: str, numbers: np.ndarray) -> tuple[np.ndarray | None, str | None]:
    """Classes of equal size; fewer where many customers share a number."""
    known = ~np.isnan(numbers)
    edges = np.unique(np.quantile(numbers[known], np.arange(1, CLASSES) / CLASSES))
    edges = edges[edges < numbers[known].max()]
    if len(edges) == 0:  # one number holds nearly all; the rest lies below
        edges = np.unique(numbers[known])[-2:-1]
    digits = next(d for d in range(3, 18) if len({f"{edge:,.{d}g}" for edge in edges}) == len(edges))
    shown = [_written(edge, digits) for edge in edges]
    labels = [f"Q1: up to {shown[0]}"]
    labels += [f"Q{i + 2}: {low} to {high}" for i, (low, high) in enumerate(pairwise(shown))]
    labels.append(f"Q{len(edges) + 1}: over {shown[-1]}")
    column = np.full(len(numbers), None, dtype=object)
    column[known] = np.array(labels, dtype=object)[np.searchsorted(edges, numbers[known], side="left")]
    return (
        column,
        f"The column '{name}' of the customer table is in {len(labels)} classes of about equal size.",
    )


def _written(edge: float, digits: int) -> str:
    """A number with enough digits, and without an exponent."""
    whole = max(digits, 1 + int(np.floor(np.log10(max(abs(edge), 1.0)))))
    return f"{edge:,.{whole}g}"
