"""A series, what lies beneath it, and where it goes."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import ndtri
from sklearn.utils.validation import check_is_fitted

from mixtura.exceptions import InvalidDataError, InvalidParameterError
from mixtura.plots import style

__all__ = ["plot_series"]

_FORECAST = "#d55e00"
# Steps up to which every observation gets a dot of its own.
_DOTS = 400


def plot_series(
    model: Any, n_steps: int = 0, *, inputs: Any = None, level: float = 0.9, times: Any = None, ax: Any = None
) -> Any:
    """The observations, the smoothed level with a band, and a forecast with its interval.

    Where the model has no level, the signal (the series without its noise) is drawn in its place.

    Parameters
    ----------
    model : estimator
        A fitted StructuralTimeSeries: `y_`, `components()` and `forecast()`.
    n_steps : int, default 0
        Steps to forecast.
    inputs : array_like, shape (n_steps, n_inputs), optional
        Inputs of these steps.
    level : float, default 0.9
        Probability inside the bands.
    times : array_like, shape (n_times + n_steps,), optional
        Where the values and then the forecasts stand on the axis; by default 0, 1, 2, ...
    ax : matplotlib Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib Axes
        The axes drawn on.

    Raises
    ------
    InvalidParameterError
        If the model is of another kind.
    InvalidDataError
        If `times` has another length.
    MissingExtraError
        If Matplotlib is not installed.

    Examples
    --------
    >>> from mixtura import StructuralTimeSeries
    >>> model = StructuralTimeSeries().fit([3.0, 4.0, 3.5, 5.0, 6.0, 5.5, 5.0])
    >>> plot_series(model, 3).get_legend_handles_labels()[1]
    ['level, 90 % band', 'observed', 'forecast, 90 % interval']
    """
    check_is_fitted(model)
    if not hasattr(model, "components"):
        raise InvalidParameterError(
            f"plot_series draws a structural time series; found {type(model).__name__}, expected a fitted StructuralTimeSeries."
        )
    series = np.asarray(model.y_, dtype=float)
    places = np.arange(len(series) + n_steps) if times is None else np.asarray(times)
    if len(places) != len(series) + n_steps:
        raise InvalidDataError(
            f"times: found {len(places)}, expected {len(series) + n_steps}, one for each of the {len(series)} values and the {n_steps} "
            "steps forecast. Give all of them in order."
        )
    parts = model.components()
    name = "level" if "level" in parts else "signal"
    ax = style.axes_for(ax, (8.0, 4.2))
    past, future = places[: len(series)], places[len(series) :]
    half = float(ndtri(0.5 + 0.5 * level))
    mean, error = parts[name]
    share = f"{100 * level:.0f} %"
    ax.fill_between(
        past, mean - half * error, mean + half * error, color=style.ACCENT, alpha=0.16, linewidth=0
    )
    ax.plot(past, mean, color=style.ACCENT, linewidth=1.8, zorder=4, label=f"{name}, {share} band")
    dots = {"marker": "o", "markersize": 3.2} if len(series) <= _DOTS else {}
    ax.plot(past, series, color=style.MUTED, linewidth=0.9, zorder=3, label="observed", **dots)
    if n_steps:
        found = model.forecast(n_steps, inputs=inputs, level=level)
        ax.fill_between(future, found.lower, found.upper, color=_FORECAST, alpha=0.16, linewidth=0)
        ax.plot(
            future,
            found.mean,
            color=_FORECAST,
            linewidth=1.8,
            zorder=4,
            label=f"forecast, {share} interval",
            **({"marker": "o", "markersize": 3.2} if n_steps <= 3 else {}),
        )
    ax.set_xlabel("Step" if times is None else "Time")
    ax.set_ylabel("Value")
    ax.margins(x=0.02)
    style.finish(ax)
    ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3, fontsize="small", frameon=False)
    return ax
