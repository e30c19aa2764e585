"""New data for results that exist: is it the same shop, where does the new fit begin, how many components."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from mixtura.exceptions import InvalidDataError, InvalidParameterError
from mixtura.segments.previous import Previous

__all__ = ["check_compatible", "choose_size", "previous_start", "sizes_to_try"]

LEAST_OVERLAP = 0.5  # of the previous lines, in categories that still exist
SMOOTHED = 0.01  # lines, spread evenly over the categories, added to each profile of one line
LEAST_GAIN = (
    10.0  # of the criterion: "very strong" evidence (Kass and Raftery 1995), below it nothing changes
)


def check_compatible(
    previous: Previous,
    *,
    categories: Sequence[str],
    value: str,
    where: str | None = None,
    items_source: str | None = None,
    category_column: str | None = None,
    over: str | None = None,
    levels: Sequence[str] = (),
) -> list[str]:
    """Refuse results that cannot be gone on from; say what is not as it was.

    Parameters
    ----------
    previous : Previous
        The earlier results.
    categories : sequence of str
        Categories of the new data.
    value : str
        What is counted now, such as ``"lines"``.
    where, items_source, category_column : str, optional
        Filter, name of the item table and name of the category column now.
    over : {"missions", "categories"}, optional
        What the segments are made of now.
    levels : sequence of {"missions", "segments"}
        What is looked for now.

    Returns
    -------
    list of str
        Differences that are no obstacle, in words.

    Raises
    ------
    InvalidParameterError
        If something else is counted, or segments are made of something else.
    InvalidDataError
        If less than half of the previous lines are of categories that still exist.

    Examples
    --------
    >>> from pathlib import Path
    >>> tea = {"number": 1, "name": "Tea", "weight": 1.0, "profile": [0.9, 0.1]}
    >>> content = {"categories": ["tea", "mate"], "missions": [tea], "data": {"value": "lines"}}
    >>> previous = Previous(Path("shop"), content, None, {"missions": {}, "segments": {}})
    >>> check_compatible(previous, categories=["tea", "coffee"], value="lines")
    ['1 of the 2 categories are new since the previous run, and 1 of its 2 are gone ...']
    """
    before = {**previous.header.get("command", {}), **previous.header.get("data", {})}
    settings: list[tuple[str, Any, Any]] = [("value", before.get("value", "lines"), value)]
    if over is not None and previous.segments is not None:
        settings.append(("segments over", previous.segments.get("over"), over))
    for name, earlier, now in settings:
        if earlier != now:
            message = (
                f"{name}: found {now!r}, but the previous results in '{previous.folder}' have {earlier!r}. Expected "
                "the same, since profiles of different things cannot be compared; use the previous setting, or run "
                "without --previous."
            )
            raise InvalidParameterError(message)
    column = (previous.header.get("columns", {}).get("category") or {}).get("name")
    optional = (
        ("filter", before.get("filter"), where),
        ("item table", before.get("items_source"), items_source),
        ("category column", column, category_column),
    )
    notes = [
        f"The {name} is not that of the previous run: {now or 'none'} (before: {earlier or 'none'})."
        for name, earlier, now in optional
        if earlier != now
    ]
    notes += [
        f"The previous results have no {level}, so the {level} are found and numbered anew."
        for level in levels
        if not previous.has(level)
    ]
    return notes + _category_notes(previous, [str(name) for name in categories])


def _category_notes(previous: Previous, categories: Sequence[str]) -> list[str]:
    earlier = [str(name) for name in previous.header["categories"]]
    common = set(earlier) & set(categories)
    share = previous.header.get("category_share")
    if share is None:
        share = np.full(len(earlier), 1 / len(earlier))
    kept = float(sum(part for name, part in zip(earlier, share, strict=True) if name in common))
    if kept < LEAST_OVERLAP:
        message = (
            f"only {len(common):,} of the {len(earlier):,} categories of '{previous.folder}', with {kept:.0%} of its "
            f"lines, occur in the new data (such as {categories[0]!r}; before: {earlier[0]!r}). Expected at least "
            f"{LEAST_OVERLAP:.0%} of the lines; check the category column and the item table, or run without "
            "--previous."
        )
        raise InvalidDataError(message)
    new, gone = len(categories) - len(common), len(earlier) - len(common)
    if not new and not gone:
        return []
    sentence = (
        f"{new:,} of the {len(categories):,} categories are new since the previous run, and {gone:,} of its "
        f"{len(earlier):,} are gone ({1 - kept:.1%} of its lines)."
    )
    return [sentence]


def previous_start(
    previous: Previous, features: Sequence[Hashable], level: str = "missions"
) -> tuple[np.ndarray, np.ndarray]:
    """Where the new fit begins: the earlier profiles, over the features there are now.

    Parameters
    ----------
    previous : Previous
        The earlier results.
    features : sequence, length C
        Categories of the new data; for segments over missions the numbers of the new missions.
    level : {"missions", "segments"}
        Which mixture.

    Returns
    -------
    weights : ndarray, shape (K,)
        Sum to one.
    profiles : ndarray, shape (K, C)
        Positive; rows sum to one.

    Raises
    ------
    InvalidDataError
        If the previous results are not of that level.

    Notes
    -----
    Features that are gone are dropped and the rest is scaled to sum to one. Then a hundredth of a line, spread
    evenly, is added to each. A new feature so begins with the same small share in every component: in the first
    step it speaks for none of them, and its share is found from the baskets that the others assign.

    Examples
    --------
    >>> from pathlib import Path
    >>> tea = {"number": 1, "name": "Tea", "weight": 1.0, "profile": [0.75, 0.25]}
    >>> content = {"categories": ["tea", "mate"], "missions": [tea]}
    >>> previous = Previous(Path("shop"), content, None, {"missions": {}, "segments": {}})
    >>> previous_start(previous, ["coffee", "tea"])[1].round(3).tolist()
    [[0.005, 0.995]]
    """
    place = {feature: column for column, feature in enumerate(previous.features(level))}
    columns = np.array([place.get(feature, -1) for feature in features], dtype=np.int64)
    kept = np.where(columns >= 0, previous.profiles(level)[:, columns], 0.0)
    total = kept.sum(axis=1, keepdims=True)
    profiles = np.divide(kept, total, out=np.zeros_like(kept), where=total > 0) + SMOOTHED / len(columns)
    weights = np.array([entry["weight"] for entry in previous.components(level)])
    weights = np.maximum(weights, 1e-6)  # one that had no baskets may have some again
    return weights / weights.sum(), profiles / profiles.sum(axis=1, keepdims=True)


def sizes_to_try(previous: Previous, level: str, n_rows: int) -> list[int]:
    """Numbers of components that a refresh considers: as many as before, some fewer, some more.

    Parameters
    ----------
    previous : Previous
        The earlier results.
    level : {"missions", "segments"}
        Which mixture.
    n_rows : int
        Baskets or customers to learn from.

    Returns
    -------
    list of int
        Ascending, a tenth (at least one) below and above; the number itself if it was asked for in the
        previous run, since then the user has decided.

    Examples
    --------
    >>> from pathlib import Path
    >>> teas = [{"number": k + 1, "name": "", "weight": 0.25, "profile": [1.0]} for k in range(4)]
    >>> previous = Previous(Path("shop"), {"categories": ["tea"], "missions": teas}, None, {})
    >>> sizes_to_try(previous, "missions", 100)
    [3, 4, 5]
    """
    content = previous.content(level)
    size = len(content[level])
    if (content.get("choice") or {}).get("criterion") == "given":
        return [size]
    step = max(1, round(size / 10))
    smallest = 2 if level == "missions" else 1
    return [number for number in (size - step, size, size + step) if smallest <= number <= max(n_rows, size)]


def choose_size(
    rows: Sequence[Mapping[str, Any]], n_previous: int, criterion: str, *, level: str = "missions"
) -> tuple[int, str]:
    """Keep the number of components, unless the criterion clearly asks for another.

    Parameters
    ----------
    rows : sequence of Mapping
        What was tried: n_components and the criterion of each; one has `n_previous` components.
    n_previous : int
        Number of components of the previous results.
    criterion : {"bic", "aic", "icl"}
        Lower is better.
    level : {"missions", "segments"}
        For the sentence.

    Returns
    -------
    index : int
        Of the chosen row.
    sentence : str
        How it came about.

    Raises
    ------
    InvalidDataError
        If no row has the previous number.

    References
    ----------
    .. [1] R. E. Kass and A. E. Raftery (1995), "Bayes factors", Journal of the American Statistical Association
       90, 773-795: a difference of more than 10 in BIC is very strong evidence.

    Examples
    --------
    >>> rows = [{"n_components": 4, "bic": 900.0}, {"n_components": 5, "bic": 893.0}]
    >>> choose_size(rows, 4, "bic")
    (0, '4 missions, as before; BIC gains less than 10 with 5')
    """
    sizes = [int(row["n_components"]) for row in rows]
    if n_previous not in sizes:
        message = (
            f"the previous number of {level}, {n_previous}, was not tried (tried: {sizes}). Expected it among them; "
            "add it."
        )
        raise InvalidDataError(message)
    same = sizes.index(n_previous)
    best = int(np.argmin([row[criterion] for row in rows]))
    gain = rows[same][criterion] - rows[best][criterion]
    name = criterion.upper()
    if gain > LEAST_GAIN:
        return best, f"{_counted(sizes[best], level)} ({n_previous} before): {name} is lower by {gain:,.0f}"
    others = " or ".join(str(size) for size in sizes if size != n_previous)
    reason = f"; {name} gains less than {LEAST_GAIN:.0f} with {others}" if others else ""
    return same, f"{_counted(n_previous, level)}, as before{reason}"


def _counted(number: int, level: str) -> str:
    return f"{number} {level if number != 1 else level[:-1]}"
