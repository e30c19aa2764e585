"""Journeys of customers: planted phases come back, forecasts are checked, and what is written can be opened."""

import json

import numpy as np
import pandas as pd
import pytest

from mixtura.exceptions import EdgeOfRangeWarning
from mixtura.models import load
from mixtura.report import write_journeys_report
from mixtura.segments import journey_transactions
from mixtura.segments.journey_checks import Types, own_rates, validation
from mixtura.segments.journey_choice import log_contents
from mixtura.segments.journey_writing import read_journeys
from segments.journeys_shop import MOVES, VISITS, make_journeys


@pytest.fixture(scope="module")
def planted():
    return make_journeys(n_customers=60)


@pytest.fixture(scope="module")
def written(planted, tmp_path_factory):
    folder = tmp_path_factory.mktemp("journeys") / "out"
    table, _ = planted
    found = journey_transactions(
        table, n_types=3, n_phases=3, over="types", moves="common", csv=True, out=folder
    )
    return found, folder


def test_planted_phases_come_back(written, planted):
    found, _ = written
    phases = found.phases
    # 600 customer-months, a third in each phase: a mean number of visits has a standard error of 0.2, a chance of moving one of 0.03.
    np.testing.assert_allclose(phases.mean_visits, VISITS, atol=0.8)
    np.testing.assert_allclose(phases.moves, MOVES, atol=0.1)
    order = {f"C{c:03d}": c for c in range(60)}
    rows = [order[customer] for customer in phases.grid.customers[phases.grid.row_owner]]
    truth = planted[1][rows, phases.grid.row_period]
    assert (phases.smoothed.argmax(axis=1) == truth).mean() > 0.9


def test_phases_are_explained_by_their_items(written):
    found, _ = written
    cards = found.results["phases"]
    assert {entry["category"] for entry in cards[1]["top"][:2]} == {"NAPPIES", "WIPES"}
    assert "nappies" in cards[1]["name"]
    assert cards[2]["name"].startswith(("Away", "Rarely"))
    assert cards[0]["dwell"] == pytest.approx(1 / (1 - found.phases.moves[0, 0]))


def test_phases_that_change_foresee_better_than_customers_who_never_do(written):
    found, _ = written
    rows = {row["key"]: row for row in found.results["validation"]["rows"]}
    assert rows["static"]["gain"] == 0.0
    assert rows["journeys"]["gain"] > 2 * rows["journeys"]["gain_se"] > 0
    assert rows["one"]["gain"] < rows["journeys"]["gain"]
    move = found.results["calibration"]["move"]
    # The model is right here, so chances and what came true differ by chance alone.
    assert abs(move["foreseen"] - move["seen"]) < 4 * move["seen_se"]


def test_the_forecast_is_the_filter_of_the_rows_before(written):
    """Loops over customers and periods, against what the chain says."""
    found, _ = written
    phases, grid = found.phases, found.phases.grid
    scores = np.exp(phases.scores - phases.scores.max(axis=0)).T
    for customer in range(5):
        belief = phases.start
        for row in range(grid.offsets[customer], grid.offsets[customer + 1]):
            np.testing.assert_allclose(phases.foreseen[row], belief, atol=1e-9)
            now = belief * scores[row]
            now = now / now.sum()
            np.testing.assert_allclose(phases.filtered[row], now, atol=1e-9)
            belief = now @ phases.moves
        np.testing.assert_allclose(phases.ahead()[customer], belief, atol=1e-9)


def test_later_periods_change_nothing_that_was_learnt(planted):
    table, _ = planted
    options = {"n_types": 2, "n_phases": 2, "over": "visits", "moves": "common"}
    found = journey_transactions(table, **options)
    late = table["date"] >= np.datetime64("2023-11-01")
    changed = table.copy()
    changed.loc[late & (np.arange(len(table)) % 2 == 0) & (table["customer_id"] != "C000"), "category"] = (
        "BEER"
    )
    again = journey_transactions(changed, **options)
    np.testing.assert_allclose(again.phases.moves, found.phases.moves, rtol=1e-12)
    np.testing.assert_allclose(again.types.profiles_, found.types.profiles_, rtol=1e-12)


def test_no_types_stay_out_of_phases_by_visits(planted):
    found = journey_transactions(planted[0], n_types=2, n_phases=2, over="visits", moves="common")
    assert set(found.model.components_.blocks) == {"visits"}
    assert found.results["design"] == "visits"


@pytest.mark.slow
def test_the_smallest_number_that_foresees_as_well_is_chosen(planted):
    found = journey_transactions(planted[0], n_types=4, n_phases=[1, 2, 3, 4])
    choice = found.results["choice"]
    assert (choice["n_components"], choice["design"]) == (3, "types")
    rows = found.results["criteria"]
    assert {row["design"] for row in rows} == {"visits", "types"}
    assert sum(row["chosen"] for row in rows) == 1


def test_chances_of_each_customer_are_compared_and_can_be_asked_for(planted):
    options = {"n_types": 2, "n_phases": 2, "over": "visits"}
    chosen = journey_transactions(planted[0], **options)
    compared = chosen.results["own_moves"]
    assert compared["used"] == (compared["gain"] > compared["gain_se"])
    own = journey_transactions(planted[0], **options, moves="own")
    assert own.results["own_moves"]["used"]
    np.testing.assert_allclose(own.phases.ahead().sum(axis=1), 1.0, rtol=1e-9)
    # Customers of the same belief differ in their chances.
    assert np.ptp((own.phases.ahead() - own.phases.now @ own.phases.moves)[:, 0]) > 1e-3


def test_an_edge_is_said(planted):
    with pytest.warns(EdgeOfRangeWarning, match="n_phases"):
        journey_transactions(
            planted[0], n_types=2, n_phases=[1, 2], over="visits", moves="common", criterion="bic"
        )


def test_tables_tell_what_is_likely_next(written):
    found, folder = written
    customers = pd.read_parquet(folder / "customers.parquet")
    assert list(customers["customer"]) == sorted(customers["customer"])
    np.testing.assert_allclose(customers[["next_1", "next_2", "next_3"]].sum(axis=1), 1.0, rtol=1e-9)
    np.testing.assert_allclose(
        customers["likely_to_move"], customers["come_less"] + customers["come_more"], atol=1e-9
    )
    history = pd.read_parquet(folder / "journeys.parquet")
    assert len(history) == len(found.phases.rows)
    assert history["visits"].sum() == customers["n_baskets"].sum()
    assert {path.name for path in folder.iterdir()} >= {
        "customers.csv",
        "journeys.csv",
        "phases.csv",
        "report.html",
    }
    np.testing.assert_allclose(load(folder / "phases.mixtura").transmat_, found.phases.moves, rtol=1e-12)


def test_names_can_be_edited(written):
    _, folder = written
    names = (folder / "names.toml").read_text()
    first = json.loads((folder / "journeys.json").read_text())["phases"][0]["name"]
    (folder / "names.toml").write_text(names.replace(f'1 = "{first}"', '1 = "Regulars"', 1))
    content, notes = read_journeys(folder)
    assert content["phases"][0]["name"] == "Regulars"
    assert notes == []
    write_journeys_report(content, folder / "report.html")
    assert "Regulars" in (folder / "report.html").read_text()


def test_anonymous_results_name_nobody(planted, tmp_path):
    journey_transactions(
        planted[0], n_types=2, n_phases=2, over="visits", moves="common", anonymous=True, out=tmp_path / "out"
    )
    assert "C001" not in (tmp_path / "out" / "report.html").read_text()
    assert "C001" not in (tmp_path / "out" / "journeys.json").read_text()


def test_own_rates_are_the_negative_binomial_law():
    from scipy.stats import nbinom

    rates = own_rates(np.array([3.0, 30.0, 12.0, 0.0]), np.array([10.0, 10.0, 5.0, 4.0]))
    counts = np.arange(200.0)
    found = rates.log_prob(counts, np.full(200, 7.0), np.full(200, 3.0))
    rate = rates.rate + 3.0
    np.testing.assert_allclose(
        found, nbinom.logpmf(counts, rates.shape + 7.0, rate / (rate + 1.0)), rtol=1e-9
    )


def test_a_mix_of_no_strength_is_the_customers_own():
    scores = np.log(np.array([[0.9, 0.1]]))
    own = np.array([[3.0, 1.0]])
    assert log_contents(scores, np.array([0.0, 1.0]), own, 0.0)[0] == pytest.approx(
        np.log(0.75 * 0.9 + 0.25 * 0.1)
    )


def test_one_phase_with_everybodys_mix_is_the_static_model_of_contents(written):
    """With the prior mix of the static model in every phase, journeys foresee contents as it does."""
    found, _ = written
    phases = found.phases
    same = np.tile(found.household.weights_, (phases.n_phases, 1))
    before = phases.mixes.copy()
    try:
        phases.__dict__["mixes"] = same
        rows = {
            row["key"]: row
            for row in validation(phases.grid, Types(found.types, found.household), phases, phases)["rows"]
        }
    finally:
        phases.__dict__["mixes"] = before
    assert rows["journeys"]["contents_gain"] == pytest.approx(0.0, abs=1e-12)
