"""Who is in a segment: tables of customers' attributes, with what is more than chance marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from mixtura.exceptions import InvalidDataError, InvalidParameterError
from mixtura.segments.attributes import Attribute, attribute

__all__ = ["Association", "association", "demographics"]

LEVEL = 0.05  # chance of a single false mark in all columns together
LEAST_CUSTOMERS = 20.0  # expected customers of a segment with known values, to say anything about it
LEAST_EXPECTED = 5.0  # of a cell, to mark it
RANK_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Association:
    """One attribute against the segments.

    Parameters
    ----------
    counts : ndarray, shape (S, V)
        Expected customers of each segment with each value.
    expected : ndarray, shape (S, V)
        The same, were there no association.
    z : ndarray, shape (S, V)
        The difference in standard deviations.
    p_cells : ndarray, shape (S, V)
        Two-sided probability of such a difference by chance, cell by cell.
    p_value : float
        The same for the whole table.
    """

    counts: np.ndarray
    expected: np.ndarray
    z: np.ndarray
    p_cells: np.ndarray
    p_value: float


def association(probabilities: np.ndarray, codes: np.ndarray, n_values: int) -> Association:
    r"""Compare an attribute with the segments, customers being in several segments with some probability.

    Parameters
    ----------
    probabilities : ndarray, shape (n, S)
        Segments of each customer; rows sum to one.
    codes : ndarray of int, shape (n,)
        Value of each, 0 to V - 1.
    n_values : int
        V.

    Returns
    -------
    Association
        Table and tests.

    Notes
    -----
    The counts are :math:`N_{sv} = \sum_i r_{is} x_{iv}`. Were the values dealt to the customers at random, they would
    have the mean :math:`N_s N_v / n` and the covariance :math:`A \otimes B / (n - 1)`, with the centred sums of
    products :math:`A` of r and :math:`B` of x; z divides by its diagonal, and the table is tested by
    :math:`(n - 1) \operatorname{tr}(A^+ D B^+ D^T)`, which has about a chi-squared distribution with
    :math:`(S - 1)(V - 1)` degrees of freedom. With certain segments the statistic is Pearson's times (n - 1)/n, and
    z the adjusted residual times the root of that. With uncertain ones Pearson's would be too small, since soft counts vary less.

    The tails of single cells are those of the Pearson type III distribution with the third moment of such dealing,
    half a customer away (continuity): rare values have a long upper tail, which the normal distribution denies.

    References
    ----------
    .. [1] H. Strasser and C. Weber (1999), "On the asymptotic theory of permutation statistics", Mathematical Methods
       of Statistics 8, 220-250.
    .. [2] S. J. Haberman (1973), "The analysis of residuals in cross-classified tables", Biometrics 29, 205-220.

    Examples
    --------
    >>> certain = np.eye(2)[[0] * 30 + [1] * 30]
    >>> found = association(certain, np.array([0] * 25 + [1] * 5 + [0] * 5 + [1] * 25), 2)
    >>> found.counts.tolist(), found.z.round(1).tolist(), found.p_value < 1e-5
    ([[25.0, 5.0], [5.0, 25.0]], [[5.1, -5.1], [-5.1, 5.1]], True)
    """
    n, n_segments = probabilities.shape
    n_values_each = np.bincount(codes, minlength=n_values).astype(float)
    share = n_values_each / n
    counts = np.stack(
        [np.bincount(codes, weights=probabilities[:, s], minlength=n_values) for s in range(n_segments)]
    )
    expected = np.outer(probabilities.sum(axis=0), share)
    left = probabilities - probabilities.mean(axis=0)
    spread_left = left.T @ left
    spread_right = np.diag(n_values_each) - n * np.outer(share, share)
    difference = counts - expected
    deviation = np.sqrt(np.outer(np.diag(spread_left), np.diag(spread_right)) / max(n - 1, 1))
    z = np.divide(difference, deviation, out=np.zeros_like(difference), where=deviation > RANK_TOLERANCE)
    inverse_left, rank_left = _inverse(spread_left)
    inverse_right, rank_right = _inverse(spread_right)
    statistic = (n - 1) * float(np.sum((inverse_left @ difference) * (difference @ inverse_right)))
    freedom = rank_left * rank_right
    p_value = float(stats.chi2.sf(statistic, freedom)) if freedom else 1.0
    third_right = n * share * (1 - share) * (1 - 2 * share)
    third = np.outer((left**3).sum(axis=0), third_right) * n / max((n - 1) * (n - 2), 1)
    skew = np.divide(third, deviation**3, out=np.zeros_like(third), where=deviation > RANK_TOLERANCE)
    half = np.divide(0.5, deviation, out=np.zeros_like(z), where=deviation > RANK_TOLERANCE)
    p_cells = _two_sided(np.sign(z) * np.maximum(np.abs(z) - half, 0.0), skew)
    return Association(counts, expected, z, p_cells, p_value)


def _inverse(spread: np.ndarray) -> tuple[np.ndarray, int]:
    """Generalised inverse, and the rank: shares sum to one, so a direction is always lost."""
    values, vectors = np.linalg.eigh(spread)
    kept = values > RANK_TOLERANCE * max(values.max(initial=0.0), 1.0)
    scaled = vectors[:, kept] / np.sqrt(values[kept])
    return scaled @ scaled.T, int(kept.sum())


def _two_sided(z: np.ndarray, skew: np.ndarray) -> np.ndarray:
    """Twice the tail beyond z of a distribution with mean 0, variance 1 and the given skewness."""
    tail = np.where(z >= 0, stats.pearson3.sf(z, skew), stats.pearson3.cdf(z, skew))
    return np.where(z == 0, 1.0, np.minimum(2 * tail, 1.0))


def demographics(
    table: Mapping[str, Any],
    probabilities: Any,
    numbers: Sequence[int] | None = None,
    *,
    level: float = LEVEL,
) -> tuple[list[dict[str, Any]] | None, list[str]]:
    """Tables of a customer table's columns by segment.

    Parameters
    ----------
    table : Mapping of str to array_like, shape (H,)
        Columns, one entry per customer in the order of `probabilities`; None, NaN and empty text are missing.
    probabilities : array_like, shape (H, S)
        Segments of each customer.
    numbers : sequence of int, optional
        Numbers of the segments; 1 to S by default.
    level : float, default 0.05
        Chance that any cell of any column is marked although nothing is associated.

    Returns
    -------
    columns : list of dict, or None
        As "demographics" in segments.json; None if no column can be used. Cells are marked where |z| is beyond
        Holm's bound over all cells of all columns, and at least 5 customers were to be expected.
    notes : list of str
        Columns that were left out, and why; what was merged.

    Raises
    ------
    InvalidDataError
        If the columns do not have one entry per customer, or probabilities are none.
    InvalidParameterError
        If `level` is not between 0 and 1.

    References
    ----------
    .. [1] S. Holm (1979), "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
       Statistics 6, 65-70.

    Examples
    --------
    >>> ages = {"age": ["young"] * 25 + ["old"] * 5 + ["young"] * 5 + ["old"] * 25}
    >>> columns, notes = demographics(ages, np.eye(2)[[0] * 30 + [1] * 30])
    >>> columns[0]["values"], columns[0]["counts"]
    (['old', 'young'], [[5.0, 25.0], [25.0, 5.0]])
    >>> [(cell["segment"], cell["value"], cell["share"]) for cell in columns[0]["cells"]][0]
    (1, 'old', 0.166...)
    """
    if not 0 < level < 1:
        message = f"level: found {level!r}. Expected a probability between 0 and 1, such as 0.05."
        raise InvalidParameterError(message)
    resp = _checked(probabilities)
    found: list[tuple[Attribute, Association]] = []
    notes: list[str] = []
    for name, given in table.items():
        if np.ndim(given) != 1 or len(given) != len(resp):
            message = (
                f"the customer table's column {name!r} has {np.shape(given)} entries and there are {len(resp):,} "
                "customers. Expected one entry per customer; join the table to the customers first."
            )
            raise InvalidDataError(message)
        column, said = attribute(str(name), given)
        notes += said
        if column is not None:
            found.append((column, association(resp[column.rows], column.codes, len(column.values))))
    segments = list(numbers) if numbers is not None else list(range(1, resp.shape[1] + 1))
    if not found or resp.shape[1] < 2:
        return None, notes
    marked = _marked([table for _, table in found], level)
    return [_part(*pair, marks, segments) for pair, marks in zip(found, marked, strict=True)], notes


def _checked(probabilities: Any) -> np.ndarray:
    resp = np.asarray(probabilities, dtype=float)
    if resp.ndim != 2 or not resp.size or not (resp >= 0).all() or np.abs(resp.sum(axis=1) - 1).max() > 1e-6:
        message = (
            f"probabilities of the segments: found shape {resp.shape}. Expected (customers, segments), at least 0, "
            "rows that sum to 1; give those of the fitted segments."
        )
        raise InvalidDataError(message)
    return resp


def _marked(tables: Sequence[Association], level: float) -> list[np.ndarray]:
    """Holm: the smallest p against level/m, the next against level/(m - 1), until one fails."""
    tested = [_testable(table) for table in tables]
    p_values = np.concatenate([table.p_cells[cells] for table, cells in zip(tables, tested, strict=True)])
    ordered = np.sort(p_values)
    holds = ordered <= level / np.arange(len(ordered), 0, -1)
    n_holds = len(ordered) if holds.all() else int(holds.argmin())
    bound = ordered[n_holds - 1] if n_holds else -1.0
    return [cells & (table.p_cells <= bound) for table, cells in zip(tables, tested, strict=True)]


def _testable(table: Association) -> np.ndarray:
    enough = table.counts.sum(axis=1, keepdims=True) >= LEAST_CUSTOMERS
    return enough & (table.expected >= LEAST_EXPECTED)


def _part(
    column: Attribute, table: Association, marked: np.ndarray, segments: Sequence[int]
) -> dict[str, Any]:
    share = table.counts / np.maximum(table.counts.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    overall = table.counts.sum(axis=0) / table.counts.sum()
    cells = np.argwhere(marked)
    order = np.argsort(-np.abs(table.z[tuple(cells.T)]), kind="stable")
    return {
        "column": column.name,
        "values": column.values,
        "counts": table.counts.tolist(),
        "n_customers": len(column.codes),
        "p_value": table.p_value,
        "cells": [
            {
                "segment": int(segments[s]),
                "value": column.values[v],
                "share": float(share[s, v]),
                "overall": float(overall[v]),
                "z": float(table.z[s, v]),
            }
            for s, v in cells[order]
        ],
    }
