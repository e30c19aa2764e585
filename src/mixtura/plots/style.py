"""What the pictures share: colours, axes, and reading Gaussian components from a fitted model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from mixtura.exceptions import InvalidDataError, InvalidParameterError, optional_import

__all__ = [
    "ACCENT",
    "INK",
    "MUTED",
    "axes_for",
    "checked_names",
    "colours",
    "covariance_matrices",
    "data_matrix",
    "feature_name",
    "finish",
    "gaussian_parameters",
    "legend_beside",
    "room_for_text",
    "short",
    "with_rows",
]

INK = "#1d2733"
MUTED = "#7b8794"
ACCENT = "#0072b2"

# Okabe and Ito (2008): told apart with every common kind of colour vision, on white and in print.
_OKABE_ITO = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f5aa2", "#8c6d31")

Floats = NDArray[np.float64]


def colours(n: int) -> Floats:
    """`n` colours as rows of red, green and blue between 0 and 1.

    Up to eight come from the palette of Okabe and Ito; more are taken from a map of hues, in an order that
    keeps neighbours apart (the plots number the components, so that colour is never alone).

    Parameters
    ----------
    n : int
        How many.

    Returns
    -------
    ndarray, shape (n, 3)
        The colours.

    Examples
    --------
    >>> colours(3).shape, colours(40).shape
    ((3, 3), (40, 3))
    """
    matplotlib = optional_import("matplotlib", "plots")
    to_rgb = optional_import("matplotlib.colors", "plots").to_rgb
    if n <= len(_OKABE_ITO):
        return np.array([to_rgb(colour) for colour in _OKABE_ITO[:n]], dtype=float).reshape(n, 3)
    stride = next(step for step in range(max(2, round(n * 0.38)), n + 2) if np.gcd(step, n) == 1)
    positions = (np.arange(n) * stride % n + 0.5) / n
    return np.asarray(matplotlib.colormaps["turbo"](0.04 + 0.92 * positions))[:, :3]


def axes_for(ax: Any, size: tuple[float, float] = (7.0, 4.4)) -> Any:
    """The given axes, or new ones on a figure of their own."""
    if ax is not None:
        return ax
    pyplot = optional_import("matplotlib.pyplot", "plots")
    return pyplot.subplots(figsize=size, layout="constrained")[1]


def finish(ax: Any) -> Any:
    """The common look: a light grid behind the data, no box."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(MUTED)
    ax.tick_params(colors=INK, length=3)
    ax.grid(visible=True, color="#e3e7ec", linewidth=0.7)
    ax.set_axisbelow(True)
    return ax


def legend_beside(ax: Any, own_figure: bool, **options: Any) -> None:
    """A legend beside the picture if the figure is ours, else where it covers least."""
    if own_figure:
        options |= {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0), "borderaxespad": 0.0}
    else:
        options |= {"loc": "best", "framealpha": 0.85}
    ax.legend(**({"frameon": not own_figure, "fontsize": "small"} | options))


def gaussian_parameters(mixture: Any, plot: str) -> tuple[Floats, Floats, Floats]:
    """Weights (K,), means (K, D) and covariance matrices (K, D, D) of a fitted Gaussian mixture.

    Parameters
    ----------
    mixture : estimator
        A fitted model with `weights_`, `means_`, `covariances_` and `covariance_type`.
    plot : str
        Name of the plot, for the message.

    Returns
    -------
    weights : ndarray, shape (K,)
    means : ndarray, shape (K, D)
    covariances : ndarray, shape (K, D, D)

    Raises
    ------
    InvalidParameterError
        If the components are not Gaussian.
    """
    check_is_fitted(mixture)
    missing = [name for name in ("weights_", "means_", "covariances_") if not hasattr(mixture, name)]
    if missing:
        raise InvalidParameterError(
            f"{plot} draws Gaussian components; found {type(mixture).__name__} without {', '.join(missing)}, "
            "expected a fitted GaussianMixture. For any mixture, plot_history shows the course of the fit."
        )
    weights = np.asarray(mixture.weights_, dtype=float)
    means = np.asarray(mixture.means_, dtype=float)
    kind = getattr(mixture, "covariance_type", "full")
    return (
        weights,
        means,
        covariance_matrices(np.asarray(mixture.covariances_, dtype=float), kind, means.shape),
    )


def with_rows(mixture: Any) -> Any:
    """Numbers of the components that rows of the fit belong to: a Bayesian mixture keeps others at their prior, which are not drawn."""
    precision = getattr(mixture, "mean_precision_", None)
    if precision is None:
        return np.arange(len(mixture.weights_))
    counts = np.asarray(precision, dtype=float) - mixture.mean_precision_prior_
    return np.flatnonzero(counts >= min(1.0, counts.max()))


def covariance_matrices(covariances: Floats, kind: str, shape: tuple[int, ...]) -> Floats:
    """Full matrices (K, D, D) from any of the four forms of `covariances_`.

    Examples
    --------
    >>> covariance_matrices(np.array([4.0]), "spherical", (1, 2))
    array([[[4., 0.],
            [0., 4.]]])
    """
    n_components, n_features = shape
    identity = np.eye(n_features)
    if kind == "tied":
        return np.broadcast_to(covariances, (n_components, n_features, n_features)).copy()
    if kind == "diag":
        return covariances[:, :, None] * identity
    if kind == "spherical":
        return covariances[:, None, None] * identity
    return covariances


def data_matrix(x: Any, n_features: int) -> Floats:
    """The data as an (n, D) matrix of floats; one dimension is taken as a column if D is 1.

    Raises
    ------
    InvalidDataError
        If it has another number of columns.
    """
    data = np.asarray(x, dtype=float)
    if data.ndim == 1 and n_features == 1:
        data = data[:, None]
    if data.ndim != 2 or data.shape[1] != n_features:
        raise InvalidDataError(
            f"X: found shape {data.shape}, expected (n_samples, {n_features}) as in the fit. "
            "Pass the data with the columns that the mixture was fitted to."
        )
    return data


def feature_name(mixture: Any, index: int) -> str:
    """Name of a feature from `feature_names_in_`, or its number."""
    names = getattr(mixture, "feature_names_in_", None)
    return str(names[index]) if names is not None else f"feature {index}"


def checked_names(names: Sequence[str] | None, n: int, what: str) -> list[str]:
    """Given names as text, or the numbers of `predict`.

    Raises
    ------
    InvalidParameterError
        If there are not `n`.

    Examples
    --------
    >>> checked_names(None, 2, "components")
    ['0', '1']
    """
    if names is None:
        return [str(k) for k in range(n)]
    found = [str(name) for name in names]
    if len(found) != n:
        raise InvalidParameterError(
            f"names: found {len(found)}, expected {n}, one for each of the {what}. Give all in their order."
        )
    return found


def room_for_text(ax: Any, share: float) -> int:
    """Letters of the size "small" that fit into a share of the axes' width, at least eight."""
    inches = ax.get_window_extent().width / ax.get_figure().dpi
    return max(int(share * inches * 72 / 5.4), 8)


def short(text: str, longest: int = 32) -> str:
    """Text that fits a label: the end of a long one gives way to an ellipsis.

    Examples
    --------
    >>> short("fruit and vegetables", 10)
    'fruit and…'
    """
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"
