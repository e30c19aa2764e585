"""Choosing a model: sweeps over the number of components and the covariance structure, trees of components and of rows."""

from mixtura.selection.folds import SequenceFolds
from mixtura.selection.hierarchy import Hierarchy, hierarchical
from mixtura.selection.selection import Selection
from mixtura.selection.sweep import select
from mixtura.selection.tree import Cut, SegmentTree

__all__ = ["Cut", "Hierarchy", "SegmentTree", "Selection", "SequenceFolds", "hierarchical", "select"]
