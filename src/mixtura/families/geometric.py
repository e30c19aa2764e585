r"""Geometric columns: :math:`T(x) = x - f`, :math:`\eta = \log(1-p)`, :math:`A = -\sum_j \log(1 - e^{\eta_j})`, :math:`h = 1`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import log_expit

from mixtura.exceptions import InvalidParameterError
from mixtura.families._base import FLOOR, ColumnFamily
from mixtura.priors import BetaOfFailures, BetaPrior, Prior
from mixtura.protocols import Array

__all__ = ["Geometric"]


class Geometric(ColumnFamily):
    """Columns of waiting times: trials until the first success, independent given the component.

    Mean parameters are the mean numbers of failures, m = (1 - p) / p, shape (K, D); p is 1 / (1 + m). They are kept above
    1e-10: a component may have seen only immediate successes in a column.

    Parameters
    ----------
    first : {1, 0}, default 1
        Least value: 1 counts the success too (as SciPy does), 0 counts failures only.

    Examples
    --------
    >>> family = Geometric()
    >>> failures = family.mean_from_natural(np.log([[0.75, 0.5]]))
    >>> 1.0 / (1.0 + failures)
    array([[0.25, 0.5 ]])
    """

    name = "geometric"
    discrete = True

    def __init__(self, first: int = 1) -> None:
        if first not in (0, 1):
            msg = f"first is {first!r}; expected 1 (trials up to the success) or 0 (failures before it)."
            raise InvalidParameterError(msg)
        self.first = first
        self.support = f"whole numbers of at least {first}"

    def statistics(self, x: Array) -> Array:
        """Failures, shape (D, B)."""
        return x - self.first

    def column_log_base(self, x: Array) -> Array:
        """Zero, shape (D, B)."""
        return np.zeros(x.shape)

    def column_normalizer(self, natural: Array) -> Array:
        """Minus log p, shape (K, D)."""
        return np.asarray(-np.log(-np.expm1(natural)))

    def parameters(self, natural: Array, names: Sequence[str]) -> list[tuple[str, str, Array]]:
        """Probabilities of success."""
        return [("probability", name, -np.expm1(natural[:, d])) for d, name in enumerate(names)]

    def natural_from_mean(self, mean: Array) -> Array:
        """Log(m / (1 + m)) of means above the floor."""
        return self.from_free(np.log(np.maximum(mean, FLOOR)))

    def mean_from_natural(self, natural: Array) -> Array:
        """Mean numbers of failures."""
        return np.asarray(1.0 / np.expm1(-natural))

    def expected(self, natural: Array) -> list[Array]:
        """Mean numbers of failures, from the first value on."""
        return list(self.mean_from_natural(natural).T + self.first)

    def conjugate(self, prior: Prior | None, mean: Array) -> BetaOfFailures:
        """Beta laws of the probabilities of success."""
        return BetaOfFailures.of(*BetaPrior.taken(prior, self.name).checked(len(mean)))

    def sample(self, natural: Array, n: int, rng: np.random.Generator) -> Array:
        """Rows of waiting times, shape (n, D)."""
        times = rng.geometric(-np.expm1(natural), size=(n, len(natural)))
        return (times - 1 + self.first).astype(np.float64)

    def free(self, natural: Array) -> Array:
        """Log mean numbers of failures."""
        return np.asarray(-np.log(np.expm1(-natural)))

    def from_free(self, free: Array) -> Array:
        """From log means: log(m / (1 + m))."""
        return np.asarray(log_expit(free))

    def outside(self, x: Array) -> Array:
        """Values below the first, and fractions."""
        return np.asarray((x < self.first) | (x != np.floor(x)))

    def features(self, x: Array) -> Array:
        """Logarithms: the standard deviation is about the mean."""
        return np.log1p(x - self.first)
