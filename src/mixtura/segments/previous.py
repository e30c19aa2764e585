"""Results of an earlier run, opened to go on from.

Everything is taken from missions.json and segments.json, which hold the profiles in full: the models of the folder
are not needed, so results of older versions can be refreshed too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from mixtura.exceptions import InvalidDataError, optional_import
from mixtura.segments.names_file import NAMES, automatic_name, read_names
from mixtura.segments.renaming import distinct_names, edited_names

__all__ = ["LABELS", "Previous", "open_earlier", "open_previous", "previous_labels"]

SCHEMAS = {"missions": (1, 2), "segments": (1,)}
LABELS = {"missions": "dominant_mission", "segments": "segment"}  # columns of customers.parquet


@dataclass(frozen=True)
class Previous:
    """Results of an earlier run.

    Parameters
    ----------
    folder : Path
        Where they lie.
    missions, segments : dict or None
        The two JSON files; at least one is there.
    names : dict of str to dict of int to str
        Names that a person edited, by level and number.
    notes : list of str
        What a reader should know.
    """

    folder: Path
    missions: dict[str, Any] | None
    segments: dict[str, Any] | None
    names: dict[str, dict[int, str]]
    notes: list[str] = field(default_factory=list)

    @property
    def header(self) -> dict[str, Any]:
        """The part that both files share."""
        return self.missions if self.missions is not None else (self.segments or {})

    def components(self, level: str) -> list[dict[str, Any]]:
        """Missions or segments in the order of the profiles.

        Parameters
        ----------
        level : {"missions", "segments"}
            Which.

        Returns
        -------
        list of dict
            number, name (the edited one where there is one, else the automatic one), auto_name and weight of each;
            names are all different.
        """
        entries = self.content(level)[level]
        edited = [self.names.get(level, {}).get(int(entry["number"])) for entry in entries]
        names, automatic = distinct_names(edited, [automatic_name(entry) for entry in entries])
        return [
            {
                "number": int(entry["number"]),
                "name": name,
                "auto_name": auto,
                "weight": float(entry["weight"]),
            }
            for entry, name, auto in zip(entries, names, automatic, strict=True)
        ]

    def profiles(self, level: str) -> np.ndarray:
        """Profiles of the missions or segments, one row each."""
        return np.array([entry["profile"] for entry in self.content(level)[level]], dtype=float)

    def features(self, level: str) -> list[Hashable]:
        """What the columns of the profiles are: categories, or numbers of missions (names, if they are all there is)."""
        content = self.content(level)
        if level == "missions" or content.get("over") == "categories":
            return [str(name) for name in content["categories" if level == "missions" else "features"]]
        if self.missions is None:
            return [str(name) for name in content["features"]]
        return [int(entry["number"]) for entry in self.missions["missions"]]

    def last_number(self, level: str) -> int:
        """The largest number that was ever given; new components are numbered after it."""
        content = self.content(level)
        numbers = [int(entry["number"]) for entry in content[level]]
        earlier = content.get("refresh") or {}
        return max(*numbers, int(earlier.get("last_number") or 0), *_gone_numbers(earlier))

    def has(self, level: str) -> bool:
        """Whether the folder has results of that level."""
        return (self.missions if level == "missions" else self.segments) is not None

    def content(self, level: str) -> dict[str, Any]:
        """The JSON file of one level; InvalidDataError without it."""
        content = self.missions if level == "missions" else self.segments
        if content is None:
            message = (
                f"'{self.folder}' has no {level}.json. Expected results of a run that looked for {level}; give "
                "another folder, or the level of the previous run."
            )
            raise InvalidDataError(message)
        return content


def _gone_numbers(refresh: Mapping[str, Any]) -> list[int]:
    return [int(entry["number"]) for entry in refresh.get("gone") or ()] or [0]


def open_previous(path: str | PathLike[str]) -> Previous:
    """Open the results of an earlier run.

    Parameters
    ----------
    path : path
        The folder that `mixtura segment` wrote, or a model file in it.

    Returns
    -------
    Previous
        With the names that were edited.

    Raises
    ------
    InvalidDataError
        If there are no results, or they are damaged, or of a newer version.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> mission = {"number": 1, "name": "Tea", "weight": 1.0, "profile": [1.0]}
    >>> content = {"schema": "mixtura-missions/1", "categories": ["tea"], "missions": [mission]}
    >>> _ = (folder / "missions.json").write_text(json.dumps(content))
    >>> open_previous(folder).components("missions")
    [{'number': 1, 'name': 'Tea', 'auto_name': 'Tea', 'weight': 1.0}]
    """
    folder = Path(path)
    if folder.is_file():
        folder = folder.parent
    found = {level: _read(folder / f"{level}.json", level) for level in SCHEMAS}
    if not any(found.values()):
        message = (
            f"the previous results '{path}' have no missions.json and no segments.json. Expected a folder that "
            "`mixtura segment` has written; check the path."
        )
        raise InvalidDataError(message)
    given = read_names(folder / NAMES)
    names: dict[str, dict[int, str]] = {}
    notes: list[str] = []
    for level, content in found.items():
        names[level], unknown = edited_names(given[level], (content or {}).get(level, ()), level=level)
        notes += unknown if content else []
    return Previous(folder, found["missions"], found["segments"], names, notes)


def open_earlier(folder: str | PathLike[str]) -> Previous | None:
    """Open results that are about to be replaced, if a person may have edited names there.

    Parameters
    ----------
    folder : path
        The folder of results.

    Returns
    -------
    Previous or None
        None without a file of names: nothing was edited, and it does not matter whether the rest can be read.

    Raises
    ------
    InvalidDataError
        As `open_previous`: rather than that edited names are lost without a word.

    Examples
    --------
    >>> import tempfile
    >>> open_earlier(tempfile.mkdtemp()) is None
    True
    """
    if not (Path(folder) / NAMES).exists():
        return None
    try:
        return open_previous(folder)
    except InvalidDataError as error:
        message = (
            f"{error} The names in '{Path(folder) / NAMES}' would be lost; to replace the folder without them, delete "
            "that file."
        )
        raise InvalidDataError(message) from error


def _read(path: Path, level: str) -> dict[str, Any] | None:
    """Content of one file, checked as far as a refresh uses it."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        message = (
            f"'{path}' cannot be read ({error}). Expected the file as `mixtura segment` wrote it; run without "
            "--previous."
        )
        raise InvalidDataError(message) from error
    schema = content.get("schema") if isinstance(content, dict) else None
    found = re.fullmatch(rf"mixtura-{level}/(\d+)", str(schema))
    if found is None or int(found.group(1)) not in SCHEMAS[level]:
        known = " or ".join(f"mixtura-{level}/{version}" for version in SCHEMAS[level])
        message = (
            f"'{path}' has the schema {schema!r}. Expected {known}; use the version of mixtura that wrote it, or run "
            "without --previous."
        )
        raise InvalidDataError(message)
    try:
        features = content["features" if level == "segments" else "categories"]
        profiles = np.array([entry["profile"] for entry in content[level]], dtype=float)
        whole = profiles.shape == (len(content[level]), len(features)) and len(profiles) > 0
        for entry in content[level]:
            _ = int(entry["number"]), str(entry["name"]), float(entry["weight"])
    except (KeyError, TypeError, ValueError):
        whole = False
    if not whole:
        message = (
            f"'{path}' is not whole: its {level} lack a number, name, weight or profile. Expected the file as "
            "`mixtura segment` wrote it; run without --previous."
        )
        raise InvalidDataError(message)
    return dict(content)


def previous_labels(previous: Previous, level: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Mission or segment of each customer in the earlier results.

    Parameters
    ----------
    previous : Previous
        The earlier results.
    level : {"missions", "segments"}
        Dominant missions, or segments.

    Returns
    -------
    customers : ndarray
        Identifiers.
    numbers : ndarray of int
        Number of the mission or segment of each. Instead of both None, if the folder has no table of customers,
        or the table has no such column.

    Raises
    ------
    InvalidDataError
        If the table cannot be read.
    """
    path = previous.folder / "customers.parquet"
    if not path.exists():
        return None
    parquet = optional_import("pyarrow.parquet", "segment")
    try:
        if LABELS[level] not in parquet.read_schema(path).names:
            return None
        table = parquet.read_table(path, columns=["customer", LABELS[level]]).drop_null()
    except (OSError, ValueError, KeyError) as error:  # Arrow's errors are of these
        message = (
            f"'{path}' cannot be read ({error}). Expected the table as `mixtura segment` wrote it; delete it to "
            "refresh without the migration of customers."
        )
        raise InvalidDataError(message) from error
    return tuple(table.column(name).to_numpy() for name in ("customer", LABELS[level]))
