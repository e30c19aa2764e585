"""A whole refresh: three quarters of a shop's baskets, then all of them, with names that somebody edited."""

import numpy as np
import pytest

from mixtura.segments import segment_transactions
from mixtura.segments.migration import stayed
from segments.shop import make_shop

pytest.importorskip("pyarrow")
QUICK = {"bootstrap": 0, "rivals": False}


@pytest.fixture(scope="module")
def shop():
    return make_shop(60, 600)


@pytest.fixture
def first(shop, tmp_path):
    """A folder of results in which mission 2 and segment 1 have got names of their own."""
    transactions, items = shop
    times = transactions["transaction_timestamp"]
    early = transactions[times < np.quantile(times, 0.75)]
    segment_transactions(early, items, n_missions=[2, 3, 4], out=tmp_path / "first", **QUICK)
    path = tmp_path / "first" / "names.toml"
    text, edited = path.read_text(encoding="utf-8"), []
    for line in text.splitlines():
        number = line.split(" =")[0]
        heading = next((old for old in reversed(edited) if old.startswith("[")), "")
        if (heading, number) in {("[missions]", "2"), ("[segments]", "1")}:
            edited.append(f'{number} = "Mine {heading[1]}"')
        else:
            edited.append(line)
    path.write_text("\n".join(edited), encoding="utf-8")
    return tmp_path / "first"


def test_numbers_names_and_customers_go_on(shop, first, tmp_path):
    found = segment_transactions(*shop, previous=first, out=tmp_path / "second", **QUICK)
    for content, level in ((found.missions, "missions"), (found.segments, "segments")):
        assert [entry["number"] for entry in content[level]] == list(range(1, len(content[level]) + 1))
        assert all(entry["previous"]["name"] == entry["name"] for entry in content[level])
        refresh = content["refresh"]
        assert (refresh["n_matched"], refresh["new"], refresh["gone"]) == (len(content[level]), [], [])
        assert np.sum(refresh["migration"]["counts"]) == content["data"]["n_customers"] == 60
        assert stayed(refresh["migration"])[0] > 40
        assert "as before" in content["choice"]["sentence"]
    assert found.missions["missions"][1]["name"] == "Mine m"
    assert found.missions["missions"][1]["auto_name"] != "Mine m"
    assert found.segments["segments"][0]["name"] == "Mine s"
    assert '2 = "Mine m"  # automatic: "' in (tmp_path / "second" / "names.toml").read_text(encoding="utf-8")


def test_edited_names_survive_a_new_run_with_another_number(shop, first):
    found = segment_transactions(*shop, n_missions=4, out=first, overwrite=True, **QUICK)
    names = [mission["name"] for mission in found.missions["missions"]]
    assert len(names) == 4
    assert names.count("Mine m") == 1
    assert found.segments["segments"][0]["name"] == "Mine s"
    assert found.missions["refresh"] is None
