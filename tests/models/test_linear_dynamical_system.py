"""LinearDynamicalSystem: fits, what follows from them, and what is refused."""

import signal

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from mixtura.chains import LinearGaussianChain, System
from mixtura.exceptions import (
    ConstantColumnWarning,
    ConvergenceWarning,
    InterruptedWarning,
    InvalidDataError,
    InvalidParameterError,
    ModelFileError,
)
from mixtura.executors import Threads
from mixtura.models.linear_dynamical_system import LinearDynamicalSystem
from mixtura.models.loading import load
from mixtura.models.structural_time_series import StructuralTimeSeries
from mixtura.persistence import read_model_file, write_model_file
from mixtura.protocols import Batch
from oracles_linear_gaussian import conditional, joint

# systems.md D: z_n = A z_{n-1} + N(0, Gamma), x_n = C z_n + N(0, Sigma); a damped rotation.
TURN = 0.95 * np.array([[np.cos(0.4), np.sin(0.4)], [-np.sin(0.4), np.cos(0.4)]])
TRUTH = System.of(
    TURN,
    [[1.0, 0.0], [0.5, 1.0], [0.0, -0.7]],
    0.2 * np.eye(2),
    np.diag([0.3, 0.2, 0.4]),
    observation_bias=[10.0, -5.0, 0.0],
)


def fixed(system, **settings):
    """An estimator that holds these parameters, fitted with no step."""
    rows = np.random.default_rng(0).normal(size=(8, system.n_features))
    inputs = np.ones((8, system.n_inputs)) if system.n_inputs else None
    estimator = LinearDynamicalSystem(
        system.n_states,
        transition=system.transition,
        observation=system.observation,
        state_noise=system.state_noise,
        observation_noise=system.observation_noise,
        state_bias=system.state_bias,
        observation_bias=system.observation_bias,
        state_inputs=system.state_inputs,
        observation_inputs=system.observation_inputs,
        initial_mean=system.initial_mean,
        initial_covariance=system.initial_covariance,
        max_iter=5,
        **settings,
    )
    return estimator.fit(rows, inputs=inputs)


def drawn(n_rows, seed=0, system=TRUTH):
    return fixed(system).sample(n_rows, random_state=seed)[0]


@pytest.fixture(scope="module")
def rows():
    return drawn(1500)


@pytest.fixture(scope="module")
def fitted(rows):
    return LinearDynamicalSystem(2, tol=1e-4).fit(rows)


def test_known_parameters_are_kept():
    estimator = fixed(TRUTH)
    for name in ("transition", "observation", "state_noise", "observation_noise", "observation_bias"):
        np.testing.assert_allclose(getattr(estimator, f"{name}_"), getattr(TRUTH, name), atol=1e-12)
    assert estimator.n_parameters() == 0
    assert estimator.converged_


def test_the_simulated_system_is_found_up_to_a_linear_map_of_the_states(rows, fitted):
    assert fitted.converged_
    # Standard errors of the eigenvalues are about sqrt((1 - 0.95^2) / 1500) = 0.008.
    found = np.linalg.eigvals(fitted.transition_)
    np.testing.assert_allclose(np.abs(found), 0.95, atol=0.03)
    np.testing.assert_allclose(np.abs(np.angle(found)), 0.4, atol=0.03)
    # What states mean is open, what they do is not: covariances of rows apart from each other.
    states = np.linalg.inv(np.eye(4) - np.kron(TURN, TURN)) @ TRUTH.state_noise.ravel()
    mine = np.linalg.solve(
        np.eye(4) - np.kron(fitted.transition_, fitted.transition_), fitted.state_noise_.ravel()
    )
    for lag in range(1, 4):
        truth = (
            TRUTH.observation @ np.linalg.matrix_power(TURN, lag) @ states.reshape(2, 2) @ TRUTH.observation.T
        )
        power = np.linalg.matrix_power(fitted.transition_, lag)
        own = fitted.observation_ @ power @ mine.reshape(2, 2) @ fitted.observation_.T
        np.testing.assert_allclose(own, truth, atol=0.45)  # variances here are about 2, with 8 % of error
    np.testing.assert_allclose(fitted.observation_noise_, TRUTH.observation_noise, atol=0.05)
    np.testing.assert_allclose(fitted.observation_bias_, TRUTH.observation_bias, atol=0.2)
    assert fitted.score(rows) > fixed(TRUTH).score(rows)
    assert fitted.score(rows) == pytest.approx(fitted.lower_bound_ * 1500, rel=1e-9)


def test_the_likelihood_rises(fitted):
    assert len(fitted.lower_bounds_) == fitted.n_iter_ + 1
    assert (np.diff(fitted.lower_bounds_) > -1e-12).all()


def test_the_subspace_start_is_near_the_end(rows, fitted):
    start = LinearDynamicalSystem(2, max_iter=0)
    with pytest.warns(ConvergenceWarning, match="ran out of max_iter=0 steps"):
        start.fit(rows)
    with pytest.warns(ConvergenceWarning):
        neutral = LinearDynamicalSystem(2, max_iter=0, init_params="neutral").fit(rows)
    assert fitted.score(rows) - start.score(rows) < 0.25 * (fitted.score(rows) - neutral.score(rows))


def test_filter_smooth_predict_and_score_are_those_of_the_joint_gaussian():
    rng = np.random.default_rng(3)
    system = System.of(
        TURN,
        rng.normal(size=(2, 2)),
        0.3 * np.eye(2),
        [[0.5, 0.2], [0.2, 0.4]],
        state_inputs=rng.normal(size=(2, 1)),
        observation_inputs=rng.normal(size=(2, 1)),
        observation_bias=[1.0, 2.0],
        initial_mean=[1.0, -1.0],
    )
    x, u = rng.normal(size=(9, 2)), rng.normal(size=(9, 1))
    x[2, 0], x[5] = np.nan, np.nan
    for form in ("joseph", "square_root"):
        estimator = fixed(system, form=form)
        mean, spread, log_prob = conditional(system, x, u)
        states = estimator.smooth(x, inputs=u)
        np.testing.assert_allclose(states.mean, mean, atol=1e-10)
        np.testing.assert_allclose(states.covariance[4], spread[4, :, 4], atol=1e-10)
        np.testing.assert_allclose(estimator.score(x, inputs=u), log_prob, rtol=1e-10)
        now, _, _ = conditional(system, x, u, given=5)
        np.testing.assert_allclose(estimator.filter(x, inputs=u).mean[4], now[4], atol=1e-10)
        before, known, _ = conditional(system, x, u, given=4)
        row, deviation = estimator.predict(x, inputs=u, return_std=True)
        level = system.observation_inputs @ u[4] + system.observation_bias
        np.testing.assert_allclose(row[4], system.observation @ before[4] + level, atol=1e-10)
        total = system.observation @ known[4, :, 4] @ system.observation.T + system.observation_noise
        np.testing.assert_allclose(deviation[4], np.sqrt(np.diag(total)), atol=1e-10)
        np.testing.assert_array_equal(estimator.predict(x, inputs=u), row)
    # Missing cells, from the joint law of all cells.
    joint_mean, joint_spread = joint(system, 9, u)
    cells, values = np.arange(18, 36), x.ravel()
    seen = ~np.isnan(values)
    cross = joint_spread[np.ix_(cells[~seen], cells[seen])]
    inner = joint_spread[np.ix_(cells[seen], cells[seen])]
    expected = joint_mean[cells[~seen]] + cross @ np.linalg.solve(
        inner, values[seen] - joint_mean[cells[seen]]
    )
    filled = estimator.impute(x, inputs=u).ravel()
    np.testing.assert_allclose(filled[~seen], expected, atol=1e-10)
    np.testing.assert_array_equal(filled[seen], values[seen])


def test_forecasts_are_the_law_of_later_rows():
    system = TRUTH.replace(
        state_inputs=np.array([[1.0], [0.0]]), observation_inputs=np.array([[0.0], [0.5], [0.0]])
    )
    rng = np.random.default_rng(4)
    x, u, later = rng.normal(size=(6, 3)), rng.normal(size=(6, 1)), rng.normal(size=(3, 1))
    estimator = fixed(system)
    future = estimator.forecast(x, 3, inputs=u, future_inputs=later, level=0.8)
    whole = np.vstack([x, np.full((3, 3), np.nan)])
    mean, spread, _ = conditional(system, whole, np.vstack([u, later]))
    for step in range(3):
        level = system.observation_inputs @ later[step] + system.observation_bias
        np.testing.assert_allclose(future.mean[step], system.observation @ mean[6 + step] + level, atol=1e-9)
        total = system.observation @ spread[6 + step, :, 6 + step] @ system.observation.T
        np.testing.assert_allclose(future.covariance[step], total + system.observation_noise, atol=1e-9)
    width = norm.ppf(0.9) * np.sqrt(np.diagonal(future.covariance, axis1=1, axis2=2))
    np.testing.assert_allclose(future.upper - future.mean, width, atol=1e-12)
    np.testing.assert_allclose(future.mean - future.lower, width, atol=1e-12)
    both = estimator.forecast([x, x[:4]], 3, inputs=[u, u[:4]], future_inputs=later)
    assert both.mean.shape == (2, 3, 3)
    np.testing.assert_allclose(both.mean[0], future.mean)


def test_samples_have_the_moments_of_the_system():
    system = TRUTH.replace(initial_mean=np.array([3.0, 0.0]), observation_bias=np.zeros(3))
    estimator = fixed(system)
    several = np.stack([estimator.sample(3, random_state=seed)[0].ravel() for seed in range(3000)])
    mean, spread = joint(system, 3)
    deviations = np.sqrt(np.diag(spread)[6:])
    assert np.abs(several.mean(axis=0) - mean[6:]).max() < 4 * deviations.max() / np.sqrt(3000)
    np.testing.assert_allclose(np.cov(several.T), spread[6:, 6:], atol=0.2)
    x, z = estimator.sample(5, random_state=1)
    assert x.shape == (5, 3)
    assert z.shape == (5, 2)
    np.testing.assert_array_equal(x, estimator.sample(5, random_state=1)[0])


def test_sequences_in_every_form(rows):
    lengths = [400, 500, 600]
    parts = np.split(rows, np.cumsum(lengths)[:-1])
    settings = {"tol": 1e-2}
    by_lengths = LinearDynamicalSystem(2, **settings).fit(rows, lengths)
    by_list = LinearDynamicalSystem(2, **settings).fit(parts)
    names = np.repeat(["a", "b", "c"], lengths)
    mixed, labels = np.empty_like(rows), np.random.default_rng(0).permutation(names)
    for name in "abc":
        mixed[labels == name] = rows[names == name]
    by_name = LinearDynamicalSystem(2, **settings).fit(mixed, groups=labels)
    states = by_name.smooth(mixed, groups=labels).mean
    np.testing.assert_allclose(states[labels == "b"], by_name.smooth(rows, lengths).mean[400:900], atol=1e-10)
    for other in (by_list, by_name):
        np.testing.assert_allclose(other.transition_, by_lengths.transition_, atol=1e-12)
    total = sum(by_lengths.score(part) for part in parts)
    assert by_lengths.score(parts) == pytest.approx(total, rel=1e-12)
    threads = LinearDynamicalSystem(2, executor=Threads(2), **settings).fit(rows, lengths)
    np.testing.assert_allclose(threads.transition_, by_lengths.transition_, atol=1e-10)


def test_a_weight_is_a_repeated_sequence(rows):
    start = LinearDynamicalSystem(2, tol=1e-2).fit(rows)
    settings = {"init_params": start, "tol": 1e-3}
    one, two = rows[:300], rows[300:500]
    weighted = LinearDynamicalSystem(2, **settings).fit([one, two], sample_weight=[1.0, 2.0])
    repeated = LinearDynamicalSystem(2, **settings).fit([one, two, two])
    # Origins differ (means of rows), so sums round differently.
    assert weighted.n_iter_ == repeated.n_iter_
    np.testing.assert_allclose(weighted.transition_, repeated.transition_, atol=1e-6)
    assert weighted.total_weight_ == repeated.total_weight_ == 700.0


def test_inputs_are_learnt():
    truth = System.of(
        [[0.7]],
        [[1.0], [0.4]],
        [[0.1]],
        np.diag([0.1, 0.1]),
        state_inputs=[[2.0]],
        observation_inputs=[[0.0], [-1.0]],
    )
    u = np.random.default_rng(5).normal(size=(600, 1))
    x = fixed(truth).sample(600, inputs=u, random_state=2)[0]
    found = LinearDynamicalSystem(1, tol=1e-4).fit(x, inputs=u[:, 0])
    # The response to an impulse does not depend on what the state means.
    for lag in range(3):
        mine = found.observation_ @ found.transition_**lag @ found.state_inputs_
        np.testing.assert_allclose(
            mine + (found.observation_inputs_ if lag == 0 else 0.0),
            truth.observation @ truth.transition**lag @ truth.state_inputs
            + (truth.observation_inputs if lag == 0 else 0.0),
            atol=0.06,
        )
    assert found.n_inputs_ == 1
    without = LinearDynamicalSystem(1, observation_noise="diagonal", tol=1e-2).fit(x)
    assert found.bic(x, inputs=u) < without.bic(x)


def test_criteria_count_what_rows_can_tell(rows, fitted):
    # A, C, Gamma, Sigma, d, m0, V0 less the linear maps of two states: 4 + 6 + 3 + 6 + 3 + 2 + 3 - 4.
    assert fitted.n_parameters() == 23
    assert fitted.aic(rows) == pytest.approx(2 * 23 - 2 * fitted.score(rows))
    missing = rows.copy()
    missing[:500] = np.nan
    assert fitted.bic(missing) == pytest.approx(23 * np.log(1000) - 2 * fitted.score(missing))
    settings = {"observation_noise": "diagonal", "tol": 1e-3}
    bics = {n: LinearDynamicalSystem(n, **settings).fit(rows).bic(rows) for n in (1, 2)}
    assert bics[2] < bics[1]


def test_missing_cells_are_learnt_around(rows):
    holes = rows.copy()
    rng = np.random.default_rng(6)
    holes[rng.random(holes.shape) < 0.2] = np.nan
    holes[700:720] = np.nan
    found = LinearDynamicalSystem(2, tol=1e-3).fit(holes)
    np.testing.assert_allclose(np.abs(np.linalg.eigvals(found.transition_)), 0.95, atol=0.03)
    filled = found.impute(holes)
    gaps = np.isnan(holes)
    naive = np.sqrt(np.mean((rows - np.nanmean(holes, axis=0))[gaps] ** 2))
    assert np.sqrt(np.mean((filled - rows)[gaps] ** 2)) < 0.75 * naive


@pytest.mark.parametrize(
    ("settings", "check"),
    [
        (
            {"state_noise": "diagonal", "observation_noise": "spherical"},
            lambda s: s.state_noise[0, 1] == 0 and s.observation_noise[0, 0] == s.observation_noise[2, 2],
        ),
        ({"transition": [[np.nan, 0.0], [0.0, np.nan]]}, lambda s: not s.transition[[0, 1], [1, 0]].any()),
        ({"state_noise": np.eye(2)}, lambda s: (s.state_noise == np.eye(2)).all()),
        ({"observation_noise": [0.3, np.nan, np.nan]}, lambda s: s.observation_noise[0, 0] == 0.3),
        ({"observation_bias": [10.0, np.nan, 0.0]}, lambda s: (s.observation_bias[[0, 2]] == [10, 0]).all()),
        ({"initial": "stationary"}, lambda s: np.allclose(s.initial_mean, 0.0)),
        ({"initial_covariance": np.eye(2)}, lambda s: (s.initial_covariance == np.eye(2)).all()),
        ({"initial_mean": [0.0, 0.0], "state_bias": "free"}, lambda s: not s.initial_mean.any()),
        ({"observation": [[1.0, 0.0], [np.nan, 1.0], [0.0, np.nan]]}, lambda s: s.observation[0, 0] == 1.0),
    ],
)
def test_restrictions_hold(rows, settings, check):
    found = LinearDynamicalSystem(2, tol=1e-2, **settings).fit(rows[:400])
    assert check(found.system_)
    # The bias of the rows' mean is added and taken away again: 10 up to rounding, at a level of 10.
    assert found.converged_
    assert (np.diff(found.lower_bounds_) > -1e-2).all()


def test_a_stationary_fit_is_near_the_free_one(rows, fitted):
    stationary = LinearDynamicalSystem(2, initial="stationary", tol=1e-4).fit(rows)
    assert stationary.score(rows) > fitted.score(rows) - 10.0
    assert stationary.n_parameters() == 18


def test_a_diffuse_level_is_the_structural_one(tmp_path):
    """Two ways to one likelihood: EM with an augmented filter here, Newton steps with exact recursions there."""
    rng = np.random.default_rng(11)
    y = np.cumsum(rng.normal(size=120)) + 1.5 * rng.normal(size=120) + 50.0
    y[40:45] = np.nan
    level = LinearDynamicalSystem(
        1, transition=1.0, observation=1.0, observation_bias=0.0, initial="diffuse", tol=1e-9, max_iter=100
    )
    level.fit(y[:, None])
    structural = StructuralTimeSeries().fit(y)
    found = [level.observation_noise_[0, 0], level.state_noise_[0, 0]]
    np.testing.assert_allclose(found, [structural.variances_[name] for name in ("noise", "level")], rtol=1e-3)
    assert level.score(y[:, None]) == pytest.approx(structural.log_evidence_, abs=1e-6)
    future = level.forecast(y[:, None], 5, level=0.95)
    assert np.isfinite(future.upper).all()
    assert level.n_parameters() == 2
    other = load(level.save(tmp_path / "level.mixtura"))
    np.testing.assert_array_equal(other.forecast(y[:, None], 5, level=0.95).lower, future.lower)


def test_warm_start_callbacks_and_time(rows, fitted):
    seen = []
    estimator = LinearDynamicalSystem(2, tol=0.0, max_iter=3, callbacks=[lambda p: seen.append(p.step)])
    with pytest.warns(ConvergenceWarning, match=r"ran out of max_iter=3 steps .* tol=0 per row"):
        estimator.fit(rows)
    assert seen == [0, 1, 2, 3]
    reached = estimator.lower_bound_
    estimator.set_params(warm_start=True, callbacks=[lambda p: p.step == 1])
    estimator.fit(rows)
    assert estimator.stop_reason_ == "stopped"
    assert estimator.lower_bounds_[0] == pytest.approx(reached, rel=1e-12)
    hurried = LinearDynamicalSystem(2, tol=0.0, time_budget=0.0)
    with pytest.warns(ConvergenceWarning, match="time_budget=0.0 s"):
        hurried.fit(rows)
    again = LinearDynamicalSystem(2, init_params=fitted, tol=1e-3).fit(rows)
    assert again.n_iter_ < 8
    with pytest.raises(InvalidParameterError, match=r"The start has 2 states.*expected 3"):
        LinearDynamicalSystem(3, init_params=fitted).fit(rows)
    assert clone(estimator).get_params()["n_states"] == 2
    assert clone(again).fit(rows).n_iter_ == again.n_iter_
    with pytest.raises(NotFittedError):
        clone(again).smooth(rows)


def test_ctrl_c_returns_the_best_so_far(rows):
    def press(progress):
        if progress.step == 2:
            signal.raise_signal(signal.SIGINT)

    estimator = LinearDynamicalSystem(2, tol=0.0, callbacks=[press])
    with pytest.warns(InterruptedWarning, match="was interrupted after 2 steps"):
        estimator.fit(rows)
    assert estimator.stop_reason_ == "interrupted"
    assert np.isfinite(estimator.score(rows))


def test_a_file_holds_the_system(rows, fitted, tmp_path):
    restricted = LinearDynamicalSystem(
        2, transition=np.array([[np.nan, 0.0], [0.0, np.nan]]), init_params=fitted, tol=1e-2
    ).fit(rows[:300])
    for estimator in (fitted, restricted):
        other = load(estimator.save(tmp_path / "one.mixtura"))
        assert other.score(rows) == estimator.score(rows)
        np.testing.assert_array_equal(other.forecast(rows, 2).upper, estimator.forecast(rows, 2).upper)
        assert other.n_parameters() == estimator.n_parameters()
        assert other.stop_reason_ == estimator.stop_reason_
    content = read_model_file(tmp_path / "one.mixtura")
    del content.arrays["transition_"]
    write_model_file(tmp_path / "two.mixtura", content)
    with pytest.raises(ModelFileError, match=r"lacks \['transition_'\].*fit again"):
        load(tmp_path / "two.mixtura")


def test_a_frame_keeps_its_names(rows):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(rows[:200], columns=["a", "b", "c"]).assign(who=np.repeat(["x", "y"], 100))
    found = LinearDynamicalSystem(1, tol=1e-2).fit(frame, groups="who")
    assert list(found.feature_names_in_) == ["a", "b", "c"]
    table = LinearDynamicalSystem(1, tol=1e-2).fit(rows[:200], [100, 100])
    np.testing.assert_allclose(found.transition_, table.transition_)


def test_short_sequences_and_many_states_begin_neutrally():
    rng = np.random.default_rng(7)
    found = LinearDynamicalSystem(3, tol=1e-1).fit([rng.normal(size=(3, 2)) for _ in range(30)])
    assert np.isfinite(found.lower_bound_)
    with pytest.warns(ConvergenceWarning):
        one_row = LinearDynamicalSystem(1, max_iter=2).fit([[1.0, 2.0], [0.5, 1.0]])
    assert np.isfinite(one_row.score([[1.0, 2.0]]))


def test_units_do_not_matter(rows):
    scale = np.array([1e6, 1e-6, 1.0])
    plain, scaled = (LinearDynamicalSystem(2, tol=1e-3).fit(x) for x in (rows[:400], rows[:400] * scale))
    ours = plain.forecast(rows[:400], 2).mean * scale
    # Both stop within 1e-3 nats per row of the same maximum.
    away = (scaled.forecast(rows[:400] * scale, 2).mean - ours) / scale
    assert np.abs(away).max() < 0.01


def test_a_constant_column_is_warned_about(rows):
    x = rows[:200].copy()
    x[:, 1] = 4.0
    with pytest.warns(ConstantColumnWarning, match="Column 1 of X holds one value only"):
        found = LinearDynamicalSystem(1, tol=1e-2).fit(x)
    assert found.forecast(x, 1).mean[0, 1] == pytest.approx(4.0, abs=1e-2)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"lengths": [5, 6]}, InvalidDataError, r"lengths add up to 11, but X has 10 rows"),
        ({"lengths": [10, 0]}, InvalidDataError, r"Sequence 1 has 0 rows; expected at least one"),
        ({"X": np.full((10, 2), np.nan)}, InvalidDataError, r"All cells of X, 10 rows, are missing"),
        ({"X": np.column_stack([np.arange(10.0), np.full(10, np.nan)])}, InvalidDataError, r"Column 1 of X"),
        (
            {"inputs": np.ones((9, 1))},
            InvalidDataError,
            r"inputs: found shape \(9, 1\), expected \(10, n_inputs\)",
        ),
        ({"inputs": np.full((10, 1), np.nan)}, InvalidDataError, r"inputs\[0, 0\] is nan; expected a finite"),
        ({"sample_weight": [1.0, 1.0]}, InvalidDataError, r"sample_weight has shape \(2,\); expected \(1,\)"),
        ({"n_states": 0}, InvalidParameterError, r"n_states is 0; expected a whole number of at least 1"),
        ({"tol": -1.0}, InvalidParameterError, r"tol is -1.0; expected"),
        ({"min_variance": 0.0}, InvalidParameterError, r"min_variance is 0.0; expected at least 1e-10"),
        ({"form": "josef"}, InvalidParameterError, r"form is 'josef'.*Did you mean 'joseph'"),
        ({"init_params": "pca"}, InvalidParameterError, r"init_params is 'pca'"),
        ({"initial": "vague"}, InvalidParameterError, r"initial is 'vague'.*'stationary'"),
        (
            {"initial": "diffuse"},
            InvalidParameterError,
            r"observation has entries that are learnt; expected a known",
        ),
        ({"state_noise": "diag"}, InvalidParameterError, r"state_noise is 'diag'.*Did you mean 'diagonal'"),
        ({"state_noise": np.eye(3)}, InvalidParameterError, r"state_noise has shape \(3, 3\); expected"),
        ({"transition": "none"}, InvalidParameterError, r"transition is 'none'; expected 'free', a number"),
        ({"transition": np.eye(3)}, InvalidParameterError, r"transition has shape \(3, 3\); expected"),
        (
            {"transition": 1.1 * np.eye(2), "initial": "stationary"},
            InvalidParameterError,
            r"eigenvalue of size 1.1; a stationary first state needs all below 1",
        ),
        (
            {"observation_noise": np.zeros((2, 2)), "state_noise": np.zeros((2, 2))},
            InvalidDataError,
            r"Sequence 0, row \d: the covariance of what is observed given the rows before is singular",
        ),
        (
            {"state_noise": [[1.0, 2.0], [2.0, 1.0]]},
            InvalidParameterError,
            r"state_noise has an eigenvalue of -1; expected a covariance",
        ),
    ],
)
def test_what_cannot_be_is_refused(arguments, error, message):
    settings = dict(arguments)
    given = {"X": np.random.default_rng(8).normal(size=(10, 2))}
    given |= {
        name: settings.pop(name)
        for name in list(settings)
        if name in {"X", "lengths", "inputs", "sample_weight"}
    }
    estimator = LinearDynamicalSystem(**{"n_states": 2, **settings})
    with pytest.raises(error, match=message):
        estimator.fit(given.pop("X"), **given)


def test_systems_that_explode_or_are_singular_have_defined_behaviour():
    """A known unstable A is a valid law of finite sequences; so is a nilpotent one, and states without noise."""
    for transition in (1.3 * np.eye(2), np.array([[0.0, 1.0], [0.0, 0.0]]), np.zeros((2, 2))):
        system = TRUTH.replace(transition=transition, state_noise=np.diag([0.1, 0.0]))
        estimator = fixed(system)
        x = estimator.sample(12, random_state=0)[0]
        chain = LinearGaussianChain(system)
        batch = Batch(x.T, np.ones(12), np.array([0, 12]))
        _, _, log_prob = conditional(system, x)
        assert estimator.score(x) == pytest.approx(log_prob, rel=1e-9)
        assert estimator.score(x) == pytest.approx(chain.summarize(batch, {}).log_evidence, rel=1e-12)


def test_what_was_fitted_with_inputs_asks_for_them():
    u = np.random.default_rng(9).normal(size=(60, 2))
    x = np.random.default_rng(10).normal(size=(60, 1)) + u[:, :1]
    found = LinearDynamicalSystem(1, tol=1e-2).fit(x, inputs=u)
    with pytest.raises(InvalidDataError, match=r"fitted with 2 of them; expected shape \(60, 2\)"):
        found.smooth(x)
    with pytest.raises(InvalidDataError, match=r"fitted with 2 of them; expected shape \(4, 2\)"):
        found.forecast(x, 4, inputs=u)
    with pytest.raises(InvalidDataError, match=r"inputs: found shape \(60, 1\), expected \(60, 2\)"):
        found.filter(x, inputs=u[:, :1])


def test_inputs_are_checked_in_the_order_in_which_they_are_given():
    x, u = np.random.default_rng(11).normal(size=(6, 1)), np.zeros((6, 1))
    names = ["b", "a", "b", "a", "b", "a"]
    with pytest.raises(InvalidDataError, match=r"inputs: found shape \(9, 1\), expected \(6, n_inputs\)"):
        LinearDynamicalSystem().fit(x, inputs=np.zeros((9, 1)), groups=names)
    u[4, 0] = np.inf
    with pytest.raises(InvalidDataError, match=r"inputs\[4, 0\] is inf; expected a finite number"):
        LinearDynamicalSystem().fit(x, inputs=u, groups=names)


@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, -1e8])
def test_columns_that_are_all_constant_are_learnt_all_the_same(value):
    constant = np.full((30, 2), value)
    with pytest.warns(ConstantColumnWarning, match="Column 0"):
        model = LinearDynamicalSystem(1).fit(constant)
    np.testing.assert_allclose(model.forecast(constant, 2).mean, value, rtol=1e-6, atol=1e-6)
    assert np.isfinite(model.score(constant))


def test_values_whose_squares_overflow_are_refused(rows):
    large = rows.copy()
    large[3, 1] = -1e200
    with pytest.raises(InvalidDataError, match=r"Row 3, column 1 of X is -1e\+200, whose square overflows"):
        LinearDynamicalSystem(1).fit(large)
