"""Exponential families: five formulas each; `_base` derives the rest."""

from mixtura.families._base import ExponentialFamily, FamilyComponents
from mixtura.families.multinomial import Multinomial
from mixtura.families.normal import Normal

__all__ = ["ExponentialFamily", "FamilyComponents", "Multinomial", "Normal"]
