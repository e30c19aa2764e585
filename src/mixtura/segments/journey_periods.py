"""The calendar of a run of journeys: the time axis, cut into whole months, weeks, days or equal parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mixtura.exceptions import InvalidDataError, InvalidParameterError, did_you_mean

__all__ = ["PERIODS", "Periods", "cut_periods"]

PERIODS = ("month", "week", "day")
# A period of which less than this share is in the data is left out: a month of three days looks like a month of few visits.
WHOLE = 0.9
# Numbers of periods that journeys need, and that are wanted before a longer unit is taken.
LEAST = 3
WANTED = 6
N_PARTS = 10  # of times that are numbers
DAY = np.timedelta64(1, "D")
MONDAY = np.datetime64("1969-12-29")  # the Monday before the epoch


@dataclass(frozen=True)
class Periods:
    """The calendar of a run.

    Parameters
    ----------
    index : ndarray of int, shape (N,)
        Period of each basket; -1 for those in a period that is not whole.
    labels : tuple of str, length T
        Names of the periods, in order.
    unit : {"month", "week", "day", "period"}
        What they are.
    notes : tuple of str
        What was left out.
    """

    index: np.ndarray
    labels: tuple[str, ...]
    unit: str
    notes: tuple[str, ...]


def cut_periods(times: Any, period: str | float | None = None) -> Periods:
    """Cut the time axis into whole periods of one kind.

    Parameters
    ----------
    times : array_like, shape (N,)
        ``datetime64`` or numbers.
    period : {"month", "week", "day"} or float, optional
        The unit; a number is the length of a period where times are numbers. None takes months where there are at least six, else weeks,
        else days; ten equal parts of numbers.

    Returns
    -------
    Periods
        Baskets of a first or last period that the data do not cover are marked -1.

    Raises
    ------
    InvalidParameterError
        If `period` does not fit the times.
    InvalidDataError
        If fewer than three whole periods are left.

    Examples
    --------
    >>> days = np.datetime64("2024-01-01") + np.arange(100)
    >>> cut = cut_periods(days, "month")
    >>> cut.labels, cut.notes
    (('2024-01', '2024-02', '2024-03'), ('2024-04 is not complete in the data, so its 9 baskets are left out.',))
    """
    times = np.asarray(times)
    if times.dtype.kind == "M":
        chosen = _dated(times, period)
    else:
        chosen = _numbered(times.astype(float), period)
    if len(chosen.labels) < LEAST:
        which = f" ({', '.join(chosen.labels)})" if chosen.labels else ""
        smaller = {"month": "'week'", "week": "'day'"}.get(chosen.unit)
        advice = (
            f"take shorter ones (period={smaller}, --period {smaller[1:-1]})" if smaller else "give more data"
        )
        left_out = "".join(f" {note}" for note in chosen.notes)
        message = (
            f"the baskets fall into {len(chosen.labels)} whole {chosen.unit}{'' if len(chosen.labels) == 1 else 's'}{which}.{left_out} "
            f"Expected at least {LEAST}: a journey is what changes from one to the next. Check the time column, or {advice}; "
            "`mixtura segment` needs no time."
        )
        raise InvalidDataError(message)
    return chosen


def _dated(times: np.ndarray, period: str | float | None) -> Periods:
    if period is not None and period not in PERIODS:
        message = f"period={period!r} is not known. {did_you_mean(str(period), PERIODS)}"
        raise InvalidParameterError(message)
    for unit in PERIODS if period is None else (str(period),):
        found = _calendar(times, unit)
        if len(found.labels) >= WANTED:
            return found
    return found


def _calendar(times: np.ndarray, unit: str) -> Periods:
    days = times.astype("datetime64[D]")
    if unit == "month":
        place = times.astype("datetime64[M]").astype(np.int64)
    elif unit == "week":
        place = (days - MONDAY) // (7 * DAY)
    else:
        place = days.astype(np.int64)
    first, last = int(place.min()), int(place.max())

    def begins(number: int) -> Any:
        if unit == "month":
            return np.datetime64(number, "M").astype("datetime64[D]")
        return MONDAY + 7 * number * DAY if unit == "week" else np.datetime64(number, "D")

    shares = [
        (begins(first + 1) - days.min()) / (begins(first + 1) - begins(first)),
        (days.max() + DAY - begins(last)) / (begins(last + 1) - begins(last)),
    ]
    labels = [str(begins(number))[: 7 if unit == "month" else 10] for number in range(first, last + 1)]
    return _whole(np.asarray(place - first), labels, unit, shares)


def _numbered(times: np.ndarray, period: str | float | None) -> Periods:
    first, last = float(times.min()), float(times.max())
    whole = bool((times == np.floor(times)).all())
    span = last - first + whole
    try:
        length = max(span / N_PARTS, float(whole)) if period is None else float(period)
    except ValueError:
        length = float("nan")
    if not (length > 0 and np.isfinite(length)):
        message = (
            f"period={period!r}, but the time column holds numbers. Expected the length of a period in their unit, a number above 0 "
            "such as 7; or leave it out for ten equal parts."
        )
        raise InvalidParameterError(message)
    if whole and period is None:
        length = float(np.ceil(length))
    index = (
        np.floor((times - first) / length).astype(np.int64) if length < np.inf else np.zeros(len(times), int)
    )
    n_periods = int(index.max()) + 1
    labels = [
        f"{first + t * length:.6g} to {first + (t + 1) * length - whole:.6g}"
        if length > 1 or not whole
        else f"{first + t:.6g}"
        for t in range(n_periods)
    ]
    covered = (last + whole - (first + (n_periods - 1) * length)) / length
    return _whole(index, labels, "period", [1.0, covered])


def _whole(index: np.ndarray, labels: list[str], unit: str, shares: Sequence[float]) -> Periods:
    """Leave out the first and the last period where the data do not cover them."""
    keep = [0, len(labels)]
    notes = []
    for end, (place, share) in enumerate(zip((0, len(labels) - 1), shares, strict=True)):
        if share >= WHOLE or keep[1] - keep[0] < 1 or (end == 1 and len(labels) == 1):
            continue
        keep[end] = 1 if end == 0 else len(labels) - 1
        n_baskets = int((index == place).sum())
        notes.append(
            f"{labels[place]} is not complete in the data, so its {n_baskets:,} basket{'s are' if n_baskets != 1 else ' is'} left out."
        )
    index = np.where((index >= keep[0]) & (index < keep[1]), index - keep[0], -1)
    return Periods(index, tuple(labels[keep[0] : keep[1]]), unit, tuple(notes))
