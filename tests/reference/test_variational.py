"""Exact log evidence and converged bounds of reference fits (shared/data/reference/variational_bayes.json)."""

import numpy as np
import pytest

from mixtura import Mixture
from mixtura.components import Full, Gaussian
from mixtura.families import Bernoulli, Poisson
from mixtura.priors import BetaPrior, DirichletPrior, GammaPrior, NormalWishartPrior


@pytest.fixture
def faithful(table):
    x = table("faithful", ["eruptions", "waiting"])
    return (x - x.mean(axis=0)) / x.std(axis=0)


def bayesian(components, n_components, prior, **settings):
    return Mixture(components, n_components, inference="variational", prior=prior, random_state=0, **settings)


def bound(fit):
    return fit.lower_bound_terms_["lower_bound"]


UNIT = NormalWishartPrior([0.0, 0.0], 1.0, 2.0, np.eye(2))


def test_evidence_of_one_gaussian(faithful, results):
    known = results("variational_bayes")["K1_exact_log_evidence_faithful_std"]
    fit = bayesian(Gaussian(model=Full()), 1, UNIT).fit(faithful)
    assert bound(fit) == pytest.approx(known["log_evidence"], rel=1e-11)


def test_evidence_of_one_poisson(table, results):
    known = results("variational_bayes")["K1_exact_log_evidence_earthquakes_gamma_poisson"]
    fit = bayesian(Poisson(), 1, GammaPrior(1.0, 0.1)).fit(table("earthquakes", ["count"]))
    assert bound(fit) == pytest.approx(known["log_evidence"], rel=1e-11)


def test_evidence_of_one_class(table, results):
    known = results("variational_bayes")["K1_exact_log_evidence_carcinoma_beta_bernoulli"]
    x = table("polca_carcinoma", list("ABCDEFG")) - 1.0
    assert set(np.unique(x)) == {0.0, 1.0}
    assert bound(bayesian(Bernoulli(), 1, BetaPrior(1.0, 1.0)).fit(x)) == pytest.approx(
        known["log_evidence"], rel=1e-11
    )


@pytest.mark.parametrize("size", [2, 3, 6])
def test_converged_bounds_of_gaussian_mixtures(faithful, results, size):
    known = {fit["K"]: fit for fit in results("variational_bayes")["vb_gmm_faithful_std"]["fits"]}[size]
    fit = bayesian(Gaussian(), size, UNIT, weights_prior=DirichletPrior(1e-3), tol=1e-9, max_iter=5000)
    fit.fit(faithful)
    # The reference is the best of sixty starts, converged to 1e-7 of its gains.
    assert bound(fit) == pytest.approx(known["elbo"], abs=2e-6)
    laws, order = fit._components.laws, np.argsort(fit._weights_law.concentration)
    theirs = np.argsort(known["alpha"])
    live = slice(-2, None)
    for found, name in (
        (fit._weights_law.concentration, "alpha"),
        (laws.kappa, "beta"),
        (laws.degrees, "nu"),
        (fit.components_.laws.mean, "m"),
        (laws.scatter, "W_inverse"),
    ):
        expected = np.asarray(known[name])[theirs][live]
        np.testing.assert_allclose(found[order][live], expected, rtol=1e-4, atol=1e-4, err_msg=name)
