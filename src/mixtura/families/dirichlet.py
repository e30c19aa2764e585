r"""Dirichlet rows: :math:`T(x) = \log x`, :math:`\eta = \alpha`, :math:`h = \prod_j 1/x_j`.

The log normalizer is :math:`A = \sum_j \log\Gamma(\alpha_j) - \log\Gamma(\sum_j\alpha_j)`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import digamma, gammaln

from mixtura.exceptions import InvalidDataError
from mixtura.families._base import ExponentialFamily
from mixtura.families._solvers import EQUAL, SMALLEST, dirichlet_alpha, dirichlet_gap, exponential, tangent
from mixtura.protocols import Array

__all__ = ["Dirichlet"]

# How far from one the sum of a row may be: single precision.
_SUM = 1e-6


class Dirichlet(ExponentialFamily):
    r"""Rows of positive shares that sum to one: time budgets, compositions, memberships.

    The density is that of the first D - 1 shares. Natural parameters are α, mean parameters the means of log shares, both
    (K, D). The M-step solves :math:`\psi(\alpha_j) - \psi(\sum\alpha) = \overline{\log x_j}` by a guarded Newton method
    ([1]_, equations 13 to 18). A row needs all its shares: there is no marginal of the same form for the shares of a row
    of which others are missing, so missing values are refused.

    References
    ----------
    .. [1] T. P. Minka (2000, revised 2012), "Estimating a Dirichlet distribution".

    Examples
    --------
    >>> family = Dirichlet()
    >>> family.natural_from_mean(family.mean_from_natural(np.array([[1.0, 2.0, 5.0]]))).round(10)
    array([[1., 2., 5.]])
    >>> from mixtura import Mixture
    >>> rng = np.random.default_rng(0)
    >>> days = np.concatenate(
    ...     [rng.dirichlet([8, 4, 12], 300), rng.dirichlet([2, 9, 9], 200)]
    ... )  # work, leisure, rest
    >>> mixture = Mixture(Dirichlet(), 2, random_state=0).fit(days)
    >>> alpha = mixture.components_.natural
    >>> (alpha / alpha.sum(axis=1, keepdims=True))[np.argsort(alpha[:, 0])].round(1)
    array([[0.1, 0.5, 0.4],
           [0.3, 0.2, 0.5]])
    """

    name = "Dirichlet"
    support = "positive shares that sum to 1 in every row (up to 1e-6)"
    inseparable = "some of the shares of a row do not sum to 1"

    def statistics(self, x: Array) -> Array:
        """Logarithms, shape (D, B)."""
        return np.log(x)

    def log_base_measure(self, x: Array) -> Array:
        """Minus the sum of logarithms, shape (B,)."""
        return np.asarray(-np.log(x).sum(axis=0))

    def log_normalizer(self, natural: Array) -> Array:
        """Log of the multivariate beta function, shape (K,)."""
        return np.asarray(gammaln(natural).sum(axis=1) - gammaln(natural.sum(axis=1)))

    def natural_from_mean(self, mean: Array) -> Array:
        """Alpha by Newton's method."""
        return dirichlet_alpha(mean)

    def mean_from_natural(self, natural: Array) -> Array:
        """digamma(alpha_j) - digamma(sum of alpha)."""
        return np.asarray(digamma(natural) - digamma(natural.sum(axis=1, keepdims=True)))

    def sample(self, natural: Array, n: int, rng: np.random.Generator) -> Array:
        """Rows of shares, shape (n, D); what would underflow to zero is the least positive number allowed."""
        return np.maximum(rng.dirichlet(natural, size=n), SMALLEST)

    def n_statistics(self, n_features: int) -> int:
        """D."""
        return n_features

    def parameters(self, natural: Array, names: Sequence[str]) -> list[tuple[str, str, Array]]:
        """Alpha, column by column."""
        return [("alpha", name, natural[:, d]) for d, name in enumerate(names)]

    def labels(self, names: Sequence[str]) -> list[str]:
        """Logarithms of the columns."""
        return [f"log {name}" for name in names]

    def degenerate(self, mean: Array) -> dict[int, str]:
        """Components with (nearly) equal rows."""
        gap = dirichlet_gap(mean)
        text = (
            "its rows are all equal or nearly so (relative spread {:.3g}; expected above {:g}), "
            "where the Dirichlet likelihood has no maximum"
        )
        return {int(k): text.format(gap[k], EQUAL) for k in np.flatnonzero(~(gap > EQUAL))}

    def tilted(self, mean: Array, tilt: Array) -> Array:
        """Mean logs moved along which their exponentials keep their sum, by up to half a standard deviation."""
        return mean + tangent(mean[None], tilt[None])[0]

    def free(self, natural: Array) -> Array:
        """Log alpha."""
        return np.log(natural)

    def from_free(self, free: Array) -> Array:
        """From log alpha."""
        return exponential(free, 100.0)

    def outside(self, x: Array) -> Array:
        """Shares that are not positive, and all shares of a row that does not sum to one."""
        if len(x) < 2:
            msg = f"Dirichlet rows have {len(x)} column(s); expected at least 2 shares. Add the rest, 1 - x, as a column."
            raise InvalidDataError(msg)
        bad = ~(x > 0)
        return np.asarray(bad | (~bad.any(axis=0) & ~(np.abs(x.sum(axis=0) - 1.0) <= _SUM)))

    def features(self, x: Array) -> Array:
        """Centred log ratios."""
        logs = np.log(x)
        return np.asarray(logs - logs.mean(axis=0))
