"""Wald intervals of every kind of parameter stay inside its domain, under whatever name the component tells it."""

import numpy as np
import pytest

from mixtura import Mixture
from mixtura.components import Gaussian, Nested, ZeroInflatedPoisson
from mixtura.families import Beta, Dirichlet
from mixtura.inference.intervals import Readable, scale_of


@pytest.mark.parametrize(
    ("name", "value", "ends"),
    [
        ("inflation", 0.1, (0.0, 1.0)),
        ("weight 0", 0.1, (0.0, 1.0)),
        ("probability 3", 0.1, (0.0, 1.0)),
        ("shape_a", 2.0, (0.0, np.inf)),
        ("shape_b", 2.0, (0.0, np.inf)),
        ("alpha", 2.0, (0.0, np.inf)),
        ("log_standard_deviation", 2.0, (0.0, np.inf)),
        ("mean", 2.0, (-np.inf, np.inf)),
        ("mean 1", 2.0, (-np.inf, np.inf)),
    ],
)
def test_the_domain_follows_from_the_name(name, value, ends):
    scale = scale_of(Readable(0, name, "x", "", value))
    assert (scale.low, scale.high) == ends


def rows(kind, rng):
    if kind == "zero-inflated":
        return ZeroInflatedPoisson(), np.where(rng.random(25) < 0.05, 0, rng.poisson(6.0, 25)), "inflation"
    if kind == "beta":
        return Beta(), rng.beta(0.4, 0.5, 8), "shape_a"
    if kind == "Dirichlet":
        return Dirichlet(), rng.dirichlet([0.3, 0.4, 0.5], 6), "alpha"
    return Nested(Gaussian(), 2), np.concatenate([rng.normal(0, 1, 3), rng.normal(9, 1, 30)]), "weight 0"


@pytest.mark.parametrize("kind", ["zero-inflated", "beta", "Dirichlet", "nested"])
def test_intervals_from_few_rows_stay_inside(kind):
    component, x, name = rows(kind, np.random.default_rng(3))
    mixture = Mixture(component, 1, random_state=0, tol=1e-10).fit(x)
    frame = mixture.standard_errors(x.reshape(len(x), -1), level=0.999).frame()
    told = frame[frame["parameter"] == name]
    assert len(told)
    assert (told["lower"] > 0.0).all()
    assert (told["lower"] < told["estimate"]).all()
    if name in ("inflation", "weight 0"):
        assert (told["upper"] < 1.0).all()
