"""The sections with the optional parts: what the results say is on the page, and what they lack is left out."""

import copy
import itertools
import re

import numpy as np
import pytest

from mixtura import exceptions
from mixtura.report import build_report, charts, groups, layout, words
from mixtura.report.results import SEGMENT_SCHEMA, Results
from mixtura.report.sections import (
    associations,
    certainty,
    data,
    heatmap,
    mission_map,
    missions,
    summary,
    timeline,
    trust,
)
from report.sample import bare_results, sample_results
from report.sample_both import AWKWARD
from report.test_report import Page


@pytest.fixture(scope="module")
def both():
    return sample_results(level="both")


@pytest.fixture(scope="module")
def results(both):
    return Results(*both)


@pytest.fixture(scope="module")
def page(both):
    return Page(build_report(*both))


def test_pages_of_both_levels_are_well_formed(both):
    before = copy.deepcopy(both)
    for levels in (both, (both[0], None), (None, both[1])):
        html = build_report(*levels)
        found = Page(html)
        assert len(found.ids) == len(set(found.ids))
        assert all(url.startswith("#") and url[1:] in found.ids for url in found.urls)
        assert len(html.encode()) < 8_000_000
        assert ("The missions" in found.text) == (levels[0] is not None)
        assert "None" not in found.text.replace("None of", "")
    assert both == before


def test_names_that_are_markup_or_formulas_are_text(page, both):
    markup = build_report(*both).split("<script>")[0]
    assert "<script>alert" not in markup
    for name in AWKWARD:
        assert name in page.text.replace("\xa0", " ")


def test_neither_level_is_refused_with_advice():
    with pytest.raises(
        exceptions.InvalidDataError, match=r"found neither, expected the content of missions\.json"
    ):
        build_report(None)
    with pytest.raises(
        exceptions.InvalidDataError, match=rf"segments\['schema'\]: found None, expected '{SEGMENT_SCHEMA}'"
    ):
        build_report(None, {})


def test_contradicting_segments_are_refused_with_the_place(both):
    broken = copy.deepcopy(both[1])
    broken["segments"][1]["profile"] = [1.0]
    with pytest.raises(
        exceptions.InvalidDataError, match=r"segments\['segments'\]\[1\]\['profile'\]: found 1 values"
    ):
        build_report(both[0], broken)
    broken["feature_share"] = []
    with pytest.raises(
        exceptions.InvalidDataError, match=r"segments\['feature_share'\]: found 0 values, expected 30"
    ):
        build_report(both[0], broken)


def test_older_missions_are_still_read():
    older = {**sample_results(3), "schema": "mixtura-missions/1"}
    assert "3 missions" in Page(build_report(older)).text


def test_summary_answers_every_question(results, both):
    found = dict(summary.context(results)["findings"])
    assert list(found) == ["The data", "Missions", "Segments", "Is it personal?", "How sure", "What changed"]
    largest = max(both[0]["missions"], key=lambda mission: mission["weight"])
    assert largest["name"] in found["Missions"].replace("\xa0", " ")
    assert "5 segments" in found["Segments"]
    assert "28 of 30 missions have stayed recognisable" in found["What changed"]
    assert "Charcoal and ice" in found["What changed"]
    assert len(dict(summary.context(Results(bare_results(2)))["findings"])) == 2


@pytest.mark.parametrize(
    ("agreement", "says"), [(0.9, "nearly"), (0.7, "largely"), (0.4, "partly"), (0.1, "different")]
)
def test_agreement_of_repeats_is_said_as_it_is(both, agreement, says):
    changed = copy.deepcopy(both[0])
    changed["stability"]["ari"]["mean"] = agreement
    assert says in trust.stability_sentence(Results(changed).mission_level)


def test_cards_have_every_figure(results, both):
    context = missions.context(results)
    for card, mission in zip(context["cards"], both[0]["missions"], strict=True):
        assert card["share_amount"] == mission["share_amount"]
        assert card["share_customers"] == mission["share_customers"]
        assert card["nearest"]["number"] == mission["nearest"]["number"] != card["number"]
        assert [entry["category"] for entry in card["avoided"]] == [
            results.label(entry["category"]) for entry in mission["avoided"][:4]
        ]
        for entry, known in zip(card["top"] + card["more"], mission["top"], strict=False):
            assert entry["range"] == words.lift_range(known["lift_low"], known["lift_high"])
            marks = entry["marks"]
            assert 0 <= marks["left"] <= marks["dot"] <= marks["left"] + marks["width"] + 0.11 <= 100.2
    assert [card["change"]["text"] for card in context["cards"] if card["change"]].count("new") == 2


def test_recovery_is_worded_by_its_share(both):
    changed = copy.deepcopy(both[0])
    changed["stability"]["items"] = [
        {"number": n, "recovered": share, "distance": 0.1, "distance_high": 0.2}
        for n, share in ((1, 0.95), (2, 0.7), (3, 0.2), (4, None))
    ]
    found = missions.recovery(Results(changed).mission_level)
    assert [entry["kind"] for entry in found.values()] == ["good", "fair", "poor"]
    assert found[3]["text"].replace("\xa0", " ") == "found again in 20 % of 20 repeats"


def test_cuts_are_nested_and_colours_stay(results):
    found = groups.cuts(results, results.mission_level)
    assert [cut.n for cut in found] == list(range(2, 31))
    for above, below in itertools.pairwise(found):
        assert len(set(below.colours)) == below.n
        for members in below.members():
            assert len({above.labels[k] for k in members}) == 1
        kept = set(above.colours) & set(below.colours)
        assert kept == set(above.colours)  # a split adds a colour and takes none away
    assert found[groups.opening(found)].n == 8


def test_group_description_adds_up(results, both):
    described = groups.zoom(results, groups.cuts(results, results.mission_level))
    for cut in described["cuts"]:
        total = sum(described["groups"][group]["weight"] for group in cut["groups"])
        assert total == pytest.approx(1.0, abs=1e-4)  # thirty weights rounded to six digits
    assert described["names"] == [results.label(mission["name"]) for mission in both[0]["missions"]]


def test_few_missions_and_missing_trees_are_not_grouped(both):
    few = sample_results(12, level="both")[0]
    assert groups.zoom(Results(few), groups.cuts(Results(few), Results(few).mission_level)) is None
    bare = {**both[0], "tree": None}
    assert groups.cuts(Results(bare), Results(bare).mission_level) == []
    assert 'id="zoom-missions"' not in build_report(bare)


def test_positions_keep_what_a_plane_can_keep():
    corner = np.random.default_rng(0).dirichlet(np.ones(3), size=12).tolist()
    places = layout.positions(corner)
    assert layout.error(corner, places) < 0.1  # the L1 plane is not quite Euclidean, so not zero
    assert places == layout.positions(corner)
    assert np.allclose(np.mean(places, axis=0), 0, atol=1e-9)  # centred up to rounding
    on_a_line = [[1 - t, t] for t in (0.0, 0.25, 0.5, 1.0)]
    line = layout.positions(on_a_line)
    assert layout.error(on_a_line, line) < 1e-6  # points on a line lose nothing
    assert max(abs(y) for _, y in line) < 1e-6
    assert layout.positions([[0.5, 0.5]]) == [(0.0, 0.0)]
    same = [[0.5, 0.5]] * 3
    assert layout.error(same, layout.positions(same)) == 0


def test_discs_are_moved_apart_and_no_further():
    rng = np.random.default_rng(2)
    points = [tuple(point) for point in rng.normal(0, 120, size=(50, 2))] + [(0.0, 0.0)] * 3
    sizes = rng.uniform(24, 50, size=53)
    moved = np.array(layout.apart(points, sizes))
    distance = np.linalg.norm(moved[:, None] - moved, axis=2) + 1e9 * np.eye(53)
    assert (distance > np.add.outer(sizes, sizes) / 2).all()
    free = [(0.0, 0.0), (100.0, 0.0)]
    assert np.allclose(
        layout.apart(free, [20.0, 30.0]), free, atol=0.01
    )  # but for the spiral of a thousandth


def test_map_of_missions_places_labels_without_overlap():
    rng = np.random.default_rng(1)
    points = [tuple(point) for point in rng.uniform(-400, 400, size=(40, 2)) * [1, 0.6]]
    sizes, texts = [30.0] * 40, ["A name of some length"] * 40
    placed = mission_map.place_labels(points, sizes, texts)
    assert 5 < len(placed) < 40
    boxes = [(points[k][0] + dx, points[k][1] + dy) for k, _, (dx, dy) in placed]
    for i, (x, y) in enumerate(boxes):
        assert not any(abs(x - a) < 120 and abs(y - b) < 14 for a, b in boxes[:i])


def test_pairs_can_be_narrowed_and_the_page_stays_small(both):
    many = copy.deepcopy(both[0])
    pair = many["associations"][0]
    many["associations"] = [{**pair, "mission": k % 31, "lift": 1 + k / 1000} for k in range(31 * 200)]
    found = associations.context(Results(many))
    assert len(found["rows"]) <= 1500
    assert len(found["options"]) == 31
    assert found["options"][0] == (0, "All baskets")
    of_first = [row["lift"] for row in found["rows"] if row["mission"] == 0]
    assert of_first[0] == max(entry["lift"] for entry in many["associations"] if entry["mission"] == 0)


def test_timeline_tells_season_from_noise(results, both):
    found = timeline.context(results)
    assert "frozen pizza" in "".join(found["risen"])
    shares = np.array(both[0]["timeline"]["shares"])
    layers = found["chart"].data
    assert np.allclose(
        np.sum([trace["y"] for trace in layers], axis=0), shares.sum(axis=1), atol=1e-3
    )  # rounded
    quiet = copy.deepcopy(both[0])
    quiet["timeline"]["shares"] = [shares.mean(axis=0).tolist()] * 12
    still = timeline.context(Results(quiet))
    assert still["risen"] == still["fallen"] == []
    quiet["timeline"]["n_baskets"][-1] = 3
    assert timeline.context(Results(quiet))["left_out"] == "Dec 2017"
    assert len(timeline.context(Results(quiet))["periods"]) == 11
    quiet["timeline"] = None
    assert timeline.context(Results(quiet)) is None


def test_many_missions_without_a_tree_are_added_up_over_time(both):
    bare = {**both[0], "tree": None}
    layers = timeline.context(Results(bare))["chart"].data
    assert len(layers) == 13
    assert layers[-1]["name"] == "All others"


def test_rivals_are_reported_whoever_wins(both):
    verdict = trust.context(Results(*both))["verdict"]
    assert "No simpler rule foresees later baskets better" in verdict
    changed = copy.deepcopy(both[0])
    changed["rivals"][1].update(held_out=-27.0, difference=1.071, difference_se=0.01)
    assert "foreseen better by k-means on shares" in trust.context(Results(changed))["verdict"]
    changed["rivals"] = [row for row in changed["rivals"] if row["key"] in {"one", "mixtura"}]
    assert "better than each of the simpler rules" in trust.context(Results(changed))["verdict"]


def test_certainty_has_the_same_numbers_in_chart_and_table(results, both):
    found = certainty.context(results)
    counts = both[0]["certainty"]["histogram"]["counts"]
    assert sum(n for _, _, n, _ in found["bins"]) == sum(counts)
    assert list(found["chart"].data[0]["y"]) == charts.rounded([share for _, _, _, share in found["bins"]])


def test_data_names_what_is_counted(page, results):
    facts = dict(data.context(results)["facts"])
    assert facts["What is counted"].startswith("money")
    assert facts["Money column"] == "sales_value"
    assert re.fullmatch(r"[\d,]+", facts["Total spend"])
    assert "17 rare categories" in page.text


def test_sections_without_their_part_are_left_out():
    plain = Results(sample_results(12))
    for section in (associations, certainty, timeline, trust):
        assert section.context(plain) is None
    for section in (missions, heatmap, mission_map):
        assert section.context(Results(None, sample_results(level="both")[1])) is None
