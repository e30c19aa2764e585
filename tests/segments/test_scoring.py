"""New baskets under a saved model."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

import mixtura
from mixtura import exceptions
from mixtura.segments import read_baskets, score_transactions, segment_transactions
from mixtura.segments.opening import describe_model
from segments.shop import make_shop

WHERE = "product_category <> 'BEER'"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "out"
    return segment_transactions(*make_shop(), n_missions=3, where=WHERE, out=out)


def test_the_training_baskets_score_as_they_did(run, shop):
    scores = score_transactions(run.folder, *shop)
    table = run.basket_table()
    for name in ("basket", "customer", "mission"):
        np.testing.assert_array_equal(scores.table[name], table[name])
    np.testing.assert_allclose(scores.table["log_likelihood"], table["log_likelihood"])
    assert scores.table["known_customer"].mean() > 0.9
    assert scores.names == {mission["number"]: mission["name"] for mission in run.missions["missions"]}


def test_settings_are_those_of_the_run_unless_given(run, shop):
    assert score_transactions(run.folder, *shop).baskets.where == WHERE
    everything = score_transactions(run.folder, *shop, where="true")
    assert [(d.reason, d.n_lines > 0) for d in everything.baskets.dropped] == [
        ("a category that the model does not know", True)
    ]


def test_new_customers_have_the_weights_of_all(run, shop):
    transactions, items = shop
    scores = score_transactions(run.folder, transactions.assign(household_id=12345), items)
    assert not scores.table["known_customer"].any()
    expected = run.model.score_samples(scores.baskets.counts)
    np.testing.assert_allclose(scores.table["log_likelihood"], expected)
    assert f"{scores.baskets.n_baskets} baskets are of 1 customers" in "\n".join(scores.summary())


def test_the_model_file_alone_is_enough(run, shop, tmp_path):
    shutil.copy(run.folder / "model.mixtura", tmp_path)
    scores = score_transactions(tmp_path / "model.mixtura", *shop, where=WHERE)
    np.testing.assert_array_equal(scores.table["mission"], run.basket_table()["mission"])
    assert scores.names == {}


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_scores_are_written(run, shop, tmp_path, suffix):
    out = tmp_path / f"scores.{suffix}"
    scores = score_transactions(run.folder, *shop, out=out)
    table = (pd.read_parquet if suffix == "parquet" else pd.read_csv)(out)
    np.testing.assert_array_equal(table.mission, scores.table["mission"])
    with pytest.raises(exceptions.OutputError, match=r"exists\. Expected a new name"):
        score_transactions(run.folder, *shop, out=out)
    score_transactions(run.folder, *shop, out=out, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_outputs_that_make_no_sense(run, shop, tmp_path):
    with pytest.raises(exceptions.InvalidParameterError, match=r"ends in '\.xlsx'"):
        score_transactions(run.folder, *shop, out=tmp_path / "a.xlsx")
    (tmp_path / "file").write_text("")
    with pytest.raises(exceptions.OutputError, match="could not be written"):
        score_transactions(run.folder, *shop, out=tmp_path / "file" / "a.csv")


def test_the_item_table_is_asked_for(run, shop):
    with pytest.raises(exceptions.InvalidDataError, match="made with an item table"):
        score_transactions(run.folder, shop[0])


def test_a_renamed_column_is_asked_for(run, shop):
    transactions, items = shop
    with pytest.raises(exceptions.ColumnNotFoundError, match=r"customer column .*household_id"):
        score_transactions(run.folder, transactions.rename(columns={"household_id": "shopper"}), items)
    renamed = transactions.rename(columns={"household_id": "shopper"})
    assert score_transactions(run.folder, renamed, items, customer="shopper").table["known_customer"].any()


def test_what_is_not_a_model(run, shop, tmp_path):
    (tmp_path / "foreign.mixtura").write_bytes(b"\x80\x04not one of ours")
    with pytest.raises(exceptions.ModelFileError):
        score_transactions(tmp_path / "foreign.mixtura", *shop)
    with pytest.raises(exceptions.ModelFileError, match="no model"):
        score_transactions(tmp_path / "missing.mixtura", *shop)
    with pytest.raises(exceptions.ModelFileError, match=r"holds a MultinomialMixture.*household mixture"):
        score_transactions(run.folder / "global.mixtura", *shop)
    mixtura.GaussianMixture(1).fit(np.arange(6.0).reshape(-1, 1)).save(tmp_path / "gauss.mixtura")
    with pytest.raises(exceptions.ModelFileError, match="holds a GaussianMixture"):
        score_transactions(tmp_path / "gauss.mixtura", *shop)


def test_a_damaged_missions_file_is_said_to_be_one(run, shop, tmp_path):
    folder = shutil.copytree(run.folder, tmp_path / "copy")
    for content in ("{", json.dumps([1])):
        (folder / "missions.json").write_text(content)
        with pytest.raises(exceptions.InvalidDataError, match=r"missions\.json"):
            score_transactions(folder, *shop)


def test_the_description_of_a_model(run, tmp_path):
    text = "\n".join(describe_model(run.folder))
    assert "GroupedMultinomialMixture" in text
    assert "Mission 1: " in text
    path = mixtura.GaussianMixture(1).fit(np.arange(6.0).reshape(-1, 1)).save(tmp_path / "gauss.mixtura")
    assert "GaussianMixture" in describe_model(path)[0]


# Models of folded, weighted and several levels of categories: what results must keep, and what scoring does with it.


def model_of(baskets, folder, *, known=True):
    """A folder of results with just what scoring reads."""
    folder.mkdir()
    model = mixtura.GroupedMultinomialMixture(2, random_state=0).fit(baskets.counts, groups=baskets.customers)
    model.feature_names_in_ = baskets.categories.astype(object)
    model.save(folder / "model.mixtura")
    content = {
        "command": {"value": baskets.value, "where": baskets.where},
        "columns": {role: {"name": c.name, "table": c.table} for role, c in baskets.columns.items()},
        "data": {"item_levels": baskets.item_levels()} if known else {},
        "missions": [{"number": 1, "name": "one"}, {"number": 2, "name": "two"}],
    }
    (folder / "missions.json").write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize(
    "options",
    [
        {"min_support": 55},
        {"top_items": 4, "rare": "drop"},
        {"category": ["department", "product_category"], "top_items": 3},
        {"category": ["product_category", "product_id"], "min_support": 0.1, "rare": "drop"},
        {"value": "amount", "price": "unit_price"},
        {"value": "amount", "amount": "paid", "min_support": 55},
    ],
    ids=str,
)
def test_the_lines_of_the_model_count_as_they_did(shop, tmp_path, options):
    transactions, items = shop
    price = np.random.default_rng(3).integers(1, 99, len(transactions)) / 10
    transactions = transactions.assign(unit_price=price, paid=price + 1)
    trained = read_baskets(transactions, items, **options)
    scores = score_transactions(model_of(trained, tmp_path / "run"), transactions, items)
    assert (scores.baskets.counts != trained.counts).nnz == 0
    assert scores.baskets.categories.tolist() == trained.categories.tolist()
    assert scores.baskets.value == trained.value
    assert scores.names == {1: "one", 2: "two"}


def test_new_categories_count_as_other_where_rare_ones_did(shop, tmp_path):
    transactions, items = shop
    new = items.assign(product_category=items.product_category.replace("BEER", "CAVIAR"))
    folder = model_of(read_baskets(transactions, items, min_support=55), tmp_path / "folded")
    assert score_transactions(folder, transactions, new).baskets.n_lines_used == len(transactions)
    called = items.assign(product_category=items.product_category.replace("MILK", "(other)"))
    folder = model_of(read_baskets(transactions, called), tmp_path / "called")
    scores = score_transactions(folder, transactions, new)
    assert [d.reason for d in scores.baskets.dropped] == ["a category that the model does not know"]
    folder = model_of(read_baskets(transactions, items, min_support=55), tmp_path / "file", known=False)
    assert score_transactions(folder, transactions, new).baskets.n_lines_used == len(transactions)


def test_money_is_asked_for_only_where_it_counts(shop, tmp_path):
    transactions, items = shop
    paid = transactions.assign(amount=1.5)
    lines = model_of(read_baskets(paid, items), tmp_path / "lines")
    assert score_transactions(lines, transactions, items).baskets.amounts is None
    weighted = model_of(read_baskets(paid, items, value="amount"), tmp_path / "amount")
    with pytest.raises(exceptions.ColumnNotFoundError, match=r"the amount column 'transactions\.amount'"):
        score_transactions(weighted, transactions, items)
    scores = score_transactions(weighted, transactions.assign(paid=1.5), items, amount="paid")
    assert scores.baskets.amount_column == "paid"


def test_customers_get_the_segment_that_the_run_gave_them(shop, tmp_path):
    run = segment_transactions(
        *shop, n_missions=3, n_segments=2, bootstrap=0, rivals=False, test_fraction=0, out=tmp_path / "run"
    )
    scores = score_transactions(tmp_path / "run", *shop, out_customers=tmp_path / "who.csv")
    assert scores.customers is not None
    then = run.customer_table()
    np.testing.assert_array_equal(scores.customers["customer"], then["customer"])
    np.testing.assert_array_equal(scores.customers["segment"], then["segment"])
    np.testing.assert_allclose(
        scores.customers["segment_probability"], then["segment_probability"], atol=1e-6
    )
    assert len((tmp_path / "who.csv").read_text().splitlines()) == len(then["customer"]) + 1
    assert any(line.startswith("Segment ") for line in scores.summary())


def test_segments_without_missions_score_too(shop, tmp_path):
    run = segment_transactions(
        *shop, level="customers", n_segments=2, bootstrap=0, test_fraction=0, out=tmp_path / "run"
    )
    assert run.missions is None
    assert not (tmp_path / "run" / "missions.json").exists()
    scores = score_transactions(tmp_path / "run", *shop)
    np.testing.assert_array_equal(scores.customers["segment"], run.customer_table()["segment"])
    assert "mission" not in scores.table
    assert any(line.startswith("Segment 1: ") for line in describe_model(tmp_path / "run"))


def test_segments_are_not_to_be_had_from_missions_alone(shop, tmp_path):
    segment_transactions(
        *shop, level="baskets", n_missions=2, bootstrap=0, rivals=False, out=tmp_path / "run"
    )
    with pytest.raises(exceptions.InvalidParameterError, match="comes without segments of customers"):
        score_transactions(tmp_path / "run", *shop, out_customers=tmp_path / "who.csv")
