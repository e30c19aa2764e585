"""Bayesian linear regression beside scikit-learn's: time of a fit, and the evidence it reaches.

`BayesianRidge` and `ARDRegression` once by their defaults and once run on until nothing is left to gain. Times are of whole fits, taking
turns, one thread each; the evidence is that of the variances returned, calculated for both by the same function, in nats above theirs.
Streams are one pass: the last table reads the rows in chunks, which scikit-learn's classes cannot.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from _harness import interleaved, options, pinned, record, show, timed
from sklearn.datasets import load_diabetes
from sklearn.linear_model import ARDRegression, BayesianRidge

from mixtura import BayesianLinearRegression
from mixtura.chains import Moments, RowSums, posterior
from mixtura.data import DenseSource, column_encoding
from mixtura.executors import Serial

# rows, columns, columns that matter, repeats
RIDGE = [
    (1_000, 10, 10, 15),
    (100_000, 20, 20, 7),
    (20_000, 200, 200, 5),
    (2_000, 1_000, 1_000, 3),
    (200, 500, 5, 5),
]
ARD = [(1_000, 10, 4, 15), (100_000, 20, 5, 7), (2_000, 100, 10, 5), (5_000, 300, 20, 3)]


def rows(n: int, d: int, relevant: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns that go together a little, coefficients of one size, as much noise as signal."""
    rng = np.random.default_rng(n + d)
    x = rng.standard_normal((n, d)) + 0.5 * rng.standard_normal((n, 1))
    coefficients = np.zeros(d)
    coefficients[:relevant] = rng.standard_normal(relevant)
    signal = x @ coefficients
    return x, signal + signal.std() * rng.standard_normal(n)


def evidence(x: np.ndarray, y: np.ndarray, theirs: Any) -> float:
    """Log evidence of the variances that scikit-learn returns."""
    table = np.column_stack([x, y])
    encoding = column_encoding(table)
    with Serial().session() as session:
        sums = session.total(RowSums(encoding), DenseSource(table, encoding))
    precisions = np.broadcast_to(theirs.lambda_, len(theirs.coef_))
    variances = np.where(theirs.coef_ != 0, 1 / precisions, 0.0)
    return posterior(Moments.of(sums, intercept=True), variances, 1 / theirs.alpha_).log_evidence


def compare(x: np.ndarray, y: np.ndarray, repeats: int, *, ard: bool) -> dict[str, Any]:
    """Times and evidences of both."""
    kind = ARDRegression if ard else BayesianRidge
    long = {"max_iter": 2_000, "tol": 1e-10}
    calls = {
        "mixtura": lambda: BayesianLinearRegression(ard=ard).fit(x, y),
        "scikit-learn": lambda: kind().fit(x, y),
        "scikit-learn, run on": lambda: kind(**long).fit(x, y),
    }
    with pinned(1):
        costs = interleaved(calls, repeats)
        ours, theirs, on = (call() for call in calls.values())
        found = {
            "n": len(x), "d": x.shape[1], "ms": 1e3 * costs["mixtura"].wall,
            "steps": ours.n_iter_, "their steps": theirs.n_iter_,
            "evidence": ours.log_evidence_ - evidence(x, y, theirs),
            "evidence, run on": ours.log_evidence_ - evidence(x, y, on),
            "kept": int(np.count_nonzero(ours.coef_)), "their kept": int(np.count_nonzero(theirs.coef_)),
        }  # fmt: skip
    for name in ("scikit-learn", "scikit-learn, run on"):
        found |= {f"{name}, wall": costs[name].wall / costs["mixtura"].wall}
        found |= {f"{name}, cpu": costs[name].cpu / costs["mixtura"].cpu}
    return found


def chunks(n: int, d: int) -> dict[str, Any]:
    """A table of n rows at once and in a hundred chunks."""
    x, y = rows(n, d, d)
    with pinned(1):
        once, whole = timed(lambda: BayesianLinearRegression().fit(x, y))
        stream = BayesianLinearRegression()

        def read() -> None:
            for part in np.array_split(np.arange(n), 100):
                stream.partial_fit(x[part], y[part])

        piecewise, _ = timed(read)
    difference = np.max(np.abs(stream.coef_ - whole.coef_)) / np.max(np.abs(whole.coef_))
    return {
        "n": n,
        "d": d,
        "ms": 1e3 * once.wall,
        "chunks ms": 1e3 * piecewise.wall,
        "difference": difference,
    }


def main() -> None:
    """Measure, print, record."""
    chosen = options(__doc__ or "")
    results: dict[str, Any] = {}
    for name, cases in (("BayesianRidge", RIDGE), ("ARDRegression", ARD)):
        found = []
        for n, d, relevant, repeats in cases[:2] if chosen.quick else cases:
            x, y = rows(n, d, relevant)
            found.append(compare(x, y, 2 if chosen.quick else repeats, ard=name == "ARDRegression"))
        x, y = load_diabetes(return_X_y=True)
        found.append(compare(x, y, 2 if chosen.quick else 15, ard=name == "ARDRegression"))
        results[name] = found
        keys = [
            "scikit-learn, wall",
            "scikit-learn, cpu",
            "scikit-learn, run on, wall",
            "scikit-learn, run on, cpu",
        ]
        show(
            f"{name}: scikit-learn's time over mixtura's",
            ["n", "d", "ms", "wall", "CPU", "run on, wall", "run on, CPU", "steps", "theirs", "nats above", "run on", "kept", "theirs"],
            [
                [
                    f"{e['n']:,}", e["d"], f"{e['ms']:.1f}", *(f"{e[key]:.2f}" for key in keys), e["steps"], e["their steps"],
                    f"{e['evidence']:.2g}", f"{e['evidence, run on']:.2g}", e["kept"], e["their kept"],
                ]
                for e in found
            ],
            "whole fits, one thread each; nats above: log evidence of our variances less that of theirs; the last row is diabetes",
        )  # fmt: skip
    streamed = [
        chunks(n, d) for n, d in ([(20_000, 10)] if chosen.quick else [(1_000_000, 10), (200_000, 50)])
    ]
    results["chunks"] = streamed
    show(
        "A table at once and in a hundred chunks, each followed by all steps",
        ["n", "d", "ms", "chunks, ms", "max difference"],
        [
            [f"{e['n']:,}", e["d"], f"{e['ms']:.0f}", f"{e['chunks ms']:.0f}", f"{e['difference']:.0e}"]
            for e in streamed
        ],
    )
    record("bayesian_regression", results, quick=chosen.quick)


if __name__ == "__main__":
    main()
