"""Choosing a model: sweeps over the number of components and the covariance structure."""

from mixtura.selection.sweep import Selection, select

__all__ = ["Selection", "select"]
