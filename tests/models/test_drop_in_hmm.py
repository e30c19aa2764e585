"""The classes with hmmlearn's names: what they refuse, keep, and do better; equality with hmmlearn is in tests/parity."""

import re
import warnings

import numpy as np
import pytest
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import oracles_penalized
from mixtura import models
from mixtura.components import Gaussian
from mixtura.exceptions import (
    ConvergenceWarning,
    InterruptedWarning,
    InvalidDataError,
    InvalidParameterError,
    ModelFileError,
    SpuriousSolutionWarning,
    StartOverwrittenWarning,
)
from mixtura.families import FamilyComponents, Poisson
from mixtura.models import (
    GMMHMM,
    CategoricalHMM,
    ConvergenceMonitor,
    GaussianHMM,
    MultinomialHMM,
    PoissonHMM,
    load,
)
from mixtura.persistence.model_file import read_model_file, write_model_file

RNG = np.random.default_rng(4)
STATE = np.repeat([0, 1, 0, 1, 0], 30)
X = np.array([[0.0, 0.0], [4.0, 1.0]])[STATE] + RNG.normal(size=(150, 2))
SYMBOLS = np.where(RNG.random(150) < 0.8, STATE, 2)[:, None]
COUNTS = np.array([RNG.multinomial(6, [0.7, 0.2, 0.1] if s else [0.1, 0.3, 0.6]) for s in STATE])
EVENTS = RNG.poisson(np.array([[2.0, 8.0], [7.0, 1.0]])[STATE])
MODELS = {
    "gaussian": (GaussianHMM, {}, X),
    "gaussian, full": (GaussianHMM, {"covariance_type": "full"}, X),
    "gaussian, tied": (GaussianHMM, {"covariance_type": "tied"}, X),
    "gaussian, spherical": (GaussianHMM, {"covariance_type": "spherical"}, X),
    "categorical": (CategoricalHMM, {}, SYMBOLS),
    "multinomial": (MultinomialHMM, {}, COUNTS),
    "poisson": (PoissonHMM, {}, EVENTS),
    "gmm": (GMMHMM, {"n_mix": 2}, X),
    "gmm, full": (GMMHMM, {"n_mix": 2, "covariance_type": "full"}, X),
    "gmm, tied": (GMMHMM, {"n_mix": 2, "covariance_type": "tied"}, X),
    "gmm, spherical": (GMMHMM, {"n_mix": 2, "covariance_type": "spherical"}, X),
}


def made(name, **more):
    cls, settings, rows = MODELS[name]
    return cls(2, random_state=1, **({"n_iter": 30} | settings | more)), rows


def quietly(model, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(*args, **kwargs)


@pytest.fixture(scope="module")
def fitted():
    return {name: quietly(*made(name)) for name in MODELS}


# --- files, copies, records ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", MODELS)
def test_a_file_holds_all_of_it(fitted, name, tmp_path):
    model, rows = fitted[name], MODELS[name][2]
    again = load(model.save(tmp_path / "chain.mixtura"))
    assert type(again) is type(model)
    assert again.score(rows) == model.score(rows)
    np.testing.assert_array_equal(again.predict(rows), model.predict(rows))
    assert list(again.monitor_.history) == list(model.monitor_.history)
    given, kept = model.get_params(), again.get_params()
    assert {key: str(value) for key, value in kept.items()} == {
        key: str(value) for key, value in given.items()
    }
    np.testing.assert_array_equal(again.sample(20, random_state=3)[0], model.sample(20, random_state=3)[0])


def test_priors_and_parameters_set_by_hand_are_in_the_file(tmp_path):
    model = GaussianHMM(2, startprob_prior=np.array([2.0, 3.0]), covariance_type="tied")
    model.startprob_, model.transmat_ = [0.5, 0.5], [[0.9, 0.1], [0.2, 0.8]]
    model.means_, model.covars_ = [[0.0], [4.0]], [[2.0]]
    again = load(model.save(tmp_path / "hand.mixtura"))
    np.testing.assert_array_equal(again.startprob_prior, [2.0, 3.0])
    np.testing.assert_array_equal(again.covars_, [[[2.0]], [[2.0]]])
    assert again.score([[0.1], [3.0]]) == model.score([[0.1], [3.0]])


def test_a_file_of_another_version_is_refused(fitted, tmp_path):
    path = fitted["poisson"].save(tmp_path / "chain.mixtura")
    content = read_model_file(path)
    content.settings["n_moods"] = 3
    write_model_file(path, content)
    with pytest.raises(ModelFileError, match="n_moods"):
        load(path)


@pytest.mark.parametrize("name", MODELS)
def test_a_clone_has_settings_and_no_results(fitted, name):
    copy = clone(fitted[name])
    assert not hasattr(copy, "startprob_")
    with pytest.raises(NotFittedError):
        copy.score(MODELS[name][2])


@pytest.mark.parametrize("name", MODELS)
def test_the_record_tells_how_it_went(fitted, name):
    model = fitted[name]
    assert model.monitor_.converged
    assert model.n_iter_ == model.monitor_.iter == len(model.monitor_.history)
    assert model.converged_ == (model.stop_reason_ == "converged")
    assert model.score(MODELS[name][2]) >= model.monitor_.history[-1] - 1e-6
    assert "history" in repr(model.monitor_)


@pytest.mark.parametrize("name", MODELS)
def test_the_objective_never_falls(name):
    """Not asked of the log-likelihood alone: that may fall where there are priors."""
    model, rows = made(name, tol=-np.inf, startprob_prior=2.0, transmat_prior=3.0)
    quietly(model, rows, [100, 50])
    steps = np.diff(model.lower_bounds_)
    assert steps.min() >= -1e-12


def test_the_last_step_is_the_mode_of_the_posterior():
    model, rows = made("gaussian, full", n_iter=400, tol=1e-10, means_prior=1.0, means_weight=5.0)
    model.covars_prior, model.covars_weight, model.transmat_prior = 2.0 * np.eye(2), 6.0, 4.0
    model.fit(rows)

    def objective(means, covars, transmat):
        other = clone(model)
        other.startprob_, other.means_, other.covars_, other.transmat_ = (
            model.startprob_,
            means,
            covars,
            transmat,
        )
        prior = 3.0 * np.log(transmat).sum()
        for mean, matrix in zip(means, covars, strict=True):
            precision = np.linalg.inv(matrix)
            prior -= 0.5 * (5.0 * (mean - 1.0) @ precision @ (mean - 1.0) + np.trace(2.0 * precision))
            prior -= 0.5 * 4.0 * np.linalg.slogdet(matrix)[1]
        return other.score(rows) + prior

    best = objective(model.means_, model.covars_, model.transmat_)
    rng = np.random.default_rng(0)
    for size in (0.1, 0.01):
        for _ in range(10):
            turn = np.eye(2) + size * rng.normal(size=(2, 2))
            moves = model.transmat_ * np.exp(size * rng.normal(size=(2, 2)))
            value = objective(
                model.means_ + size * rng.normal(size=(2, 2)),
                turn @ model.covars_ @ turn.T,
                moves / moves.sum(axis=1, keepdims=True),
            )
            assert value <= best + 1e-7  # what the last steps still had to gain


# --- against loops ------------------------------------------------------------------------------------------------
def test_a_step_of_a_mixture_against_loops():
    model = GMMHMM(
        1, n_mix=2, init_params="", n_iter=1, weights_prior=np.array([[2.0, 3.0]]), means_prior=0.5
    )
    model.means_weight, model.covars_prior, model.covars_weight = np.array([[1.0, 4.0]]), 2.0, 1.5
    model.startprob_, model.transmat_ = [1.0], [[1.0]]
    model.weights_, model.means_ = [[0.3, 0.7]], [[[0.0, 1.0], [3.0, 0.5]]]
    model.covars_ = [[[1.0, 2.0], [1.5, 0.7]]]
    prior = {"pseudo": [2.0, 3.0], "mean": [[0.5, 0.5]] * 2, "worth": [1.0, 4.0], "alpha": 2.0, "beta": 1.5}
    begun = model.weights_[0], model.means_[0], model.covars_[0]
    expected = oracles_penalized.mixture_step(X[:40].tolist(), *begun, prior)
    model.fit(X[:40])
    for attribute, value in zip(("weights_", "means_", "covars_"), expected, strict=True):
        np.testing.assert_allclose(getattr(model, attribute)[0], value, rtol=1e-11)


def test_a_step_of_tied_gaussians_against_loops():
    model = setting(GaussianHMM(2, "tied", init_params="", n_iter=1), "startprob_", [0.5, 0.5], np.eye(2))
    model.means_prior, model.means_weight, model.covars_prior, model.covars_weight = 0.5, 3.0, 0.7, 6.0
    resp = model.predict_proba(X[:50])
    expected = oracles_penalized.tied_step(
        X[:50].tolist(), resp.tolist(), [[0.5, 0.5]] * 2, 3.0, [[0.7, 0.7]] * 2, 6.0 - 2.0
    )
    model.fit(X[:50])
    np.testing.assert_allclose(model.means_, expected[0], rtol=1e-11)
    np.testing.assert_allclose(model.covars_[0], expected[1], rtol=1e-11)


@pytest.mark.parametrize("kind", ["gaussian", "poisson"])
def test_without_priors_the_general_chain_is_the_same(kind):
    start = {"startprob": [0.6, 0.4], "transmat": [[0.8, 0.2], [0.3, 0.7]]}
    if kind == "gaussian":
        rows, laws = X, Gaussian(np.array([[0.5, 0.0], [3.0, 1.0]]), np.stack([np.eye(2), 2 * np.eye(2)]))
        model = GaussianHMM(2, "full", init_params="", n_iter=5, tol=-np.inf, covars_prior=0.0)
        model.means_, model.covars_ = laws.mean, laws.covariance
    else:
        rows, laws = EVENTS, FamilyComponents(Poisson()).from_mean(np.array([[3.0, 6.0], [6.0, 2.0]]))
        model = PoissonHMM(2, init_params="", n_iter=5, tol=-np.inf)
        model.lambdas_ = laws.mean
    model.startprob_, model.transmat_ = start["startprob"], start["transmat"]
    quietly(model, rows, [90, 60])
    general = quietly(models.HMM(laws, 2, max_iter=5, tol=0.0, **start), rows, [90, 60])
    np.testing.assert_allclose(model.transmat_, general.transmat_, rtol=1e-9)
    assert model.score(rows) == pytest.approx(general.score(rows), rel=1e-11)


# --- better than the original -------------------------------------------------------------------------------------
def test_variances_alone_are_learnt_about_the_means():
    """Where means are not learnt hmmlearn takes raw second moments over 1e-5."""
    model = GaussianHMM(2, params="c", init_params="", n_iter=1, covars_prior=0.0)
    model.startprob_, model.transmat_ = [0.5, 0.5], [[0.9, 0.1], [0.1, 0.9]]
    model.means_, model.covars_ = [[0.0, 0.0], [4.0, 1.0]], np.ones((2, 2))
    resp = model.predict_proba(X)
    model.fit(X)
    squares = (X[:, None] - model.means_) ** 2
    expected = np.einsum("nk,nkd->kd", resp, squares) / resp.sum(axis=0)[:, None]
    np.testing.assert_allclose(model.covars_, expected[:, :, None] * np.eye(2), rtol=1e-12)


@pytest.mark.parametrize("kind", ["spherical", "diag", "full", "tied"])
def test_covariances_are_read_as_matrices_and_set_as_read(fitted, kind):
    model = fitted["gaussian" if kind == "diag" else f"gaussian, {kind}"]
    assert model.covars_.shape == (2, 2, 2)
    other = clone(model)
    other.means_ = model.means_
    other.covars_ = model.covars_
    np.testing.assert_array_equal(other._covars_, model._covars_)


def test_a_fitted_spherical_chain_samples_with_each_states_own_variance():
    model = GaussianHMM(2, "spherical", init_params="", n_iter=1, random_state=0)
    model.startprob_, model.transmat_ = [0.5, 0.5], np.full((2, 2), 0.5)
    model.means_, model.covars_ = [[0.0, 0.0], [50.0, 50.0]], [1.0, 9.0]
    x, z = model.sample(400)
    model.fit(x)
    x, z = model.sample(4000, random_state=1)
    spread = [x[z == k].std() for k in (0, 1)]
    np.testing.assert_allclose(spread, [1.0, 3.0], rtol=0.1)  # about four standard errors


@pytest.mark.parametrize("name", MODELS)
def test_a_state_that_nothing_visits_stays(name):
    """There hmmlearn divides by zero."""
    letters = "".join(letter for letter in MODELS[name][0]().params if letter not in "st")
    model, rows = made(name, init_params=letters, n_iter=5)
    model.startprob_, model.transmat_ = [1.0, 0.0], [[1.0, 0.0], [0.5, 0.5]]
    quietly(model, rows)
    assert np.isfinite(model.score(rows))
    assert (model.predict(rows) == 0).all()
    np.testing.assert_array_equal(model.transmat_[1], [0.5, 0.5])


@pytest.mark.parametrize("kind", ["spherical", "diag", "full", "tied"])
def test_equal_rows_do_not_end_a_fit_of_mixtures(kind):
    """Variances go towards zero; hmmlearn's fit ends in NaN or an error."""
    rows = np.repeat([[0.0, 1.0], [5.0, 3.0], [9.0, -2.0]], 20, axis=0)
    model = GMMHMM(2, n_mix=2, covariance_type=kind, random_state=0, n_iter=40, tol=-np.inf)
    quietly(model, rows)
    assert np.isfinite(model.score(rows))
    assert np.isfinite(model.covars_).all()


def test_rows_far_from_the_origin():
    """hmmlearn's raw moments leave NaN."""
    near, far = made("gaussian", n_iter=15)[0], made("gaussian", n_iter=15)[0]
    quietly(near, X)
    quietly(far, X + 1e8)
    np.testing.assert_allclose(
        far.means_ - 1e8, near.means_, atol=1e-6
    )  # X + 1e8 has eight digits after the point
    np.testing.assert_allclose(far.covars_, near.covars_, rtol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_a_list_of_tables_is_tables_with_lengths(name):
    one, rows = made(name)
    other, _ = made(name)
    quietly(one, rows, [70, 80])
    quietly(other, [rows[:70], rows[70:]])
    np.testing.assert_array_equal(one.transmat_, other.transmat_)
    assert other.score([rows[:70], rows[70:]]) == one.score(rows, [70, 80])


@pytest.mark.parametrize("kind", ["spherical", "diag", "full", "tied"])
@pytest.mark.parametrize("seed", range(4))
def test_hard_rows_end_in_a_model(kind, seed):
    """Few rows, constant and equal ones, columns of scales a million millions apart: no NaN, no error, and no objective that falls."""
    rng = np.random.default_rng(seed)
    width, size = int(rng.integers(2, 5)), int(rng.integers(8, 40))
    rows = rng.normal(size=(size, width)) * 10.0 ** rng.integers(-6, 6, size=width) + 1000.0 * (seed % 2)
    rows[:, 0] = rows[0, 0] if seed == 1 else rows[:, 0]
    rows = rows[rng.integers(0, 3, size=size)] if seed == 2 else rows
    for model in (
        GaussianHMM(3, kind, covars_prior=0.0),
        GaussianHMM(3, kind),
        GMMHMM(2, n_mix=2, covariance_type=kind),
    ):
        model.set_params(random_state=0, n_iter=30, tol=-np.inf)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SpuriousSolutionWarning)
            quietly(model, rows, [size // 2, size - size // 2])
        assert np.isfinite(model.score(rows))
        assert np.isfinite(model.predict_proba(rows)).all()


def test_weights_of_sequences_are_repetitions():
    model, rows = made("gaussian")
    quietly(model, rows, [100, 50], sample_weight=[2, 1])
    other, _ = made("gaussian", init_params="")
    start, _ = made("gaussian")
    start._init(rows)
    for attribute in ("startprob_", "transmat_", "means_"):
        setattr(other, attribute, getattr(start, attribute))
    other.covars_ = start.covars_
    quietly(other, np.concatenate([rows[:100], rows]), [100, 100, 50])
    # Origins of the sums differ, so the last digits do.
    np.testing.assert_allclose(model.means_, other.means_, rtol=1e-9)
    np.testing.assert_allclose(model.transmat_, other.transmat_, rtol=1e-8)


def test_steps_and_cells_that_are_missing():
    rows = X.copy()
    rows[10:14] = np.nan
    rows[60, 0] = np.nan
    model, _ = made("gaussian, full")
    quietly(model, rows)
    assert np.isfinite(model.score(rows))
    # A step that is not seen is summed over: against the recursion by hand.
    scores = Gaussian(model.means_, model.covars_)
    logs = np.zeros((150, 2))
    shown = ~np.isnan(rows[:, 0]) & ~np.isnan(rows[:, 1])
    from mixtura.protocols import Encoding

    logs[shown] = scores.log_prob(scores.encode(rows[shown].T, Encoding(2))).T
    one = -0.5 * (
        np.log(2 * np.pi * model.covars_[:, 1, 1])
        + (rows[60, 1] - model.means_[:, 1]) ** 2 / model.covars_[:, 1, 1]
    )
    logs[60] = one
    forward = np.log(model.startprob_ + 1e-300) + logs[0]
    for t in range(1, 150):
        forward = logsumexp(forward[:, None] + np.log(model.transmat_), axis=0) + logs[t]
    assert model.score(rows) == pytest.approx(logsumexp(forward), rel=1e-10)


def test_known_states_are_kept():
    model, rows = made("gaussian")
    labels = np.full(150, -1)
    labels[:5], labels[30:35] = 1, 0
    quietly(model, rows, labels=labels)
    assert model.means_[1, 0] < model.means_[0, 0]


# --- stopping and warnings ----------------------------------------------------------------------------------------
def test_running_out_of_steps_is_said():
    model, rows = made("gaussian", n_iter=3, tol=0.0)
    with pytest.warns(ConvergenceWarning, match="n_iter=3.*Increase n_iter"):
        model.fit(rows)
    assert model.monitor_.converged  # as in hmmlearn
    assert not model.converged_


def test_no_step_leaves_the_start():
    model, rows = made("gaussian", n_iter=0)
    model.fit(rows)
    assert model.monitor_.iter == 0
    np.testing.assert_allclose(np.sort(model.means_[:, 0]), [0.0, 4.0], atol=0.5)


def test_a_monitor_of_ones_own_stops_the_fit():
    class Three(ConvergenceMonitor):
        @property
        def converged(self):
            return self.iter == 3

    model, rows = made("poisson", tol=0.0)
    model.monitor_ = Three(0.0, 30, verbose=False)
    model.fit(rows)
    assert model.monitor_.iter == model.n_iter_ == 3
    assert model.stop_reason_ == "stopped"
    assert isinstance(model.monitor_, Three)


def test_a_monitor_of_the_class_has_the_present_settings():
    model, rows = made("gaussian", tol=-np.inf)
    assert model.monitor_.n_iter == 30
    model.n_iter = 4
    quietly(model, rows)
    assert model.monitor_.iter == model.monitor_.n_iter == 4


def test_steps_are_written_to_standard_error(capsys):
    model, rows = made("gaussian", n_iter=2, verbose=True, tol=0.0)
    quietly(model, rows)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[0].split()[0] == "1"
    assert lines[0].endswith("nan")


def test_parameters_set_by_hand_are_not_overwritten_silently():
    model, rows = made("gaussian")
    model.transmat_ = np.full((2, 2), 0.5)
    with pytest.warns(
        StartOverwrittenWarning, match=r"transmat_ is set.*contains 't'.*Leave that letter out"
    ):
        quietly(model, rows)
    with warnings.catch_warnings():
        warnings.simplefilter("error", StartOverwrittenWarning)
        quietly(model, rows)  # what a fit learnt is no loss


def test_too_few_values_are_said():
    model, _ = made("gaussian, full")
    with pytest.warns(
        SpuriousSolutionWarning, match="13 free numbers to learn from 8 values.*Use fewer states"
    ):
        quietly(model, X[[0, 1, 40, 41]])


def test_ctrl_c_keeps_the_model_so_far():
    import signal

    class Pressed(ConvergenceMonitor):
        def report(self, log_prob):
            super().report(log_prob)
            if self.iter == 2:
                signal.raise_signal(signal.SIGINT)

    model, rows = made("gaussian", tol=-np.inf)
    model.monitor_ = Pressed(-np.inf, 30, verbose=False)
    with pytest.warns(InterruptedWarning, match="interrupted after 2 steps"):
        model.fit(rows)
    assert model.stop_reason_ == "interrupted"


# --- what is refused ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_components": 0}, r"n_components is 0; expected a whole number of at least 1"),
        ({"n_iter": 2.5}, r"n_iter is 2.5; expected a whole number of at least 0"),
        ({"tol": "little"}, r"tol is 'little'; expected a number"),
        ({"tol": np.nan}, r"tol is nan; expected a number"),
        ({"algorithm": "viterby"}, r"algorithm is 'viterby'.*viterbi"),
        ({"implementation": "logs"}, r"implementation is 'logs'.*log"),
        ({"params": "stx"}, r"params is 'stx'; expected letters of.*Leave 'x' out"),
        ({"init_params": "e"}, r"init_params is 'e'; expected letters of"),
        ({"covariance_type": "diagonal"}, r"covariance_type is 'diagonal'.*diag"),
        ({"transmat_prior": np.ones(5)}, r"transmat_prior has shape \(5,\).*shape \(2, 2\)"),
        ({"means_prior": np.ones((3, 2))}, r"means_prior has shape \(3, 2\)"),
        ({"covars_prior": np.nan}, r"covars_prior is nan; expected finite numbers"),
        (
            {"covariance_type": "full", "means_weight": np.array([[1.0, 2.0]])},
            r"Weights of the prior means differ between columns",
        ),
    ],
)
def test_settings_outside_their_domain(settings, message):
    model = GaussianHMM(**({"n_components": 2, "random_state": 0} | settings))
    with pytest.raises(InvalidParameterError, match=message):
        quietly(model, X)


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("startprob_", [0.5, 0.6], r"startprob_ must sum to 1.*sum 1.1.*Divide them by their sum"),
        ("startprob_", [1.5, -0.5], r"expected probabilities of at least 0"),
        ("startprob_", [1.0], r"startprob_ has shape \(1,\); expected \(2,\)"),
        ("transmat_", [[1.0, 0.0], [0.0, 0.0]], r"transmat_, row 1, must sum to 1.*sum 0"),
        ("transmat_", np.ones((3, 3)) / 3, r"transmat_ has shape \(3, 3\); expected \(2, 2\)"),
        ("means_", [0.0, 1.0], r"means_ has shape \(2,\); expected \(2, n_features\)"),
        ("covars_", [[1.0, 0.0], [1.0, 1.0]], r"covars_\[0, 1\] is 0; expected variances above 0"),
        ("covars_", [1.0, 2.0], r"covars_ of type 'diag' has shape \(2,\); expected \(2, n_features\)"),
    ],
)
def test_parameters_that_are_none(attribute, value, message):
    model = GaussianHMM(2)
    with pytest.raises(InvalidParameterError, match=message):
        setting(model, attribute, value).score(X)


def setting(model, attribute, value, covars=None):
    model.startprob_, model.transmat_ = [0.5, 0.5], [[0.9, 0.1], [0.1, 0.9]]
    model.means_, model.covars_ = [[0.0, 0.0], [1.0, 1.0]], np.ones((2, 2)) if covars is None else covars
    setattr(model, attribute, value)
    return model


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("full", [[[1.0, 0.5], [0.2, 1.0]]] * 2, r"covars_\[0\] is not symmetric"),
        ("full", [np.eye(2), [[1.0, 2.0], [2.0, 1.0]]], r"covars_\[1\] has smallest eigenvalue -1"),
        ("full", np.ones((2, 2)), r"'full' has shape \(2, 2\); expected \(2, n_features, n_features\)"),
        ("tied", [[1.0, np.nan], [np.nan, 1.0]], r"covars_"),
        (
            "spherical",
            [1.0, 2.0, 3.0],
            r"'spherical' has shape \(3,\); expected \(2,\), one variance for each state",
        ),
        ("spherical", [[1.0, 2.0], [1.0, 1.0]], r"one variance for each state"),
        ("spherical", [1.0, -1.0], r"covars_\[1\] is -1; expected variances above 0"),
    ],
)
def test_covariances_that_are_none(kind, value, message):
    model = GaussianHMM(2, kind)
    with pytest.raises(InvalidParameterError, match=message):
        model.covars_ = value


def test_covariances_not_set_yet():
    with pytest.raises(AttributeError, match="no covars_ yet: fit it, or set them"):
        GaussianHMM(2).covars_  # noqa: B018 - reading raises


@pytest.mark.parametrize(
    ("name", "rows", "lengths", "message"),
    [
        ("gaussian", X, [100, 49], r"lengths add up to 149, but X has 150 rows"),
        ("gaussian", X, [150, 0], r"Sequence 1 has 0 rows"),
        ("gaussian", np.full((5, 2), np.nan), None, r"missing"),
        (
            "categorical",
            SYMBOLS.astype(float),
            None,
            r"symbols have type float64; expected whole numbers.*astype\(int\)",
        ),
        ("categorical", SYMBOLS - 1, None, r"Row \d+ is -1; expected symbols of at least 0"),
        (
            "categorical",
            np.hstack([SYMBOLS, SYMBOLS]),
            None,
            r"X has 2 columns; expected one column of symbols",
        ),
        ("multinomial", COUNTS.astype(float), None, r"counts have type float64; expected whole numbers"),
        ("multinomial", COUNTS - 1, None, r"Row \d+, column \d is -1; expected counts of at least 0"),
        ("poisson", EVENTS + 0.5, None, r"Row 0, column 0 is .*\.5; expected whole counts of at least 0"),
        ("poisson", -1 - EVENTS, None, r"Row 0, column 0 is -\d+; expected whole counts"),
    ],
)
def test_rows_that_are_none(name, rows, lengths, message):
    model, _ = made(name)
    with pytest.raises(InvalidDataError, match=message):
        quietly(model, rows, lengths)


@pytest.mark.parametrize("name", MODELS)
def test_other_columns_than_the_models(fitted, name):
    rows = MODELS[name][2]
    with pytest.raises(ValueError, match=re.compile(r"features|columns")):
        fitted[name].score(np.hstack([rows, rows]))


def test_totals_that_are_not_n_trials():
    model = MultinomialHMM(2, n_trials=5, random_state=0)
    with pytest.raises(InvalidDataError, match=r"n_trials is 5, but row 0 adds up to 6.*Set n_trials=None"):
        quietly(model, COUNTS)
    model = quietly(MultinomialHMM(2, random_state=0), COUNTS)
    assert model.sample(3)[0].sum(axis=1).tolist() == [6, 6, 6]
    model.n_trials = [5, 6]
    with pytest.raises(
        InvalidParameterError, match="n_trials is 2 different numbers; expected a single number"
    ):
        model.sample(3)


def test_symbols_that_are_not_known():
    model = quietly(CategoricalHMM(2, random_state=0), SYMBOLS)
    assert model.n_features == 3
    with pytest.raises(InvalidDataError, match="Row 1 is 7; expected a symbol from 0 to 2"):
        model.score([[0], [7]])
    with pytest.raises(InvalidDataError, match="largest symbol is 2, but n_features=2 ends at 1"):
        CategoricalHMM(2, n_features=2).fit(SYMBOLS)
    assert model.score([[0], [np.nan], [1]]) == pytest.approx(
        logsumexp([model.score([[0], [level], [1]]) for level in range(3)])
    )


def test_impossible_symbols_are_minus_infinity():
    model = CategoricalHMM(2)
    model.startprob_, model.transmat_ = [1.0, 0.0], np.full((2, 2), 0.5)
    model.emissionprob_ = [[1.0, 0.0], [0.5, 0.5]]
    assert model.score([[1], [0]]) == -np.inf
    assert model.decode([[1], [0]])[0] == -np.inf


def test_mixtures_that_are_none():
    with pytest.raises(InvalidParameterError, match="n_mix is 0; expected a whole number of at least 1"):
        quietly(GMMHMM(2, n_mix=0), X)
    model = GMMHMM(1, n_mix=2)
    model.startprob_, model.transmat_ = [1.0], [[1.0]]
    model.weights_, model.means_, model.covars_ = [[0.5, 0.4]], np.zeros((1, 2, 2)), np.ones((1, 2, 2))
    with pytest.raises(InvalidParameterError, match="weights_, row 0, must sum to 1"):
        model.score(X)
    model.weights_, model.means_ = [[0.5, 0.5]], np.zeros((2, 1, 2))
    with pytest.raises(InvalidParameterError, match="means_ has shape"):
        model.score(X)
    model.means_, model.covars_ = np.zeros((1, 2, 2)), np.zeros((1, 2, 2))
    with pytest.raises(InvalidParameterError, match=r"covars_\[0, 0, 0\] is 0; expected variances above 0"):
        model.score(X)


def test_rates_that_are_none():
    model = PoissonHMM(1)
    model.startprob_, model.transmat_, model.lambdas_ = [1.0], [[1.0]], [[-1.0, 2.0]]
    with pytest.raises(InvalidParameterError, match=r"lambdas_\[0, 0\] is -1.0; expected finite rates"):
        model.score(EVENTS)
    model.lambdas_ = np.ones((2, 2))
    with pytest.raises(InvalidParameterError, match="lambdas_ has shape"):
        model.score(EVENTS)


def test_options_that_are_not_known(fitted):
    with pytest.raises(InvalidParameterError, match="algorithm is 'best'"):
        fitted["gaussian"].decode(X, algorithm="best")
    with pytest.raises(InvalidParameterError, match="covariates are given, but GaussianHMM has none"):
        fitted["gaussian"].sample(3, covariates=X)


@pytest.mark.parametrize("name", MODELS)
def test_what_all_chains_can_do(fitted, name):
    model, rows = fitted[name], MODELS[name][2]
    np.testing.assert_allclose(model.filter(rows)[-1], model.predict_proba(rows)[-1], rtol=1e-8)
    assert model.score_steps(rows).sum() == pytest.approx(model.score(rows))
    assert model.sample_paths(rows, n_paths=3, random_state=0).shape == (3, 150)
    assert len(model.sample(lengths=[3, 4])[0]) == 7
    text = model.summary()
    assert text.startswith(type(model).__name__)
    assert "converged" in text
    frame = model.params_frame("pandas")
    moves = frame[frame.parameter == "move"].value.to_numpy().reshape(2, 2)
    np.testing.assert_array_equal(moves, model.transmat_)
    shares = frame[frame.parameter == "weight"].value.to_numpy()
    np.testing.assert_allclose(shares @ model.transmat_, shares, rtol=1e-9)
    assert model.icl(rows) >= model.bic(rows) > model.aic(rows)
    assert "<table" in model._repr_html_()


def test_a_chain_set_by_hand_has_no_fit_to_sum_up():
    model = setting(GaussianHMM(2), "startprob_", [0.5, 0.5])
    with pytest.raises(InvalidParameterError, match="set by hand: there is no fit"):
        model.summary()
    assert "GaussianHMM" in model._repr_html_()
    assert (model.params_frame("pandas").parameter == "mean").sum() == 4


def test_all_classes_are_exported():
    for cls, _, _ in MODELS.values():
        assert getattr(models, cls.__name__) is cls
