"""One batch after the other, in this thread."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from itertools import pairwise
from typing import Any, Self

from threadpoolctl import ThreadpoolController

from mixtura.kernels.workspace import kept
from mixtura.protocols import Batch, Memory, Source
from mixtura.statistics import Statistics, total

__all__ = ["N_GROUPS", "Serial", "SerialPass", "one_thread", "partition"]

# Batches are summed within at most this many consecutive groups, then the groups are summed in order: the order of
# additions, and so every bit of the result, is the same for one thread and for many.
N_GROUPS = 64


def partition(n_batches: int) -> list[range]:
    """Consecutive groups of batch numbers, the same for every executor.

    Examples
    --------
    >>> partition(3)
    [range(0, 1), range(1, 2), range(2, 3)]
    """
    n_groups = min(n_batches, N_GROUPS)
    edges = [n_batches * group // n_groups for group in range(n_groups + 1)] if n_groups else [0]
    return [range(first, last) for first, last in pairwise(edges)]


_CONTROLLER: list[ThreadpoolController] = []


def one_thread() -> Any:
    """Context in which BLAS and OpenMP keep to one thread each: executors own the threads.

    Examples
    --------
    >>> with one_thread():
    ...     sum([1, 2])
    3
    """
    if not _CONTROLLER:
        _CONTROLLER.append(ThreadpoolController())
    return _CONTROLLER[0].limit(limits=1)


class SerialPass:
    """A fit on one thread."""

    def __init__(self) -> None:
        self.memory: defaultdict[int, Memory] = defaultdict(dict)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(one_thread())
        self._stack.enter_context(kept())
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def total(self, summarize: Callable[[Batch, Memory], Statistics], batches: Source) -> Statistics:
        """Map, then add."""
        return total(self.group(summarize, batches, group) for group in partition(len(batches)))

    def group(
        self, summarize: Callable[[Batch, Memory], Statistics], batches: Source, group: range
    ) -> Statistics:
        """Sum of one group of batches."""
        return total(summarize(batch, self.memory[batch.id]) for batch in (batches[index] for index in group))


class Serial:
    """Sums in the calling thread, BLAS pinned to one thread.

    Examples
    --------
    >>> with Serial().session() as session:
    ...     len(session.memory)
    0
    """

    def __repr__(self) -> str:
        return "Serial()"

    def session(self) -> SerialPass:
        """Open a fit."""
        return SerialPass()
