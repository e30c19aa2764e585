"""Continuous families: M-steps against SciPy's fits, edges of the numbers, missing cells, bad input."""

import re

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import minimize, minimize_scalar
from scipy.special import digamma, gammaln, i0e, i1e

from mixtura import Mixture
from mixtura.exceptions import DegenerateComponentError, InvalidDataError
from mixtura.families import (
    Beta,
    Dirichlet,
    Exponential,
    FamilyComponents,
    Gamma,
    InverseGaussian,
    LogNormal,
    VonMises,
    VonMisesFisher,
)
from mixtura.families._bessel import concentration, log_bessel, ratio
from mixtura.families._solvers import dirichlet_alpha, gamma_shape
from mixtura.protocols import Encoding

COLUMNS = (Exponential(), Gamma(), LogNormal(), InverseGaussian(), Beta(), VonMises())
POSITIVE = (Gamma(), LogNormal(), InverseGaussian())


def fitted(family, x, weight=None, missing=False):
    """One component, by one M-step; x has shape (N, D)."""
    components = FamilyComponents(family)
    x = np.asarray(x, dtype=float).reshape(len(x), -1)
    block = components.encode(x.T, Encoding(x.shape[1], missing=missing))
    weight = np.ones(len(x)) if weight is None else weight
    return components.maximize(components.expected_statistics(block, weight[None]))


def read(components, *features):
    """Parameters by name."""
    table = components.family.parameters(components.natural, features or ["x"])
    return {(name, feature): float(values[0]) for name, feature, values in table}


def log_likelihood(components, x):
    x = np.asarray(x, dtype=float).reshape(len(x), -1)
    return float(components.log_prob(components.encode(x.T, Encoding(x.shape[1]))).sum())


# --- M-steps ------------------------------------------------------------------------------------------------------
def test_exponential_gamma_and_inverse_gaussian_are_scipys_fits():
    rng = np.random.default_rng(1)
    x = rng.gamma(1.7, 3.0, 300)
    assert read(fitted(Exponential(), x))["rate", "x"] == pytest.approx(
        1.0 / stats.expon.fit(x, floc=0)[1], rel=1e-12
    )
    shape, _, scale = stats.gamma.fit(x, floc=0)
    found = read(fitted(Gamma(), x))
    assert found["shape", "x"] == pytest.approx(shape, rel=1e-8)  # brentq's default tolerance
    assert found["rate", "x"] == pytest.approx(1.0 / scale, rel=1e-8)
    mu, _, scale = stats.invgauss.fit(x, floc=0)
    found = read(fitted(InverseGaussian(), x))
    assert found["mean", "x"] == pytest.approx(mu * scale, rel=1e-10)
    assert found["shape", "x"] == pytest.approx(scale, rel=1e-10)


def test_log_normal_and_von_mises_are_scipys_fits():
    rng = np.random.default_rng(2)
    x = rng.lognormal(2.0, 0.7, 300)
    s, _, scale = stats.lognorm.fit(x, floc=0)
    found = read(fitted(LogNormal(), x))
    assert found["log_mean", "x"] == pytest.approx(np.log(scale), rel=1e-10)
    assert found["log_standard_deviation", "x"] == pytest.approx(s, rel=1e-10)
    angle = rng.vonmises(2.5, 3.0, 300)
    kappa, loc, _ = stats.vonmises.fit(angle, fscale=1)
    found = read(fitted(VonMises(), angle))
    assert found["concentration", "x"] == pytest.approx(kappa, rel=1e-8)
    assert found["mean", "x"] == pytest.approx(loc, rel=1e-8)


@pytest.mark.parametrize(("a", "b"), [(2.0, 5.0), (0.3, 0.2), (60.0, 900.0), (0.05, 3.0)])
def test_beta_is_scipys_fit_and_the_dirichlet_law_of_two(a, b):
    x = np.clip(np.random.default_rng(3).beta(a, b, 400), 1e-12, 1 - 1e-12)
    found = fitted(Beta(), x)
    shape_a, shape_b, _, _ = stats.beta.fit(x, floc=0, fscale=1)
    # SciPy's root finder stops at 1e-8 or so.
    assert read(found)["shape_a", "x"] == pytest.approx(shape_a, rel=1e-6)
    assert read(found)["shape_b", "x"] == pytest.approx(shape_b, rel=1e-6)
    both = fitted(Dirichlet(), np.stack([x, 1.0 - x], axis=1))
    np.testing.assert_allclose(
        both.natural, found.natural, rtol=1e-9
    )  # log(1 - x) and log1p(-x) differ in rounding


@pytest.mark.parametrize("family", [*COLUMNS, Dirichlet(), VonMisesFisher()], ids=lambda family: family.name)
def test_the_m_step_is_where_an_optimizer_of_the_weighted_likelihood_ends(family):
    rng = np.random.default_rng(4)
    x = rng.dirichlet([2.0, 5.0, 1.0], 60)
    x = x / np.linalg.norm(x, axis=1, keepdims=True) if family.name == "von Mises-Fisher" else x
    weight = rng.gamma(1.0, size=60)
    found = fitted(family, x, weight)
    block = found.encode(x.T, Encoding(3))

    def loss(theta):
        return -float((found.from_coordinates(theta).log_prob(block) @ weight).item())

    theta = found.coordinates()
    best = minimize(loss, theta + 0.3 * rng.standard_normal(len(theta)), method="BFGS")
    # BFGS with differences for gradients stops at 1e-5 or so, squared in the loss.
    assert -1e-9 <= best.fun - loss(theta) <= 1e-6 * weight.sum()
    np.testing.assert_allclose(found.from_coordinates(best.x).natural, found.natural, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("exponent", range(-3, 9))
def test_gamma_shapes_of_every_size(exponent):
    shape = np.array([1.0, 2.3, 7.7]) * 10.0**exponent / 3.0
    gap = np.log(shape) - digamma(shape)
    # The difference carries digits of its own size only.
    np.testing.assert_allclose(
        gamma_shape(gap), shape, rtol=1e-14 + 4e-15 * shape.max() * (1 + np.log(1 + shape.max()))
    )


def test_dirichlet_parameters_of_every_size():
    rng = np.random.default_rng(5)
    for dimension in (2, 3, 40, 300):
        alpha = np.exp(rng.uniform(-5, 8, (50, 1))) * rng.dirichlet(np.full(dimension, 0.5), 50) + 1e-3
        goal = digamma(alpha) - digamma(alpha.sum(axis=1, keepdims=True))
        found = dirichlet_alpha(goal)
        np.testing.assert_allclose(
            found, alpha, rtol=1e-7
        )  # rounding of the goal times the concentration, 1e4
        residual = digamma(found) - digamma(found.sum(axis=1, keepdims=True)) - goal
        assert np.max(np.abs(residual / np.maximum(np.abs(goal), 1.0))) < 1e-12


# --- Bessel functions ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("dimension", [2, 3, 50, 300, 5000])
def test_concentrations_from_tiny_to_huge(dimension):
    order = 0.5 * dimension - 1.0
    kappa = np.logspace(-8, 8, 65)
    resultant, over = ratio(order, kappa)
    assert np.all(np.diff(resultant) > 0)
    np.testing.assert_allclose(over[0], 1.0 / dimension, rtol=1e-12)  # 1 - kappa^2 / (D (D + 2))
    found = concentration(order, resultant)
    # Near 1 the resultant has (D - 1) / (2 kappa) of its digits: 1e-16 times kappa is what remains.
    np.testing.assert_allclose(found, kappa, rtol=1e-6)
    np.testing.assert_allclose(found[kappa < 1e3], kappa[kappa < 1e3], rtol=1e-11)
    np.testing.assert_allclose(
        ratio(order, found)[0], resultant, rtol=1e-11
    )  # SciPy's function has 13 digits
    # The ratio is the derivative of the log: differences of the three formulas where they meet, too.
    middle = kappa[:-8]
    slope = (log_bessel(order, middle * 1.001) - log_bessel(order, middle * 0.999)) / (0.002 * middle)
    size = np.abs(log_bessel(order, middle)) / (0.002 * middle) * 1e-15 + 1e-6
    assert np.all(np.abs(slope - ratio(order, middle)[1] * middle) < np.maximum(size * 50, 1e-5))


def test_bessel_functions_beyond_the_range_of_scipys():
    # Order 1/2 is elementary: I = sqrt(2 / (pi kappa)) sinh kappa.
    kappa = np.array([1e-300, 1e-5, 1.0, 600.0, 1e9, 1e12])
    log_sinh = np.where(kappa > 20, kappa - np.log(2), np.log(np.sinh(np.minimum(kappa, 20.0))))
    np.testing.assert_allclose(
        log_bessel(0.5, kappa), 0.5 * np.log(2 / np.pi) - np.log(kappa) + log_sinh, rtol=1e-12
    )
    # I_{n-1} - I_{n+1} = 2 n I_n / kappa across the border between the formulas.
    for order in (100.0, 149.0, 1000.0):
        kappa = np.concatenate([np.linspace(0.5, 1.5, 20) * np.sqrt(order + 1), np.logspace(0, 6, 40)])
        lower, middle, upper = (
            log_bessel(order + step, kappa) + (order + step) * np.log(kappa) for step in (-1, 0, 1)
        )
        left = np.exp(lower - middle) - np.exp(upper - middle)
        # Logs of some thousands carry 1e-12; the differences cancel for large kappa.
        np.testing.assert_allclose(left, 2 * order / kappa, rtol=1e-9, atol=1e-9)
    assert ratio(0.0, np.array([3.0]))[0][0] == pytest.approx(i1e(3.0) / i0e(3.0), rel=1e-15)


@pytest.mark.parametrize("dimension", [2, 3, 50, 300])
@pytest.mark.parametrize("kappa", [0.5, 20.0, 3000.0])
def test_von_mises_fisher_is_scipys_in_many_dimensions(dimension, kappa):
    rng = np.random.default_rng(6)
    mean = rng.standard_normal(dimension)
    mean /= np.linalg.norm(mean)
    law = stats.vonmises_fisher(mean, kappa)
    family = VonMisesFisher()
    x = family.sample(kappa * mean, 400, rng)
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), 1.0, rtol=1e-12)
    components = FamilyComponents(family, kappa * mean[None])
    scores = components.log_prob(components.encode(x.T, Encoding(dimension)))[0]
    if (dimension, kappa) == (300, 0.5):  # SciPy's normaliser underflows: the first terms of 0F1 are enough
        area = 150 * np.log(np.pi) + np.log(2) - gammaln(150)
        expected = kappa * x @ mean - area - kappa**2 / 600
    else:
        expected = law.logpdf(x)
    np.testing.assert_allclose(scores, expected, rtol=1e-9)
    natural = fitted(family, x).natural[0]
    direction = x.sum(axis=0) / np.linalg.norm(x.sum(axis=0))
    if dimension < 300:  # the same for its fit
        found = stats.vonmises_fisher.fit(x)[1]
    else:
        length = np.linalg.norm(x.mean(axis=0))

        def loss(size):
            return float(family.log_normalizer(np.array([size * direction])).item() - size * length)

        found = minimize_scalar(loss, bounds=(0.1, 1e4), method="bounded", options={"xatol": 1e-7}).x
    # The root finder stops at 1e-8, the search for a minimum at the root of the rounding of its values.
    np.testing.assert_allclose(
        natural, direction * found, rtol=1e-4 if dimension == 300 else 1e-6, atol=1e-9 * found
    )


@pytest.mark.parametrize("kappa", [1e-8, 1e-3, 1.0, 1e4, 1e8])
def test_angles_of_every_concentration(kappa):
    natural = kappa * np.array([[np.cos(2.0), np.sin(2.0)]])
    for family in (VonMises(), VonMisesFisher()):
        mean = family.mean_from_natural(natural)
        np.testing.assert_allclose(family.natural_from_mean(mean), natural, rtol=1e-6, atol=1e-7 * kappa)
        x = family.sample(natural[0], 2000, np.random.default_rng(7))
        own = family.statistics(np.ascontiguousarray(x.T)) @ np.full(2000, 1 / 2000)
        spread = np.sqrt(1.0 / max(kappa, 2.0) / 2000)
        assert np.max(np.abs(own - mean[0])) < 5 * spread  # five standard errors
        components = FamilyComponents(family, natural)
        assert np.isfinite(components.log_prob(components.encode(x.T, Encoding(x.shape[1])))).all()


def test_rows_spread_evenly_have_concentration_zero():
    corners = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    found = fitted(VonMisesFisher(), corners)
    np.testing.assert_array_equal(found.natural, [[0.0, 0.0]])
    assert log_likelihood(found, corners) == pytest.approx(-4 * np.log(2 * np.pi), rel=1e-12)
    assert found.family.sample(found.natural[0], 5, np.random.default_rng(0)).shape == (5, 2)
    assert read(found, "x", "y")["concentration", ""] == 0.0


# --- edges of the numbers -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("family", [*POSITIVE, Beta(), VonMises()], ids=lambda family: family.name)
def test_equal_values_have_no_maximum(family):
    x = np.full((50, 2), 0.37)
    x[:, 0] = np.linspace(0.1, 0.8, 50)
    with pytest.raises(DegenerateComponentError, match="column 1: its values are all equal or nearly so"):
        fitted(family, x)
    x[:, 1] *= 1.0 + 1e-7 * np.linspace(-1, 1, 50)  # nearly equal: no NaN and no noise either
    with pytest.raises(DegenerateComponentError, match="column 1"):
        fitted(family, x)
    with pytest.raises(DegenerateComponentError, match="column 0"):
        fitted(family, x[:1])


def test_equal_rows_have_no_maximum():
    row = np.full((9, 3), [0.2, 0.3, 0.5])
    with pytest.raises(DegenerateComponentError, match="rows are all equal"):
        fitted(Dirichlet(), row)
    with pytest.raises(DegenerateComponentError, match="rows are all equal"):
        fitted(VonMisesFisher(), row / np.linalg.norm(row[0]))
    with pytest.raises(DegenerateComponentError, match="column 0: its values are all 0"):
        fitted(Exponential(), np.zeros(5))


@pytest.mark.parametrize("family", [Exponential(), *POSITIVE], ids=lambda family: family.name)
@pytest.mark.parametrize("unit", [1e-290, 1e-100, 1e100, 1e290])
def test_extreme_units(family, unit):
    x = np.random.default_rng(8).gamma(3.0, 1.0, 200)
    plain, scaled = fitted(family, x), fitted(family, unit * x)
    assert np.isfinite(scaled.natural).all()
    # A density in other units: log |dx'/dx| a row. Logarithms up to 700 cost three digits.
    difference = log_likelihood(plain, x) - log_likelihood(scaled, unit * x)
    assert difference == pytest.approx(200 * np.log(unit), rel=1e-9)
    moved = scaled.from_coordinates(scaled.coordinates())
    np.testing.assert_allclose(moved.natural, scaled.natural, rtol=1e-9)


@pytest.mark.parametrize("family", [Exponential(), *POSITIVE], ids=lambda family: family.name)
def test_values_of_all_sizes_in_one_column(family):
    x = np.array([1e-300, 1e-100, 1.0, 1e100, 1e300])
    try:
        found = fitted(family, x)
    except DegenerateComponentError as error:
        assert "use another unit" in str(error)  # noqa: PT017 - either is right, NaN is not
        assert family.name == "inverse Gaussian"
    else:
        assert np.isfinite(found.natural).all()
        assert np.isfinite(log_likelihood(found, x))


@pytest.mark.parametrize("family", [*COLUMNS, Dirichlet(), VonMisesFisher()], ids=lambda family: family.name)
def test_every_vector_of_coordinates_is_valid(family):
    rng = np.random.default_rng(9)
    x = rng.dirichlet([2.0, 5.0, 1.0], 30)
    x = x / np.linalg.norm(x, axis=1, keepdims=True) if family.name == "von Mises-Fisher" else x
    found = fitted(family, x)
    block = found.encode(x.T, Encoding(3))
    theta = found.coordinates()
    np.testing.assert_allclose(found.from_coordinates(theta).natural, found.natural, rtol=1e-12)
    for size in (1.0, 10.0, 100.0):
        with np.errstate(over="ignore"):  # densities underflow, which is the answer
            scores = found.from_coordinates(theta + size * rng.standard_normal(len(theta))).log_prob(block)
        assert not np.isnan(scores).any()
        assert not np.isposinf(scores).any()


@pytest.mark.parametrize("family", [*COLUMNS, Dirichlet(), VonMisesFisher()], ids=lambda family: family.name)
def test_halves_of_a_split_stay_inside_however_narrow_the_component(family):
    rng = np.random.default_rng(10)
    middle = np.array([0.2, 0.3, 0.5])
    for width in (1e-3, 1e-2, 0.1):
        x = middle * np.exp(width * rng.standard_normal((200, 3)))
        if family.name in {"Dirichlet", "von Mises-Fisher"}:
            x /= (
                x.sum(axis=1, keepdims=True)
                if family.name == "Dirichlet"
                else np.linalg.norm(x, axis=1)[:, None]
            )
        components = FamilyComponents(family)
        stats_ = components.expected_statistics(components.encode(x.T, Encoding(3)), np.ones((1, 200)))
        split = components.split(stats_, 0)
        np.testing.assert_allclose(split["sum_t"].sum(axis=0), stats_["sum_t"][0], rtol=1e-9)
        both = components.maximize(split)
        assert np.isfinite(both.natural).all()
        # A move of half a standard deviation changes the log density of some row by more than that.
        scores = both.log_prob(both.encode(x.T, Encoding(3)))
        assert 0.2 < np.max(np.abs(scores[0] - scores[1])) < 30.0


# --- missing cells ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("family", COLUMNS, ids=lambda family: family.name)
def test_missing_cells_are_left_out_of_their_column_only(family):
    rng = np.random.default_rng(11)
    x = rng.uniform(0.1, 0.9, (80, 3))
    x[rng.random(x.shape) < 0.3] = np.nan
    together = fitted(family, x, missing=True)
    apart = [fitted(family, column[~np.isnan(column)]) for column in x.T]
    names = ["a", "b", "c"]
    expected = {
        (key, name): value
        for name, one in zip(names, apart, strict=True)
        for (key, _), value in read(one).items()
    }
    assert read(together, *names) == pytest.approx(expected, rel=1e-9)
    scores = together.log_prob(together.encode(x.T, Encoding(3, missing=True))).sum()
    alone = sum(
        log_likelihood(one, column[~np.isnan(column)]) for one, column in zip(apart, x.T, strict=True)
    )
    assert scores == pytest.approx(alone, rel=1e-10)


@pytest.mark.parametrize("family", [Dirichlet(), VonMisesFisher()], ids=lambda family: family.name)
def test_families_without_a_marginal_refuse_missing_cells(family):
    x = np.random.default_rng(12).dirichlet([2.0, 5.0, 1.0], 30)
    x[4, 1] = np.nan
    with pytest.raises(InvalidDataError, match="row 4, column 1 is missing"):
        Mixture(family, 2).fit(x)


# --- bad input ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("family", "bad"),
    [
        (Exponential(), -1.0),
        (Gamma(), 0.0),
        (LogNormal(), 0.0),
        (LogNormal(), -2.0),
        (InverseGaussian(), 0.0),
        (InverseGaussian(), 5e-324),
        (Beta(), 0.0),
        (Beta(), 1.0),
        (Beta(), 1.5),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_values_outside_the_support_are_named(family, bad):
    x = np.random.default_rng(13).uniform(0.1, 0.9, (40, 2))
    mixture = Mixture(family, 2, random_state=0).fit(x)
    x[7, 1] = bad
    message = re.escape(f"row 7, column 1 is {bad:g}; expected {family.support}")
    with pytest.raises(InvalidDataError, match=message):
        Mixture(family, 2).fit(x)
    with pytest.raises(InvalidDataError, match=message):
        mixture.predict(x)


@pytest.mark.parametrize(
    ("family", "scale"), [(Dirichlet(), 1.0), (VonMisesFisher(), 0.0)], ids=["Dirichlet", "von Mises-Fisher"]
)
def test_rows_off_the_simplex_or_the_sphere_are_named(family, scale):
    x = np.random.default_rng(14).dirichlet([2.0, 5.0, 1.0], 30)
    x = x if scale else x / np.linalg.norm(x, axis=1, keepdims=True)
    Mixture(family, 2, random_state=0).fit(x)
    x[5] *= 1.001
    with pytest.raises(InvalidDataError, match="row 5, column 0 is"):
        Mixture(family, 2).fit(x)
    with pytest.raises(InvalidDataError, match="1 column"):
        Mixture(family, 2).fit(np.ones((9, 1)))


def test_angles_may_have_any_number_of_turns():
    angle = np.random.default_rng(15).vonmises(0.5, 4.0, 100)
    turned = angle + 2 * np.pi * np.arange(100)
    np.testing.assert_allclose(
        fitted(VonMises(), turned).natural, fitted(VonMises(), angle).natural, rtol=1e-10
    )


@pytest.mark.parametrize("family", COLUMNS, ids=lambda family: family.name)
def test_a_mixture_finds_two_parts_and_may_be_read(family):
    rng = np.random.default_rng(16)
    x = np.concatenate([rng.uniform(0.02, 0.05, (150, 2)), rng.uniform(0.7, 0.9, (100, 2))])
    mixture = Mixture(family, 2, random_state=0).fit(x)
    np.testing.assert_allclose(np.sort(mixture.weights_), [0.4, 0.6], atol=0.05)
    assert np.isfinite(mixture.sample(20)[0]).all()
    lines = list(mixture.components_.table(["a", "b"], None))
    assert len(lines) * 2 == mixture.n_parameters() - 1
    assert all(np.isfinite(values).all() for *_, values in lines)
