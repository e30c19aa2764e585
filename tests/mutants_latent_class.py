"""Bugs feared in columns of levels."""

import numpy as np

from contract.specimens import FAMILIES, LEVELS
from mixtura.families import Categorical
from mixtura.families.categorical import raised
from mutant_base import Mutant

NATURAL = FAMILIES["Categorical"].subject[1]
GAPS = np.column_stack([np.random.default_rng(3).integers(count, size=60) for count in LEVELS]).T.astype(
    float
)
GAPS[np.random.default_rng(4).random(GAPS.shape) < 0.3] = np.nan


def observed_log_density(x, k):
    """log p of the cells that are there."""
    shares = np.split(np.exp(NATURAL[k]), np.cumsum(LEVELS)[:-1])
    logs = [
        np.log(share / share.sum())[np.nan_to_num(row).astype(int)]
        for share, row in zip(shares, x, strict=True)
    ]
    return np.where(np.isnan(x), 0.0, logs).sum(axis=0)


class MissingIsFirstLevel(Categorical):
    """A missing cell counts as an answer."""

    def statistics(self, x):
        return super().statistics(np.nan_to_num(x))


class ShiftedColumns(Categorical):
    """The levels of the second column begin one too early."""

    def statistics(self, x):
        marks = super().statistics(x)
        first = self.levels[0]
        marks[first:] = np.roll(marks[first:], -1, axis=0)
        return marks


class FloorNotPaidFor(Categorical):
    """Probabilities are raised to a floor and not normalised again."""

    def natural_from_mean(self, mean):
        return np.log(np.maximum(raised(mean, self.levels, 1e-10), 0.2))


CATALOGUE = {
    "missing cell as the first level": Mutant(
        family=(MissingIsFirstLevel(LEVELS), NATURAL),
        arguments={"x": GAPS, "log_density": observed_log_density},
    ),
    "levels of the second column shifted": Mutant(
        family=(ShiftedColumns(LEVELS), NATURAL), arguments=FAMILIES["Categorical"].arguments
    ),
    "floor of probabilities not paid for": Mutant(
        family=(FloorNotPaidFor(LEVELS), NATURAL), arguments=FAMILIES["Categorical"].arguments
    ),
}
