"""Averages over random rows of a mixture, component by component."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.special import logsumexp

from mixtura.components import hooks
from mixtura.data import make_source
from mixtura.protocols import Array
from mixtura.structures import LatentMixture

__all__ = ["MonteCarlo", "average", "log_density", "same_levels"]


class MonteCarlo(NamedTuple):
    """An average over random rows.

    Parameters
    ----------
    estimate : float
        Nats.
    standard_error : float
        Of the estimate; zero where it is certain.
    """

    estimate: float
    standard_error: float


def average(
    model: LatentMixture, value: Callable[[Array, Array], Array], n_samples: int, rng: np.random.Generator
) -> MonteCarlo:
    """Mean of a function of rows (N, D) and their log density (N,), drawn by the weights, at least two a component."""
    weights = model.structure.weights  # type: ignore[attr-defined] # Independent, from _population
    origin = 0.0 if model.encoding.origin is None else model.encoding.origin
    mean = variance = 0.0
    for k in np.flatnonzero(weights > 0):
        rows = model.components.sample(int(k), max(round(n_samples * weights[k]), 2), rng) + origin
        values = value(rows, log_density(model, rows))
        if np.isposinf(values).any():
            return MonteCarlo(np.inf, 0.0)
        mean += float(weights[k] * values.mean())
        variance += float(weights[k] ** 2 * values.var(ddof=1) / len(values))
    return MonteCarlo(mean, float(np.sqrt(variance)))


def log_density(model: LatentMixture, rows: Array) -> Array:
    """Log density of rows (N, D), shape (N,); minus infinity outside the support."""
    found = []
    for batch in make_source(np.asarray(rows, dtype=np.float64), model.encoding, None, None, 4096):
        with np.errstate(all="ignore"):
            scores = model.components.log_prob(model.components.encode(batch.x, model.encoding))
        scores = scores + np.asarray(model.structure.log_weights)[:, None]  # type: ignore[attr-defined] # Independent
        bad = hooks.outside(model.components, batch.x)
        if bad is not None:
            scores[:, np.asarray(bad).any(axis=0)] = -np.inf
        found.append(logsumexp(scores, axis=0))
    return np.concatenate(found)


def same_levels(one: Any, other: Any) -> bool:
    """Whether codes of levels mean the same to two mixtures, where both have levels."""
    mine, theirs = getattr(one, "levels_", None), getattr(other, "levels_", None)
    if mine is None or theirs is None:
        return True
    return all(list(left) == list(right) for left, right in zip(mine, theirs, strict=True))
