"""Mixtures of regressions that R packages fitted: at least as likely, with exactly as many parameters.

flexmix 2.3-18 and mixtools 2.0.0 under R 4.2.2. flexmix divides squared residuals by N_k less the coefficients, so that its
likelihood is a little below the maximum.
"""

import numpy as np
import pytest

from mixtura import Mixture
from mixtura.components import GaussianResponse, PoissonResponse, Product
from mixtura.models import RegressionMixture


def sound(mixture):
    """No component on a handful of rows or almost without noise."""
    return not mixture.starts_[mixture.best_start_].suspects


@pytest.fixture(scope="module")
def npreg(table):
    """Covariate, its square, a Gaussian and a Poisson response."""
    x, yn, yp = table("flexmix_NPreg", ["x", "yn", "yp"]).T
    return np.column_stack([x, x**2]), yn, yp


@pytest.mark.parametrize("seed", range(3))
def test_quadratic_regressions_of_npreg(npreg, results, seed):
    X, y, _ = npreg
    theirs = results("flexmix")["NPreg_gaussian"]
    mixture = RegressionMixture(2, random_state=seed, tol=1e-9).fit(X, y)
    assert mixture.score(X, y) * len(y) >= theirs["loglik"] - 1e-4
    assert mixture.n_parameters() == theirs["df"] == 9
    assert mixture.bic(X, y) <= theirs["BIC"] + 2e-4
    assert sound(mixture)
    order = np.argsort(mixture.intercept_)
    found = np.column_stack([mixture.intercept_, mixture.coef_, np.sqrt(mixture.noise_variances_)])[order]
    # Their variances, and through the responsibilities all else, have another divisor.
    np.testing.assert_allclose(found.T, theirs["parameters"], rtol=0.02, atol=0.02)
    np.testing.assert_allclose(mixture.weights_[order], theirs["prior"], atol=2e-3)


def test_the_likelihood_of_flexmix_is_computed_from_its_parameters(npreg, results):
    X, y, _ = npreg
    theirs = results("flexmix")["NPreg_gaussian"]
    values = np.array(theirs["parameters"])
    mixture = RegressionMixture(2, random_state=0).fit(X, y)
    mixture.intercept_, mixture.coef_, mixture.noise_variances_ = values[0], values[1:3].T, values[3] ** 2
    mixture.weights_ = np.array(theirs["prior"])
    # The digits that were kept.
    assert mixture.score(X, y) * len(y) == pytest.approx(theirs["loglik"], abs=1e-9)
    assert mixture.bic(X, y) == pytest.approx(1332.7752, abs=5e-5)
    labels = mixture.predict_proba(X, y).argmax(axis=1)
    groups = [np.bincount(labels[rows], minlength=2).tolist() for rows in (slice(100), slice(100, 200))]
    assert sorted(groups) == sorted(theirs["cluster_vs_class"])


def test_two_responses_of_npreg(npreg, results):
    X, yn, yp = npreg
    theirs = results("flexmix")["NPreg_gauss_poisson"]
    rows = np.column_stack([yn, X, yp, X[:, 0]])
    blocks = {"yn": (GaussianResponse(), [0, 1, 2]), "yp": (PoissonResponse(), [3, 4])}
    mixture = Mixture(Product(blocks), 2, random_state=0, tol=1e-9).fit(rows)
    assert mixture.score(rows) * len(rows) >= theirs["loglik"] - 1e-4
    assert mixture.n_parameters() == theirs["df"] == 13
    assert mixture.bic(rows) <= theirs["BIC"] + 2e-4
    assert sound(mixture)
    poisson = mixture.components_["yp"].coefficients
    order = np.argsort(poisson[:, 1])
    np.testing.assert_allclose(poisson[order].T, theirs["parameters_poisson"], atol=5e-3)


@pytest.mark.parametrize(
    ("name", "data", "columns"),
    [
        ("regmix_co2", "mixtools_co2", ["GNP", "CO2"]),
        ("regmix_no", "mixtools_nodata", ["NO", "Equivalence"]),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_lines_of_mixtools(table, results, name, data, columns, seed):
    x, y = table(data, columns).T
    theirs = results("mixtools")[name]
    X = x.reshape(-1, 1)
    mixture = RegressionMixture(2, random_state=seed, tol=1e-10).fit(X, y)
    assert mixture.score(X, y) * len(y) >= theirs["loglik"] - 1e-4
    assert mixture.n_parameters() == 7
    assert sound(mixture)
    order = np.argsort(mixture.coef_[:, 0])[:: 1 if theirs["beta"][1][0] < theirs["beta"][1][1] else -1]
    np.testing.assert_allclose(mixture.weights_[order], theirs["lambda"], atol=1e-4)
    np.testing.assert_allclose(mixture.intercept_[order], theirs["beta"][0], rtol=1e-3)
    np.testing.assert_allclose(mixture.coef_[order, 0], theirs["beta"][1], rtol=1e-3)
    np.testing.assert_allclose(np.sqrt(mixture.noise_variances_[order]), theirs["sigma"], rtol=1e-3)
