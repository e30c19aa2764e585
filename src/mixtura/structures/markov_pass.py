"""The pass of a chain over a batch, chunk by chunk: scores, messages and sums of some thousand rows at a time, in the cache.

What :meth:`~mixtura.structures.latent_mixture.LatentMixture.summarize` does, without ever holding scores or responsibilities of all
rows. On request (`Markov.checkpoint`) likelihoods and messages are not held either.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from mixtura.protocols import Array, Batch, Component, Encoding, Memory
from mixtura.statistics import Statistics
from mixtura.structures.grouped import offsets_of
from mixtura.structures.latent_mixture import observed, restricted, weighted_sum
from mixtura.structures.markov import Markov
from mixtura.structures.sweep import Laws, sweep

__all__ = ["chain_pass"]


def chain_pass(
    components: Component, structure: Markov, batch: Batch, memory: Memory, encoding: Encoding
) -> Statistics | None:
    """Statistics of a batch under a chain whose moves are the same in all rows.

    Parameters
    ----------
    components : Component
        Densities of the rows given the state.
    structure : Markov
        The chain.
    batch : Batch
        Rows of whole sequences.
    memory : mapping
        Not used.
    encoding : Encoding
        How rows became numbers.

    Returns
    -------
    Statistics or None
        None where a sequence has to be done in logarithms, or rows cannot be cut.
    """
    if not (isinstance(batch.x, np.ndarray) or sp.issparse(batch.x)):
        return None
    offsets = offsets_of(batch, len(batch.sample_weight))
    first = offsets[:-1]
    latest: dict[int, tuple[Batch, Any]] = {}
    sums: list[Statistics] = []
    count, begun = np.zeros(structure.n_components), np.zeros(structure.n_components)

    def encoded(rows: slice) -> tuple[Batch, Any]:
        # Encoding again costs less than memory for all blocks; the last chunk forward is the first one backward.
        if rows.start not in latest:
            latest.clear()
            part = cut(batch, rows)
            latest[rows.start] = part, components.encode(part.x, encoding)
        return latest[rows.start]

    def score(rows: slice) -> Array:
        part, block = encoded(rows)
        return restricted(components.log_prob(block), part)

    def take(rows: slice, resp: Array) -> None:
        part, block = encoded(rows)
        begin, end = np.searchsorted(first, (rows.start, rows.stop))
        np.add(count, resp @ np.ones(resp.shape[1]), out=count)
        np.add(begun, resp[:, first[begin:end] - rows.start].sum(axis=1), out=begun)
        found = components.expected_statistics(block, observed(resp, part))
        if sums:
            sums[0]._add_in_place(found)  # a copy of our own
        else:
            sums.append(found.copy())

    laws = Laws(*structure.scored, offsets, batch.sample_weight)
    swept = sweep(laws, score, take, keep=not structure.checkpoint)
    if swept.bad.any():
        return None
    unit = batch.sample_weight[first]
    return Statistics(
        log_evidence=weighted_sum(swept.log_evidence, unit),
        weight=float(batch.sample_weight.sum()),
        parts={"structure": structure.gathered(count, begun, swept.pairs), "components": sums[0]},
        stamp=encoding.stamp,
    )


def cut(batch: Batch, rows: slice) -> Batch:
    """Some rows of a batch, as a batch without units."""
    if rows.start == 0 and rows.stop == len(batch.sample_weight):
        return batch
    x = batch.x[rows] if sp.issparse(batch.x) else np.ascontiguousarray(batch.x[:, rows])
    covariates, allowed = (
        None if table is None else np.ascontiguousarray(table[:, rows])
        for table in (batch.covariates, batch.allowed)
    )
    seen = None if batch.seen is None else batch.seen[rows]
    weight = batch.sample_weight[rows]
    return replace(
        batch, x=x, sample_weight=weight, unit_offsets=None, covariates=covariates, allowed=allowed, seen=seen
    )
