"""Names that people gave: who keeps which, and every place in the results where one is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mixtura.segments.matching import Match
from mixtura.segments.names_file import NAMES, automatic_name

__all__ = ["carry_names", "distinct_names", "edited_names", "renamed"]


def edited_names(
    names: Mapping[int, str], components: Sequence[Mapping[str, Any]], *, level: str = "missions"
) -> tuple[dict[int, str], list[str]]:
    """Names that a person has chosen: those that are not the automatic ones.

    Parameters
    ----------
    names : Mapping of int to str
        From `read_names`, of one level.
    components : sequence of Mapping
        Missions or segments of the folder's JSON file: number, name, auto_name.
    level : {"missions", "segments"}
        For the notes.

    Returns
    -------
    edited : dict of int to str
        Number to name.
    notes : list of str
        Numbers in the file that the folder does not have.

    Examples
    --------
    >>> missions = [{"number": 1, "name": "Tea", "auto_name": "Tea"}]
    >>> edited_names({1: "Five o'clock", 7: "Nothing"}, missions)
    ({1: "Five o'clock"}, ["names.toml names mission 7 ('Nothing'), but there is no such number here."])
    """
    automatic = {int(entry["number"]): automatic_name(entry) for entry in components}
    notes = [
        f"{NAMES} names {level[:-1]} {number} ({name!r}), but there is no such number here."
        for number, name in names.items()
        if number not in automatic
    ]
    edited = {
        number: name for number, name in names.items() if number in automatic and name != automatic[number]
    }
    return edited, notes


def carry_names(
    edited: Mapping[int, str],
    old_numbers: Sequence[int],
    matched: Match,
    auto_names: Sequence[str],
    *,
    level: str = "missions",
) -> tuple[list[str], list[str], list[str]]:
    """Let edited names follow their missions into a new result of the same folder.

    Parameters
    ----------
    edited : Mapping of int to str
        From `edited_names`.
    old_numbers : sequence of int, length K_old
        Numbers of the old components, in the order of the profiles that were matched.
    matched : Match
        Old to new components.
    auto_names : sequence of str, length K_new
        Automatic names of the new components, in the order that was matched.
    level : {"missions", "segments"}
        For the notes.

    Returns
    -------
    names : list of str
        One per new component, all different.
    auto_names : list of str
        What to store beside them.
    notes : list of str
        Edited names without a component now.

    Examples
    --------
    >>> import numpy as np
    >>> swapped = Match(np.array([1, 0]), np.zeros(2), np.zeros(2, dtype=bool), np.array([2]))
    >>> carry_names({2: "Tea time", 3: "Feast"}, [1, 2, 3], swapped, ["Tea", "Beer"])
    (['Tea time', 'Beer'], ['Tea', 'Beer'], ["The edited name 'Feast' (mission 3) fits no mission any more, ..."])
    """
    old = [None if index < 0 else int(old_numbers[index]) for index in matched.old]
    carried = [None if number is None else edited.get(number) for number in old]
    notes = [
        f"The edited name {name!r} ({level[:-1]} {number}) fits no {level[:-1]} any more, so it is not used."
        for number, name in edited.items()
        if number not in old
    ]
    return *distinct_names(carried, auto_names), notes


def distinct_names(given: Sequence[str | None], auto_names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Given names where there are some, automatic ones elsewhere, a number behind those that occur already.

    Parameters
    ----------
    given : sequence of str or None, length K
        Names that are kept as they are; different.
    auto_names : sequence of str, length K
        For the rest.

    Returns
    -------
    names : list of str
        All different.
    auto_names : list of str
        The automatic ones; where nothing was given, the name itself.

    Examples
    --------
    >>> distinct_names([None, "Tea"], ["Tea", "Beer"])
    (['Tea (2)', 'Tea'], ['Tea (2)', 'Beer'])
    """
    taken = {name for name in given if name}
    names, automatic = [], []
    for name, auto in zip(given, auto_names, strict=True):
        chosen = name or _free(auto, taken)
        taken.add(chosen)
        names.append(chosen)
        automatic.append(auto if name else chosen)
    return names, automatic


def _free(name: str, taken: set[str]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name} ({number})"
    return free


def renamed(
    content: Mapping[str, Any],
    level: str,
    names: Mapping[int, str],
    *,
    mission_names: Mapping[str, str] | None = None,
) -> tuple[dict[str, Any], dict[str, str]]:
    """Results with edited names, for a report that is made again.

    Parameters
    ----------
    content : Mapping
        missions.json or segments.json.
    level : {"missions", "segments"}
        Which of the two.
    names : Mapping of int to str
        Number to name, from `read_names`; components that it does not name have their automatic names.
    mission_names : Mapping of str to str, optional
        For segments over missions: the second result of this function for the missions.

    Returns
    -------
    content : dict
        A copy; parts that hold no names are shared with the original.
    changed : dict of str to str
        Name before to name now, for all components.

    Examples
    --------
    >>> content = {"missions": [{"number": 1, "name": "Tea"}, {"number": 2, "name": "Beer"}]}
    >>> renamed(content, "missions", {2: "Friday"})[0]["missions"][1]
    {'number': 2, 'name': 'Friday'}
    """
    given = [names.get(int(entry["number"])) for entry in content[level]]
    shown, _ = distinct_names(given, [automatic_name(entry) for entry in content[level]])
    changed = {entry["name"]: name for entry, name in zip(content[level], shown, strict=True)}
    features = mission_names or {}
    new = dict(content)
    new[level] = [_card(entry, changed, features) for entry in content[level]]
    if content.get("features") is not None:
        new["features"] = _each(content["features"], features)
    if content.get("tree"):
        groups = [
            {**cut, "names": _each(cut["names"], changed)} for cut in content["tree"].get("groups") or ()
        ]
        new["tree"] = {**content["tree"], "groups": groups}
    if content.get("flows"):
        new["flows"] = {**content["flows"], "names": _each(content["flows"]["names"], changed)}
    refresh = content.get("refresh")
    if refresh and refresh.get("migration"):
        migration = {**refresh["migration"], "to": _each(refresh["migration"]["to"], changed)}
        new["refresh"] = {**refresh, "migration": migration}
    return new, changed


def _card(
    entry: Mapping[str, Any], changed: Mapping[str, str], features: Mapping[str, str]
) -> dict[str, Any]:
    """One component; features of segments may be names of missions."""
    card = {**entry, "name": changed[entry["name"]]}
    if not features:
        return card
    if entry.get("top"):
        card["top"] = [_feature(shown, features) for shown in entry["top"]]
    if entry.get("nearest"):
        sides = {
            side: [_feature(shown, features) for shown in entry["nearest"].get(side) or ()]
            for side in ("more", "less")
        }
        card["nearest"] = {**entry["nearest"], **sides}
    return card


def _feature(shown: Mapping[str, Any], features: Mapping[str, str]) -> dict[str, Any]:
    if "feature" not in shown:
        return dict(shown)
    return {**shown, "feature": features.get(shown["feature"], shown["feature"])}


def _each(names: list[str], changed: Mapping[str, str]) -> list[str]:
    return [changed.get(name, name) for name in names]
