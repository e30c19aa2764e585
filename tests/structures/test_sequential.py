"""What every structure in time answers, against sums over all paths."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy.stats import geom, nbinom, poisson

import oracles_sequences as naive
from mixtura.kernels import without_kernels
from mixtura.protocols import Batch
from mixtura.structures import DirichletMarkov, InputOutputMarkov, Markov, SemiMarkov
from mixtura.structures.durations import (
    FreeDurations,
    GeometricDurations,
    NegativeBinomialDurations,
    PoissonDurations,
)

OFFSETS = np.array([0, 5, 6, 9])
INITIAL = np.array([0.2, 0.5, 0.3])
MOVES = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])
LEFT_RIGHT = np.array([[0.9, 0.1, 0.0], [0.0, 0.8, 0.2], [0.0, 0.0, 1.0]])


@dataclass
class Case:
    """A structure, and log p(path) of one sequence by other means."""

    structure: Any
    log_prior: Any
    n_covariates: int = 0


LOGITS = np.random.default_rng(11).normal(size=(3, 3, 3))
LOGITS[0, 2, 0] = -np.inf
STARTS = np.random.default_rng(12).normal(size=(3, 3))

JUMPS = np.array([[0.0, 0.6, 0.4], [0.3, 0.0, 0.7], [0.5, 0.5, 0.0]])
HAZARD = np.array([[0.2, 0.7, 0.4], [0.1, 0.3, 1.0], [0.5, 0.0, 0.6]])
MEANS = np.array([1.5, 3.0, 4.0])
SIZE = np.array([0.7, 1.0, 5.0])


def semi(chain, durations, lasts, at_least):
    return Case(
        SemiMarkov(chain, durations), naive.semi_markov(chain.initial, chain.transition, lasts, at_least)
    )


def counted(number):
    """lasts and at_least of 1 plus a number of the law of each state."""
    return (lambda k, d: number[k].pmf(d - 1)), (lambda k, d: number[k].sf(d - 2))


def softmax(rows):
    return np.exp(rows) / np.exp(rows).sum(axis=-1, keepdims=True)


def logit_moves(z):
    odds = np.array([[c[0] + c[1:] @ z for c in row] for row in LOGITS])
    return softmax(odds)


def logit_starts(z):
    return softmax(np.array([c[0] + c[1:] @ z for c in STARTS]))


_LAW = DirichletMarkov(Markov(INITIAL, MOVES), 1.0, 0.5, size=4.0)
CASES = {
    "Markov": Case(Markov(INITIAL, MOVES), naive.markov(INITIAL, MOVES)),
    "left-right": Case(
        Markov(np.array([1.0, 0, 0]), LEFT_RIGHT), naive.markov(np.array([1.0, 0, 0]), LEFT_RIGHT)
    ),
    "InputOutputMarkov": Case(InputOutputMarkov(LOGITS, INITIAL), naive.markov(INITIAL, logit_moves), 2),
    "InputOutputMarkov, starts": Case(
        InputOutputMarkov(LOGITS, STARTS), naive.markov(logit_starts, logit_moves), 2
    ),
    "SemiMarkov, free": semi(Markov(INITIAL, JUMPS), FreeDurations(HAZARD), *naive.of_hazards(HAZARD)),
    # A state that may follow itself: a path has several cuts into segments.
    "SemiMarkov, itself": semi(Markov(INITIAL, MOVES), FreeDurations(HAZARD), *naive.of_hazards(HAZARD)),
    "SemiMarkov, geometric": semi(
        Markov(INITIAL, JUMPS),
        GeometricDurations(HAZARD[:, :1]),
        *counted([geom(p, loc=-1) for p in HAZARD[:, 0]]),
    ),
    "SemiMarkov, Poisson": semi(
        Markov(INITIAL, JUMPS), PoissonDurations(MEANS, 12), *counted([poisson(m - 1.0) for m in MEANS])
    ),
    "SemiMarkov, negative binomial": semi(
        Markov(INITIAL, JUMPS),
        NegativeBinomialDurations(MEANS, SIZE, 12),
        *counted([nbinom(r, r / (r + m - 1.0)) for m, r in zip(MEANS, SIZE, strict=True)]),
    ),
    "DirichletMarkov, point": Case(_LAW.point, naive.markov(_LAW.initial, _LAW.transition)),
}


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


def rows_of(case, n_rows=OFFSETS[-1]):
    rng = np.random.default_rng(5)
    scores = rng.normal(scale=1.5, size=(case.structure.n_components, n_rows))
    covariates = rng.normal(size=(case.n_covariates, n_rows)) if case.n_covariates else None
    return scores, covariates


def batch_of(covariates, offsets=OFFSETS):
    return Batch(None, np.ones(offsets[-1]), offsets, covariates=covariates)


def parts(scores, covariates):
    for start, stop in pairwise(OFFSETS):
        yield (
            slice(start, stop),
            scores[:, start:stop],
            None if covariates is None else covariates[:, start:stop],
        )


@pytest.mark.parametrize("plain", [False, True])
def test_smoothed_probabilities_and_evidence(case, plain):
    scores, covariates = rows_of(case)
    if plain:
        with without_kernels():
            found = case.structure.posterior(scores, batch_of(covariates))
            learnt = case.structure.infer(scores.copy(), batch_of(covariates), {})
    else:
        found = case.structure.posterior(scores, batch_of(covariates))
        learnt = case.structure.infer(scores.copy(), batch_of(covariates), {})
    for unit, (rows, own, beside) in enumerate(parts(scores, covariates)):
        paths, logs = naive.joint(own, case.log_prior, beside)
        expected = naive.marginals(paths, logs, len(scores))
        evidence = np.logaddexp.reduce(logs)
        np.testing.assert_allclose(found.probabilities[:, rows], expected, atol=1e-12)
        np.testing.assert_allclose(learnt.resp[:, rows], expected, atol=1e-12)
        assert found.log_evidence[unit] == pytest.approx(evidence, abs=1e-11)
        assert learnt.log_evidence[unit] == pytest.approx(evidence, abs=1e-11)


def test_filtered_and_predicted_probabilities_and_the_live_filter(case):
    scores, covariates = rows_of(case)
    found = case.structure.filtered(scores, batch_of(covariates))
    ahead = case.structure.predicted(scores, batch_of(covariates))
    for unit, (rows, own, beside) in enumerate(parts(scores, covariates)):
        expected, evidence = naive.filtered(own, case.log_prior, beside)
        np.testing.assert_allclose(found.probabilities[:, rows], expected, atol=1e-12)
        np.testing.assert_allclose(np.cumsum(found.log_scale[rows]), evidence, atol=1e-11)
        belief = None
        for t in range(own.shape[1]):
            hidden = own[:, : t + 1].copy()
            hidden[:, t] = 0.0
            blind, _ = naive.filtered(hidden, case.log_prior, None if beside is None else beside[:, : t + 1])
            np.testing.assert_allclose(ahead[:, rows][:, t], blind[:, -1], atol=1e-12)
            belief, log_scale = case.structure.advance(
                belief, own[:, t], None if beside is None else beside[:, t]
            )
            np.testing.assert_allclose(case.structure.marginal(belief), expected[:, t], atol=1e-12)
            assert log_scale == pytest.approx(found.log_scale[rows][t], abs=1e-11)
        np.testing.assert_allclose(belief, found.belief[unit], atol=1e-12)


def test_best_paths(case):
    scores, covariates = rows_of(case)
    found = case.structure.viterbi(scores, batch_of(covariates))
    if CASES["SemiMarkov, itself"] is case:  # there the best path with its cuts is another question
        return
    best = (
        case.structure.best_paths(scores, batch_of(covariates), 3)
        if hasattr(case.structure, "best_paths")
        else None
    )
    for unit, (rows, own, beside) in enumerate(parts(scores, covariates)):
        paths, logs = naive.joint(own, case.log_prior, beside)
        order = np.argsort(-logs)
        assert found.log_joint[unit] == pytest.approx(logs[order[0]], abs=1e-11)
        np.testing.assert_array_equal(found.states[rows], paths[order[0]])
        if best is not None:
            possible = np.isfinite(logs[order[:3]])
            np.testing.assert_allclose(best.log_joint[unit, : len(possible)], logs[order[:3]], atol=1e-11)
            np.testing.assert_array_equal(
                best.states[: len(possible), rows][possible], paths[order[:3]][possible]
            )


def test_forecasts(case):
    scores, covariates = rows_of(case, OFFSETS[-1] + 3)
    own = None if covariates is None else covariates[:, : OFFSETS[-1]]
    belief = case.structure.filtered(scores[:, : OFFSETS[-1]], batch_of(own)).belief[-1]
    future = None if covariates is None else covariates[:, OFFSETS[-1] :]
    found = case.structure.forecast(belief, 3, future)
    last = None if covariates is None else covariates[:, OFFSETS[-2] :]
    expected = naive.forecast(scores[:, OFFSETS[-2] : OFFSETS[-1]], 3, case.log_prior, last)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_drawn_paths_have_the_posterior_law(case):
    scores, covariates = rows_of(case)
    draws = case.structure.draw_states(scores, batch_of(covariates), np.random.default_rng(0), 4000)
    for rows, own, beside in parts(scores, covariates):
        paths, logs = naive.joint(own, case.log_prior, beside)
        agree(draws[:, rows], paths, np.exp(logs - np.logaddexp.reduce(logs)))


def test_simulated_paths_have_the_prior_law(case):
    _, covariates = rows_of(case, 4)
    repeated = None if covariates is None else np.tile(covariates, 4000)
    draws = case.structure.sample_states(np.arange(4001) * 4, np.random.default_rng(1), repeated).reshape(
        -1, 4
    )
    paths, logs = naive.joint(np.zeros((case.structure.n_components, 4)), case.log_prior, covariates)
    agree(draws, paths, np.exp(logs))


def agree(draws, paths, share):
    """Frequencies of whole paths: chi-square over those expected five times, below six standard deviations of it."""
    weights = paths.max() + 1
    code = weights ** np.arange(paths.shape[1])
    observed = np.array([(draws @ code == path @ code).sum() for path in paths])
    assert observed.sum() == len(draws)
    assert not observed[share == 0].any()
    expected = share * len(draws)
    rare = expected < 5
    seen, due = (
        np.append(observed[~rare], observed[rare].sum()),
        np.append(expected[~rare], expected[rare].sum()),
    )
    chi = ((seen - due) ** 2 / np.maximum(due, 1.0)).sum()
    assert chi < len(seen) + 6.0 * np.sqrt(2.0 * len(seen))


def test_an_impossible_row_is_passed_over():
    chain = CASES["left-right"].structure
    scores = np.zeros((3, 4))
    scores[:, 1] = [-np.inf, 0.0, 0.0]
    scores[:, 2] = [0.0, -np.inf, -np.inf]
    found = chain.filtered(scores, batch_of(None, np.array([0, 4])))
    belief, scales = None, []
    for t in range(4):
        belief, scale = chain.advance(belief, scores[:, t])
        scales.append(scale)
    assert scales[2] == -np.inf
    np.testing.assert_allclose(belief, found.belief[0], atol=1e-14)
    np.testing.assert_allclose(scales, found.log_scale, atol=1e-14)
