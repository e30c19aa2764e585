"""Priors that are refused, by name, value and bound; modes that do not exist; what stays possible at the edges."""

import numpy as np
import pytest

from mixtura import Mixture
from mixtura.components import MCLUST, Diagonal, Gaussian, Product, Spherical, StudentT, Tied
from mixtura.exceptions import InvalidDataError, InvalidParameterError
from mixtura.families import (
    Bernoulli,
    Categorical,
    Exponential,
    Gamma,
    Geometric,
    LogNormal,
    Normal,
    Poisson,
    VonMises,
)
from mixtura.families.multinomial import MultinomialComponents
from mixtura.priors import (
    BetaPrior,
    DirichletPrior,
    DirichletProcessPrior,
    GammaPrior,
    NormalGammaPrior,
    NormalWishartPrior,
    PitmanYorPrior,
)

RNG = np.random.default_rng(0)
ONES = RNG.integers(0, 2, (50, 3)).astype(float)
COUNTS = RNG.integers(0, 5, (50, 3)).astype(float)
NUMBERS = RNG.normal(size=(50, 2))
POSITIVE = RNG.gamma(2.0, 1.0, (50, 2))
WISHART = NormalWishartPrior


def bayes(components, x, prior=None, **settings):
    settings = {"inference": "variational", "random_state": 0} | settings
    return Mixture(components, 2, prior=prior, **settings).fit(x)


BAD = {
    "BetaPrior: alpha is -1; expected a number above 0": (Bernoulli(), ONES, BetaPrior(-1.0)),
    "BetaPrior: beta is 0; expected a number above 0": (Bernoulli(), ONES, BetaPrior(1.0, 0)),
    "BetaPrior: alpha is nan; expected a finite number": (Bernoulli(), ONES, BetaPrior(np.nan)),
    "BetaPrior: alpha is inf; expected a finite number": (Bernoulli(), ONES, BetaPrior(np.inf)),
    "BetaPrior: alpha is 'much'; expected a finite number": (Bernoulli(), ONES, BetaPrior("much")),
    r"BetaPrior: alpha has shape \(2,\); expected one number, or one for each of 3": (
        Bernoulli(),
        ONES,
        BetaPrior([1, 2]),
    ),
    r"BetaPrior: alpha\[1\] is 0; expected a number above 0": (
        Geometric(first=0),
        COUNTS,
        BetaPrior([1, 0, 1]),
    ),
    "GammaPrior: rate is -2; expected a number above 0": (Poisson(), COUNTS, GammaPrior(1.0, -2.0)),
    "GammaPrior: shape is 0; expected": (Exponential(), POSITIVE, GammaPrior(0.0)),
    r"concentration has shape \(2,\); expected one number, or one for each of 3 levels": (
        MultinomialComponents(),
        COUNTS,
        DirichletPrior([1, 2]),
    ),
    "DirichletPrior: concentration is -1": (Categorical.of(COUNTS), COUNTS, DirichletPrior(-1)),
    "NormalGammaPrior: rate is -1; expected a number above 0": (
        LogNormal(),
        POSITIVE,
        NormalGammaPrior(rate=-1),
    ),
    r"NormalGammaPrior: mean has shape \(3,\)": (LogNormal(), POSITIVE, NormalGammaPrior(mean=[1, 2, 3])),
    r"NormalWishartPrior: mean has shape \(3,\)": (Gaussian(), NUMBERS, WISHART(mean=[1, 2, 3])),
    "NormalWishartPrior: mean_precision is 0; expected a number above 0": (
        Gaussian(),
        NUMBERS,
        WISHART(mean_precision=0),
    ),
    "NormalWishartPrior: degrees_of_freedom is 1; expected a number above 1": (
        Gaussian(),
        NUMBERS,
        WISHART(degrees_of_freedom=1),
    ),
    "NormalWishartPrior: degrees_of_freedom is 0.5; expected a number above 1": (
        Gaussian(model=Tied()),
        NUMBERS,
        WISHART(degrees_of_freedom=0.5),
    ),
    "NormalWishartPrior: degrees_of_freedom is 0; expected a number above 0": (
        Gaussian(model=Diagonal()),
        NUMBERS,
        WISHART(degrees_of_freedom=0),
    ),
    r"covariance has shape \(3, 3\); expected finite numbers of shape \(2, 2\)": (
        Gaussian(),
        NUMBERS,
        WISHART(covariance=np.eye(3)),
    ),
    r"covariance is not positive definite \(smallest eigenvalue -1\)": (
        Gaussian(),
        NUMBERS,
        WISHART(covariance=[[1, 2], [2, 1]]),
    ),
    r"covariance is not symmetric \(\[0, 1\] is 0.5 and \[1, 0\] is 0.2\)": (
        Gaussian(),
        NUMBERS,
        WISHART(covariance=[[1, 0.5], [0.2, 1]]),
    ),
    r"covariance is \[\[1, nan\].*expected finite numbers of shape": (
        Gaussian(),
        NUMBERS,
        WISHART(covariance=[[1, np.nan], [np.nan, 1]]),
    ),
    r"covariance is .*; expected finite numbers": (Gaussian(), NUMBERS, WISHART(covariance="wide")),
    "covariance is not positive definite": (Gaussian(model=Spherical()), NUMBERS, WISHART(covariance=-1.0)),
    "the Bernoulli component is GammaPrior.*; expected a BetaPrior": (Bernoulli(), ONES, GammaPrior()),
    "the Gaussian component is 3; expected a NormalWishartPrior": (Gaussian(), NUMBERS, 3),
    "The von Mises family has no conjugate prior": (VonMises(), POSITIVE, None),
    "The gamma family has no conjugate prior": (Gamma(), POSITIVE, None),
    "The Student-t component has no conjugate prior": (StudentT(), NUMBERS, None),
    "structure VEV have no conjugate prior. Expected full, tied": (
        Gaussian(model=MCLUST["VEV"]()),
        NUMBERS,
        None,
    ),
    "Block 'angle': The von Mises family has no conjugate prior": (
        Product({"angle": (VonMises(), [0]), "size": (Normal(), [1])}),
        POSITIVE,
        None,
    ),
    "Block 'visits': The prior of the Poisson component is BetaPrior": (
        Product({"visits": (Poisson(), [0]), "ones": (Poisson(), [1, 2])}),
        COUNTS,
        {"visits": BetaPrior()},
    ),
    r"The prior of the product is \['visit'\]; expected a mapping whose keys": (
        Product({"visits": (Poisson(), [0]), "ones": (Poisson(), [1, 2])}),
        COUNTS,
        {"visit": GammaPrior()},
    ),
    r"NormalGammaPrior: rate\[0\] is .*use Gaussian\(\)": (Normal(), 1e8 + NUMBERS[:, :1], None),
    r"NormalGammaPrior: rate\[0\] is 0.*leave it out": (Normal(), np.full((50, 1), 3.0), None),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_priors_are_refused_by_name_value_and_bound(message):
    components, x, prior = BAD[message]
    with pytest.raises(InvalidParameterError, match=message):
        bayes(components, x, prior)


NO_MODE = {
    "BetaPrior: alpha is 0.5 in column 0; expected at least 1.*infinite at its end": (
        Bernoulli(),
        ONES,
        BetaPrior(0.5),
    ),
    "BetaPrior: beta is 0.9 in column 2": (Geometric(first=0), COUNTS, BetaPrior(1.0, [1, 1, 0.9])),
    "GammaPrior: shape is 0.5 in column 0; expected at least 1.*infinite at zero": (
        Poisson(),
        COUNTS,
        GammaPrior(0.5),
    ),
    "DirichletPrior: concentration is 0.5 for level 0; expected at least 1": (
        MultinomialComponents(),
        COUNTS,
        DirichletPrior(0.5),
    ),
}


@pytest.mark.parametrize("message", NO_MODE)
def test_modes_that_do_not_exist_are_refused_with_the_reason(message):
    components, x, prior = NO_MODE[message]
    with pytest.raises(InvalidParameterError, match=message + ".*inference='variational'"):
        bayes(components, x, prior, inference="map")
    assert np.isfinite(bayes(components, x, prior).lower_bound_)  # a posterior law exists


WEIGHTS = {
    "concentration of weight 0 is 0.5; expected at least 1": (DirichletPrior(0.5), "map"),
    "mode of broken sticks depends": (DirichletProcessPrior(1.0), "map"),
    "weights_prior is GammaPrior.*expected a DirichletPrior, DirichletProcessPrior or Pitman": (
        GammaPrior(),
        "variational",
    ),
    "concentration is -1; expected a number above 0": (DirichletPrior(-1.0), "variational"),
    r"concentration has shape \(3,\)": (DirichletPrior([1, 1, 1]), "variational"),
}


@pytest.mark.parametrize("message", WEIGHTS)
def test_bad_priors_of_weights(message):
    weights, inference = WEIGHTS[message]
    with pytest.raises(InvalidParameterError, match=message):
        bayes(Bernoulli(), ONES, inference=inference, weights_prior=weights)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DirichletProcessPrior(-1.0), "concentration is -1.0; expected a number above 0"),
        (lambda: DirichletProcessPrior(np.nan), "concentration is nan; expected a finite number"),
        (lambda: DirichletProcessPrior(1.0, 0.1), "discount is 0.1; expected 0. Use PitmanYorPrior"),
        (lambda: PitmanYorPrior(1.0, 1.0), "discount is 1.0; expected a number from 0 to below 1"),
        (lambda: PitmanYorPrior(-0.3, 0.25), "concentration is -0.3; expected a number above -0.25"),
        (lambda: PitmanYorPrior("a", 0.25), "concentration is 'a'; expected a finite number"),
    ],
)
def test_bad_processes(make, message):
    with pytest.raises(InvalidParameterError, match=message):
        make()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"inference": "em", "prior": BetaPrior()}, "inference is 'em', but a prior is given"),
        ({"inference": "em", "empirical_bayes": True}, "inference is 'em', but empirical_bayes is True"),
        ({"inference": "map", "empirical_bayes": True}, "inference is 'map', but empirical_bayes is True"),
        ({"inference": "bayes"}, "inference is 'bayes', which is not one of the choices"),
        ({"moves": "no"}, "moves is 'no'; expected True or False"),
        ({"prune": None}, "prune is None; expected True or False"),
        (
            {"equal_weights": True, "weights_prior": DirichletPrior(2.0)},
            "equal_weights is True, but weights_prior",
        ),
    ],
)
def test_settings_that_contradict_each_other(settings, message):
    with pytest.raises(InvalidParameterError, match=message):
        bayes(Bernoulli(), ONES, **settings)


@pytest.mark.parametrize(
    ("components", "x"),
    [
        (Bernoulli(), np.zeros((30, 2))),
        (Geometric(), np.ones((30, 2))),
        (Poisson(), np.zeros((30, 2))),
        (MultinomialComponents(), np.tile([3.0, 0.0, 1.0], (30, 1))),
        (Categorical([2, 3]), np.zeros((30, 2))),
    ],
)
def test_flat_modes_at_the_end_of_the_range_are_maximum_likelihood(components, x):
    flat = bayes(components, x, inference="map", max_iter=20)
    plain = Mixture(components, 1).fit(x)
    np.testing.assert_allclose(flat.score_samples(x), plain.score_samples(x), atol=1e-8)


def test_columns_without_variance_and_far_from_zero():
    far = 1e7 + NUMBERS
    assert bayes(Gaussian(), far).lower_bound_ == pytest.approx(
        bayes(Gaussian(), NUMBERS).lower_bound_, abs=1e-5
    )
    constant = np.column_stack([np.full(50, 3.0), NUMBERS[:, 0]])
    for inference in ("variational", "map"):
        assert np.isfinite(bayes(Gaussian(), constant, inference=inference).score(constant))


@pytest.mark.parametrize("inference", ["em", "map", "variational"])
def test_normal_columns_are_one(inference):
    """Several columns are refused by their number, not by the shapes of some later product."""
    with pytest.raises(InvalidDataError, match="rows have 2 columns; expected one"):
        Mixture(Normal(), 2, inference=inference, random_state=0).fit(NUMBERS)
