"""Learning that goes on from earlier results: the sweep around the earlier number, and who keeps which name."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.base import clone

from mixtura.segments.continuity import continuity, refresh_part
from mixtura.segments.matching import canonical_order, match
from mixtura.segments.previous import Previous
from mixtura.segments.refresh import choose_size, previous_start, sizes_to_try
from mixtura.segments.renaming import carry_names, distinct_names
from mixtura.segments.sweep import Level, Report, Sweep, schedule, sweep

__all__ = ["Roster", "Start", "continued_sweep", "roster"]

Start = Callable[[np.ndarray, np.ndarray, np.ndarray], dict[str, Any]]


def continued_sweep(
    estimator: Any,
    train: Any,
    later: Any,
    previous: Previous,
    features: Sequence[Hashable],
    numbers: int | Iterable[int] | None,
    *,
    start: Start,
    level: Level,
    criterion: str,
    report: Report,
) -> Sweep:
    """Fit the earlier number of components from the earlier profiles, and some fewer and more from there.

    Parameters
    ----------
    estimator : MultinomialMixture or DirichletMultinomialMixture
        With everything but the number and the start set.
    train, later : array_like
        As for `sweep`.
    previous : Previous
        The earlier results.
    features : sequence, length F
        What the columns are, as `previous_start` wants them.
    numbers : int, iterable of int, or None
        Asked for by the user; None stands for those around the earlier number.
    start : callable
        From weights (K,) and profiles (K, F) of earlier components, and their indices, to the estimator's start.
    level : Level
        What is looked for.
    criterion : {"bic", "aic", "icl"}
        Lower is better.
    report : callable
        ``report(stage, done, total, text)``.

    Returns
    -------
    Sweep
        The earlier number is kept unless the criterion clearly asks for another, or the user did.
    """
    weights, profiles = previous_start(previous, features, level.noun)
    size = min(len(weights), train.shape[0])
    keep = np.sort(np.argsort(-weights, kind="stable")[:size])
    begun = clone(estimator).set_params(**start(weights[keep] / weights[keep].sum(), profiles[keep], keep))
    options: dict[str, Any] = {"level": level, "criterion": criterion, "report": report}
    first = sweep(begun, train, later, [size], stop_when_turned=False, **options)
    if numbers is None:
        others = sizes_to_try(previous, level.noun, train.shape[0])
    else:
        others = schedule(numbers, train.shape[0], level)
    # The start of the others is the first fit with its largest components split, or its smallest left out.
    follow = clone(estimator).set_params(init_params=first.model)
    fits = {size: first}
    for other in others:
        if other != size and not any(fit.interrupted for fit in fits.values()):
            fits[other] = sweep(follow, train, later, [other], stop_when_turned=False, **options)
    tried = sorted(fits) if numbers is None else sorted(set(fits) & set(others)) or [size]
    rows = tuple(fits[number].rows[0] for number in tried)
    if numbers is None:
        best, sentence = choose_size(rows, size, criterion, level=level.noun)
    else:
        best, sentence = int(np.argmin([row[criterion] for row in rows])), None
    return Sweep(
        rows,
        best,
        fits[tried[best]].model,
        at_edge=False,
        interrupted=any(fit.interrupted for fit in fits.values()),
        sentence=sentence,
    )


@dataclass(frozen=True)
class Roster:
    """Order, numbers and names of the components of a new fit.

    Parameters
    ----------
    order : ndarray of int, shape (K,)
        New position to component of the fit.
    numbers : list of int, length K
        By position.
    identities : list, length K
        By position: the number in the earlier results where there is one, else something unlike any number; so
        that what is learnt from these components can be compared with what was learnt from the earlier ones.
    previous : list of dict or None, length K
        By position: the part "previous" of each, after a refresh.
    refresh : dict or None
        The part "refresh" of the results, without the migration.
    namer : callable
        From automatic names by position to (names, automatic names, notes).
    """

    order: np.ndarray
    numbers: list[int]
    identities: list[Hashable]
    previous: list[dict[str, Any] | None]
    refresh: dict[str, Any] | None
    namer: Any


def roster(
    level: Level,
    sizes: np.ndarray,
    profiles: np.ndarray,
    features: Sequence[Hashable],
    *,
    previous: Previous | None,
    earlier: Previous | None,
) -> Roster:
    """Who is who in a new fit.

    Parameters
    ----------
    level : Level
        What was looked for.
    sizes : ndarray, shape (K,)
        Expected rows of each component.
    profiles : ndarray, shape (K, F)
        Shares.
    features : sequence, length F
        What the columns are.
    previous : Previous or None
        The results that this run goes on from: numbers, order and names stay.
    earlier : Previous or None
        The results that this run replaces: only names that a person edited stay.

    Returns
    -------
    Roster
        Without either, components are in order of size, numbered from 1, with automatic names.
    """
    noun = level.noun
    if previous is not None and previous.has(noun):
        matched = match(previous.profiles(noun), previous.features(noun), profiles, features)
        found = continuity(
            matched,
            previous.components(noun),
            sizes,
            profiles,
            last_number=previous.last_number(noun),
        )
        identities: list[Hashable] = [
            number if old is not None else ("new", number)
            for number, old in zip(found.numbers, found.old, strict=True)
        ]
        return Roster(
            found.order,
            found.numbers,
            identities,
            found.previous,
            refresh_part(previous, found),
            lambda names: (*found.names(names), []),
        )
    order = canonical_order(sizes, profiles)
    numbers = list(range(1, len(order) + 1))
    plain = Roster(order, numbers, [("new", n) for n in numbers], [None] * len(order), None, _automatic)
    if earlier is None or not earlier.has(noun):
        return plain
    matched = match(earlier.profiles(noun), earlier.features(noun), profiles[order], features)
    old_numbers = [entry["number"] for entry in earlier.components(noun)]
    identities = [
        ("new", n) if index < 0 else old_numbers[index] for n, index in zip(numbers, matched.old, strict=True)
    ]
    edited = earlier.names.get(noun, {})
    return replace(
        plain,
        identities=identities,
        namer=lambda names: carry_names(edited, old_numbers, matched, names, level=noun),
    )


def _automatic(names: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
    """Automatic names, all different, and nothing to say."""
    return *distinct_names([None] * len(names), names), []
