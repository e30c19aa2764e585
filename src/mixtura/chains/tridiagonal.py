r"""Gaussian chains in information form: a precision matrix that is block tridiagonal.

.. math:: p(z) \propto \exp\left(-\tfrac12 z'Jz + h'z\right), \qquad J_{st} = 0 \text{ for } |s - t| > 1

One banded Cholesky factor (LAPACK) holds all that elimination from the first to the last block finds; means follow by two banded
solves, and the covariances of blocks and of neighbours by one recursion backwards. Several chains lie one after the other, with a zero
block between them. Unlike a Kalman smoother this does not ask for a law of motion, only for quadratic terms, so expected ones will do.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_solve_banded, cholesky_banded

from mixtura.kernels import compiled
from mixtura.protocols import Array

__all__ = ["Moments", "moments"]

# Blocks from which compiling pays.
_LONG = 500


class Moments(NamedTuple):
    """What a chain says of its blocks.

    Parameters
    ----------
    log_normalizer : ndarray, shape (U,)
        log of the integral of exp(-z'Jz / 2 + h'z) of every chain.
    mean : ndarray, shape (B, m)
        Means.
    covariance : ndarray, shape (B, m, m)
        Covariances.
    lagged : ndarray, shape (B, m, m)
        Covariance of every block with the one before it; zero where a chain begins.
    """

    log_normalizer: Array
    mean: Array
    covariance: Array
    lagged: Array


def moments(diagonal: Array, below: Array, linear: Array, offsets: Array) -> Moments:
    """Means and covariances of all blocks.

    Parameters
    ----------
    diagonal : ndarray, shape (B, m, m)
        Blocks J_tt; positive definite in all.
    below : ndarray, shape (B, m, m)
        Blocks J_{t, t-1}; those of rows in which a chain begins are not looked at.
    linear : ndarray, shape (B, m)
        h.
    offsets : ndarray of int, shape (U + 1,)
        Where chains begin.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the precision is not positive definite.

    Examples
    --------
    >>> two = moments(
    ...     2.0 * np.ones((2, 1, 1)), -np.ones((2, 1, 1)), np.array([[1.0], [0.0]]), np.array([0, 2])
    ... )
    >>> two.mean[:, 0].round(4), two.lagged[1, 0, 0].round(4)
    (array([0.6667, 0.3333]), np.float64(0.3333))
    """
    n_rows, size = linear.shape
    below = below.copy()
    below[offsets[:-1]] = 0.0
    factor = cholesky_banded(_banded(diagonal, below), lower=True)
    mean = cho_solve_banded((factor, True), linear.ravel()).reshape(n_rows, size)
    own = _diagonal_blocks(factor, size)
    inverse = np.linalg.inv(own)  # lower triangles
    conditional = inverse.transpose(0, 2, 1) @ inverse  # of a block given the later ones
    back = np.zeros_like(below)  # how a block follows the next one, with its sign changed
    back[:-1] = conditional[:-1] @ below[1:].transpose(0, 2, 1)
    covariance = conditional
    step = compiled("mixtura.kernels.tridiagonal", "covariances") if n_rows >= _LONG else None
    (step or _covariances)(covariance, back)
    lagged = np.zeros_like(below)
    lagged[1:] = -covariance[1:] @ back[:-1].transpose(0, 2, 1)
    halves = np.log(np.einsum("tii->ti", own)).sum(axis=1)
    each = 0.5 * np.einsum("ti,ti->t", linear, mean) - halves + 0.5 * size * np.log(2.0 * np.pi)
    return Moments(np.add.reduceat(each, offsets[:-1]), mean, covariance, lagged)


def _covariances(covariance: Array, back: Array) -> None:
    """As `mixtura.kernels.tridiagonal.covariances`, without Numba."""
    for t in range(len(back) - 2, -1, -1):
        covariance[t] += back[t] @ covariance[t + 1] @ back[t].T


def _banded(diagonal: Array, below: Array) -> Array:
    """Lower band of the whole matrix, (2m, B m): row i - j, column j."""
    n_rows, size = diagonal.shape[:2]
    band = np.zeros((2 * size, n_rows * size))
    for i in range(size):
        for j in range(size):
            if i >= j:
                band[i - j, j::size] = diagonal[:, i, j]
            band[size + i - j, j : (n_rows - 1) * size : size] = below[1:, i, j]
    return band


def _diagonal_blocks(factor: Array, size: int) -> Array:
    """Diagonal blocks of a banded factor, lower triangles, (B, m, m)."""
    own = np.zeros((factor.shape[1] // size, size, size))
    for i in range(size):
        for j in range(i + 1):
            own[:, i, j] = factor[i - j, j::size]
    return own
