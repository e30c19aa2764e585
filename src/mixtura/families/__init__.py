"""Exponential families: five formulas each; `_base` derives the rest."""

from mixtura.families._base import ColumnFamily, ExponentialFamily
from mixtura.families._components import FamilyComponents
from mixtura.families.bernoulli import Bernoulli
from mixtura.families.beta import Beta
from mixtura.families.binomial import Binomial
from mixtura.families.categorical import Categorical
from mixtura.families.dirichlet import Dirichlet
from mixtura.families.exponential import Exponential
from mixtura.families.gamma import Gamma
from mixtura.families.geometric import Geometric
from mixtura.families.inverse_gaussian import InverseGaussian
from mixtura.families.log_normal import LogNormal
from mixtura.families.multinomial import Multinomial
from mixtura.families.normal import Normal
from mixtura.families.poisson import Poisson
from mixtura.families.von_mises import VonMises
from mixtura.families.von_mises_fisher import VonMisesFisher

__all__ = [
    "Bernoulli",
    "Beta",
    "Binomial",
    "Categorical",
    "ColumnFamily",
    "Dirichlet",
    "Exponential",
    "ExponentialFamily",
    "FamilyComponents",
    "Gamma",
    "Geometric",
    "InverseGaussian",
    "LogNormal",
    "Multinomial",
    "Normal",
    "Poisson",
    "VonMises",
    "VonMisesFisher",
]
