"""What goes with what: pairs of categories that meet in baskets more often than each alone would make them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from scipy import sparse, stats

from mixtura.segments.intervals import LEVEL, blocks_of_customers

__all__ = ["associations"]

# A pair is shown if so many baskets of the mission hold both (fewer in a small shop, see `_enough`), and this share of them.
MIN_BASKETS = 20.0
MIN_SHARE = 0.01
MOST_CATEGORIES = 200
MOST_PAIRS = (
    30_000_000  # pairs in baskets that are looked at; where there are more, a random part of the customers is
)
PAIRS_AT_ONCE = 200_000
ROWS = 20_000
SPARE = 3  # candidates per pair to be shown, of which those beyond chance are

Probabilities = Callable[[np.ndarray], np.ndarray]


def associations(
    counts: sparse.csr_array,
    customers: np.ndarray,
    resp: Probabilities,
    categories: Sequence[str],
    *,
    n_per_mission: int = 5,
    n_overall: int = 20,
    most_categories: int = MOST_CATEGORIES,
    seed: int = 0,
) -> list[dict[str, Any]]:
    r"""Pairs of categories of highest lift, in all baskets and within every mission.

    Parameters
    ----------
    counts : scipy.sparse.csr_array, shape (N, C)
        Baskets.
    customers : ndarray, shape (N,)
        Customer of each.
    resp : callable
        ``resp(rows)`` gives the probabilities (len(rows), K) of the missions for baskets of these numbers.
    categories : sequence of str, length C
        Names.
    n_per_mission, n_overall : int, default 5 and 20
        Most pairs of each mission, and over all baskets.
    most_categories : int, default 200
        Only pairs among so many categories are looked at, those that most baskets hold.
    seed : int, default 0
        Of the choice of customers where there are more than 10 million pairs in the baskets.

    Returns
    -------
    list of dict
        ``{"mission", "a", "b", "lift", "lift_low", "lift_high", "n_baskets"}``: all baskets first (mission 0), highest
        lift first in each; `a` is the category that more baskets hold. Only pairs whose interval lies above 1, that at
        least 20 baskets hold (fewer in a small shop) and 1 % of the mission's. The number of baskets is expected, and
        estimated where only a part of the customers is looked at. The interval is of 95 %, customers as clusters, and
        None with a single customer.

    Notes
    -----
    Within a mission of n baskets (all counts weighted by the baskets' probabilities of it) the lift of a pair is
    :math:`n_{ab}\, n / (n_a n_b)`: 1 if baskets that hold a hold b as often as any. Its error is linearised, as in
    `mixtura.segments.intervals`. Large baskets hold more of everything, so lifts lie somewhat above 1 on the whole; within
    missions, whose baskets are alike, less so. Of many pairs the highest are shown, so that their lifts are rather too high.

    Examples
    --------
    >>> counts = sparse.csr_array(np.array([[1, 1, 0], [1, 1, 1], [0, 0, 1], [0, 1, 1]] * 20))
    >>> pairs = associations(
    ...     counts, np.arange(80), lambda rows: np.ones((len(rows), 1)), ["pasta", "sauce", "milk"]
    ... )
    >>> pairs[0]["a"], pairs[0]["b"], round(pairs[0]["lift"], 2), pairs[0]["n_baskets"]
    ('sauce', 'pasta', 1.33, 40)
    """
    present, columns = _presence(counts, most_categories)
    blocks = _blocks(present, customers, seed)
    sums = _Sums(present, resp, blocks)
    enough = _enough(sums.baskets)
    chosen = [
        (k, int(a), int(b))
        for k in range(len(sums.baskets))
        for a, b in sums.highest(k, SPARE * (n_per_mission if k else n_overall), enough)
    ]
    error = _errors(present, customers, resp, blocks, sums, chosen)
    reach = stats.t.ppf((1 + LEVEL) / 2, max(len(np.unique(customers)) - 1, 1)) * error
    shown: list[dict[str, Any]] = []
    taken = np.zeros(len(sums.baskets), dtype=int)
    for (k, a, b), wide in zip(chosen, reach, strict=True):
        lift = sums.lift(k, a, b)
        known = bool(np.isfinite(wide))
        if taken[k] == (n_per_mission if k else n_overall) or (known and lift * np.exp(-wide) <= 1):
            continue
        taken[k] += 1
        first, second = (a, b) if sums.single[0, a] >= sums.single[0, b] else (b, a)
        shown.append(
            {
                "mission": k,
                "a": str(categories[columns[first]]),
                "b": str(categories[columns[second]]),
                "lift": lift,
                "lift_low": lift * float(np.exp(-wide)) if known else None,
                "lift_high": lift * float(np.exp(wide)) if known else None,
                "n_baskets": round(sums.pair(k, a, b) * counts.shape[0] / sums.baskets[0]),
            }
        )
    return shown


def _presence(counts: sparse.csr_array, most: int) -> tuple[sparse.csr_array, np.ndarray]:
    """Ones where a basket holds one of the most frequent categories, and which these are."""
    held = np.bincount(counts.indices, minlength=counts.shape[1])
    columns = np.sort(np.argsort(-held, kind="stable")[:most])
    present = counts if len(columns) == counts.shape[1] else counts[:, columns]
    present = sparse.csr_array(
        (np.ones(present.nnz), present.indices, present.indptr), shape=present.shape, copy=True
    )
    present.sort_indices()
    return present, columns


def _blocks(present: sparse.csr_array, customers: np.ndarray, seed: int) -> list[np.ndarray]:
    """Rows of whole customers, of random customers up to the most pairs that are looked at."""
    size = np.diff(present.indptr).astype(np.int64)
    pairs = size * (size - 1) // 2
    if pairs.sum() <= MOST_PAIRS:
        return list(blocks_of_customers(customers, ROWS))
    _, index = np.unique(customers, return_inverse=True)
    each = np.bincount(index, weights=pairs)
    order = np.random.default_rng(seed).permutation(len(each))
    n_kept = max(1, int(np.searchsorted(np.cumsum(each[order]), MOST_PAIRS, side="right")))
    chosen = np.zeros(len(each), dtype=bool)
    chosen[order[:n_kept]] = True
    kept = np.flatnonzero(chosen[index])
    return [kept[rows] for rows in blocks_of_customers(customers[kept], ROWS)]


def _pairs(present: sparse.csr_array) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Row, first and second column of every pair of entries in one row, in blocks of bounded size."""
    indptr, indices = present.indptr.astype(np.int64), present.indices
    size = np.diff(indptr)
    row = np.repeat(np.arange(len(size)), size)
    later = indptr[1:][row] - np.arange(len(indices)) - 1  # entries of the same row behind this one
    ends = np.cumsum(later)
    start = 0
    while start < len(indices):
        before = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + PAIRS_AT_ONCE, side="right")))
        first = np.repeat(np.arange(start, stop), later[start:stop])
        within = np.arange(len(first)) - np.repeat(
            ends[start:stop] - later[start:stop] - before, later[start:stop]
        )
        yield row[first], indices[first], indices[first + 1 + within]
        start = stop


class _Sums:
    """Expected baskets of every mission (row 0: all), with one category, and with two."""

    def __init__(self, present: sparse.csr_array, resp: Probabilities, blocks: list[np.ndarray]) -> None:
        self.n_categories = n = present.shape[1]
        baskets: Any = 0.0
        single: Any = 0.0
        double: Any = 0.0
        for rows in blocks:
            here = present[rows]
            weight = np.column_stack([np.ones(len(rows)), resp(rows)])
            baskets = baskets + weight.sum(axis=0)
            single = single + (here.T @ weight).T
            if isinstance(double, float):
                double = np.zeros((n * n, weight.shape[1]))
            for row, first, second in _pairs(here):
                if not len(row):
                    continue
                found, code = np.unique(first.astype(np.int64) * n + second, return_inverse=True)
                gather = sparse.csr_array((np.ones(len(code)), (code, row)), shape=(len(found), len(rows)))
                double[found] += gather @ weight
        self.baskets, self.single, self.double = baskets, single, double

    def pair(self, k: int, a: int, b: int) -> float:
        """Baskets with both, a < b."""
        return float(self.double[a * self.n_categories + b, k])

    def lift(self, k: int, a: int, b: int) -> float:
        """Over what two independent categories would give."""
        return float(self.pair(k, a, b) * self.baskets[k] / (self.single[k, a] * self.single[k, b]))

    def highest(self, k: int, n_pairs: int, enough: float) -> Iterator[tuple[int, int]]:
        """Pairs of highest lift above 1 that enough baskets hold."""
        both = self.double[:, k]
        supported = np.flatnonzero(both >= max(enough, MIN_SHARE * self.baskets[k]))
        a, b = np.divmod(supported, self.n_categories)
        lift = both[supported] * self.baskets[k] / (self.single[k, a] * self.single[k, b])
        for one in np.argsort(-lift, kind="stable")[:n_pairs]:
            if lift[one] > 1:
                yield a[one], b[one]


def _enough(baskets: np.ndarray) -> float:
    """Baskets that support a statement: 20, or less in a small shop (a tenth of a mission's average, at least one)."""
    return min(MIN_BASKETS, max(1.0, float(baskets[0]) / max(len(baskets) - 1, 1) / 10))


def _errors(
    present: sparse.csr_array,
    customers: np.ndarray,
    resp: Probabilities,
    blocks: list[np.ndarray],
    sums: _Sums,
    chosen: list[tuple[int, int, int]],
) -> np.ndarray:
    """Standard errors of the log lifts of these pairs, customers as clusters; NaN with a single customer."""
    squares = np.zeros(len(chosen))
    n_customers = 0
    for rows in blocks:
        labels, index = np.unique(customers[rows], return_inverse=True)
        n_customers += len(labels)
        here = present[rows].toarray() > 0
        weight = np.column_stack([np.ones(len(rows)), resp(rows)])
        for place, (k, a, b) in enumerate(chosen):
            with_a, with_b = here[:, a], here[:, b]
            influence = weight[:, k] * (
                (with_a & with_b) / sums.pair(k, a, b)
                + 1.0 / sums.baskets[k]
                - with_a / sums.single[k, a]
                - with_b / sums.single[k, b]
            )
            squares[place] += (np.bincount(index, weights=influence) ** 2).sum()
    if n_customers < 2:
        return np.full(len(chosen), np.nan)
    return np.sqrt(squares * n_customers / (n_customers - 1))
