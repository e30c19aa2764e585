r"""Weights that depend on covariates of the row (concomitant variables): a multinomial logit in front of the mixture.

With u a 1 followed by the row's covariates, :math:`\pi_k(u) = e^{c_k^T u} / \sum_l e^{c_l^T u}` and
:math:`c_1 = 0` (equation 3 of [1]_). The M-step has no finite statistics: the sums are the score and, for the curvature,
the products of weights,

.. math:: g_k = \sum w\,(r_k - \pi_k)\,u,\qquad M_{kl} = \sum w\,\pi_k\pi_l\,u u^T,

from which :math:`-H_{kl} = \delta_{kl}\sum_m M_{km} - M_{kl}`. :meth:`Concomitant.maximize` takes one Newton step from the
coefficients at which the sums were taken, cut where the root mean square change of a predictor exceeds 2, and marks
it inexact: the driver goes back halfway where the objective fell. Böhning's bound [2]_, whose steps never fall, took 1.1 to
9 times the passes from the same starts (two to five components, one to four covariates), and had not ended after 3000
where weights are close to 0 and 1 and Newton's step took 21.

References
----------
.. [1] B. Grün and F. Leisch (2008), "FlexMix version 2: finite mixtures with concomitant variables and varying and constant
   parameters", Journal of Statistical Software 28(4).
.. [2] D. Böhning (1992), "Multinomial logistic regression algorithm", Annals of the Institute of Statistical Mathematics
   44, 197-200.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Self

import numpy as np
from scipy.special import log_softmax

from mixtura.exceptions import InvalidDataError
from mixtura.kernels.softmax import responsibilities
from mixtura.protocols import Array, Batch, Inference, Memory
from mixtura.statistics import Statistics, unpack_symmetric

__all__ = ["Concomitant"]

# Root mean square change of a linear predictor in one step.
_FARTHEST = 2.0
# Share of a column's squares added to its curvature: where all weights are 0 or 1 there is none of its own.
_RIDGE = 1e-10


class Concomitant:
    """Mixture weights by a multinomial logit of the row's covariates (`Batch.covariates`).

    Parameters
    ----------
    coefficients : ndarray, shape (K, 1 + Q)
        Of the intercept and the Q covariates; only differences between components matter, those to the first are kept.
    names : sequence of str, optional
        Of the covariates, for tables; by default z0, z1, ...

    Examples
    --------
    >>> law = Concomitant(np.array([[0.0, 0.0], [0.0, 1.0]]))
    >>> np.exp(law.log_weights(np.array([[0.0, 2.0]]))).round(4)  # of rows with covariate 0 and 2
    array([[0.5   , 0.1192],
           [0.5   , 0.8808]])
    """

    exact = False
    weights_inside = False

    def __init__(self, coefficients: Array, names: Sequence[str] | None = None) -> None:
        coefficients = np.asarray(coefficients, dtype=np.float64)
        self.coefficients = coefficients - coefficients[0]
        n_covariates = coefficients.shape[1] - 1
        self.names = (
            [f"z{j}" for j in range(n_covariates)] if names is None else [str(name) for name in names]
        )

    @classmethod
    def from_counts(cls, counts: Array, n_covariates: int) -> Self:
        """Weights proportional to the counts (K,), whatever the covariates are.

        Examples
        --------
        >>> Concomitant.from_counts(np.array([1.0, 3.0]), 1).coefficients.round(4)
        array([[0.    , 0.    ],
               [1.0986, 0.    ]])
        """
        coefficients = np.zeros((len(counts), 1 + n_covariates))
        coefficients[:, 0] = np.log(np.maximum(counts, 1e-300))
        return cls(coefficients)

    def __repr__(self) -> str:
        return f"Concomitant(K={self.n_components}, Q={self.coefficients.shape[1] - 1})"

    @property
    def n_components(self) -> int:
        """K, number of components."""
        return len(self.coefficients)

    def replace(self, coefficients: Array) -> Self:
        """Other coefficients of the same covariates."""
        return type(self)(coefficients, self.names)

    def table(self) -> Iterator[tuple[str, str, str, Array]]:
        """Coefficients of the logarithms of the weights, a row for each covariate, values (K,)."""
        for column, name in enumerate(["intercept", *self.names]):
            yield "concomitant_coefficient", name, "", self.coefficients[:, column]

    def n_parameters(self) -> int:
        """(K - 1) (1 + Q)."""
        return (self.n_components - 1) * self.coefficients.shape[1]

    def log_weights(self, covariates: Array) -> Array:
        """Logarithms of the weights of rows with the given covariates (Q, B), shape (K, B)."""
        return np.asarray(log_softmax(self.coefficients @ _design(covariates), axis=0))

    def infer(self, scores: Array, batch: Batch, memory: Memory) -> Inference:
        """Responsibilities under each row's own weights; scores are overwritten."""
        if batch.covariates is None or len(batch.covariates) != self.coefficients.shape[1] - 1:
            found = "none" if batch.covariates is None else str(len(batch.covariates))
            msg = (
                f"Batch {batch.id} has {found} covariates for the weights; expected {self.coefficients.shape[1] - 1}. "
                "Give the rows' concomitant variables, as in the fit."
            )
            raise InvalidDataError(msg)
        design, weight = _design(batch.covariates), batch.sample_weight
        log_weights = np.asarray(log_softmax(self.coefficients @ design, axis=0))
        log_evidence, resp = responsibilities(scores, log_weights, weight)
        prior = np.exp(log_weights)
        one, other = np.triu_indices(len(design))
        products = design[one] * design[other]
        weighted = prior * weight
        pairs = np.stack([(weighted * row) @ products.T for row in prior], axis=1)
        sums = {"count": resp.sum(axis=1), "score": (resp - weighted) @ design.T, "sum_pairs": pairs}
        return Inference(
            log_evidence,
            resp,
            Statistics({name: value.astype(np.float64, copy=False) for name, value in sums.items()}),
        )

    def maximize(self, stats: Statistics) -> Self:
        """One guarded Newton step from the coefficients at which the sums were taken.

        Where components have been left out since, the coefficients wait for the next sums.
        """
        n_components, n_columns = stats["score"].shape
        if stats["sum_pairs"].shape[1] != n_components or n_components == 1:
            return self.replace(self.coefficients)
        pairs = unpack_symmetric(stats["sum_pairs"], n_columns)
        curvature = -pairs
        own = np.arange(n_components)
        curvature[own, own] += pairs.sum(axis=1)
        squares = pairs.sum(axis=(0, 1))
        size = (n_components - 1) * n_columns
        matrix = curvature[1:, 1:].transpose(0, 2, 1, 3).reshape(size, size)
        matrix[np.arange(size), np.arange(size)] += _RIDGE * np.tile(np.diagonal(squares), n_components - 1)
        scale = 1.0 / np.sqrt(np.diagonal(matrix))
        score = stats["score"][1:].ravel()
        step = scale * np.linalg.solve(matrix * scale[:, None] * scale, scale * score)
        step = step.reshape(n_components - 1, n_columns)
        change = np.sqrt(np.max(np.einsum("kq,qp,kp->k", step, squares, step)) / squares[0, 0])
        new = self.coefficients.copy()
        new[1:] += min(1.0, _FARTHEST / max(change, _FARTHEST)) * step
        return self.replace(new)

    def expected_log_prob(self, stats: Statistics) -> float:
        """The tangent <score, coefficients>: right to first order about those at which the sums were taken."""
        return float(np.sum(stats["score"] * self.coefficients))

    def split(self, stats: Statistics, component: int) -> Statistics:
        """Halve a state; its products of weights with others are halved, those with itself quartered."""
        index = [*range(len(stats["count"])), component]
        halves = stats.take(index)
        for name in ("count", "score", "sum_pairs"):
            halves[name][[component, -1]] *= 0.5
        if halves["sum_pairs"].shape[1] == len(index) - 1:
            halves.sums["sum_pairs"] = halves["sum_pairs"][:, index]
            halves["sum_pairs"][:, [component, -1]] *= 0.5
        return halves

    def coordinates(self) -> Array:
        """Coefficients of all components but the first."""
        return np.array(self.coefficients[1:].ravel())

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`."""
        free = np.asarray(vector, dtype=np.float64).reshape(-1, self.coefficients.shape[1])
        return self.replace(np.concatenate([np.zeros((1, free.shape[1])), free]))

    def take(self, components: Sequence[int] | Array) -> Self:
        """Some of the states; one that is taken twice is halved."""
        index = np.asarray(components, dtype=np.intp)
        taken = self.coefficients[index]
        taken[:, 0] -= np.log(np.bincount(index)[index])
        return self.replace(taken)


def _design(covariates: Array) -> Array:
    """A row of ones before the covariates, shape (1 + Q, B)."""
    return np.concatenate([np.ones((1, covariates.shape[1])), covariates])
