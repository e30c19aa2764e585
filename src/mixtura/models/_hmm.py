"""What all hidden Markov models share: sequences and the fit.

The problem of a chain is that of a mixture with another structure; where it starts is said in `_chain_starts`, what is concluded of
states in `_chain_states`, of the future in `_chain_future`, criteria in `_chain_criteria`, tables, plots and files in `_chain_output`.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator

from mixtura.exceptions import InvalidDataError, InvalidParameterError
from mixtura.inference.problem import Problem
from mixtura.models._chain_criteria import ChainCriteria
from mixtura.models._chain_future import Future
from mixtura.models._chain_output import ChainOutput
from mixtura.models._chain_rows import filled_rows, row_covariates, seen_rows
from mixtura.models._chain_starts import ChainProblem
from mixtura.models._fitting import Fitting
from mixtura.models._labels import allowed_components
from mixtura.models._output import Output
from mixtura.models._row_weights import row_weights
from mixtura.models._sequences import Sequences, sequences
from mixtura.protocols import Array
from mixtura.structures import LatentMixture

__all__ = ["BaseHMM"]


class BaseHMM(Fitting, Future, ChainCriteria, ChainOutput, Output, BaseEstimator):
    """Base of the user classes for sequences."""

    _counted_by: ClassVar[str] = "step"

    # --- what a subclass says ---------------------------------------------------------------------------------
    @abstractmethod
    def _problem(self, X: Any, sample_weight: Array | None, seen: Array | None) -> Problem:
        """The mixture's problem for validated rows; its structure maker is the chain's, its `screen` the mixture."""

    @abstractmethod
    def _model(self) -> LatentMixture:
        """The fitted chain, made from the public attributes."""

    @abstractmethod
    def _validate(self, X: Any, *, reset: bool) -> Any:
        """Rows as a matrix of floats, in which steps that were not observed are NaN in all columns."""

    # --- fitting ----------------------------------------------------------------------------------------------
    def fit(
        self,
        X: Any,
        lengths: Any = None,
        *,
        groups: Any = None,
        sample_weight: Any = None,
        labels: Any = None,
        covariates: Any = None,
    ) -> Self:
        """Learn the chain from one or more sequences.

        Parameters
        ----------
        X : array_like, CSR matrix or data frame, shape (n_samples, n_features), or list of arrays
            Steps of all sequences, one after the other, or a list with a table for each sequence. A row of NaN is a step that was not
            observed.
        lengths : array_like of int, shape (n_sequences,), optional
            Steps of each sequence; None: one sequence.
        groups : str or array_like, shape (n_samples,), optional
            In the place of lengths: the name of every row's sequence, or the data frame's column with it.
        sample_weight : array_like, shape (n_sequences,), optional
            Weight of each sequence; a whole weight is the same as repeating it.
        labels : array_like, optional
            What is known of the states: numbers from 0 to K - 1, shape (n_samples,), where -1 or NaN says nothing; or a mask
            of the states that each row may have, shape (n_samples, n_components).
        covariates : array_like, shape (n_samples, n_covariates), optional
            What moves between states depend on, where the chain has such a law.

        Returns
        -------
        self
            The fitted estimator.
        """
        self._check_settings()
        given = self._sequences(X, lengths, groups, reset=True)
        self._fit(self._chain_problem(given, sample_weight, labels, covariates))
        return self

    def _sequences(self, X: Any, lengths: Any, groups: Any, *, reset: bool) -> Sequences:
        """Validated rows with the bounds of their sequences."""
        return sequences(X, lengths, groups, lambda rows: self._validate(rows, reset=reset))

    def _chain_problem(
        self, given: Sequences, sample_weight: Any = None, labels: Any = None, covariates: Any = None
    ) -> Problem:
        """What is to be learned of sequences."""
        weight = self._sequence_weights(given, sample_weight)
        beside = row_covariates(given, covariates)
        self._n_covariates = 0 if beside is None else beside.shape[1]
        seen = seen_rows(given.x)
        self._check_rows(given, weight, seen)
        rows = given.x if seen is None else filled_rows(given.x, seen)
        counted = weight if seen is None else (np.ones(len(seen)) if weight is None else weight) * seen
        problem = replace(
            self._problem(rows, counted, seen),
            sample_weight=weight,
            unit_offsets=given.offsets,
            order=given.order,
            covariates=beside,
            seen=seen,
        )
        return ChainProblem.of(problem.restricted(self._allowed(given, labels, problem.n_components)))

    def _allowed(self, given: Sequences, labels: Any, n_components: int) -> Array | None:
        """States that every row may have, shape (N, K); None: all."""
        allowed = allowed_components(given.sorted(labels), given.n_rows, n_components)
        if allowed is not None and self.on_degenerate == "drop":
            msg = (
                "on_degenerate is 'drop', but labels name states by number, which would change. Expected 'reseed', 'raise' or "
                "'prior' with labels."
            )
            raise InvalidParameterError(msg)
        return allowed

    def _check_rows(self, given: Sequences, weight: Array | None, seen: Array | None) -> None:
        usable = np.ones(given.n_rows, dtype=bool) if seen is None else seen
        n_rows = int(np.count_nonzero(usable if weight is None else usable & (weight > 0)))
        if n_rows < self.n_components:
            msg = (
                f"There are {n_rows} observed steps of sequences with positive weight for n_components={self.n_components}; expected at "
                "least as many. Use fewer states."
            )
            raise InvalidDataError(msg)

    def _sequence_weights(self, given: Sequences, sample_weight: Any) -> Array | None:
        """Weights of rows, (N,), from those of their sequences."""
        if sample_weight is None:
            return None
        weight = row_weights(sample_weight, len(given.lengths))
        return None if weight is None else np.repeat(weight, given.lengths)
