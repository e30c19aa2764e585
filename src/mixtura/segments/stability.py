"""Would other customers have shown the same? Missions and segments found again in bootstrap samples of customers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from sklearn.base import clone
from sklearn.metrics import adjusted_rand_score

from mixtura.exceptions import DegenerateComponentError, InvalidDataError, did_you_mean
from mixtura.exceptions import InvalidParameterError as BadParameter
from mixtura.inference.driver import Progress
from mixtura.inference.stopping import Reason, catch_interrupt
from mixtura.segments.sweep import quiet

__all__ = ["STARTS", "matched_distances", "stability"]

RECOVERED = 0.5  # L1 distance of profiles, of at most 2, below which a component counts as found again
LARGEST = 2.0
MOST_ROWS = 100_000
# Replicates need not be as exact as the fit: distances of profiles move in the second digit, not in the sixth.
LOOSER_TOL, MOST_STEPS = 1e-3, 100

STARTS = {
    "fresh": "each replicate starts from k-means on its own sample and knows nothing of the result, so other optima count as instability",
    "sieve": "each replicate is searched for from scratch like the result itself, so other optima count as instability",
    "warm": "each replicate starts at the result, so only what the sample moves counts, not other optima: the true stability is lower",
}

Report = Callable[[str, int, int, str], None]


def stability(
    model: Any,
    rows: Any,
    customers: np.ndarray | None = None,
    *,
    n_replicates: int = 8,
    start: str = "fresh",
    n_starts: int = 1,
    most_rows: int = MOST_ROWS,
    seed: int = 0,
    report: Report | None = None,
) -> dict[str, Any] | None:
    """Fit the same number of components to bootstrap samples of customers, and compare on the original rows.

    Parameters
    ----------
    model : MultinomialMixture or DirichletMultinomialMixture
        Fitted to `rows`; its K components in the order of the results.
    rows : scipy.sparse.csr_array or ndarray, shape (N, F)
        Baskets, or counts of customers.
    customers : ndarray, shape (N,), optional
        Customer of each row, drawn with all rows. None makes every row a customer.
    n_replicates : int, default 8
        Bootstrap samples.
    start : {"fresh", "sieve", "warm"}, default "fresh"
        How replicates start: from k-means, from the whole search of the models (several times as long), or from the result.
    n_starts : int, default 1
        Starts of each replicate, of which the best is kept; without meaning for "warm".
    most_rows : int, default 100000
        Where there are more rows, those of a random part of the customers are used throughout, which bounds the time; smaller
        samples make components look less stable than they are.
    seed : int, default 0
        Of the samples and of the starts.
    report : callable, optional
        ``report("stability", done, total, text)``, after every pass.

    Returns
    -------
    dict or None
        ``{"n_replicates", "start", "ari": {"mean", "low", "high"}, "items": [{"number", "distance", "distance_high",
        "recovered"}]}``: low and high are the smallest and the largest over the replicates, and `distance_high` the largest
        matched distance. None with fewer than two customers, without replicates, or if Ctrl-C came before the first was done.

    Raises
    ------
    InvalidParameterError
        If `start` is not known.

    Notes
    -----
    A customer drawn twice counts twice. Labels are compared by the adjusted Rand index (1: the same partition, 0: no more alike
    than by chance), profiles by their L1 distance after the assignment of smallest sum. A sample to which the components cannot
    be fitted counts as one that recovers none. Ctrl-C keeps the replicates so far.

    References
    ----------
    .. [1] C. Hennig (2007), "Cluster-wise assessment of cluster stability", Computational Statistics & Data Analysis 52(1),
       258-271.
    .. [2] L. Hubert and P. Arabie (1985), "Comparing partitions", Journal of Classification 2, 193-218.

    Examples
    --------
    >>> from mixtura import MultinomialMixture
    >>> rows = np.array([[9, 1], [1, 9]] * 20)
    >>> found = stability(MultinomialMixture(2, random_state=0).fit(rows), rows, n_replicates=3)
    >>> found["ari"]["mean"], [item["recovered"] for item in found["items"]]
    (1.0, [1.0, 1.0])
    """
    if start not in STARTS:
        message = f"start={start!r} is not known. {did_you_mean(str(start), STARTS)}"
        raise BadParameter(message)
    rng = np.random.default_rng(seed)
    index = np.arange(rows.shape[0]) if customers is None else np.unique(customers, return_inverse=True)[1]
    kept = _kept(index, most_rows, rng)
    n_all = int(index.max(initial=-1)) + 1
    if kept is not None:
        rows, index = rows[kept], np.unique(index[kept], return_inverse=True)[1]
    n_customers = int(index.max(initial=-1)) + 1
    if n_customers < 2 or n_replicates < 1:
        return None
    found = _replicates(
        _Original(model, rows, index, start, n_starts), n_replicates, n_customers, rng, report
    )
    if not found:
        return None
    distance = np.array([one.distance for one in found])
    agreement = np.array([one.agreement for one in found])
    best = "" if n_starts == 1 or start == "warm" else f"; the best of {n_starts} such starts"
    part = "" if kept is None else f"; all within {n_customers:,} of the {n_all:,} customers, drawn at random"
    return {
        "n_replicates": len(found),
        "start": STARTS[start] + best + part,
        "ari": {
            "mean": float(agreement.mean()),
            "low": float(agreement.min()),
            "high": float(agreement.max()),
        },
        "items": [
            {
                "number": k + 1,
                "distance": float(distance[:, k].mean()),
                "distance_high": float(distance[:, k].max()),
                "recovered": float((distance[:, k] < RECOVERED).mean()),
            }
            for k in range(distance.shape[1])
        ],
    }


def matched_distances(profiles: np.ndarray, others: np.ndarray) -> np.ndarray:
    """L1 distance of every profile to its partner among others, by the assignment of smallest sum.

    Parameters
    ----------
    profiles : ndarray, shape (K, F)
        Rows sum to one.
    others : ndarray, shape (J, F)
        The same for the other fit.

    Returns
    -------
    ndarray, shape (K,)
        In [0, 2]; 2 for a profile without a partner, where J < K.

    Examples
    --------
    >>> matched_distances(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[0.0, 1.0]])).tolist()
    [2.0, 0.0]
    """
    distance = cdist(profiles, others, "cityblock")
    mine, theirs = linear_sum_assignment(distance)
    matched = np.full(len(profiles), LARGEST)
    matched[mine] = distance[mine, theirs]
    return matched


@dataclass(frozen=True)
class _Replicate:
    """What a bootstrap sample found of the result."""

    distance: np.ndarray
    agreement: float


class _Original:
    """The result, and how one bootstrap sample compares with it."""

    def __init__(self, model: Any, rows: Any, index: np.ndarray, start: str, n_starts: int) -> None:
        self.model, self.rows, self.index = model, rows, index
        self.start, self.n_starts = start, n_starts
        self.labels = model.predict(rows)

    def replicate(
        self, weight: np.ndarray, seed: int, callback: Callable[[Progress], None]
    ) -> _Replicate | None:
        """Fit to customers of these weights; None if it was interrupted."""
        drawn = np.flatnonzero(weight[self.index])
        estimator = self._estimator(seed, callback)
        try:
            with quiet():
                estimator.fit(self.rows[drawn], sample_weight=weight[self.index[drawn]])
        except (DegenerateComponentError, InvalidDataError):  # such as fewer baskets than missions
            return _Replicate(np.full(len(self.model.weights_), LARGEST), 0.0)
        if estimator.stop_reason_ == Reason.INTERRUPTED:
            return None
        agreement = adjusted_rand_score(self.labels, estimator.predict(self.rows))
        return _Replicate(matched_distances(self.model.profiles_, estimator.profiles_), float(agreement))

    def _estimator(self, seed: int, callback: Callable[[Progress], None]) -> Any:
        estimator = clone(self.model)
        names = estimator.get_params(deep=False)
        given = {name: None for name in names if name.endswith("_init") and name != "n_init"}
        starts = {"fresh": "kmeans", "sieve": "sieve", "warm": self.model}
        return estimator.set_params(
            **given,
            n_init=self.n_starts,
            n_components=len(self.model.weights_),
            init_params=starts[self.start],
            warm_start=False,
            verbose=0,
            tol=max(self.model.tol, LOOSER_TOL),
            max_iter=min(self.model.max_iter, MOST_STEPS),
            random_state=seed,
            callbacks=(callback,),
        )


def _replicates(
    original: _Original, n_replicates: int, n_customers: int, rng: np.random.Generator, report: Report | None
) -> list[_Replicate]:
    found: list[_Replicate] = []

    def after_pass(progress: Progress) -> None:
        if report is not None:
            text = f"sample {len(found) + 1} of the customers, pass {progress.step + 1}"
            report("stability", len(found), n_replicates, text)

    with catch_interrupt() as interruption:
        while len(found) < n_replicates and not interruption.pressed:
            weight = np.bincount(rng.integers(n_customers, size=n_customers), minlength=n_customers)
            one = original.replicate(weight.astype(np.float64), int(rng.integers(2**31 - 1)), after_pass)
            if one is None:
                break
            found.append(one)
    if report is not None:
        report("stability", len(found), n_replicates, f"{len(found)} samples of the customers")
    return found


def _kept(index: np.ndarray, most_rows: int, rng: np.random.Generator) -> np.ndarray | None:
    """Rows of random customers, up to the most that are allowed; None where all are."""
    if len(index) <= most_rows:
        return None
    size = np.bincount(index)
    order = rng.permutation(len(size))
    n_kept = max(2, int(np.searchsorted(np.cumsum(size[order]), most_rows, side="right")))
    chosen = np.zeros(len(size), dtype=bool)
    chosen[order[:n_kept]] = True
    return np.flatnonzero(chosen[index])
