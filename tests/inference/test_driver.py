"""The one loop: what it returns, why it ends, and what it does with falls of the objective."""

import time
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from mixtura.components import Diagonal, Full, Gaussian
from mixtura.data import DenseSource, column_encoding
from mixtura.exceptions import InvalidDataError, ObjectiveFellError
from mixtura.executors import Serial
from mixtura.inference.driver import run
from mixtura.inference.stopping import Reason, Stopping, remaining_gain
from mixtura.inference.updates import Maximization
from mixtura.protocols import Encoding, UpdateStep
from mixtura.statistics import Statistics
from mixtura.structures import Independent, LatentMixture


@pytest.fixture
def rows(rng):
    return np.concatenate([rng.normal(0, 1, (60, 2)), rng.normal(2.5, 1, (40, 2))])


def start(rows, model=None):
    encoding = column_encoding(rows)
    mean = np.array([[0.0, 0.5], [1.0, 1.0]]) - encoding.origin
    covariance = np.ones((2, 2)) if isinstance(model, Diagonal) else np.stack([np.eye(2)] * 2)
    return LatentMixture(Gaussian(mean, covariance, model or Full()), Independent(np.zeros(2)), encoding)


def drive(rows, stopping, update=None, callbacks=(), model=None):
    model = start(rows) if model is None else model
    return run(
        model,
        DenseSource(rows, model.encoding, rows_per_batch=30),
        update=update or Maximization(),
        executor=Serial(),
        stopping=stopping,
        callbacks=callbacks,
    )


# --- why a run ends -----------------------------------------------------------------------------------------------
def test_every_ending_has_a_reason_of_its_own(rows):
    found = {
        "converged": drive(rows, Stopping(tol=1e-3, max_iter=1000)),
        "max_iter": drive(rows, Stopping(tol=0.0, max_iter=2)),
        "time": drive(rows, Stopping(tol=0.0, max_iter=10**6, deadline=time.monotonic())),
        "stopped": drive(
            rows, Stopping(tol=0.0, max_iter=10**6), callbacks=[lambda progress: progress.step == 3]
        ),
    }
    assert {name: str(result.reason) for name, result in found.items()} == {name: name for name in found}
    assert found["max_iter"].n_iter == 2
    assert found["stopped"].n_iter == 3
    assert (
        found["time"].n_iter == 0
    )  # the deadline had passed; the start itself is returned, with its objective
    assert len(set(Reason)) == len(list(Reason))


def test_no_step_allowed_returns_the_start(rows):
    model = start(rows)
    result = drive(rows, Stopping(tol=0.0, max_iter=0), model=model)
    assert result.model is model
    assert result.reason == Reason.MAX_ITER
    assert len(result.history) == 1


def test_a_smaller_tolerance_never_stops_earlier(rows):
    steps = [drive(rows, Stopping(tol=tol, max_iter=5000)).n_iter for tol in (1e-2, 1e-4, 1e-6, 1e-8)]
    assert steps == sorted(steps)
    assert steps[0] < steps[-1]


def test_what_is_left_when_it_stops_is_what_the_tolerance_promised(rows):
    best = drive(rows, Stopping(tol=1e-13, max_iter=20_000)).objective
    for tol in (1e-4, 1e-6, 1e-8):
        result = drive(rows, Stopping(tol=tol, max_iter=20_000))
        # Aitken's estimate is an extrapolation: within a factor of three of the truth on this slow example.
        assert best - result.objective <= 3.0 * tol * len(rows)


def test_remaining_gain_is_exact_for_a_geometric_series():
    ratio, first = 0.97, 5.0
    history = np.cumsum([0.0, *(first * ratio ** np.arange(30))])
    left = first * ratio**30 / (1.0 - ratio)
    assert remaining_gain(history.tolist()) == pytest.approx(left, rel=1e-9)  # cancellation of sums near 100
    assert remaining_gain([1.0]) == np.inf
    assert remaining_gain([0.0, 1.0, 3.0]) == np.inf  # gains that grow say nothing


def test_a_fixed_point_has_nothing_left():
    assert remaining_gain([-5.0, -5.0]) <= 1e-14


@pytest.mark.parametrize(("name", "value"), [("tol", -1.0), ("tol", float("nan")), ("max_iter", -1)])
def test_stopping_refuses_what_makes_no_sense(name, value):
    with pytest.raises(ValueError, match=name):
        Stopping(**{name: value})


# --- callbacks ----------------------------------------------------------------------------------------------------
def test_callbacks_see_every_pass_and_the_model_of_its_objective(rows):
    seen = []
    result = drive(rows, Stopping(tol=0.0, max_iter=4), callbacks=[seen.append])
    assert [progress.step for progress in seen] == [0, 1, 2, 3, 4]
    assert [progress.objective for progress in seen] == list(result.history)
    assert seen[-1].model is result.model
    assert seen[0].weight == len(rows)


def test_all_callbacks_are_called_even_if_the_first_one_stops(rows):
    seen = []
    drive(rows, Stopping(), callbacks=[lambda _: True, seen.append])
    assert len(seen) == 1


def test_only_true_stops(rows):
    assert drive(rows, Stopping(tol=0.0, max_iter=2), callbacks=[lambda _: "yes"]).reason == Reason.MAX_ITER


def test_an_error_in_a_callback_is_the_users_to_see(rows):
    def broken(progress):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        drive(rows, Stopping(), callbacks=[broken])


# --- falls --------------------------------------------------------------------------------------------------------
class BrokenComponent(Gaussian):
    """Its M-step doubles the covariance, and claims to be exact."""

    def maximize(self, stats):
        new = super().maximize(stats)
        return new.replace(new.mean, 2.0 * new.covariance)


def test_a_broken_component_is_found_out_by_the_driver(rows):
    model = drive(rows, Stopping(tol=1e-8, max_iter=1000)).model
    components = BrokenComponent(model.components.mean, model.components.covariance)
    with pytest.raises(ObjectiveFellError, match=r"step 1.*check_component"):
        drive(rows, Stopping(), model=replace(model, components=components))


@dataclass(frozen=True)
class Overshooting(Maximization):
    """An inexact update: EM's step times a factor, in coordinates."""

    factor: float = 1.0
    made: list = field(default_factory=list, compare=False)

    def step(self, state, model, stats):
        new = super().step(state, model, stats).model
        vector = model.coordinates() + self.factor * (new.coordinates() - model.coordinates())
        self.made.append(vector)
        return UpdateStep(model.from_coordinates(vector), state, exact=False)


def test_after_an_inexact_step_the_driver_halves_back(rows):
    update = Overshooting(factor=40.0)
    result = drive(rows, Stopping(tol=1e-6, max_iter=30), update)
    history = np.array(result.history)
    assert np.all(np.diff(history) >= -1e-6 * len(rows))  # the tolerance, which an inexact step may lose
    first = update.made[0]
    # The objective of the raw step is lower than what the history holds after it.
    model = start(rows)
    raw = drive(rows, Stopping(tol=0.0, max_iter=0), model=model.from_coordinates(first))
    assert raw.objective < result.history[0] < result.history[1]


def test_an_inexact_step_that_gains_is_kept(rows):
    gentle = drive(rows, Stopping(tol=0.0, max_iter=3), Overshooting(factor=1.5))
    plain = drive(rows, Stopping(tol=0.0, max_iter=3))
    assert gentle.history[1] != plain.history[1]
    assert gentle.history[-1] > gentle.history[0]


def test_regularized_steps_do_not_raise(rows):
    """reg_covar may lower the likelihood a little; such a step is marked inexact, so it is no error."""
    model = drive(rows, Stopping(tol=1e-10, max_iter=2000)).model
    components = Gaussian(model.components.mean, model.components.covariance, Full(0.05))
    result = drive(rows, Stopping(tol=1e-3, max_iter=50), model=replace(model, components=components))
    assert result.history[-1] <= result.history[0]


# --- data ---------------------------------------------------------------------------------------------------------
class Overflowing(Gaussian):
    """Its scores are not numbers."""

    def log_prob(self, block):
        return np.full((2, block.x.shape[1]), np.nan)


def test_an_objective_that_is_not_a_number_is_an_error(rows):
    model = start(rows)
    components = Overflowing(model.components.mean, model.components.covariance)
    with pytest.raises(InvalidDataError, match="expected a finite number"):
        drive(rows, Stopping(), model=replace(model, components=components))


# --- MAP ----------------------------------------------------------------------------------------------------------
def test_a_prior_is_statistics_seen_earlier(rng):
    """MAP with pseudo-rows is maximum likelihood with these rows added, where their component is known."""
    rows = rng.normal(size=(50, 1))
    encoding = Encoding(1)
    gaussian = Gaussian(np.array([[0.3]]), np.ones((1, 1, 1)))
    model = LatentMixture(gaussian, Independent(np.zeros(1)), encoding)
    extra = np.array([[5.0], [6.0], [7.0]])
    block = gaussian.encode(extra.T, encoding)
    parts = {
        "components": gaussian.expected_statistics(block, np.ones((1, 3))),
        "structure": Statistics({"count": np.array([3.0])}),
    }
    prior = Statistics(parts=parts, stamp=encoding.stamp)
    options = {"executor": Serial(), "stopping": Stopping(tol=1e-12)}
    with_prior = run(model, DenseSource(rows, encoding), update=Maximization(prior), **options)
    pooled = run(
        model, DenseSource(np.concatenate([rows, extra]), encoding), update=Maximization(), **options
    )
    np.testing.assert_allclose(with_prior.model.coordinates(), pooled.model.coordinates(), rtol=1e-12)
    assert with_prior.weight == 50  # pseudo-rows are not rows
    assert np.all(np.diff(with_prior.history) >= -1e-9)
