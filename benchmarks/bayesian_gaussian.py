"""A step of variational Bayes for Gaussian mixtures, full covariance: against a step of EM, and against scikit-learn's class.

The time of a step is the difference of two fits with different numbers of steps, so what happens once (validation, the start, the final
pass) cancels. Also: the posterior after equal steps from the same one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from _harness import Cost, against, median, options, pinned, progress, record, show, timed
from gaussian_iteration import centres_of, rows
from sklearn.mixture import BayesianGaussianMixture as ScikitLearn

from mixtura import BayesianGaussianMixture, GaussianMixture
from mixtura.executors import Serial

# d, K, n, goal against scikit-learn
CASES = [(2, 5, 100_000, 10.0), (8, 10, 100_000, 5.0), (32, 32, 50_000, 4.0)]
FEW, MANY = 3, 13
OF_EM = 1.3  # most that a step may take, in steps of EM
POSTERIOR = (
    "weights_",
    "weight_concentration_",
    "mean_precision_",
    "means_",
    "degrees_of_freedom_",
    "covariances_",
    "precisions_",
    "precisions_cholesky_",
    "weight_concentration_prior_",
    "mean_precision_prior_",
    "mean_prior_",
    "degrees_of_freedom_prior_",
    "covariance_prior_",
    "n_features_in_",
)


def start(x: np.ndarray, k: int) -> dict[str, Any]:
    """Near the clusters, with the data's variances: the same for EM and variational Bayes."""
    d = x.shape[1]
    precision = np.diag(1.0 / x[:50_000].var(axis=0))
    return {
        "weights_init": np.full(k, 1.0 / k),
        "means_init": centres_of(d, k) + np.random.default_rng(1).normal(0.0, np.sqrt(0.5 / d), (k, d)),
        "precisions_init": np.stack([precision] * k),
    }


def ours(kind: type, x: np.ndarray, k: int, steps: int, **settings: Any) -> Any:
    """One of our classes from the start."""
    return kind(k, tol=0.0, max_iter=steps, random_state=0, executor=Serial(), **settings, **start(x, k)).fit(
        x
    )


def theirs(x: np.ndarray, k: int, steps: int, reg_covar: float = 1e-6) -> ScikitLearn:
    """scikit-learn's class from random rows, which costs it least."""
    return ScikitLearn(
        n_components=k,
        tol=0.0,
        max_iter=steps,
        init_params="random_from_data",
        random_state=0,
        reg_covar=reg_covar,
    ).fit(x)


def per_step(x: np.ndarray, k: int, repeats: int) -> dict[str, Cost]:
    """Median cost of a step of each, taking turns, on one thread."""
    fits = {
        "em": lambda steps: ours(GaussianMixture, x, k, steps),
        "vb": lambda steps: ours(BayesianGaussianMixture, x, k, steps, moves=False),
        "scikit-learn": lambda steps: theirs(x, k, steps),
    }
    for fit in fits.values():
        fit(1)  # everything that is loaded or compiled once
    found: dict[str, list[Cost]] = {name: [] for name in fits}
    for turn in range(repeats):
        for name in list(fits) if turn % 2 == 0 else list(fits)[::-1]:
            few, _ = timed(lambda name=name: fits[name](FEW))
            many, fitted = timed(lambda name=name: fits[name](MANY))
            assert fitted.n_iter_ == MANY, f"{name} ended after {fitted.n_iter_} steps: nothing left to gain"
            found[name].append((many - few) / (MANY - FEW))
    return {name: median(costs) for name, costs in found.items()}


def difference(x: np.ndarray, k: int) -> float:
    """Largest difference of means and covariances after ten equal steps from scikit-learn's posterior, relative to the largest value."""
    before, after = theirs(x, k, FEW, 0.0), theirs(x, k, MANY, 0.0)
    # A warm start is a step by itself.
    same = BayesianGaussianMixture(
        k, tol=0.0, max_iter=MANY - FEW - 1, warm_start=True, moves=False, executor=Serial()
    )
    for name in POSTERIOR:
        setattr(same, name, getattr(before, name))
    same.discount_prior_ = 0.0
    same.fit(x)
    return max(
        float(
            np.max(np.abs(getattr(same, name) - getattr(after, name))) / np.max(np.abs(getattr(after, name)))
        )
        for name in ("weights_", "means_", "covariances_")
    )


def main() -> None:
    """Measure, print, record."""
    chosen = options(__doc__ or "", ("--repeats", {"type": int, "default": 5, "help": "turns of each"}))
    repeats = 2 if chosen.quick else chosen.repeats
    results = []
    with pinned(1):
        for d, k, full_n, goal in CASES:
            n = full_n // 5 if chosen.quick else full_n
            x = rows(n, d, k)
            cost = per_step(x, k, repeats)
            entry: dict[str, Any] = {"d": d, "k": k, "n": n, "goal": goal, "difference": difference(x, k)}
            entry |= {f"{name}_ms": 1e3 * one.wall for name, one in cost.items()}
            entry |= {f"{name}_cpu_ms": 1e3 * one.cpu for name, one in cost.items()}
            entry["of_em"] = cost["vb"].cpu / cost["em"].cpu
            entry["faster"] = min(
                cost["scikit-learn"].wall / cost["vb"].wall, cost["scikit-learn"].cpu / cost["vb"].cpu
            )
            results.append(entry)
            progress(
                f"d = {d}, K = {k}, n = {n:,}: {entry['of_em']:.2f} steps of EM; {entry['faster']:.2f} times scikit-learn's speed"
            )
    show(
        "A step of variational Bayes",
        ["d", "K", "n", "EM ms", "VB ms", "VB / EM", "under 1.3", "sklearn ms", "speed", "goal", "", "max difference"],
        [
            [
                e["d"], e["k"], f"{e['n']:,}", f"{e['em_ms']:.1f}", f"{e['vb_ms']:.1f}", f"{e['of_em']:.2f}",
                against(OF_EM, e["of_em"], at_least=False), f"{e['scikit-learn_ms']:.1f}", f"{e['faster']:.1f}", e["goal"],
                against(e["goal"], e["faster"]), f"{e['difference']:.0e}{'' if e['difference'] < 1e-8 else ' TOO LARGE'}",
            ]
            for e in results
        ],
        f"full covariance, Dirichlet process, float64, one thread; medians of {repeats}; differences after {MANY - FEW} steps",
    )  # fmt: skip
    record("bayesian_gaussian", results, quick=chosen.quick)


if __name__ == "__main__":
    main()
