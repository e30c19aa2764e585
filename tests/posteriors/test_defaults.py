"""Default priors are made from the data's scale, and do not depend on its units or origin."""

import numpy as np
import pytest

from mixtura import Mixture
from mixtura.components import Diagonal, Full, Gaussian, Spherical, Tied
from mixtura.families import Exponential, LogNormal, Poisson

X = np.random.default_rng(0).normal(size=(80, 2)) * [1.0, 5.0] + np.repeat(
    [[0.0, 0.0], [6.0, -20.0]], 40, axis=0
)
SCALE, SHIFT = np.array([1e-3, 40.0]), np.array([7.0, -300.0])


def fit(components, x, inference="variational"):
    return Mixture(components, 2, inference=inference, random_state=0, tol=1e-8).fit(x)


def test_default_normal_wishart():
    laws = fit(Gaussian(), X)
    prior = laws.components_.prior
    np.testing.assert_allclose(prior.mean[0], X.mean(axis=0))
    assert prior.kappa == pytest.approx(0.01)
    assert prior.degrees == pytest.approx(2.0)
    np.testing.assert_allclose(prior.scatter[0], np.cov(X.T, ddof=0) * 2 / 50)
    prior = fit(Gaussian(), X, "map").components_.prior
    assert prior.kappa == pytest.approx(1.0)
    assert prior.degrees == pytest.approx(4.0)
    np.testing.assert_allclose(prior.scatter[0], np.cov(X.T, ddof=0))


def test_default_normal_gamma():
    logs = X[:, :1]
    for inference, kappa, narrow in (("variational", 0.01, 50.0), ("map", 1.0, 1.0)):
        law = fit(LogNormal(), np.exp(logs), inference).components_.law
        mean, precision, shape, rate = law.usual(law.chi, law.nu)
        np.testing.assert_allclose(mean, logs.mean(axis=0))
        assert precision == pytest.approx(kappa)
        assert shape == pytest.approx(0.5)
        np.testing.assert_allclose(rate, 0.5 * logs.var(axis=0) / narrow)


def test_default_gamma_has_the_mean_of_all_rows():
    rng = np.random.default_rng(1)
    counts, times = rng.poisson([2.0, 9.0], (60, 2)).astype(float), rng.exponential([2.0, 9.0], (60, 2))
    law = fit(Poisson(), counts).components_.law
    np.testing.assert_allclose(law.chi, 1.0)
    np.testing.assert_allclose(law.chi / law.nu, counts.mean(axis=0))
    law = fit(Exponential(), times).components_.law
    np.testing.assert_allclose(law.nu + 1.0, 1.0)
    np.testing.assert_allclose((law.nu + 1.0) / law.chi, 1.0 / times.mean(axis=0))


@pytest.mark.parametrize("inference", ["variational", "map"])
@pytest.mark.parametrize("model", [Full, Tied, Diagonal], ids=lambda model: model.__name__)
def test_units_and_origin_change_nothing_but_the_jacobian(model, inference):
    one = fit(Gaussian(model=model()), X, inference)
    other = fit(Gaussian(model=model()), X * SCALE + SHIFT, inference)
    jacobian = np.log(SCALE).sum()
    np.testing.assert_allclose(
        other.score_samples(X * SCALE + SHIFT) + jacobian, one.score_samples(X), atol=1e-5
    )
    if inference == "variational":
        assert other.lower_bound_ + jacobian == pytest.approx(one.lower_bound_, abs=1e-6)


def test_spherical_laws_keep_common_units():
    one, other = (fit(Gaussian(model=Spherical()), x) for x in (X, 40.0 * X + SHIFT))
    assert other.lower_bound_ + 2 * np.log(40.0) == pytest.approx(one.lower_bound_, abs=1e-6)
