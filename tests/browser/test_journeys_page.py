"""The page of journeys in a real browser: drawn, sortable, and nothing leaves a phone's screen."""

import pytest

from mixtura.report import write_journeys_report
from report.sample_journeys import sample_journeys

pytestmark = pytest.mark.browser


@pytest.fixture(scope="session")
def paths(paths, tmp_path_factory):
    folder = tmp_path_factory.mktemp("journeys")
    return {
        **paths,
        "journeys": write_journeys_report(sample_journeys(), folder / "journeys.html"),
        "odd journeys": write_journeys_report(sample_journeys(8, awkward=True), folder / "odd.html"),
    }


@pytest.mark.parametrize(("name", "width"), [("journeys", 1280), ("odd journeys", 390)])
def test_nothing_is_wider_than_the_screen_and_one_diagram_is_shown(opened, name, width):
    page = opened(name, width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    shown = page.locator("svg.journey-diagram:visible")
    assert shown.count() == 1
    box = shown.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    # No text of the diagram leaves its drawing, and none is too small to read.
    small = "element => [...element.querySelectorAll('text')].map(t => t.getBoundingClientRect())"
    for text in shown.evaluate(f"element => ({small})(element).map(r => [r.left, r.right, r.height])"):
        assert text[0] >= box["x"] - 1
        assert text[1] <= box["x"] + box["width"] + 1
        assert text[2] >= 10


def test_customers_are_sorted_by_their_chance(opened):
    page = opened("journeys")
    table = page.locator("#customers table.sortable").first
    chances = "element => [...element.querySelectorAll('tbody tr')].map(row => +row.cells[4].dataset.value)"
    table.locator("th button", has_text="Chance").click()
    first = table.evaluate(chances)
    assert first in (sorted(first), sorted(first, reverse=True))
    table.locator("th button", has_text="Chance").click()
    assert table.evaluate(chances) == first[::-1]
