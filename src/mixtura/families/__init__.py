"""Exponential families: five formulas each; `_base` derives the rest."""

from mixtura.families._base import ColumnFamily, ExponentialFamily
from mixtura.families._components import FamilyComponents
from mixtura.families.bernoulli import Bernoulli
from mixtura.families.binomial import Binomial
from mixtura.families.categorical import Categorical
from mixtura.families.geometric import Geometric
from mixtura.families.multinomial import Multinomial
from mixtura.families.normal import Normal
from mixtura.families.poisson import Poisson

__all__ = [
    "Bernoulli",
    "Binomial",
    "Categorical",
    "ColumnFamily",
    "ExponentialFamily",
    "FamilyComponents",
    "Geometric",
    "Multinomial",
    "Normal",
    "Poisson",
]
