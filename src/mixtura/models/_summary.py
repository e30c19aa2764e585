"""Text, HTML and tidy tables of a fitted mixture, made from its public attributes."""

from __future__ import annotations

import html
from collections import Counter
from itertools import groupby, product
from typing import Any

import numpy as np

from mixtura.components import hooks
from mixtura.inference.restarts import agreeing

__all__ = ["as_html", "as_text", "tidy"]

# Parameters that stand in the table under the name of their column alone, where it has no other one.
_UNSAID = ("mean", "probability", "coefficient")
_WIDEST = 9  # parameters of a component in the table before it is cut


def _facts(mixture: Any) -> list[tuple[str, str]]:
    same, ended = agreeing(mixture.starts_, max(10.0 * mixture.tol, 1e-4))
    stopped = "converged" if mixture.converged_ else f"not converged ({mixture.stop_reason_})"
    objective, *more = _objective(mixture)
    counted = getattr(mixture, "_counted_by", "row")
    facts = [
        ("components", f"{mixture.n_components_} (features: {mixture.n_features_in_})"),
        (
            objective,
            f"{mixture.lower_bound_ * mixture.total_weight_:.4f} ({mixture.lower_bound_:.6f} per {counted})",
        ),
        *more,
        (f"{counted}s (sum of weights)", f"{mixture.total_weight_:g}"),
        ("free parameters", str(mixture.n_parameters())),
        ("stopped", f"{stopped} after {mixture.n_iter_} steps"),
        (
            "starts",
            f"{len(mixture.starts_)} tried, {ended} run to the end, {same} of these at the best optimum",
        ),
    ]
    suspects = mixture.starts_[mixture.best_start_].suspects
    if np.isnan(mixture.lower_bound_):  # of some columns of a fitted mixture: it was not fitted by itself
        facts = [fact for fact in facts if fact[0] != objective]
    facts += [("suspect", f"component {k} {reason}") for k, reason in suspects.items()]
    facts += [("event", event) for event in mixture.events_]
    return facts


def _objective(mixture: Any) -> list[Any]:
    """What the fit raised, in words, and facts that belong to it; a mixture may have words of its own."""
    return [*mixture._objective_facts()] if hasattr(mixture, "_objective_facts") else ["log-likelihood"]


def _names(mixture: Any) -> list[str]:
    if hasattr(mixture, "_column_names"):
        return [*mixture._column_names()]
    names = getattr(mixture, "feature_names_in_", None)
    return (
        [f"x{j}" for j in range(mixture.n_features_in_)] if names is None else [str(name) for name in names]
    )


def _parameters(mixture: Any) -> list[hooks.Parameter]:
    """The parameters of the components, by name; in the mixture's own words where it has any."""
    if hasattr(mixture, "_parameter_table"):
        return [hooks.Parameter(*row) for row in mixture._parameter_table()]
    model = mixture._model().point
    return hooks.table(model.components, _names(mixture), model.encoding.origin)


def _table(mixture: Any) -> tuple[list[str], list[list[str]]]:
    """Header and rows: one component a row, largest first, with its weight and its parameters but covariances.

    A mixture may have a table of another form.
    """
    if hasattr(mixture, "_summary_table"):
        header, rows = mixture._summary_table()
        return header, rows
    single = [row for row in _parameters(mixture) if not row.other_feature]
    twice = Counter(row.feature for row in single)
    labels = [
        row.feature
        if row.feature and row.name in _UNSAID and twice[row.feature] == 1
        else f"{row.name} {row.feature}".strip()
        for row in single
    ]
    more = [""] if len(single) > _WIDEST else []
    ends = mixture._weight_intervals() if hasattr(mixture, "_weight_intervals") else None
    between = [] if ends is None else ["90 % interval"]
    header = ["component", "weight", *between, *labels[:_WIDEST], *("..." for _ in more)]
    rows = []
    for k in np.argsort(mixture.weights_)[::-1]:
        values = ["" if np.isnan(row.values[k]) else f"{row.values[k]:.4g}" for row in single[:_WIDEST]]
        interval = [] if ends is None else [f"{ends[k][0]:.4f} to {ends[k][1]:.4f}"]
        rows.append([str(k), f"{mixture.weights_[k]:.4f}", *interval, *values, *more])
    return header, rows


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
    rows: list[tuple[Any, ...]] = [(k, "weight", "", "", weight) for k, weight in enumerate(mixture.weights_)]
    for _, group in groupby(_parameters(mixture), key=lambda row: row.name):
        pairs = product(range(len(mixture.weights_)), list(group))
        rows += [
            (k, row.name, row.feature, row.other_feature, row.values[k])
            for k, row in pairs
            if not np.isnan(row.values[k])  # a component of a kind without this parameter
        ]
    names = ("component", "parameter", "feature", "other_feature", "value")
    columns: dict[str, list[Any]] = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    return columns | {"value": [float(value) for value in columns["value"]]}
