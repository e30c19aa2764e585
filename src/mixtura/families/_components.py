"""A component from a family: K of them at once, and the block of rows that they see.

Long, because the whole contract of a component is here, once for all families.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import scipy.sparse as sp

from mixtura.exceptions import Degenerate, DegenerateComponentError, InvalidParameterError
from mixtura.families._base import ColumnFamily, ExponentialFamily
from mixtura.priors.base import Conjugate, Prior
from mixtura.protocols import Array, Encoding
from mixtura.statistics import Statistics

__all__ = ["FamilyBlock", "FamilyComponents"]


class FamilyBlock(NamedTuple):
    """A batch as a family sees it.

    Parameters
    ----------
    statistics : ndarray, shape (P, B), or CSR matrix, shape (B, P)
        T(x).
    log_base : ndarray, shape (B,)
        Logarithm of the base measure.
    exposure : ndarray, shape (B,) or (V, B), or None
        Exposure; None means 1. Where cells may be missing, that of every cell: 0 for a missing one.
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

    @property
    def blank(self) -> bool:
        """Whether there are no parameters yet."""
        return self._natural is None

    @property
    def marginal(self) -> bool:
        """Whether missing cells are integrated over."""
        return isinstance(self.family, ColumnFamily)

    @property
    def name(self) -> str:
        """That of the family."""
        return self.family.name

    @property
    def support(self) -> str:
        """That of the family."""
        return self.family.support

    @property
    def inseparable(self) -> str:
        """That of the family."""
        return self.family.inseparable

    def outside(self, x: Any) -> Array | None:
        """Values outside the support of the family; a missing one is not, where the family leaves it out."""
        gaps = isinstance(self.family, ColumnFamily) and not sp.issparse(x) and np.ndim(x) == 2
        return self.family.outside(self.family.filled(x) if gaps else x)  # type: ignore[attr-defined]

    @property
    def standardized(self) -> bool:
        """Whether the scales of the features mean nothing."""
        return self.family.standardized

    def features(self, x: Any) -> Any:
        """Those of the family."""
        return self.family.features(x)

    def table(self, names: Sequence[str], origin: Array | None) -> list[tuple[str, str, str, Array]]:
        """The parameters that a user reads."""
        return [
            (name, feature, "", values)
            for name, feature, values in self.family.parameters(self.natural, names)
        ]

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

    def variational(self, prior: Prior | None, overall: Statistics, origin: Array | None) -> FamilyComponents:
        """Blank components whose parameters have posterior laws.

        Parameters
        ----------
        prior : Prior or None
            Of the family's parameters; None is a weak default.
        overall : Statistics
            Sums of all rows as one component, from which defaults are made.
        origin : ndarray, shape (D,), or None
            Where the rows' origin lies; families take rows as they are.
        """
        from mixtura.families._posterior import FamilyPosterior

        return FamilyPosterior(self, self._law(prior, overall).for_laws())

    def penalized(self, prior: Prior | None, overall: Statistics, origin: Array | None) -> FamilyComponents:
        """Blank components that go to the mode of their posterior; parameters as of `variational`."""
        from mixtura.families._posterior import FamilyMode

        return FamilyMode(self, self._law(prior, overall))

    def _law(self, prior: Prior | None, overall: Statistics) -> Conjugate:
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = np.nan_to_num((overall["sum_t"] / self._exposures(overall))[0])
        return self.family.conjugate(prior, mean)

    def from_mean(self, mean: Array) -> Self:
        """The same family with the given mean parameters, shape (K, P)."""
        return self.replace(self.family.natural_from_mean(np.asarray(mean, dtype=np.float64)))

    def encode(self, x: Any, encoding: Encoding) -> FamilyBlock:
        """T(x), log h(x) and exposure of a batch."""
        if encoding.missing and isinstance(self.family, ColumnFamily):
            return _with_gaps(self.family, x)
        return FamilyBlock(
            self.family.statistics(x), self.family.log_base_measure(x), self.family.exposure(x)
        )

    def log_prob(self, block: FamilyBlock) -> Array:
        """Scores, shape (K, B): <eta, T> - e A(eta) + log h."""
        natural = self.natural
        normalizer = self._normalizer(block.exposure)
        if sp.issparse(block.statistics):
            scores = np.ascontiguousarray((block.statistics @ natural.T).T)
        else:
            scores = natural @ block.statistics
        scores -= normalizer
        scores += block.log_base
        return scores

    def _normalizer(self, exposure: Array | None) -> Array:
        """e A(eta), shape (K, 1) or (K, B)."""
        if exposure is not None and exposure.ndim == 2:
            return np.asarray(self._by_column() @ exposure)
        whole = self._whole()[:, None]
        return whole if exposure is None else whole * exposure

    def _whole(self) -> Array:
        """A of all columns together, shape (K,)."""
        return self.family.log_normalizer(self.natural)

    @property
    def column_normalizers(self) -> Array:
        """A of every column (or what is expected of it), shape (K, V), for families of independent columns."""
        return self._by_column()

    def _by_column(self) -> Array:
        if not isinstance(self.family, ColumnFamily):
            msg = f"The {self.family.name} family has no marginal: its columns are not independent, so cells cannot be missing."
            raise InvalidParameterError(msg)
        return self.family.column_normalizer(self.natural)

    def expected_statistics(self, block: FamilyBlock, resp: Array) -> Statistics:
        """Sums weighted by resp, shape (K, B)."""
        sums = {"count": resp.sum(axis=1, dtype=np.float64)}
        if block.exposure is not None:
            sums["exposure"] = resp @ block.exposure.T
        if sp.issparse(block.statistics):
            sums["sum_t"] = np.asarray((block.statistics.T @ resp.T).T)
        else:
            sums["sum_t"] = resp @ block.statistics.T
        # Blocks may be float32, sums never are.
        return Statistics({name: value.astype(np.float64, copy=False) for name, value in sums.items()})

    def maximize(self, stats: Statistics) -> Self:
        """The M-step: natural parameters of the average statistics."""
        counts = stats["count"]
        exposure = self._exposures(stats)
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = stats["sum_t"] / exposure
            reasons = self.family.degenerate(mean)
        reasons |= {
            int(k): f"it holds no data in column {int(np.argmin(exposure[k]))}"
            if counts[k] > 0
            else "it holds no data"
            for k in np.flatnonzero(~(exposure > 0).all(axis=1))
        }
        if reasons:
            raise DegenerateComponentError(
                Degenerate(k, float(counts[k]), reasons[k]) for k in sorted(reasons)
            )
        return self.replace(self.family.natural_from_mean(mean))

    def expected_log_prob(self, stats: Statistics) -> float:
        """<eta, sum T> - (sum e) A(eta); the base measure is left out."""
        exposure = stats.sums.get("exposure", stats["count"])
        inner = np.sum(np.where(stats["sum_t"] == 0, 0.0, self.natural) * stats["sum_t"])
        if exposure.ndim == 2:
            return float(inner - np.sum(exposure * self._by_column()))
        return float(inner - exposure @ self._whole())

    def _exposures(self, stats: Statistics) -> Array:
        """What the sums of T are divided by for the mean, shape (K, 1) or (K, P)."""
        exposure = stats.sums.get("exposure", stats["count"])
        if exposure.ndim == 1:
            return exposure[:, None]
        owner = self.family.columns(exposure.shape[1])  # type: ignore[attr-defined]
        return np.asarray(exposure[:, owner])

    def suspects(self, stats: Statistics) -> dict[int, str]:
        """Components that hold less than one row."""
        return {int(k): f"holds {stats['count'][k]:.3g} rows" for k in np.flatnonzero(stats["count"] < 1.0)}

    def split(self, stats: Statistics, component: int) -> Statistics:
        """Two halves of a component whose mean statistics differ by a tenth, alternately up and down."""
        n_statistics = stats["sum_t"].shape[1]
        tilt = 0.1 * np.where(np.arange(n_statistics) % 2 == 0, 1.0, -1.0)
        exposure = 0.5 * self._exposures(stats)[component]
        mean = 0.5 * stats["sum_t"][component] / np.where(exposure > 0, exposure, 1.0)
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

    # --- some columns from others -----------------------------------------------------------------------------
    def restricted(self, columns: Array) -> Self:
        """The law of some columns; those that are taken as given (trials, exposure) stay the last.

        Raises
        ------
        InvalidParameterError
            If the family has no law of some columns, or a column that is taken as given is not among them.
        """
        family, n_values = self._columns()
        end = len(columns) - family.n_given
        if list(columns[max(end, 0) :]) != list(range(n_values, n_values + family.n_given)):
            msg = (
                f"The columns of the {self.name} component are to be {list(map(int, columns))}; expected column {n_values}, "
                "which is taken as given (trials or exposure), as the last of them: without it the others have no law."
            )
            raise InvalidParameterError(msg)
        part = family.restricted(columns[:end])
        return self._of(part, self.natural[:, _places(family, part, n_values, columns[:end])])

    def conditioned(self, columns: Array, values: Array) -> Self:
        """The law of the other columns: the same, as they are independent, with trials or exposure put in."""
        family, n_values = self._columns()
        given = np.arange(n_values, n_values + family.n_given)
        rest = np.setdiff1d(np.arange(n_values), columns)
        part = self.restricted(np.concatenate([rest, given]))
        known = values[np.isin(columns, given)]
        return self._of(*part.family.known(part.natural, known)) if known.size else part  # type: ignore[attr-defined]

    def expected_cells(self, x: Array, resp: Array, encoding: Encoding) -> list[Array]:
        """Expectations of the family, whatever the other columns are."""
        family, n_values = self._columns()
        exposure = family.exposure(family.filled(x))
        weight = resp if exposure is None else resp * exposure
        laws = [np.tensordot(law, weight, axes=(0, 0)) for law in family.expected(self.natural)]
        return laws + list(x[n_values:])

    def _columns(self) -> tuple[ColumnFamily, int]:
        """The family, and how many columns of values there are."""
        n_values = self._by_column().shape[1]
        family: Any = self.family
        return family, n_values

    def _of(self, family: ColumnFamily, natural: Array) -> Self:
        new = self.replace(natural)
        new.family = family
        return new


def _places(family: ColumnFamily, part: ColumnFamily, n_values: int, columns: Array) -> Array:
    """Which of a family's statistics are those of the family of some of its columns, in that one's order."""
    owner, layout = family.columns(n_values), part.columns(len(columns))
    places = np.empty(len(layout), dtype=np.intp)
    for new, old in enumerate(columns):
        places[layout == new] = np.flatnonzero(owner == old)
    return places


def _with_gaps(family: ColumnFamily, x: Array) -> FamilyBlock:
    """The block of rows with missing cells: these enter no sum."""
    if family.gaps_vanish:
        statistics = family.statistics(x)
        observed = (~np.isnan(family.values(x))).astype(statistics.dtype)
        return FamilyBlock(statistics, np.zeros(statistics.shape[1]), observed)
    filled = family.filled(x)
    observed = (~np.isnan(family.values(x))).astype(filled.dtype)
    exposure = family.exposure(filled)
    return FamilyBlock(
        family.statistics(filled) * observed[family.columns(len(observed))],
        np.asarray((family.column_log_base(filled) * observed).sum(axis=0)),
        observed if exposure is None else observed * exposure,
    )
