"""The sections about customers: what segments.json says is what a manager reads, and nothing more."""

import copy
import json
import re

import numpy as np
import pytest

from mixtura.report import build_report, charts
from mixtura.report.results import Results
from mixtura.report.sections import (
    certainty_of_segments,
    customers,
    demographics,
    features,
    flows,
    refresh,
    segment_map,
    segments,
)
from report.sample import bare_results, sample_results
from report.sample_both import AWKWARD
from report.test_report import Page

SECTIONS = (segments, segment_map, flows, demographics, customers, certainty_of_segments, refresh)


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


@pytest.fixture(scope="module")
def page(both):
    return Page(build_report(*both))


def over_categories(both):
    """The same segments learnt from categories, without missions."""
    missions, found = copy.deepcopy(both)
    basis = np.array([mission["profile"] for mission in missions["missions"]])
    found.update(over="categories", features=found["categories"], feature_share=found["category_share"])
    for segment in found["segments"]:
        mix = np.array(segment["profile"]) @ basis
        segment["profile"] = (mix / mix.sum()).tolist()
        segment["top"] = [{**entry, "feature": entry["category"]} for entry in segment["top_categories"]]
        segment["name"] = segment["top"][0]["feature"]
        for entry in (*segment["nearest"]["more"], *segment["nearest"]["less"]):
            entry["feature"] = found["categories"][7]
    for one in found["customers"]["sample"]:
        for key in ("shares", "expected"):
            one[key] = (np.array(one[key]) @ basis).tolist()
        one["visits"] = [[time, None, None] for time, _, _ in one["visits"]]
    return found


def view(page):
    """The data behind the customer view."""
    return json.loads(page.scripts["customer-data"][1])


def spaces(text):
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_without_segments_there_are_no_sections():
    found = Results(bare_results(3))
    assert [section.context(found) for section in SECTIONS] == [None] * len(SECTIONS)


@pytest.mark.parametrize(
    "part", ["timeline", "demographics", "customers", "certainty", "overdispersion", "stability"]
)
def test_what_was_not_computed_is_left_out(changed, part):
    changed[1][part] = None
    page = Page(build_report(*changed))
    gone = {"demographics": "demographics", "customers": "customers"}.get(part)
    assert gone not in page.ids or gone is None
    assert "None" not in page.text.replace("None of", "")


def test_all_optional_parts_may_be_missing_at_once(changed):
    optional = ("tree", "timeline", "stability", "certainty", "refresh", "flows", "demographics", "customers")
    for part in (*optional, "overdispersion"):
        changed[1][part] = None
    for segment in changed[1]["segments"]:
        for key in (
            "amount",
            "share_amount",
            "amount_per_customer",
            "certainty",
            "nearest",
            "previous",
            "avoided",
        ):
            segment[key] = None
        for entry in (*segment["top"], *segment["top_categories"]):
            entry["lift_low"] = entry["lift_high"] = None
    page = Page(build_report(*changed))
    assert {"segments", "segment-map", "segment-certainty"} <= set(page.ids)
    assert not {"segment-time", "demographics", "customers"} & set(page.ids)
    assert "None" not in page.text.replace("None of", "")
    assert (
        "Share of spend" not in page.text.split("The customer segments")[-1].split("Segments and missions")[0]
    )


@pytest.mark.parametrize("n_segments", [1, 2, 3, 12])
def test_any_number_of_segments_makes_a_whole_page(n_segments):
    page = Page(build_report(*sample_results(level="both", n_segments=n_segments, seed=1)))
    assert len(page.ids) == len(set(page.ids))
    assert sum(name.startswith("segment-") and name[8:].isdigit() for name in page.ids) == n_segments
    assert ("segment-plane" in page.charts()) == (n_segments > 2)
    assert ("segment-features" in page.charts()) == (n_segments > 1)
    assert ("single segment" in page.text) == (n_segments == 1)


def test_segments_of_categories_speak_of_categories(both):
    found = over_categories(both)
    context = segments.context(Results(None, found))
    assert context["noun"] == "category"
    assert all(card["buys"] == [] for card in context["cards"])  # what they buy is told once
    page = Page(build_report(None, found))
    assert "Segments and categories" in page.text
    assert "Buys more of" in page.text
    assert "spending in common" in spaces(page.text)
    assert "mission" not in " ".join(
        card["contrast"] for card in filter(None, (c["nearest"] for c in context["cards"]))
    )
    visits = view(page)["people"][0]
    assert visits["strips"] == ["Visits"]
    for value, unit in (("lines", "purchases"), ("quantity", "items bought"), ("amount", "spending")):
        found["data"]["value"] = value
        assert features.of_segments(Results(None, found)).unit == unit


def test_cards_show_what_stands_out_and_only_that(changed):
    entry = {"feature": "Nearly usual", "share": 0.1, "lift": 1.5, "lift_low": 0.9, "lift_high": 2.2}
    changed[1]["segments"][0]["top"] = [
        {**entry, "feature": "Clear", "lift": 3.0, "lift_low": 2.5, "lift_high": 3.6},
        entry,
        {**entry, "feature": "Little", "lift": 1.1, "lift_low": 1.05, "lift_high": 1.15},
        {**entry, "feature": "Unknown range", "lift_low": None, "lift_high": None},
    ]
    card = segments.context(Results(*changed))["cards"][0]
    assert [found["category"] for found in card["top"]] == ["Clear", "Unknown range"]
    assert [found["range"] for found in card["top"]] == ["2.5–3.6", None]


def test_the_richest_segment_for_its_size_is_named(changed):
    for segment, share in zip(changed[1]["segments"], (0.2, 0.1, 0.1, 0.1, 0.5), strict=True):
        segment.update(weight=0.2, share_amount=share)
    assert "Segment 5 “" in " ".join(segments.context(Results(*changed))["sentences"])


def test_the_nearest_segment_is_told_with_the_difference(changed):
    changed[1]["segments"][0]["nearest"] = {
        "number": 2,
        "distance": 0.5,
        "more": [{"feature": "Tea", "difference": 0.123}, {"feature": "Mate", "difference": 0.006}],
        "less": [{"feature": "Ale", "difference": -0.2}, {"feature": "Gin", "difference": -0.001}],
    }
    near = segments.context(Results(*changed))["cards"][0]["nearest"]
    assert near["number"] == 2
    assert spaces(near["common"]) == ", 75 % of visits in common"
    assert near["contrast"] == "Here more Tea (+12 points) and Mate (+0.6); less Ale (−20 points)."


def test_map_and_table_hold_the_profiles(results, both):
    found = segment_map.context(results)
    trace = found["heat"].data[0]
    profiles = np.array([segment["profile"] for segment in both[1]["segments"]])
    share = np.array(both[1]["feature_share"])
    rows = segment_map.rows_of_map(results, features.of_segments(results))
    lifts = (profiles / share)[:, rows].T
    np.testing.assert_allclose(  # colours are log2 of lifts, cut at 4 times and rounded to 2 digits
        np.array(trace["z"]), np.clip(np.log2(lifts), -2, 2), atol=0.0051
    )
    best = lifts.argmax(axis=1)
    assert list(best) == sorted(best)  # a diagonal: every segment's own missions stand together
    for (name, cells, overall), row in zip(found["rows"], rows, strict=True):
        assert name == results.label(both[1]["features"][row])
        assert [cell[0] for cell in cells] == [segment["profile"][row] for segment in both[1]["segments"]]
        assert overall == share[row]
    shown = [[int(text) if text else 0 for text in row] for row in trace["text"]]
    np.testing.assert_allclose(np.array(shown), 100 * profiles[:, rows].T, atol=0.51)  # whole percentages


def test_map_takes_the_features_that_tell_segments_apart(both):
    found = Results(None, over_categories(both))
    rows = segment_map.rows_of_map(found, features.of_segments(found), limit=5)
    profiles = np.array([segment["profile"] for segment in found.segments])
    spread = profiles.max(axis=0) - profiles.min(axis=0)  # share times spread of the lift
    assert set(rows) == set(np.argsort(-spread)[:5])


def test_what_segments_have_in_common_is_one_minus_half_the_distance(results, both):
    found = segment_map.context(results)
    profiles = np.array([segment["profile"] for segment in both[1]["segments"]])
    expected = 1 - np.abs(profiles[:, None] - profiles[None]).sum(axis=2) / 2
    np.testing.assert_allclose(found["common"], expected, atol=1e-12)  # the same sums, in another order
    off = [(expected[a, b], a, b) for a in range(5) for b in range(a + 1, 5)]
    _, a, b = max(off)
    assert f"Most alike are segments {a + 1} and {b + 1}, with {100 * max(off)[0]:.0f} %" in spaces(
        found["closest"]
    )


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.75, "of most customers is clear"),
        (0.5, "about half"),
        (0.65, "more than half"),
        (0.2, "stand between"),
    ],
)
def test_certainty_in_words(changed, share, words):
    changed[1]["certainty"].update(share_above_80=share, mean=0.8)
    sentence = certainty_of_segments.context(Results(*changed))["certainty"][0]
    assert words in sentence
    assert f"{100 * share:.0f} % belong to theirs with a probability above 80 % (on average 80 %)." in spaces(
        sentence
    )


@pytest.mark.parametrize(
    ("without", "tried", "says"),
    [
        (12, [1, 5, 12], "would ask for 12 or more segments instead of 5"),
        (8, [1, 5, 8, 12], "would ask for 8 segments instead of 5"),
        (5, [1, 5, 12], "finds 5 as well"),
        (3, [1, 3, 12], "would find 3 segments instead of 5"),
    ],
)
def test_why_habits_of_one_customer_matter(changed, without, tried, says):
    changed[1]["overdispersion"]["multinomial"] = {
        "n_components": without,
        "criteria": [{"n_components": n} for n in tried],
    }
    sentences = certainty_of_segments.context(Results(*changed))["overdispersion"]
    assert len(sentences) == 2
    assert "not 400 independent opinions" in sentences[0]
    assert says in sentences[1]


def test_names_that_are_markup_or_formulas_are_text(both, page):
    markup = build_report(*both).split("<script>")[0]
    assert "<script>alert" not in markup
    drawn = page.charts()
    nasty = AWKWARD[0]
    for name in ("segment-features", "segment-flows", "segment-months", "segment-plane"):
        assert nasty not in str(drawn[name])
    assert charts.plain(nasty) in str(drawn["segment-features"])
    names = {entry[0] for person in view(page)["people"] for entry in person["bars"]}
    assert any(nasty in name for name in names)  # raw there: the page writes it as text
    assert not re.search(r"\{\{|\{%", page.text)


def test_every_chart_of_the_segments_is_described_and_named_once(both):
    html = build_report(*both)
    names = re.findall(r'data-spec="spec-([^"]+)"', html)
    assert len(names) == len(set(names))
    ours = {name for name in names if name.startswith(("segment-", "customer-"))}
    assert len(ours) >= 8
    for name in ours:
        assert re.search(rf'aria-label="[^"]{{30,}}" data-spec="spec-{name}"', html)
