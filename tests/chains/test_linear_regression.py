"""The model of Bayesian linear regression against loops, dense covariances, and what must hold of every step."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

import oracles_bayesian_regression as naive
from mixtura.chains import (
    CommonVariance,
    IndividualVariances,
    KnownVariances,
    LinearRegression,
    Moments,
    RowSums,
    factored,
    joined,
    posterior,
    spectral,
)
from mixtura.chains.relevance import Worth, sweep
from mixtura.data import DenseSource, column_encoding
from mixtura.executors import Serial, Threads
from mixtura.inference.driver import run
from mixtura.inference.leaps import Leaping
from mixtura.inference.stopping import Reason, Stopping
from mixtura.inference.updates import Maximization
from mixtura.protocols import Encoding, Model

RULES = {"common": CommonVariance(), "individual": IndividualVariances(), "known": KnownVariances()}


def sums_of(x, y, weight=None, executor=None, rows_per_batch=7):
    rows = np.column_stack([x, y])
    encoding = column_encoding(rows, weight)
    with (executor or Serial()).session() as session:
        return session.total(
            RowSums(encoding), DenseSource(rows, encoding, weight, rows_per_batch=rows_per_batch)
        )


@pytest.fixture
def rows(rng):
    x = rng.normal(size=(25, 4)) @ rng.normal(size=(4, 4)) + 1.0
    return x, x @ [1.0, -2.0, 0.0, 0.5] + rng.normal(size=25)


@pytest.fixture
def moments(rows):
    return Moments.of(sums_of(*rows), intercept=False)


def entropy(covariance):
    return 0.5 * np.linalg.slogdet(2 * np.pi * np.e * covariance)[1]


# --- the sums -------------------------------------------------------------------------------------------------------
def test_sums_are_those_of_the_rows(rows):
    x, y = rows
    found = Moments.of(sums_of(x, y), intercept=True)
    away, left = x - x.mean(axis=0), y - y.mean()
    np.testing.assert_allclose(found.gram, away.T @ away, rtol=1e-12, atol=1e-12)  # float64 sums of 25 rows
    np.testing.assert_allclose(found.cross, away.T @ left, rtol=1e-12, atol=1e-12)
    assert found.total == pytest.approx(left @ left, rel=1e-13)
    assert found.count == 25


def test_executors_give_equal_bits(rows):
    first, second = (sums_of(*rows, executor=executor) for executor in (Serial(), Threads(2)))
    for name, value in first.sums.items():
        np.testing.assert_array_equal(value, second[name])


def test_weights_equal_repeated_rows(rows, rng):
    x, y = rows
    weight = rng.integers(0, 4, len(y)).astype(float)
    weighted = Moments.of(sums_of(x, y, weight), intercept=True)
    repeated = Moments.of(
        sums_of(np.repeat(x, weight.astype(int), axis=0), np.repeat(y, weight.astype(int))), intercept=True
    )
    np.testing.assert_allclose(weighted.gram, repeated.gram, rtol=1e-11, atol=1e-11)
    assert weighted.count == repeated.count


def test_tables_join_without_loss_however_far_apart(rng):
    """The second table lies 1e8 standard deviations from the first: sums about either origin would lose all digits."""
    x = np.concatenate([rng.normal(size=(40, 1)), rng.normal(size=(40, 1))])
    y = x[:, 0] + rng.normal(size=80)
    parts = [sums_of(x[at], y[at]) for at in (slice(40), slice(40, 80))]
    whole = Moments.of(sums_of(x, y), intercept=True)
    together = Moments.of(joined(*parts), intercept=True)
    np.testing.assert_allclose(together.gram, whole.gram, rtol=1e-13)
    np.testing.assert_allclose(together.cross, whole.cross, rtol=1e-12)
    far = [sums_of(part + 1e8, y[at]) for part, at in ((x[:40], slice(40)), (x[40:], slice(40, 80)))]
    # x itself is stored to 1e-8 there.
    np.testing.assert_allclose(Moments.of(joined(*far), intercept=True).gram, whole.gram, rtol=1e-6)


# --- posterior and evidence -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("variances", [[2.0, 2.0, 2.0, 2.0], [0.1, 5.0, 1.0, 30.0]])
def test_posterior_and_evidence_are_those_of_the_dense_covariance(rows, moments, variances):
    x, y = rows
    found = posterior(moments, np.array(variances), 0.7)
    mean, covariance = naive.posterior(x, y, variances, 0.7)
    np.testing.assert_allclose(found.mean, mean, rtol=1e-9)  # condition of X'X
    np.testing.assert_allclose(found.covariance(), covariance, rtol=1e-9)
    np.testing.assert_allclose(found.variances, np.diag(covariance), rtol=1e-9)
    assert found.log_evidence == pytest.approx(naive.log_evidence(x, y, variances, 0.7), abs=1e-9)
    assert found.residual == pytest.approx(np.sum((y - x @ mean) ** 2), rel=1e-9)
    np.testing.assert_allclose(found.determined, 1 - np.diag(covariance) / variances, atol=1e-10)


def test_a_pruned_coefficient_is_one_without_its_column(rows, moments):
    x, y = rows
    found = posterior(moments, np.array([1.0, 2.0, 0.0, 3.0]), 0.7)
    assert found.log_evidence == pytest.approx(
        naive.log_evidence(x[:, [0, 1, 3]], y, [1.0, 2.0, 3.0], 0.7), abs=1e-9
    )
    assert found.mean[2] == found.variances[2] == 0.0
    assert not found.covariance()[2].any()


@pytest.mark.parametrize(("n", "p"), [(30, 5), (8, 20), (3, 1)])
def test_the_fast_path_equals_the_generic_one(rng, n, p):
    x, y = rng.normal(size=(n, p)), rng.normal(size=n)
    moments = Moments.of(sums_of(x, y), intercept=False)
    for variance, noise in [(1.0, 1.0), (1e-3, 10.0), (50.0, 0.01)]:
        fast, generic = (path(moments, np.full(p, variance), noise) for path in (spectral, factored))
        for name in ("mean", "variances", "determined"):
            np.testing.assert_allclose(getattr(fast, name), getattr(generic, name), rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(fast.covariance(), generic.covariance(), rtol=1e-6, atol=1e-8)
        assert fast.log_evidence == pytest.approx(generic.log_evidence, rel=1e-9, abs=1e-7)


def test_more_columns_than_rows(rng):
    x, y = rng.normal(size=(6, 15)), rng.normal(size=6)
    moments = Moments.of(sums_of(x, y), intercept=False)
    found = posterior(moments, np.full(15, 0.3), 0.5)
    assert found.log_evidence == pytest.approx(naive.log_evidence(x, y, np.full(15, 0.3), 0.5), abs=1e-9)


def test_integrating_the_intercept_is_the_limit_of_a_column_of_ones(rows):
    """A prior variance v of the intercept at the means adds -log(2 pi v) / 2 to the density at its maximum, and nothing else."""
    x, y = rows
    about = x - x.mean(axis=0)
    wide = 1e7
    dense = naive.log_evidence(np.column_stack([np.ones(len(y)), about]), y, [wide, 1.0, 1.0, 1.0, 1.0], 0.5)
    moments = Moments.of(sums_of(x, y), intercept=True, integrated=True)
    found = posterior(moments, np.ones(4), 0.5).log_evidence
    assert found == pytest.approx(dense + 0.5 * np.log(2 * np.pi * wide), abs=1e-5)  # 1 / wide


def test_columns_of_any_scale(rng):
    """Powers up to the eighth of numbers up to ten: squares of columns differ by 1e16, and Cholesky factors do not mind."""
    t = rng.uniform(0, 10, 50)
    x = np.column_stack([t**k for k in range(1, 9)])
    y = np.sin(t) + rng.normal(0, 0.1, 50)
    x = x - x.mean(axis=0)
    scale = np.abs(x).max(axis=0)
    moments = Moments.of(sums_of(x, y - y.mean()), intercept=False)
    assert not moments.alike
    variances = 1.0 / scale**2
    unit = naive.log_evidence(x / scale, y - y.mean(), np.ones(8), 0.01)
    assert posterior(moments, variances, 0.01).log_evidence == pytest.approx(unit, abs=1e-5)


# --- the model ------------------------------------------------------------------------------------------------------
def test_it_is_a_model():
    assert isinstance(LinearRegression(1.0, np.ones(2), CommonVariance()), Model)


@pytest.mark.parametrize("name", ["common", "individual"])
def test_an_em_step_is_that_of_the_loops(rows, moments, name):
    x, y = rows
    variances = np.full(4, 2.0) if name == "common" else np.array([1.0, 3.0, 0.2, 2.0])
    model = LinearRegression(0.7, variances, RULES[name])
    new = model.maximize(model.summarize(moments.batch(), {}))
    expected, noise = naive.em_step(x, y, variances, 0.7, common=name == "common")
    np.testing.assert_allclose(new.variances, expected, rtol=1e-9)
    assert new.noise_variance == pytest.approx(noise, rel=1e-9)


def bound_gap(model, moments):
    """Log evidence less expected log probability and entropy: zero for the exact posterior."""
    stats = model.summarize(moments.batch(), {})
    covariance = model.posterior(moments).covariance()
    return stats.log_evidence - model.expected_log_prob(stats) - entropy(covariance)


def test_evidence_is_expected_log_probability_plus_entropy(moments):
    model = LinearRegression(0.7, np.array([1.0, 3.0, 0.2, 2.0]), IndividualVariances())
    assert bound_gap(model, moments) == pytest.approx(0.0, abs=1e-9)


class ForgetsTheSpread(LinearRegression):
    """A plausible bug: squares of the mean in place of expected squares."""

    def summarize(self, batch, memory):
        stats = super().summarize(batch, memory)
        stats.sums["square"] = self.posterior(batch.x).mean ** 2
        return stats


class ForgetsTheTrace(LinearRegression):
    """A plausible bug: squared residuals of the mean, without tr(X'X S)."""

    def summarize(self, batch, memory):
        stats = super().summarize(batch, memory)
        stats.sums["residual"] = np.array([self.posterior(batch.x).residual])
        return stats


@pytest.mark.parametrize("bug", [ForgetsTheSpread, ForgetsTheTrace])
def test_seeded_bugs_are_caught(moments, bug):
    model = bug(0.7, np.array([1.0, 3.0, 0.2, 2.0]), IndividualVariances())
    assert abs(bound_gap(model, moments)) > 1e-3


def test_maximize_is_stationary(moments):
    model = LinearRegression(0.7, np.array([1.0, 3.0, 0.2, 2.0]), IndividualVariances())
    stats = model.summarize(moments.batch(), {})
    new = model.maximize(stats)
    best = new.expected_log_prob(stats)
    for j in range(5):
        for step in (-1e-3, 1e-3):
            moved = new.coordinates()
            moved[j] += step
            assert new.from_coordinates(moved).expected_log_prob(stats) < best


@pytest.mark.parametrize("name", ["common", "individual"])
@pytest.mark.parametrize("bold", [False, True])
@pytest.mark.parametrize("prior", [(0.0, 0.0, 0.0, 0.0), (1.0, 2.0, 0.5, 0.3)])
def test_the_objective_never_falls(rng, name, bold, prior):
    for n, p in [(40, 5), (15, 12), (60, 30)]:
        x = rng.normal(size=(n, p))
        y = x[:, 0] * 2 + rng.normal(size=n)
        moments = Moments.of(sums_of(x, y), intercept=True)
        model = LinearRegression.start(moments, RULES[name], None, None)
        pseudo, batch = model.hyper_prior(*prior), moments.batch()
        update = Leaping(pseudo, batch=batch) if bold else Maximization(pseudo)
        result = run(model, [batch], update=update, executor=Serial(), stopping=Stopping(1e-12, 60))
        assert np.diff(result.history).min() >= -1e-10 * max(abs(result.objective), n)  # rounding of the sums


def test_leaps_and_em_end_at_the_same_maximum(rows):
    moments = Moments.of(sums_of(*rows), intercept=True)
    batch = moments.batch()
    ends = []
    for update in (Maximization(), Leaping(batch=batch)):
        model = LinearRegression.start(moments, CommonVariance(), None, None)
        ends.append(run(model, [batch], update=update, executor=Serial(), stopping=Stopping(1e-15, 3000)))
    assert ends[1].n_iter < ends[0].n_iter
    np.testing.assert_allclose(ends[0].model.coordinates(), ends[1].model.coordinates(), atol=1e-5)
    assert ends[1].reason == Reason.CONVERGED


def test_the_end_is_a_maximum_of_the_dense_evidence(rows):
    x, y = rows
    x, y = x - x.mean(axis=0), y - y.mean()
    moments = Moments.of(sums_of(x, y), intercept=False)
    batch = moments.batch()
    model = LinearRegression.start(moments, CommonVariance(), None, None)
    end = run(
        model, [batch], update=Leaping(batch=batch), executor=Serial(), stopping=Stopping(1e-15, 300)
    ).model
    best = naive.log_evidence(x, y, end.variances, end.noise_variance)
    for step in (0.9, 1.1):
        assert naive.log_evidence(x, y, end.variances * step, end.noise_variance) < best
        assert naive.log_evidence(x, y, end.variances, end.noise_variance * step) < best


def test_known_variances_stay(moments):
    model = LinearRegression(0.7, np.ones(4), KnownVariances(), learn_noise=False)
    batch = moments.batch()
    result = run(model, [batch], update=Leaping(batch=batch), executor=Serial(), stopping=Stopping(0.0, 9))
    np.testing.assert_array_equal(result.model.coordinates(), model.coordinates())
    assert result.reason == Reason.CONVERGED


def test_coordinates_go_there_and_back():
    model = LinearRegression(0.7, np.array([1.0, 0.0, 0.2]), IndividualVariances())
    back = model.from_coordinates(model.coordinates())
    np.testing.assert_allclose(back.variances, model.variances, rtol=1e-15)
    assert back.noise_variance == pytest.approx(0.7, rel=1e-15)


def test_taking_coefficients_is_regressing_on_these_columns(rows):
    x, y = rows
    model = LinearRegression(0.7, np.array([1.0, 3.0, 0.2, 2.0]), IndividualVariances())
    some = Moments.of(sums_of(x[:, [3, 1]], y), intercept=False)
    found = model.take([3, 1]).summarize(some.batch(), {}).log_evidence
    assert found == pytest.approx(naive.log_evidence(x[:, [3, 1]], y, [2.0, 3.0], 0.7), abs=1e-9)


def test_a_split_coefficient_is_the_same_law(rows, moments):
    x, y = rows
    model = LinearRegression(0.7, np.array([1.0, 3.0, 0.2, 2.0]), IndividualVariances())
    stats = model.summarize(moments.batch(), {})
    whole, parts = model.maximize(stats), model.take([0, 1, 2, 3, 1]).maximize(model.split(stats, 1))
    doubled = Moments.of(sums_of(x[:, [0, 1, 2, 3, 1]], y), intercept=False)
    assert parts.summarize(doubled.batch(), {}).log_evidence == pytest.approx(
        whole.summarize(moments.batch(), {}).log_evidence, abs=1e-8
    )


# --- relevance ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("shape", "rate"), [(0.0, 0.0), (1e-6, 1e-6), (0.5, 2.0), (2.0, 0.01)])
def test_the_best_variance_is_that_of_a_search_over_the_dense_evidence(rows, shape, rate):
    x, y = rows
    variances = np.array([1.0, 3.0, 0.2, 2.0])
    moments = Moments.of(sums_of(x, y), intercept=False)
    seen = posterior(moments, variances, 0.7)

    def objective(logarithm, j):
        value = np.exp(logarithm)
        extra = shape * np.log(2 * np.pi * value) + rate / value if shape or rate else 0.0
        return naive.gain(x, y, variances, 0.7, j, value) - extra

    for j in range(4):
        variance = seen.variances[j]
        found, earned = Worth(shape, rate, 0.0).best(seen.mean[j] / variance, 1 / variance - 1 / variances[j])
        grid = np.linspace(-12, 8, 81)
        start = grid[np.argmax([objective(point, j) for point in grid])]
        end = minimize_scalar(
            lambda point, j=j: -objective(point, j), bounds=(start - 0.3, start + 0.3), method="bounded"
        )
        if -end.fun < 1e-6:
            assert found == earned == 0.0
        else:
            assert np.log(found) == pytest.approx(end.x, abs=1e-3)  # the search's tolerance
            assert earned == pytest.approx(-end.fun, abs=1e-6)


def test_a_sweep_is_coordinate_steps_of_the_dense_evidence(rng):
    x = rng.normal(size=(30, 6)) @ rng.normal(size=(6, 6))
    y = 2 * x[:, 0] - x[:, 1] + rng.normal(size=30)
    moments = Moments.of(sums_of(x, y), intercept=False)
    before = np.full(6, 0.5)
    after = sweep(moments, before, 0.8, Worth(0.0, 0.0, 0.0))
    expected = before.copy()
    for j in range(6):
        base = expected.copy()
        base[j] = 0.0
        inverse = np.linalg.inv(0.8 * np.eye(30) + (x * base) @ x.T)
        s, q = x[:, j] @ inverse @ x[:, j], x[:, j] @ inverse @ y
        expected[j] = max((q**2 - s) / s**2, 0.0)
    np.testing.assert_allclose(after, expected, rtol=1e-8)


def test_what_was_pruned_comes_back_if_it_earns_its_place(rng):
    x = rng.normal(size=(50, 3))
    y = 2 * x[:, 0] + 2 * x[:, 1] + 0.5 * rng.normal(size=50)
    moments = Moments.of(sums_of(x, y), intercept=False)
    variances = np.array([4.0, 0.0, 0.0])
    for _ in range(5):
        variances = sweep(moments, variances, 0.25, Worth(0.0, 0.0, 3.0))
    assert (variances[:2] > 1.0).all()
    assert variances[2] == 0.0


def test_a_threshold_is_what_a_coefficient_must_earn():
    quality, sparsity = 3.0, 4.0
    _, earned = Worth(0.0, 0.0, 0.0).best(quality, sparsity)
    assert Worth(0.0, 0.0, 0.9 * earned).best(quality, sparsity)[1] == pytest.approx(0.1 * earned)
    assert Worth(0.0, 0.0, 1.1 * earned).best(quality, sparsity) == (0.0, 0.0)


def test_sums_of_another_width_are_refused(rows):
    x, y = rows
    with pytest.raises(ValueError, match="encoding"):
        joined(sums_of(x, y), sums_of(x[:, :2], y))
    assert Encoding(5).stamp == sums_of(x, y).stamp
