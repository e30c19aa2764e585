"""Laws of mixture weights under scikit-learn's names: what the settings mean, and what is published of a fit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from mixtura.exceptions import InvalidParameterError
from mixtura.priors import DirichletPrior, DirichletProcessPrior, PitmanYorPrior, Prior
from mixtura.priors.base import above, finite
from mixtura.structures import DirichletWeights, StickBreaking

__all__ = ["WEIGHT_LAWS", "WeightLaw"]

_DISCOUNT = 0.25


class WeightLaw(ABC):
    """One value of `weight_concentration_prior_type`."""

    name: str

    def prior(self, owner: str, concentration: Any, discount: Any) -> Prior:
        """The prior that settings mean.

        Raises
        ------
        InvalidParameterError
            Naming the setting, its value and its bound.
        """
        discount = self._discount(owner, discount)
        return self._prior(
            float(above(owner, "weight_concentration_prior", concentration, 1, 0.0 - discount)[0]), discount
        )

    def _discount(self, owner: str, discount: Any) -> float:
        if discount is not None:
            msg = (
                f"{owner}: discount_prior is {discount!r}, but weight_concentration_prior_type is {self.name!r}, which has none. "
                "Expected None, or weight_concentration_prior_type='pitman_yor'."
            )
            raise InvalidParameterError(msg)
        return 0.0

    @abstractmethod
    def _prior(self, concentration: float, discount: float) -> Prior:
        """The prior of checked numbers."""

    @abstractmethod
    def published(self, structure: Any) -> tuple[Any, float, float]:
        """Posterior as scikit-learn gives it, concentration and discount of the prior."""

    @abstractmethod
    def structure(self, concentration: Any, prior: float, discount: float) -> Any:
        """Inverse of `published`."""


class _Dirichlet(WeightLaw):
    name = "dirichlet_distribution"

    def _prior(self, concentration: float, discount: float) -> Prior:
        return DirichletPrior(concentration)

    def published(self, structure: DirichletWeights) -> tuple[Any, float, float]:
        return structure.concentration, float(structure.prior.mean()), 0.0

    def structure(self, concentration: Any, prior: float, discount: float) -> DirichletWeights:
        return DirichletWeights(np.full(len(concentration), prior), np.asarray(concentration))


class _DirichletProcess(WeightLaw):
    name = "dirichlet_process"

    def _prior(self, concentration: float, discount: float) -> Prior:
        return DirichletProcessPrior(concentration)

    def published(self, structure: StickBreaking) -> tuple[Any, float, float]:
        return tuple(structure.sticks), *structure.process

    def structure(self, concentration: Any, prior: float, discount: float) -> StickBreaking:
        sticks = np.stack([np.asarray(one, dtype=np.float64) for one in concentration])
        return StickBreaking(sticks.shape[1], prior, discount, sticks)


class _PitmanYor(_DirichletProcess):
    name = "pitman_yor"

    def _discount(self, owner: str, discount: Any) -> float:
        if discount is None:
            return _DISCOUNT
        number = float(finite(owner, "discount_prior", discount, 1)[0])
        if not 0.0 <= number < 1.0:
            msg = f"{owner}: discount_prior is {discount!r}; expected a number from 0 to below 1."
            raise InvalidParameterError(msg)
        return number

    def _prior(self, concentration: float, discount: float) -> Prior:
        return PitmanYorPrior(concentration, discount)


WEIGHT_LAWS: dict[str, WeightLaw] = {
    law.name: law for law in (_DirichletProcess(), _Dirichlet(), _PitmanYor())
}
