"""The tree of a mixture's components."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from mixtura.exceptions import InvalidParameterError, optional_import
from mixtura.plots import style

__all__ = ["plot_dendrogram"]

_HEIGHTS = {
    "loss": "Log-likelihood lost (nats)",
    "entropy": "Entropy removed (nats)",
    "kl": "Divergence of all merged pairs (nats)",
}
_BRANCH = "#8793a0"


def plot_dendrogram(
    tree: Any, *, ax: Any = None, names: Sequence[str] | None = None, cut: int | None = None
) -> Any:
    """The merges of a segment tree: names on the left, merges to the right in the order made.

    Parameters
    ----------
    tree : SegmentTree
        Fitted: `children_`, `heights_`, `weights_` and `criterion` are read.
    ax : matplotlib Axes, optional
        Where to draw; by default a new figure, as high as the names need.
    names : sequence of str, optional
        Names of the components; None: the numbers of `predict`.
    cut : int, optional
        Number of groups to show: each in its colour, the line between the merges made and not made dashed.

    Returns
    -------
    matplotlib Axes
        The axes drawn on.

    Raises
    ------
    InvalidParameterError
        If there are other names than components, or `cut` is no number of groups.
    MissingExtraError
        If Matplotlib is not installed.

    Notes
    -----
    The axis tells what all merges up to one have cost together. At every merge the branch of the larger weight lies above; the
    percentages are the components' shares.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> tree = SimpleNamespace(
    ...     children_=np.array([[0, 1], [2, 3]]),
    ...     heights_=np.array([1.0, 4.0]),
    ...     weights_=np.array([0.5, 0.2, 0.3]),
    ...     criterion="loss",
    ... )
    >>> ax = plot_dendrogram(tree, names=["bread", "milk", "beer"], cut=2)
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['bread  50 %', 'milk  20 %', 'beer  30 %']
    """
    if not hasattr(tree, "children_"):
        check_is_fitted(tree)
    weights = np.asarray(tree.weights_, dtype=float)
    n_leaves, children = len(weights), np.asarray(tree.children_, dtype=int)
    heights = np.concatenate([np.zeros(n_leaves), np.asarray(tree.heights_, dtype=float)])
    if cut is not None and not (isinstance(cut, int | np.integer) and 1 <= cut <= n_leaves):
        raise InvalidParameterError(
            f"cut: found {cut!r}, expected a number of groups from 1 to {n_leaves}. Leave it out to draw none."
        )
    names = style.checked_names(names, n_leaves, "components")
    order, position = _layout(children, weights)
    ax = style.axes_for(ax, size=(7.0, 1.2 + 0.3 * max(n_leaves, 3)))
    colours = _colours(children, n_leaves, cut, order)
    for merge, pair in enumerate(children):
        node = n_leaves + merge
        for child in pair:
            corner = [
                [heights[child], position[child]],
                [heights[node], position[child]],
                [heights[node], position[node]],
            ]
            ax.plot(
                *np.transpose(corner), color=colours[child], linewidth=1.9, solid_joinstyle="round", zorder=3
            )
    ax.scatter(
        np.zeros(n_leaves),
        position[:n_leaves],
        s=18,
        color=[colours[k] for k in range(n_leaves)],
        zorder=4,
        clip_on=False,
    )
    style.finish(ax)
    room = min(style.room_for_text(ax, 0.72) - 7, 34)
    _finish(ax, [f"{style.short(names[k], room)}  {_percent(weights[k])}" for k in order], heights, n_leaves)
    ax.set_xlabel(_HEIGHTS.get(str(getattr(tree, "criterion", "")), "Height"))
    if cut is not None and 1 < cut < n_leaves:
        _mark_cut(ax, heights[n_leaves:], n_leaves - cut, cut)
    return ax


def _layout(children: Any, weights: style.Floats) -> tuple[list[int], style.Floats]:
    """Order of the leaves from the top, and the vertical position of every cluster."""
    n_leaves = len(weights)
    total = np.concatenate([weights, np.zeros(len(children))])
    for merge, (one, other) in enumerate(children):
        total[n_leaves + merge] = total[one] + total[other]
    order, stack = [], [n_leaves + len(children) - 1]
    while stack:
        node = stack.pop()
        if node < n_leaves:
            order.append(node)
        else:
            stack += sorted(children[node - n_leaves], key=lambda child: (total[child], -child))
    position = np.zeros(len(total))
    position[order] = np.arange(n_leaves)
    for merge, pair in enumerate(children):
        position[n_leaves + merge] = position[pair].mean()
    return order, position


def _colours(children: Any, n_leaves: int, cut: int | None, order: Sequence[int]) -> list[Any]:
    """A colour for every cluster's own branch: that of its group below the cut, grey above."""
    found: list[Any] = [_BRANCH] * (n_leaves + len(children))
    if cut is None or cut in (1, n_leaves):
        return found if cut is None else [style.INK] * len(found)
    made = n_leaves - cut
    parent = np.arange(n_leaves + len(children))
    for merge in reversed(range(made)):
        parent[children[merge]] = parent[n_leaves + merge]
    groups = list(dict.fromkeys(int(parent[leaf]) for leaf in order))  # from the top
    palette = style.colours(len(groups))
    for node in range(n_leaves + made):
        found[node] = palette[groups.index(int(parent[node]))]
    return found


def _finish(ax: Any, labels: Sequence[str], heights: style.Floats, n_leaves: int) -> None:
    ax.set_yticks(range(n_leaves), labels)
    ax.set_ylim(n_leaves - 0.4, -0.6)
    top = float(heights.max())
    ax.set_xlim(0, 1.04 * top if top > 0 else 1.0)
    ax.tick_params(axis="y", length=0, pad=8, labelsize="small")
    ax.spines["left"].set_visible(False)
    ax.grid(visible=False, axis="y")
    ax.locator_params(axis="x", nbins=4)


def _mark_cut(ax: Any, heights: style.Floats, made: int, cut: int) -> None:
    below, above = float(heights[made - 1]), float(heights[made])
    place = 0.5 * (below + above)
    ax.axvline(place, color=style.INK, linewidth=1, linestyle=(0, (4, 3)), zorder=2)
    effects = optional_import("matplotlib.patheffects", "plots")
    right = place > 0.6 * ax.get_xlim()[1]
    ax.annotate(
        f"{cut} groups",
        (place, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(-4 if right else 4, 3),
        textcoords="offset points",
        ha="right" if right else "left",
        fontsize="small",
        color=style.INK,
        path_effects=[effects.withStroke(linewidth=3, foreground="white")],
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.095 else f"{100 * share:.1f} %"
