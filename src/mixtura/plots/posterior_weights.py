"""Weights of a Bayesian mixture with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.exceptions import InvalidParameterError
from mixtura.plots import style

__all__ = ["plot_posterior_weights"]

_PALE, _UNUSED = "#a9c6dc", "#b9c2cc"


def plot_posterior_weights(
    mixture: Any,
    X: Any = None,
    *,
    ax: Any = None,
    names: Sequence[str] | None = None,
    level: float = 0.9,
    n_top: int = 20,
    random_state: Any = 0,
) -> Any:
    """Posterior mean of every weight with its interval, the largest on top; components without rows are grey.

    With the rows of the fit two intervals are drawn: a broad pale bar for what the variational laws say, which take the rows' labels
    as known, and a line for the corrected one, which is longer where labels are in doubt.

    Parameters
    ----------
    mixture : estimator
        A mixture fitted by variational Bayes (`credible_intervals`, `counts_`).
    X : array_like, shape (n, D), optional
        The rows of the fit.
    ax : matplotlib Axes, optional
        Where to draw; by default a new figure.
    names : sequence of str, optional
        Names of the components; None: the numbers of `predict`.
    level : float, default 0.9
        Posterior probability of the intervals.
    n_top : int, default 20
        Components drawn; how many are left out is written under them.
    random_state : int, RandomState or None, default 0
        Of the draws that the intervals are made from.

    Returns
    -------
    matplotlib Axes
        The axes drawn on.

    Raises
    ------
    InvalidParameterError
        If the mixture has no posterior laws, or names do not fit.
    MissingExtraError
        If Matplotlib is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import Mixture
    >>> from mixtura.families import Poisson
    >>> x = np.repeat([0.0, 1.0, 2.0, 20.0, 21.0], 20)
    >>> ax = plot_posterior_weights(Mixture(Poisson(), 3, inference="variational", random_state=0).fit(x))
    >>> ax.get_xlabel()
    'Weight: posterior mean and 90 % interval'
    """
    if not hasattr(mixture, "credible_intervals"):
        raise InvalidParameterError(
            f"plot_posterior_weights draws posterior laws; found {type(mixture).__name__}, expected a mixture fitted with "
            "inference='variational', or a BayesianGaussianMixture."
        )
    intervals = {"laws": _weights(mixture, None, level, random_state)}
    if X is not None:
        intervals["corrected"] = _weights(mixture, X, level, random_state)
    means = intervals["laws"][0]
    names = style.checked_names(names, len(means), "components")
    counts = getattr(mixture, "counts_", None)
    used = np.ones(len(means), dtype=bool) if counts is None else np.asarray(counts) >= 1.0
    order = np.lexsort((-means, ~used))[:n_top]
    own_figure = ax is None
    ax = style.axes_for(ax, (7.0, 1.2 + 0.34 * max(len(order), 3)))
    _draw(ax, intervals, order, used)
    place = np.arange(len(order))
    ax.set_yticks(place, [style.short(names[k], 24) for k in order])
    ax.set_ylim(len(order) - 0.4, -0.6)
    ax.set_xlim(0, 1.16 * ax.get_xlim()[1])
    ax.set_xlabel(f"Weight: posterior mean and {100 * level:g} % interval")
    ax.set_ylabel("Component")
    left_out = len(means) - len(order)
    note = f"{int(used.sum())} of {len(means)} components have rows" + (
        f"; {left_out} not drawn" if left_out else ""
    )
    ax.set_title(note, loc="left", fontsize="small", color=style.MUTED)
    style.finish(ax)
    ax.grid(visible=False, axis="y")
    for label, k in zip(ax.get_yticklabels(), order, strict=True):
        label.set_color(style.INK if used[k] else style.MUTED)
    if "corrected" in intervals:
        style.legend_beside(ax, own_figure)
    return ax


def _weights(mixture: Any, X: Any, level: float, random_state: Any) -> tuple[style.Floats, ...]:
    """Means and ends of the intervals, each (K,)."""
    method = "laws" if X is None else "corrected"
    frame = mixture.credible_intervals(X, level=level, method=method, random_state=random_state)
    chosen = np.array([name == "weight" for name in frame["parameter"]])
    value, lower, upper = (
        np.asarray(frame[name], dtype=float)[chosen] for name in ("value", "lower", "upper")
    )
    return value, lower, upper


def _draw(
    ax: Any, intervals: dict[str, tuple[style.Floats, ...]], order: NDArray[np.intp], used: NDArray[np.bool_]
) -> None:
    place = np.arange(len(order))
    tints = [style.ACCENT if used[k] else _UNUSED for k in order]
    means, lower, upper = (values[order] for values in intervals["laws"])
    alone = "corrected" not in intervals
    pale = [_PALE if used[k] else "#e1e5ea" for k in order]
    ax.barh(place, upper - lower, 0.5, left=lower, color=pale, label="laws: labels as known")
    if not alone:
        _, lower, upper = (values[order] for values in intervals["corrected"])
        ax.hlines(
            place, lower, upper, color=tints, linewidth=2.0, zorder=3, label="corrected: labels in doubt"
        )
    ax.scatter(means, place, s=34, color=tints, edgecolor="white", linewidth=0.8, zorder=4, clip_on=False)
    for row, k in enumerate(order):
        ax.annotate(
            f"{100 * means[row]:.1f} %" if used[k] else "no rows",
            (max(float(upper[row]), float(means[row])), row),
            xytext=(7, 0),
            textcoords="offset points",
            va="center",
            fontsize="small",
            color=style.INK if used[k] else style.MUTED,
        )
    ax.margins(x=0.12)
