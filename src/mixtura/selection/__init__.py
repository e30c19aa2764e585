"""Choosing a model: sweeps over the number of components and the covariance structure."""

from mixtura.selection.selection import Selection
from mixtura.selection.sweep import select

__all__ = ["Selection", "select"]
