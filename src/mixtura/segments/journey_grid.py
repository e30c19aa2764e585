"""Customers on a calendar: what each bought in every period since the first visit, periods without a visit included."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse

from mixtura.segments.baskets import Baskets
from mixtura.segments.journey_periods import Periods, cut_periods

__all__ = ["Grid", "make_grid"]


@dataclass(frozen=True)
class Grid:
    """One row per customer and period, from the period of the customer's first basket to the last of the data.

    Parameters
    ----------
    baskets : Baskets
        Those in whole periods.
    period : ndarray of int, shape (N,)
        Period of each basket.
    periods : Periods
        The calendar.
    n_train : int
        How many periods are learnt from.
    customers : ndarray, shape (H,)
        Identifiers, sorted.
    owner : ndarray of int, shape (N,)
        Place of each basket's customer.
    first : ndarray of int, shape (H,)
        Period of the first basket of each.
    """

    baskets: Baskets
    period: np.ndarray
    periods: Periods
    n_train: int
    customers: np.ndarray
    owner: np.ndarray
    first: np.ndarray

    @property
    def n_periods(self) -> int:
        """Number of periods, T."""
        return len(self.periods.labels)

    @property
    def n_train_baskets(self) -> int:
        """Baskets that are learnt from: baskets stand in order of time."""
        return int((self.period < self.n_train).sum())

    @property
    def lengths(self) -> np.ndarray:
        """Rows of each customer, shape (H,)."""
        return self.n_periods - self.first

    @property
    def offsets(self) -> np.ndarray:
        """First row of each customer and the number of rows, shape (H + 1,)."""
        return np.concatenate([[0], np.cumsum(self.lengths)])

    @property
    def row_owner(self) -> np.ndarray:
        """Place of each row's customer."""
        return np.repeat(np.arange(len(self.customers)), self.lengths)

    @property
    def row_period(self) -> np.ndarray:
        """Period of each row."""
        return np.arange(int(self.offsets[-1])) - np.repeat(self.offsets[:-1] - self.first, self.lengths)

    @property
    def row_of_basket(self) -> np.ndarray:
        """Row of each basket, shape (N,)."""
        return np.asarray(self.offsets[self.owner] + self.period - self.first[self.owner])

    @property
    def learnt(self) -> np.ndarray:
        """Whether a row is learnt from."""
        return np.asarray(self.row_period < self.n_train)

    @property
    def learnt_lengths(self) -> np.ndarray:
        """Rows that are learnt from, of each customer who has any."""
        lengths = np.maximum(self.n_train - self.first, 0)
        return np.asarray(lengths[lengths > 0])

    @property
    def visits(self) -> np.ndarray:
        """Baskets in each row."""
        return np.bincount(self.row_of_basket, minlength=int(self.offsets[-1]))

    def of_customers(self, places: np.ndarray) -> Grid:
        """The grid of some customers, given their places in ascending order."""
        mine = np.flatnonzero(np.isin(self.owner, places))
        return replace(
            self,
            baskets=of_baskets(self.baskets, mine),
            period=self.period[mine],
            customers=self.customers[places],
            owner=np.searchsorted(places, self.owner[mine]),
            first=self.first[places],
        )

    def sums(self, values: Any) -> Any:
        """Sums over the baskets of each row, of dense or sparse values (N, C)."""
        n_baskets = len(self.period)
        gather = sparse.csr_array(
            (np.ones(n_baskets), (self.row_of_basket, np.arange(n_baskets))),
            shape=(int(self.offsets[-1]), n_baskets),
        )
        return gather @ values


def of_baskets(baskets: Baskets, places: np.ndarray, notes: tuple[str, ...] = ()) -> Baskets:
    """Some of the baskets, in their order."""
    return replace(
        baskets,
        counts=baskets.counts[places],
        baskets=baskets.baskets[places],
        customers=baskets.customers[places],
        times=baskets.times[places],
        amounts=None if baskets.amounts is None else baskets.amounts[places],
        notes=(*baskets.notes, *notes),
    )


def make_grid(baskets: Baskets, period: str | float | None, test_fraction: float) -> Grid:
    """Put baskets on the calendar.

    Parameters
    ----------
    baskets : Baskets
        All baskets.
    period : str, float or None
        As for `cut_periods`.
    test_fraction : float
        Share of the periods, the latest, that are kept for testing: at least one unless it is 0, and at most all but two.

    Returns
    -------
    Grid
        Without the baskets of periods that are not whole.

    Raises
    ------
    InvalidDataError, InvalidParameterError
        As `cut_periods`.
    """
    periods = cut_periods(baskets.times, period)
    inside = np.flatnonzero(periods.index >= 0)
    kept = of_baskets(baskets, inside, notes=periods.notes)
    index = periods.index[inside]
    customers, owner = np.unique(kept.customers, return_inverse=True)
    first = np.full(len(customers), len(periods.labels))
    np.minimum.at(first, owner, index)
    n_periods = len(periods.labels)
    n_test = min(max(round(n_periods * test_fraction), 1), n_periods - 2) if test_fraction > 0 else 0
    return Grid(kept, index, periods, n_periods - n_test, customers, owner, first)
