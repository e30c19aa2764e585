r"""Poisson counts: :math:`T(x) = x`, :math:`\eta = \log\lambda`, :math:`A = \sum_j e^{\eta_j}`, :math:`h = \prod_j e^{x_j} / x_j!`.

The exposure e(x) (time observed, population) multiplies A and enters h. Dense (D, B) and, without exposure, CSR (B, D) rows
go through the same formulas; sparse ones are never densified.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.special import gammaln, xlogy

from mixtura.families._base import FLOOR, ColumnFamily
from mixtura.priors import GammaOfMean, GammaPrior, Prior
from mixtura.protocols import Array

__all__ = ["Poisson"]


class Poisson(ColumnFamily):
    """Columns of counts without an upper limit, independent given the component.

    Mean parameters are the rates, per unit of exposure where there is one, shape (K, D). They are kept above 1e-10: a
    component may have seen only zeros in a column, where the likelihood has no maximum inside.

    Parameters
    ----------
    exposure : bool, default False
        Whether the last column of x is the positive exposure of its row (hours, inhabitants) and not a count. It is taken
        as given: the density is that of the other columns. Samples have exposure 1.
    fractions : bool, default False
        Whether counts may be fractions (expected counts); their factorials are gamma functions.

    Examples
    --------
    >>> Poisson().natural_from_mean(np.array([[1.0, np.e]]))
    array([[0., 1.]])
    >>> from mixtura import Mixture
    >>> rng = np.random.default_rng(0)
    >>> hours = rng.uniform(1, 9, 400)
    >>> calls = rng.poisson(hours * np.repeat([0.5, 6.0], 200))
    >>> mixture = Mixture(Poisson(exposure=True), 2, random_state=0).fit(np.stack([calls, hours], axis=1))
    >>> np.sort(mixture.components_.mean.ravel()).round(1)
    array([0.5, 6. ])
    """

    name = "Poisson"
    discrete = True

    def __init__(self, *, exposure: bool = False, fractions: bool = False) -> None:
        self.exposed = exposure
        self.n_given = int(exposure)
        self.fractions = fractions
        self.sparse = not exposure
        self.support = "counts of at least 0" if fractions else "whole counts of at least 0"
        if exposure:
            self.support += ", and a positive exposure in the last column"

    def __repr__(self) -> str:
        """As for any family; the flag of the exposure is not called so here, since a method is."""
        given = {"exposure": self.exposed, "fractions": self.fractions}
        return f"Poisson({', '.join(f'{name}=True' for name, value in given.items() if value)})"

    def statistics(self, x: Any) -> Any:
        """The counts themselves, shape (P, B)."""
        return x[:-1] if self.exposed else x

    def log_base_measure(self, x: Any) -> Array:
        """Sum of x log e - log x!, shape (B,)."""
        if sp.issparse(x):
            factorials = sp.csr_matrix((gammaln(x.data + 1.0), x.indices, x.indptr), shape=x.shape)
            return -np.asarray(factorials.sum(axis=1)).ravel()
        return super().log_base_measure(x)

    def column_log_base(self, x: Array) -> Array:
        """x log e - log x!, shape (P, B)."""
        counts = self.statistics(x)
        scaled = xlogy(counts, x[-1]) if self.exposed else 0.0
        return np.asarray(scaled - gammaln(counts + 1.0))

    def exposure(self, x: Any) -> Array | None:
        """The last column, where it is the exposure."""
        return x[-1] if self.exposed else None

    def column_normalizer(self, natural: Array) -> Array:
        """The rates, shape (K, P)."""
        return np.asarray(np.exp(natural))

    def values(self, x: Any) -> Any:
        """The counts."""
        return self.statistics(x)

    def parameters(self, natural: Array, names: Sequence[str]) -> list[tuple[str, str, Array]]:
        """Rates."""
        return [("rate", name, np.exp(natural[:, d])) for d, name in enumerate(self.labels(names))]

    def natural_from_mean(self, mean: Array) -> Array:
        """Log rates above the floor."""
        return np.asarray(np.log(np.maximum(mean, FLOOR)))

    def mean_from_natural(self, natural: Array) -> Array:
        """Rates."""
        return np.asarray(np.exp(natural))

    def expected(self, natural: Array) -> list[Array]:
        """Rates."""
        return list(self.mean_from_natural(natural).T)

    def known(self, natural: Array, given: Array) -> tuple[ColumnFamily, Array]:
        """Rates times the exposure."""
        return type(self)(fractions=self.fractions), natural + np.log(given[0])

    def conjugate(self, prior: Prior | None, mean: Array) -> GammaOfMean:
        """Gamma laws of the rates."""
        return GammaOfMean.of(*GammaPrior.taken(prior, self.name).checked(mean))

    def sample(self, natural: Array, n: int, rng: np.random.Generator) -> Array:
        """Rows of counts, followed by an exposure of 1 where there is one, shape (n, D)."""
        counts = rng.poisson(np.exp(natural), size=(n, len(natural))).astype(np.float64)
        return np.column_stack([counts, np.ones(n)]) if self.exposed else counts

    def labels(self, names: Sequence[str]) -> list[str]:
        """The columns, without a last one that is taken as given."""
        return [*names[:-1]] if self.exposed else [*names]

    def outside(self, x: Any) -> Array:
        """Negative counts, fractions that are not asked for, and exposures that are not positive."""
        bad = np.asarray(x < 0) if self.fractions else np.asarray((x < 0) | (x != np.floor(x)))
        if self.exposed:
            bad[-1] = ~(x[-1] > 0)
        return bad

    def features(self, x: Any) -> Any:
        """Square roots of the rates, whose variance hardly depends on the rate."""
        return np.sqrt(x[:-1] / x[-1]) if self.exposed else np.sqrt(x)
