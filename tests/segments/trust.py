"""Baskets of the made-up shop as arrays, with the truth about them."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from segments.shop import PROFILES


def make_baskets(n_customers=60, n_baskets=600, seed=0, profiles=PROFILES):
    """Counts, customers (as text) and the true mission of every basket; customers differ in taste and in number of baskets."""
    rng = np.random.default_rng(seed)
    tastes = rng.dirichlet(np.full(len(profiles), 0.4), size=n_customers)
    often = rng.dirichlet(np.full(n_customers, 2.0))
    customers = rng.choice(n_customers, size=n_baskets, p=often)
    missions = np.array([rng.choice(len(profiles), p=tastes[customer]) for customer in customers])
    counts = np.array([rng.multinomial(2 + rng.poisson(3), profiles[mission]) for mission in missions])
    return sparse.csr_array(counts), np.array([f"c{customer:03d}" for customer in customers]), missions


def soft(missions, n_components=3, certainty=0.9):
    """Probabilities that name the true mission with this certainty."""
    resp = np.full((len(missions), n_components), (1 - certainty) / max(n_components - 1, 1))
    resp[np.arange(len(missions)), missions] = certainty if n_components > 1 else 1.0
    return resp
