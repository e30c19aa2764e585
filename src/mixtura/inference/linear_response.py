r"""What variational laws leave out: how much further parameters vary because the rows' components are not known.

Variational laws take components' labels and parameters as independent, so their variances are those of known labels. Linear
response ([1]_) gives the covariance that belongs to the same bound: how the posterior means answer when the posterior is tilted.
With free coordinates :math:`\lambda` of the laws, q of the labels always the best one, and the bound :math:`L(\lambda)`,

.. math:: \mathrm{Cov}(g, h) = \nabla g\,(C - M)^{-1}\,\nabla h',\qquad C - M = -\nabla^2 L,

where :math:`g(\lambda) = E_q[g]`, C is minus the second derivative of the bound with the labels' law held (so :math:`\nabla g\,
C^{-1}\,\nabla h'` is the covariance under the laws themselves) and M what is missing: the sum over rows of the covariance of the
complete-data scores given the row, as in Louis's formula. Neither depends on the choice of coordinates, because the bound is
level where it is highest. Against Louis's formula at the posterior mean it needs no Jacobian of a prior density, and where labels
are known (M = 0) it returns the laws.

The covariances are not handed to users as such: draws from the laws are *stretched*, by the symmetric map that carries the laws'
covariance to the other one (that of optimal transport between normal laws). So skewed laws stay skewed, weights sum to one,
covariances are positive definite, and where nothing is missing draws stay as they are.

References
----------
.. [1] R. Giordano, T. Broderick and M. I. Jordan (2018), "Covariances, robustness, and variational Bayes", Journal of Machine
   Learning Research 19(51), 1-49, section 3.
.. [2] I. Olkin and F. Pukelsheim (1982), "The distance between two random vectors with given dispersion matrices", Linear Algebra
   and its Applications 48, 257-263 (the map).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from mixtura.components import hooks
from mixtura.inference import differences
from mixtura.inference.information import Fit
from mixtura.protocols import Array
from mixtura.statistics import Statistics
from mixtura.structures import LatentMixture
from mixtura.structures.independent import Independent

__all__ = ["LinearResponse", "Stretch"]

# Share of the information that may be missing along a direction before it counts as not told by the rows.
_MOST_MISSING = 0.999
# Eigenvalues of curvatures, and of covariances, below this share of the largest are rounding of differences.
_NO_CURVATURE, _NO_SPREAD = 3e-6, 1e-9


@dataclass(frozen=True)
class LinearResponse(Fit):
    """A model with posterior laws together with the rows: the bound takes the place of the log-likelihood."""

    def expected(self, theta: Array) -> float:
        """The bound per unit while the law of the labels is held."""
        model = self.at(theta)
        return (
            model.expected_log_prob(self.statistics) - model.penalty()
        ) / self.statistics.weight  # as of Fit, less the penalty

    @cached_property
    def first_scale(self) -> Array:
        """Scale of every coordinate by the bound per unit, shape (p,)."""
        return differences.scales(self.expected, self.theta)

    @cached_property
    def held(self) -> Array:
        """C, minus the second derivative of the bound with the law of the labels held, shape (p, p)."""
        return self.complete()

    def complete(self) -> Array:
        """C, component by component where each has coordinates of its own."""
        parts = self._parts()
        if parts is None:
            return super().complete()
        found = np.zeros((len(self.theta), len(self.theta)))
        for own, part, sums in parts:
            pairs = [(c, d) for c in range(len(own)) for d in range(c, len(own))]
            bound = partial(_bound_of, part, sums)
            found[np.ix_(own, own)] = differences.hessian(bound, self.theta[own], self.scale[own], pairs)
        return -found

    def _parts(self) -> list[tuple[Array, Any, Statistics]] | None:
        """Coordinates, model and sums of the structure and of each component; None where some coordinates are shared."""
        s, model, stats = self.n_structure, self.model, self.statistics
        if not (self.touched.sum(axis=1) == 1).all():
            return None
        parts: list[tuple[Array, Any, Statistics]] = [
            (np.arange(s), model.structure, stats.parts["structure"])
        ]
        for k in range(model.n_components):
            own, alone = s + np.flatnonzero(self.touched[:, k]), model.components.take([k])
            if not np.allclose(alone.coordinates(), self.theta[own], rtol=1e-9, atol=0.0):
                return None
            parts.append((own, alone, stats.parts["components"].take([k])))
        return parts

    @cached_property
    def missing(self) -> Array:
        """M, what is missing because labels are not known, shape (p, p)."""
        return np.asarray(self.scores.missing)

    @cached_property
    def gradient(self) -> Array:
        """Derivative of the bound, shape (p,): zero after a fit to these rows that has converged."""
        return differences.gradient(self.expected, self.theta, self.scale) * self.n_units

    @cached_property
    def _whitened(self) -> tuple[Array, Array, Array]:
        """Directions L (p, q) with L' C L = 1 in which M is diagonal, and its entries: the shares that are missing, (q,)."""
        unit = 1.0 / np.sqrt(np.maximum(np.diag(self.held), 1e-300))
        values, vectors = np.linalg.eigh(self.held * np.outer(unit, unit))
        kept = values > _NO_CURVATURE * values[-1]
        directions = unit[:, None] * (vectors[:, kept] / np.sqrt(values[kept]))
        shares, turn = np.linalg.eigh(directions.T @ self.missing @ directions)
        return directions @ turn, shares, np.clip(shares, 0.0, _MOST_MISSING)

    @property
    def untold(self) -> Array:
        """Shares of missing information so large that the rows do not tell the direction: at a maximum all are below one."""
        shares = self._whitened[1]
        return np.asarray(shares[shares > _MOST_MISSING])

    @property
    def away(self) -> float:
        """How far a Newton step to the maximum of the bound would lead, in posterior standard deviations."""
        directions, _, shares = self._whitened
        step = (directions.T @ self.gradient) / np.sqrt(1.0 - shares)
        return float(np.sqrt(step @ step))

    def covariances(self, gradients: Array) -> tuple[Array, Array]:
        """Covariances of functions of the parameters under the laws and by linear response, each (R, R).

        Parameters
        ----------
        gradients : ndarray, shape (R, p)
            Derivatives of their posterior means by the coordinates.
        """
        directions, _, shares = self._whitened
        along = gradients @ directions
        return along @ along.T, (along / (1.0 - shares)) @ along.T

    # --- the map ----------------------------------------------------------------------------------------------
    def stretch(self, used: Array) -> Stretch:
        """What makes draws from the laws vary as linear response says.

        Parameters
        ----------
        used : ndarray of bool, shape (K,)
            Components that have rows; the parameters of others keep their laws, which are the prior's.
        """
        steps = differences.SCORE_STEP * self.scale
        gradients = np.empty((len(expected_coordinates(self.model, used)), len(self.theta)))
        for c, step in enumerate(np.diag(steps)):
            up, down = (expected_coordinates(self.at(self.theta + sign * step), used) for sign in (1.0, -1.0))
            gradients[:, c] = (up - down) / (2.0 * steps[c])
        weights = _count(self.model.structure, used)
        of_used = (gradients[weights:, self.n_structure :] != 0).astype(int) @ self.touched[:, used].astype(
            int
        ) > 0
        moved = np.concatenate([np.ones(weights, dtype=bool), of_used.any(axis=1)])
        matrix = np.eye(len(moved))
        matrix[np.ix_(moved, moved)] = _transport(*self.covariances(gradients[moved]))
        return Stretch(expected_coordinates(self.model, used), matrix, used)


@dataclass(frozen=True)
class Stretch:
    """A linear map of the free coordinates of drawn parameters about their centre.

    Parameters
    ----------
    centre : ndarray, shape (q,)
        Coordinates of the posterior means.
    matrix : ndarray, shape (q, q)
        What differences from the centre are multiplied by.
    used : ndarray of bool, shape (K,)
        Components whose shares of their common weight change.
    """

    centre: Array
    matrix: Array
    used: Array

    def __call__(self, drawn: LatentMixture) -> LatentMixture:
        """A drawn model, stretched."""
        vector = self.centre + self.matrix @ (drawn_coordinates(drawn, self.used) - self.centre)
        weights = _count(drawn.structure, self.used)
        structure: Any = drawn.structure
        if weights:
            log_weights = structure.log_weights.copy()
            together = np.logaddexp.reduce(log_weights[self.used])
            shares = vector[:weights]
            log_weights[self.used] = together + shares - np.logaddexp.reduce(shares)
            structure = Independent(log_weights)
        return replace(
            drawn, structure=structure, components=drawn.components.from_coordinates(vector[weights:])
        )


def _bound_of(part: Any, sums: Statistics, coordinates: Array) -> float:
    """What the bound has of a part at other coordinates, while the law of the labels is held."""
    moved = part.from_coordinates(coordinates)
    return float(moved.expected_log_prob(sums)) - hooks.penalty(moved)


def expected_coordinates(model: LatentMixture, used: Array) -> Array:
    """Expected log weights of the used components, centred, and coordinates of the components' posterior means."""
    return np.concatenate([_log_ratios(model.structure, used), model.point.components.coordinates()])


def drawn_coordinates(model: LatentMixture, used: Array) -> Array:
    """The same of a model without laws."""
    return np.concatenate([_log_ratios(model.structure, used), model.components.coordinates()])


def _log_ratios(structure: Any, used: Array) -> Array:
    if not _count(structure, used):
        return np.zeros(0)
    own = np.asarray(structure.log_weights)[used]
    return np.asarray(own - own.mean())


def _count(structure: Any, used: Array) -> int:
    """How many log weights vary: none where they are not learnt."""
    return int(used.sum()) if len(structure.coordinates()) else 0


def _transport(start: Array, end: Array) -> Array:
    r"""The symmetric map A, in units of the first law, with A S A = T: :math:`S^{-1/2}(S^{1/2}TS^{1/2})^{1/2}S^{-1/2}`.

    Directions in which nothing varies stay as they are.

    Examples
    --------
    >>> _transport(np.diag([1.0, 4.0, 0.0]), np.diag([4.0, 4.0, 0.0])).round(6)
    array([[2., 0., 0.],
           [0., 1., 0.],
           [0., 0., 1.]])
    """
    unit = np.sqrt(np.maximum(np.diag(start), 0.0))
    unit = np.where(unit > 0, unit, 1.0)
    start, end = (matrix / np.outer(unit, unit) for matrix in (start, end))
    values, vectors = np.linalg.eigh(start)
    kept = values > _NO_SPREAD * max(float(values[-1]) if len(values) else 0.0, 1e-300)
    root, basis = np.sqrt(values[kept]), vectors[:, kept]
    inner = (root[:, None] * (basis.T @ end @ basis)) * root
    inner_values, inner_vectors = np.linalg.eigh(inner)
    middle = (inner_vectors * np.sqrt(np.maximum(inner_values, 0.0))) @ inner_vectors.T
    scaled = np.eye(len(unit)) + basis @ (middle / np.outer(root, root) - np.eye(len(root))) @ basis.T
    return np.asarray(unit[:, None] * scaled / unit)
