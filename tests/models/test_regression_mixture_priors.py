"""Mixtures of Bayesian linear regressions: the user class with priors."""

import numpy as np
import pytest
from scipy.stats import multivariate_t

from mixtura import BayesianLinearRegression, RegressionMixture, load
from mixtura.exceptions import InvalidParameterError
from mixtura.priors import DirichletPrior, DirichletProcessPrior, GammaPrior, RegressionPrior


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = rng.uniform(-3, 3, (300, 2)) + np.array([10.0, -4.0])
    first = rng.random(300) < 0.4
    line = np.where(first, 2 + 3 * (X[:, 0] - 10), 1 - (X[:, 0] - 10) + 2 * (X[:, 1] + 4))
    return X, line + rng.normal(0, 0.5, 300)


@pytest.fixture(scope="module")
def fitted(rows):
    return RegressionMixture(2, inference="variational", tol=1e-10, random_state=0).fit(*rows)


def test_lines_are_found(fitted):
    order = np.argsort(fitted.weights_)
    np.testing.assert_allclose(fitted.coef_[order], [[3.0, 0.0], [-1.0, 2.0]], atol=0.1)
    np.testing.assert_allclose(fitted.noise_variances_, 0.25, rtol=0.25)


def test_the_bound_has_its_maximum_at_two_lines(rows):
    bounds = [
        RegressionMixture(k, inference="variational", random_state=0).fit(*rows).lower_bound_
        for k in (1, 2, 3, 4)
    ]
    assert np.argmax(bounds) == 1


def test_superfluous_components_lose_their_rows(rows):
    process = DirichletProcessPrior(concentration=0.5)
    mixture = RegressionMixture(6, weights_prior=process, random_state=0).fit(*rows)
    assert (mixture.weights_ * 300 > 2).sum() == 2


def test_with_one_component_the_bound_is_the_evidence(rows):
    """The prior about the columns' means; the response has a multivariate Student-t law."""
    X, y = rows
    prior = RegressionPrior(mean=[1.0, 0.5, 0.0], precision=[0.2, 0.1, 0.4], shape=2.0, rate=3.0)
    mixture = RegressionMixture(1, prior=prior).fit(X, y)
    design = np.column_stack([np.ones(len(y)), X - X.mean(axis=0)])
    scale = 1.5 * (np.eye(len(y)) + design @ np.diag([5.0, 10.0, 2.5]) @ design.T)
    exact = multivariate_t.logpdf(y, design @ [1.0, 0.5, 0.0], scale, df=4.0)
    assert mixture.lower_bound_ * len(y) == pytest.approx(exact, abs=1e-8)
    terms = mixture.lower_bound_terms_
    assert terms["lower_bound"] == pytest.approx(
        terms["log_evidence"] + terms["weights"] + terms["components"]
    )
    assert terms["weights"] == pytest.approx(0.0, abs=1e-12)


def test_with_one_component_and_known_noise_it_is_bayesian_linear_regression(rows):
    X, y = rows
    away, left = X - X.mean(axis=0), y - y.mean()
    many = 1e9
    prior = RegressionPrior(0.0, 8.0 / 3.0, many, many * 8.0)
    mixture = RegressionMixture(1, fit_intercept=False, prior=prior).fit(away, left)
    line = BayesianLinearRegression(noise_variance=8.0, coefficient_variance=3.0, fit_intercept=False).fit(
        away, left
    )
    np.testing.assert_allclose(mixture.coef_[0], line.coef_, rtol=1e-7)
    assert mixture.lower_bound_ * len(y) == pytest.approx(line.log_evidence_, abs=1e-3)


@pytest.mark.parametrize("inference", ["map", "variational"])
def test_the_objective_never_falls(rows, inference):
    mixture = RegressionMixture(3, inference=inference, init_params="random", tol=1e-9, random_state=1).fit(
        *rows
    )
    for start in mixture.starts_:
        assert np.diff(start.history).min(initial=0.0) >= -1e-9 * abs(start.history[-1])


def test_the_mode_lies_between_prior_and_likelihood(rows):
    prior = RegressionPrior(mean=0.0, precision=[1e-6, 200.0, 200.0])
    free = RegressionMixture(2, random_state=0).fit(*rows)
    bound = RegressionMixture(2, inference="map", prior=prior, random_state=0).fit(*rows)
    assert np.abs(bound.coef_).max() < np.abs(free.coef_).max()
    assert bound.bic(*rows) > free.bic(*rows)
    assert not hasattr(bound._model().components, "laws")


def test_predictions_and_scores(rows, fitted):
    X, y = rows
    held = slice(0, 50)
    joint = fitted.score_samples(X[held], y[held])
    plain = RegressionMixture(2, random_state=0).fit(X, y).score_samples(X[held], y[held])
    assert np.abs(joint - plain).mean() < 0.1
    assert fitted.predict_proba(X, y).shape == (300, 2)
    assert np.isfinite(fitted.predict(X)).all()
    grid = np.linspace(-40, 40, 8001)
    density = np.exp(fitted.score_samples(np.repeat(X[:1], len(grid), axis=0), grid))
    assert density.sum() * (grid[1] - grid[0]) == pytest.approx(
        1.0, abs=1e-4
    )  # the predictive law is a density
    assert np.isfinite(fitted.residuals(X, y, standardized=True)).all()


def test_intervals_and_draws_agree(fitted):
    frame = fitted.credible_intervals(0.8)
    draws = fitted.sample_posterior(4000, random_state=0)
    for k in range(2):
        slopes = frame[(frame.component == k) & (frame.feature == "x0")]
        ends = np.quantile(draws["coefficient"][:, k, 0], [0.1, 0.9])
        np.testing.assert_allclose([slopes.lower.iloc[0], slopes.upper.iloc[0]], ends, atol=0.005)
        noise = frame[(frame.component == k) & (frame.parameter == "standard_deviation")]
        ends = np.quantile(np.sqrt(draws["noise_variance"][:, k]), [0.1, 0.9])
        np.testing.assert_allclose([noise.lower.iloc[0], noise.upper.iloc[0]], ends, rtol=0.02)
    np.testing.assert_allclose(draws["weight"].sum(axis=1), 1.0)
    level = frame[frame.feature == "intercept"]
    np.testing.assert_allclose(np.sort(draws["intercept"].mean(axis=0)), np.sort(level.value), rtol=0.05)


def test_intervals_of_one_regression_cover():
    """Coefficients drawn from the prior: 90 % intervals hold them in 90 % of cases."""
    rng = np.random.default_rng(3)
    inside = []
    for _ in range(200):
        noise = 1.0 / rng.gamma(3.0, 1.0 / 2.0)
        slopes = rng.normal(0.0, np.sqrt(noise / 0.5), 2)
        X = rng.normal(size=(15, 2))
        y = X @ slopes + rng.normal(0, np.sqrt(noise), 15)
        prior = RegressionPrior(0.0, 0.5, 3.0, 2.0)
        frame = RegressionMixture(1, fit_intercept=False, prior=prior).fit(X, y).credible_intervals(0.9)
        lower, upper = frame.lower[:2].to_numpy(), frame.upper[:2].to_numpy()
        inside.extend((lower < slopes) & (slopes < upper))
    assert np.mean(inside) == pytest.approx(0.9, abs=3 * np.sqrt(0.09 / 400))


def test_more_coefficients_than_rows():
    rng = np.random.default_rng(4)
    X = rng.normal(size=(12, 20))
    mixture = RegressionMixture(1, prior=RegressionPrior(precision=1.0)).fit(
        X, X[:, 0] + rng.normal(0, 0.1, 12)
    )
    assert np.isfinite(mixture.coef_).all()


def test_warm_starts_and_fitted_starts(rows, fitted):
    again = RegressionMixture(2, inference="variational", tol=1e-10, init_params=fitted).fit(*rows)
    assert again.lower_bound_ == pytest.approx(fitted.lower_bound_, abs=1e-7)
    plain = RegressionMixture(2, random_state=0).fit(*rows)
    from_plain = RegressionMixture(2, inference="variational", tol=1e-10, init_params=plain).fit(*rows)
    assert from_plain.lower_bound_ == pytest.approx(fitted.lower_bound_, abs=1e-7)


@pytest.mark.parametrize(
    "settings", [{"inference": "variational"}, {"inference": "map", "prior": RegressionPrior(precision=0.1)}]
)
def test_files_hold_the_laws(rows, settings, tmp_path):
    X, y = rows
    mixture = RegressionMixture(2, weights_prior=DirichletPrior(2.0), random_state=0, **settings).fit(X, y)
    found = load(mixture.save(tmp_path / "lines.mixtura"))
    np.testing.assert_array_equal(found.score_samples(X, y), mixture.score_samples(X, y))
    assert found.prior == mixture.prior
    assert found.weights_prior == DirichletPrior(2.0)


def test_what_is_refused(rows, fitted):
    X, y = rows
    cases = [
        ({"inference": "bayes"}, {}, "inference is 'bayes'"),
        ({"inference": "em", "prior": RegressionPrior()}, {}, "inference is 'em', but a prior is given"),
        ({"prior": GammaPrior()}, {}, r"expected a RegressionPrior"),
        ({"prior": RegressionPrior(rate=-1.0)}, {}, r"rate is -1; expected a number above 0"),
        (
            {"prior": RegressionPrior(precision=np.eye(2))},
            {},
            r"precision has shape \(2, 2\); expected .* \(3, 3\)",
        ),
        (
            {"prior": RegressionPrior(), "shared": ["x0"]},
            {},
            "shared coefficients, for which there is no conjugate prior",
        ),
        ({"prior": RegressionPrior(), "tied_noise": True}, {}, "one noise variance for all components"),
        (
            {"prior": RegressionPrior()},
            {"concomitants": X[:, 0]},
            "concomitants are given .* no conjugate prior",
        ),
        (
            {"inference": "map", "weights_prior": DirichletProcessPrior()},
            {},
            "expected a DirichletPrior for inference='map'",
        ),
    ]
    for settings, beside, message in cases:
        with pytest.raises(InvalidParameterError, match=message):
            RegressionMixture(2, **settings).fit(X, y, **beside)
    with pytest.raises(InvalidParameterError, match="no conjugate prior"):
        RegressionMixture(2, family="poisson", inference="variational").fit(X, np.round(np.abs(y)))
    with pytest.raises(
        InvalidParameterError, match=r"expected inference='em', or credible_intervals|Expected inference='em'"
    ):
        fitted.standard_errors(X, y=y)
    with pytest.raises(InvalidParameterError, match="fitted without posterior laws"):
        RegressionMixture(1).fit(X, y).credible_intervals()
    with pytest.raises(InvalidParameterError, match="level is 90"):
        fitted.credible_intervals(90)
    with pytest.raises(InvalidParameterError, match="n_samples is 0"):
        fitted.sample_posterior(0)
