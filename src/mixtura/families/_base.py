r"""From five formulas to a component: what every exponential family shares.

A family is :math:`\log p(x\mid\eta) = \langle\eta, T(x)\rangle - e(x)\,A(\eta) + \log h(x)`, with exposure
:math:`e(x)` equal to 1 unless the family says otherwise (number of trials, time observed). Scores are one matrix
product, statistics another, the M-step is :meth:`ExponentialFamily.natural_from_mean` of the averages.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import scipy.sparse as sp

from mixtura.exceptions import Degenerate, DegenerateComponentError, InvalidParameterError
from mixtura.protocols import Array, Encoding
from mixtura.statistics import Statistics

__all__ = ["FLOOR", "ExponentialFamily", "FamilyBlock", "FamilyComponents"]

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
    #: Whether T(x) and the other formulas also take CSR rows (B, D), and return T(x) so.
    sparse: bool = False

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

    def tilted(self, mean: Array, tilt: Array) -> Array:
        """Mean parameters (P,) of half a component that is split: moved by `tilt`, linearly, and still inside."""
        return mean * (1.0 + tilt)

    def free(self, natural: Array) -> Array:
        """Unconstrained coordinates of natural parameters, same shape."""
        return natural

    def from_free(self, free: Array) -> Array:
        """Inverse of `free`."""
        return free


class FamilyBlock(NamedTuple):
    """A batch as a family sees it.

    Parameters
    ----------
    statistics : ndarray, shape (P, B), or CSR matrix, shape (B, P)
        T(x).
    log_base : ndarray, shape (B,)
        Logarithm of the base measure.
    exposure : ndarray, shape (B,), or None
        Exposure; None means 1.
    """

    statistics: Any
    log_base: Array
    exposure: Array | None


class FamilyComponents:
    """K components of one exponential family.

    Parameters
    ----------
    family : ExponentialFamily
        The five formulas.
    natural : ndarray, shape (K, P), optional
        Natural parameters. None before the first M-step.

    Examples
    --------
    >>> from mixtura.families import Normal
    >>> one = FamilyComponents(Normal()).from_mean(np.array([[0.0, 1.0]]))
    >>> one.log_prob(one.encode(np.array([[0.0]]), Encoding(1))).round(4)
    array([[-0.9189]])
    """

    exact = True
    #: Rows are taken as they are, not about the columns' means.
    centred = False

    def __init__(self, family: ExponentialFamily, natural: Array | None = None) -> None:
        self.family = family
        self._natural = None if natural is None else np.asarray(natural, dtype=np.float64)

    def __repr__(self) -> str:
        size = "blank" if self._natural is None else f"K={len(self._natural)}"
        return f"FamilyComponents({self.family.name}, {size})"

    @property
    def natural(self) -> Array:
        """Natural parameters, shape (K, P)."""
        if self._natural is None:
            msg = (
                f"The {self.family.name} components have no parameters yet: fit them, or call maximize first."
            )
            raise InvalidParameterError(msg)
        return self._natural

    @property
    def mean(self) -> Array:
        """Mean parameters E[T], per unit of exposure, shape (K, P)."""
        return self.family.mean_from_natural(self.natural)

    @property
    def n_components(self) -> int:
        """K, number of components."""
        return len(self.natural)

    def n_statistics(self, n_features: int) -> int:
        """P, rows of the encoded block."""
        return self.family.n_statistics(n_features)

    def n_parameters(self) -> int:
        """Free parameters of all components together."""
        return self.n_components * self.family.n_parameters(self.natural.shape[1])

    def replace(self, natural: Array) -> Self:
        """The same family with other natural parameters."""
        new = copy.copy(self)
        new.__dict__.pop("_rows", None)  # what kernels derived from the old parameters
        new._natural = np.asarray(natural, dtype=np.float64)
        return new

    def from_mean(self, mean: Array) -> Self:
        """The same family with the given mean parameters, shape (K, P)."""
        return self.replace(self.family.natural_from_mean(np.asarray(mean, dtype=np.float64)))

    def encode(self, x: Any, encoding: Encoding) -> FamilyBlock:
        """T(x), log h(x) and exposure of a batch."""
        return FamilyBlock(
            self.family.statistics(x), self.family.log_base_measure(x), self.family.exposure(x)
        )

    def log_prob(self, block: FamilyBlock) -> Array:
        """Scores, shape (K, B): <eta, T> - e A(eta) + log h."""
        natural = self.natural
        normalizer = self.family.log_normalizer(natural)[:, None]
        if sp.issparse(block.statistics):
            scores = np.ascontiguousarray((block.statistics @ natural.T).T)
        else:
            scores = natural @ block.statistics
        scores -= normalizer if block.exposure is None else normalizer * block.exposure
        scores += block.log_base
        return scores

    def expected_statistics(self, block: FamilyBlock, resp: Array) -> Statistics:
        """Sums weighted by resp, shape (K, B)."""
        sums = {"count": resp.sum(axis=1, dtype=np.float64)}
        if block.exposure is not None:
            sums["exposure"] = resp @ block.exposure
        if sp.issparse(block.statistics):
            sums["sum_t"] = np.asarray((block.statistics.T @ resp.T).T)
        else:
            sums["sum_t"] = resp @ block.statistics.T
        # Blocks may be float32, sums never are.
        return Statistics({name: value.astype(np.float64, copy=False) for name, value in sums.items()})

    def maximize(self, stats: Statistics) -> Self:
        """The M-step: natural parameters of the average statistics."""
        counts = stats["count"]
        exposure = stats.sums.get("exposure", counts)
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = stats["sum_t"] / exposure[:, None]
        reasons = {int(k): "it holds no data" for k in np.flatnonzero(~(exposure > 0))}
        reasons = self.family.degenerate(mean) | reasons
        if reasons:
            raise DegenerateComponentError(
                Degenerate(k, float(counts[k]), reasons[k]) for k in sorted(reasons)
            )
        return self.replace(self.family.natural_from_mean(mean))

    def expected_log_prob(self, stats: Statistics) -> float:
        """<eta, sum T> - (sum e) A(eta); the base measure is left out."""
        exposure = stats.sums.get("exposure", stats["count"])
        inner = np.sum(np.where(stats["sum_t"] == 0, 0.0, self.natural) * stats["sum_t"])
        return float(inner - exposure @ self.family.log_normalizer(self.natural))

    def suspects(self, stats: Statistics) -> dict[int, str]:
        """Components that hold less than one row."""
        return {int(k): f"holds {stats['count'][k]:.3g} rows" for k in np.flatnonzero(stats["count"] < 1.0)}

    def split(self, stats: Statistics, component: int) -> Statistics:
        """Two halves of a component whose mean statistics differ by a tenth, alternately up and down."""
        n_statistics = stats["sum_t"].shape[1]
        tilt = 0.1 * np.where(np.arange(n_statistics) % 2 == 0, 1.0, -1.0)
        exposure = 0.5 * stats.sums.get("exposure", stats["count"])[component]
        mean = 0.5 * stats["sum_t"][component] / exposure
        halves = stats.take([*range(len(stats["count"])), component])
        for index, sign in ((component, 1.0), (-1, -1.0)):
            for name, value in halves.sums.items():
                value[index] = (
                    exposure * self.family.tilted(mean, sign * tilt)
                    if name == "sum_t"
                    else 0.5 * value[index]
                )
        return halves

    def coordinates(self) -> Array:
        """Free parameters as one vector."""
        return self.family.free(self.natural).ravel()

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`."""
        return self.replace(
            self.family.from_free(np.asarray(vector, dtype=np.float64).reshape(self.natural.shape))
        )

    def take(self, components: Sequence[int] | Array) -> Self:
        """Some of the components."""
        return self.replace(self.natural[np.asarray(components, dtype=np.intp)])

    def concatenate(self, parts: Sequence[Self]) -> Self:
        """This one's components followed by those of `parts`."""
        return self.replace(np.concatenate([self.natural, *(part.natural for part in parts)]))

    def sample(self, component: int, n: int, rng: np.random.Generator) -> Array:
        """n rows of one component, shape (n, D)."""
        return self.family.sample(self.natural[component], n, rng)
