"""Semi-Markov chains: with geometric durations Markov chains; plain and compiled, in chunks and in logarithms the same."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import nbinom, poisson

from mixtura.data import make_source
from mixtura.exceptions import InvalidParameterError
from mixtura.executors import Serial
from mixtura.families import FamilyComponents, Poisson
from mixtura.inference.driver import run
from mixtura.inference.stopping import Stopping
from mixtura.inference.updates import Maximization
from mixtura.kernels import without_kernels
from mixtura.priors import ChainPrior
from mixtura.protocols import Batch, Encoding
from mixtura.structures import (
    DirichletMarkov,
    DurationChain,
    LatentMixture,
    Markov,
    SemiMarkov,
    semi_messages,
)
from mixtura.structures.durations import (
    FreeDurations,
    GeometricDurations,
    NegativeBinomialDurations,
    PoissonDurations,
    expected_log_hazard,
)

INITIAL = np.array([0.2, 0.5, 0.3])
MOVES = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])
JUMPS = Markov(INITIAL, np.array([[0.0, 0.6, 0.4], [0.3, 0.0, 0.7], [0.5, 0.5, 0.0]]))
HAZARD = np.array([[0.2, 0.7, 0.4], [0.1, 0.3, 1.0], [0.5, 0.0, 0.6]])
OFFSETS = np.array([0, 1, 3, 10, 30, 31, 60])
LAWS = {
    "free": FreeDurations(HAZARD),
    "geometric": GeometricDurations(HAZARD[:, :1]),
    "Poisson": PoissonDurations(np.array([1.5, 3.0, 6.0]), 25),
    "negative binomial": NegativeBinomialDurations(np.array([1.5, 3.0, 6.0]), np.array([0.7, 1.0, 5.0]), 25),
}


def batch_of(offsets=OFFSETS):
    return Batch(None, np.ones(offsets[-1]), offsets)


def same(first, second, tolerance):
    np.testing.assert_allclose(first.log_evidence, second.log_evidence, rtol=tolerance)
    np.testing.assert_allclose(first.resp, second.resp, atol=tolerance)
    for name, value in first.statistics.sums.items():
        np.testing.assert_allclose(value, second.statistics[name], atol=10 * tolerance, err_msg=name)


def test_geometric_durations_are_a_markov_chain(rng):
    chain = Markov(INITIAL, MOVES)
    law = DurationChain("geometric")(chain, 0)
    scores = rng.normal(scale=2.0, size=(3, 60))
    for _ in range(5):  # and so is every step of EM
        found, expected = (one.infer(scores.copy(), batch_of(), {}) for one in (law, chain))
        np.testing.assert_allclose(found.log_evidence, expected.log_evidence, rtol=1e-12)
        np.testing.assert_allclose(found.resp, expected.resp, atol=1e-12)
        np.testing.assert_array_equal(
            law.viterbi(scores, batch_of()).states, chain.viterbi(scores, batch_of()).states
        )
        belief, share = law.filtered(scores, batch_of()).belief, chain.filtered(scores, batch_of()).belief
        np.testing.assert_allclose(belief, share, atol=1e-12)
        np.testing.assert_allclose(law.forecast(belief[2], 4), chain.forecast(share[2], 4), atol=1e-12)
        np.testing.assert_allclose(
            law.durations.means(), 1.0 / (1.0 - np.diagonal(chain.transition)), rtol=1e-10
        )
        assert law.n_parameters() == chain.n_parameters()
        law, chain = law.maximize(found.statistics), chain.maximize(expected.statistics)
    np.testing.assert_allclose(law.weights, chain.weights, rtol=1e-8)
    np.testing.assert_array_equal(law.dwell_times, law.durations.means())


@pytest.mark.parametrize("ages", [1, 2, 7])
def test_equal_hazards_at_more_ages_change_nothing(ages, rng):
    scores = rng.normal(scale=2.0, size=(3, 60))
    one = SemiMarkov(JUMPS, GeometricDurations(HAZARD[:, :1]))
    many = SemiMarkov(JUMPS, FreeDurations(np.repeat(HAZARD[:, :1], ages, axis=1)))
    first, second = (law.infer(scores.copy(), batch_of(), {}) for law in (one, many))
    np.testing.assert_allclose(first.resp, second.resp, atol=1e-12)
    for name in ("exits", "stays"):
        np.testing.assert_allclose(
            first.statistics[name][:, 0], second.statistics[name].sum(axis=1), atol=1e-11
        )


@pytest.mark.parametrize("name", LAWS)
def test_paths_agree_with_and_without_numba_and_in_chunks(name, rng, monkeypatch):
    law, scores = SemiMarkov(JUMPS, LAWS[name]), rng.normal(scale=3.0, size=(3, 60))
    found = law.infer(scores.copy(), batch_of(), {})
    with without_kernels():
        same(law.infer(scores.copy(), batch_of(), {}), found, 1e-12)
    filtered = law.filtered(scores, batch_of())
    for room in (1, 100, 1000):
        monkeypatch.setattr(semi_messages, "_ROOM", room)
        same(law.infer(scores.copy(), batch_of(), {}), found, 1e-12)
        for one, other in zip(law.filtered(scores, batch_of()), filtered, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-12)


def test_logarithms_agree_and_mend_what_underflows(rng):
    law, scores = SemiMarkov(JUMPS, LAWS["free"]), rng.normal(scale=3.0, size=(3, 60))
    weight = np.repeat(rng.integers(1, 4, 6), np.diff(OFFSETS)).astype(float)
    found = semi_messages.smooth_semi(scores, law.laws, OFFSETS, weight)
    for unit, (start, stop) in enumerate(pairwise(OFFSETS)):
        own = semi_messages._in_logs(scores[:, start:stop], law.laws, weight[start])
        assert own.log_evidence[0] == pytest.approx(found.log_evidence[unit], abs=1e-11)
        np.testing.assert_allclose(own.smoothed, found.smoothed[start:stop], atol=1e-11)
    scores[0, 12:15] = (
        2000.0  # the first state cannot last: some other is needed although it is all but impossible
    )
    bounded = SemiMarkov(Markov([1.0, 0, 0], JUMPS.transition), FreeDurations.of(np.ones((3, 2))))
    mended = bounded.infer(scores.copy(), batch_of(), {})
    assert np.isfinite(mended.log_evidence).all()
    np.testing.assert_allclose(mended.resp.sum(axis=0), 1.0, rtol=1e-9)
    assert all(np.isfinite(value).all() for value in mended.statistics.sums.values())


def test_impossible_sequences_have_no_evidence_and_filters_pass_over_the_row(rng):
    law, scores = SemiMarkov(JUMPS, LAWS["free"]), rng.normal(size=(3, 60))
    scores[:, 5] = -np.inf
    found = law.infer(scores.copy(), batch_of(), {})
    assert found.log_evidence[2] == -np.inf
    assert np.isfinite(np.delete(found.log_evidence, 2)).all()
    assert np.isfinite(found.resp).all()
    unseen = scores.copy()
    unseen[:, 5] = 0.0  # the row is passed over
    np.testing.assert_allclose(found.resp, law.infer(unseen.copy(), batch_of(), {}).resp, atol=1e-11)
    path = law.viterbi(scores, batch_of())
    assert (path.states[3:10] == -1).all()
    assert path.log_joint[2] == -np.inf
    filtered = law.filtered(scores, batch_of())
    assert np.flatnonzero(filtered.log_scale == -np.inf).tolist() == [5]
    np.testing.assert_allclose(filtered.probabilities.sum(axis=0), 1.0, rtol=1e-12)
    np.testing.assert_allclose(
        filtered.probabilities[:, 5], law.predicted(scores, batch_of())[:, 5], atol=1e-12
    )


def test_laws_have_the_hazards_and_means_of_scipy():
    age = np.arange(1, 26)
    for law, numbers in (
        (LAWS["Poisson"], [poisson(m) for m in (0.5, 2.0, 5.0)]),
        (
            LAWS["negative binomial"],
            [nbinom(r, r / (r + m)) for m, r in ((0.5, 0.7), (2.0, 1.0), (5.0, 5.0))],
        ),
    ):
        for hazard, number in zip(law.hazard, numbers, strict=True):
            np.testing.assert_allclose(hazard, number.pmf(age - 1) / number.sf(age - 2), rtol=1e-7)
        np.testing.assert_allclose(law.means(), [1.5, 3.0, 6.0], rtol=1e-3)  # beyond 25 rows the hazard stays
    share = np.array([[0.2, 0.3, 0.5], [0.0, 1.0, 0.0]])
    free = FreeDurations.of(share)
    np.testing.assert_allclose(free.means(), share @ [1, 2, 3])
    np.testing.assert_allclose(free.hazard[1], [0.0, 1.0, 1.0])
    assert free.n_parameters() == 2


@pytest.mark.parametrize("name", ["Poisson", "negative binomial"])
def test_the_step_of_a_law_is_a_maximum(name, rng):
    law = LAWS[name]
    draws = [1 + poisson(4.0).rvs(200, random_state=rng), 1 + nbinom(0.8, 0.2).rvs(200, random_state=rng)]
    draws.append(np.ones(200, dtype=int))  # always one row: at the edge
    exits, stays = np.zeros((3, 25)), np.zeros((3, 25))
    for state, own in enumerate(draws):
        for length in own:
            for age in range(length - 1):
                stays[state, min(age, 24)] += 1
            exits[state, min(length - 1, 24)] += 1
    new = law.maximize(exits, stays)
    best = expected_log_hazard(new, exits, stays)
    assert best > expected_log_hazard(law, exits, stays)

    for size in (0.3, 0.03):
        for _ in range(20):
            moved = law.from_coordinates(new.coordinates() + size * rng.normal(size=new.coordinates().shape))
            assert (
                expected_log_hazard(moved, exits, stays) <= best + 1e-7
            )  # three-point slopes end the search
    assert new.means()[0] == pytest.approx(draws[0].mean(), rel=0.02)
    assert new.means()[2] == pytest.approx(1.0, abs=1e-4)
    nothing = law.maximize(0.0 * exits, 0.0 * stays)
    np.testing.assert_array_equal(nothing.coordinates(), law.coordinates())


@pytest.mark.parametrize(
    "law",
    ["free", "poisson", "negative_binomial"],
)
def test_durations_are_recovered_and_the_likelihood_never_falls(law):
    rng = np.random.default_rng(4)
    truth = SemiMarkov(Markov(np.full(2, 0.5), np.eye(2)[::-1]), PoissonDurations(np.array([4.0, 9.0]), 40))
    offsets = np.array([0, 200, 400])
    states = truth.sample_states(offsets, rng)
    x = rng.poisson(np.where(states == 0, 2.0, 9.0))[:, None].astype(float)
    start = DurationChain(law, n_ages=25)(Markov(np.full(2, 0.5), np.array([[0.8, 0.2], [0.2, 0.8]])), 0)
    model = LatentMixture(FamilyComponents(Poisson()).from_mean(np.array([[1.0], [7.0]])), start, Encoding(1))
    result = run(
        model,
        make_source(x, Encoding(1), None, offsets, 1000),
        update=Maximization(),
        executor=Serial(),
        stopping=Stopping(1e-7, max_iter=25),
    )
    assert (np.diff(result.history) > -1e-8).all()
    np.testing.assert_allclose(result.model.structure.durations.means(), [4.0, 9.0], rtol=0.3)  # 60 segments
    batch = batch_of(offsets)
    scores = result.model.components.log_prob(result.model.components.encode(x.T, Encoding(1)))
    assert (result.model.structure.viterbi(scores, batch).states == states).mean() > 0.95


def test_priors_go_to_the_moves(rng):
    law = SemiMarkov(JUMPS, LAWS["free"])
    laws = law.variational(ChainPrior(1.0, 1.0), np.full(3, 5.0))
    assert type(laws.chain) is DirichletMarkov
    assert laws.penalty() > 0
    assert not laws.transition[np.eye(3, dtype=bool)].any()
    assert type(laws.point.chain) is Markov
    assert laws.draw(rng).transition.shape == (3, 3)
    assert law.draw(rng) is law
    mode = law.penalized(ChainPrior(2.0, 2.0))
    stats = mode.infer(rng.normal(size=(3, 60)), batch_of(), {}).statistics
    assert mode.maximize(stats).transition[0, 1] > 0


def test_a_state_that_is_never_left_follows_itself():
    law = DurationChain(n_ages=5)(Markov(np.array([1.0, 0.0]), np.array([[0.5, 0.5], [0.0, 1.0]])), 0)
    np.testing.assert_array_equal(law.transition, [[0.0, 1.0], [0.0, 1.0]])
    assert law.take([1]).transition.tolist() == [[1.0]]
    halves = law.take([0, 1, 0])
    np.testing.assert_allclose(halves.transition.sum(axis=1), 1.0)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: FreeDurations([[0.5, 1.5]]), "state 0 at age 2 is 1.5; expected a probability"),
        (lambda: PoissonDurations([2.0], 0), "n_ages is 0; expected a positive integer"),
        (
            lambda: SemiMarkov(JUMPS, FreeDurations([[0.5]])),
            "Durations of 1 states are given for a chain of 3",
        ),
    ],
)
def test_errors_say_what_was_found_and_expected(make, words):
    with pytest.raises(InvalidParameterError, match=words):
        make()
