"""What a tree of missions costs: later baskets at levels of the cut, against mixtures fitted with that number from the start.

The model is that of the shopper application's demo (50 missions by its own choice): missions of all baskets, then weights per
household, shrunk as far as the data ask for it. Its tree is cut at several numbers of groups. Each is held against the cut fitted on
(EM from the level), and against the same procedure begun afresh with that number. The split is 80/20 in time; baskets of households
unseen in training are left out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from _baskets import Baskets, load_baskets
from _harness import options, pinned, progress, record, say, show, timed

from mixtura import GroupedMultinomialMixture, MultinomialMixture, SegmentTree
from mixtura.segments.evaluation import clustered_mean

LEVELS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40)


def afresh(train: Baskets, k: int, seed: int) -> GroupedMultinomialMixture:
    """Missions of all baskets, then weights per household from there."""
    population = MultinomialMixture(k, random_state=seed).fit(train.counts)
    return households(train, k, population)


def households(train: Baskets, k: int, start: Any) -> GroupedMultinomialMixture:
    """Weights per household, from a start."""
    return GroupedMultinomialMixture(k, init_params=start, random_state=0).fit(
        train.counts, groups=train.households
    )


def main() -> None:
    """Measure, print, record."""
    chosen = options(
        __doc__ or "",
        ("--components", {"type": int, "default": 50}),
        ("--levels", {"type": int, "nargs": "*", "default": LEVELS}),
        ("--every", {"type": int, "default": 1, "help": "take every so-manyth household"}),
        ("--seed", {"type": int, "default": 0}),
    )
    k = 8 if chosen.quick else chosen.components
    levels = sorted({n for n in chosen.levels if n < k} | {k})
    baskets = load_baskets(quick=chosen.quick)
    train, later = (baskets.take(chosen.every) if chosen.every > 1 else baskets).split()
    rows, results = [], []
    with pinned(1):
        cost, mixture = timed(lambda: afresh(train, k, chosen.seed))
        progress(f"{k} missions: {cost.wall:.0f} s")
        tree_cost, tree = timed(lambda: SegmentTree(mixture).fit(train.counts, groups=train.households))
        progress(f"tree: {tree_cost.wall:.1f} s")
        n_train = len(train.households)
        for n in levels:
            merged = tree.cut(n).estimator
            on_cost, fitted_on = timed(lambda n=n, merged=merged: households(train, n, merged))
            new_cost, new = (cost, mixture) if n == k else timed(lambda n=n: afresh(train, n, chosen.seed))
            scores = {
                name: model.score_samples(later.counts, groups=later.households)
                for name, model in (("cut", merged), ("on", fitted_on), ("new", new))
            }
            gap, error = clustered_mean(scores["new"] - scores["cut"], later.households)
            entry = {
                "n": n,
                "bound": float(tree.bounds_[n - 1]) / n_train,
                **{name: float(np.mean(score)) for name, score in scores.items()},
                "gap": gap,
                "gap_se": error,
                "on_s": on_cost.wall,
                "new_s": new_cost.wall,
            }
            results.append(entry)
            rows.append(
                [
                    n,
                    *(f"{entry[name]:.4f}" for name in ("cut", "on", "new")),
                    f"{gap:+.4f} ± {error:.4f}",
                    f"{entry['on_s']:.1f}",
                    f"{entry['new_s']:.1f}",
                ]
            )
            progress(f"n = {n}: " + ", ".join(f"{name} {entry[name]:.4f}" for name in ("cut", "on", "new")))
    show(
        f"{len(later.households):,} later baskets, tree of K = {k}",
        ["n", "cut", "cut, fitted on", "afresh", "afresh less cut", "fitted on (s)", "afresh (s)"],
        rows,
        "log-likelihood per later basket; standard errors with all baskets of a household as one observation",
    )
    say(f"The tree took {tree_cost.wall:.1f} s, the mixture {cost.wall:.1f} s.")
    found = {"levels": results, "k": k, "tree_s": tree_cost.wall, "fit_s": cost.wall, "real": train.real}
    record("tree_levels", found, quick=chosen.quick)


if __name__ == "__main__":
    main()
