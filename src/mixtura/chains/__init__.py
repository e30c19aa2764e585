"""Models without K discrete scores: their hidden states are continuous, and the same driver learns them."""

from mixtura.chains.linear_regression import LinearRegression
from mixtura.chains.moments import Moments, RowSums, joined
from mixtura.chains.posterior import Posterior, factored, posterior, spectral
from mixtura.chains.prior_variances import (
    CommonVariance,
    IndividualVariances,
    KnownVariances,
    PriorVariances,
)

__all__ = [
    "CommonVariance",
    "IndividualVariances",
    "KnownVariances",
    "LinearRegression",
    "Moments",
    "Posterior",
    "PriorVariances",
    "RowSums",
    "factored",
    "joined",
    "posterior",
    "spectral",
]
