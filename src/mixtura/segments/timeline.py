"""Is it stable: shares of visits by month, and customers between the first and the second half of the period."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import sparse

from mixtura.exceptions import InvalidDataError

__all__ = ["flows", "periods", "timeline"]

MONTHS_FROM = 120  # days that the data must span to be shown by month, about four months
WEEKS_FROM = 21  # the same for weeks; below, by day
N_BINS = 10  # of times that are numbers
DAY = np.timedelta64(1, "D")
MONDAY = np.datetime64("1969-12-29")  # the Monday before the epoch


def periods(times: Any) -> tuple[np.ndarray, list[str], str]:
    """Cut times into months, or what suits their span.

    Parameters
    ----------
    times : array_like, shape (N,)
        ``datetime64`` or numbers, in any order.

    Returns
    -------
    index : ndarray of int, shape (N,)
        Period of each.
    labels : list of str
        One per period, without gaps: ``"2017-01"`` for a month, ``"2017-01-02"`` (its Monday) for a week or for
        a day, ``"1 to 36"`` for numbers.
    unit : {"month", "week", "day", "number"}
        What they are.

    Raises
    ------
    InvalidDataError
        If there are none, or some are missing.

    Examples
    --------
    >>> days = np.array(["2017-01-31", "2017-03-01", "2017-06-30"], dtype="datetime64[us]")
    >>> index, labels, unit = periods(days)
    >>> index.tolist(), labels[:2], unit
    ([0, 2, 5], ['2017-01', '2017-02'], 'month')
    >>> periods([1, 1, 2, 52])[1][:2]
    ['1 to 6', '7 to 11']
    """
    times = _checked(times)
    if times.dtype.kind != "M":
        return *_bins(times), "number"
    days = (times.max() - times.min()) / DAY
    if days >= MONTHS_FROM:
        months = times.astype("datetime64[M]")
        labels = np.arange(months.min(), months.max() + 1)
        return (months - months.min()).astype(np.int64), [str(month) for month in labels], "month"
    if days >= WEEKS_FROM:
        weeks = (times.astype("datetime64[D]") - MONDAY) // np.timedelta64(7, "D")
        starts = MONDAY + np.arange(weeks.min(), weeks.max() + 1) * np.timedelta64(7, "D")
        return np.asarray(weeks - weeks.min()), [str(start) for start in starts], "week"
    dates = times.astype("datetime64[D]")
    labels = np.arange(dates.min(), dates.max() + 1)
    return (dates - dates.min()).astype(np.int64), [str(day) for day in labels], "day"


def _bins(times: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """About ten equal bins; whole numbers keep together, and each has a bin where there are few."""
    first, last = times.min(), times.max()
    if first == last:
        return np.zeros(len(times), dtype=np.int64), [f"{first:.6g}"]
    if (times == np.floor(times)).all() and np.abs([first, last]).max() < 2**53:
        n_values = int(last - first) + 1
        n_bins = min(N_BINS, n_values)
        index = ((times - first) * n_bins // n_values).astype(np.int64)
        starts = [first - (-bin_ * n_values // n_bins) for bin_ in range(n_bins + 1)]  # rounded up
        ends = [start - 1 for start in starts[1:]]
        pairs = zip(starts[:-1], ends, strict=True)
        return index, [f"{a:.15g} to {b:.15g}" if a < b else f"{a:.15g}" for a, b in pairs]
    edges = np.linspace(first, last, N_BINS + 1)
    index = np.clip(np.searchsorted(edges, times, side="right") - 1, 0, N_BINS - 1)
    return index, [f"{a:.4g} to {b:.4g}" for a, b in pairwise(edges)]


def timeline(times: Any, blocks: Iterable[Any]) -> dict[str, Any] | None:
    """Share of visits of each mission (or of customers of each segment) by period.

    Parameters
    ----------
    times : array_like, shape (N,)
        Time of each basket.
    blocks : iterable of array_like, shape (n, K)
        Probabilities of the baskets, block after block in the order of `times`; N rows together.

    Returns
    -------
    dict or None
        ``{"unit", "periods": [T], "n_baskets": [T], "shares": [T][K]}``; shares are None in a period without
        baskets. None if all times fall into one period.

    Raises
    ------
    InvalidDataError
        If the blocks do not have N rows together, or not the same number of columns.

    Examples
    --------
    >>> found = timeline([1, 1, 2, 2], [np.eye(2), [[0.5, 0.5]], [[0.0, 1.0]]])
    >>> found["periods"], found["shares"]
    (['1', '2'], [[0.5, 0.5], [0.25, 0.75]])
    """
    index, labels, unit = periods(times)
    if len(labels) < 2:
        return None
    sums = _sums(index, len(labels), blocks, "baskets")
    totals = np.asarray(sums.toarray() if sparse.issparse(sums) else sums, dtype=float)
    n_baskets = np.bincount(index, minlength=len(labels))
    shares = totals / np.maximum(totals.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    return {
        "unit": unit,
        "periods": labels,
        "n_baskets": n_baskets.tolist(),
        "shares": [
            row.tolist() if n else [None] * len(row) for row, n in zip(shares, n_baskets, strict=True)
        ],
    }


def flows(
    times: Any,
    customers: Any,
    blocks: Iterable[Any],
    classify: Callable[[Any], Any],
    names: Sequence[str],
) -> dict[str, Any] | None:
    """Segment of each customer by the first half of the period, and by the second.

    Parameters
    ----------
    times : array_like, shape (N,)
        Time of each basket.
    customers : array_like, shape (N,)
        Customer of each.
    blocks : iterable of array_like or scipy.sparse array, shape (n, F)
        What the segments are made of, per basket, block after block in the order of `times`: probabilities of
        the missions, or counts of the categories.
    classify : callable
        ``classify(counts)``: from counts (H, F), dense or sparse as the blocks are, to labels 0 to S - 1 (H,).
    names : sequence of str, length S
        Names of the segments.

    Returns
    -------
    dict or None
        ``{"from_label", "to_label", "names", "counts": [S][S], "n_same"}``: rows by the first half, columns by the
        second, n_same on the diagonal. None if no customer has baskets in both.

    Raises
    ------
    InvalidDataError
        If lengths or labels do not fit.

    Notes
    -----
    The halves meet in the middle between the first and the last time. Both labels rest on half of the customer's
    baskets, so a customer between two segments changes by chance alone.

    Examples
    --------
    >>> shop = {"times": [1, 2, 9, 10], "customers": ["Ann", "Bob", "Ann", "Bob"]}
    >>> found = flows(
    ...     **shop,
    ...     blocks=[np.eye(2)[[0, 1, 0, 0]]],
    ...     classify=lambda counts: counts.argmax(axis=1),
    ...     names=["Tea", "Beer"],
    ... )
    >>> found["from_label"], found["to_label"], found["counts"]
    ('1 to 2', '9 to 10', [[1, 0], [1, 0]])
    """
    times = _checked(times)
    everyone, owner = np.unique(np.asarray(customers), return_inverse=True)
    if len(owner) != len(times):
        message = f"there are {len(owner)} customers for {len(times)} baskets. Expected the customer of each basket."
        raise InvalidDataError(message)
    late = times > times.min() + (times.max() - times.min()) / 2
    sums = _sums(owner + late * len(everyone), 2 * len(everyone), blocks, "baskets")
    bought = np.asarray(sums.sum(axis=1)).ravel() > 0
    both = np.flatnonzero(bought[: len(everyone)] & bought[len(everyone) :])
    if not both.size:
        return None
    first, second = (
        _checked_labels(classify(sums[both + shift]), len(both), len(names)) for shift in (0, len(everyone))
    )
    counts = np.zeros((len(names), len(names)), dtype=np.int64)
    np.add.at(counts, (first, second), 1)
    return {
        "from_label": _span(times[~late]),
        "to_label": _span(times[late]),
        "names": list(names),
        "counts": counts.tolist(),
        "n_same": int(np.trace(counts)),
    }


def _checked(times: Any) -> np.ndarray:
    times = np.asarray(times)
    if times.dtype.kind not in "Mfiu" or times.ndim != 1 or not times.size:
        message = (
            f"times: found an array of {times.dtype} with shape {times.shape}. Expected one time or number per "
            "basket; check the time column."
        )
        raise InvalidDataError(message)
    missing = np.isnat(times) if times.dtype.kind == "M" else ~np.isfinite(times)
    if missing.any():
        message = (
            f"times: {int(missing.sum()):,} of {len(times):,} are missing, the first in row {int(missing.argmax())}. "
            "Expected a time for every basket; leave out baskets without one."
        )
        raise InvalidDataError(message)
    return times if times.dtype.kind == "M" else times.astype(float)


def _sums(index: np.ndarray, n_groups: int, blocks: Iterable[Any], what: str) -> Any:
    """Sum of the rows of each group, (n_groups, K), one block in memory at a time."""
    total: Any = None
    row = 0
    for given in blocks:
        block = given if sparse.issparse(given) else np.asarray(given, dtype=float)
        if block.ndim != 2 or (total is not None and block.shape[1] != total.shape[1]):
            message = f"a block of {what} has shape {block.shape}. Expected blocks with the same columns."
            raise InvalidDataError(message)
        mine = index[row : row + block.shape[0]]
        row += block.shape[0]
        if len(mine) == block.shape[0]:
            gather = sparse.csr_array(
                (np.ones(len(mine)), (mine, np.arange(len(mine)))), shape=(n_groups, len(mine))
            )
            total = gather @ block if total is None else total + gather @ block
    if row != len(index) or total is None:
        message = (
            f"the blocks hold {row:,} {what}, but there are {len(index):,} times. Expected one row for each; give "
            "the blocks of the same baskets."
        )
        raise InvalidDataError(message)
    return total


def _checked_labels(labels: Any, n_rows: int, n_names: int) -> np.ndarray:
    labels = np.asarray(labels)
    if (
        labels.shape != (n_rows,)
        or labels.dtype.kind not in "iu"
        or labels.min() < 0
        or labels.max() >= n_names
    ):
        message = (
            f"classify gave {labels.dtype} of shape {labels.shape}. Expected {n_rows} whole numbers from 0 to "
            f"{n_names - 1}, one per customer; give names for all segments."
        )
        raise InvalidDataError(message)
    return labels


def _span(times: np.ndarray) -> str:
    first, last = times.min(), times.max()
    if times.dtype.kind == "M":
        first, last = (str(time.astype("datetime64[D]")) for time in (first, last))
    else:
        first, last = (f"{time:.6g}" for time in (first, last))
    return f"{first} to {last}" if first != last else str(first)
