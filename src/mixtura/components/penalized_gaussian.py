r"""Gaussian components at the mode of posterior laws that differ from component to component.

With prior means :math:`m_k`, their weights :math:`w_k` in rows, scatter :math:`\Psi_k` and sizes :math:`c_k` the objective loses

.. math:: \tfrac12\sum_k c_k\log|\Sigma_k| + \operatorname{tr}\Sigma_k^{-1}\bigl(\Psi_k + w_k(\mu_k-m_k)(\mu_k-m_k)^T\bigr)

and the M-step is that of ([1]_, equations 9.24 and 9.25) with rows seen earlier:

.. math:: \mu_k = \frac{w_k m_k + \sum_n r_{nk}x_n}{w_k + N_k},\qquad
          \Sigma_k = \frac{\Psi_k + w_k(\mu_k-m_k)(\mu_k-m_k)^T + S_k(\mu_k)}{c_k + N_k}.

The sizes need not belong to proper laws: zero is maximum likelihood, and :math:`c = 0` with a positive :math:`\Psi` only keeps
variances from vanishing. Variances stop at a ten-thousand-millionth of the columns' own, so there is always a maximum, and a
component without rows stays where it is: components do not degenerate.

References
----------
.. [1] C. M. Bishop (2006), Pattern Recognition and Machine Learning, section 9.2.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mixtura.components.gaussian import Gaussian
from mixtura.exceptions import InvalidParameterError
from mixtura.protocols import Array
from mixtura.statistics import Statistics

__all__ = ["GaussianPenalty", "PenalizedGaussian"]

# Share of a column's variance below which no variance falls.
_FLOOR = 1e-10
# Share of a covariance's widest direction below which it would have no Cholesky factor.
_DEFINITE = 1e-13
# Smallest variance, columns counted in their own deviations, below which rounding shows in the objective: steps are then inexact.
_DIGITS = 1e-6
# Rows (with the size of the prior) below which covariances stay as they are.
_ROWS = 1e-12


@dataclass(frozen=True)
class GaussianPenalty:
    """What is believed of each component.

    Parameters
    ----------
    mean : ndarray, shape (K, D)
        Prior means, about the encoding's origin.
    weight : ndarray, shape (K, D)
        How many rows each prior mean is worth; for full covariances the same in all columns.
    scatter : ndarray, shape (K, D, D), (K, D) or (K,)
        Psi, in the shape of one component's covariance.
    size : ndarray, shape (K, 1), or (K, D) for independent columns
        c, how many rows the scatter is worth.
    """

    mean: Array
    weight: Array
    scatter: Array
    size: Array

    def take(self, index: Array) -> GaussianPenalty:
        """That of some components."""
        return GaussianPenalty(self.mean[index], self.weight[index], self.scatter[index], self.size[index])

    def concatenate(self, parts: Sequence[GaussianPenalty]) -> GaussianPenalty:
        """This one's components followed by those of `parts`."""
        everything = [self, *parts]
        return GaussianPenalty(
            *(
                np.concatenate([getattr(one, name) for one in everything])
                for name in ("mean", "weight", "scatter", "size")
            )
        )


class PenalizedGaussian(Gaussian):
    """K Gaussians, each with a prior of its own, at the mode.

    Parameters
    ----------
    gaussian : Gaussian
        Parameters to begin with, whose covariance structure (full, diagonal, spherical) is taken.
    penalty : GaussianPenalty
        What is believed of each component.
    owner : sequence of int, length K, optional
        Components of one number have one covariance: the same everywhere is a tied covariance. Default: every one its own.
    learn : tuple of bool, default (True, True)
        Whether means, and whether covariances, are learnt; the others stay.
    about_last : bool, default False
        Whether covariances are taken about the means before the step, so that a step raises the objective by the covariances
        first and by the means after that. Only without weights of prior means does it never fall then.
    unit : ndarray, shape (D,), optional
        Variances of the columns, of which the least variance is a share. Default: no such limit.

    Examples
    --------
    >>> from mixtura.components import Diagonal
    >>> from mixtura.protocols import Encoding
    >>> penalty = GaussianPenalty(np.zeros((1, 1)), np.ones((1, 1)), np.full((1, 1), 0.3), np.zeros((1, 1)))
    >>> begun = PenalizedGaussian(Gaussian(np.zeros((1, 1)), np.ones((1, 1)), Diagonal()), penalty)
    >>> block = begun.encode(np.array([[1.0, 2.0, 3.0]]), Encoding(1))
    >>> after = begun.maximize(begun.expected_statistics(block, np.ones((1, 3))))
    >>> after.mean, after.covariance.round(3)  # (0 + 6) / 4 and (0.3 + 1.5^2 + 2.75) / 3
    (array([[1.5]]), array([[1.767]]))
    """

    def __init__(
        self,
        gaussian: Gaussian,
        penalty: GaussianPenalty,
        *,
        owner: Any = None,
        learn: tuple[bool, bool] = (True, True),
        about_last: bool = False,
        unit: Array | None = None,
    ) -> None:
        super().__init__(gaussian.mean, gaussian.covariance, gaussian.model)
        if gaussian.model.pooled:
            msg = f"The covariance structure is {gaussian.model.name}; expected one that is not pooled: `owner` names what is in common."
            raise InvalidParameterError(msg)
        if np.ndim(penalty.scatter) == 3 and np.ptp(penalty.weight, axis=1).any():
            msg = "Weights of the prior means differ between columns; expected one for each component where covariances are full."
            raise InvalidParameterError(msg)
        self.prior = penalty
        size = gaussian.n_components
        self.owner = np.arange(size) if owner is None else np.asarray(owner, dtype=np.intp)
        self.learn = learn
        self.about_last = about_last
        self.unit = None if unit is None else np.asarray(unit, dtype=np.float64)

    def __repr__(self) -> str:
        return super().__repr__().replace("Gaussian", type(self).__name__)

    @property
    def regularized(self) -> bool:
        """Whether steps raise the objective only nearly."""
        return self.about_last and bool(np.any(self.prior.weight)) and all(self.learn)

    @property
    def point(self) -> Gaussian:
        """The same components without their prior."""
        return Gaussian(self.mean, self.covariance, self.model)

    def moved(self, by: Array) -> Self:
        """Components and prior means about an origin that lies `by` farther."""
        new = super().moved(by)
        new.prior = GaussianPenalty(
            self.prior.mean - by, self.prior.weight, self.prior.scatter, self.prior.size
        )
        return new

    def n_parameters(self) -> int:
        """Means and distinct covariances, where they are learnt."""
        n_features = self.mean.shape[1]
        n_covariances = len(np.unique(self.owner))
        return self.learn[0] * self.mean.size + self.learn[1] * self.model.n_parameters(
            n_covariances, n_features
        )

    # --- the update -------------------------------------------------------------------------------------------
    def maximize(self, stats: Statistics) -> Self:
        """The mode given sums of rows (see the module); components without rows stay."""
        prior, count = self.prior, stats["count"]
        alive = count > 0
        own = stats["sum_x"] / np.where(alive, count, 1.0)[:, None]
        rows = own if stats.origin is None else own + stats.origin
        mean, covariance, exact = self.mean, self.covariance, True
        if self.learn[0]:
            total = prior.weight + count[:, None]
            raised = prior.weight * prior.mean + count[:, None] * rows
            mean = np.where(total > 0, raised / np.where(total > 0, total, 1.0), mean)
        if self.learn[1]:
            centre = self.mean if self.about_last else mean
            scatter = prior.scatter + self._squares(prior.weight, mean - prior.mean)
            scatter = scatter + self.model.central(stats, own) * _column(alive, covariance)
            scatter = scatter + self._squares(np.where(alive, count, 0.0)[:, None], rows - centre)
            covariance, exact = self._divided(scatter, count)
            covariance, cancelled = self._guard_cancellation(covariance, mean)
        new = self.replace(mean, covariance)
        new.exact = exact and not self.regularized
        if self.learn[1] and cancelled:
            new.exact, new._distance = False, np.inf
        return new

    def _squares(self, weight: Array, difference: Array) -> Array:
        """w d d' in the shape of the covariances, for w and d (K, D)."""
        n_features = difference.shape[1]
        nothing = np.zeros((len(difference), self.model.n_second(n_features)))
        ones = Statistics({"count": np.ones(len(difference)), "sum_xx": nothing})
        return -self.model.central(ones, np.sqrt(weight) * difference)

    def _divided(self, scatter: Array, count: Array) -> tuple[Array, bool]:
        """Scatter over its size, in common where covariances are; above the floor. And whether all of it is a maximum."""
        size = count[:, None] + self.prior.size
        size = self._pooled(size if size.shape[1] > 1 else _column(size[:, 0], scatter))
        enough = size > _ROWS
        covariance = np.where(enough, self._pooled(scatter) / np.where(enough, size, 1.0), self.covariance)
        covariance, exact = self._floored(covariance)
        return covariance, exact and bool(enough.all())

    def _pooled(self, table: Array) -> Array:
        """Sums of a table (K, ...) over the components of one number, for each of these."""
        _, number = np.unique(self.owner, return_inverse=True)
        if number.max() + 1 == len(number):
            return table
        sums = np.zeros((number.max() + 1, *table.shape[1:]))
        np.add.at(sums, number, table)
        return sums[number]

    def _floored(self, covariance: Array) -> tuple[Array, bool]:
        """Covariances of which no direction, columns counted in their own deviations, is below the floor; and whether digits are left."""
        if self.unit is None:
            return covariance, True
        n_features = self.mean.shape[1]
        least = _FLOOR * _lifted(self.unit)
        if covariance.ndim < 3:
            raised = self.model.raise_to(covariance, np.broadcast_to(least, (len(covariance), n_features)))
            variances = self.model.variances(raised, len(raised), n_features)
            return raised, not bool((variances < _DIGITS / _FLOOR * least).any())
        scale = np.sqrt(least / _FLOOR)
        values, axes = np.linalg.eigh(covariance / np.outer(scale, scale))
        widest = np.maximum(values[:, -1:], 1.0)
        bound = np.maximum(_FLOOR, _DEFINITE * widest)
        low = values[:, 0] < bound[:, 0]
        raised = (axes[low] * np.maximum(values[low], bound[low])[:, None, :]) @ axes[low].swapaxes(-1, -2)
        covariance = covariance.copy()
        covariance[low] = raised * np.outer(scale, scale)
        return covariance, not bool((values[:, :1] < _DIGITS * widest).any())

    def penalty(self) -> float:
        """Half of the sizes' log determinants and of the traces (see the module)."""
        n_components, n_features = self.mean.shape
        prior = self.prior
        diagonal = np.diagonal(
            self.model.matrices(self.precision_cholesky, n_components, n_features), axis1=1, axis2=2
        )
        log_variances = -2.0 * np.log(diagonal)
        scatter = prior.scatter + self._squares(prior.weight, self.mean - prior.mean)
        trace = np.einsum("kij,kji->", self.precision, self.model.matrices(scatter, n_components, n_features))
        return 0.5 * float(np.sum(prior.size * log_variances) + trace)

    def suspects(self, stats: Statistics) -> dict[int, str]:
        """None: no component degenerates."""
        return {}

    # --- the rest of the contract -----------------------------------------------------------------------------
    def coordinates(self) -> Array:
        """Means and distinct covariances, where they are learnt."""
        _, first = np.unique(self.owner, return_index=True)
        parts = (self.mean.ravel(), self.model.free(self.covariance[first]))
        return np.concatenate(
            [np.empty(0), *(part for part, learnt in zip(parts, self.learn, strict=True) if learnt)]
        )

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`."""
        vector = np.asarray(vector, dtype=np.float64)
        size = self.mean.size if self.learn[0] else 0
        mean = vector[:size].reshape(self.mean.shape) if self.learn[0] else self.mean
        covariance = self.covariance
        if self.learn[1]:
            groups, number = np.unique(self.owner, return_inverse=True)
            covariance = self.model.from_free(vector[size:], (len(groups), *covariance.shape[1:]))[number]
        return self.replace(mean, covariance)

    def take(self, components: Sequence[int] | Array) -> Self:
        """Some of the components, each with its prior."""
        index = np.asarray(components, dtype=np.intp)
        new = super().take(index)
        new.prior, new.owner = self.prior.take(index), self.owner[index]
        return new

    def concatenate(self, parts: Sequence[Self]) -> Self:
        """This one's components followed by those of `parts`; covariances in common stay so within each part only."""
        new = super().concatenate(parts)
        new.prior = self.prior.concatenate([part.prior for part in parts])
        owners, base = [], 0
        for part in (self, *parts):
            owners.append(part.owner - part.owner.min() + base)
            base = int(owners[-1].max()) + 1
        new.owner = np.concatenate(owners)
        return new


def _column(values: Array, like: Array) -> Array:
    """Numbers of components (K,) beside their covariances."""
    return np.asarray(values.reshape(-1, *(1,) * (like.ndim - 1)))


def _lifted(unit: Array) -> Array:
    """Variances of columns, with that of the widest (or 1) where a column has none."""
    widest = float(unit.max()) if unit.max() > 0 else 1.0
    return np.where(unit > 0, unit, widest)
