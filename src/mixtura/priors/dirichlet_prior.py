r"""Dirichlet priors of probabilities of levels, :math:`p \sim \mathrm{Dir}(\alpha)`, for categorical and multinomial counts.

With :math:`\eta_l = \log p_l` the normaliser :math:`A` is zero and :math:`\chi = \alpha`; :math:`\nu` is the sum of the column's
:math:`\alpha` and carries nothing of its own.

References
----------
.. [1] C. M. Bishop (2006), Pattern Recognition and Machine Learning, section 2.2.1.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from scipy.special import digamma, gammaln

from mixtura.exceptions import InvalidParameterError
from mixtura.priors.base import Conjugate, Prior, above, by_column
from mixtura.priors.dirichlet import dirichlet_of_logs
from mixtura.protocols import Array

__all__ = ["DirichletOfLevels", "DirichletPrior"]


@dataclass(frozen=True)
class DirichletPrior(Prior):
    """Dirichlet law of every column's probabilities of levels, or of the categories of counts.

    Parameters
    ----------
    concentration : float or sequence of float, default 1
        Pseudo-counts, above 0: one number for all levels, or one for each level (column by column). 1: all probabilities alike.

    Examples
    --------
    >>> DirichletPrior(0.5)
    DirichletPrior(concentration=0.5)
    """

    concentration: Any = 1.0

    def checked(self, size: int) -> Array:
        """One for each of `size` levels (or weights)."""
        return above("DirichletPrior", "concentration", self.concentration, size, what="levels or weights")


class DirichletOfLevels(Conjugate):
    """For categorical columns and multinomial counts (one column of all categories).

    Examples
    --------
    >>> law = DirichletOfLevels.of(np.array([1.0, 1.0, 2.0]), np.array([0, 0, 0]))
    >>> law.log_partition(law.chi, law.nu).round(4)  # log(1 1 1 / Gamma(4))
    array([-1.7918])
    """

    @classmethod
    def of(cls, concentration: Array, owner: Array) -> DirichletOfLevels:
        """From pseudo-counts (P,) of levels of columns `owner` (P,)."""
        return cls(concentration, by_column(concentration, owner, int(owner[-1]) + 1), owner)

    def _total(self, chi: Array) -> Array:
        """Sums of each column, (..., V)."""
        return by_column(chi, self.owner, len(self.nu))

    def log_partition(self, chi: Array, nu: Array) -> Array:
        """Sum of log Gamma(alpha) - log Gamma(sum alpha)."""
        return np.asarray(by_column(gammaln(chi), self.owner, len(self.nu)) - gammaln(self._total(chi)))

    def gain(self, chi: Array, nu: Array, sums: Any, exposure: Array) -> Array:
        """Of rows of counts: log Gamma changes only where something was counted, so sparse rows stay sparse."""
        rows = sp.csr_matrix(sums)
        level, count = rows.indices, rows.data
        # Counts of one, and marks of levels: Gamma(a + 1) = a Gamma(a).
        rise = np.log(chi)[level]
        more = count != 1.0
        at = chi[level[more]]
        rise[more] = gammaln(at + count[more]) - gammaln(at)
        total = self._total(chi)
        per_column = (
            self._total(rows.toarray()) if len(total) > 1 else np.asarray(rows.sum(axis=1)).reshape(-1, 1)
        )
        whole = gammaln(total + per_column) - gammaln(total)
        stored = sp.csr_matrix((rise, level, rows.indptr), shape=rows.shape)
        return np.asarray(stored.sum(axis=1)).ravel() - whole.sum(axis=1)

    def expectations(self, chi: Array, nu: Array) -> tuple[Array, Array]:
        """digamma(alpha) - digamma(sum alpha), and zero."""
        total = self._total(chi)
        return digamma(chi) - digamma(total)[..., self.owner], np.zeros(total.shape)

    def _learnt(self, chi: Array, nu: Array, own: Conjugate) -> Self:
        """From averages of E[log p], column by column of as many levels."""
        logs = self.expectations(chi, nu)[0].mean(axis=0)
        new = copy.copy(self)
        new.chi = self.chi.copy()
        sizes = np.bincount(self.owner)
        for size in np.unique(sizes):
            levels = np.flatnonzero(np.isin(self.owner, np.flatnonzero(sizes == size)))
            new.chi[levels] = dirichlet_of_logs(logs[levels].reshape(-1, size)).ravel()
        new.nu = self._total(new.chi)
        return new

    def point(self, chi: Array, nu: Array) -> Array:
        """Of the shares alpha / sum alpha."""
        return np.asarray(np.log(chi / self._total(chi)[..., self.owner]))

    def mode(self, chi: Array, nu: Array) -> Array:
        """Of (alpha - 1) / sum (alpha - 1)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            part = np.where(chi >= 1.0, chi - 1.0, np.nan)
            return np.asarray(np.log(part / self._total(part)[..., self.owner]))

    def log_density(self, natural: Array) -> Array:
        """Sum of (alpha - 1) log p - log Z; 0 log 0 = 0."""
        power = np.broadcast_to(self.chi - 1.0, natural.shape)
        terms = np.where(power == 0.0, 0.0, power * np.where(power == 0.0, 0.0, natural))
        return by_column(terms, self.owner, len(self.nu)) - self.log_partition(self.chi, self.nu)

    def draw(self, chi: Array, nu: Array, rng: np.random.Generator) -> Array:
        """Of a draw from the Dirichlet law, made of gammas."""
        drawn = np.maximum(rng.standard_gamma(chi), np.finfo(float).tiny)
        return np.asarray(np.log(drawn / self._total(drawn)[..., self.owner]))

    def free(self, chi: Array, nu: Array) -> Array:
        """log alpha."""
        return np.log(chi)

    def from_free(self, free: Array) -> tuple[Array, Array]:
        """From log alpha."""
        chi = np.exp(free)
        return chi, self._total(chi)

    def refuse_without_mode(self) -> None:
        """All are at least 1: below, the density is infinite at zero."""
        bad = np.flatnonzero(self.chi < 1.0)
        if bad.size:
            msg = (
                f"DirichletPrior: concentration is {self.chi[bad[0]]:.6g} for level {bad[0]}; expected at least 1 for a posterior mode: "
                "below 1 the density of the probabilities is infinite at zero. Use inference='variational', which needs no mode."
            )
            raise InvalidParameterError(msg)
