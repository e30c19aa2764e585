"""Matplotlib pictures of fitted mixtures, made from their attributes and nothing else.

Every function takes a fitted model (or a selection, a tree, shares, probabilities) and returns the Axes it drew on; none
changes anything.
"""

from mixtura.plots.bars import plot_profiles
from mixtura.plots.clusters import plot_clusters
from mixtura.plots.dendrogram import plot_dendrogram
from mixtura.plots.density import plot_density
from mixtura.plots.history import plot_history
from mixtura.plots.posterior_predictive import plot_posterior_predictive
from mixtura.plots.posterior_weights import plot_posterior_weights
from mixtura.plots.selection import plot_selection
from mixtura.plots.series import plot_series
from mixtura.plots.simplex import plot_simplex
from mixtura.plots.state_sequence import plot_states
from mixtura.plots.transitions import plot_transition_diagram, plot_transitions
from mixtura.plots.visits import plot_visits
from mixtura.plots.words import plot_words

__all__ = [
    "plot_clusters",
    "plot_dendrogram",
    "plot_density",
    "plot_history",
    "plot_posterior_predictive",
    "plot_posterior_weights",
    "plot_profiles",
    "plot_selection",
    "plot_series",
    "plot_simplex",
    "plot_states",
    "plot_transition_diagram",
    "plot_transitions",
    "plot_visits",
    "plot_words",
]
