"""Dirichlet-multinomial mixtures: steps of Newton and of the fixed point to one maximum, and the time of a whole fit.

    OMP_NUM_THREADS=1 python benchmarks/dirichlet_multinomial.py

Steps: one component, 300 rows x 20 categories, from the first guess by moments until a step gains less than 1e-8 per
row. Minka's fixed point, the one that is also safe for counts below one, and the guarded Newton step. Time: 2,500
rows x 50 categories, six components, all starts; whole counts (62 % zeros) and fractions without zeros.
"""

import time

import numpy as np

from mixtura.components import DirichletMultinomial
from mixtura.components.dirichlet_multinomial import fixed_point, newton_step
from mixtura.models import DirichletMultinomialMixture
from mixtura.protocols import Encoding

MOST = 5000


def minka(alpha, stats):
    return alpha * stats["score"] / stats["total_score"][:, None]


def guarded(alpha, stats):
    step, safe = newton_step(alpha, stats)
    return np.where(safe[:, None], step, fixed_point(alpha, stats))


def counts(concentration, rng):
    shares = rng.dirichlet(np.full(20, 0.5)) + 1e-4
    shares /= shares.sum()
    totals = rng.integers(5, 120, 300)
    own = np.tile(shares, (300, 1)) if concentration is None else rng.dirichlet(concentration * shares, 300)
    return np.array([rng.multinomial(n, p) for n, p in zip(totals, own, strict=True)], dtype=float)


def steps(x, rule):
    """Number of steps and the log-likelihood at the end."""
    x = np.ascontiguousarray(x.T[x.sum(axis=0) > 0])
    blank, resp = DirichletMultinomial(), np.ones((1, x.shape[1]))
    block = blank.encode(x, Encoding(len(x)))
    component = blank.maximize(blank.expected_statistics(block, resp))
    value = component.log_prob(block).sum()
    for done in range(1, MOST + 1):
        component = component.replace(rule(component.alpha, component.expected_statistics(block, resp)))
        before, value = value, component.log_prob(block).sum()
        if abs(value - before) < 1e-8 * x.shape[1]:
            return done, value, component.concentration[0]
    return MOST, value, component.concentration[0]


def fit_times(*, fractions):
    rng = np.random.default_rng(1)
    profiles = rng.dirichlet(np.full(50, 0.5), 6) + 1e-3
    alpha = rng.uniform(5, 30, 6)[:, None] * profiles / profiles.sum(axis=1, keepdims=True)
    label, totals = rng.integers(0, 6, 2500), rng.integers(5, 400, 2500)
    x = np.array(
        [rng.multinomial(n, rng.dirichlet(alpha[k])) for n, k in zip(totals, label, strict=True)]
    ).astype(float)
    if fractions:
        x = 0.8 * x + 0.2 * x[:, rng.permutation(50)] + 0.01 * rng.random(x.shape)
    seconds = []
    for _ in range(4):  # the first one also loads what was compiled
        begun = time.perf_counter()
        DirichletMultinomialMixture(6, random_state=0).fit(x)
        seconds.append(time.perf_counter() - begun)
    return seconds


def main():
    print(f"{'data':<22}{'Minka':>18}{'fixed point':>18}{'guarded Newton':>18}{'A':>12}")
    rng = np.random.default_rng(0)
    for name, concentration in (("A = 0.8", 0.8), ("A = 8", 8.0), ("A = 200", 200.0), ("multinomial", None)):
        tables = {name: counts(concentration, rng)}
        if concentration == 8.0:
            x = tables[name]
            tables["A = 8, fractions"] = 0.7 * x + 0.3 * np.roll(x, 1, axis=1) + 0.01 * rng.random(x.shape)
        for title, x in tables.items():
            found = [steps(x, rule) for rule in (minka, fixed_point, guarded)]
            cells = "".join(f"{done:>6} {value:>11.4f}" for done, value, _ in found)
            print(f"{title:<22}{cells}{found[-1][2]:>12.4g}")
    for title, fractions in (("whole counts", False), ("fractions", True)):
        first, *again = fit_times(fractions=fractions)
        print(f"fit of {title}: {min(again):.2f} s (first {first:.2f} s)")


if __name__ == "__main__":
    main()
