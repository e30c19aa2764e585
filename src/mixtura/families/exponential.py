r"""Exponential columns: :math:`T(x) = x`, :math:`\eta = -\lambda`, :math:`A = -\sum_j \log(-\eta_j)`, :math:`h = 1`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mixtura.families._base import ColumnFamily
from mixtura.families._solvers import SMALLEST, exponential, named
from mixtura.priors import GammaOfRate, GammaPrior, Prior
from mixtura.protocols import Array

__all__ = ["Exponential"]


class Exponential(ColumnFamily):
    """Columns of waiting times with a constant hazard, independent given the component.

    Natural parameters are minus the rates, mean parameters the means 1 / rate, both (K, D). Zeros are allowed (times that
    were rounded); a component that holds only zeros in a column has no maximum.

    References
    ----------
    .. [1] N. L. Johnson, S. Kotz and N. Balakrishnan (1994), "Continuous Univariate Distributions", volume 1, chapter 19.

    Examples
    --------
    >>> Exponential().natural_from_mean(np.array([[2.0, 0.5]]))
    array([[-0.5, -2. ]])
    >>> from mixtura import Mixture
    >>> rng = np.random.default_rng(0)
    >>> minutes = np.concatenate([rng.exponential(1.0, 3000), rng.exponential(60.0, 1000)])
    >>> mixture = Mixture(Exponential(), 2, random_state=0).fit(minutes)
    >>> np.sort(mixture.components_.mean.ravel()).round()
    array([ 1., 62.])
    """

    name = "exponential"
    support = "numbers of at least 0"

    def statistics(self, x: Array) -> Array:
        """The values themselves, shape (D, B)."""
        return x

    def column_log_base(self, x: Array) -> Array:
        """Zero, shape (D, B)."""
        return np.zeros(x.shape)

    def column_normalizer(self, natural: Array) -> Array:
        """Minus log rates, shape (K, D)."""
        return np.asarray(-np.log(-natural))

    def natural_from_mean(self, mean: Array) -> Array:
        """Minus the rates."""
        return np.asarray(-1.0 / mean)

    def mean_from_natural(self, natural: Array) -> Array:
        """Means."""
        return np.asarray(-1.0 / natural)

    def expected(self, natural: Array) -> list[Array]:
        """Means."""
        return list(self.mean_from_natural(natural).T)

    def conjugate(self, prior: Prior | None, mean: Array) -> GammaOfRate:
        """Gamma laws of the rates."""
        with np.errstate(divide="ignore"):
            rates = np.where(mean > 0, 1.0 / mean, 1.0)
        return GammaOfRate.of(*GammaPrior.taken(prior, self.name).checked(rates))

    def sample(self, natural: Array, n: int, rng: np.random.Generator) -> Array:
        """Rows of times, shape (n, D)."""
        return rng.exponential(-1.0 / natural, size=(n, len(natural)))

    def parameters(self, natural: Array, names: Sequence[str]) -> list[tuple[str, str, Array]]:
        """Rates."""
        return [("rate", name, -natural[:, d]) for d, name in enumerate(names)]

    def degenerate(self, mean: Array) -> dict[int, str]:
        """Components whose values are all zero, or beyond the range of numbers."""
        bad = ~((mean >= SMALLEST) & (mean <= 1.0 / SMALLEST))
        return named(
            bad,
            lambda k, d: (
                "its values are all 0, where the exponential likelihood has no maximum"
                if mean[k, d] == 0.0
                else f"the mean {mean[k, d]:.3g} is outside of {SMALLEST:g} to {1.0 / SMALLEST:g}: use another unit"
            ),
        )

    def tilted(self, mean: Array, tilt: Array) -> Array:
        """Every column's mean moved by half a standard deviation, which is the mean."""
        return mean * (1.0 + 5.0 * tilt)

    def free(self, natural: Array) -> Array:
        """Log rates."""
        return np.asarray(np.log(-natural))

    def from_free(self, free: Array) -> Array:
        """From log rates."""
        return -exponential(free)

    def outside(self, x: Array) -> Array:
        """Negative values."""
        return np.asarray(x < 0)

    def features(self, x: Array) -> Array:
        """Fourth roots, which are close to normal and, unlike logarithms, take zeros."""
        return np.asarray(np.sqrt(np.sqrt(x)))
