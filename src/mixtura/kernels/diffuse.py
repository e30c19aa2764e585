"""Compiled passes of a Kalman smoother with observations one at a time, for the rows in which no state is unknown any more.

Loops over neighbours in memory; zeros of the transition matrix, which is sparse where there are seasons, are passed over.
"""

from __future__ import annotations

import numba
import numpy as np

__all__ = ["backward", "forward"]

_LOG_2_PI = 1.8378770664093453
_jit = numba.njit(nogil=True, cache=True)


@_jit
def _product(matrix, right, out):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Write matrix @ right, passing over zeros of the matrix."""
    size = matrix.shape[0]
    for i in range(size):
        for j in range(size):
            out[i, j] = 0.0
        for k in range(size):
            factor = matrix[i, k]
            if factor != 0.0:
                for j in range(size):
                    out[i, j] += factor * right[k, j]


@_jit
def _turned(matrix, inner, out, half, transposed):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Write matrix @ inner @ matrix.T for a symmetric matrix inside."""
    size = matrix.shape[0]
    _product(matrix, inner, half)
    for i in range(size):
        for j in range(size):
            transposed[j, i] = half[i, j]
    _product(matrix, transposed, out)


@_jit
def _moved(matrix, vector, out):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Replace a vector by matrix @ vector."""
    size = matrix.shape[0]
    for i in range(size):
        out[i] = 0.0
        for k in range(size):
            out[i] += matrix[i, k] * vector[k]
    for i in range(size):
        vector[i] = out[i]


@_jit
def forward(  # type: ignore[no-untyped-def] # noqa: ANN201, C901 - compiled
    begin,  # noqa: ANN001
    y,  # noqa: ANN001
    design,  # noqa: ANN001
    noise,  # noqa: ANN001
    transition,  # noqa: ANN001
    state_noise,  # noqa: ANN001
    a,  # noqa: ANN001
    p,  # noqa: ANN001
    innovation,  # noqa: ANN001
    variance,  # noqa: ANN001
    gain,  # noqa: ANN001
    kept,  # noqa: ANN001
    means,  # noqa: ANN001
    covariances,  # noqa: ANN001
    filtered,  # noqa: ANN001
    filtered_covariances,  # noqa: ANN001
):
    """Filter from row `begin` on; a and p are the predicted state, and that after the last row afterwards. Returns the log evidence."""
    n_rows, n_columns = y.shape
    size = a.shape[0]
    along, half, other, whole = (
        np.empty(size),
        np.empty((size, size)),
        np.empty((size, size)),
        np.empty((size, size)),
    )
    evidence = 0.0
    for t in range(begin, n_rows):
        if kept:
            means[t] = a
            covariances[t] = p
        looks = design[min(t, design.shape[0] - 1)]
        for i in range(n_columns):
            if np.isnan(y[t, i]):
                continue
            z = looks[i]
            v, f = y[t, i], noise[min(t, noise.shape[0] - 1), i]
            for j in range(size):
                v -= z[j] * a[j]
                along[j] = 0.0
                for k in range(size):
                    along[j] += p[j, k] * z[k]
                f += z[j] * along[j]
            innovation[t, i], variance[t, i] = v, f
            if f > 0:
                for j in range(size):
                    share = along[j] / f
                    gain[t, i, j] = share
                    a[j] += share * v
                    for k in range(size):
                        p[j, k] -= share * along[k]
                evidence -= 0.5 * (_LOG_2_PI + np.log(f) + v * v / f)
            elif v != 0:
                evidence = -np.inf
        if kept:
            filtered[t] = a
            filtered_covariances[t] = p
        _moved(transition, a, along)
        _turned(transition, p, whole, half, other)
        added = state_noise[min(t, state_noise.shape[0] - 1)]
        for j in range(size):
            for k in range(size):
                p[j, k] = 0.5 * (whole[j, k] + whole[k, j]) + added[j, k]
    return evidence


@_jit
def backward(  # type: ignore[no-untyped-def] # noqa: ANN201, C901 - compiled
    end,  # noqa: ANN001
    design,  # noqa: ANN001
    turned,  # noqa: ANN001
    innovation,  # noqa: ANN001
    variance,  # noqa: ANN001
    gain,  # noqa: ANN001
    means,  # noqa: ANN001
    covariances,  # noqa: ANN001
    kept,  # noqa: ANN001
    r,  # noqa: ANN001
    n,  # noqa: ANN001
    noise_pull,  # noqa: ANN001
    noise_told,  # noqa: ANN001
    state_pull,  # noqa: ANN001
    state_told,  # noqa: ANN001
    smooth,  # noqa: ANN001
    smooth_covariances,  # noqa: ANN001
):
    """Smooth from the last row back to row `end`; `turned` is the transposed transition, r and n are what all these rows pull."""
    n_rows, n_columns = innovation.shape
    size = r.shape[0]
    along, half, other, whole = (
        np.empty(size),
        np.empty((size, size)),
        np.empty((size, size)),
        np.empty((size, size)),
    )
    for t in range(n_rows - 1, end - 1, -1):
        state_pull[t] = r
        state_told[t] = n
        _moved(turned, r, along)
        _turned(turned, n, whole, half, other)
        for j in range(size):
            for k in range(size):
                n[j, k] = 0.5 * (whole[j, k] + whole[k, j])
        looks = design[min(t, design.shape[0] - 1)]
        for i in range(n_columns - 1, -1, -1):
            v, f = innovation[t, i], variance[t, i]
            if np.isnan(v) or f <= 0:
                continue
            z, k_gain = looks[i], gain[t, i]
            pull, told = v / f, 1.0 / f
            for j in range(size):
                pull -= k_gain[j] * r[j]
                along[j] = 0.0
                for k in range(size):
                    along[j] += n[j, k] * k_gain[k]
                told += k_gain[j] * along[j]
            noise_pull[t, i], noise_told[t, i] = pull, told
            for j in range(size):
                r[j] += z[j] * pull
                for k in range(size):
                    n[j, k] += told * z[j] * z[k] - along[j] * z[k] - z[j] * along[k]
        if kept:
            p = covariances[t]
            _product(p, n, half)
            _product(half, p, whole)
            for j in range(size):
                smooth[t, j] = means[t, j]
                for k in range(size):
                    smooth[t, j] += p[j, k] * r[k]
                    smooth_covariances[t, j, k] = p[j, k] - whole[j, k]
