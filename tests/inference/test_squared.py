"""Squared extrapolation: never below EM, further in fewer passes, and a stopping rule for uneven gains."""

import numpy as np
import pytest

from chains.test_linear_gaussian import random_batch, random_system
from mixtura.chains import DiagonalNoise, FreeNoise, LinearGaussianChain
from mixtura.exceptions import InvalidDataError
from mixtura.executors import Serial
from mixtura.inference.driver import run
from mixtura.inference.squared import Squared, Steadily
from mixtura.inference.stopping import Reason, Stopping
from mixtura.inference.updates import Maximization

LAWS = {
    "free": {"error": FreeNoise(1e-3)},
    "diagonal": {"noise": DiagonalNoise(), "error": DiagonalNoise(least=1e-3)},
}


def setting(laws, missing=0.1):
    batch = random_batch(31, [40, 60], missing=missing)
    chain = LinearGaussianChain(random_system(30, 2, 2), **laws)
    error = chain.error.maximize(chain.system.observation_noise, 1.0, chain.system.observation_noise)
    noise = chain.noise.maximize(chain.system.state_noise, 1.0, chain.system.state_noise)
    system = chain.system.replace(observation_noise=error, state_noise=noise)
    return chain.replace(system=system), batch


@pytest.mark.parametrize("laws", LAWS.values(), ids=LAWS)
def test_cycles_never_fall_and_get_further_with_as_many_passes(laws):
    chain, batch = setting(laws)
    passes = []

    def total(model):
        passes.append(1)
        return model.summarize(batch, {})

    how = {"executor": Serial(), "stopping": Stopping(0.0, 30)}
    bold = run(chain, [batch], update=Squared(total=total), **how)
    assert (np.diff(bold.history) > -1e-9).all()
    how["stopping"] = Stopping(0.0, len(passes) + 30)
    plain = run(chain, [batch], update=Maximization(), **how)
    assert bold.objective > plain.objective


def test_a_cycle_reaches_at_least_as_high_as_an_em_step():
    chain, batch = setting(LAWS["free"])
    update = Squared(total=lambda model: model.summarize(batch, {}))
    for _ in range(10):
        stats = update.total(chain)
        once = update.total(chain.maximize(stats)).log_evidence
        chain = update.step(None, chain, stats).model
        assert update.total(chain).log_evidence >= once


def test_a_guess_that_cannot_be_is_left_alone():
    """Where no jump can be judged, or none is good enough, a cycle is two EM steps."""
    chain, batch = setting(LAWS["free"])

    stats = chain.summarize(batch, {})
    one = chain.maximize(stats)

    def wary(model):
        if not np.allclose(model.coordinates(), one.coordinates(), rtol=1e-12):
            msg = "no such model"
            raise InvalidDataError(msg)
        return model.summarize(batch, {})

    found = Squared(total=wary).step(None, chain, stats)
    twice = one.maximize(one.summarize(batch, {}))
    np.testing.assert_allclose(found.model.coordinates(), twice.coordinates(), atol=1e-12)
    assert found.exact


def test_uneven_gains_are_taken_three_at_a_time():
    uneven = [0.0, 5.0, 5.001, 7.0, 7.001, 8.0]
    assert any(Stopping(1e-2)(uneven[:n], n, 1.0) == Reason.CONVERGED for n in range(1, 7))
    assert not any(Steadily(1e-2)(uneven[:n], n, 1.0) for n in range(1, 7))
    settled = [0.0, 5.0, 5.5, 6.0, 6.0 + 1e-9, 6.0 + 2e-9, 6.0 + 2e-9]
    assert Steadily(1e-2)(settled, 6, 1.0) == Reason.CONVERGED
    assert Steadily(1e-2, max_iter=2)([0.0, 1.0, 2.0], 2, 1.0) == Reason.MAX_ITER
    assert Steadily(0.0, deadline=0.0)([0.0, 1.0], 1, 1.0) == Reason.TIME
