"""Models without K discrete scores: their hidden states are continuous, and the same driver learns them."""

from mixtura.chains.diffuse_initial import DiffuseInitial
from mixtura.chains.kalman import Filtered, FilterForm, Joseph, Smoothed, Steps
from mixtura.chains.kalman_roots import SquareRoot
from mixtura.chains.linear_gaussian import LinearGaussianChain
from mixtura.chains.linear_gaussian_initial import FreeInitial, InitialLaw, KnownInitial, StationaryInitial
from mixtura.chains.linear_gaussian_laws import (
    CoefficientLaw,
    DiagonalNoise,
    FreeCoefficients,
    FreeNoise,
    KnownCoefficients,
    KnownNoise,
    NoiseLaw,
    RegressionSums,
    SphericalNoise,
)
from mixtura.chains.linear_gaussian_system import System
from mixtura.chains.linear_regression import LinearRegression
from mixtura.chains.moments import Moments, RowSums, joined
from mixtura.chains.posterior import Posterior, factored, posterior, spectral
from mixtura.chains.prior_variances import (
    CommonVariance,
    IndividualVariances,
    KnownVariances,
    PriorVariances,
)
from mixtura.chains.structural import StructuralChain
from mixtura.chains.switching import SwitchingChain

__all__ = [
    "CoefficientLaw",
    "CommonVariance",
    "DiagonalNoise",
    "DiffuseInitial",
    "FilterForm",
    "Filtered",
    "FreeCoefficients",
    "FreeInitial",
    "FreeNoise",
    "IndividualVariances",
    "InitialLaw",
    "Joseph",
    "KnownCoefficients",
    "KnownInitial",
    "KnownNoise",
    "KnownVariances",
    "LinearGaussianChain",
    "LinearRegression",
    "Moments",
    "NoiseLaw",
    "Posterior",
    "PriorVariances",
    "RegressionSums",
    "RowSums",
    "Smoothed",
    "SphericalNoise",
    "SquareRoot",
    "StationaryInitial",
    "Steps",
    "StructuralChain",
    "SwitchingChain",
    "System",
    "factored",
    "joined",
    "posterior",
    "spectral",
]
