"""Batch sources: what turns a table into batches that fit the cache."""

from mixtura.data.arrays import DenseSource, Rows, SparseSource, block_rows, make_source
from mixtura.data.columns import column_encoding, count_encoding, has_missing, mixed_encoding

__all__ = [
    "DenseSource",
    "Rows",
    "SparseSource",
    "block_rows",
    "column_encoding",
    "count_encoding",
    "has_missing",
    "make_source",
    "mixed_encoding",
]
