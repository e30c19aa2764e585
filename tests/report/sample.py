"""Made-up results of the main job, in the form of missions.json, for developing and testing the report.

A random multinomial mixture with grocery-like names: every number in the result belongs to that mixture
(lifts, supports and sizes agree with each other), so the page looks as it does on real data.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from report.sample_both import complete, rename

CATEGORIES = """
FLUID MILK PRODUCTS|BAKED BREAD/BUNS/ROLLS|SOFT DRINKS|CHEESE|BAG SNACKS|FROZEN PIZZA|EGGS|COLD CEREAL
CANDY - PACKAGED|ICE CREAM/MILK/SHERBTS|YOGURT|VEGETABLES - SHELF STABLE|SOUP|COOKIES/CONES
CRACKERS/MISC BKD FD|WATER - CARBONATED/FLVRD|DRY NOODLES/PASTA|PASTA SAUCE|CONVENIENT BRKFST/WHLSM SNACKS
REFRGRATD JUICES/DRNKS|MARGARINES|COFFEE|FRUIT - SHELF STABLE|BAKING NEEDS|DRY MIX DESSERTS|FLOUR & MEALS
SUGARS/SWEETNERS|SPICES & EXTRACTS|BAKING MIXES|SYRUPS/TOPPINGS|BABY FOODS|BABY JUICES|INFANT FORMULA
DOG FOODS|CAT FOOD|PET TREATS|DINNER MXS:DRY|DINNER SAUSAGE|HISPANIC FOODS|RICE & BEANS|ORIENTAL FOODS
SALAD DRESSINGS|OLIVES & PICKLES|CONDIMENTS/SAUCES|PNT BTR/JELLY/JAMS|MEAT - SHELF STABLE
FRZN MEAT/MEAT DINNERS|FRZN VEGETABLE/VEG DSH|FRZN POTATOES|FRZN NOVELTIES|FRZN BREAKFAST FOODS|TEAS
HOT DOGS & SAUSAGE|LUNCHMEAT|BACON|BEERS/ALES|DOMESTIC WINE|NUTS|SEAFOOD - FROZEN|SNACK NUTS|POPCORN
PAPER TOWELS|BATH TISSUES|LAUNDRY DETERGENTS|DISHWASH DETERGENTS|HOUSEHOLD CLEANG NEEDS
FACIAL TISS/DNR NAPKIN|DIAPERS & DISPOSABLES|ICE
"""

_REASONS = ("converged", "converged", "converged", "max_iter")


def category_names(n_categories: int | None = None) -> list[str]:
    """The first names of the list above."""
    names = [name for line in CATEGORIES.strip().splitlines() for name in line.split("|")]
    return names[:n_categories]


def _criteria(tried: list[int], chosen: int, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """One row per K: likelihood with diminishing returns, criteria that turn near `chosen`."""
    n_baskets, n_categories = 96_912, len(category_names())
    cost = n_categories * np.log(n_baskets)
    for count in tried:
        n_parameters = count * (n_categories - 1) + count - 1
        # -2 n L falls like log K, so that BIC has its minimum at K = chosen.
        log_likelihood = -31.5 + cost * chosen * (1 + np.log(count / chosen)) / (2 * n_baskets)
        bic = -2 * n_baskets * log_likelihood + n_parameters * np.log(n_baskets)
        starts = sorted(log_likelihood - np.r_[0.0, rng.exponential(0.004, size=4)], reverse=True)
        yield {
            "n_components": count,
            "log_likelihood": log_likelihood,
            "held_out": log_likelihood - 0.05 - 0.00012 * count,
            "bic": bic,
            "aic": -2 * n_baskets * log_likelihood + 2 * n_parameters,
            "icl": bic + 2 * n_baskets * 0.11 * np.log(count),
            "n_parameters": n_parameters,
            "n_iter": int(rng.integers(20, 300)),
            "reason": str(rng.choice(_REASONS)),
            "seconds": 0.08 * count,
            "starts": [{"objective": float(s), "reason": str(rng.choice(_REASONS))} for s in starts],
            "chosen": count == chosen,
        }


def _missions(
    profiles: np.ndarray, weights: np.ndarray, names: list[str], rng: np.random.Generator
) -> tuple[list[dict[str, Any]], np.ndarray]:
    """Cards of the missions, largest first, and the share of every category among all lines."""
    n_train, n_customers = 96_912, 2_458
    mean_lines = rng.gamma(4.0, 2.0, size=len(weights)) + 1
    lines = weights * n_train * mean_lines
    share = lines @ profiles / lines.sum()
    missions = []
    for number, k in enumerate(np.argsort(-weights, kind="stable"), start=1):
        lift = profiles[k] / share
        support = profiles[k] * lines[k]
        order = [c for c in np.argsort(-lift, kind="stable") if support[c] >= 50][:10]
        missions.append(
            {
                "number": number,
                "name": " + ".join(names[c].lower() for c in order[:2]).capitalize() or "A bit of everything",
                "weight": float(weights[k]),
                "n_baskets": float(weights[k] * n_train),
                "n_customers_dominant": int(weights[k] * n_customers),
                "mean_lines": float(mean_lines[k]),
                "profile": profiles[k].tolist(),
                "top": [
                    {
                        "category": names[c],
                        "share": float(profiles[k, c]),
                        "lift": float(lift[c]),
                        "support": int(support[c]),
                        "n_baskets": int(support[c] / 1.2),
                    }
                    for c in order
                ],
                "examples": [
                    {
                        names[c]: int(rng.integers(1, 4))
                        for c in rng.choice(len(names), 5, p=profiles[k], replace=False)
                    }
                ],
            }
        )
    return missions, share


def sample_results(
    n_missions: int | None = None,
    *,
    seed: int = 0,
    n_categories: int | None = None,
    level: str = "baskets",
    n_segments: int = 5,
    awkward: bool = True,
) -> Any:
    """Results with `n_missions` missions.

    Parameters
    ----------
    n_missions : int, optional
        Number of missions K: by default 12, and 30 for ``level="both"``.
    seed : int
        Seed of everything random.
    n_categories : int, optional
        Use only the first so many categories (by default all of them, and 40 for ``level="both"``).
    level : str
        ``"baskets"``: what a run without the optional parts writes. ``"both"``: missions and segments with all
        parts filled, and names that try to break the page.
    n_segments : int
        Number of segments, for ``level="both"``.
    awkward : bool
        Whether ``level="both"`` gives some categories awkward names.

    Returns
    -------
    dict, or tuple of two dict
        As in missions.json; for ``level="both"`` also as in segments.json.
    """
    if level == "both":
        missions = sample_results(n_missions or 30, seed=seed, n_categories=n_categories or 40)
        if awkward:
            rename(missions)
        return complete(missions, n_segments, np.random.default_rng(seed + 1))
    n_missions = n_missions or 12
    rng = np.random.default_rng(seed)
    names = category_names(n_categories)
    popularity = rng.dirichlet(np.linspace(3.0, 0.4, len(names)))
    profiles = np.stack(
        [rng.dirichlet(0.12 + 14 * popularity * rng.gamma(0.35, 3.0, len(names))) for _ in range(n_missions)]
    )
    profiles = (profiles + 1e-5) / (profiles + 1e-5).sum(axis=1, keepdims=True)
    weights = rng.dirichlet(np.linspace(3, 1, n_missions))
    missions, share = _missions(profiles, weights, names, rng)
    tried = sorted(
        {2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 30, n_missions, n_missions + 10, n_missions + 25} - {1}
    )
    taste = rng.beta(4, 6, size=2_214)
    l1_global = np.clip(0.35 + 1.1 * taste + rng.normal(0, 0.08, taste.size), 0.05, 1.95)
    l1_household = np.clip(l1_global - 0.045 + rng.normal(0, 0.11, taste.size), 0.03, 1.98)
    return {
        "schema": "mixtura-missions/2",
        "mixtura_version": "0.1.0",
        "created": "2026-03-14T15:09:26+00:00",
        "command": {
            "transactions": "transactions.parquet",
            "items": "products.parquet",
            "where": "department = 'GROCERY'",
            "n_missions": None,
            "criterion": "bic",
            "value": "lines",
            "test_fraction": 0.2,
            "random_state": 0,
            "seconds_sweep": 61.234567,
        },
        "columns": {
            "customer": {"name": "household_id", "guessed": True},
            "basket": {"name": "basket_id", "guessed": True},
            "item": {"name": "product_id", "guessed": True},
            "category": {"name": "product_category", "guessed": False},
            "time": {"name": "transaction_timestamp", "guessed": True},
        },
        "data": {
            "source": "transactions.parquet",
            "items_source": "products.parquet",
            "filter": "department = 'GROCERY'",
            "n_lines": 1_469_307,
            "n_lines_used": 928_997,
            "n_baskets": 121_140,
            "n_customers": 2_458,
            "n_categories": len(names),
            "n_nonzero": 641_502,
            "first_time": "2017-01-01T06:53:26",
            "last_time": "2017-12-31T22:11:05",
            "split_time": "2017-10-22T17:40:00",
            "n_train_baskets": 96_912,
            "n_test_baskets": 24_180,
            "n_test_baskets_unseen_customer": 48,
            "n_unseen_customers": 27,
            "dropped": [
                {"reason": "outside the filter department = 'GROCERY'", "n_lines": 539_710},
                {"reason": "no category in the item table", "n_lines": 600},
            ],
        },
        "criteria": list(_criteria(tried, n_missions, rng)),
        "choice": {
            "criterion": "bic",
            "n_components": n_missions,
            "at_edge": False,
            "sentence": f"BIC is lowest at {n_missions} missions (tried {tried[0]} to {tried[-1]})",
        },
        "held_out": {
            "global": -28.412,
            "household_no_shrinkage": -28.305,
            "household": -28.071,
            "gain": 0.341,
            "gain_se": 0.0061,
            "gain_over_no_shrinkage": 0.234,
            "gain_over_no_shrinkage_se": 0.0052,
            "n_baskets": 24_180,
            "share_households_better_l1": float(np.mean(l1_household < l1_global)),
            "n_households_compared": taste.size,
            "concentration": 11.7,
            "l1": {"global": l1_global.round(4).tolist(), "household": l1_household.round(4).tolist()},
        },
        "categories": names,
        "category_share": share.tolist(),
        "missions": missions,
        "notes": [
            "27 customers appear only after the split; their baskets are scored with the population weights."
        ],
    }


def awkward_results() -> dict[str, Any]:
    """A result in which every text that comes from the user tries to break the page."""
    results = sample_results(4, seed=3, n_categories=12)
    nasty = [
        "<script>alert(1)</script>",
        "Fish & chips",
        "\"Quoted\" 'single'",
        "🍕 Pizza <b>",
        "a" * 90,
        "</style>",
        "{{ 7*7 }}",
        "%{x}",
    ]
    rename = dict(zip(results["categories"], nasty, strict=False))
    results["categories"] = [rename.get(name, name) for name in results["categories"]]
    for mission in results["missions"]:
        for entry in mission["top"]:
            entry["category"] = rename.get(entry["category"], entry["category"])
        mission["name"] = mission["top"][0]["category"]
        mission["examples"] = [
            {rename.get(name, name): count for name, count in e.items()} for e in mission["examples"]
        ]
    results["data"]["source"] = "<img src=http://example.invalid/x.png>.csv"
    results["data"]["filter"] = "department = '</script><script>alert(2)</script>'"
    results["notes"] = ["A note with <em>tags</em> & an ampersand."]
    return results


def bare_results(n_missions: int = 1) -> dict[str, Any]:
    """The least a run can give: K given, no later baskets, no times, no customers' comparison."""
    results = sample_results(n_missions, seed=5, n_categories=6)
    row = results["criteria"][0]
    results["criteria"] = [
        {**row, "n_components": n_missions, "held_out": None, "icl": None, "chosen": True, "starts": []}
    ]
    results["choice"] = {"criterion": "given", "n_components": n_missions, "at_edge": False, "sentence": ""}
    results["held_out"] = None
    for key in ("first_time", "last_time", "split_time", "items_source", "filter"):
        results["data"][key] = None
    results["data"].update(
        n_test_baskets=0, n_test_baskets_unseen_customer=0, n_unseen_customers=0, dropped=[]
    )
    results["notes"] = []
    for mission in results["missions"]:
        mission["examples"] = []
    return results


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(sample_results(int(sys.argv[1]))), encoding="utf-8")
