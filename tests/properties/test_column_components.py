"""Independent columns that are not exponential families: steps rise to the maximum, missing cells are left out, limits hold."""

import warnings

import numpy as np
import pytest
from scipy import optimize, stats
from scipy.special import digamma, gammaln, polygamma

from mixtura import Mixture, load
from mixtura.components import (
    Laplace,
    NegativeBinomial,
    Product,
    ScipyDistribution,
    Weibull,
    ZeroInflatedNegativeBinomial,
    ZeroInflatedPoisson,
)
from mixtura.components.intervals import Interval
from mixtura.components.negative_binomial import LARGEST_SIZE, bound_rise, bound_slope
from mixtura.components.weibull import _Bound
from mixtura.components.zero_inflated import solve_inflation
from mixtura.exceptions import (
    ConvergenceWarning,
    DegenerateComponentError,
    InvalidDataError,
    InvalidParameterError,
)
from mixtura.protocols import Encoding

RNG = np.random.default_rng(5)
COUNTS = np.stack([RNG.negative_binomial(2, 0.3, 300), RNG.binomial(8, 0.5, 300)]).astype(float)
ZEROS = COUNTS * (RNG.random(COUNTS.shape) < 0.7)
POSITIVE = np.stack([3.0 * RNG.weibull(0.6, 300), np.exp(RNG.normal(size=300))])
REAL = np.stack([RNG.standard_cauchy(300), RNG.normal(3.0, 0.1, 300)])

# Blank components with rows on which they are learnt, and far-off parameters from which every step has to rise.
CASES = {
    "NegativeBinomial": (NegativeBinomial(), COUNTS, {"mean": (0.01, 300.0), "size": (1e-3, 1e5)}),
    "NegativeBinomial, shared size": (
        NegativeBinomial(shared_size=True),
        COUNTS,
        {"mean": (0.01, 300.0), "size": (10.0, 10.0)},
    ),
    "NegativeBinomial, fixed size": (
        NegativeBinomial(fixed_size=2.0),
        COUNTS,
        {"mean": (0.1, 30.0), "size": (2.0, 2.0)},
    ),
    "ZeroInflatedPoisson": (ZeroInflatedPoisson(), ZEROS, {"inflation": (0.01, 0.9), "mean": (0.01, 30.0)}),
    "ZeroInflatedNegativeBinomial": (
        ZeroInflatedNegativeBinomial(),
        ZEROS,
        {"inflation": (0.01, 0.9), "mean": (0.01, 300.0), "size": (1e-3, 1e4)},
    ),
    "Weibull": (Weibull(), POSITIVE, {"shape": (0.05, 8.0), "scale": (0.1, 50.0)}),
    "Laplace": (Laplace(), REAL, {"location": (-40.0, 9.0), "scale": (1e-3, 30.0)}),
}
SCIPY = {
    "gumbel": (ScipyDistribution(stats.gumbel_r), REAL[1:]),
    "gamma": (ScipyDistribution(stats.gamma), POSITIVE),
    "beta": (ScipyDistribution(stats.beta), POSITIVE / (1.0 + POSITIVE)),
    "poisson": (ScipyDistribution(stats.poisson), COUNTS),
}
BLANK = {name: (one[0], one[1]) for name, one in CASES.items()} | SCIPY


def weights(n_rows, n_components=2):
    return np.random.default_rng(0).random((n_components, n_rows))


def objective(component, x, resp, *, missing=False):
    block = component.encode(x, Encoding(len(x), missing=missing))
    return float(np.sum(resp * component.log_prob(block)))


def step(component, x, resp, *, missing=False):
    block = component.encode(x, Encoding(len(x), missing=missing))
    return component.maximize(component.expected_statistics(block, resp))


def learnt(component, x, resp, n_steps=60, *, missing=False):
    for _ in range(n_steps):
        component = step(component, x, resp, missing=missing)
    return component


def best_of(component, x, resp):
    """The maximum by SciPy's simplex, from the component's own parameters."""
    found = optimize.minimize(
        lambda theta: -objective(component.from_coordinates(theta), x, resp),
        component.coordinates(),
        method="Nelder-Mead",
        options={"maxiter": 6000, "maxfev": 6000, "xatol": 1e-7, "fatol": 1e-9, "adaptive": True},
    )
    return -found.fun


# --- M-steps ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", CASES)
def test_steps_end_at_the_maximum_that_a_simplex_finds(name):
    blank, x, _ = CASES[name]
    resp = weights(x.shape[1])
    for d in range(len(x)):  # a column at a time: the simplex does not manage eight parameters
        one = learnt(blank, x[[d]], resp)
        found = objective(one, x[[d]], resp)
        # A Laplace location is within 1e-6 scales; the largest size leaves sum x^2 / 2e8 of the Poisson limit.
        assert found >= best_of(one, x[[d]], resp) - 1e-5


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("corner", range(4))
def test_every_step_rises_from_anywhere(name, corner):
    blank, x, ends = CASES[name]
    bits = {parameter: ends[parameter][(corner >> i) & 1] for i, parameter in enumerate(ends)}
    values = {parameter: np.full((2, len(x)), value) for i, (parameter, value) in enumerate(bits.items())}
    component, resp = blank.replace(values), weights(x.shape[1])
    history = [objective(component, x, resp)]
    for _ in range(40):
        component = step(component, x, resp)
        history.append(objective(component, x, resp))
    rounding = 1e-12 * np.abs(history[:-1]) + 1e-9
    assert np.all(np.diff(history) >= -rounding)
    assert history[-1] == pytest.approx(objective(learnt(blank, x, resp), x, resp), abs=1e-4)


def test_steps_near_the_maximum_are_newtons():
    resp = weights(300)
    for name in ("NegativeBinomial", "Weibull"):
        blank, x, _ = CASES[name]
        x = x[:1]
        best = learnt(blank, x, resp)
        one = best.from_coordinates(best.coordinates() + 0.01)
        errors = []
        for _ in range(3):
            one = step(one, x, resp)
            errors.append(np.max(np.abs(one.coordinates() - best.coordinates())))
        assert errors[0] < 1e-3
        assert errors[1] < 1e-6  # squared each time, up to a constant
        assert errors[2] < 1e-10


@pytest.mark.parametrize("old", [0.01, 0.8, 30.0])
def test_the_bound_of_rising_factorials_touches_twice_and_stays_below(old):
    x, weight = COUNTS[0], weights(300)[0]
    score = np.sum(weight * (digamma(x + old) - digamma(old)))
    curvature = np.sum(weight * (polygamma(1, old) - polygamma(1, x + old)))
    sizes = old * np.exp(np.linspace(-8.0, 8.0, 161))

    def height(size):
        return np.sum(weight * (gammaln(x + size) - gammaln(size)))

    truth = np.array([height(size) for size in sizes]) - height(old)
    bound = bound_rise(sizes, old, score, curvature)
    assert np.all(bound <= truth + 1e-9 * np.abs(truth).max())
    slopes = bound_slope(old * np.array([1 - 1e-6, 1.0, 1 + 1e-6]), old, score, curvature)
    assert slopes[1] == pytest.approx(score, rel=1e-12)
    assert np.diff(slopes) / (1e-6 * old) == pytest.approx([-curvature, -curvature], rel=1e-4)
    middle = 0.5 * (sizes[1:] + sizes[:-1])
    differences = np.diff(bound) / np.diff(sizes)  # the slope is the derivative of the height
    assert differences == pytest.approx(bound_slope(middle, old, score, curvature), rel=2e-3)


@pytest.mark.parametrize("shape", [0.1, 0.7, 3.0])
def test_the_bound_of_powers_is_above_them(shape):
    one = Weibull(np.array([[shape]]), np.array([[1.3]]))
    x, weight = POSITIVE[:1], weights(300)[:1]
    block = one.encode(x, Encoding(1))
    stats_ = one.expected_statistics(block, weight)
    bound = _Bound(stats_.sums, stats_["count"][:, None])
    y = shape * np.log(x / 1.3)
    for ratio in np.linspace(0.5, 2.0, 31):
        truth = np.sum(weight * np.exp(ratio * y)) / np.sum(weight * np.exp(y))
        assert bound.growth(np.array([[ratio]])).item() >= truth * (1.0 - 1e-12)


def test_sums_of_a_negative_binomial_by_loops():
    one = NegativeBinomial(np.array([[2.0, 1.0]]), np.array([[0.8, 3.0]]))
    x, resp = COUNTS[:, :40], weights(40, 1)
    sums = one.expected_statistics(one.encode(x, Encoding(2)), resp)
    for d, size in enumerate((0.8, 3.0)):
        score = sum(resp[0, n] / (size + m) for n in range(40) for m in range(int(x[d, n])))
        curvature = sum(resp[0, n] / (size + m) ** 2 for n in range(40) for m in range(int(x[d, n])))
        assert sums["score"][0, d] == pytest.approx(score, rel=1e-11)
        assert sums["curvature"][0, d] == pytest.approx(curvature, rel=1e-11)


@pytest.mark.parametrize("name", [name for name, one in CASES.items() if not one[0].exact])
def test_expected_log_prob_is_right_to_first_order(name):
    blank, x, _ = CASES[name]
    resp = weights(x.shape[1])
    one = learnt(blank, x, resp, 2)
    block = one.encode(x, Encoding(len(x)))
    sums, theta = one.expected_statistics(block, resp), one.coordinates()
    for c in range(len(theta)):
        move = np.zeros_like(theta)
        move[c] = 1e-5 * max(1.0, abs(theta[c]))
        up, down = one.from_coordinates(theta + move), one.from_coordinates(theta - move)
        found = up.expected_log_prob(sums) - down.expected_log_prob(sums)
        expected = objective(up, x, resp) - objective(down, x, resp)
        # Differences of second order, and rounding of sums of a few thousand; a Laplace sum has corners.
        assert found == pytest.approx(expected, rel=1e-3, abs=2e-6)


# --- limits -------------------------------------------------------------------------------------------------------
def test_counts_less_variable_than_poisson_go_to_the_poisson_limit():
    x = COUNTS[1:]
    one = learnt(NegativeBinomial(), x, np.ones((1, 300)))
    assert one.size.item() == LARGEST_SIZE
    poisson = stats.poisson(x.mean()).logpmf(x).sum()
    assert objective(one, x, np.ones((1, 300))) == pytest.approx(poisson, abs=1e-3)


def test_a_size_comes_back_from_the_poisson_limit():
    far = NegativeBinomial(np.array([[5.0]]), np.array([[LARGEST_SIZE]]))
    found = learnt(far, COUNTS[:1], np.ones((1, 300)), 100)
    near = learnt(NegativeBinomial(), COUNTS[:1], np.ones((1, 300)), 100)
    assert found.size.item() == pytest.approx(near.size.item(), rel=1e-9)


def test_columns_of_zeros_have_mean_nearly_zero():
    x = np.zeros((2, 30))
    for blank in (NegativeBinomial(), ZeroInflatedPoisson(), ZeroInflatedNegativeBinomial()):
        one = learnt(blank, x, np.ones((1, 30)), 5)
        assert one.mean.max() <= 1e-10
        assert objective(one, x, np.ones((1, 30))) == pytest.approx(0.0, abs=1e-7)
    assert np.all(learnt(ZeroInflatedPoisson(), x, np.ones((1, 30)), 2).inflation == 0.0)


def test_no_inflation_is_found_exactly_where_there_is_none():
    for blank in (ZeroInflatedPoisson(), ZeroInflatedNegativeBinomial()):
        one = learnt(blank, COUNTS[1:] + 1.0, np.ones((1, 300)), 20)
        assert one.inflation.item() == 0.0
        assert one.mean.item() == pytest.approx(COUNTS[1].mean() + 1.0, rel=1e-12)
        assert np.isfinite(one.coordinates()).all()
        again = one.from_coordinates(one.coordinates())
        assert np.allclose(
            again.log_prob(again.encode(ZEROS[:1], Encoding(1))),
            one.log_prob(one.encode(ZEROS[:1], Encoding(1))),
        )


@pytest.mark.parametrize("size", [0.2, 3.0, np.inf])
@pytest.mark.parametrize("zeros", [0.0, 20.0, 39.0, 60.0, 99.0, 99.9999, 100.0])
@pytest.mark.parametrize("average", [1.0, 1.0 + 1e-9, 1.3, 40.0])
def test_inflation_and_mean_solve_their_equations(size, zeros, average):
    count, total = np.array([[100.0]]), np.array([[average * (100.0 - zeros)]])
    inflation, mean = (
        v.item() for v in solve_inflation(count, np.array([[zeros]]), total, np.array([[size]]))
    )

    def value(inflation, mean):
        zero = np.exp(-mean) if np.isinf(size) else (1.0 + mean / size) ** -size
        each = np.log(mean) if np.isinf(size) else np.log(mean / (mean + size))
        others = 100.0 - zeros
        known = 0.0 if zeros == 0 else zeros * np.log(inflation + (1.0 - inflation) * zero)
        rest = 0.0 if others == 0 else others * (np.log1p(-inflation) + np.log(zero))
        return known + rest + (total.item() * each if total.item() else 0.0)

    best = value(inflation, mean)
    assert np.isfinite(best)
    for share in np.clip(inflation + np.array([-1e-2, -1e-4, 0.0, 1e-4, 1e-2]), 0.0, 1.0 - 1e-9):
        for factor in (0.9, 0.999, 1.0, 1.001, 1.1):
            assert value(share, mean * factor) <= best + 1e-8 * (1.0 + abs(best))  # the least mean is 1e-10


def test_a_laplace_location_is_the_weighted_median():
    rng = np.random.default_rng(1)
    for n_rows in (3, 10, 501):
        x, resp = rng.normal(size=(1, n_rows)) * 10.0, rng.random((1, n_rows))
        one = learnt(Laplace(), x, resp, 80)
        order = np.argsort(x[0])
        below = np.cumsum(resp[0][order])
        median = x[0][order][np.searchsorted(below, 0.5 * below[-1])]
        assert one.location.item() == pytest.approx(median, abs=3e-6 * one.scale.item())
        deviation = np.sum(resp * np.abs(x - median)) / resp.sum()
        assert one.scale.item() == pytest.approx(deviation, rel=1e-5)


def test_values_at_the_location_are_no_exception():
    x = np.array([[0.0] * 60 + [1.0, 2.0, 3.0, 50.0]])
    start = Laplace(np.array([[0.0]]), np.array([[1.0]]))
    one = learnt(start, x, np.ones((1, 64)), 5)
    assert one.location.item() == pytest.approx(0.0, abs=1e-6)
    assert one.scale.item() == pytest.approx(56.0 / 64.0, rel=1e-6)
    off = learnt(Laplace(np.array([[7.0]]), np.array([[0.1]])), x, np.ones((1, 64)), 60)
    assert off.location.item() == pytest.approx(0.0, abs=1e-5)


# --- missing cells ------------------------------------------------------------------------------------------------
def with_gaps(x):
    gaps = np.random.default_rng(3).random(x.shape) < 0.25
    gaps[:, 7] = True  # a row without any value
    return np.where(gaps, np.nan, x)


@pytest.mark.parametrize("name", BLANK)
def test_missing_cells_are_left_out(name):
    blank, x = BLANK[name]
    x = with_gaps(x)
    resp = weights(x.shape[1])
    both = learnt(blank, x, resp, 3, missing=True)
    digits = 1e-6 if name in SCIPY else 1e-9  # second differences have eight digits
    scores = np.zeros(resp.shape)
    for d, column in enumerate(x):
        seen = ~np.isnan(column)
        alone = learnt(blank, column[None, seen], resp[:, seen], 3)
        for parameter, value in alone.parameters.items():
            assert both.parameters[parameter][:, d] == pytest.approx(value[:, 0], rel=digits), parameter
        scores[:, seen] += alone.log_prob(alone.encode(column[None, seen], Encoding(1)))
    found = both.log_prob(both.encode(x, Encoding(len(x), missing=True)))
    assert np.allclose(found, scores, rtol=digits, atol=digits)
    assert np.all(found[:, 7] == 0.0)


@pytest.mark.parametrize("name", BLANK)
def test_sums_have_one_form_whether_a_batch_has_gaps_or_not(name):
    blank, x = BLANK[name]
    one, resp = learnt(blank, x, weights(x.shape[1]), 2), weights(x.shape[1])
    for component in (blank, one):
        encoding = Encoding(len(x), missing=True)
        full = component.expected_statistics(component.encode(x, encoding), resp)
        gaps = component.expected_statistics(component.encode(with_gaps(x), encoding), resp)
        assert (full + gaps)["count"] == pytest.approx(2.0 * resp.sum(axis=1))
        plain = component.maximize(component.expected_statistics(component.encode(x, Encoding(len(x))), resp))
        same = component.maximize(full)
        for parameter, value in plain.parameters.items():
            assert same.parameters[parameter] == pytest.approx(value, rel=1e-10)


@pytest.mark.parametrize("name", [*CASES, "gumbel", "gamma"])
def test_a_column_of_which_a_component_has_no_value_stays_or_starts_as_all_rows(name):
    blank, x = BLANK[name]
    x, resp = np.concatenate([x[:1], x[:1]]), np.zeros((2, 300))
    x[1, :150] = np.nan
    resp[0, :150] = resp[1, 150:] = 1.0
    start = step(blank, x, resp, missing=True)
    for value in start.parameters.values():
        assert value[0, 1] == value[1, 1]
    after = step(start, x, resp, missing=True)
    alone = step(start.take([1]), x, resp[1:], missing=True)
    for parameter, value in after.parameters.items():
        if parameter not in blank.shared:
            assert value[0, 1] == start.parameters[parameter][0, 1]
        if not blank.shared:
            assert value[1] == pytest.approx(alone.parameters[parameter][0], rel=1e-12)
    assert np.isfinite(after.coordinates()).all()


def test_a_column_without_any_value_is_named():
    x = COUNTS.copy()
    x[1] = np.nan
    with pytest.raises(DegenerateComponentError, match=r"component 1 .*column 1: no row has a value"):
        step(NegativeBinomial(), x, weights(300), missing=True)


# --- degenerate components and bad input --------------------------------------------------------------------------
@pytest.mark.parametrize(
    "blank", [Weibull(), Laplace(), ScipyDistribution(stats.gumbel_r), ScipyDistribution(stats.gamma)]
)
def test_equal_values_are_degenerate_and_named(blank):
    x = np.stack([POSITIVE[0], np.where(np.arange(300) < 150, 0.1, POSITIVE[1])])
    resp = np.zeros((2, 300))
    resp[0, :150] = resp[1, 150:] = 1.0
    with pytest.raises(
        DegenerateComponentError, match=r"component 0 .*column 1: its values are all equal"
    ) as caught:
        step(blank, x, resp)
    assert [event.component for event in caught.value.events] == [0]


def test_a_component_that_shrinks_onto_one_value_ends_as_degenerate():
    x = np.concatenate([np.full(30, 2.0), np.linspace(1.0, 9.0, 60)])[None]
    resp = np.concatenate([np.ones(30), np.zeros(60)])[None]
    for start in (
        Weibull(np.array([[2.0]]), np.array([[1.0]])),
        Laplace(np.array([[2.1]]), np.array([[1.0]])),
    ):
        with pytest.raises(DegenerateComponentError, match="its values are all equal"):
            learnt(start, x, np.stack([resp[0]]), 100)


@pytest.mark.parametrize(
    ("component", "value", "expected"),
    [
        (NegativeBinomial(), -1.0, "whole counts of at least 0 .negative binomial."),
        (NegativeBinomial(), 1.5, "whole counts"),
        (ZeroInflatedPoisson(), 0.5, "whole counts"),
        (Weibull(), 0.0, "positive numbers .Weibull."),
        (ScipyDistribution(stats.gamma), -0.1, "finite numbers above 0 .scipy.stats.gamma."),
        (ScipyDistribution(stats.pareto), 0.9, "finite numbers of at least 1"),
        (ScipyDistribution(stats.beta), 1.0, "above 0 to below 1"),
        (ScipyDistribution(stats.geom), 0.0, "whole numbers of at least 1"),
    ],
)
def test_values_outside_the_support_are_named_by_row_and_column(component, value, expected):
    x = np.full((20, 2), 1.0) if "beta" not in component.name else np.full((20, 2), 0.5)
    x[3, 1] = value
    with pytest.raises(InvalidDataError, match=f"row 3, column 1 is {value:g}; expected .*{expected}"):
        Mixture(component, 2).fit(x)


def test_parameters_are_checked():
    with pytest.raises(InvalidParameterError, match=r"shapes .* expected one shape \(K, D\)"):
        NegativeBinomial(np.ones((2, 1)), np.ones(2))
    with pytest.raises(InvalidParameterError, match=r"expected all of \['scale', 'shape'\]"):
        Weibull(shape=np.ones((1, 1)))
    with pytest.raises(
        InvalidParameterError, match=r"inflation\[1, 0\] is 1.5; expected a finite number from 0 to 1"
    ):
        ZeroInflatedPoisson(np.array([[0.1], [1.5]]), np.ones((2, 1)))
    with pytest.raises(InvalidParameterError, match=r"fixed_size is 0.0; expected a finite number above 0"):
        NegativeBinomial(fixed_size=0.0)
    with pytest.raises(InvalidParameterError, match="no parameters yet"):
        Laplace().log_prob(Laplace().encode(REAL, Encoding(2)))
    assert "blank" in repr(Weibull())
    assert "K=1, D=2" in repr(Weibull(np.ones((1, 2)), np.ones((1, 2))))


@pytest.mark.parametrize(
    ("distribution", "fixed", "message"),
    [
        (stats.binom, None, "n of scipy.stats.binom is a whole number and cannot be learnt"),
        (stats.genextreme, None, "support of scipy.stats.genextreme depends on its shape"),
        (stats.truncnorm, None, r"shapes \['a', 'b'\] of scipy.stats.truncnorm restrict each other"),
        (stats.uniform, None, "Nothing of scipy.stats.uniform is left to learn"),
        (stats.norm(0, 1), None, "frozen scipy.stats.norm; expected the distribution itself"),
        ("norm", None, "distribution is 'norm'; expected a univariate distribution of scipy.stats"),
        (stats.vonmises, None, "law on the circle"),
        (stats.gamma, {"k": 1.0}, r"fixed names \['k'\].*expected some of \['a', 'loc', 'scale'\]"),
    ],
)
def test_what_the_wrapper_cannot_do_is_said(distribution, fixed, message):
    with pytest.raises(InvalidParameterError, match=message):
        ScipyDistribution(distribution, fixed)


# --- the wrapper --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("law", "arguments"),
    [
        (stats.gumbel_r, {"loc": 3.0, "scale": 2.0}),
        (stats.logistic, {"loc": 1e4, "scale": 0.1}),
        (stats.t, {"df": 4.0, "loc": 10.0, "scale": 2.0}),
        (stats.gamma, {"a": 30.0, "scale": 2.0}),
        (stats.lognorm, {"s": 0.5, "scale": 9.0}),
        (stats.beta, {"a": 60.0, "b": 0.5}),
        (stats.pareto, {"b": 3.0}),
        (stats.johnsonsu, {"a": 1.0, "b": 2.0, "loc": 0.0, "scale": 1.0}),
    ],
)
def test_the_wrapper_reaches_what_scipy_fits(law, arguments):
    x = law.rvs(**arguments, size=600, random_state=1)
    mixture = Mixture(ScipyDistribution(law), tol=1e-10).fit(x)
    given = {f"f{name}": value for name, value in mixture.components_.values.items()}
    start = {name: value for name, value in arguments.items() if name in ("loc", "scale")}
    shapes = [arguments[name] for name in mixture.components_.shapes]
    fitted = law.fit(
        x, *shapes, **{name: value for name, value in start.items() if f"f{name}" not in given}, **given
    )
    assert mixture.score(x) * 600 >= law.logpdf(x, *fitted).sum() - 1e-4  # SciPy's own tolerance


def test_the_wrapper_takes_a_distribution_of_the_users_own():
    class Triangle(stats.rv_continuous):
        def _pdf(self, x, power):
            return power * x ** (power - 1.0)

    law = Triangle(a=0.0, b=1.0, name="powers", shapes="power")
    x = np.random.default_rng(0).random(500) ** (1.0 / 3.0)
    mixture = Mixture(ScipyDistribution(law), tol=1e-10).fit(x)
    assert mixture.components_.parameters["power"].item() == pytest.approx(-1.0 / np.log(x).mean(), rel=1e-6)


def test_fixed_parameters_stay():
    x = stats.gamma.rvs(3.0, scale=2.0, size=400, random_state=0)
    mixture = Mixture(ScipyDistribution(stats.gamma, fixed={"a": 3.0}), tol=1e-10).fit(x)
    assert mixture.components_.parameters["a"].item() == 3.0
    assert mixture.components_.parameters["scale"].item() == pytest.approx(x.mean() / 3.0, rel=1e-6)
    assert mixture.n_parameters() == 1


@pytest.mark.parametrize("interval", [Interval(), Interval(0.0), Interval(-2.0, 5.0), Interval(high=3.0)])
def test_coordinates_of_an_interval_come_back_and_stay_inside(interval):
    free = np.linspace(-20.0, 20.0, 41)
    assert np.allclose(
        interval.free(interval.value(free)), free, atol=1e-5
    )  # 1 - share has lost digits at 20
    assert interval.holds(interval.value(np.array([-1e9, -5.0, 5.0]))).all()


# --- in mixtures --------------------------------------------------------------------------------------------------
def test_parameters_are_recovered():
    rng = np.random.default_rng(2)
    label = rng.permutation(np.repeat([0, 1], [1500, 2500]))
    mean, size = np.array([2.0, 30.0])[label], np.array([3.0, 8.0])[label]
    gamma = rng.standard_gamma(np.stack([size, size], axis=1))
    counts = rng.poisson(gamma * (mean / size)[:, None])
    kept = rng.random(counts.shape) < np.array([0.9, 0.6])[label][:, None]
    truth = {
        NegativeBinomial: (counts, {"mean": [2.0, 30.0], "size": [3.0, 8.0]}),
        ZeroInflatedPoisson: (
            rng.poisson(mean[:, None], size=counts.shape) * kept,
            {"inflation": [0.1, 0.4], "mean": [2.0, 30.0]},
        ),
        Weibull: (
            mean[:, None] * rng.weibull(np.array([2.0, 5.0])[label][:, None], size=counts.shape),
            {"shape": [2.0, 5.0], "scale": [2.0, 30.0]},
        ),
        Laplace: (
            rng.laplace(mean[:, None], size[:, None], size=counts.shape),
            {"location": [2.0, 30.0], "scale": [3.0, 8.0]},
        ),
    }
    for kind, (x, parameters) in truth.items():
        mixture = Mixture(kind(), 2, random_state=0).fit(x)
        order = np.argsort(mixture.weights_)
        assert mixture.weights_[order] == pytest.approx([0.375, 0.625], abs=0.03)
        for name, values in parameters.items():
            found = mixture.components_.parameters[name][order].mean(axis=1)
            assert found == pytest.approx(values, rel=0.15, abs=0.05), (kind.__name__, name)


@pytest.mark.parametrize("name", BLANK)
def test_mixtures_predict_sample_and_come_back_from_a_file(name, tmp_path):
    blank, x = BLANK[name]
    mixture = Mixture(blank, 2, random_state=0, tol=1e-3).fit(with_gaps(x).T[:60])
    scores = mixture.score_samples(x.T)
    assert np.isfinite(scores).all()
    rows, _ = mixture.sample(5)
    assert np.isfinite(mixture.score_samples(rows)).all()
    assert mixture.save(tmp_path / "model.mixtura") is not None
    assert np.array_equal(load(tmp_path / "model.mixtura").score_samples(x.T), scores)


def test_tables_are_in_units_of_the_data():
    one = Laplace(np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]]))
    rows = {
        (name, feature): float(values[0])
        for name, feature, _, values in one.table(["a", "b"], np.array([10.0, 20.0]))
    }
    assert rows == {
        ("location", "a"): 11.0,
        ("location", "b"): 22.0,
        ("scale", "a"): 3.0,
        ("scale", "b"): 4.0,
    }
    assert one.moved(np.array([1.0, 1.0])).location.tolist() == [[0.0, 1.0]]


def test_a_spurious_component_is_suspect():
    two = Laplace(np.zeros((2, 1)), np.array([[1.0], [1e-4]]))
    x = np.random.default_rng(0).laplace(size=(1, 50))
    sums = two.expected_statistics(two.encode(x, Encoding(1)), np.full((2, 50), 0.5))
    assert list(two.suspects(sums)) == [1]
    few = two.expected_statistics(two.encode(x[:, :2], Encoding(1)), np.full((2, 2), 0.5))
    assert set(two.suspects(few)) == {0, 1}


def test_large_counts_and_huge_batches_of_them_do_not_need_a_table():
    x = np.array([[0.0, 5.0, 1e7, 123456.0]])
    one = NegativeBinomial(np.array([[1e5]]), np.array([[0.5]]))
    block = one.encode(x, Encoding(1))
    assert block.places is None
    law = stats.nbinom(0.5, 0.5 / (0.5 + 1e5))
    assert one.log_prob(block)[0] == pytest.approx(law.logpmf(x[0]), rel=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_the_likelihood_of_a_mixture_never_falls(name):
    blank, x, _ = CASES[name]
    mixture = Mixture(blank, 2, random_state=1, init_params="random", max_iter=40, tol=1e-12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        mixture.fit(x.T)
    bounds = np.array(mixture.lower_bounds_)
    assert len(bounds) > 3
    assert np.all(
        np.diff(bounds) >= -1e-11 * np.abs(bounds[1:])
    )  # rounding; no step is called exact and forgiven


def test_blocks_of_different_kinds_with_gaps_are_recovered():
    rng = np.random.default_rng(0)
    second = rng.random(800) < 0.4
    x = np.column_stack(
        [
            rng.laplace(np.where(second, 1000.0, 1010.0), 1.0),
            rng.negative_binomial(2, np.where(second, 0.5, 0.1)),
            np.where(second, 2.0, 9.0) * rng.weibull(3.0, 800),
            rng.gumbel(np.where(second, 0.0, 5.0)),
        ]
    )
    x[rng.random(x.shape) < 0.1] = np.nan
    kinds = {"a": Laplace(), "b": NegativeBinomial(), "c": Weibull(), "d": ScipyDistribution(stats.gumbel_r)}
    product = Product({name: (kind, [i]) for i, (name, kind) in enumerate(kinds.items())})
    mixture = Mixture(product, 2, random_state=0).fit(x)
    frame = mixture.params_frame()
    found = {name: sorted(part["value"]) for name, part in frame.groupby(["parameter", "feature"])}
    for place, values in {
        ("location", "x0"): [1000.0, 1010.0],
        ("mean", "x1"): [2.0, 18.0],
        ("shape", "x2"): [3.0, 3.0],
        ("loc", "x3"): [0.0, 5.0],
    }.items():
        assert found[place] == pytest.approx(values, rel=0.15, abs=0.2), place
