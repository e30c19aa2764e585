"""Batch sources: what turns a table into batches that fit the cache."""

from mixtura.data.arrays import DenseSource, Rows, SparseSource, block_rows

__all__ = ["DenseSource", "Rows", "SparseSource", "block_rows"]
