"""The states of one sequence over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mixtura.exceptions import InvalidDataError, InvalidParameterError
from mixtura.plots import style

__all__ = ["plot_states"]

# More steps than this are drawn as means of successive ones.
_MOST = 2000


def plot_states(
    probabilities: Any,
    values: Any = None,
    *,
    ax: Any = None,
    times: Any = None,
    names: Sequence[str] | None = None,
    column: int = 0,
) -> Any:
    """Probabilities of the states over time, and what was observed.

    The background is divided by the probabilities of the states in every step; the line is a column of the observations.

    Parameters
    ----------
    probabilities : array_like, shape (T, K)
        Of the states, such as `predict_proba`, `filter` or a forecast's `states`; rows sum to one.
    values : array_like, shape (T,) or (T, D), optional
        Observations of the same steps.
    ax : matplotlib Axes, optional
        Where to draw; by default a new figure.
    times : array_like, shape (T,), optional
        Times or dates of the steps, increasing; None: their numbers.
    names : sequence of str, optional
        Names of the states; None: their numbers.
    column : int, default 0
        Which column of the observations.

    Returns
    -------
    matplotlib Axes
        The axes drawn on; the line is on a second one, with its scale at the right.

    Raises
    ------
    InvalidDataError
        If the rows are not probabilities, or there are not as many observations.
    InvalidParameterError
        If the times or names do not fit.
    MissingExtraError
        If Matplotlib is not installed.

    Examples
    --------
    >>> ax = plot_states([[0.9, 0.1], [0.2, 0.8], [1.0, 0.0]], [3.0, 7.0, 2.0], names=["calm", "busy"])
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['calm', 'busy']
    """
    resp = np.asarray(probabilities, dtype=float)
    if resp.ndim != 2 or not resp.size or not np.allclose(resp.sum(axis=1), 1.0, atol=1e-4) or resp.min() < 0:
        raise InvalidDataError(
            f"probabilities: found shape {resp.shape}; expected (steps, states) with rows that sum to one, such as predict_proba gives."
        )
    labels = style.checked_names(names, resp.shape[1], "states")
    when = np.arange(len(resp)) if times is None else np.asarray(times)
    if when.shape != (len(resp),):
        raise InvalidParameterError(
            f"times: found shape {when.shape}, expected ({len(resp)},), one for each step."
        )
    line = _line(values, len(resp), column)
    many = -(-len(resp) // _MOST)
    starts = np.arange(0, len(resp), many)
    means = np.add.reduceat(resp, starts) / np.diff(np.append(starts, len(resp)))[:, None]
    ax = style.axes_for(ax, size=(8.0, 3.4))
    layers = ax.stackplot(
        when[starts], means.T, colors=list(style.colours(resp.shape[1])), alpha=0.45, step="mid"
    )
    for layer, label in zip(layers, labels, strict=True):
        layer.set_label(style.short(label, 24))
        layer.set_linewidth(0)
    style.finish(ax)
    ax.grid(visible=False)
    ax.set_ylim(0, 1)
    ax.set_yticks([0, 0.5, 1], ["0", "50 %", "100 %"])
    ax.set_ylabel("Probability of the state")
    ax.set_xlabel("Step" if times is None else "Time")
    ax.margins(x=0)
    if line is not None:
        beside = ax.twinx()
        beside.plot(when, line, color=style.INK, linewidth=0.9)
        beside.spines[["top", "left", "bottom"]].set_visible(False)
        beside.set_ylabel("Observed")
    ax.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1.01),
        borderaxespad=0.0,
        ncols=min(resp.shape[1], 6),
        frameon=False,
        fontsize="small",
        handlelength=1.0,
        handleheight=1.0,
    )
    return ax


def _line(values: Any, n_steps: int, column: int) -> style.Floats | None:
    """One column of the observations."""
    if values is None:
        return None
    table = np.asarray(values, dtype=float)
    table = table[:, None] if table.ndim == 1 else table
    if table.ndim != 2 or len(table) != n_steps or not -table.shape[1] <= column < table.shape[1]:
        raise InvalidDataError(
            f"values: found shape {np.shape(values)} and column {column}; expected ({n_steps}, columns), a row for each step."
        )
    return np.asarray(table[:, column])
