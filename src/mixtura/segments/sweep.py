"""How many missions or segments: mixtures of growing size, each also started from the last, until the criterion turns."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone

from mixtura.exceptions import (
    ConvergenceWarning,
    DegeneracyWarning,
    EdgeOfRangeWarning,
    InterruptedWarning,
    InvalidParameterError,
    SpuriousSolutionWarning,
    StartsDisagreeWarning,
)
from mixtura.inference.driver import Progress
from mixtura.selection import select

__all__ = [
    "CRITERIA",
    "MISSIONS",
    "SEGMENTS",
    "Level",
    "Sweep",
    "numbers_from_text",
    "quiet",
    "schedule",
    "sweep",
]

CRITERIA = ("bic", "aic", "icl")
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
class Level:
    """What is looked for, and in what.

    Parameters
    ----------
    noun : str
        Of one result, in the plural: ``"missions"`` or ``"segments"``; also the stage of the progress.
    option : str
        The argument with the numbers.
    unit : str
        Of one row, in the plural.
    usual : tuple of int
        Numbers tried when none are given.
    """

    noun: str
    option: str
    unit: str
    usual: tuple[int, ...]


MISSIONS = Level(
    "missions", "n_missions", "baskets", (*range(2, 11), 12, 15, *range(20, 101, 10), 120, 150, 200, 300, 500)
)
SEGMENTS = Level("segments", "n_segments", "customers", (*range(1, 13), 15, 20, 25, 30))


@dataclass(frozen=True)
class Sweep:
    """All that was tried, and the choice.

    Parameters
    ----------
    rows : tuple of dict
        One per number, in order of size, as in the results but without the mark of the choice.
    best : int
        Index of the chosen one.
    model : MultinomialMixture or DirichletMultinomialMixture
        The chosen one, fitted.
    at_edge : bool
        Whether a number beyond those tried might be better still.
    interrupted : bool
        Whether Ctrl-C ended the sweep.
    sentence : str, optional
        How the choice came about, where it was not the lowest criterion.
    criterion : str, optional
        By what it was chosen, where that was not the criterion of the run.
    """

    rows: tuple[dict[str, Any], ...]
    best: int
    model: Any
    at_edge: bool
    interrupted: bool
    sentence: str | None = None
    criterion: str | None = None


def numbers_from_text(text: str, noun: str = "missions") -> list[int]:
    """Read numbers of missions or segments as they are written on a command line.

    Parameters
    ----------
    text : str
        Numbers and ranges, separated by commas.
    noun : str
        What is counted, for messages.

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
    >>> numbers_from_text("30"), numbers_from_text("2..5,8, 12")
    ([30], [2, 3, 4, 5, 8, 12])
    """
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,6})\s*(?:(?:\.\.|-|:)\s*(\d{1,6})\s*)?", part)
        if match is None:
            message = (
                f"{noun}: {text!r} cannot be read at {part!r}. Expected numbers and ranges such as '30' or "
                "'2..10,12,15'."
            )
            raise InvalidParameterError(message)
        first = int(match.group(1))
        last = int(match.group(2) or first)
        if last < first:
            message = f"{noun}: the range {part!r} runs backwards. Expected the smaller number first."
            raise InvalidParameterError(message)
        found |= set(range(first, last + 1))
    return sorted(found)


def schedule(numbers: int | Iterable[int] | None, n_rows: int, level: Level = MISSIONS) -> list[int]:
    """Numbers of components to try.

    Parameters
    ----------
    numbers : int, iterable of int, or None
        Given by the user; None stands for the usual ones, until the criterion turns.
    n_rows : int
        Baskets or customers to learn from: there cannot be more components than rows.
    level : Level
        What is looked for.

    Returns
    -------
    list of int
        Ascending.

    Raises
    ------
    InvalidParameterError
        If a number is not between the smallest usual one and `n_rows`.

    Examples
    --------
    >>> schedule(None, 9), schedule(4, 100), schedule({5, 3}, 100)
    ([2, 3, 4, 5, 6, 7, 8, 9], [4], [3, 5])
    """
    if numbers is None:
        found = [number for number in level.usual if number <= n_rows]
    elif isinstance(numbers, int | np.integer):
        found = [int(numbers)]
    else:
        found = sorted({int(number) for number in numbers})
    for number in found:
        if not level.usual[0] <= number <= n_rows:
            message = (
                f"{level.option}: found {number}. Expected a number from {level.usual[0]} to the number of "
                f"{level.unit} before the split, {n_rows:,}. Ask for "
                f"{'more' if number < level.usual[0] else 'fewer'} {level.noun}."
            )
            raise InvalidParameterError(message)
    if not found:
        message = (
            f"{level.option}: nothing to try with {n_rows} {level.unit} before the split. Give more data."
        )
        raise InvalidParameterError(message)
    return found


def sweep(
    estimator: Any,
    train: Any,
    later: Any,
    numbers: Sequence[int],
    *,
    level: Level,
    criterion: str,
    stop_when_turned: bool,
    report: Report,
) -> Sweep:
    """Fit one mixture per number of components, and choose.

    Parameters
    ----------
    estimator : MultinomialMixture or DirichletMultinomialMixture
        With everything but the number and the callbacks set.
    train : scipy.sparse.csr_array or ndarray, shape (N, C)
        Rows before the split; all criteria are computed on these.
    later : scipy.sparse.csr_array or None, shape (M, C)
        Rows after the split, for the held-out score that is shown beside.
    numbers : sequence of int
        Ascending.
    level : Level
        What is looked for, for the progress.
    criterion : {"bic", "aic", "icl"}
        Lower is better.
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
    stage = level.noun

    def after_pass(progress: Progress) -> None:
        number = progress.model.n_components
        done = numbers.index(number) if number in numbers else 0
        report(stage, done, len(numbers), f"{number} {level.noun}, pass {progress.step + 1}")

    report(stage, 0, len(numbers), f"{numbers[0]} {level.noun}")
    with quiet():
        selection = select(
            clone(estimator).set_params(callbacks=(after_pass,)),
            train,
            n_components=numbers,
            criterion=criterion,
            validation=None if later is None or not later.shape[0] else later,
            patience=PATIENCE if stop_when_turned else None,
        )
    # Half a fit says little about its size.
    kept = [index for index, row in enumerate(selection.table) if row["reason"] != "interrupted"] or [0]
    rows = tuple(_row(selection.table[index], train.shape[0]) for index in kept)
    best = int(np.argmin([row[criterion] for row in rows]))
    largest = best == len(rows) - 1 and rows[best]["n_components"] < train.shape[0]
    smallest = best == 0 and rows[0]["n_components"] > level.usual[0]
    report(stage, len(numbers), len(numbers), f"{rows[best]['n_components']} {level.noun}")
    return Sweep(
        rows,
        best,
        selection.estimators[kept[best]].set_params(callbacks=()),
        at_edge=len(rows) > 1 and (largest or smallest),
        interrupted=selection.interrupted,
    )


def _row(found: Mapping[str, Any], n_rows: int) -> dict[str, Any]:
    """A row of the results from one of the sweep's table: log-likelihoods are per basket or customer."""
    same = ("n_components", "bic", "aic", "icl", "n_parameters", "n_iter", "reason", "seconds", "held_out")
    return {
        **{name: found[name] for name in same},
        "log_likelihood": found["log_likelihood"] / n_rows,
        "starts": [{"objective": value} for value in found["starts"]],
    }


@contextmanager
def quiet() -> Iterator[None]:
    """Keep single fits from warning one by one: what they would say is in the results instead."""
    with warnings.catch_warnings():
        for category in SAID_IN_RESULTS:
            warnings.simplefilter("ignore", category)
        yield
