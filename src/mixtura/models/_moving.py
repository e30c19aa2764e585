"""Moves that escape local optima, for mixtures whose parameters have posterior laws."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

import numpy as np

from mixtura.exceptions import InvalidParameterError
from mixtura.inference.bayesian import Treatment
from mixtura.inference.fitting import Fitted
from mixtura.inference.moves import Move, Moves
from mixtura.inference.problem import Problem
from mixtura.models._base import BaseMixture
from mixtura.persistence import ModelFile

__all__ = ["Moving"]


class Moving(BaseMixture):
    """A mixture with the parameters `moves` and `prune`."""

    moves: bool
    prune: bool

    def _check_settings(self) -> None:
        super()._check_settings()
        for name in ("moves", "prune"):
            if not isinstance(getattr(self, name), bool | np.bool_):
                msg = f"{name} is {getattr(self, name)!r}; expected True or False."
                raise InvalidParameterError(msg)

    def _with_moves(self, problem: Problem, treatment: Treatment) -> Problem:
        """The problem with the moves that the settings ask for; without posterior laws there are none."""
        wanted = treatment.has_laws and (self.moves or self.prune)
        tried = Moves(fewer=bool(self.moves), births=bool(self.moves), prune=bool(self.prune))
        return replace(problem, moves=tried if wanted else None)

    def _finish(self, fitted: Fitted) -> None:
        self.moves_: tuple[Move, ...] = tuple(move for move in fitted.moves if move.accepted)
        super()._finish(fitted)

    def _more_to_save(self) -> dict[str, Any]:
        found = [{**vars(move), "components": list(move.components)} for move in getattr(self, "moves_", ())]
        return {**super()._more_to_save(), "moves_": found}

    @classmethod
    def _from_file(cls, content: ModelFile) -> Self:
        estimator = super()._from_file(content)
        found = content.attributes.get("moves_", [])
        estimator.moves_ = tuple(Move(**{**item, "components": tuple(item["components"])}) for item in found)
        return estimator
