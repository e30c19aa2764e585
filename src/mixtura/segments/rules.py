"""Which values of a category column are frequent enough to count on their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mixtura.exceptions import InvalidParameterError
from mixtura.segments.options import check_known

__all__ = ["Rules", "number_or_share"]

RARE = ("other", "drop")


@dataclass(frozen=True)
class Rules:
    """Which values get a column of their own.

    Parameters
    ----------
    min_support : int or float, optional
        Baskets that a value must occur in: a number, or a share of all baskets below 1.
    rare : {"other", "drop"}
        What becomes of the rest.
    top_items : int, optional
        The most frequent values of each level to keep.
    """

    min_support: int | float | None = None
    rare: str = "other"
    top_items: int | None = None

    def __post_init__(self) -> None:
        """Refuse what makes no sense.

        Raises
        ------
        InvalidParameterError
            If an option is outside its domain.
        """
        check_known("rare", self.rare, RARE)
        support = self.min_support
        if support is not None:
            share = isinstance(support, float | np.floating) and 0 < support < 1
            if not share and not _is_count(support):
                message = (
                    f"min_support: found {support!r}. Expected a whole number of baskets from 1 on, such as 50, "
                    "or a share of them between 0 and 1, such as 0.001."
                )
                raise InvalidParameterError(message)
        if self.top_items is not None and not _is_count(self.top_items):
            message = (
                f"top_items: found {self.top_items!r}. Expected a whole number from 1 on, such as 100: how many "
                "of the most frequent values to keep."
            )
            raise InvalidParameterError(message)

    @property
    def counts_baskets(self) -> bool:
        """Whether it matters how many baskets a value occurs in."""
        return self.min_support is not None or self.top_items is not None

    def least(self, n_baskets: int) -> int:
        """Baskets that a value must occur in.

        Examples
        --------
        >>> Rules(min_support=0.001).least(12_345), Rules().least(12_345)
        (13, 1)
        """
        if self.min_support is None:
            return 1
        if self.min_support < 1:
            return int(np.ceil(self.min_support * n_baskets))
        return int(self.min_support)


def _is_count(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and int(value) >= 1


def number_or_share(text: str) -> int | float:
    """A minimum support from the command line: ``"50"`` baskets, ``"0.001"`` or ``"0.1%"`` of them.

    Parameters
    ----------
    text : str
        What was typed.

    Returns
    -------
    int or float
        As `Rules` takes it.

    Raises
    ------
    InvalidParameterError
        If it is not a number.

    Examples
    --------
    >>> number_or_share("50"), number_or_share("1e3"), number_or_share("0.1%")
    (50, 1000, 0.001)
    """
    try:
        if text.strip().endswith("%"):
            return float(text.strip()[:-1]) / 100
        value = float(text)
        return int(value) if value.is_integer() and "." not in text else value
    except ValueError as error:
        message = (
            f"the minimum support {text!r} is not a number. Expected a number of baskets, such as 50, or a share "
            "of them, such as 0.001 or 0.1%."
        )
        raise InvalidParameterError(message) from error
