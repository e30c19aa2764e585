"""The laws of a switching linear dynamical system: how the state moves in every regime, and what it shows.

Both are linear regressions, so both learn from sums of products. A floor keeps covariances away from zero; within it the M-step is the
exact maximum, because the best covariance above a multiple of the identity is the sample one with its eigenvalues raised.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np

from mixtura.protocols import Array
from mixtura.statistics import Statistics

__all__ = ["First", "Look", "Motions"]

_LOG_2_PI = float(np.log(2.0 * np.pi))
# Expected steps below which a regime says nothing: its law stays.
_NONE = 1e-8
# Eigenvalues of a matrix of sums, relative to the largest, below which a direction was not seen.
_UNSEEN = 1e-13


@dataclass(frozen=True)
class Motions:
    """z_t = A_k z_{t-1} + b_k + noise of covariance Q_k, in K regimes.

    Parameters
    ----------
    dynamics : ndarray, shape (K, m, m + 1)
        [A_k, b_k].
    covariances : ndarray, shape (K, m, m)
        Q_k.
    floor : float
        Least eigenvalue of Q_k.
    """

    dynamics: Array
    covariances: Array
    floor: float

    @cached_property
    def precisions(self) -> Array:
        """Q_k⁻¹, (K, m, m)."""
        return np.linalg.inv(self.covariances)

    @cached_property
    def constants(self) -> Array:
        """log |2 pi Q_k| / 2, (K,)."""
        size = self.covariances.shape[1]
        return 0.5 * (np.linalg.slogdet(self.covariances)[1] + size * _LOG_2_PI)

    @cached_property
    def quadratic(self) -> Array:
        """[A, b]' Q⁻¹ [A, b] of every regime, (K, m + 1, m + 1)."""
        return self.dynamics.transpose(0, 2, 1) @ self.precisions @ self.dynamics

    @cached_property
    def crossed(self) -> Array:
        """Q⁻¹ [A, b], (K, m, m + 1)."""
        return self.precisions @ self.dynamics

    def scores(self, now: Array, cross: Array, before: Array) -> Array:
        """Expected log densities of the moves, (K, B).

        Parameters
        ----------
        now, cross, before : ndarray, shape (B, m, m), (B, m, m + 1), (B, m + 1, m + 1)
            Expected products z_t z_t', z_t [z_{t-1}, 1]' and [z_{t-1}, 1] [z_{t-1}, 1]'.
        """
        squares = np.einsum("kij,bij->kb", self.precisions, now)
        squares -= 2.0 * np.einsum("kij,bij->kb", self.crossed, cross)
        squares += np.einsum("kij,bij->kb", self.quadratic, before)
        return -0.5 * squares - self.constants[:, None]

    def maximize(self, stats: Statistics) -> Self:
        """Regressions of every regime that has steps."""
        dynamics, covariances = self.dynamics.copy(), self.covariances.copy()
        for k in np.flatnonzero(stats["moves"] > _NONE):
            dynamics[k] = _solved(stats["before"][k], stats["cross"][k].T).T
            left = stats["now"][k] - dynamics[k] @ stats["cross"][k].T
            left = left - (stats["cross"][k] - dynamics[k] @ stats["before"][k]) @ dynamics[k].T
            covariances[k] = raised(left / stats["moves"][k], self.floor)
        return replace(self, dynamics=dynamics, covariances=covariances)

    def expected_log_prob(self, stats: Statistics) -> float:
        """Of all moves."""
        squares = (self.precisions * stats["now"]).sum() - 2.0 * (self.crossed * stats["cross"]).sum()
        squares += (self.quadratic * stats["before"]).sum()
        return float(-0.5 * squares - self.constants @ stats["moves"])

    def take(self, index: Array) -> Self:
        """Some of the regimes."""
        return replace(self, dynamics=self.dynamics[index], covariances=self.covariances[index])

    def coordinates(self) -> Array:
        """Coefficients, and logarithms of the covariances."""
        return np.concatenate([self.dynamics.ravel(), logarithms(self.covariances, self.floor)])

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`."""
        n = self.dynamics.size
        covariances = exponentials(vector[n:], self.covariances.shape, self.floor)
        return replace(self, dynamics=vector[:n].reshape(self.dynamics.shape), covariances=covariances)


@dataclass(frozen=True)
class Look:
    """x_t = C z_t + d + independent noise, in all regimes the same.

    Parameters
    ----------
    loadings : ndarray, shape (D, m + 1)
        [C, d].
    variances : ndarray, shape (D,)
        Of the noise.
    floors : ndarray, shape (D,)
        Least variances.
    known : bool, default False
        Whether the loadings C are given and stay; the constants d are learnt all the same.
    """

    loadings: Array
    variances: Array
    floors: Array
    known: bool = False

    def terms(self, x: Array, seen: Array) -> tuple[Array, Array, Array]:
        """Quadratic and linear terms in the states, and constants: (B, m, m), (B, m), (B,).

        Parameters
        ----------
        x : ndarray, shape (D, B)
            Observations, anything where not seen.
        seen : ndarray of bool, shape (D, B)
            Cells observed.
        """
        matrix, constant = self.loadings[:, :-1], self.loadings[:, -1]
        weight = seen / self.variances[:, None]
        away = np.where(seen, x - constant[:, None], 0.0)
        quadratic = np.einsum("db,di,dj->bij", weight, matrix, matrix)
        logs = seen.T @ (np.log(self.variances) + _LOG_2_PI)
        return quadratic, (weight * away).T @ matrix, -0.5 * (logs + (weight * away**2).sum(axis=0))

    def sums(self, x: Array, seen: Array, mean: Array, second: Array, weight: Array) -> dict[str, Array]:
        """Sums of every column over the rows in which it was seen.

        Parameters
        ----------
        x, seen : ndarray, shape (D, B)
            Observations and which of them there are.
        mean, second : ndarray, shape (B, m + 1), (B, m + 1, m + 1)
            Expected [z, 1] and its products.
        weight : ndarray, shape (B,)
            Of the rows.
        """
        counted, values = seen * weight, np.where(seen, x, 0.0)
        return {
            "look_count": counted.sum(axis=1),
            "look_xx": (counted * values**2).sum(axis=1),
            "look_x": (counted * values) @ mean,
            "look_zz": np.einsum("db,bij->dij", counted, second),
        }

    def maximize(self, stats: Statistics) -> Self:
        """One regression a column."""
        loadings, variances = self.loadings.copy(), self.variances.copy()
        for d in np.flatnonzero(stats["look_count"] > _NONE):
            cross, square = stats["look_x"][d], stats["look_zz"][d]
            if self.known:
                loadings[d, -1] = (cross[-1] - square[-1, :-1] @ loadings[d, :-1]) / square[-1, -1]
            else:
                loadings[d] = _solved(square, cross)
            left = stats["look_xx"][d] - 2.0 * loadings[d] @ cross + loadings[d] @ square @ loadings[d]
            variances[d] = max(left / stats["look_count"][d], self.floors[d])
        return replace(self, loadings=loadings, variances=variances)

    def expected_log_prob(self, stats: Mapping[str, Array] | Statistics) -> float:
        """Of all observed cells."""
        left = stats["look_xx"] - 2.0 * np.einsum("di,di->d", self.loadings, stats["look_x"])
        left = left + np.einsum("di,dij,dj->d", self.loadings, stats["look_zz"], self.loadings)
        logs = np.log(self.variances) + _LOG_2_PI
        return -0.5 * float(np.sum(left / self.variances) + logs @ stats["look_count"])

    def coordinates(self) -> Array:
        """Loadings (constants alone where these are known), and logarithms of the variances."""
        free = self.loadings[:, -1] if self.known else self.loadings.ravel()
        return np.concatenate([free, np.log(self.variances)])

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`."""
        loadings, n = self.loadings.copy(), len(vector) - len(self.variances)
        if self.known:
            loadings[:, -1] = vector[:n]
        else:
            loadings = vector[:n].reshape(loadings.shape)
        return replace(self, loadings=loadings, variances=np.maximum(np.exp(vector[n:]), self.floors))


@dataclass(frozen=True)
class First:
    """The law of the first state of every sequence.

    Parameters
    ----------
    mean : ndarray, shape (m,)
        Its mean.
    covariance : ndarray, shape (m, m)
        Its covariance.
    floor : float
        Least eigenvalue of the covariance.
    """

    mean: Array
    covariance: Array
    floor: float

    def terms(self) -> tuple[Array, Array, float]:
        """Quadratic and linear term, and constant."""
        precision = np.linalg.inv(self.covariance)
        logs = np.linalg.slogdet(self.covariance)[1] + len(self.mean) * _LOG_2_PI
        pulled = precision @ self.mean
        return precision, pulled, -0.5 * float(logs + self.mean @ pulled)

    def maximize(self, stats: Statistics) -> Self:
        """Mean and covariance of the first states."""
        count = float(stats["first_count"][0])
        if count <= _NONE:
            return self
        mean = stats["first_z"] / count
        covariance = stats["first_zz"] / count - np.outer(mean, mean)
        return replace(self, mean=mean, covariance=raised(covariance, self.floor))

    def expected_log_prob(self, stats: Statistics) -> float:
        """Of all first states."""
        precision, pulled, constant = self.terms()
        squares = (precision * stats["first_zz"]).sum()
        return float(pulled @ stats["first_z"] - 0.5 * squares + constant * stats["first_count"][0])

    def coordinates(self) -> Array:
        """Mean, and logarithm of the covariance."""
        return np.concatenate([self.mean, logarithms(self.covariance[None], self.floor)])

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`."""
        size = len(self.mean)
        covariance = exponentials(vector[size:], (1, size, size), self.floor)[0]
        return replace(self, mean=vector[:size], covariance=covariance)


def _solved(square: Array, cross: Array) -> Array:
    """square⁻¹ cross in the directions seen, whatever the units of the rows are."""
    size = np.sqrt(np.diagonal(square))
    size = np.where(size > 0, size, 1.0)
    values, axes = np.linalg.eigh(square / np.outer(size, size))
    seen = values > _UNSEEN * values[-1]
    unit = size.reshape(-1, *[1] * (cross.ndim - 1))
    return np.asarray(axes[:, seen] @ ((axes[:, seen].T @ (cross / unit)).T / values[seen]).T / unit)


def raised(covariance: Array, floor: float) -> Array:
    """The covariance with eigenvalues of at least `floor`.

    Examples
    --------
    >>> raised(np.diag([2.0, 0.0]), 0.5)
    array([[2. , 0. ],
           [0. , 0.5]])
    """
    values, axes = np.linalg.eigh(0.5 * (covariance + covariance.T))
    return np.asarray((axes * np.maximum(values, floor)) @ axes.T)


def logarithms(covariances: Array, floor: float) -> Array:
    """Matrix logarithms as one vector."""
    values, axes = np.linalg.eigh(covariances)
    whole = (axes * np.log(np.maximum(values, floor))[:, None, :]) @ axes.transpose(0, 2, 1)
    rows, columns = np.triu_indices(covariances.shape[1])
    return np.asarray(whole[:, rows, columns].ravel())


def exponentials(vector: Array, shape: tuple[int, ...], floor: float) -> Array:
    """Inverse of `logarithms`; any vector will do."""
    whole = np.empty(shape)
    rows, columns = np.triu_indices(shape[1])
    whole[:, rows, columns] = whole[:, columns, rows] = vector.reshape(shape[0], -1)
    values, axes = np.linalg.eigh(whole)
    return np.asarray((axes * np.maximum(np.exp(values), floor)[:, None, :]) @ axes.transpose(0, 2, 1))
