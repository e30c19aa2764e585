"""A pool of threads over row blocks: NumPy, BLAS and Numba release the interpreter inside each block."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Self

from mixtura.exceptions import InvalidParameterError
from mixtura.executors.serial import SerialPass, partition
from mixtura.protocols import Batch, Memory, Source
from mixtura.statistics import Statistics, total

__all__ = ["Threads", "available_cores"]


def available_cores() -> int:
    """Cores this process may use (its affinity where the system tells, else all)."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


class _ThreadsPass(SerialPass):
    def __init__(self, n_threads: int) -> None:
        super().__init__()
        self._n_threads = n_threads

    def __enter__(self) -> Self:
        super().__enter__()
        self._pool = self._stack.enter_context(
            ThreadPoolExecutor(self._n_threads, thread_name_prefix="mixtura")
        )
        return self

    def total(self, summarize: Callable[[Batch, Memory], Statistics], batches: Source) -> Statistics:
        """Groups in parallel, then added in their order."""
        groups = partition(len(batches))
        for index in range(len(batches)):
            self.memory[index]
        return total(self._pool.map(lambda group: self.group(summarize, batches, group), groups))


class Threads:
    """Sums in a pool of threads, BLAS pinned to one thread inside.

    The result is bit-identical for every number of threads, because batches are grouped and added in an order that
    does not depend on it.

    Parameters
    ----------
    n_threads : int, optional
        Default: the cores this process may use.

    Raises
    ------
    InvalidParameterError
        If `n_threads` is not a positive integer.

    Examples
    --------
    >>> Threads(2)
    Threads(2)
    """

    def __init__(self, n_threads: int | None = None) -> None:
        if n_threads is not None and (not isinstance(n_threads, int) or n_threads < 1):
            msg = f"n_threads is {n_threads!r}; expected a positive integer, or None for all available cores."
            raise InvalidParameterError(msg)
        self.n_threads = available_cores() if n_threads is None else n_threads

    def __repr__(self) -> str:
        return f"Threads({self.n_threads})"

    def session(self) -> SerialPass:
        """Open a fit."""
        return SerialPass() if self.n_threads == 1 else _ThreadsPass(self.n_threads)
