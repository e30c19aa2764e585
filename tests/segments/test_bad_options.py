"""Options that cannot be, tables that do not fit, and Ctrl-C: one line, the right exit code, nothing left."""

import json
import shutil
import signal
import warnings

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

pytest.importorskip("pyarrow", reason='needs the extra: pip install "mixtura[segment]"')
pytest.importorskip("plotly", reason='needs the extra: pip install "mixtura[segment]"')

from mixtura import cli, exceptions
from mixtura.segments import segment_transactions
from segments.shop import make_shop

UNUSABLE = 2
QUICK = ("--missions", "3", "--segments", "2", "--bootstrap", "0", "--no-rivals")


def called(*arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        done = CliRunner().invoke(cli.app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})
    assert "Traceback" not in done.output
    return done


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The tables as files, and the results of three runs: both levels, and each alone."""
    place = tmp_path_factory.mktemp("shop")
    lines, items = make_shop()
    prices = np.random.default_rng(0).gamma(2.0, 2.0, size=len(lines)).round(2)
    lines = lines.assign(sales_value=prices, unit_price=(prices / lines.quantity).round(4))
    people = pd.DataFrame({"household_id": range(1, 25), "age": ["young", "old"] * 12})
    for name, table in {"lines": lines, "items": items, "people": people}.items():
        table.to_csv(place / f"{name}.csv", index=False)
    for name, options in {
        "both": QUICK,
        "baskets": ("--level", "baskets", *QUICK[:2], *QUICK[4:]),
        "customers": ("--level", "customers", *QUICK[2:]),
    }.items():
        done = called("segment", *tables(place), *options, "--out", place / name)
        assert done.exit_code == 0, done.output
    return place


def tables(place):
    return place / "lines.csv", "--items", place / "items.csv"


def refused(place, words, *arguments):
    """One line that says it, exit code 2, and no file that was not there."""
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*")}
    done = called(*arguments)
    assert done.exit_code == UNUSABLE, done.output
    assert {path: path.stat().st_mtime_ns for path in place.rglob("*")} == before
    if "Usage:" not in done.output:
        lines = done.output.strip().splitlines()
        errors = [line for line in lines if line.startswith("Error: ")]
        assert len(errors) == 1
        assert lines[-1] == errors[0], "what was read may be told before, nothing after"
    assert words in done.output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--level", "segments"], "Expected 'baskets' for missions alone, 'customers' for segments"),
        (["--level", ""], "level='' is not known"),
        (["--level", "baskets", "--segments", "3"], "level='baskets', which looks for none"),
        (["--level", "customers", "--missions", "3"], "level='customers', which looks for none"),
        (["--customers", "peple.csv"], "Expected a CSV or Parquet file"),
        (["--customers", ""], "the customers: found an empty name"),
        (["--customers", "{place}/items.csv"], "no column was recognised as the customer key"),
        (["--customers", "{place}/lines.csv"], "Expected one row per customer"),
        (["--customers", "{place}/people.csv", "--customer-key", "houshold_id"], "Did you mean 'household_id'?"),
        (["--customers", "{place}/people.csv", "--customer-key", "age"], "Expected one row per customer"),
        (["--customer-key", "household_id"], "give the table (customers, --customers)"),
        (["--amount", "sale_value"], "Did you mean 'sales_value'?"),
        (["--amount", "transaction_timestamp"], "Expected numbers, without a currency sign"),
        (["--amount", "sales_value", "--price", "unit_price"], "Leave one out"),
        (["--price", "unitprice"], "Did you mean 'unit_price'?"),
        (["--value", "amounts"], "Did you mean 'amount'?"),
        (["--min-support", "many"], "the minimum support 'many' is not a number"),
        (["--min-support", ""], "the minimum support '' is not a number"),
        (["--min-support", "-1"], "min_support: found -1. Expected"),
        (["--min-support", "0"], "Expected a whole number of baskets from 1 on"),
        (["--min-support", "1.5"], "or a share of them between 0 and 1"),
        (["--min-support", "100%"], "or a share of them between 0 and 1"),
        (["--min-support", "nan"], "or a share of them between 0 and 1"),
        (["--min-support", "1e6"], "Ask for less support"),
        (["--rare", "others"], "Did you mean 'other'?"),
        (["--top-items", "0"], "Expected a whole number from 1 on"),
        (["--top-items", "x"], "--top-items"),
        (["--top-items", "1", "--rare", "drop"], "have one category, 'BEER'"),
        (["--category", ""], "category: found no name"),
        (["--category", " , "], "category: found no name"),
        (["--category", "department,department"], "'department' is there twice"),
        (["--category", "department", "--category", "depatment"], "Did you mean 'department'?"),
        (["--segments", "0"], "n_segments: found 0. Expected a number from 1"),
        (["--segments", "25"], "to the number of customers before the split, 24. Ask for fewer segments"),
        (["--segments", "3..1"], "runs backwards"),
        (["--segments", "six"], "segments: 'six' cannot be read"),
        (["--previous", "{place}/nowhere"], "have no missions.json and no segments.json"),
        (["--previous", "{place}/items.csv"], "have no missions.json and no segments.json"),
        (["--previous", "{place}/both", "--value", "quantity"], "profiles of different things cannot be compared"),
        (["--previous", "{place}/both", "--level", "customers"], "profiles of different things cannot be compared"),
        (["--previous", "{place}/customers"], "profiles of different things cannot be compared"),
        (["--previous", "{place}/both", "--category", "department"], "Expected at least 50% of the lines"),
        (["--bootstrap", "-1"], "Expected a whole number from 0 to 1,000"),
        (["--bootstrap", "few"], "--bootstrap"),
        (["--rivals", "all"], "unexpected extra argument"),
        (["--anonymos"], "--anonymous"),
        (["--csv", "table.csv"], "unexpected extra argument"),
        (["--test-fraction", "1"], "test_fraction: found 1.0"),
        (["--memory-limit", "-1GB"], "memory_limit='-1GB' is negative"),
        (["--memory-limit", "2XB"], "Expected a memory limit such as '2GB'"),
    ],
    ids=lambda entry: " ".join(entry) if isinstance(entry, list) else "",
)  # fmt: skip
def test_a_run_is_refused(place, options, words):
    given = [option.replace("{place}", str(place)) for option in options]
    numbers = [] if {"--level", "--segments", "--previous"} & set(options) else QUICK[:4]
    refused(place, words, "segment", *tables(place), "--out", place / "new", *numbers, *QUICK[4:], *given)


def test_customer_tables_that_say_nothing(place, tmp_path):
    people = pd.read_csv(place / "people.csv")
    people[:0].to_csv(tmp_path / "empty.csv", index=False)
    people[["household_id"]].to_csv(tmp_path / "keys.csv", index=False)
    run = ("segment", *tables(place), *QUICK, "--out", tmp_path / "out", "--customers")
    refused(place, "(empty.csv) has no value in its column 'household_id'", *run, tmp_path / "empty.csv")
    assert "no column beside 'household_id'" in called(*run, tmp_path / "keys.csv").output


def test_refusals_that_need_no_data_come_before_reading(tmp_path):
    for name, value in {"test_fraction": 1.0, "level": "all", "bootstrap": 0.5, "criterion": "p"}.items():
        with pytest.raises(exceptions.InvalidParameterError, match=name):
            segment_transactions(tmp_path / "not there.csv", **{name: value})


def test_one_customer_has_no_segments_and_missions_are_not_awaited(place, shop):
    lines, items = shop
    seen = []
    with pytest.raises(exceptions.InvalidDataError, match=r"1 customer has counts .*--level baskets"):
        segment_transactions(
            lines.assign(household_id=7), items, progress=lambda stage, *_: seen.append(stage)
        )
    assert set(seen) == {"read", "note"}
    lines.assign(household_id=7).to_csv(place / "alone.csv", index=False)
    out = place / "alone"
    done = called(
        "segment", place / "alone.csv", *tables(place)[1:], "--level", "baskets", *QUICK[:2], "--out", out
    )
    assert done.exit_code == 0, done.output
    assert "200 baskets of 1 customer, 9 categories" in done.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["both", "--out-customers", "{place}/c.txt"], "Expected .parquet or .csv"),
        (["baskets", "--out-customers", "{place}/c.csv"], "comes without segments of customers"),
        (["both", "--out", "{place}/c.csv", "--out-customers", "{place}/c.csv"], "Expected two files"),
        (["both", "--value", ""], "value='' is not known"),
        (["both", "--category", ""], "category: found no name"),
        (["both", "--category", "department,product_category"], "Expected 1, one for each level of the model"),
        (["both", "--amount", "sales_value", "--price", "unit_price"], "Leave one out"),
        (["both/global.mixtura"], "Expected the household mixture"),
        (["both/segments.mixtura"], "Expected the household mixture"),
        (["nowhere"], "no model"),
    ],
    ids=lambda entry: " ".join(entry) if isinstance(entry, list) else "",
)  # fmt: skip
def test_scoring_is_refused(place, arguments, words):
    model, *options = (text.replace("{place}", str(place)) for text in arguments)
    refused(place, words, "score", place / model, *tables(place), *options)


def test_scores_say_which_files_they_wrote(place, tmp_path):
    done = called(
        "score", place / "customers", *tables(place), "--out-customers", tmp_path / "who.csv", "--quiet"
    )
    assert done.output.split("\n") == [f"One row per customer: {tmp_path / 'who.csv'}", ""]
    table = pd.read_csv(tmp_path / "who.csv")
    assert (len(table), table.segment_probability.between(0, 1).all()) == (24, True)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"segments": [{"number": 1}]}', '{"segments": 3}'])
def test_damaged_results(place, tmp_path, content):
    folder = tmp_path / "damaged"
    shutil.copytree(place / "both", folder)
    (folder / "segments.json").write_text(content)
    for command in (("report", folder), ("info", folder), ("score", folder, *tables(place))):
        refused(folder, "segments.json'", *command)
    refused(
        folder,
        "segments.json'",
        "segment",
        *tables(place),
        *QUICK,
        "--previous",
        folder,
        "--out",
        folder / "new",
    )


def test_a_damaged_table_of_customers_is_found_before_the_work(place, tmp_path):
    folder = tmp_path / "damaged"
    shutil.copytree(place / "both", folder)
    (folder / "customers.parquet").write_bytes(b"PAR?")
    with pytest.raises(exceptions.InvalidDataError, match=r"customers\.parquet' cannot be read .* delete it"):
        segment_transactions(tmp_path / "not there.csv", previous=folder)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[missions]\n1 = Friday\n", "at line 2"),
        ('[missions]\n1 = "A"\n2 = "A"\n', "line 3, missions: 2 has the name 'A', which 1 has too"),
        ('[mission]\n1 = "A"\n', "found 'mission'"),
        ('[segments]\nfirst = "A"\n', "Expected the number of one"),
    ],
)
def test_broken_names_are_refused_everywhere(place, tmp_path, text, words):
    folder = tmp_path / "named"
    shutil.copytree(place / "both", folder)
    (folder / "names.toml").write_text(text)
    run = ("segment", *tables(place), *QUICK)
    for command in (
        ("report", folder),
        (*run, "--overwrite", "--out", folder),
        (*run, "--previous", folder, "--out", folder / "n"),
    ):
        refused(folder, words, *command)


def test_a_name_for_a_number_that_is_not_there_is_said(place, tmp_path):
    folder = tmp_path / "named"
    shutil.copytree(place / "both", folder)
    (folder / "names.toml").write_text('[missions]\n2 = "Babies"\n9 = "Ghost"\n')
    done = called("report", folder)
    assert done.exit_code == 0
    assert "Warning: names.toml names mission 9 ('Ghost'), but there is no such number here." in done.output
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "Babies" in page
    assert "Ghost" not in page


def test_nothing_kept_for_testing_is_said_so(place, tmp_path):
    done = called(
        "segment",
        *tables(place),
        *QUICK[:4],
        "--bootstrap",
        2,
        "--test-fraction",
        0,
        "--out",
        tmp_path / "out",
    )
    assert done.exit_code == 0, done.output
    assert "Learned from all 200 baskets; none were kept for testing." in done.output
    content = json.loads((tmp_path / "out" / "missions.json").read_text())
    assert (content["rivals"], content["held_out"]) == (None, None)
    assert content["stability"]["n_replicates"] == 2


def test_baskets_of_one_time_are_pointed_at(shop):
    lines, items = shop
    found = segment_transactions(
        lines.assign(transaction_timestamp="2024-01-01"), items, level="customers", n_segments=2, bootstrap=0
    )
    assert any("All 200 baskets have the same time" in note for note in found.segments["notes"])
    assert (found.segments["timeline"], found.segments["flows"]) == (None, None)


def test_segments_of_few_customers_are_told_apart_by_name(place):
    names = [
        entry["name"] for entry in json.loads((place / "customers" / "segments.json").read_text())["segments"]
    ]
    assert not any(name.startswith("A bit of everything (") for name in names)


# Ctrl-C


@pytest.fixture
def small():
    return make_shop(n_customers=12, n_baskets=60)


def press(stage, words, times=1):
    """A progress function that presses Ctrl-C at the first of these words."""
    left = [times]

    def progress(now, _done, _total, text):
        while now == stage and words in text and left[0]:
            left[0] -= 1
            signal.raise_signal(signal.SIGINT)

    return progress


def interrupted(tables, out, progress, **options):
    with pytest.warns(exceptions.InterruptedWarning, match="Run again"):
        found = segment_transactions(
            *tables,
            out=out,
            progress=progress,
            **({"n_missions": 2, "n_segments": 2, "bootstrap": 2, "rivals": False} | options),
        )
    assert found.interrupted
    for content in (found.missions, found.segments):
        assert any("interrupted" in note for note in content["notes"])
    assert {"missions.json", "segments.json", "report.html"} < {path.name for path in out.iterdir()}
    assert [path.name for path in out.parent.iterdir()] == [out.name]
    return found


def test_the_sweep_of_segments_ends_and_nothing_is_checked(small, tmp_path):
    found = interrupted(small, tmp_path / "out", press("segments", "2 segments, pass"), n_segments=None)
    assert (
        found.segments["choice"]["sentence"]
        == "1 segment; the sweep was interrupted, so no other number was tried"
    )
    assert found.missions["choice"]["sentence"] == "2 missions, as asked for"
    assert found.missions["rivals"] is found.missions["stability"] is found.segments["stability"] is None


def test_the_comparison_without_overdispersion_is_left_out(small, tmp_path):
    found = interrupted(
        small,
        tmp_path / "out",
        press("segments", "without overdispersion: 2 segments, pass"),
        n_segments=None,
    )
    assert found.segments["overdispersion"] is None
    assert len(found.segments["criteria"]) > 1


def test_the_bootstrap_keeps_its_samples_so_far(small, tmp_path):
    found = interrupted(small, tmp_path / "out", press("trust", "stability: sample 2"))
    assert found.missions["stability"]["n_replicates"] == 1
    assert found.segments["stability"] is None


def test_rivals_are_those_so_far(small, tmp_path):
    found = interrupted(small, tmp_path / "out", press("trust", "rivals: k-means"), rivals=True)
    assert [row["key"] for row in found.missions["rivals"]] == ["one", "kmeans", "mixtura"]
    assert found.missions["stability"] is found.segments["stability"] is None
    assert found.missions["timeline"] is not None


def test_no_rival_is_no_table(small, tmp_path):
    found = interrupted(small, tmp_path / "out", press("trust", "profiles"), rivals=True)
    assert found.missions["rivals"] is None


@pytest.mark.parametrize(
    ("stage", "words"), [("segments", "2 segments, pass"), ("trust", "stability: "), ("trust", "rivals: ")]
)
def test_the_second_time_ends_everything(small, tmp_path, stage, words):
    numbers = {"n_missions": 2, "n_segments": [1, 2], "bootstrap": 2, "rivals": words == "rivals: "}
    with pytest.raises(KeyboardInterrupt):
        segment_transactions(*small, progress=press(stage, words, 2), out=tmp_path / "out", **numbers)
    assert not list(tmp_path.iterdir())


def test_results_that_were_there_stay_when_everything_ends(place, small, tmp_path):
    folder = tmp_path / "out"
    shutil.copytree(place / "both", folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(KeyboardInterrupt):
        segment_transactions(
            *small, n_missions=3, n_segments=2, bootstrap=0, rivals=False,
            out=folder, overwrite=True, progress=press("write", ""),
        )  # fmt: skip
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_the_command_ends_with_130_after_an_interrupted_check(place, tmp_path, monkeypatch):
    from contextlib import nullcontext

    monkeypatch.setattr(cli, "_progress", lambda _quiet: nullcontext(press("trust", "stability: sample 2")))
    numbers = ("--missions", 3, "--segments", 2, "--bootstrap", 3, "--no-rivals")
    done = called("segment", *tables(place), *numbers, "--out", tmp_path / "out")
    assert done.exit_code == 130
    assert (
        "Warning: Interrupted: 3 missions, as asked for; 2 segments, as asked for. Run again" in done.output
    )
    assert (tmp_path / "out" / "report.html").is_file()
