"""Which compiled kernel serves which pair of component and structure types, or which single step."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

__all__ = ["compiled", "fused", "without_kernels"]

Fused = Callable[..., Any]

# Names of component (or family) and structure type -> module and function; imported at the first use, for Numba is slow to import.
_KERNELS = {
    ("MultinomialComponents", "Independent"): ("mixtura.kernels.multinomial", "independent_pass"),
    ("MultinomialComponents", "Grouped"): ("mixtura.kernels.multinomial", "grouped_pass"),
    ("FamilyComponents of Categorical", "Independent"): ("mixtura.kernels.categorical", "independent_pass"),
}
_LOADED: dict[tuple[str, str], Fused | None] = {}
_ENABLED: ContextVar[bool] = ContextVar("mixtura_kernels_enabled", default=True)


def fused(component: object, structure: object) -> Fused | None:
    """The kernel for these objects, or None.

    Parameters
    ----------
    component, structure : object
        The two parts of a model; subclasses of a served type are not served.

    Returns
    -------
    callable or None
        ``kernel(components, structure, batch, memory, encoding)`` returning Statistics, or None to decline.
    """
    kind = type(component).__name__
    if kind == "FamilyComponents":  # one class for all families
        kind += f" of {type(component.family).__name__}"  # type: ignore[attr-defined] # that class has it
    pair = (kind, type(structure).__name__)
    return compiled(*_KERNELS[pair]) if pair in _KERNELS else None


def compiled(module: str, name: str) -> Fused | None:
    """A function of a module that needs Numba, or None where it is missing or switched off.

    Parameters
    ----------
    module, name : str
        The module is imported at the first use.

    Returns
    -------
    callable or None
        None: the caller's NumPy path serves.
    """
    if not _ENABLED.get():
        return None
    place = (module, name)
    if place not in _LOADED:
        try:
            _LOADED[place] = getattr(importlib.import_module(module), name)
        except ImportError:  # Numba has no wheel here
            _LOADED[place] = None
    return _LOADED[place]


@contextmanager
def without_kernels() -> Iterator[None]:
    """Run the generic pass only, as the tests of the kernels do.

    Examples
    --------
    >>> with without_kernels():
    ...     fused(object(), object()) is None
    True
    """
    token = _ENABLED.set(False)
    try:
        yield
    finally:
        _ENABLED.reset(token)
