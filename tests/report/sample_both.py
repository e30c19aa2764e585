"""Made-up missions and segments of one run: customers and their visits are simulated once and counted."""

from __future__ import annotations

from typing import Any

import numpy as np

from report import sample_parts as parts
from report import sample_segments as segments

N_CUSTOMERS = 1_200
HEADER = (
    "mixtura_version",
    "created",
    "command",
    "columns",
    "data",
    "categories",
    "category_share",
    "notes",
)
AWKWARD = (
    "<script>alert(1)</script>",
    '=HYPERLINK("http://example.invalid","click")',
    "Crème brûlée, döner & 寿司 🍣",
    "Ready to eat, gluten free, lactose free and sugar free snacks for school, office, travel and the sofa",
)


def rename(results: dict[str, Any]) -> None:
    """Give the first categories names that try to break a page."""
    new = dict(zip(results["categories"], AWKWARD, strict=False))
    results["categories"] = [new.get(name, name) for name in results["categories"]]
    for mission in results["missions"]:
        for entry in mission["top"]:
            entry["category"] = new.get(entry["category"], entry["category"])
        mission["examples"] = [
            {new.get(name, name): n for name, n in example.items()} for example in mission["examples"]
        ]
        first = [entry["category"] for entry in mission["top"][:2]]
        mission["name"] = " + ".join(name if name in AWKWARD else name.lower() for name in first)


def complete(
    missions: dict[str, Any], n_segments: int, rng: np.random.Generator
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Fill all optional parts of `missions`, and make the segments that go with them.

    Parameters
    ----------
    missions : dict
        As ``sample_results`` makes it; it is changed.
    n_segments : int
        Number of segments.
    rng : Generator
        Everything random.

    Returns
    -------
    tuple of two dict
        As in missions.json and segments.json.
    """
    run = _simulate(missions, n_segments, rng)
    missions["data"].update(
        value="amount", amount_column="sales_value", total_amount=float(run["amount"].sum()),
        n_rare_items=17, item_level="product_category", n_customers=N_CUSTOMERS,
        n_baskets=len(run["month"]), n_train_baskets=int(0.8 * len(run["month"])),
        n_test_baskets=len(run["month"]) - int(0.8 * len(run["month"])),
    )  # fmt: skip
    _complete_missions(missions, run, rng)
    return missions, _segments(missions, run, rng)


def _simulate(missions: dict[str, Any], n_segments: int, rng: np.random.Generator) -> dict[str, Any]:
    """Customers' segments, own weights, and their visits with month, mission and money."""
    weights = np.array([mission["weight"] for mission in missions["missions"]])
    share = np.sort(rng.dirichlet(np.full(n_segments, 5.0)))[::-1]
    alpha = np.stack([3.0 * rng.dirichlet(9 * weights + 0.05) for _ in range(n_segments)])
    segment = rng.choice(n_segments, size=N_CUSTOMERS, p=share)
    own = np.stack([rng.dirichlet(alpha[s] + 1e-3) for s in segment])
    visits = rng.poisson(8 + 30 * rng.gamma(1.0, 1.0, size=N_CUSTOMERS)) + 2
    customer = np.repeat(np.arange(N_CUSTOMERS), visits)
    mission = np.concatenate([rng.choice(len(weights), n, p=own[c]) for c, n in enumerate(visits)])
    order = np.argsort(-np.bincount(mission, minlength=len(weights)), kind="stable")
    missions["missions"] = [
        {**missions["missions"][k], "number": number} for number, k in enumerate(order, start=1)
    ]
    mission, alpha = np.argsort(order, kind="stable")[mission], alpha[:, order]
    # The first missions are seasonal: more of their visits fall into summer, or into the last months.
    day = rng.integers(0, 365, size=len(customer))
    summer, late = (
        (mission == 0) & (rng.random(len(day)) < 0.3),
        (mission == 2) & (rng.random(len(day)) < 0.4),
    )
    day[summer], day[late] = rng.integers(150, 245, summer.sum()), rng.integers(240, 365, late.sum())
    return {
        "segment": segment,
        "alpha": alpha,
        "customer": customer,
        "mission": mission,
        "day": day,
        "month": np.minimum(day // 30.42, 11).astype(int),
        "probability": rng.beta(5, 1.3, size=len(customer)),
        "amount": rng.gamma(2.0, 9.0, size=len(customer)).round(2),
        "counts": np.array(
            [np.bincount(mission[customer == c], minlength=len(weights)) for c in range(N_CUSTOMERS)]
        ),
    }


def _complete_missions(missions: dict[str, Any], run: dict[str, Any], rng: np.random.Generator) -> None:
    cards, names = missions["missions"], missions["categories"]
    profiles = np.array([card["profile"] for card in cards])
    share = np.array(missions["category_share"])
    found = np.bincount(run["mission"], minlength=len(cards))
    for k, (card, near) in enumerate(zip(cards, parts.nearest(profiles, names), strict=True)):
        mine = run["mission"] == k
        card.update(
            weight=float(found[k] / found.sum()), n_baskets=float(found[k]),
            n_customers_dominant=int((run["counts"].argmax(axis=1) == k).sum()),
            share_customers=float((run["counts"][:, k] > 0).mean()),
            amount=float(run["amount"][mine].sum()),
            share_amount=float(run["amount"][mine].sum() / run["amount"].sum()),
            certainty=float(run["probability"][mine].mean()) if mine.any() else None,
            top=parts.with_intervals(card["top"]),
            avoided=parts.avoided(profiles[k], share, names, card["mean_lines"] * found[k]),
            nearest=near,
            previous={"number": k, "name": card["name"], "distance": 0.1 + 0.05 * k, "drifted": k in {4, 9}}
            if 0 < k < len(cards) - 1
            else None,
        )  # fmt: skip
    previous = [card["name"] for card in cards[1:-1]] or ["Everything"]
    missions.update(
        tree=parts.tree(profiles, found / found.sum(), [card["name"] for card in cards]),
        associations=parts.associations(cards, names, rng),
        timeline=parts.timeline(run["month"], run["mission"], len(cards)),
        stability=parts.stability(len(cards), rng),
        rivals=parts.rivals(),
        certainty=parts.certainty(run["probability"]),
        refresh={
            "previous": "last-year/model.mixtura",
            "n_matched": max(len(cards) - 2, 0),
            "new": [1, len(cards)],
            "gone": [{"number": 1, "name": "Charcoal and ice", "weight": 0.021}],
            "migration": {
                "from": previous[:4],
                "to": [card["name"] for card in cards[:4]],
                "counts": rng.integers(0, 200, size=(len(previous[:4]), len(cards[:4]))).tolist(),
            },
        },
    )


def _segments(missions: dict[str, Any], run: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    features = [card["name"] for card in missions["missions"]]
    n_segments = len(run["alpha"])
    order = np.argsort(-np.bincount(run["segment"], minlength=n_segments), kind="stable")
    rank = np.empty(n_segments, dtype=int)
    rank[order] = np.arange(n_segments)
    segment, alpha = rank[run["segment"]], run["alpha"][order]
    profiles = alpha / alpha.sum(axis=1, keepdims=True)
    overall = np.bincount(run["mission"], minlength=len(features)) / len(run["mission"])
    sure = rng.beta(6, 1.1, size=N_CUSTOMERS)
    near = parts.nearest(profiles, features, "feature")
    cards = [
        segments.segment_card(s, missions, run, segment, profiles, overall, sure) for s in range(n_segments)
    ]
    for s, card in enumerate(cards):
        card.update(
            concentration=float(alpha[s].sum()), nearest=near[s],
            previous={"number": s + 1, "name": card["name"], "distance": 0.2, "drifted": s == 1} if s else None,
        )  # fmt: skip
    names = [card["name"] for card in cards]
    criteria = segments.criteria(n_segments)
    first = segments.by_half(run, segment, alpha, half=0)
    second = segments.by_half(run, segment, alpha, half=1)
    flows = np.zeros((n_segments, n_segments), dtype=int)
    both = (first >= 0) & (second >= 0)
    np.add.at(flows, (first[both], second[both]), 1)
    return {
        "schema": "mixtura-segments/1",
        **{key: missions[key] for key in HEADER},
        "over": "missions",
        "features": features,
        "feature_share": overall.tolist(),
        "criteria": criteria,
        "choice": {
            "criterion": "bic",
            "n_components": n_segments,
            "at_edge": False,
            "sentence": f"BIC is lowest at {n_segments} segments (tried 9 sizes, 1 to 12)",
        },
        "overdispersion": {
            "concentration": alpha.sum(axis=1).tolist(),
            "multinomial": {
                "criteria": [
                    {
                        **row,
                        "bic": row["bic"] + 9e4 / row["n_components"],
                        "chosen": row["n_components"] == 12,
                    }
                    for row in criteria
                ],
                "n_components": 12,
            },
        },
        "segments": cards,
        "tree": parts.tree(profiles, np.array([card["weight"] for card in cards]), names),
        "timeline": parts.timeline(run["month"], segment[run["customer"]], n_segments),
        "stability": parts.stability(n_segments, rng),
        "certainty": parts.certainty(sure),
        "refresh": {
            "previous": "last-year/segments.mixtura",
            "n_matched": n_segments - 1,
            "new": [1],
            "gone": [],
            "migration": {"from": names, "to": names, "counts": (flows + flows.T).tolist()},
        },
        "flows": {
            "from_label": "January to June 2017",
            "to_label": "July to December 2017",
            "names": names,
            "counts": flows.tolist(),
        },
        "demographics": parts.demographics(segment, n_segments, rng),
        "customers": segments.customers(missions, run, segment, profiles, rng),
    }
