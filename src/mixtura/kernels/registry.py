"""Which compiled kernel serves which pair of component and structure types, or which single step."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

__all__ = ["compiled", "fused", "without_kernels"]

Fused = Callable[..., Any]

# Names of family and structure type -> module and function; imported at the first use, for Numba is slow to import.
_KERNELS = {
    ("Multinomial", "Independent"): ("mixtura.kernels.multinomial", "independent_pass"),
    ("Multinomial", "Grouped"): ("mixtura.kernels.multinomial", "grouped_pass"),
    ("Categorical", "Independent"): ("mixtura.kernels.categorical", "independent_pass"),
}
# Components of a family that score with natural parameters and their normalisers: known, expected or at a mode. The predictive law
# does not.
_OF_A_FAMILY = frozenset({"FamilyComponents", "MultinomialComponents", "FamilyPosterior", "FamilyMode"})
# Structures with one log weight a component, which need not sum to one.
_ONE_SET = frozenset({"Independent", "DirichletWeights", "DirichletMode", "StickBreaking"})
# Chains whose moves are the same in all rows, under components of any kind.
_CHAINS = frozenset({"Markov", "DirichletMarkov", "DirichletMarkovMode"})
_LOADED: dict[tuple[str, str], Fused | None] = {}
_ENABLED: ContextVar[bool] = ContextVar("mixtura_kernels_enabled", default=True)


def fused(component: object, structure: object, *, plain: bool = True) -> Fused | None:
    """The kernel for these objects, or None.

    Parameters
    ----------
    component, structure : object
        The two parts of a model; subclasses of a served type are not served.
    plain : bool, default True
        Whether all rows of the batch are seen and may have all states: some kernels serve such batches only.

    Returns
    -------
    callable or None
        ``kernel(components, structure, batch, memory, encoding)`` returning Statistics, or None to decline.
    """
    law = type(structure).__name__
    if law in _CHAINS:
        return compiled("mixtura.structures.markov_pass", "chain_pass")
    if not plain or type(component).__name__ not in _OF_A_FAMILY:
        return None
    family = type(component.family).__name__  # type: ignore[attr-defined] # those classes have it
    pair = (family, "Independent" if law in _ONE_SET else law)
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
