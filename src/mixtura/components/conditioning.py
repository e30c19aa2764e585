r"""What components share that say how some of their columns follow from others.

For a normal law with mean :math:`\mu` and covariance :math:`\Sigma`, given the columns g the remaining ones r are normal [1]_:

.. math:: \mu_{r\mid g} = \mu_r + \Sigma_{rg}\Sigma_{gg}^{-1}(x_g - \mu_g),\qquad
          \Sigma_{r\mid g} = \Sigma_{rr} - \Sigma_{rg}\Sigma_{gg}^{-1}\Sigma_{gr}.

References
----------
.. [1] C. M. Bishop (2006), Pattern Recognition and Machine Learning, equations 2.81 and 2.82.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from mixtura.components import hooks
from mixtura.components.covariance import CovarianceModel, Diagonal, Full
from mixtura.protocols import Array, Encoding

__all__ = [
    "Given",
    "Pattern",
    "by_pattern",
    "log_prob_at",
    "normal_given",
    "observed_log_prob",
    "others",
    "part_of",
]


class Given(NamedTuple):
    """Normal laws of the remaining columns given the values of some.

    Parameters
    ----------
    mean : ndarray, shape (K, R)
        Means.
    matrices : ndarray, shape (K, R, R)
        Covariance matrices.
    distance : ndarray, shape (K,)
        Squared Mahalanobis distances of the values to the means of their columns.
    """

    mean: Array
    matrices: Array
    distance: Array


class Pattern(NamedTuple):
    """Rows that lack the same cells.

    Parameters
    ----------
    rows : ndarray of int
        Which rows.
    observed, missing : ndarray of int
        Columns that they have, and those that they lack.
    """

    rows: Array
    observed: Array
    missing: Array


def others(n_features: int, columns: Sequence[int] | Array) -> Array:
    """The columns that are not among the given ones, in order.

    Examples
    --------
    >>> others(4, [2, 0])
    array([1, 3])
    """
    return np.setdiff1d(np.arange(n_features), np.asarray(columns, dtype=np.intp))


def by_pattern(gaps: Array) -> Iterator[Pattern]:
    """Rows by the cells that they lack.

    Parameters
    ----------
    gaps : ndarray of bool, shape (D, B)
        Missing cells.

    Examples
    --------
    >>> [(p.rows.tolist(), p.missing.tolist()) for p in by_pattern(np.array([[False, True, False]]))]
    [([0, 2], []), ([1], [0])]
    """
    patterns, place = np.unique(gaps, axis=1, return_inverse=True)
    place = place.ravel()
    for number, pattern in enumerate(patterns.T):
        yield Pattern(np.flatnonzero(place == number), np.flatnonzero(~pattern), np.flatnonzero(pattern))


def normal_given(mean: Array, matrices: Array, columns: Sequence[int] | Array, values: Array) -> Given:
    """Normal laws of the other columns.

    Parameters
    ----------
    mean : ndarray, shape (K, D)
        Means.
    matrices : ndarray, shape (K, D, D)
        Covariance matrices.
    columns : sequence of int
        The G columns that are given.
    values : ndarray, shape (G,)
        What they are, about the same origin as the means.

    Examples
    --------
    >>> normal_given(np.zeros((1, 2)), np.array([[[1.0, 0.8], [0.8, 1.0]]]), [0], np.array([2.0])).mean
    array([[1.6]])
    """
    index = np.asarray(columns, dtype=np.intp)
    rest = others(mean.shape[1], index)
    lower = np.linalg.cholesky(matrices[:, index[:, None], index])
    # Whitened: B = L^-1 Sigma_gr and b = L^-1 (x_g - mu_g), so that what is subtracted is B'B.
    within = np.linalg.solve(lower, matrices[:, index[:, None], rest])
    gap = np.linalg.solve(lower, (values - mean[:, index])[:, :, None])[:, :, 0]
    across = within.swapaxes(1, 2)
    return Given(
        mean[:, rest] + (across @ gap[:, :, None])[:, :, 0],
        matrices[:, rest[:, None], rest] - across @ within,
        np.einsum("kg,kg->k", gap, gap),
    )


def part_of(model: CovarianceModel, matrices: Array) -> tuple[Array, CovarianceModel]:
    """Covariances (K, R, R) of some columns in the form of a structure that can hold them: diagonal where `model` is, or full."""
    if model.independent_columns:
        return np.diagonal(matrices, axis1=1, axis2=2), Diagonal()
    return matrices, Full()


def log_prob_at(component: Any, values: Array) -> Array:
    """Scores (K,) of one row (D,) about the origin of the component."""
    row = np.asarray(values, dtype=np.float64)[:, None]
    return np.array(component.log_prob(component.encode(row, Encoding(len(row)))))[:, 0]


def observed_log_prob(component: Any, x: Array, encoding: Encoding) -> Array:
    """Scores (K, B) of the cells that are there in rows (D, B), whether the component can leave out missing ones by itself or not.

    Raises
    ------
    InvalidParameterError
        If cells are missing in columns that cannot be left out.
    """
    gaps = np.isnan(x)
    if not gaps[~hooks.marginal_columns(component, len(x))].any():
        return np.array(component.log_prob(component.encode(x, replace(encoding, missing=bool(gaps.any())))))
    scores = np.zeros((component.n_components, x.shape[1]))
    for rows, observed, missing in by_pattern(gaps):
        if observed.size:
            part = hooks.restricted(component, observed) if missing.size else component
            own = replace(encoding.take(observed), missing=False)
            scores[:, rows] = part.log_prob(part.encode(x[observed[:, None], rows], own))
    return scores
