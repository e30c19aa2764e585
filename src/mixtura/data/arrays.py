"""Batches over arrays in memory: dense rows (made feature-major) and CSR counts (never densified)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp

from mixtura.protocols import Array, Batch, Encoding

__all__ = ["DenseSource", "Rows", "SparseSource", "block_rows", "make_source"]

# Bytes of one block's features and scores. Measured: larger than the second-level cache pays, because a block also
# costs some 80 microseconds of calls; from 8 MB on the time rises again.
_BLOCK_BYTES = 4 * 1024 * 1024
# With few statistics a row the calls cost as much as the sums, above all in threads (measured: twice the speed).
_MOST_ROWS = 8192
_FEW = 8
# Feature-major copies are kept over the passes up to this size; above it blocks are transposed in every pass, so
# that the memory needed beyond the data does not depend on the number of rows.
_CACHE_BYTES = 32 * 1024 * 1024


def block_rows(n_statistics: int, n_components: int, itemsize: int = 8) -> int:
    """Rows per block such that T(x) and the scores stay in the cache.

    Examples
    --------
    >>> block_rows(6, 5) >= block_rows(561, 32)
    True
    """
    rows = _BLOCK_BYTES // (itemsize * (n_statistics + 2 * n_components))
    return int(min(max(rows // 64 * 64, 128), _MOST_ROWS if n_statistics > _FEW else 4 * _MOST_ROWS))


class Rows(ABC):
    """A table in memory, cut into batches of whole units.

    Parameters
    ----------
    n_rows : int
        N.
    sample_weight : ndarray, shape (N,), optional
        Weights; None is one for every row.
    unit_offsets : ndarray, shape (U + 1,), optional
        First row of each unit and N at the end; None makes every row a unit.
    rows_per_batch : int
        Rows aimed at in a batch; a longer unit makes a longer batch.
    covariates : ndarray, shape (N, Q), optional
        What the law of the states may depend on.
    allowed : ndarray of bool, shape (N, K), optional
        States that every row may have.
    seen : ndarray of bool, shape (N,), optional
        Rows that were observed.
    """

    def __init__(
        self,
        n_rows: int,
        sample_weight: Array | None,
        unit_offsets: Array | None,
        rows_per_batch: int,
        covariates: Array | None = None,
        allowed: Array | None = None,
        seen: Array | None = None,
    ) -> None:
        self.n_rows = n_rows
        self.covariates, self.allowed, self.seen = covariates, allowed, seen
        self.sample_weight = sample_weight
        self.unit_offsets = None if unit_offsets is None else np.asarray(unit_offsets, dtype=np.intp)
        self._ones = np.ones(0)
        if self.unit_offsets is None:
            self.starts = np.arange(0, n_rows, rows_per_batch, dtype=np.intp)
            self._first_unit = self.starts
        else:
            aims = np.arange(0, n_rows, rows_per_batch)
            self._first_unit = np.unique(np.searchsorted(self.unit_offsets, aims, side="right") - 1)
            self.starts = self.unit_offsets[self._first_unit]
        self.ends = np.append(self.starts[1:], n_rows)
        self._cache: dict[int, Any] = {}

    def __len__(self) -> int:
        return len(self.starts)

    def __iter__(self) -> Iterator[Batch]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Batch:
        start, end = int(self.starts[index]), int(self.ends[index])
        offsets = None
        if self.unit_offsets is not None:
            last = self._first_unit[index + 1] if index + 1 < len(self) else len(self.unit_offsets) - 1
            offsets = self.unit_offsets[self._first_unit[index] : last + 1] - start
        beside = (
            None if table is None else np.ascontiguousarray(table[start:end].T)
            for table in (self.covariates, self.allowed, self.seen)
        )
        return Batch(self._block(index, start, end), self._weight(start, end), offsets, index, *beside)

    def _weight(self, start: int, end: int) -> Array:
        if self.sample_weight is not None:
            return self.sample_weight[start:end]
        if len(self._ones) < end - start:
            self._ones = np.ones(end - start)
        return self._ones[: end - start]

    @abstractmethod
    def _block(self, index: int, start: int, end: int) -> Any: ...


class DenseSource(Rows):
    """Rows of a dense matrix, feature-major and about the encoding's origin.

    Parameters
    ----------
    x : ndarray, shape (N, D)
        The data; not copied unless small.
    encoding : Encoding
        Origin and dtype.
    sample_weight, unit_offsets, rows_per_batch, covariates, allowed, seen
        As for `Rows`.

    Examples
    --------
    >>> source = DenseSource(
    ...     np.arange(6.0).reshape(3, 2), Encoding(2, origin=np.array([2.0, 3.0])), rows_per_batch=2
    ... )
    >>> source[0].x
    array([[-2.,  0.],
           [-2.,  0.]])
    """

    def __init__(
        self,
        x: Array,
        encoding: Encoding,
        sample_weight: Array | None = None,
        unit_offsets: Array | None = None,
        rows_per_batch: int = 4096,
        covariates: Array | None = None,
        allowed: Array | None = None,
        seen: Array | None = None,
    ) -> None:
        super().__init__(len(x), sample_weight, unit_offsets, rows_per_batch, covariates, allowed, seen)
        self.x = x
        self.encoding = encoding
        self._keep = x.size * np.dtype(encoding.dtype).itemsize <= _CACHE_BYTES

    def _block(self, index: int, start: int, end: int) -> Array:
        kept = self._cache.get(index)
        if kept is not None:
            return np.asarray(kept)
        rows = self.x[start:end].T
        if self.encoding.origin is None:
            block = np.ascontiguousarray(rows, dtype=self.encoding.dtype)
        else:
            # Subtracted in double precision before any rounding to a shorter type.
            block = np.empty(rows.shape, dtype=self.encoding.dtype)
            np.subtract(rows, self.encoding.origin[:, None], out=block, casting="same_kind")
        if self._keep:
            self._cache[index] = block
        return block


class SparseSource(Rows):
    """Rows of a CSR matrix of counts; blocks are views of its three arrays.

    Parameters
    ----------
    x : csr_matrix or csr_array, shape (N, C)
        Counts.
    encoding : Encoding
        Kept for its stamp.
    sample_weight, unit_offsets, rows_per_batch, covariates, allowed, seen
        As for `Rows`.

    Examples
    --------
    >>> source = SparseSource(sp.csr_matrix(np.eye(3)), Encoding(3), rows_per_batch=2)
    >>> [batch.x.shape for batch in source]
    [(2, 3), (1, 3)]
    """

    def __init__(
        self,
        x: Any,
        encoding: Encoding,
        sample_weight: Array | None = None,
        unit_offsets: Array | None = None,
        rows_per_batch: int = 4096,
        covariates: Array | None = None,
        allowed: Array | None = None,
        seen: Array | None = None,
    ) -> None:
        super().__init__(x.shape[0], sample_weight, unit_offsets, rows_per_batch, covariates, allowed, seen)
        self.x = x
        self.encoding = encoding

    def _block(self, index: int, start: int, end: int) -> Any:
        kept = self._cache.get(index)
        if kept is None:
            first, last = self.x.indptr[start], self.x.indptr[end]
            kept = sp.csr_matrix(
                (self.x.data[first:last], self.x.indices[first:last], self.x.indptr[start : end + 1] - first),
                shape=(end - start, self.x.shape[1]),
                copy=False,
            )
            self._cache[index] = kept
        return kept


def make_source(
    x: Any,
    encoding: Encoding,
    sample_weight: Array | None = None,
    unit_offsets: Array | None = None,
    rows_per_batch: int = 4096,
    covariates: Array | None = None,
    allowed: Array | None = None,
    seen: Array | None = None,
) -> Rows:
    """The source that fits the table: sparse or dense.

    Examples
    --------
    >>> type(make_source(np.zeros((2, 1)), Encoding(1))).__name__
    'DenseSource'
    """
    kind = SparseSource if sp.issparse(x) else DenseSource
    return kind(x, encoding, sample_weight, unit_offsets, rows_per_batch, covariates, allowed, seen)
