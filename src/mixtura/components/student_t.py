r"""Multivariate Student-t components with any covariance structure for their scale matrices.

The file is long because the whole contract of a component is here.

A t is a normal law whose rows have a scale variable of their own, u ~ Gamma(nu/2, nu/2) and x | u ~ N(mu, Sigma / u) [1]_. With
:math:`\delta = (x - \mu)'\Sigma^{-1}(x - \mu)` over the d observed cells (the marginal of a t is a t with the same degrees of freedom),

.. math:: E[u] = \frac{\nu + d}{\nu + \delta},\qquad E[\log u] = \psi\Bigl(\frac{\nu + d}2\Bigr) - \log\frac{\nu + \delta}2,

and missing cells have, given the observed ones and u, the conditional mean of the normal law and its conditional covariance over u.
So the sums are those of :class:`~mixtura.components.gaussian.Gaussian` with rows weighted by r E[u] (conditional covariances by r),
and sum r E[u], sum r E[log u].

**M-step.** EM in the model with one parameter more, the size alpha of u [3]_: u / alpha ~ Gamma(nu/2, nu/2). It fits the same
densities (Sigma / alpha is what matters) and is several times faster: scatters are divided by sum r u instead of sum r. Where the
covariance structure lets volumes vary every component has its own alpha, elsewhere there is one. Every such step raises the
likelihood. For the degrees of freedom, on which EM crawls, a guarded Newton step is the default: see
:mod:`mixtura.components.degrees`.

References
----------
.. [1] D. Peel, G. J. McLachlan (2000), Robust mixture modelling using the t distribution, Statistics and Computing 10, 339-348.
.. [2] C. Liu, D. B. Rubin (1995), ML estimation of the t distribution using EM and its extensions, ECM and ECME, Statistica Sinica 5,
   19-39: missing cells, section 4.
.. [3] C. Liu, D. B. Rubin, Y. N. Wu (1998), Parameter expansion to accelerate EM: the PX-EM algorithm, Biometrika 85, 755-770,
   section 4.1.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from scipy.special import digamma, gammaln, polygamma

from mixtura.components.conditioning import normal_given, part_of
from mixtura.components.covariance import CovarianceModel
from mixtura.components.degrees import Degrees, OwnDegrees, Slopes
from mixtura.components.gaussian import Gaussian, covariance_table
from mixtura.exceptions import InvalidParameterError
from mixtura.protocols import Array, Encoding
from mixtura.statistics import Statistics

__all__ = ["StudentT"]


class StudentBlock:
    """A batch as Student-t components see it.

    Parameters
    ----------
    block : GaussianBlock or PartialBlock
        The rows.
    n_observed : ndarray of int, shape (B,), or int
        Observed cells of each row.
    """

    def __init__(self, block: Any, n_observed: Any) -> None:
        self.block, self.n_observed = block, n_observed
        # Scoring and summing need the same distances: those of the last components are kept.
        self._seen: tuple[Any, Array, Array] | None = None

    def distances(self, student: StudentT) -> tuple[Array, Array]:
        """log(1 + delta / nu), and the largest log density of the normal law, both (K, B) or the second (K, 1)."""
        if self._seen is None or self._seen[0] is not student:
            peaks = student.normal.peaks(self.block)
            distance = peaks - student.normal.log_prob(self.block)
            distance *= 2.0 / student.degrees_of_freedom[:, None]
            self._seen = (student, np.log1p(np.maximum(distance, 0.0)), peaks)
        return self._seen[1:]


class StudentT:
    """K multivariate Student-t laws sharing one covariance structure.

    Parameters
    ----------
    mean : ndarray, shape (K, D), optional
        Locations about the encoding's origin. None before the first M-step.
    scale : ndarray, optional
        Scale matrices in the shape of `model`: (K, D, D), (D, D), (K, D) or (K,). The covariance is nu / (nu - 2) times as large.
    degrees_of_freedom : ndarray, shape (K,), optional
        nu; None is where `law` starts.
    model : CovarianceModel, default Full()
        The structure of the scale matrices.
    law : Degrees, default OwnDegrees()
        Whether the degrees of freedom are learnt, shared (`SharedDegrees`) or known (`FixedDegrees`).

    Examples
    --------
    >>> cauchy = StudentT(np.zeros((1, 1)), np.ones((1, 1, 1)), np.ones(1))
    >>> cauchy.log_prob(cauchy.encode(np.zeros((1, 1)), Encoding(1))).round(4)  # -log pi
    array([[-1.1447]])
    """

    #: Rows are taken about the columns' means.
    centred = True
    #: Missing cells are integrated over, by the pattern that they make.
    marginal = True
    name = "Student-t"
    support = "finite numbers"

    def __init__(
        self,
        mean: Array | None = None,
        scale: Array | None = None,
        degrees_of_freedom: Array | None = None,
        model: CovarianceModel | None = None,
        law: Degrees | None = None,
    ) -> None:
        self.normal = Gaussian(mean, scale, model)
        self.law = OwnDegrees() if law is None else law
        if degrees_of_freedom is None and mean is not None:
            degrees_of_freedom = np.full(len(mean), self.law.start)
        self._degrees = (
            None if degrees_of_freedom is None else np.asarray(degrees_of_freedom, dtype=np.float64)
        )

    def __repr__(self) -> str:
        size = "blank" if self.blank else "K={}, D={}".format(*self.mean.shape)
        return f"StudentT({self.model.name}, {size})"

    # --- parameters -------------------------------------------------------------------------------------------
    @property
    def blank(self) -> bool:
        """Whether there are no parameters yet."""
        return self._degrees is None

    @property
    def model(self) -> CovarianceModel:
        """The structure of the scale matrices."""
        return self.normal.model

    @property
    def degrees_of_freedom(self) -> Array:
        """nu, shape (K,)."""
        if self._degrees is None:
            msg = "The Student-t components have no parameters yet: fit them, or call maximize first."
            raise InvalidParameterError(msg)
        return self._degrees

    @property
    def mean(self) -> Array:
        """Locations about the encoding's origin, shape (K, D); the means where nu is above 1."""
        return self.normal.mean

    @property
    def scale(self) -> Array:
        """Scale matrices in the shape of the structure."""
        return self.normal.covariance

    @property
    def matrices(self) -> Array:
        """Scale matrices, shape (K, D, D)."""
        return self.normal.matrices

    @property
    def n_components(self) -> int:
        """K, number of components."""
        return len(self.degrees_of_freedom)

    @property
    def exact(self) -> bool:
        """Whether the last step is one that always raises the likelihood (no floor, no added diagonal, no Newton step)."""
        return self.normal.exact and self.law.exact

    @property
    def regularized(self) -> bool:
        """Whether the covariance structure adds to every scale."""
        return self.normal.regularized

    def n_statistics(self, n_features: int) -> int:
        """Those of normal components, and two numbers."""
        return self.normal.n_statistics(n_features) + 2

    def n_parameters(self) -> int:
        """Those of normal components, and the degrees of freedom that are learnt."""
        return self.normal.n_parameters() + self.law.n_parameters(self.n_components)

    def replace(self, mean: Array, scale: Array, degrees_of_freedom: Array) -> Self:
        """The same structure with other parameters."""
        return self._with(self.normal.replace(mean, scale), degrees_of_freedom)

    def _with(self, normal: Gaussian, degrees_of_freedom: Array) -> Self:
        new = copy.copy(self)
        new.normal, new._degrees = normal, np.asarray(degrees_of_freedom, dtype=np.float64)
        return new

    def moved(self, by: Array) -> Self:
        """The same components about an origin that lies `by`, shape (D,), farther."""
        return self._with(self.normal.moved(by), self.degrees_of_freedom)

    def table(self, names: Sequence[str], origin: Array | None) -> list[tuple[str, str, str, Array]]:
        """Means, in units of the data, degrees of freedom and scale matrices."""
        mean = self.mean if origin is None else self.mean + origin
        rows = [("mean", name, "", mean[:, d]) for d, name in enumerate(names)]
        rows.append(("degrees_of_freedom", "", "", self.degrees_of_freedom))
        return rows + covariance_table("scale", names, self.matrices)

    # --- the pass ---------------------------------------------------------------------------------------------
    def needs_own_origin(self, encoding: Encoding) -> bool:
        """Whether the conditioning guard asks every component to work about its own mean."""
        return self.normal.needs_own_origin(encoding)

    def encode(self, x: Array, encoding: Encoding) -> StudentBlock:
        """The rows as normal components see them."""
        block = self.normal.encode(x, encoding)
        return StudentBlock(block, getattr(block, "n_observed", len(x)))

    def log_prob(self, block: StudentBlock) -> Array:
        """Scores, shape (K, B); of the observed cells, where some are missing."""
        logs, peaks = block.distances(self)
        degrees = self.degrees_of_freedom[:, None]
        sizes = 0.5 * (degrees + np.arange(self.mean.shape[1] + 1.0))
        level = gammaln(sizes) - gammaln(0.5 * degrees) - (sizes - 0.5 * degrees) * np.log(0.5 * degrees)
        # Tables (K, D + 1) by the number of observed cells.
        level, power = (self._by_row(table, block).astype(logs.dtype, copy=False) for table in (level, sizes))
        return np.asarray(peaks + level - power * logs)

    def _by_row(self, table: Array, block: StudentBlock) -> Array:
        """Entries of a table (K, D + 1) for each row's number of observed cells, (K, B) or (K, 1)."""
        return table[:, np.atleast_1d(np.asarray(block.n_observed, dtype=np.intp))]

    def expected_statistics(self, block: StudentBlock, resp: Array) -> Statistics:
        """Sums of Gaussian components with rows weighted by u, and sums of u and log u; weighted by resp (K, B)."""
        count = resp.sum(axis=1, dtype=np.float64)
        if self.blank:  # u as before any row was seen
            moments = self.normal.moments(block.block, resp, resp)
            start = 0.5 * self.law.start
            logs_u = count * float(digamma(start) - np.log(start))
            return self._sums(moments, count, logs_u, np.zeros(len(count)))
        logs, _ = block.distances(self)
        degrees = self.degrees_of_freedom[:, None]
        sizes = 0.5 * (degrees + np.arange(self.mean.shape[1] + 1.0))
        ratio, level = (self._by_row(one, block) for one in (2.0 * sizes / degrees, digamma(sizes)))
        scaled = resp * (ratio * np.exp(-logs)).astype(resp.dtype, copy=False)
        sum_log_u = (resp * (level - np.log(0.5 * degrees) - logs)).sum(axis=1, dtype=np.float64)
        curvature = self._curvature(block, logs, ratio * np.exp(-logs))
        second = (resp * curvature).sum(axis=1, dtype=np.float64)
        return self._sums(self.normal.moments(block.block, scaled, resp), count, sum_log_u, second)

    def _curvature(self, block: StudentBlock, logs: Array, u: Array) -> Array:
        """Second derivative of each score by nu, (K, B)."""
        degrees = self.degrees_of_freedom[:, None]
        n_observed = np.arange(self.mean.shape[1] + 1.0)
        level = 0.25 * (polygamma(1, 0.5 * (degrees + n_observed)) - polygamma(1, 0.5 * degrees))
        # nu / (nu + delta), and delta over it; u' = (1 - u) / (nu + delta).
        inverse = np.exp(-logs)
        return self._by_row(level, block) + 0.5 * ((1.0 - inverse) - (1.0 - u) * inverse) / degrees

    def conditional_mean(self, block: StudentBlock, resp: Array) -> Array:
        """Rows (D, B) with missing cells at their conditional means, averaged by resp (K, B): those of the normal law."""
        return self.normal.conditional_mean(block.block, resp)

    def _sums(self, moments: Statistics, count: Array, sum_log_u: Array, curvature: Array) -> Statistics:
        """Sums by name: the weight of the moments is sum_u, not the count."""
        sums = {
            "count": count,
            "sum_u": moments["count"],
            "sum_log_u": sum_log_u,
            "curvature": curvature,
            "sum_x": moments["sum_x"],
            "sum_xx": moments["sum_xx"],
        }
        return Statistics(sums, shared=moments.shared, origin=moments.origin)

    def _moments(self, stats: Statistics) -> Statistics:
        """The sums that normal components have, of rows weighted by u."""
        sums = {"count": stats["sum_u"], "sum_x": stats["sum_x"], "sum_xx": stats["sum_xx"]}
        return Statistics(sums, shared=stats.shared, origin=stats.origin)

    # --- the update -------------------------------------------------------------------------------------------
    def maximize(self, stats: Statistics) -> Self:
        """One step of EM with the size of u as a parameter more (the module's docstring).

        Raises
        ------
        DegenerateComponentError
            Naming every component that is empty or whose scale matrix is not positive definite.
        """
        count, mass = stats["count"], stats["sum_u"]
        before = np.full(len(count), self.law.start) if self._degrees is None else self._degrees
        with np.errstate(divide="ignore", invalid="ignore"):  # empty components are named below
            if self.model.own_volume:
                size = mass / count
            else:
                size = np.atleast_1d(before @ mass / (before @ count))
            gaps = count * (np.log(size) - 1.0) + mass / size - stats["sum_log_u"]
        normal = self.normal.stepped(count, self._moments(stats), size)
        half = 0.5 * before
        gradient = count * (np.log(half) - digamma(half) + 1.0) + stats["sum_log_u"] - mass
        slopes = Slopes(count, gaps, 0.5 * gradient, stats["curvature"])
        return self._with(normal, self.law.maximize(slopes, self._degrees))

    def expected_log_prob(self, stats: Statistics) -> float:
        """<parameters, sums>, with u as if it were seen: right to first order about the parameters that scored the rows."""
        moments, count, mass = self._moments(stats), stats["count"], stats["sum_u"]
        half = 0.5 * self.degrees_of_freedom
        level = (count - mass) @ self.normal.peaks(None)[:, 0]
        gamma = count @ (half * np.log(half) - gammaln(half)) + half @ (stats["sum_log_u"] - mass)
        return self.normal.expected_log_prob(moments) + float(level + gamma)

    def suspects(self, stats: Statistics) -> dict[int, str]:
        """Components with fewer than D + 1 rows, or flatter than 1e-4 of the data in some direction."""
        return self.normal.suspects(stats)

    def split(self, stats: Statistics, component: int) -> Statistics:
        """Two halves along the main axis, as of a normal law."""
        halves = stats.take([*range(len(stats["count"])), component])
        kept = ("count", "sum_log_u", "curvature")
        for name in kept:
            halves[name][[component, -1]] *= 0.5
        moments = self.normal.split(self._moments(stats), component)
        return self._sums(moments, *(halves[name] for name in kept))

    # --- the rest of the contract -----------------------------------------------------------------------------
    def coordinates(self) -> Array:
        """Those of normal components, and logarithms of the degrees of freedom that are learnt."""
        return np.concatenate([self.normal.coordinates(), self.law.free(self.degrees_of_freedom)])

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`."""
        vector = np.asarray(vector, dtype=np.float64)
        size = len(self.normal.coordinates())
        degrees = self.law.from_free(vector[size:], self.n_components)
        return self._with(self.normal.from_coordinates(vector[:size]), degrees)

    def take(self, components: Sequence[int] | Array) -> Self:
        """Some of the components."""
        index = np.asarray(components, dtype=np.intp)
        return self._with(self.normal.take(index), self.degrees_of_freedom[index])

    def concatenate(self, parts: Sequence[Self]) -> Self:
        """This one's components followed by those of `parts`."""
        degrees = np.concatenate([self.degrees_of_freedom, *(part.degrees_of_freedom for part in parts)])
        return self._with(self.normal.concatenate([part.normal for part in parts]), degrees)

    def sample(self, component: int, n: int, rng: np.random.Generator) -> Array:
        """n rows of one component, shape (n, D), about the encoding's origin."""
        half, mean = 0.5 * self.degrees_of_freedom[component], self.mean[component]
        rows = self.normal.sample(component, n, rng) - mean
        return np.asarray(mean + rows / np.sqrt(rng.gamma(half, 1.0 / half, size=(n, 1))))

    # --- some columns from others -----------------------------------------------------------------------------
    def restricted(self, columns: Array) -> StudentT:
        """Locations and scales of some columns, with the same degrees of freedom."""
        scale, model = part_of(self.model, self.matrices[:, columns[:, None], columns])
        return StudentT(self.mean[:, columns], scale, self.degrees_of_freedom, model, self.law)

    def conditioned(self, columns: Array, values: Array) -> StudentT:
        """The other columns, given G: nu + G degrees of freedom, and scales (nu + delta) / (nu + G) times the normal ones."""
        given = normal_given(self.mean, self.matrices, columns, values)
        degrees = self.degrees_of_freedom + len(columns)
        ratio = (self.degrees_of_freedom + given.distance) / degrees
        scale, model = part_of(self.model, ratio[:, None, None] * given.matrices)
        return StudentT(given.mean, scale, degrees, model)

    def expected_cells(self, x: Array, resp: Array, encoding: Encoding) -> list[Array]:
        """Conditional means (where there are none, locations) given the cells that are there."""
        return list(self.conditional_mean(self.encode(x, encoding), resp))
