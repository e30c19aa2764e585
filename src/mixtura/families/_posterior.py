r"""Components of a family with a prior: a posterior law of their parameters, or its mode.

Both are the family's components with another M-step, so the pass is the same: a row is scored with
:math:`\langle E[\eta], T\rangle - e\,E[A] + \log h`, where components without a prior have :math:`\eta` and :math:`A(\eta)`.

References
----------
.. [1] M. Beal (2003), "Variational algorithms for approximate Bayesian inference", theorem 2.2.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Self

import numpy as np
import scipy.sparse as sp

from mixtura.exceptions import Degenerate, DegenerateComponentError
from mixtura.families._components import FamilyBlock, FamilyComponents
from mixtura.priors.base import Conjugate
from mixtura.protocols import Array
from mixtura.statistics import Statistics

__all__ = ["FamilyMode", "FamilyPosterior", "FamilyPredictive"]

# Numbers held at a time while rows of counts are scored by the predictive law.
_HELD = 2_000_000


class FamilyPosterior(FamilyComponents):
    """K components of a family whose parameters have posterior laws.

    Parameters
    ----------
    template : FamilyComponents
        Components of the family without a prior: what the posterior's point and draws are.
    law : Conjugate
        The prior, the same for all components.

    Examples
    --------
    >>> from mixtura.families import FamilyComponents, Poisson
    >>> from mixtura.priors import GammaPrior
    >>> from mixtura.protocols import Encoding
    >>> rows = np.array([[1.0, 4.0, 2.0]])
    >>> blank = FamilyComponents(Poisson())
    >>> block = blank.encode(rows, Encoding(1))
    >>> sums = blank.expected_statistics(block, np.ones((1, 3)))
    >>> posterior = blank.variational(GammaPrior(shape=1.0, rate=0.5), sums, None).maximize(sums)
    >>> posterior.mean  # (1 + 7) / (0.5 + 3)
    array([[2.28571429]])
    """

    #: Even without data it has a place: that of the prior.
    located = True

    def __init__(self, template: FamilyComponents, law: Conjugate) -> None:
        super().__init__(template.family)
        self.template = template
        self.law = law
        self.own = law  # the prior that chi and nu were made with, where it has been learnt since
        self.learn = False
        self.chi: Array | None = None
        self.nu: Array | None = None

    def learning(self) -> Self:
        """The same, with a prior that is learnt in every step (empirical Bayes)."""
        new = copy.copy(self)
        new.learn = True
        return new

    def at(self, chi: Array, nu: Array) -> Self:
        """The same prior with posterior sums (K, P) and exposures (K, V)."""
        natural, normalizer = self.own.expectations(chi, nu)
        new = self.replace(natural)
        new.chi, new.nu, new._cache_normalizer = chi, nu, normalizer
        return new

    @property
    def hyper(self) -> tuple[Array, Array]:
        """chi and nu of the posterior; the message of blank components where there is none."""
        if self.chi is None or self.nu is None:
            self.natural  # noqa: B018 - raises
        return self.chi, self.nu  # type: ignore[return-value]

    @property
    def point(self) -> FamilyComponents:
        """Components without uncertainty: those of the posterior means of the usual parameters."""
        return self.template.replace(self.own.point(*self.hyper))

    @property
    def mean(self) -> Array:
        """Mean parameters of the point, shape (K, P)."""
        return self.point.mean

    def table(self, names: Sequence[str], origin: Array | None) -> list[tuple[str, str, str, Array]]:
        """Parameters of the point."""
        return self.point.table(names, origin)

    def draw(self, rng: np.random.Generator) -> FamilyComponents:
        """Components whose parameters are drawn from the posterior."""
        return self.template.replace(self.own.draw(*self.hyper, rng))

    def prior_draw(self, n_components: int, rng: np.random.Generator) -> FamilyComponents:
        """Components whose parameters are drawn from the prior."""
        chi, nu = (np.tile(value, (n_components, 1)) for value in (self.law.chi, self.law.nu))
        return self.template.replace(self.law.draw(chi, nu, rng))

    def penalty(self) -> float:
        """KL divergence of all components' posteriors from the prior."""
        return float(self.divergences().sum())

    def divergences(self) -> Array:
        """KL divergence of each component's posterior from the prior, shape (K,)."""
        return np.asarray(self.law.divergence(*self.hyper, self.own).sum(axis=-1))

    @property
    def predictive(self) -> FamilyPredictive:
        """Components that score by the law of a new row given all rows seen."""
        return FamilyPredictive(self.template, self.own).at(*self.hyper)

    def _by_column(self) -> Array:
        super()._by_column()  # refuses families without columns of their own
        return self._expected_normalizer

    @property
    def _expected_normalizer(self) -> Array:
        """E[A] of each column, shape (K, V)."""
        found: Array | None = getattr(self, "_cache_normalizer", None)
        if found is None:
            found = self.own.expectations(*self.hyper)[1]
            self._cache_normalizer = found
        return found

    def _whole(self) -> Array:
        return np.asarray(self._expected_normalizer.sum(axis=1))

    def maximize(self, stats: Statistics) -> Self:
        """The posterior: sums of the rows added to those of the prior. Then, where it is learnt, the prior given the posterior."""
        exposure = stats.sums.get("exposure", stats["count"])
        exposure = exposure[:, None] if exposure.ndim == 1 else exposure
        new = copy.copy(self)
        new.own = self.law
        new = new.at(self.law.chi + stats["sum_t"], self.law.nu + exposure)
        if self.learn:
            new.law = self.law.learnt(*new.hyper, new.own)
        return new

    def suspects(self, stats: Statistics) -> dict[int, str]:
        """None: a component on few rows is close to the prior, not spurious."""
        return {}

    def coordinates(self) -> Array:
        """Those of the posterior laws."""
        return self.own.free(*self.hyper).ravel()

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`."""
        free = np.asarray(vector, dtype=np.float64).reshape(self.n_components, -1)
        return self.at(*self.own.from_free(free))

    def take(self, components: Sequence[int] | Array) -> Self:
        """Some of the components."""
        index = np.asarray(components, dtype=np.intp)
        chi, nu = self.hyper
        return self.at(chi[index], nu[index])

    def concatenate(self, parts: Sequence[Self]) -> Self:
        """This one's components followed by those of `parts`."""
        pairs = [self.hyper, *(part.hyper for part in parts)]
        return self.at(np.concatenate([chi for chi, _ in pairs]), np.concatenate([nu for _, nu in pairs]))

    def split(self, stats: Statistics, component: int) -> Statistics:
        """As for components without a prior, of the point."""
        return self.point.split(stats, component)

    def sample(self, component: int, n: int, rng: np.random.Generator) -> Array:
        """Rows of one component of the point."""
        return self.point.sample(component, n, rng)


class FamilyPredictive(FamilyPosterior):
    """The same posterior, scoring by its predictive law: parameters are integrated over instead of averaged in logarithms."""

    def log_prob(self, block: FamilyBlock) -> Array:
        """log p(x | rows seen), shape (K, B): log Z with x less log Z without."""
        chi, nu = self.hyper
        x = block.statistics if sp.issparse(block.statistics) else block.statistics.T
        exposure = None if block.exposure is None else np.atleast_2d(block.exposure).T
        scores = np.empty((len(chi), len(block.log_base)))
        step = max(1, _HELD // max(1, chi.shape[1]))
        for first in range(0, scores.shape[1], step):
            rows = slice(first, first + step)
            sums = x[rows]
            more = np.ones((sums.shape[0], 1)) if exposure is None else exposure[rows]
            for k in range(len(chi)):
                scores[k, rows] = self.own.gain(chi[k], nu[k], sums, more)
        return scores + block.log_base


class FamilyMode(FamilyComponents):
    """K components of a family at the mode of their posterior.

    Parameters
    ----------
    template : FamilyComponents
        Components of the family without a prior: what the posterior's point and draws are.
    law : Conjugate
        The prior, the same for all components.
    """

    located = True

    def __init__(self, template: FamilyComponents, law: Conjugate) -> None:
        super().__init__(template.family)
        law.refuse_without_mode()
        self.template = template
        self.law = law

    def penalty(self) -> float:
        """Minus the log prior density of the usual parameters."""
        return -float(self.law.log_density(self.natural).sum())

    def maximize(self, stats: Statistics) -> Self:
        """The mode of prior and sums together.

        Raises
        ------
        DegenerateComponentError
            Naming every component whose posterior has no mode inside.
        """
        exposure = stats.sums.get("exposure", stats["count"])
        exposure = exposure[:, None] if exposure.ndim == 1 else exposure
        natural = self.law.mode(self.law.chi + stats["sum_t"], self.law.nu + exposure)
        natural = self._inside(natural)
        bad = np.flatnonzero(~np.isfinite(natural).all(axis=1))
        if bad.size:
            why = "its posterior density is flat or highest at the end of the range: give the prior more than one pseudo-count"
            raise DegenerateComponentError(Degenerate(int(k), float(stats["count"][k]), why) for k in bad)
        return self.replace(natural)

    def _inside(self, natural: Array) -> Array:
        """Natural parameters at the end of the range, at the floor that the family has there; not finite without a floor."""
        family = self.family
        with np.errstate(all="ignore"):
            free = family.free(natural)
            edge = np.flatnonzero(~np.isfinite(free).all(axis=1) & ~np.isnan(natural).any(axis=1))
            inside = family.from_free(free)
            if edge.size:
                lifted = family.natural_from_mean(family.mean_from_natural(natural[edge]))
                lost = np.asarray(~np.isfinite(family.free(lifted)).all(axis=1))
                inside[edge] = np.where(lost[:, None], np.nan, lifted)
        return np.asarray(inside)

    @property
    def point(self) -> FamilyComponents:
        """Components with these parameters and no prior."""
        return self.template.replace(self.natural)

    def sample(self, component: int, n: int, rng: np.random.Generator) -> Array:
        """Rows of one component."""
        return self.point.sample(component, n, rng)
