"""Seeded bugs of factor analysers: faults that were feared."""

import numpy as np

from contract.specimens_factor import COMPONENTS
from mixtura.components import FactorAnalyzer
from mutant_base import Mutant


class NoInnerDeterminant(FactorAnalyzer):
    """log |Sigma| without log |M|: Woodbury for the quadratic form only."""

    @property
    def _weights(self):
        found = super()._weights
        inner = np.log(np.diagonal(found.root, axis1=1, axis2=2)).sum(axis=1)
        return found._replace(constant=found.constant + inner)


class StandardDeviationsAsNoise(FactorAnalyzer):
    def sample(self, component, n, rng):
        factors = rng.standard_normal((n, self.n_factors))
        errors = rng.standard_normal((n, self.mean.shape[1])) * self.noise_variances[component]
        return self.mean[component] + factors @ self.loadings[component].T + errors


class LoadingsNotShrunk(FactorAnalyzer):
    """Principal components' loadings, with l for l - 1 in units of the noise: the noise counts twice."""

    def maximize(self, stats):
        new = super().maximize(stats)
        scaled = new.loadings / np.sqrt(new.noise_variances)[:, :, None]
        strength = np.sum(scaled**2, axis=1, keepdims=True)
        return new.replace(new.mean, new.loadings * np.sqrt((strength + 1.0) / strength), new.noise_variances)


class NoiseNotIterated(FactorAnalyzer):
    """The noise of the start is returned, and called the maximum."""

    def maximize(self, stats):
        new = super().maximize(stats)
        return new.replace(new.mean, new.loadings, 1.02 * new.noise_variances)


class RotationsCounted(FactorAnalyzer):
    """q D loadings a component: the rotations of the factors are counted as free."""

    def n_parameters(self):
        return super().n_parameters() + self.n_components * self.n_factors * (self.n_factors - 1) // 2


class NeighboursRowsLeftOut(FactorAnalyzer):
    """Rows below a tenth of the largest responsibility are taken for negligible."""

    def expected_statistics(self, block, resp):
        return super().expected_statistics(block, np.where(resp > 0.1 * resp.max(), resp, 0.0))


class MeanLeftInProjection(FactorAnalyzer):
    """A x instead of A (x - mean)."""

    def _projected(self, block):
        projection = self._weights.projection
        return np.einsum("kqd,db->kqb", projection, block)


def _like(name, kind):
    healthy, arguments = COMPONENTS[name].subject, dict(COMPONENTS[name].arguments)
    arguments.pop("skip")
    given = (healthy.n_factors, healthy.noise, healthy.mean, healthy.loadings, healthy.noise_variances)
    return Mutant(component=kind(*given), arguments=arguments)


CATALOGUE = {
    "determinant of the factors forgotten": _like("FactorAnalyzer, OwnNoise", NoInnerDeterminant),
    "noise variance as standard deviation in sample": _like(
        "FactorAnalyzer, OwnNoise", StandardDeviationsAsNoise
    ),
    "loadings not shrunk": _like("FactorAnalyzer, IsotropicNoise", LoadingsNotShrunk),
    "noise 2 % too large": _like("FactorAnalyzer, CommonNoise", NoiseNotIterated),
    "rotations of factors counted": _like("FactorAnalyzer, two factors", RotationsCounted),
    "rows called negligible too early": _like("FactorAnalyzer, OwnNoise", NeighboursRowsLeftOut),
    "mean left in the projection": _like("FactorAnalyzer, CommonIsotropicNoise", MeanLeftInProjection),
}
