"""The real baskets of the benchmarks: The Complete Journey, department GROCERY, lines per category, in order of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from _harness import say

N_BASKETS, N_CATEGORIES, N_HOUSEHOLDS = 121_140, 94, 2_458


@dataclass(frozen=True)
class Baskets:
    """Counts (N, C) in CSR, the household of every row, and where they come from."""

    counts: Any
    households: np.ndarray
    real: bool

    def split(self, test_fraction: float = 0.2) -> tuple[Baskets, Baskets]:
        """Earlier and later baskets; those of households that are new after the split are left out and counted."""
        n_train = round(self.counts.shape[0] * (1.0 - test_fraction))
        train = Baskets(self.counts[:n_train], self.households[:n_train], self.real)
        seen = np.flatnonzero(np.isin(self.households[n_train:], train.households)) + n_train
        dropped = self.counts.shape[0] - n_train - seen.size
        say(
            f"{n_train:,} training baskets, {seen.size:,} later ones; left out {dropped:,} of unseen households."
        )
        return train, Baskets(self.counts[seen], self.households[seen], self.real)

    def take(self, every: int) -> Baskets:
        """Every so-manyth household, for quick runs."""
        kept = np.flatnonzero(np.unique(self.households, return_inverse=True)[1] % every == 0)
        return Baskets(self.counts[kept], self.households[kept], self.real)


def load_baskets(*, quick: bool = False) -> Baskets:
    """The real baskets where they are installed, else generated ones of the same size."""
    found = _real() or _generated()
    return found.take(10) if quick else found


def _real() -> Baskets | None:
    try:
        from mixtura.segments import read_baskets
        from mixtura.segments.demo import demo_tables

        tables = demo_tables()
        found = read_baskets(tables["transactions"], tables["items"], where=tables["where"])
    except ImportError as error:
        say(f"Generated baskets of the same size instead of real ones: {error}")
        return None
    counts = sp.csr_matrix(found.counts, dtype=np.float64)
    counts.sort_indices()
    return Baskets(counts, np.asarray(found.customers), real=True)


def _generated() -> Baskets:
    """Thirty profiles, household weights around them, 5.3 lines in different categories per basket on average."""
    rng = np.random.default_rng(0)
    households = rng.integers(N_HOUSEHOLDS, size=N_BASKETS)
    profiles = rng.dirichlet(np.full(N_CATEGORIES, 0.15), size=30)
    weights = rng.dirichlet(np.full(30, 0.3), size=N_HOUSEHOLDS)
    states = (weights[households].cumsum(axis=1) < rng.random((N_BASKETS, 1))).sum(axis=1).clip(max=29)
    totals = 1 + rng.negative_binomial(0.7, 0.7 / (0.7 + 6.7), size=N_BASKETS)
    return Baskets(
        sp.csr_matrix(rng.multinomial(totals, profiles[states]).astype(float)), households, real=False
    )


def start(counts: Any, n_components: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Weights and profiles of a random partition, smoothed: a start that no peer needs a rule for."""
    rng = np.random.default_rng(seed)
    label = rng.integers(n_components, size=counts.shape[0])
    one_hot = sp.csr_matrix((np.ones(label.size), (label, np.arange(label.size))))
    sums = np.asarray((one_hot @ counts).todense()) + 0.5
    sums *= rng.gamma(
        2.0, size=sums.shape
    )  # partitions of many rows are all alike: EM would need long to part them
    return np.full(n_components, 1.0 / n_components), sums / sums.sum(axis=1, keepdims=True)
