"""What is known, tied, impossible or stationary in a chain: stays so, is a maximum, and never lowers the likelihood."""

import numpy as np
import pytest
from scipy.optimize import minimize

from mixtura.components import Gaussian
from mixtura.data import make_source
from mixtura.exceptions import InvalidParameterError
from mixtura.executors import Serial
from mixtura.inference.driver import run
from mixtura.inference.stopping import Stopping
from mixtura.inference.updates import AddPrior, Maximization, Reseed
from mixtura.protocols import Batch, Encoding
from mixtura.structures import (
    DirichletMarkovMode,
    DurationChain,
    GroupedChain,
    InputOutputChain,
    LatentMixture,
    Markov,
    SemiMarkov,
)
from mixtura.structures.durations import FreeDurations
from mixtura.structures.moves import FreeMoves, KnownMoves, SharedMoves, banded, left_right
from mixtura.structures.starts import FreeStart, KnownStart, StationaryStart, stationary
from mixtura.structures.tied_moves import TiedMoves, equal_staying

SYMMETRIC = np.array([[-1, 0, 1], [0, -1, 2], [1, 2, -1]])
RING = np.array([[0, 1, 2], [2, 0, 1], [1, 2, 0]])
KNOWN = np.array([[0.7, np.nan, np.nan], [np.nan, np.nan, np.nan], [0.3, 0.3, 0.4]])
MOVES = {
    "free": FreeMoves(),
    "known": KnownMoves(KNOWN),
    "shared": SharedMoves([0, 1, 0]),
    "equal staying": TiedMoves(equal_staying(3)),
    "symmetric": TiedMoves(SYMMETRIC),
    "ring": TiedMoves(RING),
}
STARTS = {"free": FreeStart(), "known": KnownStart(), "stationary": StationaryStart()}
EVEN = np.array([[0.6, 0.2, 0.2], [0.2, 0.6, 0.2], [0.2, 0.2, 0.6]])
OFFSETS = np.concatenate([np.arange(25), [70]])  # many first states


def rounds(chain, steps=20, seed=0):
    scores = np.random.default_rng(seed).normal(scale=2.0, size=(chain.n_components, OFFSETS[-1]))
    batch, values = Batch(None, np.ones(OFFSETS[-1]), OFFSETS), []
    for _ in range(steps):
        found = chain.infer(scores.copy(), batch, {})
        penalty = chain.penalty() if hasattr(chain, "penalty") else 0.0
        values.append(found.log_evidence.sum() - penalty)
        chain = chain.maximize(found.statistics)
    return chain, np.array(values)


@pytest.mark.parametrize("moves", MOVES)
@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("mode", [False, True])
def test_the_objective_never_falls(moves, start, mode):
    chain = Markov(np.full(3, 1 / 3), EVEN, start=STARTS[start], moves=MOVES[moves])
    chain = DirichletMarkovMode(chain, 1.5, 2.0) if mode else chain
    after, values = rounds(chain)
    assert (np.diff(values) > -1e-10 * np.abs(values[1:])).all()  # rounding
    assert values[-1] > values[0] + 0.1
    np.testing.assert_allclose(after.transition.sum(axis=1), 1.0, rtol=1e-9)
    np.testing.assert_allclose(MOVES[moves].admitted(after.transition), after.transition, atol=1e-9)
    if start == "stationary":
        np.testing.assert_allclose(after.initial @ after.transition, after.initial, atol=1e-12)
    if start == "known":
        np.testing.assert_array_equal(after.initial, 1 / 3)


@pytest.mark.parametrize("classes", [equal_staying(3), SYMMETRIC])
def test_equal_entries_are_the_maximum_that_a_constrained_search_finds(classes, rng):
    count = rng.gamma(2.0, size=(3, 3))
    found = TiedMoves(classes).maximize(count, EVEN)
    rows = [{"type": "eq", "fun": lambda v, i=i: v.reshape(3, 3)[i].sum() - 1.0} for i in range(3)]
    equal = []
    for one in np.unique(classes[classes >= 0]):
        places = np.flatnonzero(classes.ravel() == one)
        equal += [{"type": "eq", "fun": lambda v, a=a, b=places[0]: v[a] - v[b]} for a in places[1:]]
    search = minimize(
        lambda v: -(count.ravel() * np.log(v)).sum(),
        EVEN.ravel(),
        constraints=[*rows, *equal],
        bounds=[(1e-9, 1.0)] * 9,
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    np.testing.assert_allclose(found.ravel(), search.x, atol=1e-5)  # SLSQP's own precision
    assert (count * np.log(found)).sum() >= -search.fun - 1e-10


def test_without_ties_and_with_rows_in_common_the_dual_gives_the_closed_forms(rng):
    count = rng.gamma(2.0, size=(3, 3))
    free = TiedMoves(np.full((3, 3), -1)).maximize(count, EVEN)
    np.testing.assert_allclose(free, count / count.sum(axis=1, keepdims=True), atol=1e-12)
    ring = TiedMoves(RING).maximize(count, EVEN)
    steps = [sum(count[i, (i + step) % 3] for i in range(3)) / count.sum() for step in range(3)]
    np.testing.assert_allclose(ring[0], steps, atol=1e-12)
    common = TiedMoves(np.tile([0, 1, 2], (3, 1))).maximize(count, EVEN)
    np.testing.assert_allclose(common, np.tile(count.sum(axis=0) / count.sum(), (3, 1)), atol=1e-12)
    assert TiedMoves(np.tile([0, 1, 2], (3, 1))).n_parameters(EVEN) == 2
    assert TiedMoves(equal_staying(3)).n_parameters(EVEN) == 1 + 3
    assert TiedMoves(np.full((3, 3), -1)).n_parameters(banded(3)) == FreeMoves().n_parameters(banded(3)) == 4
    assert KnownMoves(KNOWN).n_parameters(EVEN) == 1 + 2
    assert SharedMoves([0, 1, 0]).n_parameters(EVEN) == 4


def test_a_row_without_counts_keeps_its_equal_entry():
    count = np.array([[6.0, 2.0, 0.0], [1.0, 3.0, 0.0], [0.0, 0.0, 0.0]])
    found = TiedMoves(equal_staying(3)).maximize(count, EVEN)
    np.testing.assert_allclose(np.diag(found), 0.75, rtol=1e-9)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(found[2], [0.125, 0.125, 0.75], rtol=1e-6)  # as before, in proportion
    np.testing.assert_array_equal(TiedMoves(equal_staying(3)).maximize(0.0 * count, EVEN), EVEN)


@pytest.mark.parametrize("moves", ["free", "known", "shared"])
def test_the_stationary_step_is_where_the_derivative_vanishes(moves, rng):
    law, first, count = MOVES[moves], rng.gamma(3.0, size=3), rng.gamma(2.0, size=(3, 3))
    before = law.admitted(EVEN)
    initial, found = StationaryStart().maximize(first, count, law, (np.full(3, 1 / 3), before))

    def value(transition):
        return (count * np.log(transition)).sum() + first @ np.log(stationary(transition, initial))

    best = value(found)
    assert best > value(law.maximize(count, before)) + 1e-4
    for _ in range(50):
        other = law.maximize(found * np.exp(0.01 * rng.normal(size=(3, 3))), found)
        assert value(other) <= best + 1e-10


@pytest.mark.parametrize("matrix", [left_right(4), left_right(4, steps=2), banded(4), banded(4, 2)])
def test_zeros_stay_zeros(matrix):
    for start in (FreeStart(), KnownStart()):
        first = np.array([1.0, 0, 0, 0]) if matrix[1, 0] == 0 else np.full(4, 0.25)
        after, values = rounds(Markov(first, matrix, start=start), 5)
        assert not after.transition[matrix == 0].any()
        assert (np.diff(values) > -1e-10).all()
    assert FreeMoves().n_parameters(matrix) == np.count_nonzero(matrix) - 4


def test_fitted_zeros_are_parameters_and_impossible_moves_are_not():
    scores = np.where(np.arange(2)[:, None] == np.repeat([0, 1, 0], 20), 0.0, -2000.0)
    chain = Markov(np.array([0.5, 0.5]), np.array([[0.5, 0.5], [0.5, 0.5]]))
    for _ in range(3):
        chain = chain.maximize(
            chain.infer(scores.copy(), Batch(None, np.ones(60), np.array([0, 60])), {}).statistics
        )
    assert chain.initial[1] == 1e-300
    assert chain.n_parameters() == 3
    free = SemiMarkov(Markov([0.5, 0.5], np.eye(2)[::-1]), FreeDurations(np.full((2, 25), 0.1)))
    found = free.infer(scores.copy(), Batch(None, np.ones(60), np.array([0, 60])), {})
    assert free.maximize(found.statistics).n_parameters() == free.n_parameters() == 51


def test_a_start_that_breaks_the_law_is_moved_to_it():
    chain = Markov(np.full(3, 1 / 3), EVEN, moves=KnownMoves(KNOWN))
    np.testing.assert_allclose(chain.transition, [[0.7, 0.15, 0.15], [0.2, 0.6, 0.2], [0.3, 0.3, 0.4]])
    skew = np.array([[0.8, 0.1, 0.1], [0.3, 0.6, 0.1], [0.3, 0.3, 0.4]])
    chain = Markov(np.full(3, 1 / 3), skew, moves=TiedMoves(equal_staying(3)))
    np.testing.assert_allclose(np.diag(chain.transition), 0.6)
    chain = Markov(np.full(3, 1 / 3), skew, start=StationaryStart())
    np.testing.assert_allclose(chain.initial @ skew, chain.initial, atol=1e-14)


def test_states_have_no_order_where_all_that_is_said_is_the_same_for_all():
    even, uneven = np.full(3, 1 / 3), np.array([0.2, 0.5, 0.3])
    without = {
        "free": Markov(uneven, EVEN),
        "known start, even": Markov(even, EVEN, start=KnownStart()),
        "stationary": Markov(uneven, EVEN, start=StationaryStart()),
        "staying": Markov(uneven, EVEN, moves=TiedMoves(equal_staying(3))),
        "no staying": SemiMarkov(Markov(uneven, (1 - np.eye(3)) / 2), FreeDurations(np.full((3, 4), 0.2))),
        "even prior": DirichletMarkovMode(Markov(uneven, EVEN), 2.0, 1.5 + np.eye(3)),
        "covariates": InputOutputChain()(Markov(uneven, EVEN), 1),
        "groups": GroupedChain()(Markov(uneven, EVEN), 0),
    }
    ordered = {
        "left-right": Markov(np.array([1.0, 0, 0]), left_right(3)),
        "known start": Markov(uneven, EVEN, start=KnownStart()),
        "known": Markov(uneven, EVEN, moves=KnownMoves(KNOWN)),
        "shared": Markov(uneven, EVEN, moves=SharedMoves([0, 1, 0])),
        "classes": Markov(uneven, EVEN, moves=TiedMoves(SYMMETRIC)),
        "banded": SemiMarkov(Markov(uneven, banded(3)), FreeDurations(np.full((3, 4), 0.2))),
        "ages": SemiMarkov(Markov(uneven, EVEN), FreeDurations([[0.2, 1.0], [0.2, 0.5], [0.2, 0.5]])),
        "prior": DirichletMarkovMode(Markov(uneven, EVEN), [2.0, 1.0, 1.0], 1.5),
        "covariates": InputOutputChain()(Markov(uneven, banded(3)), 1),
        "groups": GroupedChain()(Markov(uneven, banded(3)), 0),
    }
    assert [name for name, one in without.items() if not one.exchangeable] == []
    assert [name for name, one in ordered.items() if one.exchangeable] == []


def test_states_taken_keep_their_laws():
    for name, law in MOVES.items():
        chain = Markov(np.full(3, 1 / 3), EVEN, moves=law)
        halved = chain.take([0, 1, 2, 1])
        np.testing.assert_allclose(halved.transition.sum(axis=1), 1.0, rtol=1e-9, err_msg=name)
        assert halved.moves.n_parameters(halved.transition) >= 0
        np.testing.assert_allclose(chain.take([1, 0]).transition.sum(axis=1), 1.0, rtol=1e-9)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: KnownMoves([[0.9, 0.2], [np.nan, np.nan]]), r"moves from state 0 .* sum to at most 1"),
        (lambda: KnownMoves([0.5, 0.5]), r"shape \(2,\); expected a square table"),
        (lambda: SharedMoves([0.5, 0.2]), "expected whole numbers"),
        (
            lambda: Markov([1, 0], np.eye(2), moves=KnownMoves(KNOWN)),
            "KnownMoves of 3 states; expected one of 2",
        ),
        (
            lambda: Markov([1, 0], np.eye(2), moves=SharedMoves([0])),
            "SharedMoves of 1 states; expected one of 2",
        ),
        (
            lambda: Markov([1, 0], np.eye(2), moves=TiedMoves(SYMMETRIC)),
            "TiedMoves of 3 states; expected one of 2",
        ),
        (lambda: DurationChain(n_ages=0), "n_ages is 0; expected a whole number"),
        (lambda: TiedMoves(np.zeros((2, 3))), r"shape \(2, 3\); expected a square table"),
        (
            lambda: Markov([1, 0, 0], left_right(3), moves=TiedMoves(SYMMETRIC)),
            "from state 1 to 0 is impossible",
        ),
        (
            lambda: Markov([0.5, 0.5], [[1.0, 0.0], [0.5, 0.5]], moves=TiedMoves([[0, -1], [0, 0]])),
            "no transition matrix",
        ),
    ],
)
def test_errors_say_what_was_found_and_expected(make, words):
    with pytest.raises(InvalidParameterError, match=words):
        make()


@pytest.mark.parametrize(
    "matrix", [np.eye(2), np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([[0.5, 0.5], [0.0, 1.0]])]
)
@pytest.mark.parametrize("repair", [Reseed(), AddPrior()])
def test_repairs_keep_impossible_moves_impossible(matrix, repair):
    """A degenerate state gets half of another's component, or pseudo-rows, but no other place in the chain."""
    x = np.random.default_rng(0).normal(np.repeat([0.0, 4.0, 0.0, 4.0], 50))[:, None]
    components = Gaussian(np.array([[2.0], [1e6]]), np.array([[[4.0]], [[1e-3]]]))
    model = LatentMixture(components, Markov(np.full(2, 0.5), matrix), Encoding(1))
    result = run(
        model,
        make_source(x, Encoding(1), None, np.array([0, 100, 200]), 1000),
        update=Maximization(policy=repair),
        executor=Serial(),
        stopping=Stopping(1e-6, max_iter=20),
    )
    assert result.events
    assert not result.model.structure.transition[matrix == 0].any()


def test_laws_say_what_they_are_told():
    for law, words in (
        (FreeMoves(), "FreeMoves()"),
        (KnownMoves([[0.5, np.nan], [0.0, 1.0]]), "KnownMoves([[0.5, nan], [0.0, 1.0]])"),
        (SharedMoves([0, 0, 1]), "SharedMoves([0, 0, 1])"),
        (TiedMoves([[0, -1], [-1, 0]]), "TiedMoves([[0, -1], [-1, 0]])"),
        (StationaryStart(), "StationaryStart()"),
    ):
        assert repr(law) == words
