"""Results of journeys as a run writes them, made up: what the page is built from."""

from __future__ import annotations

import numpy as np

NAMES = ["Very often: soft drinks + bag snacks", "Often", "Regularly: yogurt", "Now and then", "Away"]


def sample_journeys(n_phases=5, *, awkward=False, checked=True, listed=True):
    """The content of journeys.json with so many phases; awkward ones have names that a page must not trust."""
    rng = np.random.default_rng(n_phases)
    moves = np.zeros((n_phases, n_phases))
    for k in range(n_phases):
        for other in (k - 1, k + 1, k + 2):
            if 0 <= other < n_phases:
                moves[k, other] = 0.02 + 0.1 * rng.random()
        moves[k, k] = 1.0 - moves[k].sum()
    weights = rng.dirichlet(np.full(n_phases, 5.0))
    names = [NAMES[k % 5] + ("" if k < 5 else f" ({k})") for k in range(n_phases)]
    if awkward:
        names[0] = "<script>alert('phase')</script> " + "verylongname" * 8
    top = [
        {
            "category": "SOFT DRINKS",
            "share": 0.12,
            "lift": 1.7,
            "lift_low": 1.5,
            "lift_high": 1.9,
            "support": 900,
            "n_baskets": 800,
        },
        {
            "category": "YOGURT",
            "share": 0.04,
            "lift": 1.2,
            "lift_low": 1.1,
            "lift_high": 1.3,
            "support": 300,
            "n_baskets": 280,
        },
    ]
    following = weights @ moves
    phases = [
        {
            "number": k + 1,
            "name": names[k],
            "auto_name": names[k],
            "weight": weights[k],
            "n_customers": 1000 * weights[k],
            "weight_next": following[k],
            "visits": 20.0 / (k + 1) ** 2,
            "no_visit": min(0.9, 0.2 * k),
            "stay": moves[k, k],
            "dwell": 1 / (1 - moves[k, k]) if moves[k, k] < 1 else None,
            "next": None if n_phases == 1 else int(np.argsort(moves[k])[-2]) + 1,
            "next_probability": None if n_phases == 1 else np.sort(moves[k])[-2],
            "n_baskets": 500.0,
            "top": top if k != 1 else [],
            "avoided": [{"category": "EGGS", "share": 0.01, "lift": 0.6, "lift_low": 0.5, "lift_high": 0.8}],
            "types": [{"number": 1, "name": "Soft drinks + bag snacks", "share": 0.3, "lift": 1.5}],
        }
        for k in range(n_phases)
    ]
    periods = [f"2023-{month:02d}" for month in range(1, 13)]
    bins = [{"n": 100, "foreseen": x, "seen": x + 0.01, "seen_se": 0.02} for x in (0.05, 0.2, 0.5)]
    overall = {"n": 300, "foreseen": 0.2, "seen": 0.21, "seen_se": 0.01, "bins": bins}
    gains = {"one": -0.4, "static": 0.0, "phases": -0.2, "journeys": 0.15}
    content = {
        "schema": "mixtura-journeys/1",
        "mixtura_version": "0",
        "created": "2024-01-01T10:00:00+00:00",
        "command": {"transactions": "lines.csv", "criterion": "forecast", "seconds_phases": 12.3},
        "columns": {"customer": {"name": "card", "table": "transactions", "guessed": True}},
        "data": {
            "n_baskets": 9000,
            "n_customers": 1000,
            "n_lines": 60000,
            "n_lines_used": 59000,
            "source": "lines.csv",
        }
        | {"first_time": "2023-01-01", "last_time": "2023-12-31", "n_categories": 3, "dropped": []},
        "categories": ["SOFT DRINKS", "YOGURT", "EGGS"],
        "category_share": [0.5, 0.3, 0.2],
        "notes": ["2024-01 is not complete in the data, so its 9 baskets are left out."],
        "unit": "month",
        "periods": periods,
        "n_train_periods": 10,
        "design": "visits",
        "types": [{"number": 1, "name": "Soft drinks + bag snacks", "weight": 1.0}],
        "criteria": [
            {
                "n_components": k,
                "design": design,
                "held_out": -10 - 1 / k,
                "bic": 100.0 - k,
                "aic": 90.0,
                "icl": 110.0,
            }
            | {
                "n_parameters": 7 * k,
                "n_iter": 20,
                "reason": "converged",
                "chosen": (k, design) == (n_phases, "visits"),
            }
            for design in ("visits", "types")
            for k in range(1, 9)
        ],
        "choice": {
            "criterion": "forecast",
            "n_components": n_phases,
            "at_edge": awkward,
            "sentence": f"{n_phases} phases",
        },
        "phases": phases,
        "moves": moves.tolist(),
        "flows": (1000 * weights[:, None] * moves).tolist(),
        "own_moves": {"used": False, "gain": -0.002, "gain_se": 0.001},
        "timeline": {
            "periods": periods,
            "n_customers": list(range(900, 1020, 10)),
            "n_baskets": [750] * 12,
            "shares": rng.dirichlet(np.full(n_phases, 9.0), 12).tolist(),
        },
        "customers": [
            {
                "customer": "<b>Ann</b>" if awkward and not k else f"C{k:03d}",
                "direction": "less" if k < 30 else "more",
                "chance": 0.6 - k / 200,
                "likely_to_move": 0.6,
                "phase": k % n_phases + 1,
                "phase_probability": 0.5,
                "next_phase": (k + 1) % n_phases + 1,
                "next_probability": 0.4,
                "no_visit": 0.1,
                "visits": [4, 2, 0],
                "n_baskets": 40,
            }
            for k in range(60)
        ]
        if listed
        else None,
        "validation": {
            "n_customers": 950,
            "n_rows": 1900,
            "n_baskets": 2000,
            "periods": periods[10:],
            "rows": [
                {"key": key, "name": key, "log_likelihood": -100 + gain, "gain": gain, "gain_se": 0.02}
                | {"visits": -2.0, "visits_gain": gain, "visits_gain_se": 0.02}
                | {"contents": -30.0, "contents_gain": 0.0, "contents_gain_se": 0.001}
                for key, gain in gains.items()
            ],
        }
        if checked
        else None,
        "calibration": {"move": overall, "absence": overall} if checked else None,
    }
    return {**content, "phases": [{key: _plain(value) for key, value in phase.items()} for phase in phases]}


def _plain(value):
    return value.item() if isinstance(value, np.generic) else value
