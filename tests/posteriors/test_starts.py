"""Bayesian fits as starts of other fits: their parameters and responsibilities are taken, never their laws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mixtura import Mixture
from mixtura.components import Gaussian, Product
from mixtura.families import Normal, Poisson
from mixtura.protocols import Array

KINDS: dict[str, Any] = {
    "family": Poisson(),
    "gaussian": Gaussian(),
    "product": Product({"count": (Poisson(), [0]), "number": (Gaussian(), [1])}),
    "families": Product({"one": (Poisson(), [0]), "other": (Normal(), [1])}),
}


def rows() -> Array:
    rng = np.random.default_rng(5)
    group = rng.random(400) < 0.4
    count = rng.poisson(np.where(group, 2.0, 12.0))
    number = rng.poisson(np.where(group, 20.0, 5.0))
    return np.column_stack([count, number]).astype(float)


def kinds_of(components: Any) -> list[str]:
    blocks = getattr(components, "blocks", {"all": components})
    return [type(one).__name__ for one in blocks.values()]


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("inference", ["map", "variational"])
class TestLikelihoodFromLaws:
    """Maximum likelihood started from a Bayesian fit is maximum likelihood."""

    def test_a_fitted_mixture(self, name: str, inference: str) -> None:
        x = rows()
        plain = Mixture(KINDS[name], 2, tol=1e-10, random_state=0).fit(x)
        start = Mixture(KINDS[name], 2, inference=inference, random_state=0).fit(x)
        found = Mixture(KINDS[name], 2, tol=1e-10, init_params=start).fit(x)
        assert kinds_of(found.components_) == kinds_of(plain.components_)
        assert found.lower_bound_ == pytest.approx(plain.lower_bound_, abs=1e-9)

    def test_fitted_components(self, name: str, inference: str) -> None:
        x = rows()
        plain = Mixture(KINDS[name], 2, tol=1e-10, random_state=0).fit(x)
        start = Mixture(KINDS[name], 2, inference=inference, random_state=0).fit(x)
        found = Mixture(start.components_, 2, tol=1e-10).fit(x)
        assert kinds_of(found.components_) == kinds_of(plain.components_)
        assert found.lower_bound_ == pytest.approx(plain.lower_bound_, abs=1e-9)

    def test_a_warm_start(self, name: str, inference: str) -> None:
        x = rows()
        plain = Mixture(KINDS[name], 2, tol=1e-10, random_state=0).fit(x)
        found = Mixture(KINDS[name], 2, inference=inference, tol=1e-10, warm_start=True, random_state=0)
        found.fit(x).set_params(inference="em").fit(x)
        assert kinds_of(found.components_) == kinds_of(plain.components_)
        assert found.lower_bound_ == pytest.approx(plain.lower_bound_, abs=1e-9)


@pytest.mark.parametrize("name", KINDS)
def test_laws_of_components_that_had_some(name: str) -> None:
    """The components of a Bayesian fit, fitted again: point, draws and predictive law are of the new posterior."""
    x = rows()
    first = Mixture(KINDS[name], 2, inference="variational", tol=1e-12, random_state=0).fit(x)
    again = Mixture(first.components_, 2, inference="variational", tol=1e-12).fit(x[:200])
    fresh = Mixture(KINDS[name], 2, inference="variational", tol=1e-12, init_params=first).fit(x[:200])
    assert again.lower_bound_ == pytest.approx(fresh.lower_bound_, abs=1e-9)
    for plug_in in (False, True):
        np.testing.assert_allclose(
            again.score_samples(x, plug_in=plug_in), fresh.score_samples(x, plug_in=plug_in), atol=1e-4
        )
    np.testing.assert_allclose(again.bic(x), fresh.bic(x), rtol=1e-5)
