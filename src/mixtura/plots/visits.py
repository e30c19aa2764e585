"""One customer's visits, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mixtura.exceptions import InvalidDataError, InvalidParameterError
from mixtura.plots import style

__all__ = ["plot_visits"]

_REST = "#cfd6dd"


def plot_visits(
    probabilities: Any,
    *,
    ax: Any = None,
    times: Any = None,
    names: Sequence[str] | None = None,
    n_shown: int = 7,
) -> Any:
    """What every visit of a customer was for: one bar a visit, divided by the probabilities of the missions.

    Parameters
    ----------
    probabilities : array_like, shape (T, K)
        Responsibilities of the visits, such as `predict_proba` of a customer's baskets; rows sum to one.
    ax : matplotlib Axes, optional
        Where to draw; by default a new figure.
    times : array_like, shape (T,), optional
        Dates or times of the visits, which are put into their order and written below the bars. None keeps the order.
    names : sequence of str, optional
        Names of the missions; None numbers them from 1.
    n_shown : int, default 7
        Missions with a colour of their own, the most frequent ones; the others are drawn together, in grey.

    Returns
    -------
    matplotlib Axes
        The axes drawn on.

    Raises
    ------
    InvalidDataError
        If there is no visit, or the rows are not probabilities.
    InvalidParameterError
        If the times or names do not fit.
    MissingExtraError
        If Matplotlib is not installed.

    Examples
    --------
    >>> ax = plot_visits([[0.9, 0.1], [0.2, 0.8], [1.0, 0.0]], names=["weekly shop", "lunch"])
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['weekly shop (70 %)', 'lunch (30 %)']
    """
    resp = np.asarray(probabilities, dtype=float)
    if resp.ndim != 2 or not resp.size or not np.allclose(resp.sum(axis=1), 1.0, atol=1e-4) or resp.min() < 0:
        found = f"shape {resp.shape}" + (f", sums from {resp.sum(axis=-1).min():.4g}" if resp.size else "")
        raise InvalidDataError(
            f"probabilities: found {found}; expected (visits, missions) with rows that sum to one, such as predict_proba gives."
        )
    names = style.checked_names(names, resp.shape[1], "missions")
    resp, labels = _in_order(resp, times)
    shares = resp.mean(axis=0)
    order = np.argsort(-shares, kind="stable")
    shown = [int(k) for k in order[:n_shown] if shares[k] > 0]
    if resp.shape[1] - len(shown) == 1:  # a single mission left over is no "other missions"
        shown = [int(k) for k in order if shares[k] > 0]
    ax = style.axes_for(ax, size=(7.6, 3.2))
    place, base = np.arange(1, len(resp) + 1), np.zeros(len(resp))
    # White gaps between few bars; without them many bars would fade.
    gap = {"edgecolor": "white", "linewidth": 0.8} if len(resp) <= 60 else {"linewidth": 0}
    parts = [
        (resp[:, k], colour, names[k]) for k, colour in zip(shown, style.colours(len(shown)), strict=True)
    ]
    rest = 1.0 - resp[:, shown].sum(axis=1)
    if rest.max() > 1e-6:
        parts.append((rest, _REST, "other missions"))
    for values, colour, name in parts:
        label = f"{style.short(name, 30)} ({100 * values.mean():.0f} %)"
        ax.bar(place, values, 1.0, base, color=[colour], label=label, **gap)
        base = base + values
    _finish(ax, labels, len(resp))
    ax.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1.01),
        borderaxespad=0.0,
        ncols=2,
        frameon=False,
        fontsize="small",
        handlelength=1.0,
        handleheight=1.0,
        columnspacing=1.2,
    )
    return ax


def _in_order(resp: style.Floats, times: Any) -> tuple[style.Floats, list[str] | None]:
    """Visits in the order of their times, and these as text."""
    if times is None:
        return resp, None
    when = np.asarray(times)
    if when.shape != (len(resp),):
        raise InvalidParameterError(
            f"times: found shape {when.shape}, expected ({len(resp)},), one for each visit."
        )
    order = np.argsort(when, kind="stable")
    when = when[order]
    if when.dtype.kind == "M":
        # Days are enough, unless all visits are of one.
        days = when.astype("datetime64[D]")
        when = days if len(np.unique(days)) > 1 else when.astype("datetime64[m]")
    return resp[order], [str(value) for value in when]


def _finish(ax: Any, labels: Sequence[str] | None, n_visits: int) -> None:
    style.finish(ax)
    ax.grid(visible=False)
    ax.set_xlim(0.5, n_visits + 0.5)
    ax.set_ylim(0, 1)
    ax.set_yticks([0, 0.5, 1], ["0", "50 %", "100 %"])
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.set_ylabel("Probability")
    wide = ax.get_figure().get_size_inches()[0] * ax.get_position().width
    most = max(int(wide / (0.95 if labels else 0.5)), 2)
    ticks = np.unique(np.linspace(1, n_visits, min(most, n_visits)).round().astype(int))
    ax.set_xticks(ticks, [str(tick) if labels is None else labels[tick - 1] for tick in ticks])
    ax.set_xlabel("Visit" if labels is None else f"Date of the visit ({n_visits} visits, one bar each)")
