"""What a mission is: its shares, lifts and supports, and a name that a person understands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

__all__ = ["Content", "content", "lifts", "names", "top"]

# A category is shown only if it has this share of the mission's lines; otherwise a high lift may rest on a
# handful of lines. It becomes part of the name only if it is this much more frequent there than overall, and
# not pale beside the first.
MIN_SHARE = 0.02
MIN_LINES = 20.0
MIN_LIFT = 1.5
MIN_OF_FIRST = 0.1
N_TOP = 10


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
    """

    baskets: np.ndarray
    lines: np.ndarray
    containing: np.ndarray


def content(counts: sparse.csr_array, resp: np.ndarray) -> Content:
    """Sum baskets into missions.

    Parameters
    ----------
    counts : scipy.sparse.csr_array, shape (N, C)
        Lines per basket and category.
    resp : ndarray, shape (N, K)
        Probability of each mission for each basket.

    Returns
    -------
    Content
        Sums weighted by probability.
    """
    present = sparse.csr_array((np.ones(counts.nnz), counts.indices, counts.indptr), shape=counts.shape)
    return Content(resp.sum(axis=0), (counts.T @ resp).T, (present.T @ resp).T)


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


def top(found: Content, categories: Sequence[str]) -> list[list[dict[str, float | int | str]]]:
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
        Per mission up to ten of ``{"category", "share", "lift", "support", "n_baskets"}``, highest lift
        first; support is in lines.
    """
    lift = lifts(found.lines)
    share = found.lines / np.maximum(found.lines.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    entries: list[list[dict[str, float | int | str]]] = []
    for k in range(len(lift)):
        supported = np.flatnonzero((share[k] >= MIN_SHARE) & (found.lines[k] >= _enough(found.lines)))
        if not supported.size:  # a mission too small for support: show what there is
            supported = np.flatnonzero(found.lines[k] > 0)
        order = supported[np.argsort(-lift[k, supported], kind="stable")][:N_TOP]
        entries.append(
            [
                {
                    "category": str(categories[c]),
                    "share": float(share[k, c]),
                    "lift": float(lift[k, c]),
                    "support": round(found.lines[k, c]),
                    "n_baskets": round(found.containing[k, c]),
                }
                for c in order
            ]
        )
    return entries


def _enough(lines: np.ndarray) -> float:
    """Lines that support a statement: 20, or less in a small shop (a hundredth of a mission's average)."""
    return min(MIN_LINES, float(lines.sum()) / len(lines) / 100)


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
    chosen: list[str] = []
    for k in range(len(lift)):
        enough = (share[k] >= MIN_SHARE) & (found.lines[k] >= _enough(found.lines))
        least = max(MIN_LIFT, MIN_OF_FIRST * lift[k, enough].max(initial=0.0))
        telling = np.flatnonzero(enough & (lift[k] >= least))
        order = [str(categories[c]) for c in telling[np.argsort(-lift[k, telling], kind="stable")]]
        main = int(np.argmax(share[k]))
        if share[k, main] >= 0.75:
            parts = [[f"Only {_lower(str(categories[main]))}"]]
        elif not order:
            parts = [["A bit of everything"]]
        else:
            parts = [order[:2], order[:3], order[:4]]
        candidates = [_joined(part) for part in parts]
        candidates += [f"{candidates[-1]} ({number})" for number in range(2, len(lift) + 2)]
        chosen.append(next(name for name in candidates if name not in chosen))
    return chosen


def _joined(parts: Sequence[str]) -> str:
    text = " + ".join(_lower(part) if part.isupper() else part for part in parts)
    return text[:1].upper() + text[1:]


def _lower(text: str) -> str:
    """Capitals shout in a sentence."""
    return text.lower() if text.isupper() else text
