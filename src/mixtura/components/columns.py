r"""Independent columns of a distribution that is not an exponential family: what all of them share.

The file is long because the whole contract of a component is here, written once for all of them.

A distribution writes down its parameters and six formulas; :class:`ColumnComponents` makes a component of K
of them out of these. Memory stays bounded (one component after the other, never (K, D, B) numbers), missing cells are left
out (columns are independent given the component, so the marginal is exact), and whole counts are worked on by distinct
value: a formula is evaluated once for 0, 1, 2, ..., and rows are only counted.

**To add one**, subclass and write, for one component at a time with its parameters ``p`` as ``{name: (D, 1)}``:

=================================  ===================================================================================
`domains`                          ``{name: Interval}``: parameters, where they live
`prepare(x)` (optional)            what every formula needs of x without parameters, ``{name: (D, V)}``, ``x`` among it
`log_density(cells, p)`            log density of each cell, (D, V)
`terms(cells, p)`                  what is summed, ``{name: (D, V)}``; the base multiplies by responsibilities and adds
`start_terms(cells)` (optional)    the same for a component without parameters; default: count, sum and sum of squares
`solve(sums, count)`               the M-step: parameters ``{name: (K, D)}`` from the sums ``{name: (K, D)}`` and the counts (K, D)
`expected(sums, count)`            expected log density (K, D), up to a constant and to first order about the parameters
                                   at which the sums were taken
`draw(n, p, rng)`                  rows (n, D), of parameters ``{name: (D,)}``
=================================  ===================================================================================

`means` tells what missing cells are filled in with, `faults` what the M-step cannot use, `outside` and `support` what x may
not be, `locations` the parameters that move with the data. An M-step that is a maximisation sets ``exact = True``; all
others should at least never lower the expected log-likelihood: an EM step over one more latent variable, or the maximum of
a bound that touches at the old parameters.

Examples
--------
The Cauchy distribution is a normal one whose precision has a Gamma(1/2, 1/2) law; given x its mean is w = 2 / (1 + z^2),
so one EM step is a weighted mean and a weighted variance.

>>> from scipy.stats import cauchy
>>> from mixtura.components.columns import ColumnComponents
>>> from mixtura.components.intervals import POSITIVE, REAL
>>> class Cauchy(ColumnComponents):
...     name = "Cauchy"
...     domains = {"location": REAL, "scale": POSITIVE}
...     locations = ("location",)
...
...     def log_density(self, cells, p):
...         z = (cells["x"] - p["location"]) / p["scale"]
...         return -np.log(np.pi * p["scale"]) - np.log1p(z**2)
...
...     def terms(self, cells, p):
...         x = cells["x"]
...         w = 2.0 / (1.0 + ((x - p["location"]) / p["scale"]) ** 2)
...         return {"w": w, "w_x": w * x, "w_square": w * x**2}
...
...     def start_terms(self, cells):
...         return {"w": 1.0 + 0.0 * cells["x"], "w_x": cells["x"], "w_square": cells["x"] ** 2}
...
...     def solve(self, sums, count):
...         location = sums["w_x"] / sums["w"]
...         variance = (sums["w_square"] - sums["w"] * location**2) / count
...         return {"location": location, "scale": np.sqrt(np.maximum(variance, 1e-12))}
...
...     def expected(self, sums, count):
...         m, s = self.parameters["location"], self.parameters["scale"]
...         square = sums["w_square"] - 2 * m * sums["w_x"] + m**2 * sums["w"]
...         return -count * np.log(s) - 0.5 * square / s**2
...
...     def draw(self, n, p, rng):
...         return p["location"] + p["scale"] * rng.standard_cauchy((n, len(p["scale"])))
>>> from mixtura import Mixture
>>> x = cauchy.rvs(loc=3.0, scale=2.0, size=400, random_state=0)
>>> one = Mixture(Cauchy(), tol=1e-9).fit(x)
>>> found = [one.components_.location.item(), one.components_.scale.item()]
>>> np.allclose(found, cauchy.fit(x), rtol=1e-3)
True
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import scipy.sparse as sp

from mixtura.components.intervals import Interval
from mixtura.exceptions import Degenerate, DegenerateComponentError, InvalidParameterError
from mixtura.protocols import Array, Encoding
from mixtura.statistics import Statistics

__all__ = ["Cells", "ColumnBlock", "ColumnComponents", "Parameters", "weighted"]

Cells = Mapping[str, Array]
Parameters = Mapping[str, Array]

# Expected rows (or cells of a column) below which a component holds nothing.
_NOTHING = 1e-8
# Distinct counts that are always worth a table; above, a table has to be shorter than half the rows.
_TABLE = 64
# How much the sums of two halves of a component differ, alternately up and down.
_TILT = 0.1
# A component's spread in a column, relative to that of all, below which it is suspicious (a variance of 1e-4).
_FLAT = 1e-2


class ColumnBlock(NamedTuple):
    """A batch as independent columns see it.

    Parameters
    ----------
    cells : mapping of str to ndarray, shape (D, V)
        What the formulas need: of every row (V = B), or of the counts 0, ..., V - 1 where `places` is given.
    places : ndarray of int, shape (D, B), or None
        Count of every cell; V where the cell is missing.
    missing : ndarray of bool, shape (D, B), or None
        Missing cells; None where the data of the fit have none.
    """

    cells: Cells
    places: Array | None
    missing: Array | None

    def total(self, values: Array) -> Array:
        """Sum over the columns of a row's values (D, V), missing cells left out: shape (B,)."""
        if self.places is None:
            return np.asarray(
                (values if self.missing is None else np.where(self.missing, 0.0, values)).sum(axis=0)
            )
        table = np.pad(values, ((0, 0), (0, 1)))
        result = table[0][self.places[0]]
        for own, places in zip(table[1:], self.places[1:], strict=True):
            result += own[places]
        return np.asarray(result)

    def weights(self, weight: Array) -> Array:
        """Weight of each of the V values: (B,) where all columns share it, or (D, V)."""
        if self.places is not None:
            size = self.cells["x"].shape[1]
            return np.stack(
                [np.bincount(places, weight, minlength=size + 1)[:size] for places in self.places]
            )
        return weight if self.missing is None else np.where(self.missing, 0.0, weight)


class ColumnComponents(ABC):
    """K components of D independent columns; see the module's page for how to write a distribution.

    Parameters
    ----------
    **parameters : ndarray, shape (K, D)
        One array for each name in `domains`, or none of them before the first M-step. Each is an attribute, too.
    """

    #: Name of the distribution in messages.
    name: str = "independent columns"
    #: Values that it is defined for, in messages.
    support: str = "finite numbers"
    #: Parameters and where they live.
    domains: Mapping[str, Interval] = {}
    #: Parameters in the units of the data that move with it: rows are then taken about the columns' means.
    locations: tuple[str, ...] = ()
    #: Parameters that are given and not learnt.
    fixed: tuple[str, ...] = ()
    #: Parameters that all components have in common.
    shared: tuple[str, ...] = ()
    #: Whether x is a whole count of at least 0, so that formulas are evaluated once for each count.
    counts: bool = False
    #: A value inside the support, written into missing cells before the formulas.
    filler: float = 1.0
    #: Sums that differ between the halves of a component that is split.
    tilted: tuple[str, ...] = ()
    #: Whether the M-step is a maximisation.
    exact: bool = False
    #: Missing cells are left out.
    marginal = True
    #: Whether the scales of `features` mean nothing.
    standardized: bool = True

    _names: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in cls.domains:
            if not hasattr(cls, name):
                setattr(cls, name, property(_reader(name), doc=f"{name}, shape (K, D)."))

    def __init__(self, **parameters: Array | None) -> None:
        given = {name: value for name, value in parameters.items() if value is not None}
        self._parameters: dict[str, Array] | None = self._checked(given) if given else None

    def __repr__(self) -> str:
        if self._parameters is None:
            return f"{type(self).__name__}(blank)"
        return "{}(K={}, D={})".format(type(self).__name__, *self._shape)

    def _checked(self, given: Mapping[str, Array]) -> dict[str, Array]:
        """Parameters as arrays of one shape inside their domains."""
        if given.keys() != self.domains.keys():
            msg = (
                f"{type(self).__name__} got the parameters {sorted(given)}; expected all of {sorted(self.domains)}, "
                "or none of them for components that are to be learnt."
            )
            raise InvalidParameterError(msg)
        arrays = {name: np.asarray(given[name], dtype=np.float64) for name in self.domains}
        shapes = {name: value.shape for name, value in arrays.items()}
        if len(set(shapes.values())) != 1 or any(value.ndim != 2 for value in arrays.values()):
            msg = f"The parameters of {type(self).__name__} have shapes {shapes}; expected one shape (K, D) for all."
            raise InvalidParameterError(msg)
        for name, value in arrays.items():
            bad = np.argwhere(~self.domains[name].holds(value))
            if bad.size:
                k, d = (int(i) for i in bad[0])
                low, high = self.domains[name].low, self.domains[name].high
                msg = (
                    f"{name}[{k}, {d}] is {value[k, d]:g}; expected a finite number from {low:g} to {high:g}."
                )
                raise InvalidParameterError(msg)
        return arrays

    # --- what a distribution writes ---------------------------------------------------------------------------
    def prepare(self, x: Array) -> dict[str, Array]:
        """What the formulas need of x (D, V) without knowing parameters; ``x`` itself is among it."""
        return {"x": x}

    @abstractmethod
    def log_density(self, cells: Cells, p: Parameters) -> Array:
        """Log density of each cell under one component, shape (D, V)."""

    @abstractmethod
    def terms(self, cells: Cells, p: Parameters) -> dict[str, Array]:
        """What is summed over rows for the M-step, (D, V) each, at the parameters of one component."""

    def start_terms(self, cells: Cells) -> dict[str, Array]:
        """What is summed before there are parameters."""
        return {"sum_x": cells["x"], "sum_square": cells["x"] ** 2}

    @abstractmethod
    def solve(self, sums: Mapping[str, Array], count: Array) -> dict[str, Array]:
        """Parameters (K, D) from sums (K, D) and counts (K, D); `blank` tells which terms were summed."""

    @abstractmethod
    def expected(self, sums: Mapping[str, Array], count: Array) -> Array:
        """Expected log density (K, D) up to a constant."""

    @abstractmethod
    def draw(self, n: int, p: Parameters, rng: np.random.Generator) -> Array:
        """Rows (n, D) of one component with parameters (D,)."""

    def faults(self, new: Parameters, count: Array) -> Iterator[tuple[Array, str]]:
        """Masks (K, D) of parameters for which there is no maximum, each with the reason in words."""
        return iter(())

    def spread(self) -> Array | None:
        """How wide a component's columns are, (K, D), in units of the data; None where that says nothing."""
        return None

    def outside(self, x: Array) -> Array | None:
        """Mask of values outside the support, (D, B); None: there are none. A missing value is not outside."""
        return None

    def features(self, x: Any) -> Any:
        """Rows (F, B) between which Euclidean distances mean something."""
        return x

    def means(self) -> Array:
        """Means of the columns, (K, D), about the encoding's origin: what missing cells are filled in with."""
        msg = (
            f"The {self.name} component does not say what its means are, so missing cells cannot be filled in. Write means(), "
            "which returns them, (K, D)."
        )
        raise InvalidParameterError(msg)

    # --- parameters -------------------------------------------------------------------------------------------
    @property
    def centred(self) -> bool:
        """Whether rows are taken about the columns' means."""
        return bool(self.locations)

    @property
    def blank(self) -> bool:
        """Whether there are no parameters yet."""
        return self._parameters is None

    @property
    def parameters(self) -> Parameters:
        """All parameters by name, (K, D) each."""
        if self._parameters is None:
            msg = f"The {self.name} components have no parameters yet: fit them, or call maximize first."
            raise InvalidParameterError(msg)
        return self._parameters

    @property
    def _shape(self) -> tuple[int, int]:
        n_components, n_features = next(iter(self.parameters.values())).shape
        return n_components, n_features

    @property
    def n_components(self) -> int:
        """K, number of components."""
        return self._shape[0]

    def n_statistics(self, n_features: int) -> int:
        """Numbers a row that a block holds, about."""
        return 4 * n_features

    def n_parameters(self) -> int:
        """Free parameters of all components together."""
        return len(self.coordinates())

    def replace(self, parameters: Parameters) -> Self:
        """The same settings with other parameters."""
        new = copy.copy(self)
        new._parameters = {name: np.asarray(parameters[name], dtype=np.float64) for name in self.domains}
        return new

    def moved(self, by: Array) -> Self:
        """The same with locations minus `by`, shape (D,)."""
        return self.replace(
            {name: value - by if name in self.locations else value for name, value in self.parameters.items()}
        )

    # --- the pass ---------------------------------------------------------------------------------------------
    def encode(self, x: Any, encoding: Encoding) -> ColumnBlock:
        """Cells without gaps, prepared; always float64."""
        x = np.asarray(x.toarray().T if sp.issparse(x) else x, dtype=np.float64)
        missing = np.isnan(x) if encoding.missing else None
        filled = x if missing is None else np.where(missing, self.filler, x)
        places = self._places(filled) if self.counts else None
        if places is None:
            return ColumnBlock(self.prepare(filled), None, missing)
        size = int(places.max(initial=0)) + 1
        if missing is not None:
            places = np.where(missing, size, places)
        values = np.broadcast_to(np.arange(size, dtype=np.float64), (len(x), size))
        return ColumnBlock(self.prepare(values), places, missing)

    def _places(self, x: Array) -> Array | None:
        """Counts as places in a table, where that is shorter than the rows."""
        if not (x.size and x.min() >= 0.0 and x.max() < max(_TABLE, x.shape[1] // 2)):
            return None
        places = x.astype(np.intp)
        return places if np.array_equal(places, x) else None

    def log_prob(self, block: ColumnBlock) -> Array:
        """Scores, shape (K, B), one component after the other."""
        return np.stack(
            [block.total(self.log_density(block.cells, self._of(k))) for k in range(self.n_components)]
        )

    def _of(self, component: int) -> dict[str, Array]:
        """Parameters of one component, (D, 1) each."""
        return {name: value[component][:, None] for name, value in self.parameters.items()}

    def expected_statistics(self, block: ColumnBlock, resp: Array) -> Statistics:
        """``count``, the terms weighted by resp (K, B), and each column's own counts ``cells`` where some may be missing."""
        resp = np.asarray(resp, dtype=np.float64)
        sums = {"count": resp.sum(axis=1)}
        if block.missing is not None:
            sums["cells"] = resp @ (~block.missing).astype(np.float64).T
        start = self.start_terms(block.cells) if self.blank else None
        rows = []
        for k, row in enumerate(resp):
            weight = block.weights(row)
            rows.append(
                self.column_sums(block.cells, self._of(k), weight)
                if start is None
                else weighted(start, weight)
            )
        sums |= {name: np.stack([row[name] for row in rows]) for name in rows[0]}
        return Statistics(sums)

    def column_sums(self, cells: Cells, p: Parameters, weight: Array) -> dict[str, Array]:
        """Sums of one component, axis 0 the column, given the weights of the values ((V,) or (D, V))."""
        return weighted(self.terms(cells, p), weight)

    # --- the update -------------------------------------------------------------------------------------------
    def maximize(self, stats: Statistics) -> Self:
        """The M-step of every component and column.

        Raises
        ------
        DegenerateComponentError
            Naming every component without rows, or without a maximum in a column, and the column.
        """
        count, sums, own = self._columns(stats)
        reasons = {int(k): "it holds no rows" for k in np.flatnonzero(~(count > _NOTHING))}
        kept = np.setdiff1d(np.arange(len(count)), list(reasons))
        if kept.size:
            part = self if self.blank or not reasons else self.take(kept)
            new, faults = part._stepped({name: value[kept] for name, value in sums.items()}, own[kept])
            reasons |= {int(kept[k]): why for k, why in faults.items()}
        if reasons:
            raise DegenerateComponentError(
                Degenerate(k, float(count[k]), reasons[k]) for k in sorted(reasons)
            )
        return self.replace(new)

    def _stepped(self, sums: dict[str, Array], count: Array) -> tuple[dict[str, Array], dict[int, str]]:
        """The step and what is wrong with it.

        Where a component saw no value of a column its likelihood is flat: it starts as all rows together, and stays as it is.
        """
        unseen = ~(count > _NOTHING)
        if unseen.any() and self.blank:
            sums = {name: _filled(value, unseen) for name, value in sums.items()}
            count = _filled(count, unseen)
            unseen = ~(count > _NOTHING)
        with np.errstate(all="ignore"):
            count = np.where(unseen, np.finfo(np.float64).tiny, count)
            new = dict(self.solve(sums, count))
            if unseen.any() and not self.blank:
                new = {name: np.where(unseen, self.parameters[name], value) for name, value in new.items()}
            faults = [(mask & ~unseen, why) for mask, why in self.faults(new, count)]
        if self.blank:
            faults.insert(0, (unseen, "no row has a value"))
        named: dict[int, str] = {}
        for mask, why in faults:
            named = _named(mask, why) | named
        return new, named

    def _columns(self, stats: Statistics) -> tuple[Array, dict[str, Array], Array]:
        """Counts (K,), sums with a column axis, and counts of each column (K, D)."""
        sums = {name: value for name, value in stats.sums.items() if name not in {"count", "cells"}}
        count = stats["count"]
        n_features = next(iter(sums.values())).shape[1]
        own = stats["cells"] if "cells" in stats else np.repeat(count[:, None], n_features, axis=1)
        return count, sums, own

    def expected_log_prob(self, stats: Statistics) -> float:
        """Sum of `expected`; see there for what is left out."""
        _, sums, own = self._columns(stats)
        return float(np.sum(self.expected(sums, own)))

    def suspects(self, stats: Statistics) -> dict[int, str]:
        """Components with fewer rows than parameters a column, or much narrower than all of them in some column."""
        least = max(len(self.domains) - len(self.fixed), 1)
        count, spread = stats["count"], self.spread()
        reasons = {
            int(k): f"holds {count[k]:.3g} rows, fewer than its {least} parameter(s) a column"
            for k in np.flatnonzero(count < least - 1e-6)
        }
        if spread is None:
            return reasons
        overall = np.sqrt(count @ spread**2 / count.sum())
        return _named(spread < _FLAT * overall, "spread below 1e-2 of that of all components") | reasons

    def split(self, stats: Statistics, component: int) -> Statistics:
        """Two halves of which the `tilted` sums differ, alternately up and down."""
        halves = stats.take([*range(len(stats["count"])), component])
        for index, sign in ((component, 1.0), (-1, -1.0)):
            for name, value in halves.sums.items():
                value[index] *= 0.5
                if name in self.tilted:
                    value[index] += self.tilt(name, value[index], sign)
        return halves

    def tilt(self, name: str, value: Array, sign: float) -> Array:
        """What is added to a half's sum, linear in it."""
        up = np.where(np.arange(len(value)) % 2 == 0, sign, -sign)
        return np.asarray(_TILT * (value.T * up).T)

    # --- many of them -----------------------------------------------------------------------------------------
    def _free(self) -> list[tuple[str, int]]:
        """Names that are learnt, and how many rows of each."""
        size = self.n_components
        return [(name, 1 if name in self.shared else size) for name in self.domains if name not in self.fixed]

    def coordinates(self) -> Array:
        """What is learnt as one vector of which every value is valid."""
        rows = [self.domains[name].free(self.parameters[name][:size]).ravel() for name, size in self._free()]
        return np.concatenate([*rows, np.empty(0)])

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`."""
        new, (n_components, n_features), used = dict(self.parameters), self._shape, 0
        for name, size in self._free():
            values = np.asarray(vector, dtype=np.float64)[used : used + size * n_features]
            used += size * n_features
            rows = self.domains[name].value(values.reshape(size, n_features))
            new[name] = np.repeat(rows, n_components // size, axis=0)
        return self.replace(new)

    def take(self, components: Sequence[int] | Array) -> Self:
        """Some of the components."""
        index = np.asarray(components, dtype=np.intp)
        return self.replace({name: value[index] for name, value in self.parameters.items()})

    def concatenate(self, parts: Sequence[Self]) -> Self:
        """This one's components followed by those of `parts`."""
        return self.replace(
            {
                name: np.concatenate([value, *(part.parameters[name] for part in parts)])
                for name, value in self.parameters.items()
            }
        )

    def sample(self, component: int, n: int, rng: np.random.Generator) -> Array:
        """n rows of one component, shape (n, D), about the encoding's origin."""
        own = {name: value[component] for name, value in self.parameters.items()}
        return np.asarray(self.draw(n, own, rng), dtype=np.float64)

    # --- some columns from others -----------------------------------------------------------------------------
    def restricted(self, columns: Array) -> Self:
        """The parameters of some columns."""
        return self.replace({name: value[:, columns] for name, value in self.parameters.items()})

    def conditioned(self, columns: Array, values: Array) -> Self:
        """The parameters of the other columns: they do not depend on these."""
        return self.restricted(np.setdiff1d(np.arange(self._shape[1]), columns))

    def expected_cells(self, x: Array, resp: Array, encoding: Encoding) -> list[Array]:
        """Means, whatever the other columns are."""
        return list(self.means().T @ resp)

    def table(self, names: Sequence[str], origin: Array | None) -> Iterator[tuple[str, str, str, Array]]:
        """Every parameter of every column, in units of the data."""
        for name, value in self.parameters.items():
            about = 0.0 if origin is None or name not in self.locations else origin
            for feature, column in zip(names, (value + about).T, strict=True):
                yield name, feature, "", column


def weighted(terms: Cells, weight: Array) -> dict[str, Array]:
    """Sums (D,) of terms (D, V), with weights (V,) or (D, V)."""
    pattern = "dv,v->d" if weight.ndim == 1 else "dv,dv->d"
    return {name: np.einsum(pattern, value, weight) for name, value in terms.items()}


def _filled(sums: Array, unseen: Array) -> Array:
    """Sums (K, D, ...) in which those of all components stand where a component has none."""
    mask = unseen.reshape(unseen.shape + (1,) * (sums.ndim - 2))
    return np.where(mask, sums.sum(axis=0), sums)


def _reader(name: str) -> Any:
    def read(self: ColumnComponents) -> Array:
        return self.parameters[name]

    return read


def _named(mask: Array, why: str) -> dict[int, str]:
    """Reason of each component for which a column is marked; the first column is told."""
    return {int(k): f"column {int(np.argmax(mask[k]))}: {why}" for k in np.flatnonzero(np.any(mask, axis=1))}
