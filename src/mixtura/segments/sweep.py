"""How many missions: mixtures of growing size, each also started from the last, until the criterion turns."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from mixtura.exceptions import (
    ConvergenceWarning,
    DegeneracyWarning,
    EdgeOfRangeWarning,
    InterruptedWarning,
    InvalidParameterError,
    SpuriousSolutionWarning,
    StartsDisagreeWarning,
    did_you_mean,
)
from mixtura.inference.driver import Progress
from mixtura.models import MultinomialMixture
from mixtura.selection import select

__all__ = ["CRITERIA", "Sweep", "check_criterion", "missions_from_text", "quiet", "schedule", "sweep"]

CRITERIA = ("bic", "aic", "icl")
USUAL = (*range(2, 11), 12, 15, *range(20, 101, 10), 120, 150, 200, 300, 500)
SMALLEST = 2
PATIENCE = 2  # values in a row that are worse than the best, before the sweep ends

SAID_IN_RESULTS = (
    ConvergenceWarning,
    DegeneracyWarning,
    EdgeOfRangeWarning,
    InterruptedWarning,
    SpuriousSolutionWarning,
    StartsDisagreeWarning,
)

Report = Callable[[str, int, int, str], None]


@dataclass(frozen=True)
class Sweep:
    """All that was tried, and the choice.

    Parameters
    ----------
    rows : tuple of dict
        One per number of missions, in order of size, as in missions.json but without the mark of the choice.
    best : int
        Index of the chosen one.
    model : MultinomialMixture
        The chosen one, fitted.
    at_edge : bool
        Whether a number beyond those tried might be better still.
    interrupted : bool
        Whether Ctrl-C ended the sweep.
    """

    rows: tuple[dict[str, Any], ...]
    best: int
    model: Any
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
        ``report(stage, done, total, text)``, called after every pass and at the end.

    Returns
    -------
    Sweep
        At least one model, also after Ctrl-C: the fit in progress stops at its next pass.

    Raises
    ------
    KeyboardInterrupt
        At the second Ctrl-C.
    """
    stage = "missions" if len(numbers) == 1 else "sweep"

    def after_pass(progress: Progress) -> None:
        number = progress.model.n_components
        report(stage, numbers.index(number), len(numbers), f"{number} missions, pass {progress.step + 1}")

    report(stage, 0, len(numbers), f"{numbers[0]} missions")
    with quiet():
        selection = select(
            MultinomialMixture(random_state=seed, callbacks=(after_pass,)),
            train,
            n_components=numbers,
            criterion=criterion,
            validation=later if later.shape[0] else None,
            patience=PATIENCE if stop_when_turned else None,
        )
    # Half a fit says little about its size.
    kept = [index for index, row in enumerate(selection.table) if row["reason"] != "interrupted"] or [0]
    rows = tuple(_row(selection.table[index], train.shape[0]) for index in kept)
    best = int(np.argmin([row[criterion] for row in rows]))
    largest = best == len(rows) - 1 and rows[best]["n_components"] < train.shape[0]
    smallest = best == 0 and rows[0]["n_components"] > SMALLEST
    report(stage, len(numbers), len(numbers), f"{rows[best]['n_components']} missions")
    return Sweep(
        rows,
        best,
        selection.estimators[kept[best]].set_params(callbacks=()),
        at_edge=len(rows) > 1 and (largest or smallest),
        interrupted=selection.interrupted,
    )


def _row(found: Mapping[str, Any], n_baskets: int) -> dict[str, Any]:
    """A row of missions.json from one of the sweep's table: log-likelihoods are per basket."""
    same = ("n_components", "bic", "aic", "icl", "n_parameters", "n_iter", "reason", "seconds", "held_out")
    return {
        **{name: found[name] for name in same},
        "log_likelihood": found["log_likelihood"] / n_baskets,
        "starts": [{"objective": value} for value in found["starts"]],
    }


@contextmanager
def quiet() -> Iterator[None]:
    """Keep single fits from warning one by one: what they would say is in the results instead."""
    with warnings.catch_warnings():
        for category in SAID_IN_RESULTS:
            warnings.simplefilter("ignore", category)
        yield
