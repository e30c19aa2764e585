"""Components that are not plain families: Gaussians with covariance structures, Dirichlet-multinomials."""

from mixtura.components.constrained import Fixed, Shared
from mixtura.components.covariance import COVARIANCES, CovarianceModel, Diagonal, Full, Spherical, Tied
from mixtura.components.degrees import FixedDegrees, OwnDegrees, SharedDegrees
from mixtura.components.dirichlet_multinomial import DirichletMultinomial
from mixtura.components.eigen import EEI, EEV, EII, EVE, EVI, EVV, MCLUST, VEE, VEI, VEV, VVE
from mixtura.components.factor_analyzer import FactorAnalyzer
from mixtura.components.factor_noise import CommonIsotropicNoise, CommonNoise, IsotropicNoise, OwnNoise
from mixtura.components.gaussian import Gaussian
from mixtura.components.gaussian_response import GaussianResponse
from mixtura.components.generalized_regression import LogisticResponse, PoissonResponse
from mixtura.components.laplace import Laplace
from mixtura.components.negative_binomial import NegativeBinomial
from mixtura.components.nested import Nested
from mixtura.components.ordinal import AdjacentLogit, CumulativeLogit, Ordinal
from mixtura.components.penalized_counts import PenalizedMultinomial, Symbols
from mixtura.components.penalized_gaussian import PenalizedGaussian
from mixtura.components.penalized_nested import PenalizedNested
from mixtura.components.product import Product
from mixtura.components.scipy_distribution import ScipyDistribution
from mixtura.components.skew_normal import SkewNormal
from mixtura.components.student_t import StudentT
from mixtura.components.uniform import UniformNoise
from mixtura.components.union import Union
from mixtura.components.weibull import Weibull
from mixtura.components.zero_inflated import ZeroInflatedNegativeBinomial, ZeroInflatedPoisson

__all__ = [
    "COVARIANCES",
    "EEI",
    "EEV",
    "EII",
    "EVE",
    "EVI",
    "EVV",
    "MCLUST",
    "VEE",
    "VEI",
    "VEV",
    "VVE",
    "AdjacentLogit",
    "CommonIsotropicNoise",
    "CommonNoise",
    "CovarianceModel",
    "CumulativeLogit",
    "Diagonal",
    "DirichletMultinomial",
    "FactorAnalyzer",
    "Fixed",
    "FixedDegrees",
    "Full",
    "Gaussian",
    "GaussianResponse",
    "IsotropicNoise",
    "Laplace",
    "LogisticResponse",
    "NegativeBinomial",
    "Nested",
    "Ordinal",
    "OwnDegrees",
    "OwnNoise",
    "PenalizedGaussian",
    "PenalizedMultinomial",
    "PenalizedNested",
    "PoissonResponse",
    "Product",
    "ScipyDistribution",
    "Shared",
    "SharedDegrees",
    "SkewNormal",
    "Spherical",
    "StudentT",
    "Symbols",
    "Tied",
    "UniformNoise",
    "Union",
    "Weibull",
    "ZeroInflatedNegativeBinomial",
    "ZeroInflatedPoisson",
]
