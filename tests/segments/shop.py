"""A made-up shop with three missions: hundreds of lines, in the tables that real shops have."""

from __future__ import annotations

import numpy as np
import pandas as pd

CATEGORIES = ["MILK", "BREAD", "CHEESE", "BEER", "CRISPS", "PIZZA", "NAPPIES", "BABY FOOD", "WIPES"]
PROFILES = np.kron(np.eye(3), np.full((1, 3), 0.3)) + 0.1 / 9
PROFILES /= PROFILES.sum(axis=1, keepdims=True)


def make_shop(
    n_customers: int = 24, n_baskets: int = 200, seed: int = 0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Transactions and items: every customer prefers one mission, 27 products in 9 categories."""
    rng = np.random.default_rng(seed)
    tastes = rng.dirichlet([0.4, 0.4, 0.4], size=n_customers)
    minutes = np.sort(rng.choice(60 * 24 * 60, size=n_baskets, replace=False))
    rows = []
    for basket, minute in enumerate(minutes):
        customer = int(rng.integers(n_customers))
        mission = rng.choice(3, p=tastes[customer])
        for category in rng.choice(9, size=2 + rng.poisson(3), p=PROFILES[mission]):
            product = 100 + 3 * category + rng.integers(3)
            stamp = np.datetime64("2024-01-01T08:00") + np.timedelta64(int(minute), "m")
            rows.append((customer + 1, 5000 + basket, product, int(rng.integers(1, 4)), stamp))
    transactions = pd.DataFrame(
        rows, columns=["household_id", "basket_id", "product_id", "quantity", "transaction_timestamp"]
    )
    items = pd.DataFrame(
        {
            "product_id": np.arange(100, 127),
            "department": np.where(np.arange(27) < 18, "FOOD", "BABY"),
            "product_category": np.repeat(CATEGORIES, 3),
        }
    )
    return transactions, items
