"""A sample of customers for the report's customer view: profile, visits, and what was bought later."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.segments.baskets import Baskets, one_time
from mixtura.segments.customers import SegmentFit
from mixtura.segments.households import MissionFit

__all__ = ["customer_sample", "expected_shares"]

N_SAMPLED = 60
MOST_VISITS = 200
N_LATER = 8


def expected_shares(fit: SegmentFit, rows: np.ndarray) -> np.ndarray:
    """Shares of the features that each customer is expected to have: own counts shrunk to those of the segments.

    Parameters
    ----------
    fit : SegmentFit
        The mixture of customers.
    rows : ndarray of int, shape (M,)
        Which customers.

    Returns
    -------
    ndarray, shape (M, F)
        Posterior means; rows sum to one.

    Notes
    -----
    Within segment s the mean is (alpha_s + x) / (A_s + n), and the segments are averaged by their
    probabilities.
    """
    counts = fit.counts[rows]
    counts = np.asarray(counts.toarray() if hasattr(counts, "toarray") else counts, dtype=float)
    total = counts.sum(axis=1)
    concentration = fit.model.concentration_
    alpha = concentration[:, None] * fit.model.profiles_
    scale = fit.resp[rows] / (concentration + total[:, None])
    return np.asarray(scale @ alpha + scale.sum(axis=1, keepdims=True) * counts)


def customer_sample(
    fit: SegmentFit, missions: MissionFit | None, baskets: Baskets, n_train: int, *, seed: int
) -> dict[str, Any]:
    """Draw customers of every segment and tell what is known of them.

    Parameters
    ----------
    fit : SegmentFit
        The mixture of customers.
    missions : MissionFit or None
        The mixtures of baskets, for the missions of the visits.
    baskets : Baskets
        All baskets.
    n_train : int
        How many are before the split.
    seed : int
        Of the draw.

    Returns
    -------
    dict
        The part "customers" of segments.json.
    """
    index = np.searchsorted(fit.customers, baskets.customers)
    rows = _drawn(fit, np.bincount(index[:n_train], minlength=len(fit.customers)), seed)
    expected = expected_shares(fit, rows)
    if missions is None:
        predicted = expected
    else:
        model = missions.household
        place = np.minimum(np.searchsorted(model.groups_, fit.customers[rows]), len(model.groups_) - 1)
        known = (model.groups_[place] == fit.customers[rows])[:, None]
        predicted = np.where(known, model.group_weights_[place], model.weights_) @ model.profiles_
    order = np.argsort(index, kind="stable")  # baskets of one customer, in order of time
    starts = np.searchsorted(index[order], rows)
    ends = np.searchsorted(index[order], rows, side="right")
    sample = []
    for position, row in enumerate(rows):
        mine = order[starts[position] : ends[position]]
        before = mine[mine < n_train]
        own = fit.counts[[row]]
        own = np.asarray(own.toarray() if hasattr(own, "toarray") else own, dtype=float).ravel()
        sample.append(
            {
                "customer": fit.customers[row],
                "segment": int(fit.numbers[fit.resp[row].argmax()]),
                "probabilities": fit.resp[row].round(4),
                "n_baskets": len(before),
                "shares": (own / own.sum()).round(4),
                "expected": expected[position].round(4),
                "visits": _visits(missions, baskets, mine[-MOST_VISITS:]),
                "later": _later(baskets, mine[mine >= n_train], predicted[position]),
            }
        )
    return {"n_sampled": len(rows), "sample": sample}


def _drawn(fit: SegmentFit, n_baskets: np.ndarray, seed: int) -> np.ndarray:
    """Customers with enough baskets to look at, the same number of every segment where there are enough."""
    rng = np.random.default_rng(seed)
    labels, n_segments = fit.labels, fit.resp.shape[1]
    typical = np.median(n_baskets[n_baskets > 0])
    share = max(N_SAMPLED // n_segments, 1)
    drawn = []
    for segment in range(n_segments):
        mine = np.flatnonzero((labels == segment) & (n_baskets > 0))
        enough = mine[n_baskets[mine] >= typical]
        pool = enough if len(enough) >= share else mine
        drawn += rng.choice(pool, size=min(share, len(pool)), replace=False).tolist()
    return np.sort(np.asarray(drawn, dtype=int))


def _visits(missions: MissionFit | None, baskets: Baskets, rows: np.ndarray) -> list[list[Any]]:
    """Time, mission and its probability of every basket."""
    times = [one_time(time) for time in baskets.times[rows]]
    if missions is None:
        return [[time, None, None] for time in times]
    resp = missions.household.predict_proba(baskets.counts[rows], groups=baskets.customers[rows])
    return [
        [time, int(missions.numbers[row.argmax()]), round(float(row.max()), 3)]
        for time, row in zip(times, resp, strict=True)
    ]


def _later(baskets: Baskets, rows: np.ndarray, predicted: np.ndarray) -> dict[str, Any] | None:
    """What was bought after the split, most first, against the prediction."""
    if not len(rows):
        return None
    bought = np.asarray(baskets.counts[rows].sum(axis=0), dtype=float).ravel()
    top = np.argsort(-bought, kind="stable")[:N_LATER]
    return {
        "n_baskets": len(rows),
        "top": [
            {
                "category": str(baskets.categories[c]),
                "n": float(bought[c]),
                "predicted_share": round(float(predicted[c]), 4),
                "share": round(float(bought[c] / bought.sum()), 4),
            }
            for c in top
            if bought[c] > 0
        ],
    }
