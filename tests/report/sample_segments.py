"""Parts of made-up segments: the cards, the criteria, the customers to choose from."""

from __future__ import annotations

from typing import Any

import numpy as np

from report import sample_parts as parts


def segment_card(
    s: int,
    missions: dict[str, Any],
    run: dict[str, Any],
    segment: np.ndarray,
    profiles: np.ndarray,
    overall: np.ndarray,
    sure: np.ndarray,
) -> dict[str, Any]:
    """One card of segments.json, counted from the visits."""
    mine = segment == s
    visits = mine[run["customer"]]
    features, names = [card["name"] for card in missions["missions"]], missions["categories"]
    lift = profiles[s] / np.maximum(overall, 1e-12)
    order = np.argsort(-lift, kind="stable")[:8]
    basis = np.array([card["profile"] for card in missions["missions"]])
    mix, share = profiles[s] @ basis, np.array(missions["category_share"])
    n_lines = 8.0 * visits.sum()
    by_lift = np.argsort(-(mix / share), kind="stable")[:8]
    top_categories = [
        {
            "category": names[c],
            "share": float(mix[c]),
            "lift": float(mix[c] / share[c]),
            "support": int(mix[c] * n_lines) + 1,
            "n_baskets": int(mix[c] * n_lines / 1.2) + 1,
        }
        for c in by_lift
    ]
    top = [{"feature": features[f], "share": float(profiles[s, f]), "lift": float(lift[f])} for f in order]
    money = float(run["amount"][visits].sum())
    n_customers = float(mine.sum())
    return {
        "number": s + 1,
        "name": f"{features[order[0]]} shoppers",
        "weight": n_customers / len(segment),
        "n_customers": n_customers,
        "n_customers_assigned": int(n_customers),
        "n_baskets": float(visits.sum()),
        "share_baskets": float(visits.mean()),
        "baskets_per_customer": float(visits.sum() / max(n_customers, 1)),
        "amount": money,
        "share_amount": money / float(run["amount"].sum()),
        "amount_per_customer": money / max(n_customers, 1),
        "certainty": float(sure[mine].mean()) if mine.any() else None,
        "profile": profiles[s].tolist(),
        "top": parts.with_intervals(top, "feature"),
        "top_categories": parts.with_intervals(top_categories),
        "avoided": parts.avoided(mix, share, names, n_lines),
    }


def criteria(n_segments: int) -> list[dict[str, Any]]:
    """A sweep with its minimum at `n_segments`."""
    rows = []
    for count in sorted({1, 2, 3, 4, 5, 6, 8, 10, 12, n_segments}):
        bic = 61_000 + 900 * (np.log(count / n_segments) ** 2) * (2.5 if count < n_segments else 1)
        rows.append(
            {
                "n_components": count,
                "log_likelihood": -bic / 2400,
                "held_out": None,
                "bic": bic,
                "aic": bic - 190 * count,
                "icl": bic + 40 * np.log(count),
                "n_parameters": 31 * count - 1,
                "n_iter": 20 + 7 * count,
                "reason": "converged",
                "seconds": 0.2,
                "starts": [],
                "chosen": count == n_segments,
            }
        )
    return rows


def by_half(run: dict[str, Any], segment: np.ndarray, alpha: np.ndarray, *, half: int) -> np.ndarray:
    """The nearest segment by the visits of one half of the year; -1 without visits."""
    inside = (run["month"] >= 6) == bool(half)
    counts = np.zeros_like(run["counts"])
    np.add.at(counts, (run["customer"][inside], run["mission"][inside]), 1)
    score = counts @ np.log(alpha / alpha.sum(axis=1, keepdims=True) + 1e-9).T
    score[np.arange(len(segment)), segment] += 6.0
    return np.where(counts.sum(axis=1) > 0, score.argmax(axis=1), -1)


def customers(
    missions: dict[str, Any],
    run: dict[str, Any],
    segment: np.ndarray,
    profiles: np.ndarray,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Sixty customers with their visits."""
    names, share = missions["categories"], np.array(missions["category_share"])
    sample = []
    for c in rng.choice(len(segment), 60, replace=False):
        mine = np.flatnonzero(run["customer"] == c)
        mine = mine[np.argsort(run["day"][mine], kind="stable")][:200]
        counts = run["counts"][c]
        probabilities = rng.dirichlet(0.3 + 8.0 * (np.arange(len(profiles)) == segment[c]))
        later = {
            "n_baskets": int(rng.integers(1, 12)),
            "top": [
                {
                    "category": names[k],
                    "n": int(rng.integers(1, 9)),
                    "predicted_share": float(share[k] * rng.uniform(0.5, 2)),
                    "share": float(share[k] * rng.uniform(0.5, 3)),
                }
                for k in rng.choice(len(names), 6, replace=False)
            ],
        }
        sample.append(
            {
                "customer": int(c) if c % 2 else f"household {c}",
                "segment": int(probabilities.argmax()) + 1,
                "probabilities": probabilities.tolist(),
                "n_baskets": int(counts.sum()),
                "shares": (counts / counts.sum()).tolist(),
                "expected": ((counts + 5 * profiles[segment[c]]) / (counts.sum() + 5)).tolist(),
                "visits": [
                    [
                        str(np.datetime64("2017-01-01T10:15:00") + np.timedelta64(int(run["day"][v]), "D")),
                        None if run["probability"][v] < 0.3 else int(run["mission"][v]) + 1,
                        float(run["probability"][v]),
                    ]
                    for v in mine
                ],
                "later": later if c % 5 else None,
            }
        )
    return {"n_sampled": len(sample), "sample": sample}
