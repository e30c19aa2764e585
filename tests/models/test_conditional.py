"""Some columns of a fitted mixture from others: marginal, conditional and imputed, as a user calls them."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from mixtura import (
    CategoricalMixture,
    FactorAnalyzerMixture,
    GaussianMixture,
    Mixture,
    MultinomialMixture,
    PoissonMixture,
    load,
)
from mixtura.components import (
    Full,
    Gaussian,
    NegativeBinomial,
    Nested,
    Ordinal,
    Product,
    SkewNormal,
    StudentT,
    UniformNoise,
    Union,
)
from mixtura.exceptions import InvalidDataError, InvalidParameterError
from mixtura.families import Categorical, LogNormal, Multinomial, Poisson, VonMises

RNG = np.random.default_rng(3)


def people(n=300, seed=0):
    """A data frame of two groups of customers."""
    rng = np.random.default_rng(seed)
    young = rng.random(n) < 0.4
    frame = pd.DataFrame(
        {
            "age": np.where(young, rng.normal(25, 3, n), rng.normal(60, 5, n)),
            "height": rng.normal(170, 8, n),
            "spend": np.exp(np.where(young, rng.normal(3, 0.5, n), rng.normal(5, 0.5, n))),
            "visits": rng.poisson(np.where(young, 9.0, 2.0)).astype(float),
            "channel": np.where(rng.random(n) < np.where(young, 0.9, 0.1), "web", "shop"),
        },
        index=np.arange(n) + 100,
    )
    frame["weight"] = 0.9 * (frame["height"] - 100) + rng.normal(0, 5, n)
    return frame, young


@pytest.fixture(scope="module")
def customers():
    frame, _ = people()
    return Mixture.from_frame(frame, 2, verbose=False, random_state=0).fit(frame), frame


@pytest.fixture(scope="module")
def clusters():
    rng = np.random.default_rng(1)
    first = rng.multivariate_normal([100.0, 5.0, -3.0], [[2, 1, 0.5], [1, 2, -0.3], [0.5, -0.3, 1]], 150)
    second = rng.multivariate_normal([104.0, 1.0, 3.0], [[1, -0.6, 0], [-0.6, 1, 0.4], [0, 0.4, 2]], 100)
    x = np.concatenate([first, second])
    return GaussianMixture(2, random_state=0).fit(x), x


def blocks():
    """A fitted mixture of everything, by hand."""
    rng = np.random.default_rng(2)
    second = rng.random(240) < 0.5
    x = np.column_stack(
        [
            rng.normal(50.0, 1.0, (240, 2)) + np.where(second, 3.0, 0.0)[:, None],
            rng.poisson(np.where(second, 2.0, 7.0)),
            rng.integers(0, 3, 240) * second,
            rng.vonmises(np.where(second, 3.0, 0.0), 4.0),
            np.minimum(rng.poisson(np.where(second, 1.0, 2.5)), 3),
        ]
    )
    product = Product(
        {
            "t": (StudentT(), [0, 1]),
            "count": (NegativeBinomial(), [2]),
            "level": (Categorical([3]), [3]),
            "angle": (VonMises(), [4]),
            "grade": (Ordinal([4]), [5]),
        }
    )
    return Mixture(product, 2, random_state=0, max_iter=30, tol=1e-3).fit(x), x


MIXED, MIXED_ROWS = blocks()


# --- marginal and conditional -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "given", [[0], [1, 4], [2, 3], [5, 0, 2], [0, 1, 2, 3, 4]], ids=lambda given: f"columns {given}"
)
def test_a_mixture_is_its_marginal_times_its_conditional(given):
    rows = MIXED_ROWS[:20]
    whole, known = MIXED.score_samples(rows), MIXED.marginal(given).score_samples(rows[:, given])
    rest = np.setdiff1d(np.arange(6), given)
    for row, total, part in zip(rows, whole, known, strict=True):
        conditional = MIXED.conditional(dict(zip(given, row[given], strict=True)))
        assert_allclose(part + conditional.score_samples(row[None, rest])[0], total, rtol=1e-9, atol=1e-9)
        assert_allclose(conditional.weights_, MIXED.marginal(given).predict_proba(row[None, given])[0])


def test_a_marginal_is_the_mixture_of_rows_that_lack_the_other_columns():
    rows = MIXED_ROWS[:30].copy()
    rows[:, [0, 3, 4]] = np.nan
    marginal = MIXED.marginal([5, 1, 2])
    found = rows[:, [5, 1, 2]]
    assert_allclose(marginal.score_samples(found), MIXED.score_samples(rows), rtol=1e-9)
    assert_allclose(marginal.predict_proba(found), MIXED.predict_proba(rows), atol=1e-9)
    assert_array_equal(marginal.weights_, MIXED.weights_)


def test_gaussian_columns_are_linear_algebra(clusters):
    mixture, x = clusters
    given = np.array([101.0, 2.0])
    found = mixture.conditional({0: given[0], 1: given[1]})
    joint = np.empty(2)
    for k, (mean, covariance) in enumerate(zip(mixture.means_, mixture.covariances_, strict=True)):
        inverse = np.linalg.inv(covariance[:2, :2])
        gap = given - mean[:2]
        expected = mean[2] + covariance[2, :2] @ inverse @ gap
        assert_allclose(found.components_.mean[k], expected)
        variance = covariance[2, 2] - covariance[2, :2] @ inverse @ covariance[:2, 2]
        assert_allclose(found.components_.covariance[k], variance)
        height = np.sqrt(np.linalg.det(inverse)) * np.exp(-0.5 * gap @ inverse @ gap)
        joint[k] = mixture.weights_[k] * height
    assert_allclose(found.weights_, joint / joint.sum())
    # One component: the conditional mean is ordinary least squares.
    one = GaussianMixture(reg_covar=0.0).fit(x)
    design = np.column_stack([np.ones(len(x)), x[:, :2]])
    slope = np.linalg.lstsq(design, x[:, 2], rcond=None)[0]
    lacking = x.copy()
    lacking[:, 2] = np.nan
    assert_allclose(one.impute(lacking)[:, 2], design @ slope, rtol=1e-8)


def test_conditioning_twice_is_conditioning_on_both():
    row = MIXED_ROWS[7]
    both = MIXED.conditional({1: row[1], 3: row[3]})
    turns = MIXED.conditional({3: row[3]}).conditional({1: row[1]})
    rest = MIXED_ROWS[:9][:, [0, 2, 4, 5]]
    assert_allclose(turns.score_samples(rest), both.score_samples(rest), rtol=1e-9)
    assert_allclose(turns.marginal(2).weights_, both.weights_)


@pytest.mark.parametrize("make", ["marginal", "conditional"])
def test_the_mixture_of_some_columns_is_a_fitted_mixture(make, customers, tmp_path):
    mixture, frame = customers
    part = (
        mixture.marginal(["visits", "channel", "age"])
        if make == "marginal"
        else mixture.conditional({"height": 170.0, "spend": 40.0, "weight": 60.0})
    )
    names = list(part.feature_names_in_)
    assert names == (["visits", "channel", "age"] if make == "marginal" else ["age", "visits", "channel"])
    rows = frame[names]
    assert part.predict(rows).shape == (300,)
    assert_allclose(part.predict_proba(rows).sum(axis=1), 1.0)
    drawn, labels = part.sample(5)
    assert list(drawn.columns) == names
    assert set(drawn["channel"]) <= {"web", "shop"}
    assert len(labels) == 5
    table = part.params_frame()
    assert set(table["feature"]) >= {"age", "visits", "channel=web"}
    assert f"event                  {make}" in part.summary()
    assert "log-likelihood" in mixture.summary()
    assert "log-likelihood" not in part.summary()  # it was not fitted by itself
    assert part.n_components_ == 2
    assert np.isnan(part.lower_bound_)
    again = load(part.save(tmp_path / "part.mixtura"))
    assert_array_equal(again.score_samples(rows), part.score_samples(rows))
    assert again.events_ == part.events_
    assert np.isfinite(part.bic(rows))
    # What it holds is a start, in units of the data.
    warm = part.__sklearn_clone__().set_params(max_iter=200).fit(rows)
    assert_allclose(np.sort(warm.weights_), np.sort(mixture.weights_), atol=0.15)


def test_classes_of_their_own_give_mixtures(clusters):
    mixture, x = clusters
    marginal = mixture.marginal([2, 0])
    assert type(marginal) is Mixture
    assert not hasattr(marginal, "feature_names_in_")
    assert marginal.n_features_in_ == 2
    assert_allclose(marginal.components_.mean, mixture.means_[:, [2, 0]])
    assert_allclose(marginal.score_samples(x[:, [2, 0]]).shape, (250,))
    counts = RNG.poisson([[1.0, 8.0, 3.0]], (100, 3)).astype(float)
    alone = PoissonMixture(2, random_state=0).fit(counts).conditional({1: 8})
    assert_allclose(alone.predict_proba(counts[:, [0, 2]]).sum(axis=1), 1.0)
    factors = FactorAnalyzerMixture(n_components=2, n_factors=1, random_state=0).fit(x)
    assert_allclose(
        factors.score_samples(x[:5]),
        [
            factors.marginal(1).score(row[None, [1]])
            + factors.conditional({1: row[1]}).score(row[None, [0, 2]])
            for row in x[:5]
        ],
    )


def test_latent_classes_keep_their_class_and_levels(tmp_path):
    rng = np.random.default_rng(0)
    first = rng.random(200) < 0.5
    frame = pd.DataFrame(
        {name: np.where(rng.random(200) < np.where(first, 0.9, 0.15), "yes", "no") for name in "abc"}
    )
    frame["grade"] = rng.integers(2, 5, 200)
    frame.loc[::9, "b"] = None
    mixture = CategoricalMixture(2, random_state=0).fit(frame)
    part = mixture.conditional({"a": "yes", "grade": 3})
    assert type(part) is CategoricalMixture
    assert part.levels_ == [["no", "yes"], ["no", "yes"]]
    tables = mixture.probabilities_
    joint = mixture.weights_ * tables[0][:, 1] * tables[3][:, 1]
    assert_allclose(part.weights_, joint / joint.sum())
    assert_allclose(part.probabilities_[1], tables[2])
    assert list(load(part.save(tmp_path / "a.mixtura")).feature_names_in_) == ["b", "c"]
    filled = mixture.impute(frame)
    assert_array_equal(filled.notna(), np.ones(frame.shape, dtype=bool))
    kept = frame["b"].notna()
    assert_array_equal(filled["b"][kept], frame["b"][kept])
    chances = mixture.predict_proba(frame) @ tables[1]
    assert_array_equal(filled["b"][~kept], np.where(chances[:, 1] > 0.5, "yes", "no")[~kept])
    cells = frame.to_numpy(dtype=object)
    objects = CategoricalMixture(2, random_state=0).fit(cells).impute(cells)
    assert_array_equal(objects[:, 1], filled["b"])
    numbers = np.where(frame[["a", "c"]] == "yes", 7.0, 3.0)
    plain = CategoricalMixture(random_state=0).fit(numbers)
    assert plain.impute([[7.0, np.nan]]).tolist() == [
        [7.0, 3.0 + 4.0 * (np.mean(numbers[:, 1] == 7.0) > 0.5)]
    ]


# --- imputation ---------------------------------------------------------------------------------------------------
def _fitted(name):
    rng = np.random.default_rng(5)
    x = np.concatenate(
        [rng.multivariate_normal([0, 4], [[1, 0.7], [0.7, 1]], 100), rng.normal([5, 0], 1, (80, 2))]
    )
    kinds = {
        "t": (StudentT(), x),
        "nested": (Nested(Gaussian(), 2), x),
        "noise": (Union((Gaussian(), None), (UniformNoise([-9, -9], [12, 12]), 1)), x),
        "log-normal": (LogNormal(), np.exp(0.3 * x)),
        "Gaussian": (Gaussian(model=Full(0.01)), x),
    }
    component, rows = kinds[name]
    return Mixture(component, 2, random_state=0, max_iter=50, tol=1e-3).fit(rows), rows


@pytest.mark.parametrize("name", ["t", "nested", "noise", "log-normal", "Gaussian"])
def test_imputed_numbers_are_means_of_conditional_samples(name):
    mixture, x = _fitted(name)
    for row in x[[0, 50, 120]]:
        found = mixture.impute([[row[0], np.nan]])
        assert found[0, 0] == row[0]
        drawn = mixture.conditional({0: row[0]}).sample(4000)[0][:, 0]
        assert abs(found[0, 1] - drawn.mean()) < 5.0 * drawn.std() / np.sqrt(4000)


def test_imputed_levels_and_angles_are_those_of_conditional_samples():
    for row in MIXED_ROWS[[0, 1, 5]]:
        lacking = row.copy()
        lacking[3:] = np.nan
        found = MIXED.impute(lacking[None])[0]
        drawn, _ = MIXED.conditional(dict(enumerate(row[:3]))).sample(4000)
        assert found[3] == np.bincount(drawn[:, 0].astype(int)).argmax()
        angle = np.angle(np.exp(1j * drawn[:, 1]).mean())
        assert abs(np.angle(np.exp(1j * (found[4] - angle)))) < 0.1  # some five standard errors
        assert found[5] == np.bincount(drawn[:, 2].astype(int)).argmax()


def test_skewed_columns_are_filled_in_though_their_conditional_law_is_another():
    rng = np.random.default_rng(0)
    push = np.abs(rng.normal(size=(600, 1)))
    x = push * [2.0, 1.0] + rng.normal(0, 0.4, (600, 2)) + 50.0
    mixture = Mixture(SkewNormal(), random_state=0).fit(x)
    lacking = x.copy()
    lacking[:, 1] = np.nan
    straight = GaussianMixture().fit(x).impute(lacking)
    errors = [np.mean((filled - x)[:, 1] ** 2) for filled in (mixture.impute(lacking), straight)]
    assert errors[0] < errors[1] < x[:, 1].var()
    with pytest.raises(InvalidParameterError, match="in which it is skewed"):
        mixture.conditional({0: 50.0})
    assert_allclose(mixture.marginal(0).score(x[:, [0]]), mixture.marginal([0]).score(x[:, [0]]))


def test_a_row_of_which_nothing_is_known_gets_the_mean(clusters):
    mixture, x = clusters
    lost = np.full((1, 3), np.nan)
    assert_allclose(mixture.impute(lost)[0], mixture.weights_ @ mixture.means_)
    assert_array_equal(mixture.impute(x), x)
    assert mixture.impute(x.astype(np.float32)).dtype == np.float32
    factors = FactorAnalyzerMixture(n_components=2, n_factors=1, random_state=0).fit(x)
    lacking = x.copy()
    lacking[::2, 1] = np.nan
    lacking[::3, 0] = np.nan
    wide = GaussianMixture(2, means_init=mixture.means_, random_state=0).fit(x)
    assert np.abs(factors.impute(lacking) - wide.impute(lacking)).max() < 2.0
    counts = PoissonMixture(2, random_state=0).fit(RNG.poisson([[1.0, 8.0]], (100, 2)).astype(float))
    assert_allclose(counts.impute([[np.nan, np.nan]])[0], counts.weights_ @ counts.rates_)


def test_a_frame_comes_back_filled(customers):
    mixture, frame = customers
    rng = np.random.default_rng(0)
    lacking = frame.copy()
    lacking["name"] = "x"  # a column that the mixture does not use
    for name in ("age", "weight", "channel", "visits", "spend"):
        lacking.loc[rng.random(300) < 0.3, name] = None
    before = lacking.copy()
    filled = mixture.impute(lacking)
    assert list(filled.columns) == list(lacking.columns)
    assert_array_equal(filled.index, frame.index)
    pd.testing.assert_frame_equal(lacking, before)
    for name in frame.columns:
        kept = lacking[name].notna()
        assert_array_equal(filled[name][kept], frame[name][kept])
        assert filled[name].notna().all()
    assert set(filled["channel"]) == {"web", "shop"}
    lost = lacking["channel"].isna()
    assert (filled["channel"] == frame["channel"])[lost].mean() > 0.8
    lost = lacking["weight"].isna()
    plain = (frame["weight"] - frame["weight"].mean())[lost].std()
    assert (filled["weight"] - frame["weight"])[lost].std() < 0.8 * plain  # tall ones are heavier
    assert mixture.impute(frame) is not frame
    pd.testing.assert_frame_equal(mixture.impute(frame), frame)


def test_other_frames_and_kinds_of_cells_come_back_as_they_are(customers):
    mixture, frame = customers
    lacking = pl.from_pandas(frame).with_columns(
        pl.when(pl.int_range(300) % 3 == 0).then(None).otherwise(pl.col("channel")).alias("channel"),
        pl.when(pl.int_range(300) % 4 == 0)
        .then(None)
        .otherwise(pl.col("visits").cast(pl.Int64))
        .alias("visits"),
    )
    filled = mixture.impute(lacking)
    assert isinstance(filled, pl.DataFrame)
    assert filled.null_count().sum_horizontal().sum() == 0
    assert filled["channel"].dtype == pl.String
    labels = pd.Categorical(frame["channel"], categories=["shop", "web"], ordered=True)
    other = frame.assign(channel=labels)
    other.loc[other.index[::5], "channel"] = None
    result = mixture.impute(other)["channel"]
    assert result.notna().all()
    assert result.dtype == other["channel"].dtype
    numbers = mixture.frame.matrix(frame, "Mixture")
    numbers[::2, 4] = np.nan
    assert set(mixture.impute(numbers)[:, 4]) == {0.0, 1.0}  # numbers of levels, as they were given


def test_blocks_without_laws_of_columns_do_not_matter_where_nothing_is_lost():
    rng = np.random.default_rng(0)
    baskets = rng.multinomial(6, [0.2, 0.3, 0.5], 120).astype(float)
    x = np.column_stack([baskets, rng.normal(20.0, 2.0, (120, 2))])
    product = Product({"basket": (Multinomial(), [0, 1, 2]), "size": (Gaussian(), [3, 4])})
    mixture = Mixture(product, 2, random_state=0).fit(x)
    lacking = x.copy()
    lacking[::2, 3] = np.nan
    filled = mixture.impute(lacking)
    assert np.isfinite(filled).all()
    drawn = mixture.conditional(dict(enumerate(x[0, :3])) | {4: x[0, 4]})
    assert_allclose(filled[0, 3], drawn.weights_ @ drawn.components_["size"].mean[:, 0])
    assert mixture.marginal([3]).n_features_in_ == 1
    lacking[0, 0] = np.nan
    with pytest.raises(InvalidParameterError, match=r"Block 'basket': The multinomial component cannot be"):
        mixture.impute(lacking)
    with pytest.raises(InvalidParameterError, match=r"Block 'basket': .* total of their own"):
        mixture.marginal([0, 3])


def test_exposure_is_given_or_the_last_column():
    rng = np.random.default_rng(0)
    hours = rng.uniform(1, 9, 300)
    calls = rng.poisson(hours[:, None] * [[0.5, 2.0]])
    mixture = Mixture(Poisson(exposure=True), random_state=0).fit(np.column_stack([calls, hours]))
    rate = mixture.components_.mean[0]
    assert_allclose(mixture.impute([[np.nan, 4.0, 3.0]])[0], [3.0 * rate[0], 4.0, 3.0])
    busy = mixture.conditional({2: 3.0})
    assert_allclose(busy.components_.mean[0], 3.0 * rate)
    assert busy.sample(2)[0].shape == (2, 2)
    with pytest.raises(InvalidParameterError, match=r"expected column 2, which is taken as given"):
        mixture.conditional({0: 4.0})
    with pytest.raises(InvalidParameterError, match=r"given\[2\] is -1; expected .* positive exposure"):
        mixture.conditional({2: -1.0})


# --- what is refused ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"agee": 3.0}, r"There is no column 'agee'. Did you mean 'age'"),
        ({9: 3.0}, r"A column is 9; expected a name, or a number from 0 to 5"),
        ({True: 3.0}, r"A column is True; expected a name"),
        ({"age": 30.0, 0: 30.0}, r"Column 'age' is named twice"),
        ({"channel": "phone"}, r"given\['channel'\] is 'phone'; expected one of 'shop', 'web'"),
        ({"age": "old"}, r"given\['age'\] is 'old'; expected a finite number"),
        ({"age": np.nan}, r"given\['age'\] is nan; expected a finite number. Leave it out"),
        ({"visits": -1}, r"given\['visits'\] is -1; expected whole counts"),
        (
            {"spend": 0.0},
            r"given\['spend'\] is 0; expected positive numbers \(block 'positive', log-normal\)",
        ),
        ({}, r"given is {}; expected a mapping of at least one column"),
        ("age", r"given is 'age'; expected a mapping"),
    ],
)
def test_values_that_cannot_be_given(customers, given, message):
    with pytest.raises(InvalidParameterError, match=message):
        customers[0].conditional(given)


def test_columns_that_cannot_be_asked_for(customers, clusters):
    mixture, frame = customers
    with pytest.raises(InvalidParameterError, match=r"columns is \[\]; expected at least one"):
        mixture.marginal([])
    with pytest.raises(InvalidParameterError, match=r"given names all 6 columns; expected at least one"):
        mixture.conditional(frame.iloc[0].to_dict())
    with pytest.raises(InvalidParameterError, match=r"no column 'age'. The mixture was fitted without names"):
        clusters[0].marginal("age")
    with pytest.raises(InvalidDataError, match=r"row 3, column visits is -2; expected whole counts"):
        mixture.impute(frame.assign(visits=np.where(np.arange(300) == 3, -2.0, np.nan)))
    counts = MultinomialMixture(2, random_state=0).fit(RNG.multinomial(5, [0.2, 0.3, 0.5], 50))
    with pytest.raises(InvalidParameterError, match=r"multinomial component cannot be restricted .* total"):
        counts.marginal([0, 1])
    with pytest.raises(InvalidParameterError, match=r"multinomial component cannot be"):
        counts.impute([[1.0, np.nan, 2.0]])


def test_values_that_are_impossible_under_all_components(clusters):
    with pytest.raises(InvalidParameterError, match=r"\{0: 1e\+200\}, are impossible under all components"):
        clusters[0].conditional({0: 1e200})
