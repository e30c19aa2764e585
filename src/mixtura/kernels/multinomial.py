"""Fused passes of the multinomial mixture on CSR counts: row-major, one row's K scores stay in registers and cache.

A row costs its non-zeros times K in scores, K exponentials, and its non-zeros times K in sums; nothing of size
(B, K) leaves the second-level cache. Exponentials are NumPy's, over a block at a time.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
import scipy.sparse as sp

from mixtura.families.multinomial import Multinomial, MultinomialComponents
from mixtura.protocols import Array, Batch, Encoding, Memory
from mixtura.statistics import Statistics

__all__ = ["grouped_pass", "independent_pass"]

_ROWS = 1024  # of a block: its (rows, K) scores fit the second-level cache for K up to about 60
_WORTH = 20_000  # rows times K of a batch below which the generic pass is as quick, and compiles nothing
_FAST = {"reassoc", "contract", "arcp", "nsz"}
_jit = numba.njit(nogil=True, cache=True, fastmath=_FAST)


@_jit
def _scores(data, indices, indptr, first, last, profiles, log_weights, scores, largest):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """scores[i] = log weights + sum over the row of x_j log beta_j, minus the largest, which is kept."""
    n_components = scores.shape[1]
    for i in range(first, last):
        row = scores[i - first]
        for k in range(n_components):
            row[k] = log_weights[k]
        for position in range(indptr[i], indptr[i + 1]):
            x = data[position]
            profile = profiles[indices[position]]
            for k in range(n_components):
                row[k] += x * profile[k]
        top = row[0]
        for k in range(1, n_components):
            top = max(top, row[k])
        for k in range(n_components):
            row[k] -= top
        largest[i] = top


@_jit
def _sums(data, indices, indptr, first, last, weight, resp, totals, sums, count):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Add weight times resp (normalised here) to the sums; `totals` takes the row sums."""
    n_components = resp.shape[1]
    for i in range(first, last):
        row = resp[i - first]
        total = 0.0
        for k in range(n_components):
            total += row[k]
        totals[i] = total
        scale = weight[i] / total
        for k in range(n_components):
            row[k] *= scale
            count[k] += row[k]
        for position in range(indptr[i], indptr[i + 1]):
            x = data[position]
            target = sums[indices[position]]
            for k in range(n_components):
                target[k] += x * row[k]


@numba.njit(nogil=True, cache=True)
def _digamma(x):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Digamma of a positive number: recurrence up to 8, then the asymptotic series (error below 1e-14)."""
    value = 0.0
    while x < 8.0:
        value -= 1.0 / x
        x += 1.0
    inverse = 1.0 / (x * x)
    series = inverse * (
        1 / 12
        - inverse
        * (1 / 120 - inverse * (1 / 252 - inverse * (1 / 240 - inverse * (1 / 132 - inverse * 691 / 32760))))
    )
    return value + math.log(x) - 0.5 / x - series


@numba.njit(nogil=True, cache=True, fastmath=_FAST, inline="always")
def _weighted_row(expected, log_expected, likelihood, log_likelihood, i, row):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """row = prior weight times likelihood; returns its sum and the log of what was divided out (where it underflows)."""
    n_components = likelihood.shape[1]
    total = 0.0
    for k in range(n_components):
        row[k] = expected[k] * likelihood[i, k]
        total += row[k]
    if total >= 1e-200:
        return total, 0.0
    shift = log_expected[0] + log_likelihood[i, 0]
    for k in range(1, n_components):
        shift = max(shift, log_expected[k] + log_likelihood[i, k])
    total = 0.0
    for k in range(n_components):
        row[k] = math.exp(log_expected[k] + log_likelihood[i, k] - shift)
        total += row[k]
    return total, shift


@_jit
def _local(likelihood, log_likelihood, weight, offsets, prior, dirichlet, steps, tol, bound):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202, C901 - compiled
    """Posterior weights of every unit; `likelihood` (B, K) becomes resp. Linear domain, logs where that underflows."""
    n_units, n_components = dirichlet.shape
    log_expected, expected = np.empty(n_components), np.empty(n_components)
    counts, used, row = np.empty(n_components), np.empty(n_components), np.empty(n_components)
    prior_constant = math.lgamma(prior.sum())
    for k in range(n_components):
        prior_constant -= math.lgamma(prior[k])
    for unit in range(n_units):
        for _ in range(steps):
            used[:] = dirichlet[unit]
            total = used.sum()
            base = _digamma(total)
            for k in range(n_components):
                log_expected[k] = _digamma(used[k]) - base
                expected[k] = math.exp(log_expected[k])
                counts[k] = 0.0
            evidence = 0.0
            for i in range(offsets[unit], offsets[unit + 1]):
                if weight[i] == 0.0:
                    continue
                row_total, shift = _weighted_row(expected, log_expected, likelihood, log_likelihood, i, row)
                evidence += weight[i] * (shift + math.log(row_total))
                scale = weight[i] / row_total
                for k in range(n_components):
                    counts[k] += row[k] * scale
            moved = 0.0
            for k in range(n_components):
                dirichlet[unit, k] = prior[k] + counts[k]
                moved = max(moved, abs(dirichlet[unit, k] - used[k]))
            if moved < tol:
                break
        # The bound belongs to the parameters that were used for scoring.
        divergence = math.lgamma(total) - prior_constant
        for k in range(n_components):
            divergence -= math.lgamma(used[k])
            divergence += (used[k] - prior[k]) * log_expected[k]
        bound[unit] += evidence - divergence
        for i in range(offsets[unit], offsets[unit + 1]):
            row_total, _ = _weighted_row(expected, log_expected, likelihood, log_likelihood, i, row)
            for k in range(n_components):
                likelihood[i, k] = row[k] / row_total


def _declines(components: MultinomialComponents, batch: Batch) -> bool:
    """Dense rows, tiny batches and zero probabilities are left to the generic pass."""
    return (
        not sp.issparse(batch.x)
        or batch.x.shape[0] * components.n_components < _WORTH
        or _profiles(components) is None
    )


def _profiles(components: MultinomialComponents) -> Array | None:
    """Log probabilities with one category a row, (C, K), made once per model; None if one is minus infinity."""
    if not hasattr(components, "_rows"):
        rows = np.ascontiguousarray(components.natural.T)
        components._rows = rows if np.isfinite(rows).all() else None  # type: ignore[attr-defined]
    return components._rows  # type: ignore[attr-defined]


def _log_base(batch: Batch, memory: Memory) -> Array:
    """Log coefficients of the rows, computed in the first pass."""
    if "log_base" not in memory:
        memory["log_base"] = Multinomial().log_base_measure(batch.x)
    return memory["log_base"]


class _Totals:
    """Accumulators of one batch."""

    def __init__(self, components: MultinomialComponents, n_categories: int) -> None:
        n_components = components.n_components
        self.sums = np.zeros((n_categories, n_components))
        self.count = np.zeros(n_components)

    def statistics(self) -> Statistics:
        return Statistics({"count": self.count, "exposure": self.sums.sum(axis=0), "sum_t": self.sums.T})


def _blocks(n_rows: int) -> list[tuple[int, int]]:
    return [(start, min(start + _ROWS, n_rows)) for start in range(0, n_rows, _ROWS)]


def independent_pass(
    components: MultinomialComponents, structure: Any, batch: Batch, memory: Memory, encoding: Encoding
) -> Statistics | None:
    """One pass of the mixture with one set of weights; see `LatentMixture.summarize`."""
    if _declines(components, batch) or not np.isfinite(structure.log_weights).all():
        return None
    x, weight = batch.x, batch.sample_weight
    data = x.data if x.data.dtype == np.float64 else x.data.astype(np.float64)
    totals, profiles = _Totals(components, x.shape[1]), _profiles(components)
    scores, evidence, row_sums = (
        np.empty((_ROWS, components.n_components)),
        np.empty(x.shape[0]),
        np.empty(x.shape[0]),
    )
    for first, last in _blocks(x.shape[0]):
        block = scores[: last - first]
        _scores(data, x.indices, x.indptr, first, last, profiles, structure.log_weights, block, evidence)
        np.exp(block, out=block)
        _sums(data, x.indices, x.indptr, first, last, weight, block, row_sums, totals.sums, totals.count)
    evidence += np.log(row_sums) + _log_base(batch, memory)
    parts = {"structure": Statistics({"count": totals.count.copy()}), "components": totals.statistics()}
    return Statistics(
        log_evidence=float(evidence @ weight), weight=float(weight.sum()), parts=parts, stamp=encoding.stamp
    )


def grouped_pass(
    components: MultinomialComponents, structure: Any, batch: Batch, memory: Memory, encoding: Encoding
) -> Statistics | None:
    """One pass of the mixture with weights per group; see `LatentMixture.summarize`."""
    if _declines(components, batch) or batch.unit_offsets is None:
        return None
    x, weight, offsets = batch.x, batch.sample_weight, batch.unit_offsets
    data = x.data if x.data.dtype == np.float64 else x.data.astype(np.float64)
    n_rows, n_components = x.shape[0], components.n_components
    log_likelihood, largest = np.empty((n_rows, n_components)), np.empty(n_rows)
    _scores(
        data,
        x.indices,
        x.indptr,
        0,
        n_rows,
        _profiles(components),
        np.zeros(n_components),
        log_likelihood,
        largest,
    )
    resp = np.exp(log_likelihood)
    dirichlet = memory.get("dirichlet")
    if dirichlet is None or dirichlet.shape != (len(offsets) - 1, n_components):
        dirichlet = structure.start(offsets, weight)
    else:
        dirichlet = dirichlet.copy()
    bound = np.zeros(len(dirichlet))
    _local(
        resp,
        log_likelihood,
        weight,
        offsets,
        structure.pseudo_count,
        dirichlet,
        structure.local_steps,
        structure.tol,
        bound,
    )
    memory["dirichlet"] = dirichlet
    totals = _Totals(components, x.shape[1])
    # resp is normalised already, so the log of its row sums is zero.
    _sums(data, x.indices, x.indptr, 0, n_rows, weight, resp, np.empty(n_rows), totals.sums, totals.count)
    log_evidence = float(bound.sum() + (largest + _log_base(batch, memory)) @ weight)
    parts = {"structure": structure.sums(dirichlet, totals.count.copy()), "components": totals.statistics()}
    return Statistics(
        log_evidence=log_evidence, weight=float(len(dirichlet)), parts=parts, stamp=encoding.stamp
    )
