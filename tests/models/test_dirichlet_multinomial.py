"""Dirichlet-multinomials: the density, the guarded steps against loops, limits, and what overdispersion means for segments."""

import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import dirichlet_multinomial

import mixtura
import naive
from mixtura import MultinomialMixture, select
from mixtura.components import DirichletMultinomial
from mixtura.components.dirichlet_multinomial import (
    LARGEST_CONCENTRATION,
    SMALLEST_CONCENTRATION,
    SMALLEST_SHARE,
    fixed_point,
    newton_step,
)
from mixtura.components.rising import LARGE, log_rising, rising_derivatives
from mixtura.exceptions import DegenerateComponentError, InvalidDataError, InvalidParameterError
from mixtura.families import Multinomial
from mixtura.kernels import without_kernels
from mixtura.models import DirichletMultinomialMixture, Mixture
from mixtura.protocols import Encoding
from mixtura.statistics import Statistics

few = settings(max_examples=30)
seeds = st.integers(0, 2**16)


def drawn(n_rows, alpha, weights, totals, seed):
    """Counts and labels from the model."""
    rng = np.random.default_rng(seed)
    label = rng.choice(len(weights), size=n_rows, p=weights)
    n = rng.choice(totals, size=n_rows)
    return np.array(
        [rng.multinomial(m, rng.dirichlet(alpha[k])) for m, k in zip(n, label, strict=True)]
    ), label


ALPHA = np.array([[6.0, 2.0, 1.0, 1.0, 0.5], [0.5, 0.5, 1.0, 3.0, 4.0]])
X, LABEL = drawn(600, ALPHA, [0.35, 0.65], np.arange(3, 60), seed=0)
X = X.astype(float)


def fractional(seed, n_rows=30, n_columns=4):
    """Counts of which some are zero, some below one and some above."""
    rng = np.random.default_rng(seed)
    x = np.exp(rng.uniform(-6, 3, (n_rows, n_columns)))
    x[rng.random(x.shape) < 0.3] = 0.0
    x[0] = np.maximum(x[0], 0.01)  # no category without counts
    return x


def sums_of(component, x, resp):
    return component.expected_statistics(
        component.encode(np.ascontiguousarray(x.T), Encoding(x.shape[1])), resp
    )


def scores(component, x):
    return component.log_prob(component.encode(np.ascontiguousarray(x.T), Encoding(x.shape[1])))


# --- the density --------------------------------------------------------------------------------------------------
def test_whole_counts_have_the_density_of_scipy():
    found = scores(DirichletMultinomial(ALPHA), X)
    for k in range(2):
        expected = dirichlet_multinomial(ALPHA[k], X.sum(axis=1).astype(int)).logpmf(X.astype(int))
        np.testing.assert_allclose(found[k], expected, rtol=1e-10)  # SciPy's own differences of large logs


@few
@given(seed=seeds)
def test_fractions_have_the_density_of_the_loops(seed):
    x = fractional(seed)
    alpha = np.exp(np.random.default_rng(seed).uniform(-8, 5, (2, 4)))
    found = scores(DirichletMultinomial(alpha), x)
    expected = [
        [naive.dirichlet_multinomial_log_density(row, a) for row in x.tolist()] for a in alpha.tolist()
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("a", [1e-9, 0.3, LARGE * (1 - 1e-12), LARGE, 40.0, 1e6, 1e10])
@pytest.mark.parametrize("x", [1e-3, 0.5, 1.0, 7.0, 400.0])
def test_rising_factorials_keep_their_digits(x, a):
    whole = int(x)
    logs, (first, second) = (
        log_rising(np.array([x]), np.array([a])),
        rising_derivatives(np.array([x]), np.array([a])),
    )
    if whole == x:  # sums over the factors
        factors = a + np.arange(whole)
        assert logs[0] == pytest.approx(np.log(factors).sum(), rel=1e-13, abs=1e-13)
        assert first[0] == pytest.approx((1 / factors).sum(), rel=1e-12)
        assert second[0] == pytest.approx((1 / factors**2).sum(), rel=1e-11)
    else:  # Γ(x) Γ(x + 1) steps: up by x and then by 1 - x is up by 1
        assert logs[0] + log_rising(np.array([1 - x]), np.array([a + x]))[0] == pytest.approx(
            np.log(a), rel=1e-12
        )
        rest = rising_derivatives(np.array([1 - x]), np.array([a + x]))
        assert first[0] + rest[0][0] == pytest.approx(1 / a, rel=1e-11)
        assert second[0] + rest[1][0] == pytest.approx(1 / a**2, rel=1e-10)


@pytest.mark.parametrize("table_of", [np.asarray, sp.csr_matrix])
def test_a_large_concentration_is_the_multinomial(table_of):
    shares = ALPHA / ALPHA.sum(axis=1, keepdims=True)
    table = table_of(X)
    block = table if sp.issparse(table) else table.T
    component = DirichletMultinomial(LARGEST_CONCENTRATION * shares)
    found = component.log_prob(component.encode(block, Encoding(5)))
    expected = np.log(shares) @ X.T + Multinomial().log_base_measure(X.T)
    np.testing.assert_allclose(
        found, expected, atol=60**2 / 2e10 + 1e-11
    )  # the documented difference, and rounding


def test_a_unit_without_counts_says_nothing():
    component = DirichletMultinomial(ALPHA)
    empty = np.zeros((1, 5))
    np.testing.assert_array_equal(scores(component, empty), 0.0)
    stats = sums_of(component, empty, np.ones((2, 1)))
    assert all(not stats[name].any() for name in stats.sums if name != "count")
    model = DirichletMultinomialMixture(2, random_state=0).fit(np.concatenate([X, np.zeros((40, 5))]))
    np.testing.assert_allclose(model.score_samples(empty), 0.0, atol=1e-13)
    np.testing.assert_allclose(model.predict_proba(empty)[0], model.weights_, rtol=1e-12)


@pytest.mark.parametrize("fractions", [False, True])
def test_sparse_rows_and_compiled_sums_are_the_plain_ones(fractions):
    x = np.repeat(X, 5, axis=0)  # enough for the kernels
    x = 0.3 * x if fractions else x
    alpha = np.concatenate([ALPHA, 30.0 * ALPHA, 1e7 * ALPHA])
    component, encoding = DirichletMultinomial(alpha), Encoding(5)
    with_zeros = sp.csr_matrix(x)
    with_zeros.data[::7] = 0.0
    x = with_zeros.toarray()
    resp = np.random.default_rng(1).dirichlet(np.full(6, 0.05), size=len(x)).T
    with without_kernels():
        block = component.encode(np.ascontiguousarray(x.T), encoding)
        expected, sums = component.log_prob(block), component.expected_statistics(block, resp)
    for table in (np.ascontiguousarray(x.T), with_zeros):
        block = component.encode(table, encoding)
        assert block.n_values == np.count_nonzero(x)
        np.testing.assert_allclose(component.log_prob(block), expected, rtol=1e-11, atol=1e-11)
        found = component.expected_statistics(block, resp)
        for name, value in sums.sums.items():
            np.testing.assert_allclose(found[name], value, rtol=1e-11, atol=1e-14, err_msg=name)
    assert with_zeros.nnz > np.count_nonzero(x)  # the caller's matrix is as it was


# --- steps --------------------------------------------------------------------------------------------------------
@few
@given(seed=seeds)
def test_steps_equal_the_loops(seed):
    x, rng = fractional(seed), np.random.default_rng(seed)
    alpha = np.exp(rng.uniform(-1, 2, (2, 4)))
    resp = rng.random((2, len(x)))
    stats = sums_of(DirichletMultinomial(alpha), x, resp)
    newton, safe = newton_step(alpha, stats)
    fixed = fixed_point(alpha, stats)
    for k in range(2):
        arguments = (x.tolist(), resp[k].tolist(), alpha[k].tolist())
        # Sums of differences of special functions; Newton divides by what may nearly cancel.
        np.testing.assert_allclose(fixed[k], naive.dirichlet_multinomial_fixed_point(*arguments), rtol=1e-9)
        if safe[k]:
            np.testing.assert_allclose(newton[k], naive.dirichlet_multinomial_newton(*arguments), rtol=1e-6)


@few
@given(seed=seeds, size=st.sampled_from([0.01, 1.0, 100.0]))
def test_the_fixed_point_never_lowers_the_likelihood_whatever_the_counts(seed, size):
    x, rng = size * fractional(seed), np.random.default_rng(seed)
    component = DirichletMultinomial(np.exp(rng.uniform(-8, 6, (1, 4))))
    resp = rng.random((1, len(x)))
    for _ in range(5):
        after = component.replace(fixed_point(component.alpha, sums_of(component, x, resp)))
        before, value = (np.sum(resp * scores(one, x)) for one in (component, after))
        assert value >= before - 1e-11 * (abs(before) + len(x))
        component = after


@few
@given(seed=seeds)
def test_newtons_step_goes_uphill(seed):
    """Some way along it the likelihood is higher: halving back, as the driver does, always ends there."""
    x, rng = fractional(seed), np.random.default_rng(seed)
    component = DirichletMultinomial(np.exp(rng.uniform(-4, 4, (1, 4))))
    resp = rng.random((1, len(x)))
    after, safe = newton_step(component.alpha, sums_of(component, x, resp))
    if safe[0]:
        assert np.abs(np.log(after / component.alpha)).max() <= 1.5 + 1e-12
        near = component.replace(component.alpha * (after / component.alpha) ** 1e-4)
        assert np.sum(resp * scores(near, x)) >= np.sum(resp * scores(component, x)) - 1e-11 * len(x)


def repeated(component, x, step, n_steps):
    resp = np.ones((1, len(x)))
    for done in range(n_steps):
        alpha = step(component.alpha, sums_of(component, x, resp))
        if np.abs(np.log(alpha / component.alpha)).max() < 1e-8:
            return component, done
        component = component.replace(alpha)
    return component, n_steps


def test_newton_and_the_fixed_point_end_in_the_same_place_newton_much_sooner():
    x, start = X[LABEL == 1], DirichletMultinomial(np.full((1, 5), 0.4))
    newton, few_steps = repeated(start, x, lambda alpha, stats: newton_step(alpha, stats)[0], 50)
    slow, many_steps = repeated(start, x, fixed_point, 5000)
    np.testing.assert_allclose(newton.alpha, slow.alpha, rtol=1e-4)
    assert few_steps <= 10  # quadratic: the digits double
    assert many_steps > 3 * few_steps


def test_expected_log_prob_is_right_to_first_order():
    x, rng = fractional(3), np.random.default_rng(3)
    component, resp = DirichletMultinomial(ALPHA[:, :4]), rng.random((2, 30))
    stats, theta = sums_of(component, x, resp), component.coordinates()
    for direction in rng.standard_normal((5, len(theta))):
        up, down = (component.from_coordinates(theta + sign * 1e-5 * direction) for sign in (1, -1))
        expected = np.sum(resp * (scores(up, x) - scores(down, x)))
        # Central differences of sums near 1e3.
        assert up.expected_log_prob(stats) - down.expected_log_prob(stats) == pytest.approx(
            expected, rel=1e-5, abs=1e-9
        )


def test_the_first_guess_is_near_where_the_counts_come_from():
    x, _ = drawn(4000, ALPHA[:1], [1.0], np.arange(2, 40), seed=4)
    blank = DirichletMultinomial()
    first = blank.maximize(sums_of(blank, x.astype(float), np.ones((1, len(x)))))
    assert first.concentration[0] == pytest.approx(ALPHA[0].sum(), rel=0.1)
    np.testing.assert_allclose(first.probabilities[0], ALPHA[0] / ALPHA[0].sum(), atol=0.01)


# --- limits -------------------------------------------------------------------------------------------------------
def fitted_alone(x, **options):
    return DirichletMultinomialMixture(1, tol=1e-10, **options).fit(x)


def test_rows_all_alike_end_at_the_multinomial():
    x = np.tile([[6.0, 3.0, 1.0]], (50, 1))
    model = fitted_alone(x)
    assert np.isfinite(model.alpha_).all()
    assert 1e4 < model.concentration_[0] <= LARGEST_CONCENTRATION
    plain = MultinomialMixture(1, pseudo_count=0.0).fit(x)
    assert model.lower_bound_ == pytest.approx(plain.lower_bound_, abs=1e-4)
    np.testing.assert_allclose(model.profiles_, plain.profiles_, rtol=1e-6)


def test_rows_of_one_category_each_end_at_a_finite_small_concentration():
    x = 20.0 * np.eye(3)[np.random.default_rng(0).integers(0, 3, 200)]
    model = fitted_alone(x)
    assert SMALLEST_CONCENTRATION <= model.concentration_[0] < 1e-3
    # All counts of a row are one opinion: the likelihood is that of the rows' categories alone.
    share = (x > 0).mean(axis=0)
    assert model.lower_bound_ == pytest.approx(np.sum(share * np.log(share)), abs=1e-3)


def test_a_category_never_seen_keeps_the_least_share():
    x = np.insert(X, 2, 0.0, axis=1)
    model = fitted_alone(x)
    np.testing.assert_allclose(model.profiles_[0, 2], SMALLEST_SHARE, rtol=1e-3)
    without = fitted_alone(X)
    np.testing.assert_allclose(np.delete(model.alpha_, 2, axis=1), without.alpha_, rtol=1e-3)
    assert np.isfinite(model.score_samples(np.eye(6))).all()


def test_rows_of_one_count_say_nothing_about_the_concentration():
    x = np.eye(4)[np.random.default_rng(1).choice(4, size=300, p=[0.4, 0.3, 0.2, 0.1])]
    model = fitted_alone(x)
    np.testing.assert_allclose(model.profiles_[0], x.mean(axis=0), rtol=1e-5)
    assert np.isfinite(model.alpha_).all()


@pytest.mark.parametrize("factor", [1e6, 1e12])
def test_huge_counts(factor):
    model = DirichletMultinomialMixture(2, random_state=0, max_iter=200, tol=1e-2).fit(X * factor)
    assert np.isfinite(model.lower_bound_)
    np.testing.assert_allclose(model.profiles_.sum(axis=1), 1.0, rtol=1e-12)


def test_components_without_rows_or_counts_are_named():
    component = DirichletMultinomial(np.tile(ALPHA[0], (3, 1)))
    resp = np.zeros((3, 2))
    resp[0, 0] = resp[2, 1] = 1.0  # the second row holds no counts
    stats = sums_of(component, np.array([[1.0, 2, 0, 0, 1], [0, 0, 0, 0, 0]]), resp)
    with pytest.raises(DegenerateComponentError, match=r"1 .*no rows.*2 .*no counts") as caught:
        component.maximize(stats)
    assert [event.component for event in caught.value.events] == [1, 2]


# --- the class ----------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def model():
    return DirichletMultinomialMixture(2, random_state=0).fit(X)


def test_the_truth_is_recovered():
    x, label = drawn(4000, ALPHA, [0.35, 0.65], np.arange(3, 60), seed=5)
    model = DirichletMultinomialMixture(2, random_state=0).fit(x)
    order = np.argsort(-model.profiles_[:, 0])
    # Standard errors at 1,400 units: 0.008 of a weight, 0.005 of a share, 4 % of a concentration. Five of them.
    np.testing.assert_allclose(model.weights_[order], [0.35, 0.65], atol=0.04)
    np.testing.assert_allclose(model.profiles_[order], ALPHA / ALPHA.sum(axis=1, keepdims=True), atol=0.025)
    np.testing.assert_allclose(model.concentration_[order], ALPHA.sum(axis=1), rtol=0.2)
    assert np.mean(order[label] == model.predict(x)) > 0.9
    assert model.converged_


def test_attributes_criteria_and_parameters_agree(model):
    np.testing.assert_allclose(model.profiles_ * model.concentration_[:, None], model.alpha_, rtol=1e-12)
    assert model.n_parameters() == 2 * 5 + 1
    evidence = model.score_samples(X)
    assert model.lower_bound_ == pytest.approx(evidence.mean(), rel=1e-12)
    assert model.bic(X) == pytest.approx(-2 * evidence.sum() + 11 * np.log(len(X)), rel=1e-12)
    table = model.params_frame("pandas") if pytest.importorskip("pandas") else None
    assert set(table["parameter"]) == {"weight", "concentration", "probability"}
    assert "concentration" in model.summary()


def test_the_objective_never_falls(model):
    for start in model.starts_:
        falls = -np.diff(start.history)
        assert falls.max(initial=0.0) <= model.tol  # an inexact step may fall by the tolerance


def test_samples_vary_more_than_multinomial_counts(model):
    x, label = model.sample(3000)
    assert set(x.sum(axis=1)) <= set(X.sum(axis=1))
    again = DirichletMultinomialMixture(2, random_state=1).fit(x)
    mine, theirs = np.argsort(again.profiles_[:, 0]), np.argsort(model.profiles_[:, 0])
    np.testing.assert_allclose(again.concentration_[mine], model.concentration_[theirs], rtol=0.25)
    assert np.bincount(label).min() > 300


@pytest.mark.parametrize("size", [1.0, 0.25])
def test_sparse_is_dense(size):
    dense, sparse = (
        DirichletMultinomialMixture(2, random_state=0).fit(kind(size * X))
        for kind in (np.asarray, sp.csr_matrix)
    )
    np.testing.assert_allclose(sparse.alpha_, dense.alpha_, rtol=1e-6)
    np.testing.assert_allclose(sparse.score_samples(size * X), dense.score_samples(size * X), rtol=1e-7)


def test_a_cell_given_in_parts_is_one_count():
    parts = sp.csr_matrix((np.array([1.0, 2.0, 4.0, 1.0]), [0, 0, 1, 1], [0, 3, 4]), shape=(2, 2))
    for cls in (DirichletMultinomialMixture, MultinomialMixture):
        model = cls(1).fit([[3, 4], [0, 1]])
        np.testing.assert_array_equal(model.score_samples(parts), model.score_samples([[3, 4], [0, 1]]))
    assert parts.nnz == 4


def test_a_whole_weight_is_the_row_repeated():
    weight = np.random.default_rng(6).integers(0, 3, len(X))
    start = {"weights_init": [0.5, 0.5], "alpha_init": ALPHA[:, ::-1] + 1.0}
    one = DirichletMultinomialMixture(2, **start).fit(X, sample_weight=weight)
    two = DirichletMultinomialMixture(2, **start).fit(np.repeat(X, weight, axis=0))
    np.testing.assert_allclose(one.alpha_, two.alpha_, rtol=1e-9)
    assert one.bic(X, sample_weight=weight) == pytest.approx(two.bic(np.repeat(X, weight, axis=0)), rel=1e-10)


def test_a_customer_with_many_baskets_is_one_opinion():
    """Two kinds of customers who differ among each other: multinomials need more components to say so."""
    x, _ = drawn(300, ALPHA, [0.5, 0.5], np.array([20, 50, 400]), seed=7)
    options = {"init_params": "kmeans", "random_state": 0}
    counts = range(1, 6)
    ours = select(DirichletMultinomialMixture(**options), x, n_components=counts, patience=2)
    with pytest.warns(mixtura.exceptions.EdgeOfRangeWarning):
        theirs = select(MultinomialMixture(**options), x, n_components=counts)
    assert ours.chosen["n_components"] == 2
    assert theirs.chosen["n_components"] == 5
    assert (
        ours.chosen["bic"] < theirs.chosen["bic"] - 1000
    )  # the same data, the same coefficient: they compare


def test_a_unit_of_400_counts_does_not_weigh_like_400():
    """Its certainty grows with the logarithm of its counts at most, not in proportion to them."""
    model = DirichletMultinomialMixture(2, weights_init=[0.5, 0.5], alpha_init=ALPHA, max_iter=0)
    with pytest.warns(mixtura.exceptions.ConvergenceWarning):
        model.fit(X)
    unit = np.array([[4.0, 2.0, 2.0, 2.0, 0.0]])
    joint = [scores(DirichletMultinomial(ALPHA), factor * unit) for factor in (1, 40)]
    odds = [float(j[0, 0] - j[1, 0]) for j in joint]
    assert 0 < odds[1] < 8 * odds[0]
    plain = np.log(model.profiles_) @ unit[0]
    assert 40 * (plain[0] - plain[1]) > 2 * odds[1]


def test_a_nested_start_splits_and_reaches_no_less(model):
    larger = DirichletMultinomialMixture(3, init_params=model).fit(X)
    assert larger.n_components_ == 3
    assert larger.lower_bound_ >= model.lower_bound_ - 1e-4


@pytest.mark.parametrize("policy", ["reseed", "drop"])
def test_a_component_that_loses_its_rows_is_repaired(policy):
    x = np.array([[30.0, 0.0], [0.0, 30.0]] * 20)
    start = {"weights_init": [0.5, 0.5 - 1e-12, 1e-12], "alpha_init": [[1e3, 1.0], [1.0, 1e3], [5e5, 5e5]]}
    with pytest.warns(mixtura.exceptions.DegeneracyWarning, match="2"):
        model = DirichletMultinomialMixture(3, on_degenerate=policy, **start).fit(x)
    assert model.n_components_ == (3 if policy == "reseed" else 2)
    assert np.isfinite(model.lower_bound_)


def test_the_general_class_takes_it_too(model):
    general = Mixture(DirichletMultinomial(), 2, random_state=0).fit(X)
    assert general.lower_bound_ == pytest.approx(model.lower_bound_, abs=1e-4)
    again = Mixture(general.components_, 2).fit(X)
    assert again.n_iter_ <= general.n_iter_ + 5
    assert again.lower_bound_ == pytest.approx(model.lower_bound_, abs=1e-4)


def test_blank_components_say_so():
    with pytest.raises(InvalidParameterError, match="no parameters yet"):
        DirichletMultinomial().coordinates()
    assert repr(DirichletMultinomial()) == "DirichletMultinomial(blank)"


@pytest.mark.parametrize(
    ("options", "pattern"),
    [
        ({"alpha_init": [[1.0, 2.0]]}, r"alpha_init has shape \(1, 2\); expected \(2, 5\)"),
        (
            {"alpha_init": np.where(ALPHA > 5, -1.0, ALPHA)},
            "alpha_init must hold positive numbers; found .*-1",
        ),
        ({"alpha_init": np.where(ALPHA > 5, np.nan, ALPHA)}, "alpha_init must hold positive numbers"),
        ({"weights_init": [0.5, 0.6]}, "weights_init must hold probabilities"),
        (
            {"on_degenerate": "prior"},
            "on_degenerate is 'prior'; expected 'reseed', 'raise' or 'drop'.*Choose",
        ),
    ],
)
def test_settings_outside_their_domain(options, pattern):
    with pytest.raises(InvalidParameterError, match=pattern):
        DirichletMultinomialMixture(2, **options).fit(X)


def test_a_multinomial_has_no_concentrations_to_start_from():
    plain = MultinomialMixture(2, random_state=0).fit(X)
    with pytest.raises(InvalidParameterError, match="expected a Dirichlet-multinomial mixture of 5 columns"):
        DirichletMultinomialMixture(2, init_params=plain).fit(X)


def test_a_partial_start_is_completed():
    model = DirichletMultinomialMixture(2, alpha_init=ALPHA, init_params="kmeans", random_state=0).fit(X)
    assert model.converged_
    warm = model.set_params(warm_start=True).fit(X)
    assert warm.n_iter_ <= 3


def test_negative_counts_are_named_by_row_and_column():
    x = X.copy()
    x[4, 2] = -1.0
    with pytest.raises(InvalidDataError, match="row 4, column 2 is -1"):
        DirichletMultinomialMixture(2).fit(x)


CODE = """
import sys
if {absent}:
    sys.modules["numba"] = None
import numpy as np
from mixtura.models import DirichletMultinomialMixture
x = np.random.default_rng(0).poisson(3.0, (2000, 6)) * 0.7
print(repr(DirichletMultinomialMixture(2, init_params="kmeans", random_state=0).fit(x).score(x)))
"""


def test_the_same_model_without_numba():
    found = [
        float(
            subprocess.run(
                [sys.executable, "-c", CODE.format(absent=absent)], check=True, capture_output=True
            ).stdout
        )
        for absent in (True, False)
    ]
    assert found[0] == pytest.approx(found[1], abs=1e-6)  # both stop within the tolerance


def test_statistics_of_a_blank_component_split_into_two_that_differ():
    blank = DirichletMultinomial()
    stats = sums_of(blank, X, np.ones((1, len(X))))
    assert isinstance(stats, Statistics)
    halves = blank.maximize(blank.split(stats, 0))
    assert not np.allclose(halves.alpha[0], halves.alpha[1])
