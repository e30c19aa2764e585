"""The user class of structural time series: parts, forecasts, paths, criteria, files, bad input."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from mixtura.exceptions import ConvergenceWarning, InvalidDataError, InvalidParameterError, ModelFileError
from mixtura.models import StructuralTimeSeries, load
from mixtura.persistence import ModelFile, read_model_file, write_model_file

STEPS = np.arange(96)


def series_of(seed=3, n_steps=96, slope=0.2):
    rng = np.random.default_rng(seed)
    level = np.cumsum(slope + 0.3 * rng.normal(size=n_steps))
    return level + np.tile([2.0, -1.0, 0.5, -1.5], n_steps)[:n_steps] + 0.5 * rng.normal(size=n_steps)


@pytest.fixture(scope="module")
def whole():
    y, inputs = series_of(), np.random.default_rng(5).normal(size=(96, 2))
    y = y + inputs @ [1.5, -0.7]
    y[[10, 11, 50]] = np.nan
    frame = pd.DataFrame(inputs, columns=["price", "rain"])
    return StructuralTimeSeries(trend=True, seasonal=4).fit(pd.Series(y), frame)


def test_truth_is_found(whole):
    assert whole.converged_
    assert whole.input_names_ == ["price", "rain"]
    errors = np.sqrt(np.diag(whole.coef_covariance_))
    assert np.all(np.abs(whole.coef_ - [1.5, -0.7]) < 4 * errors)
    assert 0.01 < whole.variances_["level"] < 0.5
    assert 0.1 < whole.variances_["noise"] < 0.6
    assert whole.variances_["seasonal"] < 0.01
    slope = whole.components()["slope"]
    assert abs(slope.mean[-1] - 0.2) < 4 * slope.standard_error[-1]


def test_parts_add_up(whole):
    for found in (whole.components(), whole.filter()):
        assert list(found) == ["level", "slope", "seasonal", "inputs", "signal"]
        total = sum(found[name].mean for name in ("level", "seasonal", "inputs"))
        known = np.isfinite(total)  # the signal is, as soon as it is observed
        np.testing.assert_allclose(total[known], found["signal"].mean[known], rtol=1e-9, atol=1e-9)
    smooth, filtered = whole.components(), whole.filter()
    # At the end both know the same; before, the smoother knows more.
    for name in smooth:
        assert smooth[name].mean[-1] == pytest.approx(filtered[name].mean[-1], abs=1e-8)
        assert np.all(smooth[name].standard_error <= filtered[name].standard_error + 1e-9)
    assert np.isinf(filtered["level"].standard_error[:5]).all()
    assert np.isnan(filtered["level"].mean[:5]).all()
    assert np.isfinite(smooth["level"].standard_error).all()


def test_predictions_and_residuals_agree(whole):
    found, residuals = whole.predict(), whole.residuals()
    usual = ~np.isnan(residuals)
    np.testing.assert_allclose(
        residuals[usual], ((whole.y_ - found.mean) / found.standard_deviation)[usual], rtol=1e-8
    )
    seen = ~np.isnan(whole.y_)
    assert (seen & ~usual).sum() == 7  # states and coefficients that began unknown
    logs = -0.5 * residuals[usual] ** 2 - np.log(found.standard_deviation[usual] * np.sqrt(2 * np.pi))
    assert np.isfinite(logs.sum())
    assert np.nanstd(residuals) == pytest.approx(1.0, abs=0.1)


def test_a_forecast_is_what_a_longer_series_with_gaps_predicts(whole):
    later = np.random.default_rng(9).normal(size=(5, 2))
    found = whole.forecast(5, later, level=0.8)
    longer = clone(whole).set_params(variances=whole.variances_)
    longer.fit(np.append(whole.y_, [np.nan] * 5), np.concatenate([whole.inputs_, later]))
    smooth = longer.components()["signal"]
    np.testing.assert_allclose(found.mean, smooth.mean[-5:], rtol=1e-8)
    error = np.sqrt(smooth.standard_error[-5:] ** 2 + whole.variances_["noise"])
    np.testing.assert_allclose(found.standard_deviation, error, rtol=1e-8)
    np.testing.assert_allclose(found.upper - found.mean, 1.2815515655446 * error, rtol=1e-8)
    np.testing.assert_allclose(longer.log_evidence_, whole.log_evidence_, rtol=1e-10)


def test_paths_have_the_moments_of_the_forecast(whole):
    later = np.zeros((4, 2))
    paths, found = whole.sample(4, 20_000, later, random_state=0), whole.forecast(4, later)
    assert paths.shape == (20_000, 4)
    error = found.standard_deviation / np.sqrt(20_000)
    assert np.all(np.abs(paths.mean(axis=0) - found.mean) < 5 * error)
    np.testing.assert_allclose(paths.std(axis=0), found.standard_deviation, rtol=5 / np.sqrt(2 * 20_000))
    np.testing.assert_array_equal(paths[:2], whole.sample(4, 20_000, later, random_state=0)[:2])


def test_intervals_hold_what_they_say():
    inside = []
    for seed in range(5):
        y = series_of(seed, n_steps=60)
        model = StructuralTimeSeries(trend=True, seasonal=4, variances={"slope": 0.0, "seasonal": 0.0}).fit(
            y[:50]
        )
        found = model.forecast(10, level=0.9)
        inside.append(np.mean((y[50:] > found.lower) & (y[50:] < found.upper)))
    # Steps of one path go together, so 50 of them are worth a dozen or two.
    assert 0.7 < np.mean(inside) <= 1.0


def test_criteria(whole):
    seen = 93
    assert whole.n_parameters() == 4 + 5 + 2
    assert whole.aic() == pytest.approx(22 - 2 * whole.log_evidence_)
    assert whole.bic() == pytest.approx(11 * np.log(seen) - 2 * whole.log_evidence_)
    assert whole.score() == pytest.approx(whole.log_evidence_ / seen)
    assert whole.score(whole.y_, whole.inputs_) == pytest.approx(whole.score(), rel=1e-12)
    fixed = StructuralTimeSeries(variances={"level": 0.0}).fit(series_of())
    assert fixed.n_parameters() == 2
    assert fixed.variances_["level"] == 0.0


def test_units_do_not_matter():
    y = series_of()
    one = StructuralTimeSeries(trend=True, seasonal=4).fit(y)
    other = StructuralTimeSeries(trend=True, seasonal=4).fit(1e6 * y + 5e6)
    for name, variance in one.variances_.items():
        assert other.variances_[name] == pytest.approx(1e12 * variance, rel=1e-3, abs=1e3)
    np.testing.assert_allclose(other.forecast(8).mean, 1e6 * one.forecast(8).mean + 5e6, rtol=1e-5)


def test_a_distant_origin_costs_no_digits_that_the_values_have():
    y = 1e-2 * series_of()
    near, far = StructuralTimeSeries().fit(y), StructuralTimeSeries().fit(y + 1e9)
    # Values about 1e9 are known to 1e-7.
    assert far.variances_["level"] == pytest.approx(near.variances_["level"], rel=1e-3)
    np.testing.assert_allclose(far.forecast(2).mean - 1e9, near.forecast(2).mean, atol=1e-5)


@pytest.mark.parametrize("slope", [0.0, 0.3])
def test_a_line_is_no_random_series(slope):
    with pytest.raises(InvalidDataError, match="explained by its first states"):
        StructuralTimeSeries(trend=True, seasonal=4).fit(7.1 + slope * STEPS + np.tile([1, 2, 3, 4.7], 24))


def test_a_season_that_moves_is_told_from_one_that_stays():
    rng = np.random.default_rng(1)
    pattern, y = np.array([3.0, -1.0, -2.0]), []
    for _ in range(160):
        effect = -pattern.sum() + 0.4 * rng.normal()
        pattern = np.append(effect, pattern[:2])
        y.append(effect + 0.5 * rng.normal())
    model = StructuralTimeSeries(level=False, seasonal=4).fit(y)
    assert list(model.variances_) == ["noise", "seasonal"]
    assert model.variances_["seasonal"] == pytest.approx(0.16, rel=0.6)
    waves = StructuralTimeSeries(level=False, seasonal=4, seasonal_form="trigonometric").fit(y)
    assert waves.variances_["seasonal"] > 0.01
    assert waves.log_evidence_ != model.log_evidence_


def test_inputs_alone_are_least_squares():
    rng = np.random.default_rng(2)
    inputs = rng.normal(size=(50, 2))
    y = inputs @ [1.0, -2.0] + rng.normal(size=50)
    model = StructuralTimeSeries(level=False).fit(y, inputs)
    least, (squares,), *_ = np.linalg.lstsq(inputs, y, rcond=None)
    np.testing.assert_allclose(model.coef_, least, rtol=1e-8)
    assert model.variances_["noise"] == pytest.approx(squares / 48, rel=1e-5)  # the unbiased one: REML
    assert list(model.components()) == ["inputs", "signal"]


def test_files_keep_everything(whole, tmp_path):
    again = load(whole.save(tmp_path / "one.mixtura"))
    assert again.get_params() == whole.get_params()
    later = np.ones((3, 2))
    np.testing.assert_array_equal(again.forecast(3, later).mean, whole.forecast(3, later).mean)
    assert again.aic() == whole.aic()
    content = read_model_file(tmp_path / "one.mixtura")
    strange = ModelFile(content.kind, {"colour": 1}, content.attributes, content.arrays)
    write_model_file(tmp_path / "two.mixtura", strange)
    with pytest.raises(ModelFileError, match="settings \\['colour'\\] unknown here"):
        load(tmp_path / "two.mixtura")


def test_a_picture(whole):
    ax = whole.plot(3, inputs=np.zeros((3, 2)), times=1900 + np.arange(99))
    assert ax.get_xlabel() == "Time"
    assert len(ax.get_lines()) == 3
    seasonal = StructuralTimeSeries(level=False, seasonal=4).fit(series_of(slope=0.0))
    assert seasonal.plot().get_legend_handles_labels()[1] == ["signal, 90 % band", "observed"]
    with pytest.raises(InvalidDataError, match="times: found 3, expected 96"):
        seasonal.plot(times=[1, 2, 3])


def test_running_out_of_steps_is_said():
    with pytest.warns(ConvergenceWarning, match="ran out of max_iter=1 steps"):
        model = StructuralTimeSeries(max_iter=1, trend=True).fit(series_of())
    assert not model.converged_
    assert len(model.scores_) == 2


Y = series_of()
BAD_SETTINGS = [
    ({"trend": True, "level": False}, "trend is True and level is False"),
    ({"level": 1}, "level is 1; expected True or False"),
    ({"level": False}, "expected at least one part"),
    ({"seasonal": 1}, "seasonal is 1; expected a whole number of steps, at least 2"),
    ({"seasonal": 4.0}, "seasonal is 4.0"),
    ({"seasonal": 4, "seasonal_form": "dumy"}, "seasonal_form is 'dumy'.*dummy"),
    ({"variances": {"slope": 1.0}}, "variances has a key 'slope'.*"),
    ({"variances": {"level": -1.0}}, r"variances\['level'\] is -1.0; expected a finite number of at least 0"),
    ({"variances": {"level": 0.0, "noise": 0}}, "variances are all 0"),
    ({"tol": -1.0}, "tol is -1.0"),
]


@pytest.mark.parametrize(("settings", "message"), BAD_SETTINGS)
def test_bad_settings(settings, message):
    with pytest.raises(InvalidParameterError, match=message):
        StructuralTimeSeries(**settings).fit(Y)


BAD_SERIES = [
    (["a", "b"], "y holds values that are no numbers"),
    (np.ones((3, 2)), r"y has shape \(3, 2\); expected \(n_steps,\)"),
    ([1.0, np.inf, 2.0], r"y\[1\] is inf"),
    ([np.nan] * 5, "5 steps, all of them missing"),
    ([1.0, 2.0], "y has 2 observed values; expected at least 3"),
    ([1e150, 2e150, 1.5e150, 1e150], "values up to 2e\\+150 in size"),
    ([1e-150, 2e-150, 1.5e-150, 1e-150], "values up to 2e-150 in size"),
    ([3.0] * 10, "y is explained by its first states without residual"),
]


@pytest.mark.parametrize(("y", "message"), BAD_SERIES)
def test_bad_series(y, message):
    with pytest.raises(InvalidDataError, match=message):
        StructuralTimeSeries().fit(y)


def test_bad_inputs(whole):
    with pytest.raises(InvalidDataError, match=r"inputs have shape \(3, 1\); expected \(96, any number\)"):
        StructuralTimeSeries().fit(Y, [1.0, 2.0, 3.0])
    gaps = pd.DataFrame({"price": np.where(STEPS == 7, np.nan, 1.0 * STEPS)})
    with pytest.raises(InvalidDataError, match="inputs: row 7, column 'price' is nan"):
        StructuralTimeSeries().fit(Y, gaps)
    with pytest.raises(InvalidDataError, match="inputs hold values that are no numbers"):
        StructuralTimeSeries().fit(Y, ["a"] * 96)
    with pytest.raises(InvalidDataError, match="leave 1 of the 2 states unknown"):
        StructuralTimeSeries().fit(Y, np.ones(96))
    with pytest.raises(InvalidDataError, match=r"inputs have shape \(2, 0\); expected \(2, 2\)"):
        whole.forecast(2)
    with pytest.raises(InvalidParameterError, match="n_steps is 0"):
        whole.forecast(0)
    with pytest.raises(InvalidParameterError, match="level is 90"):
        whole.forecast(2, np.zeros((2, 2)), level=90)
    with pytest.raises(NotFittedError):
        StructuralTimeSeries().forecast(2)


def test_a_season_never_seen_is_named():
    with pytest.raises(InvalidDataError, match="a season never observed"):
        StructuralTimeSeries(seasonal=4).fit(np.where(STEPS % 4 == 2, np.nan, Y))
