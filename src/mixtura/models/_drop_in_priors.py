"""What priors hmmlearn's settings of a mixture's covariances are: scatter and size of every Gaussian, by covariance type."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.models._drop_in_chain import broadcast
from mixtura.protocols import Array

__all__ = ["PRIORS"]

Shape = tuple[int, int, int]


def _full(shape: Shape, prior: Any, weight: Any) -> tuple[Array, Array]:
    """Scatter and size of inverse Wishart laws."""
    states, inner, n_features = shape
    scatter = broadcast("covars_prior", 0.0 if prior is None else prior, (*shape, n_features))
    degrees = -(n_features + 2.0) if weight is None else weight
    return scatter.swapaxes(2, 3), broadcast("covars_weight", degrees, (states, inner)) + n_features + 2.0


def _tied(shape: Shape, prior: Any, weight: Any) -> tuple[Array, Array]:
    """Those of a state, in equal parts of its Gaussians."""
    states, inner, n_features = shape
    scatter = broadcast(
        "covars_prior", 0.0 if prior is None else prior, (states, n_features, n_features)
    ).swapaxes(1, 2)
    degrees = -(inner + n_features + 1.0) if weight is None else weight
    worth = broadcast("covars_weight", degrees, (states,)) + inner + n_features + 1.0
    return (
        np.repeat(scatter[:, None], inner, axis=1) / inner,
        np.repeat(worth[:, None], inner, axis=1) / inner,
    )


def _diagonal(shape: Shape, prior: Any, weight: Any) -> tuple[Array, Array]:
    """Scatter 2 beta and size 2 alpha + 3 of inverse gamma laws."""
    alpha = broadcast("covars_prior", -1.5 if prior is None else prior, shape)
    beta = broadcast("covars_weight", 0.0 if weight is None else weight, shape)
    return 2.0 * beta, 2.0 * alpha + 3.0


def _spherical(shape: Shape, prior: Any, weight: Any) -> tuple[Array, Array]:
    """The same for all columns together; the default is hmmlearn's, which takes the number of Gaussians for that of the columns."""
    states, inner, n_features = shape
    alpha = broadcast("covars_prior", -(inner + 2.0) / 2.0 if prior is None else prior, (states, inner))
    beta = broadcast("covars_weight", 0.0 if weight is None else weight, (states, inner))
    return 2.0 * beta / n_features, (n_features + 2.0 * (alpha + 1.0)) / n_features


PRIORS = {"full": _full, "tied": _tied, "diag": _diagonal, "spherical": _spherical}
