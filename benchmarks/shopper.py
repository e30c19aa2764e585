"""The shopper application: the demo, a second retailer, a refresh, and ten million lines, each in its own process.

Time and peak memory of the whole job (reading, models, checks, tables, report); the rivals on later baskets; the number of
segments with and without overdispersion; what a refresh keeps.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _harness import DATA, options, progress, record, say, show

TURN = "2017-10-01"  # the first nine months are before
COPIES = 11  # 11 x 928,997 grocery lines: ten million


def demo(folder: Path, *, quick: bool) -> dict[str, Any]:
    """The demo with its defaults: both levels, tree, checks and report."""
    from mixtura.report import write_report
    from mixtura.segments import segment_transactions
    from mixtura.segments.demo import demo_tables
    from mixtura.segments.output import read_results

    numbers = {"n_missions": 8, "n_segments": 4} if quick else {}
    found = segment_transactions(**demo_tables(), **numbers, out=folder / "demo")
    begun = time.perf_counter()
    missions, segments = read_results(folder / "demo")
    size = write_report(missions, folder / "again.html", segments).stat().st_size
    without = (found.segments["overdispersion"] or {}).get("multinomial", {})
    return {
        "report_s": time.perf_counter() - begun,
        "report_mb": size / 1e6,
        "missions": len(found.missions["missions"]),
        "segments": len(found.segments["segments"]),
        "segments_without_overdispersion": without.get("n_components"),
        "rivals": found.missions["rivals"],
        "stability": {
            level: None if part["stability"] is None else part["stability"]["ari"]
            for level, part in (("missions", found.missions), ("segments", found.segments))
        },
    }


def retail(folder: Path, *, quick: bool) -> dict[str, Any]:
    """A second retailer, items by description, with column options only."""
    from mixtura.segments import segment_transactions

    found = segment_transactions(
        DATA / "online_retail" / "online_retail.csv.gz",
        category="Description",
        top_items=100 if quick else 500,
        n_missions=5 if quick else None,
        out=folder / "retail",
    )
    return {
        "missions": [mission["name"] for mission in found.missions["missions"]],
        "segments": [segment["name"] for segment in found.segments["segments"]],
        "notes": found.missions["notes"],
        "dropped": found.missions["data"]["dropped"],
    }


def refresh(folder: Path, *, quick: bool) -> dict[str, Any]:
    """Nine months first, then all twelve from there."""
    from mixtura.segments import segment_transactions
    from mixtura.segments.demo import demo_tables

    tables = demo_tables()
    numbers = {"n_missions": 8 if quick else 30, "n_segments": 4 if quick else 6}
    before = tables | {"where": f"{tables['where']} AND transaction_timestamp < '{TURN}'"}
    few = {"bootstrap": 0, "rivals": False}
    first = segment_transactions(**before, **numbers, **few, out=folder / "nine")
    second = segment_transactions(**tables, **numbers, **few, previous=folder / "nine", out=folder / "twelve")
    result: dict[str, Any] = {}
    for level, old, new in (
        ("missions", first.missions, second.missions),
        ("segments", first.segments, second.segments),
    ):
        names = {entry["number"]: entry["name"] for entry in old[level]}
        kept = [entry for entry in new[level] if names.get(entry["number"]) == entry["name"]]
        table = new["refresh"]["migration"]["counts"]
        result[level] = {
            "before": len(old[level]),
            "matched": new["refresh"]["n_matched"],
            "names_kept": len(kept),
            "migration_sum": sum(sum(row) for row in table),
            "customers": new["data"]["n_customers"],
        }
    return result


def large(folder: Path, *, quick: bool) -> dict[str, Any]:
    """The demo's lines several times over, with new customers and baskets; K given."""
    from mixtura.segments import segment_transactions
    from mixtura.segments.demo import demo_tables
    from mixtura.segments.engine import connect

    tables = demo_tables()
    copies = 2 if quick else COPIES
    with connect() as connection:
        connection.execute(
            f"""COPY (SELECT t.* REPLACE (household_id + 100000 * copy AS household_id,
                 basket_id + 100000000000 * copy AS basket_id)
                 FROM '{tables["transactions"]}' t JOIN '{tables["items"]}' i USING (product_id),
                 range({copies}) AS copies(copy) WHERE {tables["where"]})
                 TO '{folder / "large.parquet"}'"""  # noqa: S608 - our own names
        )
    begun = time.perf_counter()
    found = segment_transactions(
        folder / "large.parquet",
        tables["items"],
        n_missions=8 if quick else 30,
        n_segments=4 if quick else 6,
        memory_limit="2GB",
        out=folder / "large",
    )
    return {"lines": found.missions["data"]["n_lines"], "job_s": time.perf_counter() - begun}


JOBS = {"demo": demo, "retail": retail, "refresh": refresh, "large": large}


def main() -> None:
    """Measure, print, record."""
    chosen = options(
        __doc__ or "",
        ("--only", {"nargs": "*", "choices": tuple(JOBS), "default": tuple(JOBS)}),
        ("--job", {"help": "internal: the job of this process"}),
    )
    if chosen.job:
        with tempfile.TemporaryDirectory(prefix="mixtura-") as name:
            begun, cpu = time.perf_counter(), time.process_time()
            found = JOBS[chosen.job](Path(name), quick=chosen.quick)
            found |= {
                "wall_s": time.perf_counter() - begun,
                "cpu_s": time.process_time() - cpu,
                "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        sys.stdout.write("\n" + json.dumps(found) + "\n")
        return
    results: dict[str, Any] = {}
    for name in chosen.only:
        if name == "retail" and not DATA.is_dir():
            say("retail: the shared data are not here, so it is left out")
            continue
        command = [sys.executable, __file__, "--job", name, *(["--quick"] if chosen.quick else [])]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        results[name] = json.loads(done.stdout.strip().splitlines()[-1])
        progress(f"{name}: {results[name]['wall_s']:.0f} s")
    show(
        "The whole job",
        ["job", "wall (s)", "CPU (s)", "peak memory (MB)"],
        [
            [name, *(f"{found[key]:.0f}" for key in ("wall_s", "cpu_s", "peak_mb"))]
            for name, found in results.items()
        ],
    )
    for rival in (results.get("demo") or {}).get("rivals") or []:
        say(f"{rival['name']}: {rival['held_out']:.4f} ({rival['difference']} ± {rival['difference_se']})")
    for name, found in results.items():
        say(f"{name}: { {key: value for key, value in found.items() if key not in {'rivals', 'notes'}} }")
    record("shopper", results, quick=chosen.quick)


if __name__ == "__main__":
    main()
