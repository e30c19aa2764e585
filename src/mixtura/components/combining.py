"""What components made of components share: taking a user's word for one, errors of several, sums laid side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from mixtura.components import hooks
from mixtura.exceptions import Degenerate, DegenerateComponentError, InvalidParameterError
from mixtura.families import ExponentialFamily, FamilyComponents, Multinomial
from mixtura.families.multinomial import MultinomialComponents
from mixtura.protocols import Array, Component, Encoding
from mixtura.statistics import Statistics

__all__ = [
    "all_supports",
    "any_outside",
    "as_component",
    "described",
    "interleaved",
    "maximized",
    "needs_own_origin",
    "padded",
    "reasons_by_component",
]

# What makes an object a component. (isinstance with a protocol reads properties, which a blank component has not yet.)
_METHODS = ("encode", "log_prob", "expected_statistics", "maximize", "take", "sample")


def as_component(given: Any, where: str) -> Any:
    """A component, or the components of a family.

    Parameters
    ----------
    given : Component or ExponentialFamily
        What the user wrote.
    where : str
        Whose component it is, for the message.

    Raises
    ------
    InvalidParameterError
        If it is neither.

    Examples
    --------
    >>> from mixtura.families import Poisson
    >>> as_component(Poisson(), "block 'visits'")
    FamilyComponents(Poisson, blank)
    """
    if isinstance(given, Multinomial):
        return MultinomialComponents()
    if isinstance(given, ExponentialFamily):
        return FamilyComponents(given)
    if isinstance(given, type) or not all(callable(getattr(given, name, None)) for name in _METHODS):
        msg = (
            f"{where} is {given!r}; expected a component (Gaussian(), Product({{...}}), ...) or an exponential family "
            "(Poisson(), Categorical(levels), ...), as an object. See docs/add-a-family.md for your own."
        )
        raise InvalidParameterError(msg)
    return given


def described(component: Component) -> str:
    """A component's name in words."""
    return str(getattr(component, "name", type(component).__name__))


def needs_own_origin(component: Component, encoding: Encoding) -> bool:
    """Whether the component asks to take its sums about its own means."""
    asks: Callable[[Encoding], bool] = getattr(component, "needs_own_origin", lambda _: False)
    return bool(asks(encoding))


def maximized(steps: Iterable[tuple[str, Callable[[], Any], Sequence[int] | Array]]) -> list[Any]:
    """Results of several M-steps, or one error that names every component without a maximum in any of them.

    Parameters
    ----------
    steps : iterable of (str, callable, sequence of int)
        What it is, in words; the step; the component (of the whole) that each of its components belongs to.

    Raises
    ------
    DegenerateComponentError
        One event a component, with all reasons.
    """
    done: list[Any] = []
    found: dict[int, list[Degenerate]] = {}
    for label, step, places in steps:
        try:
            done.append(step())
        except DegenerateComponentError as error:
            for event in error.events:
                place = int(places[event.component])
                reason = f"{label}: {event.reason}" if label else event.reason
                found.setdefault(place, []).append(Degenerate(place, event.count, reason))
    if found:
        raise DegenerateComponentError(
            Degenerate(k, max(one.count for one in found[k]), "; ".join(one.reason for one in found[k]))
            for k in sorted(found)
        )
    return done


def reasons_by_component(
    parts: Iterable[tuple[str, dict[int, str], Sequence[int] | Array]],
) -> dict[int, str]:
    """Suspects of several parts as suspects of the whole; places as for `maximized`."""
    joined: dict[int, list[str]] = {}
    for label, reasons, places in parts:
        for k, reason in reasons.items():
            joined.setdefault(int(places[k]), []).append(f"{label}: {reason}" if label else reason)
    return {k: "; ".join(joined[k]) for k in sorted(joined)}


def padded(stats: Statistics, rows: Array, size: int) -> Statistics:
    """Sums of some components as sums of `size` of them, zero in all others; `take(rows)` undoes it.

    Parameters
    ----------
    stats : Statistics
        Of as many components as there are `rows`.
    rows : ndarray of int
        The place of each.
    size : int
        K of the whole.

    Examples
    --------
    >>> padded(Statistics({"count": np.array([2.0, 3.0])}), np.array([3, 0]), 4)["count"]
    array([3., 0., 0., 2.])
    """

    def spread(value: Array) -> Array:
        whole = np.zeros((size, *value.shape[1:]))
        whole[rows] = value
        return whole

    origin = stats.origin
    return Statistics(
        {name: value if name in stats.shared else spread(value) for name, value in stats.sums.items()},
        parts={name: padded(part, rows, size) for name, part in stats.parts.items()},
        shared=stats.shared,
        origin=spread(origin) if origin is not None and origin.ndim == 2 else origin,
    )


def interleaved(parts: Sequence[Statistics]) -> Statistics:
    """Sums of K M components from M parts of K: component k M + m is the k-th of part m.

    Shared sums are those of the first part: all parts hold them whole.

    Examples
    --------
    >>> one = Statistics({"count": np.array([1.0, 2.0])})
    >>> interleaved([one, one * 10])["count"]
    array([ 1., 10.,  2., 20.])
    """

    def woven(values: list[Array]) -> Array:
        stacked = np.stack(values, axis=1)
        return stacked.reshape(-1, *stacked.shape[2:])

    first = parts[0]
    origin = first.origin
    if origin is not None and origin.ndim == 2:
        origin = woven([part.origin for part in parts if part.origin is not None])
    return Statistics(
        {
            name: value if name in first.shared else woven([part.sums[name] for part in parts])
            for name, value in first.sums.items()
        },
        parts={name: interleaved([part.parts[name] for part in parts]) for name in first.parts},
        shared=first.shared,
        origin=origin,
    )


def all_supports(components: Iterable[Component]) -> str:
    """What the components expect, each said once."""
    said = dict.fromkeys(str(getattr(one, "support", "finite numbers")) for one in components)
    return "; and ".join(said)


def any_outside(components: Iterable[Component], x: Array) -> Array | None:
    """Values that some of the components cannot have."""
    masks = [mask for one in components if (mask := hooks.outside(one, x)) is not None]
    return np.logical_or.reduce(masks) if masks else None
