"""Bayesian runs: how many missions and segments there are is inferred, from a largest number that is allowed.

Missions come from a mixture with Dirichlet priors whose superfluous components are merged or left out while the bound on the log
evidence rises. The law of segments (Dirichlet-multinomial) has no conjugate prior; their evidence is Schwarz's approximation, minus
half of BIC, for each number in turn.

References
----------
.. [1] A. E. Raftery (1995), "Bayesian model selection in social research", Sociological Methodology 25, 111-163: probabilities of
   models from BIC.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mixtura.exceptions import InvalidParameterError
from mixtura.inference.driver import Progress
from mixtura.models import BayesianGroupedMultinomialMixture, MultinomialMixture
from mixtura.segments.sureness import number_of_components
from mixtura.segments.sweep import MISSIONS, SEGMENTS, Level, Report, Sweep, quiet, schedule

__all__ = ["MOST", "Inference", "Search", "inference_options", "inferred_missions", "inferred_segments"]

# The largest numbers, where none are given: more could be found, but hardly be told to people.
MOST = {"missions": 60, "segments": 12}
ROWS_EACH = 5  # baskets or customers for each component at the start, at least
GLOBAL_STEPS = 100  # of the mixture with one mix for everybody, which starts at the result


@dataclass(frozen=True)
class Inference:
    """What a user asked a Bayesian run for.

    Parameters
    ----------
    most : dict of str to int
        Largest number of missions and of segments.
    """

    most: dict[str, int]


@dataclass(frozen=True)
class Search:
    """How a number was inferred.

    Parameters
    ----------
    told : dict
        What the results say about it: "inferred", "most", "at_most", "bound", "path", "probability", "as_good".
    household : BayesianGroupedMultinomialMixture or None
        The fitted mixture; None for segments.
    """

    told: dict[str, Any]
    household: Any = None


def inference_options(
    bayes: bool, max_missions: int | None, max_segments: int | None, options: dict[str, Any]
) -> Inference | None:
    """Check what belongs to Bayesian runs.

    Parameters
    ----------
    bayes : bool
        Whether numbers are inferred.
    max_missions, max_segments : int or None
        Largest numbers.
    options : dict
        level, criterion, n_missions and n_segments of the run.

    Returns
    -------
    Inference or None
        None without `bayes`.

    Raises
    ------
    InvalidParameterError
        If options contradict each other.

    Examples
    --------
    >>> options = {"level": "both", "criterion": "bic", "n_missions": None, "n_segments": 4}
    >>> inference_options(True, 30, None, options).most
    {'missions': 30, 'segments': 12}
    """
    if not isinstance(bayes, bool | np.bool_):
        message = f"bayes: found {bayes!r}. Expected True or False."
        raise InvalidParameterError(message)
    most = dict(MOST)
    for level, given, without in ((MISSIONS, max_missions, "customers"), (SEGMENTS, max_segments, "baskets")):
        name, numbers = f"max_{level.noun}", options[level.option]
        if given is not None:
            _refuse_most(name, given, level, bayes=bayes, none=options["level"] == without, numbers=numbers)
            most[level.noun] = int(given)
        if bayes and numbers is not None and np.size(numbers if np.ndim(numbers) else [numbers]) != 1:
            message = (
                f"{level.option}: found several numbers to choose from, but a Bayesian run (bayes, --bayes) infers the number. "
                f"Give one number to keep it, or the largest one ({name}, --{name.replace('_', '-')})."
            )
            raise InvalidParameterError(message)
    if not bayes:
        return None
    if options["criterion"] != "bic":
        message = (
            f"criterion={options['criterion']!r} with bayes: a Bayesian run infers the numbers from the evidence, and no criterion "
            "chooses them. Leave one of the two out."
        )
        raise InvalidParameterError(message)
    return Inference(most)


def _refuse_most(name: str, given: Any, level: Level, *, bayes: bool, none: bool, numbers: Any) -> None:
    """Refuse a largest number that makes no sense."""
    flag = f"--{name.replace('_', '-')}"
    if not bayes:
        message = (
            f"{name}: found {given!r} without bayes. Only a Bayesian run infers a number up to a largest one: add bayes=True "
            f"(--bayes), or give the numbers to choose from ({level.option}, --{level.noun})."
        )
    elif none:
        message = (
            f"{name}: found {given!r}, but no {level.noun} are looked for at this level. Leave {flag} out."
        )
    elif numbers is not None:
        message = f"{name}: found {given!r} beside a given number of {level.noun}. Expected one of the two: leave one out."
    elif (
        isinstance(given, bool)
        or not isinstance(given, int | np.integer)
        or not level.usual[0] <= given <= 500
    ):
        message = f"{name}: found {given!r}. Expected a whole number from {level.usual[0]} to 500, such as {MOST[level.noun]}."
    else:
        return
    raise InvalidParameterError(message)


def inferred_missions(
    train: Any,
    customers: np.ndarray,
    numbers: int | Iterable[int] | None,
    most: int,
    seed: int,
    report: Report,
) -> tuple[Sweep, Search]:
    """Learn missions and their number.

    Parameters
    ----------
    train : scipy.sparse.csr_array, shape (N, C)
        Baskets before the split.
    customers : ndarray, shape (N,)
        Their customers.
    numbers : int, iterable of int, or None
        One number, which is kept; None infers it.
    most : int
        The largest number.
    seed : int
        Of the starts.
    report : callable
        ``report(stage, done, total, text)``.

    Returns
    -------
    Sweep
        Its model is the mixture with one mix for everybody, at the missions found.
    Search
        With the household mixture.
    """
    fixed = None if numbers is None else schedule(numbers, train.shape[0])[0]
    first = fixed or max(min(most, train.shape[0] // ROWS_EACH), MISSIONS.usual[0])

    def after_pass(progress: Progress) -> None:
        now = progress.model.n_components
        done = 0 if fixed else first - now
        report("missions", done, first, f"{now} missions, pass {progress.step + 1}")

    report("missions", 0, first, f"{first} missions at first")
    model = BayesianGroupedMultinomialMixture(
        first, infer_number=fixed is None, random_state=seed, callbacks=(after_pass,)
    )
    with quiet():
        model.fit(train, groups=customers)
        model.set_params(callbacks=())
        found = len(model.weights_)
        population = MultinomialMixture(
            found,
            weights_init=model.weights_,
            profiles_init=model.profiles_,
            max_iter=GLOBAL_STEPS,
            random_state=seed,
        ).fit(train)
    report("missions", first, first, f"{found} missions")
    tried = [
        {"n_components": one.n_components, "bound": one.bound, "short": one.short} for one in model.path_
    ]
    interrupted = model.stop_reason_ == "interrupted" or model.interrupted_
    told = _told(tried, train.shape[0], found, None if fixed else first)
    rows = tuple(_row(entry, model if entry["n_components"] == found else None) for entry in told["path"])
    best = next(index for index, row in enumerate(rows) if row["n_components"] == found)
    sentence = _sentence(MISSIONS, told, found, interrupted=interrupted)
    sweep = Sweep(
        rows, best, population, told["at_most"], interrupted, sentence, "given" if fixed else "bound"
    )
    return sweep, Search(told, model)


def inferred_segments(found: Sweep, n_customers: int, *, given: bool, most: int) -> tuple[Sweep, Search]:
    """Probabilities of the numbers of segments that were tried.

    Parameters
    ----------
    found : Sweep
        Numbers of segments up to the largest one, until BIC turned.
    n_customers : int
        Customers learnt from.
    given : bool
        Whether the user gave the number.
    most : int
        The largest number.

    Returns
    -------
    Sweep
        The same with another sentence.
    Search
        What the results say about the number.
    """
    tried = [
        {"n_components": row["n_components"], "bound": -row["bic"] / 2, "short": False} for row in found.rows
    ]
    number = found.rows[found.best]["n_components"]
    told = _told(tried, n_customers, number, None if given else most)
    told["approximation"] = "bic"
    sentence = _sentence(SEGMENTS, told, number, interrupted=found.interrupted)
    sweep = Sweep(
        found.rows,
        found.best,
        found.model,
        told["at_most"],
        found.interrupted,
        sentence,
        "given" if given else "bound",
    )
    return sweep, Search(told)


def _told(tried: list[dict[str, Any]], n_rows: int, found: int, most: int | None) -> dict[str, Any]:
    number = number_of_components(tried, n_rows, found)
    bound = next(row["bound"] for row in tried if row["n_components"] == found)
    at_most = most is not None and found >= most
    return {"inferred": most is not None, "most": most, "at_most": at_most, "bound": bound, **number}


def _row(entry: dict[str, Any], model: Any) -> dict[str, Any]:
    """A row of "criteria": the bound in place of criteria, which there are none of."""
    unknown = (
        "bic",
        "aic",
        "icl",
        "n_parameters",
        "n_iter",
        "reason",
        "seconds",
        "held_out",
        "log_likelihood",
    )
    row: dict[str, Any] = {"n_components": entry["n_components"], **dict.fromkeys(unknown), "starts": []}
    if model is not None:
        row |= {"n_iter": model.n_iter_, "reason": model.stop_reason_}
    return row | {"bound": entry["bound"]}


def _sentence(level: Level, told: dict[str, Any], found: int, *, interrupted: bool) -> str:
    """How the number came about."""
    noun = level.noun
    counted = f"{found} {noun if found != 1 else noun[:-1]}"
    if not told["inferred"]:
        return f"{counted}, as asked for"
    text = f"{counted} inferred, of at most {told['most']}"
    if interrupted:
        return f"{text}; the search was interrupted, so it may be too many"
    if told["at_most"]:
        return f"{counted}, the most that were allowed: the evidence still rises there"
    low, high = told["as_good"]
    others = f"; {low} to {high} are nearly as good" if high > low else ""
    return text + others
