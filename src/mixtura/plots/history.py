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


def plot_history(mixture: Any, *, ax: Any = None) -> Any:
    """Objective against steps for every start, the best one marked.

    Starts that end at different heights found different optima; a start that ends in a cross ran out of steps
    or time instead of converging.

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
    best = max(range(len(drawable)), key=lambda i: _objective(drawable[i]))
    own_figure = ax is None
    ax = style.axes_for(ax)
    others = [start for index, start in enumerate(drawable) if index != best]
    crosses = any(not _converged(start) for start in drawable)
    for index, start in enumerate(others):
        _draw(
            ax,
            start,
            color=style.MUTED,
            linewidth=1.0,
            alpha=0.65,
            zorder=2,
            label=_others_label(others, index),
        )
    _draw(ax, drawable[best], color=style.ACCENT, linewidth=2.4, zorder=4, label=_best_label(drawable[best]))
    if crosses:
        ax.plot([], [], color=style.INK, marker="x", linestyle="", label="stopped before it converged")
    ax.set_ylim(*_limits(drawable))
    ax.set_xlabel("Step")
    ax.set_ylabel("Objective (log-likelihood per row)")
    ax.xaxis.get_major_locator().set_params(integer=True)
    style.finish(ax)
    handles, labels = ax.get_legend_handles_labels()
    order = sorted(range(len(labels)), key=lambda i: not labels[i].startswith("best"))
    ax.legend(
        [handles[i] for i in order],
        [labels[i] for i in order],
        loc="lower right",
        fontsize="small",
        framealpha=0.9,
        edgecolor="none",
    )
    if own_figure:
        ax.margins(x=0.03)
    return ax


def _draw(ax: Any, start: Any, **line: Any) -> None:
    values = np.asarray(start.history, dtype=float)
    steps = np.arange(len(values))
    shown = np.isfinite(values)
    ax.plot(steps[shown], values[shown], **line)
    marker = {"marker": "o"} if _converged(start) else {"marker": "x", "markeredgewidth": 1.8}
    last = np.flatnonzero(shown)[-1]
    ax.plot(
        [last],
        [values[last]],
        linestyle="",
        markersize=6,
        color=line["color"],
        zorder=line["zorder"] + 1,
        **marker,
    )


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


def _others_label(others: Sequence[Any], index: int) -> str | None:
    if index:
        return None
    return f"{len(others)} other starts" if len(others) > 1 else "other start"


def _finite(values: Any) -> style.Floats:
    array = np.asarray(values, dtype=float).ravel()
    return array[np.isfinite(array)]


def _limits(starts: Sequence[Any]) -> tuple[float, float]:
    """From below where the starts were early on (not at their first steps) to above the best."""
    ends = [float(_finite(start.history)[-1]) for start in starts]
    highest = max(float(_finite(start.history).max()) for start in starts)
    early = []
    for start in starts:
        values = _finite(start.history)
        early.append(float(values[min(2, len(values) - 1)]) if len(values) > 4 else float(values.min()))
    lowest = min([*ends, float(np.median(early))])
    room = highest - lowest or max(abs(highest), 1.0) * 0.01
    return lowest - 0.08 * room, highest + 0.06 * room
