"""How sure a Bayesian run is: of the number, of every mission and segment, of every customer and basket.

Intervals are exact quantiles of Dirichlet laws where there are such laws; `docs/segment.md` says what they leave out. The file is
long because every number that a report shows about certainty is made here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import betaincinv

__all__ = [
    "CLEAR",
    "LEVEL",
    "assignments",
    "certainty_columns",
    "entropy",
    "number_of_components",
    "sure_missions",
    "sure_segments",
    "with_intervals",
]

LEVEL = 0.95
CLEAR = 0.8  # probability from which on a membership counts as clear
AS_GOOD = 0.01  # nats per basket or customer: a number with such a bound makes one 1 % less probable
NORMAL = 1.959964  # of 95 %


def entropy(resp: np.ndarray) -> np.ndarray:
    """How undecided probabilities are: 0 for one sure answer, 1 for all being alike.

    Parameters
    ----------
    resp : ndarray, shape (N, K)
        Probabilities; rows sum to one.

    Returns
    -------
    ndarray, shape (N,)
        Entropy over log K; zeros where K is 1.

    Examples
    --------
    >>> entropy(np.array([[1.0, 0.0], [0.5, 0.5]])).tolist()
    [0.0, 1.0]
    """
    if resp.shape[1] < 2:
        return np.zeros(len(resp))
    logs = np.log(resp, out=np.zeros_like(resp), where=resp > 0)
    return np.clip(-(resp * logs).sum(axis=1) / np.log(resp.shape[1]), 0.0, 1.0)


def certainty_columns(missions: Any, customers: np.ndarray) -> dict[str, np.ndarray]:
    """Columns of the customers' table that only a Bayesian run has.

    Parameters
    ----------
    missions : MissionFit
        With a Bayesian household mixture.
    customers : ndarray, shape (H,)
        Identifiers, sorted.

    Returns
    -------
    dict of str to ndarray
        Interval of the main mission's share, and the probability that it is the main one; customers who appear only after the split
        have the population's law.
    """
    model = missions.household
    known, main = model.groups_, model.group_weights_.argmax(axis=1)
    low, high = (ends[np.arange(len(known)), main] for ends in model.weight_intervals(LEVEL))
    sure = model.main_probability()
    law = model.concentration_ * model.weights_
    own = int(law.argmax())
    tails = np.array([(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    others = betaincinv(law[own], max(law.sum() - law[own], np.finfo(float).tiny), tails)
    drawn = np.random.default_rng(0).standard_gamma(law, size=(2000, len(law)))
    place = np.minimum(np.searchsorted(known, customers), len(known) - 1)
    seen = known[place] == customers
    return {
        "dominant_mission_low": np.where(seen, low[place], others[0]),
        "dominant_mission_high": np.where(seen, high[place], others[1]),
        "dominant_mission_probability": np.where(
            seen, sure[place], float((drawn.argmax(axis=1) == own).mean())
        ),
    }


def number_of_components(
    tried: Sequence[Mapping[str, Any]], n_rows: int, n_components: int
) -> dict[str, Any]:
    """What the bounds say about the number.

    Parameters
    ----------
    tried : sequence of Mapping
        ``{"n_components", "bound", "short"}`` of every number, ascending; bounds are totals.
    n_rows : int
        Baskets or customers, over which the loss is averaged.
    n_components : int
        The number kept.

    Returns
    -------
    dict
        ``{"path", "probability", "as_good"}``: the path with ``loss`` (nats per row less than the best) and ``probability`` of each, all
        being equally probable before; the smallest and the largest number, of those next to the one kept, that lose at most 0.01 nats.

    Examples
    --------
    >>> rows = [
    ...     {"n_components": k, "bound": b, "short": False} for k, b in ((1, -90.0), (2, -10.0), (3, -10.5))
    ... ]
    >>> found = number_of_components(rows, 100, 2)
    >>> found["as_good"], round(found["probability"], 3)
    ([2, 3], 0.622)
    """
    bounds = np.array([row["bound"] for row in tried])
    share = np.exp(bounds - bounds.max())
    share /= share.sum()
    loss = (bounds.max() - bounds) / n_rows
    numbers = [int(row["n_components"]) for row in tried]
    at = numbers.index(n_components)
    first = last = at
    while first > 0 and loss[first - 1] <= AS_GOOD:
        first -= 1
    while last < len(numbers) - 1 and loss[last + 1] <= AS_GOOD:
        last += 1
    path = [{**row, "loss": float(loss[k]), "probability": float(share[k])} for k, row in enumerate(tried)]
    return {"path": path, "probability": float(share[at]), "as_good": [numbers[first], numbers[last]]}


def assignments(resp: np.ndarray, label: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Sums over rows that tell how clear their memberships are; those of blocks of rows add up.

    Parameters
    ----------
    resp : ndarray, shape (N, K)
        Probabilities.
    label : ndarray of int, shape (N,), optional
        Component that each row is given to; the most probable one by default.

    Returns
    -------
    dict of str to ndarray, shape (K,)
        Of the rows given to each component: how many (``n``), how many clearly (``clear``), and the sum of their entropies.
    """
    size = resp.shape[1]
    label = resp.argmax(axis=1) if label is None else label
    clear = resp[np.arange(len(resp)), label] >= CLEAR
    return {
        "n": np.bincount(label, minlength=size).astype(float),
        "clear": np.bincount(label, weights=clear, minlength=size),
        "entropy": np.bincount(label, weights=entropy(resp), minlength=size),
    }


def sure_missions(
    fit: Any, baskets: Mapping[str, np.ndarray], sizes: np.ndarray, tops: Sequence[Sequence[Mapping[str, Any]]],
    categories: Sequence[str],
) -> dict[str, Any]:  # fmt: skip
    """The part "bayes" of missions.json.

    Parameters
    ----------
    fit : MissionFit
        With a search and a Bayesian household mixture.
    baskets : Mapping
        From `assignments`, over the baskets learnt from.
    sizes : ndarray, shape (K,)
        Shares of the baskets.
    tops : sequence of sequence of Mapping
        Typical categories of every mission, as in the results.
    categories : sequence of str
        Names of all categories.

    Returns
    -------
    dict
        Plain values.
    """
    model, search = fit.household, fit.search
    laws = model.group_concentration_
    total = laws.sum(axis=1, keepdims=True)
    share = laws / total
    part = model.group_counts_ / model.group_counts_.sum()
    error = np.sqrt((part[:, None] ** 2 * share * (1 - share) / (total + 1)).sum(axis=0))
    main, sure = share.argmax(axis=1), model.main_probability()
    n_main = np.bincount(main, minlength=share.shape[1])
    clear = np.bincount(main, weights=sure >= CLEAR, minlength=share.shape[1])
    low, high = model.profile_intervals(LEVEL)
    place = {name: column for column, name in enumerate(categories)}
    entries = [
        {
            "number": fit.roster.numbers[k],
            "weight": [max(float(sizes[k] - NORMAL * error[k]), 0.0), float(sizes[k] + NORMAL * error[k])],
            "n_main": int(n_main[k]),
            "n_main_clear": int(clear[k]),
            "n_baskets": int(baskets["n"][k]),
            "share_baskets_clear": _ratio(baskets["clear"][k], baskets["n"][k]),
            "entropy": _ratio(baskets["entropy"][k], baskets["n"][k]),
            "top": _ends(
                [place[entry["category"]] for entry in tops[k]],
                mean=model.profiles_[k],
                low=low[k],
                high=high[k],
            ),
        }
        for k in range(len(sizes))
    ]
    return {
        **search.told,
        "level": LEVEL,
        "clear": CLEAR,
        "prior_lines": float(model.prior_concentration_.sum()),
        "concentration": float(model.concentration_),
        "items": entries,
        "units": _units(baskets),
        "customers": {
            "n": len(main),
            "share_clear": float((sure >= CLEAR).mean()),
            "mean": float(sure.mean()),
        },
    }


def _ends(
    columns: Iterable[int], *, mean: np.ndarray, low: np.ndarray, high: np.ndarray
) -> list[dict[str, float]]:
    ends = {"share_mean": mean, "share_low": low, "share_high": high}
    return [{name: float(values[c]) for name, values in ends.items()} for c in columns]


def with_intervals(part: dict[str, Any], cards: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Move the intervals of shares from a part "bayes" to the typical categories (or features) that they belong to.

    Parameters
    ----------
    part : dict
        From `sure_missions` or `sure_segments`; it is changed.
    cards : sequence of dict
        The missions or segments, in the same order; the entries of their "top" gain "share_mean", "share_low" and
        "share_high".

    Returns
    -------
    dict
        The part, without the intervals.
    """
    for item, card in zip(part["items"], cards, strict=True):
        for entry, ends in zip(card["top"], item.pop("top"), strict=True):
            entry.update(ends)
    return part


def _units(sums: Mapping[str, np.ndarray]) -> dict[str, float]:
    n = sums["n"].sum()
    return {
        "n": int(n),
        "share_clear": float(sums["clear"].sum() / n),
        "entropy": float(sums["entropy"].sum() / n),
    }


def _ratio(part: float, whole: float) -> float | None:
    return float(part / whole) if whole else None


def sure_segments(fit: Any, known: np.ndarray, tops: Sequence[Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """The part "bayes" of segments.json.

    Parameters
    ----------
    fit : SegmentFit
        The mixture of customers, with a search.
    known : ndarray of bool, shape (H,)
        Customers learnt from.
    tops : sequence of sequence of Mapping
        Typical features of every segment, as in the results.

    Returns
    -------
    dict
        Plain values. The size of a segment has the beta posterior of Dirichlet weights with one customer each beforehand; shares of
        features are ratios of sums over customers, with the error of such ratios.
    """
    resp, counts = fit.resp[known], fit.counts[np.flatnonzero(known)]
    size = resp.sum(axis=0)
    tails = np.array([(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    sums = assignments(resp)
    n_counts = np.asarray(counts.sum(axis=1), dtype=float).ravel()
    place = {name: column for column, name in enumerate(fit.features)}
    entries = []
    for s, number in enumerate(fit.roster.numbers):
        rest = size.sum() - size[s] + len(size) - 1.0
        ends = [1.0, 1.0] if len(size) == 1 else betaincinv(size[s] + 1.0, rest, tails).tolist()
        columns = [place[entry["feature"]] for entry in tops[s]]
        mean, low, high = _share_intervals(_dense(counts[:, columns]), n_counts, resp[:, s])
        entries.append(
            {
                "number": number,
                "weight": ends,
                "n_customers": int(sums["n"][s]),
                "share_customers_clear": _ratio(sums["clear"][s], sums["n"][s]),
                "entropy": _ratio(sums["entropy"][s], sums["n"][s]),
                "top": _ends(range(len(columns)), mean=mean, low=low, high=high),
            }
        )
    return {**fit.search.told, "level": LEVEL, "clear": CLEAR, "items": entries, "units": _units(sums)}


def _dense(table: Any) -> np.ndarray:
    return np.asarray(table.toarray() if hasattr(table, "toarray") else table, dtype=float)


def _share_intervals(
    counts: np.ndarray, totals: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shares of some features among all counts, customers being drawn: a ratio of two sums and its linearised error."""
    whole = max(float(weight @ totals), np.finfo(float).tiny)
    share = weight @ counts / whole
    rest = weight[:, None] * (counts - totals[:, None] * share)
    n = len(totals)
    error = np.sqrt((rest**2).sum(axis=0) * n / max(n - 1, 1)) / whole
    return share, np.maximum(share - NORMAL * error, 0.0), np.minimum(share + NORMAL * error, 1.0)
