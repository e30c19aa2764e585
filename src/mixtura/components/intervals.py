"""Where a parameter lives, and a coordinate of it for which every real number is valid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from mixtura.protocols import Array

__all__ = ["POSITIVE", "PROBABILITY", "REAL", "Interval"]

# Coordinates beyond are cut: exponentials overflow above 709.
_FARTHEST = 600.0
# The largest logit: one minus the share is still twice the rounding of one.
_LARGEST_LOGIT = 35.0


@dataclass(frozen=True)
class Interval:
    """Values between two ends, and their unconstrained coordinate: a logarithm, a logit, or the value itself.

    Parameters
    ----------
    low, high : float
        The ends; infinite where there is none.

    Examples
    --------
    >>> Interval(0.0, 1.0).free(np.array([0.5]))
    array([0.])
    >>> Interval(0.0).value(np.array([0.0]))
    array([1.])
    """

    low: float = -np.inf
    high: float = np.inf

    def free(self, values: Array) -> Array:
        """Coordinates of values; one on an end gets a large finite coordinate."""
        if np.isfinite(self.low) and np.isfinite(self.high):
            share = (values - self.low) / (self.high - self.low)
            return np.asarray(np.clip(logit(np.clip(share, 1e-250, 1.0 - 1e-16)), -_FARTHEST, _LARGEST_LOGIT))
        if np.isfinite(self.low):
            return np.asarray(np.log(np.maximum(values - self.low, 1e-250)))
        if np.isfinite(self.high):
            return np.asarray(-np.log(np.maximum(self.high - values, 1e-250)))
        return np.asarray(values, dtype=np.float64)

    def value(self, free: Array) -> Array:
        """Inverse of `free`."""
        free = np.asarray(free, dtype=np.float64)
        if np.isfinite(self.low) and np.isfinite(self.high):
            share = expit(np.clip(free, -_FARTHEST, _LARGEST_LOGIT))
            return np.asarray(self.low + (self.high - self.low) * share)
        if np.isfinite(self.low):
            return np.asarray(self.low + np.exp(np.clip(free, -_FARTHEST, _FARTHEST)))
        if np.isfinite(self.high):
            return np.asarray(self.high - np.exp(-np.clip(free, -_FARTHEST, _FARTHEST)))
        return free

    def holds(self, values: Array) -> Array:
        """Mask of finite values inside or on an end."""
        return np.asarray(np.isfinite(values) & (values >= self.low) & (values <= self.high))


REAL = Interval()
POSITIVE = Interval(0.0)
PROBABILITY = Interval(0.0, 1.0)
