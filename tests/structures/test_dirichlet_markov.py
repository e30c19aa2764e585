"""Chains with Dirichlet priors: against sums over all paths, integrals over probabilities, and hmmlearn."""

from itertools import product

import numpy as np
import pytest
from scipy.special import gammaln, logsumexp
from scipy.stats import dirichlet

from mixtura.data import make_source
from mixtura.executors import Serial
from mixtura.families import Categorical, FamilyComponents
from mixtura.inference.bayesian import Likelihood, PosteriorMode, Variational
from mixtura.inference.driver import run
from mixtura.inference.problem import Problem
from mixtura.inference.stopping import Stopping
from mixtura.inference.updates import Maximization
from mixtura.priors import ChainPrior, DirichletPrior
from mixtura.protocols import Batch, Encoding
from mixtura.structures import DirichletMarkov, DirichletMarkovMode, EqualWeights, LatentMixture, Markov
from mixtura.structures.moves import KnownMoves, SharedMoves, banded, left_right
from mixtura.structures.starts import KnownStart, StationaryStart

EVEN = Markov(np.full(2, 0.5), np.full((2, 2), 0.5))


def batch_of(scores, offsets):
    return Batch(None, np.ones(scores.shape[1]), np.asarray(offsets))


def raised(law, scores, offsets, steps=200):
    """The law after many rounds, and the bound after each."""
    bounds = []
    for _ in range(steps):
        found = law.infer(scores.copy(), batch_of(scores, offsets), {})
        bounds.append(found.log_evidence.sum() - law.penalty())
        law = law.maximize(found.statistics)
    return law, np.array(bounds)


def evidence(scores, offsets, initial, moves):
    """Log of the exact integral over probabilities: paths' counts under Dirichlet-multinomial laws, summed over all paths."""

    def log_dm(alpha, count):
        return (
            gammaln(alpha.sum())
            - gammaln((alpha + count).sum())
            + (gammaln(alpha + count) - gammaln(alpha)).sum()
        )

    terms = []
    begins = set(offsets[:-1])
    for path in product(range(len(initial)), repeat=scores.shape[1]):
        first, count = np.zeros(len(initial)), np.zeros(moves.shape)
        for t, state in enumerate(path):
            if t in begins:
                first[state] += 1
            else:
                count[path[t - 1], state] += 1
        own = sum(scores[state, t] for t, state in enumerate(path))
        terms.append(own + log_dm(initial, first) + sum(map(log_dm, moves, count)))
    return logsumexp(terms)


@pytest.mark.parametrize("offsets", [[0, 6], [0, 2, 5, 8]])
def test_the_bound_is_below_the_evidence_and_never_falls(offsets):
    scores = np.random.default_rng(0).normal(scale=1.5, size=(2, offsets[-1]))
    prior = np.array([1.0, 2.0]), np.array([[3.0, 1.0], [0.5, 2.0]])
    law, bounds = raised(DirichletMarkov(EVEN, *prior, size=3.0), scores, offsets)
    exact = evidence(scores, offsets, *prior)
    assert (np.diff(bounds) > -1e-12).all()  # rounding
    assert bounds[-1] < exact
    assert bounds[-1] > exact - 0.5  # what independence of path and probabilities costs on a few rows
    assert law.concentration[0].sum() == pytest.approx(3.0 + len(offsets) - 1)


def test_the_bound_is_the_evidence_where_the_path_is_known():
    scores = np.where(np.array([[1, 1, 0, 0, 1, 0], [0, 0, 1, 1, 0, 1]]) == 1, 0.3, -np.inf)
    prior = np.array([1.0, 2.0]), np.array([[3.0, 1.0], [0.5, 2.0]])
    _, bounds = raised(DirichletMarkov(EVEN, *prior), scores, [0, 6], steps=3)
    assert bounds[-1] == pytest.approx(evidence(scores, [0, 6], *prior), abs=1e-12)


def test_divergences_are_those_of_averages_over_draws(rng):
    law = DirichletMarkov(EVEN, 0.7, np.array([[3.0, 1.0], [0.5, 2.0]]), size=5.0)
    for posterior, prior, found in zip(law.concentration, law.prior, law.divergences(), strict=True):
        draws = rng.dirichlet(posterior, 20000).T
        gap = dirichlet(posterior).logpdf(draws) - dirichlet(prior).logpdf(draws)
        assert abs(gap.mean() - found) < 5.0 * gap.std() / np.sqrt(20000)  # five standard errors


def test_zeros_known_entries_and_rows_in_common_stay_so(rng):
    scores = rng.normal(size=(4, 50))
    banded_chain = Markov(np.array([1.0, 0, 0, 0]), banded(4))
    law, _ = raised(DirichletMarkov(banded_chain, 0.3, 0.3), scores, [0, 20, 50], steps=5)
    np.testing.assert_array_equal(law.transition > 0, banded(4) > 0)
    np.testing.assert_array_equal(law.draw(rng).transition > 0, banded(4) > 0)
    np.testing.assert_allclose(law.draw(rng).transition.sum(axis=1), 1.0, rtol=1e-14)
    known = np.full((4, 4), np.nan)
    known[0, 1], known[2] = 0.25, [0.1, 0.2, 0.3, 0.4]
    even = np.where(np.isnan(known), 0.25, known)
    chain = Markov(np.full(4, 0.25), even, start=KnownStart(), moves=KnownMoves(known))
    for start in (DirichletMarkov(chain, 0.3, 0.3), DirichletMarkovMode(chain, 2.0, 2.0)):
        law, bounds = raised(start, scores, [0, 20, 50], steps=5)
        assert law.transition[0, 1] == 0.25
        np.testing.assert_allclose(law.transition[2], known[2], rtol=1e-15)
        np.testing.assert_array_equal(law.initial, 0.25)
        np.testing.assert_allclose(law.point.transition.sum(axis=1), 1.0, rtol=1e-14)
        assert (np.diff(bounds) > -1e-11).all()
    chain = Markov(
        np.full(4, 0.25), left_right(4, steps=3) @ np.full((4, 4), 0.25), moves=SharedMoves([7, 7, 2, 7])
    )
    for start in (DirichletMarkov(chain, 0.3, 0.3), DirichletMarkovMode(chain, 2.0, 2.0)):
        law, bounds = raised(start, scores, [0, 20, 50], steps=5)
        np.testing.assert_array_equal(law.transition[[0, 0]], law.transition[[1, 3]])
        assert (np.diff(bounds) > -1e-11).all()


def test_the_mode_is_that_of_counts_and_the_prior_less_one():
    scores = np.random.default_rng(1).normal(size=(2, 12))
    prior = np.array([1.5, 2.0]), np.array([[3.0, 1.0], [1.5, 2.0]])
    mode = DirichletMarkovMode(EVEN, *prior)
    stats = mode.infer(scores, batch_of(scores, [0, 12]), {}).statistics
    new = mode.maximize(stats)
    expected = stats["transition_counts"] + prior[1] - 1.0
    np.testing.assert_allclose(new.transition, expected / expected.sum(axis=1, keepdims=True), rtol=1e-14)
    first = stats["initial"] + prior[0] - 1.0
    np.testing.assert_allclose(new.initial, first / first.sum(), rtol=1e-14)
    density = dirichlet(prior[0]).logpdf(new.initial) + sum(
        dirichlet(a).logpdf(p) for a, p in zip(prior[1], new.transition, strict=True)
    )
    assert new.penalty() == pytest.approx(-density, rel=1e-12)
    _, bounds = raised(mode, scores, [0, 5, 12])
    assert (np.diff(bounds) > -1e-12).all()
    flat, plain = DirichletMarkovMode(EVEN, 1.0, 1.0).maximize(stats), EVEN.maximize(stats)
    np.testing.assert_array_equal(flat.transition, plain.transition)


def test_learning_the_prior_of_moves_raises_the_bound():
    rng = np.random.default_rng(2)
    scores = rng.normal(scale=2.0, size=(3, 200))
    even = Markov(np.full(3, 1 / 3), np.full((3, 3), 1 / 3))
    learnt, bounds = raised(DirichletMarkov(even, 1.0, 1.0, size=9.0, learn=True), scores, [0, 200], 60)
    assert (np.diff(bounds) > -1e-9).all()  # the one-dimensional search ends at 1e-10 of the logarithm
    for other in (0.1, 1.0, 10.0):
        _, fixed = raised(DirichletMarkov(even, 1.0, other, size=9.0), scores, [0, 200], 60)
        assert bounds[-1] >= fixed[-1] - 1e-6
    assert np.ptp(learnt.prior_moves) == 0.0


def categorical_rows():
    rng = np.random.default_rng(3)
    return rng.integers(0, 3, 120)[:, None].astype(float), np.array([0, 50, 120])


def test_treatments_turn_a_chain_into_one_with_priors():
    x, offsets = categorical_rows()
    probability = np.array([[[0.5, 0.3, 0.2]], [[0.2, 0.2, 0.6]]])
    components = FamilyComponents(Categorical([3])).from_mean(probability.reshape(2, 3))
    start = Markov(np.full(2, 0.5), np.array([[0.8, 0.2], [0.3, 0.7]]))

    problem = Problem(
        x,
        None,
        Encoding(1),
        components,
        lambda _: start,
        lambda rows, _: [rows],
        lambda _: Maximization(),
        2,
        offsets,
    )
    kinds = {
        Likelihood(): Markov,
        PosteriorMode(DirichletPrior(2.0), ChainPrior(2.0, 3.0, staying=4.0)): DirichletMarkovMode,
        Variational(DirichletPrior(1.0), ChainPrior(1.0, 1.0)): DirichletMarkov,
        Variational(): DirichletMarkov,
    }
    for treatment, kind in kinds.items():
        treated = treatment(problem)
        model = treatment.start(treated, LatentMixture(components, start, Encoding(1)))
        assert type(model.structure) is kind
        result = run(
            model,
            make_source(x, Encoding(1), None, offsets, 1000),
            update=Maximization(),
            executor=Serial(),
            stopping=Stopping(1e-6, max_iter=50),
        )
        assert (np.diff(result.history) > -1e-9).all()
        assert type(result.model.point.structure) is Markov
    assert type(EqualWeights(2).variational(None, np.ones(2))) is EqualWeights


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: DirichletMarkovMode(EVEN, 1.0, [[2.0, 1.0], [0.5, 1.0]]),
            r"moves\[1, 0\] is 0.5; expected at least 1",
        ),
        (
            lambda: DirichletMarkov(Markov(EVEN.initial, EVEN.transition, start=StationaryStart()), 1.0, 1.0),
            "StationaryStart",
        ),
        (lambda: ChainPrior(moves=np.ones((2, 3))).checked(2), r"shape \(2, 3\); expected one number"),
        (lambda: ChainPrior(initial=[1.0, 0.0]).checked(2), r"initial\[1\] is 0; expected a number above 0"),
        (lambda: ChainPrior(staying=-1.0).checked(2), "staying is -1.0; expected"),
        (lambda: EVEN.penalized(3.0), "weights_prior is 3.0; expected a ChainPrior"),
    ],
)
def test_errors_say_what_was_found_and_expected(make, words):
    from mixtura.exceptions import InvalidParameterError

    with pytest.raises(InvalidParameterError, match=words):
        make()
