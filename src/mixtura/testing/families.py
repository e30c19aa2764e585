"""Checks of a family's formulas against each other, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mixtura.families import ExponentialFamily
from mixtura.protocols import Array
from mixtura.testing.compare import STANDARD_ERRORS, STEP, fail, same

__all__ = ["FAMILY_CHECKS", "FamilySpecimen"]


@dataclass(frozen=True)
class FamilySpecimen:
    """A family with natural parameters.

    Parameters
    ----------
    family : ExponentialFamily
        The formulas.
    natural : ndarray, shape (K, P)
        Natural parameters.
    seed : int, default 0
        Of the samples.
    """

    family: ExponentialFamily
    natural: Array
    seed: int = 0


def _gradient(s: FamilySpecimen) -> None:
    expected = s.family.mean_from_natural(s.natural)
    found = np.empty_like(expected)
    for p in range(s.natural.shape[1]):
        step = np.zeros_like(s.natural)
        step[:, p] = STEP * np.maximum(np.abs(s.natural[:, p]), 1e-3)
        rise = s.family.log_normalizer(s.natural + step) - s.family.log_normalizer(s.natural - step)
        found[:, p] = rise / (2.0 * step[:, p])
    # The third derivative of A times h^2, and rounding over h: six digits remain.
    same(
        found,
        expected,
        1e-6,
        "finite differences of log_normalizer",
        "mean_from_natural is the gradient of A",
    )


def _round_trip(s: FamilySpecimen) -> None:
    mean = s.family.mean_from_natural(s.natural)
    found = s.family.mean_from_natural(s.family.natural_from_mean(mean))
    # An iterative natural_from_mean may stop a few digits early.
    same(found, mean, 1e-8, "mean_from_natural(natural_from_mean(mean))", "natural_from_mean is its inverse")


def _sample_moments(s: FamilySpecimen) -> None:
    mean, rng = s.family.mean_from_natural(s.natural), np.random.default_rng(s.seed)
    for k, natural in enumerate(s.natural):
        x = np.ascontiguousarray(np.asarray(s.family.sample(natural, 5000, rng), dtype=np.float64).T)
        values = np.asarray(s.family.statistics(x), dtype=np.float64)
        exposure = s.family.exposure(x)
        values = values if exposure is None else values / exposure
        error = values.std(axis=1) / np.sqrt(values.shape[1]) + 1e-12
        off = np.abs(values.mean(axis=1) - mean[k]) / error
        if off.max() > STANDARD_ERRORS:
            p = int(off.argmax())
            fail(
                f"component {k}: the average of T_{p} over 5000 sampled rows is {values[p].mean():.6g}, "
                f"{off[p]:.1f} standard errors from mean_from_natural = {mean[k, p]:.6g}; expected at most "
                f"{STANDARD_ERRORS:g}. Look at `sample`: is a variance used as a standard deviation, a rate as a scale?"
            )


#: Checks of a family's formulas, by name; each takes a `FamilySpecimen`.
FAMILY_CHECKS: dict[str, Callable[[FamilySpecimen], bool | None]] = {
    "gradient": _gradient,
    "round trip": _round_trip,
    "sample moments": _sample_moments,
}
