"""Gaussian mixtures with a tenth of the cells missing at random: cost against complete data, accuracy against mean imputation.

    OMP_NUM_THREADS=1 python benchmarks/missing_gaussian.py
    OMP_NUM_THREADS=1 python benchmarks/missing_gaussian.py --quick

Data: 20,000 rows x 10 columns, five overlapping clusters with correlated columns; 10 % of all cells are left out. Cost: time of an EM
iteration from one start, fits of few and of many steps taking turns, complete rows and rows with missing cells. Accuracy: the default
fit of complete rows, of rows with missing cells, and of rows whose missing cells were replaced by the columns' means before; components
are matched to the truth by their means. Errors of means are in units of the component's standard deviations (root mean square),
those of covariances relative (Frobenius norm), averaged over components; held-out rows are complete.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from _harness import Cost, median, options, pinned, progress, record, say, show, timed
from scipy.optimize import linear_sum_assignment

from mixtura import GaussianMixture
from mixtura.executors import Serial

D, K, SHARE = 10, 5, 0.1
FEW, MANY = 3, 13
KINDS = ("full", "tied", "diag", "spherical", "VVE")


def truth(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights, means and covariance matrices: spread four times as far in some directions as in others."""
    rng = np.random.default_rng(seed)
    means = rng.normal(0.0, 1.2, (K, D))
    axes = np.stack([np.linalg.qr(rng.normal(size=(D, D)))[0] for _ in range(K)])
    spread = rng.uniform(0.4, 1.6, (K, D))
    return rng.dirichlet(np.full(K, 8.0)), means, (axes * spread[:, None] ** 2) @ axes.swapaxes(1, 2)


def rows(law: tuple[np.ndarray, np.ndarray, np.ndarray], n: int, seed: int) -> np.ndarray:
    """Complete rows."""
    weights, means, covariances = law
    rng = np.random.default_rng(seed)
    labels = rng.choice(K, size=n, p=weights)
    lower = np.linalg.cholesky(covariances)
    return means[labels] + np.einsum("nij,nj->ni", lower[labels], rng.standard_normal((n, D)))


def lacking(x: np.ndarray, seed: int) -> np.ndarray:
    """The same rows with missing cells."""
    return np.where(np.random.default_rng(seed).random(x.shape) < SHARE, np.nan, x)


def start(law: tuple[np.ndarray, np.ndarray, np.ndarray]) -> dict[str, Any]:
    """Near the truth, but far enough to go on for some steps."""
    moved = law[1] + np.random.default_rng(0).normal(0.0, 0.7, law[1].shape)
    return {"weights_init": np.full(K, 1.0 / K), "means_init": moved}


def cost(law: Any, x: np.ndarray, kind: str, repeats: int) -> dict[str, Cost]:
    """Median cost of an iteration on complete rows and on rows with missing cells, taking turns."""
    tables = {"complete": x, "missing": lacking(x, 1)}
    found: dict[str, list[Cost]] = {name: [] for name in tables}

    def fit(table: np.ndarray, steps: int) -> GaussianMixture:
        mixture = GaussianMixture(
            K, covariance_type=kind, tol=0.0, max_iter=steps, executor=Serial(), **start(law)
        )
        return mixture.fit(table)

    with pinned(1):
        for table in tables.values():
            fit(table, 1)  # whatever is compiled once
        for turn in range(repeats):
            for name in list(tables) if turn % 2 == 0 else list(tables)[::-1]:
                few, _ = timed(lambda name=name: fit(tables[name], FEW))
                many, fitted = timed(lambda name=name: fit(tables[name], MANY))
                assert fitted.n_iter_ == MANY, f"{kind}, {name}: ended after {fitted.n_iter_} steps"
                found[name].append((many - few) / (MANY - FEW))
    return {name: median(costs) for name, costs in found.items()}


def errors(mixture: GaussianMixture, law: Any, held_out: np.ndarray) -> dict[str, float]:
    """Errors of parameters, and the mean log-likelihood of complete rows."""
    weights, means, covariances = law
    deviations = np.sqrt(np.diagonal(covariances, axis1=1, axis2=2))
    distance = np.linalg.norm((mixture.means_[None] - means[:, None]) / deviations[:, None], axis=2)
    _, order = linear_sum_assignment(distance)
    off = (mixture.means_[order] - means) / deviations
    apart = np.linalg.norm(mixture.covariances_[order] - covariances, axis=(1, 2))
    return {
        "mean": float(np.sqrt(np.mean(off**2))),
        "covariance": float(np.mean(apart / np.linalg.norm(covariances, axis=(1, 2)))),
        "weight": float(np.abs(mixture.weights_[order] - weights).max()),
        "held_out": float(mixture.score(held_out)),
    }


def accuracy(n: int, seed: int) -> dict[str, dict[str, float]]:
    """Errors of the default fit on complete rows, with missing cells, and after mean imputation."""
    law = truth(seed)
    x, held_out = rows(law, n, seed + 100), rows(law, n, seed + 200)
    gappy = lacking(x, seed + 300)
    imputed = np.where(np.isnan(gappy), np.nanmean(gappy, axis=0), gappy)
    tables = {"complete rows": x, "missing cells, EM": gappy, "mean imputation, then EM": imputed}
    found = {}
    with pinned(1):
        for name, table in tables.items():
            spent, mixture = timed(lambda table=table: GaussianMixture(K, random_state=0).fit(table))
            found[name] = errors(mixture, law, held_out) | {"seconds": spent.wall}
        filled = GaussianMixture(K, random_state=0).fit(gappy).impute(gappy)
    gaps = np.isnan(gappy)
    for name, table in (("missing cells, EM", filled), ("mean imputation, then EM", imputed)):
        found[name]["cells"] = float(np.sqrt(np.mean((table - x)[gaps] ** 2)))
    return found


def main() -> None:
    """Measure, print, record."""
    chosen = options(
        __doc__ or "",
        ("--repeats", {"type": int, "default": 5, "help": "turns of each fit"}),
        ("--data-sets", {"type": int, "default": 5, "help": "tables of the accuracy part"}),
    )
    n = 2000 if chosen.quick else 20_000
    repeats, sets = (2, 1) if chosen.quick else (chosen.repeats, chosen.data_sets)
    law = truth(0)
    x = rows(law, n, 0)
    patterns = len(np.unique(np.isnan(lacking(x, 1)), axis=0))
    costs = []
    for kind in KINDS:
        spent = cost(law, x, kind, repeats)
        ratio = spent["missing"].cpu / spent["complete"].cpu
        costs.append({"kind": kind, "ratio": ratio} | {name: 1e3 * one.wall for name, one in spent.items()})
        progress(f"{kind}: {ratio:.2f} times the CPU time of complete rows")
    show(
        "EM iteration with missing cells",
        ["covariance", "complete, ms", "missing, ms", "CPU ratio"],
        [[c["kind"], f"{c['complete']:.2f}", f"{c['missing']:.2f}", f"{c['ratio']:.2f}"] for c in costs],
        f"{n:,} x {D}, K = {K}, {SHARE:.0%} of the cells missing, {patterns} patterns, one thread, float64",
    )
    found = []
    for seed in range(sets):
        found.append(accuracy(n, seed))
        progress(f"data set {seed + 1} of {sets}")
    table = []
    for name in found[0]:
        keys = ("mean", "covariance", "weight", "held_out", "cells", "seconds")
        average = {key: np.mean([one[name].get(key, np.nan) for one in found]) for key in keys}
        cells = [f"{average[key]:.4f}" for key in keys[:5]]
        table.append([name, *(cell if cell != "nan" else "-" for cell in cells), f"{average['seconds']:.1f}"])
    show(
        "Accuracy",
        ["fit of", "means", "covariances", "weights", "held out", "filled cells", "seconds"],
        table,
        f"averages over {sets} data sets; errors as in the docstring, filled cells: root mean square",
    )
    say("A fit never fills in a cell: the filled ones are conditional means of the fitted mixture (impute).")
    record(
        "missing_gaussian",
        {"n": n, "patterns": patterns, "cost": costs, "accuracy": found},
        quick=chosen.quick,
    )


if __name__ == "__main__":
    main()
