"""Standard errors: closed forms, brute force, published figures, every specimen, weights, edges, coverage."""

import re
import signal
import warnings
from itertools import product

import numpy as np
import pytest
import scipy.sparse as sp

import mixtura
from contract import specimens
from mixtura import (
    BernoulliMixture,
    CategoricalMixture,
    DirichletMultinomialMixture,
    GaussianMixture,
    GroupedMultinomialMixture,
    Mixture,
    MultinomialMixture,
    PoissonMixture,
    RegressionMixture,
    StudentTMixture,
)
from mixtura.exceptions import (
    ConvergenceWarning,
    DegeneracyWarning,
    IllConditionedInformationWarning,
    InterruptedWarning,
    InvalidDataError,
    InvalidParameterError,
)
from mixtura.executors import Serial
from mixtura.families import FamilyComponents, Normal
from mixtura.inference import bootstrap, information
from mixtura.inference.curvature import Louis, OuterProduct, Sandwich
from mixtura.inference.information import Fit
from mixtura.inference.intervals import readable
from mixtura.inference.problem import Problem
from mixtura.inference.weighting import Frequency
from mixtura.protocols import Encoding
from mixtura.structures import Grouped, Independent, LatentMixture
from mixtura.testing.components import ComponentSpecimen
from oracles_standard_errors import bernoulli_log_likelihood, log_likelihood, second_derivatives

METHODS = ["louis", "scores", "sandwich"]
# Second differences of sums of a hundred logarithms keep five digits.
DIGITS = 1e-4


def of(errors, parameter, component=0):
    """Standard errors of one parameter of a component, over its features."""
    return np.array(
        [
            error
            for row, error in zip(errors.parameters, errors.standard_error, strict=True)
            if row.parameter == parameter and row.component == component
        ]
    )


def two_clusters(rng, n=300, columns=2):
    return np.concatenate([rng.normal(0, 1, (n, columns)), rng.normal(3, 1.5, (2 * n, columns))])


def tight(X, n_components=2, **settings):
    settings = {"tol": 1e-10, "reg_covar": 0.0, "random_state": 0} | settings
    return GaussianMixture(n_components, **settings).fit(X)


def problem_of(x, model, weight=None, **more):
    return Problem(
        np.ascontiguousarray(np.asarray(x).T),
        weight,
        model.encoding,
        model.components,
        None,
        None,
        None,
        model.n_components,
        **more,
    )


# --- closed forms ---
def test_one_gaussian_has_the_textbook_errors(rng):
    X = rng.multivariate_normal([1.0, -2.0], [[2.0, 0.7], [0.7, 1.0]], size=400)
    errors = tight(X, 1).standard_errors(X)
    s = np.cov(X, rowvar=False, bias=True)
    assert of(errors, "mean") == pytest.approx(np.sqrt(np.diag(s) / 400), rel=DIGITS)
    expected = [np.sqrt((s[i, i] * s[j, j] + s[i, j] ** 2) / 400) for i, j in ((0, 0), (0, 1), (1, 1))]
    assert of(errors, "covariance") == pytest.approx(expected, rel=DIGITS)
    assert of(errors, "weight") == [0.0]
    assert errors.intervals()[0].tolist() == [1.0, 1.0]


def test_one_gaussian_sandwich_has_the_fourth_moment(rng):
    X = rng.standard_t(6, size=(500, 1))
    errors = tight(X, 1).standard_errors(X, method="sandwich")
    squares = (X - X.mean()) ** 2
    assert of(errors, "mean") == pytest.approx(X.std() / np.sqrt(500), rel=DIGITS)
    assert of(errors, "covariance") == pytest.approx(squares.std() / np.sqrt(500), rel=DIGITS)


@pytest.mark.parametrize("method", METHODS)
def test_one_poisson_and_one_multinomial(method, rng):
    visits = rng.poisson(3.0, size=(4000, 1)).astype(float)
    errors = PoissonMixture(1).fit(visits).standard_errors(visits, method=method)
    # The empirical variance of 4,000 counts is within a tenth of the mean, 0.05 in the root.
    assert of(errors, "rate") == pytest.approx(
        np.sqrt(visits.mean() / 4000), rel=DIGITS if method == "louis" else 0.05
    )
    counts = rng.multinomial(1, [0.2, 0.3, 0.5], size=600).astype(float)
    found = MultinomialMixture(1, pseudo_count=0.0).fit(counts).standard_errors(counts, method=method)
    p = counts.mean(axis=0)
    # Three log shares for two free numbers: one count a row makes all three methods equal.
    assert of(found, "probability") == pytest.approx(np.sqrt(p * (1 - p) / 600), rel=DIGITS)


def test_known_components_have_the_errors_of_separate_samples(rng):
    X = two_clusters(rng, 200, 1)
    labels = np.repeat([0, 1], [200, 400])
    mixture = GaussianMixture(2, tol=1e-10, reg_covar=0.0, random_state=0).fit(X, labels=labels)
    errors = mixture.standard_errors(X, labels=labels)
    for k in (0, 1):
        own = X[labels == k]
        assert of(errors, "mean", k) == pytest.approx(own.std() / np.sqrt(len(own)), rel=DIGITS)
    assert of(errors, "weight") == pytest.approx(np.sqrt(1 / 3 * 2 / 3 / 600), rel=DIGITS)


# --- brute force ---
def test_bernoulli_mixture_against_second_derivatives_row_by_row(rng):
    X = np.concatenate([rng.random((60, 4)) < 0.75, rng.random((90, 4)) < 0.2]).astype(float)
    mixture = BernoulliMixture(2, tol=1e-13, max_iter=20_000, pseudo_count=0.0, random_state=0).fit(X)
    errors = mixture.standard_errors(X)
    where = [mixture.weights_[0], *mixture.probabilities_.ravel()]
    hessian = second_derivatives(
        lambda parameters: bernoulli_log_likelihood(parameters, X.tolist(), 2), where, np.full(9, 1e-3)
    )
    expected = np.sqrt(np.diag(np.linalg.inv(-hessian)))
    assert of(errors, "weight", 0) == pytest.approx(expected[:1], rel=DIGITS)
    assert of(errors, "weight", 1) == pytest.approx(expected[:1], rel=DIGITS)
    found = np.concatenate([of(errors, "probability", 0), of(errors, "probability", 1)])
    assert found == pytest.approx(expected[1:], rel=DIGITS)


ALL = {name: FamilyComponents(*specimen.subject) for name, specimen in specimens.FAMILIES.items()} | {
    name: specimen.subject for name, specimen in specimens.COMPONENTS.items()
}


def fit_of(name):
    """A specimen as a mixture of unequal weights, in rows of unequal weights."""
    specimen = specimens.FAMILIES.get(name) or specimens.COMPONENTS[name]
    component = ALL[name]
    x = specimen.arguments.get("x")
    if x is None:
        x = ComponentSpecimen(component, np.empty((0, 0))).sampled(40)[0]
    rng = np.random.default_rng(0)
    weights = rng.dirichlet(np.full(component.n_components, 5.0))
    model = LatentMixture(component, Independent(np.log(weights)), Encoding(len(x)))
    problem = problem_of(x, model, rng.uniform(0.5, 2.0, x.shape[1]))
    return Fit.of(model, problem, Frequency(), Serial())


def check_information(fit):
    assert not fit.rough(np.zeros(len(fit.theta), dtype=bool))
    source = fit.problem.source()
    expected = -second_derivatives(
        lambda theta: log_likelihood(fit.at(theta), source), fit.theta, 2e-3 * fit.scale
    )
    units = np.outer(fit.scale, fit.scale)
    size = np.abs(expected * units).max()
    assert fit.observed * units == pytest.approx(expected * units, abs=DIGITS * max(size, 1.0))
    # The general way, minus the derivative of the total score, is right everywhere.
    if len(fit.theta) <= 10:
        assert fit.derivative_of_score() * units == pytest.approx(
            expected * units, abs=DIGITS * max(size, 1.0)
        )


# Densities with a corner have no second derivative there; their scores are all that there is.
ROUGH = {name for name in ALL if name.startswith("Laplace")}
SMOOTH = {name: len(component.coordinates()) for name, component in ALL.items() if name not in ROUGH}


@pytest.mark.parametrize("name", sorted(ROUGH))
def test_corners_are_noticed(name):
    fit = fit_of(name)
    assert fit.rough(np.zeros(len(fit.theta), dtype=bool))
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always")
        Louis()(fit, lambda model: readable(model, ["x"]), 0.95)
    assert any("corners" in str(one.message) and "method='scores'" in str(one.message) for one in record)


@pytest.mark.parametrize("name", [name for name, size in SMOOTH.items() if size <= 10])
def test_information_of_every_specimen_is_the_curvature_of_its_likelihood(name):
    fit = fit_of(name)
    check_information(fit)
    names = [f"x{d}" for d in range(fit.model.encoding.n_features)]
    with (
        warnings.catch_warnings()
    ):  # specimens are not at the maximum for their rows, and some have rows too few
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", IllConditionedInformationWarning)
        errors = Sandwich()(fit, lambda model: readable(model, names), 0.95)
    assert of(errors, "weight").size == 1
    assert (errors.standard_error[np.isfinite(errors.standard_error)] >= 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, size in SMOOTH.items() if 10 < size <= 26])
def test_information_of_the_larger_specimens(name):
    check_information(fit_of(name))


def test_louis_applies_where_sums_give_the_expected_log_probability():
    assert fit_of("Gaussian, Full").louis_applies
    assert fit_of("Poisson").louis_applies
    assert not fit_of("DirichletMultinomial").louis_applies


@pytest.mark.parametrize("learn", [True, False])
def test_groups_are_units_and_their_bound_is_differentiated(learn, rng):
    x = np.array([rng.multinomial(6, share) for share in rng.dirichlet([1.0, 1.0, 1.0], 40)]).T.astype(float)
    component = specimens.COMPONENTS["MultinomialComponents"].subject.take([0, 1])
    exact = {"local_steps": 2000, "tol": 1e-13}
    model = LatentMixture(component, Grouped(np.array([1.5, 2.5]), learn=learn, **exact), Encoding(3))
    problem = problem_of(x, model, unit_offsets=np.array([0, 4, 9, 10, 22, 30, 37, 40]))
    fit = Fit.of(model, problem, Frequency(), Serial())
    source = problem.source()
    expected = -second_derivatives(
        lambda theta: log_likelihood(fit.at(theta), source, weights_inside=True), fit.theta, 3e-3 * fit.scale
    )
    assert not fit.louis_applies
    assert fit.n_units == 7
    # The bound's local loops stop at differences of 1e-11, of which second differences keep five digits.
    assert fit.observed == pytest.approx(expected, abs=3e-4 * np.abs(expected).max())
    # Fixed, the concentration is no direction; learnt, it is one.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = OuterProduct()(fit, lambda model: readable(model, ["a", "b", "c"]), 0.95)
    assert (found.parameters[-1].parameter == "concentration") is learn


# --- published figures ---
def test_role_conflict_as_published():
    """Two latent classes of 216 students [1]_; figures of Stata's manual, SEM example 50g, from the observed information.

    .. [1] S. A. Stouffer and J. Toby (1951), American Journal of Sociology 56(5), 395-406.
    """
    X = np.array(list(product([0.0, 1.0], repeat=4)))
    answered = [
        20,
        2,
        9,
        2,
        6,
        1,
        4,
        1,
        38,
        7,
        24,
        6,
        25,
        6,
        23,
        42,
    ]  # students with each pattern of four answers
    mixture = BernoulliMixture(2, tol=1e-13, max_iter=50_000, pseudo_count=0.0, random_state=0)
    errors = mixture.fit(X, sample_weight=answered).standard_errors(X, sample_weight=answered)
    assert errors.n_units == 216
    larger = int(mixture.weights_.argmax())
    low, high = errors.intervals()[larger]
    assert mixture.weights_[larger] == pytest.approx(0.7207539, abs=1e-6)
    # Seven digits are printed there; our differences keep six.
    assert errors.standard_error[larger] == pytest.approx(0.0580926, abs=1e-6)
    assert (low, high) == pytest.approx((0.5944743, 0.8196407), abs=2e-6)


# --- weights ---
@pytest.mark.parametrize("method", METHODS)
def test_frequency_weights_are_repeated_rows(method, rng):
    X = two_clusters(rng, 60, 1)
    times = rng.integers(0, 4, len(X))
    repeated = np.repeat(X, times, axis=0)
    mixture = tight(repeated)
    whole = mixture.standard_errors(repeated, method=method)
    weighted = mixture.standard_errors(X, sample_weight=times, method=method)
    assert weighted.n_units == whole.n_units == times.sum()
    # Scales of the steps are taken from other rows; differences agree to six digits.
    assert weighted.standard_error == pytest.approx(whole.standard_error, rel=1e-5)


def test_probability_weights_have_no_unit_and_the_linearised_variance(rng):
    X, weight = rng.normal(size=(300, 1)), rng.uniform(0.5, 8.0, 300)
    mixture = GaussianMixture(1, reg_covar=0.0).fit(X, sample_weight=weight)
    found = [
        mixture.standard_errors(
            X, method="sandwich", sample_weight=weight * factor, weight_type="probability"
        )
        for factor in (1.0, 1000.0)
    ]
    assert found[0].standard_error == pytest.approx(found[1].standard_error, rel=1e-6)
    assert found[0].n_units == pytest.approx(300)
    mean = np.average(X, weights=weight, axis=0)
    linearised = np.sqrt(np.sum((weight[:, None] * (X - mean)) ** 2)) / weight.sum()
    assert of(found[0], "mean") == pytest.approx(linearised, rel=DIGITS)
    # Taken for counts, the same weights claim to know more.
    counted = mixture.standard_errors(X, method="sandwich", sample_weight=weight)
    assert of(counted, "mean") < 0.6 * of(found[0], "mean")


def test_curvature_is_refused_for_probability_weights(rng):
    X = rng.normal(size=(50, 1))
    mixture = GaussianMixture(1).fit(X)
    with pytest.raises(
        InvalidParameterError, match=r"takes weights for counts.*expected frequency.*'sandwich'"
    ):
        mixture.standard_errors(X, sample_weight=np.ones(50), weight_type="probability")
    with pytest.raises(InvalidParameterError, match=r"weight_type is 'survey'.*Allowed: 'frequency'"):
        mixture.standard_errors(X, weight_type="survey")


# --- the same whatever the units, the order, the form of the rows ---
@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_units_of_the_data_change_only_units(factor, rng):
    X = two_clusters(rng, 80, 2)
    plain = tight(X).standard_errors(X)
    scaled = tight(X * factor).standard_errors(X * factor)
    power = [{"weight": 0, "mean": 1, "covariance": 2}[row.parameter] for row in plain.parameters]
    expected = plain.standard_error * factor ** np.array(power, dtype=float)
    order = [0, 1] if abs(scaled.parameters[0].value - plain.parameters[0].value) < 1e-3 else [1, 0]
    by_component = [
        next(
            error
            for other, error in zip(scaled.parameters, scaled.standard_error, strict=True)
            if other[1:4] == row[1:4] and other.component == order[row.component]
        )
        for row in plain.parameters
    ]
    assert by_component == pytest.approx(expected, rel=1e-3)


def test_sorted_rows_in_small_batches(rng, monkeypatch):
    X = np.sort(two_clusters(rng, 400, 1), axis=0)
    mixture = tight(X)
    whole = mixture.standard_errors(X)
    monkeypatch.setattr(information, "_ROWS", (64, 64))
    assert mixture.standard_errors(X).standard_error == pytest.approx(whole.standard_error, rel=1e-4)


def test_a_column_missing_throughout_the_first_batch(rng, monkeypatch):
    X = two_clusters(rng, 150, 2)
    X[:100, 1] = np.nan
    mixture = Mixture(mixtura.components.Gaussian(), 2, tol=1e-10, random_state=0).fit(X)
    whole = mixture.standard_errors(X)
    assert not np.isnan(whole.standard_error).any()
    monkeypatch.setattr(information, "_ROWS", (64, 64))
    assert mixture.standard_errors(X).standard_error == pytest.approx(whole.standard_error, rel=1e-4)


def test_missing_cells_cost_information(rng):
    X = rng.normal(size=(400, 1))
    gone = np.concatenate([X, np.full((100, 1), np.nan)])
    mixture = Mixture(mixtura.components.Gaussian(), 1, tol=1e-10).fit(gone)
    errors = mixture.standard_errors(gone)
    assert of(errors, "mean") == pytest.approx(X.std() / 20.0, rel=DIGITS)


def test_sparse_counts_and_single_precision(rng):
    counts = np.concatenate([rng.multinomial(8, p, 80) for p in ([0.7, 0.2, 0.1], [0.1, 0.2, 0.7])]).astype(
        float
    )
    mixture = MultinomialMixture(2, tol=1e-10, random_state=0).fit(counts)
    dense = mixture.standard_errors(counts)
    assert mixture.standard_errors(sp.csr_matrix(counts)).standard_error == pytest.approx(
        dense.standard_error, rel=1e-6
    )
    X = two_clusters(rng, 100, 2)
    single = GaussianMixture(2, random_state=0, tol=1e-8).fit(X.astype(np.float32))
    double = GaussianMixture(2, random_state=0, tol=1e-8).fit(X)
    assert single.standard_errors(X.astype(np.float32)).standard_error == pytest.approx(
        double.standard_errors(X).standard_error, rel=1e-3
    )


def test_redundant_coordinates_do_not_matter(rng):
    X = two_clusters(rng, 100, 1)
    errors = tight(X).standard_errors(X)
    raised = np.concatenate([np.ones(2), np.zeros(len(errors.covariance) - 2)])
    assert raised @ errors.covariance @ raised == pytest.approx(0.0, abs=1e-12)
    assert of(errors, "weight", 0) == pytest.approx(of(errors, "weight", 1), rel=1e-8)
    assert np.linalg.matrix_rank(errors.covariance, tol=1e-10) == tight(X).n_parameters()


# --- what is not known ---
def test_what_the_data_do_not_tell(rng):
    X = (rng.random((200, 2)) < 0.5).astype(float)  # three free cells cannot tell five parameters
    mixture = BernoulliMixture(2, tol=1e-10, pseudo_count=0.0, random_state=0).fit(X)
    with pytest.warns(IllConditionedInformationWarning) as caught:
        errors = mixture.standard_errors(X)
    text = str(caught[0].message)
    for part in (r"weight\[0\] = ", "directions", "expected a share", "Fit fewer components"):
        assert re.search(part, text), text
    assert np.isnan(errors.standard_error).any()
    assert np.isnan(errors.intervals()).any()
    assert text in str(errors)


def test_an_estimate_on_the_boundary_is_taken_as_known(rng):
    X = np.concatenate([rng.random((150, 4)) < 0.15, rng.random((150, 4)) < 0.85]).astype(float)
    X[:150, 0] = 0.0
    X[150:, 0] = 1.0
    X[:150, 1] = 0.0
    mixture = BernoulliMixture(2, tol=1e-12, pseudo_count=0.0, random_state=0).fit(X)
    with pytest.warns(IllConditionedInformationWarning, match=r"at the edge of the domain.*pseudo_count"):
        errors = mixture.standard_errors(X)
    lost = [
        row for row, error in zip(errors.parameters, errors.standard_error, strict=True) if np.isnan(error)
    ]
    assert {round(row.value) for row in lost} == {0, 1}
    assert all(row.feature in ("x0", "x1") for row in lost)
    # The others are as if x0 and x1 said for certain what is known: here they say the component.
    low = int(mixture.probabilities_[:, 0].argmin())
    p = X[:150, 2].mean()
    assert of(errors, "probability", low)[2] == pytest.approx(np.sqrt(p * (1 - p) / 150), rel=1e-3)


def test_estimates_off_the_maximum_are_told(rng):
    X = two_clusters(rng, 200, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        early = GaussianMixture(2, max_iter=1, means_init=[[0.0], [2.0]]).fit(X)
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always")
        errors = early.standard_errors(X)
    told = [str(one.message) for one in record if one.category is ConvergenceWarning]
    assert len(told) == 1
    assert re.search(
        r"lie [\d.e+]+ standard errors from the maximum.*expected at most 0.5.*smaller tol", told[0]
    )
    assert told[0] in errors.notes


def test_rows_that_the_model_cannot_have():
    mixture = MultinomialMixture(1, pseudo_count=0.0).fit(np.array([[3.0, 0.0], [2.0, 0.0]]))
    with pytest.raises(InvalidDataError, match=r"Row 1 of batch 0.*expected a finite number.*weight 0"):
        mixture.standard_errors(np.array([[2.0, 0.0], [2.0, 3.0]]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "hessian"}, "method is 'hessian'.*Allowed: 'louis'"),
        ({"level": 95}, "level is 95; expected a number between 0 and 1"),
        ({"n_bootstrap": 1}, "n_bootstrap is 1; expected a whole number of at least 2"),
        ({"method": "bootstrap", "n_bootstrap": 5}, "Only 5 of 5 bootstrap fits.*expected at least 10"),
    ],
)
def test_settings_outside_their_domain(settings, message, rng):
    X = rng.normal(size=(30, 1))
    with pytest.raises(InvalidParameterError, match=message):
        GaussianMixture(1).fit(X).standard_errors(X, **settings)


def test_percentiles_need_replicates(rng):
    X = rng.normal(size=(30, 1))
    errors = GaussianMixture(1).fit(X).standard_errors(X)
    with pytest.raises(InvalidParameterError, match=r"interval is 'percentile'.*method='bootstrap'"):
        errors.frame(interval="percentile")


# --- bootstrap ---
def test_bootstrap_agrees_with_the_curvature_and_itself(rng):
    X = two_clusters(rng, 100, 1)
    mixture = tight(X, tol=1e-6)
    first, again = (
        mixture.standard_errors(X, method="bootstrap", n_bootstrap=60, random_state=3) for _ in range(2)
    )
    assert np.array_equal(first.replicates, again.replicates)
    # A standard deviation of 60 draws is known to 9 %; four of these.
    assert first.standard_error == pytest.approx(mixture.standard_errors(X).standard_error, rel=0.36)
    low, high = first.intervals("percentile").T
    estimates = np.array([row.value for row in first.parameters])
    assert ((low < estimates) & (estimates < high)).all()
    assert np.isfinite(first.intervals("wald")).all()


def test_bootstrap_labels_are_those_of_the_fit(rng):
    X = two_clusters(rng, 150, 1)
    mixture = tight(X, tol=1e-7)
    model, problem = mixture._learned(X, None)
    fit = Fit.of(model, problem, Frequency(), Serial())
    assert bootstrap.matching(fit, fit.model.take([1, 0])).tolist() == [1, 0]
    assert bootstrap.matching(fit, fit.model).tolist() == [0, 1]


def test_bootstrap_of_probability_weights(rng):
    X, weight = rng.normal(size=(300, 1)), rng.uniform(0.5, 8.0, 300)
    mixture = GaussianMixture(1, reg_covar=0.0).fit(X, sample_weight=weight)
    given = {"sample_weight": weight, "weight_type": "probability"}
    drawn = mixture.standard_errors(X, method="bootstrap", n_bootstrap=200, random_state=0, **given)
    robust = mixture.standard_errors(X, method="sandwich", **given)
    assert drawn.standard_error == pytest.approx(robust.standard_error, rel=0.25)  # 5 % of chance, as above


def test_bootstrap_of_groups(rng):
    groups = np.repeat(np.arange(40), 4)
    shares = rng.dirichlet([2.0, 2.0], 40)[groups, 0]
    X = np.array(
        [
            rng.multinomial(10, p)
            for p in np.where((rng.random(160) < shares)[:, None], [[0.8, 0.2]], [[0.2, 0.8]])
        ]
    ).astype(float)
    mixture = GroupedMultinomialMixture(2, pseudo_count=0.0, tol=1e-8, random_state=0).fit(X, groups=groups)
    drawn = mixture.standard_errors(X, groups=groups, method="bootstrap", n_bootstrap=40, random_state=0)
    curved = mixture.standard_errors(X, groups=groups)
    assert drawn.n_units == curved.n_units == 40
    # Forty draws know a standard deviation to 11 %.
    assert of(drawn, "probability") == pytest.approx(of(curved, "probability"), rel=0.5)
    _, problem = mixture._learned(X, None, groups=groups)
    fit = Fit.of(*mixture._learned(X, None, groups=groups), Frequency(), Serial())
    again = bootstrap.resampled(fit, np.random.default_rng(0))
    assert len(again.unit_offsets) == len(problem.unit_offsets)
    assert again.x.shape[0] == again.unit_offsets[-1]


def test_bootstrap_can_be_interrupted(rng, monkeypatch):
    X = rng.normal(size=(100, 1))
    mixture = GaussianMixture(1).fit(X)
    calls = []

    def pressing(fit, generator, resampled=bootstrap.resampled):
        calls.append(1)
        if len(calls) == 15:
            signal.raise_signal(signal.SIGINT)
        return resampled(fit, generator)

    monkeypatch.setattr(bootstrap, "resampled", pressing)
    with pytest.warns(InterruptedWarning, match="after 14 of 50 fits"):
        errors = mixture.standard_errors(X, method="bootstrap", n_bootstrap=50, random_state=0, progress=True)
    assert len(errors.replicates) == 14


def test_bootstrap_tells_of_lost_components(rng):
    X = np.concatenate([rng.normal(0, 1, (100, 1)), [[50.0], [50.5], [51.0]]])
    mixture = tight(X, reg_covar=0.0, on_degenerate="raise")
    with pytest.warns(DegeneracyWarning, match=r"\d+ of 60 bootstrap fits lost a component.*Fit fewer"):
        errors = mixture.standard_errors(X, method="bootstrap", n_bootstrap=60, random_state=0)
    assert len(errors.replicates) < 60


# --- tables ---
FITS = {
    "gaussian": lambda rng: (two_clusters(rng, 60), GaussianMixture(2, random_state=0)),
    "tied": lambda rng: (two_clusters(rng, 60), GaussianMixture(2, covariance_type="tied", random_state=0)),
    "VEV": lambda rng: (two_clusters(rng, 60), GaussianMixture(2, covariance_type="VEV", random_state=0)),
    "poisson": lambda rng: (rng.poisson([2, 5], (80, 2)), PoissonMixture(1)),
    "dirichlet-multinomial": lambda rng: (
        np.array([rng.multinomial(9, p) for p in rng.dirichlet([2, 1, 1], 150)]),
        DirichletMultinomialMixture(1),
    ),
    "family": lambda rng: (two_clusters(rng, 60, 1), Mixture(Normal(), 2, random_state=0)),
    "levels": lambda rng: (
        np.concatenate([rng.choice(["yes", "no"], (150, 4), p=p) for p in ([0.8, 0.2], [0.3, 0.7])]),
        CategoricalMixture(2, random_state=0),
    ),
}


@pytest.mark.parametrize("name", FITS)
def test_rows_are_those_of_params_frame_and_intervals_stay_inside(name, rng):
    X, estimator = FITS[name](rng)
    estimator.set_params(tol=1e-9).fit(X)
    errors = estimator.standard_errors(X)
    frame, table = errors.frame("polars"), estimator.params_frame("polars")
    assert frame.columns == [*table.columns[:4], "estimate", "standard_error", "lower", "upper"]
    assert frame.select(table.columns[:4]).equals(table.select(table.columns[:4]))
    assert frame["estimate"].to_numpy() == pytest.approx(table["value"].to_numpy())
    assert ((frame["lower"] <= frame["estimate"]) & (frame["estimate"] <= frame["upper"])).all()
    for row, (low, high) in zip(errors.parameters, errors.intervals(), strict=True):
        if row.parameter in ("weight", "probability"):
            assert 0.0 <= low <= high <= 1.0
        if row.parameter in ("rate", "concentration") or row.feature == row.other_feature != "":
            assert low > 0.0
    assert np.sqrt(np.diag(errors.parameter_covariance)) == pytest.approx(errors.standard_error)
    assert str(errors).count("\n") == len(errors.parameters) + 1


def test_a_mixture_of_a_data_frame(rng):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {
            "size": np.concatenate([rng.normal(0, 1, 100), rng.normal(4, 1, 100)]),
            "kind": np.concatenate([rng.choice(["a", "b"], 100), rng.choice(["a", "b"], 100, p=[0.9, 0.1])]),
        }
    )
    mixture = Mixture.from_frame(frame, n_components=2, random_state=0, tol=1e-9, verbose=0).fit(frame)
    errors, table = mixture.standard_errors(frame), mixture.params_frame()
    assert [row[:4] for row in errors.parameters] == list(
        table.iloc[:, :4].itertuples(index=False, name=None)
    )
    assert np.isfinite(errors.standard_error).all()


def test_a_mixture_of_regressions_has_the_errors_of_least_squares(rng):
    x = rng.uniform(0, 10, (200, 1))
    y = 3.0 - 0.5 * x[:, 0] + rng.normal(0, 2, 200)
    errors = RegressionMixture(1, tol=1e-10).fit(x, y).standard_errors(x, y=y)
    design = np.column_stack([np.ones(200), x])
    residual = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    expected = np.sqrt(np.diag(np.linalg.inv(design.T @ design)) * np.mean(residual**2))
    assert of(errors, "coefficient") == pytest.approx(expected, rel=DIGITS)
    assert of(errors, "standard_deviation") == pytest.approx(np.sqrt(np.mean(residual**2) / 400), rel=DIGITS)


def test_weights_that_depend_on_the_row_have_the_errors_of_a_logistic_regression(rng):
    z = rng.normal(size=(300, 1))
    second = rng.random(300) < 1 / (1 + np.exp(-z[:, 0]))
    x = rng.uniform(0, 10, (300, 1))
    y = np.where(second, 100.0, 0.0) + x[:, 0] + rng.normal(0, 1, 300)  # far apart: the components are known
    mixture = RegressionMixture(2, tol=1e-12, random_state=0).fit(x, y, concomitants=z)
    errors = mixture.standard_errors(x, y=y, concomitants=z)
    found = of(errors, "concomitant_coefficient", 1)
    design = np.column_stack([np.ones(300), z])
    logits = design @ [row.value for row in errors.parameters if row[:2] == (1, "concomitant_coefficient")]
    p = 1 / (1 + np.exp(-logits))
    expected = np.sqrt(np.diag(np.linalg.inv((design * (p * (1 - p))[:, None]).T @ design)))
    assert found == pytest.approx(expected, rel=DIGITS)
    assert (of(errors, "concomitant_coefficient", 0) == 0.0).all()  # the reference


def test_degrees_of_freedom_without_end_are_told(rng):
    X = rng.normal(size=(300, 1))  # no heavier than a Gaussian, in this sample
    X = np.sign(X) * np.abs(X) ** 0.8
    mixture = StudentTMixture(1, tol=1e-9).fit(X)
    with pytest.warns(IllConditionedInformationWarning, match=r"degrees_of_freedom.*edge of the domain"):
        errors = mixture.standard_errors(X)
    assert np.isnan(of(errors, "degrees_of_freedom")).all()
    assert of(errors, "mean") == pytest.approx(
        X.std() / np.sqrt(300), rel=0.02
    )  # 1,000 degrees are nearly a Gaussian


# --- coverage ---
def coverage(make, estimator, truth, n_data, method, level=0.9):
    """Share of the intervals of all parameters that hold the truth."""
    hits = []
    for seed in range(n_data):
        X = make(np.random.default_rng(seed))
        estimator.fit(X)
        errors = estimator.standard_errors(X, method=method, level=level, n_bootstrap=99, random_state=0)
        order = np.argsort([row.value for row in errors.parameters if row.parameter in ("mean", "rate")])
        rank = np.argsort(order)
        for row, (low, high) in zip(errors.parameters, errors.intervals(), strict=True):
            known = truth[row.parameter][rank[row.component]]
            hits.append(low <= known <= high)
    return np.mean(hits)


def normals(rng):
    first = rng.random(300) < 0.4
    return np.where(first, rng.normal(0, 1, 300), rng.normal(4, 1.5, 300))[:, None]


NORMALS = {"weight": [0.4, 0.6], "mean": [0.0, 4.0], "covariance": [1.0, 2.25]}


@pytest.mark.parametrize("method", METHODS)
def test_intervals_hold_the_truth_as_often_as_they_say(method):
    estimator = GaussianMixture(2, tol=1e-7, reg_covar=0.0, means_init=[[0.0], [4.0]])
    found = coverage(normals, estimator, NORMALS, 40, method)
    # 40 data sets of some four independent parameters: a standard error of 0.024, and 0.02 of small-sample bias.
    assert found == pytest.approx(0.9, abs=0.08)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_coverage_of_many_data_sets(method):
    gaussian = GaussianMixture(2, tol=1e-7, reg_covar=0.0, means_init=[[0.0], [4.0]])
    # A standard error of 0.008 for 400 data sets, and the bias of 300 rows.
    assert coverage(normals, gaussian, NORMALS, 400, method) == pytest.approx(0.9, abs=0.04)

    def counts(rng):
        return rng.poisson(np.where(rng.random(400) < 0.3, 1.0, 6.0))[:, None].astype(float)

    poisson = PoissonMixture(2, tol=1e-7, pseudo_count=0.0, rates_init=[[1.0], [6.0]])
    truth = {"weight": [0.3, 0.7], "rate": [1.0, 6.0]}
    assert coverage(counts, poisson, truth, 400, method) == pytest.approx(0.9, abs=0.04)


@pytest.mark.slow
def test_coverage_of_the_bootstrap():
    gaussian = GaussianMixture(2, tol=1e-6, reg_covar=0.0, means_init=[[0.0], [4.0]])
    # As for 40 data sets above, and percentiles of 99 draws.
    assert coverage(normals, gaussian, NORMALS, 40, "bootstrap") == pytest.approx(0.9, abs=0.08)
