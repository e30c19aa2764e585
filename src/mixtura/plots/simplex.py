"""Shares of three categories: points and profiles in a triangle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import gammaln, logsumexp
from scipy.stats import gaussian_kde

from mixtura.exceptions import InvalidDataError, InvalidParameterError, optional_import
from mixtura.plots import style

__all__ = ["plot_simplex"]

_MAX_POINTS = 20_000
_CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(3) / 2]])
# Shares of the mass inside the contours.
_INSIDE = (0.95, 0.8, 0.5, 0.2)
_GRID = 100


def plot_simplex(
    X: Any,
    mixture: Any = None,
    *,
    ax: Any = None,
    features: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
    density: Any = None,
    max_points: int = _MAX_POINTS,
) -> Any:
    r"""Rows of shares over three categories in a triangle, with the profiles of a mixture's components.

    A row in a corner holds that category alone, one in the middle all three alike; the distance from a side is the
    share of the category in the corner across.

    Parameters
    ----------
    X : array_like, shape (n, C)
        Counts, amounts or shares; every row is divided by its sum over the three. Rows without any are left out.
    mixture : estimator, optional
        A fitted mixture with `profiles_`, drawn as numbers; points wear the blend of the components' colours in the
        proportions of their responsibilities.
    ax : matplotlib Axes, optional
        Where to draw; by default a new figure.
    features : sequence of three int, optional
        Which categories; may be left out if there are only three.
    names : sequence of three str, optional
        What to write at the corners; by default the names of the fit, or numbers.
    density : bool or array_like, shape (K, 3), optional
        Contours that hold 20, 50, 80 and 95 % of the mass: True, of the rows (smoothed); Dirichlet parameters, of the
        mixture of these laws with the mixture's weights.
    max_points : int, default 20000
        Of more rows an even selection is drawn.

    Returns
    -------
    matplotlib Axes
        The axes drawn on.

    Raises
    ------
    InvalidDataError
        If `X` has no row with a positive count of the three, or negative ones.
    InvalidParameterError
        If there are not three categories and no three are chosen.
    MissingExtraError
        If Matplotlib is not installed.

    Notes
    -----
    Shares s are drawn at :math:`\sum_j s_j v_j` with the corners :math:`v_j` of an equilateral triangle.

    Examples
    --------
    >>> rows = np.random.default_rng(0).dirichlet([4.0, 2.0, 1.0], 200)
    >>> ax = plot_simplex(rows, names=["bread", "milk", "beer"])
    >>> len(ax.collections[0].get_offsets())
    200
    """
    counts = _matrix(X)
    chosen = _three(features, counts.shape[1])
    resp = None if mixture is None else np.asarray(mixture.predict_proba(X), dtype=float)
    totals = counts[:, chosen].sum(axis=1)
    kept = np.flatnonzero(totals > 0)
    if not kept.size:
        raise InvalidDataError(
            f"X: found no row with a positive sum of columns {chosen}; expected at least one. Choose other features."
        )
    shares = counts[kept][:, chosen] / totals[kept, None]
    drawn = np.linspace(0, len(kept) - 1, min(len(kept), max_points)).astype(np.intp)
    ax = style.axes_for(ax, size=(6.2, 5.4))
    palette = None if resp is None else style.colours(resp.shape[1])
    colour = style.colours(1) if resp is None else np.clip(resp[kept][drawn] @ palette, 0, 1)
    if density is not None and density is not False:
        _contours(ax, shares, density, chosen, getattr(mixture, "weights_", None))
    size = float(np.clip(6000 / len(drawn), 4, 24))
    ax.scatter(
        *(shares[drawn] @ _CORNERS).T,
        c=colour,
        s=size,
        alpha=0.55,
        linewidths=0,
        zorder=3,
        rasterized=len(drawn) > 5000,
    )
    _frame(ax, _corner_names(mixture, names, chosen))
    if mixture is not None and hasattr(mixture, "profiles_"):
        _profiles(ax, np.asarray(mixture.profiles_, dtype=float)[:, chosen], palette)
    return ax


def _matrix(x: Any) -> style.Floats:
    dense = x.toarray() if hasattr(x, "toarray") else x
    data = np.asarray(dense, dtype=float)
    if data.ndim != 2 or not np.isfinite(data).all() or (data < 0).any():
        raise InvalidDataError(
            f"X: found shape {data.shape} with a smallest value of {np.min(data) if data.size else None}; expected "
            "(n, C) counts or shares, finite and at least 0. Remove returns and missing values."
        )
    return data


def _three(features: Sequence[int] | None, n_features: int) -> list[int]:
    if features is None and n_features == 3:
        return [0, 1, 2]
    if features is None:
        raise InvalidParameterError(
            f"plot_simplex draws three categories; found {n_features}. Choose three with features=(0, 1, 2)."
        )
    chosen = [int(index) for index in features]
    if len(set(chosen)) != 3 or len(chosen) != 3 or not all(0 <= index < n_features for index in chosen):
        raise InvalidParameterError(
            f"features: found {tuple(features)}, expected three different positions from 0 to {n_features - 1}."
        )
    return chosen


def _corner_names(mixture: Any, names: Sequence[str] | None, chosen: Sequence[int]) -> list[str]:
    if names is None:
        return [style.feature_name(mixture, index) for index in chosen]
    return style.checked_names(names, 3, "corners")


def _frame(ax: Any, names: Sequence[str]) -> None:
    """The triangle, light lines at every fifth with their shares, and the corners' names."""
    outwards = (((-4, 1), "right", "center"), ((0, -4), "center", "top"), ((4, 1), "left", "center"))
    label = {"textcoords": "offset points", "fontsize": "x-small", "color": style.MUTED}
    for corner, (offset, across, up) in enumerate(outwards):
        for fraction in (0.2, 0.4, 0.6, 0.8):
            ends = np.zeros((2, 3))
            ends[:, corner] = fraction
            ends[0, (corner + 1) % 3] = ends[1, (corner + 2) % 3] = 1 - fraction
            ends = ends @ _CORNERS
            ax.plot(*ends.T, color="#dfe4ea", linewidth=0.7, zorder=1)
            ax.annotate(f"{100 * fraction:.0f} %", tuple(ends[1]), offset, ha=across, va=up, **label)
    edge = np.vstack([_CORNERS, _CORNERS[:1]])
    ax.plot(*edge.T, color=style.MUTED, linewidth=1.2, zorder=2, solid_joinstyle="round")
    bold = {"textcoords": "offset points", "color": style.INK, "fontweight": "bold"}
    top = float(edge[2, 1])
    places = (
        ((-0.02, 0.0), -16, "left", "top"),
        ((1.02, 0.0), -16, "right", "top"),
        ((0.5, top), 7, "center", "bottom"),
    )
    for name, (point, rise, across, up) in zip(names, places, strict=True):
        ax.annotate(style.short(name, 24), point, (0, rise), ha=across, va=up, **bold)
    ax.set_aspect("equal")
    ax.set_xlim(-0.03, 1.03)
    ax.set_ylim(-0.02, top + 0.02)
    ax.axis("off")


def _profiles(ax: Any, profiles: style.Floats, palette: Any) -> None:
    total = profiles.sum(axis=1)
    small = len(profiles) > 8
    for k in np.flatnonzero(total > 0):
        ax.annotate(
            str(k),
            tuple(profiles[k] / total[k] @ _CORNERS),
            ha="center",
            va="center",
            fontsize=7 if small else 9,
            fontweight="bold",
            color=style.INK,
            bbox={
                "boxstyle": "circle,pad=0.22",
                "facecolor": "white",
                "edgecolor": 0.8 * palette[k],
                "linewidth": 1.6,
            },
            zorder=6,
        )


def _contours(ax: Any, shares: style.Floats, density: Any, chosen: Sequence[int], weights: Any) -> None:
    first, second = np.mgrid[0 : _GRID + 1, 0 : _GRID + 1].reshape(2, -1) / _GRID
    kept = first + second < 1 + 0.5 / _GRID
    grid = np.column_stack([first[kept], second[kept], np.maximum(1 - first[kept] - second[kept], 0.0)])
    # Densities may be infinite on the sides: read half a step inside.
    inside = (grid + 0.5 / _GRID) / (1 + 1.5 / _GRID)
    if density is True:
        if len(np.unique(shares.round(9), axis=0)) < 4:
            raise InvalidDataError(
                "density=True smooths the rows; found fewer than 4 different ones. Leave density out."
            )
        height = gaussian_kde((shares @ _CORNERS).T)((inside @ _CORNERS).T)
    else:
        height = _dirichlet(inside, np.asarray(density, dtype=float), chosen, weights)
    ordered = np.sort(height)[::-1]
    mass = np.cumsum(ordered) / ordered.sum()
    levels = sorted({float(ordered[np.searchsorted(mass, share)]) for share in _INSIDE})
    colors = optional_import("matplotlib.colors", "plots")
    shades = colors.LinearSegmentedColormap.from_list("", ["#e9eef3", "#b4c2d0"])
    edges = [*levels, float(ordered[0]) * (1 + 1e-9) + 1e-300]
    points = (grid @ _CORNERS).T
    # Shades in equal steps, whatever the heights.
    ax.tricontourf(
        *points, height, levels=edges, cmap=shades, norm=colors.BoundaryNorm(edges, shades.N), zorder=0
    )
    ax.tricontour(*points, height, levels=levels, colors="#94a3b3", linewidths=0.8, zorder=1.5)


def _dirichlet(
    points: style.Floats, alpha: style.Floats, chosen: Sequence[int], weights: Any
) -> style.Floats:
    """Density of a mixture of Dirichlet laws (of three out of all categories: their parameters are the three)."""
    alpha = np.atleast_2d(alpha)
    if alpha.ndim != 2 or alpha.shape[1] < 3 or not (alpha > 0).all():
        raise InvalidParameterError(
            f"density: found an array of shape {alpha.shape}; expected Dirichlet parameters (K, 3), all positive, or True."
        )
    alpha = alpha if alpha.shape[1] == 3 else alpha[:, chosen]
    share = np.full(len(alpha), 1 / len(alpha)) if weights is None else np.asarray(weights, dtype=float)
    scores = np.log(points) @ (alpha - 1).T + gammaln(alpha.sum(axis=1)) - gammaln(alpha).sum(axis=1)
    with np.errstate(divide="ignore"):
        return np.asarray(np.exp(logsumexp(scores + np.log(share), axis=1)))
