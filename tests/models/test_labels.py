"""Partly known components: the likelihood of what is known, in every class."""

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import norm

from mixtura import BernoulliMixture, GaussianMixture, GroupedMultinomialMixture, Mixture, MultinomialMixture
from mixtura.exceptions import InvalidDataError, InvalidParameterError
from mixtura.families import Poisson
from mixtura.inference.updates import Reseed
from mixtura.structures import Independent, LatentMixture


def overlapping(seed=0, n=300):
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, n)
    return rng.normal(np.array([0.0, 1.5])[label], 1.0)[:, None], label


def test_all_known_is_the_closed_form():
    x, label = overlapping()
    model = GaussianMixture(2, reg_covar=0.0, random_state=0).fit(x, labels=label)
    for k in range(2):
        own = x[label == k, 0]
        assert model.weights_[k] == pytest.approx(own.size / x.size, abs=1e-12)
        assert model.means_[k, 0] == pytest.approx(own.mean(), rel=1e-12)
        assert model.covariances_[k, 0, 0] == pytest.approx(own.var(), rel=1e-9)


def test_the_objective_is_the_likelihood_of_what_is_known():
    x, label = overlapping()
    known = np.where(np.arange(300) % 3 == 0, label, -1)
    model = GaussianMixture(2, reg_covar=0.0, tol=1e-10, max_iter=5000, random_state=0).fit(x, labels=known)
    joint = np.log(model.weights_) + norm.logpdf(x, model.means_.T[0], np.sqrt(model.covariances_[:, 0, 0]))
    evidence = np.where(known < 0, logsumexp(joint, axis=1), joint[np.arange(300), np.maximum(known, 0)])
    assert model.lower_bound_ == pytest.approx(evidence.mean(), rel=1e-10)
    assert np.all(np.diff(model.lower_bounds_) > -1e-12)
    assert np.argmax(model.means_) == label[np.argmax(label)]  # component 1 is the right-hand one


def test_labels_name_the_components_whatever_the_start():
    rng = np.random.default_rng(1)
    centres = np.array([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0], [9.0, 9.0]])
    label = rng.integers(0, 4, 400)
    x = centres[label] + rng.normal(size=(400, 2))
    known = np.where(rng.random(400) < 0.05, label, -1)
    for init in ("sieve", "kmeans", "random_from_data"):
        model = GaussianMixture(4, init_params=init, random_state=3).fit(x, labels=known)
        np.testing.assert_allclose(model.means_, centres, atol=0.4)


def test_sets_of_labels_and_unknown_ones():
    rng = np.random.default_rng(2)
    label = rng.integers(0, 3, 300)
    x = rng.poisson(np.array([[1.0, 8.0], [8.0, 1.0], [8.0, 8.0]])[label]).astype(float)
    allowed = np.ones((300, 3), dtype=bool)
    allowed[:60, :] = np.arange(3) == label[:60, None]
    allowed[60:120] = np.arange(3) != ((label[60:120] + 1) % 3)[:, None]
    model = Mixture(Poisson(), 3, random_state=0).fit(x, labels=allowed)
    np.testing.assert_allclose(model.components_.mean, [[1, 8], [8, 1], [8, 8]], rtol=0.25)
    free = Mixture(Poisson(), 3, random_state=0).fit(x)
    same = Mixture(Poisson(), 3, random_state=0).fit(x, labels=np.full(300, np.nan))
    np.testing.assert_array_equal(free.components_.mean, same.components_.mean)


@pytest.mark.parametrize("cls", [BernoulliMixture, MultinomialMixture])
def test_fused_kernels_stand_back(cls):
    rng = np.random.default_rng(4)
    label = rng.integers(0, 2, 200)
    shares = np.array([[0.9, 0.1, 0.5], [0.1, 0.9, 0.5]])
    x = (rng.random((200, 3)) < shares[label]).astype(float)
    x[:, 2] = 1.0
    model = cls(2, random_state=0).fit(x, labels=np.where(label == 1, 1, -1))
    assert np.mean(model.predict(x)[label == 1] == 1) > 0.7
    assert model.weights_[1] > 0.4


@pytest.mark.parametrize("concentration", ["learn", 0, 5.0, np.inf])
def test_rows_of_groups(concentration):
    rng = np.random.default_rng(6)
    group = rng.integers(0, 40, 600)
    label = (rng.random(600) < rng.beta(1.0, 1.0, 40)[group]).astype(int)
    shares = np.array([[0.6, 0.3, 0.1], [0.2, 0.3, 0.5]])
    x = np.stack([rng.multinomial(6, shares[one]) for one in label]).astype(float)
    known = np.where(rng.random(600) < 0.2, label, -1)
    model = GroupedMultinomialMixture(2, concentration=concentration, random_state=0).fit(
        x, groups=group, labels=known
    )
    np.testing.assert_allclose(model.profiles_, shares, atol=0.08)
    assert np.all(np.diff(model.lower_bounds_) > -1e-9)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros(3), r"labels has shape \(3,\); expected \(300,\)"),
        (np.full(300, 2), r"labels\[0\] is 2; expected the number of a component, 0 to 1"),
        (np.full(300, 0.5), r"labels\[0\] is 0.5"),
        (np.full(300, "a"), "expected numbers of components"),
        (np.full((300, 2), 2), r"labels\[0, 0\] is .*expected True"),
        (np.zeros((300, 2)), r"labels\[0\] allows no component"),
    ],
)
def test_bad_labels(labels, message):
    x, _ = overlapping()
    with pytest.raises(InvalidDataError, match=message):
        GaussianMixture(2).fit(x, labels=labels)


def test_dropping_components_does_not_go_with_labels():
    x, label = overlapping()
    with pytest.raises(InvalidParameterError, match="labels name components by number"):
        GaussianMixture(2, on_degenerate="drop").fit(x, labels=label)


def test_a_reseeded_component_leaves_the_numbers_of_the_others():
    from mixtura.components import Gaussian
    from mixtura.protocols import Batch, Encoding

    gaussian = Gaussian(np.array([[0.0], [50.0], [5.0]]), np.ones((3, 1, 1)))
    model = LatentMixture(gaussian, Independent(np.zeros(3)), Encoding(1))
    x = np.concatenate([np.linspace(-1, 1, 20), np.linspace(4, 6, 40)])[None]
    stats = model.summarize(Batch(x, np.ones(60)), {})
    repaired = Reseed().repair(model, stats, np.array([1]))
    new = repaired.model.maximize(repaired.stats)
    assert new.components.mean[0, 0] == pytest.approx(0.0, abs=1e-2)
    assert (new.components.mean[1:, 0] > 4).all()
