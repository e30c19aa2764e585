"""Trees: of a mixture's components, of the rows of a hierarchy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from mixtura.exceptions import InvalidParameterError, optional_import
from mixtura.inference.cutting import clusters_after
from mixtura.plots import style

__all__ = ["plot_dendrogram"]

_HEIGHTS = {
    "loss": "Log-likelihood lost (nats)",
    "entropy": "Entropy removed (nats)",
    "kl": "Divergence of all merged pairs (nats)",
}
_BRANCH = "#8793a0"
# Names that fit a figure; of larger trees the first merges are not drawn.
_MOST_LEAVES = 50


def plot_dendrogram(
    tree: Any,
    *,
    ax: Any = None,
    names: Sequence[str] | None = None,
    cut: int | None = None,
    leaves: int = _MOST_LEAVES,
) -> Any:
    """The merges of a tree: names on the left, merges to the right in the order made.

    Parameters
    ----------
    tree : SegmentTree or Hierarchy
        Fitted: of a tree of components `children_`, `heights_`, `weights_` and `criterion` are read, of a hierarchy of rows
        `children`, `heights`, `names` and `linkage`.
    ax : matplotlib Axes, optional
        Where to draw; by default a new figure, as high as the names need.
    names : sequence of str, optional
        Names of the leaves; None: the numbers of `predict`, or the hierarchy's names.
    cut : int, optional
        Number of groups to show: each in its colour, the line between the merges made and not made dashed.
    leaves : int, default 50
        Largest number of leaves drawn; of a larger tree the first merges are hidden in its leaves.

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
    Of a tree of components the axis tells what all merges up to one have cost together, and the percentages are the components'
    shares; of a hierarchy it tells the distance of the two groups. At every merge the larger branch lies above.

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
    whole = _read(tree, names)
    n_all = len(whole.names)
    if cut is not None and not (isinstance(cut, int | np.integer) and 1 <= cut <= n_all):
        raise InvalidParameterError(
            f"cut: found {cut!r}, expected a number of groups from 1 to {n_all}. Leave it out to draw none."
        )
    least = max(2, 1 if cut is None else cut)
    if not isinstance(leaves, int | np.integer) or isinstance(leaves, bool) or leaves < least:
        raise InvalidParameterError(
            f"leaves: found {leaves!r}, expected a whole number of at least {least}, so that the groups can be drawn."
        )
    drawn = whole.top(int(leaves))
    children, weights, n_leaves = drawn.children, drawn.weights, len(drawn.names)
    heights = np.concatenate([np.zeros(n_leaves), drawn.heights])
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
    labels = [style.short(drawn.names[k], room) + drawn.shares[k] for k in order]
    _finish(ax, labels, heights, n_leaves)
    ax.set_xlabel(whole.axis)
    if cut is not None and 1 < cut < n_leaves and (np.diff(drawn.heights) >= 0).all():
        _mark_cut(ax, heights[n_leaves:], n_leaves - cut, cut)
    return ax


@dataclass(frozen=True)
class _Tree:
    """What is drawn of a tree."""

    children: Any
    heights: style.Floats
    weights: style.Floats
    names: list[str]
    shares: list[str]
    axis: str

    def top(self, leaves: int) -> _Tree:
        """The last merges: clusters made before are leaves, named after their largest member."""
        n_leaves, hidden = len(self.names), max(len(self.names) - leaves, 0)
        if not hidden:
            return self
        top = clusters_after(self.children, n_leaves, hidden)[:n_leaves]
        clusters, code, sizes = np.unique(top, return_inverse=True, return_counts=True)
        number = np.full(n_leaves + len(self.children), -1)
        number[clusters] = np.arange(leaves)
        number[n_leaves + hidden :] = leaves + np.arange(len(self.children) - hidden)
        weights = np.bincount(code, self.weights).astype(np.float64)
        order = np.lexsort((-self.weights, code))
        largest = order[np.append(0, np.cumsum(sizes)[:-1])]
        more = ["" if size == 1 else f" + {size - 1} more" for size in sizes]
        return _Tree(
            number[self.children[hidden:]],
            self.heights[hidden:],
            weights,
            [self.names[leaf] for leaf in largest],
            [
                text + ("" if not own else f"  {_percent(weight)}")
                for text, own, weight in zip(
                    more, [self.shares[leaf] for leaf in largest], weights, strict=True
                )
            ],
            self.axis,
        )


def _read(tree: Any, names: Sequence[str] | None) -> _Tree:
    """Merges, names and the meaning of heights, of either kind of tree."""
    if hasattr(tree, "linkage"):
        named = style.checked_names(tree.names if names is None else names, len(tree.names), "joined rows")
        n_leaves = len(named)
        return _Tree(
            np.asarray(tree.children, dtype=int),
            np.asarray(tree.heights, dtype=float),
            np.ones(n_leaves),
            named,
            [""] * n_leaves,
            f"Distance of the groups joined ({tree.linkage} linkage)",
        )
    if not hasattr(tree, "children_"):
        check_is_fitted(tree)
    weights = np.asarray(tree.weights_, dtype=float)
    return _Tree(
        np.asarray(tree.children_, dtype=int),
        np.asarray(tree.heights_, dtype=float),
        weights,
        style.checked_names(names, len(weights), "components"),
        [f"  {_percent(weight)}" for weight in weights],
        _HEIGHTS.get(str(getattr(tree, "criterion", "")), "Height"),
    )


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
    top = clusters_after(children, n_leaves, made)
    groups = list(dict.fromkeys(int(top[leaf]) for leaf in order))  # from above
    palette = style.colours(len(groups))
    for node, group in enumerate(top):
        found[node] = palette[groups.index(int(group))]
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
