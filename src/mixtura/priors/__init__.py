"""Conjugate laws of parameters: what users set, and what components and structures compute with."""

from mixtura.priors.base import Conjugate, Prior
from mixtura.priors.beta import BetaOfFailures, BetaOfOdds, BetaPrior
from mixtura.priors.chains import ChainPrior
from mixtura.priors.dirichlet import dirichlet_divergence, dirichlet_from_mean_log, inverse_digamma
from mixtura.priors.dirichlet_prior import DirichletOfLevels, DirichletPrior
from mixtura.priors.gamma import GammaOfMean, GammaOfRate, GammaPrior
from mixtura.priors.normal_gamma import NormalGamma, NormalGammaPrior
from mixtura.priors.normal_wishart import NormalWishartPrior
from mixtura.priors.regression import RegressionPrior
from mixtura.priors.weights import DirichletProcessPrior, PitmanYorPrior

__all__ = [
    "BetaOfFailures",
    "BetaOfOdds",
    "BetaPrior",
    "ChainPrior",
    "Conjugate",
    "DirichletOfLevels",
    "DirichletPrior",
    "DirichletProcessPrior",
    "GammaOfMean",
    "GammaOfRate",
    "GammaPrior",
    "NormalGamma",
    "NormalGammaPrior",
    "NormalWishartPrior",
    "PitmanYorPrior",
    "Prior",
    "RegressionPrior",
    "dirichlet_divergence",
    "dirichlet_from_mean_log",
    "inverse_digamma",
]
