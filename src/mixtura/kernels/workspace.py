"""Large arrays that one pass leaves to the next, for as long as a fit lasts.

A pass over long sequences needs room for messages, tens of megabytes and more. Asking the system for it anew in every pass, and filling
its pages for the first time, can cost as much as the messages do. So while an executor's session is open, arrays that are given back
are kept for the next who asks; the last session to end lets go of all.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from mixtura.protocols import Array

__all__ = ["borrowed", "kept"]

# Numbers in an array from which NumPy asks the system for large pages, which is several times as fast.
_LARGE_PAGES = 1 << 19
# Arrays that wait at most: one for each thread of a machine of some size.
_MOST = 16


class _Shelf:
    """Who keeps arrays, and those that wait."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.keepers = 0
        self.waiting: list[Array] = []


_SHELF = _Shelf()


@contextmanager
def kept() -> Iterator[None]:
    """Arrays that are given back inside wait for the next who asks.

    Examples
    --------
    >>> with kept():
    ...     with borrowed(10) as first:
    ...         pass
    ...     with borrowed(10) as second:
    ...         second.ctypes.data == first.ctypes.data
    True
    """
    with _SHELF.lock:
        _SHELF.keepers += 1
    try:
        yield
    finally:
        with _SHELF.lock:
            _SHELF.keepers -= 1
            if _SHELF.keepers == 0:
                _SHELF.waiting.clear()


@contextmanager
def borrowed(size: int) -> Iterator[Array]:
    """A flat array of at least `size` numbers, not filled; nobody else has it inside.

    Parameters
    ----------
    size : int
        Numbers of eight bytes. Between 1 and 4 MB somewhat more is asked for, to get large pages.
    """
    with _SHELF.lock:
        fitting = [at for at, array in enumerate(_SHELF.waiting) if len(array) >= size]
        at = min(fitting, key=lambda at: len(_SHELF.waiting[at]), default=None)
        array = None if at is None else _SHELF.waiting.pop(at)
    if array is None:
        array = np.empty(_LARGE_PAGES if _LARGE_PAGES // 4 < size < _LARGE_PAGES else size)
    try:
        yield array
    finally:
        with _SHELF.lock:
            if _SHELF.keepers:
                _SHELF.waiting.append(array)
                _SHELF.waiting.sort(key=len)
                del _SHELF.waiting[:-_MOST]
