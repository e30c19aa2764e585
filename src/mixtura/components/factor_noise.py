r"""Noise structures of factor analysers as objects: diagonal or isotropic, each component's own or common to all.

===================  ===============================  ================  ======================================
object               noise covariance                 free parameters   M-step given the scatters
===================  ===============================  ================  ======================================
OwnNoise             diag(psi_k)                      K D               Newton, each component by itself
CommonNoise          diag(psi)                        D                 Newton, all components together
IsotropicNoise       sigma_k^2 I                      K                 closed: mean of the eigenvalues left out
CommonIsotropicNoise sigma^2 I                        1                 closed: the same over all components
===================  ===============================  ================  ======================================

Given the noise, loadings are eigenvectors, so every one of these M-steps is a maximum over loadings and noise at once
(:mod:`mixtura.components.uniquenesses`; a local one for diagonal noise, where more than one may exist).

References
----------
.. [1] M. E. Tipping, C. M. Bishop (1999), Mixtures of probabilistic principal component analyzers, Neural Computation 11,
   443-482, appendix A: isotropic noise.
.. [2] G. J. McLachlan, D. Peel (2000), Finite Mixture Models, section 8.2.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from mixtura.components.uniquenesses import uniquenesses
from mixtura.protocols import Array

__all__ = ["NOISES", "CommonIsotropicNoise", "CommonNoise", "IsotropicNoise", "NoiseModel", "OwnNoise"]


class NoiseModel(ABC):
    """One noise structure; it has no settings. Noise variances are (K, D) whatever the structure."""

    #: Name in messages and of the user class's setting.
    name = "noise"
    #: Names of the structures that are special cases of this one.
    special: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    @abstractmethod
    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Free noise variances."""

    @abstractmethod
    def maximize(
        self,
        counts: Array,
        covariances: Array,
        n_factors: int,
        start: Array,
        floor: Array,
        most_steps: int,
    ) -> tuple[Array, Array, bool]:
        """Noise variances (K, D), loadings (K, D, q) and whether the maximum was reached.

        `counts` (K,) and `covariances` (K, D, D) are of the components, `start` (K, D) are noise variances to start
        from, `floor` (D,) the least ones allowed; an iteration ends after `most_steps`.
        """

    @abstractmethod
    def free(self, noise: Array) -> Array:
        """Logarithms of the noise variances (K, D), each free one once."""

    @abstractmethod
    def from_free(self, vector: Array, shape: tuple[int, int]) -> Array:
        """Inverse of `free`, for a shape (K, D)."""


class OwnNoise(NoiseModel):
    """Every component has its own noise variance in every column."""

    name = "own"
    special: tuple[str, ...] = ("common", "isotropic", "common_isotropic")

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """K D."""
        return n_components * n_features

    def maximize(
        self,
        counts: Array,
        covariances: Array,
        n_factors: int,
        start: Array,
        floor: Array,
        most_steps: int,
    ) -> tuple[Array, Array, bool]:
        """Maximum-likelihood factor analysis of each component's covariance."""
        one = np.ones(1)
        fits = [
            uniquenesses(one, covariances[k : k + 1], n_factors, start[k], floor, most_steps)
            for k in range(len(counts))
        ]
        noise, found, converged = zip(*fits, strict=True)
        return np.stack(noise), np.concatenate(found), all(converged)

    def free(self, noise: Array) -> Array:
        """All of them."""
        return np.log(noise).ravel()

    def from_free(self, vector: Array, shape: tuple[int, int]) -> Array:
        """All of them."""
        return np.exp(vector).reshape(shape)


class CommonNoise(NoiseModel):
    """Every column has one noise variance in all components: few rows a component are enough to estimate it."""

    name = "common"
    special: tuple[str, ...] = ("common_isotropic",)

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """D."""
        return n_features

    def maximize(
        self,
        counts: Array,
        covariances: Array,
        n_factors: int,
        start: Array,
        floor: Array,
        most_steps: int,
    ) -> tuple[Array, Array, bool]:
        """The same with one noise for all covariances."""
        shares = counts / counts.sum()
        noise, found, converged = uniquenesses(
            shares, covariances, n_factors, shares @ start, floor, most_steps
        )
        return np.broadcast_to(noise, start.shape), found, converged

    def free(self, noise: Array) -> Array:
        """Those of the first component."""
        return np.asarray(np.log(noise[0]))

    def from_free(self, vector: Array, shape: tuple[int, int]) -> Array:
        """The same for all components."""
        return np.broadcast_to(np.exp(vector), shape)


class IsotropicNoise(NoiseModel):
    """Every component has one noise variance for all columns: a mixture of probabilistic principal component analysers."""

    name = "isotropic"
    special: tuple[str, ...] = ("common_isotropic",)

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """K."""
        return n_components

    def _variance(self, counts: Array, values: Array, n_factors: int) -> Array:
        """Noise variance of each component, from its eigenvalues (K, D), largest first."""
        return np.asarray(values[:, n_factors:].mean(axis=1))

    def maximize(
        self,
        counts: Array,
        covariances: Array,
        n_factors: int,
        start: Array,
        floor: Array,
        most_steps: int,
    ) -> tuple[Array, Array, bool]:
        """Tipping and Bishop's equations A.3 and A.5; the floor is that of the column with the least variance."""
        values, vectors = np.linalg.eigh(covariances)
        values, vectors = np.maximum(values[:, ::-1], 0.0), vectors[:, :, ::-1]
        noise = np.maximum(self._variance(counts, values, n_factors), floor.min())
        strength = np.sqrt(np.maximum(values[:, :n_factors] - noise[:, None], 0.0))
        return (
            np.broadcast_to(noise[:, None], start.shape),
            vectors[:, :, :n_factors] * strength[:, None, :],
            True,
        )

    def free(self, noise: Array) -> Array:
        """One a component."""
        return np.asarray(np.log(noise[:, 0]))

    def from_free(self, vector: Array, shape: tuple[int, int]) -> Array:
        """The same for all columns."""
        return np.broadcast_to(np.exp(vector)[:, None], shape)


class CommonIsotropicNoise(IsotropicNoise):
    """One noise variance for all columns of all components."""

    name = "common_isotropic"
    special: tuple[str, ...] = ()

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """1."""
        return 1

    def _variance(self, counts: Array, values: Array, n_factors: int) -> Array:
        r"""The mean of the eigenvalues left out, where a factor whose eigenvalue is below the noise is left out, too.

        With s the noise variance the derivative of minus twice the log-likelihood by log s is
        :math:`\sum_k N_k \sum_j (1 - l_{kj} / s)` over the eigenvalues left out. It rises with s, so its zero is the
        maximum; leaving out more factors lowers the mean, so this ends after at most K q rounds.
        """
        weights = np.broadcast_to(counts[:, None], values.shape)
        out = np.broadcast_to(np.arange(values.shape[1]) >= n_factors, values.shape)
        variance = 0.0
        for _ in range(1 + values[:, :n_factors].size):
            variance = float(np.sum(weights[out] * values[out]) / np.sum(weights[out]))
            more = out | (values < variance)
            if np.array_equal(more, out):
                break
            out = more
        return np.full(len(counts), variance)

    def free(self, noise: Array) -> Array:
        """The one."""
        return np.asarray(np.log(noise[0, :1]))

    def from_free(self, vector: Array, shape: tuple[int, int]) -> Array:
        """The same everywhere."""
        return np.full(shape, np.exp(vector[0]))


#: Names for the user class and model files only.
NOISES: dict[str, type[NoiseModel]] = {
    kind.name: kind for kind in (OwnNoise, CommonNoise, IsotropicNoise, CommonIsotropicNoise)
}
