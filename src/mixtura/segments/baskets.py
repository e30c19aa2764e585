"""What transactions become: one row per basket, in order of time, with counts per category."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from mixtura.exceptions import InvalidDataError, InvalidParameterError
from mixtura.segments.columns import Column

__all__ = ["Baskets", "Dropped"]


@dataclass(frozen=True)
class Dropped:
    """Lines that were left out, and why.

    Parameters
    ----------
    reason : str
        In words.
    n_lines : int
        How many.
    """

    reason: str
    n_lines: int


@dataclass(frozen=True)
class Baskets:
    """Baskets x categories, in order of time.

    Parameters
    ----------
    counts : scipy.sparse.csr_array, shape (n_baskets, n_categories)
        Lines, units or lines weighted by money of each category in each basket, without stored zeros; int64 for
        lines, else float64.
    baskets, customers, times : ndarray, shape (n_baskets,)
        Identifiers, and the time of the basket's first line: ``datetime64[us]``, or float64 where the time
        column holds numbers.
    categories : ndarray of str, shape (n_categories,)
        Level by level, sorted within each, "(other)" last in its level.
    columns : Mapping[str, Column]
        Which column played which part, and whether it was guessed.
    n_lines, n_lines_used : int
        Lines in the transactions, and lines that are counted.
    dropped : tuple of Dropped
        The difference, by reason; each line has one reason.
    notes : tuple of str
        What else was decided on the way, in words.
    source : str
        Name of the transactions.
    items_source : str or None
        Name of the item table.
    where : str or None
        The filter.
    value : str
        ``"lines"``, ``"quantity"`` or ``"amount"``.
    amounts : ndarray or None, shape (n_baskets,)
        Money of each basket, where there is any.
    amount_column : str or None
        Where it comes from: a column, or ``"price x quantity"``.
    levels : tuple of str
        Names of the category columns.
    category_levels : ndarray of int, shape (n_categories,)
        Which of them each category belongs to.
    folded : bool
        Whether rare categories were folded into "(other)".
    n_rare_items : int or None
        How many categories were folded or left out; None where nobody asked for it.
    customer_table : dict of str to ndarray, or None
        Columns of the customer table, each of shape (n_customers,) in the order of
        ``np.unique(baskets.customers)``; None or NaN where unknown.
    customers_source : str or None
        Name of the customer table.
    """

    counts: sparse.csr_array
    baskets: np.ndarray
    customers: np.ndarray
    times: np.ndarray
    categories: np.ndarray
    columns: Mapping[str, Column]
    n_lines: int
    n_lines_used: int
    dropped: tuple[Dropped, ...]
    notes: tuple[str, ...]
    source: str
    items_source: str | None
    where: str | None
    value: str
    amounts: np.ndarray | None = None
    amount_column: str | None = None
    levels: tuple[str, ...] = ("category",)
    category_levels: np.ndarray | None = None
    folded: bool = False
    n_rare_items: int | None = None
    customer_table: Mapping[str, np.ndarray] | None = None
    customers_source: str | None = None

    @property
    def n_baskets(self) -> int:
        """Number of baskets."""
        return int(self.counts.shape[0])

    @property
    def n_customers(self) -> int:
        """Number of different customers."""
        return len(np.unique(self.customers))

    @property
    def n_categories(self) -> int:
        """Number of categories."""
        return len(self.categories)

    @property
    def n_nonzero(self) -> int:
        """Number of basket-category pairs with a count."""
        return int(self.counts.nnz)

    def n_train(self, test_fraction: float) -> int:
        """How many of the first baskets lie before the split in time.

        Parameters
        ----------
        test_fraction : float
            Share of the baskets, the latest, that are kept for testing; at least 0 and below 1.

        Returns
        -------
        int
            ``round(n_baskets * (1 - test_fraction))``; baskets of equal time are in order of their
            identifier.

        Raises
        ------
        InvalidParameterError
            If `test_fraction` is outside its domain.
        InvalidDataError
            If one of the two parts would be empty.
        """
        check_test_fraction(test_fraction)
        n_train = round(self.n_baskets * (1 - test_fraction))
        if n_train == 0 or (test_fraction > 0 and n_train == self.n_baskets):
            message = (
                f"{self.n_baskets} baskets cannot be split with test_fraction={test_fraction}: one part "
                f"would be empty. "
                "Give more data, or test_fraction=0 for no test."
            )
            raise InvalidDataError(message)
        return n_train

    def item_levels(self) -> dict[str, Any]:
        """What a later reading needs to count new lines in the same categories.

        Returns
        -------
        dict
            Plain values for results: ``names`` of the levels, ``of_category`` (the level of each category, None
            where there is one level), ``folded``. `KnownCategories.of_results` takes it.
        """
        several = len(self.levels) > 1 and self.category_levels is not None
        return {
            "names": list(self.levels),
            "of_category": np.asarray(self.category_levels).tolist() if several else None,
            "folded": self.folded,
        }

    def describe(self) -> list[str]:
        """What was read, which columns, what was dropped: one sentence per entry, for people.

        Returns
        -------
        list of str
            Sentences in the order of the work.
        """
        parts = ", ".join(
            f"{role.replace('_', ' ')} = {column.name}{' (guessed)' if column.guessed else ''}"
            for role, column in self.columns.items()
        )
        unit = {"lines": "lines", "quantity": "units", "amount": "lines by amount"}[self.value]
        used = (
            f"{self.n_lines_used:,} of {self.n_lines:,} lines used: {self.n_baskets:,} baskets of "
            f"{self.n_customers:,} customers, {self.n_categories:,} categories, "
            f"{self.n_nonzero:,} non-zero counts of {unit}."
        )
        sentences = [
            f"Columns: {parts}.",
            used,
        ]
        if self.amounts is not None:
            sentences.append(f"Amount of all baskets: {self.amounts.sum():,.2f} ({self.amount_column}).")
        sentences += [f"Left out: {dropped.n_lines:,} lines ({dropped.reason})." for dropped in self.dropped]
        return [*sentences, *self.notes]


def check_test_fraction(test_fraction: float) -> None:
    """Refuse a share of baskets that is none.

    Raises
    ------
    InvalidParameterError
        If it is not at least 0 and below 1.
    """
    if not 0 <= test_fraction < 1:
        message = (
            f"test_fraction: found {test_fraction!r}. Expected a number from 0 up to (not including) 1, "
            "such as 0.2."
        )
        raise InvalidParameterError(message)


def refuse_equal_baskets(counts: Any) -> None:
    """Refuse baskets between which there is no difference.

    Parameters
    ----------
    counts : csr_matrix, shape (N, C)
        The baskets before the split.

    Raises
    ------
    InvalidDataError
        If all hold the same counts.
    """
    n_baskets = counts.shape[0]
    if n_baskets > 1 and (counts.max(axis=0) - counts.min(axis=0)).nnz:
        return
    message = (
        f"all {n_baskets:,} baskets before the split hold the same counts, so there is nothing to tell apart. Expected baskets "
        "that differ; check the basket and category columns and the filter."
    )
    raise InvalidDataError(message)


def one_time(value: Any) -> str | None:
    """A time as text: ISO 8601 for times, the number itself for numbers.

    Parameters
    ----------
    value : numpy.datetime64 or float
        An entry of ``Baskets.times``.

    Returns
    -------
    str
        For example ``"2017-12-31T22:11:05"``.

    Examples
    --------
    >>> one_time(np.datetime64("2017-12-31T22:11:05.000000")), one_time(np.float64(52))
    ('2017-12-31T22:11:05', '52')
    """
    if isinstance(value, np.datetime64):
        return str(value.astype("datetime64[s]"))
    return f"{float(value):.15g}"
