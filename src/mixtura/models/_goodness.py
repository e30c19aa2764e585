"""Fit of a model to a table of patterns: G2, X2 and what they can be compared with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from mixtura.protocols import Array

__all__ = ["GoodnessOfFit", "goodness"]

# Expected rows a cell from which the chi-square law is close enough for a p-value.
_ENOUGH = 5.0


@dataclass(frozen=True)
class GoodnessOfFit:
    """How far the observed frequencies of patterns are from those that the classes expect.

    Parameters
    ----------
    g2 : float
        Likelihood ratio statistic, 2 sum O log(O / E) over the patterns of complete rows; NaN where there is none.
    x2 : float
        Pearson's statistic, sum (O - E)^2 / E over all cells, those that no row fell in included.
    df : int
        Degrees of freedom: the smaller of cells - 1 and rows, minus free parameters. Below zero the classes have more
        parameters than the table can tell.
    n_cells : int
        Patterns that are possible: the product of the numbers of levels.
    n_patterns : int
        Different patterns that complete rows have.
    rows, complete_rows : float
        Sums of weights of all rows, and of those without a missing cell, from which `g2` and `x2` are.
    g2_p_value, x2_p_value : float or None
        Probability of a value at least as large if the model held; None where `remark` says why it would mislead.
    remark : str
        What to think of the p-values.

    Examples
    --------
    >>> fit = goodness(np.array([30.0, 20.0]), np.array([24.0, 26.0]), 2, 0, 50.0)
    >>> round(fit.x2, 3), fit.df, round(fit.x2_p_value, 3)
    (2.885, 1, 0.089)
    """

    g2: float
    x2: float
    df: int
    n_cells: int
    n_patterns: int
    rows: float
    complete_rows: float
    g2_p_value: float | None
    x2_p_value: float | None
    remark: str

    def __str__(self) -> str:
        shown = [
            f"{name} = {value:.3f}" + ("" if p is None else f" (p = {p:.3g})")
            for name, value, p in (("G2", self.g2, self.g2_p_value), ("X2", self.x2, self.x2_p_value))
        ]
        counted = (
            f"{self.n_patterns} patterns of {self.n_cells} possible in {self.complete_rows:g} complete rows"
        )
        return f"{', '.join(shown)}, df = {self.df}; {counted}. {self.remark}"


def goodness(observed: Array, expected: Array, n_cells: int, n_parameters: int, rows: float) -> GoodnessOfFit:
    """The statistics of a table of which only cells with rows are listed.

    Parameters
    ----------
    observed : ndarray, shape (patterns,)
        Positive frequencies of complete rows.
    expected : ndarray, shape (patterns,)
        Frequencies that the model expects there.
    n_cells : int
        Cells of the table, with those that hold no row.
    n_parameters : int
        Free parameters.
    rows : float
        Weight of all rows, incomplete ones too.

    Returns
    -------
    GoodnessOfFit
        With p-values where they mean something.
    """
    complete = float(observed.sum())
    df = int(min(n_cells - 1, np.floor(rows + 1e-9)) - n_parameters)
    if not len(observed):
        remark = "No row is complete, so there is no table of patterns to compare with."
        return GoodnessOfFit(np.nan, np.nan, df, n_cells, 0, rows, complete, None, None, remark)
    g2 = float(2.0 * np.sum(observed * np.log(observed / expected)))
    x2 = float(np.sum((observed - expected) ** 2 / expected) + (complete - expected.sum()))
    remark = _remark(complete, rows, n_cells, df)
    g2_p, x2_p = (None, None) if remark else (float(chi2.sf(g2, df)), float(chi2.sf(x2, df)))
    remark = remark or "The table is full enough for the p-values."
    return GoodnessOfFit(g2, x2, df, n_cells, len(observed), rows, complete, g2_p, x2_p, remark)


def _remark(complete: float, rows: float, n_cells: int, df: int) -> str:
    """Why there are no p-values; empty where there are."""
    if df <= 0:
        return f"There are no degrees of freedom left (df = {df}), so there is no p-value: use fewer classes."
    if complete < rows:
        return (
            f"Rows with missing cells ({rows - complete:g} of {rows:g}) are left out of G2 and X2 but not of the fit, so there "
            "is no p-value: compare numbers of classes by BIC."
        )
    if complete < _ENOUGH * n_cells:
        return (
            f"The table is sparse ({complete / n_cells:.2g} rows a cell; the chi-square law needs about {_ENOUGH:g}), so there "
            "is no p-value: compare numbers of classes by BIC, and pairs of items by bivariate_residuals."
        )
    return ""
