"""mixtura: mixture and other latent-variable models."""

from mixtura.models import GaussianMixture, GroupedMultinomialMixture, MultinomialMixture, load

__version__ = "0.1.0"

__all__ = ["GaussianMixture", "GroupedMultinomialMixture", "MultinomialMixture", "__version__", "load"]
