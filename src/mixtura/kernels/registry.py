"""Which fused kernel serves which pair of component and structure types."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

__all__ = ["fused", "without_kernels"]

Fused = Callable[..., Any]

# Names of component and structure type -> module and function; imported at the first use, for Numba is slow to import.
_KERNELS = {
    ("MultinomialComponents", "Independent"): ("mixtura.kernels.multinomial", "independent_pass"),
    ("MultinomialComponents", "Grouped"): ("mixtura.kernels.multinomial", "grouped_pass"),
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
    pair = (type(component).__name__, type(structure).__name__)
    if pair not in _KERNELS or not _ENABLED.get():
        return None
    if pair not in _LOADED:
        module, name = _KERNELS[pair]
        try:
            _LOADED[pair] = getattr(importlib.import_module(module), name)
        except ImportError:  # Numba has no wheel here: the generic pass serves
            _LOADED[pair] = None
    return _LOADED[pair]


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
