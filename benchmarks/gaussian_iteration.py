"""One EM iteration of a Gaussian mixture, full covariance, against scikit-learn from the same start.

The time of an iteration is the difference of two fits with different numbers of iterations, so what happens once
(validation, the start, the final pass) cancels. Also: parameters after equal steps, and peak memory for growing n.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from typing import Any

import numpy as np
from _harness import (
    Cost,
    against,
    available_cores,
    median,
    options,
    pinned,
    progress,
    record,
    say,
    show,
    timed,
)
from sklearn.mixture import GaussianMixture as ScikitLearn

from mixtura import GaussianMixture
from mixtura.executors import Serial, Threads

# d, K, n, goal
CASES = [
    (2, 5, 200_000, 10.0),
    (4, 8, 200_000, 6.0),
    (8, 10, 100_000, 5.0),
    (16, 16, 50_000, 4.5),
    (32, 32, 20_000, 4.0),
    (64, 32, 10_000, 2.0),
    (128, 16, 10_000, 1.1),
]
FEW, MANY = 3, 13
PARITY_STEPS = 10
SIZES = [250_000, 500_000, 1_000_000, 2_000_000, 4_000_000]


def centres_of(d: int, k: int) -> np.ndarray:
    """Where the clusters are: about as far apart, next to their spread, for any d. Without overlap EM ends at once."""
    return np.random.default_rng(2).normal(0.0, 2.0 * np.sqrt(2.0 / d), (k, d))


def rows(n: int, d: int, k: int, seed: int = 0) -> np.ndarray:
    """Overlapping clusters, filled block by block so that making them takes no memory beyond them."""
    rng = np.random.default_rng(seed)
    centres = centres_of(d, k)
    mixing = np.eye(d) + rng.normal(0.0, 0.3 / d, (k, d, d))
    x = np.empty((n, d))
    for begin in range(0, n, 10_000):
        block = x[begin : begin + 10_000]
        rng.standard_normal(out=block)
        labels = rng.integers(k, size=len(block))
        for component in range(k):
            mine = labels == component
            block[mine] = block[mine] @ mixing[component] + centres[component]
    return x


def start(x: np.ndarray, k: int) -> dict[str, Any]:
    """Near the clusters, the data's variances: the same for both, and no component starves.

    A component with fewer rows than columns has a singular covariance, which is another benchmark.
    """
    d = x.shape[1]
    precision = np.diag(1.0 / x[:50_000].var(axis=0))
    return {
        "weights_init": np.full(k, 1.0 / k),
        "means_init": centres_of(d, k) + np.random.default_rng(1).normal(0.0, np.sqrt(0.5 / d), (k, d)),
        "precisions_init": np.stack([precision] * k),
    }


def scikit_learn(x: np.ndarray, k: int, steps: int) -> ScikitLearn:
    """scikit-learn from the start; its k-means would be thrown away, so it is not asked for."""
    return ScikitLearn(
        k, tol=0.0, max_iter=steps, init_params="random_from_data", random_state=0, **start(x, k)
    ).fit(x)


def mixtura(x: np.ndarray, k: int, steps: int, n_threads: int) -> GaussianMixture:
    """Ours from the start."""
    executor = Serial() if n_threads == 1 else Threads(n_threads)
    return GaussianMixture(k, tol=0.0, max_iter=steps, random_state=0, executor=executor, **start(x, k)).fit(
        x
    )


def per_iteration(x: np.ndarray, k: int, n_threads: int, repeats: int) -> dict[str, Cost]:
    """Median cost of an iteration of each, taking turns."""
    fits = {
        "mixtura": lambda steps: mixtura(x, k, steps, n_threads),
        "scikit-learn": lambda steps: scikit_learn(x, k, steps),
    }
    found: dict[str, list[Cost]] = {name: [] for name in fits}
    with pinned(n_threads):
        for turn in range(repeats):
            for name in list(fits) if turn % 2 == 0 else list(fits)[::-1]:
                few, _ = timed(lambda name=name: fits[name](FEW))
                many, fitted = timed(lambda name=name: fits[name](MANY))
                assert fitted.n_iter_ == MANY, (
                    f"{name} ended after {fitted.n_iter_} steps: nothing left to gain"
                )
                found[name].append((many - few) / (MANY - FEW))
    return {name: median(costs) for name, costs in found.items()}


def difference(x: np.ndarray, k: int) -> float:
    """Largest difference of any parameter after equal steps, relative to the parameter's largest value."""
    with pinned(1):
        ours, theirs = mixtura(x, k, PARITY_STEPS, 1), scikit_learn(x, k, PARITY_STEPS)
    assert ours.n_iter_ == theirs.n_iter_ == PARITY_STEPS
    names = ("weights_", "means_", "covariances_")
    return max(
        float(
            np.max(np.abs(getattr(ours, name) - getattr(theirs, name)))
            / np.max(np.abs(getattr(theirs, name)))
        )
        for name in names
    )


def memory(n: int, who: str) -> None:
    """In a process of its own: bytes that a fit needs beyond the data."""
    d, k = 8, 10
    fit = scikit_learn if who == "scikit-learn" else (lambda x, k, steps: mixtura(x, k, steps, 1))
    with pinned(1):
        fit(rows(10_000, d, k), k, 2)  # everything that is loaded or compiled once
        x = rows(n, d, k)
        if who == "mixtura's defaults":
            fit = lambda x, k, _: GaussianMixture(k, max_iter=2, random_state=0).fit(x)  # noqa: E731
        tracemalloc.start()
        fit(x, k, 3)
    print(json.dumps({"data": x.nbytes, "beyond": tracemalloc.get_traced_memory()[1]}))


def memory_table(sizes: list[int]) -> list[dict[str, Any]]:
    """Peak memory beyond the data for growing n, each fit in its own process."""
    found = []
    for n in sizes:
        entry: dict[str, Any] = {"n": n}
        for who in ("mixtura", "mixtura's defaults", "scikit-learn"):
            command = [sys.executable, __file__, "--memory-of", f"{n},{who}"]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            measured = json.loads(done.stdout)
            entry["data_mb"] = measured["data"] / 1e6
            entry[who] = measured["beyond"] / 1e6
        progress(f"memory, n = {n:,}")
        found.append(entry)
    return found


def main() -> None:
    """Measure, print, record."""
    chosen = options(
        __doc__ or "",
        ("--repeats", {"type": int, "default": 5, "help": "turns of each"}),
        ("--no-memory", {"action": "store_true", "help": "leave out the memory part"}),
        ("--memory-of", {"help": "internal: n,who"}),
    )
    if chosen.memory_of:
        n, who = chosen.memory_of.split(",")
        memory(int(n), who)
        return
    repeats = 2 if chosen.quick else chosen.repeats
    results = []
    for d, k, full_n, goal in CASES:
        n = full_n // 10 if chosen.quick else full_n
        x = rows(n, d, k)
        entry: dict[str, Any] = {"d": d, "k": k, "n": n, "goal": goal, "difference": difference(x, k)}
        for n_threads in sorted({1, available_cores()}):
            cost = per_iteration(x, k, n_threads, repeats)
            ours, theirs = cost["mixtura"], cost["scikit-learn"]
            key = "one" if n_threads == 1 else "all"
            entry |= {f"{key}_wall": theirs.wall / ours.wall, f"{key}_cpu": theirs.cpu / ours.cpu}
            entry |= {f"{key}_ms": 1e3 * ours.wall, f"{key}_ms_peer": 1e3 * theirs.wall}
        progress(f"d = {d}, K = {k}, n = {n:,}: {entry['one_cpu']:.2f} (CPU, one thread)")
        results.append(entry)
    columns = [
        "d",
        "K",
        "n",
        "ms",
        "sklearn ms",
        "wall x1",
        "CPU x1",
        "wall xall",
        "CPU xall",
        "goal",
        "",
        "max difference",
    ]
    table = [
        [
            e["d"], e["k"], f"{e['n']:,}", f"{e['one_ms']:.1f}", f"{e['one_ms_peer']:.1f}",
            *(f"{e[key]:.2f}" if key in e else "-" for key in ("one_wall", "one_cpu", "all_wall", "all_cpu")),
            e["goal"], against(e["goal"], min(e["one_wall"], e["one_cpu"])),
            f"{e['difference']:.0e}{'' if e['difference'] < 1e-8 else ' TOO LARGE'}",
        ]
        for e in results
    ]  # fmt: skip
    show(
        "EM iteration: scikit-learn's time over mixtura's", columns, table,
        f"full covariance, float64; x1: one thread each, xall: {available_cores()} threads each; differences after {PARITY_STEPS} steps",
    )  # fmt: skip
    peaks = [] if chosen.no_memory else memory_table(SIZES[:3:2] if chosen.quick else SIZES)
    if peaks:
        names = ["mixtura", "mixtura's defaults", "scikit-learn"]
        show(
            "Peak memory beyond the data, d = 8, K = 10 (MB)",
            ["n", "data", *names],
            [[f"{p['n']:,}", f"{p['data_mb']:.0f}", *(f"{p[name]:.0f}" for name in names)] for p in peaks],
        )
        say(
            "mixtura keeps a feature-major copy of data up to 32 MiB; beyond that, what it needs does not grow with n."
        )
    record("gaussian_iteration", {"iteration": results, "memory": peaks}, quick=chosen.quick)


if __name__ == "__main__":
    main()
