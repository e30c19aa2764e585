r"""Multinomial counts: :math:`T(x) = x`, :math:`\eta = \log\beta`, exposure :math:`n = \sum_j x_j`.

Dense (D, B) and CSR (B, D) counts go through the same formulas; sparse ones are never densified.
A category that a component never saw has probability zero exactly: a row that holds it scores minus infinity
there, and ``0 log 0 = 0`` elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.special import gammaln, logsumexp

from mixtura.families._base import ExponentialFamily
from mixtura.families._components import FamilyBlock, FamilyComponents
from mixtura.priors import DirichletOfLevels, DirichletPrior, Prior
from mixtura.protocols import Array, Encoding

__all__ = ["Multinomial", "MultinomialComponents", "hellinger"]

# Larger log-ratios than this cannot be told from zero probability in double precision.
_LOG_TINY = float(np.log(np.finfo(np.float64).tiny))


class Multinomial(ExponentialFamily):
    """Counts over C categories with known totals.

    Examples
    --------
    >>> Multinomial().natural_from_mean(np.array([[1.0, 3.0]])).round(4)
    array([[-1.3863, -0.2877]])
    """

    name = "multinomial"
    discrete = True
    support = "counts of at least 0"
    sparse = True
    standardized = False
    inseparable = "counts of some categories have a total of their own, which is not given"

    def statistics(self, x: Any) -> Any:
        """The counts themselves."""
        return x

    def log_base_measure(self, x: Any) -> Array:
        """Log multinomial coefficient log n! - sum_j log x_j!, shape (B,)."""
        if sp.issparse(x):
            coefficients = sp.csr_matrix((gammaln(x.data + 1.0), x.indices, x.indptr), shape=x.shape)
            return np.asarray(gammaln(_row_sums(x) + 1.0) - _row_sums(coefficients))
        return np.asarray(gammaln(x.sum(axis=0) + 1.0) - gammaln(x + 1.0).sum(axis=0))

    def exposure(self, x: Any) -> Array:
        """Number of counts in each row, shape (B,)."""
        return _row_sums(x) if sp.issparse(x) else np.asarray(x.sum(axis=0), dtype=np.float64)

    def log_normalizer(self, natural: Array) -> Array:
        """Log sum of exponentials (zero for log-probabilities), per count."""
        return np.asarray(logsumexp(natural, axis=1))

    def natural_from_mean(self, mean: Array) -> Array:
        """Log shares; a share of zero becomes minus infinity."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(mean / mean.sum(axis=1, keepdims=True)))

    def mean_from_natural(self, natural: Array) -> Array:
        """Shares."""
        return np.asarray(np.exp(natural - logsumexp(natural, axis=1, keepdims=True)))

    def conjugate(self, prior: Prior | None, mean: Array) -> DirichletOfLevels:
        """Dirichlet laws of the probabilities."""
        concentration = DirichletPrior.taken(prior, self.name).checked(len(mean))
        return DirichletOfLevels.of(concentration, np.zeros(len(mean), dtype=np.intp))

    def sample(self, natural: Array, n: int, rng: np.random.Generator) -> Array:
        """Single draws, shape (n, C); `MultinomialComponents` draws rows of a given total."""
        return rng.multinomial(1, self.mean_from_natural(natural[None])[0], size=n).astype(np.float64)

    def n_parameters(self, n_statistics: int) -> int:
        """C - 1: shares sum to one."""
        return n_statistics - 1

    def n_statistics(self, n_features: int) -> int:
        """C."""
        return n_features

    def features(self, x: Any) -> Any:
        """Square roots of each row's shares: Euclidean distance is then Hellinger's."""
        return hellinger(x)

    def parameters(self, natural: Array, names: Sequence[str]) -> list[tuple[str, str, Array]]:
        """Probabilities of the categories."""
        shares = self.mean_from_natural(natural)
        return [("probability", name, shares[:, d]) for d, name in enumerate(names)]

    def outside(self, x: Any) -> Array:
        """Negative counts; fractions are counts of parts of a line."""
        return np.asarray(x < 0)

    def free(self, natural: Array) -> Array:
        """Log shares, floored where they are minus infinity."""
        return np.maximum(natural, _LOG_TINY)

    def from_free(self, free: Array) -> Array:
        """Normalised log shares."""
        return np.asarray(free - logsumexp(free, axis=1, keepdims=True))


class MultinomialComponents(FamilyComponents):
    """K multinomials: the generic components with zero probabilities handled exactly.

    Parameters
    ----------
    natural : ndarray, shape (K, C), optional
        Log probabilities.
    totals : ndarray, optional
        Row totals seen in training, from which `sample` draws the size of a new row. Default: one count a row.

    Examples
    --------
    >>> two = MultinomialComponents(np.log([[0.5, 0.5], [0.9, 0.1]]))
    >>> two.log_prob(two.encode(np.array([[1.0], [1.0]]), Encoding(2))).round(4)
    array([[-0.6931],
           [-1.7148]])
    """

    def __init__(self, natural: Array | None = None, totals: Array | None = None) -> None:
        super().__init__(Multinomial(), natural)
        self.totals = np.ones(1, dtype=np.int64) if totals is None else np.asarray(totals)

    @property
    def probabilities(self) -> Array:
        """Shares of the categories, shape (K, C); rows sum to one."""
        return self.mean

    def encode(self, x: Any, encoding: Encoding) -> FamilyBlock:
        """Counts, log coefficient and totals."""
        if sp.issparse(x) and x.dtype != np.float64:
            x = x.astype(np.float64)
        return super().encode(x, encoding)

    def log_prob(self, block: FamilyBlock) -> Array:
        """Scores, shape (K, B); minus infinity where a component gives a present category probability zero."""
        natural = self.natural
        zero = np.isneginf(natural)
        if not zero.any():
            return super().log_prob(block)
        scores = self.replace(np.where(zero, 0.0, natural))._linear(block)
        x = block.statistics
        forbidden = (x @ zero.T.astype(np.float64)).T if sp.issparse(x) else zero.astype(np.float64) @ x
        scores[forbidden > 0] = -np.inf
        return scores

    def _linear(self, block: FamilyBlock) -> Array:
        """Log shares are normalised already, so the scores are linear in the counts."""
        x = block.statistics
        scores = np.ascontiguousarray((x @ self.natural.T).T) if sp.issparse(x) else self.natural @ x
        scores += block.log_base
        return scores

    def sample(self, component: int, n: int, rng: np.random.Generator) -> Array:
        """Rows whose totals are drawn from those seen in training, shape (n, C)."""
        totals = rng.choice(self.totals, size=n).astype(np.int64)
        return rng.multinomial(totals, self.probabilities[component]).astype(np.float64)


def _row_sums(x: Any) -> Array:
    """Row sums of a sparse matrix as a flat float array."""
    return np.asarray(x.sum(axis=1), dtype=np.float64).ravel()


def hellinger(x: Any) -> Any:
    """Square roots of the shares of rows of counts, (C, B) or CSR (B, C), in the same form.

    Examples
    --------
    >>> hellinger(np.array([[1.0], [3.0]])).round(3)
    array([[0.5  ],
           [0.866]])
    """
    totals = _row_sums(x) if sp.issparse(x) else np.asarray(x.sum(axis=0), dtype=np.float64)
    scale = 1.0 / np.where(totals > 0, totals, 1.0)
    return sp.csr_matrix(sp.diags_array(scale) @ x).sqrt() if sp.issparse(x) else np.sqrt(x * scale)
