"""A made-up shop whose customers go through three known phases."""

from __future__ import annotations

import numpy as np
import pandas as pd

CATEGORIES = ["MILK", "BREAD", "BEER", "CRISPS", "NAPPIES", "WIPES"]
VISITS = np.array([8.0, 4.0, 0.3])
PROFILES = np.array(
    [[0.3, 0.3, 0.15, 0.15, 0.05, 0.05], [0.1, 0.1, 0.05, 0.05, 0.4, 0.3], [0.3, 0.3, 0.15, 0.15, 0.05, 0.05]]
)
MOVES = np.array([[0.85, 0.1, 0.05], [0.05, 0.9, 0.05], [0.1, 0.0, 0.9]])


def make_journeys(n_customers: int = 150, n_months: int = 12, seed: int = 0, moves: np.ndarray = MOVES):
    """Lines of baskets, and the phase of every customer and month."""
    rng = np.random.default_rng(seed)
    rows, phases = [], np.empty((n_customers, n_months), dtype=int)
    basket = 0
    for customer in range(n_customers):
        phase = int(rng.integers(3))
        for month in range(n_months):
            phase = int(rng.choice(3, p=moves[phase])) if month else phase
            phases[customer, month] = phase
            days = np.sort(rng.integers(1, 29, size=rng.poisson(VISITS[phase])))
            for day in days:
                basket += 1
                stamp = np.datetime64("2023-01") + np.timedelta64(month, "M")
                date = stamp.astype("datetime64[D]") + np.timedelta64(int(day) - 1, "D")
                chosen = rng.choice(CATEGORIES, size=1 + rng.poisson(3), p=PROFILES[phase])
                rows += [(f"C{customer:03d}", basket, category, date) for category in chosen]
    # Somebody on the first and on the last day, so that all months are whole.
    last = np.datetime64("2023-01") + np.timedelta64(n_months, "M")
    for day in (np.datetime64("2023-01-01"), last.astype("datetime64[D]") - np.timedelta64(1, "D")):
        basket += 1
        rows.append(("C000", basket, "MILK", day))
    table = pd.DataFrame(rows, columns=["customer_id", "basket_id", "category", "date"])
    return table, phases
