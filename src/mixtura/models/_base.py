"""What all mixture estimators share: validation and rows to learn from.

Settings and the fit are in `_fitting`, prediction and criteria in `_predict`, marginal and conditional mixtures in
`_conditional`, tables, plots and files in `_output`.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, DensityMixin

from mixtura.exceptions import InvalidDataError, InvalidParameterError
from mixtura.inference.problem import Problem
from mixtura.models._conditional import Conditional
from mixtura.models._fitting import Fitting
from mixtura.models._labels import allowed_components
from mixtura.models._output import Output
from mixtura.models._predict import Prediction
from mixtura.models._support import validated
from mixtura.protocols import Array
from mixtura.structures import LatentMixture

__all__ = ["BaseMixture"]


class BaseMixture(Fitting, Prediction, Conditional, Output, DensityMixin, BaseEstimator):
    """Base of the user classes: one fit, one scoring path, whatever the components are."""

    # --- what a subclass says ---------------------------------------------------------------------------------
    @abstractmethod
    def _problem(self, X: Any, sample_weight: Array | None) -> Problem:
        """The learning problem for validated rows."""

    @abstractmethod
    def _model(self) -> LatentMixture:
        """The fitted model, made from the public attributes."""

    def _validate(self, X: Any, *, reset: bool) -> Any:
        """Rows as a matrix of floats."""
        return validated(
            self, X, reset=reset, dtype=[np.float64, np.float32], ensure_min_samples=2 if reset else 1
        )

    # --- fitting ----------------------------------------------------------------------------------------------
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None, *, labels: Any = None) -> Self:
        """Learn the mixture.

        Parameters
        ----------
        X : array_like or data frame, shape (n_samples, n_features)
            The rows.
        y : ignored
            For scikit-learn's pipelines.
        sample_weight : array_like, shape (n_samples,), optional
            Non-negative weights; an integer weight is the same as repeating the row.
        labels : array_like, optional
            What is known of the rows' components: numbers from 0 to K - 1, shape (n_samples,), where -1 or NaN says nothing;
            or a mask of the components that each row may have, shape (n_samples, n_components).

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        InvalidDataError, InvalidParameterError, DegenerateComponentError
            With where, what was found, what was expected and what to do.
        """
        self._check_settings()
        X = self._validate(X, reset=True)
        weight = self._check_weight(sample_weight, X.shape[0])
        self._check_rows(X, weight)
        self._fit(self._problem(X, weight).restricted(self._allowed(labels, X.shape[0])))
        return self

    def _allowed(self, labels: Any, n_rows: int) -> Array | None:
        """Components that every row may have, shape (N, K); None: all."""
        allowed = allowed_components(labels, n_rows, self.n_components)
        if allowed is not None and self.on_degenerate == "drop":
            msg = (
                "on_degenerate is 'drop', but labels name components by number, which would change. Expected 'reseed', "
                "'raise' or 'prior' with labels."
            )
            raise InvalidParameterError(msg)
        return allowed

    def fit_predict(self, X: Any, y: Any = None, sample_weight: Any = None) -> Array:
        """Learn the mixture and label the same rows.

        Returns
        -------
        ndarray of int, shape (n_samples,)
            Most probable component of each row.
        """
        return self.fit(X, y, sample_weight=sample_weight).predict(X)

    def _check_rows(self, X: Any, weight: Array | None) -> None:
        n_rows = X.shape[0] if weight is None else int(np.count_nonzero(weight))
        if n_rows < self.n_components:
            counted = "" if weight is None else " of positive weight"
            msg = f"There are {n_rows} rows{counted} for n_components={self.n_components}; expected at least as many. Use fewer components."
            raise InvalidDataError(msg)
