r"""The Normal-Gamma prior of a linear regression's coefficients and noise precision, and the laws that follow from rows.

.. math:: \lambda\sim\mathrm{Gamma}(a, b), \qquad \beta\mid\lambda\sim N(m, (\lambda P)^{-1}),

with the noise variance one over lambda. Sums of zz', zy and y² turn it into a law of the same form ([1]_, exercises 3.12 and 3.13):
P and a grow by sums and half a count, m solves the normal equations, and b takes what the line leaves over.

References
----------
.. [1] C. M. Bishop (2006), Pattern Recognition and Machine Learning, section 3.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import digamma, gammaln

from mixtura.exceptions import InvalidParameterError
from mixtura.priors.base import Prior, above, finite
from mixtura.protocols import Array

__all__ = ["Lines", "RegressionPrior"]

_LOG_TWO_PI = float(np.log(2.0 * np.pi))
# Rows that the default prior of the coefficients is worth.
_ROWS = 0.01
# Share of the noise of one regression for all rows that the default prior expects in a component.
_SHARE = 0.1


@dataclass(frozen=True)
class RegressionPrior(Prior):
    """Normal-Gamma law of every component's coefficients and noise precision.

    Coefficients are in the order of the design: the intercept first, where there is one, which here is the response at the columns'
    means; then one for each covariate, in units of the data.

    Parameters
    ----------
    mean : float or sequence of float, optional
        m, shape (Q,). None: the mean response for the intercept, 0 for the others.
    precision : float or array_like, optional
        P, above 0: one number, one for each coefficient, or a positive definite matrix (Q, Q). The prior variance of a coefficient is
        the noise variance over it. None: 0.01 rows like those seen.
    shape : float, default 0.5
        a, above 0: half the number of rows that the prior noise variance is worth.
    rate : float, optional
        b, above 0. None: the shape times a tenth of the noise variance of one regression for all rows, because components leave less.

    Examples
    --------
    >>> RegressionPrior(precision=0.1, rate=2.0)
    RegressionPrior(mean=None, precision=0.1, shape=0.5, rate=2.0)
    """

    mean: Any = None
    precision: Any = None
    shape: Any = 0.5
    rate: Any = None

    def law(self, gram: Array, level: float, noise: float, *, intercept: bool) -> Lines:
        """The prior of regressions on rows about their means.

        Parameters
        ----------
        gram : ndarray, shape (Q, Q)
            Mean products of the design's columns, the covariates about their means where there is an intercept.
        level : float
            Mean response, in units of the data.
        noise : float
            Noise variance of one regression for all rows.
        intercept : bool
            Whether the first coefficient is an intercept.

        Returns
        -------
        Lines
            Of one component, the response about its mean where there is an intercept.
        """
        kind, size = "RegressionPrior", len(gram)
        mean = np.zeros(size)
        if self.mean is not None:
            mean = finite(kind, "mean", self.mean, size)
            mean[0] -= level if intercept else 0.0
        squares = np.diag(gram)
        precision = np.diag(_ROWS * np.where(squares > 0, squares, 1.0))
        if self.precision is not None:
            precision = self._matrix(size)
        shape = above(kind, "shape", self.shape, 1)
        rate = _SHARE * shape * noise if self.rate is None else above(kind, "rate", self.rate, 1)
        return Lines(mean[None], precision[None], shape, rate)

    def _matrix(self, size: int) -> Array:
        """The precision as a matrix."""
        kind = "RegressionPrior"
        if np.ndim(self.precision) < 2:
            return np.diag(above(kind, "precision", self.precision, size))
        matrix = np.asarray(self.precision, dtype=np.float64)
        if matrix.shape != (size, size):
            msg = f"{kind}: precision has shape {matrix.shape}; expected one number, {size} numbers, or a matrix ({size}, {size})."
            raise InvalidParameterError(msg)
        good = np.isfinite(matrix).all() and np.allclose(matrix, matrix.T, rtol=1e-10, atol=0.0)
        least = float(np.linalg.eigvalsh(matrix)[0]) if good else np.nan
        if not least > 0:
            found = (
                f"its smallest eigenvalue is {least:.6g}" if good else "it is not symmetric, or not finite"
            )
            msg = f"{kind}: precision is no positive definite matrix: {found}; expected one above 0."
            raise InvalidParameterError(msg)
        return matrix


@dataclass(frozen=True)
class Lines:
    """Normal-Gamma laws of K regressions.

    Parameters
    ----------
    mean : ndarray, shape (K, Q)
        m.
    precision : ndarray, shape (K, Q, Q)
        P, in units of the noise precision.
    shape, rate : ndarray, shape (K,)
        a and b.

    Examples
    --------
    >>> prior = Lines(np.zeros((1, 1)), np.ones((1, 1, 1)), np.ones(1), np.ones(1))
    >>> prior.after(np.full(1, 3.0), np.full((1, 1, 1), 3.0), np.full((1, 1), 6.0), np.full(1, 14.0)).mean
    array([[1.5]])
    """

    mean: Array
    precision: Array
    shape: Array
    rate: Array

    @property
    def many(self) -> int:
        """K."""
        return len(self.mean)

    @property
    def covariance(self) -> Array:
        """Inverse of P, shape (K, Q, Q): covariances of the coefficients in units of the noise variance."""
        half = np.linalg.inv(np.linalg.cholesky(self.precision))
        return np.asarray(np.swapaxes(half, 1, 2) @ half)

    @property
    def log_det(self) -> Array:
        """log |P|, shape (K,)."""
        factor = np.linalg.cholesky(self.precision)
        return np.asarray(2.0 * np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1))

    @property
    def log_partition(self) -> Array:
        """Logarithm of the normalising constant of the density of coefficients and precision, shape (K,)."""
        size = self.mean.shape[1]
        scale = 0.5 * (size * _LOG_TWO_PI - self.log_det)
        return np.asarray(scale + gammaln(self.shape) - self.shape * np.log(self.rate))

    def distance(self, coefficients: Array) -> Array:
        """(beta - m)' P (beta - m), shape (K,)."""
        away = coefficients - self.mean
        matrices = np.broadcast_to(self.precision, (len(away), *self.precision.shape[1:]))
        return np.asarray(np.einsum("ki,kij,kj->k", away, matrices, away))

    def after(self, count: Array, products: Array, cross: Array, squares: Array) -> Lines:
        """The laws given sums of rows.

        Parameters
        ----------
        count : ndarray, shape (K,)
            N_k.
        products : ndarray, shape (K, Q, Q)
            Sums of z z'.
        cross : ndarray, shape (K, Q)
            Sums of z y.
        squares : ndarray, shape (K,)
            Sums of y².
        """
        precision = self.precision + products
        mean = np.linalg.solve(precision, (self.precision @ self.mean[..., None]) + cross[..., None])[..., 0]
        fitted = np.einsum("kij,kj->ki", products, mean)
        left = np.maximum(squares + np.sum(mean * (fitted - 2.0 * cross), axis=1), 0.0)
        rate = self.rate + 0.5 * (left + self.distance(mean))
        return Lines(mean, precision, self.shape + 0.5 * count, rate)

    def moved(self, change: Array, shift: Array) -> Lines:
        """The laws of ``change @ beta + shift``, for an invertible matrix (Q, Q)."""
        back = np.linalg.inv(change)
        return Lines(self.mean @ change.T + shift, back.T @ self.precision @ back, self.shape, self.rate)

    def take(self, index: Array) -> Lines:
        """Some of them."""
        return Lines(self.mean[index], self.precision[index], self.shape[index], self.rate[index])

    def divergence(self, prior: Lines) -> Array:
        """KL divergence from a prior, shape (K,)."""
        noise = self.rate / self.shape
        spread = np.einsum(
            "kij,kji->k", np.broadcast_to(prior.precision, self.precision.shape), self.covariance
        )
        normal = (
            spread - self.mean.shape[1] + self.log_det - prior.log_det + prior.distance(self.mean) / noise
        )
        gamma = (
            (self.shape - prior.shape) * digamma(self.shape)
            - gammaln(self.shape)
            + gammaln(prior.shape)
            + prior.shape * (np.log(self.rate) - np.log(prior.rate))
            + (prior.rate - self.rate) / noise
        )
        return np.asarray(0.5 * normal + gamma)

    def drawn(self, rng: np.random.Generator) -> tuple[Array, Array]:
        """Coefficients (K, Q) and noise variances (K,)."""
        precision = np.maximum(rng.standard_gamma(self.shape) / self.rate, np.finfo(float).tiny)
        noise = rng.standard_normal(self.mean.shape)
        # Solving with the transposed factor of P gives covariance P^-1.
        half = np.linalg.solve(np.swapaxes(np.linalg.cholesky(self.precision), 1, 2), noise[..., None])[
            ..., 0
        ]
        return self.mean + half / np.sqrt(precision)[:, None], 1.0 / precision


def joined_lines(parts: Sequence[Lines]) -> Lines:
    """Those of several collections, one after the other."""
    return Lines(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("mean", "precision", "shape", "rate")
        )
    )
