"""A criterion against the number of components."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mixtura.exceptions import InvalidParameterError, did_you_mean
from mixtura.plots import style

__all__ = ["plot_selection"]

_NAMES = {
    "bic": "BIC",
    "aic": "AIC",
    "icl": "ICL",
    "log_likelihood": "Log-likelihood",
    "lower_bound": "Lower bound of the log evidence",
}
# More of these is better.
_RISING = ("log_likelihood", "lower_bound")
_MARKERS = "osD^vP*X"


def plot_selection(selection: Any, *, ax: Any = None, criterion: str | None = None) -> Any:
    """A criterion against the number of components, a line per covariance type or number of factors, with the choice marked.

    Small dots beside a line are the starts that ended at a worse optimum: a long tail of them says that the
    fit is hard, and that more starts may change the choice.

    Parameters
    ----------
    selection : Selection
        A finished sweep: its `table` is a list of rows with `n_components`, `covariance_type` (or None), the
        criteria, `starts` (final objective of every start) and `chosen`.
    ax : matplotlib Axes, optional
        Where to draw; by default a new figure.
    criterion : {"bic", "aic", "icl", "log_likelihood", "lower_bound"}, optional
        What to draw; by default what the selection was made by.

    Returns
    -------
    matplotlib Axes
        The axes drawn on.

    Raises
    ------
    InvalidParameterError
        If the table is empty or lacks the criterion.
    MissingExtraError
        If Matplotlib is not installed.

    Notes
    -----
    The starts' objectives are log-likelihoods per row; with n rows a start that ends by g nats per row lower
    has a criterion 2 n g higher.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> table = [{"n_components": k, "bic": (k - 3) ** 2, "chosen": k == 3} for k in range(1, 6)]
    >>> ax = plot_selection(SimpleNamespace(table=table, criterion="bic"))
    >>> ax.get_ylabel()
    'BIC (lower is better)'
    """
    rows = [dict(row) for row in selection.table]
    name = str(criterion or getattr(selection, "criterion", None) or "bic")
    known = [key for key in _NAMES if any(_value(row, key) is not None for row in rows)]
    if name not in known:
        raise InvalidParameterError(
            f"criterion: found {name!r}, which the table of {len(rows)} rows does not hold. "
            f"{did_you_mean(name, known) if known else 'Make the selection anew with select(...).'}"
        )
    own_figure = ax is None
    ax = style.axes_for(ax)
    kinds = list(dict.fromkeys(map(_kind, rows)))
    for index, (kind, colour) in enumerate(zip(kinds, style.colours(len(kinds)), strict=True)):
        line = sorted(
            (row for row in rows if _kind(row) == kind and _value(row, name) is not None),
            key=lambda row: row["n_components"],
        )
        _draw_starts(ax, line, name, colour)
        ax.plot(
            [row["n_components"] for row in line],
            [float(row[name]) for row in line],
            color=colour,
            marker=_MARKERS[index % len(_MARKERS)],
            markersize=5.5,
            linewidth=1.8,
            label=kind,
            zorder=3,
        )
    _limit(ax, [value for row in rows if (value := _value(row, name)) is not None])
    _mark_choice(ax, rows, name, at_edge=bool(getattr(selection, "at_edge", False)))
    ax.set_xlabel("Number of components")
    better = "higher is better" if name in _RISING else "lower is better"
    ax.set_ylabel(f"{_NAMES[name]} ({better})")
    ax.xaxis.get_major_locator().set_params(integer=True)
    style.finish(ax)
    if any(kind is not None for kind in kinds):
        title = "Variant" if any(row.get("n_factors") is not None for row in rows) else "Covariance"
        style.legend_beside(ax, own_figure, title=title, alignment="left")
    return ax


def _draw_starts(ax: Any, line: Sequence[Mapping[str, Any]], name: str, colour: style.Floats) -> None:
    for row in line:
        value = float(row[name])
        spread = _starts(row, name, value)
        if spread.size:
            count = row["n_components"]
            ends = sorted((value, _worst(spread, name)))
            ax.vlines(count, *ends, color=colour, alpha=0.35, linewidth=1)
            dots = {"linestyle": "", "marker": ".", "markersize": 5, "color": colour, "alpha": 0.45}
            ax.plot(np.full(spread.size, count), spread, **dots)


def _worst(spread: style.Floats, name: str) -> float:
    return float(spread.min() if name in _RISING else spread.max())


def _kind(row: Mapping[str, Any]) -> str | None:
    """What a line is called; None where there is one line."""
    if row.get("n_factors") is not None:
        return f"q = {row['n_factors']}"
    return None if row.get("covariance_type") is None else str(row["covariance_type"])


def _value(row: Mapping[str, Any], key: str) -> float | None:
    value = row.get(key)
    return float(value) if value is not None and math.isfinite(value) else None


def _starts(row: Mapping[str, Any], name: str, value: float) -> style.Floats:
    """The criterion at the optimum of every start but the best; empty if the data's size is not known."""
    starts = [start for start in row.get("starts") or () if str(getattr(start, "reason", "")) != "screened"]
    objectives = [getattr(start, "objective", start) for start in starts]
    objectives = [start["objective"] if isinstance(start, Mapping) else start for start in objectives]
    finite = np.array([x for x in objectives if x is not None and math.isfinite(x)], dtype=float)
    n_rows = _rows_of_data(row, finite)
    if finite.size < 2 or n_rows is None:
        return np.empty(0)
    gaps = np.sort(finite.max() - finite)[1:]
    if name == "lower_bound":
        return value - gaps * n_rows
    if name == "log_likelihood":
        is_mean = math.isclose(value, finite.max(), rel_tol=1e-3)
        return value - gaps * (1 if is_mean else n_rows)
    return value + 2 * n_rows * gaps


def _rows_of_data(row: Mapping[str, Any], objectives: style.Floats) -> float | None:
    """The number of rows n, from BIC - AIC = p (log n - 2), or from a total log-likelihood."""
    for key in ("n_rows", "n_samples"):
        if row.get(key):
            return float(row[key])
    bic, aic, n_parameters = _value(row, "bic"), _value(row, "aic"), row.get("n_parameters")
    if bic is not None and aic is not None and n_parameters:
        return math.exp((bic - aic) / n_parameters + 2)
    total = _value(row, "log_likelihood")
    if total is None or not objectives.size or objectives.max() == 0:
        return None
    ratio = total / float(objectives.max())
    return ratio if ratio > 1.5 else None


def _limit(ax: Any, values: Sequence[float]) -> None:
    """The lines fill the picture; a start far away may leave it."""
    lowest, highest = min(values), max(values)
    room = highest - lowest or max(abs(highest), 1.0) * 0.01
    bottom, top = ax.get_ylim()
    ax.set_ylim(max(bottom, lowest - 0.5 * room), min(top, highest + 0.5 * room))


def _mark_choice(ax: Any, rows: Sequence[Mapping[str, Any]], name: str, *, at_edge: bool) -> None:
    chosen = next((row for row in rows if row.get("chosen") and _value(row, name) is not None), None)
    if chosen is None:
        return
    point = (chosen["n_components"], float(chosen[name]))
    ax.axvline(point[0], color=style.MUTED, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    ax.plot(
        *point,
        marker="o",
        markersize=14,
        markerfacecolor="none",
        markeredgecolor=style.INK,
        markeredgewidth=2,
        zorder=5,
    )
    kind = chosen.get("covariance_type")
    text = f"chosen: {point[0]}{f', {kind}' if kind else ''}"
    if at_edge:
        text += " – at the edge of the range tried"
    ax.set_title(text, fontsize="medium", color=style.INK, loc="left")
