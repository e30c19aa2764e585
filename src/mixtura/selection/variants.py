"""What a sweep varies beside K: covariance types and numbers of factors, and which are special cases of which."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from mixtura.components import MCLUST
from mixtura.components.eigen import covariance_code, nested_codes

__all__ = ["VARIED", "Variant", "variants"]


def _type_within(one: str, other: str) -> bool:
    """Whether a covariance type is another one or nested in it; unknown names are nested in nothing."""
    code = covariance_code(str(one))
    if code == covariance_code(str(other)):
        return True
    return covariance_code(str(other)) in MCLUST and code in nested_codes(other)


def _fewer(one: int, other: int) -> bool:
    """Whether so many factors are at most as many as the other; loadings of zero make them as many."""
    return one <= other


# Settings that a sweep may vary: whether one value is a special case of another (or the same), and what it is called.
_WITHIN: dict[str, Callable[[Any, Any], bool]] = {"covariance_type": _type_within, "n_factors": _fewer}
_CALLED: dict[str, Callable[[Any], str]] = {
    "covariance_type": lambda kind: covariance_code(str(kind)),
    "n_factors": lambda q: f"{q} factor{'' if q == 1 else 's'}",
}
#: Names of these settings, in the order of a table's columns.
VARIED = tuple(_WITHIN)


@dataclass(frozen=True)
class Variant:
    """One combination of settings.

    Parameters
    ----------
    settings : tuple of (str, object)
        Constructor arguments and their values; empty where nothing but K varies.

    Examples
    --------
    >>> one, two = variants({"n_factors": [1, 2]})
    >>> one.inside(two), two.inside(one), str(two)
    (True, False, '2 factors')
    """

    settings: tuple[tuple[str, Any], ...]

    def __str__(self) -> str:
        return ", ".join(_CALLED[name](value) for name, value in self.settings)

    def within(self, other: Variant) -> bool:
        """Whether every model of this variant is one of the other's."""
        pairs = zip(self.settings, other.settings, strict=True)
        return all(_WITHIN[name](one, wider) for (name, one), (_, wider) in pairs)

    def inside(self, other: Variant) -> bool:
        """The same, but not the other way round."""
        return self.within(other) and not other.within(self)

    def largest_inside(self, others: Sequence[Variant]) -> list[Variant]:
        """Those of the others that are special cases of this variant, without those nested in one of these."""
        cases = [other for other in others if other.inside(self)]
        return [case for case in cases if not any(case.inside(other) for other in cases)]


def variants(values: Mapping[str, Sequence[Any] | None]) -> list[Variant]:
    """All combinations of the given values; settings without values stay as the estimator has them.

    Parameters
    ----------
    values : mapping of str to sequence
        Values of each setting to vary, or None.

    Returns
    -------
    list of Variant
        At least one.

    Examples
    --------
    >>> [str(one) for one in variants({"covariance_type": ["EEI", "diag"], "n_factors": None})]
    ['EEI', 'VVI']
    """
    given = {name: list(dict.fromkeys(some)) for name, some in values.items() if some is not None}
    return [Variant(tuple(zip(given, combination, strict=True))) for combination in product(*given.values())]
