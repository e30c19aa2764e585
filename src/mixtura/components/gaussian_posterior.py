r"""Gaussian components with a Normal-Wishart prior: posterior laws of means and precisions, or their mode.

The file is long because the derivations and the rest of the contract stand beside the two updates.

For a posterior :math:`\mu\mid\Lambda\sim N(m,(\kappa\Lambda)^{-1})`, :math:`\Lambda\sim W(V^{-1},\nu)`
the expected log density is

.. math:: E\log N(x\mid\mu,\Lambda^{-1})
          = \log N(x\mid m, V/\nu) + \tfrac12\bigl(E\log|\Lambda| - \log|\nu V^{-1}|\bigr) - \frac{D}{2\kappa}

([1]_, equations 10.64 and 10.65): that of the Gaussian with mean m and covariance V / nu, and a number for each component. So the pass
is that of :class:`~mixtura.components.gaussian.Gaussian` in every form it has, packed or whitened or with missing cells (which
are integrated out of exp E log p, where the number stays as it is).

References
----------
.. [1] C. M. Bishop (2006), Pattern Recognition and Machine Learning, section 10.2.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from mixtura.components.covariance import CovarianceModel, Full
from mixtura.components.gaussian import _GUARD, Gaussian, GaussianBlock
from mixtura.components.product import Product
from mixtura.components.student_t import StudentT
from mixtura.components.wishart import WishartLaw, wishart_law
from mixtura.priors.base import MOST, NARROW, VAGUE, Prior, above, finite
from mixtura.priors.normal_wishart import NormalWishartPrior
from mixtura.protocols import Array, Encoding
from mixtura.statistics import Statistics

__all__ = ["GaussianMode", "GaussianPosterior", "NormalWishart"]

_LOG_TWO_PI = float(np.log(2.0 * np.pi))
# Share of the prior scatter at the beginning below which a learnt one does not fall.
LEAST = 1e-6
# Share of the columns' own variance that a default prior gives columns without any, or linear combinations of others.
_DEFAULT_FLOOR = 1e-6
# Rounding of a sum of squares, as a share of it.
_ROUNDING = 1e-14


@dataclass(frozen=True)
class NormalWishart:
    """Normal-Wishart laws: of K components, or (K = 1) the prior of all.

    Parameters
    ----------
    mean : ndarray, shape (K, D)
        m, about the encoding's origin.
    kappa : ndarray, shape (K,)
        How many rows each mean is worth.
    degrees : ndarray, shape (K,) or (1,)
        nu.
    scatter : ndarray
        V, in the structure's shape.
    """

    mean: Array
    kappa: Array
    degrees: Array
    scatter: Array

    @classmethod
    def prior(
        cls,
        law: WishartLaw,
        given: NormalWishartPrior,
        overall: Statistics,
        origin: Array | None,
        degrees: float,
        precision: float,
    ) -> NormalWishart:
        """The prior of a user, with defaults from the sums of all rows as one component.

        Raises
        ------
        InvalidParameterError
            Naming the hyper-parameter, its value and its bound.
        """
        kind, size = "NormalWishartPrior", law.n_features
        centre = overall["sum_x"].sum(axis=0) / overall["count"].sum()
        mean = centre if given.mean is None else finite(kind, "mean", given.mean, size)
        if given.mean is not None and origin is not None:
            mean = mean - origin
        wanted = precision if given.mean_precision is None else given.mean_precision
        kappa = above(kind, "mean_precision", wanted, 1)
        wanted = degrees if given.degrees_of_freedom is None else given.degrees_of_freedom
        nu = above(kind, "degrees_of_freedom", wanted, 1, law.least)
        return cls(mean[None], kappa, nu, law.shaped(law.checked(given.covariance)))

    @property
    def many(self) -> int:
        """K."""
        return len(self.kappa)


def _default_scatter(model: CovarianceModel, law: WishartLaw, overall: Statistics) -> Array:
    """Covariance of all rows in the form of one component's, with a floor under columns without variance."""
    mean = overall["sum_x"] / overall["count"][:, None]
    scatter = model.central(overall, mean) / overall["count"].sum()
    matrix = np.asarray(model.matrices(scatter, 1, law.n_features)[0])
    diagonal = matrix.diagonal()
    unit = np.where(diagonal > 0, diagonal, diagonal.max() if diagonal.max() > 0 else 1.0)
    scaled = matrix / np.sqrt(np.outer(unit, unit))
    if not np.linalg.eigvalsh(scaled)[0] > _DEFAULT_FLOOR:
        matrix = matrix + np.diag(_DEFAULT_FLOOR * unit)
    return law.from_matrix(matrix)


class _Conjugate(Gaussian):
    """What posterior and mode share: the prior, and the posterior laws of sums."""

    #: Even without data it has a place: that of the prior.
    located = True
    #: Of a default prior: degrees of freedom above D; what the mean is worth; its scatter over the covariance of all rows, by D.
    _extra = 0.0
    _precision = VAGUE
    _narrow = NARROW

    def __init__(
        self, template: Gaussian, prior: Prior | None, overall: Statistics, origin: Array | None
    ) -> None:
        super().__init__(model=template.model)
        given = NormalWishartPrior.taken(prior, "Gaussian")
        law = wishart_law(template.model, overall["sum_x"].shape[1])
        if given.covariance is None:
            share = law.n_features / self._narrow if self._narrow else 1.0
            given = replace(given, covariance=share * _default_scatter(template.model, law, overall))
        self.law = law
        degrees = law.n_features + self._extra
        self.prior = NormalWishart.prior(law, given, overall, origin, degrees, self._precision)

    def __repr__(self) -> str:
        return super().__repr__().replace("Gaussian", type(self).__name__)

    def under(self, prior: NormalWishart) -> Self:
        """The same components under another prior."""
        new = copy.copy(self)
        new.prior = prior
        return new

    def moved(self, by: Array) -> Self:
        """Prior and posterior about an origin that lies `by` farther."""
        return self.under(replace(self.prior, mean=self.prior.mean - by))

    def posterior(self, stats: Statistics) -> NormalWishart:
        """Laws of the parameters given sums of rows: one for each component, empty ones that of the prior."""
        prior, law = self.prior, self.law
        count = stats["count"]
        safe = np.where(count > 0, count, 1.0)
        own = stats["sum_x"] / safe[:, None]  # about the sums' own origin, where the scatter is taken
        scatter = self.model.central(stats, own)
        mean = own if stats.origin is None else own + stats.origin
        kappa = prior.kappa + count
        scatter = scatter + law.between(
            prior.kappa * count / kappa, np.where(count[:, None] > 0, mean - prior.mean, 0.0)
        )
        if self.model.regularization:
            unit = law.from_matrix(np.eye(law.n_features))
            size = count.sum() if self.model.pooled else count.reshape(-1, *(1,) * unit.ndim)
            scatter = scatter + self.model.regularization * size * unit
        centre = (prior.kappa * prior.mean + np.where(count > 0, count, 0.0)[:, None] * mean) / kappa[:, None]
        return NormalWishart(
            centre, kappa, law.degrees(float(prior.degrees[0]), count), prior.scatter + scatter
        )

    def _distances(self) -> Array:
        """Squared distances of the means from the prior's, in units of the components' own precisions, shape (K,)."""
        difference = self.mean - self.prior.mean
        precision = np.broadcast_to(self.precision, (len(difference), *self.precision.shape[1:]))
        return np.asarray(np.einsum("kd,kde,ke->k", difference, precision, difference))

    def suspects(self, stats: Statistics) -> dict[int, str]:
        """None: a component on few rows is close to the prior, not spurious."""
        return {}

    @property
    def point(self) -> Gaussian:
        """Gaussians without uncertainty: mean m and covariance V / nu (or the mode)."""
        return Gaussian(self.mean, self.covariance, self.model)


class GaussianPosterior(_Conjugate):
    """K Gaussians whose means and precisions have Normal-Wishart laws.

    Parameters
    ----------
    template : Gaussian
        Whose covariance structure is taken.
    prior : NormalWishartPrior or None
        None is the default one.
    overall : Statistics
        Sums of all rows as one component.
    origin : ndarray, shape (D,), or None
        Where the rows' origin lies, in the units of the data.

    Examples
    --------
    >>> from mixtura.protocols import Encoding
    >>> x = np.array([[-1.0, 0.0, 1.0, 4.0]])
    >>> blank = Gaussian()
    >>> sums = blank.expected_statistics(blank.encode(x, Encoding(1)), np.ones((1, 4)))
    >>> posterior = blank.variational(None, sums, None).maximize(sums)
    >>> posterior.laws.degrees
    array([5.])
    """

    laws_: NormalWishart | None = None
    #: Whether the prior is learnt, and the least scatter that it then may have.
    learn = False
    _least: Any = 0.0
    #: What is added to the scores of each component, shape (K,).
    _offset: Array
    _cache_expected: Array | None = None
    _cache_reach: float | None = None

    @property
    def laws(self) -> NormalWishart:
        """Posterior laws of the components."""
        if self.laws_ is None:
            self.mean  # noqa: B018 - raises the message for a blank component
        return self.laws_  # type: ignore[return-value]

    def at(self, laws: NormalWishart, precision_cholesky: Array | None = None) -> Self:
        """The same prior with other posterior laws, and the factor of their expected precisions where it is known."""
        size = np.broadcast_to(laws.degrees, (1,) if self.model.pooled else laws.kappa.shape)
        new = self.replace(laws.mean, self.law.divided(laws.scatter, size))
        new.laws_, new._factor = laws, precision_cholesky
        new._cache_expected = new._cache_reach = None
        n_features = laws.mean.shape[1]
        expected = self.law.terms(laws.degrees, laws.scatter).expected_log_det
        log_det = 2.0 * np.atleast_1d(self.model.half_log_det(new.precision_cholesky, n_features))
        new._offset = np.asarray(0.5 * (expected - log_det) - 0.5 * n_features / laws.kappa)
        return new

    def moved(self, by: Array) -> Self:
        """Prior and posterior about an origin that lies `by` farther."""
        new = super().moved(by)
        return new if self.laws_ is None else new.at(replace(self.laws_, mean=self.laws_.mean - by))

    # --- the pass ---------------------------------------------------------------------------------------------
    def log_prob(self, block: Any) -> Array:
        """Expected log densities, shape (K, B)."""
        if isinstance(block, GaussianBlock) and block.features is not None and not self.model.pooled:
            return np.asarray(self._expected.astype(block.features.dtype, copy=False) @ block.features)
        scores = super().log_prob(block)
        scores += self._offset.astype(scores.dtype, copy=False)[:, None]
        return scores

    @property
    def _expected(self) -> Array:
        """Natural parameters whose constants hold what is added, shape (K, 1 + D + P2): no pass over the scores adds it."""
        if self._cache_expected is None:
            self._cache_expected = self.natural.copy()
            self._cache_expected[:, 0] += self._offset
        return self._cache_expected

    def expected_log_prob(self, stats: Statistics) -> float:
        """Inner product of sums and expected parameters."""
        return super().expected_log_prob(stats) + float(self._offset @ stats["count"])

    def maximize(self, stats: Statistics) -> Self:
        """The posterior: sums of the rows added to those of the prior. Then, where it is learnt, the prior given the posterior."""
        new = self._without_cancellation(self.posterior(stats), stats)
        return new.under(new.learnt()) if self.learn else new

    def _without_cancellation(self, laws: NormalWishart, stats: Statistics) -> Self:
        """At these laws. Where only rounding is left of a scatter, wider ones, which the next pass corrects; the step is then inexact."""
        try:
            new = self.at(laws)
        except np.linalg.LinAlgError:
            squares = stats["count"][:, None] * laws.mean**2
            rounding = _ROUNDING * (squares + self.model.variances(laws.scatter, *laws.mean.shape))
            new = self.at(replace(laws, scatter=self.model.raise_to(laws.scatter, rounding)))
            new._distance = np.inf
        new.exact = new.exact and new._reach <= _GUARD["float64"]
        return new

    def needs_own_origin(self, encoding: Encoding) -> bool:
        """Also where rows lie far out in units of a component's least deviation: products about one origin would lose its digits."""
        return super().needs_own_origin(encoding) or (
            self.laws_ is not None and self._reach > _GUARD[encoding.dtype]
        )

    @property
    def _reach(self) -> float:
        """How far the components lie from the origin, squared, in units of the least deviation of any of them."""
        if self._cache_reach is None:
            variances = self.model.variances(self.covariance, *self.mean.shape)
            reach = (self.mean**2 + variances).max(axis=0)
            self._cache_reach = float((np.diagonal(self.precision, axis1=1, axis2=2) @ reach).max())
        return self._cache_reach

    def learning(self) -> Self:
        """The same, with a prior that is learnt in every step (empirical Bayes)."""
        new = copy.copy(self)
        new.learn, new._least = True, LEAST * self.prior.scatter
        return new

    def learnt(self) -> NormalWishart:
        r"""The prior from which the posterior laws diverge least: what raises the bound most while they stay.

        With :math:`E_k = E\Lambda_k` it has :math:`m_0 = (\sum E_k)^{-1}\sum E_k m_k`,
        :math:`1/\kappa_0 = \frac1{DK}\sum D/\kappa_k + (m_k-m_0)^T E_k (m_k-m_0)` and, for its degrees of freedom, which stay,
        :math:`V_0 = \nu_0 (\frac1K\sum E_k)^{-1}`, but no less than a millionth of where it began: like a likelihood, the bound
        would rise for ever where a component sits on equal rows.
        """
        laws, law, prior = self.laws, self.law, self.prior
        n_components, n_features = laws.mean.shape
        expected = law.precision(laws.degrees, laws.scatter)
        matrices = self.model.matrices(expected, n_components, n_features)
        mean = np.linalg.solve(matrices.sum(axis=0), np.einsum("kde,ke->d", matrices, laws.mean))
        gap = laws.mean - mean
        distance = np.einsum("kd,kde,ke->k", gap, matrices, gap)
        kappa = min(1.0 / float(np.mean(1.0 / laws.kappa + distance / n_features)), MOST)
        average = expected if self.model.pooled else expected.mean(axis=0, keepdims=True)
        scatter = law.raised(law.precision(prior.degrees, average), self._least)
        new = NormalWishart(mean[None], np.array([kappa]), prior.degrees, scatter)
        return new if self.under(new).penalty() <= self.penalty() else prior

    def penalty(self) -> float:
        """KL divergence of all posteriors from the prior."""
        means, precisions = self._divergences()
        return float(means.sum() + precisions.sum())

    def divergences(self) -> Array:
        """KL divergence of each component's posterior from the prior, shape (K,); a shared precision counts equally in all."""
        means, precisions = self._divergences()
        return np.asarray(means + (precisions if len(precisions) == len(means) else precisions / len(means)))

    def _divergences(self) -> tuple[Array, Array]:
        """Of the means given the precision, (K,), and of the precisions, (K,) or (1,)."""
        laws, prior, law = self.laws, self.prior, self.law
        n_features = laws.mean.shape[1]
        ratio = prior.kappa / laws.kappa
        precision = law.precision(laws.degrees, laws.scatter)
        distance = self._distances()
        means = 0.5 * (n_features * (ratio - 1.0 - np.log(ratio)) + prior.kappa * distance)
        terms, start = law.terms(laws.degrees, laws.scatter), law.terms(prior.degrees, prior.scatter)
        more = 0.5 * (laws.degrees - prior.degrees) * terms.expected_log_det
        gap = 0.5 * law.inner(laws.scatter - prior.scatter, precision)
        return np.asarray(means), np.asarray(start.log_partition - terms.log_partition + more - gap)

    # --- what is learnt, for users ----------------------------------------------------------------------------
    def draw(self, rng: np.random.Generator) -> Gaussian:
        """Gaussians whose parameters are drawn from the posterior."""
        return self._drawn(self.laws, rng)

    def prior_draw(self, n_components: int, rng: np.random.Generator) -> Gaussian:
        """Gaussians whose parameters are drawn from the prior."""
        prior = self.prior
        many = NormalWishart(
            np.tile(prior.mean, (n_components, 1)),
            np.tile(prior.kappa, n_components),
            prior.degrees if self.model.pooled else np.tile(prior.degrees, n_components),
            prior.scatter if self.model.pooled else np.repeat(prior.scatter, n_components, axis=0),
        )
        return self._drawn(many, rng)

    def _drawn(self, laws: NormalWishart, rng: np.random.Generator) -> Gaussian:
        covariance = self.law.draw(laws.degrees, laws.scatter, rng)
        lower = np.linalg.cholesky(self.model.matrices(covariance, *laws.mean.shape))
        noise = rng.standard_normal(laws.mean.shape) / np.sqrt(laws.kappa)[:, None]
        return Gaussian(laws.mean + np.einsum("kij,kj->ki", lower, noise), covariance, self.model)

    @property
    def predictive(self) -> Any:
        """The law of a new row given all rows seen: Student-t (Bishop 10.81), one for each column where they are independent."""
        laws, n_features = self.laws, self.law.n_features
        if len(self.law.shape) == 1:
            grown = (laws.kappa + 1.0) / (laws.kappa * laws.degrees)
            scale = laws.scatter * grown[:, None]
            return Product(
                {
                    f"x{d}": (StudentT(laws.mean[:, [d]], scale[:, d, None, None], laws.degrees, Full()), [d])
                    for d in range(n_features)
                }
            )
        divisor = laws.degrees if not self.law.shape else laws.degrees + 1.0 - n_features
        degrees = laws.degrees * n_features if not self.law.shape else divisor
        factor = (laws.kappa + 1.0) / (laws.kappa * divisor)
        scale = self.model.matrices(laws.scatter, *laws.mean.shape) * factor[:, None, None]
        return StudentT(laws.mean, scale, np.broadcast_to(degrees, laws.kappa.shape), Full())

    # --- the rest of the contract -----------------------------------------------------------------------------
    def coordinates(self) -> Array:
        """Means, logs of kappa and of the degrees of freedom above their least, and free scatters."""
        laws = self.laws
        return np.concatenate(
            [
                laws.mean.ravel(),
                np.log(laws.kappa),
                np.log(laws.degrees - self.law.least),
                self.model.free(laws.scatter),
            ]
        )

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`."""
        laws, vector = self.laws, np.asarray(vector, dtype=np.float64)
        sizes = np.cumsum([laws.mean.size, laws.kappa.size, laws.degrees.size])
        mean, kappa, degrees, free = np.split(vector, sizes)
        return self.at(
            NormalWishart(
                mean.reshape(laws.mean.shape),
                np.exp(kappa),
                np.exp(degrees) + self.law.least,
                self.model.from_free(free, laws.scatter.shape),
            )
        )

    def take(self, components: Sequence[int] | Array) -> Self:
        """Some of the components."""
        index, laws = np.asarray(components, dtype=np.intp), self.laws
        degrees = laws.degrees if self.model.pooled else laws.degrees[index]
        return self.at(
            NormalWishart(laws.mean[index], laws.kappa[index], degrees, self.model.take(laws.scatter, index))
        )

    def concatenate(self, parts: Sequence[Self]) -> Self:
        """This one's components followed by those of `parts`."""
        every = [self.laws, *(part.laws for part in parts)]
        return self.at(
            NormalWishart(
                np.concatenate([laws.mean for laws in every]),
                np.concatenate([laws.kappa for laws in every]),
                every[0].degrees if self.model.pooled else np.concatenate([laws.degrees for laws in every]),
                self.model.concatenate([laws.scatter for laws in every]),
            )
        )


class GaussianMode(_Conjugate):
    """K Gaussians at the mode of the posterior density of means and covariances (Normal-inverse-Wishart).

    Parameters are those of :class:`GaussianPosterior`. The mode always exists: the covariance is V over nu + D + 2 (full), and like sums
    for the other structures ([1]_).

    References
    ----------
    .. [1] C. Fraley and A. E. Raftery (2007), "Bayesian regularization for normal mixture estimation and model-based clustering",
       Journal of Classification 24, 155-181, section 3.
    """

    _extra = 2.0
    _precision = 1.0
    _narrow = 0.0

    def maximize(self, stats: Statistics) -> Self:
        """The mode of prior and sums together."""
        laws = self.posterior(stats)
        size = laws.degrees + self.law.jacobian + (laws.many if self.model.pooled else 1.0)
        return self.replace(laws.mean, self.law.divided(laws.scatter, size))

    def moved(self, by: Array) -> Self:
        """Prior and parameters about an origin that lies `by` farther."""
        new = super().moved(by)
        return new if self.blank else new.replace(self.mean - by, self.covariance)

    def penalty(self) -> float:
        """Minus the log prior density of means and covariances."""
        prior, law = self.prior, self.law
        n_components, n_features = self.mean.shape
        own = 1 if self.model.pooled else n_components
        log_det = 2.0 * np.atleast_1d(self.model.half_log_det(self.precision_cholesky, n_features))
        means = 0.5 * (
            n_features * (np.log(prior.kappa) - _LOG_TWO_PI) + log_det - prior.kappa * self._distances()
        )
        precisions = 0.5 * (prior.degrees + law.jacobian) * log_det - 0.5 * law.inner(
            prior.scatter, law.precision(np.ones(own), self.covariance)
        )
        constant = law.terms(prior.degrees, prior.scatter).log_partition
        return -float(means.sum() + precisions.sum() - own * constant.sum())
