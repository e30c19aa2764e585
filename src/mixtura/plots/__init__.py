"""Matplotlib pictures of fitted mixtures, made from their attributes and nothing else.

Every function takes a fitted model (or a selection) and returns the Axes it drew on; none changes anything.
"""

from mixtura.plots.clusters import plot_clusters
from mixtura.plots.density import plot_density
from mixtura.plots.history import plot_history
from mixtura.plots.selection import plot_selection

__all__ = ["plot_clusters", "plot_density", "plot_history", "plot_selection"]
