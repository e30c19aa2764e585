"""What a refresh keeps: components go on with number and name, what is new comes after, what is gone is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mixtura.segments.matching import Match, canonical_order
from mixtura.segments.previous import Previous
from mixtura.segments.renaming import distinct_names

__all__ = ["Continuity", "continuity", "refresh_part"]


@dataclass(frozen=True)
class Continuity:
    """Order, numbers and names of the components after a refresh.

    Parameters
    ----------
    order : ndarray of int, shape (K,)
        New position to component of the fit.
    numbers : list of int, length K
        By position; not always 1 to K, since the number of a component that is gone is not given again.
    previous : list of dict or None, length K
        By position: number, name, distance and drifted of the earlier one.
    old : list of dict or None, length K
        By position: the earlier component, as `Previous.components` has it.
    gone : list of dict
        number, name and weight of those without a successor.
    last_number : int
        The largest number given so far.
    """

    order: np.ndarray
    numbers: list[int]
    previous: list[dict[str, Any] | None]
    old: list[Mapping[str, Any] | None]
    gone: list[dict[str, Any]]
    last_number: int

    @property
    def new(self) -> list[int]:
        """Numbers of the components that were not there before."""
        return [number for number, old in zip(self.numbers, self.old, strict=True) if old is None]

    def names(self, auto_names: Sequence[str]) -> tuple[list[str], list[str]]:
        """Names by position: those of before where there are some.

        Parameters
        ----------
        auto_names : sequence of str, length K
            Automatic names of the new components, by position.

        Returns
        -------
        names : list of str
            All different.
        auto_names : list of str
            What to store as ``auto_name``: a component that keeps its name keeps the automatic one that it was
            told apart from, so that an edited name stays known as edited.
        """
        kept = [None if old is None else str(old["name"]) for old in self.old]
        names, automatic = distinct_names(kept, auto_names)
        earlier = [
            auto if old is None else str(old["auto_name"])
            for old, auto in zip(self.old, automatic, strict=True)
        ]
        return names, earlier


def continuity(
    matched: Match,
    components: Sequence[Mapping[str, Any]],
    sizes: Any,
    profiles: Any,
    *,
    last_number: int = 0,
) -> Continuity:
    """Number the components of a new fit: matched ones as before, new ones after them.

    Parameters
    ----------
    matched : Match
        Old to new.
    components : sequence of Mapping
        `Previous.components`, in the order that was matched.
    sizes : array_like, shape (K,)
        Expected baskets or customers of the new components, which order those that are new.
    profiles : array_like, shape (K, C)
        Their profiles.
    last_number : int, default 0
        `Previous.last_number`; numbers of before count anyway.

    Returns
    -------
    Continuity
        Matched components in the order of their numbers, then the new ones, largest first.

    Examples
    --------
    >>> before = [
    ...     {"number": 1, "name": "Tea", "auto_name": "Tea", "weight": 0.6},
    ...     {"number": 2, "name": "Beer", "auto_name": "Beer", "weight": 0.4},
    ... ]
    >>> matched = Match(np.array([-1, 1]), np.array([np.nan, 0.1]), np.zeros(2, dtype=bool), np.array([0]))
    >>> found = continuity(matched, before, [70, 30], np.eye(2))
    >>> found.order.tolist(), found.numbers, found.names(["Ale", "Wine"])[0]
    ([1, 0], [2, 3], ['Beer', 'Wine'])
    >>> found.gone, found.new
    ([{'number': 1, 'name': 'Tea', 'weight': 0.6}], [3])
    """
    numbers = [int(entry["number"]) for entry in components]
    last = max(last_number, *numbers)
    by_size = canonical_order(sizes, profiles)
    kept = sorted((k for k in by_size if matched.old[k] >= 0), key=lambda k: numbers[matched.old[k]])
    new = [k for k in by_size if matched.old[k] < 0]
    old = [components[matched.old[k]] for k in kept]
    previous: list[dict[str, Any] | None] = [
        {
            "number": int(entry["number"]),
            "name": entry["name"],
            "distance": float(matched.distance[k]),
            "drifted": bool(matched.drifted[k]),
        }
        for k, entry in zip(kept, old, strict=True)
    ]
    return Continuity(
        np.array([*kept, *new], dtype=np.int64),
        [*(int(entry["number"]) for entry in old), *range(last + 1, last + 1 + len(new))],
        [*previous, *[None] * len(new)],
        [*old, *[None] * len(new)],
        [{name: components[k][name] for name in ("number", "name", "weight")} for k in matched.gone],
        last + len(new),
    )


def refresh_part(
    previous: Previous, found: Continuity, moved: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The part "refresh" of the results.

    Parameters
    ----------
    previous : Previous
        The earlier results.
    found : Continuity
        What became of them.
    moved : Mapping, optional
        From `migration`.

    Returns
    -------
    dict
        Plain values.

    Examples
    --------
    >>> from pathlib import Path
    >>> previous = Previous(Path("shop"), {"created": "2024-01-01"}, None, {})
    >>> refresh_part(previous, Continuity(np.array([0]), [3], [None], [None], [], 3))
    {'previous': 'shop', 'previous_created': '2024-01-01', 'n_matched': 0, 'n_drifted': 0, 'new': [3], \
'gone': [], 'last_number': 3, 'migration': None}
    """
    matched = [entry for entry in found.previous if entry is not None]
    return {
        "previous": str(previous.folder),
        "previous_created": previous.header.get("created"),
        "n_matched": len(matched),
        "n_drifted": sum(entry["drifted"] for entry in matched),
        "new": found.new,
        "gone": found.gone,
        "last_number": found.last_number,
        "migration": None if moved is None else dict(moved),
    }
