"""Stability: true missions are found again, invented ones are not, and Ctrl-C keeps what there is."""

import signal

import numpy as np
import pytest
from scipy import sparse

from mixtura.exceptions import InvalidParameterError
from mixtura.models import DirichletMultinomialMixture, MultinomialMixture
from mixtura.segments.stability import STARTS, matched_distances, stability
from segments.trust import make_baskets


@pytest.fixture(scope="module")
def shop():
    counts, customers, _ = make_baskets(n_customers=60, n_baskets=800)
    return counts, customers, MultinomialMixture(3, random_state=0).fit(counts)


@pytest.mark.parametrize("start", STARTS)
def test_true_missions_are_found_again(shop, start):
    counts, customers, model = shop
    found = stability(model, counts, customers, n_replicates=3, start=start)
    assert found["n_replicates"] == 3
    assert found["start"] == STARTS[start]
    assert found["ari"]["low"] > 0.85
    assert found["ari"]["low"] <= found["ari"]["mean"] <= found["ari"]["high"] <= 1
    assert [item["number"] for item in found["items"]] == [1, 2, 3]
    for item in found["items"]:
        assert item["recovered"] == 1
        assert 0 < item["distance"] <= item["distance_high"] < 0.3


def test_more_missions_than_there_are_do_not_come_again(shop):
    counts, customers, model = shop
    many = MultinomialMixture(9, random_state=0).fit(counts)
    found = stability(many, counts, customers, n_replicates=4)
    true = stability(model, counts, customers, n_replicates=4)
    assert found["ari"]["high"] < true["ari"]["low"]
    distance = np.mean([item["distance"] for item in found["items"]])
    assert distance > 2 * max(item["distance"] for item in true["items"])


def test_a_start_at_the_result_hides_other_optima(shop):
    counts, customers, _ = shop
    many = MultinomialMixture(9, random_state=0).fit(counts)
    warm = stability(many, counts, customers, n_replicates=4, start="warm")
    fresh = stability(many, counts, customers, n_replicates=4, start="fresh")
    assert warm["ari"]["mean"] > fresh["ari"]["mean"]


def test_customers_are_drawn_whole():
    # Two kinds of baskets; the second kind is bought by a single customer, so that a third of the samples lack it.
    counts = sparse.csr_array(np.repeat([[9, 1], [1, 9]], [90, 10], axis=0))
    customers = np.append(np.arange(90) % 30, np.repeat(99, 10))
    model = MultinomialMixture(2, random_state=0).fit(counts)
    found = stability(model, counts, customers, n_replicates=12)
    assert 0 < found["items"][int(model.profiles_[1, 1] > 0.5)]["recovered"] < 1
    rows = stability(model, counts, n_replicates=12)
    assert [item["recovered"] for item in rows["items"]] == [1, 1]


@pytest.mark.parametrize("start", STARTS)
def test_segments_of_customers(start):
    rng = np.random.default_rng(0)
    shares = np.repeat([[20.0, 4, 1], [1, 4, 20]], 30, axis=0)
    counts = (
        np.array([rng.dirichlet(row) for row in shares]) * rng.integers(5, 60, size=60)[:, None]
    )  # fractional
    model = DirichletMultinomialMixture(2, random_state=0).fit(counts)
    found = stability(model, counts, n_replicates=3, start=start, n_starts=2)
    assert found["ari"]["low"] > 0.9
    assert [item["recovered"] for item in found["items"]] == [1, 1]
    assert ("the best of 2" in found["start"]) == (start != "warm")


def test_the_same_seed_gives_the_same(shop):
    counts, customers, model = shop
    again = [stability(model, counts, customers, n_replicates=2, seed=5) for _ in range(2)]
    assert again[0] == again[1] != stability(model, counts, customers, n_replicates=2, seed=6)


def test_the_model_is_left_as_it_was(shop):
    counts, customers, model = shop
    before = model.get_params(), model.profiles_.copy()
    stability(model, counts, customers, n_replicates=1, start="warm")
    assert model.get_params() == before[0]
    np.testing.assert_array_equal(model.profiles_, before[1])


def test_a_part_of_the_customers_where_there_are_many(shop):
    counts, customers, model = shop
    found = stability(model, counts, customers, n_replicates=2, most_rows=400)
    assert "of the 60 customers, drawn at random" in found["start"]
    assert found["ari"]["low"] > 0.8


def test_partners_are_unique_and_none_is_invented():
    profiles = np.eye(3)
    np.testing.assert_allclose(matched_distances(profiles, profiles[[2, 0, 1]]), 0)
    np.testing.assert_allclose(matched_distances(profiles, profiles[:2]), [0, 0, 2])
    np.testing.assert_allclose(matched_distances(profiles[:2], profiles), 0)


def test_edges(shop):
    counts, customers, model = shop
    assert stability(model, counts, np.repeat("c", len(customers))) is None
    assert stability(model, counts, customers, n_replicates=0) is None
    one = stability(MultinomialMixture(1).fit(counts), counts, customers, n_replicates=2)
    assert one["ari"]["mean"] == one["items"][0]["recovered"] == 1
    # Three baskets of two customers: a sample of one customer twice has fewer baskets than missions.
    few = sparse.csr_array(np.array([[5, 0, 0], [0, 5, 0], [0, 0, 5]]))
    tiny = stability(MultinomialMixture(3, random_state=0).fit(few), few, np.array([1, 1, 2]), n_replicates=8)
    assert tiny["ari"]["low"] == 0
    assert tiny["items"][0]["distance_high"] == 2


def test_an_unknown_start_is_refused(shop):
    counts, customers, model = shop
    with pytest.raises(InvalidParameterError, match=r"start='warn'.*warm"):
        stability(model, counts, customers, start="warn")


@pytest.mark.parametrize(("at", "n_replicates"), [(0, None), (2, 2)])
def test_ctrl_c_keeps_the_replicates_so_far(shop, at, n_replicates):
    counts, customers, model = shop
    heard = []

    def report(stage, done, total, text):
        heard.append((stage, done, total))
        if (
            done == at
            and not any(one[1] > at for one in heard)
            and len([1 for one in heard if one[1] == at]) == 1
        ):
            signal.raise_signal(signal.SIGINT)

    found = stability(model, counts, customers, n_replicates=5, report=report)
    assert heard[0] == ("stability", 0, 5)
    if n_replicates is None:
        assert found is None
    else:
        assert found["n_replicates"] == n_replicates
