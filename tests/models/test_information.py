"""Entropies, divergences, and what weights mean to the criteria."""

import numpy as np
import pytest

import mixtura
from mixtura import (
    BernoulliMixture,
    GaussianMixture,
    GroupedMultinomialMixture,
    Mixture,
    MultinomialMixture,
    PoissonMixture,
    select,
)
from mixtura.components import Gaussian
from mixtura.exceptions import EdgeOfRangeWarning, InvalidParameterError
from mixtura.families import Normal

LOG_TWO_PI_E = np.log(2.0 * np.pi * np.e)


@pytest.fixture
def clusters(rng):
    return np.concatenate([rng.normal(0, 1, (150, 2)), rng.normal(3, 1.5, (250, 2))])


# --- entropies ---
def test_assignment_entropy_row_by_row(clusters):
    mixture = GaussianMixture(3, random_state=0).fit(clusters)
    resp = mixture.predict_proba(clusters)
    expected = [-sum(p * np.log(p) for p in row if p > 0) for row in resp.tolist()]
    found = mixture.assignment_entropy(clusters)
    assert found == pytest.approx(expected)
    assert (found >= 0).all()
    assert (found <= np.log(3)).all()


def test_assignment_entropy_is_zero_when_certain_and_that_of_the_group():
    X = np.array([[9.0, 0.0], [0.0, 9.0]] * 5)
    mixture = GroupedMultinomialMixture(2, concentration=2.0, random_state=0).fit(X, groups=["a", "b"] * 5)
    assert mixture.assignment_entropy(X, groups=["a", "b"] * 5) == pytest.approx(np.zeros(10), abs=1e-3)
    resp = mixture.predict_proba(X[:1] * 0, groups=["a"])
    assert mixture.assignment_entropy(X[:1] * 0, groups=["a"])[0] == pytest.approx(
        -(resp * np.log(resp)).sum()
    )


def test_entropy_of_one_gaussian(clusters):
    mixture = GaussianMixture(1).fit(clusters)
    exact = LOG_TWO_PI_E + 0.5 * np.linalg.slogdet(mixture.covariances_[0])[1]
    estimate, error = mixture.entropy(20_000, random_state=1)
    assert 0 < error < 0.02
    assert estimate == pytest.approx(exact, abs=4 * error)  # chance does this once in 16,000
    assert mixture.entropy(500, random_state=1) == mixture.entropy(500, random_state=1)


def test_entropy_of_counts_is_a_sum(rng):
    X = (rng.random((300, 2)) < [0.2, 0.7]).astype(float)
    mixture = BernoulliMixture(2, random_state=0, tol=1e-3).fit(X)
    cells = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    log_p = mixture.score_samples(cells)
    estimate, error = mixture.entropy(20_000, random_state=0)
    assert estimate == pytest.approx(-(np.exp(log_p) * log_p).sum(), abs=4 * error + 1e-12)


# --- divergence ---
def test_divergence_of_gaussians(rng):
    one, other = rng.normal(0, 1, (400, 1)), rng.normal(1, 2, (400, 1))
    p, q = GaussianMixture(1, reg_covar=0.0).fit(one), GaussianMixture(1, reg_covar=0.0).fit(other)
    (m, v), (n, w) = ((one.mean(), one.var()), (other.mean(), other.var()))
    exact = 0.5 * (np.log(w / v) + (v + (m - n) ** 2) / w - 1.0)
    estimate, error = p.kl_divergence(q, 20_000, random_state=2)
    assert estimate == pytest.approx(exact, abs=4 * error)
    assert p.kl_divergence(p, 100) == (0.0, 0.0)
    # The other way is another number.
    assert abs(q.kl_divergence(p, 20_000, random_state=2).estimate - exact) > 10 * error


def test_divergence_is_the_same_for_another_class_of_the_same_law(clusters):
    x = clusters[:, :1]
    one = GaussianMixture(2, random_state=0, reg_covar=0.0, tol=1e-9).fit(x)
    same = Mixture(Gaussian(), 2, random_state=0, tol=1e-9).fit(x)
    family = Mixture(Normal(), 2, random_state=0, tol=1e-9).fit(x)
    for other in (same, family):
        # Origins and coordinates differ, not the densities: what is left is where the fits stopped.
        assert one.kl_divergence(other, 2000, random_state=0).estimate == pytest.approx(0.0, abs=1e-4)


def test_divergence_is_infinite_where_rows_are_impossible(rng):
    counts = rng.poisson(3.0, (200, 1)).astype(float)
    flags = (rng.random((200, 1)) < 0.4).astype(float)
    poisson, bernoulli = PoissonMixture(1).fit(counts), BernoulliMixture(1).fit(flags)
    assert poisson.kl_divergence(bernoulli) == (np.inf, 0.0)
    finite = bernoulli.kl_divergence(poisson)
    assert 0 < finite.estimate < np.inf
    zero = MultinomialMixture(1, pseudo_count=0.0).fit(np.array([[3.0, 0.0], [2.0, 0.0]]))
    both = MultinomialMixture(1, pseudo_count=0.0).fit(np.array([[3.0, 1.0], [2.0, 2.0]]))
    assert both.kl_divergence(zero).estimate == np.inf
    assert zero.kl_divergence(both).estimate < np.inf


def test_a_rare_component_is_always_drawn(rng):
    """Where the other mixture lacks a rare component's place, two draws of it find that out."""
    x = np.concatenate([rng.normal(0, 1, (2000, 1)), rng.normal(60, 0.1, (4, 1))])
    p = GaussianMixture(2, random_state=0, reg_covar=1e-6, means_init=[[0.0], [60.0]]).fit(x)
    q = GaussianMixture(1).fit(x[:2000])
    assert p.kl_divergence(q, 50, random_state=0).estimate > 0.001 * 60**2 / 2 / 1.5


def test_divergence_refuses_what_it_cannot_compare(clusters):
    one, two = GaussianMixture(1).fit(clusters[:, :1]), GaussianMixture(1).fit(clusters)
    with pytest.raises(InvalidParameterError, match=r"mixture of 2 columns; expected 1.*same columns"):
        one.kl_divergence(two)
    for call in (lambda: one.entropy(1), lambda: one.kl_divergence(one, 1.5)):
        with pytest.raises(InvalidParameterError, match="expected a whole number of at least 2"):
            call()


def test_divergence_refuses_other_levels():
    one = mixtura.models.CategoricalMixture(1).fit(np.array([["a"], ["b"], ["a"]]))
    other = mixtura.models.CategoricalMixture(1).fit(np.array([["b"], ["c"], ["b"]]))
    with pytest.raises(InvalidParameterError, match=r"other levels.*same levels"):
        one.kl_divergence(other)


# --- weights in the criteria ---
def test_frequency_weights_are_repeated_rows(clusters, rng):
    times = rng.integers(1, 4, len(clusters))
    repeated = np.repeat(clusters, times, axis=0)
    mixture = GaussianMixture(2, random_state=0).fit(repeated)
    for criterion in ("aic", "bic", "icl"):
        whole = getattr(mixture, criterion)(repeated)
        assert getattr(mixture, criterion)(clusters, times) == pytest.approx(whole)
        assert getattr(mixture, criterion)(clusters, times, weight_type="frequency") == pytest.approx(whole)


def test_probability_weights_count_rows(clusters, rng):
    mixture = GaussianMixture(2, random_state=0).fit(clusters)
    weight = rng.uniform(0.1, 5.0, len(clusters))
    weight[:10] = 0.0
    meant = {"weight_type": "probability"}
    share = weight / weight.sum() * 390  # the rows with positive weight
    n_parameters, log_likelihood = mixture.n_parameters(), mixture.score_samples(clusters) @ share
    assert mixture.bic(clusters, weight, **meant) == pytest.approx(
        -2 * log_likelihood + n_parameters * np.log(390)
    )
    assert mixture.aic(clusters, weight, **meant) == pytest.approx(-2 * log_likelihood + 2 * n_parameters)
    for criterion in ("aic", "bic", "icl"):
        ask = getattr(mixture, criterion)
        assert ask(clusters, weight * 1000, **meant) == pytest.approx(ask(clusters, weight, **meant))
        assert ask(clusters, np.full(400, 7.0), **meant) == pytest.approx(ask(clusters))
        assert ask(clusters, **meant) == ask(clusters)


def test_selection_scales_probability_weights(clusters):
    given = {"n_components": [1, 2, 3], "sample_weight": np.full(400, 50.0)}
    estimator = GaussianMixture(random_state=0)
    plain = select(estimator, clusters, n_components=[1, 2, 3])
    scaled = select(estimator, clusters, weight_type="probability", **given)
    assert [row["bic"] for row in scaled.table] == pytest.approx(
        [row["bic"] for row in plain.table], rel=1e-6
    )
    assert scaled.chosen["n_components"] == 2
    with pytest.warns(EdgeOfRangeWarning):  # taken for 20,000 rows, they speak for a component too many
        counted = select(estimator, clusters, **given)
    assert counted.chosen["n_components"] == 3
    assert counted.table[0]["bic"] > 40 * scaled.table[0]["bic"]


def test_an_unknown_meaning_of_weights(clusters):
    mixture = GaussianMixture(1).fit(clusters)
    for call in (
        lambda: mixture.bic(clusters, weight_type="pweight"),
        lambda: select(mixture, clusters, weight_type="p"),
    ):
        with pytest.raises(
            InvalidParameterError, match=r"weight_type is .*Allowed: 'frequency', 'probability'"
        ):
            call()
