"""Fast overrides of the generic pass, each tested equal to it.

`fused` looks up a kernel that runs a whole pass (scores, inference, sums) for one pair of component and
structure types; where there is none, or Numba is missing, the generic pass of
:class:`~mixtura.structures.latent_mixture.LatentMixture` is used, which is the definition.
`compiled` looks up a single step, for a caller that has a NumPy path of its own.
"""

from mixtura.kernels.registry import compiled, fused, without_kernels

__all__ = ["compiled", "fused", "without_kernels"]
