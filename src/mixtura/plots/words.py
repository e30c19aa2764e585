"""A profile as words."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

import numpy as np

from mixtura.exceptions import InvalidDataError, InvalidParameterError, did_you_mean, optional_import
from mixtura.plots import style

__all__ = ["place_boxes", "plot_words"]

_SIZES = ("share", "lift")
# The smallest word is this fraction of the largest, so that it can still be read.
_SMALLEST = 0.28
# Of a lift, words of a smaller share are left out.
_RAREST = 1e-3
_CHUNK = 1024
_LIFTS = (
    ("at least twice the average", "#0b3c5d"),
    ("above the average", "#3d8ec4"),
    ("below the average", "#9aa5b1"),
)


def plot_words(
    profile: Any,
    *,
    names: Sequence[str],
    ax: Any = None,
    base: Any = None,
    size: str = "share",
    n_words: int = 30,
) -> Any:
    """A profile as words: the larger, the larger its share; the darker, the more typical.

    Words are shapes in the picture's own coordinates, so they do not overlap at any size of the figure.

    Parameters
    ----------
    profile : array_like, shape (C,)
        Shares (or counts) of the categories in a component.
    names : sequence of str
        Names of the categories.
    ax : matplotlib Axes, optional
        Where to draw; by default a new figure. Its proportions decide those of the cloud.
    base : array_like, shape (C,), optional
        Shares (or counts) of the categories in all rows: colours then tell the lift, share over base.
    size : {"share", "lift"}, default "share"
        What the font size tells: the area of a word is about proportional to the share; or, which needs `base`, its
        height grows with the logarithm of the lift, of words at least a thousandth of the profile.
    n_words : int, default 30
        How many words, the largest ones.

    Returns
    -------
    matplotlib Axes
        The axes drawn on.

    Raises
    ------
    InvalidDataError
        If the profile holds nothing, or negative or missing values.
    InvalidParameterError
        If names or base do not fit the profile, or "lift" has no base.
    MissingExtraError
        If Matplotlib is not installed.

    Notes
    -----
    Largest word first, each is moved along a spiral from the middle to the first place where its box is free. Nothing
    is drawn by chance: the same profile gives the same picture.

    Examples
    --------
    >>> ax = plot_words([0.5, 0.3, 0.2], names=["bread", "milk", "beer"])
    >>> len(ax.patches)
    3
    """
    share, lift = _checked(profile, base, size)
    names = style.checked_names(names, len(share), "categories")
    weight = _weights(share, lift, size)
    chosen = np.argsort(-weight, kind="stable")[:n_words]
    chosen = chosen[weight[chosen] > 0]
    if not chosen.size:
        raise InvalidDataError(
            "profile: found no category with a lift above 1; expected some. Use size='share'."
        )
    heights = np.maximum(weight[chosen] / weight[chosen[0]], _SMALLEST)
    ax = style.axes_for(ax, size=(6.4, 4.2))
    box = ax.get_window_extent()
    aspect = float(np.clip(box.width / max(box.height, 1.0), 0.4, 3.0))
    paths = _shapes([style.short(names[k], 28) for k in chosen], heights)
    sizes = np.array([np.ptp(path.vertices, axis=0) for path in paths])
    centres = place_boxes(sizes + 0.22 * heights[:, None] + 0.03, aspect)
    patches = optional_import("matplotlib.patches", "plots")
    transforms = optional_import("matplotlib.transforms", "plots")
    for k, path, centre in zip(chosen, paths, centres, strict=True):
        middle = 0.5 * (path.vertices.min(axis=0) + path.vertices.max(axis=0))
        moved = path.transformed(transforms.Affine2D().translate(*(centre - middle)))
        ax.add_patch(
            patches.PathPatch(
                moved, facecolor=_colour(None if lift is None else lift[k]), linewidth=0, label=names[k]
            )
        )
    low, high = (centres - sizes / 2).min(axis=0), (centres + sizes / 2).max(axis=0)
    ax.set_xlim(low[0], high[0])
    ax.set_ylim(low[1], high[1])
    ax.set_aspect("equal")
    ax.axis("off")
    if lift is not None:
        _legend(ax, lift[chosen])
    return ax


def place_boxes(sizes: Any, aspect: float = 1.0) -> style.Floats:
    """Centres of boxes that do not overlap, found along a spiral in the order given.

    Parameters
    ----------
    sizes : array_like, shape (n, 2)
        Widths and heights.
    aspect : float, default 1
        Width over height that the whole should have.

    Returns
    -------
    ndarray, shape (n, 2)
        The centres; the first is at the origin.

    Examples
    --------
    >>> place_boxes([[2.0, 1.0], [2.0, 1.0]]).round(1)[0]
    array([0., 0.])
    """
    half = np.asarray(sizes, dtype=float) / 2
    centres = np.zeros_like(half)
    stretch = np.array([np.sqrt(aspect), 1 / np.sqrt(aspect)])
    # Turns of the spiral are a quarter of the lowest box apart.
    pitch = half[:, 1].min() / 2
    for index in range(1, len(half)):
        for first in count(0, _CHUNK):
            places = _spiral(first, pitch) * stretch
            apart = np.abs(places[:, None] - centres[:index]) >= half[index] + half[:index]
            free = apart.any(axis=2).all(axis=1)
            if free.any():
                centres[index] = places[np.argmax(free)]
                break
    return centres


def _spiral(first: int, pitch: float) -> style.Floats:
    """Points of Archimedes' spiral from number `first` on, in steps of a pitch along it."""
    turn = np.sqrt(4 * np.pi * np.arange(first, first + _CHUNK))
    radius = pitch * turn / (2 * np.pi)
    return np.column_stack([radius * np.cos(turn), radius * np.sin(turn)])


def _checked(profile: Any, base: Any, size: str) -> tuple[style.Floats, Any]:
    """Shares, and lifts where there is a base."""
    if size not in _SIZES:
        raise InvalidParameterError(f"size: found {size!r}. {did_you_mean(str(size), _SIZES)}")
    shares = []
    for what, values in (("profile", profile), ("base", base)):
        if values is None:
            continue
        array = np.asarray(values, dtype=float)
        if array.ndim != 1 or not np.isfinite(array).all() or (array < 0).any() or not array.sum() > 0:
            raise InvalidDataError(
                f"{what}: found shape {array.shape} with a sum of {array.sum():g}; expected shares of the categories, "
                "(C,), at least 0 and not all 0."
            )
        shares.append(array / array.sum())
    if base is None:
        if size == "lift":
            raise InvalidParameterError(
                "size='lift' compares with all rows; found no base. Give base=, or size='share'."
            )
        return shares[0], None
    if len(shares[1]) != len(shares[0]):
        raise InvalidParameterError(
            f"base: found {len(shares[1])} categories, expected {len(shares[0])} as in the profile. Give shares of the same categories."
        )
    return shares[0], np.divide(shares[0], shares[1], out=np.ones_like(shares[0]), where=shares[1] > 0)


def _weights(share: style.Floats, lift: Any, size: str) -> style.Floats:
    """Relative font sizes; zero for words left out."""
    if size == "share":
        return np.sqrt(share)
    return np.where((share >= _RAREST) & (lift > 1), np.log(np.maximum(lift, 1.0)), 0.0)


def _shapes(texts: Sequence[str], heights: style.Floats) -> list[Any]:
    """Outlines of the words, of which capitals have about the given heights."""
    text_path = optional_import("matplotlib.textpath", "plots").TextPath
    font = optional_import("matplotlib.font_manager", "plots").FontProperties(weight="bold")
    return [
        text_path((0, 0), text, size=height, prop=font) for text, height in zip(texts, heights, strict=True)
    ]


def _colour(lift: float | None) -> str:
    if lift is None:
        return style.ACCENT
    return _LIFTS[0][1] if lift >= 2 else _LIFTS[1][1] if lift >= 1 else _LIFTS[2][1]


def _legend(ax: Any, lifts: Sequence[float]) -> None:
    """What the colours mean, of those that are there."""
    patches = optional_import("matplotlib.patches", "plots")
    seen = {_colour(lift) for lift in lifts}
    handles = [patches.Patch(color=colour, label=text) for text, colour in _LIFTS if colour in seen]
    ax.legend(
        handles=handles,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.02),
        ncols=len(handles),
        frameon=False,
        fontsize="small",
        handlelength=1.0,
        handleheight=1.0,
    )
