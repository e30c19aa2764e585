"""Ctrl-C, time budgets and callbacks that stop: the best model so far comes back, and says so."""

import signal
import time
import warnings

import numpy as np
import pytest

import mixtura
from mixtura.exceptions import ConvergenceWarning, InterruptedWarning
from mixtura.inference.stopping import catch_interrupt


@pytest.fixture
def rows(rng):
    return np.concatenate([rng.normal(0, 1, (150, 2)), rng.normal(3, 1, (150, 2))])


class Press:
    """A callback that presses Ctrl-C at given calls."""

    def __init__(self, *calls):
        self.calls = calls
        self.count = 0

    def __call__(self, progress):
        self.count += 1
        if self.count in self.calls:
            signal.raise_signal(signal.SIGINT)


def endless(**options):
    return mixtura.GaussianMixture(
        2, init_params="random", random_state=0, tol=0.0, max_iter=10**6, **options
    )


def test_the_first_press_returns_the_best_model_after_the_pass(rows):
    press = Press(4)
    model = endless(callbacks=[press])
    with pytest.warns(InterruptedWarning, match="after 3 steps"):
        model.fit(rows)
    assert press.count == 4  # not one pass more
    assert model.stop_reason_ == "interrupted"
    assert not model.converged_
    assert model.score(rows) == pytest.approx(model.lower_bound_, rel=1e-12)


def test_the_second_press_raises(rows):
    def twice(progress):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        endless(callbacks=[twice]).fit(rows)


def test_the_handler_is_given_back(rows):
    before = signal.getsignal(signal.SIGINT)
    with pytest.warns(InterruptedWarning):
        endless(callbacks=[Press(1)]).fit(rows)
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_a_press_ends_the_remaining_starts(rows):
    press = Press(2)
    model = mixtura.GaussianMixture(
        2, init_params="random", n_init=5, random_state=0, tol=0.0, max_iter=10**6, callbacks=[press]
    )
    with pytest.warns(InterruptedWarning):
        model.fit(rows)
    assert [start.reason for start in model.starts_] == ["interrupted"]


def test_a_press_in_a_later_start_is_told_although_the_best_one_converged(rows):
    calls = []

    def press_in_the_second_start(progress):
        calls.append(progress.step)
        if calls.count(0) == 2 and progress.step == 0:
            signal.raise_signal(signal.SIGINT)

    model = mixtura.GaussianMixture(
        2, init_params="random", n_init=5, random_state=0, callbacks=[press_in_the_second_start]
    )
    with pytest.warns(InterruptedWarning):
        model.fit(rows)
    assert [start.reason for start in model.starts_] == ["converged", "interrupted"]
    assert model.converged_


def test_a_press_while_starts_are_screened_ends_the_fit(rows, monkeypatch):
    from mixtura.inference import fitting

    make, made = fitting._make, []

    def pressing(*arguments, **options):
        made.append(1)
        if len(made) == 3:
            signal.raise_signal(signal.SIGINT)
        return make(*arguments, **options)

    monkeypatch.setattr(fitting, "_make", pressing)
    model = mixtura.GaussianMixture(2, random_state=0)
    with pytest.warns(InterruptedWarning):
        model.fit(rows)
    assert len(made) == 3
    assert model.stop_reason_ == "interrupted"
    assert np.isfinite(model.score(rows))


def test_a_press_during_a_sweep_keeps_what_is_fitted(rows):
    press = Press(1)

    class Slow(mixtura.GaussianMixture):
        """A mixture whose K = 2 is interrupted."""

        def __init__(self, n_components=1, *, random_state=None, callbacks=()):
            super().__init__(n_components, random_state=random_state, callbacks=callbacks)

        def fit(self, X, y=None, sample_weight=None):
            self.callbacks = [press] if self.n_components == 2 else []
            return super().fit(X, y, sample_weight)

    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        selection = mixtura.select(Slow(random_state=0), rows, n_components=[1, 2, 3, 4])
    assert any(w.category is InterruptedWarning and "sweep" in str(w.message) for w in heard)
    assert selection.interrupted
    assert [row["n_components"] for row in selection.table] == [1, 2]


def test_nested_uses_share_one_flag():
    with catch_interrupt() as outer:
        with catch_interrupt() as inner:
            assert inner is outer
            signal.raise_signal(signal.SIGINT)
        assert outer.pressed


def test_a_fit_outside_the_main_thread_leaves_signals_alone(rows):
    from threading import Thread

    found = []
    worker = Thread(target=lambda: found.append(mixtura.GaussianMixture(2, random_state=0).fit(rows)))
    worker.start()
    worker.join()
    assert found[0].converged_


# --- time and callbacks -------------------------------------------------------------------------------------------
def test_a_time_budget_ends_the_fit_with_the_best_model(rows):
    begun = time.monotonic()
    model = endless(time_budget=0.2, callbacks=[lambda _: time.sleep(0.02)])
    with pytest.warns(ConvergenceWarning, match="time_budget=0.2"):
        model.fit(rows)
    assert (
        time.monotonic() - begun < 5.0
    )  # generous for a busy machine; without a budget this runs for minutes
    assert model.stop_reason_ == "time"
    assert model.n_iter_ > 0
    assert not model.converged_


def test_a_budget_of_nothing_still_returns_a_model(rows):
    model = mixtura.GaussianMixture(2, random_state=0, time_budget=0.0)
    with pytest.warns(ConvergenceWarning):
        model.fit(rows)
    assert np.isfinite(model.score(rows))


def test_running_out_of_steps_is_never_called_converged(rows):
    model = mixtura.GaussianMixture(2, init_params="random", random_state=0, max_iter=2)
    with pytest.warns(ConvergenceWarning, match="max_iter=2"):
        model.fit(rows)
    assert not model.converged_
    assert model.stop_reason_ == "max_iter"
    assert model.n_iter_ == 2


def test_a_callback_stops_every_class(rows):
    counts = np.abs(np.round(rows))
    stop = {"callbacks": [lambda progress: progress.step >= 1], "random_state": 0, "init_params": "random"}
    for estimator, table in (
        (mixtura.GaussianMixture(2, **stop), rows),
        (mixtura.MultinomialMixture(2, **stop), counts),
        (mixtura.GroupedMultinomialMixture(2, **stop), counts),
        (mixtura.Mixture(n_components=2, **stop), rows),
    ):
        assert estimator.fit(table).stop_reason_ == "stopped"
        assert not estimator.converged_
