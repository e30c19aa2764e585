"""Lifts, names and comparisons against loops over the definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from mixtura.segments import naming
from mixtura.segments.evaluation import clustered_mean, household_shares, profile_distances

NAMES = ["MILK", "BEER", "CRISPS", "Tea"]


def content(lines):
    lines = np.asarray(lines, dtype=float)
    return naming.Content(np.ones(len(lines)), lines, lines)


def test_content_is_the_weighted_sum(rng):
    counts = sparse.csr_array(rng.poisson(0.7, (50, 4)))
    resp = rng.dirichlet([1, 1, 1], size=50)
    found = naming.content(counts, resp)
    lines = np.zeros((3, 4))
    containing = np.zeros((3, 4))
    for row, weight in zip(counts.toarray(), resp, strict=True):
        lines += np.outer(weight, row)
        containing += np.outer(weight, row > 0)
    np.testing.assert_allclose(found.lines, lines)
    np.testing.assert_allclose(found.containing, containing)
    np.testing.assert_allclose(found.baskets, resp.sum(axis=0))


@given(st.integers(1, 5), st.integers(1, 5))
def test_lifts_average_to_one(k, c):
    lines = np.random.default_rng(k * 10 + c).gamma(1.0, size=(k, c))
    lift = naming.lifts(lines)
    share = lines.sum(axis=1) / lines.sum()
    np.testing.assert_allclose(share @ lift, 1.0)


def test_lift_of_what_nobody_bought_is_zero():
    assert naming.lifts(np.array([[1.0, 0.0], [2.0, 0.0]]))[:, 1].tolist() == [0.0, 0.0]


def test_names_need_support_and_lift():
    # Tea has the highest lift, on three lines of 903; it names nothing.
    names = naming.names(content([[300, 300, 300, 3], [900, 100, 100, 0]]), NAMES)
    assert names == ["Beer + crisps", "Only milk"]


def test_names_of_missions_without_a_profile_and_of_the_same():
    even = naming.names(content([[100, 100, 100, 100]] * 3), NAMES)
    assert even == ["A bit of everything", "A bit of everything (2)", "A bit of everything (3)"]


def test_names_that_would_be_the_same_get_longer():
    same = [[500, 400, 200, 100], [5, 4, 2, 1], [100, 900, 800, 700], [100, 900, 800, 690]]
    names = naming.names(content(same), NAMES)
    assert len(set(names)) == 4


def test_the_case_of_names_is_that_of_a_sentence():
    names = naming.names(
        content([[0, 0, 300, 300], [300, 300, 0, 0]]), ["MILK", "BEER/ALES", "iPhone cases", "Tea"]
    )
    assert names == ["IPhone cases + Tea", "Milk + beer/ales"]


def test_top_is_sorted_by_lift_with_support():
    first = naming.top(content([[300, 300, 300, 3], [900, 100, 100, 0]]), NAMES)[0]
    assert [entry["category"] for entry in first] == ["BEER", "CRISPS", "MILK"]
    assert first[0]["support"] == 300


def test_a_mission_without_support_shows_what_there_is():
    tiny = naming.top(content([[1e4, 1e4, 1e4, 1e4], [0.0, 0.0, 0.0, 2.0]]), NAMES)[1]
    assert [(entry["category"], entry["support"]) for entry in tiny] == [("Tea", 2)]


def test_standard_error_with_one_basket_per_household_is_the_usual_one(rng):
    values = rng.normal(size=40)
    mean, error = clustered_mean(values, np.arange(40))
    assert mean == pytest.approx(values.mean())
    assert error == pytest.approx(values.std(ddof=1) / np.sqrt(40))


def test_standard_error_does_not_believe_copies(rng):
    values, groups = rng.normal(size=40), np.arange(40)
    once = clustered_mean(values, groups)[1]
    assert clustered_mean(np.repeat(values, 5), np.repeat(groups, 5))[1] == pytest.approx(once)
    assert np.isnan(clustered_mean(values, np.zeros(40))[1])


def test_household_shares(rng):
    counts = rng.poisson(1.0, (30, 4)) + 1
    owners = rng.choice(["a", "b", "c"], size=30)
    households, shares = household_shares(sparse.csr_array(counts), owners)
    for household, share in zip(households, shares, strict=True):
        bought = counts[owners == household].sum(axis=0)
        np.testing.assert_allclose(share, bought / bought.sum())


def test_distances_are_between_zero_and_two(rng):
    one, other = rng.dirichlet(np.ones(5), size=(2, 100))
    distance = profile_distances(one, other)
    assert ((distance >= 0) & (distance <= 2)).all()
    np.testing.assert_allclose(profile_distances(one, one), 0)
