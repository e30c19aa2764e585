"""Components that are not plain families: Gaussians with covariance structures, Dirichlet-multinomials."""

from mixtura.components.covariance import COVARIANCES, CovarianceModel, Diagonal, Full, Spherical, Tied
from mixtura.components.degrees import FixedDegrees, OwnDegrees, SharedDegrees
from mixtura.components.dirichlet_multinomial import DirichletMultinomial
from mixtura.components.eigen import EEI, EEV, EII, EVE, EVI, EVV, MCLUST, VEE, VEI, VEV, VVE
from mixtura.components.factor_analyzer import FactorAnalyzer
from mixtura.components.factor_noise import CommonIsotropicNoise, CommonNoise, IsotropicNoise, OwnNoise
from mixtura.components.gaussian import Gaussian
from mixtura.components.nested import Nested
from mixtura.components.product import Product
from mixtura.components.student_t import StudentT
from mixtura.components.uniform import UniformNoise
from mixtura.components.union import Union

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
    "CommonIsotropicNoise",
    "CommonNoise",
    "CovarianceModel",
    "Diagonal",
    "DirichletMultinomial",
    "FactorAnalyzer",
    "FixedDegrees",
    "Full",
    "Gaussian",
    "IsotropicNoise",
    "Nested",
    "OwnDegrees",
    "OwnNoise",
    "Product",
    "SharedDegrees",
    "Spherical",
    "StudentT",
    "Tied",
    "UniformNoise",
    "Union",
]
