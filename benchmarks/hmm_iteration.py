"""One Baum-Welch step of a Gaussian hidden Markov model, full covariance, against hmmlearn from the same start.

hmmlearn has two implementations, "scaling" and "log"; the goal is set against the faster one. Also: parameters after the step, and
what two threads gain on many sequences. dynamax, where it is installed, compiles in every call: its step is a quarter of what five steps
take longer than one.
"""

from __future__ import annotations

import importlib.util
import logging
import os
from typing import Any

import numpy as np
from _chain_data import Sequences, ours, sequences, step
from _harness import against, available_cores, interleaved, options, pinned, progress, record, say, show

from mixtura.executors import Serial, Threads

try:
    from hmmlearn.hmm import GaussianHMM as Hmmlearn
except ImportError:
    Hmmlearn = None

# rows, states, sequences, goal
CASES = [(100_000, 4, 1, 5.0), (100_000, 16, 1, 8.0), (100_000, 64, 1, 10.0), (100_000, 4, 1000, 5.0)]
# With hmmlearn's logarithms a step takes half a minute here.
MOST_IN_LOGS = 16
PEERS = ("scaling", "log")
HAS_DYNAMAX = importlib.util.find_spec("dynamax") is not None


def hmmlearn(data: Sequences, implementation: str) -> Hmmlearn:
    """One step of hmmlearn, without its priors."""
    model = Hmmlearn(
        len(data.initial),
        "full",
        n_iter=1,
        init_params="",
        implementation=implementation,
        tol=-np.inf,
        covars_prior=0.0,
        covars_weight=0.0,
    )
    model.startprob_, model.transmat_ = data.initial, data.transition
    model.means_, model.covars_ = data.means, data.covariance
    return model.fit(data.x, data.lengths)


def dynamax(data: Sequences, n_steps: int) -> Any:
    """Steps of dynamax in double precision, without its priors, on one sequence."""
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
    import jax
    from dynamax.hidden_markov_model import GaussianHMM

    jax.config.update("jax_enable_x64", val=True)
    model = GaussianHMM(len(data.initial), data.x.shape[1])
    start, properties = model.initialize(
        jax.random.PRNGKey(0),
        initial_probs=jax.numpy.asarray(data.initial),
        transition_matrix=jax.numpy.asarray(data.transition),
        emission_means=jax.numpy.asarray(data.means),
        emission_covariances=jax.numpy.asarray(data.covariance),
    )
    rows = jax.numpy.asarray(data.x)[None]
    return jax.block_until_ready(model.fit_em(start, properties, rows, num_iters=n_steps, verbose=False)[1])


def difference(data: Sequences) -> float:
    """Largest difference of any parameter after the step, relative to the parameter's largest value."""
    model, source = ours(data)
    with Serial().session() as session:
        mine, theirs = step(model, source, session), hmmlearn(data, "scaling")
    pairs = [
        (mine.structure.initial, theirs.startprob_),
        (mine.structure.transition, theirs.transmat_),
        (mine.components.mean + mine.encoding.origin, theirs.means_),
        (mine.components.covariance, theirs.covars_),
    ]
    return max(float(np.max(np.abs(a - b)) / np.max(np.abs(b))) for a, b in pairs)


def measured(data: Sequences, repeats: int) -> dict[str, Any]:
    """Costs of a step of each, taking turns."""
    model, source = ours(data)
    with pinned(1), Serial().session() as alone, Threads(available_cores()).session() as together:
        calls = {"mixtura": lambda: step(model, source, alone)}
        if len(data.lengths) > 1:
            calls["threads"] = lambda: step(model, source, together)
        for name in PEERS if Hmmlearn is not None else ():
            if name == "scaling" or len(data.initial) <= MOST_IN_LOGS:
                calls[name] = lambda name=name: hmmlearn(data, name)
        if HAS_DYNAMAX and len(data.lengths) == 1:
            calls |= {f"dynamax {n}": lambda n=n: dynamax(data, n) for n in (1, 5)}
        calls["mixtura"]()  # compiled once
        costs = interleaved(calls, repeats)
        entry: dict[str, Any] = {"difference": difference(data) if Hmmlearn is not None else np.nan}
    own = costs["mixtura"]
    if "dynamax 5" in costs:
        one, five = costs.pop("dynamax 1"), costs.pop("dynamax 5")
        entry |= {
            "dynamax_ms": 250.0 * (five.wall - one.wall),
            "dynamax_cpu_ms": 250.0 * (five.cpu - one.cpu),
        }
    for name, cost in costs.items():
        entry |= {f"{name}_ms": 1e3 * cost.wall, f"{name}_cpu_ms": 1e3 * cost.cpu}
    peers = [cost for name, cost in costs.items() if name in PEERS]
    entry["wall"] = min((cost.wall for cost in peers), default=np.nan) / own.wall
    entry["cpu"] = min((cost.cpu for cost in peers), default=np.nan) / own.cpu
    return entry


def main() -> None:
    """Measure, print, record."""
    chosen = options(__doc__ or "", ("--repeats", {"type": int, "default": 7, "help": "turns of each"}))
    logging.disable(logging.WARNING)  # hmmlearn says after every step that it has not converged
    if Hmmlearn is None:
        say(
            "hmmlearn is not installed here, so only mixtura is timed. To compare: pip install hmmlearn in an environment of its own."
        )
    results = []
    for rows, states, n_sequences, goal in CASES:
        n_rows = rows // 10 if chosen.quick else rows
        few = max(n_sequences // 10, 1) if chosen.quick else n_sequences
        data = sequences(n_rows, states, few)
        entry = {"rows": n_rows, "states": states, "sequences": few, "goal": goal}
        entry |= measured(data, 2 if chosen.quick else chosen.repeats)
        progress(f"K = {states}, {few} sequences: {entry['cpu']:.1f} (CPU)")
        results.append(entry)
    columns = [
        "rows",
        "K",
        "sequences",
        "ms",
        "scaling ms",
        "log ms",
        "dynamax ms",
        "wall",
        "CPU",
        "goal",
        "",
        "threads",
        "max difference",
    ]
    table = [
        [
            f"{e['rows']:,}",
            e["states"],
            f"{e['sequences']:,}",
            *(
                f"{e[f'{name}_ms']:.1f}" if f"{name}_ms" in e else "-"
                for name in ("mixtura", *PEERS, "dynamax")
            ),
            f"{e['wall']:.1f}",
            f"{e['cpu']:.1f}",
            e["goal"],
            against(e["goal"], min(e["wall"], e["cpu"])) if Hmmlearn is not None else "",
            f"{e['mixtura_ms'] / e['threads_ms']:.2f}" if "threads_ms" in e else "-",
            f"{e['difference']:.0e}{' TOO LARGE' if e['difference'] > 1e-10 else ''}",
        ]
        for e in results
    ]
    show(
        "Baum-Welch step: hmmlearn's faster implementation over mixtura",
        columns,
        table,
        f"d = 2, full covariance, one thread each; threads: gain of {available_cores()} threads over one",
    )
    record("hmm_iteration", results, quick=chosen.quick)


if __name__ == "__main__":
    main()
