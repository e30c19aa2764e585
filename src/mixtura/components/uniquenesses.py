r"""Maximum-likelihood factor analysis of covariance matrices: noise variances by Newton, loadings by eigenvectors.

For noise variances :math:`\psi` (D,), let :math:`l_1 \ge l_2 \ge \dots` and :math:`u_j` be eigenvalues and -vectors of
:math:`\Psi^{-1/2} S \Psi^{-1/2}`. The best loadings are :math:`\Psi^{1/2} u_j (l_j - 1)^{1/2}`, j <= q, where
:math:`l_j > 1` (such a factor is *active*, set A), and what is left of minus twice the log-likelihood per row is [1]_

.. math:: F(\theta) = \sum_i \theta_i + \sum_{j \in A} (1 + \log l_j) + \sum_{j \notin A} l_j, \qquad \theta = \log\psi.

From :math:`dl_j = -l_j \sum_i u_{ij}^2 d\theta_i` the gradient is :math:`g_i = \sum_{j\notin A} (1 - l_j) u_{ij}^2`, and the Hessian

.. math:: H = P \circ Q + \sum_{j \in A, m \notin A} \frac{(1 - l_m)(l_j + l_m)}{l_j - l_m}\,
          (u_j \circ u_m)(u_j \circ u_m)^T,\quad P = \sum_{j\notin A} u_j u_j^T,\; Q = \sum_{j\notin A} l_j u_j u_j^T

with :math:`\circ` the product of entries. The first part is positive semi-definite (Schur) and the second vanishes
where the model fits; where H is not positive definite the first part alone gives the step. A step that does not lower
F is shortened, and then replaced by one of ECME [2]_, :math:`\psi = \mathrm{diag}(S - \Lambda\Lambda^T)`, which never raises F.
Matrices that share their noise add their F, with shares as weights.

References
----------
.. [1] K. G. Jöreskog (1967), Some contributions to maximum likelihood factor analysis, Psychometrika 32, 443-482.
.. [2] J. Zhao, P. L. H. Yu (2008), Fast ML estimation for the mixture of factor analyzers via an ECM algorithm, IEEE
   Transactions on Neural Networks 19, 1956-1961: loadings by eigenvectors given the noise; the noise given the loadings.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from mixtura.protocols import Array

__all__ = ["Factored", "factored", "loadings", "uniquenesses"]

# Promised gain (in F) that ends the iteration; and that after which one Newton step more leaves less than this.
_SMALL_GAIN, _LAST_GAIN = 1e-11, 1e-7
# No log variance moves farther in one step.
_LONGEST, _SHORT = 2.0, 0.05
_SHORTER = 6
_RIDGE = 1e-10


class Factored(NamedTuple):
    """Eigenvalues and -vectors of matrices in units of the noise.

    Parameters
    ----------
    value : float
        F, the sum over matrices weighted by their shares.
    eigenvalues : ndarray, shape (G, D)
        Descending.
    vectors : ndarray, shape (G, D, D)
        A column each.
    n_active : ndarray of int, shape (G,)
        Factors with an eigenvalue above one.
    """

    value: float
    eigenvalues: Array
    vectors: Array
    n_active: Array


def factored(shares: Array, covariances: Array, noise: Array, n_factors: int) -> Factored:
    """F and the decompositions that it comes from.

    Parameters
    ----------
    shares : ndarray, shape (G,)
        Weights of the matrices.
    covariances : ndarray, shape (G, D, D)
        Positive semi-definite.
    noise : ndarray, shape (D,)
        Noise variances that all of them share.
    n_factors : int
        q.

    Returns
    -------
    Factored
        Value and decompositions.

    Examples
    --------
    >>> round(factored(np.ones(1), np.diag([4.0, 1.0])[None], np.ones(2), 1).value, 4)  # 1 + log 4 + 1
    3.3863
    """
    root = 1.0 / np.sqrt(noise)
    values, vectors = np.linalg.eigh(covariances * (root[:, None] * root))
    values, vectors = np.maximum(values[:, ::-1], 0.0), vectors[:, :, ::-1]
    n_active = np.sum(values[:, :n_factors] > 1.0, axis=1)
    active = np.arange(values.shape[1]) < n_active[:, None]
    terms = np.where(active, 1.0 + np.log(np.where(active, values, 1.0)), values)
    value = shares.sum() * np.log(noise).sum() + shares @ terms.sum(axis=1)
    return Factored(float(value), values, vectors, n_active)


def loadings(found: Factored, noise: Array, n_factors: int) -> Array:
    """The best loadings for given noise: orthogonal in units of the noise, largest first; shape (G, D, q)."""
    strength = np.sqrt(np.maximum(found.eigenvalues[:, :n_factors] - 1.0, 0.0))
    scaled = found.vectors[:, :, :n_factors] * strength[:, None, :]
    return np.asarray(np.sqrt(noise)[:, None] * scaled)


def uniquenesses(
    shares: Array, covariances: Array, n_factors: int, start: Array, floor: Array, most_steps: int = 60
) -> tuple[Array, Array, bool]:
    """Noise variances that matrices share, and loadings of each, of maximal likelihood.

    Parameters
    ----------
    shares : ndarray, shape (G,)
        Weights of the matrices, summing to one.
    covariances : ndarray, shape (G, D, D)
        Positive semi-definite.
    n_factors : int
        q.
    start : ndarray, shape (D,)
        Noise variances from which the iteration starts; no result is worse.
    floor : ndarray, shape (D,)
        Least noise variance of each column.
    most_steps : int, default 60
        Steps after which the iteration returns what it has; it is monotone, and the next M-step starts from there.

    Returns
    -------
    noise : ndarray, shape (D,)
        Noise variances.
    loadings : ndarray, shape (G, D, q)
        As :func:`loadings` gives them.
    converged : bool
        Whether the gain still to come is below what a likelihood shows.

    Examples
    --------
    >>> true = np.array([[1.0, 2.0, 3.0]])
    >>> matrix = true.T @ true + np.diag([1.0, 2.0, 1.0])
    >>> noise, found, _ = uniquenesses(np.ones(1), matrix[None], 1, np.ones(3), np.full(3, 1e-3))
    >>> noise.round(4), np.abs(found[0, :, 0]).round(4)
    (array([1., 2., 1.]), array([1., 2., 3.]))
    """
    log_floor = np.log(floor)
    theta = np.maximum(np.log(start), log_floor)
    found = factored(shares, covariances, np.exp(theta), n_factors)
    converged = False
    for _ in range(most_steps):
        gradient = _gradient(shares, found)
        free = ~((theta <= log_floor) & (gradient > 0.0))
        step, gain, newton = _newton(shares, found, gradient, free)
        converged = gain <= _SMALL_GAIN
        if converged:
            break
        moved = _shortened(shares, covariances, n_factors, theta, step, log_floor, found.value)
        if moved is None:
            newton = False
            moved = _ecme(shares, covariances, n_factors, found, theta, log_floor)
        if moved is None:  # no step lowers F by more than rounding
            converged = True
            break
        theta, found = moved
        # A variance on its way to zero gains little with every step, and steps on.
        converged = newton and gain <= _LAST_GAIN and float(np.abs(step).max()) <= _SHORT
        if converged:
            break
    noise = np.exp(theta)
    return noise, loadings(found, noise, n_factors), converged


def _gradient(shares: Array, found: Factored) -> Array:
    """Derivative of F by the log variances, shape (D,)."""
    inactive = np.arange(found.eigenvalues.shape[1]) >= found.n_active[:, None]
    weight = shares[:, None] * np.where(inactive, 1.0 - found.eigenvalues, 0.0)
    return np.asarray(np.einsum("gij,gj->i", found.vectors**2, weight))


def _newton(shares: Array, found: Factored, gradient: Array, free: Array) -> tuple[Array, float, bool]:
    """The step (D,), zero where a variance rests on its floor, the gain that it promises, and whether it is Newton's."""
    step, newton = np.zeros(len(gradient)), True
    if not free.any():
        return step, 0.0, newton
    safe, rest = _hessian(shares, found, free)
    for hessian in (safe + rest, safe):
        ridge = _RIDGE * max(float(np.trace(hessian)) / len(hessian), _RIDGE)
        try:
            factor = cho_factor(hessian + ridge * np.eye(len(hessian)))
        except LinAlgError:
            newton = False
            continue
        step[free] = -cho_solve(factor, gradient[free])
        break
    else:  # rounding: a diagonal that is surely positive
        step[free] = -gradient[free] / (np.diagonal(safe) + 1.0)
    gain = 0.5 * abs(float(gradient @ step))
    return step * min(1.0, _LONGEST / max(float(np.abs(step).max()), 1e-300)), gain, newton


def _hessian(shares: Array, found: Factored, free: Array) -> tuple[Array, Array]:
    """The part that is positive semi-definite and the rest, for the free variances."""
    size = int(free.sum())
    safe, rest = np.zeros((size, size)), np.zeros((size, size))
    for share, values, all_vectors, n_active in zip(
        shares, found.eigenvalues, found.vectors, found.n_active, strict=True
    ):
        vectors = all_vectors[free]
        inside, outside = vectors[:, :n_active], vectors[:, n_active:]
        left = values[n_active:]
        safe += share * (outside @ outside.T) * ((outside * left) @ outside.T)
        for j in range(n_active):
            with np.errstate(divide="ignore"):
                weight = (1.0 - left) * (values[j] + left) / (values[j] - left)
            if not np.isfinite(weight).all():
                weight = np.zeros(len(left))
            middle = (outside * weight) @ outside.T
            rest += share * middle * inside[:, j, None] * inside[:, j]
    return safe, rest


def _shortened(
    shares: Array,
    covariances: Array,
    n_factors: int,
    theta: Array,
    step: Array,
    log_floor: Array,
    value: float,
) -> tuple[Array, Factored] | None:
    """The longest of the step, a quarter of it, a sixteenth ... that lowers F; None where none does."""
    for _ in range(_SHORTER):
        new = np.maximum(theta + step, log_floor)
        found = factored(shares, covariances, np.exp(new), n_factors)
        if found.value < value:
            return new, found
        step = 0.25 * step
    return None


def _ecme(
    shares: Array, covariances: Array, n_factors: int, found: Factored, theta: Array, log_floor: Array
) -> tuple[Array, Factored] | None:
    """Variances of what the factors leave over; None where that does not lower F."""
    explained = np.einsum("gdq,gdq->gd", *[loadings(found, np.exp(theta), n_factors)] * 2)
    left = shares @ (np.diagonal(covariances, axis1=1, axis2=2) - explained)
    new = np.log(np.maximum(left, np.exp(log_floor)))
    other = factored(shares, covariances, np.exp(new), n_factors)
    return (new, other) if other.value < found.value - 1e-14 * abs(found.value) else None
