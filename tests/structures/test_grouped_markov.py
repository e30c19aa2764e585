"""Chains with moves per sequence: a bound of the exact evidence, the limit of one matrix for all, and what is gained by neither."""

from itertools import pairwise, product

import numpy as np
import pytest
from scipy.special import digamma, gammaln, logsumexp, polygamma

from mixtura.data import make_source
from mixtura.exceptions import InvalidParameterError
from mixtura.executors import Serial
from mixtura.families import FamilyComponents, Poisson
from mixtura.inference.driver import run
from mixtura.inference.stopping import Stopping
from mixtura.inference.updates import Maximization
from mixtura.kernels import without_kernels
from mixtura.priors import ChainPrior
from mixtura.priors.dirichlet import dirichlet_from_mean_log
from mixtura.protocols import Batch, Encoding
from mixtura.structures import (
    GroupedChain,
    GroupedMarkov,
    InputOutputChain,
    LatentMixture,
    Markov,
    varying,
)
from mixtura.structures.grouped_markov import _newton
from mixtura.structures.moves import KnownMoves
from mixtura.structures.starts import KnownStart, StationaryStart

INITIAL = np.array([0.2, 0.5, 0.3])
MOVES = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])
PSEUDO = np.array([[7.0, 2.0, 1.0], [0.5, 3.0, 0.5], [1.0, 1.0, 2.0]])
OFFSETS = np.array([0, 1, 3, 10, 30, 31, 60])


def batch_of(offsets=OFFSETS, weight=None):
    return Batch(None, np.ones(offsets[-1]) if weight is None else weight, offsets)


def exact(scores, initial, pseudo):
    """Log of the sum over all paths of one sequence, moves integrated out."""
    terms = []
    for path in product(range(len(initial)), repeat=scores.shape[1]):
        count = np.zeros(pseudo.shape)
        for before, after in pairwise(path):
            count[before, after] += 1
        total, whole = pseudo.sum(axis=1), (pseudo + count).sum(axis=1)
        moves = (gammaln(total) - gammaln(whole)).sum() + (gammaln(pseudo + count) - gammaln(pseudo)).sum()
        terms.append(np.log(initial[path[0]]) + moves + sum(scores[k, t] for t, k in enumerate(path)))
    return logsumexp(terms)


@pytest.mark.parametrize("scale", [0.2, 1.0, 30.0])
def test_the_bound_is_below_the_exact_evidence_and_close(scale, rng):
    law = GroupedMarkov(scale * PSEUDO, INITIAL, local_steps=200, tol=1e-11)
    for _ in range(4):
        scores = rng.normal(scale=2.0, size=(3, 6))
        bound = law.infer(scores.copy(), batch_of(np.array([0, 6])), {}).log_evidence[0]
        evidence = exact(scores, INITIAL, scale * PSEUDO)
        assert bound < evidence
        assert bound > evidence - 4.0 / (1.0 + scale)


def test_the_bound_is_exact_where_the_path_is_known():
    scores = np.where(np.arange(3)[:, None] == [0, 0, 1, 2, 2, 0], 0.4, -np.inf)
    law = GroupedMarkov(PSEUDO, INITIAL, local_steps=50, tol=0.0)
    found = law.infer(scores.copy(), batch_of(np.array([0, 6])), {})
    assert found.log_evidence[0] == pytest.approx(exact(scores, INITIAL, PSEUDO), abs=1e-12)


def test_local_rounds_raise_the_bound_and_the_memory_carries_them_on(rng):
    scores = rng.normal(scale=2.0, size=(3, 60))
    one = GroupedMarkov(PSEUDO, INITIAL, local_steps=1)
    memory = {}
    bounds = [one.infer(scores.copy(), batch_of(), memory).log_evidence for _ in range(30)]
    assert (np.diff(bounds, axis=0) > -1e-10).all()
    whole = GroupedMarkov(PSEUDO, INITIAL, local_steps=30, tol=0.0).infer(scores.copy(), batch_of(), {})
    np.testing.assert_allclose(bounds[-1], whole.log_evidence, rtol=1e-12)
    np.testing.assert_allclose(one.group_transitions(memory).sum(axis=2), 1.0, rtol=1e-14)


def test_in_the_limit_it_is_a_markov_chain(rng):
    scores, chain = rng.normal(scale=2.0, size=(3, 60)), Markov(INITIAL, MOVES)
    expected = chain.infer(scores.copy(), batch_of(), {})
    gaps = []
    for concentration in (1e2, 1e4, 1e6):
        law = GroupedChain(concentration, learn=False)(chain, 0)
        found = law.infer(scores.copy(), batch_of(), {})
        gaps.append(np.abs(found.log_evidence - expected.log_evidence).max())
    assert (np.diff(np.log10(gaps)) < -1.5).all()  # as one over the concentration
    np.testing.assert_allclose(found.resp, expected.resp, atol=1e-4)
    first, second = law.filtered(scores, batch_of()), chain.filtered(scores, batch_of())
    np.testing.assert_allclose(first.probabilities, second.probabilities, atol=1e-4)
    np.testing.assert_allclose(first.log_scale, second.log_scale, atol=1e-4)
    np.testing.assert_allclose(
        law.predicted(scores, batch_of()), chain.predicted(scores, batch_of()), atol=1e-4
    )
    np.testing.assert_allclose(
        law.forecast(first.belief[3], 3), chain.forecast(second.belief[3], 3), atol=1e-4
    )
    np.testing.assert_array_equal(
        law.viterbi(scores, batch_of()).states, chain.viterbi(scores, batch_of()).states
    )
    np.testing.assert_allclose(
        law.best_paths(scores, batch_of(), 2).log_joint,
        chain.best_paths(scores, batch_of(), 2).log_joint,
        atol=1e-4,
    )
    draws = [one.draw_states(scores, batch_of(), np.random.default_rng(0), 400) for one in (law, chain)]
    np.testing.assert_array_equal(*draws)


def test_paths_agree_with_and_without_numba_and_in_chunks(rng, monkeypatch):
    scores = rng.normal(scale=2.0, size=(3, 60))
    law = GroupedMarkov(PSEUDO, INITIAL)
    found = law.infer(scores.copy(), batch_of(), {})
    for room in (9, 63, 200):
        monkeypatch.setattr(varying, "_ROOM", room)
        for switch in (False, True):
            if switch:
                with without_kernels():
                    other = law.infer(scores.copy(), batch_of(), {})
            else:
                other = law.infer(scores.copy(), batch_of(), {})
            np.testing.assert_allclose(other.log_evidence, found.log_evidence, rtol=1e-12)
            for name, value in found.statistics.sums.items():
                np.testing.assert_allclose(other.statistics[name], value, rtol=1e-10)


def simulated(concentration, rng, n_units=120, n_steps=40):
    """Counts of customers whose moves vary around those of the population."""
    population = np.array([[0.8, 0.2], [0.3, 0.7]])
    law = GroupedMarkov(concentration * population, np.full(2, 0.5))
    offsets = np.arange(n_units + 1) * n_steps
    states = law.sample_states(offsets, rng)
    return rng.poisson(np.where(states == 0, 1.0, 12.0))[:, None].astype(float), offsets, states


def fitted(x, offsets, structure, steps=60):
    components = FamilyComponents(Poisson()).from_mean(np.array([[1.5], [9.0]]))
    return run(
        LatentMixture(components, structure, Encoding(1)),
        make_source(x, Encoding(1), None, offsets, 1000),
        update=Maximization(),
        executor=Serial(),
        stopping=Stopping(1e-7, max_iter=steps),
    )


START = Markov(np.full(2, 0.5), np.array([[0.6, 0.4], [0.4, 0.6]]))


def test_the_concentration_is_learnt_and_every_customer_has_its_moves():
    rng = np.random.default_rng(0)
    x, offsets, states = simulated(5.0, rng)
    result = fitted(x, offsets, GroupedChain()(START, 0))
    assert (np.diff(result.history) > -1e-8).all()
    law = result.model.structure
    assert ((law.concentration > 2.5) & (law.concentration < 10.0)).all()  # 5, from 120 customers
    own = np.concatenate([law.group_transitions(result.memory[batch]) for batch in sorted(result.memory)])
    assert own.shape == (120, 2, 2)
    seen = np.zeros((120, 2, 2))
    paths = states.reshape(120, -1)
    np.add.at(seen, (np.arange(120)[:, None], paths[:, :-1], paths[:, 1:]), 1.0)
    expected = (law.pseudo_count + seen) / (law.pseudo_count + seen).sum(axis=2, keepdims=True)
    assert np.abs(own - expected).mean() < 0.01  # the states are all but seen
    ordinary = fitted(x, offsets, START)
    assert result.objective > ordinary.objective + 50.0


def test_customers_who_are_alike_have_one_matrix():
    rng = np.random.default_rng(1)
    x, offsets, _ = simulated(1e7, rng)
    result = fitted(x, offsets, GroupedChain()(START, 0))
    ordinary = fitted(x, offsets, START)
    assert (result.model.structure.concentration > 60.0).all()
    assert result.objective == pytest.approx(ordinary.objective, abs=3.0)
    np.testing.assert_allclose(
        result.model.structure.transition, ordinary.model.structure.transition, atol=0.01
    )


def test_filters_learn_on_the_way_and_predict_better_than_one_matrix():
    rng = np.random.default_rng(2)
    x, offsets, _ = simulated(2.0, rng, n_units=60, n_steps=30)
    components = FamilyComponents(Poisson()).from_mean(np.array([[1.0], [12.0]]))
    scores = components.log_prob(components.encode(x.T, Encoding(1)))
    population = np.array([[0.8, 0.2], [0.3, 0.7]])
    law = GroupedMarkov(2.0 * population, np.full(2, 0.5))
    found = law.filtered(scores, batch_of(offsets))
    one = Markov(np.full(2, 0.5), population).filtered(scores, batch_of(offsets))
    assert found.log_scale.sum() > one.log_scale.sum() + 100.0
    bound = law.posterior(scores, batch_of(offsets)).log_evidence
    assert found.log_scale.sum() == pytest.approx(bound.sum(), rel=0.01)  # two approximations of one evidence
    belief = found.belief[7]
    assert law.marginal(belief).sum() == pytest.approx(1.0)
    moves = belief[2:].reshape(2, 2)
    ahead = law.marginal(belief) @ (moves / moves.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(law.forecast(belief, 1)[0], ahead)
    np.testing.assert_allclose(found.probabilities.sum(axis=0), 1.0, rtol=1e-12)


def test_first_steps_of_a_filter_are_exact():
    """Until the second move the state before is all that is uncertain: predictions are those of the exact integral."""
    scores = np.log(np.array([[0.5, 0.2], [0.1, 0.3], [0.4, 0.1]]))
    law = GroupedMarkov(PSEUDO, INITIAL)
    found = law.filtered(scores, batch_of(np.array([0, 2])))
    assert found.log_scale.sum() == pytest.approx(exact(scores, INITIAL, PSEUDO), abs=1e-12)


@pytest.mark.parametrize("learn", [True, False])
def test_newton_steps_end_at_the_maximum_of_the_dirichlet_multinomial_likelihood(learn, rng):
    """Where paths are known the moves are, and the sums are those of their likelihood."""
    shares = rng.dirichlet([4.0, 2.0, 1.0], 80)
    counts = np.array([rng.multinomial(20, share) for share in shares]).astype(float)

    def value(vector):
        own = np.exp(vector)
        whole = gammaln(own.sum()) - gammaln(own.sum() + 20.0)
        return (whole + (gammaln(own + counts) - gammaln(own)).sum(axis=1)).sum()

    own = np.array([3.0, 3.0, 3.0])
    for _ in range(30):
        laws = own + counts
        logs = (digamma(laws) - digamma(laws.sum(axis=1, keepdims=True))).sum(axis=0)
        curvature = polygamma(1, laws).sum(axis=0), float(polygamma(1, laws.sum(axis=1)).sum())
        found = _newton(own, logs, *curvature, 80.0, learn=learn)
        own = dirichlet_from_mean_log(logs / 80.0, None if learn else 9.0) if found is None else found
    for _ in range(40):
        moved = np.log(own) + 0.05 * rng.normal(size=3)
        moved = moved if learn else moved + np.log(9.0 / np.exp(moved).sum())
        assert value(moved) < value(np.log(own))
    assert learn or own.sum() == pytest.approx(9.0)
    assert _newton(own, logs, np.full(3, np.nan), curvature[1], 80.0, learn=learn) is None


def test_a_split_waits_for_sums_of_its_own(rng):
    law, scores = GroupedMarkov(PSEUDO, INITIAL), rng.normal(size=(3, 60))
    halves = law.split(law.infer(scores, batch_of(), {}).statistics, 1)
    new = law.take([0, 1, 2, 1]).maximize(halves)
    assert np.isfinite(new.pseudo_count).all()
    np.testing.assert_allclose(new.transition.sum(axis=1), 1.0, rtol=1e-12)


def test_zeros_and_known_starts_stay(rng):
    left_right = np.array([[0.5, 0.5, 0.0], [0.0, 0.5, 0.5], [0.0, 0.0, 1.0]])
    first = np.array([1.0, 0.0, 0.0])
    law = GroupedChain(4.0)(Markov(first, left_right, start=KnownStart()), 0)
    scores = rng.normal(size=(3, 60))
    for _ in range(3):
        law = law.maximize(law.infer(scores.copy(), batch_of(), {}).statistics)
    np.testing.assert_array_equal(law.pseudo_count > 0, left_right > 0)
    np.testing.assert_array_equal(law.initial, first)
    assert law.n_parameters() == 5
    states = law.sample_states(OFFSETS, rng)
    assert all((np.diff(states[start:stop]) >= 0).all() for start, stop in pairwise(OFFSETS))


def test_what_has_no_prior_says_so():
    for setting in (GroupedChain(), InputOutputChain()):
        law = setting(Markov(INITIAL, MOVES), 1)
        assert law.variational(None, np.ones(3)) is law
        with pytest.raises(InvalidParameterError, match="expected None: these have no conjugate"):
            law.penalized(ChainPrior())
    with pytest.raises(InvalidParameterError, match="asked for with KnownMoves; expected"):
        GroupedChain()(Markov(INITIAL, MOVES, moves=KnownMoves(np.full((3, 3), np.nan))), 0)
    for setting in (GroupedChain(), InputOutputChain()):
        with pytest.raises(
            InvalidParameterError, match="asked for with StationaryStart; expected FreeMoves and FreeStart"
        ):
            setting(Markov(INITIAL, MOVES, start=StationaryStart()), 1)
    with pytest.raises(InvalidParameterError, match="concentration is 0"):
        GroupedChain(0.0)(Markov(INITIAL, MOVES), 0)
