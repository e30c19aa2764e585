"""Every conjugate law against numerical derivatives, quadrature, SciPy's densities and its own draws."""

import copy
from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import dblquad, quad
from scipy.special import expit
from scipy.stats import beta, dirichlet, gamma, invgamma, norm

from mixtura.components import hooks
from mixtura.families import Multinomial
from mixtura.priors.base import by_column
from mixtura.protocols import Encoding
from posteriors.laws import CASES, KAPPA, MEAN, RATE, SHAPE, A, B

STEP = 1e-5
ERRORS = 5.0  # standard errors that averages of draws may be off
DRAWS = 4000


def posterior(name, n_components=2):
    """Components with posterior laws, the block of rows and its responsibilities."""
    case = CASES[name]
    blank, encoding = case.blank, Encoding(len(case.x))
    block = blank.encode(case.x, encoding)
    resp = np.random.default_rng(4).dirichlet(np.ones(n_components), size=case.x.shape[1]).T
    overall = blank.expected_statistics(block, np.ones((1, case.x.shape[1])))
    laws = hooks.variational(blank, case.prior, overall, None)
    return laws.maximize(blank.expected_statistics(block, resp)), block, resp


def close_to_average(values, expected):
    """Averages over the first axis, within their standard errors."""
    error = values.std(axis=0) / np.sqrt(len(values))
    assert np.all(np.abs(values.mean(axis=0) - expected) <= ERRORS * error + 1e-12)


def normalizers(family, natural):
    """A of each column, (K, V)."""
    if isinstance(family, Multinomial):
        return family.log_normalizer(natural)[:, None]
    return family.column_normalizer(natural)


@pytest.mark.parametrize("name", CASES)
def test_expectations_are_derivatives_of_the_log_partition(name):
    laws, _, _ = posterior(name)
    law, (chi, nu) = laws.law, laws.hyper
    natural, normalizer = law.expectations(chi, nu)
    for p in range(chi.shape[1]):
        step = STEP * np.eye(chi.shape[1])[p]
        rise = law.log_partition(chi + step, nu) - law.log_partition(chi - step, nu)
        np.testing.assert_allclose(rise.sum(axis=1) / (2 * STEP), natural[:, p], rtol=1e-6, atol=1e-7)
    for v in range(nu.shape[1]):
        step = STEP * np.eye(nu.shape[1])[v]
        rise = law.log_partition(chi, nu + step) - law.log_partition(chi, nu - step)
        np.testing.assert_allclose(-rise.sum(axis=1) / (2 * STEP), normalizer[:, v], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", CASES)
def test_scores_divergences_and_point_are_averages_over_draws(name):
    laws, block, _ = posterior(name)
    family, law, rng = CASES[name].family, laws.law, np.random.default_rng(1)
    chi, nu = laws.hyper
    drawn = [laws.draw(rng) for _ in range(DRAWS)]
    natural = np.stack([one.natural for one in drawn])
    close_to_average(natural, laws.natural)
    close_to_average(np.stack([normalizers(family, one) for one in natural]), law.expectations(chi, nu)[1])
    close_to_average(np.stack([one.log_prob(block)[:, :6] for one in drawn]), laws.log_prob(block)[:, :6])
    ratio = by_column((chi - law.chi) * natural, law.owner, nu.shape[1])
    ratio = ratio - (nu - law.nu) * np.stack([normalizers(family, one) for one in natural])
    ratio = ratio + law.log_partition(law.chi, law.nu) - law.log_partition(chi, nu)
    close_to_average(ratio.sum(axis=-1), laws.divergences())
    assert laws.penalty() == pytest.approx(laws.divergences().sum())
    assert (laws.divergences() > 0).all()
    usual = {
        "geometric": lambda eta: -np.expm1(eta),
        "exponential": np.negative,
        "normal": lambda eta: np.stack([eta[..., 0] / eta[..., 1], eta[..., 1]], axis=-1),
        "log-normal": lambda eta: np.concatenate([eta[..., :3] / eta[..., 3:], eta[..., 3:]], axis=-1),
        "bernoulli": expit,
        "binomial": expit,
    }.get(name, np.exp)
    close_to_average(usual(natural), usual(laws.point.natural))


@pytest.mark.parametrize("name", CASES)
def test_draws_from_the_prior_have_its_law(name):
    laws, _, _ = posterior(name)
    law = laws.law
    natural = laws.prior_draw(DRAWS, np.random.default_rng(2)).natural
    close_to_average(natural, law.expectations(law.chi, law.nu)[0])


@pytest.mark.parametrize("name", CASES)
def test_the_divergence_of_the_prior_from_itself_is_zero(name):
    law = posterior(name)[0].law
    np.testing.assert_allclose(law.divergence(law.chi[None], law.nu[None]), 0.0, atol=1e-12)


def _beta(law, eta):
    p = -np.expm1(eta) if type(law).__name__ == "BetaOfFailures" else expit(eta)
    return beta(A, B).logpdf(p)


def _gamma(law, eta):
    rate = -eta if type(law).__name__ == "GammaOfRate" else np.exp(eta)
    return gamma(A, scale=1 / np.array(B)).logpdf(rate)


def _normal_gamma(_, eta, size=3):
    m, k, a, b = (np.array(v[:size]) for v in (MEAN, KAPPA, SHAPE, RATE))
    variance = -0.5 / eta[:, size:]
    return norm(m, np.sqrt(variance / k)).logpdf(eta[:, :size] * variance) + invgamma(a, scale=b).logpdf(
        variance
    )


DENSITIES = {
    "bernoulli": _beta,
    "binomial": _beta,
    "geometric": _beta,
    "poisson": _gamma,
    "exponential": _gamma,
    "categorical": lambda _, eta: np.stack(
        [
            dirichlet([1.3, 1.0, 2.0]).logpdf(np.exp(eta[:, :3]).T),
            dirichlet([1.5, 4.0]).logpdf(np.exp(eta[:, 3:]).T),
        ],
        axis=1,
    ),
    "multinomial": lambda _, eta: dirichlet(A).logpdf(np.exp(eta).T)[:, None],
    "normal": lambda law, eta: _normal_gamma(law, eta, 1),
    "log-normal": _normal_gamma,
}


@pytest.mark.parametrize("name", CASES)
def test_log_density_is_that_of_the_usual_parameters(name):
    laws, _, _ = posterior(name)
    eta = laws.draw(np.random.default_rng(3)).natural
    eta = laws.family.from_free(laws.family.free(eta))  # shares that sum to one exactly
    np.testing.assert_allclose(
        laws.law.log_density(eta), DENSITIES[name](laws.law, eta), rtol=1e-9, atol=1e-9
    )


def test_densities_of_one_parameter_integrate_to_one():
    for name, natural, top in (
        ("bernoulli", lambda p: np.log(p) - np.log1p(-p), 1.0),
        ("geometric", np.log1p, 1.0),
        ("poisson", np.log, 60.0),
        ("exponential", np.negative, 60.0),
    ):
        law = posterior(name)[0].law
        for d in range(3):

            def density(value, d=d, law=law, natural=natural, name=name):
                eta = natural(-value if name == "geometric" else value)
                return np.exp(law.log_density(np.full((1, 3), eta))[0, d])

            assert quad(density, 0.0, top, epsabs=1e-10)[0] == pytest.approx(1.0, abs=1e-7)


def test_the_density_of_mean_and_variance_integrates_to_one():
    law = posterior("normal")[0].law
    # In (mean, log variance): d variance = variance d log variance.
    found = dblquad(
        lambda mean, log_v: np.exp(
            law.log_density(np.array([[mean * np.exp(-log_v), -0.5 * np.exp(-log_v)]]))[0, 0] + log_v
        ),
        -4.0,
        26.0,
        lambda log_v: MEAN[0] - 9 * np.exp(0.5 * log_v) / KAPPA[0] ** 0.5,
        lambda log_v: MEAN[0] + 9 * np.exp(0.5 * log_v) / KAPPA[0] ** 0.5,
        epsabs=1e-8,
    )[0]
    assert found == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_the_mode_is_a_maximum(name):
    case = CASES[name]
    laws, block, resp = posterior(name)
    overall = case.blank.expected_statistics(block, np.ones((1, resp.shape[1])))
    mode = hooks.penalized(case.blank, case.prior, overall, None).maximize(
        case.blank.expected_statistics(block, resp)
    )
    theta = mode.coordinates()

    def objective(vector):
        new = mode.from_coordinates(vector)
        return float(np.sum(resp * new.log_prob(block))) - new.penalty()

    best = objective(theta)
    for c in range(len(theta)):
        step = 1e-4 * np.eye(len(theta))[c]
        up, down = objective(theta + step), objective(theta - step)
        assert abs(up - down) / 2e-4 < 1e-5 * abs(best)
        assert max(up, down) <= best + 1e-11 * abs(best)
    # The density of the posterior is that of the law with the posterior's sums.
    law = copy.copy(laws.law)
    law.chi, law.nu = laws.chi[0], laws.nu[0]
    tops = [law.log_density(mode.natural[:1]).sum()]
    for factor in (0.1, 0.3, 1.0):
        moved = mode.from_coordinates(theta + factor * np.random.default_rng(0).normal(size=len(theta)))
        tops.append(law.log_density(moved.natural[:1]).sum())
    assert all(tops[0] > other for other in tops[1:])


@pytest.mark.parametrize("name", CASES)
def test_coordinates_take_concatenate_and_split(name):
    laws, block, _ = posterior(name, 3)
    theta = laws.coordinates()
    back = laws.from_coordinates(theta)
    for found, expected in zip(back.hyper, laws.hyper, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(back.divergences(), laws.divergences(), rtol=1e-9)
    wild = laws.from_coordinates(theta + np.random.default_rng(5).normal(size=theta.shape))
    assert np.isfinite(wild.log_prob(block)).all()
    assert (wild.divergences() > 0).all()
    parts = [laws.take([k]) for k in range(3)]
    joined = parts[0].concatenate(parts[1:])
    np.testing.assert_array_equal(joined.chi, laws.chi)
    np.testing.assert_array_equal(joined.nu, laws.nu)
    stats = CASES[name].blank.expected_statistics(block, np.full((3, CASES[name].x.shape[1]), 1 / 3))
    halves = laws.maximize(laws.split(stats, 1))
    assert halves.n_components == 4
    assert not np.allclose(halves.natural[1], halves.natural[3])
    assert halves.take([0]).divergences() == pytest.approx(laws.maximize(stats).take([0]).divergences())


def test_several_columns_of_levels_are_added_by_column():
    values = np.arange(12.0).reshape(2, 6)
    owner = np.array([0, 0, 1, 1, 1, 2])
    expected = np.stack(
        [values[:, list(range(*ends))].sum(axis=1) for ends in pairwise([0, 2, 5, 6])], axis=1
    )
    np.testing.assert_array_equal(by_column(values, owner, 3), expected)
