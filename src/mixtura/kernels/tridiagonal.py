"""The compiled backward recursion of block tridiagonal Gaussian chains."""

from __future__ import annotations

import numba
import numpy as np

__all__ = ["covariances"]


@numba.njit(nogil=True, cache=True)
def covariances(covariance, back):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 - compiled
    """Add back[t] covariance[t + 1] back[t]' to covariance[t], from the last block but one to the first, in place."""
    n_rows, size = back.shape[0], back.shape[1]
    half = np.empty((size, size))
    for t in range(n_rows - 2, -1, -1):
        later, here, own = covariance[t + 1], back[t], covariance[t]
        for i in range(size):
            for j in range(size):
                total = 0.0
                for k in range(size):
                    total += here[i, k] * later[k, j]
                half[i, j] = total
        for i in range(size):
            for j in range(size):
                total = 0.0
                for k in range(size):
                    total += half[i, k] * here[j, k]
                own[i, j] += total
