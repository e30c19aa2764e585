"""Fused pass of the categorical mixture: columns are looked up several at a time, in the linear domain.

A few columns together have one code a row (16 for two columns of four levels; one level more for a missing cell, whose
probability is one). The products of their levels' probabilities are tabulated once per model, so a row of twenty columns
costs five look-ups of K numbers instead of twenty; sums are taken by code, too, and spread over the levels once a batch.
A row whose probability underflows is done again in logarithms.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numba
import numpy as np

from mixtura.families import FamilyComponents
from mixtura.protocols import Array, Batch, Encoding, Memory
from mixtura.statistics import Statistics

__all__ = ["independent_pass"]

_WORTH = 20_000  # rows times K of a batch below which the generic pass is as quick, and compiles nothing
# Most codes of a group of columns; fewer where the tables would leave the second-level cache.
_CODES = (640, 256, 64, 16, 1)
_TABLE = 200_000  # bytes of a table that may stay there
_MOST_CODES = 65_535  # of all groups, so that a code is two bytes
_FAST = {"reassoc", "contract", "arcp", "nsz"}
_jit = numba.njit(nogil=True, cache=True, fastmath=_FAST)


class _Layout(NamedTuple):
    """How columns are grouped.

    Parameters
    ----------
    gaps : bool
        Whether cells may be missing.
    order : ndarray of int, shape (D,)
        Columns, group by group.
    first : ndarray of int, shape (G + 1,)
        Where each group begins in `order`.
    sizes : ndarray of int, shape (D,)
        Codes of each column (its levels, and one for a missing cell), in that order.
    starts : ndarray of int, shape (D,)
        Where each column's levels begin among the statistics, in that order.
    offsets : ndarray of int, shape (G + 1,)
        Where each group's codes begin among the rows of the tables.
    """

    gaps: bool
    order: Array
    first: Array
    sizes: Array
    starts: Array
    offsets: Array


@lru_cache(maxsize=64)
def _layout(levels: tuple[int, ...], n_components: int, *, gaps: bool) -> _Layout:
    """The largest groups whose tables stay in the cache."""
    for most in _CODES:
        layout = _grouped(levels, most, gaps=gaps)
        if layout.offsets[-1] * n_components * 8 <= _TABLE:
            break
    return layout


def _grouped(levels: tuple[int, ...], most: int, *, gaps: bool) -> _Layout:
    """Columns with few levels together, until the product of their numbers of codes would pass `most`."""
    counts = np.asarray(levels) + int(gaps)
    order = np.argsort(counts, kind="stable")
    first, products = [0], [1]
    for position, size in enumerate(counts[order]):
        if position > first[-1] and products[-1] * size > most:
            first.append(position)
            products.append(1)
        products[-1] *= int(size)
    starts = np.cumsum([0, *levels[:-1]])
    ends = np.array([*first, len(order)])
    return _Layout(gaps, order, ends, counts[order], starts[order], np.cumsum([0, *products]))


@_jit
def _encode(x, order, first, sizes, offsets, gaps, codes):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Row of the tables for every row and group of columns; False where a value is no level of its column."""
    known = True
    for g in range(len(first) - 1):
        for i in range(codes.shape[0]):
            code = 0
            for position in range(first[g], first[g + 1]):
                value, n_levels = x[order[position], i], sizes[position] - int(gaps)
                level = n_levels
                if 0 <= value < n_levels:
                    level = int(value)
                elif not (gaps and np.isnan(value)):
                    known, level = False, 0
                code = code * sizes[position] + level
            codes[i, g] = offsets[g] + code
    return known


@_jit
def _tables(natural, first, sizes, starts, offsets, gaps, log_table):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Log probabilities of every code, (codes, K): those of its levels added up; missing cells add nothing.

    Column by column, from the last code to the first, so that what is read has not been overwritten.
    """
    n_components = natural.shape[0]
    for g in range(len(first) - 1):
        table = log_table[offsets[g] : offsets[g + 1]]
        table[0] = 0.0
        n_codes = 1
        for position in range(first[g], first[g + 1]):
            size, start = sizes[position], starts[position]
            for prefix in range(n_codes - 1, -1, -1):
                for level in range(size - 1, -1, -1):
                    here = table[prefix * size + level]
                    counts = not gaps or level < size - 1
                    for k in range(n_components):
                        here[k] = table[prefix, k] + (natural[k, start + level] if counts else 0.0)
            n_codes *= size


@_jit
def _pass(codes, weight, table, log_table, weights, log_weights, totals, shifts, sums, count):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202, C901 - compiled
    """Add weight times resp to the sums of every code; `totals` and `shifts` take the evidence."""
    n_rows, n_groups = codes.shape
    n_components = len(weights)
    row = np.empty(n_components)
    for i in range(n_rows):
        here = table[codes[i, 0]]
        for k in range(n_components):
            row[k] = weights[k] * here[k]
        for g in range(1, n_groups):
            here = table[codes[i, g]]
            for k in range(n_components):
                row[k] *= here[k]
        total = 0.0
        for k in range(n_components):
            total += row[k]
        shift = 0.0
        if total < 1e-200:
            for k in range(n_components):
                row[k] = log_weights[k]
            for g in range(n_groups):
                here = log_table[codes[i, g]]
                for k in range(n_components):
                    row[k] += here[k]
            shift = row[0]
            for k in range(1, n_components):
                shift = max(shift, row[k])
            total = 0.0
            for k in range(n_components):
                row[k] = math.exp(row[k] - shift)
                total += row[k]
        totals[i], shifts[i] = total, shift
        scale = weight[i] / total
        for k in range(n_components):
            row[k] *= scale
            count[k] += row[k]
        for g in range(n_groups):
            there = sums[codes[i, g]]
            for k in range(n_components):
                there[k] += row[k]


@_jit
def _spread(sums, first, sizes, starts, offsets, gaps, by_level):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Sums of every code (codes, K), which are overwritten, to sums of every level, (P, K): column by column from the last."""
    n_components = by_level.shape[1]
    rest = np.empty(n_components)
    for g in range(len(first) - 1):
        table = sums[offsets[g] : offsets[g + 1]]
        n_codes = len(table)
        for position in range(first[g + 1] - 1, first[g] - 1, -1):
            size, start = sizes[position], starts[position]
            n_codes //= size
            for prefix in range(n_codes):
                rest[:] = 0.0
                for level in range(size):
                    here = table[prefix * size + level]
                    for k in range(n_components):
                        rest[k] += here[k]
                    if not gaps or level < size - 1:
                        there = by_level[start + level]
                        for k in range(n_components):
                            there[k] += here[k]
                table[prefix] = rest


class _Tables(NamedTuple):
    """What the pass derives of the components, once per model.

    Parameters
    ----------
    natural : ndarray, shape (K, P)
        The parameters that it was derived of.
    layout : _Layout
        Groups of columns.
    log_probability, probability : ndarray, shape (codes, K)
        Of every code.
    """

    natural: Array
    layout: _Layout
    log_probability: Array
    probability: Array


def _derived(components: FamilyComponents, *, gaps: bool) -> _Tables:
    """The tables of the components, kept beside them."""
    kept: _Tables | None = getattr(components, "_cache_codes", None)
    natural = components.natural
    if kept is not None and kept.natural is natural and kept.layout.gaps == gaps:
        return kept
    layout = _layout(components.family.levels, components.n_components, gaps=gaps)  # type: ignore[attr-defined]
    logs = np.empty((layout.offsets[-1], components.n_components))
    # Log probabilities, or what is expected of them: those need not sum to one.
    scored = natural - np.repeat(components.column_normalizers, components.family.levels, axis=1)  # type: ignore[attr-defined]
    _tables(scored, layout.first, layout.sizes, layout.starts, layout.offsets, gaps, logs)
    kept = _Tables(natural, layout, logs, np.exp(logs))
    components._cache_codes = kept  # type: ignore[attr-defined]
    return kept


def _codes(batch: Batch, memory: Memory, layout: _Layout) -> Array | None:
    """Codes of the rows (B, G), made in the first pass; None where a value is no level."""
    groups = np.concatenate([layout.first, layout.offsets])
    if not np.array_equal(memory.get("code_groups", ()), groups):
        codes = np.empty((batch.x.shape[1], len(layout.first) - 1), dtype=np.uint16)
        if not _encode(batch.x, layout.order, layout.first, layout.sizes, layout.offsets, layout.gaps, codes):
            return None
        memory["codes"], memory["code_groups"] = codes, groups
    return memory["codes"]


def independent_pass(
    components: FamilyComponents, structure: Any, batch: Batch, memory: Memory, encoding: Encoding
) -> Statistics | None:
    """One pass of the mixture with one set of weights; see `LatentMixture.summarize`.

    Small batches, impossible values or components, restricted rows and very many levels are left to the generic pass.
    """
    n_components = components.n_components
    if (
        batch.x.shape[1] * n_components < _WORTH
        or getattr(batch, "allowed", None) is not None
        or sum(components.family.levels) + len(batch.x) > _MOST_CODES  # type: ignore[attr-defined]
        or not (np.isfinite(structure.log_weights).all() and np.isfinite(components.natural).all())
    ):
        return None
    table = _derived(components, gaps=encoding.missing)
    layout, weight = table.layout, batch.sample_weight
    if layout.offsets[-1] > _MOST_CODES:
        return None
    codes = _codes(batch, memory, layout)
    if codes is None:
        return None
    totals, shifts = np.empty(len(codes)), np.empty(len(codes))
    sums, count = np.zeros(table.probability.shape), np.zeros(n_components)
    _pass(
        codes,
        weight,
        table.probability,
        table.log_probability,
        np.exp(structure.log_weights),
        structure.log_weights,
        totals,
        shifts,
        sums,
        count,
    )
    by_level = np.zeros(components.natural.T.shape)
    _spread(sums, layout.first, layout.sizes, layout.starts, layout.offsets, layout.gaps, by_level)
    found: dict[str, Array] = {"count": count}
    if encoding.missing:
        starts = np.cumsum([0, *components.family.levels[:-1]])  # type: ignore[attr-defined]
        found["exposure"] = np.add.reduceat(by_level, starts, axis=0).T
    found["sum_t"] = by_level.T
    evidence = np.log(totals) + shifts
    return Statistics(
        log_evidence=float(evidence @ weight),
        weight=float(weight.sum()),
        parts={"structure": Statistics({"count": count.copy()}), "components": Statistics(found)},
        stamp=encoding.stamp,
    )
