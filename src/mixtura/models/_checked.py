"""Arguments of methods, checked: numbers of draws, and probabilities inside intervals."""

from __future__ import annotations

import numpy as np

from mixtura.exceptions import InvalidParameterError

__all__ = ["checked_count", "checked_level"]


def checked_count(name: str, value: object, least: int = 1) -> int:
    """A whole number of at least `least`.

    Raises
    ------
    InvalidParameterError
        If it is none.

    Examples
    --------
    >>> checked_count("n_draws", 10)
    10
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        msg = f"{name} is {value!r}; expected a whole number of at least {least}."
        raise InvalidParameterError(msg)
    return int(value)


def checked_level(value: object) -> float:
    """A probability inside an interval, as the argument `level`.

    Raises
    ------
    InvalidParameterError
        If it is none.

    Examples
    --------
    >>> checked_level(0.9)
    0.9
    """
    if not isinstance(value, float | np.floating) or not 0.0 < value < 1.0:
        msg = f"level is {value!r}; expected a number between 0 and 1, such as 0.9."
        raise InvalidParameterError(msg)
    return float(value)
