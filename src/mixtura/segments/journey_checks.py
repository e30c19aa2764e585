r"""Do phases foresee what comes? Later periods, one period ahead, against customers who never change.

What is foreseen is the number of visits of a customer in the next period, and what is in each of them. Given all periods before:

- *one phase*: one law of the number of visits and one mix of basket types for everybody;
- *static*: each customer's own rate of visits, :math:`\lambda_h \sim \mathrm{Gamma}`, and own mix of basket types, shrunk to everybody's as
  far as the data ask for it (the household model of `mixtura segment`), both brought up to date with every period;
- *phases alone*: the customer is known through the phase only;
- *journeys*: visits by the phases, and the own mix, which leans on that of the phase instead of everybody's.

All are compared on the same visits. Standard errors are paired, and treat everything of one customer as one observation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import gammaln, logsumexp

from mixtura.segments.evaluation import clustered_mean
from mixtura.segments.journey_grid import Grid
from mixtura.segments.journey_phases import Phases

__all__ = ["OwnRates", "Types", "calibration", "own_rates", "validation"]

N_BINS = 8


@dataclass(frozen=True)
class Types:
    """The basket types, and the static model of each customer's mix of them.

    Parameters
    ----------
    population : MultinomialMixture
        One set of weights for everybody; its profiles are the types.
    household : GroupedMultinomialMixture
        Weights of each customer.
    interrupted : bool, default False
        Whether Ctrl-C ended the search for their number.
    """

    population: Any
    household: Any
    interrupted: bool = False


@dataclass(frozen=True)
class OwnRates:
    """Own rates of visits: a gamma law of all customers, and what each has shown.

    Parameters
    ----------
    shape, rate : float
        Of the gamma law, in visits and periods.
    """

    shape: float
    rate: float

    def log_prob(self, visits: np.ndarray, before: np.ndarray, n_periods: np.ndarray) -> np.ndarray:
        """Log probability of the visits of a period after so many in so many periods: a negative binomial law."""
        shape, rate = self.shape + before, self.rate + n_periods
        return np.asarray(
            gammaln(shape + visits)
            - gammaln(shape)
            - gammaln(visits + 1.0)
            + shape * np.log(rate / (rate + 1.0))
            - visits * np.log(rate + 1.0)
        )


def own_rates(visits: np.ndarray, n_periods: np.ndarray) -> OwnRates:
    """The gamma law of customers' rates, by maximum likelihood.

    Parameters
    ----------
    visits, n_periods : ndarray, shape (H,)
        Visits of each customer, and in how many periods.

    Returns
    -------
    OwnRates
        The law.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rates = rng.gamma(2.0, 1 / 0.5, size=4000)
    >>> found = own_rates(rng.poisson(10 * rates), np.full(4000, 10))
    >>> round(found.shape, 1), round(found.rate, 1)
    (2.0, 0.5)
    """

    def loss(logs: np.ndarray) -> float:
        shape, rate = np.exp(logs)
        terms = (
            gammaln(visits + shape)
            - gammaln(shape)
            + shape * np.log(rate)
            - (shape + visits) * np.log(rate + n_periods)
        )
        return -float(terms.sum())

    mean = max(float(visits.sum() / n_periods.sum()), 1e-6)
    limits = [(-7.0, 12.0)] * 2
    found = minimize(loss, [0.0, -np.log(mean)], bounds=limits, method="L-BFGS-B")
    shape, rate = np.exp(found.x)
    return OwnRates(float(shape), float(rate))


def validation(grid: Grid, types: Types, phases: Phases, single: Phases) -> dict[str, Any] | None:
    """Compare what was foreseen with what came.

    Parameters
    ----------
    grid : Grid
        Customers and periods.
    types : Types
        The basket types.
    phases, single : Phases
        The chosen chain, and one phase for all.

    Returns
    -------
    dict or None
        ``{"n_customers", "n_rows", "n_baskets", "periods", "rows": [...]}``; None without later periods of customers known before.
    """
    shown = np.flatnonzero(~grid.learnt & (grid.first[grid.row_owner] < grid.n_train))
    if not shown.size:
        return None
    owners = grid.row_owner[shown]
    baskets = np.flatnonzero(np.isin(grid.row_of_basket, shown))
    contents = _contents(grid, types, phases, baskets)
    visits = _visits(grid, phases, single, shown)
    place = np.searchsorted(shown, grid.row_of_basket[baskets])
    names = {
        "one": "Everybody alike",
        "static": "Customers who never change (static model)",
        "phases": "Phases alone",
        "journeys": "Journeys: phases, and each customer's own mix",
    }
    whole = {
        key: visits[key] + np.bincount(place, weights=contents[key], minlength=len(shown)) for key in names
    }
    rows = []
    for key, name in names.items():
        gain, error = clustered_mean(whole[key] - whole["static"], owners)
        row = {
            "key": key,
            "name": name,
            "log_likelihood": float(whole[key].mean()),
            "gain": gain,
            "gain_se": error,
        }
        row["visits"] = float(visits[key].mean())
        row["visits_gain"], row["visits_gain_se"] = clustered_mean(visits[key] - visits["static"], owners)
        if baskets.size:
            row["contents"] = float(contents[key].mean())
            differences = contents[key] - contents["static"]
            row["contents_gain"], row["contents_gain_se"] = clustered_mean(differences, grid.owner[baskets])
        rows.append(row)
    return {
        "n_customers": len(np.unique(owners)),
        "n_rows": len(shown),
        "n_baskets": len(baskets),
        "periods": list(grid.periods.labels[grid.n_train :]),
        "rows": rows,
    }


def _visits(grid: Grid, phases: Phases, single: Phases, shown: np.ndarray) -> dict[str, np.ndarray]:
    """Log probability of the number of visits in each row shown."""
    visits = grid.visits.astype(float)
    before = np.cumsum(visits) - visits
    before -= np.repeat(before[grid.offsets[:-1]], grid.lengths)
    n_before = (grid.row_period - grid.first[grid.row_owner])[shown]
    learnt = np.bincount(
        grid.row_owner[grid.learnt], weights=visits[grid.learnt], minlength=len(grid.customers)
    )
    n_learnt = np.maximum(grid.n_train - grid.first, 0)
    rates = own_rates(learnt[n_learnt > 0], n_learnt[n_learnt > 0])
    chain = phases.log_foreseen_visits(shown)
    return {
        "one": single.log_foreseen_visits(shown),
        "static": rates.log_prob(visits[shown], before[shown], n_before),
        "phases": chain,
        "journeys": chain,
    }


def _contents(grid: Grid, types: Types, phases: Phases, baskets: np.ndarray) -> dict[str, np.ndarray]:
    """Log probability of what is in each basket, without the multinomial coefficient, which is the same for all."""
    model = types.household
    size = len(model.weights_)
    with np.errstate(divide="ignore"):
        scores = np.asarray(grid.baskets.counts[baskets] @ np.log(model.profiles_).T)
        common = np.asarray(grid.baskets.counts[baskets] @ np.log(types.population.profiles_).T)
    owner, period = grid.owner[baskets], grid.period[baskets]
    strength = float(model.concentration_)
    counted = np.zeros((len(grid.customers), size))
    known = np.searchsorted(grid.customers, model.groups_)
    n_learnt = np.bincount(grid.owner[grid.period < grid.n_train], minlength=len(grid.customers))[known]
    counted[known] = np.maximum(
        model.group_weights_ * (strength + n_learnt)[:, None] - strength * model.weights_, 0.0
    )
    leaning = phases.foreseen[grid.row_of_basket[baskets]] @ phases.mixes
    found = {
        "one": logsumexp(common + np.log(np.maximum(types.population.weights_, 1e-300)), axis=1),
        "phases": logsumexp(scores + np.log(np.maximum(leaning, 1e-300)), axis=1),
        "static": np.empty(len(baskets)),
        "journeys": np.empty(len(baskets)),
    }
    for later in range(grid.n_train, grid.n_periods):
        mine = np.flatnonzero(period == later)
        own, total = counted[owner[mine]], counted[owner[mine]].sum(axis=1, keepdims=True)
        for key, prior in (("static", model.weights_), ("journeys", leaning[mine])):
            weights = (strength * prior + own) / (strength + total)
            joint = scores[mine] + np.log(np.maximum(weights, 1e-300))
            found[key][mine] = logsumexp(joint, axis=1)
            if key == "static":
                resp = np.exp(joint - found[key][mine, None])
        np.add.at(counted, owner[mine], resp)
    return found


def calibration(grid: Grid, phases: Phases) -> dict[str, Any] | None:
    """Foreseen chances against what came true, in the later periods.

    Parameters
    ----------
    grid : Grid
        Customers and periods.
    phases : Phases
        The chosen chain.

    Returns
    -------
    dict or None
        ``{"move": {...}, "absence": {...}}``, each with mean chance and share that came true, and the same by bins of chance; None without
        later periods of customers known before.

    Notes
    -----
    Whether a customer stays away is seen. A move is not: after the next period's visits are known it has a probability, whose average is
    compared. Where the model is right both averages are equal.
    """
    rows = np.flatnonzero(~grid.learnt & (grid.first[grid.row_owner] < grid.n_train))
    if not rows.size:
        return None
    owners = grid.row_owner[rows]
    before = phases.filtered[rows - 1].argmax(axis=1)
    index = np.arange(len(rows))
    chance = 1.0 - phases.foreseen[rows][index, before]
    seen = 1.0 - phases.filtered[rows][index, before]
    empty = np.exp(phases.log_visits(np.zeros(1))[0])
    away = phases.foreseen[rows] @ empty
    return {
        "move": _compared(chance, seen, owners),
        "absence": _compared(away, (grid.visits[rows] == 0).astype(float), owners),
    }


def _compared(chance: np.ndarray, seen: np.ndarray, owners: np.ndarray) -> dict[str, Any]:
    edges = np.unique(np.quantile(chance, np.linspace(0, 1, N_BINS + 1)[1:-1]))
    place = np.searchsorted(edges, chance, side="right")
    bins: Sequence[dict[str, Any]] = [
        _bin(chance[place == b], seen[place == b], owners[place == b]) for b in np.unique(place)
    ]
    return {**_bin(chance, seen, owners), "bins": list(bins)}


def _bin(chance: np.ndarray, seen: np.ndarray, owners: np.ndarray) -> dict[str, Any]:
    share, error = clustered_mean(seen, owners)
    return {"n": len(chance), "foreseen": float(chance.mean()), "seen": share, "seen_se": error}
