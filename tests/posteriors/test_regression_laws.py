"""Regressions with Normal-Gamma priors against closed forms, numerical derivatives, and Bayesian linear regression."""

import numpy as np
import pytest
from scipy.integrate import dblquad
from scipy.stats import gamma, invgamma, multivariate_normal, multivariate_t

from contract.specimens_regression_posteriors import CASES, MATRIX, X
from mixtura import BayesianLinearRegression, Mixture
from mixtura.components import GaussianResponse, PoissonResponse, hooks
from mixtura.exceptions import InvalidParameterError
from mixtura.priors.regression import Lines, RegressionPrior
from mixtura.protocols import Encoding

DESIGN = np.vstack([np.ones(X.shape[1]), X[1:]])


def sums_of(component, x, resp=None):
    resp = np.ones((1, x.shape[1])) if resp is None else resp
    return component.expected_statistics(component.encode(x, Encoding(len(x))), resp)


def fitted(prior, x=X, make=hooks.variational, origin=None, blank=None):
    blank = GaussianResponse() if blank is None else blank
    sums = sums_of(blank, x)
    return make(blank, prior, sums, origin).maximize(sums)


def bound(component, x=X):
    block = component.encode(x, Encoding(len(x)))
    return float(component.log_prob(block).sum()) - component.penalty()


def dense_evidence(prior, design, y):
    """Log density of all responses: Student-t with 2 a degrees of freedom."""
    a, b = prior.shape[0], prior.rate[0]
    scale = b / a * (np.eye(len(y)) + design.T @ np.linalg.inv(prior.precision[0]) @ design)
    return multivariate_t.logpdf(y, design.T @ prior.mean[0], scale, df=2 * a)


@pytest.mark.parametrize("name", CASES)
def test_with_one_component_the_bound_is_the_evidence(name):
    blank, prior = CASES[name]
    component = fitted(prior, blank=blank)
    design = DESIGN if blank.intercept else DESIGN[1:]
    assert bound(component) == pytest.approx(dense_evidence(component.prior, design, X[0]), abs=1e-9)


def test_the_evidence_is_a_chain_of_predictive_laws():
    _, prior = CASES["GaussianResponse"]
    whole = fitted(prior)
    component, total = whole, 0.0
    component = component.maximize(sums_of(component, X) * 0.0)
    for row in range(12):
        new = X[:, [row]]
        total += float(component.predictive.log_prob(component.encode(new, Encoding(3)))[0, 0])
        component = component.maximize(sums_of(component, X[:, : row + 1]))
    assert total == pytest.approx(bound(component, X[:, :12]), abs=1e-10)


def test_with_noise_that_is_known_it_is_bayesian_linear_regression():
    """a and b grow without end at b / a = s²: then the law of the noise is a point, and P = s² / t²."""
    s2, t2, many = 0.6, 3.0, 1e9
    blank = GaussianResponse(intercept=False)
    component = fitted(RegressionPrior(0.0, s2 / t2, many, many * s2), blank=blank)
    line = BayesianLinearRegression(noise_variance=s2, coefficient_variance=t2, fit_intercept=False)
    line.fit(X[1:].T, X[0])
    np.testing.assert_allclose(component.coefficients[0], line.coef_, rtol=1e-9)
    np.testing.assert_allclose(s2 * component.laws.covariance[0], line.covariance_, rtol=1e-9)
    # Both logarithms of the normalising constants are of the size of a log a.
    assert bound(component) == pytest.approx(line.log_evidence_, abs=1e-3)


def test_scores_are_averages_over_the_law(rng):
    component = fitted(CASES["GaussianResponse"][1])
    block = component.encode(X[:, :5], Encoding(3))
    many = [component.draw(rng).log_prob(block)[0] for _ in range(20_000)]
    spread = np.std(many, axis=0) / np.sqrt(len(many))
    assert (np.abs(np.mean(many, axis=0) - component.log_prob(block)[0]) < 5 * spread).all()


def test_the_divergence_is_an_average_over_the_law(rng):
    prior = Lines(np.array([[0.5, -1.0]]), MATRIX[None, :2, :2], np.array([2.0]), np.array([1.5]))
    law = Lines(
        np.array([[0.2, 0.3]]), np.array([[[3.0, 1.0], [1.0, 2.0]]]), np.array([5.0]), np.array([2.0])
    )

    def log_density(one, coefficients, precision):
        covariance = np.linalg.inv(one.precision[0]) / precision
        normal = multivariate_normal.logpdf(coefficients, one.mean[0], covariance)
        return normal + gamma.logpdf(precision, one.shape[0], scale=1 / one.rate[0])

    found = []
    for _ in range(4000):
        coefficients, noise = law.drawn(rng)
        point = coefficients[0], 1 / noise[0]
        found.append(log_density(law, *point) - log_density(prior, *point))
    assert np.mean(found) == pytest.approx(law.divergence(prior)[0], abs=5 * np.std(found) / np.sqrt(4000))
    assert law.divergence(law)[0] == pytest.approx(0.0, abs=1e-12)


def test_the_mode_is_where_the_posterior_density_is_highest():
    _, prior = CASES["GaussianResponse"]
    mode = fitted(prior, make=hooks.penalized)
    best = bound(mode)
    start = mode.coordinates()
    for step in (1e-3, -1e-3):
        for j in range(len(start)):
            moved = start.copy()
            moved[j] += step
            assert bound(mode.from_coordinates(moved)) < best


def test_the_penalty_of_a_mode_is_the_density_of_coefficients_and_variance():
    _, prior = CASES["GaussianResponse"]
    mode = fitted(prior, make=hooks.penalized)
    law, noise = mode.prior, mode.noise_variances[0]
    covariance = noise * np.linalg.inv(law.precision[0])
    density = multivariate_normal.logpdf(mode.coefficients[0], law.mean[0], covariance)
    density += invgamma.logpdf(noise, law.shape[0], scale=law.rate[0])
    assert -mode.penalty() == pytest.approx(density, abs=1e-10)


def test_the_density_integrates_to_one():
    law = Lines(np.array([[0.4]]), np.array([[[2.0]]]), np.array([3.0]), np.array([1.5]))

    def density(coefficient, precision):
        kernel = (law.shape[0] - 0.5) * np.log(precision) - precision * (
            law.rate[0] + 0.5 * law.distance(np.array([[coefficient]]))[0]
        )
        return np.exp(kernel - law.log_partition[0])

    assert dblquad(density, 1e-9, 30.0, -6.0, 7.0)[0] == pytest.approx(
        1.0, abs=1e-4
    )  # the tails of a Student law


@pytest.mark.parametrize("make", [hooks.variational, hooks.penalized])
@pytest.mark.parametrize(
    "prior", [None, RegressionPrior(precision=MATRIX), RegressionPrior(mean=[40.0, 1.0, 0.0])]
)
def test_the_origin_does_not_matter(make, prior):
    far = X + np.array([[50.0], [7.0], [-3.0]])
    origin = np.array([48.0, 6.0, -4.0])
    here, there = fitted(prior, far, make), fitted(prior, far - origin[:, None], make, origin)
    assert bound(here, far) == pytest.approx(bound(there, far - origin[:, None]), abs=1e-7)
    back = there.moved(-origin)
    np.testing.assert_allclose(back.coefficients, here.coefficients, rtol=1e-8)
    assert bound(back, far) == pytest.approx(bound(here, far), abs=1e-7)


def test_units_of_the_response_do_not_matter_to_the_default_prior():
    x = X.copy()
    x[0] *= 100.0
    small, large = fitted(None), fitted(None, x)
    np.testing.assert_allclose(large.coefficients, 100.0 * small.coefficients, rtol=1e-9)
    assert bound(large, x) == pytest.approx(bound(small) - X.shape[1] * np.log(100.0), abs=1e-8)


def test_draws_have_the_moments_of_the_law(rng):
    law = fitted(CASES["GaussianResponse"][1]).laws.take(np.zeros(40_000, dtype=int))
    coefficients, noise = law.drawn(rng)
    a, b = law.shape[0], law.rate[0]
    assert np.mean(1 / noise) == pytest.approx(a / b, rel=5 / np.sqrt(a * 40_000))
    covariance = b / (a - 1) * np.linalg.inv(law.precision[0])
    np.testing.assert_allclose(np.cov(coefficients.T), covariance, atol=0.05 * np.abs(covariance).max())


def test_predictive_variance_is_that_of_the_student_law():
    component = fitted(CASES["GaussianResponse"][1])
    block = component.encode(X[:, :3], Encoding(3))
    grid = np.linspace(-60.0, 60.0, 200_001)
    rows = np.repeat(X[:, [1]], len(grid), axis=1)
    rows[0] = grid
    density = np.exp(component.predictive.log_prob(component.encode(rows, Encoding(3)))[0])
    width = grid[1] - grid[0]
    assert density.sum() * width == pytest.approx(1.0, abs=1e-6)
    mean = (grid * density).sum() * width
    assert mean == pytest.approx(component.mean(block)[0, 1], abs=1e-6)
    assert ((grid - mean) ** 2 * density).sum() * width == pytest.approx(
        component.variance(block)[0, 1], rel=1e-4
    )


def test_mixture_takes_it(rng):
    z = rng.uniform(-3, 3, 200)
    y = np.where(rng.random(200) < 0.5, 2 + 3 * z, 1 - z) + rng.normal(0, 0.4, 200)
    mixture = Mixture(GaussianResponse(), 2, prior=RegressionPrior(), random_state=0)
    mixture.fit(np.column_stack([y, z]))
    found = np.sort(mixture.components_.coefficients[:, 1])
    np.testing.assert_allclose(found, [-1.0, 3.0], atol=0.15)


@pytest.mark.parametrize(
    ("prior", "message"),
    [
        (RegressionPrior(shape=0.0), r"RegressionPrior: shape is 0; expected a number above 0"),
        (RegressionPrior(rate=-2.0), r"RegressionPrior: rate is -2; expected a number above 0"),
        (RegressionPrior(precision=[1.0, -1.0, 1.0]), r"RegressionPrior: precision\[1\] is -1; expected a number above 0"),
        (RegressionPrior(precision=[1.0, 1.0]), r"RegressionPrior: precision has shape \(2,\)"),
        (RegressionPrior(precision=np.eye(2)), r"RegressionPrior: precision has shape \(2, 2\); expected one number, 3 numbers"),
        (RegressionPrior(precision=np.diag([1.0, 1.0, -2.0])), r"its smallest eigenvalue is -2; expected one above 0"),
        (RegressionPrior(precision=np.triu(np.ones((3, 3)))), r"it is not symmetric"),
        (RegressionPrior(mean=[0.0, np.nan, 0.0]), r"RegressionPrior: mean is .*; expected a finite number"),
        (Lines, r"The prior of the Gaussian response component is .*; expected a RegressionPrior"),
    ],
)  # fmt: skip
def test_bad_priors(prior, message):
    with pytest.raises(InvalidParameterError, match=message):
        fitted(prior)


def test_what_has_no_conjugate_prior():
    for settings, what in (({"shared": [1]}, "shared coefficients"), ({"tied": True}, "one noise variance")):
        blank = GaussianResponse(**settings)
        with pytest.raises(InvalidParameterError, match=what):
            blank.variational(None, sums_of(GaussianResponse(), X), None)
    with pytest.raises(InvalidParameterError, match="no conjugate prior"):
        hooks.variational(PoissonResponse(), None, None, None)
