"""Where customers went between two results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mixtura.exceptions import InvalidDataError

__all__ = ["NEW_CUSTOMER", "NOT_SEEN", "migration", "stayed"]

NEW_CUSTOMER = "(new customer)"
NOT_SEEN = "(no longer seen)"


def migration(
    before: tuple[Any, Any],
    after: tuple[Any, Any],
    old_components: Sequence[Mapping[str, Any]],
    new_components: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Where customers were and where they are, by their mission or segment.

    Parameters
    ----------
    before, after : tuple of (array_like, array_like)
        Customers, each once, and the number of the component of each.
    old_components, new_components : sequence of Mapping
        number and name of all components there were and are, in the order of rows and columns.

    Returns
    -------
    dict
        ``{"from", "to", "counts", "from_numbers", "to_numbers"}``: the last row is customers who were not there
        before, the last column customers who are not there now, and all cells sum to the number of customers
        who were or are there. The numbers of that row and column are None.

    Raises
    ------
    InvalidDataError
        If a customer occurs twice, or a number is not among the components.

    Examples
    --------
    >>> old, new = (
    ...     [{"number": 1, "name": "Tea"}],
    ...     [{"number": 1, "name": "Tea"}, {"number": 2, "name": "Ale"}],
    ... )
    >>> moved = migration((["Ann", "Bob"], [1, 1]), (["Bob", "Cid", "Dan"], [2, 1, 2]), old, new)
    >>> moved["from"], moved["to"]
    (['Tea', '(new customer)'], ['Tea', 'Ale', '(no longer seen)'])
    >>> moved["counts"], stayed(moved)
    ([[0, 1, 1], [1, 1, 0]], (0, 1))
    """
    were, row = _labels(before, old_components, "before")
    are, column = _labels(after, new_components, "now")
    if were.dtype.kind != are.dtype.kind and {were.dtype.kind, are.dtype.kind} & set("OUST"):
        were, are = were.astype(str), are.astype(str)  # the same shop may keep its numbers as text
    everyone = np.union1d(were, are)
    rows = np.full(len(everyone), len(old_components))
    columns = np.full(len(everyone), len(new_components))
    rows[np.searchsorted(everyone, were)] = row
    columns[np.searchsorted(everyone, are)] = column
    counts = np.zeros((len(old_components) + 1, len(new_components) + 1), dtype=np.int64)
    np.add.at(counts, (rows, columns), 1)
    return {
        "from": [*(str(entry["name"]) for entry in old_components), NEW_CUSTOMER],
        "to": [*(str(entry["name"]) for entry in new_components), NOT_SEEN],
        "from_numbers": [*(int(entry["number"]) for entry in old_components), None],
        "to_numbers": [*(int(entry["number"]) for entry in new_components), None],
        "counts": counts.tolist(),
    }


def _labels(
    given: tuple[Any, Any], components: Sequence[Mapping[str, Any]], when: str
) -> tuple[np.ndarray, np.ndarray]:
    """Customers and the position of the component of each."""
    customers, numbers = np.asarray(given[0]), np.asarray(given[1])
    place = {int(entry["number"]): index for index, entry in enumerate(components)}
    unknown = sorted(set(numbers.tolist()) - place.keys())
    if len(customers) != len(numbers) or unknown:
        problem = f"the number {unknown[0]} is not among them" if unknown else f"{len(numbers)} numbers"
        message = (
            f"customers {when}: {len(customers)} customers, {len(components)} components, {problem}. Expected one "
            "known number per customer; give the table and the results of the same run."
        )
        raise InvalidDataError(message)
    if len(np.unique(customers)) != len(customers):
        message = (
            f"customers {when}: some occur twice. Expected one row per customer; give the table of customers."
        )
        raise InvalidDataError(message)
    return customers, np.array([place[number] for number in numbers.tolist()], dtype=np.int64)


def stayed(moved: Mapping[str, Any]) -> tuple[int, int]:
    """How many of the customers that were and are there have the same mission or segment.

    Parameters
    ----------
    moved : Mapping
        From `migration`.

    Returns
    -------
    n_same : int
        On the diagonal: the same number before and now.
    n_both : int
        Customers who were and are there.
    """
    counts = np.asarray(moved["counts"])[:-1, :-1]
    rows, columns = np.asarray(moved["from_numbers"][:-1]), np.asarray(moved["to_numbers"][:-1])
    return int(counts[rows[:, None] == columns].sum()), int(counts.sum())
