"""Tables of the results: one row per customer, one per basket; computed in blocks of bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from mixtura.segments import naming
from mixtura.segments.baskets import Baskets

__all__ = ["ROWS", "basket_table", "chunks", "customer_table", "mission_content", "reorder"]

ROWS = 50_000  # baskets whose probabilities are in memory at once


def chunks(n_rows: int) -> Iterator[slice]:
    """Blocks of rows that bound the memory of probabilities."""
    for start in range(0, n_rows, ROWS):
        yield slice(start, min(start + ROWS, n_rows))


def reorder(model: Any, order: np.ndarray) -> None:
    """Put the components of a fitted mixture into another order, in place.

    Parameters
    ----------
    model : MultinomialMixture or GroupedMultinomialMixture
        Fitted.
    order : ndarray of int, shape (K,)
        New position to old.
    """
    model.weights_ = model.weights_[order]
    model.profiles_ = model.profiles_[order]
    if hasattr(model, "group_weights_"):
        model.group_weights_ = np.ascontiguousarray(model.group_weights_[:, order])


def customer_table(model: Any, baskets: Baskets, n_train: int) -> dict[str, np.ndarray]:
    """One row per customer: weights of the missions and what follows from them.

    Parameters
    ----------
    model : GroupedMultinomialMixture
        The household mixture.
    baskets : Baskets
        All baskets.
    n_train : int
        How many of them it was fitted to.

    Returns
    -------
    dict of str to ndarray
        Columns; customers that appear only after the split have the population's weights.
    """
    customers, index = np.unique(baskets.customers, return_inverse=True)
    total = np.bincount(index, minlength=len(customers))
    before = np.bincount(index[:n_train], minlength=len(customers))
    place = np.minimum(np.searchsorted(model.groups_, customers), len(model.groups_) - 1)
    known = (model.groups_[place] == customers)[:, None]
    weights = np.where(known, model.group_weights_[place], model.weights_)
    logs = np.log(weights, out=np.zeros_like(weights), where=weights > 0)
    columns = {
        "customer": customers,
        "dominant_mission": weights.argmax(axis=1) + 1,
        "n_baskets": total,
        "n_train_baskets": before,
        "entropy": np.maximum(-(weights * logs).sum(axis=1), 0.0),
    }
    return columns | {f"mission_{k + 1}": weights[:, k] for k in range(weights.shape[1])}


def basket_table(model: Any, baskets: Baskets, n_train: int) -> dict[str, np.ndarray]:
    """One row per basket: its most probable mission.

    Parameters
    ----------
    model : GroupedMultinomialMixture
        The household mixture.
    baskets : Baskets
        All baskets.
    n_train : int
        How many of them it was fitted to.

    Returns
    -------
    dict of str to ndarray
        Columns, in order of time.
    """
    mission = np.empty(baskets.n_baskets, dtype=np.int64)
    probability = np.empty(baskets.n_baskets)
    log_likelihood = np.empty(baskets.n_baskets)
    for rows in chunks(baskets.n_baskets):
        counts, customers = baskets.counts[rows], baskets.customers[rows]
        resp = model.predict_proba(counts, groups=customers)
        mission[rows] = resp.argmax(axis=1) + 1
        probability[rows] = resp.max(axis=1)
        log_likelihood[rows] = model.score_samples(counts, groups=customers)
    return {
        "basket": baskets.baskets,
        "customer": baskets.customers,
        "time": baskets.times,
        "part": np.where(np.arange(baskets.n_baskets) < n_train, "train", "test"),
        "mission": mission,
        "probability": probability,
        "log_likelihood": log_likelihood,
    }


def mission_content(model: Any, baskets: Baskets, n_train: int) -> naming.Content:
    """Expected counts of every mission over the baskets before the split."""
    parts = []
    for rows in chunks(n_train):
        counts = baskets.counts[rows]
        parts.append(naming.content(counts, model.predict_proba(counts, groups=baskets.customers[rows])))
    return naming.Content(
        np.sum([part.baskets for part in parts], axis=0),
        np.sum([part.lines for part in parts], axis=0),
        np.sum([part.containing for part in parts], axis=0),
    )
