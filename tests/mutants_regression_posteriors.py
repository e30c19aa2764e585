"""Seeded bugs of regressions with priors."""

from dataclasses import replace

from contract.specimens_posteriors import LAWS, MODES, made
from contract.specimens_regression_posteriors import CASES, X
from mixtura.components import hooks
from mixtura.components.regression_posterior import RegressionMode, RegressionPosterior
from mutant_base import Mutant


class LineKnown(RegressionPosterior):
    """The scores lack z' P^-1 z / 2, what is not known of the line where the row is."""

    def _unknown(self, block):
        return 0.0 * super()._unknown(block)


class PriorMeanForgotten(RegressionPosterior):
    """The rate lacks how far the line is from the prior's."""

    def posterior(self, stats):
        laws = super().posterior(stats)
        return replace(laws, rate=laws.rate - 0.5 * self.prior.distance(laws.mean))


class ModeOfPrecision(RegressionMode):
    """Noise variance b / (a + Q / 2 - 1): the mode of the precision, called that of the variance."""

    def maximize(self, stats):
        new, laws = super().maximize(stats), self.posterior(stats)
        return new.with_noise(laws.mean, laws.rate / (laws.shape + 0.5 * laws.mean.shape[1] - 1.0))


def _as(kind, make):
    blank, prior = CASES["GaussianResponse"]
    component = made(blank, prior, X, make)
    component.__class__ = kind
    skip = (LAWS if make is hooks.variational else MODES)["skip"]
    return Mutant(component=component, arguments={"x": X, "skip": skip})


CATALOGUE = {
    "uncertainty of the line forgotten": _as(LineKnown, hooks.variational),
    "distance from the prior's line not in the rate": _as(PriorMeanForgotten, hooks.variational),
    "mode of the precision as that of the variance": _as(ModeOfPrecision, hooks.penalized),
}
