"""When a fit in hmmlearn's manner ends: a monitor that is told the log-likelihood of every step."""

from __future__ import annotations

import sys
from collections import deque

import numpy as np

from mixtura.inference.driver import Progress

__all__ = ["ConvergenceMonitor", "Watch"]


class ConvergenceMonitor:
    """Keeps the log-likelihoods of a fit and says when to stop; derive from it for a rule of your own.

    Parameters
    ----------
    tol : float
        Least gain of the log-likelihood, a total over all sequences, for which a fit goes on.
    n_iter : int
        Most steps.
    verbose : bool
        Whether every step is written to standard error: its number, the log-likelihood and the gain.

    Attributes
    ----------
    history : deque of float
        Log-likelihood before every step.
    iter : int
        Steps made.

    Examples
    --------
    >>> monitor = ConvergenceMonitor(tol=0.1, n_iter=10, verbose=False)
    >>> for log_prob in (-3.0, -2.0, -1.95):
    ...     monitor.report(log_prob)
    >>> monitor.converged
    True
    """

    _template = "{iter:>10d} {log_prob:>16.8f} {delta:>+16.8f}"

    def __init__(self, tol: float, n_iter: int, verbose: bool) -> None:
        self.tol = tol
        self.n_iter = n_iter
        self.verbose = verbose
        self.history: deque[float] = deque()
        self.iter = 0

    def __repr__(self) -> str:
        settings = {**vars(self), "history": list(self.history)}
        inside = ", ".join(f"{name}={settings[name]}" for name in sorted(settings))
        return f"{type(self).__name__}({inside})"

    def _reset(self) -> None:
        """Forget the last fit."""
        self.iter = 0
        self.history.clear()

    def report(self, log_prob: float) -> None:
        """Take in the log-likelihood of one step.

        Parameters
        ----------
        log_prob : float
            Of all sequences, before the step.
        """
        if self.verbose:
            gain = log_prob - self.history[-1] if self.history else np.nan
            sys.stderr.write(self._template.format(iter=self.iter + 1, log_prob=log_prob, delta=gain) + "\n")
        self.history.append(log_prob)
        self.iter += 1

    @property
    def settled(self) -> bool:
        """Whether the last gain was below the tolerance."""
        return len(self.history) >= 2 and self.history[-1] - self.history[-2] < self.tol

    @property
    def converged(self) -> bool:
        """Whether to stop: also where the steps ran out, as in hmmlearn."""
        return self.iter == self.n_iter or self.settled


class Watch:
    """Reports the driver's passes to a monitor: the log-likelihood of a pass after the step that it led to.

    Parameters
    ----------
    monitor : ConvergenceMonitor
        Is told log-likelihoods, without what priors take off the objective.
    """

    def __init__(self, monitor: ConvergenceMonitor) -> None:
        self.monitor = monitor
        self._last = -np.inf
        self._steps = 0

    def __call__(self, progress: Progress) -> bool:
        """Whether the monitor asks to stop."""
        asked = False
        if progress.step > self._steps:
            self.monitor.report(self._last)
            asked = bool(self.monitor.converged)
        self._steps = progress.step
        self._last = progress.objective + float(progress.model.penalty())
        return asked
