"""Seeded bugs of components and weights with posterior laws: faults that were feared."""

import copy

import numpy as np

from contract.specimens_posteriors import ALL, LAWS, made
from contract.specimens_weights import LAW
from mixtura.components import hooks
from mixtura.components.gaussian_posterior import GaussianPosterior
from mixtura.families._posterior import FamilyMode, FamilyPosterior
from mixtura.structures import DirichletWeights, StickBreaking
from mutant_base import Mutant


class NormaliserOfTheMean(FamilyPosterior):
    """A of the expected natural parameters in the place of the expected A."""

    def at(self, chi, nu):
        new = super().at(chi, nu)
        new._cache_normalizer = self.family.column_normalizer(new.natural)
        return new


class PriorTwice(FamilyPosterior):
    """The prior's sums are added to those of the rows, and once more."""

    def maximize(self, stats):
        new = super().maximize(stats)
        return new.at(new.chi + self.law.chi, new.nu + self.law.nu)


class ModeOfLogits(FamilyMode):
    """Shares N + a in the place of N + a - 1: the mode in other parameters than those whose density is the prior's."""

    def maximize(self, stats):
        law = copy.copy(self.law)
        law.chi = self.law.chi + 1.0
        wrong = copy.copy(self)
        wrong.law = law
        new = FamilyMode.maximize(wrong, stats)
        new.law = self.law
        return new


class MeanKnown(GaussianPosterior):
    """The scores lack D / (2 kappa), what is not known of the mean."""

    def at(self, laws):
        new = super().at(laws)
        new._offset = new._offset + 0.5 * laws.mean.shape[1] / laws.kappa
        return new


class DistanceForgotten(GaussianPosterior):
    """The divergence lacks the distance of the means from the prior's."""

    def _distances(self):
        return 0.0 * super()._distances()


class FreeWeights(DirichletWeights):
    """The divergence of the weights is not taken off the bound."""

    def penalty(self):
        return 0.0


class BackwardSticks(StickBreaking):
    """What is left for later sticks is counted from the wrong end."""

    def _posterior(self, count):
        return super()._posterior(count[::-1])[:, ::-1]


def _as(kind, name, make=hooks.variational):
    """A component of the specimens, as another class."""
    blank, prior, x = ALL[name]
    component = made(blank, prior, x, make)
    component.__class__ = kind
    if kind is not ModeOfLogits:
        component = (
            component.at(component.laws) if hasattr(component, "laws") else component.at(*component.hyper)
        )
    return Mutant(component=component, arguments={"x": x, "skip": LAWS["skip"]})


CATALOGUE = {
    "normaliser at the expected parameters": _as(NormaliserOfTheMean, "poisson"),
    "prior added twice": _as(PriorTwice, "bernoulli"),
    "mode without the Jacobian": _as(ModeOfLogits, "multinomial", hooks.penalized),
    "uncertainty of the mean forgotten": _as(MeanKnown, "Gaussian, Full"),
    "distance of the means not in the divergence": _as(DistanceForgotten, "Gaussian, Spherical"),
    "divergence of the weights forgotten": Mutant(
        structure=FreeWeights(np.array([0.1, 0.1, 0.1]), np.array([2.0, 0.5, 4.0])), arguments=LAW
    ),
    "sticks in the wrong order": Mutant(structure=BackwardSticks(3, 0.7, 0.2), arguments=LAW),
}
