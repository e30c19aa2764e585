"""Demographics: against SciPy, against dealing the values at random, and how often they cry wolf."""

import numpy as np
import pytest
from scipy import stats

from mixtura import exceptions
from mixtura.segments.attributes import attribute
from mixtura.segments.demographics import association, demographics


def soft(rng, n=400, n_segments=4, sharpness=1.0):
    return rng.dirichlet(sharpness * rng.dirichlet(np.full(n_segments, 5.0)) + 0.05, size=n)


def test_certain_segments_give_the_usual_tests(rng):
    labels, codes = rng.integers(0, 3, 500), rng.integers(0, 4, 500)
    found = association(np.eye(3)[labels], codes, 4)
    usual = stats.chi2_contingency(found.counts, correction=False)
    np.testing.assert_allclose(found.expected, usual.expected_freq)
    assert found.p_value == pytest.approx(stats.chi2.sf(usual.statistic * 499 / 500, 6))
    row, column = (found.counts.sum(axis=axis, keepdims=True) / 500 for axis in (1, 0))
    adjusted = (found.counts - usual.expected_freq) / np.sqrt(usual.expected_freq * (1 - row) * (1 - column))
    np.testing.assert_allclose(found.z, adjusted * np.sqrt(499 / 500))


def test_moments_are_those_of_dealing_the_values_at_random(rng):
    resp = soft(rng, 60, 3)
    codes = rng.choice(3, 60, p=[0.1, 0.3, 0.6])
    dealt = [association(resp, rng.permutation(codes), 3) for _ in range(2000)]
    counts = np.array([table.counts for table in dealt])
    z = np.array([table.z for table in dealt])
    np.testing.assert_allclose(counts.mean(axis=0), dealt[0].expected, atol=0.15)
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=0.1)  # four standard errors
    np.testing.assert_allclose(z.std(axis=0), 1, atol=0.07)
    p_values = np.array([table.p_value for table in dealt])
    assert np.mean(p_values < 0.05) == pytest.approx(0.05, abs=0.02)
    cells = np.array([table.p_cells for table in dealt])
    assert (np.mean(cells < 0.02, axis=0) < 0.03).all()


def test_pearsons_statistic_would_miss_what_soft_segments_show():
    """Soft counts vary less than whole ones: the reason for not taking Pearson's test as it is."""
    rng = np.random.default_rng(1)
    found = []
    for _ in range(200):
        table = association(soft(rng, 300, 4, sharpness=8.0), rng.integers(0, 3, 300), 3)
        pearson = ((table.counts - table.expected) ** 2 / table.expected).sum()
        found.append((table.p_value < 0.05, stats.chi2.sf(pearson, 6) < 0.05))
    ours, pearsons = np.mean(found, axis=0)
    assert ours == pytest.approx(0.05, abs=0.045)  # three standard errors
    assert pearsons == 0


@pytest.mark.parametrize("sharpness", [0.5, 10.0])
def test_false_alarms_are_rare(sharpness):
    """Without association at most a twentieth of all tables has any mark, rare values and small segments included."""
    rng = np.random.default_rng(int(sharpness))
    alarms = 0
    for _ in range(100):
        table = {
            f"column {size}": rng.choice(
                [f"value {v}" for v in range(size)], 500, p=rng.dirichlet(np.ones(size))
            )
            for size in (2, 3, 6, 12)
        }
        columns, _ = demographics(table, soft(rng, 500, 6, sharpness))
        alarms += any(column["cells"] for column in columns or ())
    assert alarms <= 10  # more than 10 of 100 at 5 % has the probability 0.011


def test_what_is_there_is_marked(rng):
    resp = soft(rng, 600, 3, sharpness=0.5)
    likely = 0.15 + 0.5 * resp[:, 1]
    table = {
        "children": np.where(rng.random(600) < likely, "yes", "no"),
        "colour": rng.choice(["red", "blue"], 600),
    }
    columns, notes = demographics(table, resp, [4, 7, 9])
    assert notes == []
    children, colour = columns
    first = children["cells"][0]
    assert children["p_value"] < 1e-6
    assert {(cell["segment"], cell["value"]) for cell in children["cells"]} >= {(7, "yes"), (7, "no")}
    assert abs(first["z"]) == max(abs(cell["z"]) for cell in children["cells"])
    yes = next(cell for cell in children["cells"] if (cell["segment"], cell["value"]) == (7, "yes"))
    assert yes["z"] > 4
    bought = (resp[:, 1] * (table["children"] == "yes")).sum() / resp[:, 1].sum()
    assert yes["share"] == pytest.approx(bought)
    assert yes["overall"] == pytest.approx((table["children"] == "yes").mean())
    assert colour["cells"] == []
    np.testing.assert_allclose(np.sum(children["counts"], axis=1), resp.sum(axis=0))


def test_missing_values_are_left_out(rng):
    resp = soft(rng, 120)
    values = np.array(["a", "b"] * 60, dtype=object)
    values[:3] = None, float("nan"), " "
    (column,), _ = demographics({"x": values}, resp)
    assert (column["values"], column["n_customers"]) == (["a", "b"], 117)
    np.testing.assert_allclose(np.sum(column["counts"], axis=1), resp[3:].sum(axis=0))


def test_a_segment_without_customers_is_never_marked(rng):
    resp = np.zeros((100, 3))
    resp[:50, 0] = resp[50:, 1] = 1
    (column,), _ = demographics({"x": ["a"] * 50 + ["b"] * 50}, resp)
    assert {cell["segment"] for cell in column["cells"]} == {1, 2}
    assert np.isfinite(column["p_value"])


def test_nothing_to_compare(rng):
    resp = soft(rng, 100)
    assert demographics({}, resp) == (None, [])
    columns, notes = demographics(
        {"id": np.arange(100).astype(str), "same": ["x"] * 100, "none": [None] * 100}, resp
    )
    assert columns is None
    assert [note.split("'")[1] for note in notes] == ["id", "same", "none"]
    assert all("is left out: not two values that at least 20 customers have" in note for note in notes)
    assert demographics({"x": ["a", "b"] * 50}, np.ones((100, 1)))[0] is None


def test_numbers_become_groups(rng):
    ages = rng.integers(18, 90, 1000).astype(float)
    ages[:10] = np.nan
    found, notes = attribute("age", ages)
    assert (len(found.values), notes) == (5, [])
    for code, label in enumerate(found.values):
        first, last = map(float, label.split(" to "))
        mine = ages[found.rows[found.codes == code]]
        assert (mine.min(), mine.max()) == (first, last)
        assert 150 < len(mine) < 250
    few, _ = attribute("children", [0, 1, 2, None] * 30)
    assert few.values == ["0", "1", "2"]
    assert len(few.rows) == 90
    since = np.datetime64("2010-01-01") + np.arange(300) * np.timedelta64(5, "D")
    assert attribute("since", since)[0].values[0] == "2010-01-01 to 2010-10-23"
    # Most values equal: fewer groups, none empty.
    skewed, _ = attribute("visits", np.concatenate([np.zeros(900), np.arange(100)]))
    assert skewed.values[0] == "0"
    assert np.bincount(skewed.codes).min() >= 20


def test_truth_values_and_the_order_of_groups():
    assert attribute("member", np.array([True, False] * 30))[0].values == ["False", "True"]
    incomes = ["100-124K", "Under 15K", "15-24K", "unknown", "250K+"] * 20
    assert attribute("income", incomes)[0].values == ["Under 15K", "15-24K", "100-124K", "250K+", "unknown"]


def test_rare_values_are_put_together_or_left_out():
    found, notes = attribute("x", ["a"] * 50 + ["b"] * 40 + ["c"] * 12 + ["d"] * 9)
    assert (found.values, np.bincount(found.codes).tolist()) == (["a", "b", "(other)"], [50, 40, 21])
    assert notes == [
        "Values of 'x' that fewer than 20 customers have were put together as '(other)': 2 values of 21 customers."
    ]
    found, notes = attribute("x", ["a"] * 50 + ["b"] * 40 + ["c"] * 12)
    assert (found.values, len(found.rows)) == (["a", "b"], 90)
    assert "left out: 1 values of 12 customers" in notes[0]
    found, notes = attribute("shop", [f"shop {k}" for k in range(40)] * 25)
    assert found is None
    assert "40 different values, and more than 30" in notes[0]


def test_tables_that_do_not_fit(rng):
    resp = soft(rng, 50)
    for given in (["a"] * 49, [["a"] * 50], "a"):
        with pytest.raises(exceptions.InvalidDataError, match=r"column 'x' has .* there are 50 customers"):
            demographics({"x": given}, resp)
    for wrong in (resp[0], resp * 2, -resp, resp[:0], np.full((50, 2), np.nan)):
        with pytest.raises(exceptions.InvalidDataError, match="probabilities of the segments"):
            demographics({"x": ["a"] * 50}, wrong)
    for level in (0, 1, float("nan")):
        with pytest.raises(exceptions.InvalidParameterError, match="level: found"):
            demographics({}, resp, level=level)
