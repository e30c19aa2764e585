"""What all hidden Markov models share: sequences, the fit, and what is concluded of states.

The problem of a chain is that of a mixture with another structure: starts are looked for in the mixture of the same components
(its `screen`), which does not know of time, and handed on to the chain.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import check_is_fitted

from mixtura.data import has_missing
from mixtura.exceptions import InvalidDataError
from mixtura.executors import Serial
from mixtura.inference.problem import Problem
from mixtura.models._fitting import Fitting
from mixtura.models._labels import allowed_components
from mixtura.models._row_weights import row_weights
from mixtura.models._sequences import Sequences, sequences
from mixtura.protocols import Array, Batch
from mixtura.structures import LatentMixture
from mixtura.structures.latent_mixture import restricted

__all__ = ["BaseHMM"]


class BaseHMM(Fitting):
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
        found = sequences(X, lengths, groups)
        return found.with_rows(self._validate(found.x, reset=reset))

    def _chain_problem(
        self, given: Sequences, sample_weight: Any = None, labels: Any = None, covariates: Any = None
    ) -> Problem:
        """What is to be learned of sequences."""
        weight = self._sequence_weights(given, sample_weight)
        seen = _seen(given.x)
        rows = given.x if seen is None else _filled(given.x, seen)
        counted = weight if seen is None else (np.ones(len(seen)) if weight is None else weight) * seen
        problem = replace(
            self._problem(rows, counted, seen),
            sample_weight=weight,
            unit_offsets=given.offsets,
            covariates=_beside(given, covariates),
            seen=seen,
        )
        allowed = allowed_components(given.sorted(labels), given.n_rows, problem.n_components)
        return problem.restricted(allowed)

    def _sequence_weights(self, given: Sequences, sample_weight: Any) -> Array | None:
        """Weights of rows, (N,), from those of their sequences."""
        if sample_weight is None:
            return None
        weight = row_weights(sample_weight, len(given.lengths))
        return None if weight is None else np.repeat(weight, given.lengths)

    # --- what is concluded of the states -----------------------------------------------------------------------
    def _batches(
        self, given: Sequences, model: LatentMixture, labels: Any = None, covariates: Any = None
    ) -> Iterator[tuple[slice, slice, Batch, Array]]:
        """Batches of whole sequences: places of their rows and of their sequences, and the rows' scores, (K, B)."""
        problem = self._chain_problem(given, labels=labels, covariates=covariates)
        used = replace(model, encoding=replace(model.encoding, missing=has_missing(given.x)))
        source = replace(problem, encoding=used.encoding, components=used.components).source()
        row = unit = 0
        with Serial().session():
            for batch in source:
                n_rows = len(batch.sample_weight)
                n_units = 1 if batch.unit_offsets is None else len(batch.unit_offsets) - 1
                scores = used.components.log_prob(used.components.encode(batch.x, used.encoding))
                yield (
                    slice(row, row + n_rows),
                    slice(unit, unit + n_units),
                    batch,
                    restricted(scores, batch),
                )
                row, unit = row + n_rows, unit + n_units

    def score_samples(
        self, X: Any, lengths: Any = None, *, groups: Any = None, labels: Any = None, covariates: Any = None
    ) -> tuple[float, Array]:
        """Log-likelihood of all sequences and smoothed probabilities of the states.

        Returns
        -------
        log_likelihood : float
            Sum over the sequences; minus infinity where one is impossible.
        posteriors : ndarray, shape (n_samples, n_components)
            p(state of the step | all steps of its sequence).
        """
        check_is_fitted(self)
        given = self._sequences(X, lengths, groups, reset=False)
        model = self._model()
        resp = np.empty((given.n_rows, model.n_components))
        total = 0.0
        for rows, _, batch, scores in self._batches(given, model, labels, covariates):
            found = model.structure.infer(scores, batch, {})
            resp[rows] = found.resp.T
            total += float(found.log_evidence.sum())
        return total, given.back(resp)

    def score(self, X: Any, lengths: Any = None, *, groups: Any = None, covariates: Any = None) -> float:
        """Log-likelihood of all sequences together."""
        return self.score_samples(X, lengths, groups=groups, covariates=covariates)[0]

    def predict_proba(
        self, X: Any, lengths: Any = None, *, groups: Any = None, labels: Any = None, covariates: Any = None
    ) -> Array:
        """Smoothed probabilities of the states, shape (n_samples, n_components)."""
        return self.score_samples(X, lengths, groups=groups, labels=labels, covariates=covariates)[1]


def _seen(X: Any) -> Array | None:
    """Rows of which some cell was observed; None: all."""
    if sp.issparse(X):
        return None
    seen = ~np.isnan(X).all(axis=1)
    if not seen.any():
        msg = f"All {len(X)} steps are missing (NaN); expected at least one that was observed."
        raise InvalidDataError(msg)
    return None if seen.all() else np.asarray(seen)


def _filled(X: Array, seen: Array) -> Array:
    """Rows in which those not observed hold values of one that was: components encode them, and nothing else."""
    filled = X.copy()
    whole = seen & ~np.isnan(X).any(axis=1)
    filled[~seen] = X[np.flatnonzero(whole if whole.any() else seen)[0]]
    return filled


def _beside(given: Sequences, covariates: Any) -> Array | None:
    """Covariates of the rows in the order of the sequences, shape (N, Q)."""
    if covariates is None:
        return None
    table = np.asarray(covariates, dtype=np.float64)
    table = table[:, None] if table.ndim == 1 else table
    if len(table) != given.n_rows:
        msg = f"covariates has {len(table)} rows, but X has {given.n_rows}; expected one row for each step."
        raise InvalidDataError(msg)
    bad = np.argwhere(~np.isfinite(table))
    if bad.size:
        row, column = bad[0]
        msg = f"covariates[{row}, {column}] is {table[row, column]}; expected a finite number for every step."
        raise InvalidDataError(msg)
    return np.asarray(given.sorted(table))
