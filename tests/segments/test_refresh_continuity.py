"""Numbers and names after a refresh, and where the customers went."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixtura import exceptions
from mixtura.segments.continuity import continuity, refresh_part
from mixtura.segments.matching import match
from mixtura.segments.migration import NEW_CUSTOMER, NOT_SEEN, migration, stayed
from mixtura.segments.previous import Previous

OLD = [
    {"number": 1, "name": "Milk", "auto_name": "Milk", "weight": 0.5},
    {"number": 2, "name": "Friday", "auto_name": "Beer", "weight": 0.3},
    {"number": 4, "name": "Tea", "auto_name": "Tea", "weight": 0.2},
]
PROFILES = 0.94 * np.eye(6) + 0.01


def component(number, name):
    return {"number": number, "name": name}


def refreshed(new, sizes, **options):
    matched = match(PROFILES[:3], range(6), PROFILES[new], range(6))
    return continuity(matched, OLD, sizes, PROFILES[new], **options)


def test_matched_components_keep_number_and_name_and_new_ones_follow():
    # In the order of the fit: two new ones, the third and the first of before.
    found = refreshed([4, 5, 2, 0], [10, 40, 5, 1])
    assert found.order.tolist() == [3, 2, 1, 0]
    assert found.numbers == [1, 4, 5, 6]
    assert found.new == [5, 6]
    assert found.gone == [{"number": 2, "name": "Friday", "weight": 0.3}]
    assert found.previous[1] == {"number": 4, "name": "Tea", "distance": 0.0, "drifted": False}
    assert found.previous[2] is None
    names, auto = found.names(["Milk", "Black tea", "Milk", "Wine"])
    assert names == ["Milk", "Tea", "Milk (2)", "Wine"]
    assert auto == ["Milk", "Tea", "Milk (2)", "Wine"]
    assert found.last_number == 6
    assert refreshed([4, 0], [1, 1], last_number=30).numbers == [1, 31]


def test_an_edited_name_stays_known_as_edited():
    names, auto = refreshed([1], [1]).names(["Beer + wine"])
    assert (names, auto) == (["Friday"], ["Beer"])


def test_nothing_matched_and_all_matched():
    nothing = refreshed([3, 4, 5], [1, 2, 3])
    assert (nothing.numbers, len(nothing.gone)) == ([5, 6, 7], 3)
    assert nothing.order.tolist() == [2, 1, 0]
    all_of_them = refreshed([2, 0, 1], [9, 1, 1])
    assert (all_of_them.numbers, all_of_them.order.tolist()) == ([1, 2, 4], [1, 2, 0])
    assert (all_of_them.gone, all_of_them.new, all_of_them.last_number) == ([], [], 4)


def test_the_part_of_the_results():
    previous = Previous("shop/2023", {"created": "2024-01-01T00:00:00+00:00"}, None, {})
    new = PROFILES[[0, 5]].copy()
    new[0] += 0.15 * (np.eye(6)[1] - np.eye(6)[0])
    found = continuity(match(PROFILES[:3], range(6), new, range(6)), OLD, [2, 1], new)
    part = refresh_part(previous, found, {"from": [], "to": [], "counts": []})
    assert part["previous"] == "shop/2023"
    assert (part["n_matched"], part["n_drifted"], part["new"]) == (1, 1, [5])
    assert [entry["number"] for entry in part["gone"]] == [2, 4]
    assert part["migration"]["counts"] == []
    assert found.previous[0]["drifted"]
    assert found.previous[0]["distance"] == pytest.approx(0.3)


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 2**16))
def test_every_customer_is_in_one_cell(n_before, n_now, seed):
    rng = np.random.default_rng(seed)
    were, are = rng.choice(60, n_before, replace=False), rng.choice(60, n_now, replace=False)
    old, new = rng.choice([1, 2, 4], n_before), rng.choice([2, 4, 5], n_now)
    components = [component(number, f"M{number}") for number in (2, 4, 5)]
    moved = migration((were, old), (are, new), OLD, components)
    counts = np.array(moved["counts"])
    assert counts.sum() == len(set(were) | set(are))
    assert counts[-1].sum() == len(set(are) - set(were))
    assert counts[:, -1].sum() == len(set(were) - set(are))
    assert counts[-1, -1] == 0
    before, now = dict(zip(were, old, strict=True)), dict(zip(are, new, strict=True))
    both = before.keys() & now.keys()
    assert stayed(moved) == (sum(before[c] == now[c] for c in both), len(both))


def test_rows_and_columns_are_named():
    moved = migration(([1], [2]), ([1], [4]), OLD, [component(4, "Tea"), component(5, "Wine")])
    assert moved["from"] == ["Milk", "Friday", "Tea", NEW_CUSTOMER]
    assert moved["to"] == ["Tea", "Wine", NOT_SEEN]
    assert (moved["from_numbers"], moved["to_numbers"]) == ([1, 2, 4, None], [4, 5, None])
    assert moved["counts"][1] == [1, 0, 0]


def test_a_customer_that_was_a_number_and_is_a_text_is_the_same():
    components = [component(1, "Milk")]
    moved = migration(
        (np.array([17, 4]), [1, 1]), (np.array(["17", "x"], dtype=object), [1, 1]), components, components
    )
    assert moved["counts"] == [[1, 1], [1, 0]]
    moved = migration((np.array([17, 4]), [1, 1]), (np.array([17.0]), [1]), components, components)
    assert moved["counts"] == [[1, 1], [0, 0]]


@pytest.mark.parametrize(
    ("before", "words"),
    [
        ((["Ann"], [3]), "customers before: .*the number 3 is not among them"),
        ((["Ann", "Bob"], [1]), "customers before: 2 customers, 3 components, 1 numbers"),
        ((["Ann", "Ann"], [1, 2]), "customers before: some occur twice"),
    ],
)
def test_tables_that_do_not_fit(before, words):
    with pytest.raises(exceptions.InvalidDataError, match=words):
        migration(before, (["Ann"], [1]), OLD, OLD)
    with pytest.raises(exceptions.InvalidDataError, match=words.replace("before", "now")):
        migration((["Ann"], [1]), before, OLD, OLD)
