"""Numbers, dates and lists in plain words: how the report writes what it knows."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, TypeGuard

__all__ = [
    "NBSP",
    "UNKNOWN",
    "count",
    "date",
    "how_much_more_probable",
    "is_number",
    "lift",
    "lift_range",
    "listing",
    "money",
    "month",
    "number",
    "percent",
    "period",
    "sentence",
    "sentence_case",
    "share_of_all",
    "soften",
]

UNKNOWN = "–"
_KEPT = frozenset({"BBQ", "CD", "DVD", "PC", "TV", "UHT", "UK", "USA", "XL"})
NBSP = "\N{NO-BREAK SPACE}"


def is_number(value: Any) -> TypeGuard[float]:
    """Whether `value` is a finite number (a boolean is not).

    Examples
    --------
    >>> is_number(1.5), is_number(None), is_number(float("nan")), is_number(True)
    (True, False, False, False)
    """
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def number(value: Any, digits: int = 0) -> str:
    """A number with separated thousands, or a dash where there is none.

    Examples
    --------
    >>> number(121140), number(-28.4121, 2), number(None)
    ('121,140', '−28.41', '–')
    """
    if not is_number(value):
        return UNKNOWN
    text = f"{value:,.{digits}f}"
    if text.startswith("-"):
        text = text[1:] if not text.strip("-0.,") else "−" + text[1:]
    return text


def percent(value: Any, digits: int = 1) -> str:
    r"""A share as a percentage; a small share is not rounded to nothing.

    Examples
    --------
    >>> percent(0.616).replace("\xa0", " "), percent(0.00004).replace("\xa0", " "), percent(None)
    ('61.6 %', 'under 0.1 %', '–')
    """
    if not is_number(value):
        return UNKNOWN
    smallest = 10.0**-digits
    if 0 < 100 * value < smallest / 2:
        return f"under {smallest:g}{NBSP}%"
    return f"{number(100 * value, digits)}{NBSP}%"


def share_of_all(value: Any) -> str:
    r"""A share of a whole, without a decimal where it would not matter.

    Examples
    --------
    >>> share_of_all(0.3333).replace("\xa0", " "), share_of_all(0.0333).replace("\xa0", " ")
    ('33 %', '3.3 %')
    """
    return percent(value, 0 if is_number(value) and value >= 0.1 else 1)


def lift(value: Any) -> str:
    """A lift as a factor: how many times as common as in all baskets.

    Examples
    --------
    >>> lift(4.239), lift(25.31), lift(0.02), lift(None)
    ('4.2×', '25×', '<0.1×', '–')
    """
    if not is_number(value):
        return UNKNOWN
    if value < 0.05:  # would be written 0.0
        return "<0.1×"
    return f"{number(value, 1 if value < 9.95 else 0)}×"


def lift_range(low: Any, high: Any) -> str | None:
    """The range in which a lift lies, or None if it is unknown.

    Examples
    --------
    >>> lift_range(3.871, 4.62), lift_range(0.08, 0.21), lift_range(None, 2.0)
    ('3.9–4.6', '0.1–0.2', None)
    """
    if not (is_number(low) and is_number(high)):
        return None
    digits = 1 if high < 9.95 else 0
    return f"{number(low, digits)}–{number(high, digits)}"


def money(value: Any) -> str:
    """An amount in the currency of the data, which the data do not name.

    Examples
    --------
    >>> money(1234567.8), money(15.349), money(None)
    ('1,234,568', '15.35', '–')
    """
    return number(value, 2 if is_number(value) and abs(value) < 100 else 0)


def count(value: Any, singular: str, plural: str | None = None) -> str:
    """A number and its noun.

    Examples
    --------
    >>> count(1, "basket"), count(2500, "basket"), count(2, "category", "categories")
    ('1 basket', '2,500 baskets', '2 categories')
    """
    noun = singular if value == 1 else plural or singular + "s"
    return f"{number(value)} {noun}"


def date(value: Any, *, clock: bool = False) -> str:
    """A day in words from an ISO date; text that is no date is returned as it is.

    Examples
    --------
    >>> date("2017-10-22T17:40:00"), date("2017-10-22T17:40:00", clock=True), date("week 12"), date(None)
    ('22 October 2017', '22 October 2017, 17:40', 'week 12', '–')
    """
    if value is None:
        return UNKNOWN
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return str(value)
    return f"{moment.day} {moment:%B %Y}" + (f", {moment:%H:%M}" if clock else "")


def month(value: Any) -> str:
    """A month in words from ``2017-01``; other periods are returned as they are.

    Examples
    --------
    >>> month("2017-03"), month("2017-W12")
    ('Mar 2017', '2017-W12')
    """
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", str(value)):
        return str(value)
    return f"{datetime.fromisoformat(f'{value}-01'):%b %Y}"


def period(first: Any, last: Any) -> str | None:
    """From when to when, or None if neither is known.

    Examples
    --------
    >>> period("2017-01-01", "2017-12-31")
    '1 January 2017 to 31 December 2017'
    """
    if first is None and last is None:
        return None
    return f"{date(first)} to {date(last)}"


def listing(items: Iterable[str], *, limit: int | None = None) -> str:
    """Items in a sentence.

    Examples
    --------
    >>> listing(["milk", "eggs", "bread"]), listing("abcde", limit=2)
    ('milk, eggs and bread', 'a, b and 3 more')
    """
    parts = list(items)
    if limit is not None and len(parts) > limit:
        parts = [*parts[:limit], f"{len(parts) - limit} more"]
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def how_much_more_probable(nats: float, standard_error: Any = None) -> str:
    r"""A difference of log-likelihoods per basket as a ratio of probabilities.

    Parameters
    ----------
    nats : float
        The mean difference, natural logarithm.
    standard_error : float, optional
        Its standard error; then a range of 95 % is added.

    Returns
    -------
    str
        Such as ``"41 % more probable (95 % range: 39 % to 42 %)"``.

    Examples
    --------
    >>> how_much_more_probable(0.341, 0.0061).replace("\xa0", " ")
    '41 % more probable (95 % range: 39 % to 42 %)'
    >>> how_much_more_probable(-0.1).replace("\xa0", " ")
    '10 % less probable'
    >>> how_much_more_probable(3.0)
    '20 times as probable'
    """
    with_range = is_number(standard_error)
    ends = (nats - 1.96 * standard_error, nats + 1.96 * standard_error) if with_range else (nats, nats)
    if nats > 1.1:
        ratios = [_factor(value) for value in (nats, *ends)]
        main, low, high = f"{ratios[0]} times as probable", ratios[1], ratios[2]
    else:
        sign = 1 if nats >= 0 else -1
        changes = [sign * math.expm1(value) for value in (nats, *ends)]
        digits = 0 if abs(changes[0]) >= 0.05 else 1
        main = f"{percent(changes[0], digits)} {'more' if sign > 0 else 'less'} probable"
        low, high = (percent(value, digits) for value in sorted(changes[1:]))
    return f"{main} (95{NBSP}% range: {low} to {high})" if with_range else main


def _factor(nats: float) -> str:
    ratio = math.exp(min(nats, 700.0))
    return number(ratio, 1 if ratio < 10 else 0) if ratio < 1e6 else f"{ratio:.0e}"


def soften(names: Sequence[str]) -> bool:
    """Whether names are mostly in capitals, as in many item tables, and read better in sentence case.

    Examples
    --------
    >>> soften(["FLUID MILK PRODUCTS", "EGGS"]), soften(["Milk", "EGGS", "Bread"])
    (True, False)
    """
    lettered = [name for name in names if any(letter.isalpha() for letter in name)]
    capitals = sum(name == name.upper() for name in lettered)
    return bool(lettered) and capitals > 0.8 * len(lettered)


def sentence(text: str) -> str:
    """Text that ends as a sentence does.

    Examples
    --------
    >>> sentence("BIC is lowest at 30 missions"), sentence("Done.")
    ('BIC is lowest at 30 missions.', 'Done.')
    """
    return text if text.endswith((".", "!", "?")) else text + "."


def sentence_case(name: str) -> str:
    """A name in capitals as a calm one; well-known abbreviations keep their capitals.

    Examples
    --------
    >>> sentence_case("BAKED BREAD/BUNS/ROLLS"), sentence_case("BBQ SAUCES"), sentence_case("Soft drinks")
    ('Baked bread/buns/rolls', 'BBQ sauces', 'Soft drinks')
    """
    if name != name.upper():
        return name
    lowered = re.sub(r"[^\W\d_]+", lambda word: word[0] if word[0] in _KEPT else word[0].lower(), name)
    return lowered[:1].upper() + lowered[1:]
