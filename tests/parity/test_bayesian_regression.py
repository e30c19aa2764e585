"""scikit-learn's checks of an estimator, and its BayesianRidge and ARDRegression, on Bayesian linear regression."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import ARDRegression, BayesianRidge, Ridge
from sklearn.utils.estimator_checks import parametrize_with_checks

import oracles_bayesian_regression as naive
from mixtura.models import BayesianLinearRegression

NO_HYPER_PRIORS = {"alpha_1": 0.0, "alpha_2": 0.0, "lambda_1": 0.0, "lambda_2": 0.0}


@pytest.fixture
def _warnings_as_for_any_estimator():
    """The checks fit rows without noise, of which the class warns; that is not the point here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.usefixtures("_warnings_as_for_any_estimator")
@parametrize_with_checks([BayesianLinearRegression(), BayesianLinearRegression(ard=True)])
def test_estimator_check(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def diabetes():
    return load_diabetes(return_X_y=True)


@pytest.fixture(scope="module")
def converged_ridge(diabetes):
    return BayesianRidge(tol=1e-13, max_iter=100_000, compute_score=True).fit(*diabetes)


def test_bayesian_ridge(diabetes, converged_ridge):
    ours, theirs = BayesianLinearRegression(tol=1e-15).fit(*diabetes), converged_ridge
    # Both ends are fixed points of the same map; the objective is flat there, which leaves half of the digits.
    assert 1 / ours.noise_variance_ == pytest.approx(theirs.alpha_, rel=1e-7)
    assert 1 / ours.coefficient_variance_ == pytest.approx(theirs.lambda_, rel=1e-5)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(ours.covariance_, theirs.sigma_, rtol=1e-4, atol=1e-3)
    assert ours.intercept_ == pytest.approx(theirs.intercept_, rel=1e-12)
    # The hyper-priors of theirs lack a constant of 1e-6 log(2 pi) each.
    assert ours.scores_[-1] == pytest.approx(theirs.scores_[-1], abs=5e-6)


def test_under_equal_variances_all_is_equal(diabetes):
    """So the ends above differ by where one stops only.

    Their score after the last step combines old coefficients with new variances, so that of the next fit's third step is taken.
    """
    theirs = BayesianRidge(max_iter=2, tol=1e-30).fit(*diabetes)
    score = BayesianRidge(max_iter=3, tol=1e-30, compute_score=True).fit(*diabetes).scores_[2]
    ours = BayesianLinearRegression(
        noise_variance=1 / theirs.alpha_, coefficient_variance=1 / theirs.lambda_
    ).fit(*diabetes)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(ours.covariance_, theirs.sigma_, rtol=1e-8, atol=1e-8)
    hyper = 1e-6 * (np.log(theirs.alpha_ * theirs.lambda_) - theirs.alpha_ - theirs.lambda_)
    assert ours.log_evidence_ + hyper == pytest.approx(score, abs=1e-8)


def test_bayesian_ridge_with_weights(diabetes, rng):
    weight = rng.integers(0, 4, len(diabetes[1])).astype(float)
    ours = BayesianLinearRegression(tol=1e-15).fit(*diabetes, sample_weight=weight)
    theirs = BayesianRidge(tol=1e-13, max_iter=100_000).fit(*diabetes, sample_weight=weight)
    assert 1 / ours.noise_variance_ == pytest.approx(theirs.alpha_, rel=1e-7)
    assert 1 / ours.coefficient_variance_ == pytest.approx(theirs.lambda_, rel=1e-5)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-4, atol=1e-3)


def test_predictive_deviations_are_theirs_and_the_variance_of_the_level(diabetes, converged_ridge):
    X, _ = diabetes
    ours = BayesianLinearRegression(tol=1e-15).fit(*diabetes)
    mean, deviation = ours.predict(X, return_std=True)
    their_mean, their_deviation = converged_ridge.predict(X, return_std=True)
    np.testing.assert_allclose(mean, their_mean, rtol=1e-6)
    np.testing.assert_allclose(deviation**2 - ours.noise_variance_ / len(X), their_deviation**2, rtol=1e-6)


def test_defaults_reach_at_least_their_score(diabetes):
    ours = BayesianLinearRegression().fit(*diabetes)
    theirs = BayesianRidge(compute_score=True).fit(*diabetes)
    assert ours.converged_
    assert ours.scores_[-1] >= theirs.scores_[-1] - 1e-5  # their missing constant


def test_ridge_is_the_mode(diabetes):
    ours = BayesianLinearRegression(noise_variance=3000.0, coefficient_variance=20_000.0).fit(*diabetes)
    theirs = Ridge(alpha=3000.0 / 20_000.0, solver="cholesky").fit(*diabetes)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-9, atol=1e-9)
    assert ours.intercept_ == pytest.approx(theirs.intercept_, rel=1e-12)


def their_evidence(theirs, X, y):
    """Log evidence of ARDRegression's variances, by the dense covariance of the responses."""
    kept = theirs.coef_ != 0
    away = (X - X.mean(axis=0))[:, kept]
    return naive.log_evidence(away, y, 1 / theirs.lambda_[kept], 1 / theirs.alpha_, y.mean())


def test_ard_on_diabetes(diabetes):
    """scikit-learn prunes at a precision of 1e4, whatever the units; what stays is the same."""
    ours = BayesianLinearRegression(ard=True, tol=1e-14, **NO_HYPER_PRIORS).fit(*diabetes)
    theirs = ARDRegression(
        tol=1e-10, max_iter=100_000, alpha_1=0, alpha_2=0, lambda_1=0, lambda_2=0, threshold_lambda=1e4
    ).fit(*diabetes)
    kept = theirs.coef_ != 0
    np.testing.assert_array_equal(ours.coef_ != 0, kept)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-4, atol=1e-3)
    assert 1 / ours.noise_variance_ == pytest.approx(theirs.alpha_, rel=1e-6)
    np.testing.assert_allclose(1 / ours.coefficient_variance_[kept], theirs.lambda_[kept], rtol=1e-4)


@pytest.mark.parametrize("settings", [{}, {"max_iter": 10_000, "tol": 1e-9, "threshold_lambda": 1e12}])
def test_ard_reaches_at_least_the_evidence_of_theirs(diabetes, settings, rng):
    """Theirs stops by the change of the coefficients, or prunes what still earns something."""
    sparse = rng.normal(size=(60, 15))
    alike = rng.normal(size=(60, 4)) @ rng.normal(size=(4, 12)) + 0.3 * rng.normal(size=(60, 12))
    for X, y in [
        (diabetes[0][:120], diabetes[1][:120]),
        (sparse, sparse[:, :3] @ [3.0, -1.0, 0.3] + rng.normal(size=60)),
        (alike, 2 * alike[:, :3].sum(axis=1) + rng.normal(size=60)),
    ]:
        ours = BayesianLinearRegression(ard=True, **NO_HYPER_PRIORS).fit(X, y)
        assert ours.log_evidence_ >= their_evidence(ARDRegression(**settings).fit(X, y), X, y) - 1e-6
