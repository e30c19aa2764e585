"""Mixtures of independent columns: recovered parameters, loops, equal models, the floor, and what is refused."""

import re
import warnings

import numpy as np
import pytest
import scipy.sparse as sp

import mixtura
import naive
from mixtura import Mixture, select
from mixtura.components import DirichletMultinomial
from mixtura.exceptions import ConvergenceWarning, DegeneracyWarning, InvalidDataError, InvalidParameterError
from mixtura.families import (
    Bernoulli,
    Binomial,
    Categorical,
    FamilyComponents,
    Geometric,
    Multinomial,
    Normal,
    Poisson,
)
from mixtura.families.categorical import raised
from mixtura.models import BernoulliMixture, PoissonMixture
from mixtura.protocols import Encoding

FLOOR = 1e-10  # least probability and rate, as documented
ITEMS = np.array([[0.9, 0.8, 0.1, 0.7, 0.2, 0.6], [0.1, 0.3, 0.8, 0.2, 0.9, 0.4]])
RATES = np.array([[1.0, 6.0, 0.5], [7.0, 2.0, 3.0]])


def yes_no(n=300, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.random((n, 6)) < ITEMS[np.arange(n) % 2]).astype(float)


def counts(n=300, seed=0):
    rng = np.random.default_rng(seed)
    return rng.poisson(RATES[np.arange(n) % 2]).astype(float)


TABLES = {BernoulliMixture: yes_no, PoissonMixture: counts}
CLASSES = list(TABLES)


def means(model):
    return model.probabilities_ if isinstance(model, BernoulliMixture) else model.rates_


def few_steps(cls, x, n_steps=5, sample_weight=None, **settings):
    """A few EM steps from a given start."""
    start = np.linspace(0.2, 0.8, 2 * x.shape[1]).reshape(2, -1)
    name = "probabilities_init" if cls is BernoulliMixture else "rates_init"
    settings = {"weights_init": [0.4, 0.6], name: start, "tol": 1e-300, "max_iter": n_steps} | settings
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # on purpose
        return cls(2, **settings).fit(x, sample_weight=sample_weight)


# --- recovery -----------------------------------------------------------------------------------------------------
def recovered(family, rows, expected, n=6000):
    """Fit two components in shares 1 : 2 and compare mean parameters with the truth."""
    rng = np.random.default_rng(5)
    x = np.concatenate([rows(0, n // 3, rng), rows(1, 2 * n // 3, rng)])
    model = Mixture(family, 2, random_state=0).fit(x)
    order = np.argsort(model.weights_)
    np.testing.assert_allclose(model.weights_[order], [1 / 3, 2 / 3], atol=0.03)
    # Some five standard errors of shares and means of two thousand rows, more where components overlap.
    np.testing.assert_allclose(model.components_.mean[order], expected, rtol=0.1, atol=0.06)
    return model


def test_bernoulli_is_recovered():
    model = recovered(Bernoulli(), lambda k, n, rng: rng.random((n, 6)) < ITEMS[k], ITEMS)
    assert model.n_parameters() == 2 * 6 + 1


def test_poisson_is_recovered():
    recovered(Poisson(), lambda k, n, rng: rng.poisson(RATES[k], (n, 3)), RATES)


def test_poisson_with_exposure_is_recovered():
    def rows(k, n, rng):
        hours = rng.uniform(0.2, 5.0, (n, 1))
        return np.hstack([rng.poisson(RATES[k] * hours), hours])

    model = recovered(Poisson(exposure=True), rows, RATES)
    assert model.n_parameters() == 2 * 3 + 1
    assert model.sample(4)[0].shape == (4, 4)


def test_geometric_is_recovered():
    p = np.array([[0.8, 0.5, 0.9], [0.1, 0.15, 0.2]])
    recovered(Geometric(), lambda k, n, rng: rng.geometric(p[k], (n, 3)), (1 - p) / p)


def test_binomial_is_recovered():
    p, trials = np.array([[0.2, 0.6], [0.7, 0.1]]), np.array([5, 12])
    recovered(Binomial(trials), lambda k, n, rng: rng.binomial(trials, p[k], (n, 2)), p * trials)


def test_binomial_with_trials_of_rows_is_recovered():
    p = np.array([[0.2, 0.6], [0.7, 0.1]])

    def rows(k, n, rng):
        trials = rng.integers(0, 20, (n, 1))
        return np.hstack([rng.binomial(trials, p[k]), trials])

    recovered(Binomial(), rows, p)


def test_categorical_is_recovered():
    levels = [2, 5, 3, 4]
    rng = np.random.default_rng(1)
    laws = [[rng.dirichlet(np.full(count, 0.4)) for count in levels] for _ in range(2)]

    def rows(k, n, rng):
        return np.column_stack([rng.choice(len(law), n, p=law) for law in laws[k]])

    model = recovered(Categorical(levels), rows, [np.concatenate(law) for law in laws])
    assert model.n_parameters() == 2 * (1 + 4 + 2 + 3) + 1


# --- loops --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("pseudo_count", [0.0, 2.5])
@pytest.mark.parametrize("cls", CLASSES)
def test_em_equals_loops(cls, pseudo_count, sparse):
    x = TABLES[cls](60)
    x[:, 2] = 0.0  # a column that is never positive ends at the floor
    start = np.linspace(0.2, 0.8, 2 * x.shape[1]).reshape(2, -1)
    bernoulli = cls is BernoulliMixture
    density = naive.bernoulli_log_density if bernoulli else naive.poisson_log_density
    limits = {"floor": FLOOR, "ceiling": 1.0 - FLOOR if bernoulli else np.inf}
    expected = naive.column_em(
        x.tolist(), [0.4, 0.6], start.tolist(), density, 5, pseudo_count=pseudo_count, **limits
    )
    model = few_steps(cls, sp.csr_matrix(x) if sparse else x, pseudo_count=pseudo_count)
    # Sums in another order, through five steps.
    np.testing.assert_allclose(model.weights_, expected[0], rtol=1e-9)
    np.testing.assert_allclose(means(model), expected[1], rtol=1e-9)
    np.testing.assert_allclose(model.score(x) * len(x), expected[2][-1], rtol=1e-9)


@pytest.mark.parametrize("pseudo_count", [0.0, 1.0])
@pytest.mark.parametrize("cls", CLASSES)
def test_the_objective_rises_with_floors_and_priors(cls, pseudo_count):
    x = TABLES[cls](40)
    x[:, 0] = 0.0
    history = few_steps(cls, x, n_steps=200, pseudo_count=pseudo_count).starts_[0].history
    assert np.all(np.diff(history) > -1e-12 * np.abs(history[:-1]))  # rounding of a sum


@pytest.mark.parametrize("cls", CLASSES)
def test_a_large_prior_makes_all_components_the_average(cls):
    x = TABLES[cls](60)
    model = few_steps(cls, x, pseudo_count=1e9)
    np.testing.assert_allclose(means(model), np.stack([x.mean(axis=0)] * 2), rtol=1e-5)  # 60 rows in 1e9


@pytest.mark.parametrize("cls", CLASSES)
def test_the_prior_counts_weights(cls):
    x = TABLES[cls](60)
    weight = np.random.default_rng(1).integers(0, 4, 60)
    weighted = few_steps(cls, x, sample_weight=weight, pseudo_count=2.0)
    repeated = few_steps(cls, np.repeat(x, weight, axis=0), pseudo_count=2.0)
    np.testing.assert_allclose(means(weighted), means(repeated), rtol=1e-9)


# --- equal models -------------------------------------------------------------------------------------------------
def total(model, x):
    return model.score(x) * len(x)


def test_yes_and_no_by_four_families():
    """Bernoulli, binomial of one trial, either kind, and two levels are one model."""
    x = yes_no()
    with_trials = np.column_stack([x, np.ones(len(x))])
    fits = [
        total(Mixture(family, 2, random_state=0, tol=1e-10).fit(rows), rows)
        for family, rows in [
            (Bernoulli(), x),
            (Binomial(1), x),
            (Binomial(), with_trials),
            (Categorical([2] * 6), x),
        ]
    ]
    named = total(BernoulliMixture(2, random_state=0, tol=1e-10).fit(x), x)
    np.testing.assert_allclose(fits, named, rtol=1e-8)  # the tolerance, for 300 rows of about 3 nats


def test_trials_of_rows_that_are_all_the_same_are_fixed_trials():
    rng = np.random.default_rng(3)
    x = rng.binomial(8, np.where(np.arange(200) % 2, 0.2, 0.7)[:, None], (200, 2)).astype(float)
    fixed = Mixture(Binomial(8), 2, random_state=0, tol=1e-10).fit(x)
    rows = np.column_stack([x, np.full(200, 8.0)])
    by_row = Mixture(Binomial(), 2, random_state=0, tol=1e-10).fit(rows)
    assert total(by_row, rows) == pytest.approx(total(fixed, x), rel=1e-8)


def test_the_unit_of_the_exposure_moves_the_rates_only():
    rng = np.random.default_rng(4)
    hours = rng.uniform(0.5, 4.0, (200, 1))
    x = rng.poisson(np.where(np.arange(200) % 2, 1.0, 6.0)[:, None] * hours)
    components = [
        Mixture(Poisson(exposure=True), 2, random_state=0, tol=1e-10).fit(np.hstack([x, unit * hours]))
        for unit in (1.0, 60.0)
    ]
    in_hours, in_minutes = (np.sort(model.components_.mean.ravel()) for model in components)
    np.testing.assert_allclose(in_hours, 60.0 * in_minutes, rtol=1e-4)  # where EM stops
    assert components[0].lower_bound_ == pytest.approx(components[1].lower_bound_, rel=1e-8)


def test_exposure_one_is_no_exposure():
    x = counts()
    family = Poisson(exposure=True)
    rows = np.column_stack([x, np.ones(len(x))])
    plain = total(Mixture(Poisson(), 2, random_state=0, tol=1e-10).fit(x), x)
    assert total(Mixture(family, 2, random_state=0, tol=1e-10).fit(rows), rows) == pytest.approx(
        plain, rel=1e-8
    )


def test_binarize_marks_what_is_above():
    rng = np.random.default_rng(6)
    x = rng.normal(size=(50, 4))
    marked = few_steps(BernoulliMixture, (x > 0.3).astype(float))
    given = few_steps(BernoulliMixture, x, binarize=0.3)
    np.testing.assert_array_equal(given.probabilities_, marked.probabilities_)
    positive = np.maximum(x, 0.0)
    sparse = few_steps(BernoulliMixture, sp.csr_matrix(positive), binarize=0.3)
    np.testing.assert_allclose(sparse.probabilities_, marked.probabilities_, rtol=1e-10)


def test_booleans_are_zeros_and_ones():
    x = yes_no()
    np.testing.assert_array_equal(
        few_steps(BernoulliMixture, x.astype(bool)).probabilities_,
        few_steps(BernoulliMixture, x).probabilities_,
    )


@pytest.mark.parametrize("cls", CLASSES)
def test_a_warm_start_and_a_fitted_start_go_on(cls):
    x = TABLES[cls]()
    model = cls(2, random_state=0).fit(x)
    again = cls(2, init_params=model, random_state=0).fit(x)
    assert again.n_iter_ <= 3
    assert again.lower_bound_ >= model.lower_bound_ - 1e-12
    more = cls(3, init_params=model, random_state=0).fit(x)
    assert more.lower_bound_ >= model.lower_bound_ - 1e-12
    model.set_params(warm_start=True).fit(x)
    assert model.n_iter_ <= 3


@pytest.mark.parametrize(("family", "make"), [(Bernoulli(), yes_no), (Poisson(), counts)])
def test_families_take_sparse_rows(family, make):
    x = make()
    start = FamilyComponents(family).from_mean(np.stack([x[::2].mean(axis=0), x[1::2].mean(axis=0)]) + 0.01)
    dense, sparse = (Mixture(start, 2).fit(rows) for rows in (x, sp.csr_matrix(x)))
    np.testing.assert_allclose(sparse.components_.mean, dense.components_.mean, rtol=1e-8)
    np.testing.assert_allclose(sparse.score_samples(sp.csr_matrix(x)), dense.score_samples(x), rtol=1e-8)
    found = Mixture(family, 2, random_state=0, tol=1e-8).fit(sp.csr_matrix(x))  # its own start
    assert found.lower_bound_ == pytest.approx(dense.lower_bound_, abs=1e-4)  # where EM stops


@pytest.mark.parametrize("cls", CLASSES)
def test_weights_of_sparse_rows_count_in_the_prior(cls):
    x, weight = TABLES[cls](60), np.arange(60) % 3
    dense, sparse = (
        few_steps(cls, rows, sample_weight=weight, pseudo_count=2.0) for rows in (x, sp.csr_matrix(x))
    )
    np.testing.assert_allclose(means(sparse), means(dense), rtol=1e-9)


# --- the floor ----------------------------------------------------------------------------------------------------
def test_a_component_that_saw_only_zeros_keeps_a_floor():
    x = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    model = BernoulliMixture(2, random_state=0).fit(x)
    np.testing.assert_allclose(np.sort(model.probabilities_.ravel()), [FLOOR, FLOOR, 1 - FLOOR, 1 - FLOOR])
    assert model.score(x) == pytest.approx(np.log(0.5), abs=1e-9)
    assert np.isfinite(model.score_samples(np.array([[1.0, 1.0]]))).all()
    model = PoissonMixture(2, random_state=0).fit(9.0 * x)
    np.testing.assert_allclose(np.sort(model.rates_.ravel()), [FLOOR, FLOOR, 9.0, 9.0])


def test_a_level_never_seen_keeps_a_floor():
    x = np.array([[0, 0], [0, 1], [1, 3], [1, 3]])
    model = Mixture(Categorical([2, 5]), 1).fit(x)
    expected = [0.5, 0.5, 0.25, 0.25, FLOOR, 0.5, FLOOR]
    np.testing.assert_allclose(model.components_.mean[0], expected, rtol=1e-9)
    assert model.score_samples(np.array([[0, 4]]))[0] == pytest.approx(np.log(0.5 * FLOOR), rel=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_raised_shares_are_the_maximum_on_the_closed_set(seed):
    """Against all shares on a grid: none above the floor gives more."""
    rng = np.random.default_rng(seed)
    mean, floor, steps = rng.dirichlet([0.3] * 3), 0.05, 200
    grid = np.array([(i, j, steps - i - j) for i in range(steps + 1) for j in range(steps + 1 - i)]) / steps
    grid = grid[(grid >= floor).all(axis=1)]
    found = raised(mean[None], [3], floor)[0]
    assert found.min() >= floor
    assert found.sum() == pytest.approx(1.0)
    values = np.log(grid) @ mean
    assert np.log(found) @ mean >= values.max() - 1e-12  # rounding
    np.testing.assert_allclose(grid[values.argmax()], found, atol=1.0 / steps)


def test_columns_are_raised_each_by_itself():
    one, other = np.array([[0.0, 1.0], [0.3, 0.7]]), np.array([[0.01, 0.0, 0.99], [0.5, 0.25, 0.25]])
    both = raised(np.hstack([one, other]), [2, 3], 0.1)
    np.testing.assert_allclose(both[:, :2], raised(one, [2], 0.1))
    np.testing.assert_allclose(both[:, 2:], raised(other, [3], 0.1))


@pytest.mark.parametrize(
    ("family", "x", "largest"),
    [
        (Bernoulli(), np.r_[np.ones(19), 0.0], 1.0),
        (Binomial(4), np.r_[np.full(19, 4.0), 3.0], 4.0),
        (Binomial(), np.stack([np.r_[np.full(19, 4.0), 3.0], np.full(20, 4.0)]), 1.0),
    ],
)
def test_halves_of_a_component_stay_inside(family, x, largest):
    """A tenth more than 0.95 would be no probability; half a component at the end of the range is hardly a start."""
    x = np.atleast_2d(x)
    components = FamilyComponents(family).from_mean(np.array([[0.5 * largest]]))
    stats = components.expected_statistics(components.encode(x, Encoding(len(x))), np.ones((1, 20)))
    halves = components.maximize(components.maximize(stats).split(stats, 0)).mean
    whole = components.maximize(stats).mean
    assert (halves < largest - 1e-3).all()
    assert halves[0, 0] > whole[0, 0] > halves[1, 0]
    assert halves.mean() == pytest.approx(whole.item(), rel=1e-12)


@pytest.mark.parametrize("cls", CLASSES)
def test_a_component_without_rows_is_reseeded(cls):
    x = TABLES[cls]()
    name = "probabilities_init" if cls is BernoulliMixture else "rates_init"
    start = {"weights_init": [0.5, 0.5, 0.0], name: np.full((3, x.shape[1]), 0.5)}
    start[name][1] = 0.6
    with pytest.warns(DegeneracyWarning, match="reseeded component"):
        model = cls(3, **start).fit(x)
    assert model.weights_.min() * len(x) > 1.0
    assert model.lower_bound_ > cls(1).fit(x).lower_bound_


# --- what is refused ----------------------------------------------------------------------------------------------
def says(action, kind, *patterns):
    with pytest.raises(kind) as caught:
        action()
    text = str(caught.value)
    for pattern in patterns:
        assert re.search(pattern, text), f"no {pattern!r} in {text!r}"


REFUSED = {
    "Bernoulli": (Bernoulli(), 0.0, 2.0, "0 or 1"),
    "Poisson": (Poisson(), 3.0, -1.0, "whole counts of at least 0"),
    "Poisson, fraction": (Poisson(), 3.0, 1.5, "whole counts"),
    "Poisson, fractions": (Poisson(fractions=True), 1.5, -0.5, "counts of at least 0"),
    "Poisson, exposure": (Poisson(exposure=True), 1.0, 0.5, "positive exposure"),
    "Geometric": (Geometric(), 1.0, 0.0, "at least 1"),
    "Geometric, from 0": (Geometric(first=0), 0.0, -1.0, "at least 0"),
    "Binomial": (Binomial([3, 5]), 3.0, 6.0, "from 0 to the trials"),
    "Binomial, fraction": (Binomial(5), 3.0, 0.5, "whole numbers"),
    "Categorical": (Categorical([2, 3]), 1.0, 3.0, "a level of its column"),
    "Multinomial": (Multinomial(), 1.0, -1.0, "at least 0"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_value_outside_the_support_is_named(name):
    family, good, bad, expected = REFUSED[name]
    x = np.full((6, 2), good)
    x[::2] = 1.0
    fitted = Mixture(family, 1).fit(x)
    column = 0 if name == "Poisson, exposure" else 1
    wrong = x.copy()
    wrong[3, column] = bad
    for action in (lambda: Mixture(family, 1).fit(wrong), lambda: fitted.predict(wrong)):
        says(
            action,
            InvalidDataError,
            rf"row 3, column {column} is {bad:g}",
            f"expected .*{expected}",
            "Correct",
        )


def test_an_exposure_of_zero_is_refused():
    x = np.array([[1.0, 2.0], [0.0, 0.0]])
    says(
        lambda: Mixture(Poisson(exposure=True)).fit(x),
        InvalidDataError,
        "row 1, column 1 is 0",
        "positive exposure",
    )


def test_more_successes_than_trials_are_refused():
    x = np.array([[1.0, 2.0], [3.0, 2.0]])
    says(
        lambda: Mixture(Binomial()).fit(x),
        InvalidDataError,
        "row 1, column 0 is 3",
        "trials in the last column",
    )


@pytest.mark.parametrize("sparse", [False, True])
def test_the_named_classes_name_the_value_and_the_way_out(sparse):
    x = yes_no()
    x[7, 4] = 3.0
    rows = sp.csr_matrix(x) if sparse else x
    says(
        lambda: BernoulliMixture(2).fit(rows),
        InvalidDataError,
        "BernoulliMixture: row 7, column 4 is 3",
        "0 or 1",
        "set binarize",
    )
    x = counts()
    x[5, 1] = 0.25
    rows = sp.csr_matrix(x) if sparse else x
    says(
        lambda: PoissonMixture(2).fit(rows),
        InvalidDataError,
        "PoissonMixture: row 5, column 1 is 0.25",
        "whole counts",
        "fractions=True",
    )
    assert np.isfinite(PoissonMixture(2, fractions=True, random_state=0).fit(rows).lower_bound_)
    x[5, 1] = -2.0
    rows = sp.csr_matrix(x) if sparse else x
    says(
        lambda: PoissonMixture(2).fit(rows),
        InvalidDataError,
        "row 5, column 1 is -2",
        "at least 0",
        "Correct",
    )


def test_a_column_of_a_data_frame_is_named():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(yes_no()[:, :3], columns=["milk", "bread", "beer"])
    frame.loc[3, "beer"] = 2
    says(lambda: BernoulliMixture(2).fit(frame), InvalidDataError, "row 3, column beer is 2")


def test_other_columns_than_levels_are_refused():
    family = Categorical([2, 3])
    says(
        lambda: Mixture(family).fit(np.zeros((4, 3))),
        InvalidDataError,
        "3 columns",
        "expected 2",
        "Categorical.of",
    )


@pytest.mark.parametrize(
    ("x", "patterns"),
    [
        (np.array([[0, 1], [0, np.inf]]), ("Row 1, column 1 is inf", "expected codes", "encode")),
        (np.array([[0, np.nan], [0, np.nan]]), ("Column 1 is missing", "Leave the column out")),
        (np.array([[0.0, 1], [0.5, 1]]), ("Row 1, column 0 is 0.5", "expected codes")),
        (np.array([["a", "b"]]), ("not numbers", "expected codes", "OrdinalEncoder")),
        (np.array([0, 1, 2]), (r"shape \(3,\)", "rows and columns")),
        (np.zeros((0, 2)), (r"shape \(0, 2\)", "at least one")),
    ],
)
def test_what_is_no_code_of_a_level_is_refused(x, patterns):
    says(lambda: Categorical.of(x), InvalidDataError, *patterns)


@pytest.mark.parametrize(
    ("action", "patterns"),
    [
        (lambda: Categorical([2, 0]), ("levels is", "at least 1")),
        (lambda: Binomial(0), ("trials is 0", "at least 1")),
        (lambda: Binomial([2.5]), ("trials is", "whole")),
        (lambda: Geometric(first=2), ("first is 2", "1 .* or 0")),
        (lambda: BernoulliMixture(binarize="yes").fit(yes_no()), ("binarize is 'yes'", "number")),
        (lambda: PoissonMixture(fractions="no").fit(counts()), ("fractions is 'no'", "True or False")),
        (
            lambda: BernoulliMixture(2, probabilities_init=np.full((2, 6), 1.5)).fit(yes_no()),
            (r"probabilities_init\[0, 0\] is 1.5", "from 0 to 1"),
        ),
        (
            lambda: PoissonMixture(2, rates_init=np.full((2, 3), -1.0)).fit(counts()),
            (r"rates_init\[0, 0\] is -1", "at least 0"),
        ),
        (
            lambda: PoissonMixture(2, rates_init=np.ones((2, 2))).fit(counts()),
            ("rates_init has shape", r"\(2, 3\)"),
        ),
        (
            lambda: BernoulliMixture(2, init_params=PoissonMixture(2).fit(yes_no())).fit(yes_no()),
            ("fitted PoissonMixture", "expected a Bernoulli mixture of 6 columns"),
        ),
        (lambda: PoissonMixture(2, pseudo_count=-1.0).fit(counts()), ("pseudo_count is -1", "at least 0")),
    ],
)
def test_settings_outside_their_domain_are_refused(action, patterns):
    says(action, InvalidParameterError, *patterns)


def test_sparse_rows_need_a_threshold_that_zeros_do_not_pass():
    says(
        lambda: BernoulliMixture(2, binarize=-1.0).fit(sp.csr_matrix(yes_no())),
        InvalidDataError,
        "binarize is -1",
        "at least 0",
        "dense",
    )


def test_sparse_rows_are_refused_by_families_that_do_not_take_them():
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        Mixture(Geometric()).fit(sp.csr_matrix(counts() + 1.0))


# --- output -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("cls", CLASSES)
def test_what_is_saved_comes_back(cls, tmp_path):
    x = TABLES[cls]()
    model = cls(2, random_state=0).fit(x)
    loaded = mixtura.load(model.save(tmp_path / "model.mixtura"))
    assert type(loaded) is cls
    assert loaded.get_params()["n_components"] == 2
    np.testing.assert_array_equal(loaded.score_samples(x), model.score_samples(x))
    np.testing.assert_array_equal(means(loaded), means(model))
    assert loaded.summary() == model.summary()


@pytest.mark.parametrize(("cls", "word"), [(BernoulliMixture, "probability"), (PoissonMixture, "rate")])
def test_tables_hold_weights_and_parameters(cls, word):
    pytest.importorskip("pandas")
    x = TABLES[cls]()
    model = cls(2, random_state=0).fit(x)
    frame = model.params_frame("pandas")
    assert set(frame["parameter"]) == {"weight", word}
    values = frame[frame["parameter"] == word]["value"].to_numpy().reshape(2, -1)
    np.testing.assert_array_equal(values, means(model))
    assert f"{means(model)[0, 1]:.4g}" in model.summary()
    assert model.n_parameters() == 2 * x.shape[1] + 1
    assert model.lower_bound_ == pytest.approx(model.score(x), rel=1e-10)


@pytest.mark.parametrize(
    ("family", "x", "parameter", "labels"),
    [
        (Bernoulli(), yes_no()[:, :2], "probability", ["x0", "x1"]),
        (Poisson(exposure=True), counts() + 1.0, "rate", ["x0", "x1"]),
        (Binomial(), np.column_stack([yes_no()[:, 0], np.ones(300)]), "probability", ["x0"]),
        (Categorical([2, 2]), yes_no()[:, :2], "probability", ["x0=0", "x0=1", "x1=0", "x1=1"]),
        (Normal(), counts()[:, :1], "standard_deviation", ["x0"]),
        (Multinomial(), counts(), "probability", ["x0", "x1", "x2"]),
    ],
)
def test_tables_of_any_family(family, x, parameter, labels):
    pytest.importorskip("pandas")
    model = Mixture(family, 2, random_state=0).fit(x)
    frame = model.params_frame("pandas")
    own = frame[frame["parameter"] == parameter]
    assert list(own[own["component"] == 1]["feature"]) == labels
    expected = [
        values
        for name, _, values in family.parameters(model.components_.natural, ["x0", "x1", "x2"][: x.shape[1]])
        if name == parameter
    ]
    np.testing.assert_array_equal(own["value"].to_numpy().reshape(2, -1).T, expected)
    assert labels[-1] in model.summary()


@pytest.mark.parametrize("cls", CLASSES)
def test_samples_look_like_the_model(cls):
    model = cls(2, random_state=0).fit(TABLES[cls]())
    x, label = model.sample(20_000)
    for k in range(2):
        own, mean = x[label == k], means(model)[k]
        variance = mean * (1.0 - mean) if cls is BernoulliMixture else mean
        # Five standard errors of a mean.
        assert np.all(np.abs(own.mean(axis=0) - mean) < 5 * np.sqrt(variance / len(own)) + 1e-9)


@pytest.mark.parametrize("component", [Multinomial(), DirichletMultinomial()])
def test_samples_of_any_count_mixture_have_the_sizes_seen(component):
    x = np.random.default_rng(0).multinomial(12, [0.5, 0.3, 0.2], size=80).astype(float)
    drawn, _ = Mixture(component, 2, random_state=0).fit(x).sample(30)
    assert (drawn.sum(axis=1) == 12).all()


def test_a_sweep_over_a_setting_that_is_not_there():
    with pytest.raises(InvalidParameterError, match="Mixture has no covariance_type that a sweep could vary"):
        select(Mixture(Poisson()), counts(), covariance_type=["full"])
