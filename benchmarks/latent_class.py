"""EM of a latent class model beside StepMix: 100,000 rows of 20 items with four levels, five classes, with and without gaps.

The time of an iteration is the difference of two fits from one random start with different numbers of iterations, so what
happens once (validation, the start, the final pass) cancels; the whole fit of twenty iterations stands beside it. Also: do both
mean the same likelihood, and how long is a step without the compiled pass? One thread, float64, taking turns.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from _harness import Cost, against, median, options, pinned, record, say, show, timed

from mixtura.executors import Serial
from mixtura.kernels import without_kernels
from mixtura.models import CategoricalMixture

FEW, MANY = 5, 20
LEVELS, CLASSES = 4, 5
MISSING = 0.1
GAP_GOAL, COMPLETE_GOAL, MISSING_GOAL = 1.3, 10.0, 20.0

try:
    from stepmix.stepmix import StepMix
except ImportError:
    StepMix = None


def rows(n: int, n_items: int) -> tuple[np.ndarray, np.ndarray]:
    """Answers of five classes as codes, and the same with a tenth of the cells missing."""
    rng = np.random.default_rng(0)
    tables = rng.dirichlet(np.ones(LEVELS), size=(CLASSES, n_items))
    state = rng.integers(CLASSES, size=n)
    ends = tables.cumsum(axis=2)
    x = np.column_stack(
        [(rng.random(n)[:, None] > ends[state, j]).sum(axis=1).clip(max=LEVELS - 1) for j in range(n_items)]
    )
    x = x.astype(np.float64)
    gaps = x.copy()
    gaps[rng.random(x.shape) < MISSING] = np.nan
    return x, gaps


def mixtura(x: np.ndarray, steps: int) -> CategoricalMixture:
    """Ours from a random start."""
    settings: dict[str, Any] = {"init_params": "random", "random_state": 0, "executor": Serial()}
    return CategoricalMixture(CLASSES, tol=0.0, max_iter=steps, **settings).fit(x)


def numpy_only(x: np.ndarray, steps: int) -> CategoricalMixture:
    """Ours without compiled kernels."""
    with without_kernels():
        return mixtura(x, steps)


def stepmix(x: np.ndarray, steps: int) -> Any:
    """StepMix from a random start."""
    kind = "categorical_nan" if np.isnan(x).any() else "categorical"
    settings = {"abs_tol": 0.0, "rel_tol": 0.0, "n_init": 1, "progress_bar": 0, "random_state": 0}
    return StepMix(CLASSES, measurement=kind, max_iter=steps, **settings).fit(x)


def compare(
    fits: dict[str, Callable[[np.ndarray, int], Any]], tables: dict[str, np.ndarray], repeats: int
) -> dict[tuple[str, str], dict[str, Cost]]:
    """Median costs of an iteration and of a whole fit, by peer and kind of rows, all taking turns."""
    names = [(peer, kind) for peer in fits for kind in tables]
    found: dict[tuple[str, str], list[tuple[Cost, Cost]]] = {name: [] for name in names}
    with pinned(1):
        for peer, kind in names:
            fits[peer](tables[kind], 1)  # compiles
        for turn in range(repeats):
            for name in names if turn % 2 == 0 else names[::-1]:
                fit, x = fits[name[0]], tables[name[1]]
                few, _ = timed(lambda fit=fit, x=x: fit(x, FEW))
                many, model = timed(lambda fit=fit, x=x: fit(x, MANY))
                assert model.n_iter_ == MANY, (
                    f"{name} ended after {model.n_iter_} steps: nothing left to gain"
                )
                found[name].append(((many - few) / (MANY - FEW), many))
    return {
        name: {"iteration": median([one for one, _ in costs]), "fit": median([all_ for _, all_ in costs])}
        for name, costs in found.items()
    }


def disagreement(x: np.ndarray) -> float:
    """Log-likelihood per row of StepMix's estimates, by it and by us: the largest difference."""
    with pinned(1):
        theirs = stepmix(x, MANY)
        # StepMix keeps the levels of one column beside those of the next.
        parameters = np.asarray(theirs.get_parameters()["measurement"]["pis"])
        tables = np.split(parameters, x.shape[1], axis=1)
        start = {"weights_init": theirs.get_parameters()["weights"], "probabilities_init": tables}
        ours = CategoricalMixture(CLASSES, max_iter=0, **start).fit(x)
        return abs(float(theirs.score(x)) - ours.score(x))


def main() -> None:
    """Measure, print, record."""
    chosen = options(
        __doc__ or "",
        ("--repeats", {"type": int, "default": 5, "help": "turns of each"}),
        ("--rows", {"type": int, "default": 100_000}),
        ("--items", {"type": int, "default": 20}),
    )
    n = min(chosen.rows, 10_000) if chosen.quick else chosen.rows
    x, gaps = rows(n, chosen.items)
    tables = {"complete": x, "missing": gaps}
    fits: dict[str, Callable[[np.ndarray, int], Any]] = {
        "mixtura": mixtura,
        "mixtura, NumPy only": numpy_only,
    }
    if StepMix is None:
        say(
            "StepMix is not installed here, so only mixtura is timed. To compare: pip install stepmix in an environment that also "
            "has mixtura (it may need other versions of NumPy and scikit-learn), and run this script there."
        )
    else:
        fits["StepMix"] = stepmix
    costs = compare(fits, tables, 2 if chosen.quick else chosen.repeats)
    results = [
        {
            "peer": peer,
            "rows": kind,
            "iteration_ms": 1e3 * cost["iteration"].wall,
            "iteration_cpu_ms": 1e3 * cost["iteration"].cpu,
            "fit_s": cost["fit"].wall,
            "iteration_ratio": cost["iteration"].cpu / costs["mixtura", kind]["iteration"].cpu,
            "fit_ratio": cost["fit"].cpu / costs["mixtura", kind]["fit"].cpu,
        }
        for (peer, kind), cost in costs.items()
    ]
    show(
        f"{n:,} x {chosen.items} items of {LEVELS} levels, K = {CLASSES}, one thread, {MISSING:.0%} of cells missing or none",
        ["peer", "rows", "iteration ms", "CPU ms", f"fit of {MANY} s", "iteration / ours", "fit / ours"],
        [[r["peer"], r["rows"], *(f"{r[key]:.{digits}f}" for key, digits in COLUMNS)] for r in results],
        "Ratios are of CPU time; above 1: mixtura takes less.",
    )
    gap = costs["mixtura", "missing"]["iteration"].cpu / costs["mixtura", "complete"]["iteration"].cpu
    say(
        f"Goal: an iteration with missing cells in at most {GAP_GOAL} times one without: {gap:.2f}, "
        f"{against(GAP_GOAL, gap, at_least=False)}."
    )
    differences = {}
    if StepMix is not None:
        ratios = {r["rows"]: r["iteration_ratio"] for r in results if r["peer"] == "StepMix"}
        for kind, goal in (("complete", COMPLETE_GOAL), ("missing", MISSING_GOAL)):
            say(
                f"Goal, {kind} rows: {goal:g} times StepMix: {ratios[kind]:.1f}, {against(goal, ratios[kind])}."
            )
            differences[kind] = disagreement(tables[kind])
        say(
            "Log-likelihood per row at StepMix's estimates, its figure and ours differ by "
            + ", ".join(f"{value:.1e} ({kind})" for kind, value in differences.items())
            + "."
        )
    record(
        "latent_class", {"n": n, "peers": results, "gap": gap, "differences": differences}, quick=chosen.quick
    )


COLUMNS = (
    ("iteration_ms", 1),
    ("iteration_cpu_ms", 1),
    ("fit_s", 2),
    ("iteration_ratio", 1),
    ("fit_ratio", 1),
)


if __name__ == "__main__":
    sys.exit(main())
