"""Regressions in components and in weights: against loops, optimisers, scikit-learn, and themselves moved or repeated."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor

from mixtura.components import GaussianResponse, LogisticResponse, PoissonResponse
from mixtura.components.design import dependencies, solve_normal
from mixtura.exceptions import DegenerateComponentError, InvalidDataError, InvalidParameterError
from mixtura.models import RegressionMixture
from mixtura.protocols import Batch, Encoding
from mixtura.structures import Concomitant, Independent, LatentMixture
from oracles_regression import best_lines, best_logit, em_step, log_densities

LINES = np.array([[1.0, 2.0, -0.5], [-1.0, 0.5, 0.3]])
KINDS = {
    "gaussian": (GaussianResponse(LINES, np.array([0.5, 1.5])), None),
    "logistic": (LogisticResponse(0.5 * LINES, trials=1), "trials"),
    "poisson": (PoissonResponse(0.5 * LINES, exposure=1), "exposure"),
}


def rows_of(name, rng, n=200):
    """Rows (n, D) of two components."""
    component, known = KINDS[name]
    covariates = rng.normal(size=(n, 2))
    beside = {"trials": rng.integers(1, 9, n), "exposure": rng.uniform(0.5, 3, n)}.get(known)
    x = np.column_stack([np.zeros(n), *([] if known is None else [beside]), covariates]).astype(float)
    block = component.encode(x.T, Encoding(x.shape[1]))
    x[:, 0] = component.respond(block, rng.integers(2, size=n), rng)
    return x


def test_a_step_of_em_is_that_of_loops(rng):
    x = rows_of("gaussian", rng)
    weight = rng.integers(1, 4, len(x)).astype(float)
    model = LatentMixture(KINDS["gaussian"][0], Independent(np.log([0.3, 0.7])), Encoding(3))
    stats = model.summarize(Batch(np.ascontiguousarray(x.T), weight), {})
    new = model.maximize(stats)
    design = np.column_stack([np.ones(len(x)), x[:, 1:]])
    expected = em_step(design, x[:, 0], weight, [0.3, 0.7], LINES, [0.5, 1.5])
    assert stats.log_evidence == pytest.approx(expected[0], rel=1e-12)
    np.testing.assert_allclose(new.structure.weights, expected[1], rtol=1e-12)
    # Normal equations lose a few digits in either elimination.
    np.testing.assert_allclose(new.components.coefficients, expected[2], rtol=1e-10)
    np.testing.assert_allclose(new.components.noise_variances, expected[3], rtol=1e-10)


@pytest.mark.parametrize("shared", [(), (2,), (0, 1)])
@pytest.mark.parametrize("name", ["logistic", "poisson"])
def test_newton_steps_end_at_the_maximum(rng, name, shared):
    x = rows_of(name, rng)
    resp = rng.dirichlet([1.0, 1.0], len(x)).T
    kind, known = KINDS[name]
    component = type(kind)(response=0, **{known: 1}, shared=shared)
    for _ in range(30):
        block = component.encode(x.T, Encoding(4))
        component = component.maximize(component.expected_statistics(block, resp))
    design = np.column_stack([np.ones(len(x)), x[:, 2:]])
    expected = best_lines(name, design, x[:, 0], x[:, 1], resp, shared)
    # The optimiser stops where its gradient, a difference of function values, is about 1e-6.
    np.testing.assert_allclose(component.coefficients, expected, atol=1e-5)


@pytest.mark.parametrize("name", ["logistic", "poisson"])
def test_expected_log_prob_is_right_to_first_order(rng, name):
    x = rows_of(name, rng)
    component = KINDS[name][0]
    resp = rng.dirichlet([1.0, 1.0], len(x)).T
    block = component.encode(x.T, Encoding(4))
    stats = component.expected_statistics(block, resp)
    theta = component.coordinates()
    for c in range(len(theta)):
        step = 1e-5 * np.eye(len(theta))[c]
        up, down = (component.from_coordinates(theta + sign * step) for sign in (1, -1))
        found = up.expected_log_prob(stats) - down.expected_log_prob(stats)
        expected = np.sum(resp * (up.log_prob(block) - down.log_prob(block)))
        assert found == pytest.approx(expected, rel=1e-5, abs=1e-9)  # central differences


@pytest.mark.parametrize("name", ["logistic", "poisson"])
def test_scores_are_those_of_the_textbook(rng, name):
    x = rows_of(name, rng)
    component = KINDS[name][0]
    design = np.column_stack([np.ones(len(x)), x[:, 2:]])
    expected = [log_densities(name, design, x[:, 0], x[:, 1], line) for line in component.coefficients]
    np.testing.assert_allclose(component.log_prob(component.encode(x.T, Encoding(4))), expected, rtol=1e-10)


@pytest.mark.parametrize("name", KINDS)
def test_a_moved_regression_scores_moved_rows_alike(rng, name):
    x = rows_of(name, rng, 20)
    component = KINDS[name][0]
    by = np.zeros(x.shape[1])
    by[-2:] = [3.0, -2.0]
    by[0] = 1.5 if name == "gaussian" else 0.0
    found = component.moved(by).log_prob(component.encode((x - by).T, Encoding(len(by))))
    np.testing.assert_allclose(found, component.log_prob(component.encode(x.T, Encoding(len(by)))), rtol=1e-9)


def test_without_an_intercept_nothing_moves():
    component = GaussianResponse(LINES[:, 1:], np.ones(2), intercept=False)
    assert component.moved(np.zeros(3)) is component
    with pytest.raises(InvalidParameterError, match="Row 0 of x moves by 1, but no intercept"):
        component.moved(np.ones(3))


def test_a_shared_intercept_cannot_make_up_for_slopes_that_are_not():
    component = GaussianResponse(LINES, np.ones(2), shared=[0])
    assert component.movable(3).tolist() == [True, False, False]
    with pytest.raises(InvalidParameterError, match="Row 2 of x moves by 3"):
        component.moved(np.array([1.0, 0.0, 3.0]))


def test_a_row_far_away_of_separated_data_ends_the_steps(rng):
    """All successes on one side: coefficients grow until nothing is gained, and no further."""
    x = np.stack([(np.arange(40) >= 20).astype(float), np.linspace(-1, 1, 40)])
    component = LogisticResponse()
    for _ in range(400):
        block = component.encode(x, Encoding(2))
        component = component.maximize(component.expected_statistics(block, np.ones((1, 40))))
    assert np.isfinite(component.coefficients).all()
    assert component.log_prob(component.encode(x, Encoding(2))).sum() > -1e-6


def test_components_name_the_columns_that_rows_do_not_determine(rng):
    x = rows_of("gaussian", rng, 30).T.copy()
    x[2, :15] = 1.0
    resp = np.zeros((2, 30))
    resp[0, :15] = resp[1, 15:] = 1.0
    component = GaussianResponse()
    with pytest.raises(DegenerateComponentError, match=r"component 0 .*coefficients of column\(s\) 2 of the"):
        component.maximize(component.expected_statistics(component.encode(x, Encoding(3)), resp))


def test_rows_on_a_line_have_no_maximum_without_a_floor(rng):
    z = rng.normal(size=30)
    x = np.stack([1.0 + 2.0 * z, z])
    for floor in (0.0, 1e-4):
        component = GaussianResponse(smallest_variance=floor)
        stats = component.expected_statistics(component.encode(x, Encoding(2)), np.ones((1, 30)))
        if floor:
            assert component.maximize(stats).noise_variances == pytest.approx([floor])
        else:
            with pytest.raises(DegenerateComponentError, match="lie on a line"):
                component.maximize(stats)


def test_shared_coefficients_that_all_rows_together_do_not_determine(rng):
    x = np.stack([rng.normal(size=20), np.zeros(20)])
    component = GaussianResponse(shared=[1])
    stats = component.expected_statistics(component.encode(x, Encoding(2)), np.ones((2, 20)) / 2)
    with pytest.raises(DegenerateComponentError, match=r"column\(s\) 1 of the design"):
        component.maximize(stats)


def test_a_regression_of_nothing_is_refused():
    component = GaussianResponse(covariates=[], intercept=False)
    with pytest.raises(InvalidParameterError, match="neither an intercept nor covariates"):
        component.encode(np.zeros((1, 3)), Encoding(1))


@pytest.mark.parametrize("name", KINDS)
def test_blank_components_say_so(name):
    blank = type(KINDS[name][0])()
    assert blank.blank
    assert "blank" in repr(blank)
    with pytest.raises(InvalidParameterError, match="no parameters yet"):
        _ = blank.coefficients


def test_noise_is_needed_beside_coefficients():
    with pytest.raises(InvalidParameterError, match="no noise variances"):
        _ = GaussianResponse(LINES).noise_variances


def test_samples_draw_covariates_from_the_pool(rng):
    pool = np.array([[0.0, 0.0], [1.0, 5.0], [2.0, 7.0]])
    rows = GaussianResponse(LINES, np.ones(2), pool=pool).sample(0, 50, rng)
    assert {tuple(row) for row in rows[:, 1:]} == {(1.0, 2.0), (5.0, 7.0)}


# --- normal equations ---------------------------------------------------------------------------------------------
def test_columns_of_very_different_units_are_solved(rng):
    z, y = rng.normal(size=(3, 40)), rng.normal(size=40)
    units = np.array([1e-9, 1.0, 1e9])
    scaled = z * units[:, None]
    found = solve_normal((scaled @ scaled.T)[None], (scaled @ y)[None]).coefficients[0]
    np.testing.assert_allclose(found * units, np.linalg.lstsq(z.T, y, rcond=None)[0], rtol=1e-9)


@pytest.mark.parametrize("noise", [0.0, 1e-13])
def test_dependent_columns_are_found_with_what_they_are_made_of(rng, noise):
    z = rng.normal(size=(4, 50))
    z[2] = z[0] - 3.0 * z[1] + noise * rng.normal(size=50)
    assert dependencies(z @ z.T) == {2: [0, 1]}


def test_nearly_dependent_columns_are_accepted(rng):
    z = rng.normal(size=(3, 50))
    z[2] = z[0] + 1e-4 * z[2]
    assert not dependencies(z @ z.T)


# --- one component ------------------------------------------------------------------------------------------------
def test_one_gaussian_component_is_linear_regression(rng):
    x = rows_of("gaussian", rng)
    weight = rng.uniform(0.5, 2.0, len(x))
    ours = RegressionMixture().fit(x[:, 1:], x[:, 0], weight)
    theirs = LinearRegression().fit(x[:, 1:], x[:, 0], weight)
    np.testing.assert_allclose(ours.coef_[0], theirs.coef_, rtol=1e-10)
    np.testing.assert_allclose(ours.predict(x[:, 1:]), theirs.predict(x[:, 1:]), rtol=1e-10)


def test_one_logistic_component_is_logistic_regression(rng):
    X = rng.normal(size=(300, 2))
    y = (rng.random(300) < 1 / (1 + np.exp(-X @ [1.0, -0.5]))).astype(float)
    ours = RegressionMixture(family="logistic", tol=1e-12).fit(X, y)
    theirs = LogisticRegression(C=np.inf, tol=1e-10).fit(X, y)
    # Its solver stops by its own tolerance.
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)
    np.testing.assert_allclose(ours.predict(X), theirs.predict_proba(X)[:, 1], atol=1e-5)


def test_one_poisson_component_is_poisson_regression(rng):
    x = rows_of("poisson", rng, 300)
    hours = x[:, 1]
    ours = RegressionMixture(family="poisson", tol=1e-12).fit(x[:, 2:], x[:, 0], exposure=hours)
    theirs = PoissonRegressor(alpha=0.0, tol=1e-10).fit(x[:, 2:], x[:, 0] / hours, sample_weight=hours)
    np.testing.assert_allclose(ours.coef_[0], theirs.coef_, atol=1e-5)
    np.testing.assert_allclose(ours.predict(x[:, 2:]), theirs.predict(x[:, 2:]), rtol=1e-5)


# --- weights that depend on covariates ----------------------------------------------------------------------------
def weighed(rng, n=300):
    """Scores of three components, covariates and row weights."""
    return rng.normal(size=(3, n)), rng.normal(size=(2, n)), rng.uniform(0.5, 2.0, n)


def test_concomitant_steps_end_at_the_maximum(rng):
    scores, covariates, weight = weighed(rng)
    scores[0] += 1.5 * covariates[0]
    expected, best = best_logit(scores, covariates, weight)
    law, history = Concomitant.from_counts(np.ones(3), 2), []
    for _ in range(200):
        found = law.infer(scores.copy(), Batch(None, weight, covariates=covariates), {})
        history.append(float(weight @ found.log_evidence))
        law = law.maximize(found.statistics)
    assert history[-1] == pytest.approx(best, abs=1e-7)
    assert np.all(np.diff(history) > -1e-9)
    # Second order in the likelihood's tolerance.
    np.testing.assert_allclose(law.coefficients, expected, atol=1e-3)


def test_a_state_taken_twice_shares_its_weight(rng):
    scores, covariates, weight = weighed(rng)
    law = Concomitant(rng.normal(size=(3, 3)))
    batch = Batch(None, weight, covariates=covariates)
    one = law.infer(scores.copy(), batch, {})
    two = law.take([0, 1, 2, 1]).infer(scores[[0, 1, 2, 1]], batch, {})
    np.testing.assert_allclose(two.log_evidence, one.log_evidence, rtol=1e-12)
    halves = law.split(one.statistics, 1)
    for name in ("count", "score", "sum_pairs"):
        np.testing.assert_allclose(halves[name], two.statistics[name], rtol=1e-9, atol=1e-9)


def test_coefficients_wait_where_states_were_left_out(rng):
    scores, covariates, weight = weighed(rng)
    law = Concomitant(rng.normal(size=(3, 3)))
    stats = law.infer(scores, Batch(None, weight, covariates=covariates), {}).statistics.take([0, 2])
    left = law.take([0, 2])
    np.testing.assert_array_equal(left.maximize(stats).coefficients, left.coefficients)
    assert left.take([0, 1, 1]).maximize(left.split(stats, 1)).n_components == 3


@pytest.mark.parametrize(("given", "found"), [(None, "none"), (np.zeros((3, 4)), "3")])
def test_weights_need_their_covariates(given, found):
    law = Concomitant(np.zeros((2, 2)))
    with pytest.raises(InvalidDataError, match=f"Batch 0 has {found} covariates for the weights; expected 1"):
        law.infer(np.zeros((2, 4)), Batch(None, np.ones(4), covariates=given), {})
