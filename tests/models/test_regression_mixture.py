"""The user class: what it learns, predicts, draws, tells, keeps and refuses."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from mixtura.exceptions import InvalidDataError, InvalidParameterError
from mixtura.models import GaussianMixture, RegressionMixture, load
from mixtura.selection import select

RATES = np.array([[0.5, 0.8], [2.0, -0.6]])


@pytest.fixture(scope="module")
def lines():
    """Two crossing lines, the second more frequent where z is large."""
    rng = np.random.default_rng(3)
    z = rng.normal(size=400)
    second = rng.random(400) < 1 / (1 + np.exp(-(0.3 + 1.5 * z)))
    X = rng.uniform(-2, 2, (400, 2))
    mean = np.where(second, 1 - 2 * X[:, 0] + 0.5 * X[:, 1], 3 + X[:, 0] + 0.5 * X[:, 1])
    return X, mean + rng.normal(0, np.where(second, 0.4, 0.8)), z, second


@pytest.fixture(scope="module")
def weighed(lines):
    """A fit in which weights depend on z."""
    X, y, z, _ = lines
    return RegressionMixture(2, random_state=0, tol=1e-9).fit(X, y, concomitants=z)


@pytest.fixture(scope="module")
def counts():
    """Two rates over hours of observation."""
    rng = np.random.default_rng(4)
    X, hours = rng.normal(size=(500, 1)), rng.uniform(0.5, 4, 500)
    state = rng.integers(2, size=500)
    return X, rng.poisson(hours * np.exp(RATES[state, 0] + RATES[state, 1] * X[:, 0])), hours


def test_lines_and_weights_are_found(lines, weighed):
    _, _, z, second = lines
    one = int(np.argmin(weighed.coef_[:, 0]))
    order = [1 - one, one]
    # Three standard errors of a few hundred rows.
    np.testing.assert_allclose(weighed.coef_[order], [[1, 0.5], [-2, 0.5]], atol=0.15)
    np.testing.assert_allclose(weighed.intercept_[order], [3, 1], atol=0.15)
    np.testing.assert_allclose(np.sqrt(weighed.noise_variances_[order]), [0.8, 0.4], atol=0.1)
    slope = np.diff(weighed.concomitant_coef_[order, 0])[0]
    assert slope == pytest.approx(1.5, abs=0.6)
    assert weighed.weights_[one] == pytest.approx(second.mean(), abs=0.05)
    prior = weighed.predict_proba(np.zeros((400, 2)), concomitants=z)
    np.testing.assert_allclose(
        prior.mean(axis=0), weighed.weights_, atol=1e-5
    )  # the score of the intercept is zero


def test_what_is_published_scores_as_the_fit_did(lines, weighed):
    X, y, z, _ = lines
    assert weighed.score(X, y, concomitants=z) == pytest.approx(weighed.lower_bound_, rel=1e-12)
    densities = [
        norm(weighed.intercept_[k] + X @ weighed.coef_[k], np.sqrt(weighed.noise_variances_[k])).pdf(y)
        for k in range(2)
    ]
    odds = np.exp(weighed.concomitant_intercept_ + np.outer(z, weighed.concomitant_coef_[:, 0]))
    joint = np.stack(densities, axis=1) * odds / odds.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(weighed.score_samples(X, y, concomitants=z), np.log(joint.sum(axis=1)))
    posterior = joint / joint.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(weighed.predict_proba(X, y, concomitants=z), posterior, atol=1e-12)
    assert weighed.n_parameters() == 2 * 3 + 2 + 2
    n, total = len(y), weighed.score(X, y, concomitants=z) * len(y)
    assert weighed.bic(X, y, concomitants=z) == pytest.approx(-2 * total + 10 * np.log(n))
    assert weighed.aic(X, y, concomitants=z) == pytest.approx(-2 * total + 20)
    certainty = np.log(posterior.max(axis=1)).sum()
    assert weighed.icl(X, y, concomitants=z) == pytest.approx(-2 * (total + certainty) + 10 * np.log(n))


def test_predictions_mix_the_components(lines, weighed):
    X, _, z, _ = lines
    means = weighed.intercept_ + X @ weighed.coef_.T
    np.testing.assert_allclose(weighed.predict_components(X, concomitants=z), means)
    prior = weighed.predict_proba(X, concomitants=z)
    np.testing.assert_allclose(weighed.predict(X, concomitants=z), np.sum(prior * means, axis=1))


def test_residuals_are_those_of_the_most_probable_component(lines, weighed):
    X, y, z, _ = lines
    state = weighed.predict_proba(X, y, concomitants=z).argmax(axis=1)
    expected = y - weighed.predict_components(X, concomitants=z)[np.arange(len(y)), state]
    np.testing.assert_allclose(weighed.residuals(X, y, concomitants=z), expected)
    scaled = weighed.residuals(X, y, standardized=True, concomitants=z)
    np.testing.assert_allclose(scaled, expected / np.sqrt(weighed.noise_variances_[state]))


def test_drawn_responses_have_the_law_of_the_model(lines, weighed):
    X, _, z, _ = lines
    many = np.repeat(np.arange(len(X)), 50)
    y, state = weighed.sample(X[many], concomitants=z[many])
    prior = weighed.predict_proba(X[many], concomitants=z[many])
    # Four standard errors of 20,000 draws.
    assert (state == 1).mean() == pytest.approx(prior[:, 1].mean(), abs=4 * 0.5 / np.sqrt(len(many)))
    residual = y - weighed.predict_components(X[many], concomitants=z[many])[np.arange(len(y)), state]
    for k in range(2):
        assert residual[state == k].var() == pytest.approx(weighed.noise_variances_[k], rel=0.06)
    again, _ = weighed.sample(X[many], concomitants=z[many])
    assert not np.array_equal(again, y)


def test_rates_per_exposure(counts):
    X, y, hours = counts
    mixture = RegressionMixture(2, family="poisson", random_state=0).fit(X, y, exposure=hours)
    order = np.argsort(mixture.intercept_)
    found = np.column_stack([mixture.intercept_, mixture.coef_])[order]
    np.testing.assert_allclose(found, RATES, atol=0.1)
    assert not hasattr(mixture, "noise_variances_")
    np.testing.assert_allclose(mixture.predict(X, exposure=2.0), 2.0 * mixture.predict(X))
    drawn, _ = mixture.sample(X, exposure=hours)
    assert (drawn == np.floor(drawn)).all()
    assert drawn.mean() == pytest.approx(y.mean(), rel=0.1)
    with pytest.raises(InvalidDataError, match="fitted with exposure, which these rows lack"):
        mixture.score(X, y)


def test_successes_out_of_trials():
    rng = np.random.default_rng(5)
    X, trials, state = rng.normal(size=(400, 1)), rng.integers(5, 20, 400), rng.integers(2, size=400)
    lines = np.array([[-1.0, 1.5], [1.0, -1.0]])
    share = 1 / (1 + np.exp(-(lines[state, 0] + lines[state, 1] * X[:, 0])))
    y = rng.binomial(trials, share)
    mixture = RegressionMixture(2, family="logistic", random_state=0).fit(X, y, trials=trials)
    found = np.column_stack([mixture.intercept_, mixture.coef_])[np.argsort(mixture.intercept_)]
    np.testing.assert_allclose(found, lines, atol=0.25)
    assert (mixture.predict(X) < 1).all()
    assert (mixture.sample(X, trials=trials)[0] <= trials).all()


def test_a_weight_of_two_is_the_row_twice(lines):
    X, y, z, _ = lines
    weight = np.random.default_rng(0).integers(0, 3, len(y))
    rows = np.repeat(np.arange(len(y)), weight)
    start = RegressionMixture(2, random_state=0).fit(X, y, concomitants=z)
    one = RegressionMixture(2, init_params=start, tol=1e-9).fit(X, y, weight, concomitants=z)
    two = RegressionMixture(2, init_params=start, tol=1e-9).fit(X[rows], y[rows], concomitants=z[rows])
    np.testing.assert_allclose(one.coef_, two.coef_, rtol=1e-8)
    np.testing.assert_allclose(one.concomitant_coef_, two.concomitant_coef_, rtol=1e-6)
    assert one.bic(X, y, weight, concomitants=z) == pytest.approx(
        two.bic(X[rows], y[rows], concomitants=z[rows])
    )


def test_far_from_the_origin_the_lines_are_the_same(lines):
    X, y, z, _ = lines
    near = RegressionMixture(2, random_state=0, tol=1e-9).fit(X, y, concomitants=z)
    far = RegressionMixture(2, random_state=0, tol=1e-9).fit(X + 1e7, y - 1e6, concomitants=z + 1e6)
    # Data at 1e7 hold nine digits of a spread of one.
    np.testing.assert_allclose(far.coef_, near.coef_, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(far.concomitant_coef_, near.concomitant_coef_, rtol=1e-4)
    assert far.lower_bound_ == pytest.approx(near.lower_bound_, abs=1e-6)


def test_shared_coefficients_and_tied_noise(lines):
    X, y, _, _ = lines
    frame = pd.DataFrame(X, columns=["price", "season"])
    free = RegressionMixture(2, random_state=0).fit(frame, y)
    mixture = RegressionMixture(2, shared=["season"], tied_noise=True, random_state=0).fit(frame, y)
    assert mixture.coef_[0, 1] == mixture.coef_[1, 1]
    assert mixture.noise_variances_[0] == mixture.noise_variances_[1]
    assert mixture.n_parameters() == 1 + 2 * 2 + 1 + 1
    assert mixture.lower_bound_ < free.lower_bound_
    assert RegressionMixture(2, shared=[1], tied_noise=True, random_state=0).fit(X, y).lower_bound_ == (
        pytest.approx(mixture.lower_bound_, rel=1e-9)
    )
    together = RegressionMixture(2, shared=["intercept", "season"], random_state=0).fit(frame, y)
    assert together.intercept_[0] == together.intercept_[1]
    with pytest.raises(InvalidParameterError, match=r"shared holds 'seson'.*Did you mean 'season'"):
        RegressionMixture(2, shared=["seson"]).fit(frame, y)


def test_without_an_intercept(lines):
    X, y, _, _ = lines
    mixture = RegressionMixture(2, fit_intercept=False, random_state=0).fit(X, y)
    assert not mixture.intercept_.any()
    assert mixture.n_parameters() == 1 + 4 + 2
    assert mixture.score(X, y) == pytest.approx(mixture.lower_bound_)


def test_known_components_of_some_rows_number_the_components(lines):
    X, y, z, second = lines
    labels = np.full(len(y), -1)
    labels[:40] = second[:40]
    mixture = RegressionMixture(2, random_state=0).fit(X, y, labels=labels, concomitants=z)
    assert mixture.coef_[1, 0] == pytest.approx(-2.0, abs=0.15)
    with pytest.raises(InvalidParameterError, match="on_degenerate is 'drop'"):
        RegressionMixture(2, on_degenerate="drop").fit(X, y, labels=labels)


def test_fit_predict_labels_rows_as_their_posterior_does(lines):
    X, y, z, second = lines
    labels = RegressionMixture(2, random_state=0).fit_predict(X, y, concomitants=z)
    agreement = (labels == second).mean()
    assert max(agreement, 1 - agreement) > 0.9


def test_a_warm_start_goes_on_where_it_ended(lines):
    X, y, z, _ = lines
    mixture = RegressionMixture(2, random_state=0, tol=1e-9).fit(X, y, concomitants=z)
    before = mixture.lower_bound_
    mixture.set_params(warm_start=True).fit(X, y, concomitants=z)
    assert mixture.starts_[0].history[0] == pytest.approx(before, abs=1e-10)
    assert mixture.n_iter_ <= 3


def test_more_components_start_from_fewer(lines, weighed):
    X, y, z, _ = lines
    three = RegressionMixture(3, init_params=weighed, tol=1e-7).fit(X, y, concomitants=z)
    assert three.lower_bound_ >= weighed.lower_bound_ - 1e-3
    poisson = RegressionMixture(2, family="poisson", init_params=weighed)
    with pytest.raises(InvalidParameterError, match="expected a RegressionMixture with family='poisson'"):
        poisson.fit(X, np.ones(len(y)))
    gaussian = GaussianMixture(2, random_state=0).fit(X)
    with pytest.raises(InvalidParameterError, match="expected a RegressionMixture"):
        RegressionMixture(2, init_params=gaussian).fit(X, y)


def test_components_that_lose_their_rows_leave_the_weights_in_order(lines):
    X, y, z, _ = lines
    weight = np.zeros(len(y))
    weight[:12] = 1.0
    for policy in ("drop", "reseed", "prior"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            mixture = RegressionMixture(4, random_state=0, on_degenerate=policy, max_iter=50).fit(
                X, y, weight, concomitants=z
            )
        assert np.isfinite(mixture.lower_bound_)
        assert mixture.concomitant_coef_.shape == (mixture.n_components_, 1)


def test_tables_name_the_columns(lines, tmp_path):
    X, y, z, _ = lines
    frame = pd.DataFrame(X, columns=["price", "season"])
    beside = pd.DataFrame({"age": z})
    mixture = RegressionMixture(2, random_state=0).fit(frame, pd.Series(y, name="sales"), concomitants=beside)
    table = mixture.params_frame("pandas")
    price = table[(table.parameter == "coefficient") & (table.feature == "price")]
    np.testing.assert_allclose(price.value, mixture.coef_[:, 0])
    age = table[(table.parameter == "concomitant_coefficient") & (table.feature == "age")]
    np.testing.assert_allclose(age.value, mixture.concomitant_coef_[:, 0])
    noise = table[table.parameter == "standard_deviation"]
    np.testing.assert_allclose(noise.value, np.sqrt(mixture.noise_variances_))
    assert "price" in mixture.summary()
    assert "standard_deviation" in mixture.summary()
    assert "price" in mixture._repr_html_()
    labelled = mixture.assign(frame, y, concomitants=beside)
    assert list(labelled.columns) == ["component", "probability", "log_likelihood", "p0", "p1"]
    assert labelled.probability.min() >= 0.5


@pytest.mark.parametrize("family", ["gaussian", "poisson"])
def test_a_saved_mixture_predicts_the_same(lines, counts, family, tmp_path):
    if family == "gaussian":
        X, y, z, _ = lines
        given = {"concomitants": z}
        mixture = RegressionMixture(2, shared=[1], random_state=0)
    else:
        X, y, hours = counts
        given = {"exposure": hours}
        mixture = RegressionMixture(2, family="poisson", random_state=0)
    mixture.fit(X, y, **given)
    again = load(mixture.save(tmp_path / "lines.mixtura"))
    np.testing.assert_array_equal(again.predict(X, **given), mixture.predict(X, **given))
    np.testing.assert_array_equal(again.score_samples(X, y, **given), mixture.score_samples(X, y, **given))
    assert again.n_parameters() == mixture.n_parameters()
    assert again.summary() == mixture.summary()


# --- what is refused ----------------------------------------------------------------------------------------------
def refused(match, X, y, *, error=InvalidDataError, family="gaussian", fit_intercept=True, **given):
    with pytest.raises(error, match=match):
        RegressionMixture(2, family=family, fit_intercept=fit_intercept).fit(X, y, **given)


def test_designs_that_do_not_determine_their_coefficients(rng):
    X = pd.DataFrame(rng.normal(size=(30, 3)), columns=["a", "b", "c"])
    y = rng.normal(size=30)
    refused("'d' of X is a linear combination of 'a' and 'b';", X.assign(d=X.a - 2 * X.b), y)
    refused("'d' of X is a linear combination of 'a' and 'c' and the inter", X.assign(d=X.a + X.c + 3), y)
    refused(r"'d' of X is constant \(4\), as the intercept is", X.assign(d=4.0), y)
    refused("'x3' of X is zero in every row", np.column_stack([X, np.zeros(30)]), y, fit_intercept=False)
    refused("'z1' of the concomitants is constant", X, y, concomitants=np.stack([y, np.ones(30)], axis=1))
    refused(r"There are 3 rows \(of positive weight\) for 4 coefficients", X[:3], y[:3])


def refused_settings(match, **settings):
    with pytest.raises(InvalidParameterError, match=match):
        RegressionMixture(**settings).fit(np.arange(6.0).reshape(-1, 1), np.arange(6.0) ** 2)


def test_settings_outside_their_domain():
    refused_settings(r"family is 'gausian'.*Did you mean 'gaussian'", family="gausian")
    refused_settings("fit_intercept is 2; expected True or False", fit_intercept=2)
    refused_settings("noise_floor is -1; expected a number of at least 0", noise_floor=-1)
    refused_settings("shared holds 1, which is no column", shared=1)


def test_responses_that_the_family_cannot_have(rng):
    X = rng.normal(size=(6, 1))
    counts = np.array([0.0, 1, 2, 0, 1, 3])
    name = pd.Series([0, 1, -2, 0, 1, 3], name="visits")
    refused("visits of row 2 is -2; expected whole counts of at least 0", X, name, family="poisson")
    refused(
        "exposure of row 0 is 0; expected .*positive exposure", X, counts, family="poisson", exposure=counts
    )
    refused("y of row 2 is 2; expected whole successes", X, counts, family="logistic")
    refused("trials of row 0 is 0", X, np.zeros(6), family="logistic", trials=counts)
    refused("All responses are 3; expected responses that vary", X, np.full(6, 3.0))


def test_missing_cells_are_named(rng):
    X, y = rng.normal(size=(6, 2)), rng.normal(size=6)
    gap = np.where(np.arange(6) == 4, np.nan, y)
    frame = pd.DataFrame(X, columns=["a", "b"])
    refused(r"Row 4 of y is missing \(NaN\)", X, gap)
    refused("Row 4, column 1 of X is missing", np.column_stack([y, gap]), y)
    refused("Row 4, column 'b' of X is missing", frame.assign(b=gap), y)
    refused("Row 4, column 'z' of concomitants is missing", X, y, concomitants=pd.DataFrame({"z": gap}))
    refused("Row 4 of exposure is missing", X, np.ones(6), family="poisson", exposure=gap)


def test_columns_beside_the_rows(rng, weighed, lines):
    X, y, z, _ = lines
    refused(r"exposure has shape \(5,\); expected \(400,\)", X, z > 0, family="poisson", exposure=np.ones(5))
    refused("concomitants have 3 rows; expected 400", X, y, concomitants=np.ones((3, 1)))
    refused(
        "trials is given with family='gaussian'; expected it with family='logistic'",
        X,
        y,
        trials=np.ones(400),
        error=InvalidParameterError,
    )
    with pytest.raises(InvalidDataError, match="concomitants have 0 columns; expected 1, as in the fit: z0"):
        weighed.predict(X)
    for method in (weighed.score_samples, weighed.bic, weighed.assign):
        with pytest.raises(InvalidDataError, match="needs the responses y"):
            method(X, concomitants=z)


# --- sweeps -------------------------------------------------------------------------------------------------------
@pytest.mark.filterwarnings("ignore::mixtura.exceptions.EdgeOfRangeWarning")
def test_a_sweep_over_the_number_of_components(lines):
    X, y, z, _ = lines
    estimator = RegressionMixture(random_state=0)
    chosen = select(estimator, X[:300], n_components=[1, 2, 3], y=y[:300], concomitants=z[:300])
    assert chosen.chosen["n_components"] == 2
    best = chosen.best_estimator_
    assert chosen.chosen["bic"] == pytest.approx(best.bic(X[:300], y[:300], concomitants=z[:300]))
    likelihoods = [row["log_likelihood"] for row in chosen.table]
    assert likelihoods == sorted(likelihoods)
    held_out = select(
        estimator,
        X[:300],
        n_components=[1, 2],
        y=y[:300],
        criterion="held_out",
        validation={"X": X[300:], "y": y[300:]},
    )
    assert held_out.chosen["held_out"] == held_out.best_estimator_.score(X[300:], y[300:])


# --- standard errors ----------------------------------------------------------------------------------------------
def test_standard_errors_of_one_regression_are_those_of_the_textbook(lines):
    X, y, _, _ = lines
    design = np.column_stack([np.ones(len(y)), X])
    one = RegressionMixture(tol=1e-12).fit(X, y)
    table = one.standard_errors(X, y=y).frame("pandas")
    found = table[table.parameter == "coefficient"].standard_error
    variance = np.mean((y - one.predict(X)) ** 2)
    np.testing.assert_allclose(
        found, np.sqrt(np.diag(np.linalg.inv(design.T @ design)) * variance), rtol=1e-5
    )

    success = (y > np.median(y)).astype(float)
    one = RegressionMixture(family="logistic", tol=1e-12).fit(X, success)
    table = one.standard_errors(X, y=success).frame("pandas")
    share = one.predict(X)
    information = (design * (share * (1 - share))[:, None]).T @ design
    found = table[table.parameter == "coefficient"].standard_error
    np.testing.assert_allclose(found, np.sqrt(np.diag(np.linalg.inv(information))), rtol=1e-4)


def test_standard_errors_with_concomitants_are_those_of_the_curvature(lines):
    X, y, z, _ = lines
    mixture = RegressionMixture(2, random_state=0, tol=1e-12).fit(X, y, concomitants=z)
    found = mixture.standard_errors(X, y=y, concomitants=z)
    model, problem = mixture._learned(X, None, y=y, concomitants=z)
    source = problem.source()

    def slope(theta, direction, step=1e-4):
        up, down = (model.from_coordinates(theta + sign * step * direction) for sign in (1, -1))
        rise = [sum(one.summarize(batch, {}).log_evidence for batch in source) for one in (up, down)]
        return (rise[0] - rise[1]) / (2 * step)

    theta = model.coordinates()
    axes = np.eye(len(theta))
    hessian = [[(slope(theta + 1e-4 * a, b) - slope(theta - 1e-4 * a, b)) / 2e-4 for b in axes] for a in axes]
    # Second differences keep four to five digits.
    expected = np.linalg.inv(-np.array(hessian))
    np.testing.assert_allclose(found.covariance, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())
    table = found.frame("pandas")
    weights = table[(table.parameter == "concomitant_coefficient") & (table.component == 0)]
    assert (weights.standard_error == 0).all()  # the first component's are zero by definition
    with pytest.raises(InvalidParameterError, match="covariates, which have no law"):
        mixture.entropy()


def test_weights_of_a_survey_are_scaled_in_the_criteria(lines):
    X, y, _, _ = lines
    weight = np.full(len(y), 5.0)
    mixture = RegressionMixture(2, random_state=0).fit(X, y)
    assert mixture.bic(X, y, weight, weight_type="probability") == pytest.approx(mixture.bic(X, y))
    assert mixture.aic(X, y, weight, weight_type="probability") == pytest.approx(mixture.aic(X, y))
    assert mixture.icl(X, y, weight, weight_type="probability") == pytest.approx(mixture.icl(X, y))
