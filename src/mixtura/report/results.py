"""The results a report is made from, checked once at the border."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mixtura.exceptions import InvalidDataError
from mixtura.report import words

__all__ = ["SCHEMA", "SEGMENT_SCHEMA", "Content", "Level", "Results"]

SCHEMA = "mixtura-missions/2"
SEGMENT_SCHEMA = "mixtura-segments/1"
_AGAIN = "Make the file anew with `mixtura segment` of this version."


@dataclass(frozen=True)
class Level:
    """Missions or segments: what both kinds of results have in common.

    Parameters
    ----------
    key : str
        ``"missions"`` or ``"segments"``.
    raw : mapping
        The content of the JSON file.
    noun : str
        What one of them is called.
    unit : str
        What is divided among them, in the singular: ``"basket"`` or ``"customer"``.
    """

    key: str
    raw: Mapping[str, Any]
    noun: str
    unit: str

    @property
    def items(self) -> list[Mapping[str, Any]]:
        """The missions or segments, largest first; empty if the level was not fitted."""
        return list(self.raw.get(self.key) or [])

    @property
    def criteria(self) -> list[Mapping[str, Any]]:
        """One row per number tried, in ascending order."""
        return sorted(self.raw.get("criteria") or [], key=lambda row: row["n_components"])

    @property
    def choice(self) -> Mapping[str, Any]:
        """How the number was chosen."""
        return self.part("choice")

    @property
    def chosen(self) -> int:
        """The number chosen."""
        return int(self.choice.get("n_components") or len(self.items))

    def part(self, name: str) -> Mapping[str, Any]:
        """A part that is a mapping; empty where it is absent or null."""
        return self.raw.get(name) or {}

    def rows(self, name: str) -> list[Any]:
        """A part that is a list; empty where it is absent or null."""
        return list(self.raw.get(name) or [])


class Content:
    """What all results hold: counts, the options of the run, categories.

    Parameters
    ----------
    header : mapping
        The content of a JSON file.
    """

    def __init__(self, header: Mapping[str, Any]) -> None:
        self.header = header

    def part(self, name: str) -> Mapping[str, Any]:
        """A part that is a mapping; empty where it is absent or null."""
        return self.header.get(name) or {}

    @property
    def data(self) -> Mapping[str, Any]:
        """Counts and times of the transactions."""
        return self.part("data")

    @property
    def command(self) -> Mapping[str, Any]:
        """The options of the run."""
        return self.part("command")

    @property
    def columns(self) -> Mapping[str, Any]:
        """Which column played which part."""
        return self.part("columns")

    @property
    def categories(self) -> list[str]:
        """Names of the C categories as they stand in the data."""
        return [str(name) for name in self.header["categories"]]

    @cached_property
    def _soften(self) -> bool:
        return words.soften(self.categories)

    def label(self, name: Any) -> str:
        """How a category or a group is written: capitals throughout become sentence case."""
        return words.sentence_case(str(name)) if self._soften else str(name)


class Results(Content):
    """The content of missions.json and segments.json with the questions that several sections ask.

    Parameters
    ----------
    missions : mapping or None
        The content of missions.json, schema ``mixtura-missions/2`` (or 1).
    segments : mapping, optional
        The content of segments.json, schema ``mixtura-segments/1``.

    Raises
    ------
    InvalidDataError
        If both are missing, or one has another schema, lacks a part, or its parts contradict each other.
    """

    def __init__(self, missions: Mapping[str, Any] | None, segments: Mapping[str, Any] | None = None) -> None:
        if missions is None and segments is None:
            raise InvalidDataError(
                "missions, segments: found neither, expected the content of missions.json, of segments.json, "
                "or both. Read a file with json.load and pass the result."
            )
        if missions is not None:
            _check(missions, "missions", (SCHEMA, "mixtura-missions/1"), {"categories": "category_share"})
        if segments is not None:
            shares = {"categories": "category_share", "features": "feature_share"}
            _check(segments, "segments", (SEGMENT_SCHEMA,), shares)
        self.mission_level = Level("missions", missions or {}, "mission", "basket")
        self.segment_level = Level("segments", segments or {}, "segment", "customer")
        super().__init__(missions if missions is not None else segments or {})

    @property
    def levels(self) -> list[Level]:
        """The levels there are, missions first."""
        return [level for level in (self.mission_level, self.segment_level) if level.raw]

    @property
    def notes(self) -> list[str]:
        """Remarks of the run, each once."""
        return list(dict.fromkeys(str(note) for level in self.levels for note in level.rows("notes")))

    @property
    def category_share(self) -> list[float]:
        """Share of every category among all lines, C numbers."""
        return list(self.header["category_share"])

    @property
    def missions(self) -> list[Mapping[str, Any]]:
        """The missions, largest first; empty if only segments were made."""
        return self.mission_level.items

    @property
    def segments(self) -> list[Mapping[str, Any]]:
        """The segments, largest first; empty if only missions were made."""
        return self.segment_level.items

    @property
    def n_missions(self) -> int:
        """The number of missions K."""
        return len(self.missions)

    @property
    def n_segments(self) -> int:
        """The number of segments."""
        return len(self.segments)

    @property
    def held_out(self) -> Mapping[str, Any]:
        """Prediction of later baskets; empty if there were none."""
        return self.mission_level.part("held_out")

    def named(self, item: Mapping[str, Any], noun: str = "mission") -> str:
        """The name of a mission or segment as it is written on the page."""
        return self.label(item.get("name") or f"{noun.capitalize()} {item.get('number')}")

    def lift(self, mission: int, category: int) -> float | None:
        """Share of a category in a mission over its share in all baskets; None if it was never bought."""
        overall = self.category_share[category]
        share = self.missions[mission]["profile"][category]
        if not (words.is_number(overall) and words.is_number(share)) or overall <= 0:
            return None
        ratio = share / overall
        return ratio if math.isfinite(ratio) else None


def _check(raw: Any, key: str, schemas: tuple[str, ...], shares: Mapping[str, str]) -> None:
    """Refuse results that are not what the sections rely on, with the place.

    `shares` names the lists and their populations' shares; the profiles are over the last list.
    """
    if not isinstance(raw, Mapping):
        raise InvalidDataError(
            f"{key}: found {type(raw).__name__}, expected the dictionary stored in {key}.json. "
            "Read the file with json.load and pass the result."
        )
    if raw.get("schema") not in schemas:
        raise InvalidDataError(
            f"{key}['schema']: found {raw.get('schema')!r}, expected '{schemas[0]}'. {_AGAIN}"
        )
    for name in ("data", key, *shares, *shares.values()):
        if raw.get(name) is None:
            raise InvalidDataError(
                f"{key}[{name!r}]: found nothing, expected it in schema '{schemas[0]}'. {_AGAIN}"
            )
    for name, share in shares.items():
        if len(raw[share]) != len(raw[name]):
            raise InvalidDataError(
                f"{key}[{share!r}]: found {len(raw[share])} values, expected {len(raw[name])}, "
                f"one per entry of {key}[{name!r}]. {_AGAIN}"
            )
    of = list(shares)[-1]
    for index, item in enumerate(raw[key]):
        length = len(item.get("profile") or ())
        if length != len(raw[of]):
            raise InvalidDataError(
                f"{key}[{key!r}][{index}]['profile']: found {length} values, expected {len(raw[of])}, "
                f"one per entry of {key}[{of!r}]. {_AGAIN}"
            )
