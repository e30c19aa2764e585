"""Components as plain values: names, numbers and arrays, from which the same object is made again.

An object is its class and its attributes. Only classes of mixtura's own families, components and structures are made
from a file, and those that a program registers itself; nothing in a file is executed.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, MutableMapping
from typing import Any

import numpy as np

from mixtura.exceptions import ModelFileError
from mixtura.protocols import Array

__all__ = ["from_plain", "register", "to_plain"]

# Where classes may come from. Other modules are not imported, whatever a file says.
_PACKAGES = (
    "mixtura.families",
    "mixtura.components",
    "mixtura.structures",
    "mixtura.priors",
    "mixtura.protocols",
    "mixtura.models._frame",
)
_REGISTERED: dict[str, type] = {}


def register(cls: type) -> type:
    """Let model files hold objects of your own class; usable as a decorator.

    The program that loads such a file has to register the class, too.

    Parameters
    ----------
    cls : type
        A family or component whose attributes are numbers, texts, arrays and other such objects.

    Returns
    -------
    type
        The class itself.

    Examples
    --------
    >>> from mixtura.families import Poisson
    >>> @register
    ... class Visits(Poisson):
    ...     pass
    >>> plain = to_plain(Visits(), {}, "family")
    >>> type(from_plain(plain, {})).__name__
    'Visits'
    """
    _REGISTERED[_name(cls)] = cls
    return cls


def to_plain(value: Any, arrays: MutableMapping[str, Array], place: str) -> Any:
    """A value that JSON can hold.

    Parameters
    ----------
    value : object
        A number, text, array, a collection of these, or an object of a class that may be saved.
    arrays : dict of str to ndarray
        Receives the arrays, under names that begin with `place`.
    place : str
        What the value is, in names and messages.

    Returns
    -------
    object
        Lists, dictionaries, texts and numbers.

    Raises
    ------
    ModelFileError
        Naming a class that cannot be saved.

    Examples
    --------
    >>> arrays = {}
    >>> to_plain((1, np.ones(2)), arrays, "pair")
    {'tuple': [1, {'array': 'pair/1'}]}
    >>> arrays
    {'pair/1': array([1., 1.])}
    """
    if value is None or isinstance(value, bool | str | int | float):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        arrays[place] = value
        return {"array": place}
    if isinstance(value, np.ndarray) and value.dtype.kind in "US":
        return {"texts": value.tolist()}
    if (isinstance(value, tuple) and type(value) is tuple) or isinstance(value, list):
        items = [to_plain(item, arrays, f"{place}/{i}") for i, item in enumerate(value)]
        return {"tuple" if isinstance(value, tuple) else "list": items}
    if type(value) is dict:
        pairs = enumerate(value.items())
        return {
            "dict": [
                [to_plain(key, {}, place), to_plain(item, arrays, f"{place}/{i}")] for i, (key, item) in pairs
            ]
        }
    name = _name(type(value))
    if name not in _REGISTERED and not _own(type(value).__module__):
        msg = (
            f"{place} is a {name}, which a model file cannot hold: it is no class of mixtura. Register it with "
            "mixtura.persistence.register, here and where the file is loaded; its attributes may be numbers, texts, arrays "
            "and other objects that can be saved."
        )
        raise ModelFileError(msg)
    state = {  # caches are empty in a file
        key: None if key.startswith("_cache") else to_plain(item, arrays, f"{place}.{key}")
        for key, item in vars(value).items()
    }
    return {"class": name, "state": state}


def from_plain(plain: Any, arrays: Mapping[str, Array]) -> Any:
    """Inverse of `to_plain`.

    Raises
    ------
    ModelFileError
        If a class is not known here.

    Examples
    --------
    >>> from_plain({"tuple": [1, {"array": "a"}]}, {"a": np.ones(1)})
    (1, array([1.]))
    """
    if not isinstance(plain, dict):
        return plain
    if "array" in plain:
        return np.asarray(arrays[plain["array"]])
    if "texts" in plain:
        return np.asarray(plain["texts"])
    for name, kind in (("tuple", tuple), ("list", list)):
        if name in plain:
            return kind(from_plain(item, arrays) for item in plain[name])
    if "dict" in plain:
        return {from_plain(key, arrays): from_plain(item, arrays) for key, item in plain["dict"]}
    cls = _class(plain["class"])
    new: Any = object.__new__(cls)
    for name, item in plain["state"].items():
        object.__setattr__(new, name, from_plain(item, arrays))
    return new


def _name(cls: type) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


def _own(module: str) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in _PACKAGES)


def _class(name: str) -> type:
    if name in _REGISTERED:
        return _REGISTERED[name]
    module, _, attribute = name.partition(":")
    found = None
    if _own(module):
        try:
            found = getattr(importlib.import_module(module), attribute, None)
        except ImportError:
            found = None
    if not isinstance(found, type):
        msg = (
            f"The file holds an object of class {name!r}, which is not known here. Import and register it "
            "(mixtura.persistence.register) before loading, or use the version of mixtura that wrote the file."
        )
        raise ModelFileError(msg)
    return found
