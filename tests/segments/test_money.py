"""Money of baskets, and counts that it weights."""

from collections import Counter
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from mixtura import exceptions
from mixtura.models import GroupedMultinomialMixture, MultinomialMixture
from mixtura.segments.transactions import read_baskets


@pytest.fixture
def priced(shop):
    """The shop with prices in cents and the money of a line."""
    transactions, items = shop
    cents = np.random.default_rng(5).integers(1, 999, len(transactions))
    price = cents / 100
    return transactions.assign(unit_price=price, sales_value=price * transactions.quantity), items


def test_money_of_baskets_is_exact(priced):
    transactions, items = priced
    found = read_baskets(transactions, items)
    assert (found.amount_column, found.columns["amount"].name) == ("sales_value", "sales_value")
    by_hand = Counter()
    for line in transactions.itertuples():
        by_hand[line.basket_id] += round(Decimal(line.sales_value), 4)
    assert found.amounts.tolist() == [float(by_hand[basket]) for basket in found.baskets.tolist()]
    assert "Amount of all baskets: " in "\n".join(found.describe())
    assert "price" not in found.columns
    shuffled = read_baskets(transactions.sample(frac=1, random_state=2), items, threads=1)
    np.testing.assert_array_equal(shuffled.amounts, found.amounts)


def test_price_times_quantity_is_the_same_money(priced):
    transactions, items = priced
    expected = read_baskets(transactions, items)
    found = read_baskets(transactions.drop(columns="sales_value"), items)
    assert found.amount_column == "unit_price x quantity"
    np.testing.assert_array_equal(found.amounts, expected.amounts)
    chosen = read_baskets(transactions.assign(sales_value=7), items, price="unit_price")
    np.testing.assert_array_equal(chosen.amounts, expected.amounts)
    named = read_baskets(transactions.rename(columns={"sales_value": "x"}), items, amount="x")
    np.testing.assert_array_equal(named.amounts, expected.amounts)
    assert named.amount_column == "x"


def test_a_price_may_stand_in_the_item_table(priced):
    transactions, items = priced
    listed = items.assign(price=np.arange(27) / 4)
    found = read_baskets(transactions[["household_id", "basket_id", "product_id", "quantity",
                                       "transaction_timestamp"]], listed)  # fmt: skip
    joined = transactions.merge(listed, on="product_id")
    expected = (joined.price * joined.quantity).groupby(joined.basket_id).sum()
    np.testing.assert_array_equal(found.amounts, expected.loc[found.baskets])


def test_lines_are_weighted_by_their_money(priced):
    transactions, items = priced
    found = read_baskets(transactions, items, value="amount")
    joined = transactions.merge(items, on="product_id")
    for row, basket in enumerate(found.baskets.tolist()):
        mine = joined[joined.basket_id == basket]
        money = mine.sales_value.map(lambda value: Fraction(round(Decimal(value), 4)))
        for column, category in enumerate(found.categories):
            share = money[mine.product_category == category].sum() / money.sum()
            # One sum, one product and one quotient in double precision.
            assert found.counts[row, column] == pytest.approx(float(len(mine) * share), rel=1e-14, abs=0)
    lines = read_baskets(transactions, items)
    np.testing.assert_allclose(found.counts.sum(axis=1), lines.counts.sum(axis=1), rtol=1e-14)
    np.testing.assert_array_equal(found.amounts, lines.amounts)
    assert found.counts.dtype == np.float64
    assert "counts of lines by amount" in "\n".join(found.describe())


def test_equal_amounts_weigh_as_lines_do(shop):
    transactions, items = shop
    found = read_baskets(transactions.assign(amount=2.5), items, value="amount")
    # n * (2.5 j) / (2.5 n) is j up to the rounding of one product and one quotient.
    np.testing.assert_allclose(found.counts.toarray(), read_baskets(*shop).counts.toarray(), rtol=1e-15)


def test_mixtures_take_weighted_counts(priced):
    found = read_baskets(*priced, value="amount")
    mixture = MultinomialMixture(3, random_state=0).fit(found.counts)
    assert mixture.profiles_.sum(axis=1) == pytest.approx(1.0)
    grouped = GroupedMultinomialMixture(3, random_state=0).fit(found.counts, groups=found.customers)
    assert np.isfinite(grouped.score_samples(found.counts, groups=found.customers)).all()


def test_odd_amounts(priced):
    transactions, items = priced
    transactions.loc[[0, 1], "sales_value"] = -3.0
    transactions.loc[2, "sales_value"] = np.nan
    transactions.loc[3, "sales_value"] = np.inf
    transactions.loc[[4, 5], "sales_value"] = [0.0, 0.00001]
    lines = read_baskets(transactions, items)
    assert [(d.reason, d.n_lines) for d in lines.dropped] == [
        ("negative amount: a return or a correction", 2)
    ]
    assert "2 lines have no amount (sales_value); they count as 0 of it." in lines.notes
    assert np.isfinite(lines.amounts).all()
    weighted = read_baskets(transactions, items, value="amount")
    assert [(d.reason, d.n_lines) for d in weighted.dropped] == [
        ("negative amount: a return or a correction", 2),
        ("no finite amount", 2),
        ("an amount of 0", 2),
    ]
    assert weighted.amounts.sum() == pytest.approx(transactions.sales_value[6:].sum(), abs=1e-6)


def test_a_table_without_money(shop):
    found = read_baskets(*shop)
    assert found.amounts is None
    assert found.amount_column is None
    with pytest.raises(exceptions.InvalidDataError, match="needs a column of money, and none was recognised"):
        read_baskets(*shop, value="amount")


def test_a_guess_that_is_no_number_is_no_guess(shop):
    transactions, items = shop
    found = read_baskets(transactions.assign(amount="£2.50", price="2"), items)
    assert found.amounts is None
    assert not {"amount", "price"} & set(found.columns)
    unit = read_baskets(transactions.drop(columns="quantity").assign(price=2.0), items)
    assert unit.amounts is None  # a price without a quantity is no amount


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"amount": "label"}, "the amount column 'label' has values of type VARCHAR. Expected numbers"),
        ({"price": "label"}, "the price column 'label' has values of type VARCHAR. Expected numbers"),
        ({"amount": "sales_value", "price": "unit_price"}, "both an amount ('sales_value') and a price"),
        ({"amount": "sale_value"}, "Did you mean 'sales_value'?"),
    ],
)
def test_columns_that_are_no_money(priced, options, words):
    transactions, items = priced
    with pytest.raises(exceptions.MixturaError) as caught:
        read_baskets(transactions.assign(label="£2"), items, **options)
    assert words in str(caught.value)


def test_a_named_price_needs_a_quantity(priced):
    transactions, items = priced
    with pytest.raises(
        exceptions.InvalidDataError, match="price column 'unit_price' needs a quantity column"
    ):
        read_baskets(transactions.drop(columns="quantity"), items, price="unit_price")


def test_the_real_data_has_its_money(complete_journey):
    found = read_baskets(**complete_journey, where="department = 'GROCERY'")
    assert found.amount_column == "sales_value"
    assert len(found.amounts) == found.n_baskets
    assert (found.amounts >= 0).all()
    weighted = read_baskets(**complete_journey, where="department = 'GROCERY'", value="amount")
    assert weighted.amounts.sum() == pytest.approx(found.amounts.sum(), rel=1e-12)
    assert weighted.counts.sum() == pytest.approx(weighted.n_lines_used, rel=1e-9)
