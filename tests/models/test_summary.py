"""The table of a summary says what its numbers are."""

import numpy as np
import pytest

from mixtura import Mixture
from mixtura.components import Gaussian, Ordinal
from mixtura.families import Bernoulli, Dirichlet, Exponential, Poisson

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("component", "rows", "header"),
    [
        (Exponential(), RNG.exponential(3.0, (40, 1)), ["rate x0"]),
        (Poisson(), RNG.poisson(3.0, (40, 2)), ["rate x0", "rate x1"]),
        (Dirichlet(), RNG.dirichlet([1.0, 2.0], 40), ["alpha x0", "alpha x1"]),
        (Ordinal([3]), RNG.integers(0, 3, (40, 1)), ["location x0"]),
        (Gaussian(), RNG.normal(size=(40, 2)), ["x0", "x1"]),  # means
        (Bernoulli(), RNG.integers(0, 2, (40, 1)), ["x0"]),  # probabilities
    ],
)
def test_a_column_alone_stands_for_means_and_probabilities_only(component, rows, header):
    lines = Mixture(component, 1).fit(rows).summary().splitlines()
    (found,) = [line for line in lines if line.split()[:1] == ["component"]]
    assert found.split() == ["component", "weight", *" ".join(header).split()]
