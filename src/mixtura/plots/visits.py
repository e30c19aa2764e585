"""One customer's visits, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mixtura.exceptions import InvalidDataError, InvalidParameterError
from mixtura.plots import style

__all__ = ["plot_visits"]

_REST = "#cfd6dd"
# More visits than this are averaged over equal numbers of successive ones.
_MAX_BARS = 80


def plot_visits(
    probabilities: Any,
    *,
    ax: Any = None,
    times: Any = None,
    names: Sequence[str] | None = None,
    n_shown: int = 7,
) -> Any:
    """What every visit of a customer was for: one bar a visit, divided by the probabilities of the missions.

    Of more than 80 visits, a bar is the mean of some successive ones; the axis says of how many.

    Parameters
    ----------
    probabilities : array_like, shape (T, K)
        Responsibilities of the visits, such as `predict_proba` of a customer's baskets; rows sum to one.
    ax : matplotlib Axes, optional
        Where to draw; by default a new figure.
    times : array_like, shape (T,), optional
        Dates or times of the visits, which are put into their order and written below the bars. None keeps the order.
    names : sequence of str, optional
        Names of the missions; None: the numbers of `predict`.
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
    numbered = [f"mission {k}" for k in range(resp.shape[1])]
    names = numbered if names is None else style.checked_names(names, resp.shape[1], "missions")
    resp, labels = _in_order(resp, times)
    n_visits, shares = len(resp), resp.mean(axis=0)
    in_bar = -(-n_visits // _MAX_BARS)
    starts = np.arange(0, n_visits, in_bar)
    resp = np.add.reduceat(resp, starts) / np.diff(np.append(starts, n_visits))[:, None]
    order = np.argsort(-shares, kind="stable")
    shown = [int(k) for k in order[:n_shown] if shares[k] > 0]
    if resp.shape[1] - len(shown) == 1:  # a single mission left over is no "other missions"
        shown = [int(k) for k in order if shares[k] > 0]
    ax = style.axes_for(ax, size=(7.6, 3.2))
    room = style.room_for_text(ax, 1.0)
    columns = 1 if room < 60 else 2
    parts = [
        (resp[:, k], shares[k], colour, names[k])
        for k, colour in zip(shown, style.colours(len(shown)), strict=True)
    ]
    rest = 1.0 - resp[:, shown].sum(axis=1)
    if rest.max() > 1e-6:
        parts.append((rest, 1.0 - shares[shown].sum(), _REST, "other missions"))
    place, base = starts + 0.5 * (in_bar + 1), np.zeros(len(resp))
    for values, share, colour, name in parts:
        label = f"{style.short(name, min(room // columns - 12, 34))} ({100 * share:.0f} %)"
        ax.bar(place, values, in_bar, base, color=[colour], label=label, edgecolor="white", linewidth=0.7)
        base = base + values
    _finish(ax, labels, n_visits, in_bar)
    ax.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1.01),
        borderaxespad=0.0,
        ncols=columns,
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


def _finish(ax: Any, labels: Sequence[str] | None, n_visits: int, in_bar: int) -> None:
    style.finish(ax)
    ax.grid(visible=False)
    ax.set_xlim(0.5, in_bar * -(-n_visits // in_bar) + 0.5)
    ax.set_ylim(0, 1)
    ax.set_yticks([0, 0.5, 1], ["0", "50 %", "100 %"])
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.set_ylabel("Probability")
    each = "one bar each" if in_bar == 1 else f"a bar is the mean of {in_bar}"
    many = f" ({n_visits}, {each})" if n_visits > 1 else ""
    if labels is None:
        ax.set_xlabel(f"Visits in their order{many}")
        ax.locator_params(axis="x", integer=True, nbins=10)
        return
    most = max(style.room_for_text(ax, 1.0) // 16, 2)
    ticks = np.unique(np.linspace(1, n_visits, min(most, n_visits)).round().astype(int))
    ax.set_xticks(ticks, [labels[tick - 1] for tick in ticks], fontsize="small")
    ax.set_xlabel(f"Visits by date{many}")
