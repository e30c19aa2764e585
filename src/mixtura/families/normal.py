r"""Univariate Gaussian: :math:`T(x) = (x, x^2)`, :math:`\eta = (\mu/\sigma^2, -1/(2\sigma^2))`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mixtura.exceptions import InvalidDataError
from mixtura.families._base import ColumnFamily
from mixtura.priors import NormalGamma, NormalGammaPrior, Prior
from mixtura.protocols import Array

__all__ = ["Normal"]

_HALF_LOG_TWO_PI = 0.5 * float(np.log(2.0 * np.pi))


class Normal(ColumnFamily):
    """Univariate Gaussian with mean and variance, as an exponential family.

    The definition against which :class:`mixtura.components.Gaussian` with one column is tested; it keeps no
    origin of its own, so data far from the encoding's origin belong to `Gaussian`.

    Examples
    --------
    >>> Normal().natural_from_mean(np.array([[1.0, 3.0]]))  # mean 1, variance 2
    array([[ 0.5 , -0.25]])
    """

    name = "normal"

    def statistics(self, x: Array) -> Array:
        """x and its square, shape (2, B).

        Raises
        ------
        InvalidDataError
            If there are several columns.
        """
        if len(x) != 1:
            msg = (
                f"The rows have {len(x)} columns; expected one (Normal). Use Gaussian() for several, with model=Diagonal() where they are "
                "independent, or a Product of one Normal() for each."
            )
            raise InvalidDataError(msg)
        return np.concatenate([x, x * x])

    def column_log_base(self, x: Array) -> Array:
        """-log(2 pi) / 2, shape (1, B)."""
        return np.full(x.shape, -_HALF_LOG_TWO_PI)

    def column_normalizer(self, natural: Array) -> Array:
        """-eta1^2 / (4 eta2) - log(-2 eta2) / 2, shape (K, 1)."""
        linear, quadratic = natural[:, :1], natural[:, 1:]
        return np.asarray(-(linear**2) / (4.0 * quadratic) - 0.5 * np.log(-2.0 * quadratic))

    def columns(self, n_values: int) -> Array:
        """Both statistics belong to the one column."""
        return np.zeros(2, dtype=np.intp)

    def natural_from_mean(self, mean: Array) -> Array:
        """From E[x] and E[x^2]."""
        variance = mean[:, 1] - mean[:, 0] ** 2
        return np.stack([mean[:, 0] / variance, -0.5 / variance], axis=1)

    def mean_from_natural(self, natural: Array) -> Array:
        """E[x] and E[x^2]."""
        variance = -0.5 / natural[:, 1]
        mean = natural[:, 0] * variance
        return np.stack([mean, variance + mean**2], axis=1)

    def expected(self, natural: Array) -> list[Array]:
        """Means."""
        return [self.mean_from_natural(natural)[:, 0]]

    def conjugate(self, prior: Prior | None, mean: Array) -> NormalGamma:
        """Normal-Gamma law of mean and precision."""
        return NormalGammaPrior.taken(prior, self.name).law(mean[:1], mean[1:], self.columns(1))

    def sample(self, natural: Array, n: int, rng: np.random.Generator) -> Array:
        """Rows, shape (n, 1)."""
        variance = -0.5 / natural[1]
        return rng.normal(natural[0] * variance, np.sqrt(variance), size=(n, 1))

    def tilted(self, mean: Array, tilt: Array) -> Array:
        """The mean moved by half a standard deviation; the variance stays positive."""
        first, second = mean
        move = 5.0 * tilt[0] * np.sqrt(max(second - first**2, 0.0))
        return np.array([first + move, second + 2.0 * first * move])

    def labels(self, names: Sequence[str]) -> list[str]:
        """The column and its square."""
        return [names[0], f"{names[0]}^2"]

    def parameters(self, natural: Array, names: Sequence[str]) -> list[tuple[str, str, Array]]:
        """Mean and standard deviation."""
        mean, variance = self.free(natural).T
        return [("mean", names[0], mean), ("standard_deviation", names[0], np.exp(0.5 * variance))]

    def degenerate(self, mean: Array) -> dict[int, str]:
        """Components whose variance vanishes next to the rounding of the second moment."""
        variance = mean[:, 1] - mean[:, 0] ** 2
        bad = ~(variance > 1e-14 * mean[:, 1])
        return {
            int(
                k
            ): f"variance {variance[k]:.3g} is not positive next to the rounding of the mean (Gaussian() takes rows about their mean)"
            for k in np.flatnonzero(bad)
        }

    def free(self, natural: Array) -> Array:
        """Mean and log variance."""
        variance = -0.5 / natural[:, 1]
        return np.stack([natural[:, 0] * variance, np.log(variance)], axis=1)

    def from_free(self, free: Array) -> Array:
        """From mean and log variance."""
        variance = np.exp(free[:, 1])
        return np.stack([free[:, 0] / variance, -0.5 / variance], axis=1)
