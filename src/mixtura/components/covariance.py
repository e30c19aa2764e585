r"""Covariance structures as objects: full, tied, diagonal, spherical (ten more are in :mod:`mixtura.components.eigen`).

The file is long because the four structures stand side by side, each with the same dozen short methods.

Each object knows its parameter shapes (scikit-learn's), its second-order statistics, its M-step and its
whitening; :class:`~mixtura.components.gaussian.Gaussian` holds one and has no other choice to make.

==========  ==============  =============================  ==================
object      covariance      ``sum_xx``                     free parameters
==========  ==============  =============================  ==================
Full        (K, D, D)       packed triangles (K, P2)       K D (D + 1) / 2
Tied        (D, D)          one packed triangle (1, P2)    D (D + 1) / 2
Diagonal    (K, D)          squares (K, D)                 K D
Spherical   (K,)            squared norms (K,)             K
==========  ==============  =============================  ==================

P2 = D (D + 1) / 2. ``regularization`` is added to every variance (scikit-learn's ``reg_covar``).

References
----------
.. [1] C. M. Bishop (2006), Pattern Recognition and Machine Learning, equations 9.24 to 9.26.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular

from mixtura.exceptions import InvalidParameterError
from mixtura.kernels import compiled
from mixtura.protocols import Array
from mixtura.statistics import Statistics, pack_symmetric, unpack_symmetric

# Up to this many columns one batched general solve is quicker than K triangular ones.
_BATCHED = 16
# Products of a block below which NumPy is as quick, and compiles nothing.
_WORTH = 200_000
# Units of rounding of a variance below which what other columns leave of it is taken for none.
_PIVOT = 4.0

__all__ = ["COVARIANCES", "CovarianceModel", "Diagonal", "Full", "Spherical", "Tied"]


@dataclass(frozen=True)
class CovarianceModel(ABC):
    """One covariance structure.

    Parameters
    ----------
    regularization : float, default 0
        Added to every variance after the M-step, in squared units of the data. Makes the step inexact.
    lowest, highest : float, default 0 and infinity
        Bounds on the variances in every direction (the eigenvalues), in squared units of the data, for the structures of
        this module. The step stays exact: under bounds the maximum keeps its axes, and eigenvalues outside go to the bound.
        A positive `lowest` keeps the likelihood bounded.
    """

    regularization: float = 0.0
    lowest: float = 0.0
    highest: float = np.inf

    #: scikit-learn's name.
    name = "covariance"
    #: Whether all components share one covariance (its second moments need no responsibilities).
    pooled = False
    #: Whether the volumes of the components' covariances differ, each free by itself.
    own_volume = True
    #: Whether columns are independent within a component: a missing cell then leaves its own terms out.
    independent_columns = False
    #: Largest D scored through packed products; above it every component whitens by itself.
    packed_limit = 1 << 30

    def __post_init__(self) -> None:
        if not 0.0 <= self.lowest <= self.highest or not self.highest > 0.0:
            msg = (
                f"The variances are bounded from {self.lowest!r} to {self.highest!r}; expected 0 <= lowest <= highest, and "
                "highest above 0."
            )
            raise InvalidParameterError(msg)

    @property
    def bounded(self) -> bool:
        """Whether there are bounds on the variances."""
        return self.lowest > 0.0 or self.highest < np.inf

    def within(self, covariance: Array) -> Array:
        """Covariances with their eigenvalues inside the bounds."""
        return np.clip(covariance, self.lowest, self.highest)

    @abstractmethod
    def n_second(self, n_features: int) -> int:
        """Rows of second-order features in a block."""

    @abstractmethod
    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Free parameters of the covariance(s)."""

    @abstractmethod
    def second_order(self, x: Array, out: Array) -> None:
        """Write second-order features of x, (D, B), into out, (n_second, B)."""

    @abstractmethod
    def quadratic(self, precision_cholesky: Array) -> Array:
        """Weights (K or 1, n_second) with which the features make -x' Lambda x / 2."""

    @abstractmethod
    def precision_times(self, precision_cholesky: Array, mean: Array) -> Array:
        """Lambda_k mu_k, shape (K, D)."""

    @abstractmethod
    def half_log_det(self, precision_cholesky: Array, n_features: int) -> Array:
        """Half the log determinant of each precision, shape (K,) or ()."""

    @abstractmethod
    def central(self, stats: Statistics, mean: Array) -> Array:
        """Scatter about the components' means, in the shape that `maximize` takes."""

    @abstractmethod
    def maximize(self, counts: Array, scatter: Array, start: Array | None = None) -> Array:
        """Covariances from counts (K,) and central scatter; `start` serves iterative structures."""

    @abstractmethod
    def precision_cholesky(self, covariance: Array) -> Array:
        """Factor of the precision, in scikit-learn's shape; raises numpy.linalg.LinAlgError if not definite."""

    @abstractmethod
    def whiten(self, residual: Array, precision_cholesky: Array, k: int) -> Array:
        """Residuals (D, B) of component k in units of its standard deviations."""

    @abstractmethod
    def own_second_order(self, residual: Array, resp: Array) -> Array:
        """One component's row of ``sum_xx`` from residuals (D, B) and its responsibilities (B,)."""

    @abstractmethod
    def variances(self, covariance: Array, n_components: int, n_features: int) -> Array:
        """Variance of every column, shape (K, D)."""

    @abstractmethod
    def matrices(self, covariance: Array, n_components: int, n_features: int) -> Array:
        """Full matrices, shape (K, D, D)."""

    @abstractmethod
    def from_matrices(self, matrices: Array) -> Array:
        """Inverse of `matrices`, for covariances and precision factors alike."""

    @abstractmethod
    def raise_to(self, covariance: Array, floor: Array) -> Array:
        """Covariances whose column variances are at least `floor`, shape (K, D)."""

    def take(self, covariance: Array, components: Array) -> Array:
        """Covariances of some components."""
        return covariance if self.pooled else covariance[components]

    def concatenate(self, covariances: list[Array]) -> Array:
        """Covariances side by side (the first one where all share one)."""
        return covariances[0] if self.pooled else np.concatenate(covariances)

    def free(self, covariance: Array) -> Array:
        """Unconstrained coordinates: log standard deviations and, below them, the rest of the Cholesky factor."""
        return np.log(covariance).ravel() / 2.0

    def from_free(self, vector: Array, shape: tuple[int, ...]) -> Array:
        """Inverse of `free`."""
        return np.exp(2.0 * vector).reshape(shape)


class Full(CovarianceModel):
    """Every component has its own covariance matrix."""

    name = "full"
    packed_limit = 64

    def n_second(self, n_features: int) -> int:
        """D (D + 1) / 2."""
        return n_features * (n_features + 1) // 2

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """K D (D + 1) / 2."""
        return n_components * self.n_second(n_features)

    def second_order(self, x: Array, out: Array) -> None:
        """Products x_i x_j, i <= j, row by row."""
        kernel = compiled("mixtura.kernels.products", "symmetric_products") if out.size >= _WORTH else None
        if kernel is not None:
            kernel(x, out)
            return
        row = 0
        for i in range(len(x)):
            np.multiply(x[i], x[i:], out=out[row : row + len(x) - i])
            row += len(x) - i

    def quadratic(self, precision_cholesky: Array) -> Array:
        """-Lambda_ii / 2 and -Lambda_ij."""
        precision = precision_cholesky @ np.swapaxes(precision_cholesky, -1, -2)
        doubled = precision * (np.eye(precision.shape[-1]) * 0.5 - 1.0)
        return pack_symmetric(doubled)

    def precision_times(self, precision_cholesky: Array, mean: Array) -> Array:
        """Through the factor, twice."""
        half = np.einsum("kji,kj->ki", precision_cholesky, mean)
        return np.einsum("kij,kj->ki", precision_cholesky, half)

    def half_log_det(self, precision_cholesky: Array, n_features: int) -> Array:
        """Sum of the logs of the factor's diagonal."""
        return np.asarray(np.log(np.diagonal(precision_cholesky, axis1=-2, axis2=-1)).sum(axis=-1))

    def central(self, stats: Statistics, mean: Array) -> Array:
        """S - N m m', shape (K, D, D)."""
        scatter = unpack_symmetric(stats["sum_xx"], mean.shape[1])
        return scatter - stats["count"][:, None, None] * mean[:, :, None] * mean[:, None, :]

    def maximize(self, counts: Array, scatter: Array, start: Array | None = None) -> Array:
        """S_k / N_k."""
        covariance = scatter / counts[:, None, None]
        diagonal = np.arange(covariance.shape[-1])
        covariance[:, diagonal, diagonal] += self.regularization
        return self.within(covariance)

    def within(self, covariance: Array) -> Array:
        """Eigenvalues clipped; axes as they are."""
        if not self.bounded:
            return covariance
        values, axes = np.linalg.eigh(covariance)
        return np.asarray(
            (axes * np.clip(values, self.lowest, self.highest)[..., None, :]) @ axes.swapaxes(-1, -2)
        )

    def precision_cholesky(self, covariance: Array) -> Array:
        """Upper factor U with U U' = Lambda, shape (K, D, D)."""
        lower = np.linalg.cholesky(covariance)
        _refuse_rounding(lower, covariance)
        identity = np.eye(covariance.shape[-1])
        if len(identity) <= _BATCHED:
            return np.tril(np.linalg.solve(lower, identity)).swapaxes(-1, -2)
        return np.stack([solve_triangular(factor, identity, lower=True).T for factor in lower])

    def whiten(self, residual: Array, precision_cholesky: Array, k: int) -> Array:
        """U' (x - mu), the lower triangle taken in two steps."""
        return _triangular_product(precision_cholesky[k].T, residual)

    def own_second_order(self, residual: Array, resp: Array) -> Array:
        """Packed weighted scatter; a product of a matrix with its own transpose takes half the flops."""
        weighted = residual * np.sqrt(resp)
        return pack_symmetric(weighted @ weighted.T)

    def variances(self, covariance: Array, n_components: int, n_features: int) -> Array:
        """Diagonals."""
        return np.diagonal(self.matrices(covariance, n_components, n_features), axis1=-2, axis2=-1)

    def matrices(self, covariance: Array, n_components: int, n_features: int) -> Array:
        """As they are."""
        return covariance

    def from_matrices(self, matrices: Array) -> Array:
        """As they are."""
        return matrices

    def raise_to(self, covariance: Array, floor: Array) -> Array:
        """Add the floor to the diagonal: the result stays positive definite."""
        return np.asarray(covariance + floor[:, :, None] * np.eye(floor.shape[1]))

    def free(self, covariance: Array) -> Array:
        """Log-Cholesky: log of the diagonal, the rest as it is."""
        lower = np.linalg.cholesky(covariance)
        diagonal = np.arange(lower.shape[-1])
        lower[..., diagonal, diagonal] = np.log(lower[..., diagonal, diagonal])
        rows, columns = np.tril_indices(lower.shape[-1])
        return lower[..., rows, columns].ravel()

    def from_free(self, vector: Array, shape: tuple[int, ...]) -> Array:
        """Inverse of `free`."""
        rows, columns = np.tril_indices(shape[-1])
        lower = np.zeros(shape)
        lower[..., rows, columns] = vector.reshape(*shape[:-2], len(rows))
        diagonal = np.arange(shape[-1])
        lower[..., diagonal, diagonal] = np.exp(lower[..., diagonal, diagonal])
        return lower @ np.swapaxes(lower, -1, -2)


class Tied(Full):
    """All components share one covariance matrix; the quadratic term is the same for all of them."""

    name = "tied"
    pooled = True
    own_volume = False
    packed_limit = 1 << 30

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """D (D + 1) / 2."""
        return self.n_second(n_features)

    def precision_times(self, precision_cholesky: Array, mean: Array) -> Array:
        """One factor for all."""
        return (mean @ precision_cholesky) @ precision_cholesky.T

    def central(self, stats: Statistics, mean: Array) -> Array:
        """S - sum_k N_k m_k m_k', shape (D, D)."""
        scatter = unpack_symmetric(stats["sum_xx"][0], mean.shape[1])
        return np.asarray(scatter - (stats["count"][:, None] * mean).T @ mean)

    def maximize(self, counts: Array, scatter: Array, start: Array | None = None) -> Array:
        """S / N."""
        covariance = scatter / counts.sum()
        np.fill_diagonal(covariance, covariance.diagonal() + self.regularization)
        return self.within(covariance)

    def precision_cholesky(self, covariance: Array) -> Array:
        """Upper factor, shape (D, D)."""
        lower = np.linalg.cholesky(covariance)
        _refuse_rounding(lower, covariance)
        return np.asarray(solve_triangular(lower, np.eye(len(lower)), lower=True).T)

    def whiten(self, residual: Array, precision_cholesky: Array, k: int) -> Array:
        """U' (x - mu)."""
        return _triangular_product(precision_cholesky.T, residual)

    def matrices(self, covariance: Array, n_components: int, n_features: int) -> Array:
        """The same matrix K times."""
        return np.broadcast_to(covariance, (n_components, n_features, n_features))

    def from_matrices(self, matrices: Array) -> Array:
        """The first."""
        return np.asarray(matrices[0])

    def raise_to(self, covariance: Array, floor: Array) -> Array:
        """Add the largest floor of each column."""
        return np.asarray(covariance + np.diag(floor.max(axis=0)))


class Diagonal(CovarianceModel):
    """Every component has its own variances; columns are independent within a component."""

    name = "diag"
    independent_columns = True

    def n_second(self, n_features: int) -> int:
        """D."""
        return n_features

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """K D."""
        return n_components * n_features

    def second_order(self, x: Array, out: Array) -> None:
        """Squares."""
        np.multiply(x, x, out=out)

    def quadratic(self, precision_cholesky: Array) -> Array:
        """-Lambda_d / 2."""
        return -0.5 * precision_cholesky**2

    def precision_times(self, precision_cholesky: Array, mean: Array) -> Array:
        """Column by column."""
        return precision_cholesky**2 * mean

    def half_log_det(self, precision_cholesky: Array, n_features: int) -> Array:
        """Sum of log precisions' roots."""
        return np.asarray(np.log(precision_cholesky).sum(axis=1))

    def central(self, stats: Statistics, mean: Array) -> Array:
        """S - N m^2, shape (K, D)."""
        return np.asarray(stats["sum_xx"] - stats["count"][:, None] * mean**2)

    def maximize(self, counts: Array, scatter: Array, start: Array | None = None) -> Array:
        """S_k / N_k."""
        return self.within(scatter / counts[:, None] + self.regularization)

    def precision_cholesky(self, covariance: Array) -> Array:
        """Inverse standard deviations."""
        if not np.all(covariance > 0):
            msg = "a variance is not positive"
            raise np.linalg.LinAlgError(msg)
        return 1.0 / np.sqrt(covariance)

    def whiten(self, residual: Array, precision_cholesky: Array, k: int) -> Array:
        """Residuals over standard deviations."""
        return residual * precision_cholesky[k][:, None]

    def own_second_order(self, residual: Array, resp: Array) -> Array:
        """Weighted squares."""
        return (residual * residual) @ resp

    def variances(self, covariance: Array, n_components: int, n_features: int) -> Array:
        """As they are."""
        return covariance

    def matrices(self, covariance: Array, n_components: int, n_features: int) -> Array:
        """Diagonal matrices."""
        return np.asarray(covariance[:, :, None] * np.eye(n_features))

    def from_matrices(self, matrices: Array) -> Array:
        """Diagonals."""
        return np.diagonal(matrices, axis1=1, axis2=2)

    def raise_to(self, covariance: Array, floor: Array) -> Array:
        """The larger of both."""
        return np.maximum(covariance, floor)


class Spherical(Diagonal):
    """Every component has one variance for all columns."""

    name = "spherical"

    def n_second(self, n_features: int) -> int:
        """1: the squared norm."""
        return 1

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """K."""
        return n_components

    def second_order(self, x: Array, out: Array) -> None:
        """Squared norm."""
        np.einsum("db,db->b", x, x, out=out[0])

    def quadratic(self, precision_cholesky: Array) -> Array:
        """-Lambda / 2."""
        return -0.5 * precision_cholesky[:, None] ** 2

    def precision_times(self, precision_cholesky: Array, mean: Array) -> Array:
        """One precision for all columns."""
        return precision_cholesky[:, None] ** 2 * mean

    def half_log_det(self, precision_cholesky: Array, n_features: int) -> Array:
        """D times the log of the precision's root."""
        return np.asarray(n_features * np.log(precision_cholesky))

    def central(self, stats: Statistics, mean: Array) -> Array:
        """Average over columns of S - N |m|^2, shape (K,)."""
        squares = stats["sum_xx"].reshape(len(mean))
        return np.asarray((squares - stats["count"] * np.einsum("kd,kd->k", mean, mean)) / mean.shape[1])

    def maximize(self, counts: Array, scatter: Array, start: Array | None = None) -> Array:
        """S_k / (N_k D)."""
        return self.within(scatter / counts + self.regularization)

    def whiten(self, residual: Array, precision_cholesky: Array, k: int) -> Array:
        """Residuals over the standard deviation."""
        return residual * precision_cholesky[k]

    def own_second_order(self, residual: Array, resp: Array) -> Array:
        """Weighted squared norm."""
        return np.asarray(np.einsum("db,db->b", residual, residual) @ resp)

    def variances(self, covariance: Array, n_components: int, n_features: int) -> Array:
        """The same for every column."""
        return np.broadcast_to(covariance[:, None], (n_components, n_features))

    def matrices(self, covariance: Array, n_components: int, n_features: int) -> Array:
        """Multiples of the identity."""
        return np.asarray(covariance[:, None, None] * np.eye(n_features))

    def from_matrices(self, matrices: Array) -> Array:
        """Upper left entries."""
        return np.asarray(matrices[:, 0, 0])

    def raise_to(self, covariance: Array, floor: Array) -> Array:
        """The larger of the variance and the largest floor of a column."""
        return np.maximum(covariance, floor.max(axis=1))


#: scikit-learn's names, for the user classes and model files only.
COVARIANCES: dict[str, type[CovarianceModel]] = {
    "full": Full,
    "tied": Tied,
    "diag": Diagonal,
    "spherical": Spherical,
}


def _refuse_rounding(lower: Array, covariance: Array) -> None:
    """Refuse factors with a pivot that is only rounding: what earlier columns leave of a column's variance has no digits."""
    pivots = np.diagonal(lower, axis1=-2, axis2=-1) ** 2
    variances = np.diagonal(covariance, axis1=-2, axis2=-1)
    if not np.all(pivots > _PIVOT * np.finfo(covariance.dtype).eps * variances):
        msg = "a column is, up to rounding, a linear combination of others"
        raise np.linalg.LinAlgError(msg)


def _triangular_product(lower: Array, x: Array) -> Array:
    """L @ x for lower-triangular L (D, D): three quarters of the flops of a general product."""
    half = len(lower) // 2
    if half < 16:
        return lower @ x
    product = np.empty_like(x)
    np.matmul(lower[:half, :half], x[:half], out=product[:half])
    np.matmul(lower[half:], x, out=product[half:])
    return product
