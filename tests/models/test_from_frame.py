"""From a data frame to a mixture: what columns are taken for, fits, scores, files, and errors that name cells."""

from decimal import Decimal

import numpy as np
import pytest

import mixtura
from mixtura import Mixture, select
from mixtura.components import Gaussian
from mixtura.exceptions import InvalidDataError, InvalidParameterError
from mixtura.families import Gamma, Poisson

pd = pytest.importorskip("pandas")


def customers(seed=0, n=400):
    """Two kinds of customers, seen through columns of every kind."""
    rng = np.random.default_rng(seed)
    young = rng.random(n) < 0.4
    frame = pd.DataFrame(
        {
            "customer": np.arange(n) + 10_000,
            "age": np.where(young, rng.normal(25, 3, n), rng.normal(60, 5, n)),
            "height": rng.normal(170, 8, n),
            "spend": np.exp(np.where(young, rng.normal(3, 0.8, n), rng.normal(5, 0.8, n))),
            "visits": rng.poisson(np.where(young, 9, 2)),
            "items": rng.negative_binomial(0.7, np.where(young, 0.05, 0.2)),
            "member": (rng.random(n) < np.where(young, 0.2, 0.9)).astype(int),
            "channel": np.where(rng.random(n) < np.where(young, 0.8, 0.1), "web", "shop"),
            "name": [f"person {i}" for i in range(n)],
            "since": pd.date_range("2020-01-01", periods=n),
            "country": "FR",
        }
    )
    return frame, young.astype(int)


KINDS = {
    "customer": "leave out",
    "age": "number",
    "height": "number",
    "spend": "positive",
    "visits": "count",
    "items": "count",
    "member": "yes or no",
    "channel": "category",
    "name": "leave out",
    "since": "leave out",
    "country": "leave out",
}


def test_what_columns_are_taken_for(capsys):
    frame, _ = customers()
    mixture = Mixture.from_frame(frame, 2)
    printed = dict(line.split(" -> ") for line in capsys.readouterr().out.strip().splitlines())
    found = {name.strip(): rest for name, rest in printed.items()}
    assert list(found) == list(frame.columns)
    for name, kind in KINDS.items():
        assert found[name].startswith(kind), (name, found[name])
    assert "log-normal" in found["spend"]
    assert "negative binomial" in found["items"]
    assert "Poisson" in found["visits"]
    assert "like a name or a key" in found["name"]
    assert mixture.frame.names == [name for name, kind in KINDS.items() if kind != "leave out"]
    Mixture.from_frame(frame, verbose=False)
    assert not capsys.readouterr().out


@pytest.mark.parametrize("gaps", [0.0, 0.15])
def test_a_fit_finds_the_kinds_of_customers(gaps):
    frame, young = customers()
    if gaps:
        rng = np.random.default_rng(3)
        for name in ("age", "spend", "visits", "channel", "items", "member"):
            lost = rng.random(len(frame)) < gaps
            frame[name] = frame[name].astype(object).where(~lost, None)
            if name != "channel":
                frame[name] = pd.to_numeric(frame[name])
    mixture = Mixture.from_frame(frame, 2, verbose=False, random_state=0).fit(frame)
    label = mixture.predict(frame)
    assert max(np.mean(label == young), np.mean(label != young)) > 0.98
    assert np.all(np.diff(mixture.lower_bounds_) > -1e-9)
    table = mixture.params_frame()
    assert {"mean", "covariance", "rate", "probability"} <= set(table["parameter"])
    assert "channel=web" in set(table["feature"])
    assert "channel=web" in mixture.summary() or "..." in mixture.summary()


def test_the_users_word_counts():
    frame, _ = customers()
    kinds = {
        "customer": "number",
        "visits": Poisson(),
        "items": "number",
        "member": "category",
        "age": "leave out",
    }
    mixture = Mixture.from_frame(frame, 2, kinds=kinds, verbose=False)
    assert "customer" in mixture.frame.names
    assert "age" not in mixture.frame.names
    assert mixture.fit(frame).n_components_ == 2
    grades = pd.DataFrame({"grade": pd.Categorical(list("abcab") * 40, categories=list("cab"), ordered=True)})
    ordered = Mixture.from_frame(grades, 1, kinds={"grade": "ordered"}, verbose=False).fit(grades)
    assert ordered.frame.taken[0].levels == ("c", "a", "b")
    hours = pd.DataFrame({"angle": np.random.default_rng(0).vonmises(1.0, 4.0, 200)})
    assert Mixture.from_frame(hours, kinds={"angle": "angle"}, verbose=False).fit(hours).n_parameters() == 2
    own = Mixture.from_frame(frame, 2, kinds={"height": Gaussian()}, verbose=False)
    assert own.fit(frame).n_components_ == 2


def test_polars_frames_and_other_orders_of_columns():
    polars = pytest.importorskip("polars")
    frame, _ = customers()
    used = frame.drop(columns=["name", "since", "country", "customer"])
    one = Mixture.from_frame(used, 2, verbose=False, random_state=0).fit(used)
    other = polars.from_pandas(used)
    two = Mixture.from_frame(other, 2, verbose=False, random_state=0).fit(other)
    np.testing.assert_array_equal(one.predict(used), two.predict(other))
    assert isinstance(two.sample(5)[0], polars.DataFrame)
    np.testing.assert_allclose(one.score_samples(used), one.score_samples(frame[used.columns[::-1]]))


def test_files_samples_and_selection(tmp_path):
    frame, young = customers()
    mixture = Mixture.from_frame(frame, 2, verbose=False, random_state=0).fit(frame)
    again = mixtura.load(mixture.save(tmp_path / "frame.mixtura"))
    np.testing.assert_array_equal(again.score_samples(frame), mixture.score_samples(frame))
    drawn, label = mixture.sample(500)
    assert set(drawn["channel"]) == {"web", "shop"}
    assert list(drawn.columns) == mixture.frame.names
    assert np.isfinite(mixture.score_samples(drawn)).all()
    assert len(label) == 500
    chosen = select(Mixture.from_frame(frame, verbose=False, random_state=0), frame, n_components=[1, 2, 3])
    assert chosen.chosen["n_components"] == 2
    assert len(young) == len(frame)


def test_errors_name_the_cell():
    frame, _ = customers()
    mixture = Mixture.from_frame(frame, 2, verbose=False, random_state=0).fit(frame)
    with pytest.raises(
        InvalidDataError, match=r"row 3, column 'channel' is 'phone', a level that was not there"
    ):
        mixture.predict(frame.assign(channel=["web"] * 3 + ["phone"] + ["web"] * (len(frame) - 4)))
    with pytest.raises(InvalidDataError, match=r"no column 'visits'.*"):
        mixture.predict(frame.drop(columns="visits"))
    with pytest.raises(InvalidDataError, match=r"row 0, column visits is -1; expected .*whole counts"):
        mixture.predict(frame.assign(visits=-1))
    with pytest.raises(InvalidDataError, match=r"row 0, column 'age' is 'old'; expected a number"):
        mixture.predict(frame.assign(age="old"))
    with pytest.raises(InvalidDataError, match="expected a data frame with columns"):
        mixture.predict(np.zeros((3, 2)))


def test_bad_words_and_frames():
    frame, _ = customers()
    with pytest.raises(InvalidParameterError, match=r"kinds names a column 'agee'.*'age'"):
        Mixture.from_frame(frame, kinds={"agee": "number"})
    with pytest.raises(InvalidParameterError, match=r"kinds\['age'\] is 'nummer'.*number"):
        Mixture.from_frame(frame, kinds={"age": "nummer"})
    with pytest.raises(InvalidDataError, match="ndarray; expected a data frame"):
        Mixture.from_frame(np.zeros((3, 2)))
    with pytest.raises(InvalidDataError, match=r"No column .*country: it has the same value"):
        Mixture.from_frame(frame[["country"]])


def test_a_users_component_keeps_its_column_whatever_the_name():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"count": rng.gamma(2.0, 1.0, 60), "visits": rng.poisson(3.0, 60)})
    parts = repr(Mixture.from_frame(frame, kinds={"count": Gamma()}, verbose=False).components)
    assert "gamma" in parts
    assert "Poisson" in parts


def test_numbers_among_objects_and_truth_values(capsys):
    frame, _ = customers()
    frame["age"] = frame["age"].map(Decimal).where(frame.index != 5, None)
    frame["nothing"] = None
    frame["told"] = pd.array([True, False] * 200, dtype="boolean")
    mixture = Mixture.from_frame(frame, 2, random_state=0)
    found = dict(line.split(" -> ") for line in capsys.readouterr().out.strip().splitlines())
    found = {name.strip(): rest for name, rest in found.items()}
    assert found["age"].startswith("number")
    assert found["told"].endswith("True and False")
    assert found["nothing"].endswith("it has no value")
    assert mixture.fit(frame).predict_proba(frame).shape == (400, 2)


def test_names_and_cells_that_cannot_be_used():
    twice = pd.DataFrame(np.eye(3), columns=["a", "b", "a"])
    with pytest.raises(InvalidDataError, match="2 columns named 'a'"):
        Mixture.from_frame(twice)
    with pytest.raises(InvalidDataError, match="a column named 0; expected text"):
        Mixture.from_frame(pd.DataFrame(np.eye(3)))
    frame, _ = customers()
    for kind in ("count", "yes or no", "number"):
        with pytest.raises(
            InvalidDataError, match=rf"row 0, column 'channel' is '\w+'; expected a number \({kind}\)"
        ):
            Mixture.from_frame(frame, kinds={"channel": kind})
    mixture = Mixture.from_frame(frame, 2, verbose=False, random_state=0).fit(frame)
    with pytest.raises(InvalidDataError, match="rows hold text and have no names; expected a data frame"):
        mixture.predict(frame.to_numpy())
    with pytest.raises(InvalidDataError, match="Row 2, column 'age' is infinity; expected a finite number"):
        mixture.predict(frame.assign(age=[1.0, 2.0, np.inf] + [3.0] * (len(frame) - 3)))
