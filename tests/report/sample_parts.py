"""The optional parts of made-up results, each computed from the same simulated visits, so that they agree."""

from __future__ import annotations

from typing import Any

import numpy as np

MONTHS = [f"2017-{month:02d}" for month in range(1, 13)]


def with_intervals(entries: list[dict[str, Any]], key: str = "category") -> list[dict[str, Any]]:
    """The same entries with an interval around every lift, wider where the support is small."""
    result = []
    for entry in entries:
        half = 1.96 * 1.3 / np.sqrt(max(entry.get("support", 400), 1))
        low, high = entry["lift"] * np.exp(-half), entry["lift"] * np.exp(half)
        result.append({key: entry[key], **entry, "lift_low": float(low), "lift_high": float(high)})
    return result


def avoided(profile: np.ndarray, share: np.ndarray, names: list[str], lines: float) -> list[dict[str, Any]]:
    """The categories bought clearly less than usual, the rarest first."""
    lift = profile / share
    entries = with_intervals(
        [
            {
                "category": names[c],
                "share": float(profile[c]),
                "lift": float(lift[c]),
                "support": max(int(profile[c] * lines), 1),
                "n_baskets": max(int(profile[c] * lines / 1.2), 1),
            }
            for c in np.argsort(lift, kind="stable")
            if share[c] > 0.01
        ]
    )
    return [entry for entry in entries if entry["lift_high"] < 1][:5]


def nearest(profiles: np.ndarray, names: list[str], key: str = "category") -> list[dict[str, Any] | None]:
    """For every profile the closest other one, by L1 distance, and the largest differences."""
    found: list[dict[str, Any] | None] = []
    for k, profile in enumerate(profiles):
        distance = np.abs(profiles - profile).sum(axis=1)
        distance[k] = np.inf
        if len(profiles) == 1:
            found.append(None)
            continue
        other = int(distance.argmin())
        difference = profile - profiles[other]
        order = np.argsort(-difference, kind="stable")
        found.append(
            {
                "number": other + 1,
                "distance": float(distance[other]),
                "more": [{key: names[c], "difference": float(difference[c])} for c in order[:3]],
                "less": [{key: names[c], "difference": float(difference[c])} for c in order[::-1][:3]],
            }
        )
    return found


def tree(profiles: np.ndarray, weights: np.ndarray, names: list[str]) -> dict[str, Any] | None:
    """Greedy merges of the closest groups, and every cut, nested, the largest group first."""
    size = len(weights)
    if size < 2:
        return None
    members = {k: [k] for k in range(size)}
    children, heights = [], []
    groups = [_cut(members, weights, names)]
    while len(members) > 1:
        ids = sorted(members)
        centres = np.stack(
            [np.average(profiles[members[i]], axis=0, weights=weights[members[i]]) for i in ids]
        )
        mass = np.array([weights[members[i]].sum() for i in ids])
        loss = np.abs(centres[:, None] - centres).sum(axis=2) * np.minimum.outer(mass, mass)
        loss[np.tril_indices(len(ids))] = np.inf
        a, b = np.unravel_index(loss.argmin(), loss.shape)
        left, right = ids[a], ids[b]
        children.append([left, right])
        heights.append(max([float(loss[a, b]), *heights]))
        members[size + len(children) - 1] = members.pop(left) + members.pop(right)
        if len(members) > 1:
            groups.append(_cut(members, weights, names))
    return {"method": "loss", "children": children, "heights": heights, "groups": groups[::-1]}


def _cut(members: dict[int, list[int]], weights: np.ndarray, names: list[str]) -> dict[str, Any]:
    ordered = sorted(members.values(), key=lambda group: (-weights[group].sum(), min(group)))
    labels = [0] * len(weights)
    titles = []
    for label, group in enumerate(ordered):
        for k in group:
            labels[k] = label
        first = max(group, key=lambda k: weights[k])
        titles.append(names[first] + (f" and {len(group) - 1} more" if len(group) > 1 else ""))
    return {"n": len(ordered), "labels": labels, "names": titles}


def timeline(month: np.ndarray, label: np.ndarray, n_labels: int) -> dict[str, Any]:
    """Share of visits by month and mission or segment."""
    counts = np.zeros((len(MONTHS), n_labels))
    np.add.at(counts, (month, label), 1)
    totals = counts.sum(axis=1)
    return {
        "periods": MONTHS,
        "n_baskets": totals.astype(int).tolist(),
        "shares": (counts / np.maximum(totals, 1)[:, None]).tolist(),
    }


def stability(n_items: int, rng: np.random.Generator) -> dict[str, Any]:
    """As from twenty replicates, in which most come back."""
    recovered = np.clip(rng.beta(6, 1.2, size=n_items) * 1.05, 0, 1).round(2)
    recovered[0] = 1.0
    distance = 0.08 + 0.6 * (1 - recovered)
    return {
        "n_replicates": 20,
        "start": "each replicate is fitted from the missions found, and twice from scratch",
        "ari": {"mean": 0.83, "low": 0.78, "high": 0.88},
        "items": [
            {
                "number": k + 1,
                "distance": float(distance[k]),
                "distance_high": float(1.6 * distance[k]),
                "recovered": float(recovered[k]),
            }
            for k in range(n_items)
        ],
    }


def rivals() -> list[dict[str, Any]]:
    """Ours and simpler rules, on the same later baskets."""
    return [
        {
            "name": "One average basket for everybody",
            "key": "one",
            "held_out": -29.93,
            "difference": -1.859,
            "difference_se": 0.021,
            "n_parameters": 39,
            "note": "",
        },
        {
            "name": "k-means on shares",
            "key": "kmeans",
            "held_out": -28.98,
            "difference": -0.909,
            "difference_se": 0.012,
            "n_parameters": 1199,
            "note": "each basket is given to one cluster",
        },
        {
            "name": "Latent Dirichlet allocation",
            "key": "lda",
            "held_out": -28.55,
            "difference": -0.479,
            "difference_se": 0.41,
            "n_parameters": 1200,
            "note": "likelihood by a lower bound, so it is at least this",
        },
        {
            "name": "Missions and a personal mix",
            "key": "mixtura",
            "held_out": -28.071,
            "difference": 0.0,
            "difference_se": 0.0,
            "n_parameters": 1199,
            "note": "",
        },
    ]


def certainty(probabilities: np.ndarray) -> dict[str, Any]:
    """Histogram of the largest probability."""
    edges = np.linspace(0, 1, 11)
    return {
        "mean": float(probabilities.mean()),
        "share_above_80": float((probabilities > 0.8).mean()),
        "histogram": {
            "edges": edges.tolist(),
            "counts": np.histogram(probabilities, edges)[0].tolist(),
        },
    }


def associations(
    missions: list[dict[str, Any]], names: list[str], rng: np.random.Generator
) -> list[dict[str, Any]]:
    """Pairs bought together more often than alone would explain, in all baskets and within missions."""
    rows = []
    for mission in [{"number": 0, "top": [{"category": name} for name in names[:8]]}, *missions]:
        items = list(dict.fromkeys([*(entry["category"] for entry in mission["top"][:6]), *names[:2]]))
        for _ in range(5):
            a, b = rng.choice(len(items), 2, replace=False)
            value = float(1.1 + rng.gamma(1.5, 0.8))
            rows.append(
                {
                    "mission": mission["number"],
                    "a": items[min(a, b)],
                    "b": items[max(a, b)],
                    "lift": value,
                    "lift_low": 0.85 * value,
                    "lift_high": 1.17 * value,
                    "n_baskets": int(rng.integers(60, 4000)),
                }
            )
    unique = {(row["mission"], row["a"], row["b"]): row for row in rows}
    return sorted(unique.values(), key=lambda row: (row["mission"], -row["lift"]))


def demographics(segment: np.ndarray, n_segments: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Two columns of a customer table: one that goes with the segments and one that does not."""
    columns = []
    for column, values, strength in (
        ("age_group", ["19-24", "25-34", "35-44", "45-54", "55-64", "65+"], 1.4),
        ("household_size", ["1", "2", "3", "4", "5+"], 0.0),
    ):
        base = rng.dirichlet(np.full(len(values), 6.0))
        odds = base * np.exp(strength * rng.normal(size=(n_segments, len(values))) * 0.5)
        share = odds / odds.sum(axis=1, keepdims=True)
        known = segment[: int(0.4 * len(segment))]
        drawn = np.array([rng.choice(len(values), p=share[s]) for s in known])
        counts = np.zeros((n_segments, len(values)))
        np.add.at(counts, (known, drawn), 1)
        rows, overall = counts.sum(axis=1, keepdims=True), counts.sum(axis=0) / counts.sum()
        observed = counts / np.maximum(rows, 1)
        z = (observed - overall) / np.sqrt(overall * (1 - overall) / np.maximum(rows, 1))
        columns.append(
            {
                "column": column,
                "values": values,
                "counts": counts.tolist(),
                "n_customers": len(known),
                "p_value": 1e-9 if strength else 0.43,
                "cells": [
                    {
                        "segment": int(s) + 1,
                        "value": values[v],
                        "share": float(observed[s, v]),
                        "overall": float(overall[v]),
                        "z": float(z[s, v]),
                    }
                    for s, v in zip(*np.nonzero(np.abs(z) > 3.1), strict=True)
                ],
            }
        )
    return columns
