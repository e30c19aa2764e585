"""Fast overrides of the generic pass, each tested equal to it.

`fused` looks up a kernel that runs a whole pass (scores, inference, sums) for one pair of component and
structure types; where there is none, or Numba is missing, the generic pass of
:class:`~mixtura.structures.latent_mixture.LatentMixture` is used, which is the definition.
"""

from mixtura.kernels.registry import fused, without_kernels

__all__ = ["fused", "without_kernels"]
