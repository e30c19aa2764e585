"""Laws of the hidden state, and the model that joins one to components."""

from mixtura.structures.grouped import Grouped
from mixtura.structures.grouped_plug_in import GroupedPlugIn
from mixtura.structures.independent import Independent
from mixtura.structures.latent_mixture import LatentMixture

__all__ = ["Grouped", "GroupedPlugIn", "Independent", "LatentMixture"]
