r"""Wishart laws of precisions for the four covariance structures, as objects: what differs between them in a Bayesian Gaussian.

Scatters have the shape of the structure's covariances: (K, D, D), (D, D), (K, D) or (K,); degrees of freedom are (K,), or (1,)
where components share one precision. The update of all of them is

.. math:: \nu = \nu_0 + N,\qquad V = V_0 + N S + \frac{\kappa_0 N}{\kappa_0 + N}(\bar x - m_0)(\bar x - m_0)^T,

with sums over the components where they share one ([1]_, equations 10.60 to 10.63), the diagonal of the last two terms for diagonal
structures and its average for spherical ones.

References
----------
.. [1] C. M. Bishop (2006), Pattern Recognition and Machine Learning, section 10.2.1.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from mixtura.components.covariance import CovarianceModel, Diagonal, Full, Spherical, Tied
from mixtura.exceptions import InvalidParameterError
from mixtura.priors.normal_wishart import WishartTerms, gamma_terms, wishart_terms
from mixtura.protocols import Array

__all__ = ["WishartLaw", "wishart_law"]


class WishartLaw(ABC):
    """The law of the precisions of one covariance structure with D columns."""

    def __init__(self, n_features: int) -> None:
        self.n_features = n_features

    @property
    def least(self) -> float:
        """Degrees of freedom are above this."""
        return 0.0

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one component's scatter."""
        return (self.n_features, self.n_features)

    def degrees(self, start: float, count: Array) -> Array:
        """nu0 + N, shape (K,) or (1,)."""
        return start + count

    @abstractmethod
    def between(self, weight: Array, difference: Array) -> Array:
        """Scatter of differences (K, D) weighted by (K,), in the structure's shape."""

    @abstractmethod
    def from_matrix(self, matrix: Array) -> Array:
        """One component's scatter of a matrix (D, D)."""

    @abstractmethod
    def terms(self, degrees: Array, scatter: Array) -> WishartTerms:
        """Log partition function and E[log |Lambda|], shapes (K,) or (1,)."""

    @abstractmethod
    def inner(self, scatter: Array, precision: Array) -> Array:
        """Trace of the product of a scatter and a precision as matrices, shape (K,) or (1,)."""

    @abstractmethod
    def precision(self, degrees: Array, scatter: Array) -> Array:
        """E[Lambda] = nu V^-1, in the structure's shape."""

    @property
    @abstractmethod
    def jacobian(self) -> float:
        """What is added to nu in the density of covariances, |Sigma|^(-(nu + jacobian) / 2) exp(-tr(V Sigma^-1) / 2)."""

    @abstractmethod
    def draw(self, degrees: Array, scatter: Array, rng: np.random.Generator) -> Array:
        """A draw of the covariances, in the structure's shape."""

    def raised(self, scatter: Array, floor: Array) -> Array:
        """The scatter nearest to a law's best one that is at least `floor`, both in the structure's shape."""
        return np.maximum(scatter, floor)

    def divided(self, scatter: Array, size: Array) -> Array:
        """Scatter over sizes (K,) or (1,)."""
        return np.asarray(scatter / np.reshape(size, (-1,) + (1,) * (len(self.shape))))

    def shaped(self, scatter: Array) -> Array:
        """One component's scatter as that of several: a leading axis."""
        return scatter[None]

    def checked(self, given: object, name: str = "NormalWishartPrior: covariance") -> Array:
        """A scatter of a user: of the right shape, symmetric and positive definite; `name` is what messages call it.

        Raises
        ------
        InvalidParameterError
            Saying what is wrong.
        """
        try:
            scatter = np.asarray(given, dtype=np.float64)
        except (TypeError, ValueError):
            scatter = np.full(self.shape, np.nan)
        if scatter.shape != self.shape or not np.isfinite(scatter).all():
            found = f"has shape {scatter.shape}" if scatter.shape != self.shape else f"is {given!r}"
            msg = f"{name} {found}; expected finite numbers of shape {self.shape}."
            raise InvalidParameterError(msg)
        matrix = scatter if scatter.ndim == 2 else np.diag(np.atleast_1d(scatter))
        if not np.allclose(matrix, matrix.T, rtol=1e-8, atol=0.0):
            row, column = np.unravel_index(np.argmax(np.abs(matrix - matrix.T)), matrix.shape)
            pair = f"[{row}, {column}] is {matrix[row, column]:.6g} and [{column}, {row}] is {matrix[column, row]:.6g}"
            msg = f"{name} is not symmetric ({pair}); expected a covariance matrix."
            raise InvalidParameterError(msg)
        smallest = np.linalg.eigvalsh(matrix)[0]
        if not smallest > 0:
            found = f"{name} is not positive definite (smallest eigenvalue {smallest:.3g})"
            msg = f"{found}; expected a covariance matrix, or positive variances."
            raise InvalidParameterError(msg)
        return scatter


class _Full(WishartLaw):
    """A Wishart law of each component's precision matrix."""

    @property
    def least(self) -> float:
        return self.n_features - 1.0

    def between(self, weight: Array, difference: Array) -> Array:
        return np.asarray(weight[:, None, None] * difference[:, :, None] * difference[:, None, :])

    def from_matrix(self, matrix: Array) -> Array:
        return matrix

    def terms(self, degrees: Array, scatter: Array) -> WishartTerms:
        return wishart_terms(degrees, np.linalg.slogdet(scatter)[1], self.n_features)

    def inner(self, scatter: Array, precision: Array) -> Array:
        return np.asarray((scatter * precision).sum(axis=(-2, -1)))

    def precision(self, degrees: Array, scatter: Array) -> Array:
        return np.asarray(degrees[:, None, None] * np.linalg.inv(scatter))

    def raised(self, scatter: Array, floor: Array) -> Array:
        # In coordinates where the floor is the identity, eigenvalues below one are cut.
        lower = np.linalg.cholesky(floor)
        half = np.linalg.solve(lower, scatter)
        values, vectors = np.linalg.eigh(np.linalg.solve(lower, half.swapaxes(-1, -2)))
        if (values >= 1.0).all():
            return scatter
        basis = lower @ vectors
        return np.asarray((basis * np.maximum(values, 1.0)[..., None, :]) @ basis.swapaxes(-1, -2))

    @property
    def jacobian(self) -> float:
        return self.n_features + 1.0

    def draw(self, degrees: Array, scatter: Array, rng: np.random.Generator) -> Array:
        # Bartlett: with V = U U^T and a lower triangle A of normals and roots of chi-squares, V^-1's Wishart law is that of
        # U^-T A A^T U^-1, whose inverse is X^T X with A X = U^T.
        size = self.n_features
        triangle = np.tril(rng.standard_normal((len(degrees), size, size)), -1)
        squares = 2.0 * rng.standard_gamma(0.5 * (degrees[:, None] - np.arange(size)))
        index = np.arange(size)
        triangle[:, index, index] = np.sqrt(np.maximum(squares, np.finfo(float).tiny))
        root = np.linalg.solve(triangle, np.linalg.cholesky(scatter).swapaxes(1, 2))
        return np.asarray(root.swapaxes(1, 2) @ root)


class _Tied(_Full):
    """One Wishart law for the precision that all components share."""

    def degrees(self, start: float, count: Array) -> Array:
        return np.array([start + count.sum()])

    def between(self, weight: Array, difference: Array) -> Array:
        return np.asarray((weight[:, None] * difference).T @ difference)

    def shaped(self, scatter: Array) -> Array:
        return scatter

    def divided(self, scatter: Array, size: Array) -> Array:
        return np.asarray(scatter / size[0])

    def terms(self, degrees: Array, scatter: Array) -> WishartTerms:
        return super().terms(degrees, scatter[None])

    def inner(self, scatter: Array, precision: Array) -> Array:
        return np.atleast_1d(super().inner(scatter, precision))

    def precision(self, degrees: Array, scatter: Array) -> Array:
        return np.asarray(degrees[0] * np.linalg.inv(scatter))

    def draw(self, degrees: Array, scatter: Array, rng: np.random.Generator) -> Array:
        return np.asarray(super().draw(degrees, scatter[None], rng)[0])


class _Diagonal(WishartLaw):
    """A gamma law of every column's precision: shape nu / 2, rate v / 2."""

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.n_features,)

    def between(self, weight: Array, difference: Array) -> Array:
        return np.asarray(weight[:, None] * difference**2)

    def from_matrix(self, matrix: Array) -> Array:
        return matrix.diagonal().copy()

    def terms(self, degrees: Array, scatter: Array) -> WishartTerms:
        terms = gamma_terms(0.5 * degrees[:, None], 0.5 * scatter)
        return WishartTerms(terms.log_partition.sum(axis=1), terms.expected_log_det.sum(axis=1))

    def inner(self, scatter: Array, precision: Array) -> Array:
        return np.asarray((scatter * precision).sum(axis=-1))

    def precision(self, degrees: Array, scatter: Array) -> Array:
        return np.asarray(degrees[:, None] / scatter)

    @property
    def jacobian(self) -> float:
        return 2.0

    def draw(self, degrees: Array, scatter: Array, rng: np.random.Generator) -> Array:
        drawn = rng.standard_gamma(np.broadcast_to(0.5 * degrees[:, None], scatter.shape))
        return np.asarray(0.5 * scatter / np.maximum(drawn, np.finfo(float).tiny))


class _Spherical(WishartLaw):
    """A gamma law of each component's one precision: shape nu D / 2, rate v D / 2."""

    @property
    def shape(self) -> tuple[int, ...]:
        return ()

    def between(self, weight: Array, difference: Array) -> Array:
        return np.asarray(weight * np.mean(difference**2, axis=1))

    def from_matrix(self, matrix: Array) -> Array:
        return np.asarray(np.trace(matrix) / len(matrix))

    def terms(self, degrees: Array, scatter: Array) -> WishartTerms:
        half = 0.5 * self.n_features
        terms = gamma_terms(half * degrees, half * scatter)
        return WishartTerms(terms.log_partition, self.n_features * terms.expected_log_det)

    def inner(self, scatter: Array, precision: Array) -> Array:
        return np.asarray(self.n_features * scatter * precision)

    def precision(self, degrees: Array, scatter: Array) -> Array:
        return np.asarray(degrees / scatter)

    @property
    def jacobian(self) -> float:
        return 2.0 / self.n_features

    def draw(self, degrees: Array, scatter: Array, rng: np.random.Generator) -> Array:
        half = 0.5 * self.n_features
        drawn = rng.standard_gamma(half * degrees)
        return np.asarray(half * scatter / np.maximum(drawn, np.finfo(float).tiny))


_LAWS: dict[type[CovarianceModel], type[WishartLaw]] = {
    Full: _Full,
    Tied: _Tied,
    Diagonal: _Diagonal,
    Spherical: _Spherical,
}


def wishart_law(model: CovarianceModel, n_features: int) -> WishartLaw:
    """The law that is conjugate to a covariance structure.

    Raises
    ------
    InvalidParameterError
        If there is none.

    Examples
    --------
    >>> wishart_law(Full(), 3).least
    2.0
    """
    law = _LAWS.get(type(model))
    if law is None or model.bounded:
        why = "bounds on its variances" if law is not None else f"structure {model.name}"
        msg = (
            f"Gaussian components with {why} have no conjugate prior. Expected full, tied, diagonal or spherical covariances without "
            "bounds."
        )
        raise InvalidParameterError(msg)
    return law(n_features)
