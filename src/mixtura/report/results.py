"""The results a report is made from, checked once at the border."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mixtura.exceptions import InvalidDataError
from mixtura.report import words

__all__ = ["SCHEMA", "Results"]

SCHEMA = "mixtura-missions/1"
_REQUIRED = ("data", "missions", "categories", "category_share")


@dataclass(frozen=True)
class Results:
    """The content of missions.json with the questions that several sections ask.

    Parameters
    ----------
    raw : mapping
        The content of missions.json.

    Raises
    ------
    InvalidDataError
        If it has another schema, lacks a part, or its parts contradict each other.
    """

    raw: Mapping[str, Any]

    def __post_init__(self) -> None:
        if not isinstance(self.raw, Mapping):
            raise InvalidDataError(
                f"missions: found {type(self.raw).__name__}, expected the dictionary stored in "
                "missions.json. "
                "Read the file with json.load and pass the result."
            )
        schema = self.raw.get("schema")
        if schema != SCHEMA:
            raise InvalidDataError(
                f"missions['schema']: found {schema!r}, expected '{SCHEMA}'. "
                "Make the file anew with `mixtura segment` of this version."
            )
        for key in _REQUIRED:
            if self.raw.get(key) is None:
                raise InvalidDataError(
                    f"missions[{key!r}]: found nothing, expected it in schema '{SCHEMA}'. "
                    "Make the file anew with `mixtura segment`."
                )
        n_categories = len(self.categories)
        if len(self.category_share) != n_categories:
            raise InvalidDataError(
                f"missions['category_share']: found {len(self.category_share)} values, expected "
                f"{n_categories}, "
                "one per entry of missions['categories']. Make the file anew with `mixtura segment`."
            )
        for index, mission in enumerate(self.missions):
            length = len(mission.get("profile") or ())
            if length != n_categories:
                raise InvalidDataError(
                    f"missions['missions'][{index}]['profile']: found {length} values, expected "
                    f"{n_categories}, "
                    "one per entry of missions['categories']. Make the file anew with `mixtura segment`."
                )

    @property
    def data(self) -> Mapping[str, Any]:
        """Counts and times of the transactions."""
        return self._mapping("data")

    @property
    def missions(self) -> list[Mapping[str, Any]]:
        """The missions, largest first."""
        return list(self.raw["missions"])

    @property
    def criteria(self) -> list[Mapping[str, Any]]:
        """One row per number of missions tried, in ascending order."""
        return sorted(self.raw.get("criteria") or [], key=lambda row: row["n_components"])

    @property
    def choice(self) -> Mapping[str, Any]:
        """How the number of missions was chosen."""
        return self._mapping("choice")

    @property
    def held_out(self) -> Mapping[str, Any]:
        """Prediction of later baskets; empty if there were none."""
        return self._mapping("held_out")

    @property
    def command(self) -> Mapping[str, Any]:
        """The options of the run."""
        return self._mapping("command")

    @property
    def columns(self) -> Mapping[str, Any]:
        """Which column played which part."""
        return self._mapping("columns")

    @property
    def notes(self) -> list[str]:
        """Remarks of the run."""
        return [str(note) for note in self.raw.get("notes") or []]

    @property
    def categories(self) -> list[str]:
        """Names of the C categories as they stand in the data."""
        return [str(name) for name in self.raw["categories"]]

    @property
    def category_share(self) -> list[float]:
        """Share of every category among all lines, C numbers."""
        return list(self.raw["category_share"])

    @property
    def n_missions(self) -> int:
        """The number of missions K."""
        return len(self.missions)

    @cached_property
    def _soften(self) -> bool:
        return words.soften(self.categories)

    def label(self, name: Any) -> str:
        """How a category or a mission is written on the page: capitals throughout become sentence case."""
        return words.sentence_case(str(name)) if self._soften else str(name)

    def lift(self, mission: int, category: int) -> float | None:
        """Share of a category in a mission over its share in all baskets; None if it was never bought."""
        overall = self.category_share[category]
        share = self.missions[mission]["profile"][category]
        if not (words.is_number(overall) and words.is_number(share)) or overall <= 0:
            return None
        ratio = share / overall
        return ratio if math.isfinite(ratio) else None

    def _mapping(self, key: str) -> Mapping[str, Any]:
        return self.raw.get(key) or {}
