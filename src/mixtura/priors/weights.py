"""Priors of mixture weights that users set: the Dirichlet law is `DirichletPrior`; here are the two processes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mixtura.exceptions import InvalidParameterError
from mixtura.priors.base import Prior

__all__ = ["DirichletProcessPrior", "PitmanYorPrior"]


@dataclass(frozen=True)
class PitmanYorPrior(Prior):
    """Pitman-Yor process: infinitely many components whose sizes fall off as a power.

    Parameters
    ----------
    concentration : float, default 1
        theta, above minus the discount: larger values mean more components.
    discount : float, default 0.25
        d, from 0 (a Dirichlet process) to below 1.

    Examples
    --------
    >>> PitmanYorPrior(1.0, 0.5)
    PitmanYorPrior(concentration=1.0, discount=0.5)
    """

    concentration: float = 1.0
    discount: float = 0.25

    def __post_init__(self) -> None:
        kind = type(self).__name__
        for name, value in (("concentration", self.concentration), ("discount", self.discount)):
            if (
                isinstance(value, bool)
                or not isinstance(value, int | float | np.number)
                or not np.isfinite(value)
            ):
                msg = f"{kind}: {name} is {value!r}; expected a finite number."
                raise InvalidParameterError(msg)
        if not 0.0 <= self.discount < 1.0:
            msg = f"{kind}: discount is {self.discount!r}; expected a number from 0 to below 1."
            raise InvalidParameterError(msg)
        if not self.concentration > -self.discount:
            msg = f"{kind}: concentration is {self.concentration!r}; expected a number above {-self.discount + 0.0:g}."
            raise InvalidParameterError(msg)


@dataclass(frozen=True)
class DirichletProcessPrior(PitmanYorPrior):
    """Dirichlet process: infinitely many components, of which n rows use about concentration times log n.

    Parameters
    ----------
    concentration : float, default 1
        theta (often alpha or gamma), above 0: larger values mean more components.
    discount : float, default 0
        Always 0.

    Examples
    --------
    >>> DirichletProcessPrior(0.5)
    DirichletProcessPrior(concentration=0.5, discount=0.0)
    """

    discount: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.discount != 0.0:
            msg = f"DirichletProcessPrior: discount is {self.discount!r}; expected 0. Use PitmanYorPrior."
            raise InvalidParameterError(msg)
