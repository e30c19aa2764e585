"""When to stop, and the one place that listens to Ctrl-C."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from types import FrameType

from mixtura.exceptions import InvalidParameterError

# With one gain there is no ratio yet; 0.99 is assumed, which sums to a hundred times the gain.
_SLOWEST = 100.0

__all__ = ["Interruption", "Reason", "Stopping", "catch_interrupt", "remaining_gain"]


class Reason(StrEnum):
    """Why a fit ended."""

    CONVERGED = "converged"  # the estimated remaining gain is below the tolerance
    MAX_ITER = "max_iter"  # ran out of steps
    TIME = "time"  # ran out of time
    INTERRUPTED = "interrupted"  # Ctrl-C
    STOPPED = "stopped"  # a callback asked for it
    DEGENERATE = "degenerate"  # a component collapsed and the policy is to give up this start
    SCREENED = "screened"  # a short run that was not among the best few


def remaining_gain(history: Sequence[float]) -> float:
    """Gain that is still to come, by Aitken's extrapolation of the last three objectives.

    Parameters
    ----------
    history : sequence of float
        Objective at every step.

    Returns
    -------
    float
        Non-negative; infinity while it cannot be estimated (no gain yet, or gains that do not shrink).

    Notes
    -----
    EM converges linearly: gains form a geometric series of ratio c, so what remains after a gain g is
    g c / (1 - c). A small last gain with c near 1 is not convergence.

    References
    ----------
    .. [1] D. Böhning et al. (1994), Annals of the Institute of Statistical Mathematics 46(2), 373-388.

    Examples
    --------
    >>> remaining_gain([0.0, 1.0, 1.5])  # 0.25 + 0.125 + ...
    0.5
    """
    if len(history) < 2:
        return float("inf")
    gain = history[-1] - history[-2]
    scale = max(abs(history[-1]), 1.0)
    if abs(gain) <= 4e-15 * scale:
        return abs(gain)
    if len(history) < 3:
        return _SLOWEST * abs(gain)
    before = history[-2] - history[-3]
    if abs(before) <= abs(gain):
        # Gains that grow: far from the end, unless all of it is rounding.
        return float("inf") if abs(gain) > 1e-12 * scale else abs(gain)
    ratio = gain / before
    if ratio <= 0:
        return abs(gain)
    return abs(gain) * ratio / (1.0 - ratio)


@dataclass
class Interruption:
    """Whether Ctrl-C was pressed."""

    pressed: bool = False
    _previous: object = field(default=None, repr=False)

    def handle(self, signum: int, frame: FrameType | None) -> None:
        """First press: remember it. Second press: raise at once."""
        if self.pressed:
            raise KeyboardInterrupt
        self.pressed = True


_CURRENT: ContextVar[Interruption | None] = ContextVar("mixtura_interruption", default=None)


@contextmanager
def catch_interrupt() -> Iterator[Interruption]:
    """Turn the first Ctrl-C into a flag; the second raises KeyboardInterrupt. Nested uses share one flag.

    Examples
    --------
    >>> with catch_interrupt() as interruption:
    ...     interruption.pressed
    False
    """
    current = _CURRENT.get()
    if current is not None:
        yield current
        return
    interruption = Interruption()
    token = _CURRENT.set(interruption)
    listening = threading.current_thread() is threading.main_thread()
    if listening:
        previous = signal.signal(signal.SIGINT, interruption.handle)
    try:
        yield interruption
    finally:
        if listening:
            signal.signal(signal.SIGINT, previous)
        _CURRENT.reset(token)


@dataclass(frozen=True)
class Stopping:
    """The stopping rule of one run.

    Parameters
    ----------
    tol : float, default 1e-3
        Bound on the *estimated remaining* gain of the objective per unit of weight (not on the last gain).
    max_iter : int, default 100
        Most steps.
    deadline : float, optional
        Value of ``time.monotonic()`` after which no further step is made.
    min_iter : int, default 0
        Fewest steps before convergence is considered.

    Examples
    --------
    >>> Stopping(tol=1e-3)([0.0, 1.0, 1.001, 1.001001], 3, 1.0)
    <Reason.CONVERGED: 'converged'>
    """

    tol: float = 1e-3
    max_iter: int = 100
    deadline: float | None = None
    min_iter: int = 0

    def __post_init__(self) -> None:
        if not self.tol >= 0:
            msg = f"tol is {self.tol!r}; expected a number that is at least 0 (nats per row)."
            raise InvalidParameterError(msg)
        if self.max_iter < 0:
            msg = f"max_iter is {self.max_iter!r}; expected 0 or more steps."
            raise InvalidParameterError(msg)

    def __call__(self, history: Sequence[float], step: int, weight: float) -> Reason | None:
        """Reason to stop after `step` updates with this history, or None."""
        current = _CURRENT.get()
        if current is not None and current.pressed:
            return Reason.INTERRUPTED
        if step >= self.min_iter and remaining_gain(history) <= self.tol * weight:
            return Reason.CONVERGED
        if step >= self.max_iter:
            return Reason.MAX_ITER
        if self.deadline is not None and time.monotonic() >= self.deadline:
            return Reason.TIME
        return None
