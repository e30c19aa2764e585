"""Tables of the results: one row per customer, one per basket; computed in blocks of bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from scipy import sparse
from scipy.spatial.distance import cdist

from mixtura.exceptions import InvalidDataError
from mixtura.segments import naming
from mixtura.segments.baskets import Baskets
from mixtura.segments.intervals import blocks_of_customers
from mixtura.segments.sureness import certainty_columns, entropy

__all__ = [
    "ROWS",
    "basket_table",
    "chunks",
    "customer_table",
    "mission_content",
    "nearest",
    "per_customer",
    "reorder",
]

ROWS = 50_000  # baskets whose probabilities are in memory at once
N_DIFFERENCES = 3  # columns that are named each way between a component and its nearest other


def chunks(n_rows: int) -> Iterator[slice]:
    """Blocks of rows that bound the memory of probabilities."""
    for start in range(0, n_rows, ROWS):
        yield slice(start, min(start + ROWS, n_rows))


def reorder(model: Any, order: np.ndarray) -> None:
    """Put the components of a fitted mixture into another order, in place.

    Parameters
    ----------
    model : estimator
        A fitted mixture over counts.
    order : ndarray of int, shape (K,)
        New position to old.
    """
    for name in ("weights_", "alpha_" if hasattr(model, "alpha_") else "profiles_"):
        setattr(model, name, getattr(model, name)[order])
    if hasattr(model, "group_weights_"):
        model.group_weights_ = np.ascontiguousarray(model.group_weights_[:, order])
    if hasattr(model, "profile_concentration_"):
        model.profile_concentration_ = model.profile_concentration_[order]


def customer_table(
    missions: Any, segments: Any, baskets: Baskets, n_train: int, names: Sequence[str] = ()
) -> dict[str, np.ndarray]:
    """One row per customer: weights of the missions, the segment, and what follows from them.

    Parameters
    ----------
    missions : MissionFit or None
        The mixtures of baskets.
    segments : SegmentFit or None
        The mixture of customers.
    baskets : Baskets
        All baskets.
    n_train : int
        How many of them the models were fitted to.
    names : sequence of str
        Names of the segments.

    Returns
    -------
    dict of str to ndarray
        Columns; customers that appear only after the split have the population's weights.
    """
    customers, index = np.unique(baskets.customers, return_inverse=True)
    columns = {
        "customer": customers,
        "n_baskets": np.bincount(index, minlength=len(customers)),
        "n_train_baskets": np.bincount(index[:n_train], minlength=len(customers)),
    }
    if baskets.amounts is not None:
        columns["amount"] = np.bincount(index, weights=baskets.amounts, minlength=len(customers))
    if segments is not None:
        label = segments.labels
        columns["segment"] = segments.numbers[label]
        columns["segment_name"] = np.asarray(names, dtype=str)[label]
        columns["segment_probability"] = segments.resp.max(axis=1)
        columns |= {f"segment_{n}": segments.resp[:, s] for s, n in enumerate(segments.numbers)}
    if missions is not None:
        model = missions.household
        place = np.minimum(np.searchsorted(model.groups_, customers), len(model.groups_) - 1)
        known = (model.groups_[place] == customers)[:, None]
        weights = np.where(known, model.group_weights_[place], model.weights_)
        logs = np.log(weights, out=np.zeros_like(weights), where=weights > 0)
        columns["dominant_mission"] = missions.numbers[weights.argmax(axis=1)]
        columns["entropy"] = np.maximum(-(weights * logs).sum(axis=1), 0.0)
        columns |= {f"mission_{n}": weights[:, k] for k, n in enumerate(missions.numbers)}
        columns |= {} if missions.search is None else certainty_columns(missions, customers)
    return columns


def basket_table(model: Any, numbers: np.ndarray, baskets: Baskets, n_train: int) -> dict[str, np.ndarray]:
    """One row per basket: its most probable mission.

    Parameters
    ----------
    model : GroupedMultinomialMixture or None
        The household mixture; without one, baskets have no missions.
    numbers : ndarray of int, shape (K,)
        Of the missions.
    baskets : Baskets
        All baskets.
    n_train : int
        How many of them it was fitted to.

    Returns
    -------
    dict of str to ndarray
        Columns, in order of time.
    """
    columns = {
        "basket": baskets.baskets,
        "customer": baskets.customers,
        "time": baskets.times,
        "part": np.where(np.arange(baskets.n_baskets) < n_train, "train", "test"),
    }
    if baskets.amounts is not None:
        columns["amount"] = baskets.amounts
    if model is None:
        return columns
    mission = np.empty(baskets.n_baskets, dtype=np.int64)
    probability = np.empty(baskets.n_baskets)
    log_likelihood = np.empty(baskets.n_baskets)
    unsure = np.empty(baskets.n_baskets) if hasattr(model, "profile_concentration_") else None
    for rows in chunks(baskets.n_baskets):
        counts, customers = baskets.counts[rows], baskets.customers[rows]
        resp = model.predict_proba(counts, groups=customers)
        mission[rows] = numbers[resp.argmax(axis=1)]
        probability[rows] = resp.max(axis=1)
        log_likelihood[rows] = model.score_samples(counts, groups=customers)
        if unsure is not None:
            unsure[rows] = entropy(resp)
    columns |= {"mission": mission, "probability": probability, "log_likelihood": log_likelihood}
    return columns | ({} if unsure is None else {"entropy": unsure})


def per_customer(values: Any, index: np.ndarray, n_customers: int) -> Any:
    """Sum rows of baskets into rows of customers.

    Parameters
    ----------
    values : ndarray or scipy.sparse.csr_array, shape (N, F)
        One row per basket.
    index : ndarray of int, shape (N,)
        Customer of each basket.
    n_customers : int
        H.

    Returns
    -------
    ndarray or scipy.sparse.csr_array, shape (H, F)
        Sums, sparse where `values` are.

    Examples
    --------
    >>> per_customer(np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([1, 1]), 2).tolist()
    [[0.0, 0.0], [1.5, 0.5]]
    """
    gather = sparse.csr_array(
        (np.ones(len(index)), (index, np.arange(len(index)))), shape=(n_customers, len(index))
    )
    return gather @ values


def nearest(
    profiles: np.ndarray, names: Sequence[str], key: str, numbers: Sequence[int]
) -> list[dict[str, Any] | None]:
    """The most similar other component of each, and what tells the two apart.

    Parameters
    ----------
    profiles : ndarray, shape (K, F)
        Shares.
    names : sequence of str
        Of the F columns.
    key : str
        How a column is called in the result: ``"category"`` or ``"feature"``.
    numbers : sequence of int, length K
        Numbers of the components.

    Returns
    -------
    list of dict
        ``{"number", "distance", "more", "less"}`` with the L1 distance in [0, 2] and up to three columns each
        way; None where there is no other component.

    Examples
    --------
    >>> nearest(np.array([[0.9, 0.1], [0.5, 0.5]]), ["milk", "beer"], "category", [1, 2])[0]["more"]
    [{'category': 'milk', 'difference': 0.4}]
    """
    if len(profiles) < 2:
        return [None] * len(profiles)
    distance = cdist(profiles, profiles, "cityblock")
    np.fill_diagonal(distance, np.inf)
    found: list[dict[str, Any] | None] = []
    for k, other in enumerate(distance.argmin(axis=1)):
        difference = profiles[k] - profiles[other]
        order = np.argsort(-difference, kind="stable")
        most = [int(f) for f in order[:N_DIFFERENCES] if difference[f] > 0]
        least = [int(f) for f in order[::-1][:N_DIFFERENCES] if difference[f] < 0]
        found.append(
            {
                "number": int(numbers[other]),
                "distance": float(distance[k, other]),
                "more": [{key: str(names[f]), "difference": float(difference[f])} for f in most],
                "less": [{key: str(names[f]), "difference": float(difference[f])} for f in least],
            }
        )
    return found


def mission_content(model: Any, baskets: Baskets, n_train: int) -> naming.Content:
    """Expected counts of every mission over the baskets before the split, in blocks of whole customers."""
    found: naming.Content | None = None
    for rows in blocks_of_customers(baskets.customers[:n_train], ROWS):
        counts, customers = baskets.counts[rows], baskets.customers[rows]
        part = naming.content(counts, model.predict_proba(counts, groups=customers), customers)
        found = part if found is None else found + part
    if found is None:
        message = "There are no baskets before the split; expected at least one."
        raise InvalidDataError(message)
    return found
