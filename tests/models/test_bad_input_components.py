"""Bad cells in every kind of component: the error names row, column, what was found and what is expected."""

import warnings

import numpy as np
import pytest

from mixtura import Mixture
from mixtura.components import (
    Diagonal,
    FactorAnalyzer,
    Full,
    Gaussian,
    Laplace,
    NegativeBinomial,
    Ordinal,
    Product,
    SkewNormal,
    StudentT,
    UniformNoise,
    Union,
    Weibull,
    ZeroInflatedNegativeBinomial,
    ZeroInflatedPoisson,
)
from mixtura.exceptions import DegeneracyWarning, DegenerateComponentError, InvalidDataError
from mixtura.families import (
    Bernoulli,
    Beta,
    Binomial,
    Categorical,
    Dirichlet,
    Exponential,
    Gamma,
    Geometric,
    InverseGaussian,
    LogNormal,
    Multinomial,
    Normal,
    Poisson,
    VonMises,
    VonMisesFisher,
)

RNG = np.random.default_rng(0)
N = 60
COUNTS = RNG.poisson(4.0, (N, 2)) + 1.0
REALS = RNG.normal(size=(N, 2))
POSITIVE = RNG.gamma(2.0, 1.0, (N, 2))
SHARES = RNG.dirichlet([2.0, 3.0, 4.0], N)
UNIT = REALS / np.linalg.norm(REALS, axis=1, keepdims=True)
YES_NO = RNG.integers(0, 2, (N, 2)).astype(float)
LEVELS = RNG.integers(0, 3, (N, 2)).astype(float)

#: Component, good rows, and a value that column 1 cannot have.
CASES = {
    "Bernoulli": (Bernoulli(), YES_NO, 0.5),
    "Beta": (Beta(), RNG.beta(2, 3, (N, 2)), 1.5),
    "Binomial": (Binomial(9), np.minimum(COUNTS, 9), 10.0),
    "Categorical": (Categorical([3, 3]), LEVELS, 3.0),
    "Dirichlet": (Dirichlet(), SHARES, -0.2),
    "Exponential": (Exponential(), POSITIVE, -1.0),
    "Gamma": (Gamma(), POSITIVE, 0.0),
    "Geometric": (Geometric(), COUNTS, 0.0),
    "InverseGaussian": (InverseGaussian(), POSITIVE, -2.0),
    "LogNormal": (LogNormal(), POSITIVE, 0.0),
    "Multinomial": (Multinomial(), COUNTS, -1.0),
    "NegativeBinomial": (NegativeBinomial(), COUNTS, 1.5),
    "Ordinal": (Ordinal([3, 3]), LEVELS, 7.0),
    "Poisson": (Poisson(), COUNTS, -3.0),
    "VonMisesFisher": (VonMisesFisher(), UNIT, 5.0),
    "Weibull": (Weibull(), POSITIVE, -0.5),
    "ZeroInflatedNegativeBinomial": (ZeroInflatedNegativeBinomial(), COUNTS, -1.0),
    "ZeroInflatedPoisson": (ZeroInflatedPoisson(), COUNTS, 0.25),
}
#: Components for which every finite number is possible.
ANYWHERE = {
    "FactorAnalyzer": (FactorAnalyzer(1), REALS),
    "Gaussian": (Gaussian(), REALS),
    "Laplace": (Laplace(), REALS),
    "Normal": (Normal(), REALS[:, :1]),
    "SkewNormal": (SkewNormal(), REALS),
    "StudentT": (StudentT(), REALS),
    "VonMises": (VonMises(), REALS),
}
NO_MARGINAL = {"Dirichlet", "Multinomial", "VonMisesFisher"}


@pytest.mark.parametrize("name", CASES)
def test_a_value_outside_the_support(name):
    component, x, bad = CASES[name]
    x = x.copy()
    x[7, 1] = bad
    with pytest.raises(InvalidDataError, match=r"[Rr]ow 7\b.*(column 1\b.*expected|sum|expected.*length 1)"):
        Mixture(component, 2, random_state=0).fit(x)


@pytest.mark.parametrize("name", CASES)
def test_the_same_when_rows_are_scored(name):
    component, x, bad = CASES[name]
    fitted = Mixture(component, 1, random_state=0).fit(x)
    x = x[:9].copy()
    x[3, 1] = bad
    with pytest.raises(InvalidDataError, match=r"[Rr]ow 3\b.*(column 1\b.*expected|sum|expected.*length 1)"):
        fitted.predict(x)


@pytest.mark.parametrize("name", [*CASES, *ANYWHERE])
def test_infinity_is_refused(name):
    component, x = (CASES | ANYWHERE)[name][:2]
    x = x.copy()
    x[4, -1] = np.inf
    with pytest.raises(ValueError, match=r"infinity|row 4"):
        Mixture(component, 2, random_state=0).fit(x)


@pytest.mark.parametrize("name", [*CASES, *ANYWHERE])
def test_a_missing_cell_is_left_out_or_named(name):
    component, x = (CASES | ANYWHERE)[name][:2]
    x = x.copy()
    x[4, -1] = np.nan
    mixture = Mixture(component, 1, random_state=0)
    if name in NO_MARGINAL:
        with pytest.raises(
            InvalidDataError, match=rf"row 4, column {x.shape[1] - 1} is missing .*no closed marginal"
        ):
            mixture.fit(x)
    else:
        assert np.isfinite(mixture.fit(x).score_samples(x)).all()


@pytest.mark.parametrize("name", sorted(set(CASES | ANYWHERE) - NO_MARGINAL - {"Normal"}))
def test_a_column_without_any_value_is_named(name):
    component, x = (CASES | ANYWHERE)[name][:2]
    x = x.copy()
    x[:, 1] = np.nan
    with pytest.raises(InvalidDataError, match=r"[Cc]olumn 1 is missing"):
        Mixture(component, 1, random_state=0).fit(x)


@pytest.mark.parametrize("name", [*CASES, *ANYWHERE])
def test_equal_rows_end_in_a_fit_or_in_a_reason(name):
    """No NaN, no traceback from inside: where all rows are the same some families have no maximum, and say so."""
    component, x = (CASES | ANYWHERE)[name][:2]
    x = np.repeat(x[:1], 20, axis=0)
    try:
        fitted = Mixture(component, 1, random_state=0).fit(x)
    except DegenerateComponentError as error:
        assert "component 0" in str(error)  # noqa: PT017 - either outcome is right, by family
    else:
        assert np.isfinite(fitted.score_samples(x)).all()


def test_the_blocks_of_a_product_are_named():
    blocks = {"visits": (Poisson(), [0]), "region": (Categorical([3]), [1])}
    x = np.column_stack([COUNTS[:, 0], LEVELS[:, 0]])
    x[5, 1] = 4.0
    with pytest.raises(InvalidDataError, match=r"row 5, column 1.*block 'region'|block 'region'.*row 5"):
        Mixture(Product(blocks), 2).fit(x)
    x[5, 1] = 0.0
    x[6, 0] = 2.5
    with pytest.raises(InvalidDataError, match=r"row 6, column 0"):
        Mixture(Product(blocks), 2).fit(x)


@pytest.mark.parametrize("model", [Full(), Diagonal()])
def test_a_constant_column_of_measurements(model):
    x = np.column_stack([REALS[:, 0], np.ones(N)])
    with pytest.raises(DegenerateComponentError, match="component 0"):
        Mixture(Gaussian(model=model), 1, on_degenerate="raise", random_state=0).fit(x)


def test_noise_beside_a_component_that_collapses():
    x = np.concatenate([np.zeros((30, 2)), RNG.normal(5.0, 1.0, (60, 2))])
    parts = Union((Gaussian(), None), (UniformNoise.of(x), 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegeneracyWarning)  # whether a start collapses is chance
        fitted = Mixture(parts, 3, random_state=0).fit(x)
    assert np.isfinite(fitted.score(x))
    assert fitted.components_.kind[-1] == 1
