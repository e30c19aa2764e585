"""What a Bayesian run adds to made-up results: the part "bayes" of both levels, and ranges of shares."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from report.sample import sample_results


def bayesian_results(*, at_most: bool = False, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Results of both levels with certainty everywhere."""
    missions, segments = copy.deepcopy(sample_results(level="both", **options))
    for content, key in ((missions, "missions"), (segments, "segments")):
        content["bayes"] = _part(content, key, at_most=at_most and key == "missions")
        content["choice"]["sentence"] = f"{len(content[key])} {key} inferred, of at most 40"
        content["choice"]["at_edge"] = content["bayes"]["at_most"]
        for item in content[key]:
            for entry in item["top"]:
                share = entry["share"]
                entry |= {"share_mean": share, "share_low": 0.9 * share, "share_high": min(1.1 * share, 1.0)}
    return missions, segments


def _part(content: dict[str, Any], key: str, *, at_most: bool) -> dict[str, Any]:
    rng = np.random.default_rng(5)
    found, most = len(content[key]), 40
    numbers = [n for n in range(1, found + 4) if not at_most or n <= found]
    loss = np.array([(0.4 if n < found else 0.005) * abs(n - found) for n in numbers])
    share = np.exp(-500 * loss) / np.exp(-500 * loss).sum()
    path = [
        {"n_components": n, "bound": -9e5 - 500 * float(lost), "short": n < found - 3, "loss": float(lost), "probability": float(p)}
        for n, lost, p in zip(numbers, loss, share, strict=True)
    ]  # fmt: skip
    unit = "baskets" if key == "missions" else "customers"
    items = [
        {
            "number": item["number"],
            "weight": [0.9 * item["weight"], 1.1 * item["weight"]],
            f"n_{unit}": 100,
            f"share_{unit}_clear": None if index == found - 1 else float(rng.random()),
            "entropy": 0.2,
            "n_main": 10 * (found - index),
            "n_main_clear": 4 * (found - index),
        }
        for index, item in enumerate(content[key])
    ]
    part = {
        "inferred": True,
        "most": found if at_most else most,
        "at_most": at_most,
        "bound": -9e5,
        "path": path,
        "probability": float(share[numbers.index(found)]),
        "as_good": [found, found if at_most else found + 2],
        "level": 0.95,
        "clear": 0.8,
        "items": items,
        "units": {"n": 1000, "share_clear": 0.57, "entropy": 0.2},
    }
    if key == "segments":
        return part | {"approximation": "bic"}
    return part | {
        "prior_lines": 74.2,
        "concentration": 6.0,
        "customers": {"n": 1200, "share_clear": 0.36, "mean": 0.7},
    }
