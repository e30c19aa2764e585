"""Journeys from tables as people have them: typos, ties, single baskets, other clocks; and the command line."""

import os
import re
import signal

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from mixtura import cli
from mixtura.exceptions import (
    ColumnNotFoundError,
    InterruptedWarning,
    InvalidDataError,
    InvalidParameterError,
)
from mixtura.segments import journey_transactions
from mixtura.segments.journey_grid import make_grid
from mixtura.segments.journey_periods import cut_periods
from mixtura.segments.transactions import read_baskets
from segments.journeys_shop import make_journeys

QUICK = {"n_types": 2, "n_phases": 2, "over": "visits", "moves": "common"}


@pytest.fixture(scope="module")
def table():
    return make_journeys(n_customers=20)[0]


@pytest.fixture(scope="module")
def file(table, tmp_path_factory):
    path = tmp_path_factory.mktemp("lines") / "lines.csv"
    table.to_csv(path, index=False)
    return path


def run(*arguments):
    result = CliRunner().invoke(cli.app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})
    assert "Traceback" not in result.output
    return result


def test_the_command_says_what_it_found_and_wrote(file, tmp_path):
    done = run("journeys", file, "--types", 2, "--phases", 2, "--over", "visits", "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "customer = customer_id (guessed)" in done.output
    assert "Phase 1:" in done.output
    assert "static model" in done.output
    assert (tmp_path / "out" / "report.html").stat().st_size > 1_000_000
    again = run("journeys", file, "--out", tmp_path / "out")
    assert again.exit_code == 1
    assert "--overwrite" in again.output
    made = run("report", tmp_path / "out")
    assert made.exit_code == 0, made.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--over", "visit"], "Did you mean 'visits'?"),
        (["--moves", "commn"], "Did you mean 'common'?"),
        (["--criterion", "forcast"], "Did you mean 'forecast'?"),
        (["--period", "months"], "Did you mean 'month'?"),
        (["--customer", "custmer_id"], "customer_id"),
        (["--phases", "0"], "n_phases"),
        (["--phases", "two"], "cannot be read"),
        (["--test-fraction", "1"], "test_fraction"),
        (["--phase", "2"], "--phases"),
    ],
)
def test_typos_are_answered_with_what_was_meant(file, tmp_path, arguments, said):
    done = run("journeys", file, *arguments, "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert said in done.output
    assert not (tmp_path / "out").exists()


def test_options_of_segments_are_refused_beside_journeys():
    done = run("demo", "--journeys", "--segments", "3")
    assert done.exit_code == 2
    assert "--segments is about missions and segments" in done.output


def test_a_column_that_is_not_there(table):
    with pytest.raises(ColumnNotFoundError, match="customer_id"):
        journey_transactions(table, customer="custmer_id")


def test_dates_that_are_none(table):
    bad = table.assign(date=table["date"].astype(str))
    bad.loc[3, "date"] = "31/31/2023"
    with pytest.raises(InvalidDataError, match="'31/31/2023'"):
        journey_transactions(bad)


def test_customers_of_one_basket_and_ties_in_time(table):
    one = pd.DataFrame(
        {"customer_id": ["ONCE", "TWICE", "TWICE"], "basket_id": [10**6, 10**6 + 1, 10**6 + 2]}
        | {"category": ["BEER", "MILK", "BREAD"], "date": [np.datetime64("2023-03-05")] * 3}
    )
    found = journey_transactions(pd.concat([table, one]), **QUICK)
    customers = pd.DataFrame(found.customer_table()).set_index("customer")
    assert customers.loc["ONCE", "n_baskets"] == 1
    assert customers.loc["ONCE", "visits_last_period"] == 0
    assert customers.loc["TWICE", "n_baskets"] == 2
    assert customers.loc["ONCE", "phase"] == 2  # ten months without a visit
    assert customers["likely_to_move"].between(0, 1).all()
    shuffled = journey_transactions(pd.concat([table, one]).sample(frac=1, random_state=0), **QUICK)
    np.testing.assert_allclose(shuffled.phases.ahead(), found.phases.ahead(), rtol=1e-9)


def test_a_newcomer_of_the_last_month_is_known_by_the_start_alone(table):
    new = pd.DataFrame(
        {
            "customer_id": ["NEW"],
            "basket_id": [10**6],
            "category": ["BEER"],
            "date": [np.datetime64("2023-12-30")],
        }
    )
    found = journey_transactions(pd.concat([table, new]), **QUICK)
    place = int(np.searchsorted(found.phases.grid.customers, "NEW"))
    row = found.phases.grid.offsets[place]
    assert found.phases.grid.lengths[place] == 1
    np.testing.assert_allclose(found.phases.foreseen[row], found.phases.start, atol=1e-12)


def test_ctrl_c_keeps_the_best_number_so_far(table):
    def pressing(stage, done, _total, _text):
        if stage == "phases" and done == 1:
            os.kill(os.getpid(), signal.SIGINT)

    options = QUICK | {"n_phases": [2, 3, 4, 5]}
    with pytest.warns(InterruptedWarning, match="Run again for the whole search"):
        found = journey_transactions(table, **options, progress=pressing)
    assert found.interrupted
    assert len(found.results["criteria"]) <= 2
    assert "interrupted" in " ".join(found.results["notes"])


def test_everybody_in_one_period_is_told_what_to_do(table):
    same = table.assign(date=np.datetime64("2023-05-05"))
    with pytest.raises(InvalidDataError, match=r"1 whole day \(2023-05-05\).*at least 3"):
        journey_transactions(same)
    month = table[table["date"] < np.datetime64("2023-02-01")]
    with pytest.raises(InvalidDataError, match="--period week"):
        journey_transactions(month, period="month")


def test_one_customer_has_no_journeys_to_compare(table):
    with pytest.raises(InvalidDataError, match="1 customer has visits"):
        journey_transactions(table[table["customer_id"] == "C001"], **QUICK)


def test_numbers_as_times(table):
    week = (table["date"] - table["date"].min()).dt.days // 7 + 1
    found = journey_transactions(table.assign(date=week), **QUICK, period=4)
    assert found.phases.grid.periods.unit == "period"
    assert found.phases.grid.periods.labels[0] == "1 to 4"
    with pytest.raises(InvalidParameterError, match="length of a period"):
        journey_transactions(table.assign(date=week), **QUICK, period="month")


def test_without_a_test_nothing_is_checked(table):
    found = journey_transactions(table, **QUICK, test_fraction=0)
    assert found.results["validation"] is None
    assert "not checked" in " ".join(found.summary())


@pytest.mark.parametrize(
    ("first", "n_days", "unit", "labels"),
    [
        ("2024-01-01", 366, "month", ["2024-01", "2024-12"]),
        ("2024-01-15", 366, "month", ["2024-02", "2024-12"]),
        ("2024-01-01", 60, "week", ["2024-01-01", "2024-02-19"]),
        ("2024-01-01", 10, "day", ["2024-01-01", "2024-01-10"]),
    ],
)
def test_periods_are_whole_and_suit_the_span(first, n_days, unit, labels):
    cut = cut_periods(np.datetime64(first) + np.arange(n_days))
    assert cut.unit == unit
    assert [cut.labels[0], cut.labels[-1]] == labels
    left_out = sum(int(re.search(r"its ([\d,]+) basket", note).group(1)) for note in cut.notes)
    assert left_out == (cut.index < 0).sum()


def test_rows_of_the_grid_are_those_of_a_loop(table):
    grid = make_grid(read_baskets(table), None, 0.2)
    row = 0
    for place, customer in enumerate(grid.customers):
        mine = grid.period[grid.baskets.customers == customer]
        for period in range(mine.min(), grid.n_periods):
            assert (grid.row_owner[row], grid.row_period[row]) == (place, period)
            assert grid.visits[row] == (mine == period).sum()
            row += 1
    assert row == grid.offsets[-1]
    some = grid.of_customers(np.array([2, 5]))
    np.testing.assert_array_equal(some.visits, grid.visits[np.isin(grid.row_owner, [2, 5])])
