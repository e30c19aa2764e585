"""Which categories count: levels, spelling, minimum support, the most frequent, and those of a model."""

from collections import Counter, defaultdict

import numpy as np
import pandas as pd
import pytest

from mixtura import exceptions
from mixtura.segments.levels import KnownCategories, look_up, same_spelling, settle
from mixtura.segments.rules import Rules, number_or_share
from mixtura.segments.transactions import read_baskets

LEVELS = ["department", "product_category"]


def table_of(found):
    """{basket: {category: count}} from the sparse result."""
    return {
        basket: {str(c): float(n) for c, n in zip(found.categories, row, strict=True) if n}
        for basket, row in zip(found.baskets.tolist(), found.counts.toarray(), strict=True)
    }


def by_hand(lines, column, weight=None):
    """The same from a frame with a category column, by loops."""
    counts = defaultdict(Counter)
    for row in lines.itertuples():
        counts[row.basket_id][getattr(row, column)] += 1 if weight is None else getattr(row, weight)
    return {basket: dict(entries) for basket, entries in counts.items()}


@pytest.fixture
def joined(shop):
    return shop[0].merge(shop[1], on="product_id")


def test_several_levels_are_those_of_each_side_by_side(shop):
    both = read_baskets(*shop, category=LEVELS)
    assert both.levels == tuple(LEVELS)
    assert {role: column.name for role, column in both.columns.items() if role.startswith("category")} == {
        "category": "department", "category_2": "product_category"
    }  # fmt: skip
    for number, level in enumerate(LEVELS):
        one = read_baskets(*shop, category=level)
        mine = np.flatnonzero(both.category_levels == number)
        assert both.categories[mine].tolist() == one.categories.tolist()
        assert (both.counts[:, mine] != one.counts).nnz == 0
        np.testing.assert_array_equal(both.baskets, one.baskets)
    assert both.counts.sum() == 2 * both.n_lines_used


def test_levels_may_stand_in_both_tables(shop):
    transactions, items = shop
    own = transactions.assign(till=transactions.basket_id % 3)
    found = read_baskets(own, items[3:], category=["till", "product_category"])
    known = own.product_id.isin(items.product_id[3:])
    assert found.n_lines_used == len(own)  # an unknown item still counts in the level of the line
    assert found.counts.sum() == len(own) + known.sum()


def test_a_line_counts_in_the_levels_that_it_has(shop):
    transactions, items = shop
    items.loc[0:2, "product_category"] = None
    items.loc[0, "department"] = None
    found = read_baskets(transactions, items, category=LEVELS)
    without = transactions.product_id.isin([101, 102]).sum()
    nowhere = transactions.product_id.eq(100).sum()
    assert [(entry.reason, entry.n_lines) for entry in found.dropped] == [("no category", nowhere)]
    assert found.counts.sum() == 2 * len(transactions) - 2 * nowhere - without


def test_a_name_of_two_levels_tells_them_apart(shop):
    transactions, items = shop
    items.loc[items.product_category == "BEER", "department"] = "beer"
    found = read_baskets(transactions, items, category=LEVELS)
    assert {"department: beer", "product_category: BEER"} < set(found.categories)
    assert "MILK" in found.categories
    assert len(set(found.categories)) == found.n_categories


@pytest.mark.parametrize(
    ("category", "words"),
    [
        (["department", "departmnt"], "Did you mean 'department'?"),
        (["department", "DEPARTMENT"], "'department' is there twice"),
        ([], "category: found no name"),
    ],
)
def test_levels_that_make_no_sense(shop, category, words):
    with pytest.raises((exceptions.ColumnNotFoundError, exceptions.InvalidParameterError)) as caught:
        read_baskets(*shop, category=category)
    assert words in str(caught.value)


@pytest.mark.parametrize("support", [55, 0.3, np.int64(70)])
def test_rare_categories_are_counted_together(shop, joined, support):
    found = read_baskets(*shop, min_support=support)
    baskets = joined.groupby("product_category").basket_id.nunique()
    least = support if support >= 1 else np.ceil(support * joined.basket_id.nunique())
    rare = baskets.index[baskets < least]
    assert 0 < len(rare) < 9, "the test needs rare and frequent ones"
    joined["folded"] = joined.product_category.where(~joined.product_category.isin(rare), "(other)")
    assert table_of(found) == by_hand(joined, "folded")
    assert found.categories.tolist() == [*sorted(set(joined.folded) - {"(other)"}), "(other)"]
    assert (found.n_rare_items, found.folded) == (len(rare), True)
    assert (
        f"{len(rare)} of 9 categories occur in fewer than {least:.0f} baskets; "
        "they are counted together as '(other)'."
    ) in found.notes
    assert found.n_lines_used == found.n_lines


def test_rare_categories_may_be_left_out(shop, joined):
    found = read_baskets(*shop, top_items=4, rare="drop")
    baskets = joined.groupby("product_category").basket_id.nunique().reset_index()
    top = baskets.sort_values(["basket_id", "product_category"], ascending=[False, True]).product_category[:4]
    kept = joined[joined.product_category.isin(top)]
    assert table_of(found) == by_hand(kept, "product_category")
    assert [(d.reason, d.n_lines) for d in found.dropped] == [("a rare category", len(joined) - len(kept))]
    assert (found.n_rare_items, found.folded) == (5, False)
    assert "5 of 9 categories are not among the 4 most frequent; they are left out." in found.notes


def test_the_most_frequent_of_each_level(shop):
    found = read_baskets(*shop, category=[*LEVELS, "product_id"], top_items=2)
    assert [found.categories[found.category_levels == level].tolist()[2:] for level in range(3)] == [
        [], ["(other product_category)"], ["(other product_id)"]
    ]  # fmt: skip
    assert found.counts.sum() == 3 * found.n_lines
    dropped = read_baskets(*shop, category=LEVELS, top_items=2, rare="drop")
    assert dropped.n_lines_used == dropped.n_lines  # a line stays while one of its levels counts
    assert dropped.counts[:, dropped.category_levels == 0].sum() == dropped.n_lines


def test_without_rules_nothing_is_rare(shop):
    found = read_baskets(*shop)
    assert (found.n_rare_items, found.folded) == (None, False)
    same = read_baskets(*shop, min_support=1)
    assert (same.n_rare_items, same.folded) == (0, False)
    assert (same.counts != found.counts).nnz == 0


@pytest.mark.parametrize(
    "options",
    [
        {"min_support": 0}, {"min_support": -0.1}, {"min_support": 1.5}, {"min_support": True},
        {"min_support": "5"}, {"min_support": float("nan")}, {"top_items": 0}, {"top_items": 2.0},
        {"top_items": True}, {"rare": "others"},
    ],
)  # fmt: skip
def test_rules_that_make_no_sense(shop, options):
    with pytest.raises(exceptions.InvalidParameterError) as caught:
        read_baskets(*shop, **options)
    assert next(iter(options)) in str(caught.value)
    assert "Expected" in str(caught.value) or "Did you mean" in str(caught.value)


def test_too_much_support_leaves_one_category(shop):
    with pytest.raises(exceptions.InvalidDataError, match=r"one category, '\(other\)'.*Ask for less support"):
        read_baskets(*shop, min_support=10_000)
    with pytest.raises(exceptions.InvalidDataError, match=r"no line of .* a rare category"):
        read_baskets(*shop, min_support=10_000, rare="drop")


@pytest.mark.parametrize(
    ("text", "value"), [("50", 50), (" 50 ", 50), ("0.01", 0.01), ("1e-3", 0.001), ("0.5%", 0.005)]
)
def test_a_support_from_the_command_line(text, value):
    assert number_or_share(text) == pytest.approx(value)
    assert isinstance(number_or_share(text), type(value))


@pytest.mark.parametrize("text", ["many", "", "%", "1,5"])
def test_a_support_that_is_no_number(text):
    with pytest.raises(
        exceptions.InvalidParameterError, match=r"is not a number\. Expected a number of baskets"
    ):
        number_or_share(text)


def test_spellings_of_free_text_are_joined(shop):
    transactions, items = shop
    described = transactions.merge(items, on="product_id").rename(columns={"product_category": "Description"})
    expected = read_baskets(described, category="Description")
    odd = described.Description.where(described.index % 3 > 0, described.Description.str.title() + "  ")
    odd = odd.mask(odd == "BABY FOOD", "BABY  FOOD")
    found = read_baskets(described.assign(Description=odd), category="Description")
    assert found.categories.tolist() == expected.categories.tolist()
    assert (found.counts != expected.counts).nnz == 0
    assert any("9 categories were spelt in several ways" in note for note in found.notes)
    support = read_baskets(described.assign(Description=odd), category="Description", min_support=55)
    assert (support.counts != read_baskets(described, category="Description", min_support=55).counts).nnz == 0


def test_the_spelling_does_not_depend_on_the_order():
    seen = {(0, "a"): 1, (0, "A"): 1, (1, "A"): 1}
    expected = {(0, "a"): "A", (0, "A"): "A", (1, "A"): "A"}
    assert same_spelling(seen)[0] == expected
    assert same_spelling(dict(reversed(seen.items())))[0] == expected


def test_a_category_that_is_called_other_already():
    layout = settle({(0, "(other)"): 9, (0, "tea"): 8, (0, "mace"): 1}, Rules(2), 9, ["aisle"])
    assert layout.names == ["(other)", "tea"]
    assert layout.column[0, "mace"] == layout.column[0, "(other)"] == 0


def test_services_are_pointed_at(shop):
    transactions, items = shop
    items.loc[0:2, "product_category"] = "Dotcom Postage"
    n_lines = transactions.product_id.isin([100, 101, 102]).sum()
    note = next(note for note in read_baskets(transactions, items).notes if "may not be goods" in note)
    assert f"'Dotcom Postage' ({n_lines} lines)." in note


# The categories of a model, for new lines.


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"min_support": 55},
        {"top_items": 4, "rare": "drop"},
        {"category": LEVELS},
        {"category": [*LEVELS, "product_id"], "top_items": 5},
        {"category": ["product_category", "department"], "min_support": 55, "rare": "drop"},
        {"value": "quantity", "min_support": 55},
    ],
    ids=str,
)
def test_the_same_lines_count_the_same_again(shop, options):
    transactions, items = shop
    items.loc[items.product_category == "BEER", "department"] = "BEER"
    trained = read_baskets(transactions, items, **options)
    known = KnownCategories.of_results(trained.categories.tolist(), trained.item_levels())
    rest = {name: given for name, given in options.items() if name in {"category", "value"}}
    again = read_baskets(transactions, items, categories=known, **rest)
    assert again.categories.tolist() == trained.categories.tolist()
    assert (again.counts != trained.counts).nnz == 0
    np.testing.assert_array_equal(again.baskets, trained.baskets)
    assert again.n_lines_used == trained.n_lines_used


def test_unknown_values_go_where_rare_ones_went(shop):
    transactions, items = shop
    new = items.assign(product_category=items.product_category.replace("BEER", "CAVIAR"))
    n_new = int(transactions.product_id.isin(items.product_id[items.product_category == "BEER"]).sum())
    names = ["MILK", "(other)"]
    folded = read_baskets(transactions, new, categories=KnownCategories(names, folded=True))
    assert folded.n_lines_used == len(transactions)
    for known in (KnownCategories(["MILK", "BREAD"]), KnownCategories([*names, "BREAD"], folded=False)):
        found = read_baskets(transactions, new, categories=known)
        assert found.dropped[0].reason == "a category that the model does not know"
        assert found.counts.sum() == found.n_lines_used < len(transactions) - n_new
    strict = read_baskets(transactions, new, categories=names, rare="drop")
    assert strict.counts[:, [1]].sum() == 0


def test_known_names_match_in_any_case_but_exact_ones_first():
    seen = {(0, "Milk"): 1, (0, "milk"): 1, (0, "MILK"): 1}
    assert look_up(seen, KnownCategories(["milk", "Milk"]), ["c"]).column == {
        (0, "Milk"): 1, (0, "milk"): 0, (0, "MILK"): 0
    }  # fmt: skip


def test_a_value_of_another_level_is_not_known():
    known = KnownCategories(["FOOD", "MILK"], ["department", "category"], [0, 1], folded=False)
    assert look_up({(0, "MILK"): 1, (1, "MILK"): 1}, known, ["d", "c"]).column == {(1, "MILK"): 1}


def test_the_number_of_levels_must_be_that_of_the_model(shop):
    known = KnownCategories(["FOOD", "MILK"], LEVELS, [0, 1])
    with pytest.raises(
        exceptions.InvalidDataError, match=r"found 1 category columns .* Expected 2, one for each"
    ):
        read_baskets(*shop, categories=known)


def test_a_frame_of_one_level_given_as_a_list(shop):
    found = read_baskets(*shop, category=["product_category"])
    assert (found.counts != read_baskets(*shop).counts).nnz == 0
    assert found.item_levels() == {"names": ["product_category"], "of_category": None, "folded": False}


def test_numbers_are_categories_too(shop):
    transactions, items = shop
    found = read_baskets(transactions, items, category="product_id", top_items=10)
    assert len(found.categories) == 11
    assert set(found.categories) - {"(other)"} <= set(items.product_id.astype(str))
    assert isinstance(pd.Series(found.categories)[0], str)
