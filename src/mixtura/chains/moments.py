r"""Second moments of covariates and a response: all that a linear regression has to know of its rows.

They are sums, so they stream: :class:`RowSums` makes them batch by batch under any executor, and :func:`joined` adds those
of a later table about the mean of both, so that no digit is lost to a distant origin. :class:`Moments` is what a model reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from scipy.linalg import eigh

from mixtura.protocols import Array, Batch, Encoding, Memory
from mixtura.statistics import Statistics, pack_symmetric, unpack_symmetric

__all__ = ["LeastSquares", "Moments", "RowSums", "Spectrum", "joined"]

# Columns whose sums of squares differ by more than this are left to Cholesky factors, which do not mind scales.
_ALIKE = 1e-4


@dataclass(frozen=True)
class RowSums:
    """The pass over the rows: sums of their weights, of x, and of products of x, the response being the last row of x.

    Parameters
    ----------
    encoding : Encoding
        Of the D covariates and the response; its origin is that of the sums.

    Examples
    --------
    >>> rows = Batch(np.array([[-1.0, 1.0], [-2.0, 2.0]]), np.ones(2))
    >>> RowSums(Encoding(2, origin=np.array([1.0, 5.0])))(rows, {})["sum_xx"]
    array([[2., 4., 8.]])
    """

    encoding: Encoding

    def __call__(self, batch: Batch, memory: Memory) -> Statistics:
        """Sums of one batch."""
        weighted = batch.x * batch.sample_weight
        count = float(batch.sample_weight.sum())
        sums = {
            "count": np.array([count]),
            "sum_x": weighted.sum(axis=1)[None],
            "sum_xx": pack_symmetric(weighted @ batch.x.T)[None],
        }
        # The origin travels with the sums, so tables of one width add whatever their means.
        stamp = Encoding(self.encoding.n_features).stamp
        return Statistics(sums, weight=count, origin=self.encoding.origin, stamp=stamp)


def _mean(sums: Statistics) -> Array:
    """Mean of all columns, shape (D + 1,)."""
    origin = 0.0 if sums.origin is None else sums.origin
    return np.asarray(origin + sums["sum_x"][0] / sums["count"][0])


def joined(first: Statistics, second: Statistics) -> Statistics:
    """The sums of two tables, about the mean of both.

    Parameters
    ----------
    first, second : Statistics
        Of `RowSums`, about any origins.

    Returns
    -------
    Statistics
        As of one table that holds the rows of both.

    Notes
    -----
    Sums of squares about the common mean are those about the means of the parts plus what the means differ by, all of
    it positive [1]_.

    References
    ----------
    .. [1] T. F. Chan, G. H. Golub, R. J. LeVeque (1983), The American Statistician 37(3), 242-247.

    Examples
    --------
    >>> def one(x, y):
    ...     origin = np.array([x, y])
    ...     return RowSums(Encoding(2, origin))(Batch(np.zeros((2, 1)), np.ones(1)), {})
    >>> joined(one(1.0, 2.0), one(3.0, 2.0))["sum_xx"]
    array([[2., 0., 0.]])
    """
    first._check(second)
    share = second["count"][0] / (first["count"][0] + second["count"][0])
    mean = _mean(first)
    middle = mean + share * (_mean(second) - mean)
    return first.about(middle) + second.about(middle)


@dataclass(frozen=True)
class Spectrum:
    """The eigenvectors of the sums of products: what makes every later step as cheap as D numbers.

    Parameters
    ----------
    values : ndarray, shape (D,)
        Eigenvalues of X'X; those that are rounding are zero.
    vectors : ndarray, shape (D, D)
        Eigenvectors, in columns.
    cross : ndarray, shape (D,)
        X'y in their coordinates; zero where the eigenvalue is.
    """

    values: Array
    vectors: Array
    cross: Array

    @classmethod
    def of(cls, gram: Array, cross: Array) -> Self:
        """That of X'X and X'y."""
        values, vectors = eigh(gram)
        real = values > max(values[-1], 0.0) * len(values) * np.finfo(float).eps
        return cls(np.where(real, values, 0.0), vectors, np.where(real, vectors.T @ cross, 0.0))


@dataclass(frozen=True)
class LeastSquares:
    """The coefficients without a prior (the shortest ones, where the rows do not determine them).

    Parameters
    ----------
    coefficients : ndarray, shape (D,)
        Minimisers of the sum of squared residuals.
    residual : float
        That sum.
    """

    coefficients: Array
    residual: float


@dataclass(frozen=True)
class Moments:
    """Sums of products of covariates and response, about their means where there is an intercept.

    Parameters
    ----------
    count : float
        Sum of the rows' weights, N; one less where the intercept is integrated out.
    gram : ndarray, shape (D, D)
        X'X.
    cross : ndarray, shape (D,)
        X'y.
    total : float
        y'y.
    centre : ndarray, shape (D,)
        Means of the covariates; zero without an intercept.
    level : float
        Mean of the response; zero without an intercept.
    constant : float, default 0
        What integrating the intercept adds to the log evidence.

    Examples
    --------
    >>> x = np.array([[0.0, 1.0, 2.0], [1.0, 3.0, 5.0]])
    >>> sums = RowSums(Encoding(2))(Batch(x, np.ones(3)), {})
    >>> Moments.of(sums, intercept=True).cross
    array([4.])
    """

    count: float
    gram: Array
    cross: Array
    total: float
    centre: Array
    level: float
    constant: float = 0.0

    @classmethod
    def of(cls, sums: Statistics, *, intercept: bool, integrated: bool = False) -> Self:
        """The moments about the means, or about zero.

        Parameters
        ----------
        sums : Statistics
            Of `RowSums`.
        intercept : bool
            Whether there is one.
        integrated : bool, default False
            Whether it has a flat prior and is integrated out, rather than at its maximum: that leaves the density of the
            responses about their mean, N - 1 numbers, times 1 / sqrt(N).
        """
        size = sums["sum_x"].shape[1]
        middle = _mean(sums) if intercept else np.zeros(size)
        products = unpack_symmetric(sums.about(middle)["sum_xx"][0], size)
        count = float(sums["count"][0])
        gone = intercept and integrated
        return cls(
            count - gone,
            products[:-1, :-1],
            products[:-1, -1],
            float(products[-1, -1]),
            middle[:-1],
            float(middle[-1]),
            -0.5 * float(np.log(count)) if gone else 0.0,
        )

    @property
    def n_features(self) -> int:
        """D, number of covariates."""
        return len(self.cross)

    @property
    def scale(self) -> float:
        """Mean square of the response: what a small noise variance is compared with."""
        return self.total / self.count or self.level**2 or 1.0

    @property
    def reach(self) -> float:
        """Variance of the coefficients that would make the covariates explain as much as there is to explain."""
        spread = float(np.trace(self.gram))
        return self.scale * self.count / spread if spread > 0 else 1.0

    def batch(self) -> Batch:
        """A batch that carries these sums: the whole data for `LinearRegression`, whose passes cost no row."""
        return Batch(self, np.ones(1))

    @cached_property
    def alike(self) -> bool:
        """Whether the columns' scales are alike, so that eigenvalues of X'X keep their digits."""
        squares = np.diag(self.gram)
        return bool(squares.size and squares.min() > _ALIKE * squares.max())

    @cached_property
    def spectrum(self) -> Spectrum:
        """Eigenvalues and eigenvectors of X'X, once for all steps."""
        return Spectrum.of(self.gram, self.cross)

    @cached_property
    def least_squares(self) -> LeastSquares:
        """Coefficients without a prior; columns of different scales are given unit length first."""
        unit = np.ones(self.n_features)
        if self.alike:
            spectrum = self.spectrum
        else:
            squares = np.diag(self.gram)
            unit = np.where(squares > 0, 1.0 / np.sqrt(np.where(squares > 0, squares, 1.0)), 0.0)
            spectrum = Spectrum.of(unit[:, None] * self.gram * unit, unit * self.cross)
        along = spectrum.cross / np.where(spectrum.values > 0, spectrum.values, 1.0)
        explained = float(along @ spectrum.cross)
        return LeastSquares(unit * (spectrum.vectors @ along), max(self.total - explained, 0.0))

    def residual(self, coefficients: Array) -> float:
        """Sum of squared residuals of any coefficients: the least one plus what they differ by, both positive."""
        away = coefficients - self.least_squares.coefficients
        return self.least_squares.residual + max(float(away @ self.gram @ away), 0.0)
