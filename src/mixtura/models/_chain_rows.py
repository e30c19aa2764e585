"""Rows of sequences as a structure takes them: steps that were not observed, covariates, batches with their scores."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import check_is_fitted

from mixtura.data import has_missing
from mixtura.exceptions import InvalidDataError
from mixtura.executors import Serial
from mixtura.inference.problem import Problem
from mixtura.models._labels import allowed_components
from mixtura.models._sequences import Sequences
from mixtura.protocols import Array, Batch
from mixtura.structures import LatentMixture
from mixtura.structures.latent_mixture import restricted

__all__ = ["ScoredRows", "Scoring", "filled_rows", "row_covariates", "seen_rows"]


@dataclass(frozen=True)
class ScoredRows:
    """Rows of whole sequences with their scores.

    Parameters
    ----------
    rows : slice
        Their places among all rows, in the order of the sequences.
    units : slice
        The places of their sequences.
    batch : Batch
        The rows.
    scores : ndarray, shape (K, B)
        Log densities: zero in rows that were not observed, minus infinity for states that a row may not have.
    """

    rows: slice
    units: slice
    batch: Batch
    scores: Array

    @property
    def offsets(self) -> Array:
        """Where its sequences begin, (U + 1,)."""
        offsets = self.batch.unit_offsets
        return np.array([0, self.scores.shape[1]]) if offsets is None else offsets


class Scoring:
    """From what the user gives to batches of whole sequences."""

    @abstractmethod
    def _model(self) -> LatentMixture:
        """The fitted chain."""

    @abstractmethod
    def _sequences(self, X: Any, lengths: Any, groups: Any, *, reset: bool) -> Sequences:
        """Validated rows with the bounds of their sequences."""

    def _given_sequences(self, X: Any, lengths: Any, groups: Any) -> Sequences:
        """Sequences for a fitted chain."""
        check_is_fitted(self)
        return self._sequences(X, lengths, groups, reset=False)

    def _scored(
        self, given: Sequences, model: LatentMixture, labels: Any = None, covariates: Any = None
    ) -> Iterator[ScoredRows]:
        """Batches of whole sequences in their order."""
        seen = seen_rows(given.x)
        rows = given.x if seen is None else filled_rows(given.x, seen)
        encoding = replace(model.encoding, missing=has_missing(rows))
        problem = Problem(
            rows,
            None,
            encoding,
            model.components,
            lambda _: model.structure,
            _never,
            _never,
            model.n_components,
            unit_offsets=given.offsets,
            covariates=row_covariates(given, covariates),
            allowed=allowed_components(given.sorted(labels), given.n_rows, model.n_components),
            seen=seen,
        )
        row = unit = 0
        with Serial().session():
            for batch in problem.source():
                last_row = row + len(batch.sample_weight)
                last_unit = unit + (1 if batch.unit_offsets is None else len(batch.unit_offsets) - 1)
                scores = model.components.log_prob(model.components.encode(batch.x, encoding))
                yield ScoredRows(
                    slice(row, last_row), slice(unit, last_unit), batch, restricted(scores, batch)
                )
                row, unit = last_row, last_unit


def seen_rows(X: Any) -> Array | None:
    """Rows of which some cell was observed; None: all."""
    if sp.issparse(X):
        return None
    seen = ~np.isnan(X).all(axis=1)
    return None if seen.all() else np.asarray(seen)


def filled_rows(X: Array, seen: Array) -> Array:
    """Rows in which those not observed hold values of one that was: components encode them, and nothing else."""
    filled = X.copy()
    whole = seen & ~np.isnan(X).any(axis=1)
    some = whole if whole.any() else seen
    filled[~seen] = X[np.flatnonzero(some)[0]] if some.any() else 0.0
    return filled


def row_covariates(
    given: Sequences, covariates: Any, name: str = "covariates", n_columns: int | None = None
) -> Array | None:
    """Covariates of the rows in the order of the sequences, shape (N, Q).

    Parameters
    ----------
    given : Sequences
        The rows.
    covariates : array_like, shape (N, Q) or (N,), or None
        In the order in which rows were given.
    name : str, default "covariates"
        What they are called.
    n_columns : int, optional
        Q; None: any.

    Raises
    ------
    InvalidDataError
        If there are not as many rows or columns, or a cell is not finite.
    """
    if covariates is None:
        return None
    table = np.asarray(covariates, dtype=np.float64)
    table = table[:, None] if table.ndim == 1 else table
    if table.ndim != 2 or len(table) != given.n_rows or n_columns not in (None, table.shape[1]):
        width = f"n_{name}" if n_columns is None else n_columns
        msg = f"{name}: found shape {table.shape}, expected ({given.n_rows}, {width}), one row for each step."
        raise InvalidDataError(msg)
    bad = np.argwhere(~np.isfinite(table))
    if bad.size:
        row, column = bad[0]
        msg = f"{name}[{row}, {column}] is {table[row, column]}; expected a finite number for every step, also where X is missing."
        raise InvalidDataError(msg)
    return np.asarray(given.sorted(table))


def _never(*_: Any) -> Any:  # pragma: no cover - scoring never starts or updates a fit
    raise AssertionError
