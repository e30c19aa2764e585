"""Structural time series: steps and time of plain EM, of EM with Newton steps, and of statsmodels, to the same maximum, on one thread.

A level in noise, and a level with a trend and the seasons of months, drawn from the model. Our steps start from equal shares of the
variances; plain EM is stopped after its budget and says how far it has come. The objective of statsmodels leaves out constants, so only its
time and its variances compare; it is optional.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from _harness import options, pinned, record, say, show, timed

from mixtura.chains.structural import StructuralChain
from mixtura.chains.structural_parts import Part, assembled, level, seasonal_dummies, trend
from mixtura.executors import Serial
from mixtura.inference.driver import FitResult, run
from mixtura.inference.leaps import Leaping
from mixtura.inference.stopping import Stopping
from mixtura.inference.updates import Maximization
from mixtura.protocols import Batch

TOL = 1e-9
BUDGET = 1000
CASES: dict[str, tuple[list[Part], dict[str, Any]]] = {
    "level": ([level()], {"level": "llevel"}),
    "level, slope, 12 seasons": ([trend(), seasonal_dummies(12)], {"level": "lltrend", "seasonal": 12}),
}


def series(n: int, *, seasons: bool) -> np.ndarray:
    """A random walk in noise; with seasons also a slope that moves a little."""
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.normal(size=n))
    noise = 2.0 * rng.normal(size=n)
    if not seasons:
        return walk + noise
    slope = np.cumsum(0.02 * rng.normal(size=n))
    return walk + np.cumsum(slope) + np.resize(3.0 * rng.normal(size=12), n) + noise


def learner(parts: list[Part], y: np.ndarray, *, bold: bool) -> Callable[[], FitResult]:
    """A fit from equal shares, by EM with or without Newton steps."""
    whole, size = assembled(parts), np.var(np.diff(y))
    batch = Batch(y[None], np.ones(len(y)), np.array([0, len(y)]))
    update = Leaping(batch=batch) if bold else Maximization()

    def call() -> FitResult:
        begun = np.full(len(whole.names), size / len(whole.names))
        chain = StructuralChain(
            whole.design, whole.transition, whole.loads, begun, np.ones(len(begun), dtype=bool)
        )
        return run(chain, [batch], update=update, executor=Serial(), stopping=Stopping(TOL, BUDGET))

    return call


def statsmodels(y: np.ndarray, settings: dict[str, Any]) -> Callable[[], Any] | None:
    """Their fit, or None where it is not installed."""
    try:
        from statsmodels.api import tsa
    except ImportError:
        return None
    model = tsa.UnobservedComponents(y, **settings)
    model.ssm.initialize_diffuse()

    def call() -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return model.fit(disp=False, maxiter=BUDGET)

    return call


def main() -> None:
    """Fit each series in every way."""
    chosen = options(__doc__ or "")
    table, results = [], {}
    for n in (200, 2000) if chosen.quick else (200, 2000, 20_000):
        for title, (parts, settings) in CASES.items():
            y = series(n, seasons="seasons" in title)
            bold, plain, theirs = (
                learner(parts, y, bold=True),
                learner(parts, y, bold=False),
                statsmodels(y, settings),
            )
            with pinned(1):
                bold()  # compiles
                cost, found = timed(bold)
                slow_cost, slow = timed(plain)
                other = timed(theirs) if theirs is not None else None
            behind = found.objective - slow.objective
            names = [
                ["EM and Newton", f"{found.n_iter}", f"{cost.cpu:.2f}", "0"],
                ["EM", f"{slow.n_iter}", f"{slow_cost.cpu:.2f}", f"{behind:.2g}"],
            ]
            if other is not None:
                names.append(
                    ["statsmodels", f"{other[1].mle_retvals['iterations']}", f"{other[0].cpu:.2f}", ""]
                )
            table += [[title, f"{n:,}", *one] for one in names]
            results[f"{title}, {n}"] = {
                "steps": found.n_iter,
                "seconds": cost.cpu,
                "steps of EM": slow.n_iter,
                "seconds of EM": slow_cost.cpu,
                "EM behind": behind,
                "variances": found.model.variances.tolist(),
                "statsmodels": None
                if other is None
                else [other[0].cpu, np.asarray(other[1].params).tolist()],
            }
    show(
        f"Variances of structural time series, remaining gain below {TOL:g} a value, at most {BUDGET} steps",
        ["series", "values", "way", "steps", "CPU s", "nats behind"],
        table,
    )
    worst = max(one["steps"] for one in results.values())
    say(
        f"With Newton steps at most {worst} steps; plain EM up to {max(one['steps of EM'] for one in results.values())}."
    )
    record("structural", results, quick=chosen.quick)


if __name__ == "__main__":
    main()
