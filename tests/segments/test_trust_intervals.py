"""Intervals for lifts: the error equals the plain sum and the bootstrap's, and covers the truth also where lines are few."""

import numpy as np
import pytest
from scipy import sparse

from mixtura.segments import naming
from mixtura.segments.intervals import blocks_of_customers, lift_interval, lift_moments, log_lift_error
from segments.shop import CATEGORIES, PROFILES
from segments.trust import make_baskets, soft


def per_customer(counts, customers, resp):
    """Expected lines of each customer, mission and category, shape (H, K, C)."""
    counts = counts.toarray()
    labels = np.unique(customers)
    return np.array([resp[customers == label].T @ counts[customers == label] for label in labels])


def log_lift(lines):
    """Of lines (..., K, C)."""
    size, overall = lines.sum(axis=-1, keepdims=True), lines.sum(axis=-2, keepdims=True)
    return np.log(lines / size / (overall / lines.sum(axis=(-2, -1), keepdims=True)))


def test_the_error_is_the_sum_of_squared_influences():
    counts, customers, missions = make_baskets()
    resp = soft(missions)
    lines = per_customer(counts, customers, resp)
    n_customers, total = len(lines), lines.sum(axis=0)
    influence = (
        lines / total
        - lines.sum(axis=2, keepdims=True) / total.sum(axis=1, keepdims=True)
        - lines.sum(axis=1, keepdims=True) / total.sum(axis=0)
        + lines.sum(axis=(1, 2), keepdims=True) / total.sum()
    )
    expected = np.sqrt(n_customers / (n_customers - 1) * (influence**2).sum(axis=0))
    np.testing.assert_allclose(log_lift_error(lift_moments(counts, resp, customers)), expected, rtol=1e-9)


def test_the_error_is_that_of_a_bootstrap_over_customers():
    counts, customers, missions = make_baskets(n_customers=150, n_baskets=3000)
    resp = soft(missions)
    lines = per_customer(counts, customers, resp)
    rng = np.random.default_rng(1)
    weight = rng.multinomial(len(lines), np.full(len(lines), 1 / len(lines)), size=1000)
    drawn = np.einsum("rh,hkc->rkc", weight, lines)
    error = log_lift_error(lift_moments(counts, resp, customers))
    # A thousand samples give a standard deviation to 2 %; the rest is the curvature that linearising leaves out.
    np.testing.assert_allclose(error, log_lift(drawn).std(axis=0), rtol=0.12)
    # Baskets taken for independent would look surer than they are.
    assert np.median(log_lift_error(lift_moments(counts, resp)) / error) < 0.9


def test_the_interval_covers_the_truth_also_of_rare_categories():
    profiles = np.hstack([PROFILES * 0.99, np.array([[0.0095], [0.0005], [0.0]])])
    profiles[:, 0] += 1 - profiles.sum(axis=1)
    big, _, missions = make_baskets(n_customers=4000, n_baskets=40_000, profiles=profiles, seed=5)
    truth = np.exp(log_lift(np.maximum(lift_moments(big, np.eye(3)[missions]).lines, 1e-9)))
    inside = []
    for seed in range(60):
        counts, customers, missions = make_baskets(
            seed=seed, n_customers=80, n_baskets=800, profiles=profiles
        )
        low, high = lift_interval(lift_moments(counts, np.eye(3)[missions], customers))
        inside.append((low <= truth) & (truth <= high))
    covered = np.mean(inside, axis=0)
    assert 0.9 < covered.mean() < 0.99
    assert (
        covered.min() > 0.8
    )  # 60 samples: a coverage of 0.95 is known to 0.03, of 30 cells the lowest to 0.1


def test_blocks_of_customers_add_up():
    counts, customers, missions = make_baskets()
    resp = soft(missions)
    whole = naming.content(counts, resp, customers)
    parts = None
    seen = []
    for rows in blocks_of_customers(customers, 50):
        assert len(rows) <= 50
        seen.extend(rows)
        part = naming.content(counts[rows], resp[rows], customers[rows])
        parts = part if parts is None else parts + part
    assert sorted(seen) == list(range(len(customers)))
    for name in ("baskets", "lines", "containing"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name))
    for one, other in zip(lift_interval(parts.moments), lift_interval(whole.moments), strict=True):
        np.testing.assert_allclose(one, other)


def test_a_customer_larger_than_a_block_is_cut():
    blocks = list(blocks_of_customers(np.array(["a", "b", "b", "b", "b", "b", "c"]), 2))
    assert [rows.tolist() for rows in blocks] == [[0], [1, 2], [3, 4], [5, 6]]
    assert list(blocks_of_customers(np.array([]), 2)) == []


def test_top_shows_the_interval_around_the_lift():
    counts, customers, missions = make_baskets()
    found = naming.content(counts, soft(missions), customers)
    for entries in naming.top(found, CATEGORIES):
        assert entries[0]["lift_low"] > 1
        for entry in entries:
            assert 0 <= entry["lift_low"] < entry["lift"] < entry["lift_high"]


def test_what_is_avoided_is_common_and_rare_here():
    counts, customers, missions = make_baskets()
    found = naming.content(counts, soft(missions), customers)
    own = [set(CATEGORIES[3 * k : 3 * k + 3]) for k in range(3)]
    for k, entries in enumerate(naming.avoided(found, CATEGORIES)):
        assert entries
        assert not {entry["category"] for entry in entries} & own[k]
        assert [entry["lift"] for entry in entries] == sorted(entry["lift"] for entry in entries)
        assert all(0 <= entry["lift_low"] <= entry["lift"] <= entry["lift_high"] < 1 for entry in entries)


def test_a_category_that_a_mission_never_holds():
    # 40 customers buy a and b in the first mission, a alone in the second; nobody buys d.
    rows = np.array([[5, 5, 0], [9, 0, 0]] * 40)
    moments = lift_moments(sparse.csr_array(rows), np.tile(np.eye(2), (40, 1)), np.repeat(np.arange(40), 2))
    low, high = lift_interval(moments)
    assert low[1, 1] == 0
    # 3.7 baskets of five lines each: of 360 lines, against 200 of 760 overall
    assert high[1, 1] == pytest.approx(3.689 * 5 / 360 / (200 / 760), rel=1e-3)
    assert np.isnan(low[:, 2]).all()
    assert np.isnan(high[:, 2]).all()


@pytest.mark.filterwarnings("error")
def test_edges_say_unknown_and_never_negative():
    counts, customers, missions = make_baskets()
    # One customer: nothing is known about others.
    alone = naming.content(counts, soft(missions), np.repeat("c", len(customers)))
    assert all(entry["lift_low"] is None for entries in naming.top(alone, CATEGORIES) for entry in entries)
    assert naming.avoided(alone, CATEGORIES) == [[], [], []]
    # The same where the customers are not known.
    bare = naming.Content(alone.baskets, alone.lines, alone.containing)
    assert (bare + bare).moments is (bare + alone).moments is None
    assert naming.top(bare, CATEGORIES) == naming.top(alone, CATEGORIES)
    # One mission: every lift is 1, and surely so where there are lines enough.
    one = naming.content(counts, np.ones((len(customers), 1)), customers)
    low, high = lift_interval(one.moments)
    np.testing.assert_allclose([low, high], 1, atol=1e-6)
    assert naming.avoided(one, CATEGORIES) == [[]]
    # A mission without baskets has no lifts.
    empty = naming.content(counts, np.pad(soft(missions), ((0, 0), (0, 1))), customers)
    low, high = lift_interval(empty.moments)
    assert np.isnan(low[3]).all()
    assert naming.top(empty, CATEGORIES)[3] == naming.avoided(empty, CATEGORIES)[3] == []
    assert (low[:3] >= 0).all()


def test_segments_of_customers_use_the_same():
    rng = np.random.default_rng(0)
    counts = rng.dirichlet([4.0, 1.0, 1.0], size=40) * 30  # fractional, dense
    counts[20:] = counts[20:, ::-1]
    found = naming.content(counts, np.repeat(np.eye(2), 20, axis=0))
    first = naming.top(found, ["quick", "weekly", "party"])
    assert first[0][0]["category"] == "quick"
    assert first[0][0]["lift_low"] > 1
    assert naming.avoided(found, ["quick", "weekly", "party"])[1][0]["category"] == "quick"
    np.testing.assert_allclose(found.lines.sum(), 40 * 30)
