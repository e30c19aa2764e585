"""The customer table: joined to the customers with baskets, and brought to few values."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from mixtura import exceptions
from mixtura.segments.customer_columns import few_values
from mixtura.segments.transactions import read_baskets


@pytest.fixture
def people():
    """One row for each of 30 customers, of whom 24 may have baskets; in no order."""
    rng = np.random.default_rng(8)
    return pd.DataFrame(
        {
            "household_id": rng.permutation(30) + 1,
            "region": rng.choice(["north", "south", "west"], 30),
            "children": rng.integers(0, 4, 30),
            "income": rng.normal(40_000, 9_000, 30).round(),
            "street": [f"{number} High Street" for number in range(30)],
            "member": rng.random(30) < 0.5,
        }
    )


def test_rows_are_in_the_order_of_the_customers(shop, people):
    found = read_baskets(*shop, customers=people)
    customers = np.unique(found.customers)
    mine = people.set_index("household_id").loc[customers]
    table = found.customer_table
    assert list(table) == ["region", "children", "income", "street", "member"]
    assert all(len(column) == len(customers) for column in table.values())
    assert table["region"].tolist() == mine.region.tolist()
    assert table["children"].tolist() == mine.children.tolist()
    assert table["member"].tolist() == mine.member.map({True: "true", False: "false"}).tolist()
    key = found.columns["customer_key"]
    assert (key.name, key.table, key.guessed) == ("household_id", "customers", True)
    assert found.customers_source == "pandas DataFrame"


def test_numbers_are_put_into_classes_of_equal_size(shop, people):
    found = read_baskets(*shop, customers=people)
    classes = pd.Series(found.customer_table["income"])
    income = people.set_index("household_id").loc[np.unique(found.customers)].income.to_numpy()
    ranges = pd.Series(income).groupby(classes.to_numpy()).agg(["min", "max", "size"])
    assert [label[:3] for label in ranges.index] == ["Q1:", "Q2:", "Q3:", "Q4:", "Q5:"]
    assert (ranges["max"].to_numpy()[:-1] < ranges["min"].to_numpy()[1:]).all()
    assert ranges["size"].max() - ranges["size"].min() <= 1
    assert "The column 'income' of the customer table is in 5 classes of about equal size." in found.notes


def test_columns_that_do_not_compare_are_left_out(shop, people):
    many = pd.concat([people] * 4, ignore_index=True)
    many["household_id"] = np.arange(len(many)) + 1
    many["street"] = [f"{number} High Street" for number in range(len(many))]
    many = many.assign(country="UK", note=None)
    transactions, items = shop
    spread = transactions.assign(household_id=transactions.basket_id % 100 + 1)
    found = read_baskets(spread, items, customers=many)
    assert list(found.customer_table) == ["region", "children", "income", "member"]
    left = [note for note in found.notes if "is left out" in note]
    assert left == [
        "The column 'street' of the customer table is left out: it has 100 different values; expected 2 to 50.",
        "The column 'country' of the customer table is left out: it has 1 different value; expected 2 to 50.",
        "The column 'note' of the customer table is left out: it has no value; expected 2 to 50.",
    ]


def test_customers_without_a_row_are_unknown(shop, people):
    found = read_baskets(*shop, customers=people[people.household_id > 5])
    customers = np.unique(found.customers)
    unknown = customers <= 5
    assert unknown.any()
    assert (pd.isna(found.customer_table["region"]) == unknown).all()
    assert (np.isnan(found.customer_table["children"]) == unknown).all()
    assert (pd.isna(found.customer_table["income"]) == unknown).all()
    assert f"{unknown.sum()} of {len(customers)} customers have no row in the customer table." in found.notes
    assert found.n_lines_used == found.n_lines


def test_missing_and_odd_values(shop, people):
    people = people.astype({"children": float})
    people.loc[people.household_id == 1, ["children", "region"]] = [np.nan, "  "]
    people.loc[people.household_id == 2, ["children", "region"]] = [np.inf, None]
    found = read_baskets(*shop, customers=people)
    customers = np.unique(found.customers)
    unknown = np.isin(customers, [1, 2])
    assert unknown.sum() == 2
    assert (np.isnan(found.customer_table["children"]) == unknown).all()
    assert ([text is None for text in found.customer_table["region"]] == unknown).all()


@pytest.mark.parametrize("form", ["text key", "other name", "named", "csv", "duckdb", "text customers"])
def test_the_key_in_any_form(shop, people, form, tmp_path):
    transactions, items = shop
    expected = read_baskets(transactions, items, customers=people).customer_table
    options = {}
    if form == "text key":
        people = people.astype({"household_id": str})
    elif form == "other name":
        people = people.rename(columns={"household_id": "customer_no"})
    elif form == "named":
        people = people.rename(columns={"household_id": "who", "region": "customer"})
        expected["customer"] = expected.pop("region")
        options["customer_key"] = "WHO"
    elif form == "csv":
        people.to_csv(tmp_path / "people.csv", index=False)
        people = tmp_path / "people.csv"
    elif form == "duckdb":
        duckdb = pytest.importorskip("duckdb")
        with duckdb.connect(tmp_path / "shop.duckdb") as connection:
            connection.execute("CREATE TABLE members AS SELECT * FROM people")
        people = f"{tmp_path / 'shop.duckdb'}::members"
    else:
        transactions = transactions.assign(household_id="C" + transactions.household_id.astype(str))
        people["household_id"] = "C" + people.household_id.astype(str)
    found = read_baskets(transactions, items, customers=people, **options)
    table = found.customer_table
    if form == "text customers":  # in the order of texts: C1, C10, C11, ...
        order = np.argsort(np.char.replace(np.unique(found.customers), "C", "").astype(int))
        table = {name: column[order] for name, column in table.items()}
    for name, column in expected.items():
        assert table[name].tolist() == column.tolist()


def test_repeated_customers_are_refused(shop, people):
    twice = pd.concat([people, people[:3], people[:1]])
    with pytest.raises(exceptions.InvalidDataError) as caught:
        read_baskets(*shop, customers=twice)
    message = str(caught.value)
    assert "3 values of the key 'household_id' stand in several rows (7 rows in all)" in message
    assert f"{people.household_id[0]} (3 rows)" in message
    assert "Expected one row per customer" in message
    empty = people.astype({"household_id": float})
    empty.loc[:3, "household_id"] = np.nan  # rows of nobody are not repeated
    assert read_baskets(*shop, customers=empty).customer_table


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        ({"household_id": "who"}, {}, "no column was recognised as the customer key"),
        ({"household_id": "who"}, {}, "--customer-key"),
        ({}, {"customer_key": "houshold"}, "Did you mean 'household_id'?"),
        (
            {},
            {"customer_key": "region"},
            "none of the 24 customers with baskets stands in its column 'region'",
        ),
    ],
)
def test_keys_that_cannot_be_used(shop, people, change, options, words):
    people = people.drop_duplicates("region") if options.get("customer_key") == "region" else people
    with pytest.raises(exceptions.InvalidDataError) as caught:
        read_baskets(*shop, customers=people.rename(columns=change), **options)
    assert words in str(caught.value)


def test_a_key_without_a_table(shop):
    with pytest.raises(exceptions.InvalidParameterError, match=r"there is none\. Expected both or neither"):
        read_baskets(*shop, customer_key="household_id")
    with pytest.raises(exceptions.InvalidDataError, match="the customers: no file"):
        read_baskets(*shop, customers="people.csv")
    assert read_baskets(*shop).customer_table is None


@pytest.mark.parametrize(
    "numbers",
    [
        np.r_[np.zeros(95), np.arange(1, 20)],  # most share the smallest
        np.r_[np.full(95, 99), np.arange(20)],  # most share the largest
        1e9 + np.arange(100.0),  # many digits in common
        np.linspace(-1e-6, 1e-6, 100),
        np.r_[np.arange(50.0), np.full(50, np.nan)],
    ],
)
def test_classes_of_awkward_numbers(numbers):
    labels, note = few_values("x", numbers, numeric=True)
    known = ~np.isnan(numbers)
    different = sorted(set(labels[known]))
    assert 2 <= len(different) <= 5
    assert f"{len(different)} classes" in note
    bounds = [(numbers[labels == label].min(), numbers[labels == label].max()) for label in different]
    assert all(low[1] < high[0] for low, high in pairwise(bounds))  # in order, apart
    assert all(label is None for label in labels[~known])
    assert len({label.split(": ")[1] for label in different}) == len(different)


def test_the_real_demographics(complete_journey):
    people = complete_journey["items"].with_name("demographics.parquet")
    found = read_baskets(**complete_journey, customers=people, where="department = 'GROCERY'")
    known = np.array([value is not None for value in found.customer_table["income"]])
    assert len(known) == found.n_customers == 2_458
    assert known.sum() == 801
    assert set(found.customer_table["age"][known]) == {"19-24", "25-34", "35-44", "45-54", "55-64", "65+"}
