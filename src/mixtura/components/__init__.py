"""Components that are not plain families: Gaussians and their covariance structures."""

from mixtura.components.covariance import COVARIANCES, CovarianceModel, Diagonal, Full, Spherical, Tied
from mixtura.components.gaussian import Gaussian

__all__ = ["COVARIANCES", "CovarianceModel", "Diagonal", "Full", "Gaussian", "Spherical", "Tied"]
