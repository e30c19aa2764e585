"""Seeded bugs of regressions and of weights that depend on covariates."""

import numpy as np

from contract.specimens_regression import COMPONENTS, STRUCTURES
from mixtura.components import GaussianResponse, PoissonResponse
from mixtura.components.design import solve_normal
from mixtura.statistics import unpack_symmetric
from mixtura.structures import Concomitant
from mutant_base import Mutant


class UnbiasedNoise(GaussianResponse):
    """Residuals over N_k minus the coefficients, as for one regression, but called the maximum."""

    def maximize(self, stats):
        new = super().maximize(stats)
        count = stats["count"]
        return new.with_noise(
            new.coefficients, new.noise_variances * count / (count - new.coefficients.shape[1])
        )


class SharedWithoutVariances(GaussianResponse):
    """Shared coefficients from equations that are added without dividing by the noise variances."""

    def maximize(self, stats):
        matrices = unpack_symmetric(stats["sum_zz"], stats["sum_zy"].shape[1])
        lines = solve_normal(matrices, stats["sum_zy"], self.shared).coefficients
        return self.with_noise(lines, self._noise_of(stats, matrices, lines))


class ExposureForgottenInBase(PoissonResponse):
    def log_prob(self, block):
        predictor, count = self.predictor(block), block.response
        return super().log_prob(block._replace(known=np.ones_like(count))) + np.exp(predictor) * (
            1.0 - block.known
        )


class PriorWithoutRowWeights(Concomitant):
    """The score forgets that a row of weight 2 also counts twice in the expectation."""

    def infer(self, scores, batch, memory):
        found = super().infer(scores, batch, memory)
        design = np.concatenate([np.ones((1, scores.shape[1])), batch.covariates])
        found.statistics.sums["score"] = (found.resp - np.exp(self.log_weights(batch.covariates))) @ design.T
        return found


class FirstStateKeptAsBase(Concomitant):
    """Taking states does not refer the coefficients to the new first one."""

    def take(self, components):
        taken = super().take(components)
        taken.coefficients = (
            self.coefficients[np.asarray(components)] * (np.arange(len(components)) > 0)[:, None]
        )
        return taken


def _component(name, kind):
    specimen = COMPONENTS[name]
    broken = specimen.subject.take(range(specimen.subject.n_components))
    broken.__class__ = kind
    arguments = {key: value for key, value in specimen.arguments.items() if key != "skip"}
    return Mutant(component=broken, arguments=arguments)


def _structure(kind):
    specimen = STRUCTURES["Concomitant"]
    return Mutant(
        structure=kind(specimen.subject.coefficients),
        arguments={"covariates": specimen.arguments["covariates"]},
    )


CATALOGUE = {
    "noise over N minus coefficients": _component("GaussianResponse", UnbiasedNoise),
    "shared coefficients without variances": _component("GaussianResponse, shared", SharedWithoutVariances),
    "exposure left out of the base measure": _component("PoissonResponse, exposure", ExposureForgottenInBase),
    "prior without row weights": _structure(PriorWithoutRowWeights),
    "first state kept as base": _structure(FirstStateKeptAsBase),
}
