"""A larger model from a smaller one: the nested start of a sweep over K."""

from __future__ import annotations

import numpy as np

from mixtura.components.hooks import open_components
from mixtura.executors import Serial
from mixtura.protocols import Executor, Source
from mixtura.structures import LatentMixture

__all__ = ["resized"]


def resized(
    model: LatentMixture, source: Source, n_components: int, executor: Executor | None = None
) -> LatentMixture:
    """The model with another number of components: the largest are split, or the smallest left out.

    Where components are of several kinds, only those of the kind that is the rest are.

    Parameters
    ----------
    model : LatentMixture
        A fitted model.
    source : Source
        The rows; one pass collects the statistics that are split.
    n_components : int
        K of the result.
    executor : Executor, optional
        Who sums; serial by default.

    Returns
    -------
    LatentMixture
        With `n_components` components; the same object if nothing changes.
    """
    if model.n_components == n_components:
        return model
    with (executor or Serial()).session() as session:
        stats = session.total(model.summarize, source)
    counts = stats.parts["components"]["count"]
    if model.n_components > n_components:
        fixed = ~open_components(model.components, counts.size)
        kept = np.sort(np.argsort(np.where(fixed, np.inf, counts), kind="stable")[::-1][:n_components])
        return model.take(kept)
    while model.n_components < n_components:
        counts = stats.parts["components"]["count"]
        largest = int(np.argmax(np.where(open_components(model.components, counts.size), counts, -np.inf)))
        stats = model.split(stats, largest)
        model = model.take([*range(model.n_components), largest])
    return model.maximize(stats)
