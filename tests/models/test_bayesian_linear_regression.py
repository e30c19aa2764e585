"""The user class: figures that are known, streams, pipelines, intervals, files, and what it refuses."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from sklearn.base import clone
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, SplineTransformer

import oracles_bayesian_regression as naive
from mixtura import load
from mixtura.exceptions import (
    ConvergenceWarning,
    InvalidDataError,
    InvalidParameterError,
    SpuriousSolutionWarning,
)
from mixtura.executors import Serial, Threads
from mixtura.models import BayesianLinearRegression

NO_HYPER_PRIORS = {"alpha_1": 0.0, "alpha_2": 0.0, "lambda_1": 0.0, "lambda_2": 0.0}
LINE = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0], [1.0, 3.0]])
HEIGHTS = np.array([1.0, 2.9, 5.2, 6.8])
KNOWN = {"noise_variance": 0.25, "coefficient_variance": 4.0, "fit_intercept": False}


@pytest.fixture
def rows(rng):
    X = rng.normal(size=(60, 4)) * [1.0, 2.0, 0.5, 1.0] + [0.0, 5.0, 1.0, -2.0]
    return X, X @ [1.0, -1.0, 0.0, 0.5] + 3.0 + rng.normal(size=60)


# --- known figures --------------------------------------------------------------------------------------------------
def test_the_textbook_line():
    """Four points on a line, both variances known; figures of a calculation with twelve digits."""
    fitted = BayesianLinearRegression(**KNOWN).fit(LINE, HEIGHTS)
    np.testing.assert_allclose(fitted.coef_, [1.01253466, 1.96442965], atol=5e-9)
    assert fitted.log_evidence_ == pytest.approx(-5.9799141386, abs=5e-11)
    mean, deviation = fitted.predict([[1.0, 4.0]], return_std=True)
    assert mean[0] == pytest.approx(8.8702532816, abs=5e-11)
    assert deviation[0] ** 2 == pytest.approx(0.6175355888, abs=5e-11)
    assert fitted.converged_
    assert fitted.intercept_ == 0.0


def test_a_wide_prior_is_least_squares():
    fitted = BayesianLinearRegression(**KNOWN | {"coefficient_variance": 1e9}).fit(LINE, HEIGHTS)
    np.testing.assert_allclose(fitted.coef_, [1.02, 1.97], atol=1e-8)


def test_the_evidence_with_an_intercept_is_that_of_the_centred_model(rows):
    X, y = rows
    fitted = BayesianLinearRegression().fit(X, y)
    away = X - X.mean(axis=0)
    dense = naive.log_evidence(
        away, y, np.full(4, fitted.coefficient_variance_), fitted.noise_variance_, y.mean()
    )
    assert fitted.log_evidence_ == pytest.approx(dense, abs=1e-9)


@pytest.mark.parametrize(
    ("settings", "at_least"), [({"noise_variance": 1.0, "coefficient_variance": 4.0}, 10), ({}, 7)]
)
def test_evidence_finds_the_degree_of_a_polynomial(settings, at_least):
    """A cubic with noise: least squares improve with every degree, the evidence has its maximum at the truth.

    Where the prior variance is learnt, a higher degree whose coefficients are small costs less than a nat, so it wins at times.
    """
    found = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        x = rng.uniform(-2, 2, (60, 1))
        y = 1 - 2 * x[:, 0] + 1.5 * x[:, 0] ** 3 + rng.normal(0, 1.0, 60)
        evidences, squares = [], []
        for degree in range(1, 9):
            powers = PolynomialFeatures(degree, include_bias=False)
            pipeline = make_pipeline(powers, BayesianLinearRegression(**settings)).fit(x, y)
            evidences.append(pipeline[-1].log_evidence_)
            squares.append(make_pipeline(powers, LinearRegression()).fit(x, y).score(x, y))
        found.append(1 + int(np.argmax(evidences)))
        assert np.argmax(squares) == 7
    assert found.count(3) >= at_least


# --- streams --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "settings", [{}, {"ard": True}, {"fit_intercept": False}, {"integrate_intercept": True}]
)
def test_chunks_are_the_whole(rows, settings):
    X, y = rows
    weight = np.linspace(0.5, 2.0, len(y))
    whole = BayesianLinearRegression(**settings).fit(X, y, weight)
    stream = BayesianLinearRegression(**settings)
    for part in np.array_split(np.arange(len(y)), 7):
        stream.partial_fit(X[part], y[part], weight[part])
    np.testing.assert_allclose(stream.coef_, whole.coef_, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(stream.covariance_, whole.covariance_, rtol=1e-10, atol=1e-12)
    assert stream.intercept_ == pytest.approx(whole.intercept_, rel=1e-10, abs=1e-12)
    assert stream.log_evidence_ == pytest.approx(whole.log_evidence_, rel=1e-10)
    assert stream.total_weight_ == pytest.approx(weight.sum(), rel=1e-14)


def test_the_posterior_of_some_rows_is_the_prior_of_the_next():
    """Known variances: evidence of all rows = that of the first two, times that of the others given these."""
    first = BayesianLinearRegression(**KNOWN).fit(LINE[:2], HEIGHTS[:2])
    mean, deviation = first.predict(LINE[2:3], return_std=True)
    second = clone(first).fit(LINE[:2], HEIGHTS[:2]).partial_fit(LINE[2:3], HEIGHTS[2:3])
    log_next = norm.logpdf(HEIGHTS[2], mean[0], deviation[0])
    assert second.log_evidence_ == pytest.approx(first.log_evidence_ + log_next, abs=1e-11)


def test_weights_are_repeated_rows(rows, rng):
    X, y = rows
    weight = rng.integers(0, 3, len(y))
    weighted = BayesianLinearRegression().fit(X, y, weight)
    repeated = BayesianLinearRegression().fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-9)
    assert weighted.log_evidence_ == pytest.approx(repeated.log_evidence_, rel=1e-10)


def test_executors_agree(rows):
    one, two = (BayesianLinearRegression(executor=e).fit(*rows) for e in (Serial(), Threads(2)))
    np.testing.assert_array_equal(one.coef_, two.coef_)


def test_far_from_the_origin_nothing_is_lost(rows):
    X, y = rows
    near, far = BayesianLinearRegression().fit(X, y), BayesianLinearRegression().fit(X + 1e7, y - 1e7)
    np.testing.assert_allclose(far.coef_, near.coef_, rtol=1e-6)  # the rows themselves keep nine digits there
    np.testing.assert_allclose(far.predict(X + 1e7), near.predict(X) - 1e7, rtol=1e-12)


@pytest.mark.parametrize("ard", [False, True])
def test_without_hyper_priors_units_do_not_matter(rows, ard):
    X, y = rows
    plain = BayesianLinearRegression(ard=ard, **NO_HYPER_PRIORS).fit(X, y)
    other = BayesianLinearRegression(ard=ard, **NO_HYPER_PRIORS).fit(X * 1e3, y * 1e-4)
    np.testing.assert_allclose(other.coef_, plain.coef_ * 1e-7, rtol=1e-8, atol=1e-18)
    assert other.log_evidence_ == pytest.approx(plain.log_evidence_ + len(y) * np.log(1e4), rel=1e-9)


# --- relevance ------------------------------------------------------------------------------------------------------
def test_columns_without_relevance_are_pruned(rng):
    X = rng.normal(size=(150, 12))
    y = X[:, :3] @ [3.0, -2.0, 1.0] + rng.normal(size=150)
    fitted = BayesianLinearRegression(ard=True, pruning_threshold=3.0).fit(X, y)
    np.testing.assert_array_equal(np.flatnonzero(fitted.coef_), [0, 1, 2])
    assert not fitted.coefficient_variance_[3:].any()
    assert not fitted.intervals()[3:].any()
    assert not fitted.covariance_[3:].any()


def test_the_threshold_prunes_more(rng):
    X = rng.normal(size=(80, 20))
    y = X[:, 0] + rng.normal(size=80)
    kept = [
        np.count_nonzero(BayesianLinearRegression(ard=True, pruning_threshold=nats).fit(X, y).coef_)
        for nats in (0.0, 1.0, 5.0)
    ]
    assert kept[0] > kept[1] >= kept[2] >= 1


def test_ard_reaches_at_least_one_variance_for_all(rng):
    for _ in range(5):
        X = rng.normal(size=(40, 8))
        y = X[:, 0] + rng.normal(size=40)
        one, each = (BayesianLinearRegression(ard=ard, **NO_HYPER_PRIORS).fit(X, y) for ard in (False, True))
        assert each.log_evidence_ >= one.log_evidence_ - 1e-9


def test_two_equal_columns_share_or_one_goes(rng):
    X = rng.normal(size=(50, 1))[:, [0, 0]]
    y = X[:, 0] + rng.normal(0, 0.3, 50)
    for ard in (False, True):
        fitted = BayesianLinearRegression(ard=ard).fit(X, y)
        assert fitted.coef_.sum() == pytest.approx(1.0, abs=0.2)


# --- hard rows ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("ard", [False, True])
def test_a_constant_column_says_nothing(rows, ard):
    X, y = rows
    fitted = BayesianLinearRegression(ard=ard).fit(np.column_stack([X, np.full(len(y), 0.1)]), y)
    plain = BayesianLinearRegression(ard=ard).fit(X, y)
    assert fitted.coef_[-1] == 0.0
    # One more coefficient that the rows do not tell enters no estimate, only the average of the squares while they are learnt.
    np.testing.assert_allclose(fitted.coef_[:-1], plain.coef_, rtol=1e-4, atol=1e-4)


def test_more_columns_than_rows(rng):
    X = rng.normal(size=(25, 80))
    y = 2 * X[:, 0] + rng.normal(size=25)
    known = BayesianLinearRegression(noise_variance=1.0).fit(X, y)
    assert known.converged_
    # At its maximum the intercept takes a row without its being counted, and the noise vanishes: the class says so.
    with pytest.warns(SpuriousSolutionWarning, match="integrate_intercept=True"):
        BayesianLinearRegression().fit(X, y)
    sound = BayesianLinearRegression(integrate_intercept=True, tol=1e-8).fit(X, y)
    assert sound.noise_variance_ > 0.05


def test_a_response_without_noise_is_told(rng):
    X = rng.normal(size=(30, 2))
    with pytest.warns(SpuriousSolutionWarning, match="sum of squared residuals"):
        fitted = BayesianLinearRegression().fit(X, X @ [1.0, 2.0])
    np.testing.assert_allclose(fitted.coef_, [1.0, 2.0], atol=1e-5)


@pytest.mark.filterwarnings("ignore::mixtura.exceptions.SpuriousSolutionWarning")
def test_one_row_and_a_constant_response():
    one = BayesianLinearRegression(noise_variance=1.0).fit([[1.0, 2.0]], [3.0])
    np.testing.assert_array_equal(one.predict([[1.0, 2.0], [0.0, 0.0]]), [3.0, 3.0])
    flat = BayesianLinearRegression().fit(np.arange(8.0).reshape(4, 2), np.full(4, 7.0))
    np.testing.assert_allclose(flat.predict([[100.0, -3.0]]), 7.0)
    np.testing.assert_array_equal(flat.coef_, 0.0)


def test_running_out_of_steps_is_said(rows):
    with pytest.warns(ConvergenceWarning, match="max_iter=1"):
        fitted = BayesianLinearRegression(max_iter=1, accelerate=False).fit(*rows)
    assert not fitted.converged_
    assert fitted.stop_reason_ == "max_iter"


def test_a_callback_may_stop(rows):
    seen = []
    fitted = BayesianLinearRegression(
        callbacks=[lambda progress: seen.append(progress.objective) or len(seen) == 2]
    )
    fitted.fit(*rows)
    assert fitted.stop_reason_ == "stopped"
    np.testing.assert_array_equal(fitted.scores_, seen)


def test_verbose_shows_progress(rows, capsys):
    BayesianLinearRegression(verbose=1).fit(*rows)
    assert not capsys.readouterr().out


# --- what is known --------------------------------------------------------------------------------------------------
def test_intervals_cover(rng):
    """Coefficients drawn from the prior, variances known: 90 % intervals hold them in 90 % of cases."""
    inside = []
    for _ in range(300):
        X, w = rng.normal(size=(12, 3)), rng.normal(0, 2.0, 3)
        y = X @ w + 5.0 + rng.normal(0, 1.5, 12)
        fitted = BayesianLinearRegression(noise_variance=2.25, coefficient_variance=4.0).fit(X, y)
        lower, upper = fitted.intervals(0.9).T
        inside.extend((lower < w) & (w < upper))
    assert np.mean(inside) == pytest.approx(0.9, abs=3 * np.sqrt(0.09 / 900))


def test_predictive_intervals_cover(rng):
    """With few rows the variance of the level counts: without it 90 % intervals hold 88 %."""
    inside = []
    for _ in range(2000):
        X, w = rng.normal(size=(8, 2)), rng.normal(0, 2.0, 2)
        y = X @ w + 5.0 + rng.normal(size=8)
        fitted = BayesianLinearRegression(noise_variance=1.0, coefficient_variance=4.0).fit(X[:-1], y[:-1])
        mean, deviation = fitted.predict(X[-1:], return_std=True)
        inside.append(abs(y[-1] - mean[0]) < 1.6448536 * deviation[0])
    assert np.mean(inside) == pytest.approx(0.9, abs=3 * np.sqrt(0.09 / 2000))


@pytest.mark.parametrize("ard", [False, True])
def test_draws_have_the_posterior_moments(rows, ard):
    fitted = BayesianLinearRegression(ard=ard).fit(*rows)
    coefficients, intercepts = fitted.sample_posterior(40_000, random_state=0)
    spread = np.sqrt(np.diag(fitted.covariance_).max())
    np.testing.assert_allclose(coefficients.mean(axis=0), fitted.coef_, atol=5 * spread / 200)
    np.testing.assert_allclose(np.cov(coefficients.T), fitted.covariance_, atol=5 * spread**2 / 100)
    X = rows[0][:3]
    drawn = coefficients @ X.T + intercepts[:, None]
    mean, deviation = fitted.predict(X, return_std=True)
    np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=5 * deviation.max() / 200)
    np.testing.assert_allclose(
        drawn.var(axis=0), deviation**2 - fitted.noise_variance_, rtol=0.05
    )  # 5 / sqrt(40,000 / 2)
    again, _ = fitted.sample_posterior(40_000, random_state=0)
    np.testing.assert_array_equal(again, coefficients)


def test_the_frame_names_columns(rows):
    X, y = rows
    fitted = BayesianLinearRegression().fit(pd.DataFrame(X, columns=list("abcd")), y)
    frame = fitted.params_frame(0.5)
    assert frame.feature.tolist() == list("abcd")
    np.testing.assert_array_equal(frame[["lower", "upper"]], fitted.intervals(0.5))
    assert BayesianLinearRegression().fit(X, y).params_frame().feature.tolist() == ["x0", "x1", "x2", "x3"]


# --- among others ---------------------------------------------------------------------------------------------------
def test_splines_in_a_pipeline(rng):
    x = rng.uniform(0, 10, (200, 1))
    y = np.sin(x[:, 0]) + rng.normal(0, 0.2, 200)
    pipeline = make_pipeline(SplineTransformer(12, include_bias=False), BayesianLinearRegression()).fit(x, y)
    grid = np.linspace(0.5, 9.5, 50)[:, None]
    mean, deviation = pipeline.predict(grid, return_std=True)
    assert np.max(np.abs(mean - np.sin(grid[:, 0]))) < 0.25
    assert pipeline[-1].noise_variance_ == pytest.approx(0.04, rel=0.3)
    assert np.all(deviation > 0.19)


def test_raw_powers_in_a_pipeline(rng):
    """Columns from 10 to 1e8: no scaling, ARD gives each its own."""
    x = rng.uniform(0, 10, (120, 1))
    y = 3 - x[:, 0] + 0.2 * x[:, 0] ** 2 + rng.normal(0, 0.5, 120)
    pipeline = make_pipeline(
        PolynomialFeatures(8), BayesianLinearRegression(ard=True, pruning_threshold=1.0, **NO_HYPER_PRIORS)
    ).fit(x, y)
    inner = np.linspace(1, 9, 30)[:, None]
    assert np.max(np.abs(pipeline.predict(inner) - (3 - inner[:, 0] + 0.2 * inner[:, 0] ** 2))) < 0.4
    assert pipeline[-1].coef_[0] == 0.0  # the constant column of PolynomialFeatures


def test_grid_search(rows):
    search = GridSearchCV(BayesianLinearRegression(), {"ard": [False, True]}, cv=3).fit(*rows)
    assert search.best_score_ > 0.5


def test_it_pickles_and_clones(rows):
    fitted = BayesianLinearRegression(coefficient_variance=[1.0, 2.0, 3.0, 4.0]).fit(*rows)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict(rows[0]), fitted.predict(rows[0]))
    assert clone(fitted).get_params()["coefficient_variance"] == [1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize("settings", [{}, {"ard": True}, {"coefficient_variance": [1.0, 2.0, 3.0, 4.0]}])
def test_files_hold_all(rows, settings, tmp_path):
    X, y = rows
    fitted = BayesianLinearRegression(**settings).fit(pd.DataFrame(X, columns=list("abcd")), y)
    found = load(fitted.save(tmp_path / "one.mixtura"))
    assert type(found) is BayesianLinearRegression
    frame = pd.DataFrame(X, columns=list("abcd"))
    for ours, theirs in zip(
        found.predict(frame, return_std=True), fitted.predict(frame, return_std=True), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    # What was read goes on like what was saved.
    np.testing.assert_array_equal(found.partial_fit(frame, y).coef_, fitted.partial_fit(frame, y).coef_)
    assert found.log_evidence_ == fitted.log_evidence_


# --- what is refused ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"noise_variance": -1.0}, r"noise_variance is -1.0; expected a finite number above 0, or None"),
        ({"noise_variance": 0}, r"noise_variance is 0; expected a finite number above 0"),
        ({"noise_variance": "one"}, r"noise_variance is 'one'"),
        ({"coefficient_variance": -4.0}, r"coefficient_variance is -4.0; expected a finite number above 0"),
        (
            {"coefficient_variance": [1.0, 2.0]},
            r"coefficient_variance has shape \(2,\); expected a number, or \(4,\)",
        ),
        (
            {"coefficient_variance": [1.0, 2.0, -3.0, 1.0]},
            r"coefficient_variance\[2\] is -3.0; expected finite variances above 0",
        ),
        (
            {"coefficient_variance": 1.0, "ard": True},
            r"ard is True and coefficient_variance is 1.0; expected None",
        ),
        ({"alpha_1": -1e-6}, r"alpha_1 is -1e-06; expected a finite number of at least 0"),
        ({"alpha_2": np.nan}, r"alpha_2 is nan; expected a finite number of at least 0"),
        ({"lambda_1": None}, r"lambda_1 is None; expected a finite number"),
        ({"lambda_2": np.inf}, r"lambda_2 is inf; expected a finite number"),
        ({"pruning_threshold": -1}, r"pruning_threshold is -1; expected a finite number of at least 0"),
        ({"tol": -1.0}, r"tol is -1.0; expected"),
        ({"max_iter": 2.5}, r"max_iter is 2.5; expected a whole number of at least 0"),
    ],
)
def test_settings_outside_their_domain(rows, settings, message):
    with pytest.raises(InvalidParameterError, match=message):
        BayesianLinearRegression(**settings).fit(*rows)


def test_rows_that_cannot_be_used(rows):
    X, y = rows
    model = BayesianLinearRegression()
    gap = X.copy()
    gap[3, 1] = np.nan
    with pytest.raises(InvalidDataError, match=r"Row 3, column 1 of X is missing"):
        model.fit(gap, y)
    with pytest.raises(InvalidDataError, match=r"Row 2 of y is missing"):
        model.fit(X, np.where(np.arange(len(y)) == 2, np.nan, y))
    with pytest.raises(ValueError, match="infinity"):
        model.fit(np.where(np.arange(len(y))[:, None] == 5, np.inf, X), y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.fit(X, y[:-1])
    with pytest.raises(ValueError, match=r"Found array with 0 sample\(s\)"):
        model.fit(X[:0], y[:0])
    with pytest.raises(InvalidDataError, match=r"sample_weight\[1\] is -1.0"):
        model.fit(X, y, np.where(np.arange(len(y)) == 1, -1.0, 1.0))
    with pytest.raises(InvalidDataError, match=r"sample_weight has shape \(3,\); expected \(60,\)"):
        model.fit(X, y, np.ones(3))
    with pytest.raises(InvalidDataError, match="integrate_intercept is True, but the rows' weights sum to 1"):
        BayesianLinearRegression(integrate_intercept=True).fit(X[:1], y[:1])
    model.fit(X, y)
    with pytest.raises(ValueError, match="X has 3 features"):
        model.partial_fit(X[:, :3], y)
    with pytest.raises(ValueError, match="y"):
        model.partial_fit(X, None)
    with pytest.raises(ValueError, match="X has 3 features"):
        model.predict(X[:, :3])
    with pytest.raises(InvalidParameterError, match="level is 90; expected a number between 0 and 1"):
        model.intervals(90)
    with pytest.raises(InvalidParameterError, match="n_samples is 0; expected a whole number of at least 1"):
        model.sample_posterior(0)


def test_a_refused_chunk_changes_nothing(rows):
    X, y = rows
    model = BayesianLinearRegression().fit(X, y)
    before = model.coef_.copy()
    with pytest.raises(InvalidDataError):
        model.partial_fit(X, np.where(np.arange(len(y)) == 2, np.nan, y))
    np.testing.assert_array_equal(model.partial_fit(X, y).total_weight_, 2 * len(y))
    assert before.shape == model.coef_.shape
