"""The view of single customers: their own numbers, whatever the times and missions of their visits."""

import copy

import pytest

from mixtura.report.results import Results
from mixtura.report.sections import customers
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


def test_every_sampled_customer_is_in_the_chooser_once(results, both):
    context = customers.context(results)
    people = context["view"]["people"]
    sample = both[1]["customers"]["sample"]
    assert sorted(person["id"] for person in people) == sorted(str(one["customer"]) for one in sample)
    positions = [position for group in context["groups"] for position, _ in group["people"]]
    assert positions == list(range(len(sample)))
    assert [group["number"] for group in context["groups"]] == sorted({one["segment"] for one in sample})


def test_a_customers_view_holds_their_own_numbers(results, both):
    by_id = {str(one["customer"]): one for one in both[1]["customers"]["sample"]}
    share = dict(zip(both[1]["features"], both[1]["feature_share"], strict=True))
    for person in customers.context(results)["view"]["people"]:
        one = by_id[person["id"]]
        own = dict(zip(both[1]["features"], one["shares"], strict=True))
        typical = both[1]["segments"][one["segment"] - 1]["profile"]
        theirs = dict(zip(both[1]["features"], typical, strict=True))
        for name, mine, segment, everybody, _ in person["bars"]:
            assert (mine, segment, everybody) == (
                round(own[name], 4),
                round(theirs[name], 4),
                round(share[name], 4),
            )
        assert max(own.values()) == pytest.approx(person["bars"][0][1], abs=1e-4)  # rounded to four digits
        assert len(person["visits"]) == len(one["visits"])
        assert len(person["strips"]) <= 11
        assert {visit[1] for visit in person["visits"]} == set(range(len(person["strips"])))
        assert (person["later"] is None) == (one["later"] is None)


def test_visits_without_a_mission_and_rare_missions_have_lines_of_their_own(changed):
    one = changed[1]["customers"]["sample"][0]
    numbers = [*range(1, 13), 1, 1, None]
    one["visits"] = [["2017-01-01T10:00:00", number, 0.5] for number in numbers]
    changed[1]["customers"]["sample"] = [one]
    person = customers.context(Results(*changed))["view"]["people"][0]
    assert person["strips"][-2:] == ["Other missions", "Mission unclear"]
    assert len(person["strips"]) == 10
    assert [visit[1] for visit in person["visits"]].count(person["strips"].index("Other missions")) == 4


@pytest.mark.parametrize(
    ("times", "shown"),
    [
        (["2017-01-01T10:00:00", "2017-02-03"], ["2017-01-01", "2017-02-03"]),
        (["7", "52"], [7.0, 52.0]),
        ([None, "first"], [1, 2]),
    ],
)
def test_visits_at_any_kind_of_time(changed, times, shown):
    one = changed[1]["customers"]["sample"][0]
    one["visits"] = [[time, 1, 0.9] for time in times]
    changed[1]["customers"]["sample"] = [one]
    context = customers.context(Results(*changed))
    assert [visit[0] for visit in context["view"]["people"][0]["visits"]] == shown
