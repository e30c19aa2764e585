"""CSV that a spreadsheet may open: texts stay texts, numbers stay numbers."""

import csv
from pathlib import Path

import numpy as np
import pytest

from mixtura import exceptions
from mixtura.segments.csv_output import ROWS, csv_cell, write_csv

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "=cmd|' /C calc'!A0", '=HYPERLINK("x")']


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_becomes_a_text(text):
    assert csv_cell(text) == f"'{text}"
    assert csv_cell(np.str_(text)) == f"'{text}"


@pytest.mark.parametrize("text", ["milk", " =1", "a=b", "3-4", "'=1", "", "<b>", "ä, ö"])
def test_other_texts_stay(text):
    assert csv_cell(text) == text


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (-5, "-5"),
        (np.int64(-5), "-5"),
        (-0.1, "-0.1"),
        (np.float64(1 / 3), repr(1 / 3)),
        (np.float32(0.5), "0.5"),
        (float("nan"), ""),
        (None, ""),
        (np.datetime64("NaT"), ""),
        (np.datetime64("2024-05-01T08:30:00.000000"), "2024-05-01T08:30:00"),
        (True, "true"),
        (np.bool_(False), "false"),
    ],
)
def test_values_that_are_no_texts(value, cell):
    assert csv_cell(value) == cell


def test_a_file_comes_back_as_it_was(tmp_path):
    rng = np.random.default_rng(0)
    n = ROWS + 7  # more than one block
    columns = {
        "=name": np.array([*FORMULAS, 'a "b", c', "two\nlines", *["x"] * (n - len(FORMULAS) - 2)]),
        "number": rng.integers(-9, 9, n),
        "share": rng.normal(size=n),
        "time": np.datetime64("2024-01-01") + np.arange(n).astype("timedelta64[s]"),
        "label": np.array([None, "-"] + ["y"] * (n - 2), dtype=object),
    }
    path = tmp_path / "table.csv"
    write_csv(columns, path)
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["'=name", "number", "share", "time", "label"]
    assert [row[0] for row in rows[: len(FORMULAS) + 2]] == [
        *(f"'{text}" for text in FORMULAS), 'a "b", c', "two\nlines"
    ]  # fmt: skip
    assert [int(row[1]) for row in rows] == columns["number"].tolist()
    assert [float(row[2]) for row in rows] == columns["share"].tolist()  # all digits
    assert rows[-1][3] == str(columns["time"][-1])
    assert [row[4] for row in rows[:3]] == ["", "'-", "y"]


def test_columns_of_different_length(tmp_path):
    with pytest.raises(
        exceptions.InvalidDataError, match=r"different length \('a' 2, 'b' 3\)\. Expected one value"
    ):
        write_csv({"a": [1, 2], "b": [1, 2, 3]}, tmp_path / "table.csv")
    assert list(Path(tmp_path).iterdir()) == []


def test_a_table_without_rows(tmp_path):
    write_csv({"a": np.array([]), "b": np.array([])}, tmp_path / "table.csv")
    assert (tmp_path / "table.csv").read_text() == "a,b\n"
