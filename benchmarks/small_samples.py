"""Held-out log-likelihood of mixtures fitted to 20 to 2,000 rows: maximum likelihood with a floor, posterior mode, variational Bayes.

    OMP_NUM_THREADS=1 python benchmarks/small_samples.py
    OMP_NUM_THREADS=1 python benchmarks/small_samples.py --quick
    OMP_NUM_THREADS=1 python benchmarks/small_samples.py --laws sharp --components 3 --sizes 20 35

Two laws of three Gaussians in two columns: "sharp", whose parts are up to a hundred times narrower in one direction than all rows
together, and "round", whose parts overlap and are about as wide as far apart. K is what it is (3) and too large (6). Every replication
draws rows once, and all methods fit these rows; all are then scored on the same 10,000 other rows. Differences are paired by
replication. Floors are shares of the average variance of the columns; the criterion compares the predictive law of variational Bayes with
that floor of the two which is better on average at this n, in hindsight: it shall be better, or less than two standard errors worse.

"VB" is `BayesianGaussianMixture(K)` with scikit-learn's prior (as wide as all rows, its mean worth a row); "VB narrow" has the default
prior of `Mixture`: its mean is worth a hundredth of a row, its expected precision is that of a fiftieth of the rows' covariance;
"VB learnt" is `empirical_bayes="components"`. "Plug-in" is
scikit-learn's density, the sum over components of exp E[log]. "MAP" has the mode's wide prior. All methods start from the same
three k-means partitions (the sieve, the default, would take ten times as long).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from _harness import against, options, pinned, progress, record, say, show, timed

from mixtura import BayesianGaussianMixture, Mixture
from mixtura.components import Full, Gaussian
from mixtura.exceptions import MixturaError
from mixtura.priors import NormalWishartPrior

SIZES = (20, 35, 50, 100, 200, 500, 1000, 2000)
FLOORS = (0.001, 0.01)
HELD_OUT = 10_000
N_INIT = 3
# Methods whose plug-in density is scored, too.
PLUGGED = ("VB", "VB learnt")
# Weights, means, covariances. The first is the mixture of the published tutorial on EM and variational Bayes.
LAWS = {
    "sharp": (
        [0.15, 0.35, 0.5],
        [[-3, 2], [4, 2], [3, 1]],
        [[[1, 0.2], [0.2, 2]], [[0.8, -1], [-1, 1.3]], [[1.5, 1.4], [1.4, 1.5]]],
    ),
    "round": (
        [0.5, 0.3, 0.2],
        [[0, 0], [3, 0], [0, 3]],
        [[[1, 0.5], [0.5, 1]], [[0.5, -0.2], [-0.2, 0.8]], [[1.2, 0], [0, 0.3]]],
    ),
}


def rows(law: str, n: int, seed: int) -> np.ndarray:
    """Rows of a law."""
    weights, means, covariances = (np.array(part, dtype=float) for part in LAWS[law])
    rng = np.random.default_rng(seed)
    labels = rng.choice(len(weights), size=n, p=weights)
    lower = np.linalg.cholesky(covariances)
    return means[labels] + np.einsum("nij,nj->ni", lower[labels], rng.standard_normal((n, 2)))


def log_density(law: str, x: np.ndarray) -> float:
    """Mean log density of the law itself: what no fit exceeds but by chance."""
    weights, means, covariances = (np.array(part, dtype=float) for part in LAWS[law])
    apart = x[:, None] - means
    distance = np.einsum("nki,kij,nkj->nk", apart, np.linalg.inv(covariances), apart)
    parts = np.log(weights) - 0.5 * (distance + np.linalg.slogdet(covariances)[1]) - np.log(2 * np.pi)
    return float(np.logaddexp.reduce(parts, axis=1).mean())


def methods(x: np.ndarray, n_components: int, seed: int) -> dict[str, Callable[[], Any]]:
    """Fits that are not made yet, all with the same starts."""
    starts: dict[str, Any] = {"init_params": "kmeans", "n_init": N_INIT, "random_state": seed}
    spread = float(x.var(axis=0).mean())
    covariance = np.cov(x, rowvar=False, bias=True)
    narrow = NormalWishartPrior(mean_precision=0.01, degrees_of_freedom=2.0, covariance=covariance / 25.0)
    wide = NormalWishartPrior(mean_precision=1.0, degrees_of_freedom=4.0, covariance=covariance)
    fits: dict[str, Callable[[], Any]] = {
        f"ML, floor {share:g}": lambda share=share: Mixture(
            Gaussian(model=Full(lowest=share * spread)), n_components, **starts
        )
        for share in FLOORS
    }
    return fits | {
        "MAP": lambda: Mixture(Gaussian(), n_components, inference="map", prior=wide, **starts),
        "VB": lambda: BayesianGaussianMixture(n_components, **starts),
        "VB narrow": lambda: Mixture(Gaussian(), n_components, prior=narrow, **starts),
        "VB learnt": lambda: BayesianGaussianMixture(n_components, empirical_bayes="components", **starts),
    }


def scores(
    x: np.ndarray, held_out: np.ndarray, n_components: int, seed: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Mean held-out log-likelihood of every method on the same rows, and CPU seconds of every fit."""
    found: dict[str, float] = {}
    seconds: dict[str, float] = {}
    for name, make in methods(x, n_components, seed).items():
        cost, mixture = timed(lambda make=make: make().fit(x))
        seconds[name] = cost.cpu
        found[name] = float(mixture.score(held_out))
        if name in PLUGGED:
            found[f"{name}, plug-in"] = float(mixture.score_samples(held_out, plug_in=True).mean())
    return found, seconds


def study(law: str, n_components: int, n: int, replications: int) -> dict[str, Any]:
    """All replications of one size."""
    found: list[dict[str, float]] = []
    spent: list[dict[str, float]] = []
    truth: list[float] = []
    failed = 0
    for seed in range(replications):
        held_out = rows(law, HELD_OUT, 10**7 + 1000 * n + seed)
        truth.append(log_density(law, held_out))
        try:
            values, seconds = scores(rows(law, n, 1000 * n + seed), held_out, n_components, seed)
            found.append(values)
            spent.append(seconds)
        except MixturaError as error:  # counted, and shown: a method that fails has no figure
            failed += 1
            progress(f"{law}, K = {n_components}, n = {n}, replication {seed}: {error}")
    table = {name: np.array([one[name] for one in found]) for name in found[0]}
    floored = max((f"ML, floor {share:g}" for share in FLOORS), key=lambda name: table[name].mean())
    differences = {}
    for name, values in table.items():
        gain = values - table[floored]
        differences[name] = (float(gain.mean()), float(gain.std(ddof=1) / np.sqrt(len(gain))))
    return {
        "law": law,
        "K": n_components,
        "n": n,
        "replications": len(found),
        "failed": failed,
        "truth": float(np.mean(truth)),
        "floored": floored,
        "mean": {name: float(values.mean()) for name, values in table.items()},
        "difference": differences,
        "seconds": {name: float(np.mean([one[name] for one in spent])) for name in spent[0]},
    }


def shown(law: str, n_components: int, found: list[dict[str, Any]]) -> None:
    """Differences from floored maximum likelihood, a row for each size, and the seconds of the fits."""
    names = [name for name in found[0]["mean"] if not name.startswith("ML")]
    judged = [name for name in names if name.startswith("VB") and not name.endswith("plug-in")]
    lines = []
    for one in found:
        cells = [f"{one['n']}", f"{one['mean'][one['floored']]:.3f}", one["floored"].split()[-1]]
        cells += ["{:+.4f} ({:.4f})".format(*one["difference"][name]) for name in names]
        gains = (one["difference"][name] for name in judged)
        cells.append(", ".join(against(0.0, gain + 2.0 * error) for gain, error in gains))
        lines.append(cells)
    show(
        f"{law}, K = {n_components}: held-out log-likelihood per row",
        ["n", "ML", "floor", *names, "criterion of " + ", ".join(judged)],
        lines,
        f"{found[0]['replications']} replications; differences from ML and in brackets their paired standard errors; "
        f"the law itself: {found[0]['truth']:.4f}",
    )
    fits = list(found[0]["seconds"])
    show(
        "CPU seconds of a fit, starts included",
        ["n", *fits],
        [[f"{one['n']}", *(f"{one['seconds'][name]:.2f}" for name in fits)] for one in found],
    )


def main() -> None:
    """Measure, print, record."""
    chosen = options(
        __doc__ or "",
        ("--laws", {"nargs": "+", "default": list(LAWS), "choices": list(LAWS)}),
        ("--components", {"nargs": "+", "type": int, "default": [3, 6]}),
        ("--sizes", {"nargs": "+", "type": int, "default": list(SIZES)}),
        ("--replications", {"type": int, "default": 20}),
    )
    sizes, replications = ((20, 100), 3) if chosen.quick else (chosen.sizes, chosen.replications)
    every = []
    with pinned(1):
        for law in chosen.laws:
            for n_components in chosen.components:
                found = []
                for n in sizes:
                    found.append(study(law, n_components, n, replications))
                    progress(f"{law}, K = {n_components}, n = {n}")
                shown(law, n_components, found)
                every += found
    say(
        "At the smallest sizes a few replications in which maximum likelihood fails make most of the mean, and of its error."
    )
    record("small_samples", every, quick=chosen.quick)


if __name__ == "__main__":
    main()
