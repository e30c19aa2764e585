"""How sure a lift is: 95 % intervals from sums per customer, whose baskets are not independent witnesses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
from scipy import sparse, stats

__all__ = ["LiftMoments", "blocks_of_customers", "lift_interval", "lift_moments", "log_lift_error"]

# Below so many independent witnesses the linearisation says little, and the interval is widened to that of a Poisson count.
FEW = 10.0
LEVEL = 0.95
TINY = 1e-100  # its square is still a number


@dataclass(frozen=True)
class LiftMoments:
    r"""Sums over customers that a lift and its error are made of; those of disjoint customers add up.

    With :math:`a_{hkc}` the expected lines of customer h, mission k and category c, and
    :math:`l_{hk}, a_{hc}, l_h` its sums over c, over k, and over both.

    Parameters
    ----------
    n_customers : ndarray, shape ()
        Number of customers.
    entries : ndarray, shape (C,)
        Baskets that contain each category.
    lines, lines_lines, lines_size, lines_overall, lines_total : ndarray, shape (K, C)
        Sums of :math:`a_{hkc}` alone, squared, and times :math:`l_{hk}`, :math:`a_{hc}` and :math:`l_h`.
    size_overall : ndarray, shape (K, C)
        Sum of :math:`l_{hk} a_{hc}`.
    size_size, size_total : ndarray, shape (K,)
        Sums of :math:`l_{hk}` squared and times :math:`l_h`.
    overall_overall, overall_total : ndarray, shape (C,)
        Sums of :math:`a_{hc}` squared and times :math:`l_h`.
    total_total : ndarray, shape ()
        Sum of :math:`l_h` squared.
    """

    n_customers: np.ndarray
    entries: np.ndarray
    lines: np.ndarray
    lines_lines: np.ndarray
    lines_size: np.ndarray
    lines_overall: np.ndarray
    lines_total: np.ndarray
    size_overall: np.ndarray
    size_size: np.ndarray
    size_total: np.ndarray
    overall_overall: np.ndarray
    overall_total: np.ndarray
    total_total: np.ndarray

    def __add__(self, other: LiftMoments) -> LiftMoments:
        """Sums over the customers of both."""
        return LiftMoments(*(getattr(self, part.name) + getattr(other, part.name) for part in fields(self)))


def blocks_of_customers(customers: np.ndarray, n_rows: int) -> Iterator[np.ndarray]:
    """Rows in blocks of bounded size, each holding all the rows of its customers.

    Parameters
    ----------
    customers : ndarray, shape (N,)
        Customer of each row, in any order.
    n_rows : int
        Most rows of a block. A "customer" with more (a till, a guest account) is cut into several.

    Yields
    ------
    ndarray of int
        Row numbers.

    Examples
    --------
    >>> [rows.tolist() for rows in blocks_of_customers(np.array(["b", "a", "b", "c"]), 3)]
    [[1, 0, 2], [3]]
    """
    _, index = np.unique(customers, return_inverse=True)
    order = np.argsort(index, kind="stable")
    ends = np.cumsum(np.bincount(index)) if len(index) else np.zeros(0, dtype=int)
    start = 0
    while start < len(order):
        fitting = ends[np.searchsorted(ends, start + n_rows, side="right") - 1]
        stop = int(fitting) if fitting > start else min(start + n_rows, len(order))
        yield order[start:stop]
        start = stop


def lift_moments(
    counts: sparse.csr_array, resp: np.ndarray, customers: np.ndarray | None = None
) -> LiftMoments:
    """Sums of one block.

    Parameters
    ----------
    counts : scipy.sparse.csr_array, shape (N, C)
        Lines per basket and category, without stored zeros.
    resp : ndarray, shape (N, K)
        Probability of each mission for each basket.
    customers : ndarray, shape (N,), optional
        Customer of each basket; all baskets of a customer come in one call. None makes every row a customer.

    Returns
    -------
    LiftMoments
        Without anything of size (customers, K, C): only what a customer bought takes memory.
    """
    n_rows, n_categories = counts.shape
    if customers is None:
        index, n_customers = np.arange(n_rows), n_rows
    else:
        labels, index = np.unique(customers, return_inverse=True)
        n_customers = len(labels)
    # What each customer bought: pairs (customer, category), and the expected lines of each pair in every mission.
    row = np.repeat(np.arange(n_rows), np.diff(counts.indptr))
    pairs, pair = np.unique(index[row] * n_categories + counts.indices, return_inverse=True)
    owner, category = np.divmod(pairs, n_categories)
    data = counts.data.astype(np.float64)
    lines = sparse.csr_array((data, (pair, row)), shape=(len(pairs), n_rows)) @ resp
    overall = np.bincount(pair, weights=data, minlength=len(pairs))
    size = _gather(index, n_customers) @ (resp * counts.sum(axis=1)[:, None])
    total = np.bincount(owner, weights=overall, minlength=n_customers)
    by_category = _gather(category, n_categories)

    def summed(values: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray((by_category @ values).T)

    return LiftMoments(
        n_customers=np.asarray(float(n_customers)),
        entries=np.bincount(counts.indices, minlength=n_categories).astype(np.float64),
        lines=summed(lines),
        lines_lines=summed(lines**2),
        lines_size=summed(lines * size[owner]),
        lines_overall=summed(lines * overall[:, None]),
        lines_total=summed(lines * total[owner, None]),
        size_overall=summed(size[owner] * overall[:, None]),
        size_size=(size**2).sum(axis=0),
        size_total=size.T @ total,
        overall_overall=by_category @ overall**2,
        overall_total=by_category @ (overall * total[owner]),
        total_total=np.asarray(float(total @ total)),
    )


def _gather(index: np.ndarray, n_rows: int) -> sparse.csr_array:
    """Matrix that sums rows of equal index."""
    return sparse.csr_array((np.ones(len(index)), (index, np.arange(len(index)))), shape=(n_rows, len(index)))


def log_lift_error(moments: LiftMoments) -> np.ndarray:
    r"""Standard error of every log lift, customers as clusters.

    Parameters
    ----------
    moments : LiftMoments
        Sums over all customers.

    Returns
    -------
    ndarray, shape (K, C)
        At least 0; NaN with fewer than two customers, and where there are no lines.

    Notes
    -----
    Linearised: customer h moves the log lift by
    :math:`e_h = a_{hkc}/A_{kc} - l_{hk}/L_k - a_{hc}/A_c + l_h/L`, capitals being sums over customers, and the error is
    :math:`\sqrt{G/(G-1) \sum_h e_h^2}` for G customers. The probabilities of the missions are taken as given: the error of
    the fitted profiles is the matter of `mixtura.segments.stability`.

    References
    ----------
    .. [1] K. M. Wolter (2007), Introduction to Variance Estimation, 2nd ed., Springer, chapter 6.
    """
    n_customers = float(moments.n_customers)
    if n_customers < 2:
        return np.full(moments.lines.shape, np.nan)
    within, size, overall, total = _totals(moments)
    variance = (
        moments.lines_lines / within**2
        + (moments.size_size / size[:, 0] ** 2)[:, None]
        + moments.overall_overall / overall**2
        + moments.total_total / total**2
        - 2 * moments.lines_size / (within * size)
        - 2 * moments.lines_overall / (within * overall)
        + 2 * moments.lines_total / (within * total)
        + 2 * moments.size_overall / (size * overall)
        - 2 * (moments.size_total / (size[:, 0] * total))[:, None]
        - 2 * moments.overall_total / (overall * total)
    )
    return np.sqrt(np.maximum(variance, 0.0) * n_customers / (n_customers - 1))


def _totals(moments: LiftMoments) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Lines of mission and category, of the mission, of the category, and of all; NaN where there are none."""
    lines = np.where(moments.lines > TINY, moments.lines, np.nan)
    size = moments.lines.sum(axis=1, keepdims=True)
    overall = moments.lines.sum(axis=0)
    return (
        lines,
        np.where(size > TINY, size, np.nan),
        np.where(overall > TINY, overall, np.nan),
        float(overall.sum()),
    )


def lift_interval(moments: LiftMoments) -> tuple[np.ndarray, np.ndarray]:
    r"""95 % intervals for every lift, customers as clusters.

    Parameters
    ----------
    moments : LiftMoments
        Sums over all customers.

    Returns
    -------
    low, high : ndarray, shape (K, C)
        Never negative; NaN where nothing can be said: fewer than two customers, a mission without lines, a category that
        nobody bought.

    Notes
    -----
    The interval is symmetric for the log lift (:func:`log_lift_error`), with Student's quantile for G - 1 degrees of freedom.
    Where a mission holds few lines of a category it is widened to that of a Poisson count: with
    :math:`m = \sum_h a_{hkc}^2 / A_{kc}` lines per witness (at least the lines per basket that holds the category), there are
    :math:`A_{kc} / m` witnesses; a category that the mission never holds so has a lift from 0 to what 3.7 witnesses would give.

    References
    ----------
    .. [1] M. P. Fay and E. J. Feuer (1997), "Confidence intervals for directly standardized rates: a method based on the gamma
       distribution", Statistics in Medicine 16(7), 791-801.

    Examples
    --------
    >>> counts = sparse.csr_array(np.array([[8, 2], [1, 9], [7, 3], [2, 8]] * 10))
    >>> low, high = lift_interval(lift_moments(counts, np.tile(np.eye(2), (20, 1))))
    >>> bool((low[0, 0] > 1) & (high[1, 0] < 1) & (low >= 0).all())
    True
    """
    error = log_lift_error(moments)
    _, size, overall, total = _totals(moments)
    per_line = total / (size * overall)  # lift that one line more would add
    lift = moments.lines * per_line
    reach = stats.t.ppf((1 + LEVEL) / 2, max(float(moments.n_customers) - 1, 1)) * np.nan_to_num(error)
    low, high = lift * np.exp(-reach), lift * np.exp(reach)
    per_basket = np.nan_to_num(overall, nan=1.0) / np.maximum(moments.entries, 1.0)
    witness = np.maximum(per_basket, moments.lines_lines / np.maximum(moments.lines, TINY))
    n_witnesses = moments.lines / witness
    few = n_witnesses < FEW
    least = stats.chi2.ppf((1 - LEVEL) / 2, 2 * np.maximum(n_witnesses, 1e-9)) / 2
    most = stats.chi2.ppf((1 + LEVEL) / 2, 2 * n_witnesses + 2) / 2
    low = np.where(few, np.minimum(low, least * witness * per_line), low)
    high = np.where(few, np.maximum(high, most * witness * per_line), high)
    # A share is at most one, and so a lift at most one over the share overall.
    high = np.minimum(high, np.maximum(total / overall, lift))
    known = np.isfinite(per_line) & (float(moments.n_customers) >= 2)
    return np.where(known, low, np.nan), np.where(known, high, np.nan)
