"""The flow of the Nile as a local level, learnt as a linear dynamical system."""

import pytest

from mixtura.models.linear_dynamical_system import LinearDynamicalSystem


def test_the_nile_as_a_local_level(table, results):
    """15,099 and 1,469: J. Durbin, S. J. Koopman (2012), Time Series Analysis by State Space Methods, section 2.10.1."""
    flow = table("nile", ["flow"])
    level = LinearDynamicalSystem(
        1, transition=1.0, observation=1.0, observation_bias=0.0, initial="diffuse", tol=1e-11, max_iter=300
    )
    level.fit(flow)
    assert round(level.observation_noise_[0, 0]) == 15_099
    assert round(level.state_noise_[0, 0]) == 1_469
    assert level.score(flow) == pytest.approx(
        results("lds")["nile_exact_diffuse"]["diffuse_loglik"], abs=1e-8
    )
