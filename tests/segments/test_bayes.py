"""Bayesian runs: the numbers inferred, what is told of certainty, options that contradict each other, files."""

import json
import re
import signal
import warnings

import numpy as np
import pytest
from scipy.stats import beta
from typer.testing import CliRunner

pytest.importorskip("pyarrow", reason='needs the extra: pip install "mixtura[segment]"')
pytest.importorskip("plotly", reason='needs the extra: pip install "mixtura[segment]"')

from pyarrow import parquet

from mixtura import cli, load
from mixtura.exceptions import EdgeOfRangeWarning, InterruptedWarning, InvalidParameterError
from mixtura.models import BayesianGroupedMultinomialMixture
from mixtura.segments import score_transactions, segment_transactions, sureness
from mixtura.segments.inferring import inference_options
from segments.shop import make_shop

QUICK = {"bootstrap": 0, "rivals": False}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A Bayesian run of both levels, and its folder."""
    lines, items = make_shop(30, 400, 2)
    out = tmp_path_factory.mktemp("bayes") / "out"
    return segment_transactions(lines, items, bayes=True, max_missions=8, max_segments=3, out=out, **QUICK)


def table(run, name):
    return parquet.read_table(run.folder / f"{name}.parquet").to_pydict()


def test_the_number_of_missions_is_inferred(run):
    part = run.missions["bayes"]
    assert len(run.missions["missions"]) == 3
    assert part["inferred"]
    assert part["most"] == 8
    assert not part["at_most"]
    assert run.missions["choice"]["criterion"] == "bound"
    assert run.missions["choice"]["sentence"].startswith("3 missions inferred, of at most 8")
    assert sum(row["probability"] for row in part["path"]) == pytest.approx(1.0)
    assert min(row["loss"] for row in part["path"]) == 0.0
    assert part["bound"] == max(row["bound"] for row in part["path"])
    assert [row["n_components"] for row in run.missions["criteria"]] == [
        row["n_components"] for row in part["path"]
    ]


def test_the_columns_of_customers_and_baskets_have_ranges(run):
    customers, model = table(run, "customers"), run.model
    main = np.array(customers["dominant_mission"])
    share = np.array([customers[f"mission_{k}"][row] for row, k in enumerate(main)])
    low, high = (np.array(customers[f"dominant_mission_{end}"]) for end in ("low", "high"))
    assert ((low < share) & (share < high)).all()
    laws = model.group_concentration_
    at = np.searchsorted(model.groups_, customers["customer"])
    own = laws[at, main - 1]
    np.testing.assert_allclose(low, beta.ppf(0.025, own, laws[at].sum(axis=1) - own), atol=1e-10)
    assert set(np.unique(customers["dominant_mission_probability"]) <= 1.0) == {True}
    baskets = table(run, "baskets")
    sure = np.array(baskets["probability"]) > 0.999
    assert sure.any()
    assert (np.array(baskets["entropy"])[sure] < 0.02).all()


def test_every_mission_and_segment_says_how_sure_it_is(run):
    for content, key in ((run.missions, "missions"), (run.segments, "segments")):
        part = content["bayes"]
        assert [item["number"] for item in part["items"]] == [item["number"] for item in content[key]]
        for item, card in zip(part["items"], content[key], strict=True):
            assert item["weight"][0] <= card["weight"] <= item["weight"][1]
            assert "top" not in item
            for entry in card["top"]:
                assert 0 <= entry["share_low"] <= entry["share_mean"] <= entry["share_high"] <= 1
    assert sum(item["n_main"] for item in run.missions["bayes"]["items"]) == len(run.model.groups_)
    assert (
        sum(item["n_baskets"] for item in run.missions["bayes"]["items"])
        == run.missions["data"]["n_train_baskets"]
    )


def test_the_report_says_it(run):
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.split("<script>")[0]))
    assert "How sure every mission" in text
    assert "3 missions inferred, of at most 8" in text
    assert "would now have a probability of" in text
    assert "built-in method" not in text
    assert "None" not in text.replace("None of", "")


def test_the_model_file_scores_and_refreshes_like_others(run):
    lines, items = make_shop(30, 400, 2)
    model = load(run.folder / "model.mixtura")
    assert isinstance(model, BayesianGroupedMultinomialMixture)
    scores = score_transactions(run.folder, lines[:200], items)
    assert set(scores.table["mission"]) <= {1, 2, 3}
    again = segment_transactions(lines, items, bayes=True, max_missions=6, previous=run.folder, **QUICK)
    assert again.missions["refresh"]["n_matched"] == 3
    plain = segment_transactions(lines, items, previous=run.folder, level="baskets", n_missions=3, **QUICK)
    assert plain.missions["refresh"]["n_matched"] == 3
    assert "bayes" not in plain.missions


def test_a_given_number_is_kept_and_only_the_rest_is_uncertain(run):
    lines, items = make_shop(30, 400, 2)
    found = segment_transactions(lines, items, bayes=True, n_missions=4, n_segments=2, **QUICK)
    assert len(found.missions["missions"]) == 4
    assert len(found.segments["segments"]) == 2
    for content in (found.missions, found.segments):
        assert not content["bayes"]["inferred"]
        assert content["choice"]["sentence"].endswith(", as asked for")
        assert len(content["bayes"]["path"]) == 1
    sizes = [item["weight"] for item in found.segments["bayes"]["items"]]
    assert all(low < high for low, high in sizes)


def test_a_largest_number_that_decides_is_told():
    lines, items = make_shop(30, 400, 2)
    with pytest.warns(
        EdgeOfRangeWarning, match=r"the most that were allowed: .* Allow more \(max_missions\)"
    ):
        found = segment_transactions(lines, items, bayes=True, max_missions=2, level="baskets", **QUICK)
    assert found.missions["bayes"]["at_most"]


def test_runs_that_are_not_bayesian_have_none_of_it():
    lines, items = make_shop()
    found = segment_transactions(lines, items, n_missions=3, n_segments=2, **QUICK)
    for content in (found.missions, found.segments):
        assert "bayes" not in content
        assert not {"bayes", "max_missions", "max_segments"} & set(content["command"])
    assert "share_low" not in json.dumps(found.missions["missions"][0]["top"])
    assert not {"dominant_mission_low", "dominant_mission_probability"} & set(found.customer_table())
    assert "entropy" not in found.basket_table()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"bayes": "yes"}, "bayes: found 'yes'. Expected True or False"),
        ({"max_missions": 5}, "max_missions: found 5 without bayes"),
        ({"max_segments": 5}, r"add bayes=True \(--bayes\)"),
        ({"bayes": True, "max_missions": 1}, "Expected a whole number from 2 to 500"),
        ({"bayes": True, "max_missions": 2.5}, "Expected a whole number from 2 to 500"),
        ({"bayes": True, "max_segments": 0}, "Expected a whole number from 1 to 500"),
        ({"bayes": True, "max_missions": True}, "found True"),
        ({"bayes": True, "n_missions": [2, 3]}, "n_missions: found several numbers to choose from"),
        ({"bayes": True, "n_missions": 3, "max_missions": 5}, "found 5 beside a given number of missions"),
        ({"bayes": True, "criterion": "aic"}, "criterion='aic' with bayes"),
        ({"bayes": True, "level": "customers", "max_missions": 5}, "no missions are looked for"),
        ({"bayes": True, "level": "baskets", "max_segments": 5}, "no segments are looked for"),
    ],
)
def test_options_that_contradict_each_other(options, words):
    lines, items = make_shop()
    with pytest.raises(InvalidParameterError, match=words):
        segment_transactions(lines, items, **options)


def test_one_number_may_come_as_a_list():
    options = {"level": "both", "criterion": "bic", "n_missions": [3], "n_segments": None}
    assert inference_options(True, None, 4, options).most == {"missions": 60, "segments": 4}


def test_control_c_gives_the_best_so_far():
    lines, items = make_shop(30, 400, 2)
    pressed = []

    def press(stage, _done, _total, text):
        if stage == "missions" and "pass" in text and not text.startswith("8 ") and not pressed:
            pressed.append(text)
            signal.raise_signal(signal.SIGINT)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("always", InterruptedWarning)
        with pytest.warns(InterruptedWarning, match="the search was interrupted"):
            found = segment_transactions(
                lines, items, bayes=True, max_missions=8, level="baskets", progress=press, **QUICK
            )
    assert pressed
    assert found.interrupted
    assert len(found.missions["missions"]) == 8


def test_numbers_that_are_as_good_are_neighbours():
    rows = [
        {"n_components": k, "bound": bound, "short": False}
        for k, bound in ((2, -10.5), (3, -200.0), (4, -10.4), (5, -10.0), (6, -10.9), (8, -12.0))
    ]
    found = sureness.number_of_components(rows, 100, 5)
    assert found["as_good"] == [4, 6]
    share = np.exp([10 - 10.5, -190.0, -0.4, 0.0, -0.9, -2.0])
    assert found["probability"] == pytest.approx(1 / share.sum())


def test_shares_of_segments_have_the_error_of_ratios():
    """Against the jackknife of customers, which agrees to first order."""
    rng = np.random.default_rng(0)
    totals = rng.integers(1, 30, size=300).astype(float)
    counts = rng.binomial(totals.astype(int), rng.beta(2, 5, size=300))[:, None].astype(float)
    weight = rng.random(300)
    mean, low, high = sureness._share_intervals(counts, totals, weight)
    whole, part = weight @ totals, weight @ counts[:, 0]
    left = (part - weight * counts[:, 0]) / (whole - weight * totals)
    error = np.sqrt(299 / 300 * ((left - left.mean()) ** 2).sum())
    assert mean[0] == pytest.approx(part / whole)
    assert (high - low)[0] / (2 * sureness.NORMAL) == pytest.approx(error, rel=0.02)


def test_the_command_line_infers_and_refuses(tmp_path):
    lines, items = make_shop(20, 200, 3)
    lines.to_csv(tmp_path / "lines.csv", index=False)
    items.to_csv(tmp_path / "items.csv", index=False)

    def called(*options):
        given = [
            "segment",
            tmp_path / "lines.csv",
            "--items",
            tmp_path / "items.csv",
            "--out",
            tmp_path / "out",
            *options,
        ]
        return CliRunner().invoke(cli.app, [str(argument) for argument in given], env={"COLUMNS": "200"})

    quick = ("--bootstrap", "0", "--no-rivals", "--level", "baskets")
    done = called("--bayes", "--max-missions", "5", *quick)
    assert done.exit_code == 0, done.output
    assert "3 missions inferred, of at most 5" in done.output
    for options, words in (
        (
            ("--bayes", "--missions", "2..5"),
            "Give one number to keep it, or the largest one (max_missions, --max-missions)",
        ),
        (("--max-missions", "5"), "found 5 without bayes"),
        (("--bayes", "--max-mission", "5"), "--max-missions"),
        (("--bayes", "--max-missions", "many"), "--max-missions"),
    ):
        refused = called(*options, *quick, "--overwrite")
        assert refused.exit_code == 2
        assert words in refused.output
