"""Journeys on the demonstration's year: later months foreseen by phases, by the static model, and by their rivals.

    python benchmarks/journeys.py [--types 20]

Prints the chains that were tried, and for November and December the log-likelihoods per household and month with paired standard errors
(households as clusters), then whether foreseen chances came true.
"""

from __future__ import annotations

import argparse
import time

from mixtura.segments import journey_transactions
from mixtura.segments.demo import demo_tables


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--types", type=int, default=20, help="number of basket types")
    parser.add_argument("--moves", default="auto", help="auto, common or own")
    given = parser.parse_args()
    tables = {name: table for name, table in demo_tables().items() if name != "customers"}
    begun = time.perf_counter()
    found = journey_transactions(**tables, n_types=given.types, moves=given.moves)
    print(f"{time.perf_counter() - begun:.0f} seconds in all")
    content = found.results
    print(f"{content['choice']['sentence']}.\n")
    print("phases  by       foreseen    BIC      numbers  seconds")
    for row in content["criteria"]:
        mark = " *" if row["chosen"] else ""
        print(
            f"{row['n_components']:6}  {row['design']:7} {row['held_out']:9.4f} {row['bic']:10,.0f} {row['n_parameters']:6}"
            f" {row['seconds']:8.1f}{mark}"
        )
    print(f"\nown chances of moving, on the same months: {content['own_moves']}\n")
    checked = content["validation"]
    print(
        f"{checked['n_rows']:,} household-months, {checked['n_baskets']:,} baskets; nats, minus the static model's"
    )
    for row in checked["rows"]:
        parts = "  ".join(
            f"{name} {row[key]:+.4f} ± {row[f'{key}_se']:.4f}"
            for name, key in (
                ("all", "gain"),
                ("visits", "visits_gain"),
                ("content of a basket", "contents_gain"),
            )
        )
        print(f"{row['key']:9} {parts}")
    for name, part in content["calibration"].items():
        print(
            f"{name}: foreseen {part['foreseen']:.4f}, came true {part['seen']:.4f} ± {part['seen_se']:.4f}"
        )
        print("   ", "  ".join(f"{b['foreseen']:.2f}:{b['seen']:.2f}" for b in part["bins"]))
    print("\n".join(found.summary()))


if __name__ == "__main__":
    main()
