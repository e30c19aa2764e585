"""Exact diffuse maximum likelihood of KFAS (R), and published figures."""

import numpy as np
import pytest

from mixtura.models import StructuralTimeSeries


@pytest.fixture(scope="module")
def nile(table):
    return table("nile", ["flow"])[:, 0]


@pytest.fixture(scope="module")
def drivers(shared):
    names = (shared / "uk_driver_deaths" / "seatbelts.csv").read_text(encoding="utf-8").split("\n", 1)[0]
    columns = [name.strip('"') for name in names.split(",")]
    rows = np.loadtxt(shared / "uk_driver_deaths" / "seatbelts.csv", delimiter=",", skiprows=1)
    return dict(zip(columns, rows.T, strict=True))


def test_variances_of_the_nile_to_the_digits(nile, results):
    reference = results("lds")["nile_exact_diffuse"]
    model = StructuralTimeSeries(tol=1e-13).fit(nile)
    assert model.converged_
    assert round(model.variances_["noise"]) == 15_099
    assert round(model.variances_["level"]) == 1_469
    # The optimiser of the reference stops where the likelihood is flat to 1e-12.
    assert model.variances_["noise"] == pytest.approx(reference["sigma2_eps"], rel=1e-6)
    assert model.variances_["level"] == pytest.approx(reference["sigma2_eta"], rel=1e-5)
    assert model.log_evidence_ == pytest.approx(reference["diffuse_loglik"], abs=1e-9)


def test_filter_and_smoother_of_the_nile(nile, results):
    reference = results("lds")["nile_exact_diffuse"]
    known = {"noise": reference["sigma2_eps"], "level": reference["sigma2_eta"]}
    model = StructuralTimeSeries(variances=known).fit(nile)
    level, predicted = model.components()["level"], model.predict()
    np.testing.assert_allclose(level.mean, reference["smoothed_level"], rtol=1e-11)
    np.testing.assert_allclose(level.standard_error**2, reference["smoothed_var"], rtol=1e-10)
    np.testing.assert_allclose(predicted.mean[1:], reference["filtered_predicted_a"][1:-1], rtol=1e-11)
    np.testing.assert_allclose(
        predicted.standard_deviation[1:] ** 2,
        np.array(reference["predicted_P"][1:-1]) + known["noise"],
        rtol=1e-11,
    )
    assert model.forecast(1).mean[0] == pytest.approx(reference["filtered_predicted_a"][-1], rel=1e-11)


def test_local_level_of_driver_deaths(drivers, results):
    reference = results("lds")["log_ukdrivers_local_level"]
    model = StructuralTimeSeries(tol=1e-13).fit(np.log(drivers["drivers"]))
    assert model.log_evidence_ == pytest.approx(reference["diffuse_loglik"], abs=1e-9)
    assert model.variances_["noise"] == pytest.approx(reference["sigma2_eps"], rel=1e-5)
    assert model.variances_["level"] == pytest.approx(reference["sigma2_xi"], rel=1e-5)


def test_basic_structural_model_is_no_worse_than_that_of_r(drivers, results):
    """StructTS ends at a lower maximum of the same likelihood."""
    found = results("lds")["ukdrivers_BSM"]["coef"]
    y = np.log10(drivers["drivers"])
    known = {
        "noise": found["epsilon"],
        "level": found["level"],
        "slope": found["slope"],
        "seasonal": found["seas"],
    }
    theirs = StructuralTimeSeries(trend=True, seasonal=12, variances=known).fit(y)
    ours = StructuralTimeSeries(trend=True, seasonal=12).fit(y)
    assert ours.log_evidence_ > theirs.log_evidence_ + 20.0
    assert ours.variances_["slope"] == ours.variances_["seasonal"] == 0.0


def test_seat_belts_as_published(drivers):
    """Commandeur and Koopman (2007), chapters 4 and 7: level and deterministic seasons, without and with two inputs."""
    y = np.log(drivers["drivers"])
    plain = StructuralTimeSeries(seasonal=12, variances={"seasonal": 0.0}).fit(y)
    assert plain.variances_["noise"] == pytest.approx(0.00351385, rel=1e-3)
    assert plain.variances_["level"] == pytest.approx(0.000945723, rel=1e-3)
    inputs = np.column_stack([np.log(drivers["PetrolPrice"]), drivers["law"]])
    model = StructuralTimeSeries(seasonal=12, variances={"seasonal": 0.0}).fit(y, inputs)
    assert model.variances_["noise"] == pytest.approx(0.00403394, rel=1e-3)
    assert model.variances_["level"] == pytest.approx(0.000268082, rel=1e-3)
    np.testing.assert_allclose(model.coef_, [-0.2767, -0.2376], atol=2e-4)


def test_missing_years_of_the_nile_are_bridged(nile):
    """Durbin and Koopman (2012), section 2.7: observations 21 to 40 and 61 to 80 are treated as missing."""
    gaps = nile.copy()
    gaps[20:40], gaps[60:80] = np.nan, np.nan
    known = {"noise": 15_099.0, "level": 1_469.1}
    level = StructuralTimeSeries(variances=known).fit(gaps).components()["level"]
    # A random walk between two ends is expected to be a straight line, and least sure in the middle.
    np.testing.assert_allclose(np.diff(level.mean[19:41], 2), 0.0, atol=1e-8)
    assert np.argmax(level.standard_error[19:41]) in {10, 11}
