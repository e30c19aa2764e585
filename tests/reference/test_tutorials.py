"""Figures of public tutorials, reproduced or corrected by an independent implementation to the digits shown."""

from itertools import product

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multinomial, norm

from mixtura import GaussianMixture, MultinomialMixture, select

# --- shoppers: three kinds of basket over three categories, sixteen lines each ------------------------------------
WEIGHTS = np.array([0.1, 0.1, 0.8])
PROFILES = np.array([[0.1, 0.1, 0.8], [0.1, 0.8, 0.1], [0.8, 0.1, 0.1]])
LINES = 16


@pytest.fixture(scope="module")
def baskets():
    """Every possible basket of sixteen lines, and its log probability."""
    x = np.array([row for row in product(range(LINES + 1), repeat=3) if sum(row) == LINES], dtype=float)
    scores = np.stack([multinomial(LINES, profile).logpmf(x) for profile in PROFILES])
    return x, logsumexp(scores + np.log(WEIGHTS)[:, None], axis=0)


def population_fit(baskets, k):
    """The model of k components nearest to the truth: every basket counts as often as it happens."""
    x, log_probability = baskets
    model = MultinomialMixture(k, pseudo_count=0.0, random_state=0, tol=1e-10)
    return model.fit(x, sample_weight=1e6 * np.exp(log_probability))


def test_expected_log_probability_of_a_basket(baskets):
    x, log_probability = baskets
    share = np.exp(log_probability)
    mean = share @ log_probability
    assert share.sum() == pytest.approx(1.0, abs=1e-12)
    assert mean == pytest.approx(-3.7168878637, abs=1e-10)
    assert np.sqrt(share @ (log_probability - mean) ** 2) == pytest.approx(1.19, abs=0.005)
    model = MultinomialMixture(3, weights_init=WEIGHTS, profiles_init=PROFILES, pseudo_count=0.0)
    model.fit(x, sample_weight=1e6 * share)  # the truth is a fixed point
    assert model.n_iter_ <= 3
    assert model.score(x, sample_weight=share) == pytest.approx(-3.7168878637, abs=1e-9)


@pytest.mark.parametrize(("k", "expected"), [(1, -6.88118), (2, -4.56947)])
def test_best_population_fit_of_fewer_components(baskets, k, expected):
    assert population_fit(baskets, k).lower_bound_ == pytest.approx(expected, abs=5e-6)


def test_truth_is_found_from_the_population(baskets):
    model = population_fit(baskets, 3)
    order = np.argsort(-model.profiles_[:, 2]), np.argsort(-model.profiles_[:, 1])
    first, second = order[0][0], order[1][0]
    np.testing.assert_allclose(model.profiles_[[first, second]], PROFILES[:2], atol=1e-3)
    np.testing.assert_allclose(model.weights_[[first, second]], WEIGHTS[:2], atol=1e-3)


def test_bic_chooses_three_kinds_of_basket():
    """The published run, with one start, stuck and chose four."""
    rng = np.random.default_rng(1)
    label = rng.choice(3, size=10_000, p=WEIGHTS)
    x = np.array([rng.multinomial(LINES, PROFILES[k]) for k in label])
    selection = select(MultinomialMixture(random_state=0), x, n_components=[1, 2, 3, 4, 5])
    assert selection.chosen["n_components"] == 3
    # Five standard errors of a mean over 10,000 baskets.
    assert selection.chosen["log_likelihood"] / 10_000 == pytest.approx(-3.71689, abs=5 * 1.19 / 100)
    assert [row["n_parameters"] for row in selection.table] == [k * 2 + k - 1 for k in (1, 2, 3, 4, 5)]


def test_an_empty_basket_has_the_weights_of_all():
    model = MultinomialMixture(3, weights_init=WEIGHTS, profiles_init=PROFILES, random_state=0)
    rng = np.random.default_rng(2)
    model.fit(np.array([rng.multinomial(LINES, PROFILES[k]) for k in rng.choice(3, size=500, p=WEIGHTS)]))
    empty = np.zeros((1, 3))
    np.testing.assert_allclose(model.predict_proba(empty)[0], model.weights_, rtol=1e-12)
    assert model.score_samples(empty)[0] == pytest.approx(0.0, abs=1e-12)


# --- EM for Gaussians: a known mistake, and the sieve -------------------------------------------------------------
def test_class_weights_are_in_the_e_step():
    """Leaving them out is a known mistake: where components are alike, responsibilities are the weights."""
    x = np.linspace(-3, 3, 50)[:, None]
    model = GaussianMixture(2, random_state=0).fit(np.concatenate([x, x + 4.0]))
    model.weights_, model.means_ = np.array([0.9, 0.1]), np.zeros((2, 1))
    model.covariances_ = model.precisions_cholesky_ = np.ones((2, 1, 1))
    np.testing.assert_allclose(model.predict_proba(x), np.tile([0.9, 0.1], (50, 1)), rtol=1e-12)
    model.means_ = np.array([[0.0], [2.0]])
    joint = [0.9 * norm(0, 1).pdf(x[:, 0]), 0.1 * norm(2, 1).pdf(x[:, 0])]
    np.testing.assert_allclose(model.predict_proba(x)[:, 0], joint[0] / (joint[0] + joint[1]), rtol=1e-10)


def test_starts_that_collapse_are_recorded_and_the_others_go_on():
    """Without a variance floor a share of the candidates ends on a point with infinite likelihood."""
    rng = np.random.default_rng(3)
    x = np.concatenate([rng.normal(0, 1, 60), rng.normal(5, 0.5, 40), np.full(3, 9.0)])[:, None]
    options = {"reg_covar": 0.0, "on_degenerate": "raise", "random_state": 0}
    model = GaussianMixture(3, init_params="random_from_data", n_init=30, **options).fit(x)
    collapsed = [start for start in model.starts_ if start.reason == "degenerate"]
    assert 0 < len(collapsed) < 30
    assert all("component" in start.message and start.objective == -np.inf for start in collapsed)
    assert model.converged_
    sieved = GaussianMixture(3, n_init=3, **options).fit(x)
    assert sieved.converged_
    assert not sieved.starts_[sieved.best_start_].suspects


# --- the tutorial of EM and variational Bayes: its EM -------------------------------------------------------------
TUTORIAL_START = {
    "weights_init": [0.4, 0.3, 0.3],
    "means_init": [[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]],
    "precisions_init": np.linalg.inv([[[1.0, 0.5], [0.5, 1.0]]] * 3),
}


@pytest.fixture(scope="module")
def tutorial():
    """First all uniforms, then one draw a row, from the legacy generator that the tutorial used."""
    generator = np.random.RandomState(1000)
    uniform = generator.rand(1000)
    label = np.where(uniform < 0.15, 0, np.where(uniform < 0.5, 1, 2))
    means = [(-3, 2), (4, 2), (3, 1)]
    matrices = [[[1, 0.2], [0.2, 2]], [[0.8, -1], [-1, 1.3]], [[1.5, 1.4], [1.4, 1.5]]]
    with np.errstate(all="ignore"):
        rows = [generator.multivariate_normal(means[k], matrices[k], check_valid="ignore") for k in label]
    return np.array(rows), np.bincount(label)


def test_the_tutorials_data_are_those_of_the_tutorial(tutorial):
    x, counts = tutorial
    assert counts.tolist() == [180, 340, 480]
    np.testing.assert_allclose(x[0], [2.9666886, 0.44579598], atol=5e-8)


@pytest.fixture(scope="module")
def fifty_steps(tutorial):
    # It needs fewer steps until nothing changes any more, so fifty are as good.
    return GaussianMixture(3, reg_covar=0.0, tol=0.0, max_iter=50, **TUTORIAL_START).fit(tutorial[0])


def test_the_tutorials_parameters_after_fifty_steps(tutorial, fifty_steps):
    x, _ = tutorial
    order = np.argsort(fifty_steps.means_[:, 0])
    # The digits that were published.
    np.testing.assert_allclose(fifty_steps.weights_[order], [0.18002701, 0.48102331, 0.33894968], atol=1e-8)
    means = [[-3.09167579, 1.78903996], [2.90769994, 0.92164329], [4.05117296, 1.92353166]]
    np.testing.assert_allclose(fifty_steps.means_[order], means, atol=1e-8)
    assert fifty_steps.score(x) * 1000 == pytest.approx(-3016.5176521, abs=1e-6)
    assert fifty_steps.bic(x) == pytest.approx(6150.4671, abs=5e-5)
    assert fifty_steps.n_parameters() == 17


def test_the_tutorials_first_log_likelihoods(fifty_steps):
    first = np.array(fifty_steps.starts_[0].history[:3]) * 1000
    np.testing.assert_allclose(first, [-7998.0083312, -3835.9213960, -3775.9343321], atol=1e-6)


def test_bic_chooses_full_covariances_and_three_components(tutorial):
    x, _ = tutorial
    selection = select(
        GaussianMixture(random_state=0),
        x,
        n_components=range(1, 7),
        covariance_type=["full", "tied", "diag", "spherical"],
    )
    assert (selection.chosen["covariance_type"], selection.chosen["n_components"]) == ("full", 3)
    assert selection.chosen["bic"] <= 6150.4671 + 0.1  # reg_covar and the tolerance
