"""What changed since the last run: found again, new, gone, drifted, and where the customers went."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mixtura.report import words
from mixtura.report.results import Level, Results
from mixtura.report.sections import features
from mixtura.report.sections.moves import moves

__all__ = ["context"]


def context(results: Results) -> dict[str, Any] | None:
    """Missions and segments against those of the previous run.

    Parameters
    ----------
    results : Results
        The results.

    Returns
    -------
    dict or None
        One part per level; None if there was no previous run.
    """
    found = [_level(results, level) for level in results.levels if level.part("refresh")]
    if not found:
        return None
    return {
        "id": "refresh",
        "title": "Since the last run",
        "template": "refresh.html.j2",
        "levels": found,
        "previous": [
            str(level.part("refresh")["previous"])
            for level in results.levels
            if level.part("refresh").get("previous")
        ],
    }


def _level(results: Results, level: Level) -> dict[str, Any]:
    part = level.part("refresh")
    new = [int(number) for number in part.get("new") or []]
    names = {int(item["number"]): results.named(item, level.noun) for item in level.items}
    return {
        "key": level.key,
        "noun": level.noun,
        "sentences": _sentences(results, level, new, names),
        "rows": [_row(results, level, item, new) for item in level.items],
        "gone": [
            (results.label(entry.get("name") or f"{level.noun.capitalize()} {entry.get('number')}"),
             entry.get("weight"))
            for entry in part.get("gone") or []
        ],
        "moves": _moves(results, level, part.get("migration")),
    }  # fmt: skip


def _sentences(results: Results, level: Level, new: list[int], names: Mapping[int, str]) -> list[str]:
    part = level.part("refresh")
    matched = part.get("n_matched")
    sentences = []
    if words.is_number(matched):
        sentences.append(
            f"{words.number(matched)} of {words.count(len(level.items), level.noun)} were found again and keep "
            "their names."
        )
    drifted = [
        names[int(item["number"])] for item in level.items if (item.get("previous") or {}).get("drifted")
    ]
    gone = [results.label(entry.get("name")) for entry in part.get("gone") or []]
    sentences += [
        f"{title}: {words.listing([f'“{name}”' for name in found], limit=6)}."
        for title, found in (
            ("New", [names[number] for number in new if number in names]),
            ("Changed clearly, so check that the name still fits", drifted),
            ("Gone", gone),
        )
        if found
    ]
    return sentences


def _row(results: Results, level: Level, item: Mapping[str, Any], new: list[int]) -> dict[str, Any]:
    before = item.get("previous") or {}
    number = int(item["number"])
    common = features.in_common(before.get("distance"))
    if number in new or not before:
        state, kind = "new", "new"
    elif before.get("drifted"):
        state, kind = "has changed", "drifted"
    else:
        state, kind = "the same", "good"
    return {
        "number": number,
        "name": results.named(item, level.noun),
        "before": _before(results, before, results.named(item, level.noun)),
        "common": common,
        "state": state,
        "kind": kind,
        "weight": item.get("weight"),
    }


def _before(results: Results, before: Mapping[str, Any], name: str) -> str:
    if not before.get("name"):
        return words.UNKNOWN
    old = results.label(before["name"])
    return "same name" if old == name else old


def _moves(results: Results, level: Level, migration: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not migration:
        return None
    by_name = {str(item.get("name")): int(item["number"]) for item in level.items}

    def pairs(side: str) -> list[tuple[str, str]]:
        names = migration[side]
        numbers = migration.get(f"{side}_numbers") or [by_name.get(str(name)) for name in names]
        return [
            ("" if number is None else str(number), results.label(name))
            for number, name in zip(numbers, names, strict=True)
        ]

    return moves(
        f"{level.noun}-migration",
        pairs("from"),
        pairs("to"),
        migration["counts"],
        ("last run", "this run"),
        "have the same main mission" if level.noun == "mission" else "are in the same segment",
        open_ended="from_numbers" in migration,
    )
