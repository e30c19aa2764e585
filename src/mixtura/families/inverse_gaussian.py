r"""Inverse Gaussian columns: :math:`T(x) = (x, 1/x)`, :math:`\eta = (-\lambda/(2\mu^2), -\lambda/2)`.

The log normalizer is :math:`A = \sum_j -\lambda_j/\mu_j - \tfrac12\log\lambda_j`, with means μ and shapes λ, and the base
measure :math:`h = \prod_j (2\pi x_j^3)^{-1/2}`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mixtura.families._pairs import PairFamily, halves
from mixtura.families._solvers import EQUAL, SMALLEST, exponential, named
from mixtura.protocols import Array

__all__ = ["InverseGaussian"]

_HALF_LOG_TWO_PI = 0.5 * float(np.log(2.0 * np.pi))


class InverseGaussian(PairFamily):
    r"""Columns of positive values: times at which a drifting random walk first arrives; heavier to the right than gamma.

    Columns are independent given the component, with mean μ, shape λ and variance :math:`\mu^3/\lambda`. Mean parameters are
    the means of x and of 1/x, (K, 2 D), all columns' first ones before all second ones; the M-step is in closed form,
    :math:`1/\lambda = \overline{1/x} - 1/\bar x` (equation 2.10 of [1]_).

    References
    ----------
    .. [1] M. C. K. Tweedie (1957), "Statistical properties of inverse Gaussian distributions I", Annals of Mathematical
       Statistics 28, 362-377.

    Examples
    --------
    >>> InverseGaussian().natural_from_mean(np.array([[2.0, 0.75]]))  # mean 2, shape 1 / (0.75 - 1 / 2) = 4
    array([[-0.5, -2. ]])
    >>> from mixtura import Mixture
    >>> rng = np.random.default_rng(0)
    >>> days = np.concatenate([rng.wald(2.0, 10.0, 600), rng.wald(30.0, 300.0, 300)])
    >>> mixture = Mixture(InverseGaussian(), 2, random_state=0).fit(days)
    >>> np.sort(mixture.components_.mean[:, 0]).round(1)
    array([ 2.1, 29.7])
    """

    name = "inverse Gaussian"
    support = f"positive numbers (at least {SMALLEST:g})"

    def statistics(self, x: Array) -> Array:
        """Values, then their reciprocals, shape (2 D, B)."""
        return np.concatenate([x, 1.0 / x])

    def column_log_base(self, x: Array) -> Array:
        """-(3 log x + log(2 pi)) / 2, shape (D, B)."""
        return np.asarray(-1.5 * np.log(x) - _HALF_LOG_TWO_PI)

    def column_normalizer(self, natural: Array) -> Array:
        """-lambda / mu - log(lambda) / 2, shape (K, D)."""
        first, second = halves(natural)
        return np.asarray(-2.0 * np.sqrt(-first) * np.sqrt(-second) - 0.5 * np.log(-2.0 * second))

    def natural_from_mean(self, mean: Array) -> Array:
        """Mean and shape in closed form."""
        average, reciprocal = halves(mean)
        shape = average / (average * reciprocal - 1.0)
        return np.concatenate([-0.5 * shape / average / average, -0.5 * shape], axis=-1)

    def mean_from_natural(self, natural: Array) -> Array:
        """mu, and 1 / mu + 1 / lambda."""
        mean, shape = _mean_and_shape(natural)
        return np.concatenate([mean, 1.0 / mean + 1.0 / shape], axis=-1)

    def expected(self, natural: Array) -> list[Array]:
        """Means."""
        return list(_mean_and_shape(natural)[0].T)

    def sample(self, natural: Array, n: int, rng: np.random.Generator) -> Array:
        """Rows, shape (n, D)."""
        mean, shape = _mean_and_shape(natural)
        return np.maximum(rng.wald(mean, shape, size=(n, len(mean))), SMALLEST)

    def readable(self, natural: Array) -> dict[str, Array]:
        """Means and shapes."""
        mean, shape = _mean_and_shape(natural)
        return {"mean": mean, "shape": shape}

    def labels(self, names: Sequence[str]) -> list[str]:
        """Values, then reciprocals."""
        return [*names, *(f"1/{name}" for name in names)]

    def degenerate(self, mean: Array) -> dict[int, str]:
        """Components with (nearly) equal values in a column, or values too far apart for numbers."""
        average, reciprocal = halves(mean)
        top = 1.0 / SMALLEST
        ranged = (average >= SMALLEST) & (average <= top) & (reciprocal >= SMALLEST) & (reciprocal <= top)
        with np.errstate(over="ignore", under="ignore"):
            product = average * reciprocal
            small = average / (product - 1.0) / average / average
            ranged &= (product <= top) & ~(small < 1.0 / top)
        return named(
            ~(ranged & (product - 1.0 > EQUAL)),
            lambda k, d: (
                self.equal(product[k, d] - 1.0)
                if ranged[k, d]
                else f"the mean {average[k, d]:.3g} or the mean reciprocal {reciprocal[k, d]:.3g} is too large or too small: "
                "use another unit"
            ),
        )

    def tilted(self, mean: Array, tilt: Array) -> Array:
        """Every column's scale moved, by up to half a coefficient of variation."""
        average, reciprocal = halves(mean)
        product = average * reciprocal
        move = 5.0 * halves(tilt)[0] * np.sqrt((product - 1.0) / product)
        return np.concatenate([average * (1.0 + move), reciprocal * (1.0 - move)], axis=-1)

    def free(self, natural: Array) -> Array:
        """Log means and log shapes."""
        return np.log(np.concatenate(_mean_and_shape(natural), axis=-1))

    def from_free(self, free: Array) -> Array:
        """From log means and log shapes."""
        log_mean, log_shape = halves(free)
        return -0.5 * np.concatenate(
            [exponential(log_shape - 2.0 * log_mean), exponential(log_shape)], axis=-1
        )

    def outside(self, x: Array) -> Array:
        """Zeros, negative values, and values whose reciprocal is no number."""
        return np.asarray(~(x >= SMALLEST))

    def features(self, x: Array) -> Array:
        """Logarithms."""
        return np.log(x)


def _mean_and_shape(natural: Array) -> tuple[Array, Array]:
    """mu and lambda."""
    first, second = halves(natural)
    return np.sqrt(-second) / np.sqrt(-first), -2.0 * second
