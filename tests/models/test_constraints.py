"""Known components, common parameters, equal weights."""

import numpy as np
import pytest

import mixtura
from mixtura import Mixture
from mixtura.components import (
    EEV,
    Diagonal,
    DirichletMultinomial,
    Fixed,
    Full,
    Gaussian,
    Product,
    Shared,
    Spherical,
    Tied,
)
from mixtura.exceptions import InvalidParameterError
from mixtura.families import FamilyComponents, Normal, Poisson


def counts(seed=0):
    rng = np.random.default_rng(seed)
    label = np.repeat([0, 1, 2], [200, 300, 100])
    return rng.poisson(np.array([[1.0, 8.0], [8.0, 1.0], [8.0, 8.0]])[label]).astype(float), label


@pytest.mark.parametrize("seed", range(3))
def test_known_components_stay_and_the_others_are_learnt(seed):
    x, _ = counts()
    known = FamilyComponents(Poisson()).from_mean(np.array([[8.0, 8.0], [1.0, 8.0]]))
    mixture = Mixture(Fixed(Poisson(), known), 3, random_state=seed).fit(x)
    rates = mixture.components_.inside.mean
    np.testing.assert_allclose(rates[:2], [[8.0, 8.0], [1.0, 8.0]], rtol=1e-12)
    np.testing.assert_allclose(rates[2], [8.0, 1.0], rtol=0.15)
    np.testing.assert_allclose(mixture.weights_, [1 / 6, 2 / 6, 3 / 6], atol=0.06)
    assert mixture.n_parameters() == 2 + 2
    assert np.all(np.diff(mixture.lower_bounds_) > -1e-12)


def test_known_gaussians_are_in_units_of_the_data(tmp_path):
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.normal(1000.0, 1.0, (150, 2)), rng.normal(1010.0, 2.0, (300, 2))])
    known = Gaussian(np.array([[1000.0, 1000.0]]), np.eye(2)[None])
    mixture = Mixture(Fixed(Gaussian(), known), 2, random_state=0).fit(x)
    table = mixture.params_frame()
    means = table[table["parameter"] == "mean"].groupby("component")["value"].mean()
    assert means[0] == pytest.approx(1000.0, abs=1e-9)
    assert means[1] == pytest.approx(1010.0, abs=0.5)
    again = mixtura.load(mixture.save(tmp_path / "known.mixtura"))
    np.testing.assert_array_equal(again.score_samples(x), mixture.score_samples(x))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((Poisson(), Poisson()), "component without parameters, and then the known ones"),
        ((Poisson(), FamilyComponents(Normal(), np.ones((1, 2)))), None),
        ((Poisson(), DirichletMultinomial(np.ones((1, 2)))), "expected both to be of one kind"),
        ((Gaussian(model=Tied()), Gaussian(np.zeros((1, 1)), np.eye(1), Tied())), "one covariance for all"),
    ],
)
def test_bad_known_components(arguments, message):
    if message is None:
        message = "one kind"
    with pytest.raises(InvalidParameterError, match=message):
        Fixed(*arguments)


def test_all_known_leaves_nothing_to_learn():
    x, _ = counts()
    known = FamilyComponents(Poisson()).from_mean(np.array([[8.0, 8.0], [1.0, 8.0]]))
    with pytest.raises(InvalidParameterError, match="2 components, of which 2 are known"):
        Mixture(Fixed(Poisson(), known), 2).fit(x)


def test_a_column_in_common_does_not_tell_components_apart():
    x, label = counts()
    x = np.column_stack([x, np.random.default_rng(5).poisson(4.0, len(x))])
    blocks = {"telling": (Poisson(), [0, 1]), "common": (Shared(Poisson()), [2])}
    mixture = Mixture(Product(blocks), 3, random_state=0).fit(x)
    assert mixture.n_parameters() == 2 + 6 + 1
    table = mixture.params_frame()
    common = table[(table["parameter"] == "rate") & (table["feature"] == "x2")]["value"]
    np.testing.assert_allclose(common, x[:, 2].mean(), rtol=1e-10)
    alone = Mixture(Poisson(), 3, random_state=0).fit(x[:, :2])
    np.testing.assert_allclose(mixture.predict_proba(x), alone.predict_proba(x[:, :2]), atol=1e-3)
    assert len(np.unique(label)) == 3


def test_groups_of_components_in_common():
    x, _ = counts()
    shared = Shared(Poisson(), groups=[0, 1, 0])
    resp = np.random.default_rng(0).dirichlet(np.ones(3), len(x)).T
    encoding = mixtura.protocols.Encoding(2)
    stats = shared.expected_statistics(shared.encode(x.T, encoding), resp)
    new = shared.maximize(stats)
    both = resp[0] + resp[2]
    np.testing.assert_allclose(new.inside.mean[0], both @ x / both.sum(), rtol=1e-10)
    np.testing.assert_array_equal(new.inside.mean[0], new.inside.mean[2])
    assert new.n_parameters() == 4
    with pytest.raises(InvalidParameterError, match="names 3 components, but the mixture has 2"):
        Mixture(shared, 2).fit(x)
    with pytest.raises(InvalidParameterError, match=r"all of 0, 1, \.\.\. in use"):
        Shared(Poisson(), groups=[0, 2])


def test_equal_weights():
    x, _ = counts()
    mixture = Mixture(Poisson(), 3, equal_weights=True, random_state=0).fit(x)
    np.testing.assert_allclose(mixture.weights_, 1 / 3)
    free = Mixture(Poisson(), 3, random_state=0).fit(x)
    assert mixture.n_parameters() == free.n_parameters() - 2
    assert mixture.lower_bound_ < free.lower_bound_
    assert np.all(np.diff(mixture.lower_bounds_) > -1e-12)


@pytest.mark.parametrize("model", [Full, Tied, Diagonal, Spherical])
def test_bounds_on_variances_are_the_maximum_under_bounds(model):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3)) @ np.diag([0.1, 1.0, 5.0]) @ np.linalg.qr(rng.normal(size=(3, 3)))[0]
    bounded = Mixture(Gaussian(model=model(lowest=0.3, highest=4.0)), 2, random_state=0).fit(x)
    values = np.linalg.eigvalsh(bounded.components_.matrices)
    assert values.min() >= 0.3 - 1e-12
    assert values.max() <= 4.0 + 1e-12
    assert np.all(np.diff(bounded.lower_bounds_) > -1e-12)
    assert bounded.components_.exact
    # No feasible covariance explains the sums better.
    gaussian = bounded._model().components
    resp = bounded.predict_proba(x).T
    encoding = mixtura.protocols.Encoding(3, origin=bounded.origin_)
    block = gaussian.encode(x.T - bounded.origin_[:, None], encoding)
    best = gaussian.maximize(gaussian.expected_statistics(block, resp))
    value = np.sum(resp * best.log_prob(block))
    for _ in range(200):
        moved = best.from_coordinates(best.coordinates() + 0.05 * rng.normal(size=best.coordinates().size))
        inside = moved.replace(moved.mean, moved.model.within(moved.covariance))
        assert np.sum(resp * inside.log_prob(block)) <= value + 1e-9 * abs(value)


def test_a_least_variance_keeps_the_likelihood_bounded():
    x = np.concatenate([np.zeros(5), np.random.default_rng(0).normal(5.0, 1.0, 40)])
    mixture = Mixture(Gaussian(model=Full(lowest=0.01)), 2, random_state=0).fit(x)
    assert mixture.components_.covariance.min() == pytest.approx(0.01)
    assert not mixture.events_


@pytest.mark.parametrize("bounds", [{"lowest": -1.0}, {"lowest": 2.0, "highest": 1.0}, {"highest": 0.0}])
def test_bad_bounds(bounds):
    with pytest.raises(InvalidParameterError, match="variances are bounded from"):
        Full(**bounds)
    with pytest.raises(InvalidParameterError, match="would break its shapes"):
        EEV(lowest=0.1)
