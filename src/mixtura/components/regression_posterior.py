r"""Linear regressions with a Normal-Gamma prior: posterior laws of coefficients and noise, or their mode.

For :math:`\lambda\sim\mathrm{Gamma}(a,b)` and :math:`\beta\mid\lambda\sim N(m,(\lambda P)^{-1})` the expected log density is

.. math:: E\log N(y\mid\beta'z,\lambda^{-1})
          = \log N(y\mid m'z, b/a) + \tfrac12\bigl(\psi(a) - \log a\bigr) - \tfrac12 z'P^{-1}z ,

that of the regression with coefficients m and noise variance b / a, a number for each component, and a quadratic form in z: how far the
row is from those that told the coefficients. With one component the bound is the evidence of Bayesian linear regression, in which y has
a multivariate Student-t law.

References
----------
.. [1] C. M. Bishop (2006), Pattern Recognition and Machine Learning, sections 3.3 and 10.3.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Self

import numpy as np
from scipy.special import digamma, gammaln

from mixtura.components.design import solve_normal
from mixtura.components.gaussian_response import GaussianResponse
from mixtura.components.regression import RegressionBlock
from mixtura.exceptions import InvalidParameterError
from mixtura.priors.base import Prior
from mixtura.priors.regression import Lines, RegressionPrior, joined_lines
from mixtura.protocols import Array
from mixtura.statistics import Statistics, pack_symmetric, unpack_symmetric

__all__ = ["RegressionMode", "RegressionPosterior", "RegressionPredictive"]

# Share of the response's variance that the default prior takes for noise where one regression leaves none.
_LEAST_NOISE = 1e-6


class _Conjugate(GaussianResponse):
    """What posterior and mode share: the prior, and the posterior laws of sums."""

    #: Even without data it has a place: that of the prior.
    located = True

    def __init__(
        self, template: GaussianResponse, prior: Prior | None, overall: Statistics, origin: Array | None
    ) -> None:
        if template.shared or template.tied:
            what = "shared coefficients" if template.shared else "one noise variance for all components"
            msg = (
                f"The Gaussian response has {what}, for which there is no conjugate prior; expected coefficients and a noise variance "
                "for each component. Leave shared= and tied noise out, or fit without a prior."
            )
            raise InvalidParameterError(msg)
        super().__init__(
            response=template.response,
            covariates=template.covariates,
            intercept=template.intercept,
            pool=template.pool,
        )
        given = RegressionPrior.taken(prior, "Gaussian response")
        level = 0.0 if origin is None else float(origin[template.response])
        self.prior = _prior(given, overall, level, intercept=template.intercept)

    def under(self, prior: Lines) -> Self:
        """The same components under another prior."""
        new = copy.copy(self)
        new.prior = prior
        return new

    def _change(self, by: Array) -> tuple[Array, Array]:
        """Coefficients about an origin that lies `by` farther are ``change @ coefficients + shift``."""
        size = self.prior.mean.shape[1]
        change, shift = np.eye(size), np.zeros(size)
        if self.intercept:
            change[0, 1:] = by[self._rows(len(by))]
            shift[0] = -by[self.response]
        return change, shift

    def moved(self, by: Array) -> Self:
        """Prior and parameters about an origin that lies `by` farther."""
        by = np.asarray(by, dtype=np.float64)
        new = self if self.blank else super().moved(by)
        return new.under(self.prior.moved(*self._change(by)))

    def posterior(self, stats: Statistics) -> Lines:
        """Laws of the parameters given sums of rows: one for each component, empty ones that of the prior."""
        cross = stats["sum_zy"]
        return self.prior.after(
            stats["count"], unpack_symmetric(stats["sum_zz"], cross.shape[1]), cross, stats["sum_yy"]
        )

    def suspects(self, stats: Statistics) -> dict[int, str]:
        """None: a component on few rows is close to the prior, not spurious."""
        return {}

    @property
    def point(self) -> GaussianResponse:
        """Regressions with these coefficients and noise variances, and no prior."""
        return GaussianResponse(
            self.coefficients,
            self.noise_variances,
            response=self.response,
            covariates=self.covariates,
            intercept=self.intercept,
            pool=self.pool,
        )


def _prior(given: RegressionPrior, overall: Statistics, level: float, *, intercept: bool) -> Lines:
    """The prior about the present origin, of hyper-parameters about the rows' means."""
    count = float(overall["count"].sum())
    cross, squares = overall["sum_zy"].sum(axis=0) / count, float(overall["sum_yy"].sum()) / count
    size = len(cross)
    gram = unpack_symmetric(overall["sum_zz"], size).sum(axis=0) / count
    change, shift = np.eye(size), np.zeros(size)
    if intercept:
        centre, height = gram[0].copy(), float(cross[0])
        change[0, 1:] = -centre[1:]  # from the means back to the present origin
        shift[0] = height
        squares -= height**2
        cross = cross - height * centre
        gram = gram - np.outer(centre, centre)
        gram[0, 0], cross[0] = 1.0, 0.0
        level += height
    line = solve_normal(gram[None], cross[None])
    noise = squares
    if not line.undetermined:
        noise = max(_LEAST_NOISE * squares, squares - float(line.coefficients[0] @ cross))
    return given.law(gram, level, noise or 1.0, intercept=intercept).moved(change, shift)


class RegressionPosterior(_Conjugate):
    """K regressions whose coefficients and noise precision have Normal-Gamma laws.

    Parameters
    ----------
    template : GaussianResponse
        Whose columns are taken.
    prior : RegressionPrior or None
        None is the default one.
    overall : Statistics
        Sums of all rows as one component.
    origin : ndarray, shape (D,), or None
        Where the rows' origin lies, in the units of the data.

    Examples
    --------
    >>> from mixtura.protocols import Encoding
    >>> x = np.array([[1.0, 3.1, 4.9, 7.0], [0.0, 1.0, 2.0, 3.0]])
    >>> blank = GaussianResponse()
    >>> sums = blank.expected_statistics(blank.encode(x, Encoding(2)), np.ones((1, 4)))
    >>> posterior = blank.variational(None, sums, None).maximize(sums)
    >>> posterior.coefficients.round(2), posterior.laws.shape
    (array([[1.04, 1.98]]), array([2.5]))
    """

    laws_: Lines | None = None
    _offset: Array
    _packed: Array

    @property
    def laws(self) -> Lines:
        """Posterior laws of the components."""
        if self.laws_ is None:
            self.coefficients  # noqa: B018 - raises the message for a blank component
        return self.laws_  # type: ignore[return-value]

    def at(self, laws: Lines) -> Self:
        """The same prior with other posterior laws."""
        new = self.with_noise(laws.mean, laws.rate / laws.shape)
        new.laws_ = laws
        new._offset = np.asarray(0.5 * (digamma(laws.shape) - np.log(laws.shape)))
        # z' C z as an inner product with the packed upper triangle of z z': entries off the diagonal count twice.
        covariance = laws.covariance
        size = covariance.shape[1]
        new._packed = pack_symmetric(covariance * (2.0 - np.eye(size)))
        return new

    def moved(self, by: Array) -> Self:
        """Prior and posterior about an origin that lies `by` farther."""
        by = np.asarray(by, dtype=np.float64)
        if self.laws_ is None:
            return super().moved(by)
        change = self._change(by)
        return self.under(self.prior.moved(*change)).at(self.laws.moved(*change))

    def log_prob(self, block: RegressionBlock) -> Array:
        """Expected log densities, shape (K, B)."""
        scores = super().log_prob(block)
        scores -= 0.5 * self._unknown(block)
        scores += self._offset.astype(scores.dtype, copy=False)[:, None]
        return scores

    def _unknown(self, block: RegressionBlock) -> Array:
        """z' P^-1 z of rows, shape (K, B)."""
        return np.asarray(self._packed.astype(block.products.dtype, copy=False) @ block.products)

    def variance(self, block: RegressionBlock) -> Array:
        """Predictive variances of the responses, shape (K, B); infinite where the shape is 1 or less."""
        laws = self.laws
        with np.errstate(divide="ignore"):
            noise = np.where(laws.shape > 1.0, laws.rate / np.maximum(laws.shape - 1.0, 0.0), np.inf)
        return np.asarray(noise[:, None] * (1.0 + self._unknown(block)))

    def expected_log_prob(self, stats: Statistics) -> float:
        """Inner product of sums and expected parameters."""
        unknown = 0.5 * float(np.sum(self._packed * stats["sum_zz"]))
        return super().expected_log_prob(stats) + float(self._offset @ stats["count"]) - unknown

    def maximize(self, stats: Statistics) -> Self:
        """The posterior: sums of the rows added to those of the prior."""
        return self.at(self.posterior(stats))

    def penalty(self) -> float:
        """KL divergence of all posteriors from the prior."""
        return float(self.divergences().sum())

    def divergences(self) -> Array:
        """KL divergence of each component's posterior from the prior, shape (K,)."""
        return self.laws.divergence(self.prior)

    def draw(self, rng: np.random.Generator) -> GaussianResponse:
        """Regressions whose parameters are drawn from the posterior."""
        return self.point.with_noise(*self.laws.drawn(rng))

    def prior_draw(self, n_components: int, rng: np.random.Generator) -> GaussianResponse:
        """Regressions whose parameters are drawn from the prior."""
        return self.point.with_noise(*self.prior.take(np.zeros(n_components, dtype=np.intp)).drawn(rng))

    @property
    def predictive(self) -> RegressionPredictive:
        """Components that score by the law of a new response given all rows seen: Student-t."""
        new = copy.copy(self)
        new.__class__ = RegressionPredictive
        return new  # type: ignore[return-value]

    def sample(self, component: int, n: int, rng: np.random.Generator) -> Array:
        """Rows of one component of the point."""
        return self.point.sample(component, n, rng)

    # --- the rest of the contract -----------------------------------------------------------------------------
    def coordinates(self) -> Array:
        """Means, logarithms of shape and rate, and logarithmic Cholesky factors of the precisions."""
        laws = self.laws
        factor = np.linalg.cholesky(laws.precision)
        size = factor.shape[1]
        places = np.diag_indices(size)
        free = factor.copy()
        free[:, places[0], places[1]] = np.log(factor[:, places[0], places[1]])
        rows, columns = np.tril_indices(size)
        return np.concatenate(
            [laws.mean.ravel(), np.log(laws.shape), np.log(laws.rate), free[:, rows, columns].ravel()]
        )

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`."""
        many, size = self.laws.mean.shape
        mean, shape, rate, free = np.split(
            np.asarray(vector, dtype=np.float64), np.cumsum([many * size, many, many])
        )
        factor = np.zeros((many, size, size))
        rows, columns = np.tril_indices(size)
        factor[:, rows, columns] = free.reshape(many, -1)
        places = np.diag_indices(size)
        factor[:, places[0], places[1]] = np.exp(factor[:, places[0], places[1]])
        precision = factor @ np.swapaxes(factor, 1, 2)
        return self.at(Lines(mean.reshape(many, size), precision, np.exp(shape), np.exp(rate)))

    def take(self, components: Sequence[int] | Array) -> Self:
        """Some of the components."""
        return self.at(self.laws.take(np.asarray(components, dtype=np.intp)))

    def concatenate(self, parts: Sequence[Self]) -> Self:
        """This one's components followed by those of `parts`."""
        return self.at(joined_lines([self.laws, *(part.laws for part in parts)]))


class RegressionPredictive(RegressionPosterior):
    """The same posterior, scoring by its predictive law: Student-t with 2 a degrees of freedom about m'z."""

    def log_prob(self, block: RegressionBlock) -> Array:
        """log p(y | z, rows seen), shape (K, B)."""
        laws = self.laws
        half = laws.shape[:, None]
        scale = self.noise_variances[:, None] * (1.0 + self._unknown(block))
        distance = (block.response - self.predictor(block)) ** 2 / scale
        constant = gammaln(half + 0.5) - gammaln(half) - 0.5 * np.log(2.0 * np.pi * half * scale)
        return np.asarray(constant - (half + 0.5) * np.log1p(0.5 * distance / half))


class RegressionMode(_Conjugate):
    """K regressions at the mode of the posterior density of coefficients and noise variance (Normal-inverse-gamma).

    Parameters are those of :class:`RegressionPosterior`. The mode always exists: coefficients m, noise variance b / (a + Q / 2 + 1).
    """

    def maximize(self, stats: Statistics) -> Self:
        """The mode of prior and sums together."""
        laws = self.posterior(stats)
        return self.with_noise(laws.mean, laws.rate / (laws.shape + 0.5 * laws.mean.shape[1] + 1.0))

    def penalty(self) -> float:
        """Minus the log prior density of coefficients and noise variances."""
        prior, noise = self.prior, self.noise_variances
        power = prior.shape + 0.5 * prior.mean.shape[1] + 1.0
        density = -power * np.log(noise) - (prior.rate + 0.5 * prior.distance(self.coefficients)) / noise
        return -float(np.sum(density - prior.log_partition))
