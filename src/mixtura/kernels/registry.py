"""Which fused kernel serves which pair of component and structure types."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

__all__ = ["fused", "register", "without_kernels"]

Fused = Callable[..., Any]
_KERNELS: dict[tuple[str, str], Fused] = {}
_ENABLED: ContextVar[bool] = ContextVar("mixtura_kernels_enabled", default=True)


def register(component: type, structure: type, kernel: Fused) -> None:
    """Enter a kernel for a pair of types.

    Parameters
    ----------
    component, structure : type
        The pair it serves; subclasses are not served.
    kernel : callable
        ``kernel(components, structure, batch, memory, encoding)`` returning Statistics, or None to decline.
    """
    _KERNELS[component.__qualname__, structure.__qualname__] = kernel


def fused(component: object, structure: object) -> Fused | None:
    """The kernel for these objects, or None."""
    if not _ENABLED.get():
        return None
    return _KERNELS.get((type(component).__qualname__, type(structure).__qualname__))


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
