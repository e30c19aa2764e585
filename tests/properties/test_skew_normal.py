"""Skew-normal components: SciPy in one dimension, quadrature in two, steps that never fall, starts by moments."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import skewnorm

import oracles_skew as oracle
from contract.specimens_skew import COMPONENTS
from mixtura import GaussianMixture, Mixture
from mixtura.components import EVE, MCLUST, VEV, Diagonal, Full, SkewNormal, Spherical, Tied
from mixtura.components.skew_normal import _beyond, _half_normal
from mixtura.exceptions import (
    ConvergenceWarning,
    DegenerateComponentError,
    InvalidParameterError,
)
from mixtura.protocols import Encoding
from mixtura.testing import COMPONENT_CHECKS, check_component
from mutants_skew import CATALOGUE

MODELS = [
    Full(),
    Tied(),
    Diagonal(),
    Spherical(),
    *(MCLUST[code]() for code in ("EII", "EEI", "VEE", "EVE", "VEV")),
]


def rows(seed=0, sizes=(300, 200)):
    rng = np.random.default_rng(seed)
    true = SkewNormal(
        np.array([[0.0, 0.0], [4.0, 1.0]]),
        np.array([[3.0, 1.0], [-1.0, 2.0]]),
        np.stack([0.5 * np.eye(2), np.array([[1.0, 0.3], [0.3, 0.6]])]),
    )
    return np.concatenate([true.sample(k, n, rng) for k, n in enumerate(sizes)])


def block(component, x):
    return component.encode(x, Encoding(len(x)))


# --- the half-normal variable -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("a", [-1e4, -300.0, -61.0, -59.0, -20.0, -3.0, -1e-9, 0.0, 0.5, 4.0, 60.0])
def test_moments_of_the_cut_normal_law(a):
    top = max(a, 0.0)
    ends = (0.0, 60.0 / abs(a)) if a < -1.0 else (max(0.0, top - 12.0), top + 12.0)

    def moment(p):
        return quad(
            lambda t: t**p * np.exp(a * (t - top) - 0.5 * (t - top) * (t + top)), *ends, epsabs=0.0, limit=200
        )[0]

    first, second = (values[0] for values in _beyond(np.array([a])))
    assert first == pytest.approx(moment(1) / moment(0), rel=1e-9)
    assert second == pytest.approx(moment(2) / moment(0), rel=1e-8)  # 1 + a (a + h) loses digits down to -60
    expected = np.log(moment(0)) - 0.5 * np.log(2.0 * np.pi) + 0.5 * top**2
    assert _half_normal(np.array([a]))[0] == pytest.approx(expected, abs=1e-9 * (1.0 + abs(expected)))


def test_one_dimension_is_scipys_skewnorm():
    x = np.linspace(-6.0, 9.0, 40)
    component = SkewNormal(np.array([[1.0], [2.0]]), np.array([[2.0], [-0.5]]), np.array([[[0.5]], [[1.0]]]))
    found = component.log_prob(block(component, x[None]))
    expected = [
        skewnorm(2.0 / np.sqrt(0.5), 1.0, np.sqrt(4.5)).logpdf(x),
        skewnorm(-0.5, 2.0, np.sqrt(1.25)).logpdf(x),
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    np.testing.assert_allclose(
        [component.mean[0, 0], component.covariance[0, 0, 0]],
        skewnorm(2.0 / np.sqrt(0.5), 1.0, np.sqrt(4.5)).stats("mv"),
        rtol=1e-12,
    )


def test_one_component_in_one_dimension_is_at_least_scipys_fit():
    x = skewnorm(4.0, 1.0, 2.0).rvs(400, random_state=0)
    model = Mixture(SkewNormal(), 1, tol=1e-9, max_iter=5000, random_state=0).fit(x)
    fitted = skewnorm(*skewnorm.fit(x)).logpdf(x).mean()
    assert model.lower_bound_ == pytest.approx(fitted, abs=1e-6)


def test_a_step_is_that_of_quadrature_and_loops():
    x = rows(sizes=(12, 8)).T
    component = SkewNormal(
        np.array([[0.5, 0.0], [3.0, 1.0]]), np.array([[2.0, 0.7], [-0.4, 1.0]]), np.stack([np.eye(2)] * 2)
    )
    resp = np.random.default_rng(1).dirichlet([1.0, 1.0], x.shape[1]).T
    new = component.maximize(component.expected_statistics(block(component, x), resp))
    scores = component.log_prob(block(component, x))
    for k in range(2):
        given = [a[k].tolist() for a in (component.location, component.skewness, component.matrices)]
        expected = oracle.em_step(x.T.tolist(), resp[k].tolist(), *given)
        for found, value in zip((new.location[k], new.skewness[k], new.scale[k]), expected, strict=True):
            np.testing.assert_allclose(found, value, rtol=1e-6, atol=1e-8)  # quadrature
        np.testing.assert_allclose(
            scores[k], [oracle.half_normal_moments(row, *given)[0] for row in x.T.tolist()], rtol=1e-8
        )


# --- steps --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_no_step_lowers_the_likelihood(model):
    x = rows(2, (60, 50)).T
    resp = np.random.default_rng(0).dirichlet([1.0, 1.0], x.shape[1]).T
    start = SkewNormal(model=model)
    component = start.maximize(start.expected_statistics(block(start, x), resp))
    history = []
    for _ in range(40):
        scores = component.log_prob(block(component, x))
        history.append(np.sum(np.logaddexp(*scores)))
        resp = np.exp(scores - np.logaddexp(*scores))
        component = component.maximize(component.expected_statistics(block(component, x), resp))
    assert np.all(np.diff(history) >= -1e-9 * abs(history[0]))  # rounding
    assert history[-1] > history[0] + 1.0


@pytest.mark.parametrize("name", COMPONENTS)
def test_the_expected_log_density_is_tangent_to_the_likelihood(name):
    component = COMPONENTS[name].subject
    x = np.concatenate([component.sample(k, 40, np.random.default_rng(k)) for k in range(3)]).T
    resp = np.random.default_rng(1).dirichlet([1.0, 1.0, 1.0], x.shape[1]).T
    stats, theta = component.expected_statistics(block(component, x), resp), component.coordinates()

    def slope(value, c, step=1e-5):
        at = [component.from_coordinates(theta + s * step * np.eye(len(theta))[c]) for s in (1.0, -1.0)]
        return (value(at[0]) - value(at[1])) / (2.0 * step)

    for c in range(len(theta)):
        expected = slope(lambda one: np.sum(resp * one.log_prob(block(one, x))), c)
        found = slope(lambda one: one.expected_log_prob(stats), c)
        assert found == pytest.approx(expected, abs=1e-5 * (1.0 + abs(expected)))  # central differences


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_starts_have_the_moments_and_some_skewness(model):
    x = rows().T
    start = SkewNormal(model=model)
    resp = np.zeros((2, x.shape[1]))
    resp[0, :300], resp[1, 300:] = 1.0, 1.0
    found = start.maximize(start.expected_statistics(block(start, x), resp))
    np.testing.assert_allclose(found.mean[0], x[:, :300].mean(axis=1), rtol=1e-9)
    assert np.abs(found.skewness).min() > 0.0
    assert found.skewness[0, 0] > 0.0 > found.skewness[1, 0]
    np.linalg.cholesky(found.matrices)


def test_a_mixture_finds_skew_clusters_that_gaussians_miss():
    X = rows()
    model = Mixture(SkewNormal(), 2, random_state=0).fit(X)
    k = int(np.argmax(model.components_.skewness[:, 0]))
    np.testing.assert_allclose(model.components_.skewness[k], [3.0, 1.0], atol=0.4)  # 300 rows
    np.testing.assert_allclose(model.components_.location[k], [0.0, 0.0], atol=0.3)
    other = GaussianMixture(2, random_state=0).fit(X)
    assert model.bic(X) < other.bic(X)
    assert model.n_parameters() == other.n_parameters() + 4
    frame = model.params_frame("pandas")
    assert set(frame.parameter) == {"weight", "location", "skewness", "scale"}
    scale = frame[(frame.parameter == "scale") & (frame.feature == "x0") & (frame.other_feature == "x1")]
    np.testing.assert_array_equal(scale["value"], model.components_.matrices[:, 0, 1])


def test_moving_the_rows_moves_the_locations():
    X = rows()
    component = Mixture(SkewNormal(model=Tied()), 2, random_state=0, max_iter=20, tol=1e-2).fit(X)
    start = component.components_
    by = np.array([1e4, -50.0])
    with pytest.warns(ConvergenceWarning):  # no step is taken
        far = Mixture(start.moved(-by), 2, max_iter=0).fit(X + by)
    expected = np.logaddexp(*start.log_prob(block(start, X.T))) - np.log(2.0)
    np.testing.assert_allclose(far.score_samples(X + by), expected, rtol=1e-8)


# --- what is refused ----------------------------------------------------------------------------------------------------


def test_a_flat_component_is_named():
    x = np.random.default_rng(0).normal(size=(2, 20))
    x[1] = 2.0 * x[0]
    with pytest.raises(DegenerateComponentError, match=r"component 0 .*scale is not positive definite"):
        SkewNormal().maximize(SkewNormal().expected_statistics(block(SkewNormal(), x), np.ones((1, 20))))


def test_a_blank_component_says_so():
    with pytest.raises(InvalidParameterError, match="no location yet"):
        _ = SkewNormal().location
    with pytest.raises(InvalidParameterError, match="no skewness yet"):
        _ = SkewNormal(np.zeros((1, 1))).skewness
    assert SkewNormal().blank


def test_components_on_few_rows_or_flat_ones_are_suspect():
    found = SkewNormal(np.zeros((2, 2)), np.ones((2, 2)), np.stack([np.eye(2), 1e-6 * np.eye(2)]))
    x = np.random.default_rng(0).normal(size=(2, 40))
    resp = np.zeros((2, 40))
    resp[0, :2], resp[1, 2:] = 1.0, 1.0
    reasons = found.suspects(found.expected_statistics(block(found, x), resp))
    assert "fewer than D + 1" in reasons[0]
    assert "smallest eigenvalue" in reasons[1]


def test_codes_of_mclust_keep_their_structure():
    X = rows()
    for model in (EVE(), VEV()):
        mixture = Mixture(SkewNormal(model=model), 2, random_state=0, tol=1e-3).fit(X)
        matrices = mixture.components_.matrices
        again = model.maximize(mixture.weights_, mixture.weights_[:, None, None] * matrices)
        np.testing.assert_allclose(again, matrices, rtol=1e-4, atol=1e-4)  # the inner iteration's tolerance


@pytest.mark.parametrize(
    ("bug", "check"),
    [
        ("the factor two of the skew-normal density forgotten", "normalised"),
        ("half-normal variable drawn with both signs", "sampled score"),
        ("regression sums averaged", "additive"),
        ("skewness not counted", "parameters"),
    ],
)
def test_seeded_bugs_are_caught_where_they_should_be(bug, check):
    mutant = CATALOGUE[bug]
    skipped = [name for name in COMPONENT_CHECKS if name != check]
    with pytest.raises(AssertionError, match=check):
        check_component(mutant.component, **mutant.arguments, skip=skipped)
