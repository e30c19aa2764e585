"""Filter, smoother and evidence of a linear dynamical system against the joint Gaussian of all states and rows."""

import numpy as np
import pytest

from mixtura.chains import Joseph, KnownInitial, LinearGaussianChain, SquareRoot, Steps, System
from mixtura.kernels import without_kernels
from mixtura.protocols import Batch
from oracles_linear_gaussian import conditional, expected_moments, level_smoother


def covariance(rng, n, scale=1.0):
    half = rng.normal(size=(n, n + 1))
    return scale * half @ half.T / n


def random_system(seed, n_states=3, n_features=2, n_inputs=0):
    rng = np.random.default_rng(seed)
    transition = rng.normal(size=(n_states, n_states))
    transition *= 0.9 / np.abs(np.linalg.eigvals(transition)).max()
    return System.of(
        transition,
        rng.normal(size=(n_features, n_states)),
        covariance(rng, n_states, 0.5),
        covariance(rng, n_features, 0.3),
        initial_mean=rng.normal(size=n_states),
        initial_covariance=covariance(rng, n_states),
        state_bias=rng.normal(size=n_states),
        observation_bias=rng.normal(size=n_features),
        state_inputs=rng.normal(size=(n_states, n_inputs)),
        observation_inputs=rng.normal(size=(n_features, n_inputs)),
    )


def random_batch(seed, lengths, n_features=2, n_inputs=0, missing=0.0, weights=None):
    rng = np.random.default_rng(seed)
    n_rows = sum(lengths)
    x = rng.normal(size=(n_features, n_rows)) * 2.0
    x[rng.random(x.shape) < missing] = np.nan
    weights = np.ones(len(lengths)) if weights is None else np.asarray(weights)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    inputs = rng.normal(size=(n_inputs, n_rows)) if n_inputs else None
    return Batch(x, np.repeat(weights, lengths), offsets, covariates=inputs)


CASES = {
    "one sequence": ((0, 3, 2, 0), (0, [9], 2, 0, 0.0)),
    "missing cells": ((1, 2, 3, 0), (1, [8], 3, 0, 0.4)),
    "inputs, several sequences": ((2, 3, 2, 2), (2, [4, 1, 6], 2, 2, 0.25)),
    "more columns than states": ((3, 1, 4, 1), (3, [5, 2], 4, 1, 0.3)),
}
NAMES = ("transition", "state_noise", "observation", "observation_noise")
FORMS = {"steady": Joseph(), "full": Joseph(steady=False), "square root": SquareRoot()}


@pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "plain"])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_filter_and_smoother_are_those_of_the_joint_gaussian(case, form, compiled):
    system, batch = random_system(*case[0]), random_batch(*case[1])
    chain = LinearGaussianChain(system, form=form)
    with_or_without = without_kernels() if not compiled else np.errstate()
    with with_or_without:
        filtered, smoothed = chain.filter(batch), chain.smooth(batch)
    for begin, end in zip(batch.unit_offsets[:-1], batch.unit_offsets[1:], strict=True):
        rows = batch.x.T[begin:end]
        inputs = None if batch.covariates is None else batch.covariates.T[begin:end]
        mean, spread, log_prob = conditional(system, rows, inputs)
        np.testing.assert_allclose(smoothed.mean[begin:end], mean, atol=1e-10)
        np.testing.assert_allclose(filtered.log_prob[begin:end].sum(), log_prob, rtol=1e-10)
        for t in range(end - begin):
            np.testing.assert_allclose(smoothed.covariance[begin + t], spread[t, :, t], atol=1e-10)
            if t:
                np.testing.assert_allclose(smoothed.lagged[begin + t], spread[t, :, t - 1], atol=1e-10)
            else:
                assert not smoothed.lagged[begin].any()
            now, known, _ = conditional(system, rows, inputs, given=t + 1)
            np.testing.assert_allclose(filtered.mean[begin + t], now[t], atol=1e-10)
            np.testing.assert_allclose(filtered.covariance[begin + t], known[t, :, t], atol=1e-10)
            before, known, _ = conditional(system, rows, inputs, given=t)
            np.testing.assert_allclose(filtered.predicted_mean[begin + t], before[t], atol=1e-10)
            np.testing.assert_allclose(filtered.predicted_covariance[begin + t], known[t, :, t], atol=1e-10)


def test_the_sums_are_those_of_the_joint_gaussian():
    system = random_system(5, 2, 2, 1)
    batch = random_batch(5, [4, 7], 2, 1, 0.2, weights=[2.0, 0.5])
    stats = LinearGaussianChain(system).summarize(batch, {})
    expected = [np.zeros((2, 2)) for _ in range(3)]
    for weight, begin, end in ((2.0, 0, 4), (0.5, 4, 11)):
        mean, spread, _ = conditional(system, batch.x.T[begin:end], batch.covariates.T[begin:end])
        parts = expected_moments(mean, spread)
        expected = [total + weight * part for total, part in zip(expected, parts, strict=True)]
    for name, value in zip(("moves_zz", "moves_zp", "moves_pp"), expected, strict=True):
        np.testing.assert_allclose(stats[name], value, atol=1e-10)
    assert stats.weight == 2.0 * 4 + 0.5 * 7


def test_a_level_is_the_recursion_over_numbers():
    rows = [1.0, 2.5, None, 0.5, 3.0]
    filtered, smoothed, log_prob = level_smoother(rows, 0.4, 1.5, 0.2, 3.0)
    one = np.ones((1, 1))
    system = System.of(one, one, 0.4 * one, 1.5 * one, initial_mean=[0.2], initial_covariance=3.0 * one)
    batch = Batch(np.array([[np.nan if x is None else x for x in rows]]), np.ones(5), np.array([0, 5]))
    chain = LinearGaussianChain(system, initial=KnownInitial())
    np.testing.assert_allclose(chain.filter(batch).mean[:, 0], [m for m, _ in filtered], atol=1e-12)
    np.testing.assert_allclose(chain.smooth(batch).mean[:, 0], [m for m, _ in smoothed], atol=1e-12)
    np.testing.assert_allclose(chain.smooth(batch).covariance[:, 0, 0], [v for _, v in smoothed], atol=1e-12)
    np.testing.assert_allclose(chain.summarize(batch, {}).log_evidence, log_prob, rtol=1e-12)


def test_rows_not_seen_are_rows_of_missing_cells():
    system, batch = random_system(6), random_batch(6, [12], missing=0.1)
    seen = np.ones(12, dtype=bool)
    seen[[0, 4, 5, 11]] = False
    hidden = np.where(seen, batch.x, np.nan)
    chain = LinearGaussianChain(system)
    by_mask = Batch(batch.x, batch.sample_weight, batch.unit_offsets, seen=seen)
    by_cells = Batch(hidden, batch.sample_weight, batch.unit_offsets)
    for mine, other in zip(chain.smooth(by_mask), chain.smooth(by_cells), strict=True):
        np.testing.assert_array_equal(mine, other)
    left, right = chain.summarize(by_mask, {}), chain.summarize(by_cells, {})
    for name, value in left.sums.items():
        np.testing.assert_array_equal(value, right[name])


def test_steady_is_full_in_a_long_sequence_with_gaps():
    system = random_system(7, 4, 2)
    batch = random_batch(7, [700, 50], missing=0.0)
    batch.x[:, 300:303] = np.nan
    batch.x[0, 500] = np.nan
    quick, full = (LinearGaussianChain(system, form=FORMS[name]) for name in ("steady", "full"))
    flags = quick.filter(batch).kept
    assert (flags == 2).sum() > 300
    assert (flags[303:320] == 0).all()
    for mine, other in zip(quick.filter(batch)[:5], full.filter(batch)[:5], strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-10)
    for mine, other in zip(quick.smooth(batch), full.smooth(batch), strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-10)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_states_without_noise_are_smoothed_too(form):
    """Gamma and V0 are singular: the predicted covariances have no inverse."""
    system = System.of(
        np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, -1.0]]),
        np.array([[1.0, 0.0, 1.0]]),
        np.diag([0.3, 0.0, 0.0]),
        np.array([[0.5]]),
        initial_covariance=np.diag([1.0, 2.0, 0.0]),
        initial_mean=[0.0, 0.0, 1.0],
    )
    batch = random_batch(8, [7], 1)
    mean, spread, log_prob = conditional(system, batch.x.T)
    for context in (np.errstate(), without_kernels()):
        with context:
            smoothed = LinearGaussianChain(system, form=form).smooth(batch)
        np.testing.assert_allclose(smoothed.mean, mean, atol=1e-10)
        for t in range(1, 7):
            np.testing.assert_allclose(smoothed.covariance[t], spread[t, :, t], atol=1e-10)
            np.testing.assert_allclose(smoothed.lagged[t], spread[t, :, t - 1], atol=1e-10)
    chain = LinearGaussianChain(system, form=form)
    np.testing.assert_allclose(chain.summarize(batch, {}).log_evidence, log_prob)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_systems_that_change_from_row_to_row(form):
    """Two regimes in turn, by number or written out for every row, against the joint law of all states and rows."""
    one, two = random_system(9, 2, 2), random_system(10, 2, 2)
    move, look = np.array([0, 1, 1, 0, 1, 0, 0, 1]), np.array([0, 0, 1, 1, -1, 0, 1, 1])
    n_rows = len(move)
    rest = np.random.default_rng(9).normal(size=(n_rows, 2))
    systems = (one, two)
    stacked = [np.stack([getattr(s, name) for s in systems]) for name in NAMES]
    steps = Steps(
        stacked[0],
        stacked[1],
        move,
        np.stack([systems[k].state_bias for k in move]),
        stacked[2],
        stacked[3],
        look,
        rest,
        np.where(look < 0, 0, 2),
        np.array([0, n_rows]),
        one.initial_mean[None],
        one.initial_covariance[None],
    )
    every, some = np.arange(n_rows), np.where(look < 0, -1, np.arange(n_rows))
    written_out = steps._replace(
        transition=stacked[0][move],
        noise=stacked[1][move],
        move=every,
        loading=stacked[2][np.maximum(look, 0)],
        error=stacked[3][np.maximum(look, 0)],
        look=some,
    )
    # x = H z + v and L z = e with L block bidiagonal: the precision of the states given the rows.
    pull, precision = np.zeros((n_rows, 2)), np.zeros((n_rows, 2, n_rows, 2))
    start = np.linalg.inv(one.initial_covariance)
    precision[0, :, 0] += start
    pull[0] += start @ one.initial_mean
    for t in range(n_rows):
        if t:
            system = systems[move[t]]
            inner = np.linalg.inv(system.state_noise)
            back = inner @ system.transition
            precision[t, :, t] += inner
            precision[t, :, t - 1] -= back
            precision[t - 1, :, t] -= back.T
            precision[t - 1, :, t - 1] += system.transition.T @ back
            pull[t] += inner @ system.state_bias
            pull[t - 1] -= back.T @ system.state_bias
        if look[t] >= 0:
            system = systems[look[t]]
            seen = system.observation.T @ np.linalg.inv(system.observation_noise)
            precision[t, :, t] += seen @ system.observation
            pull[t] += seen @ rest[t]
    spread = np.linalg.inv(precision.reshape(2 * n_rows, 2 * n_rows))
    mean = (spread @ pull.ravel()).reshape(n_rows, 2)
    spread = spread.reshape(n_rows, 2, n_rows, 2)
    for given in (steps, written_out):
        for context in (np.errstate(), without_kernels()):
            with context:
                filtered = form.filter(given)
                smoothed = form.smooth(given, filtered)
            np.testing.assert_allclose(smoothed.mean, mean, atol=1e-10)
            for t in range(n_rows):
                np.testing.assert_allclose(smoothed.covariance[t], spread[t, :, t], atol=1e-10)
                if t:
                    np.testing.assert_allclose(smoothed.lagged[t], spread[t, :, t - 1], atol=1e-10)
