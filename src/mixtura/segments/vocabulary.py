"""Words of column names, and what they say: the data behind the guesses of columns."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

__all__ = ["IDENTIFIERS", "LABELS", "NUMBERS", "STEMS", "WORDS", "stem"]

# DuckDB's types of numbers, by their beginnings.
NUMBERS = (
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT",
    "UHUGEINT", "FLOAT", "DOUBLE", "DECIMAL",
)  # fmt: skip

# The stems that stand for each part, the most telling first. `stem` brings names to this form.
STEMS: Mapping[str, Sequence[str]] = {
    "customer": (
        "household", "customer", "client", "shopper", "member", "user", "loyalty", "loyalty_card", "card",
        "account", "person", "buyer",
    ),
    "basket": (
        "basket", "transaction", "invoice", "order", "receipt", "ticket", "cart", "bill", "visit", "trip",
        "session",
    ),
    "item": (
        "product", "item", "sku", "stock", "article", "upc", "ean", "gtin", "plu", "barcode",
    ),
    "category": (
        "product_category", "item_category", "category", "commodity", "product_group", "item_group", "aisle",
        "sub_category", "subcategory", "product_type", "department", "class", "family", "section",
    ),
    "time": (
        "transaction_timestamp", "timestamp", "datetime", "date_time", "transaction_time", "transaction_date",
        "purchase_time", "purchase_date", "purchased", "invoice_date", "order_date", "basket_date", "time",
        "date", "day", "week",
    ),
    "quantity": ("quantity", "qty", "units", "count", "pieces"),
    "amount": (
        "sales_value", "line_total", "line_amount", "sales_amount", "amount", "revenue", "spend", "net_sales",
        "gross_sales", "net_amount", "gross_amount", "extended_price", "turnover", "sales",
    ),
    "price": ("unit_price", "price", "sales_price", "selling_price", "item_price"),
}  # fmt: skip

# Abbreviations of words inside a name.
WORDS = {
    "cust": "customer",
    "hh": "household",
    "hshd": "household",
    "trans": "transaction",
    "trx": "transaction",
    "txn": "transaction",
    "prod": "product",
    "cat": "category",
    "ts": "timestamp",
    "dt": "date",
    "desc": "description",
}

# Words at the end that say what kind of label it is, not what is labelled; for an identifier the first group
# reads best, for a category the second.
IDENTIFIERS = ("id", "key", "no", "num", "nr", "number", "code", "uuid")
LABELS = ("name", "description", "label", "title")


def stem(name: str) -> tuple[str, str]:
    """Take a column name apart into what is labelled and the kind of label.

    Parameters
    ----------
    name : str
        A column name in any of the usual spellings.

    Returns
    -------
    stem : str
        Lower case, words joined by underscores, abbreviations written out, without the kind.
    kind : str
        The last word when it is a kind of label (``"id"``, ``"name"``, ...), or nothing.

    Examples
    --------
    >>> stem("CustID"), stem("Invoice No."), stem("product category")
    (('customer', 'id'), ('invoice', 'no'), ('product_category', ''))
    """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    words = [WORDS.get(word, word) for word in re.split(r"[^a-z0-9]+", spaced.lower()) if word]
    kind = words[-1] if len(words) > 1 and words[-1] in IDENTIFIERS + LABELS else ""
    return "_".join(words[:-1] if kind else words), kind
