"""One pass of the multinomial mixture against the two SciPy products that it needs at least, X @ W and X' @ R.

The pass also takes the exponentials, normalises, and sums the evidence. One thread, float64, the batches of a fit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from _baskets import load_baskets, start
from _harness import against, interleaved, options, pinned, record, say, show

from mixtura.data import count_encoding
from mixtura.executors import Serial
from mixtura.families.multinomial import MultinomialComponents
from mixtura.inference import Maximization
from mixtura.inference.initialize import count_embeddings
from mixtura.inference.problem import Problem
from mixtura.structures import Grouped, GroupedPlugIn, Independent, LatentMixture

GOAL = 1.5


def problem(counts: Any, n_components: int, offsets: np.ndarray | None = None) -> Problem:
    """What a fit would learn: its source has the batches of a fit."""
    return Problem(
        counts,
        None,
        count_encoding(counts),
        MultinomialComponents(),
        lambda count: Independent(np.log(count)),
        count_embeddings,
        lambda _: Maximization(),
        n_components,
        offsets,
    )


def main() -> None:
    """Measure, print, record."""
    chosen = options(
        __doc__ or "",
        ("--repeats", {"type": int, "default": 41, "help": "turns of each"}),
        ("--components", {"type": int, "default": 30}),
    )
    baskets, k = load_baskets(quick=chosen.quick), chosen.components
    order = np.argsort(baskets.households, kind="stable")
    counts, grouped_counts = baskets.counts, baskets.counts[order]
    offsets = np.concatenate([[0], np.cumsum(np.unique(baskets.households, return_counts=True)[1])])
    weights, profiles = start(counts, k)
    profiles_by_category = np.ascontiguousarray(np.log(profiles).T)
    resp = np.random.default_rng(0).dirichlet(np.ones(k), size=counts.shape[0])
    components, encoding = MultinomialComponents(np.log(profiles)), count_encoding(counts)
    models = {
        "global pass": (
            LatentMixture(components, Independent(np.log(weights)), encoding),
            problem(counts, k),
        ),
        "household pass, s learnt, settled": (
            LatentMixture(components, Grouped(10.0 * weights), encoding),
            problem(grouped_counts, k, offsets),
        ),
        "household pass, all four local steps": (
            LatentMixture(components, Grouped(10.0 * weights, tol=0.0), encoding),
            problem(grouped_counts, k, offsets),
        ),
        "household pass, no shrinkage": (
            LatentMixture(components, GroupedPlugIn(np.log(weights)), encoding),
            problem(grouped_counts, k, offsets),
        ),
    }
    with pinned(1):
        calls = {
            "X @ W": lambda: counts @ profiles_by_category,
            "X' @ R": lambda: counts.T @ resp,
            "X @ W, then X' @ R": lambda: (counts @ profiles_by_category, counts.T @ resp),
        }
        sessions = []
        for name, (model, learned) in models.items():
            session, source = Serial().session(), learned.source()
            sessions.append(session.__enter__())
            calls[name] = lambda session=session, source=source, model=model: session.total(
                model.summarize, source
            )
        for call in calls.values():
            call()  # compiles, and fills what is kept over the passes of a fit
        cost = interleaved(calls, 5 if chosen.quick else chosen.repeats)
        for session in sessions:
            session.__exit__(None, None, None)
    least = cost["X @ W, then X' @ R"]
    results = {
        name: {"wall_ms": 1e3 * c.wall, "cpu_ms": 1e3 * c.cpu, "wall_ratio": c.wall / least.wall, "cpu_ratio": c.cpu / least.cpu}
        for name, c in cost.items()
    }  # fmt: skip
    rows = [
        [name, *(f"{r[key]:.2f}" for key in ("wall_ms", "cpu_ms", "wall_ratio", "cpu_ratio"))]
        for name, r in results.items()
    ]
    n, c = counts.shape
    show(
        f"{'Real' if baskets.real else 'Generated'} baskets, {n:,} x {c} CSR, {counts.nnz:,} counts, K = {k}, one thread, float64",
        ["what", "wall ms", "CPU ms", "wall / both products", "CPU / both products"],
        rows,
    )
    ratio = results["global pass"]["cpu_ratio"]
    say(
        f"Goal: the global pass in at most {GOAL} times both products: {ratio:.2f}, {against(GOAL, ratio, at_least=False)}."
    )
    record("multinomial_pass", {"n": n, "k": k, "real": baskets.real, "calls": results}, quick=chosen.quick)


if __name__ == "__main__":
    main()
