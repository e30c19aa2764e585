"""What a run of journeys gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mixtura.segments.journey_phases import Phases
from mixtura.segments.journey_tables import customer_columns, history_columns

__all__ = ["Journeys", "journey_summary"]

LONGEST = 12


@dataclass(frozen=True)
class Journeys:
    """Phases of customers over time, and what comes next.

    Parameters
    ----------
    results : dict
        The content of journeys.json.
    phases : Phases
        The fitted chain, and what it says of all customers and periods.
    types, household : estimator
        The basket types, and each customer's own mix of them.
    folder : Path or None
        Where the results were written.
    interrupted : bool
        Whether Ctrl-C ended a part of the run.
    """

    results: dict[str, Any]
    phases: Phases
    types: Any
    household: Any
    folder: Path | None = None
    interrupted: bool = False

    @property
    def model(self) -> Any:
        """The hidden Markov model."""
        return self.phases.model

    @property
    def names(self) -> list[str]:
        """Names of the phases."""
        return [str(phase["name"]) for phase in self.results["phases"]]

    def customer_table(self) -> dict[str, np.ndarray]:
        """Columns of customers.parquet, one entry per customer in each."""
        return customer_columns(self.phases, self.names)

    def history_table(self) -> dict[str, np.ndarray]:
        """Columns of journeys.parquet, one entry per customer and period in each."""
        return history_columns(self.phases, self.names)

    def summary(self) -> list[str]:
        """About ten lines for people."""
        return journey_summary(self.results)

    def __repr__(self) -> str:
        number = self.phases.n_phases
        grid = self.phases.grid
        return (
            f"Journeys({number} phase{'' if number == 1 else 's'} of {len(grid.customers):,} customers, "
            f"{grid.n_periods} {grid.periods.unit}s)"
        )


def journey_summary(content: Mapping[str, Any]) -> list[str]:
    """About ten lines for people from the content of journeys.json."""
    data, unit = content["data"], content["unit"]
    n_train = content["n_train_periods"]
    read = (
        f"{data['n_lines_used']:,} of {data['n_lines']:,} lines: {data['n_baskets']:,} baskets of {data['n_customers']:,} customers "
        f"in {len(content['periods'])} {unit}s ({content['periods'][0]} to {content['periods'][-1]})."
    )
    lines = [read, f"{content['choice']['sentence']}."]
    if content["validation"] is None:
        lines.append(f"No later {unit} was kept, so forecasts were not checked.")
    else:
        lines.append(
            f"Learned from {n_train} {unit}s, tested on the later {len(content['periods']) - n_train}: {verdict(content)}"
        )
    return lines + [
        f"Phase {phase['number']}: {phase['name']} ({phase['weight']:.1%} of customers now, "
        f"{phase['visits']:.1f} visits a {unit}, stays {_stay(phase['dwell'], unit)})"
        for phase in content["phases"][: LONGEST - len(lines) - 1]
    ]


def verdict(content: Mapping[str, Any]) -> str:
    """Whether phases foresee better than customers who never change, in a sentence."""
    rows = {row["key"]: row for row in content["validation"]["rows"]}
    gain, error = rows["journeys"]["gain"], rows["journeys"]["gain_se"]
    about = f"{gain:+.3f} nats per customer and {content['unit']}, standard error {error:.3f}"
    if not gain > 2 * error and not gain < -2 * error:
        return f"phases foresee it about as well as the static model ({about})."
    return f"phases foresee it {'better' if gain > 0 else 'worse'} than the static model ({about})."


def _stay(dwell: float, unit: str) -> str:
    if not np.isfinite(dwell) or dwell > 500:
        return "for good"
    return f"about {dwell:.0f} {unit}{'s' if round(dwell) != 1 else ''}"
