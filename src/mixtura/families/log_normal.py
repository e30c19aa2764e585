r"""Log-normal columns: :math:`T(x) = (\log x, \log^2 x)`, :math:`\eta = (\mu/\sigma^2, -1/(2\sigma^2))`.

The log normalizer is that of the normal law, :math:`A = \sum_j \mu_j^2/(2\sigma_j^2) + \log\sigma_j`, with mean μ and
standard deviation σ of the logarithm, and :math:`h = \prod_j 1/(x_j\sqrt{2\pi})`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mixtura.families._pairs import PairFamily, halves
from mixtura.families._solvers import EQUAL, exponential, named
from mixtura.priors import NormalGamma, NormalGammaPrior, Prior
from mixtura.protocols import Array

__all__ = ["LogNormal"]

_HALF_LOG_TWO_PI = 0.5 * float(np.log(2.0 * np.pi))


class LogNormal(PairFamily):
    """Columns of positive values whose logarithms are normal, independent given the component.

    Mean parameters are the first two moments of the logarithm, (K, 2 D), all columns' first ones before all second ones.

    References
    ----------
    .. [1] N. L. Johnson, S. Kotz and N. Balakrishnan (1994), "Continuous Univariate Distributions", volume 1, chapter 14.

    Examples
    --------
    >>> LogNormal().natural_from_mean(np.array([[1.0, 3.0]]))  # mean 1 and variance 2 of the logarithm
    array([[ 0.5 , -0.25]])
    >>> from mixtura import Mixture
    >>> rng = np.random.default_rng(0)
    >>> income = np.exp(np.concatenate([rng.normal(10.0, 0.3, 600), rng.normal(12.0, 0.2, 200)]))
    >>> mixture = Mixture(LogNormal(), 2, random_state=0).fit(income)
    >>> np.sort(mixture.components_.mean[:, 0]).round(1)
    array([10., 12.])
    """

    name = "log-normal"
    support = "positive numbers"

    def statistics(self, x: Array) -> Array:
        """Logarithms, then their squares, shape (2 D, B)."""
        logs = np.log(x)
        return np.concatenate([logs, logs * logs])

    def column_log_base(self, x: Array) -> Array:
        """-log x - log(2 pi) / 2, shape (D, B)."""
        return np.asarray(-np.log(x) - _HALF_LOG_TWO_PI)

    def column_normalizer(self, natural: Array) -> Array:
        """-eta1^2 / (4 eta2) - log(-2 eta2) / 2, shape (K, D)."""
        linear, quadratic = halves(natural)
        return np.asarray(-(linear**2) / (4.0 * quadratic) - 0.5 * np.log(-2.0 * quadratic))

    def natural_from_mean(self, mean: Array) -> Array:
        """From the first two moments of the logarithm."""
        first, second = halves(mean)
        variance = second - first**2
        return np.concatenate([first / variance, -0.5 / variance], axis=-1)

    def mean_from_natural(self, natural: Array) -> Array:
        """First two moments of the logarithm."""
        mean, variance = _moments(natural)
        return np.concatenate([mean, variance + mean**2], axis=-1)

    def expected(self, natural: Array) -> list[Array]:
        """Means of the values (not of the logarithms)."""
        mean, variance = _moments(natural)
        return list(exponential(mean + 0.5 * variance).T)

    def conjugate(self, prior: Prior | None, mean: Array) -> NormalGamma:
        """Normal-Gamma laws of mean and precision of the logarithms."""
        first, second = halves(mean)
        return NormalGammaPrior.taken(prior, self.name).law(first, second, self.columns(len(first)))

    def sample(self, natural: Array, n: int, rng: np.random.Generator) -> Array:
        """Rows, shape (n, D)."""
        mean, variance = _moments(natural)
        return exponential(rng.normal(mean, np.sqrt(variance), size=(n, len(mean))))

    def readable(self, natural: Array) -> dict[str, Array]:
        """Mean and standard deviation of the logarithm."""
        mean, variance = _moments(natural)
        return {"log_mean": mean, "log_standard_deviation": np.sqrt(variance)}

    def labels(self, names: Sequence[str]) -> list[str]:
        """Logarithms, then their squares."""
        return [f"log {name}" for name in names] + [f"log^2 {name}" for name in names]

    def degenerate(self, mean: Array) -> dict[int, str]:
        """Components with (nearly) equal values in a column."""
        first, second = halves(mean)
        variance = second - first**2
        return named(~(variance > EQUAL * second), lambda k, d: self.equal(variance[k, d] / second[k, d]))

    def tilted(self, mean: Array, tilt: Array) -> Array:
        """Every column's mean moved by half a standard deviation of the logarithm."""
        first, second = halves(mean)
        move = 5.0 * halves(tilt)[0] * np.sqrt(second - first**2)
        return np.concatenate([first + move, second + 2.0 * first * move], axis=-1)

    def free(self, natural: Array) -> Array:
        """Means and log variances of the logarithm."""
        mean, variance = _moments(natural)
        return np.concatenate([mean, np.log(variance)], axis=-1)

    def from_free(self, free: Array) -> Array:
        """From means and log variances of the logarithm."""
        mean, log_variance = halves(free)
        precision = exponential(-log_variance, 300.0)
        return np.concatenate([mean * precision, -0.5 * precision], axis=-1)

    def outside(self, x: Array) -> Array:
        """Zeros and negative values."""
        return np.asarray(~(x > 0))

    def features(self, x: Array) -> Array:
        """Logarithms."""
        return np.log(x)


def _moments(natural: Array) -> tuple[Array, Array]:
    """Mean and variance of the logarithm."""
    linear, quadratic = halves(natural)
    variance = -0.5 / quadratic
    return linear * variance, variance
