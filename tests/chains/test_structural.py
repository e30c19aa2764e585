"""Structural time series as a model of the driver: sums against loops, slopes, steps, and what the protocol asks for."""

import numpy as np
import pytest

from mixtura.chains.structural import StructuralChain
from mixtura.chains.structural_parts import assembled, level, seasonal_dummies, seasonal_waves, trend
from mixtura.executors import Serial
from mixtura.inference.driver import run
from mixtura.inference.leaps import Leaping
from mixtura.inference.stopping import Reason, Stopping
from mixtura.inference.updates import Maximization
from mixtura.protocols import Batch
from oracles_structural import dense, disturbances


def chain_of(parts, variances, n_inputs=0):
    whole = assembled(parts, n_inputs)
    values = np.asarray(variances, dtype=float)
    return StructuralChain(
        whole.design, whole.transition, whole.loads, values, np.ones(len(values), dtype=bool), n_inputs
    )


def series_of(rng, n_rows, gaps=0):
    y = (
        np.cumsum(rng.normal(size=n_rows))
        + rng.normal(size=n_rows)
        + np.tile([1.0, 0.0, -1.0, 2.0], n_rows)[:n_rows]
    )
    y[rng.choice(n_rows, gaps, replace=False)] = np.nan
    return y


def batch_of(*series, weight=None, inputs=None):
    lengths = [len(one) for one in series]
    weights = np.ones(len(series)) if weight is None else np.asarray(weight, dtype=float)
    return Batch(
        np.concatenate(series)[None],
        np.repeat(weights, lengths),
        np.concatenate([[0], np.cumsum(lengths)]),
        covariates=inputs,
    )


MODELS = {
    "level": ([level()], [1.0, 0.5]),
    "trend": ([trend()], [1.0, 0.5, 0.1]),
    "dummies": ([trend(), seasonal_dummies(4)], [1.0, 0.5, 0.1, 0.2]),
    "waves": ([level(), seasonal_waves(4)], [1.0, 0.5, 0.2]),
    "waves, odd": ([level(), seasonal_waves(3)], [1.0, 0.5, 0.2]),
}


@pytest.mark.parametrize("name", MODELS)
def test_sums_are_those_of_the_dense_gaussian(rng, name):
    chain = chain_of(*MODELS[name])
    y = series_of(rng, 12, gaps=2)
    stats = chain.summarize(batch_of(y), {})
    system = chain.system(None)
    design = np.broadcast_to(system.design, (12, 1, chain.n_states))
    evidence, mean, covariance = dense(
        design, system.noise, system.transition, system.state_noise, system.spread, y[:, None]
    )
    # Inverses of covariances of twelve steps on the oracle's side.
    assert stats.log_evidence == pytest.approx(evidence, abs=1e-9)
    found, _ = chain.smoothed(y, None)
    np.testing.assert_allclose(found.mean, mean, atol=1e-8)
    np.testing.assert_allclose(found.covariance, covariance, atol=1e-8)
    square, count = disturbances(chain.design, chain.transition, chain.loads, chain.variances, y)
    np.testing.assert_allclose(stats["square"], square, rtol=1e-9)
    np.testing.assert_allclose(stats["count"], count)


def test_seasons_repeat_and_sum_to_zero():
    for make in (seasonal_dummies, seasonal_waves):
        for period in (2, 3, 4, 7, 12):
            part = make(period)
            state, effects = np.arange(1.0, period), []
            for _ in range(2 * period):
                effects.append(part.design @ state)
                state = part.transition @ state
            assert sum(effects[:period]) == pytest.approx(0.0, abs=1e-12)
            np.testing.assert_allclose(effects[:period], effects[period:], atol=1e-12)


def test_sums_are_the_slopes_of_the_log_evidence(rng):
    chain, batch = chain_of(*MODELS["dummies"]), batch_of(series_of(rng, 30, gaps=3))
    stats = chain.summarize(batch, {})
    slopes = 0.5 * (stats["square"] / chain.variances - stats["count"]) / chain.variances
    for j in range(4):
        step = 1e-5 * np.eye(4)[j]
        ends = [
            chain.replace(chain.variances + sign * step).summarize(batch, {}).log_evidence for sign in (1, -1)
        ]
        # Central differences: an error of the order of the squared step.
        assert slopes[j] == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-5, abs=1e-6)


def test_inputs_are_regression_where_nothing_else_moves(rng):
    inputs = np.stack([np.linspace(0, 1, 40) ** 2 * 1e3, rng.normal(size=40)])
    y = 2.0 + inputs.T @ [0.03, -1.0] + rng.normal(size=40)
    y[[3, 17]] = np.nan
    chain = chain_of([level()], [1.0, 0.0], 2)
    found, evidence = chain.smoothed(y, inputs)
    seen = ~np.isnan(y)
    design = np.column_stack([np.ones(40), inputs.T])[seen]
    least, (squares,), *_ = np.linalg.lstsq(design, y[seen], rcond=None)
    np.testing.assert_allclose(found.mean[-1], least, rtol=1e-9)
    np.testing.assert_allclose(found.covariance[-1], np.linalg.inv(design.T @ design), rtol=1e-7)
    expected = -0.5 * (35 * np.log(2 * np.pi) + np.linalg.slogdet(design.T @ design)[1] + squares)
    assert evidence == pytest.approx(expected, rel=1e-10)


def test_an_input_that_begins_late_is_told_late(rng):
    # Directions that are unknown for long must not be told by rounding.
    inputs = np.stack([np.log(1.0 + 0.001 * np.arange(150)), (np.arange(150) >= 130).astype(float)])
    y = series_of(rng, 150)
    chain = chain_of([level(), seasonal_dummies(12)], [1.0, 0.5, 0.01], 2)
    found, _ = chain.smoothed(y, inputs)
    assert found.filter.left[130] == 1
    assert found.filter.left[131] == 0
    assert (found.filter.variance > 0).all()


def test_weights_are_repeated_series_and_batches_add(rng):
    chain = chain_of(*MODELS["trend"])
    first, second = series_of(rng, 20), series_of(rng, 15, gaps=4)
    weighted = chain.summarize(batch_of(first, second, weight=[2.0, 1.0]), {})
    repeated = chain.summarize(batch_of(first, first, second), {})
    added = chain.summarize(batch_of(first, weight=[2.0]), {}) + chain.summarize(batch_of(second), {})
    for other in (repeated, added):
        assert weighted.log_evidence == pytest.approx(other.log_evidence, rel=1e-12)
        assert weighted.weight == other.weight == 51.0
        np.testing.assert_allclose(weighted["square"], other["square"], rtol=1e-12)
        np.testing.assert_allclose(weighted["count"], other["count"], rtol=1e-12)


def test_rows_that_were_not_seen_are_missing(rng):
    chain, y = chain_of(*MODELS["level"]), series_of(rng, 20)
    seen = np.arange(20) % 5 > 0
    batch = batch_of(y)
    hidden = Batch(batch.x, batch.sample_weight, batch.unit_offsets, seen=seen)
    gaps = batch_of(np.where(seen, y, np.nan))
    assert chain.summarize(hidden, {}).log_evidence == chain.summarize(gaps, {}).log_evidence


def test_the_objective_is_evidence_and_its_maximum_a_fixed_point(rng):
    y = series_of(rng, 80)
    batch = batch_of(y)
    start = chain_of([trend(), seasonal_dummies(4)], [1.0, 1.0, 1.0, 1.0])
    settings = {"executor": Serial(), "stopping": Stopping(1e-12, 3000)}
    fast = run(start, [batch], update=Leaping(batch=batch), **settings)
    slow = run(start, [batch], update=Maximization(), executor=Serial(), stopping=Stopping(1e-12, 150))
    assert fast.reason == Reason.CONVERGED
    assert fast.n_iter < 40 < slow.n_iter
    assert fast.objective > slow.objective
    assert np.all(np.diff(fast.history) > -1e-9)
    assert np.all(np.diff(slow.history) > -1e-9)  # EM never falls
    again = fast.model.maximize(fast.statistics)
    np.testing.assert_allclose(again.variances, fast.model.variances, rtol=1e-3, atol=1e-9)
    for j in range(4):  # no change of one variance reaches higher
        for factor in (0.5, 0.9, 1.1, 2.0):
            other = fast.model.replace(fast.model.variances * np.where(np.arange(4) == j, factor, 1.0))
            assert other.summarize(batch, {}).log_evidence <= fast.objective + 1e-9


def test_a_variance_comes_back_from_zero(rng):
    batch = batch_of(np.cumsum(rng.normal(size=100)) + 0.5 * rng.normal(size=100))
    start = chain_of([level()], [1.0, 0.0])  # EM alone stays there
    found = run(start, [batch], update=Leaping(batch=batch), executor=Serial(), stopping=Stopping(1e-10, 50))
    assert found.model.variances[1] > 0.3
    assert start.maximize(start.summarize(batch, {})).variances[1] == 0.0


def test_known_variances_stay(rng):
    batch = batch_of(series_of(rng, 40))
    chain = chain_of([trend()], [1.0, 0.7, 0.0])
    chain = StructuralChain(
        chain.design, chain.transition, chain.loads, chain.variances, np.array([True, False, False])
    )
    found = run(chain, [batch], update=Leaping(batch=batch), executor=Serial(), stopping=Stopping(1e-10, 50))
    np.testing.assert_array_equal(found.model.variances[1:], [0.7, 0.0])


def test_halves_of_a_disturbance_are_the_whole(rng):
    chain, batch = chain_of(*MODELS["trend"]), batch_of(series_of(rng, 20))
    stats = chain.summarize(batch, {})
    both = chain.take([0, 1, 2, 1]).maximize(chain.split(stats, 1))
    whole = chain.maximize(stats)
    assert both.summarize(batch, {}).log_evidence == pytest.approx(
        whole.summarize(batch, {}).log_evidence, rel=1e-12
    )
    fewer = chain.take([0, 1]).summarize(batch, {}).log_evidence
    assert fewer == pytest.approx(chain.replace([1.0, 0.5, 0.0]).summarize(batch, {}).log_evidence, rel=1e-12)


def test_coordinates_lead_back(rng):
    chain = chain_of(*MODELS["dummies"])
    np.testing.assert_allclose(chain.from_coordinates(-chain.coordinates()).variances, chain.variances)


def test_expected_log_prob_is_best_at_the_m_step(rng):
    chain, batch = chain_of(*MODELS["dummies"]), batch_of(series_of(rng, 20))
    stats = chain.summarize(batch, {})
    best = chain.maximize(stats)
    assert chain.penalty() == 0.0
    for _ in range(10):
        other = best.replace(best.variances * np.exp(0.3 * rng.normal(size=4)))
        assert other.expected_log_prob(stats) < best.expected_log_prob(stats)
