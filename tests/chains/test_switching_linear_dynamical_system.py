"""The user class of switching systems: truth found, forecasts, draws, files, bad input."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from mixtura.exceptions import ConvergenceWarning, InvalidDataError, InvalidParameterError, ModelFileError
from mixtura.models import SwitchingLinearDynamicalSystem, load
from mixtura.persistence import ModelFile, read_model_file, write_model_file


def drawn(seed=0, n_steps=400):
    """Two rotations, a slow and a fast one, seen through three columns."""
    rng = np.random.default_rng(seed)
    turns = [
        radius * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
        for a, radius in ((0.1, 0.99), (0.7, 0.97))
    ]
    looks = np.array([[1.0, 0.3], [-0.5, 1.0], [0.7, 0.7]])
    regimes, z = np.zeros(n_steps, dtype=int), np.zeros((n_steps, 2))
    for t in range(1, n_steps):
        regimes[t] = regimes[t - 1] if rng.uniform() < 0.98 else 1 - regimes[t - 1]
        z[t] = turns[regimes[t]] @ z[t - 1] + 0.15 * rng.normal(size=2)
    return z @ looks.T + 3.0 + 0.1 * rng.normal(size=(n_steps, 3)), regimes


X, REGIMES = drawn()


@pytest.fixture(scope="module")
def found():
    return SwitchingLinearDynamicalSystem(2, 2, n_init=2, tol=1e-4, random_state=0).fit(X)


def aligned(model):
    """Which regime is the slow one."""
    angles = [np.abs(np.angle(np.linalg.eigvals(matrix))).max() for matrix in model.transition_]
    return np.argsort(angles), np.sort(angles)


def test_truth_is_found(found):
    order, angles = aligned(found)
    assert found.converged_
    assert np.mean(found.predict(X) == order[REGIMES]) > 0.96
    np.testing.assert_allclose(angles, [0.1, 0.7], atol=0.06)
    np.testing.assert_allclose(np.diag(found.transmat_), 0.98, atol=0.03)
    np.testing.assert_allclose(np.diag(found.observation_noise_), 0.01, atol=0.006)
    assert np.all(np.diff(found.lower_bounds_) > -1e-10)
    assert found.lower_bound_ == max(found.objectives_)


def test_rows_seen_again_say_the_same(found):
    # A pass that remembers nothing ends near the one that ended the fit.
    assert found.score(X) == pytest.approx(found.lower_bound_, abs=1e-3)
    shares = found.predict_proba(X)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    np.testing.assert_array_equal(shares.argmax(axis=1), found.predict(X))
    mean, covariance = found.smooth(X)
    assert covariance.shape == (400, 2, 2)
    left = X - mean @ found.observation_.T - found.observation_bias_
    assert np.all(left.std(axis=0) < 0.15)


def test_several_sequences_and_missing_cells(found):
    gaps = X.copy()
    gaps[::9, 1] = np.nan
    gaps[50:53] = np.nan
    one = found.predict(gaps, lengths=[150, 250])
    two = found.predict([gaps[:150], gaps[150:]])
    np.testing.assert_array_equal(one, two)
    assert np.mean(one == found.predict(X)) > 0.95
    again = clone(found).set_params(n_init=1, tol=1e-3).fit([gaps[:150], gaps[150:]])
    _, angles = aligned(again)
    np.testing.assert_allclose(angles, [0.1, 0.7], atol=0.1)


def test_one_regime_loses_to_two(found):
    one = SwitchingLinearDynamicalSystem(1, 2, n_init=1, tol=1e-2).fit(X)
    assert found.bic(X) < one.bic(X)
    assert found.aic(X) < one.aic(X)
    # A linear map and a shift of the states change nothing.
    assert one.n_parameters() == (6 + 3) + (3 + 6 + 3) + (2 + 3) - 6
    assert found.n_parameters() == one.n_parameters() + 3 + 9


def test_forecasts(found):
    ahead = found.forecast(X, 4, level=0.8, random_state=1)
    assert ahead.mean.shape == ahead.lower.shape == (4, 3)
    assert np.all((ahead.lower < ahead.mean) & (ahead.mean < ahead.upper))
    last = found.predict_proba(X)[-1]
    for t in range(4):
        last = last @ found.transmat_
        np.testing.assert_allclose(ahead.regimes[t], last, rtol=1e-10)
    # One step: the two regimes' normal laws, mixed; five standard errors of 2,000 paths.
    mean, _ = found.smooth(X)
    expected = sum(
        share * (found.observation_ @ (matrix @ mean[-1] + offset) + found.observation_bias_)
        for share, matrix, offset in zip(ahead.regimes[0], found.transition_, found.state_bias_, strict=True)
    )
    assert np.all(np.abs(ahead.mean[0] - expected) < 5 * ahead.standard_deviation[0] / np.sqrt(2000))


def test_draws_look_like_the_rows(found):
    rows, regimes, states = found.sample(1500, random_state=3)
    assert rows.shape == (1500, 3)
    assert states.shape == (1500, 2)
    stays = np.mean(regimes[1:] == regimes[:-1])
    assert stays == pytest.approx(np.trace(found.transmat_) / 2, abs=0.02)
    assert np.mean(found.predict(rows) == regimes) > 0.95


def test_a_distant_origin_and_other_units_change_nothing(found):
    other = clone(found).fit(1e3 * X + 1e8)
    assert other.lower_bound_ == pytest.approx(found.lower_bound_ - 3 * np.log(1e3), abs=1e-3)
    np.testing.assert_allclose(
        other.observation_bias_ - 1e8, 1e3 * found.observation_bias_, rtol=0.01, atol=10.0
    )
    np.testing.assert_array_equal(other.predict(1e3 * X + 1e8), found.predict(X))


def test_a_known_observation_matrix_stays():
    rng = np.random.default_rng(2)
    regimes, x = np.repeat([0, 1, 0, 1], 75), np.zeros(300)
    for t in range(1, 300):
        x[t] = (0.95, -0.8)[regimes[t]] * x[t - 1] + rng.normal()
    model = SwitchingLinearDynamicalSystem(2, observation=[[1.0]], n_init=2, tol=1e-4, random_state=0)
    model.fit(x[:, None])
    np.testing.assert_array_equal(model.observation_, [[1.0]])
    np.testing.assert_allclose(np.sort(model.transition_.ravel()), [-0.8, 0.95], atol=0.12)
    agreement = np.mean(model.predict(x[:, None]) == regimes)
    assert max(agreement, 1 - agreement) > 0.85
    assert model.n_parameters() == 3 + 2 * 3 + 2 + 2 - 1


def test_more_states_than_columns():
    # One column of a rotation: the state needs two dimensions, guessed from the last two rows.
    model = SwitchingLinearDynamicalSystem(2, 2, n_init=1, tol=1e-2, random_state=0).fit(X[:, :1])
    order, _ = aligned(model)
    assert np.mean(model.predict(X[:, :1]) == order[REGIMES]) > 0.9


def test_files_keep_everything(found, tmp_path):
    again = load(found.save(tmp_path / "one.mixtura"))
    np.testing.assert_array_equal(again.predict_proba(X), found.predict_proba(X))
    assert again.lower_bound_ == found.lower_bound_
    content = read_model_file(tmp_path / "one.mixtura")
    write_model_file(tmp_path / "two.mixtura", ModelFile(content.kind, content.settings, {}, content.arrays))
    with pytest.raises(ModelFileError, match="lacks \\['_floor'"):
        load(tmp_path / "two.mixtura")


def test_running_out_of_steps_is_said():
    with pytest.warns(ConvergenceWarning, match="ran out of max_iter=2 steps"):
        SwitchingLinearDynamicalSystem(2, 2, n_init=1, max_iter=2, random_state=0).fit(X[:100])


BAD = [
    ({"n_regimes": 0}, X, InvalidParameterError, "n_regimes is 0; expected a whole number of at least 1"),
    ({"n_states": 1.5}, X, InvalidParameterError, "n_states is 1.5"),
    ({"n_init": 0}, X, InvalidParameterError, "n_init is 0"),
    (
        {"observation": [[1.0]]},
        X,
        InvalidParameterError,
        r"observation has shape \(1, 1\); expected .* \(3, 1\)",
    ),
    (
        {"observation": np.zeros((3, 1))},
        X,
        InvalidParameterError,
        "observation is of rank 0; expected full column rank",
    ),
    ({}, X[:8], InvalidDataError, "X has 8 steps in 1 sequences; expected at least 12 moves"),
    ({}, X[:, 0], InvalidDataError, r"X has shape \(400,\)"),
    ({}, [["a", "b"]] * 30, InvalidDataError, "X"),
    ({}, np.where(np.arange(400)[:, None] == 7, np.inf, X), InvalidDataError, "row 7, column 0 is inf"),
    (
        {},
        np.where(np.arange(400)[:, None] == 7, 1e200, X),
        InvalidDataError,
        r"column 0 is 1e\+200; expected .* below 1e",
    ),
    ({}, None, InvalidDataError, "X is None; expected rows"),
    ({}, np.column_stack([X, np.full(400, np.nan)]), InvalidDataError, "column 3 is missing in all rows"),
    ({}, np.column_stack([X, np.ones(400)]), InvalidDataError, "column 3 has one value in all rows"),
]


@pytest.mark.parametrize(("settings", "rows", "error", "message"), BAD)
def test_bad_input(settings, rows, error, message):
    with pytest.raises(error, match=message):
        SwitchingLinearDynamicalSystem(**settings).fit(rows)


def test_bad_input_after_the_fit(found):
    with pytest.raises(InvalidDataError, match="X has 2 columns; expected 3"):
        found.predict(X[:, :2])
    with pytest.raises(InvalidDataError, match="lengths"):
        found.predict(X, lengths=[100, 100])
    with pytest.raises(NotFittedError):
        SwitchingLinearDynamicalSystem().predict(X)
    with pytest.raises(InvalidParameterError, match="n_steps is 0"):
        found.forecast(X, 0)


@pytest.mark.parametrize("unit", [1e-8, 1e-4, 1e8])
@pytest.mark.parametrize("known", ["free", [[1.0]]])
def test_units_do_not_matter(unit, known):
    rng = np.random.default_rng(0)
    x = np.zeros((160, 1))
    for t in range(1, 160):
        x[t] = (0.95, -0.8)[t // 40 % 2] * x[t - 1] + rng.normal()
    one, other = (
        SwitchingLinearDynamicalSystem(2, 1, observation=known, n_init=1, tol=1e-3, random_state=0).fit(rows)
        for rows in (x, unit * x)
    )
    np.testing.assert_allclose(other.transition_, one.transition_, rtol=1e-6)
    assert other.lower_bound_ + np.log(unit) == pytest.approx(one.lower_bound_, abs=1e-9)
    np.testing.assert_array_equal(other.predict(unit * x), one.predict(x))
