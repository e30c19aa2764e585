"""Normal-Wishart laws of every covariance structure: densities against SciPy, expectations and divergences against draws."""

import copy

import numpy as np
import pytest
from scipy.stats import invgamma, invwishart, multivariate_normal

from mixtura.components import Diagonal, Full, Gaussian, Spherical, Tied, hooks
from mixtura.components.gaussian_posterior import NormalWishart
from mixtura.priors import NormalWishartPrior
from mixtura.protocols import Encoding

K, D, N = 3, 2, 60
ERRORS, DRAWS = 5.0, 1500
COVARIANCES = {
    Full: np.array([[2.0, 0.4], [0.4, 0.8]]),
    Tied: np.array([[2.0, 0.4], [0.4, 0.8]]),
    Diagonal: [2.0, 0.8],
    Spherical: 1.3,
}
MODELS = pytest.mark.parametrize("model", COVARIANCES, ids=lambda model: model.__name__)


def case(model, make=hooks.variational, *, missing=False, **prior):
    """Components with a prior after one step, with the sums and the block they were made from."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(D, N)) * [[1.0], [0.6]] + rng.integers(0, 3, N) * [[3.0], [-1.0]]
    if missing:
        x[rng.random(x.shape) < 0.2] = np.nan
    blank, encoding = Gaussian(model=model()), Encoding(D, missing=missing)
    resp = rng.dirichlet(np.ones(K), size=N).T
    block = blank.encode(x, encoding)
    given = {
        "mean": [0.5, -1.0],
        "mean_precision": 0.7,
        "degrees_of_freedom": 3.5,
        "covariance": COVARIANCES[model],
    }
    overall = blank.expected_statistics(block, np.ones((1, N)))
    stats = blank.expected_statistics(block, resp)
    components = make(blank, NormalWishartPrior(**(given | prior)), overall, None).maximize(stats)
    return components, components.encode(x, encoding), resp


def close_to_average(values, expected):
    error = values.std(axis=0) / np.sqrt(len(values))
    assert np.all(np.abs(values.mean(axis=0) - expected) <= ERRORS * error + 1e-12)


def pick(array, k):
    """That of component k, or the one of all."""
    return array[k if len(array) > 1 else 0]


def scipy_log_density(model, laws, gaussian):
    """Log density of means and covariances of all components under laws (or one prior for all)."""
    total = 0.0
    shared = model is Tied
    for k in range(gaussian.n_components):
        matrix = gaussian.matrices[k]
        total += multivariate_normal(pick(laws.mean, k), matrix / pick(laws.kappa, k)).logpdf(
            gaussian.mean[k]
        )
        if shared and k:
            continue
        nu = pick(laws.degrees, k)
        scatter = laws.scatter if shared else pick(laws.scatter, k)
        if model in (Full, Tied):
            total += invwishart(nu, scatter).logpdf(matrix)
        elif model is Diagonal:
            total += invgamma(nu / 2, scale=np.asarray(scatter) / 2).logpdf(np.diag(matrix)).sum()
        else:
            total += invgamma(nu * D / 2, scale=scatter * D / 2).logpdf(matrix[0, 0])
    return total


@MODELS
def test_the_penalty_of_a_mode_is_scipys_density_of_the_prior(model):
    mode, _, _ = case(model, hooks.penalized)
    assert -mode.penalty() == pytest.approx(scipy_log_density(model, mode.prior, mode), rel=1e-10)


@MODELS
def test_scores_and_divergences_are_averages_over_draws(model):
    laws, block, _ = case(model)
    rng = np.random.default_rng(2)
    drawn = [laws.draw(rng) for _ in range(DRAWS)]
    close_to_average(np.stack([one.log_prob(block)[:, :8] for one in drawn]), laws.log_prob(block)[:, :8])
    own, prior = laws.laws, laws.prior
    ratio = np.array(
        [scipy_log_density(model, own, one) - scipy_log_density(model, prior, one) for one in drawn[:300]]
    )
    close_to_average(ratio, laws.penalty())
    assert laws.penalty() == pytest.approx(laws.divergences().sum())
    close_to_average(np.stack([one.mean for one in drawn]), laws.point.mean)
    close_to_average(
        np.stack([np.linalg.inv(one.matrices) for one in drawn]), np.linalg.inv(laws.point.matrices)
    )


@MODELS
def test_draws_from_the_prior_have_its_law(model):
    laws, _, _ = case(model, degrees_of_freedom=6.0)
    drawn = laws.prior_draw(DRAWS, np.random.default_rng(3))
    close_to_average(drawn.mean, laws.prior.mean[0])
    if model is not Tied:  # one matrix for all components
        prior = laws.law.precision(laws.prior.degrees, laws.prior.scatter)
        close_to_average(
            1.0 / drawn.covariance if model is not Full else np.linalg.inv(drawn.covariance), prior[0]
        )


@MODELS
def test_the_divergence_of_the_prior_from_itself_is_zero(model):
    laws, _, _ = case(model)
    prior = laws.prior
    same = laws.at(
        NormalWishart(
            np.repeat(prior.mean, K, axis=0),
            np.repeat(prior.kappa, K),
            prior.degrees if model is Tied else np.repeat(prior.degrees, K),
            prior.scatter if model is Tied else np.repeat(prior.scatter, K, axis=0),
        )
    )
    assert same.penalty() == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("missing", [False, True], ids=["complete", "missing"])
@pytest.mark.parametrize("make", [hooks.variational, hooks.penalized], ids=["laws", "mode"])
@MODELS
def test_a_step_raises_the_objective_to_its_maximum(model, make, missing):
    new, block, resp = case(model, make, missing=missing)
    if (
        missing
    ):  # the sums are those of the model before: its step raises a bound, which the fits are tested for
        stats = new.expected_statistics(block, resp)
        new = new.maximize(stats)

        def objective(vector):
            moved = new.from_coordinates(vector)
            return moved.expected_log_prob(stats) - moved.penalty()
    else:

        def objective(vector):
            moved = new.from_coordinates(vector)
            return float(np.sum(resp * moved.log_prob(block))) - moved.penalty()

    theta = new.coordinates()
    best = objective(theta)
    for c in range(len(theta)):
        step = 1e-4 * np.eye(len(theta))[c]
        up, down = objective(theta + step), objective(theta - step)
        assert abs(up - down) / 2e-4 < 1e-6 * abs(best)
        assert max(up, down) < best


@MODELS
def test_an_origin_changes_nothing(model):
    laws, block, _ = case(model)
    by = np.array([3.0, -50.0])
    moved = laws.moved(by)
    np.testing.assert_allclose(
        moved.log_prob(moved.encode(block.x - by[:, None], Encoding(D))), laws.log_prob(block), rtol=1e-9
    )
    assert moved.penalty() == pytest.approx(laws.penalty(), rel=1e-10)
    mode, block, _ = case(model, hooks.penalized)
    assert mode.moved(by).penalty() == pytest.approx(mode.penalty(), rel=1e-10)
    np.testing.assert_allclose(laws.moved(by).moved(-by).laws.mean, laws.laws.mean, rtol=1e-12)


@MODELS
def test_coordinates_take_and_concatenate(model):
    laws, block, _ = case(model)
    theta = laws.coordinates()
    back = laws.from_coordinates(theta)
    np.testing.assert_allclose(back.log_prob(block), laws.log_prob(block), rtol=1e-10)
    assert back.penalty() == pytest.approx(laws.penalty(), rel=1e-10)
    wild = laws.from_coordinates(theta + np.random.default_rng(4).normal(size=theta.shape))
    assert np.isfinite(wild.log_prob(block)).all()
    assert wild.penalty() > 0.0
    parts = [laws.take([k]) for k in range(K)]
    joined = parts[0].concatenate(parts[1:])
    np.testing.assert_array_equal(joined.log_prob(block), laws.log_prob(block))
    np.testing.assert_allclose(joined.divergences(), laws.divergences(), rtol=1e-12)
    copied = copy.deepcopy(laws)
    np.testing.assert_array_equal(copied.log_prob(block), laws.log_prob(block))


@MODELS
def test_an_empty_component_has_the_law_of_the_prior(model):
    laws, block, resp = case(model)
    resp[1] = 0.0
    new = laws.maximize(laws.expected_statistics(block, resp))
    np.testing.assert_allclose(new.laws.mean[1], laws.prior.mean[0])
    assert new.laws.kappa[1] == laws.prior.kappa[0]
    if model is not Tied:
        assert new.divergences()[1] == pytest.approx(0.0, abs=1e-12)
        np.testing.assert_allclose(new.laws.scatter[1], laws.prior.scatter[0])
    assert np.isfinite(new.log_prob(block)).all()
    mode, block, resp = case(model, hooks.penalized)
    resp[1] = 0.0
    np.testing.assert_allclose(mode.maximize(mode.expected_statistics(block, resp)).mean[1], [0.5, -1.0])
