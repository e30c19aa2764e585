"""Posterior predictive checks: replicated numbers as histograms, the observed one as a line."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.exceptions import InvalidParameterError, optional_import
from mixtura.plots import style

__all__ = ["plot_posterior_predictive"]

_BAR, _ALARM = "#a9c6dc", "#d55e00"
_MOST_BINS = 40


def plot_posterior_predictive(
    check: Any, *, axes: Any = None, columns: int | None = None, alarm: float = 0.05
) -> Any:
    """One small picture for each statistic: the replicated values, and where the observed one lies among them.

    Above each picture stands the share of replications above the observed value (equal ones half). Where it is below `alarm`, or
    above 1 less that, the line is orange: the fit hardly ever gives data of that kind.

    Parameters
    ----------
    check : PredictiveCheck
        From `posterior_predictive_check`: names, observed (S,), replicated (n_draws, S) and tail_probability (S,).
    axes : array of matplotlib Axes, optional
        Where to draw, one for each statistic; by default a new figure.
    columns : int, optional
        Pictures side by side; None takes up to three.
    alarm : float, default 0.05
        Tail probability below which a line is orange.

    Returns
    -------
    ndarray of matplotlib Axes, shape (S,)
        The axes drawn on.

    Raises
    ------
    InvalidParameterError
        If it is no check, or there are fewer axes than statistics.
    MissingExtraError
        If Matplotlib is not installed.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> check = SimpleNamespace(
    ...     names=("max x",),
    ...     observed=np.array([3.0]),
    ...     replicated=np.arange(9.0)[:, None],
    ...     tail_probability=np.array([0.61]),
    ... )
    >>> plot_posterior_predictive(check)[0].get_title(loc="left")
    'max x'
    """
    if not hasattr(check, "replicated"):
        raise InvalidParameterError(
            f"plot_posterior_predictive draws a check; found {type(check).__name__}, expected the result of "
            "posterior_predictive_check(X, statistic)."
        )
    count = len(check.names)
    own_figure = axes is None
    drawn = _axes(axes, count, columns)
    tails = np.asarray(check.tail_probability, dtype=float)
    for s, ax in enumerate(drawn[:count]):
        replicated = np.asarray(check.replicated, dtype=float)[:, s]
        _draw(ax, replicated[np.isfinite(replicated)], float(check.observed[s]), float(tails[s]), alarm)
        ax.set_title(style.short(check.names[s], 34), loc="left", fontsize="small", color=style.INK)
        if np.isfinite(tails[s]):
            colour = _ALARM if _far(tails[s], alarm) else style.MUTED
            ax.set_title(f"{100 * tails[s]:.0f} % above", loc="right", fontsize="small", color=colour)
    if own_figure:
        drawn[0].get_figure().supxlabel(
            f"bars: {len(check.replicated)} replications from the posterior; line: the rows seen",
            fontsize="small",
            color=style.MUTED,
        )
    return np.array(drawn[:count], dtype=object)


def _far(tail: float, alarm: float) -> bool:
    return not alarm <= tail <= 1.0 - alarm


def _axes(axes: Any, count: int, columns: int | None) -> list[Any]:
    if axes is not None:
        given = list(np.ravel(axes))
        if len(given) < count:
            raise InvalidParameterError(
                f"axes: found {len(given)}, expected {count}, one for each statistic. Leave them out for a new figure."
            )
        return given
    pyplot = optional_import("matplotlib.pyplot", "plots")
    columns = min(count, 3) if columns is None else columns
    rows = -(-count // columns)
    size = (max(3.1 * columns, 4.2), 2.1 * rows + 0.4)
    figure, grid = pyplot.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False)
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.06)
    made = grid.ravel()
    for ax in made[count:]:
        ax.remove()
    return list(made[:count])


def _draw(ax: Any, replicated: style.Floats, observed: float, tail: float, alarm: float) -> None:
    if len(replicated):
        ax.hist(replicated, bins=_bins(replicated), color=_BAR, edgecolor="white", linewidth=0.5)
    if np.isfinite(observed):
        colour = _ALARM if np.isfinite(tail) and _far(tail, alarm) else style.INK
        ax.axvline(observed, color=colour, linewidth=2.0, zorder=3)
    style.finish(ax)
    ax.grid(visible=False)
    ax.spines["left"].set_visible(False)
    ax.set_yticks([])
    ax.tick_params(axis="x", labelsize="small")
    whole = len(replicated) > 0 and np.array_equal(replicated, np.round(replicated))
    ax.locator_params(axis="x", nbins=5, integer=whole)
    ax.margins(x=0.06)


def _bins(values: style.Floats) -> Any:
    """Edges of bins: one for each value where these are few whole numbers."""
    low, high = float(values.min()), float(values.max())
    if high == low:
        return 1
    if high - low <= _MOST_BINS and np.array_equal(values, np.round(values)):
        return np.arange(low - 0.5, high + 1.0)
    return min(max(len(np.histogram_bin_edges(values, "auto")) - 1, 8), _MOST_BINS)
