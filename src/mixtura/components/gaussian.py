r"""Gaussian components with any covariance structure.

The file is long because the whole contract of a component is here, with two ways to score it.

The log density is linear in :math:`T(x) = [1, x, \text{second-order features}]`, so one matrix product scores all
K components and one accumulates all sums. Where that form would lose digits (a component far from the origin next
to its own spread) or waste flops (many columns, full covariance), every component whitens residuals about its own
mean and sums about that mean instead.

References
----------
.. [1] C. M. Bishop (2006), Pattern Recognition and Machine Learning, section 9.2.2.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np

from mixtura.components.conditioning import normal_given, part_of
from mixtura.components.covariance import CovarianceModel, Full
from mixtura.components.partial import BlankBlock, MaskedBlock, PartialBlock
from mixtura.components.pattern_block import PatternBlock
from mixtura.exceptions import Degenerate, DegenerateComponentError, InvalidParameterError
from mixtura.priors.base import Prior
from mixtura.protocols import Array, Encoding
from mixtura.statistics import Statistics, pack_symmetric

__all__ = ["Gaussian", "GaussianBlock", "covariance_table"]

_LOG_TWO_PI = float(np.log(2.0 * np.pi))
# Squared distance from the origin, in units of a component's own spread, beyond which the packed form of a float64
# block would err by more than about 1e-10 in a score (float32: 1e-4).
_GUARD = {"float64": 1e6, "float32": 1e3}
# A central second moment below this share of the raw one is rounding, not variance.
_CANCELLED = 1e-11
# Columns above which packed products of rows that lack cells cost more than residuals.
_MOST_PACKED = 64


class GaussianBlock(NamedTuple):
    """A batch as Gaussians see it.

    Parameters
    ----------
    x : ndarray, shape (D, B)
        Rows about the encoding's origin.
    features : ndarray, shape (1 + D + P2, B), or None
        T(x); None when components whiten residuals about their own means.
    """

    x: Array
    features: Array | None


class Gaussian:
    """K Gaussians sharing one covariance structure.

    Parameters
    ----------
    mean : ndarray, shape (K, D), optional
        Means about the encoding's origin. None before the first M-step.
    covariance : ndarray, optional
        In the shape of `model`: (K, D, D), (D, D), (K, D) or (K,).
    model : CovarianceModel, default Full()
        The covariance structure.
    precision_cholesky : ndarray, optional
        Factor of the precision in scikit-learn's shape; made from `covariance` where it is not given.

    Examples
    --------
    >>> g = Gaussian(np.zeros((1, 2)), np.eye(2)[None])
    >>> g.log_prob(g.encode(np.zeros((2, 1)), Encoding(2))).round(4)
    array([[-1.8379]])
    """

    #: Rows are taken about the columns' means.
    centred = True
    #: Missing cells are integrated over, by the pattern that they make.
    marginal = True
    name = "Gaussian"
    support = "finite numbers"

    def __init__(
        self,
        mean: Array | None = None,
        covariance: Array | None = None,
        model: CovarianceModel | None = None,
        precision_cholesky: Array | None = None,
    ) -> None:
        self.model = Full() if model is None else model
        self._mean = None if mean is None else np.asarray(mean, dtype=np.float64)
        self._covariance = None if covariance is None else np.asarray(covariance, dtype=np.float64)
        self._factor = precision_cholesky  # made from the covariance on first use
        self._natural: Array | None = None
        self._cache_precision: Array | None = None
        self._distance: float | None = (
            None  # squared, of the farthest mean from the origin, in its own spread
        )
        self.exact = self.model.regularization == 0.0

    def __repr__(self) -> str:
        size = "blank" if self._mean is None else "K={}, D={}".format(*self._mean.shape)
        return f"Gaussian({self.model.name}, {size})"

    # --- parameters -------------------------------------------------------------------------------------------
    @property
    def blank(self) -> bool:
        """Whether there are no parameters yet."""
        return self._mean is None

    def moved(self, by: Array) -> Self:
        """The same components about an origin that lies `by`, shape (D,), farther."""
        return self.replace(self.mean - by, self.covariance)

    def table(self, names: Sequence[str], origin: Array | None) -> list[tuple[str, str, str, Array]]:
        """Means, in units of the data, and covariances."""
        mean = self.mean if origin is None else self.mean + origin
        return [("mean", name, "", mean[:, d]) for d, name in enumerate(names)] + covariance_table(
            "covariance", names, self.matrices
        )

    @property
    def mean(self) -> Array:
        """Means about the encoding's origin, shape (K, D)."""
        if self._mean is None:
            msg = "The Gaussian components have no parameters yet: fit them, or call maximize first."
            raise InvalidParameterError(msg)
        return self._mean

    @property
    def covariance(self) -> Array:
        """Covariances in the shape of the structure, squared units of the data."""
        if self._covariance is None:
            self.mean  # noqa: B018 - raises the message for a blank component
            msg = "The Gaussian components have means but no covariances: give both."
            raise InvalidParameterError(msg)
        return self._covariance

    @property
    def precision_cholesky(self) -> Array:
        """Factor of the precision in scikit-learn's shape."""
        if self._factor is None:
            self._factor = self.model.precision_cholesky(self.covariance)
        return self._factor

    @property
    def matrices(self) -> Array:
        """Covariance matrices, shape (K, D, D)."""
        return self.model.matrices(self.covariance, *self.mean.shape)

    @property
    def precision(self) -> Array:
        """Precision matrices, shape (K, D, D), or (1, D, D) where components share one."""
        if self._cache_precision is None:
            factor = self.model.matrices(self.precision_cholesky, *self.mean.shape)
            factor = factor[:1] if self.model.pooled else factor
            self._cache_precision = factor @ factor.swapaxes(1, 2)
        return self._cache_precision

    @property
    def n_components(self) -> int:
        """K, number of components."""
        return len(self.mean)

    @property
    def regularized(self) -> bool:
        """Whether the covariance structure adds to every variance."""
        return self.model.regularization > 0.0

    def n_statistics(self, n_features: int) -> int:
        """Numbers per row that a block holds: T(x), or a few residuals where components whiten by themselves."""
        packed = n_features <= self.model.packed_limit
        return 1 + n_features + self.model.n_second(n_features) if packed else 4 * n_features

    def n_parameters(self) -> int:
        """K D means and the covariances' own number."""
        n_components, n_features = self.mean.shape
        return n_components * n_features + self.model.n_parameters(n_components, n_features)

    def replace(self, mean: Array, covariance: Array) -> Self:
        """The same structure with other parameters."""
        new = copy.copy(self)
        new._mean, new._covariance = (
            np.asarray(mean, dtype=np.float64),
            np.asarray(covariance, dtype=np.float64),
        )
        new._factor = new._natural = new._cache_precision = new._distance = None
        new.exact = self.model.regularization == 0.0
        return new

    # --- with a prior -----------------------------------------------------------------------------------------
    def variational(self, prior: Prior | None, overall: Statistics, origin: Array | None) -> Gaussian:
        """Blank components whose parameters have posterior laws (:mod:`mixtura.components.gaussian_posterior`)."""
        from mixtura.components.gaussian_posterior import GaussianPosterior

        return GaussianPosterior(self, prior, overall, origin)

    def penalized(self, prior: Prior | None, overall: Statistics, origin: Array | None) -> Gaussian:
        """Blank components that go to the mode of their posterior."""
        from mixtura.components.gaussian_posterior import GaussianMode

        return GaussianMode(self, prior, overall, origin)

    # --- the pass ---------------------------------------------------------------------------------------------
    def needs_own_origin(self, encoding: Encoding) -> bool:
        """Whether the conditioning guard asks every component to work about its own mean."""
        if self._mean is None:
            return False
        if self._distance is None:
            half = self.model.precision_times(self.precision_cholesky, self.mean)
            self._distance = float(np.max(np.einsum("kd,kd->k", self.mean, half)))
        return self._distance > _GUARD[encoding.dtype]

    def encode(self, x: Array, encoding: Encoding) -> GaussianBlock | PartialBlock:
        """T(x), or x alone when components whiten by themselves; rows by pattern where cells are missing."""
        x = np.asarray(x, dtype=encoding.dtype)
        if encoding.missing:
            gaps = np.isnan(x)
            if gaps.any():
                return self._encode_partial(x, gaps, encoding)
        return self._encode_complete(x, encoding)

    def _encode_partial(self, x: Array, gaps: Array, encoding: Encoding) -> PartialBlock:
        """Rows of which some lack cells."""
        filled = np.where(gaps, x.dtype.type(0.0), x)
        if self._mean is None:
            variance = np.ones(len(x)) if encoding.scale is None else encoding.scale**2
            return BlankBlock(self._encode_complete(filled, encoding), gaps, variance)
        own = self.needs_own_origin(encoding)
        if self.model.independent_columns:
            return MaskedBlock(filled, gaps, self.model, own=own)
        complete = self._encode_complete(x[:, ~gaps.any(axis=0)], encoding)
        return PatternBlock(complete, filled, gaps, own=own or len(x) > _MOST_PACKED)

    def _encode_complete(self, x: Array, encoding: Encoding) -> GaussianBlock:
        """Rows that lack nothing."""
        n_features, n_rows = x.shape
        if n_features > self.model.packed_limit or self.needs_own_origin(encoding):
            return GaussianBlock(x, None)
        first = 1 + n_features
        second = 0 if self.model.pooled else self.model.n_second(n_features)
        features = np.empty((first + second, n_rows), dtype=encoding.dtype)
        features[0] = 1.0
        features[1:first] = x
        if second:
            self.model.second_order(x, features[first:])
        return GaussianBlock(x, features)

    def log_prob(self, block: GaussianBlock | PartialBlock) -> Array:
        """Scores, shape (K, B); of the observed cells, where some are missing."""
        return self.normal_log_prob(block)

    def normal_log_prob(self, block: GaussianBlock | PartialBlock) -> Array:
        """Log densities of normal laws with these means and covariances, which subclasses may add to."""
        if isinstance(block, PartialBlock):
            return block.log_prob(self)
        if block.features is None:
            return self._whitened_log_prob(block.x)
        natural = self.natural.astype(block.features.dtype, copy=False)
        if not self.model.pooled:
            return natural @ block.features
        scores = natural[:, : len(block.features)] @ block.features
        white = self.model.whiten(block.x, self.precision_cholesky.astype(block.x.dtype, copy=False), 0)
        scores -= 0.5 * np.einsum("db,db->b", white, white)
        return np.asarray(scores)

    def peaks(self, block: GaussianBlock | PartialBlock | None) -> Array:
        """The largest log density that each row (its observed cells) could have, shape (K, B), or (K, 1) without missing cells."""
        if isinstance(block, PartialBlock):
            return block.peaks(self)
        n_components, n_features = self.mean.shape
        log_det = self.model.half_log_det(self.precision_cholesky, n_features)
        return np.broadcast_to(log_det - 0.5 * n_features * _LOG_TWO_PI, (n_components,))[:, None]

    @property
    def natural(self) -> Array:
        """Natural parameters in the order of T(x), shape (K, 1 + D + P2); the first is the constant."""
        if self._natural is None:
            factor, mean, model = self.precision_cholesky, self.mean, self.model
            linear = model.precision_times(factor, mean)
            n_features = mean.shape[1]
            constant = model.half_log_det(factor, n_features) - 0.5 * (
                n_features * _LOG_TWO_PI + np.einsum("kd,kd->k", mean, linear)
            )
            quadratic = np.atleast_2d(model.quadratic(factor))
            quadratic = np.broadcast_to(quadratic, (len(mean), quadratic.shape[1]))
            self._natural = np.concatenate([constant[:, None], linear, quadratic], axis=1)
        return self._natural

    def _whitened_log_prob(self, x: Array) -> Array:
        """Scores by residuals about each mean: slower for few columns, exact far from the origin."""
        factor, model = self.precision_cholesky, self.model
        n_components, n_features = self.mean.shape
        scores = np.empty((n_components, x.shape[1]))
        for k in range(n_components):
            white = model.whiten(x - self.mean[k][:, None], factor, k)
            np.einsum("db,db->b", white, white, out=scores[k])
        scores *= -0.5
        log_det = np.broadcast_to(model.half_log_det(factor, n_features), (n_components,))
        scores += (log_det - 0.5 * n_features * _LOG_TWO_PI)[:, None]
        return scores

    def expected_statistics(self, block: GaussianBlock | PartialBlock, resp: Array) -> Statistics:
        """Count, first and second moments weighted by resp (K, B), about the origin or each own mean."""
        return self.moments(block, resp, resp)

    def moments(self, block: GaussianBlock | PartialBlock, weight: Array, resp: Array) -> Statistics:
        """The same sums with rows weighted by weight (K, B), and conditional covariances of missing cells by resp (K, B)."""
        if isinstance(block, PartialBlock):
            return block.moments(self, weight, resp)
        shared = frozenset({"sum_xx"}) if self.model.pooled else frozenset()
        if block.features is None:
            return self._own_statistics(block.x, weight, shared)
        first = 1 + len(block.x)
        sums = weight @ block.features.T
        if self.model.pooled:
            second = pack_symmetric((block.x * weight.sum(axis=0)) @ block.x.T)[None]
        else:
            second = sums[:, first:]
        columns = {"count": sums[:, 0], "sum_x": sums[:, 1:first], "sum_xx": second}
        return Statistics(
            {name: value.astype(np.float64, copy=False) for name, value in columns.items()}, shared=shared
        )

    def conditional_mean(self, block: GaussianBlock | PartialBlock, resp: Array) -> Array:
        """Rows (D, B) with missing cells at their conditional means, averaged by resp (K, B) whose columns sum to one."""
        return block.fill(self, resp) if isinstance(block, PartialBlock) else block.x

    def _own_statistics(self, x: Array, resp: Array, shared: frozenset[str]) -> Statistics:
        """Sums about each component's own mean (about the encoding's origin while there are no means)."""
        origin = np.zeros((len(resp), len(x))) if self._mean is None else self._mean
        count = resp.sum(axis=1, dtype=np.float64)
        first = np.empty((len(resp), len(x)))
        second = []
        for k, weight in enumerate(resp):
            residual = x - origin[k][:, None]
            first[k] = residual @ weight
            second.append(self.model.own_second_order(residual, weight))
        stacked = np.stack([np.atleast_1d(row) for row in second]).astype(np.float64)
        if self.model.pooled:
            stacked = stacked.sum(axis=0, keepdims=True)
        return Statistics({"count": count, "sum_x": first, "sum_xx": stacked}, shared=shared, origin=origin)

    # --- the update -------------------------------------------------------------------------------------------
    def maximize(self, stats: Statistics) -> Self:
        """Weighted means and the structure's covariance (Bishop 9.24, 9.25).

        Raises
        ------
        DegenerateComponentError
            Naming every component that is empty or whose covariance is not positive definite.
        """
        return self.stepped(stats["count"], stats)

    def stepped(self, count: Array, moments: Statistics, size: Array | None = None) -> Self:
        """Means and covariances from moments of weighted rows.

        Parameters
        ----------
        count : ndarray, shape (K,)
            Rows of each component.
        moments : Statistics
            Count, first and second moments of rows with further weights.
        size : ndarray, shape (K,) or (1,), optional
            What covariances are divided by, where weights have a size of their own.

        Returns
        -------
        Gaussian
            New components.
        """
        empty = [
            Degenerate(int(k), float(count[k]), "it holds no rows") for k in np.flatnonzero(~(count > 1e-8))
        ]
        if empty:
            raise DegenerateComponentError(empty)
        mean = moments["sum_x"] / moments["count"][:, None]
        scatter = self.model.central(moments, mean)
        covariance = self.model.maximize(count, scatter, self._covariance)
        if size is not None:
            covariance = covariance / size.reshape(-1, *(1,) * (covariance.ndim - 1))
        covariance, cancelled = self._guard_cancellation(covariance, mean)
        origin = 0.0 if moments.origin is None else moments.origin
        new = self.replace(mean + origin, covariance)
        new._check_definite(count)
        if cancelled:
            new.exact, new._distance = False, np.inf
        return new

    def _guard_cancellation(self, covariance: Array, mean: Array) -> tuple[Array, bool]:
        """Replace variances that are only rounding of moments about a distant origin; the next pass corrects them."""
        rounding = _CANCELLED * mean**2
        if not np.any(rounding > self.model.variances(covariance, *mean.shape)):
            return covariance, False
        return self.model.raise_to(covariance, rounding), True

    def _check_definite(self, count: Array) -> None:
        """Name every component whose covariance has no Cholesky factor."""
        try:
            self._factor = self.model.precision_cholesky(self.covariance)
        except np.linalg.LinAlgError:
            smallest = np.linalg.eigvalsh(self.matrices)[:, 0]
            order = np.finfo(np.float64).eps * self.model.variances(self.covariance, *self.mean.shape).max(
                axis=1
            )
            bad = np.flatnonzero(~(smallest > order))
            bad = bad if bad.size else np.array([int(np.argmin(smallest))])
            raise DegenerateComponentError(
                Degenerate(
                    int(k),
                    float(count[k]),
                    f"its covariance is not positive definite (smallest eigenvalue {smallest[k]:.3g})",
                )
                for k in bad
            ) from None

    def expected_log_prob(self, stats: Statistics) -> float:
        """<eta, sum T>; minus infinity never occurs."""
        about = stats.about(None)
        natural, n_features = self.natural, self.mean.shape[1]
        first = 1 + n_features
        value = natural[:, 0] @ about["count"] + np.sum(natural[:, 1:first] * about["sum_x"])
        second = about["sum_xx"]
        if self.model.pooled:
            return float(value + natural[0, first:] @ second[0])
        return float(value + np.sum(natural[:, first:] * second.reshape(len(natural), -1)))

    def suspects(self, stats: Statistics) -> dict[int, str]:
        """Components with fewer than D + 1 rows, or flatter than 1e-4 of the data in some direction."""
        count, n_features = stats["count"], self.mean.shape[1]
        reasons = {
            int(k): f"holds {count[k]:.3g} rows, fewer than D + 1 = {n_features + 1}"
            for k in np.flatnonzero(count < n_features + 1 - 1e-6)
        }
        share = count / count.sum()
        centre = share @ self.mean
        between = (share[:, None] * (self.mean - centre)).T @ (self.mean - centre)
        overall = np.linalg.eigvalsh(np.einsum("k,kij->ij", share, self.matrices) + between)[0]
        smallest = np.linalg.eigvalsh(self.matrices)[:, 0]
        for k in np.flatnonzero(smallest < 1e-4 * overall):
            reasons.setdefault(
                int(k), f"smallest eigenvalue {smallest[k]:.3g} is under 1e-4 of the data's {overall:.3g}"
            )
        return reasons

    def split(self, stats: Statistics, component: int) -> Statistics:
        """Two halves about mean plus and minus sqrt(2 lambda / pi) along the main axis: the halves of a Gaussian."""
        count, total_sum = stats["count"][component], stats["sum_x"][component]
        axis_variance, axis = np.linalg.eigh(self.matrices[component])
        # The sums may know of less variance than the parameters, which are a step older.
        variance = min(axis_variance[-1], self._variance_along(axis[:, -1], stats, component))
        shift = np.sqrt(2.0 * variance / np.pi) * axis[:, -1]
        halves = stats.take([*range(len(stats["count"])), component])
        for index, sign in ((component, 1.0), (-1, -1.0)):
            halves["count"][index] = 0.5 * count
            halves["sum_x"][index] = 0.5 * (total_sum + sign * count * shift)
            if not self.model.pooled:
                halves["sum_xx"][index] *= 0.5
                # A half keeps the raw second moment plus the cross term of its shift.
                origin_mean = total_sum / count
                cross = sign * 0.5 * count * np.outer(shift, origin_mean)
                halves["sum_xx"][index] += _as_form(cross + cross.T, halves["sum_xx"][index])
        return halves

    def _variance_along(self, axis: Array, stats: Statistics, component: int) -> float:
        """Variance of the rows of one component along a unit vector (D,), as the sums have it."""
        if self.model.pooled:
            return np.inf
        count, row = stats["count"][component], np.atleast_1d(stats["sum_xx"][component])
        second = _as_form(np.outer(axis, axis), row)
        if row.size == len(axis) * (len(axis) + 1) // 2 and len(axis) > 1:
            second = pack_symmetric(np.outer(axis, axis) * (2.0 - np.eye(len(axis))))
        elif row.size == 1:
            second = second / len(axis)
        mean = stats["sum_x"][component] / count
        centre = (axis @ mean) ** 2 if row.size > 1 else mean @ mean / len(axis)
        return max(float(second @ row / count - centre), 0.0)

    # --- the rest of the contract -----------------------------------------------------------------------------
    def coordinates(self) -> Array:
        """Means and log-Cholesky factors as one vector."""
        return np.concatenate([self.mean.ravel(), self.model.free(self.covariance)])

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`."""
        vector = np.asarray(vector, dtype=np.float64)
        size = self.mean.size
        mean = vector[:size].reshape(self.mean.shape)
        return self.replace(mean, self.model.from_free(vector[size:], self.covariance.shape))

    def take(self, components: Sequence[int] | Array) -> Self:
        """Some of the components."""
        index = np.asarray(components, dtype=np.intp)
        return self.replace(self.mean[index], self.model.take(self.covariance, index))

    def concatenate(self, parts: Sequence[Self]) -> Self:
        """This one's components followed by those of `parts`."""
        everything = [self, *parts]
        return self.replace(
            np.concatenate([part.mean for part in everything]),
            self.model.concatenate([part.covariance for part in everything]),
        )

    def sample(self, component: int, n: int, rng: np.random.Generator) -> Array:
        """n rows of one component, shape (n, D), about the encoding's origin."""
        lower = np.linalg.cholesky(self.matrices[component])
        return self.mean[component] + rng.standard_normal((n, self.mean.shape[1])) @ lower.T

    # --- some columns from others -----------------------------------------------------------------------------
    def restricted(self, columns: Array) -> Gaussian:
        """Means and covariances of some columns; the structure becomes full, or stays one of independent columns."""
        return Gaussian(
            self.mean[:, columns], *part_of(self.model, self.matrices[:, columns[:, None], columns])
        )

    def conditioned(self, columns: Array, values: Array) -> Gaussian:
        """Normal laws of the other columns (:mod:`mixtura.components.conditioning`)."""
        given = normal_given(self.mean, self.matrices, columns, values)
        return Gaussian(given.mean, *part_of(self.model, given.matrices))

    def expected_cells(self, x: Array, resp: Array, encoding: Encoding) -> list[Array]:
        """Conditional means given the cells that are there."""
        return list(self.conditional_mean(self.encode(x, encoding), resp))


def _as_form(matrix: Array, like: Array) -> Array:
    """A symmetric matrix as packed triangle, diagonal or trace, whichever form `like` has."""
    n_features = len(matrix)
    if like.size == n_features * (n_features + 1) // 2:
        return pack_symmetric(matrix)
    return matrix.diagonal() if like.size == n_features else np.array([np.trace(matrix)])


def covariance_table(kind: str, names: Sequence[str], matrices: Array) -> list[tuple[str, str, str, Array]]:
    """Rows of a table of parameters for symmetric matrices (K, D, D)."""
    return [
        (kind, names[i], names[j], matrices[:, i, j]) for i in range(len(names)) for j in range(i, len(names))
    ]
