"""Latent class analysis: levels, missing cells, tables, files; against loops over rows."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.stats import chi2

from mixtura import load, select
from mixtura.exceptions import ConstantColumnWarning, InvalidDataError, InvalidParameterError
from mixtura.models import BernoulliMixture, CategoricalMixture
from oracles_latent_class import em_step, fit_of_table, pair_residual, posterior, relative_entropy

COUNTS = (2, 3, 4)
NAMES = [["no", "yes"], ["high", "low", "mid"], [1, 2, 3, 5]]
SIZES = np.array([0.6, 0.4])


def drawn(n, seed=0, share=0.0):
    """Rows of codes with two classes, NaN where missing, and their class."""
    rng = np.random.default_rng(seed)
    tables = [np.array([[0.9, 0.1], [0.2, 0.8]])]
    tables += [np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]])]
    tables += [np.array([[0.4, 0.4, 0.1, 0.1], [0.1, 0.1, 0.2, 0.6]])]
    state = rng.choice(2, size=n, p=SIZES)
    x = np.column_stack([[rng.choice(len(t[k]), p=t[k]) for k in state] for t in tables]).astype(float)
    x[rng.random(x.shape) < share] = np.nan
    return x, state


def as_frame(codes):
    """The same rows as a survey would hold them."""
    columns = {}
    for name, levels, column in zip(("agree", "income", "stars"), NAMES, codes.T, strict=True):
        columns[name] = [None if np.isnan(code) else levels[int(code)] for code in column]
    return pd.DataFrame(columns)


def as_lists(codes):
    return [[None if np.isnan(code) else int(code) for code in row] for row in codes]


@pytest.fixture
def survey():
    codes, _ = drawn(150, share=0.15)
    codes[7] = np.nan  # nobody answered
    return codes


@pytest.fixture
def fitted(survey):
    return CategoricalMixture(2, random_state=0).fit(survey)


def says(action, error, *patterns):
    with pytest.raises(error) as caught:
        action()
    for pattern in patterns:
        assert pattern in str(caught.value)


# --- the fit --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("share", [0.0, 0.3])
def test_em_steps_are_those_of_loops(share):
    x, _ = drawn(60, seed=3, share=share)
    weight = np.random.default_rng(4).uniform(0.5, 2.0, len(x))
    rng = np.random.default_rng(5)
    weights = np.array([0.3, 0.7])
    tables = [rng.dirichlet(np.ones(count), size=2) for count in COUNTS]
    expected_weights, expected_tables = weights.tolist(), [table.tolist() for table in tables]
    for _ in range(4):
        expected_weights, expected_tables, _ = em_step(as_lists(x), weight, expected_weights, expected_tables)
    mixture = CategoricalMixture(2, weights_init=weights, probabilities_init=tables, max_iter=4, tol=0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mixture.fit(x, sample_weight=weight)
    np.testing.assert_allclose(mixture.weights_, expected_weights, rtol=1e-11)
    for found, expected in zip(mixture.probabilities_, expected_tables, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-10)
    _, _, log_likelihood = em_step(as_lists(x), weight, expected_weights, expected_tables)
    assert mixture.score(x, sample_weight=weight) * weight.sum() == pytest.approx(log_likelihood, rel=1e-12)


def test_a_missing_cell_is_summed_over(fitted):
    """log p of a row with a gap = log of the sum over the levels that could stand there."""
    for column, levels in enumerate(COUNTS):
        row = np.array([[1.0, 2.0, 0.0]])
        whole = np.repeat(row, levels, axis=0)
        whole[:, column] = np.arange(levels)
        row[0, column] = np.nan
        names = [
            np.array(found)[codes.astype(int)] for found, codes in zip(fitted.levels_, whole.T, strict=True)
        ]
        total = np.exp(fitted.score_samples(np.column_stack(names))).sum()
        assert fitted.score_samples(row)[0] == pytest.approx(np.log(total), rel=1e-12)


def test_a_row_without_answers_has_the_classes_sizes(fitted, survey):
    nobody = np.full((1, 3), np.nan)
    np.testing.assert_allclose(fitted.predict_proba(nobody)[0], fitted.weights_, rtol=1e-12)
    assert fitted.score_samples(nobody)[0] == pytest.approx(0.0, abs=1e-12)
    assert fitted.total_weight_ == len(survey)


def test_without_missing_cells_it_is_the_mixture_of_bernoulli_columns():
    rng = np.random.default_rng(2)
    x = (rng.random((300, 5)) < np.where(rng.random((300, 1)) < 0.4, 0.15, 0.85)).astype(float)
    settings = {"random_state": 0, "tol": 1e-9, "max_iter": 5000}
    found, known = CategoricalMixture(2, **settings).fit(x), BernoulliMixture(2, **settings).fit(x)
    assert found.score(x) == pytest.approx(known.score(x), abs=1e-6)
    assert found.n_parameters() == known.n_parameters()
    assert found.bic(x) == pytest.approx(known.bic(x), abs=1e-3)


def test_integer_weights_are_repeated_rows(survey):
    weight = np.random.default_rng(1).integers(0, 4, len(survey))
    settings = {"random_state": 0, "init_params": "random", "tol": 1e-10, "max_iter": 10_000}
    start = CategoricalMixture(2, random_state=0).fit(survey)
    settings |= {"init_params": start}
    one = CategoricalMixture(2, **settings).fit(survey, sample_weight=weight)
    two = CategoricalMixture(2, **settings).fit(np.repeat(survey, weight, axis=0))
    np.testing.assert_allclose(one.weights_, two.weights_, atol=1e-9)
    for a, b in zip(one.probabilities_, two.probabilities_, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-8)


def test_levels_of_rows_of_weight_zero_are_not_learnt():
    x = np.array([["a", "u"], ["b", "v"], ["c", "u"], ["a", "v"]], dtype=object)
    mixture = CategoricalMixture(1).fit(x, sample_weight=[1, 1, 0, 1])
    assert mixture.levels_ == [["a", "b"], ["u", "v"]]
    same = CategoricalMixture(1).fit(x[[0, 1, 3]])
    np.testing.assert_allclose(mixture.probabilities_[1], same.probabilities_[1])
    assert mixture.n_parameters() == same.n_parameters() == 2


def test_pseudo_rows_have_the_shares_of_the_answered_cells(survey):
    """With very many of them every class answers like all rows."""
    mixture = CategoricalMixture(2, random_state=0, pseudo_count=1e9).fit(survey)
    for j, table in enumerate(mixture.probabilities_):
        shown = survey[~np.isnan(survey[:, j]), j].astype(int)
        shares = np.bincount(shown) / len(shown)
        np.testing.assert_allclose(table, [shares, shares], atol=1e-6)


def test_more_classes_are_never_worse(survey):
    found = select(CategoricalMixture(random_state=0, tol=1e-7), survey, n_components=[1, 2, 3])
    values = [row["log_likelihood"] for row in found.table]
    assert values == sorted(values)
    assert isinstance(found.best_estimator_, CategoricalMixture)


# --- levels ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "make", [as_frame, lambda x: pl.from_pandas(as_frame(x)), lambda x: as_frame(x).to_numpy()]
)
def test_every_form_of_the_rows_gives_the_same_model(survey, fitted, make):
    rows = make(survey)
    mixture = CategoricalMixture(2, random_state=0).fit(rows)
    assert mixture.levels_ == NAMES
    np.testing.assert_allclose(mixture.weights_, fitted.weights_, atol=1e-9)
    np.testing.assert_array_equal(mixture.predict(rows), fitted.predict(survey))


def test_a_list_of_lists_keeps_its_missing_cells():
    rows = [["a", "u"], ["b", float("nan")], [None, "v"], ["a", "u"]]
    mixture = CategoricalMixture(1).fit(rows)
    assert mixture.levels_ == [["a", "b"], ["u", "v"]]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pd.Categorical(["low", "high", None, "low"], categories=["low", "mid", "high"]), ["low", "high"]),
        (pd.cut([1.0, 5.0, 9.0, 1.0], [0, 4, 6, 10]), ["(0, 4]", "(4, 6]", "(6, 10]"]),
        (pd.array([3, None, 1, 3], dtype="Int64"), [1, 3]),
        (pd.array([True, None, False, True], dtype="boolean"), [False, True]),
        ([True, False, True, None], [False, True]),
        ([2.5, np.nan, 1.0, 2.5], [1, 2.5]),
        (["b", pd.NA, "a", "b"], ["a", "b"]),
        ([10, "other", 2, None], [2, 10, "other"]),
        ([1e9, -3.0, 0.0, 1e9], [-3, 0, 1_000_000_000]),
    ],
)
def test_levels_of_pandas_columns(column, expected):
    frame = pd.DataFrame({"item": column, "other": ["u", "v", "u", "v"]})
    mixture = CategoricalMixture(1).fit(frame)
    assert mixture.levels_[0] == expected
    assert [type(level) for level in mixture.levels_[0]] == [type(level) for level in expected]
    shown = frame["item"].notna()
    shares = np.array([(frame["item"].astype(str)[shown] == str(level)).mean() for level in expected])
    if shares.sum() == pytest.approx(1.0):  # numbers print otherwise as floats
        np.testing.assert_allclose(mixture.probabilities_[0][0], shares, atol=1e-9)
    np.testing.assert_allclose(mixture.score(frame), mixture.score(frame.iloc[::-1]))


def test_levels_of_polars_columns():
    frame = pl.DataFrame(
        {
            "size": pl.Series(["s", "l", None, "s"], dtype=pl.Enum(["s", "m", "l"])),
            "kind": pl.Series(["b", "a", "a", None], dtype=pl.Categorical),
            "flag": [True, None, False, True],
            "grade": [3, None, 1, 3],
        }
    )
    mixture = CategoricalMixture(1).fit(frame)
    assert mixture.levels_ == [["s", "l"], ["a", "b"], [False, True], [1, 3]]
    assert isinstance(mixture.assign(frame), pl.DataFrame)


@pytest.mark.parametrize(
    ("rows", "patterns"),
    [
        (
            pd.DataFrame({"color": ["red", "blue"], "n": [1, 2]}),
            ("row 1", "'color'", "'blue'", "'green', 'red'", "mark it as missing"),
        ),
        (
            pd.DataFrame({"color": ["red", "red"], "n": [1, 7]}),
            ("row 1", "'n'", "is 7,", "1, 2", "fit again"),
        ),
        (pl.DataFrame({"color": ["red", "red"], "n": [1.5, 2.0]}), ("row 0", "'n'", "is 1.5,")),
    ],
)
def test_a_level_never_seen_is_refused(rows, patterns):
    mixture = CategoricalMixture(1).fit(pd.DataFrame({"color": ["red", "green", "red"], "n": [1, 2, 2]}))
    says(lambda: mixture.predict(rows), InvalidDataError, "CategoricalMixture", *patterns)


def test_many_levels_are_not_all_listed():
    mixture = CategoricalMixture(1).fit(pd.DataFrame({"a": range(30), "b": [0, 1] * 15}))
    frame = pd.DataFrame({"a": [77], "b": [0]})
    says(lambda: mixture.predict(frame), InvalidDataError, "is 77", "0, 1, 2", "and 22 more")


def test_numbers_are_no_levels_of_a_column_of_text():
    mixture = CategoricalMixture(1).fit(np.array([["1", "a"], ["2", "b"]]))
    says(lambda: mixture.predict(pd.DataFrame([[1, "a"]])), InvalidDataError, "is 1,", "'1', '2'")


def test_a_column_with_one_level_is_told_and_a_missing_column_refused():
    frame = pd.DataFrame({"a": ["u", "v", "u"], "same": ["x", None, "x"], "gone": [None, None, None]})
    with pytest.warns(
        ConstantColumnWarning, match="column 'same' holds one level only, 'x'.*Leave the column out"
    ):
        mixture = CategoricalMixture(1).fit(frame[["a", "same"]])
    assert mixture.n_parameters() == 1
    assert list(mixture.bivariate_residuals(frame[["a", "same"]])["item"]) == []
    says(
        lambda: CategoricalMixture(1).fit(frame[["a", "gone"]]),
        InvalidDataError,
        "column 'gone' is missing",
        "Leave",
    )
    x = np.array([[0, 1.0], [1, np.nan], [0, np.nan]])
    says(
        lambda: CategoricalMixture(1).fit(x, sample_weight=[0, 1, 1]),
        InvalidDataError, "column 1 is missing", "positive weight",
    )  # fmt: skip


@pytest.mark.parametrize("cell", [{"a": 1}, [1], pd.Timestamp("2020-01-01"), float("inf"), 1j])
def test_what_is_no_level_is_refused(cell):
    x = np.empty((3, 2), dtype=object)
    x[:] = [["a", "u"], ["b", "v"], ["a", "u"]]
    x[2, 1] = cell
    says(
        lambda: CategoricalMixture(1).fit(x),
        InvalidDataError,
        "Row 2, column 1",
        "expected a level",
        "astype(str)",
    )


def test_infinite_numbers_of_a_frame_are_refused():
    frame = pd.DataFrame({"a": [1.0, np.inf, 2.0]})
    says(lambda: CategoricalMixture(1).fit(frame), InvalidDataError, "Row 1, column 'a' is infinity")


def test_an_empty_frame_is_refused():
    says(
        lambda: CategoricalMixture(1).fit(pd.DataFrame({"a": ["u"]})),
        InvalidDataError,
        "1 row(s)",
        "at least 2",
    )


# --- starts ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("given", "patterns"),
    [
        ({"weights_init": [1.0]}, ("weights_init has shape (1,)", "(2,)")),
        ({"weights_init": [0.5, 0.6]}, ("weights_init", "rows summing to one")),
        ({"probabilities_init": [np.full((2, 2), 0.5)]}, ("1 tables; expected 3",)),
        (
            {"probabilities_init": [np.full((2, 2), 0.5)] * 3},
            ("probabilities_init[1] has shape (2, 2)", "(2, 3)", "level"),
        ),
        ({"init_params": "kmens"}, ("kmens", "Did you mean 'kmeans'")),
    ],
)
def test_starts_outside_their_domain_are_refused(survey, given, patterns):
    says(lambda: CategoricalMixture(2, **given).fit(survey), InvalidParameterError, *patterns)


def test_given_tables_or_sizes_alone_start_a_fit(survey, fitted):
    for given in ({"weights_init": fitted.weights_}, {"probabilities_init": fitted.probabilities_}):
        found = CategoricalMixture(2, random_state=0, **given).fit(survey)
        assert found.lower_bound_ == pytest.approx(fitted.lower_bound_, abs=1e-3)


def test_random_starts_look_at_no_distances(survey, monkeypatch):
    def refuse(*_):
        raise AssertionError

    monkeypatch.setattr("mixtura.models.categorical_mixture.family_embeddings", lambda _: refuse)
    mixture = CategoricalMixture(2, init_params="random", random_state=0).fit(survey)
    assert mixture.converged_
    with pytest.raises(AssertionError):
        CategoricalMixture(2, init_params="kmeans", random_state=0).fit(survey)


def test_known_classes_of_some_rows_number_the_classes():
    x, state = drawn(300, seed=6, share=0.1)
    for known in (state, 1 - state):
        labels = np.where(np.arange(300) < 30, known, -1)
        found = CategoricalMixture(2, random_state=0).fit(x, labels=labels).predict(x[30:])
        # Two classes drawn from their true parameters are told apart for four rows in five.
        assert np.mean(found == known[30:]) > 0.75


def test_warm_starts_need_the_same_levels(survey):
    mixture = CategoricalMixture(2, random_state=0, warm_start=True).fit(survey)
    before = mixture.lower_bound_
    assert mixture.fit(survey).n_iter_ <= 3
    assert mixture.lower_bound_ >= before - 1e-12
    other = survey.copy()
    other[other == 3] = np.nan
    says(
        lambda: mixture.fit(other),
        InvalidParameterError,
        "warm_start",
        "column 2",
        "0, 1, 2, 3",
        "Start afresh",
    )
    says(lambda: mixture.fit(survey[:, :2]), InvalidParameterError, "3 columns; expected 2")


def test_a_start_from_other_columns_or_levels_is_refused(survey, fitted):
    says(
        lambda: CategoricalMixture(2, init_params=fitted).fit(survey[:, :2]),
        InvalidParameterError, "3 columns", "CategoricalMixture of 2 columns",
    )  # fmt: skip
    says(
        lambda: CategoricalMixture(2, init_params=fitted).fit(survey + 1),
        InvalidParameterError, "init_params", "other levels in column 0",
    )  # fmt: skip


# --- tables ---------------------------------------------------------------------------------------------------
@pytest.fixture
def weighted(survey):
    weight = np.random.default_rng(9).integers(0, 4, len(survey)).astype(float)
    return weight, CategoricalMixture(3, random_state=1, tol=1e-6).fit(survey, sample_weight=weight)


def parts(mixture):
    return mixture.weights_.tolist(), [table.tolist() for table in mixture.probabilities_]


def test_relative_entropy_is_that_of_loops(survey, weighted):
    weight, mixture = weighted
    expected = relative_entropy(as_lists(survey), weight, *parts(mixture))
    assert mixture.relative_entropy(survey, weight) == pytest.approx(expected, rel=1e-11)
    assert CategoricalMixture(1).fit(survey).relative_entropy(survey) == 1.0


def test_classification_table_is_that_of_loops(survey, weighted):
    weight, mixture = weighted
    table = mixture.classification_table(survey, weight)
    sums, rows = np.zeros((3, 3)), np.zeros(3)
    for row, row_weight in zip(as_lists(survey), weight, strict=True):
        resp, _ = posterior(row, *parts(mixture))
        modal = int(np.argmax(resp))
        rows[modal] += row_weight
        sums[modal] += row_weight * np.array(resp)
    np.testing.assert_allclose(table["rows"], rows)
    np.testing.assert_allclose(table[["p0", "p1", "p2"]], sums / rows[:, None], rtol=1e-9)
    np.testing.assert_allclose(table["expected_rows"], sums.sum(axis=0), rtol=1e-9)
    assert table["expected_rows"].sum() == pytest.approx(weight.sum())


def test_bivariate_residuals_are_those_of_loops(survey, weighted):
    weight, mixture = weighted
    table = mixture.bivariate_residuals(pd.DataFrame(survey), weight)
    assert list(table["residual"]) == sorted(table["residual"], reverse=True)
    for row in table.itertuples():
        i, j = int(row.item[1:]), int(row.other_item[1:])
        residual, rows = pair_residual(as_lists(survey), weight, *parts(mixture), i, j)
        assert row.residual == pytest.approx(residual, rel=1e-9)
        assert row.rows == pytest.approx(rows)
        assert row.df == (COUNTS[i] - 1) * (COUNTS[j] - 1)
        assert row.x2 == pytest.approx(row.residual * row.df)


def test_pairs_that_one_class_cannot_explain_stand_out():
    """With one class the residual is the chi-square test of independence."""
    x, _ = drawn(2000, seed=1)
    x[:, 1] = np.where(np.random.default_rng(0).random(2000) < 0.5, x[:, 1], x[:, 0])
    one = CategoricalMixture(1).fit(x)
    table = one.bivariate_residuals(x)
    first = np.array([[np.mean((x[:, 0] == a) & (x[:, 1] == b)) for b in range(3)] for a in range(2)]) * 2000
    expected = np.outer(first.sum(axis=1), first.sum(axis=0)) / 2000
    statistic = ((first - expected) ** 2 / expected).sum()
    row = table[(table["item"] == "x0") & (table["other_item"] == "x1")].iloc[0]
    assert row.x2 == pytest.approx(statistic, rel=1e-6)
    two = CategoricalMixture(2, random_state=0).fit(drawn(2000, seed=1)[0])
    assert two.bivariate_residuals(drawn(2000, seed=1)[0])["residual"].max() < 4.0


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_goodness_of_fit_is_that_of_a_walk_over_all_cells(share):
    x, _ = drawn(400, seed=8, share=share)
    weight = np.random.default_rng(2).integers(0, 3, len(x)).astype(float)
    mixture = CategoricalMixture(2, random_state=0).fit(x, sample_weight=weight)
    found = mixture.goodness_of_fit(x, weight)
    g2, x2, patterns, complete = fit_of_table(as_lists(x), weight, *parts(mixture))
    assert found.g2 == pytest.approx(g2, rel=1e-9)
    assert found.x2 == pytest.approx(x2, rel=1e-9)
    assert (found.n_patterns, found.complete_rows, found.rows) == (patterns, complete, weight.sum())
    assert found.n_cells == 24
    assert found.df == 23 - mixture.n_parameters() == 10
    if share:
        assert found.g2_p_value is None
        assert "missing cells" in found.remark
    else:
        assert found.g2_p_value == pytest.approx(chi2.sf(g2, 10), rel=1e-6)
        assert found.x2_p_value == pytest.approx(chi2.sf(x2, 10), rel=1e-6)
        assert f"p = {found.g2_p_value:.3g}" in str(found)


def test_p_values_that_would_mislead_are_not_given(survey):
    x, _ = drawn(40, seed=1)
    sparse = CategoricalMixture(1).fit(x).goodness_of_fit(x)
    assert sparse.g2_p_value is sparse.x2_p_value is None
    assert "sparse" in sparse.remark
    assert "BIC" in str(sparse)
    many = CategoricalMixture(4, random_state=0).fit(x).goodness_of_fit(x)
    assert many.df < 0
    assert "no degrees of freedom" in many.remark
    gaps = survey.copy()
    gaps[np.arange(len(gaps)), np.arange(len(gaps)) % 3] = np.nan
    empty = CategoricalMixture(1).fit(gaps).goodness_of_fit(gaps)
    assert np.isnan(empty.g2)
    assert "No row is complete" in empty.remark


# --- results --------------------------------------------------------------------------------------------------
def test_profiles_and_parameters_name_items_and_levels(survey):
    frame = as_frame(survey)
    mixture = CategoricalMixture(2, random_state=0).fit(frame)
    profiles = mixture.profiles()
    assert list(profiles.columns) == ["item", "level", "overall", "p0", "p1"]
    assert list(profiles["item"]) == ["class size", *["agree"] * 2, *["income"] * 3, *["stars"] * 4]
    assert list(profiles["level"]) == ["", "no", "yes", "high", "low", "mid", "1", "2", "3", "5"]
    np.testing.assert_allclose(profiles[["p0", "p1"]].iloc[0], mixture.weights_)
    np.testing.assert_allclose(profiles[["p0", "p1"]].iloc[1:3], mixture.probabilities_[0].T)
    np.testing.assert_allclose(profiles.groupby("item")["overall"].sum(), 1.0)
    tidy = mixture.params_frame()
    cell = tidy[(tidy["component"] == 1) & (tidy["feature"] == "stars") & (tidy["other_feature"] == "5")]
    assert cell["parameter"].tolist() == ["probability"]
    assert cell["value"].tolist() == [mixture.probabilities_[2][1, 3]]
    text = mixture.summary()
    assert "income" in text
    assert "high" in text
    assert "<table>" in mixture._repr_html_()
    assert isinstance(mixture.profiles("polars"), pl.DataFrame)


def test_a_long_summary_is_cut():
    x = np.random.default_rng(0).integers(0, 4, (60, 40))
    mixture = CategoricalMixture(9, init_params="random", max_iter=1, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text = mixture.fit(x).summary()
    assert len(text.splitlines()) < 80
    assert "..." in text


def test_a_saved_model_is_the_same(survey, tmp_path):
    frame = as_frame(survey).assign(flag=[True, False, None] * 50)
    mixture = CategoricalMixture(2, random_state=0).fit(frame)
    again = load(mixture.save(tmp_path / "classes.mixtura"))
    assert isinstance(again, CategoricalMixture)
    assert again.levels_ == mixture.levels_
    np.testing.assert_array_equal(again.predict_proba(frame), mixture.predict_proba(frame))
    assert again.summary() == mixture.summary()
    assert again.get_params()["random_state"] == 0


def test_assignments_keep_the_frame(survey):
    frame = as_frame(survey).set_axis([f"person {i}" for i in range(len(survey))])
    mixture = CategoricalMixture(2, random_state=0).fit(frame)
    table = mixture.assign(frame)
    assert table.index.equals(frame.index)
    np.testing.assert_array_equal(table["component"], mixture.predict(frame))


def test_samples_are_levels_with_the_classes_shares(survey):
    mixture = CategoricalMixture(2, random_state=0).fit(as_frame(survey))
    rows, labels = mixture.sample(20_000)
    assert set(rows[:, 1]) == {"high", "low", "mid"}
    share = np.mean(rows[labels == 0, 0] == "yes")
    # Five standard errors of a share.
    assert share == pytest.approx(mixture.probabilities_[0][0, 1], abs=5 * 0.5 / np.sqrt((labels == 0).sum()))
    numbers, _ = CategoricalMixture(1).fit(survey).sample(5)
    assert numbers.dtype == np.float64
    assert np.isfinite(mixture.score(pd.DataFrame(rows, columns=["agree", "income", "stars"])))


def test_probabilities_need_a_fit():
    with pytest.raises(AttributeError, match="fit it first"):
        _ = CategoricalMixture().probabilities_
