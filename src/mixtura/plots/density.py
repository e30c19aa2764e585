"""A mixture in one dimension: data, components and their sum."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.exceptions import InvalidParameterError
from mixtura.plots import style

__all__ = ["plot_density"]

_MAX_RUG = 500
_MAX_BINS = 80
_MAX_LEGEND, _MAX_LEGEND_INSIDE = 20, 8


def plot_density(
    mixture: Any, X: Any = None, *, ax: Any = None, feature: int | None = None, bins: Any = None
) -> Any:
    r"""Density of a Gaussian mixture along one feature, with its components.

    The curve of a component is its weight times its density, so the curves add up to the density of the
    mixture, and the histogram of the data is on the same scale.

    Parameters
    ----------
    mixture : estimator
        A fitted Gaussian mixture.
    X : array_like, shape (n, D), optional
        The data, drawn as a histogram and, up to 500 rows, as ticks on the axis.
    ax : matplotlib Axes, optional
        Where to draw; by default a new figure.
    feature : int, optional
        Which feature; may be left out if there is only one. The density is the marginal one.
    bins : optional
        As for ``numpy.histogram``; chosen from the data by default.

    Returns
    -------
    matplotlib Axes
        The axes drawn on.

    Raises
    ------
    InvalidParameterError
        If there are several features and none is chosen, or the components are not Gaussian.
    InvalidDataError
        If `X` has another number of columns than the data of the fit.
    MissingExtraError
        If Matplotlib is not installed.

    Notes
    -----
    Components of a Bayesian mixture without rows are not drawn by themselves.
    Draws :math:`p(x) = \sum_k \pi_k N(x \mid \mu_k, \sigma_k^2)` and its terms.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.mixture import GaussianMixture
    >>> x = np.random.default_rng(0).normal([[0.0], [5.0]], 1.0, size=(2, 100)).reshape(-1, 1)
    >>> ax = plot_density(GaussianMixture(2, random_state=0).fit(x), x)
    >>> ax.get_ylabel()
    'Density'
    """
    weights, means, covariances = style.gaussian_parameters(mixture, "plot_density")
    n_features = means.shape[1]
    if feature is None:
        if n_features != 1:
            other = (
                "plot_clusters draws two features together" if n_features == 2 else "plot_clusters draws two"
            )
            raise InvalidParameterError(
                f"plot_density draws one feature; found a mixture of {n_features}. Choose one with "
                "feature=0 to "
                f"feature={n_features - 1}, or use another plot: {other}."
            )
        feature = 0
    if not 0 <= feature < n_features:
        raise InvalidParameterError(
            f"feature: found {feature}, expected 0 to {n_features - 1}. Give the position of a column of X."
        )
    values = None if X is None else style.data_matrix(X, n_features)[:, feature]
    deviations = np.sqrt(covariances[:, feature, feature])
    own_figure = ax is None
    ax = style.axes_for(ax)
    if values is not None:
        _draw_data(ax, values, bins)
    used = style.with_rows(mixture)
    _draw_components(ax, weights, means[:, feature], deviations, values, used)
    ax.set_xlabel(style.feature_name(mixture, feature))
    ax.set_ylabel("Density")
    style.finish(ax)
    ax.grid(visible=False, axis="x")
    if len(used) <= (_MAX_LEGEND if own_figure else _MAX_LEGEND_INSIDE):
        style.legend_beside(ax, own_figure, ncols=1 if len(used) <= 12 else 2)
    return ax


def _draw_data(ax: Any, values: style.Floats, bins: Any) -> None:
    if bins is None:
        found = len(np.histogram_bin_edges(values, "auto")) - 1 if np.ptp(values) > 0 else 1
        bins = min(max(found, 10, round(np.sqrt(len(values)))), _MAX_BINS)
    ax.hist(values, bins=bins, density=True, color="#d5dbe2", edgecolor="white", linewidth=0.6, label="data")
    if len(values) <= _MAX_RUG:
        # Ticks in the lowest part of the picture, whatever the height of the density.
        ax.vlines(
            values, 0, 0.025, transform=ax.get_xaxis_transform(), color=style.INK, linewidth=0.6, alpha=0.45
        )


def _draw_components(
    ax: Any,
    weights: style.Floats,
    means: style.Floats,
    deviations: style.Floats,
    values: style.Floats | None,
    used: Any,
) -> None:
    ends = means + np.array([[-3.5], [3.5]]) * deviations
    lowest, highest = ends[0, used].min(), ends[1, used].max()
    if values is not None and values.size:
        lowest, highest = min(lowest, values.min()), max(highest, values.max())
    # Points near every mean as well: a narrow component between wide ones keeps its peak.
    near = (means[:, None] + deviations[:, None] * np.linspace(-5, 5, 101)).ravel()
    grid = np.unique(np.r_[np.linspace(lowest, highest, 512), near[(near > lowest) & (near < highest)]])
    standard = (grid - means[:, None]) / deviations[:, None]
    parts = weights[:, None] * np.exp(-0.5 * standard**2) / (deviations[:, None] * np.sqrt(2 * np.pi))
    palette = style.colours(len(weights))
    for k in used:
        part, colour = parts[k], palette[k]
        label = f"component {k} ({100 * weights[k]:.0f} %)"
        ax.fill_between(grid, part, color=colour, alpha=0.13, linewidth=0)
        ax.plot(grid, part, color=colour, linewidth=1.5, label=label, zorder=4)
    # Wide and beneath: where one component makes up the mixture, both are seen.
    ax.plot(grid, parts.sum(axis=0), color=style.INK, linewidth=3.4, label="mixture", zorder=3)
    ax.set_xlim(lowest, highest)
    ax.set_ylim(bottom=0)
