r"""Gamma columns: :math:`T(x) = (\log x, x)`, :math:`\eta = (a, -\lambda)`, :math:`h = \prod_j 1/x_j`.

The log normalizer is :math:`A = \sum_j \log\Gamma(a_j) - a_j \log\lambda_j`, with shapes a and rates λ.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import digamma, gammaln

from mixtura.families._pairs import PairFamily, halves
from mixtura.families._solvers import EQUAL, SMALLEST, exponential, gamma_shape, named
from mixtura.protocols import Array

__all__ = ["Gamma"]


class Gamma(PairFamily):
    r"""Columns of positive values with a constant coefficient of variation, independent given the component.

    Natural parameters are (shape, -rate), mean parameters (mean of the logarithm, mean), both (K, 2 D), all columns' first
    ones before all second ones. The M-step solves :math:`\log a - \psi(a) = \log\bar x - \overline{\log x}` by a guarded
    Newton method in 1/a (equation 10 of [1]_); the rate is a over the mean.

    References
    ----------
    .. [1] T. P. Minka (2002), "Estimating a Gamma distribution".

    Examples
    --------
    >>> family = Gamma()
    >>> family.natural_from_mean(family.mean_from_natural(np.array([[3.0, -0.5]]))).round(12)
    array([[ 3. , -0.5]])
    >>> from mixtura import Mixture
    >>> rng = np.random.default_rng(0)
    >>> spend = np.concatenate([rng.gamma(2.0, 10.0, 1500), rng.gamma(30.0, 8.0, 500)])
    >>> mixture = Mixture(Gamma(), 2, random_state=0).fit(spend)
    >>> np.sort(mixture.components_.natural[:, 0]).round(1)  # shapes
    array([ 2. , 29.3])
    """

    name = "gamma"
    support = "positive numbers"

    def statistics(self, x: Array) -> Array:
        """Logarithms, then values, shape (2 D, B)."""
        return np.concatenate([np.log(x), x])

    def column_log_base(self, x: Array) -> Array:
        """-log x, shape (D, B)."""
        return -np.log(x)

    def column_normalizer(self, natural: Array) -> Array:
        """log Gamma(a) - a log(rate), shape (K, D)."""
        shape, minus_rate = halves(natural)
        return np.asarray(gammaln(shape) - shape * np.log(-minus_rate))

    def natural_from_mean(self, mean: Array) -> Array:
        """Shapes from the gap between the log mean and the mean log, and rates."""
        mean_log, average = halves(mean)
        shape = gamma_shape(np.log(average) - mean_log)
        return np.concatenate([shape, -shape / average], axis=-1)

    def mean_from_natural(self, natural: Array) -> Array:
        """digamma(a) - log(rate), and a / rate."""
        shape, minus_rate = halves(natural)
        return np.concatenate([digamma(shape) - np.log(-minus_rate), -shape / minus_rate], axis=-1)

    def expected(self, natural: Array) -> list[Array]:
        """Means."""
        shape, minus_rate = halves(natural)
        return list((-shape / minus_rate).T)

    def sample(self, natural: Array, n: int, rng: np.random.Generator) -> Array:
        """Rows, shape (n, D); what would underflow to zero is the least positive number allowed."""
        shape, minus_rate = halves(natural)
        return np.maximum(rng.gamma(shape, -1.0 / minus_rate, size=(n, len(shape))), SMALLEST)

    def readable(self, natural: Array) -> dict[str, Array]:
        """Shapes and rates."""
        shape, minus_rate = halves(natural)
        return {"shape": shape, "rate": -minus_rate}

    def labels(self, names: Sequence[str]) -> list[str]:
        """Logarithms, then values."""
        return [*(f"log {name}" for name in names), *names]

    def degenerate(self, mean: Array) -> dict[int, str]:
        """Components with (nearly) equal values in a column."""
        mean_log, average = halves(mean)
        ranged = (average >= SMALLEST) & (average <= 1.0 / SMALLEST)
        # Relative to the terms of the log density, which are about as large as the logarithms.
        spread = (np.log(np.where(ranged, average, 1.0)) - mean_log) / (1.0 + np.abs(mean_log))
        bad = ~(ranged & (spread > EQUAL))
        return named(
            bad,
            lambda k, d: (
                self.equal(spread[k, d])
                if ranged[k, d]
                else f"the mean {average[k, d]:.3g} is outside of {SMALLEST:g} to {1.0 / SMALLEST:g}: use another unit"
            ),
        )

    def tilted(self, mean: Array, tilt: Array) -> Array:
        """Every column's scale moved, by up to half a standard deviation."""
        mean_log, average = halves(mean)
        gap = np.log(average) - mean_log
        move = 10.0 * halves(tilt)[0] * np.minimum(0.5 * np.sqrt(2.0 * gap), 0.5)
        return np.concatenate([mean_log + move, average * (1.0 + move)], axis=-1)

    def free(self, natural: Array) -> Array:
        """Log shapes and log means."""
        shape, minus_rate = halves(natural)
        return np.log(np.concatenate([shape, -shape / minus_rate], axis=-1))

    def from_free(self, free: Array) -> Array:
        """From log shapes and log means."""
        log_shape, log_mean = halves(free)
        return np.concatenate([exponential(log_shape, 100.0), -exponential(log_shape - log_mean)], axis=-1)

    def outside(self, x: Array) -> Array:
        """Zeros and negative values."""
        return np.asarray(~(x > 0))

    def features(self, x: Array) -> Array:
        """Logarithms: the standard deviation is a share of the mean."""
        return np.log(x)
