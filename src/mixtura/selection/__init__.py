"""Choosing a model: sweeps over the number of components and the covariance structure, and the tree of the components."""

from mixtura.selection.selection import Selection
from mixtura.selection.sweep import select
from mixtura.selection.tree import Cut, SegmentTree

__all__ = ["Cut", "SegmentTree", "Selection", "select"]
