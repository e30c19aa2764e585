"""Model-based agglomeration: against loops that evaluate every union afresh, and what must not change its parts."""

import numpy as np
import pytest
import scipy.sparse as sp

import oracles_agglomeration as oracle
from mixtura import GaussianMixture, MultinomialMixture
from mixtura.exceptions import InvalidParameterError
from mixtura.inference import agglomeration
from mixtura.inference.agglomeration import agglomerated, balanced, join_by_rows, labels_of_parts
from mixtura.inference.initialize import PARTITIONS
from mixtura.kernels.registry import compiled, without_kernels

pytestmark = pytest.mark.filterwarnings("ignore::mixtura.exceptions.StartsDisagreeWarning")


def parts_of(labels):
    return [list(np.flatnonzero(labels == k)) for k in range(labels.max() + 1)]


def by_numba(points, counts, n_components):
    join = compiled("mixtura.kernels.agglomeration", "join")
    assert join is not None
    centred = points - counts @ points / counts.sum()
    constant = counts @ (centred**2).mean(axis=1) / counts.sum()
    return np.unique(join(centred, counts, constant, n_components), return_inverse=True)[1]


@pytest.mark.parametrize("join", [labels_of_parts, by_numba])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_directions", [1, 2, 3])
@pytest.mark.parametrize("seed", range(3))
def test_the_cheapest_union_every_time(join, weighted, n_directions, seed):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(12, n_directions)) @ rng.normal(size=(n_directions, n_directions))
    counts = rng.integers(1, 4, size=12).astype(float) if weighted else np.ones(12)
    for n_components in (1, 2, 3, 5, 8):
        expected = oracle.join(points.tolist(), counts.tolist(), n_components)
        assert parts_of(join(points, counts, n_components)) == expected


@pytest.mark.parametrize(("n", "d"), [(400, 1), (300, 4), (120, 20)])
def test_compiled_joining_is_the_same(n, d):
    rng = np.random.default_rng(d)
    points = rng.normal(size=(n, d)) * np.arange(1, d + 1) + np.where(rng.random((n, 1)) < 0.3, 4.0, 0.0)
    counts = rng.integers(1, 3, size=n).astype(float)
    for n_components in (2, 5):
        with without_kernels():
            expected = labels_of_parts(points, counts, n_components)
        np.testing.assert_array_equal(by_numba(points, counts, n_components), expected)


def test_large_tables_are_joined_by_the_compiled_kernel(monkeypatch, rng):
    monkeypatch.setattr(agglomeration, "_WORTH", 1)
    monkeypatch.setattr(agglomeration, "join_by_rows", None)  # calling it would raise
    points = rng.normal(size=(30, 2))
    assert labels_of_parts(points, np.ones(30), 3).max() == 2


def test_weights_equal_repeated_rows_in_any_unit(rng):
    rows = rng.normal(size=(60, 3)) * [1.0, 2.0, 5.0]
    rows[:20] += 6.0
    times = rng.integers(1, 5, size=60)
    repeated = agglomerated(np.repeat(rows, times, axis=0), np.ones(times.sum()), 4, rng)
    first = np.r_[0, np.cumsum(times)[:-1]]
    for unit in (1.0, 1e-3, 1e4):
        np.testing.assert_array_equal(agglomerated(rows, unit * times, 4, rng), repeated[first])
    assert np.array_equal(np.repeat(repeated[first], times), repeated)


def test_order_and_place_and_unit_of_rows_do_not_matter(rng):
    rows = rng.normal(size=(80, 2)) + np.where(rng.random((80, 1)) < 0.5, 5.0, 0.0)
    labels = agglomerated(rows, np.ones(80), 3, rng)
    order = rng.permutation(80)
    for other, back in ((rows[order], order), (rows + 100.0, np.arange(80)), (-rows, np.arange(80))):
        found = np.empty(80, dtype=int)
        found[back] = agglomerated(other, np.ones(80), 3, rng)
        assert len({*zip(labels, found, strict=True)}) == 3


def test_a_dense_part_inside_a_wide_one_is_found(rng):
    rows = np.r_[rng.normal(scale=0.3, size=(100, 2)), rng.normal([2.0, 0.0], 3.0, size=(100, 2))]
    rows = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    labels, by_means = (
        agglomerated(rows, np.ones(200), 2, rng),
        PARTITIONS["kmeans"](rows, np.ones(200), 2, rng),
    )
    truth = np.repeat([0, 1], 100)
    assert np.mean(labels == truth) > 0.9
    assert max(np.mean(by_means[:, 0] == truth), np.mean(by_means[:, 1] == truth)) < 0.85


def test_rows_that_are_not_joined_go_to_the_most_probable_part(monkeypatch, rng):
    # One part is narrow, the other wide: the nearest mean would be wrong for rows between them.
    narrow, wide = rng.normal(scale=0.3, size=(300, 2)), rng.normal([14.0, 0.0], 4.0, size=(300, 2))
    rows = np.r_[narrow, wide]
    monkeypatch.setattr(agglomeration, "MOST_ROWS", 150)
    labels = agglomerated(rows, np.ones(600), 2, np.random.default_rng(0))
    assert np.mean(labels == np.repeat([0, 1], 300)) > 0.99
    between = np.abs(rows[300:, 0] - 14.0) > np.abs(rows[300:, 0])
    assert between.sum() >= 10
    assert (labels[300:][between] == 1).mean() > 0.9
    # Rows of weight zero are labelled, but do not count.
    weight = np.where(rng.random(600) < 0.2, 1.0, 0.0)
    alone = agglomerated(rows[weight > 0], np.ones(int(weight.sum())), 2, rng)
    np.testing.assert_array_equal(agglomerated(rows, weight, 2, rng)[weight > 0], alone)


def test_fewer_different_rows_than_parts_and_no_variance(rng):
    rows = np.repeat(rng.normal(size=(3, 2)), 4, axis=0)
    np.testing.assert_array_equal(agglomerated(rows, np.ones(12), 5, rng), np.repeat([0, 1, 2], 4))
    np.testing.assert_array_equal(agglomerated(np.ones((6, 3)), np.ones(6), 2, rng), np.zeros(6))
    assert PARTITIONS["agglomerate"](rows, np.ones(12), 5, rng).sum(axis=0).tolist() == [4, 4, 4, 0, 0]


@pytest.mark.parametrize("shape", [(50, 6), (20, 90)])
def test_directions_are_the_singular_ones_for_dense_and_sparse_rows(shape, rng):
    z = np.where(rng.random(shape) < 0.6, 0.0, rng.random(shape))
    weight = rng.random(shape[0]) + 0.5
    directions, mean = balanced(z, weight)
    share = weight / weight.sum()
    assert mean == pytest.approx(share @ z)
    points = (z - mean) @ directions
    # Variances of uncorrelated directions are their standard deviations before: singular values.
    covariance = (points * share[:, None]).T @ points
    singular = np.linalg.svd(np.sqrt(share)[:, None] * (z - mean), compute_uv=False)
    assert covariance == pytest.approx(np.diag(singular[: covariance.shape[0]]), abs=1e-9)
    assert directions.shape[1] == min(shape[1], shape[0] - 1)
    other, _ = balanced(sp.csr_matrix(z), weight)
    assert np.abs(other) == pytest.approx(np.abs(directions), abs=1e-8)


def test_wide_rows_keep_forty_directions(rng):
    assert balanced(rng.normal(size=(100, 60)), np.ones(100))[0].shape == (60, 40)


def test_a_fit_from_it_leaves_nothing_to_chance(rng):
    rows = rng.normal(size=(150, 3)) + rng.integers(0, 3, size=(150, 1)) * 3.0
    first, second = (
        GaussianMixture(3, init_params="agglomerate", random_state=seed).fit(rows) for seed in (0, 1)
    )
    np.testing.assert_array_equal(first.means_, second.means_)
    assert [start.name for start in first.starts_] == ["agglomerate"]


def test_sparse_counts_start_from_it(rng):
    shares = rng.dirichlet(np.full(40, 0.1), size=3)
    counts = sp.csr_matrix(np.array([rng.multinomial(30, shares[i % 3]) for i in range(240)]))
    labels = MultinomialMixture(3, init_params="agglomerate", max_iter=5).fit(counts).predict(counts)
    assert len({*zip(labels, np.arange(240) % 3, strict=True)}) == 3


def test_the_sieve_has_it_as_its_last_start_where_rows_are_few_for_the_columns(rng):
    wide, narrow = rng.normal(size=(90, 8)), rng.normal(size=(90, 2))
    names = [
        [start.name for start in GaussianMixture(2, random_state=0).fit(x).starts_] for x in (wide, narrow)
    ]
    assert names[0][-1] == "agglomerate, embedding 2"
    assert len(names[0]) == 21
    assert not any("agglomerate" in name for name in names[1])


def test_an_unknown_rule_is_told_the_names(rng):
    with pytest.raises(InvalidParameterError, match="agglomerate"):
        GaussianMixture(2, init_params="agglomerated").fit(rng.normal(size=(20, 2)))


def test_the_numpy_path_takes_no_more_than_the_parts_asked_for(rng):
    leader = join_by_rows(rng.normal(size=(10, 2)), np.ones(10), 1.0, 10)
    np.testing.assert_array_equal(leader, np.arange(10))
