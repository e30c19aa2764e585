"""What mixtures of independent columns share: rows inside the support of a family, its mean parameters, pseudo-rows."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np

from mixtura.data import count_encoding
from mixtura.exceptions import InvalidDataError, InvalidParameterError
from mixtura.families import ExponentialFamily, FamilyComponents
from mixtura.inference.initialize import family_embeddings
from mixtura.inference.problem import Problem
from mixtura.inference.updates import Maximization, policy
from mixtura.models._parameters import ParameterMixture, independent
from mixtura.models._support import canonical, check_missing, check_support, refuse_missing_sparse, validated
from mixtura.protocols import Array, Encoding
from mixtura.statistics import Statistics

__all__ = ["ColumnMixture"]


class ColumnMixture(ParameterMixture):
    """Base of the mixtures whose parameters are the means of columns, independent given the component."""

    #: Largest value of a parameter; the least is 0.
    _largest: ClassVar[float] = np.inf
    #: What else than correcting a value outside the support helps, in messages.
    _todo: ClassVar[str] = ""

    pseudo_count: float

    @abstractmethod
    def _family(self) -> ExponentialFamily:
        """What the columns are."""

    @abstractmethod
    def _prepared(self, X: Any) -> Any:
        """Rows as the family is to see them; missing cells stay missing."""

    def _validate(self, X: Any, *, reset: bool) -> Any:
        X = canonical(
            validated(
                self, X, reset=reset, accept_sparse="csr", dtype=np.float64, ensure_all_finite="allow-nan"
            )
        )
        refuse_missing_sparse(self, X)
        X = self._prepared(X)
        components = FamilyComponents(self._family())
        check_missing(self, components, X, fitting=reset)
        check_support(self, components, X, self._todo)
        return X

    def _problem(self, X: Any, sample_weight: Array | None) -> Problem:
        family, encoding = self._family(), count_encoding(X)
        average = _averages(X, sample_weight, missing=encoding.missing)
        return Problem(
            X,
            sample_weight,
            encoding,
            FamilyComponents(family),
            independent,
            family_embeddings(family),
            lambda n_components: Maximization(
                self._prior(average, n_components, encoding), policy(self.on_degenerate)
            ),
            self.n_components,
        )

    def _prior(self, average: Array, n_components: int, encoding: Encoding) -> Statistics | None:
        """The pseudo-rows as statistics seen earlier: complete ones."""
        if not self.pseudo_count:
            return None
        count = np.full(n_components, float(self.pseudo_count))
        sums = {"count": count, "sum_t": np.outer(count, average)}
        if encoding.missing:
            sums["exposure"] = np.outer(count, np.ones(encoding.n_features))
        components = Statistics(sums)
        structure = Statistics({"count": np.zeros(n_components)})
        return Statistics(parts={"components": components, "structure": structure}, stamp=encoding.stamp)

    def _filled(self, parameters: Array, blank: Any = None) -> FamilyComponents:
        return FamilyComponents(self._family()).from_mean(parameters)

    def _parameters(self, components: Any) -> Array:
        return np.asarray(components.mean)

    def _check_parameters(self, name: str, parameters: Array) -> None:
        bad = np.argwhere(~((parameters >= 0) & (parameters <= self._largest) & np.isfinite(parameters)))
        if bad.size:
            k, column = (int(index) for index in bad[0])
            limit = "of at least 0" if np.isinf(self._largest) else f"from 0 to {self._largest:g}"
            msg = f"{name}[{k}, {column}] is {parameters[k, column]:g}; expected finite numbers {limit}, one row a component."
            raise InvalidParameterError(msg)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = True
        return tags


def _averages(X: Any, sample_weight: Array | None, *, missing: bool) -> Array:
    """Weighted mean of what is there in each column, shape (D,)."""
    weight = np.ones(X.shape[0]) if sample_weight is None else sample_weight
    if not missing:
        return np.asarray(weight @ X, dtype=np.float64).ravel() / weight.sum()
    shown = ~np.isnan(X)
    counts = weight @ shown
    never = np.flatnonzero(counts == 0.0)
    if never.size:
        msg = (
            f"Column {never[0]} is missing (NaN) in every row of positive weight; expected at least one value. "
            "Leave the column out."
        )
        raise InvalidDataError(msg)
    return np.asarray(weight @ np.where(shown, X, 0.0) / counts)
