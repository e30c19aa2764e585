"""With one component the bound is the exact log evidence, for every conjugate family and covariance structure."""

import numpy as np
import pytest

import oracles_posteriors as oracle
from mixtura import Mixture
from mixtura.components import Diagonal, Gaussian, Product, Spherical, Tied
from mixtura.families import (
    Bernoulli,
    Binomial,
    Categorical,
    Exponential,
    Geometric,
    LogNormal,
    Normal,
    Poisson,
)
from mixtura.families.multinomial import MultinomialComponents
from mixtura.priors import BetaPrior, DirichletPrior, GammaPrior, NormalGammaPrior, NormalWishartPrior

RNG = np.random.default_rng(5)
N = 40
LEVELS = (3, 2, 4)
SCATTER = np.array([[2.0, 0.5, 0.0], [0.5, 1.0, -0.2], [0.0, -0.2, 0.7]])
A, B = [0.7, 2.0, 1.0], [3.0, 0.4, 1.0]
LEVEL_PRIOR = [0.3, 1.0, 2.0, 0.5, 0.5, 1.0, 0.2, 3.0, 1.0]
MEAN, KAPPA, SHAPE, RATE = [1.0, -2.0, 0.0], [0.5, 2.0, 1.0], [0.6, 3.0, 1.5], [2.0, 0.3, 1.0]
GAUSS = np.random.default_rng(6).normal(size=(N, 3)) @ np.diag([1.0, 2.0, 0.3]) + [0.5, 3.0, -1.0]


def _binomial(trials):
    return lambda x: oracle.columns(x, oracle.binomial, A, B, trials)


def _levels(x):
    parts = np.split(np.array(LEVEL_PRIOR), np.cumsum(LEVELS)[:-1])
    return oracle.columns(x, oracle.levels, parts)


def _counts(low, high):
    return RNG.integers(low, high, (N, 3)).astype(float)


def _wishart(covariance, degrees=3.4):
    return NormalWishartPrior(MEAN, 0.8, degrees, covariance)


# Components, prior, rows, and the oracle of rows.
CASES = {
    "bernoulli": (Bernoulli(), BetaPrior(A, B), _counts(0, 2), _binomial([1, 1, 1])),
    "binomial": (
        Binomial([4, 9, 2]),
        BetaPrior(A, B),
        np.minimum(_counts(0, 9), [4, 9, 2]),
        _binomial([4, 9, 2]),
    ),
    "binomial, own trials": (
        Binomial(),
        BetaPrior(A[:2], B[:2]),
        np.column_stack([_counts(0, 4)[:, :2], RNG.integers(3, 9, N)]),
        lambda x: oracle.own_trials(x, A[:2], B[:2]),
    ),
    "geometric": (
        Geometric(),
        BetaPrior(A, B),
        _counts(1, 7),
        lambda x: oracle.columns(x - 1, oracle.geometric, A, B),
    ),
    "geometric from 0": (
        Geometric(first=0),
        BetaPrior(A, B),
        _counts(0, 5),
        lambda x: oracle.columns(x, oracle.geometric, A, B),
    ),
    "poisson": (Poisson(), GammaPrior(A, B), _counts(0, 9), lambda x: oracle.poisson(x, A, B)),
    "poisson, exposure": (
        Poisson(exposure=True),
        GammaPrior(A[:2], B[:2]),
        np.column_stack([_counts(0, 9)[:, :2], RNG.uniform(0.5, 3.0, N)]),
        lambda x: oracle.poisson(x[:, :2], A[:2], B[:2], x[:, 2]),
    ),
    "exponential": (
        Exponential(),
        GammaPrior(A, B),
        RNG.gamma(2.0, 1.5, (N, 3)),
        lambda x: oracle.columns(x, oracle.exponential, A, B),
    ),
    "categorical": (
        Categorical(LEVELS),
        DirichletPrior(LEVEL_PRIOR),
        np.column_stack([RNG.integers(0, count, N) for count in LEVELS]).astype(float),
        _levels,
    ),
    "multinomial": (
        MultinomialComponents(),
        DirichletPrior(A),
        _counts(0, 5),
        lambda x: oracle.multinomial(x, A),
    ),
    "normal": (
        Normal(),
        NormalGammaPrior(MEAN[0], KAPPA[0], SHAPE[0], RATE[0]),
        GAUSS[:, :1],
        lambda x: oracle.normal(x[:, 0], MEAN[0], KAPPA[0], SHAPE[0], RATE[0]),
    ),
    "log-normal": (
        LogNormal(),
        NormalGammaPrior(MEAN, KAPPA, SHAPE, RATE),
        np.exp(GAUSS),
        lambda x: oracle.columns(x, oracle.log_normal, MEAN, KAPPA, SHAPE, RATE),
    ),
    "full": (Gaussian(), _wishart(SCATTER), GAUSS, lambda x: oracle.full(x, MEAN, 0.8, 3.4, SCATTER)),
    "tied": (
        Gaussian(model=Tied()),
        _wishart(SCATTER),
        GAUSS,
        lambda x: oracle.full(x, MEAN, 0.8, 3.4, SCATTER),
    ),
    "diagonal": (
        Gaussian(model=Diagonal()),
        _wishart([0.5, 1.0, 2.0], 0.4),
        GAUSS,
        lambda x: oracle.diagonal(x, MEAN, 0.8, 0.4, [0.5, 1.0, 2.0]),
    ),
    "spherical": (
        Gaussian(model=Spherical()),
        _wishart(0.6, 0.4),
        GAUSS,
        lambda x: oracle.spherical(x, MEAN, 0.8, 0.4, 0.6),
    ),
}
GAPPED = [
    "bernoulli",
    "binomial",
    "binomial, own trials",
    "geometric",
    "geometric from 0",
    "poisson",
    "poisson, exposure",
    "exponential",
    "categorical",
    "log-normal",
]
GIVEN = {"binomial, own trials", "poisson, exposure"}  # the last column is taken as given


def evidence(components, prior, x, weight=None):
    """Total bound of a fit with one component."""
    fit = Mixture(components, 1, inference="variational", prior=prior, tol=1e-9).fit(x, sample_weight=weight)
    terms = fit.lower_bound_terms_
    assert terms["weights"] == pytest.approx(0.0, abs=1e-12)  # there is one weight
    assert terms["components"] < 0.0
    assert terms["log_evidence"] + terms["components"] + terms["weights"] == pytest.approx(
        terms["lower_bound"]
    )
    return terms["lower_bound"]


@pytest.mark.parametrize("name", CASES)
def test_bound_of_one_component_is_the_evidence(name):
    components, prior, x, exact = CASES[name]
    assert evidence(components, prior, x) == pytest.approx(exact(x), rel=1e-10)


@pytest.mark.parametrize("name", CASES)
def test_whole_weights_are_repeated_rows_in_the_evidence(name):
    components, prior, x, exact = CASES[name]
    weight = np.random.default_rng(7).integers(0, 3, N)
    repeated = np.repeat(x, weight, axis=0)
    assert evidence(components, prior, x, weight) == pytest.approx(exact(repeated), rel=1e-10)


@pytest.mark.parametrize("name", GAPPED)
def test_missing_cells_leave_the_evidence_of_the_others(name):
    components, prior, x, exact = CASES[name]
    x = x.copy()
    gaps = np.random.default_rng(8).random(x.shape) < 0.3
    gaps[:, -1] &= name not in GIVEN
    x[gaps] = np.nan
    assert evidence(components, prior, x) == pytest.approx(exact(x), rel=1e-10)


@pytest.mark.parametrize("name", ["full", "tied", "diagonal", "spherical"])
def test_a_missing_gaussian_cell_leaves_a_bound_close_below_the_evidence(name):
    components, prior, x, exact = CASES[name]
    x = x[:20].copy()
    grid = x[3, 1] + np.linspace(-12.0, 12.0, 97)  # a trapezium rule on a smooth peak of width 2
    joint = []
    for x[3, 1] in grid:
        joint.append(exact(x))
    observed = np.logaddexp.reduce(joint) + np.log(grid[1] - grid[0])
    x[3, 1] = np.nan
    # The cell has a posterior law of its own beside that of the parameters: the bound is no longer the evidence.
    bound = evidence(components, prior, x)
    assert observed - 0.1 < bound < observed - 1e-6


def test_missing_cells_of_diagonal_gaussians_bound_the_evidence():
    components, prior, x, exact = CASES["diagonal"]
    x = np.where(np.random.default_rng(8).random(x.shape) < 0.2, np.nan, x)
    gap = exact(x) - evidence(components, prior, x)
    assert 0.0 < gap < 0.02 * np.isnan(x).sum() * 3


def test_a_product_adds_the_evidence_of_its_blocks():
    parts = ["bernoulli", "poisson", "full"]
    rows = np.column_stack([CASES[name][2] for name in parts])
    product = Product({name: (CASES[name][0], list(range(3 * i, 3 * i + 3))) for i, name in enumerate(parts)})
    found = evidence(product, {name: CASES[name][1] for name in parts}, rows)
    assert found == pytest.approx(sum(CASES[name][3](CASES[name][2]) for name in parts), rel=1e-10)


@pytest.mark.parametrize("name", CASES)
def test_the_predictive_law_is_the_evidence_with_a_row_over_that_without(name):
    components, prior, x, exact = CASES[name]
    fit = Mixture(components, 1, inference="variational", prior=prior).fit(x[:30])
    before = exact(x[:30])
    expected = [exact(np.concatenate([x[:30], x[[n]]])) - before for n in range(30, 36)]
    np.testing.assert_allclose(fit.score_samples(x[30:36]), expected, rtol=1e-8, atol=1e-8)
    # Jensen: averages of logarithms are less, but for a row without counts.
    assert (fit.score_samples(x[30:36], plug_in=True) <= expected).all()
    assert (fit.score_samples(x[30:36], plug_in=True) < expected).any()


@pytest.mark.parametrize("name", GAPPED)
def test_the_predictive_law_of_a_row_with_missing_cells(name):
    components, prior, x, exact = CASES[name]
    fit = Mixture(components, 1, inference="variational", prior=prior).fit(x[:30])
    rows = x[30:36].copy()
    rows[:, 0] = np.nan
    expected = [exact(np.concatenate([x[:30], row[None]])) - exact(x[:30]) for row in rows]
    np.testing.assert_allclose(fit.score_samples(rows), expected, rtol=1e-8, atol=1e-8)
