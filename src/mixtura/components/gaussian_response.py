r"""Linear regressions with Gaussian noise: :math:`y = b_k^T z + e`, with noise variance :math:`\sigma_k^2`.

The weighted sums of :math:`z z^T`, :math:`z y` and :math:`y^2` are sufficient (section 2 of [1]_):

.. math:: b_k = \Big(\sum r z z^T\Big)^{-1}\sum r z y,\qquad
          \sigma_k^2 = \frac{1}{N_k}\sum r\,(y - b_k^T z)^2 .

Coefficients shared by all components couple the normal equations, weighted by :math:`1/\sigma_k^2`; they and the variances
take turns on the sums until neither moves, so that every step is exact ([2]_ has the model).

References
----------
.. [1] W. S. DeSarbo and W. L. Cron (1988), "A maximum likelihood methodology for clusterwise linear regression", Journal of
   Classification 5, 249-282.
.. [2] B. Grün and F. Leisch (2008), "FlexMix version 2: finite mixtures with concomitant variables and varying and constant
   parameters", Journal of Statistical Software 28(4).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Self

import numpy as np

from mixtura.components.design import solve_normal
from mixtura.components.regression import Regression, RegressionBlock
from mixtura.exceptions import Degenerate, DegenerateComponentError, InvalidParameterError
from mixtura.priors.base import Prior
from mixtura.protocols import Array
from mixtura.statistics import Statistics, unpack_symmetric

__all__ = ["GaussianResponse"]

_LOG_TWO_PI = float(np.log(2.0 * np.pi))
# A sum of squared residuals below this share of the sum of squares is rounding, not noise.
_CANCELLED = 1e-11
# Rounds in which shared coefficients and own variances take turns, and the relative change at which they stop.
_ROUNDS, _STILL = 500, 1e-13


class GaussianResponse(Regression):
    """K linear regressions with Gaussian noise.

    Parameters
    ----------
    coefficients : ndarray, shape (K, Q), optional
        Of the design's columns, the intercept first where there is one. None before the first M-step.
    noise_variances : ndarray, shape (K,), optional
        Variances of the noise, squared units of the response.
    response, covariates, intercept, shared, pool
        As for :class:`Regression`.
    tied : bool, default False
        Whether all components have one noise variance.
    smallest_variance : float, default 0
        Noise variances are kept above it; rows that lie on a line have no maximum of the likelihood without.

    Examples
    --------
    >>> from mixtura.protocols import Encoding
    >>> line = GaussianResponse(np.array([[1.0, 2.0]]), np.array([1.0]))  # y = 1 + 2 x + noise
    >>> line.log_prob(line.encode(np.array([[4.0], [1.0]]), Encoding(2))).round(4)  # y = 4 at x = 1
    array([[-1.4189]])
    """

    name = "Gaussian response"
    additive: ClassVar[bool] = True

    def __init__(
        self,
        coefficients: Array | None = None,
        noise_variances: Array | None = None,
        *,
        response: int = 0,
        covariates: Sequence[int] | None = None,
        intercept: bool = True,
        shared: Sequence[int] = (),
        tied: bool = False,
        smallest_variance: float = 0.0,
        pool: Array | None = None,
    ) -> None:
        super().__init__(
            coefficients,
            response=response,
            covariates=covariates,
            intercept=intercept,
            shared=shared,
            pool=pool,
        )
        self._noise = None if noise_variances is None else np.asarray(noise_variances, dtype=np.float64)
        self.tied = bool(tied)
        self.smallest_variance = float(smallest_variance)

    @property
    def noise_variances(self) -> Array:
        """Variances of the noise, shape (K,); equal where they are tied."""
        if self._noise is None:
            self.coefficients  # noqa: B018 - raises the message for a blank component
            msg = "The GaussianResponse components have coefficients but no noise variances: give both."
            raise InvalidParameterError(msg)
        return np.broadcast_to(self._noise, (self.n_components,))

    def n_parameters(self) -> int:
        """Free coefficients and variances."""
        return super().n_parameters() + (1 if self.tied else self.n_components)

    def with_noise(self, coefficients: Array, noise_variances: Array) -> Self:
        """The same settings with other parameters."""
        new = self.replace(coefficients)
        new._noise = np.asarray(noise_variances, dtype=np.float64)
        return new

    def table(self, names: Sequence[str], origin: Array | None) -> Iterator[tuple[str, str, str, Array]]:
        """Coefficients by the name of their column, then the noise's standard deviation."""
        yield from super().table(names, origin)
        yield "standard_deviation", names[self.response], "", np.sqrt(self.noise_variances)

    # --- with a prior -----------------------------------------------------------------------------------------
    def variational(self, prior: Prior | None, overall: Statistics, origin: Array | None) -> GaussianResponse:
        """Blank components whose parameters have posterior laws (:mod:`mixtura.components.regression_posterior`)."""
        from mixtura.components.regression_posterior import RegressionPosterior

        return RegressionPosterior(self, prior, overall, origin)

    def penalized(self, prior: Prior | None, overall: Statistics, origin: Array | None) -> GaussianResponse:
        """Blank components that go to the mode of their posterior."""
        from mixtura.components.regression_posterior import RegressionMode

        return RegressionMode(self, prior, overall, origin)

    # --- the pass ---------------------------------------------------------------------------------------------
    def mean(self, block: RegressionBlock) -> Array:
        """The linear predictors, shape (K, B)."""
        return self.predictor(block)

    def variance(self, block: RegressionBlock) -> Array:
        """Noise variances, shape (K, B)."""
        return np.broadcast_to(self.noise_variances[:, None], (self.n_components, len(block.response)))

    def log_prob(self, block: RegressionBlock) -> Array:
        """Scores, shape (K, B)."""
        scores = block.response - self.predictor(block)
        scores *= scores
        scores *= (-0.5 / self.noise_variances).astype(scores.dtype)[:, None]
        scores -= (0.5 * (_LOG_TWO_PI + np.log(self.noise_variances))).astype(scores.dtype)[:, None]
        return np.asarray(scores)

    def expected_statistics(self, block: RegressionBlock, resp: Array) -> Statistics:
        """Count and the sums of z z' (packed), z y and y^2."""
        weighted = resp * block.response
        sums = {
            "count": resp.sum(axis=1, dtype=np.float64),
            "sum_zz": resp @ block.products.T,
            "sum_zy": weighted @ block.design.T,
            "sum_yy": weighted @ block.response,
        }
        return Statistics({name: value.astype(np.float64, copy=False) for name, value in sums.items()})

    def maximize(self, stats: Statistics) -> Self:
        """Weighted least squares and mean squared residuals, all components at once.

        Raises
        ------
        DegenerateComponentError
            Naming every component without rows, with fewer than its coefficients need, or without noise.
        """
        self._refuse_empty(stats)
        count = stats["count"]
        matrices, vectors = _matrices(stats), stats["sum_zy"]
        start = np.ones(len(count)) if self._noise is None else self.noise_variances
        alone = self.tied or not self.shared
        noise = np.ones(len(count)) if alone else start
        for _ in range(1 if alone else _ROUNDS):
            coefficients = self._solve(
                matrices / noise[:, None, None], vectors / noise[:, None], stats["count"]
            )
            before, noise = noise, self._noise_of(stats, matrices, coefficients)
            if np.all(np.abs(noise - before) <= _STILL * noise):
                break
        return self.with_noise(coefficients, noise)

    def _noise_of(self, stats: Statistics, matrices: Array, coefficients: Array) -> Array:
        """Mean squared residuals from the sums, not below the smallest variance."""
        squares = _squared_residuals(stats, matrices, coefficients)
        count, total = stats["count"], stats["sum_yy"]
        if self.tied:
            count, squares, total = (np.broadcast_to(v.sum(), v.shape) for v in (count, squares, total))
        noise = np.maximum(squares / count, self.smallest_variance)
        flat = np.flatnonzero(~(noise * count > _CANCELLED * total))
        if flat.size:
            raise DegenerateComponentError(
                Degenerate(
                    int(k), float(stats["count"][k]), "its rows lie on a line: the noise has no variance"
                )
                for k in flat
            )
        return np.asarray(noise)

    def expected_log_prob(self, stats: Statistics) -> float:
        """<statistics, parameters>: the weighted log density."""
        squares = _squared_residuals(stats, _matrices(stats), self.coefficients)
        noise = self.noise_variances
        return float(-0.5 * (stats["count"] @ (_LOG_TWO_PI + np.log(noise)) + np.sum(squares / noise)))

    def suspects(self, stats: Statistics) -> dict[int, str]:
        """Components with too few rows, or with a noise variance under 1e-4 of that of one regression for all rows."""
        reasons = super().suspects(stats)
        pooled = stats.take([0])
        pooled.sums = {name: value.sum(axis=0, keepdims=True) for name, value in stats.sums.items()}
        matrices = _matrices(pooled)
        everything = solve_normal(matrices, pooled["sum_zy"])
        if everything.undetermined:
            return reasons
        overall = float(_squared_residuals(pooled, matrices, everything.coefficients)[0] / pooled["count"][0])
        for k in np.flatnonzero(self.noise_variances < 1e-4 * overall):
            reasons.setdefault(
                int(k),
                f"noise variance {self.noise_variances[k]:.3g} is under 1e-4 of the data's {overall:.3g}",
            )
        return reasons

    def split(self, stats: Statistics, component: int) -> Statistics:
        """Two halves above and below the line, as far as the halves of its noise are."""
        halves = stats.take([*range(len(stats["count"])), component])
        matrix = _matrices(stats)[component]
        column, size = self._tilt(matrix)
        line = self.coefficients[component]
        count = stats["count"][component]
        shift = np.sqrt(2.0 / np.pi * self.noise_variances[component] * count / size) * matrix[column]
        for index, sign in ((component, 1.0), (-1, -1.0)):
            for name in halves.sums:
                halves[name][index] *= 0.5
            halves["sum_zy"][index] += 0.5 * sign * shift
            halves["sum_yy"][index] += sign * float(line @ shift)
        return halves

    def coordinates(self) -> Array:
        """Free coefficients and logarithms of the variances."""
        noise = self.noise_variances[:1] if self.tied else self.noise_variances
        return np.concatenate([super().coordinates(), np.log(noise)])

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`."""
        vector = np.asarray(vector, dtype=np.float64)
        noise = np.exp(np.clip(vector[self._n_free :], -300.0, 300.0))
        return self.with_noise(vector[self._places], np.broadcast_to(noise, (self.n_components,)))

    def take(self, components: Sequence[int] | Array) -> Self:
        """Some of the components."""
        index = np.asarray(components, dtype=np.intp)
        return self.with_noise(self.coefficients[index], self.noise_variances[index])

    def concatenate(self, parts: Sequence[Self]) -> Self:
        """This one's components followed by those of `parts`."""
        everything = [self, *parts]
        return self.with_noise(
            np.concatenate([part.coefficients for part in everything]),
            np.concatenate([part.noise_variances for part in everything]),
        )

    def respond(self, block: RegressionBlock, state: Array, rng: np.random.Generator) -> Array:
        """A response of every row in its state."""
        mean = self.predictor(block)[state, np.arange(len(state))]
        return np.asarray(mean + np.sqrt(self.noise_variances[state]) * rng.standard_normal(len(state)))


def _matrices(stats: Statistics) -> Array:
    return unpack_symmetric(stats["sum_zz"], stats["sum_zy"].shape[1])


def _squared_residuals(stats: Statistics, matrices: Array, coefficients: Array) -> Array:
    """Sum of r (y - b'z)^2 of each component, from the sums."""
    fitted = np.einsum("kij,kj->ki", matrices, coefficients)
    return np.asarray(stats["sum_yy"] + np.sum(coefficients * (fitted - 2.0 * stats["sum_zy"]), axis=1))
