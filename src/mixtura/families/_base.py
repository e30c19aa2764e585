r"""From five formulas to a component: what every exponential family shares.

A family is :math:`\log p(x\mid\eta) = \langle\eta, T(x)\rangle - e(x)\,A(\eta) + \log h(x)`, with exposure
:math:`e(x)` equal to 1 unless the family says otherwise (number of trials, time observed). Scores are one matrix
product, statistics another, the M-step is :meth:`ExponentialFamily.natural_from_mean` of the averages.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from mixtura.exceptions import InvalidParameterError
from mixtura.priors.base import Conjugate, Prior
from mixtura.protocols import Array

__all__ = ["FLOOR", "ColumnFamily", "ExponentialFamily"]

# Least probability or rate of a family whose likelihood may rise towards zero. Likelihoods are concave there, so the nearest
# value inside is the exact maximum on the closed set; a row loses at most this much, in nats, of each column.
FLOOR = 1e-10


class ExponentialFamily(ABC):
    """Five formulas (and one derivative for the tests) that define a family.

    ``x`` is feature-major, shape (D, B); natural and mean parameters have shape (K, P).
    Subclasses are stateless or hold known constants only; see docs/add-a-family.md.
    """

    #: Name of the family in messages and model files.
    name: str = "family"
    #: Whether observations are integers (sums in the tests, not integrals).
    discrete: bool = False
    #: Values that the family is defined for, in messages.
    support: str = "finite numbers"
    #: Whether the scales of the columns of `features` mean nothing, so that starts may standardise and whiten them.
    standardized: bool = True
    #: Whether T(x) and the other formulas also take CSR rows (B, D), and return T(x) so.
    sparse: bool = False
    #: Why some columns have no law without the others, in words; empty where they have.
    inseparable: str = "it is no ColumnFamily, so its columns may depend on each other"

    def __repr__(self) -> str:
        """The call that makes it: known constants that are not the usual ones are named."""
        shown = []
        for name, setting in inspect.signature(type(self)).parameters.items():
            value = vars(self).get(name, setting.default)
            value = value.tolist() if isinstance(value, np.ndarray) else value
            if value is not setting.default and value != setting.default:
                shown.append(f"{name}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"

    @abstractmethod
    def statistics(self, x: Array) -> Array:
        """Sufficient statistics T(x), shape (P, B)."""

    @abstractmethod
    def log_base_measure(self, x: Array) -> Array:
        """Logarithm of h(x), shape (B,)."""

    @abstractmethod
    def log_normalizer(self, natural: Array) -> Array:
        """A(eta), shape (K,), of natural parameters (K, P)."""

    @abstractmethod
    def natural_from_mean(self, mean: Array) -> Array:
        """Inverse of the gradient of A, (K, P): the M-step."""

    @abstractmethod
    def mean_from_natural(self, natural: Array) -> Array:
        """Gradient of A, (K, P)."""

    @abstractmethod
    def sample(self, natural: Array, n: int, rng: np.random.Generator) -> Array:
        """Rows drawn from one component with natural parameters (P,): shape (n, D)."""

    def exposure(self, x: Array) -> Array | None:
        """Exposure e(x) of each row, shape (B,); None means 1."""
        return None

    def n_parameters(self, n_statistics: int) -> int:
        """Free parameters of one component."""
        return n_statistics

    def n_statistics(self, n_features: int) -> int:
        """P for D features."""
        return int(self.statistics(np.zeros((n_features, 1))).shape[0])

    def degenerate(self, mean: Array) -> dict[int, str]:
        """Components whose mean parameters (K, P) lie on the boundary, with the reason."""
        return {}

    def outside(self, x: Any) -> Array | None:
        """Mask of the values of x (of the stored ones, where sparse) outside the support; None means that all are inside."""
        return None

    def features(self, x: Any) -> Any:
        """Rows (F, B), or CSR (B, F), between which Euclidean distances mean something: in these starts are looked for."""
        return x

    def labels(self, names: Sequence[str]) -> list[str]:
        """Name of each mean parameter, given those of the columns."""
        count = self.n_statistics(len(names))
        return [*names] if count == len(names) else [f"T{p}" for p in range(count)]

    def parameters(self, natural: Array, names: Sequence[str]) -> list[tuple[str, str, Array]]:
        """The parameters that a user reads: name, column, values (K,)."""
        mean = self.mean_from_natural(natural)
        return [("mean", label, mean[:, p]) for p, label in enumerate(self.labels(names))]

    def conjugate(self, prior: Prior | None, mean: Array) -> Conjugate:
        """The conjugate law of the natural parameters, where it has expectations in closed form.

        Parameters
        ----------
        prior : Prior or None
            Of the user; None is a weak default made from `mean`.
        mean : ndarray, shape (P,)
            Mean parameters of all rows together.

        Returns
        -------
        Conjugate
            With hyper-parameters before any data.

        Raises
        ------
        InvalidParameterError
            If the family has none, or the prior is of another kind or out of its domain.
        """
        msg = (
            f"The {self.name} family has no conjugate prior with expectations in closed form, so it has no Bayesian fit. Expected "
            "Bernoulli, binomial, geometric, categorical, multinomial, Poisson, exponential, normal or log-normal columns, or "
            "Gaussian components."
        )
        raise InvalidParameterError(msg)

    def tilted(self, mean: Array, tilt: Array) -> Array:
        """Mean parameters (P,) of half a component that is split: moved by `tilt`, linearly, and still inside."""
        return mean * (1.0 + tilt)

    def free(self, natural: Array) -> Array:
        """Unconstrained coordinates of natural parameters, same shape."""
        return natural

    def from_free(self, free: Array) -> Array:
        """Inverse of `free`."""
        return free


class ColumnFamily(ExponentialFamily):
    """A family of columns that are independent given the component: A and log h are sums over the columns.

    A subclass writes them by column, `column_normalizer` and `column_log_base`, in the place of their sums. Missing
    cells are then left out of both, which integrates over them.
    """

    #: A value inside the support, written into missing cells before the formulas see them; it changes nothing.
    filler: float = 1.0
    #: Whether T of a missing cell (NaN) is zero by itself and h is one for all, so that nothing has to be masked.
    gaps_vanish: bool = False
    #: How many columns, the last ones, are taken as given (trials, exposure).
    n_given: int = 0
    inseparable = ""

    @abstractmethod
    def column_log_base(self, x: Array) -> Array:
        """Logarithm of each column's base measure, shape (V, B) for V columns of values."""

    @abstractmethod
    def column_normalizer(self, natural: Array) -> Array:
        """A of each column, shape (K, V), of natural parameters (K, P)."""

    def columns(self, n_values: int) -> Array:
        """Column that each statistic belongs to, shape (P,), for V columns of values."""
        return np.arange(n_values)

    def values(self, x: Any) -> Any:
        """The columns of values, shape (V, B): all but one that is taken as given (trials, exposure)."""
        return x

    def restricted(self, columns: Sequence[int] | Array) -> Self:
        """The family of some columns of values; another one where it holds something for each column."""
        return self

    def known(self, natural: Array, given: Array) -> tuple[ColumnFamily, Array]:
        """Family and natural parameters once the columns that are taken as given are known to be `given`, (n_given,)."""
        return self, natural

    def expected(self, natural: Array) -> list[Array]:
        """What each column of values is expected to be, per unit of exposure.

        Means (K,); of levels their probabilities (K, L), and of angles x the means of exp(i x), (K,).
        """
        msg = (
            f"The {self.name} family does not say what its values are expected to be, so missing cells cannot be filled in. "
            "Write expected(natural): for each column the means (K,)."
        )
        raise InvalidParameterError(msg)

    def log_base_measure(self, x: Any) -> Array:
        """Sum over the columns, shape (B,)."""
        return np.asarray(self.column_log_base(x).sum(axis=0))

    def log_normalizer(self, natural: Array) -> Array:
        """Sum over the columns, shape (K,)."""
        return np.asarray(self.column_normalizer(natural).sum(axis=1))

    def filled(self, x: Array) -> Array:
        """x with `filler` in the missing cells of the columns of values."""
        gaps = np.isnan(x)
        gaps[len(self.values(x)) :] = False
        return np.where(gaps, self.filler, x) if gaps.any() else x
