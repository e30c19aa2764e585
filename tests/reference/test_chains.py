"""Hidden Markov chains against published fits of the yearly numbers of large earthquakes."""

import numpy as np
import pytest

from mixtura.data import make_source
from mixtura.executors import Serial
from mixtura.families import FamilyComponents, Poisson
from mixtura.inference.driver import run
from mixtura.inference.stopping import Stopping
from mixtura.inference.updates import Maximization
from mixtura.protocols import Encoding
from mixtura.structures import LatentMixture, Markov
from mixtura.structures.starts import FreeStart, StationaryStart

# Zucchini, MacDonald and Langrock (2016), Hidden Markov Models for Time Series, second edition: fits by EM with a free start.
FREE = {2: 341.8787, 3: 328.5275}


def fitted(x, size, start):
    means = np.quantile(x, (np.arange(size) + 0.5) / size)
    moves = np.full((size, size), 0.1 / (size - 1)) + (0.9 - 0.1 / (size - 1)) * np.eye(size)
    model = LatentMixture(
        FamilyComponents(Poisson()).from_mean(means[:, None]),
        Markov(np.full(size, 1.0 / size), moves, start=start),
        Encoding(1),
    )
    source = make_source(x, Encoding(1), None, np.array([0, len(x)]), 1000)
    stopping = Stopping(1e-10, max_iter=2000)
    return run(model, source, update=Maximization(), executor=Serial(), stopping=stopping)


@pytest.mark.parametrize("size", [2, 3, 4])
def test_stationary_chains_of_earthquakes(table, results, size):
    x = table("earthquakes", ["count"])
    published = next(fit for fit in results("earthquakes_stationary_phmm")["fits"] if fit["m"] == size)
    result = fitted(x, size, StationaryStart())
    assert -result.objective == pytest.approx(published["minus_loglik"], abs=1e-6)
    assert result.model.exact
    structure = result.model.structure
    order = np.argsort(result.model.components.mean[:, 0])
    np.testing.assert_allclose(result.model.components.mean[order, 0], published["lambda"], atol=2e-3)
    np.testing.assert_allclose(structure.initial[order], published["delta"], atol=2e-3)
    # Their search ended at six digits.
    np.testing.assert_allclose(structure.transition[np.ix_(order, order)], published["gamma"], atol=2e-3)
    parameters = result.model.n_parameters()
    assert 2 * parameters - 2 * result.objective == pytest.approx(published["AIC"], abs=1e-5)


@pytest.mark.parametrize("size", FREE)
def test_free_starts(table, size):
    result = fitted(table("earthquakes", ["count"]), size, FreeStart())
    assert -result.objective == pytest.approx(FREE[size], abs=1e-4)  # four published digits
