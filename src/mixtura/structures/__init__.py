"""Laws of the hidden state, and the model that joins one to components."""

from mixtura.structures.concomitant import Concomitant
from mixtura.structures.dirichlet_markov import DirichletMarkov, DirichletMarkovMode
from mixtura.structures.dirichlet_weights import DirichletMode, DirichletWeights
from mixtura.structures.equal_weights import EqualWeights
from mixtura.structures.grouped import Grouped
from mixtura.structures.grouped_markov import GroupedChain, GroupedMarkov
from mixtura.structures.grouped_plug_in import GroupedPlugIn
from mixtura.structures.independent import Independent
from mixtura.structures.input_output import InputOutputChain, InputOutputMarkov
from mixtura.structures.latent_mixture import LatentMixture
from mixtura.structures.markov import Markov
from mixtura.structures.semi_markov import DurationChain, SemiMarkov
from mixtura.structures.stick_breaking import StickBreaking

__all__ = [
    "Concomitant",
    "DirichletMarkov",
    "DirichletMarkovMode",
    "DirichletMode",
    "DirichletWeights",
    "DurationChain",
    "EqualWeights",
    "Grouped",
    "GroupedChain",
    "GroupedMarkov",
    "GroupedPlugIn",
    "Independent",
    "InputOutputChain",
    "InputOutputMarkov",
    "LatentMixture",
    "Markov",
    "SemiMarkov",
    "StickBreaking",
]
