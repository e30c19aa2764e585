"""Learning a linear dynamical system: what must hold of the E-step, of every M-step, and of what cannot be told."""

from fractions import Fraction

import numpy as np
import pytest

from chains.test_linear_gaussian import covariance, random_batch, random_system
from mixtura.chains import (
    DiagonalNoise,
    FreeInitial,
    FreeNoise,
    Joseph,
    KnownCoefficients,
    KnownInitial,
    KnownNoise,
    LinearGaussianChain,
    RegressionSums,
    SphericalNoise,
    SquareRoot,
    StationaryInitial,
    System,
)
from mixtura.chains.linear_gaussian_identified import redundant
from mixtura.chains.linear_gaussian_laws import gaussian_log_prob
from mixtura.exceptions import InvalidDataError, InvalidParameterError
from mixtura.executors import Serial
from mixtura.inference.driver import run
from mixtura.inference.stopping import Stopping
from mixtura.inference.updates import Maximization
from mixtura.protocols import Batch, Model
from oracles_linear_gaussian import joint

MOVES = np.array([[0.5, np.nan, 0.0, np.nan], [np.nan, 0.3, np.nan, 0.0], [0.0, 0.0, np.nan, np.nan]])
RESTRICTED = {
    "free": {},
    "diagonal": {"noise": DiagonalNoise(), "error": DiagonalNoise(least=1e-3)},
    "spherical": {"noise": SphericalNoise(), "error": SphericalNoise()},
    "known entries of A and b": {"moves": KnownCoefficients(MOVES)},
    "known C, d and Gamma": {"looks": "as it is", "noise": KnownNoise()},
    "some known variances": {"noise": DiagonalNoise(np.array([np.nan, 0.7, np.nan]))},
    "known first state": {"initial": KnownInitial()},
    "known mean of the first state": {"initial": FreeInitial(DiagonalNoise(), known_mean=True)},
}


def restricted(name, seed=10):
    """A chain that obeys its laws."""
    laws = dict(RESTRICTED[name])
    system = random_system(seed, 3, 2)
    if laws.get("looks"):
        laws["looks"] = KnownCoefficients(system.looks)
    chain = LinearGaussianChain(system, **laws)
    moves = chain.moves.maximize(sums_of_nothing(4, 3), np.eye(3), system.moves)
    noise = chain.noise.maximize(system.state_noise, 1.0, system.state_noise)
    error = chain.error.maximize(system.observation_noise, 1.0, system.observation_noise)
    system = system.with_moves(moves, noise).with_looks(system.looks, error)
    mean, first = chain.initial.from_coordinates(chain.initial.coordinates(system), system)
    return chain.replace(system=system.replace(initial_mean=mean, initial_covariance=first))


def sums_of_nothing(columns, rows):
    return RegressionSums(
        0.0, np.zeros((rows, rows)), np.zeros((rows, columns)), np.zeros((columns, columns))
    )


def slope(function, step=1e-5):
    return (function(step) - function(-step)) / (2 * step)


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("name", RESTRICTED)
def test_fishers_identity(name, missing):
    """The evidence and the expected log probability rise alike in every direction of the free parameters."""
    chain, batch = restricted(name), random_batch(11, [12, 9], 2, 0, missing, weights=[2.0, 0.5])
    stats, here = chain.summarize(batch, {}), chain.coordinates()
    direction = np.random.default_rng(0).normal(size=len(here))

    def evidence(size):
        return chain.from_coordinates(here + size * direction).summarize(batch, {}).log_evidence

    def expected(size):
        return chain.from_coordinates(here + size * direction).expected_log_prob(stats)

    # Differences of both have an error of about 1e-9 times their size; a factor of V0 near zero costs more.
    assert slope(evidence) == pytest.approx(slope(expected), rel=1e-5, abs=1e-4)


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("name", RESTRICTED)
def test_the_likelihood_never_falls_in_fifty_steps(name, missing):
    chain, batch = restricted(name), random_batch(12, [20, 14], 2, 0, missing)
    assert isinstance(chain, Model)
    # The driver raises ObjectiveFellError where an exact step lowers the objective.
    result = run(chain, [batch], update=Maximization(), executor=Serial(), stopping=Stopping(0.0, 50))
    assert chain.exact
    assert np.diff(result.history).min() > -1e-9
    assert result.history[-1] > result.history[0] + 1.0


@pytest.mark.parametrize("name", RESTRICTED)
def test_no_free_parameter_beats_the_m_step(name):
    """At its own sums a new model is a maximum: exactly where rows decouple, after some steps where the noise ties them."""
    chain, batch = restricted(name), random_batch(13, [20, 14], 2, 0, 0.2)
    stats = chain.summarize(batch, {})
    new = chain.maximize(stats)
    for _ in range(60):
        new = new.maximize(stats)
    best, here = new.expected_log_prob(stats), new.coordinates()
    for direction in np.random.default_rng(1).normal(size=(20, len(here))):
        other = new.from_coordinates(here + 1e-3 * direction)
        assert other.expected_log_prob(stats) < best


def test_known_entries_stay():
    chain = restricted("known entries of A and b")
    new = chain.maximize(chain.summarize(random_batch(14, [30]), {}))
    known = ~np.isnan(MOVES)
    np.testing.assert_array_equal(new.system.moves[known], MOVES[known])
    assert (new.system.moves[~known] != chain.system.moves[~known]).all()
    whole = restricted("known C, d and Gamma")
    new = whole.maximize(whole.summarize(random_batch(14, [30]), {})).system
    np.testing.assert_array_equal(new.looks, whole.system.looks)
    np.testing.assert_array_equal(new.state_noise, whole.system.state_noise)


def test_a_weight_is_a_repeated_sequence_and_sums_add():
    chain = LinearGaussianChain(random_system(15))
    one, two = random_batch(1, [6], missing=0.2), random_batch(2, [8])
    x = np.concatenate([one.x, two.x, two.x], axis=1)
    repeated = chain.summarize(Batch(x, np.ones(22), np.array([0, 6, 14, 22])), {})
    x = x[:, :14]
    weighted = chain.summarize(Batch(x, np.repeat([1.0, 2.0], [6, 8]), np.array([0, 6, 14])), {})
    parts = chain.summarize(one, {}) + chain.summarize(two, {}) * 2.0
    for other in (weighted, parts):
        np.testing.assert_allclose(other.log_evidence, repeated.log_evidence, rtol=1e-12)
        assert other.weight == repeated.weight
        for name, value in repeated.sums.items():
            np.testing.assert_allclose(other[name], value, atol=1e-10)


def test_states_mapped_linearly_are_the_same_law_of_the_rows():
    system, batch = random_system(16, 3, 2), random_batch(16, [15], missing=0.2)
    matrix = np.random.default_rng(2).normal(size=(3, 3)) + 2 * np.eye(3)
    other = system.transformed(matrix)
    first, second = (LinearGaussianChain(one).summarize(batch, {}) for one in (system, other))
    assert first.log_evidence == pytest.approx(second.log_evidence, rel=1e-12)
    new, old = (LinearGaussianChain(one).maximize(stats) for one, stats in ((other, second), (system, first)))
    np.testing.assert_allclose(new.system.transition, old.system.transformed(matrix).transition, atol=1e-9)


def test_take_and_split():
    """A state as the sum of two halves explains as much; taking both into one place is the old system."""
    chain, batch = LinearGaussianChain(random_system(17, 2, 2)), random_batch(17, [25])
    stats = chain.summarize(batch, {})
    halves = chain.split(stats, 1)
    assert halves["moves_zz"].shape == (3, 3)
    join = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]])
    for name in ("moves_zz", "moves_pp", "seen_zz", "first_zz"):
        whole = join @ halves[name] @ join.T
        np.testing.assert_allclose(whole[[0, 0, 1], [0, 1, 1]], stats[name][[0, 0, 1], [0, 1, 1]])
    bigger = LinearGaussianChain(random_system(18, 3, 2)).maximize(halves)
    smaller = chain.maximize(stats)
    np.testing.assert_allclose(bigger.system.observation_noise, smaller.system.observation_noise, rtol=1e-8)
    np.testing.assert_allclose(bigger.system.observation[:, 1], smaller.system.observation[:, 1], rtol=1e-7)
    taken = restricted("known entries of A and b").take([2, 0])
    np.testing.assert_array_equal(taken.moves.known, MOVES[np.ix_([2, 0], [2, 0, 3])])
    assert taken.system.n_states == taken.n_components == 2
    assert np.isfinite(taken.summarize(batch, {}).log_evidence)


@pytest.mark.parametrize(
    ("n_states", "n_features", "laws"),
    [
        (1, 1, {}),
        (2, 1, {}),
        (3, 1, {}),
        (4, 2, {}),
        (2, 3, {"noise": DiagonalNoise()}),
        (2, 2, {"noise": KnownNoise(), "initial": KnownInitial()}),
        (2, 2, {"moves": KnownCoefficients(np.array([[np.nan, 0.0, 0.0], [0.0, np.nan, 0.0]]))}),
    ],
)
def test_parameters_are_counted_by_the_rank_of_what_the_rows_have_as_moments(n_states, n_features, laws):
    system = System.of(
        0.5 * np.eye(n_states), np.ones((n_features, n_states)), np.eye(n_states), np.eye(n_features)
    )
    chain = LinearGaussianChain(system, **laws)
    rng = np.random.default_rng(1)
    here = 0.5 * rng.normal(size=len(chain.coordinates()))
    n_rows = 2 * n_states + 2

    def moments(vector):
        mean, spread = joint(chain.from_coordinates(vector).system, n_rows)
        seen = slice(n_rows * n_states, None)
        return np.concatenate([mean[seen], spread[seen, seen].ravel()])

    jacobian = np.column_stack(
        [(moments(here + 1e-5 * e) - moments(here - 1e-5 * e)) / 2e-5 for e in np.eye(len(here))]
    )
    values = np.linalg.svd(jacobian / np.linalg.norm(jacobian, axis=0), compute_uv=False)
    # Differences are good to about 1e-10; the smallest direction that counts is at 1e-5 here.
    assert chain.n_parameters() == np.count_nonzero(values > 1e-7 * values[0])
    assert redundant(chain) == len(here) - chain.n_parameters()


def exact_variances(transition, noise, loading, error, start, n_rows):
    """Filtered covariance of the last row, in fractions: one column, so that nothing has to be inverted."""
    n = len(transition)
    a, g, v = ([[Fraction(float(x)) for x in row] for row in m] for m in (transition, noise, start))
    c, s = [Fraction(float(x)) for x in loading], Fraction(float(error))
    for t in range(n_rows):
        if t:
            half = [[sum(a[i][k] * v[k][j] for k in range(n)) for j in range(n)] for i in range(n)]
            v = [[sum(half[i][k] * a[j][k] for k in range(n)) + g[i][j] for j in range(n)] for i in range(n)]
        seen = [sum(c[j] * v[i][j] for j in range(n)) for i in range(n)]
        total = sum(c[i] * seen[i] for i in range(n)) + s
        v = [[v[i][j] - seen[i] * seen[j] / total for j in range(n)] for i in range(n)]
    return np.array([[float(x) for x in row] for row in v])


def test_the_square_root_keeps_digits_that_joseph_loses():
    """A vague start and an exact observation: the variance that is left is 1e-16 of that at first."""
    transition = np.array([[1.0, 1.0], [0.0, 1.0]])
    noise, start = np.diag([0.0, 1e-9]), 1e6 * np.eye(2)
    system = System.of(transition, [[1.0, 0.0]], noise, [[1e-10]], initial_covariance=start)
    batch = Batch(np.array([[0.3, 0.1, 0.7]]), np.ones(3), np.array([0, 3]))
    truth = exact_variances(transition, noise, [1.0, 0.0], 1e-10, start, 3)
    errors = {}
    for form in (Joseph(), SquareRoot()):
        found = LinearGaussianChain(system, form=form).filter(batch).covariance[2]
        assert np.linalg.eigvalsh(found)[0] >= 0  # neither leaves the covariances
        errors[type(form).__name__] = np.abs(found / truth - 1.0).max()
    # The condition number is 1e16 when the first row is in; its root is left to the square-root form.
    assert errors["SquareRoot"] < 1e-6
    assert errors["SquareRoot"] < 0.1 * errors["Joseph"]


@pytest.mark.parametrize("form", [Joseph(), SquareRoot()], ids=["joseph", "square root"])
def test_a_row_that_is_certain_beforehand_is_refused(form):
    system = System.of(np.eye(1), np.ones((2, 1)), np.eye(1), np.zeros((2, 2)))
    chain = LinearGaussianChain(system, form=form)
    x = np.array([[np.nan, np.nan, 1.0], [np.nan, np.nan, 1.0]])
    with pytest.raises(
        InvalidDataError, match=r"Sequence 1, row 1: .*singular; expected .*raise the smallest"
    ):
        chain.summarize(Batch(x, np.ones(3), np.array([0, 1, 3])), {})


def test_everything_missing_says_nothing():
    system = random_system(20)
    chain = LinearGaussianChain(system)
    stats = chain.summarize(Batch(np.full((2, 4), np.nan), np.ones(4), np.array([0, 4])), {})
    assert stats.log_evidence == 0.0
    new = chain.maximize(stats).system
    np.testing.assert_array_equal(new.looks, system.looks)
    np.testing.assert_array_equal(new.observation_noise, system.observation_noise)
    np.testing.assert_allclose(new.transition, system.transition, atol=1e-8)
    np.testing.assert_allclose(new.initial_covariance, system.initial_covariance, atol=1e-12)


def test_a_stationary_start_is_the_long_run():
    system = random_system(21)
    mean, spread = StationaryInitial.law(system)
    np.testing.assert_allclose(system.transition @ mean + system.state_bias, mean, atol=1e-12)
    again = system.transition @ spread @ system.transition.T + system.state_noise
    np.testing.assert_allclose(again, spread, atol=1e-12)
    chain = LinearGaussianChain(system, initial=StationaryInitial())
    new = chain.maximize(chain.summarize(random_batch(21, [40]), {}))
    np.testing.assert_allclose(new.system.initial_mean, StationaryInitial.law(new.system)[0])
    assert not new.exact
    with pytest.raises(InvalidParameterError, match=r"eigenvalue of size 1; .*below 1. Give the law"):
        StationaryInitial.law(system.replace(transition=np.eye(3)))


def test_the_smallest_noise_is_an_exact_maximum():
    """Among covariances above the floor none has a higher expected log density."""
    rng = np.random.default_rng(3)
    least = np.array([0.5, 2.0])
    scatter = 10.0 * covariance(rng, 2, 0.3)
    best = FreeNoise(least).maximize(scatter, 10.0, np.eye(2))
    assert np.linalg.eigvalsh(best - np.diag(least))[0] > -1e-12
    law, here = FreeNoise(least), FreeNoise(least).coordinates(best)
    highest = gaussian_log_prob(10.0, scatter, best)
    for direction in rng.normal(size=(50, 3)):
        other = law.from_coordinates(here + 0.1 * direction, best)
        assert gaussian_log_prob(10.0, scatter, other) <= highest + 1e-9


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("transition", np.eye(2), r"transition has shape \(2, 2\); expected \(3, 3\)"),
        ("state_bias", [0.0, np.nan, 0.0], r"state_bias\[1\] is nan; expected finite"),
        (
            "state_noise",
            np.diag([1.0, -1.0, 1.0]),
            "state_noise has an eigenvalue of -1; expected a covariance",
        ),
        ("observation_noise", [[1.0, 0.5], [0.0, 1.0]], "observation_noise is not symmetric; expected"),
    ],
)
def test_parameters_that_cannot_be_are_refused(name, value, message):
    system = random_system(22)
    given = {
        "transition": system.transition,
        "observation": system.observation,
        "state_noise": system.state_noise,
        "observation_noise": system.observation_noise,
        name: value,
    }
    with pytest.raises(InvalidParameterError, match=message):
        System.of(**given)
    with pytest.raises(InvalidParameterError, match=r"Known variance 1 is -2.0; expected at least 0"):
        DiagonalNoise(np.array([1.0, -2.0]))


def test_figures_of_statsmodels():
    """statsmodels 0.15.0: `MLEModel` with `ssm.initialize_known(m0, V0)`, `ssm.smooth()` on the same system and rows."""
    t = np.arange(12)
    x = np.array([np.sin(0.7 * t) + 0.1 * t, np.cos(0.5 * t) - 0.05 * t**1.2]).round(3)
    x[0, 3], x[:, 7] = np.nan, np.nan
    system = System.of(
        [[0.8, 0.2], [-0.3, 0.7]],
        [[1.0, 0.5], [0.2, 1.0]],
        [[0.3, 0.1], [0.1, 0.2]],
        [[0.5, -0.1], [-0.1, 0.4]],
        initial_mean=[0.5, -0.5],
        initial_covariance=[[1.0, 0.2], [0.2, 0.8]],
        state_bias=[0.1, -0.2],
        observation_bias=[0.3, 0.05],
    )
    batch = Batch(x, np.ones(12), np.array([0, 12]))
    for form in (Joseph(), SquareRoot()):
        chain = LinearGaussianChain(system, form=form)
        smoothed, filtered = chain.smooth(batch), chain.filter(batch)
        assert chain.summarize(batch, {}).log_evidence == pytest.approx(-23.854436325289168, rel=1e-13)
        np.testing.assert_allclose(smoothed.mean[3], [0.88382391, -0.3886283], atol=1e-8)
        np.testing.assert_allclose(
            smoothed.covariance[7], [[0.30587582, 0.02153026], [0.02153026, 0.24433236]], atol=1e-8
        )
        np.testing.assert_allclose(
            smoothed.lagged[7], [[0.12533838, -0.01644333], [-0.09028926, 0.10408065]], atol=1e-8
        )
        np.testing.assert_allclose(filtered.mean[5], [0.38173788, -1.07778558], atol=1e-8)
