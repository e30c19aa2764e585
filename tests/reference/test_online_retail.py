"""A second retailer: 541,909 lines with returns, postage and customers without a number, as they were published."""

from importlib.util import find_spec

import pytest

pytestmark = pytest.mark.skipif(not find_spec("duckdb"), reason="needs the extra 'segment'")

# Stock codes that are no goods: postage, manual entries, discounts, samples, fees, commissions and vouchers.
GOODS = (
    "NOT regexp_full_match(upper(StockCode), "
    "'POST|DOT|D|M|S|C2|B|CRUK|PADS|AMAZONFEE|BANK CHARGES|GIFT_.*|DCGS.*')"
)


@pytest.fixture(scope="module")
def path(shared):
    file = shared / "online_retail" / "online_retail.csv.gz"
    if not file.is_file():
        pytest.skip("the data set online_retail is not here")
    return file


def test_it_is_read_with_the_name_of_one_column(path):
    from mixtura.segments import read_baskets

    found = read_baskets(path, category="Description")
    assert {role: column.name for role, column in found.columns.items()} == {
        "customer": "CustomerID", "basket": "InvoiceNo", "category": "Description", "time": "InvoiceDate",
        "quantity": "Quantity", "price": "UnitPrice",
    }  # fmt: skip
    assert found.n_lines == 541_909
    dropped = {entry.reason: entry.n_lines for entry in found.dropped}
    assert dropped == {"no customer": 135_080, "negative quantity: a return": 8_905}
    # The published clean set leaves out 40 more lines, of price 0: 397,884 lines, 18,532 invoices, 4,338 customers.
    assert found.n_lines_used == 397_884 + 40
    assert not any(str(invoice).startswith("C") for invoice in found.baskets)
    assert found.amount_column == "UnitPrice x Quantity"
    assert any("may not be goods: 'POSTAGE' (1,099 lines)" in note for note in found.notes)
    assert not any("exchanged" in note for note in found.notes)  # dates are in ISO 8601


def test_a_filter_leaves_goods(path):
    from mixtura.segments import read_baskets

    clean = read_baskets(path, category="Description", where="UnitPrice > 0")
    assert (clean.n_lines_used, clean.n_baskets, clean.n_customers) == (397_884, 18_532, 4_338)
    goods = read_baskets(path, category="Description", where=f"UnitPrice > 0 AND {GOODS}", min_support=100)
    assert not any("may not be goods" in note for note in goods.notes)
    assert goods.n_lines_used == 396_337
    assert goods.categories[-1] == "(other)"
    assert (
        goods.n_categories == 1_175 - 3
    )  # without POSTAGE, Manual and CARRIAGE, which are in 100 baskets or more
