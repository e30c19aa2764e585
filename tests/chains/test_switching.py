"""Switching linear dynamical systems: brute force over all paths of regimes, bounds, steps, and what the protocol asks for."""

import numpy as np
import pytest

from mixtura.chains.switching import SwitchingChain
from mixtura.chains.switching_parts import First, Look, Motions
from mixtura.chains.tridiagonal import moments
from mixtura.executors import Serial
from mixtura.inference.driver import run
from mixtura.inference.stopping import Stopping
from mixtura.inference.updates import Maximization
from mixtura.kernels import without_kernels
from mixtura.protocols import Batch
from mixtura.structures import Markov
from oracles_switching import exact, path_evidence

FLOOR = 1e-9


def chain_of(rng, n_regimes, size, n_columns):
    turns = [0.8 * np.linalg.qr(rng.normal(size=(size, size)))[0] for _ in range(n_regimes)]
    dynamics = np.concatenate([np.stack(turns), rng.normal(size=(n_regimes, size, 1))], axis=2)
    roots = rng.normal(size=(n_regimes, size, size))
    return SwitchingChain(
        Markov(rng.dirichlet(np.ones(n_regimes)), rng.dirichlet(np.ones(n_regimes), size=n_regimes)),
        Motions(dynamics, roots @ roots.transpose(0, 2, 1) + 0.1 * np.eye(size), FLOOR),
        Look(
            rng.normal(size=(n_columns, size + 1)),
            rng.uniform(0.3, 1.0, size=n_columns),
            np.full(n_columns, FLOOR),
        ),
        First(rng.normal(size=size), np.eye(size), FLOOR),
    )


def parameters(chain):
    return (
        chain.motions.dynamics,
        chain.motions.covariances,
        chain.look.loadings,
        chain.look.variances,
        chain.first.mean,
        chain.first.covariance,
    )


def rows(rng, n_rows, n_columns, gaps=0):
    x = 2.0 * rng.normal(size=(n_rows, n_columns))
    x.ravel()[rng.choice(x.size, gaps, replace=False)] = np.nan
    return x


def batch_of(*tables, weight=None):
    lengths = [len(table) for table in tables]
    weights = np.ones(len(tables)) if weight is None else np.asarray(weight, dtype=float)
    return Batch(
        np.concatenate(tables).T, np.repeat(weights, lengths), np.concatenate([[0], np.cumsum(lengths)])
    )


# --- block tridiagonal chains -------------------------------------------------------------------------------------
def test_moments_are_those_of_the_dense_inverse(rng):
    n_rows, size, offsets = 7, 3, np.array([0, 4, 7])
    below = 0.3 * rng.normal(size=(n_rows, size, size))
    diagonal = np.eye(size) * 4.0 + 0.2 * np.ones((size, size)) + np.zeros((n_rows, 1, 1))
    linear = rng.normal(size=(n_rows, size))
    found = moments(diagonal, below, linear, offsets)
    for unit, (start, stop) in enumerate([(0, 4), (4, 7)]):
        length = stop - start
        whole = np.zeros((length * size,) * 2)
        for t in range(length):
            here = slice(t * size, (t + 1) * size)
            whole[here, here] = diagonal[start + t]
            if t:
                before = slice((t - 1) * size, t * size)
                whole[here, before], whole[before, here] = below[start + t], below[start + t].T
        inverse, pull = np.linalg.inv(whole), linear[start:stop].ravel()
        log = 0.5 * (pull @ inverse @ pull - np.linalg.slogdet(whole)[1] + length * size * np.log(2 * np.pi))
        assert found.log_normalizer[unit] == pytest.approx(log, rel=1e-12)
        np.testing.assert_allclose(found.mean[start:stop].ravel(), inverse @ pull, atol=1e-12)
        for t in range(length):
            here = slice(t * size, (t + 1) * size)
            np.testing.assert_allclose(found.covariance[start + t], inverse[here, here], atol=1e-12)
            lagged = inverse[here, (t - 1) * size : t * size] if t else np.zeros((size, size))
            np.testing.assert_allclose(found.lagged[start + t], lagged, atol=1e-12)


def test_compiled_covariances_equal_the_plain_ones(rng):
    n_rows, size = 600, 3  # shorter chains are not compiled for
    below = 0.3 * rng.normal(size=(n_rows, size, size))
    parts = 4.0 * np.eye(size) + np.zeros((n_rows, 1, 1)), below, rng.normal(size=(n_rows, size))
    fast = moments(*parts, np.array([0, 250, 600]))
    with without_kernels():
        plain = moments(*parts, np.array([0, 250, 600]))
    np.testing.assert_allclose(fast.covariance, plain.covariance, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(fast.lagged, plain.lagged, rtol=1e-12, atol=1e-15)


# --- evidence -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("size", "n_columns"), [(1, 1), (2, 2), (2, 1), (1, 3)])
def test_one_regime_is_exact(rng, size, n_columns):
    chain, x = chain_of(rng, 1, size, n_columns), rows(rng, 8, n_columns, gaps=2)
    expected = path_evidence([0] * 8, *parameters(chain), x)
    assert chain.infer(batch_of(x)).bound[0] == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize(("n_regimes", "size", "n_columns"), [(2, 1, 1), (2, 2, 2), (3, 1, 2)])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_bound_is_below_the_evidence_of_all_paths(n_regimes, size, n_columns, seed):
    rng = np.random.default_rng(seed)
    chain, x = chain_of(rng, n_regimes, size, n_columns), rows(rng, 5, n_columns, gaps=1)
    evidence, _ = exact(chain.regimes.initial, chain.regimes.transition, *parameters(chain), x)
    bound = chain.infer(batch_of(x)).bound[0]
    assert evidence - 5.0 < bound < evidence


def test_where_all_regimes_are_alike_the_bound_is_exact(rng):
    chain, x = chain_of(rng, 1, 2, 2), rows(rng, 6, 2)
    alike = chain.take([0, 0, 0])
    one = chain.infer(batch_of(x)).bound[0]
    assert alike.infer(batch_of(x)).bound[0] == pytest.approx(one, rel=1e-10)


def test_regimes_told_apart_by_far_are_nearly_exact(rng):
    chain = chain_of(rng, 2, 1, 1)
    dynamics = np.array([[[0.9, 5.0]], [[0.9, -5.0]]])
    chain = SwitchingChain(
        Markov(np.full(2, 0.5), np.full((2, 2), 0.5)),
        Motions(dynamics, np.full((2, 1, 1), 0.1), FLOOR),
        Look(np.array([[1.0, 0.0]]), np.array([0.1]), np.full(1, FLOOR)),
        chain.first,
    )
    x = np.array([[0.0], [5.0], [9.5], [3.6], [-1.8], [3.4]])
    evidence, regimes = exact(np.full(2, 0.5), np.full((2, 2), 0.5), *parameters(chain), x)
    found = chain.infer(batch_of(x))
    assert found.bound[0] == pytest.approx(evidence, abs=1e-6)
    np.testing.assert_allclose(found.regimes, regimes, atol=1e-6)


# --- steps --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("known", [False, True])
def test_the_bound_never_falls(rng, known):
    chain = chain_of(rng, 3, 2, 2)
    chain = SwitchingChain(
        chain.regimes,
        chain.motions,
        Look(chain.look.loadings, chain.look.variances, chain.look.floors, known),
        chain.first,
    )
    batch = batch_of(rows(rng, 60, 2, gaps=9), rows(rng, 25, 2))
    result = run(chain, [batch], update=Maximization(), executor=Serial(), stopping=Stopping(0.0, 25))
    assert np.all(np.diff(result.history) > -1e-8)
    assert result.history[-1] > result.history[0] + 10.0
    if known:
        np.testing.assert_array_equal(result.model.look.loadings[:, :-1], chain.look.loadings[:, :-1])
        assert np.any(result.model.look.loadings[:, -1] != chain.look.loadings[:, -1])


def test_the_m_step_is_a_maximum(rng):
    chain, batch = chain_of(rng, 2, 2, 2), batch_of(rows(rng, 40, 2, gaps=5))
    stats = chain.summarize(batch, {})
    best = chain.maximize(stats)
    assert best.exact
    assert best.penalty() == 0.0
    top, vector = best.expected_log_prob(stats), best.coordinates()
    for _ in range(20):
        other = best.from_coordinates(vector + 0.02 * rng.normal(size=vector.size))
        assert other.expected_log_prob(stats) < top
    again = best.from_coordinates(vector)
    assert again.expected_log_prob(stats) == pytest.approx(top, rel=1e-9)


def test_truth_is_found_from_its_neighbourhood():
    rng = np.random.default_rng(4)

    def turn(angle):
        return 0.98 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])

    turns, regimes, z = [turn(0.1), turn(0.7)], np.zeros(500, dtype=int), np.zeros((500, 2))
    for t in range(1, 500):
        regimes[t] = regimes[t - 1] if rng.uniform() < 0.98 else 1 - regimes[t - 1]
        z[t] = turns[regimes[t]] @ z[t - 1] + 0.2 * rng.normal(size=2)
    x = z + 0.1 * rng.normal(size=z.shape)
    start = SwitchingChain(
        Markov(np.full(2, 0.5), np.array([[0.9, 0.1], [0.1, 0.9]])),
        Motions(
            np.stack([np.column_stack([turn(a), np.zeros(2)]) for a in (0.2, 0.5)]),
            np.stack([0.1 * np.eye(2)] * 2),
            FLOOR,
        ),
        Look(np.column_stack([np.eye(2), np.zeros(2)]), np.full(2, 0.1), np.full(2, FLOOR), known=True),
        First(np.zeros(2), np.eye(2), FLOOR),
    )
    result = run(start, [batch_of(x)], update=Maximization(), executor=Serial(), stopping=Stopping(1e-5, 100))
    found = result.memory[0]["regimes"].argmax(axis=0)
    assert np.mean(found == regimes) > 0.97
    # Some 250 steps a regime with states of variance one: standard errors of about 0.02.
    for k in range(2):
        np.testing.assert_allclose(result.model.motions.dynamics[k, :, :2], turns[k], atol=0.08)
    np.testing.assert_allclose(result.model.regimes.transition.diagonal(), 0.98, atol=0.02)


# --- sums ---------------------------------------------------------------------------------------------------------
def test_weights_are_repeated_sequences_and_batches_add(rng):
    chain = chain_of(rng, 2, 2, 2)
    first, second = rows(rng, 12, 2), rows(rng, 9, 2, gaps=3)
    weighted = chain.summarize(batch_of(first, second, weight=[2.0, 1.0]), {})
    # Sequences of a batch end their turns together, so laws of batches agree to what a turn gains at the end.
    added = chain.summarize(batch_of(first, weight=[2.0]), {}) + chain.summarize(batch_of(second), {})
    repeated = chain.summarize(batch_of(first, first, second), {})
    for other in (added, repeated):
        assert weighted.log_evidence == pytest.approx(other.log_evidence, abs=1e-4)
        assert weighted.weight == other.weight == 33.0
        for name in weighted.sums:
            np.testing.assert_allclose(weighted[name], other[name], rtol=0.02, atol=0.02, err_msg=name)


def test_rows_that_were_not_seen_say_nothing(rng):
    chain, x = chain_of(rng, 2, 2, 2), rows(rng, 12, 2)
    seen = np.arange(12) % 4 > 0
    batch = batch_of(x)
    hidden = Batch(batch.x, batch.sample_weight, batch.unit_offsets, seen=seen)
    gaps = batch_of(np.where(seen[:, None], x, np.nan))
    assert chain.infer(hidden).bound[0] == chain.infer(gaps).bound[0]
    nothing = batch_of(np.full((5, 2), np.nan))
    assert chain.infer(nothing).bound[0] <= 1e-9  # log of one, or a bound of it


def test_a_permutation_of_the_regimes_is_the_same_law(rng):
    chain, batch = chain_of(rng, 3, 1, 2), batch_of(rows(rng, 15, 2))
    found, turned = chain.infer(batch), chain.take([2, 0, 1]).infer(batch)
    assert found.bound[0] == pytest.approx(turned.bound[0], rel=1e-9)
    np.testing.assert_allclose(found.regimes[[2, 0, 1]], turned.regimes, atol=1e-6)


def test_halves_of_a_regime_are_the_whole(rng):
    chain, batch = chain_of(rng, 2, 1, 2), batch_of(rows(rng, 30, 2))
    stats = chain.summarize(batch, {})
    halves = chain.take([0, 1, 0]).maximize(chain.split(stats, 0))
    whole = chain.maximize(stats)
    np.testing.assert_allclose(halves.motions.dynamics, whole.motions.dynamics[[0, 1, 0]], rtol=1e-9)
    assert halves.infer(batch).bound[0] == pytest.approx(whole.infer(batch).bound[0], abs=1e-3)


def test_a_regime_without_steps_stays_as_it_is(rng):
    chain, batch = chain_of(rng, 2, 1, 1), batch_of(rows(rng, 10, 1))
    stats = chain.summarize(batch, {})
    for name in ("moves", "now", "cross", "before"):
        stats[name][1] = 0.0
    found = chain.maximize(stats)
    np.testing.assert_array_equal(found.motions.dynamics[1], chain.motions.dynamics[1])
    assert np.any(found.motions.dynamics[0] != chain.motions.dynamics[0])
