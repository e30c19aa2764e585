"""Covariances of chains with hmmlearn's names: where they start, and what they may be."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from mixtura.components import COVARIANCES
from mixtura.exceptions import InvalidParameterError
from mixtura.models._fitting import check_choice
from mixtura.protocols import Array

__all__ = [
    "check_definite",
    "check_type",
    "clustered",
    "common_variance",
    "nested_centres",
    "start_covariance",
]


def check_type(kind: Any) -> None:
    """Refuse an unknown covariance type."""
    check_choice("covariance_type", kind, tuple(COVARIANCES))


def clustered(X: Array, n_clusters: int, random_state: Any) -> Any:
    """k-means as hmmlearn starts it; rows that are all alike are no fault of the start."""
    from sklearn.cluster import KMeans  # slow to import

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return KMeans(n_clusters=n_clusters, random_state=random_state, n_init=10).fit(X)


def nested_centres(X: Array, matrix: Array, sizes: tuple[int, int], random_state: Any) -> Array:
    """Clusters within clusters, shape (K, M, D); draws about the middle of all where a cluster has too few rows."""
    states, inner = sizes
    outer = clustered(X, states, random_state)
    middle = outer.cluster_centers_.mean(axis=0)
    draws = check_random_state(random_state)
    centres = []
    for state in range(states):
        rows = X[outer.labels_ == state]
        if len(rows) < inner:
            centres.append(draws.multivariate_normal(middle, matrix, size=inner))
        else:
            centres.append(clustered(rows, inner, random_state).cluster_centers_)
    return np.stack(centres)


def start_covariance(X: Array, least: float) -> Array:
    """Covariance of all rows with `least` on its diagonal, shape (D, D)."""
    return np.atleast_2d(np.cov(X.T)) + least * np.eye(X.shape[1])


def common_variance(matrix: Array) -> float:
    """hmmlearn's one variance of a covariance matrix: the mean of all its entries; of its diagonal where that is not positive."""
    mean = float(matrix.mean())
    return mean if mean > 0 else float(matrix.diagonal().mean())


def check_definite(name: str, covariances: Array, variances: bool) -> None:
    """Refuse variances that are not positive, and matrices that are not symmetric and positive definite.

    Parameters
    ----------
    name : str
        Of the attribute.
    covariances : ndarray
        Variances, of any shape, or matrices, shape (..., D, D).
    variances : bool
        Which of both.

    Raises
    ------
    InvalidParameterError
        Naming the first of them by its place.
    """
    if variances:
        bad = np.argwhere(~(covariances > 0))
        if bad.size:
            at = tuple(int(i) for i in bad[0])
            msg = f"{name}[{', '.join(map(str, at))}] is {covariances[at]:.6g}; expected variances above 0."
            raise InvalidParameterError(msg)
        return
    for at in np.ndindex(covariances.shape[:-2]):
        matrix = covariances[at]
        where = f"[{', '.join(map(str, at))}]" if at else ""
        if not np.allclose(matrix, matrix.T):
            msg = f"{name}{where} is not symmetric: {matrix.tolist()}; expected a symmetric positive definite matrix."
            raise InvalidParameterError(msg)
        smallest = _smallest(matrix)
        if not smallest > 0:
            msg = f"{name}{where} has smallest eigenvalue {smallest:.6g}; expected a symmetric positive definite matrix."
            raise InvalidParameterError(msg)


def _smallest(matrix: Array) -> float:
    """Smallest eigenvalue, columns counted in their own deviations where all have one: scales do not cost digits."""
    if not np.isfinite(matrix).all():
        return float("nan")
    scale = np.sqrt(np.maximum(matrix.diagonal(), 0.0))
    return float(np.linalg.eigvalsh(matrix / np.outer(scale, scale) if scale.all() else matrix)[0])
