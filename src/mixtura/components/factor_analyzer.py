r"""Factor analysers as components: covariances of low rank plus noise, for data with hundreds of columns.

The file is long because the whole contract of a component is here, with two ways to score it.

Component k is :math:`x = \mu_k + \Lambda_k z + e` with q factors :math:`z \sim N(0, I)` and independent noise
:math:`e \sim N(0, \Psi_k)`, so its covariance is :math:`\Lambda_k \Lambda_k^T + \Psi_k`, with the noise structures of
:mod:`mixtura.components.factor_noise`.

**Scores.** With :math:`M = I + \Lambda^T \Psi^{-1} \Lambda = R^T R` (q x q) and :math:`A = R^{-T} \Lambda^T \Psi^{-1}`, Woodbury's
formula gives :math:`r^T \Sigma^{-1} r = r^T \Psi^{-1} r - |A r|^2` and :math:`\log|\Sigma| = \log|\Psi| + \log|M|`, that is
D (q + 2) products a row and component. :math:`E[z \mid x] = R^{-1} A r`.

**Statistics** are those of a Gaussian: counts, sums and scatters, K D^2 / 2 numbers. Expected factors as statistics
(:math:`\sum r E[z] x^T`; [1]_) are fewer, K D q, and a pass over the rows is cheaper, but a step then raises a bound that knows
the factors by the last parameters only, and where factors explain much these steps are short. Measured from one k-means
partition to 0.01 nats a row below the maximum, q = 5: 10,000 rows of 300 columns drawn from 5 components, 530 steps and 12.5 s
with expected factors, 4 steps and 1.8 s with scatters; 1,797 digits of 61 columns, K = 10, where factors explain little, 36
steps and 0.1 s against 39 steps and 0.8 s. The worst case decided. Given the scatters, loadings and noise are *maximised*
(:mod:`mixtura.components.uniquenesses`; [3]_, [4]_): only the labels are missing, a step never lowers the likelihood, a column of
zeros in a start's loadings is no fixed point, and sums need no parameters, so starts and merges are those of any Gaussian.
Rows with a negligible part in a component are left out of its scatter: with many columns nearly every row belongs to one
component, and a pass costs D^2 products a row whatever K.

**Identification.** Loadings are identified up to a rotation of the factors. `loadings` holds those that are orthogonal in units of
the noise, the largest first, with the largest entry of each positive; `coordinates` those whose upper triangle is zero.

**Heywood cases.** The likelihood may rise while a noise variance goes to zero (without bound where it does so in more than q
columns of a component). None falls below `noise_floor`, by default a share of the variance of its column over all
rows of all components; a step that ends there is marked inexact. With few rows for the parameters, adding to every
noise variance (`regularization`) predicts new rows better.

References
----------
.. [1] Z. Ghahramani, G. E. Hinton (1996), The EM algorithm for mixtures of factor analyzers, Technical Report
   CRG-TR-96-1, University of Toronto.
.. [2] G. J. McLachlan, D. Peel (2000), Finite Mixture Models, chapter 8.
.. [3] J. Zhao, P. L. H. Yu (2008), Fast ML estimation for the mixture of factor analyzers via an ECM algorithm, IEEE
   Transactions on Neural Networks 19, 1956-1961.
.. [4] M. E. Tipping, C. M. Bishop (1999), Mixtures of probabilistic principal component analyzers, Neural Computation 11,
   443-482.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple, Self

import numpy as np
from scipy.linalg import solve_triangular

from mixtura.components.factor_missing import IncompleteRows
from mixtura.components.factor_noise import NoiseModel, OwnNoise
from mixtura.exceptions import Degenerate, DegenerateComponentError, InvalidParameterError
from mixtura.protocols import Array, Encoding
from mixtura.statistics import Statistics, pack_symmetric, unpack_symmetric

__all__ = ["FactorAnalyzer"]

_LOG_TWO_PI = float(np.log(2.0 * np.pi))
# Squared distance of a mean from the origin, in units of its noise, beyond which scores are taken about every mean
# (as for Gaussians: the error of a score is about 1e-10, float32 1e-4).
_GUARD = {"float64": 1e6, "float32": 1e3}
# Rows with less than this share of the largest responsibility of a block change no digit of a sum.
_NOTHING = 1e-20


class _Weights(NamedTuple):
    """What scores need of the parameters: see the docstring of the module.

    Parameters
    ----------
    inverse : ndarray, shape (K, D)
        Inverse noise variances.
    projection : ndarray, shape (K, q, D)
        A.
    root : ndarray, shape (K, q, q)
        R, upper triangular.
    constant : ndarray, shape (K,)
        Log density at the mean.
    """

    inverse: Array
    projection: Array
    root: Array
    constant: Array


class FactorAnalyzer:
    """K factor analysers with one number of factors and one noise structure.

    Parameters
    ----------
    n_factors : int, default 1
        q, number of factors of each component; 0 leaves the noise.
    noise : NoiseModel, default OwnNoise()
        The noise structure.
    mean : ndarray, shape (K, D), optional
        Means about the encoding's origin. None before the first M-step.
    loadings : ndarray, shape (K, D, q), optional
        Loadings, in units of the data.
    noise_variances : ndarray, shape (K, D), optional
        Noise variances, in squared units of the data; equal where the structure says so.
    noise_floor : float or ndarray, shape (D,), default 1e-6
        Least noise variance: a number is a share of the variance of each column over all rows of a step, an array holds
        the variances themselves.
    regularization : float, default 0
        Added to every noise variance after the M-step, in squared units of the data. Makes the step inexact.
    most_steps : int, default 60
        Newton steps of one M-step for diagonal noise. Few make a step cheap and inexact; it never lowers the likelihood.

    Examples
    --------
    >>> one = FactorAnalyzer(
    ...     1, mean=np.zeros((1, 2)), loadings=np.ones((1, 2, 1)), noise_variances=np.ones((1, 2))
    ... )
    >>> one.covariance[0]
    array([[2., 1.],
           [1., 2.]])
    >>> one.log_prob(one.encode(np.zeros((2, 1)), Encoding(2))).round(4)  # -log(2 pi) - log(3) / 2
    array([[-2.3872]])
    """

    #: Rows are taken about the columns' means.
    centred = True
    #: Missing cells are integrated over, by the pattern that they make.
    marginal = True
    name = "factor analyzer"
    support = "finite numbers"

    def __init__(
        self,
        n_factors: int = 1,
        noise: NoiseModel | None = None,
        mean: Array | None = None,
        loadings: Array | None = None,
        noise_variances: Array | None = None,
        noise_floor: float | Array = 1e-6,
        regularization: float = 0.0,
        most_steps: int = 60,
    ) -> None:
        self.n_factors = n_factors
        self.noise = OwnNoise() if noise is None else noise
        self.noise_floor = noise_floor
        self.regularization = regularization
        self.most_steps = most_steps
        self._mean = None if mean is None else np.asarray(mean, dtype=np.float64)
        self._loadings = None if loadings is None else np.asarray(loadings, dtype=np.float64)
        self._noise = None if noise_variances is None else np.asarray(noise_variances, dtype=np.float64)
        self._cache: _Weights | None = None
        self._at_floor = np.zeros(0, dtype=np.intp)  # columns of each component with the least noise
        self.exact = regularization == 0.0

    def __repr__(self) -> str:
        size = "blank" if self._mean is None else "K={}, D={}".format(*self._mean.shape)
        return f"FactorAnalyzer(q={self.n_factors}, {self.noise.name} noise, {size})"

    # --- parameters -------------------------------------------------------------------------------------------
    @property
    def blank(self) -> bool:
        """Whether there are no parameters yet."""
        return self._mean is None

    def _given(self, values: Array | None, what: str) -> Array:
        if values is None:
            msg = f"The factor analysers have no {what} yet: fit them, call maximize first, or give all parameters."
            raise InvalidParameterError(msg)
        return values

    @property
    def mean(self) -> Array:
        """Means about the encoding's origin, shape (K, D)."""
        return self._given(self._mean, "mean")

    @property
    def loadings(self) -> Array:
        """Loadings, shape (K, D, q); identified up to a rotation of the factors."""
        return self._given(self._loadings, "loadings")

    @property
    def noise_variances(self) -> Array:
        """Noise variances, shape (K, D)."""
        return self._given(self._noise, "noise_variances")

    @property
    def covariance(self) -> Array:
        """Covariance matrices, shape (K, D, D); nothing in a fit needs them."""
        found = self.loadings @ np.swapaxes(self.loadings, 1, 2)
        diagonal = np.arange(found.shape[1])
        found[:, diagonal, diagonal] += self.noise_variances
        return np.asarray(found)

    @property
    def n_components(self) -> int:
        """K, number of components."""
        return len(self.mean)

    @property
    def regularized(self) -> bool:
        """Whether something is added to every variance."""
        return self.regularization > 0.0

    def n_statistics(self, n_features: int) -> int:
        """D: a block holds the rows as they are."""
        return n_features

    def n_parameters(self) -> int:
        """Means, K (D q - q (q - 1) / 2) loadings up to rotation, and the free noise variances."""
        n_components, n_features = self.mean.shape
        rotations = self.n_factors * (self.n_factors - 1) // 2
        loadings = n_components * (n_features * self.n_factors - rotations)
        return n_components * n_features + loadings + self.noise.n_parameters(n_components, n_features)

    def replace(self, mean: Array, loadings: Array, noise_variances: Array) -> Self:
        """The same structure with other parameters."""
        new = copy.copy(self)
        new._mean = np.asarray(mean, dtype=np.float64)
        new._loadings = np.asarray(loadings, dtype=np.float64)
        new._noise = np.asarray(noise_variances, dtype=np.float64)
        new._cache = None
        new._at_floor = np.zeros(len(new._mean), dtype=np.intp)
        new.exact = not self.regularized
        return new

    def moved(self, by: Array) -> Self:
        """The same components about an origin that lies `by` (D,) farther."""
        return self.replace(self.mean - by, self.loadings, self.noise_variances)

    # --- the pass ---------------------------------------------------------------------------------------------
    def encode(self, x: Array, encoding: Encoding) -> Array | IncompleteRows:
        """The rows as they are, shape (D, B), or by pattern where cells are missing."""
        x = np.asarray(x, dtype=encoding.dtype)
        if encoding.missing and np.isnan(x).any():
            return IncompleteRows(x, np.ones(len(x)) if encoding.scale is None else encoding.scale**2)
        return x

    @property
    def _weights(self) -> _Weights:
        if self._cache is None:
            inverse = 1.0 / self.noise_variances
            scaled = np.swapaxes(self.loadings, 1, 2) * inverse[:, None, :]
            inner = np.eye(self.n_factors) + scaled @ self.loadings
            # Contiguous, so that a pickled copy rounds alike.
            root = np.ascontiguousarray(np.swapaxes(np.linalg.cholesky(inner), 1, 2))
            projection = np.ascontiguousarray(np.linalg.solve(np.swapaxes(root, 1, 2), scaled))
            log_det = np.log(self.noise_variances).sum(axis=1)
            log_det += 2.0 * np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
            constant = -0.5 * (self.mean.shape[1] * _LOG_TWO_PI + log_det)
            self._cache = _Weights(inverse, projection, root, constant)
        return self._cache

    def log_prob(self, block: Array | IncompleteRows) -> Array:
        """Scores, shape (K, B); of the observed cells, where some are missing."""
        if isinstance(block, IncompleteRows):
            return block.log_prob(self)
        weights, mean = self._weights, self.mean
        distance = np.einsum("kd,kd,kd->k", mean, mean, weights.inverse).max()
        if distance > _GUARD[block.dtype.name]:
            return self._log_prob_about_means(block)
        linear = weights.inverse * mean
        constant = weights.constant - 0.5 * np.einsum("kd,kd->k", linear, mean)
        scores = linear.astype(block.dtype) @ block
        scores -= (0.5 * weights.inverse).astype(block.dtype) @ (block * block)
        scores += constant.astype(block.dtype)[:, None]
        projected = self._projected(block)
        scores += 0.5 * np.einsum("kqb,kqb->kb", projected, projected)
        return np.asarray(scores)

    def _projected(self, block: Array) -> Array:
        """A (x - mean) of all components, shape (K, q, B)."""
        projection, mean = self._weights.projection, self.mean
        shape = (*projection.shape[:2], block.shape[1])
        found = projection.reshape(-1, len(block)).astype(block.dtype) @ block
        found -= np.einsum("kqd,kd->kq", projection, mean).astype(block.dtype).reshape(-1, 1)
        return np.asarray(found.reshape(shape))

    def _log_prob_about_means(self, block: Array) -> Array:
        """Scores by residuals about each mean: slower, exact far from the origin."""
        weights = self._weights
        scores = np.empty((self.n_components, block.shape[1]))
        for k, mean in enumerate(self.mean):
            residual = block - mean[:, None].astype(block.dtype)
            projected = weights.projection[k] @ residual
            quadratic = np.einsum("db,db,d->b", residual, residual, weights.inverse[k])
            scores[k] = weights.constant[k] - 0.5 * (quadratic - np.einsum("qb,qb->b", projected, projected))
        return scores

    def factor_scores(self, block: Array | IncompleteRows) -> Array:
        """Expected factors of each row under each component, E[z | x, k], shape (K, q, B)."""
        if isinstance(block, IncompleteRows):
            return block.factor_scores(self)
        weights = self._weights
        scores = np.empty((self.n_components, self.n_factors, block.shape[1]))
        for k, mean in enumerate(self.mean):
            scores[k] = solve_triangular(weights.root[k], weights.projection[k] @ (block - mean[:, None]))
        return scores

    def expected_statistics(self, block: Array | IncompleteRows, resp: Array) -> Statistics:
        """Count, sums and packed scatters about each component's mean (the origin, while there are none).

        Missing cells and their squares are what they are expected to be given the rest of their row.
        """
        n_features = block.x.shape[0] if isinstance(block, IncompleteRows) else len(block)
        origin = np.zeros((len(resp), n_features)) if self._mean is None else self._mean
        least = _NOTHING * float(resp.max(initial=0.0))
        first = np.empty((len(resp), n_features))
        second = np.empty((len(resp), n_features * (n_features + 1) // 2))
        for k, weight in enumerate(resp):
            kept = np.flatnonzero(weight > least)
            if isinstance(block, IncompleteRows):
                rows, spread = block.completed(self, k, kept, weight)
            else:
                rows, spread = (block if kept.size == len(weight) else block[:, kept]), None
            residual = rows - origin[k][:, None].astype(rows.dtype)
            first[k] = residual @ weight[kept]
            residual *= np.sqrt(weight[kept])
            scatter = residual @ residual.T
            second[k] = pack_symmetric(scatter if spread is None else scatter + spread)
        sums = {"count": resp.sum(axis=1, dtype=np.float64), "sum_x": first, "sum_xx": second}
        return Statistics(sums, origin=origin)

    # --- the update -------------------------------------------------------------------------------------------
    def maximize(self, stats: Statistics) -> Self:
        """Weighted means, then loadings and noise of maximal likelihood given the scatters about them.

        Raises
        ------
        DegenerateComponentError
            Naming every component without rows; naming all where a column does not vary at all.
        """
        count, n_features = stats["count"], stats["sum_x"].shape[1]
        _refuse(count, ~(count > 1e-8), "it holds no rows")
        shift = stats["sum_x"] / count[:, None]
        scatter = unpack_symmetric(stats["sum_xx"], n_features)
        covariance = scatter / count[:, None, None] - shift[:, :, None] * shift[:, None, :]
        mean = shift + (0.0 if stats.origin is None else stats.origin)
        share = count / count.sum()
        variance = share @ (np.diagonal(covariance, axis1=1, axis2=2) + (mean - share @ mean) ** 2)
        given = np.ndim(self.noise_floor) > 0
        floor = np.asarray(self.noise_floor if given else self.noise_floor * variance)
        constant = np.flatnonzero(~(floor > 0.0))
        if constant.size:
            every = np.ones(len(count), dtype=bool)
            _refuse(count, every, f"column {constant[0]} has no variance: leave it out")
        start = self._start(covariance, np.maximum(variance, floor))
        noise, loadings, converged = self.noise.maximize(
            count, covariance, self.n_factors, start, floor, self.most_steps
        )
        noise = noise + self.regularization
        new = self.replace(mean, _signed(loadings), noise)
        new._at_floor = np.sum(noise <= floor * (1.0 + 1e-9), axis=1)
        new.exact = converged and not new._at_floor.any() and not self.regularized
        return new

    def _start(self, covariance: Array, variance: Array) -> Array:
        """Noise (K, D) from which the search starts: that of the last step, or what standardised principal components leave.

        Each component's covariance is taken in units of the columns' variances, so that units do not matter.
        """
        if self._noise is not None and self._noise.shape == covariance.shape[:2]:
            return self._noise
        root = np.sqrt(variance)
        values = np.linalg.eigvalsh(covariance / (root[:, None] * root))
        left = np.maximum(values[:, : len(root) - self.n_factors], 0.0).mean(axis=1)
        return np.asarray(left[:, None] * variance)

    def expected_log_prob(self, stats: Statistics) -> float:
        """<eta, sum T>."""
        weights, about = self._weights, stats.about(self.mean)
        scatter = unpack_symmetric(about["sum_xx"], self.mean.shape[1])
        squares = np.einsum("kdd,kd->k", scatter, weights.inverse)
        squares -= np.einsum("kqd,kde,kqe->k", weights.projection, scatter, weights.projection, optimize=True)
        return float(about["count"] @ weights.constant - 0.5 * squares.sum())

    def suspects(self, stats: Statistics) -> dict[int, str]:
        """Components with fewer than q + 2 rows, or with the least noise allowed in more than q columns.

        In both cases the likelihood has no bound but the floor.
        """
        least = self.n_factors + 2
        reasons = {
            int(k): f"holds {stats['count'][k]:.3g} rows, fewer than q + 2 = {least}"
            for k in np.flatnonzero(stats["count"] < least - 1e-6)
        }
        for k in np.flatnonzero(self._at_floor > self.n_factors):
            reasons.setdefault(
                int(k), f"has the least noise allowed in {self._at_floor[k]} columns, more than its factors"
            )
        return reasons

    def split(self, stats: Statistics, component: int) -> Statistics:
        """Two halves about mean plus and minus sqrt(2 lambda / pi) along the main axis: the halves of a Gaussian."""
        values, axes = np.linalg.eigh(self.take([component]).covariance[0])
        shift = np.sqrt(2.0 * values[-1] / np.pi) * axes[:, -1]
        count, total = stats["count"][component], stats["sum_x"][component]
        halves = stats.take([*range(len(stats["count"])), component])
        # A half keeps the raw second moment plus the cross term of its shift.
        cross = 0.5 * np.outer(shift, total)
        for index, sign in ((component, 1.0), (-1, -1.0)):
            halves["count"][index] = 0.5 * count
            halves["sum_x"][index] = 0.5 * (total + sign * count * shift)
            halves["sum_xx"][index] *= 0.5
            halves["sum_xx"][index] += sign * pack_symmetric(cross + cross.T)
        return halves

    # --- the rest of the contract -----------------------------------------------------------------------------
    def coordinates(self) -> Array:
        """Means, loadings rotated so that their upper triangle is zero, and log noise variances."""
        lower = np.swapaxes(np.linalg.qr(np.swapaxes(self.loadings, 1, 2), mode="r"), 1, 2)
        signs = np.where(np.diagonal(lower, axis1=1, axis2=2) < 0.0, -1.0, 1.0)
        rows, columns = self._triangle
        free = (lower * signs[:, None, :])[:, rows, columns]
        return np.concatenate([self.mean.ravel(), free.ravel(), self.noise.free(self.noise_variances)])

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`: the same densities; loadings may be rotated."""
        vector = np.asarray(vector, dtype=np.float64)
        n_components, n_features = self.mean.shape
        rows, columns = self._triangle
        size, free = self.mean.size, n_components * len(rows)
        loadings = np.zeros(self.loadings.shape)
        loadings[:, rows, columns] = vector[size : size + free].reshape(n_components, -1)
        noise = self.noise.from_free(vector[size + free :], (n_components, n_features))
        return self.replace(vector[:size].reshape(self.mean.shape), loadings, noise)

    @property
    def _triangle(self) -> tuple[Array, Array]:
        rows, columns = np.tril_indices(self.mean.shape[1], m=self.n_factors)
        return rows, columns

    def take(self, components: Sequence[int] | Array) -> Self:
        """Some of the components."""
        index = np.asarray(components, dtype=np.intp)
        return self.replace(self.mean[index], self.loadings[index], self.noise_variances[index])

    def concatenate(self, parts: Sequence[Self]) -> Self:
        """This one's components followed by those of `parts` (with the first one's noise where all share it)."""
        everything = [self, *parts]
        noise = np.concatenate([part.noise_variances for part in everything])
        return self.replace(
            np.concatenate([part.mean for part in everything]),
            np.concatenate([part.loadings for part in everything]),
            self.noise.from_free(self.noise.free(noise), (len(noise), noise.shape[1])),
        )

    def sample(self, component: int, n: int, rng: np.random.Generator) -> Array:
        """n rows of one component, shape (n, D), about the encoding's origin."""
        factors = rng.standard_normal((n, self.n_factors))
        errors = rng.standard_normal((n, self.mean.shape[1])) * np.sqrt(self.noise_variances[component])
        return np.asarray(self.mean[component] + factors @ self.loadings[component].T + errors)

    # --- some columns from others -----------------------------------------------------------------------------
    @property
    def posterior_root(self) -> Array:
        """R, upper triangular (K, q, q): the factors given a row have precision R'R."""
        return self._weights.root

    def restricted(self, columns: Array) -> Self:
        """The law of some columns: the same factors with their loadings and noise."""
        return self.replace(
            self.mean[:, columns], self.loadings[:, columns], self.noise_variances[:, columns]
        )

    def conditioned(self, columns: Array, values: Array) -> Self:
        """The laws of the other columns given values (G,) of some: the factors given these, scaled to be standard again."""
        given, rest = self.restricted(columns), np.setdiff1d(np.arange(self.mean.shape[1]), columns)
        factors = given.factor_scores(np.asarray(values, dtype=np.float64)[:, None])[:, :, 0]
        loadings = np.swapaxes(self.loadings[:, rest], 1, 2)
        mean = self.mean[:, rest] + np.einsum("kqd,kq->kd", loadings, factors)
        # Their covariance is R^-1 (R^-1)', which loadings take up.
        turned = np.linalg.solve(np.swapaxes(given.posterior_root, 1, 2), loadings)
        return self.replace(mean, np.swapaxes(turned, 1, 2), self.noise_variances[:, rest])

    def expected_cells(self, x: Array, resp: Array, encoding: Encoding) -> list[Array]:
        """Conditional means given the cells that are there, summed over resp (K, B)."""
        factors = self.factor_scores(self.encode(x, replace(encoding, missing=True)))
        found = np.einsum("kdq,kqb,kb->db", self.loadings, factors, resp, optimize=True)
        return list(found + self.mean.T @ resp)

    def table(self, names: Sequence[str], origin: Array | None) -> Iterator[tuple[str, str, str, Array]]:
        """Means, loadings (the other feature is the factor) and noise variances by name, in the units of the data."""
        means = self.mean if origin is None else self.mean + origin
        for d, name in enumerate(names):
            yield "mean", name, "", means[:, d]
        for d, name in enumerate(names):
            for q in range(self.n_factors):
                yield "loading", name, f"factor{q}", self.loadings[:, d, q]
        for d, name in enumerate(names):
            yield "noise_variance", name, "", self.noise_variances[:, d]


def _refuse(count: Array, bad: Array, reason: str) -> None:
    if bad.any():
        raise DegenerateComponentError(
            Degenerate(int(k), float(count[k]), reason) for k in np.flatnonzero(bad)
        )


def _signed(loadings: Array) -> Array:
    """Loadings (K, D, q) whose largest entry in every column is positive."""
    largest = np.argmax(np.abs(loadings), axis=1)
    signs = np.sign(np.take_along_axis(loadings, largest[:, None, :], axis=1))
    return np.where(signs < 0.0, -loadings, loadings)
