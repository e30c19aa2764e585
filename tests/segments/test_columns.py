"""Guesses of columns, and what is said about wrong names."""

import pytest

from mixtura import exceptions
from mixtura.segments.columns import Table, choose_columns
from mixtura.segments.vocabulary import stem

# Column names of public data sets and of usual exports, and the parts they play.
LAYOUTS = {
    "complete journey in R": (
        {"household_id": "VARCHAR", "basket_id": "VARCHAR", "product_id": "VARCHAR", "quantity": "DOUBLE",
         "sales_value": "DOUBLE", "week": "INTEGER", "transaction_timestamp": "TIMESTAMP"},
        {"product_id": "VARCHAR", "department": "VARCHAR", "product_category": "VARCHAR"},
        {"customer": "household_id", "basket": "basket_id", "item": "product_id", "quantity": "quantity",
         "category": "product_category", "time": "transaction_timestamp", "amount": "sales_value",
         "item_key": "product_id"},
    ),
    "complete journey, original": (
        {"household_key": "BIGINT", "BASKET_ID": "BIGINT", "DAY": "BIGINT", "PRODUCT_ID": "BIGINT",
         "QUANTITY": "BIGINT", "TRANS_TIME": "BIGINT", "WEEK_NO": "BIGINT"},
        {"PRODUCT_ID": "BIGINT", "DEPARTMENT": "VARCHAR", "COMMODITY_DESC": "VARCHAR",
         "SUB_COMMODITY_DESC": "VARCHAR"},
        {"customer": "household_key", "basket": "BASKET_ID", "item": "PRODUCT_ID",
         "category": "COMMODITY_DESC", "time": "DAY", "quantity": "QUANTITY", "item_key": "PRODUCT_ID"},
    ),
    "online retail": (
        {"InvoiceNo": "VARCHAR", "StockCode": "VARCHAR", "Description": "VARCHAR", "Quantity": "BIGINT",
         "InvoiceDate": "TIMESTAMP", "UnitPrice": "DOUBLE", "CustomerID": "BIGINT", "Category": "VARCHAR"},
        None,
        {"customer": "CustomerID", "basket": "InvoiceNo", "category": "Category", "time": "InvoiceDate",
         "quantity": "Quantity", "price": "UnitPrice"},
    ),
    "a time with an unusual name": (
        {"cust_no": "BIGINT", "category_id": "BIGINT", "category_name": "VARCHAR", "sold": "TIMESTAMP"},
        None,
        {"customer": "cust_no", "category": "category_name", "time": "sold"},
    ),
    "other names for the key": (
        {"member": "BIGINT", "receipt_nr": "BIGINT", "sku": "BIGINT", "date": "DATE"},
        {"article_no": "BIGINT", "article_name": "VARCHAR", "aisle": "VARCHAR"},
        {"customer": "member", "basket": "receipt_nr", "item": "sku", "category": "aisle", "time": "date",
         "item_key": "article_no"},
    ),
}  # fmt: skip

PLAIN = Table(
    "transactions", {"customer": "BIGINT", "basket": "BIGINT", "category": "VARCHAR", "day": "DATE"}
)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_usual_layouts_are_recognised(layout):
    transactions, items, expected = LAYOUTS[layout]
    chosen = choose_columns(Table("transactions", transactions), items and Table("items", items), {})
    assert {role: column.name for role, column in chosen.items()} == expected
    assert all(column.guessed for column in chosen.values())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("HouseholdID", ("household", "id")),
        ("customer", ("customer", "")),
        ("id", ("id", "")),
        ("Trx No.", ("transaction", "no")),
        ("product-category", ("product_category", "")),
    ],
)
def test_stem(name, expected):
    assert stem(name) == expected


def test_a_given_name_wins_and_is_not_a_guess():
    chosen = choose_columns(PLAIN, None, {"customer": "basket"})
    assert (chosen["customer"].name, chosen["customer"].guessed) == ("basket", False)
    assert "basket" not in chosen  # one column does not play two parts by a guess


def test_the_case_of_a_name_does_not_matter():
    assert choose_columns(PLAIN, None, {"customer": "CUSTOMER"})["customer"].name == "customer"


def test_a_name_may_say_its_table():
    items = Table("items", {"item": "BIGINT", "category": "VARCHAR"})
    lines = Table("transactions", {**PLAIN.columns, "item": "BIGINT"})
    assert choose_columns(lines, items, {})["category"].table == "items"
    assert (
        choose_columns(lines, items, {"category": "transactions.category"})["category"].table
        == "transactions"
    )
    assert choose_columns(lines, items, {"category": "items.category"})["category"].table == "items"


def test_a_wrong_name_gets_the_nearest_one():
    with pytest.raises(exceptions.ColumnNotFoundError) as caught:
        choose_columns(PLAIN, None, {"customer": "custmer"})
    message = str(caught.value)
    assert "customer column 'custmer' is not in the transactions (4 columns)" in message
    assert "Did you mean 'customer'?" in message


@pytest.mark.parametrize("missing", ["customer", "category", "day"])
def test_an_unrecognised_part_names_the_option(missing):
    columns = {name: kind for name, kind in PLAIN.columns.items() if name != missing}
    with pytest.raises(exceptions.ColumnNotFoundError) as caught:
        choose_columns(Table("transactions", columns), None, {})
    role = "time" if missing == "day" else missing
    assert f"--{role}" in str(caught.value)
    assert f"transactions: {', '.join(columns)}" in str(caught.value)


def test_an_item_table_needs_a_key_on_both_sides():
    items = Table("items", {"category": "VARCHAR", "size": "VARCHAR"})
    with pytest.raises(exceptions.ColumnNotFoundError, match="recognised as the item"):
        choose_columns(PLAIN, items, {})
    lines = Table("transactions", {**PLAIN.columns, "sku": "BIGINT"})
    with pytest.raises(exceptions.ColumnNotFoundError, match="--item-key"):
        choose_columns(lines, items, {})
    with pytest.raises(exceptions.ColumnNotFoundError, match="only in the item table"):
        choose_columns(lines, items, {"item": "size"})


def test_a_flag_names_nobody():
    chosen = choose_columns(Table("transactions", {**PLAIN.columns, "household": "BOOLEAN"}), None, {})
    assert chosen["customer"].name == "customer"


def test_the_item_may_be_a_level():
    items = Table("items", {"product_id": "BIGINT", "category": "VARCHAR"})
    lines = Table("transactions", {**PLAIN.columns, "product_id": "BIGINT"})
    chosen = choose_columns(lines, items, {"category": ["items.category", "product_id"]})
    assert {role: (column.table, column.name) for role, column in chosen.items() if role != "time"} == {
        "customer": ("transactions", "customer"), "basket": ("transactions", "basket"),
        "item": ("transactions", "product_id"), "item_key": ("items", "product_id"),
        "category": ("items", "category"), "category_2": ("transactions", "product_id"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "kind", "role"),
    [
        ("Revenue", "DOUBLE", "amount"), ("line_total", "DECIMAL(9,2)", "amount"), ("spend", "VARCHAR", None),
        ("amount_id", "BIGINT", None), ("Unit Price", "DOUBLE", "price"), ("price", "VARCHAR", None),
    ],
)  # fmt: skip
def test_money_is_guessed_from_name_and_type(name, kind, role):
    chosen = choose_columns(Table("transactions", {**PLAIN.columns, name: kind}), None, {})
    assert [part for part, column in chosen.items() if column.name == name] == [role] * (role is not None)
