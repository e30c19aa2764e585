"""The page of a Bayesian run in a real browser: its table can be sorted, and nothing leaves a phone's screen."""

import pytest

from mixtura.report import write_report
from report.sample_bayes import bayesian_results

pytestmark = pytest.mark.browser


@pytest.fixture(scope="session")
def paths(paths, tmp_path_factory):
    path = tmp_path_factory.mktemp("sureness") / "bayes.html"
    missions, segments = bayesian_results(n_missions=30, awkward=False)
    return {**paths, "bayes": write_report(missions, path, segments)}


def test_missions_are_sorted_by_size(opened):
    page = opened("bayes")
    table = page.locator("#sureness table.sortable").first
    sizes = "element => [...element.querySelectorAll('tbody tr')].map(row => +row.cells[1].dataset.value)"
    table.locator("th", has_text="Share of baskets").click()
    first = table.evaluate(sizes)
    assert first in (sorted(first), sorted(first, reverse=True))
    table.locator("th", has_text="Share of baskets").click()
    assert table.evaluate(sizes) == first[::-1]


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_wider_than_the_screen(opened, width):
    page = opened("bayes", width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for section in ("choice", "sureness", "segment-certainty"):
        box = page.locator(f"#{section}").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    heights = "element => Math.max(...[...element.querySelectorAll('tbody tr')].map(row => row.offsetHeight))"
    assert page.locator("#sureness table").first.evaluate(heights) < 200


def test_the_chart_of_numbers_is_drawn(opened):
    page = opened("bayes")
    assert page.locator("[data-spec=spec-inferred] .scatterlayer .point").count() > 10
