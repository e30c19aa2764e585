"""What a run gives back: results, models, counts, and ten lines for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mixtura.segments.baskets import Baskets
from mixtura.segments.tables import basket_table, customer_table

__all__ = ["Segmentation", "summary"]


@dataclass(frozen=True)
class Segmentation:
    """Missions of a shop's baskets.

    Parameters
    ----------
    missions : dict
        Everything that was found, as in missions.json.
    model : GroupedMultinomialMixture
        The household mixture; component k is mission k + 1.
    global_model : MultinomialMixture
        The global mixture of the same size.
    baskets : Baskets
        What the models were fitted to.
    folder : Path or None
        Where the results were written.
    interrupted : bool
        Whether Ctrl-C ended the sweep, so that the choice is among fewer sizes than asked for.

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

    missions: dict[str, Any]
    model: Any
    global_model: Any
    baskets: Baskets
    folder: Path | None
    interrupted: bool

    def summary(self) -> list[str]:
        """Ten lines for people.

        Returns
        -------
        list of str
            Data, split, choice, prediction, and the largest missions.
        """
        return summary(self.missions)

    def customer_table(self) -> dict[str, np.ndarray]:
        """Columns of customers.parquet.

        Returns
        -------
        dict of str to ndarray
            One entry per customer in each.
        """
        return customer_table(self.model, self.baskets, self.missions["data"]["n_train_baskets"])

    def basket_table(self) -> dict[str, np.ndarray]:
        """Columns of baskets.parquet.

        Returns
        -------
        dict of str to ndarray
            One entry per basket in each, in order of time.
        """
        return basket_table(self.model, self.baskets, self.missions["data"]["n_train_baskets"])

    def __repr__(self) -> str:
        data = self.missions["data"]
        return f"Segmentation({len(self.missions['missions'])} missions of {data['n_baskets']:,} baskets)"


def summary(missions: Mapping[str, Any]) -> list[str]:
    """Ten lines for people from the content of missions.json.

    Parameters
    ----------
    missions : Mapping
        The content.

    Returns
    -------
    list of str
        Plain sentences.
    """
    data, held_out = missions["data"], missions["held_out"]
    read = (
        f"{data['n_lines_used']:,} of {data['n_lines']:,} lines: {data['n_baskets']:,} baskets of "
        f"{data['n_customers']:,} customers, {data['n_categories']:,} categories, {data['n_nonzero']:,} "
        "counts."
    )
    split = (
        f"Learned from the {data['n_train_baskets']:,} baskets before {data['split_time']}, tested on the "
        f"{data['n_test_baskets']:,} later ones ({data['n_test_baskets_unseen_customer']:,} of new "
        "customers)."
    )
    lines = [read, split, f"{missions['choice']['sentence']}."]
    if held_out is None:
        lines.append("No later basket of a known customer, so predictions were not compared.")
    else:
        lines += _compared(held_out)
    largest = missions["missions"][: 10 - len(lines)]
    return lines + [f"Mission {m['number']}: {m['name']} ({m['weight']:.1%} of baskets)" for m in largest]


def _compared(held_out: Mapping[str, Any]) -> list[str]:
    """Three sentences on the prediction of later baskets."""
    scores = (
        f"Log-likelihood per later basket: {held_out['global']:.3f} with one set of weights for all, "
        f"{held_out['household_no_shrinkage']:.3f} per customer, {held_out['household']:.3f} shrunk to all."
    )
    error = held_out["gain_se"]
    gain = (
        f"Knowing the customer gains {held_out['gain']:.3f} nats per basket"
        f"{'' if error is None or np.isnan(error) else f' (standard error {error:.3f})'}."
    )
    closer = (
        f"For {held_out['share_households_better_l1']:.1%} of {held_out['n_households_compared']:,} "
        "customers the "
        "own profile is closer to what they bought later (L1)."
    )
    return [scores, gain, closer]
