"""Pairs: lifts as counted by hand, true pairs found within a mission, errors of the bootstrap, edges."""

from itertools import combinations

import numpy as np
import pytest
from scipy import sparse

from mixtura.segments import associations as module
from mixtura.segments.associations import associations
from segments.shop import CATEGORIES
from segments.trust import make_baskets, soft


def with_a_pair(n_baskets=1500, seed=0):
    """In mission 1 bread goes with milk and only there; the wipes of mission 3 go with nothing."""
    counts, customers, missions = make_baskets(n_customers=100, n_baskets=n_baskets, seed=seed)
    dense = counts.toarray()
    first = np.flatnonzero(missions == 0)
    dense[first, 1] = dense[first, 0]
    return sparse.csr_array(dense), customers, missions


def found_in(counts, customers, resp, **options):
    return associations(counts, customers, lambda rows: resp[rows], CATEGORIES, **options)


def by_hand(counts, weight, a, b):
    present = counts.toarray() > 0
    n_a, n_b = weight @ present[:, a], weight @ present[:, b]
    n_ab = weight @ (present[:, a] & present[:, b])
    return n_ab, n_ab * weight.sum() / (n_a * n_b)


def test_lifts_are_those_counted_by_hand():
    counts, customers, missions = with_a_pair()
    resp = soft(missions)
    pairs = found_in(counts, customers, resp)
    assert {pair["mission"] for pair in pairs} >= {0, 1}
    for pair in pairs:
        weight = np.ones(len(missions)) if pair["mission"] == 0 else resp[:, pair["mission"] - 1]
        a, b = CATEGORIES.index(pair["a"]), CATEGORIES.index(pair["b"])
        n_ab, lift = by_hand(counts, weight, a, b)
        assert pair["n_baskets"] == round(n_ab) >= 20
        assert pair["lift"] == pytest.approx(lift)
        assert 1 < pair["lift_low"] < pair["lift"] < pair["lift_high"]
        assert (counts[:, [a]] > 0).sum() >= (counts[:, [b]] > 0).sum()


def test_no_pair_of_higher_lift_is_left_out():
    counts, customers, missions = with_a_pair()
    pairs = [pair for pair in found_in(counts, customers, soft(missions)) if pair["mission"] == 0]
    lifts = [pair["lift"] for pair in pairs]
    assert lifts == sorted(lifts, reverse=True)
    shown = {frozenset((pair["a"], pair["b"])) for pair in pairs}
    for a, b in combinations(range(9), 2):
        n_ab, lift = by_hand(counts, np.ones(len(missions)), a, b)
        if n_ab >= 20 and lift > 1.2 and frozenset((CATEGORIES[a], CATEGORIES[b])) not in shown:
            pytest.fail(f"{CATEGORIES[a]} and {CATEGORIES[b]} have a lift of {lift} in {n_ab} baskets")


def test_the_pair_of_one_mission_is_found_there():
    counts, customers, missions = with_a_pair()
    pairs = found_in(counts, customers, soft(missions, certainty=0.98), n_per_mission=1)
    first = next(pair for pair in pairs if pair["mission"] == 1)
    assert {first["a"], first["b"]} == {"MILK", "BREAD"}
    assert first["lift"] > 1.2  # of at most 1.27: four in five of these baskets hold milk
    # Elsewhere the categories of a basket are independent draws: nothing stands out as much.
    assert all(
        pair["lift"] < first["lift"] for pair in pairs if pair["mission"] > 1 and pair["n_baskets"] > 50
    )


def test_the_error_is_that_of_a_bootstrap_over_customers():
    counts, customers, missions = with_a_pair()
    pair = next(pair for pair in found_in(counts, customers, soft(missions)) if pair["mission"] == 0)
    a, b = CATEGORIES.index(pair["a"]), CATEGORIES.index(pair["b"])
    _, index = np.unique(customers, return_inverse=True)
    rng = np.random.default_rng(1)
    lifts = []
    for _ in range(500):
        weight = np.bincount(rng.integers(index.max() + 1, size=index.max() + 1), minlength=index.max() + 1)
        lifts.append(by_hand(counts, weight[index].astype(float), a, b)[1])
    error = (
        np.log(pair["lift_high"] / pair["lift_low"]) / 2 / 1.984
    )  # Student's quantile for a hundred customers
    assert error == pytest.approx(np.log(lifts).std(), rel=0.15)  # 500 samples: 3 %; the rest is curvature


def test_few_categories_and_few_pairs_at_once(monkeypatch):
    counts, customers, missions = with_a_pair()
    whole = found_in(counts, customers, soft(missions))
    monkeypatch.setattr(module, "PAIRS_AT_ONCE", 7)
    monkeypatch.setattr(module, "ROWS", 100)
    for one, other in zip(found_in(counts, customers, soft(missions)), whole, strict=True):
        assert one == pytest.approx(other)
    held = np.asarray((counts > 0).sum(axis=0)).ravel()
    frequent = {CATEGORIES[c] for c in np.argsort(-held)[:4]}
    some = found_in(counts, customers, soft(missions), most_categories=4)
    assert some
    assert {pair["a"] for pair in some} | {pair["b"] for pair in some} <= frequent


def test_a_part_of_the_customers_where_there_is_too_much(monkeypatch):
    counts, customers, missions = with_a_pair(n_baskets=4000)
    whole = {(p["mission"], p["a"], p["b"]): p for p in found_in(counts, customers, soft(missions))}
    monkeypatch.setattr(module, "MOST_PAIRS", 5000)
    some = found_in(counts, customers, soft(missions))
    again = [(whole[key], p) for p in some if (key := (p["mission"], p["a"], p["b"])) in whole]
    assert len(again) > 3
    width = [
        [np.log(pair["lift_high"] / pair["lift_low"]) for pair in pairs] for pairs in zip(*again, strict=True)
    ]
    assert np.mean(width[1]) > 1.1 * np.mean(width[0])  # less is known
    for full, part in again:
        assert part["lift_low"] < full["lift"] < part["lift_high"]
        assert part["n_baskets"] == pytest.approx(full["n_baskets"], rel=0.4)


@pytest.mark.filterwarnings("error")
def test_edges():
    counts, customers, missions = with_a_pair()
    alone = found_in(counts, np.repeat("c", len(missions)), soft(missions))
    assert alone
    assert all(pair["lift_low"] is pair["lift_high"] is None for pair in alone)
    one = found_in(counts, customers, np.ones((len(missions), 1)))
    assert {pair["mission"] for pair in one} == {0, 1}
    assert one[0]["lift"] == pytest.approx(next(pair["lift"] for pair in one if pair["mission"] == 1))
    empty = found_in(counts, customers, np.pad(soft(missions), ((0, 0), (0, 1))))
    assert {pair["mission"] for pair in empty} <= {0, 1, 2, 3}
    single = sparse.csr_array(
        np.eye(9)[missions]
    )  # one category a basket: no pairs, and most categories never bought
    assert found_in(single, customers, soft(missions)) == []
    assert found_in(counts[:1], customers[:1], np.ones((1, 1))) == []
