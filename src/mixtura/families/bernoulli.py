r"""Bernoulli columns: :math:`T(x) = x`, :math:`\eta = \log\frac{p}{1-p}`, :math:`A = \sum_j \log(1 + e^{\eta_j})`, :math:`h = 1`.

Dense (D, B) and CSR (B, D) rows go through the same formulas; sparse ones are never densified.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.special import expit, logit

from mixtura.families._base import FLOOR, ColumnFamily
from mixtura.priors import BetaOfOdds, BetaPrior, Prior
from mixtura.protocols import Array

__all__ = ["Bernoulli"]


class Bernoulli(ColumnFamily):
    """Columns of 0 and 1, independent given the component.

    Mean parameters are the probabilities of a 1, shape (K, D). They are kept from 1e-10 to 1 - 1e-10: a component may
    have seen only zeros in a column, where the likelihood has no maximum inside.

    Examples
    --------
    >>> Bernoulli().natural_from_mean(np.array([[0.5, 0.9]])).round(4)
    array([[0.    , 2.1972]])
    >>> from mixtura import Mixture
    >>> X = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1], [0, 1, 1]])
    >>> Mixture(Bernoulli(), 2, random_state=0).fit(X).n_parameters()
    7
    """

    name = "Bernoulli"
    discrete = True
    support = "0 or 1"
    sparse = True

    def statistics(self, x: Any) -> Any:
        """The values themselves."""
        return x

    def log_base_measure(self, x: Any) -> Array:
        """Zero, shape (B,)."""
        return np.zeros(x.shape[0] if sp.issparse(x) else x.shape[1])

    def column_log_base(self, x: Array) -> Array:
        """Zero, shape (D, B)."""
        return np.zeros(x.shape)

    def column_normalizer(self, natural: Array) -> Array:
        """log(1 + exp eta), shape (K, D)."""
        return np.asarray(np.logaddexp(0.0, natural))

    def parameters(self, natural: Array, names: Sequence[str]) -> list[tuple[str, str, Array]]:
        """Probabilities of a 1."""
        return [("probability", name, expit(natural[:, d])) for d, name in enumerate(names)]

    def natural_from_mean(self, mean: Array) -> Array:
        """Log odds of probabilities inside the floor."""
        return np.asarray(logit(np.clip(mean, FLOOR, 1.0 - FLOOR)))

    def mean_from_natural(self, natural: Array) -> Array:
        """Probabilities of a 1."""
        return np.asarray(expit(natural))

    def expected(self, natural: Array) -> list[Array]:
        """Probabilities of a 1."""
        return list(self.mean_from_natural(natural).T)

    def conjugate(self, prior: Prior | None, mean: Array) -> BetaOfOdds:
        """Beta laws of the probabilities."""
        return BetaOfOdds.of(*BetaPrior.taken(prior, self.name).checked(len(mean)), 1.0)

    def sample(self, natural: Array, n: int, rng: np.random.Generator) -> Array:
        """Rows of 0 and 1, shape (n, D)."""
        return (rng.random((n, len(natural))) < expit(natural)).astype(np.float64)

    def tilted(self, mean: Array, tilt: Array) -> Array:
        """Probabilities moved by a share of themselves or of what is left to one."""
        return mean + tilt * np.minimum(mean, 1.0 - mean)

    def outside(self, x: Any) -> Array:
        """Values other than 0 and 1."""
        return np.asarray((x != 0) & (x != 1))
