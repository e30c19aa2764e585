"""HMM(component) end to end against all K^T paths: probabilities, paths, forecasts, streams; weights, gaps, labels."""

from contextlib import nullcontext

import numpy as np
import pytest
from scipy.stats import norm

from mixtura import HMM, load
from mixtura.components import Gaussian
from mixtura.exceptions import InvalidDataError, InvalidParameterError
from mixtura.kernels import without_kernels
from oracles_chains import ahead_of, enumerated

MEANS, SCALES = np.array([-1.0, 0.5, 3.0]), np.array([0.7, 1.5, 1.0])
START = np.array([0.2, 0.5, 0.3])
MOVES = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])
LENGTHS = [5, 1, 4, 2]
EMISSIONS = Gaussian(MEANS[:, None], SCALES[:, None, None] ** 2)
ROWS = np.random.default_rng(1).normal(0.5, 2.0, (12, 1))


def chain(start=START, moves=MOVES, **options):
    """A chain with these parameters: the fit is stopped before its first step."""
    model = HMM(EMISSIONS, 3, startprob=start, transmat=moves, callbacks=[lambda _: True], **options)
    return model.fit(ROWS, LENGTHS)


def test_known_parameters_need_no_fit(tmp_path):
    fitted, known = chain(), HMM.from_parameters(EMISSIONS, MOVES, START, random_state=0)
    np.testing.assert_allclose(
        known.predict_proba(ROWS, LENGTHS), fitted.predict_proba(ROWS, LENGTHS), rtol=1e-9, atol=1e-12
    )
    assert known.score(ROWS, LENGTHS) == pytest.approx(fitted.score(ROWS, LENGTHS), rel=1e-10)
    assert "after 0 steps" in known.summary()
    assert "<table>" in known._repr_html_()
    again = load(known.save(tmp_path / "known.mixtura"))
    assert again.score(ROWS, LENGTHS) == known.score(ROWS, LENGTHS)
    goes_on = known.set_params(callbacks=[lambda _: True]).fit(ROWS, LENGTHS)
    assert goes_on.lower_bound_ == pytest.approx(fitted.lower_bound_, rel=1e-10)
    long_run = HMM.from_parameters(EMISSIONS, MOVES)
    np.testing.assert_allclose(long_run.startprob_, long_run.get_stationary_distribution(), rtol=1e-10)
    with pytest.raises(InvalidParameterError, match="has no parameters yet"):
        HMM.from_parameters(Gaussian(), MOVES)


def scores(rows):
    """log p(x | state), (K, T)."""
    found = norm.logpdf(rows.ravel(), MEANS[:, None], SCALES[:, None])
    return np.where(np.isnan(found), 0.0, found)


def parts(rows, lengths):
    return np.split(rows, np.cumsum(lengths)[:-1])


@pytest.fixture(params=[nullcontext, without_kernels], ids=["numba", "numpy"])
def path(request):
    with request.param():
        yield


def test_the_chain_has_the_parameters_given():
    model = chain()
    np.testing.assert_allclose(model.startprob_, START, rtol=1e-12)
    np.testing.assert_allclose(model.transmat_, MOVES, rtol=1e-12)
    np.testing.assert_allclose(model.components_.mean.ravel(), MEANS, rtol=1e-12)


@pytest.mark.usefixtures("path")
def test_probabilities_and_paths_are_those_of_all_paths():
    model = chain()
    truth = [enumerated(scores(part), START, MOVES) for part in parts(ROWS, LENGTHS)]
    # Sums of up to 243 products of doubles: a few hundred roundings.
    close = {"rtol": 1e-10, "atol": 1e-12}
    evidence = [one.log_evidence for one in truth]
    np.testing.assert_allclose(model.score_sequences(ROWS, LENGTHS), evidence, **close)
    log_likelihood, smoothed = model.score_samples(ROWS, LENGTHS)
    assert log_likelihood == pytest.approx(sum(evidence), rel=1e-12)
    assert model.score(ROWS, LENGTHS) == pytest.approx(sum(evidence), rel=1e-12)
    np.testing.assert_allclose(smoothed, np.concatenate([one.smoothed(3) for one in truth]), **close)
    np.testing.assert_allclose(
        model.predict_next(ROWS, LENGTHS),
        np.concatenate([ahead_of(scores(part), START, MOVES) for part in parts(ROWS, LENGTHS)]),
        **close,
    )
    last = np.cumsum(LENGTHS) - 1
    np.testing.assert_allclose(model.filter(ROWS, LENGTHS)[last], smoothed[last], **close)
    assert model.score_steps(ROWS, LENGTHS).sum() == pytest.approx(log_likelihood, rel=1e-12)
    log_prob, states = model.decode(ROWS, LENGTHS)
    assert log_prob == pytest.approx(sum(one.best(1)[0][0] for one in truth), rel=1e-12)
    np.testing.assert_array_equal(states, np.concatenate([one.best(1)[1][0] for one in truth]))
    np.testing.assert_array_equal(model.predict(ROWS, LENGTHS), states)
    expected, by_step = model.decode(ROWS, LENGTHS, "map")
    np.testing.assert_array_equal(by_step, smoothed.argmax(axis=1))
    assert expected == pytest.approx(smoothed.max(axis=1).sum(), rel=1e-12)
    joint, paths = model.best_paths(ROWS, LENGTHS, n_paths=4)
    np.testing.assert_allclose(joint[0], truth[0].best(4)[0], **close)
    np.testing.assert_array_equal(paths[:, :5], truth[0].best(4)[1])
    assert np.isneginf(joint[1, 3])  # one step has three paths
    assert (paths[3, 5] == -1).all()


def test_drawn_paths_have_the_smoothed_probabilities():
    model = chain()
    paths = model.sample_paths(ROWS, LENGTHS, n_paths=4000, random_state=0)
    shares = (paths[..., None] == np.arange(3)).mean(axis=0)
    # Five standard errors of a share of 4,000.
    np.testing.assert_allclose(shares, model.predict_proba(ROWS, LENGTHS), atol=5 * 0.5 / np.sqrt(4000))


def test_groups_lists_and_lengths_say_the_same(rng):
    model = chain()
    smoothed = model.predict_proba(ROWS, LENGTHS)
    np.testing.assert_array_equal(model.predict_proba(parts(ROWS, LENGTHS)), smoothed)
    names = np.repeat(["d", "b", "c", "a"], LENGTHS)
    np.testing.assert_allclose(model.predict_proba(ROWS, groups=names), smoothed, rtol=1e-12)
    order = rng.permutation(len(ROWS))
    shuffled = np.empty(len(ROWS), dtype=int)  # rows of a sequence stay in the order of time
    for name in "abcd":
        shuffled[names[order] == name] = np.flatnonzero(names == name)
    for method in ("predict_proba", "filter", "predict", "score_steps"):
        found = getattr(model, method)(ROWS[shuffled], groups=names[shuffled])
        np.testing.assert_allclose(found, getattr(model, method)(ROWS, LENGTHS)[shuffled], rtol=1e-10)


def test_steps_not_observed_say_nothing():
    model, gaps = chain(), ROWS.copy()
    gaps[[1, 2, 5, 11]] = np.nan
    truth = [enumerated(scores(part), START, MOVES) for part in parts(gaps, LENGTHS)]
    evidence = [one.log_evidence for one in truth]
    np.testing.assert_allclose(model.score_sequences(gaps, LENGTHS), evidence, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(
        model.predict_proba(gaps, LENGTHS), np.concatenate([one.smoothed(3) for one in truth]), rtol=1e-10
    )
    everything = model.predict_proba(np.full((4, 1), np.nan))
    np.testing.assert_allclose(everything, [START @ np.linalg.matrix_power(MOVES, t) for t in range(4)])


def test_labels_leave_only_the_paths_through_them():
    model, labels = chain(), np.full(12, -1)
    labels[[0, 3, 9]] = 2, 0, 1
    known = scores(ROWS)
    for row, state in ((0, 2), (3, 0), (9, 1)):
        known[np.arange(3) != state, row] = -np.inf
    truth = [enumerated(part, START, MOVES) for part in np.split(known, np.cumsum(LENGTHS)[:-1], axis=1)]
    smoothed = model.predict_proba(ROWS, LENGTHS, labels=labels)
    np.testing.assert_allclose(smoothed, np.concatenate([one.smoothed(3) for one in truth]), atol=1e-12)
    np.testing.assert_array_equal(model.predict(ROWS, LENGTHS, labels=labels)[[0, 3, 9]], [2, 0, 1])


def test_impossible_sequences_are_minus_infinity_and_never_nan():
    left_right = np.array([[0.9, 0.1, 0.0], [0.0, 0.8, 0.2], [0.0, 0.0, 1.0]])
    model = chain(np.array([1.0, 0.0, 0.0]), left_right)
    labels = np.full(12, -1)
    labels[[1, 2]] = 2, 0  # never back
    evidence = model.score_sequences(ROWS, LENGTHS, labels=labels)
    assert np.isneginf(evidence[0])
    assert np.isfinite(evidence[1:]).all()
    assert model.score(ROWS, LENGTHS, labels=labels) == -np.inf
    assert model.decode(ROWS, LENGTHS, labels=labels)[0] == -np.inf
    assert (model.predict(ROWS, LENGTHS, labels=labels)[:5] == -1).all()
    for method in (model.predict_proba, model.filter, model.predict_next):
        found = method(ROWS, LENGTHS, labels=labels)
        np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-12)
    far = np.array([[1e100], [0.0]])
    assert not np.isnan(model.predict_proba(far)).any()
    assert not np.isnan(model.score(far))


def test_forecasts_are_powers_of_the_moves():
    model = chain()
    ahead = model.forecast(ROWS, 4, LENGTHS, n_draws=4000, random_state=0)
    last = model.predict_proba(ROWS, LENGTHS)[np.cumsum(LENGTHS) - 1]
    states = np.stack([last @ np.linalg.matrix_power(MOVES, h) for h in range(1, 5)], axis=1)
    np.testing.assert_allclose(ahead.states, states, rtol=1e-10)
    np.testing.assert_allclose(ahead.mean[..., 0], states @ MEANS, rtol=1e-9)
    # Five standard errors.
    shares = (ahead.paths[..., None] == np.arange(3)).mean(axis=0)
    np.testing.assert_allclose(shares, states, atol=5 * 0.5 / np.sqrt(4000))
    spread = ahead.draws.std(axis=0).max()
    np.testing.assert_allclose(ahead.draws.mean(axis=0), ahead.mean, atol=5 * spread / np.sqrt(4000))
    low, high = ahead.interval(0.8)
    inside = ((ahead.draws > low) & (ahead.draws < high)).mean()
    assert inside == pytest.approx(0.8, abs=1e-3)
    frame = ahead.frame("pandas")
    assert frame.columns.tolist() == ["sequence", "step", "state", "probability"]
    assert len(frame) == ahead.states.size
    with pytest.raises(InvalidParameterError, match="n_draws=1000"):
        model.forecast(ROWS, 2).interval()


def test_a_stream_is_the_filter():
    model, gaps = chain(), ROWS.copy()
    gaps[3] = np.nan
    stream = model.stream()
    np.testing.assert_allclose(stream.predict(), START)
    filtered, ahead = model.filter(gaps), model.predict_next(gaps)
    for t, x in enumerate(gaps):
        np.testing.assert_allclose(stream.predict(), ahead[t], rtol=1e-10)
        np.testing.assert_allclose(stream.step(None if t == 3 else x), filtered[t], rtol=1e-10)
    assert stream.log_likelihood == pytest.approx(model.score(gaps), rel=1e-12)
    assert stream.n_steps == 12
    assert "n_steps=12" in repr(stream)
    stream.reset()
    np.testing.assert_allclose(stream.predict(), START)
    with pytest.raises(InvalidDataError, match="has 2 values; expected 1"):
        stream.step([1.0, 2.0])


def test_samples_have_the_law_of_the_chain():
    model = chain()
    rows, states = model.sample(20_000, random_state=0)
    counts = np.zeros((3, 3))
    np.add.at(counts, (states[:-1], states[1:]), 1)
    # Five standard errors of a share of at least 3,000 moves; means of at least 3,000 rows.
    np.testing.assert_allclose(counts / counts.sum(axis=1, keepdims=True), MOVES, atol=0.05)
    np.testing.assert_allclose([rows[states == k].mean() for k in range(3)], MEANS, atol=0.14)
    np.testing.assert_array_equal(rows, model.sample(20_000, random_state=0)[0])
    _, several = model.sample(lengths=[3] * 500, currstate=2, random_state=1)
    assert (several[::3] == 2).all()
    with pytest.raises(InvalidParameterError, match="expected a state, 0 to 2"):
        model.sample(3, currstate=3)


def test_the_long_run():
    model = chain()
    shares = model.get_stationary_distribution()
    np.testing.assert_allclose(shares @ MOVES, shares, rtol=1e-10)
    np.testing.assert_allclose(model.dwell_times_, 1 / (1 - MOVES.diagonal()), rtol=1e-10)
    np.testing.assert_allclose(model.weights_, shares)
    stays = chain(moves=np.array([[0.9, 0.1, 0.0], [0.0, 0.8, 0.2], [0.0, 0.0, 1.0]]))
    np.testing.assert_allclose(stays.dwell_times_, [10.0, 5.0, np.inf])


def test_criteria_count_steps_and_free_parameters():
    model = chain()
    log_likelihood = model.score(ROWS, LENGTHS)
    assert model.n_parameters() == 2 + 6 + 6
    assert model.aic(ROWS, LENGTHS) == pytest.approx(-2 * log_likelihood + 28)
    assert model.bic(ROWS, LENGTHS) == pytest.approx(-2 * log_likelihood + 14 * np.log(12))
    certainty = model.decode(ROWS, LENGTHS)[0] - log_likelihood
    assert model.icl(ROWS, LENGTHS) == pytest.approx(model.bic(ROWS, LENGTHS) - 2 * certainty)
    doubled = model.bic(ROWS, LENGTHS, sample_weight=[2, 2, 2, 2])
    assert doubled == pytest.approx(-4 * log_likelihood + 14 * np.log(24))
