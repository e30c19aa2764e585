"""HMM(component) with other laws of the states: one user class, whatever the law is."""

import numpy as np
import pytest

from mixtura import HMM, load
from mixtura.exceptions import InvalidParameterError
from mixtura.families import Normal
from mixtura.structures import DurationChain, GroupedChain, InputOutputChain

RNG = np.random.default_rng(0)
STATES = np.repeat(np.tile([0, 1], 12), np.tile([7, 5], 12))
ROWS = RNG.normal(4.0 * STATES, 1.0)[:, None]
LENGTHS = [60, 48, 36]
COVARIATE = RNG.normal(size=len(ROWS))
CHAINS = {
    "checkpoints": ({"checkpoint": True}, None),
    "durations": ({"chain": DurationChain(law="poisson")}, None),
    "covariates": ({"chain": InputOutputChain()}, COVARIATE),
    "groups": ({"chain": GroupedChain()}, None),
}


@pytest.fixture(scope="module", params=CHAINS)
def fitted(request):
    settings, covariates = CHAINS[request.param]
    model = HMM(Normal(), 2, random_state=0, **settings)
    return model.fit(ROWS, LENGTHS, covariates=covariates), covariates


def test_all_questions_have_answers(fitted):
    model, covariates = fitted
    beside = {"covariates": covariates}
    right = (model.predict(ROWS, LENGTHS, **beside) == STATES).mean()
    assert max(right, 1 - right) > 0.95
    for method in ("predict_proba", "filter", "predict_next"):
        found = getattr(model, method)(ROWS, LENGTHS, **beside)
        np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-9)
    total = model.score(ROWS, LENGTHS, **beside)
    assert model.score_samples(ROWS, LENGTHS, **beside)[0] == pytest.approx(total, rel=0.02)
    assert model.score_steps(ROWS, LENGTHS, **beside).sum() == pytest.approx(total, rel=1e-9)
    assert model.bic(ROWS, LENGTHS, **beside) > model.aic(ROWS, LENGTHS, **beside)
    assert model.sample_paths(ROWS, LENGTHS, n_paths=3, random_state=0, **beside).shape == (3, len(ROWS))
    assert "states last" in model.summary()
    assert len(model.params_frame("pandas")) > 5


def test_a_stream_and_a_forecast_agree_with_the_filter(fitted):
    model, covariates = fitted
    first = slice(0, 60)
    beside = None if covariates is None else covariates[first]
    stream = model.stream()
    for t, x in enumerate(ROWS[first]):
        now = stream.step(x, covariates=None if beside is None else beside[t])
    np.testing.assert_allclose(now, model.filter(ROWS[first], covariates=beside)[-1], rtol=1e-8, atol=1e-12)
    future = None if covariates is None else [0.5]
    ahead = model.forecast(
        ROWS[first], 1, covariates=beside, future_covariates=None if future is None else [future]
    )
    # A group's own moves are learnt in few local steps, which end a little apart.
    np.testing.assert_allclose(stream.predict(covariates=future), ahead.states[0, 0], rtol=1e-3)
    assert stream.log_likelihood == pytest.approx(model.score(ROWS[first], covariates=beside), rel=1e-8)


def test_simulations(fitted):
    model, covariates = fitted
    beside = None if covariates is None else np.zeros(200)
    rows, states = model.sample(200, random_state=0, covariates=beside)
    assert rows.shape == (200, 1)
    assert set(states.tolist()) == {0, 1}
    future = None if covariates is None else np.zeros((4, 1))
    ahead = model.forecast(
        ROWS, 4, LENGTHS, n_draws=2000, covariates=covariates, future_covariates=future, random_state=0
    )
    shares = (ahead.paths[..., None] == np.arange(2)).mean(axis=0)
    # Five standard errors of shares of 2,000.
    np.testing.assert_allclose(shares, ahead.states, atol=5 * 0.5 / np.sqrt(2000))


def test_files(fitted, tmp_path):
    model, covariates = fitted
    again = load(model.save(tmp_path / "chain.mixtura"))
    beside = {"covariates": covariates}
    assert again.score(ROWS, LENGTHS, **beside) == model.score(ROWS, LENGTHS, **beside)
    assert again.chain == model.chain


def test_regular_stays_are_no_matter_of_chance():
    plain = HMM(Normal(), 2, random_state=0).fit(ROWS, LENGTHS)
    regular = HMM(Normal(), 2, chain=DurationChain(law="poisson"), random_state=0).fit(ROWS, LENGTHS)
    assert regular.score(ROWS, LENGTHS) > plain.score(ROWS, LENGTHS) + 10
    np.testing.assert_allclose(np.sort(regular.dwell_times_), [5.0, 7.0], atol=0.7)
    with pytest.raises(InvalidParameterError, match="does not list several best paths"):
        regular.best_paths(ROWS, LENGTHS)


def test_stays_that_depend_on_covariates_have_no_expected_length():
    settings, covariates = CHAINS["covariates"]
    model = HMM(Normal(), 2, random_state=0, **settings).fit(ROWS, LENGTHS, covariates=covariates)
    with pytest.raises(AttributeError, match="InputOutputMarkov has no expected dwell times"):
        _ = model.dwell_times_
    assert "as covariates say" in model.summary()


def test_checkpoints_change_nothing():
    plain = HMM(Normal(), 2, random_state=0).fit(ROWS, LENGTHS)
    saving = HMM(Normal(), 2, random_state=0, checkpoint=True).fit(ROWS, LENGTHS)
    assert saving.lower_bound_ == pytest.approx(plain.lower_bound_, rel=1e-9)
    assert saving.structure_.checkpoint


def test_sequences_have_moves_of_their_own_between_what_they_did_and_all():
    rng = np.random.default_rng(1)
    restless = np.tile([0, 1], 60)
    calm = np.repeat([0, 1, 0, 1], 30)
    rows = rng.normal(6.0 * np.concatenate([restless, calm]), 1.0)[:, None]
    model = HMM(Normal(), 2, chain=GroupedChain(), random_state=0).fit(rows, [120, 120])
    moves = model.sequence_transitions(rows, [120, 120])
    np.testing.assert_allclose(moves.sum(axis=2), 1.0, rtol=1e-12)
    stay = np.einsum("ukk->uk", moves)
    # Restless: always moved; calm: moved 3 times in 119. Shrinkage keeps both off the edge.
    assert (stay[0] < 0.2).all()
    assert (stay[1] > 0.8).all()
    assert ((moves > 0) & (moves < 1)).all()
    alone = model.sequence_transitions(rows[120:])
    np.testing.assert_allclose(alone[0], moves[1], rtol=1e-6)
    with pytest.raises(InvalidParameterError, match="same moves for every sequence"):
        HMM(Normal(), 2, random_state=0).fit(rows).sequence_transitions(rows)
