"""Every place that a table can come from gives the same baskets; what cannot be read is said to be so."""

# ruff: noqa: S608 - the queries are the thing that is tested

import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from mixtura import exceptions
from mixtura.segments.engine import connect, source_name
from mixtura.segments.sources import open_table
from mixtura.segments.transactions import read_baskets

duckdb = pytest.importorskip("duckdb")


def same(found, expected):
    assert (found.counts != expected.counts).nnz == 0
    for name in ("baskets", "customers", "times", "categories"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


@pytest.fixture
def database(shop, tmp_path):
    """A DuckDB file with the shop in it."""
    path = tmp_path / "shop.duckdb"
    transactions, items = shop  # noqa: RUF059 - DuckDB finds them by name
    with duckdb.connect(path) as connection:
        connection.execute("CREATE TABLE sales AS SELECT * FROM transactions")
        connection.execute("CREATE SCHEMA master; CREATE TABLE master.products AS SELECT * FROM items")
        connection.execute("CREATE VIEW small AS SELECT * FROM sales WHERE quantity < 3")
        # A table of the user's that is called as ours are.
        connection.execute("CREATE TABLE transactions AS SELECT * FROM sales WHERE household_id < 9")
    return path


@pytest.mark.parametrize(
    ("lines", "products"),
    [
        ("sales", "master.products"),
        ("SALES", "SELECT * FROM master.products;"),
        ("SELECT * FROM sales", "WITH p AS (FROM master.products) SELECT * FROM p"),
        ("FROM sales -- all of it", "(SELECT * FROM master.products)"),
    ],
)
def test_a_duckdb_file(shop, database, lines, products):
    before = database.read_bytes()
    same(read_baskets(f"{database}::{lines}", f"{database}::{products}"), read_baskets(*shop))
    assert database.read_bytes() == before
    assert [path.name for path in database.parent.iterdir()] == [database.name]


def test_names_in_a_query_are_tables_of_the_file(shop, database):
    transactions, items = shop
    few = read_baskets(transactions[transactions.household_id < 9], items)
    same(read_baskets(f"{database}::transactions", items), few)
    same(read_baskets(f"{database}::SELECT * FROM transactions", f"{database}::master.products"), few)
    same(read_baskets(f"{database}::small", items), read_baskets(*shop, where="quantity < 3"))
    with pytest.raises(exceptions.InvalidDataError, match="shop does not exist"):  # not our variable
        read_baskets(f"{database}::SELECT * FROM shop")


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("sale", "has no table 'sale'. Expected a table of the file, or a query"),
        ("sale", "Did you mean 'sales'? Allowed: 'sales', 'small', 'transactions', 'master.products'."),
        ("", "has no table ''"),
        ("SELECT quantty FROM sales", "the query 'SELECT quantty FROM sales' cannot be used: "),
        ("SELECT * FROM sales; SELECT 1", "is several. Expected one"),
        ("SELECT * FROM nothing", "over the tables sales, small, transactions, products"),
        ("DROP TABLE sales", "has no table 'DROP TABLE sales'"),
        ("SELECT 1); DROP TABLE sales; SELECT (1", "cannot be used"),
    ],
)
def test_what_is_not_in_the_file(database, what, words):
    with pytest.raises(exceptions.InvalidDataError) as caught:
        read_baskets(f"{database}::{what}")
    assert words in str(caught.value)


def test_files_that_are_no_databases(database, tmp_path):
    with pytest.raises(exceptions.InvalidDataError, match=r"Did you mean '.*shop\.duckdb'\?"):
        read_baskets(f"{tmp_path / 'shp.duckdb'}::sales")
    with pytest.raises(exceptions.InvalidDataError, match=r"is a database\. Expected also which table"):
        read_baskets(database)
    (tmp_path / "text.db").write_text("no database, but a text of some length\n" * 500)
    with pytest.raises(
        exceptions.InvalidDataError, match=r"could not be opened as a DuckDB file: .* Expected"
    ):
        read_baskets(f"{tmp_path / 'text.db'}::sales")
    with pytest.raises(exceptions.InvalidDataError, match="names no file before '::'"):
        read_baskets("::sales")


def test_a_file_that_another_program_writes(database):
    hold = (
        "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", hold, str(database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(exceptions.InvalidDataError, match="Close the program that has it open"):
            read_baskets(f"{database}::sales")
        other.stdin.close()


def test_a_query_without_a_file_repairs_what_is_read(shop, tmp_path):
    transactions, items = shop
    day_first = transactions.transaction_timestamp.dt.strftime("%d/%m/%Y %H:%M")
    path = tmp_path / "sales.csv"
    transactions.assign(transaction_timestamp=day_first).to_csv(path, index=False)
    with pytest.raises(exceptions.InvalidDataError, match=r"are not times, .* Convert them \(in a query"):
        read_baskets(path, items)
    time = "strptime(transaction_timestamp, '%d/%m/%Y %H:%M') AS transaction_timestamp"
    found = read_baskets(f"::SELECT * REPLACE ({time}) FROM '{path}'", items)
    same(found, read_baskets(*shop))
    assert not any("exchanged" in note for note in found.notes)


@pytest.mark.parametrize(("pattern", "first"), [("%d/%m/%Y", "01/01/2024"), ("%d.%m.%Y", "01.01.2024")])
def test_how_dates_were_read_is_said(shop, tmp_path, pattern, first):
    transactions, items = shop
    transactions["transaction_timestamp"] = transactions.transaction_timestamp.dt.strftime(pattern)
    transactions.to_csv(tmp_path / "sales.csv", index=False)
    found = read_baskets(tmp_path / "sales.csv", items)
    assert any(
        note.startswith(
            f"Dates such as '{first}' in the column 'transaction_timestamp' were read as days from"
        )
        and "2024-01-01 to 2024-03-01" in note
        for note in found.notes
    ), found.notes


@pytest.mark.parametrize("kind", ["parquet", "csv", "csv.gz"])
def test_a_folder_is_all_its_files(shop, tmp_path, kind):
    transactions, items = shop
    folder = tmp_path / "sales"
    for name, part in (("a", transactions[:200]), ("sub/b", transactions[200:])):
        path = folder / f"{name}.{kind}"
        path.parent.mkdir(parents=True, exist_ok=True)
        columns = part.columns if name == "a" else part.columns[::-1]  # matched by name, not by place
        write = part[columns].to_parquet if kind == "parquet" else part[columns].to_csv
        write(path, index=False)
    (folder / "_SUCCESS").write_text("")
    (folder / f".hidden.{kind}").write_text("nonsense")
    (folder / "notes.pdf").write_text("nonsense")
    expected = read_baskets(*shop)
    same(read_baskets(folder, items), expected)
    same(read_baskets(str(folder), items), expected)
    same(read_baskets(f"{tmp_path}/*/**/*.{kind}", items), expected)
    same(read_baskets(f"{tmp_path}/sal*", items), expected)
    one = folder / f"a.{kind}"
    shutil.copy(one, folder / f"a[1]*.{kind}")  # a name, not a pattern
    same(read_baskets(folder / f"a[1]*.{kind}", items), read_baskets(one, items))


def test_names_of_folders_are_columns(shop, tmp_path):
    transactions, items = shop
    for month, part in transactions.groupby(transactions.transaction_timestamp.dt.month):
        folder = tmp_path / "sales" / f"month={month}"
        folder.mkdir(parents=True)
        part.to_parquet(folder / "part.parquet")
    found = read_baskets(tmp_path / "sales", items, where="month = 1")
    same(found, read_baskets(*shop, where="month(transaction_timestamp) = 1"))


def test_folders_and_patterns_that_cannot_be_used(shop, tmp_path):
    transactions, _ = shop
    with pytest.raises(exceptions.InvalidDataError, match=r"is a folder\. .* has none \(0 entries\)"):
        read_baskets(tmp_path)
    with pytest.raises(exceptions.InvalidDataError, match=r"no file matches the pattern .*in single quotes"):
        read_baskets(tmp_path / "*.csv")
    transactions.to_csv(tmp_path / "a.csv")
    transactions.to_parquet(tmp_path / "b.parquet")
    with pytest.raises(
        exceptions.InvalidDataError, match=r"holds both Parquet and CSV files \(\.csv, \.parquet\)"
    ):
        read_baskets(tmp_path)
    (tmp_path / "b.csv").write_text("")
    with pytest.raises(exceptions.InvalidDataError, match=r"b\.csv' is empty \(0 bytes\)"):
        read_baskets(tmp_path / "*.csv")


class Capsule:
    """Somebody's table with an Arrow stream, which may be asked for once."""

    def __init__(self, table):
        self.table = table

    def __arrow_c_stream__(self, requested_schema=None):
        table, self.table = self.table, None
        return table.__arrow_c_stream__(requested_schema)


@pytest.mark.parametrize("form", ["reader", "capsule", "relation", "table of a file", "batch", "dataset"])
def test_arrow_and_duckdb_objects(shop, database, form):
    pyarrow = pytest.importorskip("pyarrow")
    transactions, items = (pyarrow.Table.from_pandas(table, preserve_index=False) for table in shop)
    with duckdb.connect() as own, duckdb.connect(database, read_only=True) as file:
        own.register("held", transactions)
        if form == "reader":
            found = read_baskets(transactions.to_reader(max_chunksize=100), items.to_reader())
        elif form == "capsule":
            found = read_baskets(Capsule(transactions), Capsule(items))
        elif form == "relation":
            found = read_baskets(own.sql("SELECT * FROM held"), own.from_arrow(items))
        elif form == "table of a file":
            found = read_baskets(file.table("sales"), file.table("master.products"))
        elif form == "batch":
            found = read_baskets(transactions.combine_chunks().to_batches()[0], items)
        else:
            dataset = pytest.importorskip("pyarrow.dataset").dataset(transactions)
            found = read_baskets(dataset, items)
        same(found, read_baskets(*shop))


def test_a_connection_is_not_a_table(database):
    with (
        duckdb.connect(database, read_only=True) as connection,
        pytest.raises(
            exceptions.InvalidDataError, match=r"found DuckDBPyConnection\. .* connection\.table\('sales"
        ),
    ):
        read_baskets(connection)


def test_a_memory_limit_bounds_the_engine(tmp_path):
    """Four million rows, 64 MB in memory and more while they are sorted, under 40 MB."""
    path = tmp_path / "rows.parquet"
    with connect() as connection:
        connection.execute(
            f"COPY (SELECT range AS a, hash(range) AS b FROM range(4_000_000)) TO '{path}' (FORMAT parquet)"
        )
    with connect("40MB", threads=1) as connection:
        assert open_table(connection, "transactions", path).columns == {"a": "BIGINT", "b": "UBIGINT"}
        connection.execute("CREATE TEMP TABLE sorted AS SELECT * FROM transactions ORDER BY b")
        used, spilled = connection.execute(
            "SELECT sum(memory_usage_bytes), sum(temporary_storage_bytes) FROM duckdb_memory()"
        ).fetchone()
        assert connection.execute("SELECT count(*) FROM sorted").fetchone() == (4_000_000,)
    assert used <= 40_000_000
    assert spilled > 0


def test_names_of_sources():
    assert source_name("a/b/sales.parquet") == "sales.parquet"
    assert (
        source_name("a/b/shop.duckdb::SELECT *\n  FROM 'x/y.csv'") == "shop.duckdb::SELECT * FROM 'x/y.csv'"
    )
    assert source_name(pd.DataFrame()) == "pandas DataFrame"
