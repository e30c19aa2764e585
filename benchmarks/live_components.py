"""How many components keep rows: three clusters with K = 10, seven blobs with K = 15 and 20, beside scikit-learn's class in the same run.

A component is live if it holds at least one row (its posterior counts at least one more than its prior). Every fit is made without and with
moves; passes are those over all rows (screening of starts on a sample is not counted), halves of components included.

    python benchmarks/live_components.py [--quick] [--fits "kmeans, moves" scikit-learn]
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from _harness import against, options, pinned, progress, record, show
from sklearn.datasets import make_blobs
from sklearn.mixture import BayesianGaussianMixture as Theirs

from mixtura import BayesianGaussianMixture as Ours
from mixtura.executors import Serial

LAWS = ("dirichlet_distribution", "dirichlet_process")
# Priors of the tutorial whose data the three clusters are.
TUTORIAL = {
    "mean_precision_prior": 1.5,
    "mean_prior": [1.0, 1.0],
    "degrees_of_freedom_prior": 2.0,
    "covariance_prior": np.eye(2),
}


class Counting(Serial):
    """Sums in this thread, and counts passes."""

    def __init__(self) -> None:
        self.passes = 0

    def session(self) -> Any:
        session = super().session()
        total = session.total

        def counted(summarize: Any, batches: Any) -> Any:
            self.passes += 1
            return total(summarize, batches)

        session.total = counted
        return session


def three_clusters() -> np.ndarray:
    """The tutorial's thousand rows: all uniforms first, then one draw a row, from the legacy generator."""
    generator = np.random.RandomState(1000)
    uniform = generator.rand(1000)
    label = np.where(uniform < 0.15, 0, np.where(uniform < 0.5, 1, 2))
    means = [(-3, 2), (4, 2), (3, 1)]
    matrices = [[[1, 0.2], [0.2, 2]], [[0.8, -1], [-1, 1.3]], [[1.5, 1.4], [1.4, 1.5]]]
    with np.errstate(all="ignore"):
        return np.array(
            [generator.multivariate_normal(means[k], matrices[k], check_valid="ignore") for k in label]
        )


def blobs(seed: int) -> np.ndarray:
    """Five thousand rows about seven centres in four columns."""
    return make_blobs(5000, 4, centers=7, cluster_std=0.6, random_state=seed)[0]


def live(mixture: Any) -> int:
    """Components with at least one row."""
    return int(np.sum(mixture.mean_precision_ - mixture.mean_precision_prior_ >= 1.0))


def cases(
    *, quick: bool
) -> Iterator[tuple[str, int, int, float | None, dict[str, Any], Callable[[int], np.ndarray]]]:
    """Name, clusters, K, concentration, priors, rows of a seed."""
    clusters = three_clusters()
    yield "three clusters, default priors", 3, 10, 1e-3, {}, lambda _: clusters
    yield "three clusters, tutorial's priors", 3, 10, 1e-3, TUTORIAL, lambda _: clusters
    for k in (15,) if quick else (15, 20):
        yield "seven blobs", 7, k, 1e-3, {}, blobs


def contestants(settings: dict[str, Any]) -> dict[str, Callable[[int, Counting], Any]]:
    """Ours from two kinds of start, without and with moves, and scikit-learn's."""
    makers: dict[str, Callable[[int, Counting], Any]] = {
        f"{init}{', moves' if moves else ''}": lambda seed, executor, init=init, moves=moves: Ours(
            **settings, init_params=init, moves=moves, random_state=seed, executor=executor
        )
        for init in ("sieve", "kmeans")
        for moves in (False, True)
    }
    return {**makers, "scikit-learn": lambda seed, _: Theirs(**settings, max_iter=200, random_state=seed)}


def fitted(make: Callable[[Counting], Any], x: np.ndarray) -> tuple[int, float, float, int]:
    """Live components, bound per row, seconds, passes."""
    executor = Counting()
    begun = time.perf_counter()
    mixture = make(executor).fit(x)
    return live(mixture), float(mixture.lower_bound_), time.perf_counter() - begun, executor.passes


def main() -> None:
    """Fit, count and compare."""
    chosen = options(__doc__ or "", ("--fits", {"nargs": "*", "help": "some of the fits only, by name"}))
    seeds = 3 if chosen.quick else 20
    rows, results = [], []
    for name, wanted, k, concentration, priors, data in cases(quick=chosen.quick):
        for law in LAWS:
            settings: dict[str, Any] = {
                "n_components": k,
                "weight_concentration_prior_type": law,
                "weight_concentration_prior": concentration,
                **priors,
            }
            makers = {
                who: make
                for who, make in contestants(settings).items()
                if chosen.fits is None or who in chosen.fits
            }
            found: dict[str, list[tuple[int, float, float, int]]] = {who: [] for who in makers}
            for seed in range(seeds):
                x = data(seed)
                for who, make in makers.items():
                    found[who].append(fitted(lambda executor, make=make, seed=seed: make(seed, executor), x))
            progress(f"{name}, K = {k}, {law}")
            for who, runs in found.items():
                right = sum(one[0] == wanted for one in runs)
                counted = ", ".join(
                    f"{n} x {size}" for size, n in sorted(Counter(one[0] for one in runs).items())
                )
                ours = who != "scikit-learn"
                goal = against(seeds if wanted == 3 else 0.9 * seeds, right) if who.endswith("moves") else ""
                bound = f"{np.mean([one[1] for one in runs]):.4f}" if ours else ""
                passes = f"{np.median([one[3] for one in runs]):.0f}" if ours else ""
                seconds = f"{np.median([one[2] for one in runs]):.2f}"
                shown = "1 / K" if concentration is None else f"{concentration:g}"
                rows.append(
                    (
                        name,
                        k,
                        shown,
                        law.split("_")[1],
                        who,
                        f"{right} of {seeds}",
                        counted,
                        bound,
                        passes,
                        seconds,
                        goal,
                    )
                )
                results.append(
                    {
                        "data": name,
                        "K": k,
                        "concentration": concentration,
                        "law": law,
                        "who": who,
                        "right": right,
                        "seeds": seeds,
                        "live": [one[0] for one in runs],
                        "bound": [one[1] for one in runs] if ours else None,
                        "seconds": [one[2] for one in runs],
                        "passes": [one[3] for one in runs] if ours else None,
                    }
                )
    columns = (
        "data",
        "K",
        "alpha0",
        "weights",
        "fit",
        "right",
        "runs x live",
        "mean bound",
        "passes",
        "seconds",
        "goal",
    )
    show(
        "Live components",
        columns,
        rows,
        "Passes and seconds are medians. scikit-learn: one k-means start, at most 200 steps.",
    )
    record("live_components", results, quick=chosen.quick)


if __name__ == "__main__":
    with pinned(1):
        main()
