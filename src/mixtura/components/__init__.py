"""Components that are not plain families: Gaussians with their covariance structures, Dirichlet-multinomials."""

from mixtura.components.covariance import COVARIANCES, CovarianceModel, Diagonal, Full, Spherical, Tied
from mixtura.components.dirichlet_multinomial import DirichletMultinomial
from mixtura.components.gaussian import Gaussian

__all__ = [
    "COVARIANCES",
    "CovarianceModel",
    "Diagonal",
    "DirichletMultinomial",
    "Full",
    "Gaussian",
    "Spherical",
    "Tied",
]
