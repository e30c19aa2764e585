"""Every benchmark, one after the other: small runs unless --full is given."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from _harness import RESULTS, Cost, say, show, timed

SCRIPTS = (
    "gaussian_iteration",
    "missing_gaussian",
    "multinomial_pass",
    "parallel",
    "published_procedure",
    "household_prediction",
    "optima",
    "dirichlet_multinomial",
    "digits_factor",
    "latent_class",
    "bayesian_gaussian",
    "live_components",
    "bayesian_regression",
    "small_samples",
    "interval_coverage",
    "hmm_iteration",
    "hmm_long",
    "shopper",
    "kalman",
    "structural",
    "tree_levels",
)


def main() -> int:
    """Run them; a script that fails does not keep the others from running."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="the sizes of docs/benchmarks.md")
    parser.add_argument("--only", nargs="*", choices=SCRIPTS, default=SCRIPTS)
    chosen = parser.parse_args()
    found: list[tuple[str, int, Cost]] = []
    for name in chosen.only:
        say(f"\n== {name}")
        command = [
            sys.executable,
            str(Path(__file__).with_name(f"{name}.py")),
            *([] if chosen.full else ["--quick"]),
        ]
        cost, done = timed(lambda command=command: subprocess.run(command, check=False))
        found.append((name, done.returncode, cost))
    show(
        f"Results are in {RESULTS}",
        ["benchmark", "seconds", ""],
        [
            [name, f"{cost.wall:.0f}", "done" if code == 0 else f"FAILED ({code})"]
            for name, code, cost in found
        ],
    )
    return int(any(code for _, code, _ in found))


if __name__ == "__main__":
    sys.exit(main())
