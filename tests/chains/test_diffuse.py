"""Exact diffuse initialisation against the dense Gaussian, large variances, and itself without kernels."""

import numpy as np
import pytest

from mixtura.chains.diffuse import StateSpace, filtered, smoothed
from mixtura.kernels import without_kernels
from oracles_structural import dense


def random_system(rng, n_rows, n_columns, size, unknown, *, varying):
    """Design, noise, transition, state noise, spread, mean and known covariance."""
    design = rng.normal(size=(n_rows if varying else 1, n_columns, size))
    root = rng.normal(size=(n_columns, n_columns))
    state_root = rng.normal(size=(size, max(size - 1, 1)))  # singular where it can be
    known_root = rng.normal(size=(size, size))
    transition = 0.9 * np.linalg.qr(rng.normal(size=(size, size)))[0]
    spread = rng.normal(size=(unknown, size))
    return StateSpace(
        design,
        root @ root.T + 0.1 * np.eye(n_columns),
        transition,
        state_root @ state_root.T,
        spread,
        rng.normal(size=size),
        known_root @ known_root.T,
    )


def observations(rng, n_rows, n_columns, share):
    y = 3.0 * rng.normal(size=(n_rows, n_columns))
    y[rng.uniform(size=y.shape) < share] = np.nan
    return y


CASES = [(1, 1, 1, False), (1, 3, 2, True), (2, 3, 3, False), (3, 2, 2, True), (2, 4, 1, False)]


@pytest.mark.parametrize(("n_columns", "size", "unknown", "varying"), CASES)
@pytest.mark.parametrize("share", [0.0, 0.4])
def test_evidence_and_states_are_those_of_the_dense_gaussian(rng, n_columns, size, unknown, varying, share):
    n_rows = 9
    system = random_system(rng, n_rows, n_columns, size, unknown, varying=varying)
    y = observations(rng, n_rows, n_columns, share)
    found = smoothed(system, y)
    design = np.broadcast_to(system.design, (n_rows, n_columns, size))
    evidence, mean, covariance = dense(
        design,
        system.noise,
        system.transition,
        system.state_noise,
        system.spread,
        y,
        system.mean,
        system.known,
    )
    assert found.filter.left[-1] == 0
    # Inverses of matrices with condition numbers up to 1e4 on the oracle's side.
    assert found.filter.log_evidence == pytest.approx(evidence, abs=1e-9)
    np.testing.assert_allclose(found.mean, mean, atol=1e-9)
    np.testing.assert_allclose(found.covariance, covariance, atol=1e-9)


def test_missing_rows_while_states_are_unknown(rng):
    system = random_system(rng, 12, 1, 3, 3, varying=True)
    y = observations(rng, 12, 1, 0.0)
    y[[0, 2, 3, 5, 9], 0] = np.nan
    found = smoothed(system, y)
    np.testing.assert_array_equal(found.filter.left, [3, 3, 2, 2, 2, 1, 1, 0, 0, 0, 0, 0, 0])
    evidence, mean, covariance = dense(
        system.design,
        system.noise,
        system.transition,
        system.state_noise,
        system.spread,
        y,
        system.mean,
        system.known,
    )
    assert found.filter.log_evidence == pytest.approx(evidence, abs=1e-9)
    np.testing.assert_allclose(found.mean, mean, atol=1e-9)
    np.testing.assert_allclose(found.covariance, covariance, atol=1e-9)


def test_a_large_variance_comes_close(rng):
    system = random_system(rng, 10, 2, 3, 2, varying=False)
    y = observations(rng, 10, 2, 0.2)
    exact = smoothed(system, y)
    kappa = 1e5
    proper = StateSpace(
        system.design,
        system.noise,
        system.transition,
        system.state_noise,
        np.empty((0, 3)),
        system.mean,
        system.known + kappa * system.spread.T @ system.spread,
    )
    close = smoothed(proper, y)
    constant = 0.5 * 2 * np.log(2 * np.pi * kappa)  # the density of two directions at their mode
    # The next term of the expansion is of order 1 / kappa, times what little the rows tell of the unknown directions.
    assert close.filter.log_evidence + constant == pytest.approx(exact.filter.log_evidence, abs=1e-3)
    np.testing.assert_allclose(close.mean, exact.mean, atol=1e-3)
    np.testing.assert_allclose(close.covariance, exact.covariance, atol=1e-3)
    np.testing.assert_allclose(close.noise_pull, exact.noise_pull, atol=1e-3)
    np.testing.assert_allclose(close.state_told, exact.state_told, atol=1e-3)


def test_nothing_unknown_is_the_dense_gaussian_itself(rng):
    system = random_system(rng, 6, 2, 2, 0, varying=True)
    y = observations(rng, 6, 2, 0.3)
    found = smoothed(system, y)
    evidence, mean, _ = dense(
        system.design,
        system.noise,
        system.transition,
        system.state_noise,
        system.spread,
        y,
        system.mean,
        system.known,
    )
    assert found.filter.log_evidence == pytest.approx(evidence, abs=1e-10)
    np.testing.assert_allclose(found.mean, mean, atol=1e-10)


@pytest.mark.slow  # compiling takes ten seconds and more where it was not done before
@pytest.mark.parametrize("n_columns", [1, 2])
def test_compiled_passes_equal_the_plain_ones(rng, n_columns):
    system = random_system(rng, 400, n_columns, 3, 2, varying=True)  # shorter series are not compiled for
    y = observations(rng, 400, n_columns, 0.3)
    fast = smoothed(system, y)
    with without_kernels():
        plain = smoothed(system, y)
    for name, one in fast.filter._asdict().items():
        np.testing.assert_allclose(one, getattr(plain.filter, name), rtol=1e-9, atol=1e-11, err_msg=name)
    for mine, other in zip(fast[1:-1], plain[1:-1], strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-9)
    # The first states' covariances are small differences of large ones where a row tells little of an unknown direction.
    np.testing.assert_allclose(fast.covariance, plain.covariance, rtol=1e-9, atol=1e-4)


def test_an_impossible_value_has_no_probability():
    still = StateSpace(np.ones((1, 1, 1)), np.zeros((1, 1)), np.eye(1), np.zeros((1, 1)), np.eye(1))
    assert filtered(still, np.array([[2.0], [3.0]])).log_evidence == -np.inf
    assert filtered(still, np.array([[2.0], [2.0]])).log_evidence == 0.0  # as certain as can be


def test_a_direction_that_no_row_tells_stays_unknown(rng):
    system = random_system(rng, 8, 1, 2, 2, varying=False)
    blind = StateSpace(
        np.array([[[1.0, 0.0]]]), np.ones((1, 1)), np.eye(2), system.state_noise, np.eye(2), None, None
    )
    found = filtered(blind, observations(rng, 8, 1, 0.0))
    np.testing.assert_array_equal(found.left[1:], 1)
    assert np.isfinite(found.log_evidence)
    told = found.spread[-1, 0]
    np.testing.assert_allclose(np.abs(told), [0.0, 1.0], atol=1e-12)
