"""Properties of multinomial mixtures over drawn counts."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from mixtura import GroupedMultinomialMixture, MultinomialMixture
from mixtura.exceptions import ConvergenceWarning

few = settings(max_examples=15)
seeds = st.integers(0, 2**16)
START = {"weights_init": [0.6, 0.4], "profiles_init": [[0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4]]}


def table(seed, n=40):
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.ones(4), size=2)
    return np.array([rng.multinomial(rng.integers(0, 10), shares[i % 2]) for i in range(n)], dtype=float)


def steps(x, cls=MultinomialMixture, n_steps=5, **arguments):
    options = {name: arguments.pop(name) for name in ("pseudo_count", "concentration") if name in arguments}
    model = cls(2, tol=1e-300, max_iter=n_steps, **START, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a few steps; some examples need no more
        return model.fit(x, **arguments)


def same(one, other, tol=1e-8):
    """Up to the rounding of sums in another order, through five steps."""
    np.testing.assert_allclose(other.profiles_, one.profiles_, rtol=tol, atol=1e-10)
    np.testing.assert_allclose(other.weights_, one.weights_, rtol=tol)


@few
@given(seed=seeds)
def test_the_order_of_rows_does_not_matter(seed):
    x = table(seed)
    same(steps(x), steps(x[np.random.default_rng(seed).permutation(len(x))]))


@few
@given(seed=seeds)
def test_the_order_of_categories_does_not_matter(seed):
    x = table(seed)
    model = MultinomialMixture(2, tol=1e-300, max_iter=5, **START)
    model.set_params(profiles_init=np.array(START["profiles_init"])[:, ::-1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        other = model.fit(x[:, ::-1])
    np.testing.assert_allclose(other.profiles_[:, ::-1], steps(x).profiles_, rtol=1e-9)


@few
@given(seed=seeds)
def test_sparse_is_dense(seed):
    x = table(seed)
    for kind in (sp.csr_matrix, sp.csr_array, sp.csc_matrix, sp.coo_matrix):
        same(steps(x), steps(kind(x)))


@few
@given(seed=seeds)
def test_explicit_zeros_are_zeros(seed):
    x = sp.csr_matrix(table(seed))
    with_zeros = x.copy()
    with_zeros.data[::3] = 0.0
    same(steps(with_zeros), steps(with_zeros.toarray()))


@few
@given(seed=seeds, cls=st.sampled_from([MultinomialMixture, GroupedMultinomialMixture]))
def test_a_whole_weight_is_the_row_repeated(seed, cls):
    x = table(seed)
    groups = np.arange(len(x)) // 4
    weight = np.random.default_rng(seed).integers(1, 4, len(x))
    extra = {"groups": groups} if cls is GroupedMultinomialMixture else {}
    again = {"groups": np.repeat(groups, weight)} if extra else {}
    same(
        steps(x, cls, sample_weight=weight, **extra),
        steps(np.repeat(x, weight, axis=0), cls, **again),
        tol=1e-6,
    )


@few
@given(seed=seeds)
def test_a_row_of_weight_zero_is_not_there(seed):
    x = table(seed)
    ghosts = np.concatenate([x, np.full((5, 4), 1e6)])
    weight = np.r_[np.ones(len(x)), np.zeros(5)]
    same(steps(x), steps(ghosts, sample_weight=weight))


@few
@given(seed=seeds, s=st.sampled_from(["learn", 0, 3.0, np.inf]))
def test_groups_may_be_in_any_order_and_have_any_name(seed, s):
    x = table(seed)
    groups = np.random.default_rng(seed).integers(0, 8, len(x))
    one = steps(x, GroupedMultinomialMixture, groups=groups, concentration=s)
    order = np.random.default_rng(seed + 1).permutation(len(x))
    names = np.array([f"household {chr(ord('a') + g)}" for g in groups])
    other = steps(x[order], GroupedMultinomialMixture, groups=names[order], concentration=s)
    same(one, other, tol=1e-6)
    np.testing.assert_allclose(other.group_weights_, one.group_weights_, rtol=1e-5, atol=1e-8)
    assert other.groups_[0].startswith("household")
    np.testing.assert_array_equal(other.group_counts_, one.group_counts_)


@few
@given(seed=seeds, factor=st.sampled_from([0.25, 0.5, 1.5]))
def test_counts_may_be_fractional_they_are_weights_of_lines(seed, factor):
    """log p(x) is linear in x but for the coefficient, which gamma functions extend: nothing asks for whole numbers."""
    x = table(seed)
    model = MultinomialMixture(1, pseudo_count=0.0).fit(x * factor)
    np.testing.assert_allclose(
        model.profiles_, MultinomialMixture(1, pseudo_count=0.0).fit(x).profiles_, rtol=1e-12
    )
    assert np.isfinite(model.score(x * factor))


@few
@given(seed=seeds, exponent=st.sampled_from([6, 12, 15]))
def test_huge_counts(seed, exponent):
    x = table(seed)
    model = MultinomialMixture(2, random_state=0, max_iter=200, tol=1.0).fit(x * 10.0**exponent)
    assert np.isfinite(model.lower_bound_)
    np.testing.assert_allclose(model.profiles_.sum(axis=1), 1.0, rtol=1e-12)


# --- edges --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("table_of", [np.asarray, sp.csr_matrix])
def test_rows_of_zeros_only(table_of):
    with pytest.raises(ValueError, match="All counts are zero"):
        MultinomialMixture(1).fit(table_of(np.zeros((3, 4))))
    x = np.eye(4)
    with pytest.raises(ValueError, match="All counts are zero in the rows of positive weight"):
        MultinomialMixture(1).fit(table_of(np.r_[x, 0 * x]), sample_weight=np.r_[np.zeros(4), np.ones(4)])


def test_empty_rows_among_others_have_the_weights_of_all():
    x = np.concatenate([table(1), np.zeros((10, 4))])
    model = steps(x, n_steps=40)
    np.testing.assert_allclose(model.predict_proba(np.zeros((1, 4)))[0], model.weights_, rtol=1e-9)
    np.testing.assert_allclose(model.score_samples(np.zeros((1, 4))), 0.0, atol=1e-12)


def test_one_category_only():
    model = MultinomialMixture(2, random_state=0).fit(np.arange(1.0, 9.0)[:, None])
    np.testing.assert_allclose(model.profiles_, 1.0)
    np.testing.assert_allclose(model.score_samples(np.array([[5.0]])), 0.0, atol=1e-12)


def test_one_row_and_all_rows_equal():
    row = np.array([[1.0, 2.0, 0.0]])
    np.testing.assert_allclose(
        MultinomialMixture(1, pseudo_count=0.0).fit(row).profiles_, [[1 / 3, 2 / 3, 0.0]], rtol=1e-12
    )
    model = MultinomialMixture(2, random_state=0).fit(np.repeat(row, 10, axis=0))
    np.testing.assert_allclose(model.profiles_[0], model.profiles_[1], atol=0.05)


def test_a_category_never_seen_is_impossible_without_pseudo_counts_and_unlikely_with_them():
    x = table(2)
    x[:, 3] = 0.0
    new = np.array([[1.0, 0.0, 0.0, 2.0]])
    without = MultinomialMixture(2, pseudo_count=0.0, random_state=0).fit(x)
    assert np.isneginf(without.score_samples(new)[0])
    np.testing.assert_allclose(without.predict_proba(new).sum(), 1.0)
    with_some = MultinomialMixture(2, random_state=0).fit(x)
    assert np.isfinite(with_some.score_samples(new)[0])


@few
@given(seed=seeds, rule=st.sampled_from(["kmeans", "k-means++", "random_from_data", "random", "sieve"]))
def test_empty_rows_spoil_no_start(seed, rule):
    x = np.concatenate([table(seed)[:10], np.zeros((20, 4))])
    model = MultinomialMixture(3, init_params=rule, random_state=0, tol=1e-3).fit(x)
    assert np.isfinite(model.lower_bound_)
