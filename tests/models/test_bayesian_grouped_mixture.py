"""The Bayesian mixture with weights per group: number, intervals, files, settings."""

import numpy as np
import pytest
from scipy.stats import beta
from sklearn.base import clone

from mixtura import GroupedMultinomialMixture, exceptions, load
from mixtura.models import BayesianGroupedMultinomialMixture
from mixtura.priors import DirichletPrior


def data(n_rows=500, n_groups=25, seed=0):
    rng = np.random.default_rng(seed)
    shares = np.kron(np.eye(3), np.full((1, 3), 0.3)) + 0.1 / 9
    shares /= shares.sum(axis=1, keepdims=True)
    tastes = rng.dirichlet(np.full(3, 0.7), size=n_groups)
    groups = rng.integers(n_groups, size=n_rows)
    kinds = np.array([rng.choice(3, p=tastes[h]) for h in groups])
    X = np.array([rng.multinomial(6, shares[k]) for k in kinds])
    return X, groups, tastes, kinds


@pytest.fixture(scope="module")
def fitted():
    X, groups, _, _ = data()
    return BayesianGroupedMultinomialMixture(9, random_state=0).fit(X, groups=groups)


def test_the_number_is_found(fitted):
    assert len(fitted.weights_) == 3
    assert fitted.number_probabilities()[3] > 0.9
    assert sum(fitted.number_probabilities().values()) == pytest.approx(1.0)
    best = max(fitted.path_, key=lambda tried: tried.bound)
    assert best.n_components == 3
    assert fitted.lower_bound_ * fitted.total_weight_ == pytest.approx(best.bound)


def test_the_same_seed_gives_the_same_and_a_number_can_be_kept(fitted):
    X, groups, _, _ = data()
    again = clone(fitted).fit(X, groups=groups)
    np.testing.assert_array_equal(again.profiles_, fitted.profiles_)
    kept = BayesianGroupedMultinomialMixture(5, infer_number=False, random_state=0).fit(X, groups=groups)
    assert len(kept.weights_) == 5
    assert [tried.n_components for tried in kept.path_] == [5]
    assert kept.path_[0].bound < max(tried.bound for tried in fitted.path_)


def test_posterior_laws_have_these_means_and_quantiles(fitted):
    law, profiles = fitted.group_concentration_, fitted.profile_concentration_
    np.testing.assert_allclose(law.sum(axis=1), fitted.concentration_ + fitted.group_counts_)
    np.testing.assert_allclose(profiles / profiles.sum(axis=1, keepdims=True), fitted.profiles_)
    for (low, high), laws in ((fitted.weight_intervals(0.8), law), (fitted.profile_intervals(0.8), profiles)):
        rest = laws.sum(axis=1, keepdims=True) - laws
        np.testing.assert_allclose(low, beta.ppf(0.1, laws, rest), atol=1e-12)
        np.testing.assert_allclose(high, beta.ppf(0.9, laws, rest), atol=1e-12)


def test_intervals_of_groups_cover_their_tastes(fitted):
    """With missions so different nearly nothing is lost by mean-field: 95 % intervals cover about 95 % (three standard errors)."""
    X, _, tastes, kinds = data()
    order = [int(np.bincount(fitted.predict(X)[kinds == k]).argmax()) for k in range(3)]
    low, high = fitted.weight_intervals()
    true = np.empty_like(tastes)
    true[:, order] = tastes
    covered = ((low <= true) & (true <= high)).mean()
    assert covered > 0.95 - 3 * np.sqrt(0.95 * 0.05 / 50)


def test_the_chance_of_being_the_main_one(fitted):
    sure = fitted.main_probability()
    law = fitted.group_concentration_
    drawn = np.array([np.random.default_rng(7).dirichlet(row, size=4000).argmax(axis=1) for row in law])
    expected = (drawn == law.argmax(axis=1)[:, None]).mean(axis=1)
    np.testing.assert_allclose(sure, expected, atol=0.1)  # four standard errors of 400 draws
    assert (sure >= 1 / 3 - 0.1).all()


def test_files_hold_the_laws(fitted, tmp_path):
    X, groups, _, _ = data()
    again = load(fitted.save(tmp_path / "one.mixtura"))
    assert isinstance(again, BayesianGroupedMultinomialMixture)
    assert isinstance(again, GroupedMultinomialMixture)
    np.testing.assert_array_equal(
        again.predict_proba(X, groups=groups), fitted.predict_proba(X, groups=groups)
    )
    np.testing.assert_array_equal(again.weight_intervals()[1], fitted.weight_intervals()[1])
    assert again.path_ == fitted.path_
    assert again.interrupted_ is fitted.interrupted_ is False


def test_a_prior_that_is_given_is_kept(tmp_path):
    X, groups, _, _ = data()
    found = BayesianGroupedMultinomialMixture(4, prior=DirichletPrior(0.5), random_state=0).fit(
        X, groups=groups
    )
    np.testing.assert_array_equal(found.prior_concentration_, np.full(9, 0.5))
    assert load(found.save(tmp_path / "one.mixtura")).prior == DirichletPrior(0.5)


def test_labels_name_components_that_must_stay():
    X, groups, _, kinds = data(n_rows=200)
    labels = np.where(np.arange(200) < 30, kinds, -1)
    with pytest.raises(exceptions.InvalidParameterError, match="infer_number is True, but labels name"):
        BayesianGroupedMultinomialMixture(3, random_state=0).fit(X, groups=groups, labels=labels)
    kept = BayesianGroupedMultinomialMixture(3, infer_number=False, random_state=0)
    kept.fit(X, groups=groups, labels=labels)
    assert (kept.predict(X, groups=groups) == kinds).mean() > 0.9


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"infer_number": "yes"}, "infer_number is 'yes'; expected True or False"),
        ({"prior": DirichletPrior([1.0, 2.0])}, "expected one number, or one for each of 9"),
        ({"n_components": 0}, "expected a whole number of at least 1"),
    ],
)
def test_settings_that_cannot_be(options, words):
    X, groups, _, _ = data(n_rows=60)
    with pytest.raises(exceptions.InvalidParameterError, match=words):
        BayesianGroupedMultinomialMixture(**{"n_components": 3} | options).fit(X, groups=groups)


def test_levels_that_cannot_be(fitted):
    with pytest.raises(
        exceptions.InvalidParameterError, match="level is 95; expected a number between 0 and 1"
    ):
        fitted.weight_intervals(95)
    with pytest.raises(exceptions.InvalidParameterError, match="level is 'high'; expected a number"):
        fitted.profile_intervals("high")
