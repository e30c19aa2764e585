"""What a user is told when a fit ended before it converged."""

from __future__ import annotations

import warnings
from typing import Any

from mixtura.exceptions import ConvergenceWarning, InterruptedWarning
from mixtura.inference.stopping import Reason

__all__ = ["warn_of_end"]


def warn_of_end(
    estimator: Any,
    reason: Reason,
    n_iter: int,
    *,
    found: str,
    counted_by: str,
    stacklevel: int,
    run: str = "",
) -> None:
    """Warn where a fit was interrupted, or ran out of steps or time; say nothing where it converged or was stopped.

    Parameters
    ----------
    estimator : estimator
        Holds `tol` and `max_iter`, and `time_budget` where it has one.
    reason : Reason
        Why the fit ended.
    n_iter : int
        Its steps.
    found : str
        What there is after an interruption, such as "these are the parameters".
    counted_by : str
        What `tol` is counted by, such as "row".
    stacklevel : int
        As for `warnings.warn`, seen from the caller.
    run : str, default ""
        Which of several runs ended, such as ": the best start".
    """
    name = type(estimator).__name__
    if reason == Reason.INTERRUPTED:
        text = f"{name} was interrupted after {n_iter} steps; {found} so far."
        warnings.warn(text, InterruptedWarning, stacklevel=stacklevel + 1)
    if reason not in (Reason.MAX_ITER, Reason.TIME):
        return
    timed = hasattr(estimator, "time_budget")
    ran_out = (
        f"time_budget={estimator.time_budget} s"
        if reason == Reason.TIME
        else f"max_iter={estimator.max_iter} steps"
    )
    warnings.warn(
        f"{name}{run} ran out of {ran_out} before the estimated remaining gain fell below tol={estimator.tol:g} per {counted_by}, so it "
        f"did not converge. Increase max_iter{' or the time budget' if timed else ''}, or tol if this precision is not needed.",
        ConvergenceWarning,
        stacklevel=stacklevel + 1,
    )
