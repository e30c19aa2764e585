"""What a run gives back: results, models, counts, and ten lines for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mixtura.segments.baskets import Baskets
from mixtura.segments.customers import SegmentFit
from mixtura.segments.households import MissionFit
from mixtura.segments.tables import basket_table, customer_table

__all__ = ["Segmentation", "summary"]


@dataclass(frozen=True)
class Segmentation:
    """Missions of a shop's baskets and segments of its customers.

    Parameters
    ----------
    missions : dict or None
        Everything that was found about baskets, as in missions.json.
    segments : dict or None
        Everything that was found about customers, as in segments.json.
    mission_fit : MissionFit or None
        The mixtures of baskets.
    segment_fit : SegmentFit or None
        The mixture of customers, ``segment_fit.model``, with what it was fitted to.
    baskets : Baskets
        What the models were fitted to.
    folder : Path or None
        Where the results were written.
    interrupted : bool
        Whether Ctrl-C ended a sweep, so that the choice is among fewer sizes than asked for.

    Examples
    --------
    >>> from mixtura.segments import segment_transactions
    >>> import pandas
    >>> lines = pandas.DataFrame(
    ...     {
    ...         "customer": [basket % 2 for basket in range(40) for _ in range(2)],
    ...         "basket": [basket for basket in range(40) for _ in range(2)],
    ...         "category": [
    ...             name
    ...             for basket in range(40)
    ...             for name in (["milk", "bread"], ["beer", "crisps"])[basket % 2]
    ...         ],
    ...         "day": [basket for basket in range(40) for _ in range(2)],
    ...     }
    ... )
    >>> segmentation = segment_transactions(lines, n_missions=2)
    >>> sorted(mission["name"] for mission in segmentation.missions["missions"])
    ['Beer + crisps', 'Bread + milk']
    """

    missions: dict[str, Any] | None
    segments: dict[str, Any] | None
    mission_fit: MissionFit | None
    segment_fit: SegmentFit | None
    baskets: Baskets
    folder: Path | None
    interrupted: bool

    @property
    def model(self) -> Any:
        """The household mixture, a `GroupedMultinomialMixture`; None without missions."""
        return None if self.mission_fit is None else self.mission_fit.household

    @property
    def global_model(self) -> Any:
        """The mixture with one set of weights, a `MultinomialMixture`; None without missions."""
        return None if self.mission_fit is None else self.mission_fit.population

    @property
    def segment_model(self) -> Any:
        """The mixture of customers, a `DirichletMultinomialMixture`; None without segments."""
        return None if self.segment_fit is None else self.segment_fit.model

    @property
    def results(self) -> dict[str, Any]:
        """The content of missions.json or, without missions, of segments.json."""
        return self.missions or self.segments or {}

    def summary(self) -> list[str]:
        """Ten lines for people.

        Returns
        -------
        list of str
            Data, split, choices, prediction, and the largest missions and segments.
        """
        return summary(self.missions, self.segments)

    def customer_table(self) -> dict[str, np.ndarray]:
        """Columns of customers.parquet.

        Returns
        -------
        dict of str to ndarray
            One entry per customer in each.
        """
        names = [] if self.segments is None else [segment["name"] for segment in self.segments["segments"]]
        n_train = self.results["data"]["n_train_baskets"]
        return customer_table(self.mission_fit, self.segment_fit, self.baskets, n_train, names)

    def basket_table(self) -> dict[str, np.ndarray]:
        """Columns of baskets.parquet.

        Returns
        -------
        dict of str to ndarray
            One entry per basket in each, in order of time.
        """
        numbers = np.zeros(0, dtype=int) if self.mission_fit is None else self.mission_fit.numbers
        return basket_table(self.model, numbers, self.baskets, self.results["data"]["n_train_baskets"])

    def __repr__(self) -> str:
        found = []
        if self.missions is not None:
            found.append(f"{len(self.missions['missions'])} missions of {self.baskets.n_baskets:,} baskets")
        if self.segments is not None:
            number = len(self.segments["segments"])
            found.append(
                f"{number} segment{'' if number == 1 else 's'} of {self.baskets.n_customers:,} customers"
            )
        return f"Segmentation({', '.join(found)})"


LONGEST = 10


def summary(missions: Mapping[str, Any] | None, segments: Mapping[str, Any] | None = None) -> list[str]:
    """Ten lines for people from the content of missions.json and segments.json.

    Parameters
    ----------
    missions, segments : Mapping or None
        The content; one of them may be missing.

    Returns
    -------
    list of str
        Plain sentences.
    """
    data = (missions or segments or {})["data"]
    read = (
        f"{data['n_lines_used']:,} of {data['n_lines']:,} lines: {data['n_baskets']:,} baskets of "
        f"{data['n_customers']:,} customer{'' if data['n_customers'] == 1 else 's'}, {data['n_categories']:,} "
        f"categories, {data['n_nonzero']:,} counts."
    )
    split = (
        f"Learned from the {data['n_train_baskets']:,} baskets before {data['split_time']}, tested on the "
        f"{data['n_test_baskets']:,} later ones ({data['n_test_baskets_unseen_customer']:,} of new "
        "customers)."
    )
    if data["split_time"] is None:
        split = f"Learned from all {data['n_baskets']:,} baskets; none were kept for testing."
    lines = [read, split]
    lines += [f"{part['choice']['sentence']}." for part in (missions, segments) if part is not None]
    if missions is not None:
        if missions["held_out"] is None:
            lines.append("No later basket of a known customer, so predictions were not compared.")
        else:
            lines.append(_gain(missions["held_out"]))
    shown = LONGEST - len(lines)
    largest: list[str] = []
    if segments is not None:
        n_segments = shown if missions is None else min(3, len(segments["segments"]))
        largest += [
            f"Segment {s['number']}: {s['name']} ({s['weight']:.1%} of customers)"
            for s in segments["segments"][:n_segments]
        ]
    if missions is not None:
        largest = [
            f"Mission {m['number']}: {m['name']} ({m['weight']:.1%} of baskets)"
            for m in missions["missions"][: shown - len(largest)]
        ] + largest
    return lines + largest


def _gain(held_out: Mapping[str, Any]) -> str:
    """What knowing the customer is worth."""
    error = held_out["gain_se"]
    return (
        f"Knowing the customer gains {held_out['gain']:.3f} nats per later basket"
        f"{'' if error is None or np.isnan(error) else f' (standard error {error:.3f})'}; for "
        f"{held_out['share_households_better_l1']:.1%} of {held_out['n_households_compared']:,} customers the "
        "own profile is closer to what they bought later."
    )
