"""Moves between the states of a chain, as a table in colours and as a diagram."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mixtura.exceptions import InvalidParameterError, optional_import
from mixtura.plots import style

__all__ = ["plot_transition_diagram", "plot_transitions"]

# States of which every cell is written into the table.
_WRITTEN = 15


def plot_transitions(chain: Any, *, ax: Any = None, names: Sequence[str] | None = None) -> Any:
    """The transition matrix as a table in colours: rows are the states left, columns those entered.

    Staying would outshine all moves, so colours are of the moves among those that leave; the diagonal is grey and says how often
    the chain stays.

    Parameters
    ----------
    chain : estimator or array_like, shape (K, K)
        A fitted chain with `transmat_`, or probabilities whose rows sum to one.
    ax : matplotlib Axes, optional
        Where to draw; by default a new figure.
    names : sequence of str, optional
        Names of the states; None: their numbers.

    Returns
    -------
    matplotlib Axes
        The axes drawn on.

    Raises
    ------
    InvalidParameterError
        If there is no transition matrix.
    MissingExtraError
        If Matplotlib is not installed.

    Examples
    --------
    >>> ax = plot_transitions([[0.9, 0.1], [0.25, 0.75]], names=["calm", "busy"])
    >>> [text.get_text() for text in ax.texts]
    ['90 %', '10 %', '25 %', '75 %']
    """
    moves = _matrix(chain)
    size = len(moves)
    labels = style.checked_names(names, size, "states")
    ax = style.axes_for(ax, size=(max(4.0, 1.6 + 0.55 * size), max(3.4, 1.2 + 0.5 * size)))
    own = np.eye(size, dtype=bool)
    leaving = np.where(own, 0.0, moves).sum(axis=1, keepdims=True)
    among = np.where(leaving > 0, moves / np.where(leaving > 0, leaving, 1.0), 0.0)
    shown = np.ma.masked_array(among, mask=own)
    colours = optional_import("matplotlib", "plots").colormaps["Blues"].with_extremes(bad="#e3e7ec")
    ax.imshow(shown, cmap=colours, vmin=0.0, vmax=1.0, aspect="auto")
    if size <= _WRITTEN:
        for (i, j), value in np.ndenumerate(moves):
            ink = "white" if not own[i, j] and among[i, j] > 0.6 else style.INK
            ax.text(j, i, _percent(value), ha="center", va="center", color=ink, fontsize="small")
    ticks = np.arange(size)
    longest = 14
    ax.set_xticks(ticks, [style.short(label, longest) for label in labels])
    ax.set_yticks(ticks, [style.short(label, longest) for label in labels])
    ax.tick_params(length=0, colors=style.INK)
    ax.spines[:].set_visible(False)
    ax.set_xlabel("State entered")
    ax.set_ylabel("State left")
    return ax


def plot_transition_diagram(
    chain: Any,
    *,
    ax: Any = None,
    names: Sequence[str] | None = None,
    shares: Any = None,
    least: float = 0.05,
) -> Any:
    """States as circles and moves as arrows, as wide as they are probable.

    A circle's area is the state's long-run share; under its name stands how often the chain stays there.

    Parameters
    ----------
    chain : estimator or array_like, shape (K, K)
        A fitted chain with `transmat_`, or probabilities whose rows sum to one.
    ax : matplotlib Axes, optional
        Where to draw; by default a new figure.
    names : sequence of str, optional
        Names of the states; None: their numbers.
    shares : array_like, shape (K,), optional
        Sizes of the circles; None: the chain's `weights_`, or all alike.
    least : float, default 0.05
        Moves that are less probable among those that leave a state are left out.

    Returns
    -------
    matplotlib Axes
        The axes drawn on.

    Raises
    ------
    InvalidParameterError
        If there is no transition matrix.
    MissingExtraError
        If Matplotlib is not installed.

    Examples
    --------
    >>> ax = plot_transition_diagram([[0.9, 0.1], [0.25, 0.75]], names=["calm", "busy"])
    >>> [" ".join(text.get_text().split()) for text in ax.texts]
    ['calm 90 %', 'busy 75 %', '10 %', '25 %']
    """
    moves = _matrix(chain)
    size = len(moves)
    labels = style.checked_names(names, size, "states")
    found = getattr(chain, "weights_", None) if shares is None else shares
    share = np.full(size, 1.0 / size) if found is None else np.asarray(found, dtype=float)
    ax = style.axes_for(ax, size=(6.2, 5.6))
    angle = np.pi / 2 - 2 * np.pi * np.arange(size) / size
    places = np.column_stack([np.cos(angle), np.sin(angle)]) if size > 1 else np.zeros((1, 2))
    # Circles beside each other do not touch, and arrows have room between them.
    room = 0.3 * (2 * np.sin(np.pi / size) if size > 1 else 1.0)
    radius = np.clip(room * np.sqrt(share / share.max()), 0.5 * room, min(room, 0.42))
    patches = optional_import("matplotlib.patches", "plots")
    for k, colour in enumerate(style.colours(size)):
        ax.add_patch(patches.Circle(places[k], radius[k], color=colour, alpha=0.22, linewidth=0))
        ax.add_patch(patches.Circle(places[k], radius[k], fill=False, color=colour, linewidth=1.6))
        text = f"{style.short(labels[k], 12)}\n{_percent(moves[k, k])}"
        ax.text(*places[k], text, ha="center", va="center", color=style.INK, fontsize="small")
    leaving = np.where(np.eye(size, dtype=bool), 0.0, moves)
    among = leaving / np.maximum(leaving.sum(axis=1, keepdims=True), 1e-300)
    for i, j in np.argwhere((among >= least) & (among > 0)):
        _arrow(
            ax, patches, (places[i], radius[i]), (places[j], radius[j]), among[i, j], _percent(moves[i, j])
        )
    ax.set_xlim(-1.55, 1.55)
    ax.set_ylim(-1.55, 1.55)
    ax.set_aspect("equal")
    ax.set_axis_off()
    return ax


def _arrow(ax: Any, patches: Any, start: Any, stop: Any, share: float, text: str) -> None:
    """An arc from one circle to another, with its probability; the way back is bent to the other side."""
    (begin, near), (end, far) = start, stop
    along = (end - begin) / np.linalg.norm(end - begin)
    aside = np.array([along[1], -along[0]])
    turn = 0.35  # arrows leave and arrive beside the straight line
    first = begin + (near + 0.03) * (np.cos(turn) * along - np.sin(turn) * aside)
    last = end - (far + 0.04) * (np.cos(turn) * along + np.sin(turn) * aside)
    ax.add_patch(
        patches.FancyArrowPatch(
            first,
            last,
            connectionstyle="arc3,rad=-0.18",
            arrowstyle="-|>",
            mutation_scale=9 + 7 * share,
            linewidth=0.8 + 3.2 * share,
            color=style.MUTED,
            shrinkA=0,
            shrinkB=0,
        )
    )
    middle = 0.6 * first + 0.4 * last - 0.13 * np.linalg.norm(last - first) * aside
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.6}
    ax.text(*middle, text, ha="center", va="center", color=style.INK, fontsize="x-small", bbox=box)


def _percent(value: float) -> str:
    """A probability in per cent, those that are almost 0 or 1 with a digit more."""
    percent = 100.0 * float(value)
    if 0.0 < percent < 0.05:
        return "<0.1 %"
    return f"{percent:.1f} %" if 0 < percent < 1 or 99 < percent < 100 else f"{percent:.0f} %"


def _matrix(chain: Any) -> style.Floats:
    moves = np.asarray(getattr(chain, "transmat_", chain) if hasattr(chain, "transmat_") else chain)
    if (
        moves.ndim != 2
        or moves.shape[0] != moves.shape[1]
        or moves.dtype.kind not in "fiu"
        or not np.allclose(moves.sum(axis=1), 1.0, atol=1e-6)
    ):
        found = f"shape {moves.shape}" if moves.ndim else type(chain).__name__
        raise InvalidParameterError(
            f"chain: found {found}; expected a fitted chain with a transition matrix, or probabilities (states, states) whose rows sum "
            "to one. Where moves depend on covariates, give the matrix of some covariates."
        )
    return moves.astype(float)
