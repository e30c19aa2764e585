"""The page of journeys: made from the results alone, with nothing of theirs trusted."""

import re

import pytest

from mixtura.exceptions import InvalidDataError
from mixtura.report import build_journeys_report
from mixtura.report.sections.journey_moves import drawing
from mixtura.report.sections.journey_summary import stays
from report.sample_journeys import sample_journeys


@pytest.mark.parametrize(
    "options",
    [{}, {"n_phases": 1}, {"n_phases": 12, "awkward": True}, {"checked": False, "listed": False}],
    ids=["usual", "one", "awkward", "unchecked"],
)
def test_a_page_is_made_and_names_are_escaped(options):
    content = sample_journeys(**options)
    page = build_journeys_report(content)
    body = page[: page.index("<footer")]
    assert "<script>alert('phase')" not in body
    assert "<b>Ann</b>" not in body
    assert ('id="moves"' in body) == (len(content["phases"]) > 1)
    assert ("This was not checked" in body) == (content["validation"] is None)
    identifiers = re.findall(r'id="([^"]+)"', body)
    assert len(identifiers) == len(set(identifiers))


def test_who_wins_is_said_honestly():
    content = sample_journeys()
    row = next(row for row in content["validation"]["rows"] if row["key"] == "journeys")
    assert "phases win" in build_journeys_report(content)
    row.update(gain=-0.2, visits_gain=-0.2)
    lost = build_journeys_report(content)
    assert "the static model wins" in lost
    assert "phases win" not in lost


def test_results_of_another_schema_are_refused():
    with pytest.raises(InvalidDataError, match="mixtura journeys"):
        build_journeys_report({"schema": "mixtura-missions/2"})
    with pytest.raises(InvalidDataError, match="expected 5 rows of 5"):
        build_journeys_report(sample_journeys() | {"moves": [[1.0]]})


def test_no_two_chances_are_written_over_each_other():
    content = sample_journeys(8)
    boxes = [
        {"number": str(k), "name": "Often", "colour": "#000", "share": "", "stays": ""} for k in range(8)
    ]
    for width, box in ((760, 300), (360, 176)):
        arcs = drawing(boxes, content["moves"], width, box)["arcs"]
        assert len(arcs) > 10
        for index, one in enumerate(arcs):
            assert 0 < one["x"] < width
            for other in arcs[:index]:
                assert abs(one["x"] - other["x"]) > 30 or abs(one["y"] - other["y"]) > 12


def test_a_stay_without_end_is_for_good():
    assert stays(float("inf"), "week") == "for good"
    assert stays(400.0, "week") == "more than 60 weeks"
