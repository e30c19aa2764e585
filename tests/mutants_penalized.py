"""Seeded bugs of components with a prior each: faults that were feared."""

import numpy as np

from contract.specimens_penalized import COMPONENTS, DIAGONAL, FULL, PSEUDO, SHARES, TIED
from mixtura.components import PenalizedGaussian, Symbols
from mutant_base import Mutant


class DistanceForgotten(PenalizedGaussian):
    """The covariances lack what the mean's distance from its prior adds."""

    def _squares(self, weight, difference):
        prior = np.shape(weight) == np.shape(self.prior.weight) and np.array_equal(weight, self.prior.weight)
        return super()._squares(0.0 * weight if prior else weight, difference)


class SizeForgotten(PenalizedGaussian):
    """The scatter of the prior is added, its size is not."""

    def _divided(self, scatter, count):
        return super()._divided(scatter, count - self.prior.size[:, 0])


class EachItsOwn(PenalizedGaussian):
    """Covariances in common are averages of the components' own: each counts alike, however many rows it has."""

    def _divided(self, scatter, count):
        owner, self.owner = self.owner, np.arange(len(count))
        try:
            own, exact = super()._divided(scatter, count)
        finally:
            self.owner = owner
        return np.broadcast_to(own.mean(axis=0), own.shape).copy(), exact


class PriorsStay(PenalizedGaussian):
    """Some of the components taken keep the priors of the first."""

    def take(self, components):
        new = super().take(components)
        new.prior = self.prior.take(np.arange(len(new.mean)))
        return new


class AllPseudoCounts(Symbols):
    """Shares N + alpha in the place of N + alpha - 1."""

    def maximize(self, stats):
        more = stats * 1.0
        more["sum_t"] += 1.0
        return super().maximize(more)


def made(cls, like):
    """The same component of a class with a bug."""
    wrong = like.take(np.arange(like.n_components))
    wrong.__class__ = cls
    return wrong


def of(name):
    return COMPONENTS[name].arguments


CATALOGUE = {
    "covariances without the prior mean's distance": Mutant(
        component=made(DistanceForgotten, FULL), arguments=of("PenalizedGaussian, full")
    ),
    "prior scatter without its size": Mutant(
        component=made(SizeForgotten, FULL), arguments=of("PenalizedGaussian, full")
    ),
    "covariances in common as averages": Mutant(
        component=made(EachItsOwn, TIED), arguments=of("PenalizedGaussian, one covariance for all")
    ),
    "priors that are not taken along": Mutant(
        component=made(PriorsStay, DIAGONAL), arguments=of("PenalizedGaussian, diagonal")
    ),
    "pseudo-counts without minus one": Mutant(
        component=AllPseudoCounts(SHARES, PSEUDO), arguments=of("Symbols")
    ),
}
