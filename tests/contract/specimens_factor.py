"""Specimens of factor analysers: the four noise structures, one and two factors, and none."""

import numpy as np
from scipy.stats import multivariate_normal

from contract.specimen_base import Specimen
from mixtura.components import CommonIsotropicNoise, CommonNoise, FactorAnalyzer, IsotropicNoise, OwnNoise

_RNG = np.random.default_rng(3)
_MEANS = _RNG.normal(0.0, 1.0, (3, 5))
# Strong factors in directions that differ little: whatever the responsibilities, no noise variance goes to its floor.
_LOADINGS = 2.0 + 0.3 * _RNG.normal(size=(3, 5, 1))
_NOISE = _RNG.uniform(0.5, 1.5, (3, 5))
_WIDE = np.concatenate(
    [2.0 * np.ones((3, 7, 1)), np.where(np.arange(7) % 2, 1.5, -1.5)[:, None] * np.ones((3, 1, 1))], 2
)


class DenseFactorAnalyzer(FactorAnalyzer):
    """The same law scored by residuals about every mean, as far from the origin."""

    def log_prob(self, block):
        return self._log_prob_about_means(block)


def _specimen(noise, loadings=_LOADINGS):
    n_components, n_features, n_factors = loadings.shape
    means = np.resize(_MEANS, (n_components, n_features))
    variances = noise.from_free(noise.free(np.resize(_NOISE, means.shape)), (n_components, n_features))
    parameters = (n_factors, noise, means, loadings, variances)
    component = FactorAnalyzer(*parameters)
    covariance = component.covariance

    def log_density(x, k):
        return multivariate_normal(means[k], covariance[k]).logpdf(x.T)

    rng = np.random.default_rng(1)
    x = np.concatenate([component.sample(k, 60, rng) for k in range(n_components)]).T
    return Specimen(
        component,
        {
            "x": np.ascontiguousarray(x),
            "log_density": log_density,
            "generic": DenseFactorAnalyzer(*parameters),
            # Five columns and more have no grid; the reference is SciPy's density, which sums to one.
            "skip": ("normalised",),
        },
    )


COMPONENTS = {
    "FactorAnalyzer, OwnNoise": _specimen(OwnNoise()),
    "FactorAnalyzer, CommonNoise": _specimen(CommonNoise()),
    "FactorAnalyzer, IsotropicNoise": _specimen(IsotropicNoise()),
    "FactorAnalyzer, CommonIsotropicNoise": _specimen(CommonIsotropicNoise()),
    "FactorAnalyzer, two factors": _specimen(OwnNoise(), _WIDE),
    "FactorAnalyzer, no factors": _specimen(OwnNoise(), np.zeros((2, 3, 0))),
}
