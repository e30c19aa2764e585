"""The report of a Bayesian run: how sure the numbers, the missions and the segments are."""

import copy

import pytest

from mixtura.report import build_report
from mixtura.report.results import Results
from mixtura.report.sections import choice, number, summary, sureness
from report.sample import sample_results
from report.sample_bayes import bayesian_results
from report.test_report import Page


@pytest.fixture(scope="module")
def both():
    return bayesian_results(n_missions=9)


@pytest.fixture(scope="module")
def page(both):
    return Page(build_report(*both))


def test_the_page_is_well_formed(both, page):
    assert len(page.ids) == len(set(page.ids))
    assert all(url.startswith("#") and url[1:] in page.ids for url in page.urls)
    assert "built-in method" not in page.text
    assert "None" not in page.text.replace("None of", "")
    for levels in ((both[0], None), (None, both[1])):
        assert "How sure every" in Page(build_report(*levels)).text


def test_other_runs_have_no_such_section():
    results = Results(*sample_results(level="both"))
    assert sureness.context(results) is None
    assert all(number.inferred(level) is None for level in results.levels)
    assert "This run is Bayesian" not in Page(build_report(*sample_results(level="both"))).text


def test_the_number_and_what_others_lose(both, page):
    found = choice.criteria(Results(*both).mission_level)["inferred"]
    text = page.text.replace("\xa0", " ")
    assert "9 missions inferred, of at most 40" in text
    assert "would now have a probability of 91.8 %" in text
    assert "From 9 to 11 missions, a basket is at most 1 % less probable than with the best number" in text
    assert "With 4 missions, it is 86 % less probable." in text
    assert [row["n_components"] for row in found["rows"]] == list(range(1, 13))
    chart = found["chart"].specification
    assert chart["data"][0]["y"][8] == 0.0
    assert max(chart["data"][0]["y"]) == chart["data"][0]["y"][0] < 1.0


def test_a_limit_that_decided_is_told_everywhere_and_has_no_probability():
    results = Results(*bayesian_results(at_most=True, n_missions=9))
    text = Page(build_report(*bayesian_results(at_most=True, n_missions=9))).text
    assert "The number of missions is a choice rather than a finding: at most 9 were allowed" in text
    assert "No probability is given to the number" in text
    assert len(summary.context(results)["warnings"]) == 1


def test_every_mission_has_range_clearness_and_words(both):
    missions, segments = sureness.context(Results(*both))["parts"]
    assert [row["number"] for row in missions["rows"]] == [item["number"] for item in both[0]["missions"]]
    assert {row["verdict"] for row in missions["rows"]} <= {
        "clear",
        "mostly clear",
        "often in doubt",
        "nobody is given to it",
    }
    assert missions["rows"][-1]["verdict"] == "nobody is given to it"
    assert missions["mixes"]
    assert not segments["mixes"]
    name, share, ends = missions["rows"][0]["top"][0]
    assert name
    assert "%" in share
    assert "–" in ends


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.8, "clear"), (0.79, "mostly clear"), (0.5, "mostly clear"), (0.49, "often in doubt")],
)
def test_words_for_clearness(both, share, words):
    missions = copy.deepcopy(both[0])
    missions["bayes"]["items"][0]["share_baskets_clear"] = share
    part = sureness.context(Results(missions))["parts"][0]
    assert part["rows"][0]["verdict"] == words


def test_a_single_segment_needs_no_table(both):
    segments = copy.deepcopy(both[1])
    segments["segments"], segments["bayes"]["items"] = (
        segments["segments"][:1],
        segments["bayes"]["items"][:1],
    )
    assert sureness.context(Results(None, segments)) is None
