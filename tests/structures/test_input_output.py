"""Chains whose moves depend on covariates: against chains per stratum, Markov chains, and the plain path."""

from itertools import pairwise

import numpy as np
import pytest

from mixtura.data import make_source
from mixtura.exceptions import InvalidDataError
from mixtura.executors import Serial
from mixtura.families import Categorical, FamilyComponents
from mixtura.inference.driver import run
from mixtura.inference.stopping import Stopping
from mixtura.inference.updates import Maximization
from mixtura.kernels import without_kernels
from mixtura.protocols import Batch, Encoding
from mixtura.structures import InputOutputChain, InputOutputMarkov, LatentMixture, Markov, varying
from mixtura.structures.sequential import simulated

INITIAL = np.array([0.2, 0.5, 0.3])
MOVES = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])
OFFSETS = np.array([0, 1, 3, 10, 30, 31, 60])


def batch_of(covariates, offsets=OFFSETS):
    return Batch(None, np.ones(offsets[-1]), offsets, covariates=covariates)


def same(first, second, tolerance):
    np.testing.assert_allclose(first.log_evidence, second.log_evidence, rtol=tolerance)
    np.testing.assert_allclose(first.resp, second.resp, atol=tolerance)
    for name, value in first.statistics.sums.items():
        np.testing.assert_allclose(value, second.statistics[name], atol=10 * tolerance, err_msg=name)


@pytest.fixture
def law(rng):
    return InputOutputMarkov(rng.normal(size=(3, 3, 3)), rng.normal(size=(3, 3)))


def test_without_covariates_it_is_a_markov_chain(rng):
    chain = Markov(INITIAL, MOVES)
    law = InputOutputMarkov.from_chain(chain, 0)
    scores = rng.normal(scale=2.0, size=(3, 60))
    found = law.infer(scores.copy(), batch_of(np.empty((0, 60))), {})
    expected = chain.infer(scores.copy(), batch_of(None), {})
    np.testing.assert_allclose(found.resp, expected.resp, atol=1e-13)
    np.testing.assert_allclose(found.log_evidence, expected.log_evidence, rtol=1e-13)
    np.testing.assert_allclose(law.transition, MOVES, rtol=1e-14)
    assert law.n_parameters() == chain.n_parameters()
    # Newton steps from the sums' own point end where the moves' shares are.
    pairs = expected.statistics["transition_counts"]
    for _ in range(20):
        moved = law.maximize(sums_at(law, pairs, expected.statistics["initial"]))
        law = moved
    np.testing.assert_allclose(law.transition, pairs / pairs.sum(axis=1, keepdims=True), rtol=1e-9)


def sums_at(law, pairs, initial):
    """Sums of an intercept-only law from given expected moves."""
    from mixtura.statistics import Statistics

    moves, total = law.transition, pairs.sum(axis=1, keepdims=True)
    curvature = total[:, :, None] * moves[:, :, None] * moves[:, None, :]
    sums = {
        "score": (pairs - total * moves)[..., None],
        "curvature": curvature[..., None],
        "initial": initial,
    }
    return Statistics(sums)


def test_two_strata_have_the_matrices_that_each_would_be_given():
    """With one covariate of two values the logit says nothing about the rows: every value has a matrix of its own."""
    rng = np.random.default_rng(0)
    n_rows, offsets = 300, np.array([0, 120, 300])
    stratum = rng.integers(0, 2, n_rows)
    probability = np.array([[0.8, 0.15, 0.05], [0.05, 0.15, 0.8]])
    components = FamilyComponents(Categorical([3])).from_mean(probability)
    matrices = np.array([[[0.8, 0.2], [0.3, 0.7]], [[0.3, 0.7], [0.1, 0.9]]])
    states = simulated(np.full(2, 0.5), matrices[stratum], offsets, rng)
    x = np.array([[rng.choice(3, p=probability[state])] for state in states], dtype=float)
    coefficients = np.zeros((2, 2, 2))
    coefficients[:, :, 0] = np.log(matrices[0])
    coefficients[:, :, 1] = np.log(matrices[1]) - np.log(matrices[0])
    model = LatentMixture(components, InputOutputMarkov(coefficients, np.full(2, 0.5)), Encoding(1))
    source = make_source(x, Encoding(1), None, offsets, 100, stratum[:, None].astype(float))
    stopping = Stopping(1e-11, max_iter=400)
    result = run(model, source, update=Maximization(), executor=Serial(), stopping=stopping)
    assert (np.diff(result.history) > -1e-9).all()
    scores, initial = log_scores(probability, x), np.full(2, 0.5)
    for _ in range(120):  # a loop with a matrix for each stratum
        counts, begun, emitted = stratum_sums(scores, initial, matrices[stratum], offsets, stratum, x)
        matrices = counts / counts.sum(axis=2, keepdims=True)
        initial = begun / begun.sum()
        probability = emitted / emitted.sum(axis=1, keepdims=True)
        scores = log_scores(probability, x)
    own = result.model.structure.moves_of(np.array([[0.0, 1.0]]))
    evidence = sum(evidences(scores, initial, matrices[stratum], offsets))
    assert result.objective == pytest.approx(evidence, abs=1e-4)  # the loop crawls
    np.testing.assert_allclose(own, matrices, atol=5e-3)


def log_scores(probability, x):
    return np.log(probability[:, x[:, 0].astype(int)])


def messages(scores, initial, moves, start, stop):
    alpha = [initial * np.exp(scores[:, start])]
    alpha = [alpha[0] / alpha[0].sum()]
    scale = [(initial * np.exp(scores[:, start])).sum()]
    for t in range(start + 1, stop):
        row = alpha[-1] @ moves[t] * np.exp(scores[:, t])
        scale.append(row.sum())
        alpha.append(row / row.sum())
    beta = [np.ones(2)]
    for t in range(stop - 1, start, -1):
        beta.insert(0, moves[t] @ (np.exp(scores[:, t]) * beta[0]) / scale[t - start])
    return np.array(alpha), np.array(beta), np.array(scale)


def evidences(scores, initial, moves, offsets):
    for start, stop in pairwise(offsets):
        yield np.log(messages(scores, initial, moves, start, stop)[2]).sum()


def stratum_sums(scores, initial, moves, offsets, stratum, x):
    counts, begun, emitted = np.zeros((2, 2, 2)), np.zeros(2), np.zeros((2, 3))
    for start, stop in pairwise(offsets):
        alpha, beta, scale = messages(scores, initial, moves, start, stop)
        begun += alpha[0] * beta[0]
        for t in range(start, stop):
            emitted[:, int(x[t, 0])] += alpha[t - start] * beta[t - start]
        for t in range(start + 1, stop):
            right = np.exp(scores[:, t]) * beta[t - start] / scale[t - start]
            counts[stratum[t]] += alpha[t - start - 1][:, None] * moves[t] * right
    return counts, begun, emitted


def test_paths_agree_with_and_without_numba_and_in_chunks(law, rng, monkeypatch):
    scores, covariates = rng.normal(scale=3.0, size=(3, 60)), rng.normal(size=(2, 60))
    found = law.infer(scores.copy(), batch_of(covariates), {})
    with without_kernels():
        same(law.infer(scores.copy(), batch_of(covariates), {}), found, 1e-12)
    for room in (9, 63, 200):
        monkeypatch.setattr(varying, "_ROOM", room)
        same(law.infer(scores.copy(), batch_of(covariates), {}), found, 1e-12)
        with without_kernels():
            same(law.infer(scores.copy(), batch_of(covariates), {}), found, 1e-12)


def test_underflow_is_mended_in_logarithms(law, rng):
    """A state that is impossible but for exp(-2000) is needed later on."""
    scores, covariates = rng.normal(size=(3, 60)), rng.normal(size=(2, 60))
    one_way = law.coefficients.copy()
    one_way[:, :, 0] = [[0.0, -np.inf, -np.inf], [-1.0, 0.0, -1.0], [-1.0, -1.0, 0.0]]
    law = law.replace(one_way, law.initial)
    law = InputOutputMarkov(np.where(one_way == 0, law.coefficients, one_way), law.initial)
    scores[0, 12:14], scores[1:, 14:16] = 2000.0, 4000.0
    found = law.infer(scores.copy(), batch_of(covariates), {})
    assert np.isfinite(found.log_evidence).all()
    assert found.resp[0, 12] < 1e-6
    np.testing.assert_allclose(found.resp.sum(axis=0), 1.0, rtol=1e-9)
    expected = law.posterior(scores, batch_of(covariates))
    np.testing.assert_allclose(found.log_evidence, expected.log_evidence, rtol=1e-12)
    np.testing.assert_allclose(found.resp, expected.probabilities, atol=1e-9)


def test_an_impossible_row_leaves_its_sequence_no_evidence_and_is_passed_over(law, rng):
    scores, covariates = rng.normal(size=(3, 60)), rng.normal(size=(2, 60))
    scores[:, 5] = -np.inf
    found = law.infer(scores.copy(), batch_of(covariates), {})
    assert found.log_evidence[2] == -np.inf
    assert np.isfinite(found.log_evidence[[0, 1, 3, 4, 5]]).all()
    unseen = scores.copy()
    unseen[:, 5] = 0.0
    np.testing.assert_allclose(
        found.resp, law.infer(unseen.copy(), batch_of(covariates), {}).resp, atol=1e-11
    )
    assert all(np.isfinite(value).all() for value in found.statistics.sums.values())


def test_steps_wait_where_states_were_left_out_or_reordered(law, rng):
    scores, covariates = rng.normal(size=(3, 60)), rng.normal(size=(2, 60))
    stats = law.infer(scores.copy(), batch_of(covariates), {}).statistics
    for index in ([0, 2], [1, 2, 0]):
        taken = law.take(index)
        np.testing.assert_array_equal(taken.maximize(stats.take(index)).coefficients, taken.coefficients)
    split = law.split(stats, 1)
    assert split["count"].sum() == pytest.approx(60.0)
    assert split["score"].shape == (4, 4, 3)


def test_impossible_moves_stay_so_and_settings_make_structures(rng):
    chain = Markov(np.array([1.0, 0.0, 0.0]), np.array([[0.5, 0.5, 0.0], [0.0, 0.5, 0.5], [0.0, 0.0, 1.0]]))
    law = InputOutputChain(starts=False)(chain, 2)
    assert law.n_parameters() == 2 * 3
    scores, covariates = rng.normal(size=(3, 60)), rng.normal(size=(2, 60))
    for _ in range(3):
        law = law.maximize(law.infer(scores.copy(), batch_of(covariates), {}).statistics)
    moves = law.moves_of(covariates)
    assert not moves[:, chain.transition == 0].any()
    assert InputOutputChain(starts=True)(Markov(INITIAL, MOVES), 2).initial.shape == (3, 3)
    rows = list(law.table())
    assert rows[1][:3] == ("move_coefficient", "u0", "to 0")


def test_covariates_that_are_not_there_are_asked_for(law):
    with pytest.raises(InvalidDataError, match="depend on 2 covariates, and none are given"):
        law.infer(np.zeros((3, 60)), batch_of(None), {})
    with pytest.raises(InvalidDataError, match="depend on 2 covariates, and 1 are given"):
        law.moves_of(np.zeros((1, 4)))
