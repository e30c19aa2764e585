"""Options of a run, refused where they make no sense; and progress that nobody asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from mixtura.exceptions import InvalidParameterError, did_you_mean

__all__ = ["LARGEST_SEED", "check_known", "silent", "whole_number"]

LARGEST_SEED = 2**32 - 1


def check_known(name: str, value: object, known: Iterable[str]) -> None:
    """Refuse a choice that there is not.

    Raises
    ------
    InvalidParameterError
        With the nearest known one.
    """
    choices = tuple(known)
    if value not in choices:
        message = f"{name}={value!r} is not known. {did_you_mean(str(value), choices)}"
        raise InvalidParameterError(message)


def whole_number(name: str, value: Any, largest: int) -> int:
    """A whole number from 0 to the largest.

    Raises
    ------
    InvalidParameterError
        If it is none.

    Examples
    --------
    >>> whole_number("bootstrap", 10, 1000)
    10
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not 0 <= value <= largest:
        message = f"{name}: found {value!r}. Expected a whole number from 0 to {largest:,}, such as 0."
        raise InvalidParameterError(message)
    return int(value)


def silent(stage: str, done: int, total: int, text: str) -> None:
    """Progress that nobody asked for."""
