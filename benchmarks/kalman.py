"""Kalman filter and smoother, state 4, observation 2, against a plain NumPy loop and statsmodels, on one thread.

Rows come complete, so that covariances settle and only means are left to do, and with a tenth of the cells missing, where every
row needs its own covariances. All three must agree. An EM iteration is the smoother with its sums and the M-step.
The loop's time is that of a tenth of the rows, times ten. statsmodels is optional, and is told to smooth states only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from _harness import against, interleaved, options, pinned, record, say, show

from mixtura.chains import Joseph, LinearGaussianChain, SquareRoot, System
from mixtura.protocols import Batch

STATES, FEATURES, ROWS = 4, 2, 100_000
GOAL = 20.0
PART = 10


def system() -> System:
    """Two damped rotations, seen through two columns."""
    rng = np.random.default_rng(0)
    transition = 0.97 * np.linalg.qr(rng.normal(size=(STATES, STATES)))[0]
    return System.of(
        transition, rng.normal(size=(FEATURES, STATES)), 0.1 * np.eye(STATES), 0.5 * np.eye(FEATURES)
    )


def rows(model: System, n: int, missing: float) -> np.ndarray:
    """A sequence of the system, shape (n, D), with holes."""
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(n, STATES)) * np.sqrt(0.1)
    x = rng.normal(size=(n, FEATURES)) * np.sqrt(0.5)
    z = rng.normal(size=STATES)
    for t in range(n):
        z = model.transition @ z + noise[t]
        x[t] += model.observation @ z
    x[rng.random(x.shape) < missing] = np.nan
    return x


def plain_loop(model: System, x: np.ndarray) -> tuple[np.ndarray, float]:
    """Smoothed means and log evidence as from a textbook, row by row in NumPy."""
    n = len(x)
    a, c, gamma, sigma = model.transition, model.observation, model.state_noise, model.observation_noise
    means, covariances = np.empty((n, STATES)), np.empty((n, STATES, STATES))
    ahead, spreads = np.empty_like(means), np.empty_like(covariances)
    m, p, evidence = model.initial_mean, model.initial_covariance, 0.0
    for t in range(n):
        if t:
            m, p = a @ m, a @ p @ a.T + gamma
        ahead[t], spreads[t] = m, p
        seen = ~np.isnan(x[t])
        if seen.any():
            own = c[seen]
            inner = own @ p @ own.T + sigma[np.ix_(seen, seen)]
            gain = np.linalg.solve(inner, own @ p).T
            away = x[t, seen] - own @ m
            evidence -= 0.5 * (
                away @ np.linalg.solve(inner, away)
                + np.linalg.slogdet(inner)[1]
                + seen.sum() * np.log(2 * np.pi)
            )
            left = np.eye(STATES) - gain @ own
            m, p = m + gain @ away, left @ p @ left.T + gain @ sigma[np.ix_(seen, seen)] @ gain.T
        means[t], covariances[t] = m, p
    for t in range(n - 2, -1, -1):
        back = np.linalg.solve(spreads[t + 1], a @ covariances[t]).T
        means[t] += back @ (means[t + 1] - ahead[t + 1])
        covariances[t] += back @ (covariances[t + 1] - spreads[t + 1]) @ back.T
    return means, evidence


def ours(
    model: System, x: np.ndarray, form: Any, *, smooth: bool = True
) -> Callable[[], tuple[np.ndarray, float]]:
    """Our smoother, or filter."""
    chain = LinearGaussianChain(model, form=form)
    steps = model.steps(Batch(x.T, np.ones(len(x)), np.array([0, len(x)])), {})

    def call() -> tuple[np.ndarray, float]:
        filtered = chain.form.filter(steps)
        evidence = float(filtered.log_prob.sum())
        return (chain.form.smooth(steps, filtered).mean if smooth else filtered.mean), evidence

    return call


def em_iteration(model: System, x: np.ndarray) -> Callable[[], Any]:
    """The E-step with its sums, and the M-step."""
    chain = LinearGaussianChain(model)
    batch = Batch(np.ascontiguousarray(x.T), np.ones(len(x)), np.array([0, len(x)]))
    memory: dict[str, np.ndarray] = {}
    return lambda: chain.maximize(chain.summarize(batch, memory))


def statsmodels(model: System, x: np.ndarray) -> Callable[[], tuple[np.ndarray, float]] | None:
    """Theirs, or None where it is not installed."""
    try:
        from statsmodels.tsa.statespace.kalman_smoother import SMOOTHER_STATE
        from statsmodels.tsa.statespace.mlemodel import MLEModel
    except ImportError:
        return None
    other = MLEModel(x, k_states=STATES, loglikelihood_burn=0)
    for name, value in (
        ("transition", model.transition),
        ("design", model.observation),
        ("state_cov", model.state_noise),
        ("obs_cov", model.observation_noise),
        ("selection", np.eye(STATES)),
    ):
        other[name] = value
    other.ssm.initialize_known(model.initial_mean, model.initial_covariance)

    def call() -> tuple[np.ndarray, float]:
        found = other.ssm.smooth(smoother_output=SMOOTHER_STATE)
        return found.smoothed_state.T, float(found.llf)

    return call


def main() -> None:
    """Time all of them in turn."""
    chosen = options(__doc__ or "")
    n, repeats = (ROWS // 10, 3) if chosen.quick else (ROWS, 7)
    model, table, results = system(), [], {}
    for title, missing in (("complete", 0.0), ("a tenth of the cells missing", 0.1)):
        x = rows(model, n, missing)
        calls: dict[str, Callable[[], Any]] = {
            "mixtura, smoother": ours(model, x, Joseph()),
            "mixtura, filter": ours(model, x, Joseph(), smooth=False),
            "mixtura, never steady": ours(model, x, Joseph(steady=False)),
            "mixtura, square root": ours(model, x, SquareRoot()),
            "mixtura, EM iteration": em_iteration(model, x),
            "plain NumPy loop": lambda x=x: plain_loop(model, x[: n // PART]),
        }
        theirs = statsmodels(model, x)
        if theirs is not None:
            calls["statsmodels, smoother"] = theirs
        with pinned(1):
            mean, evidence = calls["mixtura, smoother"]()
            for name in (
                "mixtura, never steady",
                "mixtura, square root",
                *(["statsmodels, smoother"] if theirs else []),
            ):
                other, found = calls[name]()
                assert np.abs(other - mean).max() < 1e-6, name
                assert abs(found - evidence) < 1e-6 * abs(evidence), name
            part, found = plain_loop(model, x[: n // PART])
            mean, evidence = ours(model, x[: n // PART], Joseph())()
            assert np.abs(part - mean).max() < 1e-8
            assert abs(found - evidence) < 1e-8 * abs(evidence)
            calls["mixtura, EM iteration"]()
            costs = interleaved(calls, repeats)
        costs["plain NumPy loop"] = costs["plain NumPy loop"] / (1 / PART)
        base = costs["mixtura, smoother"].cpu
        results[title] = {name: {"cpu": cost.cpu, "ratio": cost.cpu / base} for name, cost in costs.items()}
        table += [
            [title, name, f"{1000 * cost.cpu:.1f}", f"{1e6 * cost.cpu / n:.2f}", f"{cost.cpu / base:.1f}"]
            for name, cost in costs.items()
        ]
    show(
        f"T = {n:,}, state {STATES}, observation {FEATURES}: median CPU time of {repeats} calls that take turns",
        ["rows", "what", "ms", "µs a row", "times our smoother"],
        table,
    )
    for title, found in results.items():
        ratio = found["plain NumPy loop"]["ratio"]
        say(
            f"{title}: {ratio:.0f} times the speed of a plain NumPy loop; goal {GOAL:.0f}: {against(GOAL, ratio)}"
        )
    if "statsmodels, smoother" not in results["complete"]:
        say("statsmodels is not installed here, so it was left out.")
    record("kalman", results, quick=chosen.quick)


if __name__ == "__main__":
    main()
