"""Data and reference results that are not part of the project: they lie next to it, or the tests skip."""

import json
from pathlib import Path

import numpy as np
import pytest

SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="session")
def shared():
    """The folder of data sets and reference results."""
    if not SHARED.is_dir():
        pytest.skip(
            "the data sets of the reference tests are not here (a folder shared/data beside the repository)"
        )
    return SHARED


@pytest.fixture(scope="session")
def table(shared):
    """Reads numeric columns of a data set by name, or a slice of them."""

    def read(name, columns, scale=1.0):
        with (shared / name / f"{name}.csv").open(encoding="utf-8") as file:
            header = next(file).strip().replace('"', "").split(",")
            rows = [line.strip().split(",") for line in file]
        every = range(len(header))
        wanted = (
            every[columns] if isinstance(columns, slice) else [header.index(column) for column in columns]
        )
        return np.array([[float(row[index]) for index in wanted] for row in rows]) * scale

    return read


@pytest.fixture(scope="session")
def results(shared):
    """Reads a JSON file of reference results."""

    def read(name):
        return json.loads((shared / "reference" / f"{name}.json").read_text(encoding="utf-8"))

    return read
