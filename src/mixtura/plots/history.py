"""The course of every start."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from mixtura.exceptions import InvalidParameterError
from mixtura.plots import style

__all__ = ["plot_history"]

_SHORT = "screened"  # a short run of the sieve, not continued as itself


def plot_history(mixture: Any, *, ax: Any = None) -> Any:
    """Objective against steps for every start, the best one marked.

    Starts that end at different heights found different optima; a start that ends in a cross ran out of steps
    or time instead of converging. The short runs of a sieve are drawn pale; those that were chosen go on
    to the right of them.

    Parameters
    ----------
    mixture : estimator
        A fitted model with `starts_`: one record per start with `objective`, `history`, `reason` and `seed`.
    ax : matplotlib Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib Axes
        The axes drawn on.

    Raises
    ------
    InvalidParameterError
        If no start was recorded.
    MissingExtraError
        If Matplotlib is not installed.

    Notes
    -----
    The first steps gain most; the axis begins where the differences between the starts are still seen.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> start = SimpleNamespace(objective=-1.0, history=[-3.0, -1.5, -1.0], reason="converged", seed=0)
    >>> ax = plot_history(SimpleNamespace(starts_=[start]))
    >>> ax.get_xlabel()
    'Step'
    """
    if not hasattr(mixture, "starts_"):
        check_is_fitted(mixture)
    drawable = [start for start in getattr(mixture, "starts_", ()) if _finite(start.history).size]
    if not drawable:
        raise InvalidParameterError(
            "plot_history draws the starts of a fit; found none with a history in starts_ of "
            f"{type(mixture).__name__}. "
            "Expected a model of mixtura after fit; fit it anew."
        )
    short = [start for start in drawable if _reason(start) == _SHORT]
    full = [start for start in drawable if _reason(start) != _SHORT] or short
    best = max(full, key=_objective)
    others = [start for start in full if start is not best]
    ax = style.axes_for(ax)
    sieved = full is not short and bool(short)
    # What a sieve chose goes on after the short runs, of which it was one.
    first = max(len(start.history) for start in short) - 1 if sieved else 0
    lines = []
    if sieved:
        for start in short:
            lines = [_draw(ax, start, 0, color="#b8c1cb", linewidth=0.8, zorder=2)]
        _label(lines, short, "short run, to find starts", "short runs, to find starts")
    for start in others:
        lines = [_draw(ax, start, first, color=style.MUTED, linewidth=1.2, zorder=3)]
        _mark_end(ax, start, first, style.MUTED)
    _label(lines, others, "other start", "other starts")
    _draw(ax, best, first, color=style.ACCENT, linewidth=2.4, zorder=5).set_label(_best_label(best))
    _mark_end(ax, best, first, style.ACCENT)
    if not all(_converged(start) for start in full):
        ax.plot([], [], color=style.INK, marker="x", linestyle="", label="stopped before it converged")
    ax.set_ylim(*_limits(full, short))
    ax.set_xlabel("Step")
    ax.set_ylabel("Objective (log-likelihood per row)")
    ax.xaxis.get_major_locator().set_params(integer=True)
    style.finish(ax)
    handles, labels = ax.get_legend_handles_labels()
    order = sorted(range(len(labels)), key=lambda i: not labels[i].startswith("best"))
    ax.legend(
        [handles[i] for i in order],
        [labels[i] for i in order],
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=2,
        fontsize="small",
        frameon=False,
    )
    return ax


def _draw(ax: Any, start: Any, offset: int, **line: Any) -> Any:
    values = np.asarray(start.history, dtype=float)
    shown = np.isfinite(values)
    return ax.plot(offset + np.flatnonzero(shown), values[shown], **line)[0]


def _mark_end(ax: Any, start: Any, offset: int, colour: str) -> None:
    values = np.asarray(start.history, dtype=float)
    last = np.flatnonzero(np.isfinite(values))[-1]
    marker = {"marker": "o"} if _converged(start) else {"marker": "x", "markeredgewidth": 1.8}
    ax.plot([offset + last], [values[last]], linestyle="", markersize=6, color=colour, zorder=6, **marker)


def _label(lines: Sequence[Any], starts: Sequence[Any], one: str, many: str) -> None:
    if starts:
        lines[-1].set_label(f"{len(starts)} {many}" if len(starts) > 1 else one)


def _objective(start: Any) -> float:
    value = float(start.objective)
    return value if math.isfinite(value) else -math.inf


def _reason(start: Any) -> str:
    return str(getattr(start.reason, "value", start.reason)).replace("_", " ")


def _converged(start: Any) -> bool:
    return _reason(start) == "converged"


def _best_label(start: Any) -> str:
    height = f"{_objective(start):.6g}".replace("-", "−")
    return f"best: {height} (seed {start.seed}, {_reason(start)})"


def _finite(values: Any) -> style.Floats:
    array = np.asarray(values, dtype=float).ravel()
    return array[np.isfinite(array)]


def _limits(starts: Sequence[Any], short: Sequence[Any]) -> tuple[float, float]:
    """From below where the starts were early on (not at their first steps) to above the best."""
    ends = [float(_finite(start.history)[-1]) for start in starts]
    highest = max(float(_finite(start.history).max()) for start in starts)
    early = []
    for start in [*starts, *short]:
        values = _finite(start.history)
        early.append(float(values[min(2, len(values) - 1)]) if len(values) > 4 else float(values.min()))
    lowest = min([*ends, float(np.median(early))])
    room = highest - lowest or max(abs(highest), 1.0) * 0.01
    return lowest - 0.08 * room, highest + 0.06 * room
