r"""What a conjugate prior is: the law of a family's natural parameters, in the form of statistics seen earlier.

For a family :math:`\log p(x\mid\eta) = \langle\eta, T(x)\rangle - e(x) A(\eta) + \log h(x)` the conjugate law is

.. math:: \log p(\eta\mid\chi,\nu) = \langle\chi, \eta\rangle - \nu A(\eta) - \log Z(\chi,\nu) + \text{const}(\eta)

([1]_, section 2; in whatever measure makes the usual law of the usual parameter). Three facts serve for everything:

- the posterior is :math:`(\chi + \sum r T, \nu + \sum r e)`: sums are added;
- the evidence of rows is :math:`\log Z(\text{posterior}) - \log Z(\text{prior}) + \sum\log h`, and so is the predictive law;
- :math:`\mathrm{KL}(q\Vert p) = \langle\chi_q-\chi_p, E_q\eta\rangle - (\nu_q-\nu_p) E_q A - \log Z_q + \log Z_p`.

So a law is log Z with its two derivatives, a draw and a mode. All of them work column by column: :math:`\chi` has shape (K, P),
:math:`\nu` shape (K, V) for V columns that are independent given the component.

References
----------
.. [1] P. Diaconis and D. Ylvisaker (1979), "Conjugate priors for exponential families", Annals of Statistics 7(2), 269-281.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from typing import Any, Self

import numpy as np
import scipy.sparse as sp

from mixtura.exceptions import InvalidParameterError
from mixtura.protocols import Array

__all__ = ["MOST", "NARROW", "VAGUE", "Conjugate", "Prior", "above", "by_column", "finite"]

# Of default priors of posterior laws: how many rows a prior mean is worth, and by how much components are expected to have smaller
# variances than all rows together (in precisions; a degree of freedom each, so the data soon say better).
VAGUE, NARROW = 0.01, 50.0

# Most rows that a learnt prior may be worth: where all components are alike, the bound rises for ever as their prior narrows.
MOST = 1e5


class Prior:
    """A user's prior: hyper-parameters by their usual names, each None (from the data's scale), a number, or one for each column."""

    @classmethod
    def taken(cls, given: Prior | None, owner: str) -> Self:
        """The prior given, or the default one of this kind.

        Raises
        ------
        InvalidParameterError
            If it is of another kind, naming whose prior it is.
        """
        if given is None:
            return cls()
        if not isinstance(given, cls):
            msg = f"The prior of the {owner} component is {given!r}; expected a {cls.__name__}, or None for the default one."
            raise InvalidParameterError(msg)
        return given


class Conjugate(ABC):
    """The conjugate law of one family's natural parameters, with its hyper-parameters before any data.

    Parameters
    ----------
    chi : ndarray, shape (P,)
        Pseudo-sums of the statistics.
    nu : ndarray, shape (V,)
        Pseudo-exposures: how many rows of each column the prior is worth, up to the law's own constants.
    owner : ndarray of int, shape (P,)
        Column that each statistic belongs to.
    """

    def __init__(self, chi: Array, nu: Array, owner: Array) -> None:
        self.chi = np.asarray(chi, dtype=np.float64)
        self.nu = np.asarray(nu, dtype=np.float64)
        self.owner = np.asarray(owner, dtype=np.intp)

    def for_laws(self) -> Conjugate:
        """The prior of posterior laws, where its defaults differ from those of a mode."""
        return self

    @abstractmethod
    def log_partition(self, chi: Array, nu: Array) -> Array:
        """log Z of each column, (..., V), of chi (..., P) and nu (..., V)."""

    @abstractmethod
    def expectations(self, chi: Array, nu: Array) -> tuple[Array, Array]:
        """E[eta], shape (..., P), and E[A] of each column, shape (..., V)."""

    @abstractmethod
    def point(self, chi: Array, nu: Array) -> Array:
        """Natural parameters (K, P) that stand for the law: those of the posterior means of the usual parameters."""

    @abstractmethod
    def mode(self, chi: Array, nu: Array) -> Array:
        """Natural parameters (K, P) at the mode of the density of the usual parameters; not finite where there is none."""

    @abstractmethod
    def log_density(self, natural: Array) -> Array:
        """Log prior density of the usual parameters at natural (K, P), with all constants, shape (K, V)."""

    @abstractmethod
    def draw(self, chi: Array, nu: Array, rng: np.random.Generator) -> Array:
        """Natural parameters drawn from the law, shape (..., P)."""

    @abstractmethod
    def free(self, chi: Array, nu: Array) -> Array:
        """Unconstrained coordinates of the law, shape (K, M)."""

    @abstractmethod
    def from_free(self, free: Array) -> tuple[Array, Array]:
        """Inverse of `free`: chi (K, P) and nu (K, V)."""

    def gain(self, chi: Array, nu: Array, sums: Any, exposure: Array) -> Array:
        """By how much log Z of one law rises with each of B rows: their evidence, less the base measure.

        Parameters
        ----------
        chi : ndarray, shape (P,)
            Of one component.
        nu : ndarray, shape (V,)
            Likewise.
        sums : ndarray or CSR matrix, shape (B, P)
            Statistics of the rows.
        exposure : ndarray, shape (B, 1) or (B, V)
            Exposure of the rows.

        Returns
        -------
        ndarray, shape (B,)
        """
        sums = sums.toarray() if sp.issparse(sums) else sums
        after = self.log_partition(chi + sums, nu + exposure)
        return np.asarray((after - self.log_partition(chi, nu)).sum(axis=-1))

    def refuse_without_mode(self) -> None:  # noqa: B027 - most laws have one
        """Raise InvalidParameterError if a component without data would have no mode, naming the hyper-parameter."""

    def divergence(self, chi: Array, nu: Array, own: Conjugate | None = None) -> Array:
        """KL divergence of laws from the prior, shape (K, V).

        Parameters
        ----------
        chi : ndarray, shape (K, P)
            Of the laws.
        nu : ndarray, shape (K, V)
            Likewise.
        own : Conjugate, optional
            The prior that the laws were made with, where this one has been learnt since.
        """
        own = self if own is None else own
        natural, normalizer = own.expectations(chi, nu)
        inner = by_column((chi - self.chi) * natural, self.owner, len(self.nu))
        return np.asarray(
            inner
            - (nu - self.nu) * normalizer
            - own.log_partition(chi, nu)
            + self.log_partition(self.chi, self.nu)
            + self._shifted(own, chi, nu)
        )

    def _shifted(self, own: Conjugate, chi: Array, nu: Array) -> Array | float:
        """What the laws' constants add to their divergence where they are others than the prior's."""
        return 0.0

    # --- empirical Bayes --------------------------------------------------------------------------------------
    def learnt(self, chi: Array, nu: Array, own: Conjugate) -> Self:
        """The prior from which laws diverge least together: what raises the bound most while they stay.

        The sum of the divergences is convex in the prior's hyper-parameters. A column for which the
        solution is no better, by rounding or because it was cut at `MOST`, keeps what it had.
        """
        new = self._learnt(chi, nu, own)
        worse = new.divergence(chi, nu, own).sum(axis=0) > self.divergence(chi, nu, own).sum(axis=0)
        return new._with(self, worse) if worse.any() else new

    def _learnt(self, chi: Array, nu: Array, own: Conjugate) -> Self:
        raise NotImplementedError  # pragma: no cover - every law says it

    def _with(self, other: Self, columns: Array) -> Self:
        """This law, with another one's hyper-parameters in some of the columns, a mask (V,)."""
        new = copy.copy(self)
        new.chi = np.where(columns[self.owner], other.chi, self.chi)
        new.nu = np.where(columns, other.nu, self.nu)
        return new


def by_column(values: Array, owner: Array, n_values: int) -> Array:
    """Sums over the statistics of each column: (..., P) to (..., V).

    Examples
    --------
    >>> by_column(np.array([[1.0, 2.0, 4.0]]), np.array([0, 1, 0]), 2)
    array([[5., 2.]])
    """
    if len(owner) == n_values and np.array_equal(owner, np.arange(n_values)):
        return values
    if n_values == 1:
        return np.asarray(values.sum(axis=-1, keepdims=True))
    out = np.zeros((*values.shape[:-1], n_values))
    for p, column in enumerate(owner):
        out[..., column] += values[..., p]
    return out


def above(kind: str, name: str, value: object, size: int, bound: float = 0.0, what: str = "columns") -> Array:
    """A hyper-parameter as one finite number above a bound for each of `size` columns.

    Raises
    ------
    InvalidParameterError
        Naming the prior, the hyper-parameter, its value and the bound.

    Examples
    --------
    >>> above("GammaPrior", "rate", 2, 3)
    array([2., 2., 2.])
    """
    array = finite(kind, name, value, size, what)
    bad = np.flatnonzero(~(array > bound))
    if bad.size:
        where = f"[{bad[0]}]" if np.ndim(value) else ""  # type: ignore[arg-type]
        msg = f"{kind}: {name}{where} is {array[bad[0]]:.6g}; expected a number above {bound:g}."
        raise InvalidParameterError(msg)
    return array


def finite(kind: str, name: str, value: object, size: int, what: str = "columns") -> Array:
    """A hyper-parameter as one finite number for each of `size` columns; errors as of `above`.

    Examples
    --------
    >>> finite("NormalGammaPrior", "mean", [0.0, -1.0], 2)
    array([ 0., -1.])
    """
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.full(1, np.nan)
    many = f", or one for each of {size} {what}" if size > 1 else ""
    if array.shape not in ((), (1,), (size,)):
        msg = f"{kind}: {name} has shape {array.shape}; expected one number{many}."
        raise InvalidParameterError(msg)
    bad = np.flatnonzero(~np.isfinite(array.reshape(-1)))
    if bad.size:
        msg = f"{kind}: {name} is {value!r}; expected a finite number{many}."
        raise InvalidParameterError(msg)
    return np.broadcast_to(array.reshape(-1) if array.ndim else array, (size,)).astype(np.float64)
