"""From the values of the category columns to the columns of the counts: spelling, rare values, several levels.

All of it is about the distinct values, of which there are few; lines are only counted, in SQL.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mixtura.exceptions import InvalidDataError
from mixtura.segments.rules import Rules

__all__ = [
    "KnownCategories",
    "Layout",
    "Value",
    "look_up",
    "same_spelling",
    "settle",
]

OTHER = "(other)"
Value = tuple[int, str]  # level and text


@dataclass(frozen=True)
class KnownCategories:
    """The categories of a model, with what is needed to count new lines as its own were counted.

    Parameters
    ----------
    names : sequence of str
        In the order of the columns.
    levels : sequence of str, optional
        Names of the levels, when there were several.
    of_category : sequence of int, optional
        Level of each category; without it, a name stands for its value in any level.
    folded : bool, optional
        Whether "(other)" was made of rare values, and so takes those that are not known; None: if it is there.

    Examples
    --------
    >>> KnownCategories(["bread", "milk"]).folded is None
    True
    """

    names: Sequence[str]
    levels: Sequence[str] = ()
    of_category: Sequence[int] | None = None
    folded: bool | None = None

    @classmethod
    def of_results(cls, names: Sequence[str], item_levels: Mapping[str, Any] | None) -> KnownCategories:
        """Make them of what `Baskets.item_levels` gave, which results store.

        Parameters
        ----------
        names : sequence of str
            The categories.
        item_levels : Mapping or None
            The stored part, if there is one.

        Returns
        -------
        KnownCategories
            With everything that is known.
        """
        stored = item_levels or {}
        return cls(names, stored.get("names") or (), stored.get("of_category"), stored.get("folded"))


@dataclass(frozen=True)
class Layout:
    """The columns of the counts, and the column of every value.

    Parameters
    ----------
    names : list of str
        Names of the columns; unique.
    level_of : list of int
        Level of each.
    column : dict
        Spelling of a level to its column; a value that is not there is not counted.
    folded : bool
        Whether values were folded.
    n_rare : int or None
        How many were folded or dropped; None where nothing was asked for.
    notes : list of str
        What was done, in words.
    n_levels : int
        Number of levels.
    """

    names: list[str]
    level_of: list[int]
    column: dict[Value, int]
    folded: bool = False
    n_rare: int | None = None
    notes: list[str] = field(default_factory=list)
    n_levels: int = 1


def _key(text: str) -> str:
    """What two spellings of one thing have in common."""
    return " ".join(text.split()).casefold()


def same_spelling(seen: Mapping[Value, int]) -> tuple[dict[Value, str], list[str]]:
    """Give values that differ only in case or spaces one spelling, that of most lines.

    Parameters
    ----------
    seen : Mapping[(int, str), int]
        Level and value as it stands in the table, to the number of lines.

    Returns
    -------
    spelling : dict
        Level and value to the spelling.
    notes : list of str
        How many were joined, if any.

    Examples
    --------
    >>> same_spelling({(0, "Milk"): 9, (0, "MILK"): 2, (0, "milk  "): 1, (0, "tea"): 1})[0]
    {(0, 'Milk'): 'Milk', (0, 'MILK'): 'Milk', (0, 'milk  '): 'Milk', (0, 'tea'): 'tea'}
    """
    best: dict[Value, Value] = {}
    for value, n_lines in seen.items():
        key = (value[0], _key(value[1]))
        if key not in best or (-n_lines, value[1]) < (-seen[best[key]], best[key][1]):
            best[key] = value
    spelling = {value: " ".join(best[value[0], _key(value[1])][1].split()) for value in seen}
    joined = sorted(
        (level, text) for (level, text), n in Counter((v[0], _key(v[1])) for v in seen).items() if n > 1
    )
    if not joined:
        return spelling, []
    examples = ", ".join(f"'{' '.join(best[key][1].split())}'" for key in joined[:3])
    note = (
        f"{len(joined):,} categories were spelt in several ways that differ in case or spaces ({examples}); "
        "each is one category, in its most frequent spelling."
    )
    return spelling, [note]


def settle(baskets: Mapping[Value, int], rules: Rules, n_baskets: int, levels: Sequence[str]) -> Layout:
    """Choose the columns of the counts.

    Parameters
    ----------
    baskets : Mapping[(int, str), int]
        Level and spelling, to the number of baskets that hold it (any number where that does not matter).
    rules : Rules
        Which to keep.
    n_baskets : int
        Number of all baskets.
    levels : sequence of str
        Names of the levels.

    Returns
    -------
    Layout
        Level by level, sorted within each, "(other)" last. A name that occurs in several levels is
        "level: name".

    Examples
    --------
    >>> found = settle({(0, "milk"): 9, (0, "tea"): 2, (0, "mace"): 1}, Rules(min_support=2), 9, ["aisle"])
    >>> found.names, found.column[0, "mace"]
    (['milk', 'tea', '(other)'], 2)
    """
    kept: list[set[str]] = []
    for number in range(len(levels)):
        mine = sorted((-n, text) for (level, text), n in baskets.items() if level == number)
        frequent = mine[: rules.top_items] if rules.counts_baskets else mine
        kept.append(
            {text for n, text in frequent if not rules.counts_baskets or -n >= rules.least(n_baskets)}
        )
    places = Counter(_key(text) for texts in kept for text in texts)
    names: list[str] = []
    level_of: list[int] = []
    column: dict[Value, int] = {}
    n_rare = 0
    for number, texts in enumerate(kept):
        for text in sorted(texts):
            column[number, text] = len(names)
            names.append(f"{levels[number]}: {text}" if places[_key(text)] > 1 else text)
            level_of.append(number)
        rare = [text for level, text in baskets if level == number and text not in texts]
        n_rare += len(rare)
        if rare and rules.rare == "other":
            other = _other(levels, number)
            if other not in names:
                names.append(other)
                level_of.append(number)
            column |= {(number, text): names.index(other) for text in rare}
    folded = bool(n_rare) and rules.rare == "other"
    return Layout(
        names,
        level_of,
        column,
        folded,
        n_rare if rules.counts_baskets else None,
        _rare_note(n_rare, len(baskets), rules, n_baskets),
        len(levels),
    )


def _other(levels: Sequence[str], number: int) -> str:
    return OTHER if len(levels) <= 1 else f"(other {levels[number]})"


def _rare_note(n_rare: int, n_values: int, rules: Rules, n_baskets: int) -> list[str]:
    if not n_rare:
        return []
    why = []
    if rules.min_support is not None:
        why.append(f"occur in fewer than {rules.least(n_baskets):,} baskets")
    if rules.top_items is not None:
        why.append(f"are not among the {rules.top_items:,} most frequent")
    became = f"counted together as '{OTHER}'" if rules.rare == "other" else "left out"
    return [f"{n_rare:,} of {n_values:,} categories {' or '.join(why)}; they are {became}."]


def look_up(
    seen: Mapping[Value, int], known: KnownCategories, levels: Sequence[str], *, fold: bool = True
) -> Layout:
    """Find the columns of a model's categories for the values of new lines.

    Parameters
    ----------
    seen : Mapping[(int, str), int]
        Level and value as it stands in the table.
    known : KnownCategories
        The categories.
    levels : sequence of str
        Names of the category columns, in the order of the model's levels.
    fold : bool, default True
        Whether "(other)", if it is known, takes what is not.

    Returns
    -------
    Layout
        With the model's columns; values that it does not know are in none, or in its "(other)".

    Raises
    ------
    InvalidDataError
        If the number of levels differs.

    Examples
    --------
    >>> look_up({(0, "MILK"): 3, (0, "caviar"): 1}, KnownCategories(["milk", "(other)"]), ["aisle"]).column
    {(0, 'MILK'): 0, (0, 'caviar'): 1}
    """
    stored = list(known.levels) or list(levels)
    if len(stored) != len(levels):
        message = (
            f"found {len(levels)} category columns ({', '.join(levels)}). Expected {len(stored)}, one for each "
            f"level of the model ({', '.join(stored)}); name them in this order (category, --category)."
        )
        raise InvalidDataError(message)
    exact: dict[Value, int] = {}
    loose: dict[Value, int] = {}
    for index, name in enumerate(known.names):
        places = range(len(stored)) if known.of_category is None else [int(known.of_category[index])]
        for level in places:
            exact.setdefault((level, name), index)
            loose.setdefault((level, _key(name)), index)
    others: dict[int, int] = {}
    if fold and known.folded is not False:
        for level in range(len(stored)):
            name = _other(stored, level)
            if name in known.names:
                others[level] = list(known.names).index(name)
    column = {}
    for level, text in seen:
        spelt = (text, f"{stored[level]}: {text}")
        found = [exact[level, name] for name in spelt if (level, name) in exact]
        found += [loose[level, _key(name)] for name in spelt if (level, _key(name)) in loose]
        if found or level in others:
            column[level, text] = found[0] if found else others[level]
    level_of = [0] * len(known.names) if known.of_category is None else [int(n) for n in known.of_category]
    return Layout(
        [str(name) for name in known.names], level_of, column, folded=bool(others), n_levels=len(levels)
    )
