"""The data: how much there was, what was left out and why."""

from __future__ import annotations

from typing import Any

from mixtura.report import words
from mixtura.report.results import Results

__all__ = ["context"]

_PARTS = {
    "customer": "Customer",
    "basket": "Basket",
    "item": "Item",
    "category": "Category",
    "time": "Time",
    "item_key": "Key of the item table",
    "quantity": "Quantity",
    "amount": "Money",
}
_COUNTED = {
    "lines": "receipt lines: each counts once, whatever its quantity",
    "quantity": "items: a line counts as often as its quantity says",
    "amount": "money: a line counts by what was paid for it",
}


def context(results: Results) -> dict[str, Any]:
    """Counts, dropped lines and the columns used.

    Parameters
    ----------
    results : Results
        The results.

    Returns
    -------
    dict
        Rows of three tables.
    """
    data = results.data
    return {
        "id": "data",
        "title": "The data",
        "template": "data.html.j2",
        "facts": _facts(results),
        "newcomers": _newcomers(results),
        "rare": _rare(results),
        "dropped": _dropped(results),
        "n_lines": data.get("n_lines"),
        "n_used": data.get("n_lines_used"),
        "columns": [
            (_PARTS.get(part, str(part).replace("_", " ").capitalize()), *_column(column))
            for part, column in results.columns.items()
            if column
        ],
    }


def _column(column: Any) -> tuple[str, str]:
    if not isinstance(column, dict):
        return str(column), ""
    return str(column.get("name")), "guessed from the name" if column.get("guessed") else "given"


def _facts(results: Results) -> list[tuple[str, str]]:
    data = results.data
    facts = [
        ("Transactions", data.get("source")),
        ("Item table", data.get("items_source")),
        ("Filter", data.get("filter")),
        ("Period", words.period(data.get("first_time"), data.get("last_time"))),
        ("Baskets", _some(data.get("n_baskets"))),
        ("Customers", _some(data.get("n_customers"))),
        ("Categories", _some(data.get("n_categories", len(results.categories)))),
        ("What is counted", _COUNTED.get(str(data.get("value")))),
        ("Level of items", data.get("item_level")),
        ("Total spend", words.money(data["total_amount"]) if data.get("total_amount") else None),
        ("Money column", data.get("amount_column")),
        ("Lines read", _some(data.get("n_lines"))),
        ("Lines used", _some(data.get("n_lines_used"))),
    ]
    if words.is_number(data.get("n_nonzero")) and data.get("n_baskets"):
        facts.append(("Categories per basket", words.number(data["n_nonzero"] / data["n_baskets"], 1)))
    return [(name, str(value)) for name, value in facts if value is not None] + _split(results)


def _split(results: Results) -> list[tuple[str, str]]:
    data = results.data
    later = data.get("n_test_baskets")
    if not later:
        return []
    rows = [("Learnt from", f"{words.count(data.get('n_train_baskets'), 'earlier basket')}")]
    since = data.get("split_time")
    rows.append(
        ("Checked on", words.count(later, "later basket") + (f", since {words.date(since)}" if since else ""))
    )
    return rows


def _newcomers(results: Results) -> str | None:
    unseen = results.data.get("n_unseen_customers")
    if not unseen:
        return None
    return (
        f"{words.count(unseen, 'customer')} with "
        f"{words.count(results.data.get('n_test_baskets_unseen_customer'), 'basket')} came for the first "
        "time after "
        "learning had stopped. Nothing was known of them, so the mix of all customers describes them."
    )


def _rare(results: Results) -> str | None:
    folded = results.data.get("n_rare_items")
    if not folded:
        return None
    return (
        f"{words.count(folded, 'rare category', 'rare categories')} with too few baskets to say anything about "
        f"{'was' if folded == 1 else 'were'} counted together as one."
    )


def _dropped(results: Results) -> list[dict[str, Any]]:
    total = results.data.get("n_lines")
    return [
        {
            "reason": str(entry.get("reason")),
            "n_lines": entry.get("n_lines"),
            "share": entry["n_lines"] / total if words.is_number(entry.get("n_lines")) and total else None,
        }
        for entry in results.data.get("dropped") or []
    ]


def _some(value: Any) -> str | None:
    return words.number(value) if words.is_number(value) else None
