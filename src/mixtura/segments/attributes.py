"""A column of the customer table as a few values: numbers in groups, rare values together, in a natural order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Attribute", "attribute"]

RARE = 20  # customers; values that fewer have are put together
MOST_VALUES = 30  # more do not make a table that anybody reads
OWN_NUMBERS = 10  # so many different numbers are shown as they are
N_GROUPS = 5  # otherwise numbers are cut into so many groups of about equal size
OTHER = "(other)"


@dataclass(frozen=True)
class Attribute:
    """A column that can be compared with segments.

    Parameters
    ----------
    name : str
        Of the column.
    values : list of str
        Different values, at least two.
    codes : ndarray of int, shape (n,)
        Value of each customer for whom it is known.
    rows : ndarray of int, shape (n,)
        Which customers these are.
    """

    name: str
    values: list[str]
    codes: np.ndarray
    rows: np.ndarray


def attribute(name: str, given: Any) -> tuple[Attribute | None, list[str]]:
    """Prepare one column.

    Parameters
    ----------
    name : str
        Of the column.
    given : array_like, shape (H,)
        Text, numbers, dates or truth values; None, NaN, NaT and empty text are missing.

    Returns
    -------
    attribute : Attribute or None
        None if it cannot be used.
    notes : list of str
        Why it was left out, or what was merged.

    Examples
    --------
    >>> found, notes = attribute("pay", ["35-49K"] * 30 + ["Under 15K"] * 25 + ["250K+"] * 2 + [None])
    >>> found.values, notes
    (['Under 15K', '35-49K'], ["Values of 'pay' that fewer than 20 customers have were left out: ..."])
    """
    column = np.asarray(given)
    if column.dtype.kind == "O":
        column = _typed(column)
    if column.dtype.kind == "M":
        known = np.flatnonzero(~np.isnat(column))
        values, codes = _grouped(column[known])
    elif column.dtype.kind in "iuf":
        known = np.flatnonzero(np.isfinite(column))
        values, codes = _grouped(column[known])
    else:
        text = np.array([str(value).strip() for value in column.tolist()], dtype=object)
        missing = np.array([value is None or value != value for value in column.tolist()])  # noqa: PLR0124 - NaN
        known = np.flatnonzero(~missing & (text != ""))
        values, codes = _by_name(text[known])
    return _without_rare(name, values, codes, known)


def _typed(column: np.ndarray) -> np.ndarray:
    """Objects that are all numbers or missing, as numbers; all else stays."""
    entries = [entry for entry in column.tolist() if entry is not None]
    numbers = (int, float, np.integer, np.floating)
    if entries and all(isinstance(entry, numbers) and not isinstance(entry, bool) for entry in entries):
        return np.array([np.nan if entry is None else float(entry) for entry in column.tolist()])
    return column


def _by_name(text: np.ndarray) -> tuple[list[str], np.ndarray]:
    values, codes = np.unique(text.astype(str), return_inverse=True)
    order = sorted(range(len(values)), key=lambda code: _natural(str(values[code])))
    place = np.empty(len(values), dtype=np.int64)
    place[order] = np.arange(len(values))
    return [str(values[code]) for code in order], place[codes]


def _natural(text: str) -> tuple[float, int, str]:
    """By the first number in the text, what is under it before what begins with it; then by the alphabet."""
    number = re.search(r"\d+(?:\.\d+)?", text)
    below = re.match(r"\s*(?:under|less|below|up to|<)", text, re.IGNORECASE) is not None
    return (float(number.group()) if number else float("inf"), 0 if below else 1, text)


def _grouped(numbers: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Numbers or dates: as they are where there are few, otherwise in groups of about equal size."""
    values, codes = np.unique(numbers, return_inverse=True)
    if len(values) <= OWN_NUMBERS:
        return [_written(value) for value in values], codes
    # The values that open a group; equal values stay together.
    share = np.concatenate([[0.0], np.cumsum(np.bincount(codes))[:-1]]) / len(codes)
    group = np.minimum((share * N_GROUPS).astype(np.int64), N_GROUPS - 1)
    kept, group = np.unique(group, return_inverse=True)
    labels = []
    for index in range(len(kept)):
        mine = values[group == index]
        first, last = _written(mine[0]), _written(mine[-1])
        labels.append(first if first == last else f"{first} to {last}")
    return labels, group[codes]


def _written(value: Any) -> str:
    if isinstance(value, np.datetime64):
        return str(value.astype("datetime64[D]"))
    return f"{float(value):.6g}"


def _without_rare(
    name: str, values: list[str], codes: np.ndarray, known: np.ndarray
) -> tuple[Attribute | None, list[str]]:
    count = np.bincount(codes, minlength=len(values))
    common = np.flatnonzero(count >= RARE)
    rare = np.flatnonzero(count < RARE)
    n_rare = int(count[rare].sum())
    if len(common) > MOST_VALUES:
        note = (
            f"Column {name!r} of the customer table is left out: {len(values):,} different values, and more than "
            f"{MOST_VALUES} that at least {RARE} customers have."
        )
        return None, [note]
    together = n_rare >= RARE and len(common) > 0
    if len(common) + together < 2:
        note = (
            f"Column {name!r} of the customer table is left out: not two values that at least {RARE} customers have "
            f"({len(known):,} customers with a value, {len(values):,} different values)."
        )
        return None, [note]
    place = np.full(len(values), len(common) if together else -1)
    place[common] = np.arange(len(common))
    shown = [values[code] for code in common]
    notes = []
    if n_rare:
        done = f"put together as {OTHER!r}" if together else "left out"
        notes.append(
            f"Values of {name!r} that fewer than {RARE} customers have were {done}: {len(rare):,} values of "
            f"{n_rare:,} customers."
        )
    if together:
        shown.append(OTHER)
    kept = place[codes] >= 0
    return Attribute(name, shown, place[codes][kept], known[kept]), notes
