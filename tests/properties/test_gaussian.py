"""Properties of Gaussian mixtures over drawn data: units, offsets, order, repetition, extremes."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixtura import GaussianMixture
from mixtura.exceptions import ConvergenceWarning

KINDS = ("full", "tied", "diag", "spherical")
few = settings(max_examples=15)
kinds = st.sampled_from(KINDS)
seeds = st.integers(0, 2**16)


def table(seed, n_features=2, n=60):
    rng = np.random.default_rng(seed)
    centres = rng.normal(scale=4.0, size=(2, n_features))
    return centres[rng.integers(0, 2, n)] + rng.normal(size=(n, n_features))


def steps(x, kind="full", n_steps=6, k=2, sample_weight=None, **options):
    """A few EM steps from two rows that are far apart, without regularisation."""
    x = np.asarray(x)
    first = x[0].astype(float)
    spread = np.asarray(x, dtype=float).var(axis=0) + 1e-300
    far = x[np.argmax(((x - first) ** 2 / spread).sum(axis=1))].astype(float)
    precision = {
        "full": np.stack([np.diag(1.0 / spread)] * k),
        "tied": np.diag(1.0 / spread),
        "diag": np.tile(1.0 / spread, (k, 1)),
        "spherical": np.full(k, 1.0 / spread.mean()),
    }[kind]
    start = {"weights_init": [0.5, 0.5], "means_init": [first, far], "precisions_init": precision}
    model = GaussianMixture(
        k, covariance_type=kind, reg_covar=0.0, tol=1e-300, max_iter=n_steps, **(start | options)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a few steps; some examples need no more
        return model.fit(x, sample_weight=sample_weight)


@few
@given(seed=seeds, kind=kinds, exponent=st.integers(-8, 8))
def test_the_unit_of_the_data_does_not_matter(seed, kind, exponent):
    x, unit = table(seed), 10.0**exponent
    one, other = steps(x, kind), steps(x * unit, kind)
    np.testing.assert_allclose(other.means_, one.means_ * unit, rtol=1e-7, atol=1e-9 * unit)
    np.testing.assert_allclose(other.covariances_, one.covariances_ * unit**2, rtol=1e-6, atol=1e-9 * unit**2)
    np.testing.assert_allclose(other.predict_proba(x * unit), one.predict_proba(x), atol=1e-7)
    # A density per unit of measure: log p changes by the logarithm of the unit for each column.
    assert other.lower_bound_ == pytest.approx(one.lower_bound_ - 2 * np.log(unit), abs=1e-7)


@few
@given(seed=seeds, kind=st.sampled_from(["full", "tied", "diag"]), exponent=st.integers(0, 5))
def test_columns_may_have_units_of_their_own(seed, kind, exponent):
    x, unit = table(seed), np.array([1.0, 10.0**exponent])
    one, other = steps(x, kind), steps(x * unit, kind)
    np.testing.assert_allclose(other.means_, one.means_ * unit, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(other.predict_proba(x * unit), one.predict_proba(x), atol=1e-6)


@few
@given(seed=seeds, kind=kinds, sign=st.sampled_from([-1.0, 1.0]), exponent=st.integers(0, 8))
def test_the_origin_does_not_matter(seed, kind, sign, exponent):
    x, offset = table(seed), sign * 10.0**exponent
    one, other = steps(x, kind), steps(x + offset, kind)
    # x + 1e8 keeps eight digits of x, and the covariance of such rows about seven.
    lost = 1e-15 * 10.0**exponent
    np.testing.assert_allclose(other.means_ - offset, one.means_, atol=1e-8 + 1e3 * lost)
    np.testing.assert_allclose(other.covariances_, one.covariances_, atol=1e-8 + 1e3 * lost)
    assert other.lower_bound_ == pytest.approx(one.lower_bound_, abs=1e-8 + 1e3 * lost)


@few
@given(seed=seeds, kind=kinds)
def test_the_order_of_rows_does_not_matter(seed, kind):
    x = table(seed)
    order = np.random.default_rng(seed + 1).permutation(np.arange(1, len(x)))
    shuffled = np.concatenate([x[:1], x[order]])  # the first row stays, for it is part of the start
    one, other = steps(x, kind), steps(shuffled, kind)
    np.testing.assert_allclose(other.means_, one.means_, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(other.covariances_, one.covariances_, rtol=1e-7, atol=1e-9)


@few
@given(seed=seeds, kind=kinds)
def test_a_whole_weight_is_the_row_repeated(seed, kind):
    x = table(seed)
    weight = np.random.default_rng(seed).integers(0, 4, len(x))
    weight[0] = 2
    repeated = np.repeat(x, weight, axis=0)
    counted = x[weight > 0]
    one = steps(counted, kind, sample_weight=weight[weight > 0])
    # One start for both: the spread of the repeated rows would be another.
    spread = counted.var(axis=0)
    precision = {
        "full": np.stack([np.diag(1.0 / spread)] * 2),
        "tied": np.diag(1.0 / spread),
        "diag": np.tile(1.0 / spread, (2, 1)),
        "spherical": np.full(2, 1.0 / spread.mean()),
    }[kind]
    other = steps(repeated, kind, precisions_init=precision)
    np.testing.assert_allclose(other.means_, one.means_, rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(other.covariances_, one.covariances_, rtol=1e-6, atol=1e-8)
    assert other.lower_bound_ == pytest.approx(one.lower_bound_, rel=1e-9)


@few
@given(seed=seeds, kind=kinds, value=st.sampled_from([0.0, 1e6, -1e12]))
def test_a_row_of_weight_zero_is_not_there(seed, kind, value):
    x = table(seed)
    with_ghosts = np.concatenate([x, np.full((7, 2), value)])
    weight = np.concatenate([np.ones(len(x)), np.zeros(7)])
    start = {"means_init": [x[0], x[1]], "precisions_init": None, "weights_init": [0.5, 0.5]}
    one = steps(x, kind, **start, sample_weight=np.ones(len(x)))
    other = steps(with_ghosts, kind, **start, sample_weight=weight)
    np.testing.assert_allclose(other.means_, one.means_, rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(other.covariances_, one.covariances_, rtol=1e-6, atol=1e-8)


@few
@given(seed=seeds, kind=kinds, factor=st.floats(0.01, 100.0))
def test_weights_all_larger_change_nothing_but_the_total(seed, kind, factor):
    x = table(seed)
    one = steps(x, kind, sample_weight=np.ones(len(x)))
    other = steps(x, kind, sample_weight=np.full(len(x), factor))
    np.testing.assert_allclose(other.means_, one.means_, rtol=1e-8, atol=1e-9)
    assert other.total_weight_ == pytest.approx(factor * len(x))


@few
@given(seed=seeds, kind=kinds, exponent=st.sampled_from([-140, -80, 80, 140]))
def test_extreme_magnitudes(seed, kind, exponent):
    x, unit = table(seed), 10.0**exponent
    one, other = steps(x, kind, n_steps=3), steps(x * unit, kind, n_steps=3)
    np.testing.assert_allclose(other.predict(x * unit), one.predict(x))
    np.testing.assert_allclose(other.means_ / unit, one.means_, rtol=1e-6, atol=1e-8)


@few
@given(seed=seeds, kind=kinds)
def test_rows_about_two_offsets_are_right_although_no_single_origin_is(seed, kind):
    """Clusters of unit variance at 0 and at 1e8: sums about one origin would lose all digits of one of them."""
    rng = np.random.default_rng(seed)
    near, far = rng.normal(size=(40, 2)), rng.normal(size=(60, 2)) + 1e8
    x = np.concatenate([near, far])
    model = steps(x, kind, n_steps=10)
    np.testing.assert_allclose(np.sort(model.weights_), [0.4, 0.6], rtol=1e-9)
    centred = [near - near.mean(axis=0), far - far.mean(axis=0)]
    order = np.argsort(model.means_[:, 0])
    np.testing.assert_allclose(
        model.means_[order], [near.mean(axis=0), far.mean(axis=0)], rtol=1e-12, atol=1e-6
    )
    matrices = [rows.T @ rows / len(rows) for rows in centred]
    expected = {
        "full": np.stack(matrices),
        "tied": 0.4 * matrices[0] + 0.6 * matrices[1],
        "diag": np.stack([matrix.diagonal() for matrix in matrices]),
        "spherical": np.array([matrix.diagonal().mean() for matrix in matrices]),
    }[kind]
    found = model.covariances_ if kind == "tied" else model.covariances_[order]
    np.testing.assert_allclose(found, expected, atol=1e-6)  # rows near 1e8 are known to 1.5e-8


@few
@given(seed=seeds, kind=kinds, offset=st.sampled_from([0.0, 1e3, 1e6]))
def test_float32_rows_are_right_far_from_the_origin(seed, kind, offset):
    x = (table(seed) + offset).astype(np.float32)
    single, double = steps(x, kind, n_steps=4), steps(x.astype(np.float64), kind, n_steps=4)
    assert single.means_.dtype == np.float32
    # The same rows: only the results are rounded.
    np.testing.assert_allclose(single.means_, double.means_, rtol=1e-6)
    np.testing.assert_allclose(single.covariances_, double.covariances_, rtol=1e-4, atol=1e-6)


@few
@given(seed=seeds, kind=kinds)
def test_blocks_in_float32_are_near_blocks_in_float64(seed, kind):
    x = table(seed) + 50.0
    single, double = steps(x, kind, dtype="float32"), steps(x, kind)
    np.testing.assert_allclose(single.means_, double.means_, rtol=1e-3)
    assert single.lower_bound_ == pytest.approx(double.lower_bound_, abs=1e-3)


# --- edges --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", KINDS)
def test_all_rows_equal(kind):
    x = np.full((20, 2), 3.0)
    model = GaussianMixture(1, covariance_type=kind, random_state=0).fit(x)
    np.testing.assert_allclose(model.means_, 3.0)
    variance = (
        np.diagonal(np.atleast_3d(model.covariances_)[0]) if kind == "full" else np.ravel(model.covariances_)
    )
    assert variance.max() == pytest.approx(1e-6, rel=1e-6)  # reg_covar


@pytest.mark.parametrize("kind", KINDS)
def test_all_rows_equal_for_more_components_than_distinct_rows(kind):
    model = GaussianMixture(3, covariance_type=kind, random_state=0).fit(np.full((20, 2), 3.0))
    np.testing.assert_allclose(model.means_, 3.0, atol=1e-2)
    assert np.isfinite(model.lower_bound_)


def test_all_rows_equal_without_a_floor_is_an_error():
    with pytest.raises(ValueError, match="not positive definite"):
        GaussianMixture(1, reg_covar=0.0).fit(np.full((20, 2), 3.0))


def test_as_many_components_as_rows():
    x = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    model = GaussianMixture(3, random_state=0).fit(x)
    assert sorted(model.predict(x)) == [0, 1, 2]


def test_a_constant_column():
    x = np.column_stack([table(5)[:, 0], np.full(60, 7.0)])
    model = GaussianMixture(2, random_state=0).fit(x)
    np.testing.assert_allclose(model.means_[:, 1], 7.0)
    assert np.isfinite(model.lower_bound_)


def test_values_that_overflow_name_their_column():
    with pytest.raises(ValueError, match=r"Column 1 .*overflow"):
        GaussianMixture(2).fit(np.array([[0.0, 1e200], [1.0, -1e200], [2.0, 0.0]]))


@pytest.mark.parametrize("method", ["predict", "predict_proba", "score_samples"])
def test_one_row_is_scored_like_many(method):
    x = table(6)
    model = GaussianMixture(2, random_state=0).fit(x)
    many = getattr(model, method)(x)
    np.testing.assert_allclose(getattr(model, method)(x[:1])[0], many[0], rtol=1e-12)


@pytest.mark.parametrize("kind", ["full", "diag", "spherical"])
def test_the_default_start_finds_clusters_at_zero_and_at_a_hundred_million(kind):
    rng = np.random.default_rng(4)
    x = np.concatenate([rng.normal(size=(40, 2)), rng.normal(size=(60, 2)) + 1e8])
    model = GaussianMixture(2, covariance_type=kind, random_state=0).fit(x)
    np.testing.assert_allclose(np.sort(model.weights_), [0.4, 0.6], rtol=1e-6)
    variances = model.covariances_ if kind != "full" else np.diagonal(model.covariances_, axis1=1, axis2=2)
    assert np.all((variances > 0.5) & (variances < 2.0))
