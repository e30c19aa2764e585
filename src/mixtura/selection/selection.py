"""What a sweep found: the table, the choice and whether to trust it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Selection"]


@dataclass(frozen=True)
class Selection:
    """What a sweep found.

    Parameters
    ----------
    table : list of dict
        One row per model: n_components, covariance_type, n_factors (or None), log_likelihood (total), bic, aic, icl, held_out (mean per
        validation row, or None), lower_bound (of the log evidence, or None), n_parameters, n_iter, reason, converged, seconds,
        starts (objectives of the runs carried to their end), started (which start won), chosen.
    criterion : str
        Criterion that chose.
    best_estimator_ : estimator
        The chosen model, fitted.
    at_edge : bool
        Whether the choice has the smallest or largest K tried (and more than one was).
    interrupted : bool
        Whether the sweep was cut short.
    estimators : list of estimator
        All fitted models, in the order of the table.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import GaussianMixture, select
    >>> X = np.concatenate([np.random.default_rng(0).normal(c, 1, (100, 1)) for c in (0, 10)])
    >>> selection = select(GaussianMixture(random_state=0), X, n_components=[1, 2, 3])
    >>> selection.chosen["n_components"], selection.at_edge
    (2, False)
    """

    table: list[dict[str, Any]]
    criterion: str
    best_estimator_: Any
    at_edge: bool
    interrupted: bool = False
    estimators: list[Any] = field(default_factory=list, repr=False)

    @property
    def chosen(self) -> dict[str, Any]:
        """The chosen row of the table."""
        return next(row for row in self.table if row["chosen"])

    def to_frame(self, library: str | None = None) -> Any:
        """The table as a data frame (without the lists of starts).

        Parameters
        ----------
        library : {"pandas", "polars", "pyarrow"}, optional
            None takes pandas, or polars where pandas is missing.
        """
        from mixtura.data.frames import make_frame

        names = [name for name, value in self.table[0].items() if not isinstance(value, list)]
        columns = {
            name: [row[name] for row in self.table]
            for name in names
            if any(row[name] is not None for row in self.table)
        }
        return make_frame(columns, library)

    def plot(self, ax: Any = None, **options: Any) -> Any:
        """Criterion against K with the choice marked; see :func:`mixtura.plots.plot_selection`."""
        from mixtura.plots import plot_selection

        return plot_selection(self, ax=ax, **options)

    def __str__(self) -> str:
        varied = {"covariance_type": "covariance"}
        if any(row.get("n_factors") is not None for row in self.table):
            varied = {"n_factors": "factors"}
        header = ["K", *varied.values(), "log-likelihood", self.criterion, "parameters", "spread of starts"]
        rows = []
        for row in self.table:
            spread = max(row["starts"]) - min(row["starts"]) if row["starts"] else 0.0
            cells = [
                row["n_components"],
                *(["-" if row[name] is None else row[name] for name in varied]),
                f"{row['log_likelihood']:.3f}",
                f"{row[self.criterion]:.3f}",
            ]
            rows.append(
                [str(cell) for cell in (*cells, row["n_parameters"], f"{spread:.2e}")]
                + ["<- chosen" if row["chosen"] else ""]
            )
        widths = [max(len(line[i]) for line in [header, *rows]) for i in range(len(header))]
        lines = [
            "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=False))
            for line in [header, *rows]
        ]
        lines = [
            line + "  " + row[-1] if row[-1] else line for line, row in zip(lines, [[""], *rows], strict=True)
        ]
        edge = (
            [f"The choice lies at the edge of the range that was tried (K = {self.chosen['n_components']})."]
            if self.at_edge
            else []
        )
        return "\n".join(lines + edge)
