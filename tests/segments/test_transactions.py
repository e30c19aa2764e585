"""Transactions to baskets: equal to counting by hand, and a defined answer to every bad table."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from mixtura import exceptions
from mixtura.segments import transactions as transactions_module
from mixtura.segments.transactions import read_baskets
from segments.shop import make_shop


def counts_of(found):
    """{basket: {category: count}} from the sparse result."""
    dense = found.counts.toarray()
    return {
        basket: {str(c): int(n) for c, n in zip(found.categories, row, strict=True) if n}
        for basket, row in zip(found.baskets.tolist(), dense, strict=True)
    }


def by_hand(transactions, items, value="lines"):
    category = dict(zip(items.product_id, items.product_category, strict=True))
    counts = {}
    for line in transactions.itertuples():
        basket = counts.setdefault(line.basket_id, Counter())
        basket[category[line.product_id]] += 1 if value == "lines" else line.quantity
    return counts


@pytest.mark.parametrize("value", ["lines", "quantity"])
def test_counts_are_those_by_hand(shop, value):
    found = read_baskets(*shop, value=value)
    assert counts_of(found) == by_hand(*shop, value=value)
    assert found.n_lines == found.n_lines_used == len(shop[0])
    assert found.n_nonzero == np.count_nonzero(found.counts.toarray())
    assert found.dropped == ()
    assert list(found.categories) == sorted(found.categories)


def test_rows_are_in_order_of_time(shop):
    transactions, items = shop
    shuffled = transactions.sample(frac=1, random_state=3)
    found, again = read_baskets(*shop), read_baskets(shuffled, items, threads=1)
    assert (np.diff(found.times) >= np.timedelta64(0)).all()
    assert (found.counts != again.counts).nnz == 0
    np.testing.assert_array_equal(found.baskets, again.baskets)
    first = transactions.groupby("basket_id").agg({"household_id": "first", "transaction_timestamp": "min"})
    np.testing.assert_array_equal(found.customers, first.loc[found.baskets, "household_id"])
    np.testing.assert_array_equal(found.times, first.loc[found.baskets, "transaction_timestamp"].to_numpy())


@pytest.mark.parametrize(
    "form", ["csv", "csv.gz", "parquet", "pattern", "polars", "lazy", "arrow", "text keys"]
)
def test_every_form_of_a_table_gives_the_same(shop, form, tmp_path):
    transactions, items = shop
    expected = read_baskets(transactions, items)
    if form.startswith("csv"):
        transactions.to_csv(tmp_path / f"t.{form}", index=False)
        items.to_csv(tmp_path / f"i.{form}", index=False)
        tables = (str(tmp_path / f"t.{form}"), tmp_path / f"i.{form}")
    elif form == "parquet":
        transactions.to_parquet(tmp_path / "t.parquet")
        items.to_parquet(tmp_path / "i.parquet")
        tables = (tmp_path / "t.parquet", tmp_path / "i.parquet")
    elif form == "pattern":
        transactions[:300].to_parquet(tmp_path / "t1.parquet")
        transactions[300:].to_parquet(tmp_path / "t2.parquet")
        tables = (tmp_path / "t*.parquet", items)
    elif form == "arrow":
        pyarrow = pytest.importorskip("pyarrow")
        tables = tuple(pyarrow.Table.from_pandas(table) for table in shop)
    elif form == "text keys":
        tables = (transactions, items.astype({"product_id": str}))
    else:
        polars = pytest.importorskip("polars")
        tables = tuple(polars.from_pandas(table) for table in shop)
        if form == "lazy":
            tables = tuple(table.lazy() for table in tables)
    found = read_baskets(*tables)
    assert (found.counts != expected.counts).nnz == 0
    np.testing.assert_array_equal(found.baskets, expected.baskets)
    np.testing.assert_array_equal(found.customers, expected.customers)
    np.testing.assert_array_equal(found.times, expected.times)


def test_a_filter_speaks_of_both_tables(shop):
    found = read_baskets(*shop, where="department = 'BABY' AND quantity < 3")
    assert list(found.categories) == ["BABY FOOD", "NAPPIES", "WIPES"]
    assert found.dropped[0].reason == "outside the filter department = 'BABY' AND quantity < 3"
    assert found.n_lines_used + found.dropped[0].n_lines == found.n_lines


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("departmnt = 'FOOD'", "Did you mean 'department'?"),
        ("department = ", "syntax error"),
        ("", "not one condition"),
        ("true); SELECT (1", "syntax error"),
        ("sum(quantity) > 1", "aggregates"),
        ("department", "Could not convert"),
        ("product_id = 'milk'", "Could not convert"),
    ],
)
def test_a_filter_that_cannot_be_used(shop, where, words):
    with pytest.raises((exceptions.InvalidParameterError, exceptions.InvalidDataError)) as caught:
        read_baskets(*shop, where=where)
    assert words in str(caught.value)


def test_guesses_are_reported(shop):
    text = "\n".join(read_baskets(*shop, customer="household_id").describe())
    assert "customer = household_id, basket = basket_id (guessed)" in text


def test_repeated_item_keys_are_refused(shop):
    transactions, items = shop
    with pytest.raises(exceptions.InvalidDataError) as caught:
        read_baskets(transactions, pd.concat([items, items[:2], items[:1]]))
    message = str(caught.value)
    assert "2 values of the key 'product_id' stand in several rows (5 rows in all)" in message
    assert "100 (3 rows), 101 (2 rows)" in message


def test_items_without_a_match_are_counted(shop):
    transactions, items = shop
    gone = int(transactions.product_id.isin([100, 101]).sum())
    found = read_baskets(transactions, items[2:])
    assert [(d.reason, d.n_lines) for d in found.dropped] == [("the item is not in the item table", gone)]
    own = transactions.assign(aisle=transactions.product_id % 5)
    found = read_baskets(own, items[2:], category="aisle")
    assert found.n_lines_used == len(own)
    assert f"{gone} lines have an item (2 different ones) that is not in the item table." in found.notes


def test_missing_values_are_dropped_by_reason(shop):
    transactions, items = shop
    broken = transactions.astype({"household_id": float, "basket_id": object})
    broken.loc[0:2, "household_id"] = np.nan
    broken.loc[3:4, "basket_id"] = None
    broken.loc[5, "transaction_timestamp"] = pd.NaT
    items = items.copy()
    items.loc[0, "product_category"] = None
    items.loc[1, "product_category"] = "  "
    found = read_baskets(broken, items)
    dropped = {entry.reason: entry.n_lines for entry in found.dropped}
    uncategorised = int(transactions[6:].product_id.isin([100, 101]).sum())
    assert dropped == {"no customer": 3, "no basket": 2, "no time": 1, "no category": uncategorised}
    assert found.customers.dtype == np.int64  # not 1.0, 2.0 because of the missing ones


def test_returns_and_odd_quantities(shop):
    transactions, items = shop
    odd = transactions.astype({"quantity": float})
    odd.loc[[0, 1], "quantity"] = -1
    odd.loc[2, "quantity"] = np.nan
    odd.loc[3, "quantity"] = np.inf
    odd.loc[4, "quantity"] = 0
    lines = read_baskets(odd, items)
    assert [(d.reason, d.n_lines) for d in lines.dropped] == [("negative quantity: a return", 2)]
    units = read_baskets(odd, items, value="quantity")
    assert [(d.reason, d.n_lines) for d in units.dropped] == [
        ("negative quantity: a return", 2),
        ("no finite quantity", 2),
        ("a quantity of 0", 1),
    ]
    assert units.counts.sum() == transactions.quantity[5:].sum()


def test_fractions_are_not_counts(shop):
    transactions, items = shop
    weighed = transactions.astype({"quantity": float})
    weighed.loc[0, "quantity"] = 0.35
    with pytest.raises(exceptions.InvalidDataError, match=r"1 lines have a fraction, for example 0\.35"):
        read_baskets(weighed, items, value="quantity")
    assert read_baskets(weighed, items).n_lines_used == len(weighed)


def test_quantities_of_the_wrong_type(shop):
    transactions, items = shop
    text = transactions.assign(quantity="two")
    with pytest.raises(exceptions.InvalidDataError, match="'quantity' has values of type VARCHAR"):
        read_baskets(text, items, value="quantity")
    assert read_baskets(text, items).n_lines_used == len(text)
    with pytest.raises(exceptions.InvalidDataError, match="needs a quantity column"):
        read_baskets(transactions.drop(columns="quantity"), items, value="quantity")


def test_without_baskets_customer_and_day_make_one(shop):
    transactions, items = shop
    found = read_baskets(transactions.drop(columns="basket_id"), items)
    days = transactions.transaction_timestamp.dt.date.astype(str)
    visits = set(transactions.household_id.astype(str) + " " + days)
    assert set(found.baskets) == visits
    assert "No basket column: the lines of one customer on one day make a basket." in found.notes


def test_times_may_be_numbers_or_texts(shop):
    transactions, items = shop
    day = transactions.transaction_timestamp.dt.day_of_year
    numbers = read_baskets(transactions.drop(columns="transaction_timestamp").assign(day=day), items)
    assert numbers.times.dtype == np.float64
    texts = transactions.assign(transaction_timestamp=transactions.transaction_timestamp.astype(str))
    expected = read_baskets(transactions, items)
    np.testing.assert_array_equal(read_baskets(texts, items).times, expected.times)
    zoned = transactions.assign(
        transaction_timestamp=transactions.transaction_timestamp.dt.tz_localize("Etc/GMT-2")
    )
    np.testing.assert_array_equal(read_baskets(zoned, items).times, expected.times - np.timedelta64(2, "h"))


def test_texts_that_are_not_times(shop):
    transactions, items = shop
    bad = transactions.assign(transaction_timestamp="31.12.2017")
    with pytest.raises(
        exceptions.InvalidDataError, match=r"'31\.12\.2017'. Expected texts like '2017-12-31'"
    ):
        read_baskets(bad, items)
    flags = transactions.assign(transaction_timestamp=True)
    with pytest.raises(exceptions.ColumnNotFoundError, match="recognised as the time"):
        read_baskets(flags, items)
    with pytest.raises(exceptions.InvalidDataError, match="values of type BOOLEAN"):
        read_baskets(flags, items, time="transaction_timestamp")


def test_a_basket_of_several_customers(shop):
    transactions, items = shop
    shared = transactions.copy()
    shared.loc[shared.basket_id == 5000, "household_id"] = [99] + [98] * (
        int((shared.basket_id == 5000).sum()) - 1
    )
    with pytest.raises(
        exceptions.InvalidDataError, match=r"1 baskets have lines of several customers, .* 5000"
    ):
        read_baskets(shared, items)
    found = read_baskets(shared, items, shared_baskets="first")
    assert found.customers[found.baskets == 5000] == [98]
    assert any("several customers" in note for note in found.notes)


def test_a_basket_of_several_times_has_its_first(shop):
    transactions, items = shop
    first = transactions.transaction_timestamp[0]
    transactions.loc[0, "transaction_timestamp"] = first + pd.Timedelta(hours=1)
    found = read_baskets(transactions, items)
    assert found.times[0] == first.to_datetime64()
    assert any("1 baskets have lines of several times" in note for note in found.notes)


def test_known_categories_fix_the_columns(shop):
    found = read_baskets(*shop, categories=["WIPES", "CAVIAR", "MILK"])
    assert list(found.categories) == ["WIPES", "CAVIAR", "MILK"]
    assert found.counts[:, [1]].sum() == 0
    assert found.dropped[0].reason == "a category that the model does not know"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("missing.csv", None, "Did you mean"),
        ("empty.csv", "", "is empty (0 bytes)"),
        ("header.csv", "customer,basket,category,day\n", "have no rows"),
        ("wrong.xlsx", "PK", "ends in '.xlsx'. Expected one of .csv"),
        ("broken.parquet", "PAR1 not really", "could not be read"),
        (
            "ragged.csv",
            "customer,category,day\n" + 9 * "1,a,2020-01-01\n" + "1,a,b,c,d\n",
            "Line: 11 Original Line: 1,a,b,c,d Expected Number of Columns: 3",
        ),
    ],
)
def test_files_that_cannot_be_used(tmp_path, name, content, words):
    (tmp_path / "mising.csv").write_text("a\n1\n")
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(exceptions.InvalidDataError) as caught:
        read_baskets(tmp_path / name)
    assert words in str(caught.value)


def test_things_that_are_not_tables(tmp_path):
    with pytest.raises(exceptions.InvalidDataError, match=r"is a folder\. Expected a file"):
        read_baskets(tmp_path)
    with pytest.raises(exceptions.InvalidDataError, match=r"found list\. Expected a path"):
        read_baskets([1, 2])
    with pytest.raises(exceptions.InvalidDataError, match="have no rows"):
        read_baskets(make_shop()[0][:0], make_shop()[1])


def test_nothing_left_and_one_category(shop):
    with pytest.raises(exceptions.InvalidDataError, match=r"no line of .* is left .* outside the filter"):
        read_baskets(*shop, where="quantity > 100")
    with pytest.raises(exceptions.InvalidDataError, match="have one category, 'BEER'"):
        read_baskets(*shop, where="product_category = 'BEER'")


@pytest.mark.parametrize(
    "options", [{"memory_limit": "much"}, {"threads": 0}, {"value": "line"}, {"shared_baskets": "x"}]
)
def test_options_that_make_no_sense(shop, options):
    with pytest.raises(exceptions.InvalidParameterError) as caught:
        read_baskets(*shop, **options)
    assert next(iter(options)) in str(caught.value)


def test_a_small_memory_limit_gives_the_same(shop):
    found = read_baskets(*shop, memory_limit="200MB", threads=1)
    assert (found.counts != read_baskets(*shop).counts).nnz == 0


def test_column_names_that_need_quotes(shop):
    transactions, items = shop
    odd = transactions.rename(
        columns={"product_id": 'the "item"', "household_id": "reason", "basket_id": "amount"}
    )
    found = read_baskets(
        odd,
        items,
        item='the "item"',
        customer="reason",
        basket="amount",
        item_key="product_id",
        where="amount > 0",
    )
    assert (found.counts != read_baskets(*shop).counts).nnz == 0


@pytest.mark.parametrize("fraction", [-0.1, 1.0, float("nan"), 2])
def test_a_split_outside_its_domain(shop, fraction):
    with pytest.raises(exceptions.InvalidParameterError, match="test_fraction"):
        read_baskets(*shop).n_train(fraction)


def test_the_split(shop):
    found = read_baskets(*shop)
    assert found.n_train(0.2) == 160
    assert found.n_train(0) == 200
    with pytest.raises(exceptions.InvalidDataError, match="one part would be empty"):
        found.n_train(0.001)


def test_duckdb_is_asked_for_by_its_extra(shop, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "duckdb", None)
    with pytest.raises(exceptions.MissingExtraError, match=r'pip install "mixtura\[segment\]"'):
        read_baskets(*shop)


def test_the_real_data_has_the_published_size(complete_journey):
    found = read_baskets(**complete_journey, where="department = 'GROCERY'")
    assert found.n_lines == 1_469_307
    assert found.n_lines_used == found.counts.sum() == 928_997
    assert (found.n_baskets, found.n_customers, found.n_categories) == (121_140, 2_458, 94)
    assert found.n_nonzero == 641_502
    assert found.columns["category"].name == "product_category"
    assert sum(entry.n_lines for entry in found.dropped) == found.n_lines - found.n_lines_used


@pytest.mark.parametrize("kind", ["InterruptException", "RuntimeError"])
def test_ctrl_c_inside_duckdb_is_an_interruption(shop, monkeypatch, kind):
    import duckdb

    def interrupted(*_, **__):
        raise getattr(duckdb, kind, RuntimeError)("Interrupted!")

    monkeypatch.setattr(transactions_module, "open_table", interrupted)
    with pytest.raises(KeyboardInterrupt):
        read_baskets(*shop)


def test_too_little_memory_names_the_setting(shop):
    with pytest.raises(exceptions.InvalidDataError, match=r"ran out of memory .* memory_limit='1KB'"):
        read_baskets(*shop, memory_limit="1KB")
