"""What one pass over the baskets tells about the missions: by customer, by money, and how sure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mixtura.segments.baskets import Baskets
from mixtura.segments.sureness import assignments
from mixtura.segments.tables import chunks, per_customer

__all__ = ["Certainty", "Totals", "certainty", "mission_totals", "probabilities"]

EDGES = np.linspace(0.0, 1.0, 11)
SURE = 0.8


@dataclass
class Certainty:
    """How large the largest probabilities are.

    Parameters
    ----------
    total : ndarray, shape (K,)
        Sum of the largest probabilities of the rows assigned to each component.
    n_rows : ndarray, shape (K,)
        How many rows are assigned to each.
    histogram : ndarray, shape (10,)
        Rows by largest probability, in tenths.
    n_sure : int
        Rows with a largest probability above 0.8.
    """

    total: np.ndarray
    n_rows: np.ndarray
    histogram: np.ndarray
    n_sure: int

    @property
    def means(self) -> list[float | None]:
        """Mean probability of the rows assigned to each component; None without rows."""
        return [float(total / n) if n else None for total, n in zip(self.total, self.n_rows, strict=True)]

    def as_dict(self) -> dict[str, Any]:
        """The part "certainty" of the results."""
        n = int(self.n_rows.sum())
        return {
            "mean": float(self.total.sum() / n),
            "share_above_80": self.n_sure / n,
            "histogram": {"edges": EDGES, "counts": self.histogram},
        }


def certainty(resp: np.ndarray) -> Certainty:
    """How sure the assignments are.

    Parameters
    ----------
    resp : ndarray, shape (N, K)
        Probabilities.

    Returns
    -------
    Certainty
        Sums, which add over blocks of rows.

    Examples
    --------
    >>> certainty(np.array([[0.9, 0.1], [0.4, 0.6]])).means
    [0.9, 0.6]
    """
    n_components = resp.shape[1]
    largest, label = resp.max(axis=1), resp.argmax(axis=1)
    return Certainty(
        np.bincount(label, weights=largest, minlength=n_components),
        np.bincount(label, minlength=n_components),
        np.histogram(np.minimum(largest, 1.0), bins=EDGES)[0],
        int((largest > SURE).sum()),
    )


@dataclass(frozen=True)
class Totals:
    """Sums over the baskets before the split.

    Parameters
    ----------
    customers : ndarray, shape (H,)
        All customers, sorted.
    missions : ndarray, shape (H, K)
        Expected baskets of every mission of each customer.
    amount : ndarray, shape (K,), or None
        Expected money of every mission.
    certainty : Certainty
        Of the baskets' missions.
    assigned : dict of str to ndarray
        How clear the missions of the baskets given to each are, as of `sureness.assignments`.
    """

    customers: np.ndarray
    missions: np.ndarray
    amount: np.ndarray | None
    certainty: Certainty
    assigned: dict[str, np.ndarray]


def probabilities(model: Any, baskets: Baskets, n_rows: int) -> Iterator[tuple[slice, np.ndarray]]:
    """Blocks of rows and the probabilities of their missions, in bounded memory."""
    for rows in chunks(n_rows):
        yield rows, model.predict_proba(baskets.counts[rows], groups=baskets.customers[rows])


def mission_totals(model: Any, baskets: Baskets, n_train: int) -> Totals:
    """Sum the baskets before the split.

    Parameters
    ----------
    model : GroupedMultinomialMixture
        The household mixture.
    baskets : Baskets
        All baskets.
    n_train : int
        How many are before the split.

    Returns
    -------
    Totals
        Customers without a basket before the split have zeros.
    """
    customers, index = np.unique(baskets.customers, return_inverse=True)
    n_components = len(model.weights_)
    missions = np.zeros((len(customers), n_components))
    amount = np.zeros(n_components)
    sure = Certainty(np.zeros(n_components), np.zeros(n_components, dtype=int), np.zeros(10, dtype=int), 0)
    assigned = {name: np.zeros(n_components) for name in ("n", "clear", "entropy")}
    for rows, resp in probabilities(model, baskets, n_train):
        assigned = {name: assigned[name] + part for name, part in assignments(resp).items()}
        missions += per_customer(resp, index[rows], len(customers))
        if baskets.amounts is not None:
            amount += baskets.amounts[rows] @ resp
        block = certainty(resp)
        sure = Certainty(
            sure.total + block.total,
            sure.n_rows + block.n_rows,
            sure.histogram + block.histogram,
            sure.n_sure + block.n_sure,
        )
    return Totals(customers, missions, None if baskets.amounts is None else amount, sure, assigned)
