"""What every benchmark shares: options, interleaved timing, a table on the terminal, a line of JSON in build/."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "build" / "benchmarks"
DATA = ROOT.parent / "shared" / "data"
PACKAGES = ("mixtura", "numpy", "scipy", "scikit-learn", "numba")

console = Console(width=None if sys.stdout.isatty() else 140, highlight=False)


@dataclass(frozen=True)
class Cost:
    """Wall and CPU seconds; CPU counts all threads of the process."""

    wall: float
    cpu: float

    def __sub__(self, other: Cost) -> Cost:
        return Cost(self.wall - other.wall, self.cpu - other.cpu)

    def __truediv__(self, number: float) -> Cost:
        return Cost(self.wall / number, self.cpu / number)


def options(description: str, *more: tuple[str, dict[str, Any]]) -> argparse.Namespace:
    """Parse ``--quick`` and the script's own options."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="a small run, to see that everything works")
    for name, settings in more:
        parser.add_argument(name, **settings)
    return parser.parse_args()


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def timed(call: Callable[[], Any]) -> tuple[Cost, Any]:
    """Cost and result of one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = call()
    return Cost(time.perf_counter() - wall, time.process_time() - cpu), result


def interleaved(calls: Mapping[str, Callable[[], Any]], repeats: int) -> dict[str, Cost]:
    """Median costs of calls that take turns, in changing order, so that a busy moment hits all of them."""
    costs: dict[str, list[Cost]] = {name: [] for name in calls}
    names = list(calls)
    for turn in range(repeats):
        for name in names if turn % 2 == 0 else names[::-1]:
            costs[name].append(timed(calls[name])[0])
    return {name: median(found) for name, found in costs.items()}


def median(costs: Sequence[Cost]) -> Cost:
    """Median wall and median CPU time."""
    return Cost(statistics.median(cost.wall for cost in costs), statistics.median(cost.cpu for cost in costs))


@contextmanager
def pinned(n_threads: int) -> Any:
    """BLAS and OpenMP at this many threads; warnings of fits stopped on purpose are silent."""
    with threadpool_limits(limits=n_threads), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def show(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], note: str = "") -> None:
    """Print a table; numbers to the right."""
    table = Table(title=title, title_justify="left", caption=note or None, caption_justify="left")
    rows = [[str(cell) for cell in row] for row in rows]
    for index, name in enumerate(columns):
        text = bool(rows) and rows[0][index][:1].isalpha()
        table.add_column(name, justify="left" if text else "right")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def say(text: str) -> None:
    """Print a sentence."""
    console.print(text)


def progress(text: str) -> None:
    """Where a long run stands, on standard error."""
    print(text, file=sys.stderr, flush=True)


def record(name: str, results: Any, *, quick: bool) -> None:
    """Append the results, with what they were measured on, to build/benchmarks/NAME.json (one object a line)."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    entry = {
        "benchmark": name,
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": quick,
        "machine": {
            "cores": available_cores(),
            "processor": platform.processor() or platform.machine(),
            "load": round(os.getloadavg()[0], 2),
            "python": platform.python_version(),
            **{package: _version(package) for package in PACKAGES},
        },
        "results": results,
    }
    with (RESULTS / f"{name}.json").open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry, default=float) + "\n")


def _version(package: str) -> str:
    try:
        return version(package)
    except ImportError:  # run from a checkout that is not installed
        return "not installed"


def against(goal: float, found: float, *, at_least: bool = True) -> str:
    """Whether a goal is met, in a word."""
    return "met" if (found >= goal) == at_least else "NOT MET"
