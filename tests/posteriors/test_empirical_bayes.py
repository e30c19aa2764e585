"""Learnt priors: each step raises the bound, and no other hyper-parameters would raise it more."""

import copy
import warnings
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize

from mixtura import Mixture, load
from mixtura.components import Diagonal, Full, Gaussian, Product, Spherical, Tied, hooks
from mixtura.components.wishart import wishart_law
from mixtura.exceptions import InvalidParameterError
from mixtura.families import Bernoulli, Multinomial, Poisson
from mixtura.priors import NormalWishartPrior, PitmanYorPrior
from mixtura.protocols import Encoding
from mixtura.statistics import Statistics
from mixtura.structures import StickBreaking
from posteriors.laws import CASES

K = 4
MODELS = (Full, Tied, Diagonal, Spherical)


def learnt(blank, prior, x):
    """Laws after one step from soft responsibilities, with the prior as it was and learnt."""
    rng, encoding = np.random.default_rng(5), Encoding(len(x))
    block = blank.encode(x, encoding)
    resp = rng.dirichlet(np.full(K, 0.3), size=x.shape[1]).T
    overall = blank.expected_statistics(block, np.ones((1, x.shape[1])))
    laws = hooks.variational(blank, prior, overall, None)
    stats = blank.expected_statistics(block, resp)
    return laws.maximize(stats), hooks.learning(laws).maximize(stats)


@pytest.mark.parametrize("name", CASES)
def test_no_prior_of_a_family_diverges_less(name):
    before, after = learnt(CASES[name].blank, CASES[name].prior, CASES[name].x)
    np.testing.assert_array_equal(after.chi, before.chi)  # the laws stay
    np.testing.assert_array_equal(after.natural, before.natural)
    assert after.penalty() < before.penalty()
    free = after.law.free(after.law.chi[None], after.law.nu[None])

    def divergence(vector, column=None):
        moved = copy.copy(after)
        moved.law = copy.copy(after.law)
        chi, nu = after.law.from_free(vector.reshape(1, -1))
        moved.law.chi, moved.law.nu = chi[0], nu[0]
        return moved.penalty()

    best = divergence(free.ravel())
    assert best == pytest.approx(after.penalty(), rel=1e-10)
    for c in range(free.size):
        step = 1e-4 * np.eye(free.size)[c]
        up, down = divergence(free.ravel() + step), divergence(free.ravel() - step)
        assert abs(up - down) / 2e-4 < 1e-5 * (1.0 + best)
        assert min(up, down) > best - 1e-10
    if hasattr(after.law, "excess"):  # shapes, which these coordinates keep

        def shaped(shift):
            moved = copy.copy(after)
            moved.law = copy.copy(after.law)
            moved.law.excess = after.law.excess + shift
            # The rate follows the shape, as its best value does.
            mean, nu, shape, rate = after.law.usual(after.law.chi, after.law.nu)
            moved.law.chi = np.concatenate([nu * mean, 2 * rate * (shape + shift) / shape + nu * mean**2])
            return moved.penalty()

        assert all(shaped(shift) > after.penalty() for shift in (-1e-2, 1e-2, 0.3))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_no_prior_of_gaussians_diverges_less(model):
    x = np.random.default_rng(3).normal(size=(2, 60)) + np.repeat(
        [[0.0, 3.0, -2.0], [0.0, 1.0, 2.0]], 20, axis=1
    )
    before, after = learnt(Gaussian(model=model()), NormalWishartPrior(degrees_of_freedom=3.0), x)
    assert after.penalty() < before.penalty()
    np.testing.assert_array_equal(after.laws.scatter, before.laws.scatter)
    prior = after.prior
    scatter = after.model.free(prior.scatter)
    start = np.concatenate([prior.mean[0], np.log(prior.kappa), scatter])

    def divergence(vector):
        moved = replace(
            prior,
            mean=vector[None, :2],
            kappa=np.exp(vector[2:3]),
            scatter=after.model.from_free(vector[3:], prior.scatter.shape),
        )
        return after.under(moved).penalty()

    for c in range(len(start)):
        step = 1e-4 * np.eye(len(start))[c]
        assert abs(divergence(start + step) - divergence(start - step)) / 2e-4 < 1e-6 * (
            1.0 + after.penalty()
        )
    # From the prior before, an optimiser of its own finds the same.
    origin = np.concatenate(
        [before.prior.mean[0], np.log(before.prior.kappa), after.model.free(before.prior.scatter)]
    )
    found = minimize(divergence, origin, method="BFGS", options={"gtol": 1e-7})
    assert found.fun == pytest.approx(after.penalty(), rel=1e-8)


def groups(seed=0):
    """Rows of three blocks in four groups."""
    rng = np.random.default_rng(seed)
    z = rng.integers(0, K, 300)
    means = rng.normal(scale=4.0, size=(K, 2))
    return np.column_stack(
        [
            means[z] + rng.normal(size=(300, 2)),
            rng.poisson(np.array([1.0, 4.0, 9.0, 2.0])[z]),
            (rng.random((300, 2)) < np.array([[0.1, 0.9], [0.8, 0.2], [0.5, 0.5], [0.9, 0.9]])[z]).astype(
                float
            ),
        ]
    )


def blocks():
    return Product(
        {"place": (Gaussian(), [0, 1]), "visits": (Poisson(), [2]), "answers": (Bernoulli(), [3, 4])}
    )


@pytest.mark.parametrize("weights", [None, PitmanYorPrior(1.0, 0.2)], ids=["dirichlet", "pitman-yor"])
def test_the_bound_never_falls_and_ends_above_that_of_the_prior_that_stays(weights):
    x = groups()
    bounds = {}
    for learn in (False, "weights", "components", True, "all"):
        fit = Mixture(
            blocks(),
            K,
            inference="variational",
            weights_prior=weights,
            empirical_bayes=learn,
            random_state=0,
            tol=1e-6,
            max_iter=60,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a learnt prior may still be on its way
            fit.fit(x)
        assert np.diff(fit.lower_bounds_).min(initial=0.0) > -1e-9 * abs(fit.lower_bound_)
        bounds[learn] = fit.lower_bound_
    assert bounds["all"] == bounds[True]
    assert bounds[False] < bounds["weights"] < bounds[True]
    assert bounds[False] < bounds["components"] < bounds[True]


def test_a_learnt_prior_is_published_saved_and_loaded(tmp_path):
    x = groups()
    fit = Mixture(blocks(), K, empirical_bayes=True, inference="variational", random_state=0, tol=1e-4).fit(x)
    again = load(fit.save(tmp_path / "learnt.mixtura"))
    assert again.lower_bound_terms_ == fit.lower_bound_terms_
    np.testing.assert_array_equal(again.score_samples(x), fit.score_samples(x))


@pytest.mark.parametrize("wrong", ["concentration", 1.5, None])
def test_what_may_be_learnt_is_named(wrong):
    with pytest.raises(InvalidParameterError, match=r"empirical_bayes is .*'weights', 'components'"):
        Mixture(Gaussian(), 2, inference="variational", empirical_bayes=wrong).fit(groups()[:, :2])


def test_one_profile_learns_up_to_the_cap():
    case = CASES["multinomial"]
    assert isinstance(case.family, Multinomial)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the prior narrows by as many rows as there are in every step
        fit = Mixture(case.blank, 1, inference="variational", empirical_bayes=True, max_iter=50).fit(case.x.T)
    assert np.diff(fit.lower_bounds_).min() >= -1e-10
    assert np.isfinite(fit.score(case.x.T))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
@pytest.mark.parametrize("rows", ["equal", "constant column"])
def test_a_learnt_scatter_has_a_floor(model, rows):
    x = np.repeat([[0.0, 1.0], [3.0, -1.0]], 30, axis=0)
    if rows == "constant column":
        x = np.column_stack([np.full(60, 2.0), np.random.default_rng(0).normal(size=60)])
    fit = Mixture(
        Gaussian(model=model()),
        3,
        inference="variational",
        empirical_bayes=True,
        random_state=0,
        max_iter=60,
        tol=1e-3,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on its way to the floor
        fit.fit(x)
    assert np.isfinite(fit.score(x))
    assert np.diff(fit.lower_bounds_).min(initial=0.0) > -1e-9 * abs(fit.lower_bound_)


def test_raised_scatters_are_the_best_above_a_floor():
    rng = np.random.default_rng(2)
    law = wishart_law(Full(), 3)
    floor = np.cov(rng.normal(size=(3, 9)))[None]
    best = 0.3 * np.cov(rng.normal(size=(3, 9)))[None] * [[[1.0], [0.1], [3.0]]] * [[[1.0, 0.1, 3.0]]]
    raised = law.raised(best, floor)
    assert np.linalg.eigvalsh(raised - floor)[0].min() > -1e-12

    def objective(scatter):  # what is raised, up to constants: log |V| - tr(V best^-1)
        return np.linalg.slogdet(scatter[0])[1] - np.trace(scatter[0] @ np.linalg.inv(best[0]))

    for _ in range(200):
        root = rng.normal(size=(3, 3)) * rng.choice([0.01, 0.1, 1.0])
        assert objective(floor + (root @ root.T)[None]) <= objective(raised) + 1e-12
    np.testing.assert_array_equal(law.raised(10.0 * floor, floor), 10.0 * floor)


def test_sticks_of_a_learnt_process_know_their_counts():
    counts = np.array([40.0, 25.0, 3.0, 0.0])
    sticks = StickBreaking(4, 1.0, 0.3, learn=True).maximize(Statistics({"count": counts}))
    assert abs(sticks.process[1] - 0.3) > 1e-2  # the discount has been learnt since
    taken = sticks.take([1, 0, 2, 3])
    np.testing.assert_allclose(taken.sticks[0] - (1.0 - sticks.process[1]), counts[[1, 0, 2, 3]], atol=1e-12)
