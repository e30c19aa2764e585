"""Segments over time, from run to run, and against the customer table: moves add up, and chance is not sold."""

import copy

import numpy as np
import pytest

from mixtura.report.results import Results
from mixtura.report.sections import demographics, flows, refresh
from mixtura.report.sections.moves import moves
from report.sample import sample_results


@pytest.fixture(scope="module")
def both():
    return sample_results(level="both")


@pytest.fixture
def changed(both):
    """A copy that a test may change."""
    return copy.deepcopy(both)


@pytest.fixture(scope="module")
def results(both):
    return Results(*both)


def spaces(text):
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_flows_add_up_in_sentence_table_and_streams(results, both):
    counts = np.array(both[1]["flows"]["counts"])
    found = flows.context(results)["flows"]
    stayed = np.trace(counts) / counts.sum()
    assert f"Of {counts.sum():,} customers seen at both times, {100 * stayed:.0f} % are" in spaces(
        found["sentences"][0]
    )
    for row, known in zip(found["rows"], counts, strict=True):
        assert row["total"] == known.sum()
        assert sum(cell["share"] for cell in row["cells"]) == pytest.approx(1)
    trace = found["chart"].data[0]
    thin = counts < 0.004 * counts.sum()
    assert sum(trace["link"]["value"]) == counts[~thin].sum()
    off = counts - np.diag(np.diag(counts))
    assert f"{off.max()} customer" in found["sentences"][1]


def test_streams_have_the_colour_of_those_who_stayed_or_moved():
    pair = [("1", "Tea"), ("2", "Ale")]
    found = moves("m", pair, pair, [[8, 2], [0, 5]], ("then", "now"), "stayed")
    colours = found["chart"].data[0]["link"]["color"]
    assert len(set(colours)) == 2
    assert colours[0] == colours[2] != colours[1]
    assert found["sentences"] == [
        "Of 15 customers seen at both times, 87\N{NO-BREAK SPACE}% stayed.",
        "The largest move is from “1 Tea” to “2 Ale”: 2 customers, against none the other way.",
    ]
    assert moves("m", pair, pair, [[0, 0], [0, None]], ("then", "now"), "stayed") is None


def test_new_and_lost_customers_are_no_moves(changed):
    changed[1]["refresh"]["migration"] = {
        "from": ["Tea", "Old name", "(new customer)"],
        "to": ["Tea", "New name", "(no longer seen)"],
        "from_numbers": [3, 7, None],
        "to_numbers": [3, 7, None],
        "counts": [[6, 1, 20], [0, 13, 4], [30, 2, 0]],
    }
    found = refresh.context(Results(*changed))["levels"][1]["moves"]
    assert [spaces(text) for text in found["sentences"]] == [
        "Of 20 customers seen at both times, 95 % are in the same segment.",
        "The largest move is from “3 Tea” to “7 New name”: 1 customer.",
        "32 customers came for the first time; 24 of the earlier ones did not come any more.",
    ]
    same = [[cell["same"] for cell in row["cells"]] for row in found["rows"]]
    assert same == np.diag([True, True, False]).tolist()  # numbers tell, also where a name was edited


def test_refresh_tells_new_gone_and_changed(changed):
    missions, found = changed
    names = [segment["name"] for segment in found["segments"]]
    found["refresh"].update(n_matched=4, new=[1], gone=[{"number": 9, "name": "Ice buyers", "weight": 0.03}])
    context = refresh.context(Results(missions, found))
    text = " ".join(context["levels"][1]["sentences"])
    assert "4 of 5 segments were found again and keep their names." in text
    assert f"New: “{names[0]}”." in text
    assert f"Changed clearly, so check that the name still fits: “{names[1]}”." in text
    assert "Gone: “Ice buyers”." in text
    states = [row["state"] for row in context["levels"][1]["rows"]]
    assert states == ["new", "has changed", "the same", "the same", "the same"]
    found["refresh"] = missions["refresh"] = None
    assert refresh.context(Results(missions, found)) is None


@pytest.mark.parametrize(
    ("unit", "periods", "kind"),
    [
        ("month", ["2017-01", "2017-02", "2017-03", "2017-04"], "date"),
        ("week", ["2017-01-02", "2017-01-09", "2017-01-16", "2017-01-23"], "date"),
        ("number", ["1 to 6", "7 to 11", "12 to 17", "18 to 22"], "category"),
    ],
)
def test_segments_over_any_kind_of_time(changed, unit, periods, kind):
    rows = [[0.2] * 5, [0.2] * 5, [None] * 5, [0.1, 0.3, 0.2, 0.2, 0.2]]
    changed[1]["timeline"] = {"unit": unit, "periods": periods, "n_baskets": [10, 10, 0, 10], "shares": rows}
    found = flows.context(Results(*changed))["timeline"]
    assert len(found["chart"].data) == 5
    assert found["chart"].layout["xaxis"]["type"] == kind
    assert found["chart"].data[0]["y"] == [0.2, 0.2, None, 0.1]
    sentence = spaces(found["sentence"])
    assert "segment 2 “" in sentence
    assert "grew most, from 20.0 % of visits to 30.0 %" in sentence
    assert "shrank most, from 20.0 % of visits to 10.0 %" in sentence


def test_small_changes_are_not_called_changes(changed):
    rows = [[0.2] * 5, [0.205, 0.195, 0.2, 0.2, 0.2]]
    changed[1]["timeline"] = {"periods": ["2017-01", "2017-02"], "n_baskets": [10, 10], "shares": rows}
    assert (
        "no segment's share of visits changed by a point"
        in flows.context(Results(*changed))["timeline"]["sentence"]
    )


def test_panels_of_the_months_do_not_overlap():
    for n_segments in (2, 5, 12):
        chart = flows.context(Results(*sample_results(level="both", n_segments=n_segments, seed=1)))[
            "timeline"
        ]["chart"]
        for narrow in (False, True):
            boxes = []
            for k in range(n_segments):
                name = str(k + 1) if k else ""
                x, y = (
                    (
                        chart.narrow[f"{axis}{name}.domain"]
                        if narrow
                        else chart.layout[f"{axis}{name}"]["domain"]
                    )
                    for axis in ("xaxis", "yaxis")
                )
                assert 0 <= x[0] < x[1] <= 1
                assert 0 <= y[0] < y[1] <= 1
                boxes.append((x, y))
            for a, (x, y) in enumerate(boxes):
                for u, v in boxes[:a]:
                    assert x[0] >= u[1] or u[0] >= x[1] or y[0] >= v[1] or v[0] >= y[1]


def test_only_differences_beyond_chance_are_marked_and_said(results, both):
    context = demographics.context(results)
    for table, column in zip(context["tables"], both[1]["demographics"], strict=True):
        expected = {(cell["segment"], cell["value"]) for cell in column["cells"]}
        marked = {
            (number, row["value"])
            for row in table["rows"]
            for number, cell in enumerate(row["cells"], start=1)
            if cell["mark"]
        }
        assert marked == expected
        for line in table["words"]:
            for segment, value in expected:
                if segment == line["number"]:
                    assert f"{value} (" in line["text"]
    age, size = context["tables"]
    assert age["marked"]
    assert not size["marked"]
    assert size["words"] == []
    assert (
        "differ by more than chance in age group. They do not differ clearly in household size."
        in context["sentence"]
    )


def test_demographics_shares_come_from_the_counts(results, both):
    table = demographics.context(results)["tables"][0]
    counts = np.array(both[1]["demographics"][0]["counts"])
    shares = counts / counts.sum(axis=1, keepdims=True)
    np.testing.assert_allclose([[cell["share"] for cell in row["cells"]] for row in table["rows"]], shares.T)
    np.testing.assert_allclose([row["overall"] for row in table["rows"]], counts.sum(axis=0) / counts.sum())


def test_an_empty_segment_and_a_faint_difference_are_told_plainly(changed):
    column = changed[1]["demographics"][1]
    column["counts"][4] = [0.0] * 5
    column["p_value"] = 0.004
    table = demographics.context(Results(*changed))["tables"][1]
    assert all(row["cells"][4]["share"] is None for row in table["rows"])
    assert table["none"] == "The segments differ a little as a whole, but no single figure stands out."
