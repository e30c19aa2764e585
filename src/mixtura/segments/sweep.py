"""How many missions: mixtures of growing size, each also started from the last, until the criterion turns."""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from mixtura.exceptions import (
    ConvergenceWarning,
    DegeneracyWarning,
    InterruptedWarning,
    InvalidParameterError,
    SpuriousSolutionWarning,
    StartsDisagreeWarning,
    did_you_mean,
)
from mixtura.inference.stopping import catch_interrupt
from mixtura.models import MultinomialMixture

__all__ = [
    "CRITERIA",
    "Sweep",
    "Tried",
    "check_criterion",
    "grown",
    "missions_from_text",
    "quiet",
    "schedule",
    "sweep",
]

CRITERIA = ("bic", "aic", "icl")
USUAL = (*range(2, 11), 12, 15, *range(20, 101, 10), 120, 150, 200, 300, 500)
PATIENCE = 2  # values in a row that are worse than the best, before the sweep ends

SAID_IN_RESULTS = (
    ConvergenceWarning,
    DegeneracyWarning,
    InterruptedWarning,
    SpuriousSolutionWarning,
    StartsDisagreeWarning,
)

Report = Callable[[str, int, int, str], None]


@dataclass(frozen=True)
class Tried:
    """One number of missions and how well it does.

    Parameters
    ----------
    model : MultinomialMixture
        The better of a fresh fit and one continued from the smaller model.
    row : dict
        What missions.json says about it, without the mark of the choice.
    """

    model: Any
    row: dict[str, Any]


@dataclass(frozen=True)
class Sweep:
    """All that was tried, and the choice.

    Parameters
    ----------
    tried : tuple of Tried
        In order of size.
    best : int
        Index of the chosen one.
    at_edge : bool
        Whether a larger number of missions might be better still.
    interrupted : bool
        Whether Ctrl-C ended the sweep.
    """

    tried: tuple[Tried, ...]
    best: int
    at_edge: bool
    interrupted: bool


def missions_from_text(text: str) -> list[int]:
    """Read numbers of missions as they are written on a command line.

    Parameters
    ----------
    text : str
        Numbers and ranges, separated by commas.

    Returns
    -------
    list of int
        Ascending, without doubles.

    Raises
    ------
    InvalidParameterError
        If it is anything else.

    Examples
    --------
    >>> missions_from_text("30"), missions_from_text("2..5,8, 12")
    ([30], [2, 3, 4, 5, 8, 12])
    """
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,6})\s*(?:(?:\.\.|-|:)\s*(\d{1,6})\s*)?", part)
        if match is None:
            message = (
                f"missions: {text!r} cannot be read at {part!r}. Expected numbers and ranges such as '30' or "
                "'2..10,12,15'."
            )
            raise InvalidParameterError(message)
        first = int(match.group(1))
        last = int(match.group(2) or first)
        if last < first:
            message = f"missions: the range {part!r} runs backwards. Expected the smaller number first."
            raise InvalidParameterError(message)
        found |= set(range(first, last + 1))
    return sorted(found)


def schedule(n_missions: int | Iterable[int] | None, n_baskets: int) -> list[int]:
    """Numbers of missions to try.

    Parameters
    ----------
    n_missions : int, iterable of int, or None
        Given by the user; None stands for 2 to 10, 12, 15, 20, 30, ..., until the criterion turns.
    n_baskets : int
        Baskets to learn from: there cannot be more missions than baskets.

    Returns
    -------
    list of int
        Ascending.

    Raises
    ------
    InvalidParameterError
        If a number is not between 2 and `n_baskets`.

    Examples
    --------
    >>> schedule(None, 9), schedule(4, 100), schedule({5, 3}, 100)
    ([2, 3, 4, 5, 6, 7, 8, 9], [4], [3, 5])
    """
    if n_missions is None:
        numbers = [number for number in USUAL if number <= n_baskets]
    elif isinstance(n_missions, int | np.integer):
        numbers = [int(n_missions)]
    else:
        numbers = sorted({int(number) for number in n_missions})
    for number in numbers:
        if not 2 <= number <= n_baskets:
            message = (
                f"n_missions: found {number}. Expected a number from 2 to the number of baskets before the "
                f"split, {n_baskets:,}. Ask for {'more' if number < 2 else 'fewer'} missions."
            )
            raise InvalidParameterError(message)
    if not numbers:
        message = f"n_missions: nothing to try with {n_baskets} baskets before the split. Give more data."
        raise InvalidParameterError(message)
    return numbers


def check_criterion(criterion: str) -> None:
    """Refuse a criterion that is not known.

    Raises
    ------
    InvalidParameterError
        With the nearest known one.
    """
    if criterion not in CRITERIA:
        message = f"criterion={criterion!r} is not known. {did_you_mean(str(criterion), CRITERIA)}"
        raise InvalidParameterError(message)


def sweep(
    train: sparse.csr_array,
    later: sparse.csr_array,
    numbers: Sequence[int],
    *,
    criterion: str,
    seed: int,
    stop_when_turned: bool,
    report: Report,
) -> Sweep:
    """Fit one mixture of baskets per number of missions, and choose.

    Parameters
    ----------
    train : scipy.sparse.csr_array, shape (N, C)
        Baskets before the split; all criteria are computed on these.
    later : scipy.sparse.csr_array, shape (M, C)
        Baskets after the split, for the held-out score that is shown beside.
    numbers : sequence of int
        Ascending.
    criterion : {"bic", "aic", "icl"}
        Lower is better.
    seed : int
        Seed of every fit.
    stop_when_turned : bool
        End when two values in a row are worse than the best.
    report : callable
        ``report(stage, done, total, text)``, called before every fit and at the end.

    Returns
    -------
    Sweep
        At least one model, also after Ctrl-C: the fit in progress stops at its next pass and counts.

    Raises
    ------
    KeyboardInterrupt
        At the second Ctrl-C.
    """
    if criterion not in CRITERIA:
        raise InvalidParameterError(
            f"criterion={criterion!r} is not known. {did_you_mean(criterion, CRITERIA)}"
        )
    tried: list[Tried] = []
    stage = "missions" if len(numbers) == 1 else "sweep"
    with catch_interrupt() as interruption:
        for done, number in enumerate(numbers):
            report(stage, done, len(numbers), f"{number} missions")
            if interruption.pressed and tried:
                break
            previous = tried[-1].model if tried else None
            tried.append(_try(train, later, number, seed, previous))
            if interruption.pressed or (stop_when_turned and _turned(tried, criterion)):
                break
        interrupted = interruption.pressed
    if interrupted and len(tried) > 1 and tried[-1].row["reason"] == "interrupted":
        tried.pop()  # half a fit says little about its size
    values = [entry.row[criterion] for entry in tried]
    best = int(np.argmin(values))
    at_edge = len(numbers) > 1 and best == len(tried) - 1
    report(stage, len(numbers), len(numbers), f"{tried[best].row['n_components']} missions")
    return Sweep(tuple(tried), best, at_edge, interrupted)


def _turned(tried: Sequence[Tried], criterion: str) -> bool:
    values = [entry.row[criterion] for entry in tried]
    return int(np.argmin(values)) < len(values) - PATIENCE


def _try(train: sparse.csr_array, later: sparse.csr_array, number: int, seed: int, previous: Any) -> Tried:
    """The better of a fresh fit and one from the smaller model, with the record of all starts."""
    begun = time.perf_counter()
    with quiet():
        fits = [MultinomialMixture(number, random_state=seed).fit(train)]
        if previous is not None:
            weights, profiles = grown(previous.weights_, previous.profiles_, number, seed)
            warm = MultinomialMixture(number, weights_init=weights, profiles_init=profiles, random_state=seed)
            fits.append(warm.fit(train))
        model = max(fits, key=lambda fit: fit.lower_bound_)
        log_likelihood = model.score(train)
        row: dict[str, Any] = {
            "n_components": number,
            "log_likelihood": log_likelihood,
            "held_out": model.score(later) if later.shape[0] else None,
            "bic": model.bic(train),
            "aic": model.aic(train),
            "icl": model.icl(train),
            "n_parameters": model.n_parameters(),
            "n_iter": model.n_iter_,
        }
    starts = [start for fit in fits for start in fit.starts_]
    finished = [start for start in starts if str(start.reason) not in {"screened", "degenerate"}]
    row["reason"] = str(max(model.starts_, key=lambda start: start.objective).reason)
    row["seconds"] = time.perf_counter() - begun
    row["starts"] = [{"objective": start.objective, "reason": str(start.reason)} for start in finished]
    return Tried(model, row)


def grown(weights: np.ndarray, profiles: np.ndarray, number: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Split the largest missions until there are `number`: a start that is as good as the smaller model.

    Parameters
    ----------
    weights : ndarray, shape (K,)
        Of the smaller model.
    profiles : ndarray, shape (K, C)
        Of the smaller model.
    number : int
        At least K.
    seed : int
        Seed of the small differences between the halves.

    Returns
    -------
    weights : ndarray, shape (number,)
        The halves share their mission's weight.
    profiles : ndarray, shape (number, C)
        The halves lean a little to either side.

    Examples
    --------
    >>> weights, profiles = grown(np.array([0.6, 0.4]), np.full((2, 3), 1 / 3), 3, seed=0)
    >>> weights.round(2).tolist(), profiles.shape
    ([0.3, 0.4, 0.3], (3, 3))
    """
    rng = np.random.default_rng(seed)
    shares, rows = list(weights), [np.asarray(row) for row in profiles]
    while len(shares) < number:
        k = int(np.argmax(shares))
        lean = np.exp(rng.normal(scale=0.3, size=len(rows[k])))
        shares[k] /= 2
        shares.append(shares[k])
        rows.append(rows[k] / lean)
        rows[k] = rows[k] * lean
    grown_profiles = np.array(rows)
    return np.array(shares), grown_profiles / grown_profiles.sum(axis=1, keepdims=True)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep single fits from warning one by one: what they would say is in the results instead."""
    with warnings.catch_warnings():
        for category in SAID_IN_RESULTS:
            warnings.simplefilter("ignore", category)
        yield
