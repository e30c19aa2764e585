r"""Beta columns: :math:`T(x) = (\log x, \log(1-x))`, :math:`\eta = (a, b)`.

The log normalizer is :math:`A = \sum_j \log B(a_j, b_j)`, the base measure :math:`h = \prod_j 1/(x_j(1-x_j))`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import betaln, digamma

from mixtura.families._pairs import PairFamily, halves
from mixtura.families._solvers import (
    EQUAL,
    SMALLEST,
    dirichlet_alpha,
    dirichlet_gap,
    exponential,
    named,
    tangent,
)
from mixtura.protocols import Array

__all__ = ["Beta"]


class Beta(PairFamily):
    r"""Columns of shares strictly between 0 and 1, independent given the component.

    Natural parameters are the two shapes (a, b), mean parameters the means of log x and log(1 - x), both (K, 2 D), all
    columns' first ones before all second ones. The M-step solves :math:`\psi(a) - \psi(a+b) = \overline{\log x}` and
    :math:`\psi(b) - \psi(a+b) = \overline{\log(1-x)}` by a guarded Newton method: it is the Dirichlet law of (x, 1 - x)
    ([1]_, equations 13 to 18).

    References
    ----------
    .. [1] T. P. Minka (2000, revised 2012), "Estimating a Dirichlet distribution".

    Examples
    --------
    >>> family = Beta()
    >>> family.natural_from_mean(family.mean_from_natural(np.array([[2.0, 5.0]]))).round(10)
    array([[2., 5.]])
    >>> from mixtura import Mixture
    >>> rng = np.random.default_rng(0)
    >>> shares = np.concatenate([rng.beta(2.0, 18.0, 600), rng.beta(30.0, 20.0, 300)])
    >>> mixture = Mixture(Beta(), 2, random_state=0).fit(shares)
    >>> a, b = mixture.components_.natural.T
    >>> np.sort(a / (a + b)).round(2)  # means
    array([0.1, 0.6])
    """

    name = "beta"
    support = "numbers between 0 and 1, without either"
    filler = 0.5

    def statistics(self, x: Array) -> Array:
        """log x, then log(1 - x), shape (2 D, B)."""
        return np.concatenate([np.log(x), np.log1p(-x)])

    def column_log_base(self, x: Array) -> Array:
        """-log x - log(1 - x), shape (D, B)."""
        return np.asarray(-np.log(x) - np.log1p(-x))

    def column_normalizer(self, natural: Array) -> Array:
        """log B(a, b), shape (K, D)."""
        return np.asarray(betaln(*halves(natural)))

    def natural_from_mean(self, mean: Array) -> Array:
        """Shapes by Newton's method."""
        pairs = _pairs(mean)
        alpha = dirichlet_alpha(pairs.reshape(-1, 2)).reshape(pairs.shape)
        return np.concatenate([alpha[..., 0], alpha[..., 1]], axis=-1)

    def mean_from_natural(self, natural: Array) -> Array:
        """digamma of both shapes minus that of their sum."""
        both = digamma(np.add(*halves(natural)))
        return np.asarray(digamma(natural) - np.concatenate([both, both], axis=-1))

    def expected(self, natural: Array) -> list[Array]:
        """Means a / (a + b)."""
        first, second = halves(natural)
        return list((first / (first + second)).T)

    def sample(self, natural: Array, n: int, rng: np.random.Generator) -> Array:
        """Rows, shape (n, D), inside by the last digit."""
        a, b = halves(natural)
        return np.clip(rng.beta(a, b, size=(n, len(a))), SMALLEST, 1.0 - np.finfo(np.float64).epsneg)

    def readable(self, natural: Array) -> dict[str, Array]:
        """Both shapes."""
        return dict(zip(("shape_a", "shape_b"), halves(natural), strict=True))

    def labels(self, names: Sequence[str]) -> list[str]:
        """Logarithms of the shares, then of their complements."""
        return [f"log {name}" for name in names] + [f"log(1 - {name})" for name in names]

    def degenerate(self, mean: Array) -> dict[int, str]:
        """Components with (nearly) equal values in a column."""
        gap = dirichlet_gap(_pairs(mean))
        return named(
            ~(gap > EQUAL),
            lambda k, d: self.equal(gap[k, d]) + ", or too near to 0 or 1 for the other shape to be a number",
        )

    def tilted(self, mean: Array, tilt: Array) -> Array:
        """Every column's mean moved, by up to half a standard deviation."""
        sign = 10.0 * halves(tilt)[0]
        pairs = _pairs(mean)
        moved = pairs + tangent(pairs, np.stack([sign, -sign], axis=-1))
        return np.concatenate([moved[..., 0], moved[..., 1]], axis=-1)

    def free(self, natural: Array) -> Array:
        """Log shapes."""
        return np.log(natural)

    def from_free(self, free: Array) -> Array:
        """From log shapes."""
        return exponential(free, 100.0)

    def outside(self, x: Array) -> Array:
        """0, 1, and what is beyond."""
        return np.asarray(~((x > 0) & (x < 1)))

    def features(self, x: Array) -> Array:
        """Log odds."""
        return np.asarray(np.log(x) - np.log1p(-x))


def _pairs(values: Array) -> Array:
    """(..., 2 D) as (..., D, 2)."""
    return np.stack(halves(values), axis=-1)
