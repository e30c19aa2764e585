"""Products of pairs of columns, the second-order part of T(x) of a full covariance: one write per product."""

from __future__ import annotations

import numba

__all__ = ["symmetric_products"]


@numba.njit(nogil=True, cache=True)
def symmetric_products(x, out):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 - compiled
    """Write x_i x_j, i <= j, of x (D, B) into out (D (D + 1) / 2, B)."""
    n_features, n_rows = x.shape
    row = 0
    for i in range(n_features):
        for j in range(i, n_features):
            for b in range(n_rows):
                out[row, b] = x[i, b] * x[j, b]
            row += 1
