"""Sums after a move: components merged, emptied, put in other places, or replaced by two halves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mixtura.protocols import Array
from mixtura.statistics import Statistics

__all__ = ["emptied", "merged", "replaced"]


def merged(stats: Statistics, into: int, other: int) -> Statistics:
    """Sums in which the rows of one component are another's; its own place is left empty.

    Parameters
    ----------
    stats : Statistics
        Sums that are linear in the responsibilities. Those that all components share do not change.
    into, other : int
        The component that gets the rows, and the one that gives them.

    Examples
    --------
    >>> merged(Statistics({"count": np.array([1.0, 2.0, 4.0])}), 0, 2)["count"]
    array([5., 2., 0.])
    """
    if stats.origin is not None and stats.origin.ndim == 2:  # moments about own means: of these two about one
        origin = stats.origin.copy()
        origin[other] = origin[into]
        stats = stats.about(origin)
    new = stats.copy()
    for name in new.sums.keys() - new.shared:
        new.sums[name][into] += new.sums[name][other]
        new.sums[name][other] = 0.0
    new.parts = {name: merged(part, into, other) for name, part in stats.parts.items()}
    return new


def emptied(stats: Statistics, size: int, places: Sequence[int] | Array) -> Statistics:
    """Sums of some components in their places among `size`, of which all others are empty.

    Examples
    --------
    >>> emptied(Statistics({"count": np.array([1.0, 2.0])}), 4, [0, 3])["count"]
    array([1., 0., 0., 2.])
    """
    index = np.asarray(places, dtype=np.intp)
    new = stats.take(np.zeros(size, dtype=np.intp)).copy()
    for name in new.sums.keys() - new.shared:
        new.sums[name][:] = 0.0
        new.sums[name][index] = stats.sums[name]
    if stats.origin is not None and stats.origin.ndim == 2:
        origin = np.zeros((size, stats.origin.shape[1]))
        origin[index] = stats.origin
        new.origin = origin
    new.parts = {name: emptied(part, size, index) for name, part in stats.parts.items()}
    return new


def replaced(stats: Statistics, place: int, by: Statistics, row: int) -> Statistics:
    """Sums in which one component's are those of a row of other sums.

    Examples
    --------
    >>> other = Statistics({"count": np.array([7.0, 9.0])})
    >>> replaced(Statistics({"count": np.array([1.0, 2.0])}), 0, other, 1)["count"]
    array([9., 2.])
    """
    new = stats.copy()
    if new.origin is not None and new.origin.ndim == 2:
        size = new.origin.shape[1]
        origin = np.broadcast_to(0.0 if by.origin is None else by.origin, (len(by["count"]), size))
        new.origin = new.origin.copy()
        new.origin[place] = origin[row]
    else:
        by = by.about(new.origin)
    for name in new.sums.keys() - new.shared:
        new.sums[name][place] = by.sums[name][row]
    new.parts = {name: replaced(part, place, by.parts[name], row) for name, part in stats.parts.items()}
    return new
