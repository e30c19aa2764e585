"""Published and independently computed figures of variational Gaussian mixtures, reached by the drop-in class."""

import numpy as np
import pytest
from scipy.special import betaln

from mixtura import BayesianGaussianMixture

# --- a public tutorial on EM and variational Bayes: three overlapping clusters ----------------------------------
MEANS = [(-3.0, 2.0), (4.0, 2.0), (3.0, 1.0)]
COVARIANCES = [[[1.0, 0.2], [0.2, 2.0]], [[0.8, -1.0], [-1.0, 1.3]], [[1.5, 1.4], [1.4, 1.5]]]


@pytest.fixture(scope="module")
def tutorial():
    """Its thousand rows, drawn as it draws them."""
    legacy = np.random.RandomState(1000)
    label = np.searchsorted([0.15, 0.5], legacy.rand(1000), side="right")
    rows = np.array([legacy.multivariate_normal(MEANS[k], COVARIANCES[k]) for k in label])
    np.testing.assert_array_equal(np.bincount(label), [180, 340, 480])
    np.testing.assert_allclose(rows[0], [2.9666886, 0.44579598], atol=5e-9)
    return rows


def fitted(rows, k, alpha, **settings):
    return BayesianGaussianMixture(
        k,
        weight_concentration_prior_type="dirichlet_distribution",
        weight_concentration_prior=alpha,
        **settings,
    ).fit(rows)


def test_posterior_means_of_the_tutorial_to_all_its_digits(tutorial):
    mixture = fitted(
        tutorial,
        3,
        1.5,
        mean_precision_prior=1.5,
        degrees_of_freedom_prior=2.0,
        mean_prior=[1.0, 1.0],
        covariance_prior=np.eye(2),
        tol=1e-13,
        max_iter=20_000,
        random_state=0,
    )
    order = np.argsort(-mixture.weights_)
    np.testing.assert_allclose(mixture.weights_[order], [0.46797179, 0.35129235, 0.18073586], atol=1e-8)
    expected = [[2.87714931, 0.89628928], [4.03070604, 1.91857709], [-3.05747205, 1.78215033]]
    np.testing.assert_allclose(mixture.means_[order], expected, atol=1.5e-8)
    # A mixture of Student-t laws with nu_k + 1 - D degrees of freedom.
    np.testing.assert_allclose(
        mixture._model().predictive.components.degrees_of_freedom, mixture.degrees_of_freedom_ - 1.0
    )


@pytest.mark.parametrize("k", [6, 10])
def test_three_components_stay_alive(tutorial, k):
    for seed in range(2):
        mixture = fitted(tutorial, k, 1e-3, random_state=seed)
        assert np.sum(mixture.mean_precision_ - mixture.mean_precision_prior_ >= 1.0) == 3


@pytest.mark.slow
def test_three_components_stay_alive_from_twenty_seeds(tutorial):
    live = [
        int(np.sum(fitted(tutorial, 10, 1e-3, random_state=seed).mean_precision_ - 1.0 >= 1.0))
        for seed in range(20)
    ]
    assert live == [3] * 20


# --- faithful, standardised: an independent NumPy implementation, and scikit-learn's class ------------------------
UNIT = {
    "mean_precision_prior": 1.0,
    "mean_prior": [0.0, 0.0],
    "degrees_of_freedom_prior": 2.0,
    "covariance_prior": np.eye(2),
}


@pytest.fixture
def faithful(table):
    x = table("faithful", ["eruptions", "waiting"])
    return (x - x.mean(axis=0)) / x.std(axis=0)


@pytest.mark.parametrize("law", ["dirichlet_distribution", "dirichlet_process"])
def test_evidence_of_one_component(faithful, results, law):
    known = results("variational_bayes")["K1_exact_log_evidence_faithful_std"]
    mixture = BayesianGaussianMixture(
        1, weight_concentration_prior_type=law, weight_concentration_prior=1e-3, random_state=0, **UNIT
    ).fit(faithful)
    # The process has infinitely many components; that all rows are in the first has the evidence of N successes of its stick.
    n = len(faithful)
    stick = betaln(1.0 + n, 1e-3) - betaln(1.0, 1e-3) if law == "dirichlet_process" else 0.0
    assert mixture.lower_bound_ * n == pytest.approx(known["log_evidence"] + stick, rel=1e-12)


@pytest.mark.parametrize("place", range(3))
def test_bounds_and_posteriors_of_the_best_of_sixty_starts(faithful, results, place):
    known = results("variational_bayes")["vb_gmm_faithful_std"]["fits"][place]
    mixture = fitted(faithful, known["K"], 1e-3, random_state=0, tol=1e-12, max_iter=5000, **UNIT)
    assert mixture.lower_bound_ * len(faithful) == pytest.approx(known["elbo"], abs=1e-6)
    live, theirs = np.argsort(-mixture.weights_)[:2], np.argsort(-np.asarray(known["alpha"]))[:2]
    scatter = mixture.covariances_ * mixture.degrees_of_freedom_[:, None, None]
    for found, name in (
        (mixture.weight_concentration_, "alpha"),
        (mixture.mean_precision_, "beta"),
        (mixture.degrees_of_freedom_, "nu"),
        (mixture.means_, "m"),
        (scatter, "W_inverse"),
    ):
        # They stopped at gains of 1e-10 or so, which leaves a hundred-thousandth in the parameters.
        np.testing.assert_allclose(found[live], np.asarray(known[name])[theirs], rtol=1e-5, err_msg=name)


def test_attributes_of_scikit_learns_class(faithful, results):
    known = results("variational_bayes")["sklearn_bgm_K2_faithful_std"]
    mixture = fitted(faithful, 2, 1e-3, random_state=0, tol=1e-12, max_iter=5000, **UNIT)
    order, theirs = np.argsort(mixture.weights_), np.argsort(known["weight_concentration"])
    for name, recorded in (
        ("weight_concentration_", "weight_concentration"),
        ("mean_precision_", "mean_precision"),
        ("degrees_of_freedom_", "dof"),
        ("means_", "means"),
        ("covariances_", "covariances"),
    ):
        expected = np.asarray(known[recorded])[theirs]
        np.testing.assert_allclose(
            getattr(mixture, name)[order], expected, rtol=1e-5, atol=1e-5, err_msg=name
        )
