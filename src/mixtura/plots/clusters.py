"""A mixture in two dimensions: ellipses, and responsibilities as colour."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.exceptions import InvalidParameterError, optional_import
from mixtura.plots import style

__all__ = ["plot_clusters"]

_MAX_POINTS = 20_000
_MAX_LEGEND, _MAX_LEGEND_INSIDE = 20, 8  # more are told by their numbers alone


def plot_clusters(
    mixture: Any,
    X: Any,
    *,
    ax: Any = None,
    features: tuple[int, int] | None = None,
    max_points: int = _MAX_POINTS,
) -> Any:
    r"""Points coloured by their responsibilities, with the ellipses of the components.

    A point wears the blend of the components' colours in the proportions of its responsibilities, so a point
    between two clusters looks like it. The ellipses are the contours at one and two standard deviations;
    numbers mark the means and are the labels of `predict`. Components of a Bayesian mixture without rows are not drawn.

    Parameters
    ----------
    mixture : estimator
        A fitted Gaussian mixture.
    X : array_like, shape (n, D)
        The data.
    ax : matplotlib Axes, optional
        Where to draw; by default a new figure.
    features : tuple of two int, optional
        Which two features; may be left out if there are only two. Ellipses are those of the marginal
        densities, responsibilities those of all features.
    max_points : int, default 20000
        Of more rows an even selection is drawn.

    Returns
    -------
    matplotlib Axes
        The axes drawn on.

    Raises
    ------
    InvalidParameterError
        If there are not two features and no two are chosen, or the components are not Gaussian.
    InvalidDataError
        If `X` has another number of columns than the data of the fit.
    MissingExtraError
        If Matplotlib is not installed.

    Notes
    -----
    The ellipse at c standard deviations is :math:`(x-\mu_k)'\Sigma_k^{-1}(x-\mu_k) = c^2`; in two dimensions
    it holds 39 % (c = 1) and 86 % (c = 2) of the component's points.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.mixture import GaussianMixture
    >>> rng = np.random.default_rng(0)
    >>> x = np.vstack([rng.normal(0.0, 1.0, (100, 2)), rng.normal(5.0, 1.0, (100, 2))])
    >>> ax = plot_clusters(GaussianMixture(2, random_state=0).fit(x), x)
    >>> len(ax.patches)
    4
    """
    weights, means, covariances = style.gaussian_parameters(mixture, "plot_clusters")
    pair = _checked_pair(features, means.shape[1])
    data = style.data_matrix(X, means.shape[1])
    resp = np.asarray(mixture.predict_proba(X), dtype=float)
    if len(data) > max_points:
        drawn = np.linspace(0, len(data) - 1, max_points).astype(np.intp)
        data, resp = data[drawn], resp[drawn]
    own_figure = ax is None
    ax = style.axes_for(ax, size=(7.0, 5.2))
    palette, used = style.colours(len(weights)), style.with_rows(mixture)
    size = float(np.clip(6000 / max(len(data), 1), 5, 26))
    ax.scatter(
        *data[:, pair].T,
        c=np.clip(resp @ palette, 0, 1),
        s=size,
        alpha=0.75,
        linewidths=0,
        rasterized=len(data) > 5000,
    )
    for k in used[np.argsort(-weights[used])]:
        part = covariances[k][np.ix_(pair, pair)]
        _draw_component(ax, means[k, pair], part, palette[k], str(k), small=len(used) > 8)
    if len(used) <= (_MAX_LEGEND if own_figure else _MAX_LEGEND_INSIDE):
        _draw_legend(ax, own_figure, {int(k): weights[k] for k in used}, palette)
    ax.set_xlabel(style.feature_name(mixture, pair[0]))
    ax.set_ylabel(style.feature_name(mixture, pair[1]))
    ax.autoscale_view()
    return style.finish(ax)


def _checked_pair(features: tuple[int, int] | None, n_features: int) -> list[int]:
    if features is None:
        if n_features == 1:
            raise InvalidParameterError(
                "plot_clusters draws two features; found a mixture of 1. Use plot_density instead."
            )
        if n_features != 2:
            raise InvalidParameterError(
                f"plot_clusters draws two features; found a mixture of {n_features}. Choose two of them with "
                "features=(0, 1), or use plot_density with feature=0 for one."
            )
        return [0, 1]
    pair = [int(index) for index in features]
    if len(pair) != 2 or pair[0] == pair[1] or not all(0 <= index < n_features for index in pair):
        raise InvalidParameterError(
            f"features: found {features}, expected two different positions from 0 to {n_features - 1}. "
            "Give the positions of two columns of X, such as features=(0, 1)."
        )
    return pair


def _draw_component(
    ax: Any, mean: style.Floats, covariance: style.Floats, colour: style.Floats, label: str, *, small: bool
) -> None:
    patches = optional_import("matplotlib.patches", "plots")
    effects = optional_import("matplotlib.patheffects", "plots")
    eigenvalues, vectors = np.linalg.eigh(covariance)
    width, height = 2 * np.sqrt(np.maximum(eigenvalues[::-1], 0))
    angle = float(np.degrees(np.arctan2(vectors[1, 1], vectors[0, 1])))
    halo = [effects.withStroke(linewidth=3.2, foreground="white", alpha=0.8)]
    for deviations, line in ((1, "-"), (2, (0, (5, 3)))):
        ellipse = patches.Ellipse(
            tuple(mean),
            deviations * width,
            deviations * height,
            angle=angle,
            facecolor="none",
            edgecolor=0.8 * colour,
            linewidth=1.8 if deviations == 1 else 1.3,
            linestyle=line,
            path_effects=halo,
            zorder=3,
        )
        ax.add_patch(ellipse)
    ax.annotate(
        label,
        tuple(mean),
        ha="center",
        va="center",
        fontsize=7 if small else 9,
        fontweight="bold",
        color=style.INK,
        bbox={
            "boxstyle": "circle,pad=0.22",
            "facecolor": "white",
            "edgecolor": 0.8 * colour,
            "linewidth": 1.4,
        },
        zorder=5,
    )


def _draw_legend(ax: Any, own_figure: bool, weights: dict[int, float], palette: style.Floats) -> None:
    lines = optional_import("matplotlib.lines", "plots")
    handles = [
        lines.Line2D(
            [],
            [],
            marker="o",
            linestyle="",
            markersize=6,
            color=palette[k],
            label=f"{k} ({100 * weight:.0f} %)",
        )
        for k, weight in weights.items()
    ]
    handles += [
        lines.Line2D([], [], color=style.MUTED, linewidth=1.8, label="1 standard deviation"),
        lines.Line2D(
            [], [], color=style.MUTED, linewidth=1.3, linestyle=(0, (5, 3)), label="2 standard deviations"
        ),
    ]
    style.legend_beside(ax, own_figure, handles=handles, title="Component (weight)", alignment="left")
