"""Both levels of the results against the same numbers computed from the tables and the formulas alone."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.special import gammaln
from scipy.stats import multinomial

pytest.importorskip("pyarrow", reason='needs the extra: pip install "mixtura[segment]"')
pytest.importorskip("plotly", reason='needs the extra: pip install "mixtura[segment]"')

from mixtura import load
from mixtura.segments import segment_transactions
from segments.shop import make_shop

K, S = 4, 3
CLOSE = {"rtol": 1e-9, "atol": 1e-9}


def with_money(lines, seed=5):
    """The lines with money, and customers that no number could stand for."""
    prices = np.random.default_rng(seed).gamma(2.0, 2.0, size=len(lines)).round(2)
    return lines.assign(sales_value=prices, household_id="shopper-" + lines.household_id.astype(str))


class Run:
    """One run, its files, and the tables that it was made from."""

    def __init__(self, folder):
        lines, items = make_shop(n_customers=110, n_baskets=500, seed=2)
        lines = with_money(lines)
        everyone = sorted(lines.household_id.unique())
        age = np.random.default_rng(1).choice(["young", "old", None], p=[0.45, 0.45, 0.1], size=len(everyone))
        self.people = pd.DataFrame({"household_id": everyone, "age": age})
        options = {"n_missions": K, "n_segments": S, "bootstrap": 2}
        self.found = segment_transactions(lines, items, self.people, csv=True, out=folder / "out", **options)
        self.folder = folder / "out"
        self.missions, self.segments = (
            json.loads((self.folder / f"{level}.json").read_text(encoding="utf-8"))
            for level in ("missions", "segments")
        )
        self.customers = pd.read_parquet(self.folder / "customers.parquet").set_index("customer")
        joined = lines.merge(items, on="product_id")
        baskets = joined.groupby("basket_id").agg(
            customer=("household_id", "first"),
            time=("transaction_timestamp", "first"),
            amount=("sales_value", "sum"),
        )
        order = baskets.sort_values("time").index
        self.baskets = baskets.loc[order]
        wide = pd.crosstab(joined.basket_id, joined.product_category).loc[order]
        self.counts = wide[self.missions["categories"]].to_numpy(float)
        self.n_train = round(0.8 * len(order))
        self.train = np.arange(len(order)) < self.n_train
        self.resp = self._missions_of_baskets()

    def _missions_of_baskets(self):
        model = load(self.folder / "model.mixtura")
        weights = dict(zip(model.groups_.tolist(), model.group_weights_, strict=True))
        own = np.array([weights.get(customer, model.weights_) for customer in self.baskets.customer])
        joint = own * np.exp(self.counts @ np.log(model.profiles_).T)
        return joint / joint.sum(axis=1, keepdims=True)

    def per_customer(self, values, rows):
        """Sums over some of the baskets, a row for each customer in order of name."""
        frame = pd.DataFrame(np.asarray(values)[rows], index=self.baskets.customer[rows])
        return frame.groupby(level=0).sum().reindex(self.customers.index, fill_value=0.0).to_numpy()

    def segments_of(self, counts):
        """Probabilities by the density of the Dirichlet-multinomial."""
        model = load(self.folder / "segments.mixtura")
        alpha = model.profiles_ * model.concentration_[:, None]
        log_joint = np.log(model.weights_) + np.stack(
            [
                gammaln(a.sum())
                - gammaln(a.sum() + counts.sum(axis=1))
                + (gammaln(counts + a) - gammaln(a)).sum(axis=1)
                for a in alpha
            ],
            axis=1,
        )
        joint = np.exp(log_joint - log_joint.max(axis=1, keepdims=True))
        return joint / joint.sum(axis=1, keepdims=True)

    @property
    def of_customers(self):
        """Probabilities of the segments, from the baskets before the split."""
        return self.segments_of(self.per_customer(self.resp, self.train))

    def cards(self, level, key):
        return [card[key] for card in getattr(self, level)[level]]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return Run(tmp_path_factory.mktemp("levels"))


def test_missions_add_up(run):
    resp = run.resp[run.train]
    money = run.baskets.amount.to_numpy()[run.train]
    sizes = resp.sum(axis=0)
    np.testing.assert_allclose(run.cards("missions", "n_baskets"), sizes, **CLOSE)
    np.testing.assert_allclose(run.cards("missions", "weight"), sizes / run.n_train, **CLOSE)
    np.testing.assert_allclose(run.cards("missions", "amount"), money @ resp, **CLOSE)
    np.testing.assert_allclose(run.cards("missions", "share_amount"), money @ resp / money.sum(), **CLOSE)
    lines = run.counts[run.train].sum(axis=1) @ resp
    np.testing.assert_allclose(run.cards("missions", "mean_lines"), lines / sizes, **CLOSE)
    expected = run.per_customer(run.resp, run.train)
    seen = expected.sum(axis=1) > 0
    np.testing.assert_allclose(run.cards("missions", "share_customers"), (expected[seen] >= 1).mean(axis=0))
    assert run.missions["data"]["total_amount"] == pytest.approx(run.baskets.amount.sum())
    shares = run.counts[run.train].sum(axis=0) / run.counts[run.train].sum()
    np.testing.assert_allclose(run.missions["category_share"], shares, **CLOSE)


def test_segments_add_up(run):
    resp = run.of_customers
    seen = run.customers.n_train_baskets > 0
    assert 0 < (~seen).sum() < 30, "the test needs customers of the later baskets alone"
    np.testing.assert_allclose(
        run.customers.loc[seen, [f"segment_{s + 1}" for s in range(S)]], resp[seen], rtol=1e-6, atol=1e-9
    )
    resp = resp[seen]
    n_baskets = run.customers.n_train_baskets[seen].to_numpy()
    money = run.per_customer(run.baskets[["amount"]], run.train)[seen, 0]
    sizes = resp.sum(axis=0)
    close = {"rtol": 1e-6}
    np.testing.assert_allclose(run.cards("segments", "n_customers"), sizes, **close)
    np.testing.assert_allclose(run.cards("segments", "weight"), sizes / seen.sum(), **close)
    np.testing.assert_allclose(run.cards("segments", "n_baskets"), n_baskets @ resp, **close)
    np.testing.assert_allclose(
        run.cards("segments", "share_baskets"), n_baskets @ resp / run.n_train, **close
    )
    np.testing.assert_allclose(
        run.cards("segments", "baskets_per_customer"), n_baskets @ resp / sizes, **close
    )
    np.testing.assert_allclose(run.cards("segments", "amount"), money @ resp, **close)
    np.testing.assert_allclose(run.cards("segments", "share_amount"), money @ resp / money.sum(), **close)
    np.testing.assert_allclose(run.cards("segments", "amount_per_customer"), money @ resp / sizes, **close)
    labels = np.bincount(resp.argmax(axis=1), minlength=S)
    assert run.cards("segments", "n_customers_assigned") == labels.tolist()
    lines = resp.T @ run.per_customer(run.resp, run.train)[seen]
    profiles = lines / lines.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(run.cards("segments", "profile"), profiles, **close)
    np.testing.assert_allclose(run.segments["feature_share"], lines.sum(axis=0) / lines.sum(), **close)
    assert run.segments["features"] == run.cards("missions", "name")
    for card, shares in zip(run.segments["segments"], profiles, strict=True):
        for entry in card["top"]:
            feature = run.segments["features"].index(entry["feature"])
            assert entry["share"] == pytest.approx(shares[feature], rel=1e-6)
            assert entry["lift"] == pytest.approx(
                shares[feature] / run.segments["feature_share"][feature], rel=1e-6
            )
            assert entry["lift_low"] < entry["lift"] < entry["lift_high"]


def test_components_are_in_order_of_size(run):
    for level, size in (("missions", "n_baskets"), ("segments", "n_customers")):
        assert run.cards(level, size) == sorted(run.cards(level, size), reverse=True)
        assert run.cards(level, "number") == list(range(1, len(run.cards(level, size)) + 1))


@pytest.mark.parametrize("level", ["missions", "segments"])
def test_certainty_is_that_of_the_largest_probability(run, level):
    resp = run.resp[run.train] if level == "missions" else run.of_customers[run.customers.n_train_baskets > 0]
    largest, label = resp.max(axis=1), resp.argmax(axis=1)
    for k, value in enumerate(run.cards(level, "certainty")):
        assert value == pytest.approx(largest[label == k].mean(), rel=1e-6)
    found = getattr(run, level)["certainty"]
    assert found["mean"] == pytest.approx(largest.mean(), rel=1e-6)
    assert found["share_above_80"] == pytest.approx((largest > 0.8).mean())
    bins = [int(((largest > low) & (largest <= high + (high == 1))).sum()) for low, high in
            zip(found["histogram"]["edges"], found["histogram"]["edges"][1:], strict=False)]  # fmt: skip
    assert found["histogram"]["counts"] == bins


@pytest.mark.parametrize(("level", "key"), [("missions", "category"), ("segments", "feature")])
def test_the_nearest_other_and_the_difference(run, level, key):
    content = getattr(run, level)
    columns = content["categories" if level == "missions" else "features"]
    profiles = run.cards(level, "profile")
    for k, card in enumerate(content[level]):
        assert sum(card["profile"]) == pytest.approx(1)
        distances = {
            other + 1: sum(abs(a - b) for a, b in zip(profiles[k], profiles[other], strict=True))
            for other in range(len(profiles))
            if other != k
        }
        near = card["nearest"]
        assert near["number"] == min(distances, key=distances.get)
        assert near["distance"] == pytest.approx(distances[near["number"]])
        other = profiles[near["number"] - 1]
        signed = dict(zip(columns, np.subtract(profiles[k], other), strict=True))
        assert [entry[key] for entry in near["more"]] == sorted(
            (name for name in signed if signed[name] > 0), key=lambda name: -signed[name]
        )[:3]
        assert [entry[key] for entry in near["less"]] == sorted(
            (name for name in signed if signed[name] < 0), key=signed.get
        )[:3]
        for entry in near["more"] + near["less"]:
            assert entry["difference"] == pytest.approx(signed[entry[key]])


@pytest.mark.parametrize("level", ["missions", "segments"])
def test_cuts_of_the_tree_are_nested_and_follow_its_merges(run, level):
    tree, weights = getattr(run, level)["tree"], run.cards(level, "weight")
    n = len(weights)
    assert tree["heights"] == sorted(tree["heights"])
    assert [cut["n"] for cut in sorted(tree["groups"], key=lambda cut: cut["n"])] == list(range(2, n + 1))
    members = {leaf: {leaf} for leaf in range(n)}
    partitions = {n: {frozenset({leaf}) for leaf in range(n)}}
    for merge, (a, b) in enumerate(tree["children"]):
        members[n + merge] = members.pop(a) | members.pop(b)
        partitions[len(members)] = {frozenset(group) for group in members.values()}
    assert list(partitions) == list(range(n, 0, -1))
    for cut in tree["groups"]:
        labels = np.array(cut["labels"])
        assert {
            frozenset(np.flatnonzero(labels == label).tolist()) for label in range(cut["n"])
        } == partitions[cut["n"]]
        sizes = np.bincount(labels, weights=weights)
        assert sizes.tolist() == sorted(sizes, reverse=True)
        assert len(set(cut["names"])) == cut["n"]


@pytest.mark.parametrize("level", ["missions", "segments"])
def test_shares_of_visits_by_week(run, level):
    found = getattr(run, level)["timeline"]
    mondays = run.baskets.time.dt.to_period("W-SUN").dt.start_time
    place = run.customers.index.get_indexer(run.baskets.customer)
    each = (
        run.resp
        if level == "missions"
        else run.customers[[f"segment_{s + 1}" for s in range(S)]].to_numpy()[place]
    )
    assert found["periods"] == [
        str(day.date()) for day in pd.date_range(mondays.min(), mondays.max(), freq="7D")
    ]
    for label, n, shares in zip(found["periods"], found["n_baskets"], found["shares"], strict=True):
        mine = (mondays == label).to_numpy()
        assert n == mine.sum()
        np.testing.assert_allclose(
            shares, each[mine].mean(axis=0) if n else [None] * each.shape[1], rtol=1e-6
        )
    assert sum(found["n_baskets"]) == len(run.baskets)


def test_flows_are_segments_of_two_halves(run):
    time = run.baskets.time
    late = (time > time.min() + (time.max() - time.min()) / 2).to_numpy()
    halves = [run.per_customer(run.resp, rows) for rows in (~late, late)]
    both = (halves[0].sum(axis=1) > 0) & (halves[1].sum(axis=1) > 0)
    first, second = (run.segments_of(half[both]).argmax(axis=1) for half in halves)
    table = [[int(((first == a) & (second == b)).sum()) for b in range(S)] for a in range(S)]
    found = run.segments["flows"]
    assert found["counts"] == table
    assert np.sum(table) == both.sum() < len(run.customers)
    assert found["names"] == run.cards("segments", "name")
    assert found["from_label"].startswith(str(time.min().date()))
    assert found["to_label"].endswith(str(time.max().date()))


def test_demographics_count_customers(run):
    seen = run.customers.index[run.customers.n_train_baskets > 0]
    ages = run.people.set_index("household_id").age[seen].to_numpy()
    resp = run.of_customers[run.customers.n_train_baskets > 0]
    (found,) = run.segments["demographics"]
    assert found["column"] == "age"
    assert found["n_customers"] == pd.notna(ages).sum() < len(seen)
    for value, counts in zip(found["values"], np.transpose(found["counts"]), strict=True):
        np.testing.assert_allclose(counts, resp[ages == value].sum(axis=0), rtol=1e-6)
    assert np.sum(found["counts"]) == pytest.approx(found["n_customers"])
    assert 0 <= found["p_value"] <= 1


def test_the_table_of_customers(run):
    table = run.customers
    n_before = run.baskets.customer[run.train].value_counts().reindex(table.index, fill_value=0)
    assert table.n_train_baskets.tolist() == n_before.tolist()
    assert table.n_baskets.tolist() == run.baskets.customer.value_counts()[table.index].tolist()
    probabilities = table[[f"segment_{s + 1}" for s in range(S)]].to_numpy()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert table.segment.tolist() == (probabilities.argmax(axis=1) + 1).tolist()
    names = dict(zip(run.cards("segments", "number"), run.cards("segments", "name"), strict=True))
    assert table.segment_name.tolist() == [names[number] for number in table.segment]
    np.testing.assert_allclose(table.segment_probability, probabilities.max(axis=1))
    mixes = table[[f"mission_{k + 1}" for k in range(K)]].to_numpy()
    assert table.dominant_mission.tolist() == (mixes.argmax(axis=1) + 1).tolist()
    money = run.baskets.groupby("customer").amount.sum()[table.index]
    np.testing.assert_allclose(table.amount, money)


@pytest.mark.parametrize("name", ["customers", "baskets"])
def test_csv_files_hold_the_same(run, name):
    stored = pd.read_parquet(run.folder / f"{name}.parquet")
    text = pd.read_csv(run.folder / f"{name}.csv", parse_dates=["time"] if name == "baskets" else None)
    pd.testing.assert_frame_equal(text, stored, check_dtype=False, rtol=1e-12)


def test_the_sample_shows_real_customers(run):
    table = pd.read_parquet(run.folder / "baskets.parquet")
    own = run.per_customer(run.resp, run.train)
    part = run.segments["customers"]
    assert part["n_sampled"] == len(part["sample"]) == len({entry["customer"] for entry in part["sample"]})
    for entry in part["sample"]:
        row = run.customers.index.get_loc(entry["customer"])
        assert entry["segment"] == run.customers.segment.iloc[row]
        assert entry["n_baskets"] == run.customers.n_train_baskets.iloc[row]
        np.testing.assert_allclose(entry["shares"], own[row] / own[row].sum(), atol=6e-5)
        visits = table[table.customer == entry["customer"]]
        assert [visit[0] for visit in entry["visits"]] == visits.time.dt.strftime(
            "%Y-%m-%dT%H:%M:%S"
        ).tolist()
        assert [visit[1] for visit in entry["visits"]] == visits.mission.tolist()
        n_later = int((visits.part == "test").sum())
        assert (entry["later"] or {"n_baskets": 0})["n_baskets"] == n_later


def test_pairs_meet_as_often_as_said(run):
    bought = run.counts[run.train] > 0
    weight = np.column_stack([np.ones(run.n_train), run.resp[run.train]])
    assert run.missions["associations"]
    for pair in run.missions["associations"]:
        a, b = (bought[:, run.missions["categories"].index(pair[side])] for side in "ab")
        w = weight[:, pair["mission"]]
        assert pair["n_baskets"] == round(w @ (a & b))
        assert pair["lift"] == pytest.approx((w @ (a & b)) * w.sum() / ((w @ a) * (w @ b)), rel=1e-6)
        assert 1 < pair["lift_low"] < pair["lift"] < pair["lift_high"]


def test_rivals_are_compared_on_the_same_baskets(run):
    rows = {row["key"]: row for row in run.missions["rivals"]}
    table = pd.read_parquet(run.folder / "baskets.parquet")
    before = set(table.customer[table.part == "train"])
    known = (table.part == "test").to_numpy() & table.customer.isin(before).to_numpy()
    assert rows["mixtura"]["held_out"] == pytest.approx(table.log_likelihood[known].mean(), rel=1e-6)
    assert rows["mixtura"]["difference"] == pytest.approx(0)
    shares = run.counts[run.train].sum(axis=0)
    one = [multinomial.logpmf(row, row.sum(), shares / shares.sum()) for row in run.counts[known]]
    assert rows["one"]["held_out"] == pytest.approx(np.mean(one), rel=1e-3)
    assert rows["one"]["difference"] < 0
    assert run.missions["held_out"] is not None


def test_stability_has_every_component(run):
    for level in ("missions", "segments"):
        found = getattr(run, level)["stability"]
        assert found["n_replicates"] == 2
        assert found["ari"]["low"] <= found["ari"]["mean"] <= found["ari"]["high"] <= 1
        assert [item["number"] for item in found["items"]] == run.cards(level, "number")
        assert all(0 <= item["distance"] <= item["distance_high"] <= 2 for item in found["items"])


@pytest.fixture(scope="module")
def refreshed(run, tmp_path_factory):
    """The later half of the baskets and some new customers, refreshed from the run."""
    lines, items = make_shop(n_customers=130, n_baskets=400, seed=2)
    folder = tmp_path_factory.mktemp("refreshed")
    return segment_transactions(
        with_money(lines),
        items,
        previous=run.folder,
        out=folder / "out",
        bootstrap=0,
        rivals=False,
        anonymous=True,
    ), folder / "out"


@pytest.mark.parametrize(("level", "label"), [("missions", "dominant_mission"), ("segments", "segment")])
def test_customers_of_both_runs_are_in_the_migration(run, refreshed, level, label):
    found, folder = refreshed
    part = getattr(found, level)["refresh"]
    moved, counts = part["migration"], np.array(part["migration"]["counts"])
    was, now = (
        run.customers[label].dropna(),
        pd.read_parquet(folder / "customers.parquet").set_index("customer")[label].dropna(),
    )
    everyone = was.index.union(now.index)
    assert counts.sum() == len(everyone) > len(was)
    pairs = pd.DataFrame({"was": was, "now": now}, index=everyone)
    for a, row in zip(moved["from_numbers"], counts, strict=True):
        for b, n in zip(moved["to_numbers"], row, strict=True):
            first = pairs.was.isna() if a is None else pairs.was == a
            second = pairs.now.isna() if b is None else pairs.now == b
            assert n == (first & second).sum()
    kept = [card for card in getattr(found, level)[level] if card["previous"] is not None]
    assert part["n_matched"] == len(kept) > 0
    names = dict(zip(run.cards(level, "number"), run.cards(level, "name"), strict=True))
    for card in kept:
        assert card["name"] == names[card["number"]] == card["previous"]["name"]
        assert card["number"] == card["previous"]["number"]


def test_anonymous_results_name_no_customer(refreshed):
    found, folder = refreshed
    assert found.segments["customers"] is None
    for name in ("report.html", "segments.json", "missions.json"):
        assert "shopper-" not in (folder / name).read_text(encoding="utf-8"), name
