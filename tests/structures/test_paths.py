"""Paths and probabilities of states against all K^T paths, with Numba and without it."""

from contextlib import nullcontext
from itertools import pairwise

import numpy as np
import pytest

from mixtura.exceptions import InvalidParameterError
from mixtura.kernels import without_kernels
from mixtura.structures import paths
from mixtura.structures.messages import smooth, smooth_in_logs
from oracles_chains import ahead_of, enumerated

N_COMPONENTS = 3
OFFSETS = np.array([0, 5, 6, 8, 12])
MOVES = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])
LEFT_RIGHT = np.array([[0.9, 0.1, 0.0], [0.0, 0.8, 0.2], [0.0, 0.0, 1.0]])
RNG = np.random.default_rng(0)
SCORES = RNG.normal(0.0, 3.0, (N_COMPONENTS, OFFSETS[-1]))
VARYING = RNG.dirichlet(np.ones(N_COMPONENTS), (OFFSETS[-1], N_COMPONENTS))
CASES = {
    "free": (np.array([0.2, 0.5, 0.3]), MOVES),
    "left-right": (np.array([1.0, 0.0, 0.0]), LEFT_RIGHT),
    # exponentials of expected logarithms do not sum to one
    "unnormalised": (np.array([0.1, 0.4, 0.2]), MOVES * np.array([[0.3], [0.9], [0.5]])),
    "varying": (np.array([0.2, 0.5, 0.3]), VARYING),
}


@pytest.fixture(params=["kernels", "numpy"])
def how(request):
    with nullcontext() if request.param == "kernels" else without_kernels():
        yield request.param


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


def sequences(initial, transition, scores=SCORES):
    """Scores, moves and the enumerated paths of every sequence."""
    for start, stop in pairwise(OFFSETS):
        moves = transition if transition.ndim == 2 else transition[start:stop]
        yield (
            slice(start, stop),
            scores[:, start:stop],
            moves,
            enumerated(scores[:, start:stop], initial, moves),
        )


def test_evidence_smoothed_and_filtered(case, how):
    initial, transition = case
    evidence, smoothed = paths.posterior(SCORES, initial, transition, OFFSETS)
    again, filtered = paths.filtered(SCORES, initial, transition, OFFSETS)
    ahead = paths.predicted(SCORES, initial, transition, OFFSETS)
    for unit, (rows, scores, moves, oracle) in enumerate(sequences(initial, transition)):
        assert evidence[unit] == pytest.approx(oracle.log_evidence, rel=1e-12)
        assert again[unit] == pytest.approx(oracle.log_evidence, rel=1e-12)
        np.testing.assert_allclose(smoothed[rows], oracle.smoothed(N_COMPONENTS), atol=1e-12)
        np.testing.assert_allclose(ahead[rows], ahead_of(scores, initial, moves), atol=1e-12)
        for t in range(scores.shape[1]):
            past = enumerated(scores[:, : t + 1], initial, moves[: t + 1] if moves.ndim == 3 else moves)
            np.testing.assert_allclose(filtered[rows][t], past.smoothed(N_COMPONENTS)[t], atol=1e-12)


@pytest.mark.parametrize("make", [smooth, smooth_in_logs])
def test_weighted_moves(case, how, make):
    initial, transition = case
    if transition.ndim == 3 and make is smooth:
        pytest.skip("moves that depend on the row are done in logarithms")
    weight = np.repeat([2.0, 0.5, 0.0, 1.0], np.diff(OFFSETS))
    found = make(SCORES, initial, transition, OFFSETS, weight)
    expected = np.zeros((N_COMPONENTS, N_COMPONENTS))
    for rows, _, _, oracle in sequences(initial, transition):
        expected += weight[rows][0] * oracle.pairs(N_COMPONENTS)
        np.testing.assert_allclose(
            found.resp[rows], weight[rows, None] * oracle.smoothed(N_COMPONENTS), atol=1e-12
        )
    np.testing.assert_allclose(found.pairs, expected, atol=1e-11)


def test_best_paths(case, how):
    initial, transition = case
    log_prob, path = paths.viterbi(SCORES, initial, transition, OFFSETS)
    several, listed = paths.best_paths(SCORES, initial, transition, OFFSETS, 7)
    for unit, (rows, scores, _, oracle) in enumerate(sequences(initial, transition)):
        expected, best = oracle.best(7)
        assert log_prob[unit] == pytest.approx(expected[0], rel=1e-12)
        np.testing.assert_array_equal(path[rows], best[0])
        n_found = len(expected)
        assert n_found == 7 or n_found <= N_COMPONENTS ** scores.shape[1]
        np.testing.assert_allclose(several[unit, :n_found], expected, rtol=1e-12)
        np.testing.assert_array_equal(listed[:n_found, rows], best)
        assert np.isneginf(several[unit, n_found:]).all()
        assert (listed[n_found:, rows] == -1).all()


def test_drawn_paths_have_the_posterior_law(case, how):
    initial, transition = case
    n_paths = 4000
    drawn = paths.sample_paths(SCORES, initial, transition, OFFSETS, n_paths, np.random.default_rng(1))
    for rows, scores, _, oracle in sequences(initial, transition):
        place = N_COMPONENTS ** np.arange(scores.shape[1])[::-1]
        share = np.bincount(drawn[:, rows] @ place, minlength=len(oracle.joint)) / n_paths
        law = oracle.joint / oracle.joint.sum()
        assert not share[law == 0].any()
        # five standard errors of a frequency, and one path
        assert (np.abs(share - law) <= 5 * np.sqrt(law * (1 - law) / n_paths) + 1 / n_paths).all()


def test_draws_are_the_same_with_numba_and_without():
    initial, transition = CASES["free"]
    drawn = [paths.sample_paths(SCORES, initial, transition, OFFSETS, 50, np.random.default_rng(1))]
    with without_kernels():
        drawn.append(paths.sample_paths(SCORES, initial, transition, OFFSETS, 50, np.random.default_rng(1)))
    np.testing.assert_array_equal(*drawn)


def test_of_equal_paths_the_first_states_are_taken(how):
    scores, even = np.zeros((3, 4)), np.full((3, 3), 1 / 3)
    log_prob, path = paths.viterbi(scores, even[0], even, np.array([0, 4]))
    assert path.tolist() == [0, 0, 0, 0]
    assert log_prob[0] == pytest.approx(-4 * np.log(3))
    _, listed = paths.best_paths(scores, even[0], even, np.array([0, 4]), 3)
    assert len({tuple(one) for one in listed.tolist()}) == 3
    assert listed[0].tolist() == [0, 0, 0, 0]


def test_an_impossible_row_is_passed_over_and_named(how):
    scores = SCORES.copy()
    scores[:, 6] = -np.inf
    initial, transition = CASES["free"]
    blind = scores.copy()
    blind[:, 6] = 0.0
    evidence, smoothed = paths.posterior(scores, initial, transition, OFFSETS)
    expected, without = paths.posterior(blind, initial, transition, OFFSETS)
    assert np.isneginf(evidence).tolist() == [False, False, True, False]
    np.testing.assert_allclose(evidence[[0, 1, 3]], expected[[0, 1, 3]], rtol=1e-12)
    np.testing.assert_allclose(smoothed, without, atol=1e-12)
    again, filtered = paths.filtered(scores, initial, transition, OFFSETS)
    assert np.isneginf(again).tolist() == [False, False, True, False]
    np.testing.assert_allclose(filtered.sum(axis=1), 1.0, rtol=1e-12)
    log_prob, path = paths.viterbi(scores, initial, transition, OFFSETS)
    assert np.isneginf(log_prob).tolist() == [False, False, True, False]
    assert (path[6:8] == -1).all()
    assert (np.delete(path, [6, 7]) >= 0).all()
    several, listed = paths.best_paths(scores, initial, transition, OFFSETS, 2)
    assert np.isneginf(several[2]).all()
    assert (listed[:, 6:8] == -1).all()
    scale = paths.filter_rows(scores, initial, transition, OFFSETS).log_scale
    assert np.flatnonzero(np.isneginf(scale)).tolist() == [6]
    drawn = paths.sample_paths(scores, initial, transition, OFFSETS, 5, np.random.default_rng(0))
    assert ((drawn >= 0) & (drawn < 3)).all()


def test_states_that_cannot_be_left_or_reached_give_no_nan(how):
    stuck = np.array([[0.0, 0.0], [0.0, 1.0]])
    scores = np.array([[0.0, 0.0, 0.0], [-np.inf, 0.0, 0.0]])
    offsets = np.array([0, 3])
    evidence, smoothed = paths.posterior(scores, np.array([0.5, 0.5]), stuck, offsets)
    assert np.isneginf(evidence[0])
    np.testing.assert_allclose(smoothed.sum(axis=1), 1.0)
    pairs = smooth_in_logs(scores, np.array([0.5, 0.5]), stuck, offsets, np.ones(3)).pairs
    assert np.isfinite(pairs).all()
    assert (
        paths.sample_paths(scores, np.array([0.5, 0.5]), stuck, offsets, 4, np.random.default_rng(0)).min()
        >= 0
    )
    assert np.isfinite(paths.predicted(scores, np.array([0.5, 0.5]), stuck, offsets)).all()


@pytest.mark.parametrize("n_paths", [0, -1, 1.5])
def test_numbers_of_paths(n_paths):
    initial, transition = CASES["free"]
    with pytest.raises(InvalidParameterError, match=rf"n_paths is {n_paths}; expected a positive integer"):
        paths.best_paths(SCORES, initial, transition, OFFSETS, n_paths)
    with pytest.raises(InvalidParameterError, match="how many paths"):
        paths.sample_paths(SCORES, initial, transition, OFFSETS, n_paths, np.random.default_rng(0))


@pytest.mark.parametrize("n_components", [3, 5])
def test_the_filter_in_the_linear_domain_equals_that_in_logarithms(n_components, how, monkeypatch):
    rng = np.random.default_rng(0)
    moves = rng.dirichlet(np.full(n_components, 0.3), n_components) + 1e-40
    initial = np.eye(n_components)[0]
    scores = rng.normal(0.0, 20.0, (n_components, OFFSETS[-1]))
    scores[0, [0, 7]] = -800.0  # the second sequence's first row leaves nothing that can be held
    scores[1, 5] = -np.inf
    scores[:, 9] = -np.inf
    fast = paths.filter_rows(scores, initial, moves, OFFSETS)
    monkeypatch.setattr(paths, "_ALL_BUT_IMPOSSIBLE", 1.0)
    slow = paths.filter_rows(scores, initial, moves, OFFSETS)
    np.testing.assert_allclose(fast.log_scale, slow.log_scale, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(np.exp(fast.logs), np.exp(slow.logs), atol=1e-12)
