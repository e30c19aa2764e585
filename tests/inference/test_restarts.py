"""Starts: every one is recorded and can be made again, spurious ones do not win, given ones are taken."""

import numpy as np
import pytest
import scipy.sparse as sp

import mixtura
from mixtura.inference.initialize import PARTITIONS, gaussian_embeddings, soften
from mixtura.inference.restarts import StartResult, best_of
from mixtura.inference.stopping import Reason


@pytest.fixture
def rows(rng):
    centres = np.array([[0, 0], [6, 0], [0, 6], [6, 6]])
    return centres[rng.integers(0, 4, 300)] + rng.normal(size=(300, 2))


def test_every_start_is_recorded_with_objective_reason_and_seed(rows):
    model = mixtura.GaussianMixture(4, init_params="random_from_data", n_init=6, random_state=3).fit(rows)
    assert len(model.starts_) == 6
    assert len({start.seed for start in model.starts_}) == 6
    best = model.starts_[model.best_start_]
    assert best.objective == max(start.objective for start in model.starts_) == model.lower_bound_
    for start in model.starts_:
        assert start.reason == "converged"
        assert start.history[-1] == start.objective
        assert len(start.history) == start.n_iter + 1
        assert start.name == "random_from_data"


def test_the_sieve_records_screened_starts_and_ends_at_the_best(rows):
    model = mixtura.GaussianMixture(4, random_state=0).fit(rows)
    reasons = [start.reason for start in model.starts_]
    assert len(reasons) >= 20
    assert "screened" in reasons
    ended = [start.objective for start in model.starts_ if start.reason == "converged"]
    assert model.lower_bound_ == max(ended)


def test_the_same_seed_gives_the_same_fit_and_another_seed_other_starts(rows):
    a, b, c = (mixtura.GaussianMixture(4, n_init=2, random_state=seed).fit(rows) for seed in (5, 5, 6))
    np.testing.assert_array_equal(a.means_, b.means_)
    assert [start.seed for start in a.starts_] == [start.seed for start in b.starts_]
    assert [start.seed for start in a.starts_] != [start.seed for start in c.starts_]


def test_long_parallel_clusters_are_found_from_twenty_of_twenty_seeds():
    """k-means on raw columns cannot find them; whitened columns show them at once."""
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal((0, centre), (20, 0.3), (500, 2)) for centre in (-1.5, 1.5)])
    found = [mixtura.GaussianMixture(2, random_state=seed).fit(x).lower_bound_ for seed in range(20)]
    assert min(found) == pytest.approx(max(found), abs=1e-3)  # tol=1e-5 a row, left by each
    assert min(found) == pytest.approx(-5.32, abs=0.05)  # the optimum for data drawn like this


def test_a_solution_on_a_handful_of_rows_does_not_win():
    """Without a floor a narrow spike has the highest likelihood; it counts as spurious."""
    records = [
        StartResult("spike", 1, 5.0, Reason.CONVERGED, suspects={1: "holds 2 rows"}),
        StartResult("collapsed", 2, -np.inf, Reason.DEGENERATE),
        StartResult("worse", 3, -1.0, Reason.CONVERGED),
        StartResult("better", 4, 0.0, Reason.CONVERGED),
    ]
    fits = ["fit", None, "fit", "fit"]
    assert best_of(list(zip(fits, records, strict=True))) == [3, 2, 0]


def test_suspects_are_found_in_a_fit(rng):
    x = np.concatenate([rng.normal(0, 1, (200, 1)), [[50.0], [50.0 + 1e-9]]])
    model = mixtura.GaussianMixture(2, means_init=[[0], [50]], reg_covar=0.0, on_degenerate="raise").fit(x)
    assert list(model.starts_[0].suspects) == [1]
    assert "smallest eigenvalue" in model.starts_[0].suspects[1]


@pytest.mark.parametrize("rule", ["sieve", *PARTITIONS])
@pytest.mark.parametrize("kind", ["gaussian", "counts", "sparse counts"])
def test_every_rule_starts_every_class(rows, rule, kind):
    counts = np.abs(np.round(rows))
    if kind == "gaussian":
        model = mixtura.GaussianMixture(3, init_params=rule, random_state=0, tol=1e-3).fit(rows)
    else:
        table = sp.csr_matrix(counts) if kind.startswith("sparse") else counts
        model = mixtura.MultinomialMixture(3, init_params=rule, random_state=0, tol=1e-3).fit(table)
    assert np.isfinite(model.lower_bound_)
    assert model.weights_.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("rule", PARTITIONS)
def test_partitions_are_responsibilities(rows, rule, rng):
    weight = np.ones(len(rows))
    weight[:100] = 0.0
    for embedding in gaussian_embeddings(rows, weight):
        resp = PARTITIONS[rule](embedding, weight, 3, rng)
        assert resp.shape == (300, 3)
        np.testing.assert_allclose(resp.sum(axis=1), 1.0)
        assert resp.min() >= 0.0
        np.testing.assert_allclose(soften(resp).sum(axis=1), 1.0)


def test_embeddings_are_centred_and_whitened(rows):
    weight = np.random.default_rng(1).random(len(rows))
    whitened, standardised, centred = gaussian_embeddings(rows * [1.0, 1e6], weight)
    share = weight / weight.sum()
    np.testing.assert_allclose((whitened * share[:, None]).T @ whitened, np.eye(2), atol=1e-8)
    np.testing.assert_allclose(share @ standardised**2, 1.0, rtol=1e-9)
    np.testing.assert_allclose(share @ centred, 0.0, atol=1e-6)


def test_a_given_start_is_the_only_one(rows):
    means = [[0, 0], [6, 0], [0, 6], [6, 6]]
    model = mixtura.GaussianMixture(4, means_init=means, random_state=0).fit(rows)
    assert [start.name for start in model.starts_] == ["given"]
    np.testing.assert_allclose(model.means_, means, atol=0.6)  # three standard errors, in the order given


def test_a_fitted_model_is_a_start_also_for_more_and_fewer_components(rows):
    four = mixtura.GaussianMixture(4, random_state=0).fit(rows)
    again = mixtura.GaussianMixture(4, init_params=four).fit(rows)
    assert again.n_iter_ <= 3
    assert again.lower_bound_ == pytest.approx(four.lower_bound_, abs=1e-4)
    five = mixtura.GaussianMixture(5, init_params=four).fit(rows)
    assert five.n_components_ == 5
    assert five.lower_bound_ >= four.lower_bound_ - 1e-6  # nested
    three = mixtura.GaussianMixture(3, init_params=four).fit(rows)
    assert three.n_components_ == 3


def test_warm_start_goes_on_from_the_last_fit(rows):
    model = mixtura.GaussianMixture(4, random_state=0, warm_start=True).fit(rows)
    first = model.lower_bound_
    model.fit(rows)
    assert model.n_iter_ <= 3
    assert model.lower_bound_ >= first - 1e-9
    assert [start.name for start in model.starts_] == ["given"]


def test_fitting_does_not_touch_the_global_generator(rows):
    np.random.seed(7)  # noqa: NPY002 - this is the generator that must not be touched
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    mixtura.GaussianMixture(2, random_state=0).fit(rows).sample(5)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
