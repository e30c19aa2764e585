"""One thread against two: the same bits, and how much sooner. Also the CPU time that sharing costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from _baskets import load_baskets, start
from _harness import available_cores, interleaved, options, pinned, record, say, show
from gaussian_iteration import mixtura, rows

from mixtura import GroupedMultinomialMixture, MultinomialMixture
from mixtura.executors import Serial, Threads

STEPS = 8


def fits(*, quick: bool) -> dict[str, Callable[[Any], Any]]:
    """By name: a fit of some steps from a given start, by an executor."""
    shrink = 10 if quick else 1
    small, large = rows(1_000_000 // shrink, 4, 8), rows(40_000 // shrink, 32, 16)
    baskets = load_baskets(quick=quick)
    weights, profiles = start(baskets.counts, 30)
    given = {
        "weights_init": weights,
        "profiles_init": profiles,
        "tol": 0.0,
        "max_iter": STEPS,
        "random_state": 0,
    }

    def gaussian(x: np.ndarray, k: int) -> Callable[[Any], Any]:
        return lambda executor: mixtura(
            x, k, STEPS, 1 if isinstance(executor, Serial) else executor.n_threads
        )

    return {
        f"Gaussian, n = {len(small):,}, d = 4, K = 8": gaussian(small, 8),
        f"Gaussian, n = {len(large):,}, d = 32, K = 16": gaussian(large, 16),
        "Multinomial, the baskets, K = 30": lambda executor: MultinomialMixture(
            30, executor=executor, **given
        ).fit(baskets.counts),
        "Household multinomial, the baskets, K = 30": lambda executor: GroupedMultinomialMixture(
            30, executor=executor, **given
        ).fit(baskets.counts, groups=baskets.households),
    }


def same_bits(first: Any, second: Any) -> bool:
    """Whether all fitted arrays and histories are equal to the last bit."""
    names = [
        name for name, value in vars(first).items() if name.endswith("_") and isinstance(value, np.ndarray)
    ]
    arrays = all(np.array_equal(getattr(first, name), getattr(second, name)) for name in names)
    return arrays and first.lower_bounds_ == second.lower_bounds_


def main() -> None:
    """Measure, print, record."""
    chosen = options(__doc__ or "", ("--repeats", {"type": int, "default": 5, "help": "turns of each"}))
    if available_cores() < 2:
        say("This process may use one core only: the bits are compared, the speed-up means nothing.")
    results = []
    with pinned(1):
        for name, fit in fits(quick=chosen.quick).items():
            equal = same_bits(fit(Serial()), fit(Threads(2)))  # and compiles
            calls = {"one": lambda fit=fit: fit(Serial()), "two": lambda fit=fit: fit(Threads(2))}
            cost = interleaved(calls, 2 if chosen.quick else chosen.repeats)
            results.append(
                {
                    "fit": name,
                    "same_bits": equal,
                    "one_s": cost["one"].wall,
                    "two_s": cost["two"].wall,
                    "speed_up": cost["one"].wall / cost["two"].wall,
                    "more_cpu": cost["two"].cpu / cost["one"].cpu,
                }
            )
    show(
        f"{STEPS} steps with one thread and with two",
        ["fit", "same bits", "one (s)", "two (s)", "speed-up", "CPU two / one"],
        [
            [r["fit"], "yes" if r["same_bits"] else "NO", *(f"{r[key]:.2f}" for key in ("one_s", "two_s", "speed_up", "more_cpu"))]
            for r in results
        ],
    )  # fmt: skip
    record("parallel", results, quick=chosen.quick)


if __name__ == "__main__":
    main()
