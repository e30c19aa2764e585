"""Profiles of all components as bars, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from mixtura.exceptions import InvalidParameterError, optional_import
from mixtura.plots import style

__all__ = ["plot_profiles"]

_BAR, _LOW = style.ACCENT, "#a9c6dc"


def plot_profiles(
    mixture: Any,
    *,
    axes: Any = None,
    names: Sequence[str] | None = None,
    features: Sequence[str] | None = None,
    base: Any = None,
    n_top: int = 7,
    columns: int | None = None,
) -> Any:
    """The largest categories of every component: one small picture each, the largest component first.

    All pictures have one scale, so that lengths compare across them. With `base`, a line marks the share that the
    category has in all rows, and bars that stay below it are pale.

    Parameters
    ----------
    mixture : estimator
        A fitted mixture with `profiles_` and `weights_`.
    axes : array of matplotlib Axes, optional
        Where to draw, one for each component; by default a new figure.
    names : sequence of str, optional
        Names of the components; None: the numbers of `predict`.
    features : sequence of str, optional
        Names of the categories; by default those of the fit, or numbers.
    base : array_like, shape (C,), optional
        Shares (or counts) of the categories in all rows. None takes the mean of the profiles by the weights; False
        draws no lines.
    n_top : int, default 7
        Categories drawn of every component.
    columns : int, optional
        Pictures side by side; None takes up to three.

    Returns
    -------
    ndarray of matplotlib Axes, shape (K,)
        The axes drawn on, in the order of the components' numbers.

    Raises
    ------
    InvalidParameterError
        If the mixture has no profiles, or names, base or axes do not fit.
    MissingExtraError
        If Matplotlib is not installed.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> two = SimpleNamespace(weights_=[0.6, 0.4], profiles_=[[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]])
    >>> axes = plot_profiles(two, features=["bread", "milk", "beer"])
    >>> [label.get_text() for label in axes[1].get_yticklabels()]
    ['beer', 'bread', 'milk']
    """
    if not hasattr(mixture, "weights_"):
        check_is_fitted(mixture)
    if not hasattr(mixture, "profiles_"):
        raise InvalidParameterError(
            f"plot_profiles draws shares of categories; found {type(mixture).__name__} without profiles_, expected a fitted "
            "MultinomialMixture. For Gaussian components use plot_clusters or plot_density."
        )
    profiles, weights = np.asarray(mixture.profiles_, dtype=float), np.asarray(mixture.weights_, dtype=float)
    n_components, n_features = profiles.shape
    numbered = [f"component {k}" for k in range(n_components)]
    names = numbered if names is None else style.checked_names(names, n_components, "components")
    found = [style.feature_name(mixture, j) for j in range(n_features)] if features is None else features
    labels = style.checked_names(found, n_features, "categories")
    average = _base(base, weights, profiles)
    order = np.argsort(-weights, kind="stable")
    n_top = min(n_top, n_features)
    own_figure = axes is None
    axes = _axes(axes, n_components, n_top, columns)
    top = float(profiles.max())
    drawn: list[Any] = [None] * n_components
    for place, k in enumerate(order):
        ax = drawn[k] = axes[place]
        _draw(ax, profiles[k], average, labels, n_top)
        ax.set_xlim(0, 1.16 * top)
        # Two lines at most, so that the words stay above their own picture.
        room = max(style.room_for_text(ax, 0.78), 16)
        lines = wrap(f"{100 * weights[k]:.0f}\u00a0%\u2002{names[k]}", room, max_lines=2, placeholder="…")
        ax.set_title("\n".join(lines), loc="left", fontsize="small", fontweight="bold", color=style.INK)
    if own_figure and average is not None:
        drawn[0].get_figure().supxlabel(
            "bars: share in the component; lines: share in all rows", fontsize="small", color=style.MUTED
        )
    return np.array(drawn, dtype=object)


def _base(base: Any, weights: style.Floats, profiles: style.Floats) -> style.Floats | None:
    if base is False:
        return None
    given = weights @ profiles if base is None else np.asarray(base, dtype=float)
    if given.shape != profiles.shape[1:] or not given.sum() > 0:
        raise InvalidParameterError(
            f"base: found shape {given.shape} with a sum of {given.sum():g}; expected ({profiles.shape[1]},) shares in all rows, "
            "or False for none."
        )
    return np.asarray(given / given.sum())


def _axes(axes: Any, n_components: int, n_top: int, columns: int | None) -> list[Any]:
    if axes is not None:
        given = list(np.ravel(axes))
        if len(given) < n_components:
            raise InvalidParameterError(
                f"axes: found {len(given)}, expected {n_components}, one for each component. Leave them out for a new figure."
            )
        return given
    pyplot = optional_import("matplotlib.pyplot", "plots")
    columns = min(n_components, 3) if columns is None else columns
    rows = -(-n_components // columns)
    size = (max(3.4 * columns, 4.2), rows * (0.55 + 0.24 * n_top) + 0.2)
    made = pyplot.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False)[1].ravel()
    for ax in made[n_components:]:
        ax.remove()
    return list(made)


def _draw(
    ax: Any, profile: style.Floats, average: style.Floats | None, labels: Sequence[str], n_top: int
) -> None:
    """Bars with their shares written behind them, and the lines of all rows."""
    chosen = np.argsort(-profile, kind="stable")[:n_top]
    place = np.arange(n_top)
    low = np.zeros(n_top, dtype=bool) if average is None else profile[chosen] < average[chosen]
    ax.barh(place, profile[chosen], 0.72, color=[_LOW if below else _BAR for below in low])
    ends = profile[chosen]
    if average is not None:
        ax.vlines(average[chosen], place - 0.42, place + 0.42, color=style.INK, linewidth=1.6, zorder=3)
        ends = np.maximum(ends, average[chosen])
    for row, end, value in zip(place, ends, profile[chosen], strict=True):
        text = f"{100 * value:.0f} %" if value >= 0.095 else f"{100 * value:.1f} %"
        ax.annotate(
            text,
            (end, row),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize="small",
            color=style.INK,
        )
    ax.set_yticks(place, [style.short(labels[j], 24) for j in chosen])
    ax.set_ylim(n_top - 0.4, -0.6)
    ax.set_xticks([])
    ax.tick_params(axis="y", length=0, labelcolor=style.INK, labelsize="small")
    ax.spines[["top", "right", "bottom"]].set_visible(False)
    ax.spines["left"].set_color(style.MUTED)
