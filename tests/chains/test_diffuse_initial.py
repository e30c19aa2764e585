"""A diffuse first state of linear dynamical systems against the exact diffuse recursions, which are another algorithm."""

import numpy as np
import pytest

from mixtura.chains import DiagonalNoise, Joseph, KnownCoefficients, LinearGaussianChain, SquareRoot, System
from mixtura.chains.diffuse import StateSpace, filtered, smoothed
from mixtura.chains.diffuse_initial import DiffuseInitial
from mixtura.executors import Serial
from mixtura.inference.driver import run
from mixtura.inference.stopping import Stopping
from mixtura.inference.updates import Maximization
from mixtura.models import StructuralTimeSeries
from mixtura.protocols import Batch


def system_of(rng, size, n_columns):
    root, look_root = rng.normal(size=(size, size)), rng.normal(size=(n_columns, n_columns))
    return System.of(
        0.9 * np.linalg.qr(rng.normal(size=(size, size)))[0],
        rng.normal(size=(n_columns, size)),
        root @ root.T,
        look_root @ look_root.T + 0.2 * np.eye(n_columns),
        initial_mean=np.zeros(size),
        initial_covariance=np.zeros((size, size)),
    )


def known(system, law, form):
    return LinearGaussianChain(
        system,
        moves=KnownCoefficients(system.moves),
        looks=KnownCoefficients(system.looks),
        initial=law,
        form=form,
    )


def twin(system, spread):
    return StateSpace(
        system.observation[None],
        system.observation_noise,
        system.transition,
        system.state_noise,
        spread,
        system.initial_mean,
        system.initial_covariance,
    )


@pytest.mark.parametrize("form", [Joseph(), SquareRoot()])
@pytest.mark.parametrize(
    ("size", "n_columns", "unknown"), [(1, 1, None), (3, 1, None), (3, 2, None), (3, 2, [True, False, True])]
)
def test_figures_are_those_of_the_exact_recursions(rng, form, size, n_columns, unknown):
    system = system_of(rng, size, n_columns)
    if unknown is not None:
        system = system.replace(initial_covariance=np.diag(np.where(unknown, 0.0, 2.0)))
    tables = [2.0 * rng.normal(size=(12, n_columns)), 2.0 * rng.normal(size=(9, n_columns))]
    tables[0][[2, 5], 0] = np.nan
    batch = Batch(np.concatenate(tables).T, np.ones(21), np.array([0, 12, 21]))
    law = DiffuseInitial(None if unknown is None else np.array(unknown))
    chain = known(system, law, form)
    mine, smooth = chain.filter(batch), chain.smooth(batch)
    spread = np.eye(size) if unknown is None else np.eye(size)[unknown]
    for (start, stop), table in zip([(0, 12), (12, 21)], tables, strict=True):
        rows = slice(start, stop)
        exact = smoothed(twin(system, spread), table)
        assert mine.log_prob[rows].sum() == pytest.approx(exact.filter.log_evidence, abs=1e-8)
        np.testing.assert_allclose(smooth.mean[rows], exact.mean, atol=1e-7)
        np.testing.assert_allclose(smooth.covariance[rows], exact.covariance, atol=1e-7)
        told = filtered(twin(system, spread), table)
        usual = told.left[1:] == 0
        np.testing.assert_allclose(mine.mean[rows][usual], told.filtered[:-1][usual], atol=1e-7)
        np.testing.assert_allclose(
            mine.covariance[rows][usual], told.filtered_covariance[:-1][usual], atol=1e-6
        )
        assert np.isnan(mine.mean[rows][~usual]).all()
        assert np.isinf(mine.covariance[rows][~usual].diagonal(axis1=1, axis2=2)).all()
        later = np.flatnonzero(told.left[:-1] == 0)
        np.testing.assert_allclose(mine.predicted_mean[rows][later], told.mean[later], atol=1e-7)


def test_neighbours_belong_together(rng):
    # Adding z_{t-1} to the state makes the covariance of neighbours one of a state's own blocks.
    system = system_of(rng, 2, 2)
    table = rng.normal(size=(8, 2))
    smooth = known(system, DiffuseInitial(), Joseph()).smooth(Batch(table.T, np.ones(8), np.array([0, 8])))
    both = np.block([[system.transition, np.zeros((2, 2))], [np.eye(2), np.zeros((2, 2))]])
    noise = np.zeros((4, 4))
    noise[:2, :2] = system.state_noise
    wide = np.column_stack([system.observation, np.zeros((2, 2))])
    stacked = StateSpace(wide[None], system.observation_noise, both, noise, np.eye(4)[:2])
    exact = smoothed(stacked, table)
    np.testing.assert_allclose(smooth.lagged[1:], exact.covariance[1:, :2, 2:], atol=1e-8)
    np.testing.assert_array_equal(smooth.lagged[0], 0.0)


def test_em_stands_still_where_the_structural_model_has_its_maximum(rng):
    y = np.cumsum(rng.normal(size=80)) + rng.normal(size=80)
    best = StructuralTimeSeries(tol=1e-13).fit(y)
    level = System.of(
        np.eye(1),
        np.eye(1),
        best.variances_["level"] * np.eye(1),
        best.variances_["noise"] * np.eye(1),
        initial_covariance=np.zeros((1, 1)),
    )
    chain = known(level, DiffuseInitial(), Joseph()).replace(noise=DiagonalNoise(), error=DiagonalNoise())
    batch = Batch(y[None], np.ones(80), np.array([0, 80]))
    stats = chain.summarize(batch, {})
    assert stats.log_evidence == pytest.approx(best.log_evidence_, abs=1e-9)
    after = chain.maximize(stats).system
    assert after.observation_noise[0, 0] == pytest.approx(best.variances_["noise"], rel=1e-4)
    assert after.state_noise[0, 0] == pytest.approx(best.variances_["level"], rel=1e-4)
    far = chain.replace(system=level.replace(state_noise=np.eye(1), observation_noise=np.eye(1) * 3.0))
    result = run(far, [batch], update=Maximization(), executor=Serial(), stopping=Stopping(1e-9, 60))
    assert np.all(np.diff(result.history) > -1e-9)


def test_rows_that_do_not_tell_the_state_have_no_evidence(rng):
    blind = System.of(
        np.eye(2), np.array([[1.0, 0.0]]), np.eye(2), np.eye(1), initial_covariance=np.zeros((2, 2))
    )
    found = known(blind, DiffuseInitial(), Joseph()).filter(
        Batch(rng.normal(size=(1, 6)), np.ones(6), np.array([0, 6]))
    )
    assert np.isnan(found.log_prob.sum())
    assert DiffuseInitial(np.array([True, False])).take(np.array([1])).unknown.tolist() == [False]
    assert DiffuseInitial().take(np.array([1])).unknown is None
