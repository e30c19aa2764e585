"""The money of a line: a column of its own, or the price of one unit times the quantity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mixtura.exceptions import InvalidDataError, InvalidParameterError
from mixtura.segments.columns import Column
from mixtura.segments.lines import place
from mixtura.segments.vocabulary import NUMBERS

__all__ = ["choose_money", "money", "money_name"]

# Money is added exactly, in ten-thousandths: the sums do not depend on the order of the lines.
EXACT = "DECIMAL(18, 4)"


def choose_money(columns: Mapping[str, Column], value: str) -> dict[str, Column]:
    """Decide which columns give the money: the amount, or price times quantity, or none.

    Parameters
    ----------
    columns : Mapping[str, Column]
        By role.
    value : {"lines", "quantity", "amount"}
        What is counted.

    Returns
    -------
    dict[str, Column]
        With the role ``"amount"``, or with ``"price"`` (and ``"quantity"``), or with neither. What the user
        named goes before what was guessed, and an amount before a price.

    Raises
    ------
    InvalidDataError
        If a named column does not hold numbers, a price has no quantity, or amounts are to be counted and
        there are none.
    InvalidParameterError
        If both columns are named.

    Examples
    --------
    >>> price = Column("price", "UnitPrice", "transactions", "DOUBLE", guessed=True)
    >>> units = Column("quantity", "Quantity", "transactions", "BIGINT", guessed=True)
    >>> (
    ...     list(choose_money({"quantity": units, "price": price}, "lines")),
    ...     list(choose_money({"price": price}, "lines")),
    ... )
    (['quantity', 'price'], [])
    """
    chosen = dict(columns)
    amount, price = chosen.get("amount"), chosen.get("price")
    named = [column for column in (amount, price) if column is not None and not column.guessed]
    if len(named) > 1:
        message = (
            f"both an amount ('{named[0].name}') and a price ('{named[1].name}') are named. Expected one: the "
            "money of the whole line (amount), or of one unit (price). Leave one out."
        )
        raise InvalidParameterError(message)
    for column in named:
        if not column.type.startswith(NUMBERS):
            message = (
                f"the {column.role} column '{column.name}' has values of type {column.type}. Expected numbers, "
                f"without a currency sign. Convert it, or name another column ({column.role}, --{column.role})."
            )
            raise InvalidDataError(message)
    if amount is not None and price is not None:
        del chosen["amount" if not price.guessed else "price"]
    price = chosen.get("price")
    quantity = chosen.get("quantity")
    if price is not None and (quantity is None or not quantity.type.startswith(NUMBERS)):
        if not price.guessed:
            message = (
                f"the price column '{price.name}' needs a quantity column to multiply it by, and none with "
                "numbers was recognised. Name it (quantity, --quantity), or the money of the whole line (amount, "
                "--amount)."
            )
            raise InvalidDataError(message)
        del chosen["price"]
    if value == "amount" and money_name(chosen) is None:
        message = (
            "value='amount' needs a column of money, and none was recognised. Expected a name like 'amount' or "
            "'sales_value', or 'unit_price' beside a quantity; say which one it is (amount, --amount; price, "
            "--price), or count lines (value='lines')."
        )
        raise InvalidDataError(message)
    return chosen


def money(columns: Mapping[str, Column]) -> str | None:
    """SQL of a line's money, exact to four decimals; NULL where it is missing or not finite.

    Examples
    --------
    >>> money({"amount": Column("amount", "spend", "transactions", "DOUBLE", guessed=True)})
    'TRY_CAST(transactions."spend" AS DECIMAL(18, 4))'
    """
    if "amount" in columns:
        return f"TRY_CAST({place(columns['amount'])} AS {EXACT})"
    if "price" in columns:
        product = " * ".join(f"CAST({place(columns[role])} AS DOUBLE)" for role in ("price", "quantity"))
        return f"TRY_CAST({product} AS {EXACT})"
    return None


def money_name(columns: Mapping[str, Any]) -> str | None:
    """How the money is called in results.

    Examples
    --------
    >>> price = Column("price", "UnitPrice", "transactions", "DOUBLE", guessed=True)
    >>> money_name(
    ...     {"price": price, "quantity": Column("quantity", "Units", "transactions", "BIGINT", guessed=True)}
    ... )
    'UnitPrice x Units'
    """
    if "amount" in columns:
        return str(columns["amount"].name)
    if "price" in columns:
        return f"{columns['price'].name} x {columns['quantity'].name}"
    return None
