"""Text, HTML and tidy tables of a fitted mixture, made from its public attributes."""

from __future__ import annotations

import html
from typing import Any

import numpy as np

from mixtura.families import FamilyComponents
from mixtura.inference.restarts import agreeing

__all__ = ["as_html", "as_text", "tidy"]

_WIDEST = 8  # columns of a parameter table before it is cut
# Attributes with a row a component and a number a column, and what such a number is.
_CENTRES = {"means_": "mean", "profiles_": "probability", "probabilities_": "probability", "rates_": "rate"}


def _facts(mixture: Any) -> list[tuple[str, str]]:
    same, ended = agreeing(mixture.starts_, max(10.0 * mixture.tol, 1e-4))
    stopped = "converged" if mixture.converged_ else f"not converged ({mixture.stop_reason_})"
    facts = [
        ("components", f"{mixture.n_components_} (features: {mixture.n_features_in_})"),
        (
            "log-likelihood",
            f"{mixture.lower_bound_ * mixture.total_weight_:.4f} ({mixture.lower_bound_:.6f} per row)",
        ),
        ("rows (sum of weights)", f"{mixture.total_weight_:g}"),
        ("free parameters", str(mixture.n_parameters())),
        ("stopped", f"{stopped} after {mixture.n_iter_} steps"),
        (
            "starts",
            f"{len(mixture.starts_)} tried, {ended} run to the end, {same} of these at the best optimum",
        ),
    ]
    suspects = mixture.starts_[mixture.best_start_].suspects
    facts += [("suspect", f"component {k} {reason}") for k, reason in suspects.items()]
    facts += [("event", event) for event in mixture.events_]
    return facts


def _names(mixture: Any) -> list[str]:
    names = getattr(mixture, "feature_names_in_", None)
    return (
        [f"x{j}" for j in range(mixture.n_features_in_)] if names is None else [str(name) for name in names]
    )


def _centres(mixture: Any) -> list[tuple[str, list[str], Any]]:
    """Tables with a row a component: what their numbers are, the names of their columns, and the numbers."""
    names = _names(mixture)
    found = [
        (kind, names, getattr(mixture, name)) for name, kind in _CENTRES.items() if hasattr(mixture, name)
    ]
    components = getattr(mixture, "components_", None)
    if isinstance(components, FamilyComponents):
        found.append(("mean", components.family.labels(names), components.mean))
    return found


def _table(mixture: Any) -> tuple[list[str], list[list[str]]]:
    """Header and rows: one component a row, largest first, with its weight and its mean or profile."""
    tables = _centres(mixture)
    order = np.argsort(mixture.weights_)[::-1]
    if not tables:
        return ["component", "weight"], [[str(k), f"{mixture.weights_[k]:.4f}"] for k in order]
    _, names, centres = tables[0]
    shown, concentrations = names[:_WIDEST], _concentrations(mixture)
    more = ["concentration"] if len(concentrations) else []
    header = ["component", "weight", *more, *shown, *(["..."] if len(names) > _WIDEST else [])]
    rows = []
    for k in order:
        values = [*([concentrations[k]] if more else []), *np.atleast_1d(centres[k])[:_WIDEST]]
        cells = [f"{value:.4g}" for value in values]
        rows.append([str(k), f"{mixture.weights_[k]:.4f}", *cells, *([""] if len(names) > _WIDEST else [])])
    return header, rows


def _concentrations(mixture: Any) -> Any:
    """Concentration of each component; empty where components have none (that of a law of groups is one number)."""
    values = getattr(mixture, "concentration_", ())
    return values if np.ndim(values) else ()


def as_text(mixture: Any) -> str:
    """The summary as aligned lines."""
    facts = _facts(mixture)
    width = max(len(name) for name, _ in facts)
    lines = [f"{type(mixture).__name__}", *(f"  {name:<{width}}  {value}" for name, value in facts), ""]
    header, rows = _table(mixture)
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    lines += [
        "  " + "  ".join(cell.rjust(size) for cell, size in zip(row, widths, strict=True))
        for row in [header, *rows]
    ]
    return "\n".join(lines)


def as_html(mixture: Any) -> str:
    """The summary as HTML tables."""
    facts = "".join(
        f"<tr><th style='text-align:left'>{html.escape(name)}</th><td style='text-align:left'>{html.escape(value)}</td></tr>"
        for name, value in _facts(mixture)
    )
    header, rows = _table(mixture)
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    title = html.escape(type(mixture).__name__)
    return f"<div><strong>{title}</strong><table>{facts}</table><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def tidy(mixture: Any) -> dict[str, list[Any]]:
    """Parameters, one value a row: component, parameter, feature, other_feature, value."""
    columns: dict[str, list[Any]] = {
        name: [] for name in ("component", "parameter", "feature", "other_feature", "value")
    }
    names = _names(mixture)

    def add(component: int, parameter: str, feature: str, other: str, value: float) -> None:
        for name, item in zip(columns, (component, parameter, feature, other, float(value)), strict=True):
            columns[name].append(item)

    for k, weight in enumerate(mixture.weights_):
        add(k, "weight", "", "", weight)
    for k, value in enumerate(_concentrations(mixture)):
        add(k, "concentration", "", "", value)
    for parameter, labels, table in _centres(mixture):
        for k, row in enumerate(table):
            for name, value in zip(labels, row, strict=True):
                add(k, parameter, name, "", value)
    if hasattr(mixture, "covariances_"):
        matrices = mixture._model().components.matrices
        for k, matrix in enumerate(matrices):
            for i, one in enumerate(names):
                for j in range(i, len(names)):
                    add(k, "covariance", one, names[j], matrix[i, j])
    return columns
