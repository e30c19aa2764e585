"""Student-t mixtures: against loops, SciPy and an optimiser; degrees of freedom, missing cells, outliers, the user class."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from scipy.stats import multivariate_t

import oracles_missing as oracle
from contract.specimens_student import HEAVY, STUDENT_MEANS, STUDENT_SCALES
from mixtura import GaussianMixture, load, select
from mixtura.components import (
    COVARIANCES,
    MCLUST,
    Diagonal,
    FixedDegrees,
    OwnDegrees,
    SharedDegrees,
    Spherical,
    StudentT,
    Tied,
)
from mixtura.components.degrees import LARGEST
from mixtura.exceptions import InvalidParameterError
from mixtura.models import StudentTMixture
from mixtura.protocols import Batch, Encoding
from mixtura.statistics import Statistics, pack_symmetric
from mixtura.structures import Independent, LatentMixture
from mutants_student import CATALOGUE, HEALTHY_STUDENT
from test_mutants import complaints

STRUCTURES = COVARIANCES | MCLUST
RESP = np.random.default_rng(3).dirichlet(np.ones(3), 60).T


def drawn(mean, scale, degrees, n, rng):
    return multivariate_t(mean, scale, df=degrees, seed=rng).rvs(n).reshape(n, -1)


def clusters(n=400, seed=0, share=0.0):
    """A heavy cluster and a nearly normal one; a share of the cells missing, and all of one row."""
    rng = np.random.default_rng(seed)
    x = np.concatenate(
        [drawn([0, 0], [[1, 0.8], [0.8, 1]], 3.0, n, rng), drawn([9, -3], np.eye(2), 30.0, n // 2, rng)]
    )
    if share:
        x[rng.random(x.shape) < share] = np.nan
        x[0] = np.nan
    return x


def scattered(share=0.3):
    x = 3.0 * np.random.default_rng(0).normal(size=(60, 2))
    x[np.random.default_rng(1).random(x.shape) < share] = np.nan
    return x


def structured(name):
    model, counts = STRUCTURES[name](), np.array([2.0, 3.0, 4.0])
    scatter = counts[:, None, None] * STUDENT_SCALES
    if isinstance(model, Tied):
        scatter = scatter.sum(axis=0)
    elif isinstance(model, Diagonal):
        scatter = np.diagonal(scatter, axis1=1, axis2=2)
        scatter = scatter.mean(axis=1) if isinstance(model, Spherical) else scatter
    scale = model.maximize(counts, scatter)
    return model, scale, np.array(model.matrices(scale, 3, 2))


# --- against loops ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("share", [0.0, 0.3])
@pytest.mark.parametrize("name", STRUCTURES)
def test_scores_and_sums_are_those_of_loops_over_rows(name, share):
    model, scale, matrices = structured(name)
    x, student = scattered(share), StudentT(STUDENT_MEANS, scale, HEAVY, model)
    if share:
        x[3] = np.nan
    block = student.encode(x.T, Encoding(2, missing=share > 0))
    assert_allclose(student.log_prob(block), oracle.scores(x, STUDENT_MEANS, matrices, HEAVY), atol=1e-11)
    found = student.expected_statistics(block, RESP)
    expected = oracle.sums(x, RESP, STUDENT_MEANS, matrices, HEAVY)
    names = {"count": "count", "sum_u": "mass", "sum_log_u": "log_u", "sum_x": "first"}
    for ours, theirs in names.items():
        assert_allclose(found[ours], expected[theirs], atol=1e-11)
    if model.n_second(2) == 3 and not model.pooled:
        assert_allclose(found["sum_xx"], pack_symmetric(expected["second"]), atol=1e-10)


@pytest.mark.parametrize("name", ["full", "tied", "VVE"])
def test_compiled_sums_take_two_kinds_of_weights(name, monkeypatch):
    """Moments by r u, conditional scales by r: the kernels against the NumPy path."""
    model, scale, _ = structured(name)
    x, found = scattered(), {}
    for worth in (0, np.inf):
        monkeypatch.setattr("mixtura.components.pattern_block._WORTH", worth)
        student = StudentT(STUDENT_MEANS, scale, HEAVY, model)
        block = student.encode(x.T, Encoding(2, missing=True))
        found[worth] = student.expected_statistics(block, RESP)
        assert_allclose(
            student.log_prob(block), oracle.scores(x, STUDENT_MEANS, student.matrices, HEAVY), atol=1e-11
        )
    for key, value in found[np.inf].sums.items():
        assert_allclose(found[0][key], value, atol=1e-10)


def test_before_there_are_parameters_rows_weigh_alike_and_the_first_step_starts_the_degrees():
    x = scattered(0.0)
    blank = StudentT(law=OwnDegrees())
    stats = blank.expected_statistics(blank.encode(x.T, Encoding(2)), RESP)
    first = blank.maximize(stats)
    assert_allclose(first.degrees_of_freedom, 10.0, rtol=1e-9)
    assert_allclose(first.mean, RESP @ x / RESP.sum(axis=1)[:, None])


# --- steps --------------------------------------------------------------------------------------------------------
def start(law, name="full", share=0.0):
    model, scale, _ = structured(name)
    x = clusters(80, share=share)
    means = np.array([[0.5, 0.5], [8.0, -2.0], [3.0, 3.0]])
    components = StudentT(means, scale, np.full(3, law.start), model, law).take([0, 1])
    batch = Batch(np.ascontiguousarray(x.T), np.ones(len(x)))
    return LatentMixture(components, Independent(np.zeros(2)), Encoding(2, missing=share > 0)), batch


@pytest.mark.parametrize("share", [0.0, 0.2])
@pytest.mark.parametrize("law", [OwnDegrees(newton=False), SharedDegrees(newton=False), FixedDegrees(2.5)])
@pytest.mark.parametrize("name", STRUCTURES)
def test_no_step_of_em_lowers_the_likelihood(name, law, share):
    model, batch = start(law, name, share)
    history = []
    for _ in range(25):
        stats = model.summarize(batch, {})
        history.append(stats.log_evidence)
        model = model.maximize(stats)
        assert model.exact
    assert np.diff(history).min() > -1e-9  # rounding
    assert history[-1] > history[0] + 1.0


@pytest.mark.parametrize("name", ["full", "EEI", "VVE"])
def test_derivatives_of_the_expected_log_likelihood_are_those_of_the_scores(name):
    """Fisher's identity: at the parameters that scored the rows, in every coordinate."""
    model, scale, _ = structured(name)
    student, x = StudentT(STUDENT_MEANS, scale, HEAVY, model), scattered()
    encoding = Encoding(2, missing=True)
    stats, theta = student.expected_statistics(student.encode(x.T, encoding), RESP), student.coordinates()
    for c in range(len(theta)):
        step = np.zeros_like(theta)
        step[c] = 1e-5
        up, down = (student.from_coordinates(theta + sign * step) for sign in (1, -1))
        scores = [np.sum(RESP * one.log_prob(one.encode(x.T, encoding))) for one in (up, down)]
        inner = [one.expected_log_prob(stats) for one in (up, down)]
        assert inner[0] - inner[1] == pytest.approx(scores[0] - scores[1], abs=1e-9)


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_curvature_is_the_second_derivative_by_the_degrees(share):
    x, step = scattered(share), 1e-3
    student = StudentT(STUDENT_MEANS, STUDENT_SCALES, HEAVY)
    encoding = Encoding(2, missing=share > 0)
    found = student.expected_statistics(student.encode(x.T, encoding), RESP)["curvature"]
    values = []
    for shift in (-step, 0.0, step):
        other = student.replace(STUDENT_MEANS, STUDENT_SCALES, HEAVY + shift)
        values.append(np.sum(RESP * other.log_prob(other.encode(x.T, encoding)), axis=1))
    # Truncation of central differences is about the step squared, near one degree of freedom.
    assert_allclose(found, (values[0] - 2 * values[1] + values[2]) / step**2, rtol=1e-5, atol=1e-6)


def test_newton_ends_where_em_ends_in_a_fraction_of_the_steps():
    rng = np.random.default_rng(0)
    x = np.concatenate([drawn([0, 0], np.eye(2), 3.0, 400, rng), drawn([9, -3], np.eye(2), 6.0, 400, rng)])
    ends = {}
    for newton in (True, False):
        model = LatentMixture(
            StudentT(
                np.array([[0.0, 0.0], [9.0, -3.0]]), np.stack([np.eye(2)] * 2), law=OwnDegrees(newton=newton)
            ),
            Independent(np.zeros(2)),
            Encoding(2),
        )
        batch = Batch(np.ascontiguousarray(x.T), np.ones(len(x)))
        moved, steps = 1.0, 0
        while moved > 1e-7 and steps < 3000:
            new = model.maximize(model.summarize(batch, {}))
            moved = np.abs(new.coordinates() - model.coordinates()).max()
            model, steps = new, steps + 1
        ends[newton] = model.components.degrees_of_freedom, steps
    assert_allclose(ends[True][0], ends[False][0], rtol=1e-3)
    assert ends[True][1] < 0.5 * ends[False][1]


@pytest.mark.parametrize("degrees", ["free", "tied", 4.0])
@pytest.mark.parametrize("name", ["full", "tied", "VEI"])
@pytest.mark.parametrize("share", [0.0, 0.15])
def test_the_end_is_a_maximum_of_the_observed_likelihood(name, degrees, share):
    x = clusters(150, share=share)
    mixture = StudentTMixture(
        2, covariance_type=name, degrees_of_freedom=degrees, reg_covar=0.0, tol=1e-9, random_state=0
    )
    mixture.fit(x)
    fitted = mixture._model()
    batch = Batch(np.ascontiguousarray((x - fitted.encoding.origin).T), np.ones(len(x)))
    fitted = LatentMixture(fitted.components, fitted.structure, Encoding(2, missing=share > 0))

    def loss(vector):
        return -fitted.from_coordinates(vector).summarize(batch, {}).log_evidence

    at = fitted.coordinates()
    found = minimize(loss, at + 0.05 * np.random.default_rng(0).normal(size=len(at)), method="BFGS")
    # tol bounds what is left to gain per row; the degrees of the normal cluster are flat.
    assert found.fun > loss(at) - 1e-4
    assert found.fun == pytest.approx(loss(at), abs=5e-3)


# --- degrees of freedom -------------------------------------------------------------------------------------------
def test_normal_rows_give_the_normal_fit():
    x = np.random.default_rng(0).normal(size=(3000, 2)) @ np.array([[1.0, 0.5], [0.0, 2.0]])
    student, normal = StudentTMixture(1).fit(x), GaussianMixture(1).fit(x)
    assert student.degrees_of_freedom_[0] == pytest.approx(LARGEST, rel=1e-6)
    assert student.converged_
    assert student.lower_bound_ == pytest.approx(normal.lower_bound_, abs=1e-3)
    assert_allclose(student.covariances_, normal.covariances_, rtol=0.01)


@pytest.mark.parametrize("degrees", [1.0, 4.0, 1e4])
def test_known_degrees_stay(degrees):
    mixture = StudentTMixture(2, degrees_of_freedom=degrees, random_state=0).fit(clusters())
    assert_array_equal(mixture.degrees_of_freedom_, degrees)
    assert mixture.n_parameters() == 1 + 2 * 5


def test_free_degrees_of_both_clusters_are_found():
    mixture = StudentTMixture(2, random_state=0).fit(clusters(3000))
    order = np.argsort(mixture.means_[:, 0])
    heavy, light = mixture.degrees_of_freedom_[order]
    assert heavy == pytest.approx(3.0, rel=0.15)  # two standard errors
    assert light > 12.0
    assert mixture.n_parameters() == 1 + 2 * 5 + 2
    tied = StudentTMixture(2, degrees_of_freedom="tied", random_state=0).fit(clusters(3000))
    assert np.ptp(tied.degrees_of_freedom_) == 0.0
    assert heavy < tied.degrees_of_freedom_[0] < light
    assert tied.n_parameters() == mixture.n_parameters() - 1
    assert tied.lower_bound_ < mixture.lower_bound_


def test_covariances_exist_above_two_degrees_of_freedom():
    mixture = StudentTMixture(2, random_state=0).fit(clusters())
    mixture.degrees_of_freedom_ = np.array([2.0, 4.0])
    assert np.isnan(mixture.covariances_[0]).all()
    assert_allclose(mixture.covariances_[1], 2.0 * mixture.scales_[1])


@pytest.mark.parametrize("given", ["loose", None, True, 0.0, -1.0, np.inf, 1e7])
def test_other_degrees_are_refused(given):
    with pytest.raises(InvalidParameterError, match="degrees_of_freedom is"):
        StudentTMixture(2, degrees_of_freedom=given).fit(clusters())


# --- the user class -----------------------------------------------------------------------------------------------
def test_outliers_move_a_normal_mixture_only():
    x = np.concatenate([np.random.default_rng(0).normal(size=(200, 2)), [[300.0, 300.0], [-90.0, 500.0]]])
    student, normal = StudentTMixture(1).fit(x), GaussianMixture(1).fit(x)
    assert_allclose(student.means_[0], x[:200].mean(axis=0), atol=0.05)
    assert np.linalg.norm(normal.means_[0]) > 2.0


@pytest.mark.parametrize("name", ["full", "tied", "diag", "spherical"])
def test_far_from_the_origin_nothing_is_lost(name):
    x = clusters()
    given = {"weights_init": [0.5, 0.5], "covariance_type": name, "tol": 1e-8}
    near = StudentTMixture(2, means_init=[[0, 0], [9, -3]], **given).fit(x)
    far = StudentTMixture(2, means_init=np.array([[0, 0], [9, -3]]) + 1e8, **given).fit(x + 1e8)
    assert_allclose(far.means_ - 1e8, near.means_, atol=1e-4)
    assert_allclose(far.scales_, near.scales_, atol=1e-4)
    assert_allclose(far.degrees_of_freedom_, near.degrees_of_freedom_, rtol=1e-2)


def test_sums_about_another_origin_weigh_rows_by_u():
    student, x = StudentT(STUDENT_MEANS, STUDENT_SCALES, HEAVY), scattered(0.0)
    by = np.array([1.0, -2.0])
    moved = student.moved(by)
    found = student.expected_statistics(student.encode(x.T, Encoding(2)), RESP).about(by)
    expected = moved.expected_statistics(moved.encode((x - by).T, Encoding(2)), RESP)
    assert isinstance(found, Statistics)
    for name, value in expected.sums.items():
        assert_allclose(found[name], value, atol=1e-10)


@pytest.mark.parametrize("name", ["full", "tied", "diag", "spherical", "VEV"])
@pytest.mark.parametrize("degrees", ["free", 4.0])
def test_a_saved_mixture_is_the_same(name, degrees, tmp_path):
    x = clusters(share=0.1)
    mixture = StudentTMixture(2, covariance_type=name, degrees_of_freedom=degrees, random_state=0).fit(x)
    again = load(mixture.save(tmp_path / "student.mixtura"))
    assert isinstance(again, StudentTMixture)
    assert_array_equal(again.score_samples(x), mixture.score_samples(x))
    assert again.summary() == mixture.summary()
    assert again.n_parameters() == mixture.n_parameters()


def test_scores_are_those_of_scipy_and_samples_have_the_tails():
    x = clusters()
    mixture = StudentTMixture(2, random_state=0).fit(x)
    joint = [
        np.log(w) + multivariate_t(m, s, df=nu).logpdf(x)
        for w, m, s, nu in zip(
            mixture.weights_, mixture.means_, mixture.scales_, mixture.degrees_of_freedom_, strict=True
        )
    ]
    assert_allclose(mixture.score_samples(x), np.logaddexp(*joint), atol=1e-9)
    rows, _ = mixture.sample(20_000)
    assert np.mean(mixture.score_samples(rows)) == pytest.approx(mixture.lower_bound_, abs=0.1)


def test_sweeps_over_structures_and_nested_starts():
    x = clusters(200)
    chosen = select(
        StudentTMixture(random_state=0), x, n_components=[1, 2, 3], covariance_type=["tied", "full", "VVE"]
    )
    assert chosen.chosen["n_components"] == 2
    found = {(row["covariance_type"], row["n_components"]): row["log_likelihood"] for row in chosen.table}
    assert found["full", 2] >= found["VVE", 2] - 1e-2
    assert found["VVE", 2] >= found["tied", 2] - 1e-2


def test_given_starts_and_warm_ones():
    x = clusters()
    given = {"means_init": [[0, 0], [9, -3]], "precisions_init": [np.eye(2)] * 2, "weights_init": [0.5, 0.5]}
    mixture = StudentTMixture(2, warm_start=True, **given).fit(x)
    before = mixture.degrees_of_freedom_
    assert mixture.fit(x).n_iter_ <= 3
    assert_allclose(mixture.degrees_of_freedom_, before, rtol=0.05)
    other = StudentTMixture(3, init_params=mixture, random_state=0).fit(x)
    assert other.lower_bound_ >= mixture.lower_bound_ - 1e-6
    with pytest.raises(InvalidParameterError, match="expected a StudentTMixture"):
        StudentTMixture(2, init_params=GaussianMixture(2, random_state=0).fit(x)).fit(x)


def test_missing_cells_are_imputed_and_their_column_is_named():
    x = clusters(share=0.1)
    mixture = StudentTMixture(2, random_state=0).fit(x)
    filled = mixture.impute(x)
    assert_array_equal(filled[~np.isnan(x)], x[~np.isnan(x)])
    assert_allclose(filled[0], mixture.weights_ @ mixture.means_)
    x[:, 1] = np.nan
    with pytest.raises(ValueError, match="column 1 is missing"):
        StudentTMixture(2).fit(x)


def test_tables_hold_every_parameter():
    mixture = StudentTMixture(2, random_state=0).fit(clusters())
    frame = mixture.params_frame()
    assert set(frame["parameter"]) == {"weight", "mean", "degrees_of_freedom", "scale"}
    assert len(frame) == 2 * (1 + 2 + 1 + 3)
    assert "degrees_of_freedom" in mixture.summary()


# --- the seeded bugs ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("one scale variable for all sampled rows", "component: sampled score"),
        ("number of columns forgotten in a t density", "component: reference"),
        ("rows not weighed down by distance", "component: override"),
        ("logarithm of the mean scale variable", "component: override"),
    ],
)
def test_the_bug_is_caught_by_a_check_that_healthy_components_pass(name, check):
    assert check in complaints(CATALOGUE[name]) - complaints(HEALTHY_STUDENT)
