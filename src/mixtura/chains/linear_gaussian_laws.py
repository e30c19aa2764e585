"""How parameters of linear Gaussian regressions are learnt, as objects: free, with known entries, diagonal, in common, or not at all.

A linear dynamical system consists of two regressions, state on state before and row on state. Each has coefficients and a noise
covariance, and each of these has a law. All that a law sees are the expected sums of the regression, :class:`RegressionSums`.
The file is long because it holds all of them, each with an example.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

from mixtura.chains.kalman_plain import factor
from mixtura.exceptions import InvalidParameterError
from mixtura.protocols import Array

__all__ = [
    "CoefficientLaw",
    "DiagonalNoise",
    "FreeCoefficients",
    "FreeNoise",
    "KnownCoefficients",
    "KnownNoise",
    "NoiseLaw",
    "RegressionSums",
    "SphericalNoise",
    "gaussian_log_prob",
]

# Eigenvalues of a scaled matrix below which there is nothing but rounding.
_NOTHING = 1e-13


@dataclass(frozen=True)
class RegressionSums:
    """Expected sums of n responses y on m covariates r.

    Parameters
    ----------
    count : float
        Weight of the rows.
    square : ndarray, shape (n, n)
        Sum of y y'.
    cross : ndarray, shape (n, m)
        Sum of y r'.
    gram : ndarray, shape (m, m)
        Sum of r r'.
    """

    count: float
    square: Array
    cross: Array
    gram: Array

    def scatter(self, coefficients: Array) -> Array:
        """Sum of (y - W r)(y - W r)', shape (n, n)."""
        half = self.cross @ coefficients.T
        whole = self.square - half - half.T + coefficients @ self.gram @ coefficients.T
        return np.asarray(0.5 * (whole + whole.T))


def _inverse(matrix: Array) -> tuple[Array, Array, float]:
    """Pseudo-inverse of a symmetric matrix, a projector on where it is zero, and the log determinant of the rest."""
    scale = np.sqrt(np.maximum(np.diag(matrix), 0.0))
    used = scale > 0
    unit = np.where(used, scale, 1.0)
    values, vectors = np.linalg.eigh(matrix / unit / unit[:, None])
    kept = values > _NOTHING * max(values.max(initial=0.0), 1e-300)
    half = vectors[:, kept] / np.sqrt(values[kept]) / unit[:, None]
    log_det = float(np.log(values[kept]).sum() + 2.0 * np.log(unit).sum())
    return half @ half.T, kept, log_det


def gaussian_log_prob(count: float, scatter: Array, covariance: Array) -> float:
    """Expected log density of rows with these sums of squares; of a singular covariance, within its range.

    Examples
    --------
    >>> gaussian_log_prob(2.0, np.array([[2.0]]), np.array([[1.0]]))
    -2.8378770664...
    """
    inverse, kept, log_det = _inverse(covariance)
    constant = np.count_nonzero(kept) * np.log(2.0 * np.pi) + log_det
    return float(-0.5 * (count * constant + np.sum(inverse * scatter)))


class CoefficientLaw(Protocol):
    """How the coefficients of a regression are learnt."""

    def free(self, current: Array) -> Array:
        """Which are learnt: a mask of the shape of the coefficients."""
        ...

    def maximize(self, sums: RegressionSums, noise: Array, current: Array) -> Array:
        """Coefficients of highest expected log probability given the noise covariance."""
        ...

    def take(self, rows: Array, columns: Array) -> Self:
        """The law of some responses and covariates."""
        ...


class FreeCoefficients:
    """All are learnt; the noise does not matter.

    Where covariates do not determine them, they stay as they are in the open directions.

    Examples
    --------
    >>> sums = RegressionSums(2.0, np.array([[5.0]]), np.array([[4.0]]), np.array([[4.0]]))
    >>> FreeCoefficients().maximize(sums, np.eye(1), np.zeros((1, 1)))
    array([[1.]])
    """

    def free(self, current: Array) -> Array:
        """All."""
        return np.ones(current.shape, dtype=bool)

    def maximize(self, sums: RegressionSums, noise: Array, current: Array) -> Array:
        """Normal equations, solved for the change."""
        return np.asarray(current + (sums.cross - current @ sums.gram) @ _inverse(sums.gram)[0])

    def take(self, rows: Array, columns: Array) -> Self:
        """The same."""
        return self


class KnownCoefficients:
    """Some entries are known; all of them: fixed coefficients.

    Parameters
    ----------
    known : ndarray, shape (n, m)
        Values; NaN where an entry is learnt.

    Notes
    -----
    Known entries tie the rows together through the noise: the others solve the generalised least squares of the whole matrix for the
    noise of the step before. Each of the two M-steps, coefficients then noise, raises the objective.

    Examples
    --------
    >>> sums = RegressionSums(2.0, np.eye(2), np.full((2, 1), 4.0), np.array([[4.0]]))
    >>> law = KnownCoefficients(np.array([[0.5], [np.nan]]))
    >>> law.maximize(sums, np.array([[1.0, 0.5], [0.5, 1.0]]), np.array([[0.5], [0.0]]))
    array([[0.5 ],
           [0.75]])
    """

    def __init__(self, known: Array) -> None:
        self.known = np.asarray(known, dtype=np.float64)

    def free(self, current: Array) -> Array:
        """Those that are NaN in `known`."""
        return np.isnan(self.known)

    def maximize(self, sums: RegressionSums, noise: Array, current: Array) -> Array:
        """Generalised least squares, solved for the change of the free entries."""
        new = np.where(np.isnan(self.known), current, self.known)
        rows, columns = np.nonzero(np.isnan(self.known))
        if not rows.size:
            return new
        precision = _inverse(noise)[0]
        slope = (precision @ (sums.cross - new @ sums.gram))[rows, columns]
        curvature = precision[np.ix_(rows, rows)] * sums.gram[np.ix_(columns, columns)]
        new[rows, columns] += _inverse(curvature)[0] @ slope
        return new

    def take(self, rows: Array, columns: Array) -> Self:
        """The known entries that are left."""
        return type(self)(self.known[np.ix_(rows, columns)])


class NoiseLaw(Protocol):
    """How a covariance is learnt."""

    def maximize(self, scatter: Array, count: float, current: Array) -> Array:
        """The covariance of highest expected log probability, from the sum of squares of `count` rows."""
        ...

    def forbidden(self, change: Array) -> Array:
        """What of a change of the covariance the law does not allow, as a vector of zeros where it allows all."""
        ...

    def coordinates(self, current: Array) -> Array:
        """What is free of it, as a vector of which every value is valid."""
        ...

    def from_coordinates(self, vector: Array, current: Array) -> Array:
        """Inverse of `coordinates`."""
        ...

    def take(self, rows: Array) -> Self:
        """The law of some of the rows."""
        ...


def _diagonal(values: Array) -> Array:
    return np.asarray(np.diag(values))


@dataclass(frozen=True)
class FreeNoise:
    """A full covariance.

    Parameters
    ----------
    least : ndarray, shape (n,), or float, default 0
        Smallest variances, all above 0 or all 0: the covariance less the diagonal matrix of these stays positive semidefinite.
        Under this condition the M-step is an exact maximum: eigenvalues below one, in units of `least`, become one.

    Examples
    --------
    >>> FreeNoise(0.1).maximize(np.array([[2.0, 0.0], [0.0, 0.1]]), 10.0, np.eye(2))
    array([[0.2, 0. ],
           [0. , 0.1]])
    """

    least: Array | float = 0.0

    def maximize(self, scatter: Array, count: float, current: Array) -> Array:
        """The mean square; its smallest eigenvalues are raised."""
        if count <= 0:
            return current
        mean = scatter / count
        unit = np.broadcast_to(np.sqrt(self.least), len(mean))
        lowest = float(unit.all())
        scaled = np.where(unit > 0, unit, 1.0)
        values, vectors = np.linalg.eigh(mean / scaled / scaled[:, None])
        if values[0] >= lowest:
            return np.asarray(mean)
        half = scaled[:, None] * vectors * np.sqrt(np.maximum(values, lowest))
        return np.asarray(half @ half.T)

    def forbidden(self, change: Array) -> Array:
        """Nothing."""
        return np.empty(0)

    def coordinates(self, current: Array) -> Array:
        """A triangular factor of what is above the smallest variances."""
        least = _diagonal(np.broadcast_to(self.least, len(current)))
        return factor(current - least, 0.0)[np.tril_indices(len(current))]

    def from_coordinates(self, vector: Array, current: Array) -> Array:
        """Factor times its transpose, and the smallest variances."""
        lower = np.zeros_like(current)
        lower[np.tril_indices(len(current))] = vector
        return np.asarray(lower @ lower.T + _diagonal(np.broadcast_to(self.least, len(current))))

    def take(self, rows: Array) -> Self:
        """The smallest variances of these rows."""
        return type(self)(self.least if np.ndim(self.least) == 0 else np.asarray(self.least)[rows])


class DiagonalNoise:
    """Uncorrelated, with variances that are free or known.

    Parameters
    ----------
    known : ndarray, shape (n,), optional
        Variances, NaN where one is learnt; zero: no noise there. None: all are learnt.
    least : ndarray, shape (n,), or float, default 0
        Smallest variances of those that are learnt.

    Examples
    --------
    >>> law = DiagonalNoise(np.array([np.nan, 0.0]))
    >>> law.maximize(np.array([[3.0, 1.0], [1.0, 2.0]]), 2.0, np.eye(2))
    array([[1.5, 0. ],
           [0. , 0. ]])
    """

    def __init__(self, known: Array | None = None, least: Array | float = 0.0) -> None:
        self.known = None if known is None else np.asarray(known, dtype=np.float64)
        self.least = least
        if self.known is not None and (self.known < 0).any():
            bad = int(np.flatnonzero(self.known < 0)[0])
            msg = f"Known variance {bad} is {self.known[bad]}; expected at least 0, or NaN where a variance is to be learnt."
            raise InvalidParameterError(msg)

    def _known(self, n: int) -> Array:
        return np.full(n, np.nan) if self.known is None else self.known

    def maximize(self, scatter: Array, count: float, current: Array) -> Array:
        """Mean squares, not below the smallest variances."""
        if count <= 0:
            return current
        known = self._known(len(scatter))
        free = np.maximum(np.diag(scatter) / count, self.least)
        return _diagonal(np.where(np.isnan(known), free, known))

    def forbidden(self, change: Array) -> Array:
        """What is beside the diagonal, and known variances."""
        known = _diagonal((~np.isnan(self._known(len(change)))).astype(np.float64))
        return np.asarray(np.where((np.eye(len(change)) == 0) | (known > 0), change, 0.0).ravel())

    def coordinates(self, current: Array) -> Array:
        """Standard deviations of what is above the smallest variances."""
        above = np.sqrt(np.maximum(np.diag(current) - self.least, 0.0))
        return np.asarray(above[np.isnan(self._known(len(current)))])

    def from_coordinates(self, vector: Array, current: Array) -> Array:
        """Squares of them and the smallest variances."""
        known = self._known(len(current))
        values, free = known.copy(), np.isnan(known)
        values[free] = vector**2 + np.broadcast_to(self.least, len(current))[free]
        return _diagonal(values)

    def take(self, rows: Array) -> Self:
        """Those of these rows."""
        least = self.least if np.ndim(self.least) == 0 else np.asarray(self.least)[rows]
        return type(self)(None if self.known is None else self.known[rows], least)


@dataclass(frozen=True)
class SphericalNoise:
    """Uncorrelated, with one variance for all.

    Parameters
    ----------
    least : float, default 0
        Smallest variance.

    Examples
    --------
    >>> SphericalNoise().maximize(np.array([[3.0, 1.0], [1.0, 1.0]]), 2.0, np.eye(2))
    array([[1., 0.],
           [0., 1.]])
    """

    least: float = 0.0

    def maximize(self, scatter: Array, count: float, current: Array) -> Array:
        """Mean of the mean squares."""
        if count <= 0:
            return current
        return np.asarray(max(np.trace(scatter) / count / len(scatter), self.least) * np.eye(len(scatter)))

    def forbidden(self, change: Array) -> Array:
        """What is no multiple of the identity."""
        return np.asarray((change - np.trace(change) / len(change) * np.eye(len(change))).ravel())

    def coordinates(self, current: Array) -> Array:
        """The standard deviation of what is above the smallest variance."""
        return np.sqrt(np.maximum(current[:1, 0] - self.least, 0.0))

    def from_coordinates(self, vector: Array, current: Array) -> Array:
        """Its square and the smallest variance."""
        return np.asarray((vector[0] ** 2 + self.least) * np.eye(len(current)))

    def take(self, rows: Array) -> Self:
        """The same."""
        return self


class KnownNoise:
    """A covariance that is not learnt."""

    def maximize(self, scatter: Array, count: float, current: Array) -> Array:
        """As it is."""
        return current

    def forbidden(self, change: Array) -> Array:
        """All."""
        return change.ravel()

    def coordinates(self, current: Array) -> Array:
        """None."""
        return np.empty(0)

    def from_coordinates(self, vector: Array, current: Array) -> Array:
        """As it is."""
        return current

    def take(self, rows: Array) -> Self:
        """The same."""
        return self
