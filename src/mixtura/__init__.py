"""mixtura: mixture and other latent-variable models, learnt by EM on additive statistics.

The user classes have scikit-learn's names and methods; `select` sweeps over the number of components; `load` reads a
saved model; `mixtura.segments` goes from a transaction table to explained customer segments.
"""

from mixtura.models import GaussianMixture, GroupedMultinomialMixture, Mixture, MultinomialMixture, load
from mixtura.selection import Selection, select

__version__ = "0.1.0"

__all__ = [
    "GaussianMixture",
    "GroupedMultinomialMixture",
    "Mixture",
    "MultinomialMixture",
    "Selection",
    "__version__",
    "load",
    "select",
]
