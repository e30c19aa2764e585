"""The directions in which parameters can be known, and inverses of information matrices there.

Coordinates of which every value is valid have some too many (log weights may all be raised, factors may be rotated): along such
a direction the complete-data scores of all rows are zero. The information is inverted on the other directions only, which gives
every parameter that does not depend on the choice of the coordinates its variance. Among the other directions some may be
without information all the same: the parameters along them are not known from these data.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mixtura.protocols import Array

__all__ = ["Inverse", "Space", "space"]

# Share of the largest eigenvalue below which a sum of squared scores is rounding of differences (1e-8, squared, and more).
_REDUNDANT = 1e-11
# The same for an information, a difference of second differences (1e-7).
_NO_INFORMATION = 3e-6
# Share of a gradient's square that may lie outside the known directions.
_OUTSIDE = 1e-6


class Inverse(NamedTuple):
    """A generalised inverse.

    Parameters
    ----------
    covariance : ndarray, shape (p, p)
        The inverse where there is information, zero elsewhere.
    weak : ndarray, shape (p, m)
        Directions without information, in scaled coordinates.
    smallest : float
        Smallest eigenvalue over the largest, of all that should be positive.
    """

    covariance: Array
    weak: Array
    smallest: float


class Space(NamedTuple):
    """Directions that change the model.

    Parameters
    ----------
    unit : ndarray, shape (p,)
        Scales of the coordinates.
    basis : ndarray, shape (p, q)
        Orthonormal directions in scaled coordinates.
    fixed : ndarray of bool, shape (p,)
        Coordinates that are taken as known.
    """

    unit: Array
    basis: Array
    fixed: Array

    def inverse(self, information: Array) -> Inverse:
        """Generalised inverse of an information matrix (p, p).

        Examples
        --------
        >>> log_weights = np.array([[0.25, -0.25], [-0.25, 0.25]])  # of one row, and two equal weights
        >>> space(log_weights, np.ones(2)).inverse(100 * log_weights).covariance.round(4)
        array([[ 0.01, -0.01],
               [-0.01,  0.01]])
        """
        inside = self.unit[:, None] * self.basis
        values, vectors = np.linalg.eigh(inside.T @ information @ inside)
        if not len(values):
            return Inverse(np.zeros_like(information), self.basis, 1.0)
        known = values > _NO_INFORMATION * values[-1]
        half = inside @ (vectors[:, known] / np.sqrt(values[known]))
        return Inverse(half @ half.T, self.basis @ vectors[:, ~known], float(values[0] / values[-1]))

    def unknown(self, gradients: Array, weak: Array) -> Array:
        """Which of some parameters, by their gradients (R, p), depend on directions that are not known; shape (R,)."""
        scaled = np.where(self.fixed, 0.0, gradients * self.unit)
        outside = scaled - scaled @ self.basis @ self.basis.T
        lost = np.sum(outside**2, axis=1) + np.sum((scaled @ weak) ** 2, axis=1)
        return np.asarray(lost > _OUTSIDE * np.sum(scaled**2, axis=1))


def space(complete: Array, unit: Array, fixed: Array | None = None) -> Space:
    """The directions along which complete-data scores are not zero.

    Parameters
    ----------
    complete : ndarray, shape (p, p)
        Sum of outer products of scores.
    unit : ndarray, shape (p,)
        Scales of the coordinates.
    fixed : ndarray of bool, shape (p,), optional
        Coordinates to take as known.

    Examples
    --------
    >>> log_weights = np.array([[0.25, -0.25], [-0.25, 0.25]])  # raising both changes nothing
    >>> space(log_weights, np.ones(2)).basis.round(3)[:, 0] * np.sqrt(2)
    array([-1.,  1.])
    """
    fixed = np.zeros(len(unit), dtype=bool) if fixed is None else fixed
    scaled = complete * np.outer(unit, unit)
    scaled[fixed] = 0.0
    scaled[:, fixed] = 0.0
    values, vectors = np.linalg.eigh(scaled)
    kept = values > _REDUNDANT * max(float(values[-1]), 1e-300)
    return Space(unit, vectors[:, kept], fixed)
