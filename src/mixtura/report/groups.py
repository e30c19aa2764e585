"""Groups of missions or segments at every level of the tree: what the reader can zoom to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mixtura.report import charts, words
from mixtura.report.results import Level, Results

__all__ = ["MANY", "Cut", "cuts", "opening", "zoom"]

MANY = 15  # up to so many cards are looked through without groups
_OPENING = 8  # groups at first sight: as many as a legend can name
_TYPICAL = 4
_MIN_SHARE = 0.004  # of a group's lines: rarer categories have high lifts and say little of the whole


@dataclass(frozen=True)
class Cut:
    """The tree cut at one height.

    Parameters
    ----------
    labels : tuple of K int
        Group of every item, 0 to n - 1, the largest group first.
    names : tuple of n str
        Names of the groups.
    colours : tuple of n int
        Colour of every group, as an index into the palette; when a group is split, its largest part keeps
        the colour.
    """

    labels: tuple[int, ...]
    names: tuple[str, ...]
    colours: tuple[int, ...]

    @property
    def n(self) -> int:
        """Number of groups."""
        return len(self.names)

    def members(self) -> list[list[int]]:
        """Positions of the items of every group."""
        return [[k for k, label in enumerate(self.labels) if label == group] for group in range(self.n)]


def cuts(results: Results, level: Level, *, minimum: int = MANY) -> list[Cut]:
    """The cuts of a level's tree from few groups to every item alone.

    Parameters
    ----------
    results : Results
        The results.
    level : Level
        Missions or segments.
    minimum : int, default 15
        With no more items than this there is nothing to group.

    Returns
    -------
    list of Cut
        By rising number of groups; empty without a tree or with few items.
    """
    items, stored = level.items, level.part("tree").get("groups") or []
    if len(items) <= minimum or not stored:
        return []
    by_size = {int(group["n"]): group for group in stored if len(group["labels"]) == len(items)}
    whole = {"labels": range(len(items)), "names": [item.get("name") for item in items]}
    by_size[len(items)] = by_size.get(len(items)) or whole
    weights = [float(item.get("weight") or 0) for item in items]
    found: list[Cut] = []
    for n in sorted(by_size):
        labels = tuple(int(label) for label in by_size[n]["labels"])
        names = tuple(results.label(name) for name in by_size[n]["names"])
        found.append(Cut(labels, names, _colours(found[-1] if found else None, labels, weights, n)))
    return found


def _colours(above: Cut | None, labels: tuple[int, ...], weights: list[float], n: int) -> tuple[int, ...]:
    """The largest part of a group keeps its colour, the others take the next ones."""
    if above is None:
        return tuple(range(n))
    members = [[k for k, label in enumerate(labels) if label == group] for group in range(n)]
    size = [sum(weights[k] for k in group) for group in members]
    parent = [above.labels[group[0]] if group else 0 for group in members]
    heirs = {
        old: max((g for g in range(n) if parent[g] == old), key=lambda g: size[g]) for old in set(parent)
    }
    colours = {heir: above.colours[old] for old, heir in heirs.items()}
    unused = (c for c in range(2 * n + above.n + 1) if c not in set(above.colours))
    return tuple(colours[group] if group in colours else next(unused) for group in range(n))


def opening(found: list[Cut]) -> int:
    """The position of the cut shown at first: the one nearest eight groups."""
    return min(range(len(found)), key=lambda i: abs(found[i].n - _OPENING), default=0)


def zoom(results: Results, found: list[Cut]) -> dict[str, Any] | None:
    """What the page needs to regroup the missions at the reader's wish.

    Parameters
    ----------
    results : Results
        The results.
    found : list of Cut
        From :func:`cuts`.

    Returns
    -------
    dict or None
        Cuts and the description of every group in them (each group once); None if there are no cuts.
    """
    if not found:
        return None
    known: dict[tuple[int, ...], int] = {}
    described: list[dict[str, Any]] = []
    stored = []
    for cut in found:
        ids = []
        for group in map(tuple, cut.members()):
            if group not in known:
                known[group] = len(described)
                described.append(_describe(results, group))
            ids.append(known[group])
        stored.append({"labels": cut.labels, "names": cut.names, "colours": cut.colours, "groups": ids})
    return {
        "start": opening(found),
        "cuts": stored,
        "groups": described,
        "palette": list(charts.PALETTE),
        "names": [results.named(mission) for mission in results.missions],
    }


def _describe(results: Results, group: Iterable[int]) -> dict[str, Any]:
    members = [results.missions[k] for k in group]
    typical = _typical(results, members)
    money = [mission.get("share_amount") for mission in members]
    facts = [
        f"{words.share_of_all(sum(float(mission.get('weight') or 0) for mission in members))} of baskets"
    ]
    if money and all(words.is_number(value) for value in money):
        facts.append(f"{words.share_of_all(sum(value for value in money if value))} of spend")
    facts.append(words.count(len(members), "mission"))
    return {
        "facts": " · ".join(facts),
        "typical": ", ".join(f"{results.label(name)} ({words.lift(lift)})" for name, lift in typical),
        "weight": round(sum(float(mission.get("weight") or 0) for mission in members), 6),
    }


def _typical(results: Results, members: list[Mapping[str, Any]]) -> list[tuple[str, float]]:
    """The categories of highest lift in a group of missions together."""
    lines = np.array([float(m.get("weight") or 0) * float(m.get("mean_lines") or 1) for m in members])
    if lines.sum() <= 0:
        return []
    profiles = np.array([m["profile"] for m in members], dtype=float)
    share = lines @ profiles / lines.sum()
    overall = np.array(results.category_share, dtype=float)
    lift = np.divide(share, overall, out=np.zeros_like(share), where=overall > 0)
    order = [c for c in np.argsort(-lift, kind="stable") if share[c] >= _MIN_SHARE and lift[c] >= 1.2]
    return [(results.categories[c], float(lift[c])) for c in order[:_TYPICAL]]
