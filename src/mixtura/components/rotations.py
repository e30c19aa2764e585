r"""Orthogonal matrices as unconstrained coordinates: the Cayley transform of a matrix with columns of suitable sign.

An orthogonal Q without eigenvalue -1 is (I - S)(I + S)^-1 for one skew-symmetric S, and every S gives one. Axes of a
covariance have no sign, so the columns' signs may be chosen such that I + Q is far from singular.

References
----------
.. [1] E. O'Dorney (2014), Minimizing the Cayley transform of an orthogonal matrix by multiplying by signature
   matrices, Linear Algebra and its Applications 448, 97-103.
"""

from __future__ import annotations

import numpy as np

from mixtura.protocols import Array

__all__ = ["axes_from_coordinates", "axes_to_coordinates"]


def axes_to_coordinates(axes: Array) -> Array:
    """Coordinates of axes up to their signs.

    Signs make every pivot of the elimination of I + Q at least one: the pivot is 1 + sign * x.

    Parameters
    ----------
    axes : ndarray, shape (D, D)
        Orthogonal; columns are axes.

    Returns
    -------
    ndarray, shape (D (D - 1) / 2,)
        Entries of S below the diagonal.

    Examples
    --------
    >>> bool(np.allclose(axes_to_coordinates(-np.eye(3)), 0.0))
    True
    """
    size = len(axes)
    signed = np.array(axes, dtype=np.float64)
    for j in range(size):
        left = np.eye(j) + signed[:j, :j]
        pivot = signed[j, j] - signed[j, :j] @ np.linalg.solve(left, signed[:j, j])
        if pivot < 0:
            signed[:, j] *= -1.0
    skew = np.linalg.solve((np.eye(size) + signed).T, (np.eye(size) - signed).T).T
    return skew[np.tril_indices(size, -1)]


def axes_from_coordinates(vector: Array, size: int) -> Array:
    """Inverse of `axes_to_coordinates`: any real vector gives an orthogonal matrix.

    Examples
    --------
    >>> axes_from_coordinates(np.array([1.0]), 2).round(12)
    array([[ 0.,  1.],
           [-1.,  0.]])
    """
    skew = np.zeros((size, size))
    skew[np.tril_indices(size, -1)] = vector
    skew -= skew.T
    return np.asarray(np.linalg.solve((np.eye(size) + skew).T, (np.eye(size) - skew).T).T)
