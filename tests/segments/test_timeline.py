"""Shares by period and flows between halves, against loops."""

from collections import Counter

import numpy as np
import pytest
from scipy import sparse

from mixtura import exceptions
from mixtura.segments.timeline import flows, periods, timeline


def days(*texts):
    return np.array(texts, dtype="datetime64[us]")


@pytest.mark.parametrize(
    ("first", "n_days", "unit", "labels"),
    [
        ("2017-01-15T23:59", 350, "month", ["2017-01", "2017-02", "2017-12"]),
        ("2016-11-30", 121, "month", ["2016-11", "2016-12", "2017-03"]),
        # 2017-01-01 was a Sunday: its week began on the Monday before.
        ("2017-01-01", 60, "week", ["2016-12-26", "2017-01-02", "2017-02-27"]),
        ("1969-12-28", 30, "week", ["1969-12-22", "1969-12-29", "1970-01-26"]),
        ("2017-02-27", 20, "day", ["2017-02-27", "2017-02-28", "2017-03-18"]),
    ],
)
def test_units_of_time(first, n_days, unit, labels):
    times = np.datetime64(first, "us") + np.arange(n_days) * np.timedelta64(1, "D")
    index, found, found_unit = periods(times)
    assert (found_unit, [*found[:2], found[-1]]) == (unit, labels)
    assert len(found) == index.max() + 1
    for time, k in zip(times[::7], index[::7], strict=True):
        if unit == "month":
            assert str(time).startswith(found[k])
        else:
            length = np.timedelta64(7 if unit == "week" else 1, "D")
            assert np.datetime64(found[k]) <= time < np.datetime64(found[k]) + length


def test_numbers_are_cut_into_about_ten():
    times = np.arange(1, 366)
    index, labels, unit = periods(times)
    assert unit == "number"
    assert (len(labels), labels[0], labels[-1]) == (10, "1 to 37", "330 to 365")
    for time, k in zip(times, index, strict=True):
        first, last = map(int, labels[k].split(" to "))
        assert first <= time <= last
    assert max(Counter(index.tolist()).values()) - min(Counter(index.tolist()).values()) <= 1
    assert periods([3, 1, 3])[:2][1] == ["1", "2", "3"]
    index, labels, _ = periods([0.0, 0.55, 1.0])
    assert (index.tolist(), labels[5], len(labels)) == ([0, 5, 9], "0.5 to 0.6", 10)


def test_shares_are_means_of_probabilities(rng):
    times = np.datetime64("2017-01-01", "us") + rng.integers(0, 300, 200) * np.timedelta64(1, "D")
    times[0] = np.datetime64("2016-09-15")  # and then months without a visit
    resp = rng.dirichlet([1, 1, 1], size=200)
    found = timeline(times, (resp[start : start + 33] for start in range(0, 200, 33)))
    assert found["unit"] == "month"
    assert found["periods"][:4] == ["2016-09", "2016-10", "2016-11", "2016-12"]
    for period, n, shares in zip(found["periods"], found["n_baskets"], found["shares"], strict=True):
        mine = resp[[str(time).startswith(period) for time in times]]
        assert n == len(mine)
        if n:
            np.testing.assert_allclose(shares, mine.mean(axis=0))
        else:
            assert shares == [None] * 3


def test_one_period_is_no_timeline():
    assert timeline(days("2017-01-01", "2017-01-01"), [np.eye(2)]) is None
    assert timeline([7, 7], [np.eye(2)]) is None


@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_flows_count_customers_of_both_halves(rng, kind):
    times = np.sort(rng.uniform(0, 100, 300))
    customers = rng.choice([f"customer {c}" for c in range(80)], 300)
    resp = rng.dirichlet([0.3, 0.3, 0.3], size=300)
    parts = [resp[:100], resp[100:250], resp[250:]]
    if kind == "sparse":
        parts = [sparse.csr_array(part) for part in parts]
    names = ["A", "B", "C"]
    found = flows(times, customers, parts, lambda counts: np.asarray(counts.argmax(axis=1)).ravel(), names)
    middle = (times[0] + times[-1]) / 2
    expected = np.zeros((3, 3), dtype=int)
    for customer in set(customers):
        halves = [resp[(customers == customer) & side] for side in (times <= middle, times > middle)]
        if all(map(len, halves)):
            first, second = (half.sum(axis=0).argmax() for half in halves)
            expected[first, second] += 1
    assert found["counts"] == expected.tolist()
    assert found["n_same"] == np.trace(expected)
    assert found["names"] == names


def test_halves_are_labelled_with_their_dates():
    times = days("2017-01-01T08:00", "2017-03-01", "2017-12-01", "2017-12-31T23:00")
    found = flows(times, [1, 2, 1, 2], [np.ones((4, 1))], lambda counts: np.zeros(len(counts), int), ["all"])
    assert (found["from_label"], found["to_label"]) == (
        "2017-01-01 to 2017-03-01",
        "2017-12-01 to 2017-12-31",
    )
    assert found["counts"] == [[2]]


def test_no_customer_in_both_halves():
    for customers in ([1, 2], [1, 1]):
        found = flows(
            [1, 2], customers, [np.ones((2, 1))], lambda counts: np.zeros(len(counts), int), ["all"]
        )
        assert (found is None) == (customers == [1, 2])
    assert flows([1, 1], [1, 1], [np.ones((2, 1))], len, ["all"]) is None


@pytest.mark.parametrize(
    ("times", "words"),
    [
        ([], "shape .0,."),
        (["monday"], "Expected one time or number per basket"),
        ([[1.0]], "shape .1, 1."),
        ([1.0, np.nan], "1 of 2 are missing, the first in row 1"),
        (days("2017-01-01", "NaT"), "1 of 2 are missing"),
    ],
)
def test_times_that_are_none(times, words):
    with pytest.raises(exceptions.InvalidDataError, match=words):
        periods(times)


def test_blocks_that_do_not_fit():
    for blocks, words in (
        ([np.eye(2)], "hold 2 baskets, but there are 3 times"),
        ([np.eye(2), np.eye(2)], "hold 4 baskets"),
        ([], "hold 0 baskets"),
        ([np.eye(2), np.ones((1, 3))], r"shape \(1, 3\)\. Expected blocks with the same columns"),
        ([np.ones(3)], r"shape \(3,\)"),
    ):
        with pytest.raises(exceptions.InvalidDataError, match=words):
            timeline([1, 2, 3], blocks)


def test_classifiers_that_do_not_fit():
    shop = {"times": [1, 9], "customers": ["Ann", "Ann"], "blocks": [np.ones((2, 1))], "names": ["all"]}
    for labels in ([1], [-1], [0.5], [0, 0]):
        with pytest.raises(exceptions.InvalidDataError, match="Expected 1 whole numbers from 0 to 0"):
            flows(**shop, classify=lambda _, labels=labels: np.array(labels))
    with pytest.raises(exceptions.InvalidDataError, match="3 customers for 2 baskets"):
        flows(**(shop | {"customers": [1, 2, 3]}), classify=len)
