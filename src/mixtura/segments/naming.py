"""What a mission is: its shares, lifts and supports, and a name that a person understands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from mixtura.segments.intervals import LiftMoments, lift_interval, lift_moments

__all__ = ["Content", "Entry", "avoided", "content", "joined", "lifts", "names", "top"]

Entry = dict[str, float | int | str | None]

# A category is shown only if it has this share of the mission's lines; otherwise a high lift may rest on a
# handful of lines. It becomes part of the name only if it is this much more frequent there than overall, and
# not pale beside the first.
MIN_SHARE = 0.02
MIN_LINES = 20.0
MIN_LIFT = 1.5
MIN_OF_FIRST = 0.1
# What gives a name is more common than what is shown, in times of an average category.
COMMON_NAME = 8.0
N_TOP = 10
# Only what is common is missed: the categories that make up this share of all lines.
COMMON = 0.5
N_AVOIDED = 5


@dataclass(frozen=True)
class Content:
    """Expected counts of every mission, over the baskets given.

    Parameters
    ----------
    baskets : ndarray, shape (K,)
        Expected number of baskets.
    lines : ndarray, shape (K, C)
        Expected lines of each category.
    containing : ndarray, shape (K, C)
        Expected baskets that contain each category.
    moments : LiftMoments, optional
        What the intervals of the lifts are made of; without it they are unknown.
    """

    baskets: np.ndarray
    lines: np.ndarray
    containing: np.ndarray
    moments: LiftMoments | None = None

    def __add__(self, other: Content) -> Content:
        """Sums over the baskets of both, which belong to different customers."""
        return Content(
            self.baskets + other.baskets,
            self.lines + other.lines,
            self.containing + other.containing,
            None if self.moments is None or other.moments is None else self.moments + other.moments,
        )


def content(counts: Any, resp: np.ndarray, customers: np.ndarray | None = None) -> Content:
    """Sum baskets into missions, or customers into segments.

    Parameters
    ----------
    counts : scipy.sparse.csr_array or ndarray, shape (N, C)
        Lines per basket (or customer) and category, whole or fractional.
    resp : ndarray, shape (N, K)
        Probability of each mission for each basket (or of each segment for each customer).
    customers : ndarray, shape (N,), optional
        Customer of each basket; all baskets of a customer come in one call. None makes every row a customer.

    Returns
    -------
    Content
        Sums weighted by probability; those of different customers add up.
    """
    counts = sparse.csr_array(counts, copy=True)
    counts.eliminate_zeros()
    present = sparse.csr_array((np.ones(counts.nnz), counts.indices, counts.indptr), shape=counts.shape)
    moments = lift_moments(counts, resp, customers)
    return Content(resp.sum(axis=0), moments.lines, (present.T @ resp).T, moments)


def lifts(lines: np.ndarray) -> np.ndarray:
    """Share within the mission over the share among all lines, shape (K, C).

    Notes
    -----
    Shares of lines over shares of lines: a mission of long baskets has no higher lifts for being long.
    A category never bought has lift 0.

    Examples
    --------
    >>> lifts(np.array([[8.0, 2.0], [2.0, 8.0]])).round(1).tolist()
    [[1.6, 0.4], [0.4, 1.6]]
    """
    within = lines / np.maximum(lines.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    overall = lines.sum(axis=0) / lines.sum()
    return np.divide(within, overall, out=np.zeros_like(within), where=overall > 0)


def top(found: Content, categories: Sequence[str]) -> list[list[Entry]]:
    """Categories of highest lift in every mission, with their support.

    Parameters
    ----------
    found : Content
        Expected counts.
    categories : sequence of str, length C
        Their names.

    Returns
    -------
    list of list of dict
        Per mission up to ten of ``{"category", "share", "lift", "lift_low", "lift_high", "support", "n_baskets"}``, highest lift
        first; support is in lines, the interval is of 95 % with customers as clusters, and None where unknown.
    """
    describe, named = _Describer(found, categories), _named(categories)
    entries: list[list[Entry]] = []
    for k in range(len(found.lines)):
        supported = np.flatnonzero(
            named & (describe.share[k] >= _least_share(categories)) & (found.lines[k] >= _enough(found.lines))
        )
        if not supported.size:  # a mission too small for support: show what there is
            supported = np.flatnonzero(named & (found.lines[k] > 0))
        order = supported[np.argsort(-describe.lift[k, supported], kind="stable")][:N_TOP]
        entries.append([describe(k, c) for c in order])
    return entries


def avoided(found: Content, categories: Sequence[str]) -> list[list[Entry]]:
    """Common categories that a mission holds less often than all lines do, beyond chance.

    Parameters
    ----------
    found : Content
        Expected counts.
    categories : sequence of str, length C
        Their names.

    Returns
    -------
    list of list of dict
        Per mission up to five entries as those of :func:`top`, lowest lift first: of the most frequent categories, which together
        make up half of all lines, those whose interval ends below 1.
    """
    describe = _Describer(found, categories)
    overall = found.lines.sum(axis=0)
    frequent = np.argsort(-overall, kind="stable")
    before = np.cumsum(overall[frequent]) - overall[frequent]
    common = frequent[
        (before < COMMON * overall.sum()) & (overall[frequent] > 0) & _named(categories)[frequent]
    ]
    entries: list[list[Entry]] = []
    for k in range(len(found.lines)):
        missed = common[describe.high[k, common] < 1]
        order = missed[np.argsort(describe.lift[k, missed], kind="stable")][:N_AVOIDED]
        entries.append([describe(k, c) for c in order])
    return entries


class _Describer:
    """One category in one mission, as an entry of the results."""

    def __init__(self, found: Content, categories: Sequence[str]) -> None:
        self.found, self.categories = found, categories
        self.lift = lifts(found.lines)
        self.share = found.lines / np.maximum(found.lines.sum(axis=1, keepdims=True), np.finfo(float).tiny)
        unknown = np.full(found.lines.shape, np.nan)
        self.low, self.high = (unknown, unknown) if found.moments is None else lift_interval(found.moments)

    def __call__(self, k: int, c: int) -> Entry:
        known = np.isfinite(self.high[k, c])
        return {
            "category": str(self.categories[c]),
            "share": float(self.share[k, c]),
            "lift": float(self.lift[k, c]),
            "lift_low": float(self.low[k, c]) if known else None,
            "lift_high": float(self.high[k, c]) if known else None,
            "support": round(self.found.lines[k, c]),
            "n_baskets": round(self.found.containing[k, c]),
        }


def _enough(lines: np.ndarray) -> float:
    """Lines that support a statement: 20, or less in a small shop (a hundredth of a mission's average)."""
    return min(MIN_LINES, float(lines.sum()) / len(lines) / 100)


def _named(categories: Sequence[str]) -> np.ndarray:
    """Which categories are one thing: not those into which rare values were folded."""
    return np.array([not str(name).startswith("(other") for name in categories])


def _least_share(categories: Sequence[str], times: float = 2.0) -> float:
    """The smallest share worth showing: where there are hundreds of categories, so many times an average one."""
    return min(MIN_SHARE, times / len(categories))


def names(found: Content, categories: Sequence[str]) -> list[str]:
    """A name for every mission from its categories of highest lift; no two are the same.

    Parameters
    ----------
    found : Content
        Expected counts.
    categories : sequence of str, length C
        Their names.

    Returns
    -------
    list of str
        Such as ``"Beers/ales + bag snacks"``, ``"Only milk"`` or ``"A bit of everything"``.
    """
    lift = lifts(found.lines)
    share = found.lines / np.maximum(found.lines.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    named = _named(categories)
    chosen: list[str] = []
    for k in range(len(lift)):
        enough = named & (share[k] >= _least_share(categories)) & (found.lines[k] >= _enough(found.lines))
        least = max(MIN_LIFT, MIN_OF_FIRST * lift[k, enough].max(initial=0.0))
        telling = np.flatnonzero(enough & (lift[k] >= least))
        order = [str(categories[c]) for c in telling[np.argsort(-lift[k, telling], kind="stable")]]
        main = int(np.argmax(share[k]))
        if share[k, main] >= 0.75 and named[main]:
            parts = [[f"Only {_lower(str(categories[main]))}"]]
        elif not order:
            parts = [["A bit of everything"]]
        else:
            parts = [order[:2], order[:3], order[:4]]
        candidates = [joined(part) for part in parts]
        candidates += [f"{candidates[-1]} ({number})" for number in range(2, len(lift) + 2)]
        chosen.append(next(name for name in candidates if name not in chosen))
    return chosen


def joined(parts: Sequence[str]) -> str:
    """Categories as one name, in the case of a sentence.

    Examples
    --------
    >>> joined(["SOFT DRINKS", "FROZEN PIZZA"])
    'Soft drinks + frozen pizza'
    """
    text = " + ".join(_lower(part) if part.isupper() else part for part in parts)
    return text[:1].upper() + text[1:]


def _lower(text: str) -> str:
    """Capitals shout in a sentence."""
    return text.lower() if text.isupper() else text
