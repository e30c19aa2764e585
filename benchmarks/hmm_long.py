"""A pass over one sequence of ten million rows, eight states: time and peak memory, with and without checkpoints.

Every way runs in a process of its own, whose largest resident memory is what the system says; that of a process which only makes the
rows is taken off. "all at once" scores all rows, infers, and sums, as the library does where it has no pass of its own for a structure.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from _chain_data import ours, sequences
from _harness import options, pinned, progress, record, show, timed

from mixtura.protocols import Batch
from mixtura.statistics import Statistics
from mixtura.structures import LatentMixture

N_ROWS, N_STATES = 10_000_000, 8


def in_chunks(model: LatentMixture, batch: Batch) -> Statistics:
    """The library's pass."""
    return model.summarize(batch, {})


def all_at_once(model: LatentMixture, batch: Batch) -> Statistics:
    """Scores of all rows, then messages, then sums."""
    block = model.components.encode(batch.x, model.encoding)
    found = model.structure.infer(model.components.log_prob(block), batch, {})
    return Statistics(
        log_evidence=float(found.log_evidence.sum()),
        parts={
            "structure": found.statistics,
            "components": model.components.expected_statistics(block, found.resp),
        },
    )


# name -> the pass, and whether it keeps messages at chunks' borders only
WAYS: dict[str, tuple[Callable[[LatentMixture, Batch], Statistics] | None, bool]] = {
    "rows alone": (None, False),
    "kept": (in_chunks, False),
    "checkpoints": (in_chunks, True),
    "all at once": (all_at_once, False),
}


def peak() -> int:
    """Largest resident memory of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def alone(n_rows: int, way: str) -> None:
    """In a process of its own: one pass, or none."""
    make, checkpoint = WAYS[way]
    data = sequences(n_rows, N_STATES)
    model, source = ours(data, checkpoint=checkpoint)
    warm, few = ours(sequences(20_000, N_STATES), checkpoint=checkpoint)
    batch = source[0]
    found: dict[str, Any] = {"rows_mb": data.x.nbytes / 1e6}
    with pinned(1):
        in_chunks(warm, few[0])  # everything that is loaded or compiled once
        if make is not None:
            cost, stats = timed(lambda: make(model, batch))
            found |= {"wall": cost.wall, "cpu": cost.cpu, "log_evidence": stats.log_evidence}
            found["sums"] = [value.ravel().tolist() for value in stats.to_arrays().values()]
    found["peak_mb"] = peak() / 1e6
    print(json.dumps(found))


def difference(one: list[list[float]], other: list[list[float]]) -> float:
    """Largest difference of any sum, relative to the largest entry of its table."""
    pairs = [(np.array(a), np.array(b)) for a, b in zip(one, other, strict=True)]
    return max(float(np.max(np.abs(a - b)) / max(np.max(np.abs(b)), 1.0)) for a, b in pairs if len(a) > 2)


def main() -> None:
    """Measure, print, record."""
    chosen = options(
        __doc__ or "",
        ("--rows", {"type": int, "default": N_ROWS, "help": "length of the sequence"}),
        ("--way", {"choices": list(WAYS), "help": "internal: what one process does"}),
    )
    n_rows = min(chosen.rows, 300_000) if chosen.quick else chosen.rows
    if chosen.way:
        alone(n_rows, chosen.way)
        return
    found = {}
    for way in WAYS:
        command = [sys.executable, __file__, "--rows", str(n_rows), "--way", way]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found[way] = json.loads(done.stdout)
        progress(f"{way}: peak {found[way]['peak_mb']:.0f} MB")
    base, first = found.pop("rows alone"), found["kept"]
    results = {
        way: {
            "wall": one["wall"],
            "cpu": one["cpu"],
            "beyond_mb": one["peak_mb"] - base["peak_mb"],
            "difference": difference(one["sums"], first["sums"]),
        }
        for way, one in found.items()
    }
    show(
        f"One pass over {n_rows:,} rows, K = {N_STATES}, d = 2, full covariance, one thread",
        ["way", "seconds", "CPU seconds", "peak beyond the rows (MB)", "difference of the sums"],
        [
            [way, f"{e['wall']:.2f}", f"{e['cpu']:.2f}", f"{e['beyond_mb']:.0f}", f"{e['difference']:.0e}"]
            for way, e in results.items()
        ],
        f"the rows take {base['rows_mb']:.0f} MB, and twice that with the library's copy; filtered probabilities of all rows would "
        f"take {8e-6 * n_rows * N_STATES:.0f} MB",
    )
    record("hmm_long", {"rows": n_rows, "states": N_STATES, "ways": results}, quick=chosen.quick)


if __name__ == "__main__":
    main()
